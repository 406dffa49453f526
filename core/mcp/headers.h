/* headers.h - what the headers of a request of 2026-07-28 must repeat of its body (SEP-2243). */
#ifndef CORE_MCP_HEADERS_H
#define CORE_MCP_HEADERS_H

#include "mcp/request.h"
#include "net/http_server.h"

/* MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Param-*: a proxy may have decided by them, so
 * they must not differ from the message. BP_INVALID with the request's error set. */
bp_status headers_check(bp_mcp *request, struct http_exchange *exchange);

/* The text of a header's value: =?base64?...?= stands for bytes that may not stand in a header.
 * False: it is malformed. */
bool headers_decode(bp_call *call, bp_str raw, bp_str *value);
/* Whether a decoded header says the same as an argument: numbers by their value. */
bool headers_agree(const bp_json *value, bp_str header);

#endif

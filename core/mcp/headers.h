/* headers.h - what the headers of a request of 2026-07-28 must repeat of its body (SEP-2243). */
#ifndef CORE_MCP_HEADERS_H
#define CORE_MCP_HEADERS_H

#include "mcp/request.h"
#include "net/http_server.h"

/* MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Param-*: a proxy may have decided by them, so they must not differ
 * from what is served. BP_INVALID with the request's error set. */
bp_status headers_check(bp_mcp *request, struct http_exchange *exchange);

#endif

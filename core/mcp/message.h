/* message.h - one JSON-RPC 2.0 message: what it is, and the frames of answers. */
#ifndef CORE_MCP_MESSAGE_H
#define CORE_MCP_MESSAGE_H

#include "loop/call.h"
#include "mcp/protocol.h"

enum message_kind { MESSAGE_REQUEST, MESSAGE_NOTIFICATION, MESSAGE_RESPONSE };

struct message {
    enum message_kind kind;
    bp_str            method;
    bp_str            id;             /* as JSON text: 7, "seven"; empty: it has none */
    const bp_json    *params;         /* an object, or NULL */
    const bp_json    *meta;           /* of the params */
    const bp_json    *result, *error; /* of a response */
};

/* A member of params or of the like; null is as good as not there. */
const bp_json *message_param(const bp_json *object, bp_str name);

/* MCP_NO_ERROR, or the code and a sentence in `why`; then the id is filled in if it could be read.
 */
enum mcp_error_code message_read(bp_call *call, const bp_json *json, struct message *message,
                                 const char **why);

/* {"jsonrpc":"2.0","id":ID,"error":{...}}; `id` empty: null; `data` is JSON or empty. */
bp_str message_error(bp_call *call, bp_str id, int32_t code, bp_str text, bp_str data);
/* {"jsonrpc":"2.0","method":METHOD,"params":PARAMS} */
bp_str message_notification(bp_call *call, const char *method, bp_str params);
bp_str message_request(bp_call *call, uint64_t id, const char *method, bp_str params);

#endif

/* who.c - the client of a request, for its log line. */
#include "api/who.h"

#include "base/crypto.h"
#include "base/str.h"

size_t who_fields(struct http_exchange *exchange, bp_field fields[WHO_FIELDS_MAX])
{
    static const uint8_t none[16];
    bp_call             *call = exchange->call;
    bp_str               agent = http_exchange_header(exchange, "user-agent");
    size_t               count = 0;

    if (call->principal.id.len)
        fields[count++] = bp_field_str("key_id", str_cut(call->principal.id, WHO_ID_BYTES));
    if (agent.len > WHO_AGENT_BYTES)
        agent.len = WHO_AGENT_BYTES;
    if (agent.len)
        fields[count++] = bp_field_str("user_agent", agent);
    if (memcmp(call->trace.trace_id, none, sizeof(none)) != 0) {
        char *text = arena_alloc(call->arena, 33);

        if (text) {
            crypto_hex(call->trace.trace_id, 16, text);
            fields[count++] = bp_field_str("trace_id", bp_str_n(text, 32));
        }
    }
    return count;
}

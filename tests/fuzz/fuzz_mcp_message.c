/* fuzz_mcp_message.c - one input is a JSON-RPC message, or an array of a header's value and an
 * argument: what is read is one of the three kinds with all its parts, what is not has a code and a
 * sentence; headers decode without harm. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "mcp/headers.h"
#include "mcp/message.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The id goes into the answer as it was read, and comes out the same. */
static void check_id(bp_call *call, bp_str id)
{
    const bp_json *answer = NULL;
    struct reason  why;
    bp_str text = message_error(call, id, MCP_INVALID_REQUEST, BP_STR("no"), (bp_str){ NULL, 0 });

    HOLDS(json_parse(call->arena, text, &answer, &why) == BP_OK);
    HOLDS(bp_str_equal(json_text(call->arena, json_get(answer, BP_STR("id"))),
                       id.len ? id : BP_STR("null")));
}

static void check_message(bp_call *call, const bp_json *json)
{
    struct message      message;
    const char         *why = NULL;
    enum mcp_error_code code = message_read(call, json, &message, &why);

    check_id(call, message.id);
    if (code != MCP_NO_ERROR) {
        HOLDS(why && why[0]);
        return;
    }
    if (message.kind == MESSAGE_RESPONSE) {
        HOLDS(!message.result != !message.error && !message.method.len);
        return;
    }
    HOLDS(message.method.len <= 128 && !message.result && !message.error);
    HOLDS((message.kind == MESSAGE_REQUEST) == (message.id.len > 0));
    HOLDS(!message.params || json_type_of(message.params) == JSON_KIND_OBJECT);
    mcp_abilities_read(json_get(message.meta, BP_STR(MCP_META_CAPABILITIES)));
    mcp_ability_for(message.method, message.params);
}

static void check_header(bp_call *call, bp_str raw, const bp_json *argument)
{
    bp_str value;

    if (!headers_decode(call, raw, &value))
        return;
    HOLDS(value.len <= raw.len);
    if (headers_agree(argument, value) && json_type_of(argument) == JSON_KIND_STRING)
        HOLDS(bp_str_equal(json_as_string(argument), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena   arena;
    bp_call        call = { .arena = &arena };
    const bp_json *json = NULL;
    struct reason  why;

    arena_init(&arena, 64u << 20);
    check_header(&call, bp_str_n((const char *)data, size), NULL);
    if (json_parse(&arena, bp_str_n((const char *)data, size), &json, &why) == BP_OK) {
        check_message(&call, json);
        if (json_type_of(json) == JSON_KIND_ARRAY && json_count(json) == 2)
            check_header(&call, json_as_string(json_at(json, 0)), json_at(json, 1));
        for (size_t i = 0; json_type_of(json) == JSON_KIND_ARRAY && i < json_count(json) && i < 8;
             i++)
            check_message(&call, json_at(json, i));
    }
    arena_free(&arena);
    return 0;
}

/* rounds.c - questions without a stream (MCP 2026-07-28, SEP-2322): the request ends with them, and
 * is sent again.
 *
 * The answers of earlier rounds, and the state that the handler keeps, travel with the client as
 * requestState: sealed under the host's key, and bound to the principal, to the tool and its
 * arguments, and to a time.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "mcp/mcp.h"
#include "mcp/request.h"

enum { SEALED_BYTES_MAX = 1 << 20, LIFETIME_S = 3600 };

/* What a state is good for: nobody else, nothing else. */
static bp_str context_of(bp_mcp *request, bp_str subject)
{
    uint8_t principal[16];
    char    text[33];

    principal_digest(&request->call->principal, principal);
    crypto_hex(principal, sizeof(principal), text);
    // Not BP_FMT for the subject: it holds arguments of any length, and all of them count.
    return arena_format(request->call->arena, "%s\n" BP_FMT "\n%.*s", text,
                        BP_ARG(request->message.method), (int)subject.len, subject.data);
}

/* ---- writing ---- */

/* {"e": expires (s), "a": {answers so far}, "s": the handler's own, in base64} */
static bp_str write_state(bp_mcp *request)
{
    struct bp_buf  buf;
    bp_json_writer w;
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *answer;

    buf_init(&buf, request->call->arena, SEALED_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_integer(&w, "e", clock_wall_ns() / 1000000000 + LIFETIME_S);
    json_key(&w, BP_STR("a"));
    json_begin(&w, JSON_KIND_OBJECT);
    while (json_entry(request->kept, &cursor, &key, &answer)) {
        if (json_get(request->given, key))
            continue;
        json_key(&w, key);
        json_add_value(&w, answer);
    }
    for (cursor = 0; json_entry(request->given, &cursor, &key, &answer);) {
        json_key(&w, key);
        json_add_value(&w, answer);
    }
    json_end(&w);
    json_key(&w, BP_STR("s"));
    json_add_base64(&w, request->next_state.len ? request->next_state : request->state);
    json_end(&w);
    return buf_str(&buf); // empty: it has no room
}

/* Empty: there is no room or no memory for it, or for its context. */
static bp_str seal_state(bp_mcp *request, bp_str subject)
{
    bp_str   plain = write_state(request);
    uint8_t *sealed = arena_alloc(request->call->arena, plain.len + CRYPTO_SEAL_BYTES);
    char    *text = arena_alloc(request->call->arena,
                                crypto_base64_size(plain.len + CRYPTO_SEAL_BYTES));

    bp_str context = context_of(request, subject);

    if (!plain.len || arena_is_short(request->call->arena) ||
        !crypto_seal(request->mcp->kept->seal_key, context, plain, sealed))
        return (bp_str){ NULL, 0 };
    return bp_str_n(text, crypto_base64url(sealed, plain.len + CRYPTO_SEAL_BYTES, text));
}

bp_status rounds_write(bp_mcp *request, bp_str subject)
{
    bp_json_writer *w = &request->w;
    bp_str          state = seal_state(request, subject);

    if (!state.len)
        return call_fail(request->call, BP_NO_MEMORY,
                         "there is no memory for the answers that the client is to carry");
    request_begin(request);
    json_key(w, BP_STR("inputRequests"));
    json_begin(w, JSON_KIND_OBJECT);
    for (size_t i = 0; i < request->wanted_count; i++) {
        const bp_mcp_ask *ask = &request->wanted[i];

        json_key(w, bp_str_of(ask->key));
        json_begin(w, JSON_KIND_OBJECT);
        json_put_text(w, "method", ask->method);
        json_key(w, BP_STR("params"));
        json_add_raw(w, ask->params.len ? ask->params : BP_STR("{}"));
        json_end(w);
    }
    json_end(w);
    json_put_string(w, "requestState", state);
    request_end(request);
    return BP_OK;
}

/* ---- reading ---- */

static bp_status refuse(bp_mcp *request)
{
    if (arena_is_short(request->call->arena))
        return call_fail(request->call, BP_NO_MEMORY,
                         "there is no memory for the answers that the client carries");
    return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                        "requestState is not one that this server gave for this request, or it has "
                        "expired: start again without it");
}

static bp_str unbase64(bp_call *call, bp_str text, size_t (*read)(bp_str text, uint8_t *bytes))
{
    uint8_t *bytes = arena_alloc(call->arena, text.len + 1);
    size_t   len = bytes ? read(text, bytes) : SIZE_MAX;

    return len == SIZE_MAX ? (bp_str){ NULL, 0 } : bp_str_n((const char *)bytes, len);
}

bp_status rounds_read(bp_mcp *request, bp_str subject)
{
    bp_call       *call = request->call;
    const bp_json *given = message_param(request->message.params, BP_STR("inputResponses"));
    const bp_json *state = message_param(request->message.params, BP_STR("requestState")), *json;
    bp_str         sealed, context;
    uint8_t       *plain;
    struct reason  why;

    if (given && json_type_of(given) != JSON_KIND_OBJECT)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                            "inputResponses must be an object");
    request->given = given;
    if (!state)
        return BP_OK;
    if (json_type_of(state) != JSON_KIND_STRING || json_as_string(state).len > SEALED_BYTES_MAX * 2)
        return refuse(request);
    sealed = unbase64(call, json_as_string(state), crypto_unbase64url);
    plain = sealed.len > CRYPTO_SEAL_BYTES ? arena_alloc(call->arena, sealed.len) : NULL;
    context = context_of(request, subject);
    if (!plain || arena_is_short(call->arena) ||
        !crypto_unseal(request->mcp->kept->seal_key, context, sealed, plain))
        return refuse(request);
    if (json_parse(call->arena, bp_str_n((const char *)plain, sealed.len - CRYPTO_SEAL_BYTES),
                   &json, &why) != BP_OK ||
        json_as_integer(json_get(json, BP_STR("e"))) < clock_wall_ns() / 1000000000)
        return refuse(request);
    request->kept = json_get(json, BP_STR("a"));
    request->state = unbase64(call, json_as_string(json_get(json, BP_STR("s"))), crypto_unbase64);
    return arena_is_short(call->arena) ? refuse(request) : BP_OK;
}

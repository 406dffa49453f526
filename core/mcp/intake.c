/* intake.c - reads one message, counts its memory, narrows and frees it; or refuses it, with the
 * ids of waiting requests. */
#include "mcp/intake.h"

#include <stdio.h>

#include "base/str.h"
#include "mcp/message.h"
#include "mcp/peek.h"
#include "mcp/session.h"

enum { TREE_BYTES_MAX = 1 << 30, WORTH_NARROWING_BYTES = 256 << 10, ANSWER_BYTES_MAX = 1 << 20 };

void intake_init(struct intake *intake, struct shares *shares,
                 const uint8_t sender[SHARE_DIGEST_BYTES])
{
    *intake = (struct intake){ .shares = shares };
    arena_init(&intake->text, TREE_BYTES_MAX);
    arena_init(&intake->tree, TREE_BYTES_MAX);
    memcpy(intake->sender, sender, SHARE_DIGEST_BYTES);
}

bp_status intake_read(struct intake *intake, bp_str text, size_t memory_bytes,
                      const bp_json **value, struct reason *why)
{
    bp_status status = json_read_within(&intake->tree, text, memory_bytes, value, why);

    if (status == BP_OK && !intake_count(intake, intake->tree.used_bytes)) {
        reason_set(why,
                   "your messages that are worked at take too much memory already: send it again "
                   "when some have been answered");
        status = BP_LIMIT;
    }
    if (status != BP_OK)
        arena_free(&intake->tree);
    else
        arena_free(&intake->text); // strings of the tree are copies
    return status;
}

bool intake_count(struct intake *intake, size_t bytes)
{
    if (shares_take(intake->shares, intake->sender, bytes) != SHARE_TAKEN)
        return false;
    intake->counted_bytes += bytes;
    return true;
}

void intake_free(struct intake *intake)
{
    arena_free(&intake->text);
    arena_free(&intake->tree);
    shares_give(intake->shares, intake->sender, intake->counted_bytes);
    intake->counted_bytes = 0;
}

void intake_narrow(struct intake *intake, const bp_json **value)
{
    struct intake  narrow;
    const bp_json *copy = NULL;
    struct reason  why;

    if (intake->counted_bytes < WORTH_NARROWING_BYTES)
        return;
    intake_init(&narrow, intake->shares, intake->sender);
    // The copy is of bytes that are counted already, so no bound is asked.
    if (json_parse(&narrow.tree, json_text(&narrow.text, *value), &copy, &why) != BP_OK) {
        intake_free(&narrow);
        return;
    }
    arena_free(&narrow.text);
    intake_free(intake);
    *intake = narrow;
    *value = copy;
    intake_count(intake, intake->tree.used_bytes);
}

/* ---- what cannot be read ---- */

static int32_t code_for(bp_status status, bool has_id)
{
    if (status == BP_INVALID)
        return MCP_PARSE_ERROR;
    if (status == BP_LIMIT || status == BP_NO_MEMORY)
        return MCP_SERVER_ERROR;
    return has_id ? MCP_INVALID_PARAMS_ERROR : MCP_INVALID_REQUEST;
}

/* As JSON that is good; empty: it is none. An integer may be any, since nobody calculates with it.
 */
static bp_str good_id(bp_call *call, const struct peeked *peeked)
{
    bp_str         text = bp_str_n(peeked->id, peeked->id_len);
    const bp_json *value;
    struct reason  why;

    if (text.len && text.data[0] != '"')
        return arena_dup(call->arena, text);
    return json_read(call->arena, text, &value, &why) == BP_OK ? json_text(call->arena, value)
                                                               : (bp_str){ NULL, 0 };
}

static void tell_asker(bp_call *call, struct session_store *sessions, struct session *session,
                       bp_str id, const char *problem)
{
    struct bp_buf  buf;
    bp_json_writer w;
    uint64_t       number;

    if (!session || !str_to_uint(id, &number))
        return;
    buf_init(&buf, call->arena, 4096);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_integer(&w, "code", MCP_INVALID_REQUEST);
    json_put_string(&w, "message",
                    arena_format(call->arena, "its answer cannot be read: %s", problem));
    json_end(&w);
    session_answer(sessions, session, number, true, buf_str(&buf));
}

bp_str intake_refuse(bp_call *call, const struct peek *peek, bp_status status, const char *problem,
                     struct session_store *sessions, struct session *session)
{
    struct bp_buf buf;
    size_t        answered = 0;

    buf_init(&buf, call->arena, ANSWER_BYTES_MAX);
    for (size_t i = 0; i < peek->count; i++) {
        bp_str id = good_id(call, &peek->found[i]);

        if (peek->found[i].kind == PEEKED_ANSWER) {
            tell_asker(call, sessions, session, id, problem);
            continue;
        }
        buf_add(&buf, answered++ ? BP_STR(",") : peek->is_batch ? BP_STR("[") : BP_STR(""));
        buf_add(&buf, message_error(call, id, code_for(status, id.len > 0), bp_str_of(problem),
                                    (bp_str){ NULL, 0 }));
    }
    if (!answered)
        return message_error(call, (bp_str){ NULL, 0 }, code_for(status, false), bp_str_of(problem),
                             (bp_str){ NULL, 0 });
    if (peek->is_batch)
        buf_add(&buf, BP_STR("]"));
    return buf_str(&buf);
}

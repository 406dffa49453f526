/* conversation.c - the session and conversation of a request: found before the questions are
 * written, kept after.
 *
 *      conversation_id given and the caller's own    that one, and its session
 *      session_id given and the caller's own         that session
 *      user_id                                       his oldest session, or a new one
 *      then                                          the newest active conversation of the session, or a new one
 *
 * An id that is unknown, or of another user, is passed over and never an error. Another tenant's is
 * always unknown.
 */
#include "questioning.h"

struct keeping {
    struct dialogue   *dialogue;
    bp_transaction    *transaction;
    int64_t            sequence; /* the last one used */
    struct remembered *stored;
    size_t             stored_count;
    bp_str             now, session_id, conversation_id; /* the ids as the request had them */
};

static bp_status run(bp_call *call, const struct dialogue *dialogue, bp_transaction *transaction,
                     const bp_statement *statement, bp_rows *rows)
{
    return bp_storage_exec(call, dialogue->self->storage, transaction, statement, rows);
}

/* ---- finding ---- */

static bool is_own(const struct dialogue *dialogue, const bp_sql_value *user)
{
    return !dialogue->wanted->user_id.len || user->type == BP_SQL_NULL ||
           bp_str_equal(user->text, dialogue->wanted->user_id);
}

static bp_status find_named_conversation(bp_call *call, struct dialogue *dialogue)
{
    bp_rows rows;

    BP_TRY(
        run(call, dialogue, NULL,
            BP_SQL("SELECT s.user_identifier, c.id, s.id FROM conversations c JOIN user_sessions s "
                   "ON s.id = c.user_session_id WHERE c.tenant = $1 AND c.id = $2",
                   tenant_value(call), bp_sql_text(dialogue->wanted->conversation_id)),
            &rows));
    if (rows.row_count && is_own(dialogue, bp_row(&rows, 0))) {
        dialogue->conversation_id = bp_row(&rows, 0)[1].text;
        dialogue->session_id = bp_row(&rows, 0)[2].text;
    }
    return BP_OK;
}

static bp_status find_session(bp_call *call, struct dialogue *dialogue, bp_transaction *transaction)
{
    bp_rows rows;

    if (dialogue->wanted->session_id.len) {
        BP_TRY(run(call, dialogue, transaction,
                   BP_SQL("SELECT user_identifier, id FROM user_sessions WHERE tenant = $1 AND id "
                          "= $2",
                          tenant_value(call), bp_sql_text(dialogue->wanted->session_id)),
                   &rows));
        if (rows.row_count && is_own(dialogue, bp_row(&rows, 0)))
            dialogue->session_id = bp_row(&rows, 0)[1].text;
    }
    if (dialogue->session_id.len || !dialogue->wanted->user_id.len)
        return BP_OK;
    BP_TRY(run(call, dialogue, transaction,
               BP_SQL("SELECT id FROM user_sessions WHERE tenant = $1 AND user_identifier = $2 "
                      "ORDER BY number LIMIT 1",
                      tenant_value(call), bp_sql_text(dialogue->wanted->user_id)),
               &rows));
    if (rows.row_count)
        dialogue->session_id = bp_row(&rows, 0)[0].text;
    return BP_OK;
}

static bp_status find_newest_conversation(bp_call *call, struct dialogue *dialogue,
                                          bp_transaction *transaction)
{
    bp_rows rows;

    if (!dialogue->session_id.len || dialogue->is_conversation_fresh)
        return BP_OK;
    BP_TRY(run(call, dialogue, transaction,
               BP_SQL("SELECT id FROM conversations WHERE tenant = $1 AND user_session_id = $2 AND "
                      "is_active = 1 ORDER BY number DESC LIMIT 1",
                      tenant_value(call), bp_sql_text(dialogue->session_id)),
               &rows));
    if (rows.row_count)
        dialogue->conversation_id = bp_row(&rows, 0)[0].text;
    return BP_OK;
}

static bp_status find_asked(bp_call *call, struct dialogue *dialogue)
{
    bp_rows rows;

    BP_TRY(
        run(call, dialogue, NULL,
            BP_SQL("SELECT content, (SELECT COUNT(*) FROM messages WHERE conversation_id = $2 AND "
                   "message_type = 'question') FROM messages WHERE tenant = $1 AND conversation_id "
                   "= $2 AND message_type = 'question' ORDER BY sequence_number DESC LIMIT $3",
                   tenant_value(call), bp_sql_text(dialogue->conversation_id),
                   bp_sql_int(ASKED_MAX - ROUNDS_MAX * BATCH_MAX)),
            &rows));
    for (size_t i = rows.row_count; i-- > 0;)
        dialogue->asked[dialogue->asked_count++] = bp_row(&rows, i)[0].text;
    dialogue->questions_stored = rows.row_count ? bp_row(&rows, 0)[1].integer : 0;
    return BP_OK;
}

bp_status dialogue_find(bp_call *call, struct dialogue *dialogue)
{
    bp_str answer = wanted_last_answer(dialogue->wanted);

    if (dialogue->wanted->conversation_id.len)
        BP_TRY(find_named_conversation(call, dialogue));
    if (!dialogue->conversation_id.len) {
        BP_TRY(find_session(call, dialogue, NULL));
        BP_TRY(find_newest_conversation(call, dialogue, NULL));
    }
    if (!dialogue->conversation_id.len)
        return BP_OK;
    BP_TRY(find_asked(call, dialogue));
    if (answer.len)
        memory_similar(call, dialogue, answer);
    return bp_cancelled(call);
}

/* ---- keeping ---- */

static bp_status make_session(bp_call *call, struct keeping *k)
{
    struct dialogue *dialogue = k->dialogue;

    dialogue->session_id = new_uuid(call);
    return run(call, dialogue, k->transaction,
               BP_SQL("INSERT INTO user_sessions (id, tenant, user_identifier, context, is_active, "
                      "created_at, updated_at) VALUES ($1, $2, $3, $4, 1, $5, $5)",
                      bp_sql_text(dialogue->session_id), tenant_value(call),
                      text_or_null(dialogue->wanted->user_id),
                      text_or_null(dialogue->wanted->context), bp_sql_text(k->now)),
               NULL);
}

static bp_status make_conversation(bp_call *call, struct keeping *k)
{
    struct dialogue *dialogue = k->dialogue;
    bp_str           topic = text_cut(dialogue->wanted->context, TOPIC_CHARS);

    dialogue->conversation_id = new_uuid(call);
    return run(call, dialogue, k->transaction,
               BP_SQL("INSERT INTO conversations (id, tenant, user_session_id, topic, is_active, "
                      "created_at, updated_at) VALUES ($1, $2, $3, $4, 1, $5, $5)",
                      bp_sql_text(dialogue->conversation_id), tenant_value(call),
                      bp_sql_text(dialogue->session_id),
                      bp_sql_text(topic.len ? topic : BP_STR("New conversation")),
                      bp_sql_text(k->now)),
               NULL);
}

/* Another request may have made the user's session since it was looked for: there is one for each
 * user. */
static bp_status open_places(bp_call *call, struct keeping *k)
{
    struct dialogue *dialogue = k->dialogue;
    bp_rows          rows;

    if (!dialogue->session_id.len) {
        BP_TRY(find_session(call, dialogue, k->transaction));
        if (dialogue->session_id.len)
            BP_TRY(find_newest_conversation(call, dialogue, k->transaction));
        else
            BP_TRY(make_session(call, k));
    }
    if (!dialogue->conversation_id.len)
        BP_TRY(make_conversation(call, k));
    BP_TRY(
        run(call, dialogue, k->transaction,
            BP_SQL("UPDATE conversations SET updated_at = $3 WHERE tenant = $1 AND id = $2 "
                   "RETURNING id",
                   tenant_value(call), bp_sql_text(dialogue->conversation_id), bp_sql_text(k->now)),
            &rows));
    if (!rows.row_count)
        return bp_fail(call, BP_NOT_FOUND,
                       "the conversation " BP_FMT " was deleted while its questions were written",
                       BP_ARG(dialogue->conversation_id));
    return BP_OK;
}

/* Numbers go on from the last one there now, which may be more than when the questions were
 * written. */
static bp_status renumber(bp_call *call, struct keeping *k)
{
    struct dialogue *dialogue = k->dialogue;
    int64_t          shift;
    bp_rows          rows;

    BP_TRY(
        run(call, dialogue, k->transaction,
            BP_SQL("SELECT COALESCE(SUM(CASE WHEN message_type = 'question' THEN 1 ELSE 0 END), "
                   "0), COALESCE(MAX(sequence_number), 0) FROM messages WHERE conversation_id = $1",
                   bp_sql_text(dialogue->conversation_id)),
            &rows));
    k->sequence = bp_row(&rows, 0)[1].integer;
    shift = bp_row(&rows, 0)[0].integer + 1 - dialogue->batches[0].first_number;
    for (size_t b = 0; b < dialogue->batch_count; b++) {
        dialogue->batches[b].first_number += shift;
        for (size_t i = 0; i < dialogue->batches[b].count; i++)
            dialogue->batches[b].questions[i].number += shift;
    }
    return BP_OK;
}

static bp_status store(bp_call *call, struct keeping *k, const char *type, bp_str content,
                       bp_str metadata, int64_t question_number)
{
    bp_rows rows;

    BP_TRY(run(call, k->dialogue, k->transaction,
               BP_SQL("INSERT INTO messages (id, tenant, conversation_id, message_type, content, "
                      "message_metadata, sequence_number, is_indexed, created_at, updated_at) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8) RETURNING number",
                      bp_sql_text(new_uuid(call)), tenant_value(call),
                      bp_sql_text(k->dialogue->conversation_id), bp_sql_text(bp_str_of(type)),
                      bp_sql_text(content), text_or_null(metadata), bp_sql_int(++k->sequence),
                      bp_sql_text(k->now)),
               &rows));
    k->stored[k->stored_count++] = (struct remembered){
        .number = rows.row_count ? bp_row(&rows, 0)[0].integer : 0,
        .content = content,
        .conversation_id = k->dialogue->conversation_id,
        .type = bp_str_of(type),
        .session_id = k->dialogue->session_id,
        .created_at = k->now,
        .tenant = bp_principal_of(call)->tenant,
        .question_number = question_number
    };
    return BP_OK;
}

static bp_str said_metadata(bp_call *call, const struct said *said)
{
    bp_json_writer *w = bp_json_writer_new(call, 4096);
    bp_str          json = { NULL, 0 };

    bp_json_object(w);
    bp_json_put_string(w, "role", said->role);
    if (said->timestamp.len)
        bp_json_put_string(w, "timestamp", said->timestamp);
    bp_json_end(w);
    if (bp_json_done(call, w, &json) != BP_OK)
        bp_clear_error(call);
    return json;
}

/* Clients send the whole conversation each time. A message that is stored already is known by its
 * text, and by its time if it has one; each stored message stands for one that was sent. */
static bp_status store_said(bp_call *call, struct keeping *k, const char *role, const char *type)
{
    const struct wanted *wanted = k->dialogue->wanted;
    bool                *is_taken;
    bp_rows              rows;

    BP_TRY(run(call, k->dialogue, k->transaction,
               BP_SQL("SELECT content, message_metadata FROM messages WHERE conversation_id = $1 "
                      "AND message_type = $2 ORDER BY sequence_number DESC LIMIT 5000",
                      bp_sql_text(k->dialogue->conversation_id), bp_sql_text(bp_str_of(type))),
               &rows));
    is_taken = BP_NEW_ARRAY(call, bool, rows.row_count + 1);
    if (!is_taken)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < wanted->said_count; i++) {
        const struct said *said = &wanted->said[i];
        bp_str             metadata;
        size_t             at = 0;

        if (!bp_str_is(said->role, role) || !said->content.len)
            continue;
        metadata = said_metadata(call, said);
        for (; at < rows.row_count; at++)
            if (!is_taken[at] && bp_str_equal(bp_row(&rows, at)[0].text, said->content) &&
                (!said->timestamp.len || bp_str_equal(bp_row(&rows, at)[1].text, metadata)))
                break;
        is_taken[at] = true;
        if (at == rows.row_count)
            BP_TRY(store(call, k, type, said->content, metadata, 0));
    }
    return BP_OK;
}

static bp_str question_metadata(bp_call *call, const struct dialogue *dialogue,
                                const struct batch *batch, const struct question *question)
{
    bp_json_writer *w = bp_json_writer_new(call, 262144);
    bp_str          json = { NULL, 0 };

    bp_json_object(w);
    bp_json_put_integer(w, "question_number", question->number);
    bp_json_put_string(w, "question_type",
                       batch->is_follow_up ? BP_STR("follow_up") : BP_STR("initial"));
    bp_json_put_string(w, "importance_explanation", question->importance);
    bp_json_put_string(w, "information_to_look_for", question->look_for);
    bp_json_put_integer(w, "starting_question_number", batch->first_number);
    bp_json_put_string(w, "timestamp", batch->generated_at);
    bp_json_put_bool(w, "fallback_generation", batch->fallback != NULL);
    if (dialogue->wanted->metadata.len) {
        bp_json_key(w, "request_metadata");
        bp_json_add_raw(w, dialogue->wanted->metadata);
    }
    bp_json_end(w);
    if (bp_json_done(call, w, &json) != BP_OK)
        bp_clear_error(call);
    return json;
}

/* What another transaction contradicts is tried again from the ids that the request had. */
static bp_status keep_all(bp_call *call, bp_transaction *transaction, void *arg)
{
    struct keeping  *k = arg;
    struct dialogue *dialogue = k->dialogue;

    k->transaction = transaction;
    k->stored_count = 0;
    dialogue->session_id = k->session_id;
    dialogue->conversation_id = k->conversation_id;
    BP_TRY(open_places(call, k));
    BP_TRY(renumber(call, k));
    BP_TRY(store_said(call, k, "user", "answer"));
    BP_TRY(store_said(call, k, "system", "system"));
    for (size_t b = 0; b < dialogue->batch_count; b++)
        for (size_t i = 0; i < dialogue->batches[b].count; i++) {
            const struct question *question = &dialogue->batches[b].questions[i];

            BP_TRY(store(call, k, "question", question->text,
                         question_metadata(call, dialogue, &dialogue->batches[b], question),
                         question->number));
        }
    return BP_OK;
}

bp_status dialogue_keep(bp_call *call, struct dialogue *dialogue)
{
    struct keeping k = { .dialogue = dialogue,
                         .now = now_text(call),
                         .session_id = dialogue->session_id,
                         .conversation_id = dialogue->conversation_id };
    bp_status      status;

    k.stored = BP_NEW_ARRAY(call, struct remembered,
                            dialogue->wanted->said_count + ROUNDS_MAX * BATCH_MAX);
    if (!k.stored)
        return BP_NO_MEMORY;
    status = bp_storage_transact(call, dialogue->self->storage, keep_all, &k);
    if (status == BP_OK)
        memory_index(call, dialogue->self, k.stored, k.stored_count);
    return status;
}

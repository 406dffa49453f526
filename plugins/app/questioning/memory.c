/* memory.c - messages as points of the vector store, so that earlier messages of a conversation are
 * found by meaning.
 *
 * The row is the truth and is there first; its number is the point's id. When embedder or store are
 * down, the row stays marked and a job makes up for it. A deleted row leaves its number in
 * questioning_garbage until the point is gone, too.
 */
#include "questioning.h"

enum {
    WORDS_BYTES_MAX = 262144,
    CANDIDATES = 16,
    MISSING_MAX = 200,
    SLICE_MAX = 64,
    GARBAGE_MAX = 500
};

static void note_failure(bp_call *call, struct questioning *self, bp_status status,
                         const char *event)
{
    bp_str label = bp_str_of(bp_status_label(status));

    bp_metric_add(self->vector_errors_total, &label, 1, 1);
    bp_log_event(call, BP_LOG_ERROR, event, bp_error_of(call)->message,
                 (bp_field[]){ bp_field_str("error_type", label) }, 1);
    bp_clear_error(call);
}

static bp_str words_of(bp_str content)
{
    return text_cut_bytes(content, WORDS_BYTES_MAX);
}

static bp_status words_of_message(bp_call *call, void *app, uint64_t id, bp_str *words)
{
    struct questioning *self = app;
    bp_rows             rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT content FROM messages WHERE number = $1",
                                  bp_sql_int((int64_t)id)),
                           &rows));
    if (rows.row_count == 0)
        return BP_NOT_FOUND;
    *words = words_of(bp_row(&rows, 0)[0].text);
    return BP_OK;
}

static bp_status make_collection(bp_call *call, struct questioning *self)
{
    struct own_words own = { words_of_message, self, 0 };

    return embedder_make_collection(call, self->embed, self->vector, self->storage,
                                    self->collection, &own, &self->embedder);
}

static bp_status embed(bp_call *call, struct questioning *self, bp_embed_purpose purpose,
                       const bp_str *texts, size_t count, const float **vectors)
{
    bp_embeddings made;

    BP_TRY(bp_embed_texts(call, self->embed, purpose, texts, count, &made));
    if (made.count != count || made.dimensions != self->embedder.info.dimensions)
        return bp_fail(call, BP_UPSTREAM,
                       "embedder \"" BP_FMT "\" gave %zu vectors of %u dimensions for %zu texts",
                       BP_ARG(self->embed->name), made.count, made.dimensions, count);
    *vectors = made.vectors;
    return BP_OK;
}

/* ---- keeping ---- */

static bp_status make_metadata(bp_call *call, const struct remembered *message, bp_str *json)
{
    bp_json_writer *w = bp_json_writer_new(call, 16384);

    bp_json_object(w);
    bp_json_put_string(w, "tenant", message->tenant);
    bp_json_put_string(w, "type", message->type);
    bp_json_put_string(w, "conversation_id", message->conversation_id);
    bp_json_put_string(w, "session_id", message->session_id);
    bp_json_put_string(w, "timestamp", message->created_at);
    if (message->question_number)
        bp_json_put_integer(w, "question_number", message->question_number);
    bp_json_end(w);
    return bp_json_done(call, w, json);
}

/* A row that was changed meanwhile stays marked; one that is gone has its point noted for removal.
 */
static bp_status mark_indexed(bp_call *call, struct questioning *self,
                              const struct remembered *messages, size_t count)
{
    bp_statement *statements = BP_NEW_ARRAY(call, bp_statement, 2 * count);
    bp_sql_value *values = BP_NEW_ARRAY(call, bp_sql_value, 2 * count);

    if (!statements || !values)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        values[2 * i] = bp_sql_int(messages[i].number);
        values[2 * i + 1] = bp_sql_text(messages[i].content);
        statements[2 * i] = (bp_statement){ .struct_size = sizeof(bp_statement),
                                            .parameter_count = 2,
                                            .parameters = &values[2 * i],
                                            .sql = BP_STR("UPDATE messages SET is_indexed = 1 "
                                                          "WHERE number = $1 AND content = $2") };
        statements[2 * i + 1] = (bp_statement){
            .struct_size = sizeof(bp_statement),
            .parameter_count = 1,
            .parameters = &values[2 * i],
            .sql = BP_STR(
                "INSERT INTO questioning_garbage (number) SELECT n.number FROM (SELECT CAST($1 AS "
                "BIGINT) AS number) n WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.number = "
                "n.number) ON CONFLICT (number) DO NOTHING")
        };
    }
    return bp_storage_batch(call, self->storage, statements, 2 * count, NULL);
}

static bp_status index_slice(bp_call *call, struct questioning *self,
                             const struct remembered *messages, size_t count)
{
    bp_point     points[SLICE_MAX];
    bp_str       texts[SLICE_MAX] = { { NULL, 0 } };
    const float *vectors = NULL;

    for (size_t i = 0; i < count; i++)
        texts[i] = words_of(messages[i].content);
    BP_TRY(embed(call, self, BP_EMBED_PASSAGE, texts, count, &vectors));
    for (size_t i = 0; i < count; i++) {
        const float *vector = vectors + i * self->embedder.info.dimensions;

        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = (uint64_t)messages[i].number,
                                .words = texts[i],
                                .vector = embedder_is_zero(vector, self->embedder.info.dimensions)
                                              ? NULL
                                              : vector };
        BP_TRY(make_metadata(call, &messages[i], &points[i].metadata));
    }
    BP_TRY(
        embedder_learn_from(&self->embedder,
                            bp_vector_upsert(call, self->vector,
                                             embedder_collection(&self->embedder), points, count)));
    return mark_indexed(call, self, messages, count);
}

static bp_status index_all(bp_call *call, struct questioning *self,
                           const struct remembered *messages, size_t count)
{
    BP_TRY(make_collection(call, self));
    for (size_t done = 0; done < count;) {
        size_t most = self->embedder.info.max_batch < SLICE_MAX ? self->embedder.info.max_batch
                                                                : SLICE_MAX;
        size_t slice = count - done < most ? count - done : most;

        BP_TRY(index_slice(call, self, messages + done, slice));
        done += slice;
    }
    return BP_OK;
}

void memory_index(bp_call *call, struct questioning *self, const struct remembered *messages,
                  size_t count)
{
    bp_status status = self->vector && count ? index_all(call, self, messages, count) : BP_OK;

    if (status != BP_OK)
        note_failure(call, self, status, "messages_not_indexed");
}

/* ---- finding ---- */

static bp_status search(bp_call *call, struct dialogue *dialogue, bp_str text, uint64_t *numbers,
                        size_t *count)
{
    struct questioning *self = dialogue->self;
    const bp_value values[2] = { { .type = BP_VALUE_STRING, .text = bp_principal_of(call)->tenant },
                                 { .type = BP_VALUE_STRING, .text = dialogue->conversation_id } };
    const bp_filter  tenant = { .struct_size = sizeof(tenant),
                                .op = BP_FILTER_IN,
                                .field = BP_STR("tenant"),
                                .values = &values[0],
                                .value_count = 1 };
    const bp_filter  conversation = { .struct_size = sizeof(conversation),
                                      .op = BP_FILTER_IN,
                                      .field = BP_STR("conversation_id"),
                                      .values = &values[1],
                                      .value_count = 1 };
    const bp_filter *children[2] = { &tenant, &conversation };
    const bp_filter  both = {
         .struct_size = sizeof(both), .op = BP_FILTER_AND, .children = children, .child_count = 2
    };
    bp_vector_query query = { .struct_size = sizeof(query), .filter = &both, .limit = CANDIDATES };
    const float    *vector = NULL;
    bp_leg          by_vector, by_words;

    BP_TRY(make_collection(call, self));
    BP_TRY(embed(call, self, BP_EMBED_QUERY, &text, 1, &vector));
    query.collection = embedder_collection(&self->embedder);
    query.dimensions = self->embedder.info.dimensions;
    query.vector = embedder_is_zero(vector, query.dimensions) ? NULL : vector;
    query.words = self->embedder.info.is_lexical ? text : BP_STR("");
    if (!query.vector && !query.words.len)
        return BP_OK;
    BP_TRY(embedder_learn_from(&self->embedder, bp_vector_search(call, self->vector, &query,
                                                                 &by_vector, &by_words)));
    // Words first where the embedder knows no meaning; the other leg then fills up.
    for (size_t i = 0; i < by_words.hit_count && *count < CANDIDATES; i++)
        numbers[(*count)++] = by_words.hits[i].id;
    for (size_t i = 0;
         i < by_vector.hit_count && *count < 2 * CANDIDATES && by_vector.hits[i].score > 0; i++)
        numbers[(*count)++] = by_vector.hits[i].id;
    return BP_OK;
}

static bool is_new(const struct dialogue *dialogue, bp_str content)
{
    for (size_t i = 0; i < dialogue->similar_count; i++)
        if (bp_str_equal(dialogue->similar[i], content))
            return false;
    return true;
}

/* The text itself, sent once more, says nothing new. */
static bp_status take_similar(bp_call *call, struct dialogue *dialogue, bp_str text,
                              const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count && dialogue->similar_count < (size_t)dialogue->self->similar;
         i++) {
        bp_rows rows;

        BP_TRY(bp_storage_exec(call, dialogue->self->storage, NULL,
                               BP_SQL("SELECT content FROM messages WHERE number = $1 AND tenant = "
                                      "$2 AND conversation_id = $3",
                                      bp_sql_int((int64_t)numbers[i]), tenant_value(call),
                                      bp_sql_text(dialogue->conversation_id)),
                               &rows));
        if (rows.row_count && !bp_str_equal(bp_row(&rows, 0)[0].text, text) &&
            is_new(dialogue, bp_row(&rows, 0)[0].text))
            dialogue->similar[dialogue->similar_count++] = bp_row(&rows, 0)[0].text;
    }
    return BP_OK;
}

void memory_similar(bp_call *call, struct dialogue *dialogue, bp_str text)
{
    uint64_t  numbers[2 * CANDIDATES];
    size_t    count = 0;
    bp_status status;

    if (!dialogue->self->vector || dialogue->self->similar == 0)
        return;
    status = search(call, dialogue, text_cut_bytes(text, WORDS_BYTES_MAX), numbers, &count);
    if (status == BP_OK)
        status = take_similar(call, dialogue, text, numbers, count);
    if (status != BP_OK)
        note_failure(call, dialogue->self, status, "search_failed");
}

/* ---- what nobody waits for ---- */

static bp_status index_missing(bp_call *call, struct questioning *self)
{
    struct remembered *messages;
    bp_rows            rows;

    BP_TRY(
        bp_storage_exec(call, self->storage, NULL,
                        BP_SQL("SELECT m.number, m.content, m.conversation_id, m.message_type, "
                               "c.user_session_id, m.created_at, m.tenant, m.message_metadata FROM "
                               "messages m JOIN conversations c ON c.id = m.conversation_id WHERE "
                               "m.is_indexed = 0 ORDER BY m.number LIMIT $1",
                               bp_sql_int(MISSING_MAX)),
                        &rows));
    messages = BP_NEW_ARRAY(call, struct remembered, rows.row_count + 1);
    if (!messages || rows.row_count == 0)
        return messages ? BP_OK : BP_NO_MEMORY;
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);
        const bp_json      *metadata = NULL;

        if (row[7].type == BP_SQL_TEXT && bp_json_parse(call, row[7].text, &metadata) != BP_OK)
            bp_clear_error(call);
        messages[i] = (struct remembered){ .number = row[0].integer,
                                           .content = row[1].text,
                                           .conversation_id = row[2].text,
                                           .type = row[3].text,
                                           .session_id = row[4].text,
                                           .created_at = row[5].text,
                                           .tenant = row[6].text,
                                           .question_number = bp_json_integer(
                                               bp_json_get(metadata, "question_number")) };
    }
    memory_index(call, self, messages, rows.row_count);
    return BP_OK;
}

/* The numbers that were read and no others: more may come in between. */
static bp_status forget_garbage(bp_call *call, struct questioning *self, const uint64_t *numbers,
                                size_t count)
{
    bp_statement *statements = BP_NEW_ARRAY(call, bp_statement, count);
    bp_sql_value *values = BP_NEW_ARRAY(call, bp_sql_value, count);

    if (!statements || !values)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        values[i] = bp_sql_int((int64_t)numbers[i]);
        statements[i] = (bp_statement){ .struct_size = sizeof(bp_statement),
                                        .parameter_count = 1,
                                        .parameters = &values[i],
                                        .sql = BP_STR(
                                            "DELETE FROM questioning_garbage WHERE number = $1") };
    }
    return bp_storage_batch(call, self->storage, statements, count, NULL);
}

static bp_status drop_some(bp_call *call, struct questioning *self, size_t *count)
{
    uint64_t numbers[GARBAGE_MAX];
    bp_rows  rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT number FROM questioning_garbage ORDER BY number LIMIT $1",
                                  bp_sql_int(GARBAGE_MAX)),
                           &rows));
    *count = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++)
        numbers[i] = (uint64_t)bp_row(&rows, i)[0].integer;
    if (*count == 0)
        return BP_OK;
    if (self->vector) {
        BP_TRY(make_collection(call, self));
        BP_TRY(
            embedder_learn_from(&self->embedder, bp_vector_of(self->vector)
                                                     ->remove(call, self->vector->instance,
                                                              embedder_collection(&self->embedder),
                                                              numbers, *count, NULL, NULL)));
    }
    return forget_garbage(call, self, numbers, *count);
}

bp_status memory_drop_garbage(bp_call *call, struct questioning *self)
{
    size_t count = GARBAGE_MAX;

    while (count == GARBAGE_MAX)
        BP_TRY(drop_some(call, self, &count));
    return BP_OK;
}

/* Fewer points than messages that were indexed: the store, or a part of it, was lost. */
static bp_status notice_loss(bp_call *call, struct questioning *self)
{
    uint64_t count = 0;
    bp_rows  rows;

    if (!embedder_is_due(&self->embedder))
        return BP_OK;
    BP_TRY(make_collection(call, self));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("SELECT COUNT(*) FROM messages WHERE is_indexed = 1"), &rows));
    BP_TRY(embedder_learn_from(&self->embedder,
                               bp_vector_of(self->vector)
                                   ->count(call, self->vector->instance,
                                           embedder_collection(&self->embedder), NULL, &count)));
    if (rows.row_count == 0 || bp_row(&rows, 0)[0].integer <= (int64_t)count)
        return BP_OK;
    bp_log(call, BP_LOG_WARN,
           "the collection " BP_FMT " of vector store \"" BP_FMT
           "\" has %llu of the %lld messages that were indexed: they are being indexed again",
           BP_ARG(embedder_collection(&self->embedder)), BP_ARG(self->vector->name),
           (unsigned long long)count, (long long)bp_row(&rows, 0)[0].integer);
    return bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("UPDATE messages SET is_indexed = 0 WHERE is_indexed = 1"),
                           NULL);
}

bp_status memory_keep_up(bp_call *call, void *instance)
{
    struct questioning *self = instance;
    bp_status           dropped = memory_drop_garbage(call, self);

    if (dropped != BP_OK)
        note_failure(call, self, dropped, "points_not_removed");
    if (!self->vector)
        return BP_OK;
    BP_TRY(notice_loss(call, self));
    return index_missing(call, self);
}

/* memories.c - everything worth finding again, as a row and as a point of the vector store.
 *
 * The row is the truth and is written first; the point carries tenant, type and tags, so that a
 * search is filtered by the store and never afterwards. When embedder or store fail, the row stays
 * marked and a job makes up for it.
 */
#include "journal.h"

#include <math.h>
#include <stdlib.h>

enum { INDEXED_NEVER = 2, FOUND_MAX = 50, MISSING_MAX = 100, WORDS_BYTES_MAX = 1 << 20 };

#define LEXICAL_WORDS_WEIGHT 0.7 /* of an embedder that knows no meaning */

static bp_str words_of(bp_str content)
{
    return text_cut(content, WORDS_BYTES_MAX / 4);
}

static bp_status words_of_memory(bp_call *call, void *app, uint64_t id, bp_str *words)
{
    struct journal *self = app;
    bp_rows         rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT content FROM journal_memories WHERE number = $1",
                         bp_sql_int((int64_t)id)),
                  &rows));
    if (rows.row_count == 0)
        return BP_NOT_FOUND;
    *words = words_of(bp_row(&rows, 0)[0].text);
    return BP_OK;
}

static bp_status make_collection(bp_call *call, struct journal *self)
{
    struct own_words own = { words_of_memory, self, 0 };

    return embedder_make_collection(call, self->embed, self->vector, self->storage,
                                    self->collection, &own, &self->embedder);
}

static bp_status embed_one(bp_call *call, struct journal *self, bp_embed_purpose purpose,
                           bp_str text, const float **vector)
{
    int64_t       started_ns = bp_now_ns();
    bp_embeddings made;
    bp_status     status = bp_embed_texts(call, self->embed, purpose, &text, 1, &made);

    if (status == BP_OK && (made.count != 1 || made.dimensions != self->embedder.info.dimensions))
        status = bp_fail(call, BP_UPSTREAM,
                         "embedder \"" BP_FMT "\" gave %zu vectors of %u dimensions for one text",
                         BP_ARG(self->embed->name), made.count, made.dimensions);
    metric_time(self, EMBEDDING_SECONDS, NULL, started_ns);
    metric_count(self, EMBEDDINGS_TOTAL, status == BP_OK ? "success" : "failed", NULL, 1);
    if (status == BP_OK)
        *vector = made.vectors;
    return status;
}

/* ---- keeping ---- */

static bp_status make_metadata(bp_call *call, const struct memory *memory, bp_str tenant,
                               bp_str *json)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);

    bp_json_object(w);
    bp_json_put_string(w, "tenant", tenant);
    bp_json_put_string(w, "type", memory->type);
    put_json(w, "tags", memory->tags);
    bp_json_end(w);
    return bp_json_done(call, w, json);
}

/* Makes the row's point. When the row was changed meanwhile it stays marked, and is done again. */
static bp_status index_memory(bp_call *call, struct journal *self, const struct memory *memory,
                              bp_str tenant)
{
    bp_point     point = { .struct_size = sizeof(point), .id = (uint64_t)memory->number };
    const float *vector = NULL;
    bp_rows      rows;

    BP_TRY(make_collection(call, self));
    BP_TRY(embed_one(call, self, BP_EMBED_PASSAGE, memory->content, &vector));
    BP_TRY(make_metadata(call, memory, tenant, &point.metadata));
    point.words = words_of(memory->content);
    point.vector = embedder_is_zero(vector, self->embedder.info.dimensions) ? NULL : vector;
    BP_TRY(embedder_learn_from(&self->embedder,
                               bp_vector_upsert(call, self->vector,
                                                embedder_collection(&self->embedder), &point, 1)));
    BP_TRY(db_run(call, self,
                  BP_SQL("UPDATE journal_memories SET is_indexed = CASE WHEN content = $2 AND tags "
                         "= $3 THEN 1 ELSE 0 END WHERE number = $1",
                         bp_sql_int(memory->number), bp_sql_text(memory->content),
                         bp_sql_text(memory->tags)),
                  &rows));
    return BP_OK;
}

static void note_failure(bp_call *call, struct journal *self, bp_status status, const char *event)
{
    metric_count(self, VECTOR_ERRORS_TOTAL, error_type_of(status, "vector_store"), NULL, 1);
    bp_log_event(call, BP_LOG_ERROR, event, bp_error_of(call)->message,
                 (bp_field[]){
                     bp_field_str("error_type", bp_str_of(error_type_of(status, "vector_store"))) },
                 1);
    bp_clear_error(call);
}

bp_status memory_keep(bp_call *call, struct journal *self, bp_str ref, const char *type,
                      bp_str content, bp_str tags)
{
    struct memory memory = {
        .ref = ref, .type = bp_str_of(type), .content = content, .tags = tags
    };
    bp_status status;
    bp_rows   rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("INSERT INTO journal_memories (tenant, ref, content_type, content, tags, "
                         "is_indexed, created_at) VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT "
                         "(tenant, ref) DO UPDATE SET content = excluded.content, tags = "
                         "excluded.tags, is_indexed = 0 RETURNING number",
                         tenant_value(call), bp_sql_text(ref), bp_sql_text(memory.type),
                         bp_sql_text(content), bp_sql_text(tags),
                         bp_sql_text(time_text(call, time_now()))),
                  &rows));
    memory.number = rows.row_count ? bp_row(&rows, 0)[0].integer : 0;
    status = index_memory(call, self, &memory, bp_principal_of(call)->tenant);
    if (status != BP_OK)
        note_failure(call, self, status, "memory_not_indexed");
    return BP_OK;
}

bp_status memories_index_missing(bp_call *call, struct journal *self)
{
    bp_rows rows, rows_changed;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT number, content_type, content, tags, tenant FROM journal_memories "
                         "WHERE is_indexed = 0 ORDER BY number LIMIT $1",
                         bp_sql_int(MISSING_MAX)),
                  &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);
        struct memory       memory = { .number = row[0].integer,
                                       .type = row[1].text,
                                       .content = row[2].text,
                                       .tags = row[3].text };
        bp_status           status = index_memory(call, self, &memory, row[4].text);

        bool is_refused = status == BP_INVALID || status == BP_TOO_LARGE;

        if (status == BP_OK)
            continue;
        note_failure(call, self, status, "memory_not_indexed");
        if (!is_refused)
            break; // whatever is down is down for the next one, too
        // This one is not wanted, however often it is tried, and must not stand before the others.
        BP_TRY(db_run(call, self,
                      BP_SQL("UPDATE journal_memories SET is_indexed = $2 WHERE number = $1",
                             bp_sql_int(memory.number), bp_sql_int(INDEXED_NEVER)),
                      &rows_changed));
    }
    return BP_OK;
}

bp_status memories_count(bp_call *call, struct journal *self)
{
    uint64_t count = 0;
    bp_rows  rows;

    bool is_compared = embedder_is_due(&self->embedder);

    BP_TRY(make_collection(call, self));
    if (is_compared)
        BP_TRY(db_run(call, self,
                      BP_SQL0("SELECT COUNT(*) FROM journal_memories WHERE is_indexed = 1"),
                      &rows));
    BP_TRY(embedder_learn_from(&self->embedder,
                               bp_vector_of(self->vector)
                                   ->count(call, self->vector->instance,
                                           embedder_collection(&self->embedder), NULL, &count)));
    metric_count(self, MEMORY_COUNT, NULL, NULL, (double)count);
    if (!is_compared || rows.row_count == 0 || bp_row(&rows, 0)[0].integer <= (int64_t)count)
        return BP_OK;
    bp_log(call, BP_LOG_WARN,
           "the collection " BP_FMT " of vector store \"" BP_FMT
           "\" has %llu of the %lld memories that were indexed: they are being indexed again",
           BP_ARG(embedder_collection(&self->embedder)), BP_ARG(self->vector->name),
           (unsigned long long)count, (long long)bp_row(&rows, 0)[0].integer);
    return db_run(call, self,
                  BP_SQL0("UPDATE journal_memories SET is_indexed = 0 WHERE is_indexed = 1"),
                  &rows);
}

/* ---- searching ---- */

/* field IN (members of the list); NULL when there are none. */
static const bp_filter *filter_in(bp_call *call, const char *field, const bp_json *list)
{
    bp_filter *filter = BP_NEW(call, bp_filter);
    bp_value  *values = BP_NEW_ARRAY(call, bp_value, bp_json_count(list) + 1);

    if (!filter || !values || bp_json_count(list) == 0)
        return NULL;
    for (size_t i = 0; i < bp_json_count(list); i++)
        values[i] = (bp_value){ .type = BP_VALUE_STRING,
                                .text = bp_json_string(bp_json_at(list, i)) };
    *filter = (bp_filter){ .struct_size = sizeof(*filter),
                           .op = BP_FILTER_IN,
                           .field = bp_str_of(field),
                           .values = values,
                           .value_count = bp_json_count(list) };
    return filter;
}

static const bp_filter *make_filter(bp_call *call, const bp_json *types, const bp_json *tags)
{
    const bp_filter **children = BP_NEW_ARRAY(call, const bp_filter *, 3);
    bp_filter        *both = BP_NEW(call, bp_filter), *tenant = BP_NEW(call, bp_filter);
    bp_value         *value = BP_NEW(call, bp_value);
    size_t            count = 1;

    if (!children || !both || !tenant || !value)
        return NULL;
    *value = (bp_value){ .type = BP_VALUE_STRING, .text = bp_principal_of(call)->tenant };
    *tenant = (bp_filter){ .struct_size = sizeof(*tenant),
                           .op = BP_FILTER_IN,
                           .field = BP_STR("tenant"),
                           .values = value,
                           .value_count = 1 };
    children[0] = tenant;
    if ((children[count] = filter_in(call, "type", types)) != NULL)
        count++;
    if ((children[count] = filter_in(call, "tags", tags)) != NULL)
        count++;
    *both = (bp_filter){ .struct_size = sizeof(*both),
                         .op = BP_FILTER_AND,
                         .children = children,
                         .child_count = count };
    return both;
}

/* Both legs as one list of numbers with scores from 0 to 1. By meaning alone where the embedder
 * knows one; else words count more. */
static size_t fuse(const struct journal *self, const bp_leg *vectors, const bp_leg *words,
                   struct memory *found, size_t most)
{
    double weight = self->embedder.info.is_lexical ? LEXICAL_WORDS_WEIGHT : 0,
           best = words->hit_count ? words->hits[0].score : 0;
    size_t count = 0;

    for (size_t i = 0; i < vectors->hit_count && count < most; i++)
        found[count++] = (struct memory){ .number = (int64_t)vectors->hits[i].id,
                                          .score = (1 - weight) * fmax(0, vectors->hits[i].score) };
    for (size_t i = 0; i < words->hit_count && weight > 0 && best > 0; i++) {
        size_t at = 0;

        while (at < count && found[at].number != (int64_t)words->hits[i].id)
            at++;
        if (at == count && count < most)
            found[count++] = (struct memory){ .number = (int64_t)words->hits[i].id };
        if (at < count)
            found[at].score += weight * words->hits[i].score / best;
    }
    return count;
}

static int by_score(const void *a, const void *b)
{
    const struct memory *left = a, *right = b;

    if (left->score != right->score)
        return left->score < right->score ? 1 : -1;
    return (left->number > right->number) - (left->number < right->number);
}

/* What the rows say; a point without one is left out. */
static bp_status take_rows(bp_call *call, struct journal *self, struct memory *found, size_t *count)
{
    bp_buf       *sql = bp_buf_new(call, 4096);
    bp_sql_value *values = BP_NEW_ARRAY(call, bp_sql_value, *count + 1);
    bp_statement  statement = { .struct_size = sizeof(statement), .parameters = values };
    size_t        kept = 0;
    bp_rows       rows;

    if (!values)
        return BP_NO_MEMORY;
    bp_buf_add(sql, BP_STR("SELECT number, ref, content_type, content, tags, created_at FROM "
                           "journal_memories WHERE tenant = $1 AND number IN ("));
    values[0] = tenant_value(call);
    for (size_t i = 0; i < *count; i++) {
        bp_buf_addf(sql, "%s$%zu", i ? ", " : "", i + 2);
        values[i + 1] = bp_sql_int(found[i].number);
    }
    bp_buf_add(sql, BP_STR(")"));
    statement.sql = bp_buf_str(sql);
    statement.parameter_count = (uint32_t)*count + 1;
    BP_TRY(db_run(call, self, &statement, &rows));
    for (size_t i = 0; i < *count; i++) {
        for (size_t r = 0; r < rows.row_count; r++) {
            const bp_sql_value *row = bp_row(&rows, r);

            if (row[0].integer != found[i].number)
                continue;
            found[kept++] = (struct memory){ .number = row[0].integer,
                                             .score = found[i].score,
                                             .ref = row[1].text,
                                             .type = row[2].text,
                                             .content = row[3].text,
                                             .tags = row[4].text,
                                             .created_at = row[5].text };
            break;
        }
    }
    *count = kept;
    return BP_OK;
}

static bp_status search(bp_call *call, struct journal *self, bp_str text, uint32_t limit,
                        const bp_filter *filter, struct memory **found, size_t *count)
{
    bp_vector_query query = { .struct_size = sizeof(query),
                              .filter = filter,
                              .limit = 2 * FOUND_MAX };
    const float    *vector;
    bp_leg          by_vector, by_words;

    BP_TRY(make_collection(call, self));
    BP_TRY(embed_one(call, self, BP_EMBED_QUERY, text, &vector));
    query.collection = embedder_collection(&self->embedder);
    query.dimensions = self->embedder.info.dimensions;
    query.vector = embedder_is_zero(vector, query.dimensions) ? NULL : vector;
    query.words = self->embedder.info.is_lexical ? text : BP_STR("");
    *found = BP_NEW_ARRAY(call, struct memory, 4 * FOUND_MAX);
    if (!*found)
        return BP_NO_MEMORY;
    BP_TRY(embedder_learn_from(&self->embedder, bp_vector_search(call, self->vector, &query,
                                                                 &by_vector, &by_words)));
    *count = fuse(self, &by_vector, &by_words, *found, 4 * FOUND_MAX);
    qsort(*found, *count, sizeof(**found), by_score);
    if (*count > limit)
        *count = limit;
    return *count ? take_rows(call, self, *found, count) : BP_OK;
}

bp_status memory_search(bp_call *call, struct journal *self, bp_str query, uint32_t limit,
                        const bp_json *types, const bp_json *tags, struct memory **found,
                        size_t *count)
{
    int64_t          started_ns = bp_now_ns();
    const bp_filter *filter = make_filter(call, types, tags);
    bp_status        status;

    *count = 0;
    status = filter ? search(call, self, query, limit, filter, found, count) : BP_NO_MEMORY;
    metric_time(self, SEARCH_SECONDS, NULL, started_ns);
    metric_count(self, SEARCHES_TOTAL, status == BP_OK ? "success" : "failed", NULL, 1);
    if (status == BP_OK)
        metric_count(self, SEARCH_RESULTS, NULL, NULL, (double)*count);
    else
        metric_count(self, VECTOR_ERRORS_TOTAL, error_type_of(status, "vector_store"), NULL, 1);
    return status;
}

/* ---- tools ---- */

bp_status tool_search_memory(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    struct memory  *found = NULL;
    size_t          count = 0;
    struct wanted   wanted;
    bp_str          query;

    BP_TRY(bp_params_read(call, &search_params, arguments, &wanted));
    query = text_trim(wanted.query);
    if (!query.len)
        return answer_refused(call, mcp, "query is required", NULL);
    if (wanted.limit < 1 || wanted.limit > FOUND_MAX)
        return answer_refused(call, mcp, "limit must be from 1 to 50", NULL);
    session_touch(call, self);
    BP_TRY(memory_search(call, self, query, (uint32_t)wanted.limit, wanted.content_types,
                         wanted.tags, &found, &count));
    bp_json_object(w);
    bp_json_put_bool(w, "success", true);
    bp_json_key(w, "data");
    bp_json_array(w);
    for (size_t i = 0; i < count; i++) {
        bp_json_object(w);
        bp_json_put_string(w, "id", found[i].ref);
        bp_json_put_string(w, "content", found[i].content);
        bp_json_key(w, "metadata");
        bp_json_object(w);
        bp_json_put_string(w, "content_type", found[i].type);
        put_json(w, "tags", found[i].tags);
        bp_json_put_string(w, "created_at", found[i].created_at);
        bp_json_end(w);
        bp_json_put_number(w, "distance", 1 - found[i].score);
        bp_json_put_number(w, "score", found[i].score);
        bp_json_end(w);
    }
    bp_json_end(w);
    bp_json_end(w);
    return answer_json(call, mcp, w);
}

bp_status tool_add_memory_note(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_str          content, tags, id = new_id(call);
    const char     *problem = NULL;
    struct wanted   wanted;

    BP_TRY(bp_params_read(call, &note_params, arguments, &wanted));
    content = text_trim(wanted.content);
    if (!text_check(call, content, "content", 1, NOTES_CHARS_MAX, &problem) ||
        !list_read(call, wanted.tags, "tags", LIST_MAX, TAG_CHARS_MAX, &tags, &problem))
        return answer_refused(call, mcp, problem, NULL);
    session_touch(call, self);
    BP_TRY(memory_keep(call, self, bp_format(call, "memory_" BP_FMT, BP_ARG(id)), "note", content,
                       tags));
    return answer_done(call, mcp, bp_format(call, "Memory note added: " BP_FMT, BP_ARG(id)));
}

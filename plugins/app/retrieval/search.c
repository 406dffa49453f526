/* search.c - hybrid search: the words and the vectors of one store, their lists fused into one.
 *
 * Scores of the two legs have nothing in common, so each is stretched to 0..1 over its own list
 * (min-max) and the two are added by weight; or, with "rrf", only the ranks count: 1 / (60 + rank).
 * With an embedder that calls shared words near, the vectors are a weak second opinion and
 * weigh little; with one that knows meaning they weigh half.
 */
#include <math.h>
#include <stdlib.h>

#include "retrieval.h"

enum { HALF_BUILT_SHARE = 10, OFFSET_MAX = 1000, RRF_K = 60, ROWS_AT_ONCE = 60 };

static const double lexical_words_weight = 0.9, semantic_words_weight = 0.5;

struct fused {
    uint64_t id;
    double   score, words_score, vector_score;
};

/* ---- fusing ---- */

static double stretched(const bp_leg *leg, uint32_t place)
{
    double high = leg->hits[0].score, low = leg->hits[leg->hit_count - 1].score;

    if (leg->hit_count < 2 || high <= low)
        return 1;
    return (leg->hits[place].score - low) / (high - low);
}

static double share_of(const bp_leg *leg, uint32_t place, int32_t fusion)
{
    if (fusion == FUSION_RRF || leg->is_rank_only)
        return (double)(RRF_K + 1) / (double)(RRF_K + 1 + place);
    return stretched(leg, place);
}

static int by_id(const void *a, const void *b)
{
    const struct fused *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_score(const void *a, const void *b)
{
    const struct fused *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return by_id(a, b); // so that pages are stable
}

static void add_leg(struct fused *list, size_t *count, const bp_leg *leg, double weight,
                    int32_t fusion, bool is_words)
{
    for (uint32_t i = 0; i < leg->hit_count; i++)
        list[(*count)++] = (struct fused){ .id = leg->hits[i].id,
                                           .score = weight * share_of(leg, i, fusion),
                                           .words_score = is_words ? leg->hits[i].score : NAN,
                                           .vector_score = is_words ? NAN : leg->hits[i].score };
}

/* What both legs found stands twice in a row once the list is sorted by id. */
static size_t merge(struct fused *list, size_t count)
{
    size_t kept = 0;

    qsort(list, count, sizeof(*list), by_id);
    for (size_t i = 0; i < count; i++) {
        if (kept && list[kept - 1].id == list[i].id) {
            struct fused *one = &list[kept - 1];

            one->score += list[i].score;
            if (isnan(one->words_score))
                one->words_score = list[i].words_score;
            if (isnan(one->vector_score))
                one->vector_score = list[i].vector_score;
        } else {
            list[kept++] = list[i];
        }
    }
    qsort(list, kept, sizeof(*list), by_score);
    return kept;
}

static double words_weight(const struct retrieval *self, const struct search_query *query)
{
    if (query->mode != SEARCH_HYBRID)
        return query->mode == SEARCH_WORDS ? 1 : 0;
    if (query->words_weight >= 0)
        return query->words_weight;
    if (self->words_weight >= 0)
        return self->words_weight;
    return self->embedder.info.is_lexical ? lexical_words_weight : semantic_words_weight;
}

/* ---- asking ---- */

/* The client hears which peer is away, the operator why. */
static void note_degraded(bp_call *call, const bp_peer *peer)
{
    bp_log_event(call, BP_LOG_WARN, "search_degraded", bp_error_of(call)->message,
                 (bp_field[]){ bp_field_str("instance", peer->name) }, 1);
    bp_clear_error(call);
}

/* The query's vector, unless the text has no direction; a hybrid search can do without when the
 * embedder is away. */
static bp_status embed_query(bp_call *call, struct retrieval *self,
                             const struct search_query *query, bp_vector_query *ask,
                             bp_str *degraded)
{
    bp_embeddings made = { .dimensions = 0 };
    bp_status     status = embedder_learn(call, self->embed, &self->embedder);

    if (status == BP_OK)
        status = bp_embed_texts(call, self->embed, BP_EMBED_QUERY, &query->text, 1, &made);
    if (status != BP_OK && (query->mode == SEARCH_VECTOR || self->when_down != WHEN_DOWN_DEGRADE ||
                            !away_is(call, status)))
        return status;
    if (status != BP_OK) {
        *degraded = bp_format(call,
                              "the embedder \"" BP_FMT
                              "\" cannot be reached: these passages were found by their words "
                              "alone",
                              BP_ARG(self->embed->name));
        note_degraded(call, self->embed);
    }
    for (uint32_t d = 0; status == BP_OK && d < made.dimensions && !ask->vector; d++)
        if (made.vectors[d] != 0.0f) {
            ask->vector = made.vectors;
            ask->dimensions = made.dimensions;
        }
    return BP_OK;
}

/* While a collection is being filled the store knows a part of it, and the storage all of it. */
static bp_status is_half_built(bp_call *call, struct retrieval *self,
                               const struct collection *collection, bool *is_half, bp_str *degraded)
{
    int64_t behind, all;

    *is_half = !collection->vector_name.len;
    if (*is_half)
        *degraded = bp_format(call,
                              "the vector store \"" BP_FMT
                              "\" cannot be reached: these passages were found by their words "
                              "in the storage",
                              BP_ARG(self->vector->name));
    if (*is_half || collection->state != COLLECTION_BUILDING)
        return BP_OK;
    BP_TRY(upkeep_progress(call, self, collection, &behind, &all));
    *is_half = behind * HALF_BUILT_SHARE > all;
    if (behind)
        *degraded = bp_format(call,
                              "the collection is being rebuilt, %lld of %lld documents are "
                              "done: %s",
                              (long long)(all - behind), (long long)all,
                              *is_half ? "these passages were found by their words in the storage"
                                       : "passages of the others are missing here");
    return BP_OK;
}

static bp_status ask_storage(bp_call *call, struct retrieval *self,
                             const struct collection *collection, const struct search_query *query,
                             uint32_t limit, bp_leg *by_vector, bp_leg *by_words)
{
    memset(by_vector, 0, sizeof(*by_vector));
    return away_search_words(call, self, collection, query->text, query->filter, limit, by_words);
}

/* By words alone, since vectors of two embedders have nothing to do with each other, however equal
 * their dimensions are. */
static bp_status embed_query_for(bp_call *call, struct retrieval *self,
                                 const struct collection   *collection,
                                 const struct search_query *query, bp_vector_query *ask,
                                 bp_str *degraded)
{
    BP_TRY(embed_query(call, self, query, ask, degraded));
    if (!self->embedder.info.dimensions ||
        bp_str_equal(collection->model, self->embedder.info.model))
        return BP_OK;
    ask->vector = NULL;
    ask->dimensions = 0;
    *degraded = bp_format(call,
                          "the collection was made with the embedder \"" BP_FMT
                          "\" and the server has \"" BP_FMT
                          "\": these passages were found by their words alone, until the "
                          "collection is rebuilt",
                          BP_ARG(collection->model), BP_ARG(self->embedder.info.model));
    return query->mode != SEARCH_VECTOR ? BP_OK
                                        : bp_fail(call, BP_CONFLICT, BP_FMT, BP_ARG(*degraded));
}

static bp_status ask_store(bp_call *call, struct retrieval *self,
                           const struct collection *collection, const struct search_query *query,
                           bp_leg *by_vector, bp_leg *by_words, bp_str *degraded)
{
    uint32_t last = query->limit + query->offset, wanted = query->by_document ? last * 3 : last;
    bp_vector_query ask = { .struct_size = sizeof(ask),
                            .collection = collection->vector_name,
                            .filter = query->filter };
    bool            is_half, is_found = false;
    bp_status       status;

    ask.limit = wanted > (uint32_t)self->candidates ? wanted : (uint32_t)self->candidates;
    if (query->mode != SEARCH_VECTOR)
        ask.words = query->text;
    memset(by_vector, 0, sizeof(*by_vector));
    memset(by_words, 0, sizeof(*by_words));
    BP_TRY(is_half_built(call, self, collection, &is_half, degraded));
    if (is_half && query->mode == SEARCH_VECTOR)
        return bp_fail(call, BP_UNAVAILABLE, BP_FMT, BP_ARG(*degraded));
    if (is_half)
        return ask_storage(call, self, collection, query, ask.limit, by_vector, by_words);
    if (query->mode != SEARCH_WORDS)
        BP_TRY(embed_query_for(call, self, collection, query, &ask, degraded));
    if (!ask.vector && !ask.words.len)
        return BP_OK;
    status = bp_vector_search(call, self->vector, &ask, by_vector, by_words);
    // The store has no such collection: it was lost. From now on it is being rebuilt.
    if (status == BP_NOT_FOUND)
        status = upkeep_lost(call, self, collection);
    else
        is_found = true;
    if (status == BP_DATA) { // damaged there, whole here: the next round of upkeep sees to it
        atomic_store(&self->shared->is_upkeep_due, true);
        status = bp_fail(call, BP_UNAVAILABLE, BP_FMT,
                         BP_ARG(bp_dup(call, bp_error_of(call)->message)));
    }
    if (status == BP_OK && !is_found)
        status = bp_fail(call, BP_UNAVAILABLE,
                         "the vector store \"" BP_FMT
                         "\" has lost the collection, which is being rebuilt",
                         BP_ARG(self->vector->name));
    if (!ask.words.len || self->when_down != WHEN_DOWN_DEGRADE || !away_is(call, status))
        return status;
    *degraded = bp_format(call,
                          "the vector store \"" BP_FMT
                          "\" cannot be reached: these passages were found by their words "
                          "in the storage",
                          BP_ARG(self->vector->name));
    note_degraded(call, self->vector);
    return ask_storage(call, self, collection, query, ask.limit, by_vector, by_words);
}

/* ---- from ids to passages ---- */

static bp_status fetch_some(bp_call *call, struct retrieval *self, const struct fused *list,
                            size_t count, bool with_text, struct search_hit *hits)
{
    bp_sql_value *parameters = BP_NEW_ARRAY(call, bp_sql_value, count + 1);
    bp_buf       *sql = bp_buf_new(call, 8192);
    bp_statement  statement;
    bp_rows       rows;

    if (!parameters)
        return BP_NO_MEMORY;
    bp_buf_addf(sql,
                "SELECT c.id, c.sequence, c.start_char, c.end_char, c.heading, %s, d.external_id, "
                "d.title, d.source, d.metadata FROM retrieval_chunks c JOIN retrieval_documents d "
                "ON d.id = c.document_id WHERE c.id IN (",
                with_text ? "c.body" : "''");
    for (size_t i = 0; i < count; i++) {
        parameters[i] = bp_sql_int((int64_t)list[i].id);
        bp_buf_addf(sql, "%s$%zu", i ? ", " : "", i + 1);
    }
    bp_buf_add(sql, BP_STR(")"));
    BP_TRY(bp_buf_status(sql));
    statement = (bp_statement){ .struct_size = sizeof(statement),
                                .parameter_count = (uint32_t)count,
                                .sql = bp_buf_str(sql),
                                .parameters = parameters };
    BP_TRY(bp_storage_exec(call, self->storage, NULL, &statement, &rows));
    for (size_t r = 0; r < rows.row_count; r++) {
        const bp_sql_value *row = bp_row(&rows, r);
        size_t              i = 0;

        while (i < count && list[i].id != (uint64_t)row[0].integer)
            i++;
        if (i == count)
            continue;
        hits[i] = (struct search_hit){ .chunk = list[i].id,
                                       .score = list[i].score,
                                       .words_score = list[i].words_score,
                                       .vector_score = list[i].vector_score,
                                       .sequence = row[1].integer,
                                       .start_char = row[2].integer,
                                       .end_char = row[3].integer,
                                       .heading = row[4].text,
                                       .text = row[5].text,
                                       .document = row[6].text,
                                       .title = row[7].text,
                                       .source = row[8].text,
                                       .metadata = row[9].text };
    }
    return BP_OK;
}

static bool is_seen(const struct search_hit *hits, size_t count, bp_str document)
{
    for (size_t i = 0; i < count; i++)
        if (bp_str_equal(hits[i].document, document))
            return true;
    return false;
}

/* Fetches as many as are wanted, in steps. A point without a passage (its document was written
 * again meanwhile) has no row and is passed over. */
static bp_status fetch(bp_call *call, struct retrieval *self, const struct fused *list,
                       size_t count, const struct search_query *query, struct search_result *result)
{
    uint32_t last = query->limit + query->offset;

    result->hits = BP_NEW_ARRAY(call, struct search_hit, last + 1);
    if (!result->hits)
        return BP_NO_MEMORY;
    for (size_t at = 0; at < count && result->count < last;) {
        size_t             some = count - at < ROWS_AT_ONCE ? count - at : ROWS_AT_ONCE;
        size_t             needed = last - result->count;
        struct search_hit *hits;

        if (!query->by_document && some > needed + 4)
            some = needed + 4;
        hits = BP_NEW_ARRAY(call, struct search_hit, some);
        if (!hits)
            return BP_NO_MEMORY;
        BP_TRY(fetch_some(call, self, list + at, some, query->with_text, hits));
        for (size_t i = 0; i < some && result->count < last; i++)
            if (hits[i].chunk &&
                !(query->by_document && is_seen(result->hits, result->count, hits[i].document)))
                result->hits[result->count++] = hits[i];
        at += some;
    }
    // What stands before the page had to be found, too: documents are not counted by chunks.
    result->count -= result->count < query->offset ? result->count : query->offset;
    memmove(result->hits, result->hits + query->offset, result->count * sizeof(*result->hits));
    return BP_OK;
}

static size_t drop_dissimilar(struct fused *list, size_t count, double least)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!isnan(list[i].words_score) || list[i].vector_score >= least)
            list[kept++] = list[i];
    return kept;
}

bp_status search_run(bp_call *call, struct retrieval *self, const struct collection *collection,
                     const struct search_query *query, struct search_result *result)
{
    bp_leg        by_vector, by_words;
    struct fused *list;
    size_t        count = 0;
    double        weight;

    memset(result, 0, sizeof(*result));
    BP_TRY(ask_store(call, self, collection, query, &by_vector, &by_words, &result->degraded));
    weight = words_weight(self, query);
    list = BP_NEW_ARRAY(call, struct fused, (size_t)by_vector.hit_count + by_words.hit_count + 1);
    if (!list)
        return BP_NO_MEMORY;
    add_leg(list, &count, &by_words, weight, query->fusion, true);
    add_leg(list, &count, &by_vector, 1 - weight, query->fusion, false);
    count = merge(list, count);
    if (query->mode == SEARCH_HYBRID)
        count = drop_dissimilar(list, count, query->min_similarity);
    while (count && list[count - 1].score < query->min_score) // they are sorted
        count--;
    result->words_mode = by_words.mode;
    result->vector_mode = by_vector.mode;
    result->rows_read = by_vector.rows_read + by_words.rows_read;
    result->words_weight = weight;
    return fetch(call, self, list, count, query, result);
}

/* ---- routes ---- */

void search_write_degraded(bp_json_writer *w, const struct search_result *result)
{
    if (result->degraded.len)
        bp_json_put_string(w, "degraded", result->degraded);
}

void search_count(struct retrieval *self, const struct search_result *result)
{
    retrieval_count(self->searches_total,
                    result->degraded.len ? "degraded"
                    : result->count      ? "hits"
                                         : "no_hits",
                    1);
}

void search_write_hit(bp_json_writer *w, const struct search_hit *hit, bool with_text)
{
    bp_json_object(w);
    bp_json_put_integer(w, "chunk", (int64_t)hit->chunk);
    bp_json_put_string(w, "document", hit->document);
    bp_json_put_string(w, "title", hit->title);
    bp_json_put_string(w, "source", hit->source);
    bp_json_put_string(w, "heading", hit->heading);
    bp_json_put_number(w, "score", hit->score);
    bp_json_put_integer(w, "start", hit->start_char);
    bp_json_put_integer(w, "end", hit->end_char);
    if (with_text)
        bp_json_put_string(w, "text", hit->text);
    if (hit->metadata.len > 2) {
        bp_json_key(w, "metadata");
        bp_json_add_raw(w, hit->metadata);
    }
    bp_json_key(w, "legs");
    bp_json_object(w);
    if (!isnan(hit->words_score))
        bp_json_put_number(w, "words", hit->words_score);
    if (!isnan(hit->vector_score))
        bp_json_put_number(w, "vector", hit->vector_score);
    bp_json_end(w);
    bp_json_end(w);
}

static const char *mode_text(uint32_t mode)
{
    static const char *const names[] = {
        "none", "exact", "graph", "filtered", "remote", "storage"
    };

    return names[mode <= SEARCH_IN_STORAGE ? mode : 0];
}

void search_write(bp_json_writer *w, const struct collection *collection,
                  const struct search_query *query, const struct search_result *result,
                  int64_t started_ns)
{
    bp_json_object(w);
    bp_json_put_string(w, "collection", collection->name);
    bp_json_put_string(w, "query", query->text);
    bp_json_put_integer(w, "count", (int64_t)result->count);
    search_write_degraded(w, result);
    bp_json_key(w, "hits");
    bp_json_array(w);
    for (size_t i = 0; i < result->count; i++)
        search_write_hit(w, &result->hits[i], query->with_text);
    bp_json_end(w);
    bp_json_key(w, "explain");
    bp_json_object(w);
    bp_json_put_string(w, "words", bp_str_of(mode_text(result->words_mode)));
    bp_json_put_string(w, "vector", bp_str_of(mode_text(result->vector_mode)));
    bp_json_put_number(w, "words_weight", result->words_weight);
    bp_json_put_integer(w, "rows_read", (int64_t)result->rows_read);
    bp_json_put_number(w, "took_ms", (double)((bp_now_ns() - started_ns) / 1000) / 1000);
    bp_json_end(w);
    bp_json_end(w);
}

bp_status search_named(bp_call *call, struct retrieval *self, bp_str name,
                       const struct search_query *query, struct collection *collection,
                       struct search_result *result)
{
    if (query->text.len < 1 || query->text.len > 8192)
        return bp_fail(call, BP_INVALID, "the query must have 1 to 8,192 bytes");
    if (query->limit < 1 || query->limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "\"limit\" must be a number from 1 to %d", LIMIT_MAX);
    BP_TRY(collection_find(call, self, name, collection));
    BP_TRY(search_run(call, self, collection, query, result));
    search_count(self, result);
    return BP_OK;
}

static bp_status run_and_respond(bp_call *call, struct retrieval *self, bp_str collection_name,
                                 struct search_query *query, bp_response *response)
{
    int64_t              started_ns = bp_now_ns();
    bp_json_writer      *w = bp_json_writer_new(call, 64 << 20);
    struct collection    collection;
    struct search_result result;

    BP_TRY(search_named(call, self, collection_name, query, &collection, &result));
    search_write(w, &collection, query, &result, started_ns);
    return bp_respond_json(call, response, 200, w);
}

bool search_read_mode(bp_str text, enum search_mode *mode)
{
    if (bp_str_is(text, "words") || bp_str_is(text, "vector"))
        *mode = bp_str_is(text, "words") ? SEARCH_WORDS : SEARCH_VECTOR;
    return !text.len || bp_str_is(text, "hybrid") || *mode != SEARCH_HYBRID;
}

static bp_status read_query(bp_call *call, const bp_json *body, struct search_query *query)
{
    static const struct retrieval_member members[] = {
        { "query", 't' },        { "collection", 't' }, { "limit", 'i' },    { "offset", 'i' },
        { "min_score", 'n' },    { "mode", 't' },       { "group_by", 't' }, { "fusion", 't' },
        { "words_weight", 'n' }, { "with_text", 'b' },  { "filter", '*' },   { NULL, 0 },
    };
    int64_t        offset = bp_json_integer(bp_json_get(body, "offset"));
    const bp_json *limit = bp_json_get(body, "limit"), *weight = bp_json_get(body, "words_weight");
    bp_str         group = bp_json_string(bp_json_get(body, "group_by"));
    bp_str         fusion = bp_json_string(bp_json_get(body, "fusion"));

    BP_TRY(retrieval_check_body(call, body, members));
    if (offset < 0 || offset > OFFSET_MAX)
        return bp_fail(call, BP_INVALID, "\"offset\" must be a number from 0 to %d", OFFSET_MAX);
    query->text = bp_json_string(bp_json_get(body, "query"));
    query->offset = (uint32_t)offset;
    if (bp_json_get(body, "min_score"))
        query->min_score = bp_json_number(bp_json_get(body, "min_score"));
    if (limit && (bp_json_integer(limit) < 1 || bp_json_integer(limit) > LIMIT_MAX))
        return bp_fail(call, BP_INVALID, "\"limit\" must be a number from 1 to %d", LIMIT_MAX);
    if (limit)
        query->limit = (uint32_t)bp_json_integer(limit);
    if (!search_read_mode(bp_json_string(bp_json_get(body, "mode")), &query->mode))
        return bp_fail(call, BP_INVALID, "\"mode\" is \"hybrid\", \"words\" or \"vector\"");
    if (group.len && !bp_str_is(group, "chunk") && !bp_str_is(group, "document"))
        return bp_fail(call, BP_INVALID, "\"group_by\" is \"chunk\" or \"document\"");
    query->by_document = bp_str_is(group, "document");
    if (fusion.len && !bp_str_is(fusion, "minmax") && !bp_str_is(fusion, "rrf"))
        return bp_fail(call, BP_INVALID, "\"fusion\" is \"minmax\" or \"rrf\"");
    if (fusion.len)
        query->fusion = bp_str_is(fusion, "rrf") ? FUSION_RRF : FUSION_MINMAX;
    if (weight && (bp_json_number(weight) < 0 || bp_json_number(weight) > 1))
        return bp_fail(call, BP_INVALID, "\"words_weight\" must be a number from 0 to 1");
    if (weight)
        query->words_weight = bp_json_number(weight);
    if (bp_json_get(body, "with_text"))
        query->with_text = bp_json_bool(bp_json_get(body, "with_text"));
    return filter_read(call, bp_json_get(body, "filter"), &query->filter);
}

struct search_query search_query_of(const struct retrieval *self, bp_str text, uint32_t limit)
{
    return (struct search_query){ .text = text,
                                  .limit = limit,
                                  .with_text = true,
                                  .words_weight = -1,
                                  .min_score = -INFINITY,
                                  .fusion = self->fusion,
                                  .min_similarity = self->min_similarity };
}

bp_status search_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct retrieval   *self = instance;
    struct search_query query = search_query_of(self, bp_str_n(NULL, 0), 10);
    const bp_json      *body;
    bp_str              text;

    BP_TRY(bp_request_body(call, request, &text));
    BP_TRY(bp_json_read(call, text, &body));
    if (bp_json_type_of(body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object with \"query\"");
    BP_TRY(read_query(call, body, &query));
    return run_and_respond(call, self, bp_json_string(bp_json_get(body, "collection")), &query,
                           response);
}

bp_status search_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct retrieval   *self = instance;
    struct search_query query = search_query_of(self, bp_str_n(NULL, 0), 10);
    int64_t             limit = query.limit;
    bp_str              collection, text;

    bp_request_query(request, "collection", &collection);
    bp_request_query(request, "q", &query.text);
    BP_TRY(retrieval_read_limit(call, request, &limit));
    query.limit = (uint32_t)limit;
    bp_request_query(request, "mode", &text);
    if (!search_read_mode(text, &query.mode))
        return bp_fail(call, BP_INVALID, "\"mode\" is \"hybrid\", \"words\" or \"vector\"");
    return run_and_respond(call, self, collection, &query, response);
}

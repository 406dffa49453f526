/* search.c - both legs of a query in one request.
 *
 * The vector leg is Qdrant's own. The words leg ranks as the other stores do, by FTS5's BM25: the
 * sparse vectors find more candidates than are wanted, their terms come back with them, and the
 * formula is then worked out exactly, by the counts of statistics.c. A weight in a sparse vector is
 * that of the term in a passage of usual length, from which how often the term is there follows:  v
 * = 2.2 f / (f + K), so f = v K / (2.2 - v), where K depends on the passage's length alone.
 */
#include "qdrant.h"

#include <math.h>
#include <stdlib.h>

enum { CANDIDATES_MORE = 50, QUERY_MAX_BYTES = 8 << 20 };

struct words_side {
    struct token_list terms;
    uint32_t         *hashes;
    double           *idf; /* by term of the query */
    struct weights    weights;
};

/* ---- asking ---- */

static bp_status weigh_query(bp_call *call, struct qdrant *db, const struct schema *schema,
                             const bp_vector_query *query, struct words_side *words)
{
    uint64_t *with_term;

    BP_TRY(tokens_of_query(call, db->tokens, words_tokenizer_of(bp_str_of(schema->language)),
                           query->words, &words->terms));
    if (!words->terms.count)
        return BP_OK;
    words->hashes = BP_NEW_ARRAY(call, uint32_t, words->terms.count);
    words->idf = BP_NEW_ARRAY(call, double, words->terms.count);
    with_term = BP_NEW_ARRAY(call, uint64_t, words->terms.count);
    if (!words->hashes || !words->idf || !with_term)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < words->terms.count; i++)
        words->hashes[i] = term_hash(words->terms.items[i].text);
    BP_TRY(statistics_of(call, db, query->collection, &words->weights));
    BP_TRY(statistics_terms(call, db, query->collection, words->hashes, words->terms.count,
                            with_term));
    for (size_t i = 0; i < words->terms.count; i++)
        words->idf[i] = bm25_idf(words->weights.points, with_term[i]);
    return BP_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Indices each once; two terms of one hash add up. */
static void write_sparse(bp_call *call, bp_json_writer *w, const struct words_side *words)
{
    size_t    count = words->terms.count;
    uint32_t *sorted = BP_NEW_ARRAY(call, uint32_t, count);

    if (!sorted)
        return;
    memcpy(sorted, words->hashes, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_number);
    for (int values = 0; values < 2; values++) {
        bp_json_key(w, values ? "values" : "indices");
        bp_json_array(w);
        for (size_t i = 0; i < count; i++) {
            double weight = 0;

            if (i && sorted[i] == sorted[i - 1])
                continue;
            for (size_t t = 0; t < count; t++)
                weight += words->hashes[t] == sorted[i]
                              ? words->idf[t] * words->terms.items[t].times
                              : 0;
            if (values)
                bp_json_add_number(w, (float)weight);
            else
                bp_json_add_integer(w, sorted[i]);
        }
        bp_json_end(w);
    }
}

static bp_status write_legs(bp_call *call, const bp_vector_query *query,
                            const struct words_side *words, bp_json_writer *w)
{
    bp_buf *scratch = bp_buf_new(call, (size_t)query->dimensions * 16 + 64);

    bp_json_object(w);
    bp_json_key(w, "searches");
    bp_json_array(w);
    if (query->vector) {
        bp_json_object(w);
        bp_json_key(w, "query");
        write_floats(w, query->vector, query->dimensions, scratch);
        bp_json_put_string(w, "using", BP_STR("dense"));
        bp_json_put_integer(w, "limit", query->limit);
        bp_json_put_bool(w, "with_payload", false);
        if (query->effort) {
            bp_json_key(w, "params");
            bp_json_object(w);
            bp_json_put_integer(w, "hnsw_ef", query->effort);
            bp_json_end(w);
        }
        BP_TRY(filter_write(call, w, query->filter));
        bp_json_end(w);
    }
    if (words->terms.count) {
        bp_json_object(w);
        bp_json_key(w, "query");
        bp_json_object(w);
        write_sparse(call, w, words);
        bp_json_end(w);
        bp_json_put_string(w, "using", BP_STR("words"));
        bp_json_put_integer(w, "limit", (int64_t)query->limit + query->limit / 2 + CANDIDATES_MORE);
        bp_json_key(w, "with_payload");
        bp_json_array(w);
        bp_json_add_string(w, BP_STR("n"));
        bp_json_end(w);
        bp_json_key(w, "with_vector");
        bp_json_array(w);
        bp_json_add_string(w, BP_STR("words"));
        bp_json_end(w);
        BP_TRY(filter_write(call, w, query->filter));
        bp_json_end(w);
    }
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

/* ---- reading ---- */

static int nearest_first(const void *a, const void *b)
{
    const bp_hit *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void finish(bp_leg *leg, bp_hit *hits, size_t count, uint32_t limit)
{
    qsort(hits, count, sizeof(*hits), nearest_first);
    leg->mode = BP_SEARCH_REMOTE;
    leg->hits = hits;
    leg->rows_read = count;
    leg->hit_count = count < limit ? (uint32_t)count : limit;
}

static bp_status read_vector_leg(bp_call *call, const struct schema *schema, const bp_json *points,
                                 uint32_t limit, bp_leg *leg)
{
    size_t  count = bp_json_count(points);
    bp_hit *hits = BP_NEW_ARRAY(call, bp_hit, count + 1);

    if (!hits)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        double score = bp_json_number(bp_json_get(bp_json_at(points, i), "score"));

        hits[i].id = (uint64_t)bp_json_integer(bp_json_get(bp_json_at(points, i), "id"));
        hits[i].score = schema->metric == BP_L2 ? -score : score;
    }
    finish(leg, hits, count, limit);
    return BP_OK;
}

/* How often a term is in a passage, from its weight there. */
static uint32_t times_of(double value, uint32_t length)
{
    double k = 1.2 * (1 - 0.75 + 0.75 * length / USUAL_LENGTH);
    double times = value < 2.2 ? value * k / (2.2 - value) : length;

    if (times > length)
        times = length;
    return times < 1 ? 1 : (uint32_t)(times + 0.5);
}

static double score_of(const struct words_side *words, const bp_json *point)
{
    const bp_json *sparse = bp_json_get(bp_json_get(point, "vector"), "words");
    const bp_json *indices = bp_json_get(sparse, "indices"),
                  *values = bp_json_get(sparse, "values");
    uint32_t length = (uint32_t)bp_json_integer(bp_json_get(bp_json_get(point, "payload"), "n"));
    double   score = 0;

    for (size_t i = 0; i < bp_json_count(indices); i++) {
        uint32_t hash = (uint32_t)bp_json_integer(bp_json_at(indices, i));

        for (size_t t = 0; t < words->terms.count; t++)
            if (words->hashes[t] == hash)
                score += bm25_weight(words->idf[t], words->terms.items[t].times,
                                     times_of(bp_json_number(bp_json_at(values, i)), length),
                                     length, words->weights.average_length);
    }
    return score;
}

static bp_status read_words_leg(bp_call *call, const struct words_side *words,
                                const bp_json *points, uint32_t limit, bp_leg *leg)
{
    size_t  count = bp_json_count(points);
    bp_hit *hits = BP_NEW_ARRAY(call, bp_hit, count + 1);

    if (!hits)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const bp_json *point = bp_json_at(points, i);

        hits[i].id = (uint64_t)bp_json_integer(bp_json_get(point, "id"));
        hits[i].score = score_of(words, point);
    }
    finish(leg, hits, count, limit);
    return BP_OK;
}

/* ---- the operation ---- */

static bp_status check_query(bp_call *call, const struct schema *schema,
                             const bp_vector_query *query)
{
    double square = 0;

    if (query->limit < 1 || query->limit > 10000)
        return bp_fail(call, BP_INVALID, "a search finds 1 to 10,000 points, not %u", query->limit);
    if (!query->vector)
        return BP_OK;
    if (query->dimensions != schema->dimensions)
        return bp_fail(call, BP_INVALID,
                       "the query has %u dimensions, the collection \"%s\" has %u",
                       query->dimensions, schema->name, schema->dimensions);
    for (uint32_t i = 0; i < query->dimensions; i++)
        square += (double)query->vector[i] * query->vector[i];
    if (!isfinite(square) || (schema->metric == BP_COSINE && !(square > 0)))
        return bp_fail(call, BP_INVALID,
                       "the query's vector has no direction, or holds a number that is not finite");
    return BP_OK;
}

static bp_str query_path(bp_call *call, const struct qdrant *db, bp_str collection)
{
    static const char *const ways[] = { "", "?consistency=majority", "?consistency=quorum",
                                        "?consistency=all" };

    return qdrant_path(call, db, collection,
                       bp_format(call, "/points/query/batch%s", ways[db->read_consistency]).data);
}

bp_status qdrant_search(bp_call *call, void *instance, const bp_vector_query *query,
                        bp_leg *by_vector, bp_leg *by_words)
{
    struct qdrant    *db = instance;
    struct schema     schema;
    struct words_side words = { .hashes = NULL };
    bp_json_writer   *w = bp_json_writer_new(call, QUERY_MAX_BYTES);
    const bp_json    *result;
    bp_status         status;
    bp_str            body;

    BP_TRY(schema_of(call, db, query->collection, &schema));
    BP_TRY(check_query(call, &schema, query));
    if (query->words.len) {
        BP_TRY(weigh_query(call, db, &schema, query, &words));
        by_words->mode = BP_SEARCH_REMOTE; // also when no term is left to look for
    }
    BP_TRY(write_legs(call, query, &words, w));
    BP_TRY(bp_json_done(call, w, &body));
    if (!query->vector && !words.terms.count)
        return BP_OK;
    status = qdrant_ask(call, db, "POST", query_path(call, db, query->collection), body, 0,
                        &result);
    if (status == BP_NOT_FOUND || status == BP_UPSTREAM)
        schema_forget(db, query->collection);
    BP_TRY(status);
    if (bp_json_count(result) != (size_t)(query->vector != NULL) + (words.terms.count > 0))
        return bp_fail(call, BP_UPSTREAM, BP_FMT " answered %zu of the searches it was asked",
                       BP_ARG(db->url), bp_json_count(result));
    if (query->vector)
        BP_TRY(read_vector_leg(call, &schema, bp_json_get(bp_json_at(result, 0), "points"),
                               query->limit, by_vector));
    if (words.terms.count)
        BP_TRY(read_words_leg(call, &words,
                              bp_json_get(bp_json_at(result, query->vector ? 1 : 0), "points"),
                              query->limit, by_words));
    return BP_OK;
}

/* search.c - the two legs of a search: the vectors by RediSearch's index or by reading them all, the words by our own
 * postings, weighed as SQLite's FTS5 weighs them. */
#include "store.h"

#include <stdlib.h>

#include "../local/kernel.h"

enum { OVERSAMPLING = 8, CANDIDATES_MAX = 100000 };

struct search {
    struct redis_store    *store;
    struct collection      collection;
    const bp_vector_query *query;
    uint32_t               stride;
    float                 *vector, *row; /* aligned and padded, as the kernel wants them; NULL: not this leg */
    kernel                 score;
};

/* ---- the best so far: a heap with the worst of them at its top ---- */

struct best {
    bp_hit  *hits;
    uint32_t count, limit;
};

static bool is_better(const bp_hit *a, const bp_hit *b)
{
    return a->score > b->score || (a->score == b->score && a->id < b->id);
}

static int by_rank(const void *a, const void *b)
{
    return is_better(a, b) ? -1 : is_better(b, a);
}

static void sift_down(bp_hit *hits, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t worst = at, left = 2 * at + 1, right = left + 1;
        bp_hit   held;
        if (left < count && is_better(&hits[worst], &hits[left]))
            worst = left;
        if (right < count && is_better(&hits[worst], &hits[right]))
            worst = right;
        if (worst == at)
            return;
        held = hits[at];
        hits[at] = hits[worst];
        hits[worst] = held;
        at = worst;
    }
}

static void offer(struct best *best, uint64_t id, double score)
{
    bp_hit hit = { id, score };

    if (best->count == best->limit) {
        if (!is_better(&hit, &best->hits[0]))
            return;
        best->hits[0] = hit;
        sift_down(best->hits, best->count, 0);
        return;
    }
    best->hits[best->count++] = hit;
    if (best->count == best->limit)
        for (uint32_t i = best->limit / 2 + 1; i-- > 0;)
            sift_down(best->hits, best->count, i);
}

/* ---- vectors ---- */

static void *aligned(bp_call *call, size_t size)
{
    char *bytes = bp_alloc(call, size + KERNEL_ALIGNMENT);

    return bytes ? bytes + (KERNEL_ALIGNMENT - (uintptr_t)bytes % KERNEL_ALIGNMENT) % KERNEL_ALIGNMENT : NULL;
}

static double score_of(struct search *search, const void *vector)
{
    float score;

    memcpy(search->row, vector, search->collection.dimensions * sizeof(float));
    search->score(search->vector, search->row, search->stride, 1, &score);
    return score;
}

struct scan {
    struct search *search;
    struct best    best;
    uint64_t       rows_read;
};

static bp_status scan_one(bp_call *call, void *self, const bp_point *point, bool *is_enough)
{
    struct scan *scan = self;

    (void)call, (void)is_enough;
    if (point->vector) {
        offer(&scan->best, point->id, score_of(scan->search, point->vector));
        scan->rows_read++;
    }
    return BP_OK;
}

static bp_status search_exactly(bp_call *call, struct search *search, bp_hit *hits, bp_leg *leg)
{
    struct scan scan = { search, { hits, 0, search->query->limit }, 0 };

    BP_TRY(walk(call, search->store, &search->collection, search->query->filter, 0, WALK_VECTOR, scan_one, &scan));
    qsort(hits, scan.best.count, sizeof(*hits), by_rank);
    leg->hits = hits;
    leg->hit_count = scan.best.count;
    leg->rows_read = scan.rows_read;
    leg->mode = search->query->filter ? BP_SEARCH_FILTERED : BP_SEARCH_EXACT;
    return BP_OK;
}

/* FT.SEARCH answers [ total, key, [ "v", bytes ], key, ... ]; each is scored by us, so that all modes score alike. */
static bp_status take_nearest(bp_call *call, struct search *search, const struct redis_reply *reply, uint32_t wanted,
                              bp_hit *hits, uint32_t *count)
{
    size_t base_len = search->collection.base.len + 2;

    *count = 0;
    if (reply->type != REDIS_ARRAY || reply->count < 1)
        return redis_fail_shape(call, "FT.SEARCH", reply);
    for (size_t i = 1; i + 1 < reply->count; i += 2) {
        const struct redis_reply *key = reply->items[i], *fields = reply->items[i + 1];
        if (key->type != REDIS_STRING || key->text.len != base_len + ID_DIGITS || fields->type != REDIS_ARRAY)
            continue;
        for (size_t f = 0; f + 1 < fields->count && *count < wanted; f += 2)
            if (bp_str_is(fields->items[f]->text, "v") &&
                fields->items[f + 1]->text.len == search->collection.dimensions * sizeof(float))
                hits[(*count)++] = (bp_hit){ strtoull(key->text.data + base_len, NULL, 10),
                                             score_of(search, fields->items[f + 1]->text.data) };
    }
    qsort(hits, *count, sizeof(*hits), by_rank);
    return BP_OK;
}

static bp_status ask_index(bp_call *call, struct search *search, uint32_t wanted, bp_hit *hits, uint32_t *count,
                           bool *is_answered)
{
    const struct collection  *collection = &search->collection;
    bool                      is_hnsw = collection->index == INDEX_HNSW;
    size_t                    vector_bytes = collection->dimensions * sizeof(float);
    bp_str                    number = bp_format(call, "%u", wanted);
    int64_t                   effort = search->query->effort ? search->query->effort : search->store->ef_runtime;
    const struct redis_reply *reply;
    bp_str                    words[] = { BP_STR("FT.SEARCH"),
                                          collection_key(call, collection, "index", (bp_str){ 0 }),
                       is_hnsw ? BP_STR("*=>[KNN $k @v $q EF_RUNTIME $e AS d]") : BP_STR("*=>[KNN $k @v $q AS d]"),
                                          BP_STR("PARAMS"),
                       is_hnsw ? BP_STR("6") : BP_STR("4"),
                                          BP_STR("k"),
                                          number,
                                          BP_STR("q"),
                                          bp_str_n((const char *)search->vector, vector_bytes),
                                          BP_STR("e"),
                                          bp_format(call, "%lld", (long long)(effort > wanted ? effort : wanted)) };
    bp_str tail[] = { BP_STR("SORTBY"), BP_STR("d"), BP_STR("RETURN"), BP_STR("1"),       BP_STR("v"),
                      BP_STR("LIMIT"),  BP_STR("0"), number,           BP_STR("DIALECT"), BP_STR("2") };
    bp_str all[21];
    size_t head = is_hnsw ? 11 : 9;

    memcpy(all, words, head * sizeof(*all));
    memcpy(all + head, tail, sizeof(tail));
    BP_TRY(redis_do(call, search->store->client, collection->meta, all, head + 10, REDIS_IDEMPOTENT | REDIS_ERRORS_PASS,
                    &reply));
    *is_answered = reply->type != REDIS_ERROR;
    if (!*is_answered) {
        bp_log(call, BP_LOG_WARN, "RediSearch does not answer for \"" BP_FMT "\", so all vectors are read: " BP_FMT,
               BP_ARG(collection->name), BP_ARG(reply->text));
        return BP_OK;
    }
    return take_nearest(call, search, reply, wanted, hits, count);
}

/* Keeps the hits that the filter lets pass, in their order. */
static bp_status keep_passing(bp_call *call, struct search *search, bp_hit *hits, uint32_t *count)
{
    bool    *passes = BP_NEW_ARRAY(call, bool, *count + 1);
    uint32_t kept = 0;

    if (!passes)
        return BP_NO_MEMORY;
    BP_TRY(walk_check(call, search->store, &search->collection, search->query->filter, hits, *count, passes));
    for (uint32_t i = 0; i < *count; i++)
        if (passes[i])
            hits[kept++] = hits[i];
    *count = kept;
    return BP_OK;
}

/* By the graph. With a filter more are asked for than are wanted, and when too few of them pass, all vectors that the
 * filter allows are read: *is_answered is false then. */
static bp_status search_index(bp_call *call, struct search *search, bp_leg *leg, bool *is_answered)
{
    uint32_t limit = search->query->limit, wanted = search->query->filter ? limit * OVERSAMPLING : limit, count = 0;
    bp_hit  *hits;

    *is_answered = false;
    if (search->collection.index == INDEX_AUTO)
        return BP_OK;
    hits = BP_NEW_ARRAY(call, bp_hit, wanted);
    if (!hits)
        return BP_NO_MEMORY;
    BP_TRY(ask_index(call, search, wanted, hits, &count, is_answered));
    if (!*is_answered)
        return BP_OK;
    leg->rows_read = count;
    if (search->query->filter) {
        bool is_all = count < wanted;
        BP_TRY(keep_passing(call, search, hits, &count));
        if (count < limit && !is_all) {
            *is_answered = false;
            return BP_OK;
        }
    }
    leg->hits = hits;
    leg->hit_count = count < limit ? count : limit;
    leg->mode = search->collection.index == INDEX_HNSW ? BP_SEARCH_GRAPH : BP_SEARCH_EXACT;
    return BP_OK;
}

static bp_status search_vectors(bp_call *call, struct search *search, bp_leg *leg)
{
    bool    is_answered = false;
    bp_hit *hits;

    BP_TRY(search_index(call, search, leg, &is_answered));
    if (is_answered)
        return BP_OK;
    hits = BP_NEW_ARRAY(call, bp_hit, search->query->limit);
    return hits ? search_exactly(call, search, hits, leg) : BP_NO_MEMORY;
}

/* ---- words ---- */

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const bp_hit *)a)->id, y = ((const bp_hit *)b)->id;
    return x < y ? -1 : x > y;
}

/* [ id, "times length", ... ] */
static size_t weigh(const struct collection *collection, const struct token *term, const struct redis_reply *postings,
                    bp_hit *hits)
{
    double idf = bm25_idf(collection->points, postings->count / 2);
    double average = collection->points ? (double)collection->tokens / (double)collection->points : 0;
    size_t count = 0;

    for (size_t i = 0; i + 1 < postings->count; i += 2) {
        char    *rest;
        uint32_t times = (uint32_t)strtoul(postings->items[i + 1]->text.data, &rest, 10);
        uint32_t length = (uint32_t)strtoul(rest, NULL, 10);
        hits[count++] = (bp_hit){ strtoull(postings->items[i]->text.data, NULL, 10),
                                  bm25_weight(idf, term->times, times, length, average) };
    }
    return count;
}

/* The figures of the collection and the postings of all terms, in one transaction, so that they fit each other. */
static bp_status read_postings(bp_call *call, struct search *search, const struct token_list *terms,
                               const struct redis_reply **postings)
{
    struct redis_batch              *batch = redis_batch_new(call, search->collection.base);
    const struct redis_reply *const *replies;
    const struct redis_reply        *figures;

    redis_add_line(batch, "MULTI");
    redis_add(batch, (bp_str[]){ BP_STR("HMGET"), search->collection.meta, BP_STR("points"), BP_STR("tokens") }, 4);
    for (size_t i = 0; i < terms->count; i++)
        redis_add(
            batch,
            (bp_str[]){ BP_STR("HGETALL"), collection_key(call, &search->collection, "t:", terms->items[i].text) }, 2);
    redis_add_line(batch, "EXEC");
    BP_TRY(redis_run(call, search->store->client, batch, REDIS_IDEMPOTENT, &replies));
    *postings = replies[terms->count + 2];
    if ((*postings)->type != REDIS_ARRAY || (*postings)->count != terms->count + 1)
        return redis_fail_shape(call, "EXEC", *postings);
    figures = (*postings)->items[0];
    if (figures->type != REDIS_ARRAY || figures->count != 2)
        return redis_fail_shape(call, "HMGET", figures);
    search->collection.points = figures->items[0]->text.len ? strtoull(figures->items[0]->text.data, NULL, 10) : 0;
    search->collection.tokens = figures->items[1]->text.len ? strtoull(figures->items[1]->text.data, NULL, 10) : 0;
    return BP_OK;
}

/* One hit a point: its weights summed in the order of the terms. */
static size_t sum_up(bp_hit *hits, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept && hits[kept - 1].id == hits[i].id)
            hits[kept - 1].score += hits[i].score;
        else
            hits[kept++] = hits[i];
    }
    return kept;
}

/* The first `limit` that pass the filter, without looking at those behind them. */
static bp_status filter_ranked(bp_call *call, struct search *search, bp_hit *hits, size_t count, uint32_t *kept)
{
    uint32_t limit = search->query->limit;
    size_t   step = limit < 100 ? 200 : (size_t)limit * 2;
    bool    *passes = BP_NEW_ARRAY(call, bool, step);

    *kept = 0;
    if (!passes)
        return BP_NO_MEMORY;
    for (size_t at = 0; at < count && *kept < limit; at += step) {
        size_t some = count - at < step ? count - at : step;
        BP_TRY(walk_check(call, search->store, &search->collection, search->query->filter, hits + at, some, passes));
        for (size_t i = 0; i < some && *kept < limit; i++)
            if (passes[i])
                hits[(*kept)++] = hits[at + i];
    }
    return BP_OK;
}

static bp_status search_words(bp_call *call, struct search *search, bp_leg *leg)
{
    struct token_list         terms;
    const struct redis_reply *postings;
    bp_hit                   *hits;
    size_t                    count = 0;
    uint32_t                  kept;

    leg->mode = BP_SEARCH_EXACT;
    BP_TRY(tokens_of_query(call, search->store->tokens, search->collection.tokenizer, search->query->words, &terms));
    if (!terms.count)
        return BP_OK; // nothing but punctuation
    BP_TRY(read_postings(call, search, &terms, &postings));
    for (size_t i = 0; i < terms.count; i++)
        count += postings->items[i + 1]->count / 2;
    hits = BP_NEW_ARRAY(call, bp_hit, count + 1);
    if (!hits)
        return BP_NO_MEMORY;
    count = 0;
    for (size_t i = 0; i < terms.count; i++)
        count += weigh(&search->collection, &terms.items[i], postings->items[i + 1], hits + count);
    leg->rows_read = count;
    qsort(hits, count, sizeof(*hits), by_id);
    count = sum_up(hits, count);
    qsort(hits, count, sizeof(*hits), by_rank);
    kept = (uint32_t)(count < search->query->limit ? count : search->query->limit);
    if (search->query->filter)
        BP_TRY(filter_ranked(call, search, hits, count, &kept));
    leg->hits = hits;
    leg->hit_count = kept;
    return BP_OK;
}

/* ---- the operation ---- */

static bp_status prepare_vector(bp_call *call, struct search *search)
{
    const struct collection *collection = &search->collection;
    const bp_vector_query   *query = search->query;

    if (query->dimensions != collection->dimensions)
        return bp_fail(call, BP_INVALID,
                       "the collection \"" BP_FMT "\" has vectors of %u dimensions, the query has %u: it is of another "
                       "embedder",
                       BP_ARG(collection->name), collection->dimensions, query->dimensions);
    search->stride = (collection->dimensions + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    search->vector = aligned(call, search->stride * sizeof(float));
    search->row = aligned(call, search->stride * sizeof(float));
    search->score = collection->metric == BP_L2 ? kernel_negated_distance() : kernel_inner_product();
    if (!search->vector || !search->row)
        return BP_NO_MEMORY;
    if (!vector_prepare(query->vector, collection->dimensions, collection->metric, search->vector))
        return bp_fail(call, BP_INVALID, "the query's vector is zero or not finite");
    return BP_OK;
}

bp_status store_search(bp_call *call, void *instance, const bp_vector_query *query, bp_leg *by_vector, bp_leg *by_words)
{
    struct search search = { .store = instance, .query = query };

    by_vector->mode = by_words->mode = BP_SEARCH_NONE;
    by_vector->hit_count = by_words->hit_count = 0;
    by_vector->rows_read = by_words->rows_read = 0;
    if (query->limit < 1 || query->limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a search gives 1 to %d hits, not %u", LIMIT_MAX, query->limit);
    BP_TRY(filter_check(call, query->filter));
    BP_TRY(collection_find(call, search.store, query->collection, &search.collection));
    if (query->vector)
        BP_TRY(prepare_vector(call, &search));
    if (query->vector)
        BP_TRY(search_vectors(call, &search, by_vector));
    if (query->words.len)
        BP_TRY(search_words(call, &search, by_words));
    return BP_OK;
}

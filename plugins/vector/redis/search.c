/* search.c - the two legs of a search: the vectors by RediSearch's index or by reading them all,
 * the words by our own postings, weighed as SQLite's FTS5 weighs them. */
#include "store.h"

#include <stdlib.h>

#include "nearest/best.h"
#include "nearest/kernel.h"

/* More candidates than that are not asked for: reading all vectors costs no more then. */
enum { OVERSAMPLING = 8, CANDIDATES_MAX = 2000, STALE_TRIES = 4 };

struct search {
    struct redis_store    *store;
    struct collection      collection;
    const bp_vector_query *query;
    uint32_t               stride;
    float *vector, *row; /* aligned and padded, as the kernel wants them; NULL: not this leg */
    kernel score;
    bool   is_stale; /* the collection is another by now: the result is worth nothing */
};

/* Whether a command's answer, that asked for the epoch, says that the collection is still the one
 * we know. */
static bool is_current(struct search *search, const struct redis_reply *epoch)
{
    search->is_stale = epoch->type != REDIS_STRING ||
                       !bp_str_equal(epoch->text, search->collection.epoch);
    return !search->is_stale;
}

/* ---- vectors ---- */

static void *aligned(bp_call *call, size_t size)
{
    char *bytes = bp_alloc(call, size + KERNEL_ALIGNMENT);

    return bytes
               ? bytes + (KERNEL_ALIGNMENT - (uintptr_t)bytes % KERNEL_ALIGNMENT) % KERNEL_ALIGNMENT
               : NULL;
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
        best_offer(&scan->best, point->id, score_of(scan->search, point->vector));
        scan->rows_read++;
    }
    return BP_OK;
}

static bp_status search_exactly(bp_call *call, struct search *search, bp_hit *hits, bp_leg *leg)
{
    struct scan scan = { search, { hits, 0, search->query->limit }, 0 };

    BP_TRY(walk(call, search->store, &search->collection, search->query->filter, 0, WALK_VECTOR,
                scan_one, &scan));
    best_sort(hits, scan.best.count);
    leg->hits = hits;
    leg->hit_count = scan.best.count;
    leg->rows_read = scan.rows_read;
    leg->mode = search->query->filter ? BP_SEARCH_FILTERED : BP_SEARCH_EXACT;
    return BP_OK;
}

/* What the index is asked. */
struct question {
    bp_str   filter;    /* in its language */
    uint32_t wanted;    /* candidates */
    bool is_by_reading; /* it reads all vectors that the filter lets pass, instead of walking its
                           graph */
};

/* Its answer: what passes the filter, in the order of the rank. */
struct answer {
    bp_hit  *hits;
    uint32_t count, came; /* candidates, with those that do not pass */
    bool     is_answered;
};

/* [ "v", bytes, "m", metadata ] of one point; it is scored by us, so that all modes score alike. */
static bp_status take_point(bp_call *call, struct search *search, uint64_t id,
                            const struct redis_reply *fields, struct answer *answer)
{
    bp_str vector = { 0 }, metadata = BP_STR("{}");
    bool   passes = true;

    for (size_t f = 0; f + 1 < fields->count; f += 2) {
        if (bp_str_is(fields->items[f]->text, "v"))
            vector = fields->items[f + 1]->text;
        else if (bp_str_is(fields->items[f]->text, "m"))
            metadata = fields->items[f + 1]->text;
    }
    if (vector.len != search->collection.dimensions * sizeof(float))
        return BP_OK;
    if (search->query->filter)
        BP_TRY(filters_decide(call, search->query->filter, metadata, &passes));
    if (passes)
        answer->hits[answer->count++] = (bp_hit){ id, score_of(search, vector.data) };
    return BP_OK;
}

/* FT.SEARCH answers [ total, key, [ ... ], key, ... ]. */
static bp_status take_nearest(bp_call *call, struct search *search, const struct redis_reply *reply,
                              uint32_t wanted, struct answer *answer)
{
    size_t base_len = search->collection.base.len + 2;

    if (reply->type != REDIS_ARRAY || reply->count < 1)
        return redis_fail_shape(call, "FT.SEARCH", reply);
    for (size_t i = 1; i + 1 < reply->count && answer->came < wanted; i += 2) {
        const struct redis_reply *key = reply->items[i], *fields = reply->items[i + 1];
        if (key->type != REDIS_STRING || key->text.len != base_len + ID_DIGITS ||
            fields->type != REDIS_ARRAY)
            continue;
        answer->came++;
        BP_TRY(take_point(call, search, strtoull(key->text.data + base_len, NULL, 10), fields,
                          answer));
    }
    best_sort(answer->hits, answer->count);
    return BP_OK;
}

static void add_question(bp_call *call, struct redis_batch *batch, const struct search *search,
                         const struct question *question)
{
    const struct collection *collection = &search->collection;
    bool                     is_hnsw = collection->index == INDEX_HNSW && !question->is_by_reading;
    int64_t     effort = search->query->effort ? search->query->effort : search->store->ef_runtime;
    bp_str      number = bp_format(call, "%u", question->wanted);
    const char *how = is_hnsw                   ? " EF_RUNTIME $e"
                      : question->is_by_reading ? " HYBRID_POLICY ADHOC_BF"
                                                : "";
    bp_str      words[32];
    size_t      count = 0;

    words[count++] = BP_STR("FT.SEARCH");
    words[count++] = collection_key(call, collection, "index", (bp_str){ 0 });
    words[count++] = bp_format(call, BP_FMT "=>[KNN $k @v $q%s AS d]", BP_ARG(question->filter),
                               how);
    words[count++] = BP_STR("PARAMS");
    words[count++] = is_hnsw ? BP_STR("6") : BP_STR("4");
    words[count++] = BP_STR("k");
    words[count++] = number;
    words[count++] = BP_STR("q");
    words[count++] = bp_str_n((const char *)search->vector, collection->dimensions * sizeof(float));
    if (is_hnsw) {
        words[count++] = BP_STR("e");
        words[count++] = bp_format(call, "%lld",
                                   (long long)(effort > question->wanted ? effort
                                                                         : question->wanted));
    }
    words[count++] = BP_STR("SORTBY");
    words[count++] = BP_STR("d");
    words[count++] = BP_STR("RETURN");
    words[count++] = search->query->filter ? BP_STR("2") : BP_STR("1");
    words[count++] = BP_STR("v");
    if (search->query->filter)
        words[count++] = BP_STR("m");
    words[count++] = BP_STR("LIMIT");
    words[count++] = BP_STR("0");
    words[count++] = number;
    words[count++] = BP_STR(
        "TIMEOUT"); // the server's own is short, and it gives what it has then, as if it were all
    words[count++] = bp_format(call, "%lld",
                               (long long)(search->store->redis.timeout_ns / 1000000));
    words[count++] = BP_STR("DIALECT");
    words[count++] = BP_STR("2");
    redis_add(batch, words, count);
}

/* In one trip with the question whether the collection is still the one we know. */
static bp_status ask_index(bp_call *call, struct search *search, const struct question *question,
                           struct answer *answer)
{
    const struct collection         *collection = &search->collection;
    struct redis_batch              *batch = redis_batch_new(call, collection->meta);
    const struct redis_reply *const *replies;

    *answer = (struct answer){ .hits = BP_NEW_ARRAY(call, bp_hit, question->wanted) };
    if (!answer->hits)
        return BP_NO_MEMORY;
    redis_add(batch, (bp_str[]){ BP_STR("HGET"), collection->meta, BP_STR("epoch") }, 3);
    add_question(call, batch, search, question);
    BP_TRY(redis_run(call, search->store->client, batch, REDIS_IDEMPOTENT | REDIS_ERRORS_PASS,
                     &replies));
    if (!is_current(search, replies[0]))
        return BP_OK;
    answer->is_answered = replies[1]->type != REDIS_ERROR;
    if (answer->is_answered)
        return take_nearest(call, search, replies[1], question->wanted, answer);
    bp_log(call, BP_LOG_WARN,
           "RediSearch does not answer for \"" BP_FMT "\", so all vectors are read: " BP_FMT,
           BP_ARG(collection->name), BP_ARG(replies[1]->text));
    return BP_OK;
}

/* By the index, which looks at what may pass the filter. Where it cannot be told exactly what
 * passes, more are asked for than are wanted. When the walk through its graph ends with too few, it
 * reads all that may pass; when too few of many candidates pass, we read all: *is_answered is false
 * then. */
static bp_status search_index(bp_call *call, struct search *search, bp_leg *leg, bool *is_answered)
{
    uint32_t        limit = search->query->limit;
    struct question question = { BP_STR("*"), limit, false };
    struct answer   answer;
    bool            is_exact = !search->query->filter;

    *is_answered = false;
    if (search->collection.index == INDEX_AUTO)
        return BP_OK;
    if (search->query->filter && search->collection.has_tags)
        BP_TRY(tags_query(call, search->query->filter, &question.filter, &is_exact));
    if (!is_exact && limit < CANDIDATES_MAX)
        question.wanted = limit * OVERSAMPLING < CANDIDATES_MAX ? limit * OVERSAMPLING
                                                                : CANDIDATES_MAX;
    for (;;) {
        BP_TRY(ask_index(call, search, &question, &answer));
        if (search->is_stale || !answer.is_answered)
            return BP_OK;
        if (answer.count >= limit)
            break;
        if (answer.came >= question.wanted) {
            if (question.wanted >= CANDIDATES_MAX)
                return BP_OK;
            question.wanted = question.wanted * OVERSAMPLING < CANDIDATES_MAX
                                  ? question.wanted * OVERSAMPLING
                                  : CANDIDATES_MAX;
        } else if (!question.is_by_reading && search->collection.index == INDEX_HNSW &&
                   question.filter.len > 1) {
            question.is_by_reading = true;
        } else {
            break;
        }
    }
    *is_answered = true;
    leg->rows_read = answer.came;
    leg->hits = answer.hits;
    leg->hit_count = answer.count < limit ? answer.count : limit;
    leg->mode = search->collection.index == INDEX_HNSW ? BP_SEARCH_GRAPH : BP_SEARCH_EXACT;
    return BP_OK;
}

static bp_status search_vectors(bp_call *call, struct search *search, bp_leg *leg)
{
    bool    is_answered = false;
    bp_hit *hits;

    BP_TRY(search_index(call, search, leg, &is_answered));
    if (is_answered || search->is_stale)
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
static size_t weigh(const struct collection *collection, const struct token *term,
                    const struct redis_reply *postings, bp_hit *hits)
{
    double idf = bm25_idf(collection->points, postings->count / 2);
    double average = collection->points ? (double)collection->tokens / (double)collection->points
                                        : 0;
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

static void add_reads(bp_call *call, struct redis_batch *batch, const struct search *search,
                      const struct token_list *terms)
{
    redis_add(batch,
              (bp_str[]){ BP_STR("HMGET"), search->collection.meta, BP_STR("points"),
                          BP_STR("tokens"), BP_STR("epoch") },
              5);
    for (size_t i = 0; i < terms->count; i++)
        redis_add(batch,
                  (bp_str[]){ BP_STR("HGETALL"), collection_key(call, &search->collection,
                                                                "t:", terms->items[i].text) },
                  2);
}

/* Answers of these reads, in one transaction, so that they fit each other. A server with full
 * memory refuses to begin one, as it would have to keep the commands; it refuses what writes as
 * well, so that they fit each other without. */
static bp_status read_all(bp_call *call, const struct search *search,
                          const struct token_list *terms, const struct redis_reply *const **answers)
{
    struct redis_batch              *batch = redis_batch_new(call, search->collection.base);
    const struct redis_reply *const *replies;
    const struct redis_reply        *whole;
    bp_status                        status;

    redis_add_line(batch, "MULTI");
    add_reads(call, batch, search, terms);
    redis_add_line(batch, "EXEC");
    status = redis_run(call, search->store->client, batch, REDIS_IDEMPOTENT, &replies);
    if (status == BP_FULL) {
        bp_clear_error(call);
        batch = redis_batch_new(call, search->collection.base);
        add_reads(call, batch, search, terms);
        return redis_run(call, search->store->client, batch, REDIS_IDEMPOTENT, answers);
    }
    BP_TRY(status);
    whole = replies[terms->count + 2];
    if (whole->type != REDIS_ARRAY || whole->count != terms->count + 1)
        return redis_fail_shape(call, "EXEC", whole);
    *answers = (const struct redis_reply *const *)whole->items;
    return BP_OK;
}

/* The figures of the collection and the postings of all terms; those stand behind the first of
 * `*answers`. */
static bp_status read_postings(bp_call *call, struct search *search, const struct token_list *terms,
                               const struct redis_reply *const **answers)
{
    const struct redis_reply *figures;

    BP_TRY(read_all(call, search, terms, answers));
    figures = (*answers)[0];
    if (figures->type != REDIS_ARRAY || figures->count != 3)
        return redis_fail_shape(call, "HMGET", figures);
    if (!is_current(search, figures->items[2]))
        return BP_OK;
    search->collection.points = figures->items[0]->text.len
                                    ? strtoull(figures->items[0]->text.data, NULL, 10)
                                    : 0;
    search->collection.tokens = figures->items[1]->text.len
                                    ? strtoull(figures->items[1]->text.data, NULL, 10)
                                    : 0;
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
static bp_status filter_ranked(bp_call *call, struct search *search, bp_hit *hits, size_t count,
                               uint32_t *kept)
{
    uint32_t limit = search->query->limit;
    size_t   step = limit < 100 ? 200 : (size_t)limit * 2;
    bool    *passes = BP_NEW_ARRAY(call, bool, step);

    *kept = 0;
    if (!passes)
        return BP_NO_MEMORY;
    for (size_t at = 0; at < count && *kept < limit; at += step) {
        size_t some = count - at < step ? count - at : step;
        BP_TRY(walk_check(call, search->store, &search->collection, search->query->filter,
                          hits + at, some, passes));
        for (size_t i = 0; i < some && *kept < limit; i++)
            if (passes[i])
                hits[(*kept)++] = hits[at + i];
    }
    return BP_OK;
}

static bp_status search_words(bp_call *call, struct search *search, bp_leg *leg)
{
    struct token_list                terms;
    const struct redis_reply *const *answers;
    bp_hit                          *hits;
    size_t                           count = 0;
    uint32_t                         kept;

    leg->mode = BP_SEARCH_EXACT;
    BP_TRY(tokens_of_query(call, search->store->tokens, search->collection.tokenizer,
                           search->query->words, &terms));
    if (!terms.count)
        return BP_OK; // nothing but punctuation
    BP_TRY(read_postings(call, search, &terms, &answers));
    if (search->is_stale)
        return BP_OK;
    for (size_t i = 0; i < terms.count; i++)
        count += answers[i + 1]->count / 2;
    hits = BP_NEW_ARRAY(call, bp_hit, count + 1);
    if (!hits)
        return BP_NO_MEMORY;
    count = 0;
    for (size_t i = 0; i < terms.count; i++)
        count += weigh(&search->collection, &terms.items[i], answers[i + 1], hits + count);
    leg->rows_read = count;
    qsort(hits, count, sizeof(*hits), by_id);
    count = sum_up(hits, count);
    best_sort(hits, count);
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
                       "the collection \"" BP_FMT "\" has vectors of %u dimensions, the query has "
                       "%u: it is of another embedder",
                       BP_ARG(collection->name), collection->dimensions, query->dimensions);
    search->stride = (collection->dimensions + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    search->vector = aligned(call, search->stride * sizeof(float));
    search->row = aligned(call, search->stride * sizeof(float));
    search->score = collection->metric == BP_L2 ? kernel_negated_distance()
                                                : kernel_inner_product();
    if (!search->vector || !search->row)
        return BP_NO_MEMORY;
    if (!vectors_prepare(query->vector, collection->dimensions, collection->metric, search->vector))
        return bp_fail(call, BP_INVALID, "the query's vector is zero or not finite");
    return BP_OK;
}

/* The collection as it was known, or as it is. */
static bp_status find_collection(bp_call *call, struct search *search)
{
    const bp_vector_query *query = search->query;
    struct collection     *collection = &search->collection;

    // One without an index is read whole, which asks nothing on the way; and what does not fit may
    // fit another by now.
    if (record_find(call, search->store, query->collection, collection) &&
        !(query->vector &&
          (collection->index == INDEX_AUTO || collection->dimensions != query->dimensions)))
        return BP_OK;
    record_forget(search->store, query->collection);
    BP_TRY(collection_find(call, search->store, query->collection, collection));
    record_keep(search->store, collection);
    return BP_OK;
}

static bp_status search_once(bp_call *call, struct search *search, bp_leg *by_vector,
                             bp_leg *by_words)
{
    search->is_stale = false;
    by_vector->mode = by_words->mode = BP_SEARCH_NONE;
    by_vector->hit_count = by_words->hit_count = 0;
    by_vector->rows_read = by_words->rows_read = 0;
    BP_TRY(find_collection(call, search));
    if (search->query->vector)
        BP_TRY(prepare_vector(call, search));
    if (search->query->vector)
        BP_TRY(search_vectors(call, search, by_vector));
    if (search->query->words.len && !search->is_stale)
        BP_TRY(search_words(call, search, by_words));
    if (search->is_stale)
        record_forget(search->store, search->query->collection);
    return BP_OK;
}

bp_status store_search(bp_call *call, void *instance, const bp_vector_query *query,
                       bp_leg *by_vector, bp_leg *by_words)
{
    struct search search = { .store = instance, .query = query };

    if (query->limit < 1 || query->limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a search gives 1 to %d hits, not %u", LIMIT_MAX,
                       query->limit);
    BP_TRY(filters_check(call, query->filter));
    for (int tries = 0; tries < STALE_TRIES; tries++) {
        BP_TRY(search_once(call, &search, by_vector, by_words));
        if (!search.is_stale)
            return BP_OK;
    }
    return bp_fail(call, BP_UNAVAILABLE,
                   "the collection \"" BP_FMT "\" is made and dropped by others all the time",
                   BP_ARG(query->collection));
}

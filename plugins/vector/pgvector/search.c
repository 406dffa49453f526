/* search.c - the two legs of a search in one trip: by the graph or all vectors, and BM25 over the
 * postings.
 *
 * The weights of BM25 are those of tokens.h, so a query ranks passages as vector/local does. The
 * sum of a point is taken in the order of the terms, so that equal passages have equal scores to
 * the last bit.
 */
#include "pgvector.h"

#include <stdlib.h>

enum { STATEMENTS_MAX = 6, EFFORT_MAX = 1000 };

struct search {
    struct store          *store;
    const bp_vector_query *query;
    struct collection      collection;
    bp_statement           statements[STATEMENTS_MAX];
    bp_sql_value           values[STATEMENTS_MAX][4];
    size_t                 count, vector_at, words_at;
    bool                   is_graph;
    bp_leg                *by_vector, *by_words;
};

static void add_statement(struct search *s, bp_str sql, uint32_t count)
{
    s->statements[s->count] = (bp_statement){ sizeof(bp_statement), count, sql,
                                              s->values[s->count] };
    s->count++;
}

/* ---- vectors ---- */

/* A setting that lasts until the end of the trip, which is a transaction. */
static void set(bp_call *call, struct search *s, const char *name, bp_str value)
{
    s->values[s->count][0] = bp_sql_text(value);
    add_statement(s, bp_format(call, "SELECT set_config('%s', $1, true)", name), 1);
}

static void set_effort(bp_call *call, struct search *s)
{
    int64_t effort = s->query->effort ? s->query->effort : s->store->ef_search;

    if (effort < s->query->limit)
        effort = s->query->limit;
    set(call, s, "hnsw.ef_search",
        bp_format(call, "%lld", (long long)(effort < EFFORT_MAX ? effort : EFFORT_MAX)));
    if (s->store->has_iterative_scan)
        set(call, s, "hnsw.iterative_scan", BP_STR("strict_order"));
}

static bp_status write_vectors(bp_call *call, struct search *s)
{
    const struct collection *c = &s->collection;
    float                   *vector = BP_NEW_ARRAY(call, float, c->dimensions);
    bp_buf                  *text = bp_buf_new(call, 1 << 20), *sql = bp_buf_new(call, 2 << 20);
    const char              *type = c->is_half ? "halfvec" : "vector",
               *operator= c->metric == BP_L2 ? "<->" : "<#>";

    if (s->query->dimensions != c->dimensions)
        return bp_fail(call, BP_INVALID,
                       "the collection \"%s\" has vectors of %u dimensions, the query has %u: it "
                       "is of another embedder",
                       c->name, c->dimensions, s->query->dimensions);
    if (!vector)
        return BP_NO_MEMORY;
    if (!vectors_prepare(s->query->vector, c->dimensions, c->metric, vector))
        return bp_fail(call, BP_INVALID, "the query's vector is zero or not finite");
    vector_add(text, vector, c->dimensions);
    // Without iterative scan a graph gives ef_search points before the filter, which may be too
    // few.
    s->is_graph = c->is_indexed && (s->store->has_iterative_scan ||
                                    (!s->query->filter && s->query->limit <= EFFORT_MAX));
    if (s->is_graph)
        set_effort(call, s);
    else
        set(call, s, "enable_indexscan", BP_STR("off"));
    s->values[s->count][0] = bp_sql_text(bp_buf_str(text));
    s->values[s->count][1] = bp_sql_int(s->query->limit);
    bp_buf_addf(sql,
                "SELECT id, -d AS score FROM (SELECT p.id, p.vector %s CAST($1 AS %s) AS d FROM ",
                operator, type);
    bp_buf_add(sql, collection_sql(call, c, "bpv_points_% p WHERE p.vector IS NOT NULL AND "));
    BP_TRY(filter_write(call, sql, s->query->filter, 3, s->values[s->count]));
    bp_buf_addf(sql, " ORDER BY p.vector %s CAST($1 AS %s)%s LIMIT $2) s ORDER BY d, id", operator,
                type, s->is_graph ? "" : ", p.id");
    s->vector_at = s->count;
    add_statement(s, bp_buf_str(sql), 3);
    return BP_OK;
}

/* ---- words ---- */

static const char words_sql[] = "WITH q AS (SELECT term, times FROM unnest(CAST($1 AS text[]), "
                                "CAST($2 AS bigint[])) x(term, times)), n AS (SELECT "
                                "CAST(sum(points) AS float8) AS points, CAST(sum(tokens) AS "
                                "float8) AS tokens FROM bpv_counts_%), f AS (SELECT q.term, "
                                "q.times, count(*)::float8 AS c FROM q JOIN bpv_terms_% t ON "
                                "t.term = q.term COLLATE \"C\" GROUP BY q.term, q.times), w AS "
                                "(SELECT f.term, f.times * (CASE WHEN (n.points - f.c + 0.5) / "
                                "(f.c + 0.5) <= 1 THEN 1e-6 ELSE greatest(ln((n.points - f.c + "
                                "0.5) / (f.c + 0.5)), 1e-6) END) AS weight, n.tokens / n.points AS "
                                "average FROM f, n) SELECT t.id, sum(w.weight * (t.frequency * "
                                "2.2) / (t.frequency + 1.2 * (0.25 + 0.75 * t.length / w.average)) "
                                "ORDER BY w.term) AS score FROM w JOIN bpv_terms_% t ON t.term = "
                                "w.term COLLATE \"C\" ";

static bp_status write_words(bp_call *call, struct search *s)
{
    struct token_list list = { .items = NULL };
    bp_buf           *terms = bp_buf_new(call, 1 << 22), *times = bp_buf_new(call, 1 << 16),
           *sql = bp_buf_new(call, 2 << 20);

    BP_TRY(tokens_of_query(call, s->store->shared->tokens, s->collection.tokenizer, s->query->words,
                           &list));
    if (!list.count)
        return BP_OK; // nothing but punctuation
    array_begin(terms);
    array_begin(times);
    for (size_t i = 0; i < list.count; i++) {
        array_add(terms, list.items[i].text);
        array_add_integer(times, list.items[i].times);
    }
    array_end(terms);
    array_end(times);
    s->values[s->count][0] = bp_sql_text(bp_buf_str(terms));
    s->values[s->count][1] = bp_sql_text(bp_buf_str(times));
    s->values[s->count][2] = bp_sql_int(s->query->limit);
    bp_buf_add(sql, collection_sql(call, &s->collection, words_sql));
    if (s->query->filter) {
        bp_buf_add(sql, collection_sql(call, &s->collection,
                                       "JOIN bpv_points_% p ON p.id = t.id WHERE "));
        BP_TRY(filter_write(call, sql, s->query->filter, 4, s->values[s->count]));
    }
    bp_buf_add(sql, BP_STR(" GROUP BY t.id ORDER BY score DESC, t.id LIMIT $3"));
    s->words_at = s->count;
    add_statement(s, bp_buf_str(sql), s->query->filter ? 4 : 3);
    return BP_OK;
}

/* ---- rows ---- */

static bp_status see_row(bp_call *call, void *self, size_t statement, PGresult *result)
{
    struct search *s = self;
    bp_leg        *leg = statement == s->vector_at  ? s->by_vector
                         : statement == s->words_at ? s->by_words
                                                    : NULL;
    bp_hit        *hit;

    if (!leg)
        return BP_OK;
    if (PQnfields(result) != 2 || PQgetisnull(result, 0, 0) || PQgetisnull(result, 0, 1))
        return bp_fail(call, BP_UPSTREAM, "the server answered a search with invalid rows");
    if (leg->hit_count >= s->query->limit)
        return bp_fail(call, BP_INTERNAL, "the server gave more hits than were asked for");
    hit = (bp_hit *)(uintptr_t)&leg->hits[leg->hit_count++];
    hit->id = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    hit->score = strtod(PQgetvalue(result, 0, 1), NULL);
    return BP_OK;
}

static bp_status begin_leg(bp_call *call, struct search *s, bp_leg *leg, bool is_wanted,
                           uint32_t mode)
{
    leg->mode = is_wanted ? mode : BP_SEARCH_NONE;
    leg->hit_count = 0;
    leg->rows_read = 0;
    leg->hits = is_wanted ? BP_NEW_ARRAY(call, bp_hit, s->query->limit) : NULL;
    return is_wanted && !leg->hits ? BP_NO_MEMORY : BP_OK;
}

static bp_status search_once(bp_call *call, struct search *s, struct postgres_outcome *outcome)
{
    const struct postgres_visitor visitor = { see_row, NULL, s };
    struct postgres_connection   *connection;
    bp_status                     status;

    s->count = 0;
    s->vector_at = s->words_at = SIZE_MAX;
    BP_TRY(collection_find(call, s->store, s->query->collection, &s->collection));
    if (s->query->words.len) // first, as the settings for the vectors last to the end
        BP_TRY(write_words(call, s));
    if (s->query->vector)
        BP_TRY(write_vectors(call, s));
    BP_TRY(begin_leg(call, s, s->by_vector, s->query->vector != NULL,
                     s->is_graph        ? BP_SEARCH_GRAPH
                     : s->query->filter ? BP_SEARCH_FILTERED
                                        : BP_SEARCH_EXACT));
    BP_TRY(begin_leg(call, s, s->by_words, s->query->words.len != 0, BP_SEARCH_EXACT));
    if (!s->count)
        return BP_OK;
    BP_TRY(postgres_take(call, &s->store->pool, &connection));
    status = postgres_trip(call, connection, s->statements, s->count, false, &visitor, outcome);
    postgres_give(connection);
    s->by_vector->rows_read = s->by_vector->hit_count;
    s->by_words->rows_read = s->by_words->hit_count;
    return status;
}

bp_status pgvector_search(bp_call *call, void *instance, const bp_vector_query *query,
                          bp_leg *by_vector, bp_leg *by_words)
{
    struct search s = {
        .store = instance, .query = query, .by_vector = by_vector, .by_words = by_words
    };
    struct postgres_outcome outcome = { .sqlstate = "" };
    bp_status               status;

    by_vector->mode = by_words->mode = BP_SEARCH_NONE;
    by_vector->hit_count = by_words->hit_count = 0;
    if (query->limit < 1 || query->limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a search gives 1 to %d hits, not %u", LIMIT_MAX,
                       query->limit);
    status = search_once(call, &s, &outcome);
    if (status != BP_OK &&
        (outcome.is_forgotten || outcome.is_lost || strncmp(outcome.sqlstate, "40", 2) == 0) &&
        bp_cancelled(call) == BP_OK)
        status = search_once(call, &s, &outcome);
    if (s.collection.number && collection_is_stale(call, s.store, &s.collection, &outcome, &status))
        status = search_once(call, &s, &outcome);
    return status;
}

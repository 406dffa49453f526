/* points.c - writing and deleting points: the point, its postings and a line of counts in one
 * transaction.
 *
 * Who writes first locks the ranges of ids that he touches, by rising number, so that two who write
 * the same points take turns and never deadlock, while others go on. Who deletes by a filter does
 * not know the ids and locks them all. Only then anything is read, so the rows read are those that
 * the one before has left.
 */
#include "pgvector.h"

#include <stdlib.h>

enum { POINTS_A_STATEMENT = 500, POSTINGS_A_STATEMENT = 20000, TEXT_MAX = 900 << 20 };

struct upsert {
    struct store      *store;
    struct collection *collection;
    const bp_point   **points; /* by id, each once */
    size_t             count;
    struct token_list *tokens; /* one a point */
    bp_statement      *statements;
    size_t             statement_count, statement_room;
};

/* ---- checks ---- */

static bp_status check_point(bp_call *call, const struct collection *collection,
                             const bp_point *point, float *vector)
{
    BP_TRY(vectors_check_point(call, point, NULL));
    if (point->vector &&
        !vectors_prepare(point->vector, collection->dimensions, collection->metric, vector))
        return bp_fail(call, BP_INVALID, "point %llu: its vector is zero or not finite",
                       (unsigned long long)point->id);
    return BP_OK;
}

/* ---- sorting ---- */

struct place {
    const bp_point *point;
    size_t          at;
};

static int by_id(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->point->id != y->point->id)
        return x->point->id < y->point->id ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

/* By rising id; of those with the same id the last counts. */
static bp_status sort_points(bp_call *call, struct upsert *u, const bp_point *points,
                             size_t point_size, size_t count)
{
    struct place *places = BP_NEW_ARRAY(call, struct place, count);

    u->points = BP_NEW_ARRAY(call, const bp_point *, count);
    u->tokens = BP_NEW_ARRAY(call, struct token_list, count);
    if (!places || !u->points || !u->tokens)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){
            (const bp_point *)(const void *)((const char *)points + i * point_size), i
        };
    qsort(places, count, sizeof(*places), by_id);
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || places[i + 1].point->id != places[i].point->id)
            u->points[u->count++] = places[i].point;
    return BP_OK;
}

/* ---- statements ---- */

static bp_status add_statement(bp_call *call, struct upsert *u, const char *sql,
                               const bp_sql_value *values, uint32_t count)
{
    bp_sql_value *copy = BP_NEW_ARRAY(call, bp_sql_value, count);

    if (u->statement_count == u->statement_room) {
        size_t        room = u->statement_room ? u->statement_room * 2 : 16;
        bp_statement *grown = BP_NEW_ARRAY(call, bp_statement, room);

        if (!grown)
            return BP_NO_MEMORY;
        if (u->statement_count)
            memcpy(grown, u->statements, u->statement_count * sizeof(*grown));
        u->statements = grown;
        u->statement_room = room;
    }
    if (!copy)
        return BP_NO_MEMORY;
    memcpy(copy, values, count * sizeof(*copy));
    u->statements[u->statement_count++] = (bp_statement){ sizeof(bp_statement), count,
                                                          collection_sql(call, u->collection, sql),
                                                          copy };
    return BP_OK;
}

static bp_status ids_text(bp_call *call, const struct upsert *u, bp_str *text)
{
    bp_buf *ids = bp_buf_new(call, TEXT_MAX);

    array_begin(ids);
    for (size_t i = 0; i < u->count; i++)
        array_add_integer(ids, (int64_t)u->points[i]->id);
    array_end(ids);
    *text = bp_buf_str(ids);
    return bp_buf_status(ids);
}

/* Advisory locks of two numbers: the collection's and a range's, -1 for all; 64 ids in a row are a
 * range, of 512. */
#define LOCK_SOME                                                                                  \
    "SELECT pg_advisory_xact_lock(-7 - CAST(% AS integer), b) FROM (SELECT DISTINCT CAST(mod(i / " \
    "64, 512) AS "                                                                                 \
    "integer) AS b FROM unnest(CAST($1 AS bigint[])) i ORDER BY 1) o"
#define LOCK_SHARED "SELECT pg_advisory_xact_lock_shared(-7 - CAST(% AS integer), -1)"
#define LOCK_ALL    "SELECT pg_advisory_xact_lock(-7 - CAST(% AS integer), -1)"

static bp_status write_head(bp_call *call, struct upsert *u)
{
    bp_sql_value values[3];
    int64_t      tokens = 0;
    bp_str       ids = { NULL, 0 };

    for (size_t i = 0; i < u->count; i++)
        tokens += u->tokens[i].length;
    BP_TRY(ids_text(call, u, &ids));
    values[0] = bp_sql_text(ids);
    values[1] = bp_sql_int((int64_t)u->count);
    values[2] = bp_sql_int(tokens);
    BP_TRY(add_statement(call, u, LOCK_SHARED, values, 0));
    BP_TRY(add_statement(call, u, LOCK_SOME, values, 1));
    return add_statement(call, u,
                         "WITH gone AS (DELETE FROM bpv_points_% WHERE id = ANY(CAST($1 AS "
                         "bigint[])) RETURNING length), t AS (DELETE FROM bpv_terms_% WHERE id = "
                         "ANY(CAST($1 AS bigint[]))) INSERT INTO bpv_counts_%(points, tokens) "
                         "SELECT $2 - count(*), $3 - coalesce(sum(length), 0) FROM gone",
                         values, 3);
}

static bp_status write_points(bp_call *call, struct upsert *u, float *vector, size_t from,
                              size_t to)
{
    bp_buf      *columns[5];
    bp_sql_value values[5];

    for (int i = 0; i < 5; i++) {
        columns[i] = bp_buf_new(call, TEXT_MAX);
        array_begin(columns[i]);
    }
    for (size_t i = from; i < to; i++) {
        const bp_point *point = u->points[i];
        bool has_vector = point->vector && vectors_prepare(point->vector, u->collection->dimensions,
                                                           u->collection->metric, vector);

        array_add_integer(columns[0], (int64_t)point->id);
        array_add(columns[1], point->metadata);
        array_add(columns[2], point->words);
        array_add_integer(columns[3], u->tokens[i].length);
        array_add_vector(columns[4], has_vector ? vector : NULL, u->collection->dimensions);
    }
    for (int i = 0; i < 5; i++) {
        array_end(columns[i]);
        if (bp_buf_status(columns[i]) != BP_OK)
            return bp_fail(call, bp_buf_status(columns[i]),
                           "the points are too large to be written at once");
        values[i] = bp_sql_text(bp_buf_str(columns[i]));
    }
    return add_statement(call, u,
                         u->collection->is_half
                             ? "INSERT INTO bpv_points_%(id, metadata, fields, words, length, "
                               "vector) SELECT i, m, CASE WHEN m = '' THEN '{}' ELSE m END::jsonb, "
                               "w, l, v::halfvec FROM unnest(CAST($1 AS bigint[]), CAST($2 AS "
                               "text[]), CAST($3 AS text[]), CAST($4 AS bigint[]), CAST($5 AS "
                               "text[])) x(i, m, w, l, v)"
                             : "INSERT INTO bpv_points_%(id, metadata, fields, words, length, "
                               "vector) SELECT i, m, CASE WHEN m = '' THEN '{}' ELSE m END::jsonb, "
                               "w, l, v::vector FROM unnest(CAST($1 AS bigint[]), CAST($2 AS "
                               "text[]), CAST($3 AS text[]), CAST($4 AS bigint[]), CAST($5 AS "
                               "text[])) x(i, m, w, l, v)",
                         values, 5);
}

/* Postings of points from *point, *token on, as many as fit into one statement. */
static bp_status write_postings(bp_call *call, struct upsert *u, size_t *point, size_t *token)
{
    bp_buf      *columns[4];
    bp_sql_value values[4];
    size_t       written = 0;

    for (int i = 0; i < 4; i++) {
        columns[i] = bp_buf_new(call, TEXT_MAX);
        array_begin(columns[i]);
    }
    while (*point < u->count && written < POSTINGS_A_STATEMENT) {
        const struct token_list *list = &u->tokens[*point];

        if (*token == list->count) {
            (*point)++;
            *token = 0;
            continue;
        }
        array_add(columns[0], list->items[*token].text);
        array_add_integer(columns[1], (int64_t)u->points[*point]->id);
        array_add_integer(columns[2], list->items[*token].times);
        array_add_integer(columns[3], list->length);
        (*token)++;
        written++;
    }
    for (int i = 0; i < 4; i++) {
        array_end(columns[i]);
        if (bp_buf_status(columns[i]) != BP_OK)
            return bp_fail(call, bp_buf_status(columns[i]),
                           "the words are too many to be written at once");
        values[i] = bp_sql_text(bp_buf_str(columns[i]));
    }
    if (!written)
        return BP_OK;
    return add_statement(call, u,
                         "INSERT INTO bpv_terms_%(term, id, frequency, length) SELECT * FROM "
                         "unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS bigint[]), "
                         "CAST($4 AS bigint[]))",
                         values, 4);
}

/* On a pool thread: checks, tokens and the texts of arrays take their time. */
static bp_status prepare_job(bp_call *call, void *arg)
{
    struct upsert *u = arg;
    float         *vector = BP_NEW_ARRAY(call, float, u->collection->dimensions);
    size_t         point = 0, token = 0;

    if (!vector)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < u->count; i++) {
        BP_TRY(check_point(call, u->collection, u->points[i], vector));
        BP_TRY(tokens_of_passage(call, u->store->shared->tokens, u->collection->tokenizer,
                                 u->points[i]->words, &u->tokens[i]));
    }
    BP_TRY(write_head(call, u));
    for (size_t i = 0; i < u->count; i += POINTS_A_STATEMENT)
        BP_TRY(write_points(call, u, vector, i,
                            i + POINTS_A_STATEMENT < u->count ? i + POINTS_A_STATEMENT : u->count));
    while (point < u->count)
        BP_TRY(write_postings(call, u, &point, &token));
    return BP_OK;
}

bp_status pgvector_upsert(bp_call *call, void *instance, bp_str name, const bp_point *points,
                          size_t point_size, size_t count)
{
    struct collection       collection;
    struct upsert           u = { .store = instance, .collection = &collection };
    struct postgres_outcome outcome;
    bp_status               status;

    if (count > POINTS_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "%zu points were given, at most %d can be written at once", count,
                       POINTS_MAX);
    BP_TRY(collection_find(call, u.store, name, &collection));
    if (count == 0)
        return BP_OK;
    BP_TRY(sort_points(call, &u, points, point_size, count));
    do {
        u.statement_count = 0;
        BP_TRY(bp_offload(call, NULL, prepare_job, &u));
        status = sql_run(call, u.store, u.statements, u.statement_count, 0, true, NULL, &outcome);
    } while (collection_is_stale(call, u.store, &collection, &outcome, &status));
    return status;
}

/* ---- remove ---- */

static bp_status remove_once(bp_call *call, struct store *store, const struct collection *c,
                             const uint64_t *ids, size_t count, const bp_filter *filter,
                             uint64_t *removed, struct postgres_outcome *outcome)
{
    bp_buf      *sql = bp_buf_new(call, 2 << 20), *list = bp_buf_new(call, TEXT_MAX);
    bp_sql_value value = bp_sql_null();
    bp_statement statements[3];
    bp_rows      rows = { .struct_size = sizeof(rows) };
    size_t       made = 0;

    if (ids) {
        array_begin(list);
        for (size_t i = 0; i < count; i++)
            if (ids[i] >= 1 && ids[i] <= INT64_MAX)
                array_add_integer(list, (int64_t)ids[i]);
        array_end(list);
        value = bp_sql_text(bp_buf_str(list));
        statements[made++] = (bp_statement){ sizeof(bp_statement), 0,
                                             collection_sql(call, c, LOCK_SHARED), NULL };
        statements[made++] = (bp_statement){ sizeof(bp_statement), 1,
                                             collection_sql(call, c, LOCK_SOME), &value };
    } else {
        statements[made++] = (bp_statement){ sizeof(bp_statement), 0,
                                             collection_sql(call, c, LOCK_ALL), NULL };
    }
    bp_buf_add(sql, collection_sql(call, c,
                                   "WITH chosen AS MATERIALIZED (SELECT p.id FROM bpv_points_% p "
                                   "WHERE "));
    if (ids)
        bp_buf_add(sql, BP_STR("p.id = ANY(CAST($1 AS bigint[]))"));
    else
        BP_TRY(filter_write(call, sql, filter, 1, &value));
    bp_buf_add(sql, collection_sql(call, c,
                                   "), gone AS (DELETE FROM bpv_points_% WHERE id IN (SELECT id "
                                   "FROM chosen) RETURNING length), t AS (DELETE FROM bpv_terms_% "
                                   "WHERE id IN (SELECT id FROM chosen)) INSERT INTO "
                                   "bpv_counts_%(points, tokens) SELECT -count(*), "
                                   "-coalesce(sum(length), 0) FROM gone RETURNING points"));
    statements[made++] = (bp_statement){ sizeof(bp_statement), 1, bp_buf_str(sql), &value };
    BP_TRY(sql_run(call, store, statements, made, made - 1, true, &rows, outcome));
    if (removed)
        *removed = rows.row_count ? (uint64_t)-rows.values[0].integer : 0;
    return BP_OK;
}

bp_status pgvector_remove(bp_call *call, void *instance, bp_str name, const uint64_t *ids,
                          size_t count, const bp_filter *filter, uint64_t *removed)
{
    struct store           *store = instance;
    struct collection       collection;
    struct postgres_outcome outcome = { .sqlstate = "" };
    bp_status               status;

    if (!ids && !filter)
        return bp_fail(call, BP_INVALID,
                       "say which points to delete: by their ids or by a filter; drop() deletes "
                       "all");
    BP_TRY(collection_find(call, store, name, &collection));
    status = remove_once(call, store, &collection, ids, count, filter, removed, &outcome);
    if (collection_is_stale(call, store, &collection, &outcome, &status))
        status = remove_once(call, store, &collection, ids, count, filter, removed, &outcome);
    return status;
}

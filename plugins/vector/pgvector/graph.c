/* graph.c - builds the graph of a collection while everybody goes on, however long that takes.
 *
 *      lock -> is one there? -> CREATE INDEX CONCURRENTLY ...... waited for, a few seconds a run of the job -> is_indexed
 *
 * The lock is the session's: processes that share a database do not build the same graph twice, nor
 * drop what another one is building. A graph of millions of points takes longer than a run of a job
 * may, so it has a connection of its own that outlives the run. What a process that died has left
 * is used when the server has finished it, and else made again.
 */
#include "pgvector.h"

#define WAIT_NS        BP_SECONDS(4)
#define BUILD_AGAIN_NS BP_SECONDS(600)

/* A statement with one integer to it, and the integer it answers; 0 without a row. */
static bp_status ask(bp_call *call, struct postgres_connection *connection, const char *sql,
                     int64_t number, int64_t *answer)
{
    const bp_sql_value value = bp_sql_int(number);
    const bp_statement statement = { sizeof(statement), 1, bp_str_of(sql), &value };
    bp_rows            rows = { .struct_size = sizeof(rows) };

    BP_TRY(postgres_collect(call, connection, &statement, 1, 0, false, &rows, NULL));
    *answer = rows.row_count ? rows.values[0].integer : 0;
    return BP_OK;
}

/* The lock goes with the connection. */
static void end(struct store *store)
{
    postgres_close(store->building);
    store->building = NULL;
}

static bp_status finish(bp_call *call, struct store *store)
{
    int64_t number = store->built.number;

    end(store);
    {
        const bp_sql_value value = bp_sql_int(number);
        BP_TRY(sql_run_one(call, store,
                           BP_STR("UPDATE bpv_collections SET is_indexed = true WHERE id = $1"),
                           &value, 1, true, NULL));
    }
    bp_log(call, BP_LOG_INFO, "collection %s: the graph of its vectors is built",
           store->built.name);
    return BP_OK;
}

static bp_status fail(bp_call *call, struct store *store, bp_str why)
{
    end(store);
    store->build_again_ns = bp_now_ns() + BUILD_AGAIN_NS;
    return bp_fail(call, BP_UNAVAILABLE,
                   "the graph of the collection %s cannot be built: " BP_FMT
                   "; until then every search reads all vectors, and in %d minutes it is tried "
                   "again",
                   store->built.name, BP_ARG(why), (int)(BUILD_AGAIN_NS / BP_SECONDS(60)));
}

/* *is_mine: nobody else builds it, it is missing, and the half-made one is gone. *is_there:
 * it is built already. */
static bp_status look(bp_call *call, struct store *store, bool *is_mine, bool *is_there)
{
    const struct collection *c = &store->built;
    int64_t                  answer = 0;

    *is_mine = *is_there = false;
    BP_TRY(ask(call, store->building, "SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1 ELSE 0 END",
               GRAPH_LOCK_BASE + c->number, &answer));
    if (!answer)
        return BP_OK;
    BP_TRY(ask(call, store->building,
               "SELECT count(*) FROM bpv_collections WHERE id = $1 AND NOT is_indexed", c->number,
               &answer));
    if (!answer)
        return BP_OK;
    // 1: whole, 2: not.
    BP_TRY(ask(call, store->building,
               "SELECT CASE WHEN indisvalid THEN 1 ELSE 2 END FROM pg_index WHERE indexrelid = "
               "to_regclass('bpv_graph_' || CAST($1 AS bigint))",
               c->number, &answer));
    *is_there = answer == 1;
    *is_mine = answer != 1;
    if (answer == 2)
        BP_TRY(postgres_run_text(call, store->building,
                                 collection_sql(call, c,
                                                "DROP INDEX CONCURRENTLY IF EXISTS bpv_graph_%")
                                     .data));
    return BP_OK;
}

static bool send(bp_call *call, struct store *store)
{
    const struct collection *c = &store->built;
    bp_str                   name = collection_sql(call, c, "bpv_graph_%"),
           table = collection_sql(call, c, "bpv_points_%"), sql;

    sql = bp_format(call,
                    "CREATE INDEX CONCURRENTLY " BP_FMT " ON " BP_FMT
                    " USING hnsw (vector %s%s) WITH (m = %lld, ef_construction = %lld)",
                    BP_ARG(name), BP_ARG(table), c->is_half ? "halfvec" : "vector",
                    c->metric == BP_L2 ? "_l2_ops" : "_ip_ops", (long long)store->m,
                    (long long)store->ef_construction);
    return sql.len && PQexitPipelineMode(store->building->pg) &&
           PQsendQuery(store->building->pg, sql.data);
}

bp_status graph_begin(bp_call *call, struct store *store, const struct collection *collection)
{
    bool      is_mine = false, is_there = false;
    bp_status status;

    store->built = *collection;
    BP_TRY(postgres_connect(call, &store->pool, &store->building));
    status = look(call, store, &is_mine, &is_there);
    if (status != BP_OK || (!is_mine && !is_there)) {
        end(store);
        return status;
    }
    if (is_there)
        return finish(call, store);
    if (!send(call, store))
        return fail(call, store, postgres_line(call, PQerrorMessage(store->building->pg)));
    return graph_go_on(call, store);
}

bp_status graph_go_on(bp_call *call, struct store *store)
{
    int64_t until_ns = bp_within(call, WAIT_NS);
    bp_str  why = { NULL, 0 };

    for (;;) {
        bp_status status = postgres_await(call, store->building, until_ns);
        PGresult *result;

        if (store->building->is_broken)
            return fail(call, store, bp_dup(call, bp_error_of(call)->message));
        if (status != BP_OK) { // it takes longer, or this worker stops
            if (bp_cancelled(call) == BP_OK)
                bp_clear_error(call);
            return bp_cancelled(call);
        }
        result = PQgetResult(store->building->pg);
        if (!result)
            return why.len ? fail(call, store, why) : finish(call, store);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            why = postgres_line(call, PQresultErrorMessage(result));
        PQclear(result);
    }
}

void graph_leave(struct store *store)
{
    if (store->building)
        end(store);
}

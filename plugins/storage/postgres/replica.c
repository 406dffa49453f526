/* replica.c - which reads a replica may answer.
 *
 * Once a second each worker notes the primary's log position and asks the replica how far it has
 * come. What the primary had at the newest note that the replica has passed, the replica has too;
 * so no clock of another machine matters, and a replica that is cut off is noticed. A read goes
 * there when that moment is (1) not longer ago than replica_lag and (2) later than the last write,
 * in this process, of the same tenant and key: a client reads its own writes. Others, and other
 * processes, may see a state that is up to replica_lag old.
 */
#include "store.h"

#include <stdlib.h>

static size_t writer_of(bp_call *call)
{
    const bp_principal *principal = bp_principal_of(call);
    uint32_t            hash = 2166136261u;

    for (size_t i = 0; i < principal->tenant.len; i++)
        hash = (hash ^ (unsigned char)principal->tenant.data[i]) * 16777619u;
    hash *= 16777619u;
    for (size_t i = 0; i < principal->id.len; i++)
        hash = (hash ^ (unsigned char)principal->id.data[i]) * 16777619u;
    return hash % WRITERS;
}

void replica_note_write(bp_call *call, struct store *store)
{
    atomic_store(&store->shared->written_ns[writer_of(call)], bp_now_ns());
}

void replica_note_all(struct store *store)
{
    for (size_t i = 0; i < WRITERS; i++)
        atomic_store(&store->shared->written_ns[i], bp_now_ns());
}

struct postgres_pool *replica_pool_for(bp_call *call, struct store *store)
{
    bp_str  name;
    bool    is_near, is_own;
    int64_t covers_ns = store->replica_covers_ns;

    if (!store->shared->replica)
        return &store->pool;
    is_near = covers_ns && bp_now_ns() - covers_ns <= store->replica_lag_ns;
    is_own = atomic_load(&store->shared->written_ns[writer_of(call)]) < covers_ns;
    name = is_near && is_own ? BP_STR("replica") : BP_STR("primary");
    bp_metric_add(store->reads, &name, 1, 1);
    return is_near && is_own ? &store->replica_pool : &store->pool;
}

/* "16/B374D848" as one number. */
static uint64_t position_of(bp_str text)
{
    unsigned high = 0, low = 0;

    return text.len && sscanf(text.data, "%x/%x", &high, &low) == 2 ? (uint64_t)high << 32 | low
                                                                    : 0;
}

static bp_status ask(bp_call *call, struct postgres_pool *pool, const char *sql, uint64_t *position)
{
    struct postgres_connection *connection;
    bp_rows                     rows = { .struct_size = sizeof(rows) };
    bp_status                   status;

    BP_TRY(postgres_take(call, pool, &connection));
    status = store_run(call, connection, sql, NULL, 0, &rows);
    postgres_give(connection);
    *position = status == BP_OK && rows.row_count ? position_of(rows.values[0].text) : 0;
    return status;
}

bp_status replica_measure(bp_call *call, struct store *store)
{
    struct sample *sample = &store->samples[store->sample_next];
    uint64_t       position = 0, replayed = 0;
    int64_t        now_ns = bp_now_ns();
    bp_status      status;

    BP_TRY(ask(call, &store->pool,
               "SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE "
               "pg_current_wal_flush_lsn()::text END",
               &position));
    if (position) { // a primary that became a replica has none
        *sample = (struct sample){ now_ns, position };
        store->sample_next = (store->sample_next + 1) % SAMPLES;
    }
    status = ask(call, &store->replica_pool,
                 "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE "
                 "pg_current_wal_lsn() END::text",
                 &replayed);
    for (size_t i = 0; i < SAMPLES && status == BP_OK; i++)
        if (store->samples[i].at_ns > store->replica_covers_ns &&
            store->samples[i].position <= replayed)
            store->replica_covers_ns = store->samples[i].at_ns;
    bp_metric_set(store->lag, NULL, 0,
                  store->replica_covers_ns ? (double)(bp_now_ns() - store->replica_covers_ns) / 1e9
                                           : -1);
    return status;
}

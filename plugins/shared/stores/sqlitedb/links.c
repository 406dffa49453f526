/* links.c - makes, opens and closes the connections of one file, and lends them. */
#include "links.h"

/* ---- life ---- */

static bp_status make_pool(bp_call *call, const char *name, const char *what, uint32_t threads,
                           bp_pool **pool)
{
    return bp_pool_create(call, bp_format(call, "%s-%s", name, what), threads, pool);
}

bp_status sqlitedb_links_make(bp_call *call, struct sqlitedb_links *links, const char *name,
                              uint32_t reader_count)
{
    links->reader_count = reader_count;
    BP_TRY(make_pool(call, name, "write", 1, &links->writer.pool));
    BP_TRY(bp_mutex_create(call, &links->writer.lock));
    BP_TRY(make_pool(call, name, "read", reader_count, &links->reader_pool));
    for (uint32_t i = 0; i < reader_count; i++) {
        links->readers[i].pool = links->reader_pool;
        BP_TRY(bp_mutex_create(call, &links->readers[i].lock));
    }
    return BP_OK;
}

bp_status sqlitedb_links_open(bp_call *call, struct sqlitedb_links *links,
                              const struct sqlitedb_settings *settings, bool is_guarded)
{
    struct sqlitedb_settings reading = *settings;

    BP_TRY(sqlitedb_open(call, settings, &links->writer.db));
    links->writer.db->is_guarded = is_guarded;
    reading.is_query_only = true;
    for (uint32_t i = 0; i < links->reader_count; i++) {
        BP_TRY(sqlitedb_open(call, &reading, &links->readers[i].db));
        links->readers[i].db->is_guarded = is_guarded;
    }
    return BP_OK;
}

void sqlitedb_links_close(struct sqlitedb_links *links)
{
    for (uint32_t i = 0; i < links->reader_count; i++) {
        sqlitedb_close(links->readers[i].db);
        if (links->readers[i].lock)
            bp_mutex_destroy(links->readers[i].lock);
    }
    sqlitedb_close(links->writer.db); /* last: it folds the WAL into the file */
    if (links->writer.lock)
        bp_mutex_destroy(links->writer.lock);
    if (links->reader_pool)
        bp_pool_destroy(links->reader_pool);
    if (links->writer.pool)
        bp_pool_destroy(links->writer.pool);
}

/* ---- lending ---- */

bp_status sqlitedb_link_take(bp_call *call, struct sqlitedb_link *link)
{
    bp_status status;

    atomic_fetch_add(&link->users, 1);
    status = bp_mutex_lock(call, link->lock);
    if (status != BP_OK)
        atomic_fetch_sub(&link->users, 1);
    return status;
}

void sqlitedb_link_give(struct sqlitedb_link *link)
{
    bp_mutex_unlock(link->lock);
    atomic_fetch_sub(&link->users, 1);
}

struct sqlitedb_link *sqlitedb_links_reader(struct sqlitedb_links *links)
{
    struct sqlitedb_link *best = &links->readers[0];

    for (uint32_t i = 1; i < links->reader_count; i++)
        if (atomic_load(&links->readers[i].users) < atomic_load(&best->users))
            best = &links->readers[i];
    return best;
}

/* store.c - the SQLite storage plugin: its options, its life, its connections. */
#include "store.h"

#include <stdlib.h>
#include <sys/stat.h>

/* ---- life ---- */

struct opening {
    const struct sqlite_instance *options;
    struct store                 *store;
};

static bp_status open_all(bp_call *call, void *arg)
{
    const struct opening    *opening = arg;
    struct sqlitedb_settings settings = {
        .path = opening->options->path,
        .sync = (sqlitedb_sync)opening->options->synchronous,
        .busy_timeout_ns = opening->options->busy_timeout_ns,
        .cache_bytes = opening->options->cache_bytes,
    };

    return sqlitedb_links_open(call, &opening->store->links, &settings, true);
}

static void sqlite_shared_destroy(bp_call *call, void *shared)
{
    struct store *store = shared;

    (void)call;
    if (!store)
        return;
    sqlitedb_links_close(&store->links);
    free(store->path);
    free(store);
}

static bp_status store_fill(bp_call *call, const struct sqlite_instance *options,
                            struct store *store)
{
    struct opening opening = { options, store };

    BP_TRY(sqlitedb_links_make(call, &store->links, "sqlite", (uint32_t)options->readers));
    return bp_offload(call, store->links.writer.pool, open_all, &opening);
}

static bp_status sqlite_shared_create(bp_call *call, const void *options, void **shared)
{
    const struct sqlite_instance *given = options;
    struct store                 *store = calloc(1, sizeof(*store));
    bp_status                     status;

    if (!store)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a store");
    store->path = strndup(given->path.data, given->path.len);
    status = store->path ? store_fill(call, given, store)
                         : bp_fail(call, BP_NO_MEMORY, "no memory for a store");
    if (status != BP_OK) {
        sqlite_shared_destroy(call, store);
        return status;
    }
    *shared = store;
    return BP_OK;
}

static bp_status sqlite_worker_start(bp_call *call, void *instance, void *shared)
{
    ((struct sqlite_instance *)instance)->store = shared;
    return bp_every(call, "late transactions", BP_SECONDS(1), transaction_watch, instance);
}

static bp_status sqlite_check(bp_call *call, const void *options)
{
    const struct sqlite_instance *given = options;

    if (given->path.len && given->path.data[given->path.len - 1] == '/')
        return bp_fail(call, BP_INVALID, "path: " BP_FMT " is a directory; name the file",
                       BP_ARG(given->path));
    return BP_OK;
}

/* ---- stats ---- */

static int64_t file_bytes(const char *path, const char *suffix)
{
    char        name[4200];
    struct stat info;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &info) == 0 ? (int64_t)info.st_size : 0;
}

static bp_status store_stats(bp_call *call, void *instance, bp_storage_stats *stats)
{
    const struct store *store = ((struct sqlite_instance *)instance)->store;

    stats->connections_in_use = atomic_load(&store->links.writer.users) != 0;
    for (uint32_t i = 0; i < store->links.reader_count; i++)
        stats->connections_in_use += atomic_load(&store->links.readers[i].users) != 0;
    stats->connections_max = store->links.reader_count + 1;
    stats->size_bytes = file_bytes(store->path, "") + file_bytes(store->path, "-wal");
    stats->engine = bp_format(call, "SQLite %s", sqlite3_libversion());
    return BP_OK;
}

/* ---- the plugin ---- */

static const bp_option options[] = {
    BP_OPTION_PATH(struct sqlite_instance, path, .is_required = true, .choices = BP_PATH_NEW_FILE,
                   .example = "backplane.db",
                   .help = "the database file; created, with its directories, if missing"),
    BP_OPTION_INT(struct sqlite_instance, readers, .initial = "2", .minimum = "1", .maximum = "16",
                  .help = "connections, with threads, for reading, in addition to the writer"),
    BP_OPTION_ENUM(struct sqlite_instance, synchronous, .initial = "full", .choices = "full|normal",
                   .help = "full: an acknowledged write survives a power loss; normal: it survives "
                           "only a crash of the process"),
    BP_OPTION_DURATION(struct sqlite_instance, busy_timeout, .initial = "5s", .minimum = "0",
                       .maximum = "1m",
                       .help = "how long to wait for another process that has locked the file"),
    BP_OPTION_SIZE(struct sqlite_instance, cache, .initial = "8MiB", .minimum = "64KiB",
                   .maximum = "4GiB", .help = "page cache of each connection"),
};

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = sqlite_check,
    .shared_create = sqlite_shared_create,
    .worker_start = sqlite_worker_start,
    .shared_destroy = sqlite_shared_destroy,
};

static const bp_storage_ops ops = {
    .struct_size = sizeof(bp_storage_ops),
    .exec = store_exec,
    .query = store_query,
    .batch = store_batch,
    .begin = store_begin,
    .commit = store_commit,
    .rollback = store_rollback,
    .migrate = store_migrate,
    .stats = store_stats,
    .backup = store_backup,
    .inspect = store_inspect,
    .maintain = store_maintain,
};

BP_PLUGIN(storage, "sqlite", "1.0.0",
          .summary = "SQL in one file, for one process; needs no server", .license = "Apache-2.0",
          .instance_size = sizeof(struct sqlite_instance), .options = BP_TABLE(options),
          .life = &life, .ops = &ops)

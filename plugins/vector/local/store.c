/* store.c - the embedded vector store: its options, its life, its lock file, its connections.
 *
 * A reload opens the new generation's store while the old one still serves. Two memories of one
 * file would differ, so the open stores of the process are on a list, and the same path gives the
 * same store. That list is the only state outside an instance.
 */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store   *stores;

/* ---- connections ---- */

bp_status on_writer(bp_call *call, struct store *store, bp_status (*job)(bp_call *call, void *arg),
                    void *arg)
{
    bp_status status;

    BP_TRY(sqlitedb_link_take(call, &store->links.writer));
    status = bp_offload(call, store->links.writer.pool, job, arg);
    sqlitedb_link_give(&store->links.writer);
    return status;
}

struct reading {
    struct sqlitedb *db;
    bp_status (*job)(bp_call *call, struct sqlitedb *db, void *arg);
    void *arg;
};

static bp_status read_job(bp_call *call, void *arg)
{
    const struct reading *reading = arg;
    bp_status             status;

    sqlitedb_enter(call, reading->db);
    status = reading->job(call, reading->db, reading->arg);
    sqlitedb_leave(reading->db);
    return status;
}

bp_status on_reader(bp_call *call, struct store                                           *store,
                    bp_status (*job)(bp_call *call, struct sqlitedb *db, void *arg), void *arg)
{
    struct sqlitedb_link *reader = sqlitedb_links_reader(&store->links);
    struct reading        reading = { reader->db, job, arg };
    bp_status             status;

    BP_TRY(sqlitedb_link_take(call, reader));
    status = bp_offload(call, reader->pool, read_job, &reading);
    sqlitedb_link_give(reader);
    return status;
}

/* ---- one process at a time ---- */

static bp_status take_lock(bp_call *call, struct store *store)
{
    char    name[4200], text[32] = "";
    ssize_t len;

    snprintf(name, sizeof(name), "%s/lock", store->directory);
    BP_TRY(sqlitedb_make_directories(call, name));
    store->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return bp_fail(call, BP_UNAVAILABLE, "cannot open %s: %s; check the owner of the directory",
                       name, strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        len = pread(store->lock_fd, text, sizeof(text) - 1, 0);
        text[len > 0 ? len : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return bp_fail(call, BP_CONFLICT,
                       "the vector store %s is in use by process %s: stop that, or let the command "
                       "talk to it with --url",
                       store->directory, text[0] ? text : "(unknown)");
    }
    snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    /* Only for people to read: the lock is what counts. */
    if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, text, strlen(text), 0) < 0)
        bp_log(call, BP_LOG_WARN, "cannot write the process id to %s: %s", name, strerror(errno));
    return BP_OK;
}

/* ---- life ---- */

struct opening {
    const struct local_instance *options;
    struct store                *store;
};

static bp_status open_job(bp_call *call, void *arg)
{
    const struct opening    *opening = arg;
    struct store            *store = opening->store;
    struct sqlitedb_settings settings = {
        .path = bp_format(call, "%s/vectors.db", store->directory),
        .sync = (sqlitedb_sync)opening->options->synchronous,
        .busy_timeout_ns = opening->options->busy_timeout_ns,
        .cache_bytes = opening->options->cache_bytes,
    };

    BP_TRY(take_lock(call, store));
    BP_TRY(sqlitedb_links_open(call, &store->links, &settings, false));
    return collections_load(call, store);
}

static void store_free(struct store *store)
{
    sqlitedb_links_close(&store->links);
    collections_free(store);
    if (store->lock_fd >= 0)
        close(store->lock_fd); /* and with it the lock goes */
    pthread_mutex_destroy(&store->lock);
    free(store->directory);
    free(store);
}

static bp_status store_fill(bp_call *call, const struct local_instance *options,
                            struct store *store)
{
    struct opening opening = { options, store };

    BP_TRY(sqlitedb_links_make(call, &store->links, "vector", (uint32_t)options->readers));
    return bp_offload(call, store->links.writer.pool, open_job, &opening);
}

static struct store *store_shared(bp_str directory)
{
    struct store *found;

    pthread_mutex_lock(&stores_lock);
    for (found = stores; found && !bp_str_is(directory, found->directory); found = found->next)
        ;
    if (found)
        found->references++;
    pthread_mutex_unlock(&stores_lock);
    return found;
}

bp_status store_open(bp_call *call, const struct local_instance *options, struct store **out)
{
    struct store *store = store_shared(options->path);
    bp_status     status;

    if (store) {
        *out = store;
        return BP_OK;
    }
    store = calloc(1, sizeof(*store));
    if (!store)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a store");
    store->references = 1;
    store->has_leftovers = true; /* of a process that ended before it had swept */
    store->lock_fd = -1;
    pthread_mutex_init(&store->lock, NULL);
    store->directory = strndup(options->path.data, options->path.len);
    status = store->directory ? store_fill(call, options, store)
                              : bp_fail(call, BP_NO_MEMORY, "no memory for a store");
    if (status != BP_OK) {
        store_free(store);
        return status;
    }
    pthread_mutex_lock(&stores_lock);
    store->next = stores;
    stores = store;
    pthread_mutex_unlock(&stores_lock);
    *out = store;
    return BP_OK;
}

void store_close(struct store *store)
{
    bool is_last;

    pthread_mutex_lock(&stores_lock);
    is_last = --store->references == 0;
    for (struct store **at = &stores; is_last && *at; at = &(*at)->next)
        if (*at == store) {
            *at = store->next;
            break;
        }
    pthread_mutex_unlock(&stores_lock);
    if (is_last)
        store_free(store);
}

static bp_status local_check(bp_call *call, const void *options)
{
    const struct local_instance *given = options;

    if (given->path.len > 4000)
        return bp_fail(call, BP_INVALID, "path: longer than 4,000 bytes");
    return BP_OK;
}

static bp_status local_shared_create(bp_call *call, const void *options, void **shared)
{
    return store_open(call, options, (struct store **)shared);
}

static bp_status local_worker_start(bp_call *call, void *instance, void *shared)
{
    ((struct local_instance *)instance)->store = shared;
    return bp_every(call, "vector-sweep", BP_SECONDS(1), local_sweep, instance);
}

static void local_shared_destroy(bp_call *call, void *shared)
{
    (void)call;
    store_close(shared);
}

/* ---- the plugin ---- */

static const bp_option options[] = {
    BP_OPTION_PATH(struct local_instance, path, .is_required = true, .choices = BP_PATH_NEW_FOLDER,
                   .example = "docs",
                   .help = "the directory of the store; created if missing; used by one process at "
                           "a time"),
    BP_OPTION_INT(struct local_instance, readers, .initial = "2", .minimum = "1", .maximum = "16",
                  .help = "threads, each with a connection, that search"),
    BP_OPTION_ENUM(struct local_instance, synchronous, .initial = "full", .choices = "full|normal",
                   .help = "full: an acknowledged write survives a power loss; normal: it survives "
                           "only a crash of the process"),
    BP_OPTION_DURATION(struct local_instance, busy_timeout, .initial = "5s", .minimum = "0",
                       .maximum = "1m",
                       .help = "how long to wait for another program that has locked the file"),
    BP_OPTION_SIZE(struct local_instance, cache, .initial = "8MiB", .minimum = "64KiB",
                   .maximum = "4GiB",
                   .help = "page cache of each connection, in addition to the vectors in memory"),
};

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = local_check,
    .shared_create = local_shared_create,
    .worker_start = local_worker_start,
    .shared_destroy = local_shared_destroy,
};

static const bp_vector_ops ops = {
    .struct_size = sizeof(bp_vector_ops),
    .create = local_create,
    .drop = local_drop,
    .list = local_list,
    .upsert = local_upsert,
    .remove = local_remove,
    .search = local_search,
    .count = local_count,
    .scroll = local_scroll,
    .snapshot = local_snapshot,
    .owner = local_owner,
    .maintain = local_maintain,
};

BP_PLUGIN(vector, "local", "1.0.0",
          .summary = "vectors, words and metadata in one file and in memory; exact search, no "
                     "server",
          .license = "Apache-2.0", .instance_size = sizeof(struct local_instance),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

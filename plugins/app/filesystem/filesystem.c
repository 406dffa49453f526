/* filesystem.c - the app `filesystem`: files below chosen directories, for models over MCP and for
 * programs over HTTP.
 */
#include "filesystem.h"

#include <stdlib.h>
#include <unistd.h>

static const bp_option options[] = {
    BP_OPTION_LIST(struct filesystem, roots, .is_required = true, .choices = BP_PATH_FOLDER,
                   .example = "[ /srv/projects, /srv/shared ]",
                   .help = "directories to serve, with everything below them; the server leaves "
                           "out one that it cannot open, with a warning"),
    BP_OPTION_BOOL(struct filesystem, read_only, .initial = "false",
                   .help = "offer only tools that read"),
    BP_OPTION_LIST(struct filesystem, deny,
                   .initial = ".git, .env, credentials.json, .ssh, secrets",
                   .example = "[ .git, \"*.key\" ]",
                   .help = "shell patterns of names to hide; upper and lower case are the same"),
    BP_OPTION_LIST(struct filesystem, tenants, .example = "[ acme ]",
                   .help = "tenants that may use this instance; empty: all that have the scope"),
    BP_OPTION_BOOL(struct filesystem, strict_symlinks, .initial = "false",
                   .help = "refuse every symbolic link, even one that stays within the roots"),
    BP_OPTION_ENUM(struct filesystem, landlock, .initial = "auto", .choices = "auto|off|required",
                   .help = "let the kernel confine the file threads to the roots (Landlock): where "
                           "it can, never, or do not start without it"),
    BP_OPTION_SIZE(struct filesystem, max_file, .initial = "100MiB", .minimum = "1",
                   .maximum = "200MiB", .help = "largest file to read whole or to write"),
    BP_OPTION_INT(struct filesystem, max_entries, .initial = "100000", .minimum = "1",
                  .maximum = "10000000",
                  .help = "most entries that one listing, tree or search visits"),
    BP_OPTION_INT(struct filesystem, threads, .initial = "4", .minimum = "1", .maximum = "64",
                  .help = "threads for file operations"),
    BP_OPTION_REF(struct filesystem, cache, "cache",
                  .help = "cache instance that counts for the limits below"),
    BP_OPTION_INT(struct filesystem, read_per_minute, .initial = "0", .minimum = "0",
                  .maximum = "1000000", .help = "reads in a minute for each API key; 0: no limit"),
    BP_OPTION_INT(struct filesystem, write_per_minute, .initial = "0", .minimum = "0",
                  .maximum = "1000000",
                  .help = "writes, edits and moves in a minute for each API key; 0: no limit"),
    BP_OPTION_INT(struct filesystem, list_per_minute, .initial = "0", .minimum = "0",
                  .maximum = "1000000",
                  .help = "listings and trees in a minute for each API key; 0: no limit"),
    BP_OPTION_INT(struct filesystem, search_per_minute, .initial = "0", .minimum = "0",
                  .maximum = "1000000",
                  .help = "searches in a minute for each API key; 0: no limit"),
};

static bp_status check(bp_call *call, const void *instance)
{
    const struct filesystem *self = instance;

    if (!self->roots.count)
        return bp_fail(call, BP_INVALID,
                       "roots: name at least one directory; without one nothing could be served");
    if (self->roots.count > ROOTS_MAX)
        return bp_fail(call, BP_INVALID,
                       "roots: %zu directories are named, at most %d can be served",
                       self->roots.count, ROOTS_MAX);
    for (size_t i = 0; i < self->roots.count; i++)
        if (!self->roots.items[i].len)
            return bp_fail(call, BP_INVALID, "roots: the directory with the number %zu has no name",
                           i + 1);
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *arg)
{
    struct filesystem_shared *shared = arg;

    (void)call;
    if (!shared)
        return;
    if (shared->pool)
        bp_pool_destroy(shared->pool);
    if (shared->ruleset >= 0)
        close(shared->ruleset);
    for (size_t i = 0; i < WRITE_LOCKS; i++)
        pthread_mutex_destroy(&shared->write_locks[i]);
    roots_close(shared);
    free(shared);
}

static bp_status open_all(bp_call *call, const struct filesystem *self,
                          struct filesystem_shared *shared)
{
    BP_TRY(roots_open(call, self, shared));
    BP_TRY(confine_create(call, self, shared));
    return bp_pool_create(call, BP_STR("filesystem"), (uint32_t)self->threads, &shared->pool);
}

static bp_status shared_create(bp_call *call, const void *instance, void **shared)
{
    struct filesystem_shared *made = calloc(1, sizeof(*made));
    bp_status                 status;

    if (!made)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the instance");
    made->ruleset = -1;
    for (size_t i = 0; i < WRITE_LOCKS; i++)
        pthread_mutex_init(&made->write_locks[i], NULL);
    status = open_all(call, instance, made);
    if (status != BP_OK)
        shared_destroy(call, made);
    else
        *shared = made;
    return status;
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct filesystem *self = instance;

    self->shared = shared;
    if (!self->cache && (self->read_per_minute || self->write_per_minute || self->list_per_minute ||
                         self->search_per_minute))
        return bp_fail(call, BP_INVALID,
                       "cache: a limit per minute is set, but no cache that could count: name one");
    return bp_metric_define(call, BP_COUNTER, "filesystem_refused_total",
                            "Accesses that were refused, by reason.", "reason",
                            &self->refused_total);
}

static const bp_life life = {
    .struct_size = sizeof(life),
    .check = check,
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = filesystem_routes,
    .route_count = ROUTE_COUNT,
    BP_MCP_TOOLS(filesystem_tools),
    .instructions = "Files below a few allowed directories: list_allowed_directories names them. "
                    "Relative paths count from there.",
    .offers = tool_is_offered,
};

BP_PLUGIN(app, "filesystem", "1.0.0",
          .summary = "serves the files below chosen directories to models and programs",
          .license = "Apache-2.0", .instance_size = sizeof(struct filesystem),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

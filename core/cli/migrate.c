/* migrate.c - `backplane migrate --from CONF --to CONF`: moves what a deployment keeps to other
 * back ends. The work is that of core/transfer; here are the command's words, its signals, both
 * confs, and the report.
 *
 * Both confs are resolved by one registry, and their instances live on the workers of one host.
 * Nothing listens.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/keys.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/migrate_report.h"
#include "host/report.h"

enum { MAPS_MAX = 64, COMMAND_BYTES = 9000 };

#define DAYS_30 BP_SECONDS(30LL * 86400)

struct migration {
    struct host           host; /* of the source's conf */
    struct transfer       transfer;
    struct migrate_report report;
    struct progress       progress;
    const char           *maps[MAPS_MAX];
    char                  go_on[COMMAND_BYTES];
};

/* ---- what the engine is given ---- */

static volatile sig_atomic_t was_signalled;

static void on_signal(int number)
{
    (void)number;
    was_signalled = 1;
}

/* The first signal ends it behind the page it is at, the second one at once. */
static void watch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool is_stopped(void *arg)
{
    (void)arg;
    return was_signalled != 0;
}

static void begin(void *arg, const char *what, int64_t total)
{
    progress_start(&((struct migration *)arg)->progress, what, total);
}

static void step(void *arg, int64_t count)
{
    progress_add(&((struct migration *)arg)->progress, count);
}

static void end(void *arg)
{
    progress_end(&((struct migration *)arg)->progress);
}

static void note(void *arg, const char *sentence)
{
    migrate_report_note(&((struct migration *)arg)->report, sentence);
}

static void prepare(struct migration *m)
{
    struct transfer *t = &m->transfer;

    snprintf(m->go_on, sizeof(m->go_on), "backplane migrate --from %s --to %s%s", t->from.file,
             t->to.file, t->is_verify_only ? " --verify-only" : " --resume");
    t->go_on = m->go_on;
    t->watch = (struct transfer_watch){
        .arg = m, .begin = begin, .step = step, .end = end, .note = note, .is_stopped = is_stopped
    };
    t->host_tables = (struct transfer_host_tables){ .owner = KEYS_OWNER,
                                                    .version = KEYS_VERSION,
                                                    .table = "backplane_keys",
                                                    .migrate = keys_migrate };
    m->report.transfer = t;
}

/* ---- both confs, and the move ---- */

/* The target's conf, read and resolved by the registry of the host. */
static bool load_target(struct migration *m)
{
    struct transfer_side *to = &m->transfer.to;
    struct conf_plugins   plugins;
    struct reason         why;

    to->conf = conf_load(to->file, NULL);
    if (!to->conf) {
        fprintf(stderr, "backplane migrate: no memory to read %s\n", to->file);
        return false;
    }
    for (size_t i = 0; i < to->conf->plugin_dirs.count; i++)
        if (!registry_scan(m->host.registry, to->conf->plugin_dirs.items[i].data, &why)) {
            fprintf(stderr, "backplane migrate: %s: it stands in `plugins` of %s\n", why.text,
                    to->file);
            return false;
        }
    registry_check_digests(m->host.registry, to->conf);
    plugins = registry_for_conf(m->host.registry);
    conf_resolve(to->conf, &plugins);
    m->transfer.host_tables.storage = to->conf->server.auth.storage;
    return report_problems(to->conf, stderr) == 0;
}

static bool say_problem(const struct transfer *t)
{
    fprintf(stderr, "backplane migrate: %s\n", t->problem.text);
    return false;
}

static bool make_pairs(struct transfer *t)
{
    return (transfer_check_maps(t) && transfer_make_pairs(t)) || say_problem(t);
}

static bool start_both(struct migration *m)
{
    struct host     *host = &m->host;
    struct transfer *t = &m->transfer;

    t->from.generation = host->edition->generation;
    t->to.generation = generation_new(t->to.conf, host->registry, host->workers, host->worker_count,
                                      host->pool, NULL);
    if (!t->to.generation) {
        fprintf(stderr, "backplane migrate: no memory for the instances of %s\n", t->to.file);
        return false;
    }
    return transfer_start(t) || say_problem(t);
}

static bp_status run(bp_call *call, void *arg)
{
    return transfer_run(call, arg);
}

static int move(struct migration *m)
{
    struct transfer *t = &m->transfer;
    struct reason    why;

    if (!start_both(m))
        return EXIT_STORAGE;
    if (!t->is_verify_only)
        fprintf(stderr,
                "backplane migrate: stop the servers of %s first: what they write meanwhile is not "
                "moved\n",
                t->from.file);
    if (generation_call(&m->host.workers[0], DAYS_30, run, t, &why) != BP_OK) {
        fprintf(stderr, "backplane migrate: %s\n", why.text);
        return EXIT_FAILED;
    }
    migrate_report_print(&m->report);
    return t->has_difference ? EXIT_FAILED : EXIT_DONE;
}

static int run_on_host(struct migration *m)
{
    struct transfer    *t = &m->transfer;
    struct host_options options = {
        .conf_file = t->from.file, .is_quiet = true, .only_kind = "", .only_name = ""
    };
    int status = host_load(&m->host, &options);

    t->from.conf = m->host.conf;
    if (status == EXIT_DONE && (!load_target(m) || !make_pairs(t)))
        status = EXIT_CONF;
    if (status == EXIT_DONE)
        status = host_start(&m->host, &options);
    if (status == EXIT_DONE)
        status = move(m);
    if (t->to.generation) {
        generation_stop(t->to.generation);
        generation_free(t->to.generation);
    }
    if (m->host.workers)
        host_stop(&m->host);
    if (t->to.conf)
        conf_free(t->to.conf);
    host_free(&m->host);
    return status;
}

/* ---- the command ---- */

static void usage(void)
{
    fprintf(stderr,
            "usage: backplane migrate --from CONF --to CONF [--map KIND.NAME=KIND.NAME|none]... "
            "[--resume] [--verify-only] [--leave-out] [--json]\n"
            "Moves the data of the storages, vector stores and caches of one conf to those of the "
            "other, and compares both.\n--resume: continue an unfinished move. --verify-only: "
            "compare, and write nothing. --leave-out: skip rows\nthat no back end takes any more "
            "(a NUL in a text), and list them.\n");
}

static bool take_arguments(struct migration *m, int argc, char **argv)
{
    struct transfer *t = &m->transfer;
    const char      *map;

    t->from.file = cli_take_option(&argc, argv, "--from");
    t->to.file = cli_take_option(&argc, argv, "--to");
    t->is_resume = cli_take_flag(&argc, argv, "--resume");
    t->is_verify_only = cli_take_flag(&argc, argv, "--verify-only");
    m->report.is_json = cli_take_flag(&argc, argv, "--json");
    t->is_leaving_out = cli_take_flag(&argc, argv, "--leave-out");
    t->maps = m->maps;
    while (t->map_count < MAPS_MAX && (map = cli_take_option(&argc, argv, "--map")) != NULL)
        m->maps[t->map_count++] = map;
    if (!cli_is_all_taken(argc, argv, 0))
        return false;
    if (t->from.file && t->to.file && !(t->is_resume && t->is_verify_only))
        return true;
    usage();
    return false;
}

int command_migrate(int argc, char **argv)
{
    struct migration *m = calloc(1, sizeof(*m));
    int               status = EXIT_USAGE;

    if (!m)
        return EXIT_FAILED;
    transfer_init(&m->transfer);
    if (take_arguments(m, argc, argv)) {
        prepare(m);
        watch_signals();
        status = run_on_host(m);
    }
    transfer_free(&m->transfer);
    free(m);
    return status;
}

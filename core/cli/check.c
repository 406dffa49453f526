/* check.c - `check`, `config`, `schema` and `docs`: commands that read a conf or the plugins and start no server. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/conf_commands.h"
#include "cli/host.h"

/* Plugins that keep their data in this process: a second replica would not see it. */
static const char *const embedded[][2] = { { "storage", "sqlite" }, { "vector", "local" }, { "cache", "memory" } };

static void check_replicas(struct conf *conf, const char *replicas)
{
    int64_t count;

    if (!replicas)
        return;
    if (!str_to_int(bp_str_of(replicas), &count) || count < 1) {
        problem_add(&conf->problems, false, (struct conf_position){ 0 }, BP_STR("--replicas"),
                    "\"%s\" is not a number of replicas", replicas);
        return;
    }
    for (size_t i = 0; count > 1 && i < conf->instance_count; i++)
        for (size_t e = 0; e < sizeof(embedded) / sizeof(embedded[0]); e++)
            if (bp_str_is(conf->instances[i].use, embedded[e][1]) &&
                strcmp(conf->instances[i].kind, embedded[e][0]) == 0)
                error_at_key(&conf->problems, conf->instances[i].node,
                             "%s keeps its data in one process, so %s replicas would not see each other's: use a back "
                             "end that they share",
                             embedded[e][1], replicas);
}

/* The check hooks of the plugins are pure, but they are calls, and a call needs a worker. */
static bool run_check_hooks(struct host *host)
{
    struct worker      worker;
    struct generation *generation;
    bool               is_good = false;

    if (worker_init(&worker, 0, 1, host->log) != 0)
        return false;
    if (worker_start(&worker) == 0) {
        generation = generation_new(host->conf, host->registry, &worker, 1);
        is_good = generation && generation_check(generation);
        worker_stop(&worker);
        worker_join(&worker);
        generation_free(generation);
    }
    worker_free(&worker);
    return is_good;
}

int command_check_main(int argc, char **argv)
{
    struct host_options options = { .is_quiet = true };
    struct host         host;
    const char         *replicas;
    int                 status;

    options.conf_file = cli_take_conf(&argc, argv);
    replicas = cli_take_option(&argc, argv, "--replicas");
    if (!cli_is_all_taken(argc, argv, 0))
        return EXIT_USAGE;
    status = host_load(&host, &options);
    if (status == EXIT_DONE) {
        check_replicas(host.conf, replicas);
        run_check_hooks(&host);
        // Warnings were reported by host_load() already.
        if (conf_has_errors(host.conf))
            status = command_report_problems(host.conf, stderr) == 0 ? EXIT_DONE : EXIT_CONF;
    }
    if (status == EXIT_DONE)
        printf("%s: good, %zu instances\n", options.conf_file, host.conf->instance_count);
    host_free(&host);
    return status;
}

int command_config_main(int argc, char **argv)
{
    struct host_options options = { .is_quiet = true };
    struct host         host;
    int                 status;

    options.conf_file = cli_take_conf(&argc, argv);
    if (!cli_is_all_taken(argc, argv, 0))
        return EXIT_USAGE;
    status = host_load(&host, &options);
    if (status == EXIT_DONE)
        status = command_config(host.conf, stdout, stderr);
    host_free(&host);
    return status;
}

static int with_registry(const char *conf_file, int (*run)(const struct conf_plugins *plugins, void *arg), void *arg)
{
    struct conf_plugins plugins;
    struct host         host;
    int                 status = host_load_registry(&host, conf_file);

    if (status == EXIT_DONE) {
        plugins = registry_for_conf(host.registry);
        status = run(&plugins, arg);
    }
    host_free(&host);
    return status;
}

static int run_schema(const struct conf_plugins *plugins, void *arg)
{
    (void)arg;
    return command_schema(plugins, stdout, stderr);
}

int command_schema_main(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv);

    return cli_is_all_taken(argc, argv, 0) ? with_registry(conf_file, run_schema, NULL) : EXIT_USAGE;
}

struct docs_args {
    const char *folder;
    bool        is_check;
};

static int run_docs(const struct conf_plugins *plugins, void *arg)
{
    const struct docs_args *args = arg;

    return command_docs(plugins, args->folder, args->is_check, stderr);
}

int command_docs_main(int argc, char **argv)
{
    const char      *conf_file = cli_take_conf(&argc, argv);
    struct docs_args args = { .is_check = cli_take_flag(&argc, argv, "--check") };

    if (!cli_is_all_taken(argc, argv, 1) || argc != 2) {
        fprintf(stderr, "usage: backplane docs [--check] FOLDER\n");
        return EXIT_USAGE;
    }
    args.folder = argv[1];
    return with_registry(conf_file, run_docs, &args);
}

/* check.c - `check`, `config`, `schema` and `docs`: commands that read a conf or the plugins and
 * start no server. */
#include <stdio.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/conf_commands.h"
#include "host/report.h"
#include "host/host.h"
#include "cli/world.h"
#include "conf/environment.h"

enum { REPORT_BYTES_MAX = 16 << 20 };

/* Plugins that keep their data in this process: a second replica would not see it. */
static const char *const embedded[][2] = { { "storage", "sqlite" },
                                           { "vector", "local" },
                                           { "cache", "memory" } };

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
                             "%s keeps its data in one process, so %s replicas would not see each "
                             "other's: use a back end that they share",
                             embedded[e][1], replicas);
}

/* What start would do with routes and prefixes: the very code of start. */
static void check_routes(struct host *host, struct generation *generation)
{
    struct reason why;

    if (!api_init(&host->edition->api, host->conf, generation, NULL, true, &why) &&
        !conf_has_errors(host->conf))
        problem_add(&host->conf->problems, false, (struct conf_position){ 0 }, (bp_str){ "", 0 },
                    "%s", why.text);
}

/* The check hooks of the plugins are pure, but they are calls, and a call needs a worker. */
static struct generation *run_check_hooks(struct host *host, struct worker *worker)
{
    struct generation *generation = NULL;

    if (worker_start(worker) != 0)
        return NULL;
    host->pool = host_make_pool(host);
    generation = generation_new(host->conf, host->registry, worker, 1, host->pool, NULL);
    if (generation && generation_check(generation))
        check_routes(host, generation);
    worker_stop(worker);
    worker_join(worker);
    return generation;
}

struct checking {
    const char *user, *replicas;
    bool        is_offline, is_strict, is_quiet, is_json;
};

/* Things that are good to know and no mistakes. */
static void print_notes(const struct host *host, const struct generation *generation,
                        bp_json_writer *w)
{
    for (size_t i = 0; host->edition->api.prefixes && i < generation->unit_count; i++) {
        const struct conf_instance *conf = generation->units[i]->conf;
        const char                 *prefix = host->edition->api.prefixes[i];
        char                        text[256];

        if (!*prefix)
            continue;
        snprintf(text, sizeof(text), "app.%.32s: its paths begin with %s%s", conf->name.data,
                 prefix,
                 conf->gate.prefix.len
                     ? ""
                     : ", because an app that stands before it has one of them too");
        if (w)
            json_add_string(w, bp_str_of(text));
        else
            printf("%s: %s\n", host->conf->file, text);
    }
}

static void put_problem(bp_json_writer *w, const struct conf_problem *problem)
{
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "level", problem->is_warning ? "warning" : "error");
    if (problem->position.line) {
        json_put_integer(w, "line", problem->position.line);
        json_put_integer(w, "column", problem->position.column);
    }
    if (problem->path.len)
        json_put_string(w, "path", problem->path);
    json_put_string(w, "message", problem->text);
    json_end(w);
}

static void print_json(const struct host *host, const struct generation *generation, bool is_good)
{
    const struct conf_problems *problems = &host->conf->problems;
    struct bp_buf               buf;
    bp_json_writer              w;

    buf_init(&buf, NULL, REPORT_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "file", host->conf->file);
    json_put_bool(&w, "good", is_good);
    json_put_integer(&w, "errors", (int64_t)problems->error_count);
    json_put_integer(&w, "warnings", (int64_t)problems->warning_count);
    json_put_integer(&w, "instances", (int64_t)host->conf->instance_count);
    json_key(&w, BP_STR("problems"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (const struct conf_problem *problem = problems->first; problem; problem = problem->next)
        put_problem(&w, problem);
    json_end(&w);
    json_key(&w, BP_STR("notes"));
    json_begin(&w, JSON_KIND_ARRAY);
    if (generation)
        print_notes(host, generation, &w);
    json_end(&w);
    json_end(&w);
    printf(BP_FMT "\n", BP_ARG(buf_str(&buf)));
    buf_free(&buf);
}

static int check_host(struct host *host, const struct checking *checking, int status)
{
    struct generation *generation = NULL;
    struct worker      worker;
    struct world       world;
    bool               has_worker = false, is_good;
    struct reason      why;

    if (host->conf && !checking->is_offline) {
        if (!world_init(&world, host->conf, checking->user, &why)) {
            fprintf(stderr, "backplane check: %s\n", why.text);
            return EXIT_USAGE;
        }
        world_check(&world);
    }
    check_replicas(host->conf, checking->replicas);
    environment_check(host->conf, &conf_process_environment);
    if (status == EXIT_DONE && worker_init(&worker, 0, 1, host->log) == 0) {
        has_worker = true;
        generation = run_check_hooks(host, &worker);
    }
    is_good = !conf_has_errors(host->conf) &&
              !(checking->is_strict && host->conf->problems.warning_count);
    if (checking->is_json)
        print_json(host, generation, is_good);
    else
        report_problems(host->conf, stderr);
    if (generation && !checking->is_json && !checking->is_quiet)
        print_notes(host, generation, NULL);
    if (is_good && !checking->is_json && !checking->is_quiet)
        printf("%s: good, %zu instances\n", host->conf->file, host->conf->instance_count);
    if (host->edition->api.router)
        api_free(&host->edition->api); // it asks the generation how many workers there are
    host->edition->api = (struct api){ 0 };
    generation_free(generation);
    if (has_worker)
        worker_free(&worker);
    return is_good ? EXIT_DONE : EXIT_CONF;
}

static int run_check(const char *conf_file, const struct checking *checking)
{
    struct host_options options = { .conf_file = conf_file, .is_quiet = true, .is_check = true };
    struct host         host;
    int                 status = host_load(&host, &options);

    if (host.edition) // else no plugin could be looked at, which was said
        status = check_host(&host, checking, status);
    host_free(&host);
    return status;
}

int command_check_conf(const char *conf_file, bool is_quiet)
{
    return run_check(conf_file, &(struct checking){ .is_quiet = is_quiet });
}

int command_check_main(int argc, char **argv)
{
    const char     *conf_file = cli_take_conf(&argc, argv);
    struct checking checking = { .user = cli_take_option(&argc, argv, "--user"),
                                 .replicas = cli_take_option(&argc, argv, "--replicas"),
                                 .is_offline = cli_take_flag(&argc, argv, "--offline"),
                                 .is_strict = cli_take_flag(&argc, argv, "--strict"),
                                 .is_quiet = cli_take_flag(&argc, argv, "-q"),
                                 .is_json = cli_take_flag(&argc, argv, "--json") };

    return cli_is_all_taken(argc, argv, 0) ? run_check(conf_file, &checking) : EXIT_USAGE;
}

int command_config_main(int argc, char **argv)
{
    struct host_options options = { .is_quiet = true };
    struct host         host;
    int                 status;

    bool is_json = cli_take_flag(&argc, argv, "--json");

    options.conf_file = cli_take_conf(&argc, argv);
    if (!cli_is_all_taken(argc, argv, 0))
        return EXIT_USAGE;
    status = host_load(&host, &options);
    if (status == EXIT_DONE)
        status = is_json ? command_config_json(host.conf, stdout, stderr)
                         : command_config(host.conf, stdout, stderr);
    host_free(&host);
    return status;
}

static int with_registry(const char *conf_file,
                         int (*run)(const struct conf_plugins *plugins, void *arg), void *arg)
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

    return cli_is_all_taken(argc, argv, 0) ? with_registry(conf_file, run_schema, NULL)
                                           : EXIT_USAGE;
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

/* conform.c - `backplane conform`: runs the contract of a plugin's kind on it, in a host of its
 * own.
 *
 * A conf is written for the one instance, with the options of --set; what it refers to as "main"
 * are embedded back ends. The cases (sdk/conform) run as calls on its workers, some on all of them
 * at once. Afterwards the host is taken down, and what the plugin left open counts as a case that
 * fails.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/conform_conf.h"
#include "cli/conform_memory.h"
#include "cli/conform_report.h"
#include "cli/conform_web.h"
#include "conform.h"
#include "loop/pool.h"
#include "loop/waker.h"
#include "plugin/gate_kinds.h"

enum { CASE_TIMEOUT_S = 900, STRINGS_MAX = 4096, SHUTDOWN_GRACE_MS = 3000, RESTART_WORDS_MAX = 32 };

struct conforming {
    const char           *kind, *restart;
    char                  name[40], folder[64];
    struct conform_wish   wish;
    uint32_t              workers;
    struct host           host;
    struct conform        conform;
    struct conform_report report;
    bp_str                strings[STRINGS_MAX];
    struct arena          arena;
};

/* Texts that trip programs: quotes, controls, directions, combining marks, surrogates' neighbours,
 * other scripts' digits, format strings, paths, markup. More by --strings. */
static const char *const awkward[] = {
    "",
    " ",
    "\t\n",
    "'",
    "\"",
    "'; DROP TABLE users; --",
    "\\",
    "%s%n%d",
    "${HOME}",
    "$1",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "null",
    "NaN",
    "true",
    "0x7f",
    "1e400",
    "\x01\x02\x7f",
    "\xc2\x80",
    "\xef\xbb\xbf"
    "bom",
    "\xe2\x80\xae"
    "rtl",
    "e\xcc\x81",
    "\xc3\xa9",
    "\xef\xbf\xbd",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xf4\x8f\xbf\xbf",
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "\xd8\xa7\xd9\x84\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a\xd8\xa9",
    "\xd9\xa1\xd9\xa2\xd9\xa3",
    "\xc4\xb0stanbul",
    "\xc5\xbf",
    "\xe2\x84\xaa",
    "a\r\nb",
    "{\"a\":1}",
    "[]",
    "@*-|&!(){}:~",
    "\xe2\x80\x8b",
};

/* ---- what only a host can do ---- */

static void cancel_at(bp_call *call, uint32_t suspension)
{
    call->suspensions = 0;
    call->cancel_at = suspension;
}

static uint32_t suspensions_of(const bp_call *call)
{
    return call->suspensions;
}

static void set_deadline(bp_call *call, int64_t deadline_ns)
{
    call->deadline_ns = deadline_ns;
}

/* A call of its own, with memory of its own: what it leaves open is closed at its end. */
struct apart {
    bp_status (*run)(bp_call *call, void *arg);
    void         *arg;
    struct waker *waker;
    bp_status     status;
    bool          is_done;
    char          problem[512];
};

static void run_apart(bp_call *call, void *arg)
{
    struct apart *apart = arg;

    apart->status = apart->run(call, apart->arg);
    snprintf(apart->problem, sizeof(apart->problem), BP_FMT, BP_ARG(call->error.message));
}

static void end_apart(void *arg)
{
    struct apart *apart = arg;

    apart->is_done = true;
    waker_wake(apart->waker);
}

static void start_apart(bp_call *call, void *arg)
{
    arena_on_free(call->arena, end_apart, arg); // the last to run: what is open is closed before
    run_apart(call, arg);
}

static bp_status apart(bp_call *call, bp_status (*run)(bp_call *call, void *arg), void *arg)
{
    struct apart apart = { .run = run, .arg = arg, .waker = waker_new(call) };

    if (!apart.waker ||
        !call_start(call->worker, &(struct call_options){ .deadline_ns = call->deadline_ns },
                    start_apart, &apart))
        return call_fail(call, BP_NO_MEMORY, "no fiber for another call");
    while (!apart.is_done)
        call_wait_unconditionally(call, "another call");
    waker_end(apart.waker);
    return apart.status == BP_OK ? BP_OK : call_fail(call, apart.status, "%s", apart.problem);
}

static const char *restart_command;

/* The words of the command, without a shell: blanks part them. */
static bp_status run_command(bp_call *call, void *arg)
{
    char *text = strdup(restart_command), *words[RESTART_WORDS_MAX + 1] = { NULL }, *rest = NULL;
    int   count = 0, status = 0;
    pid_t child = -1;

    (void)arg;
    for (char *word = strtok_r(text, " ", &rest); word && count < RESTART_WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    if (count && posix_spawnp(&child, words[0], NULL, NULL, words, environ) == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    free(text);
    if (child > 0 && status == 0)
        return BP_OK;
    return call_fail(call, BP_INTERNAL, "the restart command %s",
                     child > 0 ? "failed" : "cannot be run");
}

static bp_status restart(bp_call *call)
{
    struct bp_pool *pool = pool_create("restart", 1);
    bp_status       status = pool ? pool_offload(call, pool, run_command, NULL) : BP_NO_MEMORY;

    if (pool)
        pool_destroy(pool);
    return status;
}

/* ---- running cases ---- */

struct case_run {
    struct conforming         *run;
    const struct conform_case *which;
    struct worker             *worker;
    bp_status                  status;
    char                       problem[512];
};

static bp_status run_case(bp_call *call, void *arg)
{
    struct case_run *one = arg;
    bp_status        status = one->which->run(call, &one->run->conform);

    // A case of refusals leaves the refusal's own sentence in the call.
    if (one->which->where == CONFORM_REFUSED && status == BP_OK &&
        !conform_is_refusal(call->error.status, call->error.message)) {
        bp_str said = bp_dup(call, call->error.message);

        return call_fail(call, BP_INTERNAL,
                         "it was not refused for its credentials, but as \"%s\": " BP_FMT,
                         bp_status_label(call->error.status), BP_ARG(said));
    }
    return status;
}

static void *run_on_worker(void *arg)
{
    struct case_run *one = arg;

    one->status = generation_call(one->worker, BP_SECONDS(CASE_TIMEOUT_S), run_case, one,
                                  one->problem);
    return NULL;
}

static void judge(struct conform_row *row, const struct case_run *runs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (runs[i].status == BP_OK || row->outcome == CONFORM_FAILS)
            continue;
        row->outcome = runs[i].status == BP_UNSUPPORTED ? CONFORM_SKIPPED : CONFORM_FAILS;
        snprintf(row->detail, sizeof(row->detail), "%s%s", runs[i].problem,
                 runs[i].status == BP_UNSUPPORTED || runs[i].status == BP_INTERNAL
                     ? ""
                     : " (of the operation itself)");
    }
}

static void run_one(struct conforming *run, const struct conform_case *which)
{
    uint32_t            count = which->where == CONFORM_EVERY_WORKER ? run->workers : 1;
    struct case_run     runs[CONFORM_WORKERS_MAX];
    pthread_t           threads[CONFORM_WORKERS_MAX];
    struct conform_row *row = conform_report_add(&run->report, which->sentence);
    int64_t             begun_ns = clock_now_ns();

    if (!row)
        return;
    for (int i = 0; i < CONFORM_COUNTERS; i++)
        run->conform.counters[i] = 0;
    for (uint32_t i = 0; i < count; i++) {
        runs[i] = (struct case_run){ run, which, &run->host.workers[i], BP_OK, "" };
        pthread_create(&threads[i], NULL, run_on_worker, &runs[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    row->seconds = (double)(clock_now_ns() - begun_ns) / 1e9;
    judge(row, runs, count);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%-8s %s (%.1f s)\n",
                row->outcome == CONFORM_HOLDS   ? "holds"
                : row->outcome == CONFORM_FAILS ? "FAILS"
                                                : "skipped",
                which->sentence, row->seconds);
}

/* What a host is started for. */
enum phase { PHASE_CASES, PHASE_RESTARTED, PHASE_REFUSALS };

static enum phase phase_of(const struct conform_case *one)
{
    return one->where == CONFORM_REFUSED     ? PHASE_REFUSALS
           : one->where == CONFORM_RESTARTED ? PHASE_RESTARTED
                                             : PHASE_CASES;
}

static bool has_phase(const char *kind, enum phase phase)
{
    const struct conform_contract *contract = conform_contract_of(kind);

    for (size_t i = 0; i < contract->count; i++)
        if (phase_of(&contract->cases[i]) == phase)
            return true;
    return false;
}

static void run_cases(struct conforming *run, enum phase phase)
{
    const struct conform_contract *contract = conform_contract_of(run->kind);

    for (uint32_t i = 0; i < run->workers; i++) {
        struct instance *instance = generation_find(run->host.edition->generation, i,
                                                    bp_str_of(run->kind), BP_STR("subject"));

        run->conform.peers[i] = &instance->peer;
    }
    run->conform.web = strcmp(run->kind, "app") == 0
                           ? conform_web_open(&run->host, BP_STR("subject"))
                           : NULL;
    for (size_t i = 0; i < contract->count; i++)
        if (phase_of(&contract->cases[i]) == phase)
            run_one(run, &contract->cases[i]);
}

/* ---- a host for them, and what it leaves ---- */

static size_t open_descriptors(void)
{
    DIR   *folder = opendir("/proc/self/fd");
    size_t count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void judge_leaks(struct conforming *run, int left_open, size_t descriptors_before)
{
    struct conform_row *row = conform_report_add(&run->report,
                                                 "everything is given back at the end: "
                                                 "connections, threads, locks, descriptors");
    size_t              now = 0;

    // The kernel may take a moment to end a thread's or a connection's descriptor.
    for (int waited_ms = 0;
         waited_ms < SHUTDOWN_GRACE_MS && (now = open_descriptors()) > descriptors_before;
         waited_ms += 50)
        usleep(50000);
    if (!row || (left_open == 0 && now <= descriptors_before))
        return;
    row->outcome = CONFORM_FAILS;
    snprintf(row->detail, sizeof(row->detail),
             "%d pools, locks or kept connections, and %zd descriptors, are left", left_open,
             (ssize_t)now - (ssize_t)descriptors_before);
}

static int left_open_of(const struct host *host, const char *kind)
{
    struct instance *instance = generation_find(host->edition->generation, 0, bp_str_of(kind),
                                                BP_STR("subject"));

    return instance ? instance->unit->open_pools + instance->unit->open_mutexes +
                          instance->unit->open_streams
                    : 0;
}

/* What libuv opens once for the process counts before, not as left behind. */
static void open_what_stays(void)
{
    uv_loop_t loop;

    if (uv_loop_init(&loop) == 0)
        uv_loop_close(&loop);
}

/* That it does not start is right, if that is for its credentials and not because nothing was there
 * to refuse them. */
static void judge_refused_start(struct conforming *run)
{
    static const char sentence[] = "wrong credentials are refused with a sentence, when it starts";
    const struct generation *generation = run->host.edition->generation;
    struct conform_row      *row = conform_report_add(&run->report, sentence);

    if (!row || (generation &&
                 conform_is_refusal(generation->problem_status, bp_str_of(generation->problem))))
        return;
    row->outcome = CONFORM_FAILS;
    snprintf(row->detail, sizeof(row->detail),
             "it does not start, but not for its credentials: %.900s",
             generation ? generation->problem : "no memory for the instances");
}

/* One host on `text`, the cases of a phase, the end. That it does not start is right for refusals.
 */
static int run_host(struct conforming *run, char *text, enum phase phase)
{
    struct host_options options = { .conf_file = "(what the command line asked for)",
                                    .conf_text = text,
                                    .only_kind = run->kind,
                                    .only_name = "subject",
                                    .only_workers = run->workers,
                                    .handler = strcmp(run->kind, "app") == 0 ? conform_web_handle
                                                                             : NULL,
                                    .handler_arg = &run->host };
    bool                are_refusals = phase == PHASE_REFUSALS;
    size_t              descriptors;
    int                 status, left_open;

    open_what_stays();
    descriptors = open_descriptors();
    status = host_load(&run->host, &options);
    if (status != EXIT_DONE) {
        host_free(&run->host);
        return status;
    }
    status = host_start(&run->host, &options);
    if (status == EXIT_DONE)
        run_cases(run, phase);
    else if (are_refusals && status == EXIT_STORAGE)
        judge_refused_start(run);
    host_stop(&run->host);
    left_open = run->host.edition->generation ? left_open_of(&run->host, run->kind) : 0;
    host_free(&run->host);
    if (status == EXIT_DONE && !are_refusals &&
        !(phase == PHASE_CASES && has_phase(run->kind, PHASE_RESTARTED)))
        judge_leaks(run, left_open, descriptors);
    return are_refusals && status == EXIT_STORAGE ? EXIT_DONE : status;
}

/* ---- the plugin ---- */

/* By its file, or by its name among those installed. */
static const struct plugin_file *find_plugin(struct conforming *run, struct host *host,
                                             const char *wanted)
{
    char path[4096], found[4096];
    bool is_path = strchr(wanted, '/') ||
                   (strlen(wanted) > 3 && strcmp(wanted + strlen(wanted) - 3, ".so") == 0);

    if (is_path && !realpath(wanted, path)) {
        fprintf(stderr, "backplane conform: there is no file %s\n", wanted);
        return NULL;
    }
    for (int round = 0; round < 2; round++) {
        char problem[512], folder[4096];

        for (size_t i = 0; i < registry_count(host->registry); i++) {
            const struct plugin_file *file = registry_at(host->registry, i);

            if (is_path ? realpath(file->path, found) && strcmp(found, path) == 0
                        : strcmp(file->note.name, wanted) == 0 &&
                              (!run->kind || strcmp(file->note.kind, run->kind) == 0))
                return file;
        }
        if (!is_path || round)
            break;
        snprintf(folder, sizeof(folder), "%s", path);
        *strrchr(folder, '/') = '\0';
        run->wish.file = wanted; // it is not among those installed: its folder must be in the conf
        if (!registry_scan(host->registry, folder, true, problem))
            fprintf(stderr, "backplane conform: %s\n", problem);
    }
    fprintf(stderr,
            "backplane conform: there is no plugin %s%s%s; `backplane plugins` lists them\n",
            wanted, run->kind ? " of the kind " : "", run->kind ? run->kind : "");
    return NULL;
}

static char *kind_copy, *version_copy;

/* Fills kind, name and the report's head; the two confs, to be freed. */
static bool prepare(struct conforming *run, const char *wanted, char **conf, char **wrong_conf)
{
    struct host               host;
    bool                      is_good = host_load_registry(&host, NULL) == EXIT_DONE;
    const struct plugin_file *file = is_good ? find_plugin(run, &host, wanted) : NULL;
    const struct plugin      *plugin = NULL;
    char                      problem[512] = "";

    if (file && file->is_accepted)
        plugin = registry_load(host.registry, file->note.kind, file->note.name, problem);
    if (file && !plugin)
        fprintf(stderr, "backplane conform: %s: %s\n", file->path,
                file->is_accepted ? problem : file->problem);
    if (plugin && run->kind && strcmp(run->kind, file->note.kind) != 0) {
        fprintf(stderr, "backplane conform: %s is of the kind %s\n", file->path, file->note.kind);
        plugin = NULL;
    }
    if (plugin && !conform_contract_of(file->note.kind)) {
        fprintf(stderr, "backplane conform: there is no contract for the kind %s\n",
                file->note.kind);
        plugin = NULL;
    }
    if (plugin && !conform_conf_check_wrong(&run->wish, plugin))
        plugin = NULL;
    if (plugin) {
        kind_copy = strdup(file->note.kind);
        version_copy = strdup(file->note.version);
        run->kind = kind_copy;
        snprintf(run->name, sizeof(run->name), "%s", file->note.name);
        run->report.kind = run->kind;
        run->report.name = run->name;
        run->report.version = version_copy;
        run->report.kind_version = file->note.kind_version;
        run->report.workers = run->workers;
        *conf = conform_conf_write(&run->wish, plugin, false);
        *wrong_conf = run->wish.wrong_count ? conform_conf_write(&run->wish, plugin, true) : NULL;
    }
    host_free(&host);
    return plugin && *conf && (*wrong_conf || !run->wish.wrong_count);
}

/* ---- texts, folder ---- */

static bool read_strings(struct conforming *run, const char *path)
{
    char           problem[JSON_PROBLEM_BYTES] = "it cannot be read";
    const bp_json *list = NULL;
    struct bp_buf  text;
    FILE          *file = path ? fopen(path, "rb") : NULL;
    char           piece[65536];
    size_t         got;

    for (size_t i = 0; i < sizeof(awkward) / sizeof(awkward[0]); i++)
        run->strings[run->conform.string_count++] = bp_str_of(awkward[i]);
    run->conform.strings = run->strings;
    if (!path)
        return true;
    buf_init(&text, &run->arena, 16u << 20);
    while (file && (got = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_add(&text, bp_str_n(piece, got));
    if (file)
        fclose(file);
    if (!file || json_parse(&run->arena, buf_str(&text), &list, problem) != BP_OK ||
        json_type_of(list) != JSON_KIND_ARRAY) {
        fprintf(stderr, "backplane conform: %s is not a JSON array of strings: %s\n", path,
                problem);
        return false;
    }
    for (size_t i = 0; i < json_count(list) && run->conform.string_count < STRINGS_MAX; i++)
        if (json_type_of(json_at(list, i)) == JSON_KIND_STRING)
            run->strings[run->conform.string_count++] = json_as_string(json_at(list, i));
    return true;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static bool begin_run(struct conforming *run)
{
    unsigned char bytes[4];

    snprintf(run->folder, sizeof(run->folder), "%s", "/tmp/backplane-conform-XXXXXX");
    if (!mkdtemp(run->folder)) {
        perror("backplane conform: a folder for the run");
        return false;
    }
    crypto_random(bytes, sizeof(bytes));
    snprintf(run->conform.name, sizeof(run->conform.name), "conform_%02x%02x%02x%02x", bytes[0],
             bytes[1], bytes[2], bytes[3]);
    run->conform.workers = run->workers;
    run->conform.cancel_at = cancel_at;
    run->conform.suspensions = suspensions_of;
    run->conform.set_deadline = set_deadline;
    run->conform.apart = apart;
    run->conform.allocated_bytes = conform_allocated_bytes;
    run->conform.resident_bytes = conform_resident_bytes;
    run->conform.restart = run->restart ? restart : NULL;
    restart_command = run->restart;
    return true;
}

static int usage(void)
{
    fprintf(stderr, "usage: backplane conform FILE.so|NAME [--kind KIND] [--set KEY=VALUE]... "
                    "[--wrong KEY=VALUE]...\n"
                    "                         [--peer KIND=YAML]... [--restart COMMAND] [--strings "
                    "FILE.json]\n"
                    "                         [--workers N] [--json]\n"
                    "Runs the contract of the plugin's kind on an instance with these options and "
                    "prints a table. --wrong: what\n"
                    "makes its credentials wrong. --peer: what `main` of that kind is, instead of "
                    "an embedded back end. --restart: the command that restarts the server behind "
                    "it; its words are\n"
                    "parted by blanks, there is no shell.\n");
    return EXIT_USAGE;
}

static bool take_arguments(struct conforming *run, int *argc, char **argv, const char **strings)
{
    const char *value, *workers = cli_take_option(argc, argv, "--workers");
    uint64_t    count = 2;

    run->kind = cli_take_option(argc, argv, "--kind");
    run->restart = cli_take_option(argc, argv, "--restart");
    *strings = cli_take_option(argc, argv, "--strings");
    while (run->wish.setting_count < CONFORM_SETTINGS_MAX &&
           (value = cli_take_option(argc, argv, "--set")) != NULL)
        run->wish.settings[run->wish.setting_count++] = value;
    while (run->wish.wrong_count < CONFORM_SETTINGS_MAX &&
           (value = cli_take_option(argc, argv, "--wrong")) != NULL)
        run->wish.wrong[run->wish.wrong_count++] = value;
    while (run->wish.peer_count < CONFORM_SETTINGS_MAX &&
           (value = cli_take_option(argc, argv, "--peer")) != NULL)
        run->wish.peers[run->wish.peer_count++] = value;
    run->wish.folder = run->folder;
    if (workers &&
        (!str_to_uint(bp_str_of(workers), &count) || count < 1 || count > CONFORM_WORKERS_MAX))
        return false;
    run->workers = (uint32_t)count;
    return cli_is_all_taken(*argc, argv, 1) && *argc == 2;
}

int command_conform(int argc, char **argv)
{
    struct conforming *run = calloc(1, sizeof(*run));
    bool               is_json = cli_take_flag(&argc, argv, "--json");
    char              *conf = NULL, *wrong_conf = NULL;
    const char        *strings = NULL;
    int                status = EXIT_USAGE;

    if (!run)
        return EXIT_FAILED;
    arena_init(&run->arena, 64u << 20);
    if (!take_arguments(run, &argc, argv, &strings))
        status = usage();
    else if (read_strings(run, strings) && begin_run(run) &&
             prepare(run, argv[1], &conf, &wrong_conf))
        status = run_host(run, conf, PHASE_CASES);
    if (status == EXIT_DONE && has_phase(run->kind, PHASE_RESTARTED))
        status = run_host(run, conf, PHASE_RESTARTED);
    if (status == EXIT_DONE && wrong_conf)
        status = run_host(run, wrong_conf, PHASE_REFUSALS);
    conform_web_end();
    if (run->folder[0])
        nftw(run->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (status == EXIT_DONE) {
        conform_report_print(&run->report, is_json);
        status = conform_report_failures(&run->report) ? EXIT_FAILED : EXIT_DONE;
    }
    free(conf);
    free(wrong_conf);
    free(kind_copy);
    free(version_copy);
    arena_free(&run->arena);
    free(run);
    return status;
}

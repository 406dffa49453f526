/* test_injected.c - memory runs out, or the system refuses, at the n-th call, n = 1, 2, ... until
 * nothing fails any more: while the server starts, answers, is given another edition, stops.
 *
 * After each the process works, which the next requests show, or it has ended with a sentence and a
 * status that is not 0. It never crashes, hangs, or gives half an answer for a whole one; under
 * AddressSanitizer it leaks nothing. By default a sample of the calls fails; BACKPLANE_INJECT=all
 * takes every one, BACKPLANE_INJECT=NAME every one of that scenario alone, and
 * BACKPLANE_INJECT_STEP=7 each 7th.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/exit_status.h"
#include "host/host.h"
#include "inject.h"
#include "loop/crash.h"

enum { ANSWER_BYTES = 1 << 18, CLIENT_S = 10, HANG_S = 20, FAULTS_MAX = 25, HAS_FAILED = 3 };

static char               folder[64], conf_file[96];
static struct host        host;
static struct sockaddr_in address;

/* What the child that is made to fail tells its parent. */
static struct {
    enum inject_kind kind;
    long             n;
    bool             is_over; /* nothing failed any more */
    char             what[256], wrong[512];
} * told;

/* ---- the host ---- */

static const char
    conf_format[] = "data_dir: %s/data\n"
                    "log: { level: error, file: %s/log.jsonl }\n"
                    "server: { listen: '127.0.0.1:0', workers: 1, access_log: off, "
                    "host_rate_per_minute: 0 }\n"
                    "storage: { main: { use: sqlite, path: a.db, breaker_failures: 0 } }\n"
                    "vector: { docs: { use: local, path: docs, breaker_failures: 0 } }\n"
                    "embed: { main: { use: hash, breaker_failures: 0 } }\n"
                    "llm: { none: { use: extractive, breaker_failures: 0 } }\n"
                    "app: { retrieval: { storage: main, vector: docs, embed: main, llm: [none], "
                    "chunk_tokens: %d } }\n";

static void write_conf(void)
{
    FILE *file = fopen(conf_file, "we");

    fprintf(file, conf_format, folder, folder, 300);
    fclose(file);
}

static int start(void)
{
    struct host_options options = { .conf_file = conf_file };
    int                 status = host_load(&host, &options);

    if (status == EXIT_DONE)
        status = host_start(&host, &options);
    if (status == EXIT_DONE)
        address = (struct sockaddr_in){ .sin_family = AF_INET,
                                        .sin_port = htons(http_edge_listener_port(host.edge, 0)),
                                        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    return status;
}

static struct conf *conf_of(int chunk_tokens)
{
    struct conf_plugins plugins = registry_for_conf(host.registry);
    char                text[2048];
    struct conf        *conf;

    snprintf(text, sizeof(text), conf_format, folder, folder, chunk_tokens);
    conf = conf_parse(conf_file, bp_str_of(text), NULL);
    return conf && conf_resolve(conf, &plugins) ? conf : NULL;
}

/* ---- the client ---- */

struct answer {
    int  status;   /* 0: nothing came */
    bool is_whole; /* its length says so */
    char text[ANSWER_BYTES];
};
static struct answer answer;

static bool is_whole(const char *text, size_t len)
{
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length: ");

    if (!end)
        return false;
    if (length && length < end)
        return len == (size_t)(end - text) + 4 + strtoul(length + 16, NULL, 10);
    return len >= 5 && strcmp(text + len - 5, "0\r\n\r\n") == 0;
}

/* False: no answer came in time. */
static bool ask(const char *head, const char *body)
{
    struct timeval patience = { .tv_sec = CLIENT_S };
    char           request[8192];
    size_t         got = 0;
    ssize_t        some;
    int            fd, len;

    inject_spare(true);
    len = snprintf(request, sizeof(request),
                   "%s\r\nHost: localhost\r\nConnection: close\r\nContent-Type: "
                   "application/json\r\n"
                   "Accept: application/json, text/event-stream\r\n%s%zu\r\n\r\n%s",
                   head, strstr(head, "Content-Length") ? "X: " : "Content-Length: ", strlen(body),
                   body);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    some = connect(fd, (struct sockaddr *)&address, sizeof(address));
    if (some == 0)
        some = send(fd, request, (size_t)len, MSG_NOSIGNAL);
    while (some > 0 && (some = recv(fd, answer.text + got, ANSWER_BYTES - 1 - got, 0)) > 0)
        got += (size_t)some;
    some = some < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? -1 : 0;
    close(fd);
    inject_spare(false);
    answer.text[got] = '\0';
    answer.status = got > 12 ? atoi(answer.text + 9) : 0;
    answer.is_whole = is_whole(answer.text, got);
    return some == 0;
}

static bool is_answered(const char *head, const char *body, int status, const char *words)
{
    if (ask(head, body) && answer.status == status && answer.is_whole && strstr(answer.text, words))
        return true;
    snprintf(told->wrong, sizeof(told->wrong), "%s was answered: %.350s", head,
             answer.text[0] ? answer.text : "not at all");
    return false;
}

/* ---- what is asked while something fails ---- */

struct request {
    const char *head, *body;
    int         status; /* when nothing fails */
    const char *words;  /* then they are in the answer */
    const char *last;   /* how a stream says that it failed, which is whole as well */
};

static bool send_one(const struct request *request)
{
    if (!ask(request->head, request->body)) {
        snprintf(told->wrong, sizeof(told->wrong), "%s: no answer within %d s", request->head,
                 CLIENT_S);
        return false;
    }
    if (answer.is_whole && answer.status == request->status &&
        !strstr(answer.text, request->words) &&
        !(request->last && strstr(answer.text, request->last))) {
        snprintf(told->wrong, sizeof(told->wrong), "half an answer as a whole one: %.400s",
                 answer.text);
        return false;
    }
    return true;
}

static const char search_head[] = "POST /api/v1/search HTTP/1.1",
                  search_body[] = "{\"query\":\"red foxes\",\"collection\":\"docs\"}";

static bool goes_on(void)
{
    return is_answered("GET /health HTTP/1.1", "", 200, "\"status\"") &&
           is_answered(search_head, search_body, 200, "\"fox\"");
}

static bool fill(void)
{
    return is_answered("POST /api/v1/collections HTTP/1.1", "{\"name\":\"docs\"}", 200, "docs") &&
           is_answered("POST /api/v1/documents?collection=docs HTTP/1.1",
                       "{\"documents\":[{\"id\":\"fox\",\"text\":\"All red foxes are fast.\"}]}",
                       200, "");
}

/* ---- scenarios ---- */

static bool ask_for_health(void)
{
    return send_one(&(struct request){ "GET /health HTTP/1.1", "", 200, "\"status\"", NULL });
}

static bool search(void)
{
    return send_one(&(struct request){ search_head, search_body, 200, "\"fox\"", NULL });
}

/* What the server said it has, it has. */
static bool insert(void)
{
    char body[256], path[128];

    snprintf(body, sizeof(body), "{\"documents\":[{\"id\":\"n%ld\",\"text\":\"Document %ld.\"}]}",
             told->n, told->n);
    if (!send_one(&(struct request){ "POST /api/v1/documents?collection=docs HTTP/1.1", body, 200,
                                     "", NULL }))
        return false;
    if (!answer.is_whole || answer.status != 200 || strstr(answer.text, "\"failed\":1"))
        return true;
    inject_disarm();
    snprintf(path, sizeof(path), "GET /api/v1/collections/docs/documents/n%ld HTTP/1.1", told->n);
    return is_answered(path, "", 200, "Document");
}

static bool call_a_tool(void)
{
    return send_one(&(struct request){
        "POST /mcp HTTP/1.1\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
        "Mcp-Name: search_documents",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"search_documents\",\"arguments\":{\"query\":\"red foxes\",\"collection\":\"docs\"},"
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{},"
        "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"test\",\"version\":\"1\"}}}}",
        200, "red foxes are fast", "\"isError\":true" });
}

static bool send_too_much(void)
{
    return send_one(
        &(struct request){ "POST /api/v1/search HTTP/1.1\r\nContent-Length: 99999999999", "", 413,
                           "\"error\"", NULL });
}

static bool stream(void)
{
    return send_one(&(struct request){ "POST /api/v1/answer HTTP/1.1",
                                       "{\"question\":\"Are red foxes fast?\",\"collection\":"
                                       "\"docs\",\"stream\":true}",
                                       200, "event: done", "event: error" });
}

/* A successor that fails leaves the old one; why is said. */
static bool swap(void)
{
    struct conf *conf;
    off_t        said;
    int          status;

    inject_disarm();
    conf = conf_of(300 + (int)(told->n % 2) * 50);
    if (!conf)
        return false;
    inject_arm(told->kind, told->n, told->what);
    said = lseek(STDERR_FILENO, 0, SEEK_END);
    status = host_replace_edition(&host, conf, clock_now_ns() + BP_SECONDS(20));
    conf_free(conf);
    if (status == EXIT_DONE || lseek(STDERR_FILENO, 0, SEEK_END) > said)
        return true;
    snprintf(told->wrong, sizeof(told->wrong), "no sentence says why there is no other edition");
    return false;
}

struct scenario {
    const char *name;
    bool (*run)(void); /* NULL: it is the start or the stop that fails */
    bool is_stop;
    int  step; /* of a sample */
};

/* How a child that was told to fail at the n-th call of its start or its stop ends. */
static int fail_at_the_edge(const struct scenario *scenario, enum inject_kind kind)
{
    int status, fd = STDERR_FILENO;

    if (!scenario->is_stop)
        inject_arm(kind, told->n, told->what);
    status = start();
    if (!scenario->is_stop) {
        told->is_over = !inject_disarm();
    }
    if (status == EXIT_DONE && !scenario->is_stop &&
        !is_answered("GET /health HTTP/1.1", "", 200, "")) {
        return HAS_FAILED;
    }
    if (status != EXIT_DONE && (scenario->is_stop || lseek(fd, 0, SEEK_END) == 0)) {
        snprintf(told->wrong, sizeof(told->wrong), "it ended with %d and without a sentence",
                 status);
        return HAS_FAILED;
    }
    if (scenario->is_stop)
        inject_arm(kind, told->n, told->what);
    if (host.workers) // as serve does
        host_stop(&host);
    host_free(&host);
    if (scenario->is_stop) {
        told->is_over = !inject_disarm();
    }
    return 0;
}

/* One host for all n, as long as it lives. */
static int fail_again_and_again(const struct scenario *scenario, enum inject_kind kind, int step)
{
    if (start() != EXIT_DONE || !fill() || !goes_on())
        return HAS_FAILED;
    for (;; told->n += step) {
        bool is_right;

        alarm(HANG_S);
        told->wrong[0] = '\0';
        inject_arm(kind, told->n, told->what);
        is_right = scenario->run();
        told->is_over = !inject_disarm();
        if (!is_right || !goes_on())
            return HAS_FAILED;
        if (told->is_over)
            break;
    }
    host_stop(&host);
    host_free(&host);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static void be_the_child(const struct scenario *scenario, enum inject_kind kind, int step)
{
    char said[128];
    int  fd, status;

    snprintf(said, sizeof(said), "%s/said", folder);
    fd = open(said, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(fd, STDERR_FILENO);
    for (int number = 1; number < 32;
         number++) // cmocka goes on after a crash, as if it were the parent
        signal(number, SIG_DFL);
    crash_install(NULL);
    alarm(HANG_S);
    write_conf();
    status = scenario->run ? fail_again_and_again(scenario, kind, step)
                           : fail_at_the_edge(scenario, kind);
    exit(status);
}

/* Its last words, after a crash or a leak. */
static void show_what_was_said(void)
{
    char  said[128], line[512];
    FILE *file;

    snprintf(said, sizeof(said), "%s/said", folder);
    file = fopen(said, "re");
    for (int i = 0; file && i < 40 && fgets(line, sizeof(line), file); i++)
        print_error("    | %s", line);
    if (file)
        fclose(file);
}

/* 0 or how often something was wrong at told->n. */
static int run_child(const struct scenario *scenario, enum inject_kind kind, int step)
{
    pid_t child;
    int   status;

    snprintf(folder, sizeof(folder), "/tmp/backplane-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(conf_file, sizeof(conf_file), "%s/c.yaml", folder);
    told->kind = kind;
    told->is_over = false;
    told->what[0] = told->wrong[0] = '\0';
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        be_the_child(scenario, kind, step);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) {
        print_error("%s, %s %ld (%s): %s %d; %s\n", scenario->name,
                    kind == INJECT_MEMORY ? "allocation" : "system call", told->n, told->what,
                    WIFSIGNALED(status) ? "ended by signal" : "ended with",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), told->wrong);
        show_what_was_said();
    }
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return status != 0;
}

/* Of a sample. Where each n takes a server of its own there are fewer, and with a sanitizer fewer
 * still. */
static int step_of(const struct scenario *scenario, enum inject_kind kind)
{
    int step = kind == INJECT_MEMORY ? scenario->step : scenario->run ? 1 : 7;

#ifdef INJECT_WRAPS
    if (!scenario->run)
        step *= 3;
#endif
    return step;
}

static void fail_everywhere(const struct scenario *scenario)
{
    const char *wish = getenv("BACKPLANE_INJECT"), *stride = getenv("BACKPLANE_INJECT_STEP");
    bool        is_all = wish && (strcmp(wish, "all") == 0 || strcmp(wish, scenario->name) == 0);
    int         faults = 0;

    if (wish && !is_all)
        skip();
    for (enum inject_kind kind = 0; kind < INJECT_KINDS; kind++) {
        int step = stride ? atoi(stride) : is_all ? 1 : step_of(scenario, kind);

        for (told->n = 1; faults < FAULTS_MAX; told->n += step) {
            faults += run_child(scenario, kind, step);
            if (told->is_over)
                break;
        }
        print_message("%s: each %d. of fewer than %ld %s failed\n", scenario->name, step,
                      told->n + 1, kind == INJECT_MEMORY ? "allocations" : "system calls");
    }
    assert_int_equal(faults, 0);
}

static void test_scenario(void **state)
{
    fail_everywhere(*state);
}

static struct scenario scenarios[] = {
    { .name = "start", .step = 401 },
    { .name = "health", .run = ask_for_health, .step = 7 },
    { .name = "search", .run = search, .step = 7 },
    { .name = "insert", .run = insert, .step = 7 },
    { .name = "tool", .run = call_a_tool, .step = 7 },
    { .name = "too_large", .run = send_too_much, .step = 7 },
    { .name = "stream", .run = stream, .step = 7 },
    { .name = "swap", .run = swap, .step = 1 },
    { .name = "stop", .is_stop = true, .step = 7 },
};

int main(void)
{
    enum { SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };
    struct CMUnitTest tests[SCENARIOS];

    setenv("BACKPLANE_PLUGINS", BP_BUILD_DIR "/plugins", 1);
    told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < SCENARIOS; i++)
        tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
                                        .test_func = test_scenario,
                                        .initial_state = &scenarios[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

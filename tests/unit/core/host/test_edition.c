/* test_edition.c - editions of the conf are swapped under load: no request fails, no connection is
 * closed, what did not change goes on, and what clients hold outlives its edition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/exit_status.h"
#include "host/host.h"

enum { CALLERS = 4, SWAPS = 16, ANSWER_BYTES = 1 << 16 };

static char               folder[] = "/tmp/backplane-test-XXXXXX", conf_file[64];
static struct host        host;
static struct sockaddr_in address;

/* ---- the host ---- */

static const char conf_format[] = "data_dir: %s/data\n"
                                  "log: { level: error, file: %s/log.jsonl }\n"
                                  "server: { listen: '127.0.0.1:0', workers: 2, access_log: off, "
                                  "host_rate_per_minute: 0 }\n"
                                  "storage: { main: { use: sqlite, path: a.db } }\n"
                                  "cache: { main: { use: memory, size: %dMiB } }\n"
                                  "vector: { docs: { use: local, path: docs } }\n"
                                  "embed: { main: { use: hash } }\n"
                                  "llm: { none: { use: extractive } }\n"
                                  "health: { disk: { use: disk, path: / } }\n"
                                  "app: { retrieval: { storage: main, vector: docs, embed: main, "
                                  "llm: [none], chunk_tokens: %d } }\n";

static struct conf *conf_of(int cache_mib, int chunk_tokens)
{
    struct conf_plugins plugins = registry_for_conf(host.registry);
    struct conf        *conf;
    char                text[2048];

    snprintf(text, sizeof(text), conf_format, folder, folder, cache_mib, chunk_tokens);
    conf = conf_parse(conf_file, bp_str_of(text), NULL);
    assert_non_null(conf);
    if (!conf_resolve(conf, &plugins))
        fail_msg("the conf has errors: " BP_FMT, BP_ARG(conf->problems.first->text));
    return conf;
}

static int set_up(void **state)
{
    struct host_options options = { .conf_file = conf_file };
    FILE               *file;

    (void)state;
    setenv("BACKPLANE_PLUGINS", BP_BUILD_DIR "/plugins", 1);
    if (!mkdtemp(folder))
        return -1;
    snprintf(conf_file, sizeof(conf_file), "%s/c.yaml", folder);
    file = fopen(conf_file, "we");
    if (!file)
        return -1;
    fprintf(file, conf_format, folder, folder, 8, 300);
    fclose(file);
    if (host_load(&host, &options) != EXIT_DONE || host_start(&host, &options) != EXIT_DONE)
        return -1;
    address = (struct sockaddr_in){ .sin_family = AF_INET,
                                    .sin_port = htons(http_edge_listener_port(host.edge, 0)) };
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    host_stop(&host);
    host_free(&host);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* ---- clients ---- */

static int connect_client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    return -1;
}

/* One request on a connection that stays; the status, and the whole answer in `answer`. 0: it was
 * closed. */
static int ask(int fd, const char *method, const char *path, const char *headers, const char *body,
               char answer[ANSWER_BYTES])
{
    char        head[1024];
    int         len = snprintf(head, sizeof(head),
                               "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n", method,
                               path, headers, strlen(body));
    size_t      got = 0, wanted = SIZE_MAX;
    const char *end;

    if (send(fd, head, (size_t)len, MSG_NOSIGNAL) != len ||
        send(fd, body, strlen(body), MSG_NOSIGNAL) != (ssize_t)strlen(body))
        return 0;
    while (got < wanted && got < ANSWER_BYTES - 1) {
        ssize_t some = recv(fd, answer + got, ANSWER_BYTES - 1 - got, 0);
        char   *length;

        if (some <= 0)
            return 0;
        got += (size_t)some;
        answer[got] = '\0';
        end = strstr(answer, "\r\n\r\n");
        length = strcasestr(answer, "content-length: ");
        if (end && length && length < end)
            wanted = (size_t)(end - answer) + 4 + strtoul(length + 16, NULL, 10);
    }
    return atoi(answer + 9);
}

static _Atomic bool is_over;
static _Atomic int  answered, failed;

static void *call_again_and_again(void *arg)
{
    static const char *const paths[] = { "/api/v1/collections", "/health", "/openapi.json" };
    char                    *answer = malloc(ANSWER_BYTES);
    int                      fd = connect_client();

    (void)arg;
    for (int i = 0; answer && !is_over; i++) {
        int status = ask(fd, "GET", paths[i % 3], "", "", answer);

        answered++;
        if (status == 200)
            continue;
        print_error("%s: %d %s\n", paths[i % 3], status,
                    status ? answer : "the connection was closed");
        failed++;
    }
    close(fd);
    free(answer);
    return NULL;
}

/* ---- the tests ---- */

static struct unit *unit_of(const char *kind, const char *name)
{
    struct instance *instance = generation_find(host.edition->generation, 0, bp_str_of(kind),
                                                bp_str_of(name));

    assert_non_null(instance);
    return instance->unit;
}

static void no_request_fails_while_editions_are_swapped(void **state)
{
    pthread_t    callers[CALLERS];
    struct unit *storage = unit_of("storage", "main"), *vector = unit_of("vector", "docs");

    (void)state;
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_again_and_again, NULL), 0);
    for (int i = 1; i <= SWAPS; i++) {
        struct unit *app = unit_of("app", "retrieval");
        struct conf *conf = conf_of(8 + i % 2 * 8, 300 + i % 3 * 50);
        int          before = answered;

        assert_int_equal(host_replace_edition(&host, conf, clock_now_ns() + BP_SECONDS(60)),
                         EXIT_DONE);
        conf_free(conf); // the edition keeps it
        assert_ptr_equal(unit_of("storage", "main"), storage);
        assert_ptr_equal(unit_of("vector", "docs"), vector);
        assert_ptr_not_equal(unit_of("app", "retrieval"), app);
        assert_null(host.older);
        while (answered == before && !failed)
            usleep(1000);
    }
    is_over = true;
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    assert_int_equal(failed, 0);
    assert_true(answered > SWAPS);
}

static void a_session_outlives_its_edition(void **state)
{
    static const char headers[] = "Content-Type: application/json\r\nAccept: application/json, "
                                  "text/event-stream\r\n";
    char             *answer = malloc(ANSWER_BYTES), with_session[256];
    const char       *id;
    struct conf      *conf = conf_of(8, 444);
    int               fd = connect_client();

    (void)state;
    assert_int_equal(ask(fd, "POST", "/mcp", headers,
                         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                         "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{"
                         "\"name\":\"t\",\"version\":\"1\"}}}",
                         answer),
                     200);
    id = strcasestr(answer, "mcp-session-id: ");
    assert_non_null(id);
    snprintf(with_session, sizeof(with_session), "%sMcp-Session-Id: %.*s\r\n", headers,
             (int)strcspn(id + 16, "\r"), id + 16);
    assert_int_equal(host_replace_edition(&host, conf, clock_now_ns() + BP_SECONDS(60)), EXIT_DONE);
    conf_free(conf);
    assert_int_equal(ask(fd, "POST", "/mcp", with_session,
                         "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", answer),
                     200);
    assert_non_null(strstr(answer, "search_documents"));
    close(fd);
    free(answer);
}

static void a_successor_that_fails_changes_nothing(void **state)
{
    struct edition *before = host.edition;
    struct conf    *conf = conf_of(8, 300);
    char           *answer = malloc(ANSWER_BYTES);
    int             fd = connect_client();

    (void)state;
    conf->server.listener_count = 0; // as if it had another one
    assert_int_equal(host_replace_edition(&host, conf, clock_now_ns()), EXIT_CONF);
    conf_free(conf);
    assert_ptr_equal(host.edition, before);
    assert_int_equal(ask(fd, "GET", "/api/v1/collections", "", "", answer), 200);
    close(fd);
    free(answer);
}

static bp_status count_users(bp_call *call, void *arg)
{
    *(uint32_t *)arg += host.edition->generation->seats[call->worker->index].users;
    return BP_OK;
}

static uint32_t users_of(const struct generation *generation)
{
    uint32_t      users = 0;
    struct reason why;

    for (uint32_t w = 0; w < generation->worker_count; w++)
        assert_int_equal(generation_call(&generation->workers[w], BP_SECONDS(10), count_users,
                                         &users, &why),
                         BP_OK);
    return users;
}

/* A body that comes slowly keeps its request, and with it the edition, at work. */
static void a_request_keeps_its_edition(void **state)
{
    static const char head[] = "POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                               "application/json\r\n"
                               "Content-Length: 16\r\n\r\n{\"query\"";
    char             *answer = calloc(1, ANSWER_BYTES);
    struct conf      *conf = conf_of(16, 555);
    struct edition   *before = host.edition;
    int               fd = connect_client();

    (void)state;
    assert_int_equal(send(fd, head, strlen(head), MSG_NOSIGNAL), (ssize_t)strlen(head));
    while (users_of(before->generation) == 0)
        usleep(1000);
    assert_int_equal(host_replace_edition(&host, conf, clock_now_ns() + BP_MILLISECONDS(50)),
                     EXIT_DONE);
    conf_free(conf);
    assert_ptr_equal(host.older, before); // the request is still under way
    assert_int_equal(send(fd, ":\"fox\"} ", 8, MSG_NOSIGNAL), 8);
    assert_true(recv(fd, answer, ANSWER_BYTES - 1, 0) > 0);
    assert_int_equal(atoi(answer + 9), 404); // there is no collection: it was read and understood
    conf = conf_of(8, 556);
    assert_int_equal(host_replace_edition(&host, conf, clock_now_ns() + BP_SECONDS(60)), EXIT_DONE);
    conf_free(conf);
    assert_null(host.older);
    close(fd);
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_request_fails_while_editions_are_swapped),
        cmocka_unit_test(a_session_outlives_its_edition),
        cmocka_unit_test(a_successor_that_fails_changes_nothing),
        cmocka_unit_test(a_request_keeps_its_edition),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

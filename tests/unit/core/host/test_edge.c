/* test_edge.c - the listeners that a host opens: which addresses, in which order, and the limits of
 * the conf that they are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/steps.h"
#include "net/connection.h"

static struct host host;
static char        folder[] = "/tmp/backplane-test-XXXXXX";

static void load(const char *server)
{
    static char         text[2048];
    struct host_options options = { .conf_file = "c.yaml", .conf_text = text };

    snprintf(text, sizeof(text),
             "data_dir: %s\nlog: { level: error }\nserver: { %s }\napp: { filesystem: { roots: [ "
             "%s ] } }\n",
             folder, server, folder);
    assert_int_equal(host_load(&host, &options), EXIT_DONE);
    host.worker_count = 1;
}

static void unload(void)
{
    host.worker_count = 0; // none has been made
    host_free(&host);
}

static const struct http_edge_options *opened(const char *server)
{
    load(server);
    assert_true(host_open_edge(&host, false));
    return &host.edge->options;
}

#define SOME "listen: [ '127.0.0.1:0' ]"

static void every_limit_of_the_conf_reaches_the_listeners(void **state)
{
    const struct http_edge_options *is = opened(
        SOME ", request_deadline: 41s, limits: { request_line: 1KiB, header_line: 2KiB, "
             "header_block: 3KiB, header_count: 44, "
             "body: 5KiB, bodies_per_client: 200MiB, bodies: 300MiB, connections: 48, "
             "connections_per_address: 49, "
             "keep_alive_requests: 50, header_timeout: 51s, body_idle_timeout: 52s, "
             "body_rate_grace: 53s, body_rate: 54B, "
             "answer_rate_grace: 55s, answer_rate: 56B, keep_alive_timeout: 57s, "
             "write_stall_timeout: 58s }");

    (void)state;
    assert_int_equal(is->workers, 1);
    assert_int_equal(is->address_count, 1);
    assert_int_equal(is->limits.request_line_bytes, 1024);
    assert_int_equal(is->limits.header_line_bytes, 2048);
    assert_int_equal(is->limits.header_block_bytes, 3072);
    assert_int_equal(is->limits.header_count, 44);
    assert_int_equal(is->max_body_bytes, 5120);
    assert_int_equal(is->max_client_bodies_bytes, 200 << 20);
    assert_int_equal(is->max_all_bodies_bytes, 300 << 20);
    assert_int_equal(is->max_connections, 48);
    assert_int_equal(is->max_connections_per_address, 49);
    assert_int_equal(is->max_requests, 50);
    assert_int_equal(is->header_timeout_ns, BP_SECONDS(51));
    assert_int_equal(is->body_timeout_ns, BP_SECONDS(52));
    assert_int_equal(is->body_grace_ns, BP_SECONDS(53));
    assert_int_equal(is->body_min_bytes_per_s, 54);
    assert_int_equal(is->answer_grace_ns, BP_SECONDS(55));
    assert_int_equal(is->answer_min_bytes_per_s, 56);
    assert_int_equal(is->idle_timeout_ns, BP_SECONDS(57));
    assert_int_equal(is->write_timeout_ns, BP_SECONDS(58));
    assert_int_equal(is->call_timeout_ns, BP_SECONDS(41));
    unload();
}

/* A message to MCP may be larger than what a client's bodies may be together. */
static void one_body_of_mcp_always_fits(void **state)
{
    const struct http_edge_options *is = opened(SOME ", mcp: { body: 9MiB }, limits: { body: 1MiB, "
                                                     "bodies_per_client: 2MiB, bodies: 3MiB }");

    (void)state;
    assert_int_equal(is->max_client_bodies_bytes, 9 << 20);
    assert_int_equal(is->max_all_bodies_bytes, 9 << 20);
    unload();
}

/* Half of few descriptors, all but 128 of many. */
static void connections_leave_descriptors_for_databases(void **state)
{
    static const struct {
        rlim_t   descriptors;
        uint32_t connections;
    } cases[] = { { 200, 100 },  { 255, 127 }, { 256, 128 },  { 257, 129 }, { 258, 130 },
                  { 1000, 872 }, { 628, 500 }, { 1028, 900 }, { 1029, 900 } };
    struct rlimit before, low;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        low.rlim_cur = cases[i].descriptors;
        setrlimit(RLIMIT_NOFILE, &low);
        assert_int_equal(opened(SOME ", limits: { connections: 900 }")->max_connections,
                         cases[i].connections);
        unload();
    }
    setrlimit(RLIMIT_NOFILE, &before);
}

/* Its own address stands behind the others, whose numbers are those of the conf. */
static void the_listener_of_metrics_is_the_last(void **state)
{
    (void)state;
    opened("listen: [ '127.0.0.1:0', '127.0.0.2:0' ], metrics_listen: 'localhost:0'");
    assert_int_equal(http_edge_listener_count(host.edge), 3);
    assert_true(bp_str_starts(http_edge_listener_address(host.edge, 0), "127.0.0.1:"));
    assert_true(bp_str_starts(http_edge_listener_address(host.edge, 1), "127.0.0.2:"));
    assert_true(bp_str_starts(http_edge_listener_address(host.edge, 2), "localhost:"));
    unload();
}

static void a_private_socket_is_all_that_is_opened(void **state)
{
    char expected[200];

    (void)state;
    load("listen: [ '127.0.0.1:0' ], metrics_listen: 'localhost:0'");
    assert_true(host_make_private_socket(&host));
    assert_int_equal(strncmp(host.socket_folder, "/tmp/backplane-", 15), 0);
    snprintf(expected, sizeof(expected), "%s/socket", host.socket_folder);
    assert_string_equal(host.socket_path, expected);
    assert_true(host_open_edge(&host, true));
    assert_int_equal(http_edge_listener_count(host.edge), 1);
    snprintf(expected, sizeof(expected), "unix:%s", host.socket_path);
    assert_true(bp_str_is(http_edge_listener_address(host.edge, 0), expected));
    assert_int_equal(access(host.socket_path, F_OK), 0);
    snprintf(expected, sizeof(expected), "%s", host.socket_folder);
    unload();
    assert_int_equal(access(expected, F_OK), -1); // with its folder
}

static int set_up(void **state)
{
    (void)state;
    setenv("BACKPLANE_PLUGINS", BP_BUILD_DIR "/plugins", 1);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_of_the_conf_reaches_the_listeners),
        cmocka_unit_test(one_body_of_mcp_always_fits),
        cmocka_unit_test(connections_leave_descriptors_for_databases),
        cmocka_unit_test(the_listener_of_metrics_is_the_last),
        cmocka_unit_test(a_private_socket_is_all_that_is_opened),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* test_services_fail.c - what a service cannot do is said by its status: each that may wait, for a
 * call that is cancelled, on its fiber and in a job; and the network, of an answer and without one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <backplane/health.h>
#include <backplane/http.h>
#include <backplane/loop.h>
#include <backplane/stream.h>

#include "base/clock.h"
#include "gate_rig.h"
#include "loop/pool.h"
#include "net/http_client.h"
#include "plugin/gate.h"

static const bp_health_ops no_ops = { .struct_size = sizeof(bp_health_ops) };

static int  listener = -1;
static char address[32], url[48];

static int set_up(void **state)
{
    struct sockaddr_in  at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t           size = sizeof(at);
    struct host_service all[16];

    (void)state;
    if (rig_start("health", &no_ops) != 0)
        return -1;
    memcpy(all, plugin_services, plugin_service_count * sizeof(*all));
    memcpy(all + plugin_service_count, net_services, net_service_count * sizeof(*all));
    registry_fill_host(all, plugin_service_count + net_service_count);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&at, size) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) != 0)
        return -1;
    snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(at.sin_port));
    snprintf(url, sizeof(url), "http://%s/", address);
    unit.pool = pool_create("host", 1);
    return 0;
}

static int tear_down(void **state)
{
    close(listener);
    pool_destroy(unit.pool);
    unit.pool = NULL;
    http_client_free(&worker);
    return rig_stop(state);
}

/* Runs as code of the instance, on the fiber or in a job. */
static bp_status run_in_job(bp_call *call, void *arg)
{
    assert_true(pool_is_job_thread());
    (*(void (**)(bp_call * call)) arg)(call);
    return BP_OK;
}

static void as_plugin(bp_call *call, void (*run)(bp_call *call), bool is_job)
{
    struct gate_frame frame;

    gate_push(&frame, call, &instance, "test");
    if (is_job)
        bp_offload(call, NULL, run_in_job, &run);
    else
        run(call);
    gate_pop(&frame, call);
}

/* ---- for a call that is cancelled ---- */

static int        quiet[2]; /* a pair of sockets that says nothing */
static bp_mutex  *held;
static bp_waker  *waker;
static bp_stream *stream;

static bp_status no_job(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    return BP_OK;
}

static bp_status over_sleep(bp_call *call)
{
    return bp_sleep(call, 1);
}

static bp_status over_wait_fd(bp_call *call)
{
    return bp_wait_fd(call, quiet[0], BP_FD_READ, BP_FOREVER, NULL);
}

static bp_status over_lock(bp_call *call)
{
    return bp_mutex_lock(call, held);
}

static bp_status over_wait(bp_call *call)
{
    return bp_wait(call, waker, BP_FOREVER, "a wake");
}

static bp_status over_fetch(bp_call *call)
{
    bp_http_response response;

    return bp_http_get(call, bp_str_of(url), &response);
}

static bp_status over_open(bp_call *call)
{
    bp_http_request  request = { .struct_size = sizeof(request), .url = bp_str_of(url) };
    bp_http_response head;
    bp_http_stream  *opened;

    return bp_http_open(call, &request, &head, &opened);
}

static bp_status over_connect(bp_call *call)
{
    bp_stream *made;

    return bp_connect(call, bp_str_of(address), BP_FOREVER, &made);
}

static bp_status over_read(bp_call *call)
{
    char   byte;
    size_t count;

    return bp_read(call, stream, &byte, 1, BP_FOREVER, &count);
}

static bp_status over_write(bp_call *call)
{
    static char many[1 << 24]; // more than a socket takes that nobody reads

    return bp_write(call, stream, bp_str_n(many, sizeof(many)), BP_FOREVER);
}

static bp_status over_resolve(bp_call *call)
{
    const bp_str *addresses;
    size_t        count;

    return bp_resolve(call, BP_STR("localhost"), BP_FOREVER, &addresses, &count);
}

static bp_status over_tls(bp_call *call)
{
    static const bp_tls tls = { .struct_size = sizeof(tls) };

    return bp_start_tls(call, stream, &tls, BP_FOREVER);
}

static const struct {
    const char *name;
    bp_status (*run)(bp_call *call);
} waits[] = {
    { "sleep", over_sleep },     { "wait_fd", over_wait_fd }, { "mutex_lock", over_lock },
    { "wait", over_wait },       { "fetch", over_fetch },     { "open", over_open },
    { "connect", over_connect }, { "read", over_read },       { "write", over_write },
    { "resolve", over_resolve }, { "start_tls", over_tls },
};

static bp_status cancel(bp_call *call, void *arg)
{
    (void)arg;
    call_cancel(call);
    return BP_OK;
}

static void wait_in_vain(bp_call *call)
{
    service_on_fiber(call, cancel, NULL);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        bp_status status;

        bp_clear_error(call);
        status = waits[i].run(call);
        if (status != BP_CANCELLED || bp_error_of(call)->status != BP_CANCELLED ||
            !bp_error_of(call)->message.len)
            fail_msg("%s: %s, " BP_FMT, waits[i].name, bp_status_label(status),
                     BP_ARG(bp_error_of(call)->message));
    }
}

static bool in_a_job;

static void wait_as_plugin(bp_call *call)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, quiet), 0);
    assert_int_equal(bp_mutex_create(call, &held), BP_OK);
    assert_int_equal(bp_mutex_lock(call, held), BP_OK);
    waker = bp_waker_new(call);
    assert_non_null(waker);
    assert_int_equal(bp_connect(call, bp_str_of(address), BP_FOREVER, &stream), BP_OK);
    as_plugin(call, wait_in_vain, in_a_job);
    bp_close(stream);
    bp_waker_free(waker);
    bp_mutex_unlock(held);
    bp_mutex_destroy(held);
    close(quiet[0]);
    close(quiet[1]);
}

static void no_service_waits_for_a_call_that_is_cancelled(void **state)
{
    (void)state;
    in_a_job = false;
    on_call(wait_as_plugin);
}

static void nor_does_it_in_a_job(void **state)
{
    (void)state;
    in_a_job = true;
    on_call(wait_as_plugin);
}

/* ---- children ---- */

static bp_status fail_as_child(bp_call *child, void *arg)
{
    return bp_fail(child, BP_CONFLICT, "%s", (const char *)arg);
}

static void join_one(bp_call *call)
{
    bp_child *child;

    assert_int_equal(bp_spawn(call, "good", no_job, NULL, &child), BP_OK);
    assert_int_equal(bp_join(call, child), BP_OK);
    assert_int_equal(bp_spawn(call, "bad", fail_as_child, "of a child", &child), BP_OK);
    assert_int_equal(bp_join(call, child), BP_CONFLICT);
    assert_true(bp_str_is(bp_error_of(call)->message, "of a child"));
}

static void join_as_plugin(bp_call *call)
{
    as_plugin(call, join_one, false);
    as_plugin(call, join_one, true);
}

static void a_child_that_fails_says_so_to_who_joins_it(void **state)
{
    (void)state;
    on_call(join_as_plugin);
}

/* ---- what comes over the network ---- */

/* Hears one request and answers it; its connection ends with it. */
static bp_status answer_once(bp_call *call, void *text)
{
    char heard[4096];
    int  fd;

    BP_TRY(bp_wait_fd(call, listener, BP_FD_READ, BP_FOREVER, NULL));
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    BP_TRY(bp_wait_fd(call, fd, BP_FD_READ, BP_FOREVER, NULL));
    assert_true(recv(fd, heard, sizeof(heard), 0) > 0);
    assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0);
    close(fd);
    return BP_OK;
}

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n"

static void read_answers(bp_call *call)
{
    bp_http_request  request = { .struct_size = sizeof(request), .url = bp_str_of(url) };
    bp_http_response head;
    bp_http_stream  *opened;
    bp_sse_event     event;
    bp_child        *child;
    bp_str           piece;

    assert_int_equal(bp_spawn(call, "answer", answer_once,
                              (void *)(uintptr_t)(HEAD "Content-Length: 2\r\n\r\nok"), &child),
                     BP_OK);
    assert_int_equal(bp_http_get(call, bp_str_of(url), &head), BP_OK);
    assert_true(bp_str_is(head.body, "ok"));
    assert_int_equal(bp_join(call, child), BP_OK);

    assert_int_equal(bp_spawn(call, "answer", answer_once,
                              (void *)(uintptr_t)(HEAD "Content-Length: 30\r\n\r\ndata: one\n\nda"),
                              &child),
                     BP_OK);
    assert_int_equal(bp_http_open(call, &request, &head, &opened), BP_OK);
    assert_int_equal(head.status, 200);
    assert_int_equal(bp_http_read_event(call, opened, 100, &event), BP_OK);
    assert_true(bp_str_is(event.data, "one"));
    assert_int_equal(bp_http_read_event(call, opened, 100, &event), BP_UPSTREAM); // it breaks off
    bp_http_close(opened);
    assert_int_equal(bp_join(call, child), BP_OK);

    assert_int_equal(bp_spawn(call, "answer", answer_once,
                              (void *)(uintptr_t)(HEAD "Content-Length: 5\r\n\r\nok"), &child),
                     BP_OK);
    assert_int_equal(bp_http_open(call, &request, &head, &opened), BP_OK);
    assert_int_equal(bp_http_read(call, opened, &piece), BP_OK);
    assert_true(bp_str_is(piece, "ok"));
    assert_int_equal(bp_http_read(call, opened, &piece), BP_UPSTREAM);
    assert_int_equal(bp_error_of(call)->status, BP_UPSTREAM);
    bp_http_close(opened);
    bp_http_close(NULL);
    assert_int_equal(bp_join(call, child), BP_OK);
}

static void read_as_plugin(bp_call *call)
{
    as_plugin(call, read_answers, false);
    as_plugin(call, read_answers, true);
}

static void an_answer_that_breaks_off_is_no_answer(void **state)
{
    (void)state;
    on_call(read_as_plugin);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(no_service_waits_for_a_call_that_is_cancelled),
        RIGGED(nor_does_it_in_a_job),
        RIGGED(a_child_that_fails_says_so_to_who_joins_it),
        RIGGED(an_answer_that_breaks_off_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

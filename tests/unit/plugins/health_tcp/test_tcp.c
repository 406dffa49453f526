/* test_tcp.c - health/tcp against real sockets. */
#include "plugins/health_test.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/health/tcp.so");
}

static int listen_somewhere(char *address, size_t size)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof(name);
    int                fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    snprintf(address, size, "127.0.0.1:%u", ntohs(name.sin_port));
    return fd;
}

static void a_port_that_takes_connections_is_healthy_until_it_closes(void **state)
{
    char            address[32];
    int             fd = listen_somewhere(address, sizeof(address));
    testhost_option options[] = { { "address", address }, { "timeout", "1s" } };
    (void)state;

    start(options, 2);
    ask(BP_HEALTH_OK, "takes connections");
    assert_true(health.value == 0); // the host's clock stands still
    assert_string_equal(testhost_leaks(host), "1 calls, 1 instances"); // and no stream
    assert_true(bp_str_is(health.unit, "seconds"));
    close(fd);
    ask(BP_HEALTH_DOWN, address);
    assert_true(isnan(health.value));
}

static void a_call_that_is_cancelled_says_nothing_of_the_port(void **state)
{
    char            address[32];
    int             fd = listen_somewhere(address, sizeof(address));
    testhost_option options[] = { { "address", address } };

    (void)state;
    start(options, 1);
    assert_string_equal(asked(),
                        bp_format(call, "ok: %s takes connections (in seconds)", address).data);
    testhost_cancel(call);
    assert_string_equal(asked(), "cancelled");
    assert_true(isnan(health.value));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_port_that_takes_connections_is_healthy_until_it_closes,
                                        setup, close_host_of_check),
        cmocka_unit_test_setup_teardown(a_call_that_is_cancelled_says_nothing_of_the_port, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

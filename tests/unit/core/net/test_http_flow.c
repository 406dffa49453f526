/* test_http_flow.c - the HTTP server with clients that are slow, or gone: who is held back, and
 * what ends. */
#include "http_handlers.h"

static void a_slow_reader_holds_the_handler_back(void **state)
{
    int    fd = client_connect(port_of(state)), small = 16 << 10;
    long   before;
    size_t len;
    char  *answer;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    written_bytes = 0;
    client_say(fd, "GET /big?33554432" TAIL CLOSE);
    assert_true(RIG_SOON(written_bytes > 0));
    rig_sleep_ms(300);
    before = written_bytes;
    rig_sleep_ms(300);
    assert_int_equal(written_bytes, before); // nothing moves while nobody reads
    assert_true(before < (16 << 20)); // what the kernel and the queue take, far from all of it
    answer = client_drain(fd, &len);
    assert_true(len > 33554432);
    assert_string_equal(answer + len - 7, "\r\n0\r\n\r\n");
    assert_int_equal(written_bytes, 33554432);
    free(answer);
    close(fd);
}

static void a_client_that_never_reads_is_reset(void **state)
{
    int fd = client_connect(port_of(state));

    written_bytes = 0;
    client_say(fd, "GET /big?33554432" TAIL CLOSE);
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
    assert_true(written_bytes < 33554432);
    close(fd);
}

static void a_slow_handler_holds_the_sender_back(void **state)
{
    enum { BYTES = 24 << 20 };
    int    fd = client_connect(port_of(state));
    char  *bytes = calloc(1, BYTES), head[128], *answer;
    size_t sent = 0;

    client_send(fd, head,
                (size_t)snprintf(head, sizeof(head),
                                 "POST /slow-read" TAIL "Content-Length: %d\r\n" CLOSE, BYTES));
    while (sent < BYTES) { // what goes without anyone reading
        ssize_t count = send(fd, bytes, BYTES - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) {
            sent += (size_t)count;
            continue;
        }
        struct pollfd look = { fd, POLLOUT, 0 };
        if (poll(&look, 1, 200) == 0)
            break;
    }
    assert_true(sent < BYTES / 2);
    assert_int_equal(read_bytes, 0);
    client_send(fd, bytes, BYTES - sent);
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 200);
    assert_int_equal(read_bytes, BYTES);
    free(answer);
    free(bytes);
    close(fd);
}

static void a_client_that_vanishes_cancels_the_call(void **state)
{
    int fd = client_connect(port_of(state));

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "GET /wait" TAIL "\r\n");
    assert_true(RIG_SOON(wait_entered));
    close(fd);
    assert_true(RIG_SOON(wait_status != -1));
    assert_int_equal(wait_status, BP_CANCELLED);
}

static void a_client_that_vanishes_behind_unread_bytes_cancels_the_call(void **state)
{
    int   fd = client_connect(port_of(state));
    char *bytes = calloc(1, 1 << 20);

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "POST /wait" TAIL "Content-Length: 1048576\r\n\r\n");
    client_send(fd, bytes,
                140000); // more than the server takes without a reader, less than the kernel holds
                         // for it
    assert_true(RIG_SOON(wait_entered));
    close(fd);
    assert_true(RIG_SOON(wait_status != -1));
    assert_int_equal(wait_status, BP_CANCELLED);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_slow_reader_holds_the_handler_back),
        WITH_SERVER(a_client_that_never_reads_is_reset),
        WITH_SERVER(a_slow_handler_holds_the_sender_back),
        WITH_SERVER(a_client_that_vanishes_cancels_the_call),
        WITH_SERVER(a_client_that_vanishes_behind_unread_bytes_cancels_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

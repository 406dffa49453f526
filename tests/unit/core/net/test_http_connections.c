/* test_http_connections.c - the HTTP server's listeners and connections: limits, drains, sockets,
 * and a storm of rude clients. */
#include "http_handlers.h"

#include <sys/resource.h>
#include <sys/stat.h>

static void too_many_connections_of_one_address_get_503(void **state)
{
    int   fds[41];
    char *answer;

    for (int i = 0; i < 40; i++) {
        fds[i] = client_connect(port_of(state));
        client_say(fds[i], "GET /hello" TAIL "\r\n");
        free(client_read_until(fds[i], "hello", 1));
    }
    fds[40] = client_connect(port_of(state));
    client_say(fds[40], "GET /hello" TAIL "\r\n");
    answer = client_drain(fds[40], NULL);
    assert_true(client_status(answer) == 503 || answer[0] == '\0');
    if (answer[0]) {
        assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
        assert_int_equal(strlen(client_body(answer)), 94);
    }
    free(answer);
    for (int i = 0; i < 41; i++)
        close(fds[i]);
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
    answer = client_ask(port_of(state), "GET /hello" TAIL CLOSE);
    assert_int_equal(client_status(answer), 200);
    free(answer);
}

static void without_descriptors_clients_get_503_and_the_server_lives(void **state)
{
    enum { CLIENTS = 8, FILLERS = 4096 };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_of(state)) };
    struct timeval     limit_s = { .tv_sec = 10 };
    struct rlimit      before, low;
    int                clients[CLIENTS], fillers[FILLERS], count = 0, refused = 0;
    char              *answer;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    answer = client_ask(port_of(state), "GET /hello" TAIL CLOSE); // warm: what opens lazily is open
    free(answer);
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = 200;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    setrlimit(RLIMIT_NOFILE, &low);
    while (count < FILLERS && (fillers[count] = dup(0)) >= 0)
        count++;
    for (int i = 0; i < CLIENTS; i++) {
        size_t len;

        setsockopt(clients[i], SOL_SOCKET, SO_RCVTIMEO, &limit_s, sizeof(limit_s));
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof(address)), 0);
        answer = client_drain(clients[i], &len);
        refused += client_status(answer) == 503;
        free(answer);
    }
    for (int i = 0; i < count; i++)
        close(fillers[i]);
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    assert_int_equal(refused, CLIENTS);
    answer = client_ask(port_of(state), "GET /hello" TAIL CLOSE);
    assert_int_equal(client_status(answer), 200);
    free(answer);
}

static void a_drain_lets_requests_end_and_closes_the_rest(void **state)
{
    struct rig *rig = *state;
    int         idle = client_connect(rig->port), busy = client_connect(rig->port);
    char       *answer;

    client_say(idle, "GET /hello" TAIL "\r\n");
    free(client_read_until(idle, "hello", 1));
    client_say(busy, "GET /events?silent" TAIL "\r\n");
    free(client_read_until(busy, "data: one", 1));
    rig_drain(rig, BP_SECONDS(5));
    assert_true(client_sees_end(idle));
    answer = client_drain(busy, NULL);
    assert_non_null(strstr(answer, "\r\n0\r\n\r\n")); // its stream came to its end
    free(answer);
    assert_true(RIG_SOON(rig->is_drained));
    close(idle);
    close(busy);
}

static void a_drain_that_is_due_cancels_what_is_left(void **state)
{
    struct rig *rig = *state;
    int         fd = client_connect(rig->port);
    char       *answer;

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "GET /wait" TAIL "\r\n");
    assert_true(RIG_SOON(wait_entered));
    rig_drain(rig, BP_MILLISECONDS(300));
    answer = client_drain(fd, NULL);
    assert_int_equal(wait_status, BP_CANCELLED);
    assert_non_null(strstr(answer, "Connection: close"));
    free(answer);
    assert_true(RIG_SOON(rig->is_drained));
    close(fd);
}

static void a_unix_socket_is_for_its_owner_only(void **state)
{
    struct rig         rig;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char               text[80];
    bp_str             where;
    struct stat        info;
    char              *answer;
    int                fd;

    (void)state;
    snprintf(text, sizeof(text), "unix:/tmp/bp_test_%d.sock", (int)getpid());
    where = bp_str_of(text);
    rig_defaults(&rig);
    rig.options.addresses = &where;
    rig_start(&rig, handle);
    assert_int_equal(stat(text + 5, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    strcpy(address.sun_path, text + 5);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_say(fd, "GET /who" TAIL CLOSE);
    answer = client_drain(fd, NULL);
    assert_string_equal(client_body(answer), "GET /who? test unix");
    free(answer);
    close(fd);
    rig_stop(&rig);
    assert_int_not_equal(stat(text + 5, &info), 0);
}

static void a_port_in_use_is_a_sentence(void **state)
{
    char                     text[32];
    struct reason            why;
    bp_str                   where;
    struct http_edge_options options = http_edge_defaults;

    snprintf(text, sizeof(text), "127.0.0.1:%u", port_of(state));
    where = bp_str_of(text);
    options.addresses = &where;
    options.address_count = 1;
    options.workers = 2;
    assert_null(http_edge_open(&options, NULL, &why));
    assert_non_null(strstr(why.text, "another process uses that port"));
    assert_non_null(strstr(why.text, text));
}

static void several_workers_share_one_port(void **state)
{
    struct http_edge_options options = http_edge_defaults;
    struct worker            workers[2];
    struct http_server      *servers[2];
    struct rig               parts[2];
    struct reason            why = { "" };
    struct http_edge        *edge;
    uint32_t                 seen = 0;
    int                      fds[32];

    (void)state;
    options.addresses = &rig_address;
    options.address_count = 1;
    options.workers = 2;
    edge = http_edge_open(&options, NULL, &why);
    assert_non_null(edge);
    for (uint32_t i = 0; i < 2; i++) {
        worker_init(&workers[i], i, 2, NULL);
        servers[i] = http_server_start(edge, &workers[i], handle, NULL);
        assert_non_null(servers[i]);
        worker_start(&workers[i]);
    }
    for (int i = 0; i < 32; i++) {
        fds[i] = client_connect(http_edge_listener_port(edge, 0));
        client_say(fds[i], "GET /hello" TAIL "\r\n");
        free(client_read_until(fds[i], "hello", 1));
    }
    for (uint32_t i = 0; i < 2; i++)
        seen += http_server_connections(servers[i]) > 0;
    assert_int_equal(seen, 2);
    assert_int_equal(http_edge_connections(edge), 32);
    for (int i = 0; i < 32; i++)
        close(fds[i]);
    for (uint32_t i = 0; i < 2; i++) {
        struct rig_drain *drain = malloc(sizeof(*drain));
        memset(&parts[i], 0, sizeof(parts[i]));
        parts[i].server = servers[i];
        *drain = (struct rig_drain){ &parts[i], clock_now_ns() };
        worker_post(&workers[i], rig_drain_now, drain);
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(RIG_SOON(parts[i].is_drained));
        worker_stop(&workers[i]);
        worker_join(&workers[i]);
        worker_free(&workers[i]);
    }
    http_edge_close(edge);
    metrics_clear();
}

/* ---- a storm ---- */

struct storm {
    uint16_t     port;
    unsigned     seed;
    atomic_long *echoed;
};

static void rude_reset(int fd)
{
    struct linger off = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

/* In pieces of random sizes; stops when the server has closed. */
static void send_torn(int fd, const char *bytes, size_t len, unsigned *seed)
{
    while (len) {
        size_t  piece = (size_t)rand_r(seed) % 4000 + 1;
        ssize_t sent = send(fd, bytes, piece < len ? piece : len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void echo_politely(struct storm *storm, int fd)
{
    size_t len = (size_t)rand_r(&storm->seed) % 200000, head;
    char  *text = malloc(len + 200), *answer;

    head = (size_t)sprintf(text, "POST /%s" TAIL "Content-Length: %zu\r\n" CLOSE, "echo", len);
    for (size_t i = 0; i < len; i++)
        text[head + i] = (char)('a' + (i * 7 + len) % 26);
    send_torn(fd, text, head + len, &storm->seed);
    answer = client_drain(fd, NULL);
    if (client_status(answer) == 200 && strlen(client_body(answer)) == len &&
        memcmp(client_body(answer), text + head, len) == 0)
        ++*storm->echoed;
    free(answer);
    free(text);
}

static void *run_storm(void *arg)
{
    static const char *const rude[] = {
        "GET /he",
        "\x16\x03\x01garbage\r\n\r\n",
        "GET /wait" TAIL "\r\n",
        "GET /big?3000000" TAIL "\r\n",
        "GET /events?silent" TAIL "\r\n",
        "POST /echo" TAIL "Content-Length: 100000\r\n\r\nabc",
        "POST /pieces" TAIL "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nab",
        "POST /pieces" TAIL "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz",
        "GET /hello" TAIL "\r\nGET /later?a" TAIL "\r\nGET /big?100000" TAIL "\r\nGET /later?b" TAIL
        "\r\nGET /abort" TAIL "\r\n",
        "POST /small" TAIL "Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n",
    };
    struct storm *storm = arg;

    for (int i = 0; i < 150; i++) {
        int fd = client_connect(storm->port);

        if (i % 5 == 0) {
            echo_politely(storm, fd);
        } else {
            const char
                *text = rude[(size_t)rand_r(&storm->seed) % (sizeof(rude) / sizeof(rude[0]))];
            char some[2000];
            struct timeval patience = { .tv_usec = 20000 };

            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            send_torn(fd, text, strlen(text), &storm->seed);
            if (rand_r(&storm->seed) % 2)
                (void)!recv(fd, some, sizeof(some), rand_r(&storm->seed) % 2 ? MSG_DONTWAIT : 0);
            if (rand_r(&storm->seed) % 4 == 0)
                rig_sleep_ms(rand_r(&storm->seed) % 20);
            if (rand_r(&storm->seed) % 2)
                rude_reset(fd);
        }
        close(fd);
    }
    return NULL;
}

static void a_storm_of_rude_clients_leaves_nothing_behind(void **state)
{
    enum { THREADS = 4 };
    struct storm storms[THREADS];
    pthread_t    threads[THREADS];
    atomic_long  echoed = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        storms[i] = (struct storm){ port_of(state), i * 7919 + 1, &echoed };
        assert_int_equal(pthread_create(&threads[i], NULL, run_storm, &storms[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(echoed, THREADS * 30); // the polite ones were served all the while
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(too_many_connections_of_one_address_get_503),
        WITH_SERVER(without_descriptors_clients_get_503_and_the_server_lives),
        WITH_SERVER(a_drain_lets_requests_end_and_closes_the_rest),
        WITH_SERVER(a_drain_that_is_due_cancels_what_is_left),
        WITH_SERVER(a_storm_of_rude_clients_leaves_nothing_behind),
        cmocka_unit_test(a_unix_socket_is_for_its_owner_only),
        WITH_SERVER(a_port_in_use_is_a_sentence),
        cmocka_unit_test(several_workers_share_one_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

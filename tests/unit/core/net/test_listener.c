/* test_listener.c - listening sockets: addresses, the sentences about wrong ones, sockets of the
 * file system, the limits of connections. */
#include "http_handlers.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "net/connection.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bp_listener_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct http_edge *open_on(const char *address, uint32_t workers, struct reason *why)
{
    struct http_edge_options options = http_edge_defaults;
    bp_str                   text = bp_str_of(address);

    options.addresses = &text;
    options.address_count = 1;
    options.workers = workers;
    why->text[0] = '\0';
    return http_edge_open(&options, NULL, why);
}

static void close_edge(struct http_edge *edge)
{
    http_edge_close(edge);
    metrics_clear();
}

static void assert_refused(const char *address, const char *sentence)
{
    struct reason     why;
    struct http_edge *edge = open_on(address, 2, &why);

    if (edge || strcmp(why.text, sentence) != 0)
        fail_msg("%s: %s, not %s", address, edge ? "it listens" : why.text, sentence);
    metrics_clear();
}

/* ---- host and port ---- */

#define WRITTEN "an address is written \"host:port\", \":port\" or \"unix:/path\""

static void an_address_that_is_none_is_refused_with_the_reason(void **state)
{
    static const char *const cases[][2] = {
        { "", "cannot listen on \"\": " WRITTEN },
        { "localhost", "cannot listen on \"localhost\": " WRITTEN },
        { "localhost:", "cannot listen on \"localhost:\": " WRITTEN },
        { ":", "cannot listen on \":\": " WRITTEN },
        { "127.0.0.1:x",
          "cannot listen on \"127.0.0.1:x\": Servname not supported for ai_socktype" },
        { "unix:",
          "cannot listen on \"unix:\": the path is empty or longer than a socket's may be" },
        { "192.0.2.1:1", "cannot listen on \"192.0.2.1:1\": Cannot assign requested address" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], cases[i][1]);
}

/* What the room for an address leaves to the port that is chosen. */
static void an_address_has_121_bytes_at_most(void **state)
{
    char address[123], sentence[300];

    (void)state;
    memset(address, 'a', sizeof(address));
    strcpy(address + 119, ":x");
    snprintf(sentence, sizeof(sentence),
             "cannot listen on \"%s\": Servname not supported for ai_socktype", address);
    assert_refused(address, sentence);
    address[119] = 'a';
    strcpy(address + 120, ":x");
    snprintf(sentence, sizeof(sentence), "the listening address \"%s\" is too long", address);
    assert_refused(address, sentence);
}

/* The list of its sockets lies where another list lay. */
static void an_address_that_is_too_long_closes_nothing(void **state)
{
    enum { WORKERS = 32 };
    int           kept = dup(0);
    volatile int *list = malloc(WORKERS * sizeof(*list));
    char          address[150];
    struct reason why;

    (void)state;
    for (int i = 0; i < WORKERS; i++)
        list[i] = kept;
    free((void *)list);
    memset(address, 'a', sizeof(address));
    address[sizeof(address) - 1] = '\0';
    assert_null(open_on(address, WORKERS, &why));
    assert_true(fcntl(kept, F_GETFD) >= 0);
    close(kept);
    metrics_clear();
}

static void assert_listens(const char *address, const char *host)
{
    struct reason     why;
    struct http_edge *edge = open_on(address, 3, &why);
    char              shown[64];

    if (!edge)
        fail_msg("%s", why.text);
    assert_int_equal(http_edge_listener_count(edge), 1);
    assert_in_range(http_edge_listener_port(edge, 0), 1, 65535);
    snprintf(shown, sizeof(shown), "%s:%u", host, http_edge_listener_port(edge, 0));
    assert_true(bp_str_is(http_edge_listener_address(edge, 0), shown));
    assert_int_equal(http_edge_connections(edge), 0);
    for (int worker = 0; worker < 3; worker++) { // all of them on that port
        struct sockaddr_storage bound;
        socklen_t               size = sizeof(bound);
        int                     on = 0;
        socklen_t               on_size = sizeof(on);

        assert_int_equal(getsockname(edge->listeners[0].fds[worker], (struct sockaddr *)&bound,
                                     &size),
                         0);
        assert_int_equal(ntohs(bound.ss_family == AF_INET6
                                   ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                   : ((struct sockaddr_in *)&bound)->sin_port),
                         http_edge_listener_port(edge, 0));
        getsockopt(edge->listeners[0].fds[worker], SOL_SOCKET, SO_ACCEPTCONN, &on, &on_size);
        assert_true(on);
        getsockopt(edge->listeners[0].fds[worker], IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, &on_size);
        assert_true(on);
    }
    close_edge(edge);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int                 fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool is_there = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return is_there;
}

static void an_address_is_shown_with_the_port_that_was_chosen(void **state)
{
    (void)state;
    assert_listens("127.0.0.1:0", "127.0.0.1");
    assert_listens("localhost:0", "localhost");
    assert_listens("*:0", "*");
    assert_listens(":0", "");
    if (has_ipv6())
        assert_listens("[::1]:0", "[::1]");
}

/* What `bind` alone does not notice. */
static void a_port_that_another_edge_has_is_refused(void **state)
{
    struct reason     why;
    struct http_edge *edge = open_on("127.0.0.1:0", 1, &why), *second;
    char              address[64], sentence[128];

    (void)state;
    snprintf(address, sizeof(address), BP_FMT, BP_ARG(http_edge_listener_address(edge, 0)));
    snprintf(sentence, sizeof(sentence), "cannot listen on \"%s\": another process uses that port",
             address);
    second = open_on(address, 1, &why);
    assert_null(second);
    assert_string_equal(why.text, sentence);
    http_edge_close(edge);
    edge = open_on(address, 1, &why); // its sockets are closed
    assert_non_null(edge);
    close_edge(edge);
}

/* The first two are closed again when the third is refused. */
static void one_wrong_address_of_several_opens_none(void **state)
{
    struct http_edge_options options = http_edge_defaults;
    bp_str                   addresses[3] = { rig_address, rig_address, BP_STR("no address") };
    struct reason            why = { "" };
    struct http_edge        *edge;
    int                      before = dup(0), after;

    (void)state;
    close(before);
    options.addresses = addresses;
    options.address_count = 3;
    options.workers = 3;
    assert_null(http_edge_open(&options, NULL, &why));
    assert_string_equal(why.text, "cannot listen on \"no address\": " WRITTEN);
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
    options.address_count = 2;
    edge = http_edge_open(&options, NULL, &why);
    assert_non_null(edge);
    assert_int_equal(http_edge_listener_count(edge), 2);
    assert_int_not_equal(http_edge_listener_port(edge, 0), http_edge_listener_port(edge, 1));
    http_edge_close(edge);
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
    options.address_count = 0;
    edge = http_edge_open(&options, NULL, &why);
    assert_non_null(edge);
    assert_int_equal(http_edge_listener_count(edge), 0);
    close_edge(edge);
}

/* ---- sockets of the file system ---- */

static void assert_mode(const char *path, mode_t mode)
{
    struct stat found;

    assert_int_equal(stat(path, &found), 0);
    assert_true(S_ISSOCK(found.st_mode));
    assert_int_equal(found.st_mode & 07777, mode);
}

static void what_stands_in_the_way_of_a_socket_is_named(void **state)
{
    struct reason     why;
    struct http_edge *edge;
    char              address[160], sentence[256];
    const char       *path = address + 5;
    FILE             *file;

    (void)state;
    snprintf(address, sizeof(address), "unix:%s/s", folder);
    file = fopen(path, "w");
    fclose(file);
    snprintf(sentence, sizeof(sentence),
             "cannot listen on \"%s\": there is a file of that name that is not a socket", address);
    assert_refused(address, sentence);
    assert_int_equal(unlink(path), 0); // it is there still
    edge = open_on(address, 2, &why);
    assert_non_null(edge);
    assert_mode(path, 0600);
    assert_int_equal(http_edge_listener_port(edge, 0), 0);
    assert_true(bp_str_is(http_edge_listener_address(edge, 0), address));
    assert_true(edge->listeners[0].fds[1] > edge->listeners[0].fds[0]);
    assert_null(open_on(address, 1, &why));
    snprintf(sentence, sizeof(sentence),
             "cannot listen on \"%s\": another process is listening there", address);
    assert_string_equal(why.text, sentence);
    assert_mode(path, 0600); // and still listening
    close_edge(edge);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(address, sizeof(address), "unix:%s/none/s", folder);
    snprintf(sentence, sizeof(sentence), "cannot listen on \"%s\": No such file or directory",
             address);
    assert_refused(address, sentence);
}

static void a_socket_that_nobody_listens_on_any_more_is_replaced(void **state)
{
    struct sockaddr_un left = { .sun_family = AF_UNIX };
    struct reason      why;
    struct http_edge  *edge;
    char               address[128];
    int                fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    snprintf(address, sizeof(address), "unix:%s/s", folder);
    strcpy(left.sun_path, address + 5);
    assert_int_equal(bind(fd, (struct sockaddr *)&left, sizeof(left)), 0);
    close(fd);
    assert_int_equal(access(left.sun_path, F_OK), 0);
    edge = open_on(address, 1, &why);
    assert_non_null(edge);
    assert_mode(left.sun_path, 0600);
    close_edge(edge);
    assert_int_equal(access(left.sun_path, F_OK), -1);
}

static void the_path_of_a_socket_has_107_bytes_at_most(void **state)
{
    struct reason     why;
    struct http_edge *edge;
    char              address[200];

    (void)state;
    snprintf(address, sizeof(address), "unix:%s/", folder);
    memset(address + strlen(address), 's', sizeof(address) - 1 - strlen(address));
    address[5 + 108] = '\0';
    assert_null(open_on(address, 1, &why));
    assert_non_null(strstr(why.text, ": the path is empty or longer than a socket's may be"));
    address[5 + 107] = '\0';
    edge = open_on(address, 1, &why);
    assert_non_null(edge);
    assert_mode(address + 5, 0600);
    close_edge(edge);
}

/* ---- limits ---- */

static void connections_leave_descriptors_for_others(void **state)
{
    static const struct {
        rlim_t   descriptors;
        uint32_t wanted, allowed;
    } cases[] = {
        { 200, 1000, 168 }, { 200, 168, 168 }, { 200, 167, 167 },
        { 200, 169, 168 },  { 66, 1000, 34 },  { 65, 1000, 33 },
        { 64, 1000, 32 },   { 63, 1000, 32 },  { 40, 10, 10 },
    };
    struct http_edge_options options = http_edge_defaults;
    struct rlimit            before, low;
    struct reason            why;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_edge *edge;

        low.rlim_cur = cases[i].descriptors;
        setrlimit(RLIMIT_NOFILE, &low);
        options.max_connections = cases[i].wanted;
        edge = http_edge_open(&options, NULL, &why);
        assert_non_null(edge);
        assert_int_equal(edge->options.max_connections, cases[i].allowed);
        close_edge(edge);
    }
    setrlimit(RLIMIT_NOFILE, &before);
}

static double turned_away(const struct rig *rig, enum refusal_reason reason)
{
    return metric_value(rig->edge->metrics.refused_connections[reason]);
}

#define OVERLOAD                                                                                   \
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: "       \
    "94\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{\"error\":{\"code\":\"unavailable\","       \
    "\"message\":\"the server has as many connections as it may hold\"}}"

/* As many as `room` are served; the next one is turned away, until one of them ends. */
static void assert_room(struct rig *rig, int room, enum refusal_reason reason)
{
    int   fds[8];
    char *answer;

    for (int i = 0; i < room; i++) {
        fds[i] = client_connect(rig->port);
        client_say(fds[i], "GET /hello" TAIL "\r\n");
        free(client_read_until(fds[i], "hello", 1));
    }
    assert_int_equal(http_edge_connections(rig->edge), room);
    for (int i = 1; i <= 2; i++) {
        answer = client_ask(rig->port, "GET /hello" TAIL "\r\n");
        assert_string_equal(answer, OVERLOAD);
        free(answer);
        assert_int_equal(turned_away(rig, reason), i);
    }
    assert_int_equal(http_edge_connections(rig->edge), room);
    close(fds[0]);
    assert_true(RIG_SOON(http_edge_connections(rig->edge) == (uint32_t)room - 1));
    answer = client_ask(rig->port, "GET /hello" TAIL CLOSE);
    assert_int_equal(client_status(answer), 200);
    free(answer);
    for (int i = 1; i < room; i++)
        close(fds[i]);
    assert_int_equal(turned_away(rig, REFUSED_TOTAL) + turned_away(rig, REFUSED_ADDRESS) +
                         turned_away(rig, REFUSED_DESCRIPTORS) + turned_away(rig, REFUSED_MEMORY),
                     2);
}

static void connections_beyond_the_limit_of_all_are_turned_away(void **state)
{
    struct rig rig;

    (void)state;
    rig_defaults(&rig);
    rig.options.max_connections = 3;
    rig_start(&rig, handle);
    assert_room(&rig, 3, REFUSED_TOTAL);
    rig_stop(&rig);
}

static void connections_beyond_the_limit_of_an_address_are_turned_away(void **state)
{
    struct rig rig;

    (void)state;
    rig_defaults(&rig);
    rig.options.max_connections_per_address = 2;
    rig_start(&rig, handle);
    assert_room(&rig, 2, REFUSED_ADDRESS);
    rig_stop(&rig);
}

/* They have no address, so the limit of one is not theirs; each is told which of the addresses it
 * came in by. */
static void connections_by_a_socket_of_the_file_system_have_no_limit_of_their_own(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    bp_str             addresses[2] = { rig_address };
    char               text[128];
    struct rig         rig;
    int                fds[3];

    (void)state;
    snprintf(text, sizeof(text), "unix:%s/s", folder);
    strcpy(address.sun_path, text + 5);
    addresses[1] = bp_str_of(text);
    rig_defaults(&rig);
    rig.options.addresses = addresses;
    rig.options.address_count = 2;
    rig.options.max_connections_per_address = 1;
    rig_start(&rig, handle);
    for (int i = 0; i < 3; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
        client_say(fds[i], "GET /hello" TAIL "\r\n");
        free(client_read_until(fds[i], "hello", 1));
    }
    assert_int_equal(http_edge_connections(rig.edge), 3);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    rig_stop(&rig);
    assert_int_equal(access(address.sun_path, F_OK), -1);
}

int main(void)
{
#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_is_none_is_refused_with_the_reason),
        cmocka_unit_test(an_address_has_121_bytes_at_most),
        cmocka_unit_test(an_address_that_is_too_long_closes_nothing),
        cmocka_unit_test(an_address_is_shown_with_the_port_that_was_chosen),
        cmocka_unit_test(a_port_that_another_edge_has_is_refused),
        cmocka_unit_test(one_wrong_address_of_several_opens_none),
        IN_FOLDER(what_stands_in_the_way_of_a_socket_is_named),
        IN_FOLDER(a_socket_that_nobody_listens_on_any_more_is_replaced),
        IN_FOLDER(the_path_of_a_socket_has_107_bytes_at_most),
        cmocka_unit_test(connections_leave_descriptors_for_others),
        cmocka_unit_test(connections_beyond_the_limit_of_all_are_turned_away),
        cmocka_unit_test(connections_beyond_the_limit_of_an_address_are_turned_away),
        IN_FOLDER(connections_by_a_socket_of_the_file_system_have_no_limit_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

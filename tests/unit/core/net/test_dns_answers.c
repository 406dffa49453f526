/* test_dns_answers.c - what is made of the answers of a resolver, which the test itself plays: the
 * linker puts it in the place of libuv's. */
#include "net_test.h"

#include <netdb.h>

#include "net/dns.h"
#include "net/stream.h"

/* ---- the resolver ---- */

enum { GIVEN_MAX = 24 };

static struct {
    int               asked, freed, cancelled, refuses; /* `refuses`: what asking gives at once */
    int               failed;                           /* what the answer says */
    const char       *found[GIVEN_MAX + 1];             /* addresses; "" is one of another family */
    bool              is_silent;
    char              host[DNS_HOST_MAX_BYTES + 1];
    struct addrinfo   hints;
    uv_getaddrinfo_t *request;
    uv_getaddrinfo_cb answer;
    struct addrinfo   list[GIVEN_MAX];
    struct sockaddr_storage addresses[GIVEN_MAX];
} resolver;

int  __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb answer,
                           const char *host, const char *service, const struct addrinfo *hints);
void __wrap_uv_freeaddrinfo(struct addrinfo *found);
int  __wrap_uv_cancel(uv_req_t *request);

static struct addrinfo *make_list(void)
{
    struct addrinfo *first = NULL;
    size_t           count = 0;

    memset(resolver.addresses, 0, sizeof(resolver.addresses));
    while (resolver.found[count])
        count++;
    while (count--) {
        struct sockaddr_in  *v4 = (struct sockaddr_in *)&resolver.addresses[count];
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&resolver.addresses[count];
        struct addrinfo     *one = &resolver.list[count];

        *one = (struct addrinfo){ .ai_addr = (struct sockaddr *)v4, .ai_next = first };
        if (inet_pton(AF_INET, resolver.found[count], &v4->sin_addr) == 1) {
            v4->sin_family = AF_INET;
            one->ai_addrlen = sizeof(*v4);
        } else if (inet_pton(AF_INET6, resolver.found[count], &v6->sin6_addr) == 1) {
            v6->sin6_family = AF_INET6;
            one->ai_addrlen = sizeof(*v6);
        } else {
            v4->sin_family = resolver.found[count][0] ? AF_INET : AF_UNIX; // too long, or of no use
            one->ai_addrlen = resolver.found[count][0] ? sizeof(*v6) + 1 : sizeof(*v4);
        }
        one->ai_family = v4->sin_family;
        first = one;
    }
    return first;
}

static void give_answer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
    resolver.answer(resolver.request, resolver.failed, resolver.failed ? NULL : make_list());
}

int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb answer,
                          const char *host, const char *service, const struct addrinfo *hints)
{
    assert_null(service);
    resolver.asked++;
    resolver.hints = *hints;
    resolver.request = request;
    resolver.answer = answer;
    strcpy(resolver.host, host);
    if (resolver.refuses)
        return resolver.refuses;
    if (!resolver.is_silent) {
        uv_timer_t *soon = malloc(sizeof(*soon));

        uv_timer_init(loop, soon);
        uv_timer_start(soon, give_answer, 1, 0);
    }
    return 0;
}

void __wrap_uv_freeaddrinfo(struct addrinfo *found)
{
    resolver.freed++;
    assert_true(!found || found == resolver.list);
}

int __wrap_uv_cancel(uv_req_t *request)
{
    assert_ptr_equal(request, resolver.request);
    resolver.cancelled++;
    return 0;
}

static int set_up(void **state)
{
    memset(&resolver, 0, sizeof(resolver));
    return set_up_worker(state);
}

/* ---- what comes of it ---- */

/* The addresses with their ports, or the status and the sentence. */
static const char *resolved(bp_call *call, const char *host, uint16_t port)
{
    static char       said[2048];
    struct dns_answer answer;
    bp_status         status = dns_resolve(call, bp_str_of(host), port, BP_FOREVER, &answer);
    size_t            len = 0;

    said[0] = '\0';
    if (status != BP_OK)
        snprintf(said, sizeof(said), "%s: " BP_FMT, bp_status_label(status),
                 BP_ARG(call->error.message));
    for (size_t i = 0; status == BP_OK && i < answer.count; i++) {
        const struct dns_address *address = &answer.addresses[i];
        char                      text[48];
        bool                      is_v6 = address->any.sa_family == AF_INET6;

        dns_address_text(address, text);
        assert_int_equal(address->size, is_v6 ? sizeof(address->v6) : sizeof(address->v4));
        len += (size_t)snprintf(said + len, sizeof(said) - len, "%s:%u ", text,
                                ntohs(is_v6 ? address->v6.sin6_port : address->v4.sin_port));
    }
    return said;
}

static void take_answers(bp_call *call)
{
    resolver.found[0] = "192.0.2.1";
    resolver.found[1] = "2001:db8::1";
    resolver.found[2] = "";
    resolver.found[3] = "too long";
    resolver.found[4] = "192.0.2.2";
    assert_string_equal(resolved(call, "a.test", 80),
                        "192.0.2.1:80 [2001:db8::1]:80 192.0.2.2:80 ");
    assert_string_equal(resolver.host, "a.test");
    assert_int_equal(resolver.hints.ai_family, AF_UNSPEC);
    assert_int_equal(resolver.hints.ai_socktype, SOCK_STREAM);
    assert_int_equal(resolver.hints.ai_flags, AI_ADDRCONFIG);
    assert_int_equal(resolver.asked, 1);
    assert_int_equal(resolver.freed, 1);
    // It is known now, for every port, and only by that name.
    assert_string_equal(resolved(call, "a.test", 65535),
                        "192.0.2.1:65535 [2001:db8::1]:65535 192.0.2.2:65535 ");
    assert_int_equal(resolver.asked, 1);
    assert_string_equal(resolved(call, "a.tes", 1), "192.0.2.1:1 [2001:db8::1]:1 192.0.2.2:1 ");
    assert_int_equal(resolver.asked, 2);
}

static void addresses_are_taken_in_order_and_remembered(void **state)
{
    (void)state;
    on_call(take_answers, BP_SECONDS(60));
}

static void take_many(bp_call *call)
{
    static char texts[GIVEN_MAX][16];
    char        expected[1024] = "";

    for (int i = 0; i < GIVEN_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), "192.0.2.%d", i);
        resolver.found[i] = texts[i];
        if (i < DNS_ADDRESSES_MAX)
            sprintf(expected + strlen(expected), "%s:7 ", texts[i]);
    }
    assert_string_equal(resolved(call, "many.test", 7), expected);
}

static void sixteen_addresses_are_the_most(void **state)
{
    (void)state;
    on_call(take_many, BP_SECONDS(60));
}

static void fail_in_all_ways(bp_call *call)
{
    static const struct {
        int         failed;
        const char *said;
    } cases[] = {
        { UV_EAI_NONAME, "unavailable: cannot find the host \"x\": name or service not known" },
        { UV_EAI_NODATA, "unavailable: cannot find the host \"x\": name or service not known" },
        { UV_EAI_AGAIN,
          "unavailable: cannot find the host \"x\": temporary failure in name resolution" },
        { UV_EAI_FAIL,
          "unavailable: cannot find the host \"x\": the name server could not answer" },
        { UV_EAI_FAMILY, "unavailable: cannot find the host \"x\": ai_family not supported" },
        { 0,
          "unavailable: cannot find the host \"x\": name or service not known" }, // nothing found
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        resolver.failed = cases[i].failed;
        assert_string_equal(resolved(call, "x", 80), cases[i].said);
        assert_int_equal(resolver.asked, i + 1); // no failure is remembered
        assert_int_equal(resolver.freed, i + 1);
    }
    resolver.refuses = UV_EINVAL;
    assert_string_equal(resolved(call, "x", 80),
                        "invalid: \"x\" is not the name of a host: invalid argument");
    resolver.refuses = UV_ENOMEM;
    assert_string_equal(resolved(call, "x", 80),
                        "no_memory: \"x\" is not the name of a host: not enough memory");
}

static void a_failure_is_told_with_its_reason_and_not_remembered(void **state)
{
    (void)state;
    on_call(fail_in_all_ways, BP_SECONDS(60));
}

static void look_at_lengths(bp_call *call)
{
    char host[DNS_HOST_MAX_BYTES + 2];

    memset(host, 'a', sizeof(host));
    host[DNS_HOST_MAX_BYTES + 1] = '\0';
    assert_string_equal(resolved(call, host, 80),
                        "invalid: a host name of 256 bytes cannot be looked up");
    assert_int_equal(resolver.asked, 0);
    host[DNS_HOST_MAX_BYTES] = '\0';
    resolver.found[0] = "192.0.2.1";
    assert_string_equal(resolved(call, host, 80), "192.0.2.1:80 ");
    assert_string_equal(resolver.host, host);
    assert_string_equal(resolved(call, host, 81), "192.0.2.1:81 ");
    assert_int_equal(resolver.asked, 1);
}

static void a_name_has_255_bytes_at_most(void **state)
{
    (void)state;
    on_call(look_at_lengths, BP_SECONDS(60));
}

static void remember_many(bp_call *call)
{
    char host[16];

    resolver.found[0] = "192.0.2.1";
    for (int i = 0; i <= DNS_CACHE_ENTRIES; i++) {
        snprintf(host, sizeof(host), "h%d", i);
        assert_string_equal(resolved(call, host, 80), "192.0.2.1:80 ");
    }
    assert_int_equal(resolver.asked, DNS_CACHE_ENTRIES + 1);
    for (int i = DNS_CACHE_ENTRIES; i > 0; i--) {
        snprintf(host, sizeof(host), "h%d", i);
        resolved(call, host, 80);
    }
    assert_int_equal(resolver.asked, DNS_CACHE_ENTRIES + 1);
    resolved(call, "h0", 80); // the oldest has made room
    assert_int_equal(resolver.asked, DNS_CACHE_ENTRIES + 2);
    resolved(call, "h1", 80);
    assert_int_equal(resolver.asked, DNS_CACHE_ENTRIES + 3);
    resolved(call, "h3", 80);
    assert_int_equal(resolver.asked, DNS_CACHE_ENTRIES + 3);
}

static void as_many_names_are_remembered_as_there_is_room_for(void **state)
{
    (void)state;
    on_call(remember_many, BP_SECONDS(60));
}

static void wait_in_vain(bp_call *call)
{
    struct dns_answer answer;
    struct cancelling cancelling = { .victim = call, .after_ns = BP_MILLISECONDS(5) };

    resolver.is_silent = true;
    assert_int_equal(dns_resolve(call, BP_STR("x"), 80, clock_now_ns() + BP_MILLISECONDS(5),
                                 &answer),
                     BP_DEADLINE);
    assert_string_equal(call->error.message.data,
                        "cannot find the host \"x\": the name server did not answer in time");
    assert_int_equal(resolver.cancelled, 1);
    resolver.answer(resolver.request, UV_EAI_CANCELED, NULL); // frees the question
    assert_int_equal(resolver.freed, 1);
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           cancel_later, &cancelling));
    assert_int_equal(dns_resolve(call, BP_STR("x"), 80, BP_FOREVER, &answer), BP_CANCELLED);
    assert_int_equal(resolver.cancelled, 2);
    resolver.answer(resolver.request, 0, NULL);
    assert_int_equal(dns_resolve(call, BP_STR("127.0.0.1"), 80, BP_FOREVER, &answer), BP_CANCELLED);
    assert_int_equal(resolver.asked, 2);
}

static void a_question_that_nobody_waits_for_is_taken_back(void **state)
{
    (void)state;
    on_call(wait_in_vain, BP_SECONDS(60));
}

/* ---- literal addresses ---- */

static void an_address_is_no_question(void **state)
{
    static const struct {
        const char *host, *text;
    } cases[] = {
        { "", "127.0.0.1" },
        { "192.0.2.1", "192.0.2.1" },
        { "::1", "[::1]" },
        { "1.2.3", NULL },
        { "[::1]", NULL },
        { "2001:db8::1", "[2001:db8::1]" },
        { "localhost", NULL },
        { "::ffff:192.0.2.1", "[::ffff:192.0.2.1]" },
        { "1111:2222:3333:4444:5555:6666:123.123.123.123",
          "[1111:2222:3333:4444:5555:6666:7b7b:7b7b]" },
        { "1111:2222:3333:4444:5555:6666:123.123.123.1234", NULL },
        { "1111:2222:3333:4444:5555:6666:123.123.123.12345678", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dns_answer answer;
        char              text[48];
        bool              is_literal = dns_is_literal(bp_str_of(cases[i].host), 1234, &answer);

        assert_int_equal(is_literal, cases[i].text != NULL);
        if (!is_literal)
            continue;
        assert_int_equal(answer.count, 1);
        dns_address_text(&answer.addresses[0], text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(ntohs(text[0] == '[' ? answer.addresses[0].v6.sin6_port
                                              : answer.addresses[0].v4.sin_port),
                         1234);
        assert_int_equal(answer.addresses[0].size, text[0] == '[' ? sizeof(answer.addresses[0].v6)
                                                                  : sizeof(answer.addresses[0].v4));
        if (text[0] == '[') { // of no interface, and no flow
            assert_int_equal(answer.addresses[0].v6.sin6_scope_id, 0);
            assert_int_equal(answer.addresses[0].v6.sin6_flowinfo, 0);
        }
    }
}

/* ---- connecting ---- */

static void serve_hello(int fd, int number)
{
    (void)number;
    server_say(fd, "hello");
}

static void connect_to_one_of_several(bp_call *call)
{
    struct bp_stream *stream;
    char              bytes[8];
    size_t            count;
    bp_str            name = arena_format(call->arena, "a.test:%u", server.port);

    resolver.found[0] = "127.0.0.2"; // where nobody listens
    resolver.found[1] = "127.0.0.1";
    resolver.found[2] = "127.0.0.3";
    assert_status(call, stream_connect(call, name, BP_FOREVER, &stream), BP_OK);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 5);
    stream_close(stream);
}

static void connect_to_none_of_several(bp_call *call)
{
    struct bp_stream *stream;
    bp_str            name = arena_format(call->arena, "b.test:%u", server.port);

    resolver.found[1] = "127.0.0.3";
    assert_status(call, stream_connect(call, name, BP_FOREVER, &stream), BP_UNAVAILABLE);
    assert_null(stream);
    assert_said(call, "cannot connect to b.test:%u: connection refused", server.port);
    assert_int_equal(call->error.os_errno, ECONNREFUSED);
}

/* Two that take nobody share the time that there is. */
static void connect_to_the_stuck(bp_call *call)
{
    int               fds[4];
    uint16_t          port = stuck_port(fds);
    int64_t           until_ns = clock_now_ns() + BP_MILLISECONDS(200);
    bp_str            name = arena_format(call->arena, "c.test:%u", port);
    struct bp_stream *stream;

    resolver.found[0] = resolver.found[1] = "127.0.0.1";
    resolver.found[2] = NULL;
    assert_status(call, stream_connect(call, name, until_ns, &stream), BP_DEADLINE);
    assert_said(call, "cannot connect to c.test:%u: connection timed out", port);
    assert_int_equal(call->error.os_errno, ETIMEDOUT);
    assert_true(clock_now_ns() >= until_ns);
    unstick(fds);
}

static void the_addresses_of_a_name_are_tried_in_turn(void **state)
{
    (void)state;
    server_start(serve_hello);
    on_call(connect_to_one_of_several, BP_SECONDS(60));
    on_call(connect_to_none_of_several, BP_SECONDS(60));
    on_call(connect_to_the_stuck, BP_SECONDS(60));
    server_stop();
}

/* ---- how addresses are written ---- */

static void a_port_stands_behind_the_last_colon(void **state)
{
    static const struct {
        const char *address, *host;
        int         port;
    } cases[] = {
        { "h:1", "h", 1 },
        { "h:65535", "h", 65535 },
        { "h:0", "h", 0 },
        { "h:65536", NULL, 0 },
        { "h:", NULL, 0 },
        { ":", NULL, 0 },
        { ":9", "", 9 },
        { "", NULL, 0 },
        { "h", NULL, 0 },
        { "h:-1", NULL, 0 },
        { "h: 1", NULL, 0 },
        { "h:1x", NULL, 0 },
        { "a:b:1", NULL, 0 },
        { "[a]:1", "a", 1 },
        { "[]:1", NULL, 0 },
        { "[:1", NULL, 0 },
        { "[::1]:443", "::1", 443 },
        { "[::1:443", NULL, 0 },
        { "::1]:443", NULL, 0 },
        { "h:18446744073709551617", NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str   host = BP_STR("before");
        uint16_t port = 7;

        if (dns_split(bp_str_of(cases[i].address), &host, &port) != (cases[i].host != NULL))
            fail_msg("%s", cases[i].address);
        if (cases[i].host) {
            assert_true(bp_str_is(host, cases[i].host));
            assert_int_equal(port, cases[i].port);
        }
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(addresses_are_taken_in_order_and_remembered),
        T(sixteen_addresses_are_the_most),
        T(a_failure_is_told_with_its_reason_and_not_remembered),
        T(a_name_has_255_bytes_at_most),
        T(as_many_names_are_remembered_as_there_is_room_for),
        T(a_question_that_nobody_waits_for_is_taken_back),
        T(the_addresses_of_a_name_are_tried_in_turn),
        cmocka_unit_test(an_address_is_no_question),
        cmocka_unit_test(a_port_stands_behind_the_last_colon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

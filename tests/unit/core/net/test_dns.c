/* test_dns.c - names, literal addresses and what is said when there is no such host. */
#include "net_test.h"

#include "net/dns.h"

static void check_split(const char *text, bool is_good, const char *host, int port)
{
    bp_str   got = { "", 0 };
    uint16_t number = 0;

    assert_int_equal(dns_split(bp_str_of(text), &got, &number), is_good);
    if (is_good) {
        assert_true(bp_str_is(got, host));
        assert_int_equal(number, port);
    }
}

static void an_address_is_split_at_its_last_colon(void **state)
{
    (void)state;
    check_split("localhost:80", true, "localhost", 80);
    check_split("[::1]:65535", true, "::1", 65535);
    check_split(":8000", true, "", 8000);
    check_split("host", false, "", 0);
    check_split("host:", false, "", 0);
    check_split("host:65536", false, "", 0);
    check_split("host:8o", false, "", 0);
    check_split("::1:80", false, "", 0);
    check_split("[]:80", false, "", 0);
    check_split("", false, "", 0);
}

static void resolve_literals(bp_call *call)
{
    struct dns_answer answer;
    char              text[48];

    assert_int_equal(dns_resolve(call, BP_STR("192.0.2.7"), 80, BP_FOREVER, &answer), BP_OK);
    assert_int_equal(answer.count, 1);
    assert_int_equal(ntohs(answer.addresses[0].v4.sin_port), 80);
    dns_address_text(&answer.addresses[0], text);
    assert_string_equal(text, "192.0.2.7");
    assert_int_equal(dns_resolve(call, BP_STR("2001:db8::1"), 81, BP_FOREVER, &answer), BP_OK);
    assert_int_equal(ntohs(answer.addresses[0].v6.sin6_port), 81);
    dns_address_text(&answer.addresses[0], text);
    assert_string_equal(text, "[2001:db8::1]");
}

static void literal_addresses_need_no_resolver(void **state)
{
    (void)state;
    on_call(resolve_literals, BP_SECONDS(10));
}

static void resolve_localhost(bp_call *call)
{
    struct dns_answer answer, again;
    char              text[48];

    assert_int_equal(dns_resolve(call, BP_STR("localhost"), 80, BP_FOREVER, &answer), BP_OK);
    assert_in_range(answer.count, 1, DNS_ADDRESSES_MAX);
    dns_address_text(&answer.addresses[0], text);
    assert_true(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "[::1]") == 0);
    // From the cache, with another port.
    assert_int_equal(dns_resolve(call, BP_STR("localhost"), 81, BP_FOREVER, &again), BP_OK);
    assert_int_equal(again.count, answer.count);
    assert_int_equal(ntohs(again.addresses[0].v4.sin_port), 81);
}

static void a_name_is_resolved_and_remembered_without_its_port(void **state)
{
    (void)state;
    on_call(resolve_localhost, BP_SECONDS(10));
}

static void resolve_nothing(bp_call *call)
{
    struct dns_answer answer;
    char              huge[300];

    assert_int_equal(dns_resolve(call, BP_STR("no-such-host.invalid"), 80, BP_FOREVER, &answer),
                     BP_UNAVAILABLE);
    assert_said(call, "cannot find the host \"no-such-host.invalid\": ");
    memset(huge, 'a', sizeof(huge));
    assert_int_equal(dns_resolve(call, bp_str_n(huge, sizeof(huge)), 80, BP_FOREVER, &answer),
                     BP_INVALID);
}

static void a_host_that_is_not_there_is_named(void **state)
{
    (void)state;
    on_call(resolve_nothing, BP_SECONDS(30));
}

static void resolve_too_late(bp_call *call)
{
    struct dns_answer answer;

    assert_int_equal(dns_resolve(call, BP_STR("another.invalid"), 80, clock_now_ns() - 1, &answer),
                     BP_DEADLINE);
    assert_said(call, "another.invalid");
    call_cancel(call);
    assert_int_equal(dns_resolve(call, BP_STR("third.invalid"), 80, BP_FOREVER, &answer),
                     BP_CANCELLED);
}

/* The question goes on without the call; its memory must outlive it (ASan would tell). */
static void a_question_that_nobody_waits_for_is_abandoned_safely(void **state)
{
    (void)state;
    on_call(resolve_too_late, BP_SECONDS(10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_split_at_its_last_colon),
        cmocka_unit_test_setup_teardown(literal_addresses_need_no_resolver, set_up_worker,
                                        tear_down_worker),
        cmocka_unit_test_setup_teardown(a_name_is_resolved_and_remembered_without_its_port,
                                        set_up_worker, tear_down_worker),
        cmocka_unit_test_setup_teardown(a_host_that_is_not_there_is_named, set_up_worker,
                                        tear_down_worker),
        cmocka_unit_test_setup_teardown(a_question_that_nobody_waits_for_is_abandoned_safely,
                                        set_up_worker, tear_down_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

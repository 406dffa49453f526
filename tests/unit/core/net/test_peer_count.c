/* test_peer_count.c - connections are counted by address, and by /64 for IPv6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "net/deadline.h"
#include "net/peer_count.h"

static struct peer_address address_of(const char *text)
{
    struct sockaddr_in  in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return peer_address_of((struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return peer_address_of((struct sockaddr *)&in6);
}

static void an_address_is_refused_at_its_limit_and_others_are_not(void **state)
{
    struct peer_count   peers;
    struct peer_address a = address_of("192.0.2.1"), b = address_of("192.0.2.2"),
                        mapped = address_of("::ffff:192.0.2.1");

    (void)state;
    assert_true(peer_count_init(&peers, 2));
    assert_true(peer_count_enter(&peers, &a));
    assert_true(peer_count_enter(&peers, &mapped));
    assert_false(peer_count_enter(&peers, &a));
    assert_true(peer_count_enter(&peers, &b));
    peer_count_leave(&peers, &a);
    assert_true(peer_count_enter(&peers, &a));
    peer_count_free(&peers);
}

/* Nothing is counted then. */
static void without_a_limit_nobody_is_refused(void **state)
{
    struct peer_count   peers;
    struct peer_address a = address_of("192.0.2.1");

    (void)state;
    memset(&peers, 0xff, sizeof(peers));
    assert_true(peer_count_init(&peers, 0));
    for (int i = 0; i < 1000; i++)
        assert_true(peer_count_enter(&peers, &a));
    peer_count_leave(&peers, &a);
    peer_count_free(&peers);
}

/* As one that has never come, or is gone, also where others are. */
static void a_client_that_is_not_there_cannot_leave(void **state)
{
    struct peer_count   peers;
    struct peer_address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");

    (void)state;
    assert_true(peer_count_init(&peers, 1));
    peer_count_leave(&peers, &a);
    assert_true(peer_count_enter(&peers, &b));
    peer_count_leave(&peers, &a);
    assert_false(peer_count_enter(&peers, &b));
    peer_count_leave(&peers, &b);
    peer_count_leave(&peers, &b);
    assert_true(peer_count_enter(&peers, &b));
    assert_false(peer_count_enter(&peers, &b));
    peer_count_free(&peers);
}

static void one_slash_64_is_one_client(void **state)
{
    struct peer_count   peers;
    struct peer_address a = address_of("2001:db8::1"), b = address_of("2001:db8::2:3"),
                        c = address_of("2001:db8:0:1::1");

    (void)state;
    assert_true(peer_count_init(&peers, 1));
    assert_true(peer_count_enter(&peers, &a));
    assert_false(peer_count_enter(&peers, &b));
    assert_true(peer_count_enter(&peers, &c));
    peer_count_free(&peers);
}

static void many_addresses_come_and_go(void **state)
{
    struct peer_count peers;

    (void)state;
    assert_true(peer_count_init(&peers, 1));
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 20000; i++) {
            struct sockaddr_in  in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(i) };
            struct peer_address peer = peer_address_of((struct sockaddr *)&in);
            assert_true(peer_count_enter(&peers, &peer));
            assert_false(peer_count_enter(&peers, &peer));
        }
        for (uint32_t i = 0; i < 20000; i++) {
            struct sockaddr_in  in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(i) };
            struct peer_address peer = peer_address_of((struct sockaddr *)&in);
            peer_count_leave(&peers, &peer);
        }
    }
    peer_count_free(&peers);
}

static void deadlines_come_due_in_order_and_progress_moves_one_back(void **state)
{
    struct deadline_list list;
    struct deadline      a = { 0 }, b = { 0 }, c = { 0 };

    (void)state;
    deadline_list_init(&list, 100);
    deadline_set(&a, &list, 1000);
    deadline_set(&b, &list, 1010);
    deadline_set(&c, &list, 1020);
    assert_null(deadline_take_due(&list, 1099));
    deadline_set(&a, &list, 1050);
    assert_ptr_equal(deadline_take_due(&list, 1130), &b);
    deadline_clear(&c);
    assert_null(deadline_take_due(&list, 1149));
    assert_ptr_equal(deadline_take_due(&list, 1150), &a);
    assert_null(deadline_take_due(&list, 9999));
    deadline_clear(&a); // in no list: nothing happens
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_refused_at_its_limit_and_others_are_not),
        cmocka_unit_test(without_a_limit_nobody_is_refused),
        cmocka_unit_test(a_client_that_is_not_there_cannot_leave),
        cmocka_unit_test(one_slash_64_is_one_client),
        cmocka_unit_test(many_addresses_come_and_go),
        cmocka_unit_test(deadlines_come_due_in_order_and_progress_moves_one_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

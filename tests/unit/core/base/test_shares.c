/* test_shares.c - what one client may hold, and what all of them may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/shares.h"

/* Of three that hang in one bucket of the table, as their first two bytes say, and one that does
 * not. */
static const uint8_t ann[SHARE_DIGEST_BYTES] = "same-ann", bob[SHARE_DIGEST_BYTES] = "same-bob",
                     cat[SHARE_DIGEST_BYTES] = "same-cat", dan[SHARE_DIGEST_BYTES] = "else-dan";

static void a_client_holds_up_to_its_share_and_all_up_to_theirs(void **state)
{
    struct shares *shares = shares_new(10, 15);
    (void)state;
    assert_int_equal(shares_take(shares, ann, 10), SHARE_TAKEN);
    assert_int_equal(shares_take(shares, ann, 1), SHARE_OWN_IS_FULL);
    assert_int_equal(shares_take(shares, bob, 11), SHARE_OWN_IS_FULL);
    assert_int_equal(shares_take(shares, bob, 6), SHARE_ALL_IS_FULL);
    assert_int_equal(shares_of(shares, bob), 0); // nothing of what was refused
    assert_int_equal(shares_total(shares), 10);
    assert_int_equal(shares_take(shares, bob, 5), SHARE_TAKEN);
    assert_int_equal(shares_take(shares, dan, 1), SHARE_ALL_IS_FULL);
    shares_give(shares, ann, 4);
    assert_int_equal(shares_of(shares, ann), 6);
    assert_int_equal(shares_take(shares, dan, 4), SHARE_TAKEN);
    assert_int_equal(shares_total(shares), 15);
    assert_int_equal(shares_take(shares, ann, 0), SHARE_TAKEN); // of nothing there is always some
    shares_free(shares);
}

static void who_gives_all_back_leaves_the_others_what_they_hold(void **state)
{
    const uint8_t *const clients[] = { ann, bob, cat };
    (void)state;
    for (int first = 0; first < 3; first++) {
        struct shares *shares = shares_new(10, 100);

        for (int i = 0; i < 3; i++)
            assert_int_equal(shares_take(shares, clients[i], (size_t)i + 1), SHARE_TAKEN);
        shares_give(shares, clients[first], (size_t)first + 1);
        shares_give(shares, clients[first], 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(shares_of(shares, clients[i]), i == first ? 0 : i + 1);
        assert_int_equal(shares_total(shares), 6 - (first + 1));
        assert_int_equal(shares_take(shares, clients[first], 10), SHARE_TAKEN);
        assert_int_equal(shares_of(shares, clients[first]), 10);
        shares_free(shares);
    }
}

static void without_a_bound_any_amount_is_taken(void **state)
{
    struct shares *shares = shares_new(0, 0);
    (void)state;
    assert_int_equal(shares_take(shares, ann, SIZE_MAX - 1), SHARE_TAKEN);
    assert_int_equal(shares_take(shares, ann, 2),
                     SHARE_OWN_IS_FULL); // a sum that wraps is no share
    assert_int_equal(shares_take(shares, bob, 1), SHARE_TAKEN);
    assert_int_equal(shares_take(shares, bob, 1), SHARE_ALL_IS_FULL);
    assert_int_equal(shares_total(shares), SIZE_MAX);
    shares_free(shares);
    shares_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_holds_up_to_its_share_and_all_up_to_theirs),
        cmocka_unit_test(who_gives_all_back_leaves_the_others_what_they_hold),
        cmocka_unit_test(without_a_bound_any_amount_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_token_times.c - how long the keys of an issuer are used, and when it is asked again, at the
 * exact times. */
#include "../../../lib/still_clock.h"
#include "token_rig.h"

#include "../../../lib/gives_back.h"

enum { BEGAN_S = 1000000 };

static void be_at(int64_t after_ns)
{
    still_now_ns = BP_SECONDS(BEGAN_S) + after_ns;
}

/* GET /any with a header line: what is answered, and how often the issuer was asked in all. */
static void expect_asked(const char *header, int status, const char *has, int asked)
{
    expect(&(struct expected){ "GET", "/any", header, status, { has }, NULL });
    assert_int_equal(at_issuer.asked, asked);
}

static void start_still(void)
{
    make_headers();
    api_rig_start();
    be_at(0);
}

static int stop_still(void **state)
{
    still_now_ns = 0;
    return tear_down(state);
}

static void keys_are_used_for_ten_minutes(void **state)
{
    (void)state;
    start_still();
    assert_false(oauth_has_keys(api.oauth));
    expect_asked(good, 200, "id=alice", 1);
    assert_true(oauth_has_keys(api.oauth));
    be_at(BP_SECONDS(600) - 1);
    assert_true(oauth_has_keys(api.oauth));
    expect_asked(good, 200, "id=alice", 1);
    be_at(BP_SECONDS(600));
    assert_false(oauth_has_keys(api.oauth));
    expect_asked(good, 200, "id=alice", 2);
    assert_true(oauth_has_keys(api.oauth));
    be_at(BP_SECONDS(1200) - 1); // counted from the second time
    expect_asked(good, 200, "id=alice", 2);
    be_at(BP_SECONDS(1200));
    expect_asked(good, 200, "id=alice", 3);
}

static void an_unknown_key_makes_it_ask_twice_a_minute(void **state)
{
    (void)state;
    start_still();
    expect_asked(unknown, 401, "does not publish", 1);
    be_at(BP_SECONDS(30) - 1);
    expect_asked(unknown, 401, "does not publish", 1);
    be_at(BP_SECONDS(30));
    expect_asked(good, 200, "id=alice", 1);
    expect_asked(unknown, 401, "does not publish", 2);
    expect_asked(unknown, 401, "does not publish", 2);
    be_at(BP_SECONDS(60));
    expect_asked(unknown, 401, "does not publish", 3);
}

static void an_issuer_that_is_down_locks_nobody_out_for_a_day(void **state)
{
    (void)state;
    start_still();
    expect_asked(good, 200, "id=alice", 1);
    at_issuer.status = 500;
    be_at(BP_SECONDS(600));
    expect_asked(good, 200, "id=alice", 2);
    assert_true(oauth_has_keys(api.oauth)); // as it was asked a moment ago
    be_at(BP_SECONDS(630) - 1);
    expect_asked(good, 200, "id=alice", 2);
    be_at(BP_SECONDS(630));
    assert_false(oauth_has_keys(api.oauth));
    expect_asked(good, 200, "id=alice", 3);
    be_at(BP_SECONDS(86400) - 1);
    expect_asked(good, 200, "id=alice", 4);
    be_at(BP_SECONDS(86400));
    assert_false(oauth_has_keys(api.oauth));
    expect_asked(good, 401, "cannot be checked at the moment", 4);
    expect_logged("could not be had a moment ago: try again soon");
    be_at(BP_SECONDS(86402) - 2);
    expect_asked(good, 401, "cannot be checked at the moment", 4);
    be_at(BP_SECONDS(86402) - 1); // two seconds after the last try
    expect_asked(good, 401, "cannot be checked at the moment", 5);
    at_issuer.status = 200;
    be_at(BP_SECONDS(86404));
    expect_asked(good, 200, "id=alice", 6);
}

static void an_issuer_that_failed_is_left_alone_for_two_seconds(void **state)
{
    (void)state;
    at_issuer.status = 500;
    start_still();
    expect_asked(good, 401, "Retry-After: 3\r\n", 1);
    at_issuer.status = 200;
    be_at(BP_SECONDS(2) - 1);
    expect_asked(good, 401, "Retry-After: 3\r\n", 1);
    be_at(BP_SECONDS(2));
    expect_asked(good, 200, "id=alice", 2);
}

static void fetch_once_more(void)
{
    still_now_ns += BP_SECONDS(600);
    expect(&(struct expected){ "GET", "/any", good, 200, { "id=alice" }, NULL });
}

static void keys_that_were_replaced_are_given_back(void **state)
{
    (void)state;
    start_still();
    assert_gives_back(fetch_once_more, "keys");
}

#define STANDS(test) cmocka_unit_test_setup_teardown(test, defaults, stop_still)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STANDS(keys_are_used_for_ten_minutes),
        STANDS(an_unknown_key_makes_it_ask_twice_a_minute),
        STANDS(an_issuer_that_is_down_locks_nobody_out_for_a_day),
        STANDS(keys_that_were_replaced_are_given_back),
        STANDS(an_issuer_that_failed_is_left_alone_for_two_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

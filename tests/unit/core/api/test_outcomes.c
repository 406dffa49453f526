/* test_outcomes.c - what a request is counted and logged as, whichever way it ended. access.c is
 * compiled in, as clients that go away at a given moment are not to be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_server.h"

static bool is_gone;

static bool gone_or_not(const struct http_exchange *exchange)
{
    (void)exchange;
    return is_gone;
}

#define http_exchange_is_gone gone_or_not
#include "api/access.c"
#undef http_exchange_is_gone

static void the_outcome_is_that_of_the_first_that_went_wrong(void **state)
{
    static const struct {
        bool      is_gone;
        int32_t   sent;
        bp_status failed;
        int32_t   outcome;
    } cases[] = {
        { false, 200, BP_OK, 200 },
        { false, 399, BP_OK, 399 },
        { false, 404, BP_OK, 404 },
        { false, 0, BP_OK, 0 },
        { false, 200, BP_UPSTREAM, 502 }, // a stream that was cut
        { false, 399, BP_CONFLICT, 409 },
        { false, 400, BP_UPSTREAM, 400 }, // the failure was sent as that
        { false, 503, BP_CONFLICT, 503 },
        { false, 0, BP_UPSTREAM, 0 },
        { true, 200, BP_OK, 200 }, // it went when it had all
        { true, 404, BP_OK, 404 },
        { true, 0, BP_OK, 499 },
        { true, 0, BP_CANCELLED, 499 },
        { true, 200, BP_CANCELLED, 499 },
        { true, 500, BP_INTERNAL, 499 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_exchange exchange = { .status = cases[i].sent };
        int32_t              found;

        is_gone = cases[i].is_gone;
        found = outcome_of(&exchange, cases[i].failed);
        if (found != cases[i].outcome)
            fail_msg("case %zu: %d and not %d", i, found, cases[i].outcome);
    }
}

static void what_is_logged_is_as_the_conf_says(void **state)
{
    static const struct {
        int32_t mode, status;
        bool    is_logged;
    } cases[] = {
        { ACCESS_LOG_OFF, 0, false },     { ACCESS_LOG_OFF, 200, false },
        { ACCESS_LOG_OFF, 500, false },   { ACCESS_LOG_ON, 0, true },
        { ACCESS_LOG_ON, 200, true },     { ACCESS_LOG_ON, 500, true },
        { ACCESS_LOG_ERRORS, 0, true },   { ACCESS_LOG_ERRORS, 200, false },
        { ACCESS_LOG_ERRORS, 1, false },  { ACCESS_LOG_ERRORS, 399, false },
        { ACCESS_LOG_ERRORS, 400, true },
    };
    struct conf conf = { 0 };
    struct api  api = { .conf = &conf };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        conf.server.access_log = cases[i].mode;
        if (is_logged(&api, cases[i].status) != cases[i].is_logged)
            fail_msg("case %zu", i);
    }
}

static void a_long_path_is_cut_with_a_mark(void **state)
{
    static char long_path[2100];
    char        text[LOGGED_PATH_BYTES + sizeof(CUT_MARK)];

    (void)state;
    memset(long_path, 'p', sizeof(long_path));
    for (size_t len = 1998; len <= 2001; len++) {
        bp_str cut = cut_path(bp_str_n(long_path, len), text);

        assert_int_equal(cut.len, len <= 2000 ? len : 2000 + strlen("…"));
        assert_memory_equal(cut.data, long_path, len <= 2000 ? len : 2000);
        if (len > 2000)
            assert_memory_equal(cut.data + 2000, "…", strlen("…"));
    }
    memcpy(long_path + 1999, "ä", 2); // no half character
    assert_int_equal(cut_path(bp_str_n(long_path, 2001), text).len, 1999 + strlen("…"));
}

static void methods_that_clients_make_up_are_one(void **state)
{
    static const char *const known[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_true(bp_str_is(known_method(bp_str_of(known[i])), known[i]));
    assert_true(bp_str_is(known_method(BP_STR("get")), "other"));
    assert_true(bp_str_is(known_method(BP_STR("GETS")), "other"));
    assert_true(bp_str_is(known_method(BP_STR("")), "other"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outcome_is_that_of_the_first_that_went_wrong),
        cmocka_unit_test(what_is_logged_is_as_the_conf_says),
        cmocka_unit_test(a_long_path_is_cut_with_a_mark),
        cmocka_unit_test(methods_that_clients_make_up_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

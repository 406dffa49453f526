/* test_guards.c - what holds back those who guess and those who ask too often: keys that were good
 * lately, limits a minute, groups of scopes; and what is logged of who asks. */
#include "api_rig.h"

#include "api/budget.h"
#include "api/key_guard.h"
#include "api/keys.h"

/* ---- keys that were good lately ---- */

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"

static const bp_str first = BP_STR("0001000000000000"), /* the place of an id is that of its */
    beside = BP_STR("0001000000000001"),                /* first 4 digits, of 1,024 places */
    below = BP_STR("0401000000000000"), other = BP_STR("0101000000000000");

static void a_key_is_trusted_by_its_id_and_its_hash(void **state)
{
    struct key_guard *guard = key_guard_new(0);

    (void)state;
    assert_false(key_guard_trusts(guard, first, HASH_A));
    key_guard_note(guard, first, HASH_A, true);
    assert_true(key_guard_trusts(guard, first, HASH_A));
    assert_false(key_guard_trusts(guard, first, HASH_B));
    assert_false(key_guard_trusts(guard, beside, HASH_A));
    assert_false(key_guard_trusts(guard, below, HASH_A));
    assert_false(key_guard_trusts(guard, other, HASH_A));
    key_guard_note(guard, beside, HASH_A, false); // of another one that would stand there
    key_guard_note(guard, other, HASH_B, true);
    assert_true(key_guard_trusts(guard, first, HASH_A));
    assert_true(key_guard_trusts(guard, other, HASH_B));
    key_guard_note(guard, first, HASH_B, false); // it was revoked, whatever was sent with it
    assert_false(key_guard_trusts(guard, first, HASH_A));
    key_guard_note(guard, first, HASH_A, true);
    key_guard_note(guard, below, HASH_B, true); // takes its place
    assert_false(key_guard_trusts(guard, first, HASH_A));
    assert_true(key_guard_trusts(guard, below, HASH_B));
    assert_true(key_guard_trusts(guard, other, HASH_B));
    key_guard_free(guard);
}

static void wrong_keys_are_counted_for_each_client(void **state)
{
    struct key_guard *guard = key_guard_new(2);
    struct arena      arena;
    bp_call           call = { .arena = &arena, .client = 5 };

    (void)state;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(key_guard_allow_guess(guard, &call, "too many"), BP_OK);
        assert_int_equal(key_guard_allow_guess(guard, &call, "too many"), BP_OK); // takes nothing
        key_guard_charge(guard, &call);
    }
    assert_int_equal(key_guard_allow_guess(guard, &call, "too many"), BP_LIMIT);
    assert_true(bp_str_is(call.error.message, "too many"));
    assert_in_range(call.error.retry_after_ns, 1, BP_SECONDS(30));
    call.client = 6;
    assert_int_equal(key_guard_allow_guess(guard, &call, "too many"), BP_OK);
    key_guard_free(guard);
    guard = key_guard_new(0);
    for (int i = 0; i < 100; i++) {
        key_guard_charge(guard, &call);
        assert_int_equal(key_guard_allow_guess(guard, &call, "too many"), BP_OK);
    }
    key_guard_free(guard);
    key_guard_free(NULL);
    arena_free(&arena);
}

/* ---- limits a minute ---- */

static void a_budget_holds_what_a_minute_gives(void **state)
{
    struct budget *budget = budget_new(3);
    int64_t        wait_ns = 77;

    (void)state;
    assert_true(budget_is_left(budget, 1, &wait_ns));
    for (int i = 0; i < 3; i++) {
        assert_true(budget_take(budget, 1, &wait_ns));
        assert_int_equal(wait_ns, 0);
    }
    assert_false(budget_take(budget, 1, &wait_ns));
    assert_in_range(wait_ns, 1, BP_SECONDS(20));
    assert_false(budget_is_left(budget, 1, &wait_ns));
    assert_in_range(wait_ns, 1, BP_SECONDS(20));
    assert_false(budget_is_left(budget, 1 + 4096, &wait_ns)); // who shares its place
    assert_true(budget_is_left(budget, 2, &wait_ns));
    budget_free(budget);
    budget_free(NULL);
}

static void a_debt_is_of_two_minutes_at_most(void **state)
{
    struct budget *budget = budget_new(1);
    int64_t        wait_ns;

    (void)state;
    for (int i = 0; i < 50; i++)
        budget_charge(budget, 1);
    assert_false(budget_is_left(budget, 1, &wait_ns));
    assert_in_range(wait_ns, BP_SECONDS(61), BP_SECONDS(180));
    budget_free(budget);
    budget = budget_new(0);
    for (int i = 0; i < 50; i++)
        budget_charge(budget, 1);
    assert_true(budget_take(budget, 1, &wait_ns));
    assert_int_equal(wait_ns, 0);
    budget_free(budget);
}

/* ---- scopes ---- */

#define GROUP_60 "g23456789012345678901234567890123456789012345678901234567890"

static void a_group_of_scopes_allows_what_is_in_it(void **state)
{
    static const struct {
        const char *held, *wanted;
        bool        allows;
    } cases[] = {
        { "", "a:b", false },
        { "a:b", "a:b", true },
        { "x a:b y", "a:b", true },
        { "a:b", "a:c", false },
        { "a:*", "a:c", true },
        { "a:*", "a:", true },
        { "a:*", "b:c", false },
        { "a:*", "ab:c", false },
        { "a:*", "a", false },
        { "*", "a", true },
        { "*", "a:b", true },
        { "a", "a", true },
        { ":*", ":b", true },
        { "a:*", "a:b:c", true },
        { "a:b:*", "a:b:c", false },
        { GROUP_60 "1:*", GROUP_60 "1:x", true },
        { GROUP_60 "12:*", GROUP_60 "12:x", false }, // longer than any
        { GROUP_60 "12:x", GROUP_60 "12:x", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_principal principal = { .scopes = bp_str_of(cases[i].held) };

        if (keys_allow(&principal, cases[i].wanted) != cases[i].allows)
            fail_msg("\"%s\" and %s", cases[i].held, cases[i].wanted);
    }
}

/* ---- over HTTP ---- */

static bp_status tell(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)instance, (void)request;
    return bp_respond(call, response, 200, "text/plain", BP_STR("told"));
}

static const bp_route told_routes[] = {
    { .method = "GET", .path = "/told", .handler = tell },
    { .method = "PUT", .path = "/told", .handler = tell },
    { .method = "POST", .path = "/told", .handler = tell },
    { .method = "DELETE", .path = "/told", .handler = tell },
};

static int set_up(void **state)
{
    (void)state;
    rig_layer = NULL;
    rig_routes = told_routes;
    rig_route_count = 4;
    rig_commands = NULL;
    rig_command_count = 0;
    api_rig_defaults();
    return 0;
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void who_asks_is_logged(void **state)
{
    char agent[300] = "User-Agent: ", line[256];

    (void)state;
    api_rig_start();

    const struct expected requests[] = {
        { "GET",
          "/told",
          "traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\n",
          200,
          { "told" },
          NULL },
        { "GET", "/told", "X-Request-Id: a\r\n", 200, { "X-Request-Id: a\r\n" }, NULL },
        { "PATCH",
          "/told",
          NULL,
          405,
          { "/told takes HEAD, GET, POST, PUT, DELETE, not PATCH" },
          NULL },
    };
    EXPECT_EACH(requests);
    expect_logged("\"tenant\":\"default\",\"trace_id\":\"" TRACE "\"");
    for (int len = 200; len <= 201; len++) {
        memset(agent + 12, len == 200 ? 'y' : 'z', (size_t)len);
        strcpy(agent + 12 + len, "\r\n");
        free(ask("GET", "/told", agent));
        snprintf(line, sizeof(line), "\"user_agent\":\"%.*s\"", 200, agent + 12);
        expect_logged(line);
    }
}

/* The cache of the rig grants so many, and a minute of it ends in 2.5 s. */
static void the_limit_is_told_in_headers(void **state)
{
    (void)state;
    conf.server.rate_per_minute = 9;
    counted.left = 2;
    api_rig_start();

    const struct expected requests[] = {
        { "GET",
          "/told",
          NULL,
          200,
          { "X-RateLimit-Limit: 9\r\n", "X-RateLimit-Remaining: 1\r\n",
            "X-RateLimit-Reset: 3\r\n" },
          NULL },
        { "GET", "/told", NULL, 200, { "X-RateLimit-Remaining: 0\r\n" }, NULL },
        { "GET",
          "/told",
          NULL,
          429,
          { "the limit of 9 requests a minute is reached", "Retry-After: 3\r\n",
            "X-RateLimit-Remaining: 0\r\n" },
          NULL },
    };
    EXPECT_EACH(requests);
    assert_string_equal(counted.key, "rate:127.0.0.1:");
}

/* Behind proxies that are trusted: 127.0.0.1, which speaks to us, and what stands before it. */
static void a_client_behind_proxies_is_who_no_proxy_is(void **state)
{
    static const bp_str proxies[] = { BP_STR("127.0.0.1"), BP_STR("10.0.0.0/8") };
    static const struct {
        const char *forwarded, *client;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1" },
        { " 192.0.2.1 ", "192.0.2.1" },
        { "192.0.2.1, 192.0.2.2", "192.0.2.2" },
        { "192.0.2.1, 10.1.1.1", "192.0.2.1" },
        { "192.0.2.1,10.1.1.1 , 127.0.0.1", "192.0.2.1" },
        { "192.0.2.1, 192.0.2.2, 10.1.1.1", "192.0.2.2" },
        { "10.1.1.2, 10.1.1.1", "10.1.1.2" },
        { "192.0.2.1, nonsense", "127.0.0.1" },
        { "192.0.2.1, nonsense, 10.1.1.1", "10.1.1.1" },
        { ",10.1.1.1", "10.1.1.1" },
        { "", "127.0.0.1" },
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" }, // a network of one client
        { "[2001:db8:1:2:ffff::1]", "2001:db8:1:2::" },
        { "::ffff:192.0.2.1", "192.0.2.1" },
        { "::1", "::" },
    };

    (void)state;
    conf.server.rate_per_minute = 9;
    conf.server.trusted_proxies = (bp_str_list){ proxies, 2 };
    api_rig_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *header = formatted("X-Forwarded-For: %s\r\n", cases[i].forwarded);
        char *wanted = formatted("rate:%s:", cases[i].client);

        free(ask("GET", "/told", header));
        if (strcmp(counted.key, wanted) != 0)
            fail_msg("%s: %s and not %s", cases[i].forwarded, counted.key, wanted);
        free(header);
        free(wanted);
    }
}

static void who_is_no_proxy_says_nothing_of_others(void **state)
{
    static const bp_str proxy = BP_STR("10.0.0.0/8");

    (void)state;
    conf.server.rate_per_minute = 9;
    conf.server.trusted_proxies = (bp_str_list){ &proxy, 1 };
    api_rig_start();
    free(ask("GET", "/told", "X-Forwarded-For: 192.0.2.1\r\n"));
    assert_string_equal(counted.key, "rate:127.0.0.1:");
}

#define OVER_HTTP(test) cmocka_unit_test_setup_teardown(test, set_up, api_rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_trusted_by_its_id_and_its_hash),
        cmocka_unit_test(wrong_keys_are_counted_for_each_client),
        cmocka_unit_test(a_budget_holds_what_a_minute_gives),
        cmocka_unit_test(a_debt_is_of_two_minutes_at_most),
        cmocka_unit_test(a_group_of_scopes_allows_what_is_in_it),
        OVER_HTTP(who_asks_is_logged),
        OVER_HTTP(the_limit_is_told_in_headers),
        OVER_HTTP(a_client_behind_proxies_is_who_no_proxy_is),
        OVER_HTTP(who_is_no_proxy_says_nothing_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

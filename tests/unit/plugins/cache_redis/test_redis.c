/* test_redis.c - the cache on a real Redis, beyond what every cache promises (sdk/conform has
 * that): patterns, Lua's numbers, several processes, what it says and does without its server, and
 * with one that sends nonsense. */
#include "plugins/plugin_test.h"
#include "plugins/redis_test.h"

static const bp_cache_ops *ops;
static void               *self;

static void start_cache(const char *name, const char *value)
{
    testhost_option options[] = { { "url", redis_url }, { name, value } };

    start(options, name ? 2 : 1);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
}

static int setup(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/cache/redis.so") != 0)
        return -1;
    if (!redis_start()) {
        print_message("skipped: redis-server is not on this machine\n");
        exit(0);
    }
    start_cache(NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    redis_stop();
    return close_host();
}

static bool has(const char *key, const char *expected)
{
    bp_str    value = { 0 };
    bp_status status = ops->get(call, self, bp_str_of(key), &value);

    if (status == BP_NOT_FOUND)
        return false;
    assert_ok(status);
    assert_true(bp_str_is(value, expected));
    return true;
}

static bp_take take(const char *key, int64_t limit, int64_t window_ns, int64_t cost)
{
    bp_take result = { .struct_size = sizeof(result) };
    assert_ok(ops->take(call, self, bp_str_of(key), limit, window_ns, cost, &result));
    return result;
}

static bp_take reserve(const char *period, int64_t limit, int64_t amount, int64_t hold_ns,
                       const char *reservation)
{
    bp_take result = { .struct_size = sizeof(result) };
    assert_ok(ops->reserve(call, self, BP_STR("budget}{"), bp_str_of(period), limit, amount,
                           hold_ns, bp_str_of(reservation), &result));
    return result;
}

/* ---- values ---- */

static void deleting_by_prefix_takes_the_prefix_as_it_stands(void **state)
{
    int64_t removed = 0;
    (void)state;
    for (int i = 0; i < 2500; i++) {
        assert_ok(ops->set(call, self, bp_format(call, "us*[r]?\\:%d", i), BP_STR("x"), 0));
        assert_ok(ops->set(call, self, bp_format(call, "user:%d", i), BP_STR("y"), 0));
    }
    (void)take("us*[r]?\\:limit", 10, BP_SECONDS(100), 1);
    assert_ok(ops->remove_prefix(call, self, BP_STR("us*[r]?\\:"), &removed));
    assert_int_equal(removed, 2500);
    assert_false(has("us*[r]?\\:77", ""));
    assert_true(has("user:77", "y"));
    assert_int_equal(take("us*[r]?\\:limit", 10, BP_SECONDS(100), 0).remaining, 9);
}

/* ---- limits, budgets, locks ---- */

static void a_limit_grants_exactly_its_number(void **state)
{
    bp_take last = { 0 };
    (void)state;
    for (int i = 0; i < 10; i++) {
        last = take("a", 10, BP_SECONDS(3600), 1);
        assert_true(last.is_granted);
        assert_int_equal(last.limit, 10);
        assert_int_equal(last.remaining, 9 - i);
    }
    assert_true(last.reset_ns > BP_SECONDS(3590) && last.reset_ns <= BP_SECONDS(3600));
    last = take("a", 10, BP_SECONDS(3600), 1);
    assert_false(last.is_granted);
    assert_true(last.reset_ns > BP_SECONDS(350) && last.reset_ns <= BP_SECONDS(360));
    assert_true(take("a", 10, BP_SECONDS(3600), 0).is_granted);
    assert_true(take("b", 10, BP_SECONDS(3600), 10).is_granted);
    last = take("c", 10, BP_SECONDS(3600), 11);
    assert_false(last.is_granted);
    assert_int_equal(last.reset_ns, BP_SECONDS(3600));
    assert_int_equal(last.remaining, 10);
    for (int i = 0; i < 1000; i++)
        assert_true(take("many", 1000, BP_SECONDS(86400), 1).is_granted);
    assert_false(take("many", 1000, BP_SECONDS(86400), 1).is_granted);
}

static void budgets_hold_settle_and_begin_anew(void **state)
{
    bp_take result;
    (void)state;
    assert_int_equal(reserve("2026-11", 100, 60, BP_SECONDS(60), "one").remaining, 40);
    result = reserve("2026-11", 100, 50, BP_SECONDS(60), "two");
    assert_false(result.is_granted);
    assert_int_equal(result.remaining, 40);
    assert_true(result.reset_ns > BP_SECONDS(50) && result.reset_ns <= BP_SECONDS(60));
    assert_int_equal(reserve("2026-11", 100, 70, BP_SECONDS(60), "one").remaining,
                     30); // instead of the first
    assert_ok(ops->settle(call, self, BP_STR("budget}{"), BP_STR("2026-11"), BP_STR("one"), 20));
    assert_int_equal(reserve("2026-11", 100, 0, BP_SECONDS(60), "zero").remaining, 80);
    assert_ok(ops->settle(call, self, BP_STR("budget}{"), BP_STR("2026-11"), BP_STR("zero"), 0));
    assert_true(reserve("2026-11", 100, 80, BP_SECONDS(60), "three").is_granted);
    assert_false(reserve("2026-11", 100, 1, BP_SECONDS(60), "four").is_granted);
    assert_ok(ops->settle(call, self, BP_STR("budget}{"), BP_STR("2026-11"),
                          BP_STR("never reserved"), 15));
    assert_ok(ops->settle(call, self, BP_STR("budget}{"), BP_STR("2026-11"), BP_STR("three"), 80));
    assert_int_equal(reserve("2026-11", 200, 0, BP_SECONDS(60), "five").remaining, 85);
    assert_true(reserve("2026-12", 100, 100, BP_SECONDS(60), "one").is_granted);
    assert_status(ops->settle(call, self, BP_STR("b"), BP_STR("p"), BP_STR("r"), -1), BP_INVALID);
    assert_status(ops->settle(call, self, BP_STR("b"), BP_STR("p"), BP_STR(""), 1), BP_INVALID);
}

/* What comes out, as "key/period=spent" one behind the other. */
static bp_status write_down(bp_call *own, void *arg, const bp_budget *budget)
{
    char *text = arg;
    (void)own;
    snprintf(text + strlen(text), 1000 - strlen(text), BP_FMT "/" BP_FMT "=%lld ",
             BP_ARG(budget->key), BP_ARG(budget->period), (long long)budget->spent);
    return BP_OK;
}

static void what_was_spent_can_be_read_and_loaded(void **state)
{
    const bp_budget budgets[] = { { sizeof(bp_budget), 0, BP_STR("moved:1"), BP_STR("2026-11"),
                                    4711 },
                                  { sizeof(bp_budget), 0, BP_STR("moved}s"), BP_STR(""), 1 } };
    const bp_budget too_much = { sizeof(bp_budget), 0, BP_STR("b"), BP_STR("p"), INT64_MAX };
    char            text[1000] = "";
    bp_budget_sink  sink = { sizeof(sink), write_down, text };
    (void)state;
    assert_ok(ops->settle(call, self, BP_STR("budget}{"), BP_STR("dumped"), BP_STR("r"), 17));
    assert_true(reserve("held only", 10, 10, BP_SECONDS(60), "r").is_granted);
    assert_ok(ops->load(call, self, budgets, sizeof(budgets[0]), 2));
    assert_ok(ops->load(call, self, budgets, sizeof(budgets[0]), 2));
    assert_ok(ops->dump(call, self, &sink));
    assert_non_null(strstr(text, "budget}{/dumped=17 "));
    assert_non_null(strstr(text, "moved:1/2026-11=4711 "));
    assert_non_null(strstr(text, "moved}s/=1 "));
    assert_null(strstr(text, "held only"));
    assert_status(ops->load(call, self, &too_much, sizeof(too_much), 1), BP_INVALID);
}

static void figures_are_those_of_the_server(void **state)
{
    bp_cache_stats stats = { .struct_size = sizeof(stats) };
    (void)state;
    assert_ok(ops->set(call, self, BP_STR("s"), BP_STR("x"), 0));
    assert_true(has("s", "x"));
    assert_ok(ops->stats(call, self, &stats));
    assert_true(stats.entries >= 1 && stats.size_bytes > 100000 && stats.hits >= 1);
}

/* Each process counts what it was granted into a pipe; together it is what there is. */
static void limits_and_budgets_are_exact_among_processes(void **state)
{
    enum { PROCESSES = 3, TRIES = 150, LIMIT = 200 };
    int   ends[2], granted[2], sum[2] = { 0, 0 };
    pid_t children[PROCESSES];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            testhost_option    options[] = { { "url", redis_url } };
            testhost_instance *other = testhost_instance_create(host, plugin, "other", options, 1);
            bp_take            result = { .struct_size = sizeof(result) };
            granted[0] = granted[1] = 0;
            for (int n = 0; n < TRIES; n++) {
                bp_call *own = testhost_call_new(host, BP_SECONDS(60));
                char     name[32];
                snprintf(name, sizeof(name), "%d-%d", i, n);
                if (ops->take(own, testhost_self(other), BP_STR("shared"), LIMIT, BP_SECONDS(86400),
                              1, &result) == BP_OK)
                    granted[0] += result.is_granted;
                if (ops->reserve(own, testhost_self(other), BP_STR("shared"), BP_STR("p"), LIMIT, 1,
                                 BP_SECONDS(600), bp_str_of(name), &result) == BP_OK &&
                    result.is_granted) {
                    granted[1]++;
                    if (ops->settle(own, testhost_self(other), BP_STR("shared"), BP_STR("p"),
                                    bp_str_of(name), 1) != BP_OK)
                        granted[1] += 100000;
                }
                testhost_call_end(own);
            }
            if (write(ends[1], granted, sizeof(granted)) != sizeof(granted))
                _exit(1);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(read(ends[0], granted, sizeof(granted)), sizeof(granted));
        sum[0] += granted[0];
        sum[1] += granted[1];
        waitpid(children[i], NULL, 0);
    }
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(sum[0], LIMIT);
    assert_int_equal(sum[1], LIMIT);
}

/* ---- without the server ---- */

static void a_restart_between_two_calls_is_not_noticed(void **state)
{
    (void)state;
    assert_ok(ops->set(call, self, BP_STR("before"), BP_STR("x"), 0));
    redis_stop();
    assert_true(redis_start());
    assert_false(has("before", ""));
    assert_ok(ops->set(call, self, BP_STR("after"), BP_STR("x"), 0));
    assert_true(take("after", 5, BP_SECONDS(60), 1).is_granted);
    assert_true(testhost_metric(host, "cache_redis_connections_total", "outcome=again") >= 1);
}

static void redis_is_back(void)
{
    testhost_advance(BP_SECONDS(60)); // the pause between attempts is over
    next_call();
    assert_true(redis_start());
}

static void without_redis_values_are_open_and_budgets_are_not(void **state)
{
    bp_take result = { .struct_size = sizeof(result) };
    (void)state;
    redis_stop();
    assert_false(has("a", ""));
    assert_ok(ops->set(call, self, BP_STR("a"), BP_STR("one"), 0));
    assert_true(testhost_metric(host, "cache_redis_degraded_total", "op=get") >= 1);
    assert_true(testhost_metric(host, "cache_redis_degraded_total", "op=set") == 1);
    assert_status(ops->reserve(call, self, BP_STR("b"), BP_STR("p"), 10, 1, 1000, BP_STR("r"),
                               &result),
                  BP_UNAVAILABLE);
    assert_status(ops->lock(call, self, BP_STR("b"), BP_STR("me"), BP_SECONDS(1)), BP_UNAVAILABLE);
    assert_status(ops->remove(call, self, BP_STR("a")), BP_UNAVAILABLE);
    assert_said("cannot use Redis at unix:");
    assert_said("attempt");
    redis_is_back();
    assert_ok(ops->set(call, self, BP_STR("a"), BP_STR("two"), 0));
    assert_true(has("a", "two"));
}

static void without_redis_the_workers_of_a_process_count_limits_together(void **state)
{
    testhost_instance *worker;
    void              *first = self;
    bp_take            last;
    (void)state;
    stop();
    start_cache(NULL, NULL);
    first = self;
    worker = testhost_instance_worker(instance);
    assert_non_null(worker);
    assert_int_equal(take("l", 10, BP_SECONDS(3600), 4).remaining, 6);
    redis_stop();
    for (int i = 0; i < 10; i++) { // the process knows nothing of what Redis had counted
        self = i % 2 ? first : testhost_self(worker);
        last = take("l", 10, BP_SECONDS(3600), 1);
        assert_true(last.is_granted);
        assert_int_equal(last.remaining, 9 - i);
        assert_int_equal(last.limit, 10);
    }
    for (int i = 0; i < 100; i++)
        assert_false(take("l", 10, BP_SECONDS(3600), 1).is_granted);
    last = take("l", 10, BP_SECONDS(3600), 1);
    assert_true(last.reset_ns > BP_SECONDS(350) && last.reset_ns <= BP_SECONDS(360));
    assert_true(take("other", 10, BP_SECONDS(3600), 10).is_granted);
    assert_true(testhost_metric(host, "cache_redis_local_limits_total", "outcome=granted") == 11);
    assert_true(testhost_metric(host, "cache_redis_local_limits_total", "outcome=refused") == 101);

    redis_is_back(); // one worker, then the other
    self = first;
    last = take("l", 10, BP_SECONDS(3600), 1); // of a Redis that begins anew
    assert_true(last.is_granted && last.remaining == 9);
    self = testhost_self(worker);
    assert_int_equal(take("l", 10, BP_SECONDS(3600), 1).remaining, 8);
    assert_true(testhost_metric(host, "cache_redis_local_limits_total", "outcome=granted") == 11);
    redis_stop();
    assert_int_equal(take("l", 10, BP_SECONDS(3600), 1).remaining,
                     9); // that of the last outage is forgotten
    redis_is_back();
    assert_int_equal(take("l", 10, BP_SECONDS(3600), 1).remaining, 9);
    testhost_instance_destroy(worker);
    self = first;
}

/* The table of an outage is bounded; who floods is asked about all the time and so is not what is
 * given up. */
static void a_flood_of_names_does_not_free_the_one_that_floods(void **state)
{
    (void)state;
    redis_stop();
    assert_true(take("once", 1, BP_SECONDS(3600), 1).is_granted);
    assert_true(take("flood", 1, BP_SECONDS(3600), 1).is_granted);
    for (int i = 0; i < 80000; i++) {
        char name[24];
        snprintf(name, sizeof(name), "name %d", i);
        assert_true(take(name, 1, BP_SECONDS(3600), 1).is_granted);
        if (i % 1000 == 0) {
            assert_false(take("flood", 1, BP_SECONDS(3600), 1).is_granted);
            next_call();
        }
    }
    assert_false(take("flood", 1, BP_SECONDS(3600), 1).is_granted);
    assert_true(take("once", 1, BP_SECONDS(3600), 1).is_granted); // it made room
    redis_is_back();
}

static void limits_are_open_or_closed_where_the_conf_says_so(void **state)
{
    bp_take result = { .struct_size = sizeof(result) };
    (void)state;
    stop();
    start_cache("limits_when_down", "open");
    redis_stop();
    for (int i = 0; i < 20; i++)
        assert_true(take("a", 10, BP_SECONDS(3600), 1).is_granted);
    stop();
    start_cache("limits_when_down", "closed");
    assert_status(ops->take(call, self, BP_STR("a"), 10, BP_SECONDS(3600), 1, &result),
                  BP_UNAVAILABLE);
    redis_is_back();
}

static void closed_values_say_why(void **state)
{
    bp_str value;
    (void)state;
    stop();
    start_cache("values_when_down", "closed");
    redis_stop();
    assert_status(ops->get(call, self, BP_STR("a"), &value), BP_UNAVAILABLE);
    assert_said("check that it runs");
    redis_is_back();
}

static void a_call_that_is_over_asks_nothing(void **state)
{
    bp_str value;
    (void)state;
    testhost_cancel(call);
    assert_status(ops->get(call, self, BP_STR("a"), &value), BP_CANCELLED);
    next_call();
    assert_ok(ops->set(call, self, BP_STR("a"), BP_STR("x"), 0));
}

/* Calls that have less time than `timeout` each find a server that is cut off: one of them must
 * tell. */
static void a_silent_server_is_left_by_calls_of_little_time_too(void **state)
{
    bp_str value;
    (void)state;
    stop();
    start_cache("timeout", "300ms");
    assert_ok(ops->set(call, self, BP_STR("a"), BP_STR("one"), 0));
    kill(redis_pid, SIGSTOP);
    for (int i = 0; i < 10; i++) {
        testhost_call_end(call);
        call = testhost_call_new(host, BP_MILLISECONDS(50));
        assert_status(ops->get(call, self, BP_STR("a"), &value), BP_DEADLINE);
    }
    kill(redis_pid, SIGCONT);
    testhost_advance(BP_SECONDS(60));
    next_call();
    assert_true(has("a", "one"));
    assert_true(testhost_metric(host, "cache_redis_connections_total", "outcome=again") >= 1);
}

/* A server that answers the greeting and then sends these pieces. */
static bp_status get_from_script(int number, const char *const *pieces, size_t count, bp_str *value)
{
    char            address[32], url[48];
    testhost_option options[] = { { "url", url }, { "values_when_down", "closed" } };

    snprintf(address, sizeof(address), "127.0.0.1:%d", number);
    snprintf(url, sizeof(url), "redis://%s", address);
    stop();
    for (int attempt = 0; attempt < 4; attempt++) { // a get is tried again
        testhost_stream_script(host, address, BP_STR("+OK\r\n"));
        for (size_t i = 0; i < count; i++)
            testhost_stream_script(host, address, bp_str_of(pieces[i]));
    }
    start(options, 2);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
    return ops->get(call, self, BP_STR("k"), value);
}

static void answers_may_come_in_pieces_and_among_pushes(void **state)
{
    static const char *const pieces[] = { ">2\r\n$10\r\ninvali",
                                          "date\r\n*1\r\n$1\r\nk\r\n",
                                          ">",
                                          "1\r\n:7\r\n$",
                                          "5",
                                          "\r",
                                          "\nab",
                                          "c",
                                          "de\r",
                                          "\n" };
    bp_str                   value;
    (void)state;
    assert_ok(get_from_script(1, pieces, sizeof(pieces) / sizeof(pieces[0]), &value));
    assert_true(bp_str_is(value, "abcde"));
}

static void nonsense_is_said_and_nothing_is_believed(void **state)
{
    static const struct {
        const char *sent, *said;
    } cases[] = {
        { "HTTP/1.1 400 Bad Request\r\n\r\n", "not the protocol of Redis" },
        { "%1\r\n+a\r\n+b\r\n", "not the protocol of Redis" },
        { "*3000000000\r\n", "not the protocol of Redis" },
        { "*200000000\r\n", "larger than is allowed" },
        { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
          "not the protocol of Redis" },
        { "*2\r\n:1\r\n:2\r\n", "an array" },
        { "-ERR unknown command 'GET'\r\n", "refused GET: ERR unknown command" },
        { "-WRONGTYPE Operation against a key\r\n", "choose another `prefix`" },
        { "-NOPERM this user has no permissions\r\n", "the ACL of our user forbids it" },
    };
    bp_str value;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_status(get_from_script(100 + (int)i, &cases[i].sent, 1, &value), BP_UNAVAILABLE);
        assert_said(cases[i].said);
        assert_said("Redis");
    }
}

static void a_server_that_reads_its_data_is_waited_for(void **state)
{
    static const char *const pieces[] = { "-LOADING Redis is loading the dataset in memory\r\n",
                                          "-LOADING again\r\n", "$1\r\nv\r\n" };
    bp_str                   value;
    (void)state;
    assert_ok(get_from_script(200, pieces, 3, &value));
    assert_true(bp_str_is(value, "v"));
    assert_true(testhost_metric(host, "cache_redis_retries_total", "reason=not_ready") >= 2);
}

static void what_may_have_been_carried_out_is_not_sent_twice(void **state)
{
    bp_take         result = { .struct_size = sizeof(result) };
    testhost_option options[] = { { "url", "redis://127.0.0.1:300" },
                                  { "limits_when_down", "closed" } };
    bp_str          written;
    size_t          asked = 0;
    (void)state;
    stop();
    testhost_stream_script(host, "127.0.0.1:300", BP_STR("+OK\r\n"));
    testhost_stream_script(host, "127.0.0.1:300",
                           BP_STR("$40\r\n0123456789012345678901234567890123456789\r\n"));
    start(options, 2);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
    assert_status(ops->take(call, self, BP_STR("k"), 10, BP_SECONDS(1), 1, &result),
                  BP_UNAVAILABLE);
    assert_said("whether EVALSHA was carried out is not known");
    written = testhost_stream_written(host, "127.0.0.1:300");
    for (const char *at = written.data; (at = strstr(at, "EVALSHA")); at++)
        asked++;
    assert_int_equal(asked, 1);
}

static void a_password_is_never_shown(void **state)
{
    static const char *const bad[] = { "redis://me:s3/cret@h:6379/0", "redis://:s3?cret@h:6379",
                                       "rediss://:1/s3cret@h" };
    testhost_option          options[] = { { "url", "redis://:s3cret@127.0.0.1:400" },
                                           { "values_when_down", "closed" } };
    bp_str                   value;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        testhost_option option = { "url", bad[i] };
        assert_true(testhost_check(host, plugin, &option, 1) != BP_OK);
        assert_null(strstr(testhost_problem(host), "cret"));
        assert_null(strstr(testhost_problem(host), "s3"));
    }
    stop();
    for (int attempt = 0; attempt < 4; attempt++)
        testhost_stream_script(host, "127.0.0.1:400",
                               BP_STR("-ERR unknown command 'AUTH', with args beginning with: "
                                      "'s3cret' \r\n+OK\r\n"));
    start(options, 2);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
    assert_status(ops->get(call, self, BP_STR("k"), &value), BP_UNAVAILABLE);
    assert_said("does not know AUTH");
    assert_null(strstr(bp_error_of(call)->message.data, "s3cret"));
}

static void urls_are_checked(void **state)
{
    static const char *const bad[] = {
        "redis://h:1/x", "redis://h:1?x=1", "sentinel://h:26379", "cluster://h:6379/3",
        "unix://",       "redis://:6379/0", "redis://me@h:6379/0"
    };
    static const char *const good[] = { "redis://h", "rediss://u:p%40w@[::1]:1/7",
                                        "sentinel://:pw@h/main?db=3", "cluster://h",
                                        "unix:///a.sock?db=2" };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        testhost_option option = { "url", bad[i] };
        if (testhost_check(host, plugin, &option, 1) == BP_OK)
            fail_msg("%s was taken", bad[i]);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        testhost_option option = { "url", good[i] };
        if (testhost_check(host, plugin, &option, 1) != BP_OK)
            fail_msg("%s: %s", good[i], testhost_problem(host));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleting_by_prefix_takes_the_prefix_as_it_stands),
        cmocka_unit_test(a_limit_grants_exactly_its_number),
        cmocka_unit_test(budgets_hold_settle_and_begin_anew),
        cmocka_unit_test(what_was_spent_can_be_read_and_loaded),
        cmocka_unit_test(figures_are_those_of_the_server),
        cmocka_unit_test(limits_and_budgets_are_exact_among_processes),
        cmocka_unit_test(a_restart_between_two_calls_is_not_noticed),
        cmocka_unit_test(without_redis_values_are_open_and_budgets_are_not),
        cmocka_unit_test(without_redis_the_workers_of_a_process_count_limits_together),
        cmocka_unit_test(a_flood_of_names_does_not_free_the_one_that_floods),
        cmocka_unit_test(limits_are_open_or_closed_where_the_conf_says_so),
        cmocka_unit_test(closed_values_say_why),
        cmocka_unit_test(a_call_that_is_over_asks_nothing),
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(a_password_is_never_shown),
        cmocka_unit_test(a_silent_server_is_left_by_calls_of_little_time_too),
        cmocka_unit_test(answers_may_come_in_pieces_and_among_pushes),
        cmocka_unit_test(nonsense_is_said_and_nothing_is_believed),
        cmocka_unit_test(a_server_that_reads_its_data_is_waited_for),
        cmocka_unit_test(what_may_have_been_carried_out_is_not_sent_twice),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

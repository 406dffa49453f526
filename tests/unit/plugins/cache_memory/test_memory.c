/* test_memory.c - the cache in memory: what it keeps, what it gives up, and that its counts are
 * exact among threads. */
#include "plugins/plugin_test.h"

#include <pthread.h>
#include <stdatomic.h>

static const bp_cache_ops *ops;
static void               *self;

static int setup(void **state)
{
    const testhost_option options[] = { { "size", "1MiB" } };
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/cache/memory.so") != 0)
        return -1;
    start(options, 1);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
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

static bp_take reserve(const char *period, int64_t limit, int64_t amount, const char *reservation)
{
    bp_take result = { .struct_size = sizeof(result) };
    assert_ok(ops->reserve(call, self, BP_STR("budget"), bp_str_of(period), limit, amount,
                           BP_SECONDS(60), bp_str_of(reservation), &result));
    return result;
}

static void values_are_kept_until_they_expire_or_are_deleted(void **state)
{
    bp_str value;
    (void)state;
    assert_false(has("a", ""));
    assert_ok(ops->set(call, self, BP_STR("a"), BP_STR("one"), BP_SECONDS(10)));
    assert_ok(ops->set(call, self, BP_STR("b"), BP_STR("forever"), 0));
    assert_ok(ops->set(call, self, bp_str_n("k\0x", 3), bp_str_n("v\0w", 3), 0));
    assert_true(has("a", "one"));
    assert_ok(ops->get(call, self, bp_str_n("k\0x", 3), &value));
    assert_true(value.len == 3 && memcmp(value.data, "v\0w", 3) == 0);
    assert_ok(ops->set(call, self, BP_STR("a"), BP_STR("two, longer"), BP_SECONDS(10)));
    assert_true(has("a", "two, longer"));
    testhost_advance(BP_SECONDS(10));
    assert_false(has("a", ""));
    assert_true(has("b", "forever"));
    assert_ok(ops->remove(call, self, BP_STR("b")));
    assert_ok(ops->remove(call, self, BP_STR("b")));
    assert_false(has("b", ""));
    assert_ok(ops->set(call, self, BP_STR("empty"), BP_STR(""), 0));
    assert_true(has("empty", ""));
}

static void keys_and_values_have_limits(void **state)
{
    bp_str key = bp_str_n(bp_alloc(call, 600), 513),
           value = bp_str_n(bp_alloc(call, 1 << 20), 1 << 20);
    (void)state;
    assert_status(ops->set(call, self, BP_STR(""), BP_STR("x"), 0), BP_INVALID);
    assert_status(ops->set(call, self, key, BP_STR("x"), 0), BP_INVALID);
    key.len = 512;
    assert_ok(ops->set(call, self, key, BP_STR("x"), 0));
    assert_status(ops->set(call, self, BP_STR("v"), value, 0), BP_TOO_LARGE);
    assert_status(ops->set(call, self, BP_STR("v"), BP_STR("x"), -1), BP_INVALID);
    assert_status(ops->remove_prefix(call, self, BP_STR(""), NULL), BP_INVALID);
}

static void deleting_by_prefix_leaves_the_rest(void **state)
{
    int64_t removed = 0;
    (void)state;
    for (int i = 0; i < 500; i++) {
        assert_ok(ops->set(call, self, bp_format(call, "user:%d", i), BP_STR("x"), 0));
        assert_ok(ops->set(call, self, bp_format(call, "user%d", i), BP_STR("y"), 0));
    }
    assert_ok(ops->remove_prefix(call, self, BP_STR("user:"), &removed));
    assert_int_equal(removed, 500);
    assert_false(has("user:77", ""));
    assert_true(has("user77", "y"));
}

static void the_longest_unused_values_make_room(void **state)
{
    bp_cache_stats stats = { .struct_size = sizeof(stats) };
    char           value[1024];
    (void)state;
    memset(value, 'v', sizeof(value));
    assert_ok(ops->set(call, self, BP_STR("used"), BP_STR("often"), 0));
    (void)take("limit", 10, BP_SECONDS(3600), 10);
    assert_ok(ops->lock(call, self, BP_STR("lock"), BP_STR("me"), BP_SECONDS(3600)));
    for (int i = 0; i < 4000; i++) {
        assert_ok(
            ops->set(call, self, bp_format(call, "key %d", i), bp_str_n(value, sizeof(value)), 0));
        if (i % 10 == 0)
            assert_true(has("used", "often"));
    }
    assert_ok(ops->stats(call, self, &stats));
    assert_true(stats.size_bytes <= stats.size_max_bytes);
    assert_true(stats.size_bytes > stats.size_max_bytes / 2);
    assert_true(stats.evictions > 2500);
    assert_int_equal(stats.size_max_bytes, 1 << 20);
    assert_false(has("key 0", ""));
    assert_true(ops->get(call, self, BP_STR("key 3999"), &(bp_str){ 0 }) == BP_OK);
    /* What may not be given up is still there. */
    assert_false(take("limit", 10, BP_SECONDS(3600), 1).is_granted);
    assert_status(ops->lock(call, self, BP_STR("lock"), BP_STR("you"), 1), BP_CONFLICT);
}

static void state_that_fills_the_memory_is_refused_and_swept_when_it_expires(void **state)
{
    bp_take   result = { .struct_size = sizeof(result) };
    bp_status status = BP_OK;
    int       count = 0;
    (void)state;
    for (; count < 100000 && status == BP_OK; count++)
        status = ops->take(call, self, bp_format(call, "address %d", count), 1, BP_SECONDS(60), 1,
                           &result);
    assert_status(status, BP_UNAVAILABLE);
    assert_said("size");
    assert_true(count > 1000);
    testhost_advance(BP_SECONDS(61));
    assert_int_equal(testhost_run_jobs(host), 1);
    assert_true(take("address x", 1, BP_SECONDS(60), 1).is_granted);
}

static void a_limit_lets_through_its_number_and_then_one_by_one(void **state)
{
    bp_take result;
    (void)state;
    for (int i = 0; i < 10; i++) {
        result = take("ip", 10, BP_SECONDS(60), 1);
        assert_true(result.is_granted);
        assert_int_equal(result.remaining, 9 - i);
        assert_int_equal(result.limit, 10);
    }
    assert_int_equal(result.reset_ns, BP_SECONDS(60));
    result = take("ip", 10, BP_SECONDS(60), 1);
    assert_false(result.is_granted);
    assert_int_equal(result.remaining, 0);
    assert_int_equal(result.reset_ns, BP_SECONDS(6));
    testhost_advance(BP_SECONDS(6) - 1);
    assert_false(take("ip", 10, BP_SECONDS(60), 1).is_granted);
    testhost_advance(1);
    assert_true(take("ip", 10, BP_SECONDS(60), 1).is_granted);
    assert_false(take("ip", 10, BP_SECONDS(60), 1).is_granted);
    assert_true(take("other", 10, BP_SECONDS(60), 10).is_granted);
    assert_false(take("new", 10, BP_SECONDS(60), 11).is_granted);
    assert_int_equal(take("new", 10, BP_SECONDS(60), 0).remaining, 10); /* looking costs nothing */
    testhost_advance(BP_SECONDS(60));
    assert_true(take("ip", 10, BP_SECONDS(60), 10).is_granted);
    assert_status(ops->take(call, self, BP_STR("x"), 0, 1, 1, &result), BP_INVALID);
}

static void reservations_count_until_they_are_settled(void **state)
{
    bp_take result;
    (void)state;
    result = reserve("2026-11", 100, 60, "r1");
    assert_true(result.is_granted);
    assert_int_equal(result.remaining, 40);
    result = reserve("2026-11", 100, 60, "r2");
    assert_false(result.is_granted);
    assert_int_equal(result.remaining, 40);
    assert_int_equal(result.reset_ns, BP_SECONDS(60));
    assert_ok(ops->settle(call, self, BP_STR("budget"), BP_STR("2026-11"), BP_STR("r1"), 25));
    result = reserve("2026-11", 100, 75, "r2");
    assert_true(result.is_granted);
    assert_int_equal(result.remaining, 0);
    assert_false(reserve("2026-11", 100, 1, "r3").is_granted);
    assert_true(
        reserve("2026-11", 100, 75, "r2").is_granted); /* the same again is one reservation */
    testhost_advance(BP_SECONDS(61));                  /* r2 was never settled */
    result = reserve("2026-11", 100, 75, "r4");
    assert_true(result.is_granted);
    assert_ok(ops->settle(call, self, BP_STR("budget"), BP_STR("2026-11"), BP_STR("r4"),
                          90)); /* more than estimated */
    assert_int_equal(reserve("2026-11", 100, 1, "r5").remaining, 0);
    assert_int_equal(reserve("2026-12", 100, 30, "d1").remaining,
                     70); /* a new period begins at zero */
    assert_ok(ops->settle(call, self, BP_STR("budget"), BP_STR("2026-11"), BP_STR("late"), 5));
    assert_int_equal(reserve("2026-12", 100, 30, "d2").remaining, 40);
    assert_status(ops->settle(call, self, BP_STR("budget"), BP_STR("2026-12"), BP_STR("d2"), -1),
                  BP_INVALID);
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
    const bp_budget budgets[] = { { sizeof(bp_budget), 0, BP_STR("moved"), BP_STR("2026-11"),
                                    4711 },
                                  { sizeof(bp_budget), 0, BP_STR("moved"), BP_STR("2026-12"), 1 } };
    char            text[1000] = "";
    bp_budget_sink  sink = { sizeof(sink), write_down, text };
    (void)state;
    assert_ok(ops->dump(call, self, &sink));
    assert_string_equal(text, "");
    assert_true(reserve("held only", 10, 10, "r").is_granted);
    assert_ok(ops->settle(call, self, BP_STR("budget"), BP_STR("dumped"), BP_STR("r"), 17));
    assert_ok(ops->load(call, self, budgets, sizeof(budgets[0]), 2));
    assert_ok(ops->load(call, self, budgets, sizeof(budgets[0]), 2));
    assert_ok(ops->dump(call, self, &sink));
    assert_non_null(strstr(text, "budget/dumped=17 "));
    assert_non_null(strstr(text, "moved/2026-11=4711 "));
    assert_non_null(strstr(text, "moved/2026-12=1 "));
    assert_null(strstr(text, "held only"));
}

static void a_lock_has_one_owner_until_it_expires(void **state)
{
    (void)state;
    assert_ok(ops->lock(call, self, BP_STR("l"), BP_STR("a"), BP_SECONDS(10)));
    assert_status(ops->lock(call, self, BP_STR("l"), BP_STR("b"), BP_SECONDS(10)), BP_CONFLICT);
    testhost_advance(BP_SECONDS(8));
    assert_ok(ops->lock(call, self, BP_STR("l"), BP_STR("a"), BP_SECONDS(10)));
    testhost_advance(BP_SECONDS(8));
    assert_status(ops->unlock(call, self, BP_STR("l"), BP_STR("b")), BP_CONFLICT);
    assert_ok(ops->unlock(call, self, BP_STR("l"), BP_STR("a")));
    assert_ok(ops->lock(call, self, BP_STR("l"), BP_STR("b"), BP_SECONDS(10)));
    testhost_advance(BP_SECONDS(10));
    assert_ok(ops->lock(call, self, BP_STR("l"), BP_STR("a"), BP_SECONDS(10)));
    assert_status(ops->lock(call, self, BP_STR("l"), BP_STR(""), 1), BP_INVALID);
}

static atomic_long granted, reserved, locked_at_once, locked_wrong;

static void *hammer(void *arg)
{
    bp_call *own = testhost_call_new(host, BP_FOREVER);
    long     number = (long)(intptr_t)arg;
    char     owner[16];
    snprintf(owner, sizeof(owner), "thread %ld", number);
    for (int i = 0; i < 3000; i++) {
        bp_take result = { .struct_size = sizeof(result) };
        bp_str  value, name = bp_format(own, "r%ld-%d", number, i);
        if (ops->take(own, self, BP_STR("shared"), 1000, BP_SECONDS(60), 1, &result) == BP_OK &&
            result.is_granted)
            atomic_fetch_add(&granted, 1);
        if (ops->reserve(own, self, BP_STR("shared"), BP_STR("p"), 1000, 1, BP_SECONDS(60), name,
                         &result) == BP_OK &&
            result.is_granted) {
            atomic_fetch_add(&reserved, 1);
            ops->settle(own, self, BP_STR("shared"), BP_STR("p"), name, 1);
        }
        if (ops->lock(own, self, BP_STR("shared"), bp_str_of(owner), BP_SECONDS(60)) == BP_OK) {
            if (atomic_fetch_add(&locked_at_once, 1) != 0)
                atomic_fetch_add(&locked_wrong, 1);
            atomic_fetch_sub(&locked_at_once, 1);
            ops->unlock(own, self, BP_STR("shared"), bp_str_of(owner));
        }
        ops->set(own, self, bp_format(own, "k%d", i % 700), bp_str_n("abcdefgh", (size_t)(i % 8)),
                 0);
        ops->get(own, self, bp_format(own, "k%d", (i * 7) % 700), &value);
        if (i % 500 == 0)
            ops->remove_prefix(own, self, BP_STR("k1"), NULL);
    }
    testhost_call_end(own);
    return NULL;
}

static void counts_are_exact_among_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (intptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&granted), 1000);
    assert_int_equal(atomic_load(&reserved), 1000);
    assert_int_equal(atomic_load(&locked_wrong), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_are_kept_until_they_expire_or_are_deleted),
        TEST(keys_and_values_have_limits),
        TEST(deleting_by_prefix_leaves_the_rest),
        TEST(the_longest_unused_values_make_room),
        TEST(state_that_fills_the_memory_is_refused_and_swept_when_it_expires),
        TEST(a_limit_lets_through_its_number_and_then_one_by_one),
        TEST(reservations_count_until_they_are_settled),
        TEST(what_was_spent_can_be_read_and_loaded),
        TEST(a_lock_has_one_owner_until_it_expires),
        TEST(counts_are_exact_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

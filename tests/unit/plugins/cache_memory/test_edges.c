/* test_edges.c - cache/memory at its edges: what is refused and in which words, what a budget still
 * has and when it has more, and the figures.
 */
#include "plugins/plugin_test.h"

static const bp_cache_ops *ops;
static void               *self;

static int setup(void **state)
{
    const testhost_option options[] = { { "size", "64KiB" } };

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

static const char *told(bp_status status)
{
    const char *text = status == BP_OK ? "ok"
                                       : bp_format(call, "%s: " BP_FMT, bp_status_label(status),
                                                   BP_ARG(bp_error_of(call)->message))
                                             .data;

    bp_clear_error(call);
    return text;
}

static const char *took(bp_status status, const bp_take *take)
{
    if (status != BP_OK)
        return told(status);
    return bp_format(call, "%s %lld of %lld in %lld", take->is_granted ? "granted" : "refused",
                     (long long)take->remaining, (long long)take->limit, (long long)take->reset_ns)
        .data;
}

static const char *reserve(const char *period, int64_t limit, int64_t amount, int64_t hold_ns,
                           const char *name)
{
    bp_take   take = { .struct_size = sizeof(take) };
    bp_status status = ops->reserve(call, self, BP_STR("b"), bp_str_of(period), limit, amount,
                                    hold_ns, bp_str_of(name), &take);

    return took(status, &take);
}

static const char *settle(const char *period, const char *name, int64_t amount)
{
    return told(ops->settle(call, self, BP_STR("b"), bp_str_of(period), bp_str_of(name), amount));
}

static void a_budget_counts_what_is_held_and_spent(void **state)
{
    (void)state;
    assert_string_equal(reserve("d1", 10, 10, 100, "a"), "granted 0 of 10 in 0");
    assert_string_equal(reserve("d1", 10, 1, 50, "b"), "refused 0 of 10 in 100");
    assert_string_equal(reserve("d1", 10, 4, 100, "a"), "granted 6 of 10 in 0");
    assert_string_equal(reserve("d1", 10, 6, 50, "b"), "granted 0 of 10 in 0");
    assert_string_equal(reserve("d1", 10, 1, 50, "c"), "refused 0 of 10 in 50");
    assert_string_equal(settle("d1", "b", 5), "ok");
    assert_string_equal(reserve("d1", 10, 2, 50, "c"), "refused 1 of 10 in 100");
    assert_string_equal(reserve("d1", 10, 1, 30, "c"), "granted 0 of 10 in 0");
    testhost_advance(30);
    assert_string_equal(reserve("d1", 10, 2, 30, "d"), "refused 1 of 10 in 70");
    testhost_advance(69);
    assert_string_equal(reserve("d1", 10, 2, 30, "d"), "refused 1 of 10 in 1");
    testhost_advance(1);
    assert_string_equal(reserve("d1", 10, 2, 30, "d"), "granted 3 of 10 in 0");
    assert_string_equal(settle("d1", "none", 0), "ok");
    assert_string_equal(reserve("d1", 3, 0, 30, "e"), "refused 0 of 3 in 30");
    assert_string_equal(reserve("d1", 0, 0, 30, "e"), "refused 0 of 0 in 30");
    assert_string_equal(reserve("d2", 0, 0, 30, "e"), "granted 0 of 0 in 0");
    assert_string_equal(reserve("d2", 5, 6, 30, "f"), "refused 5 of 5 in 30");
    // A third period takes the place of the one that was unused for longer.
    testhost_advance(1);
    assert_string_equal(reserve("d2", 5, 1, 30, "f"), "granted 4 of 5 in 0");
    assert_string_equal(reserve("d3", 5, 2, 30, "f"), "granted 3 of 5 in 0");
    assert_string_equal(reserve("d2", 5, 0, 30, "g"), "granted 4 of 5 in 0");
    assert_string_equal(reserve("d1", 5, 0, 30, "g"), "granted 5 of 5 in 0");
    assert_string_equal(settle("d1", "g", INT64_MAX / 4), "ok");
    assert_string_equal(settle("d1", "g", INT64_MAX / 4), "ok");
    assert_string_equal(settle("d1", "g", INT64_MAX / 4), "ok");
    assert_string_equal(settle("d1", "g", INT64_MAX / 4), "ok");
    assert_string_equal(reserve("d1", 5, 0, 30, "g"), "refused 0 of 5 in 0");
}

static void what_is_wrong_is_said(void **state)
{
    static char long_text[1025];
    char        period[65];
    bp_take     take = { .struct_size = sizeof(take) };
    bp_str      value;

    (void)state;
    memset(long_text, 'k', 1024);
    memset(period, 'p', 64);
    period[64] = '\0';
    assert_string_equal(told(ops->get(call, self, BP_STR(""), &value)),
                        "invalid: a cache key has 1 to 512 bytes, not 0");
    assert_string_equal(told(ops->get(call, self, bp_str_n(long_text, 512), &value)),
                        "not_found: the key is not in the cache");
    assert_string_equal(told(ops->get(call, self, bp_str_n(long_text, 513), &value)),
                        "invalid: a cache key has 1 to 512 bytes, not 513");
    assert_string_equal(told(ops->set(call, self, BP_STR(""), BP_STR("v"), 0)),
                        "invalid: a cache key has 1 to 512 bytes, not 0");
    assert_string_equal(told(ops->set(call, self, BP_STR("k"), BP_STR("v"), -1)),
                        "invalid: a time to live is not negative");
    assert_string_equal(told(ops->remove(call, self, BP_STR(""))),
                        "invalid: a cache key has 1 to 512 bytes, not 0");
    assert_string_equal(told(ops->remove(call, self, BP_STR("none"))), "ok");
    assert_string_equal(told(ops->remove_prefix(call, self, BP_STR(""), NULL)),
                        "invalid: a cache key has 1 to 512 bytes, not 0");
    assert_string_equal(took(ops->take(call, self, BP_STR(""), 1, 1, 1, &take), &take),
                        "invalid: a cache key has 1 to 512 bytes, not 0");
    assert_string_equal(took(ops->take(call, self, BP_STR("t"), 0, 1, 1, &take), &take),
                        "invalid: a limit and its window are above 0 and a cost not below");
    assert_string_equal(took(ops->take(call, self, BP_STR("t"), 1, 0, 1, &take), &take),
                        "invalid: a limit and its window are above 0 and a cost not below");
    assert_string_equal(took(ops->take(call, self, BP_STR("t"), 1, 1, -1, &take), &take),
                        "invalid: a limit and its window are above 0 and a cost not below");
    assert_string_equal(took(ops->take(call, self, BP_STR("t"), 1, 1, 0, &take), &take),
                        "granted 1 of 1 in 0");
    assert_string_equal(took(ops->take(call, self, BP_STR("t"), 1, 1, 1, &take), &take),
                        "granted 0 of 1 in 1");
    assert_string_equal(reserve(period, 1, 1, 1, "r"),
                        "invalid: the name of a period has at most 63 bytes");
    period[63] = '\0';
    assert_string_equal(reserve(period, 1, 1, 1, "r"), "granted 0 of 1 in 0");
    assert_string_equal(reserve("p", 1, 1, 1, ""),
                        "invalid: the name of a reservation has 1 to 256 bytes");
    assert_string_equal(reserve("p", 1, 1, 0, "r"), "invalid: a reservation is held for longer "
                                                    "than 0 and a limit is not negative");
    assert_string_equal(reserve("p", -1, 1, 1, "r"), "invalid: a reservation is held for longer "
                                                     "than 0 and a limit is not negative");
    assert_string_equal(reserve("p", 1, -1, 1, "r"), "invalid: -1 is no amount of a budget");
    assert_string_equal(reserve("p", INT64_MAX, INT64_MAX / 4, 1, "r"),
                        "granted 6917529027641081856 of 9223372036854775807 in 0");
    assert_string_equal(reserve("p", INT64_MAX, INT64_MAX / 4 + 1, 1, "r"),
                        "invalid: 2305843009213693952 is no amount of a budget");
    assert_string_equal(settle("p", "", 1),
                        "invalid: the name of a reservation has 1 to 256 bytes");
    long_text[256] = '\0';
    assert_string_equal(reserve("p", 1, 0, 1, long_text), "refused 0 of 1 in 1");
    long_text[256] = 'k';
    long_text[257] = '\0';
    assert_string_equal(reserve("p", 1, 0, 1, long_text),
                        "invalid: the name of a reservation has 1 to 256 bytes");
}

static void locks_are_their_owners(void **state)
{
    (void)state;
    assert_string_equal(told(ops->lock(call, self, BP_STR(""), BP_STR("me"), 10)),
                        "invalid: a cache key has 1 to 512 bytes, not 0");
    assert_string_equal(told(ops->lock(call, self, BP_STR("l"), BP_STR(""), 10)),
                        "invalid: a lock's owner has 1 to 256 bytes and it is held for longer than "
                        "0");
    assert_string_equal(told(ops->lock(call, self, BP_STR("l"), BP_STR("me"), 0)),
                        "invalid: a lock's owner has 1 to 256 bytes and it is held for longer than "
                        "0");
    assert_string_equal(told(ops->lock(call, self, BP_STR("l"), BP_STR("me"), 10)), "ok");
    assert_string_equal(told(ops->lock(call, self, BP_STR("l"), BP_STR("you"), 10)),
                        "conflict: the lock \"l\" is held by another owner");
    testhost_advance(5);
    assert_string_equal(told(ops->lock(call, self, BP_STR("l"), BP_STR("me"), 10)), "ok");
    testhost_advance(9);
    assert_string_equal(told(ops->unlock(call, self, BP_STR("l"), BP_STR("you"))),
                        "conflict: the lock \"l\" is held by another owner");
    assert_string_equal(told(ops->lock(call, self, BP_STR("l"), BP_STR("you"), 10)),
                        "conflict: the lock \"l\" is held by another owner");
    testhost_advance(1);
    assert_string_equal(told(ops->lock(call, self, BP_STR("l"), BP_STR("you"), 10)), "ok");
    assert_string_equal(told(ops->unlock(call, self, BP_STR("l"), BP_STR("you"))), "ok");
    assert_string_equal(told(ops->unlock(call, self, BP_STR("l"), BP_STR("you"))), "ok");
    assert_string_equal(told(ops->unlock(call, self, BP_STR(""), BP_STR("you"))),
                        "invalid: a cache key has 1 to 512 bytes, not 0");
}

static const char *figures(void)
{
    bp_cache_stats stats = { .struct_size = sizeof(stats) };

    assert_ok(ops->stats(call, self, &stats));
    return bp_format(call, "%lld entries, %lld hits, %lld misses, %lld evictions, %s of %lld",
                     (long long)stats.entries, (long long)stats.hits, (long long)stats.misses,
                     (long long)stats.evictions, stats.size_bytes > 0 ? "some" : "none",
                     (long long)stats.size_max_bytes)
        .data;
}

static void values_are_counted_and_bounded(void **state)
{
    static char text[40000];
    int64_t     removed = -1;
    bp_str      value;

    (void)state;
    assert_string_equal(figures(), "0 entries, 0 hits, 0 misses, 0 evictions, none of 65536");
    assert_string_equal(told(ops->set(call, self, BP_STR("k"), bp_str_n(text, 32767), 5)), "ok");
    assert_string_equal(told(ops->set(call, self, BP_STR("k"), bp_str_n(text, 32768), 0)),
                        "too_large: a value of 32768 bytes is larger than 8 MiB or half of the "
                        "cache");
    assert_string_equal(told(ops->get(call, self, BP_STR("k"), &value)), "ok");
    assert_int_equal(value.len, 32767);
    testhost_advance(4);
    assert_string_equal(told(ops->get(call, self, BP_STR("k"), &value)), "ok");
    testhost_advance(1);
    assert_string_equal(told(ops->get(call, self, BP_STR("k"), &value)),
                        "not_found: the key is not in the cache");
    for (int i = 0; i < 3; i++)
        assert_ok(ops->set(call, self, bp_format(call, "x%d", i), bp_str_n(text, 20000), 0));
    assert_ok(ops->set(call, self, BP_STR("y"), bp_str_n(text, 20000), 0));
    assert_string_equal(figures(), "3 entries, 2 hits, 1 misses, 1 evictions, some of 65536");
    assert_ok(ops->remove_prefix(call, self, BP_STR("x"), &removed));
    assert_true(removed == 2 || removed == 3); // any of the four was evicted
    assert_ok(ops->remove_prefix(call, self, BP_STR("x"), &removed));
    assert_int_equal(removed, 0);
    assert_ok(ops->remove_prefix(call, self, BP_STR("y"), NULL));
    assert_string_equal(figures(), "0 entries, 2 hits, 1 misses, 1 evictions, none of 65536");
    assert_ok(ops->set(call, self, BP_STR("k"), BP_STR("v"), 0));
    next_call();
    testhost_call_memory(call, 0);
    assert_int_equal(ops->get(call, self, BP_STR("k"), &value), BP_NO_MEMORY);
    testhost_call_memory(call, SIZE_MAX);
}

static bp_status note_budget(bp_call *of, void *arg, const bp_budget *budget)
{
    (void)of;
    bp_buf_addf(arg, BP_FMT "/" BP_FMT " %lld;", BP_ARG(budget->key), BP_ARG(budget->period),
                (long long)budget->spent);
    return BP_OK;
}

static void budgets_are_dumped_and_loaded(void **state)
{
    bp_budget budgets[] = {
        { .struct_size = sizeof(bp_budget),
          .key = BP_STR("b"),
          .period = BP_STR("d1"),
          .spent = 7 },
        { .struct_size = sizeof(bp_budget), .key = BP_STR("b"), .period = BP_STR("d2"), .spent = 8 }
    };
    bp_buf              *buf = bp_buf_new(call, 4096);
    const bp_budget_sink sink = { .struct_size = sizeof(sink), .budget = note_budget, .self = buf };

    (void)state;
    assert_ok(ops->load(call, self, budgets, sizeof(budgets[0]), 2));
    assert_ok(ops->dump(call, self, &sink));
    assert_string_equal(bp_buf_str(buf).data, "b/d2 8;b/d1 7;");
    assert_string_equal(reserve("d1", 10, 4, 1, "r"), "refused 3 of 10 in 0");
    budgets[1].spent = -1;
    assert_int_equal(ops->load(call, self, budgets, sizeof(budgets[0]), 2), BP_INVALID);
    budgets[1].spent = 0;
    assert_ok(ops->load(call, self, budgets, sizeof(budgets[0]), 2));
    bp_buf_reset(buf);
    assert_ok(ops->dump(call, self, &sink));
    assert_string_equal(bp_buf_str(buf).data, "b/d1 7;");
    next_call();
    testhost_call_memory(call, 0);
    assert_int_equal(ops->dump(call, self, &sink), BP_NO_MEMORY);
    testhost_call_memory(call, SIZE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_budget_counts_what_is_held_and_spent),
        TEST(what_is_wrong_is_said),
        TEST(locks_are_their_owners),
        TEST(values_are_counted_and_bounded),
        TEST(budgets_are_dumped_and_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_gate_cache.c - each operation of a cache reaches the plugin with what was asked, its status
 * comes back, and what no cache has to understand is refused before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <backplane/cache.h>

#include "gate_rig.h"

enum { KEY_MAX = 512, VALUE_MAX = 8 << 20, PERIOD_MAX = 63 };

/* What the plugin was called with last, and what it answers. */
static struct {
    char      op[16], texts[3][40];
    int64_t   numbers[3];
    size_t    count;
    bp_status status;
    int       calls;
} fake;

static bp_status seen(const char *op, bp_str first, bp_str second, bp_str third, int64_t a,
                      int64_t b, int64_t c)
{
    const bp_str texts[] = { first, second, third };

    snprintf(fake.op, sizeof(fake.op), "%s", op);
    for (size_t i = 0; i < 3; i++)
        snprintf(fake.texts[i], sizeof(fake.texts[i]), BP_FMT, BP_ARG(texts[i]));
    fake.numbers[0] = a, fake.numbers[1] = b, fake.numbers[2] = c;
    fake.calls++;
    return fake.status;
}

#define NONE BP_STR("")

static bp_status on_get(bp_call *call, void *self, bp_str key, bp_str *value)
{
    (void)call, (void)self;
    *value = BP_STR("found");
    return seen("get", key, NONE, NONE, 0, 0, 0);
}
static bp_status on_set(bp_call *call, void *self, bp_str key, bp_str value, int64_t ttl_ns)
{
    (void)call, (void)self;
    return seen("set", key, value, NONE, ttl_ns, 0, 0);
}
static bp_status on_remove(bp_call *call, void *self, bp_str key)
{
    (void)call, (void)self;
    return seen("remove", key, NONE, NONE, 0, 0, 0);
}
static bp_status on_remove_prefix(bp_call *call, void *self, bp_str prefix, int64_t *removed)
{
    (void)call, (void)self;
    *removed = 7;
    return seen("remove_prefix", prefix, NONE, NONE, 0, 0, 0);
}
static bp_status on_take(bp_call *call, void *self, bp_str key, int64_t limit, int64_t window_ns,
                         int64_t cost, bp_take *result)
{
    (void)call, (void)self;
    result->remaining = 8;
    return seen("take", key, NONE, NONE, limit, window_ns, cost);
}
static bp_status on_reserve(bp_call *call, void *self, bp_str key, bp_str period, int64_t limit,
                            int64_t amount, int64_t hold_ns, bp_str reservation, bp_take *result)
{
    (void)call, (void)self;
    result->remaining = 9;
    return seen("reserve", key, period, reservation, limit, amount, hold_ns);
}
static bp_status on_settle(bp_call *call, void *self, bp_str key, bp_str period, bp_str reservation,
                           int64_t amount)
{
    (void)call, (void)self;
    return seen("settle", key, period, reservation, amount, 0, 0);
}
static bp_status on_lock(bp_call *call, void *self, bp_str key, bp_str owner, int64_t hold_ns)
{
    (void)call, (void)self;
    return seen("lock", key, owner, NONE, hold_ns, 0, 0);
}
static bp_status on_unlock(bp_call *call, void *self, bp_str key, bp_str owner)
{
    (void)call, (void)self;
    return seen("unlock", key, owner, NONE, 0, 0, 0);
}
static bp_status on_stats(bp_call *call, void *self, bp_cache_stats *stats)
{
    (void)call, (void)self;
    stats->entries = 10;
    return seen("stats", NONE, NONE, NONE, 0, 0, 0);
}
static bp_status on_dump(bp_call *call, void *self, const bp_budget_sink *sink)
{
    const bp_budget budget = { sizeof(budget), 0, BP_STR("k"), BP_STR("p"), 11 };
    bp_status       status = seen("dump", NONE, NONE, NONE, 0, 0, 0);

    (void)self;
    return status == BP_OK ? sink->budget(call, sink->self, &budget) : status;
}
static bp_status on_load(bp_call *call, void *self, const bp_budget *budgets, size_t size,
                         size_t count)
{
    (void)call, (void)self;
    return seen("load", budgets[0].key, budgets[0].period, NONE, budgets[0].spent, (int64_t)size,
                (int64_t)count);
}

static const bp_cache_ops all_ops = { .struct_size = sizeof(bp_cache_ops),
                                      .get = on_get,
                                      .set = on_set,
                                      .remove = on_remove,
                                      .remove_prefix = on_remove_prefix,
                                      .take = on_take,
                                      .reserve = on_reserve,
                                      .settle = on_settle,
                                      .lock = on_lock,
                                      .unlock = on_unlock,
                                      .stats = on_stats,
                                      .dump = on_dump,
                                      .load = on_load };
static const bp_cache_ops no_ops = { .struct_size = sizeof(bp_cache_ops) };

/* ---- what a caller does with it ---- */

static bp_str         key, value, period;
static int64_t        limit, window_ns, cost, spent;
static bp_take        take;
static bp_cache_stats stats;
static bp_str         found;
static int64_t        removed, dumped;
static bp_status      sink_says;

static bp_status take_budget(bp_call *call, void *self, const bp_budget *budget)
{
    (void)call, (void)self;
    dumped = budget->spent;
    return sink_says;
}

static bp_status do_get(bp_call *call, const bp_cache_ops *ops)
{
    return ops->get(call, &instance, key, &found);
}
static bp_status do_set(bp_call *call, const bp_cache_ops *ops)
{
    return ops->set(call, &instance, key, value, 1);
}
static bp_status do_remove(bp_call *call, const bp_cache_ops *ops)
{
    return ops->remove(call, &instance, key);
}
static bp_status do_remove_prefix(bp_call *call, const bp_cache_ops *ops)
{
    return ops->remove_prefix(call, &instance, key, &removed);
}
static bp_status do_take(bp_call *call, const bp_cache_ops *ops)
{
    return ops->take(call, &instance, key, limit, window_ns, cost, &take);
}
static bp_status do_reserve(bp_call *call, const bp_cache_ops *ops)
{
    return ops->reserve(call, &instance, key, period, 4, 5, 6, BP_STR("r"), &take);
}
static bp_status do_settle(bp_call *call, const bp_cache_ops *ops)
{
    return ops->settle(call, &instance, key, period, BP_STR("r"), 5);
}
static bp_status do_lock(bp_call *call, const bp_cache_ops *ops)
{
    return ops->lock(call, &instance, key, BP_STR("me"), 5);
}
static bp_status do_unlock(bp_call *call, const bp_cache_ops *ops)
{
    return ops->unlock(call, &instance, key, BP_STR("me"));
}
static bp_status do_stats(bp_call *call, const bp_cache_ops *ops)
{
    return ops->stats(call, &instance, &stats);
}
static bp_status do_dump(bp_call *call, const bp_cache_ops *ops)
{
    const bp_budget_sink sink = { .struct_size = sizeof(sink), .budget = take_budget };

    return ops->dump(call, &instance, &sink);
}
static bp_status do_load(bp_call *call, const bp_cache_ops *ops)
{
    const bp_budget budgets[] = { { sizeof(bp_budget), 0, BP_STR("k"), BP_STR("p"), 3 },
                                  { sizeof(bp_budget), 0, key, period, spent } };

    return ops->load(call, &instance, budgets, sizeof(bp_budget), 2);
}

static const struct operation {
    const char *name;
    bp_status (*run)(bp_call *call, const bp_cache_ops *ops);
    bool        is_idempotent, has_key;
    const char *texts[3];
    int64_t     numbers[3];
} operations[] = {
    { "get", do_get, true, true, { "k", "", "" }, { 0 } },
    { "set", do_set, true, true, { "k", "v", "" }, { 1 } },
    { "remove", do_remove, true, true, { "k", "", "" }, { 0 } },
    { "remove_prefix", do_remove_prefix, true, true, { "k", "", "" }, { 0 } },
    { "take", do_take, false, true, { "k", "", "" }, { 1, 1, 0 } },
    { "reserve", do_reserve, false, true, { "k", "p", "r" }, { 4, 5, 6 } },
    { "settle", do_settle, false, true, { "k", "p", "r" }, { 5 } },
    { "lock", do_lock, true, true, { "k", "me", "" }, { 5 } },
    { "unlock", do_unlock, true, true, { "k", "me", "" }, { 0 } },
    { "stats", do_stats, true, false, { "", "", "" }, { 0 } },
    { "dump", do_dump, true, false, { "", "", "" }, { 0 } },
    { "load", do_load, true, true, { "k", "p", "" }, { 3, sizeof(bp_budget), 2 } },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static void ask_for_what_is_good(void)
{
    key = BP_STR("k"), value = BP_STR("v"), period = BP_STR("p");
    limit = window_ns = 1;
    cost = spent = 0;
    sink_says = BP_OK;
    memset(&fake, 0, sizeof(fake));
}

static int set_up(void **state)
{
    (void)state;
    ask_for_what_is_good();
    return rig_start("cache", &all_ops);
}

static int set_up_without(void **state)
{
    (void)state;
    ask_for_what_is_good();
    return rig_start("cache", &no_ops);
}

static const bp_cache_ops *gated(void)
{
    return instance.peer.ops;
}

static void call_each(bp_call *call)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        const struct operation *op = &operations[i];

        fake.calls = 0;
        fake.status = BP_OK;
        assert_int_equal(op->run(call, gated()), BP_OK);
        assert_string_equal(fake.op, op->name);
        assert_int_equal(fake.calls, 1);
        for (size_t t = 0; t < 3; t++) {
            assert_string_equal(fake.texts[t], op->texts[t]);
            assert_int_equal(fake.numbers[t], op->numbers[t]);
        }
        fake.status = BP_CONFLICT;
        assert_int_equal(op->run(call, gated()), BP_CONFLICT);
        fake.calls = 0;
        fake.status = BP_UNAVAILABLE; // one retry
        assert_int_equal(op->run(call, gated()), BP_UNAVAILABLE);
        assert_int_equal(fake.calls, op->is_idempotent ? 2 : 1);
    }
    assert_true(bp_str_is(found, "found"));
    assert_int_equal(removed, 7);
    assert_int_equal(take.remaining, 9);
    assert_int_equal(stats.entries, 10);
    assert_int_equal(dumped, 11);
}

static void each_operation_reaches_the_plugin_as_it_was_asked(void **state)
{
    (void)state;
    on_call(call_each);
}

static void miss_each(bp_call *call)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        char sentence[64];

        snprintf(sentence, sizeof(sentence), "cache/fake cannot do \"%s\"", operations[i].name);
        assert_int_equal(operations[i].run(call, gated()), BP_UNSUPPORTED);
        assert_string_equal(call->error.message.data, sentence);
    }
    assert_int_equal(fake.calls, 0);
}

static void each_operation_that_is_not_there_is_named(void **state)
{
    (void)state;
    on_call(miss_each);
}

static void give_keys(bp_call *call)
{
    static char text[KEY_MAX + 1];

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < OPERATIONS; i++) {
        const struct operation *op = &operations[i];

        fake.calls = 0;
        key = bp_str_n(text, KEY_MAX);
        assert_int_equal(op->run(call, gated()), BP_OK);
        key = bp_str_n(text, 1);
        assert_int_equal(op->run(call, gated()), BP_OK);
        assert_int_equal(fake.calls, 2);
        if (!op->has_key)
            continue;
        key = bp_str_n(text, KEY_MAX + 1);
        assert_int_equal(op->run(call, gated()), BP_INVALID);
        key = BP_STR("");
        assert_int_equal(op->run(call, gated()), BP_INVALID);
        assert_non_null(strstr(call->error.message.data, "this one has 0"));
        assert_int_equal(fake.calls, 2);
    }
}

static void a_key_has_1_to_512_bytes(void **state)
{
    (void)state;
    on_call(give_keys);
}

/* What is on the good side of a bound, and what is not. */
static void go_to_bounds(bp_call *call)
{
    static char text[VALUE_MAX + 1];
    const struct {
        int64_t   limit, window_ns, cost;
        bp_status status;
    } takes[] = { { 1, 1, 0, BP_OK },
                  { 5, 5, 5, BP_OK },
                  { 0, 1, 0, BP_INVALID },
                  { 1, 0, 0, BP_INVALID },
                  { 1, 1, -1, BP_INVALID } };
    const struct {
        size_t    period_bytes;
        int64_t   spent;
        bp_status status;
    } budgets[] = { { PERIOD_MAX, 0, BP_OK },
                    { 0, 1, BP_OK },
                    { PERIOD_MAX + 1, 0, BP_INVALID },
                    { 0, -1, BP_INVALID } };

    memset(text, 'x', sizeof(text));
    value = bp_str_n(text, VALUE_MAX);
    assert_int_equal(do_set(call, gated()), BP_OK);
    value = bp_str_n(text, VALUE_MAX + 1);
    assert_int_equal(do_set(call, gated()), BP_TOO_LARGE);
    for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
        limit = takes[i].limit, window_ns = takes[i].window_ns, cost = takes[i].cost;
        assert_int_equal(do_take(call, gated()), takes[i].status);
    }
    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        period = bp_str_n(text, budgets[i].period_bytes), spent = budgets[i].spent;
        assert_int_equal(do_load(call, gated()), budgets[i].status);
    }
    assert_int_equal(fake.calls, 5); // those that were good
}

static void values_limits_and_budgets_have_bounds(void **state)
{
    (void)state;
    on_call(go_to_bounds);
}

/* A sink that fails ends the dump, which is not begun again: a budget was given out. */
static void fail_in_sink(bp_call *call)
{
    sink_says = BP_UNAVAILABLE;
    assert_int_equal(do_dump(call, gated()), BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 1);
}

static void a_dump_is_not_begun_again_once_a_budget_was_given_out(void **state)
{
    (void)state;
    on_call(fail_in_sink);
}

#define GATED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATED(each_operation_reaches_the_plugin_as_it_was_asked),
        cmocka_unit_test_setup_teardown(each_operation_that_is_not_there_is_named, set_up_without,
                                        rig_stop),
        GATED(a_key_has_1_to_512_bytes),
        GATED(values_limits_and_budgets_have_bounds),
        GATED(a_dump_is_not_begun_again_once_a_budget_was_given_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

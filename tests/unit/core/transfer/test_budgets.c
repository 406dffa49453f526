/* test_budgets.c - budgets of caches are copied and compared, and the watch is told of it. */
#include <stdio.h>

#include "core/transfer/transfer_rig.h"

enum { ROOM = 8 };

struct cache {
    bp_budget items[ROOM];
    size_t    count;
};

static bp_status dump(bp_call *call, void *instance, const bp_budget_sink *sink)
{
    const struct cache *cache = instance;

    for (size_t i = 0; i < cache->count; i++)
        BP_TRY(sink->budget(call, sink->self, &cache->items[i]));
    return BP_OK;
}

static bp_status load(bp_call *call, void *instance, const bp_budget *budgets, size_t budget_size,
                      size_t count)
{
    struct cache *cache = instance;

    (void)call;
    assert_int_equal(budget_size, sizeof(*budgets));
    for (size_t i = 0; i < count; i++)
        cache->items[cache->count++] = budgets[i];
    return BP_OK;
}

static const bp_cache_ops ops = { .struct_size = sizeof(ops), .dump = dump, .load = load };

static bp_budget budget(const char *key, int64_t spent)
{
    return (bp_budget){ .struct_size = sizeof(bp_budget),
                        .key = bp_str_of(key),
                        .period = BP_STR("2026-11"),
                        .spent = spent };
}

/* ---- the watch ---- */

struct watched {
    char    what[64];
    int64_t total, done;
    int     ends;
    bool    is_stopped;
};

static void begin(void *arg, const char *what, int64_t total)
{
    struct watched *watched = arg;

    snprintf(watched->what, sizeof(watched->what), "%s", what);
    watched->total = total;
}

static void step(void *arg, int64_t count)
{
    ((struct watched *)arg)->done += count;
}

static void end(void *arg)
{
    ((struct watched *)arg)->ends++;
}

static bool is_stopped(void *arg)
{
    return ((struct watched *)arg)->is_stopped;
}

/* ---- a move of one set of budgets ---- */

struct move {
    struct cache         source, target;
    struct watched       watched;
    struct instance      from, to;
    struct transfer_pair pair;
    struct transfer_item item;
    struct transfer      transfer;
};

static struct move move;

static int set_up(void **state)
{
    rig_set_up(state);
    move = (struct move){ .source = { { budget("b", 7), budget("a", 5), budget("c", 0) }, 3 } };
    move.from.peer = (bp_peer){ .ops = &ops, .instance = &move.source };
    move.to.peer = (bp_peer){ .ops = &ops, .instance = &move.target };
    move.pair = (struct transfer_pair){ .kind = "cache", .from = &move.from, .to = &move.to };
    move.item = (struct transfer_item){ .pair = &move.pair,
                                        .kind = TRANSFER_BUDGETS,
                                        .label = BP_STR("cache.main") };
    transfer_init(&move.transfer);
    move.transfer.go_on = "backplane migrate --resume";
    move.transfer.watch = (struct transfer_watch){
        .arg = &move.watched, .begin = begin, .step = step, .end = end, .is_stopped = is_stopped
    };
    return 0;
}

static int tear_down(void **state)
{
    transfer_free(&move.transfer);
    return rig_tear_down(state);
}

static bp_status copy(void)
{
    return transfer_budgets_copy(&rig_call, &move.transfer, &move.item);
}

static bp_status compare(void)
{
    return transfer_budgets_compare(&rig_call, &move.transfer, &move.item);
}

static void all_are_copied_and_the_watch_is_told(void **state)
{
    (void)state;
    assert_int_equal(copy(), BP_OK);
    assert_int_equal(move.target.count, 3);
    assert_int_equal(move.item.moved_now, 3);
    assert_string_equal(move.watched.what, "cache.main");
    assert_int_equal(move.watched.total, 3);
    assert_int_equal(move.watched.done, 3);
    assert_int_equal(move.watched.ends, 1);
    assert_int_equal(compare(), BP_OK);
    assert_true(move.item.is_compared && move.item.is_equal);
    assert_false(move.transfer.has_difference);
}

static void nobody_needs_to_watch(void **state)
{
    (void)state;
    move.transfer.watch = (struct transfer_watch){ .arg = NULL };
    assert_int_equal(copy(), BP_OK);
    assert_int_equal(compare(), BP_OK);
    assert_true(move.item.is_equal);
}

static void the_first_difference_is_named(void **state)
{
    (void)state;
    assert_int_equal(copy(), BP_OK);
    move.target.items[0].spent = 6; // they were written in the order of their keys
    move.target.items[2].spent = 1;
    assert_int_equal(compare(), BP_OK);
    assert_false(move.item.is_equal);
    assert_true(move.transfer.has_difference);
    assert_bp_str(move.item.difference, "of the budget a of 2026-11 5 is spent in the source and 6 "
                                        "in the target");
}

static void one_that_is_missing_is_named_with_its_side(void **state)
{
    (void)state;
    assert_int_equal(copy(), BP_OK);
    move.target.count = 2;
    assert_int_equal(compare(), BP_OK);
    assert_bp_str(move.item.difference, "the budget c of 2026-11 is only in the source");
    move.item.difference = (bp_str){ NULL, 0 };
    move.source.count = 1;
    assert_int_equal(compare(), BP_OK);
    assert_bp_str(move.item.difference, "the budget a of 2026-11 is only in the target");
}

static void a_move_that_is_stopped_says_how_to_go_on(void **state)
{
    (void)state;
    move.watched.is_stopped = true;
    assert_int_equal(copy(), BP_CANCELLED);
    assert_true(move.transfer.is_interrupted);
    assert_bp_str(rig_call.error.message, "stopped on request; written data stays. Continue "
                                          "with: backplane migrate --resume");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_copied_and_the_watch_is_told),
        TEST(nobody_needs_to_watch),
        TEST(the_first_difference_is_named),
        TEST(one_that_is_missing_is_named_with_its_side),
        TEST(a_move_that_is_stopped_says_how_to_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

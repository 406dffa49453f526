/* test_@NAME@.c - tests @NAME@.so with the fake host: its clock stands still until the test moves
 * it. */
#include <backplane/cache.h>
#include <backplane/testhost.h>

#include "test.h"

static bp_take take(bp_call *call, const bp_peer *peer, int64_t cost)
{
    bp_take result;

    CHECK(bp_cache_take(call, peer, BP_STR("limit"), 2, BP_SECONDS(10), cost, &result) == BP_OK);
    return result;
}

static bool reserve(bp_call *call, const bp_peer *peer, const char *id, int64_t amount)
{
    bp_take result = { .struct_size = sizeof(result) };

    CHECK(bp_cache_of(peer)->reserve(call, peer->instance, BP_STR("money"), BP_STR("2026-11"), 100,
                                     amount, BP_SECONDS(60), bp_str_of(id), &result) == BP_OK);
    return result.is_granted;
}

int main(int argc, char **argv)
{
    testhost           *host = testhost_new();
    const bp_plugin    *plugin = testhost_load(host, argv[argc - 1]);
    testhost_option     option = { "size", "64KiB" };
    testhost_instance  *instance = plugin
                                       ? testhost_instance_create(host, plugin, "mine", &option, 1)
                                       : NULL;
    bp_call            *call = testhost_call_new(host, BP_FOREVER);
    static char         large[40 << 10];
    const bp_peer      *peer;
    const bp_cache_ops *ops;
    bp_cache_stats      stats = { .struct_size = sizeof(stats) };
    bp_str              value;
    int64_t             removed;

    if (!instance)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(instance != NULL);
    peer = testhost_peer(instance);
    ops = bp_cache_of(peer);
    CHECK(bp_cache_set(call, peer, BP_STR("a1"), BP_STR("one"), 0) == BP_OK);
    CHECK(bp_cache_set(call, peer, BP_STR("a2"), BP_STR("two"), BP_SECONDS(1)) == BP_OK);
    CHECK(bp_cache_get(call, peer, BP_STR("a2"), &value) == BP_OK && bp_str_is(value, "two"));
    testhost_advance(BP_SECONDS(2));
    CHECK(bp_cache_get(call, peer, BP_STR("a2"), &value) == BP_NOT_FOUND);
    CHECK(ops->remove_prefix(call, peer->instance, BP_STR("a"), &removed) == BP_OK && removed == 1);
    CHECK(bp_cache_set(call, peer, bp_str_n("", 0), BP_STR("x"), 0) == BP_INVALID);

    CHECK(bp_cache_set(call, peer, BP_STR("old"), bp_str_n(large, sizeof(large)), 0) == BP_OK);
    CHECK(bp_cache_set(call, peer, BP_STR("new"), bp_str_n(large, sizeof(large)), 0) == BP_OK);
    CHECK(bp_cache_get(call, peer, BP_STR("old"), &value) == BP_NOT_FOUND); /* had to go */
    CHECK(ops->stats(call, peer->instance, &stats) == BP_OK && stats.evictions == 1 &&
          stats.entries == 1);

    CHECK(take(call, peer, 1).is_granted && take(call, peer, 1).is_granted);
    CHECK(!take(call, peer, 1).is_granted && take(call, peer, 1).reset_ns == BP_SECONDS(5));
    testhost_advance(BP_SECONDS(5));
    CHECK(take(call, peer, 1).is_granted && !take(call, peer, 1).is_granted);

    CHECK(reserve(call, peer, "r1", 60) && !reserve(call, peer, "r2", 60));
    CHECK(ops->settle(call, peer->instance, BP_STR("money"), BP_STR("2026-11"), BP_STR("r1"), 30) ==
          BP_OK);
    CHECK(reserve(call, peer, "r2", 60) && !reserve(call, peer, "r3", 11));
    testhost_advance(BP_SECONDS(61)); /* r2 was never settled, and no longer counts */
    CHECK(reserve(call, peer, "r3", 70) && !reserve(call, peer, "r4", 1));

    CHECK(ops->lock(call, peer->instance, BP_STR("l"), BP_STR("me"), BP_SECONDS(1)) == BP_OK);
    CHECK(ops->lock(call, peer->instance, BP_STR("l"), BP_STR("you"), BP_SECONDS(1)) ==
          BP_CONFLICT);
    CHECK(ops->unlock(call, peer->instance, BP_STR("l"), BP_STR("you")) == BP_CONFLICT);
    testhost_advance(BP_SECONDS(2));
    CHECK(ops->lock(call, peer->instance, BP_STR("l"), BP_STR("you"), BP_SECONDS(1)) == BP_OK);
    testhost_call_end(call);
    testhost_instance_destroy(instance);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}

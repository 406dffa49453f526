/* test_room.c - what a table gives up when it is full: the longest unused, however chance has
 * spread the keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "table/table.h"

enum { SIZE_BYTES = 1 << 20, PUTS = 4000 };

static void put(struct table *table, const char *key)
{
    static const char value[1024];
    struct entry     *entry;
    struct shard     *shard = table_lock(table, ENTRY_VALUE, bp_str_of(key), 0, &entry);

    entry = table_put(table, shard, ENTRY_VALUE, bp_str_of(key), bp_str_n(value, sizeof(value)));
    table_unlock(shard);
    assert_non_null(entry);
    table_make_room(table);
    assert_true(atomic_load(&table->size_bytes) <= SIZE_BYTES);
}

static bool use(struct table *table, const char *key)
{
    struct entry *entry;
    struct shard *shard = table_lock(table, ENTRY_VALUE, bp_str_of(key), 0, &entry);

    if (entry)
        table_used(shard, entry);
    table_unlock(shard);
    return entry != NULL;
}

/* Some shards have many entries and some few; each takes its turn at giving up, and few are left in
 * those that chance passes by. */
static void what_is_used_stays_whatever_the_seed(void **state)
{
    static const uint64_t seeds[] = { 1, 2, 3, 4, 1684, 2934 }; // the last two lost it once

    (void)state;
    for (size_t s = 0; s < sizeof(seeds) / sizeof(seeds[0]); s++) {
        struct table *table = table_new(SIZE_BYTES, BP_FOREVER,
                                        (uint64_t[]){ seeds[s], seeds[s] * 3 + 1 });
        char          key[32];

        assert_non_null(table);
        put(table, "used");
        for (int i = 0; i < PUTS; i++) {
            snprintf(key, sizeof(key), "key %d", i);
            put(table, key);
            if (i % 10 == 0)
                use(table, "used");
        }
        assert_true(use(table, "used"));
        assert_true(use(table, key)); // the newest
        assert_false(use(table, "key 0"));
        assert_true(atomic_load(&table->size_bytes) > SIZE_BYTES / 10 * 9);
        table_free(table);
    }
}

static void put_state(struct table *table, const char *key)
{
    struct entry *entry;
    struct shard *shard = table_lock(table, ENTRY_LIMIT, bp_str_of(key), 0, &entry);

    assert_non_null(table_put(table, shard, ENTRY_LIMIT, bp_str_of(key), BP_STR("")));
    table_unlock(shard);
}

/* All values stand in shards that have fewer entries than others, which hold what may not go. */
static void values_among_much_state_are_given_up_all_the_same(void **state)
{
    struct table *table = table_new(SIZE_BYTES, 300, (uint64_t[]){ 1, 2 });
    char          key[32];

    (void)state;
    assert_non_null(table);
    for (int i = 0; i < 290; i++) {
        snprintf(key, sizeof(key), "limit %d", i);
        put_state(table, key);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        put(table, key);
        assert_true(atomic_load(&table->entries) <= 300);
    }
    assert_int_equal(atomic_load(&table->evictions), 90);
    table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_used_stays_whatever_the_seed),
        cmocka_unit_test(values_among_much_state_are_given_up_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

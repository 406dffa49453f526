/* test_gate_vector.c - the gate before a vector store: what every store may rely on, and what is
 * tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <backplane/vector.h>

#include "gate_rig.h"

/* A store that fails as often as a test says. */
static struct {
    int fails_left, points_before_failure;
    int calls;
} fake;

static bp_status answer(bp_call *call)
{
    fake.calls++;
    return fake.fails_left-- > 0 ? call_fail(call, BP_UNAVAILABLE, "the fake fails") : BP_OK;
}

static bp_status fake_create(bp_call *call, void *object, bp_str collection,
                             const bp_vector_schema *schema)
{
    (void)object, (void)collection, (void)schema;
    return answer(call);
}

static bp_status fake_list(bp_call *call, void *object, const bp_vector_info **collections,
                           size_t *count)
{
    (void)object;
    *collections = NULL;
    *count = 0;
    return answer(call);
}

static bp_status fake_upsert(bp_call *call, void *object, bp_str collection, const bp_point *points,
                             size_t point_size, size_t count)
{
    (void)object, (void)collection, (void)points, (void)count;
    assert_int_equal(point_size, sizeof(bp_point));
    return answer(call);
}

static bp_status fake_remove(bp_call *call, void *object, bp_str collection, const uint64_t *ids,
                             size_t count, const bp_filter *filter, uint64_t *removed)
{
    (void)object, (void)collection, (void)ids, (void)filter;
    *removed = count;
    return answer(call);
}

static bp_status fake_search(bp_call *call, void *object, const bp_vector_query *query,
                             bp_leg *by_vector, bp_leg *by_words)
{
    (void)object, (void)query, (void)by_words;
    by_vector->rows_read = 7;
    return answer(call);
}

static bp_status fake_count(bp_call *call, void *object, bp_str collection, const bp_filter *filter,
                            uint64_t *count)
{
    (void)object, (void)collection, (void)filter;
    *count = 3;
    return answer(call);
}

static bp_status fake_scroll(bp_call *call, void *object, bp_str collection,
                             const bp_filter *filter, uint64_t after, uint32_t limit,
                             const bp_point_sink *sink)
{
    (void)object, (void)collection, (void)filter, (void)limit;
    for (int i = 0; i < fake.points_before_failure; i++)
        assert_int_equal(sink->point(call, sink->self,
                                     &(bp_point){ .id = after + 1 + (uint64_t)i }),
                         BP_OK);
    return answer(call);
}

static bp_status fake_owner(bp_call *call, void *object, bp_str collection, bp_str *owner)
{
    (void)object, (void)collection;
    *owner = BP_STR("me");
    return answer(call);
}

static const bp_vector_ops whole = { .struct_size = sizeof(bp_vector_ops),
                                     .create = fake_create,
                                     .list = fake_list,
                                     .upsert = fake_upsert,
                                     .remove = fake_remove,
                                     .search = fake_search,
                                     .count = fake_count,
                                     .scroll = fake_scroll,
                                     .owner = fake_owner };

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    return rig_start("vector", &whole);
}

static bp_status count_by(bp_call *call, bp_str collection, const bp_filter *filter)
{
    uint64_t count = 0;

    return bp_vector_of(&instance.peer)
        ->count(call, instance.peer.instance, collection, filter, &count);
}

/* ---- names ---- */

static void name_collections(bp_call *call)
{
    static const char *const bad[] = { "",    "a b", "a/b", "caf\xc3\xa9", "a\n",
                                       "a@b", "a[b", "a`b", "a{b",         "a:b" };
    char                     longest[129];

    memset(longest, 'x', sizeof(longest));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(count_by(call, bp_str_of(bad[i]), NULL), BP_INVALID);
    assert_int_equal(count_by(call, (bp_str){ longest, 129 }, NULL), BP_INVALID);
    assert_non_null(strstr(call->error.message.data,
                           "a collection's name is of the form [A-Za-z0-9_.-]{1,128}"));
    assert_int_equal(fake.calls, 0);
    assert_int_equal(count_by(call, (bp_str){ longest, 128 }, NULL), BP_OK);
    assert_int_equal(count_by(call, BP_STR("azAZ09_.-"), NULL), BP_OK);
    assert_int_equal(count_by(call, BP_STR("9"), NULL), BP_OK);
}

static void a_collection_has_a_name_that_every_store_takes(void **state)
{
    (void)state;
    on_call(name_collections);
}

/* ---- filters ---- */

static bp_filter exists(const char *field)
{
    return (bp_filter){ .struct_size = sizeof(bp_filter),
                        .op = BP_FILTER_EXISTS,
                        .field = bp_str_of(field) };
}

static bp_status filter_by(bp_call *call, const bp_filter *filter)
{
    return count_by(call, BP_STR("docs"), filter);
}

static void filter_by_fields(bp_call *call)
{
    static const char *const bad[] = { "", "9a", ".a", "-a", "a b", "a\"b" }, *const good[] = {
        "a", "_", "Az09_.-"
    };
    char      longest[66] = "";
    bp_filter leaf;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        leaf = exists(bad[i]);
        assert_int_equal(filter_by(call, &leaf), BP_INVALID);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        leaf = exists(good[i]);
        assert_int_equal(filter_by(call, &leaf), BP_OK);
    }
    memset(longest, 'x', 65);
    leaf = exists(longest);
    assert_int_equal(filter_by(call, &leaf), BP_INVALID);
    longest[64] = '\0';
    leaf = exists(longest);
    assert_int_equal(filter_by(call, &leaf), BP_OK);
}

static void a_field_has_a_name_that_every_store_takes(void **state)
{
    (void)state;
    on_call(filter_by_fields);
}

static void filter_by_operators(bp_call *call)
{
    const bp_filter leaf = exists("a"), *const two[] = { &leaf, &leaf };
    const bp_value values[] = { { .type = BP_VALUE_STRING, .text = BP_STR("x") },
                                { .type = BP_VALUE_NUMBER } };
    bp_filter      filter = { .struct_size = sizeof(filter), .op = 0, .field = BP_STR("a") };

    assert_int_equal(filter_by(call, &filter), BP_INVALID);
    filter.op = BP_FILTER_NOT_EXISTS + 1;
    assert_int_equal(filter_by(call, &filter), BP_INVALID);
    filter = (bp_filter){ .struct_size = sizeof(filter), .op = BP_FILTER_NOT, .children = two };
    for (filter.child_count = 0; filter.child_count <= 2; filter.child_count++)
        assert_int_equal(filter_by(call, &filter), filter.child_count == 1 ? BP_OK : BP_INVALID);
    filter = exists("a");
    filter.op = BP_FILTER_PREFIX;
    filter.values = values;
    for (filter.value_count = 0; filter.value_count <= 2; filter.value_count++)
        assert_int_equal(filter_by(call, &filter), filter.value_count == 1 ? BP_OK : BP_INVALID);
    filter.values = &values[1]; // a number begins with nothing
    filter.value_count = 1;
    assert_int_equal(filter_by(call, &filter), BP_INVALID);
    filter = (bp_filter){ .struct_size = sizeof(filter), .op = BP_FILTER_AND };
    assert_int_equal(filter_by(call, &filter), BP_OK);
}

static void a_filter_has_what_its_operator_needs(void **state)
{
    (void)state;
    on_call(filter_by_operators);
}

static void filter_by_much(bp_call *call)
{
    static const bp_value   values[1024];
    static const bp_filter *children[256];
    bp_filter leaf = exists("a"), nested[8], filter = { .op = BP_FILTER_IN, .field = BP_STR("a") };

    nested[0] = leaf;
    for (int i = 1; i < 8; i++) {
        children[i] = &nested[i - 1];
        nested[i] = (bp_filter){ .op = BP_FILTER_NOT, .children = &children[i], .child_count = 1 };
    }
    assert_int_equal(filter_by(call, &nested[7]), BP_OK);
    children[0] = &nested[7];
    filter = (bp_filter){ .op = BP_FILTER_NOT, .children = children, .child_count = 1 };
    assert_int_equal(filter_by(call, &filter), BP_INVALID);
    assert_non_null(strstr(call->error.message.data, "nested deeper than 8 levels"));

    for (int i = 0; i < 256; i++)
        children[i] = &leaf;
    filter = (bp_filter){ .op = BP_FILTER_OR,
                          .children = children,
                          .child_count = 255 }; // 256 with itself
    assert_int_equal(filter_by(call, &filter), BP_OK);
    filter.child_count = 256;
    assert_int_equal(filter_by(call, &filter), BP_INVALID);

    leaf = (bp_filter){
        .op = BP_FILTER_IN, .field = BP_STR("a"), .values = values, .value_count = 512
    };
    filter.child_count = 2;
    assert_int_equal(filter_by(call, &filter), BP_OK);
    leaf.value_count = 513;
    assert_int_equal(filter_by(call, &filter), BP_INVALID);
    assert_non_null(strstr(call->error.message.data, "more than 256 conditions or 1024 values"));
}

static void the_depth_and_size_of_a_filter_are_bounded(void **state)
{
    (void)state;
    on_call(filter_by_much);
}

/* ---- amounts ---- */

static void ask_for_much(bp_call *call)
{
    static const bp_point points[10001];
    const bp_vector_ops  *ops = bp_vector_of(&instance.peer);
    bp_vector_query       query = { .struct_size = sizeof(query),
                                    .collection = BP_STR("docs"),
                                    .limit = 0 };
    bp_vector_schema schema = { .struct_size = sizeof(schema), .dimensions = 0, .metric = BP_L2 };
    bp_leg           by_vector, by_words;
    uint64_t         id = 1, removed;

    assert_int_equal(bp_vector_upsert(call, &instance.peer, BP_STR("docs"), points, 10001),
                     BP_INVALID);
    assert_int_equal(bp_vector_search(call, &instance.peer, &query, &by_vector, &by_words),
                     BP_INVALID);
    query.limit = 10001;
    assert_int_equal(bp_vector_search(call, &instance.peer, &query, &by_vector, &by_words),
                     BP_INVALID);
    assert_int_equal(ops->create(call, instance.peer.instance, BP_STR("docs"), &schema),
                     BP_INVALID);
    schema.dimensions = 65537;
    assert_int_equal(ops->create(call, instance.peer.instance, BP_STR("docs"), &schema),
                     BP_INVALID);
    schema.dimensions = 65536;
    schema.metric = BP_L2 + 1;
    assert_int_equal(ops->create(call, instance.peer.instance, BP_STR("docs"), &schema),
                     BP_INVALID);
    // Nothing said is not everything: that would empty the collection.
    assert_int_equal(ops->remove(call, instance.peer.instance, BP_STR("docs"), NULL, 0, NULL,
                                 &removed),
                     BP_INVALID);
    assert_int_equal(fake.calls, 0);

    assert_int_equal(bp_vector_upsert(call, &instance.peer, BP_STR("docs"), points, 10000), BP_OK);
    query.limit = 10000;
    assert_int_equal(bp_vector_search(call, &instance.peer, &query, &by_vector, &by_words), BP_OK);
    assert_int_equal(by_vector.rows_read, 7);
    query.limit = 1;
    assert_int_equal(bp_vector_search(call, &instance.peer, &query, &by_vector, &by_words), BP_OK);
    schema.metric = BP_L2;
    assert_int_equal(ops->create(call, instance.peer.instance, BP_STR("docs"), &schema), BP_OK);
    schema.dimensions = 1;
    assert_int_equal(ops->create(call, instance.peer.instance, BP_STR("docs"), &schema), BP_OK);
    assert_int_equal(ops->remove(call, instance.peer.instance, BP_STR("docs"), &id, 1, NULL,
                                 &removed),
                     BP_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(fake.calls, 6);
}

static void amounts_have_bounds_and_nothing_is_not_everything(void **state)
{
    (void)state;
    on_call(ask_for_much);
}

/* ---- what is tried again, and what is not there ---- */

static int points_seen;

static bp_status see_point(bp_call *call, void *self, const bp_point *point)
{
    (void)call, (void)self;
    points_seen++;
    assert_int_equal(point->id, 40 + points_seen);
    return BP_OK;
}

static void try_again(bp_call *call)
{
    const bp_vector_ops *ops = bp_vector_of(&instance.peer);
    const bp_point_sink  sink = { .struct_size = sizeof(sink), .point = see_point };

    fake.fails_left = 1;
    assert_int_equal(count_by(call, BP_STR("docs"), NULL), BP_OK);
    assert_int_equal(fake.calls, 2);
    fake.fails_left = 1;
    assert_int_equal(ops->scroll(call, instance.peer.instance, BP_STR("docs"), NULL, 40, 10, &sink),
                     BP_OK);
    assert_int_equal(fake.calls, 4);
    fake.fails_left = 1;
    fake.points_before_failure = 2;
    assert_int_equal(ops->scroll(call, instance.peer.instance, BP_STR("docs"), NULL, 40, 10, &sink),
                     BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 5);
    assert_int_equal(points_seen, 2); // none twice
}

static void a_scroll_is_not_tried_again_once_a_point_was_given_out(void **state)
{
    (void)state;
    points_seen = 0;
    on_call(try_again);
}

static void lack_it(bp_call *call)
{
    const bp_vector_ops  *ops = bp_vector_of(&instance.peer);
    bp_vector_ops         part = whole;
    const bp_vector_info *infos;
    bp_str                owner = BP_STR("left over");
    size_t                count;

    assert_int_equal(bp_vector_owner_of(call, &instance.peer, BP_STR("docs"), &owner), BP_OK);
    assert_true(bp_str_is(owner, "me"));
    assert_int_equal(ops->list(call, instance.peer.instance, &infos, &count),
                     BP_OK); // it has no name to check
    assert_int_equal(ops->drop(call, instance.peer.instance, BP_STR("docs")), BP_UNSUPPORTED);
    assert_non_null(strstr(call->error.message.data, "vector/fake cannot do \"drop\""));
    assert_int_equal(ops->snapshot(call, instance.peer.instance, BP_STR("docs"), NULL),
                     BP_UNSUPPORTED);
    assert_int_equal(ops->maintain(call, instance.peer.instance, BP_STR("vacuum")), BP_UNSUPPORTED);
    part.struct_size = offsetof(bp_vector_ops, owner); // a store that is older than marks
    plugin.descriptor.ops = &part;
    assert_int_equal(bp_vector_owner_of(call, &instance.peer, BP_STR("docs"), &owner), BP_OK);
    assert_int_equal(owner.len, 0);
    assert_int_equal(fake.calls, 2);
    plugin.descriptor.ops = &whole;
}

static void what_a_store_lacks_is_a_sentence_and_a_mark_is_nobodys(void **state)
{
    (void)state;
    on_call(lack_it);
}

/* ---- what is done with a whole collection ---- */

static bp_byte_sink given; /* to the store: the caller's own */

static bp_status fake_snapshot(bp_call *call, void *object, bp_str collection,
                               const bp_byte_sink *sink)
{
    (void)object;
    assert_ptr_equal(sink, &given);
    assert_true(bp_str_is(collection, "docs"));
    return answer(call);
}

static bp_status fake_maintain(bp_call *call, void *object, bp_str what)
{
    (void)object;
    assert_true(bp_str_is(what, "vacuum"));
    return answer(call);
}

static bp_status fake_drop(bp_call *call, void *object, bp_str collection)
{
    (void)object;
    assert_true(bp_str_is(collection, "docs"));
    return answer(call);
}

static void keep_it(bp_call *call)
{
    const bp_vector_ops *ops = bp_vector_of(&instance.peer);
    bp_vector_ops        more = whole;
    void                *store = instance.peer.instance;

    more.snapshot = fake_snapshot;
    more.maintain = fake_maintain;
    more.drop = fake_drop;
    plugin.descriptor.ops = &more;
    for (int fails = 0; fails < 2; fails++) {
        bp_status wanted = fails ? BP_UNAVAILABLE : BP_OK;

        fake.fails_left = 9 * fails;
        assert_int_equal(ops->snapshot(call, store, BP_STR("docs"), &given), wanted);
        assert_int_equal(ops->maintain(call, store, BP_STR("vacuum")), wanted);
        assert_int_equal(ops->drop(call, store, BP_STR("docs")), wanted);
    }
    plugin.descriptor.ops = &whole;
}

static void a_store_keeps_and_drops_a_whole_collection(void **state)
{
    (void)state;
    on_call(keep_it);
}

#define GATED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATED(a_collection_has_a_name_that_every_store_takes),
        GATED(a_field_has_a_name_that_every_store_takes),
        GATED(a_filter_has_what_its_operator_needs),
        GATED(the_depth_and_size_of_a_filter_are_bounded),
        GATED(amounts_have_bounds_and_nothing_is_not_everything),
        GATED(a_scroll_is_not_tried_again_once_a_point_was_given_out),
        GATED(a_store_keeps_and_drops_a_whole_collection),
        GATED(what_a_store_lacks_is_a_sentence_and_a_mark_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

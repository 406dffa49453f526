/* test_@NAME@.c - tests @NAME@.so with the fake host: order of hits, words, every filter, all or
 * none, removal. */
#include <math.h>

#include <backplane/testhost.h>
#include <backplane/vector.h>

#include "test.h"

static bp_call             *call;
static const bp_peer       *peer;
static const bp_vector_ops *ops;

static uint64_t count(const bp_filter *filter)
{
    uint64_t n = 0;

    CHECK(ops->count(call, peer->instance, BP_STR("docs"), filter, &n) == BP_OK);
    return n;
}

static bp_filter leaf(uint32_t op, const char *field, const bp_value *value)
{
    return (bp_filter){ .struct_size = sizeof(bp_filter),
                        .op = op,
                        .field = bp_str_of(field),
                        .values = value,
                        .value_count = value ? 1 : 0,
                        .low = -INFINITY,
                        .high = INFINITY };
}

static void check_filters(void)
{
    bp_value  english = { .type = BP_VALUE_STRING, .text = BP_STR("en") };
    bp_value  yes = { .type = BP_VALUE_BOOL, .number = 1 };
    bp_value  hot = { .type = BP_VALUE_STRING, .text = BP_STR("hot") };
    bp_filter lang = leaf(BP_FILTER_IN, "lang", &english),
              year = leaf(BP_FILTER_RANGE, "year", NULL);
    bp_filter tag = leaf(BP_FILTER_IN, "tags", &hot), there = leaf(BP_FILTER_EXISTS, "year", NULL);
    bp_filter missing = leaf(BP_FILTER_NOT_EXISTS, "year", NULL),
              flag = leaf(BP_FILTER_IN, "new", &yes);
    bp_filter        prefix = leaf(BP_FILTER_PREFIX, "lang", &english);
    const bp_filter *two[] = { &lang, &year };
    bp_filter        tree = {
               .struct_size = sizeof(tree), .op = BP_FILTER_AND, .children = two, .child_count = 2
    };

    CHECK(count(NULL) == 3 && count(&lang) == 2 && count(&tag) == 1 && count(&flag) == 1 &&
          count(&prefix) == 2);
    CHECK(count(&there) == 2 && count(&missing) == 1);
    year.low = 2024;
    CHECK(count(&year) == 1 && count(&tree) == 1);
    tree.op = BP_FILTER_OR;
    CHECK(count(&tree) == 2);
    tree.op = BP_FILTER_NOT;
    tree.child_count = 1;
    CHECK(count(&tree) == 1);
    year.is_low_exclusive = true;
    CHECK(count(&year) == 0);
}

static bp_status take_point(bp_call *c, void *self, const bp_point *point)
{
    (void)c;
    *(uint64_t *)self = *(uint64_t *)self * 10 + point->id;
    return BP_OK;
}

static void check_search(void)
{
    float           near_two[] = { 0, 1, 0.1f };
    bp_vector_query query = { .struct_size = sizeof(query),
                              .dimensions = 3,
                              .collection = BP_STR("docs"),
                              .vector = near_two,
                              .words = BP_STR("red soup, please"),
                              .limit = 2 };
    bp_leg          vectors, words;

    CHECK(bp_vector_search(call, peer, &query, &vectors, &words) == BP_OK);
    CHECK(vectors.mode == BP_SEARCH_EXACT && vectors.hit_count == 2 && vectors.hits[0].id == 2);
    CHECK(vectors.hits[0].score > vectors.hits[1].score && vectors.hits[0].score > 0.99);
    CHECK(words.hit_count == 2 && words.hits[0].id == 1 &&
          words.hits[1].id == 2); /* a tie goes by id */
    query.vector = NULL;
    CHECK(bp_vector_search(call, peer, &query, &vectors, &words) == BP_OK &&
          vectors.mode == BP_SEARCH_NONE);
    query.vector = near_two;
    query.dimensions = 2;
    CHECK(bp_vector_search(call, peer, &query, &vectors, &words) == BP_INVALID);
    query.collection = BP_STR("none");
    CHECK(bp_vector_search(call, peer, &query, &vectors, &words) == BP_NOT_FOUND);
}

int main(int argc, char **argv)
{
    testhost          *host = testhost_new();
    const bp_plugin   *plugin = testhost_load(host, argv[argc - 1]);
    testhost_instance *instance = plugin ? testhost_instance_create(host, plugin, "mine", NULL, 0)
                                         : NULL;
    float            a[] = { 1, 0, 0 }, b[] = { 0, 1, 0 }, c[] = { 0, 0, 1 }, zero[] = { 0, 0, 0 };
    bp_vector_schema schema = { .struct_size = sizeof(schema),
                                .dimensions = 3,
                                .model = BP_STR("m") };
    bp_point         points[] = {
                { sizeof(bp_point), 0, 1, a, BP_STR("a red car"),
                  BP_STR("{\"lang\":\"en\",\"year\":2023,\"tags\":[\"hot\",\"x\"]}") },
                { sizeof(bp_point), 0, 2, b, BP_STR("cold soup"),
                  BP_STR("{\"lang\":\"en\",\"year\":2024,\"new\":true}") },
                { sizeof(bp_point), 0, 3, c, BP_STR("nichts"), BP_STR("{\"lang\":\"de\"}") },
    };
    const bp_vector_info *infos;
    bp_point_sink         sink = { sizeof(sink), take_point, NULL };
    uint64_t              ids[] = { 2, 99 }, removed = 0, seen = 0;
    size_t                n;

    if (!instance)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(instance != NULL);
    call = testhost_call_new(host, BP_SECONDS(5));
    peer = testhost_peer(instance);
    ops = testhost_ops(instance);
    CHECK(ops->create(call, peer->instance, BP_STR("docs"), &schema) == BP_OK);
    CHECK(ops->create(call, peer->instance, BP_STR("docs"), &schema) == BP_OK);
    schema.dimensions = 4;
    CHECK(ops->create(call, peer->instance, BP_STR("docs"), &schema) == BP_CONFLICT);
    CHECK(ops->create(call, peer->instance, BP_STR("a/b"), &schema) == BP_INVALID);
    CHECK(ops->create(call, peer->instance, BP_STR("abc"), &schema) == BP_OK);
    CHECK(ops->list(call, peer->instance, &infos, &n) == BP_OK && n == 2 &&
          bp_str_is(infos[0].name, "abc"));
    points[2].vector = zero;
    CHECK(bp_vector_upsert(call, peer, BP_STR("docs"), points, 3) == BP_INVALID);
    CHECK(count(NULL) == 0); /* none of them */
    points[2].vector = c;
    CHECK(bp_vector_upsert(call, peer, BP_STR("docs"), points, 3) == BP_OK);
    CHECK(bp_vector_upsert(call, peer, BP_STR("docs"), points, 3) == BP_OK);
    check_search();
    check_filters();
    sink.self = &seen;
    CHECK(ops->scroll(call, peer->instance, BP_STR("docs"), NULL, 1, 10, &sink) == BP_OK &&
          seen == 23);
    CHECK(ops->remove(call, peer->instance, BP_STR("docs"), ids, 2, NULL, &removed) == BP_OK &&
          removed == 1);
    CHECK(count(NULL) == 2);
    CHECK(ops->drop(call, peer->instance, BP_STR("docs")) == BP_OK);
    CHECK(ops->drop(call, peer->instance, BP_STR("docs")) == BP_NOT_FOUND);
    testhost_call_end(call);
    testhost_instance_destroy(instance);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}

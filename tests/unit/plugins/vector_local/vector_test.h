/* vector_test.h - short words for the tests of a vector store: the embedded one, unless
 * VECTOR_TEST_PLUGIN names another and VECTOR_TEST_OPTIONS gives its options. */
#ifndef VECTOR_TEST_H
#define VECTOR_TEST_H

#include "plugins/plugin_test.h"

#include <math.h>

static const bp_vector_ops *ops;
static void                *self;

#ifndef VECTOR_TEST_PLUGIN
#define VECTOR_TEST_PLUGIN "/vector/local.so"
#define VECTOR_TEST_OPTIONS                                                                        \
    {                                                                                              \
        "path", "store"                                                                            \
    }
#endif

static inline void begin_instance(void)
{
    const testhost_option options[] = { VECTOR_TEST_OPTIONS };
    start(options, sizeof(options) / sizeof(options[0]));
    ops = testhost_ops(instance);
    self = testhost_self(instance);
}

static inline int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR VECTOR_TEST_PLUGIN);
}

static inline int setup_with_instance(void **state)
{
    if (setup(state) != 0)
        return -1;
    begin_instance();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    return close_host();
}

static inline bp_status make(const char *name, uint32_t dimensions, bp_metric_kind metric,
                             const char *language)
{
    const bp_vector_schema schema = { .struct_size = sizeof(schema),
                                      .dimensions = dimensions,
                                      .metric = (uint32_t)metric,
                                      .model = BP_STR("test-model"),
                                      .language = bp_str_of(language) };
    return ops->create(call, self, bp_str_of(name), &schema);
}

static inline bp_status put(const char *name, uint64_t id, const float *vector, const char *words,
                            const char *metadata)
{
    const bp_point point = { .struct_size = sizeof(point),
                             .id = id,
                             .vector = vector,
                             .words = bp_str_of(words),
                             .metadata = bp_str_of(metadata) };
    return ops->upsert(call, self, bp_str_of(name), &point, sizeof(point), 1);
}

struct legs {
    bp_leg vector, words;
};

static inline bp_status find(const char *name, const float *vector, uint32_t dimensions,
                             const char *words, const bp_filter *filter, uint32_t limit,
                             struct legs *legs)
{
    const bp_vector_query query = { .struct_size = sizeof(query),
                                    .dimensions = dimensions,
                                    .collection = bp_str_of(name),
                                    .vector = vector,
                                    .words = bp_str_of(words),
                                    .filter = filter,
                                    .limit = limit };
    memset(legs, 0, sizeof(*legs));
    legs->vector.struct_size = legs->words.struct_size = sizeof(bp_leg);
    return ops->search(call, self, &query, &legs->vector, &legs->words);
}

/* The ids of a leg as text: "3,1,2". */
static inline const char *ids_of(const bp_leg *leg)
{
    bp_buf *buf = bp_buf_new(call, 1 << 16);
    for (uint32_t i = 0; i < leg->hit_count; i++)
        bp_buf_addf(buf, "%s%llu", i ? "," : "", (unsigned long long)leg->hits[i].id);
    return leg->hit_count ? bp_buf_str(buf).data : "";
}

static inline const char *words_find(const char *name, const char *words)
{
    struct legs legs;
    assert_ok(find(name, NULL, 0, words, NULL, 100, &legs));
    return ids_of(&legs.words);
}

/* Filters, in place. */
#define IN_TEXT(name, ...)                                                                         \
    (&(bp_filter){ .struct_size = sizeof(bp_filter),                                               \
                   .op = BP_FILTER_IN,                                                             \
                   .field = BP_STR(name),                                                          \
                   .values = (const bp_value[]){ __VA_ARGS__ },                                    \
                   .value_count = sizeof((const bp_value[]){ __VA_ARGS__ }) / sizeof(bp_value) })
#define TEXT(s)                                                                                    \
    {                                                                                              \
        .type = BP_VALUE_STRING, .text = BP_STR(s)                                                 \
    }
#define NUMBER(n)                                                                                  \
    {                                                                                              \
        .type = BP_VALUE_NUMBER, .number = (n)                                                     \
    }
#define BOOL(b)                                                                                    \
    {                                                                                              \
        .type = BP_VALUE_BOOL, .number = (b)                                                       \
    }
#define RANGE(name, low_, high_, low_exclusive, high_exclusive)                                    \
    (&(bp_filter){ .struct_size = sizeof(bp_filter),                                               \
                   .op = BP_FILTER_RANGE,                                                          \
                   .field = BP_STR(name),                                                          \
                   .low = (low_),                                                                  \
                   .high = (high_),                                                                \
                   .is_low_exclusive = (low_exclusive),                                            \
                   .is_high_exclusive = (high_exclusive) })
#define PREFIX(name, s)                                                                            \
    (&(bp_filter){ .struct_size = sizeof(bp_filter),                                               \
                   .op = BP_FILTER_PREFIX,                                                         \
                   .field = BP_STR(name),                                                          \
                   .values = &(const bp_value)TEXT(s),                                             \
                   .value_count = 1 })
#define FIELD(op_, name)                                                                           \
    (&(bp_filter){ .struct_size = sizeof(bp_filter), .op = (op_), .field = BP_STR(name) })
#define NODE(op_, ...)                                                                             \
    (&(bp_filter){ .struct_size = sizeof(bp_filter),                                               \
                   .op = (op_),                                                                    \
                   .children = (const bp_filter *const[]){ __VA_ARGS__ },                          \
                   .child_count = sizeof((const bp_filter *const[]){ __VA_ARGS__ }) /              \
                                  sizeof(bp_filter *) })
#define NODE0(op_) (&(bp_filter){ .struct_size = sizeof(bp_filter), .op = (op_) })

#endif

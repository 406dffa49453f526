/* vector_crowd.c - the contract of vector.h for several collections, many points, and many workers
 * at one collection.
 *
 * A store may remember what it knows of a collection. These cases drop it behind the back of that
 * memory, give names that differ in one byte or in a byte that a path, a query or a C string would
 * end at, and let a sink keep what it was given.
 */
#include "vector_crowd.h"

enum { DIMENSIONS = 4, TEN_THOUSAND = 10000, KEPT = 600, ROUNDS = 12, DEPTH = 8 };

#define OPS(call, conform)  bp_vector_of(conform_peer(call, conform))
#define SELF(call, conform) (conform_peer(call, conform)->instance)
#define FIELD(op_, ...)                                                                            \
    {                                                                                              \
        .struct_size = sizeof(bp_filter), .op = op_, .field = { "n", 1 }, __VA_ARGS__              \
    }

static const float vector[DIMENSIONS] = { 0.5f, 0.5f, 0.5f, 0.5f };

static bp_str name_of(bp_call *call, const struct conform *conform, const char *rest)
{
    return bp_format(call, "%s-%s", conform->name, rest);
}

static bp_status create(bp_call *call, struct conform *conform, bp_str name)
{
    const bp_vector_schema schema = { .struct_size = sizeof(schema),
                                      .dimensions = DIMENSIONS,
                                      .metric = BP_COSINE,
                                      .model = BP_STR("contract-model"),
                                      .language = BP_STR("en") };

    return OPS(call, conform)->create(call, SELF(call, conform), name, &schema);
}

static bp_status drop(bp_call *call, struct conform *conform, bp_str name)
{
    return OPS(call, conform)->drop(call, SELF(call, conform), name);
}

static bp_status put(bp_call *call, struct conform *conform, bp_str name, uint64_t id,
                     const char *words)
{
    const bp_point point = { sizeof(point), 0, id, vector, bp_str_of(words), BP_STR("{\"n\":1}") };

    return bp_vector_upsert(call, conform_peer(call, conform), name, &point, 1);
}

static bp_status count_of(bp_call *call, struct conform *conform, bp_str name,
                          const bp_filter *filter, uint64_t *count)
{
    *count = UINT64_MAX;
    return OPS(call, conform)->count(call, SELF(call, conform), name, filter, count);
}

static bp_status search(bp_call *call, struct conform *conform, bp_str name, const char *words,
                        bp_leg *by_vector, bp_leg *by_words)
{
    const bp_vector_query query = { .struct_size = sizeof(query),
                                    .dimensions = DIMENSIONS,
                                    .collection = name,
                                    .vector = vector,
                                    .words = bp_str_of(words),
                                    .limit = 10 };

    return bp_vector_search(call, conform_peer(call, conform), &query, by_vector, by_words);
}

static bp_status pass_by(bp_call *call, void *self, const bp_point *point)
{
    (void)call, (void)self, (void)point;
    return BP_OK;
}

static bp_status scroll(bp_call *call, struct conform *conform, bp_str name, uint32_t limit,
                        const bp_point_sink *sink)
{
    const bp_point_sink blind = { sizeof(blind), pass_by, NULL };

    return OPS(call, conform)
        ->scroll(call, SELF(call, conform), name, NULL, 0, limit, sink ? sink : &blind);
}

static bp_status remove_one(bp_call *call, struct conform *conform, bp_str name, uint64_t id)
{
    return OPS(call, conform)->remove(call, SELF(call, conform), name, &id, 1, NULL, NULL);
}

/* ---- one after another ---- */

bp_status collections_do_not_see_each_other(bp_call *call, struct conform *conform)
{
    bp_str   one = name_of(call, conform, "one"), two = name_of(call, conform, "one.2");
    bp_leg   by_vector, by_words;
    uint64_t count;

    CONFORM_STATUS(call, create(call, conform, one), BP_OK);
    CONFORM_STATUS(call, create(call, conform, two), BP_OK);
    CONFORM_STATUS(call, put(call, conform, one, 7, "first"), BP_OK);
    CONFORM_STATUS(call, put(call, conform, two, 7, "second"), BP_OK);
    CONFORM_STATUS(call, search(call, conform, one, "second", &by_vector, &by_words), BP_OK);
    CONFORM_THAT(call, by_vector.hit_count == 1 && by_words.hit_count == 0,
                 "a collection finds %u by vector and %u by words of its one point and of another "
                 "collection's",
                 by_vector.hit_count, by_words.hit_count);
    CONFORM_STATUS(call, remove_one(call, conform, one, 7), BP_OK);
    CONFORM_STATUS(call, count_of(call, conform, two, NULL, &count), BP_OK);
    CONFORM_THAT(call, count == 1, "deleting a point of one collection left %llu in another",
                 (unsigned long long)count);
    CONFORM_STATUS(call, drop(call, conform, two), BP_OK);
    CONFORM_STATUS(call, create(call, conform, two), BP_OK);
    CONFORM_STATUS(call, count_of(call, conform, two, NULL, &count), BP_OK);
    CONFORM_STATUS(call, search(call, conform, two, "second", &by_vector, &by_words), BP_OK);
    CONFORM_THAT(call, count == 0 && by_vector.hit_count == 0 && by_words.hit_count == 0,
                 "a collection dropped and made again has %llu points", (unsigned long long)count);
    CONFORM_STATUS(call, drop(call, conform, one), BP_OK);
    CONFORM_STATUS(call, drop(call, conform, two), BP_OK);
    return BP_OK;
}

/* Names end at no NUL, slash, question mark or dots; and what to delete must be said. */
bp_status what_names_nothing_finds_and_deletes_nothing(bp_call *call, struct conform *conform)
{
    bp_str   name = name_of(call, conform, "real");
    bp_leg   by_vector, by_words;
    uint64_t count;
    bp_str   others[] = { bp_format(call, BP_FMT "_", BP_ARG(name)),
                          bp_format(call, BP_FMT "?", BP_ARG(name)),
                          bp_format(call, BP_FMT "/", BP_ARG(name)),
                          bp_format(call, "../collections/" BP_FMT, BP_ARG(name)),
                          bp_format(call, BP_FMT "#", BP_ARG(name)),
                          bp_format(call, "%%" BP_FMT, BP_ARG(name)),
                          bp_str_n("", 0) };

    CONFORM_STATUS(call, create(call, conform, name), BP_OK);
    CONFORM_STATUS(call, put(call, conform, name, 1, "words"), BP_OK);
    others[0] = bp_dup(call, others[0]);
    ((char *)(uintptr_t)others[0].data)[others[0].len - 1] = '\0';
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        bp_status found[] = { search(call, conform, others[i], "words", &by_vector, &by_words),
                              count_of(call, conform, others[i], NULL, &count),
                              scroll(call, conform, others[i], 10, NULL),
                              put(call, conform, others[i], 2, "words"),
                              remove_one(call, conform, others[i], 1),
                              drop(call, conform, others[i]) };

        for (size_t n = 0; n < sizeof(found) / sizeof(found[0]); n++)
            CONFORM_THAT(call, found[n] == BP_NOT_FOUND || found[n] == BP_INVALID,
                         "operation %zu on the name %zu that no collection can have ended with %s",
                         n, i, bp_status_text(found[n]));
        CONFORM_STATUS(call, create(call, conform, others[i]), BP_INVALID);
    }
    CONFORM_STATUS(call,
                   OPS(call, conform)->remove(call, SELF(call, conform), name, NULL, 0, NULL, NULL),
                   BP_INVALID);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->remove(call, SELF(call, conform), name, (const uint64_t[]){ 0 }, 0, NULL,
                                NULL),
                   BP_OK);
    CONFORM_STATUS(call, scroll(call, conform, name, 0, NULL), BP_INVALID);
    CONFORM_STATUS(call, scroll(call, conform, name, 10001, NULL), BP_INVALID);
    CONFORM_STATUS(call, count_of(call, conform, name, NULL, &count), BP_OK);
    CONFORM_THAT(call, count == 1, "%llu points are left of one that nobody deleted",
                 (unsigned long long)count);
    CONFORM_STATUS(call, drop(call, conform, name), BP_OK);
    return BP_OK;
}

/* n in [1] within ands and ors, `depth` deep. */
static const bp_filter *nested(bp_call *call, int depth)
{
    static const bp_value  one[] = { { .type = BP_VALUE_NUMBER, .number = 1 } };
    static const bp_filter leaf = FIELD(BP_FILTER_IN, .values = one, .value_count = 1);
    const bp_filter       *inner = &leaf;

    for (int i = 1; i < depth; i++) {
        const bp_filter **children = BP_NEW_ARRAY(call, const bp_filter *, 1);
        bp_filter        *outer = BP_NEW(call, bp_filter);

        if (!outer || !children)
            return NULL;
        children[0] = inner;
        *outer = (bp_filter){ .struct_size = sizeof(*outer),
                              .op = i % 2 ? BP_FILTER_AND : BP_FILTER_OR,
                              .children = children,
                              .child_count = 1 };
        inner = outer;
    }
    return inner;
}

bp_status ten_thousand_points_are_one_write(bp_call *call, struct conform *conform)
{
    bp_point *points = BP_NEW_ARRAY(call, bp_point, TEN_THOUSAND + 1);
    bp_str    name = name_of(call, conform, "tenthousand");
    uint64_t  count, removed = 0;

    if (!points)
        return BP_NO_MEMORY;
    CONFORM_STATUS(call, create(call, conform, name), BP_OK);
    for (uint64_t i = 0; i <= TEN_THOUSAND; i++)
        points[i] = (bp_point){ sizeof(bp_point),
                                0,
                                i + 1,
                                vector,
                                BP_STR("ten thousand"),
                                i % 2 ? BP_STR("{\"n\":1}") : BP_STR("{\"n\":2}") };
    CONFORM_THAT(call,
                 bp_vector_upsert(call, conform_peer(call, conform), name, points,
                                  TEN_THOUSAND + 1) != BP_OK,
                 "10,001 points were taken at once");
    CONFORM_STATUS(call, count_of(call, conform, name, NULL, &count), BP_OK);
    CONFORM_THAT(call, count == 0, "of a refused write %llu points are there",
                 (unsigned long long)count);
    CONFORM_STATUS(call,
                   bp_vector_upsert(call, conform_peer(call, conform), name, points, TEN_THOUSAND),
                   BP_OK);
    CONFORM_STATUS(call, count_of(call, conform, name, nested(call, DEPTH), &count), BP_OK);
    CONFORM_THAT(call, count == TEN_THOUSAND / 2, "a filter of depth %d counts %llu of %d points",
                 DEPTH, (unsigned long long)count, TEN_THOUSAND / 2);
    CONFORM_STATUS(call, count_of(call, conform, name, nested(call, DEPTH + 1), &count),
                   BP_INVALID);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->remove(call, SELF(call, conform), name, NULL, 0, nested(call, 1),
                                &removed),
                   BP_OK);
    CONFORM_THAT(call, removed == TEN_THOUSAND / 2, "a filter that selects %d points removed %llu",
                 TEN_THOUSAND / 2, (unsigned long long)removed);
    CONFORM_STATUS(call, count_of(call, conform, name, NULL, &count), BP_OK);
    CONFORM_THAT(call, count == TEN_THOUSAND / 2, "%llu points are left",
                 (unsigned long long)count);
    CONFORM_STATUS(call, drop(call, conform, name), BP_OK);
    return BP_OK;
}

/* ---- a sink that keeps ---- */

struct keeper {
    bp_str words[KEPT];
    size_t count;
};

static bp_status keep(bp_call *call, void *self, const bp_point *point)
{
    struct keeper *keeper = self;

    if (keeper->count == KEPT)
        return bp_fail(call, BP_INTERNAL, "a scroll gives more points than there are");
    keeper->words[keeper->count++] = bp_dup(call, point->words);
    return BP_OK;
}

bp_status what_a_sink_keeps_stays(bp_call *call, struct conform *conform)
{
    bp_point           *points = BP_NEW_ARRAY(call, bp_point, KEPT);
    struct keeper      *keeper = BP_NEW(call, struct keeper);
    const bp_point_sink sink = { sizeof(sink), keep, keeper };
    bp_str              name = name_of(call, conform, "kept");

    if (!points || !keeper)
        return BP_NO_MEMORY;
    CONFORM_STATUS(call, create(call, conform, name), BP_OK);
    for (uint64_t i = 0; i < KEPT; i++)
        points[i] = (bp_point){ sizeof(bp_point),
                                0,
                                i + 1,
                                vector,
                                bp_format(call, "passage number %llu", (unsigned long long)i),
                                BP_STR("{\"n\":1}") };
    CONFORM_STATUS(call, bp_vector_upsert(call, conform_peer(call, conform), name, points, KEPT),
                   BP_OK);
    CONFORM_STATUS(call, scroll(call, conform, name, KEPT, &sink), BP_OK);
    CONFORM_THAT(call, keeper->count == KEPT, "a scroll gives %zu of %d points", keeper->count,
                 KEPT);
    for (size_t i = 0; i < KEPT;
         i++) // memory of the first pages must not have been given to the last ones
        CONFORM_THAT(call, bp_str_equal(keeper->words[i], points[i].words),
                     "what a sink kept of point %zu in the call's memory is another text now",
                     i + 1);
    CONFORM_STATUS(call, drop(call, conform, name), BP_OK);
    return BP_OK;
}

/* ---- every worker ---- */

/* Waits until all workers have come to place `at`. */
static bp_status meet(bp_call *call, struct conform *conform, size_t at)
{
    conform->counters[at]++;
    while (conform->counters[at] < (int64_t)conform->workers)
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(2)));
    return BP_OK;
}

static bp_status everything_says(bp_call *call, struct conform *conform, bp_str name,
                                 bp_status wanted)
{
    bp_leg   by_vector, by_words;
    uint64_t count;

    CONFORM_STATUS(call, count_of(call, conform, name, NULL, &count), wanted);
    CONFORM_STATUS(call, search(call, conform, name, "words", &by_vector, &by_words), wanted);
    CONFORM_STATUS(call, scroll(call, conform, name, 10, NULL), wanted);
    CONFORM_STATUS(call, remove_one(call, conform, name, 1000), wanted);
    CONFORM_STATUS(call, put(call, conform, name, 100 + bp_worker_index(call), "words"), wanted);
    return BP_OK;
}

bp_status a_dropped_collection_is_gone_for_every_worker(bp_call *call, struct conform *conform)
{
    bp_str   name = name_of(call, conform, "gone");
    uint32_t worker = bp_worker_index(call);
    uint64_t count;

    CONFORM_STATUS(call, create(call, conform, name), BP_OK);
    BP_TRY(everything_says(call, conform, name, BP_OK));
    BP_TRY(meet(call, conform, 0));
    if (worker == 0)
        CONFORM_STATUS(call, drop(call, conform, name), BP_OK);
    BP_TRY(meet(call, conform, 1));
    BP_TRY(everything_says(call, conform, name, BP_NOT_FOUND));
    BP_TRY(meet(call, conform, 2));
    if (worker == 0)
        CONFORM_STATUS(call, create(call, conform, name), BP_OK);
    BP_TRY(meet(call, conform, 3));
    CONFORM_STATUS(call, count_of(call, conform, name, NULL, &count), BP_OK);
    BP_TRY(meet(call, conform, 4));
    BP_TRY(everything_says(call, conform, name, BP_OK));
    BP_TRY(meet(call, conform, 5));
    if (worker == 0) { // and made again while the others still know the old one
        CONFORM_STATUS(call, drop(call, conform, name), BP_OK);
        CONFORM_STATUS(call, create(call, conform, name), BP_OK);
    }
    BP_TRY(meet(call, conform, 6));
    CONFORM_STATUS(call, count_of(call, conform, name, NULL, &count), BP_OK);
    CONFORM_THAT(call, count <= conform->workers, "a collection made again has %llu points",
                 (unsigned long long)count);
    BP_TRY(everything_says(call, conform, name, BP_OK));
    BP_TRY(meet(call, conform, 7));
    if (worker == 0)
        CONFORM_STATUS(call, drop(call, conform, name), BP_OK);
    return BP_OK;
}

#define EITHER(call, expression)                                                                   \
    do {                                                                                           \
        bp_status either_ = (expression);                                                          \
        if (either_ != BP_NOT_FOUND)                                                               \
            CONFORM_STATUS(call, either_, BP_OK);                                                  \
    } while (0)

/* Each step may find the collection dropped by another worker, but nothing may fail in another way.
 */
bp_status workers_make_fill_and_drop_one_collection(bp_call *call, struct conform *conform)
{
    bp_str   name = name_of(call, conform, "crowd");
    uint64_t count, worker = bp_worker_index(call);
    bp_leg   by_vector, by_words;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        CONFORM_STATUS(call, create(call, conform, name), BP_OK);
        EITHER(call, put(call, conform, name, round * 100 + worker + 1, "crowded words"));
        EITHER(call, search(call, conform, name, "words", &by_vector, &by_words));
        EITHER(call, count_of(call, conform, name, NULL, &count));
        EITHER(call, remove_one(call, conform, name, round * 100 + worker + 1));
        if (round % 3 == worker % 3)
            EITHER(call, drop(call, conform, name));
    }
    BP_TRY(meet(call, conform, 0));
    if (worker != 0)
        return BP_OK;
    CONFORM_STATUS(call, create(call, conform, name), BP_OK);
    CONFORM_STATUS(call, put(call, conform, name, 1, "words"), BP_OK);
    {
        const bp_vector_info *infos;
        size_t                listed = 0, all;

        CONFORM_STATUS(call, OPS(call, conform)->list(call, SELF(call, conform), &infos, &all),
                       BP_OK);
        for (size_t i = 0; i < all; i++)
            listed += bp_str_equal(infos[i].name, name);
        CONFORM_THAT(call, listed == 1,
                     "a collection made and dropped by all workers is listed %zu times", listed);
    }
    CONFORM_STATUS(call, drop(call, conform, name), BP_OK);
    CONFORM_STATUS(call, count_of(call, conform, name, NULL, &count), BP_NOT_FOUND);
    return BP_OK;
}

/* vector_contract.c - the contract of vector.h and filter.h.
 *
 * It has over 1,000 lines because its cases share one set of points, with the answers that are
 * worked out for it.
 */
#include "vector_crowd.h"

#include <math.h>

enum { DIMENSIONS = 8, POINTS = 60, MANY = 3000, WORKER_POINTS = 40 };

#define OPS(call, conform)  bp_vector_of(conform_peer(call, conform))
#define SELF(call, conform) (conform_peer(call, conform)->instance)

static bp_str name_of(bp_call *call, const struct conform *conform, const char *rest)
{
    return bp_format(call, "%s-%s", conform->name, rest);
}

static bp_status create(bp_call *call, struct conform *conform, const char *rest,
                        bp_metric_kind metric, const char *language)
{
    bp_vector_schema schema = { .struct_size = sizeof(schema),
                                .dimensions = DIMENSIONS,
                                .metric = metric,
                                .model = BP_STR("contract-model"),
                                .language = bp_str_of(language) };

    return OPS(call, conform)
        ->create(call, SELF(call, conform), name_of(call, conform, rest), &schema);
}

static bp_status drop(bp_call *call, struct conform *conform, const char *rest)
{
    return OPS(call, conform)->drop(call, SELF(call, conform), name_of(call, conform, rest));
}

static bp_status put(bp_call *call, struct conform *conform, const char *rest,
                     const bp_point *points, size_t count)
{
    return bp_vector_upsert(call, conform_peer(call, conform), name_of(call, conform, rest), points,
                            count);
}

static bp_status put_one(bp_call *call, struct conform *conform, const char *rest, uint64_t id,
                         const float *vector, bp_str words, bp_str metadata)
{
    bp_point point = { sizeof(point), 0, id, vector, words, metadata };

    return put(call, conform, rest, &point, 1);
}

struct legs {
    bp_leg vector, words;
};

static bp_status search(bp_call *call, struct conform *conform, const char *rest,
                        const float *vector, const char *words, const bp_filter *filter,
                        uint32_t limit, struct legs *legs)
{
    bp_vector_query query = { .struct_size = sizeof(query),
                              .dimensions = DIMENSIONS,
                              .collection = name_of(call, conform, rest),
                              .vector = vector,
                              .words = bp_str_of(words),
                              .filter = filter,
                              .limit = limit,
                              .effort = 400 };

    return bp_vector_search(call, conform_peer(call, conform), &query, &legs->vector, &legs->words);
}

static bp_status count_of(bp_call *call, struct conform *conform, const char *rest,
                          const bp_filter *filter, uint64_t *count)
{
    return OPS(call, conform)
        ->count(call, SELF(call, conform), name_of(call, conform, rest), filter, count);
}

/* Vectors that look random and are the same in every run. */
static void fill(float *vector, uint32_t seed)
{
    for (int i = 0; i < DIMENSIONS; i++) {
        seed = seed * 1664525u + 1013904223u;
        vector[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
}

static double nearness(bp_metric_kind metric, const float *a, const float *b)
{
    double product = 0, aa = 0, bb = 0, distance = 0;

    for (int i = 0; i < DIMENSIONS; i++) {
        product += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
        distance += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    return metric == BP_COSINE          ? product / sqrt(aa * bb)
           : metric == BP_INNER_PRODUCT ? product
                                        : -sqrt(distance);
}

/* ---- collections ---- */

static bool is_before(bp_str a, bp_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int    order = len ? memcmp(a.data, b.data, len) : 0;

    return order < 0 || (order == 0 && a.len < b.len);
}

static bp_status collections_are_made_listed_and_dropped(bp_call *call, struct conform *conform)
{
    const bp_vector_info *infos;
    bp_vector_schema      other = { .struct_size = sizeof(other),
                                    .dimensions = DIMENSIONS + 1,
                                    .metric = BP_COSINE,
                                    .model = BP_STR("contract-model"),
                                    .language = BP_STR("en") };
    size_t                count, found = 0;
    struct legs           legs;
    float                 vector[DIMENSIONS];

    fill(vector, 1);
    CONFORM_STATUS(call, create(call, conform, "made", BP_COSINE, "en"), BP_OK);
    CONFORM_STATUS(call, create(call, conform, "made", BP_COSINE, "en"), BP_OK);
    CONFORM_STATUS(call, create(call, conform, "made", BP_L2, "en"), BP_CONFLICT);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->create(call, SELF(call, conform), name_of(call, conform, "made"), &other),
                   BP_CONFLICT);
    CONFORM_STATUS(call, create(call, conform, "Made.Of_both-2", BP_L2, "de"), BP_OK);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->create(call, SELF(call, conform), BP_STR("no/such name"), &other),
                   BP_INVALID);
    CONFORM_STATUS(call, OPS(call, conform)->list(call, SELF(call, conform), &infos, &count),
                   BP_OK);
    for (size_t i = 0; i < count; i++) {
        CONFORM_THAT(call, i == 0 || is_before(infos[i - 1].name, infos[i].name),
                     "the list is not sorted by name");
        if (!bp_str_equal(infos[i].name, name_of(call, conform, "Made.Of_both-2")))
            continue;
        found++;
        CONFORM_THAT(call,
                     infos[i].dimensions == DIMENSIONS && infos[i].metric == BP_L2 &&
                         bp_str_is(infos[i].model, "contract-model") &&
                         bp_str_is(infos[i].language, "de") && infos[i].count == 0,
                     "a new collection is listed with %u dimensions, metric %u, model " BP_FMT
                     ", language " BP_FMT ", %llu points",
                     infos[i].dimensions, infos[i].metric, BP_ARG(infos[i].model),
                     BP_ARG(infos[i].language), (unsigned long long)infos[i].count);
    }
    CONFORM_THAT(call, found == 1, "a new collection is listed %zu times", found);
    CONFORM_STATUS(call, search(call, conform, "made", vector, "anything", NULL, 10, &legs), BP_OK);
    CONFORM_THAT(call, legs.vector.hit_count + legs.words.hit_count == 0,
                 "an empty collection has hits");
    CONFORM_STATUS(call, drop(call, conform, "made"), BP_OK);
    CONFORM_STATUS(call, drop(call, conform, "Made.Of_both-2"), BP_OK);
    CONFORM_STATUS(call, drop(call, conform, "made"), BP_NOT_FOUND);
    CONFORM_STATUS(call, search(call, conform, "made", vector, "", NULL, 10, &legs), BP_NOT_FOUND);
    CONFORM_STATUS(call, put_one(call, conform, "made", 1, vector, BP_STR("x"), BP_STR("{}")),
                   BP_NOT_FOUND);
    return BP_OK;
}

static bp_status create_for(bp_call *call, struct conform *conform, const char *owner)
{
    bp_vector_schema schema = { .struct_size = sizeof(schema),
                                .dimensions = DIMENSIONS,
                                .metric = BP_COSINE,
                                .model = BP_STR("contract-model"),
                                .language = BP_STR("en"),
                                .owner = bp_str_of(owner) };

    return OPS(call, conform)
        ->create(call, SELF(call, conform), name_of(call, conform, "owned"), &schema);
}

static bp_status owner_is(bp_call *call, struct conform *conform, const char *owner)
{
    bp_str found;

    CONFORM_STATUS(call,
                   bp_vector_owner_of(call, conform_peer(call, conform),
                                      name_of(call, conform, "owned"), &found),
                   BP_OK);
    CONFORM_THAT(call, bp_str_is(found, owner),
                 "the owner is \"" BP_FMT "\" where it should be \"%s\"", BP_ARG(found), owner);
    return BP_OK;
}

/* A store that keeps no marks has nothing to prove. */
static bp_status a_collection_has_one_owner(bp_call *call, struct conform *conform)
{
    bp_str found;

    CONFORM_STATUS(call, create_for(call, conform, "deployment-1"), BP_OK);
    CONFORM_STATUS(call,
                   bp_vector_owner_of(call, conform_peer(call, conform),
                                      name_of(call, conform, "owned"), &found),
                   BP_OK);
    if (!found.len) {
        CONFORM_STATUS(call, drop(call, conform, "owned"), BP_OK);
        return conform_skip(call, "the store keeps no owners of collections");
    }
    BP_TRY(owner_is(call, conform, "deployment-1"));
    CONFORM_STATUS(call, create_for(call, conform, "deployment-1"), BP_OK);
    CONFORM_STATUS(call, create_for(call, conform, "deployment-2"), BP_CONFLICT);
    CONFORM_THAT(call, bp_error_of(call)->message.len > 0, "the refusal has no sentence");
    CONFORM_STATUS(call, create_for(call, conform, ""), BP_CONFLICT);
    BP_TRY(owner_is(call, conform, "deployment-1"));
    CONFORM_STATUS(call, drop(call, conform, "owned"), BP_OK);
    // One without a mark becomes the first one's who names himself.
    CONFORM_STATUS(call, create_for(call, conform, ""), BP_OK);
    BP_TRY(owner_is(call, conform, ""));
    CONFORM_STATUS(call, create_for(call, conform, "deployment-2"), BP_OK);
    BP_TRY(owner_is(call, conform, "deployment-2"));
    CONFORM_STATUS(call, create_for(call, conform, "deployment-1"), BP_CONFLICT);
    CONFORM_STATUS(call, create_for(call, conform, "deployment-2"), BP_OK);
    CONFORM_STATUS(call, create_for(call, conform, "no/owner"), BP_INVALID);
    CONFORM_STATUS(call, drop(call, conform, "owned"), BP_OK);
    return BP_OK;
}

/* ---- vectors ---- */

static bp_status ranks_by(bp_call *call, struct conform *conform, bp_metric_kind metric)
{
    bp_point *points = BP_NEW_ARRAY(call, bp_point, POINTS);
    float    *vectors = BP_NEW_ARRAY(call, float, (POINTS + 1) * DIMENSIONS), *query;

    if (!points || !vectors)
        return BP_NO_MEMORY;
    for (uint32_t i = 0; i < POINTS; i++) {
        fill(vectors + i * DIMENSIONS, i + 1);
        points[i] = (bp_point){ sizeof(bp_point),         0,          i + 1,
                                vectors + i * DIMENSIONS, BP_STR(""), BP_STR("{}") };
    }
    memcpy(vectors + DIMENSIONS * 4, vectors + DIMENSIONS * 9,
           DIMENSIONS * sizeof(float)); // a tie: 5 and 10
    CONFORM_STATUS(call, create(call, conform, "ranked", metric, "en"), BP_OK);
    CONFORM_STATUS(call, put(call, conform, "ranked", points, POINTS), BP_OK);
    query = vectors + POINTS * DIMENSIONS;
    for (uint32_t q = 0; q < 5; q++) {
        struct legs legs;

        fill(query, 7000 + q);
        if (q == 0)
            memcpy(query, vectors + DIMENSIONS * 4, DIMENSIONS * sizeof(float));
        CONFORM_STATUS(call, search(call, conform, "ranked", query, "", NULL, POINTS, &legs),
                       BP_OK);
        CONFORM_THAT(call, legs.vector.hit_count == POINTS && legs.words.hit_count == 0,
                     "%u of %d points came back, and %u by words", legs.vector.hit_count, POINTS,
                     legs.words.hit_count);
        for (uint32_t i = 0; i < POINTS; i++) {
            const bp_hit *hit = &legs.vector.hits[i];
            double        wanted;

            CONFORM_THAT(call, hit->id >= 1 && hit->id <= POINTS, "a hit has the id %llu",
                         (unsigned long long)hit->id);
            wanted = nearness(metric, query, vectors + (hit->id - 1) * DIMENSIONS);
            CONFORM_THAT(call, fabs(hit->score - wanted) < 2e-3 * (1 + fabs(wanted)),
                         "point %llu has the score %g instead of %g", (unsigned long long)hit->id,
                         hit->score, wanted);
            CONFORM_THAT(call,
                         i == 0 || hit[-1].score > hit->score ||
                             (hit[-1].score == hit->score && hit[-1].id < hit->id),
                         "hits are not sorted: %llu (%g) before %llu (%g)",
                         (unsigned long long)hit[-1].id, hit[-1].score, (unsigned long long)hit->id,
                         hit->score);
        }
        CONFORM_THAT(call,
                     q || (legs.vector.hits[0].id == 5 && legs.vector.hits[1].id == 10) ||
                         metric == BP_INNER_PRODUCT,
                     "the nearest to itself are %llu and %llu, not 5 and 10",
                     (unsigned long long)legs.vector.hits[0].id,
                     (unsigned long long)legs.vector.hits[1].id);
        CONFORM_STATUS(call, search(call, conform, "ranked", query, "", NULL, 3, &legs), BP_OK);
        CONFORM_THAT(call, legs.vector.hit_count == 3, "3 hits were asked for, %u came",
                     legs.vector.hit_count);
    }
    CONFORM_STATUS(call, drop(call, conform, "ranked"), BP_OK);
    return BP_OK;
}

static bp_status the_nearest_come_first(bp_call *call, struct conform *conform)
{
    BP_TRY(ranks_by(call, conform, BP_COSINE));
    BP_TRY(ranks_by(call, conform, BP_INNER_PRODUCT));
    return ranks_by(call, conform, BP_L2);
}

static bp_status what_does_not_fit_is_refused(bp_call *call, struct conform *conform)
{
    float       vector[DIMENSIONS], zero[DIMENSIONS] = { 0 };
    struct legs legs;
    uint64_t    count;

    fill(vector, 3);
    CONFORM_STATUS(call, create(call, conform, "strict", BP_COSINE, "en"), BP_OK);
    CONFORM_STATUS(call, put_one(call, conform, "strict", 1, zero, BP_STR("x"), BP_STR("{}")),
                   BP_INVALID);
    zero[3] = NAN;
    CONFORM_STATUS(call, put_one(call, conform, "strict", 1, zero, BP_STR("x"), BP_STR("{}")),
                   BP_INVALID);
    CONFORM_STATUS(call, search(call, conform, "strict", zero, "", NULL, 3, &legs), BP_INVALID);
    CONFORM_STATUS(call, put_one(call, conform, "strict", 0, vector, BP_STR("x"), BP_STR("{}")),
                   BP_INVALID);
    CONFORM_STATUS(call,
                   put_one(call, conform, "strict", UINT64_C(1) << 63, vector, BP_STR("x"),
                           BP_STR("{}")),
                   BP_INVALID);
    CONFORM_STATUS(call,
                   put_one(call, conform, "strict", 1, vector, BP_STR("x"), BP_STR("{\"a\":{}}")),
                   BP_INVALID);
    CONFORM_STATUS(call, put_one(call, conform, "strict", 1, vector, BP_STR("x"), BP_STR("[1]")),
                   BP_INVALID);
    CONFORM_STATUS(call, put_one(call, conform, "strict", 1, vector, BP_STR("x"), BP_STR("{\"a\"")),
                   BP_INVALID);
    CONFORM_STATUS(call,
                   put_one(call, conform, "strict", 1, vector, BP_STR("x"), BP_STR("{\"a\":null}")),
                   BP_INVALID);
    CONFORM_STATUS(call,
                   put_one(call, conform, "strict", 1, vector, BP_STR("x"),
                           BP_STR("{\"a\":[1,null]}")),
                   BP_INVALID);
    CONFORM_STATUS(call,
                   put_one(call, conform, "strict", 1, vector, BP_STR("x"),
                           BP_STR("{\"a\":\"b\\u0000\"}")),
                   BP_INVALID);
    CONFORM_STATUS(call, put_one(call, conform, "strict", 1, vector, BP_STR("x\0y"), BP_STR("{}")),
                   BP_INVALID);
    CONFORM_STATUS(call, put_one(call, conform, "strict", 1, vector, BP_STR("x\xff"), BP_STR("{}")),
                   BP_INVALID);
    CONFORM_STATUS(call, search(call, conform, "strict", vector, "", NULL, 0, &legs), BP_INVALID);
    CONFORM_STATUS(call, search(call, conform, "strict", vector, "", NULL, 10001, &legs),
                   BP_INVALID);
    CONFORM_STATUS(call, count_of(call, conform, "strict", NULL, &count), BP_OK);
    CONFORM_THAT(call, count == 0, "%llu points are there, all of which were refused",
                 (unsigned long long)count);
    CONFORM_STATUS(call,
                   put_one(call, conform, "strict", (UINT64_C(1) << 63) - 1, vector, BP_STR("x"),
                           BP_STR("{}")),
                   BP_OK);
    CONFORM_STATUS(call, search(call, conform, "strict", vector, "x", NULL, 3, &legs), BP_OK);
    CONFORM_THAT(call,
                 legs.vector.hit_count == 1 && legs.vector.hits[0].id == (UINT64_C(1) << 63) - 1 &&
                     legs.words.hit_count == 1 && legs.words.hits[0].id == (UINT64_C(1) << 63) - 1,
                 "the greatest id is not found");
    CONFORM_STATUS(call, drop(call, conform, "strict"), BP_OK);
    return BP_OK;
}

/* ---- words ---- */

static bp_status words_rank_passages(bp_call *call, struct conform *conform)
{
    static const char *const passages[] = {
        "The retry header is given in seconds.",
        "A header without a value. Retry later, retry again, retry.",
        "Nothing of the kind stands here, only other words about databases.",
        "Größe und naïve cafés",
        "RETRY",
        "the of and",
    };
    struct legs legs;
    float       vector[DIMENSIONS];

    fill(vector, 3);
    CONFORM_STATUS(call, create(call, conform, "words", BP_COSINE, "en"), BP_OK);
    for (uint64_t i = 0; i < 6; i++)
        CONFORM_STATUS(call,
                       put_one(call, conform, "words", i + 1, i == 4 ? NULL : vector,
                               bp_str_of(passages[i]), BP_STR("{}")),
                       BP_OK);
    for (uint64_t i = 7; i <= 20; i++)
        CONFORM_STATUS(call,
                       put_one(call, conform, "words", i, vector,
                               BP_STR("an entirely different passage"), BP_STR("{}")),
                       BP_OK);
    CONFORM_STATUS(call, search(call, conform, "words", NULL, "retry", NULL, 10, &legs), BP_OK);
    CONFORM_THAT(call, legs.words.hit_count == 3 && legs.vector.hit_count == 0,
                 "\"retry\" finds %u passages instead of 3", legs.words.hit_count);
    for (uint32_t i = 0; i < 3; i++)
        CONFORM_THAT(call,
                     legs.words.hits[i].score > 0 &&
                         (i == 0 || legs.words.hits[i].score <= legs.words.hits[i - 1].score),
                     "hit %u of \"retry\" has the score %g", i, legs.words.hits[i].score);
    CONFORM_STATUS(call, search(call, conform, "words", NULL, "databases", NULL, 10, &legs), BP_OK);
    CONFORM_THAT(call, legs.words.hit_count >= 1 && legs.words.hits[0].id == 3,
                 "\"databases\" finds passage %llu first instead of 3",
                 legs.words.hit_count ? (unsigned long long)legs.words.hits[0].id : 0);
    CONFORM_STATUS(call,
                   search(call, conform, "words", NULL, "CAFE grosse GRÖSSE größe", NULL, 10,
                          &legs),
                   BP_OK);
    CONFORM_THAT(call, legs.words.hit_count == 1 && legs.words.hits[0].id == 4,
                 "case and accents matter: %u hits", legs.words.hit_count);
    CONFORM_STATUS(call,
                   search(call, conform, "words", NULL,
                          "\"retry\" AND NOT (x OR *) NEAR/2 a:b -c %_'--", NULL, 10, &legs),
                   BP_OK);
    CONFORM_STATUS(call, search(call, conform, "words", NULL, "?!", NULL, 10, &legs), BP_OK);
    CONFORM_THAT(call, legs.words.hit_count == 0, "punctuation finds %u passages",
                 legs.words.hit_count);
    CONFORM_STATUS(call, search(call, conform, "words", vector, "", NULL, 100, &legs), BP_OK);
    CONFORM_THAT(call, legs.vector.hit_count == 19, "the point without a vector is among %u hits",
                 legs.vector.hit_count);
    CONFORM_STATUS(call,
                   put_one(call, conform, "words", 1, vector, BP_STR("replaced"), BP_STR("{}")),
                   BP_OK);
    CONFORM_STATUS(call, search(call, conform, "words", NULL, "retry", NULL, 10, &legs), BP_OK);
    CONFORM_THAT(call, legs.words.hit_count == 2, "the old words of a point are still found");
    CONFORM_STATUS(call, drop(call, conform, "words"), BP_OK);
    return BP_OK;
}

/* ---- filters ---- */

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .type = BP_VALUE_STRING, .text = { s, sizeof(s) - 1 }                                      \
    }
#define NUMBER(n)                                                                                  \
    {                                                                                              \
        .type = BP_VALUE_NUMBER, .number = n                                                       \
    }
#define BOOL(b)                                                                                    \
    {                                                                                              \
        .type = BP_VALUE_BOOL, .number = b                                                         \
    }
#define LEAF(op_, field_, ...)                                                                     \
    {                                                                                              \
        .struct_size = sizeof(bp_filter), .op = op_, .field = { field_, sizeof(field_) - 1 },      \
        __VA_ARGS__                                                                                \
    }
#define VALUES(...)                                                                                \
    .values = (const bp_value[]){ __VA_ARGS__ },                                                   \
    .value_count = sizeof((const bp_value[]){ __VA_ARGS__ }) / sizeof(bp_value)
#define NODE(op_, ...)                                                                             \
    {                                                                                              \
        .struct_size = sizeof(bp_filter), .op = op_,                                               \
        .children = (const bp_filter *const[]){ __VA_ARGS__ },                                     \
        .child_count = sizeof((const bp_filter *const[]){ __VA_ARGS__ }) / sizeof(void *)          \
    }

static const char *const filtered[] = {
    "{\"lang\":\"en\",\"year\":2020,\"tags\":[\"new\",\"hot\"],\"done\":true}",       /* 1 */
    "{\"lang\":\"de\",\"year\":2024.5,\"tags\":[],\"done\":false}",                   /* 2 */
    "{\"lang\":\"en-GB\",\"year\":2021,\"tags\":[\"old\"]}",                          /* 3 */
    "{\"lang\":7,\"year\":\"2020\",\"done\":\"true\"}",                               /* 4 */
    "{}",                                                                             /* 5 */
    "{\"lang\":\"\",\"year\":[1999,2030],\"odd-name.x\":\"a'b\\\"c\\\\%_*?[]{}|&\"}", /* 6 */
    "{\"lang\":\"\xc3\xbc\xf0\x9f\x99\x82\",\"year\":-3e5,\"done\":[true,false]}",    /* 7 */
};
enum { FILTERED = sizeof(filtered) / sizeof(filtered[0]) };

static const bp_filter is_en = LEAF(BP_FILTER_IN, "lang", VALUES(TEXT("en")));
static const bp_filter is_de_or_seven = LEAF(BP_FILTER_IN, "lang", VALUES(TEXT("de"), NUMBER(7)));
static const bp_filter is_2020 = LEAF(BP_FILTER_IN, "year", VALUES(NUMBER(2020)));
static const bp_filter is_done = LEAF(BP_FILTER_IN, "done", VALUES(BOOL(1)));
static const bp_filter is_hot = LEAF(BP_FILTER_IN, "tags", VALUES(TEXT("hot"), TEXT("old")));
static const bp_filter is_late = LEAF(BP_FILTER_RANGE, "year", .low = 2021, .high = INFINITY);
static const bp_filter is_later = LEAF(BP_FILTER_RANGE, "year", .low = 2021, .high = INFINITY,
                                       .is_low_exclusive = true);
static const bp_filter is_early = LEAF(BP_FILTER_RANGE, "year", .low = -INFINITY, .high = 2020,
                                       .is_high_exclusive = true);
static const bp_filter begins_with_en = LEAF(BP_FILTER_PREFIX, "lang", VALUES(TEXT("en")));
static const bp_filter has_tags = LEAF(BP_FILTER_EXISTS, "tags", .value_count = 0);
static const bp_filter has_no_done = LEAF(BP_FILTER_NOT_EXISTS, "done", .value_count = 0);
static const bp_filter is_odd = LEAF(BP_FILTER_IN, "odd-name.x",
                                     VALUES(TEXT("a'b\"c\\%_*?[]{}|&")));
static const bp_filter begins_oddly = LEAF(BP_FILTER_PREFIX, "odd-name.x",
                                           VALUES(TEXT("a'b\"c\\%")));
static const bp_filter is_unicode = LEAF(BP_FILTER_IN, "lang",
                                         VALUES(TEXT("\xc3\xbc\xf0\x9f\x99\x82")));
static const bp_filter is_empty_text = LEAF(BP_FILTER_IN, "lang", VALUES(TEXT("")));
static const bp_filter not_en = NODE(BP_FILTER_NOT, &is_en);
static const bp_filter both = NODE(BP_FILTER_AND, &is_en, &is_2020, &is_done);
static const bp_filter either = NODE(BP_FILTER_OR, &is_de_or_seven, &is_hot);
static const bp_filter mixed = NODE(BP_FILTER_AND, &not_en, &either);
static const bp_filter is_even = LEAF(BP_FILTER_IN, "even", VALUES(BOOL(1)));
static const bp_filter all = { .struct_size = sizeof(bp_filter), .op = BP_FILTER_AND };
static const bp_filter none = { .struct_size = sizeof(bp_filter), .op = BP_FILTER_OR };

/* Bit i: point i + 1 matches. */
static const struct {
    const char      *says;
    const bp_filter *filter;
    uint32_t         wanted;
} filters[] = {
    { "lang = \"en\"", &is_en, 0x01 },
    { "lang in [\"de\", 7]", &is_de_or_seven, 0x0a },
    { "year = 2020", &is_2020, 0x01 },
    { "done = true, also in an array", &is_done, 0x41 },
    { "tags in [\"hot\", \"old\"]", &is_hot, 0x05 },
    { "year >= 2021, also in an array", &is_late, 0x26 },
    { "year > 2021", &is_later, 0x22 },
    { "year < 2020", &is_early, 0x60 },
    { "lang begins with \"en\"", &begins_with_en, 0x05 },
    { "tags exists", &has_tags, 0x07 },
    { "done does not exist", &has_no_done, 0x34 },
    { "a field and a text with awkward characters", &is_odd, 0x20 },
    { "the beginning of a text with awkward characters", &begins_oddly, 0x20 },
    { "lang = a text beyond ASCII", &is_unicode, 0x40 },
    { "lang = \"\"", &is_empty_text, 0x20 },
    { "not lang = \"en\"", &not_en, 0x7e },
    { "three conditions at once", &both, 0x01 },
    { "one of two conditions", &either, 0x0f },
    { "not, and one of two", &mixed, 0x0e },
    { "an empty and", &all, 0x7f },
    { "an empty or", &none, 0x00 },
};

static bp_status expect_ids(bp_call *call, const char *says, const char *leg, const bp_leg *found,
                            uint32_t wanted)
{
    uint32_t ids = 0;

    for (uint32_t i = 0; i < found->hit_count; i++)
        ids |= 1u << (found->hits[i].id - 1);
    CONFORM_THAT(call, ids == wanted,
                 "%s: by %s the points found are 0x%02x, they should be 0x%02x", says, leg, ids,
                 wanted);
    return BP_OK;
}

static bp_status filters_select_what_they_say(bp_call *call, struct conform *conform)
{
    float vector[DIMENSIONS];

    CONFORM_STATUS(call, create(call, conform, "filtered", BP_COSINE, "en"), BP_OK);
    for (uint32_t i = 0; i < FILTERED; i++) {
        fill(vector, i + 1);
        CONFORM_STATUS(call,
                       put_one(call, conform, "filtered", i + 1, vector, BP_STR("common words"),
                               bp_str_of(filtered[i])),
                       BP_OK);
    }
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        struct legs legs;
        uint64_t    count;

        CONFORM_STATUS(call,
                       search(call, conform, "filtered", vector, "common", filters[i].filter, 10,
                              &legs),
                       BP_OK);
        BP_TRY(expect_ids(call, filters[i].says, "vector", &legs.vector, filters[i].wanted));
        BP_TRY(expect_ids(call, filters[i].says, "words", &legs.words, filters[i].wanted));
        CONFORM_STATUS(call, count_of(call, conform, "filtered", filters[i].filter, &count), BP_OK);
        CONFORM_THAT(call, count == (uint64_t)__builtin_popcount(filters[i].wanted),
                     "%s: counted %llu points", filters[i].says, (unsigned long long)count);
    }
    CONFORM_STATUS(call, drop(call, conform, "filtered"), BP_OK);
    return BP_OK;
}

/* ---- reading and deleting ---- */

struct scrolled {
    uint64_t last, count;
    float    vector[DIMENSIONS];
    bp_call *call;
    bp_str   words, metadata; /* of the last one */
};

static bp_status take_point(bp_call *call, void *self, const bp_point *point)
{
    struct scrolled *scrolled = self;

    CONFORM_THAT(call, point->id > scrolled->last, "point %llu comes behind %llu",
                 (unsigned long long)point->id, (unsigned long long)scrolled->last);
    scrolled->last = point->id;
    scrolled->count++;
    if (point->vector)
        memcpy(scrolled->vector, point->vector, sizeof(scrolled->vector));
    scrolled->words = bp_dup(scrolled->call, point->words);
    scrolled->metadata = bp_dup(scrolled->call, point->metadata);
    return BP_OK;
}

static bp_status scroll(bp_call *call, struct conform *conform, const char *rest,
                        const bp_filter *filter, uint64_t after, uint32_t limit,
                        struct scrolled *scrolled)
{
    bp_point_sink sink = { sizeof(sink), take_point, scrolled };

    scrolled->count = 0;
    scrolled->call = call;
    return OPS(call, conform)
        ->scroll(call, SELF(call, conform), name_of(call, conform, rest), filter, after, limit,
                 &sink);
}

static bp_status points_come_back_whole(bp_call *call, struct conform *conform)
{
    struct scrolled scrolled = { 0 };
    float           vector[DIMENSIONS];

    CONFORM_STATUS(call, create(call, conform, "whole", BP_L2, "en"), BP_OK);
    fill(vector, 42);
    for (size_t i = 0; i < conform->string_count; i++) {
        bp_json_writer *w = bp_json_writer_new(call, 1 << 20);
        bp_str          metadata;
        const bp_json  *back;

        bp_json_object(w);
        bp_json_put_string(w, "text", conform->strings[i]);
        bp_json_put_integer(w, "n", (int64_t)i);
        bp_json_end(w);
        BP_TRY(bp_json_done(call, w, &metadata));
        CONFORM_STATUS(call,
                       put_one(call, conform, "whole", i + 1, vector, conform->strings[i],
                               metadata),
                       BP_OK);
        scrolled.last = i;
        CONFORM_STATUS(call, scroll(call, conform, "whole", NULL, i, 1, &scrolled), BP_OK);
        CONFORM_THAT(call, scrolled.count == 1 && scrolled.last == i + 1, "point %zu is not there",
                     i + 1);
        CONFORM_THAT(call,
                     memcmp(scrolled.vector, vector, sizeof(vector)) == 0 ||
                         fabs((double)scrolled.vector[3] - vector[3]) < 1e-3,
                     "the vector of point %zu came back as another one", i + 1);
        CONFORM_THAT(call, bp_str_equal(scrolled.words, conform->strings[i]),
                     "the words of point %zu came back as " BP_FMT, i + 1, BP_ARG(scrolled.words));
        CONFORM_STATUS(call, bp_json_parse(call, scrolled.metadata, &back), BP_OK);
        CONFORM_THAT(call,
                     bp_str_equal(bp_json_string(bp_json_get(back, "text")), conform->strings[i]) &&
                         bp_json_integer(bp_json_get(back, "n")) == (int64_t)i,
                     "the metadata of point %zu came back as " BP_FMT, i + 1,
                     BP_ARG(scrolled.metadata));
    }
    CONFORM_STATUS(call, drop(call, conform, "whole"), BP_OK);
    return BP_OK;
}

static bp_status many_points_are_scrolled_counted_and_removed(bp_call        *call,
                                                              struct conform *conform)
{
    bp_point       *points = BP_NEW_ARRAY(call, bp_point, MANY);
    float          *vectors = BP_NEW_ARRAY(call, float, (size_t)MANY *DIMENSIONS);
    struct scrolled scrolled = { 0 };
    uint64_t        count, removed = 0, ids[] = { 2, 4, 6, 1000000 };

    if (!points || !vectors)
        return BP_NO_MEMORY;
    CONFORM_STATUS(call, create(call, conform, "many", BP_COSINE, "en"), BP_OK);
    for (uint32_t i = 0; i < MANY; i++) {
        fill(vectors + (size_t)i * DIMENSIONS, i + 1);
        points[i] = (bp_point){ sizeof(bp_point),
                                0,
                                i + 1,
                                vectors + (size_t)i * DIMENSIONS,
                                BP_STR("some words"),
                                (i + 1) % 2 ? BP_STR("{\"even\":false}")
                                            : BP_STR("{\"even\":true}") };
    }
    CONFORM_STATUS(call, put(call, conform, "many", points, MANY), BP_OK);
    CONFORM_STATUS(call, put(call, conform, "many", points, MANY), BP_OK);
    CONFORM_STATUS(call, count_of(call, conform, "many", NULL, &count), BP_OK);
    CONFORM_THAT(call, count == MANY, "%d points were written twice, %llu are there", MANY,
                 (unsigned long long)count);
    CONFORM_STATUS(call, scroll(call, conform, "many", NULL, 0, 1000, &scrolled), BP_OK);
    CONFORM_THAT(call, scrolled.count == 1000 && scrolled.last == 1000,
                 "a page of 1,000 ends at %llu", (unsigned long long)scrolled.last);
    CONFORM_STATUS(call, scroll(call, conform, "many", &is_even, 1000, 10000, &scrolled), BP_OK);
    CONFORM_THAT(call, scrolled.count == 1000 && scrolled.last == MANY,
                 "the even ones behind 1,000 are %llu", (unsigned long long)scrolled.count);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->remove(call, SELF(call, conform), name_of(call, conform, "many"), ids, 4,
                                NULL, &removed),
                   BP_OK);
    CONFORM_THAT(call, removed == 3, "3 points of 4 ids are there, %llu were removed",
                 (unsigned long long)removed);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->remove(call, SELF(call, conform), name_of(call, conform, "many"), NULL, 0,
                                &is_even, &removed),
                   BP_OK);
    CONFORM_THAT(call, removed == MANY / 2 - 3, "%llu even points were removed",
                 (unsigned long long)removed);
    CONFORM_STATUS(call, count_of(call, conform, "many", NULL, &count), BP_OK);
    CONFORM_THAT(call, count == MANY / 2, "%llu points are left", (unsigned long long)count);
    CONFORM_STATUS(call, drop(call, conform, "many"), BP_OK);
    return BP_OK;
}

static bp_status a_megabyte_of_words_is_taken(bp_call *call, struct conform *conform)
{
    char       *words = bp_alloc(call, 1 << 20);
    float       vector[DIMENSIONS];
    struct legs legs;

    if (!words)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < 1 << 20; i++)
        words[i] = i % 8 == 7 ? ' ' : (char)('a' + (i * 31 + i / 8 * 7) % 26);
    memcpy(words + (1 << 19), " needle ", 8);
    fill(vector, 5);
    CONFORM_STATUS(call, create(call, conform, "huge", BP_COSINE, "en"), BP_OK);
    CONFORM_STATUS(call,
                   put_one(call, conform, "huge", 1, vector, bp_str_n(words, 1 << 20),
                           BP_STR("{}")),
                   BP_OK);
    CONFORM_STATUS(call, put_one(call, conform, "huge", 2, vector, BP_STR("other"), BP_STR("{}")),
                   BP_OK);
    CONFORM_STATUS(call, put_one(call, conform, "huge", 3, vector, BP_STR("more"), BP_STR("{}")),
                   BP_OK);
    CONFORM_STATUS(call, search(call, conform, "huge", NULL, "needle", NULL, 10, &legs), BP_OK);
    CONFORM_THAT(call, legs.words.hit_count == 1 && legs.words.hits[0].id == 1,
                 "a word in a megabyte is found %u times", legs.words.hit_count);
    CONFORM_STATUS(call, drop(call, conform, "huge"), BP_OK);
    return BP_OK;
}

/* ---- many at once ---- */

static bp_status workers_write_and_find_their_own(bp_call *call, struct conform *conform)
{
    uint32_t worker = bp_worker_index(call);
    uint64_t count;

    CONFORM_STATUS(call, create(call, conform, "shared", BP_L2, "en"), BP_OK);
    for (uint32_t i = 0; i < WORKER_POINTS; i++) {
        float       vector[DIMENSIONS];
        uint64_t    id = worker * 1000u + i + 1;
        bp_str      word = bp_format(call, "word%llu", (unsigned long long)id);
        struct legs legs;

        fill(vector, (uint32_t)id);
        CONFORM_STATUS(call, put_one(call, conform, "shared", id, vector, word, BP_STR("{}")),
                       BP_OK);
        CONFORM_STATUS(call, search(call, conform, "shared", vector, word.data, NULL, 1, &legs),
                       BP_OK);
        CONFORM_THAT(call,
                     legs.vector.hit_count == 1 && legs.vector.hits[0].id == id &&
                         legs.words.hit_count == 1 && legs.words.hits[0].id == id,
                     "worker %u does not find its point %llu right after writing it", worker,
                     (unsigned long long)id);
    }
    conform->counters[0]++;
    BP_TRY(conform_meet(call, &conform->counters[0], (int64_t)conform->workers));
    CONFORM_STATUS(call, count_of(call, conform, "shared", NULL, &count), BP_OK);
    CONFORM_THAT(call, count == (uint64_t)conform->workers * WORKER_POINTS,
                 "%u workers wrote %d points each, %llu are there", conform->workers, WORKER_POINTS,
                 (unsigned long long)count);
    conform->counters[1]++;
    BP_TRY(conform_meet(call, &conform->counters[1], (int64_t)conform->workers));
    if (worker == 0)
        CONFORM_STATUS(call, drop(call, conform, "shared"), BP_OK);
    return BP_OK;
}

/* ---- cancelled, hurried, restarted ---- */

static bp_status op_upsert(bp_call *call, struct conform *conform)
{
    float    vector[DIMENSIONS];
    bp_point points[2];

    fill(vector, 9);
    for (uint64_t i = 0; i < 2; i++) // a pair: both or none
        points[i] = (bp_point){
            sizeof(bp_point), 0, 501 + i, vector, BP_STR("paired words"), BP_STR("{\"pair\":true}")
        };
    return put(call, conform, "ops", points, 2);
}

static bp_status op_search(bp_call *call, struct conform *conform)
{
    static const bp_filter filter = LEAF(BP_FILTER_EXISTS, "n", .value_count = 0);
    struct legs            legs;
    float                  vector[DIMENSIONS];

    fill(vector, 9);
    return search(call, conform, "ops", vector, "some words", &filter, 10, &legs);
}

static bp_status op_remove(bp_call *call, struct conform *conform)
{
    uint64_t ids[] = { 501, 502 };

    return OPS(call, conform)
        ->remove(call, SELF(call, conform), name_of(call, conform, "ops"), ids, 2, NULL, NULL);
}

static bp_status op_scroll(bp_call *call, struct conform *conform)
{
    struct scrolled scrolled = { 0 };

    return scroll(call, conform, "ops", NULL, 0, 50, &scrolled);
}

static bp_status op_list(bp_call *call, struct conform *conform)
{
    const bp_vector_info *infos;
    size_t                count;

    return OPS(call, conform)->list(call, SELF(call, conform), &infos, &count);
}

static const struct conform_op ops[] = {
    { "upsert", op_upsert }, { "search", op_search }, { "remove", op_remove },
    { "scroll", op_scroll }, { "list", op_list },
};

static bp_status with_ops_collection(bp_call *call, struct conform *conform)
{
    float vector[DIMENSIONS];

    CONFORM_STATUS(call, create(call, conform, "ops", BP_COSINE, "en"), BP_OK);
    for (uint32_t i = 1; i <= 20; i++) {
        fill(vector, i);
        CONFORM_STATUS(call,
                       put_one(call, conform, "ops", i, vector, BP_STR("some words of a passage"),
                               BP_STR("{\"n\":1}")),
                       BP_OK);
    }
    return BP_OK;
}

/* Vectors, words and metadata cannot disagree. */
static bp_status expect_agreement(bp_call *call, struct conform *conform)
{
    static const bp_filter paired = LEAF(BP_FILTER_EXISTS, "pair", .value_count = 0);
    struct legs            legs;
    uint64_t               count;
    float                  vector[DIMENSIONS];

    fill(vector, 9);
    CONFORM_STATUS(call, count_of(call, conform, "ops", &paired, &count), BP_OK);
    CONFORM_STATUS(call, search(call, conform, "ops", vector, "paired", &paired, 10, &legs), BP_OK);
    CONFORM_THAT(call,
                 (count == 0 || count == 2) && legs.vector.hit_count == count &&
                     legs.words.hit_count == count,
                 "of a pair of points %llu are counted, %u found by vector, %u by words",
                 (unsigned long long)count, legs.vector.hit_count, legs.words.hit_count);
    return BP_OK;
}

static bp_status cancelled_calls_leave_no_halves(bp_call *call, struct conform *conform)
{
    BP_TRY(with_ops_collection(call, conform));
    BP_TRY(conform_cancel(call, conform, ops, sizeof(ops) / sizeof(ops[0])));
    BP_TRY(expect_agreement(call, conform));
    CONFORM_STATUS(call, drop(call, conform, "ops"), BP_OK);
    return BP_OK;
}

static bp_status deadlines_are_kept(bp_call *call, struct conform *conform)
{
    BP_TRY(with_ops_collection(call, conform));
    BP_TRY(conform_hurry(call, conform, ops, sizeof(ops) / sizeof(ops[0])));
    BP_TRY(expect_agreement(call, conform));
    CONFORM_STATUS(call, drop(call, conform, "ops"), BP_OK);
    return BP_OK;
}

static bp_status a_long_run_does_not_grow(bp_call *call, struct conform *conform)
{
    BP_TRY(with_ops_collection(call, conform));
    BP_TRY(conform_do_not_grow(call, conform, ops, sizeof(ops) / sizeof(ops[0])));
    CONFORM_STATUS(call, drop(call, conform, "ops"), BP_OK);
    return BP_OK;
}

static bp_status write_next(bp_call *call, struct conform *conform)
{
    float     vector[DIMENSIONS];
    uint64_t  id = (uint64_t)++conform->counters[3] + 1000;
    bp_status status;

    fill(vector, (uint32_t)id);
    status = put_one(call, conform, "ops", id, vector, BP_STR("acknowledged"),
                     BP_STR("{\"acknowledged\":true}"));
    conform->counters[4] += status == BP_OK;
    return status;
}

static bp_status what_was_acknowledged_outlives_a_restart(bp_call *call, struct conform *conform)
{
    static const bp_filter acknowledged = LEAF(BP_FILTER_EXISTS, "acknowledged", .value_count = 0);
    static const struct conform_op write = { "upsert", write_next };
    uint64_t                       count;
    bp_status                      status;

    BP_TRY(with_ops_collection(call, conform));
    status = conform_survive(call, conform, &write);
    if (status == BP_OK) {
        CONFORM_STATUS(call, count_of(call, conform, "ops", &acknowledged, &count), BP_OK);
        CONFORM_THAT(call, (int64_t)count >= conform->counters[4],
                     "%lld points were acknowledged, %llu are there",
                     (long long)conform->counters[4], (unsigned long long)count);
    }
    if (status == BP_OK || status == BP_UNSUPPORTED) {
        bp_str reason = bp_dup(call, bp_error_of(call)->message);

        CONFORM_STATUS(call, drop(call, conform, "ops"), BP_OK);
        return status == BP_OK ? BP_OK : conform_skip(call, reason.data);
    }
    return status;
}

static bp_status wrong_credentials_are_refused(bp_call *call, struct conform *conform)
{
    CONFORM_THAT(call, op_list(call, conform) != BP_OK,
                 "collections were listed with wrong credentials");
    CONFORM_THAT(call, bp_error_of(call)->message.len > 0, "the refusal has no sentence");
    return BP_OK;
}

/* Points 1 to 4 carry integers that share one double, two by two; 5 carries the double. */
static const char *const integers[] = { "9007199254740993", "9007199254740992",
                                        "-9223372036854775808", "9223372036854775807", "2.5" };

#define INTEGER(n)                                                                                 \
    {                                                                                              \
        .type = BP_VALUE_NUMBER, .is_integer = 1, .text = { #n, sizeof(#n) - 1 },                  \
        .number = (double)n                                                                        \
    }

static const bp_filter is_odd_integer = LEAF(BP_FILTER_IN, "id", VALUES(INTEGER(9007199254740993)));
static const bp_filter is_even_integer = LEAF(BP_FILTER_IN, "id",
                                              VALUES(INTEGER(9007199254740992)));
static const bp_filter is_greatest = LEAF(BP_FILTER_IN, "id", VALUES(INTEGER(9223372036854775807)));
static const bp_filter is_almost_greatest = LEAF(BP_FILTER_IN, "id",
                                                 VALUES(INTEGER(9223372036854775806)));
static const bp_filter is_no_odd_integer = NODE(BP_FILTER_NOT, &is_odd_integer);
static const bp_filter is_above_2_53 = LEAF(BP_FILTER_RANGE, "id", .low = 9007199254740992.0,
                                            .high = INFINITY, .is_low_exclusive = true,
                                            .is_low_integer = true,
                                            .low_integer = INT64_C(9007199254740992));

static bp_status integers_of_64_bits_are_exact(bp_call *call, struct conform *conform)
{
    static const struct {
        const char      *says;
        const bp_filter *filter;
        uint64_t         wanted;
        bool             may_be_unsupported;
    } wanted[] = {
        { "id = 2^53 + 1", &is_odd_integer, 1, false },
        { "id = 2^53", &is_even_integer, 1, false },
        { "id = 2^63 - 1", &is_greatest, 1, false },
        { "id = 2^63 - 2", &is_almost_greatest, 0, false },
        { "not id = 2^53 + 1", &is_no_odd_integer, 4, false },
        { "id > 2^53", &is_above_2_53, 2, true },
    };
    float vector[DIMENSIONS];

    fill(vector, 5);
    CONFORM_STATUS(call, create(call, conform, "exact", BP_COSINE, "en"), BP_OK);
    for (uint64_t i = 0; i < 5; i++)
        CONFORM_STATUS(call,
                       put_one(call, conform, "exact", i + 1, vector, BP_STR("x"),
                               bp_format(call, "{\"id\":%s}", integers[i])),
                       BP_OK);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct legs legs;
        uint64_t    count = 0;
        bp_status   status = count_of(call, conform, "exact", wanted[i].filter, &count);

        if (status == BP_UNSUPPORTED && wanted[i].may_be_unsupported) {
            bp_clear_error(call);
            continue;
        }
        CONFORM_STATUS(call, status, BP_OK);
        CONFORM_THAT(call, count == wanted[i].wanted,
                     "%s: %llu points are counted, they should be %llu", wanted[i].says,
                     (unsigned long long)count, (unsigned long long)wanted[i].wanted);
        CONFORM_STATUS(call,
                       search(call, conform, "exact", vector, "x", wanted[i].filter, 10, &legs),
                       BP_OK);
        CONFORM_THAT(call,
                     legs.vector.hit_count == wanted[i].wanted &&
                         legs.words.hit_count == wanted[i].wanted,
                     "%s: %u points are found by vector and %u by words, they should be %llu",
                     wanted[i].says, legs.vector.hit_count, legs.words.hit_count,
                     (unsigned long long)wanted[i].wanted);
    }
    CONFORM_STATUS(call, drop(call, conform, "exact"), BP_OK);
    return BP_OK;
}

static bp_status every_word_of_a_question_counts(bp_call *call, struct conform *conform)
{
    bp_buf     *question = bp_buf_new(call, 8192);
    struct legs legs;

    CONFORM_STATUS(call, create(call, conform, "counted", BP_COSINE, "en"), BP_OK);
    CONFORM_STATUS(call,
                   put_one(call, conform, "counted", 1, NULL, BP_STR("an apple lies there"),
                           BP_STR("{}")),
                   BP_OK);
    CONFORM_STATUS(call,
                   put_one(call, conform, "counted", 2, NULL, BP_STR("a plum lies there"),
                           BP_STR("{}")),
                   BP_OK);
    for (uint64_t i = 3; i <= 12; i++)
        CONFORM_STATUS(call,
                       put_one(call, conform, "counted", i, NULL,
                               BP_STR("nothing of the kind here"), BP_STR("{}")),
                       BP_OK);
    for (int turn = 0; turn < 2;
         turn++) { // a word that is asked for twice weighs twice, wherever it stands
        CONFORM_STATUS(call,
                       search(call, conform, "counted", NULL,
                              turn ? "plum apple apple" : "apple plum plum", NULL, 5, &legs),
                       BP_OK);
        CONFORM_THAT(call,
                     legs.words.hit_count == 2 && legs.words.hits[0].id == (turn ? 1u : 2u) &&
                         legs.words.hits[0].score > 1.5 * legs.words.hits[1].score,
                     "the word that was repeated does not weigh twice: %u hits, the first is %llu",
                     legs.words.hit_count,
                     legs.words.hit_count ? (unsigned long long)legs.words.hits[0].id : 0ULL);
    }
    for (int i = 0; i < 300; i++)
        bp_buf_addf(question, "word%dth ", i);
    bp_buf_add(question, BP_STR("plum"));
    CONFORM_STATUS(call,
                   search(call, conform, "counted", NULL, bp_buf_str(question).data, NULL, 5,
                          &legs),
                   BP_OK);
    CONFORM_THAT(call, legs.words.hit_count == 1 && legs.words.hits[0].id == 2,
                 "the last of 301 words of a question is not looked for");
    CONFORM_STATUS(call, drop(call, conform, "counted"), BP_OK);
    return BP_OK;
}

static const struct conform_case cases[] = {
    { "collections are made, listed and dropped, and pinned to their schema",
      collections_are_made_listed_and_dropped, CONFORM_ONE_WORKER },
    { "a collection has one owner; one without is adopted once", a_collection_has_one_owner,
      CONFORM_ONE_WORKER },
    { "integers of 64 bits are compared exactly in filters", integers_of_64_bits_are_exact,
      CONFORM_ONE_WORKER },
    { "the nearest come first, by cosine, inner product and distance; ties by id",
      the_nearest_come_first, CONFORM_ONE_WORKER },
    { "points and queries that do not fit are refused", what_does_not_fit_is_refused,
      CONFORM_ONE_WORKER },
    { "words rank passages, and are never operators", words_rank_passages, CONFORM_ONE_WORKER },
    { "each word of a question counts, as often as it stands there",
      every_word_of_a_question_counts, CONFORM_ONE_WORKER },
    { "filters select what they say, for both legs and for counting", filters_select_what_they_say,
      CONFORM_ONE_WORKER },
    { "points come back whole, awkward texts too", points_come_back_whole, CONFORM_ONE_WORKER },
    { "3,000 points are scrolled, counted and removed",
      many_points_are_scrolled_counted_and_removed, CONFORM_ONE_WORKER },
    { "a megabyte of words is taken", a_megabyte_of_words_is_taken, CONFORM_ONE_WORKER },
    { "collections do not see each other; one dropped and made again is empty",
      collections_do_not_see_each_other, CONFORM_ONE_WORKER },
    { "what names no collection, or says nothing to delete, does nothing",
      what_names_nothing_finds_and_deletes_nothing, CONFORM_ONE_WORKER },
    { "10,000 points are one write, 10,001 none; filters are 8 deep",
      ten_thousand_points_are_one_write, CONFORM_ONE_WORKER },
    { "what a scroll's sink keeps of the call stays", what_a_sink_keeps_stays, CONFORM_ONE_WORKER },
    { "a dropped collection is gone for every worker, one made again is there",
      a_dropped_collection_is_gone_for_every_worker, CONFORM_EVERY_WORKER },
    { "workers make, fill and drop one collection at once",
      workers_make_fill_and_drop_one_collection, CONFORM_EVERY_WORKER },
    { "every worker finds what it wrote, while all write", workers_write_and_find_their_own,
      CONFORM_EVERY_WORKER },
    { "an operation cancelled at any suspension leaves no halves", cancelled_calls_leave_no_halves,
      CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
    { "acknowledged writes outlive a restart of the server",
      what_was_acknowledged_outlives_a_restart, CONFORM_ONE_WORKER },
    { "wrong credentials are refused with a sentence", wrong_credentials_are_refused,
      CONFORM_REFUSED },
};

const struct conform_contract vector_contract = { "vector", cases,
                                                  sizeof(cases) / sizeof(cases[0]) };

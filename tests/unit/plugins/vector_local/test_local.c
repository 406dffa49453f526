/* test_local.c - the embedded vector store: schemas, both legs, every filter, languages, and what
 * it refuses. */
#include "vector_test.h"

static const float X[] = { 1, 0, 0 }, Y[] = { 0, 2, 0 }, Z[] = { 0, 0, 3 }, XY[] = { 1, 1, 0 };

static void a_collection_is_pinned_to_its_schema(void **state)
{
    const bp_vector_info *infos;
    size_t                count;
    bp_vector_schema      other = { .struct_size = sizeof(other),
                                    .dimensions = 3,
                                    .model = BP_STR("another-model") };
    (void)state;
    assert_ok(make("docs", 3, BP_COSINE, ""));
    assert_ok(make("docs", 3, BP_COSINE, "en"));
    assert_status(make("docs", 4, BP_COSINE, "en"), BP_CONFLICT);
    assert_said("3 dimensions, not 4");
    assert_status(make("docs", 3, BP_L2, "en"), BP_CONFLICT);
    assert_status(make("docs", 3, BP_COSINE, "de"), BP_CONFLICT);
    assert_status(ops->create(call, self, BP_STR("docs"), &other), BP_CONFLICT);
    assert_said("another-model");
    assert_status(make("no spaces", 3, BP_COSINE, ""), BP_INVALID);
    assert_status(make("", 3, BP_COSINE, ""), BP_INVALID);
    assert_status(make("zero", 0, BP_COSINE, ""), BP_INVALID);
    assert_ok(make("a.b-c_1", 65536, BP_INNER_PRODUCT, "fr"));
    assert_ok(ops->list(call, self, &infos, &count));
    assert_int_equal(count, 2);
    assert_true(bp_str_is(infos[0].name, "a.b-c_1") && infos[0].dimensions == 65536 &&
                infos[0].metric == BP_INNER_PRODUCT);
    assert_true(bp_str_is(infos[1].name, "docs") && bp_str_is(infos[1].model, "test-model"));
    assert_true(bp_str_is(infos[1].language, "en"));
    assert_ok(ops->drop(call, self, BP_STR("docs")));
    assert_status(ops->drop(call, self, BP_STR("docs")), BP_NOT_FOUND);
    assert_status(put("docs", 1, X, "x", ""), BP_NOT_FOUND);
    assert_ok(make("docs", 4, BP_L2, "de"));
}

static void the_nearest_vectors_come_first_and_ties_by_id(void **state)
{
    struct legs legs;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, ""));
    assert_ok(put("c", 5, X, "", ""));
    assert_ok(put("c", 2, Y, "", ""));
    assert_ok(put("c", 9, Y, "", ""));
    assert_ok(put("c", 4, XY, "", ""));
    assert_ok(find("c", Y, 3, "", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "2,9,4,5");
    assert_true(fabs(legs.vector.hits[0].score - 1) < 1e-6 &&
                fabs(legs.vector.hits[2].score - sqrt(0.5)) < 1e-6);
    assert_int_equal(legs.vector.mode, BP_SEARCH_EXACT);
    assert_int_equal(legs.vector.rows_read, 4);
    assert_int_equal(legs.words.mode, BP_SEARCH_NONE);
    assert_ok(find("c", Y, 3, "", NULL, 1, &legs));
    assert_string_equal(ids_of(&legs.vector), "2");
    assert_ok(make("l2", 3, BP_L2, ""));
    assert_ok(put("l2", 1, X, "", ""));
    assert_ok(put("l2", 2, Z, "", ""));
    assert_ok(find("l2", X, 3, "", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "1,2");
    assert_true(legs.vector.hits[0].score == 0 &&
                fabs(legs.vector.hits[1].score + sqrt(10)) < 1e-6);
    assert_ok(make("ip", 3, BP_INNER_PRODUCT, ""));
    assert_ok(put("ip", 1, X, "", ""));
    assert_ok(put("ip", 2, Z, "", ""));
    assert_ok(find("ip", Z, 3, "", NULL, 10, &legs));
    assert_true(legs.vector.hits[0].id == 2 && legs.vector.hits[0].score == 9);
}

static void wrong_points_and_queries_are_refused_whole(void **state)
{
    const float    bad[] = { 1, NAN, 0 }, zero[] = { 0, 0, 0 }, big[] = { INFINITY, 0, 0 };
    const bp_point mixed[] = { { .struct_size = sizeof(bp_point), .id = 1, .vector = X },
                               { .struct_size = sizeof(bp_point), .id = 2, .vector = bad } };
    struct legs    legs;
    uint64_t       count = 9;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, ""));
    assert_status(ops->upsert(call, self, BP_STR("c"), mixed, sizeof(bp_point), 2), BP_INVALID);
    assert_said("point 2");
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, 0);
    assert_ok(find("c", X, 3, "", NULL, 10, &legs));
    assert_int_equal(legs.vector.hit_count, 0);
    assert_status(put("c", 1, zero, "", ""), BP_INVALID);
    assert_status(put("c", 1, big, "", ""), BP_INVALID);
    assert_status(put("c", 0, X, "", ""), BP_INVALID);
    assert_status(put("c", UINT64_MAX, X, "", ""), BP_INVALID);
    assert_status(put("c", 1, X, "\xff\xfe", ""), BP_INVALID);
    assert_status(put("c", 1, X, "", "[1]"), BP_INVALID);
    assert_status(put("c", 1, X, "", "{\"a\":"), BP_INVALID);
    assert_status(put("c", 1, X, "", "{\"a\":{\"b\":1}}"), BP_INVALID);
    assert_status(put("c", 1, X, "", "{\"a\":[[1]]}"), BP_INVALID);
    assert_status(put("c", 1, X, "", "{\"a\":null}"), BP_INVALID);
    assert_said("metadata");
    assert_status(find("c", X, 2, "", NULL, 10, &legs), BP_INVALID);
    assert_said("3 dimensions");
    assert_status(find("c", zero, 3, "", NULL, 10, &legs), BP_INVALID);
    assert_status(find("c", X, 3, "", NULL, 0, &legs), BP_INVALID);
    assert_status(find("c", X, 3, "", NULL, 10001, &legs), BP_INVALID);
    assert_status(find("nowhere", X, 3, "", NULL, 1, &legs), BP_NOT_FOUND);
    assert_status(ops->remove(call, self, BP_STR("c"), NULL, 0, NULL, NULL), BP_INVALID);
}

static void words_are_found_by_stem_rarity_and_any_of_them(void **state)
{
    struct legs legs;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 1, NULL, "The server answers requests quickly.", ""));
    assert_ok(put("c", 2, NULL,
                  "A request was answered by the caching server, and a second request by the "
                  "server itself.",
                  ""));
    assert_ok(put("c", 3, NULL, "Bananas are yellow. Caf\xc3\xa9 na\xc3\xafve.", ""));
    assert_ok(put("c", 4, X, "", ""));
    assert_string_equal(words_find("c", "banana"), "3");
    assert_string_equal(words_find("c", "CAFE naive"), "3");
    assert_ok(find("c", NULL, 0, "requesting bananas", NULL, 10, &legs));
    assert_int_equal(legs.words.hit_count, 3);
    assert_int_equal(legs.words.hits[0].id, 3);
    assert_true(legs.words.hits[0].score > legs.words.hits[1].score &&
                legs.words.hits[2].score > 0);
    assert_string_equal(words_find("c", "the of and"),
                        "2,1"); /* only stop words: they count after all */
    assert_string_equal(words_find("c", "the yellow"), "3");
    assert_string_equal(words_find("c", "nothing like it zebra"), "");
    assert_string_equal(words_find("c", " ?!... "), "");
}

static void what_looks_like_match_syntax_is_only_words(void **state)
{
    static const char *const attempts[] = {
        "\"",
        "\"\"",
        "a\"b",
        "NEAR(a b, 2)",
        "words:alpha",
        "{words}: alpha",
        "alpha*",
        "^alpha",
        "alpha AND",
        "NOT alpha",
        "alpha OR",
        "(alpha",
        "alpha)",
        "alpha + beta",
        "-alpha",
        "'; DROP TABLE points_1; --",
        "\\",
        "%s%n",
        "\x01\x02",
        "a\tb\n",
        "\xf0\x9f\x98\x80",
        "alpha\xff"
        "beta",
        "\xe2\x80\x9c"
        "alpha\xe2\x80\x9d",
    };
    struct legs legs;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 1, NULL, "alpha beta", ""));
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        assert_ok(find("c", NULL, 0, attempts[i], NULL, 10, &legs));
        assert_int_equal(legs.words.hit_count, strstr(attempts[i], "alpha") != NULL);
    }
    /* NUL and very many terms */
    {
        bp_buf         *many = bp_buf_new(call, 1 << 20);
        bp_vector_query query = { .struct_size = sizeof(query),
                                  .collection = BP_STR("c"),
                                  .limit = 5 };
        for (int i = 0; i < 5000; i++)
            bp_buf_addf(many, "t%d ", i);
        query.words = bp_buf_str(many);
        assert_ok(ops->search(call, self, &query, &legs.vector, &legs.words));
        assert_int_equal(legs.words.hit_count, 0);
        query.words = bp_str_n("x\0alpha", 7);
        assert_ok(ops->search(call, self, &query, &legs.vector, &legs.words));
        assert_int_equal(legs.words.hit_count, 1);
    }
    assert_int_equal(strcmp(words_find("c", "beta"), "1"), 0);
}

static void languages_without_blanks_are_found_by_parts_of_words(void **state)
{
    (void)state;
    assert_ok(make("ja", 3, BP_COSINE, "ja"));
    assert_ok(put("ja", 1, NULL,
                  "\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd\xe3\x81\xab\xe4\xbd\x8f\xe3\x82\x93\xe3\x81"
                  "\xa7\xe3\x81\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82",
                  "")); /* toukyouto ni sunde imasu */
    assert_ok(put("ja", 2, NULL,
                  "\xe5\xa4\xa7\xe9\x98\xaa\xe3\x81\xab\xe4\xbd\x8f\xe3\x82\x93\xe3\x81\xa7\xe3\x81"
                  "\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82",
                  "")); /* osaka ni ... */
    assert_string_equal(words_find("ja", "\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd"), "1");
    assert_string_equal(words_find("ja", "\xe5\xa4\xa7\xe9\x98\xaa"),
                        "2"); /* two characters: by reading */
    assert_string_equal(words_find("ja", "\xe4\xbd\x8f\xe3\x82\x93\xe3\x81\xa7"), "2,1");
    assert_ok(make("de", 3, BP_COSINE, "de"));
    assert_ok(put("de", 1, NULL,
                  "Stra\xc3\x9f"
                  "enbahnen fahren \xc3\x9c"
                  "ber Br\xc3\xbc"
                  "cken",
                  ""));
    assert_string_equal(words_find("de", "uber"), "1");
    assert_string_equal(words_find("de", "fahrens"), "");
}

static void both_legs_answer_one_query(void **state)
{
    struct legs legs;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 1, X, "apples", "{\"lang\":\"en\"}"));
    assert_ok(put("c", 2, Y, "pears", "{\"lang\":\"de\"}"));
    assert_ok(put("c", 3, NULL, "apples and pears", "{\"lang\":\"en\"}"));
    assert_ok(find("c", Y, 3, "apples", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "2,1");
    assert_string_equal(ids_of(&legs.words), "1,3");
    assert_ok(find("c", Y, 3, "apples", IN_TEXT("lang", TEXT("en")), 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "1");
    assert_int_equal(legs.vector.mode, BP_SEARCH_FILTERED);
    assert_int_equal(legs.vector.rows_read, 1);
    assert_string_equal(ids_of(&legs.words), "1,3");
    assert_ok(find("c", Y, 3, "apples", IN_TEXT("lang", TEXT("fr")), 10, &legs));
    assert_int_equal(legs.vector.hit_count + legs.words.hit_count, 0);
}

/* ---- filters ---- */

struct gathered {
    char   ids[512];
    size_t len;
};

static bp_status gather(bp_call *sink_call, void *arg, const bp_point *point)
{
    struct gathered *gathered = arg;
    (void)sink_call;
    gathered->len += (size_t)snprintf(gathered->ids + gathered->len,
                                      sizeof(gathered->ids) - gathered->len, "%s%llu",
                                      gathered->len ? "," : "", (unsigned long long)point->id);
    return BP_OK;
}

/* The filter selects the same points for scroll, count, the words leg, the vector leg. */
static void assert_selects(const bp_filter *filter, const char *ids)
{
    struct gathered     gathered = { .len = 0 };
    const bp_point_sink sink = { sizeof(sink), gather, &gathered };
    struct legs         legs;
    uint64_t            count = 0, expected = ids[0] ? 1 : 0;

    for (const char *c = ids; *c; c++)
        expected += *c == ',';
    assert_ok(ops->scroll(call, self, BP_STR("f"), filter, 0, 100, &sink));
    assert_string_equal(gathered.ids, ids);
    assert_ok(ops->count(call, self, BP_STR("f"), filter, &count));
    assert_int_equal(count, expected);
    assert_ok(find("f", X, 3, "common", filter, 100, &legs));
    assert_int_equal(legs.vector.hit_count, expected);
    assert_string_equal(ids_of(&legs.vector), ids); /* all equally near: by id */
    assert_string_equal(ids_of(&legs.words), ids);
    next_call();
}

static void make_filter_points(void)
{
    static const char *const metadata[] = {
        "{\"lang\":\"en\",\"year\":2024,\"open\":true,\"tags\":[\"new\",\"hot\"],\"share\":0.5}",
        "{\"lang\":\"de\",\"year\":2020,\"open\":false,\"tags\":[\"old\"]}",
        "{\"lang\":\"english\",\"year\":2024.5,\"tags\":[]}",
        "{\"year\":\"2024\",\"open\":1,\"a.b-c\":\"dotted\"}",
        "{\"lang\":[\"en\",\"de\"],\"year\":[1990,2022]}",
        "",
        "{\"lang\":\"100%_\\u00fc\\\"'\",\"year\":-5}",
    };
    assert_ok(make("f", 3, BP_COSINE, "en"));
    for (size_t i = 0; i < 7; i++)
        assert_ok(put("f", i + 1, X, "common", metadata[i]));
}

static void every_filter_selects_what_it_says(void **state)
{
    (void)state;
    make_filter_points();
    assert_selects(NULL, "1,2,3,4,5,6,7");
    assert_selects(IN_TEXT("lang", TEXT("en")), "1,5");
    assert_selects(IN_TEXT("lang", TEXT("en"), TEXT("english"), TEXT("xx")), "1,3,5");
    assert_selects(IN_TEXT("lang", TEXT("100%_\xc3\xbc\"'")), "7");
    assert_selects(IN_TEXT("lang", TEXT("100__")), "");
    assert_selects(IN_TEXT("year", NUMBER(2024)), "1");
    assert_selects(IN_TEXT("year", TEXT("2024")), "4");
    assert_selects(IN_TEXT("year", NUMBER(2024), TEXT("2024")), "1,4");
    assert_selects(IN_TEXT("open", BOOL(1)), "1");
    assert_selects(IN_TEXT("open", BOOL(0)), "2");
    assert_selects(IN_TEXT("open", NUMBER(1)), "4");
    assert_selects(IN_TEXT("tags", TEXT("hot")), "1");
    assert_selects(IN_TEXT("tags", TEXT("old"), TEXT("new")), "1,2");
    assert_selects(IN_TEXT("a.b-c", TEXT("dotted")), "4");
    assert_selects(IN_TEXT("missing", TEXT("x")), "");
    assert_selects(RANGE("year", 2020, 2024, false, false), "1,2,5");
    assert_selects(RANGE("year", 2020, 2024, true, false), "1,5");
    assert_selects(RANGE("year", 2020, 2024, true, true), "5");
    assert_selects(RANGE("year", 2024, INFINITY, true, false), "3");
    assert_selects(RANGE("year", -INFINITY, 0, false, false), "7");
    assert_selects(RANGE("year", -INFINITY, INFINITY, false, false), "1,2,3,5,7");
    assert_selects(PREFIX("lang", "en"), "1,3,5");
    assert_selects(PREFIX("lang", "100%_\xc3\xbc"), "7");
    assert_selects(PREFIX("lang", "%"), "");
    assert_selects(PREFIX("lang", ""), "1,2,3,5,7");
    assert_selects(FIELD(BP_FILTER_EXISTS, "open"), "1,2,4");
    assert_selects(FIELD(BP_FILTER_EXISTS, "tags"), "1,2,3");
    assert_selects(FIELD(BP_FILTER_NOT_EXISTS, "lang"), "4,6");
    assert_selects(NODE(BP_FILTER_NOT, IN_TEXT("lang", TEXT("en"))), "2,3,4,6,7");
    assert_selects(NODE(BP_FILTER_AND, IN_TEXT("lang", TEXT("en")),
                        RANGE("year", 2023, 2025, false, false)),
                   "1");
    assert_selects(NODE(BP_FILTER_OR, IN_TEXT("lang", TEXT("de")), IN_TEXT("share", NUMBER(0.5))),
                   "1,2,5");
    assert_selects(NODE(BP_FILTER_AND,
                        NODE(BP_FILTER_OR, IN_TEXT("lang", TEXT("de")), IN_TEXT("open", BOOL(1))),
                        NODE(BP_FILTER_NOT, NODE(BP_FILTER_AND, FIELD(BP_FILTER_EXISTS, "tags"),
                                                 IN_TEXT("open", BOOL(0))))),
                   "1,5");
    assert_selects(NODE0(BP_FILTER_AND), "1,2,3,4,5,6,7");
    assert_selects(NODE0(BP_FILTER_OR), "");
}

static void wrong_filters_are_invalid(void **state)
{
    uint64_t count;
    (void)state;
    make_filter_points();
    assert_status(ops->count(call, self, BP_STR("f"), IN_TEXT("a\") OR 1 --", TEXT("x")), &count),
                  BP_INVALID);
    assert_status(ops->count(call, self, BP_STR("f"), FIELD(BP_FILTER_EXISTS, ""), &count),
                  BP_INVALID);
    assert_status(ops->count(call, self, BP_STR("f"), FIELD(77, "x"), &count), BP_INVALID);
    assert_status(ops->count(call, self, BP_STR("f"), NODE0(BP_FILTER_NOT), &count), BP_INVALID);
    assert_status(ops->count(call, self, BP_STR("f"), RANGE("x", NAN, 1, false, false), &count),
                  BP_INVALID);
}

/* ---- changing ---- */

static void a_point_written_again_replaces_all_three_parts(void **state)
{
    struct legs legs;
    uint64_t    count, removed = 0;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 1, X, "first words", "{\"v\":1}"));
    assert_ok(put("c", 1, Y, "second thing", "{\"v\":2}"));
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, 1);
    assert_string_equal(words_find("c", "first"), "");
    assert_string_equal(words_find("c", "second"), "1");
    assert_ok(find("c", Y, 3, "", IN_TEXT("v", NUMBER(2)), 10, &legs));
    assert_true(fabs(legs.vector.hits[0].score - 1) < 1e-6);
    assert_ok(put("c", 1, NULL, "third", ""));
    assert_ok(find("c", Y, 3, "", NULL, 10, &legs));
    assert_int_equal(legs.vector.hit_count, 0);
    assert_ok(put("c", 2, X, "third", "{\"v\":3}"));
    assert_ok(ops->remove(call, self, BP_STR("c"), (const uint64_t[]){ 1, 77 }, 2, NULL, &removed));
    assert_int_equal(removed, 1);
    assert_string_equal(words_find("c", "third"), "2");
    assert_ok(ops->remove(call, self, BP_STR("c"), NULL, 0, IN_TEXT("v", NUMBER(3)), &removed));
    assert_int_equal(removed, 1);
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, 0);
    assert_ok(find("c", X, 3, "third", NULL, 10, &legs));
    assert_int_equal(legs.vector.hit_count + legs.words.hit_count, 0);
}

static void everything_is_there_again_after_a_restart(void **state)
{
    struct legs           legs;
    const bp_vector_info *infos;
    size_t                count;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 7, XY, "some words", "{\"v\":1}"));
    assert_ok(put("c", 8, Z, "other words", ""));
    assert_ok(make("gone", 3, BP_COSINE, "en"));
    assert_ok(ops->drop(call, self, BP_STR("gone")));
    stop();
    begin_instance();
    assert_ok(ops->list(call, self, &infos, &count));
    assert_int_equal(count, 1);
    assert_int_equal(infos[0].count, 2);
    assert_true(infos[0].memory_bytes > 0);
    assert_ok(find("c", X, 3, "words", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "7,8");
    assert_string_equal(ids_of(&legs.words), "7,8");
    assert_status(make("c", 4, BP_COSINE, "en"), BP_CONFLICT);
}

struct walked {
    uint64_t last, count;
    bool     has_all;
};

static bp_status walk(bp_call *sink_call, void *arg, const bp_point *point)
{
    struct walked *walked = arg;
    (void)sink_call;
    assert_true(point->id > walked->last);
    walked->last = point->id;
    walked->count++;
    walked->has_all = walked->has_all && point->vector && fabsf(point->vector[0] - 1) < 1e-6f &&
                      bp_str_starts(point->words, "word ") &&
                      bp_str_starts(point->metadata, "{\"n\":");
    return BP_OK;
}

static void a_scroll_goes_through_all_points_by_rising_id(void **state)
{
    struct walked       walked = { .has_all = true };
    const bp_point_sink sink = { sizeof(sink), walk, &walked };
    bp_point           *points = BP_NEW_ARRAY(call, bp_point, 1000);
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    for (size_t i = 0; i < 1000; i++)
        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = 3 * (1000 - i),
                                .vector = X,
                                .words = bp_format(call, "word %zu", i),
                                .metadata = bp_format(call, "{\"n\":%zu}", i) };
    assert_ok(ops->upsert(call, self, BP_STR("c"), points, sizeof(bp_point), 1000));
    assert_ok(ops->scroll(call, self, BP_STR("c"), NULL, 0, 700, &sink));
    assert_int_equal(walked.count, 700);
    assert_int_equal(walked.last, 2100);
    assert_ok(ops->scroll(call, self, BP_STR("c"), NULL, walked.last, 700, &sink));
    assert_int_equal(walked.count, 1000);
    assert_true(walked.has_all);
    assert_ok(
        ops->scroll(call, self, BP_STR("c"), RANGE("n", 0, 9, false, false), 0, 10000,
                    &(bp_point_sink){ sizeof(sink), walk, &(struct walked){ .has_all = true } }));
    assert_status(ops->scroll(call, self, BP_STR("c"), NULL, 0, 0, &sink), BP_INVALID);
}

static bp_status append(bp_call *sink_call, void *arg, bp_str bytes)
{
    (void)sink_call;
    bp_buf_add(arg, bytes);
    return BP_OK;
}

static void a_snapshot_is_json_lines_of_everything(void **state)
{
    bp_buf            *out = bp_buf_new(call, 1 << 24);
    const bp_byte_sink sink = { sizeof(sink), append, out };
    size_t             lines = 0;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 1, XY, "quote \" back \\ line\nend \x01 \xc3\xbc", "{\"a\":[1,\"x\"]}"));
    assert_ok(put("c", 2, NULL, "", ""));
    for (uint64_t i = 3; i <= 400; i++)
        assert_ok(put("c", i, X, "w", ""));
    assert_ok(ops->snapshot(call, self, BP_STR("c"), &sink));
    for (bp_str rest = bp_buf_str(out); rest.len;) {
        const char    *end = memchr(rest.data, '\n', rest.len);
        const bp_json *line;
        assert_non_null(end);
        assert_ok(bp_json_parse(call, bp_str_n(rest.data, (size_t)(end - rest.data)), &line));
        if (lines == 0) {
            assert_int_equal(bp_json_integer(bp_json_get(line, "backplane_snapshot")), 1);
            assert_true(bp_str_is(bp_json_string(bp_json_get(line, "model")), "test-model"));
        } else if (lines == 1) {
            assert_true(bp_str_is(bp_json_string(bp_json_get(line, "words")),
                                  "quote \" back \\ line\nend \x01 \xc3\xbc"));
            assert_true(fabs(bp_json_number(bp_json_at(bp_json_get(line, "vector"), 0)) -
                             sqrt(0.5)) < 1e-6);
            assert_int_equal(bp_json_count(bp_json_get(bp_json_get(line, "metadata"), "a")), 2);
        } else if (lines == 2) {
            assert_int_equal(bp_json_type_of(bp_json_get(line, "vector")), BP_JSON_NULL);
        }
        lines++;
        rest = bp_str_n(end + 1, rest.len - (size_t)(end + 1 - rest.data));
    }
    assert_int_equal(lines, 401);
}

static void two_generations_of_a_process_share_one_store(void **state)
{
    const testhost_option options[] = { { "path", "store" } };
    testhost_instance    *second = testhost_instance_create(host, plugin, "second", options, 1);
    struct legs           legs;
    (void)state;
    assert_non_null(second);
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 1, X, "words", ""));
    self = testhost_self(second);
    assert_ok(find("c", X, 3, "words", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "1");
    testhost_instance_destroy(second);
    self = testhost_self(instance);
    assert_ok(put("c", 2, X, "words", ""));
}

static void another_process_is_told_who_has_the_store(void **state)
{
    const testhost_option options[] = { { "path", "store" } };
    int                   status, ends[2];
    char                  who[64], ready;
    pid_t                 child;
    (void)state;
    stop();
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) { /* holds the store until it is killed */
        begin_instance();
        if (write(ends[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    snprintf(who, sizeof(who), "in use by process %d", (int)child);
    assert_null(testhost_instance_create(host, plugin, "late", options, 1));
    assert_non_null(strstr(testhost_problem(host), who));
    assert_non_null(strstr(testhost_problem(host), "--url"));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    close(ends[0]);
    close(ends[1]);
    begin_instance(); /* the lock went with its process */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_instance, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_collection_is_pinned_to_its_schema),
        TEST(the_nearest_vectors_come_first_and_ties_by_id),
        TEST(wrong_points_and_queries_are_refused_whole),
        TEST(words_are_found_by_stem_rarity_and_any_of_them),
        TEST(what_looks_like_match_syntax_is_only_words),
        TEST(languages_without_blanks_are_found_by_parts_of_words),
        TEST(both_legs_answer_one_query),
        TEST(every_filter_selects_what_it_says),
        TEST(wrong_filters_are_invalid),
        TEST(a_point_written_again_replaces_all_three_parts),
        TEST(everything_is_there_again_after_a_restart),
        TEST(a_scroll_goes_through_all_points_by_rising_id),
        TEST(a_snapshot_is_json_lines_of_everything),
        TEST(two_generations_of_a_process_share_one_store),
        TEST(another_process_is_told_who_has_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

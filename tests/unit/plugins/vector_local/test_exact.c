/* test_exact.c - vector/local: scores, figures and refusals compared exactly, and nothing taken for
 * success that had too little memory.
 */
#include "plugins/vector_local/vector_words.h"

static void scores_are_those_of_the_metric(void **state)
{
    (void)state;
    assert_ok(make("cosine", 2, BP_COSINE, "en"));
    assert_ok(make("inner", 2, BP_INNER_PRODUCT, "en"));
    assert_ok(make("distance", 2, BP_L2, "de"));
    put_four("cosine");
    put_four("inner");
    put_four("distance");
    assert_string_equal(found("cosine", both, "", NULL, 10),
                        "3 1.0000, 2 0.8000, 1 0.6000, 4 -0.6000, (exact, 4 rows) (none, 0 rows)");
    assert_string_equal(found("inner", both, "", NULL, 10),
                        "3 25.0000, 2 8.0000, 1 3.0000, 4 -3.0000, (exact, 4 rows) (none, 0 rows)");
    assert_string_equal(found("distance", both, "", NULL, 10),
                        "3 -0.0000, 2 -3.6056, 1 -4.4721, 4 -5.6569, (exact, 4 rows) (none, 0 "
                        "rows)");
    assert_string_equal(found("cosine", both, "moss ivy", NULL, 2),
                        "3 1.0000, 2 0.8000, (exact, 4 rows) 2 0.4956, 1 0.3053, (exact, 2 rows)");
    assert_string_equal(found("cosine", NULL, "moss moss ferns", NULL, 10),
                        "(none, 0 rows) 3 1.2977, 1 0.6105, 2 0.4956, (exact, 3 rows)");
    assert_string_equal(found("cosine", NULL, "the of", NULL, 10),
                        "(none, 0 rows) (exact, 0 rows)");
    assert_string_equal(found("cosine", NULL, "?", NULL, 10), "(none, 0 rows) (exact, 0 rows)");
    assert_string_equal(found("cosine", both, "moss ivy", RANGE("n", 2, 3, false, true), 10),
                        "2 0.8000, (filtered, 1 rows) 2 0.4956, (exact, 1 rows)");
    assert_string_equal(found("cosine", both, "moss", RANGE("n", 9, 10, false, false), 10),
                        "(filtered, 0 rows) (exact, 0 rows)");
    assert_string_equal(found("cosine", both, "", NULL, 1),
                        "3 1.0000, (exact, 4 rows) (none, 0 rows)");
    assert_string_equal(found("cosine", NULL, "", NULL, 1), "(none, 0 rows) (none, 0 rows)");
    assert_string_equal(found("cosine", both, "", NULL, 0),
                        "invalid: a search gives 1 to 10000 hits, not 0");
    assert_string_equal(found("cosine", both, "", NULL, 10001),
                        "invalid: a search gives 1 to 10000 hits, not 10001");
    assert_string_equal(found("none", both, "", NULL, 1),
                        "not_found: there is no collection \"none\"");
    assert_ok(put("cosine", 3, NULL, "ferns", ""));
    assert_ok(put("cosine", 5, both, "ivy", ""));
    assert_string_equal(found("cosine", both, "ferns", NULL, 10),
                        "5 1.0000, 2 0.8000, 1 0.6000, 4 -0.6000, (exact, 4 rows) 3 1.2440, "
                        "(exact, 1 rows)");
}

static void points_go_by_id_and_by_filter(void **state)
{
    uint64_t       removed = 99, count = 99;
    const uint64_t ids[] = { 1, 0, UINT64_MAX, 77, 1, 2 };

    (void)state;
    assert_ok(make("c", 2, BP_COSINE, "en"));
    put_four("c");
    assert_ok(ops->remove(call, self, BP_STR("c"), ids, 6, NULL, &removed));
    assert_int_equal(removed, 2);
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, 3);
    assert_string_equal(found("c", east, "moss ivy", NULL, 10),
                        "3 0.6000, 4 -1.0000, (exact, 1 rows) 5 0.3625, (exact, 1 rows)");
    assert_ok(ops->remove(call, self, BP_STR("c"), ids, 0, NULL, &removed));
    assert_int_equal(removed, 0);
    assert_ok(ops->remove(call, self, BP_STR("c"), NULL, 0, FIELD(BP_FILTER_EXISTS, "n"), NULL));
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, 1);
    assert_string_equal(found("c", east, "ivy", NULL, 10),
                        "4 -1.0000, (exact, 0 rows) (exact, 0 rows)");
    assert_string_equal(told(ops->remove(call, self, BP_STR("c"), NULL, 0, NULL, &removed)),
                        "invalid: say which points to delete: by their ids or by a filter; drop() "
                        "deletes all");
    assert_string_equal(told(ops->remove(call, self, BP_STR("x"), ids, 1, NULL, &removed)),
                        "not_found: there is no collection \"x\"");
    assert_string_equal(told(ops->count(call, self, BP_STR("x"), NULL, &count)),
                        "not_found: there is no collection \"x\"");
    assert_string_equal(told(ops->upsert(call, self, BP_STR("x"), NULL, 0, 0)),
                        "not_found: there is no collection \"x\"");
    assert_string_equal(told(ops->upsert(call, self, BP_STR("c"), NULL, 0, 0)), "ok");
    assert_string_equal(told(ops->upsert(call, self, BP_STR("c"), NULL, 0, 10001)),
                        "too_large: 10001 points were given, at most 10000 can be written at once");
    assert_string_equal(told(put("c", 0, east, "", "")),
                        "invalid: a point's id is 1 to 2^63 - 1, not 0");
    assert_string_equal(told(put("c", (uint64_t)INT64_MAX + 1, east, "", "")),
                        "invalid: a point's id is 1 to 2^63 - 1, not 9223372036854775808");
    assert_string_equal(told(put("c", INT64_MAX, east, "", "")), "ok");
    assert_string_equal(told(put("c", 6, (const float[]){ 0, 0 }, "", "")),
                        "invalid: point 6: its vector is zero or not finite");
    assert_string_equal(told(put("c", 6, (const float[]){ NAN, 0 }, "", "")),
                        "invalid: point 6: its vector is zero or not finite");
    assert_ok(make("l2", 2, BP_L2, "en"));
    assert_string_equal(told(put("l2", 6, (const float[]){ 0, 0 }, "", "")), "ok");
    assert_string_equal(told(put("l2", 6, (const float[]){ INFINITY, 0 }, "", "")),
                        "invalid: point 6: its vector is not finite");
}

static void many_are_removed_by_a_filter(void **state)
{
    enum { COUNT = 1100 };
    bp_point *points = BP_NEW_ARRAY(call, bp_point, COUNT);
    uint64_t  removed = 0, count = 0;

    (void)state;
    assert_ok(make("c", 2, BP_COSINE, "en"));
    for (uint64_t i = 0; i < COUNT; i++)
        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = i + 1,
                                .vector = i % 2 ? east : north,
                                .words = BP_STR("w"),
                                .metadata = bp_format(call, "{\"n\":%llu}",
                                                      (unsigned long long)i) };
    assert_ok(ops->upsert(call, self, BP_STR("c"), points, sizeof(points[0]), COUNT));
    assert_ok(ops->upsert(call, self, BP_STR("c"), points, sizeof(points[0]), COUNT));
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, COUNT);
    stop(); // at the start they come one by one, and the table of ids grows with them
    begin_instance();
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, COUNT);
    assert_ok(
        ops->remove(call, self, BP_STR("c"), NULL, 0, RANGE("n", 10, 1090, false, true), &removed));
    assert_int_equal(removed, 1080);
    assert_ok(ops->count(call, self, BP_STR("c"), NULL, &count));
    assert_int_equal(count, 20);
    assert_string_equal(found("c", east, "", NULL, 100),
                        "2 1.0000, 4 1.0000, 6 1.0000, 8 1.0000, 10 1.0000, 1092 1.0000, 1094 "
                        "1.0000, 1096 1.0000, 1098 1.0000, 1100 1.0000, 1 0.0000, 3 0.0000, 5 "
                        "0.0000, 7 0.0000, 9 0.0000, 1091 0.0000, 1093 0.0000, 1095 0.0000, 1097 "
                        "0.0000, 1099 0.0000, (exact, 20 rows) (none, 0 rows)");
}

static void collections_are_listed_and_dropped(void **state)
{
    bp_str owner;

    (void)state;
    assert_string_equal(listed(), "");
    assert_ok(make("b", 2, BP_COSINE, "en"));
    assert_ok(make("a", 3, BP_L2, "de"));
    put_four("b");
    assert_string_equal(listed(), "a test-model de 3 2 0 0 some;b test-model en 2 0 5 0 some;");
    assert_string_equal(told(make("b", 3, BP_COSINE, "en")),
                        "conflict: the collection \"b\" has vectors of 2 dimensions, not 3");
    assert_string_equal(told(make("b", 2, BP_L2, "en")),
                        "conflict: the collection \"b\" measures by cosine, not by l2");
    assert_string_equal(told(make("b", 2, BP_COSINE, "de")),
                        "conflict: the collection \"b\" was made for the language \"en\", not for "
                        "\"de\"");
    assert_string_equal(told(make("b", 2, BP_COSINE, "en")), "ok");
    assert_string_equal(told(make("", 2, BP_COSINE, "en")),
                        "invalid: \"\" cannot be the name of a collection: 1 to 128 of A-Z a-z 0-9 "
                        "_ . -");
    assert_string_equal(told(make("a b", 2, BP_COSINE, "en")),
                        "invalid: \"a b\" cannot be the name of a collection: 1 to 128 of A-Z a-z "
                        "0-9 _ . -");
    assert_string_equal(told(make("z", 0, BP_COSINE, "en")),
                        "invalid: a vector has 1 to 65536 dimensions in this store, not 0");
    assert_string_equal(told(make("z", 65537, BP_COSINE, "en")),
                        "invalid: a vector has 1 to 65536 dimensions in this store, not 65537");
    assert_string_equal(told(make("z", 2, (bp_metric_kind)3, "en")),
                        "invalid: there is no metric with the number 3");
    assert_string_equal(told(make("z", 65536, BP_COSINE, "")), "ok");
    assert_ok(ops->owner(call, self, BP_STR("b"), &owner));
    assert_int_equal(owner.len, 0);
    assert_string_equal(told(ops->owner(call, self, BP_STR("x"), &owner)),
                        "not_found: there is no collection \"x\"");
    assert_string_equal(told(ops->drop(call, self, BP_STR("x"))),
                        "not_found: there is no collection \"x\"");
    assert_string_equal(told(ops->drop(call, self, BP_STR("b"))), "ok");
    assert_string_equal(told(ops->drop(call, self, BP_STR("b"))),
                        "not_found: there is no collection \"b\"");
    assert_string_equal(listed(), "a test-model de 3 2 0 0 some;z test-model en 65536 0 0 0 some;");
    assert_ok(make("b", 2, BP_COSINE, "en"));
    assert_string_equal(found("b", east, "moss", NULL, 10), "(exact, 0 rows) (exact, 0 rows)");
    assert_string_equal(told(ops->maintain(call, self, BP_STR("vacuum"))), "ok");
    assert_string_equal(told(ops->maintain(call, self, BP_STR("polish"))),
                        "invalid: \"polish\" cannot be done; vacuum can");
}

static void points_are_scrolled_and_copied(void **state)
{
    bp_buf            *buf = bp_buf_new(call, 1 << 16);
    const bp_byte_sink sink = { .struct_size = sizeof(sink), .write = note_bytes, .self = buf };

    (void)state;
    assert_ok(make("c", 2, BP_COSINE, "en"));
    put_four("c");
    assert_string_equal(scrolled(0, 10, NULL),
                        "1 1,0 'moss grows' {\"n\":1,\"t\":\"a\"};2 0,1 'moss and ivy' {\"n\":2};3 "
                        "0.6,0.8 'ferns' {\"n\":3,\"l\":[\"x\",7,true]};4 -1,0 '' {};5 0,0 'ivy "
                        "only' {\"n\":-1.5};");
    assert_string_equal(scrolled(2, 2, NULL),
                        "3 0.6,0.8 'ferns' {\"n\":3,\"l\":[\"x\",7,true]};4 -1,0 '' {};");
    assert_string_equal(scrolled(5, 2, NULL), "");
    assert_string_equal(scrolled(0, 1, RANGE("n", 2, 3, false, false)),
                        "2 0,1 'moss and ivy' {\"n\":2};");
    assert_string_equal(scrolled(0, 0, NULL), "invalid: a scroll gives 1 to 10000 points, not 0");
    assert_string_equal(scrolled(0, 10001, NULL),
                        "invalid: a scroll gives 1 to 10000 points, not 10001");
    assert_string_equal(scrolled(UINT64_MAX, 1, NULL), "");
    assert_ok(ops->snapshot(call, self, BP_STR("c"), &sink));
    assert_string_equal(bp_buf_str(buf).data,
                        "{\"backplane_snapshot\":1,\"collection\":\"c\",\"dimensions\":2,"
                        "\"metric\":\"cosine\",\"model\":\"test-model\",\"language\":\"en\"}\n"
                        "{\"id\":1,\"vector\":[1,0],\"words\":\"moss "
                        "grows\",\"metadata\":{\"n\":1,\"t\":\"a\"}}\n"
                        "{\"id\":2,\"vector\":[0,1],\"words\":\"moss and "
                        "ivy\",\"metadata\":{\"n\":2}}\n"
                        "{\"id\":3,\"vector\":[0.600000024,0.800000012],\"words\":\"ferns\","
                        "\"metadata\":{\"n\":3,\"l\":[\"x\",7,true]}}\n"
                        "{\"id\":4,\"vector\":[-1,0],\"words\":\"\",\"metadata\":{}}\n"
                        "{\"id\":5,\"vector\":null,\"words\":\"ivy "
                        "only\",\"metadata\":{\"n\":-1.5}}\n");
    assert_string_equal(told(ops->snapshot(call, self, BP_STR("x"), &sink)),
                        "not_found: there is no collection \"x\"");
}

static void less_memory_is_no_other_answer(void **state)
{
    char whole[2048];

    (void)state;
    assert_ok(make("c", 2, BP_COSINE, "en"));
    put_four("c");
    snprintf(whole, sizeof(whole), "%s",
             found("c", both, "moss ivy", RANGE("n", 0, 3, false, false), 10));
    for (size_t most = 0; most < 12000; most += 64) {
        struct legs legs;
        bp_status   status;

        next_call();
        testhost_call_memory(call, most);
        status = find("c", both, 2, "moss ivy", RANGE("n", 0, 3, false, false), 10, &legs);
        testhost_call_memory(call, SIZE_MAX);
        if (status == BP_OK)
            assert_string_equal(bp_format(call, "%s %s", leg_of(&legs.vector), leg_of(&legs.words))
                                    .data,
                                whole);
    }
}

/* One of the reads of "c", as a text. */
static const char *read_with(int which, size_t most)
{
    const bp_vector_info *infos;
    bp_buf               *buf = bp_buf_new(call, 1 << 16);
    const bp_point_sink   points = { .struct_size = sizeof(points),
                                     .point = note_point,
                                     .self = buf };
    const bp_byte_sink bytes = { .struct_size = sizeof(bytes), .write = note_bytes, .self = buf };
    const bp_filter   *filter = NODE(BP_FILTER_OR, RANGE("n", 2, 3, false, false),
                                     IN_TEXT("t", TEXT("a"), TEXT("b")), PREFIX("t", "a"));
    uint64_t           count = 0;
    size_t             listed_count = 0;
    bp_status          status;

    bp_buf_addf(buf, "%d: ", which);
    testhost_call_memory(call, most);
    status = which == 0   ? ops->count(call, self, BP_STR("c"), filter, &count)
             : which == 1 ? ops->scroll(call, self, BP_STR("c"), filter, 0, 10, &points)
             : which == 2 ? ops->snapshot(call, self, BP_STR("c"), &bytes)
                          : ops->list(call, self, &infos, &listed_count);
    testhost_call_memory(call, SIZE_MAX);
    bp_buf_addf(buf, "count %llu, listed %zu", (unsigned long long)count, listed_count);
    return status == BP_OK && bp_buf_status(buf) == BP_OK ? bp_buf_str(buf).data : "failed";
}

static void less_memory_reads_no_less(void **state)
{
    (void)state;
    assert_ok(make("c", 2, BP_COSINE, "en"));
    put_four("c");
    for (int which = 0; which < 4; which++) {
        char whole[2048];

        next_call();
        snprintf(whole, sizeof(whole), "%s", read_with(which, SIZE_MAX));
        assert_string_not_equal(whole, "failed");
        for (size_t most = 100, whole_ones = 0; whole_ones < 3; most += 16) {
            const char *text;

            next_call();
            text = read_with(which, most);
            if (strcmp(text, "failed") == 0)
                continue;
            assert_string_equal(text, whole);
            whole_ones++;
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_instance, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scores_are_those_of_the_metric), TEST(points_go_by_id_and_by_filter),
        TEST(many_are_removed_by_a_filter),   TEST(collections_are_listed_and_dropped),
        TEST(points_are_scrolled_and_copied), TEST(less_memory_is_no_other_answer),
        TEST(less_memory_reads_no_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

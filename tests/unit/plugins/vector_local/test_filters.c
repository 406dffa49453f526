/* test_filters.c - vector/local, filter_sql.c: how many values a filter may have, which of them
 * equal a number, and bounds; and pages of a scroll, and words that are looked for by reading.
 */
#include "plugins/vector_local/vector_file.h"

static const float east[] = { 1, 0 };

static bp_status note_id(bp_call *of, void *arg, const bp_point *point)
{
    (void)of;
    bp_buf_addf(arg, "%llu ", (unsigned long long)point->id);
    return BP_OK;
}

/* The ids that a filter selects, in order, or why it cannot. */
static const char *selected(const bp_filter *filter)
{
    bp_buf             *buf = bp_buf_new(call, 1 << 20);
    const bp_point_sink sink = { .struct_size = sizeof(sink), .point = note_id, .self = buf };
    bp_status           status = ops->scroll(call, self, BP_STR("c"), filter, 0, 10000, &sink);

    return status != BP_OK ? told(status) : bp_buf_str(buf).len ? bp_buf_str(buf).data : "";
}

#define INTEGER(digits)                                                                            \
    {                                                                                              \
        .type = BP_VALUE_NUMBER, .is_integer = 1, .text = BP_STR(#digits),                         \
        .number = (double)(digits)                                                                 \
    }

/* 1 and 2 are one number as doubles. */
static void put_numbers(void)
{
    static const char *const metadata[] = {
        "{\"n\":9007199254740992}",
        "{\"n\":9007199254740993}",
        "{\"n\":9007199254740992.0}",
        "{\"n\":3}",
        "{\"n\":3.0}",
        "{\"n\":2.5}",
        "{\"n\":true}",
        "{\"n\":\"3\"}",
        "{\"n\":[3,9,\"x\"]}",
        "{\"n\":[]}",
        "{\"n\":0}",
        "{\"n\":false}",
    };

    assert_ok(make("c", 2, BP_COSINE, "en"));
    for (size_t i = 0; i < sizeof(metadata) / sizeof(metadata[0]); i++)
        assert_ok(put("c", i + 1, east, "moss", metadata[i]));
}

static const bp_filter *between(int64_t low, int64_t high, bool low_exclusive, bool high_exclusive)
{
    bp_filter *filter = BP_NEW(call, bp_filter);

    *filter = *RANGE("n", (double)low, (double)high, low_exclusive, high_exclusive);
    filter->is_low_integer = filter->is_high_integer = true;
    filter->low_integer = low;
    filter->high_integer = high;
    return filter;
}

static void a_value_equals_what_is_of_its_sort(void **state)
{
    const int64_t big = INT64_C(9007199254740992);

    (void)state;
    put_numbers();
    assert_string_equal(selected(IN_TEXT("n", INTEGER(9007199254740992))), "1 3 ");
    assert_string_equal(selected(IN_TEXT("n", INTEGER(9007199254740993))), "2 ");
    assert_string_equal(selected(IN_TEXT("n", NUMBER(9007199254740992.0))), "1 2 3 ");
    assert_string_equal(selected(IN_TEXT("n", INTEGER(3))), "4 5 9 ");
    assert_string_equal(selected(IN_TEXT("n", NUMBER(3))), "4 5 9 ");
    assert_string_equal(selected(IN_TEXT("n", NUMBER(2.5), INTEGER(9))), "6 9 ");
    assert_string_equal(selected(IN_TEXT("n", TEXT("3"))), "8 ");
    assert_string_equal(selected(IN_TEXT("n", TEXT("x"), TEXT("3"))), "8 9 ");
    assert_string_equal(selected(IN_TEXT("n", BOOL(1))), "7 ");
    assert_string_equal(selected(IN_TEXT("n", BOOL(0))), "12 ");
    assert_string_equal(selected(
                            IN_TEXT("n", BOOL(0), BOOL(1), INTEGER(0), NUMBER(2.5), TEXT("x"))),
                        "6 7 9 11 12 ");
    assert_string_equal(selected(FIELD(BP_FILTER_IN, "n")), "");
    assert_string_equal(selected(between(big, big, false, false)), "1 3 ");
    assert_string_equal(selected(between(big, big + 1, true, false)), "2 ");
    assert_string_equal(selected(between(big, big + 1, false, true)), "1 3 ");
    assert_string_equal(selected(RANGE("n", 9007199254740992.0, INFINITY, false, false)), "1 2 3 ");
    assert_string_equal(selected(RANGE("n", 2.5, 3, false, false)), "4 5 6 9 ");
    assert_string_equal(selected(RANGE("n", 2.5, 3, true, false)), "4 5 9 ");
    assert_string_equal(selected(RANGE("n", 2.5, 3, false, true)), "6 ");
    assert_string_equal(selected(RANGE("n", -INFINITY, 0, false, false)), "11 ");
    assert_string_equal(selected(RANGE("n", -INFINITY, 0, false, true)), "");
    assert_string_equal(selected(RANGE("n", -INFINITY, INFINITY, true, true)), "1 2 3 4 5 6 9 11 ");
    assert_string_equal(selected(PREFIX("n", "x")), "9 ");
}

/* `count` values, the last of which is that of point 4. */
static const bp_filter *of_values(size_t count)
{
    bp_filter *filter = BP_NEW(call, bp_filter);
    bp_value  *values = BP_NEW_ARRAY(call, bp_value, count);

    for (size_t i = 0; i < count; i++)
        values[i] = (bp_value){ .type = BP_VALUE_NUMBER,
                                .number = i + 1 < count ? 100.5 + i : 2.5 };
    *filter = *FIELD(BP_FILTER_IN, "n");
    filter->values = values;
    filter->value_count = count;
    return filter;
}

static void a_filter_has_as_many_values_as_a_statement_takes(void **state)
{
    static const size_t few[] = { 1, 13, 14, 15, 29, 30, 31, 4093 };

    (void)state;
    put_numbers();
    /* Beside the values a scroll has three: the path of the field, the id and the limit. */
    for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
        assert_string_equal(selected(of_values(few[i])), "6 ");
    for (size_t count = 4094; count < 4100; count++)
        assert_string_equal(selected(of_values(count)), "too_large: the filter is too large");
}

/* No memory is no filter that is too large. */
static void a_filter_that_finds_no_memory_says_so(void **state)
{
    const bp_filter *filter;
    bp_status        status;

    (void)state;
    put_numbers();
    filter = of_values(2100);
    testhost_call_memory(call, 200000);
    status = ops->count(call, self, BP_STR("c"), filter, &(uint64_t){ 0 });
    testhost_call_memory(call, SIZE_MAX);
    assert_string_equal(told(status), "no_memory: the filter is too large");
}

/* ---- pages ---- */

struct watched {
    uint64_t count, last, bytes, stop_at;
};

static bp_status watch(bp_call *of, void *arg, const bp_point *point)
{
    struct watched *watched = arg;

    assert_int_equal(point->id, watched->last + 1);
    watched->last = point->id;
    watched->bytes += point->words.len;
    watched->count++;
    if (watched->count == watched->stop_at)
        return bp_fail(of, BP_CONFLICT, "enough");
    return BP_OK;
}

static struct watched walked(uint32_t limit, uint64_t stop_at, bp_status wanted)
{
    struct watched      watched = { .stop_at = stop_at };
    const bp_point_sink sink = { .struct_size = sizeof(sink), .point = watch, .self = &watched };

    assert_status(ops->scroll(call, self, BP_STR("c"), NULL, 0, limit, &sink), wanted);
    return watched;
}

static void put_many(size_t count, bp_str words)
{
    bp_point *points = BP_NEW_ARRAY(call, bp_point, count);

    assert_ok(make("c", 2, BP_COSINE, "en"));
    for (size_t i = 0; i < count; i++)
        points[i] = (bp_point){ .struct_size = sizeof(bp_point), .id = i + 1, .words = words };
    assert_ok(ops->upsert(call, self, BP_STR("c"), points, sizeof(points[0]), count));
}

static void a_scroll_gives_what_was_asked_for_at_each_edge_of_a_page(void **state)
{
    static const uint32_t limits[] = { 1, 255, 256, 257, 511, 512, 513, 599, 600, 601, 10000 };

    (void)state;
    put_many(600, BP_STR("w"));
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        assert_int_equal(walked(limits[i], 0, BP_OK).count, limits[i] < 600 ? limits[i] : 600);
    assert_int_equal(walked(600, 1, BP_CONFLICT).count, 1);
    assert_int_equal(walked(600, 256, BP_CONFLICT).count, 256);
    assert_int_equal(walked(600, 257, BP_CONFLICT).count, 257);
    assert_string_equal(told(BP_CONFLICT), "conflict: enough");
}

/* A page ends behind 4 MiB, too. */
static void points_of_many_bytes_are_all_there(void **state)
{
    enum { LONG = 700000, COUNT = 13 };
    char          *words = BP_NEW_ARRAY(call, char, LONG + 1);
    struct watched watched;

    (void)state;
    memset(words, 'w', LONG);
    put_many(COUNT, bp_str_n(words, LONG));
    watched = walked(10000, 0, BP_OK);
    assert_int_equal(watched.count, COUNT);
    assert_int_equal(watched.bytes, COUNT * LONG);
    assert_int_equal(walked(7, 0, BP_OK).count, 7);
}

/* ---- words by reading: terms of one or two characters of a language without blanks ---- */

static void short_terms_are_counted_in_the_passages(void **state)
{
    struct legs legs;

    (void)state;
    assert_ok(make("ja", 2, BP_COSINE, "ja"));
    assert_ok(put("ja", 1, east, "AB xy", "{\"n\":1}"));
    assert_ok(put("ja", 2, NULL, "ab", "{\"n\":2}"));
    assert_ok(put("ja", 3, NULL, "none of them", "{\"n\":3}"));
    assert_ok(put("ja", 4, NULL, "xy ab ab", "{\"n\":4}"));
    assert_ok(find("ja", NULL, 0, "ab xy", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.words), "1,4,2");
    assert_int_equal(legs.words.rows_read, 3);
    assert_true(legs.words.hits[0].score == 2 && legs.words.hits[1].score == 2 &&
                legs.words.hits[2].score == 1);
    assert_ok(find("ja", NULL, 0, "ab xy", NULL, 2, &legs));
    assert_string_equal(ids_of(&legs.words), "1,4");
    assert_ok(find("ja", NULL, 0, "ab xy", RANGE("n", 2, 4, false, false), 10, &legs));
    assert_string_equal(ids_of(&legs.words), "4,2");
    assert_ok(find("ja", NULL, 0, "none", RANGE("n", 2, 4, false, true), 10, &legs));
    assert_string_equal(ids_of(&legs.words), "3");
}

static void a_query_is_of_the_dimensions_of_its_collection(void **state)
{
    struct legs legs;

    (void)state;
    assert_ok(make("c", 2, BP_COSINE, "en"));
    assert_string_equal(told(find("c", east, 1, "", NULL, 1, &legs)),
                        "invalid: the collection \"c\" has vectors of 2 dimensions, the query has "
                        "1: it is of another embedder");
    assert_string_equal(told(find("c", east, 3, "", NULL, 1, &legs)),
                        "invalid: the collection \"c\" has vectors of 2 dimensions, the query has "
                        "3: it is of another embedder");
    assert_string_equal(told(find("c", (const float[]){ 0, 0 }, 2, "", NULL, 1, &legs)),
                        "invalid: the query's vector is zero or not finite");
    assert_string_equal(told(find("c", east, 2, "moss", of_values(5000), 1, &legs)),
                        "too_large: the filter is too large");
    assert_string_equal(told(find("c", NULL, 0, "moss", of_values(5000), 1, &legs)),
                        "too_large: the filter is too large");
    assert_string_equal(told(ops->remove(call, self, BP_STR("c"), NULL, 0, of_values(5000), NULL)),
                        "too_large: the filter is too large");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_instance, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_value_equals_what_is_of_its_sort),
        TEST(a_filter_has_as_many_values_as_a_statement_takes),
        TEST(a_filter_that_finds_no_memory_says_so),
        TEST(a_scroll_gives_what_was_asked_for_at_each_edge_of_a_page),
        TEST(points_of_many_bytes_are_all_there),
        TEST(short_terms_are_counted_in_the_passages),
        TEST(a_query_is_of_the_dimensions_of_its_collection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

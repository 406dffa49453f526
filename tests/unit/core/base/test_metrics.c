/* test_metrics.c - the registry: what is a definition, which series is whose, and the text that
 * Prometheus reads, to the byte. The file under test is compiled in, so that its tables can be
 * seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int pieces; /* of heap memory that the registry holds */

static void count_free(void *piece)
{
    pieces -= piece != NULL;
    free(piece);
}

#include "base/must.h"
static void *count_must_have(size_t size, const char *purpose)
{
    assert_string_equal(purpose, "a counter of /metrics");
    pieces++;
    return must_have(size, purpose);
}

static char *count_must_copy(const char *text, size_t len, const char *purpose)
{
    pieces++;
    return must_copy(text, len, purpose);
}

#define free      count_free
#define must_have count_must_have
#define must_copy count_must_copy
#include "core/lock_watch.h"
#include "base/metrics.c"
#include "core/lock_watch_end.h"
#undef free

static struct bp_buf out;

static int begin(void **state)
{
    (void)state;
    pieces = 0;
    buf_init(&out, NULL, 4 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    metrics_clear();
    return pieces || locks_made || locks_held || registry.first || registry.collectors ||
           registry.last != &registry.first;
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void expect_text(const char *wanted)
{
    buf_reset(&out);
    metrics_render(&out);
    assert_string_equal(buf_str(&out).data, wanted);
}

/* ---- definitions ---- */

static void names_are_those_that_prometheus_takes(void **state)
{
    static const struct {
        const char *name;
        bool        is_metric, is_label;
    } names[] = { { "", false, false },   { "a", true, true },         { "_", true, true },
                  { "A_9z", true, true }, { "9a", false, false },      { "a:b", true, false },
                  { ":a", false, false }, { "a-b", false, false },     { "a.b", false, false },
                  { "a ", false, false }, { "\xc3\xa9", false, false } };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(is_name(names[i].name, true), names[i].is_metric);
        assert_int_equal(is_name(names[i].name, false), names[i].is_label);
        assert_int_equal(metrics_define(METRIC_GAUGE, names[i].name, "", "") != NULL,
                         names[i].is_metric);
    }
    assert_null(metrics_define(METRIC_GAUGE, "b", "", "good a:b"));
    assert_null(metrics_define(METRIC_GAUGE, "b", "", "9"));
    assert_null(metrics_define(METRIC_GAUGE, "b", "", "1 2 3 4 5 6 7 8"));
    assert_null(metrics_define(METRIC_GAUGE, "b", "", "a b c d e f g h"));
    assert_non_null(metrics_define(METRIC_GAUGE, "b", "", "a b c d e f g"));
}

static void a_definition_is_the_same_in_type_and_labels_or_none(void **state)
{
    struct metric_family *family = metrics_define(METRIC_COUNTER, "f", "help", "a b");
    int                   held = pieces;

    (void)state;
    assert_non_null(family);
    assert_ptr_equal(metrics_define(METRIC_COUNTER, "f", "other help", " a  b "), family);
    assert_null(metrics_define(METRIC_GAUGE, "f", "help", "a b"));
    assert_null(metrics_define(METRIC_HISTOGRAM, "f", "help", "a b"));
    assert_null(metrics_define(METRIC_COUNTER, "f", "help", "a"));
    assert_null(metrics_define(METRIC_COUNTER, "f", "help", "a b c"));
    assert_null(metrics_define(METRIC_COUNTER, "f", "help", "a c"));
    assert_null(metrics_define(METRIC_COUNTER, "f", "help", "c b"));
    assert_null(metrics_define(METRIC_COUNTER, "f", "help", "b a"));
    assert_int_equal(pieces, held); // nothing is left of those
    assert_ptr_not_equal(metrics_define(METRIC_COUNTER, "g", "help", "a b"), family);
    assert_ptr_equal(metrics_define(METRIC_COUNTER, "f", "help", "a b"), family);
    assert_ptr_equal(registry.first, family);
    assert_string_equal(family->next->name, "g"); // in the order in which they came
    assert_ptr_equal(registry.last, &family->next->next);
    assert_null(metrics_single(METRIC_GAUGE, "f", "help"));
    assert_null(metrics_single(METRIC_COUNTER, "9", "help"));
}

/* ---- series ---- */

static void a_series_is_found_by_all_its_labels(void **state)
{
    struct metric_family *family = metrics_define(METRIC_COUNTER, "f", "", "a b");
    const bp_str          xy[] = { BP_STR("x"), BP_STR("y") }, yx[] = { BP_STR("y"), BP_STR("x") },
                 split[] = { BP_STR("xy"), BP_STR("") }, other[] = { BP_STR("x"), BP_STR("z") };
    struct metric_series *series = metrics_series(family, xy, 2);

    (void)state;
    assert_non_null(series);
    assert_ptr_equal(metrics_series(family, xy, 2), series);
    assert_ptr_not_equal(metrics_series(family, yx, 2), series);
    assert_ptr_not_equal(metrics_series(family, split, 2), series);
    assert_ptr_not_equal(metrics_series(family, other, 2), series);
    assert_int_equal(family->series_count, 4);
    assert_null(metrics_series(family, xy, 1)); // not as many as it has labels
    assert_int_equal(family->series_count, 4);
    assert_int_equal(series->label_count, 2);
    assert_string_equal(series->labels[0].data, "x");
    assert_int_equal(series->labels[1].len, 1);
    assert_null(series->buckets);
    assert_true(slot_of(xy, 2) != slot_of(yx, 2));
    assert_true(slot_of(xy, 2) != slot_of(split, 2)); // where one ends counts
    assert_int_equal(slot_of(NULL, 0), 2166136261u % 256);
    assert_int_equal(slot_of(xy, 1),
                     ((((2166136261u ^ 'x') * 16777619u) ^ 0xFFu) * 16777619u) % 256);
    assert_ptr_equal(family->slots[slot_of(other, 2)]->labels[1].data[0] == 'z'
                         ? family->slots[slot_of(other, 2)]
                         : NULL,
                     metrics_series(family, other, 2));
}

static void combinations_beyond_the_cap_share_one(void **state)
{
    struct metric_family *family = metrics_define(METRIC_COUNTER, "f", "", "a b");
    const bp_str          others[] = { BP_STR("other"), BP_STR("other") };
    struct metric_series *last = NULL, *shared;
    char                  name[16];
    bp_str                values[2] = { { name, 0 }, BP_STR("v") };

    (void)state;
    for (int i = 0; i < METRIC_SERIES_MAX; i++) {
        values[0].len = (size_t)snprintf(name, sizeof(name), "%d", i);
        last = metrics_series(family, values, 2);
        metric_add(last, 1);
    }
    assert_int_equal(family->series_count, METRIC_SERIES_MAX);
    assert_ptr_equal(metrics_series(family, values, 2), last); // the last one of its own
    values[0] = BP_STR("one more");
    shared = metrics_series(family, values, 2);
    assert_ptr_not_equal(shared, last);
    assert_true(metric_value(shared) == 0);
    assert_true(bp_str_is(shared->labels[0], "other"));
    assert_true(bp_str_is(shared->labels[1], "other"));
    values[0] = BP_STR("and one more");
    assert_ptr_equal(metrics_series(family, values, 2), shared);
    assert_ptr_equal(metrics_series(family, others, 2), shared);
    assert_int_equal(family->series_count, METRIC_SERIES_MAX + 1);
    values[0] = BP_STR("0"); // those from before are as they were
    assert_true(metric_value(metrics_series(family, values, 2)) == 1);
}

static void values_are_added_and_set(void **state)
{
    struct metric_series *series = metrics_single(METRIC_GAUGE, "f", "");

    (void)state;
    metric_add(series, 2.5);
    metric_add(series, -1);
    assert_true(metric_value(series) == 1.5);
    metric_set(series, -7);
    assert_true(metric_value(series) == -7);
    metric_observe(series, 3); // no histogram: nothing happens
    assert_true(metric_value(series) == -7);
    metric_add(NULL, 1);
    metric_set(NULL, 1);
    metric_observe(NULL, 1);
    assert_true(metric_value(NULL) == 0);
}

static int filled;

static void fill(void *space, struct metric_family *family, bp_str key)
{
    assert_non_null(family);
    filled++;
    *(bp_str *)space = key;
}

static void a_handle_is_made_once_for_each_key(void **state)
{
    struct metric_family *family = metrics_define(METRIC_GAUGE, "f", "", "");
    char                  key[] = "first";
    bp_str               *first, *second;

    (void)state;
    filled = 0;
    first = metrics_handle(family, sizeof(bp_str), BP_STR(""), fill);
    first = metrics_handle(family, sizeof(bp_str), bp_str_of(key), fill);
    second = metrics_handle(family, sizeof(bp_str), BP_STR("second"), fill);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(metrics_handle(family, sizeof(bp_str), BP_STR("first"), fill), first);
    assert_ptr_equal(metrics_handle(family, sizeof(bp_str), BP_STR("second"), fill), second);
    assert_int_equal(filled, 3);
    memset(key, 'x', sizeof(key) - 1);
    assert_true(bp_str_is(*first, "first")); // of its own
    assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
}

/* ---- the text ---- */

static void a_family_is_described_before_anything_happened(void **state)
{
    (void)state;
    expect_text("");
    metrics_define(METRIC_COUNTER, "f_total", "Help \\ with\na \"line\".", "a b");
    metrics_define(METRIC_HISTOGRAM, "h", "", "");
    metrics_single(METRIC_GAUGE, "g", "Gauge.");
    expect_text("# HELP f_total Help \\\\ with\\na \"line\".\n# TYPE f_total counter\n"
                "# LABELS f_total a b\n"
                "# HELP h \n# TYPE h histogram\n# LABELS h\n"
                "# HELP g Gauge.\n# TYPE g gauge\ng 0\n");
}

static void values_are_written_as_prometheus_reads_them(void **state)
{
    static const struct {
        double      value;
        const char *text;
    } values[] = { { 0, "0" },
                   { 1, "1" },
                   { -3, "-3" },
                   { 0.5, "0.5" },
                   { -0.25, "-0.25" },
                   { 1.0 / 3, "0.333333333333" },
                   { 999999999999999, "999999999999999" },
                   { 1e15, "1e+15" },
                   { -1e15, "-1e+15" },
                   { 1e300, "1e+300" },
                   { NAN, "NaN" },
                   { INFINITY, "+Inf" },
                   { -INFINITY, "-Inf" } };
    struct metric_series *series = metrics_single(METRIC_GAUGE, "g", "");

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char wanted[128];

        metric_set(series, values[i].value);
        snprintf(wanted, sizeof(wanted), "# HELP g \n# TYPE g gauge\ng %s\n", values[i].text);
        expect_text(wanted);
    }
}

static void labels_are_escaped(void **state)
{
    const bp_str values[] = { BP_STR("a\\b\n\"c\""), BP_STR("") };

    (void)state;
    metric_add(metrics_series(metrics_define(METRIC_COUNTER, "f", "", "x y"), values, 2), 2);
    expect_text("# HELP f \n# TYPE f counter\nf{x=\"a\\\\b\\n\\\"c\\\"\",y=\"\"} 2\n");
}

static void a_histogram_counts_what_is_within_each_limit(void **state)
{
    static const double   limits[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                       1,     2.5,  5,     10,   30,  60,   120 };
    struct metric_series *series = metrics_series(metrics_define(METRIC_HISTOGRAM, "h", "", "l"),
                                                  &BP_STR("v"), 1);
    char                  wanted[4096];
    size_t                len;
    double                sum = 0;

    (void)state;
    for (size_t i = 0; i < 14; i++) { // one at each limit, one above it
        metric_observe(series, limits[i]);
        metric_observe(series, limits[i] * 1.001);
        sum += limits[i] + limits[i] * 1.001;
    }
    len = (size_t)snprintf(wanted, sizeof(wanted), "# HELP h \n# TYPE h histogram\n");
    for (size_t i = 0; i < 14; i++)
        len += (size_t)snprintf(wanted + len, sizeof(wanted) - len,
                                "h_bucket{l=\"v\",le=\"%g\"} %zu\n", limits[i], 2 * i + 1);
    snprintf(wanted + len, sizeof(wanted) - len,
             "h_bucket{l=\"v\",le=\"+Inf\"} 28\nh_sum{l=\"v\"} %.12g\nh_count{l=\"v\"} 28\n", sum);
    expect_text(wanted);
    metrics_clear();
    series = metrics_single(METRIC_HISTOGRAM, "h", "");
    metric_observe(series, 0);
    buf_reset(&out);
    metrics_render(&out);
    assert_non_null(strstr(buf_str(&out).data, "\nh_bucket{le=\"0.005\"} 1\n"));
    assert_non_null(strstr(buf_str(&out).data, "\nh_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n"));
}

static char trail[16];

static void note(void *arg)
{
    strcat(trail, arg);
}

static void note_too(void *arg)
{
    note(arg);
}

static void collectors_are_told_apart_by_function_and_argument(void **state)
{
    static char a[] = "a", b[] = "b";

    (void)state;
    metrics_on_collect(note, a);
    metrics_on_collect(note_too, a);
    metrics_on_collect(note, b);
    trail[0] = '\0';
    metrics_render(&out);
    assert_string_equal(trail, "baa");
    metrics_remove_collect(note_too, b); // there is none
    metrics_remove_collect(note, a);
    trail[0] = '\0';
    metrics_render(&out);
    assert_string_equal(trail, "ba");
    assert_ptr_equal(registry.collectors->next->collect, note_too);
    metrics_remove_collect(note, b);
    trail[0] = '\0';
    metrics_render(&out);
    assert_string_equal(trail, "a");
    assert_int_equal(pieces, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTED(names_are_those_that_prometheus_takes),
        COUNTED(a_definition_is_the_same_in_type_and_labels_or_none),
        COUNTED(a_series_is_found_by_all_its_labels),
        COUNTED(combinations_beyond_the_cap_share_one),
        COUNTED(values_are_added_and_set),
        COUNTED(a_handle_is_made_once_for_each_key),
        COUNTED(a_family_is_described_before_anything_happened),
        COUNTED(values_are_written_as_prometheus_reads_them),
        COUNTED(labels_are_escaped),
        COUNTED(a_histogram_counts_what_is_within_each_limit),
        COUNTED(collectors_are_told_apart_by_function_and_argument),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

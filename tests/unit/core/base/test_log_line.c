/* test_log_line.c - a line of the log, to the byte: its fields, what is cut, what is beyond the
 * rate. The file under test is compiled in, with clocks and a queue of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log_queue.h"

static int64_t now_ns, wall_ns;
static int     queued;
static bool    was_urgent;
static char    queued_text[20000];

static int64_t test_now_ns(void)
{
    return now_ns;
}

static int64_t test_wall_ns(void)
{
    return wall_ns;
}

static void test_queue_line(struct log *log, bp_str text, bool is_urgent)
{
    assert_non_null(log);
    queued++;
    was_urgent = is_urgent;
    memcpy(queued_text, text.data, text.len);
    queued_text[text.len] = '\0';
}

#define clock_now_ns   test_now_ns
#define clock_wall_ns  test_wall_ns
#define log_queue_line test_queue_line
#include "base/log_line.c"

static struct log *log_of_test;

static int begin(void **state)
{
    (void)state;
    log_of_test = calloc(1, sizeof(*log_of_test));
    queued = 0;
    now_ns = INT64_C(50999999999);
    wall_ns = INT64_C(1795312809123456789);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(log_of_test);
    return 0;
}

#define LOGGED(test) cmocka_unit_test_setup_teardown(test, begin, end)
#define TS           "{\"ts\":\"2026-11-22T02:00:09.123Z\",\"level\":"

static void each_kind_of_field_is_written_as_json(void **state)
{
    const bp_field fields[] = { bp_field_str("s", BP_STR("plain")),
                                bp_field_str("q", BP_STR("a\"b\n")),
                                bp_field_str("none", (bp_str){ NULL, 0 }),
                                bp_field_int("i", -42),
                                bp_field_number("n", 0.25),
                                bp_field_number("nan", NAN),
                                bp_field_bool("yes", true),
                                bp_field_bool("no", false),
                                bp_field_str("url", BP_STR("http://u:pw@h/")),
                                { .name = "odd", .type = 9, .text = BP_STR("as text") } };

    (void)state;
    log_event(log_of_test, BP_LOG_INFO, "ready", BP_STR("it runs"), fields,
              sizeof(fields) / sizeof(fields[0]));
    assert_string_equal(queued_text,
                        TS "\"INFO\",\"event\":\"ready\",\"message\":\"it runs\",\"s\":\"plain\","
                           "\"q\":\"a\\\"b\\n\",\"none\":\"\",\"i\":-42,\"n\":0.25,\"nan\":null,"
                           "\"yes\":true,\"no\":false,\"url\":\"http://***@h/\",\"odd\":\"as "
                           "text\"}\n");
    log_event(log_of_test, BP_LOG_INFO, "", BP_STR(""), NULL, 0);
    assert_string_equal(queued_text, TS "\"INFO\"}\n");
    log_event(log_of_test, BP_LOG_INFO, NULL, BP_STR("at http://u:pw@h/ \xff"), NULL, 0);
    assert_string_equal(queued_text,
                        TS "\"INFO\",\"message\":\"at http://***@h/ \xEF\xBF\xBD\"}\n");
    log_event(log_of_test, BP_LOG_INFO, "a\"b", BP_STR("m"), fields, 1);
    assert_string_equal(queued_text,
                        TS "\"INFO\",\"event\":\"a\\\"b\",\"message\":\"m\",\"s\":\"plain\"}\n");
    assert_int_equal(queued, 4);
    assert_int_equal(log_dropped(log_of_test), 0);
}

static void each_level_is_named_and_warnings_are_urgent(void **state)
{
    static const struct {
        uint32_t    level;
        const char *text;
        bool        is_urgent;
    } levels[] = { { BP_LOG_DEBUG, TS "\"DEBUG\"}\n", false },
                   { BP_LOG_INFO, TS "\"INFO\"}\n", false },
                   { BP_LOG_WARN, TS "\"WARN\"}\n", true },
                   { BP_LOG_ERROR, TS "\"ERROR\"}\n", true } };

    (void)state;
    for (uint32_t from = 0; from < 4; from++) {
        for (size_t i = 0; i < 4; i++) {
            bool is_seen = i >= from;

            log_set_level(log_of_test, levels[from].level);
            queued = 0;
            log_record(log_of_test, levels[i].level, "", BP_STR(""), NULL, 0);
            assert_int_equal(queued, is_seen);
            log_event(log_of_test, levels[i].level, "", BP_STR(""), NULL, 0);
            assert_int_equal(queued, is_seen * 2);
            log_message(log_of_test, levels[i].level, "", "%s", "");
            assert_int_equal(queued, is_seen * 3);
            if (is_seen) {
                assert_string_equal(queued_text, levels[i].text);
                assert_int_equal(was_urgent, levels[i].is_urgent);
            }
        }
    }
    log_record(NULL, BP_LOG_ERROR, "", BP_STR(""), NULL, 0);
    log_event(NULL, BP_LOG_ERROR, "", BP_STR(""), NULL, 0);
    log_message(NULL, BP_LOG_ERROR, "", "%s", "");
}

static void a_message_is_cut_between_two_characters(void **state)
{
    static char text[5000];
    size_t      before = strlen(TS "\"INFO\",\"message\":\""), behind = strlen("\"}\n");

    (void)state;
    memset(text, 'm', sizeof(text));
    for (size_t len = 4094; len <= 4098; len++) {
        log_record(log_of_test, BP_LOG_INFO, "", bp_str_n(text, len), NULL, 0);
        assert_int_equal(strlen(queued_text), before + (len < 4096 ? len : 4096) + behind);
    }
    memcpy(text + 4095, "\xc3\xa9", 2);
    log_record(log_of_test, BP_LOG_INFO, "", bp_str_n(text, 4098), NULL, 0);
    assert_int_equal(strlen(queued_text), before + 4095 + behind);
    for (size_t len = 1022; len <= 1026; len++) {
        log_message(log_of_test, BP_LOG_INFO, "", "%.*s", (int)len, text);
        assert_int_equal(strlen(queued_text), before + (len < 1023 ? len : 1023) + behind);
    }
    log_message(log_of_test, BP_LOG_INFO, "e", "%lc", 0x7FFFFFFFu); // cannot be written
    assert_string_equal(queued_text, TS "\"INFO\",\"event\":\"e\"}\n");
}

static void a_line_that_is_too_long_is_counted_and_not_written(void **state)
{
    static char long_text[16400];
    size_t      others = strlen(TS "\"INFO\",\"f\":\"\"}\n");

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    for (int odd = 0; odd < 2; odd++) { // with a byte that has to be escaped as well
        if (odd)
            long_text[0] = '\n';
        for (int more = -1; more <= 1; more++) {
            size_t   len = LINE_BYTES_MAX - others - (size_t)odd + (size_t)more;
            bp_field field = bp_field_str("f", bp_str_n(long_text, len));
            uint64_t before = log_dropped(log_of_test);

            queued = 0;
            log_record(log_of_test, BP_LOG_INFO, "", BP_STR(""), &field, 1);
            assert_int_equal(queued, more <= 0);
            assert_int_equal(log_dropped(log_of_test) - before, more > 0);
            if (queued)
                assert_int_equal(strlen(queued_text), LINE_BYTES_MAX + more);
        }
    }
}

static void a_secret_without_memory_to_mask_it_is_left_out(void **state)
{
    static char text[70000];
    bp_field    field = bp_field_str("f", bp_str_n(text, sizeof(text)));

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "http://u:pw@h/ ", 15);
    log_record(log_of_test, BP_LOG_INFO, "", BP_STR(""), &field, 1);
    assert_string_equal(queued_text, TS "\"INFO\",\"f\":\"\"}\n");
}

static void an_event_has_its_lines_in_each_second(void **state)
{
    (void)state;
    log_of_test->rate_per_s = 3;
    for (int i = 0; i < 5; i++)
        log_event(log_of_test, BP_LOG_INFO, "often", BP_STR("m"), NULL, 0);
    assert_int_equal(queued, 3);
    assert_int_equal(log_dropped(log_of_test), 2);
    assert_int_equal(log_of_test->suppressed, 2);
    log_event(log_of_test, BP_LOG_INFO, "other", BP_STR("m"), NULL, 0);
    assert_int_equal(queued, 4);
    log_record(log_of_test, BP_LOG_INFO, "often", BP_STR("m"), NULL, 0); // without the limit
    assert_int_equal(queued, 5);
    now_ns++; // the next second
    for (int i = 0; i < 5; i++)
        log_event(log_of_test, BP_LOG_INFO, "often", BP_STR("m"), NULL, 0);
    assert_int_equal(queued, 8);
    now_ns += INT64_C(999999999); // the same one
    log_event(log_of_test, BP_LOG_INFO, "often", BP_STR("m"), NULL, 0);
    assert_int_equal(queued, 8);
    log_of_test->rate_per_s = 0;
    log_event(log_of_test, BP_LOG_INFO, "often", BP_STR("m"), NULL, 0);
    assert_int_equal(queued, 9);
}

static void lines_without_an_event_are_told_apart_by_their_beginning(void **state)
{
    static const char *const events[] = { NULL, "", LOG_PLUGIN_EVENT };

    (void)state;
    log_of_test->rate_per_s = 1;
    for (size_t i = 0; i < 3; i++) {
        queued = 0;
        now_ns += INT64_C(1000000000);
        log_event(log_of_test, BP_LOG_INFO, events[i], BP_STR("123456789012345678901234a"), NULL,
                  0);
        log_event(log_of_test, BP_LOG_INFO, events[i], BP_STR("123456789012345678901234b"), NULL,
                  0); // the first 24 bytes are the same
        assert_int_equal(queued, 1);
        log_event(log_of_test, BP_LOG_INFO, events[i], BP_STR("12345678901234567890123 c"), NULL,
                  0);
        assert_int_equal(queued, 2);
        log_event(log_of_test, BP_LOG_INFO, events[i], BP_STR("short"), NULL, 0);
        log_event(log_of_test, BP_LOG_INFO, events[i], BP_STR("short"), NULL, 0);
        assert_int_equal(queued, 3);
    }
}

/* FNV-1a of the event, as one that is slow says. */
static void an_event_counts_in_the_slot_of_its_hash(void **state)
{
    uint32_t hash = 2166136261u;

    (void)state;
    log_of_test->rate_per_s = 100;
    for (const char *at = "ready"; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    log_event(log_of_test, BP_LOG_INFO, "ready", BP_STR("m"), NULL, 0);
    assert_int_equal(log_of_test->rates[hash % RATE_SLOTS].lines, 1);
    assert_int_equal(log_of_test->rates[hash % RATE_SLOTS].second, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGGED(each_kind_of_field_is_written_as_json),
        LOGGED(each_level_is_named_and_warnings_are_urgent),
        LOGGED(a_message_is_cut_between_two_characters),
        LOGGED(a_line_that_is_too_long_is_counted_and_not_written),
        LOGGED(a_secret_without_memory_to_mask_it_is_left_out),
        LOGGED(an_event_has_its_lines_in_each_second),
        LOGGED(lines_without_an_event_are_told_apart_by_their_beginning),
        LOGGED(an_event_counts_in_the_slot_of_its_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

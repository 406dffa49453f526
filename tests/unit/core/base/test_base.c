/* test_base.c - arena, buffer, text, log and metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"

static char order[8];

static void note(void *arg)
{
    strncat(order, arg, 1);
}

static void an_arena_runs_cleanups_latest_first_and_keeps_to_its_limit(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 10000);
    assert_true(arena_on_free(&arena, note, "a"));
    assert_true(arena_on_free(&arena, note, "b"));
    char *small = arena_alloc(&arena, 100), *large = arena_alloc(&arena, 5000),
         *next = arena_alloc(&arena, 100);
    assert_non_null(small);
    assert_non_null(large);
    assert_true(next > small && next < small + 4096);
    assert_int_equal(large[4999], 0);
    assert_non_null(arena_alloc(&arena, 0));
    assert_null(arena_alloc(&arena, 6000));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    arena_reset(&arena);
    assert_string_equal(order, "ba");
    assert_non_null(arena_alloc(&arena, 9000));
    arena_free(&arena);
}

static void a_buffer_is_spoilt_by_the_first_write_beyond_its_maximum(void **state)
{
    struct bp_buf buf;
    (void)state;
    buf_init(&buf, NULL, 10);
    buf_add(&buf, BP_STR("0123456789"));
    assert_int_equal(buf_status(&buf), BP_OK);
    assert_string_equal(buf_str(&buf).data, "0123456789");
    buf_add_char(&buf, 'x');
    assert_int_equal(buf_status(&buf), BP_TOO_LARGE);
    assert_int_equal(buf_str(&buf).len, 0);
    buf_reset(&buf);
    buf_addf(&buf, "%d-%s", 42, "ok");
    buf_consume(&buf, 3);
    assert_string_equal(buf_str(&buf).data, "ok");
    buf_free(&buf);
}

static void names_that_are_near_are_recognised(void **state)
{
    (void)state;
    assert_int_equal(str_distance(BP_STR("timout"), BP_STR("timeout")), 1);
    assert_int_equal(str_distance(BP_STR("ulr"), BP_STR("url")), 1);
    assert_true(str_is_near(BP_STR("qdrnat"), BP_STR("qdrant")));
    assert_false(str_is_near(BP_STR("redis"), BP_STR("sqlite")));
}

static void numbers_are_read_whole_or_not_at_all(void **state)
{
    int64_t  i;
    uint64_t u;
    double   d;
    (void)state;
    assert_true(str_to_int(BP_STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(str_to_int(BP_STR("9223372036854775808"), &i));
    assert_false(str_to_int(BP_STR("1x"), &i));
    assert_false(str_to_uint(BP_STR("18446744073709551616"), &u));
    assert_true(str_to_uint(BP_STR("18446744073709551615"), &u));
    assert_true(str_to_double(BP_STR("-1.5e3"), &d) && d == -1500);
    assert_false(str_to_double(BP_STR("nan"), &d));
    assert_false(str_to_double(BP_STR("1e999"), &d));
    char longest[65];
    memset(longest, '0', sizeof(longest));
    longest[62] = '7';
    assert_true(str_to_double((bp_str){ longest, 63 }, &d) && d == 7);
    assert_false(str_to_double((bp_str){ longest, 64 }, &d));
}

static void utf8_is_told_from_what_is_not(void **state)
{
    (void)state;
    assert_true(str_is_utf8(BP_STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_false(str_is_utf8(BP_STR("\xed\xa0\x80"))); // a surrogate
    assert_false(str_is_utf8(BP_STR("\xc0\xaf")));     // overlong
    assert_false(str_is_utf8(BP_STR("\xf4\x90\x80\x80")));
    assert_false(str_is_utf8(BP_STR("\xe2\x82")));
}

static void utf8_ends_where_the_standard_says(void **state)
{
    // First and last of each row of table 3-7 of the Unicode standard, and what is next to them.
    static const char *const good[] = { "\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
                                        "\xe0\xbf\xbf",     "\xe1\x80\x80",     "\xec\xbf\xbf",
                                        "\xed\x80\x80",     "\xed\x9f\xbf",     "\xee\x80\x80",
                                        "\xef\xbf\xbf",     "\xf0\x90\x80\x80", "\xf0\xbf\xbf\xbf",
                                        "\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf", "\xf4\x80\x80\x80",
                                        "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\x80",
                                       "\xbf",
                                       "\xc1\xbf",
                                       "\xc2\x7f",
                                       "\xc2\xc0",
                                       "\xe0\x9f\xbf",
                                       "\xe1\x7f\x80",
                                       "\xe1\x80\x7f",
                                       "\xe1\x80\xc0",
                                       "\xed\xa0\x80",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf1\x80\x80",
                                       "\xf1\x80\x80\x7f",
                                       "\xf1\x80\x80\xc0",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff" };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(str_is_utf8(bp_str_of(good[i])));
        assert_int_equal(str_utf8_sequence(bp_str_of(good[i]), 0), strlen(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(str_is_utf8(bp_str_of(bad[i])));
        assert_int_equal(str_utf8_sequence(bp_str_of(bad[i]), 0), 0);
    }
}

static bool file_says(const char *path, const char *sentence)
{
    char   text[8192];
    FILE  *file = fopen(path, "r");
    size_t len = fread(text, 1, sizeof(text) - 1, file);

    text[len] = '\0';
    fclose(file);
    return strstr(text, sentence) != NULL;
}

static void a_log_that_was_moved_away_is_opened_anew_and_one_that_cannot_be_stays(void **state)
{
    char folder[] = "/tmp/backplane-log-XXXXXX", path[64], moved[64], elsewhere[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(moved, sizeof(moved), "%s/log.1", folder);
    snprintf(elsewhere, sizeof(elsewhere), "%s-gone", folder);
    struct log *log = log_open(&(struct log_options){ .level = BP_LOG_INFO, .path = path });
    assert_non_null(log);
    log_message(log, BP_LOG_INFO, "one", "before");
    assert_int_equal(rename(path, moved), 0);
    assert_true(log_reopen(log));
    log_message(log, BP_LOG_INFO, "two", "after");
    log_flush(log);
    assert_true(file_says(moved, "before") && !file_says(moved, "after"));
    assert_true(file_says(path, "after") && !file_says(path, "before"));

    assert_int_equal(rename(folder, elsewhere), 0);
    assert_false(log_reopen(log));
    log_message(log, BP_LOG_INFO, "three", "nowhere else");
    log_close(log);
    assert_int_equal(rename(elsewhere, folder), 0);
    assert_true(file_says(path, "nowhere else"));
    unlink(path);
    unlink(moved);
    rmdir(folder);
    log = log_open(
        &(struct log_options){ .level = BP_LOG_ERROR }); // standard error cannot be moved away
    assert_true(log_reopen(log));
    log_close(log);
}

static void log_lines_are_json_and_those_beyond_the_rate_are_counted(void **state)
{
    char         path[] = "/tmp/backplane-log-XXXXXX", text[8192];
    struct arena arena;
    (void)state;
    close(mkstemp(path));
    struct log *log = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = path, .rate_per_s = 3 });
    assert_non_null(log);
    log_message(log, BP_LOG_DEBUG, "quiet", "not seen");
    log_event(log, BP_LOG_ERROR, "odd", (bp_str){ "new\nline \xff \"q\"", 14 },
              (bp_field[]){ bp_field_int("duration_ms", 7), bp_field_bool("is_odd", true) }, 2);
    for (int i = 0; i < 10; i++)
        log_message(log, BP_LOG_INFO, "often", "line %d", i);
    log_flush(log);
    assert_true(log_dropped(log) >= 4); // a second may have begun in between
    log_close(log);

    FILE  *file = fopen(path, "r");
    size_t len = fread(text, 1, sizeof(text), file);
    bp_str rest = { text, len };
    int    lines = 0;
    fclose(file);
    unlink(path);
    arena_init(&arena, 1 << 20);
    while (rest.len) {
        const bp_json *v;
        struct reason  why;
        assert_int_equal(json_parse(&arena, str_split(rest, '\n', &rest), &v, &why), BP_OK);
        if (lines++ == 0) {
            assert_true(bp_str_is(json_as_string(json_get(v, BP_STR("level"))), "ERROR"));
            assert_int_equal(json_as_integer(json_get(v, BP_STR("duration_ms"))), 7);
        }
    }
    assert_in_range(lines, 5, 8); // the last says how many are missing
    arena_free(&arena);
}

/* What a byte at a time would say, for texts of all lengths with each byte at each place. */
static void runs_end_where_a_byte_at_a_time_would_end_them(void **state)
{
    char text[80];
    (void)state;
    for (size_t len = 0; len < 80; len++) {
        for (size_t at = 0; at <= len; at++) {
            static const char odd[] = {
                '"', '\\', '\n', '\0', '\x7f', '\x1f', '\x80', '\xff', 'x'
            };

            for (size_t i = 0; i < sizeof(odd); i++) {
                size_t wanted = odd[i] == 'x' ? len : at;

                memset(text, 'a', sizeof(text));
                if (at < sizeof(text) && at < len)
                    text[at] = odd[i];
                assert_int_equal(str_plain_run((bp_str){ text, len }, 0), at == len ? len : wanted);
                assert_int_equal(str_is_utf8((bp_str){ text, len }),
                                 at == len || (unsigned char)odd[i] < 0x80);
            }
        }
    }
    for (size_t at = 0; at + 3 <= sizeof(text); at++) { // a letter at each place, and cut
        memset(text, 'a', sizeof(text));
        memcpy(text + at, "\xe2\x82\xac", 3);
        assert_true(str_is_utf8((bp_str){ text, sizeof(text) }));
        assert_false(str_is_utf8((bp_str){ text, at + 2 }));
        text[at + 2] = 'a';
        assert_false(str_is_utf8((bp_str){ text, sizeof(text) }));
    }
}

static void no_two_random_values_are_alike_nor_those_of_a_child(void **state)
{
    uint64_t seen[1000], of_child = 0;
    int      pipes[2];
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        crypto_random(&seen[i], sizeof(seen[i]));
        for (size_t j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
    }
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    crypto_random(&seen[0], sizeof(seen[0]));
    if (child == 0) {
        bool is_sent = write(pipes[1], &seen[0], sizeof(seen[0])) == sizeof(seen[0]);
        _exit(is_sent ? 0 : 1);
    }
    assert_int_equal(read(pipes[0], &of_child, sizeof(of_child)), sizeof(of_child));
    assert_true(of_child != seen[0]);
    waitpid(child, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
}

static int lines_in(const char *path)
{
    FILE *file = fopen(path, "r");
    int   lines = 0, c;

    while ((c = fgetc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void a_plugin_that_says_one_thing_too_often_does_not_silence_the_others(void **state)
{
    char path[] = "/tmp/backplane-log-XXXXXX";
    (void)state;
    close(mkstemp(path));
    struct log *log = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = path, .rate_per_s = 1 });
    for (int i = 0; i < 5; i++)
        log_message(log, BP_LOG_INFO, LOG_PLUGIN_EVENT, "%d: a message of its own", i);
    log_flush(log);
    assert_int_equal(log_dropped(log), 0);
    log_close(log);
    assert_int_equal(lines_in(path), 5);
    unlink(path);
}

static void records_are_all_written_once_a_turn_and_what_does_not_fit_is_said(void **state)
{
    char path[] = "/tmp/backplane-log-XXXXXX";
    (void)state;
    close(mkstemp(path));
    struct log       *log = log_open(&(struct log_options){
              .level = BP_LOG_INFO, .path = path, .rate_per_s = 3, .queue_lines = 300 });
    struct log_batch *batch = log_batch_new(log);
    assert_null(log_batch_use(batch));
    for (int i = 0; i < 100; i++) // far beyond the rate of one message
        log_record(log, BP_LOG_INFO, "request", BP_STR(""),
                   (bp_field[]){ bp_field_number("duration_ms", i * 0.125) }, 1);
    assert_int_equal(lines_in(path), 0); // until the turn is over
    log_flush(log);
    assert_int_equal(lines_in(path), 100);
    log_record(log, BP_LOG_INFO, "request", BP_STR(""), NULL, 0);
    log_record(log, BP_LOG_ERROR, "broken",
               BP_STR("what is urgent goes at once, with what was before it"), NULL, 0);
    assert_ptr_equal(log_batch_use(NULL), batch);
    log_flush(log);
    assert_int_equal(lines_in(path), 102);
    assert_int_equal(log_dropped(log), 0);
    log_batch_free(batch);
    log_batch_use(NULL);
    log_close(log);
    unlink(path);
}

static void a_turn_of_more_lines_than_a_small_queue_is_written(void **state)
{
    char path[] = "/tmp/backplane-log-XXXXXX";
    (void)state;
    close(mkstemp(path));
    struct log *log = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = path, .queue_lines = 64 });
    struct log_batch *batch = log_batch_new(log);
    log_batch_use(batch);
    for (int i = 0; i < 100; i++)
        log_record(log, BP_LOG_INFO, "request", BP_STR(""), NULL, 0);
    log_batch_free(batch);
    log_batch_use(NULL);
    log_close(log);
    assert_int_equal(lines_in(path), 100);
    unlink(path);
}

struct reading {
    int      fd;
    uint64_t lines, dropped;
};

/* Until the other side closes. */
static void *read_log(void *arg)
{
    struct reading *reading = arg;
    FILE           *file = fdopen(reading->fd, "r");
    char            line[1000];

    while (fgets(line, sizeof(line), file)) {
        const char *dropped = strstr(line, "\"log_lines_missing\"") ? strstr(line, "\"dropped\":")
                                                                    : NULL;

        reading->lines += strstr(line, "\"event\":\"request\"") != NULL;
        reading->dropped += dropped ? strtoull(dropped + strlen("\"dropped\":"), NULL, 10) : 0;
    }
    fclose(file);
    return NULL;
}

static void lines_that_a_slow_log_loses_are_counted_in_it(void **state)
{
    enum { LINES = 5000 };
    char           folder[] = "/tmp/backplane-log-XXXXXX", path[sizeof(folder) + 5];
    struct reading reading = { 0 };
    pthread_t      thread;
    (void)state;
    snprintf(path, sizeof(path), "%s/pipe", mkdtemp(folder));
    assert_int_equal(mkfifo(path, 0600), 0);
    reading.fd = open(path, O_RDONLY | O_NONBLOCK);
    struct log *log = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = path, .queue_lines = 64 });
    struct log_batch *batch = log_batch_new(log);
    log_batch_use(batch);
    for (int i = 0; i < LINES; i++) { // nobody reads yet: the pipe is full after some hundred
        log_record(log, BP_LOG_INFO, "request", BP_STR(""), NULL, 0);
        if (i % 10 == 9)
            log_batch_flush(batch);
    }
    log_batch_free(batch);
    log_batch_use(NULL);
    assert_true(log_dropped(log) > 0);
    fcntl(reading.fd, F_SETFL, 0);
    assert_int_equal(pthread_create(&thread, NULL, read_log, &reading), 0);
    log_close(log);
    pthread_join(thread, NULL);
    assert_int_equal(reading.lines + reading.dropped, LINES);
    assert_true(reading.lines > 0 && reading.dropped > 0);
    unlink(path);
    rmdir(folder);
}

static void integers_and_short_numbers_are_written_as_ever(void **state)
{
    const double numbers[] = { 0.001,     0.5, 1,    1.25, 12.345, 999999999,  999999.999,
                               0.1 + 0.2, 1e9, 1e-7, -3.5, 0.0005, 123456.7891 };
    char         text[24], wanted[40];
    (void)state;
    assert_true(bp_str_is(str_from_int(INT64_MIN, text), "-9223372036854775808"));
    assert_true(bp_str_is(str_from_int(INT64_MAX, text), "9223372036854775807"));
    assert_true(bp_str_is(str_from_int(0, text), "0"));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct bp_buf  buf;
        bp_json_writer w;
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(wanted, sizeof(wanted), "%.*g", digits, numbers[i]);
            if (strtod(wanted, NULL) == numbers[i])
                break;
        }
        buf_init(&buf, NULL, 100);
        json_writer_init(&w, &buf);
        json_add_number(&w, numbers[i]);
        assert_string_equal(buf_str(&buf).data, wanted);
        buf_free(&buf);
    }
}

static void metrics_are_counted_capped_and_rendered(void **state)
{
    struct bp_buf         out;
    struct metric_family *requests = metrics_define(METRIC_COUNTER, "test_requests_total",
                                                    "Requests.", "route");
    struct metric_family *seconds = metrics_define(METRIC_HISTOGRAM, "test_seconds", "Time.", "");
    (void)state;
    assert_non_null(requests);
    assert_ptr_equal(metrics_define(METRIC_COUNTER, "test_requests_total", "Requests.", "route"),
                     requests);
    assert_null(metrics_define(METRIC_GAUGE, "test_requests_total", "Requests.", "route"));
    assert_null(metrics_define(METRIC_GAUGE, "1bad", "x", ""));
    metric_add(metrics_series(requests, &BP_STR("a\"\n"), 1), 2);
    metric_add(metrics_series(requests, &BP_STR("a\"\n"), 1), 1);
    metric_observe(metrics_series(seconds, NULL, 0), 0.02);
    for (int i = 0; i < 3000; i++) {
        char name[16];
        int  len = snprintf(name, sizeof(name), "r%d", i);
        metric_add(metrics_series(requests, &(bp_str){ name, (size_t)len }, 1), 1);
    }
    assert_true(metric_value(metrics_series(requests, &BP_STR("other"), 1)) >= 1000);
    buf_init(&out, NULL, 4u << 20);
    metrics_render(&out);
    const char *text = buf_str(&out).data;
    assert_non_null(strstr(text, "# TYPE test_requests_total counter\n"));
    assert_non_null(strstr(text, "test_requests_total{route=\"a\\\"\\n\"} 3\n"));
    assert_non_null(strstr(text, "test_seconds_bucket{le=\"0.025\"} 1\n"));
    assert_non_null(strstr(text, "test_seconds_bucket{le=\"0.01\"} 0\n"));
    assert_non_null(strstr(text, "test_seconds_count 1\n"));
    buf_free(&out);
    metrics_clear();
}

static void count_collection(void *arg)
{
    ++*(int *)arg;
}

static void those_who_collect_are_asked_at_each_rendering_until_removed(void **state)
{
    struct bp_buf out;
    int           first = 0, second = 0;
    (void)state;
    metrics_on_collect(count_collection, &first);
    metrics_on_collect(count_collection, &second);
    buf_init(&out, NULL, 4u << 20);
    metrics_render(&out);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
    metrics_remove_collect(count_collection, &first);
    metrics_remove_collect(count_collection, &first); // who is not there is no matter
    metrics_render(&out);
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    metrics_remove_collect(count_collection, &second);
    metrics_render(&out);
    assert_int_equal(second, 2);
    buf_free(&out);
    metrics_clear();
}

static void texts_beyond_the_limit_of_an_arena_are_empty(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 100);
    assert_true(bp_str_is(arena_format(&arena, "%d of %s", 7, "nine"), "7 of nine"));
    assert_true(bp_str_is(arena_dup(&arena, BP_STR("copy")), "copy"));
    assert_int_equal(arena_format(&arena, "%200d", 1).len, 0);
    assert_string_equal(arena_format(&arena, "%200d", 1).data, "");
    assert_string_equal(arena_dup(&arena, (bp_str){ "x", 200 }).data, "");
    arena_free(&arena);
}

static void a_document_that_has_no_room_is_none(void **state)
{
    struct bp_buf  buf;
    bp_json_writer w;
    (void)state;
    assert_int_equal(json_writer_status(NULL), BP_NO_MEMORY);
    buf_init(&buf, NULL, 5);
    json_writer_init(&w, &buf);
    json_add_string(&w, BP_STR("too long"));
    assert_int_equal(json_writer_status(&w), BP_TOO_LARGE);
    buf_free(&buf);
    buf_init(&buf, NULL, 10);
    json_writer_init(&w, &buf);
    json_add_string(&w, BP_STR("8 bytes!"));
    assert_int_equal(json_writer_status(&w), BP_OK);
    assert_string_equal(buf_str(&buf).data, "\"8 bytes!\"");
    buf_free(&buf);
}

static void a_buffer_that_its_arena_cannot_hold_is_spoilt(void **state)
{
    struct arena  arena;
    struct bp_buf buf;
    (void)state;
    arena_init(&arena, 1000);
    buf_init(&buf, &arena, 10000);
    for (int i = 0; i < 200; i++)
        buf_add_char(&buf, 'x');
    assert_int_equal(buf_status(&buf), BP_OK);
    for (int i = 0; i < 2000;
         i++) // 256 bytes and 512 of it are in the arena by then, 1,024 are not to be had
        buf_add_char(&buf, 'x');
    assert_int_equal(buf_status(&buf), BP_NO_MEMORY);
    assert_int_equal(buf_str(&buf).len, 0);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_runs_cleanups_latest_first_and_keeps_to_its_limit),
        cmocka_unit_test(a_buffer_is_spoilt_by_the_first_write_beyond_its_maximum),
        cmocka_unit_test(names_that_are_near_are_recognised),
        cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(utf8_is_told_from_what_is_not),
        cmocka_unit_test(utf8_ends_where_the_standard_says),
        cmocka_unit_test(a_log_that_was_moved_away_is_opened_anew_and_one_that_cannot_be_stays),
        cmocka_unit_test(log_lines_are_json_and_those_beyond_the_rate_are_counted),
        cmocka_unit_test(a_plugin_that_says_one_thing_too_often_does_not_silence_the_others),
        cmocka_unit_test(runs_end_where_a_byte_at_a_time_would_end_them),
        cmocka_unit_test(no_two_random_values_are_alike_nor_those_of_a_child),
        cmocka_unit_test(records_are_all_written_once_a_turn_and_what_does_not_fit_is_said),
        cmocka_unit_test(a_turn_of_more_lines_than_a_small_queue_is_written),
        cmocka_unit_test(lines_that_a_slow_log_loses_are_counted_in_it),
        cmocka_unit_test(integers_and_short_numbers_are_written_as_ever),
        cmocka_unit_test(metrics_are_counted_capped_and_rendered),
        cmocka_unit_test(those_who_collect_are_asked_at_each_rendering_until_removed),
        cmocka_unit_test(texts_beyond_the_limit_of_an_arena_are_empty),
        cmocka_unit_test(a_document_that_has_no_room_is_none),
        cmocka_unit_test(a_buffer_that_its_arena_cannot_hold_is_spoilt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

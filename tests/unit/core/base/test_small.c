/* test_small.c - clocks, memory that must be had, a broken check's sentence, and shares without
 * memory. The files under test are compiled in, so that the machine can be the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/shares.h"

static int             refused; /* so many allocations fail; -1: all */
static int             pauses, paused_us, ended_with, pieces;
static char            said[512];
static size_t          said_len;
static jmp_buf         ended;
static clockid_t       asked_clock;
static struct timespec clock_says;

static void *scarce_calloc(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    if (refused) {
        refused -= refused > 0;
        return NULL;
    }
    pieces++;
    return calloc(count, size);
}

static void count_free(void *piece)
{
    pieces -= piece != NULL;
    free(piece);
}

static int count_pause(unsigned us)
{
    pauses++;
    paused_us += (int)us;
    return 0;
}

static ssize_t note_write(int fd, const void *text, size_t len)
{
    assert_int_equal(fd, STDERR_FILENO);
    memcpy(said, text, len);
    said[len] = '\0';
    said_len = len;
    return (ssize_t)len;
}

static _Noreturn void note_exit(int status)
{
    ended_with = status;
    longjmp(ended, 1);
}

static int say_time(clockid_t clock, struct timespec *t)
{
    asked_clock = clock;
    *t = clock_says;
    return 0;
}

#define calloc scarce_calloc
#define free   count_free
#define usleep count_pause
#define write  note_write
#define _exit  note_exit
#include "base/must.c"
#include "core/lock_watch.h"
#include "base/shares.c"
#include "core/lock_watch_end.h"
#undef write
#undef _exit
#undef usleep
#undef free
#undef calloc
#define clock_gettime say_time
#include "base/clock.c"

/* ---- must.h ---- */

static void memory_is_asked_for_again_for_a_second(void **state)
{
    char *piece;

    (void)state;
    pauses = paused_us = 0;
    refused = 0;
    piece = must_have(100, "a test");
    for (int i = 0; i < 100; i++)
        assert_int_equal(piece[i], 0);
    free(piece);
    assert_int_equal(pauses, 0);
    refused = 99;
    free(must_have(1, "a test"));
    assert_int_equal(pauses, 99);
    assert_int_equal(paused_us, 990000);
    piece = must_copy("copied", 4, "a test");
    assert_string_equal(piece, "copi");
    free(piece);
    piece = must_copy(NULL, 0, "a test");
    assert_string_equal(piece, "");
    free(piece);
}

static void without_it_the_process_ends_with_a_sentence(void **state)
{
    static char long_purpose[400];

    (void)state;
    ended_with = 0;
    pauses = 0;
    refused = -1;
    if (!setjmp(ended))
        must_have(77, "a counter");
    assert_int_equal(pauses, 100);
    assert_int_equal(ended_with, MUST_EXIT_STATUS);
    assert_string_equal(said,
                        "backplane: no memory for a counter (77 bytes), also after a second of "
                        "waiting, so the process ends; give it more memory or less to do at "
                        "once\n");
    memset(long_purpose, 'p', sizeof(long_purpose) - 1);
    for (volatile size_t len = 98; len < 110; len++) { // around the room that there is for it
        long_purpose[len] = '\0';
        if (!setjmp(ended))
            must_have(77, long_purpose);
        assert_true(said_len <= 255);
        assert_true(said_len == 255 || said[said_len - 1] == '\n');
        long_purpose[len] = 'p';
    }
    refused = 0;
}

/* ---- shares.h ---- */

static void without_memory_nothing_is_taken(void **state)
{
    static const uint8_t ann[SHARE_DIGEST_BYTES] = "ann";
    struct shares       *shares;

    (void)state;
    pieces = 0;
    refused = 1;
    assert_null(shares_new(10, 10));
    shares = shares_new(10, 10);
    refused = 1;
    assert_int_equal(shares_take(shares, ann, 5), SHARE_ALL_IS_FULL);
    assert_int_equal(shares_total(shares), 0);
    assert_int_equal(shares_of(shares, ann), 0);
    assert_int_equal(shares_take(shares, ann, 5), SHARE_TAKEN);
    assert_int_equal(pieces, 2);
    refused = 1; // who holds some needs none
    assert_int_equal(shares_take(shares, ann, 5), SHARE_TAKEN);
    refused = 0;
    shares_give(shares, ann, 9);
    assert_int_equal(pieces, 2);
    shares_give(shares, ann, 1);
    assert_int_equal(pieces, 1); // who holds nothing is not kept
    assert_int_equal(shares_take(shares, ann, 10), SHARE_TAKEN);
    shares_free(shares);
    assert_int_equal(locks_made + locks_held, 0);
    assert_int_equal(pieces, 0);
}

/* Digests that meet in a bucket, and those that do not. */
static void a_bucket_is_of_the_first_two_bytes(void **state)
{
    struct shares *shares;
    uint8_t        digest[SHARE_DIGEST_BYTES] = { 0x12, 0x03 };

    (void)state;
    refused = 0;
    shares = shares_new(0, 0);
    assert_int_equal(shares_take(shares, digest, 1), SHARE_TAKEN);
    assert_non_null(shares->buckets[0x312]);
    digest[1] = 0x07; // beyond the table
    digest[15] = 9;
    assert_int_equal(shares_take(shares, digest, 2), SHARE_TAKEN);
    assert_non_null(shares->buckets[0x312]->next);
    assert_int_equal(shares->buckets[0x312]->next->held, 2);
    assert_int_equal(shares_of(shares, digest), 2);
    shares_free(shares);
}

/* ---- clock.h ---- */

static void each_clock_is_the_one_that_was_asked(void **state)
{
    (void)state;
    clock_says = (struct timespec){ .tv_sec = 3, .tv_nsec = 17 };
    assert_int_equal(clock_now_ns(), INT64_C(3000000017));
    assert_int_equal(asked_clock, CLOCK_MONOTONIC);
    assert_int_equal(clock_wall_ns(), INT64_C(3000000017));
    assert_int_equal(asked_clock, CLOCK_REALTIME);
    assert_int_equal(clock_thread_cpu_ns(), INT64_C(3000000017));
    assert_int_equal(asked_clock, CLOCK_THREAD_CPUTIME_ID);
}

static void times_are_written_in_utc(void **state)
{
    static const struct {
        int64_t     ns;
        const char *text;
    } times[] = { { 0, "1970-01-01T00:00:00.000Z" },
                  { 999999, "1970-01-01T00:00:00.000Z" },
                  { 1000000, "1970-01-01T00:00:00.001Z" },
                  { 999999999, "1970-01-01T00:00:00.999Z" },
                  { 1000000000, "1970-01-01T00:00:01.000Z" },
                  { INT64_C(59123000000), "1970-01-01T00:00:59.123Z" },
                  { INT64_C(3599010000000), "1970-01-01T00:59:59.010Z" },
                  { INT64_C(86399100000000), "1970-01-01T23:59:59.100Z" },
                  { INT64_C(951782400000000000), "2000-02-29T00:00:00.000Z" },
                  { INT64_C(1795312809123456789), "2026-11-22T02:00:09.123Z" },
                  { INT64_C(1798761599987654321), "2026-12-31T23:59:59.987Z" } };
    char text[25];

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        clock_format_utc(times[i].ns, text);
        assert_string_equal(text, times[i].text);
        clock_format_utc(times[i].ns, text); // of the same second
        assert_string_equal(text, times[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            times_are_written_in_utc), // first: 1970 is the second that was never asked
        cmocka_unit_test(memory_is_asked_for_again_for_a_second),
        cmocka_unit_test(without_it_the_process_ends_with_a_sentence),
        cmocka_unit_test(without_memory_nothing_is_taken),
        cmocka_unit_test(a_bucket_is_of_the_first_two_bytes),
        cmocka_unit_test(each_clock_is_the_one_that_was_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

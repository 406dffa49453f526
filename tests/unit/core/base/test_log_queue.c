/* test_log_queue.c - the way of a line from the caller to the file: what waits, what is written
 * when a write is cut short or fails, and what is counted as missing. The file under test is
 * compiled in, with a file and a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_queue.h"

enum { TEST_FD = 4321, STEPS = 8 };

/* What each write to TEST_FD takes: so many bytes, or -errno; 0 behind the last: all of it. */
static int     takes[STEPS], step;
static char    written[1 << 16];
static size_t  written_len;
static int     parts_of_last;
static int64_t now_of_test;
static bool    is_memory_gone;

static ssize_t take(const void *bytes, size_t len)
{
    int most = step < STEPS ? takes[step] : 0;

    if (most < 0) {
        step++;
        errno = -most;
        return -1;
    }
    if (most && len > (size_t)most)
        len = (size_t)most;
    memcpy(written + written_len, bytes, len);
    written_len += len;
    written[written_len] = '\0';
    return (ssize_t)len;
}

static ssize_t test_write(int fd, const void *bytes, size_t len)
{
    ssize_t done = fd == TEST_FD ? take(bytes, len) : write(fd, bytes, len);

    if (fd == TEST_FD && done >= 0)
        step++;
    return done;
}

static ssize_t test_writev(int fd, const struct iovec *parts, int count)
{
    char   all[1 << 14];
    size_t len = 0;

    if (fd != TEST_FD)
        return writev(fd, parts, count);
    parts_of_last = count;
    for (int i = 0; i < count; i++) {
        memcpy(all + len, parts[i].iov_base, parts[i].iov_len);
        len += parts[i].iov_len;
    }
    return test_write(fd, all, len);
}

static int64_t test_now_ns(void)
{
    return now_of_test ? now_of_test : clock_now_ns();
}

static int64_t test_wall_ns(void)
{
    return INT64_C(1795312809123456789);
}

static void *queue_malloc(size_t size)
{
    return is_memory_gone ? NULL : malloc(size);
}

static void *queue_calloc(size_t count, size_t size)
{
    return is_memory_gone ? NULL : calloc(count, size);
}

static bool are_threads_gone;
static int  closed; /* the last descriptor */

static int queue_thread(pthread_t *thread, const pthread_attr_t *attributes,
                        void *(*run)(void *arg), void           *arg)
{
    errno = EAGAIN;
    return are_threads_gone ? EAGAIN : pthread_create(thread, attributes, run, arg);
}

static int queue_close(int fd)
{
    closed = fd;
    return close(fd);
}

#define pthread_create queue_thread
#define close          queue_close
#define write          test_write
#define writev         test_writev
#define clock_now_ns   test_now_ns
#define clock_wall_ns  test_wall_ns
#define malloc         queue_malloc
#define calloc         queue_calloc
#include "core/lock_watch.h"
#include "base/log.c"
#include "core/lock_watch_end.h"
#undef write
#undef writev
#undef malloc
#undef calloc
#undef close
#undef pthread_create

/* Without a thread: the test is the writer. */
static struct log *queue;

static int begin(void **state)
{
    (void)state;
    queue = calloc(1, sizeof(*queue));
    queue->fd = TEST_FD;
    queue->size = 8;
    queue->ring = calloc(8, sizeof(struct log_block *));
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, NULL);
    pthread_cond_init(&queue->drained, NULL);
    memset(takes, 0, sizeof(takes));
    step = parts_of_last = 0;
    written_len = 0;
    written[0] = '\0';
    now_of_test = INT64_C(7000000000);
    is_memory_gone = false;
    return 0;
}

static int end(void **state)
{
    (void)state;
    while (queue->count) {
        free(queue->ring[queue->head]);
        queue->head = (queue->head + 1) % queue->size;
        queue->count--;
    }
    free(queue->ring);
    free(queue);
    log_batch_use(NULL);
    return 0;
}

#define QUEUED(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void log_line(const char *text)
{
    log_queue_line(queue, bp_str_of(text), false);
}

/* ---- writing ---- */

static void lines_are_counted_by_their_ends(void **state)
{
    (void)state;
    assert_int_equal(count_lines("", 0), 0);
    assert_int_equal(count_lines("a", 1), 0);
    assert_int_equal(count_lines("\n", 1), 1);
    assert_int_equal(count_lines("a\nb\nc", 5), 2);
    assert_int_equal(count_lines("\n\n\n", 3), 3);
    assert_int_equal(count_lines("a\nb\n", 2), 1);
}

static bool write_three(void)
{
    char         a[] = "aaa\n", b[] = "bb\nb\n", c[] = "c\n";
    struct iovec parts[] = { { a, 4 }, { b, 5 }, { c, 2 } };

    step = 0;
    return write_parts(queue, parts, 3);
}

static void what_a_write_leaves_is_written_by_the_next(void **state)
{
    static const struct {
        int         takes[STEPS];
        const char *text;
        bool        is_whole;
        int         dropped, steps;
        bool        is_torn;
    } cases[] = {
        { { 0 }, "aaa\nbb\nb\nc\n", true, 0, 1, false },
        { { 4, 0 }, "aaa\nbb\nb\nc\n", true, 0, 2, false },
        { { 1, 1, 1, 0 }, "aaa\nbb\nb\nc\n", true, 0, 4, false },
        { { -EINTR, 5, -EINTR, 0 }, "aaa\nbb\nb\nc\n", true, 0, 4, false },
        { { 10, 1 }, "aaa\nbb\nb\nc\n", true, 0, 2, false },
        { { -ENOSPC }, "", false, 4, 1, false },
        { { 4, -ENOSPC }, "aaa\n", false, 3, 2, false },
        { { 3, -ENOSPC }, "aaa", false, 4, 2, true },
        { { 5, -ENOSPC }, "aaa\nb", false, 3, 2, true },
        { { 7, -ENOSPC }, "aaa\nbb\n", false, 2, 2, false },
        { { 8, -ENOSPC }, "aaa\nbb\nb", false, 2, 2, true },
        { { 9, -ENOSPC }, "aaa\nbb\nb\n", false, 1, 2, false },
        { { 10, -EIO }, "aaa\nbb\nb\nc", false, 1, 2, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(takes, cases[i].takes, sizeof(takes));
        written_len = 0;
        written[0] = '\0';
        queue->dropped = 0;
        queue->is_torn = false;
        assert_int_equal(write_three(), cases[i].is_whole);
        assert_string_equal(written, cases[i].text);
        assert_int_equal(queue->dropped, cases[i].dropped);
        assert_int_equal(step, cases[i].steps);
        assert_int_equal(queue->is_torn, cases[i].is_torn);
    }
}

static void a_torn_line_is_ended_before_the_next(void **state)
{
    (void)state;
    queue->is_torn = true;
    takes[0] = -ENOSPC;
    takes[1] = -ENOSPC;
    assert_false(write_three());
    assert_true(queue->is_torn); // not yet
    takes[0] = takes[1] = 0;
    assert_true(write_three());
    assert_string_equal(written, "\naaa\nbb\nb\nc\n");
    assert_false(queue->is_torn);
}

/* ---- what is missing ---- */

static const char missing[] = "{\"ts\":\"2026-11-22T02:00:09.123Z\",\"level\":\"WARN\",\"event\":"
                              "\"log_lines_missing\","
                              "\"message\":\"the log lacks lines: they came faster than they could "
                              "be written, or one message "
                              "came more often than log.rate "
                              "allows\",\"dropped\":%d,\"suppressed\":%d}\n";

static void expect_told(int dropped, int suppressed)
{
    char wanted[512];

    snprintf(wanted, sizeof(wanted), missing, dropped, suppressed);
    assert_string_equal(written, wanted);
    written_len = 0;
    written[0] = '\0';
}

static void what_is_missing_is_said_once_a_second(void **state)
{
    (void)state;
    tell_missing(queue);
    assert_string_equal(written, ""); // nothing is
    queue->dropped = 3;
    tell_missing(queue);
    expect_told(3, 0);
    assert_int_equal(queue->told_ns, now_of_test);
    now_of_test += INT64_C(5000000000);
    tell_missing(queue);
    assert_string_equal(written, ""); // it was said
    queue->suppressed = 2;
    tell_missing(queue);
    expect_told(0, 2);
    queue->dropped = 10;
    queue->suppressed = 7;
    now_of_test += INT64_C(999999999);
    tell_missing(queue);
    assert_string_equal(written, ""); // not yet again
    now_of_test++;
    tell_missing(queue);
    expect_told(7, 5);
    queue->dropped = 11;
    takes[step] = -ENOSPC;
    now_of_test += INT64_C(1000000000);
    tell_missing(queue);
    assert_string_equal(written, "");
    assert_int_equal(queue->dropped, 11); // the line that says it does not count itself
    assert_int_equal(queue->told_dropped, 10);
    now_of_test += INT64_C(1000000000);
    tell_missing(queue);
    expect_told(1, 0);
    assert_int_equal(log_dropped(queue), 18);
    assert_int_equal(log_dropped(NULL), 0);
}

/* ---- the queue ---- */

static void lines_beyond_the_size_of_the_queue_are_dropped(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        log_line("line\n");
    assert_int_equal(queue->count, 8);
    assert_int_equal(queue->lines, 8);
    assert_int_equal(log_dropped(queue), 2);
    free(queue->ring[0]);
    queue->head = 1; // as if the writer had taken one
    queue->count--;
    queue->lines--;
    log_line("again\n");
    assert_int_equal(queue->count, 8);
    assert_memory_equal(queue->ring[0]->text, "again\n", 6); // the ring goes round
    log_line("too much\n");
    assert_int_equal(log_dropped(queue), 3);
    is_memory_gone = true;
    log_line("no memory\n");
    assert_int_equal(log_dropped(queue), 4);
}

static void a_batch_is_one_block_until_it_is_full_or_urgent(void **state)
{
    static char       long_line[BATCH_BYTES + 100];
    struct log_batch *batch = log_batch_new(queue), *second = log_batch_new(queue);

    (void)state;
    assert_ptr_equal(queue->batches, second);
    assert_ptr_equal(second->next, batch);
    assert_null(log_batch_use(batch));
    assert_false(log_batch_has_lines(batch));
    log_line("one\n");
    log_line("two\n");
    assert_true(log_batch_has_lines(batch));
    assert_int_equal(queue->count, 0);
    assert_int_equal(batch->block->lines, 2);
    assert_int_equal(batch->block->len, 8);
    assert_int_equal(batch->capacity, BATCH_BYTES);
    log_queue_line(queue, BP_STR("urgent\n"), true);
    assert_false(log_batch_has_lines(batch));
    assert_int_equal(queue->count, 1);
    assert_int_equal(queue->lines, 3);
    assert_memory_equal(queue->ring[0]->text, "one\ntwo\nurgent\n", 15);

    memset(long_line, 'x', sizeof(long_line));
    log_line("short\n");
    log_queue_line(queue, bp_str_n(long_line, BATCH_BYTES - 6), false); // it just fits
    assert_int_equal(queue->count, 1);
    assert_int_equal(batch->block->len, BATCH_BYTES);
    log_line("x"); // and that does not
    assert_int_equal(queue->count, 2);
    assert_int_equal(queue->ring[1]->len, BATCH_BYTES);
    assert_int_equal(batch->block->len, 1);
    log_queue_line(queue, bp_str_n(long_line, BATCH_BYTES), false);
    assert_int_equal(queue->count, 3);
    assert_int_equal(batch->capacity, BATCH_BYTES);
    assert_int_equal(batch->block->len, BATCH_BYTES);
    log_queue_line(queue, bp_str_n(long_line, BATCH_BYTES + 1), false);
    assert_int_equal(queue->count, 4);
    assert_int_equal(batch->capacity, BATCH_BYTES + 1);
    log_batch_flush(batch);
    log_batch_flush(batch); // nothing is left
    log_batch_flush(NULL);
    assert_int_equal(queue->count, 5);
    queue->lines = 0; // so that there is room for more

    assert_ptr_equal(log_batch_use(NULL), batch);
    log_line("alone\n"); // at once
    assert_int_equal(queue->count, 6);
    log_batch_use(second);
    log_line("last\n");
    log_batch_use(NULL);
    log_batch_free(second); // hands over what it has
    assert_int_equal(queue->count, 7);
    assert_ptr_equal(queue->batches, batch);
    log_batch_free(batch);
    assert_null(queue->batches);
    log_batch_free(NULL);
    assert_null(log_batch_new(NULL));
    assert_false(log_batch_has_lines(NULL));
    is_memory_gone = true;
    assert_null(log_batch_new(queue));
}

static void a_batch_of_many_lines_waits_in_a_queue_that_is_empty(void **state)
{
    struct log_batch *batch = log_batch_new(queue), *other;
    struct log        elsewhere = { .lock = PTHREAD_MUTEX_INITIALIZER };

    (void)state;
    log_batch_use(batch);
    for (int i = 0; i < 20; i++)
        log_line("x\n");
    log_batch_flush(batch);
    assert_int_equal(queue->lines, 20);
    log_line("x\n");
    log_batch_flush(batch);
    assert_int_equal(queue->count, 1);
    assert_int_equal(log_dropped(queue), 1);
    other = log_batch_new(&elsewhere); // of another log: lines of this one do not wait in it
    log_batch_use(other);
    free(queue->ring[0]);
    queue->count = queue->lines = 0;
    log_line("x\n");
    assert_int_equal(queue->count, 1);
    assert_false(log_batch_has_lines(other));
    log_batch_use(NULL);
    log_batch_free(batch);
    log_batch_free(other);
}

static void a_crash_writes_what_waits_in_its_order(void **state)
{
    struct log_batch *first = log_batch_new(queue), *second = log_batch_new(queue);

    (void)state;
    queue->head = 7;
    log_line("1\n");
    log_line("2\n");
    log_batch_use(first);
    log_line("3\n");
    log_batch_use(second);
    log_line("4\n");
    log_batch_use(NULL);
    log_flush_in_crash(queue);
    assert_string_equal(written, "1\n2\n4\n3\n");
    written_len = 0;
    step = 0;
    takes[0] = takes[1] = -EIO; // nothing more is tried of the queue, and then of the batches
    log_flush_in_crash(queue);
    assert_int_equal(step, 2);
    assert_int_equal(written_len, 0);
    log_flush_in_crash(NULL);
    free(first->block);
    first->block = NULL;
    written_len = 0;
    step = STEPS;
    log_flush_in_crash(queue);
    assert_string_equal(written, "1\n2\n4\n");
    log_batch_free(first);
    log_batch_free(second);
}

/* ---- with the thread ---- */

static void a_log_that_cannot_be_had_says_why(void **state)
{
    (void)state;
    errno = 0;
    assert_null(log_open(&(struct log_options){ .path = "/nonexistent/folder/log" }));
    assert_int_equal(errno, ENOENT);
    are_threads_gone = true;
    closed = -1;
    assert_null(log_open(&(struct log_options){ .path = "/dev/null" }));
    assert_int_equal(errno, EAGAIN);
    assert_int_not_equal(closed, -1); // nothing stays open
    closed = -1;
    assert_null(log_open(&(struct log_options){ 0 }));
    assert_int_equal(closed, -1); // standard error is not its own
    are_threads_gone = false;
    assert_int_equal(locks_made, 0);
    is_memory_gone = true;
    assert_null(log_open(&(struct log_options){ 0 }));
    is_memory_gone = false;
    log_close(NULL);
    log_flush(NULL);
    assert_false(log_enabled(NULL, BP_LOG_ERROR));
}

static void the_thread_writes_all_before_it_ends(void **state)
{
    char        path[] = "/tmp/backplane-log-XXXXXX";
    struct log *log;
    static char text[8192];
    FILE       *file;

    (void)state;
    now_of_test = 0;
    close(mkstemp(path));
    log = log_open(&(struct log_options){ .level = BP_LOG_WARN, .path = path, .rate_per_s = 9 });
    assert_int_equal(log->size, 8192);
    assert_int_equal(log->rate_per_s, 9);
    assert_string_equal(log->path, path);
    assert_false(log_enabled(log, BP_LOG_INFO));
    assert_true(log_enabled(log, BP_LOG_WARN));
    log_set_level(log, BP_LOG_INFO);
    assert_true(log_enabled(log, BP_LOG_INFO));
    for (int i = 0; i < 200; i++) // more than the blocks of one write
        log_queue_line(log, BP_STR("a line\n"), false);
    log_flush(log);
    assert_int_equal(log->count + log->lines, 0);
    assert_false(log->is_writing);
    file = fopen(path, "re");
    assert_int_equal(fread(text, 1, sizeof(text), file), 1400);
    fclose(file);
    log->dropped = 5;
    log_queue_line(log, BP_STR("the last\n"), false);
    log_close(log);
    file = fopen(path, "re");
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    assert_non_null(strstr(text, "the last\n"));
    assert_non_null(strstr(text, "\"dropped\":5,\"suppressed\":0}\n"));
    log = log_open(&(struct log_options){ .queue_lines = 5 });
    assert_int_equal(log->size, 5);
    assert_int_equal(log->fd, STDERR_FILENO);
    assert_null(log->path);
    log_close(log);
    log = log_open(&(struct log_options){ .path = "" });
    assert_int_equal(log->fd, STDERR_FILENO);
    log_close(log);
    assert_int_equal(locks_made + locks_held, 0);
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFD) != -1, 1); // it is not ours to close
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_counted_by_their_ends),
        QUEUED(what_a_write_leaves_is_written_by_the_next),
        QUEUED(a_torn_line_is_ended_before_the_next),
        QUEUED(what_is_missing_is_said_once_a_second),
        QUEUED(lines_beyond_the_size_of_the_queue_are_dropped),
        QUEUED(a_batch_is_one_block_until_it_is_full_or_urgent),
        QUEUED(a_batch_of_many_lines_waits_in_a_queue_that_is_empty),
        QUEUED(a_crash_writes_what_waits_in_its_order),
        QUEUED(a_log_that_cannot_be_had_says_why),
        QUEUED(the_thread_writes_all_before_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

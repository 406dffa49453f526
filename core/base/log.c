/* log.c - JSON lines through a bounded queue to a writer thread.
 *
 *      turns of a loop -> batch -> block -> ring -> thread -> writev
 *
 * What a worker's thread logs within a few milliseconds is handed over as one block, so that the
 * thread is woken once for all of it; warnings and errors go at once, and so do the lines of other
 * threads. The ring is under one mutex that is held for a few instructions. When writing fails
 * (disk full) the lines are counted as dropped and the next write is tried again: the server goes
 * on, and says how many are missing as soon as it can.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_queue.h"

enum { WRITE_BLOCKS = 64, BATCH_BYTES = 16 << 10, TELL_S = 1, CRASH_WAIT_MS = 1000 };

struct log_batch {
    struct log               *log;
    struct log_batch         *next;
    struct log_block *_Atomic block; /* NULL: nothing waits */
    size_t                    capacity;
};

static _Thread_local struct log_batch *own_batch;

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static uint32_t count_lines(const char *text, size_t len)
{
    uint32_t lines = 0;

    for (const char *end = text + len; (text = memchr(text, '\n', (size_t)(end - text))) != NULL;
         text++)
        lines++;
    return lines;
}

/* Lines that did not get out whole are counted; false when there are any. */
static bool write_parts(struct log *log, struct iovec *parts, uint32_t count)
{
    size_t   left = 0;
    uint32_t first = 0;

    if (log->is_torn && write(log->fd, "\n", 1) == 1)
        log->is_torn = false;
    for (uint32_t i = 0; i < count; i++)
        left += parts[i].iov_len;
    while (left) {
        ssize_t done = writev(log->fd, parts + first, (int)(count - first));

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            for (uint32_t i = first; i < count; i++)
                log->dropped += count_lines(parts[i].iov_base, parts[i].iov_len);
            return false;
        }
        left -= (size_t)done;
        while (first < count && (size_t)done >= parts[first].iov_len) {
            done -= (ssize_t)parts[first].iov_len;
            first++;
        }
        if (first < count) {
            parts[first].iov_base = (char *)parts[first].iov_base + done;
            parts[first].iov_len -= (size_t)done;
            log->is_torn = done > 0 && ((char *)parts[first].iov_base)[-1] != '\n';
        } else {
            log->is_torn = false;
        }
    }
    return true;
}

static void write_blocks(struct log *log, struct log_block **blocks, uint32_t count)
{
    struct iovec parts[WRITE_BLOCKS];

    for (uint32_t i = 0; i < count; i++)
        parts[i] = (struct iovec){ blocks[i]->text, blocks[i]->len };
    write_parts(log, parts, count);
    for (uint32_t i = 0; i < count; i++)
        free(blocks[i]);
}

/* The log itself says how many lines are missing, at most once a second. */
static void tell_missing(struct log *log)
{
    uint64_t     dropped = log->dropped, suppressed = log->suppressed;
    int64_t      now_ns = clock_now_ns();
    char         ts[25], text[400];
    struct iovec part = { text, 0 };

    if ((dropped == log->told_dropped && suppressed == log->told_suppressed) ||
        now_ns - log->told_ns < (int64_t)TELL_S * 1000000000)
        return;
    log->told_ns = now_ns;
    clock_format_utc(clock_wall_ns(), ts);
    part.iov_len = (size_t)snprintf(text, sizeof(text),
                                    "{\"ts\":\"%s\",\"level\":\"WARN\",\"event\":\"log_lines_"
                                    "missing\",\"message\":\"the log lacks lines: they came faster "
                                    "than they could be written, or one message came more often "
                                    "than log.rate "
                                    "allows\",\"dropped\":%llu,\"suppressed\":%llu}\n",
                                    ts, (unsigned long long)(dropped - log->told_dropped),
                                    (unsigned long long)(suppressed - log->told_suppressed));
    if (write_parts(log, &part, 1)) {
        log->told_dropped = dropped;
        log->told_suppressed = suppressed;
    } else {
        log->dropped--; // this line itself, which will be tried again
    }
}

/* Until there are some; while some are missing, until that is to be said. */
static void wait_for_lines(struct log *log)
{
    struct timespec until;

    if (log->dropped == log->told_dropped && log->suppressed == log->told_suppressed) {
        pthread_cond_wait(&log->filled, &log->lock);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TELL_S;
    pthread_cond_timedwait(&log->filled, &log->lock, &until);
}

static void *writer(void *arg)
{
    struct log       *log = arg;
    struct log_block *blocks[WRITE_BLOCKS];

    pthread_mutex_lock(&log->lock);
    for (;;) {
        uint32_t count = 0;

        if (log->count == 0 && !log->is_closing)
            wait_for_lines(log);
        if (log->count == 0 && log->is_closing)
            break;
        while (count < WRITE_BLOCKS && log->count) {
            blocks[count++] = log->ring[log->head];
            log->head = (log->head + 1) % log->size;
            log->lines -= blocks[count - 1]->lines;
            log->count--;
        }
        log->is_writing = true;
        pthread_mutex_unlock(&log->lock);
        write_blocks(log, blocks, count);
        tell_missing(log);
        pthread_mutex_lock(&log->lock);
        log->is_writing = false;
        if (log->count == 0)
            pthread_cond_broadcast(&log->drained);
    }
    pthread_mutex_unlock(&log->lock);
    log->told_ns = 0;
    tell_missing(log);
    return NULL;
}

struct log *log_open(const struct log_options *options)
{
    struct log *log = calloc(1, sizeof(*log));

    if (!log)
        return NULL;
    log->level = options->level;
    log->rate_per_s = options->rate_per_s;
    log->size = options->queue_lines ? options->queue_lines : 8192;
    log->fd = STDERR_FILENO;
    log->ring = calloc(log->size, sizeof(struct log_block *));
    if (options->path && options->path[0]) {
        log->path = strdup(options->path);
        log->fd = open_file(options->path);
    }
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->filled, NULL);
    pthread_cond_init(&log->drained, NULL);
    if (!log->ring || log->fd < 0 || pthread_create(&log->thread, NULL, writer, log) != 0) {
        int reason = errno;

        if (log->path && log->fd >= 0)
            close(log->fd);
        pthread_mutex_destroy(&log->lock);
        pthread_cond_destroy(&log->filled);
        pthread_cond_destroy(&log->drained);
        free(log->ring);
        free(log->path);
        free(log);
        errno = reason;
        return NULL;
    }
    return log;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->is_closing = true;
    pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    if (log->path)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->filled);
    pthread_cond_destroy(&log->drained);
    free(log->path);
    free(log->ring);
    free(log);
}

bool log_reopen(struct log *log)
{
    int fd, old;

    if (!log->path)
        return true;
    fd = open_file(log->path);
    if (fd < 0)
        return false;
    log_flush(log);
    old = log->fd;
    // dup2 keeps the number, so a write that is under way never meets a closed descriptor.
    dup3(fd, old, O_CLOEXEC);
    close(fd);
    return true;
}

void log_flush(struct log *log)
{
    if (!log)
        return;
    if (own_batch && own_batch->log == log)
        log_batch_flush(own_batch);
    pthread_mutex_lock(&log->lock);
    while (log->count || log->is_writing)
        pthread_cond_wait(&log->drained, &log->lock);
    pthread_mutex_unlock(&log->lock);
}

/* The writer goes on while another thread crashes: what it has taken is written soon, unless the
 * file hangs, or the thread that crashes holds the lock. */
static void wait_for_writer(struct log *log)
{
    const struct timespec moment = { .tv_nsec = 1000000 };

    for (int i = 0; i < CRASH_WAIT_MS && !pthread_equal(pthread_self(), log->thread); i++) {
        if (!*(volatile uint32_t *)&log->count && !*(volatile bool *)&log->is_writing)
            return;
        nanosleep(&moment, NULL);
    }
}

void log_flush_in_crash(struct log *log)
{
    if (!log)
        return;
    wait_for_writer(log);
    for (uint32_t i = 0; i < log->count; i++) {
        const struct log_block *block = log->ring[(log->head + i) % log->size];

        if (block && write(log->fd, block->text, block->len) < 0)
            break;
    }
    for (const struct log_batch *batch = log->batches; batch; batch = batch->next) {
        const struct log_block *block = batch->block;

        if (block && write(log->fd, block->text, block->len) < 0)
            break;
    }
}

void log_set_level(struct log *log, uint32_t level)
{
    log->level = level;
}

bool log_enabled(const struct log *log, uint32_t level)
{
    return log && level >= log->level;
}

uint64_t log_dropped(const struct log *log)
{
    return log ? log->dropped + log->suppressed : 0;
}

/* ---- on the way to the writer ---- */

/* Takes the block over. */
static void enqueue(struct log *log, struct log_block *block)
{
    bool is_queued = false;

    pthread_mutex_lock(&log->lock);
    // A block may have more lines than the queue is set to: it is taken by a queue that is empty.
    if (!log->count || log->lines + block->lines <= log->size) {
        log->ring[(log->head + log->count) % log->size] = block;
        log->lines += block->lines;
        is_queued = true;
        if (log->count++ == 0)
            pthread_cond_signal(&log->filled);
    }
    pthread_mutex_unlock(&log->lock);
    if (!is_queued) {
        log->dropped += block->lines;
        free(block);
    }
}

struct log_batch *log_batch_new(struct log *log)
{
    struct log_batch *batch = log ? calloc(1, sizeof(*batch)) : NULL;

    if (!batch)
        return NULL;
    batch->log = log;
    pthread_mutex_lock(&log->lock);
    batch->next = log->batches;
    log->batches = batch;
    pthread_mutex_unlock(&log->lock);
    return batch;
}

void log_batch_free(struct log_batch *batch)
{
    if (!batch)
        return;
    log_batch_flush(batch);
    pthread_mutex_lock(&batch->log->lock);
    for (struct log_batch **at = &batch->log->batches; *at; at = &(*at)->next) {
        if (*at == batch) {
            *at = batch->next;
            break;
        }
    }
    pthread_mutex_unlock(&batch->log->lock);
    free(batch);
}

struct log_batch *log_batch_use(struct log_batch *batch)
{
    struct log_batch *before = own_batch;

    own_batch = batch;
    return before;
}

bool log_batch_has_lines(const struct log_batch *batch)
{
    return batch && batch->block;
}

void log_batch_flush(struct log_batch *batch)
{
    struct log_block *block = batch ? batch->block : NULL;

    if (!block)
        return;
    batch->block = NULL;
    enqueue(batch->log, block);
}

static struct log_block *new_block(size_t capacity)
{
    struct log_block *block = malloc(sizeof(*block) + capacity);

    if (block)
        block->len = block->lines = 0;
    return block;
}

static void append(struct log_block *block, bp_str line)
{
    memcpy(block->text + block->len, line.data, line.len);
    block->len += line.len;
    block->lines++;
}

void log_queue_line(struct log *log, bp_str line, bool is_urgent)
{
    struct log_batch *batch = own_batch && own_batch->log == log ? own_batch : NULL;
    struct log_block *block = batch ? batch->block : NULL;

    if (block && batch->capacity - block->len < line.len) {
        log_batch_flush(batch);
        block = NULL;
    }
    if (!block) {
        size_t capacity = batch && line.len < BATCH_BYTES ? BATCH_BYTES : line.len;

        block = new_block(capacity);
        if (!block) {
            log->dropped++;
            return;
        }
        if (batch) {
            batch->capacity = capacity;
            batch->block = block;
        }
    }
    append(block, line);
    if (!batch)
        enqueue(log, block);
    else if (is_urgent)
        log_batch_flush(batch);
}

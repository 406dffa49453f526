/* log.c - JSON lines through a bounded queue to a writer thread.
 *
 * The queue is a ring of line pointers under one mutex that is held for a few instructions. The thread takes
 * all that is there and writes it with one writev. When writing fails (disk full) the lines are counted as
 * dropped and the next write is tried again: the server goes on.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mask.h"

enum { LINE_BYTES_MAX = 16384, RATE_SLOTS = 256, WRITE_LINES = 64 };

struct line {
    size_t len;
    char   text[];
};

/* How many lines an event has written in the current second; events share a slot when their hashes meet. */
struct rate_slot {
    _Atomic int64_t  second;
    _Atomic uint32_t lines;
};

struct log {
    _Atomic uint32_t level;
    uint32_t         rate_per_s;
    _Atomic int      fd;
    char            *path;
    struct rate_slot rates[RATE_SLOTS];
    _Atomic uint64_t dropped, suppressed;

    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  filled, drained;
    struct line   **ring;
    uint32_t        size, head, count; /* the oldest line is ring[head] */
    bool            is_writing, is_closing;
    bool            is_torn; /* the writer's: a line was cut off by a full disk, the next one begins behind a line end */
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static void write_lines(struct log *log, struct line **lines, uint32_t count)
{
    struct iovec parts[WRITE_LINES];
    size_t       left = 0;
    uint32_t     first = 0;

    if (log->is_torn && write(log->fd, "\n", 1) == 1)
        log->is_torn = false;
    for (uint32_t i = 0; i < count; i++) {
        parts[i] = (struct iovec){ lines[i]->text, lines[i]->len };
        left += lines[i]->len;
    }
    while (left) {
        ssize_t done = writev(log->fd, parts + first, (int)(count - first));

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            log->dropped += count - first;
            log->is_torn |= parts[first].iov_len < lines[first]->len;
            break;
        }
        left -= (size_t)done;
        while (first < count && (size_t)done >= parts[first].iov_len) {
            done -= (ssize_t)parts[first].iov_len;
            first++;
        }
        if (first < count) {
            parts[first].iov_base = (char *)parts[first].iov_base + done;
            parts[first].iov_len -= (size_t)done;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        free(lines[i]);
}

static void *writer(void *arg)
{
    struct log  *log = arg;
    struct line *lines[WRITE_LINES];

    pthread_mutex_lock(&log->lock);
    for (;;) {
        uint32_t count = 0;

        while (log->count == 0 && !log->is_closing)
            pthread_cond_wait(&log->filled, &log->lock);
        if (log->count == 0)
            break;
        while (count < WRITE_LINES && log->count) {
            lines[count++] = log->ring[log->head];
            log->head = (log->head + 1) % log->size;
            log->count--;
        }
        log->is_writing = true;
        pthread_mutex_unlock(&log->lock);
        write_lines(log, lines, count);
        pthread_mutex_lock(&log->lock);
        log->is_writing = false;
        if (log->count == 0)
            pthread_cond_broadcast(&log->drained);
    }
    pthread_mutex_unlock(&log->lock);
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
    log->ring = calloc(log->size, sizeof(struct line *));
    if (options->path && options->path[0]) {
        log->path = strdup(options->path);
        log->fd = open_file(options->path);
    }
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->filled, NULL);
    pthread_cond_init(&log->drained, NULL);
    if (!log->ring || log->fd < 0 || pthread_create(&log->thread, NULL, writer, log) != 0) {
        int reason = errno;

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
    pthread_mutex_lock(&log->lock);
    while (log->count || log->is_writing)
        pthread_cond_wait(&log->drained, &log->lock);
    pthread_mutex_unlock(&log->lock);
}

void log_flush_in_crash(struct log *log)
{
    if (!log)
        return;
    for (uint32_t i = 0; i < log->count; i++) {
        const struct line *line = log->ring[(log->head + i) % log->size];

        if (line && write(log->fd, line->text, line->len) < 0)
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

static bool is_within_rate(struct log *log, const char *event, bp_str message)
{
    uint32_t          hash = 2166136261u;
    int64_t           second = clock_now_ns() / 1000000000;
    struct rate_slot *slot;
    bp_str            key = event && *event ? bp_str_of(event) : (bp_str){ message.data, message.len < 24 ? message.len : 24 };

    if (log->rate_per_s == 0)
        return true;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 16777619u;
    slot = &log->rates[hash % RATE_SLOTS];
    if (slot->second != second) {
        slot->second = second;
        slot->lines = 0;
    }
    return ++slot->lines <= log->rate_per_s;
}

static void add_field(bp_json_writer *w, const bp_field *field)
{
    json_key(w, bp_str_of(field->name));
    switch (field->type) {
    case 1: json_add_integer(w, field->integer); break;
    case 2: json_add_number(w, field->number); break;
    case 3: json_add_bool(w, field->integer != 0); break;
    default: json_add_string(w, field->text); break;
    }
}

static void put_message(bp_json_writer *w, bp_str message)
{
    struct arena arena;

    if (!mask_is_needed(message)) {
        json_put_string(w, "message", message);
        return;
    }
    arena_init(&arena, 64 << 10);
    json_put_string(w, "message", mask_secrets(&arena, message, false));
    arena_free(&arena);
}

static void enqueue(struct log *log, bp_str text)
{
    struct line *line = malloc(sizeof(*line) + text.len + 1);
    bool         is_queued = false;

    if (!line) {
        log->dropped++;
        return;
    }
    line->len = text.len + 1;
    memcpy(line->text, text.data, text.len);
    line->text[text.len] = '\n';
    pthread_mutex_lock(&log->lock);
    if (log->count < log->size) {
        log->ring[(log->head + log->count) % log->size] = line;
        is_queued = true;
        if (log->count++ == 0)
            pthread_cond_signal(&log->filled);
    }
    pthread_mutex_unlock(&log->lock);
    if (!is_queued) {
        log->dropped++;
        free(line);
    }
}

void log_event(struct log *log, uint32_t level, const char *event, bp_str message, const bp_field *fields,
               size_t field_count)
{
    static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };
    struct bp_buf  buf;
    bp_json_writer w;
    char           ts[25];

    if (!log_enabled(log, level))
        return;
    if (!is_within_rate(log, event, message)) {
        log->suppressed++;
        return;
    }
    buf_init(&buf, NULL, LINE_BYTES_MAX);
    json_writer_init(&w, &buf);
    clock_format_utc(clock_wall_ns(), ts);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "ts", ts);
    json_put_text(&w, "level", names[level & 3]);
    if (event && *event)
        json_put_text(&w, "event", event);
    if (message.len)
        put_message(&w, (bp_str){ message.data, message.len < 4096 ? message.len : 4096 });
    for (size_t i = 0; i < field_count; i++)
        add_field(&w, &fields[i]);
    json_end(&w);
    if (json_writer_status(&w) == BP_OK)
        enqueue(log, buf_str(&buf));
    else
        log->dropped++;
    buf_free(&buf);
}

void log_message(struct log *log, uint32_t level, const char *event, const char *format, ...)
{
    char    text[1024];
    va_list args;
    int     len;

    if (!log_enabled(log, level))
        return;
    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    log_event(log, level, event, (bp_str){ text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1 }, NULL, 0);
}

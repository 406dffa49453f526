/* log.h - JSON lines, written by a thread of their own so that no loop ever waits for a disk.
 *
 *      {"ts":"2026-11-22T01:45:09.123Z","level":"INFO","event":"ready","message":"...","request_id":"..."}
 *
 * The queue between the callers and the thread is bounded; what does not fit is counted and
 * reported, never waited for. One event may write `rate_per_s` lines a second (0: no limit), but
 * for records, of which there is one for each thing that happened. Any thread may log.
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <backplane/call.h>

/* The event of lines that a plugin writes without one. Their messages are told apart by how they
 * begin, so that a plugin that says one thing too often does not silence the others. */
#define LOG_PLUGIN_EVENT "plugin_message"

struct log;

struct log_options {
    uint32_t    level;       /* bp_log_level: lines below it are not made */
    const char *path;        /* NULL or empty: standard error */
    uint32_t    queue_lines; /* 0: 8,192 */
    uint32_t    rate_per_s;  /* lines of one event */
};

/* NULL with errno set when the file cannot be opened. */
struct log *log_open(const struct log_options *options);
void        log_close(struct log *log); /* writes the queued lines */
/* Reopens the file after it was moved away. False, with errno, keeps the old one. */
bool log_reopen(struct log *log);
void log_flush(struct log *log); /* waits until the lines queued now, and those this thread
                                    gathered, are written */
void     log_set_level(struct log *log, uint32_t level);
bool     log_enabled(const struct log *log, uint32_t level);
uint64_t log_dropped(const struct log *log);
/* For the crash handler: waits a moment for the writer, then writes the queued lines with write(2)
 * alone, and takes no lock. */
void log_flush_in_crash(struct log *log);

/* Gathers what one thread logs: log_batch_use() says which thread and gives back what it had; a
 * flush hands it over. Of a log that is NULL, NULL, which all of these take. */
struct log_batch;
struct log_batch *log_batch_new(struct log *log);
struct log_batch *log_batch_use(struct log_batch *batch);
void              log_batch_flush(struct log_batch *batch);
bool              log_batch_has_lines(const struct log_batch *batch);
void              log_batch_free(struct log_batch *batch);

/* `event` NULL or empty: none. `fields` may be NULL with count 0. log may be NULL: nothing happens.
 */
void log_event(struct log *log, uint32_t level, const char *event, bp_str message,
               const bp_field *fields, size_t field_count);
/* The same without the limit: a line for each request, each change; never for what repeats itself.
 */
void log_record(struct log *log, uint32_t level, const char *event, bp_str message,
                const bp_field *fields, size_t field_count);
void log_message(struct log *log, uint32_t level, const char *event, const char *format, ...)
    BP_FORMAT(4, 5);

#endif

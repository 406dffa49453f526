/* log_line.c - what a line of the log looks like, and how many of one message there may be. */
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log_queue.h"
#include "base/mask.h"
#include "base/str.h"

enum { LINE_BYTES_MAX = 16384, MESSAGE_BYTES_MAX = 4096, MASKED_BYTES_MAX = 64 << 10 };

static bool is_within_rate(struct log *log, const char *event, bp_str message)
{
    uint32_t          hash = 2166136261u;
    int64_t           second = clock_now_ns() / 1000000000;
    struct rate_slot *slot;
    bool              has_event = event && *event && strcmp(event, LOG_PLUGIN_EVENT) != 0;
    bp_str            key = has_event ? bp_str_of(event) : (bp_str){ message.data, message.len < 24 ? message.len : 24 };

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

/* Whatever a sentence says, a password, a key or a token does not stand in the log. */
static void put_message(bp_json_writer *w, bp_str message)
{
    struct arena arena;

    if (!mask_is_needed(message)) {
        json_put_string(w, "message", message);
        return;
    }
    arena_init(&arena, MASKED_BYTES_MAX);
    json_put_string(w, "message", mask_secrets(&arena, message, false));
    arena_free(&arena);
}

static bool write_line(struct bp_buf *buf, uint32_t level, const char *event, bp_str message, const bp_field *fields,
                       size_t field_count)
{
    static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };
    bp_json_writer w;
    char           ts[25];

    json_writer_init(&w, buf);
    clock_format_utc(clock_wall_ns(), ts);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "ts", ts);
    json_put_text(&w, "level", names[level & 3]);
    if (event && *event)
        json_put_text(&w, "event", event);
    if (message.len)
        put_message(&w, str_cut(message, MESSAGE_BYTES_MAX));
    for (size_t i = 0; i < field_count; i++)
        add_field(&w, &fields[i]);
    json_end(&w);
    buf_add_char(buf, '\n');
    return json_writer_status(&w) == BP_OK && buf_status(buf) == BP_OK;
}

void log_record(struct log *log, uint32_t level, const char *event, bp_str message, const bp_field *fields,
                size_t field_count)
{
    struct bp_buf buf;

    if (!log_enabled(log, level))
        return;
    buf_init(&buf, NULL, LINE_BYTES_MAX);
    if (write_line(&buf, level, event, message, fields, field_count))
        log_queue_line(log, buf_str(&buf), level >= BP_LOG_WARN);
    else
        log->dropped++;
    buf_free(&buf);
}

void log_event(struct log *log, uint32_t level, const char *event, bp_str message, const bp_field *fields,
               size_t field_count)
{
    if (!log_enabled(log, level))
        return;
    if (is_within_rate(log, event, message))
        log_record(log, level, event, message, fields, field_count);
    else
        log->suppressed++;
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

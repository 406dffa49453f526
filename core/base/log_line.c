/* log_line.c - formats a log line, and limits the lines of one message. */
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
    bp_str            key = has_event ? bp_str_of(event)
                                      : (bp_str){ message.data, message.len < 24 ? message.len : 24 };

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

/* ---- writing: a line is put together on the stack, as there may be one for each request ---- */

struct line {
    char *at, *end;
    bool  is_cut; /* it did not fit */
    char  text[LINE_BYTES_MAX];
};

static inline void put(struct line *line, const char *text, size_t len)
{
    if ((size_t)(line->end - line->at) < len) {
        line->is_cut = true;
        return;
    }
    memcpy(line->at, text, len);
    line->at += len;
}

static void put_escaped(struct line *line, bp_str text)
{
    struct bp_buf buf;
    bp_str        quoted;

    buf_init(&buf, NULL, LINE_BYTES_MAX);
    json_append_quoted(&buf, text);
    quoted = buf_str(&buf);
    line->is_cut |= buf_status(&buf) != BP_OK;
    put(line, quoted.data ? quoted.data : "", quoted.len);
    buf_free(&buf);
}

static void put_quoted(struct line *line, bp_str text)
{
    if (str_plain_run(text, 0) < text.len) {
        put_escaped(line, text);
        return;
    }
    put(line, "\"", 1);
    if (text.len)
        put(line, text.data, text.len);
    put(line, "\"", 1);
}

static void put_name(struct line *line, const char *name)
{
    put(line, ",", 1);
    put_quoted(line, bp_str_of(name));
    put(line, ":", 1);
}

/* Whatever a sentence or a field says, a password, a key or a token does not stand in the log. */
static void put_masked(struct line *line, bp_str text)
{
    struct arena arena;

    if (!mask_is_needed(text)) {
        put_quoted(line, text);
        return;
    }
    arena_init(&arena, MASKED_BYTES_MAX);
    put_quoted(line, mask_secrets(&arena, text, false));
    arena_free(&arena);
}

static void put_field(struct line *line, const bp_field *field)
{
    char   text[40];
    bp_str digits;

    put_name(line, field->name);
    switch (field->type) {
    case 1:
        digits = str_from_int(field->integer, text);
        put(line, digits.data, digits.len);
        break;
    case 2:
        put(line, text, json_number_text(field->number, text));
        break;
    case 3:
        put(line, field->integer ? "true" : "false", field->integer ? 4 : 5);
        break;
    default:
        put_masked(line, field->text);
        break;
    }
}

static void write_line(struct line *line, uint32_t level, const char *event, bp_str message,
                       const bp_field *fields, size_t field_count)
{
    static const char *const levels[] = { "\",\"level\":\"DEBUG\"", "\",\"level\":\"INFO\"",
                                          "\",\"level\":\"WARN\"", "\",\"level\":\"ERROR\"" };
    char                     ts[25];

    line->at = line->text;
    line->end = line->text + sizeof(line->text);
    line->is_cut = false;
    clock_format_utc(clock_wall_ns(), ts);
    put(line, "{\"ts\":\"", 7);
    put(line, ts, 24);
    put(line, levels[level & 3], strlen(levels[level & 3]));
    if (event && *event) {
        put_name(line, "event");
        put_quoted(line, bp_str_of(event));
    }
    if (message.len) {
        put_name(line, "message");
        put_masked(line, str_cut(message, MESSAGE_BYTES_MAX));
    }
    for (size_t i = 0; i < field_count; i++)
        put_field(line, &fields[i]);
    put(line, "}\n", 2);
}

void log_record(struct log *log, uint32_t level, const char *event, bp_str message,
                const bp_field *fields, size_t field_count)
{
    struct line line;

    if (!log_enabled(log, level))
        return;
    write_line(&line, level, event, message, fields, field_count);
    if (line.is_cut)
        log->dropped++;
    else
        log_queue_line(log, (bp_str){ line.text, (size_t)(line.at - line.text) },
                       level >= BP_LOG_WARN);
}

void log_event(struct log *log, uint32_t level, const char *event, bp_str message,
               const bp_field *fields, size_t field_count)
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
    log_event(log, level, event,
              (bp_str){ text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1 }, NULL,
              0);
}

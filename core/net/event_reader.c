/* event_reader.c - a parser of server-sent events that can be fed byte by byte. */
#include "net/event_reader.h"

enum { EVENT_NAME_MAX_BYTES = 1024 };

void event_reader_init(struct event_reader *reader)
{
    *reader = (struct event_reader){ 0 };
    buf_init(&reader->line, NULL, SIZE_MAX / 4); // bounded together, by max_bytes
    buf_init(&reader->data, NULL, SIZE_MAX / 4);
    buf_init(&reader->type, NULL, EVENT_NAME_MAX_BYTES);
    buf_init(&reader->id, NULL, EVENT_NAME_MAX_BYTES);
}

void event_reader_free(struct event_reader *reader)
{
    buf_free(&reader->line);
    buf_free(&reader->data);
    buf_free(&reader->type);
    buf_free(&reader->id);
}

static void replace(struct bp_buf *buf, bp_str value)
{
    buf_reset(buf);
    buf_add(buf, value);
}

static void take_field(struct event_reader *reader, bp_str line)
{
    const char *colon = memchr(line.data, ':', line.len);
    bp_str      name = line, value = { "", 0 };

    if (colon) {
        name.len = (size_t)(colon - line.data);
        value = bp_str_n(colon + 1, line.len - name.len - 1);
        if (value.len && value.data[0] == ' ')
            value = bp_str_n(value.data + 1, value.len - 1);
    }
    if (bp_str_is(name, "data")) {
        if (reader->has_data)
            buf_add_char(&reader->data, '\n');
        buf_add(&reader->data, value);
        reader->has_data = true;
    } else if (bp_str_is(name, "event")) {
        replace(&reader->type, value);
    } else if (bp_str_is(name, "id") && (!value.len || !memchr(value.data, '\0', value.len))) {
        replace(&reader->id, value);
    }
}

/* True when the line completes an event. */
static bool take_line(struct event_reader *reader, bp_str line)
{
    if (!reader->is_begun) {
        reader->is_begun = true;
        if (bp_str_starts(line, "\xEF\xBB\xBF"))
            line = bp_str_n(line.data + 3, line.len - 3);
    }
    if (line.len) {
        if (line.data[0] != ':')
            take_field(reader, line);
        return false;
    }
    if (!reader->has_data || reader->data.len == 0) {
        // An event without data is none: not even its name is kept.
        reader->has_data = false;
        buf_reset(&reader->data);
        buf_reset(&reader->type);
        return false;
    }
    reader->is_given = true;
    return true;
}

static bp_status state_of(const struct event_reader *reader)
{
    const struct bp_buf *all[] = { &reader->line, &reader->data, &reader->type, &reader->id };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (buf_status(all[i]) != BP_OK)
            return buf_status(all[i]);
    return reader->line.len + reader->data.len > reader->max_bytes ? BP_TOO_LARGE : BP_OK;
}

static size_t line_end(bp_str input)
{
    size_t end = 0;

    while (end < input.len && input.data[end] != '\n' && input.data[end] != '\r')
        end++;
    return end;
}

bp_status event_reader_feed(struct event_reader *reader, size_t max_bytes, bp_str *input,
                            bool *is_complete)
{
    *is_complete = false;
    reader->max_bytes = max_bytes;
    if (reader->is_given) {
        reader->is_given = reader->has_data = false;
        buf_reset(&reader->data);
        buf_reset(&reader->type);
    }
    while (input->len && !*is_complete) {
        size_t    end;
        bp_status status;

        if (reader->is_after_cr && input->data[0] == '\n') {
            reader->is_after_cr = false;
            *input = bp_str_n(input->data + 1, input->len - 1);
            continue;
        }
        reader->is_after_cr = false;
        end = line_end(*input);
        if (end > max_bytes)
            return BP_TOO_LARGE;
        buf_add(&reader->line, bp_str_n(input->data, end));
        if (state_of(reader) !=
            BP_OK) // also when the line ends here: how the bytes are cut must make no difference
            return state_of(reader);
        if (end < input->len) {
            reader->is_after_cr = input->data[end] == '\r';
            *is_complete = take_line(reader, buf_str(&reader->line));
            buf_reset(&reader->line);
            end++;
        }
        *input = bp_str_n(input->data + end, input->len - end);
        status = state_of(reader);
        if (status != BP_OK)
            return status;
    }
    return BP_OK;
}

/* event_reader.h - takes server-sent events out of a byte stream, as the WHATWG HTML standard says
 * (9.2.6).
 *
 * Bytes come in pieces of any size; lines end with CR, LF or CRLF. The memory of one event is
 * bounded: its data and the line that is not complete yet.
 */
#ifndef NET_EVENT_READER_H
#define NET_EVENT_READER_H

#include "base/buf.h"

struct event_reader {
    struct bp_buf line, data, type, id; /* on the heap */
    size_t        max_bytes;            /* of line and data together */
    bool          is_begun;             /* a byte order mark was looked for */
    bool          is_after_cr;          /* an LF that comes now belongs to it */
    bool          has_data;
    bool is_given; /* data and type are of the last event, and are dropped when the next begins */
};

void event_reader_init(struct event_reader *reader);
void event_reader_free(struct event_reader *reader);

/* Takes bytes off `input` until an event is complete: BP_OK with *is_complete, or with an empty
 * input. The event's strings are reader->type, ->data and ->id, valid until the next call.
 * BP_TOO_LARGE above `max_bytes`, BP_NO_MEMORY. */
bp_status event_reader_feed(struct event_reader *reader, size_t max_bytes, bp_str *input,
                            bool *is_complete);

#endif

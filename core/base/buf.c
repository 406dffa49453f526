/* buf.c - a growing byte buffer with a maximum. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

void buf_init(struct bp_buf *buf, struct arena *arena, size_t max_bytes)
{
    *buf = (struct bp_buf){ .arena = arena, .max_bytes = max_bytes };
}

void buf_free(struct bp_buf *buf)
{
    if (!buf->arena)
        free(buf->data);
    buf_init(buf, buf->arena, buf->max_bytes);
}

void buf_reset(struct bp_buf *buf)
{
    if (!buf)
        return;
    buf->len = 0;
    buf->status = BP_OK;
}

/* There is a byte behind the text for buf_str()'s NUL, and none was counted that has no room. */
static bool is_in_bounds(const struct bp_buf *buf)
{
    return buf->data ? buf->len < buf->capacity && buf->len <= buf->max_bytes
                     : buf->len == 0 && buf->capacity == 0;
}

static bool grow(struct bp_buf *buf, size_t needed)
{
    size_t capacity = buf->capacity ? buf->capacity : 256;
    char  *data;

    while (capacity < needed)
        capacity *= 2;
    if (buf->arena) {
        data = arena_alloc_raw(buf->arena, capacity);
        if (data && buf->len)
            memcpy(data, buf->data, buf->len);
    } else {
        data = realloc(buf->data, capacity);
    }
    if (!data) {
        buf->status = BP_NO_MEMORY;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

char *buf_reserve(struct bp_buf *buf, size_t size_bytes)
{
    if (!buf || buf->status != BP_OK)
        return NULL;
    CHECK(is_in_bounds(buf));
    if (size_bytes > buf->max_bytes || buf->len > buf->max_bytes - size_bytes) {
        buf->status = BP_TOO_LARGE;
        return NULL;
    }
    // One byte more than asked for, so that buf_str() can always end with a NUL.
    if (buf->len + size_bytes + 1 > buf->capacity && !grow(buf, buf->len + size_bytes + 1))
        return NULL;
    return buf->data + buf->len;
}

void buf_commit(struct bp_buf *buf, size_t size_bytes)
{
    // Room for it was reserved; with none there is nothing to count.
    CHECK_ALWAYS(size_bytes == 0 ||
                 (buf->len < buf->capacity && size_bytes <= buf->capacity - 1 - buf->len));
    buf->len += size_bytes;
    CHECK(is_in_bounds(buf));
}

void buf_add(struct bp_buf *buf, bp_str bytes)
{
    char *room;

    if (bytes.len == 0)
        return;
    room = buf_reserve(buf, bytes.len);
    if (room) {
        memcpy(room, bytes.data, bytes.len);
        buf->len += bytes.len;
    }
}

void buf_add_char(struct bp_buf *buf, char c)
{
    char *room = buf_reserve(buf, 1);

    if (room) {
        *room = c;
        buf->len++;
    }
}

void buf_addf(struct bp_buf *buf, const char *format, ...)
{
    va_list args;
    char   *room;
    int     len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len <= 0)
        return;
    room = buf_reserve(buf, (size_t)len);
    if (!room)
        return;
    va_start(args, format);
    vsnprintf(room, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

void buf_consume(struct bp_buf *buf, size_t count)
{
    if (count > buf->len)
        count = buf->len;
    if (count)
        memmove(buf->data, buf->data + count, buf->len - count);
    buf->len -= count;
}

bp_str buf_str(struct bp_buf *buf)
{
    if (!buf || buf->status != BP_OK || buf->len == 0)
        return (bp_str){ "", 0 };
    buf->data[buf->len] = '\0';
    return (bp_str){ buf->data, buf->len };
}

bp_status buf_status(const struct bp_buf *buf)
{
    return buf ? buf->status : BP_NO_MEMORY;
}

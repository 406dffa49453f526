/* wire.c - one connection, its queue of answers, and how the calls that share it take turns at
 * writing and reading.
 *
 * Nobody serves the connection but the calls that wait on it. A call that is awake and finds bytes
 * to be sent while nobody sends becomes the writer, for one piece; one that finds nobody reading
 * becomes the reader, until its own answer has come; then it wakes the next. A call that is over in
 * the middle of a piece finishes that piece first, as half a command would spoil the connection for
 * all: it may take up to 5 s where the server takes nothing.
 */
#include "redis/parts.h"

#include <stdarg.h>
#include <stdlib.h>

enum { READ_BYTES = 64 << 10, PIECE_BYTES = 256 << 10, KEPT_BYTES = 1 << 20 };

struct redis_wire *redis_wire_new(void)
{
    struct redis_wire *wire = calloc(1, sizeof(*wire));

    if (!wire)
        return NULL;
    wire->parser = redis_parser_new(REPLY_BYTES_MAX);
    wire->buffer = malloc(READ_BYTES);
    wire->users = 1;
    wire->heard_ns = bp_now_ns();
    if (!wire->parser || !wire->buffer) {
        redis_parser_free(wire->parser);
        free(wire->buffer);
        free(wire);
        return NULL;
    }
    return wire;
}

void redis_wire_release(struct redis_wire *wire)
{
    if (!wire || --wire->users || !wire->is_broken)
        return;
    if (wire->stream)
        bp_close(wire->stream);
    redis_parser_free(wire->parser);
    free(wire->buffer);
    free(wire->out.bytes);
    free(wire->sending.bytes);
    free(wire);
}

void redis_wait_free(struct redis_wait *wait)
{
    if (!wait)
        return;
    for (size_t i = 0; i < wait->come; i++)
        redis_reply_free(wait->replies[i]);
    free(wait);
}

/* Takes the first of the queue off: it is answered or lost. */
static void finish_first(struct redis_wire *wire)
{
    struct redis_wait *wait = wire->first;

    wire->first = wait->next;
    if (!wire->first)
        wire->last = NULL;
    wire->wait_count--;
    if (wait->is_left)
        redis_wait_free(wait);
    else if (wait->waker)
        bp_wake(wait->waker);
}

void redis_wire_break(struct redis_wire *wire, const char *format, ...)
{
    va_list args;

    if (wire->is_broken)
        return;
    wire->is_broken = true;
    va_start(args, format);
    vsnprintf(wire->why, sizeof(wire->why), format, args);
    va_end(args);
    while (wire->first) {
        wire->first->is_lost = true;
        wire->first->was_sent = wire->written > wire->first->begin;
        finish_first(wire);
    }
}

/* ---- what came ---- */

static void take_answers(struct redis_wire *wire, size_t count)
{
    struct redis_reply *reply = NULL;

    if (!redis_parser_feed(wire->parser, wire->buffer, count)) {
        redis_wire_break(wire, "%s", redis_parser_problem(wire->parser));
        return;
    }
    for (;;) {
        struct redis_wait *wait;
        if (!redis_parser_next(wire->parser, &reply)) {
            redis_wire_break(wire, "it sent bytes that are not the protocol of Redis: %s",
                             redis_parser_problem(wire->parser));
            return;
        }
        if (redis_parser_pushes(wire->parser) - wire->pushes > PUSHES_MAX) {
            redis_wire_break(wire, "it sent more than %d push messages instead of an answer",
                             PUSHES_MAX);
            redis_reply_free(reply);
            return;
        }
        if (!reply)
            return;
        wire->pushes = redis_parser_pushes(wire->parser);
        wait = wire->first;
        if (!wait) {
            redis_wire_break(wire, "it answered without being asked: \"%.100s\"",
                             reply->text.len ? reply->text.data : "");
            redis_reply_free(reply);
            return;
        }
        if (wait->is_left) {
            redis_reply_free(reply);
            wait->left_out++;
        } else {
            wait->replies[wait->come++] = reply;
        }
        if (wait->come + wait->left_out == wait->wanted)
            finish_first(wire);
    }
}

/* Reads once. A failure of the connection breaks it and is BP_OK; anything else is the call's own
 * end. */
static bp_status read_some(bp_call *call, struct redis_wire *wire, int64_t deadline_ns)
{
    size_t    count = 0;
    bp_status status;

    wire->is_reading = true;
    status = bp_read(call, wire->stream, wire->buffer, READ_BYTES, deadline_ns, &count);
    wire->is_reading = false;
    if (status == BP_DEADLINE || status == BP_CANCELLED || wire->is_broken)
        return wire->is_broken ? BP_OK : status;
    if (status != BP_OK) {
        redis_wire_break(wire, BP_FMT, BP_ARG(bp_error_of(call)->message));
        bp_clear_error(call);
    } else if (!count) {
        redis_wire_break(wire, "it closed the connection");
    } else {
        wire->heard_ns = bp_now_ns();
        take_answers(wire, count);
    }
    return BP_OK;
}

/* ---- what goes out ---- */

static bool append(struct redis_bytes *to, bp_str bytes)
{
    size_t size = to->size ? to->size : 4096;
    char  *grown;

    while (size - to->len < bytes.len)
        size *= 2;
    if (size != to->size) {
        grown = realloc(to->bytes, size);
        if (!grown)
            return false;
        to->bytes = grown;
        to->size = size;
    }
    memcpy(to->bytes + to->len, bytes.data, bytes.len);
    to->len += bytes.len;
    return true;
}

static bool has_unsent(const struct redis_wire *wire)
{
    return wire->sending.at < wire->sending.len || wire->out.len;
}

/* Sends one piece. Bytes being sent lie in a buffer of their own, as other calls add to `out`
 * meanwhile. */
static bp_status write_some(bp_call *call, struct redis_wire *wire)
{
    struct redis_bytes *sending = &wire->sending;
    bp_str              piece;
    bp_status           status;
    bool                is_shielded;

    wire->is_writing = true;
    // Others that are ready may have more to send: one turn of each, and it goes out together.
    // Without it a server that answers before we look would be asked by one call after the other,
    // each alone, with a system call there and back.
    if (sending->at == sending->len && wire->out.len < PIECE_BYTES && bp_sleep(call, 0) != BP_OK) {
        wire->is_writing = false;
        return bp_cancelled(call);
    }
    if (wire->is_broken) {
        wire->is_writing = false;
        return BP_OK;
    }
    if (sending->at == sending->len) {
        struct redis_bytes swap = *sending;
        *sending = wire->out;
        wire->out = swap;
        wire->out.at = wire->out.len = 0;
        if (wire->out.size > KEPT_BYTES) {
            free(wire->out.bytes);
            wire->out = (struct redis_bytes){ 0 };
        }
    }
    piece = bp_str_n(sending->bytes + sending->at, sending->len - sending->at);
    if (piece.len > PIECE_BYTES)
        piece.len = PIECE_BYTES;
    sending->at += piece.len;
    wire->written += piece.len;
    is_shielded = bp_shield(call, BP_SECONDS(5)) == BP_OK;
    if (!is_shielded)
        bp_clear_error(call); // the caller has one up already
    status = bp_write(call, wire->stream, piece, bp_now_ns() + BP_SECONDS(5));
    if (is_shielded)
        bp_unshield(call);
    wire->is_writing = false;
    if (status != BP_OK) {
        redis_wire_break(wire, BP_FMT, BP_ARG(bp_error_of(call)->message));
        bp_clear_error(call);
    }
    return BP_OK;
}

/* ---- a call's turn ---- */

/* Somebody must read, and send the rest: the first that sleeps. */
static void hand_on(struct redis_wire *wire)
{
    if (wire->is_broken || (wire->is_reading && (wire->is_writing || !has_unsent(wire))))
        return;
    for (struct redis_wait *at = wire->first; at; at = at->next)
        if (at->waker && at->is_asleep) {
            bp_wake(at->waker);
            return;
        }
}

bool redis_wire_is_dead(bp_call *call, struct redis_wire *wire)
{
    bool is_broken;

    if (wire->is_broken || wire->first || wire->is_reading ||
        bp_now_ns() - wire->heard_ns < BP_MILLISECONDS(20))
        return wire->is_broken;
    wire->users++;
    if (read_some(call, wire, bp_now_ns()) != BP_OK)
        bp_clear_error(call); // nothing came, which is good
    is_broken = wire->is_broken;
    if (!wire->first)
        wire->heard_ns = bp_now_ns();
    hand_on(wire); // who began to wait meanwhile took this call for the one that reads
    redis_wire_release(wire);
    return is_broken;
}

static bp_status sleep_on(bp_call *call, struct redis_wait *wait, int64_t deadline_ns)
{
    bp_status status;

    if (!wait->waker)
        wait->waker = bp_waker_new(call);
    if (!wait->waker)
        return bp_fail(call, BP_NO_MEMORY, "no memory to wait for an answer of Redis");
    wait->is_asleep = true;
    status = bp_wait(call, wait->waker, deadline_ns, "an answer of Redis");
    wait->is_asleep = false;
    return status;
}

static bp_status wait_for_answers(bp_call *call, struct redis_wire *wire, struct redis_wait *wait,
                                  int64_t deadline_ns)
{
    bp_status status = BP_OK;

    while (status == BP_OK && !wait->is_lost && wait->come < wait->wanted) {
        if (!wire->is_writing && has_unsent(wire))
            status = write_some(call, wire);
        else if (!wire->is_reading)
            status = read_some(call, wire, deadline_ns);
        else
            status = sleep_on(call, wait, deadline_ns);
    }
    return wait->is_lost || wait->come == wait->wanted ? BP_OK : status;
}

static bp_status queue(bp_call *call, struct redis_wire *wire, bp_str bytes, size_t wanted,
                       struct redis_wait **out)
{
    struct redis_wait *wait;

    if (wire->wait_count >= QUEUED_CALLS_MAX ||
        wire->out.len + bytes.len + (wire->sending.len - wire->sending.at) > QUEUED_BYTES_MAX)
        return bp_fail(call, BP_LIMIT,
                       "%zu commands wait for Redis already, which answers too slowly: look at its "
                       "SLOWLOG and its CPU",
                       wire->wait_count);
    wait = calloc(1, sizeof(*wait) + wanted * sizeof(wait->replies[0]));
    if (!wait || !append(&wire->out, bytes)) {
        free(wait);
        return bp_fail(call, BP_NO_MEMORY, "no memory for a command of %zu bytes", bytes.len);
    }
    wait->wanted = wanted;
    wait->begin = wire->queued;
    wire->queued += bytes.len;
    if (!wire->first)
        wire->heard_ns = bp_now_ns(); // silence counts from here
    if (wire->last)
        wire->last->next = wait;
    else
        wire->first = wait;
    wire->last = wait;
    wire->wait_count++;
    *out = wait;
    return BP_OK;
}

bp_status redis_wire_ask(bp_call *call, struct redis_wire *wire, bp_str bytes, size_t wanted,
                         int64_t timeout_ns, struct redis_wait **out)
{
    int64_t            until_ns = bp_within(call, timeout_ns);
    struct redis_wait *wait = NULL;
    bp_status          status = bp_cancelled(call);

    *out = NULL;
    if (status != BP_OK)
        return bp_fail(call, status, "the call was over before Redis was asked");
    BP_TRY(queue(call, wire, bytes, wanted, &wait));
    wire->users++;
    status = wait_for_answers(call, wire, wait, until_ns);
    if (wait->waker)
        bp_waker_free(wait->waker);
    wait->waker = NULL;
    // Calls with a shorter timeout end one after the other: one that ends after timeout_ns reports
    // that the server no longer answers.
    if (status != BP_OK && bp_now_ns() - wire->heard_ns >= timeout_ns) {
        redis_wire_break(wire, "it has been silent for %.1f s", (double)timeout_ns / 1e9);
        status = bp_cancelled(call) == BP_OK ? BP_OK : status; // the wait is lost by that
    }
    if (status == BP_OK) {
        *out = wait;
    } else { // its answers come to nobody
        wait->left_out = wait->come;
        for (size_t i = 0; i < wait->come; i++)
            redis_reply_free(wait->replies[i]);
        wait->come = 0;
        wait->is_left = true;
        if (wait->is_lost) // off the queue already
            redis_wait_free(wait);
    }
    hand_on(wire);
    redis_wire_release(wire);
    return status;
}

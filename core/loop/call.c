/* call.c - the life of a call: started on a fiber, waiting, over, freed. */
#include "loop/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/mask.h"
#include "loop/fiber.h"

struct start {
    const struct call_options *options;
    void (*run)(bp_call *call, void *arg);
    void    *arg;
    bp_call *call;
};

static const bp_principal nobody = { .struct_size = sizeof(bp_principal),
                                     .tenant = { "default", 7 } };

const char *call_request_id_text(const bp_call *call)
{
    return call->request_id[0] ? call->request_id : "-";
}

void call_space_free(bp_call *call)
{
    if (call->arena == &call->own_arena)
        arena_free(&call->own_arena);
}

/* 128 random bits would cost a system call for each request; a counter under a random start is
 * unique as well. */
static void make_request_id(bp_call *call)
{
    static _Thread_local uint64_t next, prefix;
    uint8_t                       bytes[16];

    if (prefix == 0) {
        crypto_random(&prefix, sizeof(prefix));
        crypto_random(&next, sizeof(next));
    }
    next++;
    memcpy(bytes, &prefix, 8);
    memcpy(bytes + 8, &next, 8);
    crypto_hex(bytes, 16, call->request_id);
}

static void begin(bp_call *call, struct fiber *fiber, const struct call_options *options)
{
    struct arena arena = call->own_arena;
    bool         has_arena = call->arena == &call->own_arena;

    memset(call, 0, sizeof(*call));
    if (has_arena)
        call->own_arena = arena; // with the block kept from the fiber's last call
    else
        arena_init(&call->own_arena, 0);
    call->own_arena.limit_bytes = options->memory_bytes ? options->memory_bytes
                                                        : CALL_MEMORY_MAX_BYTES;
    call->arena = &call->own_arena;
    call->fiber = fiber;
    call->worker = fiber_worker(fiber);
    call->deadline_ns = options->deadline_ns;
    call->error.struct_size = sizeof(call->error);
    call->client = options->client;
    call->principal = options->principal ? *options->principal : nobody;
    call->owner = options->owner;
    if (options->request_id.len && options->request_id.len < CALL_ID_BYTES) {
        memcpy(call->request_id, options->request_id.data, options->request_id.len);
        call->request_id[options->request_id.len] = '\0';
    } else {
        make_request_id(call);
    }
}

static void end_children(bp_call *call)
{
    bp_call *child;

    QUEUE_EACH (&call->children, child, sibling)
        call_cancel(child);
    while (call->running_children)
        call_wait_unconditionally(call, "its children to end");
}

static void run_call(struct fiber *fiber, void *arg)
{
    struct start *start = arg;
    bp_call      *call = fiber_call_space(fiber);
    void (*run)(bp_call *, void *) = start->run;
    void *run_arg = start->arg;

    begin(call, fiber, start->options);
    // `start` lives on the starter's stack, which may be gone after the first suspension.
    run(call, run_arg);
    end_children(call);
    while (call->scratch)
        call_scratch_end(call);
    arena_reset(&call->own_arena);
    call->request_id[0] = '\0';
}

/* A fiber that cannot run at once (another one is running) begins later, when `start` is gone: then
 * it is copied. */
struct deferred_start {
    struct start        start;
    struct call_options options;
    char                request_id[CALL_ID_BYTES];
};

static void run_deferred(struct fiber *fiber, void *arg)
{
    struct deferred_start *deferred = arg;
    struct deferred_start  copy = *deferred;

    free(deferred);
    copy.start.options = &copy.options;
    if (copy.options.request_id.len)
        copy.options.request_id.data = copy.request_id;
    run_call(fiber, &copy.start);
}

bool call_start(struct worker *worker, const struct call_options *options,
                void (*run)(bp_call *call, void *arg), void      *arg)
{
    struct start           start = { .options = options, .run = run, .arg = arg };
    struct deferred_start *deferred;

    if (!worker->current && !worker->is_draining &&
        !worker->ready.first) // runs before this returns
        return fiber_start(worker, run_call, &start) != NULL;
    deferred = calloc(1, sizeof(*deferred));
    if (!deferred)
        return false;
    deferred->start = start;
    deferred->options = *options;
    if (options->request_id.len < CALL_ID_BYTES && options->request_id.len)
        memcpy(deferred->request_id, options->request_id.data, options->request_id.len);
    if (fiber_start(worker, run_deferred, deferred))
        return true;
    free(deferred);
    return false;
}

/* ---- scratch memory ---- */

enum { SCRATCH_DEPTH_MAX = 8 };

struct call_scratch {
    struct call_scratch *outer;
    struct arena        *arena_before;
    struct arena         arena;
    int                  depth;
    const char          *message_before, *for_client_before; /* what need not be saved at the end */
};

static bp_str kept(struct arena *arena, bp_str text, const char *before)
{
    return text.len && text.data != before ? arena_dup(arena, text) : text;
}

bp_status call_scratch_begin(bp_call *call)
{
    int                  depth = call->scratch ? call->scratch->depth + 1 : 1;
    struct call_scratch *scratch = depth > SCRATCH_DEPTH_MAX ? NULL : malloc(sizeof(*scratch));

    if (!scratch)
        return call_fail(call, BP_NO_MEMORY,
                         "scratch memory is nested deeper than %d, or there is none left",
                         SCRATCH_DEPTH_MAX);
    *scratch = (struct call_scratch){ .outer = call->scratch,
                                      .arena_before = call->arena,
                                      .depth = depth,
                                      .message_before = call->error.message.data,
                                      .for_client_before = call->error.client_message.data };
    arena_init(&scratch->arena, call->arena->limit_bytes);
    call->scratch = scratch;
    call->arena = &scratch->arena;
    return BP_OK;
}

void call_scratch_end(bp_call *call)
{
    struct call_scratch *scratch = call->scratch;

    if (!scratch)
        return;
    CHECK(scratch->depth == (scratch->outer ? scratch->outer->depth + 1 : 1));
    CHECK(scratch->arena_before != &scratch->arena);
    call->arena = scratch->arena_before;
    call->scratch = scratch->outer;
    // A long stream ends scratch memory hundreds of thousands of times: an old one costs nothing.
    call->error.message = kept(call->arena, call->error.message, scratch->message_before);
    call->error.client_message = kept(call->arena, call->error.client_message,
                                      scratch->for_client_before);
    arena_free(&scratch->arena);
    free(scratch);
}

/* ---- over ---- */

void call_cancel(bp_call *call)
{
    bp_status none = BP_OK;
    bp_call  *child;

    // What ended the call first stays, also when its job on a pool thread sees the deadline at this
    // moment.
    if (!atomic_compare_exchange_strong(&call->over, &none, BP_CANCELLED))
        return;
    QUEUE_EACH (&call->children, child, sibling)
        call_cancel(child);
    fiber_wake(call->fiber);
}

bp_status call_over(bp_call *call)
{
    bp_status over = atomic_load(&call->over);

    if (over == BP_OK && call->deadline_ns != BP_FOREVER && clock_now_ns() >= call->deadline_ns &&
        atomic_compare_exchange_strong(&call->over, &over, BP_DEADLINE))
        over = BP_DEADLINE;
    if (over != BP_OK && call->shield_until_ns && clock_now_ns() < call->shield_until_ns)
        return BP_OK;
    return over;
}

/* ---- waiting ---- */

static void on_timer(uv_timer_t *timer)
{
    fiber_wake(timer->data);
}

/* The earliest of what ends this wait. */
static int64_t limit_of(const bp_call *call, int64_t deadline_ns)
{
    int64_t own = call->shield_until_ns ? call->shield_until_ns : call->deadline_ns;

    return own < deadline_ns ? own : deadline_ns;
}

/* libuv counts whole milliseconds and rounds its clock down. The timer fires at the first of them
 * that begins after `left_ns`, so that a wait never ends before its limit. */
static void start_timer(uv_timer_t *timer, int64_t left_ns)
{
    uint64_t fires_ms;

    uv_update_time(timer->loop);
    fires_ms = (uv_hrtime() + (uint64_t)left_ns + 999999) / 1000000;
    uv_timer_start(timer, on_timer, fires_ms - uv_now(timer->loop), 0);
}

bp_status call_wait(bp_call *call, int64_t deadline_ns, const char *what)
{
    int64_t     limit_ns;
    uv_timer_t *timer = fiber_timer(call->fiber);
    bp_status   over;
    bool        has_timer;

    if (call->cancel_at && ++call->suspensions == call->cancel_at)
        call_cancel(call);
    over = call_over(call);
    if (over != BP_OK)
        return over;
    limit_ns = limit_of(call, deadline_ns);
    has_timer = limit_ns != BP_FOREVER;
    if (has_timer) {
        int64_t left_ns = limit_ns - clock_now_ns();

        if (left_ns <= 0)
            return call_over(call) != BP_OK ? call->over : BP_DEADLINE;
        start_timer(timer, left_ns);
    }
    fiber_park(call->fiber, what);
    if (has_timer)
        uv_timer_stop(timer);
    over = call_over(call);
    if (over != BP_OK)
        return over;
    return has_timer && clock_now_ns() >= limit_ns ? BP_DEADLINE : BP_OK;
}

void call_wait_unconditionally(bp_call *call, const char *what)
{
    fiber_park(call->fiber, what);
}

void call_wake(bp_call *call)
{
    fiber_wake(call->fiber);
}

/* ---- errors ---- */

bp_status call_set_error(bp_call *call, bp_status status, bp_str message, const char *file,
                         uint32_t line)
{
    // The path of what an alert sink posts to is its key.
    bool hides_paths = call->plugin && strncmp(call->plugin, "alert/", 6) == 0;

    call->error = (bp_error){ .struct_size = sizeof(call->error),
                              .status = status,
                              .message = mask_is_needed(message)
                                             ? mask_secrets(call->arena, message, hides_paths)
                                             : arena_dup(call->arena, message),
                              .plugin = bp_str_of(call->plugin),
                              .op = bp_str_of(call->op),
                              .file = file,
                              .line = line };
    if (message.len && !call->error.message.len)
        call->error.message = BP_STR("the memory allowed for this call is used up");
    return status;
}

void call_set_error_for_client(bp_call *call, bp_str sentence)
{
    call->error.client_message = arena_dup(call->arena, sentence);
}

bp_str call_sentence_for_client(const bp_call *call, bp_status status, bool *is_whole)
{
    bool has_sentence = call->error.status == status && call->error.message.len;

    *is_whole = false;
    if (status == BP_INTERNAL || status == BP_IO ||
        status == BP_DATA) // about the inside of this server, no matter which part says so
        return has_sentence && call->error.client_message.len ? call->error.client_message
                                                              : bp_str_of(bp_status_text(status));
    if (has_sentence && call->error.client_message.len &&
        !bp_str_equal(call->error.client_message, call->error.message))
        return call->error.client_message;
    *is_whole = true;
    return has_sentence ? call->error.message : bp_str_of(bp_status_text(status));
}

bp_status call_fail(bp_call *call, bp_status status, const char *format, ...)
{
    char    text[1024];
    va_list args;
    int     len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    return call_set_error(call, status,
                          (bp_str){ text,
                                    (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1 },
                          NULL, 0);
}

bp_status call_fail_over(bp_call *call, bp_status status, const char *what)
{
    if (status == BP_CANCELLED)
        return call_fail(call, status, "%s was given up because the caller no longer waits", what);
    return call_fail(call, status, "%s took longer than the time allowed", what);
}

/* ---- trace ---- */

static bool parse_traceparent(bp_str text, struct call_trace *trace)
{
    uint8_t version, zero[16] = { 0 };

    if (text.len < 55 || text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-')
        return false;
    for (size_t i = 0; i < 55; i++)
        if (text.data[i] >= 'A' && text.data[i] <= 'F')
            return false;
    if (!crypto_unhex((bp_str){ text.data, 2 }, &version, 1) || version == 0xFF)
        return false;
    if (version == 0 ? text.len != 55 : text.len > 55 && text.data[55] != '-')
        return false;
    return crypto_unhex((bp_str){ text.data + 3, 32 }, trace->trace_id, 16) &&
           memcmp(trace->trace_id, zero, 16) != 0 &&
           crypto_unhex((bp_str){ text.data + 36, 16 }, trace->span_id, 8) &&
           memcmp(trace->span_id, zero, 8) != 0 &&
           crypto_unhex((bp_str){ text.data + 53, 2 }, &trace->flags, 1);
}

void call_set_trace(bp_call *call, bp_str traceparent)
{
    call->traceparent[0] = '\0';
    memset(&call->trace, 0, sizeof(call->trace));
    if (parse_traceparent(traceparent, &call->trace))
        crypto_random(call->trace.span_id,
                      sizeof(call->trace.span_id)); // our own span, a child of the caller's
    else
        memset(&call->trace, 0, sizeof(call->trace));
}

/* Made when somebody asks: most requests never need one. */
bp_str call_traceparent(bp_call *call)
{
    static const uint8_t none[16];
    char                 trace[33], span[17];

    if (!call->traceparent[0]) {
        if (memcmp(call->trace.trace_id, none, 16) == 0) {
            crypto_random(call->trace.trace_id, 16);
            crypto_random(call->trace.span_id, 8);
            call->trace.flags = 1;
        }
        crypto_hex(call->trace.trace_id, 16, trace);
        crypto_hex(call->trace.span_id, 8, span);
        snprintf(call->traceparent, sizeof(call->traceparent), "00-%s-%s-%02x", trace, span,
                 call->trace.flags);
    }
    return bp_str_of(call->traceparent);
}

typedef void (*log_writer)(struct log *log, uint32_t level, const char *event, bp_str message,
                           const bp_field *fields, size_t field_count);

static void log_with(log_writer writer, bp_call *call, uint32_t level, bp_str event, bp_str message,
                     const bp_field *fields, size_t field_size, size_t field_count)
{
    bp_field all[32];
    size_t   count = 0, name_len;
    char     name[64];

    if (!log_enabled(call->worker->log, level))
        return;
    if (!event.len && call->plugin)
        event = BP_STR(LOG_PLUGIN_EVENT); // bp_log() has no event: programs still find the lines
    name_len = event.len < 63 ? event.len : 63;
    if (call->request_id[0])
        all[count++] = bp_field_str("request_id", bp_str_of(call->request_id));
    if (call->plugin)
        all[count++] = bp_field_str("plugin", bp_str_of(call->plugin));
    if (call->instance)
        all[count++] = bp_field_str("instance", bp_str_of(call->instance));
    if (call->op)
        all[count++] = bp_field_str("op", bp_str_of(call->op));
    for (size_t i = 0; i < field_count && count < 32; i++)
        memcpy(&all[count++], (const char *)fields + i * field_size, sizeof(bp_field));
    memcpy(name, event.data ? event.data : "", name_len);
    name[name_len] = '\0';
    writer(call->worker->log, level, name, message, all, count);
}

void call_log(bp_call *call, uint32_t level, bp_str event, bp_str message, const bp_field *fields,
              size_t field_size, size_t field_count)
{
    log_with(log_event, call, level, event, message, fields, field_size, field_count);
}

void call_log_record(bp_call *call, uint32_t level, bp_str event, bp_str message,
                     const bp_field *fields, size_t field_count)
{
    log_with(log_record, call, level, event, message, fields, sizeof(bp_field), field_count);
}

/* call.h - the call: deadline, sticky cancellation, arena, error slot, principal; one fiber carries
 * one.
 *
 * This is the bp_call of the SDK. Fields are read by the layers above; what changes them is here.
 */
#ifndef CORE_LOOP_CALL_H
#define CORE_LOOP_CALL_H

#include <stdatomic.h>

#include <backplane/call.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/queue.h"
#include "loop/worker.h"

struct fiber;
struct offload;

enum { CALL_ID_BYTES = 129, CALL_MEMORY_MAX_BYTES = 256 << 20, CALL_SHIELD_MAX_S = 5 };

/* W3C trace context of the span that is open. */
struct call_trace {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags;
};

struct bp_call {
    struct worker       *worker;
    struct fiber        *fiber;
    struct bp_call      *parent; /* of a child made by bp_spawn() */
    struct arena        *arena;  /* its own, or its parent's */
    struct arena         own_arena;
    struct call_scratch *scratch; /* the innermost one that is open */
    int64_t              deadline_ns;
    _Atomic bp_status
            over; /* sticky: BP_OK, BP_CANCELLED or BP_DEADLINE; a job on a pool thread asks, too */
    int64_t shield_until_ns;
    bp_error          error;
    char              request_id[CALL_ID_BYTES];
    struct call_trace trace;
    char              traceparent[56];
    bp_principal      principal;
    uint64_t client; /* the client of the request, as a hash, for fair shares; 0: the host's own */
    const char *plugin, *instance,
        *op; /* the plugin, instance and operation that run; NULL: the host's */
    void             *instance_of; /* the instance record of the layer above, for its services */
    void             *turn;        /* the way through a gate that it is on, of the layer above */
    struct queue      children;    /* those that have begun and not ended, newest first */
    struct queue_link sibling;     /* among its parent's */
    uint32_t          running_children;
    struct offload   *offload;        /* a job of this call is on a pool thread */
    bool              is_job_running; /* ... and has begun: memory and errors are used from there */
    void             *owner;          /* set by the caller of call_start() */
    uint32_t          suspensions,
        cancel_at;     /* a test's: it is cancelled when it suspends for that time; 0: not */
    int64_t latest_ns; /* a test's: no operation of it lasts longer than until then; 0: not */
};

struct call_options {
    int64_t deadline_ns;  /* BP_FOREVER: none */
    size_t  memory_bytes; /* 0: 256 MiB */
    bp_str  request_id;   /* empty: one is made */
    const bp_principal
        *principal; /* NULL: not authenticated, tenant "default"; strings must outlive the call */
    uint64_t client;
    void    *owner;
};

/* Runs run(call, arg) on a fiber of this worker; see fiber_start(). When run returns, children are
 * cancelled and waited for and everything of the call is freed. False: no fiber can be had, and run
 * was not called. */
bool call_start(struct worker *worker, const struct call_options *options,
                void (*run)(bp_call *call, void *arg), void      *arg);

/* The call is over: whatever it waits for returns BP_CANCELLED now, and everything later at once.
 * On its worker. */
void call_cancel(bp_call *call);

/* Waits until call_wake(), the call's end, or `deadline_ns`. BP_OK means woken, nothing else: the
 * caller looks at its own condition. `what` is for people. On another status the caller must make
 * sure that nobody wakes it later. */
bp_status call_wait(bp_call *call, int64_t deadline_ns, const char *what);
/* Waits until call_wake(), come what may; for what must be waited for because others still use its
 * memory. */
void call_wait_unconditionally(bp_call *call, const char *what);
void call_wake(bp_call *call);

/* An arena for a while; see bp_scratch_begin(). */
bp_status call_scratch_begin(bp_call *call);
void      call_scratch_end(bp_call *call);

bp_status call_over(bp_call *call); /* BP_OK while it goes on */
bp_status call_fail(bp_call *call, bp_status status, const char *format, ...) BP_FORMAT(3, 4);
/* For a caller that has dealt with an error and goes on. */
static inline void call_clear_error(bp_call *call)
{
    call->error = (bp_error){ .struct_size = sizeof(call->error) };
}
bp_status call_set_error(bp_call *call, bp_status status, bp_str message, const char *file,
                         uint32_t line);
/* What clients are told instead of the message of the error in the slot. Copied. */
void call_set_error_for_client(bp_call *call, bp_str sentence);
/* What a client may read about the end of this call with `status`. *is_whole: that is all there is;
 * else the log has more under the request id. */
bp_str call_sentence_for_client(const bp_call *call, bp_status status, bool *is_whole);
/* The error for a call that is over: a sentence that says which of the two it was. */
bp_status call_fail_over(bp_call *call, bp_status status, const char *what);

/* For loops of a length that the other side of a connection chooses, once a turn: lets the rest of
 * the loop go on when the fiber has run for CALL_BUDGET_US without suspending, and tells whether
 * the call is over. BP_OK, BP_CANCELLED, BP_DEADLINE. */
enum { CALL_BUDGET_US = 2000 };
bp_status call_yield_if_due(bp_call *call) BP_SUSPENDS;
bp_status call_sleep(bp_call *call, int64_t duration_ns) BP_SUSPENDS;
bp_status call_wait_fd(bp_call *call, int fd, uint32_t events, int64_t deadline_ns,
                       uint32_t *ready) BP_SUSPENDS;

/* A child that runs beside its parent; see bp_spawn(). */
struct bp_child;
bp_status call_spawn(bp_call *call, const char *name, bp_status (*run)(bp_call *child, void *arg),
                     void *arg, struct bp_child **child);
bp_status call_join(bp_call *call, struct bp_child *child) BP_SUSPENDS;
void      call_cancel_child(struct bp_child *child);

void call_log(bp_call *call, uint32_t level, bp_str event, bp_str message, const bp_field *fields,
              size_t field_size, size_t field_count);
/* One of its kind for each thing that happened: never left out for there being many. */
void call_log_record(bp_call *call, uint32_t level, bp_str event, bp_str message,
                     const bp_field *fields, size_t field_count);

/* A strictly parsed traceparent header continues that trace; anything else begins a new one. */
void   call_set_trace(bp_call *call, bp_str traceparent);
bp_str call_traceparent(bp_call *call);

/* For fiber.c. */
void        call_space_free(bp_call *call);
const char *call_request_id_text(const bp_call *call);

#endif

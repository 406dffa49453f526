/* gate.h - the one way from the host or an app into a plugin.
 *
 * A call passes, in this order: is it over, is the breaker open, is there room (or a place in the
 * queue); then the operation runs with the instance's deadline and name; then its outcome is
 * counted and timed, the breaker learns from it, and what may be tried again is tried again after a
 * pause. Plugin authors write none of this.
 *
 *      closed --(failures within the window)--> open --(pause)--> half open --(one good call)--> closed
 *
 * A request counts once, however often it was tried. It does not count when it waited for a place
 * or a connection of our own (BP_LIMIT), or when its caller gave it less than three quarters of the
 * time that the instance is allowed. While others wait, one client (bp_call.client) gets no more
 * places than client_share allows, and when the queue is full the client with the most entries
 * makes room for one that has fewer. Each operation of an instance has a breaker of its own: a
 * cache that refuses budgets while its server is gone goes on answering reads as its options say.
 */
#ifndef CORE_PLUGIN_GATE_H
#define CORE_PLUGIN_GATE_H

#include "plugin/instance.h"

struct gate;

/* An operation of a kind: its place in the gate's statistics, and whether running it twice is
 * running it once. */
struct gate_op {
    uint32_t    index;
    const char *name;
    bool        is_idempotent;
};

enum {
    GATE_OPS_MAX = 465
}; /* routes, then tools, resources, prompts, completion: mcp/catalog.h;
      then commands: api/commands.h; then runs: api/run_service.h */

typedef bp_status (*gate_thunk)(bp_call *call, void *object, void *args);

/* Passes the gate of `instance` and runs thunk(call, its object, args). */
bp_status gate_run(bp_call *call, struct instance *instance, const struct gate_op *op,
                   gate_thunk thunk, void *args) BP_SUSPENDS;
/* The same for what may take as long as the call does, whatever the instance's deadline: a backup,
 * a migration. */
bp_status gate_run_long(bp_call *call, struct instance *instance, const struct gate_op *op,
                        gate_thunk thunk, void *args) BP_SUSPENDS;

/* The operation has begun to answer, a row or a piece of a stream is here: the trial of a breaker
 * that is half open is judged by that, not by how the stream ends. Where sinks pass on what a
 * plugin gives. */
void gate_answered(bp_call *call);

/* Around a sink of the caller's, where one passes on what a plugin gives. What the sink allocates
 * is the caller's, also while the plugin has scratch memory open; when it fails, the failure is the
 * caller's, and so is its sentence. */
struct arena *gate_sink_begin(bp_call *call);
bp_status     gate_sink_end(bp_call *call, struct arena *of_plugin, bp_status status);

/* Around a long wait for somebody outside, such as a person: the operation that runs in this call
 * gives its place up, so that others may have it, and waits for one again, before those that had
 * none yet. */
void gate_step_out(bp_call *call);
void gate_step_in(bp_call *call) BP_SUSPENDS;
/* The same around waits for the client of a request, for the app that handles it. */
void gate_client_wait(bp_call *call, bool begins) BP_SUSPENDS;

/* The table that peers of a kind call; every operation of it passes the gate. NULL for kinds that
 * have none. */
const void *gate_ops_for(const char *kind);

struct gate *gate_new(struct instance *instance);
void         gate_free(struct gate *gate);

/* How the breaker that is worst stands: 0 closed, 1 open, 2 half open; and calls running now, for
 * the admin views. */
int      gate_breaker_state(const struct gate *gate);
uint32_t gate_running(const struct gate *gate);
uint32_t gate_waiting(const struct gate *gate); /* for a place; like the others from any thread */

/* Makes the counters of an operation, with zeros; those of a kind are made with the gate. */
void gate_define_op(const struct unit *unit, const char *op);
/* The operations of a kind; none for apps: their routes and tools are their own. */
const struct gate_op *gate_ops_list(const char *kind, size_t *count);

/* Marks code of an instance as running in a call, and back; gate_run() and the hooks do. */
struct gate_frame {
    const char       *plugin, *instance, *op;
    void             *instance_of;
    int64_t           deadline_ns;
    bp_status         over;
    struct call_trace trace;
    int64_t           started_ns;
};
void gate_push(struct gate_frame *frame, bp_call *call, struct instance *instance, const char *op);
void gate_pop(const struct gate_frame *frame, bp_call *call);

#endif

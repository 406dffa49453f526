/* child.c - calls that run beside their parent and are joined by it. */
#include "loop/call.h"

#include "base/check.h"

#include "loop/fiber.h"

struct bp_child {
    bp_call    *parent;
    bp_call    *call; /* while it runs */
    const char *name;
    bp_status (*run)(bp_call *child, void *arg);
    void *arg;
    struct arena
        arena; /* of its own, as its jobs may run while the parent does; freed with the parent's */
    bp_status status;
    bp_error  error;
    bool      is_ended, is_cancelled, is_joining;
};

static void free_arena(void *arena)
{
    arena_free(arena);
}

static void run_child(bp_call *call, void *arg)
{
    struct bp_child *child = arg;
    bp_call         *parent = child->parent, *grandchild;

    call->parent = parent;
    call->arena = &child->arena; // what the child makes outlives it
    call->trace = parent->trace;
    call->plugin = parent->plugin;
    call->instance = parent->instance;
    call->op = child->name;
    call->instance_of = parent->instance_of;
    call->shield_until_ns = parent->shield_until_ns;
    call->worker->running.plugin = call->plugin;
    call->worker->running.instance = call->instance;
    call->worker->running.op = call->op;
    queue_push_front(&parent->children, &call->sibling);
    child->call = call;
    if (child->is_cancelled || parent->over != BP_OK)
        call->over = parent->over != BP_OK ? parent->over : BP_CANCELLED;

    child->status = child->run(call, child->arg);

    // Grandchildren may borrow what this child made, so they end before it counts as ended.
    QUEUE_EACH (&call->children, grandchild, sibling)
        call_cancel(grandchild);
    while (call->running_children)
        call_wait_unconditionally(call, "its children to end");
    while (call->scratch)
        call_scratch_end(call);
    child->error = call->error;
    child->call = NULL;
    child->is_ended = true;
    call->arena = &call->own_arena;
    queue_remove(&call->sibling);
    CHECK_ALWAYS(parent->running_children > 0);
    parent->running_children--;
    fiber_wake(parent->fiber);
}

bp_status call_spawn(bp_call *call, const char *name, bp_status (*run)(bp_call *child, void *arg),
                     void *arg, struct bp_child **child)
{
    struct bp_child    *made = arena_alloc(call->arena, sizeof(*made));
    struct call_options options = { .deadline_ns = call->deadline_ns,
                                    .request_id = bp_str_of(call->request_id),
                                    .principal = &call->principal,
                                    .client = call->client };

    *child = NULL;
    if (!made)
        return call_fail(call, BP_NO_MEMORY, "the memory allowed for this call is used up");
    *made = (struct bp_child){ .parent = call, .name = name, .run = run, .arg = arg };
    arena_init(&made->arena, call->own_arena.limit_bytes);
    if (!arena_on_free(call->arena, free_arena, &made->arena))
        return call_fail(call, BP_NO_MEMORY, "the memory allowed for this call is used up");
    call->running_children++;
    if (!call_start(call->worker, &options, run_child, made)) {
        call->running_children--;
        return call_fail(call, BP_LIMIT,
                         "no fiber is free for \"%s\": %u are live, which is the cap", name,
                         fiber_live_count());
    }
    *child = made;
    return BP_OK;
}

bp_status call_join(bp_call *call, struct bp_child *child)
{
    while (!child->is_ended) {
        // A parent that is over has its children cancelled, so this ends soon; they use its memory
        // until then.
        if (call_over(call) != BP_OK)
            call_cancel_child(child);
        if (call_over(call) != BP_OK || call_wait(call, BP_FOREVER, "a child") != BP_OK) {
            call_cancel_child(child);
            if (!child->is_ended)
                call_wait_unconditionally(call, "a cancelled child");
        }
    }
    if (child->status == BP_CANCELLED && call_over(call) == BP_DEADLINE)
        return call_fail_over(call, BP_DEADLINE, child->name); // cancelled by us, as our time is
                                                               // over: nobody else gave up
    if (child->status != BP_OK)
        call->error = child->error;
    return child->status;
}

void call_cancel_child(struct bp_child *child)
{
    child->is_cancelled = true;
    if (child->call)
        call_cancel(child->call);
}

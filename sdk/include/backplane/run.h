/* backplane/run.h - long-lived work: begun by a request, and looked at, waited for and cancelled by
 * its id after the request has been answered.
 *
 *      struct copying { int64_t collection; };
 *
 *      static bp_status copy(bp_call *call, void *instance, bp_run *run, void *argument)
 *      {
 *          struct copying *copying = argument;
 *
 *          for (int64_t page = 0; page < pages; page++) {
 *              BP_TRY(copy_page(call, instance, copying->collection, page));
 *              bp_run_progress(run, page + 1, pages);
 *          }
 *          return bp_run_result(call, run, BP_STR("{\"copied\":true}"));
 *      }
 *
 *      // in the handler of a route, a command or a tool:
 *      struct copying copying = { .collection = 5 };
 *      bp_run_spec    spec = { .struct_size = sizeof(spec), .what = "copy", .work = copy,
 *                              .argument = &copying, .argument_bytes = sizeof(copying) };
 *      BP_TRY(bp_run_begin(call, &spec, &id));         // then 202 with the id
 *
 * The work runs as a call of its own on the worker of the request, with the identity of the one
 * that began it, until it returns. Clients see their own runs at GET /runs and GET /runs/ID, and
 * cancel them with DELETE /runs/ID; the runs of others do not exist for them. Where no
 * authentication is configured all clients are one. A run ends with the process: work that must go
 * on after a restart keeps its own record in a storage and begins again under the same id.
 */
#ifndef BACKPLANE_RUN_H
#define BACKPLANE_RUN_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_run bp_run; /* belongs to the call of the work */

enum bp_run_state {
    BP_RUN_WORKING = 0,
    BP_RUN_WAITING = 1, /* for an answer of somebody outside */
    BP_RUN_COMPLETED = 2,
    BP_RUN_FAILED = 3,
    BP_RUN_CANCELLED = 4
};

enum { BP_RUN_ID_MAX = 32, BP_RUN_WHAT_MAX = 31, BP_RUN_ARGUMENT_MAX = 1 << 20 };

/* BP_OK: the run is completed. Any other status: it has failed, and clients see the sentence of the
 * error slot, or what they may see of it. After a cancel it is cancelled, whatever is returned. */
typedef bp_status (*bp_run_work)(bp_call *call, void *instance, bp_run *run, void *argument);

typedef struct bp_run_spec {
    uint32_t    struct_size;
    uint32_t    reserved;
    const char *what; /* a word for those who list runs: "reindex"; at most BP_RUN_WHAT_MAX bytes */
    bp_run_work work;
    const void *argument;       /* copied for the work, aligned for any type; NULL: nothing */
    size_t      argument_bytes; /* at most BP_RUN_ARGUMENT_MAX; what it points to is not copied */
    bp_str      id;         /* [A-Za-z0-9._-], at most BP_RUN_ID_MAX bytes; empty: a random one */
    int64_t     timeout_ns; /* of the work; 0: none */
} bp_run_spec;

/* Strings live as long as the call that looks. */
typedef struct bp_run_view {
    uint32_t struct_size;
    uint32_t state; /* bp_run_state */
    bp_str   id, what, message;
    int64_t  done, total; /* total 0: not known */
    int64_t  created_wall_ns, updated_wall_ns;
    bp_str   result;  /* COMPLETED: JSON; empty: none */
    int32_t  status;  /* FAILED: the bp_status that the work returned */
    bp_str   problem; /* FAILED: a sentence */
} bp_run_view;

typedef struct bp_run_service {
    uint32_t struct_size;
    bp_status (*begin)(bp_call *call, const bp_run_spec *spec, bp_str *id);
    void (*progress)(bp_run *run, int64_t done, int64_t total);
    void (*message)(bp_run *run, bp_str text);
    bp_status (*result)(bp_call *call, bp_run *run, bp_str json);
    bp_status (*look)(bp_call *call, bp_str id, bp_run_view *view);
    bp_status (*wait)(bp_call *call, bp_str id, int64_t deadline_ns, bp_run_view *view);
    bp_status (*cancel)(bp_call *call, bp_str id);
} bp_run_service;

BP_SERVICE(run, bp_run_service, 1)

/* Begins it for the instance that calls; *id lives as long as the call.
 * BP_CONFLICT: a run of this id and principal is under way. BP_LIMIT: too many runs, of this client
 * or of all, or no memory left of server.limits.runs. BP_UNAVAILABLE: the conf was changed since
 * the request began, or the server ends. BP_INVALID: a field of the spec. */
static inline bp_status bp_run_begin(bp_call *call, const bp_run_spec *spec, bp_str *id)
{
    return bp_service_run->begin(call, spec, id);
}

/* ---- for the work, in its own call ---- */

static inline void bp_run_progress(bp_run *run, int64_t done, int64_t total)
{
    bp_service_run->progress(run, done, total);
}
/* The step being done now, for people; cut at 255 bytes. */
static inline void bp_run_message(bp_run *run, bp_str text)
{
    bp_service_run->message(run, text);
}
/* What the run leaves behind, JSON; the last one counts. BP_INVALID: it is no JSON. */
static inline bp_status bp_run_result(bp_call *call, bp_run *run, bp_str json)
{
    return bp_service_run->result(call, run, json);
}

/* ---- for those who look: the runs of the call's principal; view->struct_size is set by the caller
 * ---- */

/* BP_NOT_FOUND. A run that has ended can be seen for an hour, or until newer ones need its room. */
static inline bp_status bp_run_look(bp_call *call, bp_str id, bp_run_view *view)
{
    return bp_service_run->look(call, id, view);
}
/* Until it has ended or `deadline_ns` (monotonic, see bp_within()) has passed, which is BP_OK too:
 * the view's state tells. BP_NOT_FOUND; BP_LIMIT: too many wait for it; BP_CANCELLED, BP_DEADLINE:
 * of the call. */
static inline bp_status bp_run_wait(bp_call *call, bp_str id, int64_t deadline_ns,
                                    bp_run_view *view) BP_SUSPENDS
{
    return bp_service_run->wait(call, id, deadline_ns, view);
}
/* The state changes at once; the work's next suspension returns BP_CANCELLED. BP_NOT_FOUND;
 * BP_CONFLICT: it has ended. */
static inline bp_status bp_run_cancel(bp_call *call, bp_str id)
{
    return bp_service_run->cancel(call, id);
}

#ifdef __cplusplus
}
#endif
#endif

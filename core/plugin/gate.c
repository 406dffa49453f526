/* gate.c - deadline, bulkhead, breaker, retry, metrics and trace around every operation of a
 * plugin.
 *
 * One gate a worker's instance, so nothing here takes a lock; the caps of the conf are shared out
 * among the workers.
 */
#include "plugin/gate.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/queue.h"
#include "loop/pool.h"
#include "plugin/disclosure.h"
#include "plugin/gate_kinds.h"

enum {
    RETRY_FIRST_MS = 50,
    RETRY_MOST_MS = 2000,
    FAILURES_MAX = 64,
    OPENING_BYTES = 320,
    UNLIMITED_S = 30
};

struct waiting {
    struct queue_link link;
    bp_call          *call;
    bool              is_admitted;
    bool              is_pushed_out; /* by a client that has less */
    bool              is_back;       /* it had a place before: it is not refused, and comes first */
};

/* What each client has, by the hash that its calls carry; clients with the same hash share. */
enum { CLIENTS = 1024 };
struct holding {
    uint32_t running, waiting;
};

/* Of one operation: an instance may fail at one and be well at another, as a cache without its
 * server still answers reads (with nothing) while it refuses budgets. */
struct breaker {
    int64_t  failures_ns[FAILURES_MAX]; /* when the last ones were, as a ring */
    uint32_t failure_count, failure_next;
    int64_t  open_until_ns;         /* 0: closed */
    bool     is_probing;            /* half open, one call is out: its `trial` */
    char     reason[OPENING_BYTES]; /* of the failure that opened it */
};

struct op_stats {
    struct metric_series *outcomes[BP_STATUS_COUNT];
    struct metric_series *duration, *retries;
    struct breaker        breaker;
};

struct gate {
    struct instance *instance;
    _Atomic uint32_t running, waiting; /* read by others for /metrics */
    uint32_t         running_max;      /* 0: no cap */
    uint32_t         waiting_max;
    struct queue     queue; /* struct waiting */
    struct holding   clients[CLIENTS];
    uint32_t         share_max; /* places that one client may have while others wait */

    bool                  is_remote; /* what fails may be tried again */
    bool                  is_breaker_used;
    uint32_t              open_count; /* operations with an open breaker */
    struct metric_series *breaker_state;

    struct op_stats *stats[GATE_OPS_MAX];
};

static const struct gate_conf *conf_of(const struct gate *gate)
{
    return &gate->instance->unit->conf->gate;
}

static uint32_t share(int64_t whole, uint32_t workers)
{
    return whole <= 0 ? 0 : (uint32_t)((whole + workers - 1) / workers);
}

static void define_kind(const struct unit *unit);

struct gate *gate_new(struct instance *instance)
{
    const struct gate_conf *conf = &instance->unit->conf->gate;
    struct gate            *gate = calloc(1, sizeof(*gate));
    const char             *kind = instance->unit->plugin->descriptor.kind;

    if (!gate)
        return NULL;
    gate->instance = instance;
    gate->running_max = share(conf->max_concurrent, instance->worker->count);
    gate->waiting_max = share(conf->queue, instance->worker->count);
    gate->share_max = (uint32_t)(gate->running_max * conf->client_share);
    if (gate->share_max == 0)
        gate->share_max = 1;
    // What an app or a check answers is about what it was asked, not about itself.
    gate->is_remote = strcmp(kind, "app") != 0 && strcmp(kind, "health") != 0;
    gate->is_breaker_used = gate->is_remote && conf->breaker_failures > 0;
    gate->breaker_state = metrics_series(metrics_define(METRIC_GAUGE,
                                                        "backplane_plugin_breaker_open",
                                                        "Workers on which a circuit breaker of the "
                                                        "instance is open.",
                                                        "instance plugin"),
                                         (bp_str[]){ instance->unit->conf->name,
                                                     bp_str_of(instance->unit->plugin->label) },
                                         2);
    if (instance->worker->index == 0)
        define_kind(instance->unit);
    if (instance->worker->index == 0 && strcmp(kind, "llm") == 0)
        gate_define_llm(instance);
    return gate;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    CHECK(gate->queue.count == 0 && gate->waiting == 0); // nothing would wake a waiter
    if (gate->open_count)
        metric_add(gate->breaker_state, -1);
    for (size_t i = 0; i < GATE_OPS_MAX; i++)
        free(gate->stats[i]);
    free(gate);
}

int gate_breaker_state(const struct gate *gate)
{
    int64_t now = clock_now_ns();

    for (size_t i = 0; gate->open_count && i < GATE_OPS_MAX; i++)
        if (gate->stats[i] && gate->stats[i]->breaker.open_until_ns > now)
            return 1;
    return gate->open_count ? 2 : 0;
}

uint32_t gate_running(const struct gate *gate)
{
    return gate->running;
}

uint32_t gate_waiting(const struct gate *gate)
{
    return gate->waiting;
}

/* ---- who is running ---- */

static void set_running(bp_call *call, const char *plugin, const char *instance, const char *op)
{
    call->plugin = plugin;
    call->instance = instance;
    call->op = op;
    call->worker->running.plugin = plugin;
    call->worker->running.instance = instance;
    call->worker->running.op = op;
}

/* Unique within the trace is enough for a span id, so no system call is made for it. */
static void next_span(struct call_trace *trace)
{
    static _Thread_local uint64_t state;

    if (!state)
        state = (uint64_t)clock_wall_ns() ^ (uintptr_t)&state;
    state += 0x9E3779B97F4A7C15u;
    uint64_t mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed ^= mixed >> 27;
    mixed |= 1; // never all zero
    memcpy(trace->span_id, &mixed, sizeof(trace->span_id));
}

void gate_push(struct gate_frame *frame, bp_call *call, struct instance *instance, const char *op)
{
    const struct unit *unit = instance->unit;
    bool               is_app = strcmp(unit->conf->kind, "app") ==
                  0; // its routes and tools have deadlines of their own
    int64_t allowed_ns = is_app ? 0 : unit->conf->gate.deadline_ns;

    if (log_enabled(call->worker->log, BP_LOG_DEBUG))
        call_traceparent(call); // spans are logged, so there must be a trace
    *frame = (struct gate_frame){ .plugin = call->plugin,
                                  .instance = call->instance,
                                  .op = call->op,
                                  .instance_of = call->instance_of,
                                  .deadline_ns = call->deadline_ns,
                                  .over = call->over,
                                  .trace = call->trace,
                                  .started_ns = clock_now_ns() };
    if (allowed_ns > 0 && allowed_ns < call->deadline_ns - frame->started_ns)
        call->deadline_ns = frame->started_ns + allowed_ns;
    if (call->latest_ns && call->latest_ns < call->deadline_ns)
        call->deadline_ns = call->latest_ns;
    call->instance_of = instance;
    set_running(call, unit->plugin->label, unit->conf->name.data, op);
    if (call->traceparent[0]) {
        next_span(&call->trace);
        call->traceparent[0] = '\0';
    }
}

void gate_pop(const struct gate_frame *frame, bp_call *call)
{
    call->deadline_ns = frame->deadline_ns;
    call->instance_of = frame->instance_of;
    set_running(call, frame->plugin, frame->instance, frame->op);
    // The operation's own deadline does not end the call that made it.
    if (call->over == BP_DEADLINE && frame->over == BP_OK && clock_now_ns() < frame->deadline_ns)
        call->over = BP_OK;
    // A trace that began inside, because somebody asked for it there, is kept.
    if (memcmp(frame->trace.trace_id, call->trace.trace_id, sizeof(call->trace.trace_id)) == 0 &&
        memcmp(&frame->trace, &call->trace, sizeof(call->trace)) != 0) {
        call->trace = frame->trace;
        call->traceparent[0] = '\0';
    }
}

/* ---- bulkhead ---- */

static struct holding *holding_of(struct gate *gate, const bp_call *call)
{
    return &gate->clients[call->client % CLIENTS];
}

static void take_place(struct gate *gate, const bp_call *call)
{
    gate->running++;
    holding_of(gate, call)->running++;
    CHECK(holding_of(gate, call)->running <= gate->running);
}

static void unqueue(struct gate *gate, struct waiting *gone)
{
    struct holding *holding = holding_of(gate, gone->call);

    queue_remove(&gone->link);
    CHECK_ALWAYS(gate->waiting > 0 && holding->waiting > 0);
    gate->waiting--;
    holding->waiting--;
    CHECK(gate->waiting == gate->queue.count);
}

static void queue(struct gate *gate, struct waiting *self)
{
    struct queue_link *before = self->is_back ? NULL : gate->queue.last;
    struct waiting    *at;

    if (self->is_back)
        QUEUE_EACH (&gate->queue, at, link)
            if (at->is_back)
                before = &at->link; // all those that are back stand before the others
    queue_insert_after(&gate->queue, before, &self->link);
    gate->waiting++;
    holding_of(gate, self->call)->waiting++;
    CHECK(gate->waiting == gate->queue.count);
}

/* The queue is full: the client with the most entries loses its newest to one that has fewer. */
static bool push_out(struct gate *gate, const bp_call *call)
{
    uint32_t        most = holding_of(gate, call)->waiting + 1;
    struct waiting *newest = NULL, *at;

    QUEUE_EACH (&gate->queue, at, link) {
        uint32_t has = holding_of(gate, at->call)->waiting;

        if (!at->is_back && has >= most && has > holding_of(gate, call)->waiting + 1) {
            most = has;
            newest = at;
        }
    }
    if (!newest)
        return false;
    unqueue(gate, newest);
    newest->is_pushed_out = true;
    call_wake(newest->call);
    return true;
}

static bp_status refuse(bp_call *call, const struct gate *gate)
{
    return call_fail(call, BP_LIMIT,
                     "%s \"%s\" has %u calls running and %u waiting on this worker, which is what "
                     "max_concurrent and queue allow",
                     gate->instance->unit->plugin->label, gate->instance->unit->conf->name.data,
                     gate_running(gate), gate_waiting(gate));
}

static bool has_room(const struct gate *gate)
{
    return !gate->running_max || gate->running < gate->running_max;
}

static bp_status wait_for_place(struct gate *gate, struct waiting *self)
{
    bp_status status = BP_OK;

    queue(gate, self);
    while (!self->is_admitted && !self->is_pushed_out && status == BP_OK)
        status = call_wait(self->call, BP_FOREVER, "a free place in the bulkhead");
    if (queue_is_linked(&self->link))
        unqueue(gate, self);
    return self->is_admitted ? BP_OK : status;
}

static bp_status enter(bp_call *call, struct gate *gate)
{
    struct waiting self = { .call = call };
    bp_status      status;

    if (has_room(gate)) {
        take_place(gate, call);
        CHECK(!gate->running_max || gate->running <= gate->running_max);
        return BP_OK;
    }
    if (gate->waiting >= gate->waiting_max && !push_out(gate, call))
        return refuse(call, gate);
    status = wait_for_place(gate, &self);
    if (self.is_pushed_out)
        return refuse(call, gate);
    if (status == BP_DEADLINE) // it is busy, which is not the same as being out of order
        return call_fail(call, BP_LIMIT, "%s \"%s\" had no free place within the time allowed",
                         gate->instance->unit->plugin->label,
                         gate->instance->unit->conf->name.data);
    return status == BP_OK ? BP_OK : call_fail_over(call, status, "waiting for a busy plugin");
}

/* Who waits longest among those that have less than their share; when all have theirs, who waits
 * longest. */
static struct waiting *next_of(const struct gate *gate)
{
    struct waiting *at;

    QUEUE_EACH (&gate->queue, at, link)
        if (gate->clients[at->call->client % CLIENTS].running < gate->share_max)
            return at;
    return QUEUE_ITEM(gate->queue.first, struct waiting, link);
}

/* Out of line, so that leaving without a queue needs no stack. */
static __attribute__((noinline)) void admit_next(struct gate *gate)
{
    struct waiting *next = next_of(gate);

    unqueue(gate, next);
    take_place(gate, next->call);
    next->is_admitted = true;
    call_wake(next->call);
}

static void leave(bp_call *call, struct gate *gate)
{
    struct holding *holding = holding_of(gate, call);

    CHECK(gate->running > 0 && holding->running > 0);
    gate->running--;
    holding->running--;
    // There are more than the cap when some took a place again at once.
    if (gate->queue.first && has_room(gate))
        admit_next(gate);
}

/* A call that had a place is not refused another. It comes first, and a call that is over gets its
 * place to end in. */
static void come_back(bp_call *call, struct gate *gate)
{
    struct waiting self = { .call = call, .is_back = true };

    if (has_room(gate) || wait_for_place(gate, &self) != BP_OK)
        take_place(gate, call);
}

void gate_step_out(bp_call *call)
{
    struct instance *instance = instance_of_call(call);

    if (instance)
        leave(call, instance->gate);
}

void gate_step_in(bp_call *call)
{
    struct instance *instance = instance_of_call(call);

    if (instance)
        come_back(call, instance->gate);
}

/* ---- breaker ---- */

/* One way of a call through a gate. */
struct gate_turn {
    struct gate_turn     *outer;
    struct gate          *gate;
    const struct gate_op *op;
    struct breaker       *breaker; /* NULL: none is used */
    int64_t               started_ns;
    bool                  is_trial; /* of a breaker that is half open */
    bp_status             of_sink;  /* what a sink of the caller's failed with */
    struct arena         *arena;    /* the caller's */
};

/* A call that ran out of its own time early says nothing about the plugin, which might have
 * answered within its own time. The time of a request and that of a plugin are often the same, and
 * then the request began first. */
static bool had_its_time(const struct gate_turn *turn)
{
    int64_t allowed_ns = conf_of(turn->gate)->deadline_ns;

    if (allowed_ns <= 0)
        allowed_ns = BP_SECONDS(UNLIMITED_S);
    return clock_now_ns() - turn->started_ns >= allowed_ns - allowed_ns / 4;
}

/* Not BP_LIMIT: a call that waited in vain for a place or a connection of ours was not refused by
 * the back end. */
static bool is_failure_of_plugin(const bp_call *call, const struct gate_turn *turn,
                                 bp_status status)
{
    if (status == BP_DEADLINE) // an own, shorter time of the plugin's leaves the call alive
        return call->over == BP_OK || had_its_time(turn);
    return status == BP_UNAVAILABLE || status == BP_UPSTREAM || status == BP_IO ||
           status == BP_INTERNAL;
}

static bp_status ask_breaker(bp_call *call, struct gate_turn *turn)
{
    struct breaker    *breaker = turn->breaker;
    const struct gate *gate = turn->gate;
    int64_t            now = clock_now_ns();

    if (!breaker || !breaker->open_until_ns)
        return BP_OK;
    if (now >= breaker->open_until_ns && !breaker->is_probing) {
        turn->is_trial = breaker->is_probing = true;
        return BP_OK;
    }
    call_fail(call, BP_UNAVAILABLE,
              "%s \"%s\" failed %lld times within %lld s at %s: the breaker refuses this for %lld "
              "ms more; the last error: %s",
              gate->instance->unit->plugin->label, gate->instance->unit->conf->name.data,
              (long long)conf_of(gate)->breaker_failures,
              (long long)(conf_of(gate)->breaker_window_ns / 1000000000), turn->op->name,
              now < breaker->open_until_ns ? (long long)((breaker->open_until_ns - now) / 1000000)
                                           : 0LL,
              breaker->reason);
    call->error.retry_after_ns = now < breaker->open_until_ns ? breaker->open_until_ns - now
                                                              : BP_SECONDS(1);
    return BP_UNAVAILABLE;
}

/* The sentence of the call, as it fits: cut between characters. */
static void keep_reason(const bp_call *call, bp_status status, struct breaker *breaker)
{
    bool   has_sentence = call->error.status == status && call->error.message.len;
    bp_str message = has_sentence ? call->error.message : bp_str_of(bp_status_text(status));
    size_t len = message.len < OPENING_BYTES ? message.len : OPENING_BYTES - 1;

    while (len && len < message.len && ((unsigned char)message.data[len] & 0xC0) == 0x80)
        len--;
    memcpy(breaker->reason, message.data, len);
    breaker->reason[len] = '\0';
}

static void open_breaker(bp_call *call, struct gate *gate, const struct gate_op *op,
                         struct breaker *breaker, bp_status status, int64_t now)
{
    keep_reason(call, status, breaker);
    if (!breaker->open_until_ns) {
        if (!gate->open_count++)
            metric_add(gate->breaker_state, 1);
        log_message(call->worker->log, BP_LOG_WARN, "breaker_open",
                    "%s \"%s\" failed %lld times at %s: the breaker refuses this for %lld ms; the "
                    "last error: %s",
                    gate->instance->unit->plugin->label, gate->instance->unit->conf->name.data,
                    (long long)conf_of(gate)->breaker_failures, op->name,
                    (long long)(conf_of(gate)->breaker_pause_ns / 1000000), breaker->reason);
    }
    breaker->open_until_ns = now + conf_of(gate)->breaker_pause_ns;
    breaker->is_probing = false;
    breaker->failure_count = 0;
}

static void close_breaker(bp_call *call, struct gate *gate, const struct gate_op *op,
                          struct breaker *breaker)
{
    CHECK_ALWAYS(gate->open_count > 0 && breaker->open_until_ns);
    if (!--gate->open_count)
        metric_add(gate->breaker_state, -1);
    breaker->open_until_ns = 0;
    log_message(call->worker->log, BP_LOG_INFO, "breaker_closed", "%s \"%s\" answers %s again",
                gate->instance->unit->plugin->label, gate->instance->unit->conf->name.data,
                op->name);
}

/* The trial is over without a verdict: the next call is one. */
static void end_trial(struct gate_turn *turn)
{
    CHECK(!turn->is_trial || turn->breaker);
    if (turn->is_trial)
        turn->breaker->is_probing = false;
    turn->is_trial = false;
}

static void note_failure(bp_call *call, const struct gate_turn *turn, bp_status status)
{
    struct breaker *breaker = turn->breaker;
    int64_t         now = clock_now_ns();
    uint32_t        recent = 0;

    breaker->failures_ns[breaker->failure_next] = now;
    breaker->failure_next = (breaker->failure_next + 1) % FAILURES_MAX;
    if (breaker->failure_count < FAILURES_MAX)
        breaker->failure_count++;
    for (uint32_t i = 1; i <= breaker->failure_count; i++)
        if (now - breaker->failures_ns[(breaker->failure_next + FAILURES_MAX - i) % FAILURES_MAX] <=
            conf_of(turn->gate)->breaker_window_ns)
            recent++;
    if (recent >= conf_of(turn->gate)->breaker_failures || recent == FAILURES_MAX)
        open_breaker(call, turn->gate, turn->op, breaker, status, now);
}

/* What became of a request, whatever number of attempts it took. One that began before the breaker
 * opened tells nothing new about it. */
static void teach_breaker(bp_call *call, struct gate_turn *turn, bp_status status)
{
    if (is_failure_of_plugin(call, turn, status)) {
        if (turn->is_trial)
            open_breaker(call, turn->gate, turn->op, turn->breaker, status, clock_now_ns());
        else if (!turn->breaker->open_until_ns)
            note_failure(call, turn, status);
    } else if (turn->is_trial && status != BP_CANCELLED && status != BP_DEADLINE &&
               status != BP_LIMIT) {
        close_breaker(call, turn->gate, turn->op, turn->breaker);
    }
    end_trial(turn);
}

void gate_answered(bp_call *call)
{
    struct gate_turn *turn = call->turn;

    if (call->is_job_running || !turn || !turn->is_trial)
        return; // a pool thread must not touch what belongs to the worker; its trial ends with the
                // call
    close_breaker(call, turn->gate, turn->op, turn->breaker);
    end_trial(turn);
}

struct arena *gate_sink_begin(bp_call *call)
{
    struct gate_turn *turn = call->turn;
    struct arena     *of_plugin = call->arena;

    if (turn)
        call->arena = turn->arena;
    return of_plugin;
}

bp_status gate_sink_end(bp_call *call, struct arena *of_plugin, bp_status status)
{
    struct gate_turn *turn = call->turn;

    call->arena = of_plugin;
    if (status != BP_OK && turn)
        turn->of_sink = status;
    return status;
}

/* ---- counting ---- */

static struct metric_series *outcome_of(const struct unit *unit, const char *op, bp_status status)
{
    return metrics_series(metrics_define(METRIC_COUNTER, "backplane_plugin_calls_total",
                                         "Operations of plugins, by outcome.",
                                         "instance plugin op outcome"),
                          (bp_str[]){ unit->conf->name, bp_str_of(unit->plugin->label),
                                      bp_str_of(op), bp_str_of(bp_status_label(status)) },
                          4);
}

static struct metric_series *duration_of(const struct unit *unit, const char *op)
{
    return metrics_series(metrics_define(METRIC_HISTOGRAM, "backplane_plugin_call_duration_seconds",
                                         "Time that operations of plugins took, with retries.",
                                         "instance plugin op"),
                          (bp_str[]){ unit->conf->name, bp_str_of(unit->plugin->label),
                                      bp_str_of(op) },
                          3);
}

static struct metric_series *retries_of(const struct unit *unit, const char *op)
{
    return metrics_series(metrics_define(METRIC_COUNTER, "backplane_plugin_retries_total",
                                         "Attempts of operations after the first one.",
                                         "instance plugin op"),
                          (bp_str[]){ unit->conf->name, bp_str_of(unit->plugin->label),
                                      bp_str_of(op) },
                          3);
}

static bool is_provider(const struct unit *unit)
{
    return strcmp(unit->conf->kind, "llm") == 0 || strcmp(unit->conf->kind, "embed") == 0;
}

static struct metric_series *provider_errors_of(const struct unit *unit, bp_status status)
{
    return metrics_series(metrics_define(METRIC_COUNTER, "provider_api_errors_total",
                                         "Failed requests to model providers, by reason.",
                                         "provider reason"),
                          (bp_str[]){ unit->conf->name, bp_str_of(bp_status_label(status)) }, 2);
}

/* Counters are there with a zero before the first event, so that a rate can be taken of it. */
void gate_define_op(const struct unit *unit, const char *op)
{
    static const bp_status outcomes[] = { BP_OK,    BP_UNAVAILABLE, BP_INTERNAL,
                                          BP_LIMIT, BP_DEADLINE,    BP_UPSTREAM };
    bool is_app = strcmp(unit->conf->kind, "app") == 0; // they have many operations

    for (size_t i = 0; i < (is_app ? 3 : sizeof(outcomes) / sizeof(outcomes[0])); i++)
        outcome_of(unit, op, outcomes[i]);
    duration_of(unit, op);
    if (!is_app)
        retries_of(unit, op);
}

static void define_kind(const struct unit *unit)
{
    static const bp_status reasons[] = { BP_INVALID,  BP_DENIED,      BP_TOO_LARGE, BP_LIMIT,
                                         BP_UPSTREAM, BP_UNAVAILABLE, BP_DEADLINE };
    size_t                 count;
    const struct gate_op  *ops = gate_ops_list(unit->conf->kind, &count);

    for (size_t i = 0; i < count; i++)
        gate_define_op(unit, ops[i].name);
    for (size_t i = 0; is_provider(unit) && i < sizeof(reasons) / sizeof(reasons[0]); i++)
        provider_errors_of(unit, reasons[i]);
}

static struct op_stats *stats_of(struct gate *gate, const struct gate_op *op)
{
    struct op_stats *stats = gate->stats[op->index % GATE_OPS_MAX];

    if (stats)
        return stats;
    stats = calloc(1, sizeof(*stats));
    if (!stats)
        return NULL;
    stats->duration = duration_of(gate->instance->unit, op->name);
    if (gate->is_remote)
        stats->retries = retries_of(gate->instance->unit, op->name);
    gate->stats[op->index % GATE_OPS_MAX] = stats;
    return stats;
}

static void count(struct gate *gate, const struct gate_op *op, bp_status status,
                  int64_t duration_ns)
{
    struct op_stats *stats = stats_of(gate, op);
    uint32_t place = status >= 0 && status < BP_STATUS_COUNT ? (uint32_t)status : BP_INTERNAL;

    if (!stats)
        return;
    if (!stats->outcomes[place])
        stats->outcomes[place] = outcome_of(gate->instance->unit, op->name, (bp_status)place);
    metric_add(stats->outcomes[place], 1);
    metric_observe(stats->duration, (double)duration_ns / 1e9);
    if (status != BP_OK && status != BP_CANCELLED && is_provider(gate->instance->unit))
        metric_add(provider_errors_of(gate->instance->unit, (bp_status)place), 1);
}

static void log_span(bp_call *call, const struct gate_frame *frame, bp_status status)
{
    bp_field fields[3];
    char     span[17];

    if (!log_enabled(call->worker->log, BP_LOG_DEBUG))
        return;
    crypto_hex(call->trace.span_id, 8, span);
    fields[0] = bp_field_int("duration_us", (clock_now_ns() - frame->started_ns) / 1000);
    fields[1] = bp_field_str("outcome", bp_str_of(bp_status_label(status)));
    fields[2] = bp_field_str("span_id", bp_str_of(span));
    call_log(call, BP_LOG_DEBUG, BP_STR("span"), BP_STR(""), fields, sizeof(bp_field), 3);
}

/* ---- waits for the client ---- */

void gate_client_wait(bp_call *call, bool begins)
{
    struct gate_turn *turn = call->turn;

    while (turn && turn->gate->is_remote)
        turn = turn->outer; // what a back end's places stand for is in use while the client is
                            // waited for
    if (!turn)
        return;
    if (begins)
        leave(call, turn->gate);
    else
        come_back(call, turn->gate);
}

/* ---- the way through ---- */

struct blocking_run {
    gate_thunk thunk;
    void      *object, *args;
};

static bp_status run_blocking(bp_call *call, void *arg)
{
    struct blocking_run *run = arg;

    return run->thunk(call, run->object, run->args);
}

static bp_status run_once(bp_call *call, struct instance *instance, gate_thunk thunk, void *args)
{
    struct blocking_run run = { thunk, instance->object, args };
    bp_status           status;

    if (instance->unit->plugin->descriptor.flags & BP_BLOCKING)
        status = pool_offload(call, instance->unit->pool, run_blocking, &run);
    else
        status = thunk(call, instance->object, args);
    if (status < 0 || status >= BP_STATUS_COUNT)
        status = call_fail(call, BP_INTERNAL, "%s returned the status %d, which does not exist",
                           instance->unit->plugin->label, status);
    if (status != BP_OK && call->error.status != status)
        call_fail(call, status, "%s", bp_status_text(status)); // it failed without saying why
    return status;
}

static bool pause_before_retry(bp_call *call, int attempt)
{
    uint32_t most_ms = (uint32_t)RETRY_FIRST_MS << (attempt < 5 ? attempt : 5), random;
    int64_t  pause_ns;

    crypto_random(&random, sizeof(random));
    if (most_ms > RETRY_MOST_MS)
        most_ms = RETRY_MOST_MS;
    pause_ns = BP_MILLISECONDS(most_ms / 2 + random % (most_ms / 2 + 1));
    if (call->error.retry_after_ns > pause_ns)
        pause_ns = call->error.retry_after_ns;
    if (pause_ns >= call->deadline_ns - clock_now_ns())
        return false;
    return call_sleep(call, pause_ns) == BP_OK;
}

/* Attempts until one succeeds or trying again would not help. False: none was made, as there was no
 * place for it. */
static bool attempt(bp_call *call, struct instance *instance, struct gate_turn *turn,
                    gate_thunk thunk, void *args, bp_status *status)
{
    struct gate *gate = turn->gate;

    for (int attempt = 0;; attempt++) {
        bp_error error;

        *status = enter(call, gate);
        if (*status != BP_OK)
            return attempt > 0;
        *status = run_once(call, instance, thunk, args);
        leave(call, gate);
        if (*status == BP_OK || !turn->op->is_idempotent || !bp_status_is_retryable(*status) ||
            !gate->is_remote || attempt >= conf_of(gate)->retries || call_over(call) != BP_OK)
            return true;
        error = call->error;
        if ((turn->breaker && turn->breaker->open_until_ns && !turn->is_trial) ||
            !pause_before_retry(call, attempt)) {
            call->error = error;
            return true;
        }
        metric_add(stats_of(gate, turn->op) ? stats_of(gate, turn->op)->retries : NULL, 1);
    }
}

static bp_status pass(bp_call *call, struct instance *instance, const struct gate_op *op,
                      gate_thunk thunk, void *args, bool is_long)
{
    struct gate      *gate = instance->gate;
    struct op_stats  *stats = gate->is_breaker_used ? stats_of(gate, op) : NULL;
    struct gate_turn  turn = { .outer = call->turn,
                               .gate = gate,
                               .op = op,
                               .breaker = stats ? &stats->breaker : NULL,
                               .arena = call->arena };
    struct gate_frame frame;
    bp_status         status = call_over(call);

    if (status != BP_OK)
        return call_fail_over(call, status, op->name);
    if (!instance->unit->is_up) {
        status = call_fail(call, BP_UNAVAILABLE, "%s \"%s\" is not in service: %s",
                           instance->unit->plugin->label, instance->unit->conf->name.data,
                           instance->unit->problem.text[0] ? instance->unit->problem.text
                                                           : "it has not started yet");
        disclosure_decide(call, instance, instance_of_call(call), status);
        return status;
    }
    gate_push(&frame, call, instance, op->name);
    if (is_long)
        call->deadline_ns = frame.deadline_ns;
    turn.started_ns = frame.started_ns;
    call->turn = &turn;
    status = ask_breaker(call, &turn);
    if (status == BP_OK) {
        if (attempt(call, instance, &turn, thunk, args, &status) && turn.breaker)
            teach_breaker(call, &turn, status);
        end_trial(&turn);
    }
    call->turn = turn.outer;
    unit_note_call(instance->unit, is_failure_of_plugin(call, &turn, status) || status == BP_FULL ||
                                           status == BP_DATA
                                       ? status
                                       : BP_OK);
    count(gate, op, status, clock_now_ns() - frame.started_ns);
    log_span(call, &frame, status);
    if (status != BP_OK && turn.of_sink != status)
        disclosure_decide(call, instance, frame.instance_of, status);
    gate_pop(&frame, call);
    return status;
}

bp_status gate_run(bp_call *call, struct instance *instance, const struct gate_op *op,
                   gate_thunk thunk, void *args)
{
    return pass(call, instance, op, thunk, args, false);
}

bp_status gate_run_long(bp_call *call, struct instance *instance, const struct gate_op *op,
                        gate_thunk thunk, void *args)
{
    return pass(call, instance, op, thunk, args, true);
}

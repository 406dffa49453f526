/* health.c - runs the checks, keeps their last answers, and writes them out. */
#include "ops/health.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/job.h"
#include "loop/watchdog.h"
#include "ops/alerts.h"
#include "version.h"

enum { DETAIL_BYTES = 512, FIRST_SPREAD_MS = 10 };

struct component {
    struct health_board *board;
    struct unit         *unit;
    struct job          *job;
    /* Under the board's lock: */
    bool                  is_known;
    bp_health_level       level;
    int64_t               well, failing; /* checks in a row that found it so */
    char                  detail[DETAIL_BYTES];
    int64_t               latency_ns, checked_wall_ns, changed_wall_ns;
    struct metric_series *level_metric, *latency_metric, *value_metric;
};

struct health_board {
    struct generation  *generation;
    struct alert_queue *alerts;
    pthread_mutex_t     lock;
    _Atomic int         phase;
    int64_t             started_wall_ns;
    struct component   *components;
    size_t              count;
};

static struct metric_series *series(const char *name, const char *help, const struct unit *unit)
{
    return metrics_series(metrics_define(METRIC_GAUGE, name, help, "component"), &unit->conf->name,
                          1);
}

/* The state of a component goes on with it: nothing is told twice, and nothing forgotten. */
static void go_on(struct component *component, struct health_board *before)
{
    for (size_t i = 0; before && i < before->count; i++) {
        const struct component *old = &before->components[i];

        if (!bp_str_equal(old->unit->conf->name, component->unit->conf->name))
            continue;
        pthread_mutex_lock(&before->lock);
        component->is_known = old->is_known;
        component->level = old->level;
        component->well = old->well;
        component->failing = old->failing;
        component->latency_ns = old->latency_ns;
        component->checked_wall_ns = old->checked_wall_ns;
        component->changed_wall_ns = old->changed_wall_ns;
        memcpy(component->detail, old->detail, sizeof(component->detail));
        pthread_mutex_unlock(&before->lock);
    }
}

struct health_board *health_board_new(struct generation *generation, struct alert_queue *alerts,
                                      struct health_board *before)
{
    struct health_board *board = calloc(1, sizeof(*board));

    if (!board)
        return NULL;
    board->components = calloc(generation->unit_count + 1, sizeof(struct component));
    if (!board->components) {
        free(board);
        return NULL;
    }
    pthread_mutex_init(&board->lock, NULL);
    board->generation = generation;
    board->alerts = alerts;
    board->started_wall_ns = before ? before->started_wall_ns : clock_wall_ns();
    for (size_t i = 0; i < generation->unit_count; i++) {
        struct unit      *unit = generation->units[i];
        struct component *component = &board->components[board->count];

        if (strcmp(unit->conf->kind, "health") != 0)
            continue;
        *component = (struct component){ .board = board, .unit = unit };
        go_on(component, before);
        component->level_metric = series("backplane_health_level", "0 ok, 1 degraded, 2 down.",
                                         unit);
        component->latency_metric = series("backplane_health_latency_seconds",
                                           "Time of the last health check.", unit);
        component->value_metric = series("backplane_health_value",
                                         "Value that the last health check measured.", unit);
        board->count++;
    }
    return board;
}

void health_board_free(struct health_board *board)
{
    if (!board)
        return;
    pthread_mutex_destroy(&board->lock);
    free(board->components);
    free(board);
}

/* ---- checking ---- */

static const char *level_name(bp_health_level level)
{
    static const char *const names[] = { "ok", "degraded", "down" };

    return names[level <= BP_HEALTH_DOWN ? level : BP_HEALTH_DOWN];
}

/* One failed check is no outage, and one that succeeds no recovery: a component goes down after
 * `fall` failures in a row and comes back after `rise` that are none. The first check of all has
 * nothing before it and counts alone. Under the lock. */
static bp_health_level level_after(struct component *component, bp_health_level found)
{
    const struct gate_conf *conf = &component->unit->conf->gate;

    component->failing = found == BP_HEALTH_DOWN ? component->failing + 1 : 0;
    component->well = found == BP_HEALTH_DOWN ? 0 : component->well + 1;
    if (!component->is_known)
        return found;
    if (found == BP_HEALTH_DOWN)
        return component->level == BP_HEALTH_DOWN || component->failing >= conf->fall
                   ? BP_HEALTH_DOWN
                   : BP_HEALTH_DEGRADED;
    return component->level == BP_HEALTH_DOWN && component->well < conf->rise ? BP_HEALTH_DOWN
                                                                              : found;
}

static void keep(struct component *component, const bp_health *health, int64_t latency_ns)
{
    bp_health_level level = health->level <= BP_HEALTH_DOWN ? (bp_health_level)health->level
                                                            : BP_HEALTH_DOWN;
    int64_t         now = clock_wall_ns();
    bool            is_change;

    pthread_mutex_lock(&component->board->lock);
    level = level_after(component, level);
    is_change = component->is_known ? component->level != level : level != BP_HEALTH_OK;
    if (!component->is_known || component->level != level)
        component->changed_wall_ns = now;
    component->is_known = true;
    component->level = level;
    component->latency_ns = latency_ns;
    component->checked_wall_ns = now;
    snprintf(component->detail, sizeof(component->detail), BP_FMT, BP_ARG(health->detail));
    pthread_mutex_unlock(&component->board->lock);
    metric_set(component->level_metric, (double)level);
    metric_set(component->latency_metric, (double)latency_ns / 1e9);
    if (!isnan(health->value))
        metric_set(component->value_metric, health->value);
    if (is_change && component->board->alerts)
        alerts_component_changed(component->board->alerts, component->unit->conf->name, level,
                                 component->unit->conf->gate.critical, component->detail,
                                 component->changed_wall_ns);
}

static void run_check(bp_call *call, void *arg)
{
    struct component *component = arg;
    struct instance  *instance = &component->unit->instances[0];
    bp_health         health = { .struct_size = sizeof(health), .value = NAN };
    int64_t           before = clock_now_ns();
    bp_status         status;

    if (!component->unit->is_up) {
        health.level = BP_HEALTH_DOWN;
        health.detail = bp_str_of(component->unit->problem.text);
        keep(component, &health, 0);
        return;
    }
    status = ((const bp_health_ops *)instance->peer.ops)->check(call, instance, &health);
    if (status != BP_OK && call_over(call) == BP_CANCELLED)
        return;
    if (status != BP_OK) {
        health.level = BP_HEALTH_DOWN;
        health.detail = call->error.message;
    }
    keep(component, &health, clock_now_ns() - before);
}

bp_status health_board_start(bp_call *call, struct health_board *board)
{
    for (size_t i = 0; i < board->count; i++) {
        struct component *component = &board->components[i];

        component->job = job_start(call->worker,
                                   &(struct job_options){
                                       .name = "health check",
                                       .interval_ns = component->unit->conf->gate.every_ns,
                                       .first_ns = BP_MILLISECONDS((int64_t)i * FIRST_SPREAD_MS),
                                       .timeout_ns = component->unit->conf->gate.every_ns +
                                                     BP_SECONDS(10),
                                       .run = run_check,
                                       .arg = component });
        if (!component->job)
            return call_fail(call, BP_NO_MEMORY, "no memory for the health checks");
    }
    return BP_OK;
}

bp_status health_board_stop(bp_call *call, struct health_board *board)
{
    for (size_t i = 0; i < board->count; i++) {
        if (board->components[i].job)
            job_stop(call, board->components[i].job);
        board->components[i].job = NULL;
    }
    return BP_OK;
}

/* ---- answering ---- */

void health_board_set_phase(struct health_board *board, enum health_phase phase)
{
    board->phase = (int)phase;
}

enum health_phase health_board_phase(const struct health_board *board)
{
    return (enum health_phase)board->phase;
}

bool health_is_live(const struct health_board *board)
{
    return watchdog_is_alive(board->generation->workers, board->generation->worker_count);
}

static bool is_critical(const struct component *component)
{
    return component->unit->conf->gate.critical;
}

bool health_is_ready(struct health_board *board)
{
    bool is_ready = board->phase == PHASE_READY;

    pthread_mutex_lock(&board->lock);
    for (size_t i = 0; i < board->count; i++)
        if (board->components[i].is_known && board->components[i].level == BP_HEALTH_DOWN &&
            is_critical(&board->components[i]))
            is_ready = false;
    pthread_mutex_unlock(&board->lock);
    return is_ready;
}

static void put_time(bp_json_writer *w, const char *key, int64_t wall_ns)
{
    char text[25];

    clock_format_utc(wall_ns, text);
    json_put_text(w, key, text);
}

static void write_component(bp_json_writer *w, const struct component *component, bool with_detail)
{
    json_key(w, component->unit->conf->name);
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "status", component->is_known ? level_name(component->level) : "unknown");
    json_put_string(w, "check", component->unit->conf->use);
    json_put_bool(w, "critical", is_critical(component));
    if (component->is_known) {
        if (with_detail)
            json_put_text(w, "detail", component->detail);
        json_put_number(w, "latency_ms", (double)(component->latency_ns / 1000) / 1000);
        put_time(w, "checked_at", component->checked_wall_ns);
        put_time(w, "since", component->changed_wall_ns);
    }
    json_end(w);
}

static void write_unit_down(bp_json_writer *w, const struct unit *unit, bool with_detail)
{
    char name[96];

    snprintf(name, sizeof(name), "%s.%s", unit->conf->kind, unit->conf->name.data);
    json_key(w, bp_str_of(name));
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "status", "down");
    json_put_text(w, "check", "start");
    json_put_bool(w, "critical", unit->conf->gate.critical);
    if (with_detail)
        json_put_text(w, "detail", unit->problem.text);
    json_end(w);
}

/* A component that is degraded by facts known without a check: `source` says whence,
 * `since_wall_ns` may be 0. */
static bp_health_level write_degraded(bp_json_writer *w, const struct unit *unit,
                                      const char *source, const char *detail, int64_t since_wall_ns)
{
    char name[96];

    snprintf(name, sizeof(name), "%s.%s", unit->conf->kind, unit->conf->name.data);
    json_key(w, bp_str_of(name));
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "status", level_name(BP_HEALTH_DEGRADED));
    json_put_text(w, "check", source);
    json_put_bool(w, "critical", false);
    if (detail)
        json_put_text(w, "detail", detail);
    if (since_wall_ns)
        put_time(w, "since", since_wall_ns);
    json_end(w);
    return BP_HEALTH_DEGRADED;
}

/* What an instance says of itself; its level. */
static bp_health_level write_report(bp_json_writer *w, const struct unit *unit, bool with_detail)
{
    struct unit_report *report = (struct unit_report *)&unit->report;
    char                sentence[sizeof(report->sentence)];
    uint32_t            level;
    int64_t             since;

    pthread_mutex_lock(&report->lock);
    level = report->level;
    since = report->since_wall_ns;
    memcpy(sentence, report->sentence, sizeof(sentence));
    pthread_mutex_unlock(&report->lock);
    if (level == BP_REPORT_OK)
        return BP_HEALTH_OK;
    return write_degraded(w, unit, "itself", with_detail ? sentence : NULL, since);
}

/* An instance with failing calls is degraded, even if no health check looks at it. */
static bp_health_level write_calls(bp_json_writer *w, const struct unit *unit, bool with_detail)
{
    struct call_record record = call_record_of(unit);
    char               text[160];

    if (!call_record_is_bad(&record))
        return BP_HEALTH_OK;
    snprintf(text, sizeof(text),
             "%llu of %llu calls failed within the last minute, the last one with \"%s\": see the "
             "log",
             (unsigned long long)record.failed, (unsigned long long)record.calls,
             bp_status_label(record.last_status));
    return write_degraded(w, unit, "calls", with_detail ? text : NULL, 0);
}

bp_health_level health_write(struct health_board *board, bool with_detail, bp_json_writer *w)
{
    const struct generation *generation = board->generation;
    bp_health_level          whole = BP_HEALTH_OK;
    size_t                   counts[3] = { 0 }, unknown = 0;
    static const char *const phases[] = { "starting", "ready", "draining" };

    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "version", BACKPLANE_VERSION);
    json_put_text(w, "phase", phases[board->phase]);
    put_time(w, "timestamp", clock_wall_ns());
    json_put_integer(w, "uptime_seconds", (clock_wall_ns() - board->started_wall_ns) / 1000000000);
    json_key(w, BP_STR("components"));
    json_begin(w, JSON_KIND_OBJECT);
    pthread_mutex_lock(&board->lock);
    for (size_t i = 0; i < board->count; i++) {
        const struct component *component = &board->components[i];
        bp_health_level         level = component->level;

        write_component(w, component, with_detail);
        if (!component->is_known) {
            unknown++;
            continue;
        }
        counts[level]++;
        if (level == BP_HEALTH_DOWN && !is_critical(component))
            level = BP_HEALTH_DEGRADED; // one can do without it
        if (level > whole)
            whole = level;
    }
    pthread_mutex_unlock(&board->lock);
    for (size_t i = 0; i < generation->unit_count; i++) {
        const struct unit *unit = generation->units[i];

        if (unit->is_up && strcmp(unit->conf->kind, "health") != 0 &&
            (write_report(w, unit, with_detail) != BP_HEALTH_OK ||
             write_calls(w, unit, with_detail) != BP_HEALTH_OK)) {
            counts[BP_HEALTH_DEGRADED]++;
            if (whole < BP_HEALTH_DEGRADED)
                whole = BP_HEALTH_DEGRADED;
        }
        if (unit->is_up || strcmp(unit->conf->kind, "health") == 0 || !unit->problem.text[0])
            continue;
        write_unit_down(w, unit, with_detail);
        counts[BP_HEALTH_DOWN]++;
        if (whole < BP_HEALTH_DEGRADED)
            whole = BP_HEALTH_DEGRADED;
    }
    json_end(w);
    if (board->phase != PHASE_READY || !health_is_live(board))
        whole = BP_HEALTH_DOWN;
    json_put_text(w, "status",
                  whole == BP_HEALTH_OK         ? "healthy"
                  : whole == BP_HEALTH_DEGRADED ? "degraded"
                                                : "unhealthy");
    json_key(w, BP_STR("summary"));
    json_begin(w, JSON_KIND_OBJECT);
    json_put_integer(w, "total", (int64_t)(counts[0] + counts[1] + counts[2] + unknown));
    json_put_integer(w, "ok", (int64_t)counts[0]);
    json_put_integer(w, "degraded", (int64_t)counts[1]);
    json_put_integer(w, "down", (int64_t)counts[2]);
    json_put_integer(w, "unknown", (int64_t)unknown);
    json_end(w);
    json_end(w);
    return whole;
}

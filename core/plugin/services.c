/* services.c - the tables behind call.h, loop.h, metrics.h and plugin.h of the SDK. */
#include "plugin/services.h"

#include <backplane/loop.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json_service.h"
#include "base/metrics.h"
#include "base/str.h"
#include "loop/mutex.h"
#include "loop/pool.h"
#include "loop/signal.h"
#include "plugin/instance.h"
#include "plugin/process_block.h"
#include "schema/params.h"
#include "version.h"

bp_status service_on_fiber(bp_call *call, bp_status (*fn)(bp_call *call, void *arg), void *arg)
{
    return pool_is_job_thread() ? pool_run_on_fiber(call, fn, arg) : fn(call, arg);
}

/* ---- call ---- */

static void *service_alloc(bp_call *call, size_t size_bytes)
{
    void *piece = arena_alloc(call->arena, size_bytes);

    if (!piece)
        call_fail(call, BP_NO_MEMORY, "the memory allowed for this call is used up");
    return piece;
}

static bp_status service_on_end(bp_call *call, void (*cleanup)(void *arg), void *arg)
{
    if (arena_on_free(call->arena, cleanup, arg))
        return BP_OK;
    return call_fail(call, BP_NO_MEMORY, "the memory allowed for this call is used up");
}

static void service_set_error_detail(bp_call *call, int64_t retry_after_ns, int32_t os_errno,
                                     int32_t upstream_status)
{
    call->error.retry_after_ns = retry_after_ns;
    call->error.os_errno = os_errno;
    call->error.upstream_status = upstream_status;
}

static const bp_error *service_error(bp_call *call)
{
    return &call->error;
}

static void service_clear_error(bp_call *call)
{
    call_clear_error(call);
}

static int64_t service_deadline_ns(bp_call *call)
{
    return call->deadline_ns;
}

static bp_status service_shield(bp_call *call, int64_t extra_ns)
{
    if (call->shield_until_ns) // the outer one's end would come too early
        return call_fail(call, BP_INVALID, "bp_shield() is not nested");
    if (extra_ns > BP_SECONDS(CALL_SHIELD_MAX_S))
        extra_ns = BP_SECONDS(CALL_SHIELD_MAX_S);
    call->shield_until_ns = clock_now_ns() + extra_ns;
    return BP_OK;
}

static void service_unshield(bp_call *call)
{
    call->shield_until_ns = 0;
}

static bp_str service_request_id(bp_call *call)
{
    return bp_str_of(call->request_id);
}

static const bp_principal *service_principal(bp_call *call)
{
    return &call->principal;
}

static bool service_log_enabled(bp_call *call, uint32_t level)
{
    return log_enabled(call->worker->log, level);
}

static bp_buf *service_buf_new(bp_call *call, size_t max_bytes)
{
    bp_buf *buf = service_alloc(call, sizeof(*buf));

    if (buf)
        buf_init(buf, call->arena, max_bytes);
    return buf;
}

static const bp_call_service call_service = {
    .struct_size = sizeof(bp_call_service),
    .alloc = service_alloc,
    .on_end = service_on_end,
    .set_error = call_set_error,
    .set_error_detail = service_set_error_detail,
    .set_error_for_client = call_set_error_for_client,
    .error = service_error,
    .clear_error = service_clear_error,
    .deadline_ns = service_deadline_ns,
    .cancelled = call_over,
    .shield = service_shield,
    .unshield = service_unshield,
    .request_id = service_request_id,
    .traceparent = call_traceparent,
    .principal = service_principal,
    .log = call_log,
    .log_enabled = service_log_enabled,
    .now_ns = clock_now_ns,
    .wall_ns = clock_wall_ns,
    .random = crypto_random,
    .sha256 = crypto_sha256,
    .buf_new = service_buf_new,
    .buf_add = buf_add,
    .buf_str = buf_str,
    .buf_status = buf_status,
    .buf_reset = buf_reset,
    .scratch_begin = call_scratch_begin,
    .scratch_end = call_scratch_end,
};

/* ---- loop ---- */

struct loop_args {
    int64_t   ns;
    int32_t   fd;
    uint32_t  events, *ready;
    bp_mutex *mutex;
    bp_child *child;
};

static bp_status do_sleep(bp_call *call, void *arg)
{
    return call_sleep(call, ((struct loop_args *)arg)->ns);
}

static bp_status service_sleep(bp_call *call, int64_t duration_ns)
{
    return service_on_fiber(call, do_sleep, &(struct loop_args){ .ns = duration_ns });
}

static bp_status do_wait_fd(bp_call *call, void *arg)
{
    struct loop_args *a = arg;

    return call_wait_fd(call, a->fd, a->events, a->ns, a->ready);
}

static bp_status service_wait_fd(bp_call *call, int32_t fd, uint32_t events, int64_t deadline_ns,
                                 uint32_t *ready)
{
    return service_on_fiber(call, do_wait_fd,
                            &(struct loop_args){
                                .fd = fd, .events = events, .ns = deadline_ns, .ready = ready });
}

static bp_status service_offload(bp_call *call, bp_pool                           *pool,
                                 bp_status (*job)(bp_call *call, void *arg), void *arg)
{
    struct instance *instance = instance_of_call(call);

    if (!pool && instance)
        pool = instance->unit->pool;
    if (!pool)
        return call_fail(call, BP_INTERNAL,
                         "bp_offload() was called outside of an instance's code");
    return pool_offload(call, pool, job, arg);
}

/* Pools and locks are counted for their instance, so that what shared_destroy forgets is named. */
static struct unit *unit_of(bp_call *call)
{
    struct instance *instance = instance_of_call(call);

    return instance ? instance->unit : NULL;
}

static bp_status service_pool_create(bp_call *call, bp_str name, uint32_t threads, bp_pool **pool)
{
    char text[16];

    snprintf(text, sizeof(text), BP_FMT, (int)(name.len < 15 ? name.len : 15), name.data);
    *pool = pool_create(text, threads);
    if (!*pool)
        return call_fail(call, BP_NO_MEMORY,
                         "a pool of %u threads cannot be made; 1 to %d are allowed", threads,
                         POOL_THREADS_MAX);
    pool_set_owner(*pool, unit_of(call) ? &unit_of(call)->open_pools : NULL);
    return BP_OK;
}

static bp_status service_mutex_create(bp_call *call, bp_mutex **mutex)
{
    *mutex = mutex_create();
    if (!*mutex)
        return call_fail(call, BP_NO_MEMORY, "no memory for a lock");
    mutex_set_owner(*mutex, unit_of(call) ? &unit_of(call)->open_mutexes : NULL);
    return BP_OK;
}

static bp_status do_lock(bp_call *call, void *arg)
{
    return mutex_lock(call, ((struct loop_args *)arg)->mutex);
}

static bp_status service_mutex_lock(bp_call *call, bp_mutex *mutex)
{
    return service_on_fiber(call, do_lock, &(struct loop_args){ .mutex = mutex });
}

struct spawn_args {
    const char *name;
    bp_status (*run)(bp_call *child, void *arg);
    void      *arg;
    bp_child **child;
};

static bp_status do_spawn(bp_call *call, void *arg)
{
    struct spawn_args *a = arg;

    return call_spawn(call, a->name, a->run, a->arg, a->child);
}

static bp_status service_spawn(bp_call *call, const char                         *name,
                               bp_status (*run)(bp_call *child, void *arg), void *arg,
                               bp_child **child)
{
    return service_on_fiber(call, do_spawn,
                            &(struct spawn_args){
                                .name = name, .run = run, .arg = arg, .child = child });
}

static bp_status do_join(bp_call *call, void *arg)
{
    return call_join(call, ((struct loop_args *)arg)->child);
}

static bp_status service_join(bp_call *call, bp_child *child)
{
    return service_on_fiber(call, do_join, &(struct loop_args){ .child = child });
}

struct wait_args {
    bp_waker   *waker;
    int64_t     deadline_ns;
    const char *what;
};

static bp_status do_wait(bp_call *call, void *arg)
{
    struct wait_args *a = arg;

    return signal_wait(call, a->waker, a->deadline_ns, a->what);
}

static bp_status service_wait(bp_call *call, bp_waker *waker, int64_t deadline_ns, const char *what)
{
    return service_on_fiber(call, do_wait,
                            &(struct wait_args){
                                .waker = waker, .deadline_ns = deadline_ns, .what = what });
}

static const bp_loop_service loop_service = {
    .struct_size = sizeof(bp_loop_service),
    .sleep = service_sleep,
    .wait_fd = service_wait_fd,
    .offload = service_offload,
    .pool_create = service_pool_create,
    .pool_destroy = pool_destroy,
    .mutex_create = service_mutex_create,
    .mutex_destroy = mutex_destroy,
    .mutex_lock = service_mutex_lock,
    .mutex_unlock = mutex_unlock,
    .spawn = service_spawn,
    .join = service_join,
    .cancel_child = call_cancel_child,
    .every = instance_add_job,
    .waker_new = signal_new,
    .waker_free = signal_free,
    .wake = signal_wake,
    .wait = service_wait,
    .process_block = process_block,
};

/* ---- json: the table is core/base/json_service.c's ---- */

struct arena *call_memory(bp_call *call)
{
    return call->arena;
}

/* ---- metrics: a family of a plugin has the instance's name as its first label ---- */

struct bp_metric {
    struct metric_family *family;
    bp_str                instance; /* lives as long as the handle */
};

/* Handles live as long as the process, like the families they stand for; one for each family and
 * instance. */
static void fill_handle(void *space, struct metric_family *family, bp_str key)
{
    *(struct bp_metric *)space = (struct bp_metric){ .family = family, .instance = key };
}

static struct bp_metric *metric_handle_new(struct metric_family *family, bp_str instance)
{
    return family ? metrics_handle(family, sizeof(struct bp_metric), instance, fill_handle) : NULL;
}

static struct metric_series *metric_handle_series(const struct bp_metric *metric,
                                                  const bp_str *values, size_t count)
{
    bp_str all[METRIC_LABELS_MAX] = { metric->instance };

    if (count + 1 > METRIC_LABELS_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++)
        all[i + 1] = values[i];
    return metrics_series(metric->family, all, count + 1);
}

static bp_status service_define(bp_call *call, uint32_t type, const char *name, const char *help,
                                const char *label_names, bp_metric **metric)
{
    struct instance      *instance = instance_of_call(call);
    struct metric_family *family;
    char                  labels[512];

    if (!instance)
        return call_fail(call, BP_INTERNAL,
                         "bp_metric_define() was called outside of worker_start");
    snprintf(labels, sizeof(labels), "instance %s", label_names ? label_names : "");
    family = metrics_define(type == BP_HISTOGRAM ? METRIC_HISTOGRAM
                            : type == BP_GAUGE   ? METRIC_GAUGE
                                                 : METRIC_COUNTER,
                            name, help, labels);
    *metric = metric_handle_new(family, instance->unit->conf->name);
    if (*metric && (!label_names ||
                    !*label_names)) // there is one series, which is there before the first event
        metrics_series(family, &instance->unit->conf->name, 1);
    if (*metric)
        return BP_OK;
    return call_fail(call, BP_INVALID,
                     "metric \"%s\" with the labels \"%s\" cannot be defined: the name is not one "
                     "that Prometheus takes, or it is defined otherwise already",
                     name, label_names ? label_names : "");
}

static void service_add(bp_metric *metric, const bp_str *values, size_t count, double value)
{
    metric_add(metric_handle_series(metric, values, count), value);
}

static void service_set(bp_metric *metric, const bp_str *values, size_t count, double value)
{
    metric_set(metric_handle_series(metric, values, count), value);
}

static void service_observe(bp_metric *metric, const bp_str *values, size_t count, double value)
{
    metric_observe(metric_handle_series(metric, values, count), value);
}

static const bp_metrics_service metrics_service = {
    .struct_size = sizeof(bp_metrics_service),
    .define = service_define,
    .add = service_add,
    .set = service_set,
    .observe = service_observe,
};

/* ---- host ---- */

static uint32_t service_worker_index(bp_call *call)
{
    return call->worker->index;
}

static uint32_t service_worker_count(bp_call *call)
{
    return call->worker->count;
}

static bp_str service_instance_name(bp_call *call)
{
    return bp_str_of(call->instance);
}

static bp_str service_version(void)
{
    return BP_STR(BACKPLANE_VERSION);
}

static void service_report(bp_call *call, uint32_t level, bp_str sentence)
{
    struct instance    *instance = instance_of_call(call);
    struct unit_report *report = instance ? &instance->unit->report : NULL;

    if (!report)
        return;
    if (level > BP_REPORT_DEGRADED)
        level = BP_REPORT_DEGRADED;
    pthread_mutex_lock(&report->lock);
    if (report->level != level)
        report->since_wall_ns = clock_wall_ns();
    report->level = level;
    sentence = str_cut(sentence, sizeof(report->sentence) - 1);
    snprintf(report->sentence, sizeof(report->sentence), BP_FMT, BP_ARG(sentence));
    pthread_mutex_unlock(&report->lock);
}

static const bp_host_service host_service_table = {
    .struct_size = sizeof(bp_host_service),
    .worker_index = service_worker_index,
    .worker_count = service_worker_count,
    .instance_name = service_instance_name,
    .version = service_version,
    .report = service_report,
};

const struct host_service plugin_services[] = {
    { "call", 1, sizeof(call_service), &call_service },
    { "loop", 1, sizeof(loop_service), &loop_service },
    { "json", 1, sizeof(json_service), &json_service },
    { "metrics", 1, sizeof(metrics_service), &metrics_service },
    { "params", 1, sizeof(params_service), &params_service },
    { "host", 1, sizeof(host_service_table), &host_service_table },
};
const size_t plugin_service_count = sizeof(plugin_services) / sizeof(plugin_services[0]);

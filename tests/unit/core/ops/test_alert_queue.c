/* test_alert_queue.c - the queue of a sink: what is cut, what waits how long after a failure, and
 * what is left without memory. The file under test is compiled in, with a clock of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/job.h"
#include "ops/alerts.h"

static int64_t            now_of_test;
static bool               is_memory_gone;
static int                pieces, arena_pieces_left = -1;
static struct job_options last_job;
static int                jobs, stops;
static bool               are_jobs_gone;

static int64_t queue_now_ns(void)
{
    return now_of_test;
}

static void *queue_malloc(size_t size)
{
    pieces += !is_memory_gone;
    return is_memory_gone ? NULL : malloc(size);
}

static void *queue_calloc(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    pieces += !is_memory_gone;
    return is_memory_gone ? NULL : calloc(count, size);
}

static void queue_free(void *piece)
{
    pieces -= piece != NULL;
    free(piece);
}

static void *queue_arena_alloc(struct arena *arena, size_t size)
{
    if (arena_pieces_left == 0)
        return NULL;
    arena_pieces_left -= arena_pieces_left > 0;
    return arena_alloc(arena, size);
}

static struct job *queue_job_start(struct worker *worker, const struct job_options *options)
{
    (void)worker;
    last_job = *options;
    jobs += !are_jobs_gone;
    return are_jobs_gone ? NULL : (struct job *)&last_job;
}

static void queue_job_stop(bp_call *call, struct job *job)
{
    (void)call;
    assert_ptr_equal(job, &last_job);
    stops++;
}

#define clock_now_ns queue_now_ns
#define malloc       queue_malloc
#define calloc       queue_calloc
#define free         queue_free
#define arena_alloc  queue_arena_alloc
#define job_start    queue_job_start
#define job_stop     queue_job_stop
#include "core/lock_watch.h"
#include "ops/alerts.c"
#include "core/lock_watch_end.h"
#undef clock_now_ns
#undef malloc
#undef calloc
#undef free
#undef arena_alloc
#undef job_start
#undef job_stop

#include "ops_rig.h"

static struct {
    bp_status status;
    int       calls;
    size_t    count;
} sink_says;

static bp_status on_deliver(bp_call *call, void *object, const bp_alert *alerts, size_t alert_size,
                            size_t count)
{
    (void)object, (void)alerts, (void)alert_size;
    sink_says.calls++;
    sink_says.count = count;
    return sink_says.status == BP_OK ? BP_OK : bp_fail(call, sink_says.status, "not now");
}

static const bp_alert_ops  ops = { sizeof(ops), on_deliver };
static struct alert_queue *queue;
static struct sink        *sink;
static struct unit        *unit;

static void use(bp_call *call)
{
    assert_int_equal(alerts_use(call, queue, &generation), BP_OK);
}

static int begin(void **state)
{
    (void)state;
    now_of_test = BP_SECONDS(1000);
    is_memory_gone = are_jobs_gone = false;
    pieces = jobs = stops = 0;
    arena_pieces_left = -1;
    memset(&sink_says, 0, sizeof(sink_says));
    ops_rig_start();
    unit = ops_rig_add("alert", "pager", &ops);
    queue = alerts_new();
    on_call(use);
    sink = queue->sinks;
    return 0;
}

static int end(void **state)
{
    (void)state;
    alerts_free(queue);
    ops_rig_stop();
    return pieces || locks_made || locks_held ? -1 : 0;
}

#define QUEUED(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void tell(bp_health_level level, const char *detail)
{
    alerts_component_changed(queue, BP_STR("db"), level, true, detail, 7);
}

static void deliver_now(bp_call *call)
{
    last_job.run(call, last_job.arg);
}

static void a_sink_is_served_each_second(void **state)
{
    (void)state;
    assert_int_equal(jobs, 1);
    assert_string_equal(last_job.name, "alert delivery");
    assert_int_equal(last_job.interval_ns, BP_SECONDS(1));
    assert_int_equal(last_job.first_ns, BP_SECONDS(1));
    assert_int_equal(last_job.timeout_ns, BP_SECONDS(60));
    assert_ptr_equal(last_job.arg, sink);
    on_call(deliver_now); // there is nothing
    assert_int_equal(sink_says.calls, 0);
    tell(BP_HEALTH_DOWN, "x");
    assert_int_equal(sink->count, 1);
    assert_ptr_equal(sink->first, sink->last);
    on_call(deliver_now);
    assert_int_equal(sink_says.calls, 1);
    assert_int_equal(sink->count, 0);
    assert_null(sink->first);
    assert_null(sink->last);
    unit->is_up = false; // it waits for its sink
    tell(BP_HEALTH_DOWN, "x");
    on_call(deliver_now);
    assert_int_equal(sink_says.calls, 1);
    assert_int_equal(sink->count, 1);
}

static void each_failure_doubles_the_pause_up_to_a_minute(void **state)
{
    static const int pauses_s[] = { 1, 2, 4, 8, 16, 32, 60, 60 };

    (void)state;
    sink_says.status = BP_UNAVAILABLE;
    tell(BP_HEALTH_DOWN, "x");
    for (size_t i = 0; i < 8; i++) {
        on_call(deliver_now);
        assert_int_equal(sink_says.calls, (int)i + 1);
        assert_int_equal(sink->pause_ns, BP_SECONDS(pauses_s[i]));
        assert_int_equal(sink->not_before_ns, now_of_test + BP_SECONDS(pauses_s[i]));
        assert_true(metric_value(sink->failed) == (double)i + 1);
        now_of_test += BP_SECONDS(pauses_s[i]) - 1;
        on_call(deliver_now); // not yet
        assert_int_equal(sink_says.calls, (int)i + 1);
        now_of_test++;
    }
    sink_says.status = BP_CANCELLED; // of a stop: tried again as well
    on_call(deliver_now);
    assert_int_equal(sink->count, 1);
    now_of_test += BP_SECONDS(60);
    sink_says.status = BP_OK;
    on_call(deliver_now);
    assert_int_equal(sink->pause_ns, 0);
    assert_int_equal(sink->count, 0);
    assert_true(metric_value(sink->delivered) == 1);
    assert_true(metric_value(sink->dropped) == 0);
    tell(BP_HEALTH_DOWN, "x");
    sink_says.status = BP_UNAVAILABLE;
    on_call(deliver_now);
    assert_int_equal(sink->pause_ns, BP_SECONDS(1)); // from the beginning
}

static void what_is_told_is_cut_to_its_room(void **state)
{
    char long_text[800];

    (void)state;
    memset(long_text, 'd', sizeof(long_text));
    long_text[799] = '\0';
    tell(BP_HEALTH_DOWN, long_text);
    assert_int_equal(strlen(sink->first->summary), strlen("db is down: ") + 520);
    alerts_component_changed(queue, bp_str_n(long_text, 100), BP_HEALTH_DEGRADED, false, "x", 7);
    assert_int_equal(strlen(sink->last->component), 63);
    assert_int_equal(strlen(sink->last->fingerprint), strlen("component/") + 63);
    assert_string_equal(sink->last->name, "ComponentUnhealthy");
    assert_int_equal(sink->last->starts_wall_ns, 7);
    assert_int_equal(sink->last->ends_wall_ns, 0);
    assert_null(sink->last->next);
    assert_ptr_equal(sink->first->next, sink->last);
}

static void a_queue_of_a_thousand_gives_up_its_oldest(void **state)
{
    (void)state;
    for (int i = 0; i < ALERTS_QUEUE_MAX; i++)
        alerts_component_changed(queue, BP_STR("db"), BP_HEALTH_DOWN, true, "x", i);
    assert_int_equal(sink->count, ALERTS_QUEUE_MAX);
    assert_true(metric_value(sink->dropped) == 0);
    alerts_component_changed(queue, BP_STR("db"), BP_HEALTH_DOWN, true, "x", 5000);
    assert_int_equal(sink->count, ALERTS_QUEUE_MAX);
    assert_true(metric_value(sink->dropped) == 1);
    assert_int_equal(sink->first->starts_wall_ns, 1);
    assert_int_equal(sink->last->starts_wall_ns, 5000);
    is_memory_gone = true;
    tell(BP_HEALTH_DOWN, "x");
    assert_true(metric_value(sink->dropped) == 2);
    assert_int_equal(sink->count, ALERTS_QUEUE_MAX); // nothing went for one that did not come
    is_memory_gone = false;
    on_call(deliver_now);
    assert_int_equal(sink_says.count, BATCH_MAX);
    assert_int_equal(sink->count, ALERTS_QUEUE_MAX - BATCH_MAX);
}

static void what_a_call_has_no_memory_for_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        tell(BP_HEALTH_DOWN, "x");
    arena_pieces_left = 0;
    on_call(deliver_now);
    assert_int_equal(sink_says.calls, 0);
    assert_int_equal(sink->count, 3);
    arena_pieces_left = 3; // the list and two labels
    on_call(deliver_now);
    assert_int_equal(sink_says.count, 2);
    assert_int_equal(sink->count, 1);
    arena_pieces_left = -1;
}

static void use_without(bp_call *call)
{
    are_jobs_gone = true;
    assert_int_equal(alerts_use(call, queue, &generation), BP_NO_MEMORY);
    assert_string_equal(call->error.message.data, "no memory for the alert sinks");
    are_jobs_gone = false;
    assert_null(sink->job);
    assert_int_equal(alerts_stop(call, queue), BP_OK); // of one that was not started
    assert_int_equal(sink_says.calls, 0);
    use(call);
    assert_ptr_equal(queue->sinks, sink); // the same one
    assert_null(sink->next);
    tell(BP_HEALTH_DOWN, "x");
    sink->not_before_ns = now_of_test + 1; // the last try heeds no pause
    assert_int_equal(alerts_stop(call, queue), BP_OK);
    assert_int_equal(sink_says.calls, 1);
    assert_int_equal(alerts_stop(call, queue), BP_OK);
    assert_int_equal(sink_says.calls, 1);
    generation.unit_count = 0;
    assert_int_equal(alerts_use(call, queue, &generation), BP_OK);
    assert_null(queue->sinks);
    generation.unit_count = 1;
    is_memory_gone = true;
    assert_int_equal(alerts_use(call, queue, &generation), BP_NO_MEMORY);
    assert_null(alerts_new());
    is_memory_gone = false;
    assert_null(queue->sinks);
}

static void a_sink_that_cannot_be_served_is_told(void **state)
{
    (void)state;
    tell(BP_HEALTH_DOWN, "x");
    free(pop(sink));
    pieces--;
    on_call(use_without);
    assert_int_equal(stops, 2);
    alerts_free(NULL);
}

static void what_is_queued_goes_with_the_queue(void **state)
{
    (void)state;
    assert_null(pop(sink));
    tell(BP_HEALTH_DOWN, "x");
    tell(BP_HEALTH_OK, "x");
    assert_int_equal(pieces, 4); // freed by the tear-down
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUED(a_sink_is_served_each_second),
        QUEUED(each_failure_doubles_the_pause_up_to_a_minute),
        QUEUED(what_is_told_is_cut_to_its_room),
        QUEUED(a_queue_of_a_thousand_gives_up_its_oldest),
        QUEUED(what_a_call_has_no_memory_for_waits),
        QUEUED(a_sink_that_cannot_be_served_is_told),
        QUEUED(what_is_queued_goes_with_the_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

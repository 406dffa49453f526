/* test_health_board.c - what the board keeps of a check, when it tells of a change, and its answer
 * to the byte. The file under test is compiled in, with a clock, jobs and alerts of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/job.h"
#include "loop/watchdog.h"
#include "ops/alerts.h"

static int64_t            now_of_test, wall_of_test;
static int                callocs_left = -1, jobs_left = -1; /* then refused; -1: never */
static struct job_options jobs[4];
static int                job_count, stops;

static int64_t board_now_ns(void)
{
    now_of_test += 1500; // a check takes that long
    return now_of_test;
}

static int64_t board_wall_ns(void)
{
    return wall_of_test;
}

static void *board_calloc(size_t count, size_t size)
{
    if (callocs_left == 0)
        return NULL;
    callocs_left -= callocs_left > 0;
    return calloc(count, size);
}

static struct job *board_job_start(struct worker *worker, const struct job_options *options)
{
    (void)worker;
    if (jobs_left == 0)
        return NULL;
    jobs_left -= jobs_left > 0;
    jobs[job_count] = *options;
    return (struct job *)&jobs[job_count++];
}

static void board_job_stop(bp_call *call, struct job *job)
{
    (void)call;
    assert_non_null(job);
    stops++;
}

static struct {
    int             count;
    char            component[32], detail[64];
    bp_health_level level;
    bool            is_critical;
    int64_t         since_ns;
} told;

static void board_tell(struct alert_queue *queue, bp_str component, bp_health_level level,
                       bool is_critical, const char *detail, int64_t since_ns)
{
    assert_ptr_equal(queue, &told);
    told.count++;
    snprintf(told.component, sizeof(told.component), BP_FMT, BP_ARG(component));
    snprintf(told.detail, sizeof(told.detail), "%s", detail);
    told.level = level;
    told.is_critical = is_critical;
    told.since_ns = since_ns;
}

#define clock_now_ns             board_now_ns
#define clock_wall_ns            board_wall_ns
#define calloc                   board_calloc
#define job_start                board_job_start
#define job_stop                 board_job_stop
#define alerts_component_changed board_tell
#include "core/lock_watch.h"
#include "ops/health.c"
#include "core/lock_watch_end.h"
#undef clock_now_ns
#undef clock_wall_ns
#undef calloc
#undef job_start
#undef job_stop

#include "ops_rig.h"

static struct {
    uint32_t    level;
    bp_status   status;
    double      value;
    const char *detail;
    bool        cancels;
} found;

static bp_status on_check(bp_call *call, void *object, bp_health *health)
{
    (void)object;
    assert_int_equal(health->struct_size, sizeof(*health));
    assert_int_equal(health->level, BP_HEALTH_OK);
    assert_true(isnan(health->value));
    if (found.cancels)
        call_cancel(call);
    if (found.status != BP_OK)
        return bp_fail(call, found.status, "it fails");
    health->level = found.level;
    health->value = found.value;
    health->detail = bp_str_of(found.detail);
    return BP_OK;
}

static const bp_health_ops  ops = { sizeof(ops), on_check };
static struct health_board *board;
static struct component    *component;
static struct unit         *unit, *cache;

static int begin(void **state)
{
    (void)state;
    now_of_test = BP_SECONDS(5);
    wall_of_test = INT64_C(1500000000250000000);
    callocs_left = jobs_left = -1;
    job_count = stops = 0;
    memset(&told, 0, sizeof(told));
    memset(&found, 0, sizeof(found));
    found.value = 2.5;
    found.detail = "fine";
    ops_rig_start();
    cache = ops_rig_add("cache", "main", NULL);
    unit = ops_rig_add("health", "db", &ops);
    confs[1].gate.every_ns = BP_SECONDS(20);
    confs[1].gate.rise = confs[1].gate.fall = 1;
    confs[1].gate.critical = true;
    board = health_board_new(&generation, (struct alert_queue *)&told, NULL);
    component = &board->components[0];
    return 0;
}

static int end(void **state)
{
    (void)state;
    health_board_free(board);
    ops_rig_stop();
    return locks_made || locks_held ? -1 : 0;
}

#define BOARD(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void run_it(bp_call *call)
{
    run_check(call, component);
}

static void check(void)
{
    on_call(run_it);
}

static double gauge(const char *name)
{
    return metric_of(METRIC_GAUGE, name, "component", "db");
}

/* ---- checks ---- */

static void start(bp_call *call)
{
    assert_int_equal(health_board_start(call, board), BP_OK);
    assert_int_equal(health_board_stop(call, board), BP_OK);
    assert_int_equal(stops, 2);
    assert_int_equal(health_board_stop(call, board), BP_OK); // none is left
    assert_int_equal(stops, 2);
    jobs_left = 1;
    assert_int_equal(health_board_start(call, board), BP_NO_MEMORY);
    assert_string_equal(call->error.message.data, "no memory for the health checks");
    assert_int_equal(health_board_stop(call, board), BP_OK);
    assert_int_equal(stops, 3);
}

static void checks_begin_one_after_another(void **state)
{
    (void)state;
    ops_rig_add("health", "second", &ops);
    confs[2].gate.every_ns = BP_SECONDS(7);
    health_board_free(board);
    board = health_board_new(&generation, NULL, NULL);
    assert_int_equal(board->count, 2);
    on_call(start);
    assert_string_equal(jobs[0].name, "health check");
    assert_int_equal(jobs[0].first_ns, 0);
    assert_int_equal(jobs[1].first_ns, BP_MILLISECONDS(10));
    assert_int_equal(jobs[0].interval_ns, BP_SECONDS(20));
    assert_int_equal(jobs[1].interval_ns, BP_SECONDS(7));
    assert_int_equal(jobs[0].timeout_ns, BP_SECONDS(30));
    assert_int_equal(jobs[1].timeout_ns, BP_SECONDS(17));
    assert_ptr_equal(jobs[1].arg, &board->components[1]);
}

static void what_a_check_finds_is_kept(void **state)
{
    (void)state;
    found.level = BP_HEALTH_DEGRADED;
    check();
    assert_true(component->is_known);
    assert_int_equal(component->level, BP_HEALTH_DEGRADED);
    assert_string_equal(component->detail, "fine");
    assert_int_equal(component->latency_ns, 1500);
    assert_int_equal(component->checked_wall_ns, wall_of_test);
    assert_int_equal(component->changed_wall_ns, wall_of_test);
    assert_true(gauge("backplane_health_level") == 1);
    assert_true(gauge("backplane_health_latency_seconds") == 1.5e-6);
    assert_true(gauge("backplane_health_value") == 2.5);
    wall_of_test += BP_SECONDS(1);
    found.value = NAN;
    check();
    assert_int_equal(component->checked_wall_ns, wall_of_test);
    assert_int_equal(component->changed_wall_ns, wall_of_test - BP_SECONDS(1));
    assert_true(gauge("backplane_health_value") == 2.5);
    found.level = 3; // beyond what there is
    check();
    assert_int_equal(component->level, BP_HEALTH_DOWN);
    found.status = BP_IO;
    check();
    assert_string_equal(component->detail, "it fails");
    found.cancels = true; // of a stop: that says nothing about the component
    wall_of_test += BP_SECONDS(1);
    check();
    assert_int_equal(component->checked_wall_ns, wall_of_test - BP_SECONDS(1));
    found.status = BP_OK; // it came to an end all the same
    found.level = BP_HEALTH_OK;
    check();
    assert_int_equal(component->checked_wall_ns, wall_of_test);
    assert_int_equal(component->level, BP_HEALTH_OK);
    unit->is_up = false;
    reason_set(&unit->problem, "it did not start");
    check();
    assert_int_equal(component->level, BP_HEALTH_DOWN);
    assert_string_equal(component->detail, "it did not start");
    assert_int_equal(component->latency_ns, 0);
}

static void changes_are_told_once(void **state)
{
    static const struct {
        uint32_t level;
        int      told;
    } checks[] = { { BP_HEALTH_OK, 0 },       { BP_HEALTH_OK, 0 },   { BP_HEALTH_DEGRADED, 1 },
                   { BP_HEALTH_DEGRADED, 1 }, { BP_HEALTH_DOWN, 2 }, { BP_HEALTH_DOWN, 2 },
                   { BP_HEALTH_OK, 3 },       { BP_HEALTH_OK, 3 } };

    (void)state;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        int before = told.count;

        found.level = checks[i].level;
        wall_of_test += BP_SECONDS(1);
        check();
        assert_int_equal(told.count, checks[i].told);
        if (told.count == before)
            continue;
        assert_int_equal(told.level, checks[i].level);
        assert_string_equal(told.component, "db");
        assert_string_equal(told.detail, "fine");
        assert_true(told.is_critical);
        assert_int_equal(told.since_ns, wall_of_test);
    }
    board->alerts = NULL; // nobody to tell
    found.level = BP_HEALTH_DOWN;
    check();
    assert_int_equal(told.count, 3);
}

static void one_that_is_not_well_at_first_is_told(void **state)
{
    (void)state;
    found.level = BP_HEALTH_DEGRADED;
    confs[1].gate.critical = false;
    check();
    assert_int_equal(told.count, 1);
    assert_false(told.is_critical);
    assert_int_equal(told.level, BP_HEALTH_DEGRADED);
}

static void levels_follow_from_checks_in_a_row(void **state)
{
    enum { OK = BP_HEALTH_OK, BAD = BP_HEALTH_DEGRADED, DOWN = BP_HEALTH_DOWN };
    static const struct {
        int64_t rise, fall;
        int     found[8], level[8];
    } courses[] = { { 1,
                      1,
                      { OK, DOWN, OK, DOWN, BAD, DOWN, DOWN, OK },
                      { OK, DOWN, OK, DOWN, BAD, DOWN, DOWN, OK } },
                    { 3,
                      2,
                      { DOWN, OK, OK, DOWN, OK, BAD, OK, OK },
                      { DOWN, DOWN, DOWN, DOWN, DOWN, DOWN, OK, OK } },
                    { 1,
                      3,
                      { OK, DOWN, DOWN, OK, DOWN, DOWN, DOWN, DOWN },
                      { OK, BAD, BAD, OK, BAD, BAD, DOWN, DOWN } },
                    { 2,
                      2,
                      { BAD, DOWN, BAD, DOWN, DOWN, BAD, BAD, OK },
                      { BAD, BAD, BAD, BAD, DOWN, DOWN, BAD, OK } } };

    (void)state;
    for (size_t c = 0; c < sizeof(courses) / sizeof(courses[0]); c++) {
        struct component one = { .board = board, .unit = unit };

        confs[1].gate.rise = courses[c].rise;
        confs[1].gate.fall = courses[c].fall;
        for (int i = 0; i < 8; i++) {
            bp_health_level level = level_after(&one, (bp_health_level)courses[c].found[i]);

            if ((int)level != courses[c].level[i])
                fail_msg("course %zu, check %d: %d", c, i, (int)level);
            one.is_known = true;
            one.level = level;
        }
    }
}

/* ---- boards ---- */

static void a_board_goes_on_where_the_one_before_was(void **state)
{
    struct health_board *next;

    (void)state;
    found.level = BP_HEALTH_DOWN;
    check();
    component->well = 4;
    wall_of_test += BP_SECONDS(100);
    next = health_board_new(&generation, NULL, board);
    assert_int_equal(next->started_wall_ns, board->started_wall_ns);
    assert_int_equal(next->components[0].level, BP_HEALTH_DOWN);
    assert_true(next->components[0].is_known);
    assert_int_equal(next->components[0].well, 4);
    assert_int_equal(next->components[0].failing, 1);
    assert_int_equal(next->components[0].latency_ns, 1500);
    assert_int_equal(next->components[0].checked_wall_ns, wall_of_test - BP_SECONDS(100));
    assert_int_equal(next->components[0].changed_wall_ns, wall_of_test - BP_SECONDS(100));
    assert_string_equal(next->components[0].detail, "fine");
    assert_ptr_equal(next->components[0].board, next);
    health_board_free(next);
    confs[1].name = BP_STR("other"); // the board before has the same conf, so it is renamed there
    next = health_board_new(&generation, NULL, NULL);
    assert_false(next->components[0].is_known);
    assert_int_equal(next->started_wall_ns, wall_of_test);
    health_board_free(next);
    health_board_free(NULL);
    for (callocs_left = 0; callocs_left < 2;) {
        int had = callocs_left;

        assert_null(health_board_new(&generation, NULL, NULL));
        callocs_left = had + 1;
    }
}

/* ---- the answer ---- */

static const char *answer(bool with_detail, bp_health_level wanted)
{
    static char    text[1 << 14];
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, NULL, sizeof(text));
    json_writer_init(&w, &buf);
    assert_int_equal(health_write(board, with_detail, &w), wanted);
    assert_int_equal(json_writer_status(&w), BP_OK);
    snprintf(text, sizeof(text), "%s", buf_str(&buf).data);
    buf_free(&buf);
    return text;
}

#define BEGINS "{\"version\":\"" BACKPLANE_VERSION "\",\"phase\":"

static void the_answer_has_all_in_its_order(void **state)
{
    (void)state;
    health_board_set_phase(board, PHASE_READY);
    check();
    wall_of_test += BP_SECONDS(61) + 999;
    assert_string_equal(answer(true, BP_HEALTH_OK),
                        BEGINS "\"ready\",\"timestamp\":\"2017-07-14T02:41:01.250Z\",\"uptime_"
                               "seconds\":61,"
                               "\"components\":{\"db\":{\"status\":\"ok\",\"check\":\"fake\","
                               "\"critical\":true,"
                               "\"detail\":\"fine\",\"latency_ms\":0.001,"
                               "\"checked_at\":\"2017-07-14T02:40:00.250Z\","
                               "\"since\":\"2017-07-14T02:40:00.250Z\"}},\"status\":\"healthy\","
                               "\"summary\":{\"total\":1,\"ok\":1,\"degraded\":0,\"down\":0,"
                               "\"unknown\":0}}");
    component->level = BP_HEALTH_DOWN;
    cache->is_up = false;
    assert_string_equal( // one that gives no reason was not to be started
        answer(false, BP_HEALTH_DOWN),
        BEGINS "\"ready\",\"timestamp\":\"2017-07-14T02:41:01.250Z\",\"uptime_seconds\":61,"
               "\"components\":{\"db\":{\"status\":\"down\",\"check\":\"fake\",\"critical\":true,"
               "\"latency_ms\":0.001,\"checked_at\":\"2017-07-14T02:40:00.250Z\","
               "\"since\":\"2017-07-14T02:40:00.250Z\"}},\"status\":\"unhealthy\","
               "\"summary\":{\"total\":1,\"ok\":0,\"degraded\":0,\"down\":1,\"unknown\":0}}");
    component->level = BP_HEALTH_DEGRADED;
    reason_set(&cache->problem, "no server");
    confs[0].gate.critical = true;
    assert_non_null(
        strstr(answer(true, BP_HEALTH_DEGRADED),
               "\"cache.main\":{\"status\":\"down\",\"check\":\"start\",\"critical\":true,"
               "\"detail\":\"no server\"}},\"status\":\"degraded\","
               "\"summary\":{\"total\":2,\"ok\":0,\"degraded\":1,\"down\":1,\"unknown\":0}}"));
    component->is_known = false;
    assert_non_null(strstr(answer(true, BP_HEALTH_DEGRADED),
                           "\"summary\":{\"total\":2,\"ok\":0,\"degraded\":0,\"down\":1,"
                           "\"unknown\":1}}"));
}

static void only_what_is_known_and_critical_keeps_from_being_ready(void **state)
{
    (void)state;
    assert_int_equal(health_board_phase(board), PHASE_STARTING);
    assert_false(health_is_ready(board));
    health_board_set_phase(board, PHASE_READY);
    assert_true(health_is_ready(board));
    component->level = BP_HEALTH_DOWN;
    assert_true(health_is_ready(board)); // nobody has looked
    component->is_known = true;
    assert_false(health_is_ready(board));
    confs[1].gate.critical = false;
    assert_true(health_is_ready(board));
    answer(false, BP_HEALTH_DEGRADED);
    confs[1].gate.critical = true;
    component->level = BP_HEALTH_DEGRADED;
    assert_true(health_is_ready(board));
    health_board_set_phase(board, PHASE_DRAINING);
    assert_false(health_is_ready(board));
    assert_string_equal(level_name(BP_HEALTH_OK), "ok");
    assert_string_equal(level_name(BP_HEALTH_DEGRADED), "degraded");
    assert_string_equal(level_name(BP_HEALTH_DOWN), "down");
    assert_string_equal(level_name((bp_health_level)7), "down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOARD(checks_begin_one_after_another),
        BOARD(what_a_check_finds_is_kept),
        BOARD(changes_are_told_once),
        BOARD(one_that_is_not_well_at_first_is_told),
        BOARD(levels_follow_from_checks_in_a_row),
        BOARD(a_board_goes_on_where_the_one_before_was),
        BOARD(the_answer_has_all_in_its_order),
        BOARD(only_what_is_known_and_critical_keeps_from_being_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

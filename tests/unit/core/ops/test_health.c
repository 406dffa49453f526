/* test_health.c - what becomes of what the checks find: levels, readiness, the answer of /health.
 */
#include "ops_rig.h"

#include "ops/health.h"

enum { FOUND_MAX = 16 };

/* What a check finds, one after another, and the level that was there before each; the last one
 * goes on. */
struct found {
    uint32_t  levels[FOUND_MAX];
    size_t    count;
    size_t    checks;
    double    seen[FOUND_MAX + 1];
    bp_status status;
    double    value;
};

static struct found db, extra;

static bp_status on_check(bp_call *call, void *object, bp_health *health)
{
    struct found *found = strcmp(call->instance, "db") == 0 ? &db : &extra;
    size_t        at = found->checks < found->count ? found->checks : found->count - 1;

    (void)object;
    if (found->checks <= FOUND_MAX)
        found->seen[found->checks] = metric_of(METRIC_GAUGE, "backplane_health_level", "component",
                                               call->instance);
    found->checks++;
    if (found->status != BP_OK)
        return bp_fail(call, found->status, "it does not answer");
    health->level = found->levels[at];
    health->value = found->value;
    health->detail = BP_STR("a secret place");
    return BP_OK;
}

static const bp_health_ops  ops = { sizeof(ops), on_check };
static struct health_board *board;
static struct unit         *db_unit, *extra_unit, *cache_unit;

static int set_up(void **state)
{
    (void)state;
    db = (struct found){ .levels = { BP_HEALTH_OK }, .count = 1, .value = 5 };
    extra = db;
    ops_rig_start();
    db_unit = ops_rig_add("health", "db", &ops);
    extra_unit = ops_rig_add("health", "extra", &ops);
    cache_unit = ops_rig_add("cache", "main", NULL);
    confs[0].gate.critical = true;
    confs[0].gate.rise = confs[0].gate.fall = 1;
    confs[1].gate.rise = confs[1].gate.fall = 1;
    board = health_board_new(&generation, NULL, NULL);
    return board ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    health_board_free(board);
    ops_rig_stop();
    return 0;
}

/* Until both were checked so often and what they said is kept. */
static size_t wanted;

static void check_often(bp_call *call)
{
    assert_int_equal(health_board_start(call, board), BP_OK);
    while (!extra_unit->is_up &&
           metric_of(METRIC_GAUGE, "backplane_health_level", "component", "extra") != 2)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    while ((db_unit->is_up && db.checks <= wanted) || (extra_unit->is_up && extra.checks <= wanted))
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(health_board_stop(call, board), BP_OK);
}

static void check(size_t times)
{
    wanted = times;
    db.checks = extra.checks = 0;
    on_call(check_often);
}

static char *write_it(bool with_detail, bp_health_level *level)
{
    static char    text[1 << 14];
    struct arena   arena;
    struct bp_buf  buf;
    bp_json_writer w;

    arena_init(&arena, 1 << 20);
    buf_init(&buf, &arena, sizeof(text));
    json_writer_init(&w, &buf);
    *level = health_write(board, with_detail, &w);
    snprintf(text, sizeof(text), BP_FMT, BP_ARG(buf_str(&buf)));
    arena_free(&arena);
    return text;
}

static void expect_written(bool with_detail, bp_health_level level, const char *has)
{
    bp_health_level whole;
    const char     *text = write_it(with_detail, &whole);

    if (whole != level || !strstr(text, has))
        fail_msg("level %d, no \"%s\" in %s", (int)whole, has, text);
}

/* ---- levels ---- */

static void a_component_falls_and_rises_after_so_many_checks(void **state)
{
    enum { OK = BP_HEALTH_OK, BAD = BP_HEALTH_DEGRADED, DOWN = BP_HEALTH_DOWN };
    static const struct {
        int64_t  rise, fall;
        size_t   count;
        uint32_t found[FOUND_MAX], level[FOUND_MAX];
    } courses[] = {
        { 1, 1, 4, { OK, DOWN, OK, BAD }, { OK, DOWN, OK, BAD } },
        { 2, 3, 6, { OK, DOWN, DOWN, DOWN, OK, OK }, { OK, BAD, BAD, DOWN, DOWN, OK } },
        { 2, 3, 6, { OK, DOWN, DOWN, OK, DOWN, DOWN }, { OK, BAD, BAD, OK, BAD, BAD } },
        { 2, 3, 6, { DOWN, OK, DOWN, OK, BAD, 7 }, { DOWN, DOWN, DOWN, DOWN, BAD, BAD } },
        { 1, 2, 3, { 9, BAD, OK }, { DOWN, BAD, OK } },
    };

    for (size_t i = 0; i < sizeof(courses) / sizeof(courses[0]); i++) {
        if (i > 0)
            set_up(state);
        confs[0].gate.rise = courses[i].rise;
        confs[0].gate.fall = courses[i].fall;
        db.count = courses[i].count;
        memcpy(db.levels, courses[i].found, sizeof(db.levels));
        check(courses[i].count);
        for (size_t c = 0; c < courses[i].count; c++)
            if (db.seen[c + 1] != courses[i].level[c])
                fail_msg("course %zu: level %g after check %zu", i, db.seen[c + 1], c);
        if (i + 1 < sizeof(courses) / sizeof(courses[0]))
            tear_down(state);
    }
}

static void what_a_check_says_is_kept_and_measured(void **state)
{
    (void)state;
    health_board_set_phase(board, PHASE_READY);
    expect_written(true, BP_HEALTH_OK,
                   "\"components\":{\"db\":{\"status\":\"unknown\",\"check\":\"fake\","
                   "\"critical\":true},\"extra\":{\"status\":\"unknown\",\"check\":\"fake\","
                   "\"critical\":false}},\"status\":\"healthy\",\"summary\":{\"total\":2,\"ok\":0,"
                   "\"degraded\":0,\"down\":0,\"unknown\":2}}");
    check(1);
    expect_written(true, BP_HEALTH_OK,
                   "{\"db\":{\"status\":\"ok\",\"check\":\"fake\",\"critical\":true,\"detail\":"
                   "\"a secret place\",\"latency_ms\":");
    expect_written(false, BP_HEALTH_OK,
                   "{\"db\":{\"status\":\"ok\",\"check\":\"fake\",\"critical\":true,"
                   "\"latency_ms\":");
    expect_written(true, BP_HEALTH_OK,
                   "\"status\":\"healthy\",\"summary\":{\"total\":2,\"ok\":2,\"degraded\":0,"
                   "\"down\":0,\"unknown\":0}}");
    assert_true(metric_of(METRIC_GAUGE, "backplane_health_value", "component", "db") == 5);
    db.value = __builtin_nan(""); // nothing was measured
    check(1);
    assert_true(metric_of(METRIC_GAUGE, "backplane_health_value", "component", "db") == 5);
    db.status = BP_UNAVAILABLE;
    check(1);
    expect_written(true, BP_HEALTH_DOWN, "\"detail\":\"it does not answer\"");
    assert_true(metric_of(METRIC_GAUGE, "backplane_health_level", "component", "db") == 2);
}

static void one_that_has_not_started_is_down_for_its_reason(void **state)
{
    (void)state;
    health_board_set_phase(board, PHASE_READY);
    extra_unit->is_up = false;
    reason_set(&extra_unit->problem, "no such machine");
    cache_unit->is_up = false;
    reason_set(&cache_unit->problem, "no such server");
    check(1);
    assert_int_equal(extra.checks, 0);
    expect_written(true, BP_HEALTH_DEGRADED, "\"detail\":\"no such machine\"");
    expect_written(true, BP_HEALTH_DEGRADED,
                   "\"cache.main\":{\"status\":\"down\",\"check\":\"start\",\"critical\":false,"
                   "\"detail\":\"no such server\"}");
    expect_written(false, BP_HEALTH_DEGRADED,
                   "\"cache.main\":{\"status\":\"down\",\"check\":\"start\",\"critical\":false}}");
    expect_written(true, BP_HEALTH_DEGRADED,
                   "\"summary\":{\"total\":3,\"ok\":1,\"degraded\":0,\"down\":2,\"unknown\":0}");
}

static void what_an_instance_and_its_calls_say_degrades_the_whole(void **state)
{
    (void)state;
    health_board_set_phase(board, PHASE_READY);
    for (int i = 0; i < 3; i++)
        unit_note_call(cache_unit, BP_UNAVAILABLE);
    unit_note_call(cache_unit, BP_OK);
    expect_written(true, BP_HEALTH_DEGRADED,
                   "\"cache.main\":{\"status\":\"degraded\",\"check\":\"calls\",\"critical\":false,"
                   "\"detail\":\"3 of 4 calls failed within the last minute, the last one with "
                   "\\\"unavailable\\\": see the log\"}");
    expect_written(false, BP_HEALTH_DEGRADED,
                   "\"cache.main\":{\"status\":\"degraded\",\"check\":\"calls\",\"critical\":"
                   "false}}");
    cache_unit->report.level = BP_REPORT_DEGRADED;
    cache_unit->report.since_wall_ns = BP_SECONDS(86400);
    snprintf(cache_unit->report.sentence, sizeof(cache_unit->report.sentence), "half is there");
    expect_written(true, BP_HEALTH_DEGRADED,
                   "\"cache.main\":{\"status\":\"degraded\",\"check\":\"itself\",\"critical\":"
                   "false,\"detail\":\"half is there\",\"since\":\"1970-01-02T00:00:00.000Z\"}}");
    expect_written(true, BP_HEALTH_DEGRADED,
                   "\"status\":\"degraded\",\"summary\":{\"total\":3,\"ok\":0,\"degraded\":1,"
                   "\"down\":0,\"unknown\":2}");
}

/* ---- the whole ---- */

static void the_server_is_ready_unless_something_critical_is_down(void **state)
{
    static const struct {
        uint32_t          db, extra;
        enum health_phase phase;
        bool              is_ready;
        bp_health_level   whole;
        const char       *status;
    } cases[] = {
        { BP_HEALTH_OK, BP_HEALTH_OK, PHASE_READY, true, BP_HEALTH_OK, "healthy" },
        { BP_HEALTH_OK, BP_HEALTH_OK, PHASE_STARTING, false, BP_HEALTH_DOWN, "unhealthy" },
        { BP_HEALTH_OK, BP_HEALTH_OK, PHASE_DRAINING, false, BP_HEALTH_DOWN, "unhealthy" },
        { BP_HEALTH_DEGRADED, BP_HEALTH_OK, PHASE_READY, true, BP_HEALTH_DEGRADED, "degraded" },
        { BP_HEALTH_OK, BP_HEALTH_DOWN, PHASE_READY, true, BP_HEALTH_DEGRADED, "degraded" },
        { BP_HEALTH_DOWN, BP_HEALTH_OK, PHASE_READY, false, BP_HEALTH_DOWN, "unhealthy" },
    };
    static const char *const phases[] = { "starting", "ready", "draining" };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];

        if (i > 0)
            set_up(state);
        db.levels[0] = cases[i].db;
        extra.levels[0] = cases[i].extra;
        health_board_set_phase(board, cases[i].phase);
        assert_int_equal(health_board_phase(board), cases[i].phase);
        check(1);
        assert_int_equal(health_is_ready(board), cases[i].is_ready);
        snprintf(text, sizeof(text), "},\"status\":\"%s\",\"summary\"", cases[i].status);
        expect_written(true, cases[i].whole, text);
        snprintf(text, sizeof(text), "\"phase\":\"%s\"", phases[cases[i].phase]);
        expect_written(true, cases[i].whole, text);
        if (i + 1 < sizeof(cases) / sizeof(cases[0]))
            tear_down(state);
    }
}

static void a_loop_that_is_stuck_is_no_health(void **state)
{
    (void)state;
    health_board_set_phase(board, PHASE_READY);
    assert_true(health_is_live(board));
    worker.is_stuck = true;
    assert_false(health_is_live(board));
    expect_written(true, BP_HEALTH_DOWN, "\"status\":\"unhealthy\"");
}

static void the_next_board_goes_on_from_what_the_one_before_knew(void **state)
{
    struct health_board *before = board;

    (void)state;
    db.levels[0] = BP_HEALTH_DEGRADED;
    check(1);
    board = health_board_new(&generation, NULL, before);
    assert_non_null(board);
    health_board_free(before);
    health_board_set_phase(board, PHASE_READY);
    expect_written(true, BP_HEALTH_DEGRADED,
                   "{\"db\":{\"status\":\"degraded\",\"check\":\"fake\",\"critical\":true,"
                   "\"detail\":\"a secret place\"");
    expect_written(true, BP_HEALTH_DEGRADED, "\"extra\":{\"status\":\"ok\"");
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_component_falls_and_rises_after_so_many_checks),
        RIGGED(what_a_check_says_is_kept_and_measured),
        RIGGED(one_that_has_not_started_is_down_for_its_reason),
        RIGGED(what_an_instance_and_its_calls_say_degrades_the_whole),
        RIGGED(the_server_is_ready_unless_something_critical_is_down),
        RIGGED(a_loop_that_is_stuck_is_no_health),
        RIGGED(the_next_board_goes_on_from_what_the_one_before_knew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

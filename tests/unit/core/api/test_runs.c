/* test_runs.c - long-lived work of an app: begun by a handler, looked at, waited for and cancelled,
 * by handlers and at /runs. */
#include "runs_rig.h"

static void a_run_leaves_its_result(void **state)
{
    (void)state;
    expect_of("POST", "/begin?what=job&act=result&id=one", "202 one");
    expect_of("GET", "/look?id=one&how=wait",
              "state=2 id=one what=job message=at it 1/4 result={'made':[1,2]} status=0 problem=");
    expect_of("GET", "/runs/one", RUN("one", "job", "completed") ",'result':{'made':[1,2]}}");
    expect_of("POST", "/begin?what=job&act=twice&id=two", "202 two");
    expect_of("GET", "/runs/two?wait=60", RUN("two", "job", "completed") ",'result':2}");
    expect_of("POST", "/begin?what=job&act=nothing&id=three", "202 three");
    expect_of("GET", "/runs/three?wait=60", RUN("three", "job", "completed") "}");
    expect_of("GET", "/runs",
              "{'runs':[" RUN("three", "job",
                              "completed") "}," RUN("two", "job",
                                                    "completed") "}," RUN("one", "job",
                                                                          "completed") "}]}");
    expect_of("POST", "/begin?what=job&act=nothing", "202 ID"); // a random one
}

static void a_run_that_fails_says_what_a_client_may_see(void **state)
{
    (void)state;
    expect_of("POST", "/begin?what=job&act=fail&id=a", "202 a");
    expect_of("GET", "/look?id=a&how=wait",
              "state=3 id=a what=job message=at it 1/4 result= status=5 problem=two at once");
    expect_of("GET", "/runs/a",
              RUN("a", "job", "failed") ",'error':{'code':'conflict','status':5,'message':'two at "
                                        "once','request_id':'ID'}}");
    expect_of("POST", "/begin?what=job&act=inside&id=b", "202 b");
    expect_of("GET", "/runs/b?wait=60",
              RUN("b", "job", "failed") ",'error':{'code':'internal','status':9,'message':'a "
                                        "mistake in the program','request_id':'ID'}}");
    expect_logged("a secret of the inside");
    expect_of("POST", "/begin?what=job&act=broken&id=c", "202 c");
    expect_of("GET", "/runs/c?wait=60",
              "{'id':'c','what':'job','state':'failed','message':'at "
              "it','done':1,'total':4,'created_at':'TIME','updated_at':'TIME','error':{'code':'"
              "invalid','status':1,'message':'the result of a run is not JSON: unexpected token "
              "near end of file, at byte 8','request_id':'ID'}}");
    expect_of("POST", "/begin?what=job&act=large&id=d", "202 d");
    expect_of("GET", "/runs/d?wait=60",
              RUN("d", "job",
                  "failed") ",'error':{'code':'limit','status':7,'message':'its result is larger "
                            "than server.limits.runs allows one client: ask for less'}}");
    expect_of("GET", "/look?id=d",
              "state=3 id=d what=job message=at it 1/4 result= status=7 problem=its result is "
              "larger "
              "than server.limits.runs allows one client: ask for less");
    expect_of("POST", "/begin?what=job&act=wait&id=e&time=20", "202 e");
    expect_of("GET", "/runs/e?wait=60",
              "{'id':'e','what':'job','state':'failed','message':'at "
              "it','done':1,'total':4,'created_at':'TIME','updated_at':'TIME','error':{'code':'"
              "deadline','status':13,'message':'sleeping took longer than the time "
              "allowed','request_id':'ID'}}");
}

static void a_run_is_cancelled_once(void **state)
{
    (void)state;
    expect_of("POST", "/begin?what=job&act=wait&id=a", "202 a");
    assert_true(RIG_SOON(work_waits == 1));
    expect_of("GET", "/look?id=a&how=soon",
              "state=0 id=a what=job message=at it 1/4 result= status=0 problem=");
    expect_of("GET", "/runs/a", RUN("a", "job", "working") "}");
    expect_of("POST", "/begin?what=job&act=wait&id=a",
              REFUSED(409, "conflict",
                      "the work \\'a\\' is under way already: wait for it, or cancel it"));
    expect_of("DELETE", "/runs/a", RUN("a", "job", "cancelled") "}");
    assert_true(RIG_SOON(work_cancelled == 1));
    expect_of("GET", "/runs/a?wait=60", RUN("a", "job", "cancelled") "}");
    expect_of("DELETE", "/runs/a", REFUSED(409, "conflict", "the run \\'a\\' has ended already"));
    expect_of("GET", "/look?id=a&how=cancel",
              REFUSED(409, "conflict", "the run \\'a\\' has ended already"));
    expect_of("POST", "/begin?what=job&act=wait&id=b", "202 b");
    assert_true(RIG_SOON(work_waits == 2));
    expect_of("GET", "/look?id=b&how=cancel", "cancelled");
    assert_true(RIG_SOON(work_cancelled == 2));
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char missing[] = REFUSED(404, "not_found",
                                          "there is no run \\'x\\', or no longer");

    (void)state;
    expect_of("GET", "/runs/x", missing);
    expect_of("DELETE", "/runs/x", missing);
    expect_of("GET", "/look?id=x", missing);
    expect_of("GET", "/look?id=x&how=wait", missing);
    expect_of("GET", "/look?id=x&how=cancel", missing);
    expect_of("GET", "/runs", "{'runs':[]}");
    expect_of("GET", "/runs/x?wait=60", missing);
    expect_of("GET", "/runs/x?wait=61", REFUSED(400, "invalid", "\\'wait\\' is 0 to 60 seconds"));
    expect_of("GET", "/runs/x?wait=y", REFUSED(400, "invalid", "\\'wait\\' is 0 to 60 seconds"));
}

#define WORD_31 "0123456789012345678901234567890"

static void a_spec_has_bounds(void **state)
{
    static const char word[] = REFUSED(400, "invalid",
                                       "a run needs its work and a word of at most 31 bytes for "
                                       "it");
    static const char argument[] = REFUSED(400, "invalid",
                                           "a run's argument has at most 1048576 bytes, and its "
                                           "time is not negative");

    (void)state;
    expect_of("POST", "/begin?what=" WORD_31 "&id=a", "202 a");
    expect_of("POST", "/begin?what=" WORD_31 "1&id=b", word);
    expect_of("POST", "/begin?what=&id=b", word);
    expect_of("POST", "/begin?what=job&act=none&id=b", word);
    expect_of("POST", "/begin?what=job&id=azAZ09._-", "202 azAZ09._-");
    expect_of("POST", "/begin?what=job&id=a%2Fb",
              REFUSED(400, "invalid",
                      "the id of a run is at most 32 of [A-Za-z0-9._-], not \\'a/b\\'"));
    expect_of("POST", "/begin?what=job&id=with-nul",
              REFUSED(400, "invalid",
                      "the id of a run is at most 32 of [A-Za-z0-9._-], not \\'a\\'"));
    expect_of("POST", "/begin?what=job&id=" WORD_31 "g", "202 " WORD_31 "g");
    expect_of("POST", "/begin?what=job&id=" WORD_31 "gh",
              REFUSED(400, "invalid",
                      "the id of a run is at most 32 of [A-Za-z0-9._-], not \\'" WORD_31 "gh\\'"));
    expect_of("POST", "/begin?what=job&bytes=200000&id=c", "202 c");
    expect_of("POST", "/begin?what=job&bytes=1048577&id=d", argument);
    expect_of("POST", "/begin?what=job&time=-1&id=d", argument);
}

/* Of another edition of the conf, or of none. */
static void nothing_begins_while_the_server_ends(void **state)
{
    static const char ends[] = REFUSED(503, "unavailable",
                                       "the conf was changed since this request began, or the "
                                       "server ends: send it again");

    (void)state;
    generation.unit_count = 0;
    expect_of("POST", "/begin?what=job", ends);
    generation.unit_count = UNITS;
    unit_list[0] = &units[UNITS - 1]; // wherever in the list its unit stands
    unit_list[UNITS - 1] = &units[0];
    expect_of("POST", "/begin?what=job&act=nothing&id=a", "202 a");
    run_service_show(&rig.worker, NULL);
    expect_of("POST", "/begin?what=job", ends);
    expect_of("GET", "/look?id=x",
              REFUSED(404, "not_found", "there is no run \\'x\\', or no longer"));
    run_service_show(&rig.worker, &api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_leaves_its_result), CASE(a_run_that_fails_says_what_a_client_may_see),
        CASE(a_run_is_cancelled_once), CASE(what_is_not_there_is_not_found),
        CASE(a_spec_has_bounds),       CASE(nothing_begins_while_the_server_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

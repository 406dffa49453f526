/* test_runs_no_memory.c - memory runs out while a run is begun, works or is looked at: at the n-th
 * call for it, n = 1, 2, ..., and where that of the call itself ends. Nothing is begun whose id
 * nobody learns, nothing is told that is not so, and the next request is served as ever. */
#include "runs_rig.h"

#include "core/host/inject.h"

enum { FAULTS_MAX = 200, STEP_BYTES = 16, ROOM_MAX_BYTES = 16 << 10 };

static char what[INJECT_WHAT_BYTES];

/* There are as many runs as were told to be begun: `id`, or none. */
static void expect_run(const char *id, bool is_begun)
{
    char path[64], wanted[512];

    snprintf(path, sizeof(path), "/runs/%s?wait=60", id);
    snprintf(wanted, sizeof(wanted),
             is_begun ? "{'id':'%s','what':'job','state':'completed','message':'at "
                        "it','done':1,'total':4,'created_at':'TIME','updated_at':'TIME',"
                        "'result':{'made':[1,2]}}"
                      : REFUSED(404, "not_found", "there is no run \\'%s\\', or no longer"),
             id);
    expect_of("GET", path, wanted);
}

static void a_run_is_begun_and_its_id_told_or_neither(void **state)
{
    bool is_begun = false;
    int  room;

    (void)state;
    for (room = 0; !is_begun && room < ROOM_MAX_BYTES; room += STEP_BYTES) {
        char  path[128], id[16];
        char *answer;

        snprintf(id, sizeof(id), "r%d", room);
        snprintf(path, sizeof(path), "/begin?what=job&act=result&id=r%d&room=%d", room, room);
        answer = ask("POST", path, "Content-Length: 0\r\n");
        is_begun = client_status(answer) == 202;
        if (is_begun) {
            assert_string_equal(client_body(answer), id);
        } else {
            assert_int_equal(client_status(answer), bp_status_http(BP_NO_MEMORY));
            assert_non_null(strstr(answer, "memory"));
        }
        free(answer);
        expect_run(id, is_begun);
    }
    assert_true(is_begun);
}

/* Whole, or an error that says so; never something else. */
static void each_failing(const char *method, const char *path, const char *wanted)
{
    bool has_failed = true;
    long n;

    for (n = 1; has_failed && n < FAULTS_MAX; n++) {
        char *body;

        inject_arm(INJECT_MEMORY, n, what);
        body = hide_ids(asked(method, path));
        has_failed = inject_disarm();
        if (strcmp(body, wanted) != 0 &&
            (!has_failed || (strcmp(body, "0 ") != 0 && !strstr(body, "memory") &&
                             !strstr(body, "as many connections"))))
            fail_msg("%s, and %s %s\nnot    %s\nbut is %s", what, method, path, wanted, body);
        free(body);
    }
    assert_in_range(n, 2, FAULTS_MAX - 1);
}

static void what_is_looked_at_is_told_whole_or_not_at_all(void **state)
{
    static const char seen[] = RUN("a", "job", "completed") ",'result':{'made':[1,2]}}";

    (void)state;
    inject_spare(true);
    expect_of("POST", "/begin?what=job&act=result&id=a", "202 a");
    expect_of("GET", "/runs/a?wait=60", seen);
    each_failing("GET", "/runs/a", seen);
    each_failing("GET", "/runs", "{'runs':[" RUN("a", "job", "completed") "}]}");
    each_failing("DELETE", "/runs/a",
                 REFUSED(409, "conflict", "the run \\'a\\' has ended already"));
    each_failing("GET", "/runs/b",
                 REFUSED(404, "not_found", "there is no run \\'b\\', or no longer"));
    expect_of("GET", "/runs/a", seen);
    inject_spare(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_is_begun_and_its_id_told_or_neither),
        CASE(what_is_looked_at_is_told_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_command_times.c - how often the progress of a command is sent: ten times a second, and the
 * last of it always. */
#include "../../../lib/still_clock.h"
#include "command_rig.h"

#include "rig_text.h"

struct step {
    int64_t     after_ns; /* the beginning */
    const char *what;
    int64_t     done;
};

static const struct step *steps;
static size_t             step_count;

static bp_status say_steps(bp_call *call, void *instance, bp_command_run *run)
{
    (void)instance;
    for (size_t i = 0; i < step_count; i++) {
        still_now_ns = BP_SECONDS(1000) + steps[i].after_ns;
        BP_TRY(bp_command_progress(call, run, steps[i].what, steps[i].done, 9));
    }
    return BP_OK;
}

static const bp_command table[] = {
    { .name = "step", .summary = "goes on", .handler = say_steps }
};

static int start(void **state)
{
    return command_rig_start(state, table);
}

static void expect_steps(void **state, const struct step *wanted, size_t count, const char *said)
{
    char *answer;

    steps = wanted;
    step_count = count;
    answer = client_ask(port_of(state), "POST /x HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    still_now_ns = 0;
    swap(answer, '"', '\'');
    EXPECT_TEXT(client_body(answer), said);
    free(answer);
}

#define EXPECT_STEPS(said, ...)                                                                    \
    expect_steps(state, (const struct step[]){ __VA_ARGS__ },                                      \
                 sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step), said)
#define AT(what, done) "{'progress':{'what':'" what "','done':" done ",'total':9}}\n"
#define OVER           "{'progress':null}\n"
#define END            "{'end':{'status':0}}\n"

static void progress_is_sent_ten_times_a_second(void **state)
{
    const int64_t often_ns = BP_MILLISECONDS(100);

    EXPECT_STEPS(AT("a", "1") AT("a", "3") AT("a", "5") OVER END, { 0, "a", 1 },
                 { often_ns - 1, "a", 2 }, { often_ns, "a", 3 }, { 2 * often_ns - 1, "a", 4 },
                 { 2 * often_ns, "a", 5 });
    EXPECT_STEPS(AT("a", "1") AT("a", "3") OVER END, { 0, "a", 1 }, { 0, "a", 2 }, { 0, "a", 3 });
    EXPECT_STEPS(AT("a", "1") AT("a", "2") OVER AT("b", "1") OVER END, { 0, "a", 1 }, { 0, "a", 2 },
                 { 0, "b", 1 }); // what comes next waits for nothing
    EXPECT_STEPS(AT("a", "1") AT("a", "2") OVER END, { 0, "a", 1 }, { 0, "a", 2 }, { 0, NULL, 0 });
    EXPECT_STEPS(AT("a", "1") OVER AT("a", "2") OVER END, { 0, "a", 1 }, { 0, NULL, 0 },
                 { 0, "a", 2 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(progress_is_sent_ten_times_a_second, start,
                                        command_rig_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

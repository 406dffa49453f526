/* test_disclosure.c - what of a back end's failure an app, and so a client, may read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include <backplane/vector.h>

#include "gate_rig.h"
#include "plugin/disclosure.h"

static struct conf_instance app_conf = { .kind = "app",
                                         .name = BP_STR("notes"),
                                         .use = BP_STR("notes") };
static struct unit          app_unit = { .conf = &app_conf, .is_up = true };
static struct instance      app = { .unit = &app_unit };

static int set_up(void **state)
{
    static const bp_vector_ops none = { .struct_size = sizeof(none) };
    (void)state;
    return rig_start("vector", &none);
}

/* What the app has to quote after a back end of some kind failed with a sentence. */
static const char *told(bp_call *call, const char *kind, bp_status status, const char *sentence)
{
    conf.kind = kind;
    call_fail(call, status, "%s", sentence);
    disclosure_decide(call, &instance, &app, status);
    return call->error.message.data;
}

static void tell_of_inputs(bp_call *call)
{
    static const bp_status about_input[] = { BP_INVALID,   BP_NOT_FOUND,   BP_CONFLICT,
                                             BP_TOO_LARGE, BP_UNSUPPORTED, BP_INPUT_REQUIRED };

    for (size_t i = 0; i < sizeof(about_input) / sizeof(about_input[0]); i++) {
        assert_string_equal(told(call, "vector", about_input[i], "3 of them, not 4"),
                            "3 of them, not 4");
        assert_string_not_equal(told(call, "storage", about_input[i], "no such table: t"),
                                "no such table: t");
    }
    assert_string_equal(told(call, "embed", BP_INVALID, "the text is empty"), "the text is empty");
    assert_string_equal(told(call, "llm", BP_INVALID, "no role \"x\""), "no role \"x\"");
    assert_string_equal(told(call, "cache", BP_INVALID, "an odd key"),
                        "the cache does not take this input");
    assert_string_equal(told(call, "vector", BP_UPSTREAM, "HTTP 500"),
                        "the vector store answered with an error, or with an answer that "
                        "makes no sense");
}

static void what_a_judge_says_of_an_input_is_told(void **state)
{
    (void)state;
    on_call(tell_of_inputs);
}

static void tell_no_places(bp_call *call)
{
    static const char *const places[] = { "/var/lib/x is odd",   "cannot open \"/var/x\"",
                                          "path=/var/x",         "(/srv)",
                                          "GET http://inside/x", "asked db1:5432",
                                          "at [::1]:80 now" };
    static const char *const harmless[] = {
        "either/or is wanted", "a / b is no number", "ratio 3:1 is odd", "a:b", "text: 42",
        "ends with /",         "5432: too long",     "1/2 of it"
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        assert_string_equal(told(call, "vector", BP_INVALID, places[i]),
                            "the vector store does not take this input");
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        assert_string_equal(told(call, "vector", BP_INVALID, harmless[i]), harmless[i]);
}

static void no_sentence_that_names_a_place_is_told(void **state)
{
    (void)state;
    on_call(tell_no_places);
}

/* A sentence may be a part of a longer text: what stands around it is not looked at. */
static void tell_parts(bp_call *call)
{
    static const struct {
        const char *text;
        size_t      from, len;
        bool        is_place;
    } parts[] = {
        { "ab://x", 0, 3, false },   { "ab://x", 0, 4, false },    { "ab://x", 0, 5, true },
        { "ab:/-x", 0, 6, false },   { "ab/:/x", 0, 6, false },    { "db:5432", 0, 4, false },
        { "db:5432", 0, 5, true },   { "db:5432", 2, 5, false },   { "db:5432", 1, 6, true },
        { "db:5x32", 0, 7, false },  { "d-:5432", 0, 7, false },   { "d]:5432", 0, 7, true },
        { "d:e:5432", 0, 8, true },  { "/var", 0, 1, false },      { "/var", 0, 2, true },
        { "//ar", 0, 4, false },     { "x/var", 0, 5, false },     { "x/var", 1, 4, true },
        { "in '/var'", 0, 9, true }, { "in [/var]", 0, 9, false }, { "in /var", 0, 3, false },
        { "5 /6 or 7", 0, 9, true }, { "a:b:c", 0, 5, false },
    };

    conf.kind = "vector";
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        bp_str part = { parts[i].text + parts[i].from, parts[i].len };
        bp_str wanted = parts[i].is_place ? BP_STR("the vector store does not take this input")
                                          : part;

        call_fail(call, BP_INVALID, "x");
        call->error.message = part;
        disclosure_decide(call, &instance, &app, BP_INVALID);
        if (!bp_str_equal(call->error.message, wanted))
            fail_msg("of \"" BP_FMT "\" is told \"" BP_FMT "\"", BP_ARG(part),
                     BP_ARG(call->error.message));
    }
}

static void only_the_sentence_itself_is_looked_at(void **state)
{
    (void)state;
    on_call(tell_parts);
}

/* ---- the log ---- */

static char logged[4096];

static void log_of(void (*run)(bp_call *call))
{
    char        path[] = "/tmp/backplane-test-XXXXXX";
    int         fd = mkstemp(path);
    struct log *log = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = path, .queue_lines = 64 });

    assert_non_null(log);
    worker.log = log;
    on_call(run);
    worker.log = NULL;
    log_close(log);
    logged[read(fd, logged, sizeof(logged) - 1)] = '\0';
    close(fd);
    unlink(path);
}

/* What follows the time, of a log of one line. */
static void assert_logged(const char *level, const char *rest)
{
    char *at = strstr(logged, "\"level\":\""), wanted[512];

    if (!at)
        fail_msg("nothing of it in \"%s\"", logged);
    snprintf(wanted, sizeof(wanted), "\"level\":\"%s\"", level);
    assert_memory_equal(at, wanted, strlen(wanted));
    if (!strstr(at, rest))
        fail_msg("\"%s\" does not say %s", logged, rest);
    assert_ptr_equal(strchr(logged, '\n'), logged + strlen(logged) - 1);
}

static void fail_once(bp_call *call)
{
    told(call, "storage", BP_UPSTREAM, "user joe at db1:5432");
}

static void find_nothing(bp_call *call)
{
    told(call, "storage", BP_NOT_FOUND, "no row 7 at db1:5432");
}

static void cancel_one(bp_call *call)
{
    told(call, "storage", BP_CANCELLED, "user joe at db1:5432");
}

static void fail_for_a_back_end(bp_call *call)
{
    conf.kind = "storage";
    call_fail(call, BP_UPSTREAM, "user joe at db1:5432");
    disclosure_decide(call, &instance, &instance, BP_UPSTREAM);
    disclosure_decide(call, &instance, NULL, BP_UPSTREAM);
}

static void say_the_same_to_both(bp_call *call)
{
    told(call, "vector", BP_INVALID, "3 of them, not 4");
}

static void an_operator_reads_the_whole_sentence_once(void **state)
{
    (void)state;
    log_of(fail_once);
    assert_logged("WARN", "\"event\":\"back_end_failed\",\"message\":\"user joe at db1:5432\"");
    assert_logged("WARN", "\"error_type\":\"upstream\",\"for_instance\":\"notes\"}\n");
    log_of(find_nothing);
    assert_logged("INFO", "\"event\":\"back_end_failed\",\"message\":\"no row 7 at db1:5432\"");
    assert_logged("INFO", "\"error_type\":\"not_found\",\"for_instance\":\"notes\"}\n");
    log_of(cancel_one);
    assert_string_equal(logged, "");
    log_of(fail_for_a_back_end);
    assert_string_equal(logged, "");
    log_of(say_the_same_to_both);
    assert_string_equal(logged, "");
}

/* ---- the network ---- */

static void tell_of_the_network(bp_call *call)
{
    call->instance_of = &app;
    call_fail(call, BP_UNAVAILABLE, "cannot reach db1:5432");
    disclosure_of_network(call, BP_UNAVAILABLE);
    assert_string_equal(call->error.message.data,
                        "another server cannot be reached now: try again later");
    call->instance_of = &instance; // a back end: its gate decides
    conf.kind = "llm";
    call_fail(call, BP_UNAVAILABLE, "cannot reach db1:5432");
    disclosure_of_network(call, BP_UNAVAILABLE);
    assert_string_equal(call->error.message.data, "cannot reach db1:5432");
    assert_int_equal(call->error.client_message.len, 0);
    call->instance_of = NULL; // the host itself
    disclosure_of_network(call, BP_UNAVAILABLE);
    assert_string_equal(call->error.message.data, "cannot reach db1:5432");
    assert_int_equal(call->error.client_message.len, 0);
}

static void what_the_network_says_is_no_place_either(void **state)
{
    (void)state;
    on_call(tell_of_the_network);
}

/* ---- each status ---- */

static void tell_each(bp_call *call)
{
    static const struct {
        bp_status   status;
        const char *sentence;
    } all[] = {
        { BP_UNAVAILABLE, "the storage cannot be reached now: try again later" },
        { BP_DEADLINE, "the storage did not answer within the time allowed" },
        { BP_LIMIT, "the storage has too much to do now: try again later" },
        { BP_FULL, "the storage has no space left, or may only be read" },
        { BP_UNAUTHENTICATED, "the storage does not take the credentials of this server" },
        { BP_DENIED, "the storage does not take the credentials of this server" },
        { BP_NO_MEMORY, "the storage needs more memory than one request may take" },
        { BP_CANCELLED, "the storage was no longer waited for" },
        { BP_NOT_FOUND, "the storage has no such object" },
        { BP_CONFLICT, "the storage has something that is in the way of this" },
        { BP_UNSUPPORTED, "the storage cannot do this" },
        { BP_INVALID, "the storage does not take this input" },
        { BP_INTERNAL, "the storage failed" },
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_string_equal(told(call, "storage", all[i].status, "user joe at db1:5432"),
                            all[i].sentence);
    unit.is_up = false;
    assert_string_equal(told(call, "storage", BP_UNAVAILABLE,
                             "storage/x \"main\" is not in service: no /var/x"),
                        "this part of the server is not in service now");
    assert_string_equal(told(call, "app", BP_INVALID, "whatever"),
                        "this part of the server is not in service now");
}

static void each_status_has_a_sentence_for_clients(void **state)
{
    (void)state;
    on_call(tell_each);
}

static void tell_others(bp_call *call)
{
    call_fail(call, BP_UNAVAILABLE, "user joe at db1:5432");
    disclosure_decide(call, &instance, NULL,
                      BP_UNAVAILABLE); // the host itself asked: its log has all of it
    assert_string_equal(call->error.message.data, "user joe at db1:5432");
    assert_string_equal(call->error.client_message.data,
                        "the vector store cannot be reached now: try again later");
    call_fail(call, BP_UNAVAILABLE, "user joe at db1:5432");
    disclosure_decide(call, &instance, &instance, BP_UNAVAILABLE); // another back end
    assert_string_equal(call->error.message.data, "user joe at db1:5432");

    call_fail(call, BP_INVALID, "user joe at db1:5432");
    call_set_error_for_client(call, BP_STR("pick another name"));
    disclosure_decide(call, &instance, &app, BP_INVALID); // the back end has a sentence for clients
    assert_string_equal(call->error.message.data, "pick another name");
    call_fail(call, BP_INVALID, "user joe at db1:5432");
    call_set_error_for_client(call, BP_STR("look into /var/x")); // which it should not have
    disclosure_decide(call, &instance, &app, BP_INVALID);
    assert_string_equal(call->error.message.data, "the vector store does not take this input");
}

static void operators_keep_the_whole_sentence_and_a_back_end_may_have_one_for_clients(void **state)
{
    (void)state;
    on_call(tell_others);
}

#define GATED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATED(what_a_judge_says_of_an_input_is_told),
        GATED(no_sentence_that_names_a_place_is_told),
        GATED(only_the_sentence_itself_is_looked_at),
        GATED(an_operator_reads_the_whole_sentence_once),
        GATED(what_the_network_says_is_no_place_either),
        GATED(each_status_has_a_sentence_for_clients),
        GATED(operators_keep_the_whole_sentence_and_a_back_end_may_have_one_for_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_disclosure.c - what of a back end's failure an app, and so a client, may read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
        { BP_NOT_FOUND, "the storage does not have the thing asked for" },
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
        GATED(each_status_has_a_sentence_for_clients),
        GATED(operators_keep_the_whole_sentence_and_a_back_end_may_have_one_for_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

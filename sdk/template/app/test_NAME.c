/* test_@NAME@.c - tests @NAME@.so with the fake host: both routes, what a bad body gets,
 * and the command. */
#include <backplane/testhost.h>

#include "test.h"

static bool has(bp_str text, const char *piece)
{
    return text.len && strstr(text.data, piece) != NULL;
}

int main(int argc, char **argv)
{
    testhost          *host = testhost_new();
    const bp_plugin   *plugin = testhost_load(host, argv[argc - 1]);
    testhost_instance *instance = plugin ? testhost_instance_create(host, plugin, "@NAME@", NULL, 0)
                                         : NULL;
    bp_call           *call = testhost_call_new(host, BP_SECONDS(5));
    testhost_reply     reply;
    testhost_file      files[] = { { "a.txt", BP_STR("one\ntwo\n"), NULL },
                                   { "b.txt", BP_STR("three\n"), NULL } };

    testhost_command_reply ran;

    if (!instance)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(instance != NULL);
    reply = testhost_request_app(call, instance, "GET", "/@NAME@/hello?name=Ada", "", BP_STR(""));
    CHECK(reply.status == BP_OK && reply.http_status == 200);
    CHECK(has(bp_format(call, BP_FMT, BP_ARG(reply.body)), "Hello, Ada!"));
    reply = testhost_request_app(call, instance, "POST", "/@NAME@/sum", "",
                                 BP_STR("{\"numbers\":[1,2,3.5]}"));
    CHECK(reply.http_status == 200 && has(bp_format(call, BP_FMT, BP_ARG(reply.body)), "6.5"));
    reply = testhost_request_app(call, instance, "POST", "/@NAME@/sum", "", BP_STR("{}"));
    CHECK(reply.status == BP_INVALID && has(bp_error_of(call)->message, "\"numbers\" is missing"));
    reply = testhost_request_app(call, instance, "POST", "/@NAME@/sum", "",
                                 BP_STR("{\"numbers\":7}"));
    CHECK(reply.status == BP_INVALID && has(bp_error_of(call)->message, "a list of numbers"));
    reply = testhost_request_app(call, instance, "GET", "/nowhere", "", BP_STR(""));
    CHECK(reply.status == BP_NOT_FOUND);
    ran = testhost_run_command(call, instance,
                               &(testhost_command){ .name = "@NAME@-count",
                                                    .options = &(testhost_option){ "greet", "" },
                                                    .option_count = 1,
                                                    .files = files,
                                                    .file_count = 2 });
    CHECK(ran.status == BP_OK && ran.exit_status == 0);
    CHECK(strcmp(ran.printed, "Hello! 3 lines\n") == 0);
    testhost_call_end(call);
    testhost_instance_destroy(instance);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}

/* filesystem_driver.c - runs the app `filesystem` in a fake host, so that scripts can call its tools without a server.
 *
 *      filesystem_driver PLUGIN.so NAME=VALUE...       options as testhost.h has them
 *
 * reads lines "TOOL<tab>ARGUMENTS" and answers each with one line, the result object that a client would get.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

enum { OPTIONS_MAX = 16 };

/* As the host does it: a failed call is a result with isError and the sentence. */
static bp_str result_of(bp_call *call, testhost_mcp_reply reply)
{
    bp_json_writer *w = bp_json_writer_new(call, 1u << 20);
    bp_str          json = { "{}", 2 };

    if (reply.status == BP_OK)
        return reply.result;
    bp_json_object(w);
    bp_json_key(w, "content");
    bp_json_array(w);
    bp_json_object(w);
    bp_json_put_string(w, "type", BP_STR("text"));
    bp_json_put_string(w, "text", bp_error_of(call)->message);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_put_bool(w, "isError", true);
    bp_json_put_string(w, "status", bp_str_of(bp_status_label(reply.status)));
    bp_json_end(w);
    return bp_json_done(call, w, &json) == BP_OK ? json : BP_STR("{}");
}

static void serve(testhost *host, testhost_instance *instance)
{
    char   *line = NULL;
    size_t  room = 0;
    ssize_t len;

    while ((len = getline(&line, &room, stdin)) > 0) {
        bp_call *call = testhost_call_new(host, BP_SECONDS(600));
        char    *arguments = strchr(line, '\t');
        bp_str   result;

        line[len - 1] = '\0';
        if (arguments)
            *arguments++ = '\0';
        result = result_of(call, testhost_call_tool(call, instance, line, arguments));
        fwrite(result.data, 1, result.len, stdout);
        putchar('\n');
        fflush(stdout);
        testhost_call_end(call);
    }
    free(line);
}

int main(int argc, char **argv)
{
    testhost          *host = testhost_new();
    const bp_plugin   *plugin = argc > 1 ? testhost_load(host, argv[1]) : NULL;
    testhost_option    options[OPTIONS_MAX];
    testhost_instance *instance;
    size_t             count = 0;

    for (int i = 2; i < argc && count < OPTIONS_MAX; i++) {
        char *value = strchr(argv[i], '=');

        if (!value)
            continue;
        *value = '\0';
        options[count++] = (testhost_option){ argv[i], value + 1 };
    }
    testhost_offload_on_threads(host, true); // Landlock confines a thread for good
    instance = plugin ? testhost_instance_create(host, plugin, "files", options, count) : NULL;
    if (!instance) {
        fprintf(stderr, "filesystem_driver: %s\n", testhost_problem(host));
        return 1;
    }
    serve(host, instance);
    testhost_instance_destroy(instance);
    testhost_free(host);
    return 0;
}

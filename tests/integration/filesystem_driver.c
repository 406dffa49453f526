/* filesystem_driver.c - runs the app `filesystem` in a fake host, so that scripts can call its tools without a server.
 *
 *      filesystem_driver PLUGIN.so NAME=VALUE...       options as testhost.h has them
 *
 * reads lines "TOOL<tab>ARGUMENTS" and answers each with one line, the result object that a client would get.
 * The tool "tools/list" is the table of the tools.
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

static void put_tool(bp_json_writer *w, const bp_mcp_tool *tool)
{
    bp_json_object(w);
    bp_json_put_string(w, "name", bp_str_of(tool->name));
    bp_json_put_string(w, "title", bp_str_of(tool->title));
    bp_json_put_string(w, "description", bp_str_of(tool->description));
    bp_json_put_string(w, "scope", bp_str_of(tool->scope));
    bp_json_put_bool(w, "readOnlyHint", tool->flags & BP_TOOL_READ_ONLY);
    bp_json_put_bool(w, "destructiveHint", tool->flags & BP_TOOL_DESTRUCTIVE);
    bp_json_put_bool(w, "idempotentHint", tool->flags & BP_TOOL_IDEMPOTENT);
    bp_json_put_bool(w, "openWorldHint", tool->flags & BP_TOOL_OPEN_WORLD);
    bp_json_key(w, "inputSchema");
    bp_json_add_raw(w, bp_str_of(tool->input_schema));
    bp_json_key(w, "outputSchema");
    bp_json_add_raw(w, bp_str_of(tool->output_schema));
    bp_json_end(w);
}

/* Those that the instance offers. */
static bp_str table_of(bp_call *call, testhost_instance *instance)
{
    const bp_app_ops *ops = testhost_ops(instance);
    bp_json_writer   *w = bp_json_writer_new(call, 1u << 20);
    bp_str            json = { "[]", 2 };

    bp_json_array(w);
    for (size_t i = 0; i < ops->tool_count; i++)
        if (!ops->offers || ops->offers(testhost_self(instance), ops->tools[i].name))
            put_tool(w, &ops->tools[i]);
    bp_json_end(w);
    return bp_json_done(call, w, &json) == BP_OK ? json : BP_STR("[]");
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
        if (strcmp(line, "tools/list") == 0)
            result = table_of(call, instance);
        else
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

/* app_test.h - what the tests of apps share: an app on a real SQLite storage, its tables made,
 * tools called by name. */
#ifndef APP_TEST_H
#define APP_TEST_H

#include "plugins/plugin_test.h"

static testhost_instance *storage;
static bp_principal       principal = { .struct_size = sizeof(bp_principal),
                                        .tenant = { "default", 7 },
                                        .scopes = { "*", 1 } };

static inline void app_call(void)
{
    next_call();
    testhost_call_principal(call, &principal);
}

/* The storage "main" and the app's migrations; the host must have been opened with the app's file.
 */
static inline int open_storage(void)
{
    const testhost_option options[] = { { "path", "app.db" } };
    const bp_plugin      *sqlite = testhost_load(host, BP_PLUGIN_DIR "/storage/sqlite.so");
    const bp_app_ops     *ops = plugin->ops;

    storage = sqlite ? testhost_instance_create(host, sqlite, "main", options, 1) : NULL;
    if (!storage) {
        print_error("%s\n", testhost_problem(host));
        return -1;
    }
    call = testhost_call_new(host, BP_SECONDS(60));
    bp_status status = bp_storage_migrate(call, testhost_peer(storage), bp_str_of(plugin->name),
                                          ops->migrations, ops->migration_count);
    if (status != BP_OK)
        print_error("migrate: " BP_FMT "\n", BP_ARG(bp_error_of(call)->message));
    testhost_call_end(call);
    call = NULL;
    return status == BP_OK ? 0 : -1;
}

static inline void start_app(const char *name, const testhost_option *options, size_t count)
{
    instance = testhost_instance_create(host, plugin, name, options, count);
    if (!instance)
        fail_msg("%s", testhost_problem(host));
    app_call();
}

static inline int close_app_host(void)
{
    char leaks[256];

    stop();
    testhost_instance_destroy(storage);
    storage = NULL;
    snprintf(leaks, sizeof(leaks), "%s", testhost_leaks(host));
    testhost_free(host);
    host = NULL;
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (leaks[0])
        print_error("left open: %s\n", leaks);
    return leaks[0] ? -1 : 0;
}

/* Calls a tool on a call of its own. */
static inline testhost_mcp_reply tool(const char *name, const char *arguments)
{
    app_call();
    return testhost_call_tool(call, instance, name, arguments);
}

static inline const bp_json *parsed(bp_str text)
{
    const bp_json *json = NULL;

    assert_ok(bp_json_parse(call, text, &json));
    return json;
}

/* The structured result of a tool that must succeed. */
static inline const bp_json *result_of(const char *name, const char *arguments)
{
    testhost_mcp_reply reply = tool(name, arguments);

    assert_ok(reply.status);
    return bp_json_get(parsed(reply.result), "structuredContent");
}

static inline void assert_json(const bp_json *json, const char *wanted)
{
    assert_string_equal(bp_json_text(call, json).data, wanted);
}

static inline testhost_reply request(const char *method, const char *target, const char *body)
{
    app_call();
    return testhost_request_app(call, instance, method, target,
                                "content-type: application/json\r\n", bp_str_of(body));
}

#endif

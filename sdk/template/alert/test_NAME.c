/* test_@NAME@.c - tests @NAME@.so with the fake host: alerts end up in the file, and a bad file is
 * a sentence. */
#include <unistd.h>

#include <backplane/alert.h>
#include <backplane/testhost.h>

#include "test.h"

static bp_status deliver(testhost *host, const bp_plugin *plugin, bp_call *call, const char *path)
{
    testhost_option    option = { "path", path };
    testhost_instance *instance = testhost_instance_create(host, plugin, "mine", &option, 1);
    bp_label           label = { BP_STR("component"), BP_STR("disk") };
    bp_alert           alerts[2];
    bp_status          status;

    CHECK(instance != NULL);
    memset(alerts, 0, sizeof(alerts));
    alerts[0] = (bp_alert){ .struct_size = sizeof(bp_alert),
                            .severity = BP_SEVERITY_CRITICAL,
                            .name = BP_STR("Down"),
                            .summary = BP_STR("disk is \"down\""),
                            .labels = &label,
                            .label_count = 1 };
    alerts[1] = alerts[0];
    alerts[1].ends_wall_ns = 1;
    status = ((const bp_alert_ops *)testhost_ops(instance))
                 ->deliver(call, testhost_self(instance), alerts, sizeof(bp_alert), 2);
    testhost_instance_destroy(instance);
    return status;
}

int main(int argc, char **argv)
{
    testhost        *host = testhost_new();
    const bp_plugin *plugin = testhost_load(host, argv[argc - 1]);
    bp_call         *call = testhost_call_new(host, BP_SECONDS(5));
    char             path[] = "/tmp/@NAME@-XXXXXX", text[2048] = "";
    FILE            *file;
    int              fd = mkstemp(path);

    if (!plugin)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(plugin != NULL && fd >= 0);
    close(fd);
    CHECK(deliver(host, plugin, call, path) == BP_OK);
    file = fopen(path, "r");
    CHECK(file != NULL && fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    unlink(path);
    CHECK(strstr(text, "\"summary\":\"disk is \\\"down\\\"\"") != NULL);
    CHECK(strstr(text, "\"state\":\"firing\"") < strstr(text, "\"state\":\"resolved\""));
    CHECK(strstr(text, "\"labels\":{\"component\":\"disk\"}") != NULL);
    CHECK(deliver(host, plugin, call, "/no/such/folder/file") == BP_IO);
    CHECK(strstr(bp_error_of(call)->message.data, "cannot be opened") != NULL);
    testhost_call_end(call);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}

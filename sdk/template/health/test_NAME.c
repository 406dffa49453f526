/* test_@NAME@.c - tests @NAME@.so with the fake host: a file that is there, one that is old, one
 * that is not. */
#include <unistd.h>
#include <utime.h>

#include <backplane/health.h>
#include <backplane/testhost.h>

#include "test.h"

static bp_health ask(testhost *host, const bp_plugin *plugin, bp_call *call, const char *path,
                     const char *max_age)
{
    testhost_option    options[] = { { "path", path }, { "max_age", max_age } };
    testhost_instance *instance = testhost_instance_create(host, plugin, "mine", options, 2);
    bp_health          health = { .struct_size = sizeof(health) };

    CHECK(instance != NULL);
    CHECK(((const bp_health_ops *)testhost_ops(instance))
              ->check(call, testhost_self(instance), &health) == BP_OK);
    testhost_instance_destroy(instance);
    return health;
}

int main(int argc, char **argv)
{
    testhost        *host = testhost_new();
    const bp_plugin *plugin = testhost_load(host, argv[argc - 1]);
    bp_call         *call = testhost_call_new(host, BP_SECONDS(5));
    bp_health        health;
    char             path[] = "/tmp/@NAME@-XXXXXX";
    struct utimbuf   hour_ago;
    int              fd = mkstemp(path);

    if (!plugin)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(plugin != NULL && fd >= 0);
    CHECK(testhost_check(host, plugin, NULL, 0) == BP_INVALID); /* path is required */
    hour_ago.actime = hour_ago.modtime = bp_wall_ns() / 1000000000 - 3600;
    CHECK(utime(path, &hour_ago) == 0);
    CHECK(ask(host, plugin, call, path, "off").level == BP_HEALTH_OK);
    CHECK(ask(host, plugin, call, path, "2h").level == BP_HEALTH_OK);
    health = ask(host, plugin, call, path, "30m");
    CHECK(health.level == BP_HEALTH_DEGRADED && health.value >= 3600);
    close(fd);
    unlink(path);
    health = ask(host, plugin, call, "/no/such/file", "off");
    CHECK(health.level == BP_HEALTH_DOWN);
    CHECK(strstr(health.detail.data, "/no/such/file cannot be looked at") != NULL);
    testhost_call_end(call);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}

/* plugin_test.h - what the tests of the embedded plugins share: a fake host, one instance, a
 * directory that goes away. */
#ifndef PLUGIN_TEST_H
#define PLUGIN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

static testhost          *host;
static const bp_plugin   *plugin;
static testhost_instance *instance;
static bp_call           *call;
static char               directory[64];

static inline int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

/* A host with the plugin loaded and a directory of its own; no instance yet. */
static inline int open_host(const char *file)
{
    snprintf(directory, sizeof(directory), "/tmp/bp-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    host = testhost_new();
    testhost_set_data_dir(host, directory);
    plugin = testhost_load(host, file);
    if (!plugin)
        print_error("%s\n", testhost_problem(host));
    return plugin ? 0 : -1;
}

static inline void start(const testhost_option *options, size_t count)
{
    instance = testhost_instance_create(host, plugin, "main", options, count);
    if (!instance)
        fail_msg("%s", testhost_problem(host));
    call = testhost_call_new(host, BP_SECONDS(60));
}

static inline void stop(void)
{
    testhost_call_end(call);
    testhost_instance_destroy(instance);
    call = NULL;
    instance = NULL;
}

/* A call of its own for the next operation, as its arena and its error slot are fresh. */
static inline void next_call(void)
{
    testhost_call_end(call);
    call = testhost_call_new(host, BP_SECONDS(60));
}

static inline int close_host(void)
{
    char leaks[256];

    stop();
    snprintf(leaks, sizeof(leaks), "%s", testhost_leaks(host));
    testhost_free(host);
    host = NULL;
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (leaks[0])
        print_error("left open: %s\n", leaks);
    return leaks[0] ? -1 : 0;
}

/* Asserts a status and shows the sentence when it is another one. */
#define assert_status(expression, expected)                                                        \
    do {                                                                                           \
        bp_status status_ = (expression);                                                          \
        if (status_ != (expected))                                                                 \
            fail_msg("%s is %s, not %s: " BP_FMT, #expression, bp_status_label(status_),           \
                     bp_status_label(expected), BP_ARG(bp_error_of(call)->message));               \
    } while (0)
#define assert_ok(expression) assert_status(expression, BP_OK)

/* The error's sentence contains `text`. */
static inline void assert_said(const char *text)
{
    bp_str message = bp_error_of(call)->message;
    if (!message.len || !strstr(message.data, text))
        fail_msg("\"" BP_FMT "\" does not say \"%s\"", BP_ARG(message), text);
}

#endif

/* health_test.h - what the tests of the health checks share: one check, asked once, and what it
 * says. */
#ifndef HEALTH_TEST_H
#define HEALTH_TEST_H

#include "plugins/plugin_test.h"

#include <math.h>

static bp_health health;

static inline int close_host_of_check(void **state)
{
    (void)state;
    return close_host();
}

/* Asks on a call of its own. */
static inline void ask(bp_health_level level, const char *text)
{
    const bp_health_ops *ops = testhost_ops(instance);

    next_call();
    health = (bp_health){ .struct_size = sizeof(health) };
    assert_ok(ops->check(call, testhost_self(instance), &health));
    if (health.level != (uint32_t)level || !health.detail.len || !strstr(health.detail.data, text))
        fail_msg("level %u: \"" BP_FMT "\" instead of level %u: \"%s\"", health.level,
                 BP_ARG(health.detail), level, text);
}

/* What a check says, exactly: "2 down: sentence (seconds)", or the status that it fails with. */
static inline const char *asked(void)
{
    static const char *const levels[] = { "ok", "degraded", "down" };
    const bp_health_ops     *ops = testhost_ops(instance);
    bp_status                status;

    health = (bp_health){ .struct_size = sizeof(health) };
    status = ops->check(call, testhost_self(instance), &health);
    if (status != BP_OK)
        return bp_status_label(status);
    return bp_format(call, "%s: " BP_FMT " (%s" BP_FMT ")", levels[health.level],
                     BP_ARG(health.detail), isnan(health.value) ? "no value" : "in ",
                     BP_ARG(health.unit))
        .data;
}

/* The conf is refused with a sentence. */
static inline void refuse(const testhost_option *options, size_t count, const char *text)
{
    assert_int_equal(testhost_check(host, plugin, options, count), BP_INVALID);
    if (!strstr(testhost_problem(host), text))
        fail_msg("\"%s\" does not say \"%s\"", testhost_problem(host), text);
}

#endif

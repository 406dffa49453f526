/* alert_test.h - two alerts for the tests of the alert sinks: one that fires, one that is over. */
#ifndef ALERT_TEST_H
#define ALERT_TEST_H

#include "plugins/plugin_test.h"

static const bp_label labels[] = { { { "component", 9 }, { "storage.main", 12 } } };

static const bp_alert alerts[] = {
    { .struct_size = sizeof(bp_alert),
      .severity = BP_SEVERITY_CRITICAL,
      .name = { "ComponentDown", 13 },
      .fingerprint = { "abc123", 6 },
      .summary = { "storage.main is down", 20 },
      .description = { "the disk is on \"fire\"", 21 },
      .labels = labels,
      .label_count = 1,
      .starts_wall_ns = BP_SECONDS(1700000000) + BP_MILLISECONDS(5) },
    { .struct_size = sizeof(bp_alert),
      .severity = BP_SEVERITY_WARNING,
      .name = { "ComponentDegraded", 17 },
      .fingerprint = { "def456", 6 },
      .summary = { "disk is better", 14 },
      .starts_wall_ns = BP_SECONDS(1700000000),
      .ends_wall_ns = BP_SECONDS(1700000060),
      .runbook_url = { "https://x.example/r", 19 } },
};

static inline bp_status deliver(size_t first, size_t count)
{
    const bp_alert_ops *ops = testhost_ops(instance);

    next_call();
    return ops->deliver(call, testhost_self(instance), alerts + first, sizeof(bp_alert), count);
}

static inline int close_host_of_sink(void **state)
{
    (void)state;
    return close_host();
}

#endif

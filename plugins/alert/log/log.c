/* log.c - an alert sink: one log line per alert, for log collectors. */
#include <backplane/alert.h>
#include <backplane/plugin.h>

enum { LABELS_MAX = 16 };

struct log_sink {
    bool with_labels;
};

static const char *severity_of(const bp_alert *alert)
{
    static const char *const names[] = { "info", "warning", "critical" };

    return alert->severity <= BP_SEVERITY_CRITICAL ? names[alert->severity] : "unknown";
}

static void write_one(bp_call *call, const struct log_sink *sink, const bp_alert *alert)
{
    bp_field     fields[5 + LABELS_MAX];
    size_t       count = 0;
    bool         is_over = alert->ends_wall_ns != 0;
    bp_log_level level = is_over                                   ? BP_LOG_INFO
                         : alert->severity == BP_SEVERITY_CRITICAL ? BP_LOG_ERROR
                                                                   : BP_LOG_WARN;

    fields[count++] = bp_field_str("alert", alert->name);
    fields[count++] = bp_field_str("state", is_over ? BP_STR("resolved") : BP_STR("firing"));
    fields[count++] = bp_field_str("severity", bp_str_of(severity_of(alert)));
    fields[count++] = bp_field_str("fingerprint", alert->fingerprint);
    if (alert->runbook_url.len)
        fields[count++] = bp_field_str("runbook_url", alert->runbook_url);
    for (size_t i = 0; sink->with_labels && i < alert->label_count && i < LABELS_MAX; i++)
        fields[count++] = bp_field_str(bp_format(call, "label_" BP_FMT,
                                                 BP_ARG(alert->labels[i].name))
                                           .data,
                                       alert->labels[i].value);
    bp_log_event(call, level, "alert", alert->summary, fields, count);
}

static bp_status log_deliver(bp_call *call, void *instance, const bp_alert *alerts,
                             size_t alert_size, size_t count)
{
    for (size_t i = 0; i < count; i++)
        write_one(call, instance,
                  (const bp_alert *)(const void *)((const char *)alerts + i * alert_size));
    return BP_OK;
}

static const bp_option options[] = {
    BP_OPTION_BOOL(struct log_sink, with_labels, .initial = "true",
                   .help = "write the labels of an alert as fields called label_NAME"),
};

static const bp_alert_ops ops = { .struct_size = sizeof(bp_alert_ops), .deliver = log_deliver };

BP_PLUGIN(alert, "log", "1.0.0",
          .summary = "writes each alert to the log: ERROR if critical, WARN otherwise, INFO when "
                     "it ends",
          .license = "Apache-2.0", .instance_size = sizeof(struct log_sink),
          .options = BP_TABLE(options), .ops = &ops)

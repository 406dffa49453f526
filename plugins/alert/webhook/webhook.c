/* webhook.c - an alert sink: posts alerts as JSON in the shape of Alertmanager's webhook,
 * version 4.
 *
 * Whatever takes webhooks of Prometheus' Alertmanager takes these:
 * https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
 */
#include <backplane/alert.h>
#include <backplane/http.h>
#include <backplane/json.h>
#include <backplane/plugin.h>

#include <time.h>

enum { BODY_MAX_BYTES = 4 << 20, ANSWER_MAX_BYTES = 64 << 10 };

struct webhook_sink {
    bp_str  url, token;
    int64_t timeout_ns;
};

static const bp_alert *alert_at(const bp_alert *alerts, size_t alert_size, size_t index)
{
    return (const bp_alert *)(const void *)((const char *)alerts + index * alert_size);
}

static bp_str rfc3339(bp_call *call, int64_t wall_ns)
{
    time_t    seconds = (time_t)(wall_ns / BP_SECONDS(1));
    struct tm parts;
    char      text[32];

    if (wall_ns == 0) // what Alertmanager sends for "not yet"
        return BP_STR("0001-01-01T00:00:00Z");
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    return bp_format(call, "%s.%03dZ", text, (int)(wall_ns / 1000000 % 1000));
}

static void add_alert(bp_call *call, bp_json_writer *w, const bp_alert *alert)
{
    static const char *const severities[] = { "info", "warning", "critical" };

    bp_json_object(w);
    bp_json_put_string(w, "status", alert->ends_wall_ns ? BP_STR("resolved") : BP_STR("firing"));
    bp_json_key(w, "labels");
    bp_json_object(w);
    bp_json_put_string(w, "alertname", alert->name);
    if (alert->severity <= BP_SEVERITY_CRITICAL)
        bp_json_put_string(w, "severity", bp_str_of(severities[alert->severity]));
    for (size_t i = 0; i < alert->label_count; i++) {
        bp_json_key_str(w, alert->labels[i].name);
        bp_json_add_string(w, alert->labels[i].value);
    }
    bp_json_end(w);
    bp_json_key(w, "annotations");
    bp_json_object(w);
    bp_json_put_string(w, "summary", alert->summary);
    bp_json_put_string(w, "description", alert->description);
    if (alert->runbook_url.len)
        bp_json_put_string(w, "runbook_url", alert->runbook_url);
    bp_json_end(w);
    bp_json_put_string(w, "startsAt", rfc3339(call, alert->starts_wall_ns));
    bp_json_put_string(w, "endsAt", rfc3339(call, alert->ends_wall_ns));
    bp_json_put_string(w, "generatorURL", BP_STR(""));
    bp_json_put_string(w, "fingerprint", alert->fingerprint);
    bp_json_end(w);
}

static void add_empty(bp_json_writer *w, const char *key)
{
    bp_json_key(w, key);
    bp_json_object(w);
    bp_json_end(w);
}

static bp_status body_of(bp_call *call, const bp_alert *alerts, size_t alert_size, size_t count,
                         bp_str *body)
{
    bp_json_writer *w = bp_json_writer_new(call, BODY_MAX_BYTES);
    bool            is_firing = false;

    for (size_t i = 0; i < count; i++)
        is_firing = is_firing || alert_at(alerts, alert_size, i)->ends_wall_ns == 0;
    bp_json_object(w);
    bp_json_put_string(w, "version", BP_STR("4"));
    bp_json_put_string(w, "groupKey",
                       bp_format(call, "backplane/" BP_FMT, BP_ARG(bp_instance_name(call))));
    bp_json_put_integer(w, "truncatedAlerts", 0);
    bp_json_put_string(w, "status", is_firing ? BP_STR("firing") : BP_STR("resolved"));
    bp_json_put_string(w, "receiver", bp_instance_name(call));
    add_empty(w, "groupLabels");
    add_empty(w, "commonLabels");
    add_empty(w, "commonAnnotations");
    bp_json_put_string(w, "externalURL", BP_STR(""));
    bp_json_key(w, "alerts");
    bp_json_array(w);
    for (size_t i = 0; i < count; i++)
        add_alert(call, w, alert_at(alerts, alert_size, i));
    bp_json_end(w);
    bp_json_end(w);
    return bp_json_done(call, w, body);
}

/* What trying again may mend is retryable; what the conf must mend is not. */
static bp_status status_of(int32_t http_status)
{
    if (http_status == 401 || http_status == 403)
        return BP_DENIED;
    if (http_status == 429)
        return BP_LIMIT;
    return http_status >= 500 || http_status == 408 ? BP_UPSTREAM : BP_INVALID;
}

static bp_status webhook_deliver(bp_call *call, void *instance, const bp_alert *alerts,
                                 size_t alert_size, size_t count)
{
    const struct webhook_sink *sink = instance;
    bp_http_header  headers[2] = { { BP_STR("Content-Type"), BP_STR("application/json") } };
    bp_http_request request = {
        .struct_size = sizeof(request), .url = sink->url, .headers = headers, .header_count = 1
    };
    bp_http_response response;
    bp_status        status;

    BP_TRY(body_of(call, alerts, alert_size, count, &request.body));
    if (sink->token.len)
        headers[request.header_count++] = (bp_http_header){
            BP_STR("Authorization"), bp_format(call, "Bearer " BP_FMT, BP_ARG(sink->token))
        };
    request.deadline_ns = bp_within(call, sink->timeout_ns);
    request.max_response_bytes = ANSWER_MAX_BYTES;
    BP_TRY(bp_http_fetch(call, &request, &response));
    if (response.status >= 200 && response.status <= 299)
        return BP_OK;
    status = bp_fail(call, status_of(response.status), BP_FMT " answered %d to %zu alert%s",
                     BP_ARG(sink->url), response.status, count, count == 1 ? "" : "s");
    bp_fail_detail(call, response.retry_after_ns, 0, response.status);
    return status;
}

static const bp_option options[] = {
    BP_OPTION_URL(struct webhook_sink, url, .is_required = true,
                  .example = "https://hooks.example/alerts", .help = "URL to post to"),
    BP_OPTION_SECRET(struct webhook_sink, token,
                     .help = "sent as Authorization: Bearer TOKEN; empty: no such header"),
    BP_OPTION_DURATION(struct webhook_sink, timeout, .initial = "10s", .minimum = "10ms",
                       .maximum = "5m", .help = "longest time for one delivery"),
};

static const bp_alert_ops ops = { .struct_size = sizeof(bp_alert_ops), .deliver = webhook_deliver };

BP_PLUGIN(alert, "webhook", "1.0.0",
          .summary = "posts alerts as JSON in the shape of Alertmanager's webhook",
          .license = "Apache-2.0", .instance_size = sizeof(struct webhook_sink),
          .options = BP_TABLE(options), .ops = &ops)

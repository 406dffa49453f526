/* monitor.c - requests, errors and durations of this process as JSON, in every shape that clients
 * were promised.
 *
 * Nothing grows with the number of requests: durations are counted in buckets, each a tenth longer
 * than the one before, so a percentile is exact to 10 %. Replicas count for themselves; what a
 * fleet does stands in /metrics.
 */
#include "questioning.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 160, HTTP_STATUSES = 600 };

#define FIRST_BUCKET_MS 0.1 /* the last one ends at 0.1 * 1.1^159 ms, about six minutes */

static const char *const names[ENDPOINTS] = {
    [ENDPOINT_QUESTION] = "sequential_questioning",
    [ENDPOINT_FOLLOW_UP] = "sequential_questioning_follow_up",
    [ENDPOINT_AUTOMATIC] = "sequential_questioning_automatic",
    [ENDPOINT_SINGLE] = "/mcp/sequential-questioning",
    [ENDPOINT_SINGLE_V1] = "/mcp/v1/sequential-questioning",
    [ENDPOINT_SESSIONS] = "/api/sessions",
    [ENDPOINT_CONVERSATIONS] = "/api/conversations",
    [ENDPOINT_MESSAGES] = "/api/messages",
};

struct tally {
    int64_t requests, errors;
    double  total_ms, least_ms, most_ms;
    int64_t buckets[BUCKETS];
};

struct numbers {
    struct tally all, endpoints[ENDPOINTS];
    int64_t      http_statuses[HTTP_STATUSES];
    int64_t      errors[BP_STATUS_COUNT];
    int64_t      since_ns;
};

struct monitor {
    pthread_mutex_t lock; /* held for a few additions, never across a suspension */
    struct numbers  numbers;
};

bp_status monitor_new(bp_call *call, struct monitor **monitor)
{
    *monitor = calloc(1, sizeof(**monitor));
    if (!*monitor || pthread_mutex_init(&(*monitor)->lock, NULL) != 0) {
        free(*monitor);
        return bp_fail(call, BP_NO_MEMORY, "no memory for the numbers of the instance");
    }
    (*monitor)->numbers.since_ns = bp_now_ns();
    return BP_OK;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor)
        pthread_mutex_destroy(&monitor->lock);
    free(monitor);
}

bp_status monitor_define(bp_call *call, struct questioning *self)
{
    BP_TRY(bp_metric_define(call, BP_COUNTER, "questioning_requests_total",
                            "Requests, by endpoint and outcome.", "endpoint outcome",
                            &self->requests_total));
    BP_TRY(bp_metric_define(call, BP_HISTOGRAM, "questioning_request_seconds", "Time of requests.",
                            "endpoint", &self->request_seconds));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "questioning_questions_total",
                            "Questions, by who wrote them.", "source", &self->questions_total));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "questioning_fallbacks_total",
                            "Batches written without a model, by reason.", "reason",
                            &self->fallbacks_total));
    return bp_metric_define(call, BP_COUNTER, "questioning_vector_errors_total",
                            "Failures of vector store and embedder.", "error_type",
                            &self->vector_errors_total);
}

static void add_to_tally(struct tally *tally, double ms, bool is_error)
{
    double end_ms = FIRST_BUCKET_MS;
    size_t at = 0;

    while (at < BUCKETS - 1 && ms > end_ms) {
        end_ms *= 1.1;
        at++;
    }
    tally->buckets[at]++;
    tally->least_ms = tally->requests == 0 || ms < tally->least_ms ? ms : tally->least_ms;
    tally->most_ms = ms > tally->most_ms ? ms : tally->most_ms;
    tally->total_ms += ms;
    tally->requests++;
    tally->errors += is_error;
}

void monitor_count(struct questioning *self, enum endpoint endpoint, int64_t started_ns,
                   bp_status status, int32_t http_status)
{
    double       ms = (double)(bp_now_ns() - started_ns) / 1e6;
    bool         is_error = http_status >= 400;
    const bp_str labels[2] = { bp_str_of(names[endpoint]),
                               bp_str_of(status != BP_OK || !is_error ? bp_status_label(status)
                                                                      : "invalid") };

    pthread_mutex_lock(&self->monitor->lock);
    add_to_tally(&self->monitor->numbers.all, ms, is_error);
    add_to_tally(&self->monitor->numbers.endpoints[endpoint], ms, is_error);
    self->monitor->numbers
        .http_statuses[http_status > 0 && http_status < HTTP_STATUSES ? http_status : 0]++;
    if (is_error)
        self->monitor->numbers
            .errors[status > 0 && status < BP_STATUS_COUNT ? status : BP_INVALID]++;
    pthread_mutex_unlock(&self->monitor->lock);
    bp_metric_add(self->requests_total, labels, 2, 1);
    bp_metric_observe(self->request_seconds, labels, 1, ms / 1e3);
}

/* ---- as JSON ---- */

static double average_ms(const struct tally *tally)
{
    return tally->requests ? tally->total_ms / (double)tally->requests : 0;
}

static double error_rate(const struct tally *tally)
{
    return tally->requests ? (double)tally->errors / (double)tally->requests : 0;
}

static double percentile_ms(const struct tally *tally, double share)
{
    double  end_ms = FIRST_BUCKET_MS;
    int64_t seen = 0;

    for (size_t i = 0; i < BUCKETS; i++, end_ms *= 1.1) {
        seen += tally->buckets[i];
        if (seen && (double)seen >= share * (double)tally->requests)
            return end_ms < tally->most_ms ? end_ms : tally->most_ms;
    }
    return tally->most_ms;
}

static void put_endpoints(bp_json_writer *w, const struct numbers *numbers)
{
    bp_json_key(w, "endpoints");
    bp_json_object(w);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        const struct tally *tally = &numbers->endpoints[i];

        if (tally->requests == 0)
            continue;
        bp_json_key(w, names[i]);
        bp_json_object(w);
        bp_json_put_integer(w, "requests", tally->requests);
        bp_json_put_integer(w, "errors", tally->errors);
        bp_json_put_number(w, "error_rate", error_rate(tally));
        bp_json_put_number(w, "avg_response_time_ms", average_ms(tally));
        bp_json_put_integer(w, "count", tally->requests);
        bp_json_put_number(w, "avg_response_time", average_ms(tally) / 1e3);
        bp_json_put_number(w, "p95_response_time_ms", percentile_ms(tally, 0.95));
        bp_json_put_number(w, "p99_response_time_ms", percentile_ms(tally, 0.99));
        bp_json_end(w);
    }
    bp_json_end(w);
}

static void put_requests(bp_json_writer *w, const struct numbers *numbers)
{
    bp_json_key(w, "requests");
    bp_json_object(w);
    bp_json_put_integer(w, "total", numbers->all.requests);
    bp_json_put_integer(w, "success", numbers->all.requests - numbers->all.errors);
    bp_json_put_integer(w, "error", numbers->all.errors);
    bp_json_key(w, "by_endpoint");
    bp_json_object(w);
    for (size_t i = 0; i < ENDPOINTS; i++)
        if (numbers->endpoints[i].requests)
            bp_json_put_integer(w, names[i], numbers->endpoints[i].requests);
    bp_json_end(w);
    bp_json_end(w);
}

static void put_errors(bp_json_writer *w, const struct numbers *numbers)
{
    bp_json_key(w, "errors");
    bp_json_object(w);
    bp_json_put_integer(w, "total", numbers->all.errors);
    bp_json_key(w, "by_type");
    bp_json_object(w);
    for (bp_status i = 0; i < BP_STATUS_COUNT; i++)
        if (numbers->errors[i])
            bp_json_put_integer(w, bp_status_label(i), numbers->errors[i]);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_key(w, "status_codes");
    bp_json_object(w);
    for (int i = 0; i < HTTP_STATUSES; i++) {
        char code[16];

        snprintf(code, sizeof(code), "%d", i);
        if (numbers->http_statuses[i])
            bp_json_put_integer(w, code, numbers->http_statuses[i]);
    }
    bp_json_end(w);
}

static void put_times(bp_json_writer *w, const struct tally *tally)
{
    bp_json_key(w, "response_times");
    bp_json_object(w);
    bp_json_put_number(w, "avg", average_ms(tally) / 1e3);
    bp_json_put_number(w, "min", tally->least_ms / 1e3);
    bp_json_put_number(w, "max", tally->most_ms / 1e3);
    bp_json_put_number(w, "p50", percentile_ms(tally, 0.50) / 1e3);
    bp_json_put_number(w, "p95", percentile_ms(tally, 0.95) / 1e3);
    bp_json_put_number(w, "p99", percentile_ms(tally, 0.99) / 1e3);
    bp_json_end(w);
}

bp_status monitor_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct questioning *self = instance;
    bp_json_writer     *w = bp_json_writer_new(call, 262144);
    struct numbers     *numbers = BP_NEW(call, struct numbers);

    (void)request;
    if (!numbers)
        return BP_NO_MEMORY;
    pthread_mutex_lock(&self->monitor->lock);
    *numbers = self->monitor->numbers;
    pthread_mutex_unlock(&self->monitor->lock);
    bp_json_object(w);
    bp_json_put_number(w, "uptime_seconds", (double)(bp_now_ns() - numbers->since_ns) / 1e9);
    bp_json_put_integer(w, "total_requests", numbers->all.requests);
    bp_json_put_integer(w, "total_errors", numbers->all.errors);
    bp_json_put_number(w, "error_rate", error_rate(&numbers->all));
    bp_json_put_number(w, "avg_response_time_ms", average_ms(&numbers->all));
    bp_json_put_number(w, "avg_response_time", average_ms(&numbers->all) / 1e3);
    bp_json_put_integer(w, "success_count", numbers->all.requests - numbers->all.errors);
    bp_json_put_integer(w, "successful_requests", numbers->all.requests - numbers->all.errors);
    put_endpoints(w, numbers);
    put_requests(w, numbers);
    put_errors(w, numbers);
    put_times(w, &numbers->all);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

bp_status monitor_reset(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct questioning *self = instance;

    (void)request;
    pthread_mutex_lock(&self->monitor->lock);
    self->monitor->numbers = (struct numbers){ .since_ns = bp_now_ns() };
    pthread_mutex_unlock(&self->monitor->lock);
    return bp_respond(call, response, 200, "application/json",
                      BP_STR(
                          "{\"status\":\"success\",\"message\":\"Metrics reset successfully\"}"));
}

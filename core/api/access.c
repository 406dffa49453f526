/* access.c - counts and logs every request, also refused and failed ones.
 *
 * The status is that of the outcome: 499 when the client was gone first, that of the failure when a
 * stream that had begun with 200 was cut or ended by an error event (`sent_status` has the 200
 * then), else the status sent.
 */
#include "api/access.h"

#include "api/proxy.h"
#include "api/who.h"
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"

#define CUT_MARK "…"

enum {
    LOGGED_PATH_BYTES = 2000,
    LOGGED_NAME_BYTES = 200
}; /* a line has room for them however they are escaped */

static int32_t outcome_of(const struct http_exchange *exchange, bp_status failed)
{
    if (http_exchange_is_gone(exchange) && (failed != BP_OK || !exchange->status))
        return STATUS_CLIENT_GONE;
    if (exchange->status && exchange->status < 400 && failed != BP_OK)
        return bp_status_http(failed);
    return exchange->status;
}

/* What clients make up must not make series. */
static bp_str known_method(bp_str method)
{
    static const char *const known[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (bp_str_is(method, known[i]))
            return method;
    return BP_STR("other");
}

static struct metric_series *series_of(const struct api *api, bp_str method, bp_str route,
                                       int32_t status)
{
    char text[24];

    return metrics_series(api->requests, (bp_str[]){ method, route, str_from_int(status, text) },
                          3);
}

static void count(const struct api *api, struct route *route, bp_str method, int32_t status,
                  int64_t duration_ns)
{
    struct metric_series *series;

    if (!route) {
        metric_add(series_of(api, known_method(method), BP_STR("none"), status), 1);
        return;
    }
    CHECK_ALWAYS(status >= 0 && status < ROUTE_STATUSES); // no status beyond it is ever sent
    series = route->by_status[status];
    if (!series) {
        series = series_of(api, bp_str_of(route->spec.method), bp_str_of(route->spec.path), status);
        route->by_status[status] = series;
    }
    metric_add(series, 1);
    metric_observe(route->duration, (double)duration_ns / 1e9);
}

static bool is_logged(const struct api *api, int32_t status)
{
    int32_t mode = api->conf->server.access_log;

    return mode == ACCESS_LOG_ON || (mode == ACCESS_LOG_ERRORS && (status >= 400 || status == 0));
}

/* A path as it is logged: the beginning of a long one, with a mark. */
static bp_str cut_path(bp_str path, char text[LOGGED_PATH_BYTES + sizeof(CUT_MARK)])
{
    bp_str beginning = str_cut(path, LOGGED_PATH_BYTES);

    if (beginning.len == path.len)
        return path;
    memcpy(text, beginning.data, beginning.len);
    memcpy(text + beginning.len, CUT_MARK, sizeof(CUT_MARK));
    return bp_str_n(text, beginning.len + sizeof(CUT_MARK) - 1);
}

void access_note(struct api *api, struct http_exchange *exchange, struct route *route,
                 bp_status failed, int64_t duration_ns)
{
    bp_call *call = exchange->call;
    int32_t  status = outcome_of(exchange, failed);
    uint32_t level = status >= 500 ? BP_LOG_ERROR : BP_LOG_INFO;
    bp_field fields[9 + WHO_FIELDS_MAX];
    char     path[LOGGED_PATH_BYTES + sizeof(CUT_MARK)];
    size_t   field_count = 0;

    count(api, route, exchange->method, status, duration_ns);
    if (!is_logged(api, status) || !log_enabled(call->worker->log, level))
        return;
    fields[field_count++] = bp_field_str("method", exchange->method);
    fields[field_count++] = bp_field_str("path", cut_path(exchange->path, path));
    fields[field_count++] = bp_field_str("route",
                                         route ? bp_str_of(route->spec.path) : BP_STR("none"));
    fields[field_count++] = bp_field_int("status", status);
    if (status != exchange->status && exchange->status)
        fields[field_count++] = bp_field_int("sent_status", exchange->status);
    fields[field_count++] = bp_field_number("duration_ms", (double)(duration_ns / 1000) / 1000);
    fields[field_count++] = bp_field_int("sent_bytes", (int64_t)exchange->sent_bytes);
    fields[field_count++] = bp_field_str("peer", proxy_client_address(api, exchange));
    fields[field_count++] = bp_field_str("tenant",
                                         str_cut(call->principal.tenant, LOGGED_NAME_BYTES));
    field_count += who_fields(exchange, &fields[field_count]);
    call_log_record(call, level, BP_STR("request"), BP_STR(""), fields, field_count);
}

void access_note_refusal(const struct http_refusal *refusal, void *arg)
{
    struct api *api = arg;
    char        path[LOGGED_PATH_BYTES + sizeof(CUT_MARK)];
    bp_field    fields[] = { bp_field_str("method", refusal->method),
                             bp_field_str("path", cut_path(refusal->path, path)),
                             bp_field_str("route", BP_STR("none")),
                             bp_field_int("status", refusal->status),
                             bp_field_str("peer", refusal->peer) };

    count(api, NULL, refusal->method, refusal->status, 0);
    if (is_logged(api, refusal->status))
        log_record(refusal->log, BP_LOG_INFO, "request", bp_str_of(refusal->why), fields, 5);
}

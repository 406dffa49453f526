/* web.c - the way from the cases of an app to its routes: over the host's own listener, as
 * any client comes. */
#include "conform/web.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "schema/json_schema.h"
#include "base/str.h"
#include "plugin/generation.h"

enum { HEADERS_MAX = 16, SERVED_WAIT_S = 60, RESPONSE_MAX_BYTES = 64 << 20, ASK_TIMEOUT_S = 120 };

#define CANCEL_HEADER "x-conform-cancel-at"
#define TIME_HEADER   "x-conform-time-ns"

/* Spoiled requests come one at a time, from the cases that run on one worker. */
static struct {
    struct conform_web web;
    char               address[160];
    char              *kept;
    _Atomic uint32_t   suspensions; /* of the last one */
    _Atomic uint64_t   served;      /* spoiled ones that have been answered or given up */
} way;

/* ---- the server's side ---- */

void contract_web_handle(struct http_exchange *exchange, void *host)
{
    bp_call *call = exchange->call;
    bp_str   cancel = http_exchange_header(exchange, CANCEL_HEADER),
           time = http_exchange_header(exchange, TIME_HEADER);
    uint64_t number;

    if (str_to_uint(cancel, &number))
        call->cancel_at = (uint32_t)number;
    if (str_to_uint(time, &number))
        call->latest_ns = clock_now_ns() + (int64_t)number;
    edition_handle(exchange, host);
    call->cancel_at = 0;
    call->latest_ns = 0;
    if (!cancel.len && !time.len)
        return;
    way.suspensions = call->suspensions;
    way.served++;
}

/* ---- the client's ---- */

/* A handler may go on after its client has the answer. */
static bp_status wait_until_served(bp_call *call, uint64_t served)
{
    int64_t until_ns = bp_now_ns() + BP_SECONDS(SERVED_WAIT_S);

    while (way.served == served) {
        if (bp_now_ns() > until_ns)
            return bp_fail(call, BP_INTERNAL, "a call that was cancelled still runs after %d s",
                           SERVED_WAIT_S);
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(1)));
    }
    return BP_OK;
}

static bp_str header_of(const bp_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (bp_str_is(response->headers[i].name, name))
            return response->headers[i].value;
    return (bp_str){ NULL, 0 };
}

static bp_status ask(bp_call *call, const struct conform_request *wanted,
                     struct conform_reply *reply)
{
    bp_http_header   headers[HEADERS_MAX];
    bp_http_request  request = { .struct_size = sizeof(request),
                                 .method = bp_str_of(wanted->method),
                                 .url = bp_format(call, "http://%s" BP_FMT, way.address,
                                                  BP_ARG(wanted->target)),
                                 .headers = headers,
                                 .body = wanted->body,
                                 .deadline_ns = bp_now_ns() + BP_SECONDS(ASK_TIMEOUT_S),
                                 .max_response_bytes = RESPONSE_MAX_BYTES };
    bp_http_response response;
    uint64_t         served = way.served;
    bp_status        status;

    for (uint32_t i = 0; i < wanted->header_count && i < HEADERS_MAX - 2; i++)
        headers[request.header_count++] = wanted->headers[i];
    if (wanted->cancel_at)
        headers[request.header_count++] = (bp_http_header){
            BP_STR(CANCEL_HEADER), bp_format(call, "%u", wanted->cancel_at)
        };
    if (wanted->time_ns >= 0)
        headers[request.header_count++] = (bp_http_header){
            BP_STR(TIME_HEADER), bp_format(call, "%lld", (long long)wanted->time_ns)
        };
    *reply = (struct conform_reply){ .status = 0 };
    status = bp_http_fetch(call, &request, &response);
    if (status == BP_OK) {
        reply->status = response.status;
        reply->content_type = response.content_type;
        reply->body = response.body;
        reply->allow = header_of(&response, "allow");
    } else if (status != BP_UNAVAILABLE && status != BP_UPSTREAM) {
        return status; // the case's own time is over, or the URL is none
    }
    bp_clear_error(call);
    if (wanted->cancel_at || wanted->time_ns >= 0)
        BP_TRY(wait_until_served(call, served));
    reply->suspensions = way.suspensions;
    return BP_OK;
}

/* ---- the rest ---- */

static bp_status fits(bp_call *call, bp_str schema, bp_str json)
{
    struct reason       why;
    struct json_schema *compiled = json_schema_compile(schema, &why);
    const bp_json      *value = NULL;
    bool                is_fit;

    if (!compiled)
        return bp_fail(call, BP_DATA, "%s", why.text);
    is_fit = json_parse(call->arena, json, &value, &why) == BP_OK &&
             json_schema_check(compiled, value, &why);
    json_schema_free(compiled);
    return is_fit ? BP_OK : bp_fail(call, BP_INVALID, "%s", why.text);
}

static void keep(bp_str text)
{
    free(way.kept);
    way.kept = strndup(text.len ? text.data : "", text.len);
}

static bp_str kept(void)
{
    return bp_str_of(way.kept ? way.kept : "");
}

const struct conform_web *contract_web_open(struct host *host, bp_str name)
{
    struct instance *instance = generation_find(host->edition->generation, 0, BP_STR("app"), name);

    snprintf(way.address, sizeof(way.address), BP_FMT,
             BP_ARG(http_edge_listener_address(host->edge, 0)));
    way.web = (struct conform_web){ .app = instance->unit->plugin->descriptor.ops,
                                    .name = name,
                                    .max_body_bytes = host->conf->server.limits.body_bytes,
                                    .ask = ask,
                                    .fits = fits,
                                    .keep = keep,
                                    .kept = kept };
    return &way.web;
}

void contract_web_end(void)
{
    free(way.kept);
    way.kept = NULL;
}

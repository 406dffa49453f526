/* http.c - a health check: does an HTTP server answer a request as it should? */
#define _GNU_SOURCE // memmem()
#include <backplane/health.h>
#include <backplane/http.h>
#include <backplane/plugin.h>

#include <math.h>
#include <stdlib.h>

enum { BODY_MAX_BYTES = 1 << 20 };

struct http_check {
    bp_str      url;
    int32_t     method; /* place in the choices */
    bp_str_list expect;
    bp_str      contains;
    int64_t     timeout_ns;
};

/* "200", "2xx" or "200-299"; false when it is none of these. */
static bool range_of(bp_str text, int32_t *first, int32_t *last)
{
    char  copy[8];
    char *end;
    long  low, high;

    if (text.len < 3 || text.len >= sizeof(copy))
        return false;
    snprintf(copy, sizeof(copy), BP_FMT, BP_ARG(text));
    if (text.len == 3 && copy[0] >= '1' && copy[0] <= '5' && strcmp(copy + 1, "xx") == 0) {
        *first = (copy[0] - '0') * 100;
        *last = *first + 99;
        return true;
    }
    low = strtol(copy, &end, 10);
    high = *end == '-' && end == copy + 3 ? strtol(end + 1, &end, 10) : low;
    *first = (int32_t)low;
    *last = (int32_t)high;
    return *end == '\0' && low >= 100 && high <= 599 && low <= high;
}

static bool is_expected(const struct http_check *check, int32_t status)
{
    int32_t first, last;

    for (size_t i = 0; i < check->expect.count; i++)
        if (range_of(check->expect.items[i], &first, &last) && status >= first && status <= last)
            return true;
    return check->expect.count == 0 && status >= 200 && status <= 299;
}

static bp_status check_options(bp_call *call, const void *given)
{
    const struct http_check *check = given;
    int32_t                  first, last;

    for (size_t i = 0; i < check->expect.count; i++)
        if (!range_of(check->expect.items[i], &first, &last))
            return bp_fail(call, BP_INVALID,
                           "expect: \"" BP_FMT "\" is not a status; write 200, 2xx or 200-299",
                           BP_ARG(check->expect.items[i]));
    if (check->contains.len && check->method == 1)
        return bp_fail(call, BP_INVALID,
                       "contains: the answer to HEAD has no body to look into; use method: GET");
    return BP_OK;
}

static bp_status http_ask(bp_call *call, void *instance, bp_health *health)
{
    const struct http_check *check = instance;
    int64_t                  before_ns = bp_now_ns();
    bp_http_request          request = { .struct_size = sizeof(request), .url = check->url };
    bp_http_response         response;
    bp_status                status;

    health->value = NAN;
    request.method = check->method == 1 ? BP_STR("HEAD") : BP_STR("GET");
    request
        .connect_timeout_ns = request
                                  .first_byte_timeout_ns = request
                                                               .idle_timeout_ns = check->timeout_ns;
    request.deadline_ns = bp_within(call, check->timeout_ns);
    request.max_response_bytes = BODY_MAX_BYTES;
    status = bp_http_fetch(call, &request, &response);
    if (status == BP_CANCELLED)
        return status;
    if (status != BP_OK)
        return bp_health_down(call, health);
    health->value = (double)(bp_now_ns() - before_ns) / 1e9;
    health->unit = BP_STR("seconds");
    if (!is_expected(check, response.status))
        return bp_health_say(call, health, BP_HEALTH_DOWN, BP_FMT " answered %d",
                             BP_ARG(check->url), response.status);
    if (check->contains.len &&
        !memmem(response.body.data, response.body.len, check->contains.data, check->contains.len))
        return bp_health_say(call, health, BP_HEALTH_DOWN,
                             BP_FMT " answered %d, but without \"" BP_FMT "\"", BP_ARG(check->url),
                             response.status, BP_ARG(check->contains));
    return bp_health_say(call, health, BP_HEALTH_OK, BP_FMT " answered %d", BP_ARG(check->url),
                         response.status);
}

static const bp_option options[] = {
    BP_OPTION_URL(struct http_check, url, .is_required = true,
                  .example = "http://127.0.0.1:6333/readyz",
                  .help = "URL to request, without following redirects"),
    BP_OPTION_ENUM(struct http_check, method, .initial = "GET", .choices = "GET|HEAD",
                   .help = "HTTP method"),
    BP_OPTION_LIST(struct http_check, expect, .example = "[200, 204]",
                   .help = "statuses that are healthy: 200, 2xx or 200-299; none: 2xx"),
    BP_OPTION_STRING(struct http_check, contains, .example = "ready",
                     .help = "text that the body must have; empty: any"),
    BP_OPTION_DURATION(struct http_check, timeout, .initial = "5s", .minimum = "10ms",
                       .maximum = "1m", .help = "longest time for the answer"),
};

static const bp_life life = { .struct_size = sizeof(bp_life), .check = check_options };

static const bp_health_ops ops = { .struct_size = sizeof(bp_health_ops), .check = http_ask };

BP_PLUGIN(health, "http", "1.0.0",
          .summary = "checks that an HTTP server answers with the expected status and text",
          .license = "Apache-2.0", .instance_size = sizeof(struct http_check),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

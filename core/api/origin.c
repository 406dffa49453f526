/* origin.c - which Host and Origin a request may carry. */
#include "api/origin.h"

#include "api/proxy.h"
#include "base/str.h"

/* The name without the port: "[::1]:80" is "[::1]". */
static bp_str without_port(bp_str host)
{
    bp_str rest;

    if (host.len && host.data[0] == '[') {
        const char *end = memchr(host.data, ']', host.len);

        return end ? (bp_str){ host.data, (size_t)(end - host.data) + 1 } : host;
    }
    return str_split(host, ':', &rest);
}

static bool is_loopback_name(bp_str host)
{
    bp_str name = without_port(host);

    return str_equal_ignore_case(name, BP_STR("localhost")) || bp_str_is(name, "[::1]") ||
           (bp_str_starts(name, "127.") && strspn(name.data, "0123456789.") >= name.len);
}

/* Of an origin, which is a client's word: nothing behind the name but a port. */
static bool is_loopback_host(bp_str host)
{
    bp_str   name = without_port(host), port = bp_str_n(host.data + name.len, host.len - name.len);
    uint64_t number;

    return is_loopback_name(name) &&
           (!port.len ||
            (port.data[0] == ':' && str_to_uint(bp_str_n(port.data + 1, port.len - 1), &number)));
}

static bool is_in(const bp_str_list *list, bp_str text)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_equal_ignore_case(list->items[i], text) || bp_str_is(list->items[i], "*"))
            return true;
    return false;
}

bool origin_is_loopback_listener(const struct api *api, const struct http_exchange *exchange)
{
    const struct server_conf *server = &api->conf->server;

    return api_is_metrics_listener(api, exchange)
               ? is_loopback_name(server->metrics_listen)
               : exchange->listener < server->listener_count &&
                     is_loopback_name(server->listeners[exchange->listener].address);
}

static bp_str host_of_origin(bp_str origin)
{
    if (bp_str_starts(origin, "http://"))
        return (bp_str){ origin.data + 7, origin.len - 7 };
    if (bp_str_starts(origin, "https://"))
        return (bp_str){ origin.data + 8, origin.len - 8 };
    return (bp_str){ "", 0 };
}

bp_status origin_check(const struct api *api, struct http_exchange *exchange)
{
    const struct server_conf *server = &api->conf->server;
    bp_str                    host = exchange->host, origin;
    bool                      is_named;

    if (api->is_private)
        return BP_OK;
    // No name leads to an address that is written out: what rebinds names cannot make one, and
    // probes use them. Nor can it send no Host at all, as probes of HTTP/1.0 do: every browser
    // names one.
    is_named = !host.len || is_in(&server->allowed_hosts, host) ||
               is_in(&server->allowed_hosts, without_port(host)) ||
               (!origin_is_loopback_listener(api, exchange) &&
                proxy_is_address(without_port(host)));
    if (origin_is_loopback_listener(api, exchange) ? !is_named && !is_loopback_name(host)
                                                   : !is_named && server->allowed_hosts.count > 0)
        return call_fail(exchange->call, BP_DENIED,
                         "this server does not answer for the host \"" BP_FMT
                         "\": add it to server.allowed_hosts if it should",
                         BP_ARG(host));
    origin = http_exchange_header(exchange, "origin");
    if (!origin.len || (host.len && str_equal_ignore_case(host_of_origin(origin), host)))
        return BP_OK;
    if (!is_in(&server->allowed_origins, origin) &&
        !(origin_is_loopback_listener(api, exchange) && is_loopback_host(host_of_origin(origin))))
        return call_fail(exchange->call, BP_DENIED,
                         "pages of the origin \"" BP_FMT "\" may not use this server: add it to "
                         "server.allowed_origins if they should",
                         BP_ARG(origin));
    http_exchange_add_header(exchange, BP_STR("Access-Control-Allow-Origin"), origin);
    http_exchange_add_header(exchange, BP_STR("Vary"), BP_STR("Origin"));
    http_exchange_add_header(exchange, BP_STR("Access-Control-Expose-Headers"),
                             BP_STR("Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Request-Id"));
    return BP_OK;
}

bool origin_is_preflight(struct http_exchange *exchange)
{
    return bp_str_is(exchange->method, "OPTIONS");
}

bp_status origin_answer_preflight(struct http_exchange *exchange)
{
    bp_str wanted = http_exchange_header(exchange, "access-control-request-headers");

    if (http_exchange_header(exchange, "access-control-request-method").len) {
        http_exchange_add_header(exchange, BP_STR("Access-Control-Allow-Methods"),
                                 BP_STR("GET, POST, PUT, PATCH, DELETE"));
        // What a page asks for, as Mcp-Param-* may have any name: it came past origin_check().
        http_exchange_add_header(exchange, BP_STR("Access-Control-Allow-Headers"),
                                 wanted.len ? wanted
                                            : BP_STR("Authorization, Content-Type, X-API-Key, "
                                                     "X-Request-Id, traceparent"));
        http_exchange_add_header(exchange, BP_STR("Access-Control-Max-Age"), BP_STR("600"));
    }
    http_exchange_add_header(exchange, BP_STR("Allow"),
                             BP_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    return http_exchange_send(exchange, 204, (bp_str){ NULL, 0 }, (bp_str){ NULL, 0 });
}

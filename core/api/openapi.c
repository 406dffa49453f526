/* openapi.c - the route tables as OpenAPI 3.1, and as a page. */
#include "api/api.h"

#include <stdio.h>

#include "base/str.h"
#include "version.h"

static void put_parameters(bp_json_writer *w, const struct route *route)
{
    bp_str rest = bp_str_of(route->spec.path),
           lines = bp_str_of(route->spec.query ? route->spec.query : "");

    json_key(w, BP_STR("parameters"));
    json_begin(w, JSON_KIND_ARRAY);
    while (rest.len) {
        bp_str segment = str_split(rest, '/', &rest);

        if (segment.len < 3 || segment.data[0] != '{')
            continue;
        segment = (bp_str){ segment.data + 1, segment.len - 2 };
        if (segment.len > 3 && segment.data[segment.len - 1] == '.')
            segment.len -= 3;
        json_begin(w, JSON_KIND_OBJECT);
        json_put_string(w, "name", segment);
        json_put_text(w, "in", "path");
        json_put_bool(w, "required", true);
        json_key(w, BP_STR("schema"));
        json_add_raw(w, BP_STR("{\"type\":\"string\"}"));
        json_end(w);
    }
    while (lines.len) {
        bp_str line = str_split(lines, '\n', &lines), about, name = str_split(line, ':', &about);

        json_begin(w, JSON_KIND_OBJECT);
        json_put_string(w, "name", str_trim(name));
        json_put_text(w, "in", "query");
        json_put_string(w, "description", str_trim(about));
        json_key(w, BP_STR("schema"));
        json_add_raw(w, BP_STR("{\"type\":\"string\"}"));
        json_end(w);
    }
    json_end(w);
}

static void put_content(bp_json_writer *w, const char *schema)
{
    json_key(w, BP_STR("content"));
    json_begin(w, JSON_KIND_OBJECT);
    json_key(w, BP_STR("application/json"));
    json_begin(w, JSON_KIND_OBJECT);
    json_key(w, BP_STR("schema"));
    json_add_raw(w, bp_str_of(schema));
    json_end(w);
    json_end(w);
}

static void put_responses(bp_json_writer *w, const struct route *route)
{
    json_key(w, BP_STR("responses"));
    json_begin(w, JSON_KIND_OBJECT);
    json_key(w, BP_STR("200"));
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "description", "done");
    if (route->spec.response_schema)
        put_content(w, route->spec.response_schema);
    json_end(w);
    json_key(w, BP_STR("default"));
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "description", "it failed; the message says why");
    put_content(w, "{\"$ref\":\"#/components/schemas/Error\"}");
    json_end(w);
    json_end(w);
}

static void put_operation(bp_json_writer *w, const struct route *route)
{
    char   method[8];
    size_t len = strlen(route->spec.method);

    for (size_t i = 0; i <= len; i++)
        method[i] = (char)(route->spec.method[i] | (i < len ? 0x20 : 0));
    json_key(w, bp_str_of(method));
    json_begin(w, JSON_KIND_OBJECT);
    if (route->spec.summary)
        json_put_text(w, "summary", route->spec.summary);
    json_key(w, BP_STR("tags"));
    json_begin(w, JSON_KIND_ARRAY);
    json_add_string(w, bp_str_of(route->owner ? route->owner : "host"));
    json_end(w);
    put_parameters(w, route);
    if (route->spec.request_schema) {
        json_key(w, BP_STR("requestBody"));
        json_begin(w, JSON_KIND_OBJECT);
        json_put_bool(w, "required", true);
        put_content(w, route->spec.request_schema);
        json_end(w);
    }
    put_responses(w, route);
    json_key(w, BP_STR("security"));
    json_add_raw(w, route->spec.scope || route->spec.flags & BP_ROUTE_AUTHENTICATED
                        ? BP_STR("[{\"key\":[]}]")
                        : BP_STR("[]"));
    if (route->spec.scope)
        json_put_text(w, "x-scope", route->spec.scope);
    json_end(w);
}

/* {rest...} is {rest} there, as its parameter is. */
static void put_path(bp_json_writer *w, const char *path)
{
    size_t len = strlen(path);
    char   text[512];

    if (len < 4 || len >= sizeof(text) || strcmp(path + len - 4, "...}") != 0) {
        json_key(w, bp_str_of(path));
        return;
    }
    snprintf(text, sizeof(text), "%.*s}", (int)(len - 4), path);
    json_key(w, bp_str_of(text));
}

static bool is_first_of_its_path(const struct router *router, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(router_at(router, i)->spec.path, router_at(router, index)->spec.path) == 0)
            return false;
    return true;
}

bp_str api_make_openapi(const struct api *api, struct arena *arena)
{
    const struct router *router = api->router;
    struct bp_buf        buf;
    bp_json_writer       w;

    buf_init(&buf, arena, 8u << 20);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "openapi", "3.1.0");
    json_key(&w, BP_STR("info"));
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "title", "Backplane");
    json_put_text(&w, "version", BACKPLANE_VERSION);
    json_end(&w);
    json_key(&w, BP_STR("paths"));
    json_begin(&w, JSON_KIND_OBJECT);
    for (size_t i = 0; i < router_count(router); i++) {
        if (!is_first_of_its_path(router, i))
            continue;
        put_path(&w, router_at(router, i)->spec.path);
        json_begin(&w, JSON_KIND_OBJECT);
        for (size_t j = i; j < router_count(router); j++)
            if (strcmp(router_at(router, j)->spec.path, router_at(router, i)->spec.path) == 0)
                put_operation(&w, router_at(router, j));
        json_end(&w);
    }
    json_end(&w);
    json_key(&w, BP_STR("components"));
    json_add_raw(&w,
                 BP_STR("{\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
                        "\"schemas\":{\"Error\":{\"type\":\"object\",\"properties\":{\"error\":{"
                        "\"type\":\"object\",\"properties\":{\"code\":{\"type\":\"string\"},"
                        "\"message\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\"}},"
                        "\"required\":[\"code\",\"message\"]}},\"required\":[\"error\"]}}}"));
    json_end(&w);
    return json_writer_status(&w) == BP_OK ? buf_str(&buf) : BP_STR("{}");
}

/* ---- the page ---- */

static void add_escaped(struct bp_buf *buf, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            buf_add(buf, BP_STR("&lt;"));
            break;
        case '>':
            buf_add(buf, BP_STR("&gt;"));
            break;
        case '&':
            buf_add(buf, BP_STR("&amp;"));
            break;
        case '\n':
            buf_add(buf, BP_STR("<br>"));
            break;
        default:
            buf_add_char(buf, *text);
            break;
        }
    }
}

static void add_row(struct bp_buf *buf, const struct route *route)
{
    buf_addf(buf, "<tr><td><b>%s</b></td><td><code>", route->spec.method);
    add_escaped(buf, route->spec.path);
    buf_add(buf, BP_STR("</code></td><td>"));
    add_escaped(buf, route->spec.summary ? route->spec.summary : "");
    if (route->spec.query) {
        buf_add(buf, BP_STR("<br><small>"));
        add_escaped(buf, route->spec.query);
        buf_add(buf, BP_STR("</small>"));
    }
    if (route->spec.request_schema) {
        buf_add(buf, BP_STR("<details><summary>body</summary><pre>"));
        add_escaped(buf, route->spec.request_schema);
        buf_add(buf, BP_STR("</pre></details>"));
    }
    buf_add(buf, BP_STR("</td><td><code>"));
    add_escaped(buf, route->spec.scope ? route->spec.scope : "");
    buf_add(buf, BP_STR("</code></td></tr>\n"));
}

bp_str api_make_docs_page(const struct api *api, struct arena *arena)
{
    const char   *owner = "";
    struct bp_buf buf;

    buf_init(&buf, arena, 8u << 20);
    buf_add(&buf,
            BP_STR("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Backplane: "
                   "routes</title><style>body{font:16px/1.5 "
                   "system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 "
                   "1em;color:#222}table{border-collapse:collapse;width:100%}td,th{text-align:left;"
                   "padding:.4em .8em;border-bottom:1px solid "
                   "#ddd;vertical-align:top}pre{white-space:pre-wrap}</style>\n"
                   "<h1>Backplane " BACKPLANE_VERSION
                   "</h1><p>Every route of this server, from its route tables. For programs: <a "
                   "href=\"/openapi.json\">/openapi.json</a>.</p>\n"));
    for (size_t i = 0; i < router_count(api->router); i++) {
        const struct route *route = router_at(api->router, i);
        const char         *now = route->owner ? route->owner : "host";

        if (strcmp(owner, now) != 0) {
            buf_addf(&buf,
                     "%s<h2>%s</h2><table><tr><th>method</th><th>path</th><th>what it "
                     "does</th><th>scope</th></tr>\n",
                     *owner ? "</table>" : "", now);
            owner = now;
        }
        add_row(&buf, route);
    }
    buf_add(&buf, BP_STR("</table></html>\n"));
    return buf_str(&buf);
}

/* catalog.c - reads the MCP tables of apps: names, schemas, listings. */
#include "mcp/catalog.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "schema/params.h"

enum { CATALOG_BYTES_MAX = 64 << 20, NAME_BYTES_MAX = 64 };

_Static_assert((int)COMPLETION_OP < (int)GATE_OPS_MAX,
               "the gate has too few places for operations");

/* ---- names: a hash table that is filled once ---- */

struct name_table {
    size_t   mask;
    uint32_t places[]; /* index + 1; 0: free */
};

static struct name_table *names_new(struct arena *arena, size_t count)
{
    size_t             size = 8;
    struct name_table *table;

    while (size < count * 2)
        size *= 2;
    table = arena_alloc(arena, sizeof(*table) + size * sizeof(table->places[0]));
    if (table)
        table->mask = size - 1;
    return table;
}

static void names_add(struct name_table *table, bp_str name, size_t index)
{
    size_t at = str_hash(name, 0) & table->mask;

    while (table->places[at])
        at = (at + 1) & table->mask;
    table->places[at] = (uint32_t)index + 1;
}

struct catalog_tool *catalog_find_tool(const struct catalog *catalog, bp_str name)
{
    const struct name_table *table = catalog->tool_names;

    for (size_t at = str_hash(name, 0) & table->mask; table->places[at];
         at = (at + 1) & table->mask)
        if (bp_str_equal(catalog->tools[table->places[at] - 1].name, name))
            return &catalog->tools[table->places[at] - 1];
    return NULL;
}

struct catalog_prompt *catalog_find_prompt(const struct catalog *catalog, bp_str name)
{
    const struct name_table *table = catalog->prompt_names;

    for (size_t at = str_hash(name, 0) & table->mask; table->places[at];
         at = (at + 1) & table->mask)
        if (bp_str_equal(catalog->prompts[table->places[at] - 1].name, name))
            return &catalog->prompts[table->places[at] - 1];
    return NULL;
}

/* ---- uris ---- */

struct catalog_resource *catalog_find_resource(const struct catalog *catalog, bp_str uri,
                                               struct uri_value values[URI_VALUES_MAX],
                                               size_t          *value_count)
{
    *value_count = 0;
    for (size_t i = 0; i < catalog->resource_count; i++)
        if (!catalog->resources[i].is_template && bp_str_is(uri, catalog->resources[i].spec.uri))
            return &catalog->resources[i];
    for (size_t i = 0; i < catalog->resource_count; i++)
        if (catalog->resources[i].is_template &&
            uri_template_fits(bp_str_of(catalog->resources[i].spec.uri), uri, values, value_count))
            return &catalog->resources[i];
    *value_count = 0;
    return NULL;
}

struct catalog_resource *catalog_find_template(const struct catalog *catalog, bp_str template)
{
    for (size_t i = 0; i < catalog->resource_count; i++)
        if (bp_str_is(template, catalog->resources[i].spec.uri))
            return &catalog->resources[i];
    return NULL;
}

/* ---- listings ---- */

static void put_optional(bp_json_writer *w, const char *key, const char *text)
{
    if (text)
        json_put_text(w, key, text);
}

static void put_raw(bp_json_writer *w, const char *key, const char *json)
{
    if (!json)
        return;
    json_key(w, bp_str_of(key));
    json_add_raw(w, bp_str_of(json));
}

static void put_annotations(bp_json_writer *w, uint32_t flags)
{
    json_key(w, BP_STR("annotations"));
    json_begin(w, JSON_KIND_OBJECT);
    json_put_bool(w, "readOnlyHint", flags & BP_TOOL_READ_ONLY);
    json_put_bool(w, "destructiveHint", flags & BP_TOOL_DESTRUCTIVE);
    json_put_bool(w, "idempotentHint", flags & (BP_TOOL_IDEMPOTENT | BP_TOOL_READ_ONLY));
    json_put_bool(w, "openWorldHint", flags & BP_TOOL_OPEN_WORLD);
    json_end(w);
}

static bp_str list_tool(struct arena *arena, const struct catalog_tool *tool, bool is_modern)
{
    const bp_mcp_tool *spec = &tool->spec;
    struct bp_buf      buf;
    bp_json_writer     w;

    buf_init(&buf, arena, CATALOG_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "name", tool->name);
    put_optional(&w, "title", spec->title);
    put_optional(&w, "description", spec->description);
    put_raw(&w, "icons", spec->icons);
    put_raw(&w, "inputSchema",
            spec->input_schema ? spec->input_schema
                               : "{\"type\":\"object\",\"additionalProperties\":false}");
    put_raw(&w, "outputSchema", spec->output_schema);
    put_annotations(&w, spec->flags);
    if (!is_modern && spec->flags & (BP_TOOL_TASK | BP_TOOL_TASK_ONLY))
        put_raw(&w, "execution",
                spec->flags & BP_TOOL_TASK_ONLY ? "{\"taskSupport\":\"required\"}"
                                                : "{\"taskSupport\":\"optional\"}");
    json_end(&w);
    return buf_str(&buf);
}

static bp_str list_resource(struct arena *arena, const struct catalog_resource *resource)
{
    const bp_mcp_resource *spec = &resource->spec;
    struct bp_buf          buf;
    bp_json_writer         w;

    buf_init(&buf, arena, CATALOG_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, resource->is_template ? "uriTemplate" : "uri", spec->uri);
    json_put_text(&w, "name", spec->name);
    put_optional(&w, "title", spec->title);
    put_optional(&w, "description", spec->description);
    put_optional(&w, "mimeType", spec->mime_type);
    put_raw(&w, "icons", spec->icons);
    json_end(&w);
    return buf_str(&buf);
}

static void put_argument(bp_json_writer *w, const bp_mcp_argument *argument)
{
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "name", argument->name);
    put_optional(w, "title", argument->title);
    put_optional(w, "description", argument->description);
    json_put_bool(w, "required", argument->is_required);
    json_end(w);
}

static bp_str list_prompt(struct arena *arena, const struct catalog_prompt *prompt)
{
    const bp_mcp_prompt *spec = &prompt->spec;
    struct bp_buf        buf;
    bp_json_writer       w;

    buf_init(&buf, arena, CATALOG_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "name", prompt->name);
    put_optional(&w, "title", spec->title);
    put_optional(&w, "description", spec->description);
    put_raw(&w, "icons", spec->icons);
    json_key(&w, BP_STR("arguments"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (uint32_t i = 0; i < spec->argument_count; i++)
        put_argument(&w, (const bp_mcp_argument *)(const void *)((const char *)spec->arguments +
                                                                 i * spec->argument_size));
    json_end(&w);
    json_end(&w);
    return buf_str(&buf);
}

/* ---- headers that mirror arguments ---- */

static bool add_header(struct catalog *catalog, struct catalog_tool *tool, const bp_str *path,
                       size_t depth, bp_str name, struct reason *why)
{
    struct header_property *header = &tool->headers[tool->header_count];
    struct bp_buf           text;

    if (tool->header_count == CATALOG_HEADERS_MAX) {
        reason_set(why, "more than %d properties have an x-mcp-header", CATALOG_HEADERS_MAX);
        return false;
    }
    if (!name.len) { // or a value that is not a string
        reason_set(why, "x-mcp-header \"\" is no name for a header");
        return false;
    }
    buf_init(&text, &catalog->arena, CATALOG_BYTES_MAX);
    buf_add(&text, BP_STR("mcp-param-"));
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            reason_set(why, "x-mcp-header \"" BP_FMT "\" is no name for a header", BP_ARG(name));
            return false;
        }
        buf_add_char(&text, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
    header->header = buf_str(&text).data;
    header->depth = depth;
    memcpy(header->path, path, depth * sizeof(*path));
    for (size_t i = 0; i < tool->header_count; i++) {
        if (strcmp(tool->headers[i].header, header->header) != 0)
            continue;
        reason_set(why, "two properties have the x-mcp-header \"" BP_FMT "\"", BP_ARG(name));
        return false;
    }
    tool->header_count++;
    return true;
}

static bool find_headers(struct catalog *catalog, struct catalog_tool *tool, const bp_json *schema,
                         bp_str path[4], size_t depth, struct reason *why)
{
    const bp_json *properties = json_get(schema, BP_STR("properties")), *property;
    size_t         cursor = 0;
    bp_str         name;

    while (depth < 4 && json_entry(properties, &cursor, &name, &property)) {
        const bp_json *header = json_get(property, BP_STR("x-mcp-header"));
        bp_str         type = json_as_string(json_get(property, BP_STR("type")));

        path[depth] = arena_dup(&catalog->arena, name);
        if (header) {
            if (!bp_str_is(type, "string") && !bp_str_is(type, "integer") &&
                !bp_str_is(type, "boolean")) {
                reason_set(why,
                           "x-mcp-header stands at \"" BP_FMT
                           "\", which is no string, integer or boolean",
                           BP_ARG(name));
                return false;
            }
            if (!add_header(catalog, tool, path, depth + 1, json_as_string(header), why))
                return false;
        }
        if (!find_headers(catalog, tool, property, path, depth + 1, why))
            return false;
    }
    return true;
}

/* ---- reading the tables ---- */

static bool is_name(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len < 1 || len > NAME_BYTES_MAX)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") ==
           len;
}

static bool offers(const bp_app_ops *app, const struct unit *unit, const char *name)
{
    return !BP_HAS(app, bp_app_ops, offers) || !app->offers ||
           app->offers(unit->instances[0].object, name);
}

static bool read_tool(struct catalog *catalog, struct catalog_tool *tool, struct reason *why)
{
    struct tool_schemas schemas;
    struct reason       reason = { "" };
    bp_str              path[4];
    bool                is_good;

    if (!is_name(tool->spec.name) || !tool->spec.handler) {
        reason_set(why, "its name is not 1 to %d of [A-Za-z0-9_./-], or it has no handler",
                   NAME_BYTES_MAX);
        return false;
    }
    if (!params_text(&catalog->arena, tool->spec.params, &tool->spec.input_schema, why) ||
        !params_text(&catalog->arena, tool->spec.results, &tool->spec.output_schema, why))
        return false;
    is_good = tool_schemas_read(&catalog->arena, tool->spec.input_schema, tool->spec.output_schema,
                                &schemas, &reason);
    tool->input = schemas.input; // catalog_free() looks at them
    tool->output = schemas.output;
    tool->input_json = schemas.input_json;
    if (!is_good) {
        reason_set(why, "%.511s", reason.text);
        return false;
    }
    if (tool->spec.output_schema)
        tool->shape = shape_read(&catalog->arena, bp_str_of(tool->spec.output_schema));
    tool->needs = mcp_abilities_of_words(tool->spec.needs);
    tool->name = bp_str_of(tool->spec.name);
    return find_headers(catalog, tool, tool->input_json, path, 0, why);
}

/* The entry at `index` of a table with that stride, as far as both sides know it. */
static void take_entry(void *to, size_t size, const void *table, size_t stride, size_t index)
{
    memset(to, 0, size);
    memcpy(to, (const char *)table + index * stride, stride < size ? stride : size);
}

static bool read_app(struct catalog *catalog, struct unit *unit, struct reason *why)
{
    const bp_app_ops *app = unit->plugin->descriptor.ops;
    const char       *owner = unit->conf->name.data;
    struct reason     reason;

    if (app->tool_count > TOOLS_OF_APP_MAX || app->resource_count > OTHERS_OF_APP_MAX ||
        app->prompt_count > OTHERS_OF_APP_MAX) {
        reason_set(why, "%s has more than %d tools, or more than %d resources or prompts", owner,
                   TOOLS_OF_APP_MAX, OTHERS_OF_APP_MAX);
        return false;
    }
    for (size_t i = 0; i < app->tool_count; i++) {
        struct catalog_tool *tool = &catalog->tools[catalog->tool_count];

        take_entry(&tool->spec, sizeof(tool->spec), app->tools, app->tool_size, i);
        if (!offers(app, unit, tool->spec.name))
            continue;
        catalog->tool_count++; // from now on catalog_free() looks at it
        if (!read_tool(catalog, tool, &reason)) {
            reason_set(why, "the MCP tool \"%.64s\" of %s cannot be offered: %.380s",
                       tool->spec.name ? tool->spec.name : "", owner, reason.text);
            return false;
        }
        tool->unit = unit;
        tool->op = (struct gate_op){ (uint32_t)(TOOL_OPS + i),
                                     arena_format(&catalog->arena, "tool %s", tool->spec.name).data,
                                     false };
        if (unit->plugin)
            gate_define_op(unit, tool->op.name);
    }
    for (size_t i = 0; i < app->resource_count; i++) {
        struct catalog_resource *resource = &catalog->resources[catalog->resource_count];

        take_entry(&resource->spec, sizeof(resource->spec), app->resources, app->resource_size, i);
        if (!offers(app, unit, resource->spec.uri))
            continue;
        if (!resource->spec.uri || !strstr(resource->spec.uri, ":") || !resource->spec.name ||
            !resource->spec.handler) {
            reason_set(why, "the MCP resource %zu of %s has no uri, name or handler", i, owner);
            return false;
        }
        resource->unit = unit;
        resource->is_template = strchr(resource->spec.uri, '{') != NULL;
        resource->op = (struct gate_op){
            (uint32_t)(RESOURCE_OPS + i),
            arena_format(&catalog->arena, "resource %s", resource->spec.uri).data, false
        };
        resource->listing = list_resource(&catalog->arena, resource);
        catalog->resource_count++;
    }
    for (size_t i = 0; i < app->prompt_count; i++) {
        struct catalog_prompt *prompt = &catalog->prompts[catalog->prompt_count];

        take_entry(&prompt->spec, sizeof(prompt->spec), app->prompts, app->prompt_size, i);
        if (!offers(app, unit, prompt->spec.name))
            continue;
        if (!is_name(prompt->spec.name) || !prompt->spec.handler) {
            reason_set(why, "the MCP prompt %zu of %s has no proper name or no handler", i, owner);
            return false;
        }
        prompt->unit = unit;
        prompt->name = bp_str_of(prompt->spec.name);
        prompt->op = (struct gate_op){
            (uint32_t)(PROMPT_OPS + i),
            arena_format(&catalog->arena, "prompt %s", prompt->spec.name).data, false
        };
        catalog->prompt_count++;
    }
    catalog->has_completion |= app->complete != NULL;
    return true;
}

/* ---- names that are listed ---- */

/* Of one app: its tools, then its prompts; NULL behind the last. */
static bp_str *name_at(struct catalog *catalog, const struct unit *unit, size_t *cursor,
                       const char **what)
{
    for (; *cursor < catalog->tool_count; ++*cursor) {
        *what = "tool";
        if (catalog->tools[*cursor].unit == unit)
            return &catalog->tools[(*cursor)++].name;
    }
    for (; *cursor < catalog->tool_count + catalog->prompt_count; ++*cursor) {
        *what = "prompt";
        if (catalog->prompts[*cursor - catalog->tool_count].unit == unit)
            return &catalog->prompts[(*cursor)++ - catalog->tool_count].name;
    }
    return NULL;
}

/* Whether an app before units[at] has something that is called so; `what`: among tools or prompts
 * only. */
static bool is_listed_before(struct catalog *catalog, size_t at, const char *what, bp_str name)
{
    for (size_t i = 0; i < at; i++) {
        size_t        cursor = 0;
        const char   *other_what;
        const bp_str *other;

        while ((other = name_at(catalog, catalog->units[i], &cursor, &other_what)) != NULL)
            if (other_what == what && bp_str_equal(*other, name))
                return true;
    }
    return false;
}

static bool has_common_name(struct catalog *catalog, size_t at)
{
    size_t        cursor = 0;
    const char   *what;
    const bp_str *name;

    while ((name = name_at(catalog, catalog->units[at], &cursor, &what)) != NULL)
        if (is_listed_before(catalog, at, what, *name))
            return true;
    return false;
}

/* What stands before the names of units[at]; empty: nothing. */
static bool settle_names_of(struct catalog *catalog, size_t at, struct reason *why)
{
    const struct conf_instance *conf = catalog->units[at]->conf;
    bp_str                      prefix = conf->gate.prefix, *name;
    size_t                      cursor = 0;
    const char                 *what;

    if (!prefix.len && has_common_name(catalog, at))
        prefix = conf->name;
    catalog->prefixes[at] = prefix;
    while (prefix.len && (name = name_at(catalog, catalog->units[at], &cursor, &what)) != NULL) {
        *name = arena_format(&catalog->arena, BP_FMT "_" BP_FMT, BP_ARG(prefix), BP_ARG(*name));
        if (name->len > NAME_BYTES_MAX) {
            reason_set(why,
                       "the %s \"%.120s\" of app.%.32s has a name of more than %d bytes: give the "
                       "app a shorter `prefix`",
                       what, name->data, conf->name.data, NAME_BYTES_MAX);
            return false;
        }
        if (is_listed_before(catalog, at, what, *name)) {
            reason_set(why,
                       "the name of the %s \"%.120s\" of app.%.32s is taken by another app: give "
                       "one "
                       "of them a `prefix`",
                       what, name->data, conf->name.data);
            return false;
        }
    }
    return true;
}

static bool settle_names(struct catalog *catalog, struct reason *why)
{
    for (size_t i = 0; i < catalog->unit_count; i++)
        if (!settle_names_of(catalog, i, why))
            return false;
    return true;
}

static bool finish(struct catalog *catalog, struct reason *why)
{
    struct bp_buf instructions;

    if (!settle_names(catalog, why))
        return false;
    catalog->tool_names = names_new(&catalog->arena, catalog->tool_count);
    catalog->prompt_names = names_new(&catalog->arena, catalog->prompt_count);
    buf_init(&instructions, &catalog->arena, 1 << 20);
    if (!catalog->tool_names || !catalog->prompt_names) {
        reason_set(why, "no memory for the list of MCP tools");
        return false;
    }
    for (size_t i = 0; i < catalog->tool_count; i++) {
        struct catalog_tool *tool = &catalog->tools[i];

        names_add(catalog->tool_names, tool->name, i);
        tool->listing[0] = list_tool(&catalog->arena, tool, false);
        tool->listing[1] = list_tool(&catalog->arena, tool, true);
    }
    for (size_t i = 0; i < catalog->prompt_count; i++) {
        names_add(catalog->prompt_names, catalog->prompts[i].name, i);
        catalog->prompts[i].listing = list_prompt(&catalog->arena, &catalog->prompts[i]);
    }
    for (size_t i = 0; i < catalog->unit_count; i++) {
        const bp_app_ops *app = catalog->units[i]->plugin->descriptor.ops;

        if (!app->instructions)
            continue;
        if (instructions.len)
            buf_add(&instructions, BP_STR("\n\n"));
        // Or a model reads of tools that are called otherwise in the list.
        if (catalog->prefixes[i].len)
            buf_addf(&instructions, "(The tools of \"" BP_FMT "\" are called " BP_FMT "_...)\n",
                     BP_ARG(catalog->units[i]->conf->name), BP_ARG(catalog->prefixes[i]));
        buf_add(&instructions, bp_str_of(app->instructions));
    }
    catalog->instructions = buf_str(&instructions);
    return true;
}

static bool is_wanted(const struct unit *unit, const bp_str_list *apps)
{
    if (strcmp(unit->conf->kind, "app") != 0 || !unit->is_up || !unit->plugin)
        return false;
    for (size_t i = 0; apps && i < apps->count; i++)
        if (bp_str_equal(apps->items[i], unit->conf->name))
            return true;
    return !apps || apps->count == 0;
}

static bool make_room(struct catalog *catalog, size_t tools, size_t resources, size_t prompts)
{
    catalog->tools = arena_alloc(&catalog->arena, tools * sizeof(*catalog->tools));
    catalog->resources = arena_alloc(&catalog->arena, resources * sizeof(*catalog->resources));
    catalog->prompts = arena_alloc(&catalog->arena, prompts * sizeof(*catalog->prompts));
    catalog->prefixes = arena_alloc(&catalog->arena,
                                    catalog->unit_count * sizeof(*catalog->prefixes));
    return catalog->tools && catalog->resources && catalog->prompts && catalog->units &&
           catalog->prefixes;
}

/* In the order of the conf, by which it is settled who keeps a name; units have another one. */
static void add_unit(struct catalog *catalog, const struct generation *generation,
                     struct unit *unit)
{
    size_t at = catalog->unit_count++;

    for (; at > 0 && generation_conf_of(generation, catalog->units[at - 1]) >
                         generation_conf_of(generation, unit);
         at--)
        catalog->units[at] = catalog->units[at - 1];
    catalog->units[at] = unit;
}

struct catalog *catalog_make(const struct generation *generation, const bp_str_list *apps,
                             struct reason *why)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));
    size_t          tools = 0, resources = 0, prompts = 0;
    bool            is_good;

    reason_set(why, "no memory for the list of MCP tools");
    if (!catalog)
        return NULL;
    arena_init(&catalog->arena, CATALOG_BYTES_MAX);
    catalog->units = arena_alloc(&catalog->arena, generation->unit_count * sizeof(*catalog->units));
    for (size_t i = 0; catalog->units && i < generation->unit_count; i++) {
        const bp_app_ops *app;

        if (!is_wanted(generation->units[i], apps))
            continue;
        add_unit(catalog, generation, generation->units[i]);
        app = generation->units[i]->plugin->descriptor.ops;
        tools += app->tool_count;
        resources += app->resource_count;
        prompts += app->prompt_count;
    }
    is_good = make_room(catalog, tools, resources, prompts);
    for (size_t i = 0; is_good && i < catalog->unit_count; i++)
        is_good = read_app(catalog, catalog->units[i], why);
    if (is_good && finish(catalog, why))
        return catalog;
    catalog_free(catalog);
    return NULL;
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    for (size_t i = 0; i < catalog->tool_count; i++) {
        json_schema_free(catalog->tools[i].input);
        json_schema_free(catalog->tools[i].output);
    }
    arena_free(&catalog->arena);
    free(catalog);
}

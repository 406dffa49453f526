/* print_schema.c - JSON Schema 2020-12 of the conf, from the tables of options.
 *
 * It is for editors and pipelines that read YAML as YAML 1.2 or 1.1, so it takes what their readers
 * make of a value: `on` may arrive as true, `8000` as a number. Every value may also be a text with
 * ${...} in it, since only the host knows what that comes to. What the host checks and a schema
 * cannot (references, circles) is left out.
 */
#include <stdio.h>

#include "base/json.h"
#include "conf/conf_print.h"
#include "conf/value.h"

static const char SIZE_PATTERN[] = "^[0-9]+(\\.[0-9]+)? *(B|[KMGT](B|i|iB))?$";
static const char DURATION_PATTERN[] = "^([0-9]+(\\.[0-9]+)? *(ns|us|ms|s|m|h|d))+$|^0$";
static const char NAME_PATTERN[] = "^[a-z][a-z0-9_-]{0,31}$";
static const char ADDRESS_PATTERN[] = "^(unix:/"
                                      ".+|(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)?:[0-9]"
                                      "{1,5})$";

static void put_ref(bp_json_writer *w, const char *name)
{
    char text[96];

    snprintf(text, sizeof(text), "#/$defs/%s", name);
    json_put_text(w, "$ref", text);
}

static void add_ref(bp_json_writer *w, const char *name)
{
    json_begin(w, JSON_KIND_OBJECT);
    put_ref(w, name);
    json_end(w);
}

static void begin_key(bp_json_writer *w, const char *key, enum json_type type)
{
    json_key(w, bp_str_of(key));
    json_begin(w, type);
}

static void add_pattern(bp_json_writer *w, const char *pattern)
{
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "type", "string");
    json_put_text(w, "pattern", pattern);
    json_end(w);
}

static void put_number(bp_json_writer *w, const char *key, const bp_option *option,
                       const char *text)
{
    int64_t           integer;
    double            number;
    struct value_hint hint = { .text = "" };

    if (!text)
        return;
    if (option->type == BP_OPTION_TYPE_INT && !value_int(bp_str_of(text), &integer))
        json_put_integer(w, key, integer);
    if (option->type == BP_OPTION_TYPE_SIZE && !value_size(bp_str_of(text), &integer, &hint))
        json_put_integer(w, key, integer);
    if (option->type == BP_OPTION_TYPE_FLOAT && !value_float(bp_str_of(text), &number))
        json_put_number(w, key, number);
}

static void add_number(bp_json_writer *w, const bp_option *option)
{
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "type", option->type == BP_OPTION_TYPE_FLOAT ? "number" : "integer");
    if (option->type == BP_OPTION_TYPE_SIZE && !option->minimum)
        json_put_integer(w, "minimum", 0);
    put_number(w, "minimum", option, option->minimum);
    put_number(w, "maximum", option, option->maximum);
    json_end(w);
}

static bool allows_zero(const bp_option *option)
{
    int64_t           ns = 0;
    struct value_hint hint = { .text = "" };

    return !option->minimum || (!value_duration(bp_str_of(option->minimum), &ns, &hint) && ns == 0);
}

static void add_constants(bp_json_writer *w, bp_str words, bool with_booleans)
{
    bool has_true = false, has_false = false, value;

    json_begin(w, JSON_KIND_OBJECT);
    begin_key(w, "enum", JSON_KIND_ARRAY);
    while (words.len) {
        bp_str word = choice_next(words, &words);

        json_add_string(w, word);
        if (!value_bool(word, &value))
            *(value ? &has_true : &has_false) = true;
    }
    if (with_booleans && has_true)
        json_add_bool(w, true);
    if (with_booleans && has_false)
        json_add_bool(w, false);
    json_end(w);
    json_end(w);
}

static void add_url(bp_json_writer *w, const bp_option *option)
{
    struct bp_buf pattern;
    bp_str        rest = bp_str_of(option->choices ? option->choices : "http|https");
    bool          is_first = true;

    buf_init(&pattern, NULL, 4096);
    buf_add(&pattern, BP_STR("^("));
    while (rest.len) {
        if (!is_first)
            buf_add_char(&pattern, '|');
        is_first = false;
        buf_add(&pattern, choice_next(rest, &rest));
    }
    buf_add(&pattern, BP_STR(")://"));
    add_pattern(w, buf_str(&pattern).data);
    buf_free(&pattern);
}

/* The forms a value may have, each a member of an anyOf. */
static void add_forms(bp_json_writer *w, const bp_option *option)
{
    switch (option->type) {
    case BP_OPTION_TYPE_BOOL:
        add_constants(w, BP_STR("true|false|yes|no|on|off"), true);
        break;
    case BP_OPTION_TYPE_INT:
    case BP_OPTION_TYPE_FLOAT:
        add_number(w, option);
        break;
    case BP_OPTION_TYPE_SIZE:
        add_number(w, option);
        add_pattern(w, SIZE_PATTERN);
        break;
    case BP_OPTION_TYPE_DURATION:
        add_pattern(w, DURATION_PATTERN);
        if (allows_zero(option)) {
            add_constants(w, BP_STR("off"), true);
            json_add_raw(w, BP_STR("{\"const\":0}"));
        }
        break;
    case BP_OPTION_TYPE_ENUM:
        add_constants(w, bp_str_of(option->choices), true);
        break;
    case BP_OPTION_TYPE_URL:
        add_url(w, option);
        break;
    case BP_OPTION_TYPE_ADDRESS:
        add_pattern(w, ADDRESS_PATTERN);
        break;
    case BP_OPTION_TYPE_LIST:
        add_ref(w, "list");
        break;
    case BP_OPTION_TYPE_MAP:
        add_ref(w, "map");
        break;
    case BP_OPTION_TYPE_REF:
        add_pattern(w, NAME_PATTERN);
        break;
    case BP_OPTION_TYPE_REFS:
        add_pattern(w, NAME_PATTERN);
        add_ref(w, "names");
        break;
    default:
        add_ref(w, "scalar");
    }
}

static void put_option(bp_json_writer *w, const bp_option *option)
{
    begin_key(w, option->name, JSON_KIND_OBJECT);
    json_put_text(w, "description", option->help);
    if (option->initial)
        json_put_text(w, "default", option->initial);
    if (option->deprecated)
        json_put_bool(w, "deprecated", true);
    if (option->type == BP_OPTION_TYPE_SECRET)
        json_put_bool(w, "writeOnly", true);
    if (option->example) {
        begin_key(w, "examples", JSON_KIND_ARRAY);
        json_add_string(w, bp_str_of(option->example));
        json_end(w);
    }
    begin_key(w, "anyOf", JSON_KIND_ARRAY);
    add_forms(w, option);
    add_ref(w, "expansion");
    json_end(w);
    json_end(w);
}

static void put_options(bp_json_writer *w, const struct option_table *table,
                        const struct option_table *shadow)
{
    for (uint32_t i = 0; i < table->count; i++) {
        bp_option option = option_at(table, i);

        if (!option_table_has(shadow, bp_str_of(option.name)))
            put_option(w, &option);
    }
}

static void put_required(bp_json_writer *w, const struct option_table *table, const char *first)
{
    bool is_open = false;

    if (first) {
        begin_key(w, "required", JSON_KIND_ARRAY);
        json_add_string(w, bp_str_of(first));
        is_open = true;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        bp_option option = option_at(table, i);

        if (!option.is_required)
            continue;
        if (!is_open)
            begin_key(w, "required", JSON_KIND_ARRAY);
        is_open = true;
        json_add_string(w, bp_str_of(option.name));
    }
    if (is_open)
        json_end(w);
}

/* The name of the definition of a plugin: "llm.openai"; with "named." before it for an app without
 * `use`. */
static void definition_name(char text[64], const struct conf_plugin *plugin, bool is_named)
{
    snprintf(text, 64, "%s%s.%s", is_named ? "named." : "", plugin->kind, plugin->name);
}

static void put_plugin(bp_json_writer *w, const struct conf_plugin *plugin, bool is_named)
{
    char name[64];

    definition_name(name, plugin, is_named);
    begin_key(w, name, JSON_KIND_OBJECT);
    json_put_text(w, "description", plugin->summary ? plugin->summary : plugin->name);
    json_put_text(w, "type", "object");
    begin_key(w, "properties", JSON_KIND_OBJECT);
    if (!is_named) {
        begin_key(w, "use", JSON_KIND_OBJECT);
        json_put_text(w, "const", plugin->name);
        json_end(w);
    }
    put_options(w, &plugin->options, NULL);
    put_options(w, &gate_table, &plugin->options);
    put_options(w, gate_kind_table(plugin->kind), &plugin->options);
    json_end(w);
    put_required(w, &plugin->options, is_named ? NULL : "use");
    json_put_bool(w, "additionalProperties", false);
    json_end(w);
}

/* What an instance of the kind may be: one of its plugins, by `use`. */
static void put_kind(bp_json_writer *w, const char *kind, const struct conf_plugin *plugins,
                     size_t count)
{
    char name[64];

    begin_key(w, kind, JSON_KIND_OBJECT);
    begin_key(w, "oneOf", JSON_KIND_ARRAY);
    for (size_t i = 0; i < count; i++) {
        definition_name(name, &plugins[i], false);
        add_ref(w, name);
    }
    if (count == 0)
        json_add_bool(w, false); // an empty oneOf is no schema
    json_end(w);
    json_end(w);
}

static void put_definitions(bp_json_writer *w, struct arena *arena,
                            const struct conf_plugins *plugins)
{
    begin_key(w, "$defs", JSON_KIND_OBJECT);
    json_key(w, BP_STR("expansion"));
    json_add_raw(w, BP_STR("{\"description\":\"${NAME}, ${NAME:-default} or "
                           "${file:PATH}\",\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"}"));
    json_key(w, BP_STR("scalar"));
    json_add_raw(w, BP_STR("{\"type\":[\"string\",\"number\",\"boolean\"]}"));
    json_key(w, BP_STR("list"));
    json_add_raw(w, BP_STR("{\"anyOf\":[{\"$ref\":\"#/$defs/scalar\"},"
                           "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/scalar\"}}]}"));
    json_key(w, BP_STR("names"));
    json_add_raw(w, BP_STR("{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"));
    json_key(w, BP_STR("map"));
    json_add_raw(w, BP_STR("{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/$defs/"
                           "scalar\"}}"));
    for (size_t i = 0; i < CONF_KIND_COUNT; i++) {
        size_t              count;
        struct conf_plugin *list = conf_list_plugins(arena, plugins, conf_kinds[i], &count);

        put_kind(w, conf_kinds[i], list, count);
        for (size_t k = 0; k < count; k++) {
            put_plugin(w, &list[k], false);
            if (strcmp(conf_kinds[i], "app") == 0)
                put_plugin(w, &list[k], true);
        }
    }
    json_end(w);
}

/* An app without `use` takes the plugin of its own name, and may have no settings at all. */
static void put_named_apps(bp_json_writer *w, struct arena *arena,
                           const struct conf_plugins *plugins)
{
    size_t              count;
    struct conf_plugin *list = conf_list_plugins(arena, plugins, "app", &count);
    char                name[64];

    begin_key(w, "properties", JSON_KIND_OBJECT);
    for (size_t i = 0; i < count; i++) {
        definition_name(name, &list[i], true);
        begin_key(w, list[i].name, JSON_KIND_OBJECT);
        json_key(w, BP_STR("if"));
        json_add_raw(w, BP_STR("{\"type\":\"object\",\"required\":[\"use\"]}"));
        json_key(w, BP_STR("then"));
        add_ref(w, "app");
        begin_key(w, "else", JSON_KIND_OBJECT);
        begin_key(w, "anyOf", JSON_KIND_ARRAY);
        json_add_raw(w, BP_STR("{\"type\":\"null\"}"));
        add_ref(w, name);
        json_end(w);
        json_end(w);
        json_end(w);
    }
    json_end(w);
}

static void put_listen(bp_json_writer *w)
{
    begin_key(w, "listen", JSON_KIND_OBJECT);
    json_put_text(w, "description", "where the server listens; 127.0.0.1:8000 unless it is said");
    begin_key(w, "anyOf", JSON_KIND_ARRAY);
    add_ref(w, "scalar");
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "type", "array");
    json_put_integer(w, "minItems", 1);
    json_put_integer(w, "maxItems", SERVER_MAX_LISTENERS);
    begin_key(w, "items", JSON_KIND_OBJECT);
    begin_key(w, "anyOf", JSON_KIND_ARRAY);
    add_ref(w, "scalar");
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "type", "object");
    begin_key(w, "properties", JSON_KIND_OBJECT);
    put_options(w, &listener_table, NULL);
    json_end(w);
    put_required(w, &listener_table, NULL);
    json_put_bool(w, "additionalProperties", false);
    json_end(w);
    json_end(w);
    json_end(w);
    json_end(w);
    json_end(w);
    json_end(w);
}

static void put_section(bp_json_writer *w, const char *name, const struct conf_section *section)
{
    begin_key(w, name, JSON_KIND_OBJECT);
    json_put_text(w, "description", section->help);
    begin_key(w, "type", JSON_KIND_ARRAY);
    json_add_string(w, BP_STR("object"));
    json_add_string(w, BP_STR("null"));
    json_end(w);
    begin_key(w, "properties", JSON_KIND_OBJECT);
    put_options(w, &section->table, NULL);
    if (section == &server_sections[0]) {
        put_listen(w);
        for (size_t i = 1; i < SERVER_SECTION_COUNT; i++)
            put_section(w, server_sections[i].name, &server_sections[i]);
    }
    json_end(w);
    json_put_bool(w, "additionalProperties", false);
    json_end(w);
}

static void put_kind_section(bp_json_writer *w, struct arena *arena,
                             const struct conf_plugins *plugins, const char *kind)
{
    begin_key(w, kind, JSON_KIND_OBJECT);
    json_key(w, BP_STR("type"));
    json_add_raw(w, BP_STR("[\"object\",\"null\"]"));
    begin_key(w, "propertyNames", JSON_KIND_OBJECT);
    json_put_text(w, "pattern", NAME_PATTERN);
    json_end(w);
    if (strcmp(kind, "app") == 0)
        put_named_apps(w, arena, plugins);
    begin_key(w, "additionalProperties", JSON_KIND_OBJECT);
    put_ref(w, kind);
    json_end(w);
    json_end(w);
}

bp_status conf_print_schema(struct arena *arena, const struct conf_plugins *plugins,
                            struct bp_buf *out)
{
    bp_json_writer w;

    json_writer_init(&w, out);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_put_text(&w, "title", "Conf file of Backplane");
    begin_key(&w, "type", JSON_KIND_ARRAY);
    json_add_string(&w, BP_STR("object"));
    json_add_string(&w, BP_STR("null"));
    json_end(&w);
    begin_key(&w, "properties", JSON_KIND_OBJECT);
    put_options(&w, &conf_top_table, NULL);
    put_section(&w, "server", &server_sections[0]);
    put_section(&w, "log", &log_section);
    for (size_t i = 0; i < CONF_KIND_COUNT; i++)
        put_kind_section(&w, arena, plugins, conf_kinds[i]);
    json_end(&w);
    json_put_bool(&w, "additionalProperties", false);
    put_definitions(&w, arena, plugins);
    json_end(&w);
    return json_writer_status(&w);
}

/* print_docs.c - the reference pages in Markdown, from the tables of options. */
#include <string.h>

#include "conf/conf_print.h"
#include "conf/value.h"

static const char *const kind_titles[CONF_KIND_COUNT] = { "A storage backend", "A cache",
                                                          "A vector store",    "An embedder",
                                                          "An LLM provider",   "A health check",
                                                          "An alert sink",     "An application" };

/* A text inside a cell of a table. */
static void add_cell(struct bp_buf *out, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, *c == '\n' ? ' ' : *c);
    }
}

static void add_code(struct bp_buf *out, const char *text)
{
    if (!text)
        return;
    buf_add(out, *text ? BP_STR("`") : BP_STR("empty"));
    add_cell(out, text);
    if (*text)
        buf_add_char(out, '`');
}

static void add_choices(struct bp_buf *out, const char *choices)
{
    bp_str rest = bp_str_of(choices);
    bool   is_first = true;

    while (rest.len) {
        bp_str choice = choice_next(rest, &rest);

        buf_addf(out, "%s`" BP_FMT "`", is_first ? "" : ", ", BP_ARG(choice));
        is_first = false;
    }
}

static void add_range(struct bp_buf *out, const bp_option *option)
{
    if (option->choices && option->type != BP_OPTION_TYPE_PATH &&
        option->type != BP_OPTION_TYPE_LIST)
        add_choices(out, option->choices);
    else if (option->minimum && option->maximum)
        buf_addf(out, "%s to %s", option->minimum, option->maximum);
    else if (option->minimum)
        buf_addf(out, "from %s", option->minimum);
    else if (option->maximum)
        buf_addf(out, "up to %s", option->maximum);
    else if (option->ref_kind)
        buf_addf(out, "names of `%s`", option->ref_kind);
}

static void add_row(struct bp_buf *out, const bp_option *option)
{
    buf_addf(out, "| `%s` | %s | ", option->name, option_type_name(option->type));
    if (option->is_required)
        buf_add(out, BP_STR("**required**"));
    else
        add_code(out, option->initial);
    buf_add(out, BP_STR(" | "));
    add_range(out, option);
    buf_add(out, BP_STR(" | "));
    add_cell(out, option->help);
    if (option->example) {
        buf_add(out, BP_STR("; for example "));
        add_code(out, option->example);
    }
    if (option->is_reloadable)
        buf_add(out, BP_STR(". A reload changes it in place"));
    if (option->since)
        buf_addf(out, ". Since %s", option->since);
    if (option->deprecated) {
        buf_add(out, BP_STR(". **Deprecated**: use "));
        add_cell(out, option->deprecated);
    }
    buf_add(out, BP_STR(" |\n"));
}

static void add_table(struct bp_buf *out, const struct option_table *table)
{
    buf_add(out, BP_STR("| option | type | default | range | meaning |\n|---|---|---|---|---|\n"));
    for (uint32_t i = 0; i < table->count; i++) {
        bp_option option = option_at(table, i);

        add_row(out, &option);
    }
    buf_add_char(out, '\n');
}

/* Whether a text stands for itself in YAML, without quotes. */
static bool is_plain(const char *text)
{
    size_t len = strlen(text);

    return len && !strchr("{}[]&*!|>'\"%@`#,?:- ", text[0]) && !strstr(text, ": ") &&
           !strstr(text, " #") && text[len - 1] != ':' && text[len - 1] != ' ';
}

/* An example is written as in the conf; one that is a text may need quotes there. */
static void add_given_example(struct bp_buf *out, const bp_option *option)
{
    bool is_text = option->type == BP_OPTION_TYPE_STRING || option->type == BP_OPTION_TYPE_PATH ||
                   option->type == BP_OPTION_TYPE_SECRET;

    if (!is_text || is_plain(option->example) || option->example[0] == '"') {
        buf_add(out, bp_str_of(option->example));
        return;
    }
    buf_add_char(out, '\'');
    for (const char *at = option->example; *at; at++) {
        if (*at == '\'')
            buf_add_char(out, '\'');
        buf_add_char(out, *at);
    }
    buf_add_char(out, '\'');
}

/* What stands for the value of an option in an example. */
static void add_example_value(struct bp_buf *out, const bp_option *option)
{
    bp_str first, rest;

    if (option->example) {
        add_given_example(out, option);
        return;
    }
    switch (option->type) {
    case BP_OPTION_TYPE_URL:
        first = choice_next(bp_str_of(option->choices ? option->choices : "http"), &rest);
        buf_addf(out, "\"" BP_FMT "://127.0.0.1\"", BP_ARG(first));
        break;
    case BP_OPTION_TYPE_ADDRESS:
        buf_add(out, BP_STR("\"127.0.0.1:8000\""));
        break;
    case BP_OPTION_TYPE_SECRET:
        buf_addf(out, "\"${file:/run/secrets/%s}\"", option->name);
        break;
    case BP_OPTION_TYPE_ENUM:
        buf_add(out, choice_next(bp_str_of(option->choices), &rest));
        break;
    case BP_OPTION_TYPE_LIST:
    case BP_OPTION_TYPE_REFS:
        buf_add(out, BP_STR("[main]"));
        break;
    case BP_OPTION_TYPE_MAP:
        buf_add(out, BP_STR("{ name: value }"));
        break;
    case BP_OPTION_TYPE_BOOL:
        buf_add(out, BP_STR("true"));
        break;
    case BP_OPTION_TYPE_DURATION:
        buf_add(out,
                bp_str_of(option->minimum && strcmp(option->minimum, "0") != 0 ? option->minimum
                                                                               : "10s"));
        break;
    case BP_OPTION_TYPE_INT:
    case BP_OPTION_TYPE_FLOAT:
    case BP_OPTION_TYPE_SIZE:
        buf_add(out, bp_str_of(option->minimum ? option->minimum : "1"));
        break;
    default:
        buf_add(out, BP_STR("main"));
    }
}

/* What must be written, and what has an example. */
static void add_example(struct bp_buf *out, const struct conf_plugin *plugin)
{
    bool is_app = strcmp(plugin->kind, "app") == 0;

    buf_addf(out, "## Example\n\n```yaml\n%s:\n  %s:\n", plugin->kind,
             is_app ? plugin->name : "main");
    if (!is_app)
        buf_addf(out, "    use: %s\n", plugin->name);
    for (uint32_t i = 0; i < plugin->options.count; i++) {
        bp_option option = option_at(&plugin->options, i);

        if (option.deprecated ||
            (!option.is_required && !option.example && option.type != BP_OPTION_TYPE_SECRET))
            continue;
        buf_addf(out, "    %s: ", option.name);
        add_example_value(out, &option);
        buf_add_char(out, '\n');
    }
    buf_add(out, BP_STR("```\n"));
}

static const char *title_of(const char *kind)
{
    for (size_t i = 0; i < CONF_KIND_COUNT; i++)
        if (strcmp(conf_kinds[i], kind) == 0)
            return kind_titles[i];
    return kind;
}

void conf_print_plugin_page(const struct conf_plugin *plugin, struct bp_buf *out)
{
    buf_addf(out, "# %s/%s\n\n", plugin->kind, plugin->name);
    buf_addf(out,
             "Written by `backplane docs`; change the plugin's option table, not this page.\n\n");
    if (plugin->summary)
        buf_addf(out, "%s: %s.\n\n", title_of(plugin->kind), plugin->summary);
    buf_addf(out, "Version %s.\n\n", plugin->version ? plugin->version : "unknown");
    if (plugin->options.count == 0) {
        buf_add(out, BP_STR("It has no options of its own. "));
    } else {
        buf_add(out, BP_STR("## Options\n\n"));
        add_table(out, &plugin->options);
    }
    buf_add(out, BP_STR("[Every instance](../conf.md#every-instance) also takes a deadline, a "
                        "concurrency cap, retries and a circuit breaker.\n\n"));
    add_example(out, plugin);
}

static void add_intro(struct bp_buf *out)
{
    buf_add(out,
            BP_STR(
                "# The conf file\n\n"
                "Written by `backplane docs`; change the tables in `core/conf`, not this page.\n\n"
                "The conf is YAML: one document, UTF-8, without anchors and tags. `backplane "
                "check` reports every mistake of a conf as `file:line:column: key: the mistake`; "
                "`backplane config` shows the values in effect and their sources; "
                "`backplane schema` writes JSON Schema for an editor.\n\n"
                "| in a value | becomes |\n|---|---|\n"
                "| `${NAME}` | the environment variable; an error when it is not set |\n"
                "| `${NAME:-default}` | the default when it is not set or empty |\n"
                "| `${file:PATH}` | the text of a file, such as a mounted secret, without the line "
                "break at its end; a relative path starts at the directory of the conf file |\n"
                "| `$${` | the two characters `${` |\n\n"
                "An option counts as not written if its `${NAME:-}` is empty. Within `{ }` "
                "and `[ ]`, put quotes around `\"${NAME}\"`.\n\n"
                "| type | is written as |\n|---|---|\n"
                "| bool | `true`, `yes`, `on`, `false`, `no`, `off` |\n"
                "| size | bytes, or a number and a unit: `4096`, `10KB`, `64MiB` |\n"
                "| duration | a number and a unit: `250ms`, `2s`, `5m`, `1h`, `7d`; `off` where 0 "
                "is allowed |\n"
                "| address | `host:port`, `[IPv6]:port`, `:port` or `unix:/path` |\n"
                "| path | a relative one starts at `data_dir` |\n"
                "| secret | any text; never shown; should come from `${file:...}` or "
                "`${NAME}` |\n"
                "| list | a sequence, or one value |\n"
                "| reference | the name of another instance |\n\n"));
}

static void add_plugins(struct arena *arena, const struct conf_plugins *plugins, struct bp_buf *out)
{
    buf_add(out, BP_STR("## Plugins\n\n| kind | plugin | what it does |\n|---|---|---|\n"));
    for (size_t i = 0; i < CONF_KIND_COUNT; i++) {
        size_t              count;
        struct conf_plugin *list = conf_list_plugins(arena, plugins, conf_kinds[i], &count);

        for (size_t k = 0; k < count; k++) {
            buf_addf(out, "| `%s` | [%s](conf/%s-%s.md) | ", conf_kinds[i], list[k].name,
                     conf_kinds[i], list[k].name);
            add_cell(out, list[k].summary);
            buf_add(out, BP_STR(" |\n"));
        }
    }
}

void conf_print_host_page(struct arena *arena, const struct conf_plugins *plugins,
                          struct bp_buf *out)
{
    add_intro(out);
    buf_add(out, BP_STR("## Top level\n\nThe sections are `server`, `log` and one for each kind of "
                        "plugin (`storage`, `cache`, `vector`, `embed`, `llm`, `health`, `alert`, "
                        "`app`), which holds instances by name: `name: { use: plugin, ... }`. An "
                        "app may leave out `use` where it has its plugin's name.\n\n"));
    add_table(out, &conf_top_table);
    for (size_t i = 0; i < SERVER_SECTION_COUNT; i++) {
        buf_addf(out, "## server%s%s\n\n%s.\n\n", *server_sections[i].name ? "." : "",
                 server_sections[i].name, server_sections[i].help);
        add_table(out, &server_sections[i].table);
    }
    buf_add(out, BP_STR("## server.listen\n\nA list of addresses, or of mappings with the keys "
                        "below. Without it, the server listens on `127.0.0.1:8000`. A listener "
                        "that other machines reach needs `server.auth.mode: keys`.\n\n"));
    add_table(out, &listener_table);
    buf_add(out, BP_STR("## log\n\n"));
    add_table(out, &log_section.table);
    buf_add(out,
            BP_STR("## Every instance\n\nAny instance takes these beside the options of its "
                   "plugin; where a plugin has an option of the same name, that one wins.\n\n"));
    add_table(out, &gate_table);
    buf_add(out, BP_STR("An instance of `health` also takes:\n\n"));
    add_table(out, gate_kind_table("health"));
    buf_add(out, BP_STR("An instance of `app` also takes:\n\n"));
    add_table(out, gate_kind_table("app"));
    add_plugins(arena, plugins, out);
}

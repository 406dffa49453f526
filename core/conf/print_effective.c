/* print_effective.c - prints the effective conf, with the source of each value. */
#include "base/mask.h"
#include "base/str.h"
#include "conf/value.h"
#include "conf/conf_print.h"

struct printer {
    struct arena      *arena; /* for texts made on the way */
    const struct conf *conf;
    struct bp_buf     *out;
    bool               is_alert; /* the instance printed is an alert sink */
};

static void indent(struct printer *printer, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buf_add(printer->out, BP_STR("  "));
}

static bool is_plain(bp_str text)
{
    if (text.len == 0 || bp_str_is(text, "null"))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_letter && c != '/' && (i == 0 || !strchr("_.-", c)))
            return false;
    }
    return true;
}

/* What YAML calls not printable, or what would look like a line break. */
static bool needs_escape(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF ||
           c >= 0xFFFE;
}

static uint32_t decode(const unsigned char *s, size_t len)
{
    uint32_t c = len == 1 ? s[0] : s[0] & (0x7Fu >> len);

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (s[i] & 0x3F);
    return c;
}

/* A double-quoted scalar, or a plain one where that is the same. */
static void print_text(struct printer *printer, bp_str text, bool escapes_dollar)
{
    struct bp_buf *out = printer->out;

    if (is_plain(text)) {
        buf_add(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (size_t at = 0; at < text.len;) {
        size_t   len = str_utf8_sequence(text, at);
        uint32_t c = len ? decode((const unsigned char *)text.data + at, len) : 0xFFFD;

        if (escapes_dollar && c == '$' && at + 1 < text.len && text.data[at + 1] == '{')
            buf_add_char(out, '$');
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", (char)c);
        else if (needs_escape(c) && c <= 0xFFFF)
            buf_addf(out, "\\u%04X", (unsigned)c);
        else if (needs_escape(c) && (c & 0xFFFE) == 0xFFFE)
            buf_addf(out, "\\U%08X", (unsigned)c);
        else if (len)
            buf_add(out, bp_str_n(text.data + at, len));
        else
            buf_add(out, BP_STR("\\uFFFD"));
        at += len ? len : 1;
    }
    buf_add_char(out, '"');
}

/* Where a value stands, as a comment that ends the line. */
static void print_source(struct printer *printer, const struct conf_node *node)
{
    struct bp_buf *out = printer->out;

    buf_add(out, BP_STR("  # "));
    if (!node) {
        buf_add(out, BP_STR("default\n"));
        return;
    }
    if (node->source.len == 0) {
        buf_addf(out, "%s:%u:%u\n", printer->conf->file, node->position.line,
                 node->position.column);
        return;
    }
    for (size_t i = 0; i < node->source.len; i++)
        buf_add_char(out, (unsigned char)node->source.data[i] < 0x20 ? '?' : node->source.data[i]);
    buf_add_char(out, '\n');
}

/* Headers are a usual place for keys: the values of these alone are no secrets. */
static bool is_plain_header(bp_str name)
{
    static const char *const names[] = { "accept", "content-type", "user-agent", "accept-language",
                                         "cache-control" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_equal_ignore_case(name, bp_str_of(names[i])))
            return true;
    return false;
}

static bool is_hidden_member(const bp_option *option, const struct conf_node *node)
{
    if (option->type != BP_OPTION_TYPE_MAP)
        return false;
    return strcmp(option->name, "headers") == 0 ? !is_plain_header(node->key)
                                                : mask_is_secret_name(node->key);
}

static void print_scalar(struct printer *printer, const bp_option *option,
                         const struct conf_node *node)
{
    bp_str shown = option_shown_value(printer->arena, option, node);

    if (option->type == BP_OPTION_TYPE_SECRET || is_hidden_member(option, node))
        shown = BP_STR("***");
    else if (printer->is_alert && option->type == BP_OPTION_TYPE_URL)
        shown = mask_secrets(printer->arena, shown, true); // the path of a webhook is its key
    print_text(printer, shown, !node->is_from_file);
}

static void print_value(struct printer *printer, const bp_option *option,
                        const struct conf_node *node)
{
    bool is_map = node->kind == NODE_MAPPING;
    bool is_first = true;

    if (node->kind == NODE_SCALAR) {
        print_scalar(printer, option, node);
        return;
    }
    buf_add(printer->out, is_map ? BP_STR("{ ") : BP_STR("["));
    for (const struct conf_node *item = node->first; item; item = item->next) {
        if (item->kind != NODE_SCALAR || node_is_unset(item))
            continue;
        if (!is_first)
            buf_add(printer->out, BP_STR(", "));
        is_first = false;
        if (is_map) {
            print_text(printer, item->key, false);
            buf_add(printer->out, BP_STR(": "));
        }
        print_scalar(printer, option, item);
    }
    buf_add(printer->out, is_map ? BP_STR(" }") : BP_STR("]"));
}

/* From the environment a word may come in another spelling than the one that counts. */
static void print_word(struct printer *printer, const bp_option *option, const void *field)
{
    bp_str  choice = BP_STR("false"), rest = bp_str_of(option->choices ? option->choices : "");
    int32_t index = 0;

    if (option->type == BP_OPTION_TYPE_BOOL) {
        choice = *(const bool *)field ? BP_STR("true") : choice;
    } else {
        memcpy(&index, field, sizeof(index));
        for (choice = choice_next(rest, &rest); index-- > 0;)
            choice = choice_next(rest, &rest);
    }
    print_text(printer, choice, true);
}

static bool is_list(uint32_t type)
{
    return type == BP_OPTION_TYPE_LIST || type == BP_OPTION_TYPE_MAP || type == BP_OPTION_TYPE_REFS;
}

/* `values` is the struct the options were read into. */
static void print_option(struct printer *printer, unsigned depth, const bp_option *option,
                         const struct conf_node *mapping, const void *values)
{
    const struct conf_node *node = node_find(mapping, option->name);
    bp_str                  path;

    if (node && (node_is_unset(node) || node->is_broken))
        node = NULL;
    indent(printer, depth);
    if (!node && !option->initial) {
        buf_addf(printer->out, "# %s: not set\n", option->name);
        return;
    }
    buf_addf(printer->out, "%s: ", option->name);
    if (option->type == BP_OPTION_TYPE_PATH && values && !(node && node->is_from_file)) {
        memcpy(&path, (const char *)values + option->offset, sizeof(path));
        print_text(printer, path, true);
    } else if (node && node->is_expanded && values &&
               (option->type == BP_OPTION_TYPE_BOOL || option->type == BP_OPTION_TYPE_ENUM)) {
        print_word(printer, option, (const char *)values + option->offset);
    } else if (node) {
        print_value(printer, option, node);
    } else if (is_list(option->type)) {
        buf_add(printer->out, bp_str_of(option->initial)); // YAML as it stands
    } else {
        print_text(printer, bp_str_of(option->initial), true);
    }
    print_source(printer, node);
}

static void print_table(struct printer *printer, unsigned depth, const struct option_table *table,
                        const struct option_table *shadow, const struct conf_node *mapping,
                        const void *values)
{
    for (uint32_t i = 0; i < table->count; i++) {
        bp_option option = option_at(table, i);

        if (!option_table_has(shadow, bp_str_of(option.name)))
            print_option(printer, depth, &option, mapping, values);
    }
}

static void print_listeners(struct printer *printer)
{
    const struct server_conf *server = &printer->conf->server;

    buf_add(printer->out, BP_STR("  listen:\n"));
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct server_listener *listener = &server->listeners[i];
        const struct conf_node       *node = listener->node;
        const struct conf_node       *address = node && node->kind == NODE_MAPPING
                                                    ? node_find(node, "address")
                                                    : node;

        buf_add(printer->out, BP_STR("    - address: "));
        print_text(printer, listener->address, true);
        print_source(printer, address);
        if (listener->apps.count == 0)
            continue;
        buf_add(printer->out, BP_STR("      apps: ["));
        for (size_t k = 0; k < listener->apps.count; k++) {
            buf_add(printer->out, k ? BP_STR(", ") : BP_STR(""));
            print_text(printer, listener->apps.items[k], true);
        }
        buf_add_char(printer->out, ']');
        print_source(printer, node_find(node, "apps"));
    }
}

static void print_server(struct printer *printer)
{
    const struct conf_node *section = node_find(printer->conf->root, "server");

    buf_add(printer->out, BP_STR("server:\n"));
    print_listeners(printer);
    for (size_t i = 0; i < SERVER_SECTION_COUNT; i++) {
        const struct conf_section *part = &server_sections[i];
        const void                *values = (const char *)&printer->conf->server + part->offset;

        if (*part->name)
            buf_addf(printer->out, "  %s:\n", part->name);
        print_table(printer, *part->name ? 2 : 1, &part->table, NULL,
                    *part->name ? node_find(section, part->name) : section, values);
    }
    buf_add(printer->out, BP_STR("log:\n"));
    print_table(printer, 1, &log_section.table, NULL, node_find(printer->conf->root, "log"),
                &printer->conf->log);
}

static void print_instance(struct printer *printer, const struct conf_instance *instance)
{
    const struct option_table *table = &instance->plugin.options;

    printer->is_alert = strcmp(instance->kind, "alert") == 0;
    buf_addf(printer->out, "  " BP_FMT ":\n    use: ", BP_ARG(instance->name));
    print_text(printer, instance->use, true);
    print_source(printer, instance->use_node);
    if (instance->options) {
        print_table(printer, 2, table, NULL, instance->node, instance->options);
    } else {
        buf_addf(printer->out,
                 "    # there is no plugin %s/" BP_FMT "; its settings were not read\n",
                 instance->kind, BP_ARG(instance->use));
        table = NULL;
    }
    print_table(printer, 2, &gate_table, table, instance->node, &instance->gate);
    print_table(printer, 2, gate_kind_table(instance->kind), table, instance->node,
                &instance->gate);
}

void conf_print_effective(const struct conf *conf, struct bp_buf *out)
{
    struct arena   arena;
    struct printer printer = { .arena = &arena, .conf = conf, .out = out };

    arena_init(&arena, CONF_PRINT_MAX_BYTES);
    print_table(&printer, 0, &conf_top_table, NULL, conf->root, conf);
    print_server(&printer);
    for (size_t i = 0; i < CONF_KIND_COUNT; i++) {
        bool has_title = false;

        for (size_t k = 0; k < conf->instance_count; k++) {
            if (conf->instances[k].kind != conf_kinds[i])
                continue;
            if (!has_title)
                buf_addf(out, "%s:\n", conf_kinds[i]);
            has_title = true;
            print_instance(&printer, &conf->instances[k]);
        }
    }
    arena_free(&arena);
}

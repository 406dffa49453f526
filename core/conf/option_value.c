/* option_value.c - reads the value of one option into its field, and reports mistakes in it. */
#include <ctype.h>
#include <stdio.h>

#include "base/mask.h"
#include "base/str.h"
#include "conf/option.h"
#include "conf/value.h"
#include "conf/yaml.h"

enum { MAX_SHOWN_BYTES = 120 };

/* user:password@ of a URL, and of what somebody meant to be one. */
static bp_str without_password(struct arena *arena, bp_str text)
{
    size_t start = 0, at = 0;

    for (size_t i = 0; i + 2 < text.len && start == 0; i++)
        if (memcmp(text.data + i, "://", 3) == 0)
            start = i + 3;
    for (size_t i = start; i < text.len; i++)
        if (text.data[i] == '@')
            at = i;
    if (at)
        text = arena_format(arena, BP_FMT "***" BP_FMT, BP_ARG(bp_str_n(text.data, start)),
                            BP_ARG(bp_str_n(text.data + at, text.len - at)));
    return mask_secrets(arena, text, false);
}

bp_str option_shown_value(struct arena *arena, const bp_option *option,
                          const struct conf_node *node)
{
    if (option->type == BP_OPTION_TYPE_SECRET)
        return BP_STR("***");
    if (node->is_from_file)
        return node->text;
    return option->type == BP_OPTION_TYPE_URL ? without_password(arena, node->value)
                                              : mask_secrets(arena, node->value, false);
}

/* `"value" tail (did you mean "hint"?)` */
static void refuse(const struct option_reader *reader, const bp_option *option,
                   const struct conf_node *node, const char *tail, const struct value_hint *hint)
{
    struct arena *arena = reader->problems->arena;
    bp_str        shown = option_shown_value(arena, option, node);
    bool          is_long = shown.len > MAX_SHOWN_BYTES;
    const char   *guess = "";

    if (is_long)
        for (shown.len = MAX_SHOWN_BYTES;
             shown.len && ((unsigned char)shown.data[shown.len] & 0xC0) == 0x80;)
            shown.len--;
    // The guess repeats the value, and so may only be made where the value itself is shown whole.
    if (hint && hint->text[0] && bp_str_equal(shown, node->value))
        guess = arena_format(arena, " (did you mean \"%s\"?)", hint->text).data;
    error_at_value(reader->problems, node, "\"" BP_FMT "%s\" %s%s", BP_ARG(shown),
                   is_long ? "..." : "", tail, guess);
}

static bool is_scalar(const struct option_reader *reader, const struct conf_node *node)
{
    if (node->kind == NODE_SCALAR)
        return !node->is_broken;
    error_at_value(reader->problems, node, "must be one value, not a %s",
                   node->kind == NODE_SEQUENCE ? "list" : "mapping");
    return false;
}

static const char *parse_number(const bp_option *option, bp_str text, int64_t *value,
                                struct value_hint *hint)
{
    switch (option->type) {
    case BP_OPTION_TYPE_INT:
        return value_int(text, value);
    case BP_OPTION_TYPE_SIZE:
        return value_size(text, value, hint);
    default:
        return value_duration(text, value, hint);
    }
}

static void read_number(const struct option_reader *reader, const bp_option *option,
                        const struct conf_node *node, void *field)
{
    struct arena     *arena = reader->problems->arena;
    struct value_hint hint = { .text = "" }, none = { .text = "" };
    int64_t           value = 0, limit = 0;
    const char       *problem;

    if (option->type == BP_OPTION_TYPE_DURATION &&
        str_equal_ignore_case(node->value, BP_STR("off")))
        problem = NULL; // it is 0, and the minimum decides whether that is allowed
    else
        problem = parse_number(option, node->value, &value, &hint);
    if (!problem && option->minimum &&
        !parse_number(option, bp_str_of(option->minimum), &limit, &none) && value < limit)
        problem = arena_format(arena, "is below the minimum of %s", option->minimum).data;
    if (!problem && option->maximum &&
        !parse_number(option, bp_str_of(option->maximum), &limit, &none) && value > limit)
        problem = arena_format(arena, "is above the maximum of %s", option->maximum).data;
    if (problem)
        refuse(reader, option, node, problem, &hint);
    else
        memcpy(field, &value, sizeof(value));
}

static void read_float(const struct option_reader *reader, const bp_option *option,
                       const struct conf_node *node, void *field)
{
    struct arena *arena = reader->problems->arena;
    double        value = 0, limit = 0;
    const char   *problem = value_float(node->value, &value);

    if (!problem && option->minimum && !value_float(bp_str_of(option->minimum), &limit) &&
        value < limit)
        problem = arena_format(arena, "is below the minimum of %s", option->minimum).data;
    if (!problem && option->maximum && !value_float(bp_str_of(option->maximum), &limit) &&
        value > limit)
        problem = arena_format(arena, "is above the maximum of %s", option->maximum).data;
    if (problem)
        refuse(reader, option, node, problem, NULL);
    else
        memcpy(field, &value, sizeof(value));
}

/* What comes from the environment is often written in another program's words: METRICS_ENABLED=1,
 * LOG_LEVEL=WARNING. Only there: a file is written for this program. */
static bp_str usual_word(bp_str text, const char *choices)
{
    static const char *const words[][2] = {
        { "1", "true" },         { "y", "true" },         { "t", "true" },
        { "enable", "true" },    { "enabled", "true" },   { "0", "false" },
        { "n", "false" },        { "f", "false" },        { "disable", "false" },
        { "disabled", "false" }, { "none", "off" },       { "warning", "warn" },
        { "err", "error" },      { "critical", "error" }, { "fatal", "error" },
        { "trace", "debug" },    { "verbose", "debug" },  { "information", "info" },
        { "notice", "info" },    { "true", "on" },        { "1", "on" },
        { "yes", "on" },         { "enabled", "on" },     { "false", "off" },
        { "0", "off" },          { "no", "off" },         { "disabled", "off" },
    };
    struct value_hint unused = { .text = "" };
    int32_t           index;

    text = str_trim(text);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_equal_ignore_case(text, bp_str_of(words[i][0])) &&
            !value_enum(bp_str_of(words[i][1]), choices, &index, &unused))
            return bp_str_of(words[i][1]);
    return text;
}

/* The value of a scalar as it is read where words are expected. */
static bp_str word_of(const struct conf_node *node, const char *choices)
{
    struct value_hint unused = { .text = "" };
    int32_t           index;

    if (!node->is_expanded || !value_enum(node->value, choices, &index, &unused))
        return node->value;
    return usual_word(node->value, choices);
}

static void read_bool(const struct option_reader *reader, const bp_option *option,
                      const struct conf_node *node, void *field)
{
    bool        value = false;
    const char *problem = value_bool(word_of(node, "true|false|yes|no|on|off"), &value);

    if (problem)
        refuse(reader, option, node, problem, NULL);
    else
        memcpy(field, &value, sizeof(value));
}

static const char *with_commas(struct arena *arena, const char *choices)
{
    bp_str        rest = bp_str_of(choices);
    struct bp_buf list;

    buf_init(&list, arena, 1024);
    while (rest.len) {
        bp_str choice = choice_next(rest, &rest);

        buf_addf(&list, "%s" BP_FMT, list.len ? ", " : "", BP_ARG(choice));
    }
    return buf_str(&list).data;
}

static void read_enum(const struct option_reader *reader, const bp_option *option,
                      const struct conf_node *node, void *field)
{
    struct arena     *arena = reader->problems->arena;
    struct value_hint hint = { .text = "" };
    int32_t           value = 0;
    const char       *problem = value_enum(word_of(node, option->choices), option->choices, &value,
                                           &hint);

    if (problem)
        refuse(reader, option, node,
               arena_format(arena, "%s %s", problem, with_commas(arena, option->choices)).data,
               &hint);
    else
        memcpy(field, &value, sizeof(value));
}

/* Upper case, as an environment variable would be called. */
static const char *variable_name(struct arena *arena, const char *name)
{
    bp_str copy = arena_dup(arena, bp_str_of(name));
    char  *text = (char *)(uintptr_t)copy.data;

    for (size_t i = 0; i < copy.len; i++)
        text[i] = (char)toupper((unsigned char)text[i]);
    return text;
}

static void warn_of_literal_secret(const struct option_reader *reader, const bp_option *option,
                                   const struct conf_node *node)
{
    if (node->source.len == 0 && node->value.len)
        warning_at_key(reader->problems, node,
                       "is a secret written into this file; keep it elsewhere and write "
                       "${file:/run/secrets/%s} or ${%s}",
                       option->name, variable_name(reader->problems->arena, option->name));
}

static bp_str absolute_path(const struct option_reader *reader, bp_str path)
{
    while (bp_str_starts(path, "./"))
        path = bp_str_n(path.data + 2, path.len - 2);
    if (path.len == 0 || path.data[0] == '/')
        return path;
    if (bp_str_is(path, "."))
        return reader->data_dir;
    return arena_format(reader->problems->arena, BP_FMT "/%s", BP_ARG(reader->data_dir), path.data);
}

static void read_text(const struct option_reader *reader, const bp_option *option,
                      const struct conf_node *node, void *field)
{
    struct value_hint hint = { .text = "" };
    bp_str            value = node->value;
    const char       *problem = NULL;

    switch (option->type) {
    case BP_OPTION_TYPE_URL:
        problem = value_url(value, option->choices, &hint);
        break;
    case BP_OPTION_TYPE_ADDRESS:
        problem = value_address(value, &hint);
        break;
    case BP_OPTION_TYPE_PATH:
        if (bp_str_starts(value, "~"))
            problem = "starts with ~, which only a shell understands (write ${HOME} or the whole "
                      "path)";
        else if (value.len > 4000)
            problem = "is longer than 4000 bytes";
        else
            value = absolute_path(reader, value);
        break;
    case BP_OPTION_TYPE_SECRET:
        warn_of_literal_secret(reader, option, node);
        break;
    default:
        break;
    }
    if (problem)
        refuse(reader, option, node, problem, &hint);
    else
        memcpy(field, &value, sizeof(value));
}

/* Whether an item of a list or map is a value; what came to nothing is left out silently. */
static bool is_item(const struct option_reader *reader, const struct conf_node *item)
{
    if (!is_scalar(reader, item) || node_is_unset(item))
        return false;
    if (!node_is_null(item))
        return true;
    error_at_value(reader->problems, item, "has no value (give it one, or remove it)");
    return false;
}

static void read_list(const struct option_reader *reader, const struct conf_node *node, void *field)
{
    bp_str_list list = { 0 };
    bp_str     *items = arena_alloc(reader->problems->arena, (node->count + 1) * sizeof(*items));

    if (!items) {
        problem_no_memory(reader->problems);
        return;
    }
    list.items = items;
    if (node->kind == NODE_MAPPING) {
        error_at_value(reader->problems, node, "must be a list, not a mapping");
    } else if (node->kind == NODE_SCALAR) {
        items[list.count++] = node->value;
    } else {
        for (const struct conf_node *item = node->first; item; item = item->next)
            if (is_item(reader, item))
                items[list.count++] = item->value;
    }
    memcpy(field, &list, sizeof(list));
}

static void read_map(const struct option_reader *reader, const struct conf_node *node, void *field)
{
    bp_option_map    map = { 0 };
    bp_option_entry *items;

    if (node->kind != NODE_MAPPING) {
        error_at_value(reader->problems, node, "must be a mapping of names to values, not a %s",
                       node->kind == NODE_SEQUENCE ? "list" : "single value");
        return;
    }
    items = arena_alloc(reader->problems->arena, (node->count + 1) * sizeof(*items));
    if (!items) {
        problem_no_memory(reader->problems);
        return;
    }
    map.items = items;
    for (const struct conf_node *item = node->first; item; item = item->next)
        if (is_item(reader, item))
            items[map.count++] = (bp_option_entry){ item->key, item->value };
    memcpy(field, &map, sizeof(map));
}

static void add_ref(const struct option_reader *reader, const bp_option *option,
                    const struct conf_node *node, struct option_refs *refs)
{
    struct option_ref *ref;

    if (node->value.len == 0) {
        error_at_value(reader->problems, node, "names no instance of %s", option->ref_kind);
        return;
    }
    ref = arena_alloc(reader->problems->arena, sizeof(*ref));
    if (!ref) {
        problem_no_memory(reader->problems);
        return;
    }
    ref->option = bp_str_of(option->name);
    ref->kind = bp_str_of(option->ref_kind);
    ref->name = node->value;
    ref->node = node->position.line ? node : NULL;
    ref->offset = option->offset;
    ref->is_list = option->type == BP_OPTION_TYPE_REFS;
    if (refs->last)
        refs->last->next = ref;
    else
        refs->first = ref;
    refs->last = ref;
    refs->count++;
}

static void read_refs(const struct option_reader *reader, const bp_option *option,
                      const struct conf_node *node, struct option_refs *refs)
{
    if (node->kind == NODE_MAPPING)
        error_at_value(reader->problems, node, "must be a list of names, not a mapping");
    if (node->kind == NODE_SCALAR)
        add_ref(reader, option, node, refs);
    if (node->kind == NODE_SEQUENCE)
        for (const struct conf_node *item = node->first; item; item = item->next)
            if (is_item(reader, item))
                add_ref(reader, option, item, refs);
}

void option_read_value(const struct option_reader *reader, const bp_option *option,
                       const struct conf_node *node, void *field, struct option_refs *refs)
{
    switch (option->type) {
    case BP_OPTION_TYPE_LIST:
        read_list(reader, node, field);
        return;
    case BP_OPTION_TYPE_MAP:
        read_map(reader, node, field);
        return;
    case BP_OPTION_TYPE_REFS:
        read_refs(reader, option, node, refs);
        return;
    default:
        break;
    }
    if (!is_scalar(reader, node))
        return;
    switch (option->type) {
    case BP_OPTION_TYPE_BOOL:
        read_bool(reader, option, node, field);
        return;
    case BP_OPTION_TYPE_INT:
    case BP_OPTION_TYPE_SIZE:
    case BP_OPTION_TYPE_DURATION:
        read_number(reader, option, node, field);
        return;
    case BP_OPTION_TYPE_FLOAT:
        read_float(reader, option, node, field);
        return;
    case BP_OPTION_TYPE_ENUM:
        read_enum(reader, option, node, field);
        return;
    case BP_OPTION_TYPE_REF:
        add_ref(reader, option, node, refs);
        return;
    default:
        read_text(reader, option, node, field);
    }
}

/* A default stands nowhere in the file: its nodes have line 0, and so have its mistakes.
 */
static void forget_positions(struct conf_node *node)
{
    node->position = (struct conf_position){ 0 };
    node->key_position = (struct conf_position){ 0 };
    for (struct conf_node *child = node->first; child; child = child->next)
        forget_positions(child);
}

void option_read_text(const struct option_reader *reader, const bp_option *option, const char *text,
                      void *field, struct option_refs *refs)
{
    struct arena *arena = reader->problems->arena;
    bool is_list = option->type == BP_OPTION_TYPE_LIST || option->type == BP_OPTION_TYPE_MAP ||
                   option->type == BP_OPTION_TYPE_REFS;
    struct conf_node *node;

    if (is_list) {
        node = yaml_read(reader->problems, bp_str_of(text));
        if (!node)
            return;
        forget_positions(node);
    } else {
        node = arena_alloc(arena, sizeof(*node));
        if (!node) {
            problem_no_memory(reader->problems);
            return;
        }
        node->kind = NODE_SCALAR;
        node->is_quoted = true;
        node->text = bp_str_of(text);
        node->value = node->text;
    }
    option_read_value(reader, option, node, field, refs);
}

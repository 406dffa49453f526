/* option_check.c - checks that the option table of a plugin is well formed, once, before it reads a
 * conf. */

#include "conf/option.h"
#include "conf/value.h"

enum {
    MAX_OPTIONS = 256,
    MIN_STRIDE = offsetof(bp_option, is_required), /* what a table cannot do without */
    MAX_STRIDE = 4096
};

static bool is_option_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_'))
            return false;
    return *name && strlen(name) <= 63;
}

static bool is_kind(const char *name)
{
    bp_str rest = bp_str_of(CONF_KINDS);

    while (rest.len)
        if (bp_str_is(choice_next(rest, &rest), name))
            return true;
    return false;
}

static bool has_range(uint32_t type)
{
    return type == BP_OPTION_TYPE_INT || type == BP_OPTION_TYPE_FLOAT ||
           type == BP_OPTION_TYPE_SIZE || type == BP_OPTION_TYPE_DURATION;
}

static bool is_ref(uint32_t type)
{
    return type == BP_OPTION_TYPE_REF || type == BP_OPTION_TYPE_REFS;
}

static const char *check_help(const bp_option *option)
{
    size_t len = option->help ? strlen(option->help) : 0;

    if (len == 0)
        return "has no help";
    if (strchr(option->help, '\n'))
        return "has a help of more than one line";
    return option->help[len - 1] == '.' ? "has a help with a full stop at its end" : NULL;
}

static const char *check_shape(const bp_option *option)
{
    if (!option_type_name(option->type))
        return "has a type that this host does not know";
    if (option->type == BP_OPTION_TYPE_ENUM && (!option->choices || !*option->choices))
        return "is a choice without `choices`";
    if (option->choices && option->type != BP_OPTION_TYPE_ENUM &&
        option->type != BP_OPTION_TYPE_URL && option->type != BP_OPTION_TYPE_PATH &&
        option->type != BP_OPTION_TYPE_LIST)
        return "has `choices`, which only ENUM, URL, PATH and LIST may have";
    if (is_ref(option->type) && (!option->ref_kind || !is_kind(option->ref_kind)))
        return "has no `ref_kind` that is a kind of plugin (" CONF_KINDS ")";
    if (option->ref_kind && !is_ref(option->type))
        return "has a `ref_kind`, which only REF and REFS may have";
    if ((option->minimum || option->maximum) && !has_range(option->type))
        return "has a `minimum` or `maximum`, which only INT, FLOAT, SIZE and DURATION may have";
    if (option->is_required && option->initial)
        return "is required and has a default: it can be only one of them";
    if (option->type == BP_OPTION_TYPE_SECRET && option->initial)
        return "is a secret with a default, which would be no secret";
    return check_help(option);
}

/* Reads `text` as a value of the option; its mistake, or empty. */
static bp_str try_text(struct arena *arena, const bp_option *option, const char *text)
{
    union {
        bp_str_list   list;
        bp_option_map map;
        int64_t       number;
    } field = { .number = 0 };
    struct option_refs   refs = { 0 };
    struct conf_problems problems;
    struct option_reader reader = { &problems, BP_STR("/") };

    problems_init(&problems, arena, "");
    option_read_text(&reader, option, text, &field, &refs);
    return problems.first ? problems.first->text : bp_str_of(NULL);
}

static bp_str check_texts(struct arena *arena, const bp_option *option)
{
    bp_option plain = *option;
    bp_str    problem = { 0 };

    plain.minimum = NULL;
    plain.maximum = NULL;
    if (option->minimum)
        problem = try_text(arena, &plain, option->minimum);
    if (problem.len)
        return arena_format(arena, "its minimum " BP_FMT, BP_ARG(problem));
    if (option->maximum)
        problem = try_text(arena, &plain, option->maximum);
    if (problem.len)
        return arena_format(arena, "its maximum " BP_FMT, BP_ARG(problem));
    plain.minimum = option->minimum;
    if (option->maximum)
        problem = try_text(arena, &plain, option->maximum);
    if (problem.len)
        return arena_format(arena, "its maximum " BP_FMT, BP_ARG(problem));
    if (option->initial)
        problem = try_text(arena, option, option->initial);
    return problem.len ? arena_format(arena, "its default " BP_FMT, BP_ARG(problem)) : problem;
}

static bp_str check_place(struct arena *arena, const bp_option *option, uint32_t instance_size)
{
    size_t size = option_field_size(option->type), alignment = option_field_alignment(option->type);

    if (option->offset % alignment)
        return arena_format(arena, "its field at %u is not aligned to %zu bytes", option->offset,
                            alignment);
    if (size > instance_size || option->offset > instance_size - size)
        return arena_format(arena,
                            "its field at %u of %zu bytes lies outside the instance's %u bytes",
                            option->offset, size, instance_size);
    return bp_str_of(NULL);
}

static bp_str check_pair(struct arena *arena, const bp_option *option, const bp_option *other)
{
    size_t end = option->offset + option_field_size(option->type);
    size_t other_end = other->offset + option_field_size(other->type);

    if (strcmp(option->name, other->name) == 0)
        return BP_STR("there are two of that name");
    if (option->offset < other_end && other->offset < end)
        return arena_format(arena, "its field overlaps that of \"%s\"", other->name);
    return bp_str_of(NULL);
}

static bp_str check_option(struct arena *arena, const struct option_table *table, uint32_t index,
                           uint32_t instance_size)
{
    bp_option   option = option_at(table, index);
    const char *shape;
    bp_str      problem;

    if (!is_option_name(option.name))
        return BP_STR("a name has only a-z, 0-9 and _, and at most 63 of them");
    if (strcmp(option.name, "use") == 0)
        return BP_STR("the name is taken by the host");
    shape = check_shape(&option);
    if (shape)
        return arena_format(arena, "it %s", shape);
    problem = check_place(arena, &option, instance_size);
    for (uint32_t i = 0; i < index && !problem.len; i++) {
        bp_option other = option_at(table, i);

        problem = check_pair(arena, &option, &other);
    }
    return problem.len ? problem : check_texts(arena, &option);
}

bp_str option_table_check(struct arena *arena, const struct option_table *table,
                          uint32_t instance_size)
{
    if (table->count == 0)
        return bp_str_of(NULL);
    if (!table->options || table->stride < MIN_STRIDE || table->stride > MAX_STRIDE ||
        table->stride % _Alignof(bp_option))
        return arena_format(arena,
                            "the option table has a stride of %u bytes, which no version of the "
                            "SDK has",
                            table->stride);
    if (table->count > MAX_OPTIONS)
        return arena_format(arena, "there are %u options; at most 256 are allowed", table->count);
    for (uint32_t i = 0; i < table->count; i++) {
        bp_option option = option_at(table, i);
        bp_str    problem;

        if (!option.name)
            return arena_format(arena, "option %u has no name", i);
        problem = check_option(arena, table, i, instance_size);
        if (problem.len)
            return arena_format(arena, "option \"%s\": " BP_FMT, option.name, BP_ARG(problem));
    }
    return bp_str_of(NULL);
}

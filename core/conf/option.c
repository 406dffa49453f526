/* option.c - walks a table of options and a mapping of the conf; option_value.c reads the single
 * values. */
#include "conf/option.h"

#include <backplane/peer.h>

#include "base/str.h"
#include "conf/hint.h"

/* X(number, name in docs, type of the field) */
#define OPTION_TYPE_MAP(X)                                                                         \
    X(BP_OPTION_TYPE_BOOL, "bool", bool)                                                           \
    X(BP_OPTION_TYPE_INT, "integer", int64_t)                                                      \
    X(BP_OPTION_TYPE_FLOAT, "number", double)                                                      \
    X(BP_OPTION_TYPE_SIZE, "size", int64_t)                                                        \
    X(BP_OPTION_TYPE_DURATION, "duration", int64_t)                                                \
    X(BP_OPTION_TYPE_STRING, "string", bp_str)                                                     \
    X(BP_OPTION_TYPE_ENUM, "choice", int32_t)                                                      \
    X(BP_OPTION_TYPE_URL, "URL", bp_str)                                                           \
    X(BP_OPTION_TYPE_ADDRESS, "address", bp_str)                                                   \
    X(BP_OPTION_TYPE_PATH, "path", bp_str)                                                         \
    X(BP_OPTION_TYPE_SECRET, "secret", bp_str)                                                     \
    X(BP_OPTION_TYPE_LIST, "list", bp_str_list)                                                    \
    X(BP_OPTION_TYPE_MAP, "map", bp_option_map)                                                    \
    X(BP_OPTION_TYPE_REF, "reference", const bp_peer *)                                            \
    X(BP_OPTION_TYPE_REFS, "list of references", bp_peer_list)

const char *option_type_name(uint32_t type)
{
    switch (type) {
#define OPTION_NAME_CASE(number, name, field_type)                                                 \
    case number:                                                                                   \
        return name;
        OPTION_TYPE_MAP(OPTION_NAME_CASE)
    default:
        return NULL;
    }
}

size_t option_field_size(uint32_t type)
{
    switch (type) {
#define OPTION_SIZE_CASE(number, name, field_type)                                                 \
    case number:                                                                                   \
        return sizeof(field_type);
        OPTION_TYPE_MAP(OPTION_SIZE_CASE)
    default:
        return 0;
    }
}

size_t option_field_alignment(uint32_t type)
{
    switch (type) {
#define OPTION_ALIGNMENT_CASE(number, name, field_type)                                            \
    case number:                                                                                   \
        return _Alignof(field_type);
        OPTION_TYPE_MAP(OPTION_ALIGNMENT_CASE)
    default:
        return 1;
    }
}

bp_option option_at(const struct option_table *table, uint32_t index)
{
    bp_option option = { 0 };
    size_t    known = table->stride < sizeof(option) ? table->stride : sizeof(option);

    memcpy(&option, (const char *)table->options + (size_t)table->stride * index, known);
    return option;
}

bool option_table_has(const struct option_table *table, bp_str name)
{
    for (uint32_t i = 0; table && i < table->count; i++)
        if (bp_str_is(name, option_at(table, i).name))
            return true;
    return false;
}

static void read_one(const struct option_reader *reader, const bp_option *option,
                     const struct conf_node *mapping, void *out, struct option_refs *refs)
{
    const struct conf_node *node = node_find(mapping, option->name);
    void                   *field = (char *)out + option->offset;

    if (node && node->is_broken)
        return;
    if (node && option->deprecated)
        warning_at_key(reader->problems, node, "is deprecated: use %s", option->deprecated);
    if (node && !node_is_unset(node)) {
        if (node_is_null(node))
            error_at_value(reader->problems, node,
                           "has no value (give it one, or remove the line)");
        else
            option_read_value(reader, option, node, field, refs);
    } else if (node && option->is_required) {
        error_at_value(reader->problems, node, "is required, but " BP_FMT " comes to nothing: %s",
                       BP_ARG(node->text), option->help);
    } else if (option->is_required) {
        error_missing(reader->problems, mapping, option->name, "is required: %s", option->help);
    } else if (option->initial) {
        option_read_text(reader, option, option->initial, field, refs);
    }
}

void option_read(const struct option_reader *reader, const struct option_table *table,
                 const struct option_table *shadow, const struct conf_node *mapping, void *out,
                 struct option_refs *refs)
{
    for (uint32_t i = 0; i < table->count; i++) {
        bp_option option = option_at(table, i);
        bool      is_shadowed = option_table_has(shadow, bp_str_of(option.name));

        read_one(reader, &option, is_shadowed ? NULL : mapping, out, refs);
    }
}

static bool is_choice(const char *choices, bp_str name)
{
    bp_str rest = bp_str_of(choices);

    while (rest.len)
        if (bp_str_equal(str_split(rest, '|', &rest), name))
            return true;
    return false;
}

static bool is_known(const struct option_table *const *tables, size_t table_count, bp_str name)
{
    for (size_t i = 0; i < table_count; i++)
        if (option_table_has(tables[i], name))
            return true;
    return false;
}

void option_report_unknown(struct conf_problems *problems, const struct conf_node *mapping,
                           const struct option_table *const *tables, size_t table_count,
                           const char *other_keys)
{
    if (!mapping)
        return;
    for (const struct conf_node *child = mapping->first; child; child = child->next) {
        struct hint hint = hint_for(child->key);

        if (is_choice(other_keys, child->key) || is_known(tables, table_count, child->key))
            continue;
        hint_offer_choices(&hint, other_keys);
        for (size_t i = 0; i < table_count && !problems_are_full(problems); i++)
            for (uint32_t k = 0; k < tables[i]->count; k++)
                hint_offer(&hint, bp_str_of(option_at(tables[i], k).name));
        error_at_key(problems, child, "is not known here%s", hint_text(problems->arena, &hint));
    }
}

void option_report_no_instance(struct conf_problems *problems, const struct option_ref *ref,
                               const struct conf_node *owner, const struct hint *hint)
{
    if (ref->node)
        error_at_value(problems, ref->node, "there is no " BP_FMT " instance \"" BP_FMT "\"%s",
                       BP_ARG(ref->kind), BP_ARG(ref->name), hint_text(problems->arena, hint));
    else
        error_missing(problems, owner, ref->option.data,
                      "there is no " BP_FMT " instance \"" BP_FMT "\", which is the default%s",
                      BP_ARG(ref->kind), BP_ARG(ref->name), hint_text(problems->arena, hint));
}

/* filters.c - checks a filter, and walks over it. */
#include "filters.h"

#include <math.h>

enum { DEPTH_MAX = 8, FIELD_BYTES_MAX = 64 };

/* ---- soundness ---- */

bool filters_is_field(bp_str field)
{
    if (field.len < 1 || field.len > FIELD_BYTES_MAX)
        return false;
    for (size_t i = 0; i < field.len; i++) {
        char c = field.data[i];
        bool is_letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
        bool is_other = (c >= '0' && c <= '9') || c == '.' || c == '-';
        if (!is_letter && !(is_other && i > 0))
            return false;
    }
    return true;
}

static bp_status check_node(bp_call *call, const bp_filter *filter, int depth)
{
    bool is_leaf = filter->op >= BP_FILTER_IN && filter->op <= BP_FILTER_NOT_EXISTS;

    if (depth > DEPTH_MAX)
        return bp_fail(call, BP_INVALID, "the filter is deeper than %d", DEPTH_MAX);
    if (filter->op < BP_FILTER_AND || filter->op > BP_FILTER_NOT_EXISTS)
        return bp_fail(call, BP_INVALID, "the filter has an operation of the unknown number %u",
                       filter->op);
    if (is_leaf && !filters_is_field(filter->field))
        return bp_fail(call, BP_INVALID, "\"" BP_FMT "\" cannot be the name of a field",
                       BP_ARG(filter->field));
    if (filter->op == BP_FILTER_NOT && filter->child_count != 1)
        return bp_fail(call, BP_INVALID, "a filter's \"not\" takes one child, not %zu",
                       filter->child_count);
    if (filter->op == BP_FILTER_RANGE && (isnan(filter->low) || isnan(filter->high)))
        return bp_fail(call, BP_INVALID, "the bounds of " BP_FMT " must be numbers",
                       BP_ARG(filter->field));
    if (filter->op == BP_FILTER_PREFIX &&
        (filter->value_count != 1 || filter->values[0].type != BP_VALUE_STRING))
        return bp_fail(call, BP_INVALID, "the prefix of " BP_FMT " must be one string",
                       BP_ARG(filter->field));
    for (size_t i = 0; !is_leaf && i < filter->child_count; i++)
        BP_TRY(check_node(call, filter->children[i], depth + 1));
    return BP_OK;
}

bp_status filters_check(bp_call *call, const bp_filter *filter)
{
    return filter ? check_node(call, filter, 1) : BP_OK;
}

/* ---- writing ---- */

struct walk {
    const struct filters_writer *writer;
    void                        *self;
    bp_buf                      *sql;
};

/* "and" of nothing is everything, "or" of nothing is nothing. */
static void begin_group(const struct walk *walk, const bp_filter *group)
{
    if (walk->writer->begin)
        walk->writer->begin(walk->self, group);
    else if (group->op == BP_FILTER_NOT)
        bp_buf_add(walk->sql, BP_STR("NOT ("));
    else if (group->child_count)
        bp_buf_add(walk->sql, BP_STR("("));
    else
        bp_buf_add(walk->sql, group->op == BP_FILTER_AND ? BP_STR("(1 = 1") : BP_STR("(1 = 0"));
}

static void separate(const struct walk *walk, const bp_filter *group)
{
    if (walk->writer->next)
        walk->writer->next(walk->self, group);
    else if (!walk->writer->begin)
        bp_buf_add(walk->sql, group->op == BP_FILTER_AND ? BP_STR(" AND ") : BP_STR(" OR "));
}

static void end_group(const struct walk *walk, const bp_filter *group)
{
    if (walk->writer->end)
        walk->writer->end(walk->self, group);
    else if (!walk->writer->begin)
        bp_buf_add(walk->sql, BP_STR(")"));
}

static bp_status write_node(const struct walk *walk, const bp_filter *filter)
{
    switch (filter->op) {
    case BP_FILTER_IN:
        return walk->writer->in(walk->self, filter);
    case BP_FILTER_RANGE:
        return walk->writer->range(walk->self, filter);
    case BP_FILTER_PREFIX:
        return walk->writer->prefix(walk->self, filter);
    case BP_FILTER_EXISTS:
    case BP_FILTER_NOT_EXISTS:
        return walk->writer->exists(walk->self, filter);
    default:
        break;
    }
    begin_group(walk, filter);
    for (size_t i = 0; i < filter->child_count; i++) {
        if (i > 0)
            separate(walk, filter);
        BP_TRY(write_node(walk, filter->children[i]));
    }
    end_group(walk, filter);
    return BP_OK;
}

bp_status filters_walk(bp_call *call, const struct filters_writer *writer, void *self, bp_buf *sql,
                       const bp_filter *filter)
{
    const struct walk walk = { writer, self, sql };

    if (!filter)
        return BP_OK;
    BP_TRY(filters_check(call, filter));
    return write_node(&walk, filter);
}

/* decide.c - a filter decided by us, on the JSON of a point's metadata: a field that holds an array
 * matches when any of its members does; one that is missing, or of another type, matches nothing.
 */
#include "filters/filters.h"

#include <math.h>

#include <backplane/json.h>

/* ---- one member of a field ---- */

static bool is_number(const bp_json *value)
{
    return bp_json_type_of(value) == BP_JSON_INTEGER || bp_json_type_of(value) == BP_JSON_NUMBER;
}

static bool equals(const bp_json *member, const bp_value *value)
{
    int64_t integer;

    switch (value->type) {
    case BP_VALUE_STRING:
        return bp_json_type_of(member) == BP_JSON_STRING &&
               bp_str_equal(bp_json_string(member), value->text);
    case BP_VALUE_NUMBER:
        if (bp_json_type_of(member) == BP_JSON_INTEGER && bp_value_integer(value, &integer))
            return bp_json_integer(member) == integer;
        return is_number(member) && bp_json_number(member) == value->number;
    case BP_VALUE_BOOL:
        return bp_json_type_of(member) == BP_JSON_BOOL &&
               bp_json_bool(member) == (value->number != 0);
    default:
        return false;
    }
}

static bool is_within(const bp_json *member, const bp_filter *filter)
{
    double  number = bp_json_number(member);
    int     low, high; // -1, 0, 1: below the bound, on it, above it
    int64_t bound;

    if (!is_number(member))
        return false;
    low = bp_json_type_of(member) == BP_JSON_INTEGER && bp_filter_low(filter, &bound)
              ? (bp_json_integer(member) > bound) - (bp_json_integer(member) < bound)
              : (number > filter->low) - (number < filter->low);
    high = bp_json_type_of(member) == BP_JSON_INTEGER && bp_filter_high(filter, &bound)
               ? (bp_json_integer(member) > bound) - (bp_json_integer(member) < bound)
               : (number > filter->high) - (number < filter->high);
    if (low < 0 || (low == 0 && filter->is_low_exclusive && filter->low != -INFINITY))
        return false;
    return high < 0 || (high == 0 && !(filter->is_high_exclusive && filter->high != INFINITY));
}

static bool member_passes(const bp_json *member, const bp_filter *filter)
{
    bp_str text = bp_json_string(member);

    if (filter->op == BP_FILTER_RANGE)
        return is_within(member, filter);
    if (filter->op == BP_FILTER_PREFIX)
        return bp_json_type_of(member) == BP_JSON_STRING &&
               text.len >= filter->values[0].text.len &&
               bp_str_equal(bp_str_n(text.data, filter->values[0].text.len),
                            filter->values[0].text);
    for (size_t i = 0; i < filter->value_count; i++)
        if (equals(member, &filter->values[i]))
            return true;
    return false;
}

/* ---- the tree ---- */

static bool leaf_passes(const bp_json *metadata, const bp_filter *filter)
{
    char           name[72];
    const bp_json *field;

    snprintf(name, sizeof(name), BP_FMT, BP_ARG(filter->field));
    field = bp_json_get(metadata, name);
    if (filter->op == BP_FILTER_EXISTS || filter->op == BP_FILTER_NOT_EXISTS)
        return (bp_json_type_of(field) != BP_JSON_NONE) == (filter->op == BP_FILTER_EXISTS);
    if (bp_json_type_of(field) != BP_JSON_ARRAY)
        return member_passes(field, filter);
    for (size_t i = 0; i < bp_json_count(field); i++)
        if (member_passes(bp_json_at(field, i), filter))
            return true;
    return false;
}

static bool node_passes(const bp_json *metadata, const bp_filter *filter)
{
    if (filter->op == BP_FILTER_NOT)
        return !node_passes(metadata, filter->children[0]);
    if (filter->op != BP_FILTER_AND && filter->op != BP_FILTER_OR)
        return leaf_passes(metadata, filter);
    for (size_t i = 0; i < filter->child_count; i++)
        if (node_passes(metadata, filter->children[i]) == (filter->op == BP_FILTER_OR))
            return filter->op == BP_FILTER_OR;
    return filter->op == BP_FILTER_AND;
}

bp_status filters_decide(bp_call *call, const bp_filter *filter, bp_str metadata, bool *passes)
{
    const bp_json *parsed = NULL;

    *passes = true;
    if (!filter)
        return BP_OK;
    BP_TRY(bp_json_parse(call, metadata, &parsed));
    *passes = node_passes(parsed, filter);
    return BP_OK;
}

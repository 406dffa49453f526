/* filter.c - a filter as clients write it, made the typed tree that vector stores take.
 *
 *      {"lang": "en", "year": {"gte": 2020, "lt": 2024}, "tags": {"in": ["a", "b"]}, "or": [{...}, {...}], "not": {...}}
 *
 * Members of an object must all hold. A plain value means equal.
 */
#include <math.h>

#include "retrieval.h"

enum { DEPTH_MAX = 8 };

static bp_status read_object(bp_call *call, const bp_json *json, int depth, bp_filter **filter);

static bp_filter *new_filter(bp_call *call, uint32_t op, bp_str field)
{
    bp_filter *filter = BP_NEW(call, bp_filter);

    if (filter)
        *filter = (bp_filter){ .struct_size = sizeof(*filter),
                               .op = op,
                               .field = field,
                               .low = -INFINITY,
                               .high = INFINITY };
    return filter;
}

/* Whether a number is a whole one of 64 bits, however it was written: a double does not keep all of
 * them. */
static bool integer_of(const bp_json *json, int64_t *integer)
{
    double number = bp_json_number(json);

    *integer = 0;
    if (bp_json_type_of(json) == BP_JSON_INTEGER) {
        *integer = bp_json_integer(json);
        return true;
    }
    if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0) ||
        number != trunc(number))
        return false;
    *integer = (int64_t)number;
    return true;
}

static bp_status read_value(bp_call *call, bp_str field, const bp_json *json, bp_value *value)
{
    int64_t integer;

    switch (bp_json_type_of(json)) {
    case BP_JSON_STRING:
        *value = (bp_value){ .type = BP_VALUE_STRING, .text = bp_json_string(json) };
        return BP_OK;
    case BP_JSON_INTEGER:
    case BP_JSON_NUMBER:
        *value = (bp_value){ .type = BP_VALUE_NUMBER, .number = bp_json_number(json) };
        value->is_integer = integer_of(json, &integer);
        if (value->is_integer)
            value->text = bp_format(call, "%lld", (long long)integer);
        return BP_OK;
    case BP_JSON_BOOL:
        *value = (bp_value){ .type = BP_VALUE_BOOL, .number = bp_json_bool(json) };
        return BP_OK;
    default:
        return bp_fail(call, BP_INVALID,
                       "filter: \"" BP_FMT "\" must be compared with a text, a number or a boolean",
                       BP_ARG(field));
    }
}

static bp_status read_in(bp_call *call, bp_str field, const bp_json *list, bp_filter **filter)
{
    bool      is_list = bp_json_type_of(list) == BP_JSON_ARRAY;
    size_t    count = is_list ? bp_json_count(list) : 1;
    bp_value *values = BP_NEW_ARRAY(call, bp_value, count);

    *filter = new_filter(call, BP_FILTER_IN, field);
    if (!values || !*filter)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        BP_TRY(read_value(call, field, is_list ? bp_json_at(list, i) : list, &values[i]));
    (*filter)->values = values;
    (*filter)->value_count = count;
    return BP_OK;
}

static bp_status set_bound(bp_call *call, bp_str field, bp_str name, const bp_json *value,
                           bp_filter *range)
{
    double number = bp_json_number(value);

    if (bp_json_type_of(value) != BP_JSON_INTEGER && bp_json_type_of(value) != BP_JSON_NUMBER)
        return bp_fail(call, BP_INVALID,
                       "filter: \"" BP_FMT "\" of \"" BP_FMT "\" must be a number", BP_ARG(name),
                       BP_ARG(field));
    if (bp_str_starts(name, "gt")) {
        range->low = number;
        range->is_low_integer = integer_of(value, &range->low_integer);
        range->is_low_exclusive = name.len == 2;
    } else {
        range->high = number;
        range->is_high_integer = integer_of(value, &range->high_integer);
        range->is_high_exclusive = name.len == 2;
    }
    return BP_OK;
}

/* {"gte": 1, "lt": 5}, {"in": [...]}, {"prefix": "x"}, {"exists": true} */
static bp_status read_operators(bp_call *call, bp_str field, const bp_json *json,
                                bp_filter **filter)
{
    size_t         cursor = 0;
    bp_str         name;
    const bp_json *value;

    *filter = NULL;
    while (bp_json_entry(json, &cursor, &name, &value)) {
        if (bp_str_is(name, "gt") || bp_str_is(name, "gte") || bp_str_is(name, "lt") ||
            bp_str_is(name, "lte")) {
            if (*filter && (*filter)->op != BP_FILTER_RANGE)
                return bp_fail(call, BP_INVALID,
                               "filter: \"" BP_FMT "\" mixes a range with another operator",
                               BP_ARG(field));
            if (!*filter)
                *filter = new_filter(call, BP_FILTER_RANGE, field);
            if (!*filter)
                return BP_NO_MEMORY;
            BP_TRY(set_bound(call, field, name, value, *filter));
            continue;
        }
        if (*filter)
            return bp_fail(call, BP_INVALID,
                           "filter: \"" BP_FMT "\" has more than one operator: use \"and\"",
                           BP_ARG(field));
        if (bp_str_is(name, "in") || bp_str_is(name, "eq")) {
            BP_TRY(read_in(call, field, value, filter));
        } else if (bp_str_is(name, "prefix") && bp_json_type_of(value) == BP_JSON_STRING) {
            BP_TRY(read_in(call, field, value, filter));
            (*filter)->op = BP_FILTER_PREFIX;
        } else if (bp_str_is(name, "exists") && bp_json_type_of(value) == BP_JSON_BOOL) {
            *filter = new_filter(call,
                                 bp_json_bool(value) ? BP_FILTER_EXISTS : BP_FILTER_NOT_EXISTS,
                                 field);
        } else {
            return bp_fail(call, BP_INVALID,
                           "filter: \"" BP_FMT "\" has the operator \"" BP_FMT
                           "\"; eq, in, gt, gte, lt, lte, prefix (a text) and exists (true or "
                           "false) are known",
                           BP_ARG(field), BP_ARG(name));
        }
        if (!*filter)
            return BP_NO_MEMORY;
    }
    return *filter
               ? BP_OK
               : bp_fail(call, BP_INVALID, "filter: \"" BP_FMT "\" has no operator", BP_ARG(field));
}

static bp_status read_list(bp_call *call, uint32_t op, const bp_json *list, int depth,
                           bp_filter **filter)
{
    size_t      count = bp_json_count(list);
    bp_filter **children = BP_NEW_ARRAY(call, bp_filter *, count);

    if (bp_json_type_of(list) != BP_JSON_ARRAY)
        return bp_fail(call, BP_INVALID, "filter: \"and\" and \"or\" take an array of filters");
    *filter = new_filter(call, op, bp_str_n(NULL, 0));
    if (!children || !*filter)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        BP_TRY(read_object(call, bp_json_at(list, i), depth + 1, &children[i]));
    (*filter)->children = (const bp_filter *const *)children;
    (*filter)->child_count = count;
    return BP_OK;
}

static bp_status read_not(bp_call *call, const bp_json *json, int depth, bp_filter **filter)
{
    bp_filter **child = BP_NEW(call, bp_filter *);

    *filter = new_filter(call, BP_FILTER_NOT, bp_str_n(NULL, 0));
    if (!child || !*filter)
        return BP_NO_MEMORY;
    BP_TRY(read_object(call, json, depth + 1, child));
    (*filter)->children = (const bp_filter *const *)child;
    (*filter)->child_count = 1;
    return BP_OK;
}

static bp_status read_object(bp_call *call, const bp_json *json, int depth, bp_filter **filter)
{
    size_t         cursor = 0, count = 0, most = bp_json_count(json);
    bp_filter    **children = BP_NEW_ARRAY(call, bp_filter *, most);
    bp_str         key;
    const bp_json *value;

    if (depth > DEPTH_MAX || bp_json_type_of(json) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID,
                       "filter: each level is an object, and there are at most %d of them",
                       DEPTH_MAX);
    *filter = new_filter(call, BP_FILTER_AND, bp_str_n(NULL, 0));
    if (!children || !*filter)
        return BP_NO_MEMORY;
    while (bp_json_entry(json, &cursor, &key, &value)) {
        bp_filter **child = &children[count++];

        if (bp_str_is(key, "and") || bp_str_is(key, "or"))
            BP_TRY(read_list(call, bp_str_is(key, "or") ? BP_FILTER_OR : BP_FILTER_AND, value,
                             depth, child));
        else if (bp_str_is(key, "not"))
            BP_TRY(read_not(call, value, depth, child));
        else if (bp_json_type_of(value) == BP_JSON_OBJECT)
            BP_TRY(read_operators(call, key, value, child));
        else
            BP_TRY(read_in(call, key, value, child));
    }
    if (count == 1) {
        *filter = children[0];
        return BP_OK;
    }
    (*filter)->children = (const bp_filter *const *)children;
    (*filter)->child_count = count;
    return BP_OK;
}

bp_status filter_read(bp_call *call, const bp_json *json, const bp_filter **filter)
{
    bp_filter *made;

    *filter = NULL;
    if (!json || bp_json_type_of(json) == BP_JSON_NULL)
        return BP_OK;
    BP_TRY(read_object(call, json, 1, &made));
    *filter = made;
    return BP_OK;
}

/* filter.c - a filter in Qdrant's words, selecting what the other stores select.
 *
 *      and  must            or  should          not  must_not          any member of an array matches, as there
 *      in   match any (strings), match value (booleans), a range from and to the number (so that 3 is 3.0)
 *      prefix   match value on the numbers of beginnings: what "match text" does differs between versions of Qdrant
 *      exists   the list of names has it
 */
#include "qdrant.h"

#include <math.h>

enum { DEPTH_MAX = 8 };

bool filter_is_field(bp_str field)
{
    if (field.len < 1 || field.len > 64)
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

/* "key": m."field". A dot in a quoted name is no path. */
static void write_key(bp_call *call, bp_json_writer *w, char part, bp_str field)
{
    bp_json_put_string(w, "key", bp_format(call, "%c.\"" BP_FMT "\"", part, BP_ARG(field)));
}

static void write_nothing(bp_json_writer *w)
{
    bp_json_object(w);
    bp_json_key(w, "has_id");
    bp_json_array(w);
    bp_json_end(w);
    bp_json_end(w);
}

static void write_range(bp_call *call, bp_json_writer *w, bp_str field, const char *low_name, double low,
                        const char *high_name, double high)
{
    bp_json_object(w);
    write_key(call, w, 'm', field);
    bp_json_key(w, "range");
    bp_json_object(w);
    // Without bounds it is still about numbers only.
    bp_json_put_number(w, low_name, isinf(low) && low < 0 ? -1.7976931348623157e308 : low);
    if (!(isinf(high) && high > 0))
        bp_json_put_number(w, high_name, high);
    bp_json_end(w);
    bp_json_end(w);
}

static void write_match(bp_call *call, bp_json_writer *w, const bp_filter *filter, const bp_value *value)
{
    bp_json_object(w);
    write_key(call, w, 'm', filter->field);
    bp_json_key(w, "match");
    bp_json_object(w);
    if (value) {
        bp_json_put_bool(w, "value", value->number != 0);
    } else {
        bp_json_key(w, "any");
        bp_json_array(w);
        for (size_t i = 0; i < filter->value_count; i++)
            if (filter->values[i].type == BP_VALUE_STRING)
                bp_json_add_string(w, filter->values[i].text);
        bp_json_end(w);
    }
    bp_json_end(w);
    bp_json_end(w);
}

static void write_in(bp_call *call, bp_json_writer *w, const bp_filter *filter)
{
    bool has_text = false;

    if (!filter->value_count) {
        write_nothing(w);
        return;
    }
    bp_json_object(w);
    bp_json_key(w, "should");
    bp_json_array(w);
    for (size_t i = 0; i < filter->value_count; i++) {
        const bp_value *value = &filter->values[i];

        if (value->type == BP_VALUE_NUMBER)
            write_range(call, w, filter->field, "gte", value->number, "lte", value->number);
        else if (value->type == BP_VALUE_BOOL)
            write_match(call, w, filter, value);
        else if (!has_text)
            write_match(call, w, filter, NULL);
        has_text |= value->type == BP_VALUE_STRING;
    }
    bp_json_end(w);
    bp_json_end(w);
}

/* FNV-1a; 53 bits of it are written, as many as every JSON reader keeps. */
uint64_t prefix_hash(uint64_t shorter, bp_str more)
{
    uint64_t hash = shorter ? shorter : UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < more.len; i++)
        hash = (hash ^ (unsigned char)more.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static bp_status write_prefix(bp_call *call, bp_json_writer *w, const bp_filter *filter)
{
    bp_str prefix = filter->values[0].text;
    size_t characters = 0;

    for (size_t i = 0; i < prefix.len; i++)
        characters += ((unsigned char)prefix.data[i] & 0xc0) != 0x80;
    if (characters > PREFIX_CHARS_MAX)
        return bp_fail(call, BP_INVALID, "the prefix of " BP_FMT " has %zu characters; vector/qdrant finds prefixes of up to %d",
                       BP_ARG(filter->field), characters, PREFIX_CHARS_MAX);
    bp_json_object(w);
    write_key(call, w, 'p', filter->field);
    bp_json_key(w, "match");
    bp_json_object(w);
    bp_json_put_integer(w, "value", (int64_t)(prefix_hash(0, prefix) >> 11));
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

static void write_exists(bp_json_writer *w, bp_str field, bool is_there)
{
    bp_json_object(w);
    bp_json_key(w, is_there ? "must" : "must_not");
    bp_json_array(w);
    bp_json_object(w);
    bp_json_put_string(w, "key", BP_STR("k"));
    bp_json_key(w, "match");
    bp_json_object(w);
    bp_json_put_string(w, "value", field);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
}

static bp_status write_node(bp_call *call, bp_json_writer *w, const bp_filter *filter, int depth);

static bp_status write_children(bp_call *call, bp_json_writer *w, const bp_filter *filter, const char *name, int depth)
{
    if (filter->op == BP_FILTER_OR && !filter->child_count) {
        write_nothing(w);
        return BP_OK;
    }
    bp_json_object(w);
    bp_json_key(w, name);
    bp_json_array(w);
    for (size_t i = 0; i < filter->child_count; i++)
        BP_TRY(write_node(call, w, filter->children[i], depth + 1));
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

static bp_status write_node(bp_call *call, bp_json_writer *w, const bp_filter *filter, int depth)
{
    bool is_leaf = filter->op >= BP_FILTER_IN && filter->op <= BP_FILTER_NOT_EXISTS;

    if (depth > DEPTH_MAX)
        return bp_fail(call, BP_INVALID, "the filter is deeper than %d", DEPTH_MAX);
    if (is_leaf && !filter_is_field(filter->field))
        return bp_fail(call, BP_INVALID, "\"" BP_FMT "\" cannot be the name of a field", BP_ARG(filter->field));
    switch (filter->op) {
    case BP_FILTER_AND:
        return write_children(call, w, filter, "must", depth);
    case BP_FILTER_OR:
        return write_children(call, w, filter, "should", depth);
    case BP_FILTER_NOT:
        if (filter->child_count != 1)
            return bp_fail(call, BP_INVALID, "a filter's \"not\" takes one child, not %zu", filter->child_count);
        return write_children(call, w, filter, "must_not", depth);
    case BP_FILTER_IN:
        write_in(call, w, filter);
        return BP_OK;
    case BP_FILTER_RANGE:
        if (isnan(filter->low) || isnan(filter->high))
            return bp_fail(call, BP_INVALID, "the bounds of " BP_FMT " must be numbers", BP_ARG(filter->field));
        write_range(call, w, filter->field, filter->is_low_exclusive && isfinite(filter->low) ? "gt" : "gte", filter->low,
                    filter->is_high_exclusive ? "lt" : "lte", filter->high);
        return BP_OK;
    case BP_FILTER_PREFIX:
        if (filter->value_count != 1 || filter->values[0].type != BP_VALUE_STRING)
            return bp_fail(call, BP_INVALID, "the prefix of " BP_FMT " must be one string", BP_ARG(filter->field));
        return write_prefix(call, w, filter);
    case BP_FILTER_EXISTS:
    case BP_FILTER_NOT_EXISTS:
        write_exists(w, filter->field, filter->op == BP_FILTER_EXISTS);
        return BP_OK;
    default:
        return bp_fail(call, BP_INVALID, "the filter has an operation of the unknown number %u", filter->op);
    }
}

bp_status filter_write(bp_call *call, bp_json_writer *w, const bp_filter *filter)
{
    bp_json_key(w, "filter");
    bp_json_object(w);
    bp_json_key(w, "must_not");
    bp_json_array(w);
    bp_json_object(w);
    bp_json_key(w, "has_id");
    bp_json_array(w);
    bp_json_add_integer(w, 0);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    if (filter) {
        bp_json_key(w, "must");
        bp_json_array(w);
        BP_TRY(write_node(call, w, filter, 1));
        bp_json_end(w);
    }
    bp_json_end(w);
    return BP_OK;
}

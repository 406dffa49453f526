/* filter.c - a filter in Qdrant's words, selecting what the other stores select.
 *
 *      and  must            or  should          not  must_not          any member of an array matches, as there
 *      in   match any (strings), match value (booleans), a range from and to the number (so that 3 is 3.0)
 *      prefix   match value on the numbers of beginnings: what "match text" does differs between versions of Qdrant
 *      exists   the list of names has it
 */
#include "qdrant.h"

#include <math.h>

#include "filters/filters.h"

#define INTEGER_OF_DOUBLE_MAX (INT64_C(1) << 53)

struct writing {
    bp_call        *call;
    bp_json_writer *json;
};

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

static void write_bounds(bp_call *call, bp_json_writer *w, bp_str field, const char *low_name,
                         double low, const char *high_name, double high)
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

static void write_match(bp_call *call, bp_json_writer *w, const bp_filter *filter,
                        const bp_value *value)
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

/* A double does not keep it. */
static bool is_beyond_doubles(int64_t integer)
{
    return integer > INTEGER_OF_DOUBLE_MAX || integer < -INTEGER_OF_DOUBLE_MAX;
}

/* Qdrant compares integers of a payload exactly when it is asked for one value, and by doubles in a
 * range. */
static void write_integer(bp_call *call, bp_json_writer *w, bp_str field, int64_t integer)
{
    bp_json_object(w);
    write_key(call, w, 'm', field);
    bp_json_key(w, "match");
    bp_json_object(w);
    bp_json_put_integer(w, "value", integer);
    bp_json_end(w);
    bp_json_end(w);
}

static bp_status write_in(void *self, const bp_filter *filter)
{
    bp_call        *call = ((struct writing *)self)->call;
    bp_json_writer *w = ((struct writing *)self)->json;
    bool            has_text = false;
    int64_t         integer;

    if (!filter->value_count) {
        write_nothing(w);
        return BP_OK;
    }
    bp_json_object(w);
    bp_json_key(w, "should");
    bp_json_array(w);
    for (size_t i = 0; i < filter->value_count; i++) {
        const bp_value *value = &filter->values[i];

        if (bp_value_integer(value, &integer) && is_beyond_doubles(integer))
            write_integer(call, w, filter->field, integer);
        else if (value->type == BP_VALUE_NUMBER)
            write_bounds(call, w, filter->field, "gte", value->number, "lte", value->number);
        else if (value->type == BP_VALUE_BOOL)
            write_match(call, w, filter, value);
        else if (!has_text)
            write_match(call, w, filter, NULL);
        has_text |= value->type == BP_VALUE_STRING;
    }
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

static bp_status write_range(void *self, const bp_filter *filter)
{
    struct writing *w = self;
    int64_t         integer;

    if ((bp_filter_low(filter, &integer) && is_beyond_doubles(integer)) ||
        (bp_filter_high(filter, &integer) && is_beyond_doubles(integer)))
        return bp_fail(w->call, BP_UNSUPPORTED,
                       "the range of " BP_FMT
                       " has a bound beyond 2^53, and Qdrant compares ranges as doubles: ask for "
                       "single values with \"in\", or keep such numbers as texts",
                       BP_ARG(filter->field));
    write_bounds(w->call, w->json, filter->field,
                 filter->is_low_exclusive && isfinite(filter->low) ? "gt" : "gte", filter->low,
                 filter->is_high_exclusive ? "lt" : "lte", filter->high);
    return BP_OK;
}

/* FNV-1a; 53 bits of it are written, as many as every JSON reader keeps. */
uint64_t prefix_hash(uint64_t shorter, bp_str more)
{
    uint64_t hash = shorter ? shorter : UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < more.len; i++)
        hash = (hash ^ (unsigned char)more.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static bp_status write_prefix(void *self, const bp_filter *filter)
{
    bp_call        *call = ((struct writing *)self)->call;
    bp_json_writer *w = ((struct writing *)self)->json;
    bp_str          prefix = filter->values[0].text;
    size_t          characters = 0;

    for (size_t i = 0; i < prefix.len; i++)
        characters += ((unsigned char)prefix.data[i] & 0xc0) != 0x80;
    if (characters > PREFIX_CHARS_MAX)
        return bp_fail(call, BP_INVALID,
                       "the prefix of " BP_FMT
                       " has %zu characters; vector/qdrant finds prefixes of up to %d",
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

static bp_status write_exists(void *self, const bp_filter *filter)
{
    bp_json_writer *w = ((struct writing *)self)->json;

    bp_json_object(w);
    bp_json_key(w, filter->op == BP_FILTER_EXISTS ? "must" : "must_not");
    bp_json_array(w);
    bp_json_object(w);
    bp_json_put_string(w, "key", BP_STR("k"));
    bp_json_key(w, "match");
    bp_json_object(w);
    bp_json_put_string(w, "value", filter->field);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

/* ---- the tree ---- */

static bool is_nothing(const bp_filter *group)
{
    return group->op == BP_FILTER_OR && !group->child_count;
}

static void begin_group(void *self, const bp_filter *group)
{
    bp_json_writer *w = ((struct writing *)self)->json;

    if (is_nothing(group)) { // an empty "should" would let everything pass
        write_nothing(w);
        return;
    }
    bp_json_object(w);
    bp_json_key(w, group->op == BP_FILTER_AND  ? "must"
                   : group->op == BP_FILTER_OR ? "should"
                                               : "must_not");
    bp_json_array(w);
}

static void end_group(void *self, const bp_filter *group)
{
    bp_json_writer *w = ((struct writing *)self)->json;

    if (is_nothing(group))
        return;
    bp_json_end(w);
    bp_json_end(w);
}

static const struct filters_writer writer = {
    .begin = begin_group,
    .end = end_group,
    .in = write_in,
    .range = write_range,
    .prefix = write_prefix,
    .exists = write_exists,
};

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
        BP_TRY(filters_walk(call, &writer, &(struct writing){ call, w }, NULL, filter));
        bp_json_end(w);
    }
    bp_json_end(w);
    return BP_OK;
}

/* backplane/filter.h - a typed condition on metadata, as a tree.
 *
 *      and( lang = "en", or( year >= 2024, tags in ["new", "hot"] ) )
 *
 * A leaf names a field and compares it with values of one type. A field that is missing, or of
 * another type, matches only NOT_EXISTS and the negation of a leaf. A field holding an array
 * matches when any of its members does. Numbers compare as doubles, 64-bit integers exactly: the
 * maker of a filter marks integers (bp_value_of_integer(), low_integer, high_integer), since a
 * double keeps only 53 bits.
 */
#ifndef BACKPLANE_FILTER_H
#define BACKPLANE_FILTER_H

#include <backplane/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bp_filter_op {
    BP_FILTER_AND = 1,    /* all children; none: everything */
    BP_FILTER_OR = 2,     /* any child; none: nothing */
    BP_FILTER_NOT = 3,    /* the one child does not match */
    BP_FILTER_IN = 4,     /* equal to one of `values`; one value: equal */
    BP_FILTER_RANGE = 5,  /* numbers: low <= field <= high, exclusive where said */
    BP_FILTER_PREFIX = 6, /* strings: begins with values[0] */
    BP_FILTER_EXISTS = 7,
    BP_FILTER_NOT_EXISTS = 8
} bp_filter_op;

typedef enum bp_value_type {
    BP_VALUE_STRING = 1,
    BP_VALUE_NUMBER = 2,
    BP_VALUE_BOOL = 3
} bp_value_type;

typedef struct bp_value {
    uint32_t type;
    uint32_t is_integer; /* NUMBER: 1 when `text` has the exact value in decimal digits, -2^63 to
                            2^63 - 1; else 0 */
    bp_str text;
    double number; /* BOOL: 0 or 1 */
} bp_value;

/* Depth at most 8, at most 256 nodes and 1,024 values in all; checked by the host before a plugin
 * sees it. */
typedef struct bp_filter bp_filter;
struct bp_filter {
    uint32_t                struct_size;
    uint32_t                op;
    const bp_filter *const *children; /* AND, OR, NOT */
    size_t                  child_count;
    bp_str                  field; /* [A-Za-z_][A-Za-z0-9_.-]{0,63} */
    const bp_value         *values;
    size_t                  value_count;
    double                  low, high; /* RANGE; -INFINITY and INFINITY: open */
    bool                    is_low_exclusive, is_high_exclusive;
    bool    is_low_integer, is_high_integer; /* the bound is exactly the integer below */
    int64_t low_integer, high_integer;
};

/* The exact value of an integer; false for any other value. */
static inline bool bp_value_integer(const bp_value *value, int64_t *integer)
{
    bool     is_negative = value->text.len > 0 && value->text.data[0] == '-';
    uint64_t most = (uint64_t)INT64_MAX + (is_negative ? 1 : 0), sum = 0;

    if (value->type != BP_VALUE_NUMBER || !value->is_integer ||
        value->text.len <= (is_negative ? 1u : 0u))
        return false;
    for (size_t i = is_negative ? 1 : 0; i < value->text.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)value->text.data[i] - '0';

        if (digit > 9 || sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *integer = is_negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* Whether a bound is an exact integer, then in *integer. */
static inline bool bp_filter_low(const bp_filter *filter, int64_t *integer)
{
    if (!BP_HAS(filter, bp_filter, high_integer) || !filter->is_low_integer)
        return false;
    *integer = filter->low_integer;
    return true;
}
static inline bool bp_filter_high(const bp_filter *filter, int64_t *integer)
{
    if (!BP_HAS(filter, bp_filter, high_integer) || !filter->is_high_integer)
        return false;
    *integer = filter->high_integer;
    return true;
}

#ifdef __cplusplus
}
#endif
#endif

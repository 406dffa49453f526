/* backplane/filter.h - a typed condition on metadata, as a tree.
 *
 *      and( lang = "en", or( year >= 2024, tags in ["new", "hot"] ) )
 *
 * A leaf names a field and compares it with values of one type. A field that is missing, or of another
 * type, matches nothing but NOT_EXISTS and what stands under a `not`. A field holding an array matches
 * when any of its members does. Numbers compare as doubles; integers up to 2^53 are exact.
 */
#ifndef BACKPLANE_FILTER_H
#define BACKPLANE_FILTER_H

#include <backplane/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bp_filter_op {
    BP_FILTER_AND = 1, /* all children; none: everything */
    BP_FILTER_OR = 2,  /* any child; none: nothing */
    BP_FILTER_NOT = 3, /* the one child does not match */
    BP_FILTER_IN = 4,  /* equal to one of `values`; one value: equal */
    BP_FILTER_RANGE = 5, /* numbers: low <= field <= high, exclusive where said */
    BP_FILTER_PREFIX = 6, /* strings: begins with values[0] */
    BP_FILTER_EXISTS = 7,
    BP_FILTER_NOT_EXISTS = 8
} bp_filter_op;

typedef enum bp_value_type { BP_VALUE_STRING = 1, BP_VALUE_NUMBER = 2, BP_VALUE_BOOL = 3 } bp_value_type;

typedef struct bp_value {
    uint32_t type;
    uint32_t reserved;
    bp_str   text;
    double   number; /* BOOL: 0 or 1 */
} bp_value;

/* Depth at most 8, at most 256 nodes and 1,024 values in all; checked by the host before a plugin sees it. */
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
};

#ifdef __cplusplus
}
#endif
#endif

/* value.h - reads one value of each type an option can have.
 *
 * Each function returns NULL when the text is good, and otherwise its fault, as the end of a
 * sentence that starts with the value: `is not a size (write ...)`. A hint that repeats a part of
 * the value stands apart in `struct value_hint`, because a secret must not be repeated.
 */
#ifndef CORE_CONF_VALUE_H
#define CORE_CONF_VALUE_H

#include "base/arena.h"

struct value_hint {
    char text[256];    /* the word probably meant; empty: no idea */
    char problem[256]; /* where a function keeps a sentence that is no constant */
};

const char *value_bool(bp_str text, bool *value);
const char *value_int(bp_str text, int64_t *value);
const char *value_float(bp_str text, double *value);
/* 4096, 10KB, 64MiB, 64Mi; a fraction such as 1.5GiB is rounded down. */
const char *value_size(bp_str text, int64_t *bytes, struct value_hint *hint);
/* 250ms, 2s, 1h30m, 1.5s, 0. */
const char *value_duration(bp_str text, int64_t *ns, struct value_hint *hint);
/* `choices` as "a|b|c"; upper and lower case are the same. */
const char *value_enum(bp_str text, const char *choices, int32_t *index, struct value_hint *hint);
/* NULL as `schemes`: http and https. */
const char *value_url(bp_str text, const char *schemes, struct value_hint *hint);
const char *value_address(bp_str text, struct value_hint *hint);

/* An address that passed value_address() and is reached only from this machine: 127.0.0.0/8, ::1,
 * localhost, unix. */
bool address_is_loopback(bp_str address);

/* One word of "a|b|c" and, in *rest, what follows. */
bp_str choice_next(bp_str choices, bp_str *rest);

#endif

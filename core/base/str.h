/* str.h - small questions about text: numbers, case, UTF-8, the nearest name. No allocation. */
#ifndef CORE_BASE_STR_H
#define CORE_BASE_STR_H

#include <backplane/base.h>

bool   str_equal_ignore_case(bp_str a, bp_str b); /* ASCII */
bp_str str_trim(bp_str text);                     /* blanks and tabs at both ends */
/* Everything before `separator`, and *rest behind it; the whole text and an empty rest when there
 * is none. */
bp_str str_split(bp_str text, char separator, bp_str *rest);
/* Decimal, the whole text, no sign for the unsigned one; false when it is not a number or does not
 * fit. */
bool str_to_int(bp_str text, int64_t *value);
bool str_to_uint(bp_str text, uint64_t *value);
bool str_to_double(bp_str  text,
                   double *value); /* finite; independent of the locale's decimal point */
/* Length of the well-formed UTF-8 sequence at `at` (RFC 3629: no surrogates, no overlong forms), or
 * 0. */
size_t str_utf8_sequence(bp_str text, size_t at);
bool   str_is_utf8(bp_str text);
/* The beginning of a text, at most `most_bytes` and no half of a character at its end. */
bp_str str_cut(bp_str text, size_t most_bytes);
/* How many bytes from `at` on need nothing done to them in a JSON string: no quote, backslash or
 * control byte, nothing beyond ASCII. */
size_t str_plain_run(bp_str text, size_t at);
/* The same, and the plain part is copied to `to`, which has room for as much as is left of the text
 * and 16 bytes more. */
size_t str_plain_copy(char *to, bp_str text, size_t at);
/* Steps of insertion, deletion, replacement or swap between two names of at most 63 bytes; 64 for
 * longer ones. */
unsigned str_distance(bp_str a, bp_str b);
/* Whether `name` is near enough to `candidate` to be suggested. */
bool str_is_near(bp_str name, bp_str candidate);
/* Space-separated list has word: "a b c" has "b". */
bool str_has_word(bp_str list, bp_str word);
/* FNV-1a of it, for tables with keys that others choose: then with a seed that they do not know. */
uint64_t str_hash(bp_str text, uint64_t seed);

/* The digits of `value` into `text`, which they are returned in; no NUL. */
bp_str str_from_int(int64_t value, char text[24]);

#endif

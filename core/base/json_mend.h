/* json_mend.h - lenient reading: mends input where that loses nothing, then reads it strictly.
 *
 *      text of a client -> json_parse() -> a value
 *                            | refused
 *                            +-> mend: byte order mark, bad UTF-8, lone surrogates -> json_parse() -> a value, or why not
 *
 * A text that is good is read once and never touched. What cannot be mended without changing what
 * it says (a number that no type holds, a name that ends within itself, 65 levels) stays refused.
 */
#ifndef CORE_BASE_JSON_MEND_H
#define CORE_BASE_JSON_MEND_H

#include "base/json.h"
#include "base/reason.h"

enum {
    /* What any text may take in memory once it is read, in bytes, and for each of its bytes beyond
     * that. "[],[]," takes 48 bytes for each of its own. */
    JSON_MEMORY_BYTES = 64 << 20,
    JSON_MEMORY_PER_BYTE = 16
};

/* json_parse() for a text that somebody else wrote. The value takes at most JSON_MEMORY_BYTES, or
 * JSON_MEMORY_PER_BYTE times the text, of the arena: BP_TOO_LARGE and a sentence beyond that.
 * BP_UNSUPPORTED for JSON that cannot be held (depth, a number beyond its type, a NUL in a
 * name), BP_INVALID for text that is not JSON. */
bp_status json_read(struct arena *arena, bp_str text, const bp_json **value, struct reason *why);

/* The same with a bound of the caller's. */
bp_status json_read_within(struct arena *arena, bp_str text, size_t memory_bytes,
                           const bp_json **value, struct reason *why);

/* The text without a byte order mark before it, each byte that is no UTF-8 and each escape of half
 * a surrogate pair replaced by U+FFFD. The text itself when there is nothing to mend; empty when
 * there is no memory. */
bp_str json_mend(struct arena *arena, bp_str text);

#endif

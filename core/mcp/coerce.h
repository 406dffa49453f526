/* coerce.h - arguments as models write them, made to fit the schema of their tool.
 *
 *      3.0, "3", "3.0" -> 3        "2.5" -> 2.5        "true" -> true        "[\"a\"]" -> ["a"]        null -> left out
 *
 * Each only where the schema does not take the value as it is, and wants the other: a string stays
 * one where strings are taken, and a null where nulls are. Schemas are followed through properties,
 * items, $ref within the text, and anyOf.
 */
#ifndef CORE_MCP_COERCE_H
#define CORE_MCP_COERCE_H

#include "base/json.h"

/* `value` as JSON text that fits `schema` better; empty: there is nothing to change, or no memory.
 */
bp_str coerce(struct arena *arena, const bp_json *schema, const bp_json *value);

/* Where a schema says that a value may be of several types, which some clients refuse with the
 * whole list of tools: the place as a JSON pointer, in the arena; empty: it says so nowhere. */
bp_str coerce_find_union(struct arena *arena, const bp_json *schema);

#endif

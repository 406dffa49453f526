/* shape.h - a quick yes to most structured results: objects of a few strings, whole numbers and
 * booleans.
 *
 * The text is looked at where it lies, so that a file of 64 KiB in a result is not made a tree of
 * values only to see that it is a string. Whatever is less plain gets no answer here, and the
 * schema itself is asked.
 */
#ifndef CORE_MCP_SHAPE_H
#define CORE_MCP_SHAPE_H

#include "base/json.h"

struct shape;

/* In the arena; NULL when the schema says more than types of the members of one object. */
struct shape *shape_read(struct arena *arena, bp_str schema);
/* True: the text is JSON, and the schema allows it. False: not known. `shape` may be NULL. */
bool shape_fits(const struct shape *shape, bp_str json);

#endif

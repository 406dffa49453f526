/* prefix.h - prefixes of the paths of apps, so that apps can share a listener.
 *
 *      app:
 *        work:  { use: filesystem, ... }                    GET /files/{path...}
 *        notes: { use: filesystem, ... }                    GET /notes/files/{path...}
 *
 * An app with `prefix` in its conf gets that one. Any other keeps its paths, unless an app that
 * stands before it in the conf and is served by one of the same listeners has one of its routes
 * already: then all its paths get the instance's name before them. The names of tools follow the
 * same rule, in mcp/catalog.c.
 */
#ifndef CORE_API_PREFIX_H
#define CORE_API_PREFIX_H

#include "base/reason.h"
#include "plugin/generation.h"

/* For each unit of the generation "" or "/NAME"; in the arena. NULL with a sentence in
 * `why`: two apps are in each other's way all the same. Those are errors in the conf's problems
 * too. */
const char **prefixes_settle(struct conf *conf, const struct generation *generation,
                             struct arena *arena, struct reason *why);

/* Whether a listener serves an app; NULL: the host's own. A listener beyond those of the conf
 * serves all. */
bool prefix_is_served_at(const struct server_conf *server, size_t listener,
                         const struct unit *unit);

#endif

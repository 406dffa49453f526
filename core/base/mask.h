/* mask.h - masks secrets of URLs, connection strings and headers in a text.
 *
 * One function for error sentences, log lines with their fields, and `backplane config`: user and
 * password of a URL, parameters that are keys or tokens, the path of a webhook (which is its key),
 * `password=` of a connection string, the token behind Bearer.
 */
#ifndef CORE_BASE_MASK_H
#define CORE_BASE_MASK_H

#include "base/arena.h"

/* False: nothing in it looks like one, and it may be shown as it is. Cheap. */
bool mask_is_needed(bp_str text);
/* The text itself when nothing is to be masked, else a copy. `hides_paths`: of every URL only
 * scheme and host are left, for URLs with a secret in the path. Empty when there is no memory:
 * never the secret. */
bp_str mask_secrets(struct arena *arena, bp_str text, bool hides_paths);
/* "password", "api_key", "X-Auth-Token". */
bool mask_is_secret_name(bp_str name);

#endif

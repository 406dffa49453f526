/* data_lock.h - a lock that allows one server per data folder and names its holder.
 *
 * The mark is a lock on the file `server.lock` in the folder, which the kernel takes away with the
 * process however that ends, and which a successor can be given with the descriptor. What stands in
 * the file is for people.
 */
#ifndef CORE_HOST_DATA_LOCK_H
#define CORE_HOST_DATA_LOCK_H

#include "base/reason.h"

#include <stdbool.h>

/* A descriptor to be closed at the end, or -1 with *is_refused and a sentence in `why` when
 * another server has the folder. -1 without: the folder cannot be written to, so that nobody keeps
 * anything in it either. `conf_file` is written down. */
int data_lock_take(const char *folder, const char *conf_file, bool *is_refused, struct reason *why);

#endif

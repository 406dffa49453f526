/* guard.h - process state that a plugin must not change: signals, umask, locale, standard
 * descriptors.
 *
 * Taken before a plugin is loaded and before each hook of its life; what differs afterwards is put
 * back and logged with the plugin's name.
 */
#ifndef CORE_PLUGIN_GUARD_H
#define CORE_PLUGIN_GUARD_H

#include <signal.h>
#include <sys/types.h>

#include "base/log.h"

enum { GUARD_SIGNALS = 4 };

struct guard_state {
    sigset_t         mask;
    struct sigaction actions[GUARD_SIGNALS];
    mode_t           umask;
    char             locale[128];
    int              standard[3]; /* copies of descriptors 0 to 2 */
};

void guard_take(struct guard_state *state);
/* `doing` completes "changed ... while": "worker_start". Gives back what guard_take() held. */
void guard_restore(struct guard_state *state, struct log *log, const char *plugin,
                   const char *doing);

#endif

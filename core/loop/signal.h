/* signal.h - lets a call wait until another call or thread wakes it: bp_waker of the SDK.
 *
 * A struct waker wakes its call whatever that waits for; a bp_waker is seen by bp_wait() alone, so
 * that a plugin's wake that comes late cannot disturb another wait of the same call.
 */
#ifndef CORE_LOOP_SIGNAL_H
#define CORE_LOOP_SIGNAL_H

#include "loop/call.h"

struct bp_waker;

struct bp_waker *signal_new(bp_call *call);            /* NULL: no memory */
void             signal_free(struct bp_waker *signal); /* on the call's worker; NULL is allowed */
void             signal_wake(struct bp_waker *signal); /* any thread */
bp_status        signal_wait(bp_call *call, struct bp_waker *signal, int64_t deadline_ns,
                             const char *what) BP_SUSPENDS;

#endif

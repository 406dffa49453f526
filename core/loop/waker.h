/* waker.h - lets any thread wake a call that may end at any time.
 *
 * The call makes one, hands it to the part that will have news, and ends it before it goes. Others
 * hold references; waking after the end does nothing.
 */
#ifndef CORE_LOOP_WAKER_H
#define CORE_LOOP_WAKER_H

#include "loop/call.h"

struct waker;

struct waker *waker_new(bp_call *call); /* NULL: no memory. On the call's worker. */
void          waker_end(
             struct waker *waker); /* on the call's worker: it is not woken any more; NULL is allowed */
void waker_hold(struct waker *waker);
void waker_release(struct waker *waker);
/* call_wake() soon, once for many. Any thread that holds a reference, or a lock under which the
 * owner ends it. */
void waker_wake(struct waker *waker);

#endif

/* mutex.h - a fair lock that fibers of any worker may hold across suspension. */
#ifndef CORE_LOOP_MUTEX_H
#define CORE_LOOP_MUTEX_H

#include "loop/call.h"

struct bp_mutex;

struct bp_mutex *mutex_create(void);
void             mutex_destroy(struct bp_mutex *mutex); /* nobody may hold it or wait for it */
bp_status        mutex_lock(bp_call *call, struct bp_mutex *mutex) BP_SUSPENDS;
/* Counts the lock in *open until it is destroyed; `open` may be NULL. */
void mutex_set_owner(struct bp_mutex *mutex, _Atomic int *open);
void mutex_unlock(struct bp_mutex *mutex); /* any thread of the holder's call */

#endif

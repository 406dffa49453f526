/* lock_watch.h - watches the locks of a file that is compiled into a test: included before it. Who
 * gives back or waits without holding ends the process; those made and not destroyed are counted.
 * lock_watch_end.h, behind the file, leaves the locks of others alone again. */
#ifndef TESTS_UNIT_CORE_LOCK_WATCH_H
#define TESTS_UNIT_CORE_LOCK_WATCH_H

#include <pthread.h>
#include <stdlib.h>

static _Thread_local int locks_held;
static _Atomic int       locks_made;

static inline int watched_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes)
{
    locks_made++;
    return pthread_mutex_init(lock, attributes);
}

static inline int watched_destroy(pthread_mutex_t *lock)
{
    locks_made--;
    return pthread_mutex_destroy(lock);
}

static inline int watched_lock(pthread_mutex_t *lock)
{
    int failed = pthread_mutex_lock(lock);

    locks_held++;
    return failed;
}

static inline int watched_unlock(pthread_mutex_t *lock)
{
    if (locks_held-- < 1)
        abort(); // it is not held
    return pthread_mutex_unlock(lock);
}

static inline int watched_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    if (locks_held < 1)
        abort();
    return pthread_cond_wait(condition, lock);
}

#endif

#define pthread_mutex_init    watched_init
#define pthread_mutex_destroy watched_destroy
#define pthread_mutex_lock    watched_lock
#define pthread_mutex_unlock  watched_unlock
#define pthread_cond_wait     watched_wait

/* budget.c - so many a minute for each client, counted in this process. */
#include "api/budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

enum { BUCKETS = 4096 };

struct budget {
    pthread_mutex_t lock;
    int64_t         per_minute;
    struct bucket {
        int64_t full_ns; /* when it is full again: each that is taken puts it off */
    } buckets[BUCKETS];
};

struct budget *budget_new(int64_t per_minute)
{
    struct budget *budget = calloc(1, sizeof(*budget));

    if (!budget)
        return NULL;
    pthread_mutex_init(&budget->lock, NULL);
    budget->per_minute = per_minute;
    return budget;
}

void budget_free(struct budget *budget)
{
    if (!budget)
        return;
    pthread_mutex_destroy(&budget->lock);
    free(budget);
}

bool budget_take(struct budget *budget, uint64_t client, int64_t *wait_ns)
{
    struct bucket *bucket = &budget->buckets[client % BUCKETS];
    int64_t        now_ns = clock_now_ns(), each_ns;
    bool           is_left;

    *wait_ns = 0;
    if (budget->per_minute <= 0)
        return true;
    each_ns = BP_SECONDS(60) / budget->per_minute;
    pthread_mutex_lock(&budget->lock);
    if (bucket->full_ns < now_ns)
        bucket->full_ns = now_ns;
    is_left = bucket->full_ns + each_ns - now_ns <= BP_SECONDS(60);
    if (is_left)
        bucket->full_ns += each_ns;
    else
        *wait_ns = bucket->full_ns + each_ns - now_ns - BP_SECONDS(60);
    pthread_mutex_unlock(&budget->lock);
    return is_left;
}

void budget_give_back(struct budget *budget, uint64_t client)
{
    if (budget->per_minute <= 0)
        return;
    pthread_mutex_lock(&budget->lock);
    budget->buckets[client % BUCKETS].full_ns -= BP_SECONDS(60) / budget->per_minute;
    pthread_mutex_unlock(&budget->lock);
}

/* budget.c - a limit per minute for each client, counted in this process. */
#include "api/budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

enum { BUCKETS = 4096, DEBT_S = 120 /* for the requests that were under way at once */ };

struct budget {
    pthread_mutex_t lock;
    int64_t         per_minute;
    struct bucket {
        int64_t full_ns; /* when it is full again: each that is charged puts it off */
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

static bool ask(struct budget *budget, uint64_t client, bool is_taken, int64_t *wait_ns)
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
    if (is_left && is_taken)
        bucket->full_ns += each_ns;
    else if (!is_left)
        *wait_ns = bucket->full_ns + each_ns - now_ns - BP_SECONDS(60);
    pthread_mutex_unlock(&budget->lock);
    return is_left;
}

bool budget_take(struct budget *budget, uint64_t client, int64_t *wait_ns)
{
    return ask(budget, client, true, wait_ns);
}

bool budget_is_left(struct budget *budget, uint64_t client, int64_t *wait_ns)
{
    return ask(budget, client, false, wait_ns);
}

void budget_charge(struct budget *budget, uint64_t client)
{
    struct bucket *bucket = &budget->buckets[client % BUCKETS];
    int64_t        now_ns = clock_now_ns();

    if (budget->per_minute <= 0)
        return;
    pthread_mutex_lock(&budget->lock);
    if (bucket->full_ns < now_ns)
        bucket->full_ns = now_ns;
    if (bucket->full_ns - now_ns < BP_SECONDS(DEBT_S))
        bucket->full_ns += BP_SECONDS(60) / budget->per_minute;
    pthread_mutex_unlock(&budget->lock);
}

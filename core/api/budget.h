/* budget.h - a limit per minute for each client, counted in this process, for limits that may ask
 * no back end.
 *
 * A bucket for each hash of a client (bp_call.client): it holds a minute's worth and is filled
 * steadily. Clients with the same hash share one. Any thread.
 */
#ifndef CORE_API_BUDGET_H
#define CORE_API_BUDGET_H

#include <backplane/base.h>

struct budget;

struct budget *budget_new(int64_t per_minute); /* 0: no limit. NULL: no memory */
void           budget_free(struct budget *budget);
/* False when there is none left; then `wait_ns` says when there will be. */
bool budget_take(struct budget *budget, uint64_t client, int64_t *wait_ns);
/* The same, and takes nothing. */
bool budget_is_left(struct budget *budget, uint64_t client, int64_t *wait_ns);
/* The request turned out to be of the kind that the budget counts. Requests that were under way at
 * once run into debt, of two minutes at most. */
void budget_charge(struct budget *budget, uint64_t client);

#endif

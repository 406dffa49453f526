/* budgets.c - copies the spent amounts of budgets from one cache to another, and compares both.
 * They are few: one for each key and period, so they are held at once. */
#include <stdlib.h>

#include "transfer/parts.h"

enum { BUDGETS_MAX = 1000000, BATCH = 500 };

struct budget_list {
    bp_budget *items;
    size_t     count, room;
};

static bp_status keep(bp_call *call, void *self, const bp_budget *budget)
{
    struct budget_list *list = self;

    if (list->count == list->room) {
        size_t     room = list->room ? list->room * 2 : 256;
        bp_budget *items = BP_NEW_ARRAY(call, bp_budget, room);

        if (room > BUDGETS_MAX * 2 || !items)
            return call_fail(call, BP_TOO_LARGE, "there are more than %d budgets", BUDGETS_MAX);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = (bp_budget){ .struct_size = sizeof(bp_budget),
                                              .key = bp_dup(call, budget->key),
                                              .period = bp_dup(call, budget->period),
                                              .spent = budget->spent };
    return BP_OK;
}

static int compare_texts(bp_str a, bp_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int    order = common ? memcmp(a.data, b.data, common) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_key(const void *a, const void *b)
{
    const bp_budget *one = a, *other = b;
    int              order = compare_texts(one->key, other->key);

    return order ? order : compare_texts(one->period, other->period);
}

/* All of them, sorted, each once. */
static bp_status read_budgets(bp_call *call, const bp_peer *cache, struct budget_list *list)
{
    const bp_budget_sink sink = { .struct_size = sizeof(sink), .budget = keep, .self = list };
    size_t               kept = 0;

    *list = (struct budget_list){ 0 };
    BP_TRY(bp_cache_dump(call, cache, &sink));
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), by_key);
    for (size_t i = 0; i < list->count; i++)
        if (!kept || by_key(&list->items[kept - 1], &list->items[i]) != 0)
            list->items[kept++] = list->items[i];
    list->count = kept;
    return BP_OK;
}

bp_status transfer_budgets_is_empty(bp_call *call, struct transfer_item *item, bool *is_empty)
{
    struct budget_list list;

    BP_TRY(read_budgets(call, transfer_to(item), &list));
    *is_empty = list.count == 0;
    return BP_OK;
}

/* Loading a budget again does no harm, so a run that was killed starts over. */
bp_status transfer_budgets_copy(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    struct budget_list list;

    BP_TRY(read_budgets(call, transfer_from(item), &list));
    transfer_progress_begin(t, item->label.data, (int64_t)list.count);
    item->moved = 0;
    for (size_t at = 0; at < list.count; at += BATCH) {
        size_t count = list.count - at < BATCH ? list.count - at : BATCH;

        BP_TRY(bp_cache_load(call, transfer_to(item), list.items + at, count));
        item->moved += (int64_t)count;
        item->moved_now += (int64_t)count;
        transfer_progress_step(t, (int64_t)count);
        BP_TRY(transfer_check_stop(call, t));
    }
    if (list.count)
        transfer_progress_end(t);
    return BP_OK;
}

static void digest_budget(bp_call *call, const bp_budget *budget, struct transfer_digest *digest)
{
    transfer_digest_add(digest, bp_format(call, "%zu " BP_FMT " %zu " BP_FMT " %lld",
                                          budget->key.len, BP_ARG(budget->key), budget->period.len,
                                          BP_ARG(budget->period), (long long)budget->spent));
}

bp_status transfer_budgets_compare(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    struct budget_list lists[2];
    size_t             i = 0, j = 0;

    BP_TRY(read_budgets(call, transfer_from(item), &lists[0]));
    BP_TRY(read_budgets(call, transfer_to(item), &lists[1]));
    item->digests[0] = item->digests[1] = (struct transfer_digest){ 0 };
    for (int side = 0; side < 2; side++)
        for (size_t b = 0; b < lists[side].count; b++)
            digest_budget(call, &lists[side].items[b], &item->digests[side]);
    while (i < lists[0].count || j < lists[1].count) {
        const bp_budget *a = i < lists[0].count ? &lists[0].items[i] : NULL,
                        *b = j < lists[1].count ? &lists[1].items[j] : NULL;
        int              order = !a ? 1 : !b ? -1 : by_key(a, b);
        const bp_budget *first = order <= 0 ? a : b;

        if (order != 0)
            transfer_differs(t, item, "the budget " BP_FMT " of " BP_FMT " is only in the %s",
                             BP_ARG(first->key), BP_ARG(first->period),
                             order < 0 ? "source" : "target");
        else if (a->spent != b->spent)
            transfer_differs(t, item,
                             "of the budget " BP_FMT " of " BP_FMT
                             " %lld is spent in the source and %lld in the target",
                             BP_ARG(a->key), BP_ARG(a->period), (long long)a->spent,
                             (long long)b->spent);
        i += order <= 0;
        j += order >= 0;
    }
    item->is_compared = true;
    item->is_equal = !item->difference.len;
    return BP_OK;
}

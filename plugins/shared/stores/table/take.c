/* take.c - rate limits in a table: GCRA, which is a sliding window in one number.
 *
 *      now          full_at          now + window
 *       |--- used ---|---- remaining -----|          a unit moves full_at by window / limit
 *
 * The limit is whole again when full_at has passed; what would move it beyond now + window is
 * refused.
 */
#include "table/table.h"

bool table_take(struct table *table, entry_kind kind, bp_str key, int64_t limit, int64_t window_ns,
                int64_t cost, bp_take *result)
{
    int64_t       now_ns = bp_now_ns(), from_ns, full_ns;
    struct entry *entry;
    struct shard *shard = table_lock(table, kind, key, now_ns, &entry);
    bool          is_new = !entry;

    from_ns = entry && entry->full_at_ns > now_ns ? entry->full_at_ns : now_ns;
    full_ns = cost > limit
                  ? BP_FOREVER
                  : table_later(from_ns,
                                (int64_t)((double)cost / (double)limit * (double)window_ns));
    result->limit = limit;
    result->is_granted = full_ns - now_ns <= window_ns;
    if (entry && kind == ENTRY_STAND_IN)
        table_used(shard, entry); // refused or not: who asks all the time must not be forgotten
    if (result->is_granted && cost > 0) {
        if (is_new)
            entry = table_put(table, shard, kind, key, bp_str_n(NULL, 0));
        if (entry) {
            entry->full_at_ns = full_ns;
            entry->expires_ns = full_ns;
            from_ns = full_ns;
        }
    }
    table_unlock(shard);
    if (result->is_granted && cost > 0 && !entry)
        return false;
    if (is_new && kind == ENTRY_STAND_IN)
        table_make_room(table);
    result->remaining = (int64_t)((double)(window_ns - (from_ns - now_ns)) / (double)window_ns *
                                      (double)limit +
                                  1e-9);
    if (result->remaining < 0)
        result->remaining = 0; /* the limit was lowered meanwhile */
    if (result->is_granted)
        result->reset_ns = from_ns - now_ns;
    else
        result->reset_ns = full_ns == BP_FOREVER ? window_ns : full_ns - now_ns - window_ns;
    return true;
}

/* unit_calls.c - how the calls into an instance went within the last minute. */
#include "base/clock.h"
#include "plugin/instance.h"

enum { FAILURES_MIN = 3, FAILURES_SHARE = 20 };

static int64_t slot_now(void)
{
    return clock_now_ns() / BP_SECONDS(CALL_SLOT_S);
}

void unit_note_call(struct unit *unit, bp_status status)
{
    int64_t now = slot_now(), then;
    size_t  at = (size_t)now % CALL_SLOTS;

    then = atomic_load_explicit(&unit->calls.slots[at].slot, memory_order_relaxed);
    // The first call in ten seconds clears the counts that are a minute old; that another worker's
    // call may be lost then is no harm.
    if (then != now && atomic_compare_exchange_strong(&unit->calls.slots[at].slot, &then, now)) {
        atomic_store(&unit->calls.slots[at].calls, 0);
        atomic_store(&unit->calls.slots[at].failed, 0);
    }
    atomic_fetch_add_explicit(&unit->calls.slots[at].calls, 1, memory_order_relaxed);
    if (status == BP_OK)
        return;
    atomic_fetch_add_explicit(&unit->calls.slots[at].failed, 1, memory_order_relaxed);
    atomic_store_explicit(&unit->calls.last_status, status, memory_order_relaxed);
}

struct call_record call_record_of(const struct unit *unit)
{
    struct call_record record = { .last_status = atomic_load(&unit->calls.last_status) };
    int64_t            now = slot_now();

    for (size_t i = 0; i < CALL_SLOTS; i++) {
        if (now - atomic_load(&unit->calls.slots[i].slot) >= CALL_SLOTS)
            continue;
        record.calls += atomic_load(&unit->calls.slots[i].calls);
        record.failed += atomic_load(&unit->calls.slots[i].failed);
    }
    return record;
}

bool call_record_is_bad(const struct call_record *record)
{
    return record->failed >= FAILURES_MIN && record->failed * FAILURES_SHARE >= record->calls;
}

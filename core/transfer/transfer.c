/* transfer.c - the run of a move: one call that plans, opens the books, copies and compares; and
 * its progress reports. */
#include "transfer/transfer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "transfer/parts.h"

#define ARENA_BYTES_MAX ((size_t)1 << 30)

void transfer_init(struct transfer *t)
{
    *t = (struct transfer){ .is_verify_only = false };
    t->items_end = &t->items;
    arena_init(&t->arena, ARENA_BYTES_MAX);
}

void transfer_free(struct transfer *t)
{
    arena_free(&t->arena);
}

/* ---- what the watch is told ---- */

bp_status transfer_check_stop(bp_call *call, struct transfer *t)
{
    if (!t->watch.is_stopped || !t->watch.is_stopped(t->watch.arg))
        return BP_OK;
    t->is_interrupted = true;
    return call_fail(call, BP_CANCELLED,
                     "stopped on request; written data stays. Continue with: %s", t->go_on);
}

void transfer_progress_begin(struct transfer *t, const char *what, int64_t total)
{
    t->stepped = 0;
    if (t->watch.begin)
        t->watch.begin(t->watch.arg, what, total);
}

void transfer_progress_step(struct transfer *t, int64_t count)
{
    t->stepped += count;
    if (t->watch.step)
        t->watch.step(t->watch.arg, count);
}

void transfer_progress_end(struct transfer *t)
{
    if (t->watch.end)
        t->watch.end(t->watch.arg);
}

void transfer_note(struct transfer *t, const char *format, ...)
{
    char    text[TRANSFER_NOTE_BYTES];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (t->watch.note)
        t->watch.note(t->watch.arg, text);
}

void transfer_differs(struct transfer *t, struct transfer_item *item, const char *format, ...)
{
    char    text[TRANSFER_NOTE_BYTES];
    va_list list;

    t->has_difference = true;
    if (item->difference.len)
        return; // the first one is named
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    item->difference = arena_dup(&t->arena, bp_str_of(text));
}

bool transfer_fail(struct transfer *t, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    reason_set_va(&t->problem, format, list);
    va_end(list);
    return false;
}

/* ---- the work ---- */

static transfer_item_fn *const copy_of[] = { transfer_tables_copy, transfer_points_copy,
                                             transfer_budgets_copy };
static transfer_item_fn *const compare_of[] = { transfer_tables_compare, transfer_points_compare,
                                                transfer_budgets_compare };

bp_status transfer_compare_item(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    return compare_of[item->kind](call, t, item);
}

static bp_status copy_all(bp_call *call, struct transfer *t)
{
    int64_t started_ns = clock_now_ns();

    for (struct transfer_item *item = t->items; item; item = item->next) {
        if (item->is_done)
            continue;
        // Points and budgets are in another place than the books: a collection found after a kill
        // must be known as ours.
        if (item->kind != TRANSFER_TABLE && !item->is_begun)
            BP_TRY(transfer_write_book(call, item, false));
        item->copied_ns = clock_now_ns();
        BP_TRY(copy_of[item->kind](call, t, item));
        item->copied_ns = clock_now_ns() - item->copied_ns;
        // The books of a table are behind what this struct says: only that it is done is still to
        // be written.
        BP_TRY(transfer_write_book(call, item, true));
    }
    t->copied_ns = clock_now_ns() - started_ns;
    return BP_OK;
}

bp_status transfer_run(bp_call *call, struct transfer *t)
{
    BP_TRY(transfer_plan(call, t));
    if (!t->is_verify_only) {
        BP_TRY(transfer_open_books(call, t));
        BP_TRY(transfer_carry_owners(call, t));
        BP_TRY(copy_all(call, t));
    }
    for (struct transfer_item *item = t->items; item; item = item->next)
        if (!item->is_compared)
            BP_TRY(transfer_compare_item(call, t, item));
    return BP_OK;
}

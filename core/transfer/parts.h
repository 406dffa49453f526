/* parts.h - shared by the files of this folder only. */
#ifndef CORE_TRANSFER_PARTS_H
#define CORE_TRANSFER_PARTS_H

#include <backplane/cache.h>

#include "transfer/rows.h"
#include "transfer/transfer.h"

static inline const bp_peer *transfer_from(const struct transfer_item *item)
{
    return &item->pair->from->peer;
}
static inline const bp_peer *transfer_to(const struct transfer_item *item)
{
    return &item->pair->to->peer;
}

/* transfer.c */
/* BP_CANCELLED with the sentence, once the watch said to stop. */
bp_status transfer_check_stop(bp_call *call, struct transfer *t);
void      transfer_progress_begin(struct transfer *t, const char *what, int64_t total);
void      transfer_progress_step(struct transfer *t, int64_t count);
void      transfer_progress_end(struct transfer *t);
void      transfer_note(struct transfer *t, const char *format, ...) BP_FORMAT(2, 3);
/* Keeps the first difference of an item. */
void transfer_differs(struct transfer *t, struct transfer_item *item, const char *format, ...)
    BP_FORMAT(3, 4);
/* Fills `problem`; always false. */
bool transfer_fail(struct transfer *t, const char *format, ...) BP_FORMAT(2, 3);

/* plan.c */
/* Fills the items; those of tables in the order in which tables are made. */
bp_status transfer_plan(bp_call *call, struct transfer *t) BP_SUSPENDS;

/* table_order.c: the place of a table in the migrations of all apps of a generation; SIZE_MAX: none
 * of them makes it. */
size_t transfer_table_order(const struct transfer *t, const struct generation *generation,
                            bp_str name);
/* Where a step of a migration makes the table; SIZE_MAX: it does not name it. */
size_t transfer_place_in_step(const char *sql, bp_str name);

/* versions.c: BP_CONFLICT when both sides have tables of different versions, or newer ones than
 * this program knows. */
bp_status transfer_compare_versions(bp_call *call, const struct transfer *t,
                                    const struct transfer_pair *pair) BP_SUSPENDS;

/* books.c */
/* Reads the books and refuses a target that is in another state than it may be. */
bp_status transfer_open_books(bp_call *call, struct transfer *t) BP_SUSPENDS;
/* The statement that says how far an item is; its parameters go to `values`. */
enum { TRANSFER_BOOK_VALUES = 5 };
bp_statement transfer_book_entry(const struct transfer_item *item, bp_str position, int64_t moved,
                                 bool is_done, bp_sql_value values[TRANSFER_BOOK_VALUES]);
/* Writes it, where there are books. */
bp_status transfer_write_book(bp_call *call, struct transfer_item *item, bool is_done) BP_SUSPENDS;

/* Each copies an item, compares it, or says whether the target has nothing of it yet, by its kind:
 * tables.c, points.c with points_compare.c, budgets.c. */
typedef bp_status    transfer_item_fn(bp_call *call, struct transfer *t,
                                      struct transfer_item *item) BP_SUSPENDS;
typedef bp_status    transfer_is_empty_fn(bp_call *call, struct transfer_item *item,
                                          bool *is_empty) BP_SUSPENDS;
transfer_item_fn     transfer_tables_copy, transfer_points_copy, transfer_budgets_copy;
transfer_item_fn     transfer_tables_compare, transfer_points_compare, transfer_budgets_compare;
transfer_is_empty_fn transfer_tables_is_empty, transfer_points_is_empty, transfer_budgets_is_empty;
bp_status            transfer_compare_item(bp_call *call, struct transfer *t,
                                           struct transfer_item *item) BP_SUSPENDS;

/* points.c: points of a collection behind `after`, at most *limit, which shrinks when they are
 * large. They are the call's. */
struct transfer_points {
    bp_point *points;
    uint32_t  count, dimensions;
    size_t    bytes;
    bool      is_over; /* it grew too large */
};
bp_status transfer_points_read(bp_call *call, const bp_peer *store,
                               const struct transfer_item *item, uint64_t after, uint32_t *limit,
                               struct transfer_points *page) BP_SUSPENDS;
/* Whether a store takes its texts. */
bool transfer_points_is_sound(const bp_point *point);

/* owner.c: the owner of the moved collections, and the id under which the target goes on. */
bp_status transfer_is_ours(bp_call *call, struct transfer *t, const bp_peer *vector,
                           bp_str collection, bp_str *owner, bool *is_ours) BP_SUSPENDS;
bp_status transfer_carry_owners(bp_call *call, struct transfer *t) BP_SUSPENDS;

#endif

/* migrate.h - the parts of `backplane migrate`: what is moved, from where to where, and how far it
 * has come.
 *
 *      migrate.c          the command: two confs, their instances in pairs, one call that does it all
 *      migrate_items.c    the plan: one item for each table, collection and set of budgets; the books in the target
 *      migrate_tables.c   rows: read in the order of their key, written in batches, compared
 *      migrate_rows.c     SQL for a table, and what of a row counts when it is compared
 *      migrate_points.c   points of vector stores; migrate_budgets.c: budgets of caches
 *      migrate_report.c   what was done, for people and as JSON
 *
 * Both sides are generations on the workers of one host, so that one call reaches instances of
 * either.
 */
#ifndef CORE_CLI_MIGRATE_H
#define CORE_CLI_MIGRATE_H

#include <backplane/cache.h>
#include <backplane/storage.h>
#include <backplane/vector.h>

#include "cli/client.h"
#include "host/host.h"

enum { MIGRATE_PAGE_MAX = 500, MIGRATE_DIGEST_CHARS = 64, MIGRATE_MAPS_MAX = 64 };

/* The sum of the hashes of things in any order, and how many they are. */
struct digest {
    uint64_t lanes[4];
    int64_t  count;
};

struct migrate_pair {
    const char      *kind;
    bp_str           from_name, to_name;
    struct instance *from, *to;
    const char      *source;        /* what stands in the books: a hash of where the source is */
    const char      *target;        /* the same of the target */
    bool             is_same_place; /* nothing to do */
    struct instance
        *books; /* the storage of the target in which progress is kept; NULL: there is none */
};

typedef enum migrate_item_kind {
    ITEM_TABLE = 0,
    ITEM_COLLECTION = 1,
    ITEM_BUDGETS = 2
} migrate_item_kind;

struct table_plan;

struct migrate_item {
    struct migrate_item *next;
    struct migrate_pair *pair;
    migrate_item_kind    kind;
    bp_str               name;
    bp_str               label; /* "storage.main documents" */

    struct table_plan    *table;  /* ITEM_TABLE */
    const bp_vector_info *schema; /* ITEM_COLLECTION */

    bool          is_begun, is_done; /* by the books */
    struct bp_buf position;          /* behind what is written already; empty: at the beginning */
    int64_t       moved;             /* over all runs */
    int64_t       moved_now, copied_ns;

    struct digest digests[2]; /* source, target */
    double        deviation;  /* of vectors, the greatest */
    bool          is_compared, is_equal;
    bp_str        difference; /* a sentence */
};

struct migration {
    struct host       *host; /* of the source's conf */
    struct conf       *to_conf;
    struct generation *from, *to;
    const char        *from_file, *to_file;
    bool               is_verify_only, is_resume, is_json;
    bool               is_leaving_out; /* rows that no storage takes any more */
    const char        *maps[MIGRATE_MAPS_MAX];
    size_t             map_count;

    struct arena         arena; /* of what is in the report */
    struct migrate_pair *pairs;
    size_t               pair_count;
    struct migrate_item *items, **items_end;
    const char         **notes; /* sentences for the report */
    size_t               note_count;
    bool                 is_interrupted, has_difference, was_done_before;
    int64_t              started_ns, copied_ns;
};

static inline const bp_peer *migrate_from(const struct migrate_item *item)
{
    return &item->pair->from->peer;
}
static inline const bp_peer *migrate_to(const struct migrate_item *item)
{
    return &item->pair->to->peer;
}

/* migrate.c */
bool migrate_is_stopped(void);
/* BP_CANCELLED with the sentence, once it was asked to stop. */
bp_status migrate_check_stop(bp_call *call, struct migration *m);
void      migrate_note(struct migration *m, const char *format, ...) BP_FORMAT(2, 3);
void      migrate_differs(struct migration *m, struct migrate_item *item, const char *format, ...)
    BP_FORMAT(3, 4);

/* migrate_items.c */
bp_status migrate_plan(bp_call *call, struct migration *m) BP_SUSPENDS;
/* Reads the books and refuses a target that is in another state than it may be. */
bp_status migrate_open_books(bp_call *call, struct migration *m) BP_SUSPENDS;
/* The statement that says how far an item is; its parameters go to `values`. */
enum { MIGRATE_BOOK_VALUES = 5 };
bp_statement migrate_book_entry(const struct migrate_item *item, bp_str position, int64_t moved,
                                bool is_done, bp_sql_value values[MIGRATE_BOOK_VALUES]);
/* Writes it, where there are books. */
bp_status migrate_write_book(bp_call *call, struct migrate_item *item, bool is_done) BP_SUSPENDS;

/* migrate_rows.c */
struct table_column {
    bp_str name;
    int    type; /* bp_sql_type */
};
struct table_plan {
    bp_str              name;
    struct table_column columns[64];
    uint32_t            column_count;
    uint32_t            keys[8]; /* places in columns */
    uint32_t            key_count;
    bool                has_identity;
    size_t              order; /* tables are made, and filled, in this order */
};
/* A walk through a table in pages. `position` is the key of the last row read, as text. */
struct table_walk {
    const struct table_plan *plan;
    const bp_peer           *storage;
    struct bp_buf            position;
    uint32_t                 page;
    struct migration
        *leaving_out; /* rows with texts that no storage takes are passed over; NULL: none are */
    bool is_noting; /* ... and noted: by what compares, as a move that was killed forgets its notes
                     */
};
void walk_begin(struct table_walk *walk, const struct table_plan *plan, const bp_peer *storage,
                bp_str position);
void walk_end(struct table_walk *walk);
/* The next rows, none at the end. */
bp_status walk_next(bp_call *call, struct table_walk *walk, bp_rows *rows) BP_SUSPENDS;
/* The row with the same key as `row`; `rows` is empty when there is none. */
bp_status walk_find(bp_call *call, const bp_peer *storage, const struct table_plan *plan,
                    const bp_sql_value *row, bp_rows *rows) BP_SUSPENDS;
bp_status rows_digest(bp_call *call, const struct table_plan *plan, const bp_rows *rows,
                      struct digest *digest);
/* The first column in which two rows differ, or column_count. */
uint32_t rows_difference(const struct table_plan *plan, const bp_sql_value *a,
                         const bp_sql_value *b);
/* "id = 17", for a sentence. */
bp_str rows_key_text(struct arena *arena, const struct table_plan *plan, const bp_sql_value *row);
/* UTF-8 without a NUL, which is what every back end takes as a text. */
bool rows_is_text(bp_str text);
void sql_add_name(struct bp_buf *sql, bp_str name);
void digest_add(struct digest *digest, bp_str bytes);
bool digest_equal(const struct digest *a, const struct digest *b);
void digest_text(const struct digest *digest, char text[MIGRATE_DIGEST_CHARS + 1]);

/* migrate_tables.c, migrate_points.c, migrate_budgets.c: each copies, or compares, one item. */
bp_status tables_copy(bp_call *call, struct migration *m, struct migrate_item *item) BP_SUSPENDS;
bp_status tables_compare(bp_call *call, struct migration *m, struct migrate_item *item) BP_SUSPENDS;
bp_status tables_is_empty(bp_call *call, struct migrate_item *item, bool *is_empty) BP_SUSPENDS;
bp_status points_copy(bp_call *call, struct migration *m, struct migrate_item *item) BP_SUSPENDS;
bp_status points_compare(bp_call *call, struct migration *m, struct migrate_item *item) BP_SUSPENDS;
bp_status points_is_empty(bp_call *call, struct migrate_item *item, bool *is_empty) BP_SUSPENDS;
bp_status budgets_copy(bp_call *call, struct migration *m, struct migrate_item *item) BP_SUSPENDS;
bp_status budgets_compare(bp_call *call, struct migration *m,
                          struct migrate_item *item) BP_SUSPENDS;
bp_status budgets_is_empty(bp_call *call, struct migrate_item *item, bool *is_empty) BP_SUSPENDS;

/* migrate_owner.c: whose collections are moved, and under which id the target goes on. */
bp_status migrate_is_ours(bp_call *call, struct migration *m, const bp_peer *vector,
                          bp_str collection, bp_str *owner, bool *is_ours) BP_SUSPENDS;
bp_status migrate_carry_owners(bp_call *call, struct migration *m) BP_SUSPENDS;

/* migrate_report.c */
void migrate_report(struct migration *m);

#endif

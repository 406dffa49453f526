/* rows.h - a table in a move: its columns and key, a walk through its rows in pages, and the values
 * that are compared. */
#ifndef CORE_TRANSFER_ROWS_H
#define CORE_TRANSFER_ROWS_H

#include <backplane/storage.h>

#include "base/arena.h"
#include "base/buf.h"
#include "transfer/digest.h"

enum { TRANSFER_PAGE_MAX = 500, TRANSFER_COLUMNS_MAX = 64, TRANSFER_KEYS_MAX = 8 };

struct transfer;

struct transfer_column {
    bp_str name;
    int    type; /* bp_sql_type */
};

struct transfer_table {
    bp_str                 name;
    struct transfer_column columns[TRANSFER_COLUMNS_MAX];
    uint32_t               column_count;
    uint32_t               keys[TRANSFER_KEYS_MAX]; /* places in columns */
    uint32_t               key_count;
    bool                   has_identity;
    size_t                 order; /* tables are made, and filled, in this order */
};

/* A walk through a table in pages. `position` is the key of the last row read, as text. */
struct transfer_walk {
    const struct transfer_table *table;
    const bp_peer               *storage;
    struct bp_buf                position;
    uint32_t                     page;
    /* Rows with texts that no storage takes are passed over; NULL: none are. */
    struct transfer *leaving_out;
    /* ... and noted: by what compares, as a move that was killed forgets its notes. */
    bool is_noting;
};

/* The table and the storage are borrowed; transfer_walk_end() frees the position. */
void transfer_walk_begin(struct transfer_walk *walk, const struct transfer_table *table,
                         const bp_peer *storage, bp_str position);
void transfer_walk_end(struct transfer_walk *walk);
/* The next rows, none at the end; they are the call's. BP_DATA when the position cannot be read,
 * else as the storage says. */
bp_status transfer_walk_next(bp_call *call, struct transfer_walk *walk, bp_rows *rows) BP_SUSPENDS;
/* The row with the same key as `row`; `rows` is empty when there is none. */
bp_status transfer_walk_find(bp_call *call, const bp_peer *storage,
                             const struct transfer_table *table, const bp_sql_value *row,
                             bp_rows *rows) BP_SUSPENDS;

/* Adds the rows to the digest. BP_TOO_LARGE: a row of more than 256 MiB. */
bp_status transfer_rows_digest(bp_call *call, const struct transfer_table *table,
                               const bp_rows *rows, struct transfer_digest *digest);
/* The first column in which two rows differ, or column_count. */
uint32_t transfer_rows_difference(const struct transfer_table *table, const bp_sql_value *a,
                                  const bp_sql_value *b);
/* "id = 17", for a sentence; in the arena. */
bp_str transfer_rows_key_text(struct arena *arena, const struct transfer_table *table,
                              const bp_sql_value *row);
/* UTF-8 without a NUL, which is what every back end takes as a text. */
bool transfer_rows_is_text(bp_str text);
/* Quoted for SQL. */
void transfer_add_name(struct bp_buf *sql, bp_str name);

#endif

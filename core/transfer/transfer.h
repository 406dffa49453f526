/* transfer.h - moves the data of the storages, vector stores and caches of one conf to those of
 * another, and compares both sides.
 *
 *      conf A -> generation A: its storages, vector stores, caches ---+
 *                                                                     |  one call on one worker
 *      conf B -> generation B: the same, and the tables of its apps --+
 *
 * The instances of both confs live on the same workers, side by side, as the generations of a
 * reload do: one call reaches instances of either. No app is started. Instances are paired by kind
 * and name. Each table, collection and set of budgets is one item; how far it has come stands in
 * the books, a table of the target's storage, so that a move that was killed goes on where it was.
 *
 * Nothing is printed: the results stand in struct transfer, and the watch is told of progress and
 * notes. The order of a move:
 *
 *      transfer_init, transfer_check_maps, transfer_make_pairs, transfer_start,
 *      transfer_run, transfer_free
 *
 *      transfer.c      the run: plan, books, copying, comparing; what the watch is told
 *      pairs.c         which instance moves to which; sides.c: both sides are started
 *      plan.c          one item for each table, collection and set of budgets
 *      table_order.c   in which order tables are made; versions.c: which versions of them are known
 *      books.c         the books in the target
 *      walk.c          a table page by page; rows.c: what of a row counts; tables.c: copies, compares
 *      points.c        copies points of vector stores; points_compare.c: compares them
 *      budgets.c       budgets of caches; owner.c: the owner of the moved collections
 *      digest.c        a checksum that knows no order
 */
#ifndef CORE_TRANSFER_TRANSFER_H
#define CORE_TRANSFER_TRANSFER_H

#include <backplane/storage.h>
#include <backplane/vector.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/reason.h"
#include "plugin/generation.h"
#include "transfer/digest.h"

enum { TRANSFER_NOTE_BYTES = 1024 };

/* The report while it runs. Each function may be NULL. All are called with `arg`: those that
 * transfer_run() calls on its worker, the others on the thread of the caller. */
struct transfer_watch {
    void *arg;
    /* A piece of work begins, of `total` things; 0: not known. The text lives until its end. */
    void (*begin)(void *arg, const char *what, int64_t total);
    void (*step)(void *arg, int64_t count);        /* so many more are done */
    void (*end)(void *arg);                        /* not told of work that had nothing to do */
    void (*note)(void *arg, const char *sentence); /* for the report; valid during the call */
    bool (*is_stopped)(void *arg);                 /* true: end behind the page at hand */
};

/* Tables that the host itself has in a storage of the target's conf, besides those of apps. */
struct transfer_host_tables {
    const char *owner;   /* in backplane_migrations */
    int64_t     version; /* the newest that this program knows */
    const char *table;   /* the first of all to be made and filled */
    bp_str      storage; /* the name of the instance; empty: none */
    bp_status (*migrate)(bp_call *call, const bp_peer *storage) BP_SUSPENDS;
};

struct transfer_pair {
    const char      *kind;
    bp_str           from_name, to_name;
    struct instance *from, *to;
    const char      *source;        /* what stands in the books: a hash of where the source is */
    const char      *target;        /* the same of the target */
    bool             is_same_place; /* nothing to do */
    struct instance *books; /* the storage of the target that has the books; NULL: there are none */
};

typedef enum transfer_item_kind {
    TRANSFER_TABLE = 0,
    TRANSFER_COLLECTION = 1,
    TRANSFER_BUDGETS = 2
} transfer_item_kind;

struct transfer_table;

struct transfer_item {
    struct transfer_item *next;
    struct transfer_pair *pair;
    transfer_item_kind    kind;
    bp_str                name;
    bp_str                label; /* "storage.main people" */

    struct transfer_table *table;  /* TRANSFER_TABLE */
    const bp_vector_info  *schema; /* TRANSFER_COLLECTION */

    bool          is_begun, is_done; /* by the books */
    struct bp_buf position;          /* behind the rows written already; empty: at the beginning */
    int64_t       moved;             /* over all runs */
    int64_t       moved_now, copied_ns;

    struct transfer_digest digests[2]; /* source, target */
    double                 deviation;  /* of vectors, the greatest */
    bool                   is_compared, is_equal;
    bp_str                 difference; /* a sentence */
};

/* One of the two sides. The conf is resolved, and is the caller's; so is the generation. */
struct transfer_side {
    const char        *file; /* the conf's name in sentences */
    struct conf       *conf;
    struct generation *generation;
};

struct transfer {
    /* The caller's wishes, to be set after transfer_init(). Everything is borrowed. */
    struct transfer_side from, to;
    bool                 is_verify_only; /* nothing is written */
    bool                 is_resume;      /* go on with a move that did not come to its end */
    bool                 is_leaving_out; /* go on without rows that no storage takes any more */
    const char *const   *maps;           /* "storage.a=storage.b", "storage.a=none" */
    size_t               map_count;
    const char          *go_on; /* the command that goes on with a move that was stopped */
    struct transfer_host_tables host_tables;
    struct transfer_watch       watch;

    /* What came of it. */
    struct arena          arena; /* of all below */
    struct transfer_pair *pairs;
    size_t                pair_count;
    struct transfer_item *items, **items_end;
    bool                  is_interrupted, has_difference, was_done_before;
    int64_t               copied_ns;
    int64_t               stepped; /* of the piece of work that began last */
    struct reason         problem; /* why a step returned false */
};

void transfer_init(struct transfer *t);
/* After both sides were stopped. */
void transfer_free(struct transfer *t);

/* Whether each map names instances that are there. Needs the files, the confs and the maps. False:
 * with a sentence in `problem`. */
bool transfer_check_maps(struct transfer *t);
/* Pairs the instances; storages come first. Notes the objects that are left out. False: with a
 * sentence in `problem`. */
bool transfer_make_pairs(struct transfer *t);
/* Starts the instances of the pairs on both sides, and makes the tables of the target, as the start
 * of its server would. Both generations are there, with running workers; the caller stops them,
 * also after a failure. From a thread that is no worker. False: with a sentence in `problem`. */
bool transfer_start(struct transfer *t);
/* Copies the objects that are not done yet and compares all; on the first worker of both
 * generations. BP_OK whether or not the sides are equal: that is in has_difference and in the
 * items. BP_CANCELLED when the watch said to stop, BP_CONFLICT for a target in another state than
 * it may be, BP_NOT_FOUND for a storage without tables, else as the back ends say; always with a
 * sentence. Written objects stay. */
bp_status transfer_run(bp_call *call, struct transfer *t) BP_SUSPENDS;

#endif

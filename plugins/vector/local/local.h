/* local.h - the parts of the embedded vector store: the file, its collections, the connections to
 * it.
 *
 *      vectors.db   collections(id, name, dimensions, metric, model, language)
 *                   points_7(id, metadata, words)   vectors_7(id, vector)
 *                   words_7: FTS5 over points_7.words
 *      memory       collection 7: the same vectors, see index.h
 *
 * Tables with the number of no collection are left from a dropped one, and are swept away.
 *
 * A write is one transaction over the three tables of its collection; when it is committed, the
 * memory follows. At start the memory is read from the file. Writes go one after another; searches
 * run beside them on the readers.
 */
#ifndef VECTOR_LOCAL_LOCAL_H
#define VECTOR_LOCAL_LOCAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <backplane/loop.h>
#include <backplane/plugin.h>
#include <backplane/vector.h>

#include "filter_sql.h"
#include "index.h"
#include "sqlitedb/links.h"
#include "vectors/vectors.h"
#include "words/words.h"

enum { POINTS_MAX = 10000, LIMIT_MAX = 10000, DIMENSIONS_MAX = 65536 };

struct collection {
    struct collection   *next; /* sorted by name */
    atomic_int           references;
    atomic_bool          is_dropped;
    int64_t              number; /* in the tables' names */
    char                 name[132], model[260], language[36];
    char                 owner[68]; /* empty: nobody's; under the store's lock */
    uint32_t             dimensions, metric;
    words_tokenizer      tokenizer;
    pthread_rwlock_t     lock; /* of the index */
    struct vector_index *index;
    atomic_llong         point_count;
};

struct store {
    struct store         *next; /* of the process, see store.c */
    uint32_t              references;
    char                 *directory;
    int                   lock_fd;
    struct sqlitedb_links links;
    pthread_mutex_t       lock; /* of the list of collections */
    struct collection    *collections;
    atomic_bool           has_leftovers; /* tables of dropped collections, perhaps */
    atomic_bool           is_sweeping;
};

/* What the options fill in. */
struct local_instance {
    bp_str        path;
    int64_t       readers;
    int32_t       synchronous;
    int64_t       busy_timeout_ns;
    int64_t       cache_bytes;
    struct store *store;
};

/* store.c */
bp_status store_open(bp_call *call, const struct local_instance *options,
                     struct store **store) BP_SUSPENDS;
void      store_close(struct store *store);
bp_status on_writer(bp_call *call, struct store *store, bp_status (*job)(bp_call *call, void *arg),
                    void *arg) BP_SUSPENDS;
bp_status on_reader(bp_call *call, struct store *store,
                    bp_status (*job)(bp_call *call, struct sqlitedb *db, void *arg),
                    void *arg) BP_SUSPENDS;

/* collection.c */
bp_status collections_load(bp_call *call, struct store *store); /* on the writer's thread */
void      collections_free(struct store *store);
/* BP_NOT_FOUND with a sentence, or the collection, which collection_release() gives back. */
bp_status collection_find(bp_call *call, struct store *store, bp_str name,
                          struct collection **collection);
void      collection_release(struct collection *collection);
/* A failure of a collection that was dropped meanwhile is BP_NOT_FOUND. */
bp_status collection_status(bp_call *call, const struct collection *collection, bp_status status);
/* Statement with the collection's number put in wherever % stands. */
bp_status collection_prepare(bp_call *call, struct sqlitedb *db,
                             const struct collection *collection, const char *sql,
                             sqlite3_stmt **statement);
bp_status collection_sql(struct sql_text *sql, const struct collection *collection,
                         const char *text);

/* The operations. */
bp_status local_create(bp_call *call, void *instance, bp_str name,
                       const bp_vector_schema *schema) BP_SUSPENDS;
bp_status local_drop(bp_call *call, void *instance, bp_str name) BP_SUSPENDS;
bp_status local_list(bp_call *call, void *instance, const bp_vector_info **collections,
                     size_t *count) BP_SUSPENDS;
bp_status local_upsert(bp_call *call, void *instance, bp_str name, const bp_point *points,
                       size_t point_size, size_t count) BP_SUSPENDS;
bp_status local_remove(bp_call *call, void *instance, bp_str name, const uint64_t *ids,
                       size_t count, const bp_filter *filter, uint64_t *removed) BP_SUSPENDS;
bp_status local_search(bp_call *call, void *instance, const bp_vector_query *query,
                       bp_leg *by_vector, bp_leg *by_words) BP_SUSPENDS;
bp_status local_count(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                      uint64_t *count) BP_SUSPENDS;
bp_status local_scroll(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                       uint64_t after, uint32_t limit, const bp_point_sink *sink) BP_SUSPENDS;
bp_status local_snapshot(bp_call *call, void *instance, bp_str name,
                         const bp_byte_sink *sink) BP_SUSPENDS;
bp_status local_owner(bp_call *call, void *instance, bp_str name, bp_str *owner) BP_SUSPENDS;

/* sweep.c */
bp_status local_sweep(bp_call *call, void *instance)
    BP_SUSPENDS; /* a job: clears away the rests of dropped collections */
bp_status local_maintain(bp_call *call, void *instance, bp_str what) BP_SUSPENDS;

#endif

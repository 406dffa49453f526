/* pgvector.h - the parts of the vector store on PostgreSQL with the extension pgvector.
 *
 *      bpv_collections         name, dimensions, metric, model, language, is_half, is_indexed
 *      bpv_points_7            id, metadata as it was given, the same as jsonb, words, length in tokens, vector
 *      bpv_terms_7             term, id, frequency, length: the postings of an index of words, for BM25
 *      bpv_counts_7            points, tokens: what each write adds or takes away; their sum is what there is
 *
 * A point is never changed in place but deleted and inserted, in the transaction that also replaces
 * its postings. Nobody changes a counter: each write appends a line to bpv_counts_7, so that
 * writers neither wait for each other nor deadlock over it, and a job adds the lines up now and
 * then. How many points have a term is counted while its postings are read for a query, which they
 * are anyway.
 */
#ifndef VECTOR_PGVECTOR_PGVECTOR_H
#define VECTOR_PGVECTOR_PGVECTOR_H

#include <backplane/json.h>
#include <backplane/vector.h>

#include "postgres/postgres.h"
#include "vectors/vectors.h"
#include "words/tokens.h"

enum {
    POINTS_MAX = 10000,
    LIMIT_MAX = 10000,
    DIMENSIONS_MAX = 16000,
    GRAPH_DIMENSIONS_MAX = 2000,
    GRAPH_HALF_DIMENSIONS_MAX = 4000
};

struct shared {
    struct postgres_target *target;
    struct token_source    *tokens;
    atomic_uint
        known; /* rises when a worker makes, drops or lists, so that none uses what it knew */
};

/* As this worker knows it; copied by who uses it, since it may be forgotten meanwhile. */
struct collection {
    int64_t         number;
    char            name[132], model[260], language[36], owner[68];
    uint32_t        dimensions, metric;
    words_tokenizer tokenizer;
    bool            is_half, is_indexed;
};

struct known {
    struct known     *next;
    struct collection collection;
};

struct store {
    /* What the options fill in. */
    struct postgres_options options;
    int64_t                 graph_after, m, ef_construction, ef_search;
    bool                    half_precision;

    struct shared       *shared;
    struct postgres_pool pool;
    struct known        *known;
    unsigned             known_at; /* shared->known when it was read */
    bool                 is_ready, has_iterative_scan;
    uint32_t             worker;

    /* Of the worker that builds graphs. */
    struct postgres_connection *building; /* its own; NULL: none is built now */
    struct collection           built;
    int64_t                     build_again_ns; /* after a failure: not before */
};

/* ---- collection.c ---- */

/* BP_NOT_FOUND with a sentence, or a copy of its description. */
bp_status collection_find(bp_call *call, struct store *store, bp_str name,
                          struct collection *collection) BP_SUSPENDS;
/* After a statement about it: whether it was another one, made again and now in *collection, so
 * that a second try is worth it. Else *status is what the operation ends with: BP_NOT_FOUND when it
 * was dropped. */
bool collection_is_stale(bp_call *call, struct store *store, struct collection *collection,
                         const struct postgres_outcome *outcome, bp_status *status) BP_SUSPENDS;
void collections_forget(struct store *store);
/* The text with the collection's number wherever % stands. */
bp_str collection_sql(bp_call *call, const struct collection *collection, const char *text);
/* The graphs that are due and the lines of counts, for a job run now and then. */
bp_status collections_tend(bp_call *call, struct store *store) BP_SUSPENDS;

/* ---- graph.c ---- */

/* The advisory lock of the process that builds it: "backg", and the collection's number. */
#define GRAPH_LOCK_BASE INT64_C(0x6261636b67000000)

/* Begins to build the graph of a collection, unless another process does. */
bp_status graph_begin(bp_call *call, struct store *store,
                      const struct collection *collection) BP_SUSPENDS;
/* Waits a while for the one that is being built. */
bp_status graph_go_on(bp_call *call, struct store *store) BP_SUSPENDS;
/* In worker_stop: the server is left alone with it. */
void graph_leave(struct store *store);

/* ---- sql.c ---- */

/* Runs statements in one trip, all or none, again when another transaction was in the way. */
bp_status sql_run(bp_call *call, struct store *store, const bp_statement *statements, size_t count,
                  size_t which, bool is_write, bp_rows *rows,
                  struct postgres_outcome *outcome) BP_SUSPENDS;
bp_status sql_run_one(bp_call *call, struct store *store, bp_str sql, const bp_sql_value *values,
                      uint32_t count, bool is_write, bp_rows *rows) BP_SUSPENDS;

/* The text of a PostgreSQL array, built member by member. */
void array_begin(bp_buf *buf);
void array_add(bp_buf *buf, bp_str member);
void array_add_integer(bp_buf *buf, int64_t member);
void array_add_vector(bp_buf *buf, const float *vector, uint32_t dimensions); /* NULL: a NULL */
void array_end(bp_buf *buf);
/* "[1,2.5]" of a vector that vectors_prepare() has made. */
void vector_add(bp_buf *buf, const float *vector, uint32_t dimensions);

/* ---- filter.c ---- */

/* Writes a condition on `p.fields`; its values go into one JSON array, which is the parameter
 * `$place`. */
bp_status filter_write(bp_call *call, bp_buf *sql, const bp_filter *filter, uint32_t place,
                       bp_sql_value *values);

/* ---- the operations ---- */
bp_status pgvector_create(bp_call *call, void *instance, bp_str name,
                          const bp_vector_schema *schema) BP_SUSPENDS;
bp_status pgvector_drop(bp_call *call, void *instance, bp_str name) BP_SUSPENDS;
bp_status pgvector_list(bp_call *call, void *instance, const bp_vector_info **collections,
                        size_t *count) BP_SUSPENDS;
bp_status pgvector_upsert(bp_call *call, void *instance, bp_str name, const bp_point *points,
                          size_t point_size, size_t count) BP_SUSPENDS;
bp_status pgvector_remove(bp_call *call, void *instance, bp_str name, const uint64_t *ids,
                          size_t count, const bp_filter *filter, uint64_t *removed) BP_SUSPENDS;
bp_status pgvector_search(bp_call *call, void *instance, const bp_vector_query *query,
                          bp_leg *by_vector, bp_leg *by_words) BP_SUSPENDS;
bp_status pgvector_count(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                         uint64_t *count) BP_SUSPENDS;
bp_status pgvector_owner(bp_call *call, void *instance, bp_str name, bp_str *owner) BP_SUSPENDS;
bp_status pgvector_scroll(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                          uint64_t after, uint32_t limit, const bp_point_sink *sink) BP_SUSPENDS;

#endif

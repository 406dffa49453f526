/* backplane/vector.h - the interface of a vector store.
 *
 * A vector store keeps, for every point of a collection, a float32 vector, the words of the passage
 * it stands for, and typed metadata. The store writes the three together, so they never disagree. A
 * search runs over the vectors, over the words, or over both; fusing the two lists is the caller's
 * business, because only the caller knows how far to trust each.
 *
 *      collection "docs" { model "all-MiniLM-L6-v2", 384 dimensions, cosine, language "en" }
 *        point 17 -> vector[384] | "Retry-After is given in seconds ..." | { "lang": "en", "year": 2024 }
 */
#ifndef BACKPLANE_VECTOR_H
#define BACKPLANE_VECTOR_H

#include <backplane/filter.h>
#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_vector 1

/* How near two vectors are. A greater score is always nearer: for BP_L2 it is the negated distance.
 */
typedef enum bp_metric_kind { BP_COSINE = 0, BP_INNER_PRODUCT = 1, BP_L2 = 2 } bp_metric_kind;

/* The fixed properties of a collection. A point or query that does not fit is BP_INVALID. */
typedef struct bp_vector_schema {
    uint32_t struct_size;
    uint32_t dimensions; /* 1 to 65,536 */
    uint32_t metric;     /* bp_metric_kind */
    uint32_t reserved;
    bp_str   model;    /* id of the embedder, so that two models never mix */
    bp_str   language; /* for the words: BCP 47; "en" stems, anything else does not; empty: "en" */
    bp_str   owner; /* the deployment that owns the collection: its id, [A-Za-z0-9_.-]{0,64}; empty:
                       none */
} bp_vector_schema;

/* The owner; empty in a schema of a plugin compiled before the field existed. */
static inline bp_str bp_vector_owner(const bp_vector_schema *schema)
{
    return BP_HAS(schema, bp_vector_schema, owner) ? schema->owner : bp_str_n(NULL, 0);
}

typedef struct bp_point {
    uint32_t     struct_size;
    uint32_t     reserved;
    uint64_t     id;     /* 1 to 2^63 - 1 */
    const float *vector; /* `dimensions` finite values, not all zero for BP_COSINE; NULL: found by
                            its words only */
    bp_str words;        /* UTF-8 without NUL, up to 1 MiB; empty: found by its vector only */
    bp_str metadata; /* a flat JSON object: strings, numbers, booleans, arrays of them, no null and
                      * no NUL in a string; up to 64 KiB */
} bp_point;

typedef struct bp_vector_query {
    uint32_t     struct_size;
    uint32_t     dimensions;
    bp_str       collection;
    const float *vector; /* NULL: do not search the vectors */
    bp_str words; /* empty: do not search the words. Plain text: no operators, any word may match */
    const bp_filter *filter; /* NULL: every point */
    uint32_t         limit;  /* hits a leg, 1 to 10,000 */
    uint32_t         effort; /* 0: the store's default; greater finds more and takes longer */
} bp_vector_query;

typedef struct bp_hit {
    uint64_t id;
    double   score;
} bp_hit;

/* How a leg was answered: for operators who ask why a search was slow, and for tests. */
typedef enum bp_search_mode {
    BP_SEARCH_NONE = 0, /* this leg was not asked for */
    BP_SEARCH_EXACT = 1,
    BP_SEARCH_GRAPH = 2,
    BP_SEARCH_FILTERED = 3, /* exactly, over the rows that the filter allows */
    BP_SEARCH_REMOTE = 4
} bp_search_mode;

typedef struct bp_leg {
    uint32_t      struct_size;
    uint32_t      mode; /* bp_search_mode */
    const bp_hit *hits; /* greatest score first, ties by id; in the call's arena */
    uint32_t      hit_count;
    bool          is_rank_only; /* scores say the order and nothing else */
    uint64_t      rows_read;
} bp_leg;

/* The sink of scroll; the point is valid until the sink returns. The sink may keep memory of the
 * call, so the store calls it outside of scratch memory (bp_scratch_begin()) of its own. */
typedef struct bp_point_sink {
    uint32_t struct_size;
    bp_status (*point)(bp_call *call, void *self, const bp_point *point) BP_SUSPENDS;
    void *self;
} bp_point_sink;

typedef struct bp_vector_info {
    uint32_t struct_size;
    uint32_t dimensions;
    uint32_t metric;
    bool     is_count_estimated; /* within 1 % */
    bp_str   name;
    bp_str   model;
    bp_str   language;
    uint64_t count;
    int64_t  memory_bytes; /* held for it in this process */
    int64_t  disk_bytes;   /* 0: not known */
} bp_vector_info;

/* Bytes of a snapshot, piece by piece. */
typedef struct bp_byte_sink {
    uint32_t struct_size;
    bp_status (*write)(bp_call *call, void *self, bp_str bytes) BP_SUSPENDS;
    void *self;
} bp_byte_sink;

/* The operations. Unless it says otherwise each is called on the instance's own worker, MAY
 * SUSPEND, ends by the call's deadline and at once when the call is cancelled, borrows its inputs
 * until it returns, and returns BP_OK, or BP_NOT_FOUND (no such collection), BP_INVALID,
 * BP_UNAVAILABLE, BP_FULL, BP_DEADLINE, BP_CANCELLED, with a sentence in the call's error slot.
 * Collection names match [A-Za-z0-9_.-]{1,128}. */
typedef struct bp_vector_ops {
    uint32_t struct_size;

    /* Makes a collection and keeps its owner as a mark. The same schema again is BP_OK; another one
     * is BP_CONFLICT, and so is another owner: a store neither uses nor changes collections of
     * another deployment. It adopts a collection without a mark, made by an older version: the
     * first deployment that names itself gets it, with a line in the log. */
    bp_status (*create)(bp_call *call, void *instance, bp_str collection,
                        const bp_vector_schema *schema) BP_SUSPENDS;

    /* Removes a collection and its points. */
    bp_status (*drop)(bp_call *call, void *instance, bp_str collection) BP_SUSPENDS;

    /* All collections, sorted by name, in the call's arena. */
    bp_status (*list)(bp_call *call, void *instance, const bp_vector_info **collections,
                      size_t *count) BP_SUSPENDS;

    /* Writes points, replacing those with the same id, up to 10,000 at once. All or none; when it
     * returns BP_OK they survive kill -9 of this process and are seen by every later search of this
     * replica. Idempotent. */
    bp_status (*upsert)(bp_call *call, void *instance, bp_str collection, const bp_point *points,
                        size_t point_size, size_t count) BP_SUSPENDS;

    /* Deletes by id, or what `filter` selects when `ids` is NULL. `removed` may be NULL.
     * Idempotent. */
    bp_status (*remove)(bp_call *call, void *instance, bp_str collection, const uint64_t *ids,
                        size_t count, const bp_filter *filter, uint64_t *removed) BP_SUSPENDS;

    /* Runs the legs that the query names; the other leg comes back empty. Idempotent. */
    bp_status (*search)(bp_call *call, void *instance, const bp_vector_query *query,
                        bp_leg *by_vector, bp_leg *by_words) BP_SUSPENDS;

    /* Live points that match (NULL: all). Idempotent. */
    bp_status (*count)(bp_call *call, void *instance, bp_str collection, const bp_filter *filter,
                       uint64_t *count) BP_SUSPENDS;

    /* Points by rising id, those after `after`, up to `limit` (10,000), into a sink. Idempotent. */
    bp_status (*scroll)(bp_call *call, void *instance, bp_str collection, const bp_filter *filter,
                        uint64_t after, uint32_t limit, const bp_point_sink *sink) BP_SUSPENDS;

    /* Optional: a copy of a collection as it is now, in a format of the store's own. */
    bp_status (*snapshot)(bp_call *call, void *instance, bp_str collection,
                          const bp_byte_sink *sink) BP_SUSPENDS;

    /* Optional: the mark that create() keeps, in the call's arena; empty when there is none.
     * Idempotent. */
    bp_status (*owner)(bp_call *call, void *instance, bp_str collection, bp_str *owner) BP_SUSPENDS;

    /* Optional: upkeep that an operator asks for: "vacuum" gives back to the file system what
     * deleted points have left. May take as long as the call. BP_INVALID: `what` cannot be done. */
    bp_status (*maintain)(bp_call *call, void *instance, bp_str what) BP_SUSPENDS;
} bp_vector_ops;

static inline const bp_vector_ops *bp_vector_of(const bp_peer *store)
{
    return (const bp_vector_ops *)store->ops;
}

static inline bp_status bp_vector_search(bp_call *call, const bp_peer *store,
                                         const bp_vector_query *query, bp_leg *by_vector,
                                         bp_leg *by_words) BP_SUSPENDS
{
    memset(by_vector, 0, sizeof(*by_vector));
    memset(by_words, 0, sizeof(*by_words));
    by_vector->struct_size = by_words->struct_size = (uint32_t)sizeof(bp_leg);
    return bp_vector_of(store)->search(call, store->instance, query, by_vector, by_words);
}
static inline bp_status bp_vector_upsert(bp_call *call, const bp_peer *store, bp_str collection,
                                         const bp_point *points, size_t count) BP_SUSPENDS
{
    return bp_vector_of(store)->upsert(call, store->instance, collection, points, sizeof(bp_point),
                                       count);
}
/* Also empty if the host is too old to ask. */
static inline bp_status bp_vector_owner_of(bp_call *call, const bp_peer *store, bp_str collection,
                                           bp_str *owner) BP_SUSPENDS
{
    *owner = bp_str_n(NULL, 0);
    if (!BP_HAS(bp_vector_of(store), bp_vector_ops, owner))
        return BP_OK;
    return bp_vector_of(store)->owner(call, store->instance, collection, owner);
}

#ifdef __cplusplus
}
#endif
#endif

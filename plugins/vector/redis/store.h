/* store.h - the vector store on Redis: its parts, and where everything lies.
 *
 *      PREFIXcollections              set of names
 *      PREFIX{v:NAME}                 the collection: epoch, dimensions, metric, model, language, points, tokens, index,
 *                                     tags
 *      PREFIX{v:NAME}EPOCH:ids        sorted set: ids as 19 digits, so that their order is that of the numbers
 *      PREFIX{v:NAME}EPOCH:p:ID       a point: v vector, w words, m metadata, l tokens of the words, t terms
 *                                     (MessagePack), f tags of the metadata, see tags.c
 *      PREFIX{v:NAME}EPOCH:t:TERM     who has the term: id -> "times length"
 *      PREFIX{v:NAME}EPOCH:index      RediSearch's index over v and f, where the server has it
 *
 * A write is one script over all of it, and so happens whole or not at all. The epoch is new for
 * each collection made: a dropped one is gone at once, its points are cleared away behind it. What
 * belongs to one collection has one hash tag, so a cluster keeps it on one node.
 */
#ifndef VECTOR_REDIS_STORE_H
#define VECTOR_REDIS_STORE_H

#include <backplane/json.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>
#include <backplane/vector.h>

#include "filters/filters.h"
#include "redis/redis.h"
#include "vectors/vectors.h"
#include "words/tokens.h"

enum {
    POINTS_MAX = 10000,
    LIMIT_MAX = 10000,
    DIMENSIONS_MAX = 65536,
    TAGS_BYTES_MAX = 16 << 10,
    RECORDS_MAX = 64,
    ID_DIGITS = 19
};

typedef enum store_index {
    INDEX_AUTO = 0,
    INDEX_HNSW = 1,
    INDEX_FLAT = 2,
    INDEX_EXACT = 3
} store_index;

struct redis_store {
    struct redis_options redis;
    bp_str               prefix;
    int32_t              index; /* store_index */
    int64_t              m, ef_construction, ef_runtime;
    struct redis_client *client;
    struct token_source *tokens;
    bool                 is_asked, has_search; /* whether the server has RediSearch */
    struct record       *records[RECORDS_MAX]; /* of collections searched of late; see records.c */
    struct redis_script  create, upsert, remove, drop, clear;
};

/* A collection as it was a moment ago. Strings are of the call. */
struct collection {
    bp_str      name, meta, base; /* base: PREFIX{v:NAME}EPOCH: */
    bp_str      epoch, model, language, owner;
    uint32_t    dimensions, metric;
    uint64_t    points, tokens;
    store_index index;    /* AUTO: none */
    bool        has_tags; /* points have f, and the index is over it; not in collections of earlier
                             versions */
    words_tokenizer tokenizer;
};

/* collections.c */
bp_status collection_find(bp_call *call, struct redis_store *store, bp_str name,
                          struct collection *collection) BP_SUSPENDS;
bp_str    collection_key(bp_call *call, const struct collection *collection, const char *kind,
                         bp_str rest);
bp_status store_create(bp_call *call, void *instance, bp_str name,
                       const bp_vector_schema *schema) BP_SUSPENDS;
bp_status store_drop(bp_call *call, void *instance, bp_str name) BP_SUSPENDS;
bp_status store_owner(bp_call *call, void *instance, bp_str name, bp_str *owner) BP_SUSPENDS;
bp_status store_list(bp_call *call, void *instance, const bp_vector_info **collections,
                     size_t *count) BP_SUSPENDS;

/* records.c: what a collection is, but for its figures, never changes under one epoch, so a search
 * uses what an earlier one has read, asks for the epoch in the same trip as for the hits, and
 * starts over when it is another. */
bool record_find(bp_call *call, const struct redis_store *store, bp_str name,
                 struct collection *collection);
void record_keep(struct redis_store *store, const struct collection *collection);
void record_forget(struct redis_store *store, bp_str name);

/* points.c */
bp_status store_upsert(bp_call *call, void *instance, bp_str name, const bp_point *points,
                       size_t point_size, size_t count) BP_SUSPENDS;
bp_status store_remove(bp_call *call, void *instance, bp_str name, const uint64_t *ids,
                       size_t count, const bp_filter *filter, uint64_t *removed) BP_SUSPENDS;
bp_str    id_text(bp_call *call, uint64_t id);

/* walk.c: all points, page by page, in the order of their ids. */
enum {
    WALK_VECTOR = 1 << 0,
    WALK_WORDS = 1 << 1,
    WALK_FOR_OTHERS = 1 << 2 /* the sink is not ours and may keep memory of the call: no scratch
                                memory around it */
};

/* One point; its bytes live until it returns. *is_enough ends the walk. `point->vector` is aligned
 * for any use. */
typedef bp_status (*walk_sink)(bp_call *call, void *self, const bp_point *point, bool *is_enough);

bp_status walk(bp_call *call, struct redis_store *store, const struct collection *collection,
               const bp_filter *filter, uint64_t after, uint32_t fields, walk_sink sink,
               void *self) BP_SUSPENDS;
/* Of the given points those that the filter lets pass: passes[i]. */
bp_status walk_check(bp_call *call, struct redis_store *store, const struct collection *collection,
                     const bp_filter *filter, const bp_hit *hits, size_t count,
                     bool *passes) BP_SUSPENDS;
bp_status store_count(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                      uint64_t *count) BP_SUSPENDS;
bp_status store_scroll(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                       uint64_t after, uint32_t limit, const bp_point_sink *sink) BP_SUSPENDS;

/* search.c */
bp_status store_search(bp_call *call, void *instance, const bp_vector_query *query,
                       bp_leg *by_vector, bp_leg *by_words) BP_SUSPENDS;

/* tags.c */
/* How many bytes of `tags` say what the metadata is. */
size_t tags_of(const bp_json *metadata, char tags[TAGS_BYTES_MAX]);
/* The filter as a query of RediSearch: it finds all that passes, and where it is not exact maybe
 * more. NULL: everything. The filter was checked. */
bp_status tags_query(bp_call *call, const bp_filter *filter, bp_str *query, bool *is_exact);

#endif

/* qdrant.h - a vector store in a Qdrant server, over its REST interface.
 *
 * What a point of Backplane is there:
 *
 *      id       the same number; 0 is ours: it holds what the collection is pinned to
 *      vector   "dense" the float32 vector; "words" a sparse one: for each term of the passage (a hash) how much it weighs
 *      payload  m  the metadata, an object; filters look here
 *               k  the names of its fields, for "exists"
 *               p  for each of its strings a number for every beginning it has, of up to 128 characters
 *               w  the words as they were given
 *               n  their length in terms;  t  the hashes of the terms
 *
 * n and t are indexed: with them the server counts what BM25 needs, terms a passage on the average
 * and passages a term.
 */
#ifndef QDRANT_H
#define QDRANT_H

#include <stdatomic.h>

#include <backplane/http.h>
#include <backplane/json.h>
#include <backplane/loop.h>
#include <backplane/option.h>
#include <backplane/vector.h>

#include "vectors/vectors.h"
#include "words/tokens.h"

/* In terms. A weight in a sparse vector is that in a passage of usual length, which is settled when
 * it is written; a search puts it right by the true average. */
#define USUAL_LENGTH 100.0

enum {
    ANSWER_MAX_BYTES = 256 << 20,
    SHORT_ANSWER_MAX_BYTES = 4 << 20,
    REQUEST_MAX_BYTES = 64 << 20,
    SCHEMAS_MAX = 64,
    NAME_MAX_BYTES = 128,
    PREFIX_CHARS_MAX = 128
};

/* What point 0 of a collection says. */
struct schema {
    char     name[NAME_MAX_BYTES + 1], model[256], language[36], owner[68];
    uint32_t dimensions, metric;
    uint32_t generation; /* of `known`, when it was read */
    int64_t  read_ns;    /* 0: this place is free */
};

/* Shared by the workers: what words weigh, counted by the server now and then. */
struct statistics;

struct qdrant {
    bp_str               url, api_key, prefix, ca;
    int64_t              timeout_ns, statistics_ns;
    int64_t              batch_bytes;
    int64_t              shards, replicas, write_consistency, hnsw_m, hnsw_ef;
    int32_t              quantisation, read_consistency, write_ordering;
    bool                 on_disk;
    bp_option_map        indexes;
    struct statistics   *statistics;
    struct token_source *tokens;
    atomic_uint *known; /* of all workers: rises when one makes, drops or lists, so that none uses
                           what it knew */
    struct schema schemas[SCHEMAS_MAX]; /* of this worker */
};

/* ---- request.c ---- */

/* Sends `body` (empty: none) to a path under the server's URL and gives back "result" of the
 * answer. `allowed` is a status that is no failure, e.g. 404: *result is NULL then; 0: none. */
bp_status qdrant_ask(bp_call *call, const struct qdrant *db, const char *method, bp_str path,
                     bp_str body, int32_t allowed, const bp_json **result) BP_SUSPENDS;
bp_status qdrant_request(bp_call *call, const struct qdrant *db, const char *method, bp_str path,
                         bp_str body, bp_http_request *request);
/* Fails as an answer with such a status means. */
bp_status qdrant_fail(bp_call *call, const struct qdrant *db, bp_str path,
                      const bp_http_response *response);
/* "/collections/PREFIXname" and what comes behind it. */
bp_str qdrant_path(bp_call *call, const struct qdrant *db, bp_str collection, const char *behind);

/* ---- schema.c ---- */

bp_status schema_of(bp_call *call, struct qdrant *db, bp_str collection,
                    struct schema *schema) BP_SUSPENDS;
void      schema_forget(struct qdrant *db, bp_str collection);
bp_status qdrant_create(bp_call *call, void *instance, bp_str collection,
                        const bp_vector_schema *schema);
bp_status qdrant_drop(bp_call *call, void *instance, bp_str collection);
bp_status qdrant_owner(bp_call *call, void *instance, bp_str collection, bp_str *owner);
bp_status qdrant_list(bp_call *call, void *instance, const bp_vector_info **collections,
                      size_t *count);

/* ---- filter.c ---- */

/* Adds "filter": {...}, which always leaves out point 0. */
bp_status filter_write(bp_call *call, bp_json_writer *w, const bp_filter *filter);
/* The number that stands for a beginning of a string; goes on from that of a shorter beginning, at
 * first 0. */
uint64_t prefix_hash(uint64_t shorter, bp_str more);

/* ---- points.c, scroll.c, search.c ---- */

bp_status qdrant_upsert(bp_call *call, void *instance, bp_str collection, const bp_point *points,
                        size_t point_size, size_t count);
bp_status qdrant_remove(bp_call *call, void *instance, bp_str collection, const uint64_t *ids,
                        size_t count, const bp_filter *filter, uint64_t *removed);
bp_status qdrant_count(bp_call *call, void *instance, bp_str collection, const bp_filter *filter,
                       uint64_t *count);
bp_status qdrant_scroll(bp_call *call, void *instance, bp_str collection, const bp_filter *filter,
                        uint64_t after, uint32_t limit, const bp_point_sink *sink);
bp_status qdrant_snapshot(bp_call *call, void *instance, bp_str collection,
                          const bp_byte_sink *sink);
bp_status qdrant_search(bp_call *call, void *instance, const bp_vector_query *query,
                        bp_leg *by_vector, bp_leg *by_words);

/* One request, then the points without a filter but point 0. */
bp_status count_exactly(bp_call *call, const struct qdrant *db, bp_str collection,
                        const bp_filter *filter, const uint64_t *ids, size_t id_count,
                        uint64_t *count) BP_SUSPENDS;
void      write_floats(bp_json_writer *w, const float *numbers, size_t count, bp_buf *scratch);

/* ---- statistics.c ---- */

struct weights {
    uint64_t points;         /* of the collection */
    double   average_length; /* of their words, in terms; 0: no words anywhere */
};

uint32_t           term_hash(bp_str term);
struct statistics *statistics_new(void);
void               statistics_free(struct statistics *statistics);
/* The count no longer holds. */
void      statistics_forget(struct qdrant *db, bp_str collection);
bp_status statistics_of(bp_call *call, struct qdrant *db, bp_str collection,
                        struct weights *weights) BP_SUSPENDS;
/* How many points have each term. */
bp_status statistics_terms(bp_call *call, struct qdrant *db, bp_str collection,
                           const uint32_t *hashes, size_t count, uint64_t *with_term) BP_SUSPENDS;

#endif

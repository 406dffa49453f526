/* index.h - the vectors of one collection in memory, and the search over them. The engine behind it
 * may change.
 *
 * Not for use by several threads at once: the collection's rwlock is held around it, for reading
 * around index_search(), for writing around the rest.
 */
#ifndef VECTOR_LOCAL_INDEX_H
#define VECTOR_LOCAL_INDEX_H

#include <backplane/vector.h>

struct vector_index;

struct vector_index *vector_index_new(uint32_t       dimensions,
                                      bp_metric_kind metric);       /* NULL: no memory */
void                 vector_index_free(struct vector_index *index); /* NULL is allowed */

/* Memory for `rows` more, so that adding them cannot fail; false: there is none. */
bool vector_index_reserve(struct vector_index *index, size_t rows);
/* Replaces the vector of this id, if there is one. Room must have been reserved. */
void vector_index_add(struct vector_index *index, uint64_t id, const float *vector);
bool vector_index_remove(struct vector_index *index, uint64_t id); /* false: there was none */

uint64_t vector_index_count(const struct vector_index *index);
int64_t  vector_index_memory_bytes(const struct vector_index *index);

struct vector_query {
    const float    *vector; /* `dimensions` of them; unit length for BP_COSINE */
    uint32_t        limit;
    const uint64_t *allowed; /* only these ids; NULL: all */
    size_t          allowed_count;
};

/* The nearest ones, the nearest first, ties by id, into hits[limit]. Asks bp_cancelled() every
 * 4,096 rows. */
bp_status vector_index_search(bp_call *call, const struct vector_index *index,
                              const struct vector_query *query, bp_hit *hits, uint32_t *hit_count,
                              uint64_t *rows_read);

#endif

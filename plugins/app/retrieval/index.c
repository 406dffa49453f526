/* index.c - a batch of documents becomes searchable: compared, chunked, committed, embedded,
 * written, marked. */
#include "retrieval.h"

enum { POINTS_AT_ONCE = 256 };

bp_str index_words(bp_call *call, bp_str title, bp_str heading, bp_str body)
{
    return bp_format(call, BP_FMT "\n" BP_FMT "\n" BP_FMT "\n" BP_FMT, BP_ARG(title), BP_ARG(title),
                     BP_ARG(heading), BP_ARG(body));
}

static bp_str passage_of(bp_call *call, const struct document *document, const struct chunk *chunk)
{
    return bp_format(call, BP_FMT "\n" BP_FMT "\n%.*s", BP_ARG(document->title),
                     BP_ARG(chunk->heading), (int)(chunk->end - chunk->start),
                     document->text.data + chunk->start);
}

/* ---- points ---- */

struct points {
    bp_point *items;
    bp_str   *texts; /* to embed, point by point */
    size_t    count;
};

static bp_status embed_points(bp_call *call, struct retrieval *self, struct points *points,
                              size_t first, size_t count)
{
    for (size_t at = first; at < first + count; at += self->embedder.info.max_batch) {
        size_t        some = first + count - at < self->embedder.info.max_batch
                                 ? first + count - at
                                 : self->embedder.info.max_batch;
        bp_embeddings made;

        BP_TRY(
            bp_embed_texts(call, self->embed, BP_EMBED_PASSAGE, points->texts + at, some, &made));
        if (made.dimensions != self->embedder.info.dimensions)
            return bp_fail(call, BP_UPSTREAM,
                           "embedder \"" BP_FMT "\" gave %u dimensions instead of %u",
                           BP_ARG(self->embed->name), made.dimensions,
                           self->embedder.info.dimensions);
        for (size_t i = 0; i < some; i++)
            points->items[at + i].vector = made.vectors + i * made.dimensions;
    }
    return BP_OK;
}

/* A text without a word of meaning has no direction; it is found by its words alone. */
static void drop_zero_vectors(const struct retrieval *self, struct points *points, size_t first,
                              size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        const float *vector = points->items[i].vector;

        if (vector && embedder_is_zero(vector, self->embedder.info.dimensions))
            points->items[i].vector = NULL;
    }
}

bp_status index_points_write(bp_call *call, struct retrieval *self, bp_str vector_name,
                             struct points *points)
{
    if (!vector_name.len && points->count)
        return bp_fail(call, BP_UNAVAILABLE,
                       "the vector store \"" BP_FMT "\" could not be reached yet to take the "
                       "collection over from an older version",
                       BP_ARG(self->vector->name));
    for (size_t at = 0; at < points->count; at += POINTS_AT_ONCE) {
        size_t    some = points->count - at < POINTS_AT_ONCE ? points->count - at : POINTS_AT_ONCE;
        bp_status status = bp_scratch_begin(call);

        if (status == BP_OK) {
            status = embed_points(call, self, points, at, some);
            drop_zero_vectors(self, points, at, some);
            if (status == BP_OK)
                status = bp_vector_upsert(call, self->vector, vector_name, points->items + at,
                                          some);
            bp_scratch_end(call);
        }
        BP_TRY(status);
    }
    return BP_OK;
}

static bp_status points_new(bp_call *call, size_t most, struct points **points)
{
    struct points *made = BP_NEW(call, struct points);

    *points = made;
    if (!made)
        return BP_NO_MEMORY;
    made->items = BP_NEW_ARRAY(call, bp_point, most);
    made->texts = BP_NEW_ARRAY(call, bp_str, most);
    return made->items && made->texts ? BP_OK : BP_NO_MEMORY;
}

static void add_point(bp_call *call, struct points *points, const struct document *document,
                      const struct chunk *chunk)
{
    points->texts[points->count] = passage_of(call, document, chunk);
    points->items[points->count++] = (bp_point){
        .struct_size = sizeof(bp_point),
        .id = (uint64_t)chunk->row,
        .words = index_words(call, document->title, chunk->heading,
                             bp_str_n(document->text.data + chunk->start,
                                      chunk->end - chunk->start)),
        .metadata = document->metadata
    };
}

/* ---- the batch ---- */

/* 400/50/1: the last number counts the ways in which chunk.c has cut texts so far. */
bp_str index_chunking(bp_call *call, const struct retrieval *self)
{
    return bp_format(call, "%lld/%lld/1", (long long)self->chunk_tokens,
                     (long long)self->chunk_overlap);
}

static void refuse_doubles(struct document *documents, size_t count)
{
    // The last one of an id wins, as if they had come one after another.
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && !documents[i].problem.len; j++)
            if (bp_str_equal(documents[i].id, documents[j].id) && !documents[j].problem.len) {
                documents[i].is_unchanged = true;
                break;
            }
}

static bp_status chunk_all(bp_call *call, const struct retrieval *self, struct document *documents,
                           size_t count, size_t *chunks)
{
    struct chunk_limits limits = { .tokens = (size_t)self->chunk_tokens,
                                   .overlap = (size_t)self->chunk_overlap };

    if (self->embedder.info.max_tokens && limits.tokens > self->embedder.info.max_tokens)
        limits.tokens = self->embedder.info.max_tokens;
    *chunks = 0;
    for (size_t i = 0; i < count; i++) {
        struct document *document = &documents[i];

        if (document->is_unchanged || document->problem.len)
            continue;
        BP_TRY(chunk_text(call, document->text, bp_str_is(document->format, "markdown"), &limits,
                          &document->chunks, &document->chunk_count));
        if (document->chunk_count == 0 && document->title.len) {
            // A title without a text is still something to find.
            document->chunks[0] = (struct chunk){ 0 };
            document->chunk_count = 1;
        }
        *chunks += document->chunk_count;
    }
    return BP_OK;
}

static int64_t bytes_of(const struct document *documents, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < documents[i].chunk_count; c++)
            bytes += documents[i].chunks[c].end - documents[i].chunks[c].start;
    return (int64_t)bytes;
}

bp_status index_points_of(bp_call *call, const struct document *documents, size_t count,
                          struct points **points)
{
    size_t chunks = 0;

    for (size_t i = 0; i < count; i++)
        chunks += documents[i].chunk_count;
    BP_TRY(points_new(call, chunks, points));
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < documents[i].chunk_count; c++)
            add_point(call, *points, &documents[i], &documents[i].chunks[c]);
    return BP_OK;
}

bool index_is_hopeless(bp_status status)
{
    return status == BP_INVALID || status == BP_TOO_LARGE || status == BP_UNSUPPORTED;
}

static bp_status write_documents(bp_call *call, struct retrieval *self,
                                 const struct collection *collection, struct document *documents,
                                 size_t count)
{
    struct points *points;
    bp_status      status;

    BP_TRY(index_points_of(call, documents, count, &points));
    status = index_points_write(call, self, collection->vector_name, points);
    // The collection itself is gone: it is made again, and this batch goes in with all that was in
    // it before.
    if (status == BP_NOT_FOUND && upkeep_lost(call, self, collection) == BP_OK)
        status = index_points_write(call, self, collection->vector_name, points);
    return status;
}

/* One document that the embedder or the store does not want fails alone: it is found by trying
 * each. */
static bp_status write_one_by_one(bp_call *call, struct retrieval *self,
                                  const struct collection *collection, struct document *documents,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bp_status status;

        if (documents[i].is_unchanged || documents[i].problem.len)
            continue;
        status = write_documents(call, self, collection, &documents[i], 1);
        if (!index_is_hopeless(status))
            BP_TRY(status);
        if (status == BP_OK)
            continue;
        documents[i].problem = bp_dup(call, bp_error_of(call)->message);
        bp_clear_error(call);
        BP_TRY(store_mark(call, self, collection, &documents[i], 1, STATE_FAILED));
    }
    return BP_OK;
}

bp_status index_locked(bp_call *call, struct retrieval *self, const struct collection *collection,
                       struct document *documents, size_t count)
{
    size_t    chunks;
    bp_status status;

    BP_TRY(chunk_all(call, self, documents, count, &chunks));
    if (chunks)
        BP_TRY(away_check_queue(call, self, bytes_of(documents, count)));
    BP_TRY(store_write(call, self, collection, documents, count));
    status = write_documents(call, self, collection, documents, count);
    if (index_is_hopeless(status)) {
        bp_clear_error(call);
        status = write_one_by_one(call, self, collection, documents, count);
    }
    if (status != BP_OK)
        return away_queue(call, self, collection, documents, count, status);
    BP_TRY(store_mark(call, self, collection, documents, count, STATE_READY));
    status = store_collect_garbage(call, self, collection);
    if (!away_is(call, status)) // else it is noted, and done later
        return status;
    bp_clear_error(call);
    return BP_OK;
}

bp_mutex *index_lock(const struct retrieval *self, int64_t collection)
{
    return self->shared->locks[(uint64_t)collection % INDEX_LOCKS];
}

static bp_status compare_and_index(bp_call *call, struct retrieval *self,
                                   const struct collection *collection, struct document *documents,
                                   size_t count)
{
    refuse_doubles(documents, count);
    BP_TRY(store_compare(call, self, collection, documents, count));
    return index_locked(call, self, collection, documents, count);
}

bp_status index_documents(bp_call *call, struct retrieval *self,
                          const struct collection *collection, struct document *documents,
                          size_t count)
{
    bp_mutex *lock = index_lock(self, collection->id);
    bp_status status;

    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    if (!bp_str_equal(collection->model, self->embedder.info.model))
        return bp_fail(call, BP_CONFLICT,
                       "collection \"" BP_FMT "\" was made with the embedder \"" BP_FMT
                       "\", this instance has \"" BP_FMT
                       "\": rebuild it with `backplane reindex --collection " BP_FMT
                       "`, or put that embedder back into the conf",
                       BP_ARG(collection->name), BP_ARG(collection->model),
                       BP_ARG(self->embedder.info.model), BP_ARG(collection->name));
    BP_TRY(bp_mutex_lock(call, lock));
    status = compare_and_index(call, self, collection, documents, count);
    bp_mutex_unlock(lock);
    for (size_t i = 0; i < count; i++)
        retrieval_count(self->documents_total,
                        documents[i].problem.len    ? "refused"
                        : documents[i].is_unchanged ? "unchanged"
                        : documents[i].is_queued    ? "queued"
                        : status == BP_OK           ? "stored"
                                                    : "failed",
                        1);
    return status;
}

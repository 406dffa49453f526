/* index.c - a batch of documents becomes searchable: compared, chunked, committed, embedded, written, marked. */
#include "retrieval.h"

enum { POINTS_AT_ONCE = 256 };

/* What the words leg searches: the title twice, since a word in it says more than one in the text. */
static bp_str words_of(bp_call *call, const struct document *document, const struct chunk *chunk)
{
    return bp_format(call, BP_FMT "\n" BP_FMT "\n" BP_FMT "\n%.*s", BP_ARG(document->title), BP_ARG(document->title),
                     BP_ARG(chunk->heading), (int)(chunk->end - chunk->start), document->text.data + chunk->start);
}

static bp_str passage_of(bp_call *call, const struct document *document, const struct chunk *chunk)
{
    return bp_format(call, BP_FMT "\n" BP_FMT "\n%.*s", BP_ARG(document->title), BP_ARG(chunk->heading),
                     (int)(chunk->end - chunk->start), document->text.data + chunk->start);
}

/* ---- points ---- */

struct points {
    bp_point *items;
    bp_str   *texts; /* to embed, point by point */
    size_t    count;
};

static bp_status embed_points(bp_call *call, struct retrieval *self, struct points *points, size_t first, size_t count)
{
    for (size_t at = first; at < first + count; at += self->embedder.info.max_batch) {
        size_t        some = first + count - at < self->embedder.info.max_batch ? first + count - at : self->embedder.info.max_batch;
        bp_embeddings made;

        BP_TRY(bp_embed_texts(call, self->embed, BP_EMBED_PASSAGE, points->texts + at, some, &made));
        if (made.dimensions != self->embedder.info.dimensions)
            return bp_fail(call, BP_UPSTREAM, "embedder \"" BP_FMT "\" gave %u dimensions instead of %u",
                           BP_ARG(self->embed->name), made.dimensions, self->embedder.info.dimensions);
        for (size_t i = 0; i < some; i++)
            points->items[at + i].vector = made.vectors + i * made.dimensions;
    }
    return BP_OK;
}

/* A text without a word of meaning has no direction; it is found by its words alone. */
static void drop_zero_vectors(const struct retrieval *self, struct points *points, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        const float *vector = points->items[i].vector;

        if (vector && embedder_is_zero(vector, self->embedder.info.dimensions))
            points->items[i].vector = NULL;
    }
}

static bp_status write_points(bp_call *call, struct retrieval *self, bp_str vector_name, struct points *points)
{
    for (size_t at = 0; at < points->count; at += POINTS_AT_ONCE) {
        size_t    some = points->count - at < POINTS_AT_ONCE ? points->count - at : POINTS_AT_ONCE;
        bp_status status = bp_scratch_begin(call);

        if (status == BP_OK) {
            status = embed_points(call, self, points, at, some);
            drop_zero_vectors(self, points, at, some);
            if (status == BP_OK)
                status = bp_vector_upsert(call, self->vector, vector_name, points->items + at, some);
            bp_scratch_end(call);
        }
        BP_TRY(status);
    }
    return BP_OK;
}

static bp_status points_new(bp_call *call, size_t most, struct points *points)
{
    points->items = BP_NEW_ARRAY(call, bp_point, most + 1);
    points->texts = BP_NEW_ARRAY(call, bp_str, most + 1);
    points->count = 0;
    return points->items && points->texts ? BP_OK : BP_NO_MEMORY;
}

static void add_point(bp_call *call, struct points *points, const struct document *document, const struct chunk *chunk)
{
    points->texts[points->count] = passage_of(call, document, chunk);
    points->items[points->count++] = (bp_point){ .struct_size = sizeof(bp_point),
                                                 .id = (uint64_t)chunk->row,
                                                 .words = words_of(call, document, chunk),
                                                 .metadata = document->metadata };
}

/* ---- the batch ---- */

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

static bp_status chunk_all(bp_call *call, const struct retrieval *self, struct document *documents, size_t count,
                           size_t *chunks)
{
    struct chunk_limits limits = { .tokens = (size_t)self->chunk_tokens, .overlap = (size_t)self->chunk_overlap };

    if (self->embedder.info.max_tokens && limits.tokens > self->embedder.info.max_tokens)
        limits.tokens = self->embedder.info.max_tokens;
    *chunks = 0;
    for (size_t i = 0; i < count; i++) {
        struct document *document = &documents[i];

        if (document->is_unchanged || document->problem.len)
            continue;
        BP_TRY(chunk_text(call, document->text, bp_str_is(document->format, "markdown"), &limits, &document->chunks,
                          &document->chunk_count));
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
        for (size_t c = 0; !documents[i].is_unchanged && c < documents[i].chunk_count; c++)
            bytes += documents[i].chunks[c].end - documents[i].chunks[c].start;
    return (int64_t)bytes;
}

static bp_status index_locked(bp_call *call, struct retrieval *self, const struct collection *collection,
                              struct document *documents, size_t count)
{
    struct points points;
    size_t        chunks;
    bp_status     status;

    refuse_doubles(documents, count);
    BP_TRY(store_compare(call, self, collection, documents, count));
    BP_TRY(chunk_all(call, self, documents, count, &chunks));
    if (chunks)
        BP_TRY(away_check_queue(call, self, bytes_of(documents, count)));
    BP_TRY(store_write(call, self, collection, documents, count));
    BP_TRY(points_new(call, chunks, &points));
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; !documents[i].is_unchanged && c < documents[i].chunk_count; c++)
            add_point(call, &points, &documents[i], &documents[i].chunks[c]);
    status = write_points(call, self, collection->vector_name, &points);
    if (status != BP_OK)
        return away_queue(call, self, documents, count, status);
    BP_TRY(store_mark(call, self, documents, count, STATE_READY));
    status = store_collect_garbage(call, self, collection);
    if (!away_is(call, status)) // else it is noted, and done later
        return status;
    bp_clear_error(call);
    return BP_OK;
}

bp_status index_documents(bp_call *call, struct retrieval *self, const struct collection *collection,
                          struct document *documents, size_t count)
{
    bp_mutex *lock = self->shared->locks[(uint64_t)collection->id % INDEX_LOCKS];
    bp_status status;

    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    if (!bp_str_equal(collection->model, self->embedder.info.model))
        return bp_fail(call, BP_CONFLICT,
                       "collection \"" BP_FMT "\" was made with the embedder \"" BP_FMT "\", this instance has \"" BP_FMT
                       "\": make another collection, or put that embedder back into the conf",
                       BP_ARG(collection->name), BP_ARG(collection->model), BP_ARG(self->embedder.info.model));
    BP_TRY(bp_mutex_lock(call, lock));
    status = index_locked(call, self, collection, documents, count);
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

/* ---- after a crash, and when a peer is back ---- */

/* Trying again changes nothing: the store or the embedder does not want this very text. */
static bool is_hopeless(bp_status status)
{
    return status == BP_INVALID || status == BP_TOO_LARGE || status == BP_UNSUPPORTED;
}

/* Another process may have written the document anew while its old passages were written here: points without a row. */
static bp_status note_orphans(bp_call *call, struct retrieval *self, const struct collection *collection,
                              const struct points *points)
{
    bp_rows rows;

    if (!points->count)
        return BP_OK;
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT id FROM retrieval_chunks WHERE id = $1", bp_sql_int((int64_t)points->items[0].id)),
                           &rows));
    for (size_t i = 0; !rows.row_count && i < points->count; i++) // all passages of a document go together
        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("INSERT INTO retrieval_garbage (chunk_id, collection_id) VALUES ($1, $2) ON CONFLICT "
                                      "(chunk_id) DO NOTHING",
                                      bp_sql_int((int64_t)points->items[i].id), bp_sql_int(collection->id)),
                               NULL));
    return BP_OK;
}

/* Rows and chunks are there, points may not be: they are written again from what was committed. */
static bp_status recover_locked(bp_call *call, struct retrieval *self, const struct collection *collection, int64_t id)
{
    struct document document = { .row = id };
    struct points   points;
    bp_rows         rows;
    bp_status       status;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT title, metadata, body, hash FROM retrieval_documents WHERE id = $1 AND state IN (0, 2)",
                                  bp_sql_int(id)),
                           &rows));
    if (rows.row_count == 0) // somebody wrote or deleted it meanwhile
        return BP_OK;
    document.title = bp_row(&rows, 0)[0].text;
    document.metadata = bp_row(&rows, 0)[1].text;
    document.text = bp_row(&rows, 0)[2].text;
    snprintf(document.hash, sizeof(document.hash), BP_FMT, BP_ARG(bp_row(&rows, 0)[3].text));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT id, start_byte, end_byte, heading FROM retrieval_chunks WHERE document_id = $1 "
                                  "ORDER BY sequence",
                                  bp_sql_int(id)),
                           &rows));
    BP_TRY(points_new(call, rows.row_count, &points));
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *values = bp_row(&rows, i);
        struct chunk        chunk = { .row = values[0].integer, .start = (size_t)values[1].integer,
                                      .end = (size_t)values[2].integer, .heading = values[3].text };

        if (chunk.end <= document.text.len && chunk.start <= chunk.end)
            add_point(call, &points, &document, &chunk);
    }
    status = write_points(call, self, collection->vector_name, &points);
    if (is_hopeless(status)) {
        bp_log(call, BP_LOG_ERROR, "document %lld of collection %lld cannot be indexed and stays unsearchable until it is sent "
               "again: " BP_FMT, (long long)id, (long long)collection->id, BP_ARG(bp_error_of(call)->message));
        bp_clear_error(call);
        return store_mark(call, self, &document, 1, STATE_FAILED);
    }
    BP_TRY(status);
    BP_TRY(store_mark(call, self, &document, 1, STATE_READY));
    BP_TRY(note_orphans(call, self, collection, &points));
    return store_collect_garbage(call, self, collection);
}

static bp_status recover_document(bp_call *call, struct retrieval *self, const bp_sql_value *row)
{
    struct collection collection = { .id = row[1].integer, .vector_name = store_vector_name(call, row[1].integer) };
    bp_mutex         *lock = self->shared->locks[(uint64_t)collection.id % INDEX_LOCKS];
    bp_status         status;

    BP_TRY(bp_mutex_lock(call, lock));
    status = recover_locked(call, self, &collection, row[0].integer);
    bp_mutex_unlock(lock);
    return status;
}

/* Older than this process: nobody works on it any more. Else a minute old: what is younger may be under way, here or in
 * another process on the same storage. */
static int64_t left_before_ns(const struct retrieval *self)
{
    int64_t minute_ago = bp_wall_ns() - BP_SECONDS(60);

    return minute_ago > self->started_wall_ns ? minute_ago : self->started_wall_ns;
}

static bp_status recover_some(bp_call *call, struct retrieval *self, int64_t *after, size_t *found)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT d.id, d.collection_id FROM retrieval_documents d JOIN retrieval_collections c ON "
                                  "c.id = d.collection_id WHERE d.id > $1 AND (d.state = 2 OR (d.state = 0 AND "
                                  "d.updated_wall_ns < $2)) AND c.model = $3 ORDER BY d.id LIMIT 20",
                                  bp_sql_int(*after), bp_sql_int(left_before_ns(self)),
                                  bp_sql_text(self->embedder.info.model)),
                           &rows));
    *found = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++) {
        BP_TRY(recover_document(call, self, bp_row(&rows, i)));
        *after = bp_row(&rows, i)[0].integer;
    }
    return BP_OK;
}

/* What a crash left between marking documents and dropping the points that they replaced. */
static bp_status recover_garbage(bp_call *call, struct retrieval *self)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT DISTINCT collection_id FROM retrieval_garbage"), &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        int64_t           id = bp_row(&rows, i)[0].integer;
        struct collection collection = { .id = id, .vector_name = store_vector_name(call, id) };
        bp_mutex         *lock = self->shared->locks[(uint64_t)id % INDEX_LOCKS];
        bp_status         status;

        BP_TRY(bp_mutex_lock(call, lock));
        status = store_collect_garbage(call, self, &collection);
        bp_mutex_unlock(lock);
        BP_TRY(status);
    }
    return BP_OK;
}

bp_status index_recover(bp_call *call, struct retrieval *self)
{
    int64_t after = 0;
    size_t  found = 1, all = 0;

    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    while (found) {
        bp_status status;

        BP_TRY(bp_scratch_begin(call));
        status = recover_some(call, self, &after, &found);
        bp_scratch_end(call);
        BP_TRY(status);
        all += found;
    }
    if (all)
        bp_log(call, BP_LOG_INFO, "%zu documents that a crash or an outage had left unfinished were indexed", all);
    BP_TRY(recover_garbage(call, self));
    atomic_store(&self->shared->is_queueing, false);
    return BP_OK;
}

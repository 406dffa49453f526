/* take_up.c - documents that are not searchable yet, or no longer, become so: work that a crash
 * left, queued documents, and documents of an earlier build of their collection.
 *
 * It works through them in batches, in the order of their ids, and may end anywhere: what it has
 * done is marked, and the next round goes on with the rest. Two processes on one storage may take
 * up the same document; the marks say which writing of a document they are about, so the worst is
 * work done twice.
 */
#include <stdlib.h>

#include "retrieval.h"

enum { ROUND_ENDS_S = 60 }; /* before the deadline of the job */

struct batch {
    struct retrieval *self;
    struct collection collection;
    struct document  *documents;
    size_t            count;
    bp_run           *run;       /* that is told how far the build is; NULL: none */
    int64_t           done, all; /* documents of the build, for the run */
};

/* ---- reading ---- */

#define DOCUMENT_COLUMNS                                                                           \
    "d.id, d.external_id, d.title, d.source, d.format, d.metadata, d.hash, d.body, "               \
    "d.updated_wall_ns, d.chunking"
#define VERSION_COLUMNS                                                                            \
    "v.document_id, d.external_id, v.title, v.source, v.format, v.metadata, v.hash, v.body, "      \
    "v.updated_wall_ns, v.chunking"

static void take_row(const bp_sql_value *row, bool is_version, struct document *document)
{
    *document = (struct document){ .row = row[0].integer,
                                   .id = row[1].text,
                                   .title = row[2].text,
                                   .source = row[3].text,
                                   .format = row[4].text,
                                   .metadata = row[5].text,
                                   .text = row[7].text,
                                   .written_wall_ns = row[8].integer,
                                   .is_version = is_version };
    snprintf(document->hash, sizeof(document->hash), BP_FMT, BP_ARG(row[6].text));
}

/* The chunks as they stand in the storage. */
static bp_status read_chunks(bp_call *call, struct retrieval *self, struct document *document)
{
    bp_rows rows;

    BP_TRY(
        bp_storage_exec(call, self->storage, NULL,
                        BP_SQL("SELECT id, start_byte, end_byte, heading FROM retrieval_chunks "
                               "WHERE document_id = $1 ORDER BY sequence",
                               bp_sql_int(document->is_version ? -document->row : document->row)),
                        &rows));
    document->chunks = BP_NEW_ARRAY(call, struct chunk, rows.row_count + 1);
    if (!document->chunks)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);
        struct chunk        chunk = { .row = row[0].integer,
                                      .start = (size_t)row[1].integer,
                                      .end = (size_t)row[2].integer,
                                      .heading = row[3].text };

        if (chunk.end <= document->text.len && chunk.start <= chunk.end)
            document->chunks[document->chunk_count++] = chunk;
    }
    return BP_OK;
}

/* ---- writing ---- */

static bp_status write_points(bp_call *call, const struct batch *batch, struct document *documents,
                              size_t count)
{
    struct points *points;
    size_t         chunks = 0;

    for (size_t i = 0; i < count; i++)
        chunks += documents[i].chunk_count;
    BP_TRY(index_points_new(call, chunks, &points));
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < documents[i].chunk_count; c++)
            index_points_add(call, points, &documents[i], &documents[i].chunks[c]);
    return index_points_write(call, batch->self, batch->collection.vector_name, points);
}

static bp_status give_up(bp_call *call, const struct batch *batch, struct document *document)
{
    document->problem = bp_dup(call, bp_error_of(call)->message);
    bp_log(call, BP_LOG_ERROR,
           "document \"" BP_FMT "\" of collection \"" BP_FMT
           "\" cannot be indexed and stays %s until it is sent again: " BP_FMT,
           BP_ARG(document->id), BP_ARG(batch->collection.name),
           document->is_version ? "as it was before" : "unsearchable", BP_ARG(document->problem));
    bp_clear_error(call);
    return store_mark(call, batch->self, &batch->collection, document, 1, STATE_FAILED);
}

/* Another process may have rewritten the document while its old passages were written here:
 * points without a row. */
static bp_status note_orphans(bp_call *call, const struct batch *batch,
                              const struct document *document)
{
    bp_rows rows;

    if (!document->chunk_count)
        return BP_OK;
    BP_TRY(bp_storage_exec(call, batch->self->storage, NULL,
                           BP_SQL("SELECT id FROM retrieval_chunks WHERE id = $1",
                                  bp_sql_int(document->chunks[0].row)),
                           &rows));
    for (size_t i = 0; !rows.row_count && i < document->chunk_count;
         i++) // all passages of a document go together
        BP_TRY(bp_storage_exec(call, batch->self->storage, NULL,
                               BP_SQL("INSERT INTO retrieval_garbage (chunk_id, collection_id) "
                                      "VALUES ($1, $2) ON CONFLICT (chunk_id) DO NOTHING",
                                      bp_sql_int(document->chunks[i].row),
                                      bp_sql_int(batch->collection.id)),
                               NULL));
    return BP_OK;
}

/* All at once; each alone when one of them is not wanted. */
static bp_status write_batch(bp_call *call, const struct batch *batch, struct document *documents,
                             size_t count)
{
    bp_status status = write_points(call, batch, documents, count);

    if (!index_is_hopeless(status)) {
        BP_TRY(status);
        BP_TRY(store_mark(call, batch->self, &batch->collection, documents, count, STATE_READY));
        for (size_t i = 0; i < count; i++)
            BP_TRY(note_orphans(call, batch, &documents[i]));
        return BP_OK;
    }
    if (count == 1)
        return give_up(call, batch, documents);
    bp_clear_error(call);
    for (size_t i = 0; i < count; i++)
        BP_TRY(write_batch(call, batch, &documents[i], 1));
    return BP_OK;
}

/* As if they came in again. One that is refused now would be behind for ever: it is marked as
 * failed, and what the store has of it is found all the same. */
static bp_status cut_anew(bp_call *call, const struct batch *batch, struct document *cut,
                          size_t count)
{
    struct document *before = BP_NEW_ARRAY(call, struct document, count + 1);

    if (!before)
        return BP_NO_MEMORY;
    memcpy(before, cut, count * sizeof(*cut));
    BP_TRY(index_locked(call, batch->self, &batch->collection, cut, count));
    for (size_t i = 0; i < count; i++) {
        before[i].problem = cut[i].problem;
        if (cut[i].problem.len)
            BP_TRY(store_mark(call, batch->self, &batch->collection, &before[i], 1, STATE_FAILED));
    }
    return BP_OK;
}

/* Documents that are cut as they would be today go into the store as they are; others are
 * rewritten. */
static bp_status take_up_locked(bp_call *call, struct batch *batch, const bp_rows *rows,
                                bool is_version)
{
    struct retrieval *self = batch->self;
    struct document  *cut = BP_NEW_ARRAY(call, struct document, rows->row_count + 1);
    bp_str            chunking = index_chunking(call, self);
    size_t            cut_count = 0;

    batch->documents = BP_NEW_ARRAY(call, struct document, rows->row_count + 1);
    if (!cut || !batch->documents)
        return BP_NO_MEMORY;
    batch->count = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        const bp_sql_value *row = bp_row(rows, i);
        struct document    *document;

        if (row[9].text.len && !bp_str_equal(row[9].text, chunking)) {
            take_row(row, false, &cut[cut_count++]);
            continue;
        }
        document = &batch->documents[batch->count++];
        take_row(row, is_version, document);
        BP_TRY(read_chunks(call, self, document));
    }
    if (batch->count)
        BP_TRY(write_batch(call, batch, batch->documents, batch->count));
    if (cut_count)
        BP_TRY(cut_anew(call, batch, cut, cut_count));
    return store_collect_garbage(call, self, &batch->collection);
}

/* The rows are read under the lock, so that nobody in this process changes them meanwhile. */
static bp_status take_up_some(bp_call *call, struct batch *batch, const bp_statement *statement,
                              bool is_version, size_t *found, int64_t *after)
{
    bp_mutex *lock = index_lock(batch->self, batch->collection.id);
    bp_rows   rows;
    bp_status status;

    *found = 0;
    BP_TRY(bp_mutex_lock(call, lock));
    status = bp_storage_exec(call, batch->self->storage, NULL, statement, &rows);
    if (status == BP_OK && rows.row_count) {
        *found = rows.row_count;
        *after = bp_row(&rows, rows.row_count - 1)[0].integer;
        status = take_up_locked(call, batch, &rows, is_version);
    }
    bp_mutex_unlock(lock);
    return status;
}

/* Older than this process: nobody works on it any more. Else a minute old: younger work may be
 * under way, here or in another process on the same storage. */
static int64_t left_before_ns(const struct retrieval *self)
{
    int64_t minute_ago = bp_wall_ns() - BP_SECONDS(60);

    return minute_ago > self->started_wall_ns ? minute_ago : self->started_wall_ns;
}

/* ---- the three sorts ---- */

enum sort { SORT_UNREADY, SORT_VERSIONS, SORT_BEHIND, SORTS };

static const char *const sort_sql[SORTS] = {
    [SORT_UNREADY] = "SELECT " DOCUMENT_COLUMNS
                     " FROM retrieval_documents d WHERE d.state <> 1 AND d.id > $2 AND "
                     "d.collection_id = $1 AND (d.state = 2 OR (d.state = 0 AND d.updated_wall_ns "
                     "< $3)) ORDER BY d.id LIMIT $4",
    [SORT_VERSIONS] = "SELECT " VERSION_COLUMNS
                      " FROM retrieval_versions v JOIN retrieval_documents d ON d.id = "
                      "v.document_id WHERE v.document_id > $2 AND d.collection_id = $1 AND "
                      "(v.state = 2 OR (v.state = 0 AND v.updated_wall_ns < $3)) ORDER BY "
                      "v.document_id LIMIT $4",
    // The order of the index: by build, then by id. `after` has no meaning here: a finished
    // document is no longer behind.
    [SORT_BEHIND] = "SELECT " DOCUMENT_COLUMNS
                    " FROM retrieval_documents d WHERE d.collection_id = $1 AND d.build < $2 AND "
                    "d.state = 1 ORDER BY d.build, d.id LIMIT $3",
};

static bp_status take_up_sort(bp_call *call, struct batch *batch, enum sort sort, size_t *all)
{
    int64_t after = 0, last = -1, most = TAKE_UP_DOCUMENTS;
    size_t  found = 1;

    // The rest is for the next round, which begins a little later.
    while (found && bp_deadline_ns(call) - bp_now_ns() > BP_SECONDS(ROUND_ENDS_S)) {
        bp_sql_value values[] = {
            bp_sql_int(batch->collection.id),
            bp_sql_int(sort == SORT_BEHIND ? batch->collection.build : after),
            bp_sql_int(sort == SORT_BEHIND ? most : left_before_ns(batch->self)), bp_sql_int(most)
        };
        bp_statement statement = { .struct_size = sizeof(statement),
                                   .parameter_count = sort == SORT_BEHIND ? 3 : 4,
                                   .sql = bp_str_of(sort_sql[sort]),
                                   .parameters = values };
        bp_status    status = bp_scratch_begin(call);

        BP_TRY(status);
        status = take_up_some(call, batch, &statement, sort == SORT_VERSIONS, &found, &after);
        bp_scratch_end(call);
        if ((status == BP_TOO_LARGE || status == BP_NO_MEMORY) && most > 1 &&
            bp_cancelled(call) == BP_OK) {
            bp_clear_error(call); // large documents: the same rows, one by one
            most = found = 1;
            continue;
        }
        BP_TRY(status);
        *all += found;
        if (batch->run && sort == SORT_BEHIND) { // counted here: a question for each batch costs
            batch->done += (int64_t)found;
            bp_run_progress(batch->run, batch->done < batch->all ? batch->done : batch->all,
                            batch->all);
        }
        if (sort == SORT_BEHIND && found &&
            after ==
                last) // the document just finished is behind still: another process builds, too
            return BP_OK;
        last = after;
    }
    return BP_OK;
}

static bp_status end_build(bp_call *call, struct batch *batch)
{
    int64_t behind, all;
    bp_rows rows;

    if (batch->collection.state == COLLECTION_READY)
        return BP_OK;
    BP_TRY(upkeep_progress(call, batch->self, &batch->collection, &behind, &all));
    if (behind)
        return BP_OK;
    BP_TRY(bp_storage_exec(call, batch->self->storage, NULL,
                           BP_SQL("UPDATE retrieval_collections SET state = 0, reason = '' WHERE "
                                  "id = $1 AND build = $2 AND state <> 0 RETURNING id",
                                  bp_sql_int(batch->collection.id),
                                  bp_sql_int(batch->collection.build)),
                           &rows));
    if (!rows.row_count)
        return BP_OK;
    // The store may have lost points in the middle of the build: the next round compares.
    atomic_store(&batch->self->shared->is_upkeep_due, true);
    bp_log_event(call, BP_LOG_INFO, "collection_built",
                 bp_format(call, "the collection \"" BP_FMT "\" was rebuilt: %lld documents",
                           BP_ARG(batch->collection.name), (long long)all),
                 (bp_field[]){ bp_field_str("collection", batch->collection.name),
                               bp_field_int("documents", all) },
                 2);
    return BP_OK;
}

static bp_status take_up_collection(bp_call *call, struct batch *batch, size_t *all)
{
    size_t before = *all;

    for (int sort = 0; sort < SORTS; sort++)
        BP_TRY(take_up_sort(call, batch, (enum sort)sort, all));
    BP_TRY(end_build(call, batch));
    if (*all > before)
        bp_log(call, BP_LOG_INFO,
               "%zu documents of collection \"" BP_FMT
               "\" that a crash, an outage or an earlier build had left were indexed",
               *all - before, BP_ARG(batch->collection.name));
    // Also what a crash left between marking documents and dropping the points that they replaced.
    return store_collect_garbage(call, batch->self, &batch->collection);
}

bp_status take_up_one(bp_call *call, struct retrieval *self, const struct collection *collection,
                      bp_run *run, int64_t done, int64_t documents)
{
    struct batch batch = {
        .self = self, .collection = *collection, .run = run, .done = done, .all = documents
    };
    size_t    all = 0;
    bp_status status;

    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    if (!bp_str_equal(collection->model, self->embedder.info.model) || !collection->vector_name.len)
        return bp_fail(call, BP_CONFLICT,
                       "collection \"" BP_FMT "\" was made with another embedder than the conf "
                       "has: `backplane reindex --collection " BP_FMT "` rebuilds it",
                       BP_ARG(collection->name), BP_ARG(collection->name));
    status = take_up_collection(call, &batch, &all);
    return status == BP_NOT_FOUND ? upkeep_lost(call, self, &batch.collection) : status;
}

bp_status take_up_all(bp_call *call, struct retrieval *self)
{
    bp_rows   rows;
    size_t    all = 0;
    bp_status first = BP_OK;
    bp_str    why = { NULL, 0 };

    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT " COLLECTION_COLUMNS
                                  " FROM retrieval_collections WHERE model = $1 AND vector_name <> "
                                  "'' ORDER BY id",
                                  bp_sql_text(self->embedder.info.model)),
                           &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        struct batch batch = { .self = self };
        bp_status    status;

        collection_take_row(call, &rows, i, &batch.collection);
        status = take_up_collection(call, &batch, &all);
        if (status == BP_OK)
            continue;
        if (bp_cancelled(call) != BP_OK || bp_error_of(call)->status == BP_NO_MEMORY)
            return status;
        if (status == BP_NOT_FOUND && upkeep_lost(call, self, &batch.collection) == BP_OK)
            continue; // made again; the next round fills it
        // One collection in trouble does not keep the others waiting.
        if (first == BP_OK)
            why = bp_dup(call, bp_error_of(call)->message);
        first = first == BP_OK ? status : first;
        bp_clear_error(call);
    }
    if (first != BP_OK)
        return bp_fail(call, first, BP_FMT, BP_ARG(why));
    atomic_store(&self->shared->is_queueing, false);
    return BP_OK;
}

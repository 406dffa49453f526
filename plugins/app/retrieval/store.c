/* store.c - the app's SQL: collections, documents, chunks, and notes about unfinished work. */
#include "retrieval.h"

enum { PARAMETERS_MAX = 60 };

const bp_migration store_migrations[STORE_MIGRATIONS] = {
    { 1, 0, "collections, documents and chunks",
      "CREATE TABLE retrieval_collections (id ${identity}, tenant TEXT NOT NULL, name TEXT NOT "
      "NULL, language TEXT NOT NULL, model TEXT NOT NULL, dimensions BIGINT NOT NULL, "
      "created_wall_ns BIGINT NOT NULL, UNIQUE (tenant, name));CREATE TABLE retrieval_documents "
      "(id ${identity}, collection_id BIGINT NOT NULL, external_id TEXT NOT NULL, title TEXT NOT "
      "NULL, source TEXT NOT NULL, format TEXT NOT NULL, metadata TEXT NOT NULL, hash TEXT NOT "
      "NULL, body TEXT NOT NULL, state BIGINT NOT NULL, updated_wall_ns BIGINT NOT NULL, UNIQUE "
      "(collection_id, external_id));CREATE INDEX retrieval_documents_state ON retrieval_documents "
      "(state);CREATE TABLE retrieval_chunks (id ${identity}, document_id BIGINT NOT NULL, "
      "sequence BIGINT NOT NULL, start_byte BIGINT NOT NULL, end_byte BIGINT NOT NULL, start_char "
      "BIGINT NOT NULL, end_char BIGINT NOT NULL, heading TEXT NOT NULL, body TEXT NOT "
      "NULL);CREATE INDEX retrieval_chunks_document ON retrieval_chunks (document_id, "
      "sequence);CREATE TABLE retrieval_garbage (chunk_id BIGINT PRIMARY KEY, collection_id BIGINT "
      "NOT NULL);CREATE INDEX retrieval_garbage_collection ON retrieval_garbage "
      "(collection_id);CREATE TABLE retrieval_files (collection_id BIGINT NOT NULL, path TEXT NOT "
      "NULL, source TEXT NOT NULL, modified_ns BIGINT NOT NULL, size_bytes BIGINT NOT NULL, "
      "PRIMARY KEY (collection_id, path))" },
    // The program before would look for a new collection under a name made of its id. The index on
    // `state` was chosen by planners for lists of ids, as each batch asks for; nearly all documents
    // are ready, so it told them nothing.
    { 2, 0, "collections with names and builds of their own, and versions of documents",
      "ALTER TABLE retrieval_collections ADD COLUMN vector_name TEXT NOT NULL DEFAULT '';ALTER "
      "TABLE retrieval_collections ADD COLUMN build BIGINT NOT NULL DEFAULT 0;ALTER TABLE "
      "retrieval_collections ADD COLUMN state BIGINT NOT NULL DEFAULT 0;ALTER TABLE "
      "retrieval_collections ADD COLUMN reason TEXT NOT NULL DEFAULT '';ALTER TABLE "
      "retrieval_documents ADD COLUMN build BIGINT NOT NULL DEFAULT 0;ALTER TABLE "
      "retrieval_documents ADD COLUMN chunking TEXT NOT NULL DEFAULT '';ALTER TABLE "
      "retrieval_documents ADD COLUMN problem TEXT NOT NULL DEFAULT '';CREATE TABLE "
      "retrieval_versions (document_id BIGINT PRIMARY KEY, title TEXT NOT NULL, source TEXT NOT "
      "NULL, format TEXT NOT NULL, metadata TEXT NOT NULL, hash TEXT NOT NULL, body TEXT NOT NULL, "
      "chunking TEXT NOT NULL, state BIGINT NOT NULL, updated_wall_ns BIGINT NOT NULL);CREATE "
      "TABLE retrieval_drops (vector_name TEXT PRIMARY KEY, collection_id BIGINT NOT NULL, "
      "since_wall_ns BIGINT NOT NULL);DROP INDEX retrieval_documents_state;CREATE INDEX "
      "retrieval_documents_unready ON retrieval_documents (id) WHERE state <> 1;CREATE INDEX "
      "retrieval_documents_build ON retrieval_documents (collection_id, build, id);"
      // What deletions during an intake have left: neither listed nor to be deleted.
      "DELETE FROM retrieval_chunks WHERE document_id IN (SELECT id FROM retrieval_documents WHERE "
      "collection_id NOT IN (SELECT id FROM retrieval_collections));DELETE FROM "
      "retrieval_documents WHERE collection_id NOT IN (SELECT id FROM retrieval_collections)" },
};

bp_str store_state_name(int64_t state)
{
    static const char *const names[] = { "indexing", "ready", "queued", "failed" };

    return bp_str_of(
        names[state >= STATE_INDEXING && state <= STATE_FAILED ? state : STATE_INDEXING]);
}

/* "$3, $4, $5" */
static void add_places(bp_buf *sql, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bp_buf_addf(sql, "%s$%zu", i ? ", " : "", first + i);
}

static bp_status statement_of(bp_call *call, bp_buf *sql, const bp_sql_value *parameters,
                              size_t count, bp_statement *statement)
{
    if (bp_buf_status(sql) != BP_OK)
        return bp_fail(call, bp_buf_status(sql), "a statement of %zu parameters is too long",
                       count);
    *statement = (bp_statement){ .struct_size = sizeof(*statement),
                                 .parameter_count = (uint32_t)count,
                                 .sql = bp_buf_str(sql),
                                 .parameters = parameters };
    return BP_OK;
}

/* ---- documents that are there already ---- */

static bp_status compare_some(bp_call *call, struct retrieval *self,
                              const struct collection *collection, struct document *documents,
                              size_t count)
{
    bp_sql_value *parameters = BP_NEW_ARRAY(call, bp_sql_value, count + 2);
    bp_buf       *sql = bp_buf_new(call, 4096);
    bp_statement  statement;
    bp_rows       rows;

    if (!parameters)
        return BP_NO_MEMORY;
    parameters[0] = bp_sql_int(collection->id);
    parameters[1] = bp_sql_text(index_chunking(call, self));
    for (size_t i = 0; i < count; i++)
        parameters[i + 2] = bp_sql_text(
            documents[i].problem.len ? BP_STR("") : documents[i].id); // refused: not in any storage
    // "" is what documents of older versions say: then it is the same until somebody asks for a
    // build.
    bp_buf_addf(sql,
                "SELECT d.external_id, d.hash FROM retrieval_documents d WHERE d.collection_id = "
                "$1 AND d.state = %d AND (d.chunking = $2 OR d.chunking = '') AND NOT EXISTS "
                "(SELECT 1 FROM retrieval_versions v WHERE v.document_id = d.id) AND d.external_id "
                "IN (",
                STATE_READY);
    add_places(sql, 3, count);
    bp_buf_add(sql, BP_STR(")"));
    BP_TRY(statement_of(call, sql, parameters, count + 2, &statement));
    BP_TRY(bp_storage_exec(call, self->storage, NULL, &statement, &rows));
    for (size_t r = 0; r < rows.row_count; r++)
        for (size_t i = 0; i < count; i++)
            if (bp_str_equal(bp_row(&rows, r)[0].text, documents[i].id) &&
                bp_str_is(bp_row(&rows, r)[1].text, documents[i].hash))
                documents[i].is_unchanged = true;
    return BP_OK;
}

bp_status store_compare(bp_call *call, struct retrieval *self, const struct collection *collection,
                        struct document *documents, size_t count)
{
    for (size_t at = 0; at < count; at += PARAMETERS_MAX - 2) {
        size_t some = count - at < PARAMETERS_MAX - 2 ? count - at : PARAMETERS_MAX - 2;

        BP_TRY(compare_some(call, self, collection, documents + at, some));
    }
    return BP_OK;
}

/* ---- writing ---- */

static bp_status check_there(bp_call *call, struct retrieval *self, bp_transaction *transaction,
                             const struct collection *collection)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("SELECT id FROM retrieval_collections WHERE id = $1",
                                  bp_sql_int(collection->id)),
                           &rows));
    return rows.row_count
               ? BP_OK
               : bp_fail(call, BP_NOT_FOUND,
                         "the collection \"" BP_FMT "\" was deleted meanwhile: documents that were "
                         "not acknowledged before are not in it",
                         BP_ARG(collection->name));
}

/* A new row, or the one that is there; whether somebody finds its passages today says whether this
 * becomes a version. */
static bp_status find_row(bp_call *call, struct retrieval *self, bp_transaction *transaction,
                          const struct collection *collection, struct document *document,
                          bool *is_new)
{
    bp_rows rows;

    document->written_wall_ns = bp_wall_ns();
    BP_TRY(
        bp_storage_exec(call, self->storage, transaction,
                        BP_SQL("INSERT INTO retrieval_documents (collection_id, external_id, "
                               "title, source, format, metadata, hash, body, state, "
                               "updated_wall_ns, chunking) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
                               "0, $9, $10) ON CONFLICT (collection_id, external_id) DO NOTHING "
                               "RETURNING id",
                               bp_sql_int(collection->id), bp_sql_text(document->id),
                               bp_sql_text(document->title), bp_sql_text(document->source),
                               bp_sql_text(document->format), bp_sql_text(document->metadata),
                               bp_sql_text(bp_str_of(document->hash)), bp_sql_text(document->text),
                               bp_sql_int(document->written_wall_ns),
                               bp_sql_text(index_chunking(call, self))),
                        &rows));
    *is_new = rows.row_count == 1;
    document->is_version = false;
    if (!*is_new)
        BP_TRY(bp_storage_exec(call, self->storage, transaction,
                               BP_SQL("SELECT id, state FROM retrieval_documents WHERE "
                                      "collection_id = $1 AND external_id = $2",
                                      bp_sql_int(collection->id), bp_sql_text(document->id)),
                               &rows));
    if (rows.row_count != 1)
        return bp_fail(call, BP_DATA, "the storage gave no id for document \"" BP_FMT "\"",
                       BP_ARG(document->id));
    document->row = bp_row(&rows, 0)[0].integer;
    document->is_version = !*is_new && bp_row(&rows, 0)[1].integer == STATE_READY;
    return BP_OK;
}

static bp_status write_row(bp_call *call, struct retrieval *self, bp_transaction *transaction,
                           const struct collection *collection, struct document *document)
{
    bool is_new;

    BP_TRY(find_row(call, self, transaction, collection, document, &is_new));
    if (is_new)
        return BP_OK;
    if (!document->is_version)
        return bp_storage_exec(call, self->storage, transaction,
                               BP_SQL("UPDATE retrieval_documents SET title = $2, source = $3, "
                                      "format = $4, metadata = $5, hash = $6, body = $7, state = "
                                      "0, updated_wall_ns = $8, chunking = $9, problem = '' WHERE "
                                      "id = $1",
                                      bp_sql_int(document->row), bp_sql_text(document->title),
                                      bp_sql_text(document->source), bp_sql_text(document->format),
                                      bp_sql_text(document->metadata),
                                      bp_sql_text(bp_str_of(document->hash)),
                                      bp_sql_text(document->text),
                                      bp_sql_int(document->written_wall_ns),
                                      bp_sql_text(index_chunking(call, self))),
                               NULL);
    return bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("INSERT INTO retrieval_versions (document_id, title, source, "
                                  "format, metadata, hash, body, state, updated_wall_ns, chunking) "
                                  "VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9) ON CONFLICT "
                                  "(document_id) DO UPDATE SET title = excluded.title, source = "
                                  "excluded.source, format = excluded.format, metadata = "
                                  "excluded.metadata, hash = excluded.hash, body = excluded.body, "
                                  "state = 0, updated_wall_ns = excluded.updated_wall_ns, chunking "
                                  "= excluded.chunking",
                                  bp_sql_int(document->row), bp_sql_text(document->title),
                                  bp_sql_text(document->source), bp_sql_text(document->format),
                                  bp_sql_text(document->metadata),
                                  bp_sql_text(bp_str_of(document->hash)),
                                  bp_sql_text(document->text),
                                  bp_sql_int(document->written_wall_ns),
                                  bp_sql_text(index_chunking(call, self))),
                           NULL);
}

/* Chunks of a version belong to the document's id with a minus before it until it takes the place
 * of the old one. */
static int64_t chunks_of(const struct document *document)
{
    return document->is_version ? -document->row : document->row;
}

static bp_status drop_chunks(bp_call *call, struct retrieval *self, bp_transaction *transaction,
                             int64_t collection, int64_t document)
{
    BP_TRY(bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("INSERT INTO retrieval_garbage (chunk_id, collection_id) SELECT "
                                  "id, CAST($2 AS BIGINT) FROM retrieval_chunks WHERE document_id "
                                  "= $1 ON CONFLICT (chunk_id) DO NOTHING",
                                  bp_sql_int(document), bp_sql_int(collection)),
                           NULL));
    return bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("DELETE FROM retrieval_chunks WHERE document_id = $1",
                                  bp_sql_int(document)),
                           NULL);
}

static bp_status write_chunk(bp_call *call, struct retrieval *self, bp_transaction *transaction,
                             const struct document *document, size_t place)
{
    struct chunk *chunk = &document->chunks[place];
    bp_rows       rows;

    BP_TRY(
        bp_storage_exec(call, self->storage, transaction,
                        BP_SQL("INSERT INTO retrieval_chunks (document_id, sequence, start_byte, "
                               "end_byte, start_char, end_char, heading, body) VALUES ($1, $2, $3, "
                               "$4, $5, $6, $7, $8) RETURNING id",
                               bp_sql_int(chunks_of(document)), bp_sql_int((int64_t)place),
                               bp_sql_int((int64_t)chunk->start), bp_sql_int((int64_t)chunk->end),
                               bp_sql_int((int64_t)chunk->start_char),
                               bp_sql_int((int64_t)chunk->end_char), bp_sql_text(chunk->heading),
                               bp_sql_text(bp_str_n(document->text.data + chunk->start,
                                                    chunk->end - chunk->start))),
                        &rows));
    if (rows.row_count != 1)
        return bp_fail(call, BP_DATA, "the storage gave no id for a passage");
    chunk->row = bp_row(&rows, 0)[0].integer;
    return BP_OK;
}

struct writing {
    struct retrieval        *self;
    const struct collection *collection;
    struct document         *documents;
    size_t                   count;
};

static bp_status write_all(bp_call *call, bp_transaction *transaction, void *arg)
{
    const struct writing *w = arg;

    BP_TRY(check_there(call, w->self, transaction, w->collection));
    for (size_t i = 0; i < w->count; i++) {
        struct document *document = &w->documents[i];

        if (document->is_unchanged || document->problem.len)
            continue;
        BP_TRY(write_row(call, w->self, transaction, w->collection, document));
        BP_TRY(drop_chunks(call, w->self, transaction, w->collection->id, chunks_of(document)));
        for (size_t c = 0; c < document->chunk_count; c++)
            BP_TRY(write_chunk(call, w->self, transaction, document, c));
    }
    return BP_OK;
}

bp_status store_write(bp_call *call, struct retrieval *self, const struct collection *collection,
                      struct document *documents, size_t count)
{
    struct writing writing = { self, collection, documents, count };

    return bp_storage_transact(call, self->storage, write_all, &writing);
}

/* ---- marking ---- */

/* The statements that mark one document; each is about this very writing of it, so that another
 * one, here or in another process, is not touched. */
struct marking {
    bp_call      *call;
    bp_statement *statements;
    bp_sql_value *values;
    size_t        count, value_count;
};

enum { MARK_STATEMENTS = 6, MARK_VALUES = 4 };

static void add_mark(struct marking *m, const char *sql, bp_sql_value a, bp_sql_value b,
                     bp_sql_value c, bp_sql_value d, uint32_t used)
{
    bp_sql_value *values = m->values + m->value_count;

    values[0] = a;
    values[1] = b;
    values[2] = c;
    values[3] = d;
    m->value_count += MARK_VALUES;
    m->statements[m->count++] = (bp_statement){ .struct_size = sizeof(bp_statement),
                                                .parameter_count = used,
                                                .sql = bp_str_of(sql),
                                                .parameters = values };
}

#define THIS_VERSION                                                                               \
    "EXISTS (SELECT 1 FROM retrieval_versions WHERE document_id = $1 AND updated_wall_ns = $2)"

static void mark_version(struct marking *m, const struct collection *collection,
                         const struct document *document, enum document_state state)
{
    bp_sql_value id = bp_sql_int(document->row), written = bp_sql_int(document->written_wall_ns);
    bp_sql_value none = bp_sql_null(), minus = bp_sql_int(-document->row),
                 whose = bp_sql_int(collection->id);

    if (state == STATE_QUEUED || state == STATE_INDEXING) {
        add_mark(m,
                 "UPDATE retrieval_versions SET state = $3 WHERE document_id = $1 AND "
                 "updated_wall_ns = $2",
                 id, written, bp_sql_int(state), none, 3);
        return;
    }
    // The row stays locked to the end of the batch: another process that writes a later version
    // waits, or has come before, and then nothing below matches.
    add_mark(m,
             "UPDATE retrieval_versions SET state = state WHERE document_id = $1 AND "
             "updated_wall_ns = $2",
             id, written, none, none, 2);
    // Of the two sets of chunks one goes: the old one, or that of a version that cannot be indexed.
    add_mark(m,
             "INSERT INTO retrieval_garbage (chunk_id, collection_id) SELECT id, CAST($4 AS "
             "BIGINT) FROM retrieval_chunks WHERE document_id = $3 AND " THIS_VERSION
             " ON CONFLICT (chunk_id) DO NOTHING",
             id, written, state == STATE_READY ? id : minus, whose, 4);
    add_mark(m, "DELETE FROM retrieval_chunks WHERE document_id = $3 AND " THIS_VERSION, id,
             written, state == STATE_READY ? id : minus, none, 3);
    if (state == STATE_READY) {
        add_mark(m,
                 "UPDATE retrieval_chunks SET document_id = $1 WHERE document_id = $3 "
                 "AND " THIS_VERSION,
                 id, written, minus, none, 3);
        add_mark(m,
                 "UPDATE retrieval_documents SET (title, source, format, metadata, hash, body, "
                 "chunking, updated_wall_ns) = (SELECT title, source, format, metadata, hash, "
                 "body, chunking, updated_wall_ns FROM retrieval_versions WHERE document_id = $1), "
                 "state = 1, problem = '', build = $3 WHERE id = $1 AND " THIS_VERSION,
                 id, written, bp_sql_int(collection->build), none, 3);
    }
    add_mark(m, "DELETE FROM retrieval_versions WHERE document_id = $1 AND updated_wall_ns = $2",
             id, written, none, none, 2);
}

static void mark_document(struct marking *m, const struct collection *collection,
                          const struct document *document, enum document_state state)
{
    bp_sql_value id = bp_sql_int(document->row), written = bp_sql_int(document->written_wall_ns);

    if (state == STATE_READY)
        add_mark(m,
                 "UPDATE retrieval_documents SET state = 1, problem = '', build = $3 WHERE id = $1 "
                 "AND updated_wall_ns = $2",
                 id, written, bp_sql_int(collection->build), bp_sql_null(), 3);
    else
        add_mark(m,
                 "UPDATE retrieval_documents SET state = $3, problem = $4 WHERE id = $1 AND "
                 "updated_wall_ns = $2",
                 id, written, bp_sql_int(state),
                 bp_sql_text(document->problem.len ? document->problem : BP_STR("")), 4);
}

bp_status store_mark(bp_call *call, struct retrieval *self, const struct collection *collection,
                     const struct document *documents, size_t count, enum document_state state)
{
    struct marking m = {
        .call = call,
        .statements = BP_NEW_ARRAY(call, bp_statement, MARK_STATEMENTS * count + 1),
        .values = BP_NEW_ARRAY(call, bp_sql_value, MARK_STATEMENTS * MARK_VALUES * count + 1)
    };

    if (!m.statements || !m.values)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        // One that failed has a problem, and the problem is kept then.
        if (documents[i].is_unchanged || (documents[i].problem.len && state != STATE_FAILED) ||
            !documents[i].row)
            continue;
        if (documents[i].is_version)
            mark_version(&m, collection, &documents[i], state);
        else
            mark_document(&m, collection, &documents[i], state);
    }
    return m.count ? bp_storage_batch(call, self->storage, m.statements, m.count, NULL) : BP_OK;
}

bp_status store_waiting_bytes(bp_call *call, struct retrieval *self, int64_t *bytes)
{
    bp_rows rows;

    // `state <> 1` is what the index is about. Chunks of versions have an id below 0.
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("SELECT CAST(COALESCE(SUM(c.end_byte - c.start_byte), 0) AS "
                                   "BIGINT) FROM retrieval_documents d JOIN retrieval_chunks c ON "
                                   "c.document_id = d.id WHERE d.state <> 1 AND d.state IN (0, 2) "
                                   "UNION ALL SELECT CAST(COALESCE(SUM(end_byte - start_byte), 0) "
                                   "AS BIGINT) FROM retrieval_chunks WHERE document_id < 0"),
                           &rows));
    *bytes = 0;
    for (size_t i = 0; i < rows.row_count; i++)
        *bytes += bp_row(&rows, i)[0].integer;
    return BP_OK;
}

/* ---- deleted documents ---- */

bp_status store_collect_garbage(bp_call *call, struct retrieval *self,
                                const struct collection *collection)
{
    for (;;) {
        bp_rows   rows;
        uint64_t *ids;
        int64_t   last;
        bp_status status;

        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("SELECT chunk_id FROM retrieval_garbage WHERE collection_id "
                                      "= $1 ORDER BY chunk_id LIMIT 1000",
                                      bp_sql_int(collection->id)),
                               &rows));
        if (rows.row_count == 0)
            return BP_OK;
        ids = BP_NEW_ARRAY(call, uint64_t, rows.row_count);
        if (!ids)
            return BP_NO_MEMORY;
        for (size_t i = 0; i < rows.row_count; i++)
            ids[i] = (uint64_t)bp_row(&rows, i)[0].integer;
        last = (int64_t)ids[rows.row_count - 1];
        status = bp_vector_of(self->vector)
                     ->remove(call, self->vector->instance, collection->vector_name, ids,
                              rows.row_count, NULL, NULL);
        if (status != BP_OK &&
            status != BP_NOT_FOUND) // gone with all the others: then the notes go, too
            return status;
        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("DELETE FROM retrieval_garbage WHERE collection_id = $1 AND "
                                      "chunk_id <= $2",
                                      bp_sql_int(collection->id), bp_sql_int(last)),
                               NULL));
    }
}

struct deleting {
    struct retrieval        *self;
    const struct collection *collection;
    bp_str                   document;
};

static bp_status delete_row(bp_call *call, bp_transaction *transaction, void *arg)
{
    const struct deleting   *d = arg;
    struct retrieval        *self = d->self;
    const struct collection *collection = d->collection;
    bp_str                   document = d->document;
    bp_rows                  rows;
    int64_t                  row;

    BP_TRY(bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("DELETE FROM retrieval_documents WHERE collection_id = $1 AND "
                                  "external_id = $2 RETURNING id",
                                  bp_sql_int(collection->id), bp_sql_text(document)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND,
                       "collection \"" BP_FMT "\" has no document \"" BP_FMT "\"",
                       BP_ARG(collection->name), BP_ARG(document));
    row = bp_row(&rows, 0)[0].integer;
    BP_TRY(bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("DELETE FROM retrieval_versions WHERE document_id = $1",
                                  bp_sql_int(row)),
                           NULL));
    BP_TRY(drop_chunks(call, self, transaction, collection->id, -row));
    return drop_chunks(call, self, transaction, collection->id, row);
}

bp_status store_delete(bp_call *call, struct retrieval *self, const struct collection *collection,
                       bp_str document)
{
    struct deleting deleting = { self, collection, document };
    bp_status       status;

    BP_TRY(bp_storage_transact(call, self->storage, delete_row, &deleting));
    // Nobody finds a point without a row, and its garbage is noted: with the vector store away, the
    // row's going is enough.
    status = store_collect_garbage(call, self, collection);
    if (!away_is(call, status))
        return status;
    bp_clear_error(call);
    return BP_OK;
}

/* store.c - the app's SQL: collections, documents, chunks, and notes about what is unfinished. */
#include "retrieval.h"

enum { PARAMETERS_MAX = 60 };

const bp_migration store_migrations[STORE_MIGRATIONS] = {
    { 1, 0, "collections, documents and chunks",
      "CREATE TABLE retrieval_collections (id ${identity}, tenant TEXT NOT NULL, name TEXT NOT NULL, "
      "language TEXT NOT NULL, model TEXT NOT NULL, dimensions BIGINT NOT NULL, created_wall_ns BIGINT NOT NULL, "
      "UNIQUE (tenant, name));"
      "CREATE TABLE retrieval_documents (id ${identity}, collection_id BIGINT NOT NULL, external_id TEXT NOT NULL, "
      "title TEXT NOT NULL, source TEXT NOT NULL, format TEXT NOT NULL, metadata TEXT NOT NULL, hash TEXT NOT NULL, "
      "body TEXT NOT NULL, state BIGINT NOT NULL, updated_wall_ns BIGINT NOT NULL, "
      "UNIQUE (collection_id, external_id));"
      "CREATE INDEX retrieval_documents_state ON retrieval_documents (state);"
      "CREATE TABLE retrieval_chunks (id ${identity}, document_id BIGINT NOT NULL, sequence BIGINT NOT NULL, "
      "start_byte BIGINT NOT NULL, end_byte BIGINT NOT NULL, start_char BIGINT NOT NULL, end_char BIGINT NOT NULL, "
      "heading TEXT NOT NULL, body TEXT NOT NULL);"
      "CREATE INDEX retrieval_chunks_document ON retrieval_chunks (document_id, sequence);"
      "CREATE TABLE retrieval_garbage (chunk_id BIGINT PRIMARY KEY, collection_id BIGINT NOT NULL);"
      "CREATE INDEX retrieval_garbage_collection ON retrieval_garbage (collection_id);"
      "CREATE TABLE retrieval_files (collection_id BIGINT NOT NULL, path TEXT NOT NULL, source TEXT NOT NULL, "
      "modified_ns BIGINT NOT NULL, size_bytes BIGINT NOT NULL, PRIMARY KEY (collection_id, path))" },
};

bp_str store_state_name(int64_t state)
{
    static const char *const names[] = { "indexing", "ready", "queued", "failed" };

    return bp_str_of(names[state >= STATE_INDEXING && state <= STATE_FAILED ? state : STATE_INDEXING]);
}

bp_str store_vector_name(bp_call *call, int64_t collection)
{
    return bp_format(call, "c%lld", (long long)collection);
}

/* "$3, $4, $5" */
static void add_places(bp_buf *sql, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bp_buf_addf(sql, "%s$%zu", i ? ", " : "", first + i);
}

static bp_status statement_of(bp_call *call, bp_buf *sql, const bp_sql_value *parameters, size_t count,
                              bp_statement *statement)
{
    if (bp_buf_status(sql) != BP_OK)
        return bp_fail(call, bp_buf_status(sql), "a statement of %zu parameters is too long", count);
    *statement = (bp_statement){ .struct_size = sizeof(*statement),
                                 .parameter_count = (uint32_t)count,
                                 .sql = bp_buf_str(sql),
                                 .parameters = parameters };
    return BP_OK;
}

/* ---- what is there already ---- */

static bp_status compare_some(bp_call *call, struct retrieval *self, const struct collection *collection,
                              struct document *documents, size_t count)
{
    bp_sql_value *parameters = BP_NEW_ARRAY(call, bp_sql_value, count + 1);
    bp_buf       *sql = bp_buf_new(call, 4096);
    bp_statement  statement;
    bp_rows       rows;

    if (!parameters)
        return BP_NO_MEMORY;
    parameters[0] = bp_sql_int(collection->id);
    for (size_t i = 0; i < count; i++)
        parameters[i + 1] = bp_sql_text(documents[i].id);
    bp_buf_addf(sql, "SELECT external_id, hash FROM retrieval_documents WHERE state = %d AND collection_id = $1 AND "
                     "external_id IN (", STATE_READY);
    add_places(sql, 2, count);
    bp_buf_add(sql, BP_STR(")"));
    BP_TRY(statement_of(call, sql, parameters, count + 1, &statement));
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
    for (size_t at = 0; at < count; at += PARAMETERS_MAX - 1) {
        size_t some = count - at < PARAMETERS_MAX - 1 ? count - at : PARAMETERS_MAX - 1;

        BP_TRY(compare_some(call, self, collection, documents + at, some));
    }
    return BP_OK;
}

/* ---- writing ---- */

static bp_status write_row(bp_call *call, struct retrieval *self, bp_transaction *transaction,
                           const struct collection *collection, struct document *document)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(
        call, self->storage, transaction,
        BP_SQL("INSERT INTO retrieval_documents (collection_id, external_id, title, source, format, metadata, hash, body, "
               "state, updated_wall_ns) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9) ON CONFLICT (collection_id, "
               "external_id) DO UPDATE SET title = excluded.title, source = excluded.source, format = excluded.format, "
               "metadata = excluded.metadata, hash = excluded.hash, body = excluded.body, state = 0, updated_wall_ns = "
               "excluded.updated_wall_ns RETURNING id",
               bp_sql_int(collection->id), bp_sql_text(document->id), bp_sql_text(document->title),
               bp_sql_text(document->source), bp_sql_text(document->format), bp_sql_text(document->metadata),
               bp_sql_text(bp_str_of(document->hash)), bp_sql_text(document->text), bp_sql_int(bp_wall_ns())),
        &rows));
    if (rows.row_count != 1)
        return bp_fail(call, BP_DATA, "the storage gave no id for document \"" BP_FMT "\"", BP_ARG(document->id));
    document->row = bp_row(&rows, 0)[0].integer;
    return BP_OK;
}

static bp_status drop_chunks(bp_call *call, struct retrieval *self, bp_transaction *transaction, int64_t collection,
                             int64_t document)
{
    BP_TRY(bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("INSERT INTO retrieval_garbage (chunk_id, collection_id) SELECT id, "
                                  "CAST($2 AS BIGINT) FROM retrieval_chunks WHERE document_id = $1",
                                  bp_sql_int(document), bp_sql_int(collection)),
                           NULL));
    return bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("DELETE FROM retrieval_chunks WHERE document_id = $1", bp_sql_int(document)), NULL);
}

static bp_status write_chunk(bp_call *call, struct retrieval *self, bp_transaction *transaction,
                             const struct document *document, size_t place)
{
    struct chunk *chunk = &document->chunks[place];
    bp_rows       rows;

    BP_TRY(bp_storage_exec(
        call, self->storage, transaction,
        BP_SQL("INSERT INTO retrieval_chunks (document_id, sequence, start_byte, end_byte, start_char, end_char, heading, "
               "body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
               bp_sql_int(document->row), bp_sql_int((int64_t)place), bp_sql_int((int64_t)chunk->start),
               bp_sql_int((int64_t)chunk->end), bp_sql_int((int64_t)chunk->start_char),
               bp_sql_int((int64_t)chunk->end_char), bp_sql_text(chunk->heading),
               bp_sql_text(bp_str_n(document->text.data + chunk->start, chunk->end - chunk->start))),
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

    for (size_t i = 0; i < w->count; i++) {
        struct document *document = &w->documents[i];

        if (document->is_unchanged || document->problem.len)
            continue;
        BP_TRY(write_row(call, w->self, transaction, w->collection, document));
        BP_TRY(drop_chunks(call, w->self, transaction, w->collection->id, document->row));
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

bp_status store_mark(bp_call *call, struct retrieval *self, const struct document *documents, size_t count,
                     enum document_state state)
{
    bp_statement *statements = BP_NEW_ARRAY(call, bp_statement, count + 1);
    bp_sql_value *rows = BP_NEW_ARRAY(call, bp_sql_value, 3 * count + 1);
    size_t        made = 0;

    if (!statements || !rows)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (documents[i].is_unchanged || documents[i].problem.len)
            continue;
        // Not when it was written again meanwhile: then the later one says when it is ready.
        rows[3 * made] = bp_sql_int(documents[i].row);
        rows[3 * made + 1] = bp_sql_text(bp_str_of(documents[i].hash));
        rows[3 * made + 2] = bp_sql_int(state);
        statements[made] = (bp_statement){
            .struct_size = sizeof(bp_statement),
            .parameter_count = 3,
            .sql = BP_STR("UPDATE retrieval_documents SET state = $3 WHERE id = $1 AND hash = $2"),
            .parameters = &rows[3 * made]
        };
        made++;
    }
    return made ? bp_storage_batch(call, self->storage, statements, made, NULL) : BP_OK;
}

bp_status store_waiting_bytes(bp_call *call, struct retrieval *self, int64_t *bytes)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("SELECT CAST(COALESCE(SUM(c.end_byte - c.start_byte), 0) AS BIGINT) FROM retrieval_documents d JOIN "
                                   "retrieval_chunks c ON c.document_id = d.id WHERE d.state IN (0, 2)"),
                           &rows));
    *bytes = rows.row_count ? bp_row(&rows, 0)[0].integer : 0;
    return BP_OK;
}

/* ---- what is gone ---- */

bp_status store_collect_garbage(bp_call *call, struct retrieval *self, const struct collection *collection)
{
    for (;;) {
        bp_rows   rows;
        uint64_t *ids;
        int64_t   last;

        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("SELECT chunk_id FROM retrieval_garbage WHERE collection_id = $1 ORDER BY chunk_id "
                                      "LIMIT 1000",
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
        BP_TRY(bp_vector_of(self->vector)->remove(call, self->vector->instance, collection->vector_name, ids,
                                                  rows.row_count, NULL, NULL));
        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("DELETE FROM retrieval_garbage WHERE collection_id = $1 AND chunk_id <= $2",
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
    bp_rows rows;
    int64_t row;

    BP_TRY(bp_storage_exec(call, self->storage, transaction,
                           BP_SQL("DELETE FROM retrieval_documents WHERE collection_id = $1 AND external_id = $2 RETURNING id",
                                  bp_sql_int(collection->id), bp_sql_text(document)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND, "collection \"" BP_FMT "\" has no document \"" BP_FMT "\"",
                       BP_ARG(collection->name), BP_ARG(document));
    row = bp_row(&rows, 0)[0].integer;
    return drop_chunks(call, self, transaction, collection->id, row);
}

bp_status store_delete(bp_call *call, struct retrieval *self, const struct collection *collection, bp_str document)
{
    struct deleting deleting = { self, collection, document };
    bp_status       status;

    BP_TRY(bp_storage_transact(call, self->storage, delete_row, &deleting));
    // Nobody finds a point without a row, and its garbage is noted: with the vector store away, the row's going is enough.
    status = store_collect_garbage(call, self, collection);
    if (!away_is(call, status))
        return status;
    bp_clear_error(call);
    return BP_OK;
}

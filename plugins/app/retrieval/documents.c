/* documents.c - documents in and out over HTTP: one, a batch, or a stream of JSON lines. */
#include "retrieval.h"

/* Of a document; "collection" and "documents" stand beside them in a body. */
static const struct retrieval_member document_members[] = {
    { "id", '*' },     { "title", 't' },    { "text", 't' },       { "source", 't' },
    { "format", 't' }, { "metadata", '*' }, { "collection", 't' }, { NULL, 0 }
};
static const struct retrieval_member list_members[] = { { "documents", '*' },
                                                        { "collection", 't' },
                                                        { NULL, 0 } };

enum { ERRORS_MAX = 100, LINE_BYTES_MAX = 32 << 20 };

/* ---- reading one ---- */

/* A text that every storage and every vector store takes, or its fault: asked before anything
 * is written, so that no store says it later, when the old version is gone. */
static bp_str check_texts(bp_call *call, const struct document *document)
{
    const struct {
        const char *name;
        bp_str      text;
    } texts[] = { { "id", document->id },
                  { "title", document->title },
                  { "source", document->source },
                  { "text", document->text } };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *wrong = vectors_check_text(call, texts[i].text);

        if (wrong)
            return bp_format(call, "\"%s\" %s", texts[i].name, wrong);
    }
    return bp_str_n(NULL, 0);
}

static bp_str check_metadata(bp_call *call, const bp_json *metadata)
{
    const char    *wrong = vectors_check_metadata(call, metadata);
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    if (wrong)
        return bp_format(call, "\"metadata\" %s", wrong);
    while (bp_json_entry(metadata, &cursor, &key, &value))
        if (key.len > 64)
            return bp_format(call, "\"metadata\" has a name of %zu bytes; 64 are possible",
                             key.len);
    return bp_str_n(NULL, 0);
}

static bp_str id_of(bp_call *call, const bp_json *json)
{
    const bp_json *id = bp_json_get(json, "id");

    if (bp_json_type_of(id) == BP_JSON_INTEGER)
        return bp_format(call, "%lld", (long long)bp_json_integer(id));
    return bp_json_string(id);
}

static void hash_document(bp_call *call, struct document *document)
{
    bp_buf *buf = bp_buf_new(call, SIZE_MAX / 4);
    uint8_t digest[32];
    bp_str  parts[] = { document->title, document->source, document->format, document->metadata,
                        document->text };

    for (size_t i = 0; i < 5; i++) {
        bp_buf_addf(buf, "%zu:", parts[i].len);
        bp_buf_add(buf, parts[i]);
    }
    bp_sha256(bp_buf_str(buf), digest);
    for (size_t i = 0; i < 32; i++)
        snprintf(document->hash + 2 * i, 3, "%02x", digest[i]);
}

void document_read(bp_call *call, const bp_json *json, struct document *document)
{
    const bp_json *metadata = bp_json_get(json, "metadata");

    *document = (struct document){ .id = id_of(call, json),
                                   .title = bp_json_string(bp_json_get(json, "title")),
                                   .text = bp_json_string(bp_json_get(json, "text")),
                                   .source = bp_json_string(bp_json_get(json, "source")),
                                   .format = bp_json_string(bp_json_get(json, "format")),
                                   .metadata = BP_STR("{}") };
    if (bp_json_type_of(json) != BP_JSON_OBJECT) {
        document->problem = BP_STR("a document is a JSON object with \"id\" and \"text\"");
    } else if (retrieval_check_body(call, json, document_members) != BP_OK) {
        document->problem = bp_dup(call, bp_error_of(call)->message);
        bp_clear_error(call);
    }
    if (!document->problem.len)
        document_check(call, document, metadata);
}

void document_check(bp_call *call, struct document *document, const bp_json *metadata)
{
    if (!document->metadata.len)
        document->metadata = BP_STR("{}");
    if (!document->format.len)
        document->format = BP_STR("text");
    if (document->id.len < 1 || document->id.len > ID_BYTES_MAX)
        document->problem = BP_STR("\"id\" must be a text of 1 to 512 bytes, or an integer");
    else if (document->text.len > DOCUMENT_BYTES_MAX)
        document->problem = BP_STR("\"text\" is larger than 16 MiB");
    else if (document->title.len > TITLE_BYTES_MAX || document->source.len > 4096)
        document->problem = BP_STR(
            "\"title\" is longer than 1,024 bytes, or \"source\" than 4,096");
    else if (!bp_str_is(document->format, "text") && !bp_str_is(document->format, "markdown"))
        document->problem = BP_STR("\"format\" is \"text\" or \"markdown\"");
    else if (metadata)
        document->problem = check_metadata(call, metadata);
    if (!document->problem.len && metadata)
        document->metadata = bp_json_text(call, metadata);
    if (document->metadata.len > VECTORS_METADATA_BYTES_MAX)
        document->problem = BP_STR("\"metadata\" is larger than 64 KiB");
    if (!document->problem.len)
        document->problem = check_texts(call, document);
    if (!document->problem.len)
        hash_document(call, document);
}

/* ---- putting in ---- */

static bp_status report(bp_call *call, struct intake *intake, bp_str id, int64_t line,
                        bp_str message)
{
    intake->refused++;
    if (intake->on_refused)
        return intake->on_refused(call, intake, id, message);
    if (intake->refused > ERRORS_MAX)
        return BP_OK;
    bp_json_object(intake->errors);
    bp_json_put_string(intake->errors, "id", id);
    if (line)
        bp_json_put_integer(intake->errors, "line", line);
    bp_json_put_string(intake->errors, "message", message);
    bp_json_end(intake->errors);
    return BP_OK;
}

bp_status intake_flush(bp_call *call, struct intake *intake)
{
    if (intake->count == 0)
        return BP_OK;
    BP_TRY(
        index_documents(call, intake->self, &intake->collection, intake->documents, intake->count));
    for (size_t i = 0; i < intake->count; i++) {
        const struct document *document = &intake->documents[i];

        if (document->problem.len)
            BP_TRY(report(call, intake, document->id, document->line, document->problem));
        else if (document->is_unchanged)
            intake->unchanged++;
        else if (document->is_queued)
            intake->queued++;
        else
            intake->stored++;
    }
    intake->count = 0;
    intake->size_bytes = 0;
    return BP_OK;
}

bp_status intake_begin(bp_call *call, struct intake *intake)
{
    BP_TRY(bp_scratch_begin(call));
    intake->documents = BP_NEW_ARRAY(call, struct document, BATCH_DOCUMENTS_MAX);
    intake->count = 0;
    intake->size_bytes = 0;
    return intake->documents ? BP_OK : BP_NO_MEMORY;
}

static bp_status next_batch(bp_call *call, struct intake *intake)
{
    bp_status status = intake_flush(call, intake);

    bp_scratch_end(call);
    BP_TRY(status);
    return intake_begin(call, intake);
}

bp_status intake_added(bp_call *call, struct intake *intake, size_t size_bytes)
{
    intake->count++;
    intake->size_bytes += size_bytes;
    return intake->count == BATCH_DOCUMENTS_MAX || intake->size_bytes >= BATCH_BYTES_MAX
               ? next_batch(call, intake)
               : BP_OK;
}

bp_status intake_take_line(bp_call *call, struct intake *intake, bp_str line)
{
    const bp_json *json;

    while (line.len && (unsigned char)line.data[line.len - 1] <= ' ')
        line.len--;
    if (line.len == 0)
        return BP_OK;
    // The buffer that holds the line is used again, and values of a document point into their JSON.
    if (bp_json_read(call, line, &json) != BP_OK) {
        intake->documents[intake->count] = (struct document){
            .problem = bp_dup(call, bp_error_of(call)->message)
        };
        bp_clear_error(call);
    } else {
        document_read(call, json, &intake->documents[intake->count]);
    }
    intake->documents[intake->count].line = intake->lines.number;
    return intake_added(call, intake, line.len);
}

static bp_status take_stream(bp_call *call, struct intake *intake)
{
    for (;;) {
        bp_str line;
        bool   has_line;

        BP_TRY(bp_lines_next(call, &intake->lines, &line, &has_line));
        if (!has_line)
            return intake_flush(call, intake);
        BP_TRY(intake_take_line(call, intake, line));
    }
}

/* The whole body, smaller than what a stream may have. */
static bp_status read_json(bp_call *call, bp_request *request, const bp_json **body)
{
    bp_buf *buf = bp_buf_new(call, JSON_BODY_BYTES_MAX);

    if (bp_request_body_length(request) > JSON_BODY_BYTES_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "a JSON body may have 32 MiB: send more as application/x-ndjson");
    for (;;) {
        bp_str piece;

        BP_TRY(bp_request_read(call, request, &piece));
        if (piece.len == 0)
            break;
        bp_buf_add(buf, piece);
        if (bp_buf_status(buf) != BP_OK)
            return bp_fail(call, BP_TOO_LARGE,
                           "a JSON body may have 32 MiB: send more as application/x-ndjson");
    }
    BP_TRY(bp_json_read(call, bp_buf_str(buf), body));
    if (bp_json_type_of(*body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID,
                       "the body must be a JSON object: a document, or {\"documents\": [...]}");
    return BP_OK;
}

static bp_status take_json(bp_call *call, struct intake *intake, const bp_json *body)
{
    const bp_json *list = bp_json_get(body, "documents");
    size_t         count = list ? bp_json_count(list) : 1;

    if (list && bp_json_type_of(list) != BP_JSON_ARRAY)
        return bp_fail(call, BP_INVALID, "\"documents\" must be an array");
    if (list)
        BP_TRY(retrieval_check_body(call, body, list_members));
    for (size_t i = 0; i < count; i++) {
        document_read(call, list ? bp_json_at(list, i) : body, &intake->documents[intake->count++]);
        if (intake->count == BATCH_DOCUMENTS_MAX)
            BP_TRY(next_batch(call, intake));
    }
    return intake_flush(call, intake);
}

static bp_status respond(bp_call *call, struct intake *intake, bp_response *response,
                         bool is_single)
{
    bp_json_writer *w = bp_json_writer_new(call, 1 << 20);
    bp_str          errors;

    bp_json_end(intake->errors);
    BP_TRY(bp_json_done(call, intake->errors, &errors));
    bp_json_object(w);
    bp_json_put_string(w, "collection", intake->collection.name);
    bp_json_put_integer(w, "stored", intake->stored);
    if (intake->queued)
        bp_json_put_integer(w, "queued", intake->queued);
    bp_json_put_integer(w, "unchanged", intake->unchanged);
    bp_json_put_integer(w, "refused", intake->refused);
    bp_json_key(w, "errors");
    bp_json_add_raw(w, errors);
    bp_json_end(w);
    // A single document that was refused is a request that was refused; of many, each is answered
    // for.
    return bp_respond_json(call, response,
                           is_single && intake->refused ? 400
                           : intake->queued             ? 202
                                                        : 200,
                           w);
}

static bool is_ndjson(const bp_request *request)
{
    bp_str type = bp_request_header(request, "content-type");

    return bp_str_starts(type, "application/x-ndjson") ||
           bp_str_starts(type, "application/jsonl") || bp_str_starts(type, "application/ndjson");
}

bp_status documents_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct intake  intake = { .self = instance,
                              .errors = bp_json_writer_new(call, 1 << 20),
                              .lines = bp_lines_of(call, request, LINE_BYTES_MAX) };
    bp_str         name = bp_request_path_value(request, "name");
    const bp_json *body = NULL;
    bool           is_stream = is_ndjson(request);
    bp_status      status;

    if (!is_stream)
        BP_TRY(read_json(call, request, &body));
    if (!name.len)
        bp_request_query(request, "collection", &name);
    if (!name.len && body)
        name = bp_json_string(bp_json_get(body, "collection"));
    BP_TRY(collection_find(call, intake.self, name, &intake.collection));
    bp_json_array(intake.errors);
    BP_TRY(intake_begin(call, &intake));
    status = is_stream ? take_stream(call, &intake) : take_json(call, &intake, body);
    bp_scratch_end(call);
    BP_TRY(status);
    return respond(call, &intake, response, body && !bp_json_get(body, "documents"));
}

/* ---- getting out ---- */

/* In the path, or in ?id= where clients would take "." and ".." out of a path. */
static bp_str id_of_request(const bp_request *request)
{
    bp_str id = bp_request_path_value(request, "id");

    if (!id.len)
        bp_request_query(request, "id", &id);
    return id;
}

bp_status documents_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct retrieval *self = instance;
    bp_json_writer   *w = bp_json_writer_new(call, 8 << 20);
    struct collection collection;
    bp_str            after;
    int64_t           limit = 50;
    bp_rows           rows;

    if (bp_request_query(request, "id", &after))
        return document_get(call, instance, request, response);
    bp_request_query(request, "after", &after);
    BP_TRY(retrieval_read_limit(call, request, &limit));
    BP_TRY(collection_find(call, self, bp_request_path_value(request, "name"), &collection));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT external_id, title, source, format, state, hash FROM "
                                  "retrieval_documents WHERE collection_id = $1 AND external_id > "
                                  "$2 ORDER BY external_id LIMIT $3",
                                  bp_sql_int(collection.id), bp_sql_text(after), bp_sql_int(limit)),
                           &rows));
    bp_json_object(w);
    bp_json_key(w, "documents");
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);

        bp_json_object(w);
        bp_json_put_string(w, "id", row[0].text);
        bp_json_put_string(w, "title", row[1].text);
        bp_json_put_string(w, "source", row[2].text);
        bp_json_put_string(w, "format", row[3].text);
        bp_json_put_string(w, "state", store_state_name(row[4].integer));
        bp_json_put_string(w, "sha256", row[5].text);
        bp_json_end(w);
    }
    bp_json_end(w);
    if ((int64_t)rows.row_count == limit)
        bp_json_put_string(w, "next", bp_row(&rows, rows.row_count - 1)[0].text);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static void write_passages(const bp_rows *chunks, bp_json_writer *w)
{
    bp_json_key(w, "passages");
    bp_json_array(w);
    for (size_t i = 0; i < chunks->row_count; i++) {
        const bp_sql_value *row = bp_row(chunks, i);

        bp_json_object(w);
        bp_json_put_integer(w, "chunk", row[0].integer);
        bp_json_put_string(w, "heading", row[1].text);
        bp_json_put_integer(w, "start", row[2].integer);
        bp_json_put_integer(w, "end", row[3].integer);
        bp_json_end(w);
    }
    bp_json_end(w);
}

bp_status document_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct retrieval   *self = instance;
    bp_json_writer     *w = bp_json_writer_new(call, 64 << 20);
    bp_str              id = id_of_request(request);
    struct collection   collection;
    const bp_sql_value *row;
    bp_rows             rows, chunks;

    BP_TRY(collection_find(call, self, bp_request_path_value(request, "name"), &collection));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT d.id, d.title, d.source, d.format, d.metadata, d.state, "
                                  "d.hash, d.body, d.problem, v.state, v.hash FROM "
                                  "retrieval_documents d LEFT JOIN retrieval_versions v ON "
                                  "v.document_id = d.id WHERE d.collection_id = $1 AND "
                                  "d.external_id = $2",
                                  bp_sql_int(collection.id), bp_sql_text(id)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND,
                       "collection \"" BP_FMT "\" has no document \"" BP_FMT "\"",
                       BP_ARG(collection.name), BP_ARG(id));
    row = bp_row(&rows, 0);
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT id, heading, start_char, end_char FROM retrieval_chunks "
                                  "WHERE document_id = $1 ORDER BY sequence",
                                  bp_sql_int(row[0].integer)),
                           &chunks));
    bp_json_object(w);
    bp_json_put_string(w, "id", id);
    bp_json_put_string(w, "title", row[1].text);
    bp_json_put_string(w, "source", row[2].text);
    bp_json_put_string(w, "format", row[3].text);
    bp_json_key(w, "metadata");
    bp_json_add_raw(w, row[4].text);
    bp_json_put_string(w, "state", store_state_name(row[5].integer));
    bp_json_put_string(w, "sha256", row[6].text);
    if (row[8].text.len)
        bp_json_put_string(w, "problem", row[8].text);
    if (row[9].type ==
        BP_SQL_INTEGER) { // a newer one is under way; this is what searches find until it is ready
        bp_json_key(w, "next");
        bp_json_object(w);
        bp_json_put_string(w, "state", store_state_name(row[9].integer));
        bp_json_put_string(w, "sha256", row[10].text);
        bp_json_end(w);
    }
    bp_json_put_string(w, "text", row[7].text);
    write_passages(&chunks, w);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

bp_status document_delete(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct retrieval *self = instance;
    bp_str            id = id_of_request(request);
    struct collection collection;

    BP_TRY(collection_find(call, self, bp_request_path_value(request, "name"), &collection));
    if (!id.len)
        return bp_fail(call, BP_INVALID, "which document? Name it in the path, or with ?id=");
    BP_TRY(store_delete(call, self, &collection, id));
    return bp_respond(call, response, 204, NULL, bp_str_n(NULL, 0));
}

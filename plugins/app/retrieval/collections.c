/* collections.c - the collections of a tenant: found by tenant and name, so that nobody reaches
 * another's. */
#include "retrieval.h"

bool collection_is_name(bp_str name)
{
    if (name.len < 1 || name.len > 64)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == '-'))
            return false;
    }
    return true;
}

void collection_take_row(bp_call *call, const bp_rows *rows, size_t row,
                         struct collection *collection)
{
    const bp_sql_value *values = bp_row(rows, row);

    *collection = (struct collection){ .id = values[0].integer,
                                       .name = bp_dup(call, values[1].text),
                                       .language = bp_dup(call, values[2].text),
                                       .model = bp_dup(call, values[3].text),
                                       .dimensions = values[4].integer,
                                       .vector_name = bp_dup(call, values[5].text),
                                       .build = values[6].integer,
                                       .state = values[7].integer,
                                       .reason = bp_dup(call, values[8].text) };
}

static bp_status read_row(bp_call *call, struct retrieval *self, bp_str name,
                          struct collection *collection)
{
    bp_rows rows;

    if (name.len == 0)
        name = self->collection;
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT " COLLECTION_COLUMNS
                                  " FROM retrieval_collections WHERE tenant = $1 AND name = $2",
                                  bp_sql_text(bp_principal_of(call)->tenant), bp_sql_text(name)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND, "there is no collection \"" BP_FMT "\"", BP_ARG(name));
    collection_take_row(call, &rows, 0, collection);
    return BP_OK;
}

bp_status collection_find(bp_call *call, struct retrieval *self, bp_str name,
                          struct collection *collection)
{
    bp_status status;

    BP_TRY(read_row(call, self, name, collection));
    if (collection->vector_name.len)
        return BP_OK;
    status = upkeep_open(call, self, collection);
    if (!away_is(call, status))
        return status;
    bp_clear_error(call); // the caller may go on without the store
    return BP_OK;
}

bp_status collection_make(bp_call *call, struct retrieval *self, bp_str name, bp_str language,
                          struct collection *collection)
{
    if (!collection_is_name(name))
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT "\" is no name for a collection: [A-Za-z0-9_.-]{1,64}",
                       BP_ARG(name));
    if (language.len > 16)
        return bp_fail(call, BP_INVALID,
                       "a language is a BCP 47 tag such as \"en\", not \"" BP_FMT "\"",
                       BP_ARG(language));
    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("INSERT INTO retrieval_collections (tenant, name, language, "
                                  "model, dimensions, created_wall_ns, vector_name) VALUES ($1, "
                                  "$2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, name) DO NOTHING",
                                  bp_sql_text(bp_principal_of(call)->tenant), bp_sql_text(name),
                                  bp_sql_text(language.len ? language : BP_STR("en")),
                                  bp_sql_text(self->embedder.info.model),
                                  bp_sql_int(self->embedder.info.dimensions),
                                  bp_sql_int(bp_wall_ns()), bp_sql_text(upkeep_new_name(call))),
                           NULL));
    BP_TRY(read_row(call, self, name, collection));
    if (language.len && !bp_str_equal(language, collection->language))
        return bp_fail(call, BP_CONFLICT,
                       "collection \"" BP_FMT "\" is there already, with the language \"" BP_FMT
                       "\"",
                       BP_ARG(name), BP_ARG(collection->language));
    return upkeep_open(call, self, collection);
}

/* ---- routes ---- */

/* The passages are counted by the vector store; while it is away they are null, and it is asked
 * once for a whole list. */
static bp_status write_collection(bp_call *call, struct retrieval *self,
                                  const struct collection *collection, bp_json_writer *w,
                                  bool *is_away)
{
    bp_rows  rows;
    uint64_t points = 0;
    int64_t  behind, all;
    bool     is_uncounted = *is_away || !collection->vector_name.len;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT COUNT(*), COALESCE(SUM(CASE WHEN state = 1 THEN 1 ELSE 0 "
                                  "END), 0), (SELECT COUNT(*) FROM retrieval_versions v JOIN "
                                  "retrieval_documents o ON o.id = v.document_id WHERE "
                                  "o.collection_id = $1) FROM retrieval_documents WHERE "
                                  "collection_id = $1",
                                  bp_sql_int(collection->id)),
                           &rows));
    if (!is_uncounted) {
        bp_status status = bp_vector_of(self->vector)
                               ->count(call, self->vector->instance, collection->vector_name, NULL,
                                       &points);

        // One that is lost does not break the list: it is rebuilt, and shows what it has.
        if (status == BP_NOT_FOUND)
            status = upkeep_lost(call, self, collection);
        is_uncounted = status != BP_OK;
        *is_away = away_is(call, status);
        BP_TRY(bp_cancelled(call));
        bp_clear_error(call);
    }
    BP_TRY(upkeep_progress(call, self, collection, &behind, &all));
    bp_json_object(w);
    bp_json_put_string(w, "name", collection->name);
    bp_json_put_string(w, "language", collection->language);
    bp_json_put_string(w, "model", collection->model);
    bp_json_put_integer(w, "dimensions", collection->dimensions);
    bp_json_put_integer(w, "documents", bp_row(&rows, 0)[0].integer);
    bp_json_put_integer(w, "ready", bp_row(&rows, 0)[1].integer);
    bp_json_put_integer(w, "versions",
                        bp_row(&rows, 0)[2].integer); // newer ones, which take their places soon
    bp_json_key(w, "passages");
    if (is_uncounted)
        bp_json_add_null(w);
    else
        bp_json_add_integer(w, (int64_t)points);
    bp_json_put_string(w, "state",
                       collection->state == COLLECTION_READY ? BP_STR("ready")
                                                             : BP_STR("building"));
    if (collection->state != COLLECTION_READY) {
        bp_json_put_integer(w, "behind", behind);
        bp_json_put_string(w, "reason", collection->reason);
    }
    bp_json_end(w);
    return BP_OK;
}

bp_status collections_write(bp_call *call, struct retrieval *self, bp_json_writer *w)
{
    bp_rows rows;
    bool    is_away = false;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT " COLLECTION_COLUMNS " FROM retrieval_collections WHERE "
                                  "tenant = $1 ORDER BY name LIMIT 1000",
                                  bp_sql_text(bp_principal_of(call)->tenant)),
                           &rows));
    bp_json_object(w);
    bp_json_key(w, "collections");
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++) {
        struct collection collection;

        collection_take_row(call, &rows, i, &collection);
        BP_TRY(write_collection(call, self, &collection, w, &is_away));
    }
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

bp_status collections_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, 8 << 20);

    (void)request;
    BP_TRY(collections_write(call, instance, w));
    return bp_respond_json(call, response, 200, w);
}

static bp_status make_from_body(bp_call *call, struct retrieval *self, bp_request *request,
                                bp_response *response, bp_str name)
{
    static const struct retrieval_member members[] = { { "name", 't' },
                                                       { "language", 't' },
                                                       { NULL, 0 } };
    bp_json_writer                      *w = bp_json_writer_new(call, 65536);
    const bp_json                       *body = NULL;
    struct collection                    collection;
    bp_str                               text;

    BP_TRY(bp_request_body(call, request, &text));
    if (text.len)
        BP_TRY(bp_json_read(call, text, &body));
    if (text.len && bp_json_type_of(body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object");
    if (text.len)
        BP_TRY(retrieval_check_body(call, body, members));
    if (!name.len)
        name = bp_json_string(bp_json_get(body, "name"));
    BP_TRY(collection_make(call, self, name, bp_json_string(bp_json_get(body, "language")),
                           &collection));
    BP_TRY(write_collection(call, self, &collection, w, &(bool){ false }));
    return bp_respond_json(call, response, 200, w);
}

bp_status collections_post(bp_call *call, void *instance, bp_request *request,
                           bp_response *response)
{
    return make_from_body(call, instance, request, response, bp_str_n(NULL, 0));
}

bp_status collection_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return make_from_body(call, instance, request, response,
                          bp_request_path_value(request, "name"));
}

bp_status collection_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct retrieval *self = instance;
    bp_json_writer   *w = bp_json_writer_new(call, 65536);
    struct collection collection;

    BP_TRY(collection_find(call, self, bp_request_path_value(request, "name"), &collection));
    BP_TRY(write_collection(call, self, &collection, w, &(bool){ false }));
    return bp_respond_json(call, response, 200, w);
}

struct deleting {
    struct retrieval *self;
    struct collection collection;
};

/* The row goes, and a note names the rest to be swept: from then on no intake finds the
 * collection. */
static bp_status delete_row(bp_call *call, bp_transaction *transaction, void *arg)
{
    const struct deleting *d = arg;
    bp_rows                rows;

    BP_TRY(bp_storage_exec(call, d->self->storage, transaction,
                           BP_SQL("DELETE FROM retrieval_collections WHERE id = $1 RETURNING id",
                                  bp_sql_int(d->collection.id)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND, "there is no collection \"" BP_FMT "\"",
                       BP_ARG(d->collection.name));
    BP_TRY(bp_storage_exec(call, d->self->storage, transaction,
                           BP_SQL("DELETE FROM retrieval_files WHERE collection_id = $1",
                                  bp_sql_int(d->collection.id)),
                           NULL));
    // One that was never adopted has no points of ours; the note is for its documents then.
    return bp_storage_exec(call, d->self->storage, transaction,
                           BP_SQL("INSERT INTO retrieval_drops (vector_name, collection_id, "
                                  "since_wall_ns) VALUES ($1, $2, $3) ON CONFLICT (vector_name) DO "
                                  "UPDATE SET collection_id = excluded.collection_id, "
                                  "since_wall_ns = excluded.since_wall_ns",
                                  bp_sql_text(d->collection.vector_name.len
                                                  ? d->collection.vector_name
                                                  : upkeep_new_name(call)),
                                  bp_sql_int(d->collection.id), bp_sql_int(bp_wall_ns())),
                           NULL);
}

bp_status collection_delete(bp_call *call, void *instance, bp_request *request,
                            bp_response *response)
{
    struct deleting deleting = { .self = instance };
    bp_status       status;

    BP_TRY(collection_find(call, deleting.self, bp_request_path_value(request, "name"),
                           &deleting.collection));
    BP_TRY(bp_storage_transact(call, deleting.self->storage, delete_row, &deleting));
    // It is gone for everybody; what cannot be swept now is noted.
    status = upkeep_sweep(call, deleting.self);
    if (status != BP_OK) {
        BP_TRY(bp_cancelled(call));
        bp_log(call, BP_LOG_WARN,
               "the rest of the deleted collection \"" BP_FMT "\" is swept later: " BP_FMT,
               BP_ARG(deleting.collection.name), BP_ARG(bp_error_of(call)->message));
        bp_clear_error(call);
    }
    return bp_respond(call, response, 204, NULL, bp_str_n(NULL, 0));
}

/* collections.c - the collections of a tenant: found by tenant and name, so that nobody reaches another's. */
#include "retrieval.h"

bool collection_is_name(bp_str name)
{
    if (name.len < 1 || name.len > 64)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
              c == '-'))
            return false;
    }
    return true;
}

static void take_row(bp_call *call, const bp_sql_value *row, struct collection *collection)
{
    *collection = (struct collection){ .id = row[0].integer,
                                       .name = row[1].text,
                                       .language = row[2].text,
                                       .model = row[3].text,
                                       .dimensions = row[4].integer,
                                       .vector_name = store_vector_name(call, row[0].integer) };
}

bp_status collection_find(bp_call *call, struct retrieval *self, bp_str name, struct collection *collection)
{
    bp_rows rows;

    if (name.len == 0)
        name = self->collection;
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT id, name, language, model, dimensions FROM retrieval_collections WHERE tenant = "
                                  "$1 AND name = $2",
                                  bp_sql_text(bp_principal_of(call)->tenant), bp_sql_text(name)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND, "there is no collection \"" BP_FMT "\"", BP_ARG(name));
    take_row(call, bp_row(&rows, 0), collection);
    return BP_OK;
}

bp_status collection_make(bp_call *call, struct retrieval *self, bp_str name, bp_str language,
                          struct collection *collection)
{
    bp_vector_schema schema = { .struct_size = sizeof(schema), .metric = BP_COSINE };
    bp_status        status;

    if (!collection_is_name(name))
        return bp_fail(call, BP_INVALID, "\"" BP_FMT "\" is no name for a collection: [A-Za-z0-9_.-]{1,64}", BP_ARG(name));
    if (language.len > 16)
        return bp_fail(call, BP_INVALID, "a language is a BCP 47 tag such as \"en\", not \"" BP_FMT "\"",
                       BP_ARG(language));
    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("INSERT INTO retrieval_collections (tenant, name, language, model, dimensions, "
                                  "created_wall_ns) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, name) DO NOTHING",
                                  bp_sql_text(bp_principal_of(call)->tenant), bp_sql_text(name),
                                  bp_sql_text(language.len ? language : BP_STR("en")),
                                  bp_sql_text(self->embedder.info.model), bp_sql_int(self->embedder.info.dimensions),
                                  bp_sql_int(bp_wall_ns())),
                           NULL));
    BP_TRY(collection_find(call, self, name, collection));
    if (language.len && !bp_str_equal(language, collection->language))
        return bp_fail(call, BP_CONFLICT, "collection \"" BP_FMT "\" is there already, with the language \"" BP_FMT "\"",
                       BP_ARG(name), BP_ARG(collection->language));
    schema.dimensions = (uint32_t)collection->dimensions;
    schema.model = collection->model;
    schema.language = collection->language;
    status = bp_vector_of(self->vector)->create(call, self->vector->instance, collection->vector_name, &schema);
    return status;
}

/* ---- routes ---- */

/* The passages are counted by the vector store; while it is away they are null, and it is asked once for a whole list. */
static bp_status write_collection(bp_call *call, struct retrieval *self, const struct collection *collection,
                                  bp_json_writer *w, bool *is_away)
{
    bp_rows  rows;
    uint64_t points = 0;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT COUNT(*), COALESCE(SUM(CASE WHEN state = 1 THEN 1 ELSE 0 END), 0) FROM "
                                  "retrieval_documents WHERE collection_id = $1",
                                  bp_sql_int(collection->id)),
                           &rows));
    if (!*is_away) {
        bp_status status = bp_vector_of(self->vector)->count(call, self->vector->instance, collection->vector_name, NULL, &points);

        *is_away = away_is(call, status);
        if (!*is_away)
            BP_TRY(status);
        bp_clear_error(call);
    }
    bp_json_object(w);
    bp_json_put_string(w, "name", collection->name);
    bp_json_put_string(w, "language", collection->language);
    bp_json_put_string(w, "model", collection->model);
    bp_json_put_integer(w, "dimensions", collection->dimensions);
    bp_json_put_integer(w, "documents", bp_row(&rows, 0)[0].integer);
    bp_json_put_integer(w, "ready", bp_row(&rows, 0)[1].integer);
    bp_json_key(w, "passages");
    if (*is_away)
        bp_json_add_null(w);
    else
        bp_json_add_integer(w, (int64_t)points);
    bp_json_end(w);
    return BP_OK;
}

bp_status collections_write(bp_call *call, struct retrieval *self, bp_json_writer *w)
{
    bp_rows rows;
    bool    is_away = false;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT id, name, language, model, dimensions FROM retrieval_collections WHERE tenant = "
                                  "$1 ORDER BY name LIMIT 1000",
                                  bp_sql_text(bp_principal_of(call)->tenant)),
                           &rows));
    bp_json_object(w);
    bp_json_key(w, "collections");
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++) {
        struct collection collection;

        take_row(call, bp_row(&rows, i), &collection);
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

static bp_status make_from_body(bp_call *call, struct retrieval *self, bp_request *request, bp_response *response,
                                bp_str name)
{
    bp_json_writer   *w = bp_json_writer_new(call, 65536);
    const bp_json    *body = NULL;
    struct collection collection;
    bp_str            text;

    BP_TRY(bp_request_body(call, request, &text));
    if (text.len)
        BP_TRY(bp_json_read(call, text, &body));
    if (text.len && bp_json_type_of(body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object");
    if (!name.len)
        name = bp_json_string(bp_json_get(body, "name"));
    BP_TRY(collection_make(call, self, name, bp_json_string(bp_json_get(body, "language")), &collection));
    BP_TRY(write_collection(call, self, &collection, w, &(bool){ false }));
    return bp_respond_json(call, response, 200, w);
}

bp_status collections_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return make_from_body(call, instance, request, response, bp_str_n(NULL, 0));
}

bp_status collection_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return make_from_body(call, instance, request, response, bp_request_path_value(request, "name"));
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

bp_status collection_delete(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct retrieval *self = instance;
    struct collection collection;
    bp_statement      statements[5];
    bp_sql_value      id;
    static const char *const texts[] = {
        "DELETE FROM retrieval_chunks WHERE document_id IN (SELECT id FROM retrieval_documents WHERE collection_id = $1)",
        "DELETE FROM retrieval_documents WHERE collection_id = $1",
        "DELETE FROM retrieval_garbage WHERE collection_id = $1",
        "DELETE FROM retrieval_files WHERE collection_id = $1",
        "DELETE FROM retrieval_collections WHERE id = $1",
    };
    bp_status status;

    BP_TRY(collection_find(call, self, bp_request_path_value(request, "name"), &collection));
    // The points first: were the rows gone and a crash came, nobody would know that they are there.
    status = bp_vector_of(self->vector)->drop(call, self->vector->instance, collection.vector_name);
    if (status != BP_OK && status != BP_NOT_FOUND)
        return status;
    id = bp_sql_int(collection.id);
    for (size_t i = 0; i < 5; i++)
        statements[i] = (bp_statement){ .struct_size = sizeof(bp_statement), .parameter_count = 1,
                                        .sql = bp_str_of(texts[i]), .parameters = &id };
    BP_TRY(bp_storage_batch(call, self->storage, statements, 5, NULL));
    return bp_respond(call, response, 204, NULL, bp_str_n(NULL, 0));
}

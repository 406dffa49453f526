/* schema.c - collections: what each is pinned to lies in its point 0, since every version of Qdrant
 * keeps points alike. */
#include "qdrant.h"

#include <stdlib.h>

enum { ADOPTING_LASTS_MS = 500, SCHEMA_LASTS_S = 10, CREATE_TRIES = 8, DIMENSIONS_MAX = 65536 };

static const char *const metrics[] = { "Cosine", "Dot", "Euclid" };

/* ---- known collections ---- */

void schema_forget(struct qdrant *db, bp_str collection)
{
    for (size_t i = 0; i < SCHEMAS_MAX; i++)
        if (db->schemas[i].read_ns && bp_str_is(collection, db->schemas[i].name))
            db->schemas[i].read_ns = 0;
}

static void schema_keep(struct qdrant *db, const struct schema *schema)
{
    size_t oldest = 0;

    for (size_t i = 0; i < SCHEMAS_MAX; i++) {
        if (strcmp(db->schemas[i].name, schema->name) == 0) {
            oldest = i;
            break;
        }
        if (db->schemas[i].read_ns < db->schemas[oldest].read_ns)
            oldest = i;
    }
    db->schemas[oldest] = *schema;
    db->schemas[oldest].read_ns = bp_now_ns();
}

static void put_text(char *out, size_t size, bp_str text)
{
    snprintf(out, size, BP_FMT, BP_ARG(text));
}

/* BP_NOT_FOUND, with a sentence, when there is no such collection; *is_ours false when point 0 is
 * not there. */
static bp_status read_schema(bp_call *call, const struct qdrant *db, bp_str collection,
                             struct schema *schema, bool *is_ours)
{
    const bp_json *result, *said;

    *is_ours = false;
    *schema = (struct schema){ .generation = atomic_load(db->known) };
    BP_TRY(qdrant_ask(call, db, "GET", qdrant_path(call, db, collection, "/points/0"), BP_STR(""),
                      404, &result));
    said = bp_json_get(bp_json_get(result, "payload"), "backplane");
    if (!said)
        return BP_OK;
    put_text(schema->name, sizeof(schema->name), collection);
    put_text(schema->model, sizeof(schema->model), bp_json_string(bp_json_get(said, "model")));
    put_text(schema->language, sizeof(schema->language),
             bp_json_string(bp_json_get(said, "language")));
    put_text(schema->owner, sizeof(schema->owner), bp_json_string(bp_json_get(said, "owner")));
    schema->dimensions = (uint32_t)bp_json_integer(bp_json_get(said, "dimensions"));
    schema->metric = (uint32_t)bp_json_integer(bp_json_get(said, "metric"));
    if (schema->dimensions < 1 || schema->dimensions > DIMENSIONS_MAX || schema->metric > BP_L2)
        return bp_fail(call, BP_UPSTREAM,
                       "point 0 of the collection " BP_FMT " is damaged: it says %u dimensions",
                       BP_ARG(collection), schema->dimensions);
    *is_ours = true;
    return BP_OK;
}

/* It becomes part of a path, so nothing else may come near the server. */
static bool is_name(bp_str name)
{
    return vectors_is_name(name) && name.len <= NAME_MAX_BYTES && !bp_str_is(name, ".") &&
           !bp_str_is(name, "..");
}

bp_status schema_of(bp_call *call, struct qdrant *db, bp_str collection, struct schema *schema)
{
    bool is_ours;

    if (!is_name(collection))
        return bp_fail(call, BP_NOT_FOUND,
                       "there is no collection \"" BP_FMT "\": that is no name of one",
                       BP_ARG(collection));
    for (size_t i = 0; i < SCHEMAS_MAX; i++)
        if (db->schemas[i].read_ns && db->schemas[i].generation == atomic_load(db->known) &&
            bp_now_ns() - db->schemas[i].read_ns < BP_SECONDS(SCHEMA_LASTS_S) &&
            bp_str_is(collection, db->schemas[i].name)) {
            *schema = db->schemas[i];
            return BP_OK;
        }
    BP_TRY(read_schema(call, db, collection, schema, &is_ours));
    if (!is_ours)
        return bp_fail(call, BP_NOT_FOUND,
                       "there is no collection \"" BP_FMT "\" that Backplane has made at " BP_FMT,
                       BP_ARG(collection), BP_ARG(db->url));
    schema_keep(db, schema);
    return BP_OK;
}

/* ---- making one ---- */

static void write_quantisation(bp_json_writer *w, int32_t kind)
{
    static const char *const names[] = { "", "scalar", "binary" };

    if (!kind)
        return;
    bp_json_key(w, "quantization_config");
    bp_json_object(w);
    bp_json_key(w, names[kind]);
    bp_json_object(w);
    if (kind == 1)
        bp_json_put_string(w, "type", BP_STR("int8"));
    bp_json_put_bool(w, "always_ram", true);
    bp_json_end(w);
    bp_json_end(w);
}

static void put_unless_zero(bp_json_writer *w, const char *name, int64_t value)
{
    if (value)
        bp_json_put_integer(w, name, value);
}

static bp_status body_of_collection(bp_call *call, const struct qdrant *db,
                                    const bp_vector_schema *schema, bp_str *body)
{
    bp_json_writer *w = bp_json_writer_new(call, 1 << 16);

    bp_json_object(w);
    bp_json_key(w, "vectors");
    bp_json_object(w);
    bp_json_key(w, "dense");
    bp_json_object(w);
    bp_json_put_integer(w, "size", schema->dimensions);
    bp_json_put_string(w, "distance", bp_str_of(metrics[schema->metric]));
    bp_json_put_bool(w, "on_disk", db->on_disk);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_key(w, "sparse_vectors");
    bp_json_object(w);
    bp_json_key(w, "words");
    bp_json_object(w);
    bp_json_key(w, "index");
    bp_json_object(w);
    bp_json_put_bool(w, "on_disk", db->on_disk);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_put_bool(w, "on_disk_payload", true);
    put_unless_zero(w, "shard_number", db->shards);
    put_unless_zero(w, "replication_factor", db->replicas);
    put_unless_zero(w, "write_consistency_factor", db->write_consistency);
    if (db->hnsw_m || db->hnsw_ef) {
        bp_json_key(w, "hnsw_config");
        bp_json_object(w);
        put_unless_zero(w, "m", db->hnsw_m);
        put_unless_zero(w, "ef_construct", db->hnsw_ef);
        bp_json_end(w);
    }
    write_quantisation(w, db->quantisation);
    bp_json_end(w);
    return bp_json_done(call, w, body);
}

static bp_status make_index(bp_call *call, const struct qdrant *db, bp_str collection, bp_str field,
                            bp_str type)
{
    const bp_json  *result;
    bp_json_writer *w = bp_json_writer_new(call, 4096);
    bp_str          body;

    bp_json_object(w);
    bp_json_put_string(w, "field_name", field);
    bp_json_put_string(w, "field_schema", type);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &body));
    return qdrant_ask(call, db, "PUT", qdrant_path(call, db, collection, "/index?wait=true"), body,
                      0, &result);
}

static bp_status write_point_zero(bp_call *call, const struct qdrant *db, bp_str collection,
                                  const bp_vector_schema *schema)
{
    const bp_json  *result;
    bp_json_writer *w = bp_json_writer_new(call, 8192);
    bp_str          body;

    bp_json_object(w);
    bp_json_key(w, "points");
    bp_json_array(w);
    bp_json_object(w);
    bp_json_put_integer(w, "id", 0);
    bp_json_key(w, "vector");
    bp_json_object(w);
    bp_json_end(w);
    bp_json_key(w, "payload");
    bp_json_object(w);
    bp_json_key(w, "backplane");
    bp_json_object(w);
    bp_json_put_integer(w, "format", 1);
    bp_json_put_string(w, "model", schema->model);
    bp_json_put_string(w, "language", vectors_language(schema));
    if (bp_vector_owner(schema).len)
        bp_json_put_string(w, "owner", bp_vector_owner(schema));
    bp_json_put_integer(w, "dimensions", schema->dimensions);
    bp_json_put_integer(w, "metric", schema->metric);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &body));
    return qdrant_ask(call, db, "PUT", qdrant_path(call, db, collection, "/points?wait=true"), body,
                      0, &result);
}

/* The indexes first and point 0 last: a collection that has it is whole. All of it may be done
 * again. */
static bp_status fit_out(bp_call *call, const struct qdrant *db, bp_str collection,
                         const bp_vector_schema *schema)
{
    BP_TRY(make_index(call, db, collection, BP_STR("n"), BP_STR("integer")));
    BP_TRY(make_index(call, db, collection, BP_STR("t"), BP_STR("integer")));
    for (size_t i = 0; i < db->indexes.count; i++)
        BP_TRY(make_index(call, db, collection,
                          bp_format(call, "m.\"" BP_FMT "\"", BP_ARG(db->indexes.items[i].name)),
                          db->indexes.items[i].value));
    return write_point_zero(call, db, collection, schema);
}

static bp_vector_schema schema_as_made(const struct schema *there)
{
    return (bp_vector_schema){ .struct_size = sizeof(bp_vector_schema),
                               .dimensions = there->dimensions,
                               .metric = there->metric,
                               .model = bp_str_of(there->model),
                               .language = bp_str_of(there->language),
                               .owner = bp_str_of(there->owner) };
}

/* Two who adopt at once both write the mark: the pause lets both be written before either reads the
 * owner. */
static bp_status compare(bp_call *call, struct qdrant *db, const struct schema *there,
                         const bp_vector_schema *wanted)
{
    bp_str           name = bp_str_of(there->name);
    bp_vector_schema made = schema_as_made(there), marked;
    struct schema    now;
    bool             is_unmarked, is_ours;

    BP_TRY(vectors_compare_schema(call, name, &made, wanted, &is_unmarked));
    if (!is_unmarked)
        return BP_OK;
    marked = made;
    marked.owner = bp_vector_owner(wanted);
    BP_TRY(write_point_zero(call, db, name, &marked));
    BP_TRY(bp_sleep(call, BP_MILLISECONDS(ADOPTING_LASTS_MS)));
    BP_TRY(read_schema(call, db, name, &now, &is_ours));
    made = schema_as_made(&now);
    BP_TRY(vectors_compare_schema(call, name, &made, wanted, &is_unmarked));
    vectors_adopted(call, name, marked.owner);
    return BP_OK;
}

bp_status qdrant_owner(bp_call *call, void *instance, bp_str collection, bp_str *owner)
{
    struct schema schema;

    BP_TRY(schema_of(call, instance, collection, &schema));
    *owner = bp_dup(call, bp_str_of(schema.owner));
    return BP_OK;
}

/* A collection without point 0 was cut short in its making, unless it has other points or
 * vectors. */
static bp_status adopt(bp_call *call, struct qdrant *db, bp_str collection,
                       const bp_vector_schema *schema, const bp_json *found)
{
    const bp_json *vectors = bp_json_get(bp_json_get(bp_json_get(found, "config"), "params"),
                                         "vectors");
    const bp_json *dense = bp_json_get(vectors, "dense");
    uint64_t       count = 0;
    struct schema  there;
    bool           is_ours;

    BP_TRY(count_exactly(call, db, collection, NULL, NULL, 0, &count));
    if (count) { // unless who makes it at this moment was ready in between, and writes already
        BP_TRY(read_schema(call, db, collection, &there, &is_ours));
        if (is_ours)
            return compare(call, db, &there, schema);
    }
    if (count || bp_json_integer(bp_json_get(dense, "size")) != schema->dimensions ||
        !bp_str_is(bp_json_string(bp_json_get(dense, "distance")), metrics[schema->metric]))
        return bp_fail(call, BP_CONFLICT,
                       "the collection \"" BP_FMT "\" at " BP_FMT
                       " was not made by Backplane: take another name or set prefix",
                       BP_ARG(collection), BP_ARG(db->url));
    return fit_out(call, db, collection, schema);
}

static bp_status create_once(bp_call *call, struct qdrant *db, bp_str collection,
                             const bp_vector_schema *schema)
{
    struct schema  there;
    const bp_json *found, *made;
    bool           is_ours;
    bp_str         body;

    BP_TRY(qdrant_ask(call, db, "GET", qdrant_path(call, db, collection, ""), BP_STR(""), 404,
                      &found));
    if (!found) {
        BP_TRY(body_of_collection(call, db, schema, &body));
        BP_TRY(
            qdrant_ask(call, db, "PUT", qdrant_path(call, db, collection, ""), body, 409, &made));
        if (made)
            return fit_out(call, db, collection, schema);
        BP_TRY(qdrant_ask(call, db, "GET", qdrant_path(call, db, collection, ""), BP_STR(""), 0,
                          &found)); // a race
    }
    BP_TRY(read_schema(call, db, collection, &there, &is_ours));
    return is_ours ? compare(call, db, &there, schema) : adopt(call, db, collection, schema, found);
}

bp_status qdrant_create(bp_call *call, void *instance, bp_str collection,
                        const bp_vector_schema *schema)
{
    struct qdrant *db = instance;
    bp_status      status;

    if (!is_name(collection))
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT
                       "\" cannot be the name of a collection: 1 to %d of A-Z a-z 0-9 _ . -",
                       BP_ARG(collection), NAME_MAX_BYTES);
    BP_TRY(vectors_check_schema(call, collection, schema, DIMENSIONS_MAX));
    schema_forget(db, collection);
    status = create_once(call, db, collection, schema);
    // Somebody drops it while it is made: a collection that is missing now is missing for good.
    for (int tried = 1;
         status == BP_NOT_FOUND && tried < CREATE_TRIES && bp_cancelled(call) == BP_OK; tried++) {
        bp_clear_error(call);
        status = create_once(call, db, collection, schema);
    }
    atomic_fetch_add(db->known, 1); // the lengths of vectors may be others now
    return status;
}

bp_status qdrant_drop(bp_call *call, void *instance, bp_str collection)
{
    struct qdrant *db = instance;
    struct schema  schema;
    const bp_json *result;

    schema_forget(db, collection);
    BP_TRY(schema_of(call, db, collection, &schema)); // what others made is not ours to remove
    schema_forget(db, collection);
    statistics_forget(db, collection);
    BP_TRY(qdrant_ask(call, db, "DELETE", qdrant_path(call, db, collection, ""), BP_STR(""), 404,
                      &result));
    atomic_fetch_add(db->known, 1);
    return BP_OK;
}

/* ---- all of them ---- */

static int by_name(const void *a, const void *b)
{
    const bp_vector_info *x = a, *y = b;
    size_t                len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int                   order = memcmp(x->name.data, y->name.data, len);

    return order ? order : x->name.len < y->name.len ? -1 : x->name.len > y->name.len;
}

static bp_status describe(bp_call *call, struct qdrant *db, bp_str name, bp_vector_info *info,
                          bool *is_ours)
{
    struct schema schema;

    BP_TRY(read_schema(call, db, name, &schema, is_ours));
    if (!*is_ours)
        return BP_OK;
    *info = (bp_vector_info){ .struct_size = sizeof(*info),
                              .dimensions = schema.dimensions,
                              .metric = schema.metric,
                              .name = bp_dup(call, name),
                              .model = bp_dup(call, bp_str_of(schema.model)),
                              .language = bp_dup(call, bp_str_of(schema.language)) };
    return count_exactly(call, db, name, NULL, NULL, 0, &info->count);
}

bp_status qdrant_list(bp_call *call, void *instance, const bp_vector_info **collections,
                      size_t *count)
{
    struct qdrant  *db = instance;
    const bp_json  *result, *all;
    bp_vector_info *infos;

    atomic_fetch_add(db->known, 1); // who reads the list goes by it
    BP_TRY(qdrant_ask(call, db, "GET", BP_STR("/collections"), BP_STR(""), 0, &result));
    all = bp_json_get(result, "collections");
    infos = BP_NEW_ARRAY(call, bp_vector_info, bp_json_count(all) + 1);
    if (!infos)
        return BP_NO_MEMORY;
    *count = 0;
    for (size_t i = 0; i < bp_json_count(all); i++) {
        bp_str    name = bp_json_string(bp_json_get(bp_json_at(all, i), "name"));
        bool      is_ours = false;
        bp_status status;

        if (name.len <= db->prefix.len || name.len - db->prefix.len > NAME_MAX_BYTES)
            continue;
        if (db->prefix.len && memcmp(name.data, db->prefix.data, db->prefix.len) != 0)
            continue;
        name = bp_str_n(name.data + db->prefix.len, name.len - db->prefix.len);
        status = describe(call, db, name, &infos[*count], &is_ours);
        if (status == BP_NOT_FOUND) { // dropped meanwhile
            bp_clear_error(call);
            continue;
        }
        BP_TRY(status);
        *count += is_ours;
    }
    qsort(infos, *count, sizeof(*infos), by_name);
    *collections = infos;
    return BP_OK;
}

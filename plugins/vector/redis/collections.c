/* collections.c - collections: made, found, dropped, listed. */
#include "store.h"

#include <stdlib.h>

static bp_str join(bp_call *call, bp_str a, bp_str b, bp_str c)
{
    char *text = bp_alloc(call, a.len + b.len + c.len + 1);

    if (!text)
        return (bp_str){ 0 };
    if (a.len)
        memcpy(text, a.data, a.len);
    if (b.len)
        memcpy(text + a.len, b.data, b.len);
    if (c.len)
        memcpy(text + a.len + b.len, c.data, c.len);
    return bp_str_n(text, a.len + b.len + c.len);
}

bp_str collection_key(bp_call *call, const struct collection *collection, const char *kind,
                      bp_str rest)
{
    return join(call, collection->base, bp_str_of(kind), rest);
}

static bp_str meta_key(bp_call *call, const struct redis_store *store, bp_str name)
{
    return bp_format(call, BP_FMT "{v:" BP_FMT "}", BP_ARG(store->prefix), BP_ARG(name));
}

/* ---- find ---- */

static uint64_t number_of(const struct redis_reply *reply)
{
    return reply->type == REDIS_STRING ? strtoull(reply->text.data, NULL, 10) : 0;
}

enum { CREATE_TRIES = 8 };

enum { EPOCH, DIMENSIONS, METRIC, MODEL, LANGUAGE, POINTS, TOKENS, INDEX, TAGS, OWNER, FIELDS };

static bp_status look_up(bp_call *call, struct redis_store *store, bp_str name,
                         struct collection *out, bool *is_there)
{
    bp_str                    words[2 + FIELDS] = { BP_STR("HMGET"),    meta_key(call, store, name),
                                                    BP_STR("epoch"),    BP_STR("dimensions"),
                                                    BP_STR("metric"),   BP_STR("model"),
                                                    BP_STR("language"), BP_STR("points"),
                                                    BP_STR("tokens"),   BP_STR("index"),
                                                    BP_STR("tags"),     BP_STR("owner") };
    const struct redis_reply *reply;

    BP_TRY(redis_do(call, store->client, words[1], words, 2 + FIELDS, REDIS_IDEMPOTENT, &reply));
    if (reply->type != REDIS_ARRAY || reply->count != FIELDS)
        return redis_fail_shape(call, "HMGET", reply);
    *is_there = reply->items[EPOCH]->type == REDIS_STRING;
    *out = (struct collection){
        .name = name,
        .meta = words[1],
        .epoch = reply->items[EPOCH]->text,
        .dimensions = (uint32_t)number_of(reply->items[DIMENSIONS]),
        .metric = (uint32_t)number_of(reply->items[METRIC]),
        .model = reply->items[MODEL]->text,
        .language = reply->items[LANGUAGE]->text,
        .points = number_of(reply->items[POINTS]),
        .tokens = number_of(reply->items[TOKENS]),
        .index = (store_index)number_of(reply->items[INDEX]),
        .has_tags = number_of(reply->items[TAGS]) == 1,
        .owner = reply->items[OWNER]->text,
    };
    if (!*is_there)
        return BP_OK;
    if (!out->dimensions || out->dimensions > DIMENSIONS_MAX || out->metric > BP_L2)
        return bp_fail(call, BP_DATA,
                       "the key " BP_FMT
                       " in Redis is not a collection of Backplane: choose another `prefix`",
                       BP_ARG(out->meta));
    out->base = bp_format(call, BP_FMT BP_FMT ":", BP_ARG(out->meta), BP_ARG(out->epoch));
    out->tokenizer = words_tokenizer_of(out->language);
    return out->base.len ? BP_OK : BP_NO_MEMORY;
}

bp_status collection_find(bp_call *call, struct redis_store *store, bp_str name,
                          struct collection *collection)
{
    bool is_there = false;

    if (vectors_is_name(name)) // what it would be cut short at is not part of one
        BP_TRY(look_up(call, store, name, collection, &is_there));
    if (!is_there)
        return bp_fail(call, BP_NOT_FOUND, "there is no collection \"" BP_FMT "\"", BP_ARG(name));
    return BP_OK;
}

/* ---- create ---- */

static bp_vector_schema schema_of(const struct collection *c)
{
    return (bp_vector_schema){ .struct_size = sizeof(bp_vector_schema),
                               .dimensions = c->dimensions,
                               .metric = c->metric,
                               .model = c->model,
                               .language = c->language,
                               .owner = c->owner };
}

/* A collection without a mark gets one, unless another process was faster: then its mark counts.
 */
static bp_status compare_schema(bp_call *call, struct redis_store *store, bp_str name,
                                struct collection *old, const bp_vector_schema *wanted)
{
    bp_vector_schema          there = schema_of(old);
    bp_str                    owner = bp_vector_owner(wanted);
    bp_str                    words[] = { BP_STR("HSETNX"), old->meta, BP_STR("owner"), owner };
    const struct redis_reply *reply;
    bool                      is_unmarked, is_there;

    BP_TRY(vectors_compare_schema(call, name, &there, wanted, &is_unmarked));
    if (!is_unmarked)
        return BP_OK;
    BP_TRY(redis_do(call, store->client, old->meta, words, 4, REDIS_IDEMPOTENT, &reply));
    if (reply->type == REDIS_INTEGER && reply->integer == 1)
        vectors_adopted(call, name, owner);
    BP_TRY(look_up(call, store, name, old, &is_there));
    if (!is_there)
        return bp_fail(call, BP_NOT_FOUND, "the collection \"" BP_FMT "\" was dropped",
                       BP_ARG(name));
    there = schema_of(old);
    return vectors_compare_schema(call, name, &there, wanted, &is_unmarked);
}

bp_status store_owner(bp_call *call, void *instance, bp_str name, bp_str *owner)
{
    struct collection collection;

    BP_TRY(collection_find(call, instance, name, &collection));
    *owner = collection.owner;
    return BP_OK;
}

/* Whether the server has RediSearch: asked once, as a module comes with a restart only. */
static bp_status ask_for_search(bp_call *call, struct redis_store *store)
{
    bp_str                    words[] = { BP_STR("COMMAND"), BP_STR("INFO"), BP_STR("FT.SEARCH") };
    const struct redis_reply *reply;

    if (store->is_asked)
        return BP_OK;
    if (redis_topology_of(store->client) !=
        REDIS_CLUSTER) { // its index would see the keys of one node only
        BP_TRY(redis_do(call, store->client, (bp_str){ 0 }, words, 3,
                        REDIS_IDEMPOTENT | REDIS_ERRORS_PASS, &reply));
        store->has_search = reply->type == REDIS_ARRAY && reply->count == 1 &&
                            reply->items[0]->type == REDIS_ARRAY && reply->items[0]->count > 0;
    }
    store->is_asked = true;
    return BP_OK;
}

static bp_status choose_index(bp_call *call, struct redis_store *store, store_index *index)
{
    BP_TRY(ask_for_search(call, store));
    *index = INDEX_AUTO;
    if (store->index == INDEX_EXACT)
        return BP_OK;
    if (!store->has_search && store->index != INDEX_AUTO)
        return bp_fail(call, BP_UNSUPPORTED,
                       "index: hnsw and flat want the module RediSearch, which %s: set auto or "
                       "exact",
                       redis_topology_of(store->client) == REDIS_CLUSTER
                           ? "cannot be used in a cluster"
                           : "the server has not");
    if (store->has_search)
        *index = store->index == INDEX_FLAT ? INDEX_FLAT : INDEX_HNSW;
    return BP_OK;
}

static bp_status make_index(bp_call *call, struct redis_store *store,
                            const struct collection *collection)
{
    static const char *const  metrics[] = { "COSINE", "IP", "L2" };
    bool                      is_hnsw = collection->index == INDEX_HNSW;
    const struct redis_reply *reply;
    bp_str                    tail[] = { BP_STR("f"), BP_STR("TAG") };
    bp_str                    words[24] = { BP_STR("FT.CREATE"),
                                            collection_key(call, collection, "index", (bp_str){ 0 }),
                                            BP_STR("ON"),
                                            BP_STR("HASH"),
                                            BP_STR("PREFIX"),
                                            BP_STR("1"),
                                            collection_key(call, collection, "p:", (bp_str){ 0 }),
                                            BP_STR("SCHEMA"),
                                            BP_STR("v"),
                                            BP_STR("VECTOR"),
                         is_hnsw ? BP_STR("HNSW") : BP_STR("FLAT"),
                         is_hnsw ? BP_STR("10") : BP_STR("6"),
                         BP_STR("TYPE"),
                                            BP_STR("FLOAT32"),
                                            BP_STR("DIM"),
                                            bp_format(call, "%u", collection->dimensions),
                                            BP_STR("DISTANCE_METRIC"),
                                            bp_str_of(metrics[collection->metric]),
                                            BP_STR("M"),
                                            bp_format(call, "%lld", (long long)store->m),
                                            BP_STR("EF_CONSTRUCTION"),
                                            bp_format(call, "%lld", (long long)store->ef_construction) };
    size_t                    count = is_hnsw ? 22 : 18;

    memcpy(words + count, tail, sizeof(tail));
    BP_TRY(redis_do(call, store->client, collection->meta, words, count + 2,
                    REDIS_IDEMPOTENT | REDIS_ERRORS_PASS, &reply));
    // Its name is random: one that is there already was made by the first of two tries.
    if (reply->type == REDIS_ERROR && !bp_str_starts(reply->text, "Index already exists"))
        return redis_fail_error(call, store->client, "FT.CREATE", reply);
    return BP_OK;
}

static bp_status drop_index(bp_call *call, struct redis_store *store,
                            const struct collection *collection)
{
    bp_str                    words[] = { BP_STR("FT.DROPINDEX"),
                                          collection_key(call, collection, "index", (bp_str){ 0 }) };
    const struct redis_reply *reply;

    if (collection->index == INDEX_AUTO)
        return BP_OK;
    return redis_do(call, store->client, collection->meta, words, 2,
                    REDIS_IDEMPOTENT | REDIS_ERRORS_PASS, &reply);
}

/* Under a new epoch; *is_made is false when another process was faster. */
static bp_status make(bp_call *call, struct redis_store *store, bp_str name,
                      const bp_vector_schema *schema, bool *is_made)
{
    struct collection         made = { .name = name,
                                       .dimensions = schema->dimensions,
                                       .metric = schema->metric };
    const struct redis_reply *reply;
    uint64_t                  chance;
    bp_str                    owner = bp_vector_owner(schema);

    bp_random(&chance, sizeof(chance));
    made.meta = meta_key(call, store, name);
    made.epoch = bp_format(call, "%016llx", (unsigned long long)chance);
    made.base = bp_format(call, BP_FMT BP_FMT ":", BP_ARG(made.meta), BP_ARG(made.epoch));
    BP_TRY(choose_index(call, store, &made.index));
    if (made.index != INDEX_AUTO)
        BP_TRY(make_index(call, store, &made));
    BP_TRY(redis_run_script(call, store->client, &store->create, &made.meta, 1,
                            (bp_str[]){ made.epoch, BP_STR("dimensions"),
                                        bp_format(call, "%u", made.dimensions), BP_STR("metric"),
                                        bp_format(call, "%u", made.metric), BP_STR("model"),
                                        schema->model, BP_STR("language"), vectors_language(schema),
                                        BP_STR("index"), bp_format(call, "%d", (int)made.index),
                                        BP_STR("tags"),
                                        made.index != INDEX_AUTO ? BP_STR("1") : BP_STR("0"),
                                        BP_STR("owner"), owner },
                            owner.len ? 15 : 13, REDIS_IDEMPOTENT,
                            &reply)); // a mark that is there cannot be set any more
    *is_made = reply->integer == 1;
    return *is_made ? BP_OK : drop_index(call, store, &made);
}

/* Once more behind the making: a drop of an older one of that name may have taken it off the list
 * in between. */
static bp_status enlist(bp_call *call, struct redis_store *store, bp_str name)
{
    bp_str words[] = { BP_STR("SADD"), bp_format(call, BP_FMT "collections", BP_ARG(store->prefix)),
                       name };
    const struct redis_reply *reply;

    return redis_do(call, store->client, words[1], words, 3, REDIS_IDEMPOTENT, &reply);
}

bp_status store_create(bp_call *call, void *instance, bp_str name, const bp_vector_schema *schema)
{
    struct redis_store *store = instance;
    struct collection   old;
    bool                is_there = false, is_made = false;
    BP_TRY(vectors_check_schema(call, name, schema, DIMENSIONS_MAX));
    for (int tries = 0; tries < CREATE_TRIES; tries++) { // as others may drop it between two steps
        // First, and always: a name on the list without a collection does no harm, the other way
        // round it is not seen.
        BP_TRY(enlist(call, store, name));
        BP_TRY(look_up(call, store, name, &old, &is_there));
        if (is_there)
            return compare_schema(call, store, name, &old, schema);
        BP_TRY(make(call, store, name, schema, &is_made));
        if (is_made)
            return enlist(call, store, name);
    }
    return bp_fail(call, BP_UNAVAILABLE,
                   "the collection \"" BP_FMT "\" is made and dropped by others all the time",
                   BP_ARG(name));
}

/* ---- drop ---- */

/* What dropped collections of this name have left: this one's, and those of a clearing that was cut
 * short. */
static bp_status clear_dropped(bp_call *call, struct redis_store *store, bp_str meta)
{
    bp_str words[] = { BP_STR("SMEMBERS"), join(call, meta, BP_STR("dropped"), (bp_str){ 0 }) };
    const struct redis_reply *epochs, *reply;
    bp_status                 status = ask_for_search(call, store);

    BP_TRY(status);
    BP_TRY(redis_do(call, store->client, meta, words, 2, REDIS_IDEMPOTENT, &epochs));
    for (size_t i = 0; i < epochs->count; i++) {
        const struct collection left = { .base = bp_format(call, BP_FMT BP_FMT ":", BP_ARG(meta),
                                                           BP_ARG(epochs->items[i]->text)),
                                         .meta = meta,
                                         .index = store->has_search ? INDEX_HNSW : INDEX_AUTO };
        bool                    has_more = true;

        BP_TRY(drop_index(call, store, &left)); // the process that dropped it may have died
        while (has_more) {
            BP_TRY(bp_scratch_begin(call));
            status = redis_run_script(call, store->client, &store->clear, &meta, 1,
                                      &epochs->items[i]->text, 1, REDIS_IDEMPOTENT, &reply);
            has_more = status == BP_OK && reply->integer == 1;
            bp_scratch_end(call);
            BP_TRY(status);
        }
    }
    return BP_OK;
}

bp_status store_drop(bp_call *call, void *instance, bp_str name)
{
    struct redis_store       *store = instance;
    struct collection         collection, now;
    const struct redis_reply *reply;
    bool                      is_there = false;
    bp_str                    listed[] = { BP_STR("SREM"),
                                           bp_format(call, BP_FMT "collections", BP_ARG(store->prefix)), name };

    BP_TRY(collection_find(call, store, name, &collection));
    BP_TRY(redis_run_script(call, store->client, &store->drop, &collection.meta, 1,
                            &collection.epoch, 1, REDIS_IDEMPOTENT, &reply));
    // Only now off the list, so that a collection is still seen when its drop was cut short; and on
    // it again when it was made again.
    BP_TRY(redis_do(call, store->client, listed[1], listed, 3, REDIS_IDEMPOTENT, &reply));
    BP_TRY(look_up(call, store, name, &now, &is_there));
    if (is_there)
        BP_TRY(enlist(call, store, name));
    BP_TRY(drop_index(call, store, &collection));
    if (clear_dropped(call, store, collection.meta) != BP_OK) {
        bp_log(call, BP_LOG_WARN,
               "the dropped collection \"" BP_FMT
               "\" is gone, but its points are not cleared away yet: " BP_FMT,
               BP_ARG(name), BP_ARG(bp_error_of(call)->message));
        bp_clear_error(call);
    }
    return BP_OK;
}

/* ---- list ---- */

static int by_name(const void *a, const void *b)
{
    bp_str x = ((const bp_vector_info *)a)->name, y = ((const bp_vector_info *)b)->name;
    int    order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

    return order ? order : x.len < y.len ? -1 : x.len > y.len;
}

bp_status store_list(bp_call *call, void *instance, const bp_vector_info **collections,
                     size_t *count)
{
    struct redis_store       *store = instance;
    bp_str                    words[] = { BP_STR("SMEMBERS"),
                                          bp_format(call, BP_FMT "collections", BP_ARG(store->prefix)) };
    const struct redis_reply *names;
    bp_vector_info           *infos;

    *count = 0;
    BP_TRY(redis_do(call, store->client, words[1], words, 2, REDIS_IDEMPOTENT, &names));
    infos = BP_NEW_ARRAY(call, bp_vector_info, names->count + 1);
    if (!infos)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < names->count; i++) {
        struct collection found;
        bool              is_there = false;
        BP_TRY(look_up(call, store, names->items[i]->text, &found, &is_there));
        if (is_there)
            infos[(*count)++] = (bp_vector_info){ .struct_size = sizeof(bp_vector_info),
                                                  .dimensions = found.dimensions,
                                                  .metric = found.metric,
                                                  .name = found.name,
                                                  .model = found.model,
                                                  .language = found.language,
                                                  .count = found.points };
    }
    qsort(infos, *count, sizeof(*infos), by_name);
    *collections = infos;
    return BP_OK;
}

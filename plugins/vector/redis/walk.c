/* walk.c - all points of a collection in the order of their ids, read page by page: for counting,
 * scrolling, deleting by a filter, and for a search that reads every vector. Points written
 * meanwhile may or may not be seen. */
#include "store.h"

#include <stdlib.h>

enum { PAGE_POINTS = 1000, PAGE_BYTES = 4 << 20, POINT_BYTES = 2048, CHECK_POINTS = 500 };

struct page {
    struct redis_store      *store;
    const struct collection *collection;
    const bp_filter         *filter;
    uint32_t                 fields;
    walk_sink                sink;
    void                    *self;
    uint64_t                 after;
    size_t                   size;
    float                   *vector; /* a copy that is aligned */
    bool                     is_last;
};

/* The next ids, behind `after`. */
static bp_status next_ids(bp_call *call, const struct page *page, const struct redis_reply **ids)
{
    bp_str words[] = { BP_STR("ZRANGEBYLEX"),
                       collection_key(call, page->collection, "ids", (bp_str){ 0 }),
                       bp_format(call, "(%0*llu", ID_DIGITS, (unsigned long long)page->after),
                       BP_STR("+"),
                       BP_STR("LIMIT"),
                       BP_STR("0"),
                       bp_format(call, "%zu", page->size) };

    BP_TRY(redis_do(call, page->store->client, words[1], words, 7, REDIS_IDEMPOTENT, ids));
    return (*ids)->type == REDIS_ARRAY ? BP_OK : redis_fail_shape(call, "ZRANGEBYLEX", *ids);
}

static bp_status read_points(bp_call *call, const struct page *page, const struct redis_reply *ids,
                             const struct redis_reply *const **replies)
{
    struct redis_batch *batch = redis_batch_new(call, page->collection->base);

    for (size_t i = 0; i < ids->count; i++)
        redis_add(batch,
                  (bp_str[]){ BP_STR("HMGET"),
                              collection_key(call, page->collection, "p:", ids->items[i]->text),
                              BP_STR("m"), page->fields & WALK_WORDS ? BP_STR("w") : BP_STR("-"),
                              page->fields & WALK_VECTOR ? BP_STR("v") : BP_STR("-") },
                  5);
    return redis_run(call, page->store->client, batch, REDIS_IDEMPOTENT, replies);
}

static bp_status hand_out(bp_call *call, struct page *page, uint64_t id,
                          const struct redis_reply *fields, bool *is_enough)
{
    size_t   vector_bytes = page->collection->dimensions * sizeof(float);
    bp_point point = { .struct_size = sizeof(point), .id = id };
    bool     passes = true;

    if (fields->type != REDIS_ARRAY || fields->count != 3)
        return redis_fail_shape(call, "HMGET", fields);
    if (fields->items[0]->type != REDIS_STRING)
        return BP_OK; // deleted meanwhile
    point.metadata = fields->items[0]->text;
    BP_TRY(filters_decide(call, page->filter, point.metadata, &passes));
    if (!passes)
        return BP_OK;
    point.words = fields->items[1]->text;
    if (fields->items[2]->text.len == vector_bytes) {
        memcpy(page->vector, fields->items[2]->text.data, vector_bytes);
        point.vector = page->vector;
    } else if (fields->items[2]->text.len) {
        return bp_fail(call, BP_DATA,
                       "point %llu of \"" BP_FMT "\" has a vector of %zu bytes: write it again",
                       (unsigned long long)id, BP_ARG(page->collection->name),
                       fields->items[2]->text.len);
    }
    return page->sink(call, page->self, &point, is_enough);
}

static bp_status walk_page(bp_call *call, struct page *page)
{
    const struct redis_reply        *ids;
    const struct redis_reply *const *replies;
    bool                             is_enough = false;

    BP_TRY(next_ids(call, page, &ids));
    page->is_last = ids->count < page->size;
    if (!ids->count)
        return BP_OK;
    BP_TRY(read_points(call, page, ids, &replies));
    for (size_t i = 0; i < ids->count && !is_enough; i++) {
        page->after = strtoull(ids->items[i]->text.data, NULL, 10);
        BP_TRY(hand_out(call, page, page->after, replies[i], &is_enough));
    }
    page->is_last = page->is_last || is_enough;
    return BP_OK;
}

bp_status walk(bp_call *call, struct redis_store *store, const struct collection *collection,
               const bp_filter *filter, uint64_t after, uint32_t fields, walk_sink sink, void *self)
{
    size_t bytes = POINT_BYTES +
                   (fields & WALK_VECTOR ? collection->dimensions * sizeof(float) : 0);
    struct page page = { .store = store,
                         .collection = collection,
                         .filter = filter,
                         .fields = fields,
                         .sink = sink,
                         .self = self,
                         .after = after > INT64_MAX ? INT64_MAX : after,
                         .size = PAGE_BYTES / bytes,
                         .vector = BP_NEW_ARRAY(call, float, collection->dimensions) };
    bp_status   status = page.vector ? BP_OK : BP_NO_MEMORY;

    if (page.size > PAGE_POINTS)
        page.size = PAGE_POINTS;
    if (page.size < 4)
        page.size = 4;
    while (status == BP_OK && !page.is_last) {
        if (!(fields & WALK_FOR_OTHERS))
            BP_TRY(bp_scratch_begin(call));
        status = walk_page(call, &page);
        if (!(fields & WALK_FOR_OTHERS))
            bp_scratch_end(call);
    }
    return status;
}

/* ---- which of these pass? ---- */

static bp_status check_some(bp_call *call, struct redis_store *store,
                            const struct collection *collection, const bp_filter *filter,
                            const bp_hit *hits, size_t count, bool *passes)
{
    struct redis_batch              *batch = redis_batch_new(call, collection->base);
    const struct redis_reply *const *replies;

    for (size_t i = 0; i < count; i++)
        redis_add(batch,
                  (bp_str[]){ BP_STR("HGET"),
                              collection_key(call, collection, "p:", id_text(call, hits[i].id)),
                              BP_STR("m") },
                  3);
    BP_TRY(redis_run(call, store->client, batch, REDIS_IDEMPOTENT, &replies));
    for (size_t i = 0; i < count; i++) {
        passes[i] = false;
        if (replies[i]->type == REDIS_STRING)
            BP_TRY(filters_decide(call, filter, replies[i]->text, &passes[i]));
    }
    return BP_OK;
}

bp_status walk_check(bp_call *call, struct redis_store *store, const struct collection *collection,
                     const bp_filter *filter, const bp_hit *hits, size_t count, bool *passes)
{
    bp_status status = BP_OK;

    for (size_t at = 0; status == BP_OK && at < count; at += CHECK_POINTS) {
        BP_TRY(bp_scratch_begin(call));
        status = check_some(call, store, collection, filter, hits + at,
                            count - at < CHECK_POINTS ? count - at : CHECK_POINTS, passes + at);
        bp_scratch_end(call);
    }
    return status;
}

/* ---- count and scroll ---- */

static bp_status count_one(bp_call *call, void *self, const bp_point *point, bool *is_enough)
{
    (void)call, (void)point, (void)is_enough;
    ++*(uint64_t *)self;
    return BP_OK;
}

bp_status store_count(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                      uint64_t *count)
{
    struct redis_store *store = instance;
    struct collection   collection;

    BP_TRY(filters_check(call, filter));
    BP_TRY(collection_find(call, store, name, &collection));
    *count = filter ? 0 : collection.points;
    return filter ? walk(call, store, &collection, filter, 0, 0, count_one, count) : BP_OK;
}

struct scroll {
    const bp_point_sink *sink;
    uint32_t             left;
};

static bp_status give_one(bp_call *call, void *self, const bp_point *point, bool *is_enough)
{
    struct scroll *scroll = self;

    *is_enough = --scroll->left == 0;
    return scroll->sink->point(call, scroll->sink->self, point);
}

bp_status store_scroll(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                       uint64_t after, uint32_t limit, const bp_point_sink *sink)
{
    struct redis_store *store = instance;
    struct scroll       scroll = { sink, limit };
    struct collection   collection;

    if (limit < 1 || limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a scroll gives 1 to %d points, not %u", LIMIT_MAX, limit);
    BP_TRY(filters_check(call, filter));
    BP_TRY(collection_find(call, store, name, &collection));
    return walk(call, store, &collection, filter, after, WALK_VECTOR | WALK_WORDS | WALK_FOR_OTHERS,
                give_one, &scroll);
}

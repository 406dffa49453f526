/* points.c - writing and deleting points: checked and cut into terms on a pool thread, then one
 * script. */
#include "store.h"

#include <stdlib.h>

#include <backplane/json.h>

enum {
    WORDS_OF_POINT = 7,
    REMOVE_ROUNDS = 5,
    REMOVE_AT_ONCE = 5000, /* points in one script, during which the server does nothing else */
    UPSERT_BYTES_MAX = 200 << 20 /* of one script; the server takes up to 1 GiB, a connection queues
                                    256 MiB */
};

bp_str id_text(bp_call *call, uint64_t id)
{
    return bp_format(call, "%0*llu", ID_DIGITS, (unsigned long long)id);
}

/* ---- upsert ---- */

struct write {
    const struct redis_store *store;
    const struct collection  *collection;
    const char               *points; /* of stride point_size */
    size_t                    point_size, count;
    bp_str                   *words; /* of the script: the epoch, then seven for each point */
};

/* [ term, times, term, times, ... ] as MessagePack, which Lua on the server reads. */
static bp_str pack_terms(bp_call *call, const struct token_list *list)
{
    size_t         size = 5;
    unsigned char *bytes, *at;

    for (size_t i = 0; i < list->count; i++)
        size += 10 + list->items[i].text.len;
    bytes = bp_alloc(call, size);
    if (!bytes)
        return (bp_str){ 0 };
    at = bytes;
#define PUT(letter, number)                                                                        \
    do {                                                                                           \
        uint32_t number_ = (uint32_t)(number);                                                     \
        *at++ = (letter);                                                                          \
        for (int shift = 24; shift >= 0; shift -= 8)                                               \
            *at++ = (unsigned char)(number_ >> shift);                                             \
    } while (0)
    PUT(0xdd, list->count * 2);
    for (size_t i = 0; i < list->count; i++) {
        PUT(0xdb, list->items[i].text.len);
        memcpy(at, list->items[i].text.data, list->items[i].text.len);
        at += list->items[i].text.len;
        PUT(0xce, list->items[i].times);
    }
#undef PUT
    return bp_str_n((char *)bytes, size);
}

/* *tags_len: how much of `tags` is used; NULL: they are not asked for. */
static bp_status check_point(bp_call *call, const bp_point *point, char *tags, size_t *tags_len)
{
    const bp_json *metadata;
    bp_status      status;

    BP_TRY(bp_scratch_begin(call));
    status = vectors_check_point(call, point, &metadata);
    if (status == BP_OK && metadata && tags_len)
        *tags_len = tags_of(metadata, tags);
    bp_scratch_end(call);
    return status;
}

static bp_status prepare_point(bp_call *call, const struct write *write, const bp_point *point,
                               bp_str *words)
{
    const struct collection *collection = write->collection;
    struct token_list        list;
    char                     tags[TAGS_BYTES_MAX];
    size_t                   tags_len = 0;

    BP_TRY(check_point(call, point, tags, collection->has_tags ? &tags_len : NULL));
    if (point->vector) {
        float *kept = BP_NEW_ARRAY(call, float, collection->dimensions);
        if (!kept)
            return BP_NO_MEMORY;
        if (!vectors_prepare(point->vector, collection->dimensions, collection->metric, kept))
            return bp_fail(call, BP_INVALID, "point %llu: its vector is %s",
                           (unsigned long long)point->id,
                           collection->metric == BP_COSINE ? "zero or not finite" : "not finite");
        words[1] = bp_str_n((const char *)kept, collection->dimensions * sizeof(float));
    }
    BP_TRY(
        tokens_of_passage(call, write->store->tokens, collection->tokenizer, point->words, &list));
    words[0] = id_text(call, point->id);
    words[2] = point->words;
    words[3] = point->metadata.len ? point->metadata : BP_STR("{}");
    words[4] = bp_format(call, "%u", list.length);
    words[5] = pack_terms(call, &list);
    words[6] = bp_dup(call, bp_str_n(tags, tags_len));
    return words[0].len && words[4].len && words[5].len && words[6].len == tags_len ? BP_OK
                                                                                    : BP_NO_MEMORY;
}

static bp_status prepare_job(bp_call *call, void *arg)
{
    struct write *write = arg;

    for (size_t i = 0; i < write->count; i++) {
        const bp_point *point = (const bp_point *)(const void *)(write->points +
                                                                 i * write->point_size);
        BP_TRY(bp_cancelled(call));
        BP_TRY(prepare_point(call, write, point, write->words + 1 + i * WORDS_OF_POINT));
    }
    return BP_OK;
}

/* All of it is one script, so that it happens whole or not at all. */
static bp_status check_size(bp_call *call, const struct write *write)
{
    size_t bytes = 0;

    for (size_t i = 0; i < 1 + write->count * WORDS_OF_POINT; i++)
        bytes += write->words[i].len + 32;
    if (bytes <= UPSERT_BYTES_MAX)
        return BP_OK;
    return bp_fail(call, BP_TOO_LARGE,
                   "%zu points of %zu MiB in all were given, %d MiB can be written to Redis at "
                   "once: write fewer of them",
                   write->count, bytes >> 20, UPSERT_BYTES_MAX >> 20);
}

static bp_status fail_dropped(bp_call *call, bp_str name)
{
    return bp_fail(call, BP_NOT_FOUND, "the collection \"" BP_FMT "\" was dropped", BP_ARG(name));
}

bp_status store_upsert(bp_call *call, void *instance, bp_str name, const bp_point *points,
                       size_t point_size, size_t count)
{
    struct redis_store       *store = instance;
    struct collection         collection;
    struct write              write = { .store = store,
                                        .collection = &collection,
                                        .points = (const char *)points,
                                        .point_size = point_size,
                                        .count = count };
    const struct redis_reply *reply;

    if (count > POINTS_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "%zu points were given, at most %d can be written at once", count,
                       POINTS_MAX);
    BP_TRY(collection_find(call, store, name, &collection));
    if (!count)
        return BP_OK;
    write.words = BP_NEW_ARRAY(call, bp_str, 1 + count * WORDS_OF_POINT);
    if (!write.words)
        return BP_NO_MEMORY;
    write.words[0] = collection.epoch;
    BP_TRY(bp_offload(call, NULL, prepare_job, &write));
    BP_TRY(check_size(call, &write));
    BP_TRY(redis_run_script(call, store->client, &store->upsert, &collection.meta, 1, write.words,
                            1 + count * WORDS_OF_POINT, REDIS_IDEMPOTENT, &reply));
    return reply->integer == 1 ? BP_OK : fail_dropped(call, name);
}

/* ---- remove ---- */

/* The points to remove next: ids, each with the metadata it was chosen by, behind the epoch. */
struct choice {
    bp_str   words[1 + 2 * REMOVE_AT_ONCE];
    size_t   count;      /* of words */
    uint64_t last;       /* id */
    bool     owns_words; /* each is malloc()ed */
};

static struct choice *choice_new(bp_call *call, const struct collection *collection,
                                 bool owns_words)
{
    struct choice *choice = malloc(sizeof(*choice));

    if (!choice) {
        bp_fail(call, BP_NO_MEMORY, "no memory for the ids of the points to delete");
        return NULL;
    }
    choice->words[0] = collection->epoch;
    choice->count = 1;
    choice->last = 0;
    choice->owns_words = owns_words;
    return choice;
}

static void choice_empty(struct choice *choice)
{
    for (size_t i = 1; choice->owns_words && i < choice->count; i++)
        free((char *)(uintptr_t)choice->words[i].data);
    choice->count = 1;
}

static void choice_free(struct choice *choice)
{
    choice_empty(choice);
    free(choice);
}

static bool is_full(const struct choice *choice)
{
    return choice->count == 1 + 2 * REMOVE_AT_ONCE;
}

/* The walk's memory ends with its page, so these are copies. */
static bp_status choose(bp_call *call, void *self, const bp_point *point, bool *is_enough)
{
    struct choice *choice = self;
    char          *id = malloc(ID_DIGITS + 1), *seen = malloc(point->metadata.len + 1);

    if (!id || !seen) {
        free(id);
        free(seen);
        return bp_fail(call, BP_NO_MEMORY, "no memory for the ids of the points to delete");
    }
    snprintf(id, ID_DIGITS + 1, "%0*llu", ID_DIGITS, (unsigned long long)point->id);
    memcpy(seen, point->metadata.data, point->metadata.len);
    choice->words[choice->count++] = bp_str_n(id, ID_DIGITS);
    choice->words[choice->count++] = bp_str_n(seen, point->metadata.len);
    choice->last = point->id;
    *is_enough = is_full(choice);
    return BP_OK;
}

/* *missed: those that were there otherwise, or not at all. */
static bp_status remove_chosen(bp_call *call, struct redis_store *store,
                               const struct collection *collection, struct choice *choice,
                               uint64_t *removed, uint64_t *missed)
{
    const struct redis_reply *reply;
    bp_status                 status = BP_OK;

    if (choice->count <= 1)
        return BP_OK;
    BP_TRY(bp_scratch_begin(call));
    status = redis_run_script(call, store->client, &store->remove, &collection->meta, 1,
                              choice->words, choice->count, REDIS_IDEMPOTENT, &reply);
    if (status == BP_OK && reply->integer < 0)
        status = fail_dropped(call, collection->name);
    if (status == BP_OK) {
        *removed += (uint64_t)reply->integer;
        *missed += (choice->count - 1) / 2 - (uint64_t)reply->integer;
    }
    bp_scratch_end(call);
    choice_empty(choice);
    return status;
}

/* A point that another process changes between being chosen and being deleted is left, and looked
 * at again. */
static bp_status remove_matching(bp_call *call, struct redis_store *store,
                                 const struct collection *collection, const bp_filter *filter,
                                 uint64_t *removed)
{
    struct choice *choice = choice_new(call, collection, true);
    uint64_t       missed = 1;
    bp_status      status = choice ? BP_OK : BP_NO_MEMORY;

    for (int round = 0; round < REMOVE_ROUNDS && missed && status == BP_OK; round++) {
        bool has_more = true;

        missed = 0;
        choice->last = 0;
        while (status == BP_OK && has_more) { // some at a time: the server has others to answer
            status = walk(call, store, collection, filter, choice->last, 0, choose, choice);
            has_more = is_full(choice);
            if (status == BP_OK)
                status = remove_chosen(call, store, collection, choice, removed, &missed);
        }
    }
    if (choice)
        choice_free(choice);
    return status;
}

static bp_status remove_ids(bp_call *call, struct redis_store *store,
                            const struct collection *collection, const uint64_t *ids, size_t count,
                            uint64_t *removed)
{
    struct choice *choice = choice_new(call, collection, false);
    uint64_t       missed = 0;
    bp_status      status = choice ? BP_OK : BP_NO_MEMORY;

    for (size_t i = 0; status == BP_OK && i < count; i++) {
        if (ids[i] >= 1 && ids[i] <= INT64_MAX) { // no point has another one
            choice->words[choice->count++] = id_text(call, ids[i]);
            choice->words[choice->count++] = (bp_str){ 0 };
            status = choice->words[choice->count - 2].len ? BP_OK : BP_NO_MEMORY;
        }
        if (status == BP_OK && is_full(choice))
            status = remove_chosen(call, store, collection, choice, removed, &missed);
    }
    if (status == BP_OK)
        status = remove_chosen(call, store, collection, choice, removed, &missed);
    if (choice)
        choice_free(choice);
    return status;
}

bp_status store_remove(bp_call *call, void *instance, bp_str name, const uint64_t *ids,
                       size_t count, const bp_filter *filter, uint64_t *removed)
{
    struct redis_store *store = instance;
    struct collection   collection;
    uint64_t            gone = 0;
    bp_status           status;

    if (!ids && !filter)
        return bp_fail(call, BP_INVALID,
                       "say which points to delete: by their ids or by a filter; drop() deletes "
                       "all");
    BP_TRY(filters_check(call, filter));
    BP_TRY(collection_find(call, store, name, &collection));
    status = ids ? remove_ids(call, store, &collection, ids, count, &gone)
                 : remove_matching(call, store, &collection, filter, &gone);
    if (status == BP_OK && removed)
        *removed = gone;
    return status;
}

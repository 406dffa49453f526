/* fake_backends.h - what the app `retrieval` stands on in its tests: a vector store, an embedder
 * and two providers that are faked here, and a real SQLite file. They keep what they get, note what
 * they are asked in `trace`, and fail when a test says so. The app itself: retrieval_test.h.
 */
#ifndef RETRIEVAL_FAKE_BACKENDS_H
#define RETRIEVAL_FAKE_BACKENDS_H

#include "plugins/app_test.h"

#include <math.h>

#include <backplane/embed.h>
#include <backplane/filter.h>
#include <backplane/llm.h>
#include <backplane/loop.h>
#include <backplane/vector.h>

static char   trace[1 << 16];
static size_t trace_len;

static inline void forget(void)
{
    trace_len = 0;
    trace[0] = '\0';
}

static inline void note(const char *format, ...) BP_FORMAT(1, 2);
static inline void note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    trace_len += (size_t)vsnprintf(trace + trace_len, sizeof(trace) - trace_len, format, args);
    va_end(args);
    if (trace_len >= sizeof(trace))
        trace_len = sizeof(trace) - 1;
}

/* ---- failures ---- */

enum operation {
    CREATE,
    DROP,
    UPSERT,
    REMOVE,
    SEARCH,
    COUNT,
    SCROLL,
    OWNER,
    INFO,
    EMBED,
    OPERATIONS
};
static struct {
    bp_status status;
    int       after; /* so many that succeed before */
    int       times; /* 0: for ever */
} failures[OPERATIONS];

static inline void fail_at(enum operation operation, bp_status status, int after, int times)
{
    failures[operation].status = status;
    failures[operation].after = after;
    failures[operation].times = times;
}

static inline void fail_with(enum operation operation, bp_status status)
{
    fail_at(operation, status, 0, 0);
}

static inline bp_status failure_of(bp_call *of, enum operation operation)
{
    static const char *const names[] = { "create", "drop",   "upsert", "remove", "search",
                                         "count",  "scroll", "owner",  "info",   "embed" };
    bp_status                status = failures[operation].status;

    if (status == BP_OK)
        return BP_OK;
    if (failures[operation].after > 0) {
        failures[operation].after--;
        return BP_OK;
    }
    if (failures[operation].times > 0 && --failures[operation].times == 0)
        failures[operation].status = BP_OK;
    if (status == BP_CANCELLED)
        testhost_cancel(of);
    return bp_fail(of, status, "%s fails on purpose", names[operation]);
}

/* ---- the vector store ---- */

enum { FAKE_POINTS = 2100 };

struct fake_point {
    uint64_t id;
    bool     has_vector;
    char    *words, *metadata;
};

struct fake_collection {
    char              name[128], model[64], language[32], owner[64];
    uint32_t          dimensions, metric;
    bool              is_there;
    struct fake_point points[FAKE_POINTS];
    size_t            count;
};

static struct fake_store {
    struct fake_collection collections[16];
    size_t                 count;
    bp_hit                 by_vector[300], by_words[300]; /* what a search finds */
    uint32_t               vector_count, words_count;
    bool                   is_rank_only;
    int64_t                search_takes_ns;
    const char            *bad;       /* words with this are BP_INVALID */
    const char            *meanwhile; /* SQL of another process during the next upsert */
} store;

/* Of the collections that were ever made: "C0", "C1", ... */
static inline struct fake_collection *find_fake(bp_str name)
{
    for (size_t i = 0; i < store.count; i++)
        if (store.collections[i].is_there && bp_str_is(name, store.collections[i].name))
            return &store.collections[i];
    return NULL;
}

static inline size_t number_of(const struct fake_collection *collection)
{
    return (size_t)(collection - store.collections);
}

static inline bp_status missing(bp_call *of, bp_str name)
{
    return bp_fail(of, BP_NOT_FOUND, "no collection of %zu letters here", name.len);
}

static inline bp_status fake_create(bp_call *of, void *self, bp_str name,
                                    const bp_vector_schema *schema)
{
    struct fake_collection *found = find_fake(name);

    (void)self;
    BP_TRY(failure_of(of, CREATE));
    if (found && found->owner[0] && !bp_str_is(bp_vector_owner(schema), found->owner))
        return bp_fail(of, BP_CONFLICT, "it is of %s", found->owner);
    if (found &&
        (!bp_str_is(schema->model, found->model) || !bp_str_is(schema->language, found->language) ||
         schema->dimensions != found->dimensions || schema->metric != found->metric))
        return bp_fail(of, BP_CONFLICT, "it has another schema");
    if (!found) {
        assert_true(store.count < 16);
        found = &store.collections[store.count++];
        found->is_there = true;
        found->dimensions = schema->dimensions;
        found->metric = schema->metric;
        snprintf(found->name, sizeof(found->name), BP_FMT, BP_ARG(name));
        snprintf(found->model, sizeof(found->model), BP_FMT, BP_ARG(schema->model));
        snprintf(found->language, sizeof(found->language), BP_FMT, BP_ARG(schema->language));
        note("create C%zu %s %s %u %u\n", number_of(found), found->model, found->language,
             found->dimensions, found->metric);
    }
    snprintf(found->owner, sizeof(found->owner), BP_FMT, BP_ARG(bp_vector_owner(schema)));
    return BP_OK;
}

static inline void empty_fake(struct fake_collection *collection)
{
    for (size_t i = 0; i < collection->count; i++) {
        free(collection->points[i].words);
        free(collection->points[i].metadata);
    }
    collection->count = 0;
}

static inline bp_status fake_drop(bp_call *of, void *self, bp_str name)
{
    struct fake_collection *found = find_fake(name);

    (void)self;
    BP_TRY(failure_of(of, DROP));
    if (!found)
        return missing(of, name);
    note("drop C%zu\n", number_of(found));
    empty_fake(found);
    found->is_there = false;
    return BP_OK;
}

static inline struct fake_point *place_in(struct fake_collection *collection, uint64_t id)
{
    size_t at = 0;

    while (at < collection->count && collection->points[at].id < id)
        at++;
    return &collection->points[at];
}

static inline bool is_at(const struct fake_collection *collection, const struct fake_point *place,
                         uint64_t id)
{
    return place < collection->points + collection->count && place->id == id;
}

static inline void put_point(struct fake_collection *collection, uint64_t id, bool has_vector,
                             bp_str words, bp_str metadata)
{
    struct fake_point *place = place_in(collection, id);
    size_t             behind = collection->count - (size_t)(place - collection->points);

    if (is_at(collection, place, id)) {
        free(place->words);
        free(place->metadata);
    } else {
        assert_true(collection->count < FAKE_POINTS);
        memmove(place + 1, place, behind * sizeof(*place));
        collection->count++;
    }
    *place = (struct fake_point){ id, has_vector, strndup(words.data, words.len),
                                  strndup(metadata.data, metadata.len) };
}

static inline void take_point(struct fake_collection *collection, uint64_t id)
{
    struct fake_point *place = place_in(collection, id);

    if (!is_at(collection, place, id))
        return;
    free(place->words);
    free(place->metadata);
    collection->count--;
    memmove(place, place + 1,
            (collection->count - (size_t)(place - collection->points)) * sizeof(*place));
}

static inline bp_status fake_upsert(bp_call *of, void *self, bp_str name, const bp_point *points,
                                    size_t size, size_t count)
{
    struct fake_collection *found = find_fake(name);

    (void)self;
    assert_int_equal(size, sizeof(bp_point));
    BP_TRY(failure_of(of, UPSERT));
    if (!found)
        return missing(of, name);
    for (size_t i = 0; i < count; i++)
        if (store.bad && points[i].words.len && strstr(points[i].words.data, store.bad))
            return bp_fail(of, BP_INVALID, "the store wants no %s", store.bad);
    if (store.meanwhile)
        assert_ok(bp_storage_exec(of, testhost_peer(storage), NULL,
                                  &(bp_statement){ .struct_size = sizeof(bp_statement),
                                                   .sql = bp_str_of(store.meanwhile) },
                                  NULL));
    store.meanwhile = NULL;
    note("upsert C%zu", number_of(found));
    for (size_t i = 0; i < count; i++) {
        note(" %llu", (unsigned long long)points[i].id);
        put_point(found, points[i].id, points[i].vector != NULL, points[i].words,
                  points[i].metadata);
    }
    note("\n");
    return BP_OK;
}

static inline bp_status fake_remove(bp_call *of, void *self, bp_str name, const uint64_t *ids,
                                    size_t count, const bp_filter *filter, uint64_t *removed)
{
    struct fake_collection *found = find_fake(name);

    (void)self;
    assert_null(filter);
    assert_null(removed);
    BP_TRY(failure_of(of, REMOVE));
    if (!found)
        return missing(of, name);
    note("remove C%zu", number_of(found));
    for (size_t i = 0; i < count; i++) {
        note(" %llu", (unsigned long long)ids[i]);
        take_point(found, ids[i]);
    }
    note("\n");
    return BP_OK;
}

static inline void note_value(const bp_value *value)
{
    if (value->type == BP_VALUE_STRING)
        note("'" BP_FMT "'", BP_ARG(value->text));
    else if (value->type == BP_VALUE_BOOL)
        note("%s", value->number != 0 ? "true" : "false");
    else
        note("%g", value->number);
    if (value->is_integer)
        note("=" BP_FMT, BP_ARG(value->text));
}

static inline void note_filter(const bp_filter *filter)
{
    static const char *const names[] = { "?",     "and",    "or",     "not", "in",
                                         "range", "prefix", "exists", "gone" };

    note("%s(" BP_FMT, names[filter->op], BP_ARG(filter->field));
    for (size_t i = 0; i < filter->child_count; i++) {
        note(i ? ", " : "");
        note_filter(filter->children[i]);
    }
    for (size_t i = 0; i < filter->value_count; i++) {
        note(" ");
        note_value(&filter->values[i]);
    }
    if (filter->op == BP_FILTER_RANGE) {
        note(" %s%g", filter->is_low_exclusive ? "]" : "[", filter->low);
        if (filter->is_low_integer)
            note("=%lld", (long long)filter->low_integer);
        note(" %g", filter->high);
        if (filter->is_high_integer)
            note("=%lld", (long long)filter->high_integer);
        note("%s", filter->is_high_exclusive ? "[" : "]");
    }
    note(")");
}

static inline bp_status fake_search(bp_call *of, void *self, const bp_vector_query *query,
                                    bp_leg *by_vector, bp_leg *by_words)
{
    struct fake_collection *found = find_fake(query->collection);

    (void)self;
    BP_TRY(failure_of(of, SEARCH));
    if (!found)
        return missing(of, query->collection);
    note("search C%zu limit %u words \"" BP_FMT "\" dimensions %u", number_of(found), query->limit,
         BP_ARG(query->words), query->vector ? query->dimensions : 0);
    if (query->filter) {
        note(" filter ");
        note_filter(query->filter);
    }
    note("\n");
    testhost_advance(store.search_takes_ns);
    if (query->vector)
        *by_vector = (bp_leg){ .struct_size = sizeof(bp_leg),
                               .mode = BP_SEARCH_GRAPH,
                               .hits = store.by_vector,
                               .hit_count = store.vector_count,
                               .rows_read = 7 };
    if (query->words.len)
        *by_words = (bp_leg){ .struct_size = sizeof(bp_leg),
                              .mode = BP_SEARCH_EXACT,
                              .hits = store.by_words,
                              .hit_count = store.words_count,
                              .is_rank_only = store.is_rank_only,
                              .rows_read = 100 };
    return BP_OK;
}

static inline bp_status fake_count(bp_call *of, void *self, bp_str name, const bp_filter *filter,
                                   uint64_t *count)
{
    struct fake_collection *found = find_fake(name);

    (void)self;
    assert_null(filter);
    BP_TRY(failure_of(of, COUNT));
    if (!found)
        return missing(of, name);
    *count = found->count;
    return BP_OK;
}

static inline bp_status fake_scroll(bp_call *of, void *self, bp_str name, const bp_filter *filter,
                                    uint64_t after, uint32_t limit, const bp_point_sink *sink)
{
    struct fake_collection *found = find_fake(name);
    uint32_t                given = 0;

    (void)self;
    assert_null(filter);
    BP_TRY(failure_of(of, SCROLL));
    if (!found)
        return missing(of, name);
    for (size_t i = 0; i < found->count && given < limit; i++) {
        bp_point point = { .struct_size = sizeof(point),
                           .id = found->points[i].id,
                           .words = bp_str_of(found->points[i].words),
                           .metadata = bp_str_of(found->points[i].metadata) };

        if (point.id <= after)
            continue;
        given++;
        BP_TRY(sink->point(of, sink->self, &point));
    }
    return BP_OK;
}

static inline bp_status fake_owner(bp_call *of, void *self, bp_str name, bp_str *owner)
{
    struct fake_collection *found = find_fake(name);

    (void)self;
    BP_TRY(failure_of(of, OWNER));
    if (!found)
        return missing(of, name);
    *owner = bp_str_of(found->owner);
    return BP_OK;
}

static const bp_vector_ops store_ops = { .struct_size = sizeof(bp_vector_ops),
                                         .create = fake_create,
                                         .drop = fake_drop,
                                         .upsert = fake_upsert,
                                         .remove = fake_remove,
                                         .search = fake_search,
                                         .count = fake_count,
                                         .scroll = fake_scroll,
                                         .owner = fake_owner };

/* ---- the embedder ---- */

static struct fake_embedder {
    const char *model, *bad; /* texts with `bad` are BP_INVALID, those with "%" have no direction */
    uint32_t    dimensions, made_dimensions, max_batch, max_tokens;
    bool        is_lexical;
} words;

static inline bp_status fake_info(bp_call *of, void *self, bp_embed_info *info)
{
    (void)self;
    BP_TRY(failure_of(of, INFO));
    info->dimensions = words.dimensions;
    info->max_tokens = words.max_tokens;
    info->max_batch = words.max_batch;
    info->model = bp_str_of(words.model);
    info->is_lexical = words.is_lexical;
    return BP_OK;
}

/* The direction is that of the last dimension, so that all of them must be looked at. */
static inline bp_status fake_embed(bp_call *of, void *self, const bp_embed_request *request,
                                   bp_embeddings *embeddings)
{
    uint32_t dimensions = words.made_dimensions ? words.made_dimensions : words.dimensions;
    float   *vectors = BP_NEW_ARRAY(of, float, request->count *dimensions);

    (void)self;
    BP_TRY(failure_of(of, EMBED));
    if (!vectors)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < request->count; i++)
        if (words.bad && strstr(request->texts[i].data, words.bad))
            return bp_fail(of, BP_INVALID, "the embedder wants no %s", words.bad);
    note("embed %s", request->purpose == BP_EMBED_QUERY ? "query" : "passages");
    for (size_t i = 0; i < request->count; i++) {
        note(" [" BP_FMT "]", BP_ARG(request->texts[i]));
        for (uint32_t d = 0; d < dimensions; d++)
            vectors[i * dimensions + d] = d + 1 == dimensions &&
                                                  !strchr(request->texts[i].data, '%')
                                              ? 1.0f
                                              : 0.0f;
    }
    note("\n");
    *embeddings = (bp_embeddings){ .struct_size = sizeof(*embeddings),
                                   .dimensions = dimensions,
                                   .vectors = vectors,
                                   .count = request->count };
    return BP_OK;
}

static const bp_embed_ops embed_ops = { .struct_size = sizeof(bp_embed_ops),
                                        .info = fake_info,
                                        .embed = fake_embed };

/* ---- the providers ---- */

struct fake_writer {
    const char *name, *pieces[8]; /* a piece that begins with "?" is reasoning */
    bp_status   status;           /* after the pieces */
    uint32_t    finish;
};
static struct fake_writer first_writer, second_writer;

static inline bp_status fake_chat(bp_call *of, void *self, const bp_chat *chat,
                                  const bp_chat_sink *sink, bp_chat_result *result)
{
    static const char *const  roles[] = { "system", "user", "assistant", "tool" };
    const struct fake_writer *writer = self;

    note("chat %s %g %g %lld %zu\n", writer->name, chat->temperature, chat->top_p,
         (long long)chat->seed, chat->message_size == sizeof(bp_message) ? chat->message_count : 0);
    for (size_t i = 0; i < chat->message_count; i++)
        note("%s: " BP_FMT "\n", roles[chat->messages[i].role], BP_ARG(chat->messages[i].text));
    for (size_t i = 0; i < chat->passage_count; i++)
        note("passage " BP_FMT " (" BP_FMT ") %.4f: " BP_FMT "\n", BP_ARG(chat->passages[i].id),
             BP_ARG(chat->passages[i].title), chat->passages[i].score,
             BP_ARG(chat->passages[i].text));
    for (size_t i = 0; i < 8 && writer->pieces[i]; i++) {
        bool     is_thought = writer->pieces[i][0] == '?';
        bp_delta delta = { .struct_size = sizeof(delta),
                           .type = is_thought ? BP_DELTA_REASONING : BP_DELTA_TEXT,
                           .text = bp_str_of(writer->pieces[i]) };

        BP_TRY(sink->delta(of, sink->self, &delta));
    }
    if (writer->status != BP_OK)
        return bp_fail(of, writer->status, "%s fails on purpose", writer->name);
    result->finish = writer->finish;
    result->model = BP_STR("scribe-1");
    result->input_tokens = 11;
    result->output_tokens = 5;
    return BP_OK;
}

static const bp_llm_ops writer_ops = { .struct_size = sizeof(bp_llm_ops), .chat = fake_chat };

/* ---- the storage: the real one, which fails when a test says so ---- */

static struct {
    int       countdown; /* operations until one fails with BP_IO; 0: none fails */
    bool      has_failed;
    bp_status status; /* instead of BP_IO */
} broken;

static inline bp_status storage_failure(bp_call *of)
{
    if (broken.countdown == 0 || --broken.countdown > 0)
        return BP_OK;
    broken.has_failed = true;
    if (broken.status == BP_CANCELLED)
        testhost_cancel(of);
    return bp_fail(of, broken.status ? broken.status : BP_IO, "the storage fails on purpose");
}

static inline const bp_storage_ops *real_storage(void)
{
    return testhost_ops(storage);
}

static inline bp_status broken_exec(bp_call *of, void *self, bp_transaction *transaction,
                                    const bp_statement *statement, bp_rows *rows)
{
    BP_TRY(storage_failure(of));
    return real_storage()->exec(of, self, transaction, statement, rows);
}

static inline bp_status broken_batch(bp_call *of, void *self, const bp_statement *statements,
                                     size_t count, int64_t *changed)
{
    BP_TRY(storage_failure(of));
    return real_storage()->batch(of, self, statements, count, changed);
}

static inline bp_status broken_begin(bp_call *of, void *self, bp_transaction **transaction)
{
    BP_TRY(storage_failure(of));
    return real_storage()->begin(of, self, transaction);
}

static inline bp_status broken_commit(bp_call *of, void *self, bp_transaction *transaction)
{
    BP_TRY(storage_failure(of));
    return real_storage()->commit(of, self, transaction);
}

static inline bp_status broken_rollback(bp_call *of, void *self, bp_transaction *transaction)
{
    return real_storage()->rollback(of, self, transaction);
}

static inline bp_status broken_migrate(bp_call *of, void *self, bp_str owner,
                                       const bp_migration *migrations, size_t count)
{
    BP_TRY(storage_failure(of));
    return real_storage()->migrate(of, self, owner, migrations, count);
}

static const bp_storage_ops broken_ops = { .struct_size = sizeof(bp_storage_ops),
                                           .exec = broken_exec,
                                           .batch = broken_batch,
                                           .begin = broken_begin,
                                           .commit = broken_commit,
                                           .rollback = broken_rollback,
                                           .migrate = broken_migrate };

/* ---- as at the start ---- */

static inline void reset_fakes(void)
{
    for (size_t i = 0; i < store.count; i++)
        empty_fake(&store.collections[i]);
    memset(&store, 0, sizeof(store));
    memset(failures, 0, sizeof(failures));
    memset(&broken, 0, sizeof(broken));
    words = (struct fake_embedder){ .model = "m1", .dimensions = 3, .max_batch = 8 };
    first_writer = (struct fake_writer){ .name = "first" };
    second_writer = (struct fake_writer){ .name = "second" };
    forget();
}

#endif

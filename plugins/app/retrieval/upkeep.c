/* upkeep.c - keeps the vector store complete: adopts collections of older versions, rebuilds lost
 * ones, sweeps away deleted ones.
 *
 * One worker runs a round every `scan`. Now and then (`verify`, and whenever somebody met a loss)
 * it compares what the vector store has with what it should have: by count, and by a few passages
 * picked at random, since a store that evicts may go on counting points that are gone. Where
 * something is missing all ids are compared, and the documents they belong to are taken up again.
 */
#include <stdlib.h>

#include "retrieval.h"

enum {
    SPOT_CHECKS = 20,
    PAGE_IDS = 1000,
    SWEEP_DOCUMENTS = 200,
    SWEPT_AFTER_S = 60,
    NAMES_SHOWN = 3
};

/* ---- names and owners ---- */

bp_str upkeep_new_name(bp_call *call)
{
    uint8_t random[12];
    bp_buf *name = bp_buf_new(call, 64);

    bp_random(random, sizeof(random));
    bp_buf_add(name, BP_STR("c"));
    for (size_t i = 0; i < sizeof(random); i++)
        bp_buf_addf(name, "%02x", random[i]);
    return bp_buf_str(name);
}

static bp_status learn_deployment(bp_call *call, struct retrieval *self)
{
    bp_str id;

    if (self->deployment[0])
        return BP_OK;
    BP_TRY(bp_storage_deployment(call, self->storage, &id));
    if (id.len >= sizeof(self->deployment))
        return bp_fail(call, BP_DATA,
                       "the id of the deployment in storage \"" BP_FMT "\" is too long",
                       BP_ARG(self->storage->name));
    memcpy(self->deployment, id.data, id.len);
    return BP_OK;
}

static bp_vector_schema schema_of(const struct retrieval *self, const struct collection *collection)
{
    return (bp_vector_schema){ .struct_size = sizeof(bp_vector_schema),
                               .metric = BP_COSINE,
                               .dimensions = (uint32_t)collection->dimensions,
                               .model = collection->model,
                               .language = collection->language,
                               .owner = bp_str_of(self->deployment) };
}

static bp_status create(bp_call *call, struct retrieval *self, const struct collection *collection)
{
    bp_vector_schema schema;

    BP_TRY(learn_deployment(call, self));
    schema = schema_of(self, collection);
    return bp_vector_of(self->vector)
        ->create(call, self->vector->instance, collection->vector_name, &schema);
}

/* ---- builds ---- */

static const char *const update_sql[] = {
    // One that has lost points stays so until the build is done, even if another build is asked for
    // meanwhile.
    [BUILD_REFRESH] = "UPDATE retrieval_collections SET build = build + 1, state = CASE WHEN state "
                      "= 1 THEN 1 ELSE 2 END, reason = $3 WHERE id = $1 AND build = $2 RETURNING "
                      "id",
    [BUILD_REFILL] = "UPDATE retrieval_collections SET build = build + 1, state = 1, reason = $3 "
                     "WHERE id = $1 AND build = $2 RETURNING id",
    [BUILD_ANEW] = "UPDATE retrieval_collections SET build = build + 1, state = 1, reason = $3, "
                   "vector_name = $4, model = $5, dimensions = $6 WHERE id = $1 AND build = $2 "
                   "RETURNING id",
};

struct rebuilding {
    struct retrieval  *self;
    struct collection *collection;
    enum build_kind    kind;
    bp_str             reason, new_name, model;
    int64_t            dimensions;
    bool               is_begun;
};

static bp_status begin_build(bp_call *call, bp_transaction *transaction, void *arg)
{
    struct rebuilding *r = arg;
    bp_sql_value       values[] = { bp_sql_int(r->collection->id), bp_sql_int(r->collection->build),
                                    bp_sql_text(r->reason),        bp_sql_text(r->new_name),
                                    bp_sql_text(r->model),         bp_sql_int(r->dimensions) };
    bp_statement       statement = { .struct_size = sizeof(statement),
                                     .parameter_count = r->kind == BUILD_ANEW ? 6 : 3,
                                     .sql = bp_str_of(update_sql[r->kind]),
                                     .parameters = values };
    bp_rows            rows;

    BP_TRY(bp_storage_exec(call, r->self->storage, transaction, &statement, &rows));
    r->is_begun = rows.row_count == 1;
    if (!r->is_begun || r->kind != BUILD_ANEW || !r->collection->vector_name.len)
        return BP_OK;
    return bp_storage_exec(call, r->self->storage, transaction,
                           BP_SQL("INSERT INTO retrieval_drops (vector_name, collection_id, "
                                  "since_wall_ns) VALUES ($1, 0, $2) ON CONFLICT (vector_name) DO "
                                  "NOTHING",
                                  bp_sql_text(r->collection->vector_name),
                                  bp_sql_int(bp_wall_ns())),
                           NULL);
}

bp_status upkeep_read_again(bp_call *call, struct retrieval *self, struct collection *collection)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT " COLLECTION_COLUMNS
                                  " FROM retrieval_collections WHERE id = $1",
                                  bp_sql_int(collection->id)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND, "the collection \"" BP_FMT "\" was deleted meanwhile",
                       BP_ARG(collection->name));
    collection_take_row(call, &rows, 0, collection);
    return BP_OK;
}

bp_status upkeep_rebuild(bp_call *call, struct retrieval *self, struct collection *collection,
                         enum build_kind kind, bp_str reason)
{
    struct rebuilding r = {
        .self = self, .collection = collection, .kind = kind, .reason = bp_dup(call, reason)
    };

    BP_TRY(learn_deployment(call, self));
    if (kind == BUILD_ANEW) {
        BP_TRY(embedder_learn(call, self->embed, &self->embedder));
        r.new_name = upkeep_new_name(call);
        r.model = self->embedder.info.model;
        r.dimensions = self->embedder.info.dimensions;
    }
    BP_TRY(bp_storage_transact(call, self->storage, begin_build, &r));
    if (r.is_begun)
        bp_log_event(call, BP_LOG_WARN, "collection_rebuild",
                     bp_format(call,
                               "the collection \"" BP_FMT
                               "\" is being rebuilt from the stored texts: " BP_FMT,
                               BP_ARG(collection->name), BP_ARG(r.reason)),
                     (bp_field[]){ bp_field_str("collection", collection->name) }, 1);
    BP_TRY(upkeep_read_again(call, self, collection));
    if (collection->vector_name.len)
        BP_TRY(create(call, self, collection));
    atomic_store(&self->shared->is_upkeep_due, true);
    return BP_OK;
}

bp_status upkeep_lost(bp_call *call, struct retrieval *self, const struct collection *collection)
{
    struct collection now = *collection;

    bp_clear_error(call);
    BP_TRY(upkeep_read_again(call, self, &now));
    if (!bp_str_equal(now.vector_name, collection->vector_name))
        return bp_fail(call, BP_UNAVAILABLE,
                       "the collection \"" BP_FMT "\" is being rebuilt: ask again",
                       BP_ARG(now.name));
    // The first call that met the loss began the build; for the others it is enough that the
    // collection is there again.
    if (now.build != collection->build)
        return create(call, self, &now);
    return upkeep_rebuild(call, self, &now, BUILD_REFILL,
                          bp_format(call, "the vector store \"" BP_FMT "\" had lost it",
                                    BP_ARG(self->vector->name)));
}

bp_status upkeep_progress(bp_call *call, struct retrieval *self,
                          const struct collection *collection, int64_t *behind, int64_t *all)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT (SELECT COUNT(*) FROM retrieval_documents WHERE "
                                  "collection_id = $1 AND build < $2 AND state = 1), (SELECT "
                                  "COUNT(*) FROM retrieval_documents WHERE collection_id = $1)",
                                  bp_sql_int(collection->id), bp_sql_int(collection->build)),
                           &rows));
    *behind = rows.row_count ? bp_row(&rows, 0)[0].integer : 0;
    *all = rows.row_count ? bp_row(&rows, 0)[1].integer : 0;
    return BP_OK;
}

/* ---- adopting ---- */

bp_status upkeep_count_passages(bp_call *call, struct retrieval *self,
                                const struct collection *collection, int64_t *count)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT COUNT(*) FROM retrieval_documents d JOIN "
                                  "retrieval_chunks c ON c.document_id = d.id WHERE "
                                  "d.collection_id = $1 AND d.build = $2 AND d.state = 1",
                                  bp_sql_int(collection->id), bp_sql_int(collection->build)),
                           &rows));
    *count = rows.row_count ? bp_row(&rows, 0)[0].integer : 0;
    return BP_OK;
}

struct passages {
    struct retrieval        *self;
    const struct collection *collection;
};

static bp_status words_of_passage(bp_call *call, void *app, uint64_t id, bp_str *words)
{
    const struct passages *passages = app;
    const bp_sql_value    *row;
    bp_rows                rows;

    BP_TRY(bp_storage_exec(call, passages->self->storage, NULL,
                           BP_SQL("SELECT d.title, c.heading, c.body FROM retrieval_chunks c JOIN "
                                  "retrieval_documents d ON d.id = c.document_id WHERE c.id = $1 "
                                  "AND d.collection_id = $2",
                                  bp_sql_int((int64_t)id), bp_sql_int(passages->collection->id)),
                           &rows));
    if (rows.row_count == 0)
        return BP_NOT_FOUND;
    row = bp_row(&rows, 0);
    *words = index_words(call, row[0].text, row[1].text, row[2].text);
    return BP_OK;
}

/* Of a collection without a mark: by the number of its points, and by the words of some. *reason:
 * empty when it is ours. */
static bp_status look_at_unmarked(bp_call *call, struct retrieval *self,
                                  const struct collection *collection, bp_str name, uint64_t points,
                                  bp_str *reason)
{
    struct passages  passages = { self, collection };
    struct own_words own = { words_of_passage, &passages, 0 };
    int64_t          count = 0;
    bp_rows          rows;
    bool             is_own = false;

    *reason = (bp_str){ NULL, 0 };
    BP_TRY(upkeep_count_passages(call, self, collection, &count));
    if ((uint64_t)count != points) {
        *reason = bp_format(call,
                            "it has %lld passages, and there are %llu points under its name "
                            "\"" BP_FMT "\", which may be "
                            "another deployment's and are left alone",
                            (long long)count, (unsigned long long)points, BP_ARG(name));
        return BP_OK;
    }
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("SELECT COALESCE(MAX(id), 0) FROM retrieval_chunks"), &rows));
    own.middle = rows.row_count ? bp_row(&rows, 0)[0].integer / 2 : 0;
    BP_TRY(embedder_is_own_work(call, self->vector, name, &own, &is_own));
    if (!is_own)
        *reason = bp_format(call,
                            "the points under its name \"" BP_FMT
                            "\" have other words than its passages: they may be another "
                            "deployment's and are left alone",
                            BP_ARG(name));
    return BP_OK;
}

/* The name under which older versions kept the collection: made of a number that every database
 * gives. Whether the points are ours is decided before they are marked: what another deployment may
 * have written is neither taken nor dropped. */
static bp_status adopt(bp_call *call, struct retrieval *self, struct collection *collection)
{
    bp_str name = bp_format(call, "c%lld", (long long)collection->id), owner = { NULL, 0 }, reason;
    bp_vector_schema schema = schema_of(self, collection);
    uint64_t         points = 0;
    bp_status        status = bp_vector_of(self->vector)
                           ->count(call, self->vector->instance, name, NULL, &points);

    if (status == BP_OK)
        status = bp_vector_owner_of(call, self->vector, name, &owner);
    if (status == BP_OK && owner.len && !bp_str_is(owner, self->deployment))
        status = bp_fail(call, BP_CONFLICT,
                         "the collection \"" BP_FMT "\" of vector store \"" BP_FMT
                         "\", which was used for it so far, belongs to the deployment " BP_FMT,
                         BP_ARG(name), BP_ARG(self->vector->name), BP_ARG(owner));
    if (status == BP_OK && !owner.len) {
        BP_TRY(look_at_unmarked(call, self, collection, name, points, &reason));
        if (reason.len)
            return upkeep_rebuild(call, self, collection, BUILD_ANEW, reason);
    }
    if (status == BP_OK)
        status = bp_vector_of(self->vector)->create(call, self->vector->instance, name, &schema);
    if (status == BP_NOT_FOUND || status == BP_CONFLICT) {
        reason = bp_dup(call, bp_error_of(call)->message);
        bp_clear_error(call);
        return upkeep_rebuild(call, self, collection, BUILD_ANEW, reason);
    }
    BP_TRY(status);
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("UPDATE retrieval_collections SET vector_name = $2 WHERE id = $1 "
                                  "AND vector_name = ''",
                                  bp_sql_int(collection->id), bp_sql_text(name)),
                           NULL));
    return upkeep_read_again(call, self, collection);
}

bp_status upkeep_open(bp_call *call, struct retrieval *self, struct collection *collection)
{
    bp_status status;
    bp_str    reason;

    BP_TRY(learn_deployment(call, self));
    if (!collection->vector_name.len)
        return adopt(call, self, collection);
    status = create(call, self, collection);
    if (status != BP_CONFLICT)
        return status;
    reason = bp_dup(call, bp_error_of(call)->message);
    bp_clear_error(call);
    return upkeep_rebuild(call, self, collection, BUILD_ANEW, reason);
}

/* ---- comparing all ids ---- */

struct comparing {
    struct retrieval        *self;
    const struct collection *collection;
    struct verified         *verified;
    uint64_t                *points;
    size_t                   point_count;
    uint64_t                 after; /* of the points */
    bool                     is_last;
};

static bp_status take_id(bp_call *call, void *arg, const bp_point *point)
{
    struct comparing *c = arg;

    (void)call;
    if (c->point_count < PAGE_IDS)
        c->points[c->point_count++] = point->id;
    return BP_OK;
}

static bp_status next_points(bp_call *call, struct comparing *c)
{
    const bp_point_sink sink = { .struct_size = sizeof(sink), .point = take_id, .self = c };

    c->point_count = 0;
    BP_TRY(bp_vector_of(c->self->vector)
               ->scroll(call, c->self->vector->instance, c->collection->vector_name, NULL, c->after,
                        PAGE_IDS, &sink));
    c->is_last = c->point_count < PAGE_IDS;
    if (c->point_count)
        c->after = c->points[c->point_count - 1];
    c->verified->points += (int64_t)c->point_count;
    return BP_OK;
}

/* SIZE_MAX: it is not there. */
static size_t place_of(const struct comparing *c, uint64_t id)
{
    for (size_t low = 0, high = c->point_count; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (c->points[middle] == id)
            return middle;
        if (c->points[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

static bp_status take_up_document(bp_call *call, struct comparing *c, int64_t document)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, c->self->storage, NULL,
                           BP_SQL("UPDATE retrieval_documents SET build = -1 WHERE id = $1 AND "
                                  "state = 1 AND build >= 0 RETURNING id",
                                  bp_sql_int(document)),
                           &rows));
    c->verified->documents += (int64_t)rows.row_count;
    return BP_OK;
}

struct looking {
    const struct comparing *comparing;
    const bool             *is_known;
    uint64_t               *needless;
    size_t                  count;
};

static bp_status look_once_more(bp_call *call, bp_transaction *transaction, void *arg)
{
    struct looking         *l = arg;
    const struct comparing *c = l->comparing;

    l->count = 0;
    for (size_t i = 0; i < c->point_count; i++) {
        bp_rows rows;

        if (l->is_known[i])
            continue;
        BP_TRY(bp_storage_exec(call, c->self->storage, transaction,
                               BP_SQL("SELECT c.id FROM retrieval_chunks c JOIN "
                                      "retrieval_documents d ON d.id = ABS(c.document_id) WHERE "
                                      "c.id = $1 AND d.collection_id = $2",
                                      bp_sql_int((int64_t)c->points[i]),
                                      bp_sql_int(c->collection->id)),
                               &rows));
        if (rows.row_count == 0)
            l->needless[l->count++] = c->points[i];
    }
    return BP_OK;
}

/* Points without a passage. The row is looked for once more, as it may have come since; in a
 * transaction, as a replica may not have it yet. */
static bp_status remove_needless(bp_call *call, struct comparing *c, const bool *is_known)
{
    struct looking looking = { .comparing = c,
                               .is_known = is_known,
                               .needless = BP_NEW_ARRAY(call, uint64_t, c->point_count + 1) };
    size_t         unknown = 0;

    if (!looking.needless)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < c->point_count; i++)
        unknown += !is_known[i];
    if (!unknown)
        return BP_OK;
    BP_TRY(bp_storage_transact(call, c->self->storage, look_once_more, &looking));
    if (!looking.count)
        return BP_OK;
    c->verified->needless += (int64_t)looking.count;
    return bp_vector_of(c->self->vector)
        ->remove(call, c->self->vector->instance, c->collection->vector_name, looking.needless,
                 looking.count, NULL, NULL);
}

/* One page of points, and the passages from behind the page before to its end. The passages are
 * read first: the points of a document are written before it is ready, so none of them can be
 * missing by chance. */
static bp_status compare_page(bp_call *call, struct comparing *c)
{
    uint64_t from = c->after;
    bool    *is_known = BP_NEW_ARRAY(call, bool, PAGE_IDS + 1);
    int64_t  after = (int64_t)from;

    c->points = BP_NEW_ARRAY(call, uint64_t, PAGE_IDS + 1);
    if (!is_known || !c->points)
        return BP_NO_MEMORY;
    BP_TRY(next_points(call, c));
    for (size_t rows_read = PAGE_IDS; rows_read == PAGE_IDS;) {
        bp_rows rows;

        BP_TRY(
            bp_storage_exec(call, c->self->storage, NULL,
                            // CROSS: SQLite then begins with the chunks: their ids bound the page
                            BP_SQL("SELECT c.id, c.document_id FROM retrieval_chunks c CROSS JOIN "
                                   "retrieval_documents d WHERE d.id = c.document_id AND c.id > $2 "
                                   "AND c.id <= $3 AND d.collection_id = $1 AND d.state = 1 AND "
                                   "d.build = $4 ORDER BY c.id LIMIT 1000",
                                   bp_sql_int(c->collection->id), bp_sql_int(after),
                                   bp_sql_int(c->is_last ? INT64_MAX : (int64_t)c->after),
                                   bp_sql_int(c->collection->build)),
                            &rows));
        rows_read = rows.row_count;
        for (size_t i = 0; i < rows_read; i++) {
            const bp_sql_value *row = bp_row(&rows, i);

            size_t place = place_of(c, (uint64_t)row[0].integer);

            c->verified->passages++;
            after = row[0].integer;
            if (place != SIZE_MAX) {
                is_known[place] = true;
                continue;
            }
            c->verified->missing++;
            BP_TRY(take_up_document(call, c, row[1].integer));
        }
    }
    return remove_needless(call, c, is_known);
}

bp_status upkeep_verify(bp_call *call, struct retrieval *self, const struct collection *collection,
                        struct verified *verified)
{
    struct comparing c = { .self = self, .collection = collection, .verified = verified };

    *verified = (struct verified){ 0 };
    while (!c.is_last) {
        bp_status status;

        BP_TRY(bp_scratch_begin(call));
        status = compare_page(call, &c);
        bp_scratch_end(call);
        BP_TRY(status);
    }
    if (verified->documents)
        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("UPDATE retrieval_collections SET state = 1, reason = $2 "
                                      "WHERE id = $1 AND state <> 1",
                                      bp_sql_int(collection->id),
                                      bp_sql_text(bp_format(call,
                                                            "the vector store \"" BP_FMT
                                                            "\" had lost %lld of its passages",
                                                            BP_ARG(self->vector->name),
                                                            (long long)verified->missing))),
                               NULL));
    return BP_OK;
}

/* ---- comparing a little ---- */

/* A few passages, wherever chance points. *is_missing: the vector store does not have one of them.
 */
static bp_status check_spots(bp_call *call, struct retrieval *self,
                             const struct collection *collection, bool *is_missing)
{
    uint64_t         wanted[1];
    struct verified  verified = { 0 };
    struct comparing c = { .self = self, .collection = collection, .verified = &verified };
    bp_rows          range;

    *is_missing = false;
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM "
                                   "retrieval_chunks"),
                           &range));
    c.points = BP_NEW_ARRAY(call, uint64_t, PAGE_IDS);
    if (!c.points)
        return BP_NO_MEMORY;
    for (int i = 0; i < SPOT_CHECKS && range.row_count && !*is_missing; i++) {
        const bp_point_sink sink = { .struct_size = sizeof(sink), .point = take_id, .self = &c };
        uint64_t            low = (uint64_t)bp_row(&range, 0)[0].integer,
                 high = (uint64_t)bp_row(&range, 0)[1].integer;
        bp_rows rows;

        bp_random(wanted, sizeof(wanted));
        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("SELECT c.id FROM retrieval_chunks c CROSS JOIN "
                                      "retrieval_documents d WHERE d.id = c.document_id AND c.id "
                                      ">= $2 AND c.id < $2 + 1000 AND d.collection_id = $1 AND "
                                      "d.state = 1 AND d.build = $3 ORDER BY c.id LIMIT 1",
                                      bp_sql_int(collection->id),
                                      bp_sql_int((int64_t)(low + wanted[0] % (high - low + 1))),
                                      bp_sql_int(collection->build)),
                               &rows));
        if (rows.row_count == 0)
            continue;
        c.point_count = 0;
        BP_TRY(bp_vector_of(self->vector)
                   ->scroll(call, self->vector->instance, collection->vector_name, NULL,
                            (uint64_t)bp_row(&rows, 0)[0].integer - 1, 1, &sink));
        if (c.point_count && c.points[0] == (uint64_t)bp_row(&rows, 0)[0].integer)
            continue;
        // It may have been deleted in between.
        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("SELECT id FROM retrieval_chunks WHERE id = $1 AND "
                                      "document_id > 0",
                                      bp_sql_int(bp_row(&rows, 0)[0].integer)),
                               &rows));
        *is_missing = rows.row_count > 0;
    }
    return BP_OK;
}

static bp_status compare_some(bp_call *call, struct retrieval *self, struct collection *collection)
{
    int64_t         before, after;
    uint64_t        points = 0;
    bool            is_missing = false;
    struct verified verified;

    BP_TRY(upkeep_count_passages(call, self, collection, &before));
    BP_TRY(bp_vector_of(self->vector)
               ->count(call, self->vector->instance, collection->vector_name, NULL, &points));
    BP_TRY(upkeep_count_passages(call, self, collection,
                                 &after)); // fewer where some were deleted in between
    after = after < before ? after : before;
    if (after > 0 && points == 0)
        return upkeep_rebuild(call, self, collection, BUILD_REFILL,
                              bp_format(call,
                                        "the vector store \"" BP_FMT
                                        "\" had lost its %lld passages",
                                        BP_ARG(self->vector->name), (long long)after));
    if ((uint64_t)after <= points)
        BP_TRY(check_spots(call, self, collection, &is_missing));
    if ((uint64_t)after <= points && !is_missing)
        return BP_OK;
    BP_TRY(upkeep_verify(call, self, collection, &verified));
    if (verified.missing)
        bp_log_event(call, BP_LOG_WARN, "points_missing",
                     bp_format(call,
                               "the vector store \"" BP_FMT
                               "\" has lost %lld of %lld passages of the collection \"" BP_FMT
                               "\": %lld documents are being rebuilt",
                               BP_ARG(self->vector->name), (long long)verified.missing,
                               (long long)verified.passages, BP_ARG(collection->name),
                               (long long)verified.documents),
                     (bp_field[]){ bp_field_str("collection", collection->name),
                                   bp_field_int("missing", verified.missing) },
                     2);
    return BP_OK;
}

/* ---- points that are no longer needed ---- */

/* Documents of a collection that is gone, page by page, so that nobody waits long for the storage.
 */
static bp_status sweep_documents(bp_call *call, struct retrieval *self, int64_t collection,
                                 int64_t *swept)
{
    static const char *const texts[] = {
        "DELETE FROM retrieval_chunks WHERE document_id IN (SELECT -id FROM retrieval_documents "
        "WHERE collection_id = $1 ORDER BY build, id LIMIT 200)",
        "DELETE FROM retrieval_chunks WHERE document_id IN (SELECT id FROM retrieval_documents "
        "WHERE collection_id = $1 ORDER BY build, id LIMIT 200)",
        "DELETE FROM retrieval_versions WHERE document_id IN (SELECT id FROM retrieval_documents "
        "WHERE collection_id = $1 ORDER BY build, id LIMIT 200)",
        "DELETE FROM retrieval_documents WHERE id IN (SELECT id FROM retrieval_documents WHERE "
        "collection_id = $1 ORDER BY build, id LIMIT 200)",
    };
    enum { COUNT = sizeof(texts) / sizeof(texts[0]) };
    bp_sql_value id = bp_sql_int(collection);
    bp_statement statements[COUNT];
    int64_t      changed[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        statements[i] = (bp_statement){ .struct_size = sizeof(bp_statement),
                                        .parameter_count = 1,
                                        .sql = bp_str_of(texts[i]),
                                        .parameters = &id };
    *swept = 0;
    do {
        BP_TRY(bp_storage_batch(call, self->storage, statements, COUNT, changed));
        *swept += changed[COUNT - 1];
    } while (changed[COUNT - 1] > 0);
    return bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("DELETE FROM retrieval_garbage WHERE collection_id = $1", id),
                           NULL);
}

static bp_status sweep_points(bp_call *call, struct retrieval *self, bp_str name)
{
    bp_str    owner = { NULL, 0 };
    bp_status status = bp_vector_owner_of(call, self->vector, name, &owner);

    // Not ours any more, or never: a collection of an older version that another deployment took
    // for its own.
    if (status == BP_OK && owner.len && !bp_str_is(owner, self->deployment))
        return BP_OK;
    if (status == BP_OK)
        status = bp_vector_of(self->vector)->drop(call, self->vector->instance, name);
    if (status == BP_NOT_FOUND) {
        bp_clear_error(call);
        status = BP_OK;
    }
    return status;
}

/* An intake that was under way when the collection was deleted may commit a little later: the note
 * stays for a minute, and the documents are looked for once more before it goes. */
static bp_status sweep_one(bp_call *call, struct retrieval *self, const bp_sql_value *row)
{
    bool    is_old = row[2].integer < bp_wall_ns() - BP_SECONDS(SWEPT_AFTER_S);
    int64_t swept = 0;

    if (row[1].integer)
        BP_TRY(sweep_documents(call, self, row[1].integer, &swept));
    BP_TRY(sweep_points(call, self, row[0].text));
    if (swept || (row[1].integer && !is_old))
        return BP_OK;
    return bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("DELETE FROM retrieval_drops WHERE vector_name = $1",
                                  bp_sql_text(row[0].text)),
                           NULL);
}

bp_status upkeep_sweep(bp_call *call, struct retrieval *self)
{
    bp_rows   rows;
    bp_status first = BP_OK;

    BP_TRY(learn_deployment(call, self));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("SELECT vector_name, collection_id, since_wall_ns FROM "
                                   "retrieval_drops ORDER BY vector_name LIMIT 100"),
                           &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        bp_status status = sweep_one(call, self, bp_row(&rows, i));

        if (status == BP_OK)
            continue;
        BP_TRY(bp_cancelled(call));
        first = first == BP_OK ? status : first;
    }
    return first;
}

/* ---- the round ---- */

bool upkeep_is_of_another_embedder(const struct retrieval  *self,
                                   const struct collection *collection)
{
    return self->embedder.info.dimensions &&
           !bp_str_equal(collection->model, self->embedder.info.model);
}

/* Why a collection is not as it should be; empty: it is. */
static bp_status complaint_of(bp_call *call, struct retrieval *self,
                              const struct collection *collection, bp_str *complaint)
{
    int64_t behind, all;

    *complaint = bp_str_n(NULL, 0);
    if (upkeep_is_of_another_embedder(self, collection)) {
        *complaint = bp_format(call,
                               "collection \"" BP_FMT "\" was made with the embedder \"" BP_FMT
                               "\" and the conf has \"" BP_FMT
                               "\": it is searched by words alone until `backplane reindex "
                               "--collection " BP_FMT "`",
                               BP_ARG(collection->name), BP_ARG(collection->model),
                               BP_ARG(self->embedder.info.model), BP_ARG(collection->name));
        return BP_OK;
    }
    if (collection->state == COLLECTION_READY)
        return BP_OK;
    BP_TRY(upkeep_progress(call, self, collection, &behind, &all));
    *complaint = bp_format(call,
                           "collection \"" BP_FMT
                           "\" is being rebuilt, %lld of %lld documents are done: " BP_FMT,
                           BP_ARG(collection->name), (long long)(all - behind), (long long)all,
                           BP_ARG(collection->reason));
    return BP_OK;
}

static bp_status read_all(bp_call *call, struct retrieval *self, bp_rows *rows)
{
    return bp_storage_exec(call, self->storage, NULL,
                           BP_SQL0("SELECT " COLLECTION_COLUMNS
                                   " FROM retrieval_collections ORDER BY id"),
                           rows);
}

static bp_status report_health(bp_call *call, struct retrieval *self)
{
    bp_buf *sentences = bp_buf_new(call, 8192);
    size_t  count = 0;
    bp_rows rows;

    BP_TRY(read_all(call, self, &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        struct collection collection;
        bp_str            complaint;

        collection_take_row(call, &rows, i, &collection);
        BP_TRY(complaint_of(call, self, &collection, &complaint));
        if (!complaint.len || ++count > NAMES_SHOWN)
            continue;
        bp_buf_add(sentences, count > 1 ? BP_STR("; ") : BP_STR(""));
        bp_buf_add(sentences, complaint);
    }
    if (count > NAMES_SHOWN)
        bp_buf_addf(sentences, "; and %zu more", count - NAMES_SHOWN);
    bp_report_health(call, count ? BP_REPORT_DEGRADED : BP_REPORT_OK, bp_buf_str(sentences));
    return BP_OK;
}

static bp_status open_and_compare(bp_call *call, struct retrieval *self)
{
    bp_rows rows;

    BP_TRY(read_all(call, self, &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        struct collection collection, before;
        bp_status         status;

        collection_take_row(call, &rows, i, &collection);
        before = collection; // its strings outlive the scratch memory, into which the row may be
                             // read again
        if (upkeep_is_of_another_embedder(self, &collection) && collection.vector_name.len)
            continue;
        BP_TRY(bp_scratch_begin(call));
        status = upkeep_open(call, self, &collection);
        if (status == BP_OK && collection.state == COLLECTION_READY)
            status = compare_some(call, self, &collection);
        bp_scratch_end(call);
        if (status == BP_DATA) // its rest in the store cannot be used
            status = upkeep_rebuild(call, self, &before, BUILD_ANEW,
                                    bp_dup(call, bp_error_of(call)->message));
        if (status == BP_NOT_FOUND) // deleted meanwhile, here or there: the next look tells
            status = BP_OK;
        BP_TRY(status);
    }
    return BP_OK;
}

static bool is_due(const struct retrieval *self)
{
    return !self->verified_ns || atomic_load(&self->shared->is_upkeep_due) ||
           (self->verify_ns > 0 && bp_now_ns() - self->verified_ns >= self->verify_ns);
}

bp_status upkeep_round(bp_call *call, struct retrieval *self)
{
    // A loss is noticed, and said, also while the embedder cannot be asked.
    if (embedder_learn(call, self->embed, &self->embedder) != BP_OK)
        bp_clear_error(call);
    BP_TRY(bp_cancelled(call));
    BP_TRY(learn_deployment(call, self));
    if (upkeep_sweep(call, self) !=
        BP_OK) { // a store that lets nobody drop is no reason to leave the rest undone
        BP_TRY(bp_cancelled(call));
        bp_log(call, BP_LOG_WARN,
               "what deleted and rebuilt collections left in the vector store is swept "
               "later: " BP_FMT,
               BP_ARG(bp_error_of(call)->message));
        bp_clear_error(call);
    }
    if (is_due(self)) {
        bp_status status;

        atomic_store(&self->shared->is_upkeep_due, false);
        status = open_and_compare(call, self);
        if (status !=
            BP_OK) { // looked at again in the next round; the known facts are told meanwhile
            bp_str why = bp_dup(call, bp_error_of(call)->message);

            atomic_store(&self->shared->is_upkeep_due, true);
            BP_TRY(report_health(call, self));
            return bp_fail(call, status, BP_FMT, BP_ARG(why));
        }
        self->verified_ns = bp_now_ns();
    }
    BP_TRY(report_health(call, self));
    BP_TRY(take_up_all(call, self));
    return report_health(call, self);
}

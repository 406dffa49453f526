/* builds.c - what an operator asks for: a reindex, or a verification of a collection. The build
 * that either begins is long-lived work, seen at GET /runs/ID.
 *
 * The storage knows the rest of the build, so a run adds nothing but haste, progress and an end
 * that can be waited for: what a cancelled run or a stopped server leaves is taken up by the next
 * round of upkeep.c.
 */
#include "retrieval.h"

/* ---- the run ---- */

enum { STALLED_S = 600, PAUSE_S = 1, PAUSE_AWAY_S = 5 };

struct building {
    int64_t collection;
};

struct build {
    struct retrieval *self;
    bp_run           *run;
    int64_t           collection, done;
    int64_t           moved_ns; /* when a document was done last */
    bool              is_over;
};

static bp_status read_collection(bp_call *call, const struct build *build,
                                 struct collection *collection)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, build->self->storage, NULL,
                           BP_SQL("SELECT " COLLECTION_COLUMNS
                                  " FROM retrieval_collections WHERE id = $1",
                                  bp_sql_int(build->collection)),
                           &rows));
    if (!rows.row_count)
        return bp_fail(call, BP_NOT_FOUND, "the collection was deleted while it was being built");
    collection_take_row(call, &rows, 0, collection);
    return BP_OK;
}

/* Notes how far it is. */
static bp_status look(bp_call *call, struct build *build, const struct collection *collection,
                      int64_t *all)
{
    int64_t behind;

    BP_TRY(upkeep_progress(call, build->self, collection, &behind, all));
    if (collection->state == COLLECTION_READY)
        behind = 0;
    if (*all - behind != build->done)
        build->moved_ns = bp_now_ns();
    build->done = *all - behind;
    bp_run_progress(build->run, build->done, *all);
    build->is_over = collection->state == COLLECTION_READY;
    return BP_OK;
}

static bp_status end(bp_call *call, struct build *build, const struct collection *collection,
                     int64_t all)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);
    bp_str          json;

    bp_run_message(build->run, BP_STR(""));
    bp_json_object(w);
    bp_json_put_string(w, "collection", collection->name);
    bp_json_put_integer(w, "build", collection->build);
    bp_json_put_integer(w, "documents", all);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &json));
    return bp_run_result(call, build->run, json);
}

/* Takes up the documents that are behind, as far as possible now. */
static bp_status go_on(bp_call *call, struct build *build)
{
    struct collection collection;
    int64_t           all;

    BP_TRY(read_collection(call, build, &collection));
    BP_TRY(look(call, build, &collection, &all));
    if (!build->is_over) {
        BP_TRY(take_up_one(call, build->self, &collection, build->run, build->done, all));
        BP_TRY(read_collection(call, build, &collection));
        BP_TRY(look(call, build, &collection, &all));
    }
    return build->is_over ? end(call, build, &collection, all) : BP_OK;
}

/* A peer that is away is waited for, as long as it may come back. */
static bp_status bear(bp_call *call, struct build *build, bp_status status)
{
    if (!away_is(call, status) || bp_now_ns() - build->moved_ns > BP_SECONDS(STALLED_S))
        return status;
    bp_run_message(build->run, bp_error_of(call)->message);
    bp_clear_error(call);
    return bp_sleep(call, BP_SECONDS(PAUSE_AWAY_S));
}

static bp_status run_build(bp_call *call, void *instance, bp_run *run, void *argument)
{
    const struct building *building = argument;
    struct build           build = {
                  .self = instance, .run = run, .collection = building->collection, .moved_ns = bp_now_ns()
    };

    for (;;) {
        bp_status status = bp_scratch_begin(call); // a build may take hours

        if (status == BP_OK) {
            status = go_on(call, &build);
            bp_scratch_end(call);
        }
        if (status == BP_OK && build.is_over)
            return BP_OK;
        BP_TRY(status == BP_OK ? bp_sleep(call, BP_SECONDS(PAUSE_S)) : bear(call, &build, status));
        if (bp_now_ns() - build.moved_ns > BP_SECONDS(STALLED_S))
            return bp_fail(call, BP_UNAVAILABLE,
                           "no document was done for %d minutes: the server's log and /health say "
                           "why; the rest is taken up when that has passed",
                           STALLED_S / 60);
    }
}

/* *id is also that of one which the caller began before and which is under way. */
static bp_status build_begin(bp_call *call, const struct collection *collection, bp_str *id)
{
    struct building building = { .collection = collection->id };
    bp_str          wanted = bp_format(call, "build.%lld", (long long)collection->id);
    bp_run_spec     spec = { .struct_size = sizeof(spec),
                             .what = "build",
                             .work = run_build,
                             .argument = &building,
                             .argument_bytes = sizeof(building),
                             .id = wanted };
    bp_status       status = bp_run_begin(call, &spec, id);

    if (status != BP_CONFLICT)
        return status;
    bp_clear_error(call); // the caller's own run is at it
    *id = wanted;
    return BP_OK;
}

/* ---- reindex and verification ---- */

static void write_demanded(bp_json_writer *w, const struct demanded *demanded)
{
    const struct verified *verified = demanded->is_verified ? &demanded->verified : NULL;

    bp_json_object(w);
    bp_json_put_string(w, "collection", demanded->collection.name);
    bp_json_put_integer(w, "documents", demanded->documents);
    if (verified) {
        bp_json_put_integer(w, "passages", verified->passages);
        bp_json_put_integer(w, "points", verified->points);
        bp_json_put_integer(w, "missing", verified->missing);
        bp_json_put_integer(w, "needless", verified->needless);
    }
    bp_json_put_integer(w, "behind", demanded->behind);
    bp_json_put_integer(w, "build", demanded->collection.build);
    if (demanded->run.len)
        bp_json_put_string(w, "run", demanded->run);
    bp_json_end(w);
}

bp_status build_demanded_json(bp_call *call, const struct demanded *demanded, bp_str *json)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);

    write_demanded(w, demanded);
    return bp_json_done(call, w, json);
}

static bp_status respond(bp_call *call, bp_response *response, int32_t http_status,
                         const struct demanded *demanded)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);

    write_demanded(w, demanded);
    return bp_respond_json(call, response, http_status, w);
}

/* A store that has lost points answers by words alone while it is filled again; else what it has is
 * searched meanwhile. */
static bp_status kind_of_reindex(bp_call *call, struct retrieval *self,
                                 const struct collection *collection, enum build_kind *kind)
{
    uint64_t  points = 0;
    int64_t   passages;
    bp_status status;

    *kind = BUILD_ANEW;
    if (!bp_str_equal(collection->model, self->embedder.info.model) ||
        collection->dimensions != self->embedder.info.dimensions || !collection->vector_name.len)
        return BP_OK;
    status = bp_vector_of(self->vector)
                 ->count(call, self->vector->instance, collection->vector_name, NULL, &points);
    if (status == BP_NOT_FOUND)
        bp_clear_error(call);
    else
        BP_TRY(status);
    BP_TRY(upkeep_count_passages(call, self, collection, &passages));
    *kind = points < (uint64_t)passages ? BUILD_REFILL : BUILD_REFRESH;
    return BP_OK;
}

/* The build does not depend on the run: a round of upkeep takes up what no run could. */
static bp_status begin_build_of(bp_call *call, struct retrieval *self, struct demanded *demanded)
{
    const struct collection *collection = &demanded->collection;

    BP_TRY(upkeep_progress(call, self, collection, &demanded->behind, &demanded->documents));
    if (collection->state == COLLECTION_READY)
        return BP_OK;
    if (build_begin(call, collection, &demanded->run) == BP_OK)
        return BP_OK;
    BP_TRY(bp_cancelled(call));
    bp_log(call, BP_LOG_WARN,
           "the build of collection \"" BP_FMT "\" waits for the next round: " BP_FMT,
           BP_ARG(collection->name), BP_ARG(bp_error_of(call)->message));
    bp_clear_error(call);
    return BP_OK;
}

bp_status build_reindex(bp_call *call, struct retrieval *self, bp_str name,
                        struct demanded *demanded)
{
    struct collection *collection = &demanded->collection;
    enum build_kind    kind;

    *demanded = (struct demanded){ .is_verified = false };
    BP_TRY(collection_find(call, self, name, collection));
    BP_TRY(embedder_learn(call, self->embed, &self->embedder));
    BP_TRY(kind_of_reindex(call, self, collection, &kind));
    // Documents of older versions do not say how they were cut.
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("UPDATE retrieval_documents SET chunking = '?' WHERE "
                                  "collection_id = $1 AND chunking = ''",
                                  bp_sql_int(collection->id)),
                           NULL));
    // What could not be indexed is tried again: its text is here.
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("UPDATE retrieval_documents SET state = 2 WHERE state <> 1 AND "
                                  "state = 3 AND collection_id = $1",
                                  bp_sql_int(collection->id)),
                           NULL));
    BP_TRY(upkeep_rebuild(call, self, collection, kind,
                          kind != BUILD_ANEW
                              ? BP_STR("it was asked for")
                              : bp_format(call,
                                          "it was asked for, as the embedder is \"" BP_FMT "\" now",
                                          BP_ARG(self->embedder.info.model))));
    return begin_build_of(call, self, demanded);
}

bp_status build_verify_named(bp_call *call, struct retrieval *self, bp_str name,
                             struct demanded *demanded)
{
    struct collection *collection = &demanded->collection;
    bp_status          status;

    *demanded = (struct demanded){ .is_verified = true };
    BP_TRY(collection_find(call, self, name, collection));
    // Without the embedder a loss is told all the same.
    if (embedder_learn(call, self->embed, &self->embedder) != BP_OK)
        bp_clear_error(call);
    BP_TRY(bp_cancelled(call));
    if (upkeep_is_of_another_embedder(self, collection))
        return bp_fail(call, BP_CONFLICT,
                       "collection \"" BP_FMT "\" was made with another embedder than the conf "
                       "has: `backplane reindex --collection " BP_FMT "` rebuilds it",
                       BP_ARG(collection->name), BP_ARG(collection->name));
    BP_TRY(upkeep_open(call, self, collection));
    status = upkeep_verify(call, self, collection, &demanded->verified);
    if (status == BP_NOT_FOUND)
        status = upkeep_lost(call, self, collection);
    BP_TRY(status);
    BP_TRY(upkeep_read_again(call, self, collection));
    return begin_build_of(call, self, demanded);
}

bp_status reindex_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct demanded demanded;

    BP_TRY(build_reindex(call, instance, bp_request_path_value(request, "name"), &demanded));
    return respond(call, response, 202, &demanded);
}

bp_status verify_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct demanded demanded;

    BP_TRY(build_verify_named(call, instance, bp_request_path_value(request, "name"), &demanded));
    return respond(call, response, 200, &demanded);
}

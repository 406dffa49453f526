/* builds.c - a build of a collection as long-lived work: begun by a reindex or a verification, seen
 * at GET /runs/ID.
 *
 * The storage knows what is still to be built, so a run adds nothing but haste, progress and an end
 * that can be waited for: what a cancelled run or a stopped server leaves is taken up by the next
 * round of upkeep.c.
 */
#include "retrieval.h"

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

    bp_json_object(w);
    bp_json_put_string(w, "collection", collection->name);
    bp_json_put_integer(w, "build", collection->build);
    bp_json_put_integer(w, "documents", all);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &json));
    return bp_run_result(call, build->run, json);
}

/* Takes up what is behind, as far as that goes now. */
static bp_status go_on(bp_call *call, struct build *build)
{
    struct collection collection;
    int64_t           all;

    BP_TRY(read_collection(call, build, &collection));
    BP_TRY(look(call, build, &collection, &all));
    if (!build->is_over) {
        BP_TRY(take_up_one(call, build->self, &collection, build->run));
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
                           "why; what is left is taken up when that has passed",
                           STALLED_S / 60);
    }
}

bp_status build_begin(bp_call *call, const struct collection *collection, bp_str *id)
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

/* sides.c - starts the instances of both sides that take part in a move, and makes the tables of
 * the target. */
#include <sys/stat.h>

#include "transfer/parts.h"

struct choosing {
    const struct transfer *t;
    bool                   is_target;
};

static bool is_in_a_pair(const struct conf_instance *conf, void *arg)
{
    const struct choosing *choosing = arg;

    for (size_t i = 0; i < choosing->t->pair_count; i++) {
        const struct transfer_pair *pair = &choosing->t->pairs[i];

        if (strcmp(conf->kind, pair->kind) == 0 &&
            bp_str_equal(conf->name, choosing->is_target ? pair->to_name : pair->from_name) &&
            // of what stays where it is, only a storage is needed: for the books of its neighbours
            // and the tables of apps
            (!pair->is_same_place || (choosing->is_target && strcmp(pair->kind, "storage") == 0)))
            return true;
    }
    return false;
}

static bool is_storage_of_app(const struct conf_instance *conf, void *arg)
{
    (void)arg;
    return strcmp(conf->kind, "storage") == 0;
}

static bool find_instances(struct transfer *t)
{
    struct instance *books = NULL;

    for (size_t i = 0; i < t->pair_count; i++) {
        struct transfer_pair *pair = &t->pairs[i];

        pair->from = generation_find(t->from.generation, 0, bp_str_of(pair->kind), pair->from_name);
        pair->to = generation_find(t->to.generation, 0, bp_str_of(pair->kind), pair->to_name);
        if (strcmp(pair->kind, "storage") == 0) {
            pair->books = pair->to;
            books = books ? books : pair->to;
        } else {
            pair->books = books;
        }
        if (!pair->is_same_place &&
            (!pair->from || !pair->from->unit->is_up || !pair->to || !pair->to->unit->is_up)) {
            const struct instance *bad = pair->from && pair->from->unit->is_up ? pair->to
                                                                               : pair->from;

            return transfer_fail(t, "%s." BP_FMT " cannot be used: %s", pair->kind,
                                 BP_ARG(pair->from_name),
                                 bad ? bad->unit->problem.text : "it did not start");
        }
    }
    return true;
}

static bp_status make_host_tables(bp_call *call, void *arg)
{
    const struct transfer_host_tables *tables = &((const struct transfer *)arg)->host_tables;
    const struct generation           *target = ((const struct transfer *)arg)->to.generation;
    struct instance                   *storage = NULL;

    if (tables->storage.len)
        storage = generation_find(target, 0, BP_STR("storage"), tables->storage);
    return storage ? tables->migrate(call, &storage->peer) : BP_OK;
}

/* The target's tables, as the start of its server would make them. */
static bool make_tables(struct transfer *t)
{
    struct reason why;

    if (t->is_verify_only)
        return true;
    if (!generation_start_chosen(t->to.generation, is_storage_of_app, NULL) ||
        !generation_migrate_apps(t->to.generation))
        return transfer_fail(t, "%s: %s", t->to.file, t->to.generation->problem.text);
    if (generation_call(&t->to.generation->workers[0], BP_SECONDS(60), make_host_tables, t, &why) ==
        BP_OK)
        return true;
    return transfer_fail(t, "%s: %s", t->to.file, why.text);
}

bool transfer_start(struct transfer *t)
{
    struct choosing source = { t, false }, target = { t, true };

    mkdir(t->to.conf->data_dir.data,
          0700); // the first plugin that needs it names its fault
    if (!generation_start_chosen(t->from.generation, is_in_a_pair, &source))
        return transfer_fail(t, "%s: %s", t->from.file, t->from.generation->problem.text);
    if (!generation_start_chosen(t->to.generation, is_in_a_pair, &target))
        return transfer_fail(t, "%s: %s", t->to.file, t->to.generation->problem.text);
    return make_tables(t) && find_instances(t);
}

/* versions.c - whether the tables of both sides have the same version, and one that this program
 * knows. */
#include "transfer/parts.h"

static bp_status read_versions(bp_call *call, const bp_peer *storage, bp_rows *rows)
{
    return bp_storage_exec(call, storage, NULL,
                           BP_SQL0("SELECT owner, MAX(version) FROM backplane_migrations GROUP BY "
                                   "owner ORDER BY owner"),
                           rows);
}

/* How many steps of an owner's tables this program knows; 0: it knows nothing of them, and moves
 * none. */
static int64_t known_version(const struct transfer *t, bp_str owner)
{
    const struct generation *generations[] = { t->from.generation, t->to.generation };

    if (t->host_tables.owner && bp_str_is(owner, t->host_tables.owner))
        return t->host_tables.version;
    for (size_t g = 0; g < 2; g++)
        for (size_t i = 0; i < generations[g]->unit_count; i++) {
            const struct unit *unit = generations[g]->units[i];
            const bp_app_ops  *app = unit->plugin->descriptor.ops;

            if (strcmp(unit->conf->kind, "app") == 0 &&
                bp_str_is(owner, unit->plugin->descriptor.name) &&
                BP_HAS(app, bp_app_ops, migration_count))
                return (int64_t)app->migration_count;
        }
    return 0;
}

/* A server may work with tables that a newer one has made; who moves them must know all there is to
 * move. */
static bp_status check_known(bp_call *call, const struct transfer *t, const bp_rows *versions,
                             bp_str storage, const char *file)
{
    for (size_t i = 0; i < versions->row_count; i++) {
        const bp_sql_value *row = bp_row(versions, i);
        int64_t             known = known_version(t, row[0].text);

        if (known && row[1].integer > known)
            return call_fail(call, BP_CONFLICT,
                             "the tables of " BP_FMT " have version %lld in storage." BP_FMT
                             " of %s, this program knows %lld: use the Backplane version that "
                             "made them",
                             BP_ARG(row[0].text), (long long)row[1].integer, BP_ARG(storage), file,
                             (long long)known);
    }
    return BP_OK;
}

bp_status transfer_compare_versions(bp_call *call, const struct transfer *t,
                                    const struct transfer_pair *pair)
{
    bp_rows ours, theirs;

    BP_TRY(read_versions(call, &pair->from->peer, &ours));
    BP_TRY(read_versions(call, &pair->to->peer, &theirs));
    BP_TRY(check_known(call, t, &ours, pair->from_name, t->from.file));
    BP_TRY(check_known(call, t, &theirs, pair->to_name, t->to.file));
    for (size_t i = 0; i < ours.row_count * theirs.row_count; i++) {
        const bp_sql_value *source = bp_row(&ours, i / theirs.row_count),
                           *target = bp_row(&theirs, i % theirs.row_count);
        bool is_source_older = source[1].integer < target[1].integer;

        if (!bp_str_equal(source[0].text, target[0].text) || source[1].integer == target[1].integer)
            continue;
        return call_fail(call, BP_CONFLICT,
                         "the tables of " BP_FMT " have version %lld in storage." BP_FMT
                         " of %s and version %lld in storage." BP_FMT
                         " of %s: start the server of %s once with this version of Backplane, "
                         "which brings them up to date",
                         BP_ARG(source[0].text), (long long)source[1].integer,
                         BP_ARG(pair->from_name), t->from.file, (long long)target[1].integer,
                         BP_ARG(pair->to_name), t->to.file,
                         is_source_older ? t->from.file : t->to.file);
    }
    return BP_OK;
}

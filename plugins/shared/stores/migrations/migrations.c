/* migrations.c - reads the books, decides whether this program may go on, runs and records the
 * steps that are missing.
 */
#include "migrations.h"

#include "translate.h"

#define BOOKS                                                                                      \
    "CREATE TABLE IF NOT EXISTS backplane_migrations(owner TEXT NOT NULL, version BIGINT NOT "     \
    "NULL, name TEXT NOT "                                                                         \
    "NULL, checksum TEXT NOT NULL, applied_wall_ns BIGINT NOT NULL, works_from BIGINT NOT NULL "   \
    "DEFAULT 0, "                                                                                  \
    "PRIMARY KEY(owner, version))"
/* Books that a program made which knew no such column: 0 is what it would have said. */
#define ADD_WORKS_FROM                                                                             \
    "ALTER TABLE backplane_migrations ADD COLUMN works_from BIGINT NOT NULL DEFAULT 0"

struct run {
    const struct migrations_place *place;
    bp_str                         owner;
    const bp_migration            *steps;
    size_t                         count;
    int64_t                        version; /* the newest step in the books */
};

static bp_status run_sql(bp_call *call, const struct run *run, const char *sql,
                         const bp_sql_value *values, uint32_t count, bp_rows *rows)
{
    return run->place->run(call, run->place->self, sql, values, count, rows);
}

enum { CHECKSUM_CHARS = 64 };

static bp_str checksum(const char *sql, char hex[CHECKSUM_CHARS + 1])
{
    uint8_t digest[32];

    bp_sha256(bp_str_of(sql), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return bp_str_n(hex, CHECKSUM_CHARS);
}

bp_status migrations_check(bp_call *call, bp_str owner, const bp_migration *steps, size_t count)
{
    if (!owner.len)
        return bp_fail(call, BP_INVALID, "migrations need an owner");
    for (size_t i = 0; i < count; i++) {
        if (steps[i].version != i + 1 || !steps[i].name || !steps[i].sql)
            return bp_fail(call, BP_INVALID,
                           "migrations of " BP_FMT
                           " must count from 1 without gaps; place %zu has %u",
                           BP_ARG(owner), i + 1, steps[i].version);
        if (steps[i].works_from > steps[i].version)
            return bp_fail(call, BP_INVALID,
                           "step %u (%s) of " BP_FMT
                           " cannot ask for programs that know %u steps: works_from is at most the "
                           "step's own version, 0 means the same",
                           steps[i].version, steps[i].name, BP_ARG(owner), steps[i].works_from);
    }
    return BP_OK;
}

/* ---- the books ---- */

static bp_status open_books(bp_call *call, const struct run *run)
{
    bp_rows rows = { .struct_size = sizeof(rows) };

    BP_TRY(run_sql(call, run, BOOKS, NULL, 0, NULL));
    BP_TRY(run_sql(call, run, run->place->has_works_from, NULL, 0, &rows));
    return rows.row_count && rows.values[0].integer
               ? BP_OK
               : run_sql(call, run, ADD_WORKS_FROM, NULL, 0, NULL);
}

/* A step that this program knows. */
static bp_status check_known(bp_call *call, const struct run *run, int64_t version, bp_str recorded)
{
    const bp_migration *step = &run->steps[version - 1];
    char                hex[CHECKSUM_CHARS + 1];

    if (bp_str_equal(checksum(step->sql, hex), recorded))
        return BP_OK;
    return bp_fail(call, BP_CONFLICT,
                   "step %u (%s) of " BP_FMT " was run in " BP_FMT
                   " with another text: a step that was released must not be "
                   "changed, add a new one",
                   step->version, step->name, BP_ARG(run->owner), BP_ARG(run->place->name));
}

/* A step of a newer program. */
static bp_status check_newer(bp_call *call, const struct run *run, int64_t version, bp_str name,
                             int64_t works_from, int64_t newest)
{
    if (works_from >= 1 && works_from <= (int64_t)run->count)
        return BP_OK;
    return bp_fail(call, BP_CONFLICT,
                   BP_FMT " holds version %lld of " BP_FMT
                          ", this program knows %zu; step %lld (" BP_FMT ") works only with "
                          "programs that know %lld or more: start a newer one, or restore a backup",
                   BP_ARG(run->place->name), (long long)newest, BP_ARG(run->owner), run->count,
                   (long long)version, BP_ARG(name),
                   (long long)(works_from ? works_from : version));
}

static bp_status read_books(bp_call *call, struct run *run)
{
    const bp_sql_value owner = bp_sql_text(run->owner);
    bp_rows            rows = { .struct_size = sizeof(rows) };
    bp_status          status;

    status = run_sql(call, run,
                     "SELECT version, name, checksum, works_from FROM backplane_migrations "
                     "WHERE owner = $1 ORDER BY version",
                     &owner, 1, &rows);
    if (status == BP_INVALID) // the statement is good, so the table is not
        return bp_fail(call, BP_CONFLICT,
                       "the table backplane_migrations of " BP_FMT
                       " is not as Backplane makes it (" BP_FMT
                       "): name another database, or restore a backup of this one",
                       BP_ARG(run->place->name), BP_ARG(bp_error_of(call)->message));
    BP_TRY(status);
    run->version = 0;
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);
        int64_t at = row[0].integer, newest = bp_row(&rows, rows.row_count - 1)[0].integer;

        if (at != run->version + 1)
            return bp_fail(call, BP_CONFLICT,
                           "the table backplane_migrations of " BP_FMT " lacks step %lld of " BP_FMT
                           ", and has step %lld: "
                           "was a row deleted by hand? Restore a backup",
                           BP_ARG(run->place->name), (long long)run->version + 1,
                           BP_ARG(run->owner), (long long)at);
        BP_TRY(at <= (int64_t)run->count
                   ? check_known(call, run, at, row[2].text)
                   : check_newer(call, run, at, row[1].text, row[3].integer, newest));
        run->version = at;
    }
    return BP_OK;
}

/* ---- the steps ---- */

static bp_status record_step(bp_call *call, const struct run *run, const bp_migration *step)
{
    char               hex[CHECKSUM_CHARS + 1];
    const bp_sql_value values[] = { bp_sql_text(run->owner),
                                    bp_sql_int(step->version),
                                    bp_sql_text(bp_str_of(step->name)),
                                    bp_sql_text(checksum(step->sql, hex)),
                                    bp_sql_int(bp_wall_ns()),
                                    bp_sql_int(step->works_from) };

    return run_sql(call, run,
                   "INSERT INTO backplane_migrations(owner, version, name, checksum, "
                   "applied_wall_ns, works_from) VALUES($1, $2, $3, $4, $5, $6)",
                   values, 6, NULL);
}

static bp_status run_step(bp_call *call, const struct run *run, const bp_migration *step)
{
    bp_str    sql = { NULL, 0 };
    bp_status status;

    BP_TRY(migrations_translate(call, run->place, step->sql, &sql));
    status = run->place->run_step(call, run->place->self, sql);
    if (status != BP_OK) {
        bp_str why = bp_dup(call, bp_error_of(call)->message);

        return bp_fail(call, status, "step %u (%s) of " BP_FMT ": " BP_FMT, step->version,
                       step->name, BP_ARG(run->owner), BP_ARG(why));
    }
    return record_step(call, run, step);
}

/* One step, if one is left. */
static bp_status next_step(bp_call *call, struct run *run, bool *is_done)
{
    const bp_migration *step = NULL;

    *is_done = true;
    BP_TRY(run->place->begin(call, run->place->self));
    BP_TRY(open_books(call, run));
    BP_TRY(read_books(call, run));
    if (run->version < (int64_t)run->count) {
        step = &run->steps[run->version];
        BP_TRY(run_step(call, run, step));
    }
    BP_TRY(run->place->commit(call, run->place->self));
    if (step)
        bp_log(call, BP_LOG_INFO, BP_FMT ": step %u of " BP_FMT " done: %s",
               BP_ARG(run->place->name), step->version, BP_ARG(run->owner), step->name);
    *is_done = step == NULL;
    return BP_OK;
}

bp_status migrations_run(bp_call *call, const struct migrations_place *place, bp_str owner,
                         const bp_migration *steps, size_t count)
{
    struct run run = { .place = place, .owner = owner, .steps = steps, .count = count };
    bool       is_done = false;

    while (!is_done)
        BP_TRY(next_step(call, &run, &is_done));
    if (run.version > (int64_t)count)
        bp_log(call, BP_LOG_WARN,
               BP_FMT " holds version %lld of " BP_FMT
                      ", this program knows %zu and goes on, as the newer steps allow it: "
                      "replace it by the newer program soon, the step after these may not",
               BP_ARG(place->name), (long long)run.version, BP_ARG(owner), count);
    return BP_OK;
}

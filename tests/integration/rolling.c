/* rolling.c - four releases of one app, for test_rolling_upgrade.py: a column gets another name,
 * expand first, contract later.
 *
 *      1   writes and reads `name`
 *      2   step 2 adds `full_name`; writes both, reads the new one, or the old one where release 1 wrote
 *      3   step 3 fills it everywhere; writes and reads `full_name` only
 *      4   step 4 drops `name`
 *
 * ROLLING_RELEASE says which one this is. ROLLING_BREAKS: its last step says that no older release
 * works with it.
 */
#include <backplane/app.h>
#include <backplane/json.h>
#include <backplane/plugin.h>
#include <backplane/storage.h>

struct rolling {
    const bp_peer *storage;
};

static const bp_migration steps[] = {
    { 1, 0, "a table", "CREATE TABLE rolling(id ${identity}, name TEXT NOT NULL DEFAULT '')" },
#if ROLLING_RELEASE >= 2
    { 2, ROLLING_BREAKS ? 0 : 1, "another name beside the first",
      "ALTER TABLE rolling ADD COLUMN full_name TEXT" },
#endif
#if ROLLING_RELEASE >= 3
    { 3, 2, "the other name for all",
      "UPDATE rolling SET full_name = name WHERE full_name IS NULL" },
#endif
#if ROLLING_RELEASE >= 4
    { 4, 3, "the first name is gone", "ALTER TABLE rolling DROP COLUMN name" },
#endif
};

#if ROLLING_RELEASE == 1
#define ADD  "INSERT INTO rolling(name) VALUES($1)"
#define LIST "SELECT name FROM rolling ORDER BY id"
#elif ROLLING_RELEASE == 2
#define ADD  "INSERT INTO rolling(name, full_name) VALUES($1, $1)"
#define LIST "SELECT COALESCE(full_name, name) FROM rolling ORDER BY id"
#else
#define ADD  "INSERT INTO rolling(full_name) VALUES($1)"
#define LIST "SELECT full_name FROM rolling ORDER BY id"
#endif

static bp_status list(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    const struct rolling *self = instance;
    bp_json_writer       *w = bp_json_writer_new(call, 1 << 20);
    bp_rows               rows;

    (void)request;
    BP_TRY(bp_storage_exec(call, self->storage, NULL, BP_SQL0(LIST), &rows));
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++)
        bp_json_add_string(w, bp_row(&rows, i)[0].text);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static bp_status add(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    const struct rolling *self = instance;
    bp_str                name = { NULL, 0 };

    BP_TRY(bp_request_body(call, request, &name));
    BP_TRY(bp_storage_exec(call, self->storage, NULL, BP_SQL(ADD, bp_sql_text(name)), NULL));
    return list(call, instance, request, response);
}

static const bp_route routes[] = {
    { .method = "POST",
      .path = "/rolling",
      .handler = add,
      .scope = "rolling:write",
      .summary = "adds a name" },
    { .method = "GET",
      .path = "/rolling",
      .handler = list,
      .scope = "rolling:read",
      .summary = "all names" },
};

static const bp_option options[] = { BP_OPTION_REF(struct rolling, storage, "storage",
                                                   .is_required = true,
                                                   .help = "where the names are") };

static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops),
                                .routes = routes,
                                .route_size = sizeof(routes[0]),
                                .route_count = sizeof(routes) / sizeof(routes[0]),
                                .migrations = steps,
                                .migration_count = sizeof(steps) / sizeof(steps[0]) };

BP_PLUGIN(app, "rolling", "1.0.0", .summary = "a release of an app, for tests of upgrades",
          .license = "Apache-2.0", .instance_size = sizeof(struct rolling),
          .options = BP_TABLE(options), .ops = &ops)

/* storage_contract.c - the contract of storage.h. */
#include "conform.h"

enum { MANY_ROWS = 5000, INCREMENTS = 60, WIDE = 64, LARGE_BYTES = 4 << 20 };

/* A statement with the run's name in its text. */
static bp_statement statement_of(bp_call *call, const struct conform *conform, const char *sql,
                                 const bp_sql_value *values, uint32_t count)
{
    bp_buf     *text = bp_buf_new(call, 1 << 20);
    const char *at = sql;

    for (const char *mark; (mark = strchr(at, '%')) != NULL; at = mark + 1) {
        bp_buf_add(text, bp_str_n(at, (size_t)(mark - at)));
        bp_buf_add(text, bp_str_of(conform->name));
    }
    bp_buf_add(text, bp_str_of(at));
    return (bp_statement){ sizeof(bp_statement), count, bp_buf_str(text), values };
}

static bp_status run_in(bp_call *call, struct conform *conform, bp_transaction *transaction,
                        const char *sql, const bp_sql_value *values, uint32_t count, bp_rows *rows)
{
    bp_statement statement = statement_of(call, conform, sql, values, count);

    return bp_storage_exec(call, conform_peer(call, conform), transaction, &statement, rows);
}

static bp_status run(bp_call *call, struct conform *conform, const char *sql, bp_rows *rows)
{
    return run_in(call, conform, NULL, sql, NULL, 0, rows);
}

static bp_status make_tables(bp_call *call, struct conform *conform)
{
    static const char *const tables = "CREATE TABLE %_values(id ${identity}, i INTEGER, r DOUBLE "
                                      "PRECISION, t TEXT, b ${bytes});CREATE TABLE %_counters(name "
                                      "TEXT PRIMARY KEY, n INTEGER NOT NULL);CREATE TABLE %_log(n "
                                      "INTEGER PRIMARY KEY);";
    bp_migration             migrations[] = {
                    { 1, 0, "the tables of the contract",
                      statement_of(call, conform, tables, NULL, 0).sql.data },
                    { 2, 0, "one more column",
                      statement_of(call, conform, "ALTER TABLE %_values ADD COLUMN extra TEXT", NULL, 0)
                          .sql.data },
                    { 3, 0, "another table",
                      statement_of(call, conform, "CREATE TABLE %_more(a TEXT)", NULL, 0).sql.data },
    };
    const bp_peer *storage = conform_peer(call, conform);
    bp_str         owner = bp_str_of(conform->name);

    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, migrations, 2), BP_OK);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, migrations, 2), BP_OK);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, migrations, 3), BP_OK);
    CONFORM_STATUS(call, run(call, conform, "SELECT extra FROM %_values", NULL), BP_OK);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, migrations, 1), BP_CONFLICT);
    migrations[0].sql = "CREATE TABLE another_text(a TEXT)";
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, migrations, 3), BP_CONFLICT);
    return BP_OK;
}

/* A release that adds a column with a default lets the one before it run; one that takes a table
 * away does not. */
static bp_status older_programs_run_where_they_may(bp_call *call, struct conform *conform)
{
    const bp_migration steps[] = {
        { 1, 0, "a table",
          statement_of(call, conform, "CREATE TABLE %_rolled(a TEXT)", NULL, 0).sql.data },
        { 2, 1, "one more column",
          statement_of(call, conform,
                       "ALTER TABLE %_rolled ADD COLUMN b INTEGER NOT NULL DEFAULT 7", NULL, 0)
              .sql.data },
        { 3, 2, "a second one",
          statement_of(call, conform, "ALTER TABLE %_rolled ADD COLUMN c TEXT", NULL, 0).sql.data },
        { 4, 0, "the end of it",
          statement_of(call, conform, "DROP TABLE %_rolled", NULL, 0).sql.data },
    };
    const bp_peer *storage = conform_peer(call, conform);
    bp_str         owner = bp_format(call, "%s_rolled", conform->name);
    bp_migration   early = { 1, 2, "too early", "CREATE TABLE never(a TEXT)" };
    bp_rows        rows;

    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, &early, 1), BP_INVALID);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, steps, 2), BP_OK);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, steps, 1), BP_OK);
    CONFORM_STATUS(call,
                   run(call, conform,
                       "INSERT INTO %_rolled(a) VALUES('of the older one') RETURNING b", &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.values[0].integer == 7,
                 "an older list has changed the tables of the newer one");
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, steps, 3), BP_OK);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, steps, 2), BP_OK);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, steps, 1), BP_CONFLICT);
    CONFORM_THAT(call, strstr(bp_error_of(call)->message.data, "a second one"),
                 "the refusal does not name the step that refuses: " BP_FMT,
                 BP_ARG(bp_error_of(call)->message));
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, steps, 4), BP_OK);
    CONFORM_STATUS(call, bp_storage_migrate(call, storage, owner, steps, 3), BP_CONFLICT);
    return BP_OK;
}

/* ---- values ---- */

static bp_status round_trip(bp_call *call, struct conform *conform, const bp_sql_value *given)
{
    bp_rows             rows;
    const bp_sql_value *found;

    CONFORM_STATUS(call,
                   run_in(call, conform, NULL,
                          "INSERT INTO %_values(i, r, t, b) VALUES($1, $2, $3, $4) RETURNING id",
                          given, 4, &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.row_count == 1 && rows.values[0].type == BP_SQL_INTEGER,
                 "RETURNING gave no key");
    CONFORM_STATUS(call,
                   run_in(call, conform, NULL, "SELECT i, r, t, b FROM %_values WHERE id = $1",
                          (bp_sql_value[]){ rows.values[0] }, 1, &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.row_count == 1 && rows.column_count == 4,
                 "one row of 4 columns was stored, %zu of %u came back", rows.row_count,
                 rows.column_count);
    CONFORM_THAT(call, bp_str_is(rows.columns[2], "t"),
                 "the third column is called \"" BP_FMT "\", not \"t\"", BP_ARG(rows.columns[2]));
    found = bp_row(&rows, 0);
    for (int i = 0; i < 4; i++)
        CONFORM_THAT(call, found[i].type == given[i].type,
                     "column %d came back as type %u instead of %u", i + 1, found[i].type,
                     given[i].type);
    CONFORM_THAT(call, given[0].type != BP_SQL_INTEGER || found[0].integer == given[0].integer,
                 "the integer %lld came back as %lld", (long long)given[0].integer,
                 (long long)found[0].integer);
    CONFORM_THAT(call,
                 given[1].type != BP_SQL_REAL ||
                     memcmp(&found[1].real, &given[1].real, sizeof(double)) == 0,
                 "the number %.17g came back as %.17g", given[1].real, found[1].real);
    for (int i = 2; i < 4; i++)
        CONFORM_THAT(call, bp_str_equal(found[i].text, given[i].text),
                     "%zu bytes of column %d came back as %zu others", given[i].text.len, i + 1,
                     found[i].text.len);
    return BP_OK;
}

static bp_status every_type_comes_back(bp_call *call, struct conform *conform)
{
    static const int64_t integers[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993) };
    static const double  reals[] = { 0.0, -1e-7, 1.0 / 3, 1e308, -1e-308, 5e-324, 123456789.125 };
    char                 bytes[256];

    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++)
        BP_TRY(round_trip(call, conform,
                          (bp_sql_value[]){ bp_sql_int(integers[i % 6]), bp_sql_real(reals[i]),
                                            bp_sql_text(bp_str_n("text", i % 5)),
                                            bp_sql_bytes(bp_str_n(bytes, i * 40)) }));
    BP_TRY(round_trip(call, conform,
                      (bp_sql_value[]){ bp_sql_int(7), bp_sql_real(7), bp_sql_text(BP_STR("")),
                                        bp_sql_bytes(bp_str_n(bytes, 256)) }));
    return round_trip(call, conform,
                      (bp_sql_value[]){ bp_sql_null(), bp_sql_null(), bp_sql_null(),
                                        bp_sql_null() });
}

static bp_status awkward_texts_come_back(bp_call *call, struct conform *conform)
{
    for (size_t i = 0; i < conform->string_count; i++)
        if (!memchr(conform->strings[i].data ? conform->strings[i].data : "", 0,
                    conform->strings[i].len))
            BP_TRY(round_trip(call, conform,
                              (bp_sql_value[]){ bp_sql_null(), bp_sql_null(),
                                                bp_sql_text(conform->strings[i]),
                                                bp_sql_bytes(conform->strings[i]) }));
    return BP_OK;
}

static bp_status large_values_come_back(bp_call *call, struct conform *conform)
{
    char *bytes = bp_alloc(call, LARGE_BYTES);

    if (!bytes)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < LARGE_BYTES; i++)
        bytes[i] = (char)('a' + i * 7 % 26);
    return round_trip(call, conform,
                      (bp_sql_value[]){ bp_sql_null(), bp_sql_null(),
                                        bp_sql_text(bp_str_n(bytes, LARGE_BYTES)),
                                        bp_sql_bytes(bp_str_n(bytes, LARGE_BYTES)) });
}

static bp_status sixty_four_parameters_are_taken(bp_call *call, struct conform *conform)
{
    bp_sql_value values[WIDE];
    bp_buf      *sql = bp_buf_new(call, 65536);
    bp_rows      rows;

    bp_buf_add(sql, BP_STR("SELECT i FROM %_values WHERE i IN ("));
    for (uint32_t i = 0; i < WIDE; i++) {
        values[i] = bp_sql_int(1000000 + i);
        bp_buf_addf(sql, "%s$%u", i ? ", " : "", i + 1);
    }
    bp_buf_add(sql, BP_STR(") ORDER BY i"));
    for (int64_t i = 0; i < WIDE; i += 9)
        CONFORM_STATUS(call,
                       run_in(call, conform, NULL, "INSERT INTO %_values(i) VALUES($1)",
                              (bp_sql_value[]){ bp_sql_int(1000000 + i) }, 1, NULL),
                       BP_OK);
    CONFORM_STATUS(call, run_in(call, conform, NULL, bp_buf_str(sql).data, values, WIDE, &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.row_count == 8 && rows.values[1].integer == 1000009,
                 "8 rows were asked for, %zu came", rows.row_count);
    return BP_OK;
}

/* ---- mistakes ---- */

static bp_status mistakes_are_told_apart(bp_call *call, struct conform *conform)
{
    bp_rows rows;

    CONFORM_STATUS(call, run(call, conform, "SELEKT 1", NULL), BP_INVALID);
    CONFORM_THAT(call, bp_error_of(call)->message.len > 0, "a mistake in SQL has no sentence");
    CONFORM_STATUS(call, run(call, conform, "SELECT * FROM %_there_is_no_such_table", NULL),
                   BP_INVALID);
    CONFORM_STATUS(call, run(call, conform, "INSERT INTO %_counters VALUES('once', 1)", &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.changed == 1, "an insert says that it changed %lld rows",
                 (long long)rows.changed);
    CONFORM_STATUS(call, run(call, conform, "INSERT INTO %_counters VALUES('once', 2)", NULL),
                   BP_CONFLICT);
    CONFORM_STATUS(call, run(call, conform, "INSERT INTO %_counters VALUES('none', NULL)", NULL),
                   BP_CONFLICT);
    CONFORM_STATUS(call,
                   run(call, conform,
                       "INSERT INTO %_counters VALUES('once', 2) ON CONFLICT(name) DO UPDATE SET n "
                       "= %_counters.n + 2",
                       NULL),
                   BP_OK);
    CONFORM_STATUS(call, run(call, conform, "SELECT n FROM %_counters WHERE name = 'once'", &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.row_count == 1 && rows.values[0].integer == 3,
                 "ON CONFLICT DO UPDATE did not add 2 to 1");
    CONFORM_STATUS(call,
                   run(call, conform, "SELECT n FROM %_counters WHERE name = 'nobody'", &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.row_count == 0, "a query without a result gave %zu rows",
                 rows.row_count);
    CONFORM_STATUS(call,
                   run(call, conform, "UPDATE %_counters SET n = 9 WHERE name = 'nobody'", &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.changed == 0, "an update of nothing says that it changed %lld rows",
                 (long long)rows.changed);
    return BP_OK;
}

/* ---- rows one after another ---- */

struct counting {
    int64_t next, stop_at;
};

static bp_status count_row(bp_call *call, void *self, const bp_sql_value *row,
                           uint32_t column_count)
{
    struct counting *counting = self;

    CONFORM_THAT(call, column_count == 1 && row[0].integer == counting->next,
                 "row %lld came as %lld", (long long)counting->next, (long long)row[0].integer);
    if (++counting->next == counting->stop_at)
        return bp_fail(call, BP_FULL, "enough");
    if (counting->next % 1000 == 0)
        BP_TRY(bp_sleep(call, 0));
    return BP_OK;
}

static bp_status many_rows_go_through_a_sink(bp_call *call, struct conform *conform)
{
    static const char *const sql = "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c "
                                   "WHERE n < 4999) SELECT n FROM c ORDER BY n";
    struct counting          counting = { 0, -1 };
    bp_row_sink              sink = { sizeof(sink), count_row, &counting };
    bp_statement             statement = { sizeof(statement), 0, bp_str_of(sql), NULL };

    CONFORM_STATUS(call,
                   bp_storage_query(call, conform_peer(call, conform), NULL, &statement, &sink),
                   BP_OK);
    CONFORM_THAT(call, counting.next == MANY_ROWS, "%lld rows came instead of %d",
                 (long long)counting.next, MANY_ROWS);
    counting = (struct counting){ 0, 10 };
    CONFORM_STATUS(call,
                   bp_storage_query(call, conform_peer(call, conform), NULL, &statement, &sink),
                   BP_FULL);
    CONFORM_THAT(call, counting.next == 10, "a sink that wanted no more got %lld rows",
                 (long long)counting.next);
    counting = (struct counting){ 0, -1 };
    CONFORM_STATUS(call,
                   bp_storage_query(call, conform_peer(call, conform), NULL, &statement, &sink),
                   BP_OK);
    return BP_OK;
}

/* ---- all or none ---- */

static bp_status count_log(bp_call *call, struct conform *conform, int64_t *count)
{
    bp_rows rows;

    CONFORM_STATUS(call, run(call, conform, "SELECT count(*) FROM %_log", &rows), BP_OK);
    *count = rows.values[0].integer;
    return BP_OK;
}

static bp_status a_batch_is_all_or_none(bp_call *call, struct conform *conform)
{
    const bp_peer *storage = conform_peer(call, conform);
    bp_sql_value   numbers[] = { bp_sql_int(1), bp_sql_int(2), bp_sql_int(1) };
    bp_statement   statements[4];
    int64_t        changed[4] = { -1, -1, -1, -1 }, count = 0;

    for (int i = 0; i < 3; i++)
        statements[i] = statement_of(call, conform, "INSERT INTO %_log VALUES($1)", &numbers[i], 1);
    CONFORM_STATUS(call, bp_storage_batch(call, storage, statements, 3, changed), BP_CONFLICT);
    BP_TRY(count_log(call, conform, &count));
    CONFORM_THAT(call, count == 0, "%lld rows of a batch that failed are there", (long long)count);
    statements[2] = statement_of(call, conform, "UPDATE %_log SET n = n + 10", NULL, 0);
    CONFORM_STATUS(call, bp_storage_batch(call, storage, statements, 3, changed), BP_OK);
    CONFORM_THAT(call, changed[0] == 1 && changed[1] == 1 && changed[2] == 2,
                 "a batch says it changed %lld, %lld, %lld rows", (long long)changed[0],
                 (long long)changed[1], (long long)changed[2]);
    CONFORM_STATUS(call, run(call, conform, "DELETE FROM %_log", NULL), BP_OK);
    return BP_OK;
}

static bp_status insert_in(bp_call *call, struct conform *conform, bp_transaction *transaction,
                           int64_t n)
{
    return run_in(call, conform, transaction, "INSERT INTO %_log VALUES($1)",
                  (bp_sql_value[]){ bp_sql_int(n) }, 1, NULL);
}

static bp_status leave_open(bp_call *call, void *arg)
{
    struct conform *conform = arg;
    bp_transaction *transaction;

    BP_TRY(bp_storage_begin(call, conform_peer(call, conform), &transaction));
    return insert_in(call, conform, transaction, 99);
}

static bp_status transactions_end_as_they_are_told(bp_call *call, struct conform *conform)
{
    const bp_peer  *storage = conform_peer(call, conform);
    bp_transaction *transaction;
    int64_t         count = 0;

    CONFORM_STATUS(call, bp_storage_begin(call, storage, &transaction), BP_OK);
    CONFORM_STATUS(call, insert_in(call, conform, transaction, 1), BP_OK);
    CONFORM_STATUS(call, bp_storage_rollback(call, storage, transaction), BP_OK);
    CONFORM_STATUS(call, bp_storage_begin(call, storage, &transaction), BP_OK);
    CONFORM_STATUS(call, insert_in(call, conform, transaction, 2), BP_OK);
    CONFORM_STATUS(call, insert_in(call, conform, transaction, 3), BP_OK);
    CONFORM_STATUS(call, bp_storage_commit(call, storage, transaction), BP_OK);
    BP_TRY(count_log(call, conform, &count));
    CONFORM_THAT(call, count == 2, "%lld rows are there instead of the 2 that were committed",
                 (long long)count);
    CONFORM_STATUS(call, bp_storage_begin(call, storage, &transaction), BP_OK);
    CONFORM_STATUS(call, insert_in(call, conform, transaction, 4), BP_OK);
    CONFORM_STATUS(call, insert_in(call, conform, transaction, 2), BP_CONFLICT);
    CONFORM_STATUS(call, bp_storage_rollback(call, storage, transaction), BP_OK);
    BP_TRY(count_log(call, conform, &count));
    CONFORM_THAT(call, count == 2, "a transaction with a failed statement left %lld rows",
                 (long long)count - 2);
    return BP_OK;
}

static bp_status a_call_that_ends_rolls_back(bp_call *call, struct conform *conform)
{
    int64_t count = -1;

    CONFORM_STATUS(call, conform->apart(call, leave_open, conform), BP_OK);
    for (int i = 0; i < 200 && count != 2; i++) {
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(10)));
        BP_TRY(count_log(call, conform, &count));
    }
    CONFORM_THAT(call, count == 2,
                 "a transaction that its call left open was not rolled back: %lld rows",
                 (long long)count);
    CONFORM_STATUS(call, insert_in(call, conform, NULL, 5), BP_OK);
    CONFORM_STATUS(call, run(call, conform, "DELETE FROM %_log", NULL), BP_OK);
    return BP_OK;
}

/* ---- many at once ---- */

static bp_status add_one(bp_call *call, void *arg)
{
    struct conform *conform = arg;
    const bp_peer  *storage = conform_peer(call, conform);
    bp_transaction *transaction;
    bp_rows         rows;

    BP_TRY(bp_storage_begin(call, storage, &transaction));
    BP_TRY(run_in(call, conform, transaction, "SELECT n FROM %_counters WHERE name = 'sum'", NULL,
                  0, &rows));
    BP_TRY(run_in(call, conform, transaction, "UPDATE %_counters SET n = $1 WHERE name = 'sum'",
                  (bp_sql_value[]){ bp_sql_int(rows.values[0].integer + 1) }, 1, NULL));
    return bp_storage_commit(call, storage, transaction);
}

/* A transaction that lost against another one ends as BP_CONFLICT and is run again; each in a call
 * of its own. */
static bp_status count_together(bp_call *call, struct conform *conform)
{
    int64_t until_ns = bp_now_ns() + BP_SECONDS(90);

    for (int done = 0; done < INCREMENTS;) {
        bp_status status = conform->apart(call, add_one, conform);

        CONFORM_THAT(call,
                     status == BP_OK || status == BP_CONFLICT || status == BP_UNAVAILABLE ||
                         status == BP_LIMIT,
                     "adding one in a transaction ended as \"%s\": " BP_FMT,
                     bp_status_label(status), BP_ARG(bp_error_of(call)->message));
        done += status == BP_OK;
        CONFORM_THAT(call, bp_now_ns() < until_ns, "%d of %d additions were done in 90 s", done,
                     INCREMENTS);
        if (status != BP_OK)
            BP_TRY(bp_sleep(call, BP_MILLISECONDS(1 + done % 7)));
    }
    conform->counters[0] += INCREMENTS;
    return BP_OK;
}

static bp_status transactions_of_all_workers_are_serialisable(bp_call        *call,
                                                              struct conform *conform)
{
    bp_rows rows;
    bool    is_first = conform->counters[1]++ == 0;

    if (is_first) {
        bp_status status = run(call, conform, "INSERT INTO %_counters VALUES('sum', 0)", NULL);

        conform->counters[2] = 1; // also when it failed: nobody waits in vain
        CONFORM_STATUS(call, status, BP_OK);
    }
    BP_TRY(conform_meet(call, &conform->counters[2], 1));
    BP_TRY(count_together(call, conform));
    BP_TRY(conform_meet(call, &conform->counters[0], (int64_t)conform->workers * INCREMENTS));
    CONFORM_STATUS(call, run(call, conform, "SELECT n FROM %_counters WHERE name = 'sum'", &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.values[0].integer == (int64_t)conform->workers * INCREMENTS,
                 "%lld additions left %lld", (long long)conform->workers * INCREMENTS,
                 (long long)rows.values[0].integer);
    return BP_OK;
}

/* ---- cancelled, hurried, restarted ---- */

static bp_status op_exec(bp_call *call, struct conform *conform)
{
    return run(call, conform, "INSERT INTO %_values(i) VALUES(1)", NULL);
}

static bp_status op_select(bp_call *call, struct conform *conform)
{
    bp_rows rows;

    return run(call, conform, "SELECT i, t FROM %_values WHERE id < 10 ORDER BY id", &rows);
}

static bp_status op_batch(bp_call *call, struct conform *conform)
{
    bp_statement statements[] = {
        statement_of(call, conform, "INSERT INTO %_values(i) VALUES(2)", NULL, 0),
        statement_of(call, conform, "INSERT INTO %_values(i) VALUES(3)", NULL, 0)
    };

    return bp_storage_batch(call, conform_peer(call, conform), statements, 2, NULL);
}

static bp_status op_transaction(bp_call *call, struct conform *conform)
{
    const bp_peer  *storage = conform_peer(call, conform);
    bp_transaction *transaction;

    BP_TRY(bp_storage_begin(call, storage, &transaction));
    BP_TRY(run_in(call, conform, transaction, "INSERT INTO %_values(i) VALUES(4)", NULL, 0, NULL));
    return bp_storage_commit(call, storage, transaction);
}

static bp_status op_stats(bp_call *call, struct conform *conform)
{
    const bp_peer   *storage = conform_peer(call, conform);
    bp_storage_stats stats = { .struct_size = sizeof(stats) };

    BP_TRY(bp_storage_of(storage)->stats(call, storage->instance, &stats));
    CONFORM_THAT(call, stats.engine.len > 0 && stats.connections_max > 0 && stats.size_bytes >= 0,
                 "the figures lack the engine or the number of connections");
    return BP_OK;
}

static const struct conform_op ops[] = {
    { "exec", op_exec },   { "select", op_select },
    { "batch", op_batch }, { "a transaction", op_transaction },
    { "stats", op_stats },
};
enum { OPS = sizeof(ops) / sizeof(ops[0]) };

static bp_status count_twos_and_threes(bp_call *call, struct conform *conform)
{
    bp_rows rows;

    CONFORM_STATUS(call,
                   run(call, conform,
                       "SELECT i, count(*) FROM %_values WHERE i IN (2, 3) GROUP BY i ORDER BY i",
                       &rows),
                   BP_OK);
    CONFORM_THAT(call, rows.row_count == 2 && rows.values[1].integer == rows.values[3].integer,
                 "a cancelled batch left its first half behind");
    return BP_OK;
}

static bp_status cancelled_calls_leave_nothing_behind(bp_call *call, struct conform *conform)
{
    BP_TRY(conform_cancel(call, conform, ops, OPS));
    return count_twos_and_threes(call, conform);
}

static bp_status deadlines_are_kept(bp_call *call, struct conform *conform)
{
    BP_TRY(conform_hurry(call, conform, ops, OPS));
    return count_twos_and_threes(call, conform);
}

static bp_status a_long_run_does_not_grow(bp_call *call, struct conform *conform)
{
    return conform_do_not_grow(call, conform, ops, OPS);
}

static bp_status write_next(bp_call *call, struct conform *conform)
{
    int64_t   n = ++conform->counters[3];
    bp_status status = insert_in(call, conform, NULL, n);

    if (status == BP_OK) {
        conform->counters[4]++; // acknowledged
        conform->counters[5] = n;
    }
    return status;
}

static bp_status what_was_acknowledged_outlives_a_restart(bp_call *call, struct conform *conform)
{
    static const struct conform_op write = { "an insert", write_next };
    bp_rows                        rows;

    BP_TRY(conform_survive(call, conform, &write));
    CONFORM_STATUS(call, run(call, conform, "SELECT count(*), max(n) FROM %_log", &rows), BP_OK);
    CONFORM_THAT(call,
                 rows.values[0].integer >= conform->counters[4] &&
                     rows.values[1].integer >= conform->counters[5],
                 "%lld inserts were acknowledged, %lld rows are there",
                 (long long)conform->counters[4], (long long)rows.values[0].integer);
    return BP_OK;
}

static bp_status wrong_credentials_are_refused(bp_call *call, struct conform *conform)
{
    bp_status status = bp_storage_exec(call, conform_peer(call, conform), NULL, BP_SQL0("SELECT 1"),
                                       NULL);

    CONFORM_THAT(call, status != BP_OK, "a statement was run with wrong credentials");
    CONFORM_THAT(call, bp_error_of(call)->message.len > 0, "the refusal has no sentence");
    return BP_OK;
}

static bp_status drop_tables(bp_call *call, struct conform *conform)
{
    static const char *const names[] = { "values", "counters", "log", "more" };

    for (size_t i = 0; i < 4; i++)
        CONFORM_STATUS(call,
                       run(call, conform, bp_format(call, "DROP TABLE %%_%s", names[i]).data, NULL),
                       BP_OK);
    return BP_OK;
}

static const struct conform_case cases[] = {
    { "migrations run once, in order, and refuse another text and an older list", make_tables,
      CONFORM_ONE_WORKER },
    { "an older program runs on newer tables where their steps allow it",
      older_programs_run_where_they_may, CONFORM_ONE_WORKER },
    { "every type comes back as it went in", every_type_comes_back, CONFORM_ONE_WORKER },
    { "awkward texts come back as they went in", awkward_texts_come_back, CONFORM_ONE_WORKER },
    { "values of 4 MiB come back as they went in", large_values_come_back, CONFORM_ONE_WORKER },
    { "64 parameters are taken", sixty_four_parameters_are_taken, CONFORM_ONE_WORKER },
    { "mistakes in SQL, constraints and nothing found are told apart", mistakes_are_told_apart,
      CONFORM_ONE_WORKER },
    { "5,000 rows go through a sink in order, and stop when it says so",
      many_rows_go_through_a_sink, CONFORM_ONE_WORKER },
    { "a batch is all or none", a_batch_is_all_or_none, CONFORM_ONE_WORKER },
    { "transactions end as they are told", transactions_end_as_they_are_told, CONFORM_ONE_WORKER },
    { "the transaction of a call that ends is rolled back", a_call_that_ends_rolls_back,
      CONFORM_ONE_WORKER },
    { "transactions of all workers are serialisable", transactions_of_all_workers_are_serialisable,
      CONFORM_EVERY_WORKER },
    { "an operation cancelled at any suspension leaves nothing behind",
      cancelled_calls_leave_nothing_behind, CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
    { "acknowledged writes outlive a restart of the server",
      what_was_acknowledged_outlives_a_restart, CONFORM_ONE_WORKER },
    { "tables go away again", drop_tables, CONFORM_ONE_WORKER },
    { "wrong credentials are refused with a sentence", wrong_credentials_are_refused,
      CONFORM_REFUSED },
};

const struct conform_contract storage_contract = { "storage", cases,
                                                   sizeof(cases) / sizeof(cases[0]) };

/* test_sqlite.c - the SQLite storage plugin on real files: statements, transactions, migrations,
 * backup, limits. */
#include "plugins/plugin_test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

static const bp_storage_ops *ops;
static void                 *self;

static void begin_instance(void)
{
    const testhost_option options[] = { { "path", "a/b/test.db" }, { "readers", "2" } };
    start(options, 2);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
}

static int setup(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/storage/sqlite.so") != 0)
        return -1;
    begin_instance();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static bp_status exec(bp_transaction *transaction, const bp_statement *statement, bp_rows *rows)
{
    if (rows)
        *rows = (bp_rows){ .struct_size = sizeof(*rows) };
    return ops->exec(call, self, transaction, statement, rows);
}

static int64_t count_of(const char *table)
{
    bp_statement statement = { sizeof(statement), 0,
                               bp_format(call, "SELECT count(*) FROM %s", table), NULL };
    bp_rows      rows;
    assert_ok(exec(NULL, &statement, &rows));
    return rows.values[0].integer;
}

static void values_of_every_type_come_back_as_they_went_in(void **state)
{
    bp_rows             rows;
    const bp_sql_value *row;
    (void)state;
    assert_ok(exec(NULL,
                   BP_SQL0("CREATE TABLE t(a INTEGER, b DOUBLE PRECISION, c TEXT, d BLOB, e TEXT)"),
                   NULL));
    assert_ok(exec(NULL,
                   BP_SQL("INSERT INTO t VALUES($1, $2, $3, $4, $5) RETURNING a, c",
                          bp_sql_int(INT64_MIN), bp_sql_real(0.1),
                          bp_sql_text(BP_STR("gr\xc3\xbc\xc3\x9f $1 'x'")),
                          bp_sql_bytes(bp_str_n("\0\1\2", 3)), bp_sql_null()),
                   &rows));
    assert_int_equal(rows.row_count, 1);
    assert_int_equal(rows.changed, 1);
    assert_true(bp_str_is(rows.columns[1], "c"));
    assert_ok(exec(NULL, BP_SQL0("SELECT * FROM t"), &rows));
    assert_int_equal(rows.column_count, 5);
    assert_int_equal(rows.changed, 0);
    row = bp_row(&rows, 0);
    assert_true(row[0].type == BP_SQL_INTEGER && row[0].integer == INT64_MIN);
    assert_true(row[1].type == BP_SQL_REAL && row[1].real == 0.1);
    assert_true(row[2].type == BP_SQL_TEXT && bp_str_is(row[2].text, "gr\xc3\xbc\xc3\x9f $1 'x'"));
    assert_true(row[3].type == BP_SQL_BYTES && row[3].text.len == 3 &&
                memcmp(row[3].text.data, "\0\1\2", 3) == 0);
    assert_true(row[4].type == BP_SQL_NULL);
}

static void parameters_go_by_their_number_and_may_repeat(void **state)
{
    bp_rows rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL("SELECT $2, $1, $2, '$3'", bp_sql_int(1), bp_sql_int(2)), &rows));
    assert_int_equal(rows.values[0].integer, 2);
    assert_int_equal(rows.values[1].integer, 1);
    assert_int_equal(rows.values[2].integer, 2);
    assert_true(bp_str_is(rows.values[3].text, "$3"));
    assert_status(exec(NULL, BP_SQL("SELECT $2", bp_sql_int(1)), &rows), BP_INVALID);
    assert_said("$2");
    assert_status(exec(NULL, BP_SQL("SELECT ?", bp_sql_int(1)), &rows), BP_INVALID);
}

static void wrong_statements_are_invalid_and_change_nothing(void **state)
{
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL)"), NULL));
    assert_status(exec(NULL, BP_SQL0("SELEC 1"), NULL), BP_INVALID);
    assert_status(exec(NULL, BP_SQL0("SELECT nothing FROM t"), NULL), BP_INVALID);
    assert_said("nothing");
    assert_status(exec(NULL, BP_SQL0("DELETE FROM t; DROP TABLE t"), NULL), BP_INVALID);
    assert_said("one SQL statement");
    assert_status(exec(NULL, BP_SQL0(""), NULL), BP_INVALID);
    assert_status(exec(NULL, BP_SQL0("BEGIN"), NULL), BP_INVALID);
    assert_status(exec(NULL, BP_SQL0("PRAGMA synchronous=OFF"), NULL), BP_INVALID);
    assert_status(exec(NULL, BP_SQL0("ATTACH '/tmp/x.db' AS x"), NULL), BP_INVALID);
    assert_ok(exec(NULL, BP_SQL("INSERT INTO t VALUES($1, 'x')", bp_sql_int(1)), NULL));
    assert_status(exec(NULL, BP_SQL("INSERT INTO t VALUES($1, 'x')", bp_sql_int(1)), NULL),
                  BP_CONFLICT);
    assert_said("t.a");
    assert_status(exec(NULL, BP_SQL("INSERT INTO t VALUES($1, NULL)", bp_sql_int(2)), NULL),
                  BP_CONFLICT);
    assert_int_equal(count_of("t"), 1);
}

static void with_may_read_or_write(void **state)
{
    bp_rows rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(
        exec(NULL, BP_SQL0("WITH x(v) AS (VALUES(1),(2)) INSERT INTO t SELECT v FROM x"), &rows));
    assert_int_equal(rows.changed, 2);
    assert_ok(exec(NULL, BP_SQL0("WITH x AS (SELECT a FROM t) SELECT sum(a) FROM x"), &rows));
    assert_int_equal(rows.values[0].integer, 3);
}

static void too_many_rows_are_refused_and_a_write_is_taken_back(void **state)
{
    bp_rows rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_status(exec(NULL,
                       BP_SQL0("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
                               "WHERE i < 100001) "
                               "INSERT INTO t SELECT i FROM n RETURNING a"),
                       &rows),
                  BP_TOO_LARGE);
    assert_int_equal(count_of("t"), 0);
    assert_ok(exec(NULL,
                   BP_SQL0("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i "
                           "< 100000) "
                           "SELECT i FROM n"),
                   &rows));
    assert_int_equal(rows.row_count, 100000);
    assert_int_equal(bp_row(&rows, 99999)->integer, 100000);
}

struct seen {
    int64_t  rows, sum;
    int64_t  stop_after;
    uint64_t bytes;
};

static bp_status see(bp_call *sink_call, void *arg, const bp_sql_value *row, uint32_t column_count)
{
    struct seen *seen = arg;
    assert_int_equal(column_count, 2);
    seen->rows++;
    seen->sum += row[0].integer;
    seen->bytes += row[1].text.len;
    assert_memory_equal(row[1].text.data, "text ", 5);
    if (seen->rows == seen->stop_after)
        return bp_fail(sink_call, BP_LIMIT, "enough");
    return BP_OK;
}

static void a_query_gives_its_rows_to_the_sink_in_order(void **state)
{
    struct seen         seen = { 0 };
    const bp_row_sink   sink = { sizeof(sink), see, &seen };
    const bp_statement *numbers = BP_SQL0(
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < 2000) "
        "SELECT i, 'text ' || printf('%.*c', i, 'x') FROM n");
    bp_storage_stats stats = { .struct_size = sizeof(stats) };
    (void)state;
    testhost_offload_on_threads(host, true);
    assert_ok(ops->query(call, self, NULL, numbers, &sink));
    assert_int_equal(seen.rows, 2000);
    assert_int_equal(seen.sum, 2001000);
    assert_int_equal(seen.bytes, 2001000 + 5 * 2000);
    seen = (struct seen){ .stop_after = 700 };
    assert_status(ops->query(call, self, NULL, numbers, &sink), BP_LIMIT);
    assert_int_equal(seen.rows, 700);
    assert_ok(ops->stats(call, self, &stats));
    assert_int_equal(stats.connections_in_use, 0);
    assert_status(ops->query(call, self, NULL, BP_SQL0("CREATE TABLE q(a)"), &sink), BP_INVALID);
}

static void a_batch_is_all_or_nothing(void **state)
{
    int64_t            changed[3] = { -1, -1, -1 };
    const bp_statement good[] = { *BP_SQL("INSERT INTO t VALUES($1)", bp_sql_int(1)),
                                  *BP_SQL("INSERT INTO t VALUES($1), ($1 + 1)", bp_sql_int(2)),
                                  *BP_SQL0("DELETE FROM t WHERE a = 1") };
    const bp_statement bad[] = { *BP_SQL0("INSERT INTO t VALUES(7)"),
                                 *BP_SQL0("INSERT INTO t VALUES(2)") };
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER PRIMARY KEY)"), NULL));
    assert_ok(ops->batch(call, self, good, 3, changed));
    assert_int_equal(changed[0], 1);
    assert_int_equal(changed[1], 2);
    assert_int_equal(changed[2], 1);
    assert_status(ops->batch(call, self, bad, 2, NULL), BP_CONFLICT);
    assert_int_equal(count_of("t"), 2);
}

static void a_transaction_is_seen_by_others_only_when_committed(void **state)
{
    bp_transaction *transaction;
    bp_rows         rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
    assert_ok(exec(transaction, BP_SQL0("SELECT count(*) FROM t"), &rows));
    assert_int_equal(rows.values[0].integer, 1);
    assert_int_equal(count_of("t"), 0);
    assert_ok(ops->commit(call, self, transaction));
    assert_int_equal(count_of("t"), 1);
    assert_status(ops->commit(call, self, transaction), BP_INVALID);
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(2)"), NULL));
    assert_ok(ops->rollback(call, self, transaction));
    assert_int_equal(count_of("t"), 1);
}

static void a_transaction_left_open_is_rolled_back_with_its_call(void **state)
{
    bp_transaction *transaction;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
    next_call();
    assert_int_equal(count_of("t"), 0);
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO t VALUES(5)"), NULL));
}

static void a_transaction_of_more_than_ten_seconds_is_rolled_back(void **state)
{
    bp_transaction *transaction;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
    testhost_advance(BP_SECONDS(11));
    assert_status(ops->commit(call, self, transaction), BP_DEADLINE);
    assert_int_equal(count_of("t"), 0);
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO t VALUES(5)"), NULL));
}

static void a_transaction_nobody_comes_back_to_leaves_the_writer_to_others(void **state)
{
    bp_transaction *transaction;
    bp_call        *other = testhost_call_new(host, BP_SECONDS(60));
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
    testhost_advance(BP_SECONDS(9));
    testhost_run_jobs(host);
    assert_ok(
        exec(transaction, BP_SQL0("INSERT INTO t VALUES(2)"), NULL)); /* still within its time */
    testhost_advance(BP_SECONDS(2));
    testhost_run_jobs(host);
    assert_int_equal(ops->exec(other, self, NULL, BP_SQL0("INSERT INTO t VALUES(5)"), NULL), BP_OK);
    assert_status(exec(transaction, BP_SQL0("INSERT INTO t VALUES(3)"), NULL), BP_DEADLINE);
    assert_status(ops->commit(call, self, transaction), BP_DEADLINE);
    assert_ok(ops->rollback(call, self, transaction));
    testhost_call_end(other);
    assert_int_equal(count_of("t"), 1);
    assert_ok(ops->begin(call, self, &transaction)); /* the next one has a time of its own */
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(6)"), NULL));
    testhost_run_jobs(host);
    assert_ok(ops->commit(call, self, transaction));
    assert_int_equal(count_of("t"), 2);
}

static bp_status slow_row(bp_call *c, void *seen, const bp_sql_value *values, uint32_t count)
{
    (void)c, (void)values, (void)count;
    ++*(int *)seen;
    testhost_advance(BP_MILLISECONDS(20));
    testhost_run_jobs(host); /* does not take the writer from under the query */
    return BP_OK;
}

static void a_slow_reader_in_a_transaction_ends_with_it(void **state)
{
    bp_transaction *transaction;
    int             seen = 0;
    bp_row_sink     sink = { sizeof(sink), slow_row, &seen };
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction,
                   BP_SQL0("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
                           "< 5000) INSERT INTO t SELECT i FROM n"),
                   NULL));
    assert_status(ops->query(call, self, transaction, BP_SQL0("SELECT a FROM t"), &sink),
                  BP_DEADLINE);
    assert_true(seen > 0 && seen < 5000);
    assert_int_equal(count_of("t"), 0);
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO t VALUES(5)"), NULL));
}

static void a_second_writer_waits_and_ends_by_its_deadline(void **state)
{
    bp_transaction *transaction;
    bp_call        *other;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    other = testhost_call_new(host, BP_SECONDS(2));
    assert_int_equal(ops->exec(other, self, NULL, BP_SQL0("INSERT INTO t VALUES(1)"), NULL),
                     BP_DEADLINE);
    testhost_call_end(other);
    assert_ok(ops->rollback(call, self, transaction));
}

static void *cancel_later(void *arg)
{
    usleep(50000);
    testhost_cancel(arg);
    return NULL;
}

static void a_cancelled_statement_is_interrupted(void **state)
{
    pthread_t canceller;
    bp_rows   rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_int_equal(pthread_create(&canceller, NULL, cancel_later, call), 0);
    assert_status(exec(NULL,
                       BP_SQL0("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n) "
                               "SELECT count(*) FROM n"),
                       &rows),
                  BP_CANCELLED);
    pthread_join(canceller, NULL);
    next_call();
    assert_int_equal(pthread_create(&canceller, NULL, cancel_later, call), 0);
    assert_status(exec(NULL,
                       BP_SQL0("INSERT INTO t WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT "
                               "i+1 FROM n) "
                               "SELECT i FROM n"),
                       NULL),
                  BP_CANCELLED);
    pthread_join(canceller, NULL);
    next_call();
    assert_int_equal(count_of("t"), 0);
}

static void migrations_run_once_and_a_changed_or_newer_one_is_refused(void **state)
{
    const bp_migration steps[] = {
        { 1, 0, "tables",
          "-- the app's ${x}\n/* don't */ CREATE TABLE docs(id ${identity}, body ${bytes}, word "
          "TEXT DEFAULT 'a ${x}'); CREATE INDEX x ON docs(body);" },
        { 2, 0, "a column", "ALTER TABLE docs ADD COLUMN name TEXT" },
        { 3, 0, "broken", "ALTER TABLE docs ADD COLUMN extra TEXT; INSERT INTO nowhere VALUES(1)" },
    };
    bp_migration changed[2];
    bp_rows      rows;
    (void)state;
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 1));
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 2));
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 2));
    assert_ok(exec(NULL,
                   BP_SQL("INSERT INTO docs(body, name) VALUES($1, 'n') RETURNING id",
                          bp_sql_bytes(BP_STR("b"))),
                   &rows));
    assert_int_equal(rows.values[0].integer, 1);
    assert_status(ops->migrate(call, self, BP_STR("app"), steps, 3), BP_INVALID);
    assert_said("broken");
    assert_said("nowhere");
    assert_status(exec(NULL, BP_SQL0("SELECT extra FROM docs"), &rows), BP_INVALID);
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 2));
    assert_status(ops->migrate(call, self, BP_STR("app"), steps, 1), BP_CONFLICT);
    assert_said("version 2");
    memcpy(changed, steps, sizeof(changed));
    changed[1].sql = "ALTER TABLE docs ADD COLUMN title TEXT";
    assert_status(ops->migrate(call, self, BP_STR("app"), changed, 2), BP_CONFLICT);
    assert_said("a column");
    assert_ok(ops->migrate(call, self, BP_STR("another"),
                           &(bp_migration){ 1, 0, "own", "CREATE TABLE o(a INTEGER)" }, 1));
    assert_status(ops->migrate(call, self, BP_STR("third"),
                               &(bp_migration){ 1, 0, "odd", "CREATE TABLE z(a ${json})" }, 1),
                  BP_INVALID);
    assert_ok(exec(NULL,
                   BP_SQL0("SELECT owner, version, length(checksum) FROM backplane_migrations "
                           "ORDER BY 1, 2"),
                   &rows));
    assert_int_equal(rows.row_count, 3);
    assert_int_equal(bp_row(&rows, 0)[2].integer, 64);
}

#include "plugins/migrations_test.h"

static void a_backup_is_whole_while_others_write(void **state)
{
    char          path[128];
    int64_t       size = 0;
    sqlite3      *copy = NULL;
    sqlite3_stmt *check = NULL;
    (void)state;
    snprintf(path, sizeof(path), "%s/backups/copy.db", directory);
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER, b TEXT)"), NULL));
    assert_ok(exec(NULL,
                   BP_SQL0("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i "
                           "< 20000) "
                           "INSERT INTO t SELECT i, 'some text of row ' || i FROM n"),
                   NULL));
    assert_ok(ops->backup(call, self, bp_str_of(path), &size));
    assert_ok(ops->backup(call, self, bp_str_of(path), &size)); /* replaces the first */
    assert_true(size > 500000);
    assert_int_equal(sqlite3_open_v2(path, &copy, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(copy,
                                        "SELECT count(*), (SELECT integrity_check FROM "
                                        "pragma_integrity_check), "
                                        "(SELECT journal_mode FROM pragma_journal_mode) FROM t",
                                        -1, &check, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(check), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(check, 0), 20000);
    assert_string_equal((const char *)sqlite3_column_text(check, 1), "ok");
    assert_string_equal((const char *)sqlite3_column_text(check, 2), "delete");
    sqlite3_finalize(check);
    sqlite3_close(copy);
    snprintf(path, sizeof(path), "%s/a/b/test.db", directory);
    assert_status(ops->backup(call, self, bp_str_of(path), &size), BP_INVALID);
    assert_status(ops->backup(call, self, BP_STR("relative.db"), &size), BP_INVALID);
    assert_int_equal(count_of("t"), 20000);
}

static void stats_name_the_engine_and_the_file_is_its_owners_alone(void **state)
{
    bp_storage_stats stats = { .struct_size = sizeof(stats) };
    struct stat      info;
    char             path[128];
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER)"), NULL));
    assert_ok(ops->stats(call, self, &stats));
    assert_true(bp_str_starts(stats.engine, "SQLite 3."));
    assert_int_equal(stats.connections_max, 3);
    assert_true(stats.size_bytes > 0);
    snprintf(path, sizeof(path), "%s/a/b", directory);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snprintf(path, sizeof(path), "%s/a/b/test.db", directory);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_file_that_is_no_database_is_named(void **state)
{
    const testhost_option options[] = { { "path", "junk.db" } };
    char                  path[128];
    FILE                 *junk;
    (void)state;
    snprintf(path, sizeof(path), "%s/junk.db", directory);
    junk = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database. ", junk);
    fclose(junk);
    assert_null(testhost_instance_create(host, plugin, "junk", options, 1));
    assert_non_null(strstr(testhost_problem(host), "junk.db is damaged or is not a database"));
}

static const bp_sql_value *row_named(const bp_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->row_count; i++)
        if (bp_str_is(bp_row(rows, i)[0].text, name))
            return bp_row(rows, i);
    fail_msg("there is no row \"%s\"", name);
    return NULL;
}

static void inspecting_and_maintaining(void **state)
{
    const bp_migration  step = { 1, 0, "t",
                                 "CREATE TABLE t(id ${identity}, a INTEGER, b REAL, c TEXT, d "
                                  "${bytes}); CREATE TABLE k(x TEXT, y BIGINT, PRIMARY KEY(y, x))" };
    bp_rows             rows = { .struct_size = sizeof(rows) };
    const bp_sql_value *row;
    (void)state;
    assert_ok(ops->migrate(call, self, BP_STR("t"), &step, 1));
    assert_ok(exec(NULL,
                   BP_SQL0("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i "
                           "< 5000) INSERT INTO t(id, c) SELECT i, 'x' FROM n"),
                   NULL));
    assert_ok(ops->maintain(call, self, BP_STR("identities"), BP_STR("")));
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO t(c) VALUES('y') RETURNING id"), &rows));
    assert_int_equal(rows.values[0].integer, 5001);
    assert_ok(exec(NULL, BP_SQL0("DELETE FROM t"), NULL));
    assert_ok(ops->inspect(call, self, BP_STR("bloat"), &rows));
    assert_true(row_named(&rows, "(all)")[2].integer > 0);
    assert_ok(ops->maintain(call, self, BP_STR("vacuum"), BP_STR("")));
    assert_ok(ops->inspect(call, self, BP_STR("bloat"), &rows));
    assert_int_equal(row_named(&rows, "(all)")[2].integer, 0);
    assert_ok(ops->maintain(call, self, BP_STR("reindex"), BP_STR("k")));
    assert_status(ops->maintain(call, self, BP_STR("vacuum"), BP_STR("nowhere\"; DROP TABLE t")),
                  BP_NOT_FOUND);
    assert_status(ops->maintain(call, self, BP_STR("explode"), BP_STR("")), BP_INVALID);
    assert_ok(ops->inspect(call, self, BP_STR("size"), &rows));
    assert_true(bp_row(&rows, rows.row_count - 1)[1].integer > 0);
    assert_true(bp_str_is(bp_row(&rows, rows.row_count - 1)[0].text, "(all)"));
    assert_ok(ops->inspect(call, self, BP_STR("connections"), &rows));
    assert_int_equal(row_named(&rows, "(limit)")[2].integer, 3);
    assert_ok(ops->inspect(call, self, BP_STR("tables"), &rows));
    assert_int_equal(rows.row_count, 5 + 6 + 2);
    row = row_named(&rows, "t");
    assert_true(bp_str_is(row[1].text, "id") && bp_str_is(row[2].text, "integer") &&
                row[3].integer == 1 && row[4].integer == 1);
    assert_true(bp_str_is((row + 10)[2].text, "real") && bp_str_is((row + 20)[2].text, "bytes"));
    row = row_named(&rows, "k");
    assert_true(bp_str_is(row[1].text, "x") && bp_str_is(row[2].text, "text") &&
                row[3].integer == 2 && row[4].integer == 0);
    assert_status(ops->inspect(call, self, BP_STR("weather"), &rows), BP_INVALID);
}

static atomic_int committed;

static void *write_and_read(void *arg)
{
    bp_call *own = testhost_call_new(host, BP_SECONDS(60));
    (void)arg;
    for (int i = 0; i < 30; i++) {
        bp_rows rows = { .struct_size = sizeof(rows) };
        if (ops->exec(own, self, NULL,
                      BP_SQL0("INSERT INTO t SELECT coalesce(max(a), 0) + 1 FROM t"),
                      NULL) == BP_OK)
            atomic_fetch_add(&committed, 1);
        if (ops->exec(own, self, NULL, BP_SQL0("SELECT max(a) FROM t"), &rows) != BP_OK)
            break;
    }
    testhost_call_end(own);
    return NULL;
}

static void several_workers_write_and_read_at_once(void **state)
{
    pthread_t threads[4];
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a INTEGER PRIMARY KEY)"), NULL));
    testhost_offload_on_threads(host, true);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&committed), 120);
    assert_int_equal(count_of("t"), 120);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_of_every_type_come_back_as_they_went_in),
        TEST(parameters_go_by_their_number_and_may_repeat),
        TEST(wrong_statements_are_invalid_and_change_nothing),
        TEST(with_may_read_or_write),
        TEST(too_many_rows_are_refused_and_a_write_is_taken_back),
        TEST(a_query_gives_its_rows_to_the_sink_in_order),
        TEST(a_batch_is_all_or_nothing),
        TEST(a_transaction_is_seen_by_others_only_when_committed),
        TEST(a_transaction_left_open_is_rolled_back_with_its_call),
        TEST(a_transaction_of_more_than_ten_seconds_is_rolled_back),
        TEST(a_transaction_nobody_comes_back_to_leaves_the_writer_to_others),
        TEST(a_slow_reader_in_a_transaction_ends_with_it),
        TEST(a_second_writer_waits_and_ends_by_its_deadline),
        TEST(a_cancelled_statement_is_interrupted),
        TEST(migrations_run_once_and_a_changed_or_newer_one_is_refused),
        TEST(books_from_before_works_from_are_read),
        TEST(books_with_a_hole_are_refused),
        TEST(a_table_of_the_same_name_is_told_from_the_books),
        TEST(a_backup_is_whole_while_others_write),
        TEST(stats_name_the_engine_and_the_file_is_its_owners_alone),
        TEST(a_file_that_is_no_database_is_named),
        TEST(several_workers_write_and_read_at_once),
        TEST(inspecting_and_maintaining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

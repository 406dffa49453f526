/* test_postgres.c - the PostgreSQL storage plugin on a real server: what test_sqlite.c asks of
 * SQLite, and what only a server has: a pool, prepared statements, lost connections, notices,
 * upkeep. */
#include "plugins/plugin_test.h"

#include <pthread.h>
#include <stdatomic.h>

static const bp_storage_ops *ops;
static void                 *self;

static void begin_instance(const char *pool_max, const char *statement_cache)
{
    const testhost_option options[] = { { "url", getenv("BACKPLANE_TEST_POSTGRES") },
                                        { "pool_max", pool_max },
                                        { "statement_cache", statement_cache } };
    start(options, 3);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
}

static bp_status exec(bp_transaction *transaction, const bp_statement *statement, bp_rows *rows)
{
    if (rows)
        *rows = (bp_rows){ .struct_size = sizeof(*rows) };
    return ops->exec(call, self, transaction, statement, rows);
}

static int setup_with(const char *pool_max, const char *statement_cache)
{
    if (!getenv("BACKPLANE_TEST_POSTGRES") || open_host(BP_PLUGIN_DIR "/storage/postgres.so") != 0)
        return -1;
    begin_instance(pool_max, statement_cache);
    assert_ok(exec(NULL, BP_SQL0("DROP SCHEMA public CASCADE"), NULL));
    assert_ok(exec(NULL, BP_SQL0("CREATE SCHEMA public"), NULL));
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with("4", "100");
}

static int setup_unprepared(void **state)
{
    (void)state;
    return setup_with("4", "0");
}

static int setup_small_cache(void **state)
{
    (void)state;
    return setup_with("1", "2");
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static int64_t number_of(const char *sql)
{
    bp_statement statement = { sizeof(statement), 0, bp_format(call, "%s", sql), NULL };
    bp_rows      rows;
    assert_ok(exec(NULL, &statement, &rows));
    return rows.values[0].integer;
}

static int64_t count_of(const char *table)
{
    return number_of(bp_format(call, "SELECT count(*) FROM %s", table).data);
}

static uint32_t in_use(void)
{
    bp_storage_stats stats = { .struct_size = sizeof(stats) };
    assert_ok(ops->stats(call, self, &stats));
    return stats.connections_in_use;
}

/* ---- statements ---- */

static void values_of_every_type_come_back_as_they_went_in(void **state)
{
    bp_rows             rows;
    const bp_sql_value *row;
    (void)state;
    assert_ok(exec(NULL,
                   BP_SQL0("CREATE TABLE t(a BIGINT, b DOUBLE PRECISION, c TEXT, d BYTEA, e TEXT)"),
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

static void sums_and_truths_are_integers(void **state)
{
    bp_rows rows;
    (void)state;
    assert_ok(exec(NULL,
                   BP_SQL0("SELECT sum(v::bigint), 1 = 1, avg(v), '' FROM (VALUES (1), (2)) x(v)"),
                   &rows));
    assert_true(rows.values[0].type == BP_SQL_INTEGER && rows.values[0].integer == 3);
    assert_true(rows.values[1].type == BP_SQL_INTEGER && rows.values[1].integer == 1);
    assert_true(rows.values[2].type == BP_SQL_REAL && rows.values[2].real == 1.5);
    assert_true(rows.values[3].type == BP_SQL_TEXT && rows.values[3].text.len == 0);
    assert_ok(exec(NULL,
                   BP_SQL0("SELECT sum(v) FROM (VALUES (9223372036854775806::bigint), (1)) x(v)"),
                   &rows));
    assert_true(rows.values[0].type == BP_SQL_INTEGER && rows.values[0].integer == INT64_MAX);
    assert_ok(exec(NULL,
                   BP_SQL0("SELECT sum(v) FROM (VALUES (9223372036854775806::bigint), (2)) x(v)"),
                   &rows));
    assert_true(rows.values[0].type == BP_SQL_REAL && rows.values[0].real > 9.2e18);
    assert_ok(exec(NULL, BP_SQL0("SELECT 1 WHERE 1 = 0"), &rows));
    assert_int_equal(rows.row_count, 0);
    assert_int_equal(rows.column_count, 1);
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
    assert_status(exec(NULL, BP_SQL("SELECT ?", bp_sql_int(1)), &rows), BP_INVALID);
    assert_status(exec(NULL, BP_SQL("SELECT $1", bp_sql_text(BP_STR("a\0b"))), &rows), BP_INVALID);
    assert_status(exec(NULL, BP_SQL("SELECT $1", bp_sql_text(BP_STR("\xff\xfe"))), &rows),
                  BP_INVALID);
}

static void wrong_statements_are_invalid_and_change_nothing(void **state)
{
    static const char *const forbidden[] = {
        "BEGIN",          " commit",    "/* x */ SET search_path = x", "COPY t FROM STDIN",
        "-- x\nLISTEN y", "DISCARD ALL"
    };
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT PRIMARY KEY, b TEXT NOT NULL)"), NULL));
    assert_status(exec(NULL, BP_SQL0("SELEC 1"), NULL), BP_INVALID);
    assert_status(exec(NULL, BP_SQL0("SELECT nothing FROM t"), NULL), BP_INVALID);
    assert_said("nothing");
    assert_said("42703");
    assert_status(exec(NULL, BP_SQL0("DELETE FROM t; DROP TABLE t"), NULL), BP_INVALID);
    assert_status(exec(NULL, BP_SQL0(""), NULL), BP_INVALID);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        bp_statement statement = { sizeof(statement), 0, bp_str_of(forbidden[i]), NULL };
        assert_status(exec(NULL, &statement, NULL), BP_INVALID);
    }
    assert_ok(exec(NULL, BP_SQL("INSERT INTO t VALUES($1, 'x')", bp_sql_int(1)), NULL));
    assert_status(exec(NULL, BP_SQL("INSERT INTO t VALUES($1, 'x')", bp_sql_int(1)), NULL),
                  BP_CONFLICT);
    assert_said("t_pkey");
    assert_status(exec(NULL, BP_SQL("INSERT INTO t VALUES($1, NULL)", bp_sql_int(2)), NULL),
                  BP_CONFLICT);
    assert_int_equal(count_of("t"), 1);
    assert_int_equal(in_use(), 0);
}

static void with_may_read_or_write(void **state)
{
    bp_rows           rows;
    const bp_row_sink sink = { sizeof(sink), NULL, NULL };
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT)"), NULL));
    assert_ok(
        exec(NULL, BP_SQL0("WITH x(v) AS (VALUES(1),(2)) INSERT INTO t SELECT v FROM x"), &rows));
    assert_int_equal(rows.changed, 2);
    assert_ok(exec(NULL, BP_SQL0("WITH x AS (SELECT a FROM t) SELECT sum(a) FROM x"), &rows));
    assert_int_equal(rows.values[0].integer, 3);
    assert_status(ops->query(call, self, NULL,
                             BP_SQL0("WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x"),
                             &sink),
                  BP_INVALID);
    assert_int_equal(count_of("t"), 2);
}

static void too_many_rows_are_refused_and_a_write_is_taken_back(void **state)
{
    bp_rows rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT)"), NULL));
    assert_status(exec(NULL,
                       BP_SQL0("INSERT INTO t SELECT i FROM generate_series(1, 100001) i RETURNING "
                               "a"),
                       &rows),
                  BP_TOO_LARGE);
    assert_int_equal(count_of("t"), 0);
    assert_ok(exec(NULL, BP_SQL0("SELECT i FROM generate_series(1, 100000) i"), &rows));
    assert_int_equal(rows.row_count, 100000);
    assert_int_equal(bp_row(&rows, 99999)->integer, 100000);
    assert_status(exec(NULL, BP_SQL0("SELECT repeat('x', 1000000) FROM generate_series(1, 100) i"),
                       &rows),
                  BP_TOO_LARGE);
    assert_int_equal(in_use(), 0);
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
        "SELECT i, convert_to('text ' || repeat('x', i), 'UTF8') FROM generate_series(1, 2000) i");
    (void)state;
    assert_ok(ops->query(call, self, NULL, numbers, &sink));
    assert_int_equal(seen.rows, 2000);
    assert_int_equal(seen.sum, 2001000);
    assert_int_equal(seen.bytes, 2001000 + 5 * 2000);
    seen = (struct seen){ .stop_after = 700 };
    assert_status(ops->query(call, self, NULL, numbers, &sink), BP_LIMIT);
    assert_said("enough");
    assert_int_equal(seen.rows, 700);
    assert_int_equal(in_use(), 0);
    assert_status(ops->query(call, self, NULL, BP_SQL0("CREATE TABLE q(a BIGINT)"), &sink),
                  BP_INVALID);
}

static void a_batch_is_all_or_nothing(void **state)
{
    int64_t            changed[3] = { -1, -1, -1 };
    const bp_statement good[] = { *BP_SQL("INSERT INTO t VALUES($1)", bp_sql_int(1)),
                                  *BP_SQL("INSERT INTO t VALUES($1), ($1 + 1)", bp_sql_int(2)),
                                  *BP_SQL0("DELETE FROM t WHERE a = 1") };
    const bp_statement bad[] = { *BP_SQL0("INSERT INTO t VALUES(7)"),
                                 *BP_SQL0("INSERT INTO t VALUES(2)") };
    const bp_statement deferred[] = { *BP_SQL0("INSERT INTO d VALUES(1)"),
                                      *BP_SQL0("INSERT INTO d VALUES(1)") };
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT PRIMARY KEY)"), NULL));
    assert_ok(
        exec(NULL, BP_SQL0("CREATE TABLE d(a BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED)"), NULL));
    assert_ok(ops->batch(call, self, good, 3, changed));
    assert_int_equal(changed[0], 1);
    assert_int_equal(changed[1], 2);
    assert_int_equal(changed[2], 1);
    assert_status(ops->batch(call, self, bad, 2, NULL), BP_CONFLICT);
    assert_said("statement 2 of 2");
    assert_int_equal(count_of("t"), 2);
    assert_status(ops->batch(call, self, deferred, 2, NULL), BP_CONFLICT);
    assert_int_equal(count_of("d"), 0);
    assert_int_equal(in_use(), 0);
}

static void a_batch_larger_than_every_buffer_goes_through(void **state)
{
    enum { MANY = 600 };
    bp_statement statements[MANY];
    bp_sql_value values[MANY][2];
    char        *text = malloc(100000);
    (void)state;
    memset(text, 'y', 100000);
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT, b TEXT)"), NULL));
    for (int i = 0; i < MANY; i++) {
        values[i][0] = bp_sql_int(i);
        values[i][1] = bp_sql_text(bp_str_n(text, 100000));
        statements[i] = (bp_statement){ sizeof(bp_statement), 2,
                                        BP_STR("INSERT INTO t VALUES($1, $2) RETURNING b"),
                                        values[i] };
    }
    assert_ok(ops->batch(call, self, statements, MANY, NULL));
    assert_int_equal(number_of("SELECT sum(length(b)) FROM t"), (int64_t)MANY * 100000);
    free(text);
}

/* ---- transactions ---- */

static void a_transaction_is_seen_by_others_only_when_committed(void **state)
{
    bp_transaction *transaction;
    bp_rows         rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT)"), NULL));
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
    assert_int_equal(in_use(), 0);
}

static void a_transaction_left_open_is_rolled_back_with_its_call(void **state)
{
    bp_transaction *transaction;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT PRIMARY KEY)"), NULL));
    for (int i = 0; i < 10; i++) {
        assert_ok(ops->begin(call, self, &transaction));
        assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
        next_call();
    }
    assert_int_equal(count_of("t"), 0);
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
    assert_int_equal(in_use(), 0);
}

static void a_transaction_of_more_than_ten_seconds_is_rolled_back(void **state)
{
    bp_transaction *transaction;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
    testhost_advance(BP_SECONDS(11));
    assert_status(ops->commit(call, self, transaction), BP_DEADLINE);
    assert_int_equal(count_of("t"), 0);
}

static void a_transaction_with_an_error_is_over(void **state)
{
    bp_transaction *transaction;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT PRIMARY KEY)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL));
    assert_status(exec(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), NULL), BP_CONFLICT);
    assert_status(ops->commit(call, self, transaction), BP_CONFLICT);
    assert_said("rolled it back");
    assert_int_equal(count_of("t"), 0);
}

static void of_two_transactions_that_contradict_each_other_one_is_a_conflict(void **state)
{
    bp_transaction *first, *second;
    bp_status       status;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT, b BIGINT)"), NULL));
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO t VALUES(1, 1), (2, 1)"), NULL));
    assert_ok(ops->begin(call, self, &first));
    assert_ok(ops->begin(call, self, &second));
    assert_ok(exec(first, BP_SQL0("SELECT sum(b) FROM t"), NULL));
    assert_ok(exec(second, BP_SQL0("SELECT sum(b) FROM t"), NULL));
    assert_ok(exec(first, BP_SQL0("UPDATE t SET b = 0 WHERE a = 1"), NULL));
    assert_ok(ops->commit(call, self, first));
    status = exec(second, BP_SQL0("UPDATE t SET b = 0 WHERE a = 2"), NULL);
    if (status == BP_OK)
        status = ops->commit(call, self, second);
    assert_int_equal(status, BP_CONFLICT);
    assert_said("another transaction was in the way");
    assert_int_equal(number_of("SELECT sum(b) FROM t"), 1);
}

/* ---- the pool ---- */

static void all_connections_in_use_is_said_and_one_given_back_is_used(void **state)
{
    bp_transaction *transactions[4];
    bp_call        *other = testhost_call_new(host, BP_SECONDS(60));
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_ok(ops->begin(call, self, &transactions[i]));
    assert_int_equal(ops->exec(other, self, NULL, BP_SQL0("SELECT 1"), NULL), BP_LIMIT);
    assert_non_null(strstr(bp_error_of(other)->message.data, "all 4 connections"));
    testhost_call_end(other);
    assert_ok(ops->rollback(call, self, transactions[2]));
    assert_int_equal(number_of("SELECT 1"), 1);
    for (int i = 0; i < 4; i++)
        if (i != 2)
            assert_ok(ops->rollback(call, self, transactions[i]));
    assert_int_equal(in_use(), 0);
    assert_true(testhost_metric(host, "backplane_postgres_waits_total", "pool=primary") >= 1);
    assert_true(
        testhost_metric(host, "backplane_postgres_connections", "pool=primary,state=idle") == 4);
}

static void an_idle_connection_is_closed_and_a_lost_one_replaced(void **state)
{
    int64_t first, second;
    (void)state;
    first = number_of("SELECT pg_backend_pid()");
    assert_int_equal(number_of("SELECT pg_backend_pid()"), first);
    testhost_advance(BP_SECONDS(600));
    testhost_run_jobs(host);
    assert_true(
        testhost_metric(host, "backplane_postgres_connections", "pool=primary,state=idle") == 0);
    next_call();
    second = number_of("SELECT pg_backend_pid()");
    assert_int_not_equal(second, first);
    /* Another session ends the idle one: nobody notices. */
    {
        bp_transaction *transaction;
        bp_rows         rows;
        assert_ok(ops->begin(call, self, &transaction));
        assert_ok(exec(NULL, BP_SQL0("SELECT pg_backend_pid()"), &rows));
        assert_ok(exec(transaction,
                       BP_SQL("SELECT pg_terminate_backend($1::integer)",
                              bp_sql_int(rows.values[0].integer)),
                       NULL));
        usleep(200000);
        assert_ok(exec(NULL, BP_SQL0("CREATE TABLE after_that(a BIGINT)"), NULL));
        assert_ok(ops->commit(call, self, transaction));
    }
    assert_int_equal(count_of("after_that"), 0);
}

static void a_statement_whose_connection_is_ended_says_what_became_of_it(void **state)
{
    bp_transaction *transaction;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_status(exec(transaction, BP_SQL0("SELECT pg_terminate_backend(pg_backend_pid())"), NULL),
                  BP_UNAVAILABLE);
    assert_status(ops->commit(call, self, transaction), BP_CONFLICT);
    assert_status(exec(NULL,
                       BP_SQL0("INSERT INTO t SELECT 1 FROM "
                               "pg_terminate_backend(pg_backend_pid())"),
                       NULL),
                  BP_UNAVAILABLE);
    assert_int_equal(count_of("t"), 0);
    assert_int_equal(in_use(), 0);
}

static void a_small_statement_cache_is_enough_for_many_statements(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 20; i++) {
            char text[64];
            snprintf(text, sizeof(text), "SELECT %d", i);
            assert_int_equal(number_of(text), i);
        }
    assert_true(number_of("SELECT count(*) FROM pg_prepared_statements") <= 2);
}

static void a_changed_table_does_not_break_prepared_statements(void **state)
{
    bp_rows rows;
    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE t(a BIGINT)"), NULL));
    for (int i = 0; i < 8; i++)
        assert_ok(exec(NULL, BP_SQL0("SELECT * FROM t"), &rows));
    assert_ok(exec(NULL, BP_SQL0("ALTER TABLE t ADD COLUMN b TEXT"), NULL));
    assert_ok(exec(NULL, BP_SQL0("SELECT * FROM t"), &rows));
    assert_int_equal(rows.column_count, 2);
}

static void without_a_cache_nothing_is_prepared(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(number_of("SELECT 5"), 5);
    assert_int_equal(number_of("SELECT count(*) FROM pg_prepared_statements"), 0);
}

/* ---- migrations ---- */

static void migrations_run_once_and_a_changed_or_newer_one_is_refused(void **state)
{
    const bp_migration steps[] = {
        { 1, 0, "tables",
          "-- the app's INTEGER; it's \"wide\" /*\n/* don't ${x} */ CREATE TABLE docs(id "
          "${identity}, body ${bytes}, size INTEGER, share REAL, word TEXT DEFAULT 'a REAL ${x}'); "
          "CREATE INDEX x ON docs(size);" },
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
                   BP_SQL("INSERT INTO docs(body, name, size, share) VALUES($1, 'n', $2, 0.1) "
                          "RETURNING id, size, share, word",
                          bp_sql_bytes(BP_STR("b")), bp_sql_int(INT64_MAX)),
                   &rows));
    assert_int_equal(rows.values[0].integer, 1);
    assert_true(rows.values[1].integer == INT64_MAX && rows.values[2].real == 0.1);
    assert_true(bp_str_is(rows.values[3].text, "a REAL ${x}"));
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
    assert_int_equal(in_use(), 0);
}

#include "plugins/migrations_test.h"

static atomic_int migrated;

static void *migrate_too(void *arg)
{
    const bp_migration steps[] = { { 1, 0, "one", "CREATE TABLE m(a INTEGER)" },
                                   { 2, 0, "two", "INSERT INTO m VALUES(1)" },
                                   { 3, 0, "three", "INSERT INTO m VALUES(2)" } };
    bp_call           *own = testhost_call_new(host, BP_SECONDS(60));
    testhost_instance *worker = arg;
    if (ops->migrate(own, testhost_self(worker), BP_STR("many"), steps, 3) == BP_OK)
        atomic_fetch_add(&migrated, 1);
    else
        print_error(BP_FMT "\n", BP_ARG(bp_error_of(own)->message));
    testhost_call_end(own);
    return NULL;
}

static void workers_that_migrate_at_once_take_turns(void **state)
{
    testhost_instance *workers[3];
    pthread_t          threads[3];
    (void)state;
    atomic_store(&migrated, 0);
    // Books of before works_from: one of them adds the column, all find it.
    assert_ok(exec(NULL,
                   BP_SQL0("CREATE TABLE backplane_migrations(owner TEXT NOT NULL, version BIGINT "
                           "NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_wall_ns "
                           "BIGINT NOT NULL, PRIMARY KEY(owner, version))"),
                   NULL));
    for (int i = 0; i < 3; i++)
        workers[i] = testhost_instance_worker(instance);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_too, workers[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3; i++)
        testhost_instance_destroy(workers[i]);
    assert_int_equal(atomic_load(&migrated), 3);
    assert_int_equal(count_of("m"), 2);
    assert_int_equal(number_of("SELECT count(works_from) FROM backplane_migrations"), 3);
}

static void hypertables_are_ordinary_tables_where_timescale_is_not(void **state)
{
    const testhost_option options[] = { { "url", getenv("BACKPLANE_TEST_POSTGRES") },
                                        { "hypertables", "usage:at_wall_ns" } };
    const testhost_option wrong[] = { { "url", getenv("BACKPLANE_TEST_POSTGRES") },
                                      { "hypertables", "usage" } };
    (void)state;
    stop();
    start(options, 2);
    self = testhost_self(instance);
    assert_ok(ops->migrate(call, self, BP_STR("u"),
                           &(bp_migration){ 1, 0, "u", "CREATE TABLE usage(at_wall_ns INTEGER)" },
                           1));
    assert_true(testhost_log_has(host, "has no TimescaleDB"));
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO usage VALUES(1)"), NULL));
    assert_int_equal(testhost_check(host, plugin, wrong, 2), BP_INVALID);
}

/* ---- notices ---- */

struct heard {
    int  gaps, count;
    char text[64];
};

static bp_status hear(bp_call *sink_call, void *arg, bp_str payload, bool is_gap)
{
    struct heard *heard = arg;
    heard->gaps += is_gap;
    if (is_gap)
        return ops->notify(sink_call, self, NULL, BP_STR("news"), BP_STR("gr\xc3\xbc\xc3\x9f"));
    heard->count++;
    snprintf(heard->text, sizeof(heard->text), BP_FMT, BP_ARG(payload));
    return bp_fail(sink_call, BP_LIMIT, "heard enough");
}

static void what_is_notified_is_heard(void **state)
{
    struct heard         heard = { 0 };
    const bp_notice_sink sink = { sizeof(sink), hear, &heard };
    (void)state;
    assert_status(ops->listen(call, self, BP_STR("news"), &sink), BP_LIMIT);
    assert_int_equal(heard.gaps, 1);
    assert_string_equal(heard.text, "gr\xc3\xbc\xc3\x9f");
    assert_status(ops->listen(call, self, BP_STR("no; DROP"), &sink), BP_INVALID);
    assert_status(ops->notify(call, self, NULL, BP_STR("UPPER"), BP_STR("x")), BP_INVALID);
    for (int i = 0;
         i < 200 && number_of("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
         i++)
        usleep(100000); // the server takes a moment to see that the connection is closed
    assert_int_equal(number_of("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"),
                     0);
}

/* ---- upkeep ---- */

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
                                  "${bytes}); CREATE TABLE k(x TEXT, y INTEGER, PRIMARY KEY(y, x))" };
    bp_rows             rows = { .struct_size = sizeof(rows) };
    const bp_sql_value *row;
    (void)state;
    assert_ok(ops->migrate(call, self, BP_STR("t"), &step, 1));
    assert_ok(exec(NULL,
                   BP_SQL0("INSERT INTO t(id, c) SELECT i, 'x' FROM generate_series(1, 500) i"),
                   NULL));
    assert_ok(ops->maintain(call, self, BP_STR("identities"), BP_STR("")));
    assert_ok(ops->maintain(call, self, BP_STR("identities"), BP_STR("t")));
    assert_int_equal(number_of("INSERT INTO t(c) VALUES('y') RETURNING id"), 501);
    assert_ok(exec(NULL,
                   BP_SQL0("CREATE TABLE \"it's\"(id BIGINT GENERATED BY DEFAULT AS IDENTITY "
                           "PRIMARY KEY)"),
                   NULL));
    assert_ok(exec(NULL, BP_SQL0("INSERT INTO \"it's\" VALUES(7)"), NULL));
    assert_ok(ops->maintain(call, self, BP_STR("identities"), BP_STR("it's")));
    assert_int_equal(number_of("INSERT INTO \"it's\" DEFAULT VALUES RETURNING id"), 8);
    assert_ok(exec(NULL, BP_SQL0("DROP TABLE \"it's\""), NULL));
    assert_ok(ops->maintain(call, self, BP_STR("vacuum"), BP_STR("")));
    assert_ok(ops->maintain(call, self, BP_STR("reindex"), BP_STR("k")));
    assert_status(ops->maintain(call, self, BP_STR("vacuum"), BP_STR("nowhere; DROP TABLE t")),
                  BP_NOT_FOUND);
    assert_status(ops->maintain(call, self, BP_STR("explode"), BP_STR("")), BP_INVALID);
    assert_ok(ops->inspect(call, self, BP_STR("size"), &rows));
    row = row_named(&rows, "t");
    assert_true(row[1].integer > 8000 && row[2].integer == 501);
    assert_true(bp_str_is(bp_row(&rows, rows.row_count - 1)[0].text, "(all)"));
    assert_ok(ops->inspect(call, self, BP_STR("connections"), &rows));
    assert_true(row_named(&rows, "backplane")[2].integer >= 1);
    assert_int_equal(row_named(&rows, "(limit)")[2].integer, 100);
    assert_ok(ops->inspect(call, self, BP_STR("bloat"), &rows));
    assert_true(bp_str_is(row_named(&rows, "t")[3].text, "rows"));
    assert_ok(ops->inspect(call, self, BP_STR("tables"), &rows));
    assert_int_equal(rows.row_count, 5 + 6 + 2);
    row = row_named(&rows, "t");
    assert_true(bp_str_is(row[1].text, "id") && bp_str_is(row[2].text, "integer") &&
                row[3].integer == 1 && row[4].integer == 1);
    row = row_named(&rows, "k");
    assert_true(bp_str_is(row[1].text, "x") && bp_str_is(row[2].text, "text") &&
                row[3].integer == 2 && row[4].integer == 0);
    assert_status(ops->inspect(call, self, BP_STR("weather"), &rows), BP_INVALID);
}

/* ---- URLs and failures ---- */

static void check_url(const char *url, bp_status expected)
{
    const testhost_option options[] = { { "url", url } };
    bp_status             status = testhost_check(host, plugin, options, 1);
    if (status != expected)
        fail_msg("\"%s\" is %s: %s", url, bp_status_label(status), testhost_problem(host));
    if (strstr(testhost_problem(host), "hunter2"))
        fail_msg("the password is shown: %s", testhost_problem(host));
}

static void every_spelling_of_the_url_is_read_and_no_password_shown(void **state)
{
    static const char *const good[] = {
        "postgres://u:hunter2@h/d",
        "postgresql+asyncpg://u:hunter2@h:1/d?ssl=require&pool_size=5",
        ("postgresql+psycopg2://u:hunter2%2F%40@h1,h2:5433/"
         "d?sslmode=prefer&target_session_attrs=read-write"),
        "postgresql:///d?host=/run/postgresql",
        "postgresql://u@%2Frun%2Fpostgresql/d",
        "postgresql://[::1]:5432/d",
    };
    static const char *const bad[] = { "postgresql://u:hunter2%zz@h/d",
                                       "postgresql://u:hunter2@h:notaport:3/d?=",
                                       "postgresql://u:hunter2@[::1/d",
                                       "postgresql://u:x@hunter2@h/d",
                                       "postgresql://u:12/hunter2@h/d",
                                       "postgresql://u:x?hunter2@h/d",
                                       "postgresql://u:hunter2@h/d?sslmode=verify",
                                       "postgresql://u:hunter2@h/d?target_session_attrs=read" };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check_url(good[i], BP_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_url(bad[i], BP_INVALID);
    assert_true(testhost_log_has(host, "names a Python driver"));
    assert_true(testhost_log_has(host, "pool_size"));
    assert_false(testhost_log_has(host, "hunter2"));
}

static void failures_to_connect_say_what_to_check(void **state)
{
    static const struct {
        const char *url, *said;
    } wrong[] = {
        { "postgresql://u:hunter2@127.0.0.1:1/d",
          "127.0.0.1:1 as u: Connection refused (attempt 1; is the server running" },
        { "postgresql://u:hunter2@127.0.0.1:1,127.0.0.1:2/d", "127.0.0.1:2" },
        { "postgresql://u:hunter2@/d?host=/nowhere", "unix:/nowhere/.s.PGSQL.5432" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const testhost_option options[] = { { "url", wrong[i].url } };
        testhost_instance    *other = testhost_instance_create(host, plugin, "other", options, 1);
        assert_non_null(other);
        assert_status(ops->exec(call, testhost_self(other), NULL, BP_SQL0("SELECT 1"), NULL),
                      BP_UNAVAILABLE);
        assert_said(wrong[i].said);
        assert_null(strstr(bp_error_of(call)->message.data, "hunter2"));
        assert_status(ops->exec(call, testhost_self(other), NULL, BP_SQL0("SELECT 1"), NULL),
                      BP_UNAVAILABLE);
        testhost_instance_destroy(other);
    }
}

static void a_wrong_password_and_database_are_told_apart(void **state)
{
    const char           *at = strchr(getenv("BACKPLANE_TEST_POSTGRES"), '@');
    char                  url[512];
    const testhost_option options[] = { { "url", url } };
    testhost_instance    *other;
    (void)state;
    snprintf(url, sizeof(url), "postgresql://backplane:hunter2%s", at);
    other = testhost_instance_create(host, plugin, "other", options, 1);
    assert_status(ops->exec(call, testhost_self(other), NULL, BP_SQL0("SELECT 1"), NULL),
                  BP_UNAVAILABLE);
    assert_said("password");
    assert_null(strstr(bp_error_of(call)->message.data, "hunter2"));
    testhost_instance_destroy(other);
    snprintf(url, sizeof(url), "%.*s/nothing",
             (int)(strrchr(at, '/') - getenv("BACKPLANE_TEST_POSTGRES")),
             getenv("BACKPLANE_TEST_POSTGRES"));
    other = testhost_instance_create(host, plugin, "other", options, 1);
    assert_status(ops->exec(call, testhost_self(other), NULL, BP_SQL0("SELECT 1"), NULL),
                  BP_UNAVAILABLE);
    assert_said("\"nothing\" does not exist");
    testhost_instance_destroy(other);
}

static void a_unix_socket_and_a_password_of_its_own_work(void **state)
{
    const testhost_option options[] = { { "url", getenv("BACKPLANE_TEST_POSTGRES_SOCKET") } };
    testhost_instance    *other = testhost_instance_create(host, plugin, "other", options, 1);
    (void)state;
    assert_non_null(other);
    assert_ok(ops->exec(call, testhost_self(other), NULL, BP_SQL0("SELECT 1"), NULL));
    testhost_instance_destroy(other);
}

int main(void)
{
#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define WITH(set, name) cmocka_unit_test_setup_teardown(name, set, teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_of_every_type_come_back_as_they_went_in),
        TEST(sums_and_truths_are_integers),
        TEST(parameters_go_by_their_number_and_may_repeat),
        TEST(wrong_statements_are_invalid_and_change_nothing),
        TEST(with_may_read_or_write),
        TEST(too_many_rows_are_refused_and_a_write_is_taken_back),
        TEST(a_query_gives_its_rows_to_the_sink_in_order),
        TEST(a_batch_is_all_or_nothing),
        TEST(a_batch_larger_than_every_buffer_goes_through),
        TEST(a_transaction_is_seen_by_others_only_when_committed),
        TEST(a_transaction_left_open_is_rolled_back_with_its_call),
        TEST(a_transaction_of_more_than_ten_seconds_is_rolled_back),
        TEST(a_transaction_with_an_error_is_over),
        TEST(of_two_transactions_that_contradict_each_other_one_is_a_conflict),
        TEST(all_connections_in_use_is_said_and_one_given_back_is_used),
        TEST(an_idle_connection_is_closed_and_a_lost_one_replaced),
        TEST(a_statement_whose_connection_is_ended_says_what_became_of_it),
        WITH(setup_small_cache, a_small_statement_cache_is_enough_for_many_statements),
        TEST(a_changed_table_does_not_break_prepared_statements),
        WITH(setup_unprepared, without_a_cache_nothing_is_prepared),
        WITH(setup_unprepared, a_batch_is_all_or_nothing),
        TEST(migrations_run_once_and_a_changed_or_newer_one_is_refused),
        TEST(books_from_before_works_from_are_read),
        TEST(books_with_a_hole_are_refused),
        TEST(a_table_of_the_same_name_is_told_from_the_books),
        TEST(workers_that_migrate_at_once_take_turns),
        TEST(hypertables_are_ordinary_tables_where_timescale_is_not),
        TEST(what_is_notified_is_heard),
        TEST(inspecting_and_maintaining),
        TEST(every_spelling_of_the_url_is_read_and_no_password_shown),
        TEST(failures_to_connect_say_what_to_check),
        TEST(a_wrong_password_and_database_are_told_apart),
        TEST(a_unix_socket_and_a_password_of_its_own_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

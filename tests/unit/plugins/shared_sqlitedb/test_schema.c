/* test_schema.c - a statement on a virtual table survives a schema that another connection changes
 * all the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <backplane/testhost.h>

#include "sqlitedb/sqlitedb.h"

enum { STATEMENTS = 4000, STATEMENT_BYTES = 96 };

static testhost        *host;
static bp_call         *call;
static char             folder[] = "/tmp/backplane-test-XXXXXX", path[64];
static struct sqlitedb *db;
static atomic_bool      is_over;
static atomic_int       changes;

static int begin(void **state)
{
    struct sqlitedb_settings settings = { .sync = SQLITEDB_SYNC_NORMAL,
                                          .busy_timeout_ns = BP_SECONDS(10),
                                          .cache_bytes = 1 << 20 };

    (void)state;
    host = testhost_new();
    call = testhost_call_new(host, BP_FOREVER);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/words.db", folder);
    settings.path = bp_str_of(path);
    assert_int_equal(sqlitedb_open(call, &settings, &db), BP_OK);
    sqlitedb_enter(call, db);
    assert_int_equal(sqlitedb_run(call, db,
                                  "CREATE VIRTUAL TABLE words USING fts5(text); INSERT INTO words "
                                  "VALUES('a b c')"),
                     BP_OK);
    return 0;
}

static int end(void **state)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char                     name[80];

    (void)state;
    sqlitedb_leave(db);
    sqlitedb_close(db);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    rmdir(folder);
    testhost_call_end(call);
    testhost_free(host);
    return 0;
}

/* What a deployment does that makes and drops collections beside its searches. */
static void *change_schema(void *arg)
{
    sqlite3 *other = NULL;

    (void)arg;
    if (sqlite3_open(path, &other) != SQLITE_OK)
        return NULL;
    sqlite3_busy_timeout(other, 10000);
    while (!atomic_load(&is_over)) {
        if (sqlite3_exec(other, "CREATE TABLE t(x); DROP TABLE t", NULL, NULL, NULL) != SQLITE_OK)
            break;
        atomic_fetch_add(&changes, 1);
    }
    sqlite3_close(other);
    return NULL;
}

/* Each text is a statement of its own, so each is compiled under the changes; every second one is
 * run twice. */
static void test_statements_are_compiled_while_the_schema_changes(void **state)
{
    pthread_t thread;
    char      sql[STATEMENT_BYTES];

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, change_schema, NULL), 0);
    for (int i = 0; i < STATEMENTS || atomic_load(&changes) < 20; i++) {
        sqlite3_stmt *statement;
        bool          has_row = false;

        snprintf(sql, sizeof(sql), "SELECT rowid, %d FROM words WHERE words MATCH 'b'", i / 2);
        if (sqlitedb_prepare(call, db, bp_str_of(sql), &statement) != BP_OK ||
            sqlitedb_step(call, db, statement, &has_row) != BP_OK)
            fail_msg("statement %d, after %d changes: " BP_FMT, i, atomic_load(&changes),
                     BP_ARG(bp_error_of(call)->message));
        assert_true(has_row);
        assert_int_equal(sqlite3_column_int(statement, 1), i / 2);
        sqlitedb_done(db, statement);
    }
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements_are_compiled_while_the_schema_changes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

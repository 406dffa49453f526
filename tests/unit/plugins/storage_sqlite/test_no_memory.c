/* test_no_memory.c - storage/sqlite: what is asked for while memory runs out, or while the system
 * refuses what a backup needs, is done whole or not at all, and gives its connection back. */
#include <dirent.h>

#include "plugins/whole.h"

static const bp_storage_ops *ops;
static void                 *self;

static int setup(void **state)
{
    const testhost_option options[] = { { "path", "test.db" }, { "synchronous", "normal" } };

    (void)state;
    if (open_host(BP_PLUGIN_DIR "/storage/sqlite.so") != 0)
        return -1;
    start(options, 2);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static void add_rows(bp_buf *buf, const bp_rows *rows)
{
    for (size_t r = 0; r < rows->row_count; r++)
        for (uint32_t c = 0; c < rows->column_count; c++) {
            const bp_sql_value *value = &bp_row(rows, r)[c];

            if (value->type == BP_SQL_INTEGER)
                bp_buf_addf(buf, "%lld ", (long long)value->integer);
            else
                bp_buf_addf(buf, BP_FMT "(%lld) ", BP_ARG(value->text), (long long)value->integer);
        }
}

static const char *texts_of(const bp_rows *rows)
{
    bp_buf *buf = bp_buf_new(call, WHOLE_TEXT_BYTES);

    add_rows(buf, rows);
    return bp_buf_str(buf).len ? bp_buf_str(buf).data : "";
}

/* How many files but the copy itself are where it goes: when its folder cannot be synced behind the
 * renaming, the copy is there although it is not said to be. */
static int leftovers_in(const char *path)
{
    DIR           *folder = opendir(path);
    struct dirent *entry;
    int            count = 0;

    while (folder && (entry = readdir(folder)))
        count += entry->d_name[0] != '.' && strcmp(entry->d_name, "copy.db") != 0;
    if (folder)
        closedir(folder);
    return count;
}

/* The rows, what the connections do, and what a copy leaves behind. */
static const char *state(void)
{
    bp_rows rows = { .struct_size = sizeof(rows) }, links = { .struct_size = sizeof(links) };

    assert_ok(ops->exec(call, self, NULL,
                        BP_SQL0("SELECT t.*, (SELECT count(*) FROM sqlite_schema) FROM t"), &rows));
    assert_ok(ops->inspect(call, self, BP_STR("connections"), &links));
    return bp_format(call, "%s; %s; %d", texts_of(&rows), texts_of(&links),
                     leftovers_in(bp_format(call, "%s/copies", directory).data))
        .data;
}

static void run_sql(const char *words)
{
    const bp_statement statement = { .struct_size = sizeof(statement), .sql = bp_str_of(words) };

    assert_ok(ops->exec(call, self, NULL, &statement, NULL));
}

/* ---- what is asked for ---- */

static bp_status read_rows(void)
{
    bp_rows   rows = { .struct_size = sizeof(rows) };
    bp_status status = ops->exec(call, self, NULL,
                                 BP_SQL("SELECT * FROM t WHERE id < $1", bp_sql_int(9)), &rows);

    snprintf(answer, sizeof(answer), "%s", texts_of(&rows));
    return status;
}

static bp_status note_row(bp_call *of, void *arg, const bp_sql_value *values, uint32_t count)
{
    const bp_rows rows = {
        .struct_size = sizeof(rows), .column_count = count, .row_count = 1, .values = values
    };

    (void)of;
    add_rows(arg, &rows);
    return BP_OK;
}

static bp_status query_rows(void)
{
    bp_buf           *buf = bp_buf_new(call, WHOLE_TEXT_BYTES);
    const bp_row_sink sink = { .struct_size = sizeof(sink), .row = note_row, .self = buf };
    bp_status         status = ops->query(call, self, NULL,
                                          BP_SQL("SELECT *, hex(zeroblob(100)) FROM t WHERE id < $1",
                                                 bp_sql_int(9)),
                                          &sink);

    snprintf(answer, sizeof(answer), BP_FMT, BP_ARG(bp_buf_str(buf)));
    return status;
}

static bp_status insert(void)
{
    return ops->exec(call, self, NULL,
                     BP_SQL("INSERT INTO t VALUES(7, $1)", bp_sql_text(BP_STR("seven"))), NULL);
}

static bp_status insert_all(void)
{
    const bp_sql_value value = bp_sql_text(BP_STR("more"));
    const bp_statement statements[] = {
        { sizeof(bp_statement), 1, BP_STR("INSERT INTO t VALUES(8, $1)"), &value },
        { sizeof(bp_statement), 1, BP_STR("INSERT INTO t VALUES(9, $1)"), &value },
    };
    int64_t   changed[2] = { 0 };
    bp_status status = ops->batch(call, self, statements, 2, changed);

    snprintf(answer, sizeof(answer), "%d %d", (int)changed[0], (int)changed[1]);
    return status;
}

static bp_status transact(void)
{
    bp_transaction *transaction;
    bp_status       status = ops->begin(call, self, &transaction);

    if (status == BP_OK)
        status = ops->exec(call, self, transaction, BP_SQL0("INSERT INTO t VALUES(10, 'ten')"),
                           NULL);
    if (status == BP_OK)
        status = ops->commit(call, self, transaction);
    return status;
}

static void take_back(void)
{
    next_call();
    run_sql("DELETE FROM t WHERE id > 2");
}

static bp_status inspect(const char *what)
{
    bp_rows   rows = { .struct_size = sizeof(rows) };
    bp_status status = ops->inspect(call, self, bp_str_of(what), &rows);

    snprintf(answer, sizeof(answer), "%s", texts_of(&rows));
    return status;
}

static bp_status inspect_tables(void)
{
    return inspect("tables");
}

static bp_status inspect_bloat(void)
{
    return inspect("bloat");
}

static bp_status reindex(void)
{
    return ops->maintain(call, self, BP_STR("reindex"), BP_STR("t"));
}

static bp_status back_up(void)
{
    char      path[128];
    int64_t   size = -1;
    bp_status status;

    snprintf(path, sizeof(path), "%s/copies/copy.db", directory);
    status = ops->backup(call, self, bp_str_of(path), &size);
    snprintf(answer, sizeof(answer), "%lld", (long long)size);
    return status;
}

static void remove_copy(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/copies/copy.db", directory);
    unlink(path);
}

static const struct act acts[] = {
    { "exec of a read", read_rows, NULL },    { "query", query_rows, NULL },
    { "exec of a write", insert, take_back }, { "batch", insert_all, take_back },
    { "transaction", transact, take_back },   { "inspect tables", inspect_tables, NULL },
    { "inspect bloat", inspect_bloat, NULL }, { "reindex", reindex, NULL },
    { "backup", back_up, remove_copy },
};
enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

static void an_operation_without_memory_is_whole_or_not_at_all(void **state_of_test)
{
    (void)state_of_test;
    run_sql("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)");
    run_sql("INSERT INTO t VALUES(1, 'one'), (2, NULL)");
    for (size_t i = 0; i < ACTS; i++) {
        assert_whole(&acts[i], INJECT_MEMORY, "/plugins/", state);
        if (acts[i].run != back_up && acts[i].run != reindex) // SQLite has too many calls for these
            assert_whole(&acts[i], INJECT_MEMORY, "libsqlite3", state);
    }
}

static void a_backup_that_the_system_refuses_is_whole_or_not_at_all(void **state_of_test)
{
    (void)state_of_test;
    run_sql("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)");
    run_sql("INSERT INTO t VALUES(1, 'one'), (2, NULL)");
    assert_whole(&acts[ACTS - 1], INJECT_SYSTEM, "/plugins/", state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_operation_without_memory_is_whole_or_not_at_all),
        TEST(a_backup_that_the_system_refuses_is_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

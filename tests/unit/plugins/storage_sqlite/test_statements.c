/* test_statements.c - statement.c, backup.c and inspect.c at their edges: how many parameters and
 * rows, which words begin a read, what a backup may be called, and what is told of the file.
 */
#include "plugins/plugin_test.h"

static const bp_storage_ops *ops;
static void                 *self;

static int setup(void **state)
{
    const testhost_option options[] = { { "path", "test.db" }, { "readers", "2" } };

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

static bp_status run(bp_transaction *transaction, const bp_statement *statement, bp_rows *rows)
{
    *rows = (bp_rows){ .struct_size = sizeof(*rows) };
    return ops->exec(call, self, transaction, statement, rows);
}

static void add_value(bp_buf *buf, const bp_sql_value *value)
{
    if (value->type == BP_SQL_INTEGER)
        bp_buf_addf(buf, "%lld", (long long)value->integer);
    else if (value->type == BP_SQL_REAL)
        bp_buf_addf(buf, "%gr", value->real);
    else if (value->type == BP_SQL_NULL)
        bp_buf_add(buf, BP_STR("null"));
    else
        bp_buf_addf(buf, "%s'" BP_FMT "'", value->type == BP_SQL_BYTES ? "x" : "",
                    BP_ARG(value->text));
}

/* "a,b: 1,'x'; 2,null; changed 2", or the status and sentence of a failure. */
static const char *text_of(bp_status status, const bp_rows *rows)
{
    bp_buf *buf = bp_buf_new(call, 1 << 20);

    if (status != BP_OK)
        return bp_format(call, "%s: " BP_FMT, bp_status_label(status),
                         BP_ARG(bp_error_of(call)->message))
            .data;
    for (uint32_t i = 0; i < rows->column_count; i++)
        bp_buf_addf(buf, "%s" BP_FMT, i ? "," : "", BP_ARG(rows->columns[i]));
    bp_buf_add(buf, BP_STR(":"));
    for (size_t r = 0; r < rows->row_count; r++) {
        for (uint32_t i = 0; i < rows->column_count; i++) {
            bp_buf_add(buf, i ? BP_STR(",") : BP_STR(" "));
            add_value(buf, &bp_row(rows, r)[i]);
        }
        bp_buf_add(buf, BP_STR(";"));
    }
    bp_buf_addf(buf, " changed %lld", (long long)rows->changed);
    return bp_buf_str(buf).data;
}

static const char *told(const bp_statement *statement)
{
    bp_rows   rows;
    bp_status status;

    next_call();
    status = run(NULL, statement, &rows);
    return text_of(status, &rows);
}

#define assert_told(statement, wanted) assert_string_equal(told(statement), wanted)

static void parameters_are_counted_and_typed(void **state)
{
    bp_sql_value values[66] = { { 0 } };
    bp_statement statement = { sizeof(statement), 64, BP_STR("SELECT $64, $1"), values };

    (void)state;
    values[0] = bp_sql_int(7);
    values[63] = bp_sql_text(bp_str_n(NULL, 0));
    assert_told(&statement, "$64,$1: '',7; changed 0");
    statement.parameter_count = 65;
    assert_told(&statement, "invalid: 65 parameters were given, at most 64 are possible");
    statement.parameter_count = 63;
    assert_told(&statement, "invalid: the statement uses $64 and was given 63 parameters");
    statement.parameter_count = 64;
    values[63] = bp_sql_bytes(bp_str_n(NULL, 0));
    assert_told(&statement, "$64,$1: x'',7; changed 0");
    values[63].type = BP_SQL_BYTES + 1;
    assert_told(&statement, "invalid: parameter $64 has the unknown type 5");
    assert_told(BP_SQL("SELECT $1x", bp_sql_int(1)),
                "invalid: parameters are written $1, $2 ...; $1x is none");
    assert_told(BP_SQL("SELECT $0", bp_sql_int(1)),
                "invalid: parameters are written $1, $2 ...; $0 is none");
    assert_told(BP_SQL("SELECT :a", bp_sql_int(1)),
                "invalid: parameters are written $1, $2 ...; :a is none");
    assert_told(BP_SQL("SELECT ?", bp_sql_int(1)),
                "invalid: parameters are written $1, $2 ...; ? is none");
    assert_told(BP_SQL("SELECT $1, $2, $1", bp_sql_real(0.5), bp_sql_null()),
                "$1,$2,$1: 0.5r,null,0.5r; changed 0");
    assert_told(BP_SQL0("SELECT 1 WHERE 0"), "1: changed 0");
}

static void rows_grow_and_changes_are_counted(void **state)
{
    (void)state;
    assert_told(BP_SQL0("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)"), ": changed 0");
    for (int count = 7; count <= 18; count++) {
        char              *rows;
        const bp_sql_value values[] = { bp_sql_int(count) };
        const bp_statement statement = {
            sizeof(statement), 1,
            BP_STR("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < $1) "
                   "INSERT INTO t SELECT i, 'r' || i FROM n RETURNING a, b"),
            values
        };
        size_t len = 0;

        assert_told(BP_SQL0("DELETE FROM t WHERE a < 0"), ": changed 0");
        rows = malloc(1000);
        len = (size_t)snprintf(rows, 1000, "a,b:");
        for (int i = 1; i <= count; i++)
            len += (size_t)snprintf(rows + len, 1000 - len, " %d,'r%d';", i, i);
        snprintf(rows + len, 1000 - len, " changed %d", count);
        assert_told(&statement, rows);
        snprintf(rows, 1000, ": changed %d", count);
        assert_told(BP_SQL0("DELETE FROM t"), rows);
        free(rows);
    }
    assert_told(BP_SQL0("INSERT INTO t VALUES(1, 'x'), (2, 'y')"), ": changed 2");
    assert_told(BP_SQL0("UPDATE t SET b = 'z'"), ": changed 2");
    assert_told(BP_SQL0("INSERT INTO t VALUES(3, 'x'), (2, 'y')"),
                "conflict: UNIQUE constraint failed: t.a");
    assert_told(BP_SQL0("SELECT * FROM t"), "a,b: 1,'z'; 2,'z'; changed 0");
}

static void rows_have_64_mib(void **state)
{
    bp_rows rows;

    (void)state;
    assert_told(BP_SQL0("SELECT zeroblob(33554432) UNION ALL SELECT zeroblob(33554433)"),
                "too_large: the rows are larger than 64 MiB: use a LIMIT, or query()");
    next_call();
    assert_ok(
        run(NULL, BP_SQL0("SELECT zeroblob(33554432) UNION ALL SELECT zeroblob(33554000)"), &rows));
    next_call();
}

/* While somebody writes, what reads goes on, and what writes waits for its deadline. */
static void reads_do_not_wait_for_the_writer(void **state)
{
    static const struct {
        const char *sql;
        bp_status   status;
    } cases[] = {
        { "SELECT 1", BP_OK },
        { "select 1", BP_OK },
        { " \t\r\n SELECT 1", BP_OK },
        { "WITH x AS (SELECT 1) SELECT * FROM x", BP_OK },
        { "VALUES(1)", BP_OK },
        { "EXPLAIN SELECT 1", BP_OK },
        { "INSERT INTO t VALUES(1)", BP_DEADLINE },
        { "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", BP_DEADLINE },
        { "DELETE FROM t", BP_DEADLINE },
        { "/* */ SELECT 1", BP_DEADLINE },
        { "(SELECT 1)", BP_INVALID },
        { "SELEC", BP_DEADLINE },
        { "", BP_DEADLINE },
    };
    bp_transaction *transaction;

    (void)state;
    assert_told(BP_SQL0("CREATE TABLE t(a INTEGER)"), ": changed 0");
    next_call();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_call           *other;
        const bp_statement statement = { sizeof(statement), 0, bp_str_of(cases[i].sql), NULL };
        bp_rows            rows = { .struct_size = sizeof(rows) };

        next_call();
        assert_ok(ops->begin(call, self, &transaction));
        other = testhost_call_new(host, BP_SECONDS(2));
        if (ops->exec(other, self, NULL, &statement, &rows) != cases[i].status)
            fail_msg("%s", cases[i].sql);
        testhost_call_end(other);
        assert_ok(ops->rollback(call, self, transaction));
    }
}

struct seen {
    bp_buf *buf;
    size_t  rows;
};

static bp_status see(bp_call *of, void *arg, const bp_sql_value *row, uint32_t column_count)
{
    struct seen *seen = arg;

    (void)of;
    seen->rows++;
    if (!seen->buf)
        return BP_OK;
    for (uint32_t i = 0; i < column_count; i++) {
        bp_buf_add(seen->buf, i ? BP_STR(",") : BP_STR(" "));
        add_value(seen->buf, &row[i]);
    }
    bp_buf_add(seen->buf, BP_STR(";"));
    return BP_OK;
}

static void a_query_keeps_values_of_all_types(void **state)
{
    struct seen       seen = { 0 };
    const bp_row_sink sink = { sizeof(sink), see, &seen };

    (void)state;
    seen.buf = bp_buf_new(call, 4096);
    assert_ok(
        ops->query(call, self, NULL,
                   BP_SQL("SELECT 7, 0.5, 'text', x'6263', NULL, '', x'' UNION ALL SELECT $1, "
                          "'b', x'', 'c', 1, 2, NULL",
                          bp_sql_text(BP_STR("given"))),
                   &sink));
    assert_string_equal(bp_buf_str(seen.buf).data,
                        " 7,0.5r,'text',x'bc',null,'',x''; 'given','b',x'','c',1,2,null;");
    seen.buf = NULL;
    for (int64_t count = 255; count <= 513; count += count == 257 ? 254 : 1) {
        seen.rows = 0;
        assert_ok(ops->query(call, self, NULL,
                             BP_SQL("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
                                    "WHERE i < $1) SELECT i FROM n",
                                    bp_sql_int(count)),
                             &sink));
        assert_int_equal(seen.rows, count);
    }
    assert_int_equal(ops->query(call, self, NULL, BP_SQL0("DELETE FROM sqlite_schema"), &sink),
                     BP_INVALID);
    assert_int_equal(ops->query(call, self, NULL, BP_SQL0("SELECT nothing"), &sink), BP_INVALID);
    next_call();
    assert_ok(
        run(NULL, BP_SQL0("CREATE TABLE q(a)"), &(bp_rows){ .struct_size = sizeof(bp_rows) }));
    assert_int_equal(ops->query(call, self, NULL, BP_SQL0("INSERT INTO q VALUES(1)"), &sink),
                     BP_INVALID);
    assert_string_equal(bp_error_of(call)->message.data,
                        "query() takes a SELECT; for what writes use exec()");
}

struct at_row {
    int       rows, last;
    bp_status status;   /* at the last one */
    int64_t   takes_ns; /* the last one */
};

static bp_status stop_at_row(bp_call *of, void *arg, const bp_sql_value *row, uint32_t columns)
{
    struct at_row *at = arg;

    (void)row;
    (void)columns;
    if (++at->rows < at->last)
        return BP_OK;
    testhost_advance(at->takes_ns);
    return at->status == BP_OK ? BP_OK : bp_fail(of, at->status, "enough");
}

static void a_reader_in_a_transaction_may_end_it_or_be_late(void **state)
{
    static const struct {
        int         rows, last;
        bp_status   status;
        int64_t     takes_ns;
        const char *wanted;
    } cases[] = {
        { 3, 2, BP_UPSTREAM, 0, "upstream: enough" },
        { 600, 300, BP_UPSTREAM, 0, "upstream: enough" },
        { 3, 3, BP_OK, BP_SECONDS(11), "" }, // all rows were there in time
        { 600, 300, BP_OK, BP_SECONDS(11),
          "deadline: the transaction took longer than 10 s and was rolled back" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct at_row     at = { 0, cases[i].last, cases[i].status, cases[i].takes_ns };
        const bp_row_sink sink = { sizeof(sink), stop_at_row, &at };
        bp_transaction   *transaction;
        bp_status         status;

        next_call();
        assert_ok(ops->begin(call, self, &transaction));
        status = ops->query(call, self, transaction,
                            BP_SQL("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
                                   "WHERE i < $1) SELECT i FROM n",
                                   bp_sql_int(cases[i].rows)),
                            &sink);
        assert_string_equal(status == BP_OK
                                ? ""
                                : bp_format(call, "%s: " BP_FMT, bp_status_label(status),
                                            BP_ARG(bp_error_of(call)->message))
                                      .data,
                            cases[i].wanted);
        ops->rollback(call, self, transaction);
    }
}

static void a_transaction_says_why_it_is_over(void **state)
{
    struct seen           seen = { 0 };
    const bp_row_sink     sink = { sizeof(sink), see, &seen };
    const testhost_option options[] = { { "path", "other.db" } };
    testhost_instance    *other = testhost_instance_create(host, plugin, "other", options, 1);
    bp_transaction       *transaction;
    bp_rows               rows;

    (void)state;
    assert_told(BP_SQL0("CREATE TABLE t(a INTEGER PRIMARY KEY)"), ": changed 0");
    next_call();
    assert_ok(ops->begin(call, testhost_self(other), &transaction));
    assert_string_equal(text_of(run(transaction, BP_SQL0("SELECT 1"), &rows), &rows),
                        "invalid: the transaction belongs to another store");
    assert_string_equal(text_of(ops->commit(call, self, transaction), &rows),
                        "invalid: the transaction belongs to another store");
    assert_string_equal(text_of(ops->rollback(call, self, transaction), &rows),
                        "invalid: the transaction belongs to another store");
    assert_string_equal(text_of(ops->query(call, self, transaction, BP_SQL0("SELECT 1"), &sink),
                                &rows),
                        "invalid: the transaction belongs to another store");
    assert_ok(ops->rollback(call, testhost_self(other), transaction));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(ops->query(call, self, transaction, BP_SQL0("SELECT 1"), &sink));
    assert_int_equal(seen.rows, 1);
    testhost_advance(BP_SECONDS(10));
    assert_ok(run(transaction, BP_SQL0("INSERT INTO t VALUES(1)"), &rows));
    assert_int_equal(rows.changed, 1);
    testhost_advance(1);
    assert_string_equal(text_of(ops->commit(call, self, transaction), &rows),
                        "deadline: the transaction took longer than 10 s and was rolled back");
    assert_string_equal(text_of(run(transaction, BP_SQL0("SELECT 1"), &rows), &rows),
                        "deadline: the transaction took longer than 10 s and was rolled back");
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(ops->commit(call, self, transaction));
    assert_string_equal(text_of(ops->commit(call, self, transaction), &rows),
                        "invalid: the transaction is over: it was committed, rolled back or took "
                        "too long");
    assert_ok(ops->begin(call, self, &transaction));
    assert_int_equal(run(transaction, BP_SQL0("INSERT OR ROLLBACK INTO t VALUES(2), (2)"), &rows),
                     BP_CONFLICT);
    assert_string_equal(text_of(run(transaction, BP_SQL0("SELECT 1"), &rows), &rows),
                        "conflict: an earlier error of this transaction has rolled it back");
    assert_told(BP_SQL0("SELECT COUNT(*) FROM t"), "COUNT(*): 0; changed 0");
    testhost_instance_destroy(other);
}

static const char *backed_up(const char *path)
{
    int64_t   size = -1;
    bp_status status;

    next_call();
    status = ops->backup(call, self, bp_str_of(path), &size);
    if (status == BP_OK) {
        struct stat info;

        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, size);
        assert_int_equal(info.st_mode & 0777, 0600);
        return "ok";
    }
    assert_int_equal(size, -1);
    return bp_format(call, "%s: %s", bp_status_label(status),
                     strncmp(bp_error_of(call)->message.data, directory, strlen(directory)) == 0
                         ? bp_error_of(call)->message.data + strlen(directory)
                         : bp_error_of(call)->message.data)
        .data;
}

static int files_in(const char *folder)
{
    char  command[256];
    FILE *list;
    int   count = 0;

    snprintf(command, sizeof(command), "ls -A '%s'", folder);
    list = popen(command, "r");
    while (fgets(command, sizeof(command), list))
        count++;
    pclose(list);
    return count;
}

static void a_backup_goes_where_it_can(void **state)
{
    char path[256], folder[256];

    (void)state;
    assert_told(BP_SQL0("CREATE TABLE t(a INTEGER)"), ": changed 0");
    assert_string_equal(backed_up("relative.db"), "invalid: a backup goes to the absolute path of "
                                                  "a file, not to \"relative.db\"");
    assert_string_equal(backed_up(""),
                        "invalid: a backup goes to the absolute path of a file, not to \"\"");
    snprintf(path, sizeof(path), "%s/x/", directory);
    assert_non_null(
        strstr(backed_up(path), "invalid: a backup goes to the absolute path of a file"));
    snprintf(path, sizeof(path), "%s/test.db", directory);
    assert_string_equal(backed_up(path), "invalid: /test.db is the database itself: name another "
                                         "file for its backup");
    snprintf(folder, sizeof(folder), "%s/made/here", directory);
    snprintf(path, sizeof(path), "%s/copy.db", folder);
    assert_string_equal(backed_up(path), "ok");
    assert_string_equal(backed_up(path), "ok");
    assert_int_equal(files_in(folder), 1);
    snprintf(path, sizeof(path), "%s/made", directory); // a folder
    assert_non_null(strstr(backed_up(path), "io: the backup failed: cannot rename to "));
    assert_int_equal(bp_error_of(call)->os_errno != 0, 1);
    assert_int_equal(files_in(folder), 1);
    snprintf(path, sizeof(path), "%s/test.db/below", directory); // a file is no folder
    assert_string_equal(strncmp(backed_up(path), "ok", 2) ? "" : "ok", "");
    assert_int_equal(ops->backup(call, self, bp_str_of(path), NULL) != BP_OK, 1);
}

static const char *inspected(const char *what)
{
    bp_rows   rows = { .struct_size = sizeof(rows) };
    bp_status status;

    next_call();
    status = ops->inspect(call, self, bp_str_of(what), &rows);
    return text_of(status, &rows);
}

static const char *maintained(const char *what, const char *table)
{
    bp_rows rows = { 0 };

    next_call();
    return text_of(ops->maintain(call, self, bp_str_of(what), bp_str_of(table)), &rows);
}

static void the_file_is_described(void **state)
{
    bp_transaction *transaction;
    bp_rows         rows = { .struct_size = sizeof(rows) };

    (void)state;
    assert_told(BP_SQL0("CREATE TABLE \"t\"\"x\"(a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT, c "
                        "BLOB, d DOUBLE)"),
                ": changed 0");
    assert_told(BP_SQL0("CREATE TABLE plain(id INTEGER, PRIMARY KEY (id))"), ": changed 0");
    assert_string_equal(inspected("tables"),
                        "table,column,type,key,is_identity: 'plain','id','integer',1,0; "
                        "'t\"x','a','integer',1,1; 't\"x','b','text',0,0; 't\"x','c','bytes',0,0; "
                        "'t\"x','d','real',0,0; changed 0");
    assert_string_equal(inspected("size"),
                        "name,bytes,rows: 'plain',4096,null; 'sqlite_sequence',4096,null; "
                        "'t\"x',4096,null; '(all)',16384,null; changed 0");
    assert_string_equal(inspected("bloat"),
                        "name,live,dead,unit,vacuumed_at: '(all)',4,0,'pages',null; changed 0");
    assert_string_equal(inspected("connections"),
                        "name,state,count,oldest_seconds: 'writer','idle',1,null; "
                        "'readers','idle',2,null; '(limit)','connections of this process',3,null; "
                        "changed 0");
    assert_string_equal(inspected("Size"), "invalid: \"Size\" cannot be asked; size, connections, "
                                           "bloat and tables can");
    next_call();
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(ops->inspect(call, self, BP_STR("connections"), &rows));
    assert_string_equal(text_of(BP_OK, &rows),
                        "name,state,count,oldest_seconds: 'writer','active',1,null; "
                        "'readers','idle',2,null; '(limit)','connections of this process',3,null; "
                        "changed 0");
    assert_string_equal(maintained("vacuum", ""), ": changed 0");
    assert_string_equal(maintained("reindex", ""), ": changed 0");
    assert_string_equal(maintained("reindex", "t\"x"), ": changed 0");
    assert_string_equal(maintained("vacuum", "plain"), ": changed 0");
    assert_string_equal(maintained("identities", "plain"), ": changed 0");
    assert_string_equal(maintained("identities", ""), ": changed 0");
    assert_string_equal(maintained("identities", "none"), "not_found: there is no table \"none\"");
    assert_string_equal(maintained("reindex", "none"), "not_found: there is no table \"none\"");
    assert_string_equal(maintained("analyse", ""),
                        "invalid: \"analyse\" cannot be done; vacuum, reindex and identities can");
    // What was deleted is given back by a vacuum alone.
    assert_told(BP_SQL0("INSERT INTO plain WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 "
                        "FROM n WHERE i < 9000) SELECT i FROM n"),
                ": changed 9000");
    assert_told(BP_SQL0("DELETE FROM plain"), ": changed 9000");
    assert_string_equal(inspected("bloat"),
                        "name,live,dead,unit,vacuumed_at: '(all)',4,16,'pages',null; changed 0");
    assert_string_equal(maintained("reindex", ""), ": changed 0");
    assert_string_equal(inspected("bloat"),
                        "name,live,dead,unit,vacuumed_at: '(all)',4,16,'pages',null; changed 0");
    assert_string_equal(maintained("vacuum", ""), ": changed 0");
    assert_string_equal(inspected("bloat"),
                        "name,live,dead,unit,vacuumed_at: '(all)',4,0,'pages',null; changed 0");
}

static void a_batch_of_none_is_done(void **state)
{
    (void)state;
    assert_ok(ops->batch(call, self, NULL, 0, NULL));
    assert_int_equal(ops->batch(call, self, BP_SQL0("SELECT nothing"), 1, NULL), BP_INVALID);
    next_call();
    assert_ok(ops->batch(call, self, BP_SQL0("CREATE TABLE b(a)"), 1, NULL));
}

/* With less memory than it needs, a statement fails or gives what it gives with enough. */
static void less_memory_is_no_other_answer(void **state)
{
    const bp_statement *statement = BP_SQL0(
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < 20) SELECT i AS "
        "number, 'text ' || i AS text, x'01' AS bytes FROM n");
    static const char *const questions[] = { "connections", "bloat" };
    char                     whole[4096];
    bp_rows                  rows;

    (void)state;
    snprintf(whole, sizeof(whole), "%s", told(statement));
    for (size_t most = 0, whole_ones = 0; whole_ones < 3; most += 8) {
        bp_status status;

        next_call();
        testhost_call_memory(call, most);
        status = run(NULL, statement, &rows);
        testhost_call_memory(call, SIZE_MAX);
        if (status != BP_OK)
            continue;
        assert_string_equal(text_of(status, &rows), whole);
        whole_ones++;
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(whole, sizeof(whole), "%s", inspected(questions[i]));
        for (size_t most = 0, whole_ones = 0; whole_ones < 3; most += 8) {
            bp_status status;

            next_call();
            rows = (bp_rows){ .struct_size = sizeof(rows) };
            testhost_call_memory(call, most);
            status = ops->inspect(call, self, bp_str_of(questions[i]), &rows);
            testhost_call_memory(call, SIZE_MAX);
            if (status != BP_OK)
                continue;
            assert_string_equal(text_of(status, &rows), whole);
            whole_ones++;
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parameters_are_counted_and_typed),
        TEST(rows_grow_and_changes_are_counted),
        TEST(rows_have_64_mib),
        TEST(reads_do_not_wait_for_the_writer),
        TEST(a_query_keeps_values_of_all_types),
        TEST(a_reader_in_a_transaction_may_end_it_or_be_late),
        TEST(a_transaction_says_why_it_is_over),
        TEST(a_backup_goes_where_it_can),
        TEST(the_file_is_described),
        TEST(a_batch_of_none_is_done),
        TEST(less_memory_is_no_other_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

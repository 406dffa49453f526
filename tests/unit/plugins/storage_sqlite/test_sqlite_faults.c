/* test_sqlite_faults.c - what the SQLite storage plugin keeps when it is killed, when the disk is
 * full, when fsync fails. */
#include "plugins/plugin_test.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { KILLS = 20 };

static const bp_storage_ops *ops;
static void                 *self;
static atomic_bool           fsync_fails, disk_is_full, writing_cancels;

/* libsqlite3 finds these before the C library's. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    if (atomic_load(&fsync_fails)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
__attribute__((visibility("default"))) int fsync(int fd)
{
    if (atomic_load(&fsync_fails)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static ssize_t pwrite_or_full(int fd, const void *bytes, size_t count, off_t offset)
{
    if (atomic_load(&disk_is_full)) {
        errno = ENOSPC;
        return -1;
    }
    if (atomic_load(&writing_cancels))
        testhost_cancel(call);
    return (ssize_t)syscall(SYS_pwrite64, fd, bytes, count, offset);
}

static void begin_instance(void)
{
    const testhost_option options[] = { { "path", "test.db" } };
    start(options, 1);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&fsync_fails, false);
    atomic_store(&disk_is_full, false);
    atomic_store(&writing_cancels, false);
    return open_host(BP_PLUGIN_DIR "/storage/sqlite.so");
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static int64_t number(const char *sql)
{
    bp_statement statement = { sizeof(statement), 0, bp_str_of(sql), NULL };
    bp_rows      rows = { .struct_size = sizeof(rows) };
    assert_ok(ops->exec(call, self, NULL, &statement, &rows));
    return rows.values[0].integer;
}

static bp_status insert(int64_t id)
{
    return ops->exec(call, self, NULL,
                     BP_SQL("INSERT INTO t VALUES($1, hex(zeroblob(200)))", bp_sql_int(id)), NULL);
}

/* The child: writes rows and says each id when it is acknowledged, until it is killed. */
static void write_until_killed(int out, int64_t id)
{
    begin_instance();
    for (;; id++) {
        if (insert(id) != BP_OK || write(out, &id, sizeof(id)) != sizeof(id))
            _exit(1);
        next_call();
    }
}

static void acknowledged_writes_survive_kill_9(void **state)
{
    int64_t acknowledged = 0;
    (void)state;
    begin_instance();
    assert_ok(ops->exec(call, self, NULL,
                        BP_SQL0("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)"), NULL));
    stop();
    srand(7);
    for (int round = 0; round < KILLS; round++) {
        int     ends[2], state_of_child;
        int64_t id;
        pid_t   child;

        assert_int_equal(pipe(ends), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_until_killed(ends[1], acknowledged + 1);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], &id, sizeof(id)), sizeof(id)); /* it has begun */
        acknowledged = id;
        usleep((useconds_t)(rand() % 20000));
        kill(child, SIGKILL);
        while (read(ends[0], &id, sizeof(id)) == sizeof(id))
            acknowledged = id;
        close(ends[0]);
        waitpid(child, &state_of_child, 0);
        assert_true(WIFSIGNALED(state_of_child));

        begin_instance();
        assert_int_equal(number("SELECT count(*) FROM t WHERE id <= (SELECT max(id) FROM t)"),
                         number("SELECT max(id) FROM t"));
        assert_true(number("SELECT max(id) FROM t") >= acknowledged);
        assert_int_equal(number("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
        acknowledged = number("SELECT max(id) FROM t");
        stop();
    }
    print_message("%d kills, %lld acknowledged writes, none lost\n", KILLS,
                  (long long)acknowledged);
    begin_instance();
}

static void watch_writes(bool is_watching)
{
    sqlite3_vfs        *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr write = is_watching ? (sqlite3_syscall_ptr)pwrite_or_full : NULL;

    assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64", write), SQLITE_OK);
    vfs->xSetSystemCall(vfs, "pwrite", write);
}

static void a_full_disk_is_said_and_reading_goes_on(void **state)
{
    (void)state;
    begin_instance();
    assert_ok(ops->exec(call, self, NULL,
                        BP_SQL0("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)"), NULL));
    assert_ok(insert(1));
    watch_writes(true);
    atomic_store(&disk_is_full, true);
    assert_status(insert(2), BP_FULL);
    assert_said("test.db");
    assert_said("no space");
    assert_int_equal(number("SELECT count(*) FROM t"), 1);
    atomic_store(&disk_is_full, false);
    assert_ok(insert(2));
    assert_int_equal(number("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    watch_writes(false);
}

/* The sentence of a backup that failed, with * for what chance gave its name. */
static const char *failed_backup(void)
{
    char    path[128], *dot;
    int64_t size = -1;

    next_call();
    snprintf(path, sizeof(path), "%s/copies/copy.db", directory);
    if (ops->backup(call, self, bp_str_of(path), &size) == BP_OK)
        return "ok";
    assert_int_equal(size, -1);
    snprintf(path, sizeof(path), "%s/copies", directory);
    assert_int_equal(rmdir(path), 0); // nothing is left in it
    dot = strstr((char *)(uintptr_t)bp_error_of(call)->message.data, "copy.db.");
    if (dot)
        memset(dot + 8, '*', 8);
    dot = strstr((char *)(uintptr_t)bp_error_of(call)->message.data, directory);
    if (dot)
        memset(dot, '~', strlen(directory));
    return bp_format(call, "%s %d: " BP_FMT, bp_status_label(bp_error_of(call)->status),
                     bp_error_of(call)->os_errno, BP_ARG(bp_error_of(call)->message))
        .data;
}

static void a_backup_that_fails_leaves_nothing(void **state)
{
    (void)state;
    begin_instance();
    assert_ok(ops->exec(call, self, NULL,
                        BP_SQL0("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)"), NULL));
    assert_ok(ops->exec(call, self, NULL,
                        BP_SQL0("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n "
                                "WHERE i < 9000) INSERT INTO t SELECT i, hex(zeroblob(200)) FROM "
                                "n"),
                        NULL));
    watch_writes(true);
    atomic_store(&fsync_fails, true);
    assert_string_equal(failed_backup(),
                        "io 0: the backup to ~~~~~~~~~~~~~~~~~~~/copies/copy.db.********.tmp "
                        "failed: disk I/O error");
    atomic_store(&fsync_fails, false);
    atomic_store(&disk_is_full, true);
    assert_string_equal(failed_backup(),
                        "full 0: the backup to ~~~~~~~~~~~~~~~~~~~/copies/copy.db.********.tmp "
                        "failed: database or disk is full");
    atomic_store(&disk_is_full, false);
    atomic_store(&writing_cancels, true);
    assert_string_equal(failed_backup(), "cancelled 0: the backup to "
                                         "~~~~~~~~~~~~~~~~~~~/copies/copy.db.********.tmp was "
                                         "given up: the caller no longer waits for the answer");
    atomic_store(&writing_cancels, false);
    watch_writes(false);
    assert_string_equal(failed_backup(), "ok");
}

static void after_a_failed_fsync_nothing_is_written_until_reopened(void **state)
{
    bp_transaction *transaction;
    (void)state;
    begin_instance();
    assert_ok(ops->exec(call, self, NULL,
                        BP_SQL0("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)"), NULL));
    assert_ok(insert(1));
    atomic_store(&fsync_fails, true);
    assert_status(insert(2), BP_IO);
    assert_said("fsync");
    atomic_store(&fsync_fails, false);
    assert_status(insert(3), BP_IO);
    assert_said("restart");
    assert_status(ops->begin(call, self, &transaction), BP_IO);
    assert_true(number("SELECT count(*) FROM t") >= 1);
    stop();
    begin_instance();
    assert_ok(insert(4));
}

static void a_commit_whose_fsync_fails_says_that_its_outcome_is_not_known(void **state)
{
    bp_transaction *transaction;
    (void)state;
    begin_instance();
    assert_ok(ops->exec(call, self, NULL,
                        BP_SQL0("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)"), NULL));
    assert_ok(ops->begin(call, self, &transaction));
    assert_ok(ops->exec(call, self, transaction, BP_SQL0("INSERT INTO t VALUES(1, '')"), NULL));
    atomic_store(&fsync_fails, true);
    assert_status(ops->commit(call, self, transaction), BP_UNAVAILABLE);
    assert_said("not known");
    atomic_store(&fsync_fails, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(acknowledged_writes_survive_kill_9),
        TEST(a_full_disk_is_said_and_reading_goes_on),
        TEST(a_backup_that_fails_leaves_nothing),
        TEST(after_a_failed_fsync_nothing_is_written_until_reopened),
        TEST(a_commit_whose_fsync_fails_says_that_its_outcome_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* backup.c - a consistent copy while others read and write: SQLite's backup of one snapshot, then a
 * rename.
 *
 * The reader holds a read transaction while it copies, so that writes in between do not restart the
 * copy.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGES_A_STEP = 256 };

struct backup {
    struct sqlitedb *db;
    const char      *path, *temporary, *journal; /* SQLite's, of the temporary file */
    int64_t          size_bytes;
};

static bp_status fail_errno(bp_call *call, const char *doing, const char *path)
{
    int       reason = errno;
    bp_status status = reason == ENOSPC || reason == EROFS || reason == EDQUOT ? BP_FULL : BP_IO;

    bp_fail(call, status, "the backup failed: cannot %s %s: %s", doing, path, strerror(reason));
    bp_fail_detail(call, 0, reason, 0);
    return status;
}

static bp_status copy_pages(bp_call *call, struct sqlitedb *from, sqlite3 *to, const char *path)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from->handle, "main");
    bp_status       status = BP_OK;
    int             code = SQLITE_OK;

    if (!backup)
        return bp_fail(call, BP_IO, "the backup to %s cannot begin: %s", path, sqlite3_errmsg(to));
    while (code == SQLITE_OK && status == BP_OK) {
        code = sqlite3_backup_step(backup, PAGES_A_STEP);
        status = bp_cancelled(call);
    }
    sqlite3_backup_finish(backup);
    if (status != BP_OK)
        return bp_fail(call, status, "the backup to %s was given up: %s", path,
                       bp_status_text(status));
    if (code != SQLITE_DONE)
        return bp_fail(call, code == SQLITE_FULL ? BP_FULL : BP_IO, "the backup to %s failed: %s",
                       path, sqlite3_errstr(code));
    return BP_OK;
}

static bp_status make_copy(bp_call *call, struct sqlitedb *from, const char *path)
{
    sqlite3  *to = NULL;
    bp_status status;
    int       fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail_errno(call, "make", path);
    close(fd);
    if (sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        status = bp_fail(call, BP_IO, "the backup to %s cannot begin: %s", path,
                         sqlite3_errmsg(to));
    else
        status = copy_pages(call, from, to, path);
    /* One file that any SQLite opens: not in WAL mode. */
    if (status == BP_OK &&
        sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK)
        status = bp_fail(call, BP_IO, "the backup to %s failed: %s", path, sqlite3_errmsg(to));
    sqlite3_close_v2(to);
    return status;
}

static bp_status sync_path(bp_call *call, const char *path, int flags)
{
    int       fd = open(path, flags | O_CLOEXEC);
    bp_status status = BP_OK;

    if (fd < 0 || fsync(fd) != 0)
        status = fail_errno(call, "sync", path);
    if (fd >= 0)
        close(fd);
    return status;
}

static bp_status put_in_place(bp_call *call, struct backup *backup)
{
    struct stat info;
    bp_str      directory = bp_dup(call, bp_str_of(backup->path));
    char       *slash = directory.data ? strrchr((char *)(uintptr_t)directory.data, '/') : NULL;

    if (!slash)
        return BP_NO_MEMORY;
    slash[slash == directory.data] = '\0';
    BP_TRY(sync_path(call, backup->temporary, O_RDONLY));
    if (stat(backup->temporary, &info) != 0)
        return fail_errno(call, "look at", backup->temporary);
    if (rename(backup->temporary, backup->path) != 0)
        return fail_errno(call, "rename to", backup->path);
    backup->size_bytes = (int64_t)info.st_size;
    return sync_path(call, directory.data, O_RDONLY | O_DIRECTORY);
}

static bp_status backup_job(bp_call *call, void *arg)
{
    struct backup *backup = arg;
    bp_status      status;

    sqlitedb_enter(call, backup->db);
    status = sqlitedb_make_directories(call, backup->path);
    if (status == BP_OK)
        status = sqlitedb_run(call, backup->db, "BEGIN; SELECT count(*) FROM sqlite_schema");
    if (status == BP_OK)
        status = make_copy(call, backup->db, backup->temporary);
    sqlitedb_rollback(backup->db);
    if (status == BP_OK)
        status = put_in_place(call, backup);
    if (status != BP_OK) {
        unlink(backup->temporary);
        unlink(backup->journal); /* a write that failed leaves it */
    }
    sqlitedb_leave(backup->db);
    return status;
}

bp_status store_backup(bp_call *call, void *instance, bp_str path, int64_t *size_bytes)
{
    struct store         *store = ((struct sqlite_instance *)instance)->store;
    struct sqlitedb_link *reader = sqlitedb_links_reader(&store->links);
    struct backup         backup = { .db = reader->db, .path = bp_dup(call, path).data };
    struct stat           target, own;
    uint8_t               mark[8];
    bp_status             status;

    if (!path.len || path.data[0] != '/' || path.data[path.len - 1] == '/')
        return bp_fail(call, BP_INVALID,
                       "a backup goes to the absolute path of a file, not to \"" BP_FMT "\"",
                       BP_ARG(path));
    bp_random(mark, sizeof(mark));
    backup.temporary = bp_format(call, BP_FMT ".%02x%02x%02x%02x.tmp", BP_ARG(path), mark[0],
                                 mark[1], mark[2], mark[3])
                           .data;
    backup.journal = bp_format(call, "%s-journal", backup.temporary ? backup.temporary : "").data;
    if (!backup.path || !backup.temporary || !backup.journal)
        return BP_NO_MEMORY;
    if (stat(backup.path, &target) == 0 && stat(store->path, &own) == 0 &&
        target.st_ino == own.st_ino && target.st_dev == own.st_dev)
        return bp_fail(call, BP_INVALID,
                       "%s is the database itself: name another file for its backup", backup.path);
    BP_TRY(sqlitedb_link_take(call, reader));
    status = bp_offload(call, reader->pool, backup_job, &backup);
    sqlitedb_link_give(reader);
    if (status == BP_OK && size_bytes)
        *size_bytes = backup.size_bytes;
    return status;
}

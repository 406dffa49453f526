/* write.c - writing files, making directories, moving.
 *
 * A file is written beside the place where it belongs, to a name nobody knows, brought to the disk
 * and then renamed: who reads sees the old file or the new one, whole, also after a crash at any
 * moment. Renaming replaces a name and never follows it, so a link or a hard link put there
 * meanwhile loses its name and nothing behind it is touched.
 */
#include "filesystem.h"

#include <stdio.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

static int write_all(bp_call *call, int fd, bp_str content)
{
    while (content.len) {
        ssize_t put = write(fd, content.data, content.len < 1u << 20 ? content.len : 1u << 20);

        if (put < 0 && errno != EINTR)
            return errno;
        if (put > 0)
            content = bp_str_n(content.data + put, content.len - (size_t)put);
        if (bp_cancelled(call) != BP_OK)
            return ECANCELED;
    }
    return 0;
}

/* Brings a new name to the disk. Some file systems cannot and need not. */
static int sync_directory(int directory)
{
    return fsync(directory) == 0 || errno == EINVAL ? 0 : errno;
}

/* The new file keeps the mode of the old one, and its owner where this process may give it. */
static int keep_mode(int fd, const struct stat *old)
{
    struct stat made;

    if (fstat(fd, &made) != 0)
        return errno;
    if ((made.st_uid != old->st_uid || made.st_gid != old->st_gid) &&
        fchown(fd, old->st_uid, old->st_gid) != 0 && errno != EPERM)
        return errno;
    return fchmod(fd, old->st_mode & 0777) == 0 ? 0 : errno;
}

/* What stands at the name now: 0 and a regular file that may be written to, ENOENT, or why it may
 * not be replaced. */
static int look(int directory, const char *name, struct stat *old)
{
    int fd;

    if (fstatat(directory, name, old, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    if (S_ISDIR(old->st_mode))
        return EISDIR;
    if (!S_ISREG(old->st_mode))
        return EINVAL;
    fd = open_in(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bp_status replace_file(bp_call *call, const struct place *place, int directory, const char *name,
                       bp_str content, const struct stat *before)
{
    char        temporary[TEMPORARY_NAME_BYTES];
    struct stat old, now;
    int         problem = look(directory, name, &old), fd;
    bool        is_new = problem == ENOENT;

    if (problem && !is_new)
        return problem == EINVAL ? bp_fail(call, BP_INVALID,
                                           BP_FMT " is a link, a device, a FIFO or a socket: only "
                                                  "regular files are written",
                                           BP_ARG(place_text(call, place)))
                                 : fail_errno(call, problem, "open", place_text(call, place));
    make_temporary_name(temporary);
    fd = open_in(directory, temporary, O_WRONLY | O_CREAT | O_EXCL, is_new ? 0666 : 0600);
    if (fd < 0)
        return fail_errno(call, -fd, "open", place_text(call, place));
    problem = write_all(call, fd, content);
    if (!problem && !is_new)
        problem = keep_mode(fd, &old);
    if (!problem && fsync(fd) != 0)
        problem = errno;
    if (close(fd) != 0 && !problem)
        problem = errno;
    if (!problem && before &&
        (fstatat(directory, name, &now, AT_SYMLINK_NOFOLLOW) != 0 || !is_same_file(&now, before)))
        problem = ESTALE;
    if (!problem && renameat(directory, temporary, directory, name) != 0)
        problem = errno;
    if (problem) {
        unlinkat(directory, temporary, 0);
        if (problem == ECANCELED)
            return bp_cancelled(call);
        if (problem == ESTALE)
            return bp_fail(call, BP_CONFLICT,
                           BP_FMT " was changed by somebody else meanwhile: read it again and "
                                  "repeat the edit",
                           BP_ARG(place_text(call, place)));
        return fail_errno(call, problem, "write", place_text(call, place));
    }
    problem = sync_directory(directory);
    return problem ? fail_errno(call, problem, "fsync", place_text(call, place)) : BP_OK;
}

pthread_mutex_t *write_lock(struct filesystem_shared *shared, int directory, const char *name)
{
    struct stat info = { .st_ino = 0 };
    uint64_t    hash = UINT64_C(14695981039346656037); // FNV-1a

    fstat(directory, &info);
    hash = (hash ^ info.st_ino) * UINT64_C(1099511628211);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return &shared->write_locks[(hash >> 32) % WRITE_LOCKS];
}

bp_status write_text(bp_call *call, struct filesystem *self, bp_str path, bp_str content)
{
    struct place     place;
    pthread_mutex_t *lock;
    const char      *name;
    bp_status        status;
    int              directory;

    if ((int64_t)content.len > self->max_file_bytes)
        return bp_fail(call, BP_TOO_LARGE,
                       "the content has %zu bytes, the limit is %lld (max_file)", content.len,
                       (long long)self->max_file_bytes);
    BP_TRY(place_open_parent(call, self, path, true, "open", &place, &directory, &name));
    lock = write_lock(self->shared, directory, name);
    pthread_mutex_lock(lock);
    status = replace_file(call, &place, directory, name, content, NULL);
    pthread_mutex_unlock(lock);
    close(directory);
    return status;
}

bp_status work_write(bp_call *call, struct work *work)
{
    bp_str path = work->wanted.path;

    BP_TRY(write_text(call, work->self, path, work->wanted.content));
    work->text = bp_format(call, "Successfully wrote to " BP_FMT, BP_ARG(path));
    return BP_OK;
}

bp_status work_create_directory(bp_call *call, struct work *work)
{
    bp_str path = work->wanted.path;

    BP_TRY(place_make_directories(call, work->self, path));
    work->text = bp_format(call, "Successfully created directory " BP_FMT, BP_ARG(path));
    return BP_OK;
}

/* Never replaces a file: the kernel refuses in the same step (RENAME_NOREPLACE). A link is
 * moved itself. */
static bp_status move(bp_call *call, const struct place *from, int from_directory,
                      const char *from_name, const struct place *to, int to_directory,
                      const char *to_name)
{
    int problem;

    if (renameat2(from_directory, from_name, to_directory, to_name, RENAME_NOREPLACE) == 0) {
        problem = sync_directory(to_directory);
        if (!problem)
            problem = sync_directory(from_directory);
        return problem ? fail_errno(call, problem, "fsync", place_text(call, to)) : BP_OK;
    }
    if (errno == EEXIST)
        return bp_fail(call, BP_CONFLICT, "Destination already exists: " BP_FMT,
                       BP_ARG(place_text(call, to)));
    return fail_errno(call, errno, "rename",
                      bp_format(call, BP_FMT "' -> '" BP_FMT, BP_ARG(place_text(call, from)),
                                BP_ARG(place_text(call, to))));
}

bp_status work_move(bp_call *call, struct work *work)
{
    bp_str       source = work->wanted.source;
    bp_str       destination = work->wanted.destination;
    struct place from, to;
    const char  *from_name, *to_name;
    int          from_directory, to_directory;
    bp_status    status;

    BP_TRY(place_open_parent(call, work->self, source, false, "rename", &from, &from_directory,
                             &from_name));
    status = place_open_parent(call, work->self, destination, false, "rename", &to, &to_directory,
                               &to_name);
    if (status == BP_OK) {
        status = move(call, &from, from_directory, from_name, &to, to_directory, to_name);
        close(to_directory);
    }
    close(from_directory);
    BP_TRY(status);
    work->text = bp_format(call, "Successfully moved " BP_FMT " to " BP_FMT, BP_ARG(source),
                           BP_ARG(destination));
    return BP_OK;
}

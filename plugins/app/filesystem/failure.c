/* failure.c - what went wrong with a file, as a sentence: the form that Node's programs print,
 * since clients of the reference server know it, with the status that a caller needs.
 */
#include "filesystem.h"

#include <stdio.h>

static const struct {
    int         number;
    const char *name;
    bp_status   status;
    const char *text;
} causes[] = {
    { ENOENT, "ENOENT", BP_NOT_FOUND, "no such file or directory" },
    { ENOTDIR, "ENOTDIR", BP_NOT_FOUND, "not a directory" },
    { EISDIR, "EISDIR", BP_INVALID, "illegal operation on a directory" },
    { EACCES, "EACCES", BP_DENIED, "permission denied" },
    { EPERM, "EPERM", BP_DENIED, "operation not permitted" },
    { EEXIST, "EEXIST", BP_CONFLICT, "file already exists" },
    { ENOTEMPTY, "ENOTEMPTY", BP_CONFLICT, "directory not empty" },
    { ETXTBSY, "ETXTBSY", BP_CONFLICT, "text file is busy" },
    { EBUSY, "EBUSY", BP_CONFLICT, "resource busy or locked" },
    { ELOOP, "ELOOP", BP_INVALID, "too many symbolic links encountered" },
    { ENAMETOOLONG, "ENAMETOOLONG", BP_INVALID, "name too long" },
    { EINVAL, "EINVAL", BP_INVALID, "invalid argument" },
    { ENXIO, "ENXIO", BP_INVALID, "no such device or address" },
    { EXDEV, "EXDEV", BP_UNSUPPORTED, "cross-device link not permitted" },
    { EFBIG, "EFBIG", BP_TOO_LARGE, "file too large" },
    { ENOSPC, "ENOSPC", BP_FULL, "no space left on device" },
    { EDQUOT, "EDQUOT", BP_FULL, "disk quota exceeded" },
    { EROFS, "EROFS", BP_FULL, "read-only file system" },
    { EMFILE, "EMFILE", BP_LIMIT, "too many open files" },
    { ENFILE, "ENFILE", BP_LIMIT, "file table overflow" },
    { EAGAIN, "EAGAIN", BP_UNAVAILABLE, "directories on the way are being renamed, try again" },
    { EIO, "EIO", BP_IO, "i/o error" },
};

bp_status fail_errno(bp_call *call, int number, const char *operation, bp_str path)
{
    char      other[32];
    size_t    i = 0, count = sizeof(causes) / sizeof(causes[0]);
    bp_status status;

    while (i < count && causes[i].number != number)
        i++;
    snprintf(other, sizeof(other), "E%d", number);
    status = bp_fail(call, i < count ? causes[i].status : BP_IO, "%s: %s, %s%s" BP_FMT "%s",
                     i < count ? causes[i].name : other,
                     i < count ? causes[i].text : "the system refused it", operation,
                     path.len ? " '" : "", BP_ARG(path), path.len ? "'" : "");
    bp_fail_detail(call, 0, number, 0);
    return status;
}

bp_status refuse(bp_call *call, struct filesystem *self, const char *reason, bp_str sentence)
{
    bp_str label = bp_str_of(reason);

    if (self->refused_total)
        bp_metric_add(self->refused_total, &label, 1, 1);
    return bp_fail(call, BP_DENIED, BP_FMT, BP_ARG(sentence));
}

/* place.c - from a client's path to an open descriptor below a root, safe against concurrent
 * changes on the disk.
 *
 * To look where a path leads and then to open it is a race: between the two somebody makes a
 * directory a link. So the two are one step here. Each open is openat2() from the descriptor of a
 * root with
 *
 *      RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
 *
 * and the kernel itself refuses whatever leaves the root or passes a link. Where there is a link
 * (ELOOP) its text is read, put into the path, and the new path is walked from its start, as one
 * that the client might have written: it has to lie in a root, no name of it may be denied. So a
 * link is followed at most to where its user could have gone without it, the file checked is the
 * file opened, and swapping links under our feet gives another ELOOP. ".." is taken out of a path
 * as text, before the kernel sees it.
 */
#include "filesystem.h"

#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_in(int directory, const char *name, int flags, mode_t mode)
{
    struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                            .mode = mode,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
                                       RESOLVE_NO_SYMLINKS };
    long            fd = -1;

    if (!(flags & O_PATH))
        how.flags |= O_NOCTTY;
    for (int attempt = 0; attempt < OPEN_ATTEMPTS_MAX; attempt++) {
        fd = syscall(SYS_openat2, directory, name[0] ? name : ".", &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd >= 0 ? (int)fd : -errno;
}

/* ---- paths as text ---- */

/* An absolute path without empty components, "." and ".."; "" is the root of all. False: too long.
 */
static bool normalize(bp_str text, char out[PATH_MAX])
{
    size_t len = 0, at = 0;

    while (at < text.len) {
        size_t start = at, size;

        while (at < text.len && text.data[at] != '/')
            at++;
        size = at - start;
        at++;
        if (size == 0 || (size == 1 && text.data[start] == '.'))
            continue;
        if (size == 2 && memcmp(text.data + start, "..", 2) == 0) {
            while (len && out[--len] != '/')
                ;
            continue;
        }
        if (len + 1 + size >= PATH_MAX)
            return false;
        out[len++] = '/';
        memcpy(out + len, text.data + start, size);
        len += size;
    }
    out[len] = '\0';
    return true;
}

/* What of `path` lies below `root`; NULL: it lies elsewhere. "/root-evil" is not below "/root". */
static const char *below(const char *path, const char *root)
{
    size_t len = strlen(root);

    if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return NULL;
    return path[len] == '/' ? path + len + 1 : path + len;
}

/* The root that holds the path, the innermost one. */
static const struct root *find_root(const struct filesystem_shared *shared, const char *path,
                                    const char **rest)
{
    const struct root *found = NULL;

    for (size_t i = 0; i < shared->root_count; i++) {
        const struct root *root = &shared->roots[i];
        const char        *tail = below(path, root->path);

        if (!tail)
            tail = below(path, root->given);
        if (tail && (!found || strlen(tail) < strlen(*rest))) {
            found = root;
            *rest = tail;
        }
    }
    return found;
}

static bp_status check_names(bp_call *call, struct filesystem *self, const struct place *place)
{
    char  copy[PATH_MAX];
    char *at = NULL;

    snprintf(copy, sizeof(copy), "%s", place->below);
    for (char *name = strtok_r(copy, "/", &at); name; name = strtok_r(NULL, "/", &at))
        if (is_name_denied(self->shared, name))
            return refuse(call, self, "deny",
                          bp_format(call,
                                    "Access denied - the name \"%s\" is on the list of names that "
                                    "are not served",
                                    name));
    return BP_OK;
}

/* Finds the place of an absolute path. `what` begins the sentence for one that lies outside. */
static bp_status place_set(bp_call *call, struct filesystem *self, bp_str absolute,
                           const char *what, struct place *place)
{
    char        path[PATH_MAX];
    const char *rest = NULL;

    if (memchr(absolute.data, '\0', absolute.len))
        return refuse(call, self, "invalid",
                      BP_STR("Access denied - a path has no NUL character in it"));
    if (!normalize(absolute, path))
        return fail_errno(call, ENAMETOOLONG, "open", bp_str_n(absolute.data, 256));
    place->root = find_root(self->shared, path, &rest);
    if (!place->root)
        return refuse(call, self, "outside",
                      bp_format(call,
                                "Access denied - %s outside allowed directories: %s not in " BP_FMT,
                                what, path[0] ? path : "/",
                                BP_ARG(roots_text(call, self->shared, ", "))));
    memmove(place->below, rest, strlen(rest) + 1);
    return check_names(call, self, place);
}

static bool is_windows_path(bp_str path)
{
    return path.len >= 2 && path.data[1] == ':' &&
           ((path.data[0] >= 'A' && path.data[0] <= 'Z') ||
            (path.data[0] >= 'a' && path.data[0] <= 'z')) &&
           (path.len == 2 || path.data[2] == '/' || path.data[2] == '\\');
}

/* The place of the client's path; a relative one counts from the root of that index. */
static bp_status place_from(bp_call *call, struct filesystem *self, bp_str path, size_t index,
                            struct place *place)
{
    if (is_windows_path(path)) // would be an odd name in the root, and a success at the wrong place
        return refuse(call, self, "invalid",
                      bp_format(call,
                                "Access denied - " BP_FMT " is a path of Windows; this host has "
                                "paths like /directory/file",
                                BP_ARG(path)));
    if (path.len && path.data[0] == '/')
        return place_set(call, self, path, "path", place);
    if (path.len >= PATH_MAX)
        return fail_errno(call, ENAMETOOLONG, "open", bp_str_n(path.data, 256));
    {
        bp_buf *text = bp_buf_new(call, 3 * PATH_MAX);

        bp_buf_add(text, bp_str_of(self->shared->roots[index].path));
        bp_buf_add(text, BP_STR("/"));
        bp_buf_add(text, path);
        return place_set(call, self, bp_buf_str(text), "path", place);
    }
}

bp_str place_text(bp_call *call, const struct place *place)
{
    if (!place->below[0])
        return bp_str_of(place->root->path[0] ? place->root->path : "/");
    return bp_format(call, "%s/%s", place->root->path, place->below);
}

/* ---- links ---- */

/* Reads the link that an O_PATH descriptor is; false: it is none. */
static bool read_link(int fd, char text[PATH_MAX], size_t *len)
{
    struct stat info;
    ssize_t     size = -1;

    if (fstat(fd, &info) == 0 && S_ISLNK(info.st_mode))
        size = readlinkat(fd, "", text, PATH_MAX);
    *len = size > 0 ? (size_t)size : 0;
    return size > 0;
}

/* Puts the text of the first link on the way into its place. BP_OK also if there is none any more:
 * try again. */
static bp_status replace_link(bp_call *call, struct filesystem *self, struct place *place)
{
    char  *way = place->below, text[PATH_MAX];
    size_t len = strlen(way), end = 0, start, size;

    if (self->strict_symlinks)
        return refuse(call, self, "symlink",
                      bp_format(call,
                                "Access denied - there is a symbolic link on the way: " BP_FMT
                                " (strict_symlinks is on)",
                                BP_ARG(place_text(call, place))));
    for (start = 0; start < len; start = end + 1) {
        bool is_link;
        int  fd;

        for (end = start; end < len && way[end] != '/'; end++)
            ;
        {
            char before = way[end];

            way[end] = '\0';
            fd = open_in(place->root->fd, way, O_PATH | O_NOFOLLOW, 0);
            way[end] = before;
        }
        if (fd == -ELOOP)
            return BP_OK;
        if (fd < 0)
            return fail_errno(call, -fd, "open", place_text(call, place));
        is_link = read_link(fd, text, &size);
        close(fd);
        if (is_link) {
            bp_buf *absolute = bp_buf_new(call, 4 * PATH_MAX);

            if (text[0] != '/') {
                bp_buf_add(absolute, bp_str_of(place->root->path));
                bp_buf_add(absolute, BP_STR("/"));
                bp_buf_add(absolute, bp_str_n(way, start));
            }
            bp_buf_add(absolute, bp_str_n(text, size));
            bp_buf_add(absolute, bp_str_n(way + end, len - end));
            return place_set(call, self, bp_buf_str(absolute), "symlink target", place);
        }
    }
    return BP_OK;
}

/* Opens the place; links on the way are put into it. */
static bp_status follow(bp_call *call, struct filesystem *self, int flags, const char *operation,
                        struct place *place, int *fd)
{
    int links = 0;

    while ((*fd = open_in(place->root->fd, place->below, flags, 0)) == -ELOOP &&
           links++ < LINKS_MAX) {
        BP_TRY(bp_cancelled(call));
        BP_TRY(replace_link(call, self, place));
    }
    return *fd >= 0 ? BP_OK : fail_errno(call, -*fd, operation, place_text(call, place));
}

/* ---- what the tools call ---- */

/* A relative path may lie in any root: the first that has it. */
static size_t bases(const struct filesystem *self, bp_str path)
{
    return path.len && path.data[0] == '/' ? 1 : self->shared->root_count;
}

static bool may_be_elsewhere(bp_status status)
{
    return status == BP_NOT_FOUND || status == BP_DENIED;
}

static bp_status open_at_base(bp_call *call, struct filesystem *self, bp_str path, size_t base,
                              int flags, const char *operation, struct place *place, int *fd)
{
    BP_TRY(place_from(call, self, path, base, place));
    return follow(call, self, flags, operation, place, fd);
}

bp_status place_open(bp_call *call, struct filesystem *self, bp_str path, int flags,
                     const char *operation, struct place *place, int *fd)
{
    size_t    count = bases(self, path);
    bp_status status = open_at_base(call, self, path, 0, flags, operation, place, fd);

    for (size_t i = 1; i < count && may_be_elsewhere(status); i++) {
        status = open_at_base(call, self, path, i, flags, operation, place, fd);
        if (status == BP_OK)
            bp_clear_error(call);
    }
    if (count > 1 && status != BP_OK) // the sentence is about the first root
        status = open_at_base(call, self, path, 0, flags, operation, place, fd);
    return status;
}

static bp_status open_parent_at(bp_call *call, struct filesystem *self, bp_str path, size_t base,
                                bool follows_last, const char *operation, struct place *place,
                                int *fd, const char **name)
{
    char text[PATH_MAX];

    BP_TRY(place_from(call, self, path, base, place));
    for (int links = 0; links <= LINKS_MAX; links++) {
        struct place parent = *place;
        char        *slash = strrchr(parent.below, '/');
        size_t       size;
        int          link;
        bool         is_link;

        if (!place->below[0])
            return fail_errno(call, EISDIR, operation, place_text(call, place));
        *name = strrchr(place->below, '/') ? strrchr(place->below, '/') + 1 : place->below;
        if (slash)
            *slash = '\0';
        else
            parent.below[0] = '\0';
        *fd = open_in(parent.root->fd, parent.below, O_RDONLY | O_DIRECTORY, 0);
        if (*fd < 0 && *fd != -ELOOP)
            return fail_errno(call, -*fd, operation, place_text(call, place));
        if (*fd >= 0) {
            link = follows_last || self->strict_symlinks
                       ? open_in(*fd, *name, O_PATH | O_NOFOLLOW, 0)
                       : -ENOENT;
            is_link = link >= 0 && read_link(link, text, &size);
            if (link >= 0)
                close(link);
            if (!is_link)
                return BP_OK;
            close(*fd);
        }
        BP_TRY(bp_cancelled(call));
        BP_TRY(replace_link(call, self, place));
    }
    return fail_errno(call, ELOOP, operation, place_text(call, place));
}

bp_status place_open_parent(bp_call *call, struct filesystem *self, bp_str path, bool follows_last,
                            const char *operation, struct place *place, int *fd, const char **name)
{
    size_t    count = bases(self, path), passes = count > 1 ? 2 * count : 1;
    bp_status status = BP_NOT_FOUND;

    // First the root that has the thing itself, then the first one that has a directory for it.
    for (size_t i = 0; i < passes && may_be_elsewhere(status); i++) {
        struct stat info;

        status = open_parent_at(call, self, path, i % count, follows_last, operation, place, fd,
                                name);
        if (status == BP_OK && count > 1 && i < count &&
            fstatat(*fd, *name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            close(*fd);
            status = BP_NOT_FOUND;
        }
    }
    if (count > 1 && status != BP_OK)
        return open_parent_at(call, self, path, 0, follows_last, operation, place, fd, name);
    if (status == BP_OK)
        bp_clear_error(call);
    return status;
}

/* One more directory of the way; 0: it is there now, else -errno. `end` is where its name ends in
 * place->below. */
static int make_one(const struct place *place, size_t end)
{
    char  way[PATH_MAX];
    char *name;
    int   fd, parent, made;

    snprintf(way, sizeof(way), "%.*s", (int)end, place->below);
    fd = open_in(place->root->fd, way, O_PATH | O_DIRECTORY, 0);
    if (fd >= 0)
        return close(fd), 0;
    if (fd != -ENOENT)
        return fd;
    name = strrchr(way, '/');
    if (name)
        *name++ = '\0';
    parent = open_in(place->root->fd, name ? way : "", O_RDONLY | O_DIRECTORY, 0);
    if (parent < 0)
        return parent;
    made = mkdirat(parent, name ? name : way, 0777) == 0 ? 0 : -errno;
    if (made == 0)
        fsync(parent);
    close(parent);
    return made;
}

static bp_status make_directories_at(bp_call *call, struct filesystem *self, bp_str path,
                                     size_t base)
{
    struct place place;
    int          links = 0;

    BP_TRY(place_from(call, self, path, base, &place));
    for (size_t end = 0, attempts = 0; end < strlen(place.below);) {
        size_t next = end + strcspn(place.below + end, "/");
        int    made = make_one(&place, next);

        BP_TRY(bp_cancelled(call));
        if (made == -ELOOP && links++ < LINKS_MAX) {
            BP_TRY(replace_link(call, self, &place));
            end = 0;
        } else if (made == -EEXIST && attempts++ < OPEN_ATTEMPTS_MAX) {
            continue; // somebody else made it
        } else if (made != 0) {
            return fail_errno(call, made == -ENOTDIR && !place.below[next] ? EEXIST : -made,
                              "mkdir", place_text(call, &place));
        } else {
            end = place.below[next] ? next + 1 : next;
        }
    }
    return BP_OK;
}

bp_status place_make_directories(bp_call *call, struct filesystem *self, bp_str path)
{
    struct place place;
    int          fd;

    if (bases(self, path) > 1 &&
        place_open(call, self, path, O_PATH | O_DIRECTORY, "mkdir", &place, &fd) == BP_OK) {
        close(fd);
        return BP_OK;
    }
    bp_clear_error(call);
    return make_directories_at(call, self, path, 0);
}

bp_status place_open_file(bp_call *call, struct filesystem *self, bp_str path, struct place *place,
                          int *fd, struct stat *info)
{
    bp_status status;

    // Looked at first: to open a device or a FIFO may already do something.
    BP_TRY(place_open(call, self, path, O_PATH, "open", place, fd));
    for (int is_open = 0; is_open < 2; is_open++) {
        if (fstat(*fd, info) != 0)
            status = fail_errno(call, errno, "open", place_text(call, place));
        else if (S_ISDIR(info->st_mode))
            status = fail_errno(call, EISDIR, "read", BP_STR(""));
        else if (!S_ISREG(info->st_mode))
            status = refuse(call, self, "type",
                            bp_format(call,
                                      "Access denied - " BP_FMT " is a device, a FIFO or a socket: "
                                      "only regular files are read",
                                      BP_ARG(place_text(call, place))));
        else
            status = BP_OK;
        if (status != BP_OK || is_open) {
            if (status != BP_OK)
                close(*fd);
            return status;
        }
        close(*fd);
        BP_TRY(follow(call, self, O_RDONLY | O_NONBLOCK, "open", place, fd));
    }
    return BP_OK;
}

/* roots.c - the directories that an instance serves, opened once, and the names that it does not
 * serve in them. */
#include "filesystem.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEMPORARY_RANDOM_BYTES = 16 };
static const char temporary_prefix[] = ".backplane-", temporary_suffix[] = ".tmp";

/* ---- names ---- */

void make_temporary_name(char name[TEMPORARY_NAME_BYTES])
{
    uint8_t random[TEMPORARY_RANDOM_BYTES];
    size_t  len = sizeof(temporary_prefix) - 1;

    bp_random(random, sizeof(random));
    memcpy(name, temporary_prefix, len);
    for (size_t i = 0; i < sizeof(random); i++)
        len += (size_t)snprintf(name + len, TEMPORARY_NAME_BYTES - len, "%02x", random[i]);
    snprintf(name + len, TEMPORARY_NAME_BYTES - len, "%s", temporary_suffix);
}

/* What a write in flight, or one that a crash ended, has left. */
static bool is_temporary(const char *name)
{
    size_t prefix = sizeof(temporary_prefix) - 1, suffix = sizeof(temporary_suffix) - 1;

    return strlen(name) == TEMPORARY_NAME_BYTES - 1 &&
           strncmp(name, temporary_prefix, prefix) == 0 &&
           strcmp(name + TEMPORARY_NAME_BYTES - 1 - suffix, temporary_suffix) == 0;
}

bool is_name_denied(const struct filesystem_shared *shared, const char *name)
{
    // In any case: on a file system without cases .GIT is .git.
    for (size_t i = 0; i < shared->deny_count; i++)
        if (fnmatch(shared->deny[i], name, FNM_CASEFOLD) == 0)
            return true;
    return is_temporary(name);
}

/* Items may themselves be lists with commas, as the default is. */
static bp_status add_denied(bp_call *call, struct filesystem_shared *shared, bp_str item)
{
    size_t start = 0;

    for (size_t i = 0; i <= item.len; i++) {
        size_t end = i;
        char **more;

        if (i < item.len && item.data[i] != ',')
            continue;
        while (start < end && item.data[start] == ' ')
            start++;
        while (end > start && item.data[end - 1] == ' ')
            end--;
        if (end > start) {
            more = realloc(shared->deny, (shared->deny_count + 1) * sizeof(*more));
            if (more)
                shared->deny = more;
            if (!more ||
                !(shared->deny[shared->deny_count] = strndup(item.data + start, end - start)))
                return bp_fail(call, BP_NO_MEMORY, "no memory for the list of names to deny");
            shared->deny_count++;
        }
        start = i + 1;
    }
    return BP_OK;
}

/* ---- opening ---- */

/* Why the root cannot be served; NULL: it was opened. */
static const char *open_root(struct root *root, bp_str given)
{
    struct stat info;
    size_t      len;
    char       *name = strndup(given.data ? given.data : "", given.len);

    *root = (struct root){ .fd = -1 };
    if (!name)
        return "no memory";
    root->path = realpath(name,
                          NULL); // once, here: where the root leads is the operator's decision
    if (root->path && name[0] == '/')
        root->given = name;
    else
        free(name);
    if (!root->path)
        return strerror(errno);
    if (!root->given)
        root->given = strdup(root->path);
    root->fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (root->fd < 0 || !root->given)
        return strerror(errno);
    if (fstat(root->fd, &info) != 0 || !S_ISDIR(info.st_mode))
        return "it is not a directory";
    for (len = strlen(root->given); len && root->given[len - 1] == '/'; len--)
        root->given[len - 1] = '\0';
    if (strcmp(root->path, "/") == 0)
        root->path[0] = '\0';
    return NULL;
}

static void close_root(struct root *root)
{
    free(root->path);
    free(root->given);
    if (root->fd >= 0)
        close(root->fd);
}

bp_status roots_open(bp_call *call, const struct filesystem *self, struct filesystem_shared *shared)
{
    const char *problem = NULL;
    bp_str      last = { "", 0 };

    for (size_t i = 0; i < self->deny.count; i++)
        BP_TRY(add_denied(call, shared, self->deny.items[i]));
    for (size_t i = 0; i < self->roots.count && shared->root_count < ROOTS_MAX; i++) {
        struct root *root = &shared->roots[shared->root_count];
        const char  *reason = open_root(root, self->roots.items[i]);
        int          fd = reason ? -1 : open_in(root->fd, ".", O_PATH | O_DIRECTORY, 0);

        if (!reason && fd < 0)
            reason = fd == -ENOSYS || fd == -EPERM
                         ? "the kernel lacks openat2(), which Linux has since 5.6"
                         : strerror(-fd);
        if (fd >= 0)
            close(fd);
        if (!reason) {
            shared->root_count++;
            continue;
        }
        close_root(root);
        problem = reason;
        last = self->roots.items[i];
        bp_log(call, BP_LOG_WARN, "roots: " BP_FMT " is left out: %s", BP_ARG(last), reason);
    }
    if (!shared->root_count)
        return bp_fail(call, BP_INVALID,
                       "roots: no directory of the list can be opened; the last one, \"" BP_FMT
                       "\": %s",
                       BP_ARG(last), problem ? problem : "the list is empty");
    return BP_OK;
}

void roots_close(struct filesystem_shared *shared)
{
    for (size_t i = 0; i < shared->root_count; i++)
        close_root(&shared->roots[i]);
    for (size_t i = 0; i < shared->deny_count; i++)
        free(shared->deny[i]);
    free(shared->deny);
}

bp_str roots_text(bp_call *call, const struct filesystem_shared *shared, const char *between)
{
    bp_buf *text = bp_buf_new(call, 1u << 20);

    for (size_t i = 0; i < shared->root_count; i++) {
        const struct root *root = &shared->roots[i];

        bp_buf_add(text, bp_str_of(i ? between : ""));
        if (strcmp(root->given, root->path) != 0) {
            bp_buf_add(text, bp_str_of(root->given));
            bp_buf_add(text, bp_str_of(between));
        }
        bp_buf_add(text, bp_str_of(root->path[0] ? root->path : "/"));
    }
    return bp_buf_str(text);
}

/* confine.c - the second wall: Landlock takes from the threads that work on files everything but
 * the roots.
 *
 * The first wall is place.c. Should it have a hole, the kernel still refuses: a thread of the pool
 * is restricted once, in its first job, and nothing gives it back. Landlock is a property of a
 * thread, so the rest of the process (its databases, its log) is not touched. Kernels know it
 * since 5.13; moving files between directories needs its second version (5.19), so an older one
 * counts as none. The numbers below are the kernel's (linux/landlock.h), here because a header may
 * be older than the kernel.
 */
#include "filesystem.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { LANDLOCK_ABI_MIN = 2, LANDLOCK_VERSION_FLAG = 1, LANDLOCK_PATH_BENEATH = 1 };

enum {
    ACCESS_EXECUTE = 1 << 0,
    ACCESS_WRITE_FILE = 1 << 1,
    ACCESS_READ_FILE = 1 << 2,
    ACCESS_READ_DIR = 1 << 3,
    ACCESS_REMOVE_FILE = 1 << 5,
    ACCESS_MAKE_DIR = 1 << 7,
    ACCESS_MAKE_REG = 1 << 8,
    ACCESS_ALL_OF_2 = (1 << 14) - 1, /* up to REFER */
    ACCESS_TRUNCATE = 1 << 14,       /* since 3 */
    ACCESS_IOCTL_DEVICE = 1 << 15    /* since 5 */
};
/* What moving takes from one directory and puts into another: files, directories, links, across
 * directories. */
enum { ACCESS_MOVE = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 };

struct ruleset {
    uint64_t handled_access;
};
struct __attribute__((packed)) beneath {
    uint64_t allowed_access;
    int32_t  parent;
};

static bp_status add_roots(bp_call *call, const struct filesystem *self,
                           struct filesystem_shared *shared)
{
    uint64_t allowed = ACCESS_READ_FILE | ACCESS_READ_DIR;

    if (!self->read_only)
        allowed |= ACCESS_WRITE_FILE | ACCESS_REMOVE_FILE | ACCESS_MAKE_DIR | ACCESS_MAKE_REG |
                   ACCESS_MOVE;
    for (size_t i = 0; i < shared->root_count; i++) {
        struct beneath rule = { allowed, shared->roots[i].fd };

        if (syscall(SYS_landlock_add_rule, shared->ruleset, LANDLOCK_PATH_BENEATH, &rule, 0) != 0)
            return fail_errno(call, errno, "landlock", bp_str_of(shared->roots[i].path));
    }
    return BP_OK;
}

bp_status confine_create(bp_call *call, const struct filesystem *self,
                         struct filesystem_shared *shared)
{
    struct ruleset ruleset = { ACCESS_ALL_OF_2 };
    long           version;

    shared->ruleset = -1;
    if (self->landlock == LANDLOCK_OFF)
        return BP_OK;
    version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
    if (version < LANDLOCK_ABI_MIN) {
        if (self->landlock == LANDLOCK_REQUIRED)
            return bp_fail(call, BP_UNSUPPORTED,
                           "landlock: this kernel has none that suffices (version %ld, needed is "
                           "%d): write \"landlock: auto\" to go without it",
                           version, LANDLOCK_ABI_MIN);
        bp_log(call, BP_LOG_WARN,
               "this kernel has no Landlock: the threads that work on files are confined to the "
               "roots by openat2() alone");
        return BP_OK;
    }
    ruleset.handled_access |= (version >= 3 ? ACCESS_TRUNCATE : 0) |
                              (version >= 5 ? ACCESS_IOCTL_DEVICE : 0);
    shared->ruleset = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
    if (shared->ruleset < 0)
        return fail_errno(call, errno, "landlock", BP_STR(""));
    return add_roots(call, self, shared);
}

bp_status confine_thread(bp_call *call, const struct filesystem_shared *shared)
{
    static _Thread_local bool is_confined; // a thread belongs to one pool, and that to one instance

    if (shared->ruleset < 0 || is_confined)
        return BP_OK;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, shared->ruleset, 0) != 0)
        return fail_errno(call, errno, "landlock", BP_STR(""));
    is_confined = true;
    return BP_OK;
}

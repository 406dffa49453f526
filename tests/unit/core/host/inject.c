/* inject.c - stands between the program and the functions that may fail. */
#include "inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic int        armed = -1;
static _Atomic long       left;
static atomic_bool        has_failed;
static _Thread_local bool is_spared_thread, is_looking;
static char              *what_failed;
static const char        *only;

void inject_arm(enum inject_kind kind, long n, char what[INJECT_WHAT_BYTES])
{
    atomic_store(&has_failed, false);
    what_failed = what;
    what[0] = '\0';
    atomic_store(&left, n);
    atomic_store(&armed, kind);
}

bool inject_disarm(void)
{
    atomic_store(&armed, -1);
    return atomic_load(&has_failed);
}

void inject_only(const char *part)
{
    only = part;
}

void inject_spare(bool is_spared)
{
    is_spared_thread = is_spared;
}

static bool is_counted(const char *file)
{
    static const char *const counted[] = { "/unit_core_host_", "/unit_core_net_", "/unit_core_api_",
                                           "/plugins/", "libsqlite3" };

    if (only)
        return strstr(file, only);
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
        if (strstr(file, counted[i]))
            return true;
    return false;
}

static bool should_fail(enum inject_kind kind, const char *name, void *caller)
{
    Dl_info info = { 0 };
    bool    is_ours;

    if (atomic_load(&armed) != (int)kind || is_spared_thread || is_looking)
        return false;
    is_looking = true;
    is_ours = dladdr(caller, &info) && info.dli_fname && is_counted(info.dli_fname);
    is_looking = false;
    if (!is_ours || atomic_fetch_sub(&left, 1) != 1)
        return false;
    snprintf(what_failed, INJECT_WHAT_BYTES, "%s for %s+0x%lx", name,
             strrchr(info.dli_fname, '/') + 1,
             (unsigned long)((char *)caller - (char *)info.dli_fbase));
    atomic_store(&has_failed, true);
    return true;
}

#ifdef INJECT_WRAPS
#define PUBLIC(name)     __wrap_##name
#define REAL(type, name) __real_##name
#define DECLARE(type, name, ...)                                                                   \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);
#else
#define PUBLIC(name)     name
#define REAL(type, name) ((__typeof__(&name))real_of(#name))
#define DECLARE(type, name, ...)
static void *real_of(const char *name)
{
    void *found;

    is_looking = true;
    found = dlsym(RTLD_NEXT, name);
    is_looking = false;
    return found;
}
#endif

#define EXPORTED __attribute__((visibility("default")))
#define FAILS(kind, name, error, result)                                                           \
    if (should_fail(kind, name, __builtin_return_address(0))) {                                    \
        errno = (error);                                                                           \
        return result;                                                                             \
    }
/* A function of a fixed list of arguments: `error` and `result` when it fails. */
#define STAND_IN(kind, type, name, error, result, parameters, arguments)                           \
    DECLARE(type, name, UNPACK parameters)                                                         \
    EXPORTED type PUBLIC(name) parameters                                                          \
    {                                                                                              \
        FAILS(kind, #name, error, result)                                                          \
        return REAL(type, name) arguments;                                                         \
    }
#define UNPACK(...) __VA_ARGS__
#define SYSTEM(type, name, error, parameters, arguments)                                           \
    STAND_IN(INJECT_SYSTEM, type, name, error, -1, parameters, arguments)

/* ---- memory ---- */

#ifdef INJECT_WRAPS
#define MEMORY(type, name, parameters, arguments)                                                  \
    STAND_IN(INJECT_MEMORY, type, name, ENOMEM, NULL, parameters, arguments)
#else
void        *__libc_malloc(size_t size);
void        *__libc_calloc(size_t count, size_t size);
void        *__libc_realloc(void *piece, size_t size);
#define MEMORY(type, name, parameters, arguments)                                                  \
    EXPORTED type name parameters                                                                  \
    {                                                                                              \
        FAILS(INJECT_MEMORY, #name, ENOMEM, NULL)                                                  \
        return __libc_##name arguments;                                                            \
    }
static char *__libc_strndup(const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    char  *copy = __libc_malloc(len + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}
static char *__libc_strdup(const char *text)
{
    return __libc_strndup(text, strlen(text));
}
#undef strdup
#undef strndup
#endif

MEMORY(void *, malloc, (size_t size), (size))
MEMORY(void *, calloc, (size_t count, size_t size), (count, size))
MEMORY(void *, realloc, (void *piece, size_t size), (piece, size))
STAND_IN(INJECT_MEMORY, void *, aligned_alloc, ENOMEM, NULL, (size_t alignment, size_t size),
         (alignment, size))
MEMORY(char *, strdup, (const char *text), (text))
MEMORY(char *, strndup, (const char *text, size_t max), (text, max))

/* ---- the system ---- */

STAND_IN(INJECT_SYSTEM, FILE *, fopen, EMFILE, NULL, (const char *path, const char *mode),
         (path, mode))
SYSTEM(ssize_t, read, EIO, (int fd, void *bytes, size_t count), (fd, bytes, count))
SYSTEM(ssize_t, write, EIO, (int fd, const void *bytes, size_t count), (fd, bytes, count))
SYSTEM(ssize_t, pread, EIO, (int fd, void *bytes, size_t count, off_t at), (fd, bytes, count, at))
SYSTEM(ssize_t, pread64, EIO, (int fd, void *bytes, size_t count, off64_t at),
       (fd, bytes, count, at))
SYSTEM(ssize_t, pwrite, ENOSPC, (int fd, const void *bytes, size_t count, off_t at),
       (fd, bytes, count, at))
SYSTEM(ssize_t, pwrite64, ENOSPC, (int fd, const void *bytes, size_t count, off64_t at),
       (fd, bytes, count, at))
SYSTEM(ssize_t, writev, ECONNRESET, (int fd, const struct iovec *pieces, int count),
       (fd, pieces, count))
SYSTEM(int, fsync, EIO, (int fd), (fd))
SYSTEM(int, fdatasync, EIO, (int fd), (fd))
SYSTEM(int, ftruncate, EIO, (int fd, off_t size), (fd, size))
SYSTEM(int, socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
SYSTEM(int, connect, ECONNREFUSED, (int fd, const struct sockaddr *to, socklen_t size),
       (fd, to, size))
SYSTEM(int, accept4, EMFILE, (int fd, struct sockaddr *from, socklen_t *size, int flags),
       (fd, from, size, flags))
SYSTEM(ssize_t, send, ECONNRESET, (int fd, const void *bytes, size_t count, int flags),
       (fd, bytes, count, flags))
SYSTEM(ssize_t, sendmsg, ECONNRESET, (int fd, const struct msghdr *message, int flags),
       (fd, message, flags))
SYSTEM(ssize_t, recv, ECONNRESET, (int fd, void *bytes, size_t count, int flags),
       (fd, bytes, count, flags))

#define OPEN(name)                                                                                 \
    DECLARE(int, name, const char *path, int flags, ...)                                           \
    EXPORTED int PUBLIC(name)(const char *path, int flags, ...)                                    \
    {                                                                                              \
        va_list args;                                                                              \
        mode_t  mode;                                                                              \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(args, mode_t) : 0;                       \
        va_end(args);                                                                              \
        FAILS(INJECT_SYSTEM, #name, EMFILE, -1)                                                    \
        return REAL(int, name)(path, flags, mode);                                                 \
    }
OPEN(open)
OPEN(open64)

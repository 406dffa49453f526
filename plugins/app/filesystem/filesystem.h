/* filesystem.h - shared by the files of the app `filesystem`: the instance, its roots, and the way
 * from a path that a client wrote to an open descriptor.
 *
 *      handler (fiber) -> admit() -> work_run() -> [thread of the pool, confined] work -> place_*() -> openat2()
 *
 * All work on files is done by jobs on threads of the instance's own pool. A job never hands a path
 * to the kernel but relative to the descriptor of a root or of a directory below it, and never one
 * that leads through a symbolic link: see place.c. Handlers build their results on the fiber from
 * what the job left in the call's arena.
 */
#ifndef FILESYSTEM_H
#define FILESYSTEM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // O_PATH, renameat2(), statx(), memmem(); so every file includes this one first
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include <backplane/app.h>
#include <backplane/cache.h>
#include <backplane/loop.h>
#include <backplane/mcp.h>
#include <backplane/param.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>

enum {
    ROOTS_MAX = 64,
    LINKS_MAX = 40,         /* symbolic links on the way to one file, as Linux has it */
    OPEN_ATTEMPTS_MAX = 16, /* openat2() answers EAGAIN while somebody renames directories */
    WRITE_LOCKS = 64,
    WALK_DEPTH_MAX = 200,
    RESULT_TEXT_BYTES_MAX = 15 << 20 /* a result holds its text twice, and may have 32 MiB */
};

enum rate { RATE_READ, RATE_WRITE, RATE_LIST, RATE_SEARCH, RATES };

struct root {
    char *path;  /* absolute, links resolved, no slash at its end: "" is the whole tree */
    char *given; /* the same before links were resolved */
    int   fd;    /* O_PATH */
};

/* Made once a process; constant afterwards but for the locks. */
struct filesystem_shared {
    struct root     roots[ROOTS_MAX];
    size_t          root_count;
    char          **deny; /* shell patterns of names */
    size_t          deny_count;
    bp_pool        *pool;
    int             ruleset;                  /* of Landlock; -1: none */
    pthread_mutex_t write_locks[WRITE_LOCKS]; /* by name: a write never falls between an edit's read
                                                 and write */
};

struct filesystem {
    bp_str_list roots, deny, tenants;
    bool        read_only, strict_symlinks;
    int32_t     landlock;
    int64_t     max_file_bytes, max_entries, threads;
    int64_t     read_per_minute, write_per_minute, list_per_minute, search_per_minute;

    const bp_peer            *cache;
    struct filesystem_shared *shared;
    bp_metric                *refused_total;
};

enum { LANDLOCK_AUTO, LANDLOCK_OFF, LANDLOCK_REQUIRED };

/* ---- work.c: who may, and where the work is done ---- */

enum { SORT_BY_NAME, SORT_BY_SIZE };

/* What a client asks for; each tool has a table of those that it takes. */
struct wanted {
    bp_str         path, content, pattern, source, destination;
    bp_str         root;       /* of a route; empty: all */
    double         head, tail; /* lines; 0: all */
    bool           is_dry_run;
    int32_t        sort;
    const bp_json *paths, *edits, *excluded;
};

/* One piece of work on files and what comes of it. */
struct work {
    struct filesystem *self;
    struct wanted      wanted;
    bp_status (*run)(bp_call *call, struct work *work);
    bp_str          text;  /* the result of a tool as text */
    bp_str          bytes; /* of a media file */
    bp_str          uri;   /* its file:// address */
    const char     *mime_type;
    bp_json_writer *json;       /* where a route's entries go */
    bool            is_failure; /* `text` says why the tool failed */
    pthread_t       caller;
};

/* Whether the principal may use this instance now: its tenant, then the rate. */
bp_status admit(bp_call *call, struct filesystem *self, enum rate rate) BP_SUSPENDS;
bp_status expect_writable(bp_call *call, const struct filesystem *self);
/* work->run(call, work) on a confined thread. */
bp_status work_run(bp_call *call, struct work *work) BP_SUSPENDS;

/* ---- confine.c: Landlock ---- */

bp_status confine_create(bp_call *call, const struct filesystem *self,
                         struct filesystem_shared *shared);
/* Restricts the calling thread to the roots, once. */
bp_status confine_thread(bp_call *call, const struct filesystem_shared *shared);

/* ---- place.c: from a path to a descriptor ---- */

/* Where a path leads: a root, and a way below it without links, "." and "..". "" is the root
 * itself. */
struct place {
    const struct root *root;
    char               below[PATH_MAX];
};

bp_status roots_open(bp_call *call, const struct filesystem *self,
                     struct filesystem_shared *shared);
void      roots_close(struct filesystem_shared *shared);
/* "/a, /b": all roots, for sentences. `between` stands between two. */
bp_str roots_text(bp_call *call, const struct filesystem_shared *shared, const char *between);

/* Opens what the path leads to. */
bp_status place_open(bp_call *call, struct filesystem *self, bp_str path, int flags,
                     const char *operation, struct place *place, int *fd);
/* Opens the directory that holds, or will hold, what the path leads to; *name is its name there. A
 * link that stands there is followed if follows_last, so that *name is not a link, but for a race.
 */
bp_status place_open_parent(bp_call *call, struct filesystem *self, bp_str path, bool follows_last,
                            const char *operation, struct place *place, int *fd, const char **name);
/* Makes the directories that are missing on the way. */
bp_status place_make_directories(bp_call *call, struct filesystem *self, bp_str path);
/* Opens a regular file for reading. */
bp_status place_open_file(bp_call *call, struct filesystem *self, bp_str path, struct place *place,
                          int *fd, struct stat *info);
/* openat2() of one name in an open directory: never through a link. -errno on failure. */
int    open_in(int directory, const char *name, int flags, mode_t mode);
bp_str place_text(bp_call *call, const struct place *place);
bool   is_name_denied(const struct filesystem_shared *shared, const char *name);
enum { TEMPORARY_NAME_BYTES = 48 };
void make_temporary_name(char name[TEMPORARY_NAME_BYTES]);

/* ---- failure.c ---- */

/* "ENOENT: no such file or directory, open '/x'" with the status of the number. `path` empty:
 * without it. */
bp_status fail_errno(bp_call *call, int number, const char *operation, bp_str path);
/* Counts a refusal, by reason, and fails with BP_DENIED. */
bp_status refuse(bp_call *call, struct filesystem *self, const char *reason, bp_str sentence);

/* ---- the work behind the tools ---- */

bp_status read_whole(bp_call *call, struct filesystem *self, int fd, const struct stat *info,
                     bp_str path, bp_str *bytes);
bp_status read_text(bp_call *call, struct filesystem *self, bp_str path, bp_str *text);
bool      is_utf8(bp_str text);
bp_status work_read_text(bp_call *call, struct work *work);
bp_status work_read_media(bp_call *call, struct work *work);
bp_status work_read_multiple(bp_call *call, struct work *work);

bp_status write_text(bp_call *call, struct filesystem *self, bp_str path, bp_str content);
bp_status work_write(bp_call *call, struct work *work);
bp_status work_create_directory(bp_call *call, struct work *work);
bp_status work_move(bp_call *call, struct work *work);
/* Puts `content` into the place of directory/name in one step. `before` not NULL: only if the file
 * there still is that one, unchanged; else BP_CONFLICT. */
bp_status replace_file(bp_call *call, const struct place *place, int directory, const char *name,
                       bp_str content, const struct stat *before);
pthread_mutex_t *write_lock(struct filesystem_shared *shared, int directory, const char *name);

bp_status work_edit(bp_call *call, struct work *work);

/* One entry of a directory. */
struct entry {
    const char *name;
    bool        is_directory, is_link;
};
struct listing {
    struct entry *entries; /* sorted by the bytes of their names */
    size_t        count;
};
/* Reads the names of an open directory and closes it. *budget is what may still be seen. */
bp_status listing_read(bp_call *call, struct filesystem *self, int directory, bp_str path,
                       int64_t *budget, struct listing *listing);
bp_status work_list(bp_call *call, struct work *work);
bp_status work_list_with_sizes(bp_call *call, struct work *work);
bp_status work_tree(bp_call *call, struct work *work);
bp_status work_info(bp_call *call, struct work *work);
bp_status work_list_json(bp_call *call, struct work *work);

bp_status work_search(bp_call *call, struct work *work);
bp_status work_search_json(bp_call *call, struct work *work);

/* ---- the tools and routes themselves ---- */

enum { TOOL_COUNT = 14, ROUTE_COUNT = 4 };
extern const bp_mcp_tool filesystem_tools[TOOL_COUNT];
extern const bp_route    filesystem_routes[ROUTE_COUNT];
bool                     tool_is_offered(void *instance, const char *name);

#define SCOPE_READ  "filesystem:read"
#define SCOPE_WRITE "filesystem:write"

#endif

/* git.h - shared by the files of the app `git`: the instance, one job on a pool thread, and the
 * texts it makes.
 *
 *      handler -> job_run() -> pool thread: repository_open() -> run() -> text in the job's buffer -> handler answers
 *
 * libgit2 reads repositories that others filled, so nothing in them is trusted: repository.c has
 * the list of checks.
 */
#ifndef PLUGINS_APP_GIT_GIT_H
#define PLUGINS_APP_GIT_GIT_H

#define BP_PLUGIN_FLAGS 0
#include <backplane/app.h>
#include <backplane/loop.h>
#include <backplane/mcp.h>
#include <backplane/param.h>
#include <backplane/plugin.h>

#include <git2.h>
#include <git2/sys/odb_backend.h>

struct git_shared {
    bp_pool *pool;
    bp_mutex
          *writing; /* one change at a time: a change reads the index, adds to it and writes it */
    char **roots;   /* the option `repositories`, resolved when the process started */
    size_t root_count;
};

struct git {
    bp_str_list        repositories;
    bool               writes;
    bp_str             author_name, author_email;
    int64_t            log_commits, diff_files;
    int64_t            output_bytes;
    int64_t            deadline_ns;
    int64_t            threads;
    struct git_shared *shared;
};

enum {
    OBJECT_BYTES_MAX = 64 << 20, /* what libgit2 may load in one piece */
    LINES_MAX = 200000, /* of a file that is compared line by line, which libgit2 does in one piece
                         */
    LINES_FREE_BYTES = 256 << 10, /* in so few bytes they need not be counted */
    TREE_DEPTH_MAX = 1000,        /* folders in folders; Linux has paths of 4,096 bytes */
    CONTEXT_LINES_MAX = 1000000
};

enum {
    JOB_WRITES = 1u << 0,  /* changes the repository */
    JOB_WORKTREE = 1u << 1 /* looks at files of the working tree, .gitignore and .gitattributes
                              among them */
};

/* In the order of git_branch's choices. */
enum { BRANCHES_LOCAL, BRANCHES_REMOTE, BRANCHES_ALL };

/* What a client asks for; each tool has a table of those that it takes. Texts are empty when they
 * are not given. */
struct wanted {
    bp_str         repo_path, target, message, start_timestamp, end_timestamp, branch_name;
    bp_str         base_branch, revision, contains, not_contains;
    int64_t        context_lines, max_count;
    int32_t        branch_type;
    const bp_json *files;
    bp_str         path, query, in, commit1, commit2; /* of the routes alone */
};

struct git_job {
    bp_call             *call;
    const struct git    *self;
    const struct wanted *wanted;
    bp_status (*run)(struct git_job *job);
    uint32_t        flags;
    int64_t         until_ns;
    bp_buf         *out;  /* the answer of a tool */
    bp_json_writer *json; /* that of a route */
    git_repository *repo;
    bp_str          path;         /* of the working tree, or of a bare repository; resolved */
    bp_str          root;         /* which of the roots it is beneath */
    git_odb_backend alarm;        /* see job_set_alarm() */
    git_odb        *sizes;        /* the same objects, to ask how large one is */
    bool            is_too_large; /* one was */
    bool            counts_lines; /* objects with more than LINES_MAX are refused, too */
    bool            has_too_many_lines;
    bool            is_too_deep; /* a tree was */
    bool            is_stopped;  /* an object was refused since there was no time left */
    git_index      *index;       /* of diff_options_worktree() */
    git_oid        *shallow; /* the commits at which a shallow clone ends, in order of their ids */
    size_t          shallow_count;
    bool            is_enough;  /* ends a walk: `each` has seen one more than it wants */
    bool            has_more;   /* the last walk ended with its count, not with the history */
    bool            ends_early; /* ... or at the end of a shallow clone */
    bp_str          upstream; /* full name of the branch that HEAD's branch follows; empty: none */
};

/* ---- job.c ---- */

/* Opens the repository that is wanted and runs `run` on a thread of the pool. */
bp_status job_run(bp_call *call, const struct git *self, const struct wanted *wanted,
                  uint32_t flags, bp_status (*run)(struct git_job *job), bp_buf *out,
                  bp_json_writer *json);
/* BP_OK while there is time and somebody waits; else a sentence. */
bp_status job_goes_on(struct git_job *job);
/* From now on every object that is read asks job_goes_on() first: so even what libgit2 does in one
 * piece, a blame or a search for renames, ends in time. And its size is asked first: a few KiB can
 * become gigabytes. */
bp_status job_set_alarm(struct git_job *job);
/* Turns what libgit2 said into a status and a sentence that begins with `what`. */
bp_status job_fail(struct git_job *job, int code, const char *what);
/* A wanted text as a C string; NULL when it is empty. BP_INVALID when it has a NUL or
 * begins with "-": `label` is what it is called in the sentence. */
bp_status job_text(struct git_job *job, bp_str value, const char *label, const char **text);
/* The object that a revision names. */
bp_status job_revision(struct git_job *job, const char *revision, git_object **object);
/* For work on revisions alone, in which libgit2 looks at the index for attributes only: one that
 * cannot be read is taken for an empty one. */
bp_status job_spare_index(struct git_job *job);
/* Of the last commit; NULL when there is none yet. */
git_tree *job_head_tree(struct git_job *job);
bool      has_too_many_lines(const char *text, size_t len);

/* ---- repository.c ---- */

bp_status repository_roots_resolve(bp_call *call, const struct git *self,
                                   struct git_shared *shared);
bp_status repository_open(struct git_job *job);
/* Whether `path`, relative to the working tree, stays in it, symlinks resolved. */
bp_status repository_path_check(struct git_job *job, const char *path);
bool      path_is_beneath(bp_str path, bp_str root);
/* The whole of a regular file that is no link; BP_NOT_FOUND when it is not there. */
bp_status repository_read_file(struct git_job *job, const char *path, size_t max_bytes,
                               bp_str *text);

/* ---- commits.c ---- */

/* With `since` and `until` in seconds since 1970 (INT64_MIN, INT64_MAX: no bound); `each` until
 * max_count. Sets has_more and ends_early of the job. */
bp_status history_walk(struct git_job *job, const git_oid *from, int64_t max_count, int64_t since,
                       int64_t until,
                       bp_status (*each)(struct git_job *job, git_commit *commit, void *arg),
                       void *arg);
bp_status commits_read_shallow(struct git_job *job, bp_str common);
/* Whether a shallow clone ends here: its parents are not there. */
bool commit_is_end(const struct git_job *job, const git_oid *id);
/* NULL when it has none, also at the end of a shallow clone; a code of libgit2. */
int       commit_first_parent(const struct git_job *job, git_commit *commit, git_commit **parent);
bp_status commits_merge_base(struct git_job *job, const git_oid *one, const git_oid *two,
                             git_oid *base);
bool      commits_reach(struct git_job *job, const git_oid *tip, const git_oid *commit);
bool      commits_ahead_behind(struct git_job *job, const git_oid *own, const git_oid *theirs,
                               size_t *ahead, size_t *behind);

/* ---- conflicts.c ---- */

/* The conflicts, as a diff of the working tree with both sides, or by their names alone. */
bp_status conflicts_print(struct git_job *job, bool is_combined);
bool      is_in_conflict(git_index *index, const char *path);

/* ---- rebase.c ---- */

/* Whether a rebase is under way. */
bool      is_rebasing(struct git_job *job);
bp_status rebase_head(struct git_job *job, bool *is_told);
bp_status rebase_state(struct git_job *job, bool has_conflicts);

/* ---- texts ---- */

bp_status status_text(struct git_job *job);
bp_status diff_unstaged_text(struct git_job *job);
bp_status diff_staged_text(struct git_job *job);
bp_status diff_target_text(struct git_job *job);
bp_status show_text(struct git_job *job);
bp_status log_text(struct git_job *job);
bp_status branch_text(struct git_job *job);
bp_status add_text(struct git_job *job);
bp_status commit_text(struct git_job *job);
bp_status reset_text(struct git_job *job);
bp_status create_branch_text(struct git_job *job);
bp_status checkout_text(struct git_job *job);

/* ---- routes.c: the four of the HTTP interface ---- */

bp_status log_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status diff_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status search_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status blame_post(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- diff.c, history.c, dates.c: shared parts ---- */

int64_t context_lines(const struct git_job *job); /* that are wanted */
void    diff_options(struct git_job *job, git_diff_options *options, int64_t context);
/* For a comparison with the working tree: without submodules, and without what a sparse checkout
 * leaves out. */
int  diff_options_worktree(struct git_job *job, git_diff_options *options);
bool is_left_out(git_index *index, const char *path);
int  diff_find_renames(git_diff *diff); /* as git does by itself */
/* A path that is nested deeper than TREE_DEPTH_MAX makes work and memory grow with its square.
 * False: it is, and the job remembers. */
bool depth_is_good(struct git_job *job, const char *path);
/* What to do with files in conflict. */
enum conflicts {
    CONFLICTS_NONE, /* two revisions are compared */
    CONFLICTS_NAMED,
    CONFLICTS_COMBINED
};
/* Finds renames and appends the patch of at most diff_files files; those in conflict are left to
 * conflicts_print(). */
bp_status diff_print(struct git_job *job, git_diff *diff, enum conflicts conflicts,
                     int64_t *left_out);
/* "HEAD detached at v1", or "from" when it moved on since. */
bp_str head_detached(struct git_job *job, const git_oid *head);
/* "2024-01-15 14:30:25+01:00", as Python shows it, or with `is_iso` "2024-01-15 14:30:25 +0100" as
 * git does. */
void date_format(const git_time *when, bool is_iso, char text[40]);
/* Seconds since 1970 for "2024-01-15T14:30:25", "2 weeks ago", "yesterday", "Jan 15 2024"; a day
 * without a time is its beginning, or its end with `is_end`. False when it is not understood. */
bool date_parse(const char *text, int64_t now_s, bool is_end, int64_t *seconds);
/* A path as git shows it: in quotes and with octal codes where it has odd characters. */
bp_str path_quoted(bp_call *call, const char *path);

#endif

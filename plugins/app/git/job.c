/* job.c - one request to a repository: on a thread of the pool, with a deadline, and libgit2's
 * errors as sentences. */
#include "git.h"

#include <git2/sys/repository.h>

bp_status job_goes_on(struct git_job *job)
{
    BP_TRY(bp_cancelled(job->call));
    if (bp_now_ns() > job->until_ns)
        return bp_fail(job->call, BP_DEADLINE,
                       "the repository is too large for this: it took longer than %lld s",
                       (long long)(job->self->deadline_ns / BP_SECONDS(1)));
    return BP_OK;
}

static bp_status run_opened(struct git_job *job)
{
    bp_status status;

    BP_TRY(repository_open(job));
    status = job->run(job);
    if (status == BP_OK &&
        job->is_stopped) // libgit2 passes over some errors, and then its answer is a wrong one
        status = job_goes_on(job);
    if (status == BP_OK && job->is_too_large)
        status = job_fail(job, GIT_ERROR, "the answer would be incomplete");
    git_index_free(job->index);
    git_repository_free(job->repo);
    git_odb_free(job->sizes);
    job->repo = NULL;
    return status;
}

static bp_status on_thread(bp_call *call, void *arg)
{
    struct git_job *job = arg;
    bp_status       status = run_opened(job);

    if (status == BP_OK && job->out && bp_buf_status(job->out) != BP_OK)
        return bp_fail(call, bp_buf_status(job->out),
                       "the answer is larger than %lld bytes: ask for less",
                       (long long)job->self->output_bytes);
    return status;
}

bp_status job_run(bp_call *call, const struct git *self, const struct wanted *wanted,
                  uint32_t flags, bp_status (*run)(struct git_job *job), bp_buf *out,
                  bp_json_writer *json)
{
    struct git_job job = { .call = call,
                           .self = self,
                           .wanted = wanted,
                           .run = run,
                           .flags = flags,
                           .until_ns = bp_within(call, self->deadline_ns),
                           .out = out,
                           .json = json };
    bp_status      status;

    if (!(flags & JOB_WRITES))
        return bp_offload(call, self->shared->pool, on_thread, &job);
    BP_TRY(bp_mutex_lock(call, self->shared->writing));
    status = bp_offload(call, self->shared->pool, on_thread, &job);
    bp_mutex_unlock(self->shared->writing);
    return status;
}

/* ---- the alarm: a store of objects that has none, asked before all others ---- */

static struct git_job *job_of(git_odb_backend *backend)
{
    return (struct git_job *)(void *)((char *)backend - offsetof(struct git_job, alarm));
}

bool has_too_many_lines(const char *text, size_t len)
{
    const char *end = text + len;
    size_t      lines = 0;

    if (len <= LINES_FREE_BYTES)
        return false;
    while (lines <= LINES_MAX && (text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        text++;
        lines++;
    }
    return lines > LINES_MAX;
}

static bool counts_too_many(struct git_job *job, const git_oid *id)
{
    git_odb_object *object = NULL;
    bool            is_too_much = git_odb_read(&object, job->sizes, id) == 0 &&
                       has_too_many_lines(git_odb_object_data(object), git_odb_object_size(object));

    git_odb_object_free(object);
    return is_too_much;
}

/* Asks another git_odb, since the one that asks us has locked itself. */
static int may_read(struct git_job *job, const git_oid *id)
{
    size_t       len;
    git_object_t type;

    if (job_goes_on(job) != BP_OK) {
        job->is_stopped = true;
        return GIT_EUSER;
    }
    if (git_odb_read_header(&len, &type, job->sizes, id) != 0)
        return GIT_PASSTHROUGH; // the stores behind us name its fault
    job->is_too_large = job->is_too_large || len > OBJECT_BYTES_MAX;
    if (len > OBJECT_BYTES_MAX)
        return GIT_EUSER;
    if (!job->counts_lines || type != GIT_OBJECT_BLOB || len <= LINES_FREE_BYTES ||
        !counts_too_many(job, id))
        return GIT_PASSTHROUGH;
    job->has_too_many_lines = true;
    return GIT_EUSER;
}

static int alarm_read(void **data, size_t *len, git_object_t *type, git_odb_backend *backend,
                      const git_oid *id)
{
    (void)data, (void)len, (void)type;
    return may_read(job_of(backend), id);
}

static int alarm_read_prefix(git_oid *found, void **data, size_t *len, git_object_t *type,
                             git_odb_backend *backend, const git_oid *prefix, size_t prefix_len)
{
    struct git_job *job = job_of(backend);
    git_oid         id;

    (void)found, (void)data, (void)len, (void)type;
    if (git_odb_exists_prefix(&id, job->sizes, prefix, prefix_len) != 0)
        return GIT_PASSTHROUGH;
    return may_read(job, &id);
}

static void alarm_free(git_odb_backend *backend)
{
    (void)backend; // part of the job
}

bp_status job_set_alarm(struct git_job *job)
{
    enum { BEFORE_ALL_OTHERS = 1000 };
    git_odb *objects = NULL;
    int      code = git_repository_odb(&objects, job->repo);

    if (code == 0)
        code = git_odb_init_backend(&job->alarm, GIT_ODB_BACKEND_VERSION);
    if (code == 0)
        code = git_odb_open(&job->sizes,
                            bp_format(job->call, "%sobjects", git_repository_commondir(job->repo))
                                .data);
    job->alarm.read = alarm_read;
    job->alarm.read_prefix = alarm_read_prefix;
    job->alarm.free = alarm_free;
    if (code == 0)
        code = git_odb_add_backend(objects, &job->alarm, BEFORE_ALL_OTHERS);
    git_odb_free(objects);
    return code == 0 ? BP_OK : job_fail(job, code, "the objects of the repository cannot be read");
}

/* What libgit2 does not know, in words that do not call it damaged. NULL: it is something else. */
static const char *unsupported(const char *why)
{
    if (strstr(why, "unsupported mandatory extension: 'link'"))
        return "its index is split, which is not read here: `git update-index --no-split-index` "
               "makes it whole";
    if (strstr(why, "unsupported mandatory extension: 'sdir'"))
        return "its index is sparse, which is not read here: `git sparse-checkout reapply "
               "--no-sparse-index` makes it full, and leaves the sparse checkout as it is";
    if (strstr(why, "unsupported mandatory extension") || strstr(why, "unsupported extension") ||
        strstr(why, "unsupported repository version") || strstr(why, "unsupported index"))
        return "it uses a feature of git that is not understood here";
    return NULL;
}

bp_status job_fail(struct git_job *job, int code, const char *what)
{
    const git_error *error = git_error_last();
    const char      *why = error && error->message ? error->message : "libgit2 does not say why";
    bp_status        status = BP_DATA;

    BP_TRY(job_goes_on(job)); // libgit2 may call a late end anything
    if (job->is_too_deep)
        return bp_fail(job->call, BP_TOO_LARGE,
                       "%s: the folders of a tree are nested more than %d deep", what,
                       TREE_DEPTH_MAX);
    if (job->has_too_many_lines)
        return bp_fail(job->call, BP_TOO_LARGE, "%s: a version of the file has more than %d lines",
                       what, LINES_MAX);
    if (job->is_too_large)
        return bp_fail(job->call, BP_TOO_LARGE, "%s: an object is larger than %d MiB", what,
                       OBJECT_BYTES_MAX >> 20);
    if (unsupported(why))
        return bp_fail(job->call, BP_UNSUPPORTED, "%s: the repository is sound, but %s (%s)", what,
                       unsupported(why), why);
    if (job->shallow_count && strstr(why, "no match for id"))
        return bp_fail(job->call, BP_UNSUPPORTED,
                       "%s: this is a shallow clone, and the commits needed lie beyond its end: "
                       "`git "
                       "fetch --unshallow` brings them",
                       what);
    switch (code) {
    case GIT_ENOTFOUND:
        status = BP_NOT_FOUND;
        break;
    case GIT_EEXISTS:
    case GIT_ECONFLICT:
    case GIT_ELOCKED:
    case GIT_EMODIFIED:
    case GIT_EUNMERGED:
    case GIT_EUNCOMMITTED:
        status = BP_CONFLICT;
        break;
    case GIT_EAMBIGUOUS:
    case GIT_EINVALIDSPEC:
    case GIT_EPEEL:
    case GIT_EUNBORNBRANCH:
    case GIT_EBAREREPO:
    case GIT_EINVALID:
        status = BP_INVALID;
        break;
    default:
        break;
    }
    return bp_fail(job->call, status, "%s: %s", what, why);
}

bp_status job_text(struct git_job *job, bp_str value, const char *label, const char **text)
{
    *text = NULL;
    if (!value.len)
        return BP_OK;
    if (memchr(value.data, '\0', value.len))
        return bp_fail(job->call, BP_INVALID, "the %s has a NUL character", label);
    if (value.data[0] == '-')
        return bp_fail(job->call, BP_INVALID, "Invalid %s: '" BP_FMT "' - cannot start with '-'",
                       label, BP_ARG(value));
    *text = bp_dup(job->call, value).data;
    return *text ? BP_OK : BP_NO_MEMORY;
}

/* A name is looked up by hand: git_revparse_single() of libgit2 1.5 loses the reference when its
 * commit is damaged. */
static int find_object(struct git_job *job, const char *revision, git_object **object)
{
    git_reference *named = NULL, *resolved = NULL;
    git_oid        id;
    int            code;

    if (strlen(revision) == GIT_OID_HEXSZ && git_oid_fromstr(&id, revision) == 0)
        return git_object_lookup(object, job->repo, &id, GIT_OBJECT_ANY);
    if (git_reference_dwim(&named, job->repo, revision) != 0)
        return git_revparse_single(object, job->repo, revision);
    code = git_reference_resolve(&resolved, named);
    if (code == 0)
        code = git_object_lookup(object, job->repo, git_reference_target(resolved), GIT_OBJECT_ANY);
    git_reference_free(resolved);
    git_reference_free(named);
    return code;
}

bp_status job_revision(struct git_job *job, const char *revision, git_object **object)
{
    int code = find_object(job, revision, object);

    if (code == 0)
        return BP_OK;
    if (code == GIT_ENOTFOUND || code == GIT_EINVALIDSPEC)
        return bp_fail(job->call, BP_NOT_FOUND, "Ref '%s' did not resolve to an object%s", revision,
                       job->shallow_count ? " (this is a shallow clone: its history ends early)"
                                          : "");
    return job_fail(job, code, revision);
}

bp_status job_spare_index(struct git_job *job)
{
    git_index *index = NULL;
    int        code = git_repository_index(&index, job->repo);

    if (code != 0) {
        code = git_index_new(&index);
        if (code == 0)
            code = git_repository_set_index(job->repo, index);
    }
    git_index_free(index);
    return code == 0 ? BP_OK : job_fail(job, code, "the index cannot be left out");
}

bool depth_is_good(struct git_job *job, const char *path)
{
    int depth = 0;

    for (const char *at = path; at && (at = strchr(at, '/')) != NULL && depth <= TREE_DEPTH_MAX;
         at++)
        depth++;
    job->is_too_deep = job->is_too_deep || depth > TREE_DEPTH_MAX;
    return depth <= TREE_DEPTH_MAX;
}

git_tree *job_head_tree(struct git_job *job)
{
    git_object *head = NULL, *tree = NULL;

    if (find_object(job, "HEAD", &head) == 0 && git_object_peel(&tree, head, GIT_OBJECT_TREE) != 0)
        tree = NULL;
    git_object_free(head);
    return (git_tree *)tree;
}

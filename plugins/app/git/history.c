/* history.c - git_log and git_branch. */
#include "git.h"

#include <stdlib.h>

/* ---- git_log ---- */

static bp_status add_commit(struct git_job *job, git_commit *commit, void *arg)
{
    const git_signature *author = git_commit_author(commit);
    bool                *is_first = arg;
    char                 date[40];

    date_format(&author->when, false, date);
    bp_buf_addf(job->out, "%sCommit: %s\nAuthor: ", *is_first ? "" : "\n",
                git_oid_tostr_s(git_commit_id(commit)));
    bp_buf_add(job->out, bp_str_of(author->name));
    bp_buf_addf(job->out, "\nDate: %s\nMessage: ", date);
    bp_buf_add(job->out, bp_str_of(git_commit_message(commit)));
    bp_buf_add(job->out, bp_str_of("\n"));
    *is_first = false;
    return bp_buf_status(job->out);
}

static bp_status bound(struct git_job *job, bp_str value, const char *name, bool is_end,
                       int64_t otherwise, int64_t *seconds)
{
    const char *text;

    BP_TRY(job_text(job, value, name, &text));
    *seconds = otherwise;
    if (text && !date_parse(text, bp_wall_ns() / BP_SECONDS(1), is_end, seconds))
        return bp_fail(job->call, BP_INVALID,
                       "%s: '%s' is not understood: write 2024-01-15, 2024-01-15T14:30:25, Jan 15 "
                       "2024, 2 weeks ago or yesterday",
                       name, text);
    return BP_OK;
}

bp_status log_text(struct git_job *job)
{
    int64_t asked = job->wanted->max_count < 0 ? 0 : job->wanted->max_count, since, until;
    int64_t max_count = asked < job->self->log_commits ? asked : job->self->log_commits;
    bool    is_first = true;
    git_oid head;

    BP_TRY(bound(job, job->wanted->start_timestamp, "start_timestamp", false, INT64_MIN, &since));
    BP_TRY(bound(job, job->wanted->end_timestamp, "end_timestamp", true, INT64_MAX, &until));
    if (git_reference_name_to_id(&head, job->repo, "HEAD") != 0)
        return bp_fail(job->call, BP_NOT_FOUND, "there is no commit yet");
    bp_buf_add(job->out, bp_str_of("Commit history:\n"));
    BP_TRY(history_walk(job, &head, max_count, since, until, add_commit, &is_first));
    if (job->has_more && asked > max_count)
        bp_buf_addf(job->out, "\n... more commits are not shown, beyond the first %lld\n",
                    (long long)max_count);
    if (job->ends_early)
        bp_buf_add(job->out, bp_str_of("\n... older commits are not in this shallow clone\n"));
    return BP_OK;
}

/* ---- git_branch ---- */

/* "v1" from "checkout: moving from main to v1", of the last checkout that the reflog tells of; else
 * empty. */
static bp_str last_checkout(struct git_job *job)
{
    static const char begin[] = "checkout: moving from ";
    git_reflog       *log = NULL;
    bp_str            name = { "", 0 };

    if (git_reflog_read(&log, job->repo, "HEAD") != 0)
        return name;
    for (size_t i = 0; i < git_reflog_entrycount(log) && !name.len; i++) {
        const char *message = git_reflog_entry_message(git_reflog_entry_byindex(log, i));
        const char *to = message && strncmp(message, begin, sizeof(begin) - 1) == 0
                             ? strstr(message, " to ")
                             : NULL;

        if (to)
            name = bp_dup(job->call, bp_str_of(to + 4));
    }
    git_reflog_free(log);
    return name;
}

bp_str head_detached(struct git_job *job, const git_oid *head)
{
    bp_str         name = last_checkout(job);
    git_reference *reference = NULL;
    git_object    *commit = NULL;
    bp_str         text = bp_format(job->call, "HEAD detached at %.7s", git_oid_tostr_s(head));

    // A commit named by its hash is shown by its first digits.
    if (name.len && git_reference_dwim(&reference, job->repo, name.data) == 0 &&
        git_reference_peel(&commit, reference, GIT_OBJECT_COMMIT) == 0)
        text = bp_format(job->call, "HEAD detached %s %s",
                         git_oid_equal(git_object_id(commit), head) ? "at" : "from", name.data);
    else if (name.len && git_revparse_single(&commit, job->repo, name.data) == 0 &&
             !git_oid_equal(git_object_id(commit), head))
        text = bp_format(job->call, "HEAD detached from %.7s",
                         git_oid_tostr_s(git_object_id(commit)));
    git_object_free(commit);
    git_reference_free(reference);
    return text;
}

struct branches {
    struct git_job *job;
    bool            with_remotes_prefix;
    git_oid         contains, not_contains;
    bool            has_contains, has_not_contains;
};

static bp_status read_commit(struct git_job *job, bp_str value, const char *label, git_oid *id,
                             bool *is_given)
{
    git_object *object = NULL, *commit = NULL;
    const char *text;
    int         code;

    BP_TRY(job_text(job, value, label, &text));
    *is_given = text != NULL;
    if (!text)
        return BP_OK;
    BP_TRY(job_revision(job, text, &object));
    code = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    if (code == 0)
        git_oid_cpy(id, git_object_id(commit));
    git_object_free(commit);
    git_object_free(object);
    return code == 0 ? BP_OK : job_fail(job, code, text);
}

static bp_status add_branch(struct branches *b, git_reference *reference)
{
    struct git_job *job = b->job;
    bool            is_remote = git_reference_is_remote(reference);
    git_object     *tip = NULL;
    const char     *target = git_reference_symbolic_target(reference);

    BP_TRY(job_goes_on(job));
    if (b->has_contains || b->has_not_contains) {
        bool is_wanted;

        if (git_reference_peel(&tip, reference, GIT_OBJECT_COMMIT) != 0)
            return BP_OK;
        is_wanted = (!b->has_contains || commits_reach(job, git_object_id(tip), &b->contains)) &&
                    (!b->has_not_contains ||
                     !commits_reach(job, git_object_id(tip), &b->not_contains));
        git_object_free(tip);
        if (!is_wanted)
            return BP_OK;
    }
    bp_buf_add(job->out, bp_str_of(!is_remote && git_branch_is_head(reference) == 1 ? "* " : "  "));
    bp_buf_add(job->out, bp_str_of(is_remote && b->with_remotes_prefix ? "remotes/" : ""));
    bp_buf_add(job->out, bp_str_of(git_reference_shorthand(reference)));
    if (target && strncmp(target, "refs/remotes/", 13) == 0)
        bp_buf_add(job->out, bp_format(job->call, " -> %s", target + 13));
    bp_buf_add(job->out, bp_str_of("\n"));
    return bp_buf_status(job->out);
}

static void add_detached(struct branches *b)
{
    git_reference *head = NULL;

    if (git_repository_head_detached(b->job->repo) == 1 &&
        git_reference_lookup(&head, b->job->repo, "HEAD") == 0) {
        const git_oid *tip = git_reference_target(head);

        if ((!b->has_contains || commits_reach(b->job, tip, &b->contains)) &&
            (!b->has_not_contains || !commits_reach(b->job, tip, &b->not_contains)))
            bp_buf_add(b->job->out,
                       bp_format(b->job->call, "* (%s)\n", head_detached(b->job, tip).data));
    }
    git_reference_free(head);
}

static int by_name(const void *a, const void *b)
{
    git_reference *const *left = a, *const *right = b;

    return strcmp(git_reference_name(*left), git_reference_name(*right));
}

static bp_status list(struct branches *b, git_branch_t kind)
{
    struct git_job      *job = b->job;
    git_branch_iterator *walk = NULL;
    git_reference      **references = NULL, *reference;
    size_t               count = 0, capacity = 0;
    bp_status            status = BP_OK;
    git_branch_t         found;
    int                  code = git_branch_iterator_new(&walk, job->repo, kind);

    while (code == 0 && status == BP_OK &&
           (code = git_branch_next(&reference, &found, walk)) == 0) {
        if (count == capacity) {
            size_t          more = capacity ? capacity * 2 : 64;
            git_reference **larger = realloc(references, more * sizeof(reference));

            if (!larger) {
                git_reference_free(reference);
                status = bp_fail(job->call, BP_NO_MEMORY,
                                 "there is not enough memory for the branches");
                break;
            }
            references = larger;
            capacity = more;
        }
        references[count++] = reference;
        status = count % 256 ? BP_OK : job_goes_on(job);
    }
    git_branch_iterator_free(walk);
    if (status == BP_OK && code != 0 && code != GIT_ITEROVER)
        status = job_fail(job, code, "the branches cannot be read");
    if (count)
        qsort(references, count, sizeof(reference), by_name);
    for (size_t i = 0; i < count && status == BP_OK; i++)
        status = add_branch(b, references[i]);
    for (size_t i = 0; i < count; i++)
        git_reference_free(references[i]);
    free(references);
    return status;
}

bp_status branch_text(struct git_job *job)
{
    struct branches b = { .job = job };
    int32_t         type = job->wanted->branch_type;
    bp_str          text;

    BP_TRY(read_commit(job, job->wanted->contains, "contains value", &b.contains, &b.has_contains));
    BP_TRY(read_commit(job, job->wanted->not_contains, "not_contains value", &b.not_contains,
                       &b.has_not_contains));
    b.with_remotes_prefix = type == BRANCHES_ALL;
    if (type != BRANCHES_REMOTE) {
        add_detached(&b);
        BP_TRY(list(&b, GIT_BRANCH_LOCAL));
    }
    if (type != BRANCHES_LOCAL)
        BP_TRY(list(&b, GIT_BRANCH_REMOTE));
    text = bp_buf_str(job->out);
    if (text.len) { // as the reference has it, without the last line feed
        text = bp_dup(job->call, bp_str_n(text.data, text.len - 1));
        bp_buf_reset(job->out);
        bp_buf_add(job->out, text);
    }
    return BP_OK;
}

/* status.c - git_status: the working tree as `git status` tells it, in its long form. */
#include "git.h"

struct status {
    struct git_job *job;
    git_index      *index;
    git_tree       *head; /* NULL: no commit yet */
    git_diff       *staged, *unstaged;
    size_t          conflicts;
    size_t          staged_count, unstaged_count, untracked_count, deleted_count;
};

bp_str path_quoted(bp_call *call, const char *path)
{
    size_t len = strlen(path), odd = 0, at = 0;
    char  *out;

    for (size_t i = 0; i < len; i++)
        odd += (unsigned char)path[i] < 0x20 || (unsigned char)path[i] >= 0x7F || path[i] == '"' ||
               path[i] == '\\';
    if (!odd)
        return bp_str_n(path, len);
    out = bp_alloc(call, len + 3 * odd + 3);
    if (!out)
        return bp_str_of("");
    out[at++] = '"';
    for (size_t i = 0; i < len; i++) {
        static const char codes[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";
        unsigned char     c = (unsigned char)path[i];
        const char       *code = c ? strchr(codes, c) : NULL;

        if (c == '"' || c == '\\' || code) {
            out[at++] = '\\';
            out[at++] = code ? letters[code - codes] : (char)c;
        } else if (c < 0x20 || c >= 0x7F) {
            out[at++] = '\\';
            out[at++] = (char)('0' + (c >> 6));
            out[at++] = (char)('0' + ((c >> 3) & 7));
            out[at++] = (char)('0' + (c & 7));
        } else {
            out[at++] = (char)c;
        }
    }
    out[at++] = '"';
    return bp_str_n(out, at);
}

/* ---- the head of the text ---- */

static void add_upstream(struct status *s, const git_oid *own)
{
    struct git_job *job = s->job;
    git_oid         theirs;
    size_t          ahead = 0, behind = 0;
    const char     *name;

    if (!job->upstream.len)
        return;
    name = strncmp(job->upstream.data, "refs/remotes/", 13) == 0 ? job->upstream.data + 13
                                                                 : job->upstream.data + 11;
    if (git_reference_name_to_id(&theirs, job->repo, job->upstream.data) != 0) {
        bp_buf_addf(job->out,
                    "Your branch is based on '%s', but the upstream is gone.\n"
                    "  (use \"git branch --unset-upstream\" to fixup)\n\n",
                    name);
        return;
    }
    if (!commits_ahead_behind(job, own, &theirs, &ahead, &behind))
        return;
    if (!ahead && !behind)
        bp_buf_addf(job->out, "Your branch is up to date with '%s'.\n\n", name);
    else if (!behind)
        bp_buf_addf(job->out,
                    "Your branch is ahead of '%s' by %zu commit%s.\n"
                    "  (use \"git push\" to publish your local commits)\n\n",
                    name, ahead, ahead == 1 ? "" : "s");
    else if (!ahead)
        bp_buf_addf(job->out,
                    "Your branch is behind '%s' by %zu commit%s, and can be fast-forwarded.\n"
                    "  (use \"git pull\" to update your local branch)\n\n",
                    name, behind, behind == 1 ? "" : "s");
    else
        bp_buf_addf(job->out,
                    "Your branch and '%s' have diverged,\nand have %zu and %zu different commits "
                    "each, respectively.\n  (use \"git pull\" if you want to integrate the remote "
                    "branch with yours)\n\n",
                    name, ahead, behind);
}

static bp_status add_head(struct status *s)
{
    struct git_job *job = s->job;
    git_reference  *head = NULL;
    git_oid         id;
    const char     *name;
    bool            is_told;
    int             code = git_reference_lookup(&head, job->repo, "HEAD");

    if (code != 0)
        return job_fail(job, code, "HEAD cannot be read");
    if (git_reference_type(head) == GIT_REFERENCE_SYMBOLIC) {
        name = git_reference_symbolic_target(head);
        bp_buf_addf(job->out, "On branch %s\n",
                    strncmp(name, "refs/heads/", 11) == 0 ? name + 11 : name);
    } else {
        bp_status status = rebase_head(job, &is_told);

        if (status == BP_OK && !is_told) {
            bp_buf_add(job->out, head_detached(job, git_reference_target(head)));
            bp_buf_add(job->out, bp_str_of("\n"));
        }
        if (status != BP_OK) {
            git_reference_free(head);
            return status;
        }
    }
    git_reference_free(head);
    if (git_reference_name_to_id(&id, job->repo, "HEAD") == 0)
        add_upstream(s, &id);
    return BP_OK;
}

static void add_state(struct status *s)
{
    static const struct {
        int         state;
        const char *name, *unmerged, *merged;
    } states[] = {
        { GIT_REPOSITORY_STATE_MERGE, NULL,
          "You have unmerged paths.\n  (fix conflicts and run \"git commit\")\n"
          "  (use \"git merge --abort\" to abort the merge)\n\n",
          "All conflicts fixed but you are still merging.\n  (use \"git commit\" to conclude "
          "merge)\n\n" },
        { GIT_REPOSITORY_STATE_CHERRYPICK, "cherry-picking",
          "  (fix conflicts and run \"git cherry-pick --continue\")\n",
          "  (all conflicts fixed: run \"git cherry-pick --continue\")\n" },
        { GIT_REPOSITORY_STATE_REVERT, "reverting",
          "  (fix conflicts and run \"git revert --continue\")\n",
          "  (all conflicts fixed: run \"git revert --continue\")\n" },
    };
    struct git_job *job = s->job;
    int             state = git_repository_state(job->repo);

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (states[i].state != state)
            continue;
        if (states[i].name)
            bp_buf_addf(job->out, "You are currently %s.\n", states[i].name);
        bp_buf_add(job->out, bp_str_of(s->conflicts ? states[i].unmerged : states[i].merged));
        if (states[i].name)
            bp_buf_add(job->out, bp_str_of("\n"));
    }
}

static void add_sparse(struct status *s)
{
    size_t count = git_index_entrycount(s->index), left_out = 0;

    for (size_t i = 0; i < count; i++)
        left_out += (git_index_get_byindex(s->index, i)->flags_extended &
                     GIT_INDEX_ENTRY_SKIP_WORKTREE) != 0;
    if (left_out)
        bp_buf_addf(s->job->out,
                    "You are in a sparse checkout with %zu%% of tracked files present.\n\n",
                    100 - 100 * left_out / count);
}

/* ---- its sections ---- */

static const char *label_of(git_delta_t status)
{
    switch (status) {
    case GIT_DELTA_ADDED:
        return "new file:   ";
    case GIT_DELTA_DELETED:
        return "deleted:    ";
    case GIT_DELTA_RENAMED:
        return "renamed:    ";
    case GIT_DELTA_COPIED:
        return "copied:     ";
    case GIT_DELTA_TYPECHANGE:
        return "typechange: ";
    default:
        return "modified:   ";
    }
}

static void add_delta(struct git_job *job, const git_diff_delta *delta)
{
    bp_str old_path = path_quoted(job->call, delta->old_file.path);
    bp_str new_path = path_quoted(job->call, delta->new_file.path);

    bp_buf_add(job->out, bp_str_of("\t"));
    bp_buf_add(job->out, bp_str_of(label_of(delta->status)));
    if (delta->status == GIT_DELTA_RENAMED || delta->status == GIT_DELTA_COPIED) {
        bp_buf_add(job->out, old_path);
        bp_buf_add(job->out, bp_str_of(" -> "));
    }
    bp_buf_add(job->out, new_path);
    bp_buf_add(job->out, bp_str_of("\n"));
}

static void count_deltas(struct status *s)
{
    s->staged_count = git_diff_num_deltas(s->staged) -
                      git_diff_num_deltas_of_type(s->staged, GIT_DELTA_CONFLICTED);
    s->untracked_count = git_diff_num_deltas_of_type(s->unstaged, GIT_DELTA_UNTRACKED);
    s->deleted_count = git_diff_num_deltas_of_type(s->unstaged, GIT_DELTA_DELETED);
    s->conflicts = git_index_has_conflicts(s->index) ? 1 : 0;
    for (size_t i = 0; i < git_diff_num_deltas(s->unstaged); i++) {
        git_delta_t status = git_diff_get_delta(s->unstaged, i)->status;
        s->unstaged_count += status != GIT_DELTA_UNTRACKED && status != GIT_DELTA_CONFLICTED;
    }
}

static void add_staged(struct status *s)
{
    struct git_job *job = s->job;

    if (!s->staged_count)
        return;
    bp_buf_add(job->out, bp_str_of("Changes to be committed:\n"));
    if ((!s->conflicts && git_repository_state(job->repo) == GIT_REPOSITORY_STATE_NONE) ||
        is_rebasing(job))
        bp_buf_add(job->out,
                   bp_str_of(s->head ? "  (use \"git restore --staged <file>...\" to unstage)\n"
                                     : "  (use \"git rm --cached <file>...\" to unstage)\n"));
    for (size_t i = 0; i < git_diff_num_deltas(s->staged); i++)
        if (git_diff_get_delta(s->staged, i)->status != GIT_DELTA_CONFLICTED)
            add_delta(job, git_diff_get_delta(s->staged, i));
    bp_buf_add(job->out, bp_str_of("\n"));
}

/* What git says of a conflict by the versions that there are: 1 the common one, 2 ours, 4 theirs.
 */
static const char *const conflict_labels[8] = {
    "",
    "both deleted:    ",
    "added by us:     ",
    "deleted by them: ",
    "added by them:   ",
    "deleted by us:   ",
    "both added:      ",
    "both modified:   ",
};

static void add_conflict(struct git_job *job, unsigned versions, const char *path)
{
    bp_buf_addf(job->out, "\t%s", conflict_labels[versions]);
    bp_buf_add(job->out, path_quoted(job->call, path));
    bp_buf_add(job->out, bp_str_of("\n"));
}

/* How a conflict is marked as solved depends on which kinds of them there are. */
static void add_conflict_hints(struct git_job *job, const size_t kinds[8])
{
    size_t both_deleted = kinds[1], deleted = kinds[3] + kinds[5],
           others = kinds[2] + kinds[4] + kinds[6] + kinds[7];

    bp_buf_add(job->out, bp_str_of("Unmerged paths:\n"));
    if (is_rebasing(job))
        bp_buf_add(job->out, bp_str_of("  (use \"git restore --staged <file>...\" to unstage)\n"));
    if (!both_deleted && !deleted)
        bp_buf_add(job->out, bp_str_of("  (use \"git add <file>...\" to mark resolution)\n"));
    else if (both_deleted && !deleted && !others)
        bp_buf_add(job->out, bp_str_of("  (use \"git rm <file>...\" to mark resolution)\n"));
    else
        bp_buf_add(job->out, bp_str_of("  (use \"git add/rm <file>...\" as appropriate to mark "
                                       "resolution)\n"));
}

/* Twice through all: for the hints, then for the names. */
static bp_status add_conflicts(struct status *s)
{
    struct git_job *job = s->job;
    size_t          kinds[8] = { 0 };

    for (int round = 0; s->conflicts && round < 2; round++) {
        git_index_conflict_iterator *conflicts = NULL;
        const git_index_entry       *base, *ours, *theirs;
        int                          code = git_index_conflict_iterator_new(&conflicts, s->index);

        if (code != 0)
            return job_fail(job, code, "the conflicts cannot be read");
        if (round == 1)
            add_conflict_hints(job, kinds);
        while (git_index_conflict_next(&base, &ours, &theirs, conflicts) == 0) {
            unsigned versions = (base ? 1u : 0) | (ours ? 2u : 0) | (theirs ? 4u : 0);

            kinds[versions]++;
            if (round == 1)
                add_conflict(job, versions, ours ? ours->path : theirs ? theirs->path : base->path);
        }
        git_index_conflict_iterator_free(conflicts);
    }
    if (s->conflicts)
        bp_buf_add(job->out, bp_str_of("\n"));
    return BP_OK;
}

static void add_unstaged(struct status *s)
{
    struct git_job *job = s->job;

    if (!s->unstaged_count)
        return;
    bp_buf_addf(job->out,
                "Changes not staged for commit:\n"
                "  (use \"git add%s <file>...\" to update what will be committed)\n"
                "  (use \"git restore <file>...\" to discard changes in working directory)\n",
                s->deleted_count ? "/rm" : "");
    for (size_t i = 0; i < git_diff_num_deltas(s->unstaged); i++) {
        const git_diff_delta *delta = git_diff_get_delta(s->unstaged, i);
        if (delta->status != GIT_DELTA_UNTRACKED && delta->status != GIT_DELTA_CONFLICTED)
            add_delta(job, delta);
    }
    bp_buf_add(job->out, bp_str_of("\n"));
}

static void add_untracked(struct status *s)
{
    struct git_job *job = s->job;

    if (!s->untracked_count)
        return;
    bp_buf_add(job->out,
               bp_str_of("Untracked files:\n"
                         "  (use \"git add <file>...\" to include in what will be committed)\n"));
    for (size_t i = 0; i < git_diff_num_deltas(s->unstaged); i++) {
        const git_diff_delta *delta = git_diff_get_delta(s->unstaged, i);

        if (delta->status != GIT_DELTA_UNTRACKED)
            continue;
        bp_buf_add(job->out, bp_str_of("\t"));
        bp_buf_add(job->out, path_quoted(job->call, delta->new_file.path));
        bp_buf_add(job->out, bp_str_of("\n"));
    }
    bp_buf_add(job->out, bp_str_of("\n"));
}

static const char *last_line(const struct status *s)
{
    if (s->staged_count)
        return "";
    if (s->unstaged_count || s->conflicts)
        return "no changes added to commit (use \"git add\" and/or \"git commit -a\")";
    if (s->untracked_count)
        return "nothing added to commit but untracked files present (use \"git add\" to track)";
    if (!s->head)
        return "nothing to commit (create/copy files and use \"git add\" to track)";
    return "nothing to commit, working tree clean";
}

/* ---- the whole ---- */

static bp_status compare(struct status *s)
{
    struct git_job  *job = s->job;
    git_diff_options options;
    int              code = git_repository_index(&s->index, job->repo);

    if (code != 0)
        return job_fail(job, code, "the index cannot be read");
    s->head = job_head_tree(job);
    diff_options(job, &options, 0);
    code = git_diff_tree_to_index(&s->staged, job->repo, s->head, s->index, &options);
    if (code == 0)
        code = diff_find_renames(s->staged);
    diff_options(job, &options, 0);
    options.flags |= GIT_DIFF_INCLUDE_UNTRACKED;
    if (code == 0)
        code = diff_options_worktree(job, &options);
    if (code == 0)
        code = git_diff_index_to_workdir(&s->unstaged, job->repo, s->index, &options);
    return code == 0 ? BP_OK : job_fail(job, code, "the working tree cannot be compared");
}

static bp_status write_status(struct status *s)
{
    struct git_job *job = s->job;
    bp_str          text;

    BP_TRY(compare(s));
    count_deltas(s);
    bp_buf_add(job->out, bp_str_of("Repository status:\n"));
    BP_TRY(add_head(s));
    if (!s->head)
        bp_buf_add(job->out, bp_str_of("\nNo commits yet\n\n"));
    add_state(s);
    BP_TRY(rebase_state(job, s->conflicts));
    add_sparse(s);
    add_staged(s);
    BP_TRY(add_conflicts(s));
    add_unstaged(s);
    add_untracked(s);
    bp_buf_add(job->out, bp_str_of(last_line(s)));
    text = bp_buf_str(job->out);
    if (text.len && text.data[text.len - 1] ==
                        '\n') { // the reference takes git's text without the last line feed
        text = bp_dup(job->call, bp_str_n(text.data, text.len - 1));
        bp_buf_reset(job->out);
        bp_buf_add(job->out, text);
    }
    return BP_OK;
}

bp_status status_text(struct git_job *job)
{
    struct status s = { .job = job };
    bp_status     status;

    if (git_repository_is_bare(job->repo))
        return bp_fail(job->call, BP_INVALID,
                       "'" BP_FMT "' is a bare repository, which has no working tree",
                       BP_ARG(job->path));
    status = write_status(&s);
    git_diff_free(s.staged);
    git_diff_free(s.unstaged);
    git_tree_free(s.head);
    git_index_free(s.index);
    return status;
}

/* diff.c - patches: of the working tree, of the index, of a revision, and git_show. */
#include "git.h"

/* libgit2 asks now and then while it compares. */
static int still_wanted(const git_diff *diff, const char *old_path, const char *new_path,
                        void *payload)
{
    struct git_job *job = payload;

    (void)diff;
    if ((old_path && !depth_is_good(job, old_path)) || (new_path && !depth_is_good(job, new_path)))
        return GIT_EUSER;
    return job_goes_on(job) == BP_OK ? 0 : GIT_EUSER;
}

int64_t context_lines(const struct git_job *job)
{
    int64_t asked = job->wanted->context_lines;

    return asked < 0 ? 0 : asked > CONTEXT_LINES_MAX ? CONTEXT_LINES_MAX : asked;
}

void diff_options(struct git_job *job, git_diff_options *options, int64_t context)
{
    git_diff_options_init(options, GIT_DIFF_OPTIONS_VERSION);
    options->flags = GIT_DIFF_INDENT_HEURISTIC | GIT_DIFF_INCLUDE_TYPECHANGE;
    options->context_lines = (uint32_t)context;
    options->interhunk_lines = 0;
    options->progress_cb = still_wanted;
    options->payload = job;
    options->ignore_submodules = GIT_SUBMODULE_IGNORE_NONE;
    options->max_size = 64 << 20; // larger files are shown as binary ones
}

bool is_left_out(git_index *index, const char *path)
{
    const git_index_entry *entry = index ? git_index_get_bypath(index, path, 0) : NULL;

    return entry && entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE;
}

/* libgit2 does not know sparse checkouts: it takes the files that were left out for deleted. More
 * than 0: not a change. */
static int pass_over_sparse(const git_diff *diff, const git_diff_delta *delta, const char *pathspec,
                            void *payload)
{
    const struct git_job *job = payload;

    (void)diff, (void)pathspec;
    return delta->status == GIT_DELTA_DELETED && is_left_out(job->index, delta->old_file.path);
}

int diff_options_worktree(struct git_job *job, git_diff_options *options)
{
    options->notify_cb = pass_over_sparse;
    options->ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
    return job->index ? 0 : git_repository_index(&job->index, job->repo);
}

int diff_find_renames(git_diff *diff)
{
    git_diff_find_options options;

    git_diff_find_options_init(&options, GIT_DIFF_FIND_OPTIONS_VERSION);
    options.flags = GIT_DIFF_FIND_RENAMES;
    return git_diff_find_similar(diff, &options);
}

struct printing {
    struct git_job *job;
    git_index      *index; /* its conflicts are left to conflicts.c; NULL: there are none */
    int64_t         files, left_out;
    bool            is_begun; /* the patch of this file is printed */
};

static int show_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
                     const git_diff_line *line, void *payload);

static int print_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
                      const git_diff_line *line, void *payload)
{
    struct printing *p = payload;
    bp_buf          *out = p->job->out;

    (void)hunk;
    if (line->origin == GIT_DIFF_LINE_FILE_HDR) {
        if (job_goes_on(p->job) != BP_OK)
            return GIT_EUSER;
        p->is_begun = false;
        if (is_in_conflict(p->index, delta->new_file.path))
            return 0;
        p->is_begun = p->files < p->job->self->diff_files;
        p->files += p->is_begun;
        p->left_out += !p->is_begun;
    }
    if (!p->is_begun)
        return 0;
    if (line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION ||
        line->origin == GIT_DIFF_LINE_DELETION)
        bp_buf_add(out, bp_str_n(&line->origin, 1));
    bp_buf_add(out, bp_str_n(line->content, line->content_len));
    return bp_buf_status(out) == BP_OK ? 0 : GIT_EUSER;
}

/* One of a file's two versions. */
static bool side_has_too_many_lines(struct git_job *job, const git_diff_file *file)
{
    git_blob *blob = NULL;
    bool      is_too_much = false;
    bp_str    text, path;

    if (file->flags & GIT_DIFF_FLAG_VALID_ID && !git_oid_is_zero(&file->id) &&
        git_blob_lookup(&blob, job->repo, &file->id) == 0) {
        is_too_much = has_too_many_lines(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
        git_blob_free(blob);
        return is_too_much;
    }
    job->is_too_large = false; // then it is shown as a binary one
    if (!(file->flags & GIT_DIFF_FLAG_EXISTS) || file->size <= LINES_FREE_BYTES)
        return false;
    path = bp_format(job->call, BP_FMT "/%s", BP_ARG(job->path), file->path);
    if (!path.data || bp_scratch_begin(job->call) != BP_OK)
        return true;
    if (repository_path_check(job, file->path) == BP_OK &&
        repository_read_file(job, path.data, OBJECT_BYTES_MAX, &text) == BP_OK)
        is_too_much = has_too_many_lines(text.data, text.len);
    bp_scratch_end(job->call);
    bp_clear_error(job->call);
    return is_too_much;
}

/* libgit2 compares two files in one piece, in a time that for many short lines grows nearly with
 * the square: nobody could end it. Such files are named instead. */
static bool is_compared(struct git_job *job, const git_diff_delta *delta)
{
    return delta->status == GIT_DELTA_ADDED || delta->status == GIT_DELTA_DELETED ||
           git_oid_equal(&delta->old_file.id, &delta->new_file.id) ||
           (!side_has_too_many_lines(job, &delta->old_file) &&
            !side_has_too_many_lines(job, &delta->new_file));
}

static int print_each(struct printing *p, git_diff *diff, git_diff_line_cb print)
{
    struct git_job *job = p->job;

    for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
        const git_diff_delta *delta = git_diff_get_delta(diff, i);
        git_patch            *patch = NULL;
        int                   code;

        if (job_goes_on(job) != BP_OK)
            return GIT_EUSER;
        if (is_in_conflict(p->index, delta->new_file.path))
            continue;
        if (p->files >= job->self->diff_files) {
            p->left_out++;
            continue;
        }
        if (!is_compared(job, delta)) {
            p->files++;
            bp_buf_add(job->out,
                       bp_format(job->call,
                                 "%s%s has more than %d lines and is not compared line by line\n",
                                 print == show_line ? "\n" : "",
                                 path_quoted(job->call, delta->new_file.path).data, LINES_MAX));
            continue;
        }
        code = git_patch_from_diff(&patch, diff, i);
        if (code == 0 && patch)
            code = git_patch_print(patch, print, p);
        git_patch_free(patch);
        if (code != 0)
            return code;
    }
    return 0;
}

static bp_status print_failed(struct git_job *job, int code)
{
    if (bp_buf_status(job->out) != BP_OK)
        return bp_fail(job->call, bp_buf_status(job->out),
                       "the diff is larger than %lld bytes: ask for less",
                       (long long)job->self->output_bytes);
    return job_fail(job, code, "the diff cannot be made");
}

bp_status diff_print(struct git_job *job, git_diff *diff, enum conflicts conflicts,
                     int64_t *left_out)
{
    struct printing p = { .job = job };
    int             code = diff_find_renames(diff);

    if (code == 0 && conflicts != CONFLICTS_NONE)
        code = git_repository_index(&p.index, job->repo);
    if (code == 0)
        code = print_each(&p, diff, print_line);
    git_index_free(p.index);
    *left_out = p.left_out;
    return code == 0 ? BP_OK : print_failed(job, code);
}

/* Without the line feed at its end, as the reference takes it from git. */
static bp_status finish(struct git_job *job, git_diff *diff, int code, enum conflicts conflicts)
{
    int64_t   left_out = 0;
    bp_status status = code == 0 ? diff_print(job, diff, conflicts, &left_out)
                                 : job_fail(job, code, "the diff cannot be made");
    bp_str    text;

    git_diff_free(diff);
    if (status == BP_OK && conflicts != CONFLICTS_NONE)
        status = conflicts_print(job, conflicts == CONFLICTS_COMBINED);
    BP_TRY(status);
    if (left_out) {
        bp_buf_addf(job->out, "... %lld more files are not shown, beyond the first %lld",
                    (long long)left_out, (long long)job->self->diff_files);
        return BP_OK;
    }
    text = bp_buf_str(job->out);
    // The one behind the heading stays.
    if (text.len && text.data[text.len - 1] == '\n' &&
        strchr(text.data, '\n') != text.data + text.len - 1) {
        text = bp_dup(job->call, bp_str_n(text.data, text.len - 1));
        bp_buf_reset(job->out);
        bp_buf_add(job->out, text);
    }
    return BP_OK;
}

bp_status diff_unstaged_text(struct git_job *job)
{
    git_diff_options options;
    git_diff        *diff = NULL;
    int              code;

    diff_options(job, &options, context_lines(job));
    bp_buf_add(job->out, bp_str_of("Unstaged changes:\n"));
    code = diff_options_worktree(job, &options);
    if (code == 0)
        code = git_diff_index_to_workdir(&diff, job->repo, NULL, &options);
    return finish(job, diff, code, CONFLICTS_COMBINED);
}

bp_status diff_staged_text(struct git_job *job)
{
    git_diff_options options;
    git_tree        *head = job_head_tree(job); // NULL: everything in the index is new
    git_diff        *diff = NULL;
    int              code;

    diff_options(job, &options, context_lines(job));
    bp_buf_add(job->out, bp_str_of("Staged changes:\n"));
    code = git_diff_tree_to_index(&diff, job->repo, head, NULL, &options);
    git_tree_free(head);
    return finish(job, diff, code, CONFLICTS_NAMED);
}

static bp_status tree_of(struct git_job *job, const char *revision, git_tree **tree)
{
    git_object *object = NULL;
    int         code;

    BP_TRY(job_revision(job, revision, &object));
    code = git_object_peel((git_object **)tree, object, GIT_OBJECT_TREE);
    git_object_free(object);
    return code == 0 ? BP_OK : job_fail(job, code, revision);
}

/* "a..b" and "a...b" compare two revisions; one alone is compared with the working tree. */
bp_status diff_target_text(struct git_job *job)
{
    git_diff_options options;
    git_revspec      range = { NULL, NULL, 0 };
    const char      *target;
    git_tree        *from = NULL, *to = NULL;
    git_diff        *diff = NULL;
    enum conflicts   conflicts = CONFLICTS_NONE;
    int              code = 0;

    BP_TRY(job_text(job, job->wanted->target, "target", &target));
    if (!target)
        return bp_fail(job->call, BP_INVALID, "target is empty: name a branch, a tag or a commit");
    diff_options(job, &options, context_lines(job));
    bp_buf_add(job->out, bp_format(job->call, "Diff with %s:\n", target));
    if (strstr(target, "..") && git_revparse(&range, job->repo, target) == 0 &&
        range.flags & GIT_REVSPEC_RANGE) {
        git_oid base;

        code = job_spare_index(job) == BP_OK ? 0 : GIT_EUSER;
        if (code == 0 && range.flags & GIT_REVSPEC_MERGE_BASE) {
            bp_status status = commits_merge_base(job, git_object_id(range.from),
                                                  git_object_id(range.to), &base);

            git_object_free(range.from);
            range.from = NULL;
            if (status != BP_OK) {
                git_object_free(range.to);
                return status;
            }
            code = git_object_lookup(&range.from, job->repo, &base, GIT_OBJECT_COMMIT);
        }
        if (code == 0)
            code = git_object_peel((git_object **)&from, range.from, GIT_OBJECT_TREE);
        if (code == 0)
            code = git_object_peel((git_object **)&to, range.to, GIT_OBJECT_TREE);
        if (code == 0)
            code = git_diff_tree_to_tree(&diff, job->repo, from, to, &options);
    } else {
        BP_TRY(tree_of(job, target, &from));
        code = diff_options_worktree(job, &options);
        if (code == 0)
            code = git_diff_tree_to_workdir_with_index(&diff, job->repo, from, &options);
        conflicts = CONFLICTS_COMBINED;
    }
    git_object_free(range.from);
    git_object_free(range.to);
    git_tree_free(from);
    git_tree_free(to);
    return finish(job, diff, code, conflicts);
}

/* ---- git_show ---- */

static bp_status show_tree(struct git_job *job, const git_tree *tree)
{
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

        bp_buf_add(job->out, bp_str_of(i ? "\n" : ""));
        bp_buf_add(job->out, bp_str_of(git_tree_entry_name(entry)));
        bp_buf_add(job->out, bp_str_of(git_tree_entry_type(entry) == GIT_OBJECT_TREE ? "/" : ""));
    }
    return BP_OK;
}

static bp_status show_blob(struct git_job *job, const git_blob *blob)
{
    bp_buf_add(job->out, bp_str_n(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob)));
    return BP_OK;
}

/* Two lines of names for each file, then its hunks: the form of the reference, not that of git. */
static int show_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
                     const git_diff_line *line, void *payload)
{
    struct printing *p = payload;
    bp_buf          *out = p->job->out;

    if (line->origin == GIT_DIFF_LINE_FILE_HDR) {
        if (p->files < p->job->self->diff_files) {
            bp_buf_add(out, bp_str_of("\n--- "));
            bp_buf_add(out, bp_str_of(delta->status == GIT_DELTA_ADDED ? "/dev/null" : "a/"));
            bp_buf_add(out,
                       bp_str_of(delta->status == GIT_DELTA_ADDED ? "" : delta->old_file.path));
            bp_buf_add(out, bp_str_of("\n+++ "));
            bp_buf_add(out, bp_str_of(delta->status == GIT_DELTA_DELETED ? "/dev/null" : "b/"));
            bp_buf_add(out,
                       bp_str_of(delta->status == GIT_DELTA_DELETED ? "" : delta->new_file.path));
            bp_buf_add(out, bp_str_of("\n"));
            p->is_begun = true;
            p->files++;
        } else {
            p->is_begun = false;
            p->left_out++;
        }
        return job_goes_on(p->job) == BP_OK ? 0 : GIT_EUSER;
    }
    return print_line(delta, hunk, line, payload);
}

static bp_status show_changes(struct git_job *job, git_commit *commit)
{
    git_diff_options options;
    git_commit      *parent = NULL;
    git_tree        *from = NULL, *to = NULL;
    git_diff        *diff = NULL;
    struct printing  p = { .job = job };
    int              code = git_commit_tree(&to, commit);

    diff_options(job, &options, 3);
    if (code == 0)
        code = commit_first_parent(job, commit, &parent);
    if (code == 0 && parent)
        code = git_commit_tree(&from, parent);
    if (code == 0)
        code = git_diff_tree_to_tree(&diff, job->repo, from, to, &options);
    if (code == 0)
        code = diff_find_renames(diff);
    if (code == 0)
        code = print_each(&p, diff, show_line);
    git_diff_free(diff);
    git_tree_free(from);
    git_tree_free(to);
    git_commit_free(parent);
    if (code == 0 && commit_is_end(job, git_commit_id(commit)))
        bp_buf_add(job->out, bp_str_of("\n... this is the end of a shallow clone: every file shows "
                                       "as new\n"));
    if (p.left_out && code == 0)
        bp_buf_addf(job->out, "\n... %lld more files are not shown, beyond the first %lld\n",
                    (long long)p.left_out, (long long)job->self->diff_files);
    return code == 0 ? BP_OK : print_failed(job, code);
}

static bp_status show_commit(struct git_job *job, git_commit *commit)
{
    const git_signature *author = git_commit_author(commit);
    const char          *message = git_commit_message(commit);
    size_t               len = strlen(message);
    char                 date[40];

    date_format(&author->when, true, date);
    bp_buf_addf(job->out, "commit %s\nAuthor: ", git_oid_tostr_s(git_commit_id(commit)));
    bp_buf_add(job->out,
               bp_format(job->call, "%s <%s>\nDate:   %s\n\n", author->name, author->email, date));
    while (len && message[len - 1] == '\n')
        len--;
    for (size_t at = 0; at <= len;) {
        const char *end = memchr(message + at, '\n', len - at);
        size_t      line = end ? (size_t)(end - message) - at : len - at;

        bp_buf_add(job->out, bp_str_of("    "));
        bp_buf_add(job->out, bp_str_n(message + at, line));
        bp_buf_add(job->out, bp_str_of("\n"));
        at += line + 1;
    }
    return show_changes(job, commit);
}

bp_status show_text(struct git_job *job)
{
    const char *revision;
    git_object *object = NULL, *commit = NULL;
    bp_status   status;
    int         code;

    BP_TRY(job_text(job, job->wanted->revision, "revision", &revision));
    if (!revision)
        return bp_fail(job->call, BP_INVALID,
                       "revision is empty: name a commit, or a file as <revision>:<path>");
    BP_TRY(job_spare_index(job));
    BP_TRY(job_revision(job, revision, &object));
    if (git_object_type(object) == GIT_OBJECT_BLOB) {
        status = show_blob(job, (const git_blob *)object);
    } else if (git_object_type(object) == GIT_OBJECT_TREE) {
        status = show_tree(job, (const git_tree *)object);
    } else {
        code = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
        status = code == 0 ? show_commit(job, (git_commit *)commit) : job_fail(job, code, revision);
    }
    git_object_free(commit);
    git_object_free(object);
    return status;
}

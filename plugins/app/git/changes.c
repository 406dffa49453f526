/* changes.c - the tools that change a repository: add, commit, reset, create a branch, check out.
 * No hooks are run. */
#include "git.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- git_add ---- */

static bool in_index(git_index *index, const char *path)
{
    size_t len = strlen(path), at;

    while (len > 1 && path[len - 1] == '/')
        len--;
    if (git_index_find_prefix(&at, index, path) != 0)
        return false;
    for (; at < git_index_entrycount(index); at++) {
        const char *found = git_index_get_byindex(index, at)->path;

        if (strncmp(found, path, len) != 0)
            return false;
        if (found[len] == '\0' || found[len] == '/')
            return true;
    }
    return false;
}

/* A pathspec as libgit2 wants it, relative to the working tree; checked that it stays there and
 * names something. */
static bp_status read_pathspec(struct git_job *job, git_index *index, bp_str text, char **spec)
{
    struct stat st;
    const char *path;
    bp_str      whole;

    if (!text.len || memchr(text.data, '\0', text.len))
        return bp_fail(job->call, BP_INVALID, "Invalid path: '" BP_FMT "'", BP_ARG(text));
    path = bp_dup(job->call, text).data;
    if (!path)
        return BP_NO_MEMORY;
    BP_TRY(repository_path_check(job, path));
    if (path[0] == '/') {
        path += path_is_beneath(bp_str_of(path), job->path) ? job->path.len : 0;
        while (*path == '/')
            path++;
    }
    while (path[0] == '.' && path[1] == '/')
        for (path += 2; *path == '/';)
            path++;
    if (strcmp(path, ".") == 0 || !*path)
        path = "*";
    else if (strstr(path, ".."))
        return bp_fail(job->call, BP_INVALID, "Invalid path: '%s': write it without '..'", path);
    whole = bp_format(job->call, BP_FMT "/%s", BP_ARG(job->path), path);
    if (!strpbrk(path, "*?[") && lstat(whole.data, &st) != 0 && !in_index(index, path))
        return bp_fail(job->call, BP_NOT_FOUND, "pathspec '%s' did not match any files", path);
    *spec = (char *)(uintptr_t)path;
    return BP_OK;
}

/* Takes one difference between index and working tree over into the index. A repository within the
 * working tree, a submodule or not, is left alone. */
static int stage(git_index *index, const git_diff_delta *delta, size_t *changed)
{
    const char *path = delta->new_file.path;
    size_t      len = strlen(path);
    int         code;

    if (len == 0 || path[len - 1] == '/' || delta->new_file.mode == GIT_FILEMODE_COMMIT ||
        delta->new_file.mode == GIT_FILEMODE_TREE || delta->status == GIT_DELTA_UNREADABLE)
        return 0;
    code = delta->status == GIT_DELTA_DELETED ? git_index_remove_bypath(index, path)
                                              : git_index_add_bypath(index, path);
    if (code == GIT_ENOTFOUND &&
        delta->status == GIT_DELTA_CONFLICTED) // solved by deleting the file
        code = git_index_remove_bypath(index, path);
    *changed += code == 0;
    return code;
}

/* git_index_add_all() of libgit2 would do, but it opens submodules, and loses 20 KiB for each line
 * of .gitmodules. */
static bp_status stage_all(struct git_job *job, git_index *index, const git_strarray *specs,
                           size_t *changed)
{
    git_diff_options options;
    git_diff        *diff = NULL;
    bp_status        status = BP_OK;
    int              code;

    diff_options(job, &options, 0);
    options.flags |= GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS;
    options.pathspec = *specs;
    code = diff_options_worktree(job, &options);
    if (code == 0)
        code = git_diff_index_to_workdir(&diff, job->repo, index, &options);
    for (size_t i = 0; code == 0 && status == BP_OK && i < git_diff_num_deltas(diff); i++) {
        const git_diff_delta *delta = git_diff_get_delta(diff, i);

        status = job_goes_on(job);
        if (status == BP_OK && delta->new_file.size > OBJECT_BYTES_MAX)
            status = bp_fail(job->call, BP_TOO_LARGE,
                             "'%s' is larger than %d MiB: stage it with git itself",
                             delta->new_file.path, OBJECT_BYTES_MAX >> 20);
        if (status == BP_OK)
            code = stage(index, delta, changed);
    }
    git_diff_free(diff);
    if (code == 0 && status == BP_OK && *changed)
        code = git_index_write(index);
    return code == 0 ? status : job_fail(job, code, "the files cannot be staged");
}

static bp_status add_specs(struct git_job *job, git_index *index, const bp_json *files)
{
    size_t       count = bp_json_count(files), changed = 0;
    git_strarray specs = { BP_NEW_ARRAY(job->call, char *, count), 0 };

    if (!specs.strings)
        return BP_NO_MEMORY;
    for (; specs.count < count; specs.count++)
        BP_TRY(read_pathspec(job, index, bp_json_string(bp_json_at(files, specs.count)),
                             &specs.strings[specs.count]));
    BP_TRY(stage_all(job, index, &specs, &changed));
    bp_buf_add(job->out,
               bp_str_of(changed ? "Files staged successfully"
                                 : "No changes were staged: the given paths had nothing new to "
                                   "stage. git_status shows what is modified or untracked."));
    return BP_OK;
}

bp_status add_text(struct git_job *job)
{
    const bp_json *files = job->wanted->files;
    git_index     *index = NULL;
    bp_status      status;
    int            code;

    if (!bp_json_count(files))
        return bp_fail(job->call, BP_INVALID,
                       "No files provided to stage. Pass one or more paths, or ['.'] to stage "
                       "everything.");
    code = git_repository_index(&index, job->repo);
    if (code != 0)
        return job_fail(job, code, "the index cannot be read");
    status = add_specs(job, index, files);
    git_index_free(index);
    return status;
}

/* ---- what an operation under way has written down ---- */

/* As git does it after a commit and a reset. git_repository_state_cleanup() also takes a rebase
 * away, half done. */
static void forget_merge(struct git_job *job)
{
    static const char *const names[] = { "MERGE_HEAD",       "MERGE_MSG",   "MERGE_MODE",
                                         "CHERRY_PICK_HEAD", "REVERT_HEAD", "SQUASH_MSG",
                                         "AUTO_MERGE" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bp_str path = bp_format(job->call, "%s%s", git_repository_path(job->repo), names[i]);

        if (path.data)
            unlink(path.data);
    }
}

/* ---- git_commit ---- */

enum { PARENTS_MAX = 64 };

struct commit {
    git_index     *index;
    git_tree      *tree, *head_tree;
    git_signature *author;
    git_commit    *parents[PARENTS_MAX];
    size_t         parent_count;
};

struct merge_heads {
    struct git_job *job;
    struct commit  *made;
};

static int add_merge_head(const git_oid *id, void *payload)
{
    struct merge_heads *heads = payload;
    struct commit      *made = heads->made;
    int                 code;

    if (made->parent_count == PARENTS_MAX)
        return GIT_EUSER;
    code = git_commit_lookup(&made->parents[made->parent_count], heads->job->repo, id);
    made->parent_count += code == 0;
    return code;
}

static bp_status find_parents(struct git_job *job, struct commit *made)
{
    struct merge_heads heads = { job, made };
    git_oid            head;
    int                code = git_reference_name_to_id(&head, job->repo, "HEAD");

    if (code == 0) {
        code = git_commit_lookup(&made->parents[0], job->repo, &head);
        made->parent_count += code == 0;
        if (code == 0)
            code = git_commit_tree(&made->head_tree, made->parents[0]);
    } else if (code == GIT_ENOTFOUND) {
        code = 0; // the first commit
    }
    if (code == 0 && git_repository_state(job->repo) == GIT_REPOSITORY_STATE_MERGE)
        code = git_repository_mergehead_foreach(job->repo, add_merge_head, &heads);
    return code == 0 ? BP_OK : job_fail(job, code, "the parents of the commit cannot be found");
}

static bp_status make_commit(struct git_job *job, struct commit *made, const char *message)
{
    const char *name = bp_dup(job->call, job->self->author_name).data;
    const char *email = bp_dup(job->call, job->self->author_email).data;
    git_oid     tree, id;
    int         code = git_repository_index(&made->index, job->repo);

    if (code == 0 && git_index_has_conflicts(made->index))
        return bp_fail(job->call, BP_CONFLICT,
                       "the index has conflicts: mend the files and stage them by git_add first");
    if (code == 0)
        code = git_index_write_tree(&tree, made->index);
    if (code != 0)
        return job_fail(job, code, "the staged changes cannot be written");
    BP_TRY(find_parents(job, made));
    if (made->parent_count < 2 &&
        (made->head_tree ? git_oid_equal(&tree, git_tree_id(made->head_tree))
                         : git_index_entrycount(made->index) == 0))
        return bp_fail(job->call, BP_CONFLICT,
                       "No changes staged for commit. Use git_add to stage changes first; "
                       "git_status shows what is currently staged.");
    code = git_tree_lookup(&made->tree, job->repo, &tree);
    if (code == 0)
        code = git_signature_now(&made->author, name ? name : "", email ? email : "");
    if (code == 0)
        code = git_commit_create(&id, job->repo, "HEAD", made->author, made->author, "UTF-8",
                                 message, made->tree, made->parent_count,
                                 (const git_commit **)made->parents);
    if (code != 0)
        return job_fail(job, code, "the commit cannot be made");
    forget_merge(job);
    bp_buf_addf(job->out, "Changes committed successfully with hash %s", git_oid_tostr_s(&id));
    return BP_OK;
}

bp_status commit_text(struct git_job *job)
{
    bp_str        message = job->wanted->message;
    struct commit made = { .parent_count = 0 };
    bp_status     status;

    if (memchr(message.data ? message.data : "", '\0', message.len))
        return bp_fail(job->call, BP_INVALID, "the message has a NUL character");
    message = bp_dup(job->call, message);
    status = message.data ? make_commit(job, &made, message.data) : BP_NO_MEMORY;
    for (size_t i = 0; i < made.parent_count; i++)
        git_commit_free(made.parents[i]);
    git_signature_free(made.author);
    git_tree_free(made.tree);
    git_tree_free(made.head_tree);
    git_index_free(made.index);
    return status;
}

/* ---- git_reset ---- */

static int look_at_entry(const char *folder, const git_tree_entry *entry, void *payload)
{
    struct git_job *job = payload;

    if (!depth_is_good(job, folder) || job_goes_on(job) != BP_OK)
        return -1;
    return git_tree_entry_type(entry) == GIT_OBJECT_TREE ? 0 : 1; // 1: no more of it
}

/* Before libgit2 takes in a whole tree: that its paths are not without end. */
static int look_at_tree(struct git_job *job, const git_tree *tree)
{
    int code = git_tree_walk(tree, GIT_TREEWALK_PRE, look_at_entry, job);

    return code < 0 ? code : 0;
}

bp_status reset_text(struct git_job *job)
{
    git_tree  *tree = job_head_tree(job);
    git_index *index = NULL;
    int        code = git_repository_index(&index, job->repo);

    if (code == 0 && tree)
        code = look_at_tree(job, tree);
    if (code == 0)
        code = tree ? git_index_read_tree(index, tree) : git_index_clear(index);
    if (code == 0)
        code = git_index_write(index);
    git_tree_free(tree);
    git_index_free(index);
    if (code != 0)
        return job_fail(job, code, "the index cannot be reset");
    forget_merge(job); // else the next commit would be a merge of the commits that were reset
    bp_buf_add(job->out, bp_str_of("All staged changes reset"));
    return BP_OK;
}

/* ---- branches ---- */

/* The branch or tag that a new branch begins at; NULL for `name` is HEAD's branch. */
static bp_status find_base(struct git_job *job, const char *name, git_reference **base)
{
    int code;

    if (!name) {
        if (git_repository_head_detached(job->repo) == 1)
            return bp_fail(job->call, BP_CONFLICT,
                           "HEAD is detached, so there is no current branch to branch from; pass "
                           "base_branch");
        code = git_repository_head(base, job->repo);
        return code == 0 ? BP_OK : job_fail(job, code, "there is no commit to branch from");
    }
    code = git_reference_dwim(base, job->repo, name);
    if (code == GIT_ENOTFOUND || code == GIT_EINVALIDSPEC)
        return bp_fail(job->call, BP_NOT_FOUND, "there is no branch or tag '%s'", name);
    return code == 0 ? BP_OK : job_fail(job, code, name);
}

/* git keeps branches in files: beside `feature` there is no place for `feature/x`. The one that is
 * in the way. */
static bp_str branch_in_the_way(struct git_job *job, const char *name)
{
    bp_str               found = { NULL, 0 }, own = bp_format(job->call, "refs/heads/%s", name);
    git_reference       *reference = NULL;
    git_branch_iterator *walk = NULL;
    git_branch_t         kind;

    if (!own.data || git_branch_iterator_new(&walk, job->repo, GIT_BRANCH_LOCAL) != 0)
        return found;
    while (!found.data && git_branch_next(&reference, &kind, walk) == 0) {
        bp_str other = bp_str_of(git_reference_name(reference));

        if ((other.len > own.len && other.data[own.len] == '/' &&
             memcmp(other.data, own.data, own.len) == 0) ||
            (own.len > other.len && own.data[other.len] == '/' &&
             memcmp(other.data, own.data, other.len) == 0))
            found = bp_dup(job->call, bp_str_of(git_reference_shorthand(reference)));
        git_reference_free(reference);
    }
    git_branch_iterator_free(walk);
    return found;
}

static bp_status create_from(struct git_job *job, const char *name, git_reference *base)
{
    git_object    *commit = NULL;
    git_reference *made = NULL;
    int            is_valid = 0, code;
    bp_str         other;

    if (git_branch_name_is_valid(&is_valid, name) != 0 || !is_valid)
        return bp_fail(job->call, BP_INVALID, "'%s' is not a valid branch name", name);
    other = branch_in_the_way(job, name);
    if (other.data)
        return bp_fail(job->call, BP_CONFLICT,
                       "Cannot create branch '%s': the branch '" BP_FMT
                       "' is there, and git cannot have both, as one would be a folder of the "
                       "other: choose another name",
                       name, BP_ARG(other));
    code = git_reference_peel(&commit, base, GIT_OBJECT_COMMIT);
    if (code == 0)
        code = git_branch_create(&made, job->repo, name, (git_commit *)commit, 0);
    git_object_free(commit);
    git_reference_free(made);
    if (code == GIT_EEXISTS)
        return bp_fail(job->call, BP_CONFLICT,
                       "Cannot create branch '%s': refs/heads/%s already exists", name, name);
    if (code != 0)
        return job_fail(job, code, "the branch cannot be created");
    bp_buf_add(job->out, bp_format(job->call, "Created branch '%s' from '%s'", name,
                                   git_reference_shorthand(base)));
    return BP_OK;
}

bp_status create_branch_text(struct git_job *job)
{
    const char    *name, *base_name;
    git_reference *base = NULL;
    bp_status      status;

    BP_TRY(job_text(job, job->wanted->branch_name, "branch name", &name));
    BP_TRY(job_text(job, job->wanted->base_branch, "base branch", &base_name));
    if (!name)
        return bp_fail(job->call, BP_INVALID, "branch_name is empty");
    BP_TRY(find_base(job, base_name, &base));
    status = create_from(job, name, base);
    git_reference_free(base);
    return status;
}

static int still_wanted(git_checkout_notify_t why, const char *path, const git_diff_file *baseline,
                        const git_diff_file *target, const git_diff_file *workdir, void *payload)
{
    struct git_job *job = payload;

    (void)baseline, (void)target, (void)workdir;
    if (path && !depth_is_good(job, path))
        return GIT_EUSER;
    if (why == GIT_CHECKOUT_NOTIFY_CONFLICT) {
        bp_fail(job->call, BP_CONFLICT,
                "Your local changes to '%s' would be overwritten by checkout: commit them first",
                path);
        return GIT_ECONFLICT;
    }
    return job_goes_on(job) == BP_OK ? 0 : GIT_EUSER;
}

/* By hand, since libgit2 1.5 writes the commit before as the one after into the reflog. That tells
 * the name of a tag or remote branch; any other revision means something else tomorrow. */
static int detach(struct git_job *job, const char *name, const git_oid *commit)
{
    git_reference *head = NULL, *named = NULL, *made = NULL;
    const char    *from = "HEAD", *to = name;
    bp_str         message;
    int            code = git_reference_lookup(&head, job->repo, "HEAD");

    if (code != 0)
        return code;
    if (git_reference_type(head) == GIT_REFERENCE_SYMBOLIC)
        from = strncmp(git_reference_symbolic_target(head), "refs/heads/", 11) == 0
                   ? git_reference_symbolic_target(head) + 11
                   : git_reference_symbolic_target(head);
    else
        from = bp_dup(job->call, bp_str_of(git_oid_tostr_s(git_reference_target(head)))).data;
    if (strncmp(name, "HEAD", 4) == 0 || git_reference_dwim(&named, job->repo, name) != 0)
        to = git_oid_tostr_s(commit);
    message = bp_format(job->call, "checkout: moving from %s to %s", from ? from : "HEAD", to);
    code = git_reference_create(&made, job->repo, "HEAD", commit, 1, message.data);
    git_reference_free(made);
    git_reference_free(named);
    git_reference_free(head);
    return code;
}

/* The files first, then HEAD: what fails half-way leaves HEAD where it was. */
static bp_status check_out(struct git_job *job, const char *name, git_object *commit)
{
    git_checkout_options options;
    git_reference       *branch = NULL;
    git_object          *tree = NULL;
    git_index           *index = NULL;
    int                  code;

    git_checkout_options_init(&options, GIT_CHECKOUT_OPTIONS_VERSION);
    options.checkout_strategy = GIT_CHECKOUT_SAFE;
    options.notify_flags = GIT_CHECKOUT_NOTIFY_CONFLICT | GIT_CHECKOUT_NOTIFY_UPDATED;
    options.notify_cb = still_wanted;
    options.notify_payload = job;
    code = git_repository_index(&index, job->repo); // first: a checkout that finds it unreadable
                                                    // loses memory
    git_index_free(index);
    if (code == 0)
        code = git_object_peel(&tree, commit, GIT_OBJECT_TREE);
    if (code == 0)
        code = look_at_tree(job, (git_tree *)tree);
    git_object_free(tree);
    if (code == 0)
        code = git_checkout_tree(job->repo, commit, &options);
    if (code == GIT_ECONFLICT && bp_error_of(job->call)->status == BP_CONFLICT)
        return BP_CONFLICT;
    if (code != 0)
        return job_fail(job, code, "the files cannot be checked out");
    if (git_branch_lookup(&branch, job->repo, name, GIT_BRANCH_LOCAL) == 0) {
        code = git_repository_set_head(job->repo, git_reference_name(branch));
        bp_buf_add(job->out, bp_format(job->call, "Switched to branch '%s'",
                                       git_reference_shorthand(branch)));
        git_reference_free(branch);
    } else {
        code = detach(job, name, git_object_id(commit));
        bp_buf_addf(job->out, "HEAD is now detached at %.7s",
                    git_oid_tostr_s(git_object_id(commit)));
    }
    return code == 0 ? BP_OK : job_fail(job, code, "HEAD cannot be moved");
}

bp_status checkout_text(struct git_job *job)
{
    const char *name;
    git_object *object = NULL, *commit = NULL;
    bp_status   status;
    int         code;

    BP_TRY(job_text(job, job->wanted->branch_name, "branch name", &name));
    if (!name)
        return bp_fail(job->call, BP_INVALID, "branch_name is empty");
    BP_TRY(job_revision(job, name, &object));
    code = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    status = code == 0 ? check_out(job, name, commit) : job_fail(job, code, name);
    git_object_free(commit);
    git_object_free(object);
    return status;
}

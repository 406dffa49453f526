/* repository.c - opens a repository that an attacker may have prepared to escape from the root.
 *
 * git's own files can lead anywhere: .git may be a link or a file that names another place,
 * `commondir` and `objects/info/alternates` name places, core.worktree moves the working tree,
 * include.path reads any file, and any of git's files may be a FIFO on which a reader hangs. So
 * before libgit2 sees the repository
 *   - the path, the git directory, the common directory and the alternates must resolve beneath one
 * of the roots;
 *   - everything in the git directory must be a directory, a regular file or a link that stays
 * beneath the root;
 *   - its config files must be regular, small and without include sections;
 * and after libgit2 opened it the working tree must be the path that was asked for, and the config
 * is taken away: from then on libgit2 sees an empty one (of the real one, only which branch follows
 * which is remembered). libgit2 runs no hooks, filters, pagers, helpers or textconv by itself, and
 * has no transport to use here.
 *
 * What stands beneath a root can be changed by others while it is looked at; who can do that on
 * this machine can read the files without us.
 */
#include "git.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <git2/sys/repository.h>

enum {
    CONFIG_BYTES_MAX = 1 << 20,
    WALK_DEPTH_MAX = 128,
    WALK_ENTRIES_MAX = 4000000,
    ALTERNATES_DEPTH_MAX = 5
};

bool path_is_beneath(bp_str path, bp_str root)
{
    while (root.len > 1 && root.data[root.len - 1] == '/')
        root.len--;
    if (path.len < root.len || memcmp(path.data, root.data, root.len) != 0)
        return false;
    return path.len == root.len || path.data[root.len] == '/' || root.data[root.len - 1] == '/';
}

/* As realpath(3), in the call's memory; empty, with errno, when it cannot be resolved. */
static bp_str resolve(bp_call *call, const char *path)
{
    char  *real = realpath(path, NULL);
    bp_str out = { NULL, 0 };

    if (real)
        out = bp_dup(call, bp_str_of(real));
    free(real);
    return out;
}

/* Relative ones start at the working directory of the process. */
bp_status repository_roots_resolve(bp_call *call, const struct git *self, struct git_shared *shared)
{
    struct stat st;

    shared->roots = calloc(self->repositories.count, sizeof(*shared->roots));
    if (!shared->roots)
        return bp_fail(call, BP_NO_MEMORY, "there is not enough memory");
    for (; shared->root_count < self->repositories.count; shared->root_count++) {
        bp_str root = bp_dup(call, self->repositories.items[shared->root_count]);
        char  *real = root.len ? realpath(root.data, NULL) : NULL;

        if (!real || stat(real, &st) != 0 || !S_ISDIR(st.st_mode)) {
            free(real);
            return bp_fail(call, BP_INVALID,
                           "repositories: \"" BP_FMT "\" is not a folder that can be read",
                           BP_ARG(root));
        }
        shared->roots[shared->root_count] = real;
    }
    return BP_OK;
}

static bp_status refuse(struct git_job *job, const char *why)
{
    return bp_fail(job->call, BP_DENIED, "the repository '" BP_FMT "' is not opened: %s",
                   BP_ARG(job->path), why);
}

/* ---- which root ---- */

static bp_status refuse_outside(struct git_job *job, bp_str path)
{
    return bp_fail(job->call, BP_DENIED,
                   "Repository path '" BP_FMT "' is outside the allowed repository '" BP_FMT "'",
                   BP_ARG(path), BP_ARG(bp_str_of(job->self->shared->roots[0])));
}

/* Sets path and root. Of what lies outside nothing is said, not even whether it exists. A relative
 * path starts at the first root. */
static bp_status find_root(struct git_job *job, bp_str asked)
{
    const struct git_shared *shared = job->self->shared;
    bp_str                   whole;
    bool                     could_be = false;

    if (memchr(asked.data ? asked.data : "", '\0', asked.len))
        return bp_fail(job->call, BP_INVALID, "repo_path has a NUL character");
    whole = asked.len && asked.data[0] == '/'
                ? bp_dup(job->call, asked)
                : bp_format(job->call, "%s/" BP_FMT, shared->roots[0], BP_ARG(asked));
    if (!whole.data)
        return BP_NO_MEMORY;
    job->path = resolve(job->call, whole.data);
    for (size_t i = 0; i < shared->root_count; i++) {
        bp_str root = bp_str_of(shared->roots[i]);

        could_be |= path_is_beneath(whole, root) && !strstr(whole.data, "..");
        if (!job->path.len || !path_is_beneath(job->path, root))
            continue;
        job->root = root;
        return BP_OK;
    }
    if (!job->path.len && could_be)
        return bp_fail(job->call, BP_NOT_FOUND, "there is no repository at '" BP_FMT "'",
                       BP_ARG(whole));
    return refuse_outside(job, asked.len ? asked : whole);
}

/* ---- small files ---- */

bp_status repository_read_file(struct git_job *job, const char *path, size_t max_bytes,
                               bp_str *text)
{
    int         file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    char       *bytes;
    ssize_t     got = 0;
    size_t      len = 0;

    *text = bp_str_of("");
    if (file < 0)
        return errno == ENOENT || errno == ENOTDIR ? BP_NOT_FOUND
                                                   : refuse(job, "one of its files cannot be read");
    if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max_bytes) {
        close(file);
        return refuse(job, "one of git's own files is not a regular file, or far too large");
    }
    bytes = bp_alloc(job->call, (size_t)st.st_size + 1);
    while (bytes && len < (size_t)st.st_size &&
           (got = read(file, bytes + len, (size_t)st.st_size - len)) > 0)
        len += (size_t)got;
    close(file);
    *text = (bp_str){ bytes, len };
    return !bytes ? BP_NO_MEMORY : got < 0 ? refuse(job, "one of its files cannot be read") : BP_OK;
}

/* The place a file names, "PREFIX place\n", seen from `from`. */
static bp_status read_place(struct git_job *job, const char *file, const char *prefix,
                            const char *from, bp_str *place)
{
    bp_str text, joined;

    BP_TRY(repository_read_file(job, file, PATH_MAX + 16, &text));
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    if (!bp_str_starts(text, prefix) || memchr(text.data, '\0', text.len))
        return refuse(job, "one of git's own files names no place");
    text = bp_str_n(text.data + strlen(prefix), text.len - strlen(prefix));
    while (text.len && text.data[0] == ' ')
        text = bp_str_n(text.data + 1, text.len - 1);
    joined = text.len && text.data[0] == '/'
                 ? bp_dup(job->call, text)
                 : bp_format(job->call, "%s/" BP_FMT, from, BP_ARG(text));
    if (!joined.data)
        return BP_NO_MEMORY;
    *place = resolve(job->call, joined.data);
    return BP_OK;
}

/* ---- the git directory ---- */

/* A walk through folders; the path grows and shrinks in one buffer, so that depth costs little
 * stack. */
struct walk {
    struct git_job *job;
    bp_status (*check)(struct git_job *job, const char *path, const char *name, unsigned char type);
    bool   is_worktree; /* its .git is looked at by another walk */
    size_t entries;
    size_t len;
    char   path[PATH_MAX];
};

static bp_status walk_folder(struct walk *w, unsigned depth);

static bp_status walk_entry(struct walk *w, const struct dirent *entry, unsigned depth)
{
    size_t        len = w->len, name_len = strlen(entry->d_name);
    unsigned char type = entry->d_type;
    struct stat   st;
    bp_status     status;

    if (len + 1 + name_len >= sizeof(w->path) || depth > WALK_DEPTH_MAX ||
        ++w->entries > WALK_ENTRIES_MAX)
        return refuse(w->job, "it is nested too deep, or has too many files");
    w->path[len] = '/';
    memcpy(w->path + len + 1, entry->d_name, name_len + 1);
    w->len += 1 + name_len;
    if (type == DT_UNKNOWN && lstat(w->path, &st) == 0)
        type = IFTODT(st.st_mode);
    status = w->entries % 1024 == 0 ? job_goes_on(w->job) : BP_OK;
    if (status == BP_OK)
        status = w->check(w->job, w->path, entry->d_name, type);
    if (status == BP_OK && type == DT_DIR &&
        !(w->is_worktree && depth == 0 && strcmp(entry->d_name, ".git") == 0))
        status = walk_folder(w, depth + 1);
    w->len = len;
    w->path[len] = '\0';
    return status;
}

static bp_status walk_folder(struct walk *w, unsigned depth)
{
    DIR           *folder = opendir(w->path);
    struct dirent *entry;
    bp_status      status = BP_OK;

    if (!folder)
        return errno == ENOENT ? BP_OK : refuse(w->job, "one of its folders cannot be read");
    while (status == BP_OK && (entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = walk_entry(w, entry, depth);
    closedir(folder);
    return status;
}

/* Calls `check` for everything below `path`. */
static bp_status walk(struct git_job *job, bp_str path, bool is_worktree,
                      bp_status (*check)(struct git_job *job, const char *path, const char *name,
                                         unsigned char type))
{
    struct walk *w = BP_NEW(job->call, struct walk);

    if (!w)
        return BP_NO_MEMORY;
    *w = (struct walk){ .job = job, .check = check, .is_worktree = is_worktree, .len = path.len };
    if (path.len >= sizeof(w->path))
        return refuse(job, "its path is too long");
    memcpy(w->path, path.data, path.len + 1);
    return walk_folder(w, 0);
}

static bp_status check_git_file(struct git_job *job, const char *path, const char *name,
                                unsigned char type)
{
    (void)name;
    if (type == DT_REG || type == DT_DIR || type == DT_SOCK ||
        type == DT_UNKNOWN) // a socket cannot be opened
        return BP_OK;
    if (type == DT_LNK) {
        struct stat st;

        if (path_is_beneath(resolve(job->call, path), job->root) && stat(path, &st) == 0 &&
            (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
            return BP_OK;
        return refuse(job, "in its git directory a symbolic link leads out of the root");
    }
    return refuse(job, "in its git directory is something that is no regular file");
}

static bp_status check_tree_file(struct git_job *job, const char *path, const char *name,
                                 unsigned char type)
{
    (void)path;
    if (type == DT_REG || type == DT_DIR)
        return BP_OK;
    if (strcasecmp(name, ".gitignore") == 0 || strcasecmp(name, ".gitattributes") == 0 ||
        strcasecmp(name, ".gitmodules") == 0)
        return refuse(job,
                      "a .gitignore, .gitattributes or .gitmodules in it is not a regular file");
    return BP_OK;
}

static bp_status check_config(struct git_job *job, const char *folder, const char *name)
{
    bp_str    path = bp_format(job->call, "%s/%s", folder, name), text;
    bp_status status = path.data ? repository_read_file(job, path.data, CONFIG_BYTES_MAX, &text)
                                 : BP_NO_MEMORY;

    if (status == BP_NOT_FOUND)
        return BP_OK;
    BP_TRY(status);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '[')
            continue;
        for (i++; i < text.len && (text.data[i] == ' ' || text.data[i] == '\t');)
            i++;
        if (text.len - i >= 7 && strncasecmp(text.data + i, "include", 7) == 0)
            return refuse(job, "its config has an include section, which is not followed here");
    }
    return BP_OK;
}

/* Where else objects are looked for must be beneath the root, and so on from there. */
static bp_status check_alternates(struct git_job *job, const char *objects, unsigned depth)
{
    bp_str    path = bp_format(job->call, "%s/info/alternates", objects), text;
    bp_status status = path.data ? repository_read_file(job, path.data, CONFIG_BYTES_MAX, &text)
                                 : BP_NO_MEMORY;

    if (status == BP_NOT_FOUND)
        return BP_OK;
    BP_TRY(status);
    if (depth > ALTERNATES_DEPTH_MAX)
        return refuse(job, "its alternates are nested too deep");
    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t      len = end ? (size_t)(end - text.data) : text.len;
        bp_str      line = bp_str_n(text.data, len), place;

        text = bp_str_n(text.data + len + (end != NULL), text.len - len - (end != NULL));
        if (!line.len || line.data[0] == '#')
            continue;
        place = line.data[0] == '/' ? bp_dup(job->call, line)
                                    : bp_format(job->call, "%s/" BP_FMT, objects, BP_ARG(line));
        place = place.data ? resolve(job->call, place.data) : place;
        if (!path_is_beneath(place, job->root))
            return refuse(job, "its objects/info/alternates lead out of the root");
        BP_TRY(check_alternates(job, place.data, depth + 1));
    }
    return BP_OK;
}

static bp_status find_git_directory(struct git_job *job, bp_str *directory)
{
    bp_str      dot_git = bp_format(job->call, BP_FMT "/.git", BP_ARG(job->path));
    bp_str      head = bp_format(job->call, BP_FMT "/HEAD", BP_ARG(job->path));
    struct stat st;

    if (!dot_git.data || !head.data)
        return BP_NO_MEMORY;
    if (lstat(dot_git.data, &st) != 0) {
        if (lstat(head.data, &st) != 0)
            return bp_fail(job->call, BP_NOT_FOUND, "'" BP_FMT "' is not a git repository",
                           BP_ARG(job->path));
        *directory = job->path; // a bare one
        return BP_OK;
    }
    if (S_ISREG(st.st_mode))
        BP_TRY(read_place(job, dot_git.data, "gitdir:", job->path.data, directory));
    else
        *directory = resolve(job->call, dot_git.data);
    if (!directory->len || !path_is_beneath(*directory, job->root))
        return refuse(job, "its .git leads out of the root, or nowhere");
    return BP_OK;
}

static bp_status check_git_directory(struct git_job *job, bp_str *directory, bp_str *common)
{
    bp_str    file, objects;
    bp_status status;

    BP_TRY(find_git_directory(job, directory));
    file = bp_format(job->call, BP_FMT "/commondir", BP_ARG(*directory));
    if (!file.data)
        return BP_NO_MEMORY;
    *common = *directory;
    status = read_place(job, file.data, "", directory->data, common);
    if (status != BP_OK && status != BP_NOT_FOUND)
        return status;
    if (!common->len || !path_is_beneath(*common, job->root))
        return refuse(job, "its common directory lies outside of the root");
    BP_TRY(walk(job, *common, false, check_git_file));
    if (!path_is_beneath(*directory, *common))
        BP_TRY(walk(job, *directory, false, check_git_file));
    BP_TRY(check_config(job, common->data, "config"));
    BP_TRY(check_config(job, common->data, "config.worktree"));
    BP_TRY(check_config(job, directory->data, "config.worktree"));
    objects = bp_format(job->call, BP_FMT "/objects", BP_ARG(*common));
    return objects.data ? check_alternates(job, objects.data, 1) : BP_NO_MEMORY;
}

/* ---- opened ---- */

static bool is_place(struct git_job *job, const char *path, bp_str wanted)
{
    return path && bp_str_equal(resolve(job->call, path), wanted);
}

/* A value of the repository's config, "PREFIX name SUFFIX"; empty when it is not set. */
static bp_str config_value(struct git_job *job, git_config *config, const char *prefix,
                           const char *name, const char *suffix)
{
    git_buf value = { NULL, 0, 0 };
    bp_str  found = { NULL, 0 }, key = bp_format(job->call, "%s%s%s", prefix, name, suffix);

    if (key.data && git_config_get_string_buf(&value, config, key.data) == 0)
        found = bp_dup(job->call, bp_str_n(value.ptr, value.size));
    git_buf_dispose(&value);
    return found;
}

/* What the remote's branch is called here, by the first refspec that knows it. */
static bp_str tracked_as(struct git_job *job, git_config *config, const char *remote,
                         const char *branch)
{
    bp_str               key = bp_format(job->call, "remote.%s.fetch", remote), found = { NULL, 0 };
    git_config_iterator *fetches = NULL;
    git_config_entry    *entry;

    if (!key.data || git_config_multivar_iterator_new(&fetches, config, key.data, NULL) != 0)
        return found;
    while (!found.len && git_config_next(&entry, fetches) == 0) {
        git_refspec *spec = NULL;
        git_buf      name = { NULL, 0, 0 };

        if (git_refspec_parse(&spec, entry->value, 1) == 0 &&
            git_refspec_src_matches(spec, branch) &&
            git_refspec_transform(&name, spec, branch) == 0)
            found = bp_dup(job->call, bp_str_n(name.ptr, name.size));
        git_buf_dispose(&name);
        git_refspec_free(spec);
    }
    git_config_iterator_free(fetches);
    return found;
}

/* branch.NAME.remote and .merge, through the remote's refspec: refs/remotes/origin/main. By hand,
 * as git_branch_upstream_name() of libgit2 1.5 loses 20 KiB for each entry of the config. */
static void remember_upstream(struct git_job *job)
{
    static const char branches[] = "refs/heads/";
    git_reference    *head = NULL;
    git_config       *config = NULL;
    const char       *own = NULL;
    bp_str            remote, merge;

    if (git_reference_lookup(&head, job->repo, "HEAD") == 0 &&
        git_reference_type(head) == GIT_REFERENCE_SYMBOLIC)
        own = git_reference_symbolic_target(head);
    if (own && strncmp(own, branches, sizeof(branches) - 1) == 0 &&
        git_repository_config(&config, job->repo) == 0) {
        own += sizeof(branches) - 1;
        remote = config_value(job, config, "branch.", own, ".remote");
        merge = config_value(job, config, "branch.", own, ".merge");
        if (merge.len && bp_str_is(remote, "."))
            job->upstream = merge;
        else if (merge.len && remote.len)
            job->upstream = tracked_as(job, config, remote.data, merge.data);
    }
    git_config_free(config);
    git_reference_free(head);
}

static bp_status take_config_away(struct git_job *job)
{
    git_config *empty = NULL;
    int         code;

    remember_upstream(job);
    code = git_config_new(&empty);
    if (code == 0)
        code = git_repository_set_config(job->repo, empty);
    git_config_free(empty);
    return code == 0 ? BP_OK : job_fail(job, code, "the repository cannot be opened");
}

static bp_status check_opened(struct git_job *job, bp_str directory, bp_str common)
{
    if (!is_place(job, git_repository_path(job->repo), directory) ||
        !is_place(job, git_repository_commondir(job->repo), common))
        return refuse(job, "its .git leads somewhere else");
    if (!git_repository_is_bare(job->repo) &&
        !is_place(job, git_repository_workdir(job->repo), job->path))
        return refuse(job, "its core.worktree says that its files lie somewhere else");
    return take_config_away(job);
}

/* What libgit2 would call damaged or not understood. `common` has been checked. */
static bp_status check_format(struct git_job *job, bp_str common)
{
    static const struct {
        const char *name, *usual, *sentence;
    } formats[] = {
        { "extensions.objectformat", "sha1",
          "its objects are named by SHA-256, and only SHA-1 is read here" },
        { "extensions.refstorage", "files",
          "its branches are kept in a reftable, and only files are read here" },
    };
    bp_str      path = bp_format(job->call, BP_FMT "/config", BP_ARG(common));
    git_config *config = NULL;
    bp_status   status = BP_OK;

    if (!path.data || git_config_open_ondisk(&config, path.data) != 0)
        return path.data ? BP_OK : BP_NO_MEMORY; // whatever is wrong with it is said when the
                                                 // repository is opened
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && status == BP_OK; i++) {
        git_buf value = { NULL, 0, 0 };

        if (git_config_get_string_buf(&value, config, formats[i].name) == 0 &&
            strcasecmp(value.ptr, formats[i].usual) != 0)
            status = bp_fail(job->call, BP_UNSUPPORTED,
                             "the repository '" BP_FMT "' is sound, but %s: use git itself",
                             BP_ARG(job->path), formats[i].sentence);
        git_buf_dispose(&value);
    }
    git_config_free(config);
    return status;
}

bp_status repository_open(struct git_job *job)
{
    bp_str    directory, common;
    bp_status status;
    int       code;

    BP_TRY(find_root(job, job->wanted->repo_path));
    BP_TRY(check_git_directory(job, &directory, &common));
    if (job->flags & JOB_WORKTREE)
        BP_TRY(walk(job, job->path, true, check_tree_file));
    BP_TRY(check_format(job, common));
    BP_TRY(commits_read_shallow(job, common));
    code = git_repository_open_ext(&job->repo, job->path.data, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
    if (code != 0)
        return job_fail(job, code, "the repository cannot be opened");
    status = check_opened(job, directory, common);
    if (status == BP_OK)
        status = job_set_alarm(job);
    if (status == BP_OK) // who changes branches, for the reflog
        git_repository_set_ident(job->repo, bp_dup(job->call, job->self->author_name).data,
                                 bp_dup(job->call, job->self->author_email).data);
    if (status == BP_OK && git_repository_is_bare(job->repo) && job->flags & JOB_WORKTREE &&
        job->flags & JOB_WRITES)
        status = bp_fail(job->call, BP_INVALID,
                         "'" BP_FMT "' is a bare repository, which has no working tree",
                         BP_ARG(job->path));
    if (status != BP_OK) {
        git_repository_free(job->repo);
        git_odb_free(job->sizes);
        job->repo = NULL;
    }
    return status;
}

/* As the reference server has it: a link counts as what it leads to. For a deleted file (git_add
 * stages that, too) the folder that is still there decides. */
bp_status repository_path_check(struct git_job *job, const char *path)
{
    bp_str      whole = path[0] == '/' ? bp_str_of(path)
                                       : bp_format(job->call, BP_FMT "/%s", BP_ARG(job->path), path);
    char       *folder = (char *)(uintptr_t)bp_dup(job->call, whole).data, *slash;
    bool        goes_up = strstr(path, "..") != NULL;
    struct stat st;
    bp_str      real;

    if (!folder)
        return BP_NO_MEMORY;
    real = resolve(job->call, folder);
    while (!real.len && errno == ENOENT && !goes_up && lstat(folder, &st) != 0 &&
           (slash = strrchr(folder, '/')) && slash != folder) {
        *slash = '\0';
        real = resolve(job->call, folder);
    }
    if (!real.len || !path_is_beneath(real, job->path))
        return bp_fail(job->call, BP_DENIED, "Path '%s' is outside the repository '" BP_FMT "'",
                       path, BP_ARG(job->path));
    return BP_OK;
}

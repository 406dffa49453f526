/* routes.c - the HTTP interface: POST /log, /diff, /search and /blame. */
#define _GNU_SOURCE // memmem()
#include "git.h"

#include <stdlib.h>

static int64_t integer_of(const bp_json *value, int64_t otherwise)
{
    double number = bp_json_number(value);

    if (bp_json_type_of(value) == BP_JSON_NUMBER)
        return number >= 9e18 ? INT64_MAX : (int64_t)number;
    return bp_json_type_of(value) == BP_JSON_INTEGER ? bp_json_integer(value) : otherwise;
}

/* What has another type is taken for not given. `most`: what the route calls max_count. */
static struct wanted wanted_of(const bp_json *json, const char *most)
{
    return (struct wanted){
        .repo_path = bp_json_string(bp_json_get(json, "repo_path")),
        .revision = bp_json_string(bp_json_get(json, "revision")),
        .path = bp_json_string(bp_json_get(json, "path")),
        .query = bp_json_string(bp_json_get(json, "query")),
        .in = bp_json_string(bp_json_get(json, "in")),
        .commit1 = bp_json_string(bp_json_get(json, "commit1")),
        .commit2 = bp_json_string(bp_json_get(json, "commit2")),
        .context_lines = integer_of(bp_json_get(json, "context_lines"), 3),
        .max_count = integer_of(bp_json_get(json, most), 100),
    };
}

static bp_status run_route(bp_call *call, void *instance, bp_request *request,
                           bp_response *response, const char *most, uint32_t flags,
                           bp_status (*run)(struct git_job *job))
{
    const struct git *self = instance;
    bp_json_writer   *json = bp_json_writer_new(call, (size_t)self->output_bytes + (1u << 20));
    bp_buf           *out = bp_buf_new(call, (size_t)self->output_bytes);
    const bp_json    *asked;
    struct wanted     wanted;
    bp_str            body;

    BP_TRY(bp_request_body(call, request, &body));
    BP_TRY(bp_json_read(call, body.len ? body : bp_str_of("{}"), &asked));
    if (bp_json_type_of(asked) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object");
    wanted = wanted_of(asked, most);
    BP_TRY(job_run(call, self, &wanted, flags, run, out, json));
    return bp_respond_json(call, response, 200, json);
}

/* The commit that `name` names, or HEAD. */
static bp_status read_commit(struct git_job *job, bp_str value, const char *name, bool is_required,
                             git_commit **commit)
{
    git_object *object = NULL;
    const char *revision;
    int         code;

    BP_TRY(job_text(job, value, name, &revision));
    if (!revision && is_required)
        return bp_fail(job->call, BP_INVALID, "%s is missing", name);
    BP_TRY(job_revision(job, revision ? revision : "HEAD", &object));
    code = git_object_peel((git_object **)commit, object, GIT_OBJECT_COMMIT);
    git_object_free(object);
    return code == 0 ? BP_OK : job_fail(job, code, name);
}

static void put_text(bp_json_writer *w, const char *key, const char *text)
{
    bp_json_put_string(w, key, bp_str_of(text));
}

static void put_signature(bp_json_writer *w, const git_signature *author)
{
    char date[40];

    date_format(&author->when, false, date);
    put_text(w, "author", author->name);
    put_text(w, "email", author->email);
    put_text(w, "date", date);
}

/* ---- /log ---- */

/* Whether the commit changed the path, against its first parent. */
static bool touches(const struct git_job *job, git_commit *commit, const char *path)
{
    git_tree       *tree = NULL, *before_tree = NULL;
    git_tree_entry *entry = NULL, *before = NULL;
    git_commit     *parent = NULL;
    bool            is_changed;

    if (git_commit_tree(&tree, commit) == 0)
        git_tree_entry_bypath(&entry, tree, path);
    if (commit_first_parent(job, commit, &parent) == 0 && parent &&
        git_commit_tree(&before_tree, parent) == 0)
        git_tree_entry_bypath(&before, before_tree, path);
    is_changed = !entry != !before ||
                 (entry && !git_oid_equal(git_tree_entry_id(entry), git_tree_entry_id(before)));
    git_tree_entry_free(entry);
    git_tree_entry_free(before);
    git_tree_free(tree);
    git_tree_free(before_tree);
    git_commit_free(parent);
    return is_changed;
}

struct commits {
    const char *path, *query;
    int64_t     count, max_count;
};

/* Text in small letters, of ASCII alone, as the query is: then memmem() finds it in a time that
 * grows with the text. */
static char *small_letters(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
    return text;
}

/* `query` is in small letters. */
static bool has_text(bp_call *call, const char *text, const char *query)
{
    bp_str copy = bp_dup(call, bp_str_of(text));

    return copy.data && strstr(small_letters((char *)(uintptr_t)copy.data, copy.len), query);
}

static bp_status add_commit(struct git_job *job, git_commit *commit, void *arg)
{
    struct commits *commits = arg;
    const char     *message = git_commit_message(commit);

    if (commits->count > commits->max_count)
        return BP_OK;
    if ((commits->path && !touches(job, commit, commits->path)) ||
        (commits->query && !has_text(job->call, message, commits->query)))
        return BP_OK;
    if (++commits->count > commits->max_count) {
        job->is_enough = true;
        return BP_OK;
    }
    bp_json_object(job->json);
    put_text(job->json, "hash", git_oid_tostr_s(git_commit_id(commit)));
    put_signature(job->json, git_commit_author(commit));
    put_text(job->json, "message", message);
    bp_json_end(job->json);
    return BP_OK;
}

/* Without a path or a query every commit counts, so that the walk itself may end; with one it goes
 * on to the end. */
static bp_status write_commits(struct git_job *job, struct commits *commits, const char *key)
{
    git_commit *from = NULL;
    bool        is_filtered = commits->path || commits->query;
    bp_status   status;

    BP_TRY(read_commit(job, job->wanted->revision, "revision", false, &from));
    bp_json_object(job->json);
    bp_json_key(job->json, key);
    bp_json_array(job->json);
    status = history_walk(job, git_commit_id(from), is_filtered ? INT64_MAX : commits->max_count,
                          INT64_MIN, INT64_MAX, add_commit, commits);
    git_commit_free(from);
    bp_json_end(job->json);
    bp_json_key(job->json, "more");
    bp_json_add_bool(job->json, job->has_more);
    if (job->ends_early) {
        bp_json_key(job->json, "shallow"); // older commits are not in this clone
        bp_json_add_bool(job->json, true);
    }
    bp_json_end(job->json);
    return status;
}

static int64_t most_commits(const struct git_job *job)
{
    int64_t asked = job->wanted->max_count, most = job->self->log_commits;

    return asked < 1 ? 1 : asked > most ? most : asked;
}

static bp_status write_log(struct git_job *job)
{
    struct commits commits = { .max_count = most_commits(job) };

    BP_TRY(job_text(job, job->wanted->path, "path", &commits.path));
    return write_commits(job, &commits, "commits");
}

bp_status log_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return run_route(call, instance, request, response, "max_commits", 0, write_log);
}

/* ---- /diff ---- */

static bp_status write_patch(struct git_job *job, git_commit *from, git_commit *to)
{
    git_diff_options options;
    git_tree        *old_tree = NULL, *new_tree = NULL;
    git_diff        *diff = NULL;
    int64_t          left_out = 0;
    bp_status        status;
    int              code = git_commit_tree(&old_tree, from);

    if (code == 0)
        code = git_commit_tree(&new_tree, to);
    diff_options(job, &options, context_lines(job));
    if (code == 0)
        code = git_diff_tree_to_tree(&diff, job->repo, old_tree, new_tree, &options);
    status = code == 0 ? diff_print(job, diff, CONFLICTS_NONE, &left_out)
                       : job_fail(job, code, "the diff cannot be made");
    if (status == BP_OK) {
        bp_json_object(job->json);
        bp_json_put_string(job->json, "diff", bp_buf_str(job->out));
        bp_json_put_integer(job->json, "files", (int64_t)git_diff_num_deltas(diff));
        bp_json_put_integer(job->json, "files_left_out", left_out);
        bp_json_end(job->json);
    }
    git_diff_free(diff);
    git_tree_free(old_tree);
    git_tree_free(new_tree);
    return status;
}

static bp_status write_diff(struct git_job *job)
{
    git_commit *from = NULL, *to = NULL;
    bp_status   status = read_commit(job, job->wanted->commit1, "commit1", true, &from);

    if (status == BP_OK)
        status = read_commit(job, job->wanted->commit2, "commit2", false, &to);
    if (status == BP_OK)
        status = job_spare_index(job);
    if (status == BP_OK)
        status = write_patch(job, from, to);
    git_commit_free(from);
    git_commit_free(to);
    return status;
}

bp_status diff_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return run_route(call, instance, request, response, "", JOB_WORKTREE, write_diff);
}

/* ---- /search ---- */

enum { LINE_BYTES_SHOWN = 400, SEARCHED_BYTES_MAX = 4 << 20 };

struct search {
    struct git_job *job;
    const char     *query;
    size_t          query_len;
    int64_t         count, max_count, left_out;
    bool            has_more;
    bp_status       status;
};

/* A text beyond this is asked for the job so often. */
enum { LINES_BETWEEN_LOOKS = 4096 };

static void put_result(struct search *s, const char *path, int64_t number, bp_str line)
{
    bp_json_object(s->job->json);
    put_text(s->job->json, "path", path);
    bp_json_put_integer(s->job->json, "line", number);
    bp_json_put_string(s->job->json, "text",
                       bp_str_n(line.data,
                                line.len < LINE_BYTES_SHOWN ? line.len : LINE_BYTES_SHOWN));
    if (line.len > LINE_BYTES_SHOWN) {
        bp_json_key(s->job->json, "cut");
        bp_json_add_bool(s->job->json, true);
    }
    bp_json_end(s->job->json);
}

/* Looks from find to find, not line by line. */
static bp_status search_text(struct search *s, const char *folder, const char *name, bp_str text,
                             const char *small)
{
    const char *end = small + text.len, *line = small, *at = small;
    int64_t     number = 1;
    bp_str      path = { NULL, 0 };

    while ((at = memmem(at, (size_t)(end - at), s->query, s->query_len)) != NULL) {
        const char *feed;

        for (; (feed = memchr(line, '\n', (size_t)(at - line))) != NULL; number++)
            line = feed + 1;
        if (++s->count > s->max_count) {
            s->has_more = true;
            return BP_OK;
        }
        if (!path.data)
            path = bp_format(s->job->call, "%s%s", folder, name);
        feed = memchr(at, '\n', (size_t)(end - at));
        put_result(s, path.data ? path.data : name, number,
                   bp_str_n(text.data + (line - small), (size_t)((feed ? feed : end) - line)));
        if (!feed)
            break;
        at = feed + 1;
        if (number % LINES_BETWEEN_LOOKS == 0)
            BP_TRY(job_goes_on(s->job));
    }
    return BP_OK;
}

static bp_status search_blob(struct search *s, const char *folder, const char *name,
                             const git_blob *blob)
{
    bp_str    text = bp_str_n(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    char     *small;
    bp_status status;

    if (text.len > SEARCHED_BYTES_MAX || git_blob_is_binary(blob)) {
        s->left_out++;
        return BP_OK;
    }
    small = malloc(text.len + 1);
    if (!small)
        return bp_fail(s->job->call, BP_NO_MEMORY, "no memory to search a file");
    memcpy(small, text.data ? text.data : "", text.len);
    status = search_text(s, folder, name, text, small_letters(small, text.len));
    free(small);
    return status;
}

static int search_entry(const char *folder, const git_tree_entry *entry, void *payload)
{
    struct search *s = payload;
    git_blob      *blob = NULL;

    if (s->has_more || (s->status = job_goes_on(s->job)) != BP_OK || !depth_is_good(s->job, folder))
        return -1;
    if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
        return 0;
    if (git_blob_lookup(&blob, s->job->repo, git_tree_entry_id(entry)) != 0) {
        s->job->is_too_large = false; // it is left out
        s->left_out++;
        return 0;
    }
    s->status = search_blob(s, folder, git_tree_entry_name(entry), blob);
    git_blob_free(blob);
    return s->status == BP_OK ? 0 : -1;
}

static bp_status search_files(struct git_job *job, const char *query, int64_t max_count)
{
    struct search s = {
        .job = job, .query = query, .query_len = strlen(query), .max_count = max_count
    };
    git_commit *commit = NULL;
    git_tree   *tree = NULL;
    int         code;

    BP_TRY(read_commit(job, job->wanted->revision, "revision", false, &commit));
    bp_json_object(job->json);
    bp_json_key(job->json, "results");
    bp_json_array(job->json);
    code = git_commit_tree(&tree, commit);
    if (code == 0)
        code = git_tree_walk(tree, GIT_TREEWALK_PRE, search_entry, &s);
    bp_json_end(job->json);
    bp_json_key(job->json, "more");
    bp_json_add_bool(job->json, s.has_more);
    bp_json_put_integer(job->json, "files_left_out", s.left_out);
    bp_json_end(job->json);
    git_tree_free(tree);
    git_commit_free(commit);
    if (s.status != BP_OK)
        return s.status;
    return code == 0 || s.has_more ? BP_OK : job_fail(job, code, "the files cannot be searched");
}

static bp_status write_search(struct git_job *job)
{
    bp_str         query = job->wanted->query;
    bp_str         where = job->wanted->in;
    struct commits commits = { .max_count = most_commits(job) };

    if (!query.len || memchr(query.data, '\0', query.len))
        return bp_fail(job->call, BP_INVALID, "query is missing: the text to look for");
    query = bp_dup(job->call, query);
    commits.query = query.data ? small_letters((char *)(uintptr_t)query.data, query.len)
                               : NULL; // may begin with "-": it is no argument of anything
    if (!commits.query)
        return BP_NO_MEMORY;
    if (bp_str_is(where, "commits"))
        return write_commits(job, &commits, "results");
    if (where.len && !bp_str_is(where, "files"))
        return bp_fail(job->call, BP_INVALID,
                       "in: must be \"files\" or \"commits\", not \"" BP_FMT "\"", BP_ARG(where));
    return search_files(job, commits.query, commits.max_count);
}

bp_status search_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return run_route(call, instance, request, response, "max_results", 0, write_search);
}

/* ---- /blame ---- */

/* One object for each line of the file at the revision. */
static void write_lines(struct git_job *job, git_blame *blame, const char *text, size_t len)
{
    size_t number = 1;

    for (size_t at = 0; at < len; number++) {
        const char           *end = memchr(text + at, '\n', len - at);
        size_t                line = end ? (size_t)(end - text) - at : len - at;
        const git_blame_hunk *hunk = git_blame_get_hunk_byline(blame, number);

        bp_json_object(job->json);
        bp_json_put_integer(job->json, "line", (int64_t)number);
        put_text(job->json, "commit", hunk ? git_oid_tostr_s(&hunk->final_commit_id) : "");
        if (hunk && hunk->final_signature)
            put_signature(job->json, hunk->final_signature);
        bp_json_put_string(job->json, "text", bp_str_n(text + at, line));
        bp_json_end(job->json);
        at += line + 1;
    }
}

static bp_status blame_file(struct git_job *job, git_commit *commit, const char *path)
{
    git_blame_options options;
    git_blame        *blame = NULL;
    git_object       *blob = NULL;
    bp_str spec = bp_format(job->call, "%s:%s", git_oid_tostr_s(git_commit_id(commit)), path);
    int    code;

    if (!spec.data)
        return BP_NO_MEMORY;
    BP_TRY(job_revision(job, spec.data, &blob));
    if (git_object_type(blob) != GIT_OBJECT_BLOB) {
        git_object_free(blob);
        return bp_fail(job->call, BP_INVALID, "path: '%s' is not a file", path);
    }
    if (has_too_many_lines(git_blob_rawcontent((git_blob *)blob),
                           (size_t)git_blob_rawsize((git_blob *)blob))) {
        git_object_free(blob);
        return bp_fail(job->call, BP_TOO_LARGE, "path: '%s' has more than %d lines", path,
                       LINES_MAX);
    }
    job->counts_lines = true;
    git_blame_options_init(&options, GIT_BLAME_OPTIONS_VERSION);
    git_oid_cpy(&options.newest_commit, git_commit_id(commit));
    if (job->shallow_count ==
        1) // there is no going on behind the end of a shallow clone; one is all libgit2 takes
        git_oid_cpy(&options.oldest_commit, &job->shallow[0]);
    code = git_blame_file(&blame, job->repo, path, &options);
    bp_json_object(job->json);
    bp_json_key(job->json, "blame");
    bp_json_array(job->json);
    if (code == 0)
        write_lines(job, blame, git_blob_rawcontent((git_blob *)blob),
                    (size_t)git_blob_rawsize((git_blob *)blob));
    bp_json_end(job->json);
    bp_json_end(job->json);
    git_blame_free(blame);
    git_object_free(blob);
    return code == 0 ? BP_OK : job_fail(job, code, path);
}

static bp_status write_blame(struct git_job *job)
{
    const char *path;
    git_commit *commit = NULL;
    bp_status   status;

    BP_TRY(job_text(job, job->wanted->path, "path", &path));
    if (!path || path[0] == '/' || strstr(path, "../"))
        return bp_fail(job->call, BP_INVALID,
                       "path must be the path of a file within the repository");
    BP_TRY(read_commit(job, job->wanted->revision, "revision", false, &commit));
    status = blame_file(job, commit, path);
    git_commit_free(commit);
    return status;
}

bp_status blame_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return run_route(call, instance, request, response, "", JOB_WORKTREE, write_blame);
}

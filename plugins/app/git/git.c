/* git.c - the app `git`: twelve MCP tools and four routes on the repositories beneath the given
 * roots. Its tables. */
#include "git.h"

#include <stdlib.h>

static const bp_option options[] = {
    BP_OPTION_LIST(struct git, repositories, .is_required = true, .choices = BP_PATH_FOLDER,
                   .example = "[ /srv/repositories ]",
                   .help = "directories that are repositories or contain some; the instance "
                           "touches nothing outside them"),
    BP_OPTION_BOOL(struct git, writes, .initial = "false",
                   .help = "offer git_add, git_commit, git_reset, git_checkout and "
                           "git_create_branch"),
    BP_OPTION_STRING(struct git, author_name, .initial = "Backplane",
                     .help = "name of author and committer for git_commit"),
    BP_OPTION_STRING(struct git, author_email, .initial = "backplane@localhost",
                     .help = "mail address of author and committer"),
    BP_OPTION_INT(struct git, log_commits, .initial = "1000", .minimum = "1", .maximum = "100000",
                  .help = "most commits in one answer"),
    BP_OPTION_INT(struct git, diff_files, .initial = "100", .minimum = "1", .maximum = "100000",
                  .help = "most files in one diff; the answer counts the rest"),
    BP_OPTION_SIZE(struct git, output, .initial = "8MiB", .minimum = "4KiB", .maximum = "24MiB",
                   .help = "largest answer; the instance refuses a larger one"),
    BP_OPTION_DURATION(struct git, deadline, .initial = "30s", .minimum = "100ms", .maximum = "10m",
                       .help = "longest time for one request"),
    BP_OPTION_INT(struct git, threads, .initial = "4", .minimum = "1", .maximum = "64",
                  .help = "concurrent requests"),
};

#define READ  "git:read"
#define WRITE "git:write"

/* ---- what the tools and routes take ---- */

#define REPO_PATH(flags_)                                                                          \
    BP_PARAM_TEXT(struct wanted, repo_path, .flags = (flags_), .help = "Path of the repository")
#define CONTEXT                                                                                    \
    BP_PARAM_INTEGER(struct wanted, context_lines, .initial = "3", .minimum = "0",                 \
                     .help = "Number of unchanged lines around a change")
#define REQUIRED(field_) BP_PARAM_TEXT(struct wanted, field_, .flags = BP_PARAM_REQUIRED)
#define DATES            "2024-01-15T14:30:25, 2024-01-15, Jan 15 2024, 2 weeks ago or yesterday"

static const bp_param repository_rows[] = { REPO_PATH(BP_PARAM_REQUIRED) };
static const bp_param changes_rows[] = { REPO_PATH(BP_PARAM_REQUIRED), CONTEXT };
static const bp_param diff_rows[] = {
    REPO_PATH(BP_PARAM_REQUIRED),
    BP_PARAM_TEXT(struct wanted, target, .flags = BP_PARAM_REQUIRED,
                  .help = "Branch, tag, commit or range a..b"),
    CONTEXT,
};
static const bp_param commit_rows[] = { REPO_PATH(BP_PARAM_REQUIRED), REQUIRED(message) };
static const bp_param add_rows[] = {
    REPO_PATH(BP_PARAM_REQUIRED),
    BP_PARAM_TEXTS(struct wanted, files, .flags = BP_PARAM_REQUIRED, .minimum = "1",
                   .help = "Paths in the working tree; [\".\"] stages everything"),
};
static const bp_param log_rows[] = {
    REPO_PATH(BP_PARAM_REQUIRED),
    BP_PARAM_INTEGER(struct wanted, max_count, .initial = "10"),
    BP_PARAM_TEXT(struct wanted, start_timestamp, .help = "Only commits from then on: " DATES),
    BP_PARAM_TEXT(struct wanted, end_timestamp, .help = "Only commits up to then: " DATES),
};
static const bp_param create_branch_rows[] = {
    REPO_PATH(BP_PARAM_REQUIRED),
    REQUIRED(branch_name),
    BP_PARAM_TEXT(struct wanted, base_branch),
};
static const bp_param checkout_rows[] = { REPO_PATH(BP_PARAM_REQUIRED), REQUIRED(branch_name) };
static const bp_param show_rows[] = { REPO_PATH(BP_PARAM_REQUIRED), REQUIRED(revision) };
static const bp_param branch_rows[] = {
    REPO_PATH(BP_PARAM_REQUIRED),
    BP_PARAM_CHOICE(struct wanted, branch_type, .flags = BP_PARAM_REQUIRED,
                    .choices = "local|remote|all"),
    BP_PARAM_TEXT(struct wanted, contains, .help = "List only branches that contain this commit"),
    BP_PARAM_TEXT(struct wanted, not_contains,
                  .help = "List only branches that do not contain this commit"),
};

static const bp_params status_params = BP_PARAMS(struct wanted, repository_rows);
static const bp_params diff_unstaged_params = BP_PARAMS(struct wanted, changes_rows);
static const bp_params diff_staged_params = BP_PARAMS(struct wanted, changes_rows);
static const bp_params diff_params = BP_PARAMS(struct wanted, diff_rows);
static const bp_params commit_params = BP_PARAMS(struct wanted, commit_rows);
static const bp_params add_params = BP_PARAMS(struct wanted, add_rows);
static const bp_params reset_params = BP_PARAMS(struct wanted, repository_rows);
static const bp_params log_params = BP_PARAMS(struct wanted, log_rows);
static const bp_params create_branch_params = BP_PARAMS(struct wanted, create_branch_rows);
static const bp_params checkout_params = BP_PARAMS(struct wanted, checkout_rows);
static const bp_params show_params = BP_PARAMS(struct wanted, show_rows);
static const bp_params branch_params = BP_PARAMS(struct wanted, branch_rows);

/* ---- tools ---- */

static bp_status run_tool(bp_call *call, void *instance, const bp_params *params,
                          const bp_json *arguments, bp_mcp *mcp, uint32_t flags,
                          bp_status (*text)(struct git_job *job))
{
    const struct git *self = instance;
    bp_buf           *out = bp_buf_new(call, (size_t)self->output_bytes);
    struct wanted     wanted;

    if (!out)
        return BP_NO_MEMORY;
    BP_TRY(bp_params_read(call, params, arguments, &wanted));
    BP_TRY(job_run(call, self, &wanted, flags, text, out, NULL));
    bp_mcp_text(mcp, bp_buf_str(out));
    return BP_OK;
}

/* One handler for each tool: its name, what it needs, and the function that writes its text. */
#define TOOLS(X)                                                                                   \
    X(status, JOB_WORKTREE, status_text)                                                           \
    X(diff_unstaged, JOB_WORKTREE, diff_unstaged_text)                                             \
    X(diff_staged, JOB_WORKTREE, diff_staged_text)                                                 \
    X(diff, JOB_WORKTREE, diff_target_text)                                                        \
    X(commit, JOB_WORKTREE | JOB_WRITES, commit_text)                                              \
    X(add, JOB_WORKTREE | JOB_WRITES, add_text)                                                    \
    X(reset, JOB_WORKTREE | JOB_WRITES, reset_text)                                                \
    X(log, 0, log_text)                                                                            \
    X(create_branch, JOB_WRITES, create_branch_text)                                               \
    X(checkout, JOB_WORKTREE | JOB_WRITES, checkout_text)                                          \
    X(show, JOB_WORKTREE, show_text)                                                               \
    X(branch, 0, branch_text)

#define DEFINE_TOOL(name, flags, text)                                                             \
    static bp_status tool_##name(bp_call *call, void *instance, const bp_json *arguments,          \
                                 bp_mcp *mcp)                                                      \
    {                                                                                              \
        return run_tool(call, instance, &name##_params, arguments, mcp, (flags), text);            \
    }
TOOLS(DEFINE_TOOL)

enum { READS = BP_TOOL_READ_ONLY | BP_TOOL_IDEMPOTENT };

static const bp_mcp_tool tools[] = {
    { .name = "git_status",
      .handler = tool_status,
      .scope = READ,
      .flags = READS,
      .description = "Shows the state of the working tree: branch, staged, unstaged and untracked "
                     "files",
      .params = &status_params },
    { .name = "git_diff_unstaged",
      .handler = tool_diff_unstaged,
      .scope = READ,
      .flags = READS,
      .description = "Shows the changes in the working tree that are not staged",
      .params = &diff_unstaged_params },
    { .name = "git_diff_staged",
      .handler = tool_diff_staged,
      .scope = READ,
      .flags = READS,
      .description = "Shows the changes that are staged for the next commit",
      .params = &diff_staged_params },
    { .name = "git_diff",
      .handler = tool_diff,
      .scope = READ,
      .flags = READS,
      .description = "Shows the differences between the working tree and a branch or commit, or "
                     "between two of them (a..b)",
      .params = &diff_params },
    { .name = "git_commit",
      .handler = tool_commit,
      .scope = WRITE,
      .description = "Commits the staged changes",
      .params = &commit_params },
    { .name = "git_add",
      .handler = tool_add,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT,
      .description = "Stages files for the next commit",
      .params = &add_params },
    { .name = "git_reset",
      .handler = tool_reset,
      .scope = WRITE,
      .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT,
      .description = "Unstages all staged changes; the files stay as they are",
      .params = &reset_params },
    { .name = "git_log",
      .handler = tool_log,
      .scope = READ,
      .flags = READS,
      .description = "Shows the commits of the current branch, newest first",
      .params = &log_params },
    { .name = "git_create_branch",
      .handler = tool_create_branch,
      .scope = WRITE,
      .description = "Creates a branch that starts at base_branch, or at the current branch",
      .params = &create_branch_params },
    { .name = "git_checkout",
      .handler = tool_checkout,
      .scope = WRITE,
      .description = "Switches to a branch or commit",
      .params = &checkout_params },
    { .name = "git_show",
      .handler = tool_show,
      .scope = READ,
      .flags = READS,
      .description = "Shows a commit with its changes, or one of its files or directories as "
                     "<revision>:<path>",
      .params = &show_params },
    { .name = "git_branch",
      .handler = tool_branch,
      .scope = READ,
      .flags = READS,
      .description = "Lists branches",
      .params = &branch_params },
};

static bool offers(void *instance, const char *name)
{
    const struct git *self = instance;

    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        if (strcmp(tools[i].name, name) == 0)
            return self->writes || tools[i].flags & BP_TOOL_READ_ONLY;
    return true;
}

/* ---- routes ---- */

static const bp_param log_request_rows[] = {
    REPO_PATH(0),
    { .name = "max_commits", .type = BP_PARAM_TYPE_INTEGER, .minimum = "1" },
    { .name = "path", .type = BP_PARAM_TYPE_TEXT },
    { .name = "revision", .type = BP_PARAM_TYPE_TEXT },
};
static const bp_param diff_request_rows[] = {
    REPO_PATH(0),
    { .name = "commit1", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "commit2", .type = BP_PARAM_TYPE_TEXT, .initial = "HEAD" },
    CONTEXT,
};
static const bp_param search_request_rows[] = {
    REPO_PATH(0),
    { .name = "query", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED, .minimum = "1" },
    { .name = "in",
      .type = BP_PARAM_TYPE_ANY,
      .choices = "files|commits",
      .schema = "{\"default\":\"files\"}" },
    { .name = "revision", .type = BP_PARAM_TYPE_TEXT, .initial = "HEAD" },
    { .name = "max_results", .type = BP_PARAM_TYPE_INTEGER, .minimum = "1", .initial = "100" },
};
static const bp_param blame_request_rows[] = {
    REPO_PATH(0),
    { .name = "path", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "revision", .type = BP_PARAM_TYPE_TEXT, .initial = "HEAD" },
};
// routes.c reads what comes: it takes more than it says here.
static const bp_params log_request = BP_PARAMS_ONLY(log_request_rows);
static const bp_params diff_request = BP_PARAMS_ONLY(diff_request_rows);
static const bp_params search_request = BP_PARAMS_ONLY(search_request_rows);
static const bp_params blame_request = BP_PARAMS_ONLY(blame_request_rows);
static const char      any_object[] = "{\"type\":\"object\"}";

static const bp_route routes[] = {
    { .method = "POST",
      .path = "/log",
      .handler = log_post,
      .scope = READ,
      .request_params = &log_request,
      .response_schema = any_object,
      .summary = "Commits of a repository, newest first",
      .deadline_ns = BP_SECONDS(600) },
    { .method = "POST",
      .path = "/diff",
      .handler = diff_post,
      .scope = READ,
      .request_params = &diff_request,
      .response_schema = any_object,
      .summary = "Differences between two commits, as a patch",
      .deadline_ns = BP_SECONDS(600) },
    { .method = "POST",
      .path = "/search",
      .handler = search_post,
      .scope = READ,
      .request_params = &search_request,
      .response_schema = any_object,
      .summary = "Lines of files, or commits, that contain a text",
      .deadline_ns = BP_SECONDS(600) },
    { .method = "POST",
      .path = "/blame",
      .handler = blame_post,
      .scope = READ,
      .request_params = &blame_request,
      .response_schema = any_object,
      .summary = "The commit that last changed each line of a file",
      .deadline_ns = BP_SECONDS(600) },
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    BP_MCP_TOOLS(tools),
    .instructions = "Every tool takes repo_path, the path of a repository beneath one of the "
                    "folders this server was given. Begin with git_status.",
    .offers = offers,
};

/* ---- life ---- */

static bool has_byte(bp_str text, char byte)
{
    return memchr(text.data, byte, text.len) != NULL;
}

static bp_status check(bp_call *call, const void *instance)
{
    const struct git *self = instance;

    if (!self->repositories.count)
        return bp_fail(call, BP_INVALID,
                       "repositories: name at least one folder; without one nothing would be out "
                       "of bounds");
    for (size_t i = 0; i < self->repositories.count; i++)
        if (!self->repositories.items[i].len)
            return bp_fail(call, BP_INVALID, "repositories: a path is empty");
    if (!self->author_name.len || has_byte(self->author_name, '<') ||
        has_byte(self->author_name, '>') || has_byte(self->author_name, '\n'))
        return bp_fail(call, BP_INVALID,
                       "author_name: it must not be empty or have one of < and >");
    return BP_OK;
}

/* For the whole process, before the first repository: no config but the repository's own, which
 * repository.c takes away. Who owns the files does not matter then, since nothing in them is
 * obeyed. */
static bp_status set_up_libgit2(bp_call *call)
{
    static const int levels[] = { GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
                                  GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL };

    if (git_libgit2_init() < 0)
        return bp_fail(call, BP_INTERNAL, "libgit2 cannot be started");
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)(32 << 20));
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)(512u << 20));
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *arg)
{
    struct git_shared *shared = arg;

    (void)call;
    if (!shared)
        return;
    if (shared->pool)
        bp_pool_destroy(shared->pool);
    if (shared->writing)
        bp_mutex_destroy(shared->writing);
    for (size_t i = 0; i < shared->root_count; i++)
        free(shared->roots[i]);
    free(shared->roots);
    free(shared);
    git_libgit2_shutdown();
}

static bp_status shared_create(bp_call *call, const void *instance, void **out)
{
    const struct git  *self = instance;
    struct git_shared *shared;
    bp_status          status;

    BP_TRY(set_up_libgit2(call));
    shared = calloc(1, sizeof(*shared));
    if (!shared) {
        git_libgit2_shutdown();
        return bp_fail(call, BP_NO_MEMORY, "there is not enough memory");
    }
    status = repository_roots_resolve(call, self, shared);
    if (status == BP_OK)
        status = bp_pool_create(call, bp_str_of("git"), (uint32_t)self->threads, &shared->pool);
    if (status == BP_OK)
        status = bp_mutex_create(call, &shared->writing);
    if (status != BP_OK) {
        shared_destroy(call, shared);
        return status;
    }
    *out = shared;
    return BP_OK;
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    (void)call;
    ((struct git *)instance)->shared = shared;
    return BP_OK;
}

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = check,
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

BP_PLUGIN(app, "git", "1.0.0",
          .summary = "gives models and programs git repositories: status, log, diff, show, search, "
                     "blame, commit",
          .license = "Apache-2.0", .instance_size = sizeof(struct git),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

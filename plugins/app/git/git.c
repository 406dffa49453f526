/* git.c - the app `git`: twelve MCP tools and four routes on the repositories beneath the given
 * roots. Its tables. */
#include "git.h"

#include <stdlib.h>

static const bp_option options[] = {
    BP_OPTION_LIST(struct git, repositories, .is_required = true, .choices = BP_PATH_FOLDER,
                   .example = "[ /srv/repositories ]",
                   .help = "folders that are repositories or hold some; nothing outside of them is "
                           "touched"),
    BP_OPTION_BOOL(struct git, writes, .initial = "false",
                   .help = "whether git_add, git_commit, git_reset, git_checkout and "
                           "git_create_branch are offered"),
    BP_OPTION_STRING(struct git, author_name, .initial = "Backplane",
                     .help = "author and committer of git_commit"),
    BP_OPTION_STRING(struct git, author_email, .initial = "backplane@localhost",
                     .help = "their mail address"),
    BP_OPTION_INT(struct git, log_commits, .initial = "1000", .minimum = "1", .maximum = "100000",
                  .help = "most commits of one answer"),
    BP_OPTION_INT(struct git, diff_files, .initial = "100", .minimum = "1", .maximum = "100000",
                  .help = "most files of one diff; of the others their number is told"),
    BP_OPTION_SIZE(struct git, output, .initial = "8MiB", .minimum = "4KiB", .maximum = "24MiB",
                   .help = "largest answer; a larger one is refused"),
    BP_OPTION_DURATION(struct git, deadline, .initial = "30s", .minimum = "100ms", .maximum = "10m",
                       .help = "longest time one request may take"),
    BP_OPTION_INT(struct git, threads, .initial = "4", .minimum = "1", .maximum = "64",
                  .help = "requests that are worked on at once"),
};

#define READ  "git:read"
#define WRITE "git:write"

/* ---- tools ---- */

static bp_status run_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp,
                          uint32_t flags, bp_status (*text)(struct git_job *job))
{
    const struct git *self = instance;
    bp_buf           *out = bp_buf_new(call, (size_t)self->output_bytes);

    if (!out)
        return BP_NO_MEMORY;
    BP_TRY(job_run(call, self, arguments, flags, text, out, NULL));
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
        return run_tool(call, instance, arguments, mcp, (flags), text);                            \
    }
TOOLS(DEFINE_TOOL)

#define REPO_PATH "\"repo_path\":{\"type\":\"string\",\"description\":\"Path of the repository\"}"
#define CONTEXT                                                                                    \
    "\"context_lines\":{\"type\":\"integer\",\"default\":3,\"minimum\":0,"                         \
    "\"description\":\"Unchanged lines shown around a change\"}"
#define SCHEMA(properties, required)                                                               \
    "{\"type\":\"object\",\"properties\":{" REPO_PATH properties                                   \
    "},\"required\":[\"repo_path\"" required "]}"
#define DATES "2024-01-15T14:30:25, 2024-01-15, Jan 15 2024, 2 weeks ago or yesterday"

enum { READS = BP_TOOL_READ_ONLY | BP_TOOL_IDEMPOTENT };

static const bp_mcp_tool tools[] = {
    { .name = "git_status",
      .handler = tool_status,
      .scope = READ,
      .flags = READS,
      .description = "Shows the state of the working tree: branch, staged, unstaged and untracked "
                     "files",
      .input_schema = SCHEMA("", "") },
    { .name = "git_diff_unstaged",
      .handler = tool_diff_unstaged,
      .scope = READ,
      .flags = READS,
      .description = "Shows the changes in the working tree that are not staged",
      .input_schema = SCHEMA("," CONTEXT, "") },
    { .name = "git_diff_staged",
      .handler = tool_diff_staged,
      .scope = READ,
      .flags = READS,
      .description = "Shows the changes that are staged for the next commit",
      .input_schema = SCHEMA("," CONTEXT, "") },
    { .name = "git_diff",
      .handler = tool_diff,
      .scope = READ,
      .flags = READS,
      .description = "Shows how the working tree differs from a branch or commit, or how two of "
                     "them differ (a..b)",
      .input_schema = SCHEMA(",\"target\":{\"type\":\"string\",\"description\":\"Branch, tag, "
                             "commit, or a..b\"}," CONTEXT,
                             ",\"target\"") },
    { .name = "git_commit",
      .handler = tool_commit,
      .scope = WRITE,
      .description = "Makes a commit of what is staged",
      .input_schema = SCHEMA(",\"message\":{\"type\":\"string\"}", ",\"message\"") },
    { .name = "git_add",
      .handler = tool_add,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT,
      .description = "Stages files for the next commit",
      .input_schema = SCHEMA(",\"files\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":"
                             "\"string\"},\"description\":\"Paths in the working tree; [\\\".\\\"] "
                             "for all\"}",
                             ",\"files\"") },
    { .name = "git_reset",
      .handler = tool_reset,
      .scope = WRITE,
      .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT,
      .description = "Takes everything that is staged back out; the files stay as they are",
      .input_schema = SCHEMA("", "") },
    { .name = "git_log",
      .handler = tool_log,
      .scope = READ,
      .flags = READS,
      .description = "Shows the commits of the current branch, the newest first",
      .input_schema = SCHEMA(",\"max_count\":{\"type\":\"integer\",\"default\":10},"
                             "\"start_timestamp\":{\"type\":\"string\",\"description\":"
                             "\"Only commits from then on: " DATES "\"},"
                             "\"end_timestamp\":{\"type\":\"string\",\"description\":"
                             "\"Only commits up to then: " DATES "\"}",
                             "") },
    { .name = "git_create_branch",
      .handler = tool_create_branch,
      .scope = WRITE,
      .description = "Makes a new branch that begins at base_branch, or at the current branch",
      .input_schema = SCHEMA(",\"branch_name\":{\"type\":\"string\"},"
                             "\"base_branch\":{\"type\":\"string\"}",
                             ",\"branch_name\"") },
    { .name = "git_checkout",
      .handler = tool_checkout,
      .scope = WRITE,
      .description = "Switches to a branch, or to a commit",
      .input_schema = SCHEMA(",\"branch_name\":{\"type\":\"string\"}", ",\"branch_name\"") },
    { .name = "git_show",
      .handler = tool_show,
      .scope = READ,
      .flags = READS,
      .description = "Shows a commit with its changes, or a file or folder of it as "
                     "<revision>:<path>",
      .input_schema = SCHEMA(",\"revision\":{\"type\":\"string\"}", ",\"revision\"") },
    { .name = "git_branch",
      .handler = tool_branch,
      .scope = READ,
      .flags = READS,
      .description = "Lists branches",
      .input_schema = SCHEMA(",\"branch_type\":{\"type\":\"string\",\"enum\":[\"local\",\"remote\","
                             "\"all\"]},\"contains\":{\"type\":\"string\",\"description\":\"Only "
                             "branches that contain this "
                             "commit\"},\"not_contains\":{\"type\":\"string\",\"description\":"
                             "\"Only branches that do not contain this commit\"}",
                             ",\"branch_type\"") },
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

static const char log_schema[] = "{\"type\":\"object\",\"properties\":{" REPO_PATH
                                 ",\"max_commits\":{\"type\":\"integer\",\"minimum\":1},\"path\":{"
                                 "\"type\":\"string\"},\"revision\":{\"type\":\"string\"}}}";
static const char diff_schema[] = "{\"type\":\"object\",\"properties\":{" REPO_PATH
                                  ",\"commit1\":{\"type\":\"string\"},\"commit2\":{\"type\":"
                                  "\"string\",\"default\":\"HEAD\"}," CONTEXT
                                  "},\"required\":[\"commit1\"]}";
static const char search_schema[] = "{\"type\":\"object\",\"properties\":{" REPO_PATH
                                    ",\"query\":{\"type\":\"string\",\"minLength\":1},\"in\":{"
                                    "\"enum\":[\"files\",\"commits\"],\"default\":\"files\"},"
                                    "\"revision\":{\"type\":\"string\",\"default\":\"HEAD\"},\"max_"
                                    "results\":{\"type\":\"integer\",\"minimum\":1,\"default\":100}"
                                    "},\"required\":[\"query\"]}";
static const char blame_schema[] = "{\"type\":\"object\",\"properties\":{" REPO_PATH
                                   ",\"path\":{\"type\":\"string\"},"
                                   "\"revision\":{\"type\":\"string\",\"default\":\"HEAD\"}},"
                                   "\"required\":[\"path\"]}";
static const char any_object[] = "{\"type\":\"object\"}";

static const bp_route routes[] = {
    { .method = "POST",
      .path = "/log",
      .handler = log_post,
      .scope = READ,
      .request_schema = log_schema,
      .response_schema = any_object,
      .summary = "Commits of a repository, the newest first",
      .deadline_ns = BP_SECONDS(600) },
    { .method = "POST",
      .path = "/diff",
      .handler = diff_post,
      .scope = READ,
      .request_schema = diff_schema,
      .response_schema = any_object,
      .summary = "How two commits differ, as a patch",
      .deadline_ns = BP_SECONDS(600) },
    { .method = "POST",
      .path = "/search",
      .handler = search_post,
      .scope = READ,
      .request_schema = search_schema,
      .response_schema = any_object,
      .summary = "Lines of the files, or commits, that have a text in them",
      .deadline_ns = BP_SECONDS(600) },
    { .method = "POST",
      .path = "/blame",
      .handler = blame_post,
      .scope = READ,
      .request_schema = blame_schema,
      .response_schema = any_object,
      .summary = "Which commit each line of a file is from",
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
          .summary = "git repositories for models and programs: status, log, diff, show, search, "
                     "blame, commit",
          .license = "Apache-2.0", .instance_size = sizeof(struct git),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

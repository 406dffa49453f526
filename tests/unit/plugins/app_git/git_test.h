/* git_test.h - repositories made by git itself, an instance of the app on them, and calls of its
 * tools. */
#ifndef GIT_TEST_H
#define GIT_TEST_H

#include "plugins/plugin_test.h"

#include <fcntl.h>
#include <stdio.h>

static char root[128]; /* what the instance may touch; `directory` is above it */

/* Runs a script in `directory`, with git as it is without anybody's settings. */
static inline void script(const char *format, ...) BP_FORMAT(1, 2);
static inline void script(const char *format, ...)
{
    static const char begin[] = "set -e; export HOME=\"$PWD\" GIT_CONFIG_NOSYSTEM=1 "
                                "GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org "
                                "GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org "
                                "GIT_AUTHOR_DATE='@1700000000 +0100' "
                                "GIT_COMMITTER_DATE='@1700000000 +0100' LC_ALL=C; exec >/dev/null "
                                "2>script.log; git() { command git -c init.defaultBranch=main -c "
                                "protocol.file.allow=always \"$@\"; }; ";
    char              command[8192];
    va_list           args;
    int               len = snprintf(command, sizeof(command), "cd %s; %s", directory, begin);

    va_start(args, format);
    vsnprintf(command + len, sizeof(command) - (size_t)len, format, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("the script failed: %s", command + len);
}

static inline bool exists(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

/* An instance on `root`, which is there already. */
static inline void start_git(bool writes)
{
    const testhost_option options[] = { { "repositories", root },
                                        { "writes", writes ? "true" : "false" },
                                        { "author_name", "Ada" },
                                        { "author_email", "ada@example.org" },
                                        { "deadline", "20s" } };

    start(options, sizeof(options) / sizeof(options[0]));
}

/* root/repo with one commit of file.txt. */
static inline int setup_repository(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/app/git.so") != 0)
        return -1;
    snprintf(root, sizeof(root), "%s/root", directory);
    script("mkdir -p root/repo; cd root/repo; git init -q; printf 'one\\ntwo\\n' >file.txt; git "
           "add .; git commit -q -m first");
    return 0;
}

static inline testhost_mcp_reply tool_in(const char *repository, const char *name, const char *more)
{
    char arguments[4096];

    testhost_call_end(call);
    call = testhost_call_new(host, BP_SECONDS(60));
    snprintf(arguments, sizeof(arguments), "{\"repo_path\":\"%s\"%s%s}", repository,
             more[0] ? "," : "", more);
    return testhost_call_tool(call, instance, name, arguments);
}

static inline int tear_down(void **state)
{
    (void)state;
    return close_host();
}

/* In root/repo. */
static inline testhost_mcp_reply tool(const char *name, const char *more)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/repo", root);
    return tool_in(path, name, more);
}

static inline bp_str text_of(testhost_mcp_reply reply)
{
    const bp_json *result;

    if (bp_json_parse(call, reply.result, &result) != BP_OK)
        return bp_str_of("");
    return bp_json_string(bp_json_get(bp_json_at(bp_json_get(result, "content"), 0), "text"));
}

static inline void says(testhost_mcp_reply reply, const char *part)
{
    bp_str text = text_of(reply);

    if (reply.status != BP_OK)
        fail_msg("it failed: " BP_FMT, BP_ARG(bp_error_of(call)->message));
    if (!strstr(text.len ? text.data : "", part))
        fail_msg("\"" BP_FMT "\" does not say \"%s\"", BP_ARG(text), part);
}

static inline void says_exactly(testhost_mcp_reply reply, const char *wanted)
{
    if (reply.status != BP_OK)
        fail_msg("it failed: " BP_FMT, BP_ARG(bp_error_of(call)->message));
    assert_string_equal(text_of(reply).data, wanted);
}

static inline void fails(testhost_mcp_reply reply, bp_status status, const char *part)
{
    bp_str message = bp_error_of(call)->message;

    if (reply.status != status)
        fail_msg("status %d, not %d: " BP_FMT " " BP_FMT, reply.status, status, BP_ARG(message),
                 BP_ARG(reply.result));
    if (!strstr(message.len ? message.data : "", part))
        fail_msg("\"" BP_FMT "\" does not say \"%s\"", BP_ARG(message), part);
}

/* Every tool, so that whatever one of them would run is run. */
static inline void use_all_tools(void)
{
    static const char *const calls[][2] = {
        { "git_status", "" },
        { "git_diff_unstaged", "" },
        { "git_diff_staged", "" },
        { "git_diff", "\"target\":\"HEAD\"" },
        { "git_show", "\"revision\":\"HEAD\"" },
        { "git_log", "" },
        { "git_branch", "\"branch_type\":\"all\"" },
        { "git_add", "\"files\":[\".\"]" },
        { "git_commit", "\"message\":\"m\"" },
        { "git_create_branch", "\"branch_name\":\"new\"" },
        { "git_checkout", "\"branch_name\":\"new\"" },
        { "git_reset", "" },
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        tool(calls[i][0], calls[i][1]);
}

#endif

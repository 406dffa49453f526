/* test_git.c - the tools and routes of app/git on repositories made by git. That the texts are the
 * reference's is integration.git_reference; what hostile repositories do, test_git_hostile.c. */
#include "git_test.h"

#include <pthread.h>

static void a_root_is_required(void **state)
{
    const testhost_option none[] = { { "writes", "true" } };
    const testhost_option empty[] = { { "repositories", "" } };
    const testhost_option missing[] = { { "repositories", "/no/such/folder" } };
    (void)state;
    assert_null(testhost_instance_create(host, plugin, "main", none, 1));
    assert_non_null(strstr(testhost_problem(host), "repositories"));
    assert_null(testhost_instance_create(host, plugin, "main", empty, 1));
    assert_non_null(strstr(testhost_problem(host), "repositories"));
    assert_null(testhost_instance_create(host, plugin, "main", missing, 1));
    assert_non_null(strstr(testhost_problem(host), "not a folder that can be read"));
}

static void without_writes_only_reading_tools_are_offered(void **state)
{
    const bp_app_ops *ops;
    size_t            offered = 0;
    (void)state;
    start_git(false);
    ops = testhost_ops(instance);
    assert_int_equal(ops->tool_count, 12);
    for (size_t i = 0; i < ops->tool_count; i++) {
        bool reads = ops->tools[i].flags & BP_TOOL_READ_ONLY;

        assert_int_equal(ops->offers(testhost_self(instance), ops->tools[i].name), reads);
        offered += reads;
    }
    assert_int_equal(offered, 7);
}

static void a_change_goes_from_the_tree_to_a_commit(void **state)
{
    (void)state;
    start_git(true);
    says(tool("git_status", ""), "On branch main\nnothing to commit, working tree clean");
    script("cd root/repo; printf 'one\\n2\\n' >file.txt; echo new >new.txt");
    says(tool("git_diff_unstaged", ""), "@@ -1,2 +1,2 @@\n one\n-two\n+2");
    fails(tool("git_commit", "\"message\":\"x\""), BP_CONFLICT, "No changes staged for commit");
    says_exactly(tool("git_add", "\"files\":[\"file.txt\",\"new.txt\"]"),
                 "Files staged successfully");
    says(tool("git_add", "\"files\":[\"file.txt\"]"), "No changes were staged");
    says(tool("git_diff_staged", "\"context_lines\":0"), "@@ -2 +2 @@ one\n-two\n+2");
    says(tool("git_commit", "\"message\":\"second\\n\\nbody\""),
         "Changes committed successfully with hash ");
    says(tool("git_show", "\"revision\":\"HEAD\""),
         "\n    second\n    \n    body\n\n--- a/file.txt\n+++ b/file.txt\n@@");
    says(tool("git_log", "\"max_count\":1"), "Author: Ada\nDate: ");
    script("cd root/repo; command git fsck --strict; test \"$(command git log --format=%%an,%%ae "
           "-1)\" = Ada,ada@example.org");
}

static void deleted_files_can_be_staged_and_missing_ones_cannot(void **state)
{
    (void)state;
    script("cd root/repo; rm file.txt");
    start_git(true);
    fails(tool("git_add", "\"files\":[\"no.txt\"]"), BP_NOT_FOUND,
          "pathspec 'no.txt' did not match any files");
    says(tool("git_add", "\"files\":[\"file.txt\"]"), "Files staged successfully");
    says(tool("git_status", ""), "deleted:    file.txt");
    says_exactly(tool("git_reset", ""), "All staged changes reset");
    says(tool("git_status", ""), "Changes not staged for commit");
}

static void one_bad_path_stages_nothing(void **state)
{
    (void)state;
    script("cd root/repo; echo x >x; echo y >y");
    start_git(true);
    fails(tool("git_add", "\"files\":[\"x\",\"../../secret\",\"y\"]"), BP_DENIED,
          "is outside the repository");
    says(tool("git_diff_staged", ""), "Staged changes:\n");
    assert_null(strstr(text_of(tool("git_diff_staged", "")).data, "diff"));
}

static void a_checkout_never_overwrites_local_changes(void **state)
{
    (void)state;
    script("cd root/repo; git checkout -q -b other; echo other >file.txt; git commit -q -a -m "
           "other; git checkout -q main; echo mine >file.txt");
    start_git(true);
    fails(tool("git_checkout", "\"branch_name\":\"other\""), BP_CONFLICT,
          "would be overwritten by checkout");
    says(tool("git_status", ""), "On branch main");
    script("grep -q mine root/repo/file.txt; cd root/repo; command git checkout -q file.txt");
    says_exactly(tool("git_checkout", "\"branch_name\":\"other\""), "Switched to branch 'other'");
    says(tool("git_checkout", "\"branch_name\":\"main~0\""), "HEAD is now detached at ");
    fails(tool("git_create_branch", "\"branch_name\":\"x\""), BP_CONFLICT, "HEAD is detached");
    says_exactly(tool("git_create_branch", "\"branch_name\":\"x\",\"base_branch\":\"other\""),
                 "Created branch 'x' from 'other'");
    fails(tool("git_create_branch", "\"branch_name\":\"x\",\"base_branch\":\"other\""), BP_CONFLICT,
          "already exists");
    fails(tool("git_create_branch", "\"branch_name\":\"a..b\",\"base_branch\":\"other\""),
          BP_INVALID, "not a valid");
}

static void a_merge_is_concluded_with_both_parents(void **state)
{
    (void)state;
    script("cd root/repo; git checkout -q -b other; echo other >file.txt; git commit -q -a -m "
           "other; git checkout -q main; echo mine >file.txt; git commit -q -a -m mine; git merge "
           "-q other || true");
    start_git(true);
    says(tool("git_status", ""),
         "You have unmerged paths.\n  (fix conflicts and run \"git commit\")");
    says(tool("git_status", ""), "Unmerged paths:\n  (use \"git add <file>...\" to mark "
                                 "resolution)\n\tboth modified:   file.txt");
    fails(tool("git_commit", "\"message\":\"m\""), BP_CONFLICT, "the index has conflicts");
    script("echo both >root/repo/file.txt");
    says(tool("git_add", "\"files\":[\"file.txt\"]"), "Files staged successfully");
    says(tool("git_status", ""), "All conflicts fixed but you are still merging.");
    says(tool("git_commit", "\"message\":\"merged\""), "Changes committed successfully");
    script("cd root/repo; command git rev-parse HEAD^2; test ! -e .git/MERGE_HEAD");
}

static void dates_are_understood_as_people_write_them(void **state)
{
    static const char *const before_it[] = { "\"start_timestamp\":\"last month\"",
                                             "\"start_timestamp\":\"3 weeks ago\"",
                                             "\"start_timestamp\":\"1.year.ago\"",
                                             "\"start_timestamp\":\"500 hours ago\"" };
    static const char *const after_it[] = { "\"start_timestamp\":\"a week ago\"",
                                            "\"start_timestamp\":\"19 days ago\"",
                                            "\"start_timestamp\":\"now\"",
                                            "\"start_timestamp\":\"90 minutes ago\"" };
    (void)state;
    script("cd root/repo; export TZ=UTC; for day in 10 15 20; do "
           "GIT_COMMITTER_DATE=2024-01-${day}T12:00:00Z GIT_AUTHOR_DATE=2024-01-${day}T12:00:00Z "
           "git commit -q --allow-empty -m day$day; done");
    setenv("TZ", "UTC", 1);
    start_git(false);
    says(tool("git_log", "\"start_timestamp\":\"2024-01-15\",\"end_timestamp\":\"2024-01-15\""),
         "Message: day15");
    says(tool("git_log", "\"start_timestamp\":\"Jan 16 2024\""), "Message: day20");
    says(tool("git_log", "\"end_timestamp\":\"14 Jan 2024\""), "Message: day10");
    says(tool("git_log", "\"start_timestamp\":\"2024-01-15T14:00:01+02:00\",\"end_timestamp\":\"@"
                         "1705752000\""),
         "Commit history:\nCommit: ");
    assert_null(
        strstr(text_of(tool("git_log", "\"start_timestamp\":\"2024-01-15T14:00:01+02:00\"")).data,
               "day15"));
    says_exactly(tool("git_log",
                      "\"start_timestamp\":\"2 weeks ago\",\"end_timestamp\":\"yesterday\""),
                 "Commit history:\n");
    says_exactly(tool("git_log", "\"max_count\":0"), "Commit history:\n");
    script("cd root/repo; GIT_COMMITTER_DATE='@%lld +0000' git commit -q --allow-empty -m recent",
           (long long)(bp_wall_ns() / BP_SECONDS(1)) - 20 * 86400);
    for (size_t i = 0; i < sizeof(before_it) / sizeof(before_it[0]); i++)
        says(tool("git_log", before_it[i]), "Message: recent");
    for (size_t i = 0; i < sizeof(after_it) / sizeof(after_it[0]); i++)
        says_exactly(tool("git_log", after_it[i]), "Commit history:\n");
    fails(tool("git_log", "\"start_timestamp\":\"next spring\""), BP_INVALID, "is not understood");
    fails(tool("git_log", "\"start_timestamp\":\"2024-13-01\""), BP_INVALID, "is not understood");
}

static void answers_are_bounded(void **state)
{
    const testhost_option options[] = { { "repositories", root },
                                        { "log_commits", "3" },
                                        { "diff_files", "2" },
                                        { "output", "4KiB" } };
    const bp_json        *found;
    char                  body[256];
    (void)state;
    script("cd root/repo; for i in 1 2 3 4 5; do echo $i >f$i; git add .; git commit -q -m c$i; "
           "done; seq 1 5000 >large; git add large; git commit -q -m large");
    start(options, 4);
    says(tool("git_log", "\"max_count\":100000"), "Message: c4");
    assert_null(strstr(text_of(tool("git_log", "\"max_count\":100000")).data, "c3"));
    says(tool("git_diff", "\"target\":\"HEAD~1..HEAD~5\""),
         "... 2 more files are not shown, beyond the first 2");
    fails(tool("git_show", "\"revision\":\"HEAD\""), BP_TOO_LARGE,
          "larger than 4096 bytes: ask for less");
    fails(tool("git_show", "\"revision\":\"HEAD:large\""), BP_TOO_LARGE, "larger than 4096 bytes");
    snprintf(body, sizeof(body),
             "{\"repo_path\":\"repo\",\"commit1\":\"HEAD~5\",\"commit2\":\"HEAD~1\"}");
    assert_int_equal(bp_json_parse(call,
                                   testhost_request_app(call, instance, "POST", "/diff", "",
                                                        bp_str_of(body))
                                       .body,
                                   &found),
                     BP_OK);
    assert_int_equal(bp_json_integer(bp_json_get(found, "files")), 4);
    assert_int_equal(bp_json_integer(bp_json_get(found, "files_left_out")), 2);
}

static const bp_json *post(const char *path, const char *body)
{
    testhost_reply reply;
    const bp_json *found;

    next_call();
    reply = testhost_request_app(call, instance, "POST", path, "", bp_str_of(body));
    if (reply.status != BP_OK)
        fail_msg("%s %s: " BP_FMT, path, body, BP_ARG(bp_error_of(call)->message));
    assert_int_equal(reply.http_status, 200);
    assert_ok(bp_json_parse(call, reply.body, &found));
    return found;
}

static void the_routes_answer_as_promised(void **state)
{
    const bp_json *found;
    (void)state;
    script("cd root/repo; printf 'one\\nTWO\\nthree\\n' >file.txt; printf '%%b' 'bin\\0two\\n' "
           ">bin; git add .; GIT_AUTHOR_NAME=Bob git commit -q -m 'Second: shout'");
    start_git(false);
    found = bp_json_get(post("/log", "{\"repo_path\":\"repo\",\"max_commits\":5}"), "commits");
    assert_int_equal(bp_json_count(found), 2);
    assert_int_equal(bp_json_string(bp_json_get(bp_json_at(found, 0), "hash")).len, 40);
    assert_true(bp_str_is(bp_json_string(bp_json_get(bp_json_at(found, 0), "author")), "Bob"));
    assert_true(bp_str_is(bp_json_string(bp_json_get(bp_json_at(found, 1), "date")),
                          "2023-11-14 23:13:20+01:00"));
    found = bp_json_get(post("/log", "{\"repo_path\":\"repo\",\"path\":\"bin\"}"), "commits");
    assert_int_equal(bp_json_count(found), 1);
    found = bp_json_get(post("/diff", "{\"repo_path\":\"repo\",\"commit1\":\"HEAD~1\"}"), "diff");
    assert_non_null(strstr(bp_json_string(found).data, "-two\n+TWO\n+three\n"));
    found = bp_json_get(post("/search", "{\"repo_path\":\"repo\",\"query\":\"two\"}"), "results");
    assert_int_equal(bp_json_count(found), 1); // not the binary file
    assert_true(bp_str_is(bp_json_string(bp_json_get(bp_json_at(found, 0), "path")), "file.txt"));
    assert_int_equal(bp_json_integer(bp_json_get(bp_json_at(found, 0), "line")), 2);
    found = bp_json_get(post("/search",
                             "{\"repo_path\":\"repo\",\"query\":\"SHOUT\",\"in\":\"commits\"}"),
                        "results");
    assert_int_equal(bp_json_count(found), 1);
    found = bp_json_get(post("/blame", "{\"repo_path\":\"repo\",\"path\":\"file.txt\"}"), "blame");
    assert_int_equal(bp_json_count(found), 3);
    assert_true(bp_str_is(bp_json_string(bp_json_get(bp_json_at(found, 0), "author")), "Ada"));
    assert_true(bp_str_is(bp_json_string(bp_json_get(bp_json_at(found, 1), "author")), "Bob"));
    assert_true(bp_str_is(bp_json_string(bp_json_get(bp_json_at(found, 2), "text")), "three"));
}

static void the_routes_refuse_what_they_should(void **state)
{
    static const struct {
        const char *path, *body;
        bp_status   status;
        const char *part;
    } cases[] = {
        { "/log", "[]", BP_INVALID, "must be a JSON object" },
        { "/log", "{\"repo_path\":\"/etc\"}", BP_DENIED, "is outside the allowed repository" },
        { "/log", "{\"repo_path\":\"..\"}", BP_DENIED, "is outside the allowed repository" },
        { "/log", "{\"repo_path\":\"/no/such/place\"}", BP_DENIED,
          "is outside the allowed repository" },
        { "/log", "{\"repo_path\":\"missing\"}", BP_NOT_FOUND, "there is no repository" },
        { "/log", "{}", BP_NOT_FOUND, "is not a git repository" }, // the root itself is none here
        { "/diff", "{\"repo_path\":\"repo\"}", BP_INVALID, "commit1 is missing" },
        { "/diff", "{\"repo_path\":\"repo\",\"commit1\":\"--output=x\"}", BP_INVALID,
          "cannot start with '-'" },
        { "/diff", "{\"repo_path\":\"repo\",\"commit1\":\"nowhere\"}", BP_NOT_FOUND,
          "did not resolve" },
        { "/search", "{\"repo_path\":\"repo\"}", BP_INVALID, "query is missing" },
        { "/search", "{\"repo_path\":\"repo\",\"query\":\"x\",\"in\":\"moon\"}", BP_INVALID,
          "not \"moon\"" },
        { "/blame", "{\"repo_path\":\"repo\",\"path\":\"../../etc/passwd\"}", BP_INVALID,
          "within the repository" },
        { "/blame", "{\"repo_path\":\"repo\",\"path\":\"no.txt\"}", BP_NOT_FOUND,
          "did not resolve" },
    };
    (void)state;
    start_git(false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        next_call();
        assert_status(testhost_request_app(call, instance, "POST", cases[i].path, "",
                                           bp_str_of(cases[i].body))
                          .status,
                      cases[i].status);
        assert_said(cases[i].part);
    }
}

static void a_prefix_sibling_of_the_root_is_outside(void **state)
{
    char sibling[256];
    (void)state;
    script("cp -r root/repo rootx; mkdir -p root-evil; cp -r root/repo root-evil/repo; ln -s "
           "../rootx root/link");
    start_git(false);
    snprintf(sibling, sizeof(sibling), "%sx", root);
    fails(tool_in(sibling, "git_status", ""), BP_DENIED, "is outside the allowed repository");
    snprintf(sibling, sizeof(sibling), "%s/../root-evil/repo", root);
    fails(tool_in(sibling, "git_status", ""), BP_DENIED, "is outside the allowed repository");
    snprintf(sibling, sizeof(sibling), "%s/link", root);
    fails(tool_in(sibling, "git_status", ""), BP_DENIED, "is outside the allowed repository");
    snprintf(sibling, sizeof(sibling), "%s/repo/../../root/repo", root); // in again
    says(tool_in(sibling, "git_status", ""), "On branch main");
    fails(tool_in("/etc/\\u0000", "git_status", ""), BP_INVALID, "NUL");
}

static void what_takes_too_long_ends(void **state)
{
    const testhost_option options[] = { { "repositories", root }, { "deadline", "100ms" } };
    (void)state;
    start(options, 2);
    says(tool("git_log", ""), "Message: first");
    testhost_call_end(call);
    call = testhost_call_new(host, 0); // nobody waits any longer
    assert_int_not_equal(testhost_request_app(call, instance, "POST", "/blame", "",
                                              bp_str_of("{\"repo_path\":\"repo\",\"path\":\"file."
                                                        "txt\"}"))
                             .status,
                         BP_OK);
    testhost_call_end(call);
    call = testhost_call_new(host, BP_SECONDS(60));
    testhost_cancel(call);
    assert_int_equal(testhost_request_app(call, instance, "POST", "/log", "",
                                          bp_str_of("{\"repo_path\":\"repo\"}"))
                         .status,
                     BP_CANCELLED);
}

static void *cancel_soon(void *arg)
{
    const useconds_t *after_us = arg;

    usleep(*after_us);
    testhost_cancel(call);
    return NULL;
}

/* Whatever it had in hand is given back: LeakSanitizer looks at the end of this program. */
static void what_ends_anywhere_leaves_nothing(void **state)
{
    static const char *const routes[] = { "/log", "/diff", "/search", "/blame" };
    static const char body[] = "{\"repo_path\":\"repo\",\"path\":\"file.txt\",\"query\":\"commit\","
                               "\"commit1\":\"HEAD\"}";
    int               ended = 0;

    (void)state;
    script("cd root/repo; for i in $(seq 1500); do printf 'commit refs/heads/main\ncommitter A "
           "<a@b.c> %%d +0000\ndata 1\nx\n' $((1800000000 + i)); [ $i = 1 ] && echo 'from "
           "refs/heads/main^0'; printf 'M 100644 inline file.txt\n"
           "data 5\n%%04d\n\n' $i; done | git fast-import --quiet");
    start_git(false);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        for (useconds_t us = 0; us < 20000; us += 500) {
            pthread_t thread;

            testhost_call_end(call);
            call = testhost_call_new(host, BP_SECONDS(60));
            assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &us), 0);
            ended += testhost_request_app(call, instance, "POST", routes[i], "", bp_str_of(body))
                         .status == BP_CANCELLED;
            pthread_join(thread, NULL);
        }
    assert_true(ended > 0);
}

static void linked_worktrees_and_bare_repositories_beneath_the_root_work(void **state)
{
    char path[256];
    (void)state;
    script("cd root/repo; git worktree add -q ../tree -b tree; git clone -q --bare . ../bare.git; "
           "echo x >>../tree/file.txt");
    start_git(true);
    snprintf(path, sizeof(path), "%s/tree", root);
    says(tool_in(path, "git_status", ""), "On branch tree");
    says(tool_in(path, "git_add", "\"files\":[\".\"]"), "Files staged successfully");
    says(tool_in(path, "git_commit", "\"message\":\"in the tree\""), "Changes committed");
    snprintf(path, sizeof(path), "%s/bare.git", root);
    says(tool_in(path, "git_log", ""), "Message: first");
    says(tool_in(path, "git_show", "\"revision\":\"HEAD:file.txt\""), "one\ntwo\n");
    fails(tool_in(path, "git_status", ""), BP_INVALID, "bare repository");
    fails(tool_in(path, "git_add", "\"files\":[\".\"]"), BP_INVALID, "bare repository");
}

static void odd_names_and_texts_that_are_not_utf8_are_shown(void **state)
{
    (void)state;
    script("cd root/repo; printf 'caf\\351\\n' >latin1; printf x >\"tab\there\"; printf y "
           ">'quo\"te'; git add .; git -c i18n.commitEncoding=latin1 commit -q -m odd; printf "
           "'caf\\351!\\n' >latin1; echo z >'new \\ file'");
    start_git(false);
    says(tool("git_show", "\"revision\":\"HEAD:latin1\""), "caf\xEF\xBF\xBD");
    says(tool("git_diff_unstaged", ""), "+caf\xEF\xBF\xBD!");
    says(tool("git_status", ""), "\t\"new \\\\ file\"");
    says(tool("git_show", "\"revision\":\"HEAD\""), "tab\there");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_repository, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_root_is_required),
        CASE(without_writes_only_reading_tools_are_offered),
        CASE(a_change_goes_from_the_tree_to_a_commit),
        CASE(deleted_files_can_be_staged_and_missing_ones_cannot),
        CASE(one_bad_path_stages_nothing),
        CASE(a_checkout_never_overwrites_local_changes),
        CASE(a_merge_is_concluded_with_both_parents),
        CASE(dates_are_understood_as_people_write_them),
        CASE(answers_are_bounded),
        CASE(the_routes_answer_as_promised),
        CASE(the_routes_refuse_what_they_should),
        CASE(a_prefix_sibling_of_the_root_is_outside),
        CASE(what_takes_too_long_ends),
        CASE(what_ends_anywhere_leaves_nothing),
        CASE(linked_worktrees_and_bare_repositories_beneath_the_root_work),
        CASE(odd_names_and_texts_that_are_not_utf8_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

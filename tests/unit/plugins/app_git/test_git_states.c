/* test_git_states.c - app/git in repositories that are not plain: shallow, in conflict, in a
 * rebase, of formats that libgit2 does not know, with branches in each other's way, and with trees
 * without end. What git itself prints is what the tools say.
 */
#include "plugins/app_git/git_test.h"

#include <time.h>

/* What git printed into DIRECTORY/name, behind `heading`, without the line feed at its end. */
static const char *printed(const char *heading, const char *name)
{
    static char text[1 << 16];
    char        path[256];
    size_t      len = (size_t)snprintf(text, sizeof(text), "%s", heading);
    FILE       *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "r");
    assert_non_null(file);
    len += fread(text + len, 1, sizeof(text) - 1 - len, file);
    fclose(file);
    text[len - (len && text[len - 1] == '\n')] = '\0';
    return text;
}

/* Behind the names that git gives a hunk, which are its own. */
static const char *without_headings(char *text)
{
    char *out = text;

    for (char *line = text; line;) {
        char *end = strchr(line, '\n'),
             *mark = strncmp(line, "@@@ ", 4) == 0 ? strstr(line + 4, " @@@") : NULL;
        size_t len = mark ? (size_t)(mark + 4 - line) : end ? (size_t)(end - line) : strlen(line);

        memmove(out, line, len);
        out += len;
        if (end)
            *out++ = '\n';
        line = end ? end + 1 : NULL;
    }
    *out = '\0';
    return text;
}

#define CONFLICTS                                                                                  \
    "cd root/repo; seq 1 60 >file.txt; seq 1 30 >clean.txt; printf 'a\\n' >gone.txt; git add .; "  \
    "git commit -qm base; "                                                                        \
    "git checkout -q -b side; sed -i -e '5s/.*/side five/' -e '30s/.*/side thirty/' -e '50d' -e "  \
    "'58s/.*/same/' file.txt; "                                                                    \
    "git rm -q gone.txt; sed -i '3s/.*/side/' clean.txt; git commit -qam 'side changes'; "         \
    "git checkout -q main; sed -i -e '5s/.*/main five/' -e '20s/.*/main twenty/' -e '50s/.*/main " \
    "fifty/' -e "                                                                                  \
    "'58s/.*/same/' file.txt; printf 'b\\n' >gone.txt; git commit -qam 'main changes'; "

static void conflicts_of_a_merge_are_shown_as_git_shows_them(void **state)
{
    (void)state;
    script(CONFLICTS "git merge side || true; git status >../../status; git diff --cc -- file.txt "
                     ">../../diff");
    start_git(true);
    says_exactly(tool("git_status", ""), printed("Repository status:\n", "status"));
    printed("Unstaged changes:\n", "diff");
    {
        char *wanted = strdup(
            without_headings((char *)(uintptr_t)printed("Unstaged changes:\n", "diff")));

        says(tool("git_diff_unstaged", ""), wanted);
        free(wanted);
    }
    says(tool("git_diff_unstaged", ""), "* Unmerged path gone.txt");
    says(tool("git_diff_staged", ""), "* Unmerged path file.txt");
    says(tool("git_diff_staged", ""), "diff --git a/clean.txt b/clean.txt");
    fails(tool("git_commit", "\"message\":\"m\""), BP_CONFLICT, "conflicts");
    // A reset ends the merge: the next commit has one parent.
    says(tool("git_reset", ""), "reset");
    assert_false(exists("root/repo/.git/MERGE_HEAD"));
    says(tool("git_add", "\"files\":[\".\"]"), "staged");
    says(tool("git_commit", "\"message\":\"m\""), "committed");
    script("cd root/repo; git rev-list --parents -1 HEAD >../../parents");
    assert_int_equal(strlen(printed("", "parents")), 81);
}

static void a_rebase_is_told_and_survives_a_commit(void **state)
{
    (void)state;
    script(CONFLICTS "git checkout -q side; git rebase main || true; git status >../../status");
    start_git(true);
    says_exactly(tool("git_status", ""), printed("Repository status:\n", "status"));
    says(tool("git_diff_unstaged", ""), "diff --cc file.txt");
    script("cd root/repo; git checkout -q --ours file.txt; git rm -q gone.txt || true; git add "
           "file.txt; git status >../../status");
    says_exactly(tool("git_status", ""), printed("Repository status:\n", "status"));
    says(tool("git_commit", "\"message\":\"solved\""), "committed");
    script(
        "cd root/repo; git rebase --continue; test \"$(git rev-parse --abbrev-ref HEAD)\" = side");
}

static void other_unmerged_states_are_named(void **state)
{
    (void)state;
    script("cd root/repo; git checkout -q -b side; printf 'x\\n' >both.txt; git add .; git commit "
           "-qm s; git checkout -q main; printf 'y\\n' >both.txt; git add .; git commit -qm m; git "
           "merge side || true; git diff >../../diff");
    start_git(false);
    says_exactly(tool("git_diff_unstaged", ""), printed("Unstaged changes:\n", "diff"));
}

static void a_shallow_clone_ends_where_it_ends(void **state)
{
    (void)state;
    script("cd root/repo; for i in 2 3 4 5; do echo $i >>file.txt; git commit -qam commit$i; done; "
           "git branch old HEAD~3; cd ..; git clone -q --depth 2 --no-single-branch "
           "\"file://$PWD/repo\" shallow; cd shallow; git commit -q --allow-empty -m mine; git "
           "status >../../status; git log --format=%%H >../../log");
    start_git(false);
    {
        char path[256];

        snprintf(path, sizeof(path), "%s/shallow", root);
        says_exactly(tool_in(path, "git_status", ""), printed("Repository status:\n", "status"));
        says(tool_in(path, "git_log", ""), "commit4");
        says(tool_in(path, "git_log", ""), "older commits are not in this shallow clone");
        says(tool_in(path, "git_show", "\"revision\":\"HEAD~2\""), "+++ b/file.txt");
        says(tool_in(path, "git_show", "\"revision\":\"HEAD~2\""), "end of a shallow clone");
        fails(tool_in(path, "git_show", "\"revision\":\"HEAD~3\""), BP_NOT_FOUND, "shallow clone");
        says(tool_in(path, "git_branch", "\"branch_type\":\"local\",\"contains\":\"HEAD~1\""),
             "* main");
        says(tool_in(path, "git_branch", "\"branch_type\":\"remote\",\"not_contains\":\"HEAD~1\""),
             "origin/old");
        fails(tool_in(path, "git_diff", "\"target\":\"HEAD...origin/old\""), BP_UNSUPPORTED,
              "shallow clone");
    }
}

static void what_is_not_read_here_is_not_called_damaged(void **state)
{
    char path[256];

    (void)state;
    script("cd root; git init -q --object-format=sha256 sha256; cd sha256; echo x >x; git add .; "
           "git commit -qm x; cd ..; cp -r repo split; cd split; git update-index --split-index; "
           "cd ..; cp -r repo sparse; cd sparse; mkdir d e; echo x >d/x; echo y >e/y; git add .; "
           "git commit -qm d; git sparse-checkout init --cone --sparse-index; git sparse-checkout "
           "set d; cp -r ../sparse ../cone; cd ../cone; git sparse-checkout reapply "
           "--no-sparse-index; git status >../../cone");
    start_git(true);
    snprintf(path, sizeof(path), "%s/sha256", root);
    fails(tool_in(path, "git_status", ""), BP_UNSUPPORTED, "SHA-256");
    fails(tool_in(path, "git_log", ""), BP_UNSUPPORTED, "sound");
    snprintf(path, sizeof(path), "%s/split", root);
    fails(tool_in(path, "git_status", ""), BP_UNSUPPORTED, "index is split");
    fails(tool_in(path, "git_add", "\"files\":[\".\"]"), BP_UNSUPPORTED, "index is split");
    fails(tool_in(path, "git_reset", ""), BP_UNSUPPORTED, "index is split");
    fails(tool_in(path, "git_checkout", "\"branch_name\":\"main\""), BP_UNSUPPORTED,
          "index is split");
    says(tool_in(path, "git_log", ""), "first");
    says(tool_in(path, "git_show", "\"revision\":\"HEAD\""), "+one");
    snprintf(path, sizeof(path), "%s/sparse", root);
    fails(tool_in(path, "git_diff_unstaged", ""), BP_UNSUPPORTED, "--no-sparse-index");
    says(tool_in(path, "git_diff", "\"target\":\"HEAD~1..HEAD\""), "b/e/y");
    snprintf(path, sizeof(path), "%s/cone", root);
    says_exactly(tool_in(path, "git_status", ""), printed("Repository status:\n", "cone"));
    says_exactly(tool_in(path, "git_diff_unstaged", ""), "Unstaged changes:\n");
    says_exactly(tool_in(path, "git_diff", "\"target\":\"HEAD\""), "Diff with HEAD:\n");
    says(tool_in(path, "git_add", "\"files\":[\".\"]"),
         "No changes were staged"); // it would delete what is left out
}

static void branches_in_each_others_way_are_told(void **state)
{
    (void)state;
    script("cd root/repo; git branch feature; git branch topic/x; git branch packed/y; git "
           "pack-refs --all");
    start_git(true);
    fails(tool("git_create_branch", "\"branch_name\":\"feature/x\""), BP_CONFLICT,
          "the branch 'feature' is there");
    fails(tool("git_create_branch", "\"branch_name\":\"topic\""), BP_CONFLICT,
          "the branch 'topic/x' is there");
    fails(tool("git_create_branch", "\"branch_name\":\"packed/y/z\""), BP_CONFLICT,
          "the branch 'packed/y' is there");
    fails(tool("git_create_branch", "\"branch_name\":\"feature\""), BP_CONFLICT, "already exists");
    says(tool("git_create_branch", "\"branch_name\":\"features\""), "Created");
}

static void what_is_cut_is_told(void **state)
{
    const testhost_option options[] = { { "repositories", root }, { "log_commits", "3" } };
    char                  body[512];
    testhost_reply        reply;

    (void)state;
    script(
        "cd root/repo; for i in 2 3 4 5; do echo needle$i >>file.txt; git commit -qam commit$i; "
        "done; head -c 5000000 /dev/zero | tr '\\0' 'x' >large; git add .; git commit -qm large");
    start(options, 2);
    says(tool("git_log", "\"max_count\":5"), "more commits are not shown, beyond the first 3");
    assert_null(strstr(text_of(tool("git_log", "\"max_count\":2")).data, "not shown"));
    snprintf(body, sizeof(body), "{\"repo_path\":\"%s/repo\",\"max_commits\":2}", root);
    next_call();
    reply = testhost_request_app(call, instance, "POST", "/log", "", bp_str_of(body));
    assert_non_null(strstr(reply.body.data, "\"more\":true"));
    snprintf(body, sizeof(body),
             "{\"repo_path\":\"%s/repo\",\"query\":\"NEEDLE\",\"max_results\":2}", root);
    next_call();
    reply = testhost_request_app(call, instance, "POST", "/search", "", bp_str_of(body));
    assert_non_null(strstr(reply.body.data, "\"more\":true"));
    snprintf(body, sizeof(body), "{\"repo_path\":\"%s/repo\",\"query\":\"needle5\"}", root);
    next_call();
    reply = testhost_request_app(call, instance, "POST", "/search", "", bp_str_of(body));
    assert_non_null(strstr(reply.body.data, "\"more\":false,\"files_left_out\":1"));
}

/* ---- work made for us ---- */

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A tree of 20,000 levels with a file in each: paths of 40 kB, 400 MB of them. Made by git mktree
 * from below. */
static void a_tree_of_20000_levels_is_bounded(void **state)
{
    static const char *const calls[][2] = {
        { "git_show", "\"revision\":\"deep\"" },
        { "git_diff", "\"target\":\"HEAD..deep\"" },
        { "git_diff", "\"target\":\"deep\"" },
        { "git_checkout", "\"branch_name\":\"deep\"" },
        { "git_status", "" },
        { "git_log", "" },
        { "git_branch", "\"branch_type\":\"all\",\"contains\":\"HEAD\"" },
    };
    char           body[512];
    testhost_reply reply;

    (void)state;
    script("cd root/repo; python3 -B - <<'END'\n"
           "import hashlib, subprocess\n"
           "def blob(kind, data): return hashlib.sha1(kind + b' %%d\\0' %% len(data) + "
           "data).digest()\n"
           "import zlib, struct\n"
           "items = [(3, b'x\\n')]; f = blob(b'blob', b'x\\n'); t = None\n"
           "for i in range(20000):\n"
           "    data = (b'40000 a\\0' + t if t else b'') + b'100644 f\\0' + f\n"
           "    items.append((2, data)); t = blob(b'tree', data)\n"
           "c = b'tree ' + t.hex().encode() + b'\\nauthor A <a@b> 1 +0000\\ncommitter A <a@b> 1 "
           "+0000\\n\\ndeep\\n'\n"
           "items.append((1, c))\n"
           "pack = b'PACK' + struct.pack('>II', 2, len(items))\n"
           "for kind, data in items:\n"
           "    n = len(data); b = (kind << 4) | (n & 15); n >>= 4\n"
           "    head = b''\n"
           "    while n: head += bytes([b | 128]); b = n & 127; n >>= 7\n"
           "    pack += head + bytes([b]) + zlib.compress(data, 1)\n"
           "pack += hashlib.sha1(pack).digest()\n"
           "subprocess.run(['git', 'unpack-objects', '-q'] if 0 else ['git', 'index-pack', "
           "'--stdin'], input=pack, check=True)\n"
           "subprocess.run(['git', 'update-ref', 'refs/heads/deep', blob(b'commit', c).hex()], "
           "check=True)\n"
           "END\n");
    start_git(true);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        double             before = cpu_s();
        testhost_mcp_reply said = tool(calls[i][0], calls[i][1]);

        if (cpu_s() - before > 5)
            fail_msg("%s %s took %.1f s", calls[i][0], calls[i][1], cpu_s() - before);
        if (said.status != BP_OK && said.status != BP_TOO_LARGE)
            fail_msg("%s %s: " BP_FMT, calls[i][0], calls[i][1],
                     BP_ARG(bp_error_of(call)->message));
    }
    fails(tool("git_show", "\"revision\":\"deep\""), BP_TOO_LARGE, "nested");
    snprintf(body, sizeof(body),
             "{\"repo_path\":\"%s/repo\",\"query\":\"nowhere\",\"revision\":\"deep\"}", root);
    next_call();
    reply = testhost_request_app(call, instance, "POST", "/search", "", bp_str_of(body));
    assert_status(reply.status, BP_TOO_LARGE);
}

/* Of a text and a query that are all but alike everywhere no search takes the square. */
static void a_search_takes_no_square_of_time(void **state)
{
    char          *body = malloc(2100000);
    size_t         len;
    double         before;
    testhost_reply reply;

    (void)state;
    script("cd root/repo; head -c 4000000 /dev/zero | tr '\\0' 'a' >all; git add .; git commit -qm "
           "all");
    start_git(false);
    len = (size_t)snprintf(body, 2100000, "{\"repo_path\":\"%s/repo\",\"query\":\"", root);
    memset(body + len, 'a', 1000000);
    snprintf(body + len + 1000000, 16, "b\"}");
    next_call();
    before = cpu_s();
    reply = testhost_request_app(call, instance, "POST", "/search", "", bp_str_of(body));
    assert_ok(reply.status);
    assert_true(cpu_s() - before < 2);
    free(body);
}

/* Two files of millions of short lines, which libgit2 would compare for minutes without asking
 * anybody. */
static void files_of_very_many_lines_are_named_instead_of_compared(void **state)
{
    char           body[512];
    testhost_reply reply;
    double         before;

    (void)state;
    script(
        "cd root/repo; awk 'BEGIN { srand(1); for (i = 0; i < 1500000; i++) print int(rand() * 4) "
        "}' >many; git add .; git commit -qm one; awk 'BEGIN { srand(2); for (i = 0; i < 1500000; "
        "i++) print int(rand() * 4) }' >many; echo three >>file.txt; git commit -qam two; awk "
        "'BEGIN { srand(3); for (i = 0; i < 1500000; i++) print int(rand() * 4) }' >many");
    start_git(true);
    before = cpu_s();
    says(tool("git_show", "\"revision\":\"HEAD\""),
         "many has more than 200000 lines and is not compared");
    says(tool("git_show", "\"revision\":\"HEAD\""), "+three");
    says(tool("git_diff_unstaged", ""), "many has more than 200000 lines");
    says(tool("git_diff", "\"target\":\"HEAD~1\""), "many has more than 200000 lines");
    snprintf(body, sizeof(body), "{\"repo_path\":\"%s/repo\",\"path\":\"many\"}", root);
    next_call();
    reply = testhost_request_app(call, instance, "POST", "/blame", "", bp_str_of(body));
    assert_status(reply.status, BP_TOO_LARGE);
    assert_true(cpu_s() - before < 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_repository, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(conflicts_of_a_merge_are_shown_as_git_shows_them),
        TEST(a_rebase_is_told_and_survives_a_commit),
        TEST(other_unmerged_states_are_named),
        TEST(a_shallow_clone_ends_where_it_ends),
        TEST(what_is_not_read_here_is_not_called_damaged),
        TEST(branches_in_each_others_way_are_told),
        TEST(what_is_cut_is_told),
        TEST(files_of_very_many_lines_are_named_instead_of_compared),
        TEST(a_search_takes_no_square_of_time),
        TEST(a_tree_of_20000_levels_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

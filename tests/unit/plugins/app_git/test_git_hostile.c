/* test_git_hostile.c - repositories that somebody prepared: nothing of them is run, nothing outside
 * is read or written. Where something could be run, running it would leave the file `canary`. */
#include "git_test.h"

#define CANARY "touch $PWD/../../canary"

static void all_refuse(const char *why)
{
    fails(tool("git_status", ""), BP_DENIED, why);
    fails(tool("git_log", ""), BP_DENIED, why);
    fails(tool("git_show", "\"revision\":\"HEAD\""), BP_DENIED, why);
    fails(tool("git_add", "\"files\":[\".\"]"), BP_DENIED, why);
    fails(tool("git_commit", "\"message\":\"m\""), BP_DENIED, why);
}

static void a_config_full_of_commands_runs_none(void **state)
{
    (void)state;
    script("cd root/repo; run=\"" CANARY
           "\"; command git config core.fsmonitor \"$run\"; command git config core.pager "
           "\"$run\"; command git config core.sshCommand \"$run\"; command git config core.editor "
           "\"$run\"; command git config core.hooksPath \"$PWD/hooks\"; command git config "
           "diff.external \"$run\"; command git config diff.x.command \"$run\"; command git config "
           "diff.x.textconv \"$run\"; command git config filter.x.clean \"$run\"; command git "
           "config filter.x.smudge \"$run\"; command git config filter.x.process \"$run\"; command "
           "git config filter.x.required true; command git config merge.x.driver \"$run\"; command "
           "git config alias.status \"!$run\"; command git config credential.helper \"!$run\"; "
           "command git config gpg.program \"$run\"; command git config commit.gpgSign true; "
           "command git config uploadpack.packObjectsHook \"$run\"; printf '* filter=x diff=x "
           "merge=x\\n' >.gitattributes; printf 'three\\n' >>file.txt; mkdir -p hooks; for hook in "
           "pre-commit post-commit commit-msg prepare-commit-msg post-checkout post-index-change "
           "reference-transaction; do printf '#!/bin/sh\\n%%s\\n' \"$run\" >hooks/$hook; chmod +x "
           "hooks/$hook; cp hooks/$hook .git/hooks/$hook; done");
    start_git(true);
    use_all_tools();
    says(tool("git_branch", "\"branch_type\":\"local\""), "* new");
    assert_false(exists("canary"));
    assert_false(exists("root/canary"));
}

static void a_canary_would_sing(void **state)
{
    (void)state;
    script("cd root/repo; command git config core.fsmonitor \"" CANARY
           "\"; command git status || true");
    assert_true(exists("canary")); // or the test before proves nothing
}

static void a_config_that_includes_others_is_refused(void **state)
{
    (void)state;
    script("cd root/repo; printf '[user]\\nname = stolen\\n' >../../secret; printf "
           "'[include]\\npath = %%s\\n' \"$PWD/../../secret\" >>.git/config");
    start_git(true);
    all_refuse("include section");
    script("cd root/repo; sed -i 's/.include./[ IncludeIf \"gitdir:**\"]/' .git/config");
    all_refuse("include section");
}

static void a_working_tree_elsewhere_is_refused(void **state)
{
    (void)state;
    script("mkdir -p elsewhere; echo secret >elsewhere/file.txt; cd root/repo; "
           "command git config core.worktree \"$PWD/../../elsewhere\"");
    start_git(true);
    all_refuse("core.worktree");
    script("cd root/repo; command git config core.worktree ../..");
    all_refuse("core.worktree");
}

static void a_git_directory_outside_is_refused(void **state)
{
    (void)state;
    script("mkdir -p elsewhere; mv root/repo/.git elsewhere/.git; printf 'gitdir: "
           "%%s/elsewhere/.git\\n' \"$PWD\" >root/repo/.git");
    start_git(true);
    all_refuse(".git leads out of the root");
    script("printf 'gitdir: ../../elsewhere/.git\\n' >root/repo/.git");
    all_refuse(".git leads out of the root");
    script("rm root/repo/.git; ln -s ../../elsewhere/.git root/repo/.git");
    all_refuse(".git leads out of the root");
    script("rm root/repo/.git; printf 'nonsense' >root/repo/.git");
    all_refuse("names no place");
    script("rm root/repo/.git; mkfifo root/repo/.git");
    fails(tool("git_status", ""), BP_DENIED, "");
}

static void a_common_directory_outside_is_refused(void **state)
{
    (void)state;
    script(
        "cp -r root/repo elsewhere; printf '../../../elsewhere/.git\\n' >root/repo/.git/commondir");
    start_git(true);
    all_refuse("common directory lies outside");
}

static void objects_from_outside_are_refused(void **state)
{
    (void)state;
    script("cp -r root/repo elsewhere; mkdir -p root/repo/.git/objects/info; printf "
           "'%%s/elsewhere/.git/objects\\n' \"$PWD\" >root/repo/.git/objects/info/alternates");
    start_git(true);
    all_refuse("alternates lead out");
    script(
        "printf '../../../../elsewhere/.git/objects\\n' >root/repo/.git/objects/info/alternates");
    all_refuse("alternates lead out");
    // two steps
    script("cp -r root/repo root/other; printf '../../../other/.git/objects\\n' "
           ">root/repo/.git/objects/info/alternates");
    all_refuse("alternates lead out");
    script("rm root/other/.git/objects/info/alternates");
    says(tool("git_log", ""), "Message: first");
    script("rm -r root/repo/.git/objects; ln -s ../../../elsewhere/.git/objects "
           "root/repo/.git/objects");
    all_refuse("symbolic link leads out");
}

static void links_and_pipes_among_gits_files_are_refused(void **state)
{
    static const char *const files[] = { "HEAD",
                                         "config",
                                         "index",
                                         "packed-refs",
                                         "info/exclude",
                                         "refs/heads/x",
                                         "objects/pack/pack-1.idx",
                                         "logs/HEAD" };
    (void)state;
    script("echo ref: refs/heads/main >outside");
    start_git(true);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        script("cp -r root/repo/.git saved; mkdir -p \"$(dirname root/repo/.git/%s)\"; rm -f "
               "root/repo/.git/%s; ln -s $PWD/outside root/repo/.git/%s",
               files[i], files[i], files[i]);
        fails(tool("git_status", ""), BP_DENIED, "");
        script("rm root/repo/.git/%s; mkfifo root/repo/.git/%s", files[i], files[i]);
        fails(tool("git_status", ""), BP_DENIED, "");
        script("rm -r root/repo/.git; mv saved root/repo/.git");
    }
    says(tool("git_status", ""), "nothing to commit, working tree clean");
}

static void an_ignore_file_that_is_none_is_refused(void **state)
{
    (void)state;
    start_git(true);
    script("mkdir root/repo/deep; mkfifo root/repo/deep/.gitignore; echo x >root/repo/deep/x");
    fails(tool("git_status", ""), BP_DENIED, ".gitignore");
    script("rm root/repo/deep/.gitignore; echo 'x' >outside; ln -s ../../../outside "
           "root/repo/deep/.gitattributes");
    fails(tool("git_diff_unstaged", ""), BP_DENIED, ".gitattributes");
    says(tool("git_log", ""), "Message: first"); // which looks at no file of the working tree
}

static void a_pipe_in_the_working_tree_is_not_read(void **state)
{
    (void)state;
    script("rm root/repo/file.txt; mkfifo root/repo/file.txt root/repo/untracked");
    start_git(true);
    says(tool("git_status", ""), "file.txt");
    tool("git_diff_unstaged", "");
    tool("git_add", "\"files\":[\".\"]");
}

static void a_ref_that_looks_like_an_option_is_data(void **state)
{
    (void)state;
    script("cd root/repo; command git rev-parse HEAD >\".git/refs/heads/--output=x\"; "
           "command git rev-parse HEAD >.git/refs/heads/-f");
    start_git(true);
    says(tool("git_branch", "\"branch_type\":\"local\""), "--output=x");
    fails(tool("git_diff", "\"target\":\"--output=x\""), BP_INVALID, "cannot start with '-'");
    fails(tool("git_show", "\"revision\":\"-f\""), BP_INVALID, "cannot start with '-'");
    fails(tool("git_checkout", "\"branch_name\":\"-f\""), BP_INVALID, "cannot start with '-'");
    says(tool("git_show", "\"revision\":\"refs/heads/--output=x\""), "first");
    assert_false(exists("root/repo/x"));
}

static void a_submodule_is_not_opened(void **state)
{
    (void)state;
    script("cp -r root/repo sub; cd root/repo; git submodule add -q ../../sub inner; git commit -q "
           "-m sub; cd inner; command git config core.fsmonitor \"touch $PWD/../../../canary\"; "
           "command git config core.worktree /; echo changed >>file.txt; cd ..; rm -rf other; git "
           "init -q other; cd other; command git config core.worktree /; mkfifo .git/HEAD.lock; rm "
           ".git/HEAD; mkfifo .git/HEAD");
    start_git(true);
    says(tool("git_status", ""), "On branch main");
    tool("git_add", "\"files\":[\"file.txt\"]");
    tool("git_diff", "\"target\":\"HEAD~1\"");
    says(tool("git_show", "\"revision\":\"HEAD\""), "Subproject commit");
    use_all_tools();
    fails(tool("git_checkout", "\"branch_name\":\"main~1\""), BP_CONFLICT,
          "'inner' would be overwritten");
    assert_false(exists("canary"));
}

static void a_link_in_the_working_tree_is_not_followed(void **state)
{
    (void)state;
    script("mkdir -p outside; echo secret >outside/secret; cd root/repo; ln -s ../../outside dir; "
           "ln -s ../../outside/secret f");
    start_git(true);
    fails(tool("git_add", "\"files\":[\"dir/secret\"]"), BP_DENIED, "is outside the repository");
    fails(tool("git_add", "\"files\":[\"f\"]"), BP_DENIED, "is outside the repository");
    says(tool("git_add", "\"files\":[\".\"]"), "Files staged successfully"); // as links
    says(tool("git_diff_staged", ""), "new file mode 120000");
    assert_null(strstr(text_of(tool("git_diff_staged", "")).data, "+secret"));
    script("cd root/repo; command git commit -q -m links; command git rm -q --cached dir; rm dir; "
           "mkdir dir; echo mine >dir/secret; command git add dir; command git commit -q -m "
           "folder; command git branch folder; command git reset -q --hard HEAD~1");
    says(tool("git_checkout", "\"branch_name\":\"folder\""),
         "Switched to branch 'folder'");         // replaces the link
    script("grep -q '^secret$' outside/secret"); // nothing was written through it
}

static void a_hundred_thousand_refs_are_bounded(void **state)
{
    (void)state;
    script(
        "cd root/repo; id=$(command git rev-parse HEAD); { echo '# pack-refs with: peeled "
        "fully-peeled sorted '; seq -f \"$id refs/heads/b%%06.0f\" 0 149999; } >.git/packed-refs");
    start_git(false);
    says(tool("git_branch", "\"branch_type\":\"local\""), "b149999");
    says(tool("git_status", ""), "working tree clean");
    says(tool("git_branch", "\"branch_type\":\"local\",\"contains\":\"HEAD\""), "b000000");
}

static void an_object_that_grows_when_it_is_read_is_refused(void **state)
{
    (void)state;
    script("cd root/repo; id=$(head -c 100M /dev/zero | command git hash-object -w --stdin); "
           "command git update-index --add --cacheinfo 100644,$id,bomb; command git commit -q -m "
           "bomb; echo two >>file.txt; command git checkout -q -b x");
    start_git(true);
    fails(tool("git_show", "\"revision\":\"HEAD:bomb\""), BP_TOO_LARGE, "larger than 64 MiB");
    says(tool("git_show", "\"revision\":\"HEAD\""), "bomb"); // as a binary file
    fails(tool("git_show", "\"revision\":\"36406a1e\""), BP_TOO_LARGE,
          "larger than 64 MiB"); // 100 MiB of zeros
    next_call();
    assert_ok(testhost_request_app(call, instance, "POST", "/search", "",
                                   bp_str_of("{\"repo_path\":\"repo\",\"query\":\"two\"}"))
                  .status);
    script("truncate -s 100M root/repo/large");
    fails(tool("git_add", "\"files\":[\"large\"]"), BP_TOO_LARGE, "larger than 64 MiB");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_repository, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_config_full_of_commands_runs_none),
        CASE(a_canary_would_sing),
        CASE(a_config_that_includes_others_is_refused),
        CASE(a_working_tree_elsewhere_is_refused),
        CASE(a_git_directory_outside_is_refused),
        CASE(a_common_directory_outside_is_refused),
        CASE(objects_from_outside_are_refused),
        CASE(links_and_pipes_among_gits_files_are_refused),
        CASE(an_ignore_file_that_is_none_is_refused),
        CASE(a_pipe_in_the_working_tree_is_not_read),
        CASE(a_ref_that_looks_like_an_option_is_data),
        CASE(a_submodule_is_not_opened),
        CASE(a_link_in_the_working_tree_is_not_followed),
        CASE(an_object_that_grows_when_it_is_read_is_refused),
        CASE(a_hundred_thousand_refs_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

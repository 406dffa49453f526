/* test_git_damaged.c - repositories with damaged files: an error, and no crash. A program of its
 * own, since libgit2 1.5 itself loses some memory when it meets such files; that is not counted
 * here, and everywhere else it would be. */
#include "git_test.h"

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libgit2.so\nleak:libpcre2-8.so\n";
}

static void a_damaged_repository_is_an_error_and_no_crash(void **state)
{
    static const char *const files[] = { "index", "HEAD", "config", "packed-refs",
                                         "refs/heads/main" };
    (void)state;
    start_git(true);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        script("cp -r root/repo/.git saved; head -c 5000 /dev/urandom >root/repo/.git/%s",
               files[i]);
        use_all_tools();
        script("rm -r root/repo/.git; mv saved root/repo/.git");
    }
    script("cd root/repo; for f in $(find .git/objects -type f); do chmod u+w $f; head -c 100 "
           "/dev/urandom >$f; done");
    use_all_tools();
    assert_int_not_equal(tool("git_log", "").status, BP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_damaged_repository_is_an_error_and_no_crash,
                                        setup_repository, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

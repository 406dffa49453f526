/* test_confine.c - app/filesystem: the second wall alone. A thread that it has confined opens what
 * it likes, without the first wall, and the kernel refuses what is not in the roots.
 */
#include "../../../../plugins/app/filesystem/confine.c"
#include "../../../../plugins/app/filesystem/failure.c"
#include "plugins/app_filesystem/filesystem_test.h"

enum { IS_OPEN = 0 };

/* What a confined thread is answered. */
struct attempt {
    struct filesystem_shared *shared;
    bp_status                 status;
    int read_inside, read_outside, write_inside, write_outside, list_outside, make_inside,
        rename_out, unlink_outside;
};

static int outcome_of(int result)
{
    int problem = result < 0 ? errno : IS_OPEN;

    if (result > 2)
        close(result);
    return problem;
}

static void *try_all(void *arg)
{
    struct attempt *attempt = arg;

    attempt->status = confine_thread(call, attempt->shared);
    attempt->read_inside = outcome_of(open(path_to("root/a.txt"), O_RDONLY));
    attempt->read_outside = outcome_of(open(path_to("outside/secret.txt"), O_RDONLY));
    attempt->write_inside = outcome_of(open(path_to("root/a.txt"), O_WRONLY));
    attempt->write_outside = outcome_of(open(path_to("outside/secret.txt"), O_WRONLY | O_TRUNC));
    attempt->list_outside = outcome_of(open("/etc", O_RDONLY | O_DIRECTORY));
    attempt->make_inside = outcome_of(mkdir(path_to("root/made"), 0755));
    attempt->rename_out = outcome_of(rename(path_to("root/sub"), path_to("outside/sub")));
    attempt->unlink_outside = outcome_of(unlink(path_to("outside/secret.txt")));
    return NULL;
}

static struct attempt confined(bool read_only)
{
    struct filesystem        self = { .read_only = read_only, .landlock = LANDLOCK_AUTO };
    struct filesystem_shared shared = {
        .root_count = 1, .roots = { { .path = root, .given = root, .fd = open(root, O_PATH) } }
    };
    struct attempt attempt = { .shared = &shared };
    pthread_t      thread;

    call = testhost_call_new(host, BP_SECONDS(60));
    assert_ok(confine_create(call, &self, &shared));
    if (shared.ruleset < 0)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, try_all, &attempt), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(shared.ruleset);
    close(shared.roots[0].fd);
    return attempt;
}

static void a_confined_thread_has_the_roots_and_nothing_else(void **state)
{
    struct attempt attempt = confined(false);
    (void)state;
    assert_int_equal(attempt.status, BP_OK);
    assert_int_equal(attempt.read_inside, IS_OPEN);
    assert_int_equal(attempt.write_inside, IS_OPEN);
    assert_int_equal(attempt.make_inside, IS_OPEN);
    assert_int_equal(attempt.read_outside, EACCES);
    assert_int_equal(attempt.write_outside, EACCES);
    assert_int_equal(attempt.list_outside, EACCES);
    assert_int_not_equal(attempt.rename_out, IS_OPEN);
    assert_int_equal(attempt.unlink_outside, EACCES);
    assert_string_equal(content_of("outside/secret.txt"), SECRET); // this thread is free
}

static void a_confined_thread_of_a_read_only_instance_writes_nowhere(void **state)
{
    struct attempt attempt = confined(true);
    (void)state;
    assert_int_equal(attempt.status, BP_OK);
    assert_int_equal(attempt.read_inside, IS_OPEN);
    assert_int_equal(attempt.write_inside, EACCES);
    assert_int_equal(attempt.make_inside, EACCES);
    assert_int_equal(attempt.read_outside, EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_confined_thread_has_the_roots_and_nothing_else),
        TEST(a_confined_thread_of_a_read_only_instance_writes_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

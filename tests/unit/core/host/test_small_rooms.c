/* test_small_rooms.c - the lock of a data folder, the paths of an installation, the report of a
 * conf, and what is said and logged of a failed start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../../lib/caught.h"
#include "host/data_lock.h"
#include "host/paths.h"
#include "host/report.h"
#include "host/steps.h"

static char folder[] = "/tmp/backplane-test-XXXXXX", lock_path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(lock_path, sizeof(lock_path), "%s/server.lock", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(lock_path);
    return rmdir(folder);
}

/* ---- the lock ---- */

static void read_file(const char *path, char text[4096])
{
    FILE  *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, 4095, file) : 0;

    text[len] = '\0';
    if (file)
        fclose(file);
}

static void one_server_has_a_folder_and_the_next_one_is_told_who(void **state)
{
    struct reason why = { "before" };
    struct stat   info;
    bool          is_refused = true;
    char          expected[1024], text[4096];
    int           fd = data_lock_take(folder, "first.yaml", &is_refused, &why), other;

    (void)state;
    assert_true(fd >= 0);
    assert_false(is_refused);
    assert_string_equal(why.text, "");
    snprintf(expected, sizeof(expected), "the process id %ld and the conf first.yaml\n",
             (long)getpid());
    read_file(lock_path, text);
    assert_string_equal(text, expected);
    assert_int_equal(stat(lock_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    assert_int_equal(data_lock_take(folder, "second.yaml", &is_refused, &why), -1);
    assert_true(is_refused);
    snprintf(expected, sizeof(expected),
             "data_dir: the folder %s is used by the server with the process id %ld and the conf "
             "first.yaml: stop that one, run the command with --url, or give this server its own "
             "data_dir",
             folder, (long)getpid());
    assert_string_equal(why.text, expected);

    close(fd);
    other = data_lock_take(folder, "b", &is_refused, &why); // a shorter text leaves none behind
    assert_true(other >= 0);
    assert_int_equal(other, fd); // no descriptor of the refused one is left
    assert_false(is_refused);
    assert_string_equal(why.text, "");
    snprintf(expected, sizeof(expected), "the process id %ld and the conf b\n", (long)getpid());
    read_file(lock_path, text);
    assert_string_equal(text, expected);
    close(other);
}

static void a_lock_without_words_is_of_an_unknown_process(void **state)
{
    struct reason why = { "" };
    bool          is_refused = false;
    char          expected[1024];
    int           fd = data_lock_take(folder, "c.yaml", &is_refused, &why);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(data_lock_take(folder, "d.yaml", &is_refused, &why), -1);
    assert_true(is_refused);
    snprintf(expected, sizeof(expected),
             "data_dir: the folder %s is used by the server with an unknown process id: stop that "
             "one, run the command with --url, or give this server its own data_dir",
             folder);
    assert_string_equal(why.text, expected);
    close(fd);
}

static void where_no_lock_can_be_made_nobody_is_refused(void **state)
{
    struct reason why = { "before" };
    bool          is_refused = true;

    (void)state;
    assert_int_equal(data_lock_take("/dev/null", "c.yaml", &is_refused, &why), -1);
    assert_false(is_refused);
    assert_string_equal(why.text, "");
}

/* ---- paths ---- */

static void paths_begin_at_the_program(void **state)
{
    char    program[PATH_MAX], found[PATH_MAX], expected[PATH_MAX + 64];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

    (void)state;
    program[len] = '\0';
    *strrchr(program, '/') = '\0';
    paths_beside_program("x/y", found, sizeof(found));
    snprintf(expected, sizeof(expected), "%s/x/y", program);
    assert_string_equal(found, expected);
    paths_beside_program("x/y", found, strlen(expected) + 1);
    assert_string_equal(found, expected);
    paths_beside_program("x/y", found, strlen(expected));
    assert_string_equal(found, ""); // what does not fit is no path

    *strrchr(program, '/') = '\0';
    paths_share(found, sizeof(found));
    snprintf(expected, sizeof(expected), "%s/share/backplane", program);
    assert_string_equal(found, expected);
    unsetenv("BACKPLANE_PLUGINS");
    paths_plugins(found, sizeof(found));
    snprintf(expected, sizeof(expected), "%s/plugins", program);
    assert_string_equal(found, expected);
    setenv("BACKPLANE_PLUGINS", "", 1);
    paths_plugins(found, sizeof(found));
    assert_string_equal(found, expected);
    setenv("BACKPLANE_PLUGINS", "/some/where", 1);
    paths_plugins(found, sizeof(found));
    assert_string_equal(found, "/some/where");

    *strrchr(program, '/') = '\0';
    paths_beside_program("../../x", found, sizeof(found));
    snprintf(expected, sizeof(expected), "%s/x", program);
    assert_string_equal(found, expected);
}

/* ---- failures ---- */

static void a_failed_start_is_said_and_stands_in_the_log_file(void **state)
{
    char        path[64], text[4096];
    struct conf conf = { .file = "c.yaml" };
    struct host host = { .conf = &conf };

    (void)state;
    caught_begin(stderr);
    host_say_failure(&host, "%s is %d", "it", 7);
    assert_string_equal(caught_end(stderr), "backplane: it is 7\n");

    snprintf(path, sizeof(path), "%s/log", folder);
    host.log = log_open(&(struct log_options){
        .level = BP_LOG_INFO, .path = path, .queue_lines = 64, .rate_per_s = 100 });
    assert_non_null(host.log);
    caught_begin(stderr);
    host_say_failure(&host, "not logged"); // the log of this conf is standard error
    assert_string_equal(caught_end(stderr), "backplane: not logged\n");
    conf.log.file = bp_str_of(path);
    caught_begin(stderr);
    host_say_failure(&host, "%s", "logged");
    assert_string_equal(caught_end(stderr), "backplane: logged\n");
    host.conf = NULL;
    caught_begin(stderr);
    host_say_failure(&host, "without a conf");
    assert_string_equal(caught_end(stderr), "backplane: without a conf\n");
    log_close(host.log);
    read_file(path, text);
    assert_non_null(strstr(text, "\"level\":\"ERROR\",\"event\":\"start_failed\",\"message\":"
                                 "\"logged\"}\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); // one line
    unlink(path);
}

static void errors_of_a_conf_stand_in_the_log_file_that_it_names(void **state)
{
    char         path[64], text[4096], first[256];
    struct conf *conf = conf_parse("c.yaml", BP_STR("server: { a: 1 }\n"), NULL);
    struct host  host = { .conf = conf };

    (void)state;
    assert_non_null(conf);
    snprintf(path, sizeof(path), "%s/log", folder);
    problem_add(&conf->problems, false, (struct conf_position){ 3, 7 }, BP_STR("a.b"), "is wrong");
    problem_add(&conf->problems, true, (struct conf_position){ 4, 1 }, BP_STR("c"), "is doubtful");
    conf->log.file = bp_str_n(path, 0);
    host_log_conf_problems(&host);
    assert_int_not_equal(access(path, F_OK), 0); // it names none
    conf->log.file = bp_str_of(path);
    host_log_conf_problems(&host);
    read_file(path, text);
    snprintf(first, sizeof(first),
             "\"level\":\"ERROR\",\"event\":\"start_failed\",\"message\":\"c.yaml:3:7: a.b: is "
             "wrong\"}\n");
    assert_non_null(strstr(text, first));
    assert_null(strstr(text, "doubtful"));
    unlink(path);
    conf_free(conf);
}

static void a_report_ends_with_its_numbers(void **state)
{
    static const struct {
        int         errors, warnings, status;
        const char *said;
    } cases[] = {
        { 0, 0, 0, "" },
        { 1, 0, 1, "c.yaml:1:1: a: e\nc.yaml: 1 error, 0 warnings\n" },
        { 0, 1, 0, "c.yaml:2:1: warning: b: w\nc.yaml: 0 errors, 1 warning\n" },
        { 2, 2, 1,
          "c.yaml:1:1: a: e\nc.yaml:1:2: a: e\nc.yaml:2:1: warning: b: w\nc.yaml:2:2: warning: b: "
          "w\nc.yaml: 2 errors, 2 warnings\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf = conf_parse("c.yaml", BP_STR("server: {}\n"), NULL);
        int          status;

        assert_non_null(conf);
        for (int e = 0; e < cases[i].errors; e++)
            problem_add(&conf->problems, false, (struct conf_position){ 1, (uint32_t)e + 1 },
                        BP_STR("a"), "e");
        for (int w = 0; w < cases[i].warnings; w++)
            problem_add(&conf->problems, true, (struct conf_position){ 2, (uint32_t)w + 1 },
                        BP_STR("b"), "w");
        caught_begin(stderr);
        status = report_problems(conf, stderr);
        assert_string_equal(caught_end(stderr), cases[i].said);
        assert_int_equal(status, cases[i].status);
        conf_free(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_server_has_a_folder_and_the_next_one_is_told_who),
        cmocka_unit_test(a_lock_without_words_is_of_an_unknown_process),
        cmocka_unit_test(where_no_lock_can_be_made_nobody_is_refused),
        cmocka_unit_test(paths_begin_at_the_program),
        cmocka_unit_test(a_failed_start_is_said_and_stands_in_the_log_file),
        cmocka_unit_test(errors_of_a_conf_stand_in_the_log_file_that_it_names),
        cmocka_unit_test(a_report_ends_with_its_numbers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* test_inspect_place.c - where a plugin file stands, who may write to it, and that it is left as it
 * was found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/inspect.h"

static const char good_path[] = BP_BUILD_DIR "/plugins/cache/memory.so";

static struct arena       arena;
static struct plugin_file judged;
static char               folder[32], path[128];
static size_t             size;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return mkdtemp(strcpy(folder, "/tmp/backplane-test-XXXXXX")) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return rmdir(folder);
}

static void write_file(mode_t mode)
{
    static char piece[1 << 20];
    FILE       *good = fopen(good_path, "re"), *copy;

    assert_non_null(good);
    size = fread(piece, 1, sizeof(piece), good);
    assert_true(size < sizeof(piece));
    fclose(good);
    snprintf(path, sizeof(path), "%s/plugin.so", folder);
    unlink(path);
    copy = fopen(path, "we");
    assert_int_equal(fwrite(piece, 1, size, copy), size);
    fchmod(fileno(copy), mode);
    fclose(copy);
}

static void a_file_that_others_may_change_is_refused(void **state)
{
    char named[160];

    (void)state;
    write_file(0644);
    plugin_inspect(&arena, path, &judged);
    assert_true(judged.is_accepted);
    assert_int_equal(judged.size_bytes, size);
    assert_string_equal(judged.path, path);
    write_file(0646);
    plugin_inspect(&arena, path, &judged);
    assert_string_equal(judged.problem.text, "anybody may write to it (mode 0646): chmod o-w it");
    write_file(0644);
    chmod(folder, 0777);
    plugin_inspect(&arena, path, &judged);
    snprintf(named, sizeof(named), "anybody may write to its folder %s: chmod o-w it", folder);
    assert_string_equal(judged.problem.text, named);
    chmod(folder, 01777); // others may add files and not replace this one
    plugin_inspect(&arena, path, &judged);
    assert_true(judged.is_accepted);
    chmod(folder, 0700);
    if (geteuid() == 0 && chown(path, 4711, 4711) == 0) {
        plugin_inspect(&arena, path, &judged);
        assert_non_null(
            strstr(judged.problem.text, "it belongs to user 4711, neither to root nor to "));
    }
    unlink(path);
}

static void a_link_out_of_its_folder_is_refused(void **state)
{
    char link[160];

    (void)state;
    write_file(0644);
    snprintf(link, sizeof(link), "%s/link.so", folder);
    assert_int_equal(symlink("plugin.so", link), 0);
    plugin_inspect(&arena, link, &judged);
    assert_true(judged.is_accepted);
    unlink(link);
    assert_int_equal(symlink(good_path, link), 0);
    plugin_inspect(&arena, link, &judged);
    assert_non_null(strstr(judged.problem.text, "it is a symbolic link out of its folder, to "));
    unlink(link);
    assert_int_equal(symlink("nowhere.so", link), 0);
    plugin_inspect(&arena, link, &judged);
    assert_string_equal(judged.problem.text, "it cannot be opened: No such file or directory");
    unlink(link);
    plugin_inspect(&arena, folder, &judged);
    assert_string_equal(judged.problem.text, "it is not a regular file");
    assert_false(judged.is_accepted);
    unlink(path);
}

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static bool is_mapped(const char *name)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char  line[512];
    bool  is_found = false;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        is_found = is_found || strstr(line, name);
    fclose(maps);
    return is_found;
}

static void a_file_is_left_as_it_was_found(void **state)
{
    int before = open_descriptors();

    (void)state;
    write_file(0644);
    plugin_inspect(&arena, path, &judged);
    assert_true(judged.is_accepted);
    assert_false(is_mapped(path));
    write_file(0666); // refused for its place, and for what it is
    plugin_inspect(&arena, path, &judged);
    assert_false(judged.is_accepted);
    assert_int_equal(truncate(path, 100), 0);
    chmod(path, 0644);
    plugin_inspect(&arena, path, &judged);
    assert_false(judged.is_accepted);
    assert_false(is_mapped(path));
    assert_int_equal(truncate(path, 0), 0);
    plugin_inspect(&arena, path, &judged);
    assert_string_equal(judged.problem.text, "it is not an ELF file, it is empty");
    assert_int_equal(open_descriptors(), before);
    unlink(path);
}

static void a_file_is_smaller_than_the_bound(void **state)
{
    (void)state;
    write_file(0644);
    if (truncate(path, INSPECT_FILE_MAX_BYTES) != 0) // with a hole, which takes no space
        skip();
    plugin_inspect(&arena, path, &judged);
    assert_string_equal(judged.problem.text, "it has 536870912 bytes, and a plugin has less than "
                                             "536870912: strip it");
    assert_int_equal(truncate(path, INSPECT_FILE_MAX_BYTES - 1), 0);
    plugin_inspect(&arena, path, &judged);
    assert_string_equal(judged.problem.text, "");
    assert_int_equal(judged.size_bytes, INSPECT_FILE_MAX_BYTES - 1);
    unlink(path);
}

static void a_folder_whose_name_begins_alike_is_another(void **state)
{
    char beside[64], link[160], target[160], wanted[300];

    (void)state;
    write_file(0644);
    snprintf(beside, sizeof(beside), "%s-2", folder);
    assert_int_equal(mkdir(beside, 0700), 0);
    snprintf(link, sizeof(link), "%s/link.so", beside);
    assert_int_equal(symlink(path, link), 0); // from the longer to the shorter
    plugin_inspect(&arena, link, &judged);
    snprintf(wanted, sizeof(wanted),
             "it is a symbolic link out of its folder, to %s: put the file itself there", path);
    assert_string_equal(judged.problem.text, wanted);
    unlink(link);
    snprintf(target, sizeof(target), "%s/plugin.so", beside);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0); // and the other way
    plugin_inspect(&arena, path, &judged);
    snprintf(wanted, sizeof(wanted),
             "it is a symbolic link out of its folder, to %s: put the file itself there", target);
    assert_string_equal(judged.problem.text, wanted);
    unlink(path);
    unlink(target);
    rmdir(beside);
}

static void a_path_may_begin_where_the_program_stands(void **state)
{
    char before[512];

    (void)state;
    write_file(0644);
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(symlink("plugin.so", "link.so"), 0);
    plugin_inspect(&arena, "link.so", &judged);
    assert_string_equal(judged.problem.text, "");
    assert_string_equal(judged.path, "link.so");
    plugin_inspect(&arena, "./link.so", &judged);
    assert_string_equal(judged.problem.text, "");
    unlink("link.so");
    assert_int_equal(chdir(before), 0);
    unlink(path);
}

/* Root may own a file that somebody else runs. */
static void a_file_of_root_is_for_anybody(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    write_file(0644);
    chmod(folder, 0755);
    assert_int_equal(seteuid(4711), 0);
    plugin_inspect(&arena, path, &judged);
    assert_int_equal(seteuid(0), 0);
    assert_string_equal(judged.problem.text, "");
    chmod(folder, 0700);
    unlink(path);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(a_file_that_others_may_change_is_refused),
        PLACED(a_link_out_of_its_folder_is_refused),
        PLACED(a_file_is_left_as_it_was_found),
        PLACED(a_file_is_smaller_than_the_bound),
        PLACED(a_folder_whose_name_begins_alike_is_another),
        PLACED(a_path_may_begin_where_the_program_stands),
        PLACED(a_file_of_root_is_for_anybody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

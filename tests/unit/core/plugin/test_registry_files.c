/* test_registry_files.c - a folder with several plugin files: which are found, in which order, and
 * what becomes of those that cannot be loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/registry.h"
#include "plugin/services.h"

#include "../../../lib/gives_back.h"

static struct plugin_registry *registry;
static char                    folder[32];
static struct reason           problem;

static int set_up(void **state)
{
    (void)state;
    registry = registry_new(NULL, plugin_services, plugin_service_count);
    return registry && mkdtemp(strcpy(folder, "/tmp/backplane-test-XXXXXX")) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    registry_free(registry);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A copy of a plugin of this build, with each text `old` in it changed to `new`, of the same
 * length; NULL: none. */
static void put(const char *plugin, const char *name, const char *old, const char *new)
{
    static char bytes[1 << 20];
    char        path[256];
    size_t      size;
    FILE       *file;

    snprintf(path, sizeof(path), BP_BUILD_DIR "/plugins/%s.so", plugin);
    file = fopen(path, "re");
    assert_non_null(file);
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    for (char *at = bytes;
         old && (at = memmem(at, size - (size_t)(at - bytes), old, strlen(old) + 1));)
        memcpy(at, new, strlen(new));
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fchmod(fileno(file), 0644);
    fclose(file);
}

static void make_folder(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

/* The files that were found, as they follow one another. */
static void assert_found(const char *wanted)
{
    char text[1024] = "";

    for (size_t i = 0; i < registry_count(registry); i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
                 registry_at(registry, i)->path + strlen(folder) + 1);
    assert_string_equal(text, wanted);
}

static void put_three(void)
{
    make_folder("m");
    put("storage/sqlite", "z.so", NULL, NULL);
    put("health/instance", "m/n.so", NULL, NULL);
    put("cache/memory", "a.so", NULL, NULL);
}

/* ---- which are found ---- */

static void files_are_found_by_their_names_in_order(void **state)
{
    char again[64];

    (void)state;
    put_three();
    assert_true(registry_scan(registry, folder, &problem));
    assert_found("a.so m/n.so z.so ");
    snprintf(again, sizeof(again), "%s/.", folder); // the same files by another path
    assert_true(registry_scan(registry, again, &problem));
    assert_found("a.so m/n.so z.so ");
    for (size_t i = 0; i < 3; i++)
        assert_true(registry_at(registry, i)->is_accepted);
    assert_string_equal(registry_load(registry, "cache", "memory", &problem)->label,
                        "cache/memory");
    assert_string_equal(registry_load(registry, "health", "instance", &problem)->label,
                        "health/instance");
    assert_string_equal(registry_load(registry, "storage", "sqlite", &problem)->label,
                        "storage/sqlite");
    assert_null(registry_load(registry, "storage", "memory", &problem));
    assert_string_equal(problem.text, "");
}

static void folders_are_looked_into_one_level_deep(void **state)
{
    (void)state;
    make_folder("a");
    make_folder("a/b");
    make_folder("c.so"); // a folder with the name of a file is looked at as a file
    put("cache/memory", "a/b/deep.so", NULL, NULL);
    put("cache/memory", "a/.hidden.so", NULL, NULL);
    put("cache/memory", "a/o", NULL, NULL);
    put("cache/memory", "a/xso", NULL, NULL);
    put("cache/memory", "a/x.so", NULL, NULL);
    put("cache/memory", "a/x.so.1", NULL, NULL);
    assert_true(registry_scan(registry, folder, &problem));
    assert_found("a/x.so c.so ");
    assert_string_equal(registry_at(registry, 1)->problem.text, "it is not a regular file");
}

static void as_many_are_found_as_there_is_room_for(void **state)
{
    char path[128];

    (void)state;
    for (int i = 0; i < REGISTRY_FILES_MAX + 2; i++) {
        snprintf(path, sizeof(path), "%s/%d.so", folder, 1000 + i);
        fclose(fopen(path, "we"));
    }
    assert_true(registry_scan(registry, folder, &problem));
    assert_int_equal(registry_count(registry), REGISTRY_FILES_MAX);
    snprintf(path, sizeof(path), "%s/%d.so", folder, 1000 + REGISTRY_FILES_MAX - 1);
    assert_string_equal(registry_at(registry, REGISTRY_FILES_MAX - 1)->path, path);
}

/* ---- two of a name ---- */

static void each_of_two_names_the_other(void **state)
{
    char wanted[160];

    (void)state;
    put_three();
    put("cache/memory", "m/b.so", NULL, NULL);
    put("cache/memory", "y.so", "memory", "memorx"); // another one
    assert_true(registry_scan(registry, folder, &problem));
    assert_found("a.so m/b.so m/n.so y.so z.so ");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(registry_at(registry, i)->is_accepted, i > 1);
    snprintf(wanted, sizeof(wanted),
             "there is another plugin cache/memory, in %s/m/b.so: remove one of the two", folder);
    assert_string_equal(registry_at(registry, 0)->problem.text, wanted);
    snprintf(wanted, sizeof(wanted),
             "there is another plugin cache/memory, in %s/a.so: remove one of the two", folder);
    assert_string_equal(registry_at(registry, 1)->problem.text, wanted);
    assert_string_equal(registry_at(registry, 3)->note.name, "memorx");
}

/* What is refused anyway takes no name from another. */
static void a_file_that_is_refused_is_no_second(void **state)
{
    char path[128];

    (void)state;
    put("cache/memory", "a.so", NULL, NULL);
    put("cache/memory", "b.so", NULL, NULL);
    put("cache/memory", "c.so", NULL, NULL);
    snprintf(path, sizeof(path), "%s/a.so", folder);
    chmod(path, 0666);
    snprintf(path, sizeof(path), "%s/c.so", folder);
    chmod(path, 0666);
    assert_true(registry_scan(registry, folder, &problem));
    assert_false(registry_at(registry, 0)->is_accepted);
    assert_true(registry_at(registry, 1)->is_accepted);
    assert_false(registry_at(registry, 2)->is_accepted);
    assert_non_null(registry_load(registry, "cache", "memory", &problem));
}

/* ---- loading ---- */

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void what_cannot_be_loaded_is_told_and_leaves_nothing_open(void **state)
{
    char wanted[256];
    int  before;

    (void)state;
    put("cache/memory", "a.so", "libc.so.6", "libq.so.6");
    assert_true(registry_scan(registry, folder, &problem));
    assert_true(registry_at(registry, 0)->is_accepted);
    before = open_descriptors();
    for (int i = 0; i < 2; i++) { // it is tried once
        assert_null(registry_load(registry, "cache", "memory", &problem));
        snprintf(wanted, sizeof(wanted),
                 "%s/a.so: it cannot be loaded: libq.so.6: cannot open shared object file: No such "
                 "file or directory",
                 folder);
        assert_string_equal(problem.text, wanted);
    }
    assert_int_equal(open_descriptors(), before);
}

/* ---- for the conf ---- */

static void the_conf_passes_over_what_cannot_be_loaded(void **state)
{
    struct conf_plugins plugins;
    struct conf_plugin  found;

    (void)state;
    put("cache/memory", "a.so", "libc.so.6", "libq.so.6");
    put("storage/sqlite", "b.so", NULL, NULL);
    put("cache/memory", "c.so", "memory", "memorx");
    put("cache/memory", "d.so", NULL, NULL);
    put("cache/memory", "e.so", "memory", "memorz");
    assert_true(registry_scan(registry, folder, &problem));
    plugins = registry_for_conf(registry);
    assert_true(plugins.at(plugins.context, "cache", 0, &found));
    assert_string_equal(found.name, "memorx");
    assert_string_equal(found.kind, "cache");
    assert_true(plugins.at(plugins.context, "cache", 1, &found));
    assert_string_equal(found.name, "memorz");
    assert_true(found.summary[0] && found.version[0]);
    assert_true(found.options.count > 0 && found.instance_size > 0);
    assert_false(plugins.at(plugins.context, "cache", 2, &found));
    assert_true(plugins.at(plugins.context, "storage", 0, &found));
    assert_string_equal(found.name, "sqlite");
    assert_false(plugins.at(plugins.context, "storage", 1, &found));
    assert_false(plugins.find(plugins.context, "cache", "memory", &found));
    assert_non_null(strstr(found.problem, "there is another plugin cache/memory, in "));
    assert_null(found.name);
}

/* ---- memory ---- */

static void look_and_forget(void)
{
    struct plugin_registry *one = registry_new(NULL, plugin_services, plugin_service_count);

    assert_true(registry_scan(one, folder, &problem));
    registry_free(one);
}

static void what_a_registry_took_is_given_back(void **state)
{
    (void)state;
    put_three();
    assert_gives_back(look_and_forget, "a registry");
}

#define LISTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTED(files_are_found_by_their_names_in_order),
        LISTED(folders_are_looked_into_one_level_deep),
        LISTED(as_many_are_found_as_there_is_room_for),
        LISTED(each_of_two_names_the_other),
        LISTED(a_file_that_is_refused_is_no_second),
        LISTED(what_cannot_be_loaded_is_told_and_leaves_nothing_open),
        LISTED(the_conf_passes_over_what_cannot_be_loaded),
        LISTED(what_a_registry_took_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

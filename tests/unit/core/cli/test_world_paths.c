/* test_world_paths.c - what `backplane check` says of the file system of a folder (world_paths.c):
 * read-only, almost full, of another machine. The file system is one that the test makes up. */
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/conf/conf_fixture.h"

#include "cli/world.h"

static struct statvfs room;
static struct statfs  file_system;
static int            room_result, system_result;

/* In place of those of the C library (see CMakeLists.txt). */
int __wrap_statvfs(const char *path, struct statvfs *found);
int __wrap_statfs(const char *path, struct statfs *found);

int __wrap_statvfs(const char *path, struct statvfs *found)
{
    assert_string_equal(path, "/");
    *found = room;
    return room_result;
}

int __wrap_statfs(const char *path, struct statfs *found)
{
    assert_string_equal(path, "/");
    *found = file_system;
    return system_result;
}

#define READ_ONLY "t.yaml:1:11: data_dir: / is on a file system that is mounted read-only\n"
#define ALMOST_FULL                                                                                \
    "t.yaml:1:11: warning: data_dir: / is on a file system with less than 64 MiB left\n"
#define ON_NETWORK                                                                                 \
    "t.yaml:1:11: warning: data_dir: / is on a network file system: its locks do not protect a "   \
    "database\n"

static const struct {
    unsigned long flags, blocks, free_blocks, block_bytes;
    int           room_result;
    unsigned long type;
    int           system_result;
    const char   *said;
} cases[] = {
    { 0, 1 << 20, 1 << 14, 4096, 0, 0xEF53, 0, "" }, // 64 MiB are left
    { 0, 1 << 20, (1 << 14) - 1, 4096, 0, 0xEF53, 0, ALMOST_FULL },
    { 0, 1 << 20, 1 << 16, 1024, 0, 0xEF53, 0, "" },
    { 0, 1 << 20, (1 << 16) - 1, 1024, 0, 0xEF53, 0, ALMOST_FULL },
    { 0, 1, 0, 4096, 0, 0xEF53, 0, ALMOST_FULL },
    { 0, 0, 0, 4096, 0, 0xEF53, 0, "" }, // one that tells no sizes
    { 0, 1 << 20, 0, 4096, -1, 0xEF53, 0, "" },
    { ST_RDONLY, 1 << 20, 1 << 14, 4096, 0, 0xEF53, 0, READ_ONLY },
    { ST_RDONLY | ST_NOSUID, 1 << 20, 0, 4096, 0, 0xEF53, 0, READ_ONLY },
    { ST_NOSUID, 1 << 20, 1 << 14, 4096, 0, 0xEF53, 0, "" },
    { ST_RDONLY, 1 << 20, 1 << 14, 4096, -1, 0xEF53, 0, "" },
    { 0, 1 << 20, 1 << 14, 4096, 0, 0x6969, 0, ON_NETWORK },
    { 0, 1 << 20, 1 << 14, 4096, 0, 0xFF534D42, 0, ON_NETWORK },
    { 0, 1 << 20, 1 << 14, 4096, 0, 0x517B, 0, ON_NETWORK },
    { 0, 1 << 20, 1 << 14, 4096, 0, 0x6968, 0, "" },
    { 0, 1 << 20, 1 << 14, 4096, 0, 0x6969, -1, "" },
    { 0, 1 << 20, 1 << 14, 4096, 0, 0x517B, -1, "" },
    { 0, 1 << 20, 0, 4096, 0, 0x6969, 0, ALMOST_FULL ON_NETWORK },
};

static void a_folder_is_on_a_file_system_that_can_hold_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf = resolve("data_dir: /\napp: { console: }\n");
        struct world world = { .conf = conf, .user = "somebody", .uid = geteuid() };

        room = (struct statvfs){ .f_flag = cases[i].flags,
                                 .f_blocks = cases[i].blocks,
                                 .f_bavail = cases[i].free_blocks,
                                 .f_frsize = cases[i].block_bytes };
        file_system.f_type = (__typeof__(file_system.f_type))cases[i].type;
        room_result = cases[i].room_result;
        system_result = cases[i].system_result;
        world_check_paths(&world);
        if (access("/", W_OK) == 0)
            assert_problems(conf, cases[i].said);
        else
            assert_problems(conf, "t.yaml:1:11: data_dir: / cannot be used: somebody may not write "
                                  "to /\n");
        conf_free(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_on_a_file_system_that_can_hold_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

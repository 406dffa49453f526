/* test_paths.c - app/filesystem: which paths lead where, and that none leads out. */
#include "plugins/app_filesystem/filesystem_test.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static const char not_in[] = "Access denied - path outside allowed directories: ";

/* Reading, writing, listing and making by a path is refused, and nothing outside is changed. */
static void assert_unreachable(const char *path)
{
    const char *const sentences[] = {
        tool("read_text_file", "path", path, NULL),
        tool("read_media_file", "path", path, NULL),
        tool("write_file", "path", path, "content", "x", NULL),
        tool("edit_file", "path", path, "edits", "=[{\"oldText\":\"a\",\"newText\":\"b\"}]", NULL),
        tool("create_directory", "path", path, NULL),
        tool("list_directory", "path", path, NULL),
        tool("directory_tree", "path", path, NULL),
        tool("search_files", "path", path, "pattern", "**", NULL),
        tool("get_file_info", "path", path, NULL),
    };
    (void)sentences;
    assert_string_equal(content_of("outside/secret.txt"), SECRET);
    assert_string_equal(content_of("root-evil/secret.txt"), SECRET);
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
    assert_failed(tool("read_text_file", "path", path, NULL), BP_DENIED, "Access denied - ");
    assert_failed(tool("write_file", "path", path, "content", "x", NULL), BP_DENIED,
                  "Access denied - ");
    assert_failed(tool("create_directory", "path", path, NULL), BP_DENIED, "Access denied - ");
    assert_failed(tool("list_directory", "path", path, NULL), BP_DENIED, "Access denied - ");
    assert_failed(tool("search_files", "path", path, "pattern", "*", NULL), BP_DENIED,
                  "Access denied - ");
    assert_failed(tool("get_file_info", "path", path, NULL), BP_DENIED, "Access denied - ");
}

/* Nor is anything moved from there or to there. */
static void assert_refused(const char *path)
{
    assert_unreachable(path);
    assert_failed(tool("move_file", "source", path, "destination", "stolen.txt", NULL), BP_DENIED,
                  "Access denied - ");
    assert_failed(tool("move_file", "source", "a.txt", "destination", path, NULL), BP_DENIED,
                  "Access denied - ");
    assert_string_equal(content_of("root/stolen.txt"), "(missing)");
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
}

static void paths_inside_are_found_however_they_are_written(void **state)
{
    const char *const written[] = { "a.txt",         "./a.txt",        "sub/../a.txt",
                                    "//a.txt",       "sub//..//a.txt", "a.txt/",
                                    "nope/../a.txt", "../root/a.txt",  "sub/../../root/a.txt" };
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        if (written[i][0] != '/')
            assert_gave(read_path(written[i]), "one\ntwo\nthree\n");
        assert_gave(read_path(path_to(bp_format(call, "root/%s", written[i]).data)),
                    "one\ntwo\nthree\n");
    }
}

static void paths_outside_are_refused(void **state)
{
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_refused("/etc/passwd");
    assert_refused("/");
    assert_refused("..");
    assert_refused("../outside/secret.txt");
    assert_refused("sub/../../outside/secret.txt");
    assert_refused("sub/./../.././outside/secret.txt");
    assert_refused(path_to("outside/secret.txt"));
    assert_refused(path_to("root/../outside/secret.txt"));
    assert_refused(path_to("root/../../../../../../etc/passwd"));
    assert_failed(read_path("/etc/passwd"), BP_DENIED, not_in);
    assert_true(testhost_metric(host, "filesystem_refused_total", "reason=outside") >= 9);
}

static void a_directory_whose_name_begins_alike_is_outside(void **state)
{
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_refused(path_to("root-evil/secret.txt"));
    assert_refused("../root-evil/secret.txt");
    assert_refused(path_to("root-evil"));
    assert_refused(path_to("roo"));
    assert_refused(path_to("root "));
}

static void encoded_paths_are_names_like_others(void **state)
{
    const char *const written[] = { "%2e%2e/outside/secret.txt",
                                    "..%2foutside%2fsecret.txt",
                                    "%2fetc%2fpasswd",
                                    "..\\outside\\secret.txt",
                                    "....//outside/secret.txt",
                                    "..;/outside/secret.txt",
                                    "\xef\xbc\x8e\xef\xbc\x8e/outside/secret.txt",
                                    "~",
                                    "~/secret.txt",
                                    "$HOME/x",
                                    "file:///etc/passwd",
                                    "\\\\?\\etc\\passwd",
                                    ".. /outside/secret.txt" };
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++)
        assert_failed(read_path(written[i]), BP_NOT_FOUND,
                      "ENOENT: no such file or directory, open '");
    assert_gave(tool("write_file", "path", "%2e%2e", "content", "x", NULL),
                "Successfully wrote to %2e%2e");
    assert_string_equal(content_of("root/%2e%2e"), "x");
    assert_gave(tool("write_file", "path", "~", "content", "tilde", NULL),
                "Successfully wrote to ~");
    assert_string_equal(content_of("root/~"), "tilde");
    assert_failed(read_path("C:\\Windows\\win.ini"), BP_DENIED, "is a path of Windows");
    assert_failed(read_path("c:/Windows"), BP_DENIED, "is a path of Windows");
    assert_failed(read_path("c:"), BP_DENIED, "is a path of Windows");
    assert_failed(read_path("c:x"), BP_NOT_FOUND, "ENOENT");
}

static void a_path_with_a_nul_is_refused(void **state)
{
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_failed(tool("read_text_file", "path", "=\"a.txt\\u0000.png\"", NULL), BP_DENIED, "NUL");
    assert_failed(tool("write_file", "path", "=\"sub/\\u0000\"", "content", "x", NULL), BP_DENIED,
                  "NUL");
    assert_failed(tool("move_file", "source", "a.txt", "destination", "=\"b\\u0000\"", NULL),
                  BP_DENIED, "NUL");
    assert_failed(tool("create_directory", "path", "=\"d\\u0000/../..\"", NULL), BP_DENIED, "NUL");
}

static void names_that_are_too_long_are_refused(void **state)
{
    char name[9000];
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    memset(name, 'n', sizeof(name));
    for (size_t len = 255; len <= 8192; len = len == 255 ? 256 : len * 2) {
        name[len] = '\0';
        if (len == 255) {
            assert_true(strstr(tool("write_file", "path", name, "content", "long", NULL),
                               "Successfully wrote") != NULL);
            assert_gave(read_path(name), "long");
        } else {
            assert_failed(tool("write_file", "path", name, "content", "x", NULL), BP_INVALID,
                          "ENAMETOOLONG");
            assert_failed(read_path(name), BP_INVALID, "ENAMETOOLONG");
            assert_failed(tool("create_directory", "path", name, NULL), BP_INVALID, "ENAMETOOLONG");
        }
        name[len] = 'n';
    }
    for (size_t i = 0; i + 2 < sizeof(name); i += 2)
        memcpy(name + i, "d/", 3);
    assert_failed(tool("create_directory", "path", name, NULL), BP_INVALID, "ENAMETOOLONG");
    for (size_t i = 0; i + 4 < sizeof(name); i += 3)
        memcpy(name + i, "../", 4);
    assert_failed(read_path(name), BP_INVALID, "ENAMETOOLONG");
}

static void links_that_stay_inside_are_followed(void **state)
{
    (void)state;
    make_link("a.txt", "root/relative");
    make_link("sub", "root/directory");
    make_link("../a.txt", "root/sub/up");
    make_link(path_to("root/sub/b.txt"), "root/absolute");
    make_link("relative", "root/chain");
    make_link("../root/a.txt", "root/around");
    make_link("not-yet", "root/dangling");
    serve(NULL, NULL, NULL, NULL);
    assert_gave(read_path("relative"), "one\ntwo\nthree\n");
    assert_gave(read_path("directory/b.txt"), "b\n");
    assert_gave(read_path("directory/up"), "one\ntwo\nthree\n");
    assert_gave(read_path("absolute"), "b\n");
    assert_gave(read_path("chain"), "one\ntwo\nthree\n");
    assert_gave(read_path("around"), "one\ntwo\nthree\n");
    assert_gave(tool("list_directory", "path", "directory", NULL), "[FILE] b.txt\n[FILE] up");
    // A file is written where its link leads; the link stays one.
    assert_gave(tool("write_file", "path", "absolute", "content", "new", NULL),
                "Successfully wrote to absolute");
    assert_string_equal(content_of("root/sub/b.txt"), "new");
    assert_gave(tool("write_file", "path", "dangling", "content", "made", NULL),
                "Successfully wrote to dangling");
    assert_string_equal(content_of("root/not-yet"), "made");
    assert_gave(tool("create_directory", "path", "directory/x/y", NULL),
                "Successfully created directory directory/x/y");
    assert_int_equal(access(path_to("root/sub/x/y"), F_OK), 0);
}

static void links_that_lead_out_are_refused(void **state)
{
    (void)state;
    make_link(path_to("outside/secret.txt"), "root/file");
    make_link(path_to("outside"), "root/dir");
    make_link("../outside", "root/updir");
    make_link("../../outside/secret.txt", "root/sub/file");
    make_link("/", "root/slash");
    make_link("..", "root/parent");
    make_link(path_to("root-evil"), "root/evil");
    make_link("updir", "root/hop");
    make_link("/proc/self/root", "root/proc");
    make_link(path_to("outside/not-yet"), "root/dangling");
    serve(NULL, NULL, NULL, NULL);
    assert_unreachable("file");
    assert_refused("dir/secret.txt");
    assert_refused("updir/secret.txt");
    assert_unreachable("sub/file");
    assert_refused("slash/etc/passwd");
    assert_refused("parent/outside/secret.txt");
    assert_refused("evil/secret.txt");
    assert_refused("hop/secret.txt");
    assert_refused("proc/etc/passwd");
    assert_unreachable("dangling");
    assert_int_equal(access(path_to("outside/not-yet"), F_OK), -1);
    assert_failed(read_path("file"), BP_DENIED,
                  "Access denied - symlink target outside allowed directories: ");
    // What is moved is the link, and it leads nowhere then as well.
    assert_gave(tool("move_file", "source", "file", "destination", "sub/moved", NULL),
                "Successfully moved file to sub/moved");
    assert_unreachable("sub/moved");
    assert_failed(tool("move_file", "source", "a.txt", "destination", "dangling", NULL),
                  BP_CONFLICT, "Destination already exists");
    // A link that leads out is listed but neither found nor entered.
    assert_null(strstr(tool("search_files", "path", ".", "pattern", "**", NULL), "evil"));
    assert_null(strstr(tool("directory_tree", "path", ".", NULL), "secret"));
    assert_non_null(strstr(tool("list_directory", "path", ".", NULL), "[FILE] evil"));
}

static void links_in_a_ring_end(void **state)
{
    (void)state;
    make_link("ring2", "root/ring1");
    make_link("ring1", "root/ring2");
    make_link("grow/x", "root/grow");
    serve(NULL, NULL, NULL, NULL);
    assert_failed(read_path("ring1"), BP_INVALID, "ELOOP");
    assert_failed(tool("write_file", "path", "ring1", "content", "x", NULL), BP_INVALID, "ELOOP");
    assert_failed(tool("create_directory", "path", "ring1/x", NULL), BP_INVALID, "ELOOP");
    assert_failed(read_path("grow"), BP_INVALID, "ELOOP");
}

static void strict_symlinks_refuses_every_link(void **state)
{
    (void)state;
    make_link("a.txt", "root/link");
    make_link("sub", "root/directory");
    serve("strict_symlinks", "true", NULL, NULL);
    assert_refused("link");
    assert_failed(read_path("directory/b.txt"), BP_DENIED, "strict_symlinks is on");
    assert_gave(read_path("sub/b.txt"), "b\n");
}

static void a_hard_link_is_read_and_writing_leaves_the_other_name_alone(void **state)
{
    (void)state;
    assert_int_equal(link(path_to("outside/secret.txt"), path_to("root/hard")), 0);
    serve(NULL, NULL, NULL, NULL);
    assert_gave(read_path("hard"), SECRET);
    tool("write_file", "path", "hard", "content", "mine", NULL);
    assert_string_equal(content_of("root/hard"), "mine");
    assert_string_equal(content_of("outside/secret.txt"), SECRET);
    tool("edit_file", "path", "hard", "edits", "=[{\"oldText\":\"mine\",\"newText\":\"yours\"}]",
         NULL);
    assert_string_equal(content_of("outside/secret.txt"), SECRET);
}

static void fifos_devices_and_sockets_are_neither_read_nor_waited_for(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int                server = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)state;
    assert_int_equal(mkfifo(path_to("root/fifo"), 0644), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_to("root/socket"));
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
    serve(NULL, NULL, NULL, NULL);
    assert_failed(read_path("fifo"), BP_DENIED, "only regular files are read");
    assert_failed(tool("read_text_file", "path", "fifo", "head", "=1", NULL), BP_DENIED,
                  "only regular files");
    assert_failed(tool("read_media_file", "path", "fifo", NULL), BP_DENIED, "only regular files");
    assert_failed(tool("write_file", "path", "fifo", "content", "x", NULL), BP_INVALID,
                  "only regular files");
    assert_failed(tool("edit_file", "path", "fifo", "edits", "=[]", NULL), BP_INVALID,
                  "no regular file");
    assert_failed(read_path("socket"), BP_DENIED, "only regular files are read");
    if (mknod(path_to("root/device"), S_IFCHR | 0666, makedev(1, 5)) ==
        0) { // /dev/zero, which never ends
        assert_failed(read_path("device"), BP_DENIED, "only regular files are read");
        assert_failed(tool("write_file", "path", "device", "content", "x", NULL), BP_INVALID,
                      "only regular files");
    }
    close(server);
}

static void magic_links_of_procfs_are_not_followed(void **state)
{
    const testhost_option options[] = { { "roots", "/proc/self" }, { "landlock", "off" } };
    (void)state;
    start(options, 2);
    assert_failed(read_path("root/etc/passwd"), BP_DENIED,
                  "Access denied - symlink target outside");
    assert_failed(tool("list_directory", "path", "cwd", NULL), BP_DENIED,
                  "Access denied - symlink target outside");
    assert_failed(read_path("exe"), BP_DENIED, "Access denied - symlink target outside");
    tool("write_file", "path", "fd/1", "content", "x", NULL);
    assert_int_not_equal(last_status, BP_OK);
    assert_non_null(strstr(read_path("status"), "Name:")); // tells no size beforehand
}

static void denied_names_are_neither_served_nor_listed(void **state)
{
    (void)state;
    make_dir("root/.git");
    make_dir("root/sub/secrets");
    put("root/.git/config", SECRET);
    put("root/.env", SECRET);
    put("root/sub/secrets/x", SECRET);
    make_link(".git", "root/git");
    make_link(".env", "root/environment");
    serve(NULL, NULL, NULL, NULL);
    assert_failed(read_path(".git/config"), BP_DENIED,
                  "is on the list of names that are not served");
    assert_failed(read_path(".GIT/config"), BP_DENIED, "is on the list");
    assert_failed(read_path("git/config"), BP_DENIED, "is on the list");
    assert_failed(read_path("environment"), BP_DENIED, "is on the list");
    assert_failed(read_path("sub/secrets/x"), BP_DENIED, "is on the list");
    assert_failed(tool("write_file", "path", ".env", "content", "x", NULL), BP_DENIED,
                  "is on the list");
    assert_failed(tool("write_file", "path", "sub/.ssh/x", "content", "x", NULL), BP_DENIED,
                  "is on the list");
    assert_failed(tool("create_directory", "path", "x/.git/hooks", NULL), BP_DENIED,
                  "is on the list");
    assert_failed(tool("move_file", "source", ".git", "destination", "git2", NULL), BP_DENIED,
                  "is on the list");
    assert_failed(tool("move_file", "source", "a.txt", "destination", "secrets", NULL), BP_DENIED,
                  "is on the list");
    assert_gave(tool("list_directory", "path", ".", NULL),
                "[FILE] a.txt\n[FILE] environment\n[FILE] git\n[DIR] sub");
    assert_null(strstr(tool("directory_tree", "path", ".", NULL), "secrets"));
    assert_null(strstr(tool("search_files", "path", ".", "pattern", "**", NULL), "/.git"));
    assert_string_equal(content_of("root/.env"), SECRET);
}

static void the_list_of_denied_names_can_be_changed_and_emptied(void **state)
{
    (void)state;
    put("root/.env", "PLAIN=1");
    put("root/server.key", SECRET);
    serve("deny", "*.key", NULL, NULL);
    assert_gave(read_path(".env"), "PLAIN=1");
    assert_failed(read_path("server.key"), BP_DENIED, "is on the list");
}

static void several_roots_are_searched_in_their_order(void **state)
{
    char                  both[256];
    const testhost_option options[] = { { "roots", both } };
    (void)state;
    make_dir("second");
    make_dir("second/only");
    put("second/here", "second");
    put("second/a.txt", "not this one");
    make_link(path_to("second/here"), "root/across");
    snprintf(both, sizeof(both), "%s, %s", root, path_to("second"));
    start(options, 1);
    assert_gave(read_path("a.txt"), "one\ntwo\nthree\n");
    assert_gave(read_path("here"), "second");
    assert_gave(read_path("across"), "second");
    assert_gave(read_path("../second/a.txt"), "not this one");
    assert_gave(read_path(path_to("second/a.txt")), "not this one");
    assert_failed(read_path("nowhere"), BP_NOT_FOUND, "/root/nowhere'");
    tool("write_file", "path", "new", "content", "x", NULL);
    assert_string_equal(content_of("root/new"), "x");
    tool("write_file", "path", "here", "content", "changed", NULL);
    assert_string_equal(content_of("second/here"), "changed");
    tool("write_file", "path", "only/new", "content", "y", NULL);
    assert_string_equal(content_of("second/only/new"), "y");
    assert_gave(tool("move_file", "source", "here", "destination", "there", NULL),
                "Successfully moved here to there");
    assert_string_equal(content_of("root/there"), "changed");
    snprintf(both, sizeof(both), "Allowed directories:\n%s\n%s", root, path_to("second"));
    assert_gave(tool("list_allowed_directories", NULL, NULL), both);
}

static void a_root_that_is_a_link_is_resolved_once(void **state)
{
    const testhost_option options[] = { { "roots", path_to("entry") } };
    (void)state;
    make_link("root", "entry");
    start(options, 1);
    assert_gave(read_path("a.txt"), "one\ntwo\nthree\n");
    assert_gave(read_path(path_to("entry/a.txt")), "one\ntwo\nthree\n");
    assert_gave(read_path(path_to("root/a.txt")), "one\ntwo\nthree\n");
    assert_int_equal(unlink(path_to("entry")), 0);
    make_link("outside", "entry");
    assert_gave(read_path("a.txt"), "one\ntwo\nthree\n");
    assert_failed(read_path(path_to("entry/secret.txt")), BP_NOT_FOUND, "ENOENT");
}

static void roots_that_cannot_be_opened_are_left_out_and_named(void **state)
{
    char                  list[256];
    const testhost_option some[] = { { "roots", list } },
                          none[] = { { "roots", "/no/such/place, /etc/passwd" } };
    (void)state;
    snprintf(list, sizeof(list), "/no/such/place, %s, /etc/passwd", root);
    start(some, 1);
    assert_true(testhost_log_has(host, "/no/such/place is left out: No such file"));
    assert_true(testhost_log_has(host, "/etc/passwd is left out"));
    snprintf(list, sizeof(list), "Allowed directories:\n%s", root);
    assert_gave(tool("list_allowed_directories", NULL, NULL), list);
    assert_null(testhost_instance_create(host, plugin, "other", none, 1));
    assert_non_null(strstr(testhost_problem(host), "no directory of the list can be opened"));
    assert_null(testhost_instance_create(host, plugin, "other", none, 0));
}

static void landlock_confines_the_threads_and_nothing_else(void **state)
{
    (void)state;
    serve("landlock", "required", NULL, NULL);
    assert_gave(read_path("a.txt"), "one\ntwo\nthree\n");
    assert_gave(tool("write_file", "path", "sub/x", "content", "x", NULL),
                "Successfully wrote to sub/x");
    assert_gave(tool("move_file", "source", "sub/x", "destination", "x", NULL),
                "Successfully moved sub/x to x");
    assert_gave(tool("move_file", "source", "sub", "destination", "moved", NULL),
                "Successfully moved sub to moved");
    assert_gave(tool("create_directory", "path", "d/e", NULL),
                "Successfully created directory d/e");
    assert_gave(tool("move_file", "source", "moved", "destination", "d/e/f", NULL),
                "Successfully moved moved to d/e/f");
    assert_string_equal(content_of("outside/secret.txt"), SECRET); // this thread is free
    put("outside/new", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(paths_inside_are_found_however_they_are_written),
        TEST(paths_outside_are_refused),
        TEST(a_directory_whose_name_begins_alike_is_outside),
        TEST(encoded_paths_are_names_like_others),
        TEST(a_path_with_a_nul_is_refused),
        TEST(names_that_are_too_long_are_refused),
        TEST(links_that_stay_inside_are_followed),
        TEST(links_that_lead_out_are_refused),
        TEST(links_in_a_ring_end),
        TEST(strict_symlinks_refuses_every_link),
        TEST(a_hard_link_is_read_and_writing_leaves_the_other_name_alone),
        TEST(fifos_devices_and_sockets_are_neither_read_nor_waited_for),
        TEST(magic_links_of_procfs_are_not_followed),
        TEST(denied_names_are_neither_served_nor_listed),
        TEST(the_list_of_denied_names_can_be_changed_and_emptied),
        TEST(several_roots_are_searched_in_their_order),
        TEST(a_root_that_is_a_link_is_resolved_once),
        TEST(roots_that_cannot_be_opened_are_left_out_and_named),
        TEST(landlock_confines_the_threads_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

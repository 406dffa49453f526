/* test_world.c - what the checks of `backplane check` have in common (world.c): rights by the mode
 * of files, words for a shell, places in a conf, options by their name. */
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf/conf_fixture.h"

#include "cli/world.h"

static void words_for_a_shell_are_cut_out(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        { "", "" },
        { "a", "" },
        { "$", "" },
        { "~", "~" },
        { "~/x", "~" },
        { "~x", "" },
        { "a~", "" },
        { "$A", "$A" },
        { "$A/x", "$A" },
        { "x$Z_9-", "$Z_9" },
        { "$_", "$_" },
        { "$9", "" },
        { "$a", "" },
        { "$@", "" },
        { "$[", "" },
        { "$AZ", "$AZ" },
        { "$A@", "$A" },
        { "$A[", "$A" },
        { "$A0", "$A0" },
        { "$A9", "$A9" },
        { "$A/:", "$A" },
        { "$A:", "$A" },
        { "$$A", "$A" },
        { "a/$", "" },
        { "%A%", "%A%" },
        { "%AB_1%/x", "%AB_1%" },
        { "%A", "" },
        { "%A/%", "" },
        { "%%", "" },
        { "%%A%", "" },
        { "a%A%", "" },
        { "%A$B", "$B" },
        { "$(pwd)", "$(pwd)" },
        { "a$(pwd)/x", "$(pwd)/x" },
        { "$(345678901234567890123456789012345678)x", "$(345678901234567890123456789012345678)x" },
        { "$(3456789012345678901234567890123456789)x", "$(3456789012345678901234567890123456789)" },
        { "%(x)", "" },
        { "a ~ $( b", "$( b" },
        { "${A}", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str word = world_shell_word(bp_str_of(cases[i].text));

        if (!bp_str_is(word, cases[i].word))
            fail_msg("%s: " BP_FMT, cases[i].text, BP_ARG(word));
    }
    assert_bp_str(world_shell_word(bp_str_n("$AB", 2)), "$A"); // what is behind it is not looked at
    assert_bp_str(world_shell_word(bp_str_n("%A%", 2)), "");
    assert_bp_str(world_shell_word(bp_str_n("$(", 1)), "");
    assert_bp_str(world_shell_word(bp_str_n("~/", 1)), "~");
}

static void rights_of_another_user_are_those_of_the_mode(void **state)
{
    static const struct {
        unsigned mode;
        int      wanted;
        bool     as_owner, as_group, as_other;
    } cases[] = {
        { 0400, R_OK, true, false, false },        { 0200, W_OK, true, false, false },
        { 0100, X_OK, true, false, false },        { 0040, R_OK, false, true, false },
        { 0020, W_OK, false, true, false },        { 0010, X_OK, false, true, false },
        { 0004, R_OK, false, false, true },        { 0002, W_OK, false, false, true },
        { 0001, X_OK, false, false, true },        { 0777, R_OK | W_OK, true, true, true },
        { 0644, R_OK | W_OK, true, false, false }, { 0466, R_OK | W_OK, false, true, true },
        { 0070, R_OK, false, true, false },        { 0707, R_OK, true, false, true },
    };
    char path[] = "/tmp/backplane-test-XXXXXX";
    int  fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world owner = { .uid = geteuid(), .is_other = true };
        struct world member = { .uid = 77777, .is_other = true, .group_count = 3 };
        struct world other = { .uid = 77777, .is_other = true, .group_count = 2 };
        struct stat  status;

        assert_int_equal(chmod(path, cases[i].mode), 0);
        assert_int_equal(stat(path, &status), 0);
        member.groups[0] = status.st_gid + 1;
        member.groups[2] = other.groups[2] = status.st_gid; // the last one of those that count
        member.groups[1] = other.groups[0] = other.groups[1] = status.st_gid + 2;
        if (owner.uid != 0) // to whom modes mean nothing
            assert_int_equal(world_may(&owner, path, cases[i].wanted), cases[i].as_owner);
        else
            assert_true(world_may(&owner, path, cases[i].wanted));
        if (world_may(&member, path, cases[i].wanted) != cases[i].as_group ||
            world_may(&other, path, cases[i].wanted) != cases[i].as_other)
            fail_msg("%o", cases[i].mode);
    }
    if (geteuid() == 0) { // the file is somebody's who is not root
        struct world owner = { .uid = 77777, .is_other = true };

        assert_int_equal(chown(path, 77777, 77777), 0);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            assert_int_equal(chmod(path, cases[i].mode), 0);
            if (world_may(&owner, path, cases[i].wanted) != cases[i].as_owner)
                fail_msg("owner: %o", cases[i].mode);
        }
    }
    unlink(path);
}

static void every_folder_above_has_to_be_open(void **state)
{
    struct world other = { .uid = 77777, .is_other = true }, self = { .uid = geteuid() };
    char         folder[] = "/tmp/backplane-test-XXXXXX", inner[64], path[80];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(inner, sizeof(inner), "%s/in", folder);
    snprintf(path, sizeof(path), "%s/f", inner);
    assert_int_equal(mkdir(inner, 0755) | chmod(folder, 0755), 0);
    fclose(fopen(path, "we"));
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(world_may(&other, path, R_OK));
    assert_true(world_may(&self, path, R_OK));
    assert_int_equal(chmod(folder, 0754), 0);
    assert_false(world_may(&other, path, R_OK));
    assert_int_equal(chmod(folder, 0751), 0);
    assert_true(world_may(&other, path, R_OK));
    assert_int_equal(chmod(inner, 0750), 0);
    assert_false(world_may(&other, path, R_OK));
    assert_int_equal(chmod(inner, 0755), 0);
    unlink(path);
    assert_false(world_may(&other, path, R_OK));
    assert_false(world_may(&self, path, R_OK));
    assert_true(world_may(&other, "/", R_OK));
    rmdir(inner);
    rmdir(folder);
}

static void a_user_is_looked_up(void **state)
{
    struct conf         *conf = parse("app: {}\n");
    const struct passwd *self = getpwuid(geteuid()), *entry;
    struct world         world;
    struct reason        why = { "" };
    bool                 has_group = false;

    (void)state;
    assert_false(world_init(&world, conf, "nobody-of-this-name", &why));
    assert_string_equal(why.text, "there is no user \"nobody-of-this-name\" on this machine");
    assert_true(world_init(&world, conf, NULL, &why));
    assert_int_equal(world.uid, geteuid());
    assert_string_equal(world.user, self ? self->pw_name : "this user");
    assert_false(world.is_other);
    if (self) {
        assert_true(world_init(&world, conf, world.user, &why));
        assert_false(world.is_other);
        assert_int_equal(world.uid, geteuid());
    }
    entry = getpwnam("daemon");
    if (entry && entry->pw_uid != geteuid()) {
        assert_true(world_init(&world, conf, "daemon", &why));
        assert_true(world.is_other);
        assert_string_equal(world.user, "daemon");
        entry = getpwnam("daemon");
        assert_int_equal(world.uid, entry->pw_uid);
        assert_in_range(world.group_count, 1, WORLD_GROUPS_MAX);
        for (int i = 0; i < world.group_count; i++)
            has_group = has_group || world.groups[i] == entry->pw_gid;
        assert_true(has_group);
    }
    conf_free(conf);
}

static void a_place_is_found_by_its_path(void **state)
{
    struct conf            *conf = resolve("server: { listen: [ 'unix:/a', 'unix:/b' ],\n"
                                                      "          auth: { mode: none } }\n"
                                                      "app: { console: }\n");
    struct world            world = { .conf = conf };
    const struct conf_node *list;

    (void)state;
    assert_ptr_equal(world_node(&world, ""), conf->root);
    assert_null(world_node(&world, "log"));
    assert_null(world_node(&world, "server.auth.mode.x"));
    assert_bp_str(world_node(&world, "server.auth.mode")->value, "none");
    list = world_node(&world, "server.listen");
    assert_bp_str(world_item(list, 0)->value, "unix:/a");
    assert_bp_str(world_item(list, 1)->value, "unix:/b");
    assert_ptr_equal(world_item(list, 2), list);
    assert_ptr_equal(world_item(world_node(&world, "server.auth"), 0),
                     world_node(&world, "server.auth"));
    assert_null(world_item(NULL, 0));

    assert_problems(conf, "");
    assert_false(world_warn_at(&world, "log.level", "is %d", 1));
    assert_problems(conf, "");
    assert_true(world_warn_at(&world, "server.auth.mode", "is %d", 1));
    assert_true(world_error_at(&world, "server.auth", "is %d", 2));
    assert_problems(conf, "t.yaml:2:17: server.auth: is 2\n"
                          "t.yaml:2:25: warning: server.auth.mode: is 1\n");
    conf_free(conf);
}

struct seen {
    char        text[4096];
    const char *only; /* options of this name */
};

static void see(struct world *world, const struct world_option *option, void *arg)
{
    struct seen *seen = arg;
    size_t       len = strlen(seen->text);

    assert_non_null(world->conf);
    assert_non_null(option->field);
    if (strcmp(option->option.name, seen->only) == 0)
        snprintf(seen->text + len, sizeof(seen->text) - len, "%s%s=" BP_FMT "%s%s\n",
                 option->instance ? option->instance->kind : "host ", option->instance ? "." : "",
                 BP_ARG(*(const bp_str *)option->field), option->node ? " written" : "",
                 option->owner ? "" : " nowhere");
}

static void every_option_is_visited_with_its_value(void **state)
{
    struct conf *conf = resolve("data_dir: /srv\nstorage: { main: { use: sqlite, path: /x } }\n"
                                "app: { retrieval: { storage: main, path: ~ } }\n"
                                "log: { file: /log }\n");
    struct world world = { .conf = conf };
    struct seen  seen = { .only = "path" };
    struct world_option option;

    (void)state;
    world_each_option(&world, see, &seen);
    assert_string_equal(seen.text, "storage.=/x written\n"); // the other was written as nothing
    seen = (struct seen){ .only = "file" };
    world_each_option(&world, see, &seen);
    assert_string_equal(seen.text, "host =/log written\n");
    seen = (struct seen){ .only = "data_dir" };
    world_each_option(&world, see, &seen);
    assert_string_equal(seen.text, "host =/srv written\n");
    seen = (struct seen){ .only = "issuer" };
    world_each_option(&world, see, &seen);
    assert_string_equal(seen.text, "host = nowhere\n");

    assert_true(world_find_option(&conf->instances[0], "path", &option));
    assert_bp_str(*(const bp_str *)option.field, "/x");
    assert_bp_str(option.node->value, "/x");
    assert_ptr_equal(option.owner, conf->instances[0].node);
    assert_ptr_equal(option.instance, &conf->instances[0]);
    assert_string_equal(option.option.name, "path");
    assert_true(world_find_option(&conf->instances[0], "vector", &option));
    assert_null(option.node);
    assert_false(world_find_option(&conf->instances[0], "pat", &option));
    conf_free(conf);
}

static void a_sentence_stands_at_its_value_or_at_its_owner(void **state)
{
    struct conf        *conf = resolve("storage:\n  main: { use: sqlite, path: /x }\n"
                                              "app: { retrieval: { storage: main } }\n");
    struct world        world = { .conf = conf };
    struct world_option option, host = { .option.name = "data_dir" };

    (void)state;
    assert_true(world_find_option(&conf->instances[0], "path", &option));
    world_error(&world, &option, NULL, "%s", "one");
    world_warn(&world, &option, conf->root, "%s", "two");
    assert_true(world_find_option(&conf->instances[0], "vector", &option));
    world_warn(&world, &option, NULL, "%s", "three");
    world_error(&world, &host, NULL, "%s", "four");
    assert_problems(conf, "t.yaml: data_dir: four\n"
                          "t.yaml:1:1: warning: two\n"
                          "t.yaml:2:3: warning: storage.main.vector: three\n"
                          "t.yaml:2:30: storage.main.path: one\n");
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_for_a_shell_are_cut_out),
        cmocka_unit_test(rights_of_another_user_are_those_of_the_mode),
        cmocka_unit_test(every_folder_above_has_to_be_open),
        cmocka_unit_test(a_user_is_looked_up),
        cmocka_unit_test(a_place_is_found_by_its_path),
        cmocka_unit_test(every_option_is_visited_with_its_value),
        cmocka_unit_test(a_sentence_stands_at_its_value_or_at_its_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

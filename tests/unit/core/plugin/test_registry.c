/* test_registry.c - plugins that are found, told apart and refused. The file under test is compiled
 * in, so that a descriptor can be wrong without a shared object for each fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "plugin/registry.c"
#include "plugin/services.h"

static const char good_path[] = BP_BUILD_DIR "/plugins/cache/memory.so";

static struct plugin_registry *registry;
static char                    folder[] = "/tmp/backplane-test-XXXXXX";
static struct reason           problem;

static int set_up(void **state)
{
    (void)state;
    registry = registry_new(NULL, plugin_services, plugin_service_count);
    strcpy(folder, "/tmp/backplane-test-XXXXXX");
    return registry && mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    registry_free(registry);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static void copy_to(const char *name)
{
    char command[PATH_MAX + 128];

    snprintf(command, sizeof(command), "mkdir -p $(dirname %s/%s) && cp %s %s/%s", folder, name,
             good_path, folder, name);
    assert_int_equal(system(command), 0);
}

/* ---- descriptors ---- */

static const struct {
    uint32_t struct_size;
    void (*some)(void);
} ops = { .struct_size = sizeof(ops) };
static bp_plugin          theirs;
static struct plugin_file file = { .note = { .kind = "cache", .name = "test", .kind_version = 1 } };

static void renew(void)
{
    theirs = (bp_plugin){ .magic = BP_PLUGIN_MAGIC,
                          .struct_size = sizeof(bp_plugin),
                          .abi_major = BP_ABI_MAJOR,
                          .abi_minor = BP_ABI_MINOR,
                          .kind = "cache",
                          .name = "test",
                          .version = "1",
                          .kind_version = 1,
                          .ops = &ops };
}

static bool is_good(void)
{
    struct plugin plugin = { 0 };

    reason_clear(&problem);
    return check_descriptor(registry, &file, &theirs, &plugin, &problem);
}

#define assert_refused(words)                                                                      \
    do {                                                                                           \
        assert_false(is_good());                                                                   \
        if (!strstr(problem.text, words))                                                          \
            fail_msg("\"%s\" does not say \"%s\"", problem.text, words);                           \
        renew();                                                                                   \
    } while (0)

static void a_descriptor_that_does_not_fit_is_refused(void **state)
{
    struct plugin plugin = { 0 };

    (void)state;
    renew();
    assert_true(is_good());
    assert_false(check_descriptor(registry, &file, NULL, &plugin, &problem));
    assert_non_null(strstr(problem.text, "gave no descriptor for ABI "));
    theirs.magic++;
    assert_refused("its descriptor has the magic number");
    theirs.struct_size--;
    assert_refused("its descriptor is shorter");
    theirs.abi_major++;
    assert_refused("its descriptor says ABI");
    theirs.min_host_minor = BP_ABI_MINOR + 1;
    assert_refused("its descriptor says ABI");
    theirs.min_host_minor = BP_ABI_MINOR;
    assert_true(is_good());
    renew();
    theirs.kind = NULL;
    assert_refused("its descriptor and its note disagree: ?/test and cache/test");
    theirs.name = NULL;
    assert_refused("its descriptor and its note disagree: cache/? and cache/test");
    theirs.version = NULL;
    assert_refused("its descriptor and its note disagree");
    theirs.kind = "vector";
    assert_refused("its descriptor and its note disagree: vector/test and cache/test");
    theirs.name = "text";
    assert_refused("its descriptor and its note disagree: cache/text and cache/test");
    theirs.kind_version = 2;
    assert_refused("its descriptor and its note disagree");
}

static void a_descriptor_keeps_to_the_bounds(void **state)
{
    uint32_t      sizes[2] = { 0 };
    bp_life       life = { .struct_size = sizeof(life) + 8 };
    struct plugin plugin = { 0 };

    (void)state;
    renew();
    theirs.instance_size = 64 << 10;
    assert_true(is_good());
    theirs.instance_size++;
    assert_refused("the most is 64 KiB");
    theirs.option_count = 201;
    assert_refused("its option table is malformed: 201 options");
    theirs.option_count = 1;
    theirs.option_size = 88;
    assert_refused("its option table is malformed: 1 options of 88 bytes");
    theirs.ops = NULL;
    assert_refused("it has no table of operations");
    theirs.ops = sizes;
    assert_refused("it has no table of operations");
    sizes[0] = 2 * sizeof(uint32_t);
    theirs.ops = sizes;
    assert_true(is_good());
    sizes[0] = OPS_BYTES_MAX + 1;
    assert_refused("it has no table of operations");
    theirs.life = &life; // of a newer host
    assert_true(check_descriptor(registry, &file, &theirs, &plugin, &problem));
    assert_int_equal(plugin.life.struct_size, life.struct_size);
    assert_ptr_not_equal(plugin.descriptor.ops, theirs.ops); // a copy, as long as the longest
}

static void a_table_has_200_options_at_most(void **state)
{
    static bp_option options[201];
    static char      names[201][8];

    (void)state;
    renew();
    for (uint32_t i = 0; i < 201; i++) {
        snprintf(names[i], sizeof(names[i]), "o%u", i);
        options[i] = (bp_option){
            .name = names[i], .help = "an option", .type = BP_OPTION_TYPE_BOOL, .offset = i
        };
    }
    theirs.options = options;
    theirs.option_size = sizeof(options[0]);
    theirs.instance_size = 201;
    theirs.option_count = 200;
    assert_true(is_good());
    theirs.option_count = 201;
    assert_refused("its option table is malformed: 201 options");
    theirs.options = options;
    theirs.instance_size = 8;
    theirs.option_count = 1;
    theirs.option_size = 87;
    assert_refused("its option table is malformed: 1 options of 87 bytes");
    options[1].name = "o0";
    theirs.options = options;
    theirs.option_size = sizeof(options[0]);
    theirs.instance_size = 8;
    theirs.option_count = 2;
    assert_refused("its option table is wrong: ");
}

static void an_older_descriptor_has_fewer_operations_and_hooks(void **state)
{
    static const struct {
        uint32_t struct_size;
        uint32_t a, b, c;
    } longer = { 12, 1, 2, 3 };
    bp_life       life = { .struct_size = offsetof(bp_life, drain) };
    struct plugin plugin = { 0 };
    uint32_t      copied[4];

    (void)state;
    renew();
    memset((char *)&life + life.struct_size, 0x5a, sizeof(life) - life.struct_size);
    theirs.life = &life;
    theirs.ops = &longer;
    assert_true(check_descriptor(registry, &file, &theirs, &plugin, &problem));
    memcpy(copied, plugin.descriptor.ops, sizeof(copied));
    assert_int_equal(copied[0], 12);
    assert_int_equal(copied[2], 2);
    assert_int_equal(copied[3], 0); // beyond its end
    assert_int_equal(plugin.life.struct_size, life.struct_size);
    assert_null(plugin.life.drain);
    assert_null(plugin.life.worker_stop);
    memset(&plugin, 0, sizeof(plugin));
    life.struct_size = sizeof(life);
    assert_true(check_descriptor(registry, &file, &theirs, &plugin, &problem));
    assert_memory_equal(&plugin.life, &life, sizeof(life));
}

static void without_memory_a_plugin_is_refused(void **state)
{
    struct arena  whole = registry->arena;
    struct plugin plugin = { 0 };

    (void)state;
    renew();
    arena_init(&registry->arena, 1);
    assert_false(check_descriptor(registry, &file, &theirs, &plugin, &problem));
    assert_string_equal(problem.text, "no memory for its table of operations");
    arena_free(&registry->arena);
    registry->arena = whole;
}

/* ---- services ---- */

static const void *slot;
static bp_require  require;

static bool are_filled(void)
{
    slot = NULL;
    reason_clear(&problem);
    return fill_services(registry, &theirs, &problem);
}

static void ask_for(const char *name, uint32_t major, uint32_t minimum_size)
{
    renew();
    require = (bp_require){
        .name = name, .major = major, .minimum_size = minimum_size, .slot = (const void **)&slot
    };
    theirs.requires_begin = &require;
    theirs.requires_end = &require + 1;
    theirs.require_size = sizeof(require);
}

static void services_are_those_of_this_host(void **state)
{
    (void)state;
    ask_for("call", 1, plugin_services[0].size);
    assert_true(are_filled());
    assert_ptr_equal(slot, plugin_services[0].table);
    ask_for("call", 1, plugin_services[0].size + 1);
    assert_false(are_filled());
    assert_non_null(strstr(problem.text, "it needs a newer host: service \"call\" must have "));
    ask_for("call", 2, 8);
    assert_false(are_filled());
    assert_non_null(strstr(problem.text,
                           "it needs version 2 of the host service \"call\", this host has "
                           "version 1"));
    ask_for("magic", 1, 8);
    assert_false(are_filled());
    assert_non_null(strstr(problem.text, "it needs the host service \"magic\""));
    assert_null(slot);
    ask_for("call", 1, 8);
    theirs.requires_begin = NULL;
    assert_false(are_filled());
    assert_string_equal(problem.text, "its list of required services is malformed");
    ask_for("call", 1, 8);
    theirs.requires_begin = theirs.requires_end; // the end is before it
    theirs.requires_end = &require;
    assert_false(are_filled());
    assert_string_equal(problem.text, "its list of required services is malformed");
    ask_for("call", 1, 8);
    theirs.require_size = 2 * sizeof(require); // of a newer plugin, and half an entry
    assert_false(are_filled());
    assert_string_equal(problem.text, "its list of required services is malformed");
    ask_for("call", 1, 8);
    theirs.requires_end = NULL;
    assert_false(are_filled());
    ask_for("call", 1, 8);
    theirs.require_size = sizeof(require) - 1;
    assert_false(are_filled());
    ask_for("call", 1, 8);
    theirs.requires_end = (const bp_require *)((const char *)theirs.requires_end - 8);
    assert_false(are_filled());
    ask_for("call", 1, 8);
    theirs.requires_begin = NULL;
    theirs.requires_end = (const bp_require *)(uintptr_t)sizeof(require); // as if there were one
    assert_false(are_filled());
    ask_for("call", 1, 8);
    theirs.requires_end = &require; // none
    assert_true(are_filled());
    assert_null(slot);
}

static void each_service_has_its_slot(void **state)
{
    const void *slots[2] = { NULL, NULL };
    struct {
        bp_require require;
        uint64_t   more; // of a newer SDK
    } all[2];

    (void)state;
    assert_true(plugin_service_count > 1);
    renew();
    for (int i = 0; i < 2; i++)
        all[i].require = (bp_require){ .name = plugin_services[1 - i].name,
                                       .major = plugin_services[1 - i].major,
                                       .minimum_size = plugin_services[1 - i].size,
                                       .slot = &slots[i] };
    theirs.requires_begin = &all[0].require;
    theirs.requires_end = (const bp_require *)(all + 2);
    theirs.require_size = sizeof(all[0]);
    reason_clear(&problem);
    assert_true(fill_services(registry, &theirs, &problem));
    assert_ptr_equal(slots[0], plugin_services[1].table);
    assert_ptr_equal(slots[1], plugin_services[0].table);
}

/* ---- files ---- */

static void files_are_found_one_folder_deep(void **state)
{
    (void)state;
    copy_to("cache/memory.so");
    copy_to("cache/deeper/other.so");
    copy_to("cache/.hidden.so");
    copy_to("cache/memory.txt");
    copy_to(".memory.so");
    copy_to(".hidden/memory.so");
    copy_to("cache/.so"); // a hidden file without a name
    copy_to("cache/so");
    assert_true(registry_scan(registry, folder, &problem));
    assert_int_equal(registry_count(registry), 1);
    assert_true(registry_at(registry, 0)->is_accepted);
    assert_non_null(registry_load(registry, "cache", "memory", &problem));
    assert_string_equal(registry_load(registry, "cache", "memory", &problem)->label,
                        "cache/memory");
    assert_null(registry_load(registry, "cache", "memor", &problem));
    assert_string_equal(problem.text, "");
    assert_null(registry_load(registry, "vector", "memory", &problem));
}

static void two_of_one_name_are_both_refused(void **state)
{
    (void)state;
    copy_to("a.so");
    copy_to("b.so");
    copy_to("c.so");
    assert_true(registry_scan(registry, folder, &problem));
    assert_int_equal(registry_count(registry), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_false(registry_at(registry, i)->is_accepted);
        assert_non_null(strstr(registry_at(registry, i)->problem.text,
                               "there is another plugin cache/memory, in "));
    }
    assert_null(registry_load(registry, "cache", "memory", &problem));
    assert_non_null(strstr(problem.text, "there is another plugin"));
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    char nowhere[64], expected[200];

    (void)state;
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", folder);
    assert_false(registry_scan(registry, nowhere, &problem));
    snprintf(expected, sizeof(expected),
             "plugin folder %s cannot be read: No such file or directory", nowhere);
    assert_string_equal(problem.text, expected);
    assert_int_equal(registry_count(registry), 0);
}

static void a_file_has_one_digest(void **state)
{
    char  digest[65] = "", expected[65], command[PATH_MAX + 32];
    FILE *pipe;

    (void)state;
    assert_true(digest_of_file(good_path, digest));
    snprintf(command, sizeof(command), "sha256sum %s", good_path);
    pipe = popen(command, "re");
    expected[fread(expected, 1, 64, pipe)] = '\0';
    pclose(pipe);
    assert_string_equal(digest, expected);
    assert_false(digest_of_file("/nowhere/at/all", digest));
}

static void check_digest(const char *text, const char *wanted)
{
    struct conf_plugins plugins = registry_for_conf(registry);
    struct conf        *conf = conf_parse("t.yaml", bp_str_of(text), NULL);
    struct bp_buf       out;

    conf_resolve(conf, &plugins);
    registry_check_digests(registry, conf);
    buf_init(&out, NULL, 1 << 16);
    problems_print(&conf->problems, &out);
    if (!bp_str_is(buf_str(&out), wanted))
        fail_msg("\nnot    %s\nbut is " BP_FMT, wanted, BP_ARG(buf_str(&out)));
    buf_free(&out);
    conf_free(conf);
}

#define WRONG_DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static void a_file_that_is_not_the_pinned_one_is_told(void **state)
{
    char digest[65], text[512], wanted[512];

    (void)state;
    copy_to("alert/another.txt");
    copy_to("cache/memory.so");
    assert_true(registry_scan(registry, folder, &problem));
    assert_true(digest_of_file(good_path, digest));
    snprintf(text, sizeof(text), "cache: { main: { use: memory, digest: %s } }\n", digest);
    check_digest(text, "");
    for (char *at = digest; *at; at++)
        if (*at >= 'a')
            *at = (char)(*at - 'a' + 'A');
    snprintf(text, sizeof(text), "cache: { main: { use: memory, digest: %s } }\n", digest);
    check_digest(text, "");
    check_digest("cache: { main: { use: memory } }\n", "");
    check_digest("cache: { main: { use: memory, digest: '${PIN:-}' } }\n", "");
    assert_true(digest_of_file(good_path, digest));
    snprintf(wanted, sizeof(wanted),
             "t.yaml:1:39: cache.main.digest: the file %s/cache/memory.so has the SHA-256 %s, "
             "which "
             "is not the pinned one: it is not loaded\n",
             folder, digest);
    check_digest("cache: { main: { use: memory, digest: " WRONG_DIGEST " } }\n", wanted);
}

/* Before conf_resolve(), as the host does it: the file is never loaded. */
static void the_pin_of_any_instance_counts(void **state)
{
    static const char text[] = "cache: { a: { use: memory }, b: { use: memory, "
                               "digest: " WRONG_DIGEST " } }\n";
    struct conf      *conf = conf_parse("t.yaml", bp_str_of(text), NULL);
    char              wanted[512], digest[65];

    (void)state;
    assert_non_null(conf);
    copy_to("cache/memory.so");
    assert_true(registry_scan(registry, folder, &problem));
    assert_true(digest_of_file(good_path, digest));
    registry_check_digests(registry, conf);
    assert_int_equal(conf->problems.error_count, 1);
    snprintf(wanted, sizeof(wanted),
             "the file %s/cache/memory.so has the SHA-256 %s, which is not the pinned one: it is "
             "not loaded",
             folder, digest);
    assert_non_null(strstr(conf->problems.first->text.data, wanted));
    assert_null(registry_load(registry, "cache", "memory", &problem));
    assert_non_null(strstr(problem.text, "its SHA-256 is not the one that the conf pins"));
    conf_free(conf);
}

/* In the order of a start: the reader of the conf tells the mistake, and the file is not loaded. */
static void check_pin(const char *pin, const char *mistake)
{
    struct conf_plugins plugins;
    struct conf        *conf;
    struct bp_buf       out;
    char                text[128], wanted[512];

    copy_to("cache/memory.so");
    assert_true(registry_scan(registry, folder, &problem));
    plugins = registry_for_conf(registry);
    snprintf(text, sizeof(text), "cache: { main: { use: memory, digest: %s } }\n", pin);
    conf = conf_parse("t.yaml", bp_str_of(text), NULL);
    registry_check_digests(registry, conf);
    conf_resolve(conf, &plugins);
    buf_init(&out, NULL, 1 << 16);
    problems_print(&conf->problems, &out);
    snprintf(wanted, sizeof(wanted),
             "t.yaml:1:23: cache.main.use: the plugin cache/memory cannot be used: "
             "%s/cache/memory.so: the conf pins it by a digest that is not a SHA-256\n"
             "t.yaml:1:39: cache.main.digest: %s\n",
             folder, mistake);
    if (!bp_str_is(buf_str(&out), wanted))
        fail_msg("\nnot    %s\nbut is " BP_FMT, wanted, BP_ARG(buf_str(&out)));
    buf_free(&out);
    conf_free(conf);
}

static void a_pin_without_a_value_is_told_once(void **state)
{
    (void)state;
    check_pin("null", "has no value (give it one, or remove the line)");
}

static void a_pin_that_is_no_digest_is_told_once(void **state)
{
    (void)state;
    check_pin("abc", "is not a SHA-256 in hexadecimal (64 digits; sha256sum prints it for the "
                     "plugin's file)");
}

static void the_conf_sees_what_can_be_loaded(void **state)
{
    struct conf_plugins plugins;
    struct conf_plugin  found;

    (void)state;
    copy_to("cache/memory.so");
    assert_true(registry_scan(registry, folder, &problem));
    plugins = registry_for_conf(registry);
    assert_true(plugins.find(plugins.context, "cache", "memory", &found));
    assert_string_equal(found.name, "memory");
    assert_true(found.options.count > 0);
    assert_true(plugins.at(plugins.context, "cache", 0, &found));
    assert_false(plugins.at(plugins.context, "cache", 1, &found));
    assert_false(plugins.at(plugins.context, "vector", 0, &found));
    assert_false(plugins.find(plugins.context, "cache", "none", &found));
    assert_null(found.problem);
}

#define LISTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTED(a_descriptor_that_does_not_fit_is_refused),
        LISTED(a_descriptor_keeps_to_the_bounds),
        LISTED(a_table_has_200_options_at_most),
        LISTED(an_older_descriptor_has_fewer_operations_and_hooks),
        LISTED(without_memory_a_plugin_is_refused),
        LISTED(each_service_has_its_slot),
        LISTED(services_are_those_of_this_host),
        LISTED(files_are_found_one_folder_deep),
        LISTED(two_of_one_name_are_both_refused),
        LISTED(a_folder_that_is_not_there_is_named),
        LISTED(a_file_has_one_digest),
        LISTED(a_file_that_is_not_the_pinned_one_is_told),
        LISTED(the_pin_of_any_instance_counts),
        LISTED(a_pin_without_a_value_is_told_once),
        LISTED(a_pin_that_is_no_digest_is_told_once),
        LISTED(the_conf_sees_what_can_be_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_conf_commands.c - `backplane config`, `schema` and `docs`: what they write and how they end.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf/conf_fixture.h"

#include "cli/conf_commands.h"
#include "host/report.h"

/* What a command wrote. */
struct output {
    char  *text;
    size_t len;
    FILE  *file;
};

static void open_output(struct output *output)
{
    *output = (struct output){ 0 };
    output->file = open_memstream(&output->text, &output->len);
    assert_non_null(output->file);
}

static const char *text_of(struct output *output)
{
    fflush(output->file);
    return output->text;
}

static void close_output(struct output *output)
{
    fclose(output->file);
    free(output->text);
}

static void problems_end_with_their_number(void **state)
{
    struct conf  *conf = resolve("llm: { x: { use: everything, url: h, old: 1 } }\n");
    struct output errors;

    (void)state;
    open_output(&errors);
    assert_int_equal(report_problems(conf, errors.file), 1);
    assert_string_equal(text_of(&errors),
                        "t.yaml:1:35: llm.x.url: \"h\" is not a URL (it has no scheme) (did you "
                        "mean \"http://h\"?)\n"
                        "t.yaml:1:38: warning: llm.x.old: is deprecated: use number\n"
                        "t.yaml: 1 error, 1 warning\n");
    close_output(&errors);
    conf_free(conf);
}

static void a_conf_without_problems_prints_none(void **state)
{
    struct conf  *conf = resolve("app: { console: }\n");
    struct output out, errors;

    (void)state;
    open_output(&out);
    open_output(&errors);
    assert_int_equal(report_problems(conf, errors.file), 0);
    assert_int_equal(command_config(conf, out.file, errors.file), 0);
    assert_string_equal(text_of(&errors), "");
    assert_non_null(strstr(text_of(&out), "app:\n  console:\n    use: console  # default\n"));
    close_output(&out);
    close_output(&errors);
    conf_free(conf);
}

static void a_full_disk_is_a_sentence_and_a_status(void **state)
{
    FILE         *full = fopen("/dev/full", "w");
    struct output errors;

    (void)state;
    if (!full)
        skip();
    open_output(&errors);
    assert_int_equal(command_schema(&plugins, full, errors.file), 1);
    assert_string_equal(text_of(&errors), "writing failed: No space left on device\n");
    close_output(&errors);
    fclose(full);
}

static void remove_pages(const char *folder)
{
    char path[256];

    for (size_t i = 0; i < KNOWN_PLUGIN_COUNT; i++) {
        snprintf(path, sizeof(path), "%s/conf/%s-%s.md", folder, known_plugins[i].kind,
                 known_plugins[i].name);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/conf", folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/conf.md", folder);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void pages_that_differ_or_belong_to_no_plugin_are_named(void **state)
{
    char          folder[] = "/tmp/conf-docs-XXXXXX", path[256], expected[512];
    struct output errors;
    FILE         *page;

    (void)state;
    assert_non_null(mkdtemp(folder));
    open_output(&errors);
    assert_int_equal(command_docs(&plugins, folder, false, errors.file), 0);
    assert_int_equal(command_docs(&plugins, folder, true, errors.file), 0);
    assert_string_equal(text_of(&errors), "");

    snprintf(path, sizeof(path), "%s/conf/app-console.md", folder);
    page = fopen(path, "a");
    assert_non_null(page);
    fputs("by hand\n", page);
    fclose(page);
    snprintf(path, sizeof(path), "%s/conf/app-gone.md", folder);
    page = fopen(path, "w");
    assert_non_null(page);
    fclose(page);
    assert_int_equal(command_docs(&plugins, folder, true, errors.file), 1);
    snprintf(expected, sizeof(expected),
             "%s/conf/app-console.md: differs from the option tables: run `backplane "
             "docs` and commit it\n"
             "%s/conf/app-gone.md: is not the page of any plugin: remove it\n",
             folder, folder);
    assert_string_equal(text_of(&errors), expected);
    close_output(&errors);
    unlink(path);
    remove_pages(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_end_with_their_number),
        cmocka_unit_test(a_conf_without_problems_prints_none),
        cmocka_unit_test(a_full_disk_is_a_sentence_and_a_status),
        cmocka_unit_test(pages_that_differ_or_belong_to_no_plugin_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_expand.c - ${NAME}, ${NAME:-default}, ${file:PATH} and $${, and where each value came from.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf/conf_fixture.h"

#include "conf/yaml.h"

static char directory[] = "/tmp/conf-expand-XXXXXX";

struct expansion {
    struct arena         arena;
    struct conf_problems problems;
    struct conf_node    *root;
};

static struct expansion *expand(const char *yaml)
{
    struct expansion *expansion = calloc(1, sizeof(*expansion));

    assert_non_null(expansion);
    arena_init(&expansion->arena, 64 << 20);
    problems_init(&expansion->problems, &expansion->arena, "t.yaml");
    expansion->root = yaml_read(&expansion->problems, bp_str_of(yaml));
    expand_tree(&expansion->problems, &test_environment, directory, expansion->root);
    return expansion;
}

static void done(struct expansion *expansion)
{
    arena_free(&expansion->arena);
    free(expansion);
}

static void assert_value(const char *scalar, const char *value, const char *source)
{
    char              yaml[512];
    struct expansion *expansion;

    snprintf(yaml, sizeof(yaml), "k: \"%s\"\n", scalar);
    expansion = expand(yaml);
    assert_int_equal(expansion->problems.error_count, 0);
    assert_bp_str(node_find(expansion->root, "k")->value, value);
    assert_bp_str(node_find(expansion->root, "k")->source, source);
    done(expansion);
}

static void assert_error(const char *scalar, const char *sentence)
{
    char              yaml[512];
    struct expansion *expansion;

    snprintf(yaml, sizeof(yaml), "k: \"%s\"\n", scalar);
    expansion = expand(yaml);
    assert_int_equal(expansion->problems.error_count, 1);
    assert_bp_str(expansion->problems.first->path, "k");
    assert_bp_str(expansion->problems.first->text, sentence);
    assert_true(node_find(expansion->root, "k")->is_broken);
    done(expansion);
}

static void write_file(const char *name, bp_str bytes)
{
    char path[256];
    int  fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.data, bytes.len), bytes.len);
    close(fd);
}

static void a_variable_takes_the_environment(void **state)
{
    (void)state;
    assert_value("${PORT}", "8123", "env PORT");
    assert_value("a${PORT}b${KEY}", "a8123bsk-secret-1", "env PORT, env KEY");
}

static void a_variable_that_is_not_set_is_an_error_that_names_it(void **state)
{
    (void)state;
    assert_error("x${NOPE}",
                 "the environment variable NOPE is not set (set it, or write ${NOPE:-default})");
}

static void a_default_stands_in_for_an_unset_or_empty_variable(void **state)
{
    (void)state;
    assert_value("${NOPE:-7}", "7", "");
    assert_value("${EMPTY:-7}", "7", "");
    assert_value("${PORT:-7}", "8123", "env PORT");
    assert_value("${NOPE:-}", "", "");
    assert_value("${NOPE:-${PORT:-9}}", "8123", "env PORT");
    assert_value("${NOPE:-http://h:1/{x}}", "http://h:1/{x}", "");
}

static void what_was_put_in_is_not_expanded_again(void **state)
{
    (void)state;
    assert_value("${DOLLAR}", "a${PORT}b", "env DOLLAR");
}

static void two_dollars_escape_an_expansion(void **state)
{
    (void)state;
    assert_value("$${PORT} costs $5 and $$", "${PORT} costs $5 and $$", "");
}

static void what_is_no_expansion_is_refused(void **state)
{
    static const char form[] = "${...} must be ${NAME}, ${NAME:-default} or ${file:PATH} (write "
                               "$${ for the two characters)";

    (void)state;
    assert_error("${}", form);
    assert_error("${1A}", form);
    assert_error("${A-B}", form);
    assert_error("${PORT", "has a ${ without its }");
    assert_error("${BYTES}", "the environment variable BYTES is not UTF-8 text");
}

static void a_file_gives_its_text_without_the_last_line_break(void **state)
{
    char absolute[128], scalar[160], source[160];

    (void)state;
    write_file("key", BP_STR("sk-from-file\r\n"));
    snprintf(absolute, sizeof(absolute), "%s/key", directory);
    snprintf(scalar, sizeof(scalar), "Bearer ${file:%s}", absolute);
    snprintf(source, sizeof(source), "file %s", absolute);
    assert_value(scalar, "Bearer sk-from-file", source);
    assert_value("${file:key}", "sk-from-file", source); // from the directory of the conf file
}

static void a_file_that_cannot_be_read_is_an_error_with_path_and_reason(void **state)
{
    char sentence[256];

    (void)state;
    assert_error("${file:/nonexistent/key}",
                 "cannot read the file /nonexistent/key: No such file or directory");
    snprintf(sentence, sizeof(sentence), "cannot read the file %s/.: Is a directory", directory);
    assert_error("${file:.}", sentence);
    assert_error("${file:/dev/zero}", "cannot read the file /dev/zero: it is not a regular file");
}

static void a_file_larger_than_64_kib_or_not_text_is_refused(void **state)
{
    static char large[(64 << 10) + 2];
    char        sentence[256];

    (void)state;
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 2] = '\n';
    write_file("limit", bp_str_n(large, sizeof(large) - 1)); // 64 KiB and a line break
    large[sizeof(large) - 2] = 'x';
    write_file("large", bp_str_n(large, sizeof(large) - 1));
    write_file("binary", BP_STR("a\0b"));
    struct expansion *expansion = expand("k: ${file:limit}\n");
    assert_int_equal(expansion->problems.error_count, 0);
    assert_int_equal(node_find(expansion->root, "k")->value.len, 64 << 10);
    done(expansion);
    snprintf(sentence, sizeof(sentence), "the file %s/large is larger than 64 KiB", directory);
    assert_error("${file:large}", sentence);
    snprintf(sentence, sizeof(sentence), "the file %s/binary is not UTF-8 text", directory);
    assert_error("${file:binary}", sentence);
}

static void keys_are_not_expanded(void **state)
{
    struct expansion *expansion = expand("\"${PORT}\": 1\n");

    (void)state;
    assert_non_null(node_find(expansion->root, "${PORT}"));
    done(expansion);
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    static const char *const names[] = { "key", "limit", "large", "binary" };
    char                     path[256];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_takes_the_environment),
        cmocka_unit_test(a_variable_that_is_not_set_is_an_error_that_names_it),
        cmocka_unit_test(a_default_stands_in_for_an_unset_or_empty_variable),
        cmocka_unit_test(what_was_put_in_is_not_expanded_again),
        cmocka_unit_test(two_dollars_escape_an_expansion),
        cmocka_unit_test(what_is_no_expansion_is_refused),
        cmocka_unit_test(a_file_gives_its_text_without_the_last_line_break),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error_with_path_and_reason),
        cmocka_unit_test(a_file_larger_than_64_kib_or_not_text_is_refused),
        cmocka_unit_test(keys_are_not_expanded),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

/* test_yaml.c - the tree read from YAML: positions, and all that is refused. */
#include "core/conf/conf_fixture.h"

#include "conf/yaml.h"

struct reading {
    struct arena         arena;
    struct conf_problems problems;
    struct conf_node    *root;
};

static struct reading *read_bytes(bp_str text)
{
    struct reading *reading = calloc(1, sizeof(*reading));

    assert_non_null(reading);
    arena_init(&reading->arena, 64 << 20);
    problems_init(&reading->problems, &reading->arena, "t.yaml");
    reading->root = yaml_read(&reading->problems, text);
    return reading;
}

static void done(struct reading *reading)
{
    arena_free(&reading->arena);
    free(reading);
}

static void assert_refused(bp_str text, const char *expected)
{
    struct reading *reading = read_bytes(text);
    struct bp_buf   out;

    buf_init(&out, NULL, 1 << 20);
    problems_print(&reading->problems, &out);
    assert_string_equal(buf_str(&out).data, expected);
    buf_free(&out);
    done(reading);
}

static void every_key_and_value_knows_its_line_and_column(void **state)
{
    struct reading *reading = read_bytes(BP_STR("a: 1\nlist:\n  - x\n  - { inner: 'y z' }\n"));
    const struct conf_node *list = node_find(reading->root, "list");
    const struct conf_node *inner = node_find(list->last, "inner");

    (void)state;
    assert_int_equal(reading->problems.error_count, 0);
    assert_int_equal(list->key_position.line, 2);
    assert_int_equal(list->key_position.column, 1);
    assert_int_equal(list->first->position.line, 3);
    assert_int_equal(list->first->position.column, 5);
    assert_int_equal(inner->key_position.line, 4);
    assert_int_equal(inner->key_position.column, 7);
    assert_int_equal(inner->position.column, 14);
    assert_true(inner->is_quoted);
    assert_false(list->first->is_quoted);
    assert_bp_str(inner->text, "y z");
    assert_bp_str(node_path(&reading->arena, inner, BP_STR("")), "list[1].inner");
    done(reading);
}

static void an_empty_file_is_no_tree_and_no_problem(void **state)
{
    struct reading *reading = read_bytes(BP_STR("# nothing but a comment\n"));

    (void)state;
    assert_null(reading->root);
    assert_int_equal(reading->problems.error_count, 0);
    done(reading);
}

static void a_byte_order_mark_is_skipped(void **state)
{
    struct reading *reading = read_bytes(BP_STR("\xEF\xBB\xBF"
                                                "a: 1\n"));

    (void)state;
    assert_int_equal(reading->problems.error_count, 0);
    assert_non_null(node_find(reading->root, "a"));
    done(reading);
}

static void a_key_written_twice_is_an_error_that_names_the_first(void **state)
{
    (void)state;
    assert_refused(BP_STR("a:\n  b: 1\n  c: 2\n  b: 3\n"),
                   "t.yaml:4:3: a.b: is written twice (first at line 2)\n");
}

static void a_syntax_error_says_where(void **state)
{
    (void)state;
    assert_refused(BP_STR("a: [1, 2\nb: 3\n"),
                   "t.yaml:2:2: is not valid YAML: did not find expected ',' or ']' while parsing "
                   "a flow sequence that starts at line 1\n");
    assert_refused(BP_STR("a:\n\tb: 1\n"),
                   "t.yaml:2:1: is not valid YAML: found character that cannot start any token "
                   "while scanning for the next token that starts at line 2\n");
    assert_refused(BP_STR("a: b c: d\n"), "t.yaml:1:7: is not valid YAML: mapping values are not "
                                          "allowed in this context\n");
}

static void an_expansion_without_quotes_in_braces_gets_a_hint(void **state)
{
    (void)state;
    assert_refused(BP_STR("b: ${X}\na: { k: ${X} }\n"),
                   "t.yaml:2:10: is not valid YAML: did not find expected ',' or '}' while parsing "
                   "a flow mapping that starts at line 2; write \"${NAME}\" in quotes within { } "
                   "and [ ]\n");
}

static void anchors_aliases_and_tags_are_refused(void **state)
{
    static const char tail[] = "anchors (&name), aliases (*name) and tags (!name) are not "
                               "understood; write the value out, or quote it if it is text\n";
    char              expected[400];

    (void)state;
    snprintf(expected, sizeof(expected), "t.yaml:1:4: %s", tail);
    assert_refused(BP_STR("a: &x 1\nb: x\n"), expected);
    assert_refused(BP_STR("a: *x\n"), expected);
    assert_refused(BP_STR("a: !!binary 1\n"), expected);
}

static void a_second_document_is_refused(void **state)
{
    (void)state;
    assert_refused(BP_STR("a: 1\n---\nb: 2\n"),
                   "t.yaml:2:1: is a second document; remove the line --- and what follows it\n");
}

static void nesting_deeper_than_32_levels_is_refused(void **state)
{
    char text[128] = "";

    (void)state;
    memset(text, '[', 33);
    assert_refused(bp_str_of(text),
                   "t.yaml:1:33: "
                   "[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]["
                   "0][0][0][0][0]: is nested deeper than 32 levels\n");
}

static void more_than_100000_values_are_refused(void **state)
{
    size_t          len = 200010;
    char           *text = malloc(len);
    struct reading *reading;

    (void)state;
    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 1; i < len; i++)
        text[i] = i % 2 ? '1' : ',';
    reading = read_bytes(bp_str_n(text, len));
    assert_null(reading->root);
    assert_int_equal(reading->problems.error_count, 1);
    assert_bp_str(reading->problems.first->text, "the file has more than 100,000 values");
    done(reading);
    free(text);
}

static void a_mapping_of_more_than_1024_keys_is_refused(void **state)
{
    struct bp_buf   text;
    struct reading *reading;

    (void)state;
    buf_init(&text, NULL, 1 << 20);
    for (unsigned i = 0; i < 1025; i++)
        buf_addf(&text, "k%u: 1\n", i);
    reading = read_bytes(buf_str(&text));
    assert_null(reading->root);
    assert_int_equal(reading->problems.first->position.line, 1025);
    assert_bp_str(reading->problems.first->text, "has more than 1024 keys");
    done(reading);
    buf_free(&text);
}

static void a_file_larger_than_4_mib_is_refused(void **state)
{
    size_t len = (4 << 20) + 1;
    char  *text = malloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, '#', len);
    assert_refused(bp_str_n(text, len), "t.yaml: is larger than 4 MiB\n");
    free(text);
}

static void what_is_not_utf8_is_refused(void **state)
{
    (void)state;
    assert_refused(BP_STR("a: \xC3\x28\n"),
                   "t.yaml: is not UTF-8 text: invalid trailing UTF-8 octet at byte 4\n");
    assert_refused(BP_STR("\xFF\xFE"
                          "a\0"),
                   "t.yaml: is not UTF-8 text: invalid leading UTF-8 octet at byte 0\n");
}

static void a_nul_in_a_value_is_refused(void **state)
{
    (void)state;
    assert_refused(BP_STR("a: \"x\\0y\"\n"), "t.yaml:1:4: holds a NUL character (\\0)\n");
}

static void a_line_that_is_no_yaml_is_left_out_and_the_rest_is_read(void **state)
{
    static const char text[] = "a: { b: 1\nc: 2\nd: \"x\ne: &n 3\nf: 4\n";
    struct reading   *reading = read_bytes(bp_str_of(text));

    (void)state;
    assert_true(reading->problems.is_partial);
    assert_int_equal(reading->problems.error_count, 3);
    assert_non_null(reading->root);
    assert_non_null(node_find(reading->root, "c"));
    assert_int_equal(node_find(reading->root, "f")->position.line, 5);
    done(reading);
}

static void a_list_as_a_key_is_refused(void **state)
{
    (void)state;
    assert_refused(BP_STR("? [a, b]\n: 1\n"),
                   "t.yaml:1:3: a key must be a word, not a list or a mapping\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_and_value_knows_its_line_and_column),
        cmocka_unit_test(an_empty_file_is_no_tree_and_no_problem),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(a_key_written_twice_is_an_error_that_names_the_first),
        cmocka_unit_test(a_syntax_error_says_where),
        cmocka_unit_test(an_expansion_without_quotes_in_braces_gets_a_hint),
        cmocka_unit_test(anchors_aliases_and_tags_are_refused),
        cmocka_unit_test(a_second_document_is_refused),
        cmocka_unit_test(nesting_deeper_than_32_levels_is_refused),
        cmocka_unit_test(more_than_100000_values_are_refused),
        cmocka_unit_test(a_mapping_of_more_than_1024_keys_is_refused),
        cmocka_unit_test(a_file_larger_than_4_mib_is_refused),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(a_nul_in_a_value_is_refused),
        cmocka_unit_test(a_line_that_is_no_yaml_is_left_out_and_the_rest_is_read),
        cmocka_unit_test(a_list_as_a_key_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

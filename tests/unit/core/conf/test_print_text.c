/* test_print_text.c - how `backplane config` writes a text, where it came from, and what it hides.
 * The file under test is compiled in, for the texts that no conf of one page holds. */
#include "conf/print_effective.c"

#include "core/conf/conf_fixture.h"

static struct arena   arena;
static struct bp_buf  out;
static struct conf    conf_of_test = { .file = "t.yaml" };
static struct printer printer = { .arena = &arena, .conf = &conf_of_test, .out = &out };

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    buf_init(&out, NULL, 1 << 20);
    printer.is_alert = false;
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    arena_free(&arena);
    return 0;
}

#define PRINTED(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void expect(const char *wanted)
{
    assert_string_equal(buf_str(&out).data, wanted);
    buf_reset(&out);
}

static void texts_are_quoted_and_escaped_where_yaml_needs_it(void **state)
{
    static const char *const cases[][2] = {
        { "", "\"\"" },
        { "null", "\"null\"" },
        { "nul", "nul" },
        { "azAZ09/", "azAZ09/" },
        { "/a_.-b", "/a_.-b" },
        { "_a", "\"_a\"" },
        { ".a", "\".a\"" },
        { "-a", "\"-a\"" },
        { "a b", "\"a b\"" },
        { "a:b", "\"a:b\"" },
        { "a@b", "\"a@b\"" },
        { "a[b", "\"a[b\"" },
        { "a`b", "\"a`b\"" },
        { "a{b", "\"a{b\"" },
        { "a\"b\\c", "\"a\\\"b\\\\c\"" },
        { "a\tb\nc", "\"a\\u0009b\\u000Ac\"" },
        { "\x1f ", "\"\\u001F \"" },
        { "~\x7f", "\"~\\u007F\"" },
        { "\xc2\x80", "\"\\u0080\"" },
        { "\xc2\x9f", "\"\\u009F\"" },
        { "\xc2\xa0", "\"\xc2\xa0\"" },
        { "\xe2\x80\xa7", "\"\xe2\x80\xa7\"" },
        { "\xe2\x80\xa8", "\"\\u2028\"" },
        { "\xe2\x80\xa9", "\"\\u2029\"" },
        { "\xe2\x80\xaa", "\"\xe2\x80\xaa\"" },
        { "\xef\xbb\xbe", "\"\xef\xbb\xbe\"" },
        { "\xef\xbb\xbf", "\"\\uFEFF\"" },
        { "\xef\xbf\xbd", "\"\xef\xbf\xbd\"" },
        { "\xef\xbf\xbe", "\"\\uFFFE\"" },
        { "\xef\xbf\xbf", "\"\\uFFFF\"" },
        { "\xf0\x90\x80\x80", "\"\xf0\x90\x80\x80\"" },
        { "\xf0\x9f\xbf\xbe", "\"\\U0001FFFE\"" },
        { "\xf0\x9f\xbf\xbf", "\"\\U0001FFFF\"" },
        { "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
        { "\xff", "\"\\uFFFD\"" },
        { "a\xe2\x82z", "\"a\\uFFFD\\uFFFDz\"" },
        { "$", "\"$\"" },
        { "${A}", "\"$${A}\"" },
        { "$A{", "\"$A{\"" },
        { "a$", "\"a$\"" },
        { "$${A}", "\"$$${A}\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_text(&printer, bp_str_of(cases[i][0]), true);
        expect(cases[i][1]);
    }
    print_text(&printer, BP_STR("${A}"), false); // as it stands in the file
    expect("\"${A}\"");
}

static void code_points_are_decoded_from_every_length(void **state)
{
    (void)state;
    assert_int_equal(decode((const unsigned char *)"a", 1), 'a');
    assert_int_equal(decode((const unsigned char *)"\xdf\xbf", 2), 0x7FF);
    assert_int_equal(decode((const unsigned char *)"\xef\xbf\xbd", 3), 0xFFFD);
    assert_int_equal(decode((const unsigned char *)"\xf4\x8f\xbf\xbf", 4), 0x10FFFF);
}

static void a_source_is_a_place_or_a_name_on_one_line(void **state)
{
    struct conf_node node = { .position = { 3, 9 } };

    (void)state;
    print_source(&printer, NULL);
    expect("  # default\n");
    print_source(&printer, &node);
    expect("  # t.yaml:3:9\n");
    node.source = BP_STR("env A, file b\nc\x1f d");
    print_source(&printer, &node);
    expect("  # env A, file b?c? d\n");
}

static void headers_and_members_are_hidden_unless_they_are_plain(void **state)
{
    static const struct {
        const char *option, *key;
        bool        is_hidden;
    } cases[] = { { "headers", "Accept", false },        { "headers", "content-type", false },
                  { "headers", "User-Agent", false },    { "headers", "accept-language", false },
                  { "headers", "Cache-Control", false }, { "headers", "Authorization", true },
                  { "headers", "X-Plain", true },        { "headers", "accept2", true },
                  { "labels", "X-Plain", false },        { "labels", "api_key", true } };
    bp_option option = BP_OPTION_MAP(struct everything, headers, .help = "");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf_node node = { .key = bp_str_of(cases[i].key) };

        option.name = cases[i].option;
        option.type = BP_OPTION_TYPE_MAP;
        if (is_hidden_member(&option, &node) != cases[i].is_hidden)
            fail_msg("%s.%s", cases[i].option, cases[i].key);
        option.type = BP_OPTION_TYPE_LIST;
        assert_false(is_hidden_member(&option, &node));
    }
}

/* The whole of instances, with what the host adds to each cut off. */
static void expect_instance(const char *yaml, const char *kind, const char *wanted)
{
    struct conf *conf = resolve(yaml);
    const char  *begin_of, *end_of;
    char         text[4096], title[32];

    assert_false(conf_has_errors(conf));
    conf_print_effective(conf, &out);
    snprintf(title, sizeof(title), "\n%s:\n", kind);
    begin_of = strstr(buf_str(&out).data, title);
    assert_non_null(begin_of);
    end_of = strstr(begin_of, "    deadline:");
    assert_non_null(end_of);
    snprintf(text, sizeof(text), "%.*s", (int)(end_of - begin_of - 1), begin_of + 1);
    assert_string_equal(text, wanted);
    buf_reset(&out);
    conf_free(conf);
}

static void an_instance_is_printed_with_every_option(void **state)
{
    (void)state;
    expect_instance("llm:\n  x:\n    use: everything\n    url: http://u:p@h/\n"
                    "    flag: ${NOPE:-1}\n    metric: ${NOPE:-COSINE}\n    number: ${NOPE:-}\n"
                    "    api_key: ${KEY}\n    models: [a, '${NOPE:-}', 'b c']\n"
                    "    headers: { Accept: x, Cookie: y }\n    fallback: []\n    path: ./p\n"
                    "data_dir: /d\n",
                    "llm",
                    "llm:\n  x:\n    use: everything  # t.yaml:3:10\n"
                    "    flag: true  # t.yaml:5:11\n"
                    "    number: 7  # default\n"
                    "    ratio: 0.5  # default\n"
                    "    size: 64MiB  # default\n"
                    "    timeout: 2s  # default\n"
                    "    pause: off  # default\n"
                    "    text: hello  # default\n"
                    "    metric: cosine  # t.yaml:6:13\n"
                    "    url: \"http://***@h/\"  # t.yaml:4:10\n"
                    "    # database: not set\n"
                    "    # address: not set\n"
                    "    path: /d/p  # t.yaml:12:11\n"
                    "    api_key: \"***\"  # env KEY\n"
                    "    models: [a, \"b c\"]  # t.yaml:9:13\n"
                    "    headers: { Accept: x, Cookie: \"***\" }  # t.yaml:10:14\n"
                    "    # storage: not set\n"
                    "    fallback: []  # t.yaml:11:15\n"
                    "    # old: not set\n");
    expect_instance("llm: { x: { use: everything, url: 'http://h', flag: '${NOPE:-off}', metric: "
                    "'${NOPE:-dot}', headers: { a: '${EMPTY:-}' }, storage: s, address: ':1' } }\n"
                    "storage: { s: { use: sqlite } }\ndata_dir: /d\n",
                    "llm",
                    "llm:\n  x:\n    use: everything  # t.yaml:1:18\n"
                    "    flag: false  # t.yaml:1:53\n"
                    "    number: 7  # default\n"
                    "    ratio: 0.5  # default\n"
                    "    size: 64MiB  # default\n"
                    "    timeout: 2s  # default\n"
                    "    pause: off  # default\n"
                    "    text: hello  # default\n"
                    "    metric: dot  # t.yaml:1:77\n"
                    "    url: \"http://h\"  # t.yaml:1:35\n"
                    "    # database: not set\n"
                    "    address: \":1\"  # t.yaml:1:144\n"
                    "    path: /d/here  # default\n"
                    "    # api_key: not set\n"
                    "    models: [small, large]  # default\n"
                    "    headers: {  }  # t.yaml:1:102\n"
                    "    storage: s  # t.yaml:1:132\n"
                    "    # fallback: not set\n"
                    "    # old: not set\n");
}

static void a_missing_plugin_is_said_and_each_kind_has_one_title(void **state)
{
    (void)state;
    expect_instance("embed: { a: { use: broken, critical: no }, b: { use: hash } }\n", "embed",
                    "embed:\n  a:\n    use: broken  # t.yaml:1:20\n"
                    "    # there is no plugin embed/broken; its settings were not read\n");
}

/* An alert sink posts to a URL whose path is its key. */
static void the_path_of_an_alert_sink_is_hidden(void **state)
{
    bp_option        option = BP_OPTION_URL(struct everything, url, .help = "");
    struct conf_node node = { .kind = NODE_SCALAR,
                              .text = BP_STR("https://h/a/key"),
                              .value = BP_STR("https://h/a/key") };

    (void)state;
    print_scalar(&printer, &option, &node);
    expect("\"https://h/a/key\"");
    printer.is_alert = true;
    print_scalar(&printer, &option, &node);
    expect("\"https://h/***\"");
    option.type = BP_OPTION_TYPE_STRING;
    print_scalar(&printer, &option, &node);
    expect("\"https://h/a/key\"");
    node.is_from_file = true;
    node.text = BP_STR("${file:x}");
    print_scalar(&printer, &option, &node);
    expect("\"${file:x}\"");
}

static void the_top_and_the_listeners_are_printed_first(void **state)
{
    struct conf *conf = resolve(
        "data_dir: /d\nserver:\n  listen: [ '127.0.0.1:1', { address: 'unix:/s', apps: [console, "
        "retrieval] } ]\n  drain: { delay: 5s }\napp: { console: , retrieval: }\n");
    static const char top[] = "data_dir: /d  # t.yaml:1:11\n# plugins: not set\nserver:\n  "
                              "listen:\n    - address: \"127.0.0.1:1\"  # t.yaml:3:13\n    - "
                              "address: \"unix:/s\"  # t.yaml:3:39\n      apps: [console, "
                              "retrieval]  # t.yaml:3:56\n  workers: auto  # default\n";
    char             *text;

    (void)state;
    assert_problems(conf, "");
    conf_print_effective(conf, &out);
    text = (char *)(uintptr_t)buf_str(&out).data;
    assert_non_null(strstr(text, "\n  drain:\n    delay: 5s  # t.yaml:4:19\n"));
    assert_non_null(strstr(text, "\nlog:\n  level: info  # default\n"));
    assert_non_null(strstr(text, "\napp:\n  console:\n    use: console  # default\n"));
    assert_non_null(strstr(text, "\n    # prefix: not set\n"));
    assert_true(strlen(text) > strlen(top));
    text[strlen(top)] = '\0';
    assert_string_equal(text, top);
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRINTED(texts_are_quoted_and_escaped_where_yaml_needs_it),
        PRINTED(code_points_are_decoded_from_every_length),
        PRINTED(a_source_is_a_place_or_a_name_on_one_line),
        PRINTED(headers_and_members_are_hidden_unless_they_are_plain),
        PRINTED(an_instance_is_printed_with_every_option),
        PRINTED(a_missing_plugin_is_said_and_each_kind_has_one_title),
        PRINTED(the_path_of_an_alert_sink_is_hidden),
        PRINTED(the_top_and_the_listeners_are_printed_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_print_effective.c - what `backplane config` prints: every value with its source, no secret,
 * and the same conf when it is read again. */
#include "core/conf/conf_fixture.h"

#include "conf/conf_print.h"

static const char RICH[] = "data_dir: /srv/data\n"
                           "plugins: [/opt/more]\n"
                           "server:\n"
                           "  listen: [ '127.0.0.1:${PORT}', { address: 'unix:/run/b.sock', apps: "
                           "[console] } ]\n"
                           "  workers: 3\n"
                           "  allowed_hosts: [a.example, 'b c']\n"
                           "storage: { main: { use: sqlite, path: x.db } }\n"
                           "llm:\n"
                           "  big:\n"
                           "    use: everything\n"
                           "    url: 'http://h:1/v1'\n"
                           "    database: 'postgres://u:hunter2@h/x'\n"
                           "    api_key: ${KEY}\n"
                           "    text: \"quote \\\" backslash \\\\ dollar $${X} line\\nbreak "
                           "\\u0085 \\uFEFF \\U0001F600 \\x7F\"\n"
                           "    models: [one, 'two: three', '#four', '']\n"
                           "    headers: { Authorization: 'Bearer tok-secret-2', X-Plain: 'yes, it "
                           "is' }\n"
                           "    storage: main\n"
                           "    timeout: 3s\n"
                           "    retries: 0\n"
                           "embed: { gone: { use: broken, critical: false } }\n"
                           "app: { console: }\n";

/* Freed by the caller with free(). */
static char *print(const struct conf *conf)
{
    struct bp_buf out;
    char         *text;

    buf_init(&out, NULL, CONF_PRINT_MAX_BYTES);
    conf_print_effective(conf, &out);
    text = strdup(buf_str(&out).data);
    assert_non_null(text);
    buf_free(&out);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void every_value_has_its_source(void **state)
{
    struct conf *conf = resolve(RICH);
    char        *text = print(conf);

    (void)state;
    assert_false(conf_has_errors(conf));
    assert_has(text, "data_dir: /srv/data  # t.yaml:1:11\n");
    assert_has(text, "    - address: \"127.0.0.1:8123\"  # env PORT\n");
    assert_has(text, "      apps: [console]  # t.yaml:4:71\n");
    assert_has(text, "  workers: 3  # t.yaml:5:12\n");
    assert_has(text, "  access_log: on  # default\n");
    assert_has(text, "    header_block: 32KiB  # default\n");
    assert_has(text, "    path: /srv/data/x.db  # t.yaml:7:39\n");
    assert_has(text, "    path: /srv/data/here  # default\n");
    assert_has(text, "    api_key: \"***\"  # env KEY\n");
    assert_has(text, "    # address: not set\n");
    assert_has(text, "    retries: 0  # t.yaml:19:14\n");
    assert_has(text, "    # there is no plugin embed/broken; its settings were not read\n");
    free(text);
    conf_free(conf);
}

static void no_secret_is_in_it(void **state)
{
    struct conf *conf = resolve(RICH);
    char        *text = print(conf);

    (void)state;
    assert_null(strstr(text, "sk-secret-1"));
    assert_null(strstr(text, "hunter2"));
    assert_null(strstr(text, "tok-secret-2"));
    assert_has(text, "database: \"postgres://***@h/x\"");
    assert_has(text, "headers: { Authorization: \"***\", X-Plain: \"***\" }");
    free(text);
    conf_free(conf);
}

/* Without the comments, which name other places. */
static void cut_comments(char *text)
{
    char *out = text;

    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        char *comment = strstr(line, "  # ");
        char *stop = comment && comment < end ? comment : end;

        memmove(out, line, (size_t)(stop - line));
        out += stop - line;
        *out++ = '\n';
        line = end + 1;
    }
    *out = '\0';
}

static void what_is_printed_reads_back_to_the_same_conf(void **state)
{
    struct conf             *conf = resolve(RICH);
    char                    *first = print(conf), *second;
    struct conf             *again = resolve(first);
    const struct everything *a, *b;

    (void)state;
    assert_int_equal(again->problems.error_count, 0);
    second = print(again);
    assert_int_equal(again->instance_count, conf->instance_count);
    a = conf_find_instance(conf, BP_STR("llm"), BP_STR("big"))->options;
    b = conf_find_instance(again, BP_STR("llm"), BP_STR("big"))->options;
    assert_true(bp_str_equal(a->text, b->text));
    assert_true(bp_str_equal(a->path, b->path));
    assert_int_equal(b->timeout_ns, BP_SECONDS(3));
    assert_int_equal(b->models.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(bp_str_equal(a->models.items[i], b->models.items[i]));
    assert_int_equal(again->server.listener_count, 2);
    assert_true(bp_str_equal(conf->data_dir, again->data_dir));
    cut_comments(first);
    cut_comments(second);
    assert_string_equal(first, second);
    free(first);
    free(second);
    conf_free(conf);
    conf_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_its_source),
        cmocka_unit_test(no_secret_is_in_it),
        cmocka_unit_test(what_is_printed_reads_back_to_the_same_conf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_print_reference.c - JSON Schema and reference pages made from the tables of options. */
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "core/conf/conf_fixture.h"

#include "conf/conf_print.h"

/* The same plugins in another order, as another directory would give them. */
static bool reversed_at(void *context, const char *kind, size_t index, struct conf_plugin *plugin)
{
    size_t count = 0;

    while (known_at(context, kind, count, plugin))
        count++;
    return index < count && known_at(context, kind, count - 1 - index, plugin);
}

static const struct conf_plugins reversed = { NULL, find_known, reversed_at };

struct printed {
    struct arena  arena;
    struct bp_buf text;
};

static void begin(struct printed *printed)
{
    arena_init(&printed->arena, 64 << 20);
    buf_init(&printed->text, NULL, CONF_PRINT_MAX_BYTES);
}

static void end(struct printed *printed)
{
    buf_free(&printed->text);
    arena_free(&printed->arena);
}

static const bp_json *get(const bp_json *value, const char *key)
{
    const bp_json *member = json_get(value, bp_str_of(key));

    assert_non_null(member);
    return member;
}

static void the_schema_is_json_with_every_option_of_every_plugin(void **state)
{
    struct printed printed;
    const bp_json *schema, *definitions, *options;
    struct reason  why;
    char           name[64];

    (void)state;
    begin(&printed);
    assert_int_equal(conf_print_schema(&printed.arena, &plugins, &printed.text), BP_OK);
    assert_int_equal(json_parse(&printed.arena, buf_str(&printed.text), &schema, &why), BP_OK);
    assert_bp_str(json_as_string(get(schema, "$schema")),
                  "https://json-schema.org/draft/2020-12/schema");
    definitions = get(schema, "$defs");
    for (size_t i = 0; i < KNOWN_PLUGIN_COUNT; i++) {
        snprintf(name, sizeof(name), "%s.%s", known_plugins[i].kind, known_plugins[i].name);
        options = get(get(definitions, name), "properties");
        assert_bp_str(json_as_string(get(get(options, "use"), "const")), known_plugins[i].name);
        for (uint32_t k = 0; k < known_plugins[i].options.count; k++)
            assert_bp_str(json_as_string(get(get(options, known_plugins[i].options.options[k].name),
                                             "description")),
                          known_plugins[i].options.options[k].help);
        get(options, "breaker_window");
    }
    get(get(get(get(schema, "properties"), "server"), "properties"), "listen");
    end(&printed);
}

static void the_order_of_plugins_does_not_matter(void **state)
{
    struct printed one, other;

    (void)state;
    begin(&one);
    begin(&other);
    assert_int_equal(conf_print_schema(&one.arena, &plugins, &one.text), BP_OK);
    assert_int_equal(conf_print_schema(&other.arena, &reversed, &other.text), BP_OK);
    assert_string_equal(buf_str(&one.text).data, buf_str(&other.text).data);
    end(&one);
    end(&other);
    begin(&one);
    begin(&other);
    conf_print_host_page(&one.arena, &plugins, &one.text);
    conf_print_host_page(&other.arena, &reversed, &other.text);
    assert_string_equal(buf_str(&one.text).data, buf_str(&other.text).data);
    end(&one);
    end(&other);
}

/* An independent reader of YAML and of JSON Schema, which must judge each conf as this host does.
 * It gets the confs in one file, with a line of %%% behind each, and prints a 1 for each that is
 * valid and a 0 for the others. */
static const char VALIDATOR[] = "import sys\n"
                                "try:\n"
                                "    import json, jsonschema, yaml\n"
                                "except ImportError:\n"
                                "    sys.exit(77)\n"
                                "schema = json.load(open(sys.argv[1]))\n"
                                "jsonschema.Draft202012Validator.check_schema(schema)\n"
                                "validator = jsonschema.Draft202012Validator(schema)\n"
                                "confs = open(sys.argv[2]).read().split('%%%\\n')[:-1]\n"
                                "verdicts = ['01'[validator.is_valid(yaml.safe_load(conf))] for "
                                "conf in confs]\n"
                                "open(sys.argv[2], 'w').write(''.join(verdicts))\n";

static void write_text(const char *path, bp_str text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* What the validator ended with: 77 when there is none here. */
static int validate(const char *schema, const char *confs)
{
    int   status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        execlp("python3", "python3", "-c", VALIDATOR, schema, confs, (char *)NULL);
        _exit(77);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const struct {
    const char *conf;
    bool        is_valid;
} cases[] = {
    { "# nothing\n", true },
    { "server: { listen: [ 127.0.0.1:8000, { address: ':1', apps: [console] } ], workers: 4, "
      "access_log: off,\n"
      "  auth: { mode: keys, storage: main }, limits: { body: 1MiB, header_block: 4096 }, drain: { "
      "delay: 5s } }\n"
      "log: { level: \"${LOG_LEVEL:-info}\" }\n"
      "storage: { main: { use: sqlite, path: x.db, critical: no, retries: \"${R:-1}\" } }\n",
      true },
    { "llm: { x: { use: everything, url: 'http://h', flag: yes, number: 3, ratio: 0.5, size: "
      "64MiB, timeout: 2s,\n"
      "  pause: off, text: 12, metric: dot, address: 'h:1', path: /x, api_key: 12, models: [a, b], "
      "headers: { a: 1 },\n"
      "  storage: main, fallback: [a, b] } }\n",
      true },
    { "app: { console: , retrieval: { path: x }, other: { use: console } }\n", true },
    { "servr: {}\n", false },
    { "server: { workres: 4 }\n", false },
    { "server: { drain: { delay: 5 parsecs } }\n", false },
    { "storage: { main: { use: sqlit } }\n", false },
    { "storage: { main: { path: x } }\n", false },
    { "storage: { Main: { use: sqlite } }\n", false },
    { "llm: { x: { use: everything } }\n", false },
    { "llm: { x: { use: everything, url: 'ftp://h' } }\n", false },
    { "llm: { x: { use: everything, url: 'http://h', number: 11 } }\n", false },
    { "llm: { x: { use: everything, url: 'http://h', metric: cosin } }\n", false },
    { "llm: { x: { use: everything, url: 'http://h', timeout: off } }\n", false },
    { "llm: { x: { use: everything, url: 'http://h', headers: [a] } }\n", false },
    { "app: { unknown: { path: x } }\n", false },
    { "app: { console: { path: x } }\n", false },
};

static void another_validator_judges_confs_as_the_host_does(void **state)
{
    enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };
    char           schema[] = "/tmp/conf-schema-XXXXXX", confs[] = "/tmp/conf-cases-XXXXXX";
    char           verdicts[CASE_COUNT + 1] = "";
    struct printed printed;
    int            fds[] = { mkstemp(schema), mkstemp(confs) };
    int            result;
    FILE          *file;

    (void)state;
    assert_true(fds[0] >= 0 && fds[1] >= 0);
    close(fds[0]);
    close(fds[1]);
    begin(&printed);
    assert_int_equal(conf_print_schema(&printed.arena, &plugins, &printed.text), BP_OK);
    write_text(schema, buf_str(&printed.text));
    buf_reset(&printed.text);
    for (size_t i = 0; i < CASE_COUNT; i++)
        buf_addf(&printed.text, "%s%%%%%%\n", cases[i].conf);
    write_text(confs, buf_str(&printed.text));
    result = validate(schema, confs);
    file = fopen(confs, "r");
    assert_non_null(file);
    if (result == 0)
        assert_int_equal(fread(verdicts, 1, CASE_COUNT, file), CASE_COUNT);
    fclose(file);
    remove(schema);
    remove(confs);
    end(&printed);
    if (result == 77) {
        print_message("no python3 with jsonschema and yaml here\n");
        skip();
    }
    assert_int_equal(result, 0);
    for (size_t i = 0; i < CASE_COUNT; i++)
        if ((verdicts[i] == '1') != cases[i].is_valid)
            fail_msg("the schema finds this %s:\n%s", verdicts[i] == '1' ? "right" : "wrong",
                     cases[i].conf);
}

/* The host itself agrees with the table above, references apart. */
static void the_host_judges_the_same_confs_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *it = parse(cases[i].conf);
        bool         refers = false;

        conf_resolve(it, &plugins);
        for (const struct conf_problem *problem = it->problems.first; problem;
             problem = problem->next)
            refers = refers || strstr(problem->text.data, "instance \"");
        if (!refers && conf_has_errors(it) == cases[i].is_valid)
            fail_msg("the host finds this %s:\n%s", conf_has_errors(it) ? "wrong" : "right",
                     cases[i].conf);
        conf_free(it);
    }
}

static void a_plugin_page_has_a_row_for_each_option_and_an_example_that_parses(void **state)
{
    struct printed printed;
    const char    *page, *example, *stop;

    (void)state;
    begin(&printed);
    conf_print_plugin_page(&known_plugins[0], &printed.text);
    page = buf_str(&printed.text).data;
    assert_true(strncmp(page, "# llm/everything\n", 17) == 0);
    assert_non_null(strstr(page, "An LLM provider: has an option of each type.\n"));
    assert_non_null(strstr(page, "| `timeout` | duration | `2s` | 10ms to 1m | a time |\n"));
    assert_non_null(
        strstr(page, "| `metric` | choice | `l2` | `cosine`, `l2`, `dot` | a choice |\n"));
    assert_non_null(strstr(page, "| `url` | URL | **required** |  | base URL of the server |\n"));
    assert_non_null(
        strstr(page, "| `old` | integer |  |  | an old name. **Deprecated**: use number |\n"));
    example = strstr(page, "```yaml\n") + 8;
    stop = strstr(example, "```");
    assert_non_null(stop);
    assert_non_null(strstr(example, "    api_key: \"${file:/run/secrets/api_key}\"\n"));
    struct conf *conf = conf_parse("t.yaml", bp_str_n(example, (size_t)(stop - example)),
                                   &test_environment);
    conf_resolve(conf, &plugins);
    assert_problems(conf, "t.yaml:5:14: llm.main.api_key: cannot read the file "
                          "/run/secrets/api_key: No such file or directory\n");
    conf_free(conf);
    end(&printed);
}

static void the_page_of_the_host_names_every_setting(void **state)
{
    struct printed printed;
    char           row[96];

    (void)state;
    begin(&printed);
    conf_print_host_page(&printed.arena, &plugins, &printed.text);
    for (size_t i = 0; i < SERVER_SECTION_COUNT; i++)
        for (uint32_t k = 0; k < server_sections[i].table.count; k++) {
            snprintf(row, sizeof(row), "\n| `%s` | ", option_at(&server_sections[i].table, k).name);
            assert_non_null(strstr(buf_str(&printed.text).data, row));
        }
    assert_non_null(strstr(buf_str(&printed.text).data, "| `breaker_pause` | duration | `5s` |"));
    assert_non_null(strstr(buf_str(&printed.text).data, "| `embed` | [due](conf/embed-due.md) | "));
    end(&printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_is_json_with_every_option_of_every_plugin),
        cmocka_unit_test(the_order_of_plugins_does_not_matter),
        cmocka_unit_test(another_validator_judges_confs_as_the_host_does),
        cmocka_unit_test(the_host_judges_the_same_confs_so),
        cmocka_unit_test(a_plugin_page_has_a_row_for_each_option_and_an_example_that_parses),
        cmocka_unit_test(the_page_of_the_host_names_every_setting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_option.c - each type of option: what it takes, what it refuses and in which words. */
#include "core/conf/conf_fixture.h"

static const char *const PLACE = "llm:\n  x:\n    use: everything\n    url: http://h\n    %s: %s\n";

/* Resolves a conf in which `key` of a plugin with all types is `value`. */
static struct conf *with(const char *key, const char *value)
{
    char text[4096];

    snprintf(text, sizeof(text), PLACE, key, value);
    return resolve(text);
}

static void assert_refused(const char *key, const char *value, const char *sentence)
{
    struct conf *conf = with(key, value);

    assert_int_equal(conf->problems.error_count, 1);
    assert_bp_str(conf->problems.first->text, sentence);
    assert_int_equal(conf->problems.first->position.line, 5);
    conf_free(conf);
}

/* The struct that came of it; freed with the conf, of which there is one at a time. */
static struct conf *last;

static const struct everything *accepted(const char *key, const char *value)
{
    conf_free(last);
    last = with(key, value);
    assert_problems(last, "");
    return last->instances[0].options;
}

static void defaults_are_read_by_the_same_parser(void **state)
{
    struct conf             *conf = resolve("llm: { x: { use: everything, url: 'http://h' } }\n");
    const struct everything *it = conf->instances[0].options;

    (void)state;
    assert_problems(conf, "");
    assert_true(it->flag);
    assert_int_equal(it->number, 7);
    assert_true(it->ratio == 0.5);
    assert_int_equal(it->size_bytes, 64 << 20);
    assert_int_equal(it->timeout_ns, BP_SECONDS(2));
    assert_int_equal(it->pause_ns, 0);
    assert_bp_str(it->text, "hello");
    assert_int_equal(it->metric, 1);
    assert_int_equal(it->address.len, 0);
    assert_int_equal(it->models.count, 2);
    assert_bp_str(it->models.items[1], "large");
    assert_int_equal(it->headers.count, 0);
    conf_free(conf);
}

static void a_bool_takes_six_words(void **state)
{
    (void)state;
    assert_true(accepted("flag", "true")->flag);
    assert_true(accepted("flag", "On")->flag);
    assert_true(accepted("flag", "yes")->flag);
    assert_false(accepted("flag", "FALSE")->flag);
    assert_false(accepted("flag", "off")->flag);
    assert_false(accepted("flag", "no")->flag);
    assert_refused("flag", "maybe",
                   "\"maybe\" is neither true nor false (write true, yes, on, false, no or off)");
}

static void an_int_is_whole_and_within_its_range(void **state)
{
    (void)state;
    assert_int_equal(accepted("number", "-3")->number, -3);
    assert_int_equal(accepted("number", "10")->number, 10);
    assert_int_equal(accepted("number", "${NOPE:-4}")->number, 4);
    assert_refused("number", "1.5", "\"1.5\" is not a whole number");
    assert_refused("number", "0x10", "\"0x10\" is not a whole number");
    assert_refused("number", "''", "\"\" is not a whole number");
    assert_refused("number", "11", "\"11\" is above the maximum of 10");
    assert_refused("number", "-4", "\"-4\" is below the minimum of -3");
    assert_refused("number", "99999999999999999999",
                   "\"99999999999999999999\" does not fit into 64 bits");
    assert_refused("number", "[1]", "must be one value, not a list");
    assert_refused("number", "{ a: 1 }", "must be one value, not a mapping");
    assert_refused("number", "", "has no value (give it one, or remove the line)");
    assert_refused("number", "~", "has no value (give it one, or remove the line)");
}

static void a_float_is_finite_and_within_its_range(void **state)
{
    (void)state;
    assert_true(accepted("ratio", "0.25")->ratio == 0.25);
    assert_true(accepted("ratio", "1e-1")->ratio == 0.1);
    assert_refused("ratio", "half", "\"half\" is not a number");
    assert_refused("ratio", "nan", "\"nan\" is not a number");
    assert_refused("ratio", "1.01", "\"1.01\" is above the maximum of 1");
    assert_refused("ratio", "-0.1", "\"-0.1\" is below the minimum of 0");
}

static void a_size_is_bytes_or_a_number_and_a_unit(void **state)
{
    static const char wrong[] = "is not a size (write bytes, or a number and a unit: 4096, 10KB, "
                                "64MiB)";
    char              sentence[256];

    (void)state;
    assert_int_equal(accepted("size", "4096")->size_bytes, 4096);
    assert_int_equal(accepted("size", "10KB")->size_bytes, 10000);
    assert_int_equal(accepted("size", "10 KiB")->size_bytes, 10240);
    assert_int_equal(accepted("size", "64Mi")->size_bytes, 64 << 20);
    assert_int_equal(accepted("size", "1.5MiB")->size_bytes, 3 << 19);
    snprintf(sentence, sizeof(sentence), "\"64M\" %s (did you mean \"64MiB\"?)", wrong);
    assert_refused("size", "64M", sentence);
    snprintf(sentence, sizeof(sentence), "\"64mb\" %s (did you mean \"64MB\"?)", wrong);
    assert_refused("size", "64mb", sentence);
    snprintf(sentence, sizeof(sentence), "\"much\" %s", wrong);
    assert_refused("size", "much", sentence);
    snprintf(sentence, sizeof(sentence), "\"-5\" %s", wrong);
    assert_refused("size", "-5", sentence);
    assert_refused("size", "9000000TiB", "\"9000000TiB\" is too large");
    assert_refused("size", "2GiB", "\"2GiB\" is above the maximum of 1GiB");
    assert_refused("size", "1023", "\"1023\" is below the minimum of 1KiB");
}

static void a_duration_has_a_unit(void **state)
{
    static const char wrong[] = "is not a duration (write a number and a unit: 250ms, 2s, 5m, 1h, "
                                "7d)";
    char              sentence[256];

    (void)state;
    assert_int_equal(accepted("timeout", "250ms")->timeout_ns, BP_MILLISECONDS(250));
    assert_int_equal(accepted("timeout", "1.5s")->timeout_ns, BP_MILLISECONDS(1500));
    assert_int_equal(accepted("pause", "1h30m")->pause_ns, BP_SECONDS(5400));
    assert_int_equal(accepted("pause", "7d")->pause_ns, BP_SECONDS(7 * 86400));
    assert_int_equal(accepted("pause", "0")->pause_ns, 0);
    assert_int_equal(accepted("pause", "off")->pause_ns, 0);
    assert_refused("timeout", "30",
                   "\"30\" has no unit (write 250ms, 2s, 5m, 1h, 7d) (did you mean \"30s\"?)");
    snprintf(sentence, sizeof(sentence), "\"5min\" %s (did you mean \"5m\"?)", wrong);
    assert_refused("timeout", "5min", sentence);
    snprintf(sentence, sizeof(sentence), "\"soon\" %s", wrong);
    assert_refused("timeout", "soon", sentence);
    assert_refused("timeout", "300000d", "\"300000d\" is too large");
    assert_refused("timeout", "2m", "\"2m\" is above the maximum of 1m");
    assert_refused("timeout", "off", "\"off\" is below the minimum of 10ms");
}

static void a_string_is_taken_as_it_stands(void **state)
{
    (void)state;
    assert_bp_str(accepted("text", "123")->text, "123");
    assert_bp_str(accepted("text", "yes")->text, "yes");
    assert_bp_str(accepted("text", "'null'")->text, "null");
    assert_bp_str(accepted("text", "''")->text, "");
    assert_bp_str(accepted("text", "\"a\\nb\"")->text, "a\nb");
}

static void a_choice_is_one_of_its_list(void **state)
{
    (void)state;
    assert_int_equal(accepted("metric", "dot")->metric, 2);
    assert_int_equal(accepted("metric", "COSINE")->metric, 0);
    assert_refused("metric", "cosin",
                   "\"cosin\" is not one of cosine, l2, dot (did you mean \"cosine\"?)");
    assert_refused("metric", "manhattan", "\"manhattan\" is not one of cosine, l2, dot");
}

static void a_url_has_a_known_scheme_and_a_host(void **state)
{
    (void)state;
    assert_bp_str(accepted("database", "postgres://u:p@db:5432/x?y=z")->database,
                  "postgres://u:p@db:5432/x?y=z");
    assert_bp_str(accepted("database", "postgresql:///x")->database, "postgresql:///x");
    assert_wrong("llm: { x: { use: everything, url: 'htp://qdrant' } }\n",
                 "t.yaml:1:35: llm.x.url: \"htp://qdrant\" is not a URL (did you mean "
                 "\"http://qdrant\"?)\n");
    assert_wrong("llm: { x: { use: everything, url: 'qdrant:6333' } }\n",
                 "t.yaml:1:35: llm.x.url: \"qdrant:6333\" is not a URL (it has no scheme) (did you "
                 "mean \"http://qdrant:6333\"?)\n");
    assert_refused("database", "mysql://h",
                   "\"mysql://h\" is not a URL with a scheme that is understood here (postgres, "
                   "postgresql)");
    assert_refused("database", "postgres://h:99999",
                   "\"postgres://h:99999\" is not a URL (its port is not a number from 0 to "
                   "65535)");
    assert_refused("database", "postgres://u@h1,h2:99999/d",
                   "\"postgres://***@h1,h2:99999/d\" is not a URL (its port is not a number from 0 "
                   "to 65535)");
    assert_refused("database", "'postgres://h:x/?a=b&PassWord=hunter2&sslpassword=hunter2&c'",
                   "\"postgres://h:x/?a=b&PassWord=***&sslpassword=***&c\" is not a URL (its port "
                   "is not a number from 0 to 65535)");
    assert_refused("database", "postgres://h_!/",
                   "\"postgres://h_!/\" is not a URL (its host is not well formed)");
    assert_refused("database", "'postgres://a b'",
                   "\"postgres://a b\" is not a URL (it has a blank in it)");
}

static void the_password_of_a_url_is_not_shown(void **state)
{
    (void)state;
    assert_refused("database", "postgres://user:hunter2@h:99999",
                   "\"postgres://***@h:99999\" is not a URL (its port is not a number from 0 to "
                   "65535)");
    assert_refused("database", "postgrs://user:hunter2@h", "\"postgrs://***@h\" is not a URL");
}

static void an_address_has_a_host_and_a_port(void **state)
{
    static const char wrong[] = "is not an address (write host:port, [IPv6]:port, :port or "
                                "unix:/path)";
    char              sentence[256];

    (void)state;
    assert_bp_str(accepted("address", "redis-1.local:6379")->address, "redis-1.local:6379");
    assert_bp_str(accepted("address", "'[::1]:80'")->address, "[::1]:80");
    assert_bp_str(accepted("address", "':0'")->address, ":0");
    assert_bp_str(accepted("address", "unix:/run/x.sock")->address, "unix:/run/x.sock");
    snprintf(sentence, sizeof(sentence), "\"8000\" %s (did you mean \":8000\"?)", wrong);
    assert_refused("address", "8000", sentence);
    assert_refused("address", "redis", "\"redis\" has no port (write host:port)");
    assert_refused("address", "h:70000",
                   "\"h:70000\" has no port from 0 to 65535 behind its colon");
    snprintf(sentence, sizeof(sentence), "\"::1\" %s (did you mean \"[::1]:8000\"?)", wrong);
    assert_refused("address", "'::1'", sentence);
    snprintf(sentence, sizeof(sentence), "\"http://h:1\" %s", wrong);
    assert_refused("address", "http://h:1", sentence);
    assert_refused("address", "unix:x",
                   "\"unix:x\" is not an address (write unix: and an absolute path)");
}

static void a_path_starts_at_data_dir(void **state)
{
    struct conf *conf = resolve("data_dir: /srv/data\n"
                                "llm:\n"
                                "  a: { use: everything, url: 'http://h', path: ./x/y.db }\n"
                                "  b: { use: everything, url: 'http://h', path: /abs }\n"
                                "  c: { use: everything, url: 'http://h' }\n");

    (void)state;
    assert_problems(conf, "");
    assert_bp_str(((struct everything *)conf->instances[0].options)->path, "/srv/data/x/y.db");
    assert_bp_str(((struct everything *)conf->instances[1].options)->path, "/abs");
    assert_bp_str(((struct everything *)conf->instances[2].options)->path, "/srv/data/here");
    conf_free(conf);
    assert_refused("path", "~/x",
                   "\"~/x\" starts with ~, which only a shell understands (write ${HOME} or the "
                   "whole path)");
}

static void a_secret_is_never_shown(void **state)
{
    struct conf *conf = with("api_key", "sk-very-secret");

    (void)state;
    assert_bp_str(((struct everything *)conf->instances[0].options)->api_key, "sk-very-secret");
    assert_problems(conf,
                    "t.yaml:5:5: warning: llm.x.api_key: is a secret written into this file; keep "
                    "it elsewhere and write ${file:/run/secrets/api_key} or ${API_KEY}\n");
    conf_free(conf);
    assert_bp_str(accepted("api_key", "${KEY}")->api_key, "sk-secret-1");
    assert_int_equal(accepted("api_key", "${NOPE:-}")->api_key.len, 0);
    assert_refused("api_key", "[sk-very-secret]", "must be one value, not a list");
}

static void a_list_is_a_sequence_or_one_value(void **state)
{
    (void)state;
    assert_int_equal(accepted("models", "[a, b, c]")->models.count, 3);
    assert_int_equal(accepted("models", "[]")->models.count, 0);
    assert_bp_str(accepted("models", "one")->models.items[0], "one");
    assert_int_equal(accepted("models", "[a, '${NOPE:-}', c]")->models.count, 2);
    assert_refused("models", "{ a: b }", "must be a list, not a mapping");
    assert_refused("models", "[a, [b]]", "must be one value, not a list");
    assert_refused("models", "[a, ~]", "has no value (give it one, or remove it)");
}

static void a_map_is_scalars_by_name(void **state)
{
    const struct everything *it = accepted("headers", "{ X-One: 1, X-Two: '${PORT}' }");

    (void)state;
    assert_int_equal(it->headers.count, 2);
    assert_bp_str(it->headers.items[1].name, "X-Two");
    assert_bp_str(it->headers.items[1].value, "8123");
    assert_refused("headers", "one", "must be a mapping of names to values, not a single value");
    assert_refused("headers", "[one]", "must be a mapping of names to values, not a list");
    assert_refused("headers", "{ a: [b] }", "must be one value, not a list");
}

static void references_are_handed_out_by_name_and_in_order(void **state)
{
    struct conf *conf = resolve(
        "storage: { main: { use: sqlite } }\n"
        "llm:\n"
        "  a: { use: everything, url: 'http://h', storage: main, fallback: [b, c] }\n"
        "  b: { use: everything, url: 'http://h', fallback: c }\n"
        "  c: { use: everything, url: 'http://h' }\n");
    const struct option_ref *ref = conf->instances[1].refs.first;

    (void)state;
    assert_problems(conf, "");
    assert_int_equal(conf->instances[1].refs.count, 3);
    assert_bp_str(ref->name, "main");
    assert_bp_str(ref->kind, "storage");
    assert_int_equal(ref->offset, offsetof(struct everything, storage));
    assert_false(ref->is_list);
    assert_bp_str(ref->next->name, "b");
    assert_bp_str(ref->next->next->name, "c");
    assert_true(ref->next->is_list);
    assert_int_equal(conf->instances[2].refs.count, 1);
    conf_free(conf);
    assert_refused("storage", "''", "names no instance of storage");
    assert_refused("storage", "[a]", "must be one value, not a list");
    assert_refused("fallback", "{ a: b }", "must be a list of names, not a mapping");
}

static void a_required_option_that_is_missing_is_an_error_with_its_help(void **state)
{
    (void)state;
    assert_wrong("llm:\n  x: { use: everything }\n",
                 "t.yaml:2:3: llm.x.url: is required: base URL of the server\n");
    assert_wrong("llm:\n  x: { use: everything, url: '${NOPE:-}' }\n",
                 "t.yaml:2:30: llm.x.url: is required, but ${NOPE:-} comes to nothing: base URL of "
                 "the server\n");
}

static void a_deprecated_option_is_a_warning(void **state)
{
    struct conf *conf = with("old", "1");

    (void)state;
    assert_problems(conf, "t.yaml:5:5: warning: llm.x.old: is deprecated: use number\n");
    assert_false(conf_has_errors(conf));
    conf_free(conf);
}

static void an_unknown_key_is_an_error_with_the_nearest_name(void **state)
{
    (void)state;
    assert_refused("timeuot", "1s", "is not known here (did you mean \"timeout\"?)");
    assert_refused("dead_line", "1s", "is not known here (did you mean \"deadline\"?)");
    assert_refused("zzzzzz", "1s", "is not known here");
}

static void what_a_value_from_a_file_holds_is_not_shown(void **state)
{
    char  path[] = "/tmp/conf-option-XXXXXX";
    int   fd = mkstemp(path);
    FILE *file;
    char  value[128], sentence[256];

    (void)state;
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    fputs("hunter2", file);
    fclose(file);
    snprintf(value, sizeof(value), "${file:%s}", path);
    snprintf(sentence, sizeof(sentence), "\"%s\" is not a whole number", value);
    assert_refused("number", value, sentence);
    assert_refused("number", "${WRONG}", "\"not-a-number\" is not a whole number");
    remove(path);
}

static int free_last(void **state)
{
    (void)state;
    conf_free(last);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_read_by_the_same_parser),
        cmocka_unit_test(a_bool_takes_six_words),
        cmocka_unit_test(an_int_is_whole_and_within_its_range),
        cmocka_unit_test(a_float_is_finite_and_within_its_range),
        cmocka_unit_test(a_size_is_bytes_or_a_number_and_a_unit),
        cmocka_unit_test(a_duration_has_a_unit),
        cmocka_unit_test(a_string_is_taken_as_it_stands),
        cmocka_unit_test(a_choice_is_one_of_its_list),
        cmocka_unit_test(a_url_has_a_known_scheme_and_a_host),
        cmocka_unit_test(the_password_of_a_url_is_not_shown),
        cmocka_unit_test(an_address_has_a_host_and_a_port),
        cmocka_unit_test(a_path_starts_at_data_dir),
        cmocka_unit_test(a_secret_is_never_shown),
        cmocka_unit_test(a_list_is_a_sequence_or_one_value),
        cmocka_unit_test(a_map_is_scalars_by_name),
        cmocka_unit_test(references_are_handed_out_by_name_and_in_order),
        cmocka_unit_test(a_required_option_that_is_missing_is_an_error_with_its_help),
        cmocka_unit_test(a_deprecated_option_is_a_warning),
        cmocka_unit_test(an_unknown_key_is_an_error_with_the_nearest_name),
        cmocka_unit_test(what_a_value_from_a_file_holds_is_not_shown),
    };

    return cmocka_run_group_tests(tests, NULL, free_last);
}

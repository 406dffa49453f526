/* test_rules.c - the rules that no table of options can express: each side of each, and the
 * sentences of those that are broken; and what is collected of them. */
#include "core/conf/conf_fixture.h"

#include "conf/environment.h"
#include "conf/hint.h"

/* A conf of one line and what is wrong with it; NULL: nothing. */
struct judged {
    const char *yaml, *problem;
};

static void judge(const struct judged *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct conf  *conf = resolve(cases[i].yaml);
        struct bp_buf out;

        buf_init(&out, NULL, 1 << 20);
        problems_print(&conf->problems, &out);
        if (strcmp(buf_str(&out).data, cases[i].problem ? cases[i].problem : "") != 0)
            fail_msg("%s:\n%s", cases[i].yaml, buf_str(&out).data);
        buf_free(&out);
        conf_free(conf);
    }
}

#define JUDGE(cases) judge(cases, sizeof(cases) / sizeof((cases)[0]))

/* ---- server ---- */

#define NO_WORKERS(text)                                                                           \
    "t.yaml:1:20: server.workers: \"" text "\" is neither auto nor a number from 1 to 256\n"
#define NO_NETWORK(text)                                                                           \
    "t.yaml:1:28: server.trusted_proxies: \"" text                                                 \
    "\" is neither an address nor a CIDR block such as 10.0.0.0/8\n"

static void workers_and_proxies_have_bounds(void **state)
{
    static const struct judged cases[] = {
        { "server: { workers: auto }\n", NULL },
        { "server: { workers: AUTO }\n", NULL },
        { "server: { workers: 1 }\n", NULL },
        { "server: { workers: 256 }\n", NULL },
        { "server: { workers: 0 }\n", NO_WORKERS("0") },
        { "server: { workers: 257 }\n", NO_WORKERS("257") },
        { "server: { workers: -1 }\n", NO_WORKERS("-1") },
        { "server: { trusted_proxies: [10.0.0.1, '::1', 10.0.0.0/8, 0.0.0.0/0, 1.1.1.1/32, "
          "'::/0', 'fe80::/128'] }\n",
          NULL },
        { "server: { trusted_proxies: x }\n", NO_NETWORK("x") },
        { "server: { trusted_proxies: 10.0.0.0/33 }\n", NO_NETWORK("10.0.0.0/33") },
        { "server: { trusted_proxies: '::/129' }\n", NO_NETWORK("::/129") },
        { "server: { trusted_proxies: 10.0.0.0/ }\n", NO_NETWORK("10.0.0.0/") },
        { "server: { trusted_proxies: 10.0.0.0/x }\n", NO_NETWORK("10.0.0.0/x") },
        { "server: { trusted_proxies: x/8 }\n", NO_NETWORK("x/8") },
        { "server: { trusted_proxies: '::/33' }\n", NULL },
        { "server: { trusted_proxies: "
          "1111111111111111111111111111111111111111111111111111111111111111 }\n",
          NO_NETWORK("1111111111111111111111111111111111111111111111111111111111111111") },
    };
    struct conf *conf = resolve("server: { workers: 256 }\n");

    (void)state;
    JUDGE(cases);
    assert_int_equal(conf->server.workers, 256);
    conf_free(conf);
}

static void listeners_are_one_to_64_and_each_once(void **state)
{
    static const struct judged cases[] = {
        { "server: { listen: ~ }\n",
          "t.yaml:1:19: server.listen: must name 1 to 64 addresses to listen on\n" },
        { "server: { listen: [] }\n",
          "t.yaml:1:19: server.listen: must name 1 to 64 addresses to listen on\n" },
        { "server: { listen: '${NOPE:-}' }\n", NULL },
        { "server: { listen: ['${NOPE:-}', 'localhost:1'] }\n", NULL },
        { "server: { listen: ['localhost:1', 'localhost:2'] }\n", NULL },
        { "server: { listen: ['localhost:1', 'localhost:2', 'localhost:1'] }\n",
          "t.yaml:1:50: server.listen[2]: \"localhost:1\" is listened on already\n" },
        { "server: { listen: ['localhost:0', 'localhost:0', '[::1]:0', '[::1]:0'] }\n", NULL },
        { "server: { listen: ['unix:/a:0', 'unix:/a:0'] }\n", NULL },
        { "server: { listen: [{ address: 'localhost:1', apps: [] }] }\n",
          "t.yaml:1:46: warning: server.listen[0].apps: names no app, which serves all of them: "
          "name those that are served there, or remove the line\n" },
        { "server: { listen: [{ address: 'localhost:1', apps: console }] }\n"
          "app: { console: }\n",
          NULL },
    };
    char         many[4096] = "server: { listen: [";
    struct conf *conf;

    (void)state;
    JUDGE(cases);
    for (int i = 0; i < 65; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%s'localhost:%d'", i ? "," : "",
                 i + 1);
    strcat(many, "] }\n");
    assert_wrong(many, "t.yaml:1:19: server.listen: must name 1 to 64 addresses to listen on\n");
    memmove(strstr(many, "'localhost:65'") - 1, "] }\n", 5);
    conf = resolve(many);
    assert_problems(conf, "");
    assert_int_equal(conf->server.listener_count, 64);
    assert_bp_str(conf->server.listeners[63].address, "localhost:64");
    conf_free(conf);
    conf = resolve("server: { listen: [ '${NOPE:-}', { address: 'localhost:1', apps: [b, a] }, "
                   "{ address: 'localhost:2', apps: [a] } ] }\napp: { a: { use: console }, b: { "
                   "use: console } }\n");
    assert_problems(conf, "");
    assert_int_equal(conf->server.listener_count, 2);
    assert_int_equal(conf->server.listeners[0].apps.count, 2);
    assert_bp_str(conf->server.listeners[0].apps.items[0], "b");
    assert_bp_str(conf->server.listeners[0].apps.items[1], "a");
    assert_int_equal(conf->server.listeners[1].apps.count, 1);
    assert_bp_str(conf->server.listeners[1].apps.items[0], "a");
    conf_free(conf);
}

#define KEYS_STORAGE                                                                               \
    "t.yaml:1:11: server.auth.storage: is required where mode is keys or both: name the storage "  \
    "instance that holds the keys\n"
#define OAUTH_AUDIENCE                                                                             \
    "t.yaml:1:11: server.auth.audience: is required where mode is oauth or both: a token made "    \
    "out for another server must not be taken, so say what this one is called\n"
#define OAUTH_ISSUER                                                                               \
    "t.yaml:1:11: server.auth.issuer: is required where mode is oauth or both: the URL of the "    \
    "authorization server\n"

static void each_mode_of_authentication_says_what_it_needs(void **state)
{
    static const struct judged cases[] = {
        { "server: { auth: { mode: none } }\n", NULL },
        { "server: { auth: { mode: keys } }\n", KEYS_STORAGE },
        { "server: { auth: { mode: oauth } }\n", OAUTH_ISSUER OAUTH_AUDIENCE },
        { "server: { auth: { mode: both } }\n", KEYS_STORAGE OAUTH_ISSUER OAUTH_AUDIENCE },
        { "server: { auth: { mode: oauth, issuer: 'https://i', audience: a } }\n", NULL },
        { "server: { auth: { mode: oauth, audience: a } }\n", OAUTH_ISSUER },
        { "server: { auth: { mode: oauth, issuer: 'https://i' } }\n", OAUTH_AUDIENCE },
        { "server: { auth: { mode: both, issuer: 'https://i', audience: a, storage: s } }\n"
          "storage: { s: { use: sqlite } }\n",
          NULL },
    };
    struct conf *conf = resolve("server: { auth: { mode: keys, storage: s } }\n"
                                "storage: { s: { use: sqlite } }\n");

    (void)state;
    JUDGE(cases);
    assert_bp_str(conf->server.auth.storage, "s");
    conf_free(conf);
}

static void keys_come_over_https_but_from_this_machine(void **state)
{
    static const struct {
        const char *url;
        bool        is_good;
    } cases[] = {
        { "https://example.org", true },
        { "http://example.org", false },
        { "http://localhost", true },
        { "http://localhost:1/x", true },
        { "http://localhost/x:1", true },
        { "http://localhosts", false },
        { "http://[::1]", true },
        { "http://[::1]:1", true },
        { "http://127.0.0.1", true },
        { "http://127.0.0.1:80/x", true },
        { "http://127.9.9.9/", true },
        { "http://127.example.org", false },
        { "http://128.0.0.1", false },
        { "http://127.0.0.1@example.org", false },
        { "http://example.org/127.0.0.1", false },
    };
    char yaml[256], problem[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct judged one = { yaml, cases[i].is_good ? NULL : problem };

        snprintf(yaml, sizeof(yaml),
                 "server: { auth: { mode: oauth, audience: a, issuer: '%s' } }\n", cases[i].url);
        snprintf(problem, sizeof(problem),
                 "t.yaml:1:53: server.auth.issuer: must be an https:// URL: http is for this "
                 "machine alone\n");
        judge(&one, 1);
        snprintf(yaml, sizeof(yaml),
                 "server: { auth: { mode: oauth, audience: a, issuer: 'https://i', keys_url: '%s' "
                 "} }\n",
                 cases[i].url);
        snprintf(problem, sizeof(problem),
                 "t.yaml:1:76: server.auth.keys_url: must be an https:// URL: http is for this "
                 "machine alone\n");
        judge(&one, 1);
    }
}

static void settings_are_in_their_order(void **state)
{
    static const struct judged cases[] = {
        { "server: { watchdog: { warn: 1s, fail_liveness: 2s, abort: 3s } }\n", NULL },
        { "server: { watchdog: { warn: 2s, fail_liveness: 2s, abort: 3s } }\n",
          "t.yaml:1:29: server.watchdog.warn: warn must be less than fail_liveness\n" },
        { "server: { watchdog: { fail_liveness: 100ms } }\n",
          "t.yaml:1:38: server.watchdog.fail_liveness: warn must be less than fail_liveness\n" },
        { "server: { watchdog: { warn: 1s, fail_liveness: 3s, abort: 3s } }\n",
          "t.yaml:1:48: server.watchdog.fail_liveness: fail_liveness must be less than abort\n" },
        { "server: { limits: { shed_at: 0.5, refuse_at: 0.5 } }\n",
          "t.yaml:1:30: server.limits.shed_at: shed_at must be less than refuse_at\n" },
        { "server: { limits: { shed_at: 0.5, refuse_at: 0.6 } }\n", NULL },
    };

    (void)state;
    JUDGE(cases);
}

static void sections_are_mappings_or_nothing(void **state)
{
    static const struct judged cases[] = {
        { "server:\nlog:\n", NULL },
        { "server: { auth: , limits: ~ }\n", NULL },
        { "server: 1\n", "t.yaml:1:9: server: must be a mapping of settings\n" },
        { "server: { auth: 1 }\n", "t.yaml:1:17: server.auth: must be a mapping of settings\n" },
        { "server: { drain: { dely: 1s } }\n",
          "t.yaml:1:20: server.drain.dely: is not known here (did you mean \"delay\"?)\n" },
        { "log: { levle: info }\n",
          "t.yaml:1:8: log.levle: is not known here (did you mean \"level\"?)\n" },
        { "null\n", NULL },
        { "a\n", "t.yaml:1:1: must be a mapping of sections (server, log, " CONF_KINDS ")\n" },
    };

    (void)state;
    JUDGE(cases);
}

/* ---- instances ---- */

#define BAD_NAME                                                                                   \
    "is no name for an instance (a letter, then letters, digits, - and _, in lower case, at most " \
    "32)\n"

static void names_of_instances_are_short_words(void **state)
{
    static const struct judged cases[] = {
        { "app: { a: { use: console } }\n", NULL },
        { "app: { z0-_9: { use: console } }\n", NULL },
        { "app: { a2345678901234567890123456789012: { use: console } }\n", NULL },
        { "app: { a23456789012345678901234567890123: { use: console } }\n",
          "t.yaml:1:8: app.a23456789012345678901234567890123: " BAD_NAME },
        { "app: { '': { use: console } }\n", "t.yaml:1:8: app.: " BAD_NAME },
        { "app: { 0a: { use: console } }\n", "t.yaml:1:8: app.0a: " BAD_NAME },
        { "app: { -a: { use: console } }\n", "t.yaml:1:8: app.-a: " BAD_NAME },
        { "app: { _a: { use: console } }\n", "t.yaml:1:8: app._a: " BAD_NAME },
        { "app: { A: { use: console } }\n", "t.yaml:1:8: app.A: " BAD_NAME },
        { "app: { 'a`': { use: console } }\n", "t.yaml:1:8: app.a`: " BAD_NAME },
        { "app: { 'a{': { use: console } }\n", "t.yaml:1:8: app.a{: " BAD_NAME },
        { "app: { 'a/': { use: console } }\n", "t.yaml:1:8: app.a/: " BAD_NAME },
        { "app: { 'a:': { use: console } }\n", "t.yaml:1:8: app.a:: " BAD_NAME },
    };

    (void)state;
    JUDGE(cases);
}

static void an_instance_says_which_plugin_serves_it(void **state)
{
    static const struct {
        const char *kind, *use;
    } kinds[] = { { "storage", "sqlite" }, { "cache", "memory" },   { "vector", "local" },
                  { "embed", "hash" },     { "llm", "extractive" }, { "health", "tcp" },
                  { "alert", "log" } };
    static const struct judged cases[] = {
        { "app: { console: { use: } }\n",
          "t.yaml:1:24: app.console.use: must be the name of a plugin of kind app\n" },
        { "app: { console: { use: [x] } }\n",
          "t.yaml:1:24: app.console.use: must be the name of a plugin of kind app\n" },
        { "app: { console: { use: '' } }\n",
          "t.yaml:1:24: app.console.use: must be the name of a plugin of kind app\n" },
        { "app: { console: { use: '${NOPE}' } }\n",
          "t.yaml:1:24: app.console.use: the environment variable NOPE is not set (set it, or "
          "write ${NOPE:-default})\n" },
        { "app: { a: 1 }\n",
          "t.yaml:1:11: app.a: must be a mapping of settings, such as { use: ... }\n" },
        { "app: { a: { use: console, deadlin: 1s } }\n",
          "t.yaml:1:27: app.a.deadlin: is not known here (did you mean \"deadline\"?)\n" },
        { "app: { consol: }\n",
          "t.yaml:1:8: app.consol: there is no plugin app/consol (did you mean \"console\"?)\n" },
        { "app: { consol: { critical: no } }\n",
          "t.yaml:1:8: warning: app.consol: there is no plugin app/consol (did you mean "
          "\"console\"?); starting without it\n" },
    };
    char yaml[64], problem[160];

    (void)state;
    JUDGE(cases);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct judged one = { yaml, problem };

        snprintf(yaml, sizeof(yaml), "%s: { a: }\n", kinds[i].kind);
        snprintf(problem, sizeof(problem),
                 "t.yaml:1:%zu: %s.a.use: is required: the plugin that serves this %s, such as "
                 "`use: %s`\n",
                 strlen(kinds[i].kind) + 5, kinds[i].kind, kinds[i].kind, kinds[i].use);
        judge(&one, 1);
    }
}

#define NO_PREFIX(text)                                                                            \
    "t.yaml:1:27: app.console.prefix: \"" text                                                     \
    "\" is no prefix (a letter, then letters, digits, - and _, at most 32; write it without "      \
    "slashes)\n"
#define NO_DIGEST                                                                                  \
    "t.yaml:1:27: app.console.digest: is not a SHA-256 in hexadecimal (64 digits; sha256sum "      \
    "prints it for the plugin's file)\n"

static void prefixes_and_digests_have_their_form(void **state)
{
    static const struct judged cases[] = {
        { "app: { console: { prefix: a } }\n", NULL },
        { "app: { console: { prefix: Z9-_z } }\n", NULL },
        { "app: { console: { prefix: a2345678901234567890123456789012 } }\n", NULL },
        { "app: { console: { prefix: a23456789012345678901234567890123 } }\n",
          NO_PREFIX("a23456789012345678901234567890123") },
        { "app: { console: { prefix: 9a } }\n", NO_PREFIX("9a") },
        { "app: { console: { prefix: a/b } }\n", NO_PREFIX("a/b") },
        { "app: { console: { prefix: a@b } }\n", NO_PREFIX("a@b") },
        { "app: { console: { prefix: 'a[' } }\n", NO_PREFIX("a[") },
        { "app: { console: { prefix: 'a`' } }\n", NO_PREFIX("a`") },
        { "app: { console: { prefix: 'a{' } }\n", NO_PREFIX("a{") },
        { "app: { console: { prefix: 'a:' } }\n", NO_PREFIX("a:") },
        { "app: { console: { digest: "
          "9F86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 } }\n",
          NULL },
        { "app: { console: { digest: "
          "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0g } }\n",
          NO_DIGEST },
        { "app: { console: { digest: "
          "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0 } }\n",
          NO_DIGEST },
        { "app: { console: { digest: "
          "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a080 } }\n",
          NO_DIGEST },
    };

    (void)state;
    JUDGE(cases);
}

/* ---- the environment ---- */

static const char *const store_variables[] = { "DATABASE_URL=x", "REDIS_URL=y",
                                               "QDRANT_URL=", "OTHER_URL=z", NULL };
static const char *const one_variable[] = { "POSTGRES_URL=x", NULL };

static void expect_environment(const char *yaml, const char *const *variables, const char *wanted)
{
    struct conf_environment environment = { get_from_list, (void *)(uintptr_t)variables };
    struct conf            *conf = parse(yaml);

    environment_check(conf, &environment);
    assert_problems(conf, wanted);
    conf_free(conf);
}

static void variables_of_stores_that_nothing_uses_are_named(void **state)
{
    (void)state;
    expect_environment("log: { level: info }\n", store_variables,
                       "t.yaml: warning: these variables are set in the environment, and nothing "
                       "in this conf uses them: write ${NAME} where you want that value "
                       "(DATABASE_URL, REDIS_URL)\n");
    expect_environment("log: { level: info }\n", one_variable,
                       "t.yaml: warning: a variable is set in the environment, and nothing in this "
                       "conf uses it: write ${NAME} where you want that value (POSTGRES_URL)\n");
    expect_environment("data_dir: '/a${POSTGRES_URL:-x}'\n", one_variable, "");
    expect_environment("# nothing\n", one_variable, "");
}

static void a_variable_is_used_where_its_whole_name_stands(void **state)
{
    static const struct {
        const char *value;
        bool        is_used;
    } cases[] = { { "${PORT}", true },    { "a${PORT}b", true },
                  { "${PORT:-1}", true }, { "${PORTS:-1}", false },
                  { "${POR:-1}", false }, { "$PORT", false },
                  { "PORT", false },      { "${KEY}${PORT}", true },
                  { "${KEY}", false },    { "${NOPE:-${PORT}}", true },
                  { "", false } };
    char yaml[96];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf;

        snprintf(yaml, sizeof(yaml), "server: { allowed_hosts: [x, '%s'] }\n", cases[i].value);
        conf = parse(yaml);
        if (environment_is_used(conf, "PORT") != cases[i].is_used)
            fail_msg("%s", cases[i].value);
        conf_free(conf);
    }
}

/* ---- what is collected ---- */

static void problems_stand_in_the_order_of_the_file_and_once(void **state)
{
    struct arena         arena;
    struct conf_problems problems;
    struct bp_buf        out;
    bp_str               path = BP_STR("k"), none = { NULL, 0 };

    (void)state;
    arena_init(&arena, 1 << 20);
    problems_init(&problems, &arena, "f");
    problem_add(&problems, false, (struct conf_position){ 2, 5 }, path, "c");
    problem_add(&problems, false, (struct conf_position){ 2, 4 }, path, "b");
    problem_add(&problems, true, (struct conf_position){ 2, 5 }, none, "d");
    problem_add(&problems, false, (struct conf_position){ 1, 9 }, path, "a");
    problem_add(&problems, false, (struct conf_position){ 0 }, none, "whole");
    problem_add(&problems, false, (struct conf_position){ 2, 4 }, path, "b"); // once
    problem_add(&problems, false, (struct conf_position){ 2, 4 }, path, "b2");
    problem_add(&problems, false, (struct conf_position){ 2, 4 }, none, "b");
    problem_add(&problems, false, (struct conf_position){ 0 }, none, "whole"); // of no place: again
    assert_int_equal(problems.error_count, 7);
    assert_int_equal(problems.warning_count, 1);
    buf_init(&out, &arena, 1 << 16);
    problems_print(&problems, &out);
    assert_string_equal(buf_str(&out).data,
                        "f: whole\nf: whole\nf:1:9: k: a\nf:2:4: k: b\nf:2:4: k: b2\nf:2:4: b\n"
                        "f:2:5: k: c\nf:2:5: warning: d\n");
    problems.is_partial = true;
    problem_add(&problems, false, (struct conf_position){ 0 }, none, "whole");
    assert_int_equal(problems.error_count, 7);
    error_missing(&problems, NULL, "x", "is missing"); // it may stand in what was left out
    assert_int_equal(problems.error_count, 7);
    arena_free(&arena);
}

static void sentences_are_one_line_of_1023_bytes_and_500_of_them(void **state)
{
    struct arena         arena;
    struct conf_problems problems;
    struct bp_buf        out;
    char                 text[1200];

    (void)state;
    arena_init(&arena, 4 << 20);
    problems_init(&problems, &arena, "f");
    memset(text, 'x', sizeof(text));
    for (int len = 1022; len <= 1025; len++) {
        problem_add(&problems, false, (struct conf_position){ (uint32_t)len, 1 }, BP_STR("k"),
                    "%.*s", len, text);
        for (const struct conf_problem *at = problems.first; at; at = at->next)
            if (at->position.line == (uint32_t)len)
                assert_int_equal(at->text.len, len < 1023 ? len : 1023);
    }
    memcpy(text + 1022, "\xc3\xa9", 2); // a character across the cut
    problem_add(&problems, false, (struct conf_position){ 1, 1 }, BP_STR("k"), "%.*s", 1100, text);
    assert_int_equal(problems.first->text.len, 1022);
    problem_add(&problems, false, (struct conf_position){ 1, 0 }, BP_STR("k"), "a\tb\x7f\x1f\x20");
    assert_string_equal(problems.first->text.data, "a b   ");
    while (problems.error_count < 499) {
        assert_false(problems_are_full(&problems));
        problem_add(&problems, false, (struct conf_position){ 0 }, BP_STR(""), "y");
    }
    problem_add(&problems, true, (struct conf_position){ 0 }, BP_STR(""), "y");
    assert_true(problems_are_full(&problems));
    assert_int_equal(problems.left_out_count, 0);
    problem_add(&problems, true, (struct conf_position){ 0 }, BP_STR(""), "y");
    assert_int_equal(problems.left_out_count, 1);
    problem_no_memory(&problems);
    problem_no_memory(&problems);
    assert_int_equal(problems.error_count, 500); // once
    buf_init(&out, NULL, 1 << 20);
    problems_print(&problems, &out);
    assert_non_null(strstr(buf_str(&out).data,
                           "\nf: 1 more are left out\nf: reading it takes more memory than the 4 "
                           "MiB allowed\n"));
    buf_free(&out);
    arena_free(&arena);
    arena_init(&arena, 10);
    problems_init(&problems, &arena, "f");
    problem_add(&problems, false, (struct conf_position){ 0 }, BP_STR(""), "y");
    assert_true(problems.is_out_of_memory);
    assert_int_equal(problems.error_count, 2);
    arena_free(&arena);
}

static void the_nearest_name_is_the_first_of_the_nearest(void **state)
{
    struct hint  hint = hint_for(BP_STR("abcd"));
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_string_equal(hint_text(&arena, &hint), "");
    hint_offer(&hint, BP_STR("zzzz"));
    assert_int_equal(hint.best.len, 0);
    hint_offer(&hint, BP_STR("abxx"));
    assert_true(bp_str_is(hint.best, "abxx"));
    hint_offer(&hint, BP_STR("abyy"));
    assert_true(bp_str_is(hint.best, "abxx"));
    hint_offer_choices(&hint, "x|abcx|abcy|y");
    assert_true(bp_str_is(hint.best, "abcx"));
    assert_int_equal(hint.distance, 1);
    assert_string_equal(hint_text(&arena, &hint), " (did you mean \"abcx\"?)");
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_and_proxies_have_bounds),
        cmocka_unit_test(listeners_are_one_to_64_and_each_once),
        cmocka_unit_test(each_mode_of_authentication_says_what_it_needs),
        cmocka_unit_test(keys_come_over_https_but_from_this_machine),
        cmocka_unit_test(settings_are_in_their_order),
        cmocka_unit_test(sections_are_mappings_or_nothing),
        cmocka_unit_test(names_of_instances_are_short_words),
        cmocka_unit_test(an_instance_says_which_plugin_serves_it),
        cmocka_unit_test(prefixes_and_digests_have_their_form),
        cmocka_unit_test(variables_of_stores_that_nothing_uses_are_named),
        cmocka_unit_test(a_variable_is_used_where_its_whole_name_stands),
        cmocka_unit_test(problems_stand_in_the_order_of_the_file_and_once),
        cmocka_unit_test(sentences_are_one_line_of_1023_bytes_and_500_of_them),
        cmocka_unit_test(the_nearest_name_is_the_first_of_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

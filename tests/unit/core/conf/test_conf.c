/* test_conf.c - a whole conf: sections, instances, references, the rules of the server, all
 * mistakes in one run. */
#include <unistd.h>

#include "core/conf/conf_fixture.h"

static const char GOOD[] = "server:\n"
                           "  listen: [ { address: '127.0.0.1:8000' }, { address: "
                           "'127.0.0.1:3001', apps: [retrieval] } ]\n"
                           "  workers: 2\n"
                           "app:\n"
                           "  retrieval: { storage: main, vector: docs, embed: main, llm: [big] }\n"
                           "vector: { docs: { use: local, storage: main, embed: main } }\n"
                           "embed: { main: { use: hash, deadline: 3s, critical: no } }\n"
                           "llm: { big: { use: everything, url: 'http://h:1' } }\n"
                           "storage: { main: { use: sqlite, path: x.db } }\n";

static void a_good_conf_is_read_whole(void **state)
{
    struct conf                *conf = resolve(GOOD);
    const struct conf_instance *app = conf_find_instance(conf, BP_STR("app"), BP_STR("retrieval"));
    const struct conf_instance *embed = conf_find_instance(conf, BP_STR("embed"), BP_STR("main"));
    char                        here[4096], expected[4200];

    (void)state;
    assert_problems(conf, "");
    assert_int_equal(conf->server.listener_count, 2);
    assert_bp_str(conf->server.listeners[1].address, "127.0.0.1:3001");
    assert_int_equal(conf->server.listeners[0].apps.count, 0);
    assert_int_equal(conf->server.listeners[1].apps.count, 1);
    assert_bp_str(conf->server.listeners[1].apps.items[0], "retrieval");
    assert_int_equal(conf->server.workers, 2);
    assert_int_equal(conf->instance_count, 5);
    assert_bp_str(app->use, "retrieval");
    assert_int_equal(app->refs.count, 4);
    assert_int_equal(embed->gate.deadline_ns, BP_SECONDS(3));
    assert_false(embed->gate.critical);
    assert_int_equal(embed->gate.max_concurrent, 64);
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(expected, sizeof(expected), "%s/data", here);
    assert_bp_str(conf->data_dir, expected);
    conf_free(conf);
}

static void instances_are_ordered_behind_those_they_refer_to(void **state)
{
    struct conf *conf = resolve(GOOD);

    (void)state;
    for (size_t i = 0; i < conf->instance_count; i++) {
        assert_int_equal(conf->order[i]->place, i);
        for (const struct option_ref *ref = conf->order[i]->refs.first; ref; ref = ref->next)
            assert_true(conf_find_instance(conf, ref->kind, ref->name)->place < i);
    }
    conf_free(conf);
}

static void an_empty_conf_is_all_defaults(void **state)
{
    struct conf *conf = resolve("# nothing\n");

    (void)state;
    assert_problems(conf, "");
    assert_int_equal(conf->server.listener_count, 1);
    assert_bp_str(conf->server.listeners[0].address, "127.0.0.1:8000");
    assert_int_equal(conf->server.workers, 0);
    assert_int_equal(conf->server.auth.mode, AUTH_NONE);
    assert_int_equal(conf->server.access_log, ACCESS_LOG_ON);
    assert_int_equal(conf->server.request_deadline_ns, BP_SECONDS(30));
    assert_int_equal(conf->server.limits.header_block_bytes, 32 << 10);
    assert_int_equal(conf->server.limits.body_bytes, 32 << 20);
    assert_int_equal(conf->server.limits.connections, 18000);
    assert_true(conf->server.limits.shed_at == 0.9);
    assert_int_equal(conf->server.watchdog.warn_ns, BP_MILLISECONDS(100));
    assert_int_equal(conf->server.drain.timeout_ns, BP_SECONDS(25));
    assert_int_equal(conf->server.offload_threads, 4);
    assert_true(conf->server.metrics);
    assert_int_equal(conf->log.level, LOG_LEVEL_INFO);
    assert_int_equal(conf->log.queue_lines, 8192);
    assert_int_equal(conf->log.file.len, 0);
    assert_int_equal(conf->instance_count, 0);
    conf_free(conf);
}

static void all_mistakes_are_reported_in_one_run_in_the_order_of_the_file(void **state)
{
    (void)state;
    assert_wrong("server:\n"
                 "  workers: lots\n"
                 "  limits: { header_count: 1 }\n"
                 "  drian: { timeout: 1s }\n"
                 "log: { level: infoo, file: 7 }\n"
                 "storge: { main: { use: sqlite } }\n"
                 "vector: { docs: { use: locl, storage: main } }\n"
                 "embed:\n"
                 "  Main: { use: hash }\n"
                 "  other: { path: x }\n"
                 "llm: { big: { use: everything, url: qdrant, number: '${NOPE}' } }\n"
                 "app: { retrieval: { vector: dosc, embed: none } }\n",
                 "t.yaml:2:12: server.workers: \"lots\" is neither auto nor a number from 1 to "
                 "256\n"
                 "t.yaml:3:27: server.limits.header_count: \"1\" is below the minimum of 8\n"
                 "t.yaml:4:3: server.drian: is not known here (did you mean \"drain\"?)\n"
                 "t.yaml:5:15: log.level: \"infoo\" is not one of debug, info, warn, error (did "
                 "you mean \"info\"?)\n"
                 "t.yaml:6:1: storge: is not known here (did you mean \"storage\"?)\n"
                 "t.yaml:7:24: vector.docs.use: there is no plugin vector/locl (did you mean "
                 "\"local\"?)\n"
                 "t.yaml:9:3: embed.Main: is no name for an instance (a letter, then letters, "
                 "digits, - and _, in lower case, at most 32)\n"
                 "t.yaml:10:3: embed.other.use: is required: the plugin that serves this embed, "
                 "such as `use: hash`\n"
                 "t.yaml:11:37: llm.big.url: \"qdrant\" is not a URL (it has no scheme) (did you "
                 "mean \"http://qdrant\"?)\n"
                 "t.yaml:11:53: llm.big.number: the environment variable NOPE is not set (set it, "
                 "or write ${NOPE:-default})\n"
                 "t.yaml:12:29: app.retrieval.vector: there is no vector instance \"dosc\" (did "
                 "you mean \"docs\"?)\n"
                 "t.yaml:12:42: app.retrieval.embed: there is no embed instance \"none\"\n");
}

static void a_circle_is_an_error_that_names_it(void **state)
{
    (void)state;
    assert_wrong("vector: { a: { use: local, embed: b } }\n"
                 "embed: { b: { use: hash, storage: c } }\n"
                 "storage: { c: { use: sqlite, vector: a } }\n",
                 "t.yaml:2:35: embed.b.storage: instances need each other in a circle: storage.c "
                 "-> vector.a -> embed.b -> storage.c\n");
    assert_wrong("llm: { a: { use: everything, url: 'http://h', fallback: [a] } }\n",
                 "t.yaml:1:58: llm.a.fallback[0]: instances need each other in a circle: llm.a -> "
                 "llm.a\n");
}

static void two_separate_circles_are_both_named(void **state)
{
    (void)state;
    assert_wrong("llm:\n"
                 "  a: { use: everything, url: 'http://h', fallback: [b] }\n"
                 "  b: { use: everything, url: 'http://h', fallback: [a] }\n"
                 "  c: { use: everything, url: 'http://h', fallback: [c] }\n",
                 "t.yaml:3:53: llm.b.fallback[0]: instances need each other in a circle: llm.a -> "
                 "llm.b -> llm.a\n"
                 "t.yaml:4:53: llm.c.fallback[0]: instances need each other in a circle: llm.c -> "
                 "llm.c\n");
}

static void a_plugin_that_cannot_be_used_says_why(void **state)
{
    struct conf *conf = resolve("embed: { a: { use: broken, critical: false } }\n");

    (void)state;
    assert_problems(conf,
                    "t.yaml:1:20: warning: embed.a.use: the plugin embed/broken cannot be used: it "
                    "was built for ABI 2, and this host has ABI 1; starting without it\n");
    assert_true(conf->instances[0].is_missing);
    assert_false(conf_has_errors(conf));
    conf_free(conf);
    assert_wrong("embed: { a: { use: broken } }\n",
                 "t.yaml:1:20: embed.a.use: the plugin embed/broken cannot be used: it was built "
                 "for ABI 2, and this host has ABI 1\n");
}

static void the_option_of_a_plugin_wins_over_that_of_the_gate(void **state)
{
    struct conf *conf = resolve("embed: { a: { use: due, deadline: Monday, retries: 0 } }\n");

    (void)state;
    assert_problems(conf, "");
    assert_bp_str(((struct simple *)conf->instances[0].options)->path, "Monday");
    assert_int_equal(conf->instances[0].gate.deadline_ns, BP_SECONDS(30));
    assert_int_equal(conf->instances[0].gate.retries, 0);
    conf_free(conf);
}

static void a_health_check_has_an_interval_and_nothing_else_has(void **state)
{
    struct conf *conf = resolve("health: { a: { use: tcp, every: 5s }, b: { use: tcp } }\n");

    (void)state;
    assert_problems(conf, "");
    assert_int_equal(conf->instances[0].gate.every_ns, BP_SECONDS(5));
    assert_int_equal(conf->instances[1].gate.every_ns, BP_SECONDS(30));
    conf_free(conf);
    assert_wrong("app: { console: { every: 5s } }\n",
                 "t.yaml:1:19: app.console.every: is not known here\n");
}

static void an_app_needs_no_settings(void **state)
{
    struct conf *conf = resolve("app: { console: , second: { use: console } }\n");

    (void)state;
    assert_problems(conf, "");
    assert_int_equal(conf->instance_count, 2);
    assert_bp_str(conf->instances[0].use, "console");
    conf_free(conf);
}

static void a_digest_is_64_hexadecimal_digits(void **state)
{
    (void)state;
    assert_wrong("app: { console: { digest: abc } }\n",
                 "t.yaml:1:27: app.console.digest: is not a SHA-256 in hexadecimal (64 digits; "
                 "sha256sum prints it for the plugin's file)\n");
    assert_wrong("app: { console: { digest: "
                 "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 } }\n",
                 "");
}

static void a_network_listener_without_authentication_is_an_error(void **state)
{
    static const char tail[] = "is reached by other machines, and server.auth.mode is none: set it "
                               "to keys, listen on 127.0.0.1, or, behind a proxy that "
                               "authenticates, set server.auth.allow_unauthenticated_network to "
                               "true\n";
    char              expected[512];

    (void)state;
    snprintf(expected, sizeof(expected), "t.yaml:1:19: server.listen: \":8000\" %s", tail);
    assert_wrong("server: { listen: ':8000' }\n", expected);
    snprintf(expected, sizeof(expected), "t.yaml:1:21: server.listen[0]: \"0.0.0.0:8000\" %s",
             tail);
    assert_wrong("server: { listen: [ 0.0.0.0:8000, 127.0.0.2:1, localhost:1, 'unix:/run/b', "
                 "'[::1]:1' ] }\n",
                 expected);
    snprintf(expected, sizeof(expected), "t.yaml:1:34: server.listen[1]: \"0.0.0.0:8000\" %s",
             tail);
    assert_wrong("server: { listen: [ 127.0.0.2:1, 0.0.0.0:8000 ] }\n", expected);
    assert_wrong("server: { listen: ':8000', allowed_hosts: [a.example], auth: { "
                 "allow_unauthenticated_network: true } }\n",
                 "");
    assert_wrong("server: { listen: ':8000', allowed_hosts: ['*'], auth: { mode: keys, storage: "
                 "main } }\n"
                 "storage: { main: { use: sqlite } }\n",
                 "");
}

static void a_network_listener_for_metrics_needs_a_token(void **state)
{
    (void)state;
    assert_wrong("server: { metrics_listen: '0.0.0.0:9090' }\n",
                 "t.yaml:1:27: server.metrics_listen: \"0.0.0.0:9090\" is reached by other "
                 "machines, and server.metrics_token is empty: set it, listen on 127.0.0.1, or, in "
                 "a network that only scrapers reach, set "
                 "server.auth.allow_unauthenticated_network to true\n");
    assert_wrong("server: { metrics_listen: '127.0.0.1:9090' }\n", "");
    assert_wrong("server: { metrics_listen: ':9090', metrics_token: t }\n",
                 "t.yaml:1:36: warning: server.metrics_token: is a secret written into this file; "
                 "keep it elsewhere and write ${file:/run/secrets/metrics_token} or "
                 "${METRICS_TOKEN}\n");
    assert_wrong("server: { metrics_listen: ':9090', auth: { allow_unauthenticated_network: true } "
                 "}\n",
                 "");
}

static void a_network_listener_needs_the_names_of_its_hosts(void **state)
{
    static const char tail[] = "\":8000\" is reached by other machines, and server.allowed_hosts "
                               "is empty: name the hosts that clients write in their URLs, such as "
                               "[api.example.org], or write [\"*\"] where a proxy checks them\n";
    char              expected[512];

    (void)state;
    snprintf(expected, sizeof(expected), "t.yaml:1:19: server.listen: %s", tail);
    assert_wrong("server: { listen: ':8000', auth: { allow_unauthenticated_network: true } }\n",
                 expected);
    assert_wrong("server: { listen: ':8000', allowed_hosts: [''], auth: { mode: keys, storage: "
                 "main } }\n"
                 "storage: { main: { use: sqlite } }\n",
                 expected);
}

static void keys_need_a_storage_instance(void **state)
{
    (void)state;
    assert_wrong("server: { auth: { mode: keys } }\n",
                 "t.yaml:1:11: server.auth.storage: is required where mode is keys or both: name "
                 "the storage instance that holds the keys\n");
    assert_wrong("server: { auth: { mode: keys, storage: man } }\n"
                 "storage: { main: { use: sqlite } }\n",
                 "t.yaml:1:40: server.auth.storage: there is no storage instance \"man\" (did you "
                 "mean \"main\"?)\n");
}

static void listeners_are_checked(void **state)
{
    (void)state;
    assert_wrong("server: { listen: [] }\n",
                 "t.yaml:1:19: server.listen: must name 1 to 64 addresses to listen on\n");
    assert_wrong("server: { listen: [ 127.0.0.1:1, 127.0.0.1:1, 127.0.0.1:0, 127.0.0.1:0 ] }\n",
                 "t.yaml:1:34: server.listen[1]: \"127.0.0.1:1\" is listened on already\n");
    assert_wrong("server: { listen: [ { adress: x, apps: [nope] }, [x] ] }\n",
                 "t.yaml:1:21: server.listen[0].address: is required: host:port, [IPv6]:port, "
                 ":port (all interfaces) or unix:/path; port 0: any free one\n"
                 "t.yaml:1:23: server.listen[0].adress: is not known here (did you mean "
                 "\"address\"?)\n"
                 "t.yaml:1:41: server.listen[0].apps[0]: there is no app instance \"nope\"\n"
                 "t.yaml:1:50: server.listen[1]: must be an address or a mapping with `address` "
                 "and `apps`\n");
}

static void rules_between_settings_are_checked(void **state)
{
    (void)state;
    assert_wrong("server: { watchdog: { warn: 20s }, limits: { shed_at: 0.99 }, trusted_proxies: "
                 "[10.0.0.0/33, '::1'] }\n",
                 "t.yaml:1:29: server.watchdog.warn: warn must be less than fail_liveness\n"
                 "t.yaml:1:55: server.limits.shed_at: shed_at must be less than refuse_at\n"
                 "t.yaml:1:80: server.trusted_proxies: \"10.0.0.0/33\" is neither an address nor a "
                 "CIDR block such as 10.0.0.0/8\n");
}

static void wrong_shapes_of_sections_are_reported(void **state)
{
    (void)state;
    assert_wrong("[a]\n",
                 "t.yaml:1:1: must be a mapping of sections (server, log, " CONF_KINDS ")\n");
    assert_wrong("server: on\nlog: [x]\nstorage: [x]\nllm: { a: b }\napp:\n",
                 "t.yaml:1:9: server: must be a mapping of settings\n"
                 "t.yaml:2:6: log: must be a mapping of settings\n"
                 "t.yaml:3:10: storage: must be a mapping of names to instances, such as main: { "
                 "use: ... }\n"
                 "t.yaml:4:11: llm.a: must be a mapping of settings, such as { use: ... }\n");
}

static void more_problems_than_500_are_counted(void **state)
{
    struct bp_buf text;
    struct conf  *conf;
    struct bp_buf out;

    (void)state;
    buf_init(&text, NULL, 1 << 20);
    for (unsigned i = 0; i < 600; i++)
        buf_addf(&text, "unknown%u: 1\n", i);
    conf = parse(buf_str(&text).data);
    assert_int_equal(conf->problems.error_count, 600);
    buf_init(&out, NULL, 1 << 20);
    problems_print(&conf->problems, &out);
    assert_non_null(strstr(buf_str(&out).data, "\nt.yaml: 100 more are left out\n"));
    buf_free(&out);
    buf_free(&text);
    conf_free(conf);
}

static void a_file_that_is_not_there_is_a_sentence(void **state)
{
    struct conf *conf = conf_load("/nonexistent/backplane.yaml", NULL);

    (void)state;
    assert_problems(conf,
                    "/nonexistent/backplane.yaml: cannot be opened: No such file or directory\n");
    conf_free(conf);
    conf = conf_load("/", NULL);
    assert_problems(conf, "/: cannot be read: Is a directory\n");
    conf_free(conf);
}

static void a_conf_is_loaded_from_a_file(void **state)
{
    char         path[] = "/tmp/conf-load-XXXXXX";
    int          fd = mkstemp(path);
    struct conf *conf;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, GOOD, sizeof(GOOD) - 1), sizeof(GOOD) - 1);
    close(fd);
    conf = conf_load(path, NULL);
    assert_true(conf_resolve(conf, &plugins));
    assert_int_equal(conf->instance_count, 5);
    conf_free(conf);
    remove(path);
}

static void a_value_with_line_breaks_makes_a_sentence_of_one_line(void **state)
{
    (void)state;
    assert_wrong("server: { workers: \"a\\nb\\x1b[31m\" }\n",
                 "t.yaml:1:20: server.workers: \"a b [31m\" is neither auto nor a number from 1 to "
                 "256\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_conf_is_read_whole),
        cmocka_unit_test(instances_are_ordered_behind_those_they_refer_to),
        cmocka_unit_test(an_empty_conf_is_all_defaults),
        cmocka_unit_test(all_mistakes_are_reported_in_one_run_in_the_order_of_the_file),
        cmocka_unit_test(a_circle_is_an_error_that_names_it),
        cmocka_unit_test(two_separate_circles_are_both_named),
        cmocka_unit_test(a_plugin_that_cannot_be_used_says_why),
        cmocka_unit_test(the_option_of_a_plugin_wins_over_that_of_the_gate),
        cmocka_unit_test(a_health_check_has_an_interval_and_nothing_else_has),
        cmocka_unit_test(an_app_needs_no_settings),
        cmocka_unit_test(a_digest_is_64_hexadecimal_digits),
        cmocka_unit_test(a_network_listener_without_authentication_is_an_error),
        cmocka_unit_test(a_network_listener_for_metrics_needs_a_token),
        cmocka_unit_test(a_network_listener_needs_the_names_of_its_hosts),
        cmocka_unit_test(keys_need_a_storage_instance),
        cmocka_unit_test(listeners_are_checked),
        cmocka_unit_test(rules_between_settings_are_checked),
        cmocka_unit_test(wrong_shapes_of_sections_are_reported),
        cmocka_unit_test(more_problems_than_500_are_counted),
        cmocka_unit_test(a_file_that_is_not_there_is_a_sentence),
        cmocka_unit_test(a_conf_is_loaded_from_a_file),
        cmocka_unit_test(a_value_with_line_breaks_makes_a_sentence_of_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

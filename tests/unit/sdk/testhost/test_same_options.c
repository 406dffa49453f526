/* test_same_options.c - the host and the fake host read the same option texts: equal values, equal
 * sentences. What a plugin's own test accepts, a server accepts. */
#include <sys/stat.h>
#include <unistd.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

#include "core/conf/conf_fixture.h"

#include "base/json.h"

/* ---- the fake host's side ---- */

static const bp_llm_ops ops = { .struct_size = sizeof(ops) };

static const bp_plugin *entry(uint32_t host_abi)
{
    static const bp_plugin plugin = {
        .magic = BP_PLUGIN_MAGIC,
        .struct_size = sizeof(plugin),
        .abi_major = BP_ABI_MAJOR,
        .abi_minor = BP_ABI_MINOR,
        .kind = "llm",
        .kind_version = 1,
        .instance_size = sizeof(struct everything),
        .name = "everything",
        .version = "1.2.3",
        .summary = "has an option of each type",
        .options = everything_options,
        .option_size = sizeof(everything_options[0]),
        .option_count = sizeof(everything_options) / sizeof(everything_options[0]),
        .ops = &ops,
    };

    (void)host_abi;
    return &plugin;
}

static testhost        *fake;
static const bp_plugin *plugin_of_fake;
static char             folder[] = "/tmp/backplane-options-XXXXXX";

/* ---- values as one text ---- */

static void add_text(struct bp_buf *out, const char *name, bp_str text)
{
    buf_addf(out, " %s=%zu:", name, text.len);
    buf_add(out, text);
}

/* All values but references, which the conf has as names. */
static void describe(struct bp_buf *out, const struct everything *it)
{
    buf_addf(out, "%d %lld %.17g %lld %lld %lld %d %lld", it->flag, (long long)it->number,
             it->ratio, (long long)it->size_bytes, (long long)it->timeout_ns,
             (long long)it->pause_ns, it->metric, (long long)it->old);
    add_text(out, "text", it->text);
    add_text(out, "url", it->url);
    add_text(out, "database", it->database);
    add_text(out, "address", it->address);
    add_text(out, "path", it->path);
    add_text(out, "api_key", it->api_key);
    for (size_t i = 0; i < it->models.count; i++)
        add_text(out, "model", it->models.items[i]);
    for (size_t i = 0; i < it->headers.count; i++) {
        add_text(out, "name", it->headers.items[i].name);
        add_text(out, "value", it->headers.items[i].value);
    }
}

/* What each makes of a text: the values, or the sentence. */
struct outcome {
    struct bp_buf text;
    bool          is_refused;
};

static void begin(struct outcome *outcome)
{
    buf_init(&outcome->text, NULL, 1 << 20);
    outcome->is_refused = false;
}

static bool is_list(const char *name)
{
    return strcmp(name, "models") == 0 || strcmp(name, "headers") == 0 ||
           strcmp(name, "fallback") == 0;
}

static const char conf_head[] = "data_dir: %s\nstorage: { main: { use: sqlite } }\n"
                                "llm:\n  small: { use: everything, url: 'http://s' }\n"
                                "  large: { use: everything, url: 'http://l' }\n"
                                "  x:\n    use: everything\n";

static bp_str behind(bp_str text, const char *prefix)
{
    size_t len = strlen(prefix);

    return bp_str_starts(text, prefix) ? bp_str_n(text.data + len, text.len - len) : text;
}

/* Names of references, in the order of the list. */
static void add_refs(struct bp_buf *out, const struct option_refs *refs)
{
    for (const struct option_ref *ref = refs->first; ref; ref = ref->next)
        add_text(out, ref->option.data, ref->name);
}

static void read_by_host(const char *name, const char *value, struct outcome *outcome)
{
    struct bp_buf               conf_text;
    struct conf                *conf;
    const struct conf_instance *instance;

    begin(outcome);
    buf_init(&conf_text, NULL, 1 << 20);
    buf_addf(&conf_text, conf_head, folder);
    if (strcmp(name, "url") != 0)
        buf_add(&conf_text, BP_STR("    url: 'http://h'\n"));
    buf_addf(&conf_text, "    %s: ", name);
    if (is_list(name))
        buf_add(&conf_text, bp_str_of(value));
    else
        json_append_quoted(&conf_text, bp_str_of(value));
    buf_add(&conf_text, BP_STR("\n"));
    conf = resolve(buf_str(&conf_text).data);
    instance = conf_find_instance(conf, BP_STR("llm"), BP_STR("x"));
    outcome->is_refused = conf_has_errors(conf);
    if (outcome->is_refused) {
        const struct conf_problem *first = conf->problems.first;

        while (first && first->is_warning)
            first = first->next;
        buf_add(&outcome->text, behind(first->path, "llm.x."));
        buf_addf(&outcome->text, ": " BP_FMT, BP_ARG(first->text));
    } else {
        describe(&outcome->text, instance->options);
        add_refs(&outcome->text, &instance->refs);
    }
    conf_free(conf);
    buf_free(&conf_text);
}

static void add_peers(struct bp_buf *out, const struct everything *it)
{
    if (it->storage)
        add_text(out, "storage", it->storage->name);
    for (size_t i = 0; i < it->fallback.count; i++)
        add_text(out, "fallback", it->fallback.items[i]->name);
}

static void read_by_fake(const char *name, const char *value, struct outcome *outcome)
{
    testhost_option    options[] = { { name, value }, { "url", "http://h" } };
    testhost_instance *instance = testhost_instance_create(fake, plugin_of_fake, "x", options,
                                                           strcmp(name, "url") == 0 ? 1 : 2);

    begin(outcome);
    outcome->is_refused = !instance;
    if (instance) {
        describe(&outcome->text, testhost_self(instance));
        add_peers(&outcome->text, testhost_self(instance));
    } else {
        buf_add(&outcome->text, behind(bp_str_of(testhost_problem(fake)), "llm/everything: "));
    }
    testhost_instance_destroy(instance);
}

/* ---- the table ---- */

struct text {
    const char *name, *value;
    bool        is_refused;
};

static const struct text texts[] = {
    // bool
    { "flag", "true", false },
    { "flag", "No", false },
    { "flag", "ON", false },
    { "flag", "maybe", true },
    { "flag", "1", true },
    { "flag", "${PORT}", true },
    { "flag", "", true },
    { "flag", " true", true },
    // integer
    { "number", "-3", false },
    { "number", "10", false },
    { "number", "+4", false },
    { "number", "-4", true },
    { "number", "11", true },
    { "number", "3.0", true },
    { "number", "1e1", true },
    { "number", "0x7", true },
    { "number", " 7", true },
    { "number", "7 ", true },
    { "number", "", true },
    { "number", "9223372036854775808", true },
    { "number", "\xd9\xa3", true },
    // number
    { "ratio", "0", false },
    { "ratio", "1", false },
    { "ratio", "1e-3", false },
    { "ratio", "1.0000001", true },
    { "ratio", "-0.1", true },
    { "ratio", "nan", true },
    { "ratio", "inf", true },
    { "ratio", "0,5", true },
    { "ratio", "", true },
    // size
    { "size", "1KiB", false },
    { "size", "1024", false },
    { "size", "1 MiB", false },
    { "size", "1.5MiB", false },
    { "size", "1Mi", false },
    { "size", "1MB", false },
    { "size", "1mb", true },
    { "size", "64M", true },
    { "size", "1023", true },
    { "size", "2GiB", true },
    { "size", "99999999999999TiB", true },
    { "size", "-1KiB", true },
    { "size", "KiB", true },
    { "size", "", true },
    // duration
    { "timeout", "10ms", false },
    { "timeout", "1m", false },
    { "timeout", "0.5s", false },
    { "timeout", "1s500ms", false },
    { "timeout", "2 s", false },
    { "timeout", "9ms", true },
    { "timeout", "61s", true },
    { "timeout", "5", true },
    { "timeout", "5 seconds", true },
    { "timeout", "5S", true },
    { "timeout", "off", true },
    { "timeout", "0", true },
    { "timeout", "99999999999999d", true },
    { "timeout", "", true },
    { "pause", "off", false },
    { "pause", "0", false },
    { "pause", "7d", false },
    { "pause", "Off", false },
    // string
    { "text", "", false },
    { "text", "  blanks  ", false },
    { "text", "gr\xc3\xbc\xc3\x9f dich \xe2\x98\x83", false },
    { "text", "a, b", false },
    { "text", "[a]", false },
    { "text", "null", false },
    { "text", "${KEY}", false },
    { "text", "${NOT_SET:-fallback}", false },
    { "text", "${EMPTY:-${PORT}}/x", false },
    { "text", "$${HOME}", false },
    { "text", "${DOLLAR}", false },
    { "text", "${EMPTY}", false },
    { "text", "${NOT_SET}", true },
    { "text", "${no close", true },
    { "text", "${1}", true },
    { "text", "${BYTES}", true },
    // choice
    { "metric", "cosine", false },
    { "metric", "DOT", false },
    { "metric", "cosin", true },
    { "metric", "cosine ", true },
    { "metric", "", true },
    // URL
    { "url", "http://a/", false },
    { "url", "HTTPS://user:pass@a:8443/x?y", false },
    { "url", "http://[::1]:80", false },
    { "url", "http://${NOT_SET:-a.example}:${PORT}", false },
    { "url", "htp://a", true },
    { "url", "http:/a", true },
    { "url", "a.example", true },
    { "url", "http://", true },
    { "url", "http://a:99999", true },
    { "url", "http://a b", true },
    { "url", "http://user:hunter2@a:x", true },
    { "url", "ftp://a", true },
    { "url", "", true },
    { "url", "${EMPTY}", true },
    { "database", "postgres://u:p@a,b:5433/db", false },
    { "database", "http://a", true },
    { "database", "postgres://a,,b", true },
    // address
    { "address", "localhost:80", false },
    { "address", ":80", false },
    { "address", "[::1]:80", false },
    { "address", "unix:/run/x.sock", false },
    { "address", "unix:x.sock", true },
    { "address", "80", true },
    { "address", "host", true },
    { "address", "::1:80", true },
    { "address", "host:99999", true },
    { "address", "", true },
    // path
    { "path", "data/x", false },
    { "path", "./x", false },
    { "path", ".", false },
    { "path", "/tmp/x", false },
    { "path", "", false },
    { "path", "${HOME_OF_IT}/x", false },
    { "path", "~/x", true },
    // secret
    { "api_key", "sk-1", false },
    { "api_key", "${KEY}", false },
    { "api_key", "${file:FOLDER/secret}", false },
    { "api_key", "Bearer ${file:FOLDER/secret}", false },
    { "api_key", "${file:FOLDER/crlf}", false },
    { "api_key", "${file:FOLDER/missing}", true },
    { "api_key", "${file:FOLDER}", true },
    { "api_key", "${file:FOLDER/large}", true },
    { "api_key", "${file:FOLDER/bytes}", true },
    { "number", "${file:FOLDER/secret}", true },
    { "number", "${PORT}", true },
    // list
    { "models", "[]", false },
    { "models", "[a]", false },
    { "models", "[a, 'b, c', \"d\"]", false },
    { "models", "[\"\", ' x ']", false },
    { "models", "[\"${KEY}\", \"${EMPTY}\"]", false },
    { "models", "plain", false },
    { "models", "[a, {b: c}]", true },
    { "models", "[a, ~]", true },
    { "models", "{a: b}", true },
    // map
    { "headers", "{}", false },
    { "headers", "{X-A: 1, x-b: 'two, three'}", false },
    { "headers", "{a: \"${KEY}\"}", false },
    { "headers", "[a]", true },
    { "headers", "{a: [b]}", true },
    { "headers", "{a: ~}", true },
    // references
    { "storage", "main", false },
    { "storage", "mian", true },
    { "storage", "nowhere", true },
    { "storage", "", true },
    { "fallback", "[]", false },
    { "fallback", "[small, large]", false },
    { "fallback", "[large, small, large]", false },
    { "fallback", "[small, smal]", true },
    { "fallback", "{small: large}", true },
    // an old name, and none
    { "old", "5", false },
    { "tiemout", "5s", true },
};

/* FOLDER in the text. */
static const char *with_folder(const char *value, char out[512])
{
    const char *at = strstr(value, "FOLDER");

    if (!at)
        return value;
    snprintf(out, 512, "%.*s%s%s", (int)(at - value), value, folder, at + strlen("FOLDER"));
    return out;
}

static void both_read_each_text_alike(void **state)
{
    size_t wrong = 0;

    (void)state;
    assert_true(sizeof(texts) / sizeof(texts[0]) >= 63);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char           room[512];
        const char    *value = with_folder(texts[i].value, room);
        struct outcome by_host, by_fake;

        read_by_host(texts[i].name, value, &by_host);
        read_by_fake(texts[i].name, value, &by_fake);
        if (by_host.is_refused != texts[i].is_refused ||
            by_fake.is_refused != texts[i].is_refused ||
            !bp_str_equal(buf_str(&by_host.text), buf_str(&by_fake.text))) {
            print_error("%s: \"%s\"\n  the host: %s\n  the fake: %s\n", texts[i].name, value,
                        buf_str(&by_host.text).data, buf_str(&by_fake.text).data);
            wrong++;
        }
        buf_free(&by_host.text);
        buf_free(&by_fake.text);
    }
    assert_int_equal(wrong, 0);
}

/* ---- set up ---- */

static void write_file(const char *name, const char *bytes, size_t len)
{
    char  path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static int set_up(void **state)
{
    static char large[70000];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    memset(large, 'x', sizeof(large));
    write_file("secret", "sk-from-file\n", 13);
    write_file("crlf", "sk-from-file\r\n", 14);
    write_file("large", large, sizeof(large));
    write_file("bytes", "\xff\xfe", 2);
    for (const char *const *variable = test_variables; *variable; variable++)
        putenv((char *)(uintptr_t)*variable);
    unsetenv("NOT_SET");
    fake = testhost_new();
    testhost_set_data_dir(fake, folder);
    testhost_add_peer(fake, "main", "storage", 1, &ops, NULL);
    testhost_add_peer(fake, "small", "llm", 1, &ops, NULL);
    testhost_add_peer(fake, "large", "llm", 1, &ops, NULL);
    plugin_of_fake = testhost_load_entry(fake, entry);
    if (!plugin_of_fake)
        print_error("%s\n", testhost_problem(fake));
    return plugin_of_fake ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "secret", "crlf", "large", "bytes" };
    char                     path[256];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    testhost_free(fake);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(both_read_each_text_alike) };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* test_print_exact.c - the reference pages and the schema to the byte, for options of every shape.
 */
#include "base/json.h"
#include "core/conf/conf_fixture.h"

#include "conf/conf_print.h"

/* ---- pages ---- */

struct shapes {
    bp_str         a, b, c, d, e;
    bp_str_list    l;
    bp_option_map  m;
    int64_t        n, s_bytes, t_ns, u_ns;
    double         f;
    bool           k;
    int32_t        en;
    bp_str         url, url2, addr;
    const bp_peer *ref;
    bp_peer_list   refs;
};

/* Every shape that a row or an example of a page may have. */
static const bp_option shape_options[] = {
    BP_OPTION_STRING(struct shapes, a, .example = "plain", .help = "a | b\nc",
                     .is_reloadable = true, .since = "1.2"),
    BP_OPTION_STRING(struct shapes, b, .initial = "", .example = "it's: x", .help = "a text"),
    BP_OPTION_PATH(struct shapes, c, .initial = "a|b", .choices = "file", .example = "#x",
                   .help = "a path"),
    BP_OPTION_SECRET(struct shapes, d, .help = "a key"),
    BP_OPTION_STRING(struct shapes, e, .is_required = true, .help = "a must"),
    BP_OPTION_LIST(struct shapes, l, .is_required = true, .choices = "folder", .help = "a list"),
    BP_OPTION_MAP(struct shapes, m, .is_required = true, .help = "a map"),
    BP_OPTION_INT(struct shapes, n, .is_required = true, .maximum = "9", .help = "a number"),
    BP_OPTION_SIZE(struct shapes, s, .is_required = true, .minimum = "2KiB", .help = "a size"),
    BP_OPTION_DURATION(struct shapes, t, .is_required = true, .minimum = "0", .help = "a time"),
    BP_OPTION_DURATION(struct shapes, u, .is_required = true, .minimum = "5ms", .maximum = "1s",
                       .help = "a time"),
    BP_OPTION_FLOAT(struct shapes, f, .is_required = true, .help = "a ratio"),
    BP_OPTION_BOOL(struct shapes, k, .is_required = true, .help = "a switch"),
    BP_OPTION_ENUM(struct shapes, en, .is_required = true, .choices = "x|y", .help = "a choice"),
    BP_OPTION_URL(struct shapes, url, .is_required = true, .help = "a URL"),
    BP_OPTION_URL(struct shapes, url2, .is_required = true, .choices = "pg|postgres",
                  .help = "a URL"),
    BP_OPTION_ADDRESS(struct shapes, addr, .is_required = true, .help = "an address"),
    BP_OPTION_REF(struct shapes, ref, "cache", .is_required = true, .help = "a cache"),
    BP_OPTION_REFS(struct shapes, refs, "llm", .is_required = true, .help = "providers"),
    BP_OPTION_INT(struct shapes, n, .example = "7", .deprecated = "a|b", .help = "old"),
};
static const struct conf_plugin shapes_plugin = {
    "cache", "shapes", NULL, NULL, OPTION_TABLE(shape_options), sizeof(struct shapes), NULL
};

static const char
    shapes_page[] = "# cache/shapes\n"
                    "\n"
                    "Written by `backplane docs`; change the plugin's option table, not this "
                    "page.\n"
                    "\n"
                    "Version unknown.\n"
                    "\n"
                    "## Options\n"
                    "\n"
                    "| option | type | default | range | meaning |\n"
                    "|---|---|---|---|---|\n"
                    "| `a` | string |  |  | a \\| b c; for example `plain`. A reload changes it in "
                    "place. Since 1.2 |\n"
                    "| `b` | string | empty |  | a text; for example `it's: x` |\n"
                    "| `c` | path | `a\\|b` |  | a path; for example `#x` |\n"
                    "| `d` | secret |  |  | a key |\n"
                    "| `e` | string | **required** |  | a must |\n"
                    "| `l` | list | **required** |  | a list |\n"
                    "| `m` | map | **required** |  | a map |\n"
                    "| `n` | integer | **required** | up to 9 | a number |\n"
                    "| `s` | size | **required** | from 2KiB | a size |\n"
                    "| `t` | duration | **required** | from 0 | a time |\n"
                    "| `u` | duration | **required** | 5ms to 1s | a time |\n"
                    "| `f` | number | **required** |  | a ratio |\n"
                    "| `k` | bool | **required** |  | a switch |\n"
                    "| `en` | choice | **required** | `x`, `y` | a choice |\n"
                    "| `url` | URL | **required** |  | a URL |\n"
                    "| `url2` | URL | **required** | `pg`, `postgres` | a URL |\n"
                    "| `addr` | address | **required** |  | an address |\n"
                    "| `ref` | reference | **required** | names of `cache` | a cache |\n"
                    "| `refs` | list of references | **required** | names of `llm` | providers |\n"
                    "| `n` | integer |  |  | old; for example `7`. **Deprecated**: use a\\|b |\n"
                    "\n"
                    "[Every instance](../conf.md#every-instance) also takes a deadline, a "
                    "concurrency cap, retries and a circuit breaker.\n"
                    "\n"
                    "## Example\n"
                    "\n"
                    "```yaml\n"
                    "cache:\n"
                    "  main:\n"
                    "    use: shapes\n"
                    "    a: plain\n"
                    "    b: 'it''s: x'\n"
                    "    c: '#x'\n"
                    "    d: \"${file:/run/secrets/d}\"\n"
                    "    e: main\n"
                    "    l: [main]\n"
                    "    m: { name: value }\n"
                    "    n: 1\n"
                    "    s: 2KiB\n"
                    "    t: 10s\n"
                    "    u: 5ms\n"
                    "    f: 1\n"
                    "    k: true\n"
                    "    en: x\n"
                    "    url: \"http://127.0.0.1\"\n"
                    "    url2: \"pg://127.0.0.1\"\n"
                    "    addr: \"127.0.0.1:8000\"\n"
                    "    ref: main\n"
                    "    refs: [main]\n"
                    "```\n";

static const char console_page[] = "# app/console\n"
                                   "\n"
                                   "Written by `backplane docs`; change the plugin's option table, "
                                   "not this page.\n"
                                   "\n"
                                   "An application: pages for a browser.\n"
                                   "\n"
                                   "Version 1.0.0.\n"
                                   "\n"
                                   "It has no options of its own. [Every "
                                   "instance](../conf.md#every-instance) also takes a deadline, a "
                                   "concurrency cap, retries and a circuit breaker.\n"
                                   "\n"
                                   "## Example\n"
                                   "\n"
                                   "```yaml\n"
                                   "app:\n"
                                   "  console:\n"
                                   "```\n";

static void expect_page(const struct conf_plugin *plugin, const char *wanted)
{
    struct bp_buf out;

    buf_init(&out, NULL, CONF_PRINT_MAX_BYTES);
    conf_print_plugin_page(plugin, &out);
    assert_string_equal(buf_str(&out).data, wanted);
    buf_free(&out);
}

static void a_page_has_each_option_and_an_example(void **state)
{
    struct conf_plugin odd = known_plugins[KNOWN_PLUGIN_COUNT - 1];

    (void)state;
    expect_page(&shapes_plugin, shapes_page);
    expect_page(&known_plugins[KNOWN_PLUGIN_COUNT - 1], console_page);
    odd.kind = "other"; // of a kind that this host does not know
    odd.name = "odd";
    expect_page(&odd,
                "# other/odd\n\nWritten by `backplane docs`; change the plugin's option table, not "
                "this page.\n\nother: pages for a browser.\n\nVersion 1.0.0.\n\nIt has no options "
                "of its own. [Every instance](../conf.md#every-instance) also takes a deadline, a "
                "concurrency cap, retries and a circuit breaker.\n\n## Example\n\n```yaml\nother:\n"
                "  main:\n    use: odd\n```\n");
}

static void each_kind_has_a_title(void **state)
{
    static const char *const titles[CONF_KIND_COUNT] = { "A storage backend", "A cache",
                                                         "A vector store",    "An embedder",
                                                         "An LLM provider",   "A health check",
                                                         "An alert sink",     "An application" };

    (void)state;
    for (size_t i = 0; i < CONF_KIND_COUNT; i++) {
        struct conf_plugin plugin = known_plugins[KNOWN_PLUGIN_COUNT - 1];
        struct bp_buf      out;
        char               line[96];

        plugin.kind = conf_kinds[i];
        snprintf(line, sizeof(line), "\n%s: pages for a browser.\n", titles[i]);
        buf_init(&out, NULL, CONF_PRINT_MAX_BYTES);
        conf_print_plugin_page(&plugin, &out);
        assert_non_null(strstr(buf_str(&out).data, line));
        buf_free(&out);
    }
}

/* Texts that need quotes in YAML, and those that need none. */
static void an_example_is_quoted_where_yaml_needs_it(void **state)
{
    static const char *const cases[][2] = {
        { "plain", "plain" }, { "a b", "a b" },     { "a:b", "a:b" },
        { "a#b", "a#b" },     { "/x/y", "/x/y" },   { "\"done\"", "\"done\"" },
        { "a: b", "'a: b'" }, { "a #b", "'a #b'" }, { "a:", "'a:'" },
        { "a ", "'a '" },     { "{a}", "'{a}'" },   { "}a", "'}a'" },
        { "[a]", "'[a]'" },   { "]a", "']a'" },     { "&a", "'&a'" },
        { "*a", "'*a'" },     { "!a", "'!a'" },     { "|a", "'|a'" },
        { ">a", "'>a'" },     { "'a'", "'''a'''" }, { "%a", "'%a'" },
        { "@a", "'@a'" },     { "`a", "'`a'" },     { "#a", "'#a'" },
        { ",a", "',a'" },     { "?a", "'?a'" },     { ":a", "':a'" },
        { "-a", "'-a'" },     { " a", "' a'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_option          option = BP_OPTION_STRING(struct shapes, a, .help = "a text");
        struct conf_plugin plugin = {
            "cache", "x", "1", NULL, { &option, sizeof(option), 1 }, sizeof(struct shapes), NULL
        };
        struct bp_buf out;
        char          line[64];

        option.example = cases[i][0];
        snprintf(line, sizeof(line), "    use: x\n    a: %s\n```\n", cases[i][1]);
        buf_init(&out, NULL, CONF_PRINT_MAX_BYTES);
        conf_print_plugin_page(&plugin, &out);
        if (!strstr(buf_str(&out).data, line))
            fail_msg("no %s in %s", line, buf_str(&out).data);
        buf_free(&out);
    }
}

/* `backplane docs` writes docs/conf.md, which CI compares; only the plugins are others here. */
static void the_page_of_the_host_is_the_one_in_docs(void **state)
{
    static const char
                plugin_rows[] = "| `storage` | [sqlite](conf/storage-sqlite.md) | SQL in a file |\n"
                                "| `vector` | [local](conf/vector-local.md) | vectors in files |\n"
                                "| `embed` | [due](conf/embed-due.md) | has a deadline of its own |\n"
                                "| `embed` | [hash](conf/embed-hash.md) | hashes words |\n"
                                "| `llm` | [everything](conf/llm-everything.md) | has an option of each "
                                "type |\n"
                                "| `health` | [tcp](conf/health-tcp.md) | checks that a TCP port accepts "
                                "connections |\n"
                                "| `app` | [console](conf/app-console.md) | pages for a browser |\n"
                                "| `app` | [retrieval](conf/app-retrieval.md) | answers from documents |\n";
    static char text[1 << 18];
    struct arena  arena;
    struct bp_buf out;
    FILE         *file = fopen(BP_SOURCE_DIR "/docs/conf.md", "re");
    char         *rows;

    (void)state;
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 4096, file)] = '\0';
    fclose(file);
    rows = strstr(text, "| `storage` | [");
    assert_non_null(rows);
    strcpy(rows, plugin_rows);
    arena_init(&arena, 64 << 20);
    buf_init(&out, NULL, CONF_PRINT_MAX_BYTES);
    conf_print_host_page(&arena, &plugins, &out);
    assert_string_equal(buf_str(&out).data, text);
    buf_free(&out);
    arena_free(&arena);
}

/* ---- the schema ---- */

/* What stands at the end of a path of keys. */
static const bp_json *at(const bp_json *value, const char *path)
{
    for (bp_str rest = bp_str_of(path), key; rest.len;) {
        const char *slash = memchr(rest.data, '/', rest.len);

        key = bp_str_n(rest.data, slash ? (size_t)(slash - rest.data) : rest.len);
        rest = slash ? bp_str_n(slash + 1, rest.len - key.len - 1) : (bp_str){ "", 0 };
        value = json_get(value, key);
        if (!value)
            fail_msg("there is no %s", path);
    }
    return value;
}

static const struct {
    const char *path, *json;
} parts[] = {
    { "$defs/llm.everything/properties/use", "{\"const\":\"everything\"}" },
    { "$defs/llm.everything/properties/flag",
      "{\"description\":\"a "
      "switch\",\"default\":\"yes\",\"anyOf\":[{\"enum\":[\"true\",\"false\",\"yes\",\"no\",\"on\","
      "\"off\",true,false]},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/number",
      "{\"description\":\"a "
      "number\",\"default\":\"7\",\"anyOf\":[{\"type\":\"integer\",\"minimum\":-3,\"maximum\":10},{"
      "\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/ratio",
      "{\"description\":\"a "
      "ratio\",\"default\":\"0.5\",\"anyOf\":[{\"type\":\"number\",\"minimum\":0,\"maximum\":1},{"
      "\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/size",
      "{\"description\":\"a "
      "size\",\"default\":\"64MiB\",\"anyOf\":[{\"type\":\"integer\",\"minimum\":1024,\"maximum\":"
      "1073741824},{\"type\":\"string\",\"pattern\":\"^[0-9]+(\\\\.[0-9]+)? "
      "*(B|[KMGT](B|i|iB))?$\"},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/timeout",
      "{\"description\":\"a "
      "time\",\"default\":\"2s\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^([0-9]+(\\\\.[0-9]+"
      ")? *(ns|us|ms|s|m|h|d))+$|^0$\"},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/pause",
      "{\"description\":\"a "
      "pause\",\"default\":\"off\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^([0-9]+(\\\\.[0-"
      "9]+)? "
      "*(ns|us|ms|s|m|h|d))+$|^0$\"},{\"enum\":[\"off\",false]},{\"const\":0},{\"$ref\":\"#/$defs/"
      "expansion\"}]}" },
    { "$defs/llm.everything/properties/text",
      "{\"description\":\"a "
      "text\",\"default\":\"hello\",\"anyOf\":[{\"$ref\":\"#/$defs/scalar\"},{\"$ref\":\"#/$defs/"
      "expansion\"}]}" },
    { "$defs/llm.everything/properties/metric",
      "{\"description\":\"a "
      "choice\",\"default\":\"l2\",\"anyOf\":[{\"enum\":[\"cosine\",\"l2\",\"dot\"]},{\"$ref\":\"#/"
      "$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/url",
      "{\"description\":\"base URL of the "
      "server\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^(http|https)://\"},{\"$ref\":\"#/"
      "$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/database",
      "{\"description\":\"the "
      "database\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^(postgres|postgresql)://"
      "\"},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/address",
      "{\"description\":\"where it "
      "is\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^(unix:/"
      ".+|(\\\\[[0-9A-Fa-f:.]+\\\\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)?:[0-9]{1,5})$\"},{\"$ref\":\"#/"
      "$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/path",
      "{\"description\":\"a "
      "file\",\"default\":\"here\",\"anyOf\":[{\"$ref\":\"#/$defs/scalar\"},{\"$ref\":\"#/$defs/"
      "expansion\"}]}" },
    { "$defs/llm.everything/properties/api_key",
      "{\"description\":\"key of the "
      "account\",\"writeOnly\":true,\"anyOf\":[{\"$ref\":\"#/$defs/scalar\"},{\"$ref\":\"#/$defs/"
      "expansion\"}]}" },
    { "$defs/llm.everything/properties/models",
      "{\"description\":\"names of models\",\"default\":\"[small, "
      "large]\",\"anyOf\":[{\"$ref\":\"#/$defs/list\"},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/headers",
      "{\"description\":\"headers to "
      "add\",\"anyOf\":[{\"$ref\":\"#/$defs/map\"},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/storage",
      "{\"description\":\"where it keeps "
      "things\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_-]{0,31}$\"},{\"$ref\":"
      "\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/fallback",
      "{\"description\":\"whom it asks "
      "next\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_-]{0,31}$\"},{\"$ref\":"
      "\"#/$defs/names\"},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$defs/llm.everything/properties/old", "{\"description\":\"an old "
                                             "name\",\"deprecated\":true,\"anyOf\":[{\"type\":"
                                             "\"integer\"},{\"$ref\":\"#/$defs/expansion\"}]}" },
    { "$schema", "\"https://json-schema.org/draft/2020-12/schema\"" },
    { "title", "\"Conf file of Backplane\"" },
    { "type", "[\"object\",\"null\"]" },
    { "additionalProperties", "false" },
    { "properties/data_dir",
      "{\"description\":\"base directory of relative paths; a relative one starts at the current "
      "directory\",\"default\":\"data\",\"anyOf\":[{\"$ref\":\"#/$defs/scalar\"},{\"$ref\":\"#/"
      "$defs/expansion\"}]}" },
    { "properties/storage",
      "{\"type\":[\"object\",\"null\"],\"propertyNames\":{\"pattern\":\"^[a-z][a-z0-9_-]{0,31}$\"},"
      "\"additionalProperties\":{\"$ref\":\"#/$defs/storage\"}}" },
    { "properties/app",
      "{\"type\":[\"object\",\"null\"],\"propertyNames\":{\"pattern\":\"^[a-z][a-z0-9_-]{0,31}$\"},"
      "\"properties\":{\"console\":{\"if\":{\"type\":\"object\",\"required\":[\"use\"]},\"then\":{"
      "\"$ref\":\"#/$defs/app\"},\"else\":{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/$defs/"
      "named.app.console\"}]}},\"retrieval\":{\"if\":{\"type\":\"object\",\"required\":[\"use\"]},"
      "\"then\":{\"$ref\":\"#/$defs/app\"},\"else\":{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/"
      "$defs/named.app.retrieval\"}]}}},\"additionalProperties\":{\"$ref\":\"#/$defs/app\"}}" },
    { "$defs/expansion", "{\"description\":\"${NAME}, ${NAME:-default} or "
                         "${file:PATH}\",\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"}" },
    { "$defs/scalar", "{\"type\":[\"string\",\"number\",\"boolean\"]}" },
    { "$defs/list", "{\"anyOf\":[{\"$ref\":\"#/$defs/"
                    "scalar\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/scalar\"}}]}" },
    { "$defs/names", "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}" },
    { "$defs/map", "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/$defs/scalar\"}}" },
    { "$defs/storage", "{\"oneOf\":[{\"$ref\":\"#/$defs/storage.sqlite\"}]}" },
    { "$defs/embed",
      "{\"oneOf\":[{\"$ref\":\"#/$defs/embed.due\"},{\"$ref\":\"#/$defs/embed.hash\"}]}" },
    { "$defs/alert", "{\"oneOf\":[false]}" },
    { "$defs/app",
      "{\"oneOf\":[{\"$ref\":\"#/$defs/app.console\"},{\"$ref\":\"#/$defs/app.retrieval\"}]}" },
    { "$defs/llm.everything/required", "[\"use\",\"url\"]" },
    { "$defs/llm.everything/additionalProperties", "false" },
    { "$defs/llm.everything/type", "\"object\"" },
    { "$defs/llm.everything/description", "\"has an option of each type\"" },
    { "$defs/app.console/required", "[\"use\"]" },
    { "properties/server/properties/listen",
      "{\"description\":\"where the server listens; 127.0.0.1:8000 unless it is "
      "said\",\"anyOf\":[{\"$ref\":\"#/$defs/"
      "scalar\"},{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"anyOf\":[{\"$"
      "ref\":\"#/$defs/"
      "scalar\"},{\"type\":\"object\",\"properties\":{\"address\":{\"description\":\"host:port, "
      "[IPv6]:port, :port (all interfaces) or unix:/path; port 0: any free "
      "one\",\"examples\":[\"127.0.0.1:8000\"],\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^("
      "unix:/"
      ".+|(\\\\[[0-9A-Fa-f:.]+\\\\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)?:[0-9]{1,5})$\"},{\"$ref\":\"#/"
      "$defs/expansion\"}]},\"apps\":{\"description\":\"apps of this listener; none: "
      "all\",\"examples\":[\"[retrieval]\"],\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^[a-z][a-"
      "z0-9_-]{0,31}$\"},{\"$ref\":\"#/$defs/names\"},{\"$ref\":\"#/$defs/"
      "expansion\"}]}},\"required\":[\"address\"],\"additionalProperties\":false}]}}]}" },
    { "properties/log/type", "[\"object\",\"null\"]" },
    { "properties/log/additionalProperties", "false" },
    { "properties/server/additionalProperties", "false" },
};

/* The keys of an object, in their order. */
static const struct {
    const char *path, *keys;
} objects[] = {
    { "", "$schema title type properties additionalProperties $defs" },
    { "properties", "data_dir plugins server log storage cache vector embed llm health alert app" },
    { "$defs", "expansion scalar list names map storage storage.sqlite cache vector vector.local "
               "embed embed.due embed.hash llm llm.everything health health.tcp alert app "
               "app.console named.app.console app.retrieval named.app.retrieval" },
    { "$defs/llm.everything/properties",
      "use flag number ratio size timeout pause text metric url database address path api_key "
      "models headers storage fallback old deadline max_concurrent queue client_share retries "
      "breaker_failures breaker_window breaker_pause critical digest" },
    { "$defs/embed.due/properties",
      "use deadline max_concurrent queue client_share retries breaker_failures breaker_window "
      "breaker_pause critical digest" },
    { "$defs/app.console", "description type properties required additionalProperties" },
    { "$defs/app.console/properties",
      "use deadline max_concurrent queue client_share retries breaker_failures breaker_window "
      "breaker_pause critical digest prefix" },
    { "$defs/named.app.console", "description type properties additionalProperties" },
    { "$defs/named.app.console/properties",
      "deadline max_concurrent queue client_share retries breaker_failures breaker_window "
      "breaker_pause critical digest prefix" },
    { "properties/server", "description type properties additionalProperties" },
};

static void the_schema_has_each_part_as_it_is_written_here(void **state)
{
    struct arena   arena;
    struct bp_buf  out;
    const bp_json *schema, *member;
    struct reason  why;

    (void)state;
    arena_init(&arena, 64 << 20);
    buf_init(&out, NULL, CONF_PRINT_MAX_BYTES);
    assert_int_equal(conf_print_schema(&arena, &plugins, &out), BP_OK);
    assert_int_equal(json_parse(&arena, buf_str(&out), &schema, &why), BP_OK);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_string_equal(json_text(&arena, at(schema, parts[i].path)).data, parts[i].json);
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        const bp_json *object = at(schema, objects[i].path);
        size_t         cursor = 0;
        char           keys[1024] = "";
        bp_str         key;

        while (json_entry(object, &cursor, &key, &member))
            snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s" BP_FMT,
                     *keys ? " " : "", BP_ARG(key));
        assert_string_equal(keys, objects[i].keys);
    }
    buf_free(&out);
    buf_init(&out, NULL, 100); // no room for it
    assert_int_equal(conf_print_schema(&arena, &plugins, &out), BP_TOO_LARGE);
    buf_free(&out);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_has_each_option_and_an_example),
        cmocka_unit_test(each_kind_has_a_title),
        cmocka_unit_test(an_example_is_quoted_where_yaml_needs_it),
        cmocka_unit_test(the_page_of_the_host_is_the_one_in_docs),
        cmocka_unit_test(the_schema_has_each_part_as_it_is_written_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

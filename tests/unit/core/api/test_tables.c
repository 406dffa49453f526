/* test_tables.c - the tables of routes and commands: what may stand in them, to the last entry, and
 * their whole description as OpenAPI, as a page and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/command_table.h"
#include "api/proxy.h"
#include "api/router.h"
#include "base/str.h"
#include "version.h"

static struct arena   arena;
static struct router *router;
static struct reason  why;

static struct conf_instance names[2] = { { .kind = "app", .name = BP_STR("git") },
                                         { .kind = "app", .name = BP_STR("memory") } };
static struct unit          units[2] = { { .conf = &names[0] }, { .conf = &names[1] } };

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    router = router_new();
    return router ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    metrics_clear();
    arena_free(&arena);
    return 0;
}

static bp_status handle(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)call, (void)instance, (void)request, (void)response;
    return BP_OK;
}

static void expect_same(bp_str found, const char *wanted)
{
    if (!bp_str_is(found, wanted))
        fail_msg("\nnot    %s\nbut is " BP_FMT, wanted, (int)found.len, found.data);
}

/* ---- routes as they are described ---- */

static const bp_route host_routes[] = {
    { .method = "GET", .path = "/", .handler = handle, .summary = "the start" },
    { .method = "GET",
      .path = "/a/{name}/b/{rest...}",
      .handler = handle,
      .summary = "<all> & \"more\"",
      .query = "limit: how many\n  from :  where to begin",
      .scope = "host:read",
      .response_schema = "{\"type\":\"object\"}" },
    { .method = "DELETE",
      .path = "/a/{name}/b/{rest...}",
      .handler = handle,
      .flags = BP_ROUTE_AUTHENTICATED },
};
static const bp_route app_routes[] = {
    { .method = "POST",
      .path = "/x",
      .handler = handle,
      .request_schema = "{\"type\":\"string\"}" },
};

#define STRING     "\"schema\":{\"type\":\"string\"}}"
#define IN_PATH(n) "{\"name\":\"" n "\",\"in\":\"path\",\"required\":true," STRING
#define FAILED                                                                                     \
    "\"default\":{\"description\":\"it failed; the message says why\",\"content\":{"               \
    "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Error\"}}}}}"
#define DONE "\"responses\":{\"200\":{\"description\":\"done\"}," FAILED

static struct api api_of_routes(void)
{
    assert_true(router_add(router, host_routes, sizeof(bp_route), 3, NULL, NULL, &why));
    assert_true(router_add(router, app_routes, sizeof(bp_route), 1, &units[0], NULL, &why));
    return (struct api){ .router = router };
}

static void routes_are_described_as_openapi(void **state)
{
    struct api api = api_of_routes();

    (void)state;
    expect_same(
        api_make_openapi(&api, &arena),
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Backplane\",\"version\":\"" BACKPLANE_VERSION
        "\"},\"paths\":{"
        "\"/\":{\"get\":{\"summary\":\"the start\",\"tags\":[\"host\"],\"parameters\":[]," DONE
        ",\"security\":[]}},"
        "\"/a/{name}/b/{rest}\":{\"get\":{\"summary\":\"<all> & \\\"more\\\"\",\"tags\":[\"host\"],"
        "\"parameters\":[" IN_PATH("name") "," IN_PATH(
            "rest") ",{\"name\":\"limit\",\"in\":"
                    "\"query\",\"description\":\"how many\"," STRING
                    ",{\"name\":\"from\",\"in\":\"query\","
                    "\"description\":\"where to begin\"," STRING
                    "],\"responses\":{\"200\":{\"description\":"
                    "\"done\",\"content\":{\"application/"
                    "json\":{\"schema\":{\"type\":\"object\"}}}}," FAILED
                    ",\"security\":[{\"key\":[]}],\"x-scope\":\"host:read\"},"
                    "\"delete\":{\"tags\":[\"host\"],\"parameters\":[" IN_PATH("name") "," IN_PATH(
                        "rest") "]," DONE ",\"security\":[{\"key\":[]}]}},"
                                "\"/"
                                "x\":{\"post\":{\"tags\":[\"git\"],\"parameters\":[],"
                                "\"requestBody\":{\"required\":true,"
                                "\"content\":{\"application/"
                                "json\":{\"schema\":{\"type\":\"string\"}}}}," DONE
                                ",\"security\":[]}}},"
                                "\"components\":{\"securitySchemes\":{\"key\":{\"type\":\"http\","
                                "\"scheme\":\"bearer\"}},"
                                "\"schemas\":{\"Error\":{\"type\":\"object\",\"properties\":{"
                                "\"error\":{\"type\":"
                                "\"object\",\"properties\":{\"code\":{\"type\":\"string\"},"
                                "\"message\":{\"type\":"
                                "\"string\"},\"request_id\":{\"type\":\"string\"}},\"required\":["
                                "\"code\",\"message\"]}},"
                                "\"required\":[\"error\"]}}}}");
}

#define ROW(method, path, about, scope)                                                            \
    "<tr><td><b>" method "</b></td><td><code>" path "</code></td><td>" about                       \
    "</td><td><code>" scope "</code></td></tr>\n"
#define TABLE(owner)                                                                               \
    "<h2>" owner "</h2><table><tr><th>method</th><th>path</th><th>what it does</th><th>scope</th>" \
    "</tr>\n"

static void routes_are_described_on_a_page(void **state)
{
    struct api  api = api_of_routes();
    bp_str      page = api_make_docs_page(&api, &arena);
    const char *body = strstr(page.data, "<h1>");

    (void)state;
    assert_true(bp_str_starts(page, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
                                    "<title>Backplane: routes</title><style>"));
    assert_non_null(body);
    expect_same(bp_str_of(body),
                "<h1>Backplane " BACKPLANE_VERSION
                "</h1><p>Every route of this server, from its route tables. For programs: <a "
                "href=\"/openapi.json\">/openapi.json</a>.</p>\n" TABLE("host")
                    ROW("GET", "/", "the start", "")
                        ROW("GET", "/a/{name}/b/{rest...}",
                            "&lt;all&gt; &amp; \"more\"<br><small>limit: how many<br>  from :  "
                            "where to "
                            "begin</small>",
                            "host:read")
                            ROW("DELETE", "/a/{name}/b/{rest...}", "", "") "</table>" TABLE("git")
                                ROW("POST", "/x",
                                    "<details><summary>body</summary><pre>{\"type\":\"string\"}</"
                                    "pre></details>",
                                    "") "</table></html>\n");
}

static void a_path_of_any_length_is_described(void **state)
{
    static const struct {
        const char *path, *described;
    } cases[] = {
        { "/{a...}", "\"/{a}\":{" },
        { "/{a}", "\"/{a}\":{" },
        { "/a", "\"/a\":{" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bp_route route = { .method = "PUT", .path = cases[i].path, .handler = handle };
        struct api     api = { .router = router_new() };

        assert_true(router_add(api.router, &route, sizeof(route), 1, NULL, NULL, &why));
        if (!strstr(api_make_openapi(&api, &arena).data, cases[i].described))
            fail_msg("%s", cases[i].path);
        router_free(api.router);
        metrics_clear();
    }
}

/* ---- what a table of routes may hold ---- */

#define MALFORMED(index)                                                                           \
    "route " #index " of git is malformed: it needs a method of GET, POST, PUT, PATCH, DELETE, a " \
    "path that begins with / and a handler"
#define SEGMENT(path)                                                                              \
    "route \"" path "\" of git has a segment that is neither plain nor {name} nor a last "         \
    "{name...}"

static void each_mistake_in_a_route_has_its_sentence(void **state)
{
    static const struct {
        bp_route    route;
        const char *sentence;
    } cases[] = {
        { { .path = "/x", .handler = handle }, MALFORMED(0) },
        { { .method = "get", .path = "/x", .handler = handle }, MALFORMED(0) },
        { { .method = "OPTIONS", .path = "/x", .handler = handle }, MALFORMED(0) },
        { { .method = "GET", .handler = handle }, MALFORMED(0) },
        { { .method = "GET", .path = "", .handler = handle }, MALFORMED(0) },
        { { .method = "GET", .path = "x", .handler = handle }, MALFORMED(0) },
        { { .method = "GET", .path = "/x" }, MALFORMED(0) },
        { { .method = "GET", .path = "/{}", .handler = handle }, SEGMENT("/{}") },
        { { .method = "GET", .path = "/{", .handler = handle }, SEGMENT("/{") },
        { { .method = "GET", .path = "/{a", .handler = handle }, SEGMENT("/{a") },
        { { .method = "GET", .path = "/a{b}", .handler = handle }, SEGMENT("/a{b}") },
        { { .method = "GET", .path = "/{a...}/b", .handler = handle }, SEGMENT("/{a...}/b") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (router_add(router, &cases[i].route, sizeof(bp_route), 1, &units[0], NULL, &why))
            fail_msg("%zu is taken", i);
        assert_string_equal(why.text, cases[i].sentence);
    }
    assert_int_equal(router_count(router), 0);
}

static void dots_are_the_rest_behind_a_name_only(void **state)
{
    static const struct {
        const char *path, *request, *value; /* value NULL: it is not taken */
    } cases[] = {
        { "/{...}", "/x", "x" },    { "/{...}", "/x/y", NULL }, { "/{a...}", "/x/y", "x/y" },
        { "/{a..}", "/x/y", NULL }, { "/{a..}", "/x", "x" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bp_route     route = { .method = "GET", .path = cases[i].path, .handler = handle };
        struct router     *own = router_new();
        struct route_match match;
        char               allowed[64];

        assert_true(router_add(own, &route, sizeof(route), 1, NULL, NULL, &why));
        router_find(own, BP_STR("GET"), bp_str_of(cases[i].request), &match, allowed);
        assert_int_equal(match.route != NULL, cases[i].value != NULL);
        if (cases[i].value)
            assert_true(bp_str_is(match.values[0].value, cases[i].value));
        router_free(own);
        metrics_clear();
    }
}

static void a_table_has_at_most_128_routes_and_the_router_1024(void **state)
{
    static char     paths[1025][8];
    static bp_route many[1025];

    (void)state;
    for (int i = 0; i < 1025; i++) {
        snprintf(paths[i], sizeof(paths[i]), "/%d", i);
        many[i] = (bp_route){ .method = "GET", .path = paths[i], .handler = handle };
    }
    assert_false(router_add(router, many, sizeof(bp_route), 129, &units[0], NULL, &why));
    assert_true(
        bp_str_starts(bp_str_of(why.text), "the route table of git is malformed: 129 routes of "));
    assert_false(router_add(router, NULL, sizeof(bp_route), 1, NULL, NULL, &why));
    assert_true(bp_str_starts(bp_str_of(why.text),
                              "the route table of the host is malformed: 1 routes of "));
    assert_false(router_add(router, many, offsetof(bp_route, summary) - 1, 1, NULL, NULL, &why));
    assert_true(router_add(router, NULL, 0, 0, NULL, NULL, &why));
    for (int i = 0; i < 1024; i += 128)
        assert_true(router_add(router, many + i, sizeof(bp_route), 128, NULL, &paths[i], &why));
    assert_int_equal(router_count(router), 1024);
    assert_ptr_equal(router_at(router, 127)->context, &paths[0]);
    assert_ptr_equal(router_at(router, 128)->context, &paths[128]);
    assert_int_equal(router_at(router, 129)->op.index, 1);
    assert_string_equal(router_at(router, 129)->op.name, "GET /129");
    assert_false(router_add(router, many + 1024, sizeof(bp_route), 1, &units[0], NULL, &why));
    assert_string_equal(why.text, MALFORMED(0));
}

static void a_path_has_at_most_eight_values(void **state)
{
    static const bp_route route[] = {
        { .method = "GET", .path = "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}", .handler = handle },
        { .method = "GET", .path = "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", .handler = handle },
        { .method = "GET", .path = "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/x", .handler = handle },
    };
    struct route_match match;
    char               allowed[64];

    (void)state;
    assert_true(router_add(router, route, sizeof(bp_route), 3, NULL, NULL, &why));
    assert_non_null(
        router_find(router, BP_STR("GET"), BP_STR("/1/2/3/4/5/6/7/8"), &match, allowed));
    assert_int_equal(match.value_count, 8);
    assert_true(bp_str_is(match.values[7].name, "h"));
    assert_true(bp_str_is(match.values[7].value, "8"));
    assert_null(router_find(router, BP_STR("GET"), BP_STR("/1/2/3/4/5/6/7/8/9"), &match, allowed));
    assert_non_null(
        router_find(router, BP_STR("GET"), BP_STR("/1/2/3/4/5/6/7/8/x"), &match, allowed));
}

static void what_a_path_allows_is_listed(void **state)
{
    static const bp_route all[] = {
        { .method = "DELETE", .path = "/a", .handler = handle },
        { .method = "PUT", .path = "/a", .handler = handle },
        { .method = "PATCH", .path = "/a", .handler = handle },
        { .method = "POST", .path = "/a", .handler = handle },
        { .method = "GET", .path = "/a", .handler = handle },
        { .method = "PUT", .path = "/b", .handler = handle },
    };
    struct route_match match;
    char               allowed[64];

    (void)state;
    assert_true(router_add(router, all, sizeof(bp_route), 6, NULL, NULL, &why));
    assert_null(router_find(router, BP_STR("TRACE"), BP_STR("/a"), &match, allowed));
    assert_string_equal(allowed, "HEAD, GET, POST, PUT, PATCH, DELETE");
    assert_null(router_find(router, BP_STR("HEAD"), BP_STR("/b"), &match, allowed));
    assert_string_equal(allowed, "PUT");
    assert_null(match.route);
    assert_null(router_find(router, BP_STR("GET"), BP_STR(""), &match, allowed));
    assert_null(router_find(router, BP_STR("GET"), BP_STR("a"), &match, allowed));
    assert_null(router_find(router, BP_STR("GET"), BP_STR("/"), &match, allowed));
    assert_string_equal(allowed, "");
    assert_non_null(router_find(router, BP_STR("PATCH"), BP_STR("/a"), &match, allowed));
    assert_string_equal(allowed, "");
}

static void paths_are_the_same_by_their_shape(void **state)
{
    static const struct {
        const char *a, *b;
        bool        are;
    } cases[] = {
        { "/x", "/x", true },           { "/x", "/y", false },         { "/x/a", "/x/b", false },
        { "/a/x", "/b/x", false },      { "/{a}", "/{b}", true },      { "/{a}", "/{a...}", false },
        { "/{a...}", "/{b...}", true }, { "/{a}/x", "/{b}/y", false }, { "/{a}", "/a", false },
        { "/a", "/a/", true },          { "/a", "/a/b", false },       { "/", "/a", false },
        { "/{a", "/{a", false },        { "/a{b}", "/a{b}", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (router_is_same_path(bp_str_of(cases[i].a), bp_str_of(cases[i].b)) != cases[i].are ||
            router_is_same_path(bp_str_of(cases[i].b), bp_str_of(cases[i].a)) != cases[i].are)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
}

/* ---- commands ---- */

static bp_status never(bp_call *call, void *instance, bp_command_run *run)
{
    (void)call, (void)instance, (void)run;
    return BP_INTERNAL;
}

static void expect_written(const bp_command *spec, const char *wanted)
{
    bp_app_ops ops = { .commands = spec, .command_count = 1, .command_size = sizeof(*spec) };
    struct app_command *commands;
    size_t              count;
    struct bp_buf       buf;
    bp_json_writer      w;

    if (!command_table_read(&arena, &ops, "git", &commands, &count, &why))
        fail_msg("%s", why.text);
    assert_int_equal(count, 1);
    buf_init(&buf, &arena, 1 << 20);
    json_writer_init(&w, &buf);
    command_table_write(&w, "git", commands);
    assert_int_equal(json_writer_status(&w), BP_OK);
    expect_same(buf_str(&buf), wanted);
}

static void a_command_is_written_with_all_that_its_table_says(void **state)
{
    static const bp_command_option options[] = {
        { .name = "list",
          .value = "FILE",
          .help = "a list",
          .flags = BP_COMMAND_FILE | BP_COMMAND_REQUIRED },
        { .name = "limit", .value = "N", .help = "how many", .initial = "5" },
        { .name = "all", .help = "of them" },
    };
    static const bp_command plain = { .name = "a", .summary = "does a", .handler = never };
    static const bp_command full = { .name = "a b",
                                     .arguments = "[X]",
                                     .summary = "does b",
                                     .usage = "as follows",
                                     .scope = "git:read",
                                     .endings = ".md",
                                     .flags = BP_COMMAND_FILES | BP_COMMAND_COUNT_LINES,
                                     .handler = never,
                                     BP_COMMAND_OPTIONS(options) };

    (void)state;
    expect_written(&plain, "{\"instance\":\"git\",\"name\":\"a\",\"arguments\":\"\",\"summary\":"
                           "\"does a\",\"options\":[]}");
    expect_written(
        &full,
        "{\"instance\":\"git\",\"name\":\"a b\",\"arguments\":\"[X]\",\"summary\":\"does b\","
        "\"usage\":\"as follows\",\"scope\":\"git:read\",\"endings\":\".md\",\"files\":true,"
        "\"count_lines\":true,\"options\":[{\"name\":\"list\",\"value\":\"FILE\",\"help\":"
        "\"a list\",\"required\":true,\"file\":true},{\"name\":\"limit\",\"value\":\"N\",\"help\":"
        "\"how many\",\"initial\":\"5\"},{\"name\":\"all\",\"help\":\"of them\"}]}");
}

static bool are_read(const bp_command *commands, size_t count, size_t size)
{
    bp_app_ops          ops = { .commands = commands,
                                .command_count = count,
                                .command_size = (uint32_t)size };
    struct app_command *read;
    size_t              found = 77;
    bool                are = command_table_read(&arena, &ops, "git", &read, &found, &why);

    assert_int_equal(found, count);
    return are;
}

static void a_table_of_commands_has_its_bounds(void **state)
{
    static char       texts[65][8];
    static bp_command many[65];
    bp_command        one = { .summary = "x", .handler = never };
    char              name[COMMAND_NAME_MAX + 2];

    (void)state;
    for (int i = 0; i < 65; i++) {
        snprintf(texts[i], sizeof(texts[i]), "c%d", i);
        many[i] = (bp_command){ .name = texts[i], .summary = "x", .handler = never };
    }
    assert_true(are_read(NULL, 0, 0));
    assert_true(are_read(many, 64, sizeof(bp_command)));
    assert_false(are_read(many, 65, sizeof(bp_command)));
    assert_true(are_read(many, 1, offsetof(bp_command, scope)));
    assert_false(are_read(many, 1, offsetof(bp_command, scope) - 1));
    memset(name, 'n', sizeof(name));
    one.name = name;
    for (size_t len = COMMAND_NAME_MAX - 1; len <= COMMAND_NAME_MAX; len++) {
        name[len] = '\0';
        assert_int_equal(are_read(&one, 1, sizeof(one)), len < COMMAND_NAME_MAX);
        name[5] = ' '; // two words
        assert_int_equal(are_read(&one, 1, sizeof(one)), len < COMMAND_NAME_MAX);
        name[5] = name[len] = 'n';
    }
    one.name = "z9-a a-9z";
    assert_true(are_read(&one, 1, sizeof(one)));
    one.summary = NULL;
    assert_false(are_read(&one, 1, sizeof(one)));
    one.summary = "x";
    one.handler = NULL;
    assert_false(are_read(&one, 1, sizeof(one)));
    assert_string_equal(why.text,
                        "a command of git, \"z9-a a-9z\", needs a name of one or two words of "
                        "[a-z0-9-] that begin with a letter, a summary and a handler");
}

static void a_table_of_options_has_its_bounds(void **state)
{
    static char              texts[65][8];
    static bp_command_option many[65];
    bp_command               one = { .name = "a", .summary = "x", .handler = never };

    (void)state;
    for (int i = 0; i < 65; i++) {
        snprintf(texts[i], sizeof(texts[i]), "o%d", i);
        many[i] = (bp_command_option){ .name = texts[i], .help = "x" };
    }
    one.options = many;
    one.option_size = sizeof(many[0]);
    for (one.option_count = 63; one.option_count <= 65; one.option_count++)
        assert_int_equal(are_read(&one, 1, sizeof(one)), one.option_count <= 64);
    one.option_count = 1;
    one.option_size = offsetof(bp_command_option, flags);
    assert_true(are_read(&one, 1, sizeof(one)));
    one.option_size--;
    assert_false(are_read(&one, 1, sizeof(one)));
    one.option_size = sizeof(many[0]);
    one.options = NULL;
    assert_false(are_read(&one, 1, sizeof(one)));
    one.options = many;
    for (const char *word = "conf\0url\0help\0c\0h\0-x\0\0"; *word; word += strlen(word) + 1) {
        many[0].name = word;
        assert_false(are_read(&one, 1, sizeof(one)));
    }
    many[0] = (bp_command_option){ .name = "a" };
    assert_false(are_read(&one, 1, sizeof(one)));
    assert_string_equal(why.text, "the command \"a\" of git: the option \"a\" has no name of "
                                  "[a-z0-9-], or no help");
}

/* ---- blocks of addresses ---- */

static void an_address_is_held_against_each_bit_of_a_block(void **state)
{
    static const struct {
        const char *address, *block;
        bool        is_in;
    } cases[] = {
        { "10.0.0.1", "10.0.0.1", true },
        { "10.0.0.1", "10.0.0.2", false },
        { "10.0.0.1", "10.0.0.0/31", true },
        { "10.0.0.2", "10.0.0.0/31", false },
        { "10.0.0.1", "10.0.0.1/32", true },
        { "10.0.0.2", "10.0.0.1/32", false },
        { "10.0.0.1", "10.0.0.1/33", false },
        { "10.0.0.1", "0.0.0.0/0", true },
        { "128.0.0.0", "0.0.0.0/1", false },
        { "127.0.0.0", "0.0.0.0/1", true },
        { "10.0.0.1", "10.0.0.0/", false },
        { "10.0.0.1", "10.0.0.0/x", false },
        { "10.255.0.1", "10.254.0.0/15", true },
        { "10.253.0.1", "10.254.0.0/15", false },
        { "::1", "::/127", true },
        { "::2", "::/127", false },
        { "::1", "::1/128", true },
        { "::1", "::1/129", false },
        { "[::1]", "::1", true },
        { "2001:db8::1", "2001:db8::/33", true },
        { "2001:db8:8000::1", "2001:db8::/33", false },
        { "::ffff:10.0.0.1", "10.0.0.0/8", true },
        { "::fffe:10.0.0.1", "10.0.0.0/8", false },
        { "10.0.0.1", "::/0", false },
        { "x", "10.0.0.0/8", false },
        { "", "0.0.0.0/0", false },
        { "unix", "unix", true },
        { "10.0.0.1", "x/8", false },
    };
    char longest[80];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (proxy_is_in_block(bp_str_of(cases[i].address), bp_str_of(cases[i].block)) !=
            cases[i].is_in)
            fail_msg("%s in %s", cases[i].address, cases[i].block);
    assert_true(proxy_is_address(BP_STR("1.2.3.4")));
    assert_true(proxy_is_address(BP_STR("[1.2.3.4]")));
    assert_true(proxy_is_address(BP_STR("fe80::1")));
    assert_false(proxy_is_address(BP_STR("1.2.3")));
    assert_false(proxy_is_address(BP_STR("[::1")));
    assert_false(proxy_is_address(BP_STR("::1]")));
    assert_false(proxy_is_address(BP_STR("[]")));
    assert_false(proxy_is_address(BP_STR("[")));
    assert_false(proxy_is_address(BP_STR("")));
    memset(longest, '0', sizeof(longest));
    assert_false(proxy_is_address(bp_str_n(longest, sizeof(longest))));
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(routes_are_described_as_openapi),
        CASE(routes_are_described_on_a_page),
        CASE(a_path_of_any_length_is_described),
        CASE(each_mistake_in_a_route_has_its_sentence),
        CASE(dots_are_the_rest_behind_a_name_only),
        CASE(a_table_has_at_most_128_routes_and_the_router_1024),
        CASE(a_path_has_at_most_eight_values),
        CASE(what_a_path_allows_is_listed),
        CASE(paths_are_the_same_by_their_shape),
        CASE(a_command_is_written_with_all_that_its_table_says),
        CASE(a_table_of_commands_has_its_bounds),
        CASE(a_table_of_options_has_its_bounds),
        CASE(an_address_is_held_against_each_bit_of_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

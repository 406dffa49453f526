/* test_tools.c - app/filesystem: what each tool does, its limits, and that nothing is lost when
 * something fails. */
#include "plugins/app_filesystem/filesystem_test.h"

#include <sys/resource.h>
#include <time.h>

/* ---- reading ---- */

static void head_and_tail_read_a_part(void **state)
{
    (void)state;
    put("root/crlf", "1\r\n2\r\n3");
    serve(NULL, NULL, NULL, NULL);
    assert_gave(tool("read_text_file", "path", "a.txt", "head", "=2", NULL), "one\ntwo");
    assert_gave(tool("read_text_file", "path", "a.txt", "head", "=99", NULL), "one\ntwo\nthree");
    assert_gave(tool("read_text_file", "path", "a.txt", "head", "=0", NULL), "one\ntwo\nthree\n");
    assert_gave(tool("read_text_file", "path", "a.txt", "tail", "=1", NULL), "");
    assert_gave(tool("read_text_file", "path", "a.txt", "tail", "=2", NULL), "three\n");
    assert_gave(tool("read_text_file", "path", "a.txt", "tail", "=2.0", NULL), "three\n");
    assert_gave(tool("read_text_file", "path", "crlf", "tail", "=2", NULL), "2\n3");
    assert_gave(tool("read_text_file", "path", "crlf", "head", "=2", NULL), "1\r\n2\r");
    assert_failed(tool("read_text_file", "path", "a.txt", "head", "=1", "tail", "=1", NULL),
                  BP_INVALID, "Cannot specify both head and tail parameters simultaneously");
    assert_failed(tool("read_text_file", "path", "a.txt", "head", "=-1", NULL), BP_INVALID,
                  "whole number of lines");
    assert_failed(tool("read_text_file", "path", "a.txt", "tail", "=1.5", NULL), BP_INVALID,
                  "whole number of lines");
    assert_failed(tool("read_text_file", "path", "a.txt", "tail", "=1e300", NULL), BP_INVALID,
                  "whole number of lines");
}

static void a_part_of_a_huge_file_is_read_without_the_rest(void **state)
{
    FILE *file = fopen(path_to("root/huge"), "w");
    (void)state;
    fputs("first\nsecond\n", file);
    assert_int_equal(ftruncate(fileno(file), INT64_C(50) << 30), 0); // 50 GiB, most of it a hole
    fseek(file, 0, SEEK_END);
    fputs("\nlast but one\nlast", file);
    fclose(file);
    serve("max_file", "1MiB", NULL, NULL);
    assert_gave(tool("read_text_file", "path", "huge", "head", "=2", NULL), "first\nsecond");
    assert_gave(tool("read_text_file", "path", "huge", "tail", "=2", NULL), "last but one\nlast");
    assert_failed(read_path("huge"), BP_TOO_LARGE, "read a part of it with head or tail");
    assert_failed(tool("read_text_file", "path", "huge", "head", "=3", NULL), BP_TOO_LARGE,
                  "max_file");
}

static void what_is_not_utf8_is_an_error_that_names_the_other_tool(void **state)
{
    static const char *const bad[] = { "\xff",         "caf\xe9",          "\xc0\xaf",
                                       "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
                                       "\x80" };
    static const char *const good[] = { "caf\xc3\xa9", "\xf0\x90\x8d\x88", "\xef\xbb\xbf=bom",
                                        "\xf4\x8f\xbf\xbf", "\x01\x7f" };
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put("root/text", bad[i]);
        assert_failed(read_path("text"), BP_INVALID, "use read_media_file");
        assert_failed(tool("read_text_file", "path", "text", "tail", "=3", NULL), BP_INVALID,
                      "use read_media_file");
        assert_failed(tool("edit_file", "path", "text", "edits", "=[]", NULL), BP_INVALID,
                      "not text in UTF-8");
        assert_string_equal(content_of("root/text"), bad[i]);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        put("root/text", good[i]);
        assert_gave(read_path("text"), good[i]);
    }
}

static void media_are_blocks_of_their_kind(void **state)
{
    testhost_mcp_reply reply;
    (void)state;
    put_bytes("root/p.PNG", "\x89PNG", 4);
    put_bytes("root/x y%.bin", "\x00\xff", 2);
    serve(NULL, NULL, NULL, NULL);
    reply = testhost_call_tool(call, instance, "read_media_file", "{\"path\":\"p.PNG\"}");
    assert_string_equal(reply.result.data,
                        "{\"content\":[{\"type\":\"image\",\"data\":\"iVBORw==\",\"mimeType\":"
                        "\"image/"
                        "png\"}],\"structuredContent\":{\"content\":[{\"type\":\"image\",\"data\":"
                        "\"iVBORw==\",\"mimeType\":\"image/png\"}]}}");
    next_call();
    reply = testhost_call_tool(call, instance, "read_media_file", "{\"path\":\"x y%.bin\"}");
    assert_non_null(strstr(reply.result.data, "/root/x%20y%25.bin\",\"mimeType\":\"application/"
                                              "octet-stream\",\"blob\":\"AP8=\"}}]"));
}

static void one_file_that_fails_does_not_stop_the_others(void **state)
{
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_non_null(strstr(tool("read_multiple_files", "paths",
                                "=[\"/etc/passwd\",\"sub/b.txt\",\"nope\"]", NULL),
                           "\n---\nsub/b.txt:\nb\n\n\n---\nnope: Error - ENOENT: "));
    assert_failed(tool("read_multiple_files", "paths", "=[]", NULL), BP_INVALID, "at least one");
}

/* ---- writing ---- */

static void writing_keeps_the_mode_and_leaves_nothing_behind(void **state)
{
    struct stat info;
    (void)state;
    assert_int_equal(chmod(path_to("root/a.txt"), 0751), 0);
    serve(NULL, NULL, NULL, NULL);
    assert_gave(tool("write_file", "path", "a.txt", "content", "\xe2\x82\xac", NULL),
                "Successfully wrote to a.txt");
    assert_int_equal(stat(path_to("root/a.txt"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0751);
    assert_string_equal(content_of("root/a.txt"), "\xe2\x82\xac");
    assert_gave(tool("write_file", "path", "a.txt", "content", "", NULL),
                "Successfully wrote to a.txt");
    assert_string_equal(content_of("root/a.txt"), "");
    assert_failed(tool("write_file", "path", "sub", "content", "x", NULL), BP_INVALID, "EISDIR");
    assert_failed(tool("write_file", "path", ".", "content", "x", NULL), BP_INVALID, "EISDIR");
    assert_failed(tool("write_file", "path", "a.txt/x", "content", "x", NULL), BP_NOT_FOUND,
                  "ENOTDIR");
    assert_failed(tool("write_file", "path", "no/x", "content", "x", NULL), BP_NOT_FOUND,
                  "ENOENT: no such file or directory, open '");
    assert_gave(tool("list_directory", "path", ".", NULL), "[FILE] a.txt\n[DIR] sub");
}

static void a_write_that_fails_leaves_the_old_file_whole(void **state)
{
    struct rlimit before, small = { 4096, 4096 };
    char          content[9000];
    (void)state;
    memset(content, 'x', sizeof(content) - 1);
    content[sizeof(content) - 1] = '\0';
    serve(NULL, NULL, NULL, NULL);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0); // the disk is full behind 4 KiB
    assert_failed(tool("write_file", "path", "a.txt", "content", content, NULL), BP_TOO_LARGE,
                  "EFBIG");
    assert_failed(tool("write_file", "path", "new.txt", "content", content, NULL), BP_TOO_LARGE,
                  "EFBIG");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
    assert_gave(tool("list_directory", "path", ".", NULL), "[FILE] a.txt\n[DIR] sub");
    assert_int_equal(access(path_to("root/new.txt"), F_OK), -1);
}

static void a_limit_on_sizes_holds_for_writing_too(void **state)
{
    (void)state;
    serve("max_file", "16", NULL, NULL);
    assert_failed(tool("write_file", "path", "a.txt", "content", "more than sixteen bytes", NULL),
                  BP_TOO_LARGE, "max_file");
    assert_failed(tool("edit_file", "path", "a.txt", "edits",
                       "=[{\"oldText\":\"one\",\"newText\":\"one one one\"}]", NULL),
                  BP_TOO_LARGE, "max_file");
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
}

static void read_only_writes_nothing(void **state)
{
    const bp_app_ops *ops;
    testhost_reply    reply;
    (void)state;
    serve("read_only", "true", NULL, NULL);
    ops = testhost_ops(instance);
    for (size_t i = 0; i < ops->tool_count; i++)
        assert_int_equal(ops->offers(testhost_self(instance), ops->tools[i].name),
                         (ops->tools[i].flags & BP_TOOL_READ_ONLY) != 0);
    assert_gave(read_path("a.txt"), "one\ntwo\nthree\n");
    next_call();
    reply = testhost_request_app(call, instance, "POST", "/write_file", "",
                                 bp_str_of("{\"path\":\"a.txt\",\"content\":\"x\"}"));
    assert_int_equal(reply.status, BP_DENIED);
    assert_failed(tool("create_directory", "path", "x", NULL), BP_DENIED, "read-only");
    assert_failed(tool("move_file", "source", "a.txt", "destination", "x", NULL), BP_DENIED,
                  "read-only");
    assert_failed(tool("edit_file", "path", "a.txt", "edits", "=[]", NULL), BP_DENIED, "read-only");
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
}

static void moving_never_replaces(void **state)
{
    (void)state;
    put("root/b.txt", "b");
    make_dir("root/full");
    put("root/full/x", "x");
    serve(NULL, NULL, NULL, NULL);
    assert_failed(tool("move_file", "source", "a.txt", "destination", "b.txt", NULL), BP_CONFLICT,
                  "Destination already exists: ");
    assert_failed(tool("move_file", "source", "a.txt", "destination", "sub", NULL), BP_CONFLICT,
                  "Destination already exists: ");
    assert_failed(tool("move_file", "source", "sub", "destination", "full", NULL), BP_CONFLICT,
                  "Destination already exists: ");
    assert_failed(tool("move_file", "source", "a.txt", "destination", "a.txt", NULL), BP_CONFLICT,
                  "Destination already exists: ");
    assert_failed(tool("move_file", "source", "full", "destination", "full/in/itself", NULL),
                  BP_NOT_FOUND, "ENOENT");
    assert_failed(tool("move_file", "source", "full", "destination", "full/itself", NULL),
                  BP_INVALID, "EINVAL");
    assert_failed(tool("move_file", "source", "nope", "destination", "x", NULL), BP_NOT_FOUND,
                  "ENOENT");
    assert_failed(tool("move_file", "source", ".", "destination", "x", NULL), BP_INVALID, "EISDIR");
    assert_string_equal(content_of("root/b.txt"), "b");
    assert_gave(tool("move_file", "source", "full", "destination", "sub/full", NULL),
                "Successfully moved full to sub/full");
    assert_string_equal(content_of("root/sub/full/x"), "x");
}

/* ---- editing ---- */

static const char *edit(const char *edits)
{
    return tool("edit_file", "path", "a.txt", "edits", edits, NULL);
}

static void an_edit_is_all_or_nothing(void **state)
{
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_failed(edit("=[{\"oldText\":\"one\",\"newText\":\"1\"},{\"oldText\":\"four\","
                       "\"newText\":\"4\"}]"),
                  BP_INVALID, "Could not find exact match for edit:\nfour");
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
    assert_non_null(strstr(edit("=[{\"oldText\":\"one\",\"newText\":\"1\"},{\"oldText\":"
                                "\"1\\ntwo\",\"newText\":\"2\"}]"),
                           "@@ -1,3 +1,2 @@\n-one\n-two\n+2\n three\n```\n\n"));
    assert_string_equal(content_of("root/a.txt"), "2\nthree\n");
}

static void a_dry_run_writes_nothing(void **state)
{
    struct stat before, after;
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    stat(path_to("root/a.txt"), &before);
    assert_non_null(
        strstr(tool("edit_file", "path", "a.txt", "edits",
                    "=[{\"oldText\":\"two\",\"newText\":\"2\"}]", "dryRun", "=true", NULL),
               "-two\n+2\n"));
    stat(path_to("root/a.txt"), &after);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
}

static void an_edit_keeps_the_ends_of_lines(void **state)
{
    (void)state;
    put("root/a.txt", "one\r\ntwo\nthree\r\nfour\r\n");
    serve(NULL, NULL, NULL, NULL);
    edit("=[{\"oldText\":\"three\\n\",\"newText\":\"3\\nand more\\n\"}]");
    assert_string_equal(content_of("root/a.txt"), "one\r\ntwo\n3\r\nand more\r\nfour\r\n");
    edit("=[{\"oldText\":\"one\\r\\ntwo\",\"newText\":\"1\\r\\ntwo\"}]");
    assert_string_equal(content_of("root/a.txt"), "1\r\ntwo\n3\r\nand more\r\nfour\r\n");
}

static void texts_that_differ_in_everything_still_get_a_diff(void **state)
{
    static char before[1 << 16], wanted[1 << 17], edits[1 << 17];
    size_t      len = 0, at = 0;
    (void)state;
    for (int i = 0; i < 4000; i++)
        len += (size_t)snprintf(before + len, sizeof(before) - len, "old %d\n", i);
    put("root/a.txt", before);
    serve(NULL, NULL, NULL, NULL);
    at = (size_t)snprintf(edits, sizeof(edits), "=[{\"oldText\":\"");
    for (int i = 1; i < 3999; i++)
        at += (size_t)snprintf(edits + at, sizeof(edits) - at, "old %d\\n", i);
    snprintf(edits + at, sizeof(edits) - at, "\",\"newText\":\"new\\n\"}]");
    snprintf(wanted, sizeof(wanted), "%s", edit(edits));
    assert_int_equal(last_status, BP_OK);
    assert_non_null(strstr(wanted, "@@ -1,4000 +1,3 @@\n old 0\n-old 1\n"));
    assert_non_null(strstr(wanted, "-old 3998\n+new\n old 3999\n"));
    assert_string_equal(content_of("root/a.txt"), "old 0\nnew\nold 3999\n");
}

/* ---- listing ---- */

static void more_entries_than_allowed_are_an_error(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++)
        put(bp_format(call = testhost_call_new(host, 1), "root/f%02d", i).data, ""),
            testhost_call_end(call);
    call = NULL;
    serve("max_entries", "20", NULL, NULL);
    assert_failed(tool("list_directory", "path", ".", NULL), BP_TOO_LARGE, "max_entries");
    assert_failed(tool("directory_tree", "path", ".", NULL), BP_TOO_LARGE, "max_entries");
    assert_failed(tool("search_files", "path", ".", "pattern", "nothing", NULL), BP_TOO_LARGE,
                  "max_entries");
    assert_gave(tool("list_directory", "path", "sub", NULL), "[FILE] b.txt");
}

static const char *post(const char *target, const char *body, bp_status wanted);

static void what_cannot_be_looked_into_is_passed_over_and_told(void **state)
{
    char        path[1024] = "";
    const char *text;
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    for (int i = 0; i < 250; i++)
        strcat(path, i ? "/d" : "d");
    assert_true(strstr(tool("create_directory", "path", path, NULL), "Successfully") != NULL);
    text = tool("search_files", "path", ".", "pattern", "**/*.txt", NULL);
    assert_int_equal(last_status, BP_OK);
    assert_non_null(strstr(text, "/root/a.txt\n"));
    assert_non_null(strstr(text, "/root/sub/b.txt\n\nNot searched:\n- "));
    assert_non_null(
        strstr(text, "/d/d: nested more than 200 directories deep, begin further down"));
    text = tool("search_files", "path", ".", "pattern", "nothing", NULL);
    assert_non_null(strstr(text, "No matches found\n\nNot searched:\n- "));
    text = tool("directory_tree", "path", ".", NULL);
    assert_int_equal(last_status, BP_OK);
    assert_non_null(
        strstr(text, "\"note\": \"not looked into: nested more than 200 directories deep"));
    path[300] = '\0';
    assert_true(strstr(tool("search_files", "path", path, "pattern", "*", NULL), "/d") != NULL);
    assert_non_null(
        strstr(post("/search_files", "{\"pattern\":\"*.txt\"}", BP_OK), "\"skipped_count\":1"));
}

static void search_does_not_enter_what_is_excluded(void **state)
{
    static const char *const patterns[] = { "sub/big", "sub/big/**", "sub/big/*", "**/big/**",
                                            "**/{big,x}/*" };
    char                     excluded[128];
    (void)state;
    make_dir("root/sub/big");
    for (int i = 0; i < 50; i++) {
        char name[64];

        snprintf(name, sizeof(name), "root/sub/big/f%d.txt", i);
        put(name, "");
    }
    serve("max_entries", "20", NULL, NULL); // it would be an error to look at all of them
    assert_failed(tool("search_files", "path", ".", "pattern", "**/*.txt", NULL), BP_TOO_LARGE,
                  "max_entries");
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        const char *text;

        snprintf(excluded, sizeof(excluded), "=[\"%s\"]", patterns[i]);
        text = tool("search_files", "path", ".", "pattern", "**/*.txt", "excludePatterns", excluded,
                    NULL);
        if (last_status != BP_OK || !strstr(text, "/sub/b.txt"))
            fail_msg("%s: %s", patterns[i], text);
        tool("directory_tree", "path", ".", "excludePatterns", excluded, NULL);
        assert_int_equal(last_status, BP_OK);
    }
    snprintf(excluded, sizeof(excluded), "=[\"!sub/big/**\"]"); // excludes all but that
    assert_string_equal(tool("search_files", "path", ".", "pattern", "**", "excludePatterns",
                             excluded, NULL),
                        "No matches found");
}

static void patterns_that_are_not_understood_are_refused(void **state)
{
    char many[512] = "";
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_failed(tool("search_files", "path", ".", "pattern", "+(a|b)", NULL), BP_INVALID,
                  "use {a,b}");
    assert_failed(tool("search_files", "path", ".", "pattern", "{1..9}", NULL), BP_INVALID,
                  "[1-9]");
    for (int i = 0; i < 12; i++)
        strcat(many, "{a,b}");
    assert_failed(tool("search_files", "path", ".", "pattern", many, NULL), BP_INVALID,
                  "more than 1000 patterns");
}

static void no_pattern_takes_long(void **state)
{
    char    pattern[2048] = "", name[256];
    clock_t started = clock(); // the time of the fake host stands still
    (void)state;
    memset(name, 'a', 255);
    name[255] = '\0';
    serve(NULL, NULL, NULL, NULL);
    tool("write_file", "path", name, "content", "", NULL);
    for (int i = 0; i < 500; i++)
        strcat(pattern, "a*");
    strcat(pattern, "b");
    assert_gave(tool("search_files", "path", ".", "pattern", pattern, NULL), "No matches found");
    pattern[0] = '\0';
    for (int i = 0; i < 300; i++)
        strcat(pattern, "**/");
    strcat(pattern, "nope");
    assert_gave(tool("search_files", "path", ".", "pattern", pattern, NULL), "No matches found");
    assert_true(clock() - started < 2 * CLOCKS_PER_SEC);
}

static void times_sizes_and_kind_are_told(void **state)
{
    const char *text;
    (void)state;
    assert_int_equal(chmod(path_to("root/a.txt"), 0604), 0);
    serve(NULL, NULL, NULL, NULL);
    text = tool("get_file_info", "path", "a.txt", NULL);
    assert_non_null(strstr(text, "size: 14\ncreated: "));
    assert_non_null(strstr(text, "GMT+0000 (Coordinated Universal Time)\nmodified: "));
    assert_non_null(strstr(text, "isDirectory: false\nisFile: true\npermissions: 604"));
    assert_non_null(strstr(tool("get_file_info", "path", "sub", NULL),
                           "isDirectory: true\nisFile: false\npermissions: 755"));
}

/* ---- who may ---- */

static void another_tenant_sees_nothing(void **state)
{
    const bp_principal other = { .struct_size = sizeof(other),
                                 .id = BP_STR("k"),
                                 .tenant = BP_STR("other"),
                                 .scopes = BP_STR("*") };
    testhost_mcp_reply reply;
    (void)state;
    serve("tenants", "default, acme", NULL, NULL);
    assert_gave(read_path("a.txt"), "one\ntwo\nthree\n");
    for (size_t i = 0; i < ((const bp_app_ops *)testhost_ops(instance))->tool_count; i++) {
        next_call();
        testhost_call_principal(call, &other);
        reply = testhost_call_tool(call, instance,
                                   ((const bp_app_ops *)testhost_ops(instance))->tools[i].name,
                                   "{\"path\":\"a.txt\"}");
        assert_int_equal(reply.status, BP_DENIED);
        assert_said("the tenant \"other\" may not use these files");
    }
}

static bp_status take_three(bp_call *unused, void *counter, bp_str key, int64_t limit,
                            int64_t window_ns, int64_t cost, bp_take *result)
{
    (void)unused;
    (void)cost;
    assert_int_equal(limit, 3);
    assert_int_equal(window_ns, BP_SECONDS(60));
    assert_true(bp_str_starts(key, "filesystem:main:read:default:"));
    result->is_granted = ++*(int *)counter <= limit;
    result->reset_ns = BP_SECONDS(20);
    return BP_OK;
}

static void a_rate_is_counted_by_the_cache(void **state)
{
    static const bp_cache_ops cache = { .struct_size = sizeof(cache), .take = take_three };
    const testhost_option     without[] = { { "roots", root }, { "read_per_minute", "3" } };
    int                       taken = 0;
    (void)state;
    assert_null(testhost_instance_create(host, plugin, "bad", without, 2));
    assert_non_null(strstr(testhost_problem(host), "no cache that could count"));
    testhost_add_peer(host, "counter", "cache", 1, &cache, &taken);
    serve("read_per_minute", "3", "cache", "counter");
    for (int i = 0; i < 3; i++)
        assert_gave(read_path("a.txt"), "one\ntwo\nthree\n");
    assert_failed(read_path("a.txt"), BP_LIMIT,
                  "the limit of 3 read operations a minute is reached");
    assert_gave(tool("list_directory", "path", "sub", NULL), "[FILE] b.txt"); // has no limit
}

/* ---- the routes ---- */

static const char *post(const char *target, const char *body, bp_status wanted)
{
    testhost_reply reply;

    next_call();
    reply = testhost_request_app(call, instance, "POST", target, "", bp_str_of(body));
    if (reply.status != wanted)
        fail_msg("%s: " BP_FMT, target, BP_ARG(bp_error_of(call)->message));
    return wanted == BP_OK ? bp_dup(call, reply.body).data : "";
}

static void routes_do_the_same_over_http(void **state)
{
    char wanted[512];
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_string_equal(post("/read_file", "{\"path\":\"a.txt\"}", BP_OK),
                        "{\"content\":\"one\\ntwo\\nthree\\n\"}");
    assert_string_equal(post("/write_file", "{\"path\":\"n\",\"content\":\"x\"}", BP_OK),
                        "{\"success\":true}");
    assert_string_equal(content_of("root/n"), "x");
    assert_string_equal(post("/list_directory", "{\"path\":\".\"}", BP_OK),
                        "{\"entries\":[{\"name\":\"a.txt\",\"type\":\"file\",\"size\":14},{"
                        "\"name\":\"n\",\"type\":\"file\",\"size\":1},{\"name\":\"sub\",\"type\":"
                        "\"directory\",\"size\":0}]}");
    snprintf(wanted, sizeof(wanted), "{\"files\":[\"%s/a.txt\",\"%s/sub/b.txt\"]}", root, root);
    assert_string_equal(post("/search_files", "{\"pattern\":\"**/*.txt\"}", BP_OK), wanted);
    snprintf(wanted, sizeof(wanted), "{\"files\":[\"%s/sub/b.txt\"]}", root);
    assert_string_equal(post("/search_files", "{\"pattern\":\"*\",\"root\":\"sub\"}", BP_OK),
                        wanted);
    post("/read_file", "{\"path\":\"../outside/secret.txt\"}", BP_DENIED);
    post("/read_file", "{\"path\":\"nope\"}", BP_NOT_FOUND);
    post("/read_file", "{}", BP_INVALID);
    post("/read_file", "[", BP_INVALID);
    post("/write_file", "{\"path\":\"n\"}", BP_INVALID);
    assert_string_equal(content_of("root/n"), "x");
}

static void a_cancelled_call_does_nothing_more(void **state)
{
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    next_call();
    testhost_cancel(call);
    assert_int_equal(testhost_call_tool(call, instance, "write_file",
                                        "{\"path\":\"a.txt\",\"content\":\"x\"}")
                         .status,
                     BP_CANCELLED);
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(head_and_tail_read_a_part),
        TEST(a_part_of_a_huge_file_is_read_without_the_rest),
        TEST(what_is_not_utf8_is_an_error_that_names_the_other_tool),
        TEST(media_are_blocks_of_their_kind),
        TEST(one_file_that_fails_does_not_stop_the_others),
        TEST(writing_keeps_the_mode_and_leaves_nothing_behind),
        TEST(a_write_that_fails_leaves_the_old_file_whole),
        TEST(a_limit_on_sizes_holds_for_writing_too),
        TEST(read_only_writes_nothing),
        TEST(moving_never_replaces),
        TEST(an_edit_is_all_or_nothing),
        TEST(a_dry_run_writes_nothing),
        TEST(an_edit_keeps_the_ends_of_lines),
        TEST(texts_that_differ_in_everything_still_get_a_diff),
        TEST(more_entries_than_allowed_are_an_error),
        TEST(what_cannot_be_looked_into_is_passed_over_and_told),
        TEST(search_does_not_enter_what_is_excluded),
        TEST(patterns_that_are_not_understood_are_refused),
        TEST(no_pattern_takes_long),
        TEST(times_sizes_and_kind_are_told),
        TEST(another_tenant_sees_nothing),
        TEST(a_rate_is_counted_by_the_cache),
        TEST(routes_do_the_same_over_http),
        TEST(a_cancelled_call_does_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

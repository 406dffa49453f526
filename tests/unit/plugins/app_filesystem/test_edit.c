/* test_edit.c - app/filesystem: where an edit goes, what it refuses, and that neither a text nor a
 * pattern made for it keeps a thread busy once nobody waits.
 */
#include "plugins/app_filesystem/filesystem_test.h"

#include <pthread.h>
#include <time.h>

/* ---- where a block goes ---- */

static const char *edit_once(const char *old_text, const char *new_text)
{
    bp_json_writer *w = bp_json_writer_new(call, 4u << 20);
    bp_str          json = { "", 0 };
    char           *edits;

    bp_json_array(w);
    bp_json_object(w);
    bp_json_put_string(w, "oldText", bp_str_of(old_text));
    bp_json_put_string(w, "newText", bp_str_of(new_text));
    bp_json_end(w);
    bp_json_end(w);
    assert_int_equal(bp_json_done(call, w, &json), BP_OK);
    edits = malloc(json.len + 2);
    assert_non_null(edits);
    snprintf(edits, json.len + 2, "=%s", json.data);
    {
        const char *text = tool("edit_file", "path", "a.txt", "edits", edits, NULL);

        free(edits);
        return text;
    }
}

static void a_block_that_matches_but_for_blanks_is_shifted_as_a_whole(void **state)
{
    static const struct {
        const char *file, *old_text, *new_text, *wanted;
    } cases[] = {
        // Written without the indent of the place: everything moves to the right, and keeps its own
        // steps.
        { "a\n    if x:\n        y\n    z\n", "if x:\n    y\nz", "if x:\n    if w:\n        y\nz",
          "a\n    if x:\n        if w:\n            y\n    z\n" },
        // More new lines than old ones, and an empty one, which stays empty.
        { "    one\n    two\n", "one \ntwo", "1\n\n  2\n3", "    1\n\n      2\n    3\n" },
        // Indented more than the place: to the left.
        { "  if (a)\n    b;\n", "      if (a)\n        b;", "      if (a)\n        c;\n      d;",
          "  if (a)\n    c;\n  d;\n" },
        // Less indented than the first line, down to the edge.
        { "        x\n    y\n", "    x\ny", "    x1\ny1", "        x1\n    y1\n" },
        // Tabs there, blanks here.
        { "\tif x:\n\t\ty\n", "    if x:\n        y", "    if x:\n    \ty2\n    z",
          "\tif x:\n\t\ty2\n\tz\n" },
        { "if x:\n\ty\n\tif z:\n\t\tw\n", "if x:\n    y\n    if z:",
          "if x:\n    if z:\n        y\n    else:", "if x:\n\tif z:\n\t\ty\n\telse:\n\t\tw\n" },
        { "    if x:\n        y\n", "\tif x:\n\t\ty", "\tif x:\n\t\tif w:\n\t\t\ty",
          "    if x:\n        if w:\n            y\n" },
        // Written without any indent, as many lines as before: each as the line beside it.
        { "  if x:\n    y\n  z\n", "if x:\ny\n\nz", "if v:\nw\n\nz", NULL },
        { "  if x:\n    y\n  z\n", "if x:\ny\nz", "if v:\nw\nz", "  if v:\n    w\n  z\n" },
        { "  if x:\n    y\n  z\n", "if x:\ny\nz", "if v:\nw\n\nz", "  if v:\n    w\n\n  z\n" },
        { "  if x:\n    y\n  z\n", "if x:\ny\nz", "if v:\nw\nu\nz", NULL },
        // The first line was copied from its middle, the others with their indent.
        { "    call(a,\n         b,\n         c);\n", "call(a, \n         b,\n         c);",
          "call(a,\n         d);", "    call(a,\n         d);\n" },
        // Whole lines: what follows them stays where it is.
        { "  one\n  two\nthree\n", "one\ntwo \n", "1\n", "  1\nthree\n" },
        { "  one\n  two", "one\ntwo \n", "1\n", "  1\n" },
        { "  one\n  two\nthree\n", "one\ntwo \n", "", "three\n" },
    };
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *said;

        put("root/a.txt", cases[i].file);
        said = edit_once(cases[i].old_text, cases[i].new_text);
        if (!cases[i].wanted) {
            assert_int_equal(last_status, BP_INVALID);
            assert_string_equal(content_of("root/a.txt"), cases[i].file);
            continue;
        }
        if (last_status != BP_OK || strcmp(content_of("root/a.txt"), cases[i].wanted) != 0)
            fail_msg("case %zu: %s\ngave\n%s\nwanted\n%s", i, said, content_of("root/a.txt"),
                     cases[i].wanted);
    }
}

static void what_is_there_several_times_is_not_edited(void **state)
{
    static const char text[] = "one\ntwo\n  two\nthree\ntwo\n";
    const char       *said;
    (void)state;
    put("root/a.txt", text);
    serve(NULL, NULL, NULL, NULL);
    said = edit_once("two", "2");
    assert_failed(said, BP_INVALID, "3 times");
    assert_failed(said, BP_INVALID, "lines 2, 3 and 5");
    assert_string_equal(content_of("root/a.txt"), text);
    put("root/a.txt", "if x:\n  y\n  z\nif x:\n    y\n    w\n");
    assert_failed(edit_once("if x: \ny", "if y:\nx"), BP_INVALID, "lines 1 and 4");
    assert_failed(edit_once("if x:\ny\n", "if y:\nx\n"), BP_INVALID, "2 times");
    assert_non_null(strstr(edit_once("if x: \ny\nw", "if y:\nx\nw"), "+if y:\n+    x\n     w\n"));
    put("root/a.txt", "aaaa"); // also where they overlap
    assert_failed(edit_once("aaa", "b"), BP_INVALID, "2 times");
    // A later edit makes no earlier one happen.
    put("root/a.txt", text);
    assert_failed(tool("edit_file", "path", "a.txt", "edits",
                       "=[{\"oldText\":\"one\",\"newText\":\"1\"},{\"oldText\":\"two\",\"newText\":"
                       "\"2\"}]",
                       NULL),
                  BP_INVALID, "edit 2");
    assert_string_equal(content_of("root/a.txt"), text);
}

static void an_empty_old_text_is_refused(void **state)
{
    (void)state;
    serve(NULL, NULL, NULL, NULL);
    assert_failed(edit_once("", "zero\n"), BP_INVALID, "oldText of edit 1 is empty");
    assert_string_equal(content_of("root/a.txt"), "one\ntwo\nthree\n");
}

/* ---- work made for us ---- */

static double thread_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char *repeated(const char *piece, size_t count, const char *end)
{
    size_t len = strlen(piece), total = len * count + strlen(end);
    char  *text = malloc(total + 1);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * len, piece, len);
    memcpy(text + len * count, end, strlen(end) + 1);
    return text;
}

static void an_edit_of_many_equal_lines_takes_no_square_of_time(void **state)
{
    char *text = repeated("x\n", 200000, ""), *old_text = repeated(" x\n", 100000, "y"),
         *spread = malloc(4u << 20);
    size_t len = 0;
    double before;
    (void)state;
    put("root/a.txt", text);
    serve(NULL, NULL, NULL, NULL);
    before = thread_cpu_s();
    assert_failed(edit_once(old_text, "z"), BP_INVALID,
                  "Could not find exact match"); // 76 s before
    assert_true(thread_cpu_s() - before < 2);
    free(text);
    free(old_text);
    // Two texts of few kinds of lines in another order: the shortest way between them is long.
    for (uint32_t i = 0, r = 1; i < 150000; i++) {
        r = r * 1664525u + 1013904223u;
        len += (size_t)snprintf(spread + len, (4u << 20) - len, "%c\n", r >> 24 & 1 ? 'a' : 'b');
    }
    snprintf(spread + len, (4u << 20) - len, "end");
    put("root/a.txt", spread);
    old_text = strdup(spread);
    for (size_t i = 0; i + 1 < len / 2; i += 2) {
        char swapped = spread[i];

        spread[i] = spread[len - 2 - i];
        spread[len - 2 - i] = swapped;
    }
    before = thread_cpu_s();
    edit_once(old_text, spread);
    assert_int_equal(last_status, BP_OK);
    assert_true(thread_cpu_s() - before < 4);
    free(old_text);
    free(spread);
}

static void many_edits_of_one_large_file_need_little_memory(void **state)
{
    char  *text = repeated("0123456789abcdef\n", 60000, ""), *edits = malloc(1u << 20);
    size_t at;
    (void)state;
    memcpy(text, "start", 5);
    put("root/a.txt", text);
    serve(NULL, NULL, NULL, NULL);
    at = (size_t)snprintf(edits, 1u << 20, "=[{\"oldText\":\"start\",\"newText\":\"v0\"}");
    for (int i = 1; i < 1000; i++) // each copied 1 MB into the call's memory
        at += (size_t)snprintf(edits + at, (1u << 20) - at,
                               ",{\"oldText\":\"v%d\",\"newText\":\"v%d\"}", i - 1, i);
    snprintf(edits + at, (1u << 20) - at, "]");
    tool("edit_file", "path", "a.txt", "edits", edits, NULL);
    assert_int_equal(last_status, BP_OK);
    assert_memory_equal(content_of("root/a.txt"), "v999", 4);
    free(text);
    free(edits);
}

static void *cancel_soon(void *arg)
{
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    testhost_cancel(arg);
    return NULL;
}

/* A tool whose work would take minutes ends soon after its call does. */
static void expect_end_when_cancelled(const char *name, const char *arguments)
{
    pthread_t          canceller;
    testhost_mcp_reply reply;
    double             before;

    next_call();
    before = thread_cpu_s();
    assert_int_equal(pthread_create(&canceller, NULL, cancel_soon, call), 0);
    reply = testhost_call_tool(call, instance, name, arguments);
    pthread_join(canceller, NULL);
    if (reply.status != BP_CANCELLED || thread_cpu_s() - before > 1)
        fail_msg("%s: %s after %.1f s of CPU", name, bp_status_label(reply.status),
                 thread_cpu_s() - before);
}

static void work_that_others_make_long_ends_with_its_call(void **state)
{
    char *arguments = malloc(8u << 20), *pattern = repeated("{a*,b*}", 9, ""),
         *stars = repeated("*a", 1500, "b");
    char   name[256], path[512];
    size_t at;
    (void)state;
    memset(name, 'a', 250);
    name[250] = '\0';
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "root/sub/%.*s%03d", 240, name, i);
        put(path, "");
    }
    serve(NULL, NULL, NULL, NULL);
    // Many patterns, each of many alternatives, against long names.
    at = (size_t)snprintf(arguments, 8u << 20,
                          "{\"path\":\".\",\"pattern\":\"**\",\"excludePatterns\":[");
    for (int i = 0; i < 500; i++)
        at += (size_t)snprintf(arguments + at, (8u << 20) - at, "%s\"**/%s%s\"", i ? "," : "",
                               pattern, stars);
    snprintf(arguments + at, (8u << 20) - at, "]}");
    expect_end_when_cancelled("search_files", arguments);
    expect_end_when_cancelled("directory_tree", arguments);
    // Braces without an end behind many alternatives.
    {
        char *braces = repeated("{", 3800, "");

        at = (size_t)snprintf(arguments, 8u << 20,
                              "{\"path\":\".\",\"pattern\":\"**\",\"excludePatterns\":[");
        for (int i = 0; i < 500; i++)
            at += (size_t)snprintf(arguments + at, (8u << 20) - at, "%s\"%s%s\"", i ? "," : "",
                                   pattern, braces);
        snprintf(arguments + at, (8u << 20) - at, "]}");
        expect_end_when_cancelled("search_files", arguments);
        free(braces);
    }
    free(arguments);
    free(pattern);
    free(stars);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_block_that_matches_but_for_blanks_is_shifted_as_a_whole),
        TEST(what_is_there_several_times_is_not_edited),
        TEST(an_empty_old_text_is_refused),
        TEST(an_edit_of_many_equal_lines_takes_no_square_of_time),
        TEST(many_edits_of_one_large_file_need_little_memory),
        TEST(work_that_others_make_long_ends_with_its_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* filesystem_test.h - what the tests of the app filesystem share: a root with files in it, a place
 * outside, and calls.
 *
 *      DIRECTORY/root          served
 *      DIRECTORY/root-evil     not served, though its name begins alike
 *      DIRECTORY/outside       not served
 */
#ifndef FILESYSTEM_TEST_H
#define FILESYSTEM_TEST_H

#include "plugins/plugin_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define SECRET "a secret that lies outside"

static char root[128];

/* DIRECTORY/NAME */
static inline const char *path_to(const char *name)
{
    static char paths[8][512];
    static int  next;
    char       *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static inline void put_bytes(const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(path_to(name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

/* What is in the file now; "(missing)" when there is none. */
static inline const char *content_of(const char *name)
{
    static char text[1 << 16];
    FILE       *file = fopen(path_to(name), "rb");
    size_t      len;

    if (!file)
        return "(missing)";
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static inline void make_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, path_to(name)), 0);
}
static inline void make_dir(const char *name)
{
    assert_int_equal(mkdir(path_to(name), 0755), 0);
}

static inline int open_files(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/app/filesystem.so") != 0)
        return -1;
    testhost_offload_on_threads(host, true); // as in the host; Landlock confines a thread for good
    snprintf(root, sizeof(root), "%s/root", directory);
    make_dir("root");
    make_dir("root/sub");
    make_dir("root-evil");
    make_dir("outside");
    put("root/a.txt", "one\ntwo\nthree\n");
    put("root/sub/b.txt", "b\n");
    put("root-evil/secret.txt", SECRET);
    put("outside/secret.txt", SECRET);
    return 0;
}

static inline int close_files(void **state)
{
    (void)state;
    return close_host();
}

/* Starts the instance with roots = DIRECTORY/root and up to two more options. */
static inline void serve(const char *name, const char *value, const char *name2, const char *value2)
{
    const testhost_option options[] = { { "roots", root }, { name, value }, { name2, value2 } };

    start(options, 1 + (name != NULL) + (name2 != NULL));
}

/* "{"a": "x", ...}" from pairs of name and value, NULL at the end; a value that begins with "=" is
 * JSON as it stands.
 */
static inline const char *arguments_of(const char *first, va_list more)
{
    bp_json_writer *w = bp_json_writer_new(call, 4u << 20);
    bp_str          json = { "", 0 };

    bp_json_object(w);
    for (const char *name = first; name; name = va_arg(more, const char *)) {
        const char *value = va_arg(more, const char *);

        bp_json_key(w, name);
        if (value[0] == '=')
            bp_json_add_raw(w, bp_str_of(value + 1));
        else
            bp_json_add_string(w, bp_str_of(value));
    }
    bp_json_end(w);
    assert_int_equal(bp_json_done(call, w, &json), BP_OK);
    return bp_dup(call, json).data;
}

static bp_status last_status;

/* Calls a tool; its text, which is in the content and in the structured content alike, or the
 * sentence of its error. */
static inline const char *tool(const char *name, const char *first, ...)
{
    testhost_mcp_reply reply;
    const bp_json     *result, *block;
    const char        *arguments;
    va_list            more;
    bp_str             text;

    next_call();
    va_start(more, first);
    arguments = arguments_of(first, more);
    va_end(more);
    reply = testhost_call_tool(call, instance, name, arguments);
    last_status = reply.status;
    if (reply.status != BP_OK)
        return bp_dup(call, bp_error_of(call)->message).data;
    assert_int_equal(bp_json_parse(call, reply.result, &result), BP_OK);
    assert_int_equal(bp_json_count(bp_json_get(result, "content")), 1);
    block = bp_json_at(bp_json_get(result, "content"), 0);
    text = bp_json_string(bp_json_get(block, "text"));
    if (bp_json_bool(bp_json_get(result, "isError")))
        last_status = BP_INVALID;
    else
        assert_true(
            bp_str_equal(text, bp_json_string(bp_json_get(bp_json_get(result, "structuredContent"),
                                                          "content"))));
    return bp_dup(call, text).data;
}

static inline const char *read_path(const char *path)
{
    return tool("read_text_file", "path", path, NULL);
}

/* The sentence contains `text`, and the call failed with that status. */
static inline void assert_failed(const char *sentence, bp_status status, const char *text)
{
    if (last_status != status || !strstr(sentence, text))
        fail_msg("%s: \"%s\"; wanted %s: \"%s\"", bp_status_label(last_status), sentence,
                 bp_status_label(status), text);
}

static inline void assert_gave(const char *result, const char *wanted)
{
    if (last_status != BP_OK)
        fail_msg("%s: \"%s\"", bp_status_label(last_status), result);
    assert_string_equal(result, wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_files, close_files)

#endif

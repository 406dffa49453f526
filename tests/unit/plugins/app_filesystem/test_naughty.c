/* test_naughty.c - app/filesystem: strings that break programs, as contents and as names of files.
 */
#include "plugins/app_filesystem/filesystem_test.h"

static bp_str strings_file(void)
{
    static char text[1 << 18];
    FILE       *file = fopen(BP_SHARED_DIR "/corpora/strings/blns.json", "rb");
    size_t      len = 0;

    if (file) {
        len = fread(text, 1, sizeof(text), file);
        fclose(file);
    }
    return bp_str_n(text, len);
}

/* The n-th string with a life of its own; NULL behind the end. */
static char *string_at(size_t index)
{
    const bp_json *all;
    bp_str         one;
    char          *copy;

    next_call();
    assert_ok(bp_json_parse(call, strings_file(), &all));
    if (index >= bp_json_count(all))
        return NULL;
    one = bp_json_string(bp_json_at(all, index));
    copy = malloc(one.len + 2);
    memcpy(copy, one.data, one.len);
    copy[one.len] = '\0';
    return strlen(copy) == one.len ? copy : (free(copy), strdup("a NUL was here"));
}

static void contents_come_back_as_they_went(void **state)
{
    size_t count = 0;
    char  *text;
    (void)state;
    if (!strings_file().len)
        skip();
    serve(NULL, NULL, NULL, NULL);
    for (; (text = string_at(count)) != NULL; count++) {
        if (text[0] != '=') { // which the helper takes for JSON
            assert_gave(tool("write_file", "path", "x", "content", text, NULL),
                        "Successfully wrote to x");
            assert_gave(read_path("x"), text);
            assert_string_equal(content_of("root/x"), text);
        }
        free(text);
    }
    assert_true(count > 500);
}

/* Each is a name in the root, or is refused; none leads elsewhere. */
static void names_stay_in_the_root(void **state)
{
    size_t count = 0, made = 0;
    char  *name;
    (void)state;
    if (!strings_file().len)
        skip();
    serve(NULL, NULL, NULL, NULL);
    for (; (name = string_at(count)) != NULL; count++) {
        if (name[0] != '=' && !strchr(name, '/')) {
            const char *answer = tool("write_file", "path", name, "content", "naughty", NULL);

            if (last_status == BP_OK) {
                assert_gave(read_path(name), "naughty");
                assert_string_equal(content_of(bp_format(call, "root/%s", name).data), "naughty");
                made++;
            } else {
                assert_true(strstr(answer, "EISDIR") || strstr(answer, "ENAMETOOLONG") ||
                            strstr(answer, "Access denied"));
            }
        } else if (name[0] != '=') {
            tool("write_file", "path", name, "content", "naughty", NULL);
        }
        free(name);
    }
    assert_true(made > 250);
    assert_non_null(strstr(tool("list_directory", "path", ".", NULL), "[FILE] a.txt"));
    assert_non_null(
        strstr(tool("search_files", "path", ".", "pattern", "a.txt", NULL), "/root/a.txt"));
    assert_string_equal(content_of("outside/secret.txt"), SECRET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(contents_come_back_as_they_went),
        TEST(names_stay_in_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

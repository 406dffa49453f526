/* test_json.c - reading with caps, writing with escapes, and JSONTestSuite's verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"

static struct arena  arena;
static struct reason problem;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static bp_status parse(const char *text, const bp_json **value)
{
    return json_parse(&arena, bp_str_of(text), value, &problem);
}

static void values_are_found_by_key_and_index(void **state)
{
    const bp_json *v;
    (void)state;
    assert_int_equal(parse("{\"a\":[1,2.5,\"x\",true,null],\"b\":{}}", &v), BP_OK);
    const bp_json *a = json_get(v, BP_STR("a"));
    assert_int_equal(json_count(a), 5);
    assert_int_equal(json_as_integer(json_at(a, 0)), 1);
    assert_true(json_as_number(json_at(a, 1)) == 2.5);
    assert_true(bp_str_is(json_as_string(json_at(a, 2)), "x"));
    assert_true(json_as_bool(json_at(a, 3)));
    assert_int_equal(json_type_of(json_at(a, 4)), JSON_KIND_NULL);
    assert_int_equal(json_type_of(json_at(a, 5)), JSON_KIND_NONE);
    assert_null(json_get(a, BP_STR("a")));
}

static void an_object_is_walked_in_order(void **state)
{
    const bp_json *v, *member;
    size_t         cursor = 0;
    bp_str         key;
    (void)state;
    assert_int_equal(parse("{\"z\":1,\"a\":2}", &v), BP_OK);
    assert_true(json_entry(v, &cursor, &key, &member));
    assert_true(bp_str_is(key, "z"));
    assert_true(json_entry(v, &cursor, &key, &member));
    assert_int_equal(json_as_integer(member), 2);
    assert_false(json_entry(v, &cursor, &key, &member));
}

static void depth_64_is_read_and_65_is_refused(void **state)
{
    char           text[140];
    const bp_json *v;
    (void)state;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = 0;
    assert_int_equal(parse(text, &v), BP_OK);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = 0;
    assert_int_equal(parse(text, &v), BP_INVALID);
    assert_non_null(strstr(problem.text, "64 levels, at byte 64"));
}

static void a_number_longer_than_the_cap_is_refused(void **state)
{
    char          *text = malloc(1 << 20);
    const bp_json *v;
    (void)state;
    memset(text, '1', (1 << 20) - 1);
    text[(1 << 20) - 1] = 0;
    assert_int_equal(parse(text, &v), BP_INVALID);
    assert_non_null(strstr(problem.text, "1,024"));
    assert_int_equal(parse("1e1000000000", &v), BP_INVALID);
    assert_int_equal(parse("9223372036854775808", &v), BP_INVALID);
    assert_int_equal(parse("9223372036854775807", &v), BP_OK);
    free(text);
}

static void a_million_keys_are_refused_quickly(void **state)
{
    size_t         size = 8u << 20, at = 1;
    char          *text = malloc(size);
    const bp_json *v;
    (void)state;
    text[0] = '{';
    for (int i = 0; i < 1000000; i++)
        at += (size_t)sprintf(text + at, "\"\":1,");
    text[at - 1] = '}';
    assert_int_equal(json_parse(&arena, (bp_str){ text, at }, &v, &problem), BP_INVALID);
    assert_non_null(strstr(problem.text, "100,000 keys"));
    free(text);
}

static void the_writer_escapes_and_repairs(void **state)
{
    struct bp_buf  buf;
    bp_json_writer w;
    (void)state;
    buf_init(&buf, &arena, 1000);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "q\"", (bp_str){ "a\\\x01\n\xff\xc3\xa9", 7 });
    json_key(&w, BP_STR("n"));
    json_begin(&w, JSON_KIND_ARRAY);
    json_add_number(&w, 0.1);
    json_add_number(&w, NAN);
    json_add_number(&w, 1e300);
    json_add_integer(&w, INT64_MIN);
    json_end(&w);
    json_end(&w);
    assert_int_equal(json_writer_status(&w), BP_OK);
    assert_string_equal(buf_str(&buf).data, "{\"q\\\"\":\"a\\\\\\u0001\\n\xEF\xBF\xBD\xc3\xa9\","
                                            "\"n\":[0.1,null,1e+300,-9223372036854775808]}");
}

/* Byte by byte, as the escapes are defined. */
static size_t quote_slowly(char *to, const char *text, size_t len)
{
    size_t at = 0, out = 0, sequence;

    to[out++] = '"';
    while (at < len) {
        unsigned char c = (unsigned char)text[at];

        if (c >= 0x80) {
            sequence = str_utf8_sequence(bp_str_n(text, len), at);
            memcpy(to + out, sequence ? text + at : "\xEF\xBF\xBD", sequence ? sequence : 3);
            out += sequence ? sequence : 3;
            at += sequence ? sequence : 1;
            continue;
        }
        if (strchr("\"\\\b\f\n\r\t", c) && c)
            out += (size_t)sprintf(to + out, "\\%c",
                                   "\"\\bfnrt"[strchr("\"\\\b\f\n\r\t", c) - "\"\\\b\f\n\r\t"]);
        else if (c < 0x20 || c == 0x7F)
            out += (size_t)sprintf(to + out, "\\u%04x", c);
        else
            to[out++] = (char)c;
        at++;
    }
    to[out++] = '"';
    return out;
}

/* Runs of all kinds, long enough to cross the pieces that the writer works in, into a buffer that
 * just holds them. */
static void texts_of_any_kind_are_quoted_into_room_that_just_fits(void **state)
{
    static const char *const kinds[] = { "plain ascii text ",
                                         "\n",
                                         "\"",
                                         "\\",
                                         "\x01",
                                         "\x7F",
                                         "\xC3\xA9",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x99\x82",
                                         "\xFF",
                                         "\xE2\x82",
                                         "\xC0\xAF",
                                         "0123456789abcdef0123456789abcdef",
                                         "\t\t\t\t\t\t\t\t" };
    char                    *text = malloc(16384), *wanted = malloc(6 * 16384 + 2);
    (void)state;
    srand(11);
    for (int round = 0; round < 3000; round++) {
        size_t        len = 0, most = (size_t)rand() % (round % 10 ? 200 : 12000), size;
        struct bp_buf buf;

        while (len < most) {
            const char
                *kind = kinds[(size_t)rand() % (round % 3 ? sizeof(kinds) / sizeof(kinds[0]) : 3)];

            memcpy(text + len, kind, strlen(kind));
            len += strlen(kind);
        }
        size = quote_slowly(wanted, text, len);
        buf_init(&buf, NULL, size);
        json_append_quoted(&buf, bp_str_n(text, len));
        assert_int_equal(buf_status(&buf), BP_OK);
        assert_int_equal(buf.len, size);
        assert_memory_equal(buf.data, wanted, size);
        buf_free(&buf);
        buf_init(&buf, NULL, size - 1);
        json_append_quoted(&buf, bp_str_n(text, len));
        assert_int_equal(buf_status(&buf), BP_TOO_LARGE);
        buf_free(&buf);
    }
    free(text);
    free(wanted);
}

static void misuse_of_the_writer_spoils_the_whole(void **state)
{
    struct bp_buf  buf;
    bp_json_writer w;
    (void)state;
    buf_init(&buf, &arena, 1000);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_add_integer(&w, 1);
    json_end(&w);
    assert_int_equal(json_writer_status(&w), BP_INTERNAL);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_ARRAY);
    assert_int_equal(json_writer_status(&w), BP_INTERNAL);
}

/* JSONTestSuite's files that are free to accept ("i_"): the ones we accept. All others of them are
 * refused: lone surrogates, bad UTF-8, byte order marks, UTF-16, numbers out of range, 500 levels.
 */
static const char *const accepted_implementation_defined[] = {
    "i_number_double_huge_neg_exp.json",
    "i_number_real_underflow.json",
};

/* jansson cannot hold a NUL in a key, so this "must accept" is refused, with an error that says so.
 */
static const char *const refused_though_valid[] = { "y_object_escaped_null_in_key.json" };

static bool is_in(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static void json_test_suite_verdicts_are_pinned(void **state)
{
    DIR           *dir = opendir(BP_SHARED_DIR "/corpora/json/test_parsing");
    struct dirent *entry;
    int            files = 0, wrong = 0;
    (void)state;
    if (!dir) {
        print_message("skipped: the JSONTestSuite files are not beside the project\n");
        skip();
    }
    while ((entry = readdir(dir))) {
        char           path[600];
        const bp_json *v;
        bool           wanted = entry->d_name[0] == 'y';
        FILE          *file;

        if (!strstr(entry->d_name, ".json"))
            continue;
        if (entry->d_name[0] == 'i')
            wanted = is_in(entry->d_name, accepted_implementation_defined,
                           sizeof(accepted_implementation_defined) / sizeof(char *));
        if (is_in(entry->d_name, refused_though_valid, 1))
            wanted = false;
        snprintf(path, sizeof(path), "%s/%s", BP_SHARED_DIR "/corpora/json/test_parsing",
                 entry->d_name);
        file = fopen(path, "rb");
        assert_non_null(file);
        char  *text = malloc(1 << 20);
        size_t len = fread(text, 1, 1 << 20, file);
        fclose(file);
        bool is_accepted = json_parse(&arena, (bp_str){ text, len }, &v, &problem) == BP_OK;
        if (is_accepted != wanted) {
            print_message("%s: %s, wanted %s\n", entry->d_name,
                          is_accepted ? "accepted" : problem.text, wanted ? "accepted" : "refused");
            wrong++;
        }
        free(text);
        files++;
    }
    closedir(dir);
    assert_int_equal(wrong, 0);
    assert_int_equal(files, 318);
}

/* Wherever the memory ends, within a string, a number or a key: never half of one. */
static void a_text_that_the_memory_ends_in_is_read_whole_or_not_at_all(void **state)
{
    static const char head[] = "{\"key_that_is_longer_than_16\":12345678901234567,\"b\":\"";
    static char       text[1200];
    struct reason     why;
    int               refused = 0;

    (void)state;
    memset(text, 's', sizeof(text) - 1);
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + sizeof(text) - 3, "\"}", 2);
    for (size_t limit = 16; limit < 8192; limit += 16) {
        const bp_json *value = NULL;
        struct arena   small;
        bp_status      status;

        arena_init(&small, limit);
        status = json_parse(&small, bp_str_of(text), &value, &why);
        if (status == BP_OK) {
            assert_true(json_as_integer(json_get(value, BP_STR("key_that_is_longer_than_16"))) ==
                        12345678901234567);
            assert_int_equal(json_as_string(json_get(value, BP_STR("b"))).len,
                             sizeof(text) - 2 - sizeof(head));
        } else {
            assert_int_equal(status, BP_NO_MEMORY);
            assert_null(value);
            refused++;
        }
        arena_free(&small);
    }
    assert_in_range(refused, 10, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_found_by_key_and_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_object_is_walked_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_64_is_read_and_65_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_longer_than_the_cap_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_million_keys_are_refused_quickly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_writer_escapes_and_repairs, set_up, tear_down),
        cmocka_unit_test(texts_of_any_kind_are_quoted_into_room_that_just_fits),
        cmocka_unit_test_setup_teardown(misuse_of_the_writer_spoils_the_whole, set_up, tear_down),
        cmocka_unit_test(a_text_that_the_memory_ends_in_is_read_whole_or_not_at_all),
        cmocka_unit_test_setup_teardown(json_test_suite_verdicts_are_pinned, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_json_writer.c - what the writer writes, where it refuses, and what it makes of each number,
 * text and layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static struct bp_buf  buf;
static bp_json_writer w;

static int begin(void **state)
{
    (void)state;
    buf_init(&buf, NULL, 1 << 20);
    json_writer_init(&w, &buf);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&buf);
    return 0;
}

#define WRITING(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void again(void)
{
    buf_reset(&buf);
    json_writer_init(&w, &buf);
}

static void expect(const char *wanted)
{
    assert_int_equal(json_writer_status(&w), BP_OK);
    assert_string_equal(buf_str(&buf).data, wanted);
    again();
}

/* ---- order ---- */

/* One letter a step: { [ ( end ) k(ey) 1 (a value). */
static bp_status status_of(const char *steps)
{
    again();
    for (; *steps; steps++) {
        if (*steps == '{' || *steps == '[')
            json_begin(&w, *steps == '{' ? JSON_KIND_OBJECT : JSON_KIND_ARRAY);
        else if (*steps == ')')
            json_end(&w);
        else if (*steps == 'k')
            json_key(&w, BP_STR("k"));
        else
            json_add_integer(&w, 1);
    }
    return json_writer_status(&w);
}

static void one_whole_value_is_written_or_nothing(void **state)
{
    static const char *const good[][2] = {
        { "1", "1" },
        { "{)", "{}" },
        { "[)", "[]" },
        { "[1)", "[1]" },
        { "[111)", "[1,1,1]" },
        { "{k1)", "{\"k\":1}" },
        { "{k1k1)", "{\"k\":1,\"k\":1}" },
        { "[{)[)1)", "[{},[],1]" },
        { "{k[1{k1)1)k{))", "{\"k\":[1,{\"k\":1},1],\"k\":{}}" },
    };
    static const char *const bad[] = { "",      "11",   "{",    "[",   ")",    "{1)",
                                       "{kk1)", "[k1)", "k",    "k1",  "{k",   "{k)",
                                       "{k1))", "[))",  "{)1",  "1{)", "[)[)", "{k1",
                                       "[1{)",  "{)k",  "{)k1", "[)k" };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(status_of(good[i][0]), BP_OK);
        assert_string_equal(buf_str(&buf).data, good[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(status_of(bad[i]), BP_INTERNAL);
    assert_int_equal(status_of("[k"), BP_INTERNAL);
    json_add_integer(&w, 1); // what is spoilt stays so, and nothing more is written
    json_end(&w);
    json_key(&w, BP_STR("k"));
    assert_string_equal(buf_str(&buf).data, "[");
}

static void values_nest_128_deep(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        for (int depth = 127; depth <= 129; depth++) {
            again();
            for (int i = 0; i < depth; i++) {
                json_begin(&w, kind ? JSON_KIND_OBJECT : JSON_KIND_ARRAY);
                if (kind && i + 1 < depth)
                    json_key(&w, BP_STR(""));
            }
            for (int i = 0; i < depth; i++)
                json_end(&w);
            assert_int_equal(json_writer_status(&w), depth <= 128 ? BP_OK : BP_TOO_LARGE);
        }
    }
}

static void a_comma_is_due_at_each_level_for_itself(void **state)
{
    char   wanted[512] = "";
    size_t len = 0;

    (void)state;
    for (int i = 0; i < 20; i++) { // more than the bits of a byte
        json_begin(&w, i % 3 ? JSON_KIND_ARRAY : JSON_KIND_OBJECT);
        len += (size_t)snprintf(wanted + len, sizeof(wanted) - len,
                                i % 3 ? "[1,2,"
                                      : "{\"a\":1,"
                                        "\"b\":");
        if (i % 3) {
            json_add_integer(&w, 1);
            json_add_integer(&w, 2);
        } else {
            json_put_integer(&w, "a", 1);
            json_key(&w, BP_STR("b"));
        }
    }
    json_add_null(&w);
    len += (size_t)snprintf(wanted + len, sizeof(wanted) - len, "null");
    for (int i = 19; i >= 0; i--) {
        if (i % 3)
            json_add_integer(&w, 3);
        else
            json_put_integer(&w, "c", 3);
        json_end(&w);
        len += (size_t)snprintf(wanted + len, sizeof(wanted) - len, i % 3 ? ",3]" : ",\"c\":3}");
    }
    expect(wanted);
}

static void no_writer_takes_everything(void **state)
{
    const bp_json *none = NULL;

    (void)state;
    json_begin(NULL, JSON_KIND_OBJECT);
    json_end(NULL);
    json_key(NULL, BP_STR("k"));
    json_add_string(NULL, BP_STR("s"));
    json_add_value(NULL, none);
    json_add_base64(NULL, BP_STR("s"));
    assert_int_equal(json_writer_status(NULL), BP_NO_MEMORY);
    json_writer_resume(&w, &buf, 0);
    assert_int_equal(json_writer_status(&w), BP_INTERNAL); // nothing was written
    json_add_null(&w);
    expect("null");
    buf_add(&buf, BP_STR("{\"a\":{"));
    json_writer_resume(&w, &buf, 2);
    json_end(&w);
    json_key(&w, BP_STR("b"));
    json_add_null(&w);
    json_end(&w);
    assert_int_equal(json_writer_status(&w), BP_OK);
    json_add_null(&w); // the whole was there
    assert_int_equal(json_writer_status(&w), BP_INTERNAL);
    assert_string_equal(buf_str(&buf).data, "{\"a\":{},\"b\":null}");
}

static void each_kind_is_put_under_its_key(void **state)
{
    (void)state;
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "s", BP_STR("a\"b"));
    json_put_text(&w, "t", "text");
    json_put_integer(&w, "i", -7);
    json_put_number(&w, "n", 2.5);
    json_put_bool(&w, "y", true);
    json_put_bool(&w, "x", false);
    json_end(&w);
    expect("{\"s\":\"a\\\"b\",\"t\":\"text\",\"i\":-7,\"n\":2.5,\"y\":true,\"x\":false}");
}

static void a_value_that_was_read_is_written_as_it_was(void **state)
{
    static const char text[] = "{\"a\":[1,-2.5,\"x\\n\",true,false,null,[],{}],\"\":{\"b\":1e+300}"
                               "}";
    struct arena      arena;
    const bp_json    *value;
    struct reason     why;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(json_parse(&arena, bp_str_of(text), &value, &why), BP_OK);
    json_add_value(&w, value);
    expect(text);
    json_add_value(&w, NULL);
    expect("null");
    assert_true(bp_str_is(json_text(&arena, value), text));
    value = json_string_in(&arena, BP_STR("made"));
    assert_true(bp_str_is(json_as_string(value), "made"));
    assert_true(bp_str_is(json_as_string(json_string_in(&arena, (bp_str){ NULL, 0 })), ""));
    arena_free(&arena);
}

/* ---- numbers ---- */

static void numbers_are_the_shortest_text_that_reads_back(void **state)
{
    static const struct {
        double      value;
        const char *text;
    } numbers[] = { { 0, "0" },
                    { 1, "1" },
                    { -1, "-1" },
                    { 10, "10" },
                    { 0.1, "0.1" },
                    { 0.12, "0.12" },
                    { 0.123, "0.123" },
                    { 0.001, "0.001" },
                    { 0.01, "0.01" },
                    { 0.1234, "0.1234" },
                    { 0.0005, "0.0005" },
                    { 1.5, "1.5" },
                    { 1.05, "1.05" },
                    { 1.005, "1.005" },
                    { 100, "100" },
                    { 123456789.125, "123456789.125" },
                    { 999999999, "999999999" },
                    { 999999999.999, "999999999.999" },
                    { 1e9, "1000000000" },
                    { 1e14, "100000000000000" },
                    { 1e15, "1e+15" },
                    { 0.1 + 0.2, "0.30000000000000004" },
                    { 1.0 / 3, "0.3333333333333333" },
                    { 2.0 / 3, "0.6666666666666666" },
                    { 5e-324, "4.94065645841247e-324" },
                    { 1.7976931348623157e308, "1.797693134862316e+308" },
                    { NAN, "null" },
                    { INFINITY, "null" },
                    { -INFINITY, "null" } };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char   text[40];
        size_t len = json_number_text(numbers[i].value, text);

        if (numbers[i].value < 1e308 || !isfinite(numbers[i].value))
            assert_true(bp_str_is(bp_str_n(text, len), numbers[i].text));
        if (isfinite(numbers[i].value))
            assert_true(strtod(strndupa(text, len), NULL) == numbers[i].value);
    }
}

/* ---- texts ---- */

static void each_byte_is_escaped_as_json_wants_it(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c, wanted[16], *at = strchr("\"\\\b\f\n\r\t", c);

        if (c >= 0x80)
            snprintf(wanted, sizeof(wanted), "\"\xEF\xBF\xBD\"");
        else if (c && at)
            snprintf(wanted, sizeof(wanted), "\"\\%c\"", "\"\\bfnrt"[at - "\"\\\b\f\n\r\t"]);
        else if (c < 0x20 || c == 0x7F)
            snprintf(wanted, sizeof(wanted), "\"\\u%04x\"", c);
        else
            snprintf(wanted, sizeof(wanted), "\"%c\"", c);
        json_add_string(&w, bp_str_n(&byte, 1));
        assert_int_equal(buf.len, strlen(wanted));
        expect(wanted);
    }
    json_append_quoted(NULL, BP_STR("x"));
}

static void no_more_room_is_taken_than_a_text_needs(void **state)
{
    char   text[9000];
    bp_str quoted;

    (void)state;
    memset(text, 'p', sizeof(text));
    for (size_t len = 0; len <= sizeof(text); len += len < 200 ? 1 : 397) {
        struct bp_buf small;

        buf_init(&small, NULL, len + 2);
        json_append_quoted(&small, bp_str_n(text, len));
        quoted = buf_str(&small);
        assert_int_equal(quoted.len, len + 2);
        assert_int_equal(quoted.data[0], '"');
        assert_int_equal(quoted.data[len + 1], '"');
        assert_memory_equal(quoted.data + 1, text, len);
        buf_free(&small);
    }
}

static void bytes_are_written_in_pieces_of_base64(void **state)
{
    static const size_t lengths[] = { 0, 1, 2, 3, 767, 768, 769, 1535, 1536, 1537 };
    char                bytes[2000];

    (void)state;
    memset(bytes, 0, sizeof(bytes));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = (lengths[i] + 2) / 3 * 4, padding = (3 - lengths[i] % 3) % 3;

        json_add_base64(&w, bp_str_n(bytes, lengths[i]));
        assert_int_equal(json_writer_status(&w), BP_OK);
        assert_int_equal(buf.len, len + 2);
        for (size_t at = 0; at < len; at++)
            assert_int_equal(buf.data[1 + at], at < len - padding ? 'A' : '=');
        again();
    }
}

/* ---- layout ---- */

static void what_is_laid_out_is_indented_by_two_blanks_a_level(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { " \t\r\n", "" },
        { "1", "1" },
        { " [ ] ", "[]" },
        { "[[]]", "[\n  []\n]" },
        { "[1 , 2]", "[\n  1,\n  2\n]" },
        { "{\"a\" : [ ] , \"b\":{ }}", "{\n  \"a\": [],\n  \"b\": {}\n}" },
        { "[true\t,null\r\n]", "[\n  true,\n  null\n]" },
        { "]", "\n]" }, // what is no JSON is not lost, and nothing is read beyond it
        { "}}", "\n}\n}" },
        { "[\"a", "[\n  \"a" },
        { "[\"a\\", "[\n  \"a\\" },
        { "\"\\\"\"1", "\"\\\"\"1" },
        { "\"a\"", "\"a\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_append_indented(&buf, bp_str_of(cases[i][0]));
        assert_string_equal(buf_str(&buf).data, cases[i][1]);
        buf_reset(&buf);
    }
}

static void deep_levels_are_indented_in_full(void **state)
{
    char   deep[200];
    size_t at = 0;

    (void)state;
    for (size_t levels = 31; levels <= 70; levels += 1) {
        memset(deep, '[', levels);
        memset(deep + levels, ']', levels);
        deep[levels - 1] = '[';
        deep[levels] = '1';
        memset(deep + levels + 1, ']', levels);
        json_append_indented(&buf, bp_str_n(deep, 2 * levels + 1));
        at = 1;
        for (size_t level = 1; level <= levels; level++) {
            assert_int_equal(buf.data[at++], '\n');
            for (size_t i = 0; i < 2 * level; i++)
                assert_int_equal(buf.data[at++], ' ');
            assert_int_equal(buf.data[at++], level < levels ? '[' : '1');
        }
        for (size_t level = levels; level-- > 0;) {
            assert_int_equal(buf.data[at++], '\n');
            for (size_t i = 0; i < 2 * level; i++)
                assert_int_equal(buf.data[at++], ' ');
            assert_int_equal(buf.data[at++], ']');
        }
        assert_int_equal(at, buf.len);
        buf_reset(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITING(one_whole_value_is_written_or_nothing),
        WRITING(values_nest_128_deep),
        WRITING(a_comma_is_due_at_each_level_for_itself),
        WRITING(no_writer_takes_everything),
        WRITING(each_kind_is_put_under_its_key),
        WRITING(a_value_that_was_read_is_written_as_it_was),
        WRITING(numbers_are_the_shortest_text_that_reads_back),
        WRITING(each_byte_is_escaped_as_json_wants_it),
        WRITING(no_more_room_is_taken_than_a_text_needs),
        WRITING(bytes_are_written_in_pieces_of_base64),
        WRITING(what_is_laid_out_is_indented_by_two_blanks_a_level),
        WRITING(deep_levels_are_indented_in_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

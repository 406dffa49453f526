/* test_json_service.c - the table that plugins read and write JSON by, over a call of the test's
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/call.h>

#include "base/json.h"
#include "base/json_service.h"

static struct arena   arena;
static struct bp_buf  buf;
static bool           has_buf;
static bp_status      failed;
static char           sentence[2048];
static bp_call *const call = (bp_call *)&arena;

struct arena *call_memory(bp_call *of)
{
    assert_ptr_equal(of, call);
    return &arena;
}

static void *call_alloc(bp_call *of, size_t size_bytes)
{
    assert_ptr_equal(of, call);
    return arena_alloc(&arena, size_bytes);
}

static bp_buf *call_buf(bp_call *of, size_t max_bytes)
{
    assert_ptr_equal(of, call);
    buf_init(&buf, &arena, max_bytes);
    return has_buf ? &buf : NULL;
}

static bp_status call_set_error(bp_call *of, bp_status status, bp_str message, const char *file,
                                uint32_t line)
{
    assert_ptr_equal(of, call);
    assert_null(file); // it is not the plugin's
    assert_int_equal(line, 0);
    failed = status;
    snprintf(sentence, sizeof(sentence), "%.*s", (int)message.len, message.data);
    return status;
}

static const bp_call_service of_call = { .struct_size = sizeof(of_call),
                                         .alloc = call_alloc,
                                         .buf_new = call_buf,
                                         .set_error = call_set_error };

static int begin(void **state)
{
    (void)state;
    bp_service_call = &of_call;
    arena_init(&arena, 1 << 20);
    has_buf = true;
    failed = BP_OK;
    sentence[0] = '\0';
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void what_cannot_be_read_is_said(void **state)
{
    const bp_json *value;

    (void)state;
    assert_int_equal(json_service.parse(call, BP_STR("[1,2.5]"), &value), BP_OK);
    assert_int_equal(json_service.type(value), BP_JSON_ARRAY);
    assert_int_equal(json_service.count(value), 2);
    assert_int_equal(json_service.integer(json_service.at(value, 0)), 1);
    assert_true(json_service.number(json_service.at(value, 1)) == 2.5);
    assert_int_equal(failed, BP_OK);
    assert_int_equal(json_service.parse(call, BP_STR("\xEF\xBB\xBF[1]"), &value), BP_INVALID);
    assert_int_equal(failed, BP_INVALID);
    assert_memory_equal(sentence, "this is not JSON that can be read: ", 35);
    assert_true(sentence[35] != '\0');
    assert_int_equal(json_service.read(call, BP_STR("\xEF\xBB\xBF[1]"), &value), BP_OK); // mended
    assert_int_equal(json_service.count(value), 1);
    assert_int_equal(json_service.read(call, BP_STR("[1,]"), &value), BP_INVALID);
    assert_string_equal(sentence,
                        "this is not JSON that can be read: unexpected token near ']', at byte 4");
    failed = BP_OK;
    assert_int_equal(json_service.read(call, BP_STR("[1e999]"), &value), BP_INVALID);
    assert_int_equal(failed, BP_INVALID);
    arena.limit_bytes = arena.used_bytes;
    assert_int_equal(json_service.read(call, BP_STR("[1]"), &value), BP_NO_MEMORY);
    assert_int_equal(failed, BP_NO_MEMORY);
    assert_int_equal(json_service.parse(call, BP_STR("[1]"), &value), BP_NO_MEMORY);
    assert_string_equal(sentence,
                        "this is not JSON that can be read: there is no memory to read it, "
                        "at byte 0");
}

static void what_is_written_is_whole_or_refused(void **state)
{
    bp_json_writer *w = json_service.writer(call, 100);
    bp_str          json;

    (void)state;
    json_service.begin(w, BP_JSON_OBJECT);
    json_service.key(w, BP_STR("a"));
    json_service.begin(w, BP_JSON_ARRAY);
    json_service.add_string(w, BP_STR("s"));
    json_service.add_integer(w, 7);
    json_service.add_number(w, 0.5);
    json_service.add_bool(w, true);
    json_service.add_null(w);
    json_service.add_raw(w, BP_STR("{}"));
    json_service.add_base64(w, BP_STR("foo"));
    json_service.end(w);
    assert_int_equal(json_service.done(call, w, &json), BP_INTERNAL);
    assert_string_equal(sentence, "JSON was written in the wrong order: keys and values, begin and "
                                  "end must match");
    assert_int_equal(json.len, 0);
    assert_string_equal(json.data, "");
    failed = BP_OK;
    json_service.end(w);
    assert_int_equal(json_service.done(call, w, &json), BP_OK);
    assert_true(bp_str_is(json, "{\"a\":[\"s\",7,0.5,true,null,{},\"Zm9v\"]}"));
    assert_int_equal(failed, BP_OK);
    w = json_service.writer(call, 3);
    json_service.add_string(w, BP_STR("too long"));
    assert_int_equal(json_service.done(call, w, &json), BP_TOO_LARGE);
    assert_int_equal(failed, BP_TOO_LARGE);
    assert_string_equal(sentence, "the JSON text is larger than the maximum it was given");
    assert_int_equal(json.len, 0);
    has_buf = false;
    assert_null(json_service.writer(call, 100));
    has_buf = true;
    arena.limit_bytes = arena.used_bytes;
    assert_null(json_service.writer(call, 100));
}

static void values_are_asked_through_the_table(void **state)
{
    const bp_json *value, *member;
    size_t         cursor = 0;
    bp_str         key;

    (void)state;
    assert_int_equal(json_service.parse(call, BP_STR("{\"a\":\"s\",\"b\":true}"), &value), BP_OK);
    assert_true(bp_str_is(json_service.string(json_service.get(value, BP_STR("a"))), "s"));
    assert_true(json_service.boolean(json_service.get(value, BP_STR("b"))));
    assert_true(json_service.entry(value, &cursor, &key, &member));
    assert_true(bp_str_is(key, "a"));
    assert_true(bp_str_is(json_service.text(call, value), "{\"a\":\"s\",\"b\":true}"));
    assert_true(bp_str_is(json_service.indent(call, BP_STR("[1]")), "[\n  1\n]"));
    assert_int_equal(json_service.struct_size, sizeof(bp_json_service));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(what_cannot_be_read_is_said),
        SERVED(what_is_written_is_whole_or_refused),
        SERVED(values_are_asked_through_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

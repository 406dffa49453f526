/* test_peek.c - the ids of messages are found in texts that cannot be read, in whatever pieces they
 * come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/peek.h"

static struct peek peek;

static void look(bp_str text, size_t piece)
{
    peek_init(&peek);
    for (size_t at = 0; at < text.len; at += piece)
        peek_feed(&peek, bp_str_n(text.data + at, text.len - at < piece ? text.len - at : piece));
    peek_end(&peek);
}

struct example {
    const char      *text, *id;
    enum peeked_kind kind;
};

static void ids_are_found_wherever_they_stand(void **state)
{
    static const struct example examples[] = {
        { "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":{\"id\":8,\"n\":"
          "123456789012345678901}}",
          "7", PEEKED_REQUEST },
        { "{\"method\":\"m\",\"params\":{\"id\":8,\"a\":[{\"id\":9}]},\"jsonrpc\":\"2.0\",\"id\":"
          "\"a\\\"b\"}",
          "\"a\\\"b\"", PEEKED_REQUEST },
        { "\xEF\xBB\xBF { \"id\" : -12 , \"method\" : \"m\" } ", "-12", PEEKED_REQUEST },
        { "{\"id\":123456789012345678901,\"method\":\"m\"}", "123456789012345678901",
          PEEKED_REQUEST },
        { "{\"id\":5,\"method\":\"m\",\"params\":{\"a\":\"cut", "5", PEEKED_REQUEST },
        { "{\"id\":5,\"result\":{\"a\":123456789012345678901}}", "5", PEEKED_ANSWER },
        { "{\"id\":5,\"error\":{\"a\":123", "5", PEEKED_ANSWER },
        { "{\"method\":\"m\",\"params\":{\"id\":5}}", NULL, PEEKED_NOTHING },
        { "{\"id\":null,\"method\":\"m\"}", NULL, PEEKED_NOTHING },
        { "{\"id\":1.5,\"method\":\"m\"}", NULL, PEEKED_NOTHING },
        { "{\"id\":{\"a\":5},\"method\":\"m\"}", NULL, PEEKED_NOTHING },
        { "{\"method\":\"m\",\"id\":12", NULL, PEEKED_NOTHING }, // it may go on
        { "\"id\":5", NULL, PEEKED_NOTHING },
        { "}}}]{", NULL, PEEKED_NOTHING },
        { "", NULL, PEEKED_NOTHING },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        for (size_t piece = 1; piece < 9; piece += 7) {
            look(bp_str_of(examples[i].text), piece);
            if (peek.count != (examples[i].id != NULL))
                fail_msg("%s: %zu found", examples[i].text, peek.count);
            if (!examples[i].id)
                continue;
            assert_int_equal(peek.found[0].kind, examples[i].kind);
            assert_int_equal(peek.found[0].id_len, strlen(examples[i].id));
            assert_memory_equal(peek.found[0].id, examples[i].id, peek.found[0].id_len);
        }
}

/* `id` as the member of a request, among others. */
static bool is_taken(const char *id)
{
    char text[1024];

    snprintf(text, sizeof(text), "{\"a\":1,\"id\":%s,\"method\":\"m\"}", id);
    look(bp_str_of(text), 1024);
    if (!peek.count)
        return false;
    assert_int_equal(peek.count, 1);
    assert_int_equal(peek.found[0].kind, PEEKED_REQUEST);
    assert_int_equal(peek.found[0].id_len, strlen(id));
    assert_memory_equal(peek.found[0].id, id, strlen(id));
    return true;
}

static void an_id_is_a_string_or_an_integer(void **state)
{
    static const char *const ids[] = { "0", "-0",   "7",     "-12",   "100",
                                       "9", "\"\"", "\"a\"", "\"7\"", "\"\\\"\"" };
    static const char *const others[] = { "-",  "00",   "01",   "-01", "1.0", "1e3",
                                          "+1", "true", "null", "--1", "1-",  "/",
                                          ":",  "1:",   "[]",   "\"a", "" };

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (!is_taken(ids[i]))
            fail_msg("%s", ids[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (is_taken(others[i]))
            fail_msg("%s", others[i]);
}

static void an_id_has_at_most_256_bytes(void **state)
{
    char id[260];

    (void)state;
    for (size_t len = 255; len <= 258; len++) {
        memset(id, '7', len);
        id[len] = '\0';
        assert_int_equal(is_taken(id), len <= 256);
        id[0] = id[len - 1] = '"';
        assert_int_equal(is_taken(id), len <= 256);
    }
}

/* A key longer than the longest of interest is none of these. */
static void keys_are_told_apart(void **state)
{
    static const struct {
        const char      *text;
        size_t           count;
        enum peeked_kind kind;
    } cases[] = {
        { "{\"id\":1}", 1, PEEKED_REQUEST },
        { "{\"id\":1,\"result\":1}", 1, PEEKED_ANSWER },
        { "{\"id\":1,\"error\":1}", 1, PEEKED_ANSWER },
        { "{\"id\":1,\"error\":1,\"method\":\"m\"}", 1, PEEKED_REQUEST },
        { "{\"id\":1,\"results\":1}", 1, PEEKED_REQUEST },
        { "{\"ids\":1}", 0, PEEKED_NOTHING },
        { "{\"i\":1}", 0, PEEKED_NOTHING },
        { "{\"0123456789abcdefid\":1}", 0, PEEKED_NOTHING },
        { "{\"a\":\"id\",\"b\":1}", 0, PEEKED_NOTHING },
        { "{\"id\",1}", 0, PEEKED_NOTHING },
        { "{\"a\":{\"result\":1},\"id\":1}", 1, PEEKED_REQUEST },
        { "{\"id\":1,\"id\":2.5}", 0, PEEKED_NOTHING },
        { "{\"id\":2.5,\"id\":1}", 1, PEEKED_REQUEST },
        { "[{\"id\":1},{\"id\":1,\"result\":2}]", 2, PEEKED_REQUEST },
        { "[[{\"id\":1}]]", 0, PEEKED_NOTHING },
        { "[{\"a\":[{\"id\":1}]}]", 0, PEEKED_NOTHING },
        { "{\"id\":1}{\"id\":2}", 2, PEEKED_REQUEST },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        look(bp_str_of(cases[i].text), 1024);
        if (peek.count != cases[i].count)
            fail_msg("%s: %zu", cases[i].text, peek.count);
        assert_int_equal(peek.found[0].kind, cases[i].kind);
        assert_int_equal(peek.is_batch, cases[i].text[0] == '[');
    }
}

static void at_most_64_messages_are_remembered(void **state)
{
    (void)state;
    peek_init(&peek);
    peek_feed(&peek, BP_STR("["));
    for (int i = 0; i < 66; i++) {
        char text[32];

        snprintf(text, sizeof(text), "%s{\"id\":%d}", i ? "," : "", i);
        peek_feed(&peek, bp_str_of(text));
        assert_int_equal(peek.count, i < 64 ? i + 1 : 64);
    }
    peek_end(&peek);
    assert_int_equal(peek.count, 64);
    assert_memory_equal(peek.found[63].id, "63", 2);
}

static void each_message_of_a_batch_is_found(void **state)
{
    (void)state;
    look(BP_STR("[{\"id\":1,\"method\":\"a\"},{\"method\":\"b\"},{\"id\":\"2\",\"method\":\"c\","
                "\"params\":[[1e999]]}]"),
         3);
    assert_true(peek.is_batch);
    assert_int_equal(peek.count, 2);
    assert_memory_equal(peek.found[1].id, "\"2\"", 3);
}

static void depth_and_length_are_no_matter(void **state)
{
    size_t len = 3u << 20;
    char  *text = malloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, '[', len);
    peek_init(&peek);
    peek_feed(&peek, BP_STR("{\"method\":\"m\",\"params\":{\"deep\":"));
    peek_feed(&peek, bp_str_n(text, len));
    memset(text, ']', len);
    peek_feed(&peek, bp_str_n(text, len));
    peek_feed(&peek, BP_STR("},\"id\":3}"));
    peek_end(&peek);
    assert_int_equal(peek.count, 1);
    assert_memory_equal(peek.found[0].id, "3", 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_found_wherever_they_stand),
        cmocka_unit_test(an_id_is_a_string_or_an_integer),
        cmocka_unit_test(an_id_has_at_most_256_bytes),
        cmocka_unit_test(keys_are_told_apart),
        cmocka_unit_test(at_most_64_messages_are_remembered),
        cmocka_unit_test(each_message_of_a_batch_is_found),
        cmocka_unit_test(depth_and_length_are_no_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_peek.c - the ids of messages are found in texts that cannot be read, in whatever pieces they
 * come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

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
        cmocka_unit_test(each_message_of_a_batch_is_found),
        cmocka_unit_test(depth_and_length_are_no_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

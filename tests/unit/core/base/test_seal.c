/* test_seal.c - sealed bytes come back as they were or not at all; base64 has one spelling for each
 * value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/str.h"

static void what_is_sealed_opens_with_key_and_context_alone(void **state)
{
    uint8_t key[32] = { 1 }, other[32] = { 2 }, sealed[64], plain[64];
    bp_str  text = BP_STR("for the next round"),
           box = { (char *)sealed, text.len + CRYPTO_SEAL_BYTES };
    (void)state;
    assert_true(crypto_seal(key, BP_STR("who"), text, sealed));
    assert_true(crypto_unseal(key, BP_STR("who"), box, plain));
    assert_memory_equal(plain, text.data, text.len);
    assert_false(crypto_unseal(other, BP_STR("who"), box, plain));
    assert_false(crypto_unseal(key, BP_STR("whom"), box, plain));
    for (size_t i = 0; i < box.len; i++) {
        sealed[i] ^= 1;
        assert_false(crypto_unseal(key, BP_STR("who"), box, plain));
        sealed[i] ^= 1;
    }
    for (size_t len = 0; len < box.len; len++)
        assert_false(crypto_unseal(key, BP_STR("who"), bp_str_n(box.data, len), plain));
    assert_true(
        crypto_seal(key, BP_STR(""), BP_STR(""), sealed)); // nothing is something to seal, too
    assert_true(crypto_unseal(key, BP_STR(""), bp_str_n((char *)sealed, CRYPTO_SEAL_BYTES), plain));
}

static void base64_goes_there_and_back_at_every_length(void **state)
{
    uint8_t bytes[64], back[128];
    char    text[96];
    (void)state;
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        size_t len;

        crypto_random(bytes, sizeof(bytes));
        len = crypto_base64url(bytes, count, text);
        assert_true(len < crypto_base64_size(count));
        assert_int_equal(crypto_unbase64url(bp_str_n(text, len), back), count);
        assert_memory_equal(back, bytes, count);
        len = crypto_base64(bytes, count, text);
        assert_int_equal(len % 4, 0);
        assert_int_equal(crypto_unbase64(bp_str_n(text, len), back), count);
        assert_memory_equal(back, bytes, count);
    }
    assert_int_equal(crypto_unbase64(BP_STR("AP+/"), back), 3);
    assert_int_equal(crypto_unbase64url(BP_STR("AP-_"), back), 3);
    assert_int_equal(crypto_unbase64(BP_STR("AA=="), back), 1);
    assert_int_equal(crypto_unbase64url(BP_STR("AA"), back), 1);
}

static void what_is_no_base64_is_told(void **state)
{
    static const char *const bad[] = { "A",    "AAAAA", "AB",  "AAB", "A=",    "AA=",     "=",
                                       "A=AA", "AA==A", "A A", "A\n", "AA===", "\xC3\xA4" };
    uint8_t                  back[16];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(crypto_unbase64(bp_str_of(bad[i]), back) == SIZE_MAX &&
                    crypto_unbase64url(bp_str_of(bad[i]), back) == SIZE_MAX);
    // Each alphabet is the only one, and padding is there or it is not.
    assert_true(crypto_unbase64(BP_STR("AP-_"), back) == SIZE_MAX);
    assert_true(crypto_unbase64url(BP_STR("AP+/"), back) == SIZE_MAX);
    assert_true(crypto_unbase64(BP_STR("AA"), back) == SIZE_MAX);
    assert_true(crypto_unbase64url(BP_STR("AA=="), back) == SIZE_MAX);
}

static void json_is_laid_out_as_javascript_does_it(void **state)
{
    static const struct {
        const char *compact, *laid_out;
    } cases[] = {
        { "{}", "{}" },
        { "[]", "[]" },
        { "\"a{[,:]}\\\"\"", "\"a{[,:]}\\\"\"" },
        { "{\"a\":1,\"b\":[true,null],\"c\":{},\"d\":[]}",
          "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null\n  ],\n  \"c\": {},\n  \"d\": []\n}" },
        { " [ { \"x\" : \"y\" } ] ", "[\n  {\n    \"x\": \"y\"\n  }\n]" },
        { "[-1.5e3,\"\\\\\"]", "[\n  -1.5e3,\n  \"\\\\\"\n]" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bp_buf buf;

        buf_init(&buf, NULL, 4096);
        json_append_indented(&buf, bp_str_of(cases[i].compact));
        assert_string_equal(buf_str(&buf).data, cases[i].laid_out);
        buf_free(&buf);
    }
}

static void json_writes_bytes_in_base64_and_goes_on_with_a_text(void **state)
{
    struct bp_buf  buf;
    bp_json_writer w;
    char           long_one[3000];
    (void)state;
    buf_init(&buf, NULL, 1 << 20);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_ARRAY);
    json_add_base64(&w, BP_STR(""));
    json_add_base64(&w, BP_STR("f"));
    json_add_base64(&w, BP_STR("fo"));
    json_add_base64(&w, BP_STR("foo"));
    json_end(&w);
    assert_string_equal(buf_str(&buf).data, "[\"\",\"Zg==\",\"Zm8=\",\"Zm9v\"]"); // RFC 4648 10
    buf_reset(&buf);
    memset(long_one, 'x', sizeof(long_one));
    json_writer_init(&w, &buf);
    json_add_base64(&w, bp_str_n(long_one, sizeof(long_one)));
    assert_int_equal(buf.len, 4002);
    buf_reset(&buf);
    buf_add(&buf, BP_STR("{\"a\":{"));
    json_writer_resume(&w, &buf, 2);
    json_put_integer(&w, "b", 1);
    json_put_integer(&w, "c", 2);
    json_end(&w);
    json_put_bool(&w, "d", true);
    json_end(&w);
    assert_int_equal(json_writer_status(&w), BP_OK);
    assert_string_equal(buf_str(&buf).data, "{\"a\":{\"b\":1,\"c\":2},\"d\":true}");
    buf_free(&buf);
}

static void a_plain_run_ends_where_something_has_to_be_done(void **state)
{
    static const char stops[] = { '"', '\\', '\0', '\n', 0x1F, 0x7F, (char)0x80, (char)0xFF };
    char              text[40];
    (void)state;
    for (size_t at = 0; at < sizeof(text); at++) {
        for (size_t i = 0; i < sizeof(stops); i++) {
            memset(text, ' ' + (int)i, sizeof(text));
            if (i == 2)
                memset(text, '~', sizeof(text));
            text[at] = stops[i];
            for (size_t from = 0; from <= at; from++)
                assert_int_equal(str_plain_run(bp_str_n(text, sizeof(text)), from), at - from);
        }
    }
    assert_int_equal(str_plain_run(BP_STR(""), 0), 0);
    assert_int_equal(str_plain_run(BP_STR("abc"), 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_with_key_and_context_alone),
        cmocka_unit_test(base64_goes_there_and_back_at_every_length),
        cmocka_unit_test(what_is_no_base64_is_told),
        cmocka_unit_test(json_is_laid_out_as_javascript_does_it),
        cmocka_unit_test(json_writes_bytes_in_base64_and_goes_on_with_a_text),
        cmocka_unit_test(a_plain_run_ends_where_something_has_to_be_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_mask.c - what of a text is a secret is not shown, and the rest is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mask.h"

static void check(const char *text, const char *wanted, bool hides_paths)
{
    struct arena arena;

    arena_init(&arena, 1 << 16);
    bp_str shown = mask_secrets(&arena, bp_str_of(text), hides_paths);
    char  *copy = arena_dup(&arena, shown).data ? (char *)(uintptr_t)arena_dup(&arena, shown).data : "";
    assert_string_equal(copy, wanted);
    arena_free(&arena);
}

static void what_is_secret_is_left_out(void **state)
{
    static const char *const cases[][2] = {
        { "cannot reach postgres://u:p@h:5432/d", "cannot reach postgres://***@h:5432/d" },
        { "at http://h/v1/x?api_key=abc&n=1 now", "at http://h/v1/x?api_key=***&n=1 now" },
        { "\"https://h/?a=1&sig=zz\", and", "\"https://h/?a=1&sig=***\", and" },
        { "host=h user=u password=hunt3r dbname=d", "host=h user=u password=*** dbname=d" },
        { "password='a b' sslmode=require", "password=*** sslmode=require" },
        { "sent Authorization: Bearer abcdefgh12345", "sent Authorization: Bearer ***" },
        { "https://hooks.slack.com/services/T0/B0/XyZ said 404", "https://hooks.slack.com/services/*** said 404" },
        { "https://discord.com/api/webhooks/12/tok (x)", "https://discord.com/api/*** (x)" },
        { "https://api.telegram.org/bot12:AbC/sendMessage", "https://api.telegram.org/***" },
        { "no secret at http://127.0.0.1:6333/collections/c1", "no secret at http://127.0.0.1:6333/collections/c1" },
        { "mail to a@b and a=b", "mail to a@b and a=b" },
        { "the bearer of news", "the bearer of news" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(cases[i][0], cases[i][1], false);
}

static void paths_are_hidden_where_they_are_keys(void **state)
{
    (void)state;
    check("https://alerts.example/T0/B0/key answered 500", "https://alerts.example/*** answered 500", true);
    check("https://alerts.example answered 500", "https://alerts.example answered 500", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_secret_is_left_out),
                                        cmocka_unit_test(paths_are_hidden_where_they_are_keys) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

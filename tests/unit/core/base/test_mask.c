/* test_mask.c - what of a text is a secret is not shown, and the rest is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mask.h"

static void check(const char *text, const char *wanted, bool hides_paths)
{
    struct arena arena;

    arena_init(&arena, 1 << 16);
    bp_str shown = mask_secrets(&arena, bp_str_of(text), hides_paths);
    char  *copy = arena_dup(&arena, shown).data ? (char *)(uintptr_t)arena_dup(&arena, shown).data
                                                : "";
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
        { "https://hooks.slack.com/services/T0/B0/XyZ said 404",
          "https://hooks.slack.com/services/*** said 404" },
        { "https://discord.com/api/webhooks/12/tok (x)", "https://discord.com/api/*** (x)" },
        { "https://api.telegram.org/bot12:AbC/sendMessage", "https://api.telegram.org/***" },
        { "no secret at http://127.0.0.1:6333/collections/c1",
          "no secret at http://127.0.0.1:6333/collections/c1" },
        { "mail to a@b and a=b", "mail to a@b and a=b" },
        { "the bearer of news", "the bearer of news" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(cases[i][0], cases[i][1], false);
}

/* Each place where a URL, a query, an assignment or a token begins and ends. */
static void secrets_end_where_the_sentence_goes_on(void **state)
{
    static const char *const cases[][2] = {
        { "://", "://" },
        { "a://b", "a://b" },
        { "a://@b", "a://@b" },
        { "a://u@b", "a://***@b" },
        { "a://u@v@b", "a://***@b" },
        { "a://u:p@b/c@d", "a://***@b/c@d" },
        { "a://u:p@b?c@d", "a://***@b?c@d" },
        { "a://u:p@b#c@d", "a://***@b#c@d" },
        { "(a://u@b)x", "(a://***@b)x" },
        { "<a://u@b>x", "<a://***@b>x" },
        { "{a://u@b}x", "{a://***@b}x" },
        { "'a://u@b'x", "'a://***@b'x" },
        { "`a://u@b`x", "`a://***@b`x" },
        { "a://u@b|x", "a://***@b|x" },
        { "a://u@b\\x", "a://***@b\\x" },
        { "a://u@b\"x", "a://***@b\"x" },
        { "a://u@b\nx", "a://***@b\nx" },
        { "a://b/?key=1", "a://b/?key=***" },
        { "a://b?key=1", "a://b?key=***" },
        { "a://b#key=1", "a://b#key=***" },
        { "a://b?key=", "a://b?key=***" },
        { "a://b?key", "a://b?key" },
        { "a://b?", "a://b?" },
        { "a://b?=1", "a://b?=1" },
        { "a://b?a=1&key=2&b=3", "a://b?a=1&key=***&b=3" },
        { "a://b?a=1;key=2;b=3", "a://b?a=1;key=***;b=3" },
        { "a://b?key=1&&token=2", "a://b?key=***&&token=***" },
        { "a://b?key=1=2&c=3", "a://b?key=***&c=3" },
        { "a://b?n=key&m=1", "a://b?n=key&m=1" },
        { "a://b/hook", "a://b/***" },
        { "a://b/HOOK", "a://b/***" },
        { "a://hook.b", "a://hook.b" },
        { "a://hook.b/", "a://hook.b/" },
        { "a://hook.b/c", "a://hook.b/***" },
        { "a://hook.b/c/", "a://hook.b/c/***" },
        { "a://hook.b/c/d/e", "a://hook.b/c/***" },
        { "a://hook.b/c/d?e=f", "a://hook.b/c/***" },
        { "a://hook.b/bot1:2/d", "a://hook.b/***" },
        { "a://b/bot1:2/d", "a://b/***" },
        { "a://b/bot1/d", "a://b/bot1/d" },
        { "a://u@hook.b/c/d then", "a://***@hook.b/c/*** then" },
        { "a://b c://u@d", "a://b c://***@d" },
        { "password=x", "password=***" },
        { "password= x", "password= x" },
        { "password=", "password=" },
        { "PassWord=x y", "PassWord=*** y" },
        { "PASSPHRASE=x y", "PASSPHRASE=*** y" },
        { "passwd=x&y", "passwd=***&y" },
        { "passphrase=x,y", "passphrase=***,y" },
        { "password=x;y", "password=***;y" },
        { "password=x)y", "password=***)y" },
        { "password=x'y", "password=***'y" },
        { "password=x\"y", "password=***\"y" },
        { "password='x y' z", "password=*** z" },
        { "password='x\\'y' z", "password=*** z" },
        { "password='x y", "password=***" },
        { "password='x\\", "password=***" },
        { "password='", "password=***" },
        { "password='' z", "password=*** z" },
        { "xpassword=a password=b", "xpassword=*** password=***" },
        { "passwor=x password", "passwor=x password" },
        { "Bearer 12345678", "Bearer ***" },
        { "Bearer 1234567", "Bearer 1234567" },
        { "bearer 12345678,x", "bearer ***,x" },
        { "bearer 12345678;x", "bearer ***;x" },
        { "bearer 12345678)x", "bearer ***)x" },
        { "bearer 12345678'x", "bearer ***'x" },
        { "bearer 12345678\"x", "bearer ***\"x" },
        { "bearer 12345678 x", "bearer *** x" },
        { "bearer 1234567 8", "bearer 1234567 8" },
        { "earer 12345678", "earer ***" },
        { "Bearer 12345678 Bearer abcdefgh", "Bearer *** Bearer ***" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(cases[i][0], cases[i][1], false);
}

static void names_of_secrets_are_known_wherever_they_stand(void **state)
{
    static const char *const secret[] = { "auth",   "key",         "token",      "secret", "pass",
                                          "cookie", "signature",   "credential", "sig",    "SIG",
                                          "code",   "pwd",         "Pwd",        "xkey",   "keyx",
                                          "xkeyx",  "X-Auth-Token" },
                             *const plain[] = { "",     "k", "ke",   "sigx", "xsig",  "codes",
                                                "pwds", "n", "toke", "oken", "cooki", "signatur" };

    (void)state;
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        assert_true(mask_is_secret_name(bp_str_of(secret[i])));
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        assert_false(mask_is_secret_name(bp_str_of(plain[i])));
}

/* The mark that says that there is something to look for, at each place of a text of each length.
 */
static void what_is_looked_for_is_found_at_every_place(void **state)
{
    char text[64];

    (void)state;
    for (size_t len = 3; len < sizeof(text); len++) {
        for (size_t at = 0; at + 3 <= len; at++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + at, "://", 3);
            assert_true(mask_is_needed(bp_str_n(text, len)));
            assert_false(mask_is_needed(bp_str_n(text, at + 2)));
            text[at] = 'x';
            assert_false(mask_is_needed(bp_str_n(text, len)));
            if (at >= 5) {
                memcpy(text + at - 5, "earer ", 6);
                assert_true(mask_is_needed(bp_str_n(text, len)));
                text[at - 1] = 'x';
                assert_false(mask_is_needed(bp_str_n(text, len)));
            }
            if (at >= 8) {
                memcpy(text + at - 8, "password=", 9);
                assert_true(mask_is_needed(bp_str_n(text, len)));
                text[at - 8] = 'x';
                assert_false(mask_is_needed(bp_str_n(text, len)));
            }
        }
    }
    assert_false(mask_is_needed(BP_STR("password")));
    assert_false(mask_is_needed(BP_STR("password:")));
    assert_false(mask_is_needed(BP_STR("=")));
    assert_false(mask_is_needed(BP_STR("password =")));
    assert_true(mask_is_needed(BP_STR("a=b PassWord=x")));
    assert_true(mask_is_needed(BP_STR("PASSPHRASE=x")));
    assert_true(mask_is_needed(BP_STR("passwd=")));
    assert_false(mask_is_needed((bp_str){ NULL, 0 }));
}

static void without_memory_nothing_is_shown(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 10);
    assert_int_equal(mask_secrets(&arena, BP_STR("a://u@b"), false).len, 0);
    assert_true(bp_str_is(mask_secrets(&arena, BP_STR("no secret"), false), "no secret"));
    arena_free(&arena);
}

static void paths_are_hidden_where_they_are_keys(void **state)
{
    (void)state;
    check("https://alerts.example/T0/B0/key answered 500",
          "https://alerts.example/*** answered 500", true);
    check("https://alerts.example answered 500", "https://alerts.example answered 500", true);
    check("https://alerts.example/ answered", "https://alerts.example/ answered", true);
    check("https://alerts.example/k answered", "https://alerts.example/*** answered", true);
    check("https://u@alerts.example?k=1", "https://***@alerts.example/***", true);
}

static void what_may_hold_a_secret_is_found_and_the_rest_is_left_alone(void **state)
{
    static const char *const plain[] = { "GET",
                                         "/api/v1/collections/docs/documents",
                                         "01k3v7q2m8x4",
                                         "127.0.0.1",
                                         "fe80::1",
                                         "a=b",
                                         "curl/8.5.0 (x86_64)",
                                         "passwords",
                                         "bearer",
                                         "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)" };
    static const char *const others[] = { "http://h",     "sslpassword=x",   "PASSWORD=x",
                                          "passphrase=x", "Bearer abcdefgh", "a://u@h" };

    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        assert_false(mask_is_needed(bp_str_of(plain[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_true(mask_is_needed(bp_str_of(others[i])));
}

static void log_lines_show_no_secret_in_messages_or_fields(void **state)
{
    char        path[] = "/tmp/backplane-log-XXXXXX", text[8192];
    bp_field    fields[] = { bp_field_str("url", BP_STR("postgres://u:hunt3r@h:5432/d")),
                             bp_field_int("port", 5432),
                             bp_field_str("asked", BP_STR("https://h/v1?api_key=hunt3r&n=1")),
                             bp_field_str("said", BP_STR("no \"Bearer hunt3r-hunt3r\"")),
                             bp_field_str("conninfo", BP_STR("host=h password=hunt3r dbname=d")),
                             bp_field_str("path", BP_STR("/api/v1/x")),
                             bp_field_str("none", (bp_str){ NULL, 0 }) };
    struct log *log;
    size_t      len;
    FILE       *file;

    (void)state;
    close(mkstemp(path));
    log = log_open(&(struct log_options){ .level = BP_LOG_INFO, .path = path });
    assert_non_null(log);
    log_event(log, BP_LOG_WARN, "refused", BP_STR("at http://u:hunt3r@h"), fields,
              sizeof(fields) / sizeof(fields[0]));
    log_record(log, BP_LOG_WARN, "request", BP_STR(""), fields, 1);
    log_close(log);
    file = fopen(path, "r");
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    unlink(path);
    assert_null(strstr(text, "hunt3r"));
    assert_non_null(
        strstr(text, "\"message\":\"at "
                     "http://***@h\",\"url\":\"postgres://***@h:5432/"
                     "d\",\"port\":5432,\"asked\":\"https://h/v1?api_key=***&n=1\",\"said\":\"no "
                     "\\\"Bearer ***\\\"\",\"conninfo\":\"host=h password=*** "
                     "dbname=d\",\"path\":\"/api/v1/x\",\"none\":\"\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_secret_is_left_out),
        cmocka_unit_test(what_may_hold_a_secret_is_found_and_the_rest_is_left_alone),
        cmocka_unit_test(log_lines_show_no_secret_in_messages_or_fields),
        cmocka_unit_test(paths_are_hidden_where_they_are_keys),
        cmocka_unit_test(secrets_end_where_the_sentence_goes_on),
        cmocka_unit_test(names_of_secrets_are_known_wherever_they_stand),
        cmocka_unit_test(what_is_looked_for_is_found_at_every_place),
        cmocka_unit_test(without_memory_nothing_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

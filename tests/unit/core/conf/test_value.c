/* test_value.c - each reader of one value: what it takes, what it says of the rest, and what it
 * guesses was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/value.h"

static const char NO_SIZE[] = "is not a size (write bytes, or a number and a unit: 4096, 10KB, "
                              "64MiB)",
                  NO_DURATION[] = "is not a duration (write a number and a unit: 250ms, 2s, 5m, "
                                  "1h, "
                                  "7d)",
                  NO_UNIT[] = "has no unit (write 250ms, 2s, 5m, 1h, 7d)", LARGE[] = "is too large",
                  NO_ADDRESS[] = "is not an address (write host:port, [IPv6]:port, :port or "
                                 "unix:/path)",
                  NO_PORT[] = "has no port from 0 to 65535 behind its colon",
                  NO_HOST_PORT[] = "has no port (write host:port)";

static void expect(const char *text, const char *problem, const char *wanted)
{
    if (!problem != !wanted || (wanted && strcmp(problem, wanted) != 0))
        fail_msg("\"%s\" %s; wanted: %s", text, problem ? problem : "(good)",
                 wanted ? wanted : "(good)");
}

static void expect_hint(const char *text, const struct value_hint *hint, const char *wanted)
{
    if (strcmp(hint->text, wanted ? wanted : "") != 0)
        fail_msg("\"%s\": guessed \"%s\"", text, hint->text);
}

static void six_words_are_true_or_false(void **state)
{
    static const struct {
        const char *text;
        int         value; /* -1: refused */
    } cases[] = { { "true", 1 },  { "yes", 1 }, { "on", 1 },   { "ON", 1 },
                  { "false", 0 }, { "no", 0 },  { "off", 0 },  { "Off", 0 },
                  { "", -1 },     { "1", -1 },  { "tru", -1 }, { "onn", -1 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool value = cases[i].value == 0;

        expect(cases[i].text, value_bool(bp_str_of(cases[i].text), &value),
               cases[i].value < 0 ? "is neither true nor false (write true, yes, on, false, no or "
                                    "off)"
                                  : NULL);
        if (cases[i].value >= 0)
            assert_int_equal(value, cases[i].value);
    }
}

static void whole_numbers_and_numbers_say_what_they_are_not(void **state)
{
    static const char *const not_whole[] = { "", "-", "+", "x", "1x", "1.5", "-x", "1/", "1:" },
                             *const large[] = { "9223372036854775808", "-9223372036854775809",
                                                "+99999999999999999999" };
    int64_t                         integer;
    double                          number;

    (void)state;
    for (size_t i = 0; i < sizeof(not_whole) / sizeof(not_whole[0]); i++)
        expect(not_whole[i], value_int(bp_str_of(not_whole[i]), &integer), "is not a whole number");
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
        expect(large[i], value_int(bp_str_of(large[i]), &integer), "does not fit into 64 bits");
    expect("-7", value_int(BP_STR("-7"), &integer), NULL);
    assert_int_equal(integer, -7);
    expect("x", value_float(BP_STR("x"), &number), "is not a number");
    expect("1.5", value_float(BP_STR("1.5"), &number), NULL);
    assert_true(number == 1.5);
}

static void sizes_have_units_of_both_kinds(void **state)
{
    static const struct {
        const char *text;
        int64_t     bytes;
        const char *problem, *hint;
    } cases[] = {
        { "0", 0, NULL, NULL },
        { "4096", 4096, NULL, NULL },
        { "1B", 1, NULL, NULL },
        { "2KiB", 2048, NULL, NULL },
        { "2MiB", 2097152, NULL, NULL },
        { "2GiB", INT64_C(2147483648), NULL, NULL },
        { "2TiB", INT64_C(2199023255552), NULL, NULL },
        { "2Ki", 2048, NULL, NULL },
        { "2Mi", 2097152, NULL, NULL },
        { "2Gi", INT64_C(2147483648), NULL, NULL },
        { "2Ti", INT64_C(2199023255552), NULL, NULL },
        { "2KB", 2000, NULL, NULL },
        { "2MB", 2000000, NULL, NULL },
        { "2GB", 2000000000, NULL, NULL },
        { "2TB", INT64_C(2000000000000), NULL, NULL },
        { "1.5KiB", 1536, NULL, NULL },
        { "1.0009765625KiB", 1024, NULL, NULL }, // nine digits of a fraction, rounded down
        { "0.5B", 0, NULL, NULL },
        { "1.000000001GB", 1000000001, NULL, NULL },
        { "1.0000000019GB", 1000000001, NULL, NULL },
        { "10 KiB", 10240, NULL, NULL },
        { "10 ", 10, NULL, NULL },
        { "9223372036854775807", INT64_MAX, NULL, NULL },
        { "9223372036854775808", 0, LARGE, NULL },
        { "99999999999999999999999B", 0, LARGE, NULL },
        { "8388607TiB", INT64_C(9223370937343148032), NULL, NULL },
        { "8388608TiB", 0, LARGE, NULL },
        { "8388607.999999999TiB", INT64_C(9223372036854774708), NULL, NULL },
        { "", 0, NO_SIZE, NULL },
        { "-1", 0, NO_SIZE, NULL },
        { "KiB", 0, NO_SIZE, NULL },
        { ".5KiB", 0, NO_SIZE, NULL },
        { "1.KiB", 0, NO_SIZE, NULL },
        { "1.", 0, NO_SIZE, NULL },
        { "1.x", 0, NO_SIZE, NULL },
        { "1kib", 0, NO_SIZE, "1KiB" },
        { "1 mb", 0, NO_SIZE, "1MB" },
        { "1b", 0, NO_SIZE, "1B" },
        { "1k", 0, NO_SIZE, "1KiB" },
        { "1K", 0, NO_SIZE, "1KiB" },
        { "1m", 0, NO_SIZE, "1MiB" },
        { "1M", 0, NO_SIZE, "1MiB" },
        { "1g", 0, NO_SIZE, "1GiB" },
        { "1G", 0, NO_SIZE, "1GiB" },
        { "1t", 0, NO_SIZE, "1TiB" },
        { "1T", 0, NO_SIZE, "1TiB" },
        { "1x", 0, NO_SIZE, NULL },
        { "1kx", 0, NO_SIZE, NULL },
        { "1kib2", 0, NO_SIZE, NULL },
        { "1KiB 2", 0, NO_SIZE, NULL },
        { "1k2", 0, NO_SIZE, NULL },
        { "1/2KiB", 0, NO_SIZE, NULL },
        { "1:2", 0, NO_SIZE, NULL },
        { "0000000000000000000000000000000000000001k", 0, NO_SIZE,
          "0000000000000000000000000000000000000001KiB" },
        { "00000000000000000000000000000000000000012k", 0, NO_SIZE,
          "0000000000000000000000000000000000000001KiB" }, // 40 characters of it
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_hint hint = { .text = "" };
        int64_t           bytes = -77;

        expect(cases[i].text, value_size(bp_str_of(cases[i].text), &bytes, &hint),
               cases[i].problem);
        expect_hint(cases[i].text, &hint, cases[i].hint);
        if (bytes != (cases[i].problem ? -77 : cases[i].bytes))
            fail_msg("%s is %lld", cases[i].text, (long long)bytes);
    }
}

static void durations_are_sums_of_numbers_with_units(void **state)
{
    static const struct {
        const char *text;
        int64_t     ns;
        const char *problem, *hint;
    } cases[] = {
        { "0", 0, NULL, NULL },
        { "1ns", 1, NULL, NULL },
        { "2us", 2000, NULL, NULL },
        { "250ms", 250000000, NULL, NULL },
        { "2s", 2000000000, NULL, NULL },
        { "5m", INT64_C(300000000000), NULL, NULL },
        { "1h", INT64_C(3600000000000), NULL, NULL },
        { "7d", INT64_C(604800000000000), NULL, NULL },
        { "1h30m", INT64_C(5400000000000), NULL, NULL },
        { "1h 30m", 0, NO_DURATION, NULL },
        { "1.5s", 1500000000, NULL, NULL },
        { "2 s", 2000000000, NULL, NULL },
        { "0s", 0, NULL, NULL },
        { "106751d", INT64_C(9223286400000000000), NULL, NULL },
        { "106752d", 0, LARGE, NULL },
        { "106751d106751d", 0, LARGE, NULL },
        { "", 0, NO_DURATION, NULL },
        { "s", 0, NO_DURATION, NULL },
        { "-1s", 0, NO_DURATION, NULL },
        { "2s-", 0, NO_DURATION, NULL },
        { "2", 0, NO_UNIT, "2s" },
        { "00", 0, NO_UNIT, "00s" },
        { "2 ", 0, NO_UNIT, "2s" },
        { "1m30", 0, NO_UNIT, "1m30s" },
        { "2!", 0, NO_UNIT, NULL },
        { "2S", 0, NO_DURATION, "2s" },
        { "2Ms", 0, NO_DURATION, "2ms" },
        { "2sec", 0, NO_DURATION, "2s" },
        { "2secs", 0, NO_DURATION, "2s" },
        { "2second", 0, NO_DURATION, "2s" },
        { "2 Seconds", 0, NO_DURATION, "2s" },
        { "2min", 0, NO_DURATION, "2m" },
        { "2mins", 0, NO_DURATION, "2m" },
        { "2minute", 0, NO_DURATION, "2m" },
        { "2minutes", 0, NO_DURATION, "2m" },
        { "2hr", 0, NO_DURATION, "2h" },
        { "2hour", 0, NO_DURATION, "2h" },
        { "2hours", 0, NO_DURATION, "2h" },
        { "2day", 0, NO_DURATION, "2d" },
        { "2days", 0, NO_DURATION, "2d" },
        { "2msec", 0, NO_DURATION, "2ms" },
        { "2millis", 0, NO_DURATION, "2ms" },
        { "2milliseconds", 0, NO_DURATION, "2ms" },
        { "2parsecs", 0, NO_DURATION, NULL },
        { "2sec3", 0, NO_DURATION, NULL },
        { "1h2min", 0, NO_DURATION, "1h2m" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_hint hint = { .text = "" };
        int64_t           ns = -77;

        expect(cases[i].text, value_duration(bp_str_of(cases[i].text), &ns, &hint),
               cases[i].problem);
        expect_hint(cases[i].text, &hint, cases[i].hint);
        if (ns != (cases[i].problem ? -77 : cases[i].ns))
            fail_msg("%s is %lld", cases[i].text, (long long)ns);
    }
}

static void a_choice_is_its_place_in_the_list(void **state)
{
    static const struct {
        const char *text;
        int32_t     index; /* -1: refused */
        const char *hint;
    } cases[] = { { "debug", 0, NULL }, { "info", 1, NULL },     { "WARN", 2, NULL },
                  { "error", 3, NULL }, { "infoo", -1, "info" }, { "warm", -1, "warn" },
                  { "x", -1, NULL },    { "", -1, NULL },        { "debug|info", -1, NULL } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_hint hint = { .text = "" };
        int32_t           index = -1;

        expect(cases[i].text,
               value_enum(bp_str_of(cases[i].text), "debug|info|warn|error", &index, &hint),
               cases[i].index < 0 ? "is not one of" : NULL);
        expect_hint(cases[i].text, &hint, cases[i].hint);
        assert_int_equal(index, cases[i].index);
    }
}

static void addresses_have_a_host_and_a_port_or_a_path(void **state)
{
    static const char unix_path[] = "is not an address (write unix: and an absolute path)";
    static const struct {
        const char *text, *problem, *hint;
        bool        is_loopback;
    } cases[] = {
        { "127.0.0.1:8000", NULL, NULL, true },
        { "127.9.9.9:1", NULL, NULL, true },
        { "128.0.0.1:1", NULL, NULL, false },
        { "localhost:0", NULL, NULL, true },
        { "localhosts:0", NULL, NULL, false },
        { "[::1]:65535", NULL, NULL, true },
        { "[::2]:1", NULL, NULL, false },
        { "[fe80::1]:1", NULL, NULL, false },
        { ":8000", NULL, NULL, false },
        { "a.b-c_D9:1", NULL, NULL, false },
        { "0.0.0.0:1", NULL, NULL, false },
        { "unix:/a", NULL, NULL, true },
        { "unix:/", unix_path, NULL, true },
        { "unix:a", unix_path, NULL, true },
        { "unix:ab", unix_path, NULL, true },
        { "unix:", unix_path, NULL, true },
        { "8000", NO_ADDRESS, ":8000", false },
        { "65535", NO_ADDRESS, ":65535", false },
        { "65536", NO_HOST_PORT, NULL, false },
        { "", NO_ADDRESS, NULL, false },
        { "host", NO_HOST_PORT, NULL, false },
        { "host:", NO_PORT, NULL, false },
        { ":", NO_PORT, NULL, false },
        { "host:65536", NO_PORT, NULL, false },
        { "host:000001", NO_PORT, NULL, false },
        { "host:x", NO_PORT, NULL, false },
        { "ho st:1", NO_ADDRESS, NULL, false },
        { "h\x7f:1", NO_ADDRESS, NULL, false },
        { "h\x1f:1", NO_ADDRESS, NULL, false },
        { "-host:1", NO_ADDRESS, NULL, false },
        { ".host:1", NO_ADDRESS, NULL, false },
        { "h/x:1", NO_ADDRESS, NULL, false },
        { "h@x:1", NO_ADDRESS, NULL, false },
        { "h[x:1", NO_ADDRESS, NULL, false },
        { "h`x:1", NO_ADDRESS, NULL, false },
        { "h{x:1", NO_ADDRESS, NULL, false },
        { "::1", NO_ADDRESS, "[::1]:8000", false },
        { "fe80::1", NO_ADDRESS, "[fe80::1]:8000", false },
        { "a:b:c", NO_ADDRESS, NULL, false },
        { "[::1]", NO_HOST_PORT, NULL, true },
        { "[::1", NO_ADDRESS, NULL, false },
        { "[::1]1", NO_ADDRESS, NULL, false },
        { "[::1]:", NO_PORT, NULL, true },
        { "[x]:1", NO_ADDRESS, NULL, false },
        { "[]:1", NO_ADDRESS, NULL, false },
        { "[::1]:65536", NO_PORT, NULL, true },
        { "127.:1", NULL, NULL, true },
        { "127.0.0.1/x:1", NO_ADDRESS, NULL, false },
    };
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_hint hint = { .text = "" };

        expect(cases[i].text, value_address(bp_str_of(cases[i].text), &hint), cases[i].problem);
        expect_hint(cases[i].text, &hint, cases[i].hint);
        if (address_is_loopback(bp_str_of(cases[i].text)) != cases[i].is_loopback)
            fail_msg("%s: is loopback", cases[i].text);
    }
    for (int len = 106; len <= 108; len++) {
        struct value_hint hint = { .text = "" };

        snprintf(text, sizeof(text), "unix:/%0*d", len - 1, 0);
        expect(text, value_address(bp_str_of(text), &hint),
               len <= 107 ? NULL : "is longer than the 107 bytes of a Unix socket's path");
    }
    for (int len = 252; len <= 254; len++) {
        struct value_hint hint = { .text = "" };

        snprintf(text, sizeof(text), "%0*d:1", len, 0);
        expect(text, value_address(bp_str_of(text), &hint), len <= 253 ? NULL : NO_ADDRESS);
    }
}

static const char bare[] = "is not a URL (it has no scheme)",
                  no_host[] = "is not a URL (it names no host)",
                  bad_host[] = "is not a URL (its host is not well formed)",
                  bad_port[] = "is not a URL (its port is not a number from 0 to 65535)",
                  empty[] = "is not a URL (one of its hosts is empty)",
                  blank[] = "is not a URL (it has a blank in it)";
static const struct {
    const char *text, *schemes, *problem, *hint;
} urls[] = {
    { "http://h", NULL, NULL, NULL },
    { "https://h:1/p?q#f", NULL, NULL, NULL },
    { "HTTP://h", NULL, NULL, NULL },
    { "http://u:p@h:1/", NULL, NULL, NULL },
    { "http://a@b@h", NULL, NULL, NULL },
    { "http://[::1]:1/", NULL, NULL, NULL },
    { "http://[::1]", NULL, NULL, NULL },
    { "http://h?x:y", NULL, NULL, NULL },
    { "http://h#x:y", NULL, NULL, NULL },
    { "http://h/x:y@z", NULL, NULL, NULL },
    { "", NULL, bare, NULL },
    { "h", NULL, bare, "http://h" },
    { "h:1", NULL, bare, "http://h:1" },
    { "http:h", NULL, bare, "http://http:h" },
    { "http:/", NULL, bare, "http://http:/" },
    { "http:/h", NULL, bare, "http://http:/h" },
    { "h", "postgres|postgresql", bare, "postgres://h" },
    { "ht p://h", NULL, blank, NULL },
    { "http://h/\x7f", NULL, blank, NULL },
    { "htp://h", NULL, "is not a URL", "http://h" },
    { "httpx://h", NULL, "is not a URL", "http://h" },
    { "gopher://h", NULL, "is not a URL with a scheme that is understood here (http, https)",
      NULL },
    { "gopher://h", "redis|rediss|a+b|unix",
      "is not a URL with a scheme that is understood here (redis, rediss, unix)", NULL },
    { "gopher://h", "a+b", "is not a URL with a scheme that is understood here", NULL },
    { "http://", NULL, no_host, NULL },
    { "http:///p", NULL, no_host, NULL },
    { "http://u@", NULL, no_host, NULL },
    { "http://h:", NULL, bad_port, NULL },
    { "http://h:65536", NULL, bad_port, NULL },
    { "http://h:x", NULL, bad_port, NULL },
    { "http://-h", NULL, bad_host, NULL },
    { "http://h,i", NULL, bad_host, NULL },
    { "http://[::1", NULL, bad_host, NULL },
    { "http://[x]", NULL, bad_host, NULL },
    { "http://[::1]x", NULL, bad_host, NULL },
    { "pg://h,i:1", "pg", NULL, NULL },
    { "pg://", "pg", NULL, NULL },
    { "pg:///db", "pg", NULL, NULL },
    { "pg://u@h,[::1]:2/db", "pg", NULL, NULL },
    { "pg://%2Frun", "pg", NULL, NULL },
    { "pg://%2frun,h", "pg", NULL, NULL },
    { "pg://%2Erun", "pg", bad_host, NULL },
    { "pg://h,,i", "pg", empty, NULL },
    { "pg://,h", "pg", empty, NULL },
    { "pg://h,", "pg", NULL, NULL },
    { "pg://h,i:x", "pg", bad_port, NULL },
    { "pg://h:x,i", "pg", bad_port, NULL },
    { "pg://h,-i", "pg", bad_host, NULL },
};

static void urls_have_a_scheme_and_hosts(void **state)
{
    char              text[400], wanted[512];
    struct value_hint hint;

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        hint = (struct value_hint){ .text = "" };
        expect(urls[i].text, value_url(bp_str_of(urls[i].text), urls[i].schemes, &hint),
               urls[i].problem);
        expect_hint(urls[i].text, &hint, urls[i].hint);
    }
    for (int len = 199; len <= 200; len++) { // what is long is not repeated
        hint = (struct value_hint){ .text = "" };
        snprintf(text, sizeof(text), "%0*d", len, 0);
        snprintf(wanted, sizeof(wanted), "http://%s", text);
        value_url(bp_str_of(text), NULL, &hint);
        expect_hint(text, &hint, len < 200 ? wanted : "");
        hint = (struct value_hint){ .text = "" };
        snprintf(text, sizeof(text), "htp://%0*d", len, 0);
        value_url(bp_str_of(text), NULL, &hint);
        expect_hint(text, &hint, len < 200 ? wanted : "");
    }
}

/* As many schemes are named as the sentence has room for. */
static void a_long_list_of_schemes_is_cut(void **state)
{
    struct value_hint hint = { .text = "" };
    char              schemes[600] = "", *problem;

    (void)state;
    for (int i = 0; i < 20; i++)
        snprintf(schemes + strlen(schemes), sizeof(schemes) - strlen(schemes), "%sscheme-%02d-long",
                 i ? "|" : "", i);
    problem = (char *)(uintptr_t)value_url(BP_STR("ftp://h"), schemes, &hint);
    assert_ptr_equal(problem, hint.problem);
    assert_int_equal(strlen(problem), 50 + 12 * 16 + 1);
    assert_string_equal(problem + strlen(problem) - 17, ", scheme-11-long)");
}

static void choices_are_taken_one_by_one(void **state)
{
    bp_str rest;

    (void)state;
    assert_true(bp_str_is(choice_next(BP_STR("a|b|c"), &rest), "a"));
    assert_true(bp_str_is(rest, "b|c"));
    assert_true(bp_str_is(choice_next(BP_STR("c"), &rest), "c"));
    assert_int_equal(rest.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_words_are_true_or_false),
        cmocka_unit_test(whole_numbers_and_numbers_say_what_they_are_not),
        cmocka_unit_test(sizes_have_units_of_both_kinds),
        cmocka_unit_test(durations_are_sums_of_numbers_with_units),
        cmocka_unit_test(a_choice_is_its_place_in_the_list),
        cmocka_unit_test(addresses_have_a_host_and_a_port_or_a_path),
        cmocka_unit_test(urls_have_a_scheme_and_hosts),
        cmocka_unit_test(a_long_list_of_schemes_is_cut),
        cmocka_unit_test(choices_are_taken_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

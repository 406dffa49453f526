/* test_terminal.c - which signs of a text become visible before they reach a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/terminal.h"

static void control_characters_become_visible(void **state)
{
    static const struct {
        bp_str      text;
        const char *safe;
    } cases[] = {
        { { "", 0 }, "" },
        { { "plain", 5 }, "plain" },
        { { "a\tb\nc", 5 }, "a\tb\nc" },
        { { "\r\n", 2 }, "\r\n" },
        { { "a\r\nb", 4 }, "a\r\nb" },
        { { "\r", 1 }, "\\x0d" },
        { { "\ra", 2 }, "\\x0da" },
        { { "a\r\n", 2 }, "a\\x0d" }, // what stands behind the end is not looked at
        { { "\r\r\n", 3 }, "\\x0d\r\n" },
        { { "\0", 1 }, "\\x00" },
        { { "a\x01z", 3 }, "a\\x01z" },
        { { "\x1b[31m", 5 }, "\\x1b[31m" },
        { { "\x1f ~\x7f", 4 }, "\\x1f ~\\x7f" },
        { { "\x7e\x7f\x7e", 3 }, "~\\x7f~" },
        { { "\xc2\x80", 2 }, "\\u0080" },
        { { "a\xc2\x9fz", 4 }, "a\\u009fz" },
        { { "\xc2\xa0", 2 }, "\xc2\xa0" },
        { { "\xc2\x7f", 2 }, "\xc2\\x7f" },
        { { "\xc2\x80", 1 }, "\xc2" },
        { { "\xc3\x80\xc1\x80", 4 }, "\xc3\x80\xc1\x80" },
        { { "\xc2\x9b\xc2\x9bx", 5 }, "\\u009b\\u009bx" },
        { { "\x07\x07", 2 }, "\\x07\\x07" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bp_buf safe;

        buf_init(&safe, NULL, 1024);
        buf_add_char(&safe, '>');
        terminal_add_safe(&safe, cases[i].text);
        assert_string_equal(buf_str(&safe).data + 1, cases[i].safe);
        buf_free(&safe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_become_visible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

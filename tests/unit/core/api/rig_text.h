/* rig_text.h - texts in tests: made, compared whole, and rid of what differs each time. */
#ifndef RIG_TEXT_H
#define RIG_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <backplane/base.h>

static inline char *replaced(char *text, const char *old, const char *new)
{
    char *at;

    while ((at = strstr(text, old)) != NULL) {
        size_t before = (size_t)(at - text);
        char  *made = malloc(strlen(text) + strlen(new) + 1);

        sprintf(made, "%.*s%s%s", (int)before, text, new, at + strlen(old));
        free(text);
        text = made;
    }
    return text;
}

static inline void swap(char *text, char from, char to)
{
    for (; *text; text++)
        if (*text == from)
            *text = to;
}

/* Ids of 32 digits, and times: "ID", "TIME". */
static inline char *hide_ids(char *text)
{
    for (size_t i = 0; text[i]; i++) {
        size_t digits = strspn(text + i, "0123456789abcdef");

        if (digits == 32) {
            memmove(text + i + 2, text + i + 32, strlen(text + i + 32) + 1);
            memcpy(text + i, "ID", 2);
        } else if (strncmp(text + i, "20", 2) == 0 && strlen(text + i) >= 24 &&
                   text[i + 10] == 'T' && text[i + 23] == 'Z') {
            memmove(text + i + 4, text + i + 24, strlen(text + i + 24) + 1);
            memcpy(text + i, "TIME", 4);
        } else if (digits > 1) {
            i += digits - 1;
        }
    }
    return text;
}

static inline char *formatted(const char *format, ...) BP_FORMAT(1, 2);
static inline char *formatted(const char *format, ...)
{
    char   *text;
    va_list args;

    va_start(args, format);
    assert_true(vasprintf(&text, format, args) >= 0);
    va_end(args);
    return text;
}

#define EXPECT_TEXT(text, wanted)                                                                  \
    do {                                                                                           \
        if (strcmp(text, wanted) != 0)                                                             \
            fail_msg("\nnot    %s\nbut is %s", wanted, text);                                      \
    } while (0)

#endif

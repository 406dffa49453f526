/* caught.h - catches standard output or standard error as a text.
 *
 *      caught_begin(stdout);
 *      print_something();
 *      assert_string_equal(caught_end(stdout), "something\n");
 *
 * cmocka's own messages would be caught as well: assert nothing before caught_end().
 */
#ifndef TESTS_LIB_CAUGHT_H
#define TESTS_LIB_CAUGHT_H

#include <stdio.h>
#include <unistd.h>

enum { CAUGHT_BYTES = 32768 };

static struct {
    int  before;
    char text[CAUGHT_BYTES];
} caught[2]; /* of stdout, of stderr */

static inline void caught_begin(FILE *stream)
{
    FILE *file = tmpfile();

    fflush(stream);
    caught[stream == stderr].before = dup(fileno(stream));
    dup2(fileno(file), fileno(stream));
    fclose(file);
}

/* The text stays until the next caught_begin() of the stream. */
static inline const char *caught_end(FILE *stream)
{
    char   *text = caught[stream == stderr].text;
    ssize_t len;

    fflush(stream);
    len = pread(fileno(stream), text, CAUGHT_BYTES - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    dup2(caught[stream == stderr].before, fileno(stream));
    close(caught[stream == stderr].before);
    return text;
}

#endif

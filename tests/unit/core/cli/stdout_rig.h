/* stdout_rig.h - catches standard output as a text; standard error is for core/host/stderr_rig.h.
 */
#ifndef STDOUT_RIG_H
#define STDOUT_RIG_H

#include <stdio.h>
#include <unistd.h>

static int  stdout_before = -1;
static char stdout_text[32768];

/* cmocka's own messages would be taken as well: assert nothing before stdout_end(). */
static inline void stdout_begin(void)
{
    FILE *file = tmpfile();

    fflush(stdout);
    stdout_before = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    fclose(file);
}

static inline const char *stdout_end(void)
{
    ssize_t len;

    fflush(stdout);
    len = pread(STDOUT_FILENO, stdout_text, sizeof(stdout_text) - 1, 0);
    stdout_text[len > 0 ? len : 0] = '\0';
    dup2(stdout_before, STDOUT_FILENO);
    close(stdout_before);
    return stdout_text;
}

#endif

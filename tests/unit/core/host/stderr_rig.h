/* stderr_rig.h - catches standard error as a text. */
#ifndef STDERR_RIG_H
#define STDERR_RIG_H

#include <stdio.h>
#include <unistd.h>

static int  stderr_before = -1;
static char stderr_text[8192];

/* cmocka's own messages would be taken as well: assert nothing before stderr_end(). */
static inline void stderr_begin(void)
{
    FILE *file = tmpfile();

    fflush(stderr);
    stderr_before = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    fclose(file);
}

static inline const char *stderr_end(void)
{
    ssize_t len;

    fflush(stderr);
    len = pread(STDERR_FILENO, stderr_text, sizeof(stderr_text) - 1, 0);
    stderr_text[len > 0 ? len : 0] = '\0';
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    return stderr_text;
}

#endif

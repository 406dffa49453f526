/* must.c - allocations that the process cannot do without. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ATTEMPTS = 100, PAUSE_US = 10000 };

void *must_have(size_t size_bytes, const char *purpose)
{
    char text[256];
    int  len;

    for (int i = 0; i < ATTEMPTS; i++) {
        void *piece = calloc(1, size_bytes);

        if (piece)
            return piece;
        usleep(PAUSE_US);
    }
    len = snprintf(text, sizeof(text),
                   "backplane: no memory for %s (%zu bytes), also after a second of waiting, so "
                   "the "
                   "process ends; give it more memory or less to do at once\n",
                   purpose, size_bytes);
    (void)!write(STDERR_FILENO, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
    _exit(MUST_EXIT_STATUS);
}

char *must_copy(const char *text, size_t len, const char *purpose)
{
    char *copy = must_have(len + 1, purpose);

    if (len)
        memcpy(copy, text, len);
    return copy;
}

/* check.c - ends a process with a broken invariant. */
#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char        text[512];
static atomic_bool is_failing, is_written, is_left_to_report;

const char *check_sentence(void)
{
    return atomic_load(&is_written) ? text : NULL;
}

void check_leave_to_report(void)
{
    atomic_store(&is_left_to_report, true);
}

/* From the project's own folder on: where it was built is nobody's business. */
static const char *place_of(const char *file)
{
    static const char *const folders[] = { "/tests/", "/core/", "/sdk/" };

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const char *last = NULL, *at = file;

        while ((at = strstr(at, folders[i])))
            last = ++at;
        if (last)
            return last;
    }
    return file;
}

void check_failed(const char *file, int line, const char *condition)
{
    // Of two threads that fail at once one is told of; both are the end.
    if (!atomic_exchange(&is_failing, true)) {
        snprintf(text, sizeof(text), "%s:%d: broken invariant: %s", place_of(file), line,
                 condition);
        atomic_store(&is_written, true);
        if (!atomic_load(&is_left_to_report)) {
            (void)!write(STDERR_FILENO, text, strlen(text));
            (void)!write(STDERR_FILENO, "\n", 1);
        }
    }
    abort();
}

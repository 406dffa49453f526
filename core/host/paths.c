/* paths.c - the paths of this installation. */
#include "host/paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void paths_beside_program(const char *relative, char *out, size_t size)
{
    char    program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char   *slash;

    program[len > 0 ? len : 0] = '\0';
    for (slash = strrchr(program, '/'); slash; slash = strrchr(program, '/')) {
        *slash = '\0';
        if (strncmp(relative, "../", 3) != 0)
            break;
        relative += 3;
    }
    if (snprintf(out, size, "%s/%s", program, relative) >= (int)size)
        out[0] = '\0';
}

void paths_plugins(char *out, size_t size)
{
    const char *wanted = getenv("BACKPLANE_PLUGINS");

    if (wanted && *wanted) {
        snprintf(out, size, "%s", wanted);
        return;
    }
    paths_beside_program("../lib/backplane/plugins", out, size);
    if (access(out, R_OK) != 0)
        paths_beside_program("../plugins", out, size);
}

void paths_share(char *out, size_t size)
{
    paths_beside_program("../share/backplane", out, size);
}

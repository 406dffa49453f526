/* paths.h - the paths of this installation, found relative to the program, so that it can be moved.
 */
#ifndef CORE_HOST_PATHS_H
#define CORE_HOST_PATHS_H

#include <stddef.h>

/* `relative` to the folder of the running program, without "..": P/bin/backplane and "../lib" are
 * "P/lib". */
void paths_beside_program(const char *relative, char *out, size_t size);
/* The folder of the first-party plugins: $BACKPLANE_PLUGINS, or lib/backplane/plugins, or that of
 * the build tree. */
void paths_plugins(char *out, size_t size);
/* share/backplane: the template, the docs. */
void paths_share(char *out, size_t size);

#endif

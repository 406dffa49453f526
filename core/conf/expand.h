/* expand.h - puts the environment and mounted secrets into the values of a conf.
 *
 *      ${NAME}             the environment variable; an error that names it when it is not set
 *      ${NAME:-default}    the default when it is not set or empty; the default may hold another ${...}
 *      ${file:PATH}        a file of at most 64 KiB, without the line break at its end; a relative path starts
 *                          at the directory of the conf file
 *      $${                 the two characters ${
 *
 * Only values are expanded, never keys, and inserted text is not expanded again.
 */
#ifndef CORE_CONF_EXPAND_H
#define CORE_CONF_EXPAND_H

#include "conf/problem.h"

enum { EXPAND_MAX_FILE_BYTES = 64 << 10, EXPAND_MAX_VALUE_BYTES = 256 << 10 };

/* Where ${NAME} is looked up: NULL when it is not set. */
struct conf_environment {
    const char *(*get)(void *context, const char *name);
    void *context;
};

/* getenv(). */
extern const struct conf_environment conf_process_environment;

/* Expands every scalar below `root`, which may be NULL. `directory` is that of the conf file. */
void expand_tree(struct conf_problems *problems, const struct conf_environment *environment,
                 const char *directory, struct conf_node *root);

#endif

/* conf_commands.h - `backplane config`, `backplane schema` and `backplane docs`: the effective
 * conf, and the options of a conf. */
#ifndef CORE_CLI_CONF_COMMANDS_H
#define CORE_CLI_CONF_COMMANDS_H

#include <stdio.h>

#include "conf/conf_print.h"

/* All return the exit status: 0, or 1 after a sentence on `errors`. */

/* The conf as it takes effect. */
int command_config(const struct conf *conf, FILE *out, FILE *errors);
int command_config_json(const struct conf *conf, FILE *out, FILE *errors);
/* JSON Schema of the conf with the plugins there are. */
int command_schema(const struct conf_plugins *plugins, FILE *out, FILE *errors);
/* Writes conf.md and conf/KIND-NAME.md below `folder`, which must be there. With `is_check` nothing
 * is written, and each page that differs, is missing or belongs to no plugin is named: that is how
 * CI keeps the pages true. */
int command_docs(const struct conf_plugins *plugins, const char *folder, bool is_check,
                 FILE *errors);

#endif

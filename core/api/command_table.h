/* command_table.h - the commands of an app: their table, checked once and written as JSON for the
 * command line.
 */
#ifndef CORE_API_COMMAND_TABLE_H
#define CORE_API_COMMAND_TABLE_H

#include <backplane/command.h>

#include "base/json.h"
#include "base/reason.h"

enum { COMMANDS_OF_APP_MAX = 64, COMMAND_OPTIONS_MAX = 64, COMMAND_NAME_MAX = 64 };

struct app_command {
    bp_command               spec;    /* as far as both sides know it */
    const bp_command_option *options; /* the same; spec.option_count of them */
    size_t                   words_min, words_max;
};

/* False with a sentence in `why`; `owner` is the instance's name. The copies are in the arena,
 * the texts the plugin's. */
bool command_table_read(struct arena *arena, const bp_app_ops *app, const char *owner,
                        struct app_command **commands, size_t *count, struct reason *why);
/* One object: {"instance", "name", "arguments", "summary", "options": [...], ...}. */
void command_table_write(bp_json_writer *w, const char *instance,
                         const struct app_command *command);

/* How many words `arguments` ("TEXT", "PATH...", "[ID]") stands for. */
void command_words_of(const char *arguments, size_t *least, size_t *most);

#endif

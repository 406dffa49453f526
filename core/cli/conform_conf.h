/* conform_conf.h - the conf that `backplane conform` runs on, from what its command line says. */
#ifndef CORE_CLI_CONFORM_CONF_H
#define CORE_CLI_CONFORM_CONF_H

#include "plugin/registry.h"

enum { CONFORM_SETTINGS_MAX = 64 };

struct conform_wish {
    const char *file;   /* of a plugin that is not installed; or NULL */
    const char *folder; /* of the run: its data are in there */
    const char *settings[CONFORM_SETTINGS_MAX],
        *wrong[CONFORM_SETTINGS_MAX];        /* "KEY=VALUE" of the instance */
    const char *peers[CONFORM_SETTINGS_MAX]; /* "KIND=YAML", in place of the embedded "main" */
    size_t      setting_count, wrong_count, peer_count;
};

/* To be freed; NULL after sentences on stderr. With the wrong settings in place of the right ones,
 * or without. */
char *conform_conf_write(const struct conform_wish *wish, const struct plugin *plugin,
                         bool is_wrong);
/* False after a sentence on stderr. */
bool conform_conf_check_wrong(const struct conform_wish *wish, const struct plugin *plugin);

#endif

/* app_table.h - the commands that apps bring, as the command line knows them: from the plugins of a
 * conf, or from a server.
 */
#ifndef CORE_CLI_APP_TABLE_H
#define CORE_CLI_APP_TABLE_H

#include "base/reason.h"
#include "cli/cli.h"
#include "cli/client.h"

struct app_option {
    const char *name, *value; /* without dashes; value NULL: a flag */
    bool        is_required, is_file;
};

struct app_entry {
    struct command     shown; /* for help; its name is INSTANCE:NAME where NAME alone is taken */
    const char        *instance, *name, *usage, *endings;
    bool               is_taken; /* by the program itself, or by an app before it in the conf */
    bool               takes_files, counts_lines;
    size_t             words_min, words_max;
    struct app_option *options;
    size_t             option_count;
};

struct app_table {
    struct arena      arena;
    struct app_entry *entries;
    size_t            count, capacity;
    struct reason     problem; /* why a conf gives none, or not all; empty: it gives all */
};

void app_table_init(struct app_table *table);
void app_table_free(struct app_table *table);
/* Of the conf's apps, in its order: their plugins are loaded, and nothing of them runs. */
void app_table_of_conf(struct app_table *table, const char *conf_file);
/* Of a server. False with a sentence in client->problem. */
bool app_table_of_server(struct app_table *table, struct client *client);

/* The same; a mistake becomes table->problem. */
void app_table_of_url(struct app_table *table, const char *url);

/* Of a command line without the program's name: NAME..., or INSTANCE:NAME... NULL: none. */
const struct app_entry *app_table_find(const struct app_table *table, int argc, char **argv);
/* As it is typed. */
void app_table_print_usage(const struct app_entry *entry);

#endif

/* cli.h - the subcommands of `backplane`: one function each, called by the table in help.c. Those
 * of apps are in app_command.c. */
#ifndef CORE_CLI_CLI_H
#define CORE_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "host/exit_status.h"

/* An option of a command: what `--help` lists, and all that the command may take. */
struct command_option {
    const char *name;  /* "--scopes" */
    const char *value; /* what follows it: "NAME"; NULL: nothing, it is a flag */
    const char *help;
};

struct command {
    const char *name;      /* "serve", "key create" */
    const char *arguments; /* the words: "ID"; "" */
    const char *summary;
    int (*run)(int argc, char **argv);    /* argv[0] is the command's first word */
    const struct command_option *options; /* ended by one without a name */
};

/* help.c: the table of commands, and its printed help. */
extern const struct command commands[];
extern const size_t         command_count;

/* -c, --conf and --url: three, ended by one without a name. */
extern const struct command_option command_server_options[];

/* The command of a command line without the program's name: the one with most words that are its;
 * NULL: none. */
const struct command *command_find(int argc, char **argv);
/* The first word of the program's own that was probably meant: a command's name, which may go on
 * behind it; NULL: none. */
const char *command_nearest(const char *wanted);
/* What options are taken from now on is checked against its table. */
void command_begin(const struct command *command);
/* Whether the option belongs to the command that runs; ends the program when its table does not
 * have it, so that the two never differ. */
void command_check_option(const char *name);
/* Of the command that runs: the option called so, the one that was probably meant; NULL: none. */
const struct command_option *command_option_of(const char *name);
const char                  *command_nearest_option(const char *name);
/* All options of one command; of all that begin with this word, when there are several. */
void command_print_help(const struct command *command, int argc, char **argv);
void command_print_one(const struct command *command);
int  command_help(int argc, char **argv);
int  command_version(int argc, char **argv);

/* serve.c */
int command_serve(int argc, char **argv);
/* check.c */
int command_check_main(int argc, char **argv);
/* For `serve -t`. */
int command_check_conf(const char *conf_file, bool is_quiet);
int command_config_main(int argc, char **argv);
int command_schema_main(int argc, char **argv);
int command_docs_main(int argc, char **argv);
/* plugins.c */
int command_plugins(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_plugin(int argc, char **argv);
/* key.c */
int command_key(int argc, char **argv);
/* db.c */
int command_db(int argc, char **argv);
/* migrate.c */
int command_migrate(int argc, char **argv);
/* mcp.c */
int command_mcp(int argc, char **argv);
/* conform.c */
int command_conform(int argc, char **argv);
/* app_command.c: a command that is not the program's own: for the apps of the conf or of a server.
 * False: they have none of that name either; `nearest` is one that is called almost so, or empty.
 */
bool app_command_run(int argc, char **argv, int *status, char nearest[80]);

/* Options that every command has: takes "-c FILE" and "--conf FILE" out of argv; argc counts the
 * words left. */
const char *cli_take_conf(int *argc, char **argv);
/* The same; *is_given: somebody said so, and it is not one of the places where a conf may be. */
const char *cli_take_conf_if(int *argc, char **argv, bool *is_given);
/* Takes "--name VALUE" or "--name=VALUE" out of argv; NULL when it is not there. */
const char *cli_take_option(int *argc, char **argv, const char *name);
bool        cli_take_flag(int *argc, char **argv, const char *name);
/* False, after a sentence on stderr, when argv holds an option that nobody took or more than `most`
 * words. */
bool cli_is_all_taken(int argc, char **argv, int most);

#endif

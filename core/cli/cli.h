/* cli.h - the subcommands of `backplane`: one function each, called by the table in main.c. */
#ifndef CORE_CLI_CLI_H
#define CORE_CLI_CLI_H

#include <stdbool.h>

/* Exit statuses: those of sysexits.h where there is one, so that a supervisor can tell a bad conf from a crash. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_BIND = 71,    /* an address could not be bound */
    EXIT_STORAGE = 74, /* a storage back end or another instance could not start */
    EXIT_CONF = 78     /* the conf file has errors */
};

struct command {
    const char *name;
    const char *arguments; /* "[-c FILE] [--json]" */
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

/* serve.c */
int command_serve(int argc, char **argv);
/* check.c */
int command_check_main(int argc, char **argv);
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
/* ingest.c, search.c, eval.c */
int command_ingest(int argc, char **argv);
int command_search(int argc, char **argv);
int command_eval(int argc, char **argv);
/* reindex.c */
int command_reindex(int argc, char **argv);
int command_verify(int argc, char **argv);
/* conform.c */
int command_conform(int argc, char **argv);
/* journal.c */
int command_journal(int argc, char **argv);

/* Options that every command has: takes "-c FILE" and "--conf FILE" out of argv; argc is what is left. */
const char *cli_take_conf(int *argc, char **argv);
/* Takes "--name VALUE" or "--name=VALUE" out of argv; NULL when it is not there. */
const char *cli_take_option(int *argc, char **argv, const char *name);
bool        cli_take_flag(int *argc, char **argv, const char *name);
/* False, after a sentence on stderr, when argv holds an option that nobody took or more than `most` words. */
bool cli_is_all_taken(int argc, char **argv, int most);

#endif

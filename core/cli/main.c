/* main.c - `backplane`: a table of subcommands. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "version.h"

static int command_version(int argc, char **argv);
static int command_help(int argc, char **argv);

static const struct command commands[] = {
    { "serve", "[-c FILE]", "run the server", command_serve },
    { "check", "[-c FILE] [--replicas N]", "read a conf, report everything that is wrong with it", command_check_main },
    { "config", "[-c FILE]", "print the conf as it takes effect, with the source of each value", command_config_main },
    { "schema", "[-c FILE]", "print JSON Schema of the conf with the plugins there are", command_schema_main },
    { "docs", "[-c FILE] [--check] FOLDER", "write the reference pages, or compare them", command_docs_main },
    { "plugins", "[-c FILE] [--json]", "list the plugin files found, and why one is refused", command_plugins },
    { "inspect", "FILE.so [--json]", "say what a plugin file is, without loading it", command_inspect },
    { "plugin", "new NAME --kind KIND [--dir DIR]", "begin a plugin from the template", command_plugin },
    { "conform", "FILE.so|NAME [--kind KIND] [--set KEY=VALUE]...", "run the contract of its kind on a plugin", command_conform },
    { "key", "create|list|revoke [-c FILE] ...", "make, list and revoke API keys", command_key },
    { "db", "size|connections|bloat|tables|vacuum|reindex [-c FILE]", "look after a storage", command_db },
    { "migrate", "--from CONF --to CONF [--resume] [--verify-only]", "move what a deployment keeps to other back ends",
      command_migrate },
    { "mcp", "--app NAME... [-c FILE | --set KEY=VALUE... WORD...]", "serve apps over standard input and output",
      command_mcp },
    { "ingest", "--collection NAME [--url URL | -c FILE] PATH...", "put documents into a collection", command_ingest },
    { "search", "--collection NAME [--url URL | -c FILE] TEXT", "search a collection", command_search },
    { "reindex", "--collection NAME | --all [--url URL [--no-wait] | -c FILE]", "index collections anew from their stored texts",
      command_reindex },
    { "verify", "data [--collection NAME] [--url URL | -c FILE]", "compare the vector stores with the stored texts, and mend them",
      command_verify },
    { "journal", "sessions [--stuck 8h [--close]] [--url URL | -c FILE]", "work sessions that nobody ended", command_journal },
    { "eval", "--collection NAME --queries FILE --qrels FILE [--json]", "measure nDCG@10 and recall@100", command_eval },
    { "version", "", "print the version of this build", command_version },
    { "help", "", "print this list", command_help },
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("backplane %s (build %s, %s, %s fibers)\n", BACKPLANE_VERSION, BACKPLANE_BUILD, BACKPLANE_COMPILER,
           BACKPLANE_FIBER_BACKEND);
    return EXIT_DONE;
}

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("usage: backplane COMMAND [ARGUMENTS]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-8s %-56s %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
    printf("\nThe conf is -c FILE, else $BACKPLANE_CONF, else ./backplane.yaml, ./conf/backplane.yaml or\n"
           "etc/backplane/backplane.yaml beside the installation.\n");
    return EXIT_DONE;
}

/* `backplane COMMAND --help`. */
static bool asks_for_help(int argc, char **argv)
{
    return argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
}

static int print_usage(const struct command *command)
{
    printf("usage: backplane %s %s\n\n  %s\n", command->name, command->arguments, command->summary);
    return EXIT_DONE;
}

/* Buffers of a few 100 KiB come and go with requests; giving them back to the kernel each time costs more than using them. */
static void keep_some_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "help";
    const char *nearest = NULL;

    keep_some_memory();
    if (strcmp(wanted, "--version") == 0 || strcmp(wanted, "-V") == 0)
        wanted = "version";
    if (strcmp(wanted, "--help") == 0 || strcmp(wanted, "-h") == 0)
        wanted = "help";
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, wanted) == 0 && asks_for_help(argc, argv))
            return print_usage(&commands[i]);
        if (strcmp(commands[i].name, wanted) == 0)
            return commands[i].run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
        if (str_is_near(bp_str_of(wanted), bp_str_of(commands[i].name)))
            nearest = commands[i].name;
    }
    fprintf(stderr, "backplane: there is no command \"%s\"%s%s%s; `backplane help` lists them\n", wanted,
            nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
    return EXIT_USAGE;
}

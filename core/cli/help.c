/* help.c - the commands and their options as tables: what `--help` prints, and the only options
 * that a command can take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/app_table.h"
#include "version.h"

enum { OUTPUT_BYTES_MAX = 64 << 20 };

#define CONF_OPTIONS                                                                               \
    { "-c", "FILE",                                                                                \
      "the conf; default: $BACKPLANE_CONF, ./backplane.yaml, ./conf/backplane.yaml or the "        \
      "installed one" },                                                                           \
    {                                                                                              \
        "--conf", "FILE", "the same"                                                               \
    }
#define URL_OPTION                                                                                 \
    {                                                                                              \
        "--url", "URL",                                                                            \
            "ask the running server there, with the key in $BACKPLANE_API_KEY, instead of "        \
            "opening the data"                                                                     \
    }
#define JSON_OPTION                                                                                \
    {                                                                                              \
        "--json", NULL, "print JSON"                                                               \
    }
#define QUIET_OPTION(what)                                                                         \
    {                                                                                              \
        "-q", NULL, what                                                                           \
    }
#define NO_MORE                                                                                    \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }

static const struct command_option serve_options[] = {
    CONF_OPTIONS,
    { "-t", NULL, "check the conf, as `backplane check` does, and end" },
    QUIET_OPTION("log only warnings and errors, whatever log.level says"),
    { "-V", NULL, "print the version of this build, and end" },
    NO_MORE,
};
static const struct command_option check_options[] = {
    CONF_OPTIONS,
    { "--offline", NULL, "check only the text of the conf: no files, users, names or addresses" },
    { "--user", "NAME",
      "the user who will run the server: check that user's rights on the files of the conf" },
    { "--replicas", "N", "check that N processes can serve this conf together" },
    { "--strict", NULL, "treat warnings as errors" },
    QUIET_OPTION("print nothing if the conf is good"),
    JSON_OPTION,
    NO_MORE,
};
static const struct command_option config_options[] = { CONF_OPTIONS, JSON_OPTION, NO_MORE };
static const struct command_option conf_only[] = { CONF_OPTIONS, NO_MORE };
static const struct command_option docs_options[] = {
    CONF_OPTIONS, { "--check", NULL, "compare, and write nothing" }, NO_MORE
};
static const struct command_option plugins_options[] = { CONF_OPTIONS, JSON_OPTION, NO_MORE };
static const struct command_option json_only[] = { JSON_OPTION, NO_MORE };
static const struct command_option plugin_options[] = {
    { "--kind", "KIND", "storage, cache, vector, embed, llm, health, alert or app" },
    { "--dir", "DIR", "the folder to make; default: NAME" },
    NO_MORE
};
static const struct command_option conform_options[] = {
    { "--kind", "KIND", "kind of a plugin that is given by name" },
    { "--set", "KEY=VALUE", "an option of the instance; may be repeated" },
    { "--wrong", "KEY=VALUE", "an option that makes the credentials wrong; may be repeated" },
    { "--peer", "KIND=YAML",
      "the conf of `main` of that kind, instead of an embedded back end; may be repeated" },
    { "--restart", "COMMAND",
      "command that restarts the server behind the plugin; split at blanks, without a shell" },
    { "--strings", "FILE.json", "texts to try" },
    { "--workers", "N", "event loops; default: 2" },
    JSON_OPTION,
    NO_MORE,
};
static const struct command_option key_create_options[] = {
    CONF_OPTIONS,
    { "--scopes", "\"A B\"", "required: scopes of the key, `group:*`, or `*` for everything" },
    { "--name", "TEXT", "a name for people" },
    { "--tenant", "NAME", "the tenant of the key; default: \"default\"" },
    { "--expires", "90d|never", "lifetime; default: 90d" },
    { "--days", "N", "the same in days, for older scripts" },
    { "--any-scope", NULL, "accept scopes that no app of this conf uses" },
    JSON_OPTION,
    NO_MORE,
};
static const struct command_option key_options[] = { CONF_OPTIONS, JSON_OPTION, NO_MORE };
static const struct command_option db_options[] = {
    CONF_OPTIONS,
    { "--storage", "NAME", "the storage instance; default: \"main\"" },
    { "--table", "NAME", "for vacuum and reindex: only this table" },
    JSON_OPTION,
    NO_MORE,
};
static const struct command_option migrate_options[] = {
    { "--from", "CONF", "conf of the source" },
    { "--to", "CONF", "conf of the target" },
    { "--map", "KIND.NAME=KIND.NAME|none",
      "an instance with another name in the target; may be repeated" },
    { "--resume", NULL, "continue an unfinished move" },
    { "--verify-only", NULL, "compare, and write nothing" },
    { "--leave-out", NULL,
      "skip rows that no back end takes any more (a NUL in a text), and list them" },
    JSON_OPTION,
    NO_MORE,
};
static const struct command_option mcp_options[] = {
    CONF_OPTIONS,
    { "--app", "NAME",
      "with a conf: one of its apps (default: all); without: an app plugin; may be repeated" },
    { "--data", "FOLDER",
      "without a conf: folder of the data; default: $XDG_STATE_HOME/backplane" },
    { "--set", "KEY=VALUE",
      "without a conf: an option of the app, or APP.KEY=VALUE; may be repeated" },
    NO_MORE,
};
static const struct command_option help_options[] = { CONF_OPTIONS, URL_OPTION, JSON_OPTION,
                                                      NO_MORE };
const struct command_option        command_server_options[] = { CONF_OPTIONS, URL_OPTION, NO_MORE };
static const struct command_option no_options[] = { NO_MORE };

const struct command commands[] = {
    { "serve", "", "run the server", command_serve, serve_options },
    { "check", "",
      "check a conf and the files, users and addresses it names; report every mistake; write "
      "nothing",
      command_check_main, check_options },
    { "config", "", "print the effective conf, with the source of each value", command_config_main,
      config_options },
    { "schema", "", "print the JSON Schema of the conf, with all installed plugins",
      command_schema_main, conf_only },
    { "docs", "FOLDER", "write the reference pages, or compare them", command_docs_main,
      docs_options },
    { "plugins", "", "list the plugin files, with the reason for each refused one", command_plugins,
      plugins_options },
    { "inspect", "FILE.so", "describe a plugin file without loading it", command_inspect,
      json_only },
    { "plugin new", "NAME", "create a plugin from a template", command_plugin, plugin_options },
    { "conform", "FILE.so|NAME", "run the contract of its kind on a plugin", command_conform,
      conform_options },
    { "key create", "", "create an API key and print it", command_key, key_create_options },
    { "key list", "", "list API keys", command_key, key_options },
    { "key revoke", "ID", "revoke an API key", command_key, key_options },
    { "db", "size|connections|bloat|tables|vacuum|reindex", "report on a storage, or maintain it",
      command_db, db_options },
    { "migrate", "", "move a deployment's data to other back ends, and compare both",
      command_migrate, migrate_options },
    { "mcp", "[WORD]...",
      "serve MCP apps over standard input and output; words go into the first list option that the "
      "app requires",
      command_mcp, mcp_options },
    { "version", "", "print the version of this build", command_version, no_options },
    { "help", "",
      "print this list, with the commands of the conf's apps; with --json also all options",
      command_help, help_options },
};
const size_t command_count = sizeof(commands) / sizeof(commands[0]);

static const struct command
    *running; /* its options are taken; the command line is read by one thread, once */

static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

static bool has_first_word(const struct command *command, const char *word)
{
    return strlen(word) == first_word(command->name) &&
           memcmp(word, command->name, strlen(word)) == 0;
}

const struct command *command_find(int argc, char **argv)
{
    const struct command *found = NULL;

    for (size_t i = 0; i < command_count; i++) {
        const char *second = commands[i].name + first_word(commands[i].name);

        if (argc < 1 || !has_first_word(&commands[i], argv[0]))
            continue;
        if (!found)
            found = &commands[i];
        for (int w = 1; *second && w < argc; w++)
            if (strcmp(second + 1, argv[w]) == 0)
                return &commands[i];
    }
    return found;
}

const char *command_nearest(const char *wanted)
{
    const char *nearest = NULL;

    for (size_t i = 0; i < command_count; i++)
        if (str_is_near(bp_str_of(wanted),
                        bp_str_n(commands[i].name, first_word(commands[i].name))))
            nearest = commands[i].name;
    return nearest;
}

void command_begin(const struct command *command)
{
    running = command;
}

static const struct command_option *find_option(const struct command *command, const char *name)
{
    for (const struct command_option *option = command->options; option->name; option++)
        if (strcmp(option->name, name) == 0)
            return option;
    return NULL;
}

void command_check_option(const char *name)
{
    if (!running || find_option(running, name))
        return;
    // A command of two words may ask before it knows its second one.
    for (size_t i = 0; i < command_count; i++)
        if (commands[i].run == running->run && find_option(&commands[i], name))
            return;
    fprintf(stderr, "backplane %s: the option %s is missing in its table in core/cli/help.c\n",
            running->name, name);
    abort();
}

const struct command_option *command_option_of(const char *name)
{
    return running ? find_option(running, name) : NULL;
}

const char *command_nearest_option(const char *name)
{
    for (const struct command_option *option = running ? running->options : no_options;
         option->name; option++)
        if (str_is_near(bp_str_of(name), bp_str_of(option->name)))
            return option->name;
    return NULL;
}

void command_print_one(const struct command *command)
{
    printf("usage: backplane %s%s%s%s\n\n  %s\n", command->name,
           command->options->name ? " [OPTION]..." : "", *command->arguments ? " " : "",
           command->arguments, command->summary);
    for (const struct command_option *option = command->options; option->name; option++) {
        char shown[64];

        snprintf(shown, sizeof(shown), "%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        printf("%s  %-30s %s\n", option == command->options ? "\n" : "", shown, option->help);
    }
}

void command_print_help(const struct command *command, int argc, char **argv)
{
    const char *second = command->name + first_word(command->name);
    bool        is_given = !*second, is_first = true;

    for (int i = 1; i < argc; i++)
        is_given = is_given || strcmp(argv[i], second + 1) == 0;
    for (size_t i = 0; i < command_count; i++) {
        if (is_given ? &commands[i] != command : !has_first_word(&commands[i], argv[0]))
            continue;
        printf("%s", is_first ? "" : "\n");
        command_print_one(&commands[i]);
        is_first = false;
    }
}

static void add_json(struct bp_buf *out, const struct command *command, const char *instance)
{
    bp_json_writer w;

    buf_add(out, out->len ? BP_STR(",\n") : BP_STR("[\n"));
    json_writer_init(&w, out);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "name", command->name);
    json_put_text(&w, "arguments", command->arguments);
    if (instance)
        json_put_text(&w, "app", instance);
    json_key(&w, BP_STR("options"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (const struct command_option *option = command->options; option->name; option++) {
        json_begin(&w, JSON_KIND_OBJECT);
        json_put_text(&w, "name", option->name);
        json_put_bool(&w, "has_value", option->value != NULL);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
}

static void print_json(const struct app_table *apps)
{
    struct bp_buf out;

    buf_init(&out, NULL, OUTPUT_BYTES_MAX);
    for (size_t i = 0; i < command_count; i++)
        add_json(&out, &commands[i], NULL);
    for (size_t i = 0; i < apps->count; i++)
        add_json(&out, &apps->entries[i].shown, apps->entries[i].instance);
    printf("%s\n]\n", buf_str(&out).data);
    buf_free(&out);
}

static void print_line(const struct command *command)
{
    printf("  %-17s %-46s %s\n", command->name, command->arguments, command->summary);
}

static void print_text(const struct app_table *apps)
{
    printf("usage: backplane COMMAND [OPTION]... [WORD]...\n\n");
    for (size_t i = 0; i < command_count; i++)
        print_line(&commands[i]);
    for (size_t i = 0; i < apps->count; i++) {
        if (i == 0 || strcmp(apps->entries[i].instance, apps->entries[i - 1].instance) != 0)
            printf("\nof the app \"%s\":\n", apps->entries[i].instance);
        print_line(&apps->entries[i].shown);
    }
    printf(
        "\n`backplane COMMAND --help` lists the options of a command. Without a command, "
        "`backplane -c FILE` serves,\n"
        "`backplane -t` checks and `backplane -V` prints the version. Apps bring commands: those "
        "of the conf, or of\n"
        "the server at --url, are listed here. APP:COMMAND chooses between commands of the same "
        "name.\n\n"
        "The conf is -c FILE, else $BACKPLANE_CONF, else ./backplane.yaml, "
        "./conf/backplane.yaml or\n"
        "etc/backplane/backplane.yaml beside the installation.\n");
}

int command_help(int argc, char **argv)
{
    bool             is_given, is_json = cli_take_flag(&argc, argv, "--json");
    const char      *conf_file = cli_take_conf_if(&argc, argv, &is_given);
    const char      *url = cli_take_option(&argc, argv, "--url");
    struct app_table apps;

    if (!cli_is_all_taken(argc, argv, argc))
        return EXIT_USAGE;
    app_table_init(&apps);
    if (url)
        app_table_of_url(&apps, url);
    else if (is_given || access(conf_file, F_OK) == 0)
        app_table_of_conf(&apps, conf_file);
    if (is_json)
        print_json(&apps);
    else
        print_text(&apps);
    fflush(stdout);
    if (apps.problem.text[0])
        fprintf(stderr, "backplane help: commands of apps are missing here: %s\n",
                apps.problem.text);
    app_table_free(&apps);
    return EXIT_DONE;
}

int command_version(int argc, char **argv)
{
    if (argc > 1 && !cli_is_all_taken(argc, argv, 0))
        return EXIT_USAGE;
    printf("backplane %s (build %s, %s, %s fibers)\n", BACKPLANE_VERSION, BACKPLANE_BUILD,
           BACKPLANE_COMPILER, BACKPLANE_FIBER_BACKEND);
    return EXIT_DONE;
}

/* mcp.c - `backplane mcp`: apps over standard input and output, for clients that start their
 * servers themselves.
 *
 * With a conf it serves apps of that conf. Without one it writes a conf for the request itself:
 * each app gets the embedded back ends that it refers to, with data in a folder of the user's own.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/embedded_conf.h"
#include "host/host.h"

enum { FOREVER_S = 10 * 365 * 86400 };

struct stdio_serving {
    struct host       *host;
    const bp_str_list *apps;
};

static bp_status serve(bp_call *call, void *arg)
{
    struct stdio_serving *serving = arg;

    return mcp_serve_stdio(call, serving->host->edition->mcp, serving->apps, STDIN_FILENO,
                           STDOUT_FILENO);
}

/* Every app that was asked for is in the conf. */
static bool are_there(const struct conf *conf, const bp_str_list *apps, const char *file)
{
    for (size_t i = 0; i < apps->count; i++) {
        if (conf_find_instance(conf, BP_STR("app"), apps->items[i]))
            continue;
        fprintf(stderr, "backplane mcp: %s has no app \"" BP_FMT "\"\n", file,
                BP_ARG(apps->items[i]));
        return false;
    }
    return true;
}

static int run(const struct host_options *options)
{
    struct host          host;
    struct stdio_serving serving = { &host, options->stdio_apps };
    struct reason        why = { "" };
    int                  status = host_load(&host, options);

    if (status == EXIT_DONE && !are_there(host.conf, options->stdio_apps, options->conf_file))
        status = EXIT_CONF;
    if (status == EXIT_DONE)
        status = host_start(&host, options);
    if (status == EXIT_DONE && generation_call(&host.workers[0], BP_SECONDS((int64_t)FOREVER_S),
                                               serve, &serving, &why) != BP_OK) {
        fprintf(stderr, "backplane mcp: %s\n", why.text);
        status = EXIT_FAILED;
    }
    if (host.workers)
        host_stop(&host);
    host_free(&host);
    return status;
}

/* The conf that the user means: -c, $BACKPLANE_CONF; else none. The default places count only
 * without --app's settings: who starts a server from an editor does not think of the folder it is
 * started in. */
static const char *wanted_conf(int *argc, char **argv)
{
    const char *conf = cli_take_option(argc, argv, "-c");

    if (!conf)
        conf = cli_take_option(argc, argv, "--conf");
    return conf ? conf : getenv("BACKPLANE_CONF");
}

static int usage(void)
{
    fprintf(stderr,
            "usage: backplane mcp --app NAME [--app NAME]... -c FILE\n"
            "       backplane mcp --app PLUGIN... [--data FOLDER] [--set KEY=VALUE]... [WORD]...\n"
            "With a conf: serves the apps of that name (none: all). Without: serves these app "
            "plugins with embedded\n"
            "back ends; a setting is KEY=VALUE or APP.KEY=VALUE, and words are the first list that "
            "the app needs, as\n"
            "in `backplane mcp --app filesystem ~/notes`.\n");
    return EXIT_USAGE;
}

int command_mcp(int argc, char **argv)
{
    struct host_options  options = { .is_quiet = true };
    struct embedded_conf wish = { 0 };
    bp_str_list          apps = { wish.apps, 0 };
    char                *text = NULL;
    const char          *name;
    int                  status;

    options.conf_file = wanted_conf(&argc, argv);
    wish.data_dir = cli_take_option(&argc, argv, "--data");
    while ((name = cli_take_option(&argc, argv, "--app")) != NULL &&
           wish.app_count < EMBEDDED_APPS_MAX)
        wish.apps[wish.app_count++] = bp_str_of(name);
    while ((name = cli_take_option(&argc, argv, "--set")) != NULL &&
           wish.setting_count < EMBEDDED_SETTINGS_MAX)
        wish.settings[wish.setting_count++] = name;
    apps.count = wish.app_count;
    options.stdio_apps = &apps;
    if (options.conf_file && (wish.setting_count || argc > 1))
        return usage();
    if (!options.conf_file && !wish.app_count)
        return usage();
    for (int i = 1; i < argc && !options.conf_file; i++) {
        if (argv[i][0] == '-' && argv[i][1])
            return usage();
        if (wish.word_count < EMBEDDED_WORDS_MAX)
            wish.words[wish.word_count++] = argv[i];
    }
    signal(SIGPIPE, SIG_IGN);
    if (!options.conf_file) {
        text = embedded_conf_write(&wish);
        if (!text)
            return EXIT_CONF;
        options.conf_text = text;
        options.conf_file = "(what the command line asked for)";
    }
    status = run(&options);
    free(text);
    return status;
}

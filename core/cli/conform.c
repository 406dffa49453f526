/* conform.c - `backplane conform`: the words of the command that runs the contract of a plugin's
 * kind on it (core/conform), and the lines printed meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/conform_report.h"
#include "conform.h"

static void say(void *arg, const char *sentence)
{
    (void)arg;
    fprintf(stderr, "backplane conform: %s\n", sentence);
}

static void show_row(void *arg, const struct contract_row *row)
{
    (void)arg;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%-8s %s (%.1f s)\n",
                row->outcome == CONTRACT_HOLDS   ? "holds"
                : row->outcome == CONTRACT_FAILS ? "FAILS"
                                                 : "skipped",
                row->sentence, row->seconds);
}

static int usage(void)
{
    fprintf(stderr, "usage: backplane conform FILE.so|NAME [--kind KIND] [--set KEY=VALUE]... "
                    "[--wrong KEY=VALUE]...\n"
                    "                         [--peer KIND=YAML]... [--restart COMMAND] [--strings "
                    "FILE.json]\n"
                    "                         [--workers N] [--json]\n"
                    "Runs the contract of the plugin's kind on an instance with these options and "
                    "prints a table. --wrong: what\n"
                    "makes its credentials wrong. --peer: what `main` of that kind is, instead of "
                    "an embedded back end. --restart: the command that restarts the server behind "
                    "it; its words are\n"
                    "parted by blanks, there is no shell.\n");
    return EXIT_USAGE;
}

static size_t take_all(int *argc, char **argv, const char *name,
                       const char *values[CONTRACT_SETTINGS_MAX])
{
    const char *value;
    size_t      count = 0;

    while (count < CONTRACT_SETTINGS_MAX && (value = cli_take_option(argc, argv, name)) != NULL)
        values[count++] = value;
    return count;
}

static bool take_arguments(struct contract_wish *wish, int *argc, char **argv)
{
    const char *workers = cli_take_option(argc, argv, "--workers");
    uint64_t    count = 2;

    wish->kind = cli_take_option(argc, argv, "--kind");
    wish->restart = cli_take_option(argc, argv, "--restart");
    wish->texts_file = cli_take_option(argc, argv, "--strings");
    wish->setting_count = take_all(argc, argv, "--set", wish->settings);
    wish->wrong_count = take_all(argc, argv, "--wrong", wish->wrong);
    wish->peer_count = take_all(argc, argv, "--peer", wish->peers);
    if (workers &&
        (!str_to_uint(bp_str_of(workers), &count) || count < 1 || count > CONFORM_WORKERS_MAX))
        return false;
    wish->workers = (uint32_t)count;
    if (!cli_is_all_taken(*argc, argv, 1) || *argc != 2)
        return false;
    wish->plugin = argv[1];
    return true;
}

int command_conform(int argc, char **argv)
{
    struct contract_wish    wish = { .say = say, .judged = show_row };
    struct contract_report *report = calloc(1, sizeof(*report));
    bool                    is_json = cli_take_flag(&argc, argv, "--json");
    int                     status;

    if (!report)
        return EXIT_FAILED;
    status = take_arguments(&wish, &argc, argv) ? contract_run(&wish, report) : usage();
    if (status == EXIT_DONE) {
        conform_report_print(report, is_json);
        status = contract_report_count(report, CONTRACT_FAILS) ? EXIT_FAILED : EXIT_DONE;
    }
    free(report);
    return status;
}

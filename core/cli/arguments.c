/* arguments.c - takes options out of argv, at any place, so that each command reads the remaining
 * words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/paths.h"

static void remove_words(int *argc, char **argv, int at, int count)
{
    memmove(argv + at, argv + at + count, (size_t)(*argc - at - count) * sizeof(char *));
    *argc -= count;
}

const char *cli_take_option(int *argc, char **argv, const char *name)
{
    size_t len = strlen(name);

    command_check_option(name);
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value;

        if (strcmp(argv[i], name) == 0 && i + 1 < *argc) {
            value = argv[i + 1];
            remove_words(argc, argv, i, 2);
            return value;
        }
        if (len > 2 && strncmp(argv[i], name, len) == 0 && argv[i][len] == '=') {
            value = argv[i] + len + 1;
            remove_words(argc, argv, i, 1);
            return value;
        }
    }
    return NULL;
}

bool cli_take_flag(int *argc, char **argv, const char *name)
{
    command_check_option(name);
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], name) == 0) {
            remove_words(argc, argv, i, 1);
            return true;
        }
    }
    return false;
}

const char *cli_take_conf(int *argc, char **argv)
{
    bool is_given;

    return cli_take_conf_if(argc, argv, &is_given);
}

const char *cli_take_conf_if(int *argc, char **argv, bool *is_given)
{
    static char beside[4096];
    const char *conf = cli_take_option(argc, argv, "-c");

    if (!conf)
        conf = cli_take_option(argc, argv, "--conf");
    if (!conf)
        conf = getenv("BACKPLANE_CONF");
    *is_given = conf != NULL;
    if (conf)
        return conf;
    if (access("backplane.yaml", R_OK) == 0)
        return "backplane.yaml";
    if (access("conf/backplane.yaml", R_OK) == 0)
        return "conf/backplane.yaml";
    paths_beside_program("../etc/backplane/backplane.yaml", beside, sizeof(beside));
    return beside;
}

bool cli_is_all_taken(int argc, char **argv, int most)
{
    bool is_word = false;

    for (int i = 1; i < argc; i++) {
        if (!is_word && strcmp(argv[i], "--") == 0) {
            remove_words(&argc, argv, i, 1);
            is_word = true; // and so is everything behind it
        } else if (!is_word && argv[i][0] == '-' && argv[i][1]) {
            const struct command_option *known = command_option_of(argv[i]);
            const char                  *nearest = command_nearest_option(argv[i]);

            if (known)
                fprintf(stderr, "backplane %s: the option %s %s\n", argv[0], argv[i],
                        known->value ? "has no value behind it" : "stands here twice");
            else
                fprintf(stderr,
                        "backplane %s: there is no option \"%s\"%s%s%s; `backplane %s --help` "
                        "lists them\n",
                        argv[0], argv[i], nearest ? " (did you mean \"" : "",
                        nearest ? nearest : "", nearest ? "\"?)" : "", argv[0]);
            return false;
        }
    }
    if (argc - 1 > most) {
        fprintf(stderr, "backplane %s: \"%s\" is one word too many\n", argv[0], argv[most + 1]);
        return false;
    }
    return true;
}

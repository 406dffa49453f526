/* main.c - `backplane`: finds the subcommand in the table of help.c, or in those of apps, and runs
 * it. */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"

/* `backplane key create --help`, wherever the word stands. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Buffers of a few 100 KiB come and go with requests; giving them back to the kernel each time
 * costs more than using them. */
static void keep_some_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

static int run(const struct command *command, int argc, char **argv)
{
    command_begin(command);
    if (!asks_for_help(argc, argv))
        return command->run(argc, argv);
    command_print_help(command, argc, argv);
    return EXIT_DONE;
}

static unsigned distance(const char *wanted, const char *name)
{
    return str_distance(bp_str_of(wanted), bp_str_n(name, strcspn(name, " ")));
}

static int no_such_command(const char *wanted, const char *of_apps)
{
    const char *nearest = command_nearest(wanted);

    if (*of_apps && (!nearest || distance(wanted, of_apps) < distance(wanted, nearest)))
        nearest = of_apps;
    fprintf(stderr, "backplane: there is no command \"%s\"%s%.*s%s; `backplane help` lists them\n",
            wanted, nearest ? " (did you mean \"" : "", nearest ? (int)strcspn(nearest, " ") : 0,
            nearest ? nearest : "", nearest ? "\"?)" : "");
    return EXIT_USAGE;
}

/* As other servers have it: `backplane -c FILE` serves, -t checks, -V and --version print the
 * version, -h and --help the list. */
static int run_without_command(int argc, char **argv)
{
    static char help[] = "help", version[] = "version", serve[] = "serve";

    for (int i = 1; i < argc; i++) {
        bool is_help = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;

        if (is_help || strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
            char *words[] = { is_help ? help : version, NULL };

            return run(command_find(1, words), 1, words);
        }
    }
    if (argc < 2) {
        char *words[] = { help, NULL };

        return run(command_find(1, words), 1, words);
    }
    argv[0] = serve;
    return run(command_find(argc, argv), argc, argv);
}

/* A command that has done its work has also said all of it: a full disk is no success. Who reads
 * from a pipe and goes away, as `head` does, has had enough. */
static int told(int status)
{
    struct pollfd output = { .fd = STDOUT_FILENO };

    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || status != EXIT_DONE)
        return status;
    if (poll(&output, 1, 0) > 0 && (output.revents & POLLERR))
        return status;
    fprintf(stderr,
            "backplane: not all of the output could be written%s%s; what stands there is not "
            "whole\n",
            errno ? ": " : "", errno ? strerror(errno) : "");
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const struct command *command = argc > 1 ? command_find(argc - 1, argv + 1) : NULL;
    char                  nearest[80] = "";
    int                   status;

    keep_some_memory();
    if (command)
        return told(run(command, argc - 1, argv + 1));
    if (argc < 2 || argv[1][0] == '-')
        return told(run_without_command(argc, argv));
    if (app_command_run(argc - 1, argv + 1, &status, nearest))
        return told(status);
    return no_such_command(argv[1], nearest);
}

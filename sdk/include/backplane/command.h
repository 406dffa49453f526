/* backplane/command.h - commands of an app: subcommands of the program `backplane` that a plugin
 * brings.
 *
 *      static const bp_command_option options[] = {
 *          { .name = "collection", .value = "NAME", .help = "which", .flags = BP_COMMAND_REQUIRED },
 *          { .name = "limit", .value = "N", .help = "how many to print", .initial = "10" },
 *      };
 *      static const bp_command commands[] = {
 *          { .name = "search", .arguments = "TEXT", .summary = "search a collection",
 *            .handler = run_search, .scope = "retrieval:read", BP_COMMAND_OPTIONS(options) },
 *      };
 *      static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops), BP_COMMANDS(commands) };
 *
 * A command runs in the server, on a fiber of its own, as a route does: `backplane search TEXT -c
 * FILE` starts a server on the conf for as long as the command takes, `--url URL` asks one that
 * runs. The command line learns the table from the conf's plugins or from the server, checks the
 * words and options against it, lists it in its help, and prints what the handler prints. Files
 * named on the command line are read where the command was typed and sent along, piece by piece.
 * HTTP clients run a command by POST /commands/INSTANCE/NAME (docs/commands.md).
 */
#ifndef BACKPLANE_COMMAND_H
#define BACKPLANE_COMMAND_H

#include <backplane/app.h>
#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_command_run bp_command_run; /* one run of a command; belongs to the call */

enum {
    BP_COMMAND_REQUIRED = 1u << 0, /* of an option: the command is refused without it */
    BP_COMMAND_FILE = 1u << 1,     /* of an option: its value is a file; its bytes are sent */
    /* Of a command: its words are files and folders; their bytes are sent; bp_command_next_file().
     */
    BP_COMMAND_FILES = 1u << 2,
    /* With it: the lines of the files are counted before they are sent; bp_command_line_count(). */
    BP_COMMAND_COUNT_LINES = 1u << 3
};

typedef struct bp_command_option {
    const char *name;  /* "limit" for --limit: [a-z0-9-], not "conf", "url" or "help" */
    const char *value; /* what follows it in the help: "N"; NULL: nothing, it is a flag */
    const char *help;  /* one line */
    const char
            *initial; /* what bp_command_option_value() gives when it is not set; NULL: nothing */
    uint32_t flags;   /* BP_COMMAND_REQUIRED, BP_COMMAND_FILE */
    uint32_t reserved;
} bp_command_option;

/* BP_OK: the exit status is 0, or what bp_command_exit() said. Any other status: the program prints
 * the command's name and the sentence of the error slot, and exits with 1. Output so far stays
 * printed. */
typedef bp_status (*bp_command_handler)(bp_call *call, void *instance, bp_command_run *run);

/* Texts are NUL-terminated and static. */
typedef struct bp_command {
    const char              *name; /* one or two words: "search", "journal sessions": [a-z0-9-] */
    const char              *arguments; /* "TEXT", "PATH...", "[ID]", "FROM TO"; NULL or "": none */
    const char              *summary;   /* one line */
    const bp_command_option *options;
    uint32_t                 option_size; /* stride */
    uint32_t                 option_count;
    bp_command_handler       handler;
    const char              *scope;   /* a key needs it; NULL: no key needed */
    const char              *endings; /* BP_COMMAND_FILES: which files are taken from folders:
                                         ".md .txt", in any case; NULL: all */
    const char *usage;                /* what stands behind the name in the usage line; NULL: it
                                         is made from the options and arguments */
    int64_t  deadline_ns;             /* 0: none but the end of the command line's process */
    uint32_t flags;                   /* BP_COMMAND_FILES, BP_COMMAND_COUNT_LINES */
    uint32_t reserved;
} bp_command;

/* A file that came in. */
typedef struct bp_command_file {
    uint32_t struct_size;
    uint32_t reserved;
    bp_str   name;       /* as typed, or as found in a folder that was; until the next file */
    int64_t  size_bytes; /* -1: not known before its end */
} bp_command_file;

enum { BP_COMMAND_OUTPUT = 0, BP_COMMAND_WARNING = 1 };

typedef struct bp_command_service {
    uint32_t struct_size;
    size_t (*word_count)(const bp_command_run *run);
    bp_str (*word)(const bp_command_run *run, size_t index);
    bool (*option)(const bp_command_run *run, const char *name, bp_str *value);
    bp_status (*write)(bp_call *call, bp_command_run *run, uint32_t where, bp_str text);
    bp_status (*progress)(bp_call *call, bp_command_run *run, const char *what, int64_t done,
                          int64_t total);
    bp_status (*next_file)(bp_call *call, bp_command_run *run, bp_command_file *file,
                           bool *has_file);
    bp_status (*read_file)(bp_call *call, bp_command_run *run, bp_str *piece);
    bp_status (*option_file)(bp_call *call, bp_command_run *run, const char *name, bp_str *bytes);
    int64_t (*line_count)(const bp_command_run *run);
    int64_t (*left_out)(const bp_command_run *run);
    bool (*is_alone)(const bp_command_run *run);
    void (*set_exit)(bp_command_run *run, int32_t status);
    bp_status (*refuse)(bp_call *call, bp_command_run *run, bp_str sentence);
} bp_command_service;

BP_SERVICE(command, bp_command_service, 1)

/* ---- the words typed: strings live as long as the call, are UTF-8 and NUL-terminated ---- */

/* The words after the command's name, without options; as many as `arguments` allows. */
static inline size_t bp_command_word_count(const bp_command_run *run)
{
    return bp_service_command->word_count(run);
}
/* Empty after the last one. */
static inline bp_str bp_command_word(const bp_command_run *run, size_t index)
{
    return bp_service_command->word(run, index);
}
/* For an option with a value: the typed one, else `initial`, else empty. For a file: its name.
 */
static inline bp_str bp_command_option_value(const bp_command_run *run, const char *name)
{
    bp_str value;

    bp_service_command->option(run, name, &value);
    return value;
}
/* Whether the option was typed. */
static inline bool bp_command_is_set(const bp_command_run *run, const char *name)
{
    bp_str value;

    return bp_service_command->option(run, name, &value);
}

/* ---- output ----
 *
 * UTF-8; other bytes become U+FFFD. The command line makes control characters visible, but for line
 * ends and tabs: a text cannot move the cursor of a terminal. No newline is added. */

/* To standard output. Suspends while the command line is slow; BP_CANCELLED when it is gone. */
static inline bp_status bp_command_print(bp_call *call, bp_command_run *run,
                                         bp_str text) BP_SUSPENDS
{
    return bp_service_command->write(call, run, BP_COMMAND_OUTPUT, text);
}
/* The same to standard error. */
static inline bp_status bp_command_warn(bp_call *call, bp_command_run *run, bp_str text) BP_SUSPENDS
{
    return bp_service_command->write(call, run, BP_COMMAND_WARNING, text);
}
/* Draws a progress bar on standard error, `done` of `total` (0: not known), if that is a terminal;
 * otherwise prints one line at its end. Another `what` begins another bar; NULL ends the current
 * one, as does the end of the command. Call it as often as you like: the host sends ten updates a
 * second. Suspends as bp_command_print() does. */
static inline bp_status bp_command_progress(bp_call *call, bp_command_run *run, const char *what,
                                            int64_t done, int64_t total) BP_SUSPENDS
{
    return bp_service_command->progress(call, run, what, done, total);
}

/* ---- files: BP_COMMAND_FILES and BP_COMMAND_FILE ----
 *
 * They arrive while the handler reads them, and the command line waits meanwhile: a file may be
 * larger than memory. Files come in the order of the words, those of a folder by name; names that
 * begin with a dot are left out. */

/* The next file, or *has_file false after the last one. Skips the unread rest of the previous file.
 * file->struct_size is set by the caller. BP_IO when the command line could not read the file,
 * which it reports itself; BP_INVALID when the client sends a malformed file; BP_CANCELLED. */
static inline bp_status bp_command_next_file(bp_call *call, bp_command_run *run,
                                             bp_command_file *file, bool *has_file) BP_SUSPENDS
{
    return bp_service_command->next_file(call, run, file, has_file);
}
/* Its next piece, valid until the next read; empty with BP_OK at its end. */
static inline bp_status bp_command_read(bp_call *call, bp_command_run *run,
                                        bp_str *piece) BP_SUSPENDS
{
    return bp_service_command->read_file(call, run, piece);
}
/* All bytes of the file that an option names, as long as the call lives; empty when it is not set.
 * All of these files together may have 64 MiB (BP_TOO_LARGE). Otherwise as bp_command_next_file().
 */
static inline bp_status bp_command_option_file(bp_call *call, bp_command_run *run, const char *name,
                                               bp_str *bytes) BP_SUSPENDS
{
    return bp_service_command->option_file(call, run, name, bytes);
}
/* With BP_COMMAND_COUNT_LINES: line ends in all the files; 0 when a word is a folder. The command
 * line counts them; good for a progress bar. */
static inline int64_t bp_command_line_count(const bp_command_run *run)
{
    return bp_service_command->line_count(run);
}
/* How many files of folders were left out because of their `endings`; known after the last file.
 */
static inline int64_t bp_command_left_out(const bp_command_run *run)
{
    return bp_service_command->left_out(run);
}

static inline bp_status bp_command_read_from(bp_call *call, void *run, bp_str *piece) BP_SUSPENDS
{
    return bp_command_read(call, (bp_command_run *)run, piece);
}
/* The lines of the file that is read now, for bp_lines_next(); bp_lines_again() for the next file.
 */
static inline bp_lines bp_command_lines(bp_call *call, bp_command_run *run, size_t max_bytes)
{
    bp_lines lines = bp_lines_of(call, NULL, max_bytes);

    lines.read = bp_command_read_from;
    lines.from = run;
    return lines;
}

/* ---- how it ends ---- */

/* Whether the server was started for this command alone and ends with it. */
static inline bool bp_command_is_alone(const bp_command_run *run)
{
    return bp_service_command->is_alone(run);
}
/* Sets the exit status, 0 to 63, for when the handler returns BP_OK: for a command that has printed
 * its result, which scripts should treat as a failure. */
static inline void bp_command_exit(bp_command_run *run, int32_t status)
{
    bp_service_command->set_exit(run, status);
}
/* For words or options that are wrong in a way that the table cannot express: prints `sentence`
 * (empty: none) and the usage line, exit status 2. Returns BP_INVALID, for the handler to return.
 */
static inline bp_status bp_command_refuse(bp_call *call, bp_command_run *run, bp_str sentence)
{
    return bp_service_command->refuse(call, run, sentence);
}

#define BP_COMMAND_OPTIONS(table)                                                                  \
    .options = (table), .option_count = (uint32_t)(sizeof(table) / sizeof((table)[0])),            \
    .option_size = (uint32_t)sizeof(bp_command_option)
/* In the app's bp_app_ops. */
#define BP_COMMANDS(table)                                                                         \
    .commands = (table), .command_count = sizeof(table) / sizeof((table)[0]),                      \
    .command_size = (uint32_t)sizeof(bp_command)

#ifdef __cplusplus
}
#endif
#endif

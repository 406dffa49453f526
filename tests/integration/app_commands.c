/* app_commands.c - an app of a third party for test_app_commands.py: its commands print, warn, draw
 * a bar, read files, fail and refuse.
 *
 * STRANGER_IS_OLD: its table of operations ends where it did before apps had commands.
 */
#include <backplane/command.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

#include <stdlib.h>

struct stranger {
    bp_str greeting;
};

static const bp_option options[] = {
    BP_OPTION_STRING(struct stranger, greeting, .initial = "Hello", .help = "what is said"),
};

static bp_status say(bp_call *call, void *instance, bp_command_run *run)
{
    const struct stranger *self = instance;
    int                    times = atoi(bp_command_option_value(run, "times").data);

    if (bp_command_is_set(run, "refuse"))
        return bp_command_refuse(call, run, bp_command_option_value(run, "refuse"));
    for (int i = 0; i < times; i++) {
        BP_TRY(bp_command_progress(call, run, "greetings", i, times));
        BP_TRY(bp_command_print(call, run, self->greeting));
        for (size_t w = 0; w < bp_command_word_count(run); w++)
            BP_TRY(bp_command_print(call, run,
                                    bp_format(call, " <" BP_FMT ">",
                                              BP_ARG(bp_command_word(run, w)))));
        BP_TRY(bp_command_print(call, run, BP_STR("\n")));
    }
    BP_TRY(bp_command_progress(call, run, "greetings", times, times));
    BP_TRY(bp_command_warn(call, run, BP_STR("be careful\n")));
    if (bp_command_is_set(run, "escape"))
        BP_TRY(bp_command_print(call, run,
                                BP_STR("\x1b]0;title\x07\xc2\x9b"
                                       "31m\ttab\r\n\rback\n")));
    bp_command_exit(run, atoi(bp_command_option_value(run, "exit").data));
    if (bp_command_is_set(run, "fail"))
        return bp_fail(call, BP_CONFLICT, "it was told to fail: \x1b[31mred");
    return bp_sleep(call, BP_SECONDS(atoi(bp_command_option_value(run, "sleep").data)));
}

static bp_status flood(bp_call *call, void *instance, bp_command_run *run)
{
    bp_buf *line = bp_buf_new(call, 1 << 16);

    (void)instance;
    for (int i = 0; i < 60000; i++)
        bp_buf_add(line, BP_STR("x"));
    for (;;)
        BP_TRY(bp_command_print(call, run, bp_buf_str(line)));
}

/* Bytes are summed up, so that nothing is kept of them. */
static bp_status measure(bp_call *call, void *instance, bp_command_run *run)
{
    bp_command_file file = { .struct_size = sizeof(file) };
    bp_str          piece, list;
    bool            has_file;

    (void)instance;
    if (!bp_command_is_set(run, "late")) {
        BP_TRY(bp_command_option_file(call, run, "list", &list));
        BP_TRY(bp_command_print(call, run, bp_format(call, "list: " BP_FMT "\n", BP_ARG(list))));
    }
    BP_TRY(
        bp_command_print(call, run,
                         bp_format(call, "%lld lines\n", (long long)bp_command_line_count(run))));
    for (;;) {
        unsigned long long bytes = 0, sum = 0;

        BP_TRY(bp_command_next_file(call, run, &file, &has_file));
        if (!has_file)
            break;
        while (!bp_command_is_set(run, "skip")) {
            BP_TRY(bp_command_read(call, run, &piece));
            if (!piece.len)
                break;
            bytes += piece.len;
            for (size_t i = 0; i < piece.len; i++)
                sum += (unsigned char)piece.data[i];
            BP_TRY(bp_command_progress(call, run, "bytes", (int64_t)bytes, file.size_bytes));
        }
        BP_TRY(
            bp_command_print(call, run,
                             bp_format(call, BP_FMT ": announced %lld, read %llu, sum %llu\n",
                                       BP_ARG(file.name), (long long)file.size_bytes, bytes, sum)));
    }
    if (bp_command_is_set(run, "late")) {
        BP_TRY(bp_command_option_file(call, run, "list", &list));
        BP_TRY(bp_command_print(call, run, bp_format(call, "list: " BP_FMT "\n", BP_ARG(list))));
    }
    return bp_command_print(call, run,
                            bp_format(call, "%lld left out, %s\n",
                                      (long long)bp_command_left_out(run),
                                      bp_command_is_alone(run) ? "alone" : "not alone"));
}

static bp_status guarded(bp_call *call, void *instance, bp_command_run *run)
{
    (void)instance;
    return bp_command_print(call, run,
                            bp_format(call, "guarded for " BP_FMT "\n",
                                      BP_ARG(bp_principal_of(call)->tenant)));
}

static const bp_command_option say_options[] = {
    { .name = "times", .value = "N", .help = "how often", .initial = "1" },
    { .name = "exit", .value = "N", .help = "exit status", .initial = "0" },
    { .name = "sleep", .value = "S", .help = "seconds at the end", .initial = "0" },
    { .name = "refuse", .value = "WHY", .help = "refuse what was typed" },
    { .name = "escape", .help = "print control characters" },
    { .name = "fail", .help = "fail at the end" },
};
static const bp_command_option measure_options[] = {
    { .name = "list",
      .value = "FILE",
      .help = "is printed",
      .flags = BP_COMMAND_FILE | BP_COMMAND_REQUIRED },
    { .name = "late", .help = "ask for it behind the files" },
    { .name = "skip", .help = "read nothing" },
};

static const bp_command commands[] = {
    { .name = "say",
      .arguments = "[WORD]...",
      .summary = "says something",
      .handler = say,
      BP_COMMAND_OPTIONS(say_options) },
    { .name = "flood", .summary = "prints without end", .handler = flood },
    { .name = "measure",
      .arguments = "PATH...",
      .summary = "reads files",
      .handler = measure,
      .endings = ".bin .txt",
      .flags = BP_COMMAND_FILES | BP_COMMAND_COUNT_LINES,
      BP_COMMAND_OPTIONS(measure_options) },
    { .name = "guard post",
      .summary = "needs a scope",
      .handler = guarded,
      .scope = "stranger:guard" },
    { .name = "version", .summary = "is called as one of the program's own", .handler = guarded },
};

static const bp_app_ops ops = {
    .struct_size = STRANGER_IS_OLD ? offsetof(bp_app_ops, commands) : sizeof(bp_app_ops),
    BP_COMMANDS(commands),
};

BP_PLUGIN(app, "stranger", "1.0.0", .summary = "commands of a third party",
          .instance_size = sizeof(struct stranger), .options = BP_TABLE(options), .ops = &ops)

/* commands_rig.h - commands of the app `retrieval` as they are typed: options, files, what was
 * printed.
 */
#ifndef RETRIEVAL_COMMANDS_RIG_H
#define RETRIEVAL_COMMANDS_RIG_H

#include "plugins/app_test.h"

static inline testhost_command_reply run_with(const testhost_command *typed)
{
    app_call();
    return testhost_run_command(call, instance, typed);
}

/* Options are "name", "value" pairs, ended by NULL. */
static inline testhost_command_reply run(const char *name, const char *word,
                                         const testhost_option *options, const testhost_file *files)
{
    testhost_command typed = {
        .name = name, .words = &word, .word_count = word != NULL, .options = options, .files = files
    };

    while (options && options[typed.option_count].name)
        typed.option_count++;
    while (files && files[typed.file_count].name)
        typed.file_count++;
    return run_with(&typed);
}

#define OPTIONS(...)                                                                               \
    (testhost_option[])                                                                            \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }
#define FILES(...)                                                                                 \
    (testhost_file[])                                                                              \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, { NULL, 0 }, NULL                                                                \
        }                                                                                          \
    }
#define IN(name)                                                                                   \
    {                                                                                              \
        "collection", name                                                                         \
    }

static inline void assert_printed(testhost_command_reply reply, int exit_status,
                                  const char *printed)
{
    if (reply.exit_status != exit_status || strcmp(reply.printed, printed) != 0)
        fail_msg("exit %d, printed \"%s\", warned \"%s\", error \"" BP_FMT "\"", reply.exit_status,
                 reply.printed, reply.warned, BP_ARG(bp_error_of(call)->message));
}

#endif

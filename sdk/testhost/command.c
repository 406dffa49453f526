/* command.c - faked: the command line. Finds a command in the app's table, runs its handler, keeps
 * its output. */
#include "host.h"

enum { PRINTED_BYTES_MAX = 64 << 20 };

struct bp_command_run {
    bp_call                *call;
    const bp_command       *command;
    const testhost_command *typed;
    bp_buf                 *printed, *warned;
    size_t                  at;   /* the next file */
    size_t                  read; /* bytes of the one before it */
    bool                    is_open, is_refused;
    int32_t                 exit_status;
    char                    progress_what[64];
    int64_t                 progress_done, progress_total;
};

static const bp_command_option *option_at(const bp_command *command, size_t index)
{
    return (const bp_command_option *)(const void *)((const char *)command->options +
                                                     index * command->option_size);
}

static size_t command_word_count(const bp_command_run *run)
{
    return run->typed->word_count;
}

static bp_str command_word(const bp_command_run *run, size_t index)
{
    return bp_str_of(index < run->typed->word_count ? run->typed->words[index] : "");
}

static bool command_option(const bp_command_run *run, const char *name, bp_str *value)
{
    *value = BP_STR("");
    for (size_t i = 0; i < run->typed->option_count; i++)
        if (strcmp(run->typed->options[i].name, name) == 0) {
            *value = bp_str_of(run->typed->options[i].value);
            return true;
        }
    for (size_t i = 0; i < run->command->option_count; i++)
        if (strcmp(option_at(run->command, i)->name, name) == 0)
            *value = bp_str_of(option_at(run->command, i)->initial);
    return false;
}

static bp_status command_write(bp_call *call, bp_command_run *run, uint32_t where, bp_str text)
{
    BP_TRY(call_check(call));
    bp_buf_add(where == BP_COMMAND_WARNING ? run->warned : run->printed, text);
    return BP_OK;
}

static bp_status command_progress(bp_call *call, bp_command_run *run, const char *what,
                                  int64_t done, int64_t total)
{
    BP_TRY(call_check(call));
    if (!what)
        return BP_OK;
    snprintf(run->progress_what, sizeof(run->progress_what), "%s", what);
    run->progress_done = done;
    run->progress_total = total;
    return BP_OK;
}

static bp_status command_next_file(bp_call *call, bp_command_run *run, bp_command_file *file,
                                   bool *has_file)
{
    bp_command_file found = { .struct_size = file->struct_size };

    BP_TRY(call_check(call));
    *has_file = run->is_open = false;
    while (run->at < run->typed->file_count && run->typed->files[run->at].option)
        run->at++;
    if (run->at == run->typed->file_count)
        return BP_OK;
    found.name = bp_str_of(run->typed->files[run->at].name);
    found.size_bytes = (int64_t)run->typed->files[run->at].bytes.len;
    memcpy(file, &found, file->struct_size < sizeof(found) ? file->struct_size : sizeof(found));
    run->at++;
    run->read = 0;
    *has_file = run->is_open = true;
    return BP_OK;
}

static bp_status command_read_file(bp_call *call, bp_command_run *run, bp_str *piece)
{
    bp_str bytes;
    size_t len;

    BP_TRY(call_check(call));
    *piece = BP_STR("");
    if (!run->is_open)
        return BP_OK;
    bytes = run->typed->files[run->at - 1].bytes;
    len = bytes.len - run->read < call->host->piece_size ? bytes.len - run->read
                                                         : call->host->piece_size;
    *piece = bp_str_n(bytes.data + run->read, len);
    run->read += len;
    return BP_OK;
}

static bp_status command_option_file(bp_call *call, bp_command_run *run, const char *name,
                                     bp_str *bytes)
{
    BP_TRY(call_check(call));
    *bytes = BP_STR("");
    for (size_t i = 0; i < run->typed->file_count; i++)
        if (run->typed->files[i].option && strcmp(run->typed->files[i].option, name) == 0)
            *bytes = run->typed->files[i].bytes;
    return BP_OK;
}

static int64_t command_line_count(const bp_command_run *run)
{
    return run->typed->line_count;
}

static int64_t command_left_out(const bp_command_run *run)
{
    return run->typed->left_out;
}

static bool command_is_alone(const bp_command_run *run)
{
    return run->typed->is_alone;
}

static void command_set_exit(bp_command_run *run, int32_t status)
{
    run->exit_status = status;
}

static bp_status command_refuse(bp_call *call, bp_command_run *run, bp_str sentence)
{
    run->is_refused = true;
    return bp_fail(call, BP_INVALID, BP_FMT, BP_ARG(sentence));
}

const bp_command_service command_service = {
    .struct_size = sizeof(bp_command_service),
    .word_count = command_word_count,
    .word = command_word,
    .option = command_option,
    .write = command_write,
    .progress = command_progress,
    .next_file = command_next_file,
    .read_file = command_read_file,
    .option_file = command_option_file,
    .line_count = command_line_count,
    .left_out = command_left_out,
    .is_alone = command_is_alone,
    .set_exit = command_set_exit,
    .refuse = command_refuse,
};

static const bp_command *find_command(const bp_app_ops *ops, const char *name)
{
    for (size_t i = 0; BP_HAS(ops, bp_app_ops, command_size) && i < ops->command_count; i++) {
        const bp_command *at = (const bp_command *)(const void *)((const char *)ops->commands +
                                                                  i * ops->command_size);

        if (strcmp(at->name, name) == 0)
            return at;
    }
    return NULL;
}

testhost_command_reply testhost_run_command(bp_call *call, testhost_instance *app,
                                            const testhost_command *typed)
{
    bp_command_run        *run = BP_NEW(call, bp_command_run);
    testhost_command_reply reply = { .status = BP_NOT_FOUND };

    call->instance = app;
    *run = (bp_command_run){ .call = call,
                             .command = find_command(testhost_ops(app), typed->name),
                             .typed = typed,
                             .printed = bp_buf_new(call, PRINTED_BYTES_MAX),
                             .warned = bp_buf_new(call, PRINTED_BYTES_MAX) };
    if (!run->command)
        return reply;
    reply.status = run->command->handler(call, testhost_self(app), run);
    reply.exit_status = run->is_refused ? 2 : reply.status != BP_OK ? 1 : run->exit_status;
    reply.printed = bp_buf_str(run->printed).data;
    reply.warned = bp_buf_str(run->warned).data;
    reply.progress_what = run->progress_what[0] ? run->progress_what : NULL;
    reply.progress_done = run->progress_done;
    reply.progress_total = run->progress_total;
    return reply;
}

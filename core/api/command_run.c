/* command_run.c - the service behind command.h: the input and output of a command. */
#include "api/command_run.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "plugin/services.h"

enum {
    EVENT_BYTES_MAX = 512 << 10,
    PROGRESS_MS = 100,
    EXIT_FAILURE_STATUS = 1,
    EXIT_USAGE_STATUS = 2,
    EXIT_STATUS_MAX = 63
};

static void free_run(void *arg)
{
    struct bp_command_run *run = arg;

    for (size_t i = 0; run->values && i < run->command->spec.option_count; i++)
        buf_free(&run->values[i].bytes);
    command_input_free(&run->input);
    buf_free(&run->event);
}

struct bp_command_run *command_run_new(bp_call *call, struct http_exchange *exchange,
                                       const struct app_command *command)
{
    struct bp_command_run *run = arena_alloc(call->arena, sizeof(*run));

    if (!run)
        return NULL;
    run->exchange = exchange;
    run->command = command;
    run->values = arena_alloc(call->arena, command->spec.option_count * sizeof(*run->values));
    command_input_init(&run->input, exchange);
    buf_init(&run->event, NULL, EVENT_BYTES_MAX);
    if (run->values && arena_on_free(call->arena, free_run, run))
        return run;
    free_run(run);
    return NULL;
}

/* ---- the words typed ---- */

static struct command_value *value_of(const bp_command_run *run, bp_str name,
                                      const bp_command_option **option)
{
    for (size_t i = 0; i < run->command->spec.option_count; i++) {
        if (!bp_str_is(name, run->command->options[i].name))
            continue;
        if (option)
            *option = &run->command->options[i];
        return &run->values[i];
    }
    return NULL;
}

static bool is_text(const bp_json *value)
{
    bp_str text = json_as_string(value);

    return json_type_of(value) == JSON_KIND_STRING &&
           (!text.len || !memchr(text.data, '\0', text.len));
}

static bp_status take_option(bp_call *call, bp_command_run *run, bp_str name, const bp_json *value)
{
    const bp_command_option *option;
    struct command_value    *into = value_of(run, name, &option);

    if (!into)
        return call_fail(call, BP_INVALID, "the command has no option \"" BP_FMT "\"",
                         BP_ARG(str_cut(name, 64)));
    if (option->value ? !is_text(value) : json_type_of(value) != JSON_KIND_BOOL)
        return call_fail(call, BP_INVALID, "the option \"%s\" must be %s", option->name,
                         option->value ? "a text without NUL" : "true or false");
    into->is_set = option->value || json_as_bool(value);
    into->value = json_as_string(value);
    return BP_OK;
}

static bp_status check_all(bp_call *call, const bp_command_run *run)
{
    const struct app_command *command = run->command;

    if (run->word_count < command->words_min || run->word_count > command->words_max)
        return call_fail(call, BP_INVALID, "the command takes the words \"%s\", and was given %zu",
                         command->spec.arguments ? command->spec.arguments : "", run->word_count);
    for (size_t i = 0; i < command->spec.option_count; i++)
        if (command->options[i].flags & BP_COMMAND_REQUIRED && !run->values[i].is_set)
            return call_fail(call, BP_INVALID, "the command needs the option \"%s\"",
                             command->options[i].name);
    return BP_OK;
}

bp_status command_run_read(bp_call *call, bp_command_run *run)
{
    const bp_json *typed, *words, *options, *value;
    size_t         cursor = 0;
    bp_str         name;

    BP_TRY(command_input_first(call, &run->input, call->arena, &typed));
    words = json_get(typed, BP_STR("words"));
    options = json_get(typed, BP_STR("options"));
    if ((words && json_type_of(words) != JSON_KIND_ARRAY) ||
        (options && json_type_of(options) != JSON_KIND_OBJECT))
        return call_fail(call, BP_INVALID,
                         "\"words\" of a command is an array, \"options\" an object");
    run->word_count = json_count(words);
    run->words = arena_alloc(call->arena, run->word_count * sizeof(*run->words));
    if (!run->words)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for the words of a command");
    for (size_t i = 0; i < run->word_count; i++) {
        if (!is_text(json_at(words, i)))
            return call_fail(call, BP_INVALID, "word %zu of the command is no text without NUL",
                             i + 1);
        run->words[i] = json_as_string(json_at(words, i));
    }
    while (json_entry(options, &cursor, &name, &value))
        BP_TRY(take_option(call, run, name, value));
    run->line_count = json_as_integer(json_get(typed, BP_STR("lines")));
    return check_all(call, run);
}

static size_t get_word_count(const bp_command_run *run)
{
    return run->word_count;
}

static bp_str get_word(const bp_command_run *run, size_t index)
{
    return index < run->word_count ? run->words[index] : BP_STR("");
}

static bool get_option(const bp_command_run *run, const char *name, bp_str *value)
{
    const bp_command_option *option = NULL;
    struct command_value    *found = value_of(run, bp_str_of(name), &option);

    *value = BP_STR("");
    if (found)
        *value = found->is_set ? found->value : bp_str_of(option->initial ? option->initial : "");
    return found && found->is_set;
}

static int64_t get_line_count(const bp_command_run *run)
{
    return run->line_count > 0 ? run->line_count : 0;
}

static int64_t get_left_out(const bp_command_run *run)
{
    return run->input.left_out;
}

static bool get_is_alone(const bp_command_run *run)
{
    return run->is_alone;
}

/* ---- what it says ---- */

bp_status command_run_begin(bp_command_run *run)
{
    if (run->exchange->status)
        return BP_OK;
    BP_TRY(http_exchange_add_header(run->exchange, BP_STR("Cache-Control"), BP_STR("no-store")));
    BP_TRY(http_exchange_add_header(run->exchange, BP_STR("X-Accel-Buffering"), BP_STR("no")));
    return http_exchange_begin(run->exchange, 200, BP_STR("application/x-ndjson"), -1);
}

static void begin_event(bp_command_run *run, bp_json_writer *w, const char *name)
{
    buf_reset(&run->event);
    json_writer_init(w, &run->event);
    json_begin(w, JSON_KIND_OBJECT);
    json_key(w, bp_str_of(name));
}

static bp_status send_event(bp_call *call, bp_command_run *run, bp_json_writer *w)
{
    json_end(w);
    if (json_writer_status(w) != BP_OK)
        return call_fail(call, json_writer_status(w), "an event of a command cannot be written");
    buf_add_char(&run->event, '\n');
    BP_TRY(command_run_begin(run));
    BP_TRY(http_exchange_write(run->exchange, buf_str(&run->event)));
    return call_yield_if_due(call);
}

struct write_args {
    bp_command_run *run;
    uint32_t        where;
    bp_str          text;
};

static bp_status do_write(bp_call *call, void *arg)
{
    struct write_args *args = arg;
    bp_json_writer     w;

    while (args->text.len) {
        bp_str piece = str_cut(args->text, COMMAND_PRINT_BYTES);

        if (!piece.len) // no text at all
            piece = bp_str_n(args->text.data, args->text.len < COMMAND_PRINT_BYTES
                                                  ? args->text.len
                                                  : COMMAND_PRINT_BYTES);
        begin_event(args->run, &w, args->where == BP_COMMAND_WARNING ? "warn" : "print");
        json_add_string(&w, piece);
        BP_TRY(send_event(call, args->run, &w));
        args->text = bp_str_n(args->text.data + piece.len, args->text.len - piece.len);
    }
    return BP_OK;
}

static bp_status write_text(bp_call *call, bp_command_run *run, uint32_t where, bp_str text)
{
    return service_on_fiber(call, do_write, &(struct write_args){ run, where, text });
}

static bp_status send_progress(bp_call *call, bp_command_run *run)
{
    struct command_progress *progress = &run->progress;
    bp_json_writer           w;

    progress->is_due = false;
    progress->sent_ns = clock_now_ns();
    begin_event(run, &w, "progress");
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "what", progress->what);
    json_put_integer(&w, "done", progress->done);
    if (progress->total)
        json_put_integer(&w, "total", progress->total);
    json_end(&w);
    return send_event(call, run, &w);
}

bp_status command_run_end_progress(bp_call *call, bp_command_run *run)
{
    bp_json_writer w;

    if (!run->progress.is_open)
        return BP_OK;
    if (run->progress.is_due)
        BP_TRY(send_progress(call, run));
    run->progress.is_open = false;
    begin_event(run, &w, "progress");
    json_add_null(&w);
    return send_event(call, run, &w);
}

struct progress_args {
    bp_command_run *run;
    const char     *what;
    int64_t         done, total;
};

static bp_status do_progress(bp_call *call, void *arg)
{
    struct progress_args    *args = arg;
    struct command_progress *progress = &args->run->progress;
    bp_str what = str_cut(bp_str_of(args->what ? args->what : ""), sizeof(progress->what) - 1);

    if (!args->what || (progress->is_open && !bp_str_is(what, progress->what)))
        BP_TRY(command_run_end_progress(call, args->run));
    if (!args->what)
        return call_over(call);
    progress->is_due = true;
    progress->done = args->done;
    progress->total = args->total > 0 ? args->total : 0;
    if (progress->is_open && clock_now_ns() - progress->sent_ns < BP_MILLISECONDS(PROGRESS_MS))
        return call_over(call);
    memcpy(progress->what, what.data, what.len);
    progress->what[what.len] = '\0';
    progress->is_open = true;
    return send_progress(call, args->run);
}

static bp_status say_progress(bp_call *call, bp_command_run *run, const char *what, int64_t done,
                              int64_t total)
{
    return service_on_fiber(call, do_progress, &(struct progress_args){ run, what, done, total });
}

bp_status command_run_say_end(bp_call *call, bp_command_run *run, bp_status status, bp_str sentence)
{
    bp_json_writer w;

    BP_TRY(command_run_end_progress(call, run));
    begin_event(run, &w, "end");
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_integer(&w, "status",
                     run->is_refused   ? EXIT_USAGE_STATUS
                     : status != BP_OK ? EXIT_FAILURE_STATUS
                                       : run->exit_status);
    if (run->is_refused)
        json_put_bool(&w, "usage", true);
    if (status != BP_OK) {
        json_put_text(&w, "code", bp_status_label(status));
        json_put_integer(&w, "http_status", bp_status_http(status));
        json_put_string(&w, "message", run->is_refused ? bp_str_of(run->refusal) : sentence);
        json_put_text(&w, "request_id", call->request_id);
    }
    json_end(&w);
    return send_event(call, run, &w);
}

static void set_exit(bp_command_run *run, int32_t status)
{
    run->exit_status = status < 0 || status > EXIT_STATUS_MAX ? EXIT_FAILURE_STATUS : status;
}

static bp_status refuse(bp_call *call, bp_command_run *run, bp_str sentence)
{
    run->is_refused = true;
    snprintf(run->refusal, sizeof(run->refusal), BP_FMT, BP_ARG(str_cut(sentence, 1000)));
    return call_fail(call, BP_INVALID, BP_FMT, BP_ARG(sentence));
}

/* ---- files ---- */

/* The bytes of an option's file, all of them. */
static bp_status take_option_file(bp_call *call, bp_command_run *run,
                                  const struct command_file *file)
{
    const bp_command_option *option = NULL;
    struct command_value    *value = value_of(run, file->option, &option);
    bp_str                   piece;

    if (!value || !(option->flags & BP_COMMAND_FILE) || !value->is_set || value->is_here)
        return call_fail(call, BP_INVALID,
                         "the request of a command brings a file of the option \"" BP_FMT
                         "\", which has none to come",
                         BP_ARG(str_cut(file->option, 64)));
    buf_init(&value->bytes, NULL, COMMAND_OPTION_FILES_BYTES_MAX + 1);
    for (;;) {
        BP_TRY(command_input_read(call, &run->input, &piece));
        if (!piece.len)
            break;
        run->option_bytes += piece.len;
        if (run->option_bytes > COMMAND_OPTION_FILES_BYTES_MAX)
            return call_fail(call, BP_TOO_LARGE,
                             "the files of a command's options are larger than %d MiB together",
                             COMMAND_OPTION_FILES_BYTES_MAX >> 20);
        BP_TRY(http_exchange_keep(run->exchange, piece.len));
        buf_add(&value->bytes, piece);
    }
    if (buf_status(&value->bytes) != BP_OK)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for the file of --%s",
                         option->name);
    value->is_here = true;
    return BP_OK;
}

/* Files of options up to the first of a word, which waits then. */
static bp_status take_option_files(bp_call *call, bp_command_run *run)
{
    struct command_file file;
    bool                has_file;

    while (!run->is_waiting && run->input.state != INPUT_ENDED) {
        BP_TRY(command_input_next(call, &run->input, &file, &has_file));
        if (!has_file)
            break;
        if (!file.option.len) {
            run->waiting = file;
            run->is_waiting = true;
            break;
        }
        BP_TRY(take_option_file(call, run, &file));
    }
    return BP_OK;
}

struct file_args {
    bp_command_run  *run;
    const char      *name;
    bp_command_file *file;
    bool            *has_file;
    bp_str          *bytes;
};

static bp_status do_next_file(bp_call *call, void *arg)
{
    struct file_args *args = arg;
    bp_command_run   *run = args->run;
    bp_command_file   found = { 0 };
    uint32_t          size = args->file->struct_size;

    *args->has_file = false;
    BP_TRY(take_option_files(call, run));
    if (!run->is_waiting)
        return BP_OK;
    if (!(run->command->spec.flags & BP_COMMAND_FILES))
        return call_fail(call, BP_INVALID, "the command takes no files");
    run->is_waiting = false;
    found.name = run->waiting.name;
    found.size_bytes = run->waiting.size_bytes;
    found.struct_size = size;
    memcpy(args->file, &found, size < sizeof(found) ? size : sizeof(found));
    *args->has_file = true;
    return BP_OK;
}

static bp_status next_file(bp_call *call, bp_command_run *run, bp_command_file *file,
                           bool *has_file)
{
    return service_on_fiber(call, do_next_file,
                            &(struct file_args){ .run = run, .file = file, .has_file = has_file });
}

static bp_status do_read_file(bp_call *call, void *arg)
{
    struct file_args *args = arg;

    *args->bytes = BP_STR("");
    if (args->run->is_waiting) // it is the next one's
        return BP_OK;
    return command_input_read(call, &args->run->input, args->bytes);
}

static bp_status read_file(bp_call *call, bp_command_run *run, bp_str *piece)
{
    return service_on_fiber(call, do_read_file, &(struct file_args){ .run = run, .bytes = piece });
}

static bp_status do_option_file(bp_call *call, void *arg)
{
    struct file_args     *args = arg;
    struct command_value *value = value_of(args->run, bp_str_of(args->name), NULL);

    *args->bytes = BP_STR("");
    if (!value || !value->is_set)
        return BP_OK;
    if (!value->is_here)
        BP_TRY(take_option_files(call, args->run));
    if (!value->is_here)
        return call_fail(call, BP_INVALID,
                         "the request of the command does not bring the file of "
                         "its option \"%s\"",
                         args->name);
    *args->bytes = buf_str(&value->bytes);
    return BP_OK;
}

static bp_status option_file(bp_call *call, bp_command_run *run, const char *name, bp_str *bytes)
{
    return service_on_fiber(call, do_option_file,
                            &(struct file_args){ .run = run, .name = name, .bytes = bytes });
}

static const bp_command_service command_service = {
    .struct_size = sizeof(bp_command_service),
    .word_count = get_word_count,
    .word = get_word,
    .option = get_option,
    .write = write_text,
    .progress = say_progress,
    .next_file = next_file,
    .read_file = read_file,
    .option_file = option_file,
    .line_count = get_line_count,
    .left_out = get_left_out,
    .is_alone = get_is_alone,
    .set_exit = set_exit,
    .refuse = refuse,
};

const struct host_service command_service_entry = { "command", 1, sizeof(command_service),
                                                    &command_service };

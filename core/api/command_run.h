/* command_run.h - one run of a command: its input and its output. */
#ifndef CORE_API_COMMAND_RUN_H
#define CORE_API_COMMAND_RUN_H

#include "api/command_input.h"
#include "api/command_table.h"

struct command_value {
    bool          is_set, is_here; /* is_here: its file's bytes are */
    bp_str        value;
    struct bp_buf bytes; /* on the heap: it outlives scratch memory of the handler */
};

struct command_progress {
    char    what[64];
    int64_t done, total, sent_ns;
    bool    is_open, is_due; /* is_due: the last numbers were not sent yet */
};

struct bp_command_run {
    struct http_exchange     *exchange;
    const struct app_command *command;
    bool                      is_alone, is_refused;
    char                      refusal[1024]; /* the sentence of one; may be empty */
    int32_t                   exit_status;
    bp_str                   *words;
    size_t                    word_count;
    struct command_value     *values; /* one an option */
    int64_t                   line_count;
    struct command_input      input;
    struct command_file       waiting; /* of a word, met while an option's was looked for */
    bool                      is_waiting;
    size_t                    option_bytes; /* of files of options, so far */
    struct command_progress   progress;
    struct bp_buf             event; /* on the heap */
};

/* In the call's arena, which frees it. NULL: no memory. */
struct bp_command_run *command_run_new(bp_call *call, struct http_exchange *exchange,
                                       const struct app_command *command);
/* Takes the first line of the request and checks it against the table. */
bp_status command_run_read(bp_call *call, struct bp_command_run *run) BP_SUSPENDS;
/* Begins the answer, unless it has begun. */
bp_status command_run_begin(struct bp_command_run *run);
/* The last numbers of a bar, and that it is over. */
bp_status command_run_end_progress(bp_call *call, struct bp_command_run *run) BP_SUSPENDS;
bp_status command_run_say_end(bp_call *call, struct bp_command_run *run, bp_status status,
                              bp_str sentence) BP_SUSPENDS;

extern const struct host_service command_service_entry;

#endif

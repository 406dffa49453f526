/* command_input.h - the body of a command's request, taken apart while it comes in.
 *
 * It keeps only the current line and one piece of the body. The client is held back until the
 * command asks for more.
 */
#ifndef CORE_API_COMMAND_INPUT_H
#define CORE_API_COMMAND_INPUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "net/http_server.h"

enum {
    COMMAND_LINE_BYTES_MAX = 1 << 20, /* the first one */
    COMMAND_FILE_LINE_BYTES_MAX = 16 << 10,
    COMMAND_OPTION_FILES_BYTES_MAX = 64 << 20,
    COMMAND_PRINT_BYTES = 32 << 10 /* of a text in one event */
};

enum command_input_state {
    INPUT_BETWEEN, /* a line comes next */
    INPUT_SIZED,   /* `left` bytes of a file come next */
    INPUT_PIECES,  /* the same of one of its pieces; 0: the line with the next one's length */
    INPUT_ENDED
};

struct command_input {
    struct http_exchange    *exchange;
    enum command_input_state state;
    int64_t                  left;
    bp_str                   piece; /* the rest of the last read */
    struct bp_buf            line;  /* on the heap */
    struct arena             arena; /* of the JSON of the last line */
    int64_t                  left_out;
    bp_status                failed; /* sticky: nothing can be read any more */
};

/* A file's line. Texts live until the next one. */
struct command_file {
    bp_str  name, option; /* option empty: of a word */
    int64_t size_bytes;   /* -1: not known */
};

void command_input_init(struct command_input *input, struct http_exchange *exchange);
void command_input_free(struct command_input *input);

/* The first line into `arena`; an object, empty when there is no body. */
bp_status command_input_first(bp_call *call, struct command_input *input, struct arena *arena,
                              const bp_json **value) BP_SUSPENDS;
/* The next file; the rest of the one before is skipped. */
bp_status command_input_next(bp_call *call, struct command_input *input, struct command_file *file,
                             bool *has_file) BP_SUSPENDS;
/* The next piece of the file, valid until the next read; empty at its end. */
bp_status command_input_read(bp_call *call, struct command_input *input, bp_str *piece) BP_SUSPENDS;

#endif

/* command_input.c - lines of JSON and the bytes of files, out of one stream. */
#include "api/command_input.h"

#include "base/str.h"

void command_input_init(struct command_input *input, struct http_exchange *exchange)
{
    *input = (struct command_input){ .exchange = exchange };
    buf_init(&input->line, NULL, COMMAND_LINE_BYTES_MAX + 1);
    arena_init(&input->arena, 1u << 20);
}

void command_input_free(struct command_input *input)
{
    buf_free(&input->line);
    arena_free(&input->arena);
}

static bp_status fail(bp_call *call, struct command_input *input, const char *what)
{
    input->failed = BP_INVALID;
    return call_fail(call, BP_INVALID, "the request of a command is malformed: %s", what);
}

/* Some of the body in `piece`, or nothing at its end. */
static bp_status fill(bp_call *call, struct command_input *input)
{
    bp_status status = BP_OK;

    if (input->failed)
        return call_fail(call, input->failed, "the request of a command cannot be read any more");
    if (input->piece.len)
        return BP_OK;
    status = call_yield_if_due(call);
    if (status == BP_OK)
        status = http_exchange_read(input->exchange, &input->piece);
    input->failed = status;
    return status;
}

static bp_str take(struct command_input *input, size_t most)
{
    bp_str taken = bp_str_n(input->piece.data, input->piece.len < most ? input->piece.len : most);

    input->piece = bp_str_n(input->piece.data + taken.len, input->piece.len - taken.len);
    return taken;
}

/* Up to its end, which is not part of it. The last one need not have an end. */
static bp_status read_line(bp_call *call, struct command_input *input, size_t most, bp_str *line,
                           bool *has_line)
{
    bool is_end = false;

    buf_reset(&input->line);
    while (!is_end) {
        const char *newline;
        bp_str      some;

        BP_TRY(fill(call, input));
        if (!input->piece.len)
            break;
        newline = memchr(input->piece.data, '\n', input->piece.len);
        is_end = newline != NULL;
        some = take(input, is_end ? (size_t)(newline - input->piece.data) : SIZE_MAX);
        if (input->line.len + some.len > most)
            return fail(call, input,
                        "one of its lines of JSON is too long: the bytes of a file follow its "
                        "line, they are not part of it");
        buf_add(&input->line, some);
        if (is_end)
            take(input, 1);
    }
    if (buf_status(&input->line) != BP_OK)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for a command's request");
    *line = buf_str(&input->line);
    *has_line = is_end || line->len;
    return BP_OK;
}

static bp_status parse(bp_call *call, struct command_input *input, struct arena *arena, bp_str line,
                       const bp_json **value)
{
    struct reason problem = { "" };
    char          why[REASON_BYTES + 64];

    if (json_parse(arena, line, value, &problem) == BP_OK &&
        json_type_of(*value) == JSON_KIND_OBJECT)
        return BP_OK;
    snprintf(why, sizeof(why), "one of its lines is not a JSON object%s%s",
             problem.text[0] ? ": " : "", problem.text);
    return fail(call, input, why);
}

bp_status command_input_first(bp_call *call, struct command_input *input, struct arena *arena,
                              const bp_json **value)
{
    bp_str line;
    bool   has_line;

    BP_TRY(read_line(call, input, COMMAND_LINE_BYTES_MAX, &line, &has_line));
    return parse(call, input, arena, has_line ? line : BP_STR("{}"), value);
}

/* The length of the next piece of a file of unknown size; 0 ends it. */
static bp_status next_piece(bp_call *call, struct command_input *input)
{
    uint64_t len = 0;
    bp_str   line;
    bool     has_line;

    BP_TRY(read_line(call, input, 24, &line, &has_line));
    if (!has_line)
        return fail(call, input, "it ends within a file");
    if (!str_to_uint(line, &len) || len > INT64_MAX)
        return fail(call, input,
                    "each piece of a file begins with a line that has its length in decimal");
    input->left = (int64_t)len;
    if (!len)
        input->state = INPUT_BETWEEN;
    return BP_OK;
}

bp_status command_input_read(bp_call *call, struct command_input *input, bp_str *piece)
{
    *piece = bp_str_n("", 0);
    if (input->state == INPUT_PIECES && !input->left)
        BP_TRY(next_piece(call, input));
    if (input->state == INPUT_SIZED && !input->left)
        input->state = INPUT_BETWEEN;
    if (input->state != INPUT_SIZED && input->state != INPUT_PIECES)
        return BP_OK;
    BP_TRY(fill(call, input));
    if (!input->piece.len)
        return fail(call, input, "it ends within a file, before the announced size");
    *piece = take(input, (size_t)input->left);
    input->left -= (int64_t)piece->len;
    return BP_OK;
}

static bp_status skip_file(bp_call *call, struct command_input *input)
{
    bp_str piece;

    do
        BP_TRY(command_input_read(call, input, &piece));
    while (piece.len);
    return BP_OK;
}

static bp_status take_file(bp_call *call, struct command_input *input, const bp_json *value,
                           struct command_file *file)
{
    const bp_json *size = json_get(value, BP_STR("size"));

    *file = (struct command_file){ .name = json_as_string(json_get(value, BP_STR("name"))),
                                   .option = json_as_string(json_get(value, BP_STR("option"))),
                                   .size_bytes = size ? json_as_integer(size) : -1 };
    if (!file->name.len || memchr(file->name.data, '\0', file->name.len))
        return fail(call, input, "the line before a file needs \"name\"");
    if (size && (!json_is_whole(size) || file->size_bytes < 0))
        return fail(call, input, "\"size\" of a file must be its length in bytes, a whole number");
    input->state = size ? INPUT_SIZED : INPUT_PIECES;
    input->left = size ? file->size_bytes : 0;
    return BP_OK;
}

bp_status command_input_next(bp_call *call, struct command_input *input, struct command_file *file,
                             bool *has_file)
{
    *has_file = false;
    BP_TRY(skip_file(call, input));
    while (input->state != INPUT_ENDED) {
        const bp_json *value, *left_out;
        bp_str         line, failed;

        BP_TRY(read_line(call, input, COMMAND_FILE_LINE_BYTES_MAX, &line, has_file));
        if (!*has_file) {
            input->state = INPUT_ENDED;
            break;
        }
        arena_reset(&input->arena);
        BP_TRY(parse(call, input, &input->arena, line, &value));
        failed = json_as_string(json_get(value, BP_STR("failed")));
        if (failed.len) {
            input->failed = BP_NOT_FOUND;
            return call_fail(call, BP_NOT_FOUND, BP_FMT, BP_ARG(str_cut(failed, 500)));
        }
        left_out = json_get(value, BP_STR("left_out"));
        if (!left_out)
            return take_file(call, input, value, file);
        input->left_out = json_as_integer(left_out);
    }
    *has_file = false;
    return BP_OK;
}

/* edit.c - the tool edit_file: pieces of a text replaced one after another, and what changed as a diff.
 *
 * A piece is looked for as it is written; if it is nowhere, line by line, blanks at both ends of each line not counted,
 * and what is put there is indented as what it replaces. Both work on text with LF; lines that an edit leaves alone
 * keep the ends they had in the file, CR LF or LF, and new ones get what most lines have.
 */
#include "filesystem.h"
#include "diff.h"

#include <unistd.h>

/* ---- texts ---- */

static bp_status with_newlines(bp_call *call, bp_str text, bp_str *made)
{
    char  *data = bp_alloc(call, text.len + 1);
    size_t len = 0;

    if (!data)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a text of %zu bytes", text.len);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '\r' || i + 1 == text.len || text.data[i + 1] != '\n')
            data[len++] = text.data[i];
    *made = bp_str_n(data, len);
    return BP_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bp_str indent_of(bp_str line)
{
    size_t len = 0;

    while (len < line.len && is_blank(line.data[len]))
        len++;
    return bp_str_n(line.data, len);
}

static bp_str trim_start(bp_str line)
{
    size_t len = indent_of(line).len;

    return bp_str_n(line.data + len, line.len - len);
}

static bp_str trim(bp_str line)
{
    line = trim_start(line);
    while (line.len && is_blank(line.data[line.len - 1]))
        line.len--;
    return line;
}

/* Split at each newline, without it: one line more than there are newlines. */
static bp_status split(bp_call *call, bp_str text, struct lines *lines)
{
    size_t start = 0, count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    lines->count = 0;
    lines->items = BP_NEW_ARRAY(call, bp_str, count);
    if (!lines->items)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a text of %zu lines", count);
    for (size_t i = 0; i <= text.len; i++)
        if (i == text.len || text.data[i] == '\n') {
            lines->items[lines->count++] = bp_str_n(text.data + start, i - start);
            start = i + 1;
        }
    return BP_OK;
}

/* ---- one edit ---- */

static bp_status put_piece(bp_call *call, bp_str text, size_t at, size_t removed, bp_str added, bp_str *made)
{
    size_t len = text.len - removed + added.len;
    char  *data = bp_alloc(call, len + 1);

    if (!data)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the edited text");
    memcpy(data, text.data, at);
    if (added.len)
        memcpy(data + at, added.data, added.len);
    memcpy(data + at + added.len, text.data + at + removed, text.len - at - removed);
    *made = bp_str_n(data, len);
    return BP_OK;
}

static bool is_match(const struct lines *content, size_t at, const struct lines *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!bp_str_equal(trim(content->items[at + i]), trim(wanted->items[i])))
            return false;
    return true;
}

/* The new lines as they are put in: the first indented as the line it replaces, a later one by as much more as it is
 * indented more than the old line beside it; as it is written where one of the two has no indent (so does the
 * reference server). */
static void indent_lines(bp_buf *out, bp_str indent, const struct lines *old, const struct lines *new)
{
    for (size_t i = 0; i < new->count; i++) {
        bp_str line = new->items[i], own = indent_of(line), was = {"", 0};

        if (i < old->count)
            was = indent_of(old->items[i]);
        bp_buf_add(out, bp_str_of(i ? "\n" : ""));
        if (i == 0 || (was.len && own.len)) {
            bp_buf_add(out, indent);
            for (size_t more = was.len; i && more < own.len; more++)
                bp_buf_add(out, BP_STR(" "));
            line = trim_start(line);
        }
        bp_buf_add(out, line);
    }
}

/* Replaces the first lines that are `old` but for blanks; *is_done tells whether there were any. */
static bp_status replace_lines(bp_call *call, bp_str *text, bp_str old_text, bp_str new_text, bool *is_done)
{
    struct lines content, old, new;

    *is_done = false;
    BP_TRY(split(call, *text, &content));
    BP_TRY(split(call, old_text, &old));
    BP_TRY(split(call, new_text, &new));
    for (size_t at = 0; at + old.count <= content.count; at++) {
        const bp_str *first = &content.items[at], *last = &content.items[at + old.count - 1];
        bp_buf       *made;

        if (!is_match(&content, at, &old))
            continue;
        made = bp_buf_new(call, new_text.len + new.count *(first->len + new_text.len + 1) + 1);
        indent_lines(made, indent_of(*first), &old, &new);
        BP_TRY(bp_buf_status(made));
        *is_done = true;
        return put_piece(call, *text, (size_t)(first->data - text->data),
                         (size_t)(last->data + last->len - first->data), bp_buf_str(made), text);
    }
    return BP_OK;
}

static bp_status apply(bp_call *call, const bp_json *edit, bp_str *text, bool *is_done)
{
    bp_str old, new;
    char  *at;

    BP_TRY(with_newlines(call, bp_json_string(bp_json_get(edit, "oldText")), &old));
    BP_TRY(with_newlines(call, bp_json_string(bp_json_get(edit, "newText")), &new));
    *is_done = true;
    if (!old.len)
        return put_piece(call, *text, 0, 0, new, text);
    at = text->len ? memmem(text->data, text->len, old.data, old.len) : NULL;
    if (at)
        return put_piece(call, *text, (size_t)(at - text->data), old.len, new, text);
    return replace_lines(call, text, old, new, is_done);
}

/* ---- ends of lines ---- */

static bool ends_with_return(bp_str line)
{
    return line.len > 1 && memcmp(line.data + line.len - 2, "\r\n", 2) == 0;
}

/* The edited text with the ends of lines that the file has. */
static bp_status restore_ends(bp_call *call, bp_str original, const struct lines *after, const int32_t *match,
                              bp_str *bytes)
{
    struct lines lines;
    size_t       returns = 0, size = 0;
    bp_buf      *out;

    BP_TRY(lines_split(call, original, &lines));
    for (size_t i = 0; i < lines.count; i++)
        returns += ends_with_return(lines.items[i]);
    for (size_t i = 0; i < after->count; i++)
        size += after->items[i].len + 1;
    out = bp_buf_new(call, size + 1);
    for (size_t i = 0; i < after->count; i++) {
        bp_str line = after->items[i];
        bool   is_old = match[i] >= 0 && (size_t)match[i] < lines.count;
        bool   has_return = is_old ? ends_with_return(lines.items[match[i]]) : returns * 2 > lines.count;

        if (has_return && line.data[line.len - 1] == '\n') {
            bp_buf_add(out, bp_str_n(line.data, line.len - 1));
            bp_buf_add(out, BP_STR("\r\n"));
        } else {
            bp_buf_add(out, line);
        }
    }
    *bytes = bp_buf_str(out);
    return bp_buf_status(out);
}

/* ---- the tool ---- */

/* "```diff ... ```", with more backticks than stand in a row in it. */
static bp_status fence(bp_call *call, bp_str path, const struct lines *before, const struct lines *after,
                       const int32_t *match, bp_str *text)
{
    bp_buf *diff = bp_buf_new(call, RESULT_TEXT_BYTES_MAX), *out = bp_buf_new(call, RESULT_TEXT_BYTES_MAX);
    size_t  longest = 2, run = 0;
    bp_str  body;

    bp_buf_add(diff, bp_format(call, "Index: " BP_FMT "\n", BP_ARG(path)));
    bp_buf_add(diff, BP_STR("===================================================================\n"));
    bp_buf_add(diff,
               bp_format(call, "--- " BP_FMT "\toriginal\n+++ " BP_FMT "\tmodified\n", BP_ARG(path), BP_ARG(path)));
    diff_write(diff, before, after, match);
    body = bp_buf_str(diff);
    for (size_t i = 0; i < body.len; i++) {
        run = body.data[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        bp_buf_add(out, BP_STR("`"));
    bp_buf_add(out, BP_STR("diff\n"));
    bp_buf_add(out, body);
    for (size_t i = 0; i <= longest; i++)
        bp_buf_add(out, BP_STR("`"));
    bp_buf_add(out, BP_STR("\n\n"));
    if (bp_buf_status(diff) != BP_OK || bp_buf_status(out) != BP_OK)
        return bp_fail(call, BP_TOO_LARGE, "the changes are too large to be shown as a diff: make fewer at once");
    *text = bp_buf_str(out);
    return BP_OK;
}

static bp_status read_original(bp_call *call, struct work *work, const struct place *place, int directory,
                               const char *name, struct stat *info, bp_str *original)
{
    bp_str    shown = place_text(call, place);
    int       fd = open_in(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
    bp_status status;

    if (fd < 0)
        return fail_errno(call, -fd, "open", shown);
    if (fstat(fd, info) != 0)
        status = fail_errno(call, errno, "open", shown);
    else if (!S_ISREG(info->st_mode))
        status = S_ISDIR(info->st_mode) ? fail_errno(call, EISDIR, "read", BP_STR(""))
                                        : bp_fail(call, BP_INVALID, BP_FMT " is no regular file", BP_ARG(shown));
    else
        status = read_whole(call, work->self, fd, info, shown, original);
    close(fd);
    BP_TRY(status);
    if (!is_utf8(*original))
        return bp_fail(call, BP_INVALID, BP_FMT " is not text in UTF-8, so it cannot be edited as text", BP_ARG(shown));
    return BP_OK;
}

static bp_status edit(bp_call *call, struct work *work, const struct place *place, int directory, const char *name)
{
    const bp_json *edits = bp_json_get(work->arguments, "edits");
    struct lines   before, after;
    struct stat    info;
    bp_str         original, content, edited, bytes;
    int32_t       *match;
    bool           is_done;

    BP_TRY(read_original(call, work, place, directory, name, &info, &original));
    BP_TRY(with_newlines(call, original, &content));
    edited = content;
    for (size_t i = 0; i < bp_json_count(edits); i++) {
        const bp_json *one = bp_json_at(edits, i);

        BP_TRY(bp_cancelled(call));
        BP_TRY(apply(call, one, &edited, &is_done));
        if (!is_done) {
            work->is_failure = true;
            work->text = bp_format(call, "Could not find exact match for edit:\n%.*s",
                                   (int)bp_json_string(bp_json_get(one, "oldText")).len,
                                   bp_json_string(bp_json_get(one, "oldText")).data);
            return BP_OK;
        }
    }
    BP_TRY(lines_split(call, content, &before));
    BP_TRY(lines_split(call, edited, &after));
    BP_TRY(diff_match(call, &before, &after, &match));
    BP_TRY(fence(call, place_text(call, place), &before, &after, match, &work->text));
    if (bp_json_bool(bp_json_get(work->arguments, "dryRun")))
        return BP_OK;
    BP_TRY(restore_ends(call, original, &after, match, &bytes));
    if ((int64_t)bytes.len > work->self->max_file_bytes)
        return bp_fail(call, BP_TOO_LARGE, "the edited text has %zu bytes, the limit is %lld (max_file)", bytes.len,
                       (long long)work->self->max_file_bytes);
    return replace_file(call, place, directory, name, bytes, &info);
}

bp_status work_edit(bp_call *call, struct work *work)
{
    struct place     place;
    pthread_mutex_t *lock;
    const char      *name;
    bp_status        status;
    int              directory;

    BP_TRY(place_open_parent(call, work->self, bp_json_string(bp_json_get(work->arguments, "path")), true, "open",
                             &place, &directory, &name));
    lock = write_lock(work->self->shared, directory, name);
    pthread_mutex_lock(lock);
    status = edit(call, work, &place, directory, name);
    pthread_mutex_unlock(lock);
    close(directory);
    return status;
}

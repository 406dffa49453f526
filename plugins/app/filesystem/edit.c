/* edit.c - the tool edit_file: pieces of a text replaced one after another, and what changed as a
 * diff.
 *
 * A piece is looked for as it is written; if it is nowhere, line by line, blanks at both ends of
 * each line not counted, and the new text is shifted as the text it replaces (match.c). It has to
 * be at one place only. Both work on text with LF; lines that an edit leaves alone keep the ends
 * they had in the file, CR LF or LF, and new ones get what most have.
 */
#include "filesystem.h"
#include "diff.h"
#include "match.h"

#include <stdlib.h>
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

/* ---- one edit ---- */

/* A text that is edited: each edit rewrites it from one of two places into the other. */
struct draft {
    bp_str now;
    char  *places[2];
    size_t room[2];
    int    next; /* the place that `now` is not in */
    size_t max_bytes;
};

static bp_status draft_put(bp_call *call, struct draft *draft, const struct match *match)
{
    size_t len = draft->now.len - match->len + match->put.len, behind = match->start + match->len;
    char  *data = draft->places[draft->next];

    if (len > draft->max_bytes)
        return bp_fail(call, BP_TOO_LARGE,
                       "the edited text has %zu bytes, the limit is %zu (max_file)", len,
                       draft->max_bytes);
    if (len + 1 > draft->room[draft->next]) {
        free(data);
        draft->room[draft->next] = len + len / 4 + 1;
        data = draft->places[draft->next] = malloc(draft->room[draft->next]);
        if (!data) {
            draft->room[draft->next] = 0;
            return bp_fail(call, BP_NO_MEMORY, "no memory for the edited text");
        }
    }
    memcpy(data, draft->now.data, match->start);
    if (match->put.len)
        memcpy(data + match->start, match->put.data, match->put.len);
    memcpy(data + match->start + match->put.len, draft->now.data + behind, draft->now.len - behind);
    draft->now = bp_str_n(data, len);
    draft->next = !draft->next;
    return BP_OK;
}

static void draft_free(struct draft *draft)
{
    free(draft->places[0]);
    free(draft->places[1]);
}

/* In scratch memory, so that many edits of a large text need no more than one. */
static bp_status find_and_put(bp_call *call, const bp_json *edit, struct draft *draft,
                              struct match *match)
{
    bp_str old, new;

    BP_TRY(with_newlines(call, bp_json_string(bp_json_get(edit, "oldText")), &old));
    BP_TRY(with_newlines(call, bp_json_string(bp_json_get(edit, "newText")), &new));
    match_exact(draft->now, old, new, match);
    if (!match->count)
        BP_TRY(match_lines(call, draft->now, old, new, draft->max_bytes, match));
    return match->count == 1 ? draft_put(call, draft, match) : BP_OK;
}

/* "2, 3 and 5" */
static bp_str places_text(bp_call *call, const struct match *match)
{
    size_t  shown = match->count < MATCH_PLACES_MAX ? match->count : MATCH_PLACES_MAX;
    bp_buf *out = bp_buf_new(call, 1024);

    for (size_t i = 0; i < shown; i++)
        bp_buf_addf(out, "%s%zu",
                    !i                      ? ""
                    : i + 1 == match->count ? " and "
                                            : ", ",
                    match->places[i]);
    if (shown < match->count)
        bp_buf_add(out, BP_STR(" and more"));
    return bp_buf_str(out);
}

/* Why the edit of that index does not go. */
static bp_str complaint(bp_call *call, const bp_json *edit, size_t index, const struct match *match)
{
    bp_str old = bp_json_string(bp_json_get(edit, "oldText"));

    if (!old.len)
        return bp_format(call,
                         "oldText of edit %zu is empty: give the text that is to be replaced, or "
                         "use write_file to write a whole file. Nothing was changed.",
                         index + 1);
    if (!match->count)
        return bp_format(call, "Could not find exact match for edit:\n" BP_FMT, BP_ARG(old));
    return bp_format(call,
                     "oldText of edit %zu is there %s%zu times, in lines " BP_FMT
                     "%s: give more lines around it, so that it stands for one place only. Nothing "
                     "was changed.",
                     index + 1, match->count == MATCH_COUNT_MAX ? "at least " : "", match->count,
                     BP_ARG(places_text(call, match)),
                     index ? " as the edits before it leave the text" : "");
}

/* All edits, one after another; `work` tells of the first that does not go. */
static bp_status apply_all(bp_call *call, struct work *work, struct draft *draft)
{
    const bp_json *edits = work->wanted.edits;

    for (size_t i = 0; i < bp_json_count(edits) && !work->is_failure; i++) {
        const bp_json *one = bp_json_at(edits, i);
        struct match   match = { .count = 0 };

        BP_TRY(bp_cancelled(call));
        if (bp_json_string(bp_json_get(one, "oldText")).len) {
            bp_status status = bp_scratch_begin(call);

            BP_TRY(status);
            status = find_and_put(call, one, draft, &match);
            bp_scratch_end(call);
            BP_TRY(status);
        }
        if (match.count == 1)
            continue;
        work->is_failure = true;
        work->text = complaint(call, one, i, &match);
    }
    return BP_OK;
}

/* ---- ends of lines ---- */

static bool ends_with_return(bp_str line)
{
    return line.len > 1 && memcmp(line.data + line.len - 2, "\r\n", 2) == 0;
}

/* The edited text with the ends of lines that the file has. */
static bp_status restore_ends(bp_call *call, bp_str original, const struct lines *after,
                              const int32_t *match, bp_str *bytes)
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
        bool   has_return = is_old ? ends_with_return(lines.items[match[i]])
                                   : returns * 2 > lines.count;

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
static bp_status fence(bp_call *call, bp_str path, const struct lines *before,
                       const struct lines *after, const int32_t *match, bp_str *text)
{
    bp_buf *diff = bp_buf_new(call, RESULT_TEXT_BYTES_MAX),
           *out = bp_buf_new(call, RESULT_TEXT_BYTES_MAX);
    size_t longest = 2, run = 0;
    bp_str body;

    bp_buf_add(diff, bp_format(call, "Index: " BP_FMT "\n", BP_ARG(path)));
    bp_buf_add(diff,
               BP_STR("===================================================================\n"));
    bp_buf_add(diff, bp_format(call, "--- " BP_FMT "\toriginal\n+++ " BP_FMT "\tmodified\n",
                               BP_ARG(path), BP_ARG(path)));
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
        return bp_fail(call, BP_TOO_LARGE,
                       "the changes are too large to be shown as a diff: make fewer at once");
    *text = bp_buf_str(out);
    return BP_OK;
}

static bp_status read_original(bp_call *call, struct work *work, const struct place *place,
                               int directory, const char *name, struct stat *info, bp_str *original)
{
    bp_str    shown = place_text(call, place);
    int       fd = open_in(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
    bp_status status;

    if (fd < 0)
        return fail_errno(call, -fd, "open", shown);
    if (fstat(fd, info) != 0)
        status = fail_errno(call, errno, "open", shown);
    else if (!S_ISREG(info->st_mode))
        status = S_ISDIR(info->st_mode)
                     ? fail_errno(call, EISDIR, "read", BP_STR(""))
                     : bp_fail(call, BP_INVALID, BP_FMT " is no regular file", BP_ARG(shown));
    else
        status = read_whole(call, work->self, fd, info, shown, original);
    close(fd);
    BP_TRY(status);
    if (!is_utf8(*original))
        return bp_fail(call, BP_INVALID,
                       BP_FMT " is not text in UTF-8, so it cannot be edited as text",
                       BP_ARG(shown));
    return BP_OK;
}

/* Shows what changed, and unless this is a dry run writes it. */
static bp_status finish(bp_call *call, struct work *work, const struct place *place, int directory,
                        const char *name, const struct stat *info, bp_str original, bp_str content,
                        bp_str edited)
{
    struct lines before, after;
    int32_t     *match;
    bp_str       bytes;

    BP_TRY(lines_split(call, content, &before));
    BP_TRY(lines_split(call, edited, &after));
    BP_TRY(diff_match(call, &before, &after, &match));
    BP_TRY(fence(call, place_text(call, place), &before, &after, match, &work->text));
    if (work->wanted.is_dry_run)
        return BP_OK;
    BP_TRY(restore_ends(call, original, &after, match, &bytes));
    if ((int64_t)bytes.len > work->self->max_file_bytes)
        return bp_fail(call, BP_TOO_LARGE,
                       "the edited text has %zu bytes, the limit is %lld (max_file)", bytes.len,
                       (long long)work->self->max_file_bytes);
    BP_TRY(bp_cancelled(call));
    return replace_file(call, place, directory, name, bytes, info);
}

static bp_status edit(bp_call *call, struct work *work, const struct place *place, int directory,
                      const char *name)
{
    struct draft draft = { .max_bytes = (size_t)work->self->max_file_bytes };
    struct stat  info;
    bp_str       original, content;
    bp_status    status;

    BP_TRY(read_original(call, work, place, directory, name, &info, &original));
    BP_TRY(with_newlines(call, original, &content));
    draft.now = content;
    status = apply_all(call, work, &draft);
    if (status == BP_OK && !work->is_failure)
        status = finish(call, work, place, directory, name, &info, original, content, draft.now);
    draft_free(&draft);
    return status;
}

bp_status work_edit(bp_call *call, struct work *work)
{
    struct place     place;
    pthread_mutex_t *lock;
    const char      *name;
    bp_status        status;
    int              directory;

    BP_TRY(place_open_parent(call, work->self, work->wanted.path, true, "open", &place, &directory,
                             &name));
    lock = write_lock(work->self->shared, directory, name);
    pthread_mutex_lock(lock);
    status = edit(call, work, &place, directory, name);
    pthread_mutex_unlock(lock);
    close(directory);
    return status;
}

/* read.c - files as text, in whole or their first or last lines, and as bytes. */
#include "filesystem.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 << 10 };

/* ---- text ---- */

/* How many bytes the UTF-8 character at `at` has (RFC 3629); 0: none is there. */
static size_t character_size(const unsigned char *at, size_t len)
{
    size_t   size = at[0] < 0x80                    ? 1
                    : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                    : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                    : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                    : 0;
    unsigned low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;

    if (size > len || (size > 1 && (at[1] < low || at[1] > high)))
        return 0;
    for (size_t i = 2; i < size; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return size;
}

bool is_utf8(bp_str text)
{
    const unsigned char *at = (const unsigned char *)text.data;

    for (size_t i = 0; i < text.len;) {
        uint64_t eight;
        size_t   size;

        if (i + sizeof(eight) <= text.len) { // most text is ASCII: its bytes have no top bit
            memcpy(&eight, at + i, sizeof(eight));
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += sizeof(eight);
                continue;
            }
        }
        size = character_size(at + i, text.len - i);
        if (!size)
            return false;
        i += size;
    }
    return true;
}

static bp_status expect_text(bp_call *call, bp_str text, bp_str path)
{
    if (is_utf8(text))
        return BP_OK;
    return bp_fail(call, BP_INVALID,
                   BP_FMT " is not text in UTF-8: use read_media_file, which gives its bytes",
                   BP_ARG(path));
}

static bp_status too_large(bp_call *call, const struct filesystem *self, int64_t size_bytes,
                           bp_str path)
{
    return bp_fail(call, BP_TOO_LARGE,
                   BP_FMT " has %lld bytes, the limit is %lld (max_file): read a part of it with "
                          "head or tail",
                   BP_ARG(path), (long long)size_bytes, (long long)self->max_file_bytes);
}

/* ---- whole files ---- */

/* What tells no size beforehand, such as the files of procfs. */
static bp_status read_to_end(bp_call *call, struct filesystem *self, int fd, bp_str path,
                             bp_str *bytes)
{
    bp_buf *buf = bp_buf_new(call, (size_t)self->max_file_bytes);
    char    piece[PIECE_BYTES];
    ssize_t got;

    while ((got = read(fd, piece, sizeof(piece))) != 0) {
        BP_TRY(bp_cancelled(call));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(call, errno, "read", path);
        bp_buf_add(buf, bp_str_n(piece, (size_t)got));
        if (bp_buf_status(buf) == BP_TOO_LARGE)
            return too_large(call, self, self->max_file_bytes + 1, path);
    }
    *bytes = bp_buf_str(buf);
    return bp_buf_status(buf);
}

bp_status read_whole(bp_call *call, struct filesystem *self, int fd, const struct stat *info,
                     bp_str path, bp_str *bytes)
{
    char  *data;
    size_t len = 0;

    if (info->st_size > self->max_file_bytes)
        return too_large(call, self, info->st_size, path);
    if (info->st_size == 0)
        return read_to_end(call, self, fd, path, bytes);
    data = bp_alloc(call, (size_t)info->st_size + 1);
    if (!data)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the %lld bytes of " BP_FMT,
                       (long long)info->st_size, BP_ARG(path));
    while (len < (size_t)info->st_size) {
        size_t  rest = (size_t)info->st_size - len;
        ssize_t got = read(fd, data + len, rest < 1u << 20 ? rest : 1u << 20);

        if (got == 0)
            break;
        if (got > 0)
            len += (size_t)got;
        else if (errno != EINTR)
            return fail_errno(call, errno, "read", path);
        BP_TRY(bp_cancelled(call));
    }
    *bytes = bp_str_n(data, len);
    return BP_OK;
}

bp_status read_text(bp_call *call, struct filesystem *self, bp_str path, bp_str *text)
{
    struct place place;
    struct stat  info;
    bp_status    status;
    int          fd;

    BP_TRY(place_open_file(call, self, path, &place, &fd, &info));
    status = read_whole(call, self, fd, &info, place_text(call, &place), text);
    close(fd);
    BP_TRY(status);
    return expect_text(call, *text, place_text(call, &place));
}

/* ---- head and tail ---- */

/* The first `lines` lines, without the last line's end. Reads no more than these. */
static bp_status read_head(bp_call *call, struct filesystem *self, int fd, int64_t lines,
                           bp_str path, bp_str *text)
{
    bp_buf *buf = bp_buf_new(call, (size_t)self->max_file_bytes);
    char    piece[PIECE_BYTES];
    off_t   at = 0;

    for (;;) {
        ssize_t got = pread(fd, piece, sizeof(piece), at);
        size_t  used = 0;

        BP_TRY(bp_cancelled(call));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(call, errno, "read", path);
        while (used < (size_t)got && lines > 0)
            lines -= piece[used++] == '\n';
        bp_buf_add(buf, bp_str_n(piece, used));
        if (bp_buf_status(buf) == BP_TOO_LARGE)
            return too_large(call, self, self->max_file_bytes + 1, path);
        at += got;
        if (got == 0 || lines == 0)
            break;
    }
    *text = bp_buf_str(buf);
    if (text->len && text->data[text->len - 1] == '\n')
        text->len--;
    return bp_buf_status(buf);
}

/* Where the last `lines` lines begin: behind the newline of that number, counted from the end. As
 * with the reference server, what stands behind the last newline counts as a line, though it be
 * empty. */
static bp_status find_tail(bp_call *call, int fd, int64_t lines, off_t size, bp_str path,
                           off_t *start)
{
    char piece[PIECE_BYTES];

    for (off_t end = size; end > 0;) {
        size_t  want = end < PIECE_BYTES ? (size_t)end : PIECE_BYTES;
        ssize_t got = pread(fd, piece, want, end - (off_t)want);

        BP_TRY(bp_cancelled(call));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(call, errno, "read", path);
        if ((size_t)got < want)
            return bp_fail(call, BP_CONFLICT, BP_FMT " became shorter while it was read: try again",
                           BP_ARG(path));
        for (size_t i = want; i > 0; i--)
            if (piece[i - 1] == '\n' && --lines == 0) {
                *start = end - (off_t)want + (off_t)i;
                return BP_OK;
            }
        end -= (off_t)want;
    }
    *start = 0;
    return BP_OK;
}

/* CR LF becomes LF, in place. */
static bp_str without_returns(bp_str text)
{
    char  *data = (char *)(uintptr_t)text.data;
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++)
        if (data[i] != '\r' || i + 1 == text.len || data[i + 1] != '\n')
            data[len++] = data[i];
    return bp_str_n(data, len);
}

static bp_status read_tail(bp_call *call, struct filesystem *self, int fd, int64_t lines,
                           const struct stat *info, bp_str path, bp_str *text)
{
    struct stat part = *info;
    off_t       start = 0;

    BP_TRY(find_tail(call, fd, lines, info->st_size, path, &start));
    part.st_size -= start;
    if (part.st_size == 0) {
        *text = BP_STR("");
        return BP_OK;
    }
    if (lseek(fd, start, SEEK_SET) < 0)
        return fail_errno(call, errno, "read", path);
    BP_TRY(read_whole(call, self, fd, &part, path, text));
    *text = without_returns(*text);
    return BP_OK;
}

static bp_status line_count(bp_call *call, const char *name, double number, int64_t *lines)
{
    if (!(number >= 0) || number > 9e15 || number != (double)(int64_t)number)
        return bp_fail(call, BP_INVALID, "\"%s\" must be a whole number of lines", name);
    *lines = (int64_t)number;
    return BP_OK;
}

bp_status work_read_text(bp_call *call, struct work *work)
{
    bp_str       path = work->wanted.path, shown;
    int64_t      head = 0, tail = 0;
    struct place place;
    struct stat  info;
    bp_status    status;
    int          fd;

    BP_TRY(line_count(call, "head", work->wanted.head, &head));
    BP_TRY(line_count(call, "tail", work->wanted.tail, &tail));
    if (head && tail)
        return bp_fail(call, BP_INVALID,
                       "Cannot specify both head and tail parameters simultaneously");
    if (!head && !tail)
        return read_text(call, work->self, path, &work->text);
    BP_TRY(place_open_file(call, work->self, path, &place, &fd, &info));
    shown = place_text(call, &place);
    status = head ? read_head(call, work->self, fd, head, shown, &work->text)
                  : read_tail(call, work->self, fd, tail, &info, shown, &work->text);
    close(fd);
    BP_TRY(status);
    return expect_text(call, work->text, shown);
}

/* ---- several files, and bytes ---- */

bp_status work_read_multiple(bp_call *call, struct work *work)
{
    const bp_json *paths = work->wanted.paths;
    bp_buf        *all = bp_buf_new(call, RESULT_TEXT_BYTES_MAX);

    if (!bp_json_count(paths))
        return bp_fail(call, BP_INVALID, "\"paths\" must name at least one file");
    for (size_t i = 0; i < bp_json_count(paths) && bp_buf_status(all) == BP_OK; i++) {
        bp_str    path = bp_json_string(bp_json_at(paths, i)), text;
        bp_status status = read_text(call, work->self, path, &text);

        BP_TRY(bp_cancelled(call));
        bp_buf_add(all, bp_str_of(i ? "\n---\n" : ""));
        bp_buf_add(all, path);
        bp_buf_add(all, bp_str_of(status == BP_OK ? ":\n" : ": Error - "));
        bp_buf_add(all, status == BP_OK ? text : bp_error_of(call)->message);
        bp_buf_add(all, bp_str_of(status == BP_OK ? "\n" : ""));
        bp_clear_error(call);
    }
    if (bp_buf_status(all) != BP_OK)
        return bp_fail(call, bp_buf_status(all),
                       "these files are too large for one result: read fewer at once");
    work->text = bp_buf_str(all);
    return BP_OK;
}

static const char *mime_type_of(const char *path)
{
    static const struct {
        const char *extension, *type;
    } types[] = {
        { ".png", "image/png" },     { ".jpg", "image/jpeg" },  { ".jpeg", "image/jpeg" },
        { ".gif", "image/gif" },     { ".webp", "image/webp" }, { ".bmp", "image/bmp" },
        { ".svg", "image/svg+xml" }, { ".mp3", "audio/mpeg" },  { ".wav", "audio/wav" },
        { ".ogg", "audio/ogg" },     { ".flac", "audio/flac" },
    };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash + 1 : path, '.');

    for (size_t i = 0;
         dot && dot != (slash ? slash + 1 : path) && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(dot, types[i].extension) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* The file:// address of a path (RFC 8089), what may not stand in one escaped. */
static bp_str file_uri(bp_call *call, bp_str path)
{
    bp_buf *uri = bp_buf_new(call, 4 * PATH_MAX);

    bp_buf_add(uri, BP_STR("file://"));
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("/-._~!$&'()*+,;=:@", c))
            bp_buf_add(uri, bp_str_n(path.data + i, 1));
        else
            bp_buf_addf(uri, "%%%02X", c);
    }
    return bp_buf_str(uri);
}

bp_status work_read_media(bp_call *call, struct work *work)
{
    struct place place;
    struct stat  info;
    bp_status    status;
    bp_str       shown;
    int          fd;

    BP_TRY(place_open_file(call, work->self, work->wanted.path, &place, &fd, &info));
    shown = place_text(call, &place);
    status = read_whole(call, work->self, fd, &info, shown, &work->bytes);
    close(fd);
    work->mime_type = mime_type_of(shown.data);
    work->uri = file_uri(call, shown);
    return status;
}

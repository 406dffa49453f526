/* list.c - the contents of a directory, as lines, with sizes or as a tree, and the metadata of one
 * file. */
#include "filesystem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- one directory ---- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static bool take_entry(int directory, const struct dirent *found, struct entry *entry)
{
    struct stat info;

    entry->is_directory = found->d_type == DT_DIR;
    entry->is_link = found->d_type == DT_LNK;
    if (found->d_type == DT_UNKNOWN &&
        fstatat(directory, found->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        entry->is_directory = S_ISDIR(info.st_mode);
        entry->is_link = S_ISLNK(info.st_mode);
    }
    return strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0;
}

static bp_status add_entry(bp_call *call, const struct entry *entry, size_t *room,
                           struct listing *listing)
{
    struct entry *more = listing->entries;

    if (listing->count == *room) {
        *room = *room ? 2 * *room : 32;
        more = BP_NEW_ARRAY(call, struct entry, *room);
        if (!more)
            return bp_fail(call, BP_NO_MEMORY, "no memory for a directory of more than %zu entries",
                           listing->count);
        if (listing->count)
            memcpy(more, listing->entries, listing->count * sizeof(*more));
        listing->entries = more;
    }
    listing->entries[listing->count++] = *entry;
    return BP_OK;
}

static bp_status read_entries(bp_call *call, struct filesystem *self, DIR *stream, bp_str path,
                              int64_t *budget, struct listing *listing)
{
    size_t         room = 0, seen = 0;
    struct dirent *found;

    while (errno = 0, (found = readdir(stream)) != NULL) {
        struct entry entry;

        if (++seen % 256 == 0)
            BP_TRY(bp_cancelled(call));
        if (!take_entry(dirfd(stream), found, &entry) ||
            is_name_denied(self->shared, found->d_name))
            continue;
        if (--*budget < 0)
            return bp_fail(call, BP_TOO_LARGE,
                           "there are more than %lld entries in " BP_FMT
                           " and those looked through before it (max_entries): name a directory "
                           "further down or exclude some",
                           (long long)self->max_entries, BP_ARG(path));
        entry.name = bp_dup(call, bp_str_of(found->d_name)).data;
        if (!entry.name)
            return bp_fail(call, BP_NO_MEMORY, "no memory for the entries of " BP_FMT,
                           BP_ARG(path));
        BP_TRY(add_entry(call, &entry, &room, listing));
    }
    return errno ? fail_errno(call, errno, "scandir", path) : BP_OK;
}

bp_status listing_read(bp_call *call, struct filesystem *self, int directory, bp_str path,
                       int64_t *budget, struct listing *listing)
{
    DIR      *stream = fdopendir(directory);
    bp_status status;

    *listing = (struct listing){ NULL, 0 };
    if (!stream) {
        status = fail_errno(call, errno, "scandir", path);
        close(directory);
        return status;
    }
    status = read_entries(call, self, stream, path, budget, listing);
    closedir(stream);
    if (status == BP_OK && listing->count)
        qsort(listing->entries, listing->count, sizeof(struct entry), by_bytes);
    return status;
}

/* The directory that the argument `name` leads to, open for reading. */
static bp_status open_directory(bp_call *call, struct work *work, struct place *place, int *fd)
{
    return place_open(call, work->self, work->wanted.path, O_RDONLY | O_DIRECTORY, "scandir", place,
                      fd);
}

static bp_status finish(bp_call *call, struct work *work, bp_buf *text)
{
    if (bp_buf_status(text) != BP_OK)
        return bp_fail(call, bp_buf_status(text),
                       "the result is too large: name a directory further down or exclude some");
    work->text = bp_buf_str(text);
    return BP_OK;
}

bp_status work_list(bp_call *call, struct work *work)
{
    int64_t        budget = work->self->max_entries;
    bp_buf        *text = bp_buf_new(call, RESULT_TEXT_BYTES_MAX);
    struct place   place;
    struct listing listing;
    int            fd;

    BP_TRY(open_directory(call, work, &place, &fd));
    BP_TRY(listing_read(call, work->self, fd, place_text(call, &place), &budget, &listing));
    for (size_t i = 0; i < listing.count; i++) {
        bp_buf_add(text, bp_str_of(i ? "\n" : ""));
        bp_buf_add(text, bp_str_of(listing.entries[i].is_directory ? "[DIR] " : "[FILE] "));
        bp_buf_add(text, bp_str_of(listing.entries[i].name));
    }
    return finish(call, work, text);
}

/* ---- with sizes ---- */

struct sized {
    const struct entry *entry;
    int64_t             size_bytes;
};

/* "17 B", "1.50 KB": two decimals, half a hundredth rounded up. */
static const char *size_text(int64_t size_bytes, char text[32])
{
    static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
    int                      unit = 0;
    int64_t                  whole, hundredths;

    while (unit < 4 && size_bytes >> (10 * (unit + 1)) > 0)
        unit++;
    if (unit == 0) {
        snprintf(text, 32, "%lld B", (long long)(size_bytes > 0 ? size_bytes : 0));
        return text;
    }
    whole = size_bytes >> (10 * unit);
    hundredths = ((size_bytes & ((INT64_C(1) << (10 * unit)) - 1)) * 100 +
                  (INT64_C(1) << (10 * unit - 1))) >>
                 (10 * unit);
    snprintf(text, 32, "%lld.%02d %s", (long long)(whole + hundredths / 100),
             (int)(hundredths % 100), units[unit]);
    return text;
}

/* Where a letter stands in the order that people expect: punctuation, digits, letters whatever
 * their case. */
static int rank(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (unsigned char)(c - 'A' + 'a');
    return c >= 0x80              ? 0x300 + c
           : c >= 'a' && c <= 'z' ? 0x200 + c
           : c >= '0' && c <= '9' ? 0x100 + c
                                  : c;
}

static int by_name(const void *a, const void *b)
{
    const char *left = ((const struct sized *)a)->entry->name,
               *right = ((const struct sized *)b)->entry->name;
    size_t i = 0;

    while (left[i] && rank((unsigned char)left[i]) == rank((unsigned char)right[i]))
        i++;
    if (left[i] || right[i])
        return rank((unsigned char)left[i]) - rank((unsigned char)right[i]);
    return -strcmp(left, right); // "a" before "A"
}

/* The largest first; among equals the order of their names' bytes, in which the entries lie. */
static int by_size(const void *a, const void *b)
{
    const struct sized *left = a, *right = b;

    if (left->size_bytes != right->size_bytes)
        return left->size_bytes < right->size_bytes ? 1 : -1;
    return left->entry < right->entry ? -1 : left->entry > right->entry;
}

/* How wide the reference server takes a name to be: in UTF-16 units. */
static size_t width_of(const char *name)
{
    size_t width = 0;

    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        width += (*at & 0xc0) != 0x80 ? 1 + (*at >= 0xf0) : 0;
    return width;
}

/* Reads a directory and the size of each entry: of a link its own. */
static bp_status read_sized(bp_call *call, struct work *work, struct listing *listing,
                            struct sized **sized)
{
    int64_t      budget = work->self->max_entries;
    struct place place;
    bp_status    status;
    int          fd, kept;

    BP_TRY(open_directory(call, work, &place, &fd));
    kept = dup(fd);
    status = listing_read(call, work->self, fd, place_text(call, &place), &budget, listing);
    if (status == BP_OK && kept < 0)
        status = fail_errno(call, EMFILE, "scandir", place_text(call, &place));
    *sized = status == BP_OK ? BP_NEW_ARRAY(call, struct sized, listing->count + 1) : NULL;
    if (status == BP_OK && !*sized)
        status = bp_fail(call, BP_NO_MEMORY, "no memory for %zu entries", listing->count);
    for (size_t i = 0; status == BP_OK && i < listing->count; i++) {
        struct stat info;
        bool is_known = fstatat(kept, listing->entries[i].name, &info, AT_SYMLINK_NOFOLLOW) == 0;

        (*sized)[i] = (struct sized){ &listing->entries[i], is_known ? info.st_size : 0 };
        if (i % 256 == 255)
            status = bp_cancelled(call);
    }
    if (kept >= 0)
        close(kept);
    return status;
}

static void put_sized(bp_buf *text, const struct sized *sized)
{
    enum { NAME_COLUMN = 30, SIZE_COLUMN = 10 };
    const struct entry *entry = sized->entry;
    size_t              width = width_of(entry->name);
    char                size[32];

    bp_buf_addf(text, "%s %s%*s %*s\n", entry->is_directory ? "[DIR]" : "[FILE]", entry->name,
                width < NAME_COLUMN ? (int)(NAME_COLUMN - width) : 0, "",
                entry->is_directory ? 0 : SIZE_COLUMN,
                entry->is_directory ? "" : size_text(sized->size_bytes, size));
}

bp_status work_list_with_sizes(bp_call *call, struct work *work)
{
    bool           is_by_size = work->wanted.sort == SORT_BY_SIZE;
    int64_t        total_bytes = 0;
    size_t         files = 0;
    bp_buf        *text = bp_buf_new(call, RESULT_TEXT_BYTES_MAX);
    struct sized  *sized;
    struct listing listing;
    char           size[32];

    BP_TRY(read_sized(call, work, &listing, &sized));
    qsort(sized, listing.count, sizeof(*sized), is_by_size ? by_size : by_name);
    for (size_t i = 0; i < listing.count; i++) {
        put_sized(text, &sized[i]);
        files += !sized[i].entry->is_directory;
        total_bytes += sized[i].entry->is_directory ? 0 : sized[i].size_bytes;
    }
    bp_buf_addf(text, "\nTotal: %zu files, %zu directories\nCombined size: %s", files,
                listing.count - files, size_text(total_bytes, size));
    return finish(call, work, text);
}

/* ---- the entries for a route ---- */

bp_status work_list_json(bp_call *call, struct work *work)
{
    struct sized  *sized;
    struct listing listing;

    BP_TRY(read_sized(call, work, &listing, &sized));
    for (size_t i = 0; i < listing.count; i++) {
        const struct entry *entry = sized[i].entry;

        bp_json_object(work->json);
        bp_json_put_string(work->json, "name", bp_str_of(entry->name));
        bp_json_put_string(work->json, "type",
                           bp_str_of(entry->is_directory ? "directory" : "file"));
        bp_json_put_integer(work->json, "size", entry->is_directory ? 0 : sized[i].size_bytes);
        bp_json_end(work->json);
    }
    bp_json_end(work->json);
    return BP_OK;
}

/* ---- one file ---- */

/* As JavaScript prints a date, in UTC. */
static void put_time(bp_buf *text, const char *name, int64_t seconds)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t                   time = (time_t)seconds;
    struct tm                at;

    if (!gmtime_r(&time, &at))
        at = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
    bp_buf_addf(text, "%s: %s %s %02d %04d %02d:%02d:%02d GMT+0000 (Coordinated Universal Time)\n",
                name, days[at.tm_wday], months[at.tm_mon], at.tm_mday, at.tm_year + 1900,
                at.tm_hour, at.tm_min, at.tm_sec);
}

bp_status work_info(bp_call *call, struct work *work)
{
    bp_buf      *text = bp_buf_new(call, 4096);
    struct place place;
    struct statx info;
    bp_status    status = BP_OK;
    int          fd;

    BP_TRY(place_open(call, work->self, work->wanted.path, O_PATH, "stat", &place, &fd));
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0)
        status = fail_errno(call, errno, "stat", place_text(call, &place));
    close(fd);
    BP_TRY(status);
    bp_buf_addf(text, "size: %lld\n", (long long)info.stx_size);
    put_time(text, "created",
             info.stx_mask & STATX_BTIME ? info.stx_btime.tv_sec : info.stx_ctime.tv_sec);
    put_time(text, "modified", info.stx_mtime.tv_sec);
    put_time(text, "accessed", info.stx_atime.tv_sec);
    bp_buf_addf(text, "isDirectory: %s\nisFile: %s\npermissions: %03o",
                S_ISDIR(info.stx_mode) ? "true" : "false",
                S_ISREG(info.stx_mode) ? "true" : "false", info.stx_mode & 0777u);
    return finish(call, work, text);
}

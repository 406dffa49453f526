/* app_upload.c - walks the folders, opens one file after the other, frames their bytes. */
#include "cli/app_upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

enum { DEPTH_MAX = 16, PATH_BYTES = 4096, LINE_BYTES_MAX = 8 << 20, PIECE_BYTES = 64 << 10 };

struct upload_file {
    char       *path;
    const char *option;  /* NULL: of a word */
    char       *problem; /* not NULL: it cannot be read, and nothing is sent behind it */
};

/* ---- which files ---- */

static void add_file(struct app_upload *upload, const char *path, const char *option,
                     const char *problem)
{
    if (upload->file_count == upload->capacity) {
        upload->capacity = upload->capacity ? upload->capacity * 2 : 64;
        upload->files = realloc(upload->files, upload->capacity * sizeof(*upload->files));
        if (!upload->files)
            abort();
    }
    upload->files[upload->file_count++] = (struct upload_file){
        .path = strdup(path), .option = option, .problem = problem ? strdup(problem) : NULL
    };
}

static bool has_ending(const char *path, const char *endings)
{
    bp_str rest = bp_str_of(endings);

    while (rest.len) {
        bp_str ending = str_split(rest, ' ', &rest);
        size_t len = strlen(path);

        if (ending.len && len >= ending.len &&
            strncasecmp(path + len - ending.len, ending.data, ending.len) == 0)
            return true;
    }
    return false;
}

static void add_path(struct app_upload *upload, const char *path, int depth);

static void add_folder(struct app_upload *upload, const char *path, int depth)
{
    struct dirent **names;
    int             count = scandir(path, &names, NULL, alphasort);

    if (count < 0) {
        add_file(upload, path, NULL, strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        char child[PATH_BYTES];

        if (names[i]->d_name[0] != '.' &&
            snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name) < (int)sizeof(child))
            add_path(upload, child, depth + 1);
        free(names[i]);
    }
    free(names);
}

static void add_path(struct app_upload *upload, const char *path, int depth)
{
    struct stat info;

    if (stat(path, &info) != 0)
        add_file(upload, path, NULL, strerror(errno));
    else if (!S_ISDIR(info.st_mode) && depth && upload->entry->endings &&
             !has_ending(path, upload->entry->endings))
        upload->left_out++;
    else if (!S_ISDIR(info.st_mode))
        add_file(upload, path, NULL, NULL);
    else if (depth <= DEPTH_MAX)
        add_folder(upload, path, depth);
}

/* In all of them; 0 when one is no file. */
static int64_t count_lines(const struct app_typed *typed)
{
    int64_t count = 0;

    for (size_t i = 0; i < typed->word_count; i++) {
        struct stat info;
        FILE       *file;
        int         c;

        if (stat(typed->words[i], &info) != 0 || !S_ISREG(info.st_mode))
            return 0;
        file = fopen(typed->words[i], "re");
        while (file && (c = getc_unlocked(file)) != EOF)
            count += c == '\n';
        if (file)
            fclose(file);
    }
    return count;
}

/* ---- the lines ---- */

static void write_typed(struct app_upload *upload, const struct app_typed *typed)
{
    const struct app_entry *entry = upload->entry;
    bp_json_writer          w;

    json_writer_init(&w, &upload->line);
    json_begin(&w, JSON_KIND_OBJECT);
    json_key(&w, BP_STR("words"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < typed->word_count; i++)
        json_add_string(&w, bp_str_of(typed->words[i]));
    json_end(&w);
    json_key(&w, BP_STR("options"));
    json_begin(&w, JSON_KIND_OBJECT);
    for (size_t i = 0; i < entry->option_count; i++) {
        if (typed->values[i] && entry->options[i].value)
            json_put_text(&w, entry->options[i].name, typed->values[i]);
        else if (typed->values[i])
            json_put_bool(&w, entry->options[i].name, true);
    }
    json_end(&w);
    if (entry->takes_files && entry->counts_lines)
        json_put_integer(&w, "lines", count_lines(typed));
    json_end(&w);
    buf_add_char(&upload->line, '\n');
}

void app_upload_init(struct app_upload *upload, const struct app_entry *entry,
                     const struct app_typed *typed)
{
    *upload = (struct app_upload){ .entry = entry, .fd = -1 };
    buf_init(&upload->line, NULL, LINE_BYTES_MAX);
    write_typed(upload, typed);
    for (size_t i = 0; i < entry->option_count; i++)
        if (entry->options[i].is_file && typed->values[i])
            add_file(upload, typed->values[i], entry->options[i].name, NULL);
    for (size_t i = 0; entry->takes_files && i < typed->word_count; i++)
        add_path(upload, typed->words[i], 0);
}

void app_upload_free(struct app_upload *upload)
{
    for (size_t i = 0; i < upload->file_count; i++) {
        free(upload->files[i].path);
        free(upload->files[i].problem);
    }
    free(upload->files);
    buf_free(&upload->line);
    if (upload->fd >= 0)
        close(upload->fd);
}

static void begin_line(struct app_upload *upload)
{
    buf_reset(&upload->line);
    upload->sent = 0;
}

static void say_failed(struct app_upload *upload, const char *path, const char *why)
{
    bp_json_writer w;

    reason_set(&upload->problem, "%.300s cannot be read: %s", path, why);
    json_writer_init(&w, &upload->line);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "failed", upload->problem.text);
    json_end(&w);
    buf_add_char(&upload->line, '\n');
    upload->is_over = true;
}

static void open_next(struct app_upload *upload)
{
    const struct upload_file *file = &upload->files[upload->at++];
    struct stat               info;
    bp_json_writer            w;

    if (!file->problem)
        upload->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (upload->fd < 0 || fstat(upload->fd, &info) != 0) {
        say_failed(upload, file->path, file->problem ? file->problem : strerror(errno));
        return;
    }
    upload->left = S_ISREG(info.st_mode) ? info.st_size : -1;
    json_writer_init(&w, &upload->line);
    json_begin(&w, JSON_KIND_OBJECT);
    if (file->option)
        json_put_text(&w, "option", file->option);
    json_put_text(&w, "name", file->path);
    if (upload->left >= 0)
        json_put_integer(&w, "size", upload->left);
    json_end(&w);
    buf_add_char(&upload->line, '\n');
}

static void close_file(struct app_upload *upload)
{
    close(upload->fd);
    upload->fd = -1;
}

static size_t fail(struct app_upload *upload, const char *why)
{
    reason_set(&upload->problem, "%.300s %s", upload->files[upload->at - 1].path, why);
    upload->is_over = true;
    return CLIENT_READ_FAILED;
}

/* Of a file of known size: the bytes as they are. */
static size_t read_sized(struct app_upload *upload, char *bytes, size_t size)
{
    ssize_t count = read(upload->fd, bytes,
                         (int64_t)size < upload->left ? size : (size_t)upload->left);

    if (count < 0)
        return fail(upload, "cannot be read to its end");
    if (count == 0)
        return fail(upload, "became shorter while it was read");
    upload->left -= count;
    return (size_t)count;
}

/* Of a pipe: a piece with its length before it. */
static bool read_piece(struct app_upload *upload)
{
    char    bytes[PIECE_BYTES];
    ssize_t count = read(upload->fd, bytes, sizeof(bytes));

    if (count < 0)
        return false;
    buf_addf(&upload->line, "%zd\n", count);
    buf_add(&upload->line, bp_str_n(bytes, (size_t)count));
    if (count == 0)
        close_file(upload);
    return true;
}

static void say_left_out(struct app_upload *upload)
{
    if (upload->left_out)
        buf_addf(&upload->line, "{\"left_out\":%lld}\n", (long long)upload->left_out);
    upload->is_over = true;
}

size_t app_upload_read(void *arg, char *bytes, size_t size)
{
    struct app_upload *upload = arg;
    size_t             len;

    while (upload->sent == upload->line.len) {
        begin_line(upload);
        if (upload->is_over)
            return 0;
        if (upload->fd >= 0 && upload->left > 0)
            return read_sized(upload, bytes, size);
        if (upload->fd >= 0 && upload->left == 0)
            close_file(upload);
        else if (upload->fd >= 0 && !read_piece(upload))
            return fail(upload, "cannot be read to its end");
        else if (upload->fd < 0 && upload->at < upload->file_count)
            open_next(upload);
        else if (upload->fd < 0 && !upload->line.len)
            say_left_out(upload);
    }
    len = upload->line.len - upload->sent < size ? upload->line.len - upload->sent : size;
    memcpy(bytes, upload->line.data + upload->sent, len);
    upload->sent += len;
    return len;
}

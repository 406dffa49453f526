/* sources.c - watched folders: changed files are indexed, files that are gone are deleted.
 *
 * Files are known by their path; size and time of change say whether to look into one, and the hash
 * of the document whether there is anything to do. Reading the disk happens on pool threads.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "retrieval.h"

enum { FILES_MAX = 100000, DEPTH_MAX = 16 };

struct file {
    bp_str  path;
    int64_t modified_ns, size_bytes;
};

struct walk {
    bp_call     *call;
    bp_str       root;
    struct file *files;
    size_t       count, capacity;
};

static bool has_ending(const char *name, const char *ending)
{
    size_t len = strlen(name), end = strlen(ending);

    return len > end && strcmp(name + len - end, ending) == 0;
}

static bool is_markdown(const char *name)
{
    return has_ending(name, ".md") || has_ending(name, ".markdown");
}

static bool is_understood(const char *name)
{
    return is_markdown(name) || has_ending(name, ".txt") || has_ending(name, ".text") ||
           has_ending(name, ".rst");
}

static bp_status add_file(struct walk *walk, const char *path, const struct stat *info)
{
    if (walk->count == FILES_MAX)
        return bp_fail(walk->call, BP_TOO_LARGE, "source " BP_FMT " has more than %d files",
                       BP_ARG(walk->root), FILES_MAX);
    if (walk->count == walk->capacity) {
        size_t       capacity = walk->capacity ? 2 * walk->capacity : 256;
        struct file *files = BP_NEW_ARRAY(walk->call, struct file, capacity);

        if (!files)
            return BP_NO_MEMORY;
        if (walk->count)
            memcpy(files, walk->files, walk->count * sizeof(*files));
        walk->files = files;
        walk->capacity = capacity;
    }
    walk->files[walk->count++] = (struct file){ bp_dup(walk->call, bp_str_of(path)),
                                                (int64_t)info->st_mtim.tv_sec * 1000000000 +
                                                    info->st_mtim.tv_nsec,
                                                info->st_size };
    return BP_OK;
}

static bp_status walk_folder(struct walk *walk, const char *folder, int depth)
{
    struct dirent **names;
    int             count = depth > DEPTH_MAX ? -1 : scandir(folder, &names, NULL, alphasort);
    bp_status       status = BP_OK;

    if (count < 0 && depth == 0)
        return bp_fail(walk->call, BP_IO, "source %s cannot be read: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char        path[4096];
        struct stat info;

        // No links: one out of the folder would publish what nobody meant to.
        if (status == BP_OK && names[i]->d_name[0] != '.' &&
            snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name) < (int)sizeof(path) &&
            lstat(path, &info) == 0) {
            if (vectors_check_text(walk->call, bp_str_of(names[i]->d_name)))
                bp_log(walk->call, BP_LOG_WARN, "a file in %s is left out: its name is not UTF-8",
                       folder);
            else if (S_ISDIR(info.st_mode))
                status = walk_folder(walk, path, depth + 1);
            else if (S_ISREG(info.st_mode) && is_understood(names[i]->d_name) &&
                     info.st_size <= DOCUMENT_BYTES_MAX)
                status = add_file(walk, path, &info);
        }
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return status;
}

static bp_status walk_job(bp_call *call, void *arg)
{
    struct walk *walk = arg;
    char         root[4096];

    (void)call;
    snprintf(root, sizeof(root), BP_FMT, BP_ARG(walk->root));
    for (size_t len = strlen(root); len > 1 && root[len - 1] == '/'; len--)
        root[len - 1] = '\0';
    return walk_folder(walk, root, 0);
}

/* ---- reading ---- */

struct reading {
    bp_str path, text;
};

static bp_status read_job(bp_call *call, void *arg)
{
    struct reading *reading = arg;
    bp_buf         *buf = bp_buf_new(call, DOCUMENT_BYTES_MAX);
    FILE           *file = fopen(reading->path.data, "re");
    char            piece[65536];
    size_t          count;

    if (!file)
        return bp_fail(call, BP_IO, "%s cannot be read: %s", reading->path.data, strerror(errno));
    while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
        bp_buf_add(buf, bp_str_n(piece, count));
    fclose(file);
    BP_TRY(bp_buf_status(buf));
    reading->text = bp_buf_str(buf);
    return BP_OK;
}

/* The first heading of a Markdown file, else the file's name. */
static bp_str title_of(bp_str path, bp_str text)
{
    const char *slash = NULL;

    for (size_t at = 0; at < text.len && at < 4096;) {
        const char *newline = memchr(text.data + at, '\n', text.len - at);
        size_t      next = (newline ? (size_t)(newline - text.data) : text.len) + 1, end = next - 1;

        while (end > at && (unsigned char)text.data[end - 1] <= ' ')
            end--; // a carriage return, too
        if (end - at > 2 && text.data[at] == '#' && text.data[at + 1] == ' ')
            return chunk_cut(bp_str_n(text.data + at + 2, end - at - 2), TITLE_BYTES_MAX);
        at = next;
    }
    for (size_t i = 0; i < path.len; i++)
        if (path.data[i] == '/')
            slash = path.data + i;
    return slash ? bp_str_n(slash + 1, (size_t)(path.data + path.len - slash - 1)) : path;
}

/* ---- one file ---- */

static bp_status remember(bp_call *call, struct retrieval *self,
                          const struct collection *collection, bp_str source,
                          const struct file *file)
{
    return bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("INSERT INTO retrieval_files (collection_id, path, source, "
                                  "modified_ns, size_bytes) VALUES ($1, $2, $3, $4, $5) ON "
                                  "CONFLICT (collection_id, path) DO UPDATE SET modified_ns = "
                                  "excluded.modified_ns, size_bytes = excluded.size_bytes",
                                  bp_sql_int(collection->id), bp_sql_text(file->path),
                                  bp_sql_text(source), bp_sql_int(file->modified_ns),
                                  bp_sql_int(file->size_bytes)),
                           NULL);
}

static bp_status index_file(bp_call *call, struct retrieval *self,
                            const struct collection *collection, bp_str source,
                            const struct file *file)
{
    struct reading  reading = { .path = file->path };
    struct document document;
    bp_json_writer *w = bp_json_writer_new(call, (size_t)DOCUMENT_BYTES_MAX * 7);
    const bp_json  *json;
    bp_str          text;

    if (bp_offload(call, NULL, read_job, &reading) != BP_OK ||
        vectors_check_text(call, reading.text)) {
        bp_log(call, BP_LOG_WARN,
               "source file " BP_FMT " is left out: it is not readable UTF-8 text",
               BP_ARG(file->path));
        bp_clear_error(call);
        return bp_cancelled(call) == BP_OK ? remember(call, self, collection, source, file)
                                           : bp_cancelled(call);
    }
    bp_json_object(w);
    bp_json_put_string(w, "id", file->path);
    bp_json_put_string(w, "source", file->path);
    bp_json_put_string(w, "title", title_of(file->path, reading.text));
    bp_json_put_string(w, "format",
                       is_markdown(file->path.data) ? BP_STR("markdown") : BP_STR("text"));
    bp_json_put_string(w, "text", reading.text);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &text));
    BP_TRY(bp_json_parse(call, text, &json));
    document_read(call, json, &document);
    BP_TRY(index_documents(call, self, collection, &document, 1));
    if (document.problem.len)
        bp_log(call, BP_LOG_WARN, "source file " BP_FMT " is left out: " BP_FMT, BP_ARG(file->path),
               BP_ARG(document.problem));
    return remember(call, self, collection, source, file);
}

/* ---- one folder ---- */

static bool is_known(const bp_rows *known, const struct file *file)
{
    for (size_t i = 0; i < known->row_count; i++) {
        const bp_sql_value *row = bp_row(known, i);

        if (bp_str_equal(row[0].text, file->path))
            return row[1].integer == file->modified_ns && row[2].integer == file->size_bytes;
    }
    return false;
}

static bool is_there(const struct walk *walk, bp_str path)
{
    for (size_t i = 0; i < walk->count; i++)
        if (bp_str_equal(walk->files[i].path, path))
            return true;
    return false;
}

static bp_status forget_gone(bp_call *call, struct retrieval *self,
                             const struct collection *collection, const struct walk *walk,
                             const bp_rows *known)
{
    for (size_t i = 0; i < known->row_count; i++) {
        bp_str    path = bp_row(known, i)[0].text;
        bp_status status;

        if (is_there(walk, path))
            continue;
        status = store_delete(call, self, collection, path);
        if (status != BP_OK && status != BP_NOT_FOUND)
            return status;
        BP_TRY(bp_storage_exec(call, self->storage, NULL,
                               BP_SQL("DELETE FROM retrieval_files WHERE collection_id = $1 AND "
                                      "path = $2",
                                      bp_sql_int(collection->id), bp_sql_text(path)),
                               NULL));
        bp_log(call, BP_LOG_INFO, "source file " BP_FMT " is gone, and so is its document",
               BP_ARG(path));
    }
    return BP_OK;
}

static bp_status scan_one(bp_call *call, struct retrieval *self,
                          const struct collection *collection, bp_str source)
{
    struct walk walk = { .call = call, .root = source };
    size_t      indexed = 0;
    bp_rows     known;

    BP_TRY(bp_offload(call, NULL, walk_job, &walk));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT path, modified_ns, size_bytes FROM retrieval_files WHERE "
                                  "collection_id = $1 AND source = $2",
                                  bp_sql_int(collection->id), bp_sql_text(source)),
                           &known));
    for (size_t i = 0; i < walk.count; i++) {
        bp_status status;

        if (is_known(&known, &walk.files[i]))
            continue;
        BP_TRY(bp_scratch_begin(call));
        status = index_file(call, self, collection, source, &walk.files[i]);
        bp_scratch_end(call);
        BP_TRY(status);
        indexed++;
    }
    if (indexed)
        bp_log(call, BP_LOG_INFO, "source " BP_FMT ": %zu files were indexed", BP_ARG(source),
               indexed);
    return forget_gone(call, self, collection, &walk, &known);
}

bp_status sources_scan(bp_call *call, void *instance)
{
    struct retrieval *self = instance;
    struct collection collection;

    if (self->sources.count == 0)
        return BP_OK;
    BP_TRY(collection_make(call, self, self->collection, bp_str_n(NULL, 0), &collection));
    for (size_t i = 0; i < self->sources.count; i++) {
        bp_status status;

        BP_TRY(bp_scratch_begin(call));
        status = scan_one(call, self, &collection, self->sources.items[i]);
        bp_scratch_end(call);
        BP_TRY(status);
    }
    return BP_OK;
}

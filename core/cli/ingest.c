/* ingest.c - `backplane ingest`: puts files into a collection, JSON lines as many documents, others
 * as one each. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/client.h"

enum { BATCH_DOCUMENTS = 200, BATCH_BYTES = 4 << 20, FILE_BYTES_MAX = 16 << 20, DEPTH_MAX = 16 };

struct ingest {
    struct client  *client;
    const char     *collection;
    char            path[512]; /* of the route */
    struct bp_buf   lines;     /* NDJSON of the batch */
    size_t          count;
    struct progress progress;
    int64_t         stored, queued, unchanged, failed, skipped;
};

/* Each document of a batch is answered for by itself; what is refused is named and the rest goes
 * on. */
static bool take_answer(struct ingest *ingest, const bp_json *answer)
{
    const bp_json *errors = json_get(answer, BP_STR("errors"));

    ingest->stored += json_as_integer(json_get(answer, BP_STR("stored")));
    ingest->queued += json_as_integer(json_get(answer, BP_STR("queued")));
    ingest->unchanged += json_as_integer(json_get(answer, BP_STR("unchanged")));
    for (size_t i = 0; i < json_count(errors); i++) {
        const bp_json *error = json_at(errors, i);

        fprintf(stderr, "\nrefused: document \"%s\": %s\n",
                json_as_string(json_get(error, BP_STR("id"))).data,
                json_as_string(json_get(error, BP_STR("message"))).data);
        ingest->failed++;
    }
    return true;
}

static bool flush(struct ingest *ingest)
{
    const bp_json *answer;
    bool           is_good;

    if (ingest->count == 0)
        return true;
    is_good = buf_status(&ingest->lines) == BP_OK &&
              client_send(ingest->client, "POST", ingest->path, "application/x-ndjson",
                          buf_str(&ingest->lines), &answer) &&
              take_answer(ingest, answer);
    progress_add(&ingest->progress, (int64_t)ingest->count);
    buf_reset(&ingest->lines);
    ingest->count = 0;
    return is_good;
}

static bool add_line(struct ingest *ingest, bp_str line)
{
    buf_add(&ingest->lines, line);
    buf_add_char(&ingest->lines, '\n');
    ingest->count++;
    return ingest->count < BATCH_DOCUMENTS && ingest->lines.len < BATCH_BYTES ? true
                                                                              : flush(ingest);
}

static bool ingest_lines(struct ingest *ingest, const char *path)
{
    FILE   *file = fopen(path, "re");
    char   *line = NULL;
    size_t  size = 0;
    ssize_t len;
    bool    is_good = true;

    if (!file) {
        snprintf(ingest->client->problem, sizeof(ingest->client->problem),
                 "%.300s cannot be read: %s", path, strerror(errno));
        return false;
    }
    while (is_good && (len = getline(&line, &size, file)) > 0) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        if (len > 0)
            is_good = add_line(ingest, (bp_str){ line, (size_t)len });
    }
    free(line);
    fclose(file);
    return is_good;
}

static bool has_ending(const char *path, const char *ending)
{
    size_t len = strlen(path), end = strlen(ending);

    return len >= end && strcasecmp(path + len - end, ending) == 0;
}

static bool read_whole(const char *path, struct bp_buf *text)
{
    FILE  *file = fopen(path, "re");
    char   piece[65536];
    size_t count;

    if (!file)
        return false;
    while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_add(text, (bp_str){ piece, count });
    fclose(file);
    return buf_status(text) == BP_OK;
}

/* A text or Markdown file is one document, known by its path. */
static bool ingest_document(struct ingest *ingest, const char *path)
{
    struct bp_buf  text, json;
    bp_json_writer w;
    bool           is_good = false;

    buf_init(&text, NULL, FILE_BYTES_MAX);
    buf_init(&json, NULL, (size_t)FILE_BYTES_MAX * 7);
    if (!read_whole(path, &text)) {
        snprintf(ingest->client->problem, sizeof(ingest->client->problem),
                 "%.300s cannot be read, or is larger than 16 MiB", path);
    } else if (!str_is_utf8(buf_str(&text))) {
        fprintf(stderr, "skipped: %s is not UTF-8 text\n", path);
        ingest->skipped++;
        is_good = true;
    } else {
        json_writer_init(&w, &json);
        json_begin(&w, JSON_KIND_OBJECT);
        json_put_text(&w, "id", path);
        json_put_text(&w, "source", path);
        json_put_text(&w, "format",
                      has_ending(path, ".md") || has_ending(path, ".markdown") ? "markdown"
                                                                               : "text");
        json_put_string(&w, "text", buf_str(&text));
        json_end(&w);
        is_good = add_line(ingest, buf_str(&json));
    }
    buf_free(&text);
    buf_free(&json);
    return is_good;
}

static bool ingest_path(struct ingest *ingest, const char *path, int depth);

static bool ingest_folder(struct ingest *ingest, const char *path, int depth)
{
    struct dirent **names;
    int             count = scandir(path, &names, NULL, alphasort);
    bool            is_good = count >= 0;

    for (int i = 0; i < count; i++) {
        char child[4096];

        if (is_good && names[i]->d_name[0] != '.' &&
            snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name) < (int)sizeof(child))
            is_good = ingest_path(ingest, child, depth + 1);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return is_good;
}

static bool ingest_path(struct ingest *ingest, const char *path, int depth)
{
    static const char *const texts[] = { ".md", ".markdown", ".txt", ".text", ".rst" };
    struct stat              info;

    if (stat(path, &info) != 0) {
        snprintf(ingest->client->problem, sizeof(ingest->client->problem),
                 "%.300s cannot be read: %s", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(info.st_mode))
        return depth > DEPTH_MAX || ingest_folder(ingest, path, depth);
    if (has_ending(path, ".jsonl") || has_ending(path, ".ndjson"))
        return ingest_lines(ingest, path);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (has_ending(path, texts[i]))
            return ingest_document(ingest, path);
    if (depth == 0) {
        snprintf(ingest->client->problem, sizeof(ingest->client->problem),
                 "%.300s is of a kind that is not understood: .jsonl, .ndjson, .md, .txt and .rst "
                 "are",
                 path);
        return false;
    }
    ingest->skipped++;
    return true;
}

/* How many documents there will be, for the bar: lines of the JSON lines files. */
static int64_t count_lines(int argc, char **argv)
{
    int64_t count = 0;

    for (int i = 1; i < argc; i++) {
        FILE *file;
        int   c;

        if (!has_ending(argv[i], ".jsonl") && !has_ending(argv[i], ".ndjson"))
            return 0;
        file = fopen(argv[i], "re");
        while (file && (c = getc_unlocked(file)) != EOF)
            count += c == '\n';
        if (file)
            fclose(file);
    }
    return count;
}

static bool make_collection(struct ingest *ingest)
{
    char path[512], name[384];

    client_encode(bp_str_of(ingest->collection), name, sizeof(name));
    snprintf(path, sizeof(path), "/api/v1/collections/%s", name);
    snprintf(ingest->path, sizeof(ingest->path), "/api/v1/collections/%s/documents", name);
    return client_send(ingest->client, "POST", path, "application/json", BP_STR("{}"), NULL);
}

int command_ingest(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv),
               *url = cli_take_option(&argc, argv, "--url");
    const char   *collection = cli_take_option(&argc, argv, "--collection");
    struct client client;
    struct ingest ingest = { .client = &client, .collection = collection };
    int           status;
    bool          is_good;

    if (!cli_is_all_taken(argc, argv, 1 << 20) || argc < 2 || !collection) {
        fprintf(stderr,
                "usage: backplane ingest --collection NAME [--url URL | -c FILE] PATH...\n");
        return EXIT_USAGE;
    }
    buf_init(&ingest.lines, NULL, (size_t)FILE_BYTES_MAX * 8);
    status = client_open(&client, url, conf_file);
    if (status == EXIT_DONE) {
        progress_start(&ingest.progress, "documents", count_lines(argc, argv));
        is_good = make_collection(&ingest);
        for (int i = 1; i < argc && is_good; i++)
            is_good = ingest_path(&ingest, argv[i], 0);
        is_good = is_good && flush(&ingest);
        progress_end(&ingest.progress);
        if (!is_good)
            fprintf(stderr, "backplane ingest: %s\n", client.problem);
        printf("%lld stored, %lld unchanged, %lld refused, %lld skipped\n",
               (long long)ingest.stored, (long long)ingest.unchanged, (long long)ingest.failed,
               (long long)ingest.skipped);
        if (ingest.queued)
            printf("%lld are queued: the vector store or the embedder cannot be reached now; they "
                   "are searchable by their meaning once it is back\n",
                   (long long)ingest.queued);
        status = is_good && !ingest.failed ? EXIT_DONE : EXIT_FAILED;
    }
    client_close(&client);
    buf_free(&ingest.lines);
    return status;
}

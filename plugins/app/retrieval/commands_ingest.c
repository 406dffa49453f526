/* commands_ingest.c - `backplane ingest`: puts files into a collection, JSON lines as many
 * documents, others as one each. */
#include "commands.h"

#include <strings.h>

#include "words/words.h"

enum { LINE_BYTES_MAX = 32 << 20 };

struct ingest {
    struct intake   intake;
    bp_command_run *run;
    int64_t         skipped;
    bool            is_given_up, is_total_known;
};

static struct ingest *ingest_of(struct intake *intake)
{
    return (struct ingest *)(void *)((char *)intake - offsetof(struct ingest, intake));
}

/* Each document is answered for by itself; a refused file is named and the rest goes on. */
static bp_status name_refused(bp_call *call, struct intake *intake, bp_str id, bp_str message)
{
    return bp_command_warn(call, ingest_of(intake)->run,
                           bp_format(call, "refused: document \"" BP_FMT "\": " BP_FMT "\n",
                                     BP_ARG(id), BP_ARG(message)));
}

static bp_status show(bp_call *call, struct ingest *ingest)
{
    const struct intake *intake = &ingest->intake;

    return bp_command_progress(call, ingest->run, "documents",
                               intake->stored + intake->queued + intake->unchanged +
                                   intake->refused,
                               ingest->is_total_known ? bp_command_line_count(ingest->run) : 0);
}

static bool has_ending(bp_str path, const char *ending)
{
    size_t len = strlen(ending);

    return path.len >= len && strncasecmp(path.data + path.len - len, ending, len) == 0;
}

static bp_status take_lines(bp_call *call, struct ingest *ingest)
{
    bp_lines_again(&ingest->intake.lines);
    for (;;) {
        bp_str line;
        bool   has_line;

        BP_TRY(bp_lines_next(call, &ingest->intake.lines, &line, &has_line));
        if (!has_line)
            return BP_OK;
        BP_TRY(intake_take_line(call, &ingest->intake, line));
        BP_TRY(show(call, ingest));
    }
}

static bp_status read_whole(bp_call *call, struct ingest *ingest, bp_buf *text)
{
    bp_str piece;

    do {
        BP_TRY(bp_command_read(call, ingest->run, &piece));
        bp_buf_add(text, piece);
    } while (piece.len && bp_buf_status(text) == BP_OK);
    return BP_OK;
}

/* A text or Markdown file is one document, known by its path. */
static bp_status take_document(bp_call *call, struct ingest *ingest, bp_str path)
{
    struct document *document = &ingest->intake.documents[ingest->intake.count];
    bp_buf          *text = bp_buf_new(call, DOCUMENT_BYTES_MAX);
    bool             is_markdown = has_ending(path, ".md") || has_ending(path, ".markdown");

    BP_TRY(read_whole(call, ingest, text));
    if (bp_buf_status(text) != BP_OK) {
        ingest->is_given_up = true;
        return command_complain(call, ingest->run,
                                "backplane ingest: %.300s cannot be read, or is larger than 16 "
                                "MiB\n",
                                path.data);
    }
    if (!words_is_utf8(bp_buf_str(text))) {
        ingest->skipped++;
        return bp_command_warn(call, ingest->run,
                               bp_format(call, "skipped: " BP_FMT " is not UTF-8 text\n",
                                         BP_ARG(path)));
    }
    path = bp_dup(call, path);
    *document = (struct document){ .id = path,
                                   .source = path,
                                   .text = bp_buf_str(text),
                                   .format = is_markdown ? BP_STR("markdown") : BP_STR("text") };
    document_check(call, document, NULL);
    BP_TRY(intake_added(call, &ingest->intake, bp_buf_str(text).len));
    return show(call, ingest);
}

static bp_status take_file(bp_call *call, struct ingest *ingest, bp_str path)
{
    static const char *const texts[] = { ".md", ".markdown", ".txt", ".text", ".rst" };

    if (has_ending(path, ".jsonl") || has_ending(path, ".ndjson"))
        return take_lines(call, ingest);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (has_ending(path, texts[i]))
            return take_document(call, ingest, path);
    ingest->is_given_up = true;
    return command_complain(call, ingest->run,
                            "backplane ingest: %.300s is of a kind that is not understood: .jsonl, "
                            ".ndjson, .md, .txt and .rst are\n",
                            path.data);
}

static bp_status take_files(bp_call *call, struct ingest *ingest)
{
    while (!ingest->is_given_up) {
        bp_command_file file = { .struct_size = sizeof(file) };
        bool            has_file;

        BP_TRY(bp_command_next_file(call, ingest->run, &file, &has_file));
        if (!has_file)
            break;
        BP_TRY(take_file(call, ingest, file.name));
    }
    if (ingest->is_given_up)
        return BP_OK;
    BP_TRY(intake_flush(call, &ingest->intake));
    return show(call, ingest);
}

static bp_status take_all(bp_call *call, struct ingest *ingest)
{
    struct intake *intake = &ingest->intake;
    bp_status      status;

    BP_TRY(collection_make(call, intake->self, bp_command_option_value(ingest->run, "collection"),
                           BP_STR(""), &intake->collection));
    BP_TRY(intake_begin(call, intake));
    status = take_files(call, ingest);
    bp_scratch_end(call);
    return status;
}

/* Lines count as they do for `wc`, so a bar over other files has no end that is known. */
static bool are_all_lines(const bp_command_run *run)
{
    for (size_t i = 0; i < bp_command_word_count(run); i++)
        if (!has_ending(bp_command_word(run, i), ".jsonl") &&
            !has_ending(bp_command_word(run, i), ".ndjson"))
            return false;
    return true;
}

static bp_status print_counts(bp_call *call, const struct ingest *ingest)
{
    const struct intake *intake = &ingest->intake;

    BP_TRY(bp_command_print(call, ingest->run,
                            bp_format(call,
                                      "%lld stored, %lld unchanged, %lld refused, %lld skipped\n",
                                      (long long)intake->stored, (long long)intake->unchanged,
                                      (long long)intake->refused,
                                      (long long)(ingest->skipped +
                                                  bp_command_left_out(ingest->run)))));
    if (!intake->queued)
        return BP_OK;
    return bp_command_print(call, ingest->run,
                            bp_format(call,
                                      "%lld are queued: the vector store or the embedder cannot be "
                                      "reached now; they are searchable by their meaning once it "
                                      "is back\n",
                                      (long long)intake->queued));
}

bp_status ingest_command(bp_call *call, void *instance, bp_command_run *run)
{
    struct ingest ingest = { .intake = { .self = instance, .on_refused = name_refused },
                             .run = run };
    bp_status     status, printed;

    ingest.intake.lines = bp_command_lines(call, run, LINE_BYTES_MAX);
    ingest.is_total_known = are_all_lines(run);
    BP_TRY(show(call, &ingest));
    status = take_all(call, &ingest);
    if (status != BP_OK)
        BP_TRY(bp_cancelled(call));
    printed = bp_command_progress(call, run, NULL, 0, 0);
    if (printed == BP_OK)
        printed = print_counts(call, &ingest);
    if (ingest.intake.refused)
        bp_command_exit(run, 1);
    return status != BP_OK ? status : printed; // the error slot still has the first sentence
}

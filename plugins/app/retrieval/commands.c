/* commands.c - the commands of the app as a table. */
#include "commands.h"

#define COLLECTION(flags_)                                                                         \
    {                                                                                              \
        .name = "collection", .value = "NAME", .help = "language of the collection",               \
        .flags = flags_                                                                            \
    }
#define JSON                                                                                       \
    {                                                                                              \
        .name = "json", .help = "print JSON"                                                       \
    }

static const bp_command_option ingest_options[] = { COLLECTION(BP_COMMAND_REQUIRED) };
static const bp_command_option search_options[] = {
    COLLECTION(BP_COMMAND_REQUIRED),
    { .name = "limit", .value = "N", .help = "number of hits", .initial = "10" },
    JSON,
};
static const bp_command_option reindex_options[] = {
    COLLECTION(0),
    { .name = "all", .help = "every collection" },
    { .name = "no-wait", .help = "with --url: do not wait for the end" },
    JSON,
};
static const bp_command_option verify_options[] = { COLLECTION(0), JSON };
static const bp_command_option eval_options[] = {
    COLLECTION(BP_COMMAND_REQUIRED),
    { .name = "queries",
      .value = "FILE",
      .help = "queries.jsonl in BEIR's format",
      .flags = BP_COMMAND_REQUIRED | BP_COMMAND_FILE },
    { .name = "qrels",
      .value = "FILE",
      .help = "qrels.tsv in BEIR's format",
      .flags = BP_COMMAND_REQUIRED | BP_COMMAND_FILE },
    { .name = "mode", .value = "hybrid|words|vector", .help = "how to search" },
    JSON,
};

#define READ  "retrieval:read"
#define WRITE "retrieval:write"

const bp_command retrieval_commands[RETRIEVAL_COMMANDS] = {
    { .name = "ingest",
      .arguments = "PATH...",
      .summary = "put documents into a collection",
      .handler = ingest_command,
      .scope = WRITE,
      .endings = ".jsonl .ndjson .md .markdown .txt .text .rst",
      .flags = BP_COMMAND_FILES | BP_COMMAND_COUNT_LINES,
      BP_COMMAND_OPTIONS(ingest_options) },
    { .name = "search",
      .arguments = "TEXT",
      .summary = "search a collection",
      .handler = search_command,
      .scope = READ,
      BP_COMMAND_OPTIONS(search_options) },
    { .name = "reindex",
      .summary = "rebuild collections from their stored texts",
      .usage = "--collection NAME | --all [--json] [--url URL [--no-wait] | -c FILE]",
      .handler = reindex_command,
      .scope = WRITE,
      BP_COMMAND_OPTIONS(reindex_options) },
    { .name = "verify data",
      .summary = "compare the vector stores with the stored texts, and mend them",
      .handler = verify_command,
      .scope = WRITE,
      BP_COMMAND_OPTIONS(verify_options) },
    { .name = "eval",
      .summary = "measure nDCG@10 and recall@100",
      .usage = "--collection NAME --queries queries.jsonl --qrels qrels.tsv [--json] [--mode "
               "hybrid|words|vector] [--url URL | -c FILE]",
      .handler = eval_command,
      .scope = READ,
      BP_COMMAND_OPTIONS(eval_options) },
};

bp_status command_complain(bp_call *call, bp_command_run *run, const char *format, ...)
{
    va_list args;
    bp_str  text;

    va_start(args, format);
    text = bp_vformat(call, format, args);
    va_end(args);
    bp_command_exit(run, 1);
    return bp_command_warn(call, run, text);
}

/* tools.c - the 14 tools as MCP clients see them: names, arguments and results of the reference
 * server. */
#include "filesystem.h"

#include <stdlib.h>

/* ---- what they take and give ---- */

#define OF_PATH(what)                                                                              \
    BP_PARAM_TEXT(struct wanted, path, .flags = BP_PARAM_REQUIRED,                                 \
                  .help = what ", absolute or relative to an allowed directory")
#define EXCLUDED                                                                                   \
    BP_PARAM_OF(BP_PARAM_TYPE_TEXTS, struct wanted, excluded, "excludePatterns",                   \
                .schema = "{\"default\":[]}",                                                      \
                .help = "Glob patterns of entries to leave out, relative to path")

static const bp_param file_rows[] = { OF_PATH("The file") };
static const bp_param directory_rows[] = { OF_PATH("The directory") };
static const bp_param any_rows[] = { OF_PATH("The file or directory") };
static const bp_param read_text_rows[] = {
    OF_PATH("The file"),
    BP_PARAM_NUMBER(struct wanted, tail, .help = "Number of lines to read from the end"),
    BP_PARAM_NUMBER(struct wanted, head, .help = "Number of lines to read from the beginning"),
};
static const bp_param read_multiple_rows[] = {
    BP_PARAM_TEXTS(struct wanted, paths, .flags = BP_PARAM_REQUIRED, .minimum = "1",
                   .help = "Paths of the files, absolute or relative to an allowed directory"),
};
static const bp_param write_rows[] = {
    OF_PATH("The file"),
    BP_PARAM_TEXT(struct wanted, content, .flags = BP_PARAM_REQUIRED,
                  .help = "The whole new text of the file"),
};
static const bp_param edit_fields[] = {
    BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "oldText", .flags = BP_PARAM_REQUIRED,
                 .help = "The text to replace, exactly as it stands in the file, with enough lines "
                         "around it to occur only once"),
    BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "newText", .flags = BP_PARAM_REQUIRED,
                 .help = "The text to put in its place"),
};
static const bp_param edit_rows[] = {
    OF_PATH("The file"),
    BP_PARAM_OBJECTS(struct wanted, edits, .flags = BP_PARAM_REQUIRED,
                     BP_PARAM_FIELDS(edit_fields)),
    BP_PARAM_OF(BP_PARAM_TYPE_BOOLEAN, struct wanted, is_dry_run, "dryRun", .initial = "false",
                .help = "Show the diff without writing"),
};
static const bp_param list_with_sizes_rows[] = {
    OF_PATH("The directory"),
    BP_PARAM_OF(BP_PARAM_TYPE_CHOICE, struct wanted, sort, "sortBy", .choices = "name|size",
                .initial = "name", .help = "Order: by name, or by size with the largest first"),
};
static const bp_param tree_rows[] = { OF_PATH("The directory"), EXCLUDED };
static const bp_param move_rows[] = {
    BP_PARAM_TEXT(struct wanted, source, .flags = BP_PARAM_REQUIRED,
                  .help = "Current path of the file or directory"),
    BP_PARAM_TEXT(struct wanted, destination, .flags = BP_PARAM_REQUIRED,
                  .help = "New path; it must not exist yet"),
};
static const bp_param search_rows[] = {
    OF_PATH("Where to search"),
    BP_PARAM_TEXT(struct wanted, pattern, .flags = BP_PARAM_REQUIRED,
                  .help = "Glob pattern for paths relative to path: *.md in path itself, **/*.md "
                          "at any depth, {a,b} for either"),
    EXCLUDED,
};

static const bp_params file_params = BP_PARAMS(struct wanted, file_rows);
static const bp_params directory_params = BP_PARAMS(struct wanted, directory_rows);
static const bp_params any_params = BP_PARAMS(struct wanted, any_rows);
static const bp_params read_text_params = BP_PARAMS(struct wanted, read_text_rows);
static const bp_params read_multiple_params = BP_PARAMS(struct wanted, read_multiple_rows);
static const bp_params write_params = BP_PARAMS(struct wanted, write_rows);
static const bp_params edit_params = BP_PARAMS(struct wanted, edit_rows);
static const bp_params list_with_sizes_params = BP_PARAMS(struct wanted, list_with_sizes_rows);
static const bp_params tree_params = BP_PARAMS(struct wanted, tree_rows);
static const bp_params move_params = BP_PARAMS(struct wanted, move_rows);
static const bp_params search_params = BP_PARAMS(struct wanted, search_rows);
static const bp_params no_params = { .row_size = sizeof(bp_param) };

static const bp_param text_rows[] = {
    BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "content", .flags = BP_PARAM_REQUIRED),
};
static const bp_params text_results = BP_PARAMS_ONLY_WITH(text_rows, .flags = BP_PARAM_CLOSED);

// Which of two shapes a block has is more than a row can say.
static const bp_param media_rows[] = {
    BP_PARAM_ROW(BP_PARAM_TYPE_ANY, "content", .flags = BP_PARAM_REQUIRED,
                 .schema = "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"object\","
                           "\"properties\":{"
                           "\"type\":{\"type\":\"string\",\"enum\":[\"image\",\"audio\"]},\"data\":"
                           "{"
                           "\"type\":\"string\"},\"mimeType\":{\"type\":\"string\"}},\"required\":["
                           "\"type\",\"data\",\"mimeType\"],\"additionalProperties\":false},{"
                           "\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\","
                           "\"const\":\"resource\"},\"resource\":{\"type\":\"object\","
                           "\"properties\":{\"uri\":{\"type\":\"string\"},\"mimeType\":{\"type\":"
                           "\"string\"},\"blob\":{\"type\":\"string\"}},\"required\":[\"uri\","
                           "\"blob\"],\"additionalProperties\":false}},\"required\":[\"type\","
                           "\"resource\"],\"additionalProperties\":false}]}}"),
};
static const bp_params media_results = BP_PARAMS_ONLY_WITH(media_rows, .flags = BP_PARAM_CLOSED);

/* ---- handlers: admit, do the work on the pool, build the result ---- */

/* {"content": text} beside the same as a block, as the reference server does it. */
static bp_status put_text(bp_call *call, bp_mcp *mcp, bp_str text)
{
    bp_json_writer *w = bp_json_writer_new(call, 6 * (size_t)RESULT_TEXT_BYTES_MAX + 64);
    bp_str          json;

    if (text.len > RESULT_TEXT_BYTES_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "the result has %zu bytes, more than the %d that fit: read a part of it "
                       "with head or tail",
                       text.len, RESULT_TEXT_BYTES_MAX);
    bp_json_object(w);
    bp_json_put_string(w, "content", text);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &json));
    bp_mcp_text(mcp, text);
    bp_mcp_structured(mcp, json);
    return BP_OK;
}

static bp_status text_tool(bp_call *call, void *instance, const bp_params *params,
                           const bp_json *arguments, bp_mcp *mcp, enum rate rate,
                           bp_status (*run)(bp_call *call, struct work *work))
{
    struct work work = { .self = instance, .run = run };

    if (rate == RATE_WRITE)
        BP_TRY(expect_writable(call, instance));
    BP_TRY(admit(call, instance, rate));
    BP_TRY(bp_params_read(call, params, arguments, &work.wanted));
    BP_TRY(work_run(call, &work));
    if (!work.is_failure)
        return put_text(call, mcp, work.text);
    bp_mcp_text(mcp, work.text);
    bp_mcp_error(mcp);
    return BP_OK;
}

#define TEXT_TOOL(name, params, rate, run)                                                         \
    static bp_status name(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)    \
    {                                                                                              \
        return text_tool(call, instance, &(params), arguments, mcp, rate, run);                    \
    }
TEXT_TOOL(read_text_tool, read_text_params, RATE_READ, work_read_text)
TEXT_TOOL(read_multiple_tool, read_multiple_params, RATE_READ, work_read_multiple)
TEXT_TOOL(write_tool, write_params, RATE_WRITE, work_write)
TEXT_TOOL(edit_tool, edit_params, RATE_WRITE, work_edit)
TEXT_TOOL(create_directory_tool, directory_params, RATE_WRITE, work_create_directory)
TEXT_TOOL(list_tool, directory_params, RATE_LIST, work_list)
TEXT_TOOL(list_with_sizes_tool, list_with_sizes_params, RATE_LIST, work_list_with_sizes)
TEXT_TOOL(tree_tool, tree_params, RATE_LIST, work_tree)
TEXT_TOOL(move_tool, move_params, RATE_WRITE, work_move)
TEXT_TOOL(search_tool, search_params, RATE_SEARCH, work_search)
TEXT_TOOL(info_tool, any_params, RATE_READ, work_info)

static void put_media(bp_json_writer *w, const struct work *work)
{
    bool is_image = strncmp(work->mime_type, "image/", 6) == 0,
         is_audio = strncmp(work->mime_type, "audio/", 6) == 0;

    bp_json_put_string(w, "type", bp_str_of(is_image ? "image" : is_audio ? "audio" : "resource"));
    if (!is_image && !is_audio) {
        bp_json_key(w, "resource");
        bp_json_object(w);
        bp_json_put_string(w, "uri", work->uri);
        bp_json_put_string(w, "mimeType", bp_str_of(work->mime_type));
        bp_json_key(w, "blob");
        bp_json_add_base64(w, work->bytes);
        bp_json_end(w);
        return;
    }
    bp_json_key(w, "data");
    bp_json_add_base64(w, work->bytes);
    bp_json_put_string(w, "mimeType", bp_str_of(work->mime_type));
}

static bp_status read_media_tool(bp_call *call, void *instance, const bp_json *arguments,
                                 bp_mcp *mcp)
{
    struct work     work = { .self = instance, .run = work_read_media };
    bp_json_writer *w;
    bp_str          json;

    BP_TRY(admit(call, instance, RATE_READ));
    BP_TRY(bp_params_read(call, &file_params, arguments, &work.wanted));
    BP_TRY(work_run(call, &work));
    if (work.bytes.len > RESULT_TEXT_BYTES_MAX / 4 * 3)
        return bp_fail(call, BP_TOO_LARGE,
                       "the file has %zu bytes, more than the %d that fit into a result",
                       work.bytes.len, RESULT_TEXT_BYTES_MAX / 4 * 3);
    w = bp_json_writer_new(call, 2 * (size_t)RESULT_TEXT_BYTES_MAX);
    bp_json_object(w);
    bp_json_key(w, "content");
    bp_json_array(w);
    bp_json_object(w);
    put_media(w, &work);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &json));
    put_media(bp_mcp_begin_block(mcp), &work);
    bp_mcp_end_block(mcp);
    bp_mcp_structured(mcp, json);
    return BP_OK;
}

static bp_status allowed_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const struct filesystem *self = instance;

    (void)arguments;
    BP_TRY(admit(call, instance, RATE_LIST));
    return put_text(call, mcp,
                    bp_format(call, "Allowed directories:\n" BP_FMT,
                              BP_ARG(roots_text(call, self->shared, "\n"))));
}

/* ---- the table ---- */

#define TOOL(name_, title_, handler_, input_, scope_, flags_, description_)                        \
    {                                                                                              \
        .name = name_, .title = title_,                                                            \
        .description = description_ " Works only within the allowed directories.",                 \
        .params = &(input_), .results = &text_results, .handler = handler_, .scope = scope_,       \
        .flags = flags_                                                                            \
    }

const bp_mcp_tool filesystem_tools[TOOL_COUNT] = {
    TOOL("read_file", "Read File (Deprecated)", read_text_tool, read_text_params, SCOPE_READ,
         BP_TOOL_READ_ONLY, "Deprecated: the old name of read_text_file."),
    TOOL("read_text_file", "Read Text File", read_text_tool, read_text_params, SCOPE_READ,
         BP_TOOL_READ_ONLY,
         "Gives the text of one file (UTF-8), whole, or with head or tail only its first or last "
         "lines, which is quick for large files as well. For images, sound and other bytes use "
         "read_media_file."),
    { .name = "read_media_file",
      .title = "Read Media File",
      .params = &file_params,
      .results = &media_results,
      .description = "Reads one file as base64. Images and audio, recognised by the ending of the "
                     "name, come as such; everything else comes as an embedded resource. Works "
                     "only within the allowed directories.",
      .handler = read_media_tool,
      .scope = SCOPE_READ,
      .flags = BP_TOOL_READ_ONLY },
    TOOL("read_multiple_files", "Read Multiple Files", read_multiple_tool, read_multiple_params,
         SCOPE_READ, BP_TOOL_READ_ONLY,
         "Gives the texts of several files at once, each behind its path. One that cannot be read "
         "is reported in its place and does not stop the others."),
    TOOL("write_file", "Write File", write_tool, write_params, SCOPE_WRITE,
         BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT,
         "Makes a file with this text, or replaces all that an existing one holds, in one step. "
         "Its directory must be there."),
    TOOL("edit_file", "Edit File", edit_tool, edit_params, SCOPE_WRITE, BP_TOOL_DESTRUCTIVE,
         "Replaces pieces of a text file, one after another, all or none, and gives the diff. A "
         "piece that is not found as written is looked for line by line with blanks at the ends of "
         "lines ignored, and then newText is shifted as a whole to where it belongs. One that is "
         "there several times is an error. With dryRun nothing is written."),
    TOOL("create_directory", "Create Directory", create_directory_tool, directory_params,
         SCOPE_WRITE, BP_TOOL_IDEMPOTENT,
         "Makes a directory and those above it that are missing. One that is there already is "
         "fine."),
    TOOL("list_directory", "List Directory", list_tool, directory_params, SCOPE_READ,
         BP_TOOL_READ_ONLY,
         "Names the entries of a directory, each with [FILE] or [DIR] before it."),
    TOOL("list_directory_with_sizes", "List Directory with Sizes", list_with_sizes_tool,
         list_with_sizes_params, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Names the entries of a directory with the sizes of the files and their sum."),
    TOOL("directory_tree", "Directory Tree", tree_tool, tree_params, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Gives a directory and all below it as JSON: name, type (file or directory) and, of each "
         "directory, children."),
    TOOL("move_file", "Move File", move_tool, move_params, SCOPE_WRITE, BP_TOOL_DESTRUCTIVE,
         "Moves or renames a file or a directory. Fails if anything is at the destination "
         "already."),
    TOOL("search_files", "Search Files", search_tool, search_params, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Finds files and directories below a directory by a glob pattern and gives their full "
         "paths."),
    TOOL("get_file_info", "Get File Info", info_tool, any_params, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Tells size, times, permissions and kind of a file or directory without reading it."),
    { .name = "list_allowed_directories",
      .title = "List Allowed Directories",
      .params = &no_params,
      .results = &text_results,
      .description = "Lists the directories that may be accessed, with everything below them. Call "
                     "this before you guess a path.",
      .handler = allowed_tool,
      .scope = SCOPE_READ,
      .flags = BP_TOOL_READ_ONLY },
};

bool tool_is_offered(void *instance, const char *name)
{
    const struct filesystem *self = instance;

    for (size_t i = 0; i < TOOL_COUNT; i++)
        if (strcmp(filesystem_tools[i].name, name) == 0)
            return !self->read_only || filesystem_tools[i].flags & BP_TOOL_READ_ONLY;
    return true;
}

/* tools.c - the 14 tools as MCP clients see them: names, arguments and results of the reference
 * server. */
#include "filesystem.h"

#include <stdlib.h>

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

static bp_status text_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp,
                           enum rate rate, bp_status (*run)(bp_call *call, struct work *work))
{
    struct work work = { .self = instance, .arguments = arguments, .run = run };

    if (rate == RATE_WRITE)
        BP_TRY(expect_writable(call, instance));
    BP_TRY(admit(call, instance, rate));
    BP_TRY(work_run(call, &work));
    if (!work.is_failure)
        return put_text(call, mcp, work.text);
    bp_mcp_text(mcp, work.text);
    bp_mcp_error(mcp);
    return BP_OK;
}

#define TEXT_TOOL(name, rate, run)                                                                 \
    static bp_status name(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)    \
    {                                                                                              \
        return text_tool(call, instance, arguments, mcp, rate, run);                               \
    }
TEXT_TOOL(read_text_tool, RATE_READ, work_read_text)
TEXT_TOOL(read_multiple_tool, RATE_READ, work_read_multiple)
TEXT_TOOL(write_tool, RATE_WRITE, work_write)
TEXT_TOOL(edit_tool, RATE_WRITE, work_edit)
TEXT_TOOL(create_directory_tool, RATE_WRITE, work_create_directory)
TEXT_TOOL(list_tool, RATE_LIST, work_list)
TEXT_TOOL(list_with_sizes_tool, RATE_LIST, work_list_with_sizes)
TEXT_TOOL(tree_tool, RATE_LIST, work_tree)
TEXT_TOOL(move_tool, RATE_WRITE, work_move)
TEXT_TOOL(search_tool, RATE_SEARCH, work_search)
TEXT_TOOL(info_tool, RATE_READ, work_info)

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
    struct work     work = { .self = instance, .arguments = arguments, .run = work_read_media };
    bp_json_writer *w;
    bp_str          json;

    BP_TRY(admit(call, instance, RATE_READ));
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

/* ---- schemas ---- */

#define PATH_OF(what)                                                                              \
    "\"path\":{\"type\":\"string\",\"description\":\"" what                                        \
    ", absolute or relative to an allowed directory\"}"
#define EXCLUDE                                                                                    \
    "\"excludePatterns\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"default\":[],"      \
    "\"description\":\"Glob patterns of what to leave out, relative to path\"}"
#define OBJECT(properties, required)                                                               \
    "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required "]}"

static const char text_output[] = "{\"type\":\"object\",\"properties\":{\"content\":{\"type\":"
                                  "\"string\"}},\"required\":[\"content\"],"
                                  "\"additionalProperties\":false}";
static const char
    media_output[] = "{\"type\":\"object\",\"properties\":{\"content\":{\"type\":\"array\","
                     "\"items\":{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"type\":{"
                     "\"type\":\"string\",\"enum\":[\"image\",\"audio\"]},\"data\":{\"type\":"
                     "\"string\"},\"mimeType\":{\"type\":\"string\"}},\"required\":[\"type\","
                     "\"data\",\"mimeType\"],\"additionalProperties\":false},{\"type\":\"object\","
                     "\"properties\":{\"type\":{\"type\":\"string\",\"const\":\"resource\"},"
                     "\"resource\":{\"type\":\"object\",\"properties\":{\"uri\":{\"type\":"
                     "\"string\"},\"mimeType\":{\"type\":\"string\"},\"blob\":{\"type\":\"string\"}"
                     "},\"required\":[\"uri\",\"blob\"],\"additionalProperties\":false}},"
                     "\"required\":[\"type\",\"resource\"],\"additionalProperties\":false}]}}},"
                     "\"required\":[\"content\"],\"additionalProperties\":false}";
static const char read_text_input[] = OBJECT(
    PATH_OF("The file") ",\"tail\":{\"type\":\"number\",\"description\":\"Only the last so many "
                        "lines\"},\"head\":{\"type\":\"number\",\"description\":\"Only the first "
                        "so many lines\"}",
    "\"path\"");
static const char file_input[] = OBJECT(PATH_OF("The file"), "\"path\"");
static const char directory_input[] = OBJECT(PATH_OF("The directory"), "\"path\"");
static const char any_input[] = OBJECT(PATH_OF("The file or directory"), "\"path\"");
static const char read_multiple_input[] = OBJECT("\"paths\":{\"type\":\"array\",\"minItems\":1,"
                                                 "\"items\":{\"type\":\"string\"},"
                                                 "\"description\":\"The files, each absolute or "
                                                 "relative to an allowed directory\"}",
                                                 "\"paths\"");
static const char write_input[] = OBJECT(PATH_OF("The file") ",\"content\":{\"type\":\"string\","
                                                             "\"description\":\"All that will be "
                                                             "in it\"}",
                                         "\"path\",\"content\"");
static const char edit_input[] = OBJECT(
    PATH_OF("The file") ",\"edits\":{\"type\":\"array\",\"items\":" OBJECT(
        "\"oldText\":{\"type\":\"string\",\"description\":\"What is there now, as it is written, "
        "with enough lines around it to stand for one place "
        "only\"},\"newText\":{\"type\":\"string\",\"description\":\"What shall be there instead\"}",
        "\"oldText\",\"newText\"") "},\"dryRun\":{\"type\":\"boolean\",\"default\":false,"
                                   "\"description\":\"Show the diff and write nothing\"}",
    "\"path\",\"edits\"");
static const char list_with_sizes_input[] = OBJECT(
    PATH_OF(
        "The directory") ",\"sortBy\":{\"type\":\"string\",\"enum\":[\"name\",\"size\"],"
                         "\"default\":\"name\",\"description\":\"By name, or the largest first\"}",
    "\"path\"");
static const char tree_input[] = OBJECT(PATH_OF("The directory") "," EXCLUDE, "\"path\"");
static const char move_input[] = OBJECT("\"source\":{\"type\":\"string\",\"description\":\"The "
                                        "file or directory as it is called "
                                        "now\"},\"destination\":{\"type\":\"string\","
                                        "\"description\":\"What it shall be called; nothing may be "
                                        "there\"}",
                                        "\"source\",\"destination\"");
static const char search_input[] = OBJECT(PATH_OF("Where to search") ",\"pattern\":{\"type\":"
                                                                     "\"string\",\"description\":"
                                                                     "\"Glob pattern of paths "
                                                                     "relative to path: *.md here, "
                                                                     "**/*.md everywhere below, "
                                                                     "{a,b} for either\"}," EXCLUDE,
                                          "\"path\",\"pattern\"");
static const char no_input[] = "{\"type\":\"object\",\"properties\":{}}";

/* ---- the table ---- */

#define TOOL(name_, title_, handler_, input_, scope_, flags_, description_)                        \
    {                                                                                              \
        .name = name_, .title = title_,                                                            \
        .description = description_ " Works only within the allowed directories.",                 \
        .input_schema = input_, .output_schema = text_output, .handler = handler_,                 \
        .scope = scope_, .flags = flags_                                                           \
    }

const bp_mcp_tool filesystem_tools[TOOL_COUNT] = {
    TOOL("read_file", "Read File (Deprecated)", read_text_tool, read_text_input, SCOPE_READ,
         BP_TOOL_READ_ONLY, "Deprecated: the old name of read_text_file."),
    TOOL("read_text_file", "Read Text File", read_text_tool, read_text_input, SCOPE_READ,
         BP_TOOL_READ_ONLY,
         "Gives the text of one file (UTF-8), whole, or with head or tail only its first or last "
         "lines, which is quick for large files as well. For images, sound and other bytes use "
         "read_media_file."),
    { .name = "read_media_file",
      .title = "Read Media File",
      .input_schema = file_input,
      .output_schema = media_output,
      .description = "Gives the bytes of one file in base64: pictures and sound as such by the "
                     "ending of the name, all else as an embedded resource. Works only within the "
                     "allowed directories.",
      .handler = read_media_tool,
      .scope = SCOPE_READ,
      .flags = BP_TOOL_READ_ONLY },
    TOOL("read_multiple_files", "Read Multiple Files", read_multiple_tool, read_multiple_input,
         SCOPE_READ, BP_TOOL_READ_ONLY,
         "Gives the texts of several files at once, each behind its path. One that cannot be read "
         "is reported in its place and does not stop the others."),
    TOOL("write_file", "Write File", write_tool, write_input, SCOPE_WRITE,
         BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT,
         "Makes a file with this text, or replaces all that an existing one holds, in one step. "
         "Its directory must be there."),
    TOOL("edit_file", "Edit File", edit_tool, edit_input, SCOPE_WRITE, BP_TOOL_DESTRUCTIVE,
         "Replaces pieces of a text file, one after another, all or none, and gives the diff. A "
         "piece that is not found as written is looked for line by line with blanks at the ends of "
         "lines ignored, and then newText is shifted as a whole to where it belongs. One that is "
         "there several times is an error. With dryRun nothing is written."),
    TOOL("create_directory", "Create Directory", create_directory_tool, directory_input,
         SCOPE_WRITE, BP_TOOL_IDEMPOTENT,
         "Makes a directory and those above it that are missing. One that is there already is "
         "fine."),
    TOOL("list_directory", "List Directory", list_tool, directory_input, SCOPE_READ,
         BP_TOOL_READ_ONLY, "Names what is in a directory, each with [FILE] or [DIR] before it."),
    TOOL("list_directory_with_sizes", "List Directory with Sizes", list_with_sizes_tool,
         list_with_sizes_input, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Names what is in a directory with the sizes of the files and their sum."),
    TOOL("directory_tree", "Directory Tree", tree_tool, tree_input, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Gives a directory and all below it as JSON: name, type (file or directory) and, of each "
         "directory, children."),
    TOOL("move_file", "Move File", move_tool, move_input, SCOPE_WRITE, BP_TOOL_DESTRUCTIVE,
         "Moves or renames a file or a directory. Fails if anything is at the destination "
         "already."),
    TOOL("search_files", "Search Files", search_tool, search_input, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Finds files and directories below a directory by a glob pattern and gives their full "
         "paths."),
    TOOL("get_file_info", "Get File Info", info_tool, any_input, SCOPE_READ, BP_TOOL_READ_ONLY,
         "Tells size, times, permissions and kind of a file or directory without reading it."),
    { .name = "list_allowed_directories",
      .title = "List Allowed Directories",
      .input_schema = no_input,
      .output_schema = text_output,
      .description = "Names the directories that may be accessed, with all below them. Ask this "
                     "before guessing a path.",
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

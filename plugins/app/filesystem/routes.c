/* routes.c - the same files over plain HTTP, for clients that know no MCP: four routes with small
 * JSON bodies. */
#include "filesystem.h"

/* Without bytes at all when there is no such string. */
static bp_str text_of(const bp_json *json, const char *name)
{
    const bp_json *value = bp_json_get(json, name);

    return bp_json_type_of(value) == BP_JSON_STRING ? bp_json_string(value) : bp_str_n(NULL, 0);
}

static bp_status begin(bp_call *call, bp_request *request, enum rate rate, struct work *work)
{
    const bp_json *json;
    bp_str         body;

    BP_TRY(admit(call, work->self, rate));
    BP_TRY(bp_request_body(call, request, &body));
    BP_TRY(bp_json_read(call, body, &json));
    work->wanted = (struct wanted){ .path = text_of(json, "path"),
                                    .content = text_of(json, "content"),
                                    .pattern = text_of(json, "pattern"),
                                    .root = text_of(json, "root"),
                                    .excluded = bp_json_get(json, "excludePatterns") };
    return BP_OK;
}

static bp_status expect_string(bp_call *call, bp_str text, const char *name)
{
    if (text.data)
        return BP_OK;
    return bp_fail(call, BP_INVALID, "the body must be an object with the string \"%s\"", name);
}

static bp_status work_read_for_route(bp_call *call, struct work *work)
{
    return read_text(call, work->self, work->wanted.path, &work->text);
}

static bp_status read_file_post(bp_call *call, void *instance, bp_request *request,
                                bp_response *response)
{
    struct work     work = { .self = instance, .run = work_read_for_route };
    bp_json_writer *w;

    BP_TRY(begin(call, request, RATE_READ, &work));
    BP_TRY(expect_string(call, work.wanted.path, "path"));
    BP_TRY(work_run(call, &work));
    w = bp_json_writer_new(call, 6 * work.text.len + 64);
    bp_json_object(w);
    bp_json_put_string(w, "content", work.text);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static bp_status write_file_post(bp_call *call, void *instance, bp_request *request,
                                 bp_response *response)
{
    struct work work = { .self = instance, .run = work_write };

    BP_TRY(expect_writable(call, instance));
    BP_TRY(begin(call, request, RATE_WRITE, &work));
    BP_TRY(expect_string(call, work.wanted.path, "path"));
    BP_TRY(expect_string(call, work.wanted.content, "content"));
    BP_TRY(work_run(call, &work));
    return bp_respond(call, response, 200, "application/json", BP_STR("{\"success\":true}"));
}

/* An object that begins with an array, which the work fills and ends. */
static bp_status respond_list(bp_call *call, struct work *work, const char *name,
                              bp_response *response)
{
    work->json = bp_json_writer_new(call, 2 * (size_t)RESULT_TEXT_BYTES_MAX);
    bp_json_object(work->json);
    bp_json_key(work->json, name);
    bp_json_array(work->json);
    BP_TRY(work_run(call, work));
    bp_json_end(work->json);
    return bp_respond_json(call, response, 200, work->json);
}

static bp_status list_directory_post(bp_call *call, void *instance, bp_request *request,
                                     bp_response *response)
{
    struct work work = { .self = instance, .run = work_list_json };

    BP_TRY(begin(call, request, RATE_LIST, &work));
    BP_TRY(expect_string(call, work.wanted.path, "path"));
    return respond_list(call, &work, "entries", response);
}

static bp_status search_files_post(bp_call *call, void *instance, bp_request *request,
                                   bp_response *response)
{
    struct work work = { .self = instance, .run = work_search_json };

    BP_TRY(begin(call, request, RATE_SEARCH, &work));
    BP_TRY(expect_string(call, work.wanted.pattern, "pattern"));
    return respond_list(call, &work, "files", response);
}

static const char path_schema[] = "{\"type\":\"object\",\"required\":[\"path\"],\"properties\":{"
                                  "\"path\":{\"type\":\"string\"}}}";
static const char write_schema[] = "{\"type\":\"object\",\"required\":[\"path\",\"content\"],"
                                   "\"properties\":{\"path\":{\"type\":\"string\"},\"content\":{"
                                   "\"type\":\"string\"}}}";
static const char search_schema[] = "{\"type\":\"object\",\"required\":[\"pattern\"],"
                                    "\"properties\":{\"pattern\":{\"type\":\"string\"},\"root\":{"
                                    "\"type\":\"string\"},\"excludePatterns\":{\"type\":\"array\","
                                    "\"items\":{\"type\":\"string\"}}}}";
static const char content_schema[] = "{\"type\":\"object\",\"required\":[\"content\"],"
                                     "\"properties\":{\"content\":{\"type\":\"string\"}}}";
static const char success_schema[] = "{\"type\":\"object\",\"required\":[\"success\"],"
                                     "\"properties\":{\"success\":{\"type\":\"boolean\"}}}";
static const char entries_schema[] = "{\"type\":\"object\",\"required\":[\"entries\"],"
                                     "\"properties\":{\"entries\":{\"type\":\"array\",\"items\":{"
                                     "\"type\":\"object\",\"properties\":{\"name\":{\"type\":"
                                     "\"string\"},\"type\":{\"enum\":[\"file\",\"directory\"]},"
                                     "\"size\":{\"type\":\"integer\"}}}}}}";
static const char files_schema[] = "{\"type\":\"object\",\"required\":[\"files\"],\"properties\":{"
                                   "\"files\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                                   "\"skipped\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}"
                                   "},\"skipped_count\":{\"type\":\"integer\"}}}";

const bp_route filesystem_routes[ROUTE_COUNT] = {
    { .method = "POST",
      .path = "/read_file",
      .handler = read_file_post,
      .scope = SCOPE_READ,
      .summary = "The text of a file",
      .request_schema = path_schema,
      .response_schema = content_schema },
    { .method = "POST",
      .path = "/write_file",
      .handler = write_file_post,
      .scope = SCOPE_WRITE,
      .summary = "Creates or replaces a file",
      .request_schema = write_schema,
      .response_schema = success_schema },
    { .method = "POST",
      .path = "/list_directory",
      .handler = list_directory_post,
      .scope = SCOPE_READ,
      .summary = "Entries of a directory",
      .request_schema = path_schema,
      .response_schema = entries_schema },
    { .method = "POST",
      .path = "/search_files",
      .handler = search_files_post,
      .scope = SCOPE_READ,
      .summary = "Files that match a glob pattern",
      .request_schema = search_schema,
      .response_schema = files_schema },
};

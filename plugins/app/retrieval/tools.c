/* tools.c - the app's MCP tools, which search and read. They write nothing. */
#include <backplane/mcp.h>
#include <backplane/param.h>

#include "retrieval.h"

enum { RESULT_BYTES_MAX = 16 << 20 };

struct wanted {
    bp_str  query, document, collection; /* collection empty: the default one */
    int64_t limit;
    int32_t mode;
};

#define COLLECTION                                                                                 \
    BP_PARAM_TEXT(struct wanted, collection,                                                       \
                  .help = "name of the collection; the default one if left out")

static const bp_param search_rows[] = {
    BP_PARAM_TEXT(struct wanted, query, .flags = BP_PARAM_REQUIRED, .minimum = "1",
                  .maximum = "8192", .help = "the question or search terms, in plain words"),
    COLLECTION,
    BP_PARAM_INTEGER(struct wanted, limit, .minimum = "1", .maximum = "50", .initial = "8"),
    BP_PARAM_CHOICE(struct wanted, mode, .choices = "hybrid|words|vector", .initial = "hybrid"),
};
static const bp_param read_rows[] = {
    BP_PARAM_TEXT(struct wanted, document, .flags = BP_PARAM_REQUIRED, .minimum = "1",
                  .help = "id of the document, as a search returns it"),
    COLLECTION,
};
static const bp_params search_params = BP_PARAMS_WITH(struct wanted, search_rows,
                                                      .flags = BP_PARAM_CLOSED);
static const bp_params read_params = BP_PARAMS_WITH(struct wanted, read_rows,
                                                    .flags = BP_PARAM_CLOSED);

static const bp_param hit_fields[] = {
    { .name = "document", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "title", .type = BP_PARAM_TYPE_TEXT },
    { .name = "heading", .type = BP_PARAM_TYPE_TEXT },
    { .name = "text", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "score", .type = BP_PARAM_TYPE_NUMBER, .flags = BP_PARAM_REQUIRED },
};
static const bp_param found_rows[] = {
    { .name = "collection", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "degraded",
      .type = BP_PARAM_TYPE_TEXT,
      .help = "reason why the search was incomplete" },
    { .name = "hits",
      .type = BP_PARAM_TYPE_OBJECTS,
      .flags = BP_PARAM_REQUIRED,
      BP_PARAM_FIELDS(hit_fields) },
};
static const bp_param collection_fields[] = {
    { .name = "name", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "documents", .type = BP_PARAM_TYPE_INTEGER, .flags = BP_PARAM_REQUIRED },
};
static const bp_param collections_rows[] = {
    { .name = "collections",
      .type = BP_PARAM_TYPE_OBJECTS,
      .flags = BP_PARAM_REQUIRED,
      BP_PARAM_FIELDS(collection_fields) },
};
static const bp_params found = BP_PARAMS_ONLY(found_rows);
static const bp_params listed = BP_PARAMS_ONLY(collections_rows);

static bp_status give_structured(bp_call *call, bp_mcp *mcp, bp_json_writer *w)
{
    bp_str json;

    BP_TRY(bp_json_done(call, w, &json));
    bp_mcp_structured(mcp, json);
    return BP_OK;
}

static bp_status search_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    static const enum search_mode modes[] = { SEARCH_HYBRID, SEARCH_WORDS, SEARCH_VECTOR };
    struct retrieval             *self = instance;
    bp_json_writer               *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    struct wanted                 wanted;
    struct search_query           query;
    struct collection             collection;
    struct search_result          result;

    BP_TRY(bp_params_read(call, &search_params, arguments, &wanted));
    query = search_query_of(self, wanted.query, (uint32_t)wanted.limit);
    query.mode = modes[wanted.mode];
    BP_TRY(collection_find(call, self, wanted.collection, &collection));
    BP_TRY(search_run(call, self, &collection, &query, &result));
    search_count(self, &result);
    bp_json_object(w);
    bp_json_put_string(w, "collection", collection.name);
    search_write_degraded(w, &result);
    bp_json_key(w, "hits");
    bp_json_array(w);
    for (size_t i = 0; i < result.count; i++)
        search_write_hit(w, &result.hits[i], true);
    bp_json_end(w);
    bp_json_end(w);
    return give_structured(call, mcp, w);
}

static bp_status read_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct retrieval *self = instance;
    struct wanted     wanted;
    struct collection collection;
    bp_rows           rows;

    BP_TRY(bp_params_read(call, &read_params, arguments, &wanted));
    BP_TRY(collection_find(call, self, wanted.collection, &collection));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT body FROM retrieval_documents WHERE collection_id = $1 "
                                  "AND external_id = $2",
                                  bp_sql_int(collection.id), bp_sql_text(wanted.document)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND,
                       "collection \"" BP_FMT "\" has no document \"" BP_FMT
                       "\": search_documents finds them",
                       BP_ARG(collection.name), BP_ARG(wanted.document));
    bp_mcp_text(mcp, bp_row(&rows, 0)[0].text);
    return BP_OK;
}

static bp_status list_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct retrieval *self = instance;
    bp_json_writer   *w = bp_json_writer_new(call, RESULT_BYTES_MAX);

    (void)arguments;
    BP_TRY(collections_write(call, self, w));
    return give_structured(call, mcp, w);
}

#define READ "retrieval:read"

const bp_mcp_tool retrieval_tools[RETRIEVAL_TOOLS] = {
    { .name = "search_documents",
      .title = "Search documents",
      .handler = search_tool,
      .scope = READ,
      .description = "Finds passages of the indexed documents that match the query by words and by "
                     "meaning. Cite the document when you use a passage.",
      .params = &search_params,
      .results = &found,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "read_document",
      .title = "Read a document",
      .handler = read_tool,
      .scope = READ,
      .description = "Returns the whole text of one indexed document.",
      .params = &read_params,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "list_collections",
      .title = "List collections",
      .handler = list_tool,
      .scope = READ,
      .description = "Lists the collections and the number of documents in each.",
      .results = &listed,
      .flags = BP_TOOL_READ_ONLY },
};

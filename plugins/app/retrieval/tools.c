/* tools.c - the app's MCP tools, which search and read. They write nothing. */
#include <backplane/mcp.h>

#include "retrieval.h"

enum { RESULT_BYTES_MAX = 16 << 20 };

#define COLLECTION                                                                                 \
    "\"collection\":{\"type\":\"string\",\"description\":\"its name; left out: the default one\"}"

static const char search_arguments[] = "{\"type\":\"object\",\"required\":[\"query\"],"
                                       "\"additionalProperties\":false,\"properties\":{\"query\":{"
                                       "\"type\":\"string\",\"minLength\":1,\"maxLength\":8192,"
                                       "\"description\":\"what to look for, in plain "
                                       "words\"}," COLLECTION
                                       ",\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":"
                                       "50,\"default\":8},\"mode\":{\"type\":\"string\",\"enum\":["
                                       "\"hybrid\",\"words\",\"vector\"],\"default\":\"hybrid\"}}}";
static const char search_result_schema[] = "{\"type\":\"object\",\"required\":[\"collection\","
                                           "\"hits\"],\"properties\":{\"collection\":{\"type\":"
                                           "\"string\"},\"degraded\":{\"type\":\"string\","
                                           "\"description\":\"why the search was less than it "
                                           "should "
                                           "be\"},\"hits\":{\"type\":\"array\",\"items\":{\"type\":"
                                           "\"object\",\"required\":[\"document\",\"text\","
                                           "\"score\"],\"properties\":{\"document\":{\"type\":"
                                           "\"string\"},\"title\":{\"type\":\"string\"},"
                                           "\"heading\":{\"type\":\"string\"},\"text\":{\"type\":"
                                           "\"string\"},\"score\":{\"type\":\"number\"}}}}}}";
static const char read_arguments[] = "{\"type\":\"object\",\"required\":[\"document\"],"
                                     "\"additionalProperties\":false,\"properties\":{\"document\":{"
                                     "\"type\":\"string\",\"minLength\":1,\"description\":\"its "
                                     "id, as a search gives it\"}," COLLECTION "}}";
static const char list_result_schema[] = "{\"type\":\"object\",\"required\":[\"collections\"],"
                                         "\"properties\":{\"collections\":{\"type\":\"array\","
                                         "\"items\":{\"type\":\"object\",\"required\":[\"name\","
                                         "\"documents\"],\"properties\":{\"name\":{\"type\":"
                                         "\"string\"},\"documents\":{\"type\":\"integer\"}}}}}}";

static bp_status give_structured(bp_call *call, bp_mcp *mcp, bp_json_writer *w)
{
    bp_str json;

    BP_TRY(bp_json_done(call, w, &json));
    bp_mcp_structured(mcp, json);
    return BP_OK;
}

static enum search_mode mode_of(bp_str text)
{
    return bp_str_is(text, "words")    ? SEARCH_WORDS
           : bp_str_is(text, "vector") ? SEARCH_VECTOR
                                       : SEARCH_HYBRID;
}

static bp_status search_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct retrieval    *self = instance;
    const bp_json       *limit = bp_json_get(arguments, "limit");
    struct search_query  query = search_query_of(self,
                                                 bp_json_string(bp_json_get(arguments, "query")),
                                                limit ? (uint32_t)bp_json_integer(limit) : 8);
    bp_json_writer      *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    struct collection    collection;
    struct search_result result;

    query.mode = mode_of(bp_json_string(bp_json_get(arguments, "mode")));
    BP_TRY(collection_find(call, self, bp_json_string(bp_json_get(arguments, "collection")),
                           &collection));
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
    bp_str            id = bp_json_string(bp_json_get(arguments, "document"));
    struct collection collection;
    bp_rows           rows;

    BP_TRY(collection_find(call, self, bp_json_string(bp_json_get(arguments, "collection")),
                           &collection));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT body FROM retrieval_documents WHERE collection_id = $1 "
                                  "AND external_id = $2",
                                  bp_sql_int(collection.id), bp_sql_text(id)),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND,
                       "collection \"" BP_FMT "\" has no document \"" BP_FMT
                       "\": search_documents finds them",
                       BP_ARG(collection.name), BP_ARG(id));
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
      .description = "Finds passages of the indexed documents that say something about the query, "
                     "by words and by meaning. Cite the document when you use one.",
      .input_schema = search_arguments,
      .output_schema = search_result_schema,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "read_document",
      .title = "Read a document",
      .handler = read_tool,
      .scope = READ,
      .description = "Gives the whole text of one indexed document.",
      .input_schema = read_arguments,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "list_collections",
      .title = "List collections",
      .handler = list_tool,
      .scope = READ,
      .description = "Lists the collections of documents and how many are in each.",
      .output_schema = list_result_schema,
      .flags = BP_TOOL_READ_ONLY },
};

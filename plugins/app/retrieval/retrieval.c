/* retrieval.c - the app `retrieval`: documents in, searches and answers with citations out. Its
 * tables. */
#include "retrieval.h"

#include <stdlib.h>

#include "words/tokens.h"

static const bp_option options[] = {
    BP_OPTION_REF(struct retrieval, storage, "storage", .is_required = true,
                  .help = "storage for documents and chunks"),
    BP_OPTION_REF(struct retrieval, vector, "vector", .is_required = true,
                  .help = "vector store that searches vectors and words of the chunks"),
    BP_OPTION_REF(struct retrieval, embed, "embed", .is_required = true,
                  .help = "embedder for texts"),
    BP_OPTION_REFS(struct retrieval, llm, "llm",
                   .help = "LLM providers that write answers; the next one is asked when one "
                           "cannot be reached"),
    BP_OPTION_LIST(struct retrieval, sources, .choices = BP_PATH_FOLDER, .example = "[ docs/ ]",
                   .help = "folders of text and Markdown files to keep indexed"),
    BP_OPTION_STRING(struct retrieval, collection, .initial = "docs",
                     .help = "collection for the sources, and for requests that name none"),
    BP_OPTION_DURATION(struct retrieval, scan, .initial = "10s", .minimum = "1s", .maximum = "1d",
                       .help = "interval between scans of the sources"),
    BP_OPTION_INT(struct retrieval, chunk_tokens, .initial = "400", .minimum = "32",
                  .maximum = "4000", .help = "most tokens in a passage (estimated)"),
    BP_OPTION_INT(struct retrieval, chunk_overlap, .initial = "50", .minimum = "0",
                  .maximum = "1000", .help = "tokens that two passages of one section share"),
    BP_OPTION_INT(struct retrieval, candidates, .initial = "100", .minimum = "10",
                  .maximum = "2000", .help = "hits of each leg (vectors, words) to fuse"),
    BP_OPTION_INT(struct retrieval, passages, .initial = "8", .minimum = "1", .maximum = "50",
                  .help = "passages that the model sees for an answer"),
    BP_OPTION_ENUM(struct retrieval, fusion, .initial = "minmax", .choices = "minmax|rrf",
                   .help = "how to fuse the two legs: by score, or by rank"),
    BP_OPTION_FLOAT(struct retrieval, words_weight, .initial = "-1", .minimum = "-1",
                    .maximum = "1",
                    .help = "weight of words against vectors, 0 to 1; -1: chosen by the embedder"),
    BP_OPTION_FLOAT(struct retrieval, min_similarity, .initial = "0.3", .minimum = "-1",
                    .maximum = "1",
                    .help = "least similarity of a passage that shares no word with the question"),
    BP_OPTION_ENUM(struct retrieval, when_down, .initial = "degrade", .choices = "degrade|refuse",
                   .help = "searches while vector store or embedder cannot be reached: degrade: "
                           "hits by words alone, with the reason in \"degraded\" of the answer; "
                           "refuse: status 503"),
    BP_OPTION_SIZE(struct retrieval, queue, .initial = "64MiB", .minimum = "0", .maximum = "1TiB",
                   .help = "most bytes of text that wait in the storage while vector store or "
                           "embedder cannot be reached; the app refuses more; 0: nothing waits"),
    BP_OPTION_DURATION(struct retrieval, verify, .initial = "5m", .minimum = "0", .maximum = "1d",
                       .help = "interval between comparisons of the vector store with the stored "
                               "texts; lost passages are rebuilt; 0: only at the start"),
};

static const char search_schema[] = "{\"type\":\"object\",\"required\":[\"query\"],\"properties\":{"
                                    "\"collection\":{\"type\":\"string\"},\"query\":{\"type\":"
                                    "\"string\"},\"limit\":{\"type\":\"integer\",\"minimum\":1,"
                                    "\"maximum\":200},\"offset\":{\"type\":\"integer\",\"minimum\":"
                                    "0,\"maximum\":1000},\"min_score\":{\"type\":\"number\"},"
                                    "\"mode\":{\"enum\":[\"hybrid\",\"words\",\"vector\"]},\"group_"
                                    "by\":{\"enum\":[\"chunk\",\"document\"]},\"fusion\":{\"enum\":"
                                    "[\"minmax\",\"rrf\"]},\"words_weight\":{\"type\":\"number\","
                                    "\"minimum\":0,\"maximum\":1},\"with_text\":{\"type\":"
                                    "\"boolean\"},\"filter\":{\"type\":\"object\"}}}";
static const char hits_schema[] = "{\"type\":\"object\",\"required\":[\"hits\"],\"properties\":{"
                                  "\"degraded\":{\"type\":\"string\"},\"hits\":{\"type\":\"array\","
                                  "\"items\":{\"type\":\"object\",\"properties\":{\"chunk\":{"
                                  "\"type\":\"integer\"},\"document\":{\"type\":\"string\"},"
                                  "\"title\":{\"type\":\"string\"},\"heading\":{\"type\":"
                                  "\"string\"},\"score\":{\"type\":\"number\"},\"start\":{\"type\":"
                                  "\"integer\"},\"end\":{\"type\":\"integer\"},\"text\":{\"type\":"
                                  "\"string\"}}}}}}";
static const char answer_schema[] = "{\"type\":\"object\",\"required\":[\"question\"],"
                                    "\"properties\":{\"collection\":{\"type\":\"string\"},"
                                    "\"question\":{\"type\":\"string\"},\"stream\":{\"type\":"
                                    "\"boolean\"},\"passages\":{\"type\":\"integer\",\"minimum\":1,"
                                    "\"maximum\":50},\"filter\":{\"type\":\"object\"}}}";
static const char chat_schema[] = "{\"type\":\"object\",\"required\":[\"messages\"],\"properties\":"
                                  "{\"collection\":{\"type\":\"string\"},\"messages\":{\"type\":"
                                  "\"array\",\"items\":{\"type\":\"object\",\"required\":[\"role\","
                                  "\"content\"],\"properties\":{\"role\":{\"enum\":[\"system\","
                                  "\"user\",\"assistant\"]},\"content\":{\"type\":\"string\"}}}},"
                                  "\"stream\":{\"type\":\"boolean\"}}}";
static const char documents_schema[] = "{\"type\":\"object\",\"properties\":{\"collection\":{"
                                       "\"type\":\"string\"},\"id\":{\"type\":\"string\"},"
                                       "\"title\":{\"type\":\"string\"},\"text\":{\"type\":"
                                       "\"string\"},\"source\":{\"type\":\"string\"},\"format\":{"
                                       "\"enum\":[\"text\",\"markdown\"]},\"metadata\":{\"type\":"
                                       "\"object\"},\"documents\":{\"type\":\"array\",\"items\":{"
                                       "\"type\":\"object\"}}}}";
static const char collection_schema[] = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":"
                                        "\"string\"},\"language\":{\"type\":\"string\"}}}";
static const char any_object[] = "{\"type\":\"object\"}";

#define READ  "retrieval:read"
#define WRITE "retrieval:write"

enum { STREAM_BODY_BYTES_MAX = 1 << 30 };

static const bp_route routes[] = {
    { .method = "GET",
      .path = "/api/v1/collections",
      .handler = collections_get,
      .scope = READ,
      .summary = "The tenant's collections",
      .response_schema = any_object },
    { .method = "POST",
      .path = "/api/v1/collections",
      .handler = collections_post,
      .scope = WRITE,
      .summary = "Creates a collection",
      .request_schema = collection_schema,
      .response_schema = any_object },
    { .method = "GET",
      .path = "/api/v1/collections/{name}",
      .handler = collection_get,
      .scope = READ,
      .summary = "One collection with its counts",
      .response_schema = any_object },
    { .method = "POST",
      .path = "/api/v1/collections/{name}",
      .handler = collection_post,
      .scope = WRITE,
      .summary = "Creates a collection if it does not exist",
      .request_schema = collection_schema,
      .response_schema = any_object },
    { .method = "DELETE",
      .path = "/api/v1/collections/{name}",
      .handler = collection_delete,
      .scope = WRITE,
      .summary = "Deletes a collection with its documents",
      .deadline_ns = BP_SECONDS(300) },
    { .method = "POST",
      .path = "/api/v1/collections/{name}/reindex",
      .handler = reindex_post,
      .scope = WRITE,
      .summary = "Rebuilds a collection from its stored texts, in the background: for another "
                 "embedder, other passages, or a repair",
      .response_schema = any_object },
    { .method = "POST",
      .path = "/api/v1/collections/{name}/verify",
      .handler = verify_post,
      .scope = WRITE,
      .summary = "Compares the vector store with the stored passages by id; rebuilds missing "
                 "points and removes needless ones",
      .response_schema = any_object,
      .deadline_ns = BP_SECONDS(3600) },
    { .method = "GET",
      .path = "/api/v1/collections/{name}/documents",
      .handler = documents_get,
      .scope = READ,
      .summary = "Documents of a collection, page by page; with `id` one document, even if its id "
                 "does not fit into a path",
      .query = "after: the last id of the page before\nlimit: 1 to 200\nid: of one document",
      .response_schema = any_object },
    { .method = "DELETE",
      .path = "/api/v1/collections/{name}/documents",
      .handler = document_delete,
      .scope = WRITE,
      .summary = "Deletes the document named by `id`, even if its id does not fit into a path",
      .query = "id: of the document" },
    { .method = "POST",
      .path = "/api/v1/collections/{name}/documents",
      .handler = documents_post,
      .scope = WRITE,
      .summary = "Adds documents: one, {\"documents\": [...]}, or a stream of application/x-ndjson",
      .request_schema = documents_schema,
      .response_schema = any_object,
      .deadline_ns = BP_SECONDS(3600),
      .body_max_bytes = STREAM_BODY_BYTES_MAX },
    { .method = "GET",
      .path = "/api/v1/collections/{name}/documents/{id...}",
      .handler = document_get,
      .scope = READ,
      .summary = "One document with its passages",
      .response_schema = any_object },
    { .method = "DELETE",
      .path = "/api/v1/collections/{name}/documents/{id...}",
      .handler = document_delete,
      .scope = WRITE,
      .summary = "Deletes a document" },
    { .method = "POST",
      .path = "/api/v1/documents",
      .handler = documents_post,
      .scope = WRITE,
      .summary = "Adds documents to the collection named in the body or by ?collection=",
      .query = "collection: its name",
      .request_schema = documents_schema,
      .response_schema = any_object,
      .deadline_ns = BP_SECONDS(3600),
      .body_max_bytes = STREAM_BODY_BYTES_MAX },
    { .method = "POST",
      .path = "/api/v1/search",
      .handler = search_post,
      .scope = READ,
      .summary = "Hybrid search",
      .request_schema = search_schema,
      .response_schema = hits_schema },
    { .method = "GET",
      .path = "/api/search",
      .handler = search_get,
      .scope = READ,
      .summary = "Hybrid search",
      .query = "q: what to look for\ncollection: its name\nlimit: 1 to 200\nmode: hybrid, words or "
               "vector",
      .response_schema = hits_schema },
    { .method = "POST",
      .path = "/api/v1/answer",
      .handler = answer_post,
      .scope = READ,
      .summary = "Answers a question from the documents, with citations; streamed with \"stream\": "
                 "true",
      .request_schema = answer_schema,
      .response_schema = any_object,
      .deadline_ns = BP_SECONDS(600) },
    { .method = "POST",
      .path = "/api/chat",
      .handler = chat_post,
      .scope = READ,
      .summary = "The same for a conversation: the last message is the question",
      .request_schema = chat_schema,
      .response_schema = any_object,
      .deadline_ns = BP_SECONDS(600) },
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .migrations = store_migrations,
    .migration_count = STORE_MIGRATIONS,
    BP_MCP_TOOLS(retrieval_tools),
    BP_COMMANDS(retrieval_commands),
    .instructions = "search_documents finds passages in the documents of this server; answer from "
                    "them and cite the document.",
};

static bp_status check(bp_call *call, const void *instance)
{
    const struct retrieval *self = instance;

    if (!collection_is_name(self->collection))
        return bp_fail(call, BP_INVALID,
                       "collection: \"" BP_FMT
                       "\" is no name for a collection: [A-Za-z0-9_.-]{1,64}",
                       BP_ARG(self->collection));
    if (self->chunk_overlap * 2 > self->chunk_tokens)
        return bp_fail(call, BP_INVALID,
                       "chunk_overlap: it may be at most half of chunk_tokens (%lld)",
                       (long long)self->chunk_tokens);
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *arg)
{
    struct retrieval_shared *shared = arg;

    (void)call;
    for (int i = 0; i < INDEX_LOCKS && shared; i++)
        if (shared->locks[i])
            bp_mutex_destroy(shared->locks[i]);
    if (shared)
        tokens_close(shared->tokens);
    free(shared);
}

static bp_status shared_create(bp_call *call, const void *instance, void **shared)
{
    struct retrieval_shared *made = calloc(1, sizeof(*made));
    bp_status                status;

    (void)instance;
    if (!made)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the instance");
    status = tokens_open(call, &made->tokens);
    for (int i = 0; i < INDEX_LOCKS && status == BP_OK; i++)
        status = bp_mutex_create(call, &made->locks[i]);
    if (status == BP_OK)
        *shared = made;
    else
        shared_destroy(call, made);
    return status;
}

static bp_status keep_up_and_scan(bp_call *call, void *instance)
{
    BP_TRY(upkeep_round(call, instance));
    return sources_scan(call, instance);
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct retrieval *self = instance;

    self->shared = shared;
    self->started_wall_ns = bp_wall_ns();
    BP_TRY(bp_metric_define(call, BP_COUNTER, "retrieval_documents_total",
                            "Documents that came in, by outcome.", "outcome",
                            &self->documents_total));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "retrieval_searches_total", "Searches, by outcome.",
                            "outcome", &self->searches_total));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "retrieval_answers_total", "Answers, by outcome.",
                            "outcome", &self->answers_total));
    if (bp_worker_index(call) != 0)
        return BP_OK;
    return bp_every(call, "sources", self->scan_ns, keep_up_and_scan, self);
}

/* Letters that two names have in common at their beginning, after which a typing mistake usually
 * comes. */
static size_t common_letters(bp_str a, const char *b)
{
    size_t i = 0;

    while (i < a.len && b[i] && a.data[i] == b[i])
        i++;
    return i;
}

static const struct retrieval_member *find_member(const struct retrieval_member *members,
                                                  bp_str name, const char **nearest)
{
    size_t most = 2;

    *nearest = NULL;
    for (; members->name; members++) {
        size_t letters = common_letters(name, members->name);

        if (bp_str_is(name, members->name))
            return members;
        if (letters > most) {
            most = letters;
            *nearest = members->name;
        }
    }
    return NULL;
}

/* What a member must be; NULL: it is. */
static const char *wrong_type(char wanted, bp_json_type type)
{
    switch (wanted) {
    case 't':
        return type == BP_JSON_STRING ? NULL : "a text";
    case 'i':
        return type == BP_JSON_INTEGER ? NULL : "an integer";
    case 'n':
        return type == BP_JSON_INTEGER || type == BP_JSON_NUMBER ? NULL : "a number";
    case 'b':
        return type == BP_JSON_BOOL ? NULL : "true or false";
    default:
        return NULL;
    }
}

bp_status retrieval_check_body(bp_call *call, const bp_json *object,
                               const struct retrieval_member *members)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    while (bp_json_entry(object, &cursor, &key, &value)) {
        const char                    *nearest, *wanted;
        const struct retrieval_member *member = find_member(members, key, &nearest);

        if (!member)
            return bp_fail(call, BP_INVALID, "there is no member \"" BP_FMT "\" here%s%s%s",
                           BP_ARG(key), nearest ? ": did you mean \"" : "", nearest ? nearest : "",
                           nearest ? "\"?" : "");
        wanted = wrong_type(member->type, bp_json_type_of(value));
        if (wanted)
            return bp_fail(call, BP_INVALID, "\"%s\" must be %s", member->name, wanted);
    }
    return BP_OK;
}

bp_status retrieval_read_limit(bp_call *call, const bp_request *request, int64_t *limit)
{
    int64_t number = 0;
    bp_str  text;

    if (!bp_request_query(request, "limit", &text))
        return BP_OK;
    for (size_t i = 0; i < text.len && number >= 0 && number <= LIMIT_MAX; i++)
        number = text.data[i] >= '0' && text.data[i] <= '9' ? number * 10 + text.data[i] - '0' : -1;
    if (number < 1 || number > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "\"limit\" must be a number from 1 to %d", LIMIT_MAX);
    *limit = number;
    return BP_OK;
}

void retrieval_count(bp_metric *metric, const char *label, double value)
{
    bp_str text = bp_str_of(label ? label : "");

    bp_metric_add(metric, &text, label ? 1 : 0, value);
}

static const bp_life life = {
    .struct_size = sizeof(life),
    .check = check,
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

BP_PLUGIN(app, "retrieval", "1.0.0",
          .summary = "takes documents; gives hybrid search and answers with citations",
          .license = "Apache-2.0", .instance_size = sizeof(struct retrieval),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

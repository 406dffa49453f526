/* retrieval.h - the app's instance, and what its files offer each other.
 *
 *      collections.c   the collections of a tenant                 documents.c   documents in and out, over HTTP
 *      store.c         SQL: documents, chunks, what is unfinished  index.c       a batch of documents becomes searchable
 *      chunk.c         a text becomes passages                     sources.c     watched folders
 *      search.c        hybrid search and fusion                    answer.c      questions answered with citations
 *      away.c          the vector store or embedder cannot be reached: what is still done
 *      tools.c         what models see: MCP tools
 *
 * A document passes two stores. First its row and its chunks are committed, as "indexing"; then the chunks' vectors and
 * words are written to the vector store; then the row becomes "ready" and the client hears of it. What a crash leaves
 * as "indexing" is taken up again at the next start, so nothing acknowledged is lost and nothing half done stays. What
 * was committed while the vector store or the embedder cannot be reached becomes "queued", and is taken up when they are back.
 */
#ifndef RETRIEVAL_H
#define RETRIEVAL_H

#include <stdatomic.h>

#include <backplane/app.h>
#include <backplane/embed.h>
#include <backplane/llm.h>
#include <backplane/loop.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>
#include <backplane/vector.h>

#include "embedder/embedder.h"

enum {
    BATCH_DOCUMENTS_MAX = 200,
    DOCUMENT_BYTES_MAX = 16 << 20,
    JSON_BODY_BYTES_MAX = 32 << 20,
    ID_BYTES_MAX = 512,
    TITLE_BYTES_MAX = 1024,
    LIMIT_MAX = 200,
    INDEX_LOCKS = 16
};

enum fusion { FUSION_MINMAX = 0, FUSION_RRF = 1 };
enum when_down { WHEN_DOWN_DEGRADE = 0, WHEN_DOWN_REFUSE = 1 };

struct token_source;

struct retrieval_shared {
    bp_mutex            *locks[INDEX_LOCKS]; /* one batch at a time goes into a collection */
    struct token_source *tokens;             /* for the search that needs no vector store */
    atomic_bool          is_queueing;        /* a batch was queued and the queue was not emptied since */
};

struct retrieval {
    /* options */
    const bp_peer *storage;
    const bp_peer *vector;
    const bp_peer *embed;
    bp_peer_list   llm;
    bp_str_list    sources;
    bp_str         collection; /* of the sources, and when a request names none */
    int64_t        scan_ns;
    int64_t        chunk_tokens, chunk_overlap;
    int64_t        candidates;
    int64_t        passages;
    int32_t        fusion;
    double         words_weight; /* below 0: by the embedder */
    double         min_similarity;
    int32_t        when_down;
    int64_t        queue_bytes; /* 0: documents are refused while they cannot be indexed */

    struct retrieval_shared *shared;
    int64_t                  started_wall_ns; /* what is unfinished and older was left by a crash */
    struct embedder          embedder;
    bp_metric               *documents_total, *searches_total, *answers_total;
};

struct collection {
    int64_t id;
    bp_str  name, language, model;
    int64_t dimensions;
    bp_str  vector_name; /* "c17": what the vector store calls it */
};

/* A document as it comes in. `chunks` are made by index.c. */
struct document {
    bp_str   id, title, text, source, format, metadata; /* metadata: a flat JSON object, or empty */
    char     hash[65];
    int64_t  row;
    bool     is_unchanged;
    bool     is_queued; /* committed, but not searchable yet */
    bp_str   problem; /* why it was refused; empty: it was not */
    struct chunk *chunks;
    size_t   chunk_count;
};

struct chunk {
    size_t  start, end;           /* bytes of the text */
    size_t  start_char, end_char; /* Unicode characters of it */
    bp_str  heading;              /* path: "Operating > Backups" */
    int64_t row;
};

/* ---- chunk.c ---- */

struct chunk_limits {
    size_t tokens, overlap; /* estimates */
};

/* Splits by structure: headings, then paragraphs, then sentences, then words. Every chunk is a piece of the text as it
 * stands. BP_NO_MEMORY. */
bp_status chunk_text(bp_call *call, bp_str text, bool is_markdown, const struct chunk_limits *limits,
                     struct chunk **chunks, size_t *count);
size_t    chunk_estimate_tokens(bp_str text);

/* ---- collections.c ---- */

/* The caller's collection of that name; BP_NOT_FOUND. The name may be empty: the default one. */
bp_status collection_find(bp_call *call, struct retrieval *self, bp_str name, struct collection *collection) BP_SUSPENDS;
/* Finds it or makes it; language empty: "en". */
bp_status collection_make(bp_call *call, struct retrieval *self, bp_str name, bp_str language,
                          struct collection *collection) BP_SUSPENDS;
bool      collection_is_name(bp_str name);
/* {"collections": [...]}, those of the caller's tenant. */
bp_status collections_write(bp_call *call, struct retrieval *self, bp_json_writer *w) BP_SUSPENDS;
bp_status collections_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status collections_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status collection_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status collection_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status collection_delete(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- store.c ---- */

enum { STORE_MIGRATIONS = 1 };

/* The column `state` of a document. */
enum document_state { STATE_INDEXING = 0, STATE_READY = 1, STATE_QUEUED = 2, STATE_FAILED = 3 };

/* "indexing", "ready", ... */
bp_str store_state_name(int64_t state);
extern const bp_migration store_migrations[STORE_MIGRATIONS];

/* Marks what is there already with the same hash as unchanged. */
bp_status store_compare(bp_call *call, struct retrieval *self, const struct collection *collection,
                        struct document *documents, size_t count) BP_SUSPENDS;
/* Commits documents and chunks as "indexing"; fills the rows in. Chunks that they replace are noted as garbage. */
bp_status store_write(bp_call *call, struct retrieval *self, const struct collection *collection,
                      struct document *documents, size_t count) BP_SUSPENDS;
/* Those that were written and not written again meanwhile. */
bp_status store_mark(bp_call *call, struct retrieval *self, const struct document *documents, size_t count,
                     enum document_state state) BP_SUSPENDS;
/* Bytes of the passages of all documents that are not searchable yet. */
bp_status store_waiting_bytes(bp_call *call, struct retrieval *self, int64_t *bytes) BP_SUSPENDS;
/* Removes points of chunks that are gone from the vector store, then the notes about them. */
bp_status store_collect_garbage(bp_call *call, struct retrieval *self, const struct collection *collection) BP_SUSPENDS;
/* The row goes, its chunks become garbage; BP_NOT_FOUND. */
bp_status store_delete(bp_call *call, struct retrieval *self, const struct collection *collection,
                       bp_str document) BP_SUSPENDS;
bp_str    store_vector_name(bp_call *call, int64_t collection);

/* ---- index.c ---- */

/* Makes a batch searchable. Documents that are refused have their problem filled in; a failure of a store ends it, but that
 * while vector store or embedder are away the committed documents are marked as queued as long as the queue has room. */
bp_status index_documents(bp_call *call, struct retrieval *self, const struct collection *collection,
                          struct document *documents, size_t count) BP_SUSPENDS;
/* Takes up what a crash left and what is queued. A document that can never be indexed is marked so, with a line in the log. */
bp_status index_recover(bp_call *call, struct retrieval *self) BP_SUSPENDS;

/* ---- away.c ---- */

/* Whether a peer failed because it, or what it stands on, cannot be reached now; false when the call itself is over. */
bool      away_is(bp_call *call, bp_status status);
/* BP_OK when a batch of so many bytes may be committed although it may have to wait; BP_UNAVAILABLE: the queue has no room. */
bp_status away_check_queue(bp_call *call, struct retrieval *self, int64_t size_bytes) BP_SUSPENDS;
/* What becomes of a committed batch whose indexing ended with `status`: queued, if the queue has room (BP_OK); else an error. */
bp_status away_queue(bp_call *call, struct retrieval *self, struct document *documents, size_t count,
                     bp_status status) BP_SUSPENDS;
/* The words leg from the storage alone: BM25 over at most 300 passages that hold letters of the query's words, the newest
 * ones if there are more. For a search whose vector store is away. */
bp_status away_search_words(bp_call *call, struct retrieval *self, const struct collection *collection, bp_str query,
                            uint32_t limit, bp_leg *leg) BP_SUSPENDS;

/* ---- documents.c ---- */

/* Reads one JSON object; what is wrong with it goes into its problem. */
void      document_read(bp_call *call, const bp_json *json, struct document *document);
bp_status documents_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status documents_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status document_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status document_delete(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- search.c ---- */

enum search_mode { SEARCH_HYBRID, SEARCH_WORDS, SEARCH_VECTOR };
enum { SEARCH_IN_STORAGE = BP_SEARCH_REMOTE + 1 };

struct search_query {
    bp_str           text;
    enum search_mode mode;
    uint32_t         limit;
    bool             by_document; /* the best chunk of each document */
    bool             with_text;
    const bp_filter *filter;
    double           words_weight; /* below 0: the instance's */
    double           min_similarity; /* of what only the vectors found; below 0: none */
    int32_t          fusion;
};

struct search_hit {
    uint64_t chunk;
    double   score;
    double   words_score, vector_score; /* as the legs gave them; NAN: not found by it */
    bp_str   document, title, source, heading, text, metadata;
    int64_t  start_char, end_char, sequence;
};

struct search_result {
    struct search_hit *hits;
    size_t             count;
    uint32_t           words_mode, vector_mode; /* bp_search_mode, or SEARCH_IN_STORAGE */
    bp_str             degraded; /* a sentence when a leg is missing because of an outage; else empty */
    uint64_t           rows_read;
    double             words_weight;
};

bp_status search_run(bp_call *call, struct retrieval *self, const struct collection *collection,
                     const struct search_query *query, struct search_result *result) BP_SUSPENDS;
void      search_write_hit(bp_json_writer *w, const struct search_hit *hit, bool with_text);
/* "degraded": why, if it is. */
void      search_write_degraded(bp_json_writer *w, const struct search_result *result);
/* Counts the search by its outcome. */
void      search_count(struct retrieval *self, const struct search_result *result);
bp_status search_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status search_get(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- filter.c ---- */

/* {"lang": "en", "year": {"gte": 2020}, "tags": {"in": [...]}, "and": [...], "or": [...], "not": {...}} */
bp_status filter_read(bp_call *call, const bp_json *json, const bp_filter **filter);

/* ---- answer.c ---- */

bp_status answer_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status chat_post(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- tools.c ---- */

enum { RETRIEVAL_TOOLS = 3 };
extern const bp_mcp_tool retrieval_tools[RETRIEVAL_TOOLS];

/* ---- sources.c ---- */

bp_status sources_scan(bp_call *call, void *instance) BP_SUSPENDS;

/* ---- small things ---- */

/* ?limit=N; BP_INVALID unless it is 1 to LIMIT_MAX. Left as it is when the request has none. */
bp_status retrieval_read_limit(bp_call *call, const bp_request *request, int64_t *limit);
/* Counts in metrics; label may be NULL for none. */
void retrieval_count(bp_metric *metric, const char *label, double value);

#endif

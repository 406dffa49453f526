/* retrieval.h - the app's instance, and the functions that its files share.
 *
 *      collections.c   the collections of a tenant                 documents.c   documents in and out, over HTTP
 *      store.c         SQL: documents, chunks, unfinished work      index.c       a batch of documents becomes searchable
 *      chunk.c         a text becomes passages                     sources.c     watched folders
 *      search.c        hybrid search and fusion                    answer.c      questions answered with citations
 *      away.c          the vector store or embedder cannot be reached: the work still done
 *      take_up.c       documents that are not searchable yet, or no longer, become so
 *      upkeep.c        is all there: collections adopted, lost, verified, rebuilt, dropped
 *      builds.c        a reindex or verification that somebody asks for; its build is a run
 *      tools.c         what models see: MCP tools
 *      commands*.c     what operators type: ingest, search, reindex, verify data, eval
 *
 * A document passes two stores. First its row and its chunks are committed, as "indexing"; then the
 * chunks' vectors and words are written to the vector store; then the row becomes "ready" and the
 * client hears of it. What a crash leaves as "indexing" is taken up again at the next start, so
 * nothing acknowledged is lost and nothing half done stays. A document committed while the vector
 * store or the embedder cannot be reached becomes "queued", and is taken up when they are back.
 *
 * A document that is written again keeps its old version until the new one is searchable: the new
 * one is a row of retrieval_versions and has chunks under the document's id with a minus before it,
 * which no search joins. When its points are written, one transaction puts it in the place of the
 * old one.
 *
 * The storage is the truth, the vector store can be made from it. Each collection counts its
 * builds; a document says in which one it was indexed last, and is taken up as long as that is an
 * earlier one. So a lost store, another embedder or other passages are all one thing: the next
 * build.
 */
#ifndef RETRIEVAL_H
#define RETRIEVAL_H

#include <stdatomic.h>

#include <backplane/app.h>
#include <backplane/command.h>
#include <backplane/embed.h>
#include <backplane/llm.h>
#include <backplane/loop.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>
#include <backplane/run.h>
#include <backplane/vector.h>

#include "embedder/embedder.h"
#include "vectors/vectors.h"

enum {
    BATCH_DOCUMENTS_MAX = 200,
    BATCH_BYTES_MAX = 4 << 20, /* of JSON lines and files, after which a batch is full */
    DOCUMENT_BYTES_MAX = 16 << 20,
    JSON_BODY_BYTES_MAX = 32 << 20,
    ID_BYTES_MAX = 512,
    TITLE_BYTES_MAX = 1024,
    LIMIT_MAX = 200,
    TAKE_UP_DOCUMENTS = 20, /* at once */
    INDEX_LOCKS = 16
};

enum fusion { FUSION_MINMAX = 0, FUSION_RRF = 1 };
enum when_down { WHEN_DOWN_DEGRADE = 0, WHEN_DOWN_REFUSE = 1 };

struct token_source;

struct retrieval_shared {
    bp_mutex            *locks[INDEX_LOCKS]; /* one batch at a time goes into a collection */
    struct token_source *tokens;             /* for the search that needs no vector store */
    atomic_bool          is_queueing; /* a batch was queued and the queue was not emptied since */
    atomic_bool is_upkeep_due; /* somebody met a loss: the next round looks at all collections */
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
    int64_t verify_ns; /* between two looks at whether the vector store has what it should; 0: only
                          at the start */

    struct retrieval_shared *shared;
    int64_t         started_wall_ns; /* unfinished work that is older was left by a crash */
    int64_t         verified_ns;     /* monotonic; 0: not yet */
    char            deployment[32];  /* the deployment of our collections; empty: not read yet */
    struct embedder embedder;
    bp_metric      *documents_total, *searches_total, *answers_total;
};

enum collection_state {
    COLLECTION_READY = 0,
    COLLECTION_BUILDING = 1,  /* the vector store is being filled: documents that are behind cannot
                                 be found there */
    COLLECTION_REFRESHING = 2 /* documents that are behind are found as they were before */
};

struct collection {
    int64_t id;
    bp_str  name, language, model;
    int64_t dimensions;
    bp_str  vector_name; /* what the vector store calls it; empty: one of an older version that is
                            not adopted yet */
    int64_t build;       /* documents of an earlier one are to be taken up */
    int64_t state;       /* collection_state */
    bp_str  reason;      /* not READY: why, a sentence */
};

/* A document as it comes in. `chunks` are made by index.c. */
struct document {
    bp_str  id, title, text, source, format, metadata; /* metadata: a flat JSON object, or empty */
    char    hash[65];
    int64_t row;
    int64_t written_wall_ns; /* which of the writes of the row, or of its version, this is */
    int64_t line;            /* of a stream, from 1; 0: not of one */
    bool    is_version;      /* an old one is searchable until this one is */
    bool    is_unchanged;
    bool    is_queued; /* committed, but not searchable yet */
    bp_str  problem;   /* why it was refused; empty: it was not */
    struct chunk *chunks;
    size_t        chunk_count;
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

/* Splits by structure: headings, then paragraphs, then sentences, then words. Every chunk is a
 * piece of the text as it stands. BP_NO_MEMORY. */
bp_status chunk_text(bp_call *call, bp_str text, bool is_markdown,
                     const struct chunk_limits *limits, struct chunk **chunks, size_t *count);
size_t    chunk_estimate_tokens(bp_str text);
/* Its first bytes, so many at most, and no piece of a character behind them. */
bp_str chunk_cut(bp_str text, size_t most);

/* ---- collections.c ---- */

/* The caller's collection of that name; BP_NOT_FOUND. The name may be empty: the default one. One
 * of an older version is adopted, if the vector store can be reached. */
bp_status collection_find(bp_call *call, struct retrieval *self, bp_str name,
                          struct collection *collection) BP_SUSPENDS;
/* Finds it or makes it; language empty: "en". */
bp_status collection_make(bp_call *call, struct retrieval *self, bp_str name, bp_str language,
                          struct collection *collection) BP_SUSPENDS;
bool      collection_is_name(bp_str name);
/* The columns of a collection in the order in which collection_take_row() reads them. */
#define COLLECTION_COLUMNS                                                                         \
    "id, name, language, model, dimensions, vector_name, build, state, reason"
void collection_take_row(bp_call *call, const bp_rows *rows, size_t row,
                         struct collection *collection);
/* {"collections": [...]}, those of the caller's tenant. */
bp_status collections_write(bp_call *call, struct retrieval *self, bp_json_writer *w) BP_SUSPENDS;
bp_status collections_get(bp_call *call, void *instance, bp_request *request,
                          bp_response *response);
bp_status collections_post(bp_call *call, void *instance, bp_request *request,
                           bp_response *response);
bp_status collection_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status collection_post(bp_call *call, void *instance, bp_request *request,
                          bp_response *response);
bp_status collection_delete(bp_call *call, void *instance, bp_request *request,
                            bp_response *response);

/* ---- store.c ---- */

enum { STORE_MIGRATIONS = 2 };

/* The column `state` of a document. */
enum document_state { STATE_INDEXING = 0, STATE_READY = 1, STATE_QUEUED = 2, STATE_FAILED = 3 };

/* "indexing", "ready", ... */
bp_str                    store_state_name(int64_t state);
extern const bp_migration store_migrations[STORE_MIGRATIONS];

/* Marks documents that are there with the same hash as unchanged. */
bp_status store_compare(bp_call *call, struct retrieval *self, const struct collection *collection,
                        struct document *documents, size_t count) BP_SUSPENDS;
/* Commits documents and chunks as "indexing"; fills the rows in. BP_NOT_FOUND: the collection was
 * deleted. */
bp_status store_write(bp_call *call, struct retrieval *self, const struct collection *collection,
                      struct document *documents, size_t count) BP_SUSPENDS;
/* Those that were written and not written again meanwhile. READY: a version takes the place of the
 * old one, and the old one's chunks are noted as garbage. FAILED: with the document's problem; a
 * version is given up, and the old one stays. */
bp_status store_mark(bp_call *call, struct retrieval *self, const struct collection *collection,
                     const struct document *documents, size_t count,
                     enum document_state state) BP_SUSPENDS;
/* Bytes of the passages of all documents that are not searchable yet. */
bp_status store_waiting_bytes(bp_call *call, struct retrieval *self, int64_t *bytes) BP_SUSPENDS;
/* Removes points of chunks that are gone from the vector store, then the notes about them. */
bp_status store_collect_garbage(bp_call *call, struct retrieval *self,
                                const struct collection *collection) BP_SUSPENDS;
/* The row goes, its chunks become garbage; BP_NOT_FOUND. */
bp_status store_delete(bp_call *call, struct retrieval *self, const struct collection *collection,
                       bp_str document) BP_SUSPENDS;

/* ---- index.c ---- */

/* Makes a batch searchable. Documents that are refused have their problem filled in; a failure of a
 * store ends it, but that while vector store or embedder are away the committed documents are
 * marked as queued as long as the queue has room. */
bp_status index_documents(bp_call *call, struct retrieval *self,
                          const struct collection *collection, struct document *documents,
                          size_t count) BP_SUSPENDS;
/* The same for who holds the collection's lock and knows that the documents are to be written,
 * changed or not. */
bp_status index_locked(bp_call *call, struct retrieval *self, const struct collection *collection,
                       struct document *documents, size_t count) BP_SUSPENDS;
/* The lock of a collection: one batch at a time. */
bp_mutex *index_lock(const struct retrieval *self, int64_t collection);
/* How texts are cut into passages now, in short: documents that say otherwise are cut again by the
 * next build. */
bp_str index_chunking(bp_call *call, const struct retrieval *self);
/* Writes the points of chunks that have rows. */
struct points;
bp_status index_points_new(bp_call *call, size_t most, struct points **points);
void      index_points_add(bp_call *call, struct points *points, const struct document *document,
                           const struct chunk *chunk);
size_t    index_points_count(const struct points *points);
/* What the words leg searches of a passage: the title twice, since a word in it says more than one
 * in the text. */
bp_str    index_words(bp_call *call, bp_str title, bp_str heading, bp_str body);
bp_status index_points_write(bp_call *call, struct retrieval *self, bp_str vector_name,
                             struct points *points) BP_SUSPENDS;
/* Trying again changes nothing: the store or the embedder does not want this very text. */
bool index_is_hopeless(bp_status status);

/* ---- take_up.c ---- */

/* Takes up the work that a crash left, queued documents, and those of an earlier build. A document
 * that can never be indexed is marked so, with a line in the log. */
bp_status take_up_all(bp_call *call, struct retrieval *self) BP_SUSPENDS;
/* The same for one collection, of which `done` of so many documents are built already; tells the
 * run how far it is. */
bp_status take_up_one(bp_call *call, struct retrieval *self, const struct collection *collection,
                      bp_run *run, int64_t done, int64_t documents) BP_SUSPENDS;

/* ---- upkeep.c ---- */

/* A round: adopts, compares counts where that is due, builds, drops; tells the host what differs.
 */
bp_status upkeep_round(bp_call *call, struct retrieval *self) BP_SUSPENDS;
/* The collection is in the vector store when it returns BP_OK, and is this deployment's. One of an
 * older version gets its mark; one that turns out to be another's is left alone, and rebuilt
 * under a name of its own. */
bp_status upkeep_open(bp_call *call, struct retrieval *self,
                      struct collection *collection) BP_SUSPENDS;
enum build_kind {
    BUILD_REFRESH, /* over the points that are there */
    BUILD_REFILL,  /* the points are lost */
    BUILD_ANEW     /* in a new collection of the vector store, for the embedder that there is now */
};
/* The next build of a whole collection, for a reason that is a sentence. The row is read again into
 * *collection; where another process began a build just now, that is the one. */
bp_status upkeep_rebuild(bp_call *call, struct retrieval *self, struct collection *collection,
                         enum build_kind kind, bp_str reason) BP_SUSPENDS;
/* The vector store says that it has no such collection: the next build begins. BP_OK when it did.
 */
bp_status upkeep_lost(bp_call *call, struct retrieval *self,
                      const struct collection *collection) BP_SUSPENDS;
/* "c" and 24 random characters. */
bp_str upkeep_new_name(bp_call *call);
/* Ready documents of earlier builds, and all documents. */
bp_status upkeep_progress(bp_call *call, struct retrieval *self,
                          const struct collection *collection, int64_t *behind,
                          int64_t *all) BP_SUSPENDS;
/* The rests of deleted collections, and of those that were rebuilt elsewhere: documents
 * first, then points. What cannot be reached now stays noted. */
bp_status upkeep_sweep(bp_call *call, struct retrieval *self) BP_SUSPENDS;

struct verified {
    int64_t passages, points;  /* as they should be, as they are */
    int64_t missing, needless; /* points */
    int64_t documents;         /* that are taken up again for missing points */
};
/* Compares all points with all passages, by id: missing points are taken up, needless ones are
 * removed. */
bp_status upkeep_verify(bp_call *call, struct retrieval *self, const struct collection *collection,
                        struct verified *verified) BP_SUSPENDS;
/* Reads the row again: another process may have changed it. BP_NOT_FOUND: it was deleted. */
bp_status upkeep_read_again(bp_call *call, struct retrieval *self,
                            struct collection *collection) BP_SUSPENDS;
/* Passages of ready documents of this build: so many points must be there at least. */
bp_status upkeep_count_passages(bp_call *call, struct retrieval *self,
                                const struct collection *collection, int64_t *count) BP_SUSPENDS;
/* False as long as the embedder has not said what it is. */
bool upkeep_is_of_another_embedder(const struct retrieval  *self,
                                   const struct collection *collection);

/* ---- builds.c ---- */

/* What a reindex or a verification that was asked for came to. */
struct demanded {
    struct collection collection;
    int64_t           documents, behind;
    bp_str            run; /* the build's; empty: nothing is left to be done, or none could begin */
    bool              is_verified;
    struct verified   verified;
};
bp_status build_reindex(bp_call *call, struct retrieval *self, bp_str name,
                        struct demanded *demanded) BP_SUSPENDS;
/* Missing points are taken up, needless ones are removed. */
bp_status build_verify_named(bp_call *call, struct retrieval *self, bp_str name,
                             struct demanded *demanded) BP_SUSPENDS;
/* As the routes answer it. */
bp_status build_demanded_json(bp_call *call, const struct demanded *demanded, bp_str *json);
bp_status reindex_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status verify_post(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- away.c ---- */

/* Whether a peer failed because it, or what it stands on, cannot be reached now; false when the
 * call itself is over. */
bool away_is(bp_call *call, bp_status status);
/* BP_OK when a batch of so many bytes may be committed although it may have to wait;
 * BP_UNAVAILABLE: the queue has no room. */
bp_status away_check_queue(bp_call *call, struct retrieval *self, int64_t size_bytes) BP_SUSPENDS;
/* The fate of a committed batch after its indexing ended with `status`: queued, if the queue has
 * room (BP_OK); else an error. */
bp_status away_queue(bp_call *call, struct retrieval *self, const struct collection *collection,
                     struct document *documents, size_t count, bp_status status) BP_SUSPENDS;
/* The words leg from the storage alone: BM25 over at most 300 passages that hold letters of the
 * query's words, the newest ones if there are more. For a search while the vector store is away, or
 * is being filled. The filter may be NULL. */
bp_status away_search_words(bp_call *call, struct retrieval *self,
                            const struct collection *collection, bp_str query,
                            const bp_filter *filter, uint32_t limit, bp_leg *leg) BP_SUSPENDS;

/* ---- documents.c ---- */

/* Reads one JSON object; its fault goes into its problem. */
void document_read(bp_call *call, const bp_json *json, struct document *document);
/* The same of one that was put together otherwise: id, title, text, source and format are there. */
void document_check(bp_call *call, struct document *document, const bp_json *metadata);

/* Documents on their way in, batch by batch. */
struct intake {
    struct retrieval *self;
    struct collection collection;
    struct document  *documents; /* the batch, in scratch memory */
    size_t            count, size_bytes;
    int64_t           stored, queued, unchanged, refused;
    bp_json_writer   *errors;
    bp_lines          lines;
    /* Hears of each that is refused, instead of `errors`. */
    bp_status (*on_refused)(bp_call *call, struct intake *intake, bp_str id,
                            bp_str message) BP_SUSPENDS;
};
/* Begins the first batch: scratch memory, which is the caller's to end behind the last one. */
bp_status intake_begin(bp_call *call, struct intake *intake) BP_SUSPENDS;
/* A JSON line becomes a document of the batch; a full batch goes in, and the next one begins. */
bp_status intake_take_line(bp_call *call, struct intake *intake, bp_str line) BP_SUSPENDS;
/* The same for one that was written to documents[count], of so many bytes. */
bp_status intake_added(bp_call *call, struct intake *intake, size_t size_bytes) BP_SUSPENDS;
bp_status intake_flush(bp_call *call, struct intake *intake) BP_SUSPENDS;

bp_status documents_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status documents_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status document_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status document_delete(bp_call *call, void *instance, bp_request *request,
                          bp_response *response);

/* ---- search.c ---- */

enum search_mode { SEARCH_HYBRID, SEARCH_WORDS, SEARCH_VECTOR };
enum { SEARCH_IN_STORAGE = BP_SEARCH_REMOTE + 1 };

struct search_query {
    bp_str           text;
    enum search_mode mode;
    uint32_t         limit, offset;
    double           min_score;   /* of the fused score */
    bool             by_document; /* the best chunk of each document */
    bool             with_text;
    const bp_filter *filter;
    double           words_weight;   /* below 0: the instance's */
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
    bp_str   degraded; /* a sentence when a leg is missing because of an outage; else empty */
    uint64_t rows_read;
    double   words_weight;
};

/* The defaults of a search: hybrid, with texts, as the options say. */
struct search_query search_query_of(const struct retrieval *self, bp_str text, uint32_t limit);
bp_status search_run(bp_call *call, struct retrieval *self, const struct collection *collection,
                     const struct search_query *query, struct search_result *result) BP_SUSPENDS;
void      search_write_hit(bp_json_writer *w, const struct search_hit *hit, bool with_text);
/* "degraded": why, if it is. */
void search_write_degraded(bp_json_writer *w, const struct search_result *result);
/* Counts the search by its outcome. */
void search_count(struct retrieval *self, const struct search_result *result);
/* In the caller's collection of that name; BP_INVALID for a query or limit that is none. */
bp_status search_named(bp_call *call, struct retrieval *self, bp_str name,
                       const struct search_query *query, struct collection *collection,
                       struct search_result *result) BP_SUSPENDS;
/* The whole answer of a search. */
void search_write(bp_json_writer *w, const struct collection *collection,
                  const struct search_query *query, const struct search_result *result,
                  int64_t started_ns);
/* "hybrid", "words", "vector" or empty, which leaves it; false: none of them. */
bool      search_read_mode(bp_str text, enum search_mode *mode);
bp_status search_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status search_get(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- filter.c ---- */

/* {"lang": "en", "year": {"gte": 2020}, "tags": {"in": [...]}, "and": [...], "or": [...], "not":
 * {...}} */
bp_status filter_read(bp_call *call, const bp_json *json, const bp_filter **filter);

/* ---- answer.c ---- */

bp_status answer_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status chat_post(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- tools.c ---- */

enum { RETRIEVAL_TOOLS = 3 };
extern const bp_mcp_tool retrieval_tools[RETRIEVAL_TOOLS];

/* ---- commands*.c ---- */

enum { RETRIEVAL_COMMANDS = 5 };
extern const bp_command retrieval_commands[RETRIEVAL_COMMANDS];

/* ---- sources.c ---- */

bp_status sources_scan(bp_call *call, void *instance) BP_SUSPENDS;

/* ---- small things ---- */

/* A member of a request's body. `type`: t text, i integer, n number, b boolean, * whatever its
 * reader takes. */
struct retrieval_member {
    const char *name; /* NULL ends a list */
    char        type;
};
/* BP_INVALID when the object has a member that is none of these (with the nearest one), or one of
 * another type. */
bp_status retrieval_check_body(bp_call *call, const bp_json *object,
                               const struct retrieval_member *members);

/* ?limit=N; BP_INVALID unless it is 1 to LIMIT_MAX. Left as it is when the request has none. */
bp_status retrieval_read_limit(bp_call *call, const bp_request *request, int64_t *limit);
/* Counts in metrics; label may be NULL for none. */
void retrieval_count(bp_metric *metric, const char *label, double value);

#endif

/* knowledge.h - the app `knowledge`: a knowledge graph for a model's memory, and a store of items
 * for other programs.
 */
#ifndef KNOWLEDGE_H
#define KNOWLEDGE_H

#include <backplane/backplane.h>
#include <stdatomic.h>

#include "graph.h"

enum {
    NAME_BYTES_MAX = 1024,    /* of an entity, a type */
    TEXT_BYTES_MAX = 1 << 20, /* of an observation */
    LIST_MAX = 10000,         /* members of a list in one call */
    RESULT_BYTES_MAX = 32 << 20,
    ANSWER_BYTES_MAX = 4 << 20, /* in one piece; beyond it a graph is read page by page */
    WRITE_TRIES = 5
};

#define GRAPH_URI "memory://knowledge-graph"

struct cache;

struct knowledge {
    const bp_peer *storage;
    int64_t        memory_bytes, refresh_ns;
    bp_str         key; /* 64 hexadecimal digits, or empty */
    int64_t        item_bytes;

    struct cache *cache;
    bp_metric    *searches_total, *writes_total, *graph_bytes;
};

/* ---- knowledge.c ---- */

/* The tenant of the call. */
bp_str knowledge_tenant(bp_call *call);

/* ---- cache.c: graphs in memory, one for each tenant that is in use ---- */

struct tenant;

bp_status cache_create(bp_call *call, struct cache **cache);
void      cache_destroy(struct cache *cache);

/* The tenant's graph as it is now, locked for reading: do not suspend before cache_unlock().
 * BP_TOO_LARGE: there is not enough memory for it; the storage has it. */
bp_status cache_read(bp_call *call, struct knowledge *self, struct tenant **tenant,
                     const struct graph **graph) BP_SUSPENDS;
void      cache_unlock(struct tenant *tenant);

/* One writer a tenant in this process, so that changes reach memory in the order in which they were
 * stored. */
bp_status cache_begin_write(bp_call *call, struct knowledge *self,
                            struct tenant **tenant) BP_SUSPENDS;
/* After a write was stored: apply(graph, arg) does the same in memory; NULL, or false from it: it
 * is read again when it is needed. Then ends the write. `status`: how storing it ended. */
void cache_end_write(bp_call *call, struct knowledge *self, struct tenant *tenant, bp_status status,
                     bool (*apply)(struct graph *graph, void *arg), void *arg);

/* ---- store.c: SQL ---- */

enum { STORE_MIGRATIONS = 2 };
extern const bp_migration store_migrations[STORE_MIGRATIONS];

/* A list of statements that are stored all or none; grows as needed. */
struct write_list {
    bp_statement *statements;
    int64_t      *changed; /* rows, one number a statement; after write_run() */
    size_t        count, room;
};
bp_status write_add(bp_call *call, struct write_list *list, bp_str sql,
                    const bp_sql_value *parameters, size_t count);
/* Adds what tells other processes that the tenant's graph has changed, and runs the list. */
bp_status write_run(bp_call *call, struct knowledge *self, struct write_list *list) BP_SUSPENDS;
/* An entity is inserted unless it is there; `tag` is random, and 0 in write_observation() stands
 * for any. */
bp_status write_entity(bp_call *call, struct write_list *list, bp_str name, bp_str type,
                       int64_t tag);
bp_status write_observation(bp_call *call, struct write_list *list, bp_str entity, bp_str text,
                            int64_t tag);
bp_status write_relation(bp_call *call, struct write_list *list, bp_str from, bp_str to,
                         bp_str type);
/* SHA-256 in hexadecimal of parts, each with its length, so that ("ab", "c") and ("a", "bc")
 * differ. */
bp_str    store_hash(bp_call *call, const bp_str *parts, size_t count);
bp_status store_version(bp_call *call, struct knowledge *self, int64_t *version) BP_SUSPENDS;
/* Reads the tenant's graph; BP_TOO_LARGE beyond most_bytes. */
bp_status store_load(bp_call *call, struct knowledge *self, size_t most_bytes,
                     struct graph *graph) BP_SUSPENDS;

/* ---- knowledge.c: what a client asks for ---- */

/* Each tool has a table of those that it takes. */
struct asked {
    bp_str         query, cursor; /* empty: not given */
    const bp_json *names, *items; /* items: whatever the tool makes or deletes */
};

extern const bp_params cursor_params, query_params, names_params, entities_params, relations_params,
    additions_params, entity_names_params, deletions_params;

/* ---- read_tools.c, read_stored.c, write_tools.c ---- */

/* What to look for. */
struct wanted {
    bool          is_all;
    bp_str        folded;
    const bp_str *names; /* NULL: search */
    size_t        name_count;
};

void write_found(bp_json_writer *w, const struct graph_found *found);
/* The answer from the storage, a part of it from `cursor` on if it is large: then with
 * "nextCursor". */
bp_status stored_find(bp_call *call, struct knowledge *self, const struct wanted *wanted,
                      bp_str cursor, bp_str *json) BP_SUSPENDS;
bp_status tool_read_graph(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_search_nodes(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_open_nodes(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status resource_graph(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);

bp_status tool_create_entities(bp_call *call, void *instance, const bp_json *arguments,
                               bp_mcp *mcp);
bp_status tool_create_relations(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp);
bp_status tool_add_observations(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp);
bp_status tool_delete_entities(bp_call *call, void *instance, const bp_json *arguments,
                               bp_mcp *mcp);
bp_status tool_delete_observations(bp_call *call, void *instance, const bp_json *arguments,
                                   bp_mcp *mcp);
bp_status tool_delete_relations(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp);
/* BP_INVALID with a sentence unless `text` can be a name (or type), or an observation. */
bp_status check_name(bp_call *call, const char *what, bp_str text);
bp_status check_text(bp_call *call, const char *what, bp_str text);

/* ---- lines.c: JSON lines out and in ---- */

bp_status export_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status import_post(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- items.c: memories of other programs, with a time to live ---- */

bp_status item_store(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status item_retrieve(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status item_search(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status item_list(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status item_delete(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status items_expire(bp_call *call, void *instance);

/* ---- seal.c: AES-256-GCM ---- */

/* `key` is 64 hexadecimal digits. */
bool seal_is_key(bp_str key);
/* nonce, ciphertext and tag in one; `context` is authenticated with it and must be the same when it
 * is opened. */
bp_status seal_bytes(bp_call *call, bp_str key, bp_str context, bp_str plain, bp_str *sealed);
/* BP_DATA when it was made with another key, or changed. */
bp_status seal_open(bp_call *call, bp_str key, bp_str context, bp_str sealed, bp_str *plain);

#endif

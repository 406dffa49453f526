/* protocol.h - the words of the Model Context Protocol: revisions, error codes, levels, what a
 * client can do.
 *
 * Two eras share one endpoint. Up to 2025-11-25 ("legacy") a client initialises a session first.
 * From 2026-07-28 on
 * ("modern") there are no sessions: each request says its revision and the client's capabilities in
 * its _meta. Source: modelcontextprotocol.io/specification.
 */
#ifndef CORE_MCP_PROTOCOL_H
#define CORE_MCP_PROTOCOL_H

#include <backplane/base.h>

#include "base/json.h"

enum mcp_revision {
    MCP_2024_11_05,
    MCP_2025_03_26, /* the only one with batches */
    MCP_2025_06_18,
    MCP_2025_11_25,
    MCP_2026_07_28,
    MCP_REVISIONS,
    MCP_LATEST_LEGACY = MCP_2025_11_25,
    MCP_FIRST_MODERN = MCP_2026_07_28
};

static inline bool mcp_is_modern(enum mcp_revision revision)
{
    return revision >= MCP_FIRST_MODERN;
}

const char *mcp_revision_name(enum mcp_revision revision);
/* False: it is none that this server speaks. */
bool mcp_revision_find(bp_str name, enum mcp_revision *revision);

/* JSON-RPC 2.0, and those of MCP: the last three of 2026-07-28, RESOURCE_NOT_FOUND up to
 * 2025-11-25. */
enum mcp_error_code {
    MCP_NO_ERROR = 0,
    MCP_PARSE_ERROR = -32700,
    MCP_INVALID_REQUEST = -32600,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS_ERROR = -32602,
    MCP_SERVER_ERROR = -32603,
    MCP_RESOURCE_NOT_FOUND = -32002,
    MCP_HEADER_MISMATCH = -32020,
    MCP_MISSING_CAPABILITY = -32021,
    MCP_UNSUPPORTED_VERSION = -32022
};

#define MCP_META_VERSION      "io.modelcontextprotocol/protocolVersion"
#define MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define MCP_META_CLIENT       "io.modelcontextprotocol/clientInfo"
#define MCP_META_LOG_LEVEL    "io.modelcontextprotocol/logLevel"
#define MCP_META_SERVER       "io.modelcontextprotocol/serverInfo"
#define MCP_META_SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"
#define MCP_META_RELATED_TASK "io.modelcontextprotocol/related-task"
#define MCP_EXTENSION_TASKS   "io.modelcontextprotocol/tasks"

/* What a client declared that it can do. */
enum mcp_ability {
    MCP_CAN_SAMPLE = 1u << 0,
    MCP_CAN_SAMPLE_TOOLS = 1u << 1,
    MCP_CAN_SAMPLE_CONTEXT = 1u << 2,
    MCP_CAN_ELICIT = 1u << 3, /* by a form */
    MCP_CAN_ELICIT_URL = 1u << 4,
    MCP_CAN_LIST_ROOTS = 1u << 5,
    MCP_CAN_TASKS = 1u << 6
};

/* Of a ClientCapabilities object. */
uint32_t mcp_abilities_read(const bp_json *capabilities);
/* "sampling", "sampling.tools", "elicitation", ...: 0 when there is none of that name. */
uint32_t mcp_ability_find(bp_str name);
/* Of a list separated by blanks. */
uint32_t mcp_abilities_of_words(const char *words);
/* The ability that a client needs to be asked `method`; 0: it cannot be asked that. */
uint32_t mcp_ability_for(bp_str method, const bp_json *params);
/* {"sampling": {}, ...}: as ClientCapabilities of those abilities. */
void mcp_abilities_write(bp_json_writer *w, uint32_t abilities);

enum { MCP_LEVELS = 8, MCP_LEVEL_OFF = 8 };
extern const char *const mcp_level_names[MCP_LEVELS];
/* MCP_LEVEL_OFF when there is none of that name. */
uint32_t mcp_level_find(bp_str name);

#endif

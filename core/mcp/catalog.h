/* catalog.h - the tools, resources and prompts that an endpoint offers: read from the tables of its
 * apps, once.
 *
 * An endpoint is a listener with its apps, or one app alone (/mcp/NAME). Each has a catalog of its
 * own, made when it is first asked for. An app with `prefix` in its conf lists its tools and
 * prompts as PREFIX_NAME. Any other keeps their names, unless an app that stands before it in the
 * conf lists one of the same name there: then all of its tools and prompts begin with the
 * instance's name and _. There is no dot in them, which several clients refuse.
 */
#ifndef CORE_MCP_CATALOG_H
#define CORE_MCP_CATALOG_H

#include "api/api.h"
#include "base/reason.h"
#include "schema/tool_schemas.h"
#include "mcp/protocol.h"
#include "mcp/shape.h"
#include "mcp/uri_template.h"

enum { CATALOG_PAGE = 200, CATALOG_HEADERS_MAX = 8 };

/* Places in the gate's statistics, behind those of the routes. */
enum {
    TOOLS_OF_APP_MAX = 128,
    OTHERS_OF_APP_MAX = 64,
    TOOL_OPS = 128,
    RESOURCE_OPS = TOOL_OPS + TOOLS_OF_APP_MAX,
    PROMPT_OPS = RESOURCE_OPS + OTHERS_OF_APP_MAX,
    COMPLETION_OP = PROMPT_OPS + OTHERS_OF_APP_MAX
};

/* A property of the arguments that a client repeats in a header Mcp-Param-NAME (MCP 2026-07-28,
 * SEP-2243). */
struct header_property {
    const char *header;  /* in lower case: "mcp-param-region" */
    bp_str      path[4]; /* the names of the properties that lead to it */
    size_t      depth;
};

struct catalog_tool {
    bp_mcp_tool            spec;
    struct unit           *unit;
    struct gate_op         op;
    bp_str                 name;           /* as listed */
    struct json_schema    *input, *output; /* NULL: anything; none */
    const bp_json         *input_json; /* the same, as it was read; NULL: it takes no arguments */
    struct shape          *shape;      /* the output's, when it is simple enough; NULL: it is not */
    uint32_t               needs;      /* enum mcp_ability */
    struct header_property headers[CATALOG_HEADERS_MAX];
    size_t                 header_count;
    bp_str                 listing[2]; /* JSON as in tools/list: legacy, modern */
};

struct catalog_resource {
    bp_mcp_resource spec;
    struct unit    *unit;
    struct gate_op  op;
    bool            is_template;
    bp_str          listing;
};

struct catalog_prompt {
    bp_mcp_prompt  spec;
    struct unit   *unit;
    struct gate_op op;
    bp_str         name;
    bp_str         listing;
};

struct name_table;

struct catalog {
    struct catalog          *next;
    struct arena             arena;
    bp_str                   key; /* the names of its apps, or empty: all */
    struct unit            **units;
    size_t                   unit_count;
    bp_str                  *prefixes; /* of each unit's tools and prompts; empty: none */
    struct catalog_tool     *tools;
    size_t                   tool_count;
    struct catalog_resource *resources; /* in the order of the tables, templates among them */
    size_t                   resource_count;
    struct catalog_prompt   *prompts;
    size_t                   prompt_count;
    struct name_table       *tool_names, *prompt_names;
    bp_str                   instructions; /* of all apps, put together; may be empty */
    bool                     has_completion;
};

/* Made from the apps of the generation that are up and are named in `apps` (none:
 * all). NULL with a sentence in `why` when a table is malformed. */
struct catalog *catalog_make(const struct generation *generation, const bp_str_list *apps,
                             struct reason *why);
void            catalog_free(struct catalog *catalog);

struct catalog_tool   *catalog_find_tool(const struct catalog *catalog, bp_str name);
struct catalog_prompt *catalog_find_prompt(const struct catalog *catalog, bp_str name);

/* The fixed one of that uri, else the first template that fits. */
struct catalog_resource *catalog_find_resource(const struct catalog *catalog, bp_str uri,
                                               struct uri_value values[URI_VALUES_MAX],
                                               size_t          *value_count);
/* The template itself, as completion names it. */
struct catalog_resource *catalog_find_template(const struct catalog *catalog, bp_str template);

#endif

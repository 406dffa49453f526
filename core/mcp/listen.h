/* listen.h - subscribers to changes: subscriptions/listen of 2026-07-28, and the GET streams before
 * it. */
#ifndef CORE_MCP_LISTEN_H
#define CORE_MCP_LISTEN_H

#include "mcp/request.h"

struct listeners;

struct listeners *listeners_new(void);
void              listeners_free(struct listeners *listeners); /* nobody may listen any more */
/* Any thread. */
void listeners_tell(struct listeners *listeners, enum bp_mcp_change change, bp_str uri);
/* All end in good order. Any thread. */
void     listeners_drain(struct listeners *listeners);
uint32_t listeners_count(const struct listeners *listeners);

#endif

/* lists.h - one page of a list: where it begins, and the cursor of the next. */
#ifndef CORE_MCP_LISTS_H
#define CORE_MCP_LISTS_H

#include "mcp/request.h"

struct page {
    size_t from, to, count;
};

/* Reads params.cursor and opens the result and its array `key`. */
bp_status page_begin(bp_mcp *request, const char *key, size_t count, struct page *page);
void      page_end(bp_mcp *request, const struct page *page);

/* Runs the handler of a resource, prompt or completion through the gate: `thunk` as for gate_run().
 */
bp_status handler_run(bp_mcp *request, struct unit *unit, const struct gate_op *op,
                      gate_thunk thunk, void *args) BP_SUSPENDS;

#endif

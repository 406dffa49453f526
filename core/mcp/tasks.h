/* tasks.h - work with a result that the client fetches later: the extension
 * io.modelcontextprotocol/tasks (SEP-2663) of 2026-07-28, and the experimental tasks of 2025-11-25.
 *
 * A task belongs to the principal that began it and is kept in memory for an hour after its end: it
 * does not survive the process. Its handler runs as a call of its own, so nobody needs to stay
 * connected.
 */
#ifndef CORE_MCP_TASKS_H
#define CORE_MCP_TASKS_H

#include "mcp/request.h"
#include "ops/runs.h"

/* The runs that are tasks, with their limits; NULL: no memory. */
struct runs *tasks_new(size_t bytes_max);

enum task_use { TASK_NEVER, TASK_NOW, TASK_LATER, TASK_IS_MISSING };

/* Whether this call of the tool becomes a task; MISSING: it must, and the client cannot. */
enum task_use task_use_of(const bp_mcp *request, const struct catalog_tool *tool);
/* Begins the task and writes the answer that names it. */
bp_status task_start(bp_mcp *request, const struct catalog_tool *tool, const bp_json *arguments);

/* For the request that runs as a task. */
void      task_set_message(struct task *task, bp_str message);
bp_status task_ask(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t ask_size,
                   size_t count) BP_SUSPENDS;

bp_status tasks_get(bp_mcp *request);
bp_status tasks_update(bp_mcp *request);
bp_status tasks_cancel(bp_mcp *request);
bp_status tasks_result(bp_mcp *request) BP_SUSPENDS;
bp_status tasks_list(bp_mcp *request);

#endif

/* commands.h - commands of apps over HTTP: the requests that `backplane NAME` sends to a server.
 *
 *      GET  /commands                    the table of all commands
 *      POST /commands/INSTANCE/NAME      runs one; a blank in NAME is a slash there
 *
 *      {"words": ["docs/"], "options": {"collection": "docs", "json": true}}
 *      {"name": "docs/a.md", "size": 6}  as many bytes follow
 *      hello
 *      {"name": "pipe.txt"}              without "size": pieces, a line with the length before each
 *      3
 *      abc0
 *
 * The body is one JSON line, then the files: those of options first ("option" names it), then those
 * of the words, each a JSON line and its bytes. {"failed": SENTENCE} stands where the client could
 * not read one; {"left_out": N} may stand last. The body is read while the command asks for files,
 * and no faster. The answer is application/x-ndjson: {"print": TEXT}, {"warn": TEXT}, {"progress":
 * {...}} and at the end, always, {"end": {"status": N, ...}}: an answer without it was cut.
 */
#ifndef CORE_API_COMMANDS_H
#define CORE_API_COMMANDS_H

#include "api/api.h"
#include "api/command_table.h"
#include "api/web.h"
#include "base/reason.h"

/* Places in the gate's statistics, behind those of MCP. */
enum { COMMAND_OPS = 400 };

/* Adds the routes of an app's commands. The `context` of each is its app_command. False with a
 * sentence in `why`. */
bool commands_add(struct api *api, struct unit *unit, struct reason *why);
/* The handler of GET /commands. */
bp_status commands_get(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* Whether a route is a command's. */
bool commands_is_route(const struct route *route);
/* Runs it, through the gate of its app. */
bp_status commands_run(struct api *api, bp_request *request, bp_response *response) BP_SUSPENDS;

#endif

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

/* Places in the gate's statistics, behind those of MCP. */
enum { COMMAND_OPS = 400 };

enum {
    COMMAND_LINE_BYTES_MAX = 1 << 20, /* the first one */
    COMMAND_FILE_LINE_BYTES_MAX = 16 << 10,
    COMMAND_OPTION_FILES_BYTES_MAX = 64 << 20,
    COMMAND_PRINT_BYTES = 32 << 10 /* of a text in one event */
};

/* Adds the routes of an app's commands, whose `context` is their app_command. False with a sentence
 * in `problem`. */
bool commands_add(struct api *api, struct unit *unit, char problem[512]);
/* The handler of GET /commands. */
bp_status commands_get(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* Whether a route is a command's. */
bool commands_is_route(const struct route *route);
/* Runs it, through the gate of its app. */
bp_status commands_run(struct api *api, bp_request *request, bp_response *response) BP_SUSPENDS;
/* The last event of an answer that has begun. False: it could not be sent. */
bool commands_end(bp_call *call, struct bp_command_run *run, bp_status status,
                  bp_str sentence) BP_SUSPENDS;

extern const struct host_service command_service_entry;

#endif

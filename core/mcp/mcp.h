/* mcp.h - the Model Context Protocol server: all revisions on one endpoint, over HTTP and stdio.
 *
 *      protocol.c   words and tables          request.c    one request, from message to answer
 *      message.c    JSON-RPC frames           methods.c    the table of methods
 *      catalog.c    what apps offer           result.c     what handlers add (the service of the SDK)
 *      session.c    legacy sessions           ask.c        questions to the client
 *      session_share.c  sessions of several processes
 *      intake.c     the text and tree of a message        peek.c       ids in what cannot be read
 *      kept.c       what outlives an edition               coerce.c     arguments as models write them
 *      stream.c     their event streams       rounds.c     questions without a stream: sealed state
 *      listen.c     who wants to hear of changes           tasks.c  work with a result that is fetched later
 *      http.c       POST, GET, DELETE /mcp    headers.c    what headers must repeat
 *      stdio.c      lines on standard input and output
 */
#ifndef CORE_MCP_MCP_H
#define CORE_MCP_MCP_H

#include <backplane/mcp.h>

#include "api/api.h"
#include "base/reason.h"
#include "loop/job.h"

struct listeners;
struct session_store;
struct runs;
struct task;
struct shares;

/* What outlives an edition of the conf: sessions, those who listen, tasks. One a process. */
struct mcp_kept {
    struct session_store *sessions;
    struct listeners     *listeners;
    struct runs          *tasks;
    struct shares        *messages; /* bytes that messages which are worked at take, by sender */
    struct job           *expiry;
    uint8_t               seal_key[32];
    struct metric_series *session_gauge, *listener_gauge;
};

/* NULL: no memory. */
struct mcp_kept *mcp_kept_new(const struct server_mcp *conf);
/* On the first worker: all workers tell of changes, and what nobody uses any more is forgotten now
 * and then; the end of that. */
bp_status mcp_kept_start(bp_call *call, struct mcp_kept *kept, struct worker *workers,
                         uint32_t worker_count);
void      mcp_kept_stop(bp_call *call, struct mcp_kept *kept) BP_SUSPENDS;
/* Ends all streams that wait for news, in good order; before the servers are drained. Any thread.
 */
void mcp_kept_drain(struct mcp_kept *kept);
void mcp_kept_free(struct mcp_kept *kept);

/* What one edition serves. */
struct mcp {
    struct api      *api;
    struct mcp_kept *kept;
    struct catalog  *catalogs; /* all that were made */
    struct catalog *
        *by_listener; /* one for each listener of the conf; the last one is that of all apps */
    struct session_store *sessions; /* of `kept`, as are the next three */
    struct listeners     *listeners;
    struct runs          *tasks;
    struct shares        *messages;
    bool                  is_open; /* nobody has to say who he is: answers may be cached for all */
};

/* Makes the catalogs; a call on the first worker. NULL with the sentence in the call's error slot.
 */
struct mcp *mcp_new(bp_call *call, struct api *api, struct mcp_kept *kept);
/* Adds /mcp and /mcp/{app}. */
bool mcp_add_routes(struct mcp *mcp, struct reason *why);
/* The scopes that tools, resources and prompts ask for, separated by blanks; in the arena of the
 * call. */
bp_str mcp_scopes(struct arena *arena, const struct mcp *mcp);
void   mcp_free(struct mcp *mcp);

/* Serves standard input and output until the input ends: one client, all revisions. On a worker of
 * the host. `apps`: which; none: all. */
bp_status mcp_serve_stdio(bp_call *call, struct mcp *mcp, const bp_str_list *apps, int in,
                          int out) BP_SUSPENDS;

/* The catalog of the apps in `apps`, made if need be; NULL with the sentence in the call's error
 * slot. */
struct catalog *mcp_catalog_for(bp_call *call, struct mcp *mcp, const bp_str_list *apps);

/* The share that a request counts for: the principal's; without one the address's, of IPv6 its /64.
 */
void mcp_sender(const struct mcp *mcp, bp_call *call, struct http_exchange *exchange,
                uint8_t digest[16]);

/* Tells those who want to hear of it. */
void mcp_changed(bp_call *call, enum bp_mcp_change change, bp_str uri);

extern const struct host_service mcp_service_entry;

#endif

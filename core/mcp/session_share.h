/* session_share.h - sessions that several processes have in common, by the cache that they share.
 *
 *      mcp:session:ID    who opened it and the terms agreed; for as long as a session may be unused
 *      mcp:ended:ID      there when its client has ended it
 *
 * So a client's next request may come to another process behind a load balancer, or to one that was
 * restarted. These stay with their process: requests under way, questions to the
 * client, the GET stream with its events and subscriptions, and the log level. With a cache of one
 * process, or none, a session is that process's.
 *
 * The cache is asked when a session is not known here, and about every SHARE_CHECK_S whether it was
 * ended elsewhere. While it cannot be reached, each process goes on with the sessions that it
 * knows.
 */
#ifndef CORE_MCP_SESSION_SHARE_H
#define CORE_MCP_SESSION_SHARE_H

#include "mcp/mcp.h"
#include "mcp/session.h"

enum { SHARE_CHECK_S = 5 };

/* Tells the others of a session that was opened here. */
void session_share(bp_call *call, struct mcp *mcp, struct session *session) BP_SUSPENDS;
/* session_find() among the sessions of all; what another process opened is taken over. */
struct session *session_look_up(bp_call *call, struct mcp *mcp, bp_str id,
                                const uint8_t sender[16]) BP_SUSPENDS;
/* session_end(), for all. */
void session_end_for_all(bp_call *call, struct mcp *mcp, struct session *session) BP_SUSPENDS;

#endif

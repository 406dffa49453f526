/* intake.h - one message as it came: read into memory of its own, which is counted for who sent it.
 *
 *      bytes -> text -> tree -> handlers                     a request that waits keeps neither:
 *                 |       +---- intake_free(), before any    request_let_go() copies what it still needs
 *                 +------------ gone once it is read         into the call
 *
 * Over the bound of one message, or of all messages of one client that are worked at, the message
 * is refused with its id.
 */
#ifndef CORE_MCP_INTAKE_H
#define CORE_MCP_INTAKE_H

#include "base/json_mend.h"
#include "loop/call.h"
#include "base/shares.h"

struct session;
struct session_store;

struct intake {
    struct arena   text, tree;
    struct shares *shares;
    uint8_t        sender[SHARE_DIGEST_BYTES];
    size_t         counted_bytes;
};

void intake_init(struct intake *intake, struct shares *shares,
                 const uint8_t sender[SHARE_DIGEST_BYTES]);
/* As json_read_within() with the bound of one message; BP_LIMIT when its sender has too much at
 * work already. */
bp_status intake_read(struct intake *intake, bp_str text, size_t memory_bytes,
                      const bp_json **value, struct reason *why);
/* So many bytes more, which a handler has of it. False: the sender has too much at work. */
bool intake_count(struct intake *intake, size_t bytes);
/* Only `*value` of the message is still needed, and takes its place: the rest is given back when
 * that is worth it. */
void intake_narrow(struct intake *intake, const bp_json **value);
/* Everything that was read is gone. Harmless when called again. */
void intake_free(struct intake *intake);

struct peek;

/* The answer to a text that was not read: an error for each request in it, with its id; with
 * null when there is none to be seen. Questions of ours that it would have answered are told, so
 * that nobody waits for them; `session` may be NULL. */
bp_str intake_refuse(bp_call *call, const struct peek *peek, bp_status status, const char *problem,
                     struct session_store *sessions, struct session *session);

#endif

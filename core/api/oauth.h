/* oauth.h - this server as an OAuth 2.1 resource server: takes tokens of one issuer that are made
 * out for it.
 *
 * It never issues, forwards or stores a token. Sources: MCP authorization (2025-06-18 to
 * 2026-07-28), RFC 9728 (metadata of the protected resource), RFC 8707 (audience), RFC 6750 (bearer
 * tokens).
 */
#ifndef CORE_API_OAUTH_H
#define CORE_API_OAUTH_H

#include "api/key_guard.h"
#include "conf/server_conf.h"
#include "net/http_server.h"

struct oauth;

/* NULL: no memory. The guard is shared with API keys and must live as long. */
struct oauth *oauth_new(const struct server_auth *conf, struct key_guard *guard);
void          oauth_free(struct oauth *oauth);

/* BP_OK fills `principal`, with strings in the call's arena. BP_UNAUTHENTICATED with a sentence,
 * also when the issuer's keys cannot be had: what cannot be checked is not believed. A token may be
 * made out for the server, as the conf says, or for the resource at `path` alone where
 * oauth_metadata() names one. `may_fetch`: the issuer may be asked for keys when none of those that
 * are held signed it. BP_LIMIT when call->client has sent too many wrong ones: then only tokens
 * that were good within the last hour are looked at. */
bp_status oauth_authenticate(bp_call *call, struct oauth *oauth, bp_str path, bp_str token,
                             bool may_fetch, bp_principal *principal) BP_SUSPENDS;
/* Whether that can be done without asking the issuer. */
bool oauth_has_keys(struct oauth *oauth);

/* {"resource": ..., "authorization_servers": [...], ...} for the path (RFC 9728 2), empty for the
 * document at the root. `scopes` are separated by blanks. Empty when there is no resource of its
 * own at that path. */
bp_str oauth_metadata(bp_call *call, const struct oauth *oauth, bp_str path, bp_str scopes);
/* The header of a 401 or 403. `error` and `scope` may be NULL. */
void oauth_challenge(const struct oauth *oauth, struct http_exchange *exchange, const char *error,
                     const char *scope);

#endif

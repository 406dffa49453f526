/* oauth.h - this server as an OAuth 2.1 resource server: takes tokens of one issuer that are made out for it.
 *
 * It never issues, forwards or stores a token. Sources: MCP authorization (2025-06-18 to 2026-07-28), RFC 9728 (metadata of
 * the protected resource), RFC 8707 (audience), RFC 6750 (bearer tokens).
 */
#ifndef CORE_API_OAUTH_H
#define CORE_API_OAUTH_H

#include "conf/server_conf.h"
#include "loop/call.h"
#include "net/http_server.h"

struct oauth;

struct oauth *oauth_new(const struct server_auth *conf); /* NULL: no memory */
void          oauth_free(struct oauth *oauth);

/* BP_OK fills `principal`, with strings in the call's arena. BP_UNAUTHENTICATED with a sentence; BP_UNAVAILABLE when the
 * issuer's keys cannot be had. */
bp_status oauth_authenticate(bp_call *call, struct oauth *oauth, bp_str token, bp_principal *principal) BP_SUSPENDS;

/* {"resource": ..., "authorization_servers": [...], ...} for the path (RFC 9728 2). `scopes` are separated by blanks. */
bp_str oauth_metadata(bp_call *call, const struct oauth *oauth, struct http_exchange *exchange, bp_str path, bp_str scopes);
/* The header of a 401 or 403. `error` and `scope` may be NULL. */
void oauth_challenge(const struct oauth *oauth, struct http_exchange *exchange, const char *error, const char *scope);

#endif

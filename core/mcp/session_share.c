/* session_share.c - the record of a session in the cache: written, read, taken over. */
#include "mcp/session_share.h"

#include <backplane/cache.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"

enum { DIGEST_BYTES = 16 };

static const bp_peer *cache_of(bp_call *call, const struct mcp *mcp)
{
    if (!mcp->api->cache || mcp->api->is_private || !mcp->api->conf->server.mcp.share_sessions)
        return NULL;
    return &mcp->api->cache->instances[call->worker->index].peer;
}

static bp_str key_of(bp_call *call, const char *kind, bp_str id)
{
    return arena_format(call->arena, "mcp:%s:" BP_FMT, kind, BP_ARG(id));
}

/* A cache that cannot be reached makes no request fail; its own metrics and health say so. */
static void put(bp_call *call, const bp_peer *cache, bp_str key, bp_str value, int64_t ttl_ns)
{
    // Without memory one of them is empty.
    if (key.len && value.len && bp_cache_set(call, cache, key, value, ttl_ns) != BP_OK)
        call_clear_error(call);
}

static bool get(bp_call *call, const bp_peer *cache, bp_str key, bp_str *value)
{
    if (key.len && bp_cache_get(call, cache, key, value) == BP_OK)
        return true;
    call_clear_error(call);
    return false;
}

/* ---- the record: "1 REVISION ABILITIES LEVEL PRINCIPAL CLIENT" ---- */

static bp_str record_of(bp_call *call, const struct session *session)
{
    char digest[2 * DIGEST_BYTES + 1];

    crypto_hex(session->principal, DIGEST_BYTES, digest);
    return arena_format(call->arena, "1 %s %u %u %s %s", mcp_revision_name(session->revision),
                        session->abilities, session->log_level, digest, session->client);
}

static bool read_record(bp_str text, struct session_record *record)
{
    uint64_t abilities, level;
    bp_str   rest;

    *record = (struct session_record){ .revision = MCP_LATEST_LEGACY };
    if (!bp_str_is(str_split(text, ' ', &rest), "1") ||
        !mcp_revision_find(str_split(rest, ' ', &rest), &record->revision) ||
        mcp_is_modern(record->revision) || !str_to_uint(str_split(rest, ' ', &rest), &abilities) ||
        abilities > UINT32_MAX || !str_to_uint(str_split(rest, ' ', &rest), &level) ||
        level > MCP_LEVEL_OFF)
        return false;
    record->abilities = (uint32_t)abilities;
    record->log_level = (uint32_t)level;
    if (!crypto_unhex(str_split(rest, ' ', &rest), record->principal, DIGEST_BYTES))
        return false;
    record->client = rest;
    return true;
}

/* ---- sharing ---- */

void session_share(bp_call *call, struct mcp *mcp, struct session *session)
{
    const bp_peer *cache = cache_of(call, mcp);

    if (!cache)
        return;
    put(call, cache, key_of(call, "session", bp_str_of(session->id)), record_of(call, session),
        mcp->api->conf->server.mcp.session_idle_timeout_ns);
    session->shared_ns = session->checked_ns = clock_now_ns();
}

static struct session *take_over(bp_call *call, struct mcp *mcp, const bp_peer *cache, bp_str id,
                                 const uint8_t sender[16])
{
    struct session_record record;
    struct session       *session;
    uint8_t               digest[DIGEST_BYTES];
    bp_str                text;

    if (id.len != SESSION_ID_CHARS || !get(call, cache, key_of(call, "session", id), &text) ||
        !read_record(text, &record))
        return NULL;
    principal_digest(&call->principal, digest);
    if (!crypto_equal(record.principal, digest, DIGEST_BYTES) ||
        get(call, cache, key_of(call, "ended", id), &text))
        return NULL;
    session = session_adopt(mcp->sessions, id, &record, sender);
    if (session)
        session->shared_ns = session->checked_ns = clock_now_ns();
    return session;
}

/* Another worker may do the same at the same time, which does no harm: so the two times need no
 * lock. */
static struct session *check(bp_call *call, struct mcp *mcp, const bp_peer *cache,
                             struct session *session)
{
    bp_str  id = bp_str_of(session->id), text;
    int64_t now_ns = clock_now_ns();

    if (now_ns - session->checked_ns < BP_SECONDS(SHARE_CHECK_S))
        return session;
    session->checked_ns = now_ns;
    if (get(call, cache, key_of(call, "ended", id), &text)) {
        session_end(mcp->sessions, session);
        session_release(mcp->sessions, session);
        return NULL;
    }
    if (now_ns - session->shared_ns > mcp->api->conf->server.mcp.session_idle_timeout_ns / 4)
        session_share(call, mcp, session); // it is used, so it stays
    return session;
}

struct session *session_look_up(bp_call *call, struct mcp *mcp, bp_str id, const uint8_t sender[16])
{
    struct session *session = session_find(mcp->sessions, id, &call->principal);
    const bp_peer  *cache = cache_of(call, mcp);

    if (!cache)
        return session;
    return session ? check(call, mcp, cache, session) : take_over(call, mcp, cache, id, sender);
}

void session_end_for_all(bp_call *call, struct mcp *mcp, struct session *session)
{
    const bp_peer *cache = cache_of(call, mcp);

    session_end(mcp->sessions, session);
    // Longer than the record, which a process that does not know it yet may write once more.
    if (cache)
        put(call, cache, key_of(call, "ended", bp_str_of(session->id)), BP_STR("1"),
            2 * mcp->api->conf->server.mcp.session_idle_timeout_ns);
}

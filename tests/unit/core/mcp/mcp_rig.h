/* mcp_rig.h - a worker, calls on it and principals, for the tests of sessions and streams. */
#ifndef MCP_RIG_H
#define MCP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "loop/call.h"
#include "loop/fiber.h"
#include "mcp/session.h"

static struct worker         rig_worker;
static struct session_store *rig_store;
static uint32_t              rig_sessions_per_client; /* 0: no bound */

enum { RIG_SESSIONS = 4, RIG_REPLAY_BYTES = 64 << 10 };

static size_t rig_replay_bytes = RIG_REPLAY_BYTES;

struct rig_script {
    void (*run)(bp_call *call);
    bool is_done;
};

static void rig_run_script(bp_call *call, void *arg)
{
    struct rig_script *script = arg;

    script->run(call);
    call_sleep(call, BP_MILLISECONDS(1)); // what was posted arrives
    script->is_done = true;
}

static bool rig_is_done(void *arg)
{
    return ((struct rig_script *)arg)->is_done;
}

/* Runs it as a call, to its end. */
static inline void rig_on_call(void (*run)(bp_call *call))
{
    struct rig_script   script = { .run = run };
    struct call_options options = { .deadline_ns = clock_now_ns() + BP_SECONDS(20) };

    assert_true(call_start(&rig_worker, &options, rig_run_script, &script));
    worker_run_until(&rig_worker, rig_is_done, &script);
}

static inline int rig_set_up(void **state)
{
    (void)state;
    rig_store = sessions_new(
        &(struct session_limits){ .sessions = RIG_SESSIONS,
                                  .idle_ns = BP_SECONDS(60),
                                  .replay_bytes = rig_replay_bytes,
                                  .sessions_per_client = rig_sessions_per_client });
    return rig_store ? worker_init(&rig_worker, 0, 1, NULL) : -1;
}

static inline int rig_tear_down(void **state)
{
    (void)state;
    sessions_free(rig_store);
    worker_free(&rig_worker);
    return fiber_live_count() == 0 ? 0 : -1;
}

static inline bp_principal rig_principal(const char *id, const char *tenant)
{
    return (bp_principal){ .struct_size = sizeof(bp_principal),
                           .id = bp_str_of(id),
                           .tenant = bp_str_of(tenant) };
}

/* `len` times x. */
static inline struct shared_text *rig_text(size_t len)
{
    struct shared_text *text;
    char               *bytes = malloc(len + 1);

    assert_non_null(bytes);
    memset(bytes, 'x', len);
    text = shared_text_new(bp_str_n(bytes, len));
    free(bytes);
    return text;
}

static inline struct session *rig_open(const char *id)
{
    bp_principal    principal = rig_principal(id, "default");
    struct session *session;
    uint8_t         sender[16];

    principal_digest(&principal, sender);
    session = session_open(rig_store, &principal, MCP_2025_11_25, 0, BP_STR("test/1"), sender);
    assert_non_null(session);
    return session;
}

static inline bool rig_is_there(const char *session_id, const char *id)
{
    bp_principal    principal = rig_principal(id, "default");
    struct session *session = session_find(rig_store, bp_str_of(session_id), &principal);

    session_release(rig_store, session);
    return session != NULL;
}

#endif

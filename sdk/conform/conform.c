/* conform.c - cases shared by all kinds: cancellation, short deadlines, no growth, survival of a
 * restart. */
#include "conform.h"

enum { SUSPENSIONS_MAX = 200, RECOVERY_S = 60, HURRIED_MAX_S = 10, MEETING_S = 60 };

/* A round ends after so many operations or so much time. What an operation may add to the process
 * in the best round: room for noise, such as thread caches of the allocator, and for a table that
 * grows by doubling. */
enum {
    ROUNDS_MAX = 12,
    ROUND_OPS = 2000,
    ROUND_S = 5,
    GROWTH_BYTES_PER_OP = 16,
    RESIDENT_GROWTH_BYTES = 2 << 20
};

static const struct conform_contract *const contracts[] = {
    &storage_contract, &cache_contract,  &vector_contract, &embed_contract,
    &llm_contract,     &health_contract, &alert_contract,  &app_contract,
};

const struct conform_contract *conform_contract_of(const char *kind)
{
    for (size_t i = 0; i < sizeof(contracts) / sizeof(contracts[0]); i++)
        if (strcmp(contracts[i]->kind, kind) == 0)
            return contracts[i];
    return NULL;
}

bp_status conform_skip(bp_call *call, const char *reason)
{
    return bp_fail(call, BP_UNSUPPORTED, "%s", reason);
}

bp_status conform_other(bp_call *call, const char *what, bp_status found, bp_status wanted)
{
    bp_str said = bp_dup(call, bp_error_of(call)->message);

    if (found == BP_OK)
        return bp_fail(call, BP_INTERNAL, "%s succeeded; it should be refused as \"%s\"", what,
                       bp_status_label(wanted));
    return bp_fail(call, BP_INTERNAL, "%s ended as \"%s\" instead of \"%s\": " BP_FMT, what,
                   bp_status_label(found), bp_status_label(wanted), BP_ARG(said));
}

bp_status conform_meet(bp_call *call, const _Atomic int64_t *counter, int64_t wanted)
{
    int64_t until_ns = bp_now_ns() + BP_SECONDS(MEETING_S);

    while (*counter < wanted) {
        CONFORM_THAT(call, bp_now_ns() < until_ns,
                     "another worker did not come as far as this one in %d s", MEETING_S);
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(5)));
    }
    return BP_OK;
}

/* ---- attempts: an operation as a call of its own, so that its end closes what it left open ----
 */

struct attempt {
    struct conform          *conform;
    const struct conform_op *op;
    uint32_t                 cancel_at;   /* 0: not */
    int64_t                  time_ns;     /* below 0: as long as the case */
    uint32_t                 suspensions; /* how far it came */
    int64_t                  took_ns;
};

static bp_status run_attempt(bp_call *call, void *arg)
{
    struct attempt *attempt = arg;
    int64_t         begun_ns = bp_now_ns();
    bp_status       status;

    if (attempt->time_ns >= 0)
        attempt->conform->set_deadline(call, begun_ns + attempt->time_ns);
    attempt->conform->cancel_at(call, attempt->cancel_at);
    status = attempt->op->run(call, attempt->conform);
    attempt->suspensions = attempt->conform->suspensions(call);
    attempt->conform->cancel_at(call, 0);
    attempt->took_ns = bp_now_ns() - begun_ns;
    return status;
}

static bp_status try_it(bp_call *call, struct attempt *attempt)
{
    bp_clear_error(call);
    return attempt->conform->apart(call, run_attempt, attempt);
}

static bp_status still_works(bp_call *call, struct conform *conform, const struct conform_op *op,
                             const char *after, uint32_t n)
{
    struct attempt attempt = { conform, op, 0, -1, 0, 0 };
    bp_status      status = try_it(call, &attempt);
    bp_str         said = bp_dup(call, bp_error_of(call)->message);

    CONFORM_THAT(call, status == BP_OK, "%s does not work any more after it was %s (%u): " BP_FMT,
                 op->name, after, n, BP_ARG(said));
    return BP_OK;
}

static bp_status cancel_one(bp_call *call, struct conform *conform, const struct conform_op *op)
{
    for (uint32_t n = 1; n <= SUSPENSIONS_MAX; n++) {
        struct attempt attempt = { conform, op, n, -1, 0, 0 };
        bp_status      status = try_it(call, &attempt);

        if (status != BP_OK && status != BP_CANCELLED) {
            bp_str said = bp_dup(call, bp_error_of(call)->message);

            return bp_fail(call, BP_INTERNAL,
                           "%s, cancelled at suspension %u, ended as \"%s\": " BP_FMT, op->name, n,
                           bp_status_label(status), BP_ARG(said));
        }
        CONFORM_THAT(call, attempt.took_ns < BP_SECONDS(HURRIED_MAX_S),
                     "%s, cancelled at suspension %u, took %.1f s more", op->name, n,
                     (double)attempt.took_ns / 1e9);
        BP_TRY(still_works(call, conform, op, "cancelled", n));
        if (attempt.suspensions < n)
            return BP_OK; // it ended by itself
    }
    return BP_OK;
}

bp_status conform_cancel(bp_call *call, struct conform *conform, const struct conform_op *ops,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        BP_TRY(cancel_one(call, conform, &ops[i]));
    bp_clear_error(call);
    return BP_OK;
}

bp_status conform_hurry(bp_call *call, struct conform *conform, const struct conform_op *ops,
                        size_t count)
{
    static const int64_t times_ns[] = { 0, BP_MILLISECONDS(1), BP_MILLISECONDS(20) };

    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < sizeof(times_ns) / sizeof(times_ns[0]); t++) {
            struct attempt attempt = { conform, &ops[i], 0, times_ns[t], 0, 0 };
            bp_status      status = try_it(call, &attempt);
            bp_str         said = bp_dup(call, bp_error_of(call)->message);

            CONFORM_THAT(call, status == BP_OK || status == BP_DEADLINE,
                         "%s with %lld ms left ended as \"%s\": " BP_FMT, ops[i].name,
                         (long long)(times_ns[t] / 1000000), bp_status_label(status), BP_ARG(said));
            CONFORM_THAT(call, attempt.took_ns < BP_SECONDS(HURRIED_MAX_S),
                         "%s with %lld ms left took %.1f s", ops[i].name,
                         (long long)(times_ns[t] / 1000000), (double)attempt.took_ns / 1e9);
            BP_TRY(still_works(call, conform, &ops[i], "given too little time", (uint32_t)t));
        }
    }
    bp_clear_error(call);
    return BP_OK;
}

/* ---- growth ---- */

static bp_status run_round(bp_call *call, struct conform *conform, const struct conform_op *ops,
                           size_t count, uint64_t *done)
{
    int64_t until_ns = bp_now_ns() + BP_SECONDS(ROUND_S);

    for (*done = 0; *done < ROUND_OPS && bp_now_ns() < until_ns; ++*done) {
        const struct conform_op *op = &ops[*done % count];
        struct attempt           attempt = { conform, op, 0, -1, 0, 0 };
        bp_status                status;

        BP_TRY(bp_scratch_begin(call)); // this call is not to grow either
        status = try_it(call, &attempt);
        bp_scratch_end(call);
        if (status != BP_OK)
            return bp_fail(call, BP_INTERNAL,
                           "%s, the %llu. operation of a long run, ended as \"%s\": " BP_FMT,
                           op->name, (unsigned long long)*done + 1, bp_status_label(status),
                           BP_ARG(bp_error_of(call)->message));
    }
    bp_clear_error(call);
    return BP_OK;
}

bp_status conform_do_not_grow(bp_call *call, struct conform *conform, const struct conform_op *ops,
                              size_t count)
{
    uint64_t done = 0;
    size_t   allocated = 0, resident, grown = 0, grown_resident = 0;

    if (!conform->allocated_bytes())
        return conform_skip(call, "this build cannot count allocated memory");
    BP_TRY(run_round(call, conform, ops, count,
                     &done)); // makes what stays: connections, statements, caches
    for (int round = 0; round < ROUNDS_MAX; round++) {
        allocated = conform->allocated_bytes();
        resident = conform->resident_bytes();
        BP_TRY(run_round(call, conform, ops, count, &done));
        grown = conform->allocated_bytes() > allocated ? conform->allocated_bytes() - allocated : 0;
        grown_resident = conform->resident_bytes() > resident ? conform->resident_bytes() - resident
                                                              : 0;
        if (grown <= (size_t)ROUND_OPS * GROWTH_BYTES_PER_OP &&
            grown_resident <= RESIDENT_GROWTH_BYTES)
            return BP_OK;
    }
    return bp_fail(call, BP_INTERNAL,
                   "the process still grows after %d rounds: by %zu bytes allocated and %zu "
                   "resident within %llu operations",
                   ROUNDS_MAX, grown, grown_resident, (unsigned long long)done);
}

/* ---- refusals ---- */

static bool has_words(bp_str text, const char *words)
{
    size_t len = strlen(words);

    for (size_t at = 0; at + len <= text.len; at++) {
        size_t i = 0;

        while (i < len && (text.data[at + i] | 0x20) == words[i])
            i++;
        if (i == len)
            return true;
    }
    return false;
}

bool conform_is_refusal(bp_status status, bp_str sentence)
{
    static const char *const words[] = { "password",   "credential",  "authenti", "authori",
                                         "permission", "denied",      "api key",  "forbidden",
                                         "token",      "certificate", "401",      "403",
                                         "wrongpass",  "noperm" };

    if (status == BP_DENIED || status == BP_UNAUTHENTICATED)
        return sentence.len > 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (has_words(sentence, words[i]))
            return true;
    return false;
}

/* ---- a restart ---- */

struct restarting {
    struct conform *conform;
    bool            is_done;
    bp_status       status;
};

static bp_status restart_beside(bp_call *child, void *arg)
{
    struct restarting *restarting = arg;

    restarting->status = restarting->conform->restart(child);
    restarting->is_done = true;
    return restarting->status;
}

static bp_status keep_trying(bp_call *call, struct conform *conform, const struct conform_op *op,
                             const struct restarting *restarting)
{
    int64_t give_up_ns = bp_now_ns() + BP_SECONDS(RECOVERY_S);

    for (;;) {
        struct attempt attempt = { conform, op, 0, BP_SECONDS(5), 0, 0 };
        bool           was_done = restarting->is_done;
        bp_status      status = try_it(call, &attempt);
        bp_str         said = bp_dup(call, bp_error_of(call)->message);

        if (status == BP_OK && was_done)
            return BP_OK;
        CONFORM_THAT(call, status == BP_OK || said.len > 0,
                     "%s failed as \"%s\" without a sentence", op->name, bp_status_label(status));
        CONFORM_THAT(call, status != BP_INTERNAL && status != BP_INVALID && status != BP_DATA,
                     "%s said \"%s\" while the server restarted: " BP_FMT, op->name,
                     bp_status_label(status), BP_ARG(said));
        if (was_done)
            CONFORM_THAT(call, bp_now_ns() < give_up_ns,
                         "%s still fails %d s after the restart: " BP_FMT, op->name, RECOVERY_S,
                         BP_ARG(said));
        else
            give_up_ns = bp_now_ns() + BP_SECONDS(RECOVERY_S);
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(20)));
    }
}

bp_status conform_survive(bp_call *call, struct conform *conform, const struct conform_op *op)
{
    struct restarting restarting = { conform, false, BP_OK };
    bp_child         *child;
    bp_status         status;
    bp_str            said;

    if (!conform->restart)
        return conform_skip(call, "no --restart command was given");
    BP_TRY(bp_spawn(call, "restart", restart_beside, &restarting, &child));
    status = keep_trying(call, conform, op, &restarting);
    if (status == BP_OK)
        return bp_join(call, child);
    said = bp_dup(call, bp_error_of(call)->message);
    bp_cancel_child(child);
    bp_join(call, child);
    return bp_fail(call, status, BP_FMT, BP_ARG(said));
}

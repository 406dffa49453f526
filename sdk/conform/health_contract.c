/* health_contract.c - the contract of health.h. */
#include "conform.h"

static bp_status op_check(bp_call *call, struct conform *conform)
{
    const bp_peer *peer = conform_peer(call, conform);
    bp_health      health = { .struct_size = sizeof(health) };

    BP_TRY(((const bp_health_ops *)peer->ops)->check(call, peer->instance, &health));
    CONFORM_THAT(call, health.level <= BP_HEALTH_DOWN, "the level is %u", health.level);
    CONFORM_THAT(call, health.detail.len > 0, "the check says nothing");
    return BP_OK;
}

static const struct conform_op ops[] = { { "check", op_check } };

static bp_status a_check_says_how_it_is(bp_call *call, struct conform *conform)
{
    for (int i = 0; i < 10; i++)
        CONFORM_STATUS(call, op_check(call, conform), BP_OK);
    return BP_OK;
}

static bp_status cancelled_calls_disturb_no_other(bp_call *call, struct conform *conform)
{
    return conform_cancel(call, conform, ops, 1);
}

static bp_status deadlines_are_kept(bp_call *call, struct conform *conform)
{
    return conform_hurry(call, conform, ops, 1);
}

static bp_status a_long_run_does_not_grow(bp_call *call, struct conform *conform)
{
    return conform_do_not_grow(call, conform, ops, sizeof(ops) / sizeof(ops[0]));
}

static const struct conform_case cases[] = {
    { "a check says how it is, in a sentence", a_check_says_how_it_is, CONFORM_ONE_WORKER },
    { "all workers check at once", a_check_says_how_it_is, CONFORM_EVERY_WORKER },
    { "a check cancelled at any suspension disturbs no other", cancelled_calls_disturb_no_other,
      CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
};

const struct conform_contract health_contract = { "health", cases,
                                                  sizeof(cases) / sizeof(cases[0]) };

/* alert_contract.c - the contract of alert.h. */
#include "conform.h"

static bp_status deliver(bp_call *call, struct conform *conform, bp_str summary,
                         int64_t ends_wall_ns)
{
    const bp_peer *peer = conform_peer(call, conform);
    bp_label       labels[] = { { BP_STR("instance"), BP_STR("contract") },
                                { BP_STR("severity"), BP_STR("warning") } };
    bp_alert       alerts[2];

    for (int i = 0; i < 2; i++)
        alerts[i] = (bp_alert){
            .struct_size = sizeof(bp_alert),
            .severity = (uint32_t)(i ? BP_SEVERITY_CRITICAL : BP_SEVERITY_WARNING),
            .name = BP_STR("ContractOfASink"),
            .fingerprint = bp_format(call, "%s-%d", conform->name, i),
            .summary = summary,
            .description = BP_STR("This is a test of `backplane conform`."),
            .labels = labels,
            .label_count = 2,
            .starts_wall_ns = bp_wall_ns() - BP_SECONDS(60),
            .ends_wall_ns = ends_wall_ns,
            .runbook_url = i ? BP_STR("https://runbooks.example/contract") : BP_STR("")
        };
    return ((const bp_alert_ops *)peer->ops)
        ->deliver(call, peer->instance, alerts, sizeof(bp_alert), 2);
}

static bp_status alerts_are_delivered_and_resolved(bp_call *call, struct conform *conform)
{
    CONFORM_STATUS(call, deliver(call, conform, BP_STR("A contract is being tested"), 0), BP_OK);
    CONFORM_STATUS(call, deliver(call, conform, BP_STR("A contract is being tested"), 0), BP_OK);
    CONFORM_STATUS(call, deliver(call, conform, BP_STR("A contract is being tested"), bp_wall_ns()),
                   BP_OK);
    return BP_OK;
}

static bp_status awkward_texts_are_delivered(bp_call *call, struct conform *conform)
{
    for (size_t i = 0; i < conform->string_count; i += 1 + conform->string_count / 24)
        CONFORM_STATUS(call, deliver(call, conform, conform->strings[i], 0), BP_OK);
    return BP_OK;
}

static bp_status op_deliver(bp_call *call, struct conform *conform)
{
    return deliver(call, conform, BP_STR("A contract is being tested"), 0);
}

static const struct conform_op ops[] = { { "deliver", op_deliver } };

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
    { "alerts are delivered, again, and resolved", alerts_are_delivered_and_resolved,
      CONFORM_ONE_WORKER },
    { "awkward texts are delivered", awkward_texts_are_delivered, CONFORM_ONE_WORKER },
    { "all workers deliver at once", alerts_are_delivered_and_resolved, CONFORM_EVERY_WORKER },
    { "a delivery cancelled at any suspension disturbs no other", cancelled_calls_disturb_no_other,
      CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
};

const struct conform_contract alert_contract = { "alert", cases, sizeof(cases) / sizeof(cases[0]) };

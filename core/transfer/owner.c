/* owner.c - the deployment that owns the moved collections, and the target's id.
 *
 * Collections in a vector store carry the id of their deployment, which its storage holds. A
 * deployment that moves stays the same one: its id moves with its tables, and only its own
 * collections do.
 */
#include "transfer/parts.h"

bp_status transfer_is_ours(bp_call *call, struct transfer *t, const bp_peer *vector,
                           bp_str collection, bp_str *owner, bool *is_ours)
{
    BP_TRY(bp_vector_owner_of(call, vector, collection, owner));
    *is_ours = owner->len == 0; // nobody's: of an older version, and as far as anybody knows ours
    for (size_t i = 0; i < t->pair_count && !*is_ours; i++) {
        bp_str id;

        if (strcmp(t->pairs[i].kind, "storage") != 0)
            continue;
        BP_TRY(bp_storage_deployment(call, &t->pairs[i].from->peer, &id));
        *is_ours = bp_str_equal(id, *owner);
    }
    return BP_OK;
}

/* The target may have got an id when its server was started to make its tables; nothing carries
 * that yet, as it is empty. */
bp_status transfer_carry_owners(bp_call *call, struct transfer *t)
{
    for (size_t i = 0; i < t->pair_count; i++) {
        struct transfer_pair *pair = &t->pairs[i];
        bp_str                source, target;

        if (strcmp(pair->kind, "storage") != 0 || pair->is_same_place)
            continue;
        BP_TRY(bp_storage_deployment(call, &pair->from->peer, &source));
        BP_TRY(bp_storage_deployment(call, &pair->to->peer, &target));
        if (!bp_str_equal(source, target))
            BP_TRY(bp_storage_exec(call, &pair->to->peer, NULL,
                                   BP_SQL("UPDATE backplane_deployment SET id = $1 WHERE one = 1",
                                          bp_sql_text(source)),
                                   NULL));
    }
    return BP_OK;
}

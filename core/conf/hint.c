/* hint.c - the nearest of some names. */
#include "conf/hint.h"

#include "base/str.h"

struct hint hint_for(bp_str wanted)
{
    return (struct hint){ .wanted = wanted };
}

void hint_offer(struct hint *hint, bp_str candidate)
{
    unsigned distance;

    if (!str_is_near(hint->wanted, candidate))
        return;
    distance = str_distance(hint->wanted, candidate);
    if (hint->best.len && distance >= hint->distance)
        return;
    hint->best = candidate;
    hint->distance = distance;
}

void hint_offer_choices(struct hint *hint, const char *choices)
{
    bp_str rest = bp_str_of(choices);

    while (rest.len)
        hint_offer(hint, str_split(rest, '|', &rest));
}

const char *hint_text(struct arena *arena, const struct hint *hint)
{
    return hint->best.len
               ? arena_format(arena, " (did you mean \"" BP_FMT "\"?)", BP_ARG(hint->best)).data
               : "";
}

/* hint.h - the nearest of some names, for "(did you mean ...?)". */
#ifndef CORE_CONF_HINT_H
#define CORE_CONF_HINT_H

#include "base/arena.h"

struct hint {
    bp_str   wanted;
    bp_str   best; /* empty: nothing offered was near */
    unsigned distance;
};

struct hint hint_for(bp_str wanted);
void        hint_offer(struct hint *hint, bp_str candidate);
/* Each word of "a|b|c". */
void hint_offer_choices(struct hint *hint, const char *choices);
/* ` (did you mean "x"?)`, or an empty text. NUL-terminated. */
const char *hint_text(struct arena *arena, const struct hint *hint);

#endif

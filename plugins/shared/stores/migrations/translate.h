/* translate.h - a step's text in the words of one store. */
#ifndef MIGRATIONS_TRANSLATE_H
#define MIGRATIONS_TRANSLATE_H

#include "migrations.h"

/* Quoted texts and comments stay as they are. BP_INVALID: a ${word} that no store knows. */
bp_status migrations_translate(bp_call *call, const struct migrations_place *place, const char *sql,
                               bp_str *out);

#endif

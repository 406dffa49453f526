/* params.h - tables of parameters (backplane/param.h): their JSON Schema, and the struct that they
 * fill. */
#ifndef CORE_SCHEMA_PARAMS_H
#define CORE_SCHEMA_PARAMS_H

#include <backplane/param.h>

#include "base/json.h"
#include "base/reason.h"

enum { PARAMS_DEPTH_MAX = 8 };

/* Writes the schema of an object with these members. False with a sentence in `why` that names
 * the row: a type there is not, a number that is none, choices without a name, members too deep. */
bool params_schema(const bp_params *params, bp_json_writer *w, struct reason *why);
/* The schema as text, in the arena, for a table that is there; without one *text stays as it is. */
bool params_text(struct arena *arena, const bp_params *params, const char **text,
                 struct reason *why);
/* Fills `values`, all of it; texts and lists stay those of `arguments`, an object or NULL. False
 * with a sentence that names the parameter. */
bool params_read(const bp_params *params, const bp_json *arguments, void *values,
                 struct reason *why);

/* The table behind <backplane/param.h>, of the server and of the fake host alike. */
extern const bp_params_service params_service;

#endif

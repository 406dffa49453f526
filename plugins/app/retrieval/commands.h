/* commands.h - the handlers of the app's commands, one file a matter. */
#ifndef RETRIEVAL_COMMANDS_H
#define RETRIEVAL_COMMANDS_H

#include "retrieval.h"

/* commands_ingest.c */
bp_status ingest_command(bp_call *call, void *instance, bp_command_run *run);
/* commands_search.c */
bp_status search_command(bp_call *call, void *instance, bp_command_run *run);
/* commands_upkeep.c */
bp_status reindex_command(bp_call *call, void *instance, bp_command_run *run);
bp_status verify_command(bp_call *call, void *instance, bp_command_run *run);
/* commands_eval.c */
bp_status eval_command(bp_call *call, void *instance, bp_command_run *run);

/* A sentence about the words typed or sent, "backplane COMMAND: ...", and exit status 1: for a
 * mistake that is no failure of the server, and has no status of one. */
bp_status command_complain(bp_call *call, bp_command_run *run, const char *format, ...) BP_SUSPENDS
    BP_FORMAT(3, 4);

#endif

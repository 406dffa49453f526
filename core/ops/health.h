/* health.h - the last results of the health checks, and the answers to probes and people.
 *
 * Each instance of kind `health` runs by its own interval on the first worker; a request never
 * waits for one. An instance of another kind that did not start is a component that is down.
 * Liveness looks at none of this.
 */
#ifndef CORE_OPS_HEALTH_H
#define CORE_OPS_HEALTH_H

#include <backplane/health.h>

#include "base/json.h"
#include "plugin/generation.h"

struct health_board;
struct alert_queue;

enum health_phase { PHASE_STARTING, PHASE_READY, PHASE_DRAINING };

/* `alerts` takes ComponentDown when a component changes its level; may be NULL. `before` (NULL:
 * none) is the board of the generation before: components of the same name go on from what it
 * knows. */
struct health_board *health_board_new(struct generation *generation, struct alert_queue *alerts,
                                      struct health_board *before);
void                 health_board_free(struct health_board *board);

/* On worker 0: starts the checks. */
bp_status health_board_start(bp_call *call, struct health_board *board);
bp_status health_board_stop(bp_call *call, struct health_board *board) BP_SUSPENDS;

void              health_board_set_phase(struct health_board *board, enum health_phase phase);
enum health_phase health_board_phase(const struct health_board *board);

/* Every loop beats. */
bool health_is_live(const struct health_board *board);
/* Started, not draining, and no critical component is down. */
bool health_is_ready(struct health_board *board);
/* {"status": ..., "components": {...}, "summary": {...}}; the level of the whole. Sentences of the
 * checks, which may name hosts and paths, only `with_detail`. */
bp_health_level health_write(struct health_board *board, bool with_detail, bp_json_writer *w);

#endif

/* backplane/health.h - the interface of a health check. The host runs each check at its interval,
 * keeps the last answer, and serves it at /health. A check never runs inside a request. */
#ifndef BACKPLANE_HEALTH_H
#define BACKPLANE_HEALTH_H

#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_health 1

typedef enum bp_health_level {
    BP_HEALTH_OK = 0,
    BP_HEALTH_DEGRADED = 1,
    BP_HEALTH_DOWN = 2
} bp_health_level;

typedef struct bp_health {
    uint32_t struct_size;
    uint32_t level;  /* bp_health_level */
    bp_str   detail; /* a sentence; in the call's arena */
    double   value;  /* the measured value, for the metric backplane_health_value; NAN: nothing */
    bp_str   unit;   /* "bytes", "ratio", "seconds" */
} bp_health;

/* May suspend and is bounded by the call (the option `timeout`, 5 s unless said otherwise). BP_OK
 * with a level; any other status counts as down, with the call's error as detail. */
typedef struct bp_health_ops {
    uint32_t struct_size;
    bp_status (*check)(bp_call *call, void *instance, bp_health *health) BP_SUSPENDS;
} bp_health_ops;

/* Returns from a check with a level and a sentence, printf-like ... */
static inline bp_status bp_health_say(bp_call *call, bp_health *health, bp_health_level level,
                                      const char *format, ...) BP_FORMAT(4, 5);
static inline bp_status bp_health_say(bp_call *call, bp_health *health, bp_health_level level,
                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    health->detail = bp_vformat(call, format, args);
    va_end(args);
    health->level = (uint32_t)level;
    return BP_OK;
}

/* ... or with down and the sentence in the call's error slot. */
static inline bp_status bp_health_down(bp_call *call, bp_health *health)
{
    health->level = BP_HEALTH_DOWN;
    health->detail = bp_error_of(call)->message;
    return BP_OK;
}

#ifdef __cplusplus
}
#endif
#endif

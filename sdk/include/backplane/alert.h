/* backplane/alert.h - the interface of an alert sink. */
#ifndef BACKPLANE_ALERT_H
#define BACKPLANE_ALERT_H

#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_alert 1

typedef enum bp_severity {
    BP_SEVERITY_INFO = 0,
    BP_SEVERITY_WARNING = 1,
    BP_SEVERITY_CRITICAL = 2
} bp_severity;

typedef struct bp_label {
    bp_str name;
    bp_str value;
} bp_label;

typedef struct bp_alert {
    uint32_t        struct_size;
    uint32_t        severity;    /* bp_severity */
    bp_str          name;        /* "ComponentDown" */
    bp_str          fingerprint; /* the same for every message about the same thing */
    bp_str          summary;     /* one sentence */
    bp_str          description;
    const bp_label *labels;
    size_t          label_count;
    int64_t         starts_wall_ns; /* since 1970 */
    int64_t         ends_wall_ns;   /* 0: still firing */
    bp_str          runbook_url;    /* may be empty */
} bp_alert;

/* May suspend and is bounded by the call. Delivers all alerts, or says why not. The host keeps
 * alerts in a bounded queue and tries again with growing pauses while the status is retryable. A
 * sink must accept the same alert twice. */
typedef struct bp_alert_ops {
    uint32_t struct_size;
    bp_status (*deliver)(bp_call *call, void *instance, const bp_alert *alerts, size_t alert_size,
                         size_t count) BP_SUSPENDS;
} bp_alert_ops;

#ifdef __cplusplus
}
#endif
#endif

/* gate_kinds.h - the tables of gated operations, one for each kind that has peers. */
#ifndef CORE_PLUGIN_GATE_KINDS_H
#define CORE_PLUGIN_GATE_KINDS_H

#include <backplane/alert.h>
#include <backplane/cache.h>
#include <backplane/embed.h>
#include <backplane/health.h>
#include <backplane/llm.h>
#include <backplane/storage.h>
#include <backplane/vector.h>

#include "plugin/gate.h"

extern const bp_storage_ops gate_storage_ops;
extern const bp_cache_ops   gate_cache_ops;
extern const bp_vector_ops  gate_vector_ops;
extern const bp_embed_ops   gate_embed_ops;
extern const bp_llm_ops     gate_llm_ops;
extern const bp_health_ops  gate_health_ops;
extern const bp_alert_ops   gate_alert_ops;

extern const struct gate_op gate_storage_list[], gate_cache_list[], gate_vector_list[];
extern const size_t         gate_storage_count, gate_cache_count, gate_vector_count;

/* The counters of chats, with zeros. */
void gate_define_llm(const struct instance *instance);

/* BP_UNSUPPORTED when the plugin lacks an operation. */
bp_status gate_needs(bp_call *call, const struct instance *instance, bool is_there, const char *op);

#endif

/* op_null.c - its only operation is not there. */
#include "sound.h"

static const bp_health_ops no_ops = { .struct_size = sizeof(bp_health_ops), .check = NULL };

BP_PLUGIN(health, "op_null", "1.0.0", .ops = &no_ops)

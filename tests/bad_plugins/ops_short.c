/* ops_short.c - a table of operations that ends before its first one, with something else behind it
 * in memory. */
#include "sound.h"

static const struct {
    uint32_t struct_size, reserved;
    uint64_t not_a_function;
} short_ops = { 8, 0, 0x4141414141414141u };

BP_PLUGIN(health, "ops_short", "1.0.0", .ops = &short_ops)

/* no_note.c - exports an entry, but has no note: written by hand instead of by BP_PLUGIN(). */
#include "sound.h"

static const bp_plugin descriptor = {
    .magic = BP_PLUGIN_MAGIC,
    .struct_size = sizeof(bp_plugin),
    .abi_major = 1,
    .kind = "health",
    .kind_version = 1,
    .name = "no_note",
    .version = "1.0.0",
    .requires_begin = __start_bp_requires,
    .requires_end = __stop_bp_requires,
    .require_size = sizeof(bp_require),
    .ops = &sound_ops,
};

BP_EXPORT const bp_plugin *bp_plugin_entry(uint32_t host_abi);
const bp_plugin           *bp_plugin_entry(uint32_t host_abi)
{
    return host_abi ? &descriptor : NULL;
}

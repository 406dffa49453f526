/* entry_null.c - has a note, and an entry that gives nothing. */
#include "sound.h"
#define bp_plugin_entry another_entry
BP_PLUGIN(health, "entry_null", "1.0.0", .ops = &sound_ops)
#undef bp_plugin_entry

BP_EXPORT const bp_plugin *bp_plugin_entry(uint32_t host_abi);
const bp_plugin           *bp_plugin_entry(uint32_t host_abi)
{
    (void)host_abi;
    return NULL;
}

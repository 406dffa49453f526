/* old_hash.c - a sound plugin linked with the old hash table alone, as some linkers do; it is to be
 * accepted. */
#include <stdlib.h>

#include "sound.h"

__attribute__((constructor)) static void leave_a_mark(void)
{
    const char *path = getenv("BAD_PLUGIN_MARK");
    FILE       *file = path ? fopen(path, "w") : NULL;

    if (file)
        fclose(file);
}

BP_PLUGIN(health, "old_hash", "1.0.0", .summary = "sound", .ops = &sound_ops)

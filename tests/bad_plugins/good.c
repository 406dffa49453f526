/* good.c - a sound plugin that run.py damages byte by byte; its constructor tells whether its code
 * was ever run. */
#include <stdlib.h>

#include "sound.h"

__attribute__((constructor)) static void leave_a_mark(void)
{
    const char *path = getenv("BAD_PLUGIN_MARK");
    FILE       *file = path ? fopen(path, "w") : NULL;

    if (file)
        fclose(file);
}

BP_PLUGIN(health, "good", "1.0.0", .summary = "sound", .ops = &sound_ops)

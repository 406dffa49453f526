/* inspect.h - reads a plugin file without loading it, so that an incompatible file never runs.
 *
 * dlopen() runs constructors before anybody can look at a descriptor. So the ELF file is read
 * first: is it for this machine, does it carry the Backplane note, which ABI and kind does it say,
 * does it export the entry, is everything bound when it is loaded? Nothing in the file is trusted:
 * every offset is checked against its size.
 */
#ifndef CORE_PLUGIN_INSPECT_H
#define CORE_PLUGIN_INSPECT_H

#include <backplane/plugin.h>

#include "base/arena.h"
#include "base/reason.h"

enum { INSPECT_FILE_MAX_BYTES = 512 << 20, INSPECT_BUILD_ID_CHARS = 41 };

struct plugin_file {
    const char *path;
    bool        is_readable; /* the note was found, so `note` says what the plugin calls itself */
    bool        is_accepted; /* nothing speaks against loading it */
    bp_plugin_note note;     /* texts NUL-terminated */
    char           build_id[INSPECT_BUILD_ID_CHARS];
    struct reason  problem;       /* a sentence, when it is not accepted */
    bp_str_list    extra_exports; /* symbols beside bp_plugin_entry: allowed, but they may clash */
    bp_str_list    needed;        /* libraries */
    int64_t        size_bytes;
};

/* Reads and judges `path`. Strings go into the arena. Always fills `file`. */
void plugin_inspect(struct arena *arena, const char *path, struct plugin_file *file);

/* What stands in the file alone: `bytes`, aligned to 8. `file` is filled with zeros, or by
 * plugin_inspect(). */
void plugin_inspect_bytes(struct arena *arena, const void *bytes, size_t size,
                          struct plugin_file *file);

/* The kinds this host serves, oldest and newest version of each. */
struct plugin_kind {
    const char *name;
    uint32_t    oldest, newest;
};
const struct plugin_kind *plugin_kind_find(const char *name); /* NULL: not one of ours */

#endif

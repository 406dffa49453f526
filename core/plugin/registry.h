/* registry.h - the plugin files, found by their notes, and loaded when a conf asks for them.
 *
 * A file's name means nothing: what counts is the kind and name in its note. Loading is libltdl's,
 * resident and local; nothing is ever unloaded.
 */
#ifndef CORE_PLUGIN_REGISTRY_H
#define CORE_PLUGIN_REGISTRY_H

#include "base/log.h"
#include "base/reason.h"
#include "conf/conf.h"
#include "plugin/inspect.h"

enum { REGISTRY_FILES_MAX = 512 };

/* A loaded plugin: the host's own copy of its descriptor, as far as both sides know it. */
struct plugin {
    const struct plugin_file *file;
    bp_plugin                 descriptor;
    bp_life                   life; /* zero where the plugin has no hook */
    struct option_table       options;
    char                      label[48]; /* "vector/local" */
};

/* A service of the host: a size-stamped table under a name and a major version. */
struct host_service {
    const char *name;
    uint32_t    major;
    uint32_t    size;
    const void *table;
};

struct plugin_registry;

struct plugin_registry *registry_new(struct log *log, const struct host_service *services,
                                     size_t service_count);
void                    registry_free(struct plugin_registry *registry);
/* Looks at every .so in `folder` and in its folders of one level. False with a sentence in `why`
 * when `folder` cannot be read; a folder within, such as lost+found, is passed over. */
bool   registry_scan(struct plugin_registry *registry, const char *folder, struct reason *why);
size_t registry_count(const struct plugin_registry *registry);
const struct plugin_file *registry_at(const struct plugin_registry *registry, size_t index);

/* Loads the plugin, if it is not loaded yet. NULL with a sentence in `why` (empty: there is no
 * such plugin). */
const struct plugin *registry_load(struct plugin_registry *registry, const char *kind,
                                   const char *name, struct reason *why);

/* An instance may pin its plugin's file by `digest`, the SHA-256 of it. Adds an error to the conf
 * for each that differs; called before conf_resolve(), so that a file with another digest is never
 * loaded. */
void registry_check_digests(struct plugin_registry *registry, struct conf *conf);

/* For conf_resolve(). Plugins that are asked for are loaded; at() loads all that can be. */
struct conf_plugins registry_for_conf(struct plugin_registry *registry);

/* Fills the service pointers of the host's own code, so that it uses the SDK's headers like a
 * plugin. */
void registry_fill_host(const struct host_service *services, size_t service_count);

#endif

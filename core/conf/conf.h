/* conf.h - the conf file, checked, with a position in the file for each mistake.
 *
 *      struct conf *conf = conf_load("conf/backplane.yaml", NULL);
 *      if (conf_resolve(conf, &plugins)) ... use it ...
 *      else problems_print(&conf->problems, out);
 *      conf_free(conf);
 *
 * conf_load() reads what the host itself understands: sections, the server, the log, and which
 * instances there are. conf_resolve() asks the plugin layer for the option table of each instance,
 * reads its settings by it and puts the instances into an order in which each comes behind those it
 * refers to. All mistakes of both are reported together. This folder knows no plugin and loads
 * none.
 */
#ifndef CORE_CONF_CONF_H
#define CORE_CONF_CONF_H

#include "conf/expand.h"
#include "conf/server_conf.h"

enum { CONF_KIND_COUNT = 8, CONF_MAX_ARENA_BYTES = 64 << 20, CONF_MAX_INSTANCES = 1024 };

/* storage, cache, vector, embed, llm, health, alert, app: in the order of the conf file. */
extern const char *const conf_kinds[CONF_KIND_COUNT];

/* A plugin as far as a conf is concerned. Texts must outlive the conf. */
struct conf_plugin {
    const char         *kind;
    const char         *name;
    const char         *version;
    const char         *summary;
    struct option_table options; /* passed option_table_check() */
    uint32_t            instance_size;
    const char *
        problem; /* find() returned false: why the plugin cannot be used though its file is there */
};

/* What the plugin layer offers. */
struct conf_plugins {
    void *context;
    /* false: there is no such plugin, or `problem` names its fault. */
    bool (*find)(void *context, const char *kind, const char *name, struct conf_plugin *plugin);
    /* The plugins of a kind, one for each index from 0 on; false: no more. Any order. */
    bool (*at)(void *context, const char *kind, size_t index, struct conf_plugin *plugin);
};

struct conf_instance {
    const char             *kind;
    bp_str                  name; /* [a-z][a-z0-9_-]{0,31}, the only one of its kind */
    bp_str                  use;  /* the plugin's name */
    const struct conf_node *node;
    const struct conf_node *use_node; /* NULL: an app without `use` */

    /* Filled in by conf_resolve(). */
    struct gate_conf gate;
    bool is_missing; /* its plugin is not there, and it is not critical: serve without it */
    struct conf_plugin plugin;  /* unless it is missing */
    void              *options; /* plugin.instance_size bytes, references not filled in */
    struct option_refs refs;
    uint32_t           place; /* in conf->order */
    uint8_t            visit; /* of the sort */
};

struct conf {
    struct arena            arena;
    _Atomic uint32_t        holders; /* beside the one who loaded it */
    const char             *file;
    const struct conf_node *root; /* NULL: an empty file */
    struct conf_problems    problems;
    bp_str                  data_dir;    /* absolute */
    bp_str_list             plugin_dirs; /* beside the built-in one; absolute */
    struct server_conf      server;
    struct log_conf         log;
    struct option_refs      server_refs;
    struct conf_instance   *instances; /* in the order of the file, grouped by kind */
    size_t                  instance_count;
    struct conf_instance *
        *order; /* each behind those it refers to; only when resolved without errors */
};

/* NULL only when there is no memory at all; the mistakes are in problems. `environment` may be
 * NULL: that of the process. The conf keeps copies of everything. */
struct conf *conf_load(const char *file, const struct conf_environment *environment);
/* The same from a text; `file` is what messages call it, and its directory is where ${file:...}
 * starts. */
struct conf *conf_parse(const char *file, bp_str text, const struct conf_environment *environment);
/* False when there are errors, of this step or of loading. Once for each conf. */
bool conf_resolve(struct conf *conf, const struct conf_plugins *plugins);
/* One more who keeps something of it, such as an instance that outlives the edition it came with.
 */
struct conf *conf_hold(struct conf *conf);
/* The last one who has it frees it. */
void conf_free(struct conf *conf);

bool conf_has_errors(const struct conf *conf);
/* Whether two instances, of two readings of a conf, are the same: kind, name, plugin, all options
 * and the settings of any instance, and the names of those they refer to. Both conf are resolved.
 */
bool conf_instance_is_same(const struct conf_instance *a, const struct conf_instance *b);
/* NULL when there is none. */
struct conf_instance *conf_find_instance(const struct conf *conf, bp_str kind, bp_str name);

/* The top-level settings data_dir and plugins, for the schema and the reference pages. */
extern const struct option_table conf_top_table;

#endif

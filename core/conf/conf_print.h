/* conf_print.h - what `backplane config`, `backplane schema` and `backplane docs` write. All of it
 * is deterministic. */
#ifndef CORE_CONF_CONF_PRINT_H
#define CORE_CONF_CONF_PRINT_H

#include "conf/conf.h"

enum { CONF_PRINT_MAX_BYTES = 16 << 20 };

/* The conf as it takes effect: YAML with every setting, each with where it came from as a comment.
 * Secrets are
 * ***; apart from them it reads back to the same conf. For a conf that was resolved. */
void conf_print_effective(const struct conf *conf, struct bp_buf *out);

/* JSON Schema 2020-12 of the whole conf with the plugins there are, compact. BP_TOO_LARGE or
 * BP_NO_MEMORY when it does not fit. */
bp_status conf_print_schema(struct arena *arena, const struct conf_plugins *plugins,
                            struct bp_buf *out);

/* Reference pages in Markdown: of one plugin (conf/KIND-NAME.md), and of what the host itself
 * understands with a list of the plugins (conf.md). */
void conf_print_plugin_page(const struct conf_plugin *plugin, struct bp_buf *out);
void conf_print_host_page(struct arena *arena, const struct conf_plugins *plugins,
                          struct bp_buf *out);

/* The plugins of a kind by name, in the arena; *count of them. */
struct conf_plugin *conf_list_plugins(struct arena *arena, const struct conf_plugins *plugins,
                                      const char *kind, size_t *count);

#endif

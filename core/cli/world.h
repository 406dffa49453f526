/* world.h - the checks of `backplane check` beyond the text of a conf: files, folders, users,
 * names, listeners, settings.
 *
 * Nothing is written: no file, no folder, no table. Each check is a function in the table of
 * world.c, which looks at a conf that was read and adds what it finds to the conf's problems, at
 * its line and column: an error where a start would fail or do another thing than the conf says, a
 * warning where it depends.
 */
#ifndef CORE_CLI_WORLD_H
#define CORE_CLI_WORLD_H

#include <sys/types.h>

#include "base/reason.h"
#include "conf/conf.h"

enum { WORLD_GROUPS_MAX = 64 };

struct world {
    struct conf *conf;
    const char  *user; /* who will run the server */
    uid_t        uid;
    gid_t        groups[WORLD_GROUPS_MAX];
    int          group_count;
    bool is_other; /* than the one who runs the check: rights are read from the mode of files, not
                      asked of the kernel */
};

/* An option with its value, as the checks see it. */
struct world_option {
    bp_option               option;
    const struct conf_node *node;     /* its value in the file; NULL: the default */
    const struct conf_node *owner;    /* of the mapping that it belongs to; NULL: the file */
    struct conf_instance   *instance; /* NULL: of the host itself */
    const void             *field;
};

typedef void (*world_visit)(struct world *world, const struct world_option *option, void *arg);

/* `user` NULL: who runs this. False with a sentence. */
bool world_init(struct world *world, struct conf *conf, const char *user, struct reason *why);
/* Runs all checks. The conf may have errors already: then more are added as far as they can be
 * told. */
void world_check(struct world *world);

/* Every option of the host and of every instance with a plugin that is there. */
void world_each_option(struct world *world, world_visit visit, void *arg);
/* The option called so of an instance; false: its plugin has none. */
bool world_find_option(struct conf_instance *instance, const char *name,
                       struct world_option *option);

/* At the value where it is written, else at its owner. */
void world_error(struct world *world, const struct world_option *option,
                 const struct conf_node *item, const char *format, ...) BP_FORMAT(4, 5);
void world_warn(struct world *world, const struct world_option *option,
                const struct conf_node *item, const char *format, ...) BP_FORMAT(4, 5);
/* At a key of the host's sections, "auth.storage" in `server`; false: it is not written, and
 * nothing was said. */
bool world_warn_at(struct world *world, const char *path, const char *format, ...) BP_FORMAT(3, 4);
bool world_error_at(struct world *world, const char *path, const char *format, ...) BP_FORMAT(3, 4);
/* NULL: not written. */
const struct conf_node *world_node(const struct world *world, const char *path);

/* Whether the user may; `mode` as for access(2). */
bool world_may(const struct world *world, const char *path, int mode);
/* The nth item of a list, as it is written. */
const struct conf_node *world_item(const struct conf_node *list, size_t index);
/* "$HOME" in "$HOME/docs": what only a shell understands; empty: nothing. */
bp_str world_shell_word(bp_str text);

/* The checks: world_paths.c, world_conf_file.c, world_listeners.c, world_net.c, world_settings.c.
 */
void world_check_paths(struct world *world);
void world_check_shell_words(struct world *world);
void world_check_conf_file(struct world *world);
void world_check_listeners(struct world *world);
void world_check_names(struct world *world);
void world_check_credentials(struct world *world);
void world_check_contents(struct world *world);
void world_check_unused(struct world *world);
void world_check_auth(struct world *world);
void world_check_times(struct world *world);
void world_check_limits(struct world *world);

#endif

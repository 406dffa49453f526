/* world_paths.c - files and folders that a conf names: there, of the right sort, and open to the
 * user; no two stores on one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/world.h"

enum { STORES_MAX = 512, PEM_BYTES = 256 << 10, ROOM_BYTES = 64 << 20 };

/* A path that one instance has for itself. */
struct store {
    struct world_option option;
    char *path; /* without links, dots and double slashes, also where nothing is there yet */
    bool  is_folder;
};

struct stores {
    struct store all[STORES_MAX];
    size_t       count;
};

static bool has_word(const char *choices, const char *word)
{
    bp_str rest = bp_str_of(choices ? choices : "");

    while (rest.len)
        if (bp_str_is(str_split(rest, '|', &rest), word))
            return true;
    return false;
}

static const char *kind_of(const struct stat *status)
{
    return S_ISDIR(status->st_mode)    ? "a folder"
           : S_ISREG(status->st_mode)  ? "a file"
           : S_ISSOCK(status->st_mode) ? "a socket"
                                       : "a device or a pipe";
}

/* The nearest folder above `path` that is there. */
static void existing_above(const char *path, char out[PATH_MAX])
{
    struct stat status;

    snprintf(out, PATH_MAX, "%s", path);
    do {
        char *slash = strrchr(out, '/');

        if (!slash || slash == out) {
            snprintf(out, PATH_MAX, "/");
            return;
        }
        *slash = '\0';
    } while (lstat(out, &status) != 0);
}

/* What realpath() would say if everything were there. */
static char *real_place(const char *path)
{
    char   above[PATH_MAX], real[PATH_MAX], *made, *rest;
    char  *whole = realpath(path, NULL);
    size_t len;

    if (whole)
        return whole;
    existing_above(path, above);
    if (!realpath(above, real))
        snprintf(real, sizeof(real), "%s", above);
    len = strlen(real);
    made = malloc(len + strlen(path) + 2);
    if (!made)
        return NULL;
    memcpy(made, real, len + 1);
    rest = strdup(path + (strcmp(above, "/") == 0 ? 0 : strlen(above)));
    for (char *state = NULL, *word = rest ? strtok_r(rest, "/", &state) : NULL; word;
         word = strtok_r(NULL, "/", &state)) {
        if (strcmp(word, ".") == 0)
            continue;
        if (strcmp(word, "..") == 0) {
            char *slash = strrchr(made, '/');

            if (slash && slash != made)
                *slash = '\0';
            continue;
        }
        if (made[strlen(made) - 1] != '/')
            strcat(made, "/");
        strcat(made, word);
    }
    free(rest);
    return made;
}

static bool is_in(const char *inner, const char *outer)
{
    size_t len = strlen(outer);

    return strncmp(inner, outer, len) == 0 && inner[len] == '/';
}

static void name_of(const struct world_option *option, char name[128])
{
    if (option->instance)
        snprintf(name, 128, "%s.%.64s", option->instance->kind, option->instance->name.data);
    else
        snprintf(name, 128, "%.64s", option->option.name);
}

static void keep_store(struct world *world, struct stores *stores,
                       const struct world_option *option, const char *path, bool is_folder)
{
    struct store mine = { *option, real_place(path), is_folder };
    char         name[128];

    for (size_t i = 0; mine.path && i < stores->count; i++) {
        const struct store *other = &stores->all[i];

        name_of(&other->option, name);
        if (strcmp(mine.path, other->path) == 0)
            world_error(world, option, NULL,
                        "%s is the path of %s too: each would destroy the other's data; give it a "
                        "path of its own",
                        mine.path, name);
        else if (other->is_folder && other->option.instance && is_in(mine.path, other->path))
            world_warn(world, option, NULL,
                       "%s lies in the folder of %s, which is that store's alone", mine.path, name);
        else if (is_folder && option->instance && is_in(other->path, mine.path))
            world_warn(world, option, NULL,
                       "%s holds the path of %s: a store's folder is its alone", mine.path, name);
        else
            continue;
        free(mine.path);
        return;
    }
    if (mine.path && stores->count < STORES_MAX)
        stores->all[stores->count++] = mine;
    else
        free(mine.path);
}

static void look_at_pem(struct world *world, const struct world_option *option, const char *path)
{
    static char text[PEM_BYTES + 1];
    int         fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t     count = fd < 0 ? -1 : read(fd, text, PEM_BYTES);

    if (fd >= 0)
        close(fd);
    if (count < 0)
        return;
    text[count] = '\0';
    if (!strstr(text, "-----BEGIN "))
        world_error(world, option, NULL,
                    "%s holds no certificate or key in PEM (there is no line -----BEGIN ...)",
                    path);
}

/* What has to be there already. */
static void look_at_input(struct world *world, const struct world_option *option,
                          const struct conf_node *item, const char *path)
{
    const char *choices = option->option.choices;
    struct stat status;
    bool wants_folder = has_word(choices, BP_PATH_FOLDER), is_pem = has_word(choices, BP_PATH_PEM);
    bool wants_file = is_pem || has_word(choices, BP_PATH_FILE);
    bool is_relative = item && item->kind == NODE_SCALAR && item->value.len &&
                       item->value.data[0] != '/';

    if (stat(path, &status) != 0) {
        if (strcmp(path, world->conf->data_dir.data) != 0) // which is made
            world_error(world, option, item, "%s: %s%s%s", path, strerror(errno),
                        is_relative && option->option.type == BP_OPTION_TYPE_PATH
                            ? "; relative paths start at data_dir, "
                            : "",
                        is_relative && option->option.type == BP_OPTION_TYPE_PATH
                            ? world->conf->data_dir.data
                            : "");
        return;
    }
    if (S_ISDIR(status.st_mode) ? !wants_folder : !wants_file || !S_ISREG(status.st_mode)) {
        world_error(world, option, item, "%s is %s, and has to be %s", path, kind_of(&status),
                    wants_file && wants_folder ? "a file or a folder"
                    : wants_folder             ? "a folder"
                                               : "a file");
        return;
    }
    if (!world_may(world, path, S_ISDIR(status.st_mode) ? R_OK | X_OK : R_OK)) {
        world_error(world, option, item, "%s cannot be read by %s", path, world->user);
        return;
    }
    if (is_pem)
        look_at_pem(world, option, path);
}

static void look_at_folder(struct world *world, const struct world_option *option, const char *path,
                           const char *what)
{
    struct statvfs room;
    struct statfs  system;

    if (!world_may(world, path, W_OK | X_OK)) {
        world_error(world, option, NULL, "%s cannot be %s: %s may not write to %s", what,
                    strcmp(what, path) == 0 ? "used" : "made", world->user, path);
        return;
    }
    if (statvfs(path, &room) == 0 && room.f_flag & ST_RDONLY)
        world_error(world, option, NULL, "%s is on a file system that is mounted read-only", path);
    else if (statvfs(path, &room) == 0 && room.f_blocks &&
             (uint64_t)room.f_bavail * room.f_frsize < ROOM_BYTES)
        world_warn(world, option, NULL, "%s is on a file system with less than 64 MiB left", path);
    if (statfs(path, &system) == 0 &&
        (system.f_type == 0x6969 || (uint32_t)system.f_type == 0xFF534D42u ||
         system.f_type == 0x517B))
        world_warn(world, option, NULL,
                   "%s is on a network file system: its locks do not protect a database", path);
}

/* A path that is made when it is not there. */
static void look_at_output(struct world *world, const struct world_option *option, const char *path,
                           bool is_folder)
{
    struct stat status;
    char        above[PATH_MAX];

    existing_above(path, above);
    if (stat(path, &status) == 0) {
        if (is_folder ? !S_ISDIR(status.st_mode)
                      : S_ISDIR(status.st_mode) || S_ISSOCK(status.st_mode)) {
            world_error(world, option, NULL, "%s is %s, and has to be %s", path, kind_of(&status),
                        is_folder ? "a folder" : "a file");
            return;
        }
        if (is_folder) {
            look_at_folder(world, option, path, path);
            return;
        }
        if (!world_may(world, path, R_OK | W_OK)) {
            world_error(world, option, NULL, "%s cannot be written by %s", path, world->user);
            return;
        }
        if (!S_ISCHR(status.st_mode))
            look_at_folder(world, option, above, path);
        return;
    }
    if (stat(above, &status) != 0 || !S_ISDIR(status.st_mode)) {
        world_error(world, option, NULL, "%s cannot be made, because %s is %s", path, above,
                    stat(above, &status) == 0 ? kind_of(&status) : "a link that leads nowhere");
        return;
    }
    look_at_folder(world, option, above, path);
}

/* "data/backplane.db" with a data_dir that is called data. */
static void look_at_doubled(struct world *world, const struct world_option *option,
                            const char *path)
{
    const char *slash = strrchr(world->conf->data_dir.data, '/');
    size_t      len = slash ? strlen(slash + 1) : 0;

    if (option->node && option->node->kind == NODE_SCALAR && len &&
        strncmp(option->node->value.data, slash + 1, len) == 0 &&
        option->node->value.data[len] == '/')
        world_warn(world, option, NULL,
                   "becomes %s, because relative paths start at data_dir; write %s", path,
                   option->node->value.data + len + 1);
}

static void look_at_path(struct world *world, const struct world_option *option, void *arg)
{
    const char *choices = option->option.choices;
    bool        is_new_folder = has_word(choices, BP_PATH_NEW_FOLDER),
         is_new_file = has_word(choices, BP_PATH_NEW_FILE);

    if (option->option.type == BP_OPTION_TYPE_LIST && has_word(choices, BP_PATH_FOLDER)) {
        const bp_str_list *list = option->field;

        for (size_t i = 0; i < list->count; i++)
            if (list->items[i].len && !world_shell_word(list->items[i]).len)
                look_at_input(world, option, world_item(option->node, i), list->items[i].data);
    }
    if (option->option.type == BP_OPTION_TYPE_PATH && choices) {
        const bp_str *path = option->field;

        if (!path->len || (option->node && option->node->kind == NODE_SCALAR &&
                           world_shell_word(option->node->value).len))
            return;
        if (is_new_folder || is_new_file) {
            look_at_doubled(world, option, path->data);
            look_at_output(world, option, path->data, is_new_folder);
            if (strcmp(path->data, "/dev/null") != 0 && (option->instance || is_new_file))
                keep_store(world, arg, option, path->data, is_new_folder);
        } else {
            look_at_input(world, option, option->node, path->data);
        }
    }
}

void world_check_paths(struct world *world)
{
    struct stores *stores = calloc(1, sizeof(*stores));

    if (!stores)
        return;
    world_each_option(world, look_at_path, stores);
    for (size_t i = 0; i < stores->count; i++)
        free(stores->all[i].path);
    free(stores);
}

/* world.c - runs the checks on the world, and holds what they have in common. */
#include "cli/world.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static void (*const checks[])(struct world *world) = {
    world_check_conf_file, world_check_contents, world_check_shell_words, world_check_paths,
    world_check_listeners, world_check_names,    world_check_credentials, world_check_auth,
    world_check_unused,    world_check_times,    world_check_limits,
};

bool world_init(struct world *world, struct conf *conf, const char *user, struct reason *why)
{
    const struct passwd *entry;

    *world = (struct world){
        .conf = conf, .user = user, .uid = geteuid(), .group_count = WORLD_GROUPS_MAX
    };
    entry = user ? getpwnam(user) : getpwuid(world->uid);
    if (user && !entry) {
        reason_set(why, "there is no user \"%.100s\" on this machine", user);
        return false;
    }
    if (!user)
        world->user = entry ? arena_dup(&conf->arena, bp_str_of(entry->pw_name)).data : "this user";
    world->is_other = user && entry->pw_uid != world->uid;
    if (!world->is_other)
        return true;
    world->uid = entry->pw_uid;
    if (getgrouplist(entry->pw_name, entry->pw_gid, world->groups, &world->group_count) < 0)
        world->group_count = WORLD_GROUPS_MAX;
    return true;
}

void world_check(struct world *world)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        checks[i](world);
}

/* ---- options ---- */

static void visit_table(struct world *world, const struct option_table *table,
                        const struct conf_node *mapping, const void *object,
                        struct conf_instance *instance, world_visit visit, void *arg)
{
    for (uint32_t i = 0; i < table->count; i++) {
        struct world_option option = { option_at(table, i), NULL, mapping, instance, NULL };

        option.node = node_find(mapping, option.option.name);
        option.field = (const char *)object + option.option.offset;
        if (option.node && (option.node->is_broken || node_is_null(option.node)))
            continue;
        visit(world, &option, arg);
    }
}

void world_each_option(struct world *world, world_visit visit, void *arg)
{
    struct conf            *conf = world->conf;
    const struct conf_node *server = node_find(conf->root, "server");

    visit_table(world, &conf_top_table, conf->root, conf, NULL, visit, arg);
    for (size_t i = 0; i < SERVER_SECTION_COUNT; i++)
        visit_table(world, &server_sections[i].table,
                    *server_sections[i].name ? node_find(server, server_sections[i].name) : server,
                    (char *)&conf->server + server_sections[i].offset, NULL, visit, arg);
    visit_table(world, &log_section.table, node_find(conf->root, "log"), &conf->log, NULL, visit,
                arg);
    for (size_t i = 0; i < conf->instance_count; i++)
        if (conf->instances[i].options)
            visit_table(world, &conf->instances[i].plugin.options, conf->instances[i].node,
                        conf->instances[i].options, &conf->instances[i], visit, arg);
}

bool world_find_option(struct conf_instance *instance, const char *name, struct world_option *found)
{
    const struct option_table *table = &instance->plugin.options;

    for (uint32_t i = 0; instance->options && i < table->count; i++) {
        bp_option option = option_at(table, i);

        if (strcmp(option.name, name) != 0)
            continue;
        *found = (struct world_option){ option, node_find(instance->node, name), instance->node,
                                        instance, (const char *)instance->options + option.offset };
        return true;
    }
    return false;
}

const struct conf_node *world_item(const struct conf_node *list, size_t index)
{
    if (!list || list->kind != NODE_SEQUENCE)
        return list;
    for (const struct conf_node *item = list->first; item; item = item->next)
        if (index-- == 0)
            return item;
    return list;
}

/* ---- saying it ---- */

static void say(struct world *world, bool is_warning, const struct world_option *option,
                const struct conf_node *item, const char *format, va_list args)
{
    struct conf_problems   *problems = &world->conf->problems;
    const struct conf_node *node = item ? item : option->node;
    char                    text[1024];

    vsnprintf(text, sizeof(text), format, args);
    if (node)
        problem_add(problems, is_warning, node->position,
                    node_path(problems->arena, node, bp_str_of(NULL)), "%s", text);
    else
        problem_add(problems, is_warning,
                    option->owner && option->owner->key_position.line ? option->owner->key_position
                                                                      : (struct conf_position){ 0 },
                    node_path(problems->arena, option->owner, bp_str_of(option->option.name)), "%s",
                    text);
}

void world_error(struct world *world, const struct world_option *option,
                 const struct conf_node *item, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(world, false, option, item, format, args);
    va_end(args);
}

void world_warn(struct world *world, const struct world_option *option,
                const struct conf_node *item, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(world, true, option, item, format, args);
    va_end(args);
}

const struct conf_node *world_node(const struct world *world, const char *path)
{
    const struct conf_node *node = world->conf->root;
    bp_str                  rest = bp_str_of(path);

    while (node && rest.len) {
        bp_str word = str_split(rest, '.', &rest);
        char   name[64];

        snprintf(name, sizeof(name), BP_FMT, BP_ARG(word));
        node = node_find(node, name);
    }
    return node;
}

static bool say_at(struct world *world, bool is_warning, const char *path, const char *format,
                   va_list args)
{
    const struct conf_node *node = world_node(world, path);

    if (node && !node->is_broken)
        say(world, is_warning, NULL, node, format, args);
    return node != NULL;
}

bool world_warn_at(struct world *world, const char *path, const char *format, ...)
{
    va_list args;
    bool    is_said;

    va_start(args, format);
    is_said = say_at(world, true, path, format, args);
    va_end(args);
    return is_said;
}

bool world_error_at(struct world *world, const char *path, const char *format, ...)
{
    va_list args;
    bool    is_said;

    va_start(args, format);
    is_said = say_at(world, false, path, format, args);
    va_end(args);
    return is_said;
}

/* ---- rights ---- */

static bool is_in_group(const struct world *world, gid_t group)
{
    for (int i = 0; i < world->group_count; i++)
        if (world->groups[i] == group)
            return true;
    return false;
}

static bool mode_allows(const struct world *world, const struct stat *status, int mode)
{
    unsigned bits = status->st_mode & 7;

    if (world->uid == 0)
        return true;
    if (status->st_uid == world->uid)
        bits = status->st_mode >> 6 & 7;
    else if (is_in_group(world, status->st_gid))
        bits = status->st_mode >> 3 & 7;
    return (bits & (unsigned)mode) == (unsigned)mode;
}

/* Another user needs the folders above it as well. */
bool world_may(const struct world *world, const char *path, int mode)
{
    struct stat status;
    char        above[4200];

    if (!world->is_other)
        return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
    snprintf(above, sizeof(above), "%s", path);
    for (char *slash = strrchr(above, '/'); slash && slash != above; slash = strrchr(above, '/')) {
        *slash = '\0';
        if (stat(above, &status) == 0 && !mode_allows(world, &status, X_OK))
            return false;
    }
    return stat(path, &status) == 0 && mode_allows(world, &status, mode);
}

bp_str world_shell_word(bp_str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        size_t end = i + 1;

        if (text.data[i] != '$' && !(text.data[i] == '%' && i == 0))
            continue;
        if (text.data[i] == '$' && text.data[end] == '(')
            return bp_str_n(text.data + i, text.len - i < 40 ? text.len - i : 40);
        while (end < text.len &&
               ((text.data[end] >= 'A' && text.data[end] <= 'Z') || text.data[end] == '_' ||
                (end > i + 1 && text.data[end] >= '0' && text.data[end] <= '9')))
            end++;
        if (text.data[i] == '$' && end > i + 1)
            return bp_str_n(text.data + i, end - i);
        if (text.data[i] == '%' && end > i + 1 && end < text.len && text.data[end] == '%')
            return bp_str_n(text.data + i, end + 1 - i);
    }
    if (text.len && text.data[0] == '~' && (text.len == 1 || text.data[1] == '/'))
        return bp_str_n(text.data, 1);
    return bp_str_n(text.data, 0);
}

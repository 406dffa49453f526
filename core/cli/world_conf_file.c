/* world_conf_file.c - the text of the conf: words that only a shell understands, and who may read
 * the file and the secrets that it points to. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/world.h"

/* ---- words for a shell ---- */

static void look_for_shell(struct world *world, const struct world_option *option,
                           const struct conf_node *item, bp_str text)
{
    bp_str word = world_shell_word(text);
    size_t skip = word.len > 1 ? 1 : 0;

    if (word.len && word.data[0] == '~')
        world_error(world, option, item,
                    "starts with ~, which only a shell understands (write ${HOME} or the whole "
                    "path)");
    else if (word.len && word.len > 1 && word.data[1] == '(')
        world_error(world, option, item, "holds \"" BP_FMT "\", which only a shell understands",
                    BP_ARG(word));
    else if (word.len)
        world_error(world, option, item,
                    "holds " BP_FMT ", which only a shell understands (write ${" BP_FMT "})",
                    BP_ARG(word),
                    BP_ARG(bp_str_n(word.data + skip,
                                    word.len - skip - (word.data[0] == '%' ? 1 : 0))));
}

static void look_at_words(struct world *world, const struct world_option *option, void *arg)
{
    (void)arg;
    if (!option->node)
        return;
    switch (option->option.type) {
    case BP_OPTION_TYPE_PATH: // as it is written: the field has data_dir before it
    case BP_OPTION_TYPE_URL:
    case BP_OPTION_TYPE_ADDRESS:
        if (option->node->kind == NODE_SCALAR)
            look_for_shell(world, option, NULL, option->node->value);
        return;
    case BP_OPTION_TYPE_LIST:
        for (size_t i = 0;
             option->option.choices && i < ((const bp_str_list *)option->field)->count; i++)
            look_for_shell(world, option, world_item(option->node, i),
                           ((const bp_str_list *)option->field)->items[i]);
        return;
    default:
        return;
    }
}

void world_check_shell_words(struct world *world)
{
    world_each_option(world, look_at_words, NULL);
}

/* ---- the conf itself, and the secrets that it points to ---- */

static void look_at_secret_files(struct world *world, const struct conf_node *node)
{
    bp_str      rest = node->source;
    struct stat status;

    while (rest.len) {
        bp_str      source = str_trim(str_split(rest, ',', &rest));
        const char *path;

        if (!bp_str_starts(source, "file "))
            continue;
        path = arena_dup(&world->conf->arena, bp_str_n(source.data + 5, source.len - 5)).data;
        if (stat(path, &status) == 0 && world->is_other && !world_may(world, path, R_OK))
            error_at_value(&world->conf->problems, node, "%s cannot be read by %s", path,
                           world->user);
    }
    for (const struct conf_node *child = node->first; child; child = child->next)
        look_at_secret_files(world, child);
}

void world_check_conf_file(struct world *world)
{
    struct conf_position whole = { 0 };
    struct stat          status;

    if (world->is_other && stat(world->conf->file, &status) == 0 &&
        !world_may(world, world->conf->file, R_OK))
        problem_add(&world->conf->problems, false, whole, bp_str_of(NULL), "cannot be read by %s",
                    world->user);
    if (world->conf->root)
        look_at_secret_files(world, world->conf->root);
}

/* list_plugins.c - the plugins of a kind, in the order of their names whatever order the directory
 * gave. */
#include <stdlib.h>

#include "conf/conf_print.h"

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct conf_plugin *)a)->name, ((const struct conf_plugin *)b)->name);
}

struct conf_plugin *conf_list_plugins(struct arena *arena, const struct conf_plugins *plugins,
                                      const char *kind, size_t *count)
{
    struct conf_plugin  plugin = { 0 };
    struct conf_plugin *list;
    size_t              total = 0;

    *count = 0;
    while (plugins->at(plugins->context, kind, total, &plugin))
        total++;
    list = arena_alloc(arena, (total + 1) * sizeof(*list));
    if (!list)
        return NULL;
    while (*count < total && plugins->at(plugins->context, kind, *count, &list[*count]))
        ++*count;
    qsort(list, *count, sizeof(*list), compare);
    return list;
}

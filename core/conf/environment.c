/* environment.c - looks for variables of the runbooks in the values of a conf. */
#include "conf/environment.h"

/* Where data are kept: to serve without them is to serve other data. */
static const char *const stores[] = { "DATABASE_URL", "POSTGRES_URL", "REDIS_URL", "QDRANT_URL" };

static bool has_variable(const struct conf_node *node, const char *name)
{
    size_t len = strlen(name);

    if (node->kind == NODE_SCALAR && node->text.len)
        for (const char *at = strstr(node->text.data, "${"); at; at = strstr(at + 2, "${"))
            if (strncmp(at + 2, name, len) == 0 && (at[2 + len] == '}' || at[2 + len] == ':'))
                return true;
    for (const struct conf_node *child = node->first; child; child = child->next)
        if (has_variable(child, name))
            return true;
    return false;
}

bool environment_is_used(const struct conf *conf, const char *name)
{
    return conf->root && has_variable(conf->root, name);
}

void environment_check(struct conf *conf, const struct conf_environment *environment)
{
    struct bp_buf names;
    size_t        count = 0;

    if (!conf->root || conf->problems.is_partial)
        return;
    buf_init(&names, &conf->arena, 256);
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        const char *value = environment->get(environment->context, stores[i]);

        if (!value || !*value || environment_is_used(conf, stores[i]))
            continue;
        buf_addf(&names, "%s%s", count++ ? ", " : "", stores[i]);
    }
    if (count)
        problem_add(&conf->problems, true, (struct conf_position){ 0 }, (bp_str){ "", 0 },
                    "%s set in the environment, and nothing in this conf uses %s: write ${NAME} "
                    "where you want that value (" BP_FMT ")",
                    count > 1 ? "these variables are" : "a variable is", count > 1 ? "them" : "it",
                    BP_ARG(buf_str(&names)));
}

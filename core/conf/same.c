/* same.c - whether an instance is equal in two readings of a conf, so that it need not be made
 * again. */
#include <string.h>

#include "conf/conf.h"

static bool lists_are_same(const bp_str_list *a, const bp_str_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!bp_str_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool maps_are_same(const bp_option_map *a, const bp_option_map *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!bp_str_equal(a->items[i].name, b->items[i].name) ||
            !bp_str_equal(a->items[i].value, b->items[i].value))
            return false;
    return true;
}

static bool values_are_same(uint32_t type, const void *a, const void *b)
{
    switch (type) {
    case BP_OPTION_TYPE_STRING:
    case BP_OPTION_TYPE_URL:
    case BP_OPTION_TYPE_ADDRESS:
    case BP_OPTION_TYPE_PATH:
    case BP_OPTION_TYPE_SECRET:
        return bp_str_equal(*(const bp_str *)a, *(const bp_str *)b);
    case BP_OPTION_TYPE_LIST:
        return lists_are_same(a, b);
    case BP_OPTION_TYPE_MAP:
        return maps_are_same(a, b);
    case BP_OPTION_TYPE_REF:
    case BP_OPTION_TYPE_REFS:
        return true; // their names are compared with the references
    default:         // numbers
        return memcmp(a, b, option_field_size(type)) == 0;
    }
}

static bool options_are_same(const struct conf_instance *a, const struct conf_instance *b)
{
    const struct option_table *table = &a->plugin.options;

    if (table->options != b->plugin.options.options || table->count != b->plugin.options.count)
        return false; // another file of the plugin
    for (uint32_t i = 0; i < table->count; i++) {
        bp_option option = option_at(table, i);

        if (!values_are_same(option.type, (const char *)a->options + option.offset,
                             (const char *)b->options + option.offset))
            return false;
    }
    return true;
}

static bool refs_are_same(const struct option_refs *a, const struct option_refs *b)
{
    const struct option_ref *one = a->first, *other = b->first;

    for (; one && other; one = one->next, other = other->next)
        if (!bp_str_equal(one->option, other->option) || !bp_str_equal(one->kind, other->kind) ||
            !bp_str_equal(one->name, other->name))
            return false;
    return !one && !other;
}

static bool gates_are_same(const struct gate_conf *a, const struct gate_conf *b)
{
    return a->deadline_ns == b->deadline_ns && a->max_concurrent == b->max_concurrent &&
           a->queue == b->queue &&
           memcmp(&a->client_share, &b->client_share, sizeof(a->client_share)) == 0 &&
           a->retries == b->retries && a->breaker_failures == b->breaker_failures &&
           a->breaker_window_ns == b->breaker_window_ns &&
           a->breaker_pause_ns == b->breaker_pause_ns && a->critical == b->critical &&
           bp_str_equal(a->digest, b->digest) && a->every_ns == b->every_ns && a->rise == b->rise &&
           a->fall == b->fall && bp_str_equal(a->prefix, b->prefix);
}

bool conf_instance_is_same(const struct conf_instance *a, const struct conf_instance *b)
{
    return strcmp(a->kind, b->kind) == 0 && bp_str_equal(a->name, b->name) &&
           bp_str_equal(a->use, b->use) && !a->is_missing && !b->is_missing &&
           options_are_same(a, b) && refs_are_same(&a->refs, &b->refs) &&
           gates_are_same(&a->gate, &b->gate);
}

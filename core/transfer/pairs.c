/* pairs.c - which instance of the source moves to which of the target: by kind and name, or as a
 * map says. Both may be the same place, by their plugin and its options that are texts. */
#include <stdio.h>

#include "base/crypto.h"
#include "base/str.h"
#include "transfer/parts.h"

/* Storages come first: the documents of an app before the points that stand for them. */
static const char *const moved_kinds[] = { "storage", "vector", "cache" };
enum { MOVED_KINDS = sizeof(moved_kinds) / sizeof(moved_kinds[0]) };

/* Without what says who asks: another password leads to the same place. */
static bp_str without_user(struct arena *arena, bp_str url)
{
    const char *scheme = url.len ? strstr(url.data, "://") : NULL, *at = NULL;
    const char *end = scheme ? scheme + 3 + strcspn(scheme + 3, "/?") : NULL;

    for (const char *c = scheme ? scheme + 3 : NULL; c && c < end; c++)
        if (*c == '@')
            at = c;
    return at ? arena_format(arena, "%.*s%s", (int)(scheme + 3 - url.data), url.data, at + 1) : url;
}

/* A hash of the plugin and of its options that are texts: path, URL, prefix. Numbers are how, not
 * where. */
static const char *place_of(struct arena *arena, const struct conf_instance *conf)
{
    struct bp_buf text;
    uint8_t       digest[32];
    char          hex[65];

    buf_init(&text, arena, 1 << 20);
    buf_add(&text, conf->use);
    for (uint32_t i = 0; i < conf->plugin.options.count; i++) {
        bp_option   option = option_at(&conf->plugin.options, i);
        const void *field = (const char *)conf->options + option.offset;
        bool is_place = option.type == BP_OPTION_TYPE_STRING || option.type == BP_OPTION_TYPE_URL ||
                        option.type == BP_OPTION_TYPE_ADDRESS ||
                        option.type == BP_OPTION_TYPE_PATH ||
                        (option.type == BP_OPTION_TYPE_SECRET && strstr(option.name, "url"));

        if (is_place)
            buf_addf(&text, "\n%s=" BP_FMT, option.name,
                     BP_ARG(without_user(arena, *(const bp_str *)field)));
    }
    crypto_sha256(buf_str(&text), digest);
    crypto_hex(digest, sizeof(digest), hex);
    return arena_dup(arena, bp_str_of(hex)).data;
}

/* The name behind "kind.name=kind." in the maps; the name itself when none speaks of it. Empty: it
 * is left out. */
static bp_str target_name(const struct transfer *t, const char *kind, bp_str name)
{
    char begin[128];

    snprintf(begin, sizeof(begin), "%s." BP_FMT "=", kind, BP_ARG(name));
    for (size_t i = 0; i < t->map_count; i++)
        if (strncmp(t->maps[i], begin, strlen(begin)) == 0) {
            const char *target = t->maps[i] + strlen(begin), *dot = strchr(target, '.');

            return strcmp(target, "none") == 0 ? BP_STR("") : bp_str_of(dot ? dot + 1 : target);
        }
    return name;
}

static bool is_moved_kind(const char *kind)
{
    for (size_t k = 0; k < MOVED_KINDS; k++)
        if (strcmp(kind, moved_kinds[k]) == 0)
            return true;
    return false;
}

bool transfer_check_maps(struct transfer *t)
{
    for (size_t i = 0; i < t->map_count; i++) {
        bp_str rest, source = str_split(bp_str_of(t->maps[i]), '=', &rest), name,
                     kind = str_split(source, '.', &name), to_name,
                     to_kind = str_split(rest, '.', &to_name);
        char word[32];

        snprintf(word, sizeof(word), "%.*s", (int)(kind.len < 31 ? kind.len : 31), kind.data);
        if (!is_moved_kind(word) || !conf_find_instance(t->from.conf, kind, name))
            return transfer_fail(t,
                                 "--map %s: %s has no such instance; it is written "
                                 "storage.a=storage.b, or storage.a=none to leave it out",
                                 t->maps[i], t->from.file);
        if (!bp_str_is(rest, "none") &&
            (!bp_str_equal(kind, to_kind) || !conf_find_instance(t->to.conf, to_kind, to_name)))
            return transfer_fail(t, "--map %s: %s has no %s of the name \"" BP_FMT "\"", t->maps[i],
                                 t->to.file, word, BP_ARG(to_name));
    }
    return true;
}

/* The pair of one instance of the source; false when the target has nothing for it. */
static bool add_pair(struct transfer *t, const struct conf_instance *source)
{
    bp_str                      name = target_name(t, source->kind, source->name);
    const struct conf_instance *target = name.len
                                             ? conf_find_instance(t->to.conf,
                                                                  bp_str_of(source->kind), name)
                                             : NULL;
    struct transfer_pair       *pair = &t->pairs[t->pair_count];

    if (!name.len) {
        transfer_note(t, "%s." BP_FMT " of %s is left out, as --map says", source->kind,
                      BP_ARG(source->name), t->from.file);
        return true;
    }
    if (!target && strcmp(source->kind, "cache") == 0) {
        transfer_note(t, "%s." BP_FMT " of %s has no counterpart in %s: its budgets are not moved",
                      source->kind, BP_ARG(source->name), t->from.file, t->to.file);
        return true;
    }
    if (!target || target->is_missing || source->is_missing)
        return transfer_fail(t,
                             "%s has no %s." BP_FMT
                             " to which that of %s could be moved: say where by --map %s." BP_FMT
                             "=%s.NAME, or leave it out by --map %s." BP_FMT "=none",
                             t->to.file, source->kind, BP_ARG(name), t->from.file, source->kind,
                             BP_ARG(source->name), source->kind, source->kind,
                             BP_ARG(source->name));
    *pair = (struct transfer_pair){ .kind = source->kind,
                                    .from_name = source->name,
                                    .to_name = name };
    pair->source = place_of(&t->arena, source);
    pair->target = place_of(&t->arena, target);
    pair->is_same_place = strcmp(pair->source, pair->target) == 0;
    if (pair->is_same_place)
        transfer_note(t, "%s." BP_FMT " is the same place on both sides and is left alone",
                      source->kind, BP_ARG(source->name));
    t->pair_count++;
    return true;
}

bool transfer_make_pairs(struct transfer *t)
{
    const struct conf *conf = t->from.conf;

    t->pairs = arena_alloc(&t->arena, (conf->instance_count + 1) * sizeof(*t->pairs));
    for (size_t k = 0; t->pairs && k < MOVED_KINDS; k++)
        for (size_t i = 0; i < conf->instance_count; i++)
            if (strcmp(conf->instances[i].kind, moved_kinds[k]) == 0 &&
                !add_pair(t, &conf->instances[i]))
                return false;
    return t->pairs || transfer_fail(t, "no memory for the pairs of instances");
}

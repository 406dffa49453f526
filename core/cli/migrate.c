/* migrate.c - `backplane migrate --from CONF --to CONF`: moves what a deployment keeps to other
 * back ends.
 *
 *      conf A -> generation A: its storages, vector stores, caches ---+
 *                                                                     |  one call on one worker of one host
 *      conf B -> generation B: the same, and the tables of its apps --+
 *
 * Both confs are resolved by one registry and their instances live on the workers of one host, side
 * by side, as the generations of a reload would: instances are found by their generation, never by
 * a global name, and series of metrics that both define are shared. No app is started and nothing
 * listens. Instances are paired by kind and name.
 */
#include "cli/migrate.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/keys.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/conf_commands.h"
#include "host/report.h"

enum { NOTES_MAX = 1000, NOTE_BYTES = 1024 };

#define DAYS_30 BP_SECONDS(30LL * 86400)

static const char *const moved_kinds[] = { "storage", "vector", "cache" };
enum { MOVED_KINDS = sizeof(moved_kinds) / sizeof(moved_kinds[0]) };

/* ---- stopping ---- */

static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
    (void)number;
    is_stopped = 1;
}

/* The first signal ends it behind the page it is at, the second one at once. */
static void watch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool migrate_is_stopped(void)
{
    return is_stopped != 0;
}

bp_status migrate_check_stop(bp_call *call, struct migration *m)
{
    if (!migrate_is_stopped())
        return BP_OK;
    m->is_interrupted = true;
    return call_fail(call, BP_CANCELLED,
                     "stopped as it was asked to; what was written stays. Go on with: backplane "
                     "migrate --from %s --to %s%s",
                     m->from_file, m->to_file, m->is_verify_only ? " --verify-only" : " --resume");
}

/* ---- what the report says ---- */

void migrate_note(struct migration *m, const char *format, ...)
{
    char    text[NOTE_BYTES];
    va_list list;

    if (!m->notes)
        m->notes = arena_alloc(&m->arena, NOTES_MAX * sizeof(*m->notes));
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (m->note_count == NOTES_MAX - 1)
        snprintf(text, sizeof(text),
                 "there is more to say than the %d notes that a report has room for", NOTES_MAX);
    if (m->notes && m->note_count < NOTES_MAX)
        m->notes[m->note_count++] = arena_dup(&m->arena, bp_str_of(text)).data;
}

void migrate_differs(struct migration *m, struct migrate_item *item, const char *format, ...)
{
    char    text[NOTE_BYTES];
    va_list list;

    m->has_difference = true;
    if (item->difference.len)
        return; // the first one is named
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    item->difference = arena_dup(&m->arena, bp_str_of(text));
}

/* ---- pairs ---- */

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
static bp_str target_name(const struct migration *m, const char *kind, bp_str name)
{
    char begin[128];

    snprintf(begin, sizeof(begin), "%s." BP_FMT "=", kind, BP_ARG(name));
    for (size_t i = 0; i < m->map_count; i++)
        if (strncmp(m->maps[i], begin, strlen(begin)) == 0) {
            const char *target = m->maps[i] + strlen(begin), *dot = strchr(target, '.');

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

static bool check_maps(const struct migration *m)
{
    for (size_t i = 0; i < m->map_count; i++) {
        bp_str rest, source = str_split(bp_str_of(m->maps[i]), '=', &rest), name,
                     kind = str_split(source, '.', &name), to_name,
                     to_kind = str_split(rest, '.', &to_name);
        char word[32];

        snprintf(word, sizeof(word), "%.*s", (int)(kind.len < 31 ? kind.len : 31), kind.data);
        if (!is_moved_kind(word) || !conf_find_instance(m->host->conf, kind, name)) {
            fprintf(stderr,
                    "backplane migrate: --map %s: %s has no such instance; it is written "
                    "storage.a=storage.b, or storage.a=none to leave it out\n",
                    m->maps[i], m->from_file);
            return false;
        }
        if (!bp_str_is(rest, "none") &&
            (!bp_str_equal(kind, to_kind) || !conf_find_instance(m->to_conf, to_kind, to_name))) {
            fprintf(stderr,
                    "backplane migrate: --map %s: %s has no %s of the name \"" BP_FMT "\"\n",
                    m->maps[i], m->to_file, word, BP_ARG(to_name));
            return false;
        }
    }
    return true;
}

/* The pair of one instance of the source; false when the target has nothing for it. */
static bool add_pair(struct migration *m, const struct conf_instance *source)
{
    bp_str                      name = target_name(m, source->kind, source->name);
    const struct conf_instance *target = name.len
                                             ? conf_find_instance(m->to_conf,
                                                                  bp_str_of(source->kind), name)
                                             : NULL;
    struct migrate_pair        *pair = &m->pairs[m->pair_count];

    if (!name.len) {
        migrate_note(m, "%s." BP_FMT " of %s is left out, as --map says", source->kind,
                     BP_ARG(source->name), m->from_file);
        return true;
    }
    if (!target && strcmp(source->kind, "cache") == 0) {
        migrate_note(m, "%s." BP_FMT " of %s has no counterpart in %s: its budgets are not moved",
                     source->kind, BP_ARG(source->name), m->from_file, m->to_file);
        return true;
    }
    if (!target || target->is_missing || source->is_missing) {
        fprintf(stderr,
                "backplane migrate: %s has no %s." BP_FMT
                " to which that of %s could be moved: say where by --map %s." BP_FMT
                "=%s.NAME, or leave it out by --map %s." BP_FMT "=none\n",
                m->to_file, source->kind, BP_ARG(name), m->from_file, source->kind,
                BP_ARG(source->name), source->kind, source->kind, BP_ARG(source->name));
        return false;
    }
    *pair = (struct migrate_pair){ .kind = source->kind,
                                   .from_name = source->name,
                                   .to_name = name };
    pair->source = place_of(&m->arena, source);
    pair->target = place_of(&m->arena, target);
    pair->is_same_place = strcmp(pair->source, pair->target) == 0;
    if (pair->is_same_place)
        migrate_note(m, "%s." BP_FMT " is the same place on both sides and is left alone",
                     source->kind, BP_ARG(source->name));
    m->pair_count++;
    return true;
}

/* Storages come first: the documents of an app before the points that stand for them. */
static bool make_pairs(struct migration *m)
{
    const struct conf *conf = m->host->conf;

    m->pairs = arena_alloc(&m->arena, (conf->instance_count + 1) * sizeof(*m->pairs));
    for (size_t k = 0; m->pairs && k < MOVED_KINDS; k++)
        for (size_t i = 0; i < conf->instance_count; i++)
            if (strcmp(conf->instances[i].kind, moved_kinds[k]) == 0 &&
                !add_pair(m, &conf->instances[i]))
                return false;
    return m->pairs != NULL;
}

/* ---- both sides up ---- */

struct choosing {
    const struct migration *m;
    bool                    is_target;
};

static bool is_in_a_pair(const struct conf_instance *conf, void *arg)
{
    const struct choosing *choosing = arg;

    for (size_t i = 0; i < choosing->m->pair_count; i++) {
        const struct migrate_pair *pair = &choosing->m->pairs[i];

        if (strcmp(conf->kind, pair->kind) == 0 &&
            bp_str_equal(conf->name, choosing->is_target ? pair->to_name : pair->from_name) &&
            // of what stays where it is, only a storage is needed: for the books of its neighbours
            // and the tables of apps
            (!pair->is_same_place || (choosing->is_target && strcmp(pair->kind, "storage") == 0)))
            return true;
    }
    return false;
}

static bool is_storage_of_app(const struct conf_instance *conf, void *arg)
{
    (void)arg;
    return strcmp(conf->kind, "storage") == 0;
}

static bool find_instances(struct migration *m)
{
    struct instance *books = NULL;

    for (size_t i = 0; i < m->pair_count; i++) {
        struct migrate_pair *pair = &m->pairs[i];

        pair->from = generation_find(m->from, 0, bp_str_of(pair->kind), pair->from_name);
        pair->to = generation_find(m->to, 0, bp_str_of(pair->kind), pair->to_name);
        if (strcmp(pair->kind, "storage") == 0) {
            pair->books = pair->to;
            books = books ? books : pair->to;
        } else {
            pair->books = books;
        }
        if (!pair->is_same_place &&
            (!pair->from || !pair->from->unit->is_up || !pair->to || !pair->to->unit->is_up)) {
            const struct instance *bad = pair->from && pair->from->unit->is_up ? pair->to
                                                                               : pair->from;

            fprintf(stderr, "backplane migrate: %s." BP_FMT " cannot be used: %s\n", pair->kind,
                    BP_ARG(pair->from_name), bad ? bad->unit->problem : "it did not start");
            return false;
        }
    }
    return true;
}

static bp_status make_key_table(bp_call *call, void *arg)
{
    const struct migration *m = arg;
    bp_str                  name = m->to_conf->server.auth.storage;
    struct instance *storage = name.len ? generation_find(m->to, 0, BP_STR("storage"), name) : NULL;

    return storage ? keys_migrate(call, &storage->peer) : BP_OK;
}

/* The target's tables, as the start of its server would make them. */
static bool make_tables(struct migration *m)
{
    char problem[512];

    if (m->is_verify_only)
        return true;
    if (!generation_start_chosen(m->to, is_storage_of_app, NULL) ||
        !generation_migrate_apps(m->to)) {
        fprintf(stderr, "backplane migrate: %s: %s\n", m->to_file, m->to->problem);
        return false;
    }
    if (generation_call(&m->host->workers[0], BP_SECONDS(60), make_key_table, m, problem) == BP_OK)
        return true;
    fprintf(stderr, "backplane migrate: %s: %s\n", m->to_file, problem);
    return false;
}

static bool start_both(struct migration *m)
{
    struct choosing source = { m, false }, target = { m, true };

    m->from = m->host->edition->generation;
    m->to = generation_new(m->to_conf, m->host->registry, m->host->workers, m->host->worker_count,
                           m->host->pool, NULL);
    if (!m->to) {
        fprintf(stderr, "backplane migrate: no memory for the instances of %s\n", m->to_file);
        return false;
    }
    mkdir(m->to_conf->data_dir.data,
          0700); // what is wrong with it, the first plugin that needs it says
    if (!generation_start_chosen(m->from, is_in_a_pair, &source)) {
        fprintf(stderr, "backplane migrate: %s: %s\n", m->from_file, m->from->problem);
        return false;
    }
    if (!generation_start_chosen(m->to, is_in_a_pair, &target)) {
        fprintf(stderr, "backplane migrate: %s: %s\n", m->to_file, m->to->problem);
        return false;
    }
    return make_tables(m) && find_instances(m);
}

/* ---- the work: one call ---- */

typedef bp_status     item_fn(bp_call *call, struct migration *m, struct migrate_item *item);
static item_fn *const copy_of[] = { tables_copy, points_copy, budgets_copy };
static item_fn *const compare_of[] = { tables_compare, points_compare, budgets_compare };

static bp_status copy_all(bp_call *call, struct migration *m)
{
    int64_t started_ns = clock_now_ns();

    for (struct migrate_item *item = m->items; item; item = item->next) {
        if (item->is_done)
            continue;
        // Points and budgets are in another place than the books: what is there after a kill must
        // be known as ours.
        if (item->kind != ITEM_TABLE && !item->is_begun)
            BP_TRY(migrate_write_book(call, item, false));
        item->copied_ns = clock_now_ns();
        BP_TRY(copy_of[item->kind](call, m, item));
        item->copied_ns = clock_now_ns() - item->copied_ns;
        // The books of a table are behind what this struct says: only that it is done is still to
        // be written.
        BP_TRY(migrate_write_book(call, item, true));
    }
    m->copied_ns = clock_now_ns() - started_ns;
    return BP_OK;
}

static bp_status run(bp_call *call, void *arg)
{
    struct migration *m = arg;

    BP_TRY(migrate_plan(call, m));
    if (!m->is_verify_only) {
        BP_TRY(migrate_open_books(call, m));
        BP_TRY(migrate_carry_owners(call, m));
        BP_TRY(copy_all(call, m));
    }
    for (struct migrate_item *item = m->items; item; item = item->next)
        if (!item->is_compared)
            BP_TRY(compare_of[item->kind](call, m, item));
    return BP_OK;
}

/* ---- the command ---- */

/* The target's conf, read and resolved by the registry of the host. */
static bool load_target(struct migration *m)
{
    struct conf_plugins plugins;
    char                problem[512];

    m->to_conf = conf_load(m->to_file, NULL);
    if (!m->to_conf) {
        fprintf(stderr, "backplane migrate: no memory to read %s\n", m->to_file);
        return false;
    }
    for (size_t i = 0; i < m->to_conf->plugin_dirs.count; i++)
        if (!registry_scan(m->host->registry, m->to_conf->plugin_dirs.items[i].data, true,
                           problem)) {
            fprintf(stderr, "backplane migrate: %s: it stands in `plugins` of %s\n", problem,
                    m->to_file);
            return false;
        }
    registry_check_digests(m->host->registry, m->to_conf);
    plugins = registry_for_conf(m->host->registry);
    conf_resolve(m->to_conf, &plugins);
    return report_problems(m->to_conf, stderr) == 0;
}

static int move(struct migration *m)
{
    char problem[512];

    if (!start_both(m))
        return EXIT_STORAGE;
    if (!m->is_verify_only)
        fprintf(stderr,
                "backplane migrate: what servers write to %s meanwhile is not moved: they should "
                "be stopped\n",
                m->from_file);
    if (generation_call(&m->host->workers[0], DAYS_30, run, m, problem) != BP_OK) {
        fprintf(stderr, "backplane migrate: %s\n", problem);
        return EXIT_FAILED;
    }
    migrate_report(m);
    return m->has_difference ? EXIT_FAILED : EXIT_DONE;
}

static int run_on_host(struct migration *m)
{
    struct host_options options = {
        .conf_file = m->from_file, .is_quiet = true, .only_kind = "", .only_name = ""
    };
    struct host host;
    int         status = host_load(&host, &options);

    m->host = &host;
    if (status == EXIT_DONE && (!load_target(m) || !check_maps(m) || !make_pairs(m)))
        status = EXIT_CONF;
    if (status == EXIT_DONE)
        status = host_start(&host, &options);
    if (status == EXIT_DONE)
        status = move(m);
    if (m->to) {
        generation_stop(m->to);
        generation_free(m->to);
    }
    if (host.workers)
        host_stop(&host);
    if (m->to_conf)
        conf_free(m->to_conf);
    host_free(&host);
    return status;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: backplane migrate --from CONF --to CONF [--map KIND.NAME=KIND.NAME|none]... "
            "[--resume] [--verify-only] [--leave-out] [--json]\n"
            "Moves what the storages, vector stores and caches of one conf keep to those of the "
            "other, and compares both. --resume:\ngo on with a move that did not come to its end. "
            "--verify-only: compare, and write nothing. --leave-out: go on without rows\nthat no "
            "back end takes any more (a NUL in a text), and list them.\n");
    return EXIT_USAGE;
}

int command_migrate(int argc, char **argv)
{
    struct migration m = { .from_file = cli_take_option(&argc, argv, "--from"),
                           .to_file = cli_take_option(&argc, argv, "--to") };
    const char      *map;
    int              status;

    m.is_resume = cli_take_flag(&argc, argv, "--resume");
    m.is_verify_only = cli_take_flag(&argc, argv, "--verify-only");
    m.is_json = cli_take_flag(&argc, argv, "--json");
    m.is_leaving_out = cli_take_flag(&argc, argv, "--leave-out");
    while (m.map_count < MIGRATE_MAPS_MAX && (map = cli_take_option(&argc, argv, "--map")) != NULL)
        m.maps[m.map_count++] = map;
    if (!cli_is_all_taken(argc, argv, 0))
        return EXIT_USAGE;
    if (!m.from_file || !m.to_file || (m.is_resume && m.is_verify_only))
        return usage();
    m.items_end = &m.items;
    arena_init(&m.arena, (size_t)1 << 30);
    watch_signals();
    status = run_on_host(&m);
    arena_free(&m.arena);
    return status;
}

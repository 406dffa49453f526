/* registry.c - the plugin files, and which of them are loaded. */
#include "plugin/registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/str.h"
#include "plugin/guard.h"

enum { OPS_BYTES_MAX = 4096 };

struct entry {
    struct plugin_file file;
    struct plugin      plugin;
    bool               is_tried, is_loaded, is_duplicate;
    struct reason      problem;
};

struct plugin_registry {
    struct arena               arena;
    struct log                *log;
    const struct host_service *services;
    size_t                     service_count;
    struct entry              *entries[REGISTRY_FILES_MAX];
    size_t                     count;
};

struct plugin_registry *registry_new(struct log *log, const struct host_service *services,
                                     size_t service_count)
{
    struct plugin_registry *registry = calloc(1, sizeof(*registry));

    if (!registry)
        return NULL;
    arena_init(&registry->arena, 64u << 20);
    registry->log = log;
    registry->services = services;
    registry->service_count = service_count;
    lt_dlinit();
    return registry;
}

void registry_free(struct plugin_registry *registry)
{
    if (!registry)
        return;
    // Modules are resident: they stay mapped, and lt_dlexit() would only close the others.
    arena_free(&registry->arena);
    free(registry);
}

static struct entry *add_file(struct plugin_registry *registry, const char *path)
{
    struct entry *entry;

    if (registry->count == REGISTRY_FILES_MAX)
        return NULL;
    entry = arena_alloc(&registry->arena, sizeof(*entry));
    if (!entry)
        return NULL;
    plugin_inspect(&registry->arena, path, &entry->file);
    registry->entries[registry->count++] = entry;
    return entry;
}

static void refuse_as_duplicate(struct entry *entry, const struct entry *other)
{
    struct plugin_file *file = &entry->file;

    reason_set(&file->problem, "there is another plugin %s/%s, in %s: remove one of the two",
               file->note.kind, file->note.name, other->file.path);
    file->is_accepted = false;
    entry->is_duplicate = true;
}

/* Two files that call themselves the same: neither is taken, as nobody could say which one was
 * meant. */
static void refuse_duplicates(struct plugin_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        for (size_t j = i + 1; j < registry->count; j++) {
            struct entry *a = registry->entries[i], *b = registry->entries[j];

            if ((!a->file.is_accepted && !a->is_duplicate) ||
                (!b->file.is_accepted && !b->is_duplicate) ||
                strcmp(a->file.note.kind, b->file.note.kind) != 0 ||
                strcmp(a->file.note.name, b->file.note.name) != 0)
                continue;
            refuse_as_duplicate(a, b);
            refuse_as_duplicate(b, a);
        }
    }
}

/* A folder may be named twice, by another path: its files are not two of a kind. */
static bool is_there(const struct plugin_registry *registry, const char *path)
{
    struct stat mine, other;

    if (stat(path, &mine) != 0)
        return false;
    for (size_t i = 0; i < registry->count; i++) {
        const char *known = registry->entries[i]->file.path;

        // It has no path when there was no memory for it.
        if (known[0] && strcmp(strrchr(known, '/'), strrchr(path, '/')) == 0 &&
            stat(known, &other) == 0 && mine.st_dev == other.st_dev && mine.st_ino == other.st_ino)
            return true;
    }
    return false;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool scan_folder(struct plugin_registry *registry, const char *folder, int depth)
{
    struct dirent **names;
    int             count = scandir(folder, &names, NULL, by_name);

    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        char        path[PATH_MAX];
        struct stat info;
        size_t      len = strlen(names[i]->d_name);

        if (names[i]->d_name[0] != '.' &&
            snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name) < (int)sizeof(path)) {
            if (len > 3 && strcmp(names[i]->d_name + len - 3, ".so") == 0) {
                if (!is_there(registry, path))
                    add_file(registry, path);
            } else if (depth == 0 && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
                scan_folder(registry, path, depth + 1);
            }
        }
        free(names[i]);
    }
    free(names);
    return true;
}

bool registry_scan(struct plugin_registry *registry, const char *folder, struct reason *why)
{
    if (!scan_folder(registry, folder, 0))
        return reason_set(why, "plugin folder %.300s cannot be read: %s", folder, strerror(errno));
    refuse_duplicates(registry);
    return true;
}

size_t registry_count(const struct plugin_registry *registry)
{
    return registry->count;
}

const struct plugin_file *registry_at(const struct plugin_registry *registry, size_t index)
{
    return &registry->entries[index]->file;
}

/* ---- loading ---- */

static bool fill_services(const struct plugin_registry *registry, const bp_plugin *descriptor,
                          struct reason *why)
{
    const char *at = (const char *)descriptor->requires_begin,
               *end = (const char *)descriptor->requires_end;

    if (!at || end < at || descriptor->require_size < sizeof(bp_require) ||
        (size_t)(end - at) % descriptor->require_size != 0) {
        reason_set(why, "its list of required services is malformed");
        return false;
    }
    for (; at < end; at += descriptor->require_size) {
        const bp_require          *require = (const bp_require *)at;
        const struct host_service *found = NULL;

        for (size_t i = 0; i < registry->service_count; i++)
            if (strcmp(registry->services[i].name, require->name) == 0)
                found = &registry->services[i];
        if (!found) {
            reason_set(why, "it needs the host service \"%.64s\", which this host does not have",
                       require->name);
            return false;
        }
        if (found->major != require->major) {
            reason_set(why,
                       "it needs version %u of the host service \"%.64s\", this host has version "
                       "%u",
                       require->major, require->name, found->major);
            return false;
        }
        if (found->size < require->minimum_size) {
            reason_set(why,
                       "it needs a newer host: service \"%.64s\" must have %u bytes of functions, "
                       "this host has %u",
                       require->name, require->minimum_size, found->size);
            return false;
        }
        *require->slot = found->table;
    }
    return true;
}

static bool check_descriptor(struct plugin_registry *registry, const struct plugin_file *file,
                             const bp_plugin *theirs, struct plugin *plugin, struct reason *why)
{
    const bp_plugin *ours = &plugin->descriptor;
    void            *ops;
    uint32_t         size;
    bp_str           wrong;

    if (!theirs) {
        reason_set(why, "bp_plugin_entry() gave no descriptor for ABI %u.%u", BP_ABI_MAJOR,
                   BP_ABI_MINOR);
        return false;
    }
    if (theirs->magic != BP_PLUGIN_MAGIC) {
        reason_set(why, "its descriptor has the magic number 0x%08x instead of 0x%08x",
                   theirs->magic, BP_PLUGIN_MAGIC);
        return false;
    }
    if (theirs->struct_size < sizeof(bp_plugin)) {
        reason_set(why, "its descriptor is shorter (%u bytes) than that of ABI 1.0 (%zu)",
                   theirs->struct_size, sizeof(bp_plugin));
        return false;
    }
    memcpy(&plugin->descriptor, theirs, sizeof(bp_plugin));
    if (ours->abi_major != BP_ABI_MAJOR || ours->min_host_minor > BP_ABI_MINOR) {
        reason_set(why, "its descriptor says ABI %u.%u (host at least %u.%u), this host has %u.%u",
                   ours->abi_major, ours->abi_minor, ours->abi_major, ours->min_host_minor,
                   BP_ABI_MAJOR, BP_ABI_MINOR);
        return false;
    }
    if (!ours->kind || !ours->name || !ours->version || strcmp(ours->kind, file->note.kind) != 0 ||
        strcmp(ours->name, file->note.name) != 0 || ours->kind_version != file->note.kind_version) {
        reason_set(why, "its descriptor and its note disagree: %.40s/%.40s and %s/%s",
                   ours->kind ? ours->kind : "?", ours->name ? ours->name : "?", file->note.kind,
                   file->note.name);
        return false;
    }
    if (ours->instance_size > 64u << 10) {
        reason_set(why, "its instance has %u bytes, the most is 64 KiB", ours->instance_size);
        return false;
    }
    if (ours->option_count > 200 ||
        (ours->option_count && (!ours->options || ours->option_size < 88))) {
        reason_set(why, "its option table is malformed: %u options of %u bytes", ours->option_count,
                   ours->option_size);
        return false;
    }
    if (!ours->ops || *(const uint32_t *)ours->ops < 2 * sizeof(uint32_t) ||
        *(const uint32_t *)ours->ops > OPS_BYTES_MAX) {
        reason_set(why, "it has no table of operations: set .ops, and .struct_size in it");
        return false;
    }
    // A shorter table, of an older minor, ends in operations that are not there instead of in what
    // lies behind it.
    size = *(const uint32_t *)ours->ops;
    ops = arena_alloc(&registry->arena, OPS_BYTES_MAX);
    if (!ops) {
        reason_set(why, "no memory for its table of operations");
        return false;
    }
    memcpy(ops, ours->ops, size);
    plugin->descriptor.ops = ops;
    plugin->options = (struct option_table){ ours->options, ours->option_size, ours->option_count };
    wrong = option_table_check(&registry->arena, &plugin->options, ours->instance_size);
    if (wrong.len) {
        reason_set(why, "its option table is wrong: %.400s", wrong.data);
        return false;
    }
    if (ours->life) {
        size = ours->life->struct_size < sizeof(bp_life) ? ours->life->struct_size
                                                         : (uint32_t)sizeof(bp_life);
        memcpy(&plugin->life, ours->life, size);
    }
    return true;
}

static lt_dlhandle open_module(const char *path)
{
    lt_dladvise advise;
    lt_dlhandle handle = NULL;

    if (lt_dladvise_init(&advise) != 0)
        return NULL;
    if (lt_dladvise_resident(&advise) == 0 && lt_dladvise_local(&advise) == 0)
        handle = lt_dlopenadvise(path, advise);
    lt_dladvise_destroy(&advise);
    return handle;
}

static bool open_and_check(struct plugin_registry *registry, struct entry *entry)
{
    struct plugin *plugin = &entry->plugin;
    const bp_plugin *(*get)(uint32_t host_abi);
    lt_dlhandle handle = open_module(entry->file.path);

    if (!handle) {
        const char *reason;

        // libltdl says "file not found" whatever was wrong, so the loader itself is asked; nothing
        // runs, as it fails.
        dlerror();
        dlopen(entry->file.path, RTLD_NOW | RTLD_LOCAL);
        reason = dlerror();
        return reason_set(&entry->problem, "it cannot be loaded: %.400s",
                          reason ? reason : "unknown");
    }
    *(void **)&get = lt_dlsym(handle, "bp_plugin_entry");
    if (!get)
        return reason_set(&entry->problem, "it does not export bp_plugin_entry()");
    return check_descriptor(registry, &entry->file, get(BP_ABI), plugin, &entry->problem) &&
           fill_services(registry, &plugin->descriptor, &entry->problem);
}

static void load(struct plugin_registry *registry, struct entry *entry)
{
    struct plugin     *plugin = &entry->plugin;
    struct guard_state before;

    if (!entry->file.is_accepted) {
        reason_set(&entry->problem, "%s", entry->file.problem.text);
        return;
    }
    snprintf(plugin->label, sizeof(plugin->label), "%s/%s", entry->file.note.kind,
             entry->file.note.name);
    plugin->file = &entry->file;
    guard_take(&before);
    entry->is_loaded = open_and_check(registry, entry);
    guard_restore(&before, registry->log, plugin->label, "being loaded");
}

static const struct plugin *load_once(struct plugin_registry *registry, struct entry *entry,
                                      struct reason *why)
{
    if (!entry->is_tried) {
        entry->is_tried = true;
        load(registry, entry);
    }
    if (entry->is_loaded)
        return &entry->plugin;
    reason_set(why, "%.250s: %.250s", entry->file.path, entry->problem.text);
    return NULL;
}

const struct plugin *registry_load(struct plugin_registry *registry, const char *kind,
                                   const char *name, struct reason *why)
{
    struct entry *refused = NULL;

    reason_clear(why);
    for (size_t i = 0; i < registry->count; i++) {
        struct entry *entry = registry->entries[i];

        if (!entry->file.is_readable || strcmp(entry->file.note.kind, kind) != 0 ||
            strcmp(entry->file.note.name, name) != 0)
            continue;
        if (entry->file.is_accepted)
            return load_once(registry, entry, why);
        refused = entry;
    }
    return refused ? load_once(registry, refused, why) : NULL;
}

/* ---- digests ---- */

static bool digest_of_file(const char *path, char text[65])
{
    struct bp_buf buf;
    FILE         *file = fopen(path, "re");
    uint8_t       digest[32];
    char          piece[65536];
    size_t        count;

    if (!file)
        return false;
    buf_init(&buf, NULL, INSPECT_FILE_MAX_BYTES);
    while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_add(&buf, (bp_str){ piece, count });
    fclose(file);
    crypto_sha256(buf_str(&buf), digest);
    crypto_hex(digest, sizeof(digest), text);
    buf_free(&buf);
    return true;
}

static struct entry *find_entry(struct plugin_registry *registry, const char *kind, bp_str name)
{
    for (size_t i = 0; i < registry->count; i++) {
        struct entry *entry = registry->entries[i];

        if (entry->file.is_accepted && strcmp(entry->file.note.kind, kind) == 0 &&
            bp_str_is(name, entry->file.note.name))
            return entry;
    }
    return NULL;
}

void registry_check_digests(struct plugin_registry *registry, struct conf *conf)
{
    for (size_t i = 0; i < conf->instance_count; i++) {
        const struct conf_instance *instance = &conf->instances[i];
        const struct conf_node     *pin = node_find(instance->node, "digest");
        struct entry *entry = pin ? find_entry(registry, instance->kind, instance->use) : NULL;
        char          digest[65] = "";
        uint8_t       hash[32];

        if (!entry || node_is_unset(pin) || (!pin->value.len && !node_is_null(pin)))
            continue; // "": any file
        if (!crypto_unhex(pin->value, hash,
                          sizeof(hash))) { // a mistake that the reader of the conf has told
            entry->file.is_accepted = false;
            reason_set(&entry->file.problem, "the conf pins it by a digest that is not a SHA-256");
            continue;
        }
        if (digest_of_file(entry->file.path, digest) &&
            str_equal_ignore_case(pin->value, bp_str_of(digest)))
            continue;
        error_at_value(&conf->problems, pin,
                       "the file %s has the SHA-256 %s, which is not the pinned one: it is not "
                       "loaded",
                       entry->file.path, digest);
        entry->file.is_accepted = false;
        reason_set(&entry->file.problem, "its SHA-256 is not the one that the conf pins");
    }
}

/* ---- for the conf ---- */

static void describe(const struct plugin *plugin, struct conf_plugin *out)
{
    *out = (struct conf_plugin){ .kind = plugin->descriptor.kind,
                                 .name = plugin->descriptor.name,
                                 .version = plugin->descriptor.version,
                                 .summary = plugin->descriptor.summary ? plugin->descriptor.summary
                                                                       : "",
                                 .options = plugin->options,
                                 .instance_size = plugin->descriptor.instance_size };
}

static bool conf_find(void *context, const char *kind, const char *name, struct conf_plugin *out)
{
    struct plugin_registry *registry = context;
    struct reason           why;
    const struct plugin    *plugin = registry_load(registry, kind, name, &why);

    memset(out, 0, sizeof(*out));
    if (plugin)
        describe(plugin, out);
    else if (why.text[0])
        out->problem = arena_dup(&registry->arena, bp_str_of(why.text)).data;
    return plugin != NULL;
}

static bool conf_at(void *context, const char *kind, size_t index, struct conf_plugin *out)
{
    struct plugin_registry *registry = context;
    struct reason           why;

    for (size_t i = 0; i < registry->count; i++) {
        const struct plugin *plugin;

        if (!registry->entries[i]->file.is_accepted ||
            strcmp(registry->entries[i]->file.note.kind, kind) != 0)
            continue;
        plugin = load_once(registry, registry->entries[i], &why);
        if (!plugin || index-- > 0)
            continue;
        describe(plugin, out);
        return true;
    }
    return false;
}

struct conf_plugins registry_for_conf(struct plugin_registry *registry)
{
    return (struct conf_plugins){ .context = registry, .find = conf_find, .at = conf_at };
}

void registry_fill_host(const struct host_service *services, size_t service_count)
{
    for (const bp_require *require = __start_bp_requires; require < __stop_bp_requires; require++)
        for (size_t i = 0; i < service_count; i++)
            if (strcmp(services[i].name, require->name) == 0)
                *require->slot = services[i].table;
}

/* host.c - faked: the host that loads a plugin, checks its descriptor and leads its instances, and
 * the peers that a test gives them. */
#include "host.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "base/json_service.h"
#include "schema/params.h"

enum { OPTIONS_BYTES_MAX = 64 << 20 };

struct service {
    const char *name;
    uint32_t    major;
    const void *table;
    uint32_t    size;
};

static uint32_t host_worker_index(bp_call *call)
{
    return call->instance ? call->instance->worker_index : 0;
}
static uint32_t host_worker_count(bp_call *call)
{
    return call->instance ? call->instance->first->worker_count : 1;
}
static bp_str host_instance_name(bp_call *call)
{
    return call->instance ? bp_str_of(call->instance->name) : BP_STR("test");
}
static void host_report(bp_call *call, uint32_t level, bp_str sentence)
{
    struct testhost_report *report = call->instance ? &call->instance->first->report : NULL;

    if (!report)
        return;
    report->level = level;
    snprintf(report->sentence, sizeof(report->sentence), BP_FMT, BP_ARG(sentence));
}
const struct testhost_report *testhost_report_of(const testhost_instance *instance)
{
    return &instance->first->report;
}
static bp_str host_version(void)
{
    return BP_STR("testhost");
}

static const bp_host_service host_service = {
    .struct_size = sizeof(bp_host_service),
    .worker_index = host_worker_index,
    .worker_count = host_worker_count,
    .instance_name = host_instance_name,
    .version = host_version,
    .report = host_report,
};

static const struct service services[] = {
    { "call", 1, &call_service, sizeof(call_service) },
    { "loop", 1, &loop_service, sizeof(loop_service) },
    { "http", 1, &http_service, sizeof(http_service) },
    { "stream", 1, &stream_service, sizeof(stream_service) },
    { "json", 1, &json_service, sizeof(json_service) },
    { "metrics", 1, &metrics_service, sizeof(metrics_service) },
    { "host", 1, &host_service, sizeof(host_service) },
    { "params", 1, &params_service, sizeof(params_service) },
    { "web", 1, &web_service, sizeof(web_service) },
    { "mcp", 1, &mcp_service, sizeof(mcp_service) },
    { "command", 1, &command_service, sizeof(command_service) },
    { "run", 1, &run_service, sizeof(run_service) },
};

/* ---- small helpers of all files ---- */

void list_add(struct list *list, void *item)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 8;
        list->items = realloc(list->items, list->capacity * sizeof(void *));
        if (!list->items)
            abort(); /* a test has no better answer to a machine without memory */
    }
    list->items[list->count++] = item;
}

bool list_remove(struct list *list, const void *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == item) {
            memmove(list->items + i, list->items + i + 1, (list->count - i - 1) * sizeof(void *));
            list->count--;
            return true;
        }
    return false;
}

void list_free(struct list *list, void (*free_item)(void *item))
{
    for (size_t i = 0; i < list->count; i++)
        free_item(list->items[i]);
    free(list->items);
    memset(list, 0, sizeof(*list));
}

char *copy_text(bp_str text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        abort();
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

bp_status problem(testhost *host, bp_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reason_set_va(&host->problem, format, args);
    va_end(args);
    return status;
}

/* ---- services ---- */

static bp_status fill_services(testhost *host, const bp_require *begin, const bp_require *end,
                               uint32_t stride, const char *who)
{
    const char *at = (const char *)begin;
    for (; at && at < (const char *)end; at += stride) {
        const bp_require     *need = (const bp_require *)(const void *)at;
        const struct service *found = NULL;

        for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
            if (strcmp(services[i].name, need->name) == 0)
                found = &services[i];
        if (!found || found->major != need->major)
            return problem(host, BP_UNSUPPORTED,
                           "%s requires the service %s %u, which the host does not have", who,
                           need->name, need->major);
        if (found->size < need->minimum_size)
            return problem(host, BP_UNSUPPORTED,
                           "%s requires %u bytes of the service %s, the host has %u: it is newer",
                           who, need->minimum_size, need->name, found->size);
        *need->slot = found->table;
    }
    return BP_OK;
}

testhost *testhost_new(void)
{
    testhost *host = calloc(1, sizeof(*host));
    if (!host)
        return NULL;
    pthread_mutex_init(&host->lock, NULL);
    host->piece_size = 16;
    host->break_after = SIZE_MAX;
    /* The test program calls the SDK's inline functions too. */
    fill_services(host, __start_bp_requires, __stop_bp_requires, sizeof(bp_require), "the test");
    return host;
}

static void free_log(void *item)
{
    struct log_line *line = item;
    free(line->event);
    free(line->message);
    free(line->fields);
    free(line);
}

static void free_peer(void *item)
{
    bp_peer *peer = item;
    free((void *)(uintptr_t)peer->name.data);
    free((void *)(uintptr_t)peer->kind.data);
    free(peer);
}

void testhost_free(testhost *host)
{
    if (!host)
        return;
    list_free(&host->logs, free_log);
    list_free(&host->peers, free_peer);
    list_free(&host->jobs, free);
    free(host->instances.items);
    http_free(host);
    stream_free(host);
    metrics_free(host);
    mcp_free(host);
    run_free(host);
    free(host->data_dir);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

const char *testhost_problem(const testhost *host)
{
    return host->problem.text;
}

void testhost_set_data_dir(testhost *host, const char *path)
{
    free(host->data_dir);
    host->data_dir = copy_text(bp_str_of(path));
}

const char *testhost_leaks(testhost *host)
{
    const struct open_counts *open = &host->open;
    const struct {
        const char        *name;
        const atomic_long *count;
    } counts[] = {
        { "calls", &open->calls },       { "cleanups", &open->cleanups },
        { "streams", &open->streams },   { "http streams", &open->http_streams },
        { "children", &open->children }, { "jobs", &open->jobs },
        { "pools", &open->pools },       { "mutexes", &open->mutexes },
        { "wakers", &open->wakers },     { "instances", &open->instances },
    };
    size_t len = 0;

    host->leaks[0] = '\0';
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        long count = atomic_load(counts[i].count);
        if (count != 0 && len < sizeof(host->leaks))
            len += (size_t)snprintf(host->leaks + len, sizeof(host->leaks) - len, "%s%ld %s",
                                    len ? ", " : "", count, counts[i].name);
    }
    return host->leaks;
}

/* ---- loading ---- */

static bool is_kind(const char *kind)
{
    static const char *const kinds[] = { "storage", "cache",  "vector", "embed",
                                         "llm",     "health", "alert",  "app" };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

const bp_plugin *testhost_load_entry(testhost *host, const bp_plugin *(*entry)(uint32_t host_abi))
{
    const bp_plugin *plugin = entry(BP_ABI);

    reason_clear(&host->problem);
    if (!plugin || plugin->magic != BP_PLUGIN_MAGIC)
        problem(host, BP_INVALID, "bp_plugin_entry() gave no descriptor of a Backplane plugin");
    else if (plugin->struct_size < sizeof(bp_plugin))
        problem(host, BP_INVALID, "the descriptor has %u bytes, %zu are needed",
                plugin->struct_size, sizeof(bp_plugin));
    else if (plugin->abi_major != BP_ABI_MAJOR || plugin->min_host_minor > BP_ABI_MINOR)
        problem(host, BP_UNSUPPORTED,
                "the plugin was built for ABI %u.%u and needs a host of %u.%u or later; this is "
                "%u.%u",
                plugin->abi_major, plugin->abi_minor, plugin->abi_major, plugin->min_host_minor,
                BP_ABI_MAJOR, BP_ABI_MINOR);
    else if (!plugin->name || !plugin->name[0] || strlen(plugin->name) > 31 ||
             strspn(plugin->name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(plugin->name))
        problem(host, BP_INVALID, "a plugin's name is 1 to 31 of a-z 0-9 _ -");
    else if (!plugin->kind || !is_kind(plugin->kind))
        problem(host, BP_INVALID, "%s: there is no kind \"%s\"", plugin->name,
                plugin->kind ? plugin->kind : "");
    else if (!plugin->version || !plugin->summary)
        problem(host, BP_INVALID, "%s/%s: version and summary must be given", plugin->kind,
                plugin->name);
    else if (plugin->instance_size > 65536)
        problem(host, BP_INVALID, "%s/%s: instance_size is %u, at most 65,536 are allowed",
                plugin->kind, plugin->name, plugin->instance_size);
    else if (!plugin->ops || *(const uint32_t *)plugin->ops < sizeof(uint32_t) + sizeof(void *))
        problem(host, BP_INVALID, "%s/%s: there is no table of operations with its struct_size set",
                plugin->kind, plugin->name);
    else if (options_check_table(host, plugin) == BP_OK &&
             mcp_check_tables(host, plugin) == BP_OK &&
             fill_services(host, plugin->requires_begin, plugin->requires_end, plugin->require_size,
                           plugin->name) == BP_OK)
        return plugin;
    return NULL;
}

const bp_plugin *testhost_load(testhost *host, const char *path)
{
    const bp_plugin *(*entry)(uint32_t) = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!library) {
        problem(host, BP_NOT_FOUND, "cannot load %s: %s", path, dlerror());
        return NULL;
    }
    *(void **)&entry = dlsym(library, "bp_plugin_entry");
    if (!entry) {
        problem(host, BP_INVALID, "%s does not export bp_plugin_entry: use BP_PLUGIN()", path);
        return NULL;
    }
    return testhost_load_entry(host, entry);
}

/* ---- instances ---- */

const bp_peer *find_peer(testhost *host, bp_str name, const char *kind)
{
    for (size_t i = 0; i < host->instances.count; i++) {
        testhost_instance *instance = host->instances.items[i];
        if (bp_str_is(name, instance->name) && strcmp(instance->plugin->kind, kind) == 0)
            return &instance->peer;
    }
    for (size_t i = 0; i < host->peers.count; i++) {
        const bp_peer *peer = host->peers.items[i];
        if (bp_str_equal(name, peer->name) && bp_str_is(peer->kind, kind))
            return peer;
    }
    return NULL;
}

void testhost_add_peer(testhost *host, const char *name, const char *kind, uint32_t kind_version,
                       const void *ops, void *instance)
{
    bp_peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        abort();
    peer->struct_size = sizeof(*peer);
    peer->kind_version = kind_version;
    peer->name = bp_str_of(copy_text(bp_str_of(name)));
    peer->kind = bp_str_of(copy_text(bp_str_of(kind)));
    peer->plugin = BP_STR("fake");
    peer->ops = ops;
    peer->instance = instance;
    list_add(&host->peers, peer);
}

static testhost_instance *instance_new(testhost *host, const bp_plugin *plugin, const char *name)
{
    testhost_instance *instance = calloc(1, sizeof(*instance));
    if (!instance)
        abort();
    instance->host = host;
    instance->plugin = plugin;
    instance->first = instance;
    instance->worker_count = 1;
    instance->name = copy_text(bp_str_of(name));
    arena_init(&instance->options, OPTIONS_BYTES_MAX);
    instance->self = calloc(1, plugin->instance_size ? plugin->instance_size : 1);
    if (!instance->self)
        abort();
    instance->peer = (bp_peer){
        .struct_size = sizeof(bp_peer),
        .kind_version = plugin->kind_version,
        .name = bp_str_of(instance->name),
        .kind = bp_str_of(plugin->kind),
        .plugin = bp_str_of(plugin->name),
        .ops = plugin->ops,
        .instance = instance->self,
    };
    atomic_fetch_add(&host->open.instances, 1);
    return instance;
}

static void instance_free(testhost_instance *instance)
{
    atomic_fetch_sub(&instance->host->open.instances, 1);
    arena_free(&instance->options);
    free(instance->self);
    free(instance->name);
    free(instance);
}

/* Runs one hook with a call of its own; a failure's sentence becomes the problem. */
#define HOOK(instance, field, ...)                                                                 \
    (hook_is_there(instance, offsetof(bp_life, field)) && (instance)->plugin->life->field          \
         ? hook_end(call, "" #field, (instance)->plugin->life->field(__VA_ARGS__))                 \
         : BP_OK)

static bool hook_is_there(const testhost_instance *instance, size_t offset)
{
    return instance->plugin->life && instance->plugin->life->struct_size >= offset + sizeof(void *);
}

static bp_status hook_end(bp_call *call, const char *hook, bp_status status)
{
    if (status != BP_OK)
        problem(call->host, status, "%s/%s \"%s\": %s: %s: " BP_FMT, call->instance->plugin->kind,
                call->instance->plugin->name, call->instance->name, hook, bp_status_label(status),
                BP_ARG(call->error.message));
    return status;
}

bp_status testhost_check(testhost *host, const bp_plugin *plugin, const testhost_option *options,
                         size_t count)
{
    testhost_instance *instance = instance_new(host, plugin, "checked");
    bp_call           *call = call_new(host, instance, BP_SECONDS(5));
    bp_status          status;

    reason_clear(&host->problem);
    status = options_read(host, plugin, options, count, instance);
    if (status == BP_OK)
        status = HOOK(instance, check, call, instance->self);
    testhost_call_end(call);
    instance_free(instance);
    return status;
}

static bp_status instance_start(testhost_instance *instance, const testhost_option *options,
                                size_t count)
{
    bp_call  *call = call_new(instance->host, instance, BP_SECONDS(60));
    bp_status status = options_read(instance->host, instance->plugin, options, count, instance);

    if (status == BP_OK)
        status = HOOK(instance, check, call, instance->self);
    if (status == BP_OK)
        status = HOOK(instance, shared_create, call, instance->self, &instance->shared);
    if (status == BP_OK) {
        status = HOOK(instance, worker_start, call, instance->self, instance->shared);
        if (status != BP_OK && hook_is_there(instance, offsetof(bp_life, shared_destroy)) &&
            instance->plugin->life->shared_destroy)
            instance->plugin->life->shared_destroy(call, instance->shared);
    }
    testhost_call_end(call);
    return status;
}

testhost_instance *testhost_instance_create(testhost *host, const bp_plugin *plugin,
                                            const char *name, const testhost_option *options,
                                            size_t count)
{
    testhost_instance *instance = instance_new(host, plugin, name);

    reason_clear(&host->problem);
    if (instance_start(instance, options, count) != BP_OK) {
        instance_free(instance);
        return NULL;
    }
    list_add(&host->instances, instance);
    return instance;
}

testhost_instance *testhost_instance_worker(testhost_instance *first)
{
    testhost          *host = first->host;
    testhost_instance *instance = instance_new(host, first->plugin, first->name);
    bp_call           *call = call_new(host, instance, BP_SECONDS(60));
    bp_status          status;

    reason_clear(&host->problem);
    instance->first = first;
    instance->worker_index = first->worker_count;
    first->worker_count++;
    /* Only the option fields: what worker_start writes beside them is each worker's own. */
    options_copy(first->plugin, first->self, instance->self);
    status = HOOK(instance, worker_start, call, instance->self, first->shared);
    testhost_call_end(call);
    if (status != BP_OK) {
        instance_free(instance);
        return NULL;
    }
    return instance;
}

void testhost_instance_destroy(testhost_instance *instance)
{
    testhost      *host = instance ? instance->host : NULL;
    const bp_life *life = instance ? instance->plugin->life : NULL;
    bp_call       *call;

    if (!instance)
        return;
    call = call_new(host, instance, BP_SECONDS(60));
    HOOK(instance, drain, call, instance->self);
    for (size_t i = host->jobs.count; i-- > 0;) {
        struct job *job = host->jobs.items[i];
        if (job->instance == instance) {
            list_remove(&host->jobs, job);
            free(job);
            atomic_fetch_sub(&host->open.jobs, 1);
        }
    }
    if (hook_is_there(instance, offsetof(bp_life, worker_stop)) && life->worker_stop)
        life->worker_stop(call, instance->self);
    if (instance->first == instance && hook_is_there(instance, offsetof(bp_life, shared_destroy)) &&
        life->shared_destroy)
        life->shared_destroy(call, instance->shared);
    testhost_call_end(call);
    list_remove(&host->instances, instance);
    instance_free(instance);
}

void *testhost_self(const testhost_instance *instance)
{
    return instance->self;
}
const void *testhost_ops(const testhost_instance *instance)
{
    return instance->plugin->ops;
}
const bp_peer *testhost_peer(const testhost_instance *instance)
{
    return &instance->peer;
}

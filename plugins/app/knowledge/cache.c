/* cache.c - graphs in memory, one for each tenant that is in use; the storage is the truth.
 *
 *      tenant { lock: writes and loads, one after another   guard: readers share the graph, a change has it alone }
 *
 * A write is stored first and then done again in memory, under the tenant's lock, so that memory
 * sees writes in the order of the storage. The storage counts the writes of a tenant; a graph knows
 * which count it stands for. Every `refresh` the count is asked for: when another process has
 * written meanwhile, it is not the one expected, and the graph is read again. All graphs together
 * have a limit; those not used for longest go first. A graph that does not fit is read from the
 * storage (pages.c), and now and then tried again.
 */
#include "knowledge.h"

#include <pthread.h>
#include <stdlib.h>

enum { LOCKS = 16, SLOTS = 64, LOAD_TRIES = 4, TOO_LARGE_FOR_S = 60 };

struct tenant {
    struct tenant   *next; /* in its slot; tenants stay, their graphs may go */
    char            *name;
    bp_mutex        *lock;  /* shared with other tenants */
    pthread_rwlock_t guard; /* of all below; never held across waiting */
    struct graph    *graph; /* NULL: not in memory */
    int64_t          version;
    bool             is_stale;
    size_t           bytes;
    _Atomic int64_t  checked_ns, used_ns;
    _Atomic int64_t
        too_large_until_ns; /* it did not fit into memory; until then nobody tries again */
};

struct cache {
    pthread_mutex_t guard; /* of slots */
    struct tenant  *slots[SLOTS];
    bp_mutex       *locks[LOCKS];
    _Atomic size_t  bytes;
};

void cache_destroy(struct cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < SLOTS; i++) {
        while (cache->slots[i]) {
            struct tenant *tenant = cache->slots[i];

            cache->slots[i] = tenant->next;
            graph_free(tenant->graph);
            pthread_rwlock_destroy(&tenant->guard);
            free(tenant->name);
            free(tenant);
        }
    }
    for (size_t i = 0; i < LOCKS; i++)
        if (cache->locks[i])
            bp_mutex_destroy(cache->locks[i]);
    pthread_mutex_destroy(&cache->guard);
    free(cache);
}

bp_status cache_create(bp_call *call, struct cache **out)
{
    struct cache *cache = calloc(1, sizeof(*cache));
    bp_status     status = BP_OK;

    if (!cache)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the graphs");
    pthread_mutex_init(&cache->guard, NULL);
    for (size_t i = 0; i < LOCKS && status == BP_OK; i++)
        status = bp_mutex_create(call, &cache->locks[i]);
    if (status != BP_OK) {
        cache_destroy(cache);
        return status;
    }
    *out = cache;
    return BP_OK;
}

static uint32_t hash_of(bp_str name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    return hash;
}

static struct tenant *new_tenant(struct cache *cache, bp_str name, uint32_t hash)
{
    struct tenant *tenant = calloc(1, sizeof(*tenant));

    if (tenant)
        tenant->name = malloc(name.len + 1);
    if (!tenant || !tenant->name) {
        free(tenant);
        return NULL;
    }
    memcpy(tenant->name, name.data, name.len);
    tenant->name[name.len] = '\0';
    pthread_rwlock_init(&tenant->guard, NULL);
    tenant->lock = cache->locks[hash / SLOTS % LOCKS];
    tenant->next = cache->slots[hash % SLOTS];
    cache->slots[hash % SLOTS] = tenant;
    return tenant;
}

static struct tenant *find_tenant(struct cache *cache, bp_str name)
{
    uint32_t       hash = hash_of(name);
    struct tenant *tenant;

    pthread_mutex_lock(&cache->guard);
    tenant = cache->slots[hash % SLOTS];
    while (tenant && !bp_str_is(name, tenant->name))
        tenant = tenant->next;
    if (!tenant)
        tenant = new_tenant(cache, name, hash);
    pthread_mutex_unlock(&cache->guard);
    return tenant;
}

/* ---- how much there is: under the tenant's guard, alone ---- */

static void count_bytes(struct knowledge *self, struct tenant *tenant)
{
    size_t bytes = tenant->graph ? graph_bytes(tenant->graph) : 0;

    atomic_fetch_add(&self->cache->bytes, bytes - tenant->bytes); // may wrap around, and back
    tenant->bytes = bytes;
    bp_metric_set(self->graph_bytes, NULL, 0, (double)atomic_load(&self->cache->bytes));
}

static void drop_graph(struct knowledge *self, struct tenant *tenant)
{
    graph_free(tenant->graph);
    tenant->graph = NULL;
    count_bytes(self, tenant);
}

static struct tenant *least_used(struct cache *cache, const struct tenant *spared)
{
    struct tenant *found = NULL;

    pthread_mutex_lock(&cache->guard);
    for (size_t i = 0; i < SLOTS; i++) {
        for (struct tenant *tenant = cache->slots[i]; tenant; tenant = tenant->next) {
            if (tenant == spared || pthread_rwlock_tryrdlock(&tenant->guard) != 0)
                continue;
            if (tenant->graph &&
                (!found || atomic_load(&tenant->used_ns) < atomic_load(&found->used_ns)))
                found = tenant;
            pthread_rwlock_unlock(&tenant->guard);
        }
    }
    pthread_mutex_unlock(&cache->guard);
    return found;
}

static void make_room(struct knowledge *self, const struct tenant *spared)
{
    struct tenant *tenant;

    while (atomic_load(&self->cache->bytes) > (size_t)self->memory_bytes &&
           (tenant = least_used(self->cache, spared)) != NULL) {
        pthread_rwlock_wrlock(&tenant->guard);
        drop_graph(self, tenant);
        pthread_rwlock_unlock(&tenant->guard);
    }
}

/* ---- reading ---- */

/* The graph, read while nobody else wrote. Under the tenant's lock. */
static bp_status load(bp_call *call, struct knowledge *self, struct tenant *tenant)
{
    int64_t       before = 0, after = -1;
    struct graph *graph = NULL;
    bp_status     status = store_version(call, self, &before);

    for (int i = 0; i < LOAD_TRIES && status == BP_OK && before != after; i++) {
        if (i)
            before = after;
        graph_free(graph);
        graph = graph_new();
        status = graph ? store_load(call, self, (size_t)self->memory_bytes, graph)
                       : bp_fail(call, BP_NO_MEMORY, "no memory for a graph");
        if (status == BP_OK)
            status = store_version(call, self, &after);
    }
    if (status == BP_TOO_LARGE)
        atomic_store(&tenant->too_large_until_ns, bp_now_ns() + BP_SECONDS(TOO_LARGE_FOR_S));
    if (status != BP_OK) {
        graph_free(graph);
        return status;
    }
    pthread_rwlock_wrlock(&tenant->guard);
    drop_graph(self, tenant);
    tenant->graph = graph;
    tenant->version = before; // when others wrote all the time, the next look reads it again
    tenant->is_stale = false;
    atomic_store(&tenant->checked_ns, bp_now_ns());
    atomic_store(&tenant->used_ns, bp_now_ns());
    count_bytes(self, tenant);
    pthread_rwlock_unlock(&tenant->guard);
    make_room(self, tenant);
    return BP_OK;
}

/* Of those who wait for the lock together only the first has to look. */
static bp_status refresh(bp_call *call, struct knowledge *self, struct tenant *tenant,
                         int64_t asked_ns)
{
    bool    is_good;
    int64_t version;

    pthread_rwlock_rdlock(&tenant->guard);
    is_good = tenant->graph && !tenant->is_stale;
    pthread_rwlock_unlock(&tenant->guard);
    if (!is_good)
        return load(call, self, tenant);
    if (atomic_load(&tenant->checked_ns) + self->refresh_ns >= asked_ns)
        return BP_OK;
    BP_TRY(store_version(call, self, &version));
    pthread_rwlock_rdlock(&tenant->guard); // it may have been dropped to make room
    is_good = tenant->graph && tenant->version == version;
    pthread_rwlock_unlock(&tenant->guard);
    if (!is_good)
        return load(call, self, tenant);
    atomic_store(&tenant->checked_ns, bp_now_ns());
    return BP_OK;
}

bp_status cache_read(bp_call *call, struct knowledge *self, struct tenant **out,
                     const struct graph **graph)
{
    struct tenant *tenant = find_tenant(self->cache, knowledge_tenant(call));
    int64_t        asked_ns = bp_now_ns();

    if (!tenant)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the tenant's graph");
    *out = tenant;
    for (int i = 0; i < LOAD_TRIES; i++) {
        bp_status status;

        if (atomic_load(&tenant->too_large_until_ns) > asked_ns)
            break;
        pthread_rwlock_rdlock(&tenant->guard);
        if (tenant->graph && !tenant->is_stale &&
            atomic_load(&tenant->checked_ns) + self->refresh_ns >= asked_ns) {
            atomic_store_explicit(&tenant->used_ns, asked_ns, memory_order_relaxed);
            *graph = tenant->graph;
            return BP_OK;
        }
        pthread_rwlock_unlock(&tenant->guard);
        BP_TRY(bp_mutex_lock(call, tenant->lock));
        status = refresh(call, self, tenant, asked_ns);
        bp_mutex_unlock(tenant->lock);
        BP_TRY(status);
    }
    return bp_fail(call, BP_TOO_LARGE,
                   "the graphs in use need more memory than there is for them: raise the option "
                   "memory (%lld bytes)",
                   (long long)self->memory_bytes);
}

void cache_unlock(struct tenant *tenant)
{
    pthread_rwlock_unlock(&tenant->guard);
}

/* ---- writing ---- */

bp_status cache_begin_write(bp_call *call, struct knowledge *self, struct tenant **out)
{
    *out = find_tenant(self->cache, knowledge_tenant(call));
    if (!*out)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the tenant's graph");
    return bp_mutex_lock(call, (*out)->lock);
}

void cache_end_write(bp_call *call, struct knowledge *self, struct tenant *tenant, bp_status status,
                     bool (*apply)(struct graph *graph, void *arg), void *arg)
{
    (void)call;
    pthread_rwlock_wrlock(&tenant->guard);
    if (tenant->graph) {
        bool is_done = status == BP_OK && apply && !tenant->is_stale;

        // Whether a write that failed was stored may not be known; the next reader finds out.
        if (is_done)
            is_done = apply(tenant->graph, arg) && graph_settle(tenant->graph);
        tenant->is_stale = !is_done;
        tenant->version++;
        count_bytes(self, tenant);
        if (tenant->bytes > (size_t)self->memory_bytes) {
            drop_graph(self, tenant);
            atomic_store(&tenant->too_large_until_ns, bp_now_ns() + BP_SECONDS(TOO_LARGE_FOR_S));
        }
    }
    pthread_rwlock_unlock(&tenant->guard);
    bp_mutex_unlock(tenant->lock);
    make_room(self, tenant);
}

/* @NAME@.c - a cache in memory: values, rate limits (GCRA), budgets and locks, in one list under
 * one lock.
 *
 * Every operation walks the list, which is plain and right for some thousands of entries; a table
 * is the first thing to put in its place. Nothing is shared with other processes, so limits hold
 * for this one alone.
 */
#include <stdlib.h>

#include <backplane/cache.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

enum { KEY_BYTES_MAX = 512, VALUE_BYTES_MAX = 8 << 20 };

enum entry_type { VALUE, LIMIT, LOCK, BUDGET, RESERVATION };

/* One entry of any type; its texts lie behind it in the same block. */
struct entry {
    struct entry   *next;
    enum entry_type type;
    bp_str          key,
        text; /* text: the value, the lock's owner, the budget's period, the reservation's period */
    bp_str  id;      /* of a reservation */
    int64_t number;  /* LIMIT: theoretical arrival time; BUDGET: spent; RESERVATION: reserved */
    int64_t ends_ns; /* 0: never */
};

struct shared {
    bp_mutex      *lock;
    struct entry  *first; /* the newest first */
    bp_cache_stats stats;
};

struct cache {
    int64_t        size_bytes;
    struct shared *shared;
};

static const bp_option options[] = {
    BP_OPTION_SIZE(struct cache, size, .initial = "16MiB", .minimum = "64KiB", .maximum = "4GiB",
                   .help = "memory for values; the oldest go when it is used up"),
};

/* ---- the list ---- */

static int64_t cost_of(const struct entry *entry)
{
    return (int64_t)(sizeof(*entry) + entry->key.len + entry->text.len + entry->id.len);
}

static void unlink_entry(struct shared *shared, struct entry **at)
{
    struct entry *entry = *at;

    *at = entry->next;
    shared->stats.entries--;
    shared->stats.size_bytes -= cost_of(entry);
    free(entry);
}

static bool is_same(const struct entry *entry, enum entry_type type, bp_str key, bp_str text,
                    bp_str id)
{
    return entry->type == type && bp_str_equal(entry->key, key) && bp_str_equal(entry->id, id) &&
           (type == VALUE || type == LIMIT || type == LOCK || bp_str_equal(entry->text, text));
}

/* Values, limits and locks are found by their key; budgets and reservations also by their period
 * and id. */
static struct entry **find(struct shared *shared, enum entry_type type, bp_str key, bp_str text,
                           bp_str id)
{
    struct entry **at = &shared->first;
    int64_t        now = bp_now_ns();

    while (*at) {
        if ((*at)->ends_ns && (*at)->ends_ns <= now)
            unlink_entry(shared, at);
        else if (is_same(*at, type, key, text, id))
            return at;
        else
            at = &(*at)->next;
    }
    return at;
}

static bp_str lay(char **at, bp_str text)
{
    bp_str copy = { *at, text.len };

    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += text.len + 1;
    return copy;
}

/* Makes room by taking away the oldest values; limits, locks and budgets stay, as they must be
 * exact. */
static void make_room(struct shared *shared, int64_t size_bytes, int64_t wanted)
{
    while (shared->stats.size_bytes + wanted > size_bytes) {
        struct entry **oldest = NULL;

        for (struct entry **at = &shared->first; *at; at = &(*at)->next)
            if ((*at)->type == VALUE)
                oldest = at;
        if (!oldest)
            return;
        unlink_entry(shared, oldest);
        shared->stats.evictions++;
    }
}

static struct entry *add(bp_call *call, struct cache *self, struct entry what)
{
    struct entry *entry;
    char         *at;

    make_room(self->shared, self->size_bytes, cost_of(&what));
    if (self->shared->stats.size_bytes + cost_of(&what) > self->size_bytes) {
        bp_fail(call, BP_TOO_LARGE, "the entry needs %lld bytes, and `size` allows %lld in all",
                (long long)cost_of(&what), (long long)self->size_bytes);
        return NULL;
    }
    entry = calloc(1, (size_t)cost_of(&what) + 3);
    if (!entry) {
        bp_fail(call, BP_UNAVAILABLE, "no memory for an entry of %lld bytes",
                (long long)cost_of(&what));
        return NULL;
    }
    at = (char *)(entry + 1);
    *entry = what;
    entry->key = lay(&at, what.key);
    entry->text = lay(&at, what.text);
    entry->id = lay(&at, what.id);
    entry->next = self->shared->first;
    self->shared->first = entry;
    self->shared->stats.entries++;
    self->shared->stats.size_bytes += cost_of(entry);
    return entry;
}

static bp_status enter(bp_call *call, struct cache *self, bp_str key)
{
    if (key.len < 1 || key.len > KEY_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "a key has 1 to %d bytes, not %zu", KEY_BYTES_MAX,
                       key.len);
    return bp_mutex_lock(call, self->shared->lock);
}

static bp_status leave(struct cache *self, bp_status status)
{
    bp_mutex_unlock(self->shared->lock);
    return status;
}

static int64_t until(int64_t duration_ns)
{
    int64_t now = bp_now_ns();

    return duration_ns > INT64_MAX - now ? INT64_MAX : now + duration_ns;
}

static const bp_str none = { NULL, 0 };

/* ---- values ---- */

static bp_status get(bp_call *call, void *instance, bp_str key, bp_str *value)
{
    struct cache  *self = instance;
    struct entry **at;
    bp_status      status = BP_OK;

    BP_TRY(enter(call, self, key));
    at = find(self->shared, VALUE, key, none, none);
    if (*at) {
        self->shared->stats.hits++;
        *value = bp_dup(call, (*at)->text);
        if (!value->data)
            status = BP_NO_MEMORY;
    } else {
        self->shared->stats.misses++;
        status = bp_fail(call, BP_NOT_FOUND, "there is no such key");
    }
    return leave(self, status);
}

static bp_status set(bp_call *call, void *instance, bp_str key, bp_str value, int64_t ttl_ns)
{
    struct cache  *self = instance;
    struct entry **at;

    if (value.len > VALUE_BYTES_MAX)
        return bp_fail(call, BP_TOO_LARGE, "a value has at most 8 MiB, not %zu bytes", value.len);
    if (ttl_ns < 0)
        return bp_fail(call, BP_INVALID, "a time to live cannot be negative");
    BP_TRY(enter(call, self, key));
    at = find(self->shared, VALUE, key, none, none);
    if (*at)
        unlink_entry(self->shared, at);
    if (!add(call, self,
             (struct entry){
                 .type = VALUE, .key = key, .text = value, .ends_ns = ttl_ns ? until(ttl_ns) : 0 }))
        return leave(self, bp_error_of(call)->status);
    return leave(self, BP_OK);
}

static bp_status remove_key(bp_call *call, void *instance, bp_str key)
{
    struct cache  *self = instance;
    struct entry **at;

    BP_TRY(enter(call, self, key));
    at = find(self->shared, VALUE, key, none, none);
    if (*at)
        unlink_entry(self->shared, at);
    return leave(self, BP_OK);
}

static bp_status remove_prefix(bp_call *call, void *instance, bp_str prefix, int64_t *removed)
{
    struct cache  *self = instance;
    struct entry **at;
    int64_t        count = 0;

    BP_TRY(enter(call, self, prefix));
    at = &self->shared->first;
    while (*at) {
        if ((*at)->type == VALUE && (*at)->key.len >= prefix.len &&
            memcmp((*at)->key.data, prefix.data, prefix.len) == 0) {
            unlink_entry(self->shared, at);
            count++;
        } else {
            at = &(*at)->next;
        }
    }
    if (removed)
        *removed = count;
    return leave(self, BP_OK);
}

/* ---- rate limits ---- */

/* GCRA: `number` is when the limit would be whole again; a take moves it by its cost, and may not
 * move it further than one window from now. */
static bp_status take(bp_call *call, void *instance, bp_str key, int64_t limit, int64_t window_ns,
                      int64_t cost, bp_take *result)
{
    struct cache  *self = instance;
    struct entry **at, *entry;
    int64_t        now = bp_now_ns(), step_ns, whole_ns, later_ns;

    if (limit < 1 || window_ns < limit || cost < 0)
        return bp_fail(call, BP_INVALID,
                       "a limit is at least 1, a window at least 1 ns for each of it, a cost not "
                       "negative");
    if (cost > limit) { // never
        result->limit = limit;
        result->is_granted = false;
        return BP_OK;
    }
    BP_TRY(enter(call, self, key));
    at = find(self->shared, LIMIT, key, none, none);
    entry = *at ? *at : add(call, self, (struct entry){ .type = LIMIT, .key = key });
    if (!entry)
        return leave(self, bp_error_of(call)->status);
    step_ns = window_ns / limit;
    whole_ns = entry->number > now ? entry->number : now;
    later_ns = whole_ns + cost * step_ns;
    result->limit = limit;
    result->is_granted = later_ns - now <= window_ns;
    if (result->is_granted) {
        entry->number = whole_ns = later_ns;
        entry->ends_ns = later_ns > now ? later_ns : now + 1;
    }
    result->remaining = (window_ns - (whole_ns - now)) / step_ns;
    result->reset_ns = result->is_granted ? whole_ns - now : later_ns - now - window_ns;
    return leave(self, BP_OK);
}

/* ---- budgets ---- */

static int64_t reserved_in(struct shared *shared, bp_str key, bp_str period)
{
    int64_t sum = 0;

    find(shared, RESERVATION, none, none, none); /* clears away what has ended */
    for (const struct entry *entry = shared->first; entry; entry = entry->next)
        if (entry->type == RESERVATION && bp_str_equal(entry->key, key) &&
            bp_str_equal(entry->text, period))
            sum += entry->number;
    return sum;
}

static bp_status reserve(bp_call *call, void *instance, bp_str key, bp_str period, int64_t limit,
                         int64_t amount, int64_t hold_ns, bp_str reservation, bp_take *result)
{
    struct cache  *self = instance;
    struct entry **budget, **same;
    int64_t        used;

    if (amount < 0 || hold_ns <= 0 || !reservation.len)
        return bp_fail(call, BP_INVALID,
                       "a reservation has a name, an amount of 0 or more and a time to hold it");
    BP_TRY(enter(call, self, key));
    same = find(self->shared, RESERVATION, key, period, reservation);
    if (*same)
        unlink_entry(self->shared, same); /* the same again replaces it */
    used = reserved_in(self->shared, key, period);
    budget = find(self->shared, BUDGET, key, period, none);
    used += *budget ? (*budget)->number : 0;
    result->limit = limit;
    result->is_granted = amount <= limit - used;
    result->reset_ns = 0;
    if (result->is_granted) {
        used += amount;
        if (!add(call, self,
                 (struct entry){ .type = RESERVATION,
                                 .key = key,
                                 .text = period,
                                 .id = reservation,
                                 .number = amount,
                                 .ends_ns = until(hold_ns) }))
            return leave(self, bp_error_of(call)->status);
    }
    result->remaining = limit > used ? limit - used : 0;
    return leave(self, BP_OK);
}

static bp_status settle(bp_call *call, void *instance, bp_str key, bp_str period,
                        bp_str reservation, int64_t amount)
{
    struct cache  *self = instance;
    struct entry **at, *budget;

    BP_TRY(enter(call, self, key));
    at = find(self->shared, RESERVATION, key, period, reservation);
    if (*at)
        unlink_entry(self->shared, at);
    at = find(self->shared, BUDGET, key, period, none);
    budget = *at ? *at
                 : add(call, self, (struct entry){ .type = BUDGET, .key = key, .text = period });
    if (!budget)
        return leave(self, bp_error_of(call)->status);
    budget->number += amount;
    return leave(self, BP_OK);
}

/* ---- locks ---- */

static bp_status lock(bp_call *call, void *instance, bp_str key, bp_str owner, int64_t hold_ns)
{
    struct cache  *self = instance;
    struct entry **at;

    if (!owner.len || hold_ns <= 0)
        return bp_fail(call, BP_INVALID, "a lock has an owner and a time to hold it");
    BP_TRY(enter(call, self, key));
    at = find(self->shared, LOCK, key, none, none);
    if (*at && !bp_str_equal((*at)->text, owner))
        return leave(self, bp_fail(call, BP_CONFLICT, "another owner has the lock"));
    if (*at)
        (*at)->ends_ns = until(hold_ns);
    else if (!add(call, self,
                  (struct entry){
                      .type = LOCK, .key = key, .text = owner, .ends_ns = until(hold_ns) }))
        return leave(self, bp_error_of(call)->status);
    return leave(self, BP_OK);
}

static bp_status unlock(bp_call *call, void *instance, bp_str key, bp_str owner)
{
    struct cache  *self = instance;
    struct entry **at;

    BP_TRY(enter(call, self, key));
    at = find(self->shared, LOCK, key, none, none);
    if (*at && !bp_str_equal((*at)->text, owner))
        return leave(self, bp_fail(call, BP_CONFLICT, "another owner has the lock"));
    if (*at)
        unlink_entry(self->shared, at);
    return leave(self, BP_OK);
}

static bp_status stats(bp_call *call, void *instance, bp_cache_stats *out)
{
    struct cache *self = instance;
    uint32_t      size = out->struct_size;

    BP_TRY(bp_mutex_lock(call, self->shared->lock));
    *out = self->shared->stats;
    out->struct_size = size;
    out->size_max_bytes = self->size_bytes;
    return leave(self, BP_OK);
}

static const bp_cache_ops ops = {
    .struct_size = sizeof(bp_cache_ops),
    .get = get,
    .set = set,
    .remove = remove_key,
    .remove_prefix = remove_prefix,
    .take = take,
    .reserve = reserve,
    .settle = settle,
    .lock = lock,
    .unlock = unlock,
    .stats = stats,
};

/* ---- the life ---- */

static bp_status shared_create(bp_call *call, const void *instance, void **out)
{
    struct shared *shared = calloc(1, sizeof(*shared));
    bp_status      status;

    (void)instance;
    if (!shared)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the cache");
    status = bp_mutex_create(call, &shared->lock);
    if (status == BP_OK)
        *out = shared;
    else
        free(shared);
    return status;
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct cache *self = instance;

    (void)call;
    self->shared = shared;
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *arg)
{
    struct shared *shared = arg;

    (void)call;
    while (shared->first)
        unlink_entry(shared, &shared->first);
    bp_mutex_destroy(shared->lock);
    free(shared);
}

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

BP_PLUGIN(cache, "@NAME@", "1.0.0", .summary = "a cache in memory, for one process",
          .instance_size = sizeof(struct cache), .options = BP_TABLE(options), .life = &life,
          .ops = &ops)

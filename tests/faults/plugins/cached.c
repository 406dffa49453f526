/* cached.c - an app for tests and benchmarks of caches: its routes are the operations of the cache
 * it is given, one at a time, or many by many fibers of one worker. */
#include <backplane/app.h>
#include <backplane/cache.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

enum { FIBERS_MAX = 512 };

struct cached {
    const bp_peer *cache;
};

static const bp_cache_ops *ops_of(const struct cached *self)
{
    return bp_cache_of(self->cache);
}

static bp_status write_take(bp_json_writer *w, bp_status status, const bp_take *take)
{
    if (status == BP_OK) {
        bp_json_put_bool(w, "granted", take->is_granted);
        bp_json_put_integer(w, "remaining", take->remaining);
        bp_json_put_integer(w, "reset_ns", take->reset_ns);
    }
    return status;
}

static bp_status get(bp_call *call, const struct cached *self, bp_str key, bool is_length,
                     bp_json_writer *w)
{
    bp_str    value = { 0 };
    bp_status status = ops_of(self)->get(call, self->cache->instance, key, &value);

    if (status == BP_OK && is_length)
        bp_json_put_integer(w, "length", (int64_t)value.len);
    else if (status == BP_OK)
        bp_json_put_string(w, "value", value);
    return status;
}

static bp_status set(bp_call *call, const struct cached *self, bp_str key, const bp_json *asked,
                     bp_json_writer *w)
{
    int64_t repeat = bp_json_integer(bp_json_get(asked, "repeat"));
    bp_str  value = bp_json_string(bp_json_get(asked, "value"));
    char   *many;

    (void)w;
    if (repeat) { // a long value that need not be sent
        many = bp_alloc(call, (size_t)repeat);
        if (!many)
            return BP_NO_MEMORY;
        memset(many, 'x', (size_t)repeat);
        value = bp_str_n(many, (size_t)repeat);
    }
    return ops_of(self)->set(call, self->cache->instance, key, value,
                             bp_json_integer(bp_json_get(asked, "ttl_ms")) * 1000000);
}

/* One operation: what it answered goes into `w`. */
static bp_status run(bp_call *call, const struct cached *self, const bp_json *asked,
                     bp_json_writer *w)
{
    const bp_cache_ops *ops = ops_of(self);
    void               *cache = self->cache->instance;
    bp_str              op = bp_json_string(bp_json_get(asked, "op")),
           key = bp_json_string(bp_json_get(asked, "key"));
    bp_str         owner = bp_json_string(bp_json_get(asked, "owner"));
    bp_str         period = bp_json_string(bp_json_get(asked, "period"));
    int64_t        limit = bp_json_integer(bp_json_get(asked, "limit"));
    int64_t        amount = bp_json_integer(bp_json_get(asked, "amount"));
    int64_t        hold_ns = bp_json_integer(bp_json_get(asked, "hold_ms")) * 1000000, removed = 0;
    bp_take        take = { .struct_size = sizeof(take) };
    bp_cache_stats stats = { .struct_size = sizeof(stats) };
    bp_status      status;

    if (bp_str_is(op, "get") || bp_str_is(op, "length"))
        return get(call, self, key, bp_str_is(op, "length"), w);
    if (bp_str_is(op, "set"))
        return set(call, self, key, asked, w);
    if (bp_str_is(op, "remove"))
        return ops->remove(call, cache, key);
    if (bp_str_is(op, "remove_prefix")) {
        status = ops->remove_prefix(call, cache, key, &removed);
        bp_json_put_integer(w, "removed", removed);
        return status;
    }
    if (bp_str_is(op, "take"))
        return write_take(w, ops->take(call, cache, key, limit, hold_ns, amount, &take), &take);
    if (bp_str_is(op, "reserve"))
        return write_take(w,
                          ops->reserve(call, cache, key, period, limit, amount, hold_ns, owner,
                                       &take),
                          &take);
    if (bp_str_is(op, "settle"))
        return ops->settle(call, cache, key, period, owner, amount);
    if (bp_str_is(op, "lock"))
        return ops->lock(call, cache, key, owner, hold_ns);
    if (bp_str_is(op, "unlock"))
        return ops->unlock(call, cache, key, owner);
    if (bp_str_is(op, "stats")) {
        status = ops->stats(call, cache, &stats);
        bp_json_put_integer(w, "entries", stats.entries);
        return status;
    }
    return bp_fail(call, BP_INVALID, "there is no operation \"" BP_FMT "\"", BP_ARG(op));
}

static bp_status read_body(bp_call *call, bp_request *request, const bp_json **asked)
{
    bp_str body;

    BP_TRY(bp_request_body(call, request, &body));
    return bp_json_parse(call, body, asked);
}

static bp_status run_one(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, 64 << 20);
    const bp_json  *asked;
    bp_status       status;

    BP_TRY(read_body(call, request, &asked));
    bp_json_object(w);
    status = run(call, instance, asked, w);
    bp_json_put_string(w, "status", bp_str_of(bp_status_label(status)));
    bp_json_put_string(w, "message", status == BP_OK ? BP_STR("") : bp_error_of(call)->message);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

/* ---- many at once ---- */

struct load {
    const struct cached *self;
    const bp_json       *asked;
    bp_str               op, key, value;
    int64_t              each, limit;
    int64_t              done, granted, failed;
    int64_t              worst_ns;
    char                 why[256];
};

static bp_status load_step(bp_call *call, struct load *load, int64_t n)
{
    const bp_cache_ops *ops = ops_of(load->self);
    void               *cache = load->self->cache->instance;
    bp_take             take = { .struct_size = sizeof(take) };
    bp_str    key = bp_format(call, BP_FMT "%lld", BP_ARG(load->key), (long long)(n % 1000)), found;
    bp_status status;

    if (bp_str_is(load->op, "set"))
        return ops->set(call, cache, key, load->value, 0);
    if (bp_str_is(load->op, "take")) {
        status = ops->take(call, cache, load->key, load->limit, BP_SECONDS(86400), 1, &take);
        load->granted += status == BP_OK && take.is_granted;
        return status;
    }
    status = ops->get(call, cache, key, &found);
    return status == BP_NOT_FOUND ? BP_OK : status;
}

static bp_status run_load(bp_call *call, void *arg)
{
    struct load *load = arg;

    for (int64_t i = 0; i < load->each; i++) {
        int64_t   from_ns = bp_now_ns();
        bp_status status;

        BP_TRY(bp_scratch_begin(call));
        status = load_step(call, load, i);
        bp_scratch_end(call);
        if (bp_now_ns() - from_ns > load->worst_ns)
            load->worst_ns = bp_now_ns() - from_ns;
        load->done += status == BP_OK;
        if (status != BP_OK && !load->failed++)
            snprintf(load->why, sizeof(load->why), BP_FMT, BP_ARG(bp_error_of(call)->message));
        if (bp_cancelled(call) != BP_OK)
            return bp_cancelled(call);
    }
    return BP_OK;
}

static bp_status run_many(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, 4096);
    bp_child       *children[FIBERS_MAX];
    const bp_json  *asked;
    struct load     load = { .self = instance };
    int64_t         fibers, from_ns;
    bp_status       status = BP_OK;

    BP_TRY(read_body(call, request, &asked));
    fibers = bp_json_integer(bp_json_get(asked, "fibers"));
    load.op = bp_json_string(bp_json_get(asked, "op"));
    load.key = bp_json_string(bp_json_get(asked, "key"));
    load.value = bp_json_string(bp_json_get(asked, "value"));
    load.each = bp_json_integer(bp_json_get(asked, "each"));
    load.limit = bp_json_integer(bp_json_get(asked, "limit"));
    if (fibers < 1 || fibers > FIBERS_MAX)
        return bp_fail(call, BP_INVALID, "1 to %d fibers", FIBERS_MAX);
    from_ns = bp_now_ns();
    for (int64_t i = 0; i < fibers; i++)
        BP_TRY(bp_spawn(call, "load", run_load, &load, &children[i]));
    for (int64_t i = 0; i < fibers; i++) {
        bp_status own = bp_join(call, children[i]);
        status = status == BP_OK ? own : status;
    }
    BP_TRY(status);
    bp_json_object(w);
    bp_json_put_integer(w, "done", load.done);
    bp_json_put_integer(w, "granted", load.granted);
    bp_json_put_integer(w, "failed", load.failed);
    bp_json_put_string(w, "why", bp_str_of(load.why));
    bp_json_put_number(w, "seconds", (double)(bp_now_ns() - from_ns) / 1e9);
    bp_json_put_number(w, "worst_ms", (double)load.worst_ns / 1e6);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static const bp_option options[] = {
    BP_OPTION_REF(struct cached, cache, "cache", .is_required = true,
                  .help = "the cache to be used"),
};

static const bp_route routes[] = {
    { .method = "POST",
      .path = "/cached/run",
      .handler = run_one,
      .summary = "one operation",
      .body_max_bytes = 64 << 20 },
    { .method = "POST",
      .path = "/cached/load",
      .handler = run_many,
      .summary = "many operations",
      .deadline_ns = BP_SECONDS(300) },
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
};

BP_PLUGIN(app, "cached", "1.0.0", .summary = "the operations of a cache as routes, for tests",
          .instance_size = sizeof(struct cached), .options = BP_TABLE(options), .ops = &ops)

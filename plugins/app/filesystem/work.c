/* work.c - access to the file work of an instance, and the threads that do it. */
#include "filesystem.h"

static bool is_listed(const bp_str_list *list, bp_str name)
{
    for (size_t i = 0; i < list->count; i++)
        if (bp_str_equal(list->items[i], name))
            return true;
    return false;
}

bp_status expect_writable(bp_call *call, const struct filesystem *self)
{
    return self->read_only ? bp_fail(call, BP_DENIED, "these files are served read-only") : BP_OK;
}

bp_status admit(bp_call *call, struct filesystem *self, enum rate rate)
{
    static const char *const names[RATES] = { "read", "write", "list", "search" };
    const int64_t            limits[RATES] = { self->read_per_minute, self->write_per_minute,
                                               self->list_per_minute, self->search_per_minute };
    const bp_principal      *who = bp_principal_of(call);
    bp_take                  take;

    if (self->tenants.count && !is_listed(&self->tenants, who->tenant))
        return bp_fail(call, BP_DENIED, "the tenant \"" BP_FMT "\" may not use these files",
                       BP_ARG(who->tenant));
    if (!limits[rate])
        return BP_OK;
    BP_TRY(bp_cache_take(call, self->cache,
                         bp_format(call, "filesystem:" BP_FMT ":%s:" BP_FMT ":" BP_FMT,
                                   BP_ARG(bp_instance_name(call)), names[rate], BP_ARG(who->tenant),
                                   BP_ARG(who->id)),
                         limits[rate], BP_SECONDS(60), 1, &take));
    if (take.is_granted)
        return BP_OK;
    bp_fail(call, BP_LIMIT,
            "the limit of %lld %s operations a minute is reached: try again in %lld s",
            (long long)limits[rate], names[rate], (long long)(take.reset_ns / 1000000000 + 1));
    bp_fail_detail(call, take.reset_ns, 0, 0);
    return BP_LIMIT;
}

static bp_status run_confined(bp_call *call, void *arg)
{
    struct work *work = arg;

    // A fake host may run jobs on the thread of its caller, which must stay free.
    if (!pthread_equal(work->caller, pthread_self()))
        BP_TRY(confine_thread(call, work->self->shared));
    return work->run(call, work);
}

bp_status work_run(bp_call *call, struct work *work)
{
    work->caller = pthread_self();
    return bp_offload(call, work->self->shared->pool, run_confined, work);
}

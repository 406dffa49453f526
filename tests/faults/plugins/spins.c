/* spins.c - an app that holds its event loop as long as it is asked to, and changes what belongs to
 * the process. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <backplane/app.h>
#include <backplane/plugin.h>

struct spins {
    int64_t unused;
};

static bp_status get_spin(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct timespec now;
    int64_t         end_ns;
    bp_str          ms;

    (void)instance;
    bp_request_query(request, "ms", &ms);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    end_ns = now.tv_sec * BP_SECONDS(1) + now.tv_nsec + (ms.len ? atoll(ms.data) : 0) * 1000000;
    while (now.tv_sec * BP_SECONDS(1) + now.tv_nsec < end_ns)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return bp_respond(call, response, 200, "text/plain", BP_STR("spun"));
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    (void)call;
    (void)instance;
    (void)shared;
    umask(0);
    return BP_OK;
}

static const bp_route routes[] = {
    { .method = "GET",
      .path = "/spin",
      .handler = get_spin,
      .summary = "Holds the loop",
      .query = "ms: how long" },
};
static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops),
                                .route_size = sizeof(bp_route),
                                .routes = routes,
                                .route_count = 1 };
static const bp_life    life = { .struct_size = sizeof(life), .worker_start = worker_start };

BP_PLUGIN(app, "spins", "1.0.0", .summary = "holds its loop when asked to", .license = "Apache-2.0",
          .instance_size = sizeof(struct spins), .life = &life, .ops = &ops)

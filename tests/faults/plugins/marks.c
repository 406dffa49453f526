/* marks.c - an app that leaves a file behind as soon as it is loaded, so that a test sees whether
 * it was. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <backplane/app.h>
#include <backplane/plugin.h>

__attribute__((constructor)) static void leave_mark(void)
{
    const char *path = getenv("BACKPLANE_TEST_MARKER");
    int         fd = path ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;

    if (fd >= 0)
        close(fd);
}

struct marks {
    int64_t unused;
};

static bp_status get_mark(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)instance;
    (void)request;
    return bp_respond(call, response, 200, "text/plain", BP_STR("marks"));
}

static const bp_route routes[] = {
    { .method = "GET", .path = "/marks", .handler = get_mark, .summary = "Says that it is there" },
};
static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops),
                                .route_size = sizeof(bp_route),
                                .routes = routes,
                                .route_count = 1 };
static const bp_life    life = { .struct_size = sizeof(life) };

BP_PLUGIN(app, "marks", "1.0.0", .summary = "leaves a file behind when it is loaded",
          .license = "Apache-2.0", .instance_size = sizeof(struct marks), .life = &life,
          .ops = &ops)

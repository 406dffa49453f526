/* sound.h - the sound half of a broken plugin, so that each file beside it shows only what is wrong
 * with it. */
#ifndef BAD_PLUGINS_SOUND_H
#define BAD_PLUGINS_SOUND_H

#include <backplane/app.h>
#include <backplane/health.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

__attribute__((unused)) static bp_status say_ok(bp_call *call, void *instance, bp_health *health)
{
    (void)instance;
    return bp_health_say(call, health, BP_HEALTH_OK, "it was asked and answered");
}

__attribute__((unused)) static const bp_health_ops sound_ops = {
    .struct_size = sizeof(bp_health_ops), .check = say_ok
};

/* A health plugin whose check is `function`. */
#define HEALTH_PLUGIN(name, function, ...)                                                         \
    static const bp_health_ops ops = { .struct_size = sizeof(bp_health_ops), .check = function };  \
    BP_PLUGIN(health, name, "1.0.0", .summary = "broken on purpose", .ops = &ops, __VA_ARGS__)

/* An app with the one route GET /bad. */
#define APP_PLUGIN(name, function)                                                                 \
    static const bp_route routes[] = {                                                             \
        { .method = "GET", .path = "/bad", .handler = function, .summary = "bad" }                 \
    };                                                                                             \
    static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops),                             \
                                    .route_size = sizeof(bp_route),                                \
                                    .routes = routes,                                              \
                                    .route_count = 1 };                                            \
    BP_PLUGIN(app, name, "1.0.0", .summary = "broken on purpose", .ops = &ops)

#endif

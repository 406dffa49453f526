/* router.h - from a method and a path to a route: a tree of path segments, built once.
 *
 *      api -> v1 -> collections -> {name} -> documents
 *
 * What a segment is called within { } makes no difference to which requests a path takes: /x/{a}
 * and /x/{b} are the same. A fixed segment wins over {name}, which wins over {rest...}. Several
 * apps may have the same route, as long as no listener serves two of them; the host's routes are
 * its own.
 */
#ifndef CORE_API_ROUTER_H
#define CORE_API_ROUTER_H

#include <backplane/app.h>

#include "base/arena.h"
#include "base/metrics.h"
#include "base/reason.h"
#include "plugin/gate.h"

enum { ROUTE_VALUES_MAX = 8, ROUTE_STATUSES = 600, ROUTE_METHODS_BYTES = 64 };

struct route {
    bp_route     spec;
    const char  *owner; /* instance name of the app; NULL: the host */
    struct unit *unit;  /* NULL: the host */
    struct route
          *next_same;    /* of another app, with the same method and path: for another listener */
    size_t prefix_bytes; /* of spec.path, which the app's own table does not have */
    bp_str value_names[ROUTE_VALUES_MAX]; /* in the order of the path: routes of one shape may call
                                             them differently */
    void          *context; /* of the host's own: what their handlers get as instance */
    struct gate_op op;      /* named "GET /notes/{id}" */
    struct metric_series *_Atomic by_status[ROUTE_STATUSES]; /* none is sent that is beyond it */
    struct metric_series         *duration;
};

struct route_value {
    bp_str name, value; /* undecoded */
};

struct route_match {
    const struct route *route;
    struct route_value  values[ROUTE_VALUES_MAX];
    size_t              value_count;
};

struct router;

struct router *router_new(void);
void           router_free(struct router *router);
/* Adds a table; `unit` NULL for routes of the host: their handlers get `context`. False with a
 * sentence in `why`. */
bool router_add(struct router *router, const bp_route *routes, size_t stride, size_t count,
                struct unit *unit, void *context, struct reason *why);
/* Finds the route, the first of those that are the same. NULL: none; then `allowed`
 * lists the methods that the path has, or is empty. */
struct route *router_find(const struct router *router, bp_str method, bp_str path,
                          struct route_match *match, char allowed[ROUTE_METHODS_BYTES]);
/* Makes `route`, the one that router_find() returned or one behind it in next_same, the one of the
 * match. */
void router_choose(struct route_match *match, const struct route *route);
/* Whether two paths take the same requests: {a} is as good as {b}. */
bool router_is_same_path(bp_str a, bp_str b);
/* All routes in the order they were added. */
size_t        router_count(const struct router *router);
struct route *router_at(const struct router *router, size_t index);

#endif

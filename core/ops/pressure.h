/* pressure.h - how much of the memory budget is in use, so that load is shed before the kernel ends the process. */
#ifndef CORE_OPS_PRESSURE_H
#define CORE_OPS_PRESSURE_H

#include "conf/server_conf.h"

enum pressure {
    PRESSURE_NONE,
    PRESSURE_SHED,   /* apps answer 503; the host's own routes go on */
    PRESSURE_REFUSE, /* everything but the probes answers 503, and the connection is closed */
};

/* Looks at the resident memory at most every 100 ms. Any thread. */
enum pressure pressure_now(const struct server_limits *limits);

#endif

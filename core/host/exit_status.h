/* exit_status.h - how the program ends: the statuses of sysexits.h where there is one, so that a
 * supervisor can tell a bad conf from a crash. */
#ifndef CORE_HOST_EXIT_STATUS_H
#define CORE_HOST_EXIT_STATUS_H

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_BIND = 71,    /* an address could not be bound */
    EXIT_STORAGE = 74, /* a storage back end or another instance could not start */
    EXIT_CONF = 78     /* the conf file has errors */
};

#endif

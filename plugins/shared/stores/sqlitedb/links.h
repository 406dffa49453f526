/* links.h - the connections of one file: a writer with a thread of its own, and readers that share
 * theirs.
 *
 *      fiber --lock--> writer (1 connection, 1 thread)
 *      fiber --lock--> reader 0 .. n-1 (n threads)
 *
 * The locks are the host's: they are held while a fiber is parked.
 */
#ifndef SQLITEDB_LINKS_H
#define SQLITEDB_LINKS_H

#include <stdatomic.h>

#include <backplane/loop.h>

#include "sqlitedb/sqlitedb.h"

enum { SQLITEDB_READERS_MAX = 16 };

/* One connection with the lock that says who uses it. */
struct sqlitedb_link {
    struct sqlitedb *db;
    bp_mutex        *lock;
    bp_pool         *pool;
    atomic_uint      users; /* holding it or waiting for it */
};

struct sqlitedb_links {
    struct sqlitedb_link writer, readers[SQLITEDB_READERS_MAX];
    uint32_t             reader_count;
    bp_pool             *reader_pool;
};

/* Threads ("NAME-write", "NAME-read") and locks; nothing is open yet. */
bp_status sqlitedb_links_make(bp_call *call, struct sqlitedb_links *links, const char *name,
                              uint32_t reader_count);
/* Opens all of them; blocks, so it is a job for the writer's thread. `settings` are those of the
 * writer. */
bp_status sqlitedb_links_open(bp_call *call, struct sqlitedb_links *links,
                              const struct sqlitedb_settings *settings, bool is_guarded);
/* Also of a handle that was made or opened in part. */
void sqlitedb_links_close(struct sqlitedb_links *links);

/* A connection for the time between the two. */
bp_status sqlitedb_link_take(bp_call *call, struct sqlitedb_link *link) BP_SUSPENDS;
void      sqlitedb_link_give(struct sqlitedb_link *link);
/* The reader with the fewest users. */
struct sqlitedb_link *sqlitedb_links_reader(struct sqlitedb_links *links);

#endif

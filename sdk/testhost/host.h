/* host.h - shared by the files of the fake host: the host, its instances and its calls from inside.
 */
#ifndef TESTHOST_HOST_H
#define TESTHOST_HOST_H

#include <pthread.h>
#include <stdatomic.h>

#include <backplane/command.h>
#include <backplane/run.h>
#include <backplane/json.h>
#include <backplane/loop.h>
#include <backplane/mcp.h>
#include <backplane/metrics.h>
#include <backplane/stream.h>
#include <backplane/testhost.h>

#include "base/arena.h"
#include "base/reason.h"

/* Pointers that grow; the owner frees what they point to. */
struct list {
    void **items;
    size_t count, capacity;
};

struct log_line {
    bp_log_level level;
    char        *event, *message, *fields;
};

struct http_answer {
    char     *method, *url, *headers, *body;
    size_t    body_len;
    int32_t   status;
    bp_status failure; /* BP_OK: there is an answer */
    bool      is_used;
};

struct http_request {
    char  *method, *url, *headers, *body;
    size_t body_len;
};

struct stream_script {
    char       *address;
    struct list pieces; /* struct bytes * */
    size_t      next;
    char       *written;
    size_t      written_len;
};

struct bytes {
    size_t len;
    char   data[];
};

struct mcp_answer {
    char *key, *result;
};

struct job {
    testhost_instance *instance;
    const char        *name;
    int64_t            interval_ns, due_ns;
    bp_status (*run)(bp_call *call, void *arg);
    void *arg;
};

/* Open things; every counter is back at zero when the plugin has tidied up. */
struct open_counts {
    atomic_long calls, cleanups, streams, http_streams, children, jobs, pools, mutexes, wakers,
        instances;
};

struct testhost {
    pthread_mutex_t    lock; /* guards the lists below: calls may run on several threads */
    struct reason      problem;
    char               leaks[256];
    char              *data_dir;
    struct list        logs, peers, instances, jobs, answers, requests, scripts, metrics;
    struct list        mcp_answers; /* struct mcp_answer * */
    struct list        runs;        /* bp_run * */
    struct open_counts open;
    size_t             piece_size, break_after;
    bool               offloads_on_threads;
};

struct testhost_instance {
    testhost              *host;
    const bp_plugin       *plugin;
    struct testhost_report report; /* of the first */
    testhost_instance *first; /* itself, or the worker with the shared object that this one uses */
    void              *self, *shared;
    char              *name;
    struct arena       options; /* of their values */
    bp_peer            peer;
    uint32_t           worker_index, worker_count;
};

struct cleanup {
    struct cleanup *next;
    void (*run)(void *arg);
    void *arg;
};

struct block {
    struct block *next;
    max_align_t   start[];
};

struct bp_call {
    testhost          *host;
    testhost_instance *instance; /* NULL: a test's own call */
    bp_call           *parent;
    atomic_llong       deadline_ns;
    atomic_int         cancelled; /* a bp_status */
    int64_t            shield_until_ns;
    pthread_mutex_t    lock; /* memory may be asked for by jobs on other threads */
    struct block      *blocks;
    struct arena       arena; /* of its buffers and JSON values */
    size_t             allocated_bytes, max_bytes;
    struct {
        struct block   *blocks;
        struct cleanup *cleanups;
    } scratch[8]; /* what there was when each began */
    uint32_t        scratch_depth;
    struct cleanup *cleanups;
    struct list     streams, http_streams, children;
    bp_error        error;
    bp_principal    principal;
};

/* host.c */
void           list_add(struct list *list, void *item);
bool           list_remove(struct list *list, const void *item);
void           list_free(struct list *list, void (*free_item)(void *item));
char          *copy_text(bp_str text); /* malloc, NUL-terminated */
bp_status      problem(testhost *host, bp_status status, const char *format, ...) BP_FORMAT(3, 4);
const bp_peer *find_peer(testhost *host, bp_str name, const char *kind);

/* options.c */
/* Reads {name, value} texts, and the defaults of the others, into the struct of `into`, and turns
 * references into peers. BP_OK, or the first problem in the host's words. */
bp_status options_read(testhost *host, const bp_plugin *plugin, const testhost_option *options,
                       size_t count, testhost_instance *into);
bp_status options_check_table(testhost *host, const bp_plugin *plugin);
/* Copies the values alone from one instance of the plugin to another. */
void options_copy(const bp_plugin *plugin, const void *from, void *to);

/* call.c */
bp_call *call_new(testhost *host, testhost_instance *instance, int64_t timeout_ns);
bp_call *call_root(bp_call *call); /* the call with the arena that it uses */
/* BP_OK, or the call's end with its sentence in the error slot. */
bp_status                    call_check(bp_call *call);
extern const bp_call_service call_service;

/* the other services, one a file */
extern const bp_loop_service    loop_service;
extern const bp_http_service    http_service;
extern const bp_stream_service  stream_service;
extern const bp_metrics_service metrics_service;
extern const bp_web_service     web_service;
extern const bp_mcp_service     mcp_service;
extern const bp_command_service command_service;
extern const bp_run_service     run_service;

void    clock_advance(int64_t duration_ns);
int64_t clock_now_ns(void);
void    child_end(void *child);
void    http_stream_end(void *stream);
void    stream_end(void *stream);
void    http_free(testhost *host);
void    stream_free(testhost *host);
void    metrics_free(testhost *host);
void    mcp_free(testhost *host);
void    run_free(testhost *host);
/* Whether the schemas of an app's tools are such as a server takes. */
bp_status mcp_check_tables(testhost *host, const bp_plugin *plugin);

#endif

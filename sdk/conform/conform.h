/* conform.h - the contract of each kind of plugin, as cases that run against one instance inside a
 * real host.
 *
 * `backplane conform` starts the plugin with the options it is given, runs the cases of its kind
 * and prints a table. A case is a sentence about the kind's header and a function that returns
 * BP_OK, or fails the call with the fact found instead. Cases use the SDK alone, as any other
 * plugin that has this one as a peer; what only a host can do (cancelling a call at its n-th
 * suspension, restarting the server behind the plugin) is handed to them in struct conform.
 */
#ifndef BACKPLANE_CONFORM_H
#define BACKPLANE_CONFORM_H

#include <backplane/backplane.h>

enum { CONFORM_WORKERS_MAX = 16, CONFORM_COUNTERS = 8 };

/* One request to the host's listener, over a connection as any client has one. */
struct conform_request {
    const char           *method;
    bp_str                target; /* path and query, encoded */
    const bp_http_header *headers;
    uint32_t              header_count;
    bp_str                body;
    uint32_t cancel_at; /* the call that serves it is cancelled at that suspension; 0: not */
    int64_t  time_ns;   /* what that call is given; below 0: as always */
};

struct conform_reply {
    int32_t  status; /* 0: the connection was cut */
    bp_str   content_type, body, allow;
    uint32_t suspensions; /* of the call that served it, where cancel_at was set */
};

/* What there is of an app: its tables, and the way to it. */
struct conform_web {
    const bp_app_ops *app;
    bp_str            name;           /* of the instance */
    int64_t           max_body_bytes; /* of routes that say nothing else */
    bp_status (*ask)(bp_call *call, const struct conform_request *request,
                     struct conform_reply *reply);
    /* BP_OK: the JSON text fits the schema; BP_INVALID: it does not; BP_DATA: the schema is none.
     * With a sentence. */
    bp_status (*fits)(bp_call *call, bp_str schema, bp_str json);
    /* The state kept from before a restart of the host, and given back after it. */
    void (*keep)(bp_str text);
    bp_str (*kept)(void);
};

struct conform {
    const bp_peer *peers[CONFORM_WORKERS_MAX]; /* the instance, as each worker sees it */
    uint32_t       workers;
    const bp_str  *strings; /* awkward texts, valid UTF-8, at least a few dozen */
    size_t         string_count;
    char name[32]; /* a table, key, or collection of this run alone may begin with it; [a-z0-9_] */

    /* The call is cancelled when it suspends for the n-th time from now; 0: never. */
    void (*cancel_at)(bp_call *call, uint32_t suspension);
    uint32_t (*suspensions)(const bp_call *call); /* since cancel_at() */
    void (*set_deadline)(bp_call *call, int64_t deadline_ns);
    /* Runs run(call, arg) as a call that is nobody's child, on the same worker, and waits for its
     * end. */
    bp_status (*apart)(bp_call *call, bp_status (*run)(bp_call *call, void *arg), void *arg);
    /* Runs the command that restarts the server behind the plugin, and waits for it. NULL: there is
     * none. */
    bp_status (*restart)(bp_call *call);
    /* Bytes that this process has allocated and not yet freed, and those it has in memory. 0: they
     * cannot be told (a sanitizer keeps freed memory). */
    size_t (*allocated_bytes)(void);
    size_t (*resident_bytes)(void);

    const struct conform_web *web; /* of an app; NULL for other kinds */

    _Atomic int64_t
        counters[CONFORM_COUNTERS]; /* zero before each case; for those that run on every worker */
};

typedef enum conform_where {
    CONFORM_ONE_WORKER = 0,
    CONFORM_EVERY_WORKER = 1, /* at the same time */
    CONFORM_REFUSED = 2,      /* on an instance with wrong credentials */
    CONFORM_RESTARTED = 3 /* in a host that was stopped and started again, with the same conf and
                             data */
} conform_where;

struct conform_case {
    const char *sentence; /* what holds */
    bp_status (*run)(bp_call *call, struct conform *conform);
    conform_where where;
};

struct conform_contract {
    const char                *kind;
    const struct conform_case *cases;
    size_t                     count;
};

extern const struct conform_contract storage_contract, cache_contract, vector_contract,
    embed_contract, llm_contract, health_contract, alert_contract, app_contract;

/* NULL: no such kind. */
const struct conform_contract *conform_contract_of(const char *kind);

/* A case that does not apply here ends with what this returns, BP_UNSUPPORTED: it counts as
 * skipped, with the reason. */
bp_status conform_skip(bp_call *call, const char *reason);

/* ---- for the cases ---- */

static inline const bp_peer *conform_peer(bp_call *call, const struct conform *conform)
{
    return conform->peers[bp_worker_index(call)];
}

/* The sentence for an operation that ended otherwise than it should. */
bp_status conform_other(bp_call *call, const char *what, bp_status found, bp_status wanted);

/* Leaves the case unless `expression` ends with `wanted`. */
#define CONFORM_STATUS(call, expression, wanted)                                                   \
    do {                                                                                           \
        bp_status conform_found_ = (expression);                                                   \
        if (conform_found_ != (wanted))                                                            \
            return conform_other((call), #expression, conform_found_, (wanted));                   \
    } while (0)

/* Leaves the case, with a sentence, unless `condition` holds. */
#define CONFORM_THAT(call, condition, ...)                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return bp_fail((call), BP_INTERNAL, __VA_ARGS__);                                      \
    } while (0)

/* Waits until a counter that all workers raise has that value; a minute at most, as another worker
 * may have failed. */
bp_status conform_meet(bp_call *call, const _Atomic int64_t *counter, int64_t wanted);

/* An operation with inputs that are good: for the cases about cancellation and deadlines. */
struct conform_op {
    const char *name;
    bp_status (*run)(bp_call *call, struct conform *conform);
};

/* Each operation, cancelled at its first suspension, its second ... until it ends by itself: each
 * time it says BP_OK or BP_CANCELLED, and the same operation works right after it. */
bp_status conform_cancel(bp_call *call, struct conform *conform, const struct conform_op *ops,
                         size_t count);
/* Each operation with no time left, with 1 ms and with 20 ms: BP_OK or BP_DEADLINE, soon, and it
 * works right after it. */
bp_status conform_hurry(bp_call *call, struct conform *conform, const struct conform_op *ops,
                        size_t count);
/* The operations in turn, thousands of times: when what they begin with is made, the process stays
 * as large as it is. A process that still grows by 16 bytes an operation in the last of many rounds
 * leaks. */
bp_status conform_do_not_grow(bp_call *call, struct conform *conform, const struct conform_op *ops,
                              size_t count);
/* Whether an operation with wrong credentials was refused for them: as BP_DENIED or
 * BP_UNAUTHENTICATED, or with a sentence that speaks of a password, key, token, or permission. A
 * server out of reach and a mistaken request are no refusals. */
bool conform_is_refusal(bp_status status, bp_str sentence);
/* The first operation again and again while the server restarts: what fails says why, and within 60
 * s it works again. */
bp_status conform_survive(bp_call *call, struct conform *conform, const struct conform_op *op);

#endif

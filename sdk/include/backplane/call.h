/* backplane/call.h - the call: one piece of work in flight, and what it carries.
 *
 * Every operation gets a bp_call first. It bounds the work in time, ends it when nobody waits any
 * longer, owns its memory, and holds its last error:
 *
 *      call { deadline, cancelled?, arena, error slot, log fields, trace, principal }
 *
 * Memory: inputs of an operation are borrowed until it returns. Outputs live in the call's arena,
 * which is freed as a whole when the call ends. Neither side frees memory of the other. Time:
 * every function that suspends is bounded by the call's deadline and returns at once, with
 * BP_CANCELLED or BP_DEADLINE, when the call is over. Cancellation is sticky.
 * Threads: unless it says otherwise a function may be used only by the fiber the call runs on; a
 * job given to bp_offload() may allocate, format, fail and log with its call, as the fiber is
 * parked then.
 */
#ifndef BACKPLANE_CALL_H
#define BACKPLANE_CALL_H

#include <stdarg.h>
#include <stdio.h>

#include <backplane/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_call bp_call; /* opaque; made by the host */

/* The caller. Strings live as long as the call. */
typedef struct bp_principal {
    uint32_t struct_size;
    bool     is_authenticated;
    bp_str   id;     /* of the API key; empty when nobody had to authenticate */
    bp_str   tenant; /* never empty; "default" unless the key says otherwise */
    bp_str   scopes; /* separated by blanks: "retrieval:read retrieval:write"; "*" for all */
} bp_principal;

/* Whether the principal's scopes hold `scope`: by itself, by "retrieval:*" for "retrieval:read", or
 * by
 * "*". */
static inline bool bp_principal_allows(const bp_principal *who, const char *scope)
{
    size_t      group = strcspn(scope, ":"), len = strlen(scope);
    const char *at = who->scopes.data, *end = at + who->scopes.len;

    while (at && at < end) {
        const char *blank = (const char *)memchr(at, ' ', (size_t)(end - at));
        size_t      word = (size_t)((blank ? blank : end) - at);

        if ((word == 1 && at[0] == '*') || (word == len && memcmp(at, scope, len) == 0) ||
            (group < len && word == group + 2 && memcmp(at, scope, group + 1) == 0 &&
             at[group + 1] == '*'))
            return true;
        at += word + 1;
    }
    return false;
}

/* The last error of a call. Strings live as long as the call. */
typedef struct bp_error {
    uint32_t    struct_size;
    bp_status   status;          /* BP_OK: no error */
    bp_str      message;         /* a sentence for the person who must act */
    int64_t     retry_after_ns;  /* 0: not known */
    int32_t     os_errno;        /* 0: none */
    int32_t     upstream_status; /* the HTTP status another server gave; 0: none */
    bp_str      plugin;          /* kind/name of the plugin that failed; empty: the host */
    bp_str      op;
    const char *file; /* where in the source */
    uint32_t    line;
    /* The sentence for clients of the server, since `message` may name hosts, users, paths; empty:
     * `message`. */
    bp_str client_message;
} bp_error;

typedef enum bp_log_level {
    BP_LOG_DEBUG = 0,
    BP_LOG_INFO = 1,
    BP_LOG_WARN = 2,
    BP_LOG_ERROR = 3
} bp_log_level;

/* One field of a log line, made by bp_field_str() and its sisters. */
typedef struct bp_field {
    const char *name; /* snake_case, a unit in it where there is one */
    uint32_t    type; /* 0 string, 1 integer, 2 number, 3 boolean */
    uint32_t    reserved;
    bp_str      text;
    int64_t     integer;
    double      number;
} bp_field;

/* A growing byte buffer in a call's arena, with a maximum that is stated when it is made. After a
 * write that does not fit, the buffer is spoilt: later writes do nothing, bp_buf_str() is empty and
 * bp_buf_status() says BP_TOO_LARGE or BP_NO_MEMORY, so that one check at the end is enough. */
typedef struct bp_buf bp_buf;

typedef struct bp_call_service {
    uint32_t struct_size;

    /* Memory of the call, zeroed, aligned for any type; of 0 bytes, too, it is not NULL. NULL, with
     * BP_NO_MEMORY in the slot, when the call's memory limit is passed. */
    void *(*alloc)(bp_call *call, size_t size_bytes);
    /* Runs cleanup(arg) when the call ends, latest first, on the worker; it must not suspend. */
    bp_status (*on_end)(bp_call *call, void (*cleanup)(void *arg), void *arg);

    bp_status (*set_error)(bp_call *call, bp_status status, bp_str message, const char *file,
                           uint32_t line);
    void (*set_error_detail)(bp_call *call, int64_t retry_after_ns, int32_t os_errno,
                             int32_t upstream_status);
    const bp_error *(*error)(bp_call *call);
    void (*clear_error)(bp_call *call);

    int64_t (*deadline_ns)(bp_call *call); /* monotonic; BP_FOREVER: none */
    bp_status (*cancelled)(bp_call *call); /* BP_OK, BP_CANCELLED or BP_DEADLINE */
    bp_status (*shield)(bp_call *call, int64_t extra_ns);
    void (*unshield)(bp_call *call);

    bp_str (*request_id)(bp_call *call);
    bp_str (*traceparent)(bp_call *call); /* W3C, of the current span; never empty */
    const bp_principal *(*principal)(bp_call *call);

    void (*log)(bp_call *call, uint32_t level, bp_str event, bp_str message, const bp_field *fields,
                size_t field_size, size_t field_count);
    bool (*log_enabled)(bp_call *call, uint32_t level);

    int64_t (*now_ns)(void);                   /* monotonic */
    int64_t (*wall_ns)(void);                  /* since 1970-01-01T00:00:00Z */
    void (*random)(void *bytes, size_t count); /* cryptographically strong */
    void (*sha256)(bp_str bytes, uint8_t digest[32]);

    bp_buf *(*buf_new)(bp_call *call, size_t max_bytes);
    void (*buf_add)(bp_buf *buf, bp_str bytes);
    bp_str (*buf_str)(
        bp_buf *buf); /* borrowed, NUL-terminated behind its end, until the next write */
    bp_status (*buf_status)(const bp_buf *buf);
    void (*buf_reset)(bp_buf *buf); /* empty and sound again; keeps its memory */

    bp_status (*scratch_begin)(bp_call *call);
    void (*scratch_end)(bp_call *call);

    void (*set_error_for_client)(bp_call *call, bp_str sentence);
} bp_call_service;

BP_SERVICE(call, bp_call_service, 1)

/* ---- memory ---- */

static inline void *bp_alloc(bp_call *call, size_t size_bytes)
{
    return bp_service_call->alloc(call, size_bytes);
}

#define BP_NEW(call, type)              ((type *)bp_alloc((call), sizeof(type)))
#define BP_NEW_ARRAY(call, type, count) ((type *)bp_alloc_array((call), sizeof(type), (count)))

/* NULL also when size times count overflows. */
static inline void *bp_alloc_array(bp_call *call, size_t size_bytes, size_t count)
{
    if (count && size_bytes > SIZE_MAX / count)
        return bp_alloc(call, SIZE_MAX);
    return bp_alloc(call, size_bytes * count);
}

/* A copy in the call's arena with a NUL behind it; empty when there is no memory. */
static inline bp_str bp_dup(bp_call *call, bp_str s)
{
    char  *copy = (char *)bp_alloc(call, s.len + 1);
    bp_str out = { copy, copy ? s.len : 0 };
    if (copy && s.len)
        memcpy(copy, s.data, s.len);
    return out;
}

/* printf into the call's arena; the result is NUL-terminated. Empty when there is no memory. */
static inline bp_str bp_vformat(bp_call *call, const char *format, va_list args) BP_FORMAT(2, 0);
static inline bp_str bp_vformat(bp_call *call, const char *format, va_list args)
{
    va_list again;
    int     len;
    char   *text;
    bp_str  out = { "", 0 };

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    text = len < 0 ? NULL : (char *)bp_alloc(call, (size_t)len + 1);
    if (text) {
        vsnprintf(text, (size_t)len + 1, format, again);
        out = bp_str_n(text, (size_t)len);
    }
    va_end(again);
    return out;
}

static inline bp_str bp_format(bp_call *call, const char *format, ...) BP_FORMAT(2, 3);
static inline bp_str bp_format(bp_call *call, const char *format, ...)
{
    va_list args;
    bp_str  out;

    va_start(args, format);
    out = bp_vformat(call, format, args);
    va_end(args);
    return out;
}

static inline bp_status bp_on_end(bp_call *call, void (*cleanup)(void *arg), void *arg)
{
    return bp_service_call->on_end(call, cleanup, arg);
}

/* Between the two, memory of the call comes from a separate arena, which bp_scratch_end() frees as
 * a whole, after its cleanups: for a call that works through a long stream piece by piece. Allocate
 * longer-lived memory before; the error slot survives. May be nested 8 deep; the end of the call
 * ends open ones. BP_NO_MEMORY when nested deeper or memory is used up. */
static inline bp_status bp_scratch_begin(bp_call *call)
{
    return bp_service_call->scratch_begin(call);
}
static inline void bp_scratch_end(bp_call *call)
{
    bp_service_call->scratch_end(call);
}

/* ---- errors ---- */

/* Puts a sentence into the call's error slot and returns `status`. The sentence says what failed,
 * on what, why and what to do; never the value of a secret option. Cut at 1,023 bytes. */
static inline bp_status bp_fail_at(bp_call *call, const char *file, uint32_t line, bp_status status,
                                   const char *format, ...) BP_FORMAT(5, 6);
static inline bp_status bp_fail_at(bp_call *call, const char *file, uint32_t line, bp_status status,
                                   const char *format, ...)
{
    char    text[1024];
    va_list args;
    int     len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof(text))
        len = (int)sizeof(text) - 1;
    return bp_service_call->set_error(call, status, bp_str_n(text, (size_t)len), file, line);
}
#define bp_fail(call, status, ...) bp_fail_at((call), __FILE__, __LINE__, (status), __VA_ARGS__)

/* Details of the error just set; 0 where not known. */
static inline void bp_fail_detail(bp_call *call, int64_t retry_after_ns, int32_t os_errno,
                                  int32_t upstream_status)
{
    bp_service_call->set_error_detail(call, retry_after_ns, os_errno, upstream_status);
}

/* Sets the sentence that clients of the server see of the error just set; the log keeps the full
 * one. For plugins of back ends: by default the host tells clients only that the storage, the
 * vector store or the provider failed. Copied. */
static inline void bp_fail_for_client(bp_call *call, bp_str sentence)
{
    bp_service_call->set_error_for_client(call, sentence);
}

/* Never NULL; status BP_OK without an error. An app sees the error of a back end in the form that
 * clients may see; the log has the rest, under the same request id. */
static inline const bp_error *bp_error_of(bp_call *call)
{
    return bp_service_call->error(call);
}

/* For a caller that has handled an error and goes on. */
static inline void bp_clear_error(bp_call *call)
{
    bp_service_call->clear_error(call);
}

/* ---- time and cancellation ---- */

static inline int64_t bp_now_ns(void)
{
    return bp_service_call->now_ns();
}
static inline int64_t bp_wall_ns(void)
{
    return bp_service_call->wall_ns();
}
static inline int64_t bp_deadline_ns(bp_call *call)
{
    return bp_service_call->deadline_ns(call);
}

/* The deadline `timeout_ns` from now, or the call's own if that is earlier. */
static inline int64_t bp_within(bp_call *call, int64_t timeout_ns)
{
    int64_t own = bp_deadline_ns(call), now = bp_now_ns();
    if (timeout_ns < 0)
        timeout_ns = 0;
    return timeout_ns > own - now ? own : now + timeout_ns;
}

/* BP_OK while the call goes on. Check it in long loops without a suspending call. */
static inline bp_status bp_cancelled(bp_call *call)
{
    return bp_service_call->cancelled(call);
}

/* Between bp_shield() and bp_unshield() a cancelled call may suspend for `extra_ns` more, at most 5
 * s: for an orderly end (rolling back, telling another server to stop). Not nested: inside another
 * one it returns BP_INVALID, and the outer one goes on. */
static inline bp_status bp_shield(bp_call *call, int64_t extra_ns)
{
    return bp_service_call->shield(call, extra_ns);
}
static inline void bp_unshield(bp_call *call)
{
    bp_service_call->unshield(call);
}

/* ---- who and where ---- */

static inline bp_str bp_request_id(bp_call *call)
{
    return bp_service_call->request_id(call);
}
static inline bp_str bp_traceparent(bp_call *call)
{
    return bp_service_call->traceparent(call);
}
static inline const bp_principal *bp_principal_of(bp_call *call)
{
    return bp_service_call->principal(call);
}

/* ---- log: one JSON line, with the call's request id, plugin and op in it. Any thread. ---- */

static inline bp_field bp_field_str(const char *name, bp_str text)
{
    bp_field f = { name, 0, 0, text, 0, 0 };
    return f;
}
static inline bp_field bp_field_int(const char *name, int64_t integer)
{
    bp_field f = { name, 1, 0, { NULL, 0 }, integer, 0 };
    return f;
}
static inline bp_field bp_field_number(const char *name, double number)
{
    bp_field f = { name, 2, 0, { NULL, 0 }, 0, number };
    return f;
}
static inline bp_field bp_field_bool(const char *name, bool is_true)
{
    bp_field f = { name, 3, 0, { NULL, 0 }, is_true, 0 };
    return f;
}

/* `event` is a short snake_case name that programs look for; `fields` may be NULL with count 0. */
static inline void bp_log_event(bp_call *call, bp_log_level level, const char *event,
                                bp_str message, const bp_field *fields, size_t field_count)
{
    bp_service_call->log(call, (uint32_t)level, bp_str_of(event), message, fields, sizeof(bp_field),
                         field_count);
}

static inline void bp_log(bp_call *call, bp_log_level level, const char *format, ...)
    BP_FORMAT(3, 4);
static inline void bp_log(bp_call *call, bp_log_level level, const char *format, ...)
{
    char    text[1024];
    va_list args;
    int     len;

    if (!bp_service_call->log_enabled(call, (uint32_t)level))
        return;
    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof(text))
        len = (int)sizeof(text) - 1;
    bp_service_call->log(call, (uint32_t)level, bp_str_n("", 0), bp_str_n(text, (size_t)len), NULL,
                         sizeof(bp_field), 0);
}

/* ---- bytes ---- */

static inline void bp_random(void *bytes, size_t count)
{
    bp_service_call->random(bytes, count);
}
static inline void bp_sha256(bp_str bytes, uint8_t digest[32])
{
    bp_service_call->sha256(bytes, digest);
}

/* NULL when memory runs out; every other function accepts NULL and treats it as a spoilt buffer.
 */
static inline bp_buf *bp_buf_new(bp_call *call, size_t max_bytes)
{
    return bp_service_call->buf_new(call, max_bytes);
}
static inline void bp_buf_add(bp_buf *buf, bp_str bytes)
{
    bp_service_call->buf_add(buf, bytes);
}
static inline bp_str bp_buf_str(bp_buf *buf)
{
    return bp_service_call->buf_str(buf);
}
static inline bp_status bp_buf_status(const bp_buf *buf)
{
    return bp_service_call->buf_status(buf);
}
static inline void bp_buf_reset(bp_buf *buf)
{
    bp_service_call->buf_reset(buf);
}

/* printf at the end of the buffer; one piece at most 1,023 bytes, a longer one is cut. */
static inline void bp_buf_addf(bp_buf *buf, const char *format, ...) BP_FORMAT(2, 3);
static inline void bp_buf_addf(bp_buf *buf, const char *format, ...)
{
    char    text[1024];
    va_list args;
    int     len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0)
        bp_buf_add(buf,
                   bp_str_n(text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1));
}

#ifdef __cplusplus
}
#endif
#endif

/* call.c - faked: the call (its memory, its end, its error slot), the log, and the clock, which is
 * virtual. Buffers, hashes, random bytes and masks are the host's own.
 *
 * Each allocation is a malloc of its own, so that AddressSanitizer sees a plugin write past its
 * end.
 */
#include "host.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json_service.h"
#include "base/mask.h"

/* The ABI's now_ns() has no argument, so there is one clock for all hosts of the process. It starts
 * at a second that is not round, to find those who take 0 for a time. */
static atomic_llong virtual_now_ns = 1000123456789;

enum { MASKED_BYTES_MAX = 64 << 20 };

#define WALL_START_NS (INT64_C(1767225600) * 1000000000) /* 2026-01-01T00:00:00Z */

int64_t clock_now_ns(void)
{
    return atomic_load(&virtual_now_ns);
}
void clock_advance(int64_t duration_ns)
{
    atomic_fetch_add(&virtual_now_ns, duration_ns);
}
void testhost_advance(int64_t duration_ns)
{
    clock_advance(duration_ns);
}
static int64_t clock_wall_ns(void)
{
    return WALL_START_NS + clock_now_ns();
}

/* ---- life of a call ---- */

bp_call *call_root(bp_call *call)
{
    while (call->parent)
        call = call->parent;
    return call;
}

bp_call *call_new(testhost *host, testhost_instance *instance, int64_t timeout_ns)
{
    bp_call *call = calloc(1, sizeof(*call));
    int64_t  now = clock_now_ns();

    if (!call)
        abort();
    call->host = host;
    call->instance = instance;
    atomic_init(&call->deadline_ns, timeout_ns > BP_FOREVER - now ? BP_FOREVER : now + timeout_ns);
    call->max_bytes = SIZE_MAX;
    arena_init(&call->arena, SIZE_MAX / 2);
    call->error.struct_size = sizeof(call->error);
    call->principal = (bp_principal){ .struct_size = sizeof(bp_principal),
                                      .tenant = BP_STR("default") };
    pthread_mutex_init(&call->lock, NULL);
    atomic_fetch_add(&host->open.calls, 1);
    return call;
}

bp_call *testhost_call_new(testhost *host, int64_t timeout_ns)
{
    testhost_instance *latest = host->instances.count
                                    ? host->instances.items[host->instances.count - 1]
                                    : NULL;
    return call_new(host, latest, timeout_ns);
}

void testhost_call_end(bp_call *call)
{
    if (!call)
        return;
    list_free(&call->children, child_end);
    while (call->cleanups) {
        struct cleanup *latest = call->cleanups;
        call->cleanups = latest->next;
        latest->run(latest->arg);
        atomic_fetch_sub(&call->host->open.cleanups, 1);
        free(latest);
    }
    list_free(&call->streams, stream_end);
    list_free(&call->http_streams, http_stream_end);
    arena_free(&call->arena);
    while (call->blocks) {
        struct block *next = call->blocks->next;
        free(call->blocks);
        call->blocks = next;
    }
    atomic_fetch_sub(&call->host->open.calls, 1);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

void testhost_cancel(bp_call *call)
{
    atomic_store(&call->cancelled, BP_CANCELLED);
}
void testhost_call_principal(bp_call *call, const bp_principal *principal)
{
    call->principal = *principal;
}
void testhost_call_memory(bp_call *call, size_t max_bytes)
{
    call->max_bytes = max_bytes;
    call->arena.limit_bytes = max_bytes;
}

/* ---- memory ---- */

static bp_status call_fail(bp_call *call, bp_status status, bp_str message, const char *file,
                           uint32_t line);
static void      call_error_for_client(bp_call *call, bp_str sentence);

static void *call_alloc(bp_call *call, size_t size_bytes)
{
    bp_call      *root = call_root(call);
    struct block *block = NULL;

    pthread_mutex_lock(&root->lock);
    if (size_bytes <= SIZE_MAX / 2 && root->allocated_bytes <= root->max_bytes &&
        size_bytes <= root->max_bytes - root->allocated_bytes)
        block = calloc(1, sizeof(*block) + size_bytes);
    if (block) {
        root->allocated_bytes += size_bytes;
        block->next = root->blocks;
        root->blocks = block;
    }
    pthread_mutex_unlock(&root->lock);
    if (!block) {
        call_fail(call, BP_NO_MEMORY, BP_STR("the memory allowed for this call is used up"),
                  __FILE__, __LINE__);
        return NULL;
    }
    return block->start;
}

/* Frees the memory allocated since, so that AddressSanitizer sees a plugin use it afterwards; the
 * error slot keeps its message. */
static bp_status call_scratch_begin(bp_call *call)
{
    if (call->scratch_depth == 8)
        return call_fail(call, BP_NO_MEMORY, BP_STR("scratch memory is nested deeper than 8"),
                         __FILE__, __LINE__);
    call->scratch[call->scratch_depth].blocks = call_root(call)->blocks;
    call->scratch[call->scratch_depth++].cleanups = call->cleanups;
    return BP_OK;
}

static void call_scratch_end(bp_call *call)
{
    bp_call      *root = call_root(call);
    bp_error      error = call->error;
    struct block *freed, *before;
    char         *message = error.message.len ? copy_text(error.message) : NULL;
    char         *for_client = error.client_message.len ? copy_text(error.client_message) : NULL;

    if (call->scratch_depth == 0)
        return;
    call->scratch_depth--;
    while (call->cleanups != call->scratch[call->scratch_depth].cleanups) {
        struct cleanup *latest = call->cleanups;
        call->cleanups = latest->next;
        latest->run(latest->arg);
        atomic_fetch_sub(&call->host->open.cleanups, 1);
        free(latest);
    }
    pthread_mutex_lock(&root->lock);
    freed = root->blocks;
    before = call->scratch[call->scratch_depth].blocks;
    root->blocks = before;
    pthread_mutex_unlock(&root->lock);
    while (freed != before) {
        struct block *next = freed->next;
        free(freed);
        freed = next;
    }
    if (message) {
        call_fail(call, error.status, bp_str_of(message), error.file, error.line);
        error.message = call->error.message;
        call->error = error;
        free(message);
    }
    if (for_client)
        call_error_for_client(call, bp_str_of(for_client));
    free(for_client);
}

static bp_status call_on_end(bp_call *call, void (*run)(void *arg), void *arg)
{
    struct cleanup *cleanup = malloc(sizeof(*cleanup));
    if (!cleanup)
        abort();
    *cleanup = (struct cleanup){ call->cleanups, run, arg };
    call->cleanups = cleanup;
    atomic_fetch_add(&call->host->open.cleanups, 1);
    return BP_OK;
}

/* ---- errors ---- */

/* Beside the limit: a call without memory can still say so. */
static bp_str keep_sentence(bp_call *call, bp_str sentence)
{
    bp_call      *root = call_root(call);
    struct block *block = calloc(1, sizeof(*block) + sentence.len + 1);

    if (!block)
        abort();
    if (sentence.len)
        memcpy(block->start, sentence.data, sentence.len);
    pthread_mutex_lock(&root->lock);
    block->next = root->blocks;
    root->blocks = block;
    pthread_mutex_unlock(&root->lock);
    return bp_str_n((const char *)block->start, sentence.len);
}

/* As in the log and the errors of a server; a copy, to be freed. */
static char *masked(bp_str text, bool hides_paths)
{
    struct arena arena;
    char        *copy;

    arena_init(&arena, MASKED_BYTES_MAX);
    copy = copy_text(mask_secrets(&arena, text, hides_paths));
    arena_free(&arena);
    return copy;
}

static bp_status call_fail(bp_call *call, bp_status status, bp_str message, const char *file,
                           uint32_t line)
{
    bool  is_alert = call->instance && strcmp(call->instance->plugin->kind, "alert") == 0;
    char *shown = masked(message, is_alert);

    call->error = (bp_error){
        .struct_size = sizeof(bp_error),
        .status = status,
        .message = keep_sentence(call, bp_str_of(shown)),
        .file = file,
        .line = line,
    };
    free(shown);
    return status;
}

static void call_fail_detail(bp_call *call, int64_t retry_after_ns, int32_t os_errno,
                             int32_t upstream_status)
{
    call->error.retry_after_ns = retry_after_ns;
    call->error.os_errno = os_errno;
    call->error.upstream_status = upstream_status;
}

static void call_error_for_client(bp_call *call, bp_str sentence)
{
    call->error.client_message = keep_sentence(call, sentence);
}

static const bp_error *call_error(bp_call *call)
{
    return &call->error;
}
static void call_clear_error(bp_call *call)
{
    call->error = (bp_error){ .struct_size = sizeof(bp_error) };
}

/* ---- its end ---- */

static int64_t call_deadline(bp_call *call)
{
    return atomic_load(&call->deadline_ns);
}

static bp_status call_cancelled(bp_call *call)
{
    if (call->shield_until_ns)
        return clock_now_ns() >= call->shield_until_ns ? BP_DEADLINE : BP_OK;
    for (bp_call *at = call; at; at = at->parent)
        if (atomic_load(&at->cancelled))
            return atomic_load(&at->cancelled);
    return clock_now_ns() >= atomic_load(&call->deadline_ns) ? BP_DEADLINE : BP_OK;
}

bp_status call_check(bp_call *call)
{
    bp_status status = call_cancelled(call);
    if (status == BP_CANCELLED)
        return bp_fail(call, status, "the caller no longer waits for the answer");
    if (status == BP_DEADLINE)
        return bp_fail(call, status, "the time allowed has passed");
    return BP_OK;
}

static bp_status call_shield(bp_call *call, int64_t extra_ns)
{
    if (extra_ns < 0 || extra_ns > BP_SECONDS(5) || call->shield_until_ns)
        return bp_fail(call, BP_INVALID, "bp_shield() takes 0 to 5 s and is not nested");
    call->shield_until_ns = clock_now_ns() + extra_ns;
    return BP_OK;
}

static void call_unshield(bp_call *call)
{
    call->shield_until_ns = 0;
}

static bp_str call_request_id(bp_call *call)
{
    (void)call;
    return BP_STR("test-request");
}
static bp_str call_traceparent(bp_call *call)
{
    (void)call;
    return BP_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}
static const bp_principal *call_principal(bp_call *call)
{
    return &call_root(call)->principal;
}

/* ---- log ---- */

static void call_log(bp_call *call, uint32_t level, bp_str event, bp_str message,
                     const bp_field *fields, size_t field_size, size_t field_count)
{
    struct log_line *line = calloc(1, sizeof(*line));
    char             text[4096] = "";
    size_t           len = 0;

    if (!line)
        abort();
    for (size_t i = 0; i < field_count && len < sizeof(text) - 1; i++) {
        const bp_field *field = (const bp_field *)(const void *)((const char *)fields +
                                                                 i * field_size);
        const char     *blank = i ? " " : "";
        size_t          room = sizeof(text) - len;
        int             added = 0;
        char           *shown;
        switch (field->type) {
        case 0:
            shown = masked(field->text, false);
            added = snprintf(text + len, room, "%s%s=%s", blank, field->name, shown);
            free(shown);
            break;
        case 2:
            added = snprintf(text + len, room, "%s%s=%g", blank, field->name, field->number);
            break;
        default:
            added = snprintf(text + len, room, "%s%s=%lld", blank, field->name,
                             (long long)field->integer);
        }
        len += (size_t)added < room ? (size_t)added : room - 1;
    }
    line->level = (bp_log_level)level;
    line->event = copy_text(event);
    line->message = masked(message, false);
    line->fields = copy_text(bp_str_of(text));
    pthread_mutex_lock(&call->host->lock);
    list_add(&call->host->logs, line);
    pthread_mutex_unlock(&call->host->lock);
}

static bool call_log_enabled(bp_call *call, uint32_t level)
{
    (void)call;
    (void)level;
    return true;
}

size_t testhost_log_count(testhost *host)
{
    pthread_mutex_lock(&host->lock);
    size_t count = host->logs.count;
    pthread_mutex_unlock(&host->lock);
    return count;
}

testhost_log testhost_log_at(testhost *host, size_t index)
{
    testhost_log log = { 0 };
    pthread_mutex_lock(&host->lock);
    if (index < host->logs.count) {
        const struct log_line *line = host->logs.items[index];
        log = (testhost_log){ line->level, line->event, line->message, line->fields };
    }
    pthread_mutex_unlock(&host->lock);
    return log;
}

bool testhost_log_has(testhost *host, const char *text)
{
    for (size_t i = 0; i < testhost_log_count(host); i++) {
        testhost_log log = testhost_log_at(host, i);
        if (strstr(log.event, text) || strstr(log.message, text) || strstr(log.fields, text))
            return true;
    }
    return false;
}

/* ---- bytes ---- */

struct arena *call_memory(bp_call *call)
{
    return &call_root(call)->arena;
}

static bp_buf *buf_new(bp_call *call, size_t max_bytes)
{
    struct bp_buf *buf = call_alloc(call, sizeof(*buf));
    if (buf)
        buf_init(buf, call_memory(call), max_bytes);
    return buf;
}

const bp_call_service call_service = {
    .struct_size = sizeof(bp_call_service),
    .alloc = call_alloc,
    .on_end = call_on_end,
    .set_error = call_fail,
    .set_error_detail = call_fail_detail,
    .error = call_error,
    .clear_error = call_clear_error,
    .deadline_ns = call_deadline,
    .cancelled = call_cancelled,
    .shield = call_shield,
    .unshield = call_unshield,
    .request_id = call_request_id,
    .traceparent = call_traceparent,
    .principal = call_principal,
    .log = call_log,
    .log_enabled = call_log_enabled,
    .now_ns = clock_now_ns,
    .wall_ns = clock_wall_ns,
    .random = crypto_random,
    .sha256 = crypto_sha256,
    .buf_new = buf_new,
    .buf_add = buf_add,
    .buf_str = buf_str,
    .buf_status = buf_status,
    .buf_reset = buf_reset,
    .scratch_begin = call_scratch_begin,
    .scratch_end = call_scratch_end,
    .set_error_for_client = call_error_for_client,
};

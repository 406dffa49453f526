/* backplane/base.h - what every other header uses: ABI numbers, strings, statuses.
 *
 * This header and all others of the SDK are self-contained C11 and C++20. They need no symbol of
 * the host: whatever calls into it goes through a table the host fills in when it loads the plugin.
 * sdk/ABI.md states the rules; tests/unit/sdk/test_abi.c asserts the offset of every field.
 */
#ifndef BACKPLANE_BASE_H
#define BACKPLANE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_ABI_MAJOR 1u /* equal on both sides, or the plugin is refused */
#define BP_ABI_MINOR 0u /* additive only */
#define BP_ABI       ((BP_ABI_MAJOR << 16) | BP_ABI_MINOR)

/* A function marked so may suspend the calling fiber: other fibers of the same worker run
 * meanwhile, so treat instance state read before the call as changed after it. errno and the
 * OpenSSL error queue do not survive it either: read them first. It stands after the declaration,
 * as documentation. */
#define BP_SUSPENDS

#define BP_EXPORT                      __attribute__((visibility("default")))
#define BP_HIDDEN                      __attribute__((visibility("hidden")))
#define BP_FORMAT(string_index, first) __attribute__((format(printf, string_index, first)))
#define BP_MUST_USE                    __attribute__((warn_unused_result))

/* Text or bytes with another owner. Not NUL-terminated unless a function says so; UTF-8 unless it
 * says "bytes". An empty string may have a NULL pointer. */
typedef struct bp_str {
    const char *data;
    size_t      len;
} bp_str;

#ifdef __cplusplus
#define BP_STR(literal) (bp_str{ "" literal, sizeof(literal) - 1 })
#else
#define BP_STR(literal) ((bp_str){ "" literal, sizeof(literal) - 1 })
#endif

/* For printf: bp_fail(call, BP_INVALID, "no collection " BP_FMT, BP_ARG(name)); */
#define BP_FMT    "%.*s"
#define BP_ARG(s) ((int)((s).len > 4096 ? 4096 : (s).len)), ((s).data ? (s).data : "")

static inline bp_str bp_str_of(const char *text)
{
    bp_str s = { text, text ? strlen(text) : 0 };
    return s;
}

static inline bp_str bp_str_n(const char *data, size_t len)
{
    bp_str s = { data, len };
    return s;
}

static inline bool bp_str_equal(bp_str a, bp_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool bp_str_is(bp_str a, const char *text)
{
    return bp_str_equal(a, bp_str_of(text));
}

static inline bool bp_str_starts(bp_str s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

/* A list of strings, as an option of type list gives it. */
typedef struct bp_str_list {
    const bp_str *items;
    size_t        count;
} bp_str_list;

/* Every way a call can end, as one list: number, name, label in JSON and metrics, the HTTP status
 * that a client sees when an app passes it on, whether a later retry may help, and a text.
 * X(number, NAME, label, http_status, is_retryable, text) */
#define BP_STATUS_MAP(X)                                                                           \
    X(0, OK, "ok", 200, 0, "done")                                                                 \
    X(1, INVALID, "invalid", 400, 0, "the input is not valid")                                     \
    X(2, UNAUTHENTICATED, "unauthenticated", 401, 0, "credentials are missing or wrong")           \
    X(3, DENIED, "denied", 403, 0, "the credentials do not allow this")                            \
    X(4, NOT_FOUND, "not_found", 404, 0, "there is no such thing")                                 \
    X(5, CONFLICT, "conflict", 409, 0, "it contradicts the state that is there already")           \
    X(6, TOO_LARGE, "too_large", 413, 0, "it is larger than a limit allows")                       \
    X(7, LIMIT, "limit", 429, 1, "a rate, budget or concurrency limit is reached")                 \
    X(8, CANCELLED, "cancelled", 499, 0, "the caller no longer waits for the answer")              \
    X(9, INTERNAL, "internal", 500, 0, "a mistake in the program")                                 \
    X(10, UNSUPPORTED, "unsupported", 501, 0, "this back end cannot do that")                      \
    X(11, UPSTREAM, "upstream", 502, 1, "another server answered with an error or with nonsense")  \
    X(12, UNAVAILABLE, "unavailable", 503, 1, "another server or resource cannot be reached now")  \
    X(13, DEADLINE, "deadline", 504, 1, "the time allowed has passed")                             \
    X(14, FULL, "full", 507, 0, "no space is left, or it is read-only")                            \
    X(15, IO, "io", 500, 0, "reading or writing failed")                                           \
    X(16, DATA, "data", 500, 0, "stored data is damaged or not understood")                        \
    X(17, NO_MEMORY, "no_memory", 503, 1, "the memory allowed is used up")                         \
    X(18, INPUT_REQUIRED, "input_required", 409, 0, "the client has to answer a question first")

typedef int32_t bp_status;
enum {
#define BP_STATUS_ENUM(number, name, label, http_status, is_retryable, text) BP_##name = (number),
    BP_STATUS_MAP(BP_STATUS_ENUM)
#undef BP_STATUS_ENUM
        BP_STATUS_COUNT = 19
};

/* "invalid" for BP_INVALID; "unknown" for a number this header does not know. */
static inline const char *bp_status_label(bp_status status)
{
    switch (status) {
#define BP_STATUS_CASE(number, name, label, http_status, is_retryable, text)                       \
    case number:                                                                                   \
        return label;
        BP_STATUS_MAP(BP_STATUS_CASE)
#undef BP_STATUS_CASE
    default:
        return "unknown";
    }
}

/* "the input is not valid" for BP_INVALID. */
static inline const char *bp_status_text(bp_status status)
{
    switch (status) {
#define BP_STATUS_CASE(number, name, label, http_status, is_retryable, text)                       \
    case number:                                                                                   \
        return text;
        BP_STATUS_MAP(BP_STATUS_CASE)
#undef BP_STATUS_CASE
    default:
        return "an unknown status";
    }
}

/* 400 for BP_INVALID; 500 for a number this header does not know. */
static inline int32_t bp_status_http(bp_status status)
{
    switch (status) {
#define BP_STATUS_CASE(number, name, label, http_status, is_retryable, text)                       \
    case number:                                                                                   \
        return http_status;
        BP_STATUS_MAP(BP_STATUS_CASE)
#undef BP_STATUS_CASE
    default:
        return 500;
    }
}

static inline bool bp_status_is_retryable(bp_status status)
{
    switch (status) {
#define BP_STATUS_CASE(number, name, label, http_status, is_retryable, text)                       \
    case number:                                                                                   \
        return is_retryable != 0;
        BP_STATUS_MAP(BP_STATUS_CASE)
#undef BP_STATUS_CASE
    default:
        return false;
    }
}

/* Returns from the calling function unless `expression` is BP_OK. The error slot already says why.
 */
#define BP_TRY(expression)                                                                         \
    do {                                                                                           \
        bp_status bp_try_status_ = (expression);                                                   \
        if (bp_try_status_ != BP_OK)                                                               \
            return bp_try_status_;                                                                 \
    } while (0)

/* Whether a size-stamped struct of the other side is long enough to have `field`. */
#define BP_HAS(pointer, type, field)                                                               \
    ((pointer)->struct_size >= offsetof(type, field) + sizeof(((type *)0)->field))

/* A table of the host's functions, fetched by name and major version when the plugin is loaded.
 *
 * A header that needs one says BP_SERVICE(call, bp_call_service, 1) once. That defines a pointer
 * private to the plugin and puts a line into the list of what the plugin requires: including a
 * header is how a plugin asks for a service. The host fills the pointers before any code of the
 * plugin runs; a missing or old service is an error sentence at load time, never a NULL call. */
typedef struct bp_require {
    const char  *name;         /* of the service */
    uint32_t     major;        /* equal, or refused */
    uint32_t     minimum_size; /* bytes the host's table must have: what this header declares */
    const void **slot;         /* where the host puts the table */
} bp_require;

#define BP_SERVICE(name, type, major)                                                              \
    __attribute__((weak, visibility("hidden"))) const type *bp_service_##name;                     \
    static const bp_require                                 bp_require_##name                      \
        __attribute__((used, section("bp_requires"), aligned(8))) = {                              \
            #name, (major), (uint32_t)sizeof(type), (const void **)(void *)&bp_service_##name      \
        };

/* 1 s = BP_SECONDS(1). All times of the ABI are int64 nanoseconds. */
#define BP_MILLISECONDS(n) ((int64_t)(n)*INT64_C(1000000))
#define BP_SECONDS(n)      ((int64_t)(n)*INT64_C(1000000000))
#define BP_FOREVER         INT64_MAX /* as a deadline: none but the call's own */

#ifdef __cplusplus
}
#endif
#endif

/* backplane/plugin.h - what a plugin is: one function, one descriptor, one life.
 *
 *      BP_PLUGIN(health, "tcp", "1.0.0",
 *                .summary = "checks that a TCP port accepts connections",
 *                .instance_size = sizeof(struct tcp_check),
 *                .options = BP_TABLE(options),
 *                .ops = &ops)
 *
 * exports bp_plugin_entry() and nothing else, and puts a note into the file from which the host
 * reads ABI, kind, name and version before any of its code runs.
 *
 * The life of an instance, in this order; a failure at any step unwinds exactly the steps done:
 *
 *      check          pure, no I/O; also run by `backplane check`
 *      shared_create  once a process, on the main thread with a loop of its own; what all workers share.
 *                     It locks itself.
 *      worker_start   once a worker, on that worker; `instance` has its options filled in, peers too, and
 *                     is zero elsewhere
 *      ...            operations, each a call on the instance's own worker
 *      drain          no new calls come; the host waits for running ones
 *      worker_stop    once a worker; afterwards nothing of the instance may be in use
 *      shared_destroy once a process
 *
 * All hooks are optional. Nothing is ever unloaded.
 */
#ifndef BACKPLANE_PLUGIN_H
#define BACKPLANE_PLUGIN_H

#include <backplane/call.h>
#include <backplane/option.h>
#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_PLUGIN_MAGIC 0x42504c47u /* "BPLG" */

enum {
    /* All operations run on pool threads, because the plugin's calls block. */
    BP_BLOCKING = 1u << 0
};

typedef struct bp_life {
    uint32_t struct_size;
    bp_status (*check)(bp_call *call, const void *options);
    bp_status (*shared_create)(bp_call *call, const void *options, void **shared) BP_SUSPENDS;
    bp_status (*worker_start)(bp_call *call, void *instance, void *shared) BP_SUSPENDS;
    bp_status (*drain)(bp_call *call, void *instance) BP_SUSPENDS;
    void (*worker_stop)(bp_call *call, void *instance) BP_SUSPENDS;
    void (*shared_destroy)(bp_call *call, void *shared) BP_SUSPENDS;
} bp_life;

/* The descriptor; static and const in the plugin. */
typedef struct bp_plugin {
    uint32_t    magic;                /* BP_PLUGIN_MAGIC */
    uint32_t    struct_size;          /* as the plugin's compiler saw it */
    uint16_t    abi_major, abi_minor; /* of the headers it was built with */
    uint16_t    min_host_minor;       /* oldest host minor it can live with */
    uint16_t    flags;
    const char *kind;
    uint32_t    kind_version;
    uint32_t    instance_size; /* bytes of the struct the options are written to, up to 64 KiB */
    const char *name;          /* what `use:` says; [a-z0-9_-], up to 31 bytes */
    const char *version;       /* semantic version of the plugin */
    const char *summary;       /* one line */
    const char *license;       /* SPDX; NULL: not said */
    const bp_option  *options;
    uint32_t          option_size; /* stride */
    uint32_t          option_count;
    const bp_require *requires_begin;
    const bp_require *requires_end;
    uint32_t          require_size; /* stride */
    uint32_t          reserved;
    const bp_life    *life; /* NULL: no hooks */
    const void       *ops;  /* the table of the kind; its first field is its struct_size */
} bp_plugin;

/* What the host reads from the file before loading it: section .note.backplane, an ELF note of the
 * owner "Backplane" and type 1. */
typedef struct bp_plugin_note {
    uint32_t owner_size;      /* 10 */
    uint32_t descriptor_size; /* bytes from `magic` to the end */
    uint32_t type;            /* 1 */
    char     owner[12];       /* "Backplane" */
    uint32_t magic;           /* BP_PLUGIN_MAGIC */
    uint16_t abi_major, abi_minor;
    uint16_t min_host_minor, flags;
    uint32_t kind_version;
    char     kind[16];
    char     name[32];
    char     version[24];
} bp_plugin_note;

/* What an instance reports about itself, for /health. It never makes the server unready: a degraded
 * server still serves. */
typedef enum bp_report_level { BP_REPORT_OK = 0, BP_REPORT_DEGRADED = 1 } bp_report_level;

/* Which worker this code runs on (0 to count - 1), and the instance's name in the conf. */
typedef struct bp_host_service {
    uint32_t struct_size;
    uint32_t (*worker_index)(bp_call *call);
    uint32_t (*worker_count)(bp_call *call);
    bp_str (*instance_name)(bp_call *call);
    bp_str (*version)(void); /* of the host */
    void (*report)(bp_call *call, uint32_t level, bp_str sentence);
} bp_host_service;

BP_SERVICE(host, bp_host_service, 1)

static inline uint32_t bp_worker_index(bp_call *call)
{
    return bp_service_host->worker_index(call);
}
static inline uint32_t bp_worker_count(bp_call *call)
{
    return bp_service_host->worker_count(call);
}
static inline bp_str bp_instance_name(bp_call *call)
{
    return bp_service_host->instance_name(call);
}

/* Shows a problem of the instance at /health, as the component "KIND.NAME", with a sentence that
 * names the fault and the cure (cut at 511 bytes). BP_REPORT_OK takes it back. There is one report
 * per process: the last one counts. Any thread that may log with the call. */
static inline void bp_report_health(bp_call *call, bp_report_level level, bp_str sentence)
{
    bp_service_host->report(call, (uint32_t)level, sentence);
}

extern const bp_require __start_bp_requires[] BP_HIDDEN;
extern const bp_require __stop_bp_requires[] BP_HIDDEN;

#ifndef BP_PLUGIN_FLAGS
#define BP_PLUGIN_FLAGS 0
#endif

/* kind: one of storage cache vector embed llm health alert app, not quoted; its header gives the
 * version. Define BP_PLUGIN_FLAGS before including this header to set flags. */
#define BP_PLUGIN(kind_, name_, version_, ...)                                                     \
    __attribute__((used, section(".note.backplane"),                                               \
                   aligned(4))) static const bp_plugin_note bp_note = {                            \
        10,                                                                                        \
        (uint32_t)(sizeof(bp_plugin_note) - offsetof(bp_plugin_note, magic)),                      \
        1,                                                                                         \
        "Backplane",                                                                               \
        BP_PLUGIN_MAGIC,                                                                           \
        BP_ABI_MAJOR,                                                                              \
        BP_ABI_MINOR,                                                                              \
        0,                                                                                         \
        BP_PLUGIN_FLAGS,                                                                           \
        BP_KIND_VERSION_##kind_,                                                                   \
        #kind_,                                                                                    \
        name_,                                                                                     \
        version_                                                                                   \
    };                                                                                             \
    static const bp_plugin     bp_descriptor = { .magic = BP_PLUGIN_MAGIC,                         \
                                                 .struct_size = (uint32_t)sizeof(bp_plugin),       \
                                                 .abi_major = BP_ABI_MAJOR,                        \
                                                 .abi_minor = BP_ABI_MINOR,                        \
                                                 .min_host_minor = 0,                              \
                                                 .flags = BP_PLUGIN_FLAGS,                         \
                                                 .kind = #kind_,                                   \
                                                 .kind_version = BP_KIND_VERSION_##kind_,          \
                                                 .name = name_,                                    \
                                                 .version = version_,                              \
                                                 .requires_begin = __start_bp_requires,            \
                                                 .requires_end = __stop_bp_requires,               \
                                                 .require_size = (uint32_t)sizeof(bp_require),     \
                                                 __VA_ARGS__ };                                    \
    BP_EXPORT const bp_plugin *bp_plugin_entry(uint32_t host_abi);                                 \
    BP_EXPORT const bp_plugin *bp_plugin_entry(uint32_t host_abi)                                  \
    {                                                                                              \
        (void)host_abi;                                                                            \
        (void)bp_note;                                                                             \
        return &bp_descriptor;                                                                     \
    }

#ifdef __cplusplus
}
#endif
#endif

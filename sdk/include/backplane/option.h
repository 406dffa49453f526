/* backplane/option.h - the option table: one list that drives everything about a plugin's settings.
 *
 * The host parses the conf by it, `backplane check` validates by it, `backplane schema` makes JSON
 * Schema of it and `backplane docs` the reference page. The parsed values are written into the
 * plugin's struct before any of its code runs; strings live as long as the instance.
 *
 *      struct tcp_check { bp_str address; int64_t timeout_ns; };
 *
 *      static const bp_option options[] = {
 *          BP_OPTION_ADDRESS(struct tcp_check, address, .is_required = true, .help = "host:port to connect to"),
 *          BP_OPTION_DURATION(struct tcp_check, timeout_ns, .initial = "2s", .minimum = "10ms", .help = "..."),
 *      };
 *
 * An option has the name of its field, without the unit at its end: timeout_ns is `timeout: 2s` in
 * the conf, size_bytes is `size: 64MiB`.
 */
#ifndef BACKPLANE_OPTION_H
#define BACKPLANE_OPTION_H

#include <backplane/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bp_option_type {
    BP_OPTION_TYPE_BOOL = 1,     /* bool; true, false, yes, no, on, off */
    BP_OPTION_TYPE_INT = 2,      /* int64_t */
    BP_OPTION_TYPE_FLOAT = 3,    /* double */
    BP_OPTION_TYPE_SIZE = 4,     /* int64_t bytes; 64MiB, 10KB, 4096 */
    BP_OPTION_TYPE_DURATION = 5, /* int64_t ns; 250ms, 2s, 5m, 1h, 7d; "off" is 0 where the minimum
                                    is 0 */
    BP_OPTION_TYPE_STRING = 6,   /* bp_str */
    BP_OPTION_TYPE_ENUM = 7,     /* int32_t: place in `choices`, from 0 */
    BP_OPTION_TYPE_URL = 8, /* bp_str; http:// or https://, unless `choices` lists other schemes */
    BP_OPTION_TYPE_ADDRESS = 9, /* bp_str; host:port, [v6]:port, :port or unix:/path */
    BP_OPTION_TYPE_PATH = 10,   /* bp_str; made absolute, relative ones to `data_dir` of the conf */
    BP_OPTION_TYPE_SECRET = 11, /* bp_str; never shown anywhere */
    BP_OPTION_TYPE_LIST = 12,   /* bp_str_list; a sequence, or one scalar */
    BP_OPTION_TYPE_MAP = 13,    /* bp_option_map; scalars by name */
    BP_OPTION_TYPE_REF = 14,    /* const bp_peer *; the name of another instance, filled in at
                                   worker_start */
    BP_OPTION_TYPE_REFS = 15    /* bp_peer_list; names of other instances, in their order */
} bp_option_type;

typedef struct bp_option_entry {
    bp_str name;
    bp_str value;
} bp_option_entry;

typedef struct bp_option_map {
    const bp_option_entry *items;
    size_t                 count;
} bp_option_map;

/* Texts are NUL-terminated and static. `initial`, `minimum` and `maximum` are written as in the
 * conf and read by the same parser. */
typedef struct bp_option {
    const char *name;    /* in the conf; lower case, [a-z0-9_] */
    const char *help;    /* one line, no full stop at its end */
    const char *initial; /* the default; NULL: zero or empty */
    const char *minimum;
    const char *maximum;
    const char *choices;    /* ENUM: "cosine|l2|dot"; URL: schemes; PATH and LIST: what `backplane
                               check` looks for, see below */
    const char *ref_kind;   /* REF, REFS: kind of the instance named */
    const char *example;    /* for the reference page */
    const char *deprecated; /* what to use instead; NULL: not deprecated */
    const char *since;      /* version of the plugin that had it first; NULL: the first one */
    uint32_t    type;
    uint32_t    offset; /* of the field in the instance */
    bool        is_required;
    bool        is_reloadable; /* a changed value needs no new instance */
    uint8_t     reserved[6];
} bp_option;

/* `choices` of a PATH, one or several of these with | between them: what must exist there.
 * `backplane check` reports it when it does not, or when the user who will run the server may not
 * read it. Without any, `check` looks at nothing. */
#define BP_PATH_FILE   "file"   /* a file that is read */
#define BP_PATH_PEM    "pem"    /* the same, with certificates or a key in PEM */
#define BP_PATH_FOLDER "folder" /* a folder that is read; of a LIST: each of its items is one */
#define BP_PATH_NEW_FILE                                                                           \
    "new-file" /* a file that is written: made, with its folders, when it is not there. This       \
                  instance's alone */
#define BP_PATH_NEW_FOLDER "new-folder" /* a folder of files that are written, likewise */
/* `choices` of a LIST: each item is a host:port that is connected to. */
#define BP_LIST_ADDRESSES "address"

#define BP_OPTION_OF(type_, struct_, field_, name_, ...)                                           \
    {                                                                                              \
        .name = name_, .type = (type_), .offset = (uint32_t)offsetof(struct_, field_), __VA_ARGS__ \
    }

/* One macro per type: struct, field, then `.help = ...` and other members. For durations and sizes,
 * give the field without its unit: (s, timeout) is the field timeout_ns. */
#define BP_OPTION_BOOL(s, f, ...)  BP_OPTION_OF(BP_OPTION_TYPE_BOOL, s, f, #f, __VA_ARGS__)
#define BP_OPTION_INT(s, f, ...)   BP_OPTION_OF(BP_OPTION_TYPE_INT, s, f, #f, __VA_ARGS__)
#define BP_OPTION_FLOAT(s, f, ...) BP_OPTION_OF(BP_OPTION_TYPE_FLOAT, s, f, #f, __VA_ARGS__)
#define BP_OPTION_SIZE(s, f, ...)  BP_OPTION_OF(BP_OPTION_TYPE_SIZE, s, f##_bytes, #f, __VA_ARGS__)
#define BP_OPTION_DURATION(s, f, ...)                                                              \
    BP_OPTION_OF(BP_OPTION_TYPE_DURATION, s, f##_ns, #f, __VA_ARGS__)
#define BP_OPTION_STRING(s, f, ...)  BP_OPTION_OF(BP_OPTION_TYPE_STRING, s, f, #f, __VA_ARGS__)
#define BP_OPTION_ENUM(s, f, ...)    BP_OPTION_OF(BP_OPTION_TYPE_ENUM, s, f, #f, __VA_ARGS__)
#define BP_OPTION_URL(s, f, ...)     BP_OPTION_OF(BP_OPTION_TYPE_URL, s, f, #f, __VA_ARGS__)
#define BP_OPTION_ADDRESS(s, f, ...) BP_OPTION_OF(BP_OPTION_TYPE_ADDRESS, s, f, #f, __VA_ARGS__)
#define BP_OPTION_PATH(s, f, ...)    BP_OPTION_OF(BP_OPTION_TYPE_PATH, s, f, #f, __VA_ARGS__)
#define BP_OPTION_SECRET(s, f, ...)  BP_OPTION_OF(BP_OPTION_TYPE_SECRET, s, f, #f, __VA_ARGS__)
#define BP_OPTION_LIST(s, f, ...)    BP_OPTION_OF(BP_OPTION_TYPE_LIST, s, f, #f, __VA_ARGS__)
#define BP_OPTION_MAP(s, f, ...)     BP_OPTION_OF(BP_OPTION_TYPE_MAP, s, f, #f, __VA_ARGS__)
#define BP_OPTION_REF(s, f, kind, ...)                                                             \
    BP_OPTION_OF(BP_OPTION_TYPE_REF, s, f, #f, .ref_kind = kind, __VA_ARGS__)
#define BP_OPTION_REFS(s, f, kind, ...)                                                            \
    BP_OPTION_OF(BP_OPTION_TYPE_REFS, s, f, #f, .ref_kind = kind, __VA_ARGS__)

/* For the descriptor: the table with its stride and length. */
#define BP_TABLE(table)                                                                            \
    (table), .option_size = (uint32_t)sizeof((table)[0]),                                          \
             .option_count = (uint32_t)(sizeof(table) / sizeof((table)[0]))

#ifdef __cplusplus
}
#endif
#endif

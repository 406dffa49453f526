/* server_conf.h - the settings of the host itself: the sections `server` and `log`, and the gate of
 * an instance.
 *
 * They are tables of options like those of a plugin, so that checking, schema and reference pages
 * treat them alike.
 */
#ifndef CORE_CONF_SERVER_CONF_H
#define CORE_CONF_SERVER_CONF_H

#include <backplane/peer.h>

#include "conf/option.h"

enum server_auth_mode { AUTH_NONE, AUTH_KEYS, AUTH_OAUTH, AUTH_BOTH };
enum server_access_log { ACCESS_LOG_ON, ACCESS_LOG_OFF, ACCESS_LOG_ERRORS };
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum { SERVER_MAX_WORKERS = 256, SERVER_MAX_LISTENERS = 64 };

struct server_listener {
    bp_str                  address;
    bp_peer_list            apps_field; /* where the table of options writes; use `apps` */
    bp_str_list             apps;       /* names of instances; none: all apps */
    const struct conf_node *node;       /* NULL: the default listener */
};

struct server_auth {
    int32_t        mode;          /* enum server_auth_mode */
    const bp_peer *storage_field; /* for the host to fill in; see `storage` */
    bp_str         storage;       /* name of the instance that holds the keys */
    bool           allow_unauthenticated_network;
    int64_t        wrong_keys_per_minute; /* 0: off */
    bp_str         issuer, keys_url, tenant_claim;
    bp_str_list    audience;
};

struct server_limits {
    int64_t header_block_bytes;
    int64_t header_line_bytes;
    int64_t header_count;
    int64_t request_line_bytes;
    int64_t body_bytes;
    int64_t bodies_per_client_bytes;
    int64_t bodies_bytes;
    int64_t header_timeout_ns;
    int64_t body_idle_timeout_ns;
    int64_t body_rate_bytes; /* per second */
    int64_t body_rate_grace_ns;
    int64_t answer_rate_bytes; /* per second */
    int64_t answer_rate_grace_ns;
    int64_t keep_alive_timeout_ns;
    int64_t keep_alive_requests;
    int64_t write_stall_timeout_ns;
    int64_t connections;
    int64_t connections_per_address;
    int64_t runs_bytes;
    int64_t memory_bytes; /* 0: no budget */
    double  shed_at;
    double  refuse_at;
};

struct server_watchdog {
    int64_t warn_ns;
    int64_t fail_liveness_ns;
    int64_t abort_ns;
};

struct server_drain {
    int64_t delay_ns;
    int64_t timeout_ns;
};

struct server_mcp {
    int64_t body_bytes;
    int64_t sessions;
    int64_t session_idle_timeout_ns;
    int64_t replay_bytes;
    int64_t tasks_bytes;
    int64_t message_memory_bytes;
    int64_t client_memory_bytes;
    int64_t sessions_per_client;
    bool    coerce_arguments;
    bool    share_sessions;
    bp_str  state_key; /* empty: one of this process alone */
};

struct server_conf {
    struct server_listener *listeners;
    size_t                  listener_count;
    bp_str                  workers_field; /* as written; see `workers` */
    uint32_t                workers;       /* 0: one for each core */
    int32_t                 access_log;    /* enum server_access_log */
    bp_str_list             allowed_hosts;
    bp_str_list             allowed_origins;
    bp_str_list             trusted_proxies; /* addresses and CIDR blocks */
    int64_t                 rate_per_minute; /* 0: off */
    int64_t                 request_deadline_ns;
    int64_t                 offload_threads;
    bool                    metrics;
    bp_str                  metrics_token, metrics_listen; /* empty: none */
    const struct conf_node *metrics_listen_node;           /* NULL: none */
    int64_t                 host_rate_per_minute;          /* 0: off */
    struct server_auth      auth;
    struct server_limits    limits;
    struct server_watchdog  watchdog;
    struct server_drain     drain;
    struct server_mcp       mcp;
};

struct log_conf {
    int32_t level;      /* enum log_level */
    bp_str  file;       /* absolute; empty: standard error */
    int64_t rate_per_s; /* of one message; 0: no limit */
    int64_t queue_lines;
};

/* What any instance may set beside the options of its plugin. */
struct gate_conf {
    int64_t deadline_ns;
    int64_t max_concurrent; /* 0: no cap */
    int64_t queue;
    double  client_share;
    int64_t retries;
    int64_t breaker_failures;
    int64_t breaker_window_ns;
    int64_t breaker_pause_ns;
    bool    critical;
    bp_str  digest;     /* empty, or 64 hexadecimal digits */
    int64_t every_ns;   /* kind health only: from one check to the next */
    int64_t rise, fall; /* kind health only: how many checks in a row make it well again, or down */
    bp_str  prefix;     /* kind app only: before its routes as /PREFIX, before its tools as PREFIX_;
                           empty: by the rule of api/prefix.h */
};

enum { PREFIX_MAX_BYTES = 32 };

/* One mapping of the conf: "" is the section itself, "limits" a mapping in it. */
struct conf_section {
    const char         *name;
    const char         *help;
    struct option_table table;
    size_t              offset; /* of its struct in server_conf or log_conf */
};

enum { SERVER_SECTION_COUNT = 6 };
extern const struct conf_section server_sections[SERVER_SECTION_COUNT];
extern const struct conf_section log_section;
extern const struct option_table listener_table;
extern const struct option_table gate_table;

/* What instances of one kind take beside the gate's settings; empty for most kinds. Of struct
 * gate_conf too. */
const struct option_table *gate_kind_table(const char *kind);

/* Reads the section `server`; NULL when it is not there. The references found go to `refs`. */
void server_conf_read(const struct option_reader *reader, const struct conf_node *section,
                      struct server_conf *server, struct option_refs *refs);
void log_conf_read(const struct option_reader *reader, const struct conf_node *section,
                   struct log_conf *log);
/* `shadow` is the table of the instance's plugin: its options win. */
void gate_conf_read(const struct option_reader *reader, const char *kind,
                    const struct conf_node *instance, const struct option_table *shadow,
                    struct gate_conf *gate);

#endif

/* server_tables.c - the settings of the host, as tables: name, type, default, range and help of
 * each. */
#include <backplane/peer.h>

#include "conf/server_conf.h"

static const bp_option server_options[] = {
    BP_OPTION_OF(BP_OPTION_TYPE_STRING, struct server_conf, workers_field, "workers",
                 .initial = "auto",
                 .help = "threads that serve, each with an event loop of its own: auto (one for "
                         "each core) or 1 to 256"),
    BP_OPTION_ENUM(struct server_conf, access_log, .choices = "on|off|errors", .initial = "on",
                   .help = "which requests get a line in the log; errors: those answered with 400 "
                           "or more"),
    BP_OPTION_LIST(struct server_conf, allowed_hosts, .example = "[api.example.org]",
                   .help = "names that the Host header may hold, or \"*\" for any; needed where a "
                           "listener is reached by other machines. Loopback names on a loopback "
                           "listener and addresses written out on others need no entry"),
    BP_OPTION_LIST(struct server_conf, allowed_origins,
                   .example = "[\"https://console.example.org\"]",
                   .help = "origins of web pages that may call, as their Origin header says; pages "
                           "of this machine may on a loopback listener"),
    BP_OPTION_LIST(struct server_conf, trusted_proxies, .example = "[10.0.0.0/8]",
                   .help = "addresses or CIDR blocks whose X-Forwarded-For is believed"),
    BP_OPTION_INT(struct server_conf, rate_per_minute, .initial = "0", .minimum = "0",
                  .maximum = "1000000000",
                  .help = "requests that one client may make in a minute before it gets 429; 0: no "
                          "limit"),
    BP_OPTION_DURATION(struct server_conf, request_deadline, .initial = "30s", .minimum = "100ms",
                       .maximum = "1d",
                       .help = "how long a request may take; an app may allow more for a route of "
                               "its own"),
    BP_OPTION_INT(struct server_conf, offload_threads, .initial = "4", .minimum = "1",
                  .maximum = "128",
                  .help = "threads for what blocks: SQLite, files, plugins that cannot suspend"),
    BP_OPTION_BOOL(struct server_conf, metrics, .initial = "true",
                   .help = "whether GET /metrics is answered"),
    BP_OPTION_SECRET(struct server_conf, metrics_token, .example = "${METRICS_TOKEN}",
                     .help = "a token that opens GET /metrics beside keys of the scope host:read, "
                             "without asking the storage"),
    BP_OPTION_ADDRESS(struct server_conf, metrics_listen, .example = "127.0.0.1:9090",
                      .help = "a listener of its own for GET /metrics and the probes, which asks "
                              "for no key; on an address that other machines reach, GET /metrics "
                              "asks for metrics_token there"),
    BP_OPTION_INT(struct server_conf, host_rate_per_minute, .initial = "6000", .minimum = "0",
                  .maximum = "1000000000",
                  .help = "requests for /health, /metrics, /openapi.json, /docs and the like that "
                          "one address (IPv6: one /64) may make in a minute before it gets 429; "
                          "probes are not counted; 0: no limit"),
};

static const bp_option auth_options[] = {
    BP_OPTION_ENUM(struct server_auth, mode, .choices = "none|keys|oauth|both", .initial = "none",
                   .help = "how a client proves who it is; keys: an API key in the Authorization "
                           "header; oauth: a token of `issuer`; both: either"),
    BP_OPTION_OF(BP_OPTION_TYPE_REF, struct server_auth, storage_field, "storage",
                 .ref_kind = "storage",
                 .help = "the storage instance that holds the keys, hashed; needed where mode is "
                         "keys"),
    BP_OPTION_BOOL(struct server_auth, allow_unauthenticated_network, .initial = "false",
                   .help = "serve listeners that other machines reach although mode is none: "
                           "anybody who reaches them can read and change everything. Only for a "
                           "network that lets in nobody else, or behind a proxy that "
                           "authenticates"),
    BP_OPTION_INT(struct server_auth, wrong_keys_per_minute, .initial = "60", .minimum = "0",
                  .maximum = "1000000",
                  .help = "unknown API keys and wrong tokens from one address (IPv6: one /64) in a "
                          "minute that are looked up or checked; then only those that were good "
                          "within the last hour are, and others get 429; 0: no limit"),
    BP_OPTION_URL(struct server_auth, issuer, .example = "https://login.example.org",
                  .help = "the authorization server whose tokens are taken, written as in the "
                          "\"iss\" of its tokens; needed where mode is oauth or both"),
    BP_OPTION_LIST(struct server_auth, audience, .example = "[\"https://mcp.example.org/mcp\"]",
                   .help = "what this server is called in the \"aud\" of a token, its URL first; "
                           "needed where mode is oauth or both: a token made out for another "
                           "server is not taken"),
    BP_OPTION_URL(struct server_auth, keys_url, .example = "https://login.example.org/keys",
                  .help = "where the issuer publishes its keys; empty: where its metadata says"),
    BP_OPTION_STRING(struct server_auth, tenant_claim, .example = "tenant",
                     .help = "the claim of a token that names the tenant, without which it is not "
                             "taken; empty: all tokens are of the tenant default"),
};

static const bp_option limits_options[] = {
    BP_OPTION_SIZE(struct server_limits, header_block, .initial = "32KiB", .minimum = "1KiB",
                   .maximum = "1MiB", .help = "all header lines of a request together, or 431"),
    BP_OPTION_SIZE(struct server_limits, header_line, .initial = "8KiB", .minimum = "256",
                   .maximum = "1MiB", .help = "one header line, or 431"),
    BP_OPTION_INT(struct server_limits, header_count, .initial = "100", .minimum = "8",
                  .maximum = "1000", .help = "header lines of a request, or 431"),
    BP_OPTION_SIZE(struct server_limits, request_line, .initial = "8KiB", .minimum = "256",
                   .maximum = "1MiB", .help = "method, target and version of a request, or 414"),
    BP_OPTION_SIZE(struct server_limits, body, .initial = "32MiB", .minimum = "1KiB",
                   .maximum = "4GiB", .help = "body of a request, or 413 before the rest is read"),
    BP_OPTION_SIZE(struct server_limits, bodies_per_client, .initial = "256MiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "bodies of one client (its key, or its address without one) that are "
                           "coming in at a time, or 429; beyond 256 KiB each waits in $TMPDIR; one "
                           "body of `body` is always allowed"),
    BP_OPTION_SIZE(struct server_limits, bodies, .initial = "1GiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "bodies of all clients that are coming in at a time, or 503; one body "
                           "of `body` is always allowed"),
    BP_OPTION_DURATION(struct server_limits, header_timeout, .initial = "10s", .minimum = "100ms",
                       .maximum = "1h",
                       .help = "from the first byte of a request to the end of its headers, or "
                               "408"),
    BP_OPTION_DURATION(struct server_limits, body_idle_timeout, .initial = "30s",
                       .minimum = "100ms", .maximum = "1h",
                       .help = "the longest pause within a body, or 408"),
    BP_OPTION_OF(BP_OPTION_TYPE_SIZE, struct server_limits, body_rate_bytes, "body_rate",
                 .initial = "1KiB", .minimum = "0", .maximum = "1GiB",
                 .help = "bytes a second that a body must bring on average, or 408; 0: no such "
                         "rule"),
    BP_OPTION_DURATION(struct server_limits, body_rate_grace, .initial = "10s", .minimum = "0",
                       .maximum = "1h",
                       .help = "how long a body may take before body_rate is asked for"),
    BP_OPTION_OF(BP_OPTION_TYPE_SIZE, struct server_limits, answer_rate_bytes, "answer_rate",
                 .initial = "1KiB", .minimum = "0", .maximum = "1GiB",
                 .help = "bytes a second of an answer that a client must take on average while "
                         "some wait for it, or it is cut off; 0: no such rule"),
    BP_OPTION_DURATION(struct server_limits, answer_rate_grace, .initial = "30s", .minimum = "1s",
                       .maximum = "1h", .help = "the time that answer_rate is the average of"),
    BP_OPTION_DURATION(struct server_limits, keep_alive_timeout, .initial = "75s", .minimum = "0",
                       .maximum = "1h",
                       .help = "how long a connection may wait for its next request"),
    BP_OPTION_INT(struct server_limits, keep_alive_requests, .initial = "10000", .minimum = "1",
                  .maximum = "1000000000",
                  .help = "requests on one connection before it is closed"),
    BP_OPTION_DURATION(struct server_limits, write_stall_timeout, .initial = "30s",
                       .minimum = "100ms", .maximum = "1h",
                       .help = "how long a client may take nothing of an answer before it is cut "
                               "off"),
    BP_OPTION_INT(struct server_limits, connections, .initial = "18000", .minimum = "1",
                  .maximum = "1000000",
                  .help = "open connections of the process, as far as its file descriptors allow; "
                          "then 503"),
    BP_OPTION_INT(struct server_limits, connections_per_address, .initial = "256", .minimum = "0",
                  .maximum = "1000000",
                  .help = "open connections of one client address; 0: no limit"),
    BP_OPTION_SIZE(struct server_limits, memory, .initial = "0", .minimum = "0",
                   .help = "memory the process may have allocated, for shed_at and refuse_at "
                           "(process_allocated_memory_bytes); 0: no budget"),
    BP_OPTION_FLOAT(struct server_limits, shed_at, .initial = "0.90", .minimum = "0.1",
                    .maximum = "1",
                    .help = "part of `memory` in use at which apps and MCP answer 503 with "
                            "Retry-After, and readiness fails"),
    BP_OPTION_FLOAT(struct server_limits, refuse_at, .initial = "0.95", .minimum = "0.1",
                    .maximum = "1",
                    .help = "part of `memory` in use at which all but the probes is answered 503 "
                            "and cut"),
};

static const bp_option watchdog_options[] = {
    BP_OPTION_DURATION(struct server_watchdog, warn, .initial = "100ms", .minimum = "1ms",
                       .maximum = "1h",
                       .help = "how long a loop may stand still before the log names who blocks "
                               "it"),
    BP_OPTION_DURATION(struct server_watchdog, fail_liveness, .initial = "10s", .minimum = "100ms",
                       .maximum = "1h",
                       .help = "how long a loop may stand still before /health/live fails"),
    BP_OPTION_DURATION(struct server_watchdog, abort, .initial = "30s", .minimum = "1s",
                       .maximum = "1d",
                       .help = "how long a loop may stand still before the process ends itself to "
                               "be started anew"),
};

static const bp_option drain_options[] = {
    BP_OPTION_DURATION(struct server_drain, delay, .initial = "3s", .minimum = "0",
                       .maximum = "10m",
                       .help = "how long to go on accepting after SIGTERM while readiness already "
                               "fails, so that a load balancer notices before anybody is refused; "
                               "longer than its interval of checks times its fall count"),
    BP_OPTION_DURATION(struct server_drain, timeout, .initial = "25s", .minimum = "0",
                       .maximum = "1h",
                       .help = "how long running requests get to end before they are cancelled"),
};

static const bp_option mcp_options[] = {
    BP_OPTION_SIZE(struct server_mcp, body, .initial = "4MiB", .minimum = "1KiB", .maximum = "1GiB",
                   .help = "body of an MCP message, or 413"),
    BP_OPTION_SIZE(struct server_mcp, message_memory, .initial = "64MiB", .minimum = "256KiB",
                   .maximum = "1GiB",
                   .help = "memory that one message may take once it is read; more is refused with "
                           "its id. \"[],[],\" takes 48 bytes for each of its own"),
    BP_OPTION_SIZE(struct server_mcp, client_memory, .initial = "256MiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "memory that the messages of one key, or of one address without a key, "
                           "may take while they are worked at, or 503 with Retry-After"),
    BP_OPTION_INT(struct server_mcp, sessions, .initial = "100000", .minimum = "1",
                  .maximum = "10000000",
                  .help = "sessions of clients up to 2025-11-25; the one not used for the longest "
                          "time makes room"),
    BP_OPTION_INT(struct server_mcp, sessions_per_client, .initial = "10000", .minimum = "1",
                  .maximum = "10000000",
                  .help = "sessions of one key, or of one address without a key; the one of its "
                          "own that was not used for the longest time makes room, and a new one is "
                          "refused while all are in use"),
    BP_OPTION_DURATION(struct server_mcp, session_idle_timeout, .initial = "30m", .minimum = "1s",
                       .maximum = "7d", .help = "how long a session may be unused before it ends"),
    BP_OPTION_BOOL(struct server_mcp, share_sessions, .initial = "true",
                   .help = "let all processes that share a cache know the sessions, so that a "
                           "client may come to any of them"),
    BP_OPTION_SIZE(struct server_mcp, replay, .initial = "32MiB", .minimum = "64KiB",
                   .maximum = "16GiB",
                   .help = "events kept for clients that come back with Last-Event-ID, of all "
                           "sessions together; one key or address may have a quarter"),
    BP_OPTION_SIZE(struct server_mcp, tasks, .initial = "256MiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "arguments, answers and results of all tasks; one key or address may "
                           "have a quarter"),
    BP_OPTION_BOOL(struct server_mcp, coerce_arguments, .initial = "true",
                   .help = "make arguments of tools fit where a model wrote them almost right: "
                           "3.0, \"5\" and \"true\" for integers, numbers and booleans, JSON in a "
                           "string, null for what is optional"),
    BP_OPTION_SECRET(struct server_mcp, state_key,
                     .help = "seals what clients of 2026-07-28 carry between rounds; the same on "
                             "all replicas. Empty: a random one of this process"),
};

static const bp_option log_options[] = {
    BP_OPTION_ENUM(struct log_conf, level, .choices = "debug|info|warn|error", .initial = "info",
                   .help = "the least important lines that are written"),
    BP_OPTION_PATH(struct log_conf, file, .choices = BP_PATH_NEW_FILE, .example = "backplane.log",
                   .help = "where to; empty: standard error"),
    BP_OPTION_OF(BP_OPTION_TYPE_INT, struct log_conf, rate_per_s, "rate", .initial = "100",
                 .minimum = "0", .maximum = "1000000",
                 .help = "lines a second of one message; the rest is counted and reported; 0: no "
                         "limit"),
    BP_OPTION_INT(struct log_conf, queue_lines, .initial = "8192", .minimum = "64",
                  .maximum = "1048576",
                  .help = "lines that may wait for a slow log before the newest are dropped and "
                          "counted"),
};

static const bp_option listener_options[] = {
    BP_OPTION_ADDRESS(struct server_listener, address, .is_required = true,
                      .example = "127.0.0.1:8000",
                      .help = "host:port, [IPv6]:port, :port (all interfaces) or unix:/path; port "
                              "0: any free one"),
    BP_OPTION_OF(BP_OPTION_TYPE_REFS, struct server_listener, apps_field, "apps", .ref_kind = "app",
                 .example = "[retrieval]", .help = "the apps served there; none: all"),
};

static const bp_option gate_options[] = {
    BP_OPTION_DURATION(struct gate_conf, deadline, .initial = "30s", .minimum = "1ms",
                       .maximum = "1d", .help = "how long one call into the instance may take"),
    BP_OPTION_INT(struct gate_conf, max_concurrent, .initial = "64", .minimum = "0",
                  .maximum = "100000",
                  .help = "calls in the instance at the same time, shared out among the workers; "
                          "0: no cap"),
    BP_OPTION_INT(struct gate_conf, queue, .initial = "256", .minimum = "0", .maximum = "1000000",
                  .help = "calls that may wait for a place; more are refused at once"),
    BP_OPTION_FLOAT(struct gate_conf, client_share, .initial = "0.25", .minimum = "0",
                    .maximum = "1",
                    .help = "part of max_concurrent that one key, or one address without a key, "
                            "may have while others wait"),
    BP_OPTION_INT(struct gate_conf, retries, .initial = "2", .minimum = "0", .maximum = "10",
                  .help = "how often a call that may be repeated is tried again"),
    BP_OPTION_INT(struct gate_conf, breaker_failures, .initial = "5", .minimum = "0",
                  .maximum = "100000",
                  .help = "failures of an operation within breaker_window that open its circuit "
                          "breaker; 0: never"),
    BP_OPTION_DURATION(struct gate_conf, breaker_window, .initial = "10s", .minimum = "100ms",
                       .maximum = "1h", .help = "the time in which failures are counted"),
    BP_OPTION_DURATION(struct gate_conf, breaker_pause, .initial = "5s", .minimum = "10ms",
                       .maximum = "1h",
                       .help = "how long an open breaker refuses calls before it lets one through "
                               "as a trial"),
    BP_OPTION_BOOL(struct gate_conf, critical, .initial = "true",
                   .help = "true: a failure to start ends the host; false: the host starts "
                           "degraded without it"),
    BP_OPTION_STRING(struct gate_conf, digest,
                     .example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                     .help = "SHA-256 that the plugin's file must have, in hexadecimal; empty: "
                             "any"),
};

static const bp_option health_options[] = {
    BP_OPTION_DURATION(struct gate_conf, every, .initial = "30s", .minimum = "1s", .maximum = "1d",
                       .help = "from one check to the next"),
    BP_OPTION_INT(struct gate_conf, rise, .initial = "2", .minimum = "1", .maximum = "100",
                  .help = "how many checks in a row must be well before one that was down is so "
                          "again"),
    BP_OPTION_INT(struct gate_conf, fall, .initial = "3", .minimum = "1", .maximum = "100",
                  .help = "how many checks in a row must find it down before it is; until then it "
                          "is degraded"),
};

static const bp_option app_options[] = {
    BP_OPTION_STRING(struct gate_conf, prefix, .example = "notes",
                     .help = "stands before its routes as /PREFIX, and before the names of its "
                             "tools and prompts as PREFIX_; empty: nothing, or the instance's name "
                             "where an app before it has the same ones"),
};

const struct conf_section server_sections[SERVER_SECTION_COUNT] = {
    { "", "the host itself", OPTION_TABLE(server_options), 0 },
    { "auth", "who may call", OPTION_TABLE(auth_options), offsetof(struct server_conf, auth) },
    { "limits", "what a client may cost", OPTION_TABLE(limits_options),
      offsetof(struct server_conf, limits) },
    { "watchdog", "what happens when a loop stands still", OPTION_TABLE(watchdog_options),
      offsetof(struct server_conf, watchdog) },
    { "drain", "how the process ends", OPTION_TABLE(drain_options),
      offsetof(struct server_conf, drain) },
    { "mcp", "the Model Context Protocol endpoint", OPTION_TABLE(mcp_options),
      offsetof(struct server_conf, mcp) },
};

const struct conf_section log_section = { "", "the log", OPTION_TABLE(log_options), 0 };
const struct option_table listener_table = OPTION_TABLE(listener_options);
const struct option_table gate_table = OPTION_TABLE(gate_options);

const struct option_table *gate_kind_table(const char *kind)
{
    static const struct option_table health = OPTION_TABLE(health_options);
    static const struct option_table app = OPTION_TABLE(app_options);
    static const struct option_table none = { NULL, (uint32_t)sizeof(bp_option), 0 };

    return strcmp(kind, "health") == 0 ? &health : strcmp(kind, "app") == 0 ? &app : &none;
}

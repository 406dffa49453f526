/* server_tables.c - the settings of the host, as tables: name, type, default, range and help of
 * each. */

#include "conf/server_conf.h"

static const bp_option server_options[] = {
    BP_OPTION_OF(BP_OPTION_TYPE_STRING, struct server_conf, workers_field, "workers",
                 .initial = "auto",
                 .help = "threads with an event loop each: auto (one per core) or 1 to 256"),
    BP_OPTION_ENUM(struct server_conf, access_log, .choices = "on|off|errors", .initial = "on",
                   .help = "which requests get a line in the log; errors: those with status 400 or "
                           "more"),
    BP_OPTION_LIST(struct server_conf, allowed_hosts, .example = "[api.example.org]",
                   .help = "names that the Host header may hold, or \"*\" for any; needed if other "
                           "machines reach a listener. Loopback names on a loopback listener, and "
                           "IP addresses on others, need no entry"),
    BP_OPTION_LIST(struct server_conf, allowed_origins,
                   .example = "[\"https://console.example.org\"]",
                   .help = "origins of web pages that may call, as in their Origin header; on a "
                           "loopback listener pages of this machine always may"),
    BP_OPTION_LIST(struct server_conf, trusted_proxies, .example = "[10.0.0.0/8]",
                   .help = "addresses or CIDR blocks of proxies; the server believes their "
                           "X-Forwarded-For"),
    BP_OPTION_INT(struct server_conf, rate_per_minute, .initial = "0", .minimum = "0",
                  .maximum = "1000000000",
                  .help = "requests of one client in a minute before it gets 429; 0: no limit"),
    BP_OPTION_DURATION(struct server_conf, request_deadline, .initial = "30s", .minimum = "100ms",
                       .maximum = "1d",
                       .help = "longest time for a request; an app may allow more for its own "
                               "routes"),
    BP_OPTION_INT(struct server_conf, offload_threads, .initial = "4", .minimum = "1",
                  .maximum = "128",
                  .help = "threads for blocking work: SQLite, files, plugins that cannot suspend"),
    BP_OPTION_BOOL(struct server_conf, metrics, .initial = "true",
                   .help = "whether the server answers GET /metrics"),
    BP_OPTION_SECRET(struct server_conf, metrics_token, .example = "${METRICS_TOKEN}",
                     .help = "a token that opens GET /metrics without asking the storage; keys "
                             "with the scope host:read open it too"),
    BP_OPTION_ADDRESS(struct server_conf, metrics_listen, .example = "127.0.0.1:9090",
                      .help = "a separate listener for GET /metrics and the probes, without keys; "
                              "on an address that other machines reach, GET /metrics needs "
                              "metrics_token"),
    BP_OPTION_INT(struct server_conf, host_rate_per_minute, .initial = "6000", .minimum = "0",
                  .maximum = "1000000000",
                  .help = "requests of one address (IPv6: one /64) for /health, /metrics, "
                          "/openapi.json, /docs and the like in a minute before it gets 429; "
                          "probes do not count; 0: no limit"),
};

static const bp_option auth_options[] = {
    BP_OPTION_ENUM(struct server_auth, mode, .choices = "none|keys|oauth|both", .initial = "none",
                   .help = "how a client proves its identity; keys: an API key in the "
                           "Authorization header; oauth: a token of `issuer`; both: either"),
    BP_OPTION_OF(BP_OPTION_TYPE_REF, struct server_auth, storage_field, "storage",
                 .ref_kind = "storage",
                 .help = "the storage instance with the hashed keys; needed if mode is keys"),
    BP_OPTION_BOOL(struct server_auth, allow_unauthenticated_network, .initial = "false",
                   .help = "serve listeners that other machines reach without authentication (mode "
                           "none): anyone who reaches them can read and change everything. Only "
                           "for a closed network, or behind a proxy that authenticates"),
    BP_OPTION_INT(struct server_auth, wrong_keys_per_minute, .initial = "60", .minimum = "0",
                  .maximum = "1000000",
                  .help = "unknown API keys and wrong tokens that the server checks for one "
                          "address (IPv6: one /64) in a minute; beyond, it checks only those that "
                          "were valid within the last hour, and others get 429; 0: no limit"),
    BP_OPTION_URL(struct server_auth, issuer, .example = "https://login.example.org",
                  .help = "the authorization server that issues the tokens, written as in their "
                          "\"iss\"; needed if mode is oauth or both"),
    BP_OPTION_LIST(struct server_auth, audience, .example = "[\"https://mcp.example.org/mcp\"]",
                   .help = "names of this server in the \"aud\" of a token, its URL first; needed "
                           "if mode is oauth or both: the server refuses tokens for other servers"),
    BP_OPTION_URL(struct server_auth, keys_url, .example = "https://login.example.org/keys",
                  .help = "URL of the issuer's keys; empty: the one in its metadata"),
    BP_OPTION_STRING(struct server_auth, tenant_claim, .example = "tenant",
                     .help = "the claim that names the tenant; the server refuses tokens without "
                             "it; empty: all tokens belong to the tenant default"),
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
                   .help = "incoming bodies of one client (its key, or its address without one) at "
                           "a time, or 429; the part of a body beyond 256 KiB waits in $TMPDIR; "
                           "one body of `body` is always allowed"),
    BP_OPTION_SIZE(struct server_limits, bodies, .initial = "1GiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "incoming bodies of all clients at a time, or 503; one body of `body` "
                           "is always allowed"),
    BP_OPTION_DURATION(struct server_limits, header_timeout, .initial = "10s", .minimum = "100ms",
                       .maximum = "1h",
                       .help = "longest time from the first byte of a request to the end of its "
                               "headers, or 408"),
    BP_OPTION_DURATION(struct server_limits, body_idle_timeout, .initial = "30s",
                       .minimum = "100ms", .maximum = "1h",
                       .help = "longest pause within a body, or 408"),
    BP_OPTION_OF(BP_OPTION_TYPE_SIZE, struct server_limits, body_rate_bytes, "body_rate",
                 .initial = "1KiB", .minimum = "0", .maximum = "1GiB",
                 .help = "least average bytes per second of a body, or 408; 0: no minimum"),
    BP_OPTION_DURATION(struct server_limits, body_rate_grace, .initial = "10s", .minimum = "0",
                       .maximum = "1h", .help = "time before body_rate applies to a body"),
    BP_OPTION_OF(BP_OPTION_TYPE_SIZE, struct server_limits, answer_rate_bytes, "answer_rate",
                 .initial = "1KiB", .minimum = "0", .maximum = "1GiB",
                 .help = "least average bytes per second that a client must read while part of its "
                         "answer waits, or it is cut off; 0: no minimum"),
    BP_OPTION_DURATION(struct server_limits, answer_rate_grace, .initial = "30s", .minimum = "1s",
                       .maximum = "1h", .help = "period over which answer_rate is averaged"),
    BP_OPTION_DURATION(struct server_limits, keep_alive_timeout, .initial = "75s", .minimum = "0",
                       .maximum = "1h",
                       .help = "longest wait of a connection for its next request"),
    BP_OPTION_INT(struct server_limits, keep_alive_requests, .initial = "10000", .minimum = "1",
                  .maximum = "1000000000",
                  .help = "requests on one connection before it is closed"),
    BP_OPTION_DURATION(struct server_limits, write_stall_timeout, .initial = "30s",
                       .minimum = "100ms", .maximum = "1h",
                       .help = "longest time for which a client may read nothing of its answer "
                               "before it is cut off"),
    BP_OPTION_INT(struct server_limits, connections, .initial = "18000", .minimum = "1",
                  .maximum = "1000000",
                  .help = "open connections of the process, within its file descriptors; then 503"),
    BP_OPTION_INT(struct server_limits, connections_per_address, .initial = "256", .minimum = "0",
                  .maximum = "1000000",
                  .help = "open connections of one client address; 0: no limit"),
    BP_OPTION_SIZE(struct server_limits, runs, .initial = "64MiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "arguments and results of all long-lived work (GET /runs); one key or "
                           "address may have a quarter"),
    BP_OPTION_SIZE(struct server_limits, memory, .initial = "0", .minimum = "0",
                   .help = "memory the process may have allocated, for shed_at and refuse_at "
                           "(process_allocated_memory_bytes); 0: no budget"),
    BP_OPTION_FLOAT(struct server_limits, shed_at, .initial = "0.90", .minimum = "0.1",
                    .maximum = "1",
                    .help = "part of `memory` in use at which apps and MCP answer 503 with "
                            "Retry-After, and readiness fails"),
    BP_OPTION_FLOAT(struct server_limits, refuse_at, .initial = "0.95", .minimum = "0.1",
                    .maximum = "1",
                    .help = "part of `memory` in use at which everything but the probes gets 503 "
                            "and is cut"),
};

static const bp_option watchdog_options[] = {
    BP_OPTION_DURATION(struct server_watchdog, warn, .initial = "100ms", .minimum = "1ms",
                       .maximum = "1h",
                       .help = "how long a loop may be blocked before the log names the plugin "
                               "that blocks it"),
    BP_OPTION_DURATION(struct server_watchdog, fail_liveness, .initial = "10s", .minimum = "100ms",
                       .maximum = "1h",
                       .help = "how long a loop may be blocked before /health/live fails"),
    BP_OPTION_DURATION(struct server_watchdog, abort, .initial = "30s", .minimum = "1s",
                       .maximum = "1d",
                       .help = "how long a loop may be blocked before the process ends itself, so "
                               "that its supervisor restarts it"),
};

static const bp_option drain_options[] = {
    BP_OPTION_DURATION(struct server_drain, delay, .initial = "3s", .minimum = "0",
                       .maximum = "10m",
                       .help = "how long to accept requests after SIGTERM while readiness already "
                               "fails, so that a load balancer notices in time; longer than its "
                               "check interval times its fall count"),
    BP_OPTION_DURATION(struct server_drain, timeout, .initial = "25s", .minimum = "0",
                       .maximum = "1h",
                       .help = "how long running requests may take before the server cancels them"),
};

static const bp_option mcp_options[] = {
    BP_OPTION_SIZE(struct server_mcp, body, .initial = "4MiB", .minimum = "1KiB", .maximum = "1GiB",
                   .help = "body of an MCP message, or 413"),
    BP_OPTION_SIZE(struct server_mcp, message_memory, .initial = "64MiB", .minimum = "256KiB",
                   .maximum = "1GiB",
                   .help = "memory of one parsed message; a larger one is refused with its id. "
                           "Each 3 bytes of \"[],[],\" take 48 bytes"),
    BP_OPTION_SIZE(struct server_mcp, client_memory, .initial = "256MiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "memory of the messages of one key, or of one address without a key, "
                           "that are being handled, or 503 with Retry-After"),
    BP_OPTION_INT(struct server_mcp, sessions, .initial = "100000", .minimum = "1",
                  .maximum = "10000000",
                  .help = "sessions of clients up to 2025-11-25; the least recently used one makes "
                          "room"),
    BP_OPTION_INT(struct server_mcp, sessions_per_client, .initial = "10000", .minimum = "1",
                  .maximum = "10000000",
                  .help = "sessions of one key, or of one address without a key; its least "
                          "recently used one makes room, and a new one is refused while all are in "
                          "use"),
    BP_OPTION_DURATION(struct server_mcp, session_idle_timeout, .initial = "30m", .minimum = "1s",
                       .maximum = "7d", .help = "idle time after which a session ends"),
    BP_OPTION_BOOL(struct server_mcp, share_sessions, .initial = "true",
                   .help = "share sessions between all processes with a common cache, so that a "
                           "client may use any of them"),
    BP_OPTION_SIZE(struct server_mcp, replay, .initial = "32MiB", .minimum = "64KiB",
                   .maximum = "16GiB",
                   .help = "events of all sessions kept for clients that reconnect with "
                           "Last-Event-ID; one key or address may have a quarter"),
    BP_OPTION_SIZE(struct server_mcp, tasks, .initial = "256MiB", .minimum = "1MiB",
                   .maximum = "1TiB",
                   .help = "arguments, answers and results of all tasks; one key or address may "
                           "have a quarter"),
    BP_OPTION_BOOL(struct server_mcp, coerce_arguments, .initial = "true",
                   .help = "convert tool arguments that a model wrote almost right: "
                           "3.0, \"5\" and \"true\" for integers, numbers and booleans, JSON in a "
                           "string, null for an optional argument"),
    BP_OPTION_SECRET(struct server_mcp, state_key,
                     .help = "key that seals the state which clients of 2026-07-28 carry between "
                             "rounds; the same on all replicas. Empty: a random key per process"),
};

static const bp_option log_options[] = {
    BP_OPTION_ENUM(struct log_conf, level, .choices = "debug|info|warn|error", .initial = "info",
                   .help = "the lowest level that is written"),
    BP_OPTION_PATH(struct log_conf, file, .choices = BP_PATH_NEW_FILE, .example = "backplane.log",
                   .help = "path of the log; empty: standard error"),
    BP_OPTION_OF(BP_OPTION_TYPE_INT, struct log_conf, rate_per_s, "rate", .initial = "100",
                 .minimum = "0", .maximum = "1000000",
                 .help = "lines per second of one message; the server counts and reports the rest; "
                         "0: no limit"),
    BP_OPTION_INT(struct log_conf, queue_lines, .initial = "8192", .minimum = "64",
                  .maximum = "1048576",
                  .help = "lines that may wait for a slow log; beyond, the newest are dropped and "
                          "counted"),
};

static const bp_option listener_options[] = {
    BP_OPTION_ADDRESS(struct server_listener, address, .is_required = true,
                      .example = "127.0.0.1:8000",
                      .help = "host:port, [IPv6]:port, :port (all interfaces) or unix:/path; port "
                              "0: any free one"),
    BP_OPTION_OF(BP_OPTION_TYPE_REFS, struct server_listener, apps_field, "apps", .ref_kind = "app",
                 .example = "[retrieval]", .help = "apps of this listener; none: all"),
};

static const bp_option gate_options[] = {
    BP_OPTION_DURATION(struct gate_conf, deadline, .initial = "30s", .minimum = "1ms",
                       .maximum = "1d", .help = "longest time for one call into the instance"),
    BP_OPTION_INT(struct gate_conf, max_concurrent, .initial = "64", .minimum = "0",
                  .maximum = "100000",
                  .help = "concurrent calls in the instance, divided among the workers; 0: no "
                          "limit"),
    BP_OPTION_INT(struct gate_conf, queue, .initial = "256", .minimum = "0", .maximum = "1000000",
                  .help = "calls that may wait for a free place; more are refused at once"),
    BP_OPTION_FLOAT(struct gate_conf, client_share, .initial = "0.25", .minimum = "0",
                    .maximum = "1",
                    .help = "part of max_concurrent that one key, or one address without a key, "
                            "may have while others wait"),
    BP_OPTION_INT(struct gate_conf, retries, .initial = "2", .minimum = "0", .maximum = "10",
                  .help = "retries of an idempotent call"),
    BP_OPTION_INT(struct gate_conf, breaker_failures, .initial = "5", .minimum = "0",
                  .maximum = "100000",
                  .help = "failures of an operation within breaker_window that open its circuit "
                          "breaker; 0: never"),
    BP_OPTION_DURATION(struct gate_conf, breaker_window, .initial = "10s", .minimum = "100ms",
                       .maximum = "1h", .help = "period in which failures count"),
    BP_OPTION_DURATION(struct gate_conf, breaker_pause, .initial = "5s", .minimum = "10ms",
                       .maximum = "1h",
                       .help = "how long an open breaker refuses calls before it allows one as a "
                               "trial"),
    BP_OPTION_BOOL(struct gate_conf, critical, .initial = "true",
                   .help = "true: the host does not start without it; false: the host starts "
                           "degraded without it"),
    BP_OPTION_STRING(struct gate_conf, digest,
                     .example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                     .help = "required SHA-256 of the plugin's file, in hexadecimal; empty: any"),
};

static const bp_option health_options[] = {
    BP_OPTION_DURATION(struct gate_conf, every, .initial = "30s", .minimum = "1s", .maximum = "1d",
                       .help = "interval between checks"),
    BP_OPTION_INT(struct gate_conf, rise, .initial = "2", .minimum = "1", .maximum = "100",
                  .help = "good checks in a row before a component that was down is up again"),
    BP_OPTION_INT(struct gate_conf, fall, .initial = "3", .minimum = "1", .maximum = "100",
                  .help = "failed checks in a row before a component is down; until then it is "
                          "degraded"),
};

static const bp_option app_options[] = {
    BP_OPTION_STRING(struct gate_conf, prefix, .example = "notes",
                     .help = "prefix of its routes (/PREFIX) and of its tools and prompts "
                             "(PREFIX_); empty: none, or the instance's name if an earlier app has "
                             "the same ones"),
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

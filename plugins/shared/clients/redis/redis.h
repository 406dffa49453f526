/* redis.h - a client of Redis for plugins: one connection a worker and node, shared by all calls.
 *
 *      call A: SET a 1 ─┐                        ┌─> the call with the next answer reads for all;
 *      call B: GET b  ──┼─> bytes ──> Redis ─────┤   the others sleep until theirs has come
 *      call C: EVALSHA ─┘   one queue of answers └─> what a cancelled call asked for is dropped
 *
 * Calls are pipelined without knowing of each other. A connection that breaks fails the commands
 * under way on it: a command that was not sent yet, or may be done twice, is tried again on a new
 * one; of what may have been carried out the caller hears that nobody knows. A single server, the
 * master that Sentinels name, and a cluster look the same from here.
 */
#ifndef REDIS_REDIS_H
#define REDIS_REDIS_H

#include <backplane/call.h>
#include <backplane/option.h>

#include "redis/reply.h"

typedef enum redis_topology {
    REDIS_SINGLE = 0,
    REDIS_SENTINEL = 1,
    REDIS_CLUSTER = 2
} redis_topology;

/* The options of every plugin on Redis; REDIS_OPTIONS() below is their table. */
struct redis_options {
    bp_str      url;
    bp_str_list hosts;
    bp_str      username, password, sentinel_username, sentinel_password;
    bp_str      ca_file, certificate_file, key_file, server_name;
    bool        is_verified;
    bp_str      client_name;
    int64_t     connect_timeout_ns, timeout_ns;
};

#define REDIS_OPTION(type, struct_, field_, name_, ...)                                            \
    BP_OPTION_OF(type, struct_, redis.field_, name_, __VA_ARGS__)
#define REDIS_OPTIONS(s)                                                                           \
    REDIS_OPTION(BP_OPTION_TYPE_URL, s, url, "url", .is_required = true,                           \
                 .choices = "redis|rediss|unix|sentinel|sentinels|cluster|clusters",               \
                 .example = "redis://127.0.0.1:6379/0",                                            \
                 .help = "the server: redis://[user:password@]host:port/database, rediss:// with " \
                         "TLS, unix:///path?db=0, sentinel://host:26379/master-name?db=0, "        \
                         "cluster://host:port"),                                                   \
        REDIS_OPTION(BP_OPTION_TYPE_LIST, s, hosts, "hosts", .choices = BP_LIST_ADDRESSES,         \
                     .help = "more Sentinels, or more nodes of the cluster, to ask when the one "  \
                             "in `url` is gone: [\"redis-2:26379\", \"redis-3:26379\"]"),          \
        REDIS_OPTION(BP_OPTION_TYPE_STRING, s, username, "username",                               \
                     .help = "user of the ACL; empty: the one in `url`, or the default user"),     \
        REDIS_OPTION(BP_OPTION_TYPE_SECRET, s, password, "password",                               \
                     .help = "password; empty: the one in `url`, or none"),                        \
        REDIS_OPTION(BP_OPTION_TYPE_STRING, s, sentinel_username, "sentinel_username",             \
                     .help = "for the Sentinels themselves, if they need one"),                    \
        REDIS_OPTION(BP_OPTION_TYPE_SECRET, s, sentinel_password, "sentinel_password",             \
                     .help = "for the Sentinels themselves, if they need one"),                    \
        REDIS_OPTION(BP_OPTION_TYPE_PATH, s, ca_file, "ca", .choices = BP_PATH_PEM,                \
                     .example = "/etc/ssl/redis-ca.pem",                                           \
                     .help = "certificates to trust, in PEM; empty: those that the machine "       \
                             "trusts"),                                                            \
        REDIS_OPTION(BP_OPTION_TYPE_PATH, s, certificate_file, "certificate",                      \
                     .choices = BP_PATH_PEM,                                                       \
                     .help = "our own certificate, in PEM, for a server that asks for one"),       \
        REDIS_OPTION(BP_OPTION_TYPE_PATH, s, key_file, "key", .choices = BP_PATH_PEM,              \
                     .help = "the key of `certificate`, in PEM"),                                  \
        REDIS_OPTION(BP_OPTION_TYPE_STRING, s, server_name, "server_name",                         \
                     .help = "name that the server's certificate must have; empty: the host of "   \
                             "the "                                                                \
                             "connection"),                                                        \
        REDIS_OPTION(BP_OPTION_TYPE_BOOL, s, is_verified, "verify", .initial = "true",             \
                     .help = "check the server's certificate; false only for tests"),              \
        REDIS_OPTION(BP_OPTION_TYPE_STRING, s, client_name, "client_name", .initial = "backplane", \
                     .help = "how CLIENT LIST on the server shows the connections"),               \
        REDIS_OPTION(BP_OPTION_TYPE_DURATION, s, connect_timeout_ns, "connect_timeout",            \
                     .initial = "3s", .minimum = "10ms", .maximum = "1m",                          \
                     .help = "for a new connection, with TLS and the password"),                   \
        REDIS_OPTION(BP_OPTION_TYPE_DURATION, s, timeout_ns, "timeout", .initial = "5s",           \
                     .minimum = "10ms", .maximum = "10m",                                          \
                     .help = "longest wait for an answer; then the connection is given up")

/* Whether the options can be meant so; a sentence that begins with the option's name when not. No
 * I/O. */
bp_status redis_check(bp_call *call, const struct redis_options *options);

struct redis_client;

/* In worker_start. `prefix` is that of the metrics ("cache_redis"); the options outlive the client.
 * Connects later, when the first call needs it. */
bp_status redis_client_new(bp_call *call, const struct redis_options *options, const char *prefix,
                           struct redis_client **client);
/* In worker_stop, or for a client that failed to start. NULL is allowed. */
void redis_client_free(struct redis_client *client);

redis_topology redis_topology_of(const struct redis_client *client);

/* Commands that go to one node, one behind the other, with no other call's between them: MULTI ...
 * EXEC is safe. */
struct redis_batch;

/* `key`: one of the keys, by which a cluster finds the node; empty: any node. NULL: no memory. */
struct redis_batch *redis_batch_new(bp_call *call, bp_str key);
/* A failure is remembered and told by redis_run(). The bytes are copied. */
void redis_add(struct redis_batch *batch, const bp_str *words, size_t count);
/* redis_add() of C strings: the words of `line`, separated by blanks. */
void   redis_add_line(struct redis_batch *batch, const char *line);
size_t redis_batch_size(const struct redis_batch *batch);

enum {
    REDIS_ONCE = 0,            /* what may have been carried out is not sent a second time */
    REDIS_IDEMPOTENT = 1 << 0, /* carrying it out twice does no harm */
    REDIS_ERRORS_PASS = 1 << 1 /* an error the server answers with is an answer, not a failure */
};

/* Sends them and waits: replies[i] is the answer to the i-th, and lives as long as the call.
 * Suspends. BP_OK, BP_UNAVAILABLE, BP_DEADLINE, BP_CANCELLED, BP_FULL (the server's memory or disk
 * is), BP_UPSTREAM (another error), BP_NO_MEMORY, BP_TOO_LARGE. */
bp_status redis_run(bp_call *call, struct redis_client *client, struct redis_batch *batch,
                    uint32_t flags, const struct redis_reply *const **replies) BP_SUSPENDS;

/* The same for one command. */
bp_status redis_do(bp_call *call, struct redis_client *client, bp_str key, const bp_str *words,
                   size_t count, uint32_t flags, const struct redis_reply **reply) BP_SUSPENDS;

/* The nodes that hold keys: all masters of a cluster, or the one server; for commands about a whole
 * server. In the call's memory. */
bp_status redis_masters(bp_call *call, struct redis_client *client, const size_t **nodes,
                        size_t *count) BP_SUSPENDS;
/* One command on one of them. */
bp_status redis_do_on(bp_call *call, struct redis_client *client, size_t node, const bp_str *words,
                      size_t count, uint32_t flags, const struct redis_reply **reply) BP_SUSPENDS;
bp_status redis_run_on(bp_call *call, struct redis_client *client, size_t node,
                       struct redis_batch *batch, uint32_t flags,
                       const struct redis_reply *const **replies) BP_SUSPENDS;

/* A script, sent by its name (EVALSHA), and whole where the server does not know it. */
struct redis_script {
    const char *source;
    char        sha[41]; /* filled in by the first use */
};

/* The first key says where it runs; all keys must have one hash tag. */
bp_status redis_run_script(bp_call *call, struct redis_client *client, struct redis_script *script,
                           const bp_str *keys, size_t key_count, const bp_str *arguments,
                           size_t argument_count, uint32_t flags,
                           const struct redis_reply **reply) BP_SUSPENDS;

/* The sentence for an error that REDIS_ERRORS_PASS let pass; returns its status. */
bp_status redis_fail_error(bp_call *call, const struct redis_client *client, const char *command,
                           const struct redis_reply *error);
/* "a nil", "an integer": for sentences about an answer that is not what it should be. */
bp_status redis_fail_shape(bp_call *call, const char *command, const struct redis_reply *reply);

#endif

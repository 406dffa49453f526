/* command_rig.h - a server of one command, without a gate and a router. */
#ifndef COMMAND_RIG_H
#define COMMAND_RIG_H

#include "core/net/http_rig.h"

#include "api/command_run.h"
#include "api/commands.h"
#include "plugin/services.h"

#define HEAD "POST /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"

static atomic_int outcome; // of the last run that was cancelled or failed; -1: none ended yet

static struct app_command *command;
static struct arena        arena;

/* What commands_run() and web_fail() do, without a gate and a router. */
static inline void handle(struct http_exchange *exchange, void *arg)
{
    bp_call               *call = exchange->call;
    struct bp_command_run *run = command_run_new(call, exchange, command);
    bp_status              status;

    (void)arg;
    exchange->max_body_bytes = INT64_MAX;
    call->deadline_ns = BP_FOREVER;
    status = command_run_read(call, run);
    if (status == BP_OK)
        status = command->spec.handler(call, NULL, run);
    if (status != BP_OK && !exchange->status && !http_exchange_is_gone(exchange))
        http_exchange_send(exchange, bp_status_http(status), BP_STR("text/plain"),
                           call->error.message);
    else if (!http_exchange_is_gone(exchange))
        command_run_say_end(call, run, status, call->error.message);
    outcome = status;
}

/* A server of the one command of `table`. */
static inline int command_rig_start(void **state, const bp_command *table)
{
    static struct host_service services[16];
    bp_app_ops                 ops = { .struct_size = sizeof(ops),
                                       .commands = table,
                                       .command_count = 1,
                                       .command_size = sizeof(*table) };
    struct rig                *rig = calloc(1, sizeof(*rig));
    struct reason              why;
    size_t                     count;

    arena_init(&arena, 1 << 20);
    memcpy(services, plugin_services, plugin_service_count * sizeof(*services));
    services[plugin_service_count] = command_service_entry;
    registry_fill_host(services, plugin_service_count + 1);
    assert_true(command_table_read(&arena, &ops, "app", &command, &count, &why));
    rig_defaults(rig);
    rig->options.body_timeout_ns = BP_SECONDS(5);
    rig_start(rig, handle);
    outcome = -1;
    *state = rig;
    return 0;
}

static inline int command_rig_stop(void **state)
{
    rig_stop(*state);
    arena_free(&arena);
    free(*state);
    return 0;
}

static inline uint16_t port_of(void **state)
{
    return ((struct rig *)*state)->port;
}

static inline char *ask(void **state, const char *body, size_t len)
{
    char  head[256];
    int   fd = client_connect(port_of(state));
    char *answer;

    client_send(fd, head,
                (size_t)snprintf(head, sizeof(head), HEAD "Content-Length: %zu\r\n\r\n", len));
    client_send(fd, body, len);
    answer = client_drain(fd, NULL);
    close(fd);
    return answer;
}

#endif

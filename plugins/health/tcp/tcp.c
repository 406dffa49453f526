/* tcp.c - a health check: does a port, or a Unix socket, take connections? */
#include <backplane/health.h>
#include <backplane/plugin.h>
#include <backplane/stream.h>

#include <math.h>

struct tcp_check {
    bp_str  address;
    int64_t timeout_ns;
};

static bp_status tcp_ask(bp_call *call, void *instance, bp_health *health)
{
    const struct tcp_check *check = instance;
    bp_stream              *stream;
    int64_t                 before_ns = bp_now_ns();
    bp_status               status;

    health->value = NAN;
    status = bp_connect(call, check->address, bp_within(call, check->timeout_ns), &stream);
    if (status == BP_CANCELLED)
        return status;
    if (status != BP_OK)
        return bp_health_down(call, health);
    bp_close(stream);
    health->value = (double)(bp_now_ns() - before_ns) / 1e9;
    health->unit = BP_STR("seconds");
    return bp_health_say(call, health, BP_HEALTH_OK, BP_FMT " takes connections",
                         BP_ARG(check->address));
}

static const bp_option options[] = {
    BP_OPTION_ADDRESS(struct tcp_check, address, .is_required = true, .example = "127.0.0.1:6379",
                      .help = "host:port, [IPv6]:port or unix:/path to connect to"),
    BP_OPTION_DURATION(struct tcp_check, timeout, .initial = "2s", .minimum = "10ms",
                       .maximum = "1m", .help = "longest time to connect"),
};

static const bp_health_ops ops = { .struct_size = sizeof(bp_health_ops), .check = tcp_ask };

BP_PLUGIN(health, "tcp", "1.0.0",
          .summary = "checks that a TCP port or a Unix socket takes connections",
          .license = "Apache-2.0", .instance_size = sizeof(struct tcp_check),
          .options = BP_TABLE(options), .ops = &ops)

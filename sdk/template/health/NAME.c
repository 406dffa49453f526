/* @NAME@.c - a health check: a file exists and was written not too long ago. */
#include <errno.h>
#include <sys/stat.h>

#include <backplane/health.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

/* The host writes the options here before any code of the plugin runs. */
struct check {
    bp_str  path;
    int64_t max_age_ns;
};

static const bp_option options[] = {
    BP_OPTION_PATH(struct check, path, .is_required = true, .example = "backup.tar",
                   .help = "the file that must be there"),
    BP_OPTION_DURATION(struct check, max_age, .initial = "off", .minimum = "0", .maximum = "365d",
                       .help = "how old it may be before the check is degraded; off: any age"),
};

/* stat() blocks, so it runs on a pool thread and not on the event loop. */
struct look {
    const struct check *check;
    struct stat         info;
};

static bp_status look_job(bp_call *call, void *arg)
{
    struct look *look = arg;

    if (stat(look->check->path.data, &look->info) == 0) /* the host puts a NUL behind a PATH */
        return BP_OK;
    return bp_fail(call, errno == ENOENT ? BP_NOT_FOUND : BP_IO, BP_FMT " cannot be looked at: %s",
                   BP_ARG(look->check->path), strerror(errno));
}

static bp_status check_file(bp_call *call, void *instance, bp_health *health)
{
    const struct check *check = instance;
    struct look         look = { .check = check };
    double              age_s;

    if (bp_offload(call, NULL, look_job, &look) != BP_OK)
        return bp_health_down(call, health);
    age_s = (double)(bp_wall_ns() / 1000000000 - look.info.st_mtime);
    health->value = age_s;
    health->unit = BP_STR("seconds");
    if (check->max_age_ns > 0 && age_s * 1e9 > (double)check->max_age_ns)
        return bp_health_say(call, health, BP_HEALTH_DEGRADED,
                             BP_FMT " was last written %.0f s ago: see what writes it",
                             BP_ARG(check->path), age_s);
    return bp_health_say(call, health, BP_HEALTH_OK, BP_FMT " is there, %.0f s old",
                         BP_ARG(check->path), age_s);
}

static const bp_health_ops ops = {
    .struct_size = sizeof(bp_health_ops),
    .check = check_file,
};

BP_PLUGIN(health, "@NAME@", "1.0.0", .summary = "checks that a file exists and is not too old",
          .instance_size = sizeof(struct check), .options = BP_TABLE(options), .ops = &ops)

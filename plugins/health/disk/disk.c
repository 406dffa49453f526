/* disk.c - a health check: is there room left on the file system of a path? */
#include <backplane/health.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

#include <errno.h>
#include <math.h>
#include <sys/statvfs.h>

enum { WHEN_FULL_DEGRADED, WHEN_FULL_DOWN };

struct disk_check {
    bp_str  path;
    double  warn_ratio, fail_ratio;
    int64_t warn_size_bytes, fail_size_bytes;
    int32_t when_full; /* place in the choices: degraded, down */
};

struct disk_room {
    const char *path;
    int64_t     free_bytes, total_bytes;
};

/* A file system over a network may block for a while. */
static bp_status measure(bp_call *call, void *arg)
{
    struct disk_room *room = arg;
    struct statvfs    info;

    if (statvfs(room->path, &info) != 0)
        return bp_fail(call, BP_IO, "cannot look at the file system of %s: %s", room->path,
                       strerror(errno));
    room->free_bytes = (int64_t)(info.f_bavail *
                                 info.f_frsize); // what a user who is not root may still write
    room->total_bytes = (int64_t)(info.f_blocks * info.f_frsize);
    return BP_OK;
}

static bp_status disk_ask(bp_call *call, void *instance, bp_health *health)
{
    const struct disk_check *check = instance;
    struct disk_room         room = { .path = bp_dup(call, check->path).data };
    bp_health_level          level = BP_HEALTH_OK;
    double                   ratio;
    bp_status                status;

    health->value = NAN;
    if (!room.path)
        return BP_NO_MEMORY;
    status = bp_offload(call, NULL, measure, &room);
    if (status == BP_CANCELLED)
        return status;
    if (status != BP_OK)
        return bp_health_down(call, health);
    ratio = room.total_bytes ? (double)room.free_bytes / (double)room.total_bytes : 1.0;
    if (ratio < check->fail_ratio || room.free_bytes < check->fail_size_bytes)
        level = check->when_full == WHEN_FULL_DOWN ? BP_HEALTH_DOWN : BP_HEALTH_DEGRADED;
    else if (ratio < check->warn_ratio || room.free_bytes < check->warn_size_bytes)
        level = BP_HEALTH_DEGRADED;
    health->value = ratio;
    health->unit = BP_STR("ratio");
    return bp_health_say(call, health, level,
                         "%.1f GiB of %.1f GiB (%.0f%%) are free on the file system of " BP_FMT
                         "%s",
                         (double)room.free_bytes / (1 << 30), (double)room.total_bytes / (1 << 30),
                         ratio * 100, BP_ARG(check->path),
                         level == BP_HEALTH_OK ? "" : ": delete something or make it larger");
}

static bp_status check_options(bp_call *call, const void *given)
{
    const struct disk_check *check = given;

    if (check->fail_ratio > check->warn_ratio)
        return bp_fail(call, BP_INVALID,
                       "fail_ratio: %g is above warn_ratio %g, so that nothing would ever be a "
                       "warning",
                       check->fail_ratio, check->warn_ratio);
    if (check->warn_size_bytes && check->fail_size_bytes > check->warn_size_bytes)
        return bp_fail(call, BP_INVALID,
                       "fail_size: it is above warn_size, so that nothing would ever be a warning");
    return BP_OK;
}

static const bp_option options[] = {
    BP_OPTION_PATH(struct disk_check, path, .initial = ".",
                   .choices = BP_PATH_FILE "|" BP_PATH_FOLDER,
                   .help = "a file or directory on the file system to check"),
    BP_OPTION_FLOAT(struct disk_check, warn_ratio, .initial = "0.10", .minimum = "0",
                    .maximum = "1", .help = "degraded when less than this share is free"),
    BP_OPTION_FLOAT(struct disk_check, fail_ratio, .initial = "0.02", .minimum = "0",
                    .maximum = "1",
                    .help = "full (see `when_full`) when less than this share is free"),
    BP_OPTION_SIZE(struct disk_check, warn_size, .initial = "0", .minimum = "0",
                   .help = "degraded when fewer bytes are free"),
    BP_OPTION_SIZE(struct disk_check, fail_size, .initial = "0", .minimum = "0",
                   .help = "full (see `when_full`) when fewer bytes are free"),
    BP_OPTION_ENUM(struct disk_check, when_full, .initial = "degraded", .choices = "degraded|down",
                   .help = "level of a full disk: degraded, because reads go on, or down, which "
                           "makes the server not ready"),
};

static const bp_life life = { .struct_size = sizeof(bp_life), .check = check_options };

static const bp_health_ops ops = { .struct_size = sizeof(bp_health_ops), .check = disk_ask };

BP_PLUGIN(health, "disk", "1.0.0", .summary = "checks that a file system has room left",
          .license = "Apache-2.0", .instance_size = sizeof(struct disk_check),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

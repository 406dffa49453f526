/* memory.c - a health check: how near is this process to the memory it may use? */
#include <backplane/health.h>
#include <backplane/plugin.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

struct memory_check {
    int64_t limit_bytes;
    double  warn_ratio, fail_ratio;
};

/* The files of /proc and /sys never block. 0 when the file is not there, or says "max". */
static int64_t number_in(const char *path, const char *behind)
{
    char    text[4096];
    FILE   *file = fopen(path, "re");
    size_t  len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    char   *at;
    int64_t number;

    if (file)
        fclose(file);
    text[len] = '\0';
    at = behind ? strstr(text, behind) : text;
    number = at ? strtoll(at + (behind ? strlen(behind) : 0), NULL, 10) : 0;
    return number > 0 ? number : 0;
}

/* Version 1 of cgroups writes a number near INT64_MAX for "none". */
static int64_t find_limit(const char **whose)
{
    int64_t machine = number_in("/proc/meminfo", "MemTotal:") * 1024;
    int64_t v2 = number_in("/sys/fs/cgroup/memory.max", NULL);
    int64_t v1 = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes", NULL);
    int64_t group = v2 ? v2 : v1;

    if (group && (!machine || group < machine)) {
        *whose = "its cgroup";
        return group;
    }
    *whose = "the machine";
    return machine;
}

static int64_t resident_bytes(void)
{
    // The second number of statm, in pages; the first one is the size of the address space.
    char  text[128];
    FILE *file = fopen("/proc/self/statm", "re");
    char *end = text;
    long  pages = 0;

    if (file && fgets(text, sizeof(text), file)) {
        strtol(text, &end, 10);
        pages = strtol(end, NULL, 10);
    }
    if (file)
        fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static bp_status memory_ask(bp_call *call, void *instance, bp_health *health)
{
    const struct memory_check *check = instance;
    const char                *whose = "the option limit";
    int64_t                    used = resident_bytes();
    int64_t                    limit = check->limit_bytes ? check->limit_bytes : find_limit(&whose);
    bp_health_level            level = BP_HEALTH_OK;
    double                     ratio;

    health->value = NAN;
    if (limit == 0 || used == 0)
        return bp_health_say(call, health, BP_HEALTH_DEGRADED,
                             "the memory of this process cannot be measured: /proc is not "
                             "readable");
    ratio = (double)used / (double)limit;
    if (ratio >= check->fail_ratio)
        level = BP_HEALTH_DOWN;
    else if (ratio >= check->warn_ratio)
        level = BP_HEALTH_DEGRADED;
    health->value = ratio;
    health->unit = BP_STR("ratio");
    return bp_health_say(call, health, level,
                         "%.1f MiB of %.1f MiB (%.0f%%) are in use, by the limit of %s",
                         (double)used / (1 << 20), (double)limit / (1 << 20), ratio * 100, whose);
}

static bp_status check_options(bp_call *call, const void *given)
{
    const struct memory_check *check = given;

    if (check->fail_ratio < check->warn_ratio)
        return bp_fail(call, BP_INVALID,
                       "fail_ratio: %g is below warn_ratio %g, so that nothing would ever be a "
                       "warning",
                       check->fail_ratio, check->warn_ratio);
    return BP_OK;
}

static const bp_option options[] = {
    BP_OPTION_SIZE(struct memory_check, limit, .initial = "0", .minimum = "0", .example = "512MiB",
                   .help = "memory limit; 0: that of the cgroup, or the whole machine"),
    BP_OPTION_FLOAT(struct memory_check, warn_ratio, .initial = "0.85", .minimum = "0",
                    .maximum = "1", .help = "degraded from this share of the limit"),
    BP_OPTION_FLOAT(struct memory_check, fail_ratio, .initial = "0.95", .minimum = "0",
                    .maximum = "1", .help = "down from this share of the limit"),
};

static const bp_life life = { .struct_size = sizeof(bp_life), .check = check_options };

static const bp_health_ops ops = { .struct_size = sizeof(bp_health_ops), .check = memory_ask };

BP_PLUGIN(health, "memory", "1.0.0",
          .summary = "checks the memory use of this process against its limit",
          .license = "Apache-2.0", .instance_size = sizeof(struct memory_check),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)

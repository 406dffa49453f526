/* load.c - the log, the plugin files and the conf, before anything runs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/command_run.h"
#include "api/run_service.h"
#include "api/web.h"
#include "conf/environment.h"
#include "host/paths.h"
#include "host/report.h"
#include "host/steps.h"
#include "plugin/services.h"

enum { SERVICES_MAX = 16 };

/* One list, for plugins and for the host's own code. */
static struct host_service services[SERVICES_MAX];
static size_t              service_count;

static void gather_services(void)
{
    if (service_count)
        return;
    for (size_t i = 0; i < plugin_service_count; i++)
        services[service_count++] = plugin_services[i];
    for (size_t i = 0; i < net_service_count; i++)
        services[service_count++] = net_services[i];
    services[service_count++] = web_service_entry;
    services[service_count++] = command_service_entry;
    services[service_count++] = run_service_entry;
    services[service_count++] = mcp_service_entry;
    registry_fill_host(services, service_count);
}

/* A folder that the conf names and that cannot be read is a mistake of the conf, at its line. */
static void scan_more(struct host *host, bp_str folder, size_t index)
{
    const struct conf_node *list = node_find(host->conf->root, "plugins"), *item = list;
    struct reason           why;

    if (registry_scan(host->registry, folder.data, &why))
        return;
    if (list && list->kind == NODE_SEQUENCE)
        for (item = list->first; item && item->index != index;)
            item = item->next;
    error_at_value(&host->conf->problems, item ? item : host->conf->root, "%s", why.text);
}

static bool scan(struct host *host)
{
    char          folder[4096];
    struct reason why;

    paths_plugins(folder, sizeof(folder));
    if (!registry_scan(host->registry, folder, &why)) {
        fprintf(stderr, "backplane: %s; set BACKPLANE_PLUGINS to the folder of the plugins\n",
                why.text);
        return false;
    }
    for (size_t i = 0; host->conf && host->conf->root && i < host->conf->plugin_dirs.count; i++)
        scan_more(host, host->conf->plugin_dirs.items[i], i);
    return true;
}

static struct log *open_log(const struct conf *conf, bool is_quiet)
{
    struct log_options options = { .level = BP_LOG_INFO, .rate_per_s = 100 };
    struct log        *log;

    if (conf) {
        options = (struct log_options){ .level = (uint32_t)conf->log.level,
                                        .path = conf->log.file.len ? conf->log.file.data : NULL,
                                        .queue_lines = (uint32_t)conf->log.queue_lines,
                                        .rate_per_s = (uint32_t)conf->log.rate_per_s };
    }
    if (is_quiet && options.level < BP_LOG_WARN)
        options.level = BP_LOG_WARN;
    log = log_open(&options);
    if (!log)
        fprintf(stderr, "backplane: log file %s cannot be opened: %s\n",
                options.path ? options.path : "stderr", strerror(errno));
    return log;
}

int host_load_registry(struct host *host, const char *conf_file)
{
    memset(host, 0, sizeof(*host));
    gather_services();
    if (conf_file && access(conf_file, R_OK) == 0)
        host->conf = conf_load(conf_file, NULL);
    host->log = open_log(NULL, true);
    host->registry = host->log ? registry_new(host->log, services, service_count) : NULL;
    if (host->log && !host->registry)
        host_say_failure(host, "no memory for the list of plugins");
    if (!host->registry || !scan(host))
        return EXIT_FAILED;
    return EXIT_DONE;
}

int host_load(struct host *host, const struct host_options *options)
{
    struct conf_plugins plugins;

    memset(host, 0, sizeof(*host));
    gather_services();
    host->conf = options->conf_text
                     ? conf_parse(options->conf_file, bp_str_of(options->conf_text), NULL)
                     : conf_load(options->conf_file, NULL);
    if (!host->conf) {
        fprintf(stderr, "backplane: no memory to read %s\n", options->conf_file);
        return EXIT_CONF;
    }
    host->log = open_log(conf_has_errors(host->conf) || options->is_check ? NULL : host->conf,
                         options->is_quiet);
    if (!host->log)
        return EXIT_CONF;
    host->registry = registry_new(host->log, services, service_count);
    if (!host->registry) {
        host_say_failure(host, "no memory for the list of plugins");
        return EXIT_CONF;
    }
    if (!scan(host))
        return EXIT_CONF;
    registry_check_digests(host->registry, host->conf);
    plugins = registry_for_conf(host->registry);
    conf_resolve(host->conf, &plugins);
    host->edition = edition_new(host, host->conf);
    if (!host->edition) {
        host_say_failure(host, "no memory for the first edition of the conf");
        return EXIT_CONF;
    }
    if (options->says_environment)
        environment_check(host->conf, &conf_process_environment);
    if (options->is_check)
        return conf_has_errors(host->conf) ? EXIT_CONF : EXIT_DONE;
    if (report_problems(host->conf, stderr) == 0)
        return EXIT_DONE;
    host_log_conf_problems(host);
    return EXIT_CONF;
}

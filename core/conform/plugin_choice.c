/* plugin_choice.c - chooses the plugin to test: by its file, or by its name among the installed
 * ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/parts.h"

/* By its file, or by its name among those installed. */
static const struct plugin_file *find_plugin(struct contract_runner *run, struct host *host,
                                             const char *wanted)
{
    char path[4096], found[4096];
    bool is_path = strchr(wanted, '/') ||
                   (strlen(wanted) > 3 && strcmp(wanted + strlen(wanted) - 3, ".so") == 0);

    if (is_path && !realpath(wanted, path)) {
        contract_say(run->wish, "there is no file %s", wanted);
        return NULL;
    }
    for (int round = 0; round < 2; round++) {
        struct reason why;
        char          folder[4096];

        for (size_t i = 0; i < registry_count(host->registry); i++) {
            const struct plugin_file *file = registry_at(host->registry, i);

            if (is_path ? realpath(file->path, found) && strcmp(found, path) == 0
                        : strcmp(file->note.name, wanted) == 0 &&
                              (!run->wish->kind || strcmp(file->note.kind, run->wish->kind) == 0))
                return file;
        }
        if (!is_path || round)
            break;
        snprintf(folder, sizeof(folder), "%s", path);
        *strrchr(folder, '/') = '\0';
        run->outside_file = wanted; // it is not among those installed: its folder must be in the
                                    // conf
        if (!registry_scan(host->registry, folder, &why))
            contract_say(run->wish, "%s", why.text);
    }
    contract_say(run->wish, "there is no plugin %s%s%s; `backplane plugins` lists them", wanted,
                 run->wish->kind ? " of the kind " : "", run->wish->kind ? run->wish->kind : "");
    return NULL;
}

static bool is_fit(const struct contract_runner *run, const struct plugin_file *file,
                   const struct plugin *plugin)
{
    const char *kind = run->wish->kind;

    if (kind && strcmp(kind, file->note.kind) != 0) {
        contract_say(run->wish, "%s is of the kind %s", file->path, file->note.kind);
        return false;
    }
    if (!conform_contract_of(file->note.kind)) {
        contract_say(run->wish, "there is no contract for the kind %s", file->note.kind);
        return false;
    }
    return contract_conf_check_wrong(run->wish, plugin);
}

static void fill_head(struct contract_report *report, const struct plugin_file *file)
{
    snprintf(report->kind, sizeof(report->kind), "%s", file->note.kind);
    snprintf(report->name, sizeof(report->name), "%s", file->note.name);
    snprintf(report->version, sizeof(report->version), "%s", file->note.version);
    report->kind_version = file->note.kind_version;
}

bool contract_choose_plugin(struct contract_runner *run)
{
    const struct contract_wish *wish = run->wish;
    struct host                 host;
    bool                        is_good = host_load_registry(&host, NULL) == EXIT_DONE;
    const struct plugin_file   *file = is_good ? find_plugin(run, &host, wish->plugin) : NULL;
    const struct plugin        *plugin = NULL;
    struct reason               why = { "" };

    if (file && file->is_accepted)
        plugin = registry_load(host.registry, file->note.kind, file->note.name, &why);
    if (file && !plugin)
        contract_say(wish, "%s: %s", file->path, file->is_accepted ? why.text : file->problem.text);
    if (plugin && !is_fit(run, file, plugin))
        plugin = NULL;
    if (plugin) {
        fill_head(run->report, file);
        run->conf = contract_conf_write(wish, plugin, run->outside_file, run->folder, false);
        if (wish->wrong_count)
            run->wrong_conf = contract_conf_write(wish, plugin, run->outside_file, run->folder,
                                                  true);
    }
    host_free(&host);
    return plugin && run->conf && (run->wrong_conf || !wish->wrong_count);
}

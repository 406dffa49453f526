/* written_conf.c - the conf that a contract is run on: one instance, and the embedded back
 * ends it may refer to.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "conform/parts.h"
#include "host/embedded_conf.h"

enum { CONF_BYTES = 1 << 20 };

static const bp_option *nth_option(const struct plugin *plugin, uint32_t index)
{
    return (const bp_option *)(const void *)((const char *)plugin->descriptor.options +
                                             (size_t)index * plugin->descriptor.option_size);
}

static const bp_option *option_named(const struct plugin *plugin, bp_str name)
{
    for (uint32_t i = 0; i < plugin->descriptor.option_count; i++)
        if (bp_str_is(name, nth_option(plugin, i)->name))
            return nth_option(plugin, i);
    return NULL;
}

/* Later settings take the place of earlier ones: --wrong that of --set. SIZE_MAX: whether it is set
 * at all. */
static bool is_overridden(const char *const *settings, size_t count, size_t index, bp_str key)
{
    for (size_t i = index + 1; i < count; i++) {
        bp_str rest;

        if (bp_str_equal(str_split(bp_str_of(settings[i]), '=', &rest), key))
            return true;
    }
    return false;
}

static bool add_settings(const struct contract_wish *wish, struct bp_buf *out,
                         const struct plugin *plugin, const char *const *settings, size_t count)
{
    static const bp_option host_option = { .type = BP_OPTION_TYPE_STRING };

    for (size_t i = 0; i < count; i++) {
        bp_str           value, key = str_split(bp_str_of(settings[i]), '=', &value);
        const bp_option *option = option_named(plugin, key);

        if (!strchr(settings[i], '=')) {
            contract_say(wish, "--set %s: write KEY=VALUE", settings[i]);
            return false;
        }
        if (is_overridden(settings, count, i, key))
            continue;
        buf_addf(out, "    " BP_FMT ": ", BP_ARG(key));
        embedded_conf_add_value(out, option ? option : &host_option,
                                value); // an unknown one is found by the conf's own check
        buf_add_char(out, '\n');
    }
    return true;
}

/* An app is served, and what it refers to and is not set is "main". */
static void add_app(struct bp_buf *out, const struct plugin *plugin, const char *const *settings,
                    size_t count)
{
    for (uint32_t i = 0; i < plugin->descriptor.option_count; i++) {
        const bp_option *option = nth_option(plugin, i);
        bool             is_list = option->type == BP_OPTION_TYPE_REFS;

        if (is_overridden(settings, count, SIZE_MAX, bp_str_of(option->name)) ||
            (option->type != BP_OPTION_TYPE_REF && !is_list))
            continue;
        buf_addf(out, "    %s: %s\n", option->name, is_list ? "[ main ]" : "main");
    }
}

char *contract_conf_write(const struct contract_wish *wish, const struct plugin *plugin,
                          const char *outside_file, const char *folder, bool is_wrong)
{
    struct bp_buf out;
    char          path[4096];
    bool          is_outside = outside_file && realpath(outside_file, path);
    const char   *kind = plugin->descriptor.kind, *settings[2 * CONTRACT_SETTINGS_MAX];
    size_t        count = wish->setting_count + (is_wrong ? wish->wrong_count : 0);

    memcpy(settings, wish->settings, wish->setting_count * sizeof(*settings));
    memcpy(settings + wish->setting_count, wish->wrong,
           (count - wish->setting_count) * sizeof(*settings));
    buf_init(&out, NULL, CONF_BYTES);
    buf_addf(&out, "data_dir: %s/data\nlog: { level: error }\n", folder);
    if (is_outside) {
        *strrchr(path, '/') = '\0';
        buf_addf(&out, "plugins: [ \"%s\" ]\n", path);
    }
    embedded_conf_add_backends(&out, kind, wish->peers, wish->peer_count);
    if (strcmp(kind, "app") == 0)
        // What an app's schemas refuse is to be refused, and not to be made right before.
        buf_addf(&out,
                 "server: { listen: [ \"127.0.0.1:0\" ], access_log: off, mcp: { coerce_arguments: "
                 "false } }\n"
                 "app:\n  subject:\n    use: %s\n",
                 plugin->descriptor.name);
    else
        buf_addf(&out,
                 "%s:\n  subject:\n    use: %s\n    breaker_failures: 0\n    retries: 0\n    "
                 "deadline: 5m\n",
                 kind, plugin->descriptor.name);
    if (strcmp(kind, "app") == 0)
        add_app(&out, plugin, settings, count);
    if (!add_settings(wish, &out, plugin, settings, count)) {
        buf_free(&out);
        return NULL;
    }
    buf_add_char(&out, '\0');
    return out.data;
}

/* What --wrong sets must be there to be wrong: a plugin that refuses an option it does not know
 * refuses no credentials.
 */
bool contract_conf_check_wrong(const struct contract_wish *wish, const struct plugin *plugin)
{
    const struct conform_contract *contract = conform_contract_of(plugin->descriptor.kind);
    bool                           has_refusals = wish->wrong_count == 0;

    for (size_t i = 0; i < wish->wrong_count; i++) {
        bp_str value, key = str_split(bp_str_of(wish->wrong[i]), '=', &value);

        if (!strchr(wish->wrong[i], '=')) {
            contract_say(wish, "--wrong %s: write KEY=VALUE", wish->wrong[i]);
            return false;
        }
        if (!option_named(plugin, key)) {
            contract_say(wish,
                         "--wrong " BP_FMT
                         ": %s/%s has no such option: `backplane docs` lists them",
                         BP_ARG(key), plugin->descriptor.kind, plugin->descriptor.name);
            return false;
        }
    }
    for (size_t i = 0; contract && i < contract->count; i++)
        has_refusals |= contract->cases[i].where == CONFORM_REFUSED;
    if (!has_refusals)
        contract_say(wish, "--wrong: the contract of the kind %s knows no credentials",
                     plugin->descriptor.kind);
    return has_refusals;
}

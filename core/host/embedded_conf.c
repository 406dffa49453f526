/* embedded_conf.c - from the option tables of the apps to a conf that gives each what it needs. */
#include "host/embedded_conf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "host/exit_status.h"
#include "host/host.h"

enum { CONF_BYTES_MAX = 1 << 20 };

/* What stands in for each kind, and how it is written. */
struct embedded_backend {
    const char *kind, *yaml;
};

static const struct embedded_backend backends[] = {
    { "storage", "{ use: sqlite, path: backplane.db }" },
    { "cache", "{ use: memory }" },
    { "embed", "{ use: hash }" },
    { "vector", "{ use: local, path: vectors }" },
    { "llm", "{ use: extractive }" },
};
enum { BACKENDS = sizeof(backends) / sizeof(backends[0]) };

struct writing {
    const struct embedded_conf *wish;
    struct bp_buf               apps;
    bool                        is_needed[BACKENDS];
    bool                        is_used[EMBEDDED_SETTINGS_MAX];
    bool                        are_words_used;
};

static void add_text(struct bp_buf *buf, const char *text)
{
    buf_add(buf, bp_str_of(text));
}

/* A JSON string is a YAML string; `${` would begin a variable of the environment, so it is
 * written `$${`. */
static void add_quoted(struct bp_buf *buf, bp_str text)
{
    struct bp_buf doubled;

    buf_init(&doubled, NULL, CONF_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '$' && i + 1 < text.len && text.data[i + 1] == '{')
            buf_add_char(&doubled, '$');
        buf_add_char(&doubled, text.data[i]);
    }
    json_append_quoted(buf, buf_str(&doubled));
    buf_free(&doubled);
}

static void add_list(struct bp_buf *buf, bp_str text)
{
    buf_add_char(buf, '[');
    while (text.len) {
        add_quoted(buf, str_trim(str_split(text, ',', &text)));
        if (text.len)
            add_text(buf, ", ");
    }
    buf_add_char(buf, ']');
}

static bool is_list(const bp_option *option)
{
    return option->type == BP_OPTION_TYPE_LIST || option->type == BP_OPTION_TYPE_REFS;
}

void embedded_conf_add_value(struct bp_buf *out, const bp_option *option, bp_str value)
{
    if (is_list(option))
        add_list(out, value);
    else
        add_quoted(out, value);
}

static const char *other_of(const char *kind, const char *const *others, size_t other_count)
{
    size_t len = strlen(kind);

    for (size_t i = 0; i < other_count; i++)
        if (strncmp(others[i], kind, len) == 0 && others[i][len] == '=')
            return others[i] + len + 1;
    return NULL;
}

void embedded_conf_add_backends(struct bp_buf *out, const char *except_kind,
                                const char *const *others, size_t other_count)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        const char *other = other_of(backends[i].kind, others, other_count);

        if (strcmp(backends[i].kind, except_kind) == 0)
            continue;
        if (other)
            buf_addf(out, "%s: { main: %s }\n", backends[i].kind, other);
        else // calls that are cut short on purpose must not open a breaker that then refuses the
             // good ones
            buf_addf(out, "%s: { main: { breaker_failures: 0, %s }\n", backends[i].kind,
                     backends[i].yaml + 2);
    }
}

static const bp_option *option_of(const struct plugin *plugin, uint32_t index)
{
    return (const bp_option *)(const void *)((const char *)plugin->descriptor.options +
                                             (size_t)index * plugin->descriptor.option_size);
}

/* The value of --set for that option; the settings of all apps count, those of this app before
 * them. */
static bool find_setting(struct writing *writing, bp_str app, const char *option, bp_str *value)
{
    bool is_found = false;

    for (size_t i = 0; i < writing->wish->setting_count; i++) {
        bp_str rest, key = str_split(bp_str_of(writing->wish->settings[i]), '=', &rest), name,
                     owner = key;

        owner = str_split(key, '.', &name);
        if (!name.len) {
            name = key;
            owner = app;
        }
        if (!bp_str_is(name, option) || !bp_str_equal(owner, app))
            continue;
        writing->is_used[i] = is_found = true;
        *value = rest;
    }
    return is_found;
}

static void write_words(struct writing *writing)
{
    writing->are_words_used = true;
    buf_add_char(&writing->apps, '[');
    for (size_t i = 0; i < writing->wish->word_count; i++) {
        if (i)
            add_text(&writing->apps, ", ");
        add_quoted(&writing->apps, bp_str_of(writing->wish->words[i]));
    }
    buf_add_char(&writing->apps, ']');
}

static void write_reference(struct writing *writing, const bp_option *option)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (strcmp(backends[i].kind, option->ref_kind) == 0)
            writing->is_needed[i] = true;
    add_text(&writing->apps, is_list(option) ? "[main]" : "main");
}

static void write_key(struct writing *writing, const bp_option *option)
{
    add_text(&writing->apps, "    ");
    add_text(&writing->apps, option->name);
    add_text(&writing->apps, ": ");
}

static void write_option(struct writing *writing, bp_str app, const bp_option *option)
{
    bool   is_reference = option->type == BP_OPTION_TYPE_REF;
    bp_str value;

    if (find_setting(writing, app, option->name, &value)) {
        write_key(writing, option);
        embedded_conf_add_value(&writing->apps, option, value);
    } else if (is_reference || (option->type == BP_OPTION_TYPE_REFS && option->is_required)) {
        if (!option->is_required && strcmp(option->ref_kind, "llm") == 0)
            return; // a model that only quotes is of no use to who can do without
        write_key(writing, option);
        write_reference(writing, option);
    } else if (option->type == BP_OPTION_TYPE_LIST && option->is_required &&
               writing->wish->word_count && !writing->are_words_used) {
        write_key(writing, option);
        write_words(writing);
    } else {
        return;
    }
    buf_add_char(&writing->apps, '\n');
}

static bool write_app(struct writing *writing, struct plugin_registry *registry, bp_str app)
{
    struct reason        why;
    char                 name[64];
    const struct plugin *plugin;
    size_t               before;

    snprintf(name, sizeof(name), BP_FMT, BP_ARG(app));
    plugin = registry_load(registry, "app", name, &why);
    if (!plugin) {
        fprintf(stderr, "backplane mcp: %s\n",
                why.text[0] ? why.text
                            : "there is no app of that name: `backplane plugins` lists them");
        return false;
    }
    add_text(&writing->apps, "  ");
    add_text(&writing->apps, name);
    add_text(&writing->apps, ":\n");
    before = writing->apps.len;
    add_text(&writing->apps, "    use: ");
    add_text(&writing->apps, name);
    buf_add_char(&writing->apps, '\n');
    for (uint32_t i = 0; i < plugin->descriptor.option_count; i++)
        write_option(writing, app, option_of(plugin, i));
    return writing->apps.len > before;
}

static void write_data_dir(struct bp_buf *out, const char *wanted)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char        folder[4096];

    if (wanted)
        snprintf(folder, sizeof(folder), "%s", wanted);
    else if (state && *state)
        snprintf(folder, sizeof(folder), "%s/backplane", state);
    else
        snprintf(folder, sizeof(folder), "%s/.local/state/backplane", home && *home ? home : ".");
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0700);
        *slash = '/';
    }
    add_text(out, "data_dir: ");
    add_quoted(out, bp_str_of(folder));
    add_text(out, "\nlog: { level: warn }\n");
}

static bool all_is_used(const struct writing *writing)
{
    for (size_t i = 0; i < writing->wish->setting_count; i++) {
        if (writing->is_used[i])
            continue;
        fprintf(stderr, "backplane mcp: --set %s: none of the named apps has this option\n",
                writing->wish->settings[i]);
        return false;
    }
    if (writing->wish->word_count && !writing->are_words_used) {
        fprintf(stderr, "backplane mcp: \"%s\": none of the named apps takes words\n",
                writing->wish->words[0]);
        return false;
    }
    return true;
}

char *embedded_conf_write(const struct embedded_conf *wish)
{
    struct writing writing = { .wish = wish };
    struct host    host;
    struct bp_buf  out;
    bool           is_good = host_load_registry(&host, NULL) == EXIT_DONE;

    buf_init(&out, NULL, CONF_BYTES_MAX);
    buf_init(&writing.apps, NULL, CONF_BYTES_MAX);
    for (size_t i = 0; is_good && i < wish->app_count; i++)
        is_good = write_app(&writing, host.registry, wish->apps[i]);
    host_free(&host);
    is_good = is_good && all_is_used(&writing);
    write_data_dir(&out, wish->data_dir);
    for (size_t i = 0; i < BACKENDS; i++)
        if (writing.is_needed[i])
            buf_addf(&out, "%s: { main: %s }\n", backends[i].kind, backends[i].yaml);
    add_text(&out, "app:\n");
    buf_add(&out, buf_str(&writing.apps));
    buf_free(&writing.apps);
    is_good = is_good && buf_status(&out) == BP_OK;
    buf_add_char(&out, '\0');
    if (is_good)
        return out.data;
    buf_free(&out);
    return NULL;
}

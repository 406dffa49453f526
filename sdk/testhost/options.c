/* options.c - reads {name, value} texts into a plugin's struct by its option table. */
#include "host.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const bp_option *option_at(const bp_plugin *plugin, uint32_t index)
{
    return (const bp_option *)(const void *)((const char *)plugin->options +
                                             (size_t)index * plugin->option_size);
}

static char *keep(testhost_instance *into, bp_str text)
{
    char *copy = copy_text(text);
    list_add(&into->memory, copy);
    return copy;
}

static void *keep_array(testhost_instance *into, size_t size_bytes)
{
    void *array = calloc(1, size_bytes ? size_bytes : 1);
    if (!array)
        abort();
    list_add(&into->memory, array);
    return array;
}

/* ---- one value ---- */

struct unit {
    const char *name;
    double      factor;
};

static const struct unit size_units[] = {
    { "", 1 },     { "B", 1 },      { "KB", 1e3 },      { "MB", 1e6 },
    { "GB", 1e9 }, { "KiB", 1024 }, { "MiB", 1048576 }, { "GiB", 1073741824 },
};
static const struct unit duration_units[] = {
    { "ns", 1 },   { "us", 1e3 },   { "ms", 1e6 },    { "s", 1e9 },
    { "m", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
};

static bool number_with_unit(const char *text, const struct unit *units, size_t unit_count,
                             double *value)
{
    char  *end;
    double number = strtod(text, &end);

    if (end == text || !isfinite(number) || number < 0)
        return false;
    for (size_t i = 0; i < unit_count; i++)
        if (strcmp(end, units[i].name) == 0) {
            *value = number * units[i].factor;
            return *value < 9.2e18;
        }
    return false;
}

/* Numbers, sizes and durations as a double, for ranges. */
static bool numeric(uint32_t type, const char *text, double *value)
{
    char *end;

    switch (type) {
    case BP_OPTION_TYPE_INT:
    case BP_OPTION_TYPE_FLOAT:
        *value = strtod(text, &end);
        return end != text && *end == '\0' && isfinite(*value) &&
               (type == BP_OPTION_TYPE_FLOAT || *value == floor(*value));
    case BP_OPTION_TYPE_SIZE:
        return number_with_unit(text, size_units, sizeof(size_units) / sizeof(size_units[0]),
                                value);
    case BP_OPTION_TYPE_DURATION:
        if (strcmp(text, "off") == 0 || strcmp(text, "0") == 0) {
            *value = 0;
            return true;
        }
        return number_with_unit(text, duration_units,
                                sizeof(duration_units) / sizeof(duration_units[0]), value);
    default:
        return false;
    }
}

static bool boolean(const char *text, bool *value)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
    for (size_t i = 0; i < 6; i++)
        if (strcmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    return false;
}

static bool choice(const char *choices, const char *text, int32_t *place)
{
    size_t len = strlen(text);
    for (int32_t i = 0; choices; i++) {
        const char *bar = strchr(choices, '|');
        size_t      width = bar ? (size_t)(bar - choices) : strlen(choices);
        if (width == len && memcmp(choices, text, len) == 0) {
            *place = i;
            return true;
        }
        choices = bar ? bar + 1 : NULL;
    }
    return false;
}

/* Splits at commas and trims blanks. */
static bp_str_list split(testhost_instance *into, const char *text)
{
    size_t      count = 1, used = 0;
    bp_str     *items;
    const char *at = keep(into, bp_str_of(text));

    for (const char *c = at; *c; c++)
        count += *c == ',';
    items = keep_array(into, count * sizeof(bp_str));
    while (at) {
        const char *comma = strchr(at, ',');
        size_t      len = comma ? (size_t)(comma - at) : strlen(at);
        while (len && isspace((unsigned char)*at))
            at++, len--;
        while (len && isspace((unsigned char)at[len - 1]))
            len--;
        if (len)
            items[used++] = bp_str_n(at, len);
        at = comma ? comma + 1 : NULL;
    }
    return (bp_str_list){ items, used };
}

static bp_option_map map_of(testhost_instance *into, const char *text)
{
    bp_str_list      list = split(into, text);
    bp_option_entry *entries = keep_array(into, list.count * sizeof(bp_option_entry));

    for (size_t i = 0; i < list.count; i++) {
        const char *equals = memchr(list.items[i].data, '=', list.items[i].len);
        size_t      name = equals ? (size_t)(equals - list.items[i].data) : list.items[i].len;
        entries[i].name = bp_str_n(list.items[i].data, name);
        if (equals)
            entries[i].value = bp_str_n(equals + 1, list.items[i].len - name - 1);
    }
    return (bp_option_map){ entries, list.count };
}

static bp_str absolute(testhost *host, testhost_instance *into, const char *text)
{
    char  directory[4096];
    char  path[8300];
    char *kept;

    if (text[0] == '/' || !text[0])
        return bp_str_of(keep(into, bp_str_of(text)));
    if (host->data_dir)
        snprintf(directory, sizeof(directory), "%s", host->data_dir);
    else if (!getcwd(directory, sizeof(directory)))
        directory[0] = '\0';
    snprintf(path, sizeof(path), "%s/%s", directory, text);
    kept = keep(into, bp_str_of(path));
    return bp_str_of(kept);
}

static bool has_scheme(const char *text, const char *choices)
{
    const char *colon = strstr(text, "://");
    char        scheme[32];
    int32_t     place;

    if (!colon || (size_t)(colon - text) >= sizeof(scheme))
        return false;
    snprintf(scheme, sizeof(scheme), "%.*s", (int)(colon - text), text);
    return choice(choices ? choices : "http|https", scheme, &place) && colon[3];
}

static bp_status set_refs(testhost *host, const bp_option *option, const char *text,
                          testhost_instance *into, void *field)
{
    bp_str_list     names = split(into, text);
    const bp_peer **peers = keep_array(into, names.count * sizeof(bp_peer *));
    bp_peer_list    list = { peers, names.count };

    for (size_t i = 0; i < names.count; i++) {
        peers[i] = find_peer(host, names.items[i], option->ref_kind);
        if (!peers[i])
            return problem(host, BP_INVALID, "%s: there is no %s instance \"" BP_FMT "\"",
                           option->name, option->ref_kind, BP_ARG(names.items[i]));
    }
    if (option->type == BP_OPTION_TYPE_REFS)
        memcpy(field, &list, sizeof(list));
    else if (names.count == 1)
        memcpy(field, &peers[0], sizeof(peers[0]));
    else
        return problem(host, BP_INVALID, "%s takes one name", option->name);
    return BP_OK;
}

static bp_status in_range(testhost *host, const bp_option *option, double value, const char *text)
{
    double bound;

    if (option->minimum && numeric(option->type, option->minimum, &bound) && value < bound)
        return problem(host, BP_INVALID, "%s: %s is below the minimum of %s", option->name, text,
                       option->minimum);
    if (option->maximum && numeric(option->type, option->maximum, &bound) && value > bound)
        return problem(host, BP_INVALID, "%s: %s is above the maximum of %s", option->name, text,
                       option->maximum);
    return BP_OK;
}

static bp_status set(testhost *host, const bp_option *option, const char *text,
                     testhost_instance *into)
{
    void         *field = (char *)into->self + option->offset;
    double        number = 0;
    bp_str        string;
    bp_str_list   list;
    bp_option_map map;

    switch (option->type) {
    case BP_OPTION_TYPE_BOOL:
        if (boolean(text, field))
            return BP_OK;
        return problem(host, BP_INVALID, "%s: \"%s\" is neither true nor false", option->name,
                       text);
    case BP_OPTION_TYPE_INT:
    case BP_OPTION_TYPE_SIZE:
    case BP_OPTION_TYPE_DURATION:
        if (!numeric(option->type, text, &number))
            return problem(host, BP_INVALID, "%s: \"%s\" is not a number of its type", option->name,
                           text);
        *(int64_t *)field = option->type == BP_OPTION_TYPE_INT ? strtoll(text, NULL, 10)
                                                               : (int64_t)number;
        return in_range(host, option, number, text);
    case BP_OPTION_TYPE_FLOAT:
        if (!numeric(option->type, text, field))
            return problem(host, BP_INVALID, "%s: \"%s\" is not a number", option->name, text);
        return in_range(host, option, *(double *)field, text);
    case BP_OPTION_TYPE_ENUM:
        if (choice(option->choices, text, field))
            return BP_OK;
        return problem(host, BP_INVALID, "%s: \"%s\" is none of %s", option->name, text,
                       option->choices);
    case BP_OPTION_TYPE_URL:
        if (text[0] && !has_scheme(text, option->choices))
            return problem(host, BP_INVALID, "%s: \"%s\" is not a URL", option->name, text);
        break;
    case BP_OPTION_TYPE_ADDRESS:
        if (text[0] && strncmp(text, "unix:/", 6) != 0 && !strrchr(text, ':'))
            return problem(host, BP_INVALID, "%s: \"%s\" is not an address: write host:port",
                           option->name, text);
        break;
    case BP_OPTION_TYPE_STRING:
    case BP_OPTION_TYPE_SECRET:
    case BP_OPTION_TYPE_PATH:
        break;
    case BP_OPTION_TYPE_LIST:
        list = split(into, text);
        memcpy(field, &list, sizeof(list));
        return BP_OK;
    case BP_OPTION_TYPE_MAP:
        map = map_of(into, text);
        memcpy(field, &map, sizeof(map));
        return BP_OK;
    case BP_OPTION_TYPE_REF:
    case BP_OPTION_TYPE_REFS:
        return set_refs(host, option, text, into, field);
    default:
        return problem(host, BP_INVALID, "%s has the unknown type %u", option->name, option->type);
    }
    string = option->type == BP_OPTION_TYPE_PATH ? absolute(host, into, text)
                                                 : bp_str_of(keep(into, bp_str_of(text)));
    memcpy(field, &string, sizeof(string));
    return BP_OK;
}

/* ---- the table ---- */

static const size_t field_sizes[] = {
    [BP_OPTION_TYPE_BOOL] = sizeof(bool),         [BP_OPTION_TYPE_INT] = sizeof(int64_t),
    [BP_OPTION_TYPE_FLOAT] = sizeof(double),      [BP_OPTION_TYPE_SIZE] = sizeof(int64_t),
    [BP_OPTION_TYPE_DURATION] = sizeof(int64_t),  [BP_OPTION_TYPE_STRING] = sizeof(bp_str),
    [BP_OPTION_TYPE_ENUM] = sizeof(int32_t),      [BP_OPTION_TYPE_URL] = sizeof(bp_str),
    [BP_OPTION_TYPE_ADDRESS] = sizeof(bp_str),    [BP_OPTION_TYPE_PATH] = sizeof(bp_str),
    [BP_OPTION_TYPE_SECRET] = sizeof(bp_str),     [BP_OPTION_TYPE_LIST] = sizeof(bp_str_list),
    [BP_OPTION_TYPE_MAP] = sizeof(bp_option_map), [BP_OPTION_TYPE_REF] = sizeof(bp_peer *),
    [BP_OPTION_TYPE_REFS] = sizeof(bp_peer_list),
};

size_t option_field_size(const bp_option *option)
{
    return field_sizes[option->type];
}

bp_status options_check_table(testhost *host, const bp_plugin *plugin)
{
    if (plugin->option_count && (!plugin->options || plugin->option_size < sizeof(bp_option)))
        return problem(host, BP_INVALID,
                       "%s/%s: the option table is missing or has too small a stride", plugin->kind,
                       plugin->name);
    for (uint32_t i = 0; i < plugin->option_count; i++) {
        const bp_option *option = option_at(plugin, i);
        if (!option->name || !option->help || !option->name[0])
            return problem(host, BP_INVALID, "%s/%s: option %u lacks a name or a help line",
                           plugin->kind, plugin->name, i);
        if (option->type < BP_OPTION_TYPE_BOOL || option->type > BP_OPTION_TYPE_REFS)
            return problem(host, BP_INVALID, "%s has the unknown type %u", option->name,
                           option->type);
        if (option->offset + field_sizes[option->type] > plugin->instance_size)
            return problem(host, BP_INVALID, "the field of option %s lies outside the instance",
                           option->name);
        if ((option->type == BP_OPTION_TYPE_REF || option->type == BP_OPTION_TYPE_REFS) &&
            !option->ref_kind)
            return problem(host, BP_INVALID, "option %s does not say of which kind the instance is",
                           option->name);
        if (option->type == BP_OPTION_TYPE_ENUM && !option->choices)
            return problem(host, BP_INVALID, "option %s has no choices", option->name);
    }
    return BP_OK;
}

bp_status options_read(testhost *host, const bp_plugin *plugin, const testhost_option *options,
                       size_t count, testhost_instance *into)
{
    for (size_t i = 0; i < count; i++) {
        bool is_known = false;
        for (uint32_t k = 0; k < plugin->option_count; k++)
            is_known = is_known || strcmp(option_at(plugin, k)->name, options[i].name) == 0;
        if (!is_known)
            return problem(host, BP_INVALID, "%s/%s has no option \"%s\"", plugin->kind,
                           plugin->name, options[i].name);
    }
    for (uint32_t k = 0; k < plugin->option_count; k++) {
        const bp_option *option = option_at(plugin, k);
        const char      *text = option->initial;
        for (size_t i = 0; i < count; i++)
            if (strcmp(option->name, options[i].name) == 0)
                text = options[i].value;
        if (text)
            BP_TRY(set(host, option, text, into));
        else if (option->is_required)
            return problem(host, BP_INVALID, "%s/%s: the option \"%s\" is required", plugin->kind,
                           plugin->name, option->name);
    }
    return BP_OK;
}

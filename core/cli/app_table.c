/* app_table.c - reads the tables of commands, and looks a command up. */
#include "cli/app_table.h"

#include <stdio.h>

#include "api/command_table.h"
#include "cli/terminal.h"

enum {
    TABLE_BYTES_MAX = 64 << 20,
    TEXT_BYTES_MAX = 1 << 20,
    ENTRIES_MAX = 4096,
    SERVER_OPTIONS = 3
};

void app_table_init(struct app_table *table)
{
    *table = (struct app_table){ .capacity = ENTRIES_MAX };
    arena_init(&table->arena, TABLE_BYTES_MAX);
    table->entries = arena_alloc(&table->arena, ENTRIES_MAX * sizeof(*table->entries));
}

void app_table_free(struct app_table *table)
{
    arena_free(&table->arena);
}

/* ---- reading ---- */

/* What a server says is printed; NULL: it says nothing. */
static const char *text_of(struct app_table *table, const bp_json *object, const char *key)
{
    const bp_json *value = json_get(object, bp_str_of(key));
    struct bp_buf  safe;

    if (json_type_of(value) != JSON_KIND_STRING)
        return NULL;
    buf_init(&safe, &table->arena, TEXT_BYTES_MAX);
    terminal_add_safe(&safe, json_as_string(value));
    return safe.len ? buf_str(&safe).data : "";
}

static bool is_plain(const char *text, const char *more)
{
    if (!text || !*text)
        return false;
    for (; *text; text++)
        if (!(*text >= 'a' && *text <= 'z') && !(*text >= '0' && *text <= '9') && *text != '-' &&
            !strchr(more, *text))
            return false;
    return true;
}

static bool read_option(struct app_table *table, const bp_json *object, struct app_option *option,
                        struct command_option *shown)
{
    const char *help = text_of(table, object, "help");

    option->name = text_of(table, object, "name");
    option->value = text_of(table, object, "value");
    option->is_required = json_as_bool(json_get(object, BP_STR("required")));
    option->is_file = option->value && json_as_bool(json_get(object, BP_STR("file")));
    if (!is_plain(option->name, ""))
        return false;
    *shown = (struct command_option){
        .name = arena_format(&table->arena, "--%s", option->name).data,
        .value = option->value,
        .help = help ? help : "",
    };
    return shown->name != NULL;
}

static bool read_options(struct app_table *table, const bp_json *list, struct app_entry *entry)
{
    struct command_option *shown;

    entry->option_count = json_count(list);
    if (entry->option_count > COMMAND_OPTIONS_MAX)
        return false;
    entry->options = arena_alloc(&table->arena,
                                 (entry->option_count + 1) * sizeof(*entry->options));
    shown = arena_alloc(&table->arena, (entry->option_count + SERVER_OPTIONS + 1) * sizeof(*shown));
    if (!entry->options || !shown)
        return false;
    memcpy(shown, command_server_options, SERVER_OPTIONS * sizeof(*shown));
    for (size_t i = 0; i < entry->option_count; i++)
        if (!read_option(table, json_at(list, i), &entry->options[i], &shown[SERVER_OPTIONS + i]))
            return false;
    entry->shown.options = shown;
    return true;
}

static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

/* The program's own commands come first, then apps in their order. */
static bool is_taken(const struct app_table *table, const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (first_word(commands[i].name) == first_word(name) &&
            strncmp(commands[i].name, name, first_word(name)) == 0)
            return true;
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->entries[i].name, name) == 0)
            return true;
    return false;
}

/* Malformed entries are left out: they are a newer server's, or no server's. */
static void add_entry(struct app_table *table, const bp_json *object)
{
    struct app_entry *entry = &table->entries[table->count];

    if (table->count == table->capacity)
        return;
    *entry = (struct app_entry){ .instance = text_of(table, object, "instance"),
                                 .name = text_of(table, object, "name"),
                                 .usage = text_of(table, object, "usage"),
                                 .endings = text_of(table, object, "endings") };
    entry->shown.arguments = text_of(table, object, "arguments");
    entry->shown.summary = text_of(table, object, "summary");
    if (!is_plain(entry->instance, "_") || !is_plain(entry->name, " ") || !entry->shown.summary ||
        !entry->shown.arguments || !read_options(table, json_get(object, BP_STR("options")), entry))
        return;
    command_words_of(entry->shown.arguments, &entry->words_min, &entry->words_max);
    entry->takes_files = json_as_bool(json_get(object, BP_STR("files")));
    entry->counts_lines = json_as_bool(json_get(object, BP_STR("count_lines")));
    entry->is_taken = is_taken(table, entry->name);
    entry->shown.name = entry->is_taken
                            ? arena_format(&table->arena, "%s:%s", entry->instance, entry->name)
                                  .data
                            : entry->name;
    table->count += entry->shown.name != NULL;
}

static void add_entries(struct app_table *table, const bp_json *list)
{
    for (size_t i = 0; table->entries && i < json_count(list); i++)
        add_entry(table, json_at(list, i));
}

static void note(struct app_table *table, const char *problem)
{
    if (!table->problem.text[0])
        reason_set(&table->problem, "%.500s", problem);
}

bool app_table_of_server(struct app_table *table, struct client *client)
{
    const bp_json *answer;

    if (client_send(client, "GET", "/commands", NULL, (bp_str){ NULL, 0 }, &answer)) {
        add_entries(table, json_get(answer, BP_STR("commands")));
        return true;
    }
    if (client->status == 404)
        reason_set(&client->problem,
                   "%s does not list the commands of its apps: it is an older version, or not "
                   "Backplane",
                   client->base_url);
    return false;
}

void app_table_of_url(struct app_table *table, const char *url)
{
    struct client client;

    if (client_open(&client, url, NULL) == EXIT_DONE && !app_table_of_server(table, &client))
        note(table, client.problem.text);
    client_close(&client);
}

/* ---- of a conf ---- */

/* Its first error. */
static void note_conf(struct app_table *table, const struct conf *conf)
{
    const struct conf_problem *first = conf ? conf->problems.first : NULL;
    struct reason              why;

    while (first && first->is_warning)
        first = first->next;
    if (!first)
        reason_set(&why, "the plugins cannot be read");
    else if (first->position.line)
        reason_set(&why, "%.200s:%u:%u: %.250s", conf->file, first->position.line,
                   first->position.column, first->text.data);
    else
        reason_set(&why, "%.200s: %.250s", conf->file, first->text.data);
    note(table, why.text);
}

static void write_app(struct app_table *table, const struct conf_instance *instance,
                      const struct plugin *plugin, bp_json_writer *w)
{
    struct app_command *read;
    size_t              count;
    struct reason       why;

    if (!command_table_read(&table->arena, plugin->descriptor.ops, instance->name.data, &read,
                            &count, &why)) {
        note(table, why.text);
        return;
    }
    for (size_t i = 0; i < count; i++)
        command_table_write(w, instance->name.data, &read[i]);
}

static void take_apps(struct app_table *table, const struct host *host)
{
    const bp_json *list = NULL;
    struct bp_buf  text;
    bp_json_writer w;
    struct reason  why;

    buf_init(&text, &table->arena, TABLE_BYTES_MAX / 4);
    json_writer_init(&w, &text);
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < host->conf->instance_count; i++) {
        const struct conf_instance *instance = &host->conf->instances[i];
        const struct plugin        *plugin;

        if (strcmp(instance->kind, "app") != 0 || instance->is_missing)
            continue;
        plugin = registry_load(host->registry, "app", instance->use.data, &why);
        if (plugin)
            write_app(table, instance, plugin, &w);
    }
    json_end(&w);
    if (json_writer_status(&w) == BP_OK &&
        json_parse(&table->arena, buf_str(&text), &list, &why) == BP_OK)
        add_entries(table, list);
}

void app_table_of_conf(struct app_table *table, const char *conf_file)
{
    struct host_options options = { .conf_file = conf_file, .is_check = true, .is_quiet = true };
    struct host         host;

    if (host_load(&host, &options) != EXIT_DONE) {
        note_conf(table, host.conf);
    }
    if (host.conf && host.registry)
        take_apps(table, &host);
    host_free(&host);
}

/* ---- looking up ---- */

const struct app_entry *app_table_find(const struct app_table *table, int argc, char **argv)
{
    const struct app_entry *found = NULL;
    const char             *colon = argc > 0 ? strchr(argv[0], ':') : NULL;
    const char             *word = colon ? colon + 1 : argc > 0 ? argv[0] : "";

    for (size_t i = 0; i < table->count; i++) {
        const struct app_entry *entry = &table->entries[i];
        const char             *second = entry->name + first_word(entry->name);

        if (colon ? strlen(entry->instance) != (size_t)(colon - argv[0]) ||
                        strncmp(entry->instance, argv[0], (size_t)(colon - argv[0])) != 0
                  : entry->is_taken)
            continue;
        if (strlen(word) != first_word(entry->name) ||
            strncmp(word, entry->name, strlen(word)) != 0)
            continue;
        if (!found)
            found = entry;
        for (int w = 1; *second && w < argc; w++)
            if (strcmp(second + 1, argv[w]) == 0)
                return entry;
    }
    return found;
}

static void print_option(const struct app_option *option, bool is_required)
{
    if (option->is_required == is_required)
        fprintf(stderr, " %s--%s%s%s%s", is_required ? "" : "[", option->name,
                option->value ? " " : "", option->value ? option->value : "",
                is_required ? "" : "]");
}

void app_table_print_usage(const struct app_entry *entry)
{
    fprintf(stderr, "usage: backplane %s", entry->shown.name);
    if (entry->usage) {
        fprintf(stderr, "%s%s\n", *entry->usage ? " " : "", entry->usage);
        return;
    }
    for (size_t i = 0; i < entry->option_count; i++)
        print_option(&entry->options[i], true);
    for (size_t i = 0; i < entry->option_count; i++)
        print_option(&entry->options[i], false);
    fprintf(stderr, " [--url URL | -c FILE]%s%s\n", *entry->shown.arguments ? " " : "",
            entry->shown.arguments);
}

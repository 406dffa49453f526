/* command_table.c - the table of an app's commands: checked, and written as JSON. */
#include "api/command_table.h"

#include <stdio.h>

#include "base/str.h"

static bool is_name(const char *name)
{
    return name && name[0] >= 'a' && name[0] <= 'z' && strlen(name) < COMMAND_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

/* One or two words with one blank between them. */
static bool is_command_name(const char *name)
{
    char        word[COMMAND_NAME_MAX];
    const char *blank = name ? strchr(name, ' ') : NULL;

    if (!blank)
        return is_name(name);
    if (strlen(name) >= sizeof(word))
        return false;
    snprintf(word, sizeof(word), "%.*s", (int)(blank - name), name);
    return is_name(word) && is_name(blank + 1);
}

void command_words_of(const char *arguments, size_t *least, size_t *most)
{
    bp_str rest = bp_str_of(arguments ? arguments : "");

    *least = *most = 0;
    while (rest.len) {
        bp_str word = str_split(rest, ' ', &rest);

        if (!word.len)
            continue;
        *least += word.data[0] != '[';
        if (word.len >= 3 && memcmp(word.data + word.len - 3, "...", 3) == 0)
            *most = SIZE_MAX / 2;
        else
            *most += *most < SIZE_MAX / 2;
    }
}

/* Its first mistake; NULL: nothing. */
static const char *check_option(const struct app_command *command, size_t index)
{
    static const char *const reserved[] = { "conf", "url", "help", "c", "h" };
    const bp_command_option *option = &command->options[index];

    if (!is_name(option->name) || !option->help)
        return "has no name of [a-z0-9-], or no help";
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (strcmp(option->name, reserved[i]) == 0)
            return "has a name that the command line uses itself";
    for (size_t i = 0; i < index; i++)
        if (strcmp(option->name, command->options[i].name) == 0)
            return "stands in it twice";
    if (!option->value && option->flags)
        return "is a flag, without .value, and so neither required nor a file";
    return NULL;
}

static bool read_options(struct arena *arena, struct app_command *command, const char *owner,
                         struct reason *why)
{
    const bp_command  *spec = &command->spec;
    bp_command_option *options = arena_alloc(arena, spec->option_count * sizeof(*options));
    size_t known = spec->option_size < sizeof(*options) ? spec->option_size : sizeof(*options);

    if (!options || spec->option_count > COMMAND_OPTIONS_MAX ||
        (spec->option_count && (!spec->options || known < offsetof(bp_command_option, flags)))) {
        reason_set(why,
                   "the command \"%s\" of %s has a malformed table of options: %u of "
                   "%u bytes",
                   spec->name, owner, spec->option_count, spec->option_size);
        return false;
    }
    command->options = options;
    for (size_t i = 0; i < spec->option_count; i++) {
        const char *wrong;

        memcpy(&options[i], (const char *)spec->options + i * spec->option_size, known);
        wrong = check_option(command, i);
        if (!wrong)
            continue;
        reason_set(why, "the command \"%s\" of %s: the option \"%.64s\" %s", spec->name, owner,
                   options[i].name ? options[i].name : "", wrong);
        return false;
    }
    return true;
}

static bool read_one(struct arena *arena, struct app_command *command, const char *owner,
                     struct reason *why)
{
    const bp_command *spec = &command->spec;

    if (!is_command_name(spec->name) || !spec->summary || !spec->handler) {
        reason_set(why,
                   "a command of %s, \"%.64s\", needs a name of one or two words of [a-z0-9-] that "
                   "begin with a letter, a summary and a handler",
                   owner, spec->name ? spec->name : "");
        return false;
    }
    command_words_of(spec->arguments, &command->words_min, &command->words_max);
    return read_options(arena, command, owner, why);
}

bool command_table_read(struct arena *arena, const bp_app_ops *app, const char *owner,
                        struct app_command **commands, size_t *count, struct reason *why)
{
    size_t known = app->command_size < sizeof(bp_command) ? app->command_size : sizeof(bp_command);

    *count = app->command_count;
    *commands = NULL;
    if (!app->command_count)
        return true;
    if (app->command_count > COMMANDS_OF_APP_MAX || !app->commands ||
        known < offsetof(bp_command, scope)) {
        reason_set(why,
                   "the table of commands of %s is malformed: %zu commands of %u bytes, the most "
                   "is "
                   "%d",
                   owner, app->command_count, app->command_size, COMMANDS_OF_APP_MAX);
        return false;
    }
    *commands = arena_alloc(arena, app->command_count * sizeof(**commands));
    if (!*commands) {
        reason_set(why, "there is no memory for the commands of %s", owner);
        return false;
    }
    for (size_t i = 0; i < app->command_count; i++) {
        memcpy(&(*commands)[i].spec, (const char *)app->commands + i * app->command_size, known);
        if (!read_one(arena, &(*commands)[i], owner, why))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (strcmp((*commands)[j].spec.name, (*commands)[i].spec.name) != 0)
                continue;
            reason_set(why, "%s has two commands \"%s\"", owner, (*commands)[i].spec.name);
            return false;
        }
    }
    return true;
}

static void put_if(bp_json_writer *w, const char *key, const char *value)
{
    if (value)
        json_put_text(w, key, value);
}

static void put_flag(bp_json_writer *w, const char *key, uint32_t flags, uint32_t flag)
{
    if (flags & flag)
        json_put_bool(w, key, true);
}

void command_table_write(bp_json_writer *w, const char *instance, const struct app_command *command)
{
    const bp_command *spec = &command->spec;

    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "instance", instance);
    json_put_text(w, "name", spec->name);
    json_put_text(w, "arguments", spec->arguments ? spec->arguments : "");
    json_put_text(w, "summary", spec->summary);
    put_if(w, "usage", spec->usage);
    put_if(w, "scope", spec->scope);
    put_if(w, "endings", spec->endings);
    put_flag(w, "files", spec->flags, BP_COMMAND_FILES);
    put_flag(w, "count_lines", spec->flags, BP_COMMAND_COUNT_LINES);
    json_key(w, BP_STR("options"));
    json_begin(w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < spec->option_count; i++) {
        const bp_command_option *option = &command->options[i];

        json_begin(w, JSON_KIND_OBJECT);
        json_put_text(w, "name", option->name);
        put_if(w, "value", option->value);
        json_put_text(w, "help", option->help);
        put_if(w, "initial", option->initial);
        put_flag(w, "required", option->flags, BP_COMMAND_REQUIRED);
        put_flag(w, "file", option->flags, BP_COMMAND_FILE);
        json_end(w);
    }
    json_end(w);
    json_end(w);
}

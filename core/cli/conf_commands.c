/* conf_commands.c - prints a conf, its schema and its reference pages. */
#include "cli/conf_commands.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/str.h"
#include "conf/yaml.h"

enum { MAX_ARENA_BYTES = 64 << 20 };

static int print(struct bp_buf *text, FILE *out, FILE *errors)
{
    bp_str    all = buf_str(text);
    bp_status status = buf_status(text);

    if (status != BP_OK) {
        fprintf(errors, "it cannot be printed: %s\n", bp_status_text(status));
    } else if (fwrite(all.data, 1, all.len, out) != all.len || fflush(out) != 0) {
        fprintf(errors, "writing failed: %s\n", strerror(errno));
        status = BP_IO;
    }
    return status == BP_OK ? 0 : 1;
}

int command_config(const struct conf *conf, FILE *out, FILE *errors)
{
    struct bp_buf text;
    int           exit_status;

    buf_init(&text, NULL, CONF_PRINT_MAX_BYTES);
    conf_print_effective(conf, &text);
    exit_status = print(&text, out, errors);
    buf_free(&text);
    return exit_status;
}

/* A plain value that is true, false or a number is one in JSON too. */
static void put_value(bp_json_writer *w, const struct conf_node *node)
{
    int64_t integer;
    double  number;

    if (!node->is_quoted && (bp_str_is(node->value, "true") || bp_str_is(node->value, "false")))
        json_add_bool(w, bp_str_is(node->value, "true"));
    else if (!node->is_quoted && str_to_int(node->value, &integer))
        json_add_integer(w, integer);
    else if (!node->is_quoted && str_to_double(node->value, &number))
        json_add_number(w, number);
    else if (node_is_null(node))
        json_add_null(w);
    else
        json_add_string(w, node->value);
}

static void put_node(bp_json_writer *w, const struct conf_node *node)
{
    if (node->kind == NODE_SCALAR) {
        put_value(w, node);
        return;
    }
    json_begin(w, node->kind == NODE_MAPPING ? JSON_KIND_OBJECT : JSON_KIND_ARRAY);
    for (const struct conf_node *child = node->first; child; child = child->next) {
        if (node->kind == NODE_MAPPING)
            json_key(w, child->key);
        put_node(w, child);
    }
    json_end(w);
}

int command_config_json(const struct conf *conf, FILE *out, FILE *errors)
{
    struct arena         arena;
    struct bp_buf        yaml, text;
    struct conf_problems problems;
    struct conf_node    *root;
    bp_json_writer       w;
    int                  exit_status;

    arena_init(&arena, MAX_ARENA_BYTES);
    buf_init(&yaml, &arena, CONF_PRINT_MAX_BYTES);
    buf_init(&text, &arena, CONF_PRINT_MAX_BYTES);
    problems_init(&problems, &arena, "the effective conf");
    conf_print_effective(conf, &yaml);
    root = yaml_read(&problems, buf_str(&yaml));
    json_writer_init(&w, &text);
    if (root)
        put_node(&w, root);
    buf_add_char(&text, '\n');
    exit_status = root ? print(&text, out, errors) : 1;
    arena_free(&arena);
    return exit_status;
}

int command_schema(const struct conf_plugins *plugins, FILE *out, FILE *errors)
{
    struct arena  arena;
    struct bp_buf text;
    int           exit_status;

    arena_init(&arena, MAX_ARENA_BYTES);
    buf_init(&text, NULL, CONF_PRINT_MAX_BYTES);
    conf_print_schema(&arena, plugins, &text);
    buf_add_char(&text, '\n');
    exit_status = print(&text, out, errors);
    buf_free(&text);
    arena_free(&arena);
    return exit_status;
}

/* Whether the file holds exactly `text`. */
static bool has_text(const char *path, bp_str text)
{
    FILE  *file = fopen(path, "r");
    char  *bytes = malloc(text.len + 1);
    size_t count = file && bytes ? fread(bytes, 1, text.len + 1, file) : 0;
    bool   is_same = file && bytes && count == text.len && memcmp(bytes, text.data, text.len) == 0;

    free(bytes);
    if (file)
        fclose(file);
    return is_same;
}

static int write_page(const char *path, struct bp_buf *text, bool is_check, FILE *errors)
{
    FILE *file;
    int   exit_status;

    if (is_check) {
        if (buf_status(text) == BP_OK && has_text(path, buf_str(text)))
            return 0;
        fprintf(errors, "%s: differs from the option tables: run `backplane docs` and commit it\n",
                path);
        return 1;
    }
    file = fopen(path, "w");
    if (!file) {
        fprintf(errors, "%s: cannot be written: %s\n", path, strerror(errno));
        return 1;
    }
    exit_status = print(text, file, errors);
    if (fclose(file) != 0 && exit_status == 0) {
        fprintf(errors, "%s: cannot be written: %s\n", path, strerror(errno));
        exit_status = 1;
    }
    return exit_status;
}

/* Whether KIND-NAME.md is the page of a plugin. */
static bool is_page(const struct conf_plugins *plugins, const char *file)
{
    struct conf_plugin plugin;
    char               name[128];

    for (size_t i = 0; i < CONF_KIND_COUNT; i++)
        for (size_t k = 0; plugins->at(plugins->context, conf_kinds[i], k, &plugin); k++) {
            snprintf(name, sizeof(name), "%s-%s.md", plugin.kind, plugin.name);
            if (strcmp(name, file) == 0)
                return true;
        }
    return false;
}

static int report_stale_pages(const struct conf_plugins *plugins, const char *folder, FILE *errors)
{
    DIR           *dir = opendir(folder);
    struct dirent *entry;
    int            exit_status = 0;

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || is_page(plugins, entry->d_name))
            continue;
        fprintf(errors, "%s/%s: is not the page of any plugin: remove it\n", folder, entry->d_name);
        exit_status = 1;
    }
    if (dir)
        closedir(dir);
    return exit_status;
}

static int write_plugin_pages(const struct conf_plugins *plugins, struct arena *arena,
                              const char *folder, bool is_check, FILE *errors)
{
    int exit_status = 0;

    for (size_t i = 0; i < CONF_KIND_COUNT; i++) {
        size_t              count;
        struct conf_plugin *list = conf_list_plugins(arena, plugins, conf_kinds[i], &count);

        for (size_t k = 0; k < count; k++) {
            bp_str path = arena_format(arena, "%s/%s-%s.md", folder, list[k].kind, list[k].name);
            struct bp_buf text;

            buf_init(&text, NULL, CONF_PRINT_MAX_BYTES);
            conf_print_plugin_page(&list[k], &text);
            exit_status |= write_page(path.data, &text, is_check, errors);
            buf_free(&text);
        }
    }
    return exit_status;
}

int command_docs(const struct conf_plugins *plugins, const char *folder, bool is_check,
                 FILE *errors)
{
    struct arena  arena;
    struct bp_buf text;
    bp_str        pages;
    int           exit_status = 0;

    arena_init(&arena, MAX_ARENA_BYTES);
    buf_init(&text, NULL, CONF_PRINT_MAX_BYTES);
    pages = arena_format(&arena, "%s/conf", folder);
    if (!is_check && mkdir(pages.data, 0755) != 0 && errno != EEXIST) {
        fprintf(errors, "%s: cannot be made: %s\n", pages.data, strerror(errno));
        exit_status = 1;
    } else {
        exit_status |= write_plugin_pages(plugins, &arena, pages.data, is_check, errors);
        if (is_check)
            exit_status |= report_stale_pages(plugins, pages.data, errors);
        conf_print_host_page(&arena, plugins, &text);
        exit_status |= write_page(arena_format(&arena, "%s.md", pages.data).data, &text, is_check,
                                  errors);
    }
    buf_free(&text);
    arena_free(&arena);
    return exit_status;
}

/* conf.c - reads the conf file: sections, the server's settings, and which instances there are. */
#include "conf/conf.h"

#include <stdatomic.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/yaml.h"

enum { MAX_INSTANCE_NAME_BYTES = 32, READ_BYTES = 16 << 10 };

const char *const conf_kinds[CONF_KIND_COUNT] = { "storage", "cache",  "vector", "embed",
                                                  "llm",     "health", "alert",  "app" };

static const bp_option top_options[] = {
    BP_OPTION_OF(BP_OPTION_TYPE_PATH, struct conf, data_dir, "data_dir", .initial = "data",
                 .choices = BP_PATH_NEW_FOLDER,
                 .help = "base directory of relative paths; a relative one starts at the current "
                         "directory"),
    BP_OPTION_OF(BP_OPTION_TYPE_LIST, struct conf, plugin_dirs, "plugins",
                 .choices = BP_PATH_FOLDER, .example = "[/usr/local/lib/backplane/plugins]",
                 .help = "directories with more plugins, in addition to the built-in one"),
};

const struct option_table conf_top_table = OPTION_TABLE(top_options);

static const char OTHER_KEYS[] = "server|log|" CONF_KINDS;

static bp_str current_directory(struct conf *conf)
{
    char here[4096];

    if (getcwd(here, sizeof(here)))
        return arena_dup(&conf->arena, bp_str_of(here));
    problem_add(&conf->problems, false, (struct conf_position){ 0 }, bp_str_of(NULL),
                "the current directory has no name: %s", strerror(errno));
    return BP_STR("/");
}

static bp_str_list absolute_paths(struct conf *conf, bp_str_list paths, bp_str directory)
{
    bp_str     *items = arena_alloc(&conf->arena, (paths.count + 1) * sizeof(*items));
    bp_str_list absolute = { items, items ? paths.count : 0 };

    if (!items)
        problem_no_memory(&conf->problems);
    for (size_t i = 0; i < absolute.count; i++)
        items[i] = bp_str_starts(paths.items[i], "/")
                       ? paths.items[i]
                       : arena_format(&conf->arena, BP_FMT "/" BP_FMT, BP_ARG(directory),
                                      BP_ARG(paths.items[i]));
    return absolute;
}

static void read_top(struct conf *conf)
{
    static const struct option_table *const tables[] = { &conf_top_table };
    struct option_reader                    reader = { &conf->problems, current_directory(conf) };
    struct option_refs                      refs = { 0 };

    option_read(&reader, &conf_top_table, NULL, conf->root, conf, &refs);
    option_report_unknown(&conf->problems, conf->root, tables, 1, OTHER_KEYS);
    conf->plugin_dirs = absolute_paths(conf, conf->plugin_dirs, reader.data_dir);
    if (conf->data_dir.len == 0)
        conf->data_dir = reader.data_dir;
}

static bool is_instance_name(bp_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool is_letter = c >= 'a' && c <= 'z';

        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_' || c == '-')))
            return false;
    }
    return name.len && name.len <= MAX_INSTANCE_NAME_BYTES;
}

static bool read_use(struct conf *conf, struct conf_instance *instance)
{
    const struct conf_node *use = node_find(instance->node, "use");

    instance->use_node = use;
    if (use && (use->kind != NODE_SCALAR || node_is_null(use) ||
                (!use->is_broken && use->value.len == 0))) {
        error_at_value(&conf->problems, use, "must be the name of a plugin of kind %s",
                       instance->kind);
        return false;
    }
    if (use) {
        instance->use = use->value;
        return !use->is_broken;
    }
    if (strcmp(instance->kind, "app") == 0) {
        instance->use = instance->name;
        return true;
    }
    error_missing(&conf->problems, instance->node, "use",
                  "is required: the plugin that serves this %s, such as `use: %s`", instance->kind,
                  strcmp(instance->kind, "storage") == 0  ? "sqlite"
                  : strcmp(instance->kind, "cache") == 0  ? "memory"
                  : strcmp(instance->kind, "vector") == 0 ? "local"
                  : strcmp(instance->kind, "embed") == 0  ? "hash"
                  : strcmp(instance->kind, "llm") == 0    ? "extractive"
                  : strcmp(instance->kind, "health") == 0 ? "tcp"
                                                          : "log");
    return false;
}

static void read_instance(struct conf *conf, const char *kind, const struct conf_node *node)
{
    struct conf_instance *instance = &conf->instances[conf->instance_count];

    if (!is_instance_name(node->key)) {
        error_at_key(&conf->problems, node,
                     "is no name for an instance (a letter, then letters, digits, - and _, in "
                     "lower case, at most 32)");
        return;
    }
    // An app may need no settings at all: `app: { console: }`.
    if (node->kind != NODE_MAPPING && !node_is_null(node)) {
        error_at_value(&conf->problems, node,
                       "must be a mapping of settings, such as { use: ... }");
        return;
    }
    *instance = (struct conf_instance){ .kind = kind, .name = node->key, .node = node };
    if (read_use(conf, instance))
        conf->instance_count++;
}

static void read_kind(struct conf *conf, const char *kind)
{
    const struct conf_node *section = node_find(conf->root, kind);

    if (!section || node_is_null(section))
        return;
    if (section->kind != NODE_MAPPING) {
        error_at_value(&conf->problems, section,
                       "must be a mapping of names to instances, such as "
                       "main: { use: ... }");
        return;
    }
    for (const struct conf_node *node = section->first; node; node = node->next) {
        if (conf->instance_count == CONF_MAX_INSTANCES) {
            error_at_key(&conf->problems, node, "there are more than 1024 instances");
            return;
        }
        read_instance(conf, kind, node);
    }
}

static size_t count_instances(const struct conf *conf)
{
    size_t count = 0;

    for (size_t i = 0; i < CONF_KIND_COUNT; i++) {
        const struct conf_node *section = node_find(conf->root, conf_kinds[i]);

        count += section ? section->count : 0;
    }
    return count < CONF_MAX_INSTANCES ? count : CONF_MAX_INSTANCES;
}

static void read_sections(struct conf *conf)
{
    struct option_reader reader;

    read_top(conf);
    reader = (struct option_reader){ &conf->problems, conf->data_dir };
    server_conf_read(&reader, node_find(conf->root, "server"), &conf->server, &conf->server_refs);
    log_conf_read(&reader, node_find(conf->root, "log"), &conf->log);
    conf->instances = arena_alloc(&conf->arena,
                                  (count_instances(conf) + 1) * sizeof(*conf->instances));
    if (!conf->instances) {
        problem_no_memory(&conf->problems);
        return;
    }
    for (size_t i = 0; i < CONF_KIND_COUNT; i++)
        read_kind(conf, conf_kinds[i]);
}

static struct conf *new_conf(const char *file)
{
    struct conf *conf = calloc(1, sizeof(*conf));

    if (!conf)
        return NULL;
    arena_init(&conf->arena, CONF_MAX_ARENA_BYTES);
    conf->file = arena_dup(&conf->arena, bp_str_of(file)).data;
    problems_init(&conf->problems, &conf->arena, conf->file);
    return conf;
}

/* The directory of `file`, without a slash at its end unless it is the root. */
static const char *directory_of(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');

    if (!slash)
        return ".";
    return arena_dup(arena, bp_str_n(file, slash == file ? 1 : (size_t)(slash - file))).data;
}

static void read_text(struct conf *conf, bp_str text, const struct conf_environment *environment)
{
    struct conf_node *root = yaml_read(&conf->problems, text);

    if (!root && (conf->problems.error_count || conf->problems.is_partial))
        return;
    if (root && node_is_null(root))
        root = NULL;
    if (root && root->kind != NODE_MAPPING) {
        error_at_value(&conf->problems, root,
                       "must be a mapping of sections (server, log, " CONF_KINDS ")");
        return;
    }
    expand_tree(&conf->problems, environment ? environment : &conf_process_environment,
                directory_of(&conf->arena, conf->file), root);
    conf->root = root;
    read_sections(conf);
}

struct conf *conf_parse(const char *file, bp_str text, const struct conf_environment *environment)
{
    struct conf *conf = new_conf(file);

    if (conf)
        read_text(conf, text, environment);
    return conf;
}

/* The whole file; an error and less when it cannot be read. A pipe will do too: `backplane check
 * --conf /dev/stdin`. */
static void read_file(struct conf *conf, struct bp_buf *text)
{
    struct conf_position whole = { 0 };
    ssize_t              step = 0;
    int                  fd = open(conf->file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        problem_add(&conf->problems, false, whole, bp_str_of(NULL), "cannot be opened: %s",
                    strerror(errno));
        return;
    }
    // One byte more than allowed may be read, so that yaml_read() can say that it is too much.
    while (text->len <= YAML_MAX_BYTES) {
        size_t left = YAML_MAX_BYTES + 1 - text->len;
        size_t count = left < READ_BYTES ? left : READ_BYTES;
        char  *room = buf_reserve(text, count);

        step = room ? read(fd, room, count) : 0;
        if (step > 0)
            buf_commit(text, (size_t)step);
        else if (step == 0 || errno != EINTR)
            break;
    }
    if (step < 0)
        problem_add(&conf->problems, false, whole, bp_str_of(NULL), "cannot be read: %s",
                    strerror(errno));
    if (text->status != BP_OK)
        problem_no_memory(&conf->problems);
    close(fd);
}

struct conf *conf_load(const char *file, const struct conf_environment *environment)
{
    struct conf  *conf = new_conf(file);
    struct bp_buf text; // on the heap: nothing needs it once the tree is made

    if (!conf)
        return NULL;
    buf_init(&text, NULL, YAML_MAX_BYTES + 1);
    read_file(conf, &text);
    if (!conf->problems.error_count)
        read_text(conf, buf_str(&text), environment);
    buf_free(&text);
    return conf;
}

struct conf *conf_hold(struct conf *conf)
{
    atomic_fetch_add(&conf->holders, 1);
    return conf;
}

void conf_free(struct conf *conf)
{
    if (!conf || atomic_fetch_sub(&conf->holders, 1) > 0)
        return;
    arena_free(&conf->arena);
    free(conf);
}

bool conf_has_errors(const struct conf *conf)
{
    return conf->problems.error_count > 0;
}

struct conf_instance *conf_find_instance(const struct conf *conf, bp_str kind, bp_str name)
{
    for (size_t i = 0; i < conf->instance_count; i++) {
        struct conf_instance *instance = &conf->instances[i];

        if (bp_str_is(kind, instance->kind) && bp_str_equal(name, instance->name))
            return instance;
    }
    return NULL;
}

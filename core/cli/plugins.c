/* plugins.c - `plugins`, `inspect` and `plugin new`: commands about plugin files, for plugin
 * authors and operators. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/json.h"
#include "cli/cli.h"
#include "host/report.h"
#include "host/host.h"
#include "host/paths.h"
#include "plugin/inspect.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    FILE_ARENA_BYTES = 16 << 20,
    LIST_BYTES_MAX = 16 << 20,
    LIST_ARENA_BYTES = 64 << 20
};

/* ---- as text and as JSON ---- */

static void put_list(bp_json_writer *w, const char *key, const bp_str_list *list)
{
    json_key(w, bp_str_of(key));
    json_begin(w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < list->count; i++)
        json_add_string(w, list->items[i]);
    json_end(w);
}

static void put_file(bp_json_writer *w, const struct plugin_file *file, const char *load_problem)
{
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "file", file->path);
    json_put_bool(w, "accepted", file->is_accepted && !load_problem);
    if (file->is_readable) {
        json_put_text(w, "kind", file->note.kind);
        json_put_text(w, "name", file->note.name);
        json_put_text(w, "version", file->note.version);
        json_put_integer(w, "kind_version", file->note.kind_version);
        json_put_integer(w, "abi_major", file->note.abi_major);
        json_put_integer(w, "abi_minor", file->note.abi_minor);
        json_put_integer(w, "min_host_minor", file->note.min_host_minor);
    }
    if (file->build_id[0])
        json_put_text(w, "build_id", file->build_id);
    json_put_integer(w, "size_bytes", file->size_bytes);
    if (!file->is_accepted || load_problem)
        json_put_text(w, "problem", load_problem ? load_problem : file->problem.text);
    put_list(w, "needed", &file->needed);
    put_list(w, "extra_exports", &file->extra_exports);
    json_end(w);
}

static void print_json(struct bp_buf *buf, const bp_json_writer *w)
{
    if (json_writer_status(w) == BP_OK)
        printf("%s\n", buf_str(buf).data);
}

static void print_file(const struct plugin_file *file)
{
    printf("file:        %s (%lld bytes)\n", file->path, (long long)file->size_bytes);
    if (file->is_readable) {
        printf("plugin:      %s/%s %s\n", file->note.kind, file->note.name, file->note.version);
        printf("kind:        %s, version %u\n", file->note.kind, file->note.kind_version);
        printf("ABI:         %u.%u, needs a host of at least %u.%u%s\n", file->note.abi_major,
               file->note.abi_minor, file->note.abi_major, file->note.min_host_minor,
               file->note.flags & BP_BLOCKING ? ", blocking" : "");
    }
    if (file->build_id[0])
        printf("build id:    %s\n", file->build_id);
    for (size_t i = 0; i < file->needed.count; i++)
        printf("%s%s\n", i ? "             " : "needs:       ", file->needed.items[i].data);
    for (size_t i = 0; i < file->extra_exports.count; i++)
        printf("%s%s\n", i ? "             " : "also exports: ", file->extra_exports.items[i].data);
    if (file->extra_exports.count)
        printf("             (a plugin should export bp_plugin_entry alone: build it with hidden "
               "visibility)\n");
    if (file->is_accepted)
        printf("verdict: accepted; none of its code was run\n");
    else
        printf("verdict:     refused: %s\n", file->problem.text);
}

int command_inspect(int argc, char **argv)
{
    bool               is_json = cli_take_flag(&argc, argv, "--json");
    struct arena       arena;
    struct plugin_file file;
    bool               is_accepted;

    if (!cli_is_all_taken(argc, argv, 1) || argc != 2) {
        fprintf(stderr, "usage: backplane inspect FILE.so [--json]\n");
        return EXIT_USAGE;
    }
    arena_init(&arena, FILE_ARENA_BYTES);
    plugin_inspect(&arena, argv[1], &file);
    is_accepted = file.is_accepted;
    if (is_json) {
        struct bp_buf  buf;
        bp_json_writer w;

        buf_init(&buf, &arena, FILE_BYTES_MAX);
        json_writer_init(&w, &buf);
        put_file(&w, &file, NULL);
        print_json(&buf, &w);
    } else {
        print_file(&file);
    }
    arena_free(&arena);
    return is_accepted ? EXIT_DONE : EXIT_FAILED;
}

/* ---- plugins: all of them, really loaded ---- */

static const char *try_load(struct host *host, const struct plugin_file *file, struct reason *why)
{
    if (!file->is_accepted)
        return file->problem.text;
    return registry_load(host->registry, file->note.kind, file->note.name, why) ? NULL : why->text;
}

int command_plugins(int argc, char **argv)
{
    const char    *conf_file = cli_take_conf(&argc, argv);
    bool           is_json = cli_take_flag(&argc, argv, "--json");
    struct arena   arena;
    struct bp_buf  buf;
    bp_json_writer w;
    struct host    host;
    int            status, refused = 0;

    if (!cli_is_all_taken(argc, argv, 0))
        return EXIT_USAGE;
    status = host_load_registry(&host, conf_file);
    arena_init(&arena, LIST_ARENA_BYTES);
    buf_init(&buf, &arena, LIST_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t i = 0; status == EXIT_DONE && i < registry_count(host.registry); i++) {
        const struct plugin_file *file = registry_at(host.registry, i);
        struct reason             problem;
        const char               *why = try_load(&host, file, &problem);

        refused += why != NULL;
        if (is_json)
            put_file(&w, file, why);
        else if (why)
            printf("refused  %-24s %s: %s\n", file->is_readable ? file->note.name : "?", file->path,
                   why);
        else
            printf("%-8s %-24s %-10s %s\n", file->note.kind, file->note.name, file->note.version,
                   file->path);
    }
    json_end(&w);
    if (is_json)
        print_json(&buf, &w);
    arena_free(&arena);
    if (status == EXIT_DONE && host.conf && report_problems(host.conf, stderr) > 0)
        status = EXIT_CONF; // such as a folder of plugins that cannot be read
    host_free(&host);
    return status != EXIT_DONE ? status : refused ? EXIT_FAILED : EXIT_DONE;
}

/* ---- plugin new ---- */

static bool is_plugin_name(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= 31 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len &&
           name[0] >= 'a';
}

/* Copies one file of the template, with @NAME@ and @KIND@ replaced. */
static bool copy_template(const char *from, const char *to, const char *name, const char *kind)
{
    FILE *in = fopen(from, "re"), *out;
    int   c;

    if (!in)
        return false;
    out = fopen(to, "wxe");
    while (out && (c = fgetc(in)) != EOF) {
        char word[8] = "", end[2] = "";

        if (c != '@') {
            fputc(c, out);
            continue;
        }
        if (fscanf(in, "%5[A-Z]%1[@]", word, end) == 2 && strcmp(word, "NAME") == 0)
            fputs(name, out);
        else if (*end && strcmp(word, "KIND") == 0)
            fputs(kind, out);
        else
            fprintf(out, "@%s%s", word, end);
    }
    fclose(in);
    return out && fclose(out) == 0;
}

static int copy_folder(const char *from, const char *to, const char *name, const char *kind)
{
    DIR           *dir = opendir(from);
    struct dirent *entry;
    int            files = 0;

    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        char source[4096], target[4096], renamed[300];

        if (entry->d_name[0] == '.')
            continue;
        if (strncmp(entry->d_name, "NAME", 4) == 0)
            snprintf(renamed, sizeof(renamed), "%s%s", name, entry->d_name + 4);
        else if (strncmp(entry->d_name, "test_NAME", 9) == 0)
            snprintf(renamed, sizeof(renamed), "test_%s%s", name, entry->d_name + 9);
        else
            snprintf(renamed, sizeof(renamed), "%s", entry->d_name);
        snprintf(source, sizeof(source), "%.3700s/%s", from, entry->d_name);
        snprintf(target, sizeof(target), "%.3700s/%s", to, renamed);
        if (!copy_template(source, target, name, kind)) {
            fprintf(stderr, "backplane plugin: %s cannot be written: %s\n", target,
                    strerror(errno));
            closedir(dir);
            return -1;
        }
        printf("  %s\n", target);
        files++;
    }
    closedir(dir);
    return files;
}

int command_plugin(int argc, char **argv)
{
    const char *kind = cli_take_option(&argc, argv, "--kind"),
               *folder = cli_take_option(&argc, argv, "--dir");
    char        share[4096], common[4200], special[4200];
    const char *name;

    if (!cli_is_all_taken(argc, argv, 2) || argc != 3 || strcmp(argv[1], "new") != 0 || !kind) {
        fprintf(stderr, "usage: backplane plugin new NAME --kind KIND [--dir DIR]\n");
        return EXIT_USAGE;
    }
    name = argv[2];
    if (!is_plugin_name(name)) {
        fprintf(stderr, "backplane plugin: \"%s\" is not a plugin name: use [a-z][a-z0-9_]{0,30}\n",
                name);
        return EXIT_USAGE;
    }
    if (!plugin_kind_find(kind)) {
        fprintf(stderr,
                "backplane plugin: there is no kind \"%s\": storage, cache, vector, embed, llm, "
                "health, alert or app\n",
                kind);
        return EXIT_USAGE;
    }
    paths_share(share, sizeof(share));
    snprintf(common, sizeof(common), "%s/template/common", share);
    snprintf(special, sizeof(special), "%s/template/%s", share, kind);
    folder = folder ? folder : name;
    if (mkdir(folder, 0755) != 0) {
        fprintf(stderr, "backplane plugin: folder %s cannot be made: %s\n", folder,
                strerror(errno));
        return EXIT_FAILED;
    }
    printf("a new %s plugin:\n", kind);
    if (copy_folder(common, folder, name, kind) < 0 ||
        copy_folder(special, folder, name, kind) < 0) {
        fprintf(stderr, "backplane plugin: the template of kind %s is not at %s\n", kind, share);
        return EXIT_FAILED;
    }
    printf("build it:  cmake -B %s/build -S %s && cmake --build %s/build\n"
           "or:        cc -O2 %s/%s.c $(pkg-config --cflags --libs backplane-sdk) -o %s.so\n"
           "look at it: backplane inspect %s/build/%s.so\n",
           folder, folder, folder, folder, name, name, folder, name);
    return EXIT_DONE;
}

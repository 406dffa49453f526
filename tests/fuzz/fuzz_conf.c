/* fuzz_conf.c - any text as a conf: YAML, expansion, options of all types, references, and printing
 * it again.
 *
 * What must hold beside "no crash": a conf without errors, printed as it takes effect, reads back
 * without errors.
 */
#include <stdio.h>
#include <stdlib.h>

#include <backplane/peer.h>

#include "conf/conf_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct everything {
    bool           flag;
    int64_t        number;
    double         ratio;
    int64_t        size_bytes;
    int64_t        timeout_ns;
    bp_str         text;
    int32_t        metric;
    bp_str         url;
    bp_str         address;
    bp_str         path;
    bp_str         key;
    bp_str_list    models;
    bp_option_map  headers;
    const bp_peer *storage;
    bp_peer_list   llm;
};

static const bp_option options[] = {
    BP_OPTION_BOOL(struct everything, flag, .initial = "yes", .help = "a switch"),
    BP_OPTION_INT(struct everything, number, .initial = "7", .minimum = "-3", .maximum = "10",
                  .help = "a number"),
    BP_OPTION_FLOAT(struct everything, ratio, .initial = "0.5", .minimum = "0", .maximum = "1",
                    .help = "a ratio"),
    BP_OPTION_SIZE(struct everything, size, .initial = "64MiB", .maximum = "1GiB",
                   .help = "a size"),
    BP_OPTION_DURATION(struct everything, timeout, .initial = "2s", .maximum = "1h",
                       .help = "a time"),
    BP_OPTION_STRING(struct everything, text, .initial = "hello", .help = "a text"),
    BP_OPTION_ENUM(struct everything, metric, .choices = "cosine|l2|dot", .initial = "l2",
                   .help = "a choice"),
    BP_OPTION_URL(struct everything, url, .help = "a URL"),
    BP_OPTION_ADDRESS(struct everything, address, .help = "an address"),
    BP_OPTION_PATH(struct everything, path, .initial = "here", .help = "a path"),
    BP_OPTION_SECRET(struct everything, key, .help = "a secret"),
    BP_OPTION_LIST(struct everything, models, .initial = "[small, large]", .help = "a list"),
    BP_OPTION_MAP(struct everything, headers, .help = "a map"),
    BP_OPTION_REF(struct everything, storage, "storage", .help = "a reference"),
    BP_OPTION_REFS(struct everything, llm, "llm", .help = "references"),
};

static const struct conf_plugin everything = { .name = "all",
                                               .version = "1",
                                               .summary = "s",
                                               .options = OPTION_TABLE(options),
                                               .instance_size = sizeof(struct everything) };

static bool find(void *context, const char *kind, const char *name, struct conf_plugin *plugin)
{
    (void)context;
    *plugin = everything;
    plugin->kind = kind;
    return strcmp(name, "all") == 0;
}

static bool at(void *context, const char *kind, size_t index, struct conf_plugin *plugin)
{
    return index == 0 && find(context, kind, "all", plugin);
}

static const char *get_variable(void *context, const char *name)
{
    (void)context;
    return name[0] == 'A'   ? "a ${value} with: [signs]"
           : name[0] == 'B' ? ""
           : name[0] == 'C' ? "5"
                            : NULL;
}

static const struct conf_plugins     plugins = { NULL, find, at };
static const struct conf_environment environment = { get_variable, NULL };

static void print_problems(const struct conf *conf, struct bp_buf *out)
{
    buf_init(out, NULL, 16 << 20);
    problems_print(&conf->problems, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *conf = conf_parse("fuzz.yaml", bp_str_n((const char *)data, size), &environment),
                *again;
    struct bp_buf problems, text;

    if (!conf)
        abort();
    bool is_good = conf_resolve(conf, &plugins);
    print_problems(conf, &problems);
    if (is_good) {
        buf_init(&text, NULL, CONF_PRINT_MAX_BYTES);
        conf_print_effective(conf, &text);
        again = conf_parse("again.yaml", buf_str(&text), &environment);
        if (!again)
            abort();
        if (text.status == BP_OK && text.len < (4 << 20) && !conf_resolve(again, &plugins)) {
            buf_free(&problems);
            print_problems(again, &problems);
            fprintf(stderr, "%s\n%s\n", buf_str(&problems).data, buf_str(&text).data);
            abort();
        }
        conf_free(again);
        buf_free(&text);
    }
    buf_free(&problems);
    conf_free(conf);
    return 0;
}

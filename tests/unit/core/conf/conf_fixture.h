/* conf_fixture.h - what the tests of core/conf share: a set of plugins, an environment, and
 * asserting on all problems of a conf as the text an operator would read. Included last, once in
 * each test program. */
#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <backplane/peer.h>

#include "conf/conf.h"

/* One option of each type. */
struct everything {
    bool           flag;
    int64_t        number;
    double         ratio;
    int64_t        size_bytes;
    int64_t        timeout_ns;
    int64_t        pause_ns;
    bp_str         text;
    int32_t        metric;
    bp_str         url;
    bp_str         database;
    bp_str         address;
    bp_str         path;
    bp_str         api_key;
    bp_str_list    models;
    bp_option_map  headers;
    const bp_peer *storage;
    bp_peer_list   fallback;
    int64_t        old;
};

static const bp_option everything_options[] = {
    BP_OPTION_BOOL(struct everything, flag, .initial = "yes", .help = "a switch"),
    BP_OPTION_INT(struct everything, number, .initial = "7", .minimum = "-3", .maximum = "10",
                  .help = "a number"),
    BP_OPTION_FLOAT(struct everything, ratio, .initial = "0.5", .minimum = "0", .maximum = "1",
                    .help = "a ratio"),
    BP_OPTION_SIZE(struct everything, size, .initial = "64MiB", .minimum = "1KiB",
                   .maximum = "1GiB", .help = "a size"),
    BP_OPTION_DURATION(struct everything, timeout, .initial = "2s", .minimum = "10ms",
                       .maximum = "1m", .help = "a time"),
    BP_OPTION_DURATION(struct everything, pause, .initial = "off", .help = "a pause"),
    BP_OPTION_STRING(struct everything, text, .initial = "hello", .help = "a text"),
    BP_OPTION_ENUM(struct everything, metric, .choices = "cosine|l2|dot", .initial = "l2",
                   .help = "a choice"),
    BP_OPTION_URL(struct everything, url, .is_required = true, .help = "base URL of the server"),
    BP_OPTION_URL(struct everything, database, .choices = "postgres|postgresql",
                  .help = "the database"),
    BP_OPTION_ADDRESS(struct everything, address, .help = "where it is"),
    BP_OPTION_PATH(struct everything, path, .initial = "here", .help = "a file"),
    BP_OPTION_SECRET(struct everything, api_key, .help = "key of the account"),
    BP_OPTION_LIST(struct everything, models, .initial = "[small, large]",
                   .help = "names of models"),
    BP_OPTION_MAP(struct everything, headers, .help = "headers to add"),
    BP_OPTION_REF(struct everything, storage, "storage", .help = "where it keeps things"),
    BP_OPTION_REFS(struct everything, fallback, "llm", .help = "whom it asks next"),
    BP_OPTION_INT(struct everything, old, .deprecated = "number", .help = "an old name"),
};

struct simple {
    bp_str         path;
    const bp_peer *storage;
    const bp_peer *vector;
    const bp_peer *embed;
    bp_peer_list   llm;
    bool           critical;
};

static const bp_option simple_options[] = {
    BP_OPTION_PATH(struct simple, path, .initial = "main.db", .help = "a file"),
    BP_OPTION_REF(struct simple, storage, "storage", .help = "a storage"),
    BP_OPTION_REF(struct simple, vector, "vector", .help = "a vector store"),
    BP_OPTION_REF(struct simple, embed, "embed", .help = "an embedder"),
    BP_OPTION_REFS(struct simple, llm, "llm", .help = "providers"),
};

/* It has an option that the gate has too. */
static const bp_option own_deadline_options[] = {
    BP_OPTION_OF(BP_OPTION_TYPE_STRING, struct simple, path, "deadline",
                 .help = "a day on which it is due"),
};

static const struct conf_plugin known_plugins[] = {
    { "llm", "everything", "1.2.3", "has an option of each type", OPTION_TABLE(everything_options),
      sizeof(struct everything), NULL },
    { "storage", "sqlite", "1.0.0", "SQL in a file", OPTION_TABLE(simple_options),
      sizeof(struct simple), NULL },
    { "vector", "local", "1.0.0", "vectors in files", OPTION_TABLE(simple_options),
      sizeof(struct simple), NULL },
    { "embed", "hash", "1.0.0", "hashes words", OPTION_TABLE(simple_options), sizeof(struct simple),
      NULL },
    { "embed", "due", "1.0.0", "has a deadline of its own", OPTION_TABLE(own_deadline_options),
      sizeof(struct simple), NULL },
    { "app", "retrieval", "1.0.0", "answers from documents", OPTION_TABLE(simple_options),
      sizeof(struct simple), NULL },
    { "health", "tcp", "1.0.0", "checks that a TCP port accepts connections",
      OPTION_TABLE(simple_options), sizeof(struct simple), NULL },
    { "app", "console", "1.0.0", "pages for a browser", { NULL, sizeof(bp_option), 0 }, 8, NULL },
};

enum { KNOWN_PLUGIN_COUNT = sizeof(known_plugins) / sizeof(known_plugins[0]) };

static bool find_known(void *context, const char *kind, const char *name,
                       struct conf_plugin *plugin)
{
    (void)context;
    for (size_t i = 0; i < KNOWN_PLUGIN_COUNT; i++)
        if (strcmp(known_plugins[i].kind, kind) == 0 && strcmp(known_plugins[i].name, name) == 0) {
            *plugin = known_plugins[i];
            return true;
        }
    if (strcmp(name, "broken") == 0)
        plugin->problem = "it was built for ABI 2, and this host has ABI 1";
    return false;
}

static bool known_at(void *context, const char *kind, size_t index, struct conf_plugin *plugin)
{
    (void)context;
    for (size_t i = 0; i < KNOWN_PLUGIN_COUNT; i++)
        if (strcmp(known_plugins[i].kind, kind) == 0 && index-- == 0) {
            *plugin = known_plugins[i];
            return true;
        }
    return false;
}

static const struct conf_plugins plugins = { NULL, find_known, known_at };

/* NAME=value pairs, ended by NULL. */
static const char *get_from_list(void *context, const char *name)
{
    for (const char *const *entry = context; *entry; entry++) {
        size_t len = strlen(name);

        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
            return *entry + len + 1;
    }
    return NULL;
}

static const char *const test_variables[] = {
    "HOME_OF_IT=/srv/it", "PORT=8123",        "EMPTY=",         "KEY=sk-secret-1",
    "WRONG=not-a-number", "DOLLAR=a${PORT}b", "BYTES=\xff\xfe", NULL
};

static const struct conf_environment test_environment = { get_from_list,
                                                          (void *)(uintptr_t)test_variables };

static inline struct conf *parse(const char *text)
{
    struct conf *conf = conf_parse("t.yaml", bp_str_of(text), &test_environment);

    assert_non_null(conf);
    return conf;
}

static inline struct conf *resolve(const char *text)
{
    struct conf *conf = parse(text);

    conf_resolve(conf, &plugins);
    return conf;
}

/* Asserts that the problems read exactly so. */
static inline void assert_problems(const struct conf *conf, const char *expected)
{
    struct bp_buf out;

    buf_init(&out, NULL, 1 << 20);
    problems_print(&conf->problems, &out);
    assert_string_equal(buf_str(&out).data, expected);
    buf_free(&out);
}

/* Asserts on the problems of a whole conf text and frees it. */
static inline void assert_wrong(const char *text, const char *expected)
{
    struct conf *conf = resolve(text);

    assert_problems(conf, expected);
    conf_free(conf);
}

#define assert_bp_str(text, expected)                                                              \
    do {                                                                                           \
        bp_str shown_ = (text);                                                                    \
        assert_int_equal(shown_.len, strlen(expected));                                            \
        if (shown_.len)                                                                            \
            assert_memory_equal(shown_.data, expected, shown_.len);                                \
    } while (0)

#endif

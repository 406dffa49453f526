/* test_leaks.c - a conf, good or bad, gives back all that it took. */
#include "core/conf/conf_fixture.h"

#include <unistd.h>

#include "../../../lib/gives_back.h"

static char path[64];

static void load(const char *text)
{
    struct conf *conf;
    FILE        *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    conf = conf_load(path, &test_environment);
    assert_non_null(conf);
    conf_resolve(conf, &plugins);
    conf_free(conf);
}

static void load_good(void)
{
    load("data_dir: /tmp\nstorage: { main: { use: sqlite, path: a.db } }\nllm: { main: { use: "
         "everything, url: 'http://a/', models: [a, b] } }\n");
}

static void load_bad(void)
{
    load("data_dir: [/tmp\nstorage: {{ main: { use: sqlite, path: a.db } }\n");
    load("llm: { main: { use: everything, number: many, url: a, models: { a: b } } }\n");
}

static void load_none(void)
{
    unlink(path);
    conf_free(conf_load(path, &test_environment));
    conf_free(conf_load("/", &test_environment));
}

static void a_conf_gives_back_what_it_took(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/backplane-test-%d.yaml", (int)getpid());
    assert_gives_back(load_good, "good confs");
    assert_gives_back(load_bad, "bad confs");
    assert_gives_back(load_none, "no confs");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_conf_gives_back_what_it_took) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

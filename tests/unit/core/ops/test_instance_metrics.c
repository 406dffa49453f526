/* test_instance_metrics.c - the figures of instances: calls and queues at each scrape, sizes of
 * vector stores by a job. */
#include "ops_rig.h"

#include <backplane/vector.h>

#include "base/crypto.h"
#include "conf/conf_print.h"
#include "ops/instance_metrics.h"

#include "../../../lib/gives_back.h"

enum { OTHER_STORE, CACHE, STORE };

static struct {
    int       calls;
    bp_status status;
    bool      is_silent; /* it says nothing at all */
} store;

static bp_status on_list(bp_call *call, void *object, const bp_vector_info **infos, size_t *count)
{
    static bp_vector_info all[2];

    (void)object;
    store.calls++;
    if (store.status != BP_OK)
        return bp_fail(call, store.status, "the store fails");
    if (store.is_silent)
        return BP_OK;
    for (size_t i = 0; i < 2; i++) {
        all[i].count = 10 + i;
        all[i].memory_bytes = 200 + 10 * i;
        all[i].disk_bytes = 3000 + 100 * i;
    }
    *infos = all;
    *count = 2;
    return BP_OK;
}

static const bp_vector_ops      ops = { .struct_size = sizeof(ops), .list = on_list };
static struct conf             *empty;
static struct instance_metrics *metrics;

static int set_up(void **state)
{
    (void)state;
    memset(&store, 0, sizeof(store));
    ops_rig_start();
    ops_rig_add("vector", "other", &ops);
    ops_rig_add("cache", "main", NULL);
    ops_rig_add("vector", "main", &ops);
    confs[CACHE].gate.queue = 3;
    confs[CACHE].gate.max_concurrent = 4;
    confs[STORE].gate.queue = 5;
    confs[STORE].gate.max_concurrent = 6;
    empty = conf_parse("t.yaml", BP_STR("server: { listen: 127.0.0.1:0 }"), NULL);
    metrics = empty ? instance_metrics_new(&generation, empty) : NULL;
    return metrics ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    instance_metrics_free(metrics);
    conf_free(empty);
    ops_rig_stop();
    return 0;
}

static struct metric_series *series(const char *name, const char *kind, const char *instance)
{
    char label[32];

    snprintf(label, sizeof(label), "%s/fake", kind);
    return metrics_series(metrics_define(METRIC_GAUGE, name, "", "instance plugin"),
                          (bp_str[]){ bp_str_of(instance), bp_str_of(label) }, 2);
}

static double gauge(const char *name, const char *kind)
{
    return metric_value(series(name, kind, "main"));
}

/* What a scrape says. */
static char *scrape(void)
{
    static char   text[1 << 20];
    struct arena  arena;
    struct bp_buf buf;

    arena_init(&arena, 8 << 20);
    buf_init(&buf, &arena, sizeof(text));
    metrics_render(&buf);
    assert_true(buf.len < sizeof(text));
    memcpy(text, buf_str(&buf).data, buf.len);
    text[buf.len] = '\0';
    arena_free(&arena);
    return text;
}

static void each_instance_says_what_it_may_do_and_the_conf_who_it_is(void **state)
{
    const char *info;

    (void)state;
    assert_true(gauge("backplane_plugin_queue_capacity", "cache") == 3);
    assert_true(gauge("backplane_plugin_calls_max", "cache") == 4);
    assert_true(gauge("backplane_plugin_queue_capacity", "vector") == 5);
    assert_true(gauge("backplane_plugin_calls_max", "vector") == 6);
    info = strstr(scrape(), "backplane_conf_info{hash=\"");
    assert_non_null(info);
    info += strlen("backplane_conf_info{hash=\"");
    assert_int_equal(strspn(info, "0123456789abcdef"), 16);
    assert_memory_equal(info + 16, "\"} 1\n", 5);
    assert_null(
        strstr(scrape(), "backplane_vector_points{instance=\"main\",plugin=\"cache/fake\""));
}

/* The first sixteen digits of the SHA-256 of what the conf prints. */
static void the_conf_is_known_by_its_hash(void **state)
{
    struct bp_buf text;
    uint8_t       digest[32];
    char          hash[65], wanted[128];

    (void)state;
    buf_init(&text, NULL, 1 << 20);
    conf_print_effective(empty, &text);
    assert_true(text.len > 0);
    crypto_sha256(buf_str(&text), digest);
    crypto_hex(digest, sizeof(digest), hash);
    snprintf(wanted, sizeof(wanted), "backplane_conf_info{hash=\"%.16s\"} 1\n", hash);
    assert_non_null(strstr(scrape(), wanted));
    buf_free(&text);
}

/* ---- calls ---- */

static bool   may_end;
static size_t at_work;

static bp_status in_gate(bp_call *call, void *object, void *arg)
{
    (void)object, (void)arg;
    at_work++;
    while (!may_end)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    at_work--;
    return BP_OK;
}

static void pass_gate(bp_call *call, void *arg)
{
    static const struct gate_op op = { .name = "work" };

    assert_int_equal(gate_run(call, arg, &op, in_gate, NULL), BP_OK);
}

static void begin(struct instance *instance)
{
    assert_true(call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER }, pass_gate,
                           instance));
}

static bool has_begun(void *arg)
{
    return at_work == *(size_t *)arg;
}

static void wait_until_at_work(size_t count)
{
    worker_run_until(&worker, has_begun, &count);
}

static void assert_calls(const char *kind, double running, double waiting)
{
    assert_true(gauge("backplane_plugin_calls_in_flight", kind) == running);
    assert_true(gauge("backplane_plugin_queue_depth", kind) == waiting);
}

/* Of all workers together: the cache has two of its parts, the second of which is narrow. */
static void calls_are_counted_at_each_scrape(void **state)
{
    struct instance two[2];

    (void)state;
    may_end = false;
    two[0] = instances[CACHE];
    memset(&two[1], 0, sizeof(two[1]));
    confs[CACHE].gate.max_concurrent = 1;
    assert_true(instance_make(&units[CACHE], &worker, &two[1]));
    units[CACHE].instances = two;
    generation.worker_count = 2;
    units[OTHER_STORE].instances = units[STORE].instances = NULL; // those are not made yet
    begin(&two[0]);
    begin(&two[0]);
    begin(&two[1]);
    begin(&two[1]); // waits
    wait_until_at_work(3);
    scrape();
    assert_calls("cache", 3, 1);
    assert_calls("vector", 0, 0);
    units[CACHE].instances = &instances[CACHE];
    units[OTHER_STORE].instances = &instances[OTHER_STORE];
    units[STORE].instances = &instances[STORE];
    generation.worker_count = 1;
    begin(&instances[STORE]);
    wait_until_at_work(4);
    scrape();
    assert_calls("cache", 2, 0);
    assert_calls("vector", 1, 0);
    may_end = true;
    wait_until_at_work(0);
    scrape();
    assert_calls("cache", 0, 0);
    instance_free(&two[1]);
}

static void who_is_gone_is_asked_no_more(void **state)
{
    (void)state;
    instance_metrics_free(metrics);
    instance_metrics_free(NULL);
    metric_set(series("backplane_plugin_calls_in_flight", "cache", "main"), 77);
    scrape();
    assert_true(gauge("backplane_plugin_calls_in_flight", "cache") == 77);
    metrics = NULL;
}

/* ---- sizes ---- */

static void measure_once(bp_call *call)
{
    int before = store.calls;

    assert_int_equal(instance_metrics_start(call, metrics), BP_OK);
    while (store.calls < before + 2) // both stores
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    instance_metrics_stop(call, metrics);
    instance_metrics_stop(call, metrics); // twice is once
}

static void sizes_are_those_of_all_collections_and_stay_when_a_store_fails(void **state)
{
    (void)state;
    on_call(measure_once);
    for (int i = 0; i < 2; i++) {
        assert_true(gauge("backplane_vector_points", "vector") == 21);
        assert_true(gauge("backplane_vector_collections", "vector") == 2);
        assert_true(gauge("backplane_vector_memory_bytes", "vector") == 410);
        assert_true(gauge("backplane_vector_disk_bytes", "vector") == 6100);
        assert_true(metric_value(series("backplane_vector_points", "vector", "other")) == 21);
        store.status = BP_IO;
        if (i == 0)
            on_call(measure_once);
    }
}

static void a_store_that_says_nothing_has_nothing(void **state)
{
    (void)state;
    metric_set(series("backplane_vector_points", "vector", "main"), 5);
    store.is_silent = true;
    on_call(measure_once);
    assert_true(gauge("backplane_vector_points", "vector") == 0);
    assert_true(gauge("backplane_vector_collections", "vector") == 0);
}

static void round_of_metrics(void)
{
    struct instance_metrics *one = instance_metrics_new(&generation, empty);

    assert_non_null(one);
    instance_metrics_free(one);
}

static void what_it_takes_is_given_back(void **state)
{
    (void)state;
    assert_gives_back(round_of_metrics, "the figures of instances");
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(each_instance_says_what_it_may_do_and_the_conf_who_it_is),
        RIGGED(the_conf_is_known_by_its_hash),
        RIGGED(who_is_gone_is_asked_no_more),
        RIGGED(a_store_that_says_nothing_has_nothing),
        RIGGED(what_it_takes_is_given_back),
        RIGGED(calls_are_counted_at_each_scrape),
        RIGGED(sizes_are_those_of_all_collections_and_stay_when_a_store_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

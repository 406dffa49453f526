/* test_instance_metrics.c - the figures of instances: calls and queues at each scrape, sizes of
 * vector stores by a job. */
#include "ops_rig.h"

#include <backplane/vector.h>

#include "ops/instance_metrics.h"

static struct {
    int       calls;
    bp_status status;
} store;

static bp_status on_list(bp_call *call, void *object, const bp_vector_info **infos, size_t *count)
{
    static bp_vector_info all[2];

    (void)object;
    store.calls++;
    if (store.status != BP_OK)
        return bp_fail(call, store.status, "the store fails");
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
    ops_rig_add("cache", "main", NULL);
    ops_rig_add("vector", "main", &ops);
    confs[0].gate.queue = 3;
    confs[0].gate.max_concurrent = 4;
    confs[1].gate.queue = 5;
    confs[1].gate.max_concurrent = 6;
    empty = conf_parse("t.yaml", BP_STR(""), NULL);
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

static double gauge(const char *name, const char *kind)
{
    char label[32];

    snprintf(label, sizeof(label), "%s/fake", kind);
    return metric_value(metrics_series(metrics_define(METRIC_GAUGE, name, "", "instance plugin"),
                                       (bp_str[]){ BP_STR("main"), bp_str_of(label) }, 2));
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

static bp_status in_gate(bp_call *call, void *object, void *arg)
{
    (void)call, (void)object, (void)arg;
    scrape();
    assert_true(gauge("backplane_plugin_calls_in_flight", "cache") == 1);
    assert_true(gauge("backplane_plugin_calls_in_flight", "vector") == 0);
    return BP_OK;
}

static void scrape_within(bp_call *call)
{
    static const struct gate_op op = { .name = "scrape" };

    assert_int_equal(gate_run(call, &instances[0], &op, in_gate, NULL), BP_OK);
}

static void calls_are_counted_at_each_scrape(void **state)
{
    (void)state;
    on_call(scrape_within);
    scrape();
    assert_true(gauge("backplane_plugin_calls_in_flight", "cache") == 0);
    assert_true(gauge("backplane_plugin_queue_depth", "cache") == 0);
}

static void measure_once(bp_call *call)
{
    int before = store.calls;

    assert_int_equal(instance_metrics_start(call, metrics), BP_OK);
    while (store.calls == before)
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
        store.status = BP_IO;
        if (i == 0)
            on_call(measure_once);
    }
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(each_instance_says_what_it_may_do_and_the_conf_who_it_is),
        RIGGED(calls_are_counted_at_each_scrape),
        RIGGED(sizes_are_those_of_all_collections_and_stay_when_a_store_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

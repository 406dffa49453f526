/* test_testhost.c - the fake host is held to what the headers of the SDK promise, by a small plugin
 * made for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

/* ---- the plugin ---- */

struct probe {
    bp_str         url, path, word;
    int64_t        timeout_ns, size_bytes, count;
    double         share;
    bool           is_on;
    int32_t        mode;
    bp_str_list    names;
    bp_option_map  labels;
    const bp_peer *storage;
    bp_peer_list   peers;
    bp_metric     *runs;
    struct probe_shared {
        bp_pool  *pool;
        bp_mutex *mutex;
        int       workers;
    } * shared;
};

static int steps_failing_at; /* 1 check, 2 shared_create, 3 worker_start: 0 none */
static int destroyed;

static bp_status probe_check(bp_call *call, const void *options)
{
    const struct probe *probe = options;
    if (steps_failing_at == 1)
        return bp_fail(call, BP_INVALID, "count " BP_FMT " is odd", BP_ARG(probe->word));
    return BP_OK;
}

static bp_status probe_shared_create(bp_call *call, const void *options, void **shared)
{
    struct probe_shared *made = calloc(1, sizeof(*made));
    (void)options;
    if (steps_failing_at == 2) {
        free(made);
        return bp_fail(call, BP_UNAVAILABLE, "no shared object today");
    }
    BP_TRY(bp_pool_create(call, BP_STR("probe"), 1, &made->pool));
    BP_TRY(bp_mutex_create(call, &made->mutex));
    *shared = made;
    return BP_OK;
}

static bp_status job(bp_call *call, void *arg)
{
    struct probe *probe = arg;
    bp_metric_add(probe->runs, NULL, 0, 1);
    return bp_fail(call, BP_IO, "the job found nothing");
}

static bp_status probe_worker_start(bp_call *call, void *instance, void *shared)
{
    struct probe *probe = instance;
    if (steps_failing_at == 3)
        return bp_fail(call, BP_IO, "no worker today");
    probe->shared = shared;
    probe->shared->workers++;
    BP_TRY(bp_metric_define(call, BP_COUNTER, "probe_runs_total", "runs of the job", "",
                            &probe->runs));
    return bp_every(call, "look", BP_SECONDS(30), job, probe);
}

static void probe_shared_destroy(bp_call *call, void *shared)
{
    struct probe_shared *made = shared;
    (void)call;
    bp_mutex_destroy(made->mutex);
    bp_pool_destroy(made->pool);
    free(made);
    destroyed++;
}

static bp_status probe_run(bp_call *call, void *instance, bp_health *health)
{
    (void)instance;
    return bp_health_say(call, health, BP_HEALTH_OK, BP_FMT " of %u",
                         BP_ARG(bp_instance_name(call)), bp_worker_count(call));
}

static const bp_option options[] = {
    BP_OPTION_URL(struct probe, url, .is_required = true, .help = "where to"),
    BP_OPTION_PATH(struct probe, path, .initial = "data/x", .help = "where"),
    BP_OPTION_STRING(struct probe, word, .help = "a word"),
    BP_OPTION_DURATION(struct probe, timeout, .initial = "2s", .minimum = "10ms", .maximum = "1h",
                       .help = "how long"),
    BP_OPTION_SIZE(struct probe, size, .initial = "64MiB", .help = "how much"),
    BP_OPTION_INT(struct probe, count, .initial = "3", .minimum = "1", .help = "how many"),
    BP_OPTION_FLOAT(struct probe, share, .initial = "0.25", .help = "which part"),
    BP_OPTION_BOOL(struct probe, is_on, .initial = "yes", .help = "whether"),
    BP_OPTION_ENUM(struct probe, mode, .choices = "slow|fast|mad", .initial = "fast",
                   .help = "how"),
    BP_OPTION_LIST(struct probe, names, .help = "who"),
    BP_OPTION_MAP(struct probe, labels, .help = "labels"),
    BP_OPTION_REF(struct probe, storage, "storage", .help = "a store"),
    BP_OPTION_REFS(struct probe, peers, "llm", .help = "providers"),
};
static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = probe_check,
    .shared_create = probe_shared_create,
    .worker_start = probe_worker_start,
    .shared_destroy = probe_shared_destroy,
};
static const bp_health_ops ops = { .struct_size = sizeof(bp_health_ops), .check = probe_run };

BP_PLUGIN(health, "probe", "1.0.0", .summary = "a plugin to test the test host",
          .instance_size = sizeof(struct probe), .options = BP_TABLE(options), .life = &life,
          .ops = &ops)

/* ---- an app, for the web service ---- */

static bp_status greet(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_str body, who = BP_STR("of old");
    (void)instance;
    BP_TRY(bp_request_body(call, request, &body));
    BP_TRY(bp_response_header(response, "X-Seen", bp_request_header(request, "x-mark")));
    if (!bp_request_query(request, "who", &who))
        return bp_fail(call, BP_INVALID, "say who, not \"" BP_FMT "\"", BP_ARG(who));
    return bp_respond(call, response, 201, "text/plain",
                      bp_format(call, BP_FMT "/" BP_FMT "/" BP_FMT,
                                BP_ARG(bp_request_path_value(request, "name")), BP_ARG(who),
                                BP_ARG(body)));
}
static bp_status tell(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)instance;
    (void)request;
    BP_TRY(bp_response_event(call, response, "note", BP_STR("one\ntwo")));
    return bp_response_event(call, response, NULL, bp_request_path_value(request, "rest"));
}
static const bp_route routes[] = {
    { .method = "POST", .path = "/greet/{name}", .handler = greet },
    { .method = "GET", .path = "/tell/{rest...}", .handler = tell },
};

/* It gives back its arguments, which are what it promises or are not. */
static bp_status echo(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance;
    bp_mcp_structured(mcp, bp_json_text(call, arguments));
    return BP_OK;
}
static bp_mcp_tool tools[] = {
    { .name = "echo",
      .description = "gives back what it is given",
      .input_schema = "{\"type\":\"object\"}",
      .output_schema = "{\"type\":\"object\",\"required\":[\"n\"]}",
      .handler = echo },
};
static bp_status read_note(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)call;
    (void)instance;
    (void)uri;
    bp_mcp_contents_text(mcp, "text/plain", bp_mcp_uri_value(mcp, "title"));
    return BP_OK;
}
static const bp_mcp_resource resources[] = {
    { .uri = "notes://{user}/{title}.txt", .name = "notes", .handler = read_note },
};
static const bp_app_ops app_ops = { .struct_size = sizeof(bp_app_ops),
                                    .route_size = sizeof(bp_route),
                                    .routes = routes,
                                    .route_count = 2,
                                    BP_MCP_TOOLS(tools),
                                    BP_MCP_RESOURCES(resources) };
static const bp_plugin  app_descriptor = {
     .magic = BP_PLUGIN_MAGIC,
     .struct_size = sizeof(bp_plugin),
     .abi_major = BP_ABI_MAJOR,
     .kind = "app",
     .name = "greeter",
     .kind_version = 1,
     .version = "1.0.0",
     .summary = "greets",
     .ops = &app_ops,
};
static const bp_plugin *app_entry(uint32_t host_abi)
{
    (void)host_abi;
    return &app_descriptor;
}

/* ---- fixture ---- */

static testhost *host;

static int setup(void **state)
{
    (void)state;
    steps_failing_at = destroyed = 0;
    host = testhost_new();
    return host ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    assert_string_equal(testhost_leaks(host), "");
    testhost_free(host);
    return 0;
}

static testhost_instance *probe_new(const testhost_option *given, size_t count)
{
    const bp_plugin *plugin = testhost_load_entry(host, bp_plugin_entry);
    assert_non_null(plugin);
    return testhost_instance_create(host, plugin, "mine", given, count);
}

static const testhost_option url = { "url", "http://a/" };

/* ---- tests ---- */

static void options_are_read_with_their_defaults(void **state)
{
    static const int      fake_storage = 0;
    const testhost_option given[] = { url,
                                      { "names", "ann, bob ,carl" },
                                      { "labels", "a=1, b=2" },
                                      { "mode", "mad" },
                                      { "timeout", "250ms" },
                                      { "storage", "main" },
                                      { "peers", "p, q" } };
    testhost_instance    *instance;
    const struct probe   *probe;

    (void)state;
    testhost_set_data_dir(host, "/tmp/elsewhere");
    testhost_add_peer(host, "main", "storage", 1, &fake_storage, NULL);
    testhost_add_peer(host, "p", "llm", 1, &fake_storage, NULL);
    testhost_add_peer(host, "q", "llm", 1, &fake_storage, NULL);
    instance = probe_new(given, 7);
    assert_non_null(instance);
    probe = testhost_self(instance);
    assert_true(bp_str_is(probe->url, "http://a/"));
    assert_true(bp_str_is(probe->path, "/tmp/elsewhere/data/x"));
    assert_int_equal(probe->timeout_ns, BP_MILLISECONDS(250));
    assert_int_equal(probe->size_bytes, 64 << 20);
    assert_int_equal(probe->count, 3);
    assert_true(probe->share > 0.249 && probe->share < 0.251);
    assert_true(probe->is_on);
    assert_int_equal(probe->mode, 2);
    assert_int_equal(probe->names.count, 3);
    assert_true(bp_str_is(probe->names.items[1], "bob"));
    assert_int_equal(probe->labels.count, 2);
    assert_true(bp_str_is(probe->labels.items[1].value, "2"));
    assert_ptr_equal(probe->storage->ops, &fake_storage);
    assert_int_equal(probe->peers.count, 2);
    assert_true(bp_str_is(probe->peers.items[1]->name, "q"));
    testhost_instance_destroy(instance);
}

static void a_wrong_option_is_a_sentence_that_names_it(void **state)
{
    const struct {
        testhost_option option;
        const char     *said;
    } cases[] = {
        { { "uri", "x" }, "uri: is not known here (did you mean \"url\"?)" },
        { { "timeout", "5ms" }, "below the minimum" },
        { { "timeout", "2h" }, "above the maximum" },
        { { "count", "0" }, "below the minimum" },
        { { "count", "many" }, "count" },
        { { "mode", "lazy" }, "is not one of slow, fast, mad" },
        { { "is_on", "maybe" }, "is_on" },
        { { "size", "12XB" }, "size" },
        { { "storage", "nowhere" }, "there is no storage instance \"nowhere\"" },
        { { "url", "htp://a" }, "not a URL" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const testhost_option given[] = { cases[i].option, url };
        assert_null(probe_new(given, strcmp(cases[i].option.name, "url") == 0 ? 1 : 2));
        assert_non_null(strstr(testhost_problem(host), cases[i].said));
    }
    assert_null(probe_new(NULL, 0));
    assert_non_null(strstr(testhost_problem(host), "url: is required: where to"));
}

static void a_step_that_fails_unwinds_those_before_it(void **state)
{
    (void)state;
    for (steps_failing_at = 1; steps_failing_at <= 3; steps_failing_at++) {
        assert_null(probe_new(&url, 1));
        assert_string_not_equal(testhost_problem(host), "");
        assert_string_equal(testhost_leaks(host), "");
    }
    assert_int_equal(destroyed, 1);
}

static void workers_share_one_object_and_know_their_place(void **state)
{
    testhost_instance *first = probe_new(&url, 1), *second = testhost_instance_worker(first);
    struct probe      *a = testhost_self(first), *b = testhost_self(second);
    bp_call           *call = testhost_call_new(host, BP_SECONDS(1));
    bp_health          health = { .struct_size = sizeof(health) };

    (void)state;
    assert_ptr_equal(a->shared, b->shared);
    assert_int_equal(a->shared->workers, 2);
    assert_true(bp_str_is(b->url, "http://a/"));
    assert_int_equal(((const bp_health_ops *)testhost_ops(first))->check(call, a, &health), BP_OK);
    assert_true(bp_str_is(health.detail, "mine of 2"));
    testhost_call_end(call);
    testhost_instance_destroy(second);
    assert_int_equal(destroyed, 0);
    testhost_instance_destroy(first);
    assert_int_equal(destroyed, 1);
}

static bp_plugin        changed; /* the probe's descriptor with one thing wrong */
static const bp_plugin *changed_entry(uint32_t host_abi)
{
    (void)host_abi;
    return &changed;
}

static void assert_refused(const char *said)
{
    assert_null(testhost_load_entry(host, changed_entry));
    assert_non_null(strstr(testhost_problem(host), said));
    changed = *bp_plugin_entry(BP_ABI);
}

static void a_descriptor_that_is_wrong_is_refused(void **state)
{
    static const void      *slot;
    static const bp_require need = { "teleport", 1, 8, &slot }, newer = { "call", 1, 65000, &slot };
    static bp_option        outside = {
               .name = "x", .help = "x", .type = BP_OPTION_TYPE_INT, .offset = 60000
    };

    (void)state;
    assert_null(testhost_load(host, "/nonexistent/x.so"));
    assert_non_null(strstr(testhost_problem(host), "/nonexistent/x.so"));
    changed = *bp_plugin_entry(BP_ABI);
    changed.magic = 1;
    assert_refused("no descriptor");
    changed.kind = "stroage";
    assert_refused("stroage");
    changed.name = "Big";
    assert_refused("name");
    changed.abi_major = 2;
    assert_refused("ABI 2.");
    changed.ops = NULL;
    assert_refused("operations");
    changed.requires_begin = &need;
    changed.requires_end = &need + 1;
    assert_refused("teleport");
    changed.requires_begin = &newer;
    changed.requires_end = &newer + 1;
    assert_refused("65000");
    changed.options = &outside;
    changed.option_count = 1;
    assert_refused("outside");
    assert_non_null(testhost_load_entry(host, changed_entry));
}

static void a_job_runs_at_once_and_then_by_its_interval(void **state)
{
    testhost_instance *instance = probe_new(&url, 1);
    (void)state;
    assert_int_equal(testhost_run_jobs(host), 1);
    assert_int_equal(testhost_run_jobs(host), 0);
    testhost_advance(BP_SECONDS(30));
    assert_int_equal(testhost_run_jobs(host), 1);
    assert_true(testhost_metric(host, "probe_runs_total", "") == 2);
    assert_true(testhost_log_has(host, "the job found nothing"));
    assert_non_null(strstr(testhost_leaks(host), "1 jobs"));
    testhost_instance_destroy(instance);
}

static void sleep_moves_the_clock_and_ends_by_the_deadline(void **state)
{
    bp_call *call = testhost_call_new(host, BP_SECONDS(5));
    int64_t  start = bp_now_ns();
    (void)state;
    assert_int_equal(bp_sleep(call, BP_SECONDS(3)), BP_OK);
    assert_int_equal(bp_now_ns() - start, BP_SECONDS(3));
    assert_int_equal(bp_sleep(call, BP_SECONDS(3)), BP_DEADLINE);
    assert_int_equal(bp_now_ns() - start, BP_SECONDS(5));
    assert_int_equal(bp_shield(call, BP_SECONDS(1)), BP_OK);
    assert_int_equal(bp_sleep(call, BP_MILLISECONDS(500)), BP_OK);
    bp_unshield(call);
    assert_int_equal(bp_cancelled(call), BP_DEADLINE);
    testhost_call_end(call);
    call = testhost_call_new(host, BP_FOREVER);
    testhost_cancel(call);
    assert_int_equal(bp_sleep(call, 1), BP_CANCELLED);
    assert_int_equal(bp_error_of(call)->status, BP_CANCELLED);
    testhost_call_end(call);
}

static void note_end(void *arg)
{
    ++*(int *)arg;
}

static void a_call_frees_memory_and_runs_cleanups_at_its_end(void **state)
{
    bp_call *call = testhost_call_new(host, BP_FOREVER);
    int      ended = 0;
    bp_buf  *buf = bp_buf_new(call, 8);
    (void)state;
    assert_non_null(bp_alloc(call, 0));
    testhost_call_memory(call, 1000);
    assert_null(bp_alloc(call, 2000));
    assert_int_equal(bp_error_of(call)->status, BP_NO_MEMORY);
    assert_non_null(bp_alloc(call, 100));
    bp_on_end(call, note_end, &ended);
    bp_buf_add(buf, BP_STR("12345"));
    assert_true(bp_str_is(bp_buf_str(buf), "12345"));
    bp_buf_add(buf, BP_STR("6789"));
    assert_int_equal(bp_buf_status(buf), BP_TOO_LARGE);
    assert_non_null(strstr(testhost_leaks(host), "1 calls"));
    testhost_call_end(call);
    assert_int_equal(ended, 1);
}

static bp_status child_run(bp_call *child, void *arg)
{
    *(bp_str *)arg = bp_format(child, "from %s", "a child");
    return bp_fail(child, BP_UPSTREAM, "child: no");
}

static void a_child_hands_its_error_to_its_parent_when_joined(void **state)
{
    bp_call  *call = testhost_call_new(host, BP_SECONDS(1));
    bp_child *child, *forgotten;
    bp_str    text = { 0 };
    (void)state;
    assert_int_equal(bp_spawn(call, "c", child_run, &text, &child), BP_OK);
    assert_int_equal(bp_error_of(call)->status, BP_OK);
    assert_int_equal(bp_join(call, child), BP_UPSTREAM);
    assert_true(bp_str_is(bp_error_of(call)->message, "child: no"));
    assert_true(bp_str_is(text, "from a child"));
    assert_int_equal(bp_spawn(call, "c", child_run, &text, &forgotten), BP_OK);
    assert_non_null(strstr(testhost_leaks(host), "1 children"));
    testhost_call_end(call);
}

static void a_lock_held_by_oneself_ends_with_the_deadline(void **state)
{
    bp_call  *call = testhost_call_new(host, BP_SECONDS(5));
    bp_mutex *mutex;
    (void)state;
    assert_int_equal(bp_mutex_create(call, &mutex), BP_OK);
    assert_int_equal(bp_mutex_lock(call, mutex), BP_OK);
    assert_int_equal(bp_mutex_lock(call, mutex), BP_DEADLINE);
    bp_mutex_unlock(mutex);
    bp_mutex_destroy(mutex);
    testhost_call_end(call);
}

static bp_status offloaded(bp_call *call, void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return bp_fail(call, BP_CONFLICT, "said on a thread");
}

static void offload_runs_inline_or_on_a_thread(void **state)
{
    bp_call  *call = testhost_call_new(host, BP_SECONDS(5));
    pthread_t ran_on;
    (void)state;
    assert_int_equal(bp_offload(call, NULL, offloaded, &ran_on), BP_CONFLICT);
    assert_true(pthread_equal(ran_on, pthread_self()));
    testhost_offload_on_threads(host, true);
    assert_int_equal(bp_offload(call, NULL, offloaded, &ran_on), BP_CONFLICT);
    assert_false(pthread_equal(ran_on, pthread_self()));
    testhost_call_end(call);
}

static void http_answers_come_in_their_order_and_requests_are_kept(void **state)
{
    bp_call         *call = testhost_call_new(host, BP_SECONDS(5));
    bp_http_response response;
    testhost_request made;
    (void)state;
    testhost_http_answer(host, "POST", "http://a/x", 503, "Retry-After: 2\r\n", BP_STR("busy"));
    testhost_http_answer(host, "POST", "http://a/x", 200,
                         "Content-Type: application/json\r\nX-A: b\r\n", BP_STR("{}"));
    testhost_http_failure(host, "GET", "http://a/down", BP_UNAVAILABLE, "refused");
    assert_int_equal(bp_http_post_json(call, BP_STR("http://a/x"), BP_STR("[1]"), &response),
                     BP_OK);
    assert_int_equal(response.status, 503);
    assert_int_equal(response.retry_after_ns, BP_SECONDS(2));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bp_http_post_json(call, BP_STR("http://a/x"), BP_STR("[2]"), &response),
                         BP_OK);
        assert_int_equal(response.status, 200);
    }
    assert_true(bp_str_is(response.content_type, "application/json"));
    assert_true(bp_str_is(response.headers[1].name, "x-a"));
    assert_int_equal(bp_http_get(call, BP_STR("http://a/down"), &response), BP_UNAVAILABLE);
    assert_true(bp_str_is(bp_error_of(call)->message, "refused"));
    assert_int_equal(bp_http_get(call, BP_STR("http://a/unknown"), &response), BP_UNAVAILABLE);
    assert_int_equal(bp_http_get(call, BP_STR("ftp://a/"), &response), BP_INVALID);
    assert_int_equal(testhost_request_count(host), 5);
    made = testhost_request_at(host, 0);
    assert_string_equal(made.method, "POST");
    assert_true(bp_str_is(made.body, "[1]"));
    assert_non_null(strstr(made.headers, "Content-Type: application/json\r\n"));
    testhost_call_end(call);
}

static void http_streams_give_pieces_and_events(void **state)
{
    bp_call         *call = testhost_call_new(host, BP_SECONDS(5));
    bp_http_request  request = { .struct_size = sizeof(request), .url = BP_STR("http://a/s") };
    bp_http_response head;
    bp_http_stream  *stream;
    bp_sse_event     event;
    bp_str           piece;
    size_t           total = 0, pieces = 0;
    (void)state;
    testhost_http_answer(host, "GET", "http://a/s", 200, "",
                         BP_STR(": hi\n\nevent: x\ndata: a\ndata: b\n\ndata: c\n\ndata: cut"));
    testhost_http_piece_size(host, 7);
    assert_int_equal(bp_http_open(call, &request, &head, &stream), BP_OK);
    for (;; pieces++) {
        assert_int_equal(bp_http_read(call, stream, &piece), BP_OK);
        if (!piece.len)
            break;
        assert_true(piece.len <= 7);
        total += piece.len;
    }
    assert_int_equal(total, 50);
    bp_http_close(stream);
    assert_int_equal(bp_http_open(call, &request, &head, &stream), BP_OK);
    assert_int_equal(bp_http_read_event(call, stream, 1000, &event), BP_OK);
    assert_true(bp_str_is(event.event, "x"));
    assert_true(bp_str_is(event.data, "a\nb"));
    assert_int_equal(bp_http_read_event(call, stream, 1000, &event), BP_OK);
    assert_true(bp_str_is(event.data, "c"));
    assert_int_equal(bp_http_read_event(call, stream, 1000, &event), BP_OK);
    assert_true(event.is_end);
    bp_http_close(stream);
    testhost_http_break_after(host, 10);
    assert_int_equal(bp_http_open(call, &request, &head, &stream), BP_OK);
    assert_int_equal(bp_http_read(call, stream, &piece), BP_OK);
    assert_int_equal(bp_http_read(call, stream, &piece), BP_UPSTREAM);
    testhost_call_end(call);
}

static void streams_are_scripted_or_real(void **state)
{
    bp_call   *call = testhost_call_new(host, BP_SECONDS(5));
    bp_stream *stream;
    char       bytes[4];
    size_t     count;
    (void)state;
    testhost_stream_script(host, "redis:6379", BP_STR("+PONG\r\n"));
    assert_int_equal(bp_connect(call, BP_STR("redis:6379"), bp_within(call, BP_SECONDS(1)),
                                &stream),
                     BP_OK);
    assert_int_equal(bp_write(call, stream, BP_STR("PING"), BP_FOREVER), BP_OK);
    assert_int_equal(bp_read(call, stream, bytes, 4, BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 4);
    assert_memory_equal(bytes, "+PON", 4);
    assert_int_equal(bp_read(call, stream, bytes, 4, BP_FOREVER, &count), BP_OK);
    assert_memory_equal(bytes, "G\r\n", 3);
    assert_int_equal(bp_read(call, stream, bytes, 4, BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 0);
    assert_true(bp_str_is(testhost_stream_written(host, "redis:6379"), "PING"));
    bp_close(stream);
    assert_int_equal(bp_connect(call, BP_STR("127.0.0.1:1"), bp_within(call, BP_SECONDS(1)),
                                &stream),
                     BP_UNAVAILABLE);
    assert_non_null(strstr(bp_error_of(call)->message.data, "127.0.0.1:1"));
    testhost_call_end(call);
}

static void a_descriptor_is_waited_for_until_the_deadline(void **state)
{
    bp_call *call = testhost_call_new(host, BP_SECONDS(5));
    int      ends[2];
    uint32_t ready = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(bp_wait_fd(call, ends[0], BP_FD_READ, bp_within(call, BP_MILLISECONDS(20)),
                                NULL),
                     BP_DEADLINE);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(bp_wait_fd(call, ends[0], BP_FD_READ, BP_FOREVER, &ready), BP_OK);
    assert_int_equal(ready, BP_FD_READ);
    close(ends[0]);
    close(ends[1]);
    testhost_call_end(call);
}

static void json_is_the_hosts_own(void **state)
{
    bp_call        *call = testhost_call_new(host, BP_SECONDS(5));
    const bp_json  *value;
    bp_json_writer *w = bp_json_writer_new(call, 100);
    bp_str          text;
    (void)state;
    assert_int_equal(bp_json_parse(call, BP_STR("{\"a\":[1,2.5,\"x\"]}"), &value), BP_OK);
    assert_int_equal(bp_json_integer(bp_json_at(bp_json_get(value, "a"), 0)), 1);
    assert_true(bp_str_is(bp_json_text(call, bp_json_get(value, "a")), "[1,2.5,\"x\"]"));
    assert_int_equal(bp_json_parse(call, BP_STR("{\"a\":1,}"), &value), BP_INVALID);
    bp_json_object(w);
    bp_json_put_integer(w, "n", 7);
    bp_json_end(w);
    assert_int_equal(bp_json_done(call, w, &text), BP_OK);
    assert_true(bp_str_is(text, "{\"n\":7}"));
    testhost_call_end(call);
}

static void secrets_are_masked_as_in_a_server(void **state)
{
    bp_call *call = testhost_call_new(host, BP_SECONDS(1));

    (void)state;
    bp_fail(call, BP_UNAVAILABLE, "http://u:hunter2@h/x?api_key=abc cannot be reached");
    assert_string_equal(bp_error_of(call)->message.data,
                        "http://***@h/x?api_key=*** cannot be reached");
    bp_log_event(call, BP_LOG_INFO, "tried", BP_STR("http://u:hunter2@h/"),
                 (bp_field[]){ bp_field_str("url", BP_STR("redis://u:hunter2@h")),
                               bp_field_int("attempt", 2) },
                 2);
    assert_true(testhost_log_has(host, "url=redis://***@h attempt=2"));
    assert_false(testhost_log_has(host, "hunter2"));
    testhost_call_end(call);
}

static void what_is_no_json_is_said_in_the_words_of_a_server(void **state)
{
    bp_call       *call = testhost_call_new(host, BP_SECONDS(1));
    const bp_json *value;

    (void)state;
    assert_int_equal(bp_json_parse(call, BP_STR("{\"a\":"), &value), BP_INVALID);
    assert_non_null(strstr(bp_error_of(call)->message.data, "this is not JSON that can be read: "));
    testhost_call_end(call);
}

static void an_app_is_asked_by_its_routes(void **state)
{
    const bp_plugin   *plugin = testhost_load_entry(host, app_entry);
    testhost_instance *app = testhost_instance_create(host, plugin, "app", NULL, 0);
    bp_call           *call = testhost_call_new(host, BP_SECONDS(5));
    testhost_reply     reply;
    (void)state;
    assert_non_null(app);
    reply = testhost_request_app(call, app, "POST", "/greet/a%20b?x=1&who=c+d", "X-Mark: m\r\n",
                                 BP_STR("body"));
    assert_int_equal(reply.status, BP_OK);
    assert_int_equal(reply.http_status, 201);
    assert_true(bp_str_is(reply.body, "a b/c d/body"));
    assert_string_equal(reply.headers, "X-Seen: m\r\n");
    reply = testhost_request_app(call, app, "POST", "/greet/x", NULL, BP_STR(""));
    assert_int_equal(reply.status, BP_INVALID);
    assert_string_equal(bp_error_of(call)->message.data, "say who, not \"\"");
    assert_int_equal(reply.http_status, 0);
    reply = testhost_request_app(call, app, "GET", "/tell/a/b", NULL, BP_STR(""));
    assert_true(reply.is_stream);
    assert_true(bp_str_is(reply.body, "event: note\ndata: one\ndata: two\n\ndata: a/b\n\n"));
    assert_int_equal(testhost_request_app(call, app, "GET", "/nowhere", NULL, BP_STR("")).status,
                     BP_NOT_FOUND);
    testhost_call_end(call);
    testhost_instance_destroy(app);
}

static void a_structured_result_is_what_the_tool_promises(void **state)
{
    const bp_plugin   *plugin = testhost_load_entry(host, app_entry);
    testhost_instance *app = testhost_instance_create(host, plugin, "greeter", NULL, 0);
    bp_call           *call = testhost_call_new(host, BP_SECONDS(1));

    (void)state;
    assert_int_equal(testhost_call_tool(call, app, "echo", "{\"n\":1}").status, BP_OK);
    assert_int_equal(testhost_call_tool(call, app, "echo", "{\"m\":1}").status, BP_INTERNAL);
    assert_non_null(strstr(bp_error_of(call)->message.data, "the structured result is not what "
                                                            "the tool's output schema says: "));
    testhost_call_end(call);
    testhost_instance_destroy(app);
}

struct counting {
    int64_t most;
    bool    is_ended_by_itself;
};

static bp_status count_up(bp_call *call, void *instance, bp_run *run, void *argument)
{
    const struct counting *counting = argument;
    bp_run_spec            again = {
                   .struct_size = sizeof(again), .what = "count", .work = count_up, .id = BP_STR("one")
    };
    bp_str id;

    (void)instance;
    bp_run_progress(run, counting->most, counting->most);
    bp_run_message(run, BP_STR("counted"));
    assert_int_equal(bp_run_begin(call, &again, &id), BP_CONFLICT);
    if (counting->is_ended_by_itself)
        assert_int_equal(bp_run_cancel(call, BP_STR("one")), BP_OK);
    if (counting->most < 0)
        return bp_fail(call, BP_INVALID, "nobody counts down");
    assert_int_equal(bp_run_result(call, run, BP_STR("{")), BP_INVALID);
    return bp_run_result(call, run, BP_STR("{\"n\":7}"));
}

static bp_run_view counted(bp_call *call, int64_t most, bool is_ended_by_itself)
{
    struct counting counting = { most, is_ended_by_itself };
    bp_run_spec     spec = { .struct_size = sizeof(spec),
                             .what = "count",
                             .work = count_up,
                             .argument = &counting,
                             .argument_bytes = sizeof(counting),
                             .id = BP_STR("one") };
    bp_run_view     view = { .struct_size = sizeof(view) };
    bp_str          id;

    assert_int_equal(bp_run_begin(call, &spec, &id), BP_OK);
    assert_true(bp_str_is(id, "one"));
    assert_int_equal(bp_run_wait(call, id, BP_FOREVER, &view), BP_OK);
    return view;
}

static void a_run_is_over_when_it_was_begun(void **state)
{
    const bp_plugin   *plugin = testhost_load_entry(host, app_entry);
    testhost_instance *app = testhost_instance_create(host, plugin, "greeter", NULL, 0);
    bp_call           *call = testhost_call_new(host, BP_SECONDS(1));
    bp_run_view        view;

    (void)state;
    testhost_call_tool(call, app, "echo", "{\"n\":1}"); // from here on it is a call of the app
    view = counted(call, 7, false);
    assert_int_equal(view.state, BP_RUN_COMPLETED);
    assert_int_equal(view.done, 7);
    assert_true(bp_str_is(view.result, "{\"n\":7}"));
    assert_true(bp_str_is(view.what, "count"));
    assert_true(bp_str_is(view.message, "counted"));
    assert_int_equal(bp_run_cancel(call, BP_STR("one")), BP_CONFLICT);
    view = counted(call, -1, false);
    assert_int_equal(view.state, BP_RUN_FAILED);
    assert_int_equal(view.status, BP_INVALID);
    assert_true(bp_str_is(view.problem, "nobody counts down"));
    assert_int_equal(counted(call, 7, true).state, BP_RUN_CANCELLED);
    assert_int_equal(bp_run_look(call, BP_STR("two"), &view), BP_NOT_FOUND);
    testhost_call_end(call);
    testhost_instance_destroy(app);
}

static void values_of_a_uri_are_decoded(void **state)
{
    const bp_plugin   *plugin = testhost_load_entry(host, app_entry);
    testhost_instance *app = testhost_instance_create(host, plugin, "greeter", NULL, 0);
    bp_call           *call = testhost_call_new(host, BP_SECONDS(1));
    testhost_mcp_reply reply = testhost_read_resource(call, app, "notes://ann/a%2Fb%20c.txt");

    (void)state;
    assert_int_equal(reply.status, BP_OK);
    assert_non_null(strstr(reply.result.data, "\"a/b c\""));
    assert_int_equal(testhost_read_resource(call, app, "notes://ann/x/y.txt").status, BP_NOT_FOUND);
    testhost_call_end(call);
    testhost_instance_destroy(app);
}

static void a_tool_whose_schema_is_none_is_refused_when_it_is_loaded(void **state)
{
    const char *good = tools[0].input_schema;

    (void)state;
    tools[0].input_schema = "{\"type\":\"objekt\"}";
    assert_null(testhost_load_entry(host, app_entry));
    assert_non_null(
        strstr(testhost_problem(host), "app/greeter: the MCP tool \"echo\" cannot be offered: "));
    tools[0].input_schema = "{\"type\":\"string\"}";
    assert_null(testhost_load_entry(host, app_entry));
    assert_non_null(strstr(testhost_problem(host), "its input schema has no \"type\": \"object\""));
    tools[0].input_schema = good;
    assert_non_null(testhost_load_entry(host, app_entry));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(options_are_read_with_their_defaults),
        TEST(a_wrong_option_is_a_sentence_that_names_it),
        TEST(a_step_that_fails_unwinds_those_before_it),
        TEST(workers_share_one_object_and_know_their_place),
        TEST(a_descriptor_that_is_wrong_is_refused),
        TEST(a_job_runs_at_once_and_then_by_its_interval),
        TEST(sleep_moves_the_clock_and_ends_by_the_deadline),
        TEST(a_call_frees_memory_and_runs_cleanups_at_its_end),
        TEST(a_child_hands_its_error_to_its_parent_when_joined),
        TEST(a_lock_held_by_oneself_ends_with_the_deadline),
        TEST(offload_runs_inline_or_on_a_thread),
        TEST(http_answers_come_in_their_order_and_requests_are_kept),
        TEST(http_streams_give_pieces_and_events),
        TEST(streams_are_scripted_or_real),
        TEST(a_descriptor_is_waited_for_until_the_deadline),
        TEST(json_is_the_hosts_own),
        TEST(secrets_are_masked_as_in_a_server),
        TEST(what_is_no_json_is_said_in_the_words_of_a_server),
        TEST(an_app_is_asked_by_its_routes),
        TEST(a_structured_result_is_what_the_tool_promises),
        TEST(a_run_is_over_when_it_was_begun),
        TEST(values_of_a_uri_are_decoded),
        TEST(a_tool_whose_schema_is_none_is_refused_when_it_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

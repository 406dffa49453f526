/* test_call_options.c - what a call begins with, whether it begins at once or in its turn: id,
 * principal, memory, trace; and what it returns when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/call.h"
#include "loop/pool.h"

#include "loop_rig.h"

/* What was seen of the last call that ran. */
static struct {
    char         id[2 * CALL_ID_BYTES];
    int64_t      deadline_ns;
    uint64_t     client;
    void        *owner;
    bp_principal principal;
    bool         has_half, has_all; /* of the memory that was asked for */
    int          runs;
} seen;

enum { MEMORY_BYTES = 1 << 20 };

static void look(bp_call *call, void *arg)
{
    assert_ptr_equal(arg, &seen);
    snprintf(seen.id, sizeof(seen.id), "%s", call->request_id);
    seen.deadline_ns = call->deadline_ns;
    seen.client = call->client;
    seen.owner = call->owner;
    seen.principal = call->principal;
    seen.has_half = arena_alloc(call->arena, MEMORY_BYTES / 2) != NULL;
    seen.has_all = arena_alloc(call->arena, MEMORY_BYTES) != NULL;
    seen.runs++;
}

static bool has_run(void *arg)
{
    return seen.runs == *(int *)arg;
}

static const struct call_options *wanted;

/* From a fiber, so that it begins in its turn; what was given is gone by then. */
static void start_within(bp_call *call, void *arg)
{
    struct call_options options = *wanted;
    char                id[2 * CALL_ID_BYTES];

    (void)arg;
    memcpy(id, options.request_id.len ? options.request_id.data : "", options.request_id.len);
    options.request_id.data = id;
    assert_true(call_start(call->worker, &options, look, &seen));
    memset(id, 'X', sizeof(id));
    memset(&options, 0, sizeof(options));
}

static void begin(const struct call_options *options, bool is_within)
{
    static const struct call_options forever = { .deadline_ns = BP_FOREVER };
    int                              runs = seen.runs + 1;

    wanted = options;
    if (is_within)
        assert_true(call_start(&worker, &forever, start_within, NULL));
    else
        assert_true(call_start(&worker, options, look, &seen));
    worker_run_until(&worker, has_run, &runs);
}

static bool is_hexadecimal(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static void a_call_has_the_id_that_it_was_given_or_one_of_its_own(void **state)
{
    char text[2 * CALL_ID_BYTES], last[2 * CALL_ID_BYTES] = "";

    (void)state;
    memset(text, 'i', sizeof(text));
    for (int within = 0; within < 2; within++) {
        for (size_t len = 0; len <= CALL_ID_BYTES + 1; len++) {
            struct call_options options = { .deadline_ns = BP_FOREVER,
                                            .request_id = bp_str_n(text, len) };

            begin(&options, within);
            if (len >= 1 && len < CALL_ID_BYTES) {
                assert_int_equal(strlen(seen.id), len);
                assert_memory_equal(seen.id, text, len);
                continue;
            }
            assert_true(is_hexadecimal(seen.id, 32));
            assert_string_not_equal(seen.id, last);
            snprintf(last, sizeof(last), "%s", seen.id);
        }
    }
}

static void a_call_is_of_whom_it_was_started_for(void **state)
{
    static const bp_principal ada = { .struct_size = sizeof(ada),
                                      .is_authenticated = true,
                                      .id = BP_STR("ada"),
                                      .tenant = BP_STR("t1") };

    (void)state;
    for (int within = 0; within < 2; within++) {
        struct call_options options = { .deadline_ns = clock_now_ns() + BP_SECONDS(60),
                                        .memory_bytes = MEMORY_BYTES,
                                        .principal = &ada,
                                        .client = 7,
                                        .owner = &worker };

        begin(&options, within);
        assert_int_equal(seen.deadline_ns, options.deadline_ns);
        assert_true(bp_str_is(seen.principal.id, "ada"));
        assert_int_equal(seen.client, 7);
        assert_ptr_equal(seen.owner, &worker);
        assert_true(seen.has_half && !seen.has_all);
        begin(&(struct call_options){ .deadline_ns = BP_FOREVER }, within);
        assert_false(seen.principal.is_authenticated);
        assert_true(bp_str_is(seen.principal.tenant, "default"));
        assert_int_equal(seen.client, 0);
        assert_null(seen.owner);
        assert_true(seen.has_all);
    }
}

/* ---- when it is over ---- */

static void wait_when_over(bp_call *call)
{
    assert_int_equal(call_wait(call, clock_now_ns() - 1, "nothing"), BP_DEADLINE);
    assert_int_equal(call_over(call), BP_OK); // that was the wait's own time
    call->deadline_ns = clock_now_ns() - 1;
    assert_int_equal(call_wait(call, BP_FOREVER, "nothing"), BP_DEADLINE);
    assert_int_equal(call_over(call), BP_DEADLINE);
    call->deadline_ns = BP_FOREVER; // it stays over
    assert_int_equal(call_wait(call, BP_FOREVER, "nothing"), BP_DEADLINE);
    assert_int_equal(call_sleep(call, 1), BP_DEADLINE);
    call->over = BP_OK;
    call_cancel(call);
    assert_int_equal(call_wait(call, BP_FOREVER, "nothing"), BP_CANCELLED);
    assert_int_equal(call_sleep(call, 0), BP_CANCELLED);
    assert_non_null(strstr(call->error.message.data, "the caller no longer waits"));
}

static void a_call_that_is_over_waits_for_nothing(void **state)
{
    (void)state;
    on_call(wait_when_over);
}

static void look_at_trace(bp_call *call)
{
    static const char given[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
    bp_str            text;
    char              first[56];

    call_set_trace(call, bp_str_of(given));
    text = call_traceparent(call);
    assert_int_equal(text.len, 55);
    assert_memory_equal(text.data, given, 36);               // the trace is the caller's
    assert_memory_not_equal(text.data + 36, given + 36, 16); // and the span our own
    assert_memory_equal(text.data + 52, "-03", 3);
    call_set_trace(call, BP_STR("none"));
    text = call_traceparent(call);
    assert_int_equal(text.len, 55);
    assert_memory_equal(text.data + 52, "-01", 3);
    assert_memory_not_equal(text.data + 3, given + 3, 32);
    assert_memory_not_equal(text.data + 3, "00000000000000000000000000000000", 32);
    assert_memory_not_equal(text.data + 36, "0000000000000000", 16);
    memcpy(first, text.data, 56);
    assert_memory_equal(call_traceparent(call).data, first, 55); // the same whenever it is asked
}

static void a_trace_is_the_callers_or_made_when_it_is_asked_for(void **state)
{
    (void)state;
    on_call(look_at_trace);
}

/* ---- pools ---- */

static bp_status say_conflict(bp_call *call, void *arg)
{
    (void)arg;
    return call_fail(call, BP_CONFLICT, "on the fiber");
}

static bp_status ask_fiber(bp_call *call, void *arg)
{
    (void)arg;
    return pool_run_on_fiber(call, say_conflict, NULL);
}

static void ask_from_job(bp_call *call)
{
    struct bp_pool *pool = pool_create("test", 1);

    assert_int_equal(pool_offload(call, pool, ask_fiber, NULL), BP_CONFLICT);
    assert_string_equal(call->error.message.data, "on the fiber");
    call_cancel(call);
    assert_int_equal(pool_offload(call, pool, ask_fiber, NULL), BP_CANCELLED);
    pool_destroy(pool);
}

static void a_job_hears_what_its_fiber_found(void **state)
{
    (void)state;
    on_call(ask_from_job);
}

static void a_pool_has_1_to_64_threads(void **state)
{
    static const struct {
        int  threads;
        bool is_good;
    } pools[] = { { 0, false }, { 1, true }, { 64, true }, { 65, false } };

    (void)state;
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        struct bp_pool *pool = pool_create("test", (uint32_t)pools[i].threads);

        assert_int_equal(pool != NULL, pools[i].is_good);
        if (pool)
            pool_destroy(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_WORKER(a_call_has_the_id_that_it_was_given_or_one_of_its_own),
        ON_WORKER(a_call_is_of_whom_it_was_started_for),
        ON_WORKER(a_call_that_is_over_waits_for_nothing),
        ON_WORKER(a_trace_is_the_callers_or_made_when_it_is_asked_for),
        ON_WORKER(a_job_hears_what_its_fiber_found),
        ON_WORKER(a_pool_has_1_to_64_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

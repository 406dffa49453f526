/* test_call_life.c - what a call is told, says and leaves behind: traces, errors, ids, lines,
 * children and memory. The files under test are compiled in, so that memory and fibers can be
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "loop/call.h"
#include "loop/fiber.h"

static bool     is_memory_gone, are_fibers_gone;
static int64_t  skipped_ns; /* how far the clock of the test is ahead */
static uint8_t  next_random;
static unsigned pieces; /* of heap memory that calls hold */

static void *calloc_unless_gone(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    pieces += !is_memory_gone;
    return is_memory_gone ? NULL : calloc(count, size);
}

static void *malloc_unless_gone(size_t size)
{
    pieces += !is_memory_gone;
    return is_memory_gone ? NULL : malloc(size);
}

static void count_free(void *piece)
{
    pieces -= piece != NULL;
    free(piece);
}

static struct fiber *start_unless_gone(struct worker *of, void (*run)(struct fiber *, void *),
                                       void          *arg)
{
    return are_fibers_gone ? NULL : fiber_start(of, run, arg);
}

static int arenas_freed;

static void count_arena_free(struct arena *arena)
{
    arenas_freed++;
    arena_free(arena);
}

static int64_t test_now_ns(void)
{
    return clock_now_ns() + skipped_ns;
}

/* 1, 2, 3, ... */
static void count_up(void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = ++next_random;
}

static struct {
    int      count;
    uint32_t level;
    char     event[80], message[80], fields[2048];
    size_t   field_count;
} logged;

static void note_line(struct log *log, uint32_t level, const char *event, bp_str message,
                      const bp_field *fields, size_t field_count)
{
    size_t len = 0;

    (void)log;
    logged.count++;
    logged.level = level;
    logged.field_count = field_count;
    snprintf(logged.event, sizeof(logged.event), "%s", event);
    snprintf(logged.message, sizeof(logged.message), "%.*s", (int)message.len, message.data);
    logged.fields[0] = '\0';
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].type == 0)
            len += (size_t)snprintf(logged.fields + len, sizeof(logged.fields) - len, "%s=%.*s ",
                                    fields[i].name, (int)fields[i].text.len, fields[i].text.data);
        else
            len += (size_t)snprintf(logged.fields + len, sizeof(logged.fields) - len, "%s=%lld ",
                                    fields[i].name, (long long)fields[i].integer);
    }
}

static bool from_info_on(const struct log *log, uint32_t level)
{
    (void)log;
    return level >= BP_LOG_INFO;
}

#define calloc        calloc_unless_gone
#define malloc        malloc_unless_gone
#define free          count_free
#define fiber_start   start_unless_gone
#define arena_free    count_arena_free
#define clock_now_ns  test_now_ns
#define crypto_random count_up
#define log_event     note_line
#define log_record    note_line
#define log_enabled   from_info_on
#include "loop/call.c"
#undef calloc
#undef malloc
#undef free
#undef fiber_start
#undef arena_free
#undef clock_now_ns
#undef crypto_random

#include "loop_rig.h"

static int begin_life(void **state)
{
    is_memory_gone = are_fibers_gone = false;
    skipped_ns = 0;
    next_random = 0;
    pieces = 0;
    memset(&logged, 0, sizeof(logged));
    return set_up(state);
}

static int end_life(void **state)
{
    return tear_down(state) == 0 && pieces == 0 ? 0 : -1;
}

#define LIFE(test) cmocka_unit_test_setup_teardown(test, begin_life, end_life)

/* ---- traces ---- */

static void set_traces(bp_call *call)
{
    static const struct {
        const char *header;
        bool        is_continued;
    } headers[] = {
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00", true },
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef-0", false },
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef-000", false }, // of version 00
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00-", false },
        { "01-0123456789abcdef0123456789abcdef-0123456789abcdef-00", true },
        { "01-0123456789abcdef0123456789abcdef-0123456789abcdef-00-more", true },
        { "01-0123456789abcdef0123456789abcdef-0123456789abcdef-00more", false },
        { "fe-0123456789abcdef0123456789abcdef-0123456789abcdef-00", true },
        { "ff-0123456789abcdef0123456789abcdef-0123456789abcdef-00", false },
        { "0g-0123456789abcdef0123456789abcdef-0123456789abcdef-00", false },
        { "00 0123456789abcdef0123456789abcdef-0123456789abcdef-00", false },
        { "00-0123456789abcdef0123456789abcdef 0123456789abcdef-00", false },
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef 00", false },
        { "00-0123456789Abcdef0123456789abcdef-0123456789abcdef-00", false },
        { "00-0123456789abcdeF0123456789abcdef-0123456789abcdef-00", false },
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef-0A", false },
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef-0F", false },
        { "00-0123456789abcdeg0123456789abcdef-0123456789abcdef-00", false },
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdeg-00", false },
        { "00-0123456789abcdef0123456789abcdef-0123456789abcdef-0g", false },
        { "00-00000000000000000000000000000000-0123456789abcdef-00", false },
        { "00-00000000000000000000000000000001-0123456789abcdef-00", true },
        { "00-0123456789abcdef0123456789abcdef-0000000000000000-00", false },
        { "00-0123456789abcdef0123456789abcdef-0000000000000001-00", true },
        { "", false },
    };
    static const struct call_trace none;

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        char expected[56];

        next_random = 0xA0;
        call_set_trace(call, bp_str_of(headers[i].header));
        assert_string_equal(call->traceparent, "");
        if (headers[i].is_continued)
            snprintf(expected, sizeof(expected), "00-%.32s-a1a2a3a4a5a6a7a8-00",
                     headers[i].header + 3);
        else
            snprintf(expected, sizeof(expected),
                     "00-a1a2a3a4a5a6a7a8a9aaabacadaeafb0-b1b2b3b4b5b6b7b8-01");
        if (!headers[i].is_continued)
            assert_memory_equal(&call->trace, &none, sizeof(none));
        assert_true(bp_str_is(call_traceparent(call), expected));
        next_random = 0;
        assert_true(bp_str_is(call_traceparent(call), expected));
    }
    call_set_trace(call, BP_STR("00-000102030405060708090a0b0c0d0e0f-1011121314151617-a5"));
    for (uint8_t i = 0; i < 16; i++)
        assert_int_equal(call->trace.trace_id[i], i);
    assert_int_equal(call->trace.flags, 0xa5);
}

static void a_trace_is_continued_from_a_header_of_the_right_form_alone(void **state)
{
    (void)state;
    on_call(set_traces);
}

/* ---- errors ---- */

static void say_errors(bp_call *call)
{
    char        long_text[2000];
    static char file[] = "plugin.c";

    call->plugin = "storage/sqlite";
    call->op = "query";
    assert_int_equal(call_set_error(call, BP_IO, BP_STR("it failed"), file, 17), BP_IO);
    assert_int_equal(call->error.struct_size, sizeof(bp_error));
    assert_int_equal(call->error.status, BP_IO);
    assert_true(bp_str_is(call->error.message, "it failed"));
    assert_true(bp_str_is(call->error.plugin, "storage/sqlite"));
    assert_true(bp_str_is(call->error.op, "query"));
    assert_ptr_equal(call->error.file, file);
    assert_int_equal(call->error.line, 17);
    assert_int_equal(call->error.client_message.len, 0);
    call_set_error(call, BP_IO, BP_STR("see https://u:pw@host/some/path"), NULL, 0);
    assert_null(strstr(call->error.message.data, "pw"));
    assert_non_null(strstr(call->error.message.data, "/some/path"));
    call->plugin = "alert/slack"; // the path is the key
    call_set_error(call, BP_IO, BP_STR("see https://host/some/path"), NULL, 0);
    assert_null(strstr(call->error.message.data, "some"));
    call->plugin = "alert";
    call_set_error(call, BP_IO, BP_STR("see https://u:pw@host/some/path"), NULL, 0);
    assert_non_null(strstr(call->error.message.data, "/some/path"));
    call->plugin = call->op = NULL;

    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    for (size_t len = 1022; len <= 1026; len++) {
        assert_int_equal(call_fail(call, BP_DATA, "%.*s", (int)len, long_text), BP_DATA);
        assert_int_equal(call->error.message.len, len < 1023 ? len : 1023);
    }
    assert_null(call->error.file);
    assert_int_equal(call_fail(call, BP_DATA, "%lc", 0x7FFFFFFFu), BP_DATA); // cannot be written
    assert_int_equal(call->error.message.len, 0);

    call_fail_over(call, BP_CANCELLED, "reading");
    assert_true(
        bp_str_is(call->error.message, "reading was given up because the caller no longer waits"));
    assert_int_equal(call->error.status, BP_CANCELLED);
    assert_int_equal(call_fail_over(call, BP_DEADLINE, "reading"), BP_DEADLINE);
    assert_true(bp_str_is(call->error.message, "reading took longer than the time allowed"));
    call_clear_error(call);
    assert_int_equal(call->error.status, BP_OK);
    while (arena_alloc(call->arena, 1))
        ;
    call_set_error(call, BP_IO, BP_STR("it failed"), NULL, 0);
    assert_true(bp_str_is(call->error.message, "the memory allowed for this call is used up"));
    call_set_error(call, BP_IO, BP_STR(""), NULL, 0);
    assert_int_equal(call->error.message.len, 0);
}

static void an_error_says_who_failed_and_no_secret(void **state)
{
    struct script script = { .run = say_errors };

    (void)state;
    assert_true(
        call_start(&worker,
                   &(struct call_options){ .deadline_ns = BP_FOREVER, .memory_bytes = 65536 },
                   run_script, &script));
    assert_true(script.is_done);
}

static void nest_scratch(bp_call *call)
{
    struct arena *own = call->arena;

    call->own_arena.limit_bytes = 4321;
    assert_int_equal(call_scratch_begin(call), BP_OK);
    assert_int_equal(call->arena->limit_bytes, 4321);
    assert_int_equal(pieces, 1);
    is_memory_gone = true;
    assert_int_equal(call_scratch_begin(call), BP_NO_MEMORY);
    assert_int_equal(call->error.status, BP_NO_MEMORY);
    is_memory_gone = false;
    for (int depth = 2; depth <= 8; depth++) {
        assert_int_equal(call->scratch->depth, depth - 1);
        assert_int_equal(call_scratch_begin(call), BP_OK);
    }
    assert_int_equal(call_scratch_begin(call), BP_NO_MEMORY);
    assert_string_equal(call->error.message.data,
                        "scratch memory is nested deeper than 8, or there is none left");
    assert_int_equal(pieces, 8);
    call_scratch_end(call);
    assert_int_equal(pieces, 7);
    assert_int_equal(call->scratch->depth, 7);
    assert_ptr_not_equal(call->arena, own);
    // What is still open is ended with the call.
}

static void scratch_memory_is_as_large_as_its_call_and_freed_with_it(void **state)
{
    (void)state;
    on_call(nest_scratch);
    assert_int_equal(pieces, 0);
}

/* ---- being over ---- */

static void be_over(bp_call *call)
{
    call->deadline_ns = clock_now_ns() + BP_SECONDS(1000);
    assert_int_equal(call_over(call), BP_OK);
    skipped_ns = BP_SECONDS(1000);
    assert_int_equal(call_over(call), BP_DEADLINE);
    assert_int_equal(call->over, BP_DEADLINE);
    call_cancel(call); // what ended it first stays
    assert_int_equal(call_over(call), BP_DEADLINE);
    call->shield_until_ns = test_now_ns() + BP_SECONDS(50);
    assert_int_equal(call_over(call), BP_OK);
    assert_int_equal(call_wait(call, 0, "nothing"), BP_DEADLINE); // the wait's own time
    call->deadline_ns = 1;
    assert_int_equal(limit_of(call, BP_FOREVER), call->shield_until_ns);
    assert_int_equal(limit_of(call, 5), 5);
    skipped_ns += BP_SECONDS(50);
    assert_int_equal(call_over(call), BP_DEADLINE);
    call->shield_until_ns = 0;
    assert_int_equal(limit_of(call, 5), 1);
    assert_int_equal(limit_of(call, 1), 1);
    assert_int_equal(limit_of(call, 0), 0);
    assert_int_equal(call_wait(call, BP_FOREVER, "nothing"), BP_DEADLINE);
}

static void what_ended_a_call_first_stays_and_a_shield_holds_it_off(void **state)
{
    (void)state;
    on_call(be_over);
}

static void be_cancelled_at_the_third(bp_call *call)
{
    call->cancel_at = 3;
    assert_int_equal(call_wait(call, clock_now_ns() + 1, "a"), BP_DEADLINE);
    assert_int_equal(call_wait(call, clock_now_ns() + 1, "b"), BP_DEADLINE);
    assert_int_equal(call->suspensions, 2);
    assert_int_equal(call_wait(call, BP_FOREVER, "c"), BP_CANCELLED);
    assert_int_equal(call->suspensions, 3);
    call->over = BP_OK;
    call->cancel_at = 0; // it is not counted any more
    call_wake(call);
    assert_int_equal(call_wait(call, BP_FOREVER, "d"), BP_OK);
    assert_int_equal(call->suspensions, 3);
}

static void a_test_may_cancel_a_call_at_its_nth_wait(void **state)
{
    (void)state;
    on_call(be_cancelled_at_the_third);
}

static void wait_by_the_timer(bp_call *call)
{
    uv_timer_t *timer = fiber_timer(call->fiber);
    int64_t     until_ns = clock_now_ns() + 1500000;

    assert_int_equal(call_wait(call, until_ns, "a while"), BP_DEADLINE);
    assert_true(clock_now_ns() >= until_ns);
    assert_false(uv_is_active((uv_handle_t *)timer)); // nothing wakes it later
    call_wake(call);
    assert_int_equal(call_wait(call, clock_now_ns() + BP_SECONDS(100), "a wake"), BP_OK);
    assert_false(uv_is_active((uv_handle_t *)timer));
    call->deadline_ns = clock_now_ns() + 1500000;
    assert_int_equal(call_wait(call, BP_FOREVER, "its own end"), BP_DEADLINE);
    assert_int_equal(call->over, BP_DEADLINE);
}

/* Each begins late in a millisecond of the loop's clock and so is counted from its beginning. */
static void wait_over_and_over(bp_call *call)
{
    for (int64_t left_ns = 100000; left_ns < 2100000; left_ns += 20000) {
        int64_t until_ns;

        while (clock_now_ns() % 1000000 < 950000)
            continue;
        until_ns = clock_now_ns() + left_ns;
        assert_int_equal(call_wait(call, until_ns, "a while"), BP_DEADLINE);
        assert_true(clock_now_ns() >= until_ns);
    }
}

static void no_wait_ends_before_its_limit(void **state)
{
    (void)state;
    on_call(wait_over_and_over);
}

static void the_timer_of_a_wait_is_stopped_with_it(void **state)
{
    (void)state;
    on_call(wait_by_the_timer);
}

/* ---- the beginning and the end ---- */

static char seen_id[CALL_ID_BYTES];

static void note_id(bp_call *call, void *arg)
{
    (void)arg;
    strcpy(seen_id, call->request_id);
    assert_string_equal(call_request_id_text(call), seen_id);
    call->request_id[0] = '\0';
    assert_string_equal(call_request_id_text(call), "-");
}

static void begin_refused(bp_call *call)
{
    static char         huge[8 << 20];
    struct call_options options = { .deadline_ns = BP_FOREVER };

    options.request_id = bp_str_n(huge, sizeof(huge)); // one that is too long is none
    assert_true(call_start(call->worker, &options, note_id, NULL));
    assert_int_equal(call_sleep(call, 1), BP_OK);
    fiber_yield(call->fiber);
    assert_int_equal(strlen(seen_id), 32);
    options.request_id = (bp_str){ NULL, 0 };
    is_memory_gone = true; // what begins in its turn is copied
    assert_false(call_start(call->worker, &options, note_id, NULL));
    is_memory_gone = false;
    are_fibers_gone = true;
    assert_false(call_start(call->worker, &options, note_id, NULL));
    assert_int_equal(pieces, 0);
    are_fibers_gone = false;
    assert_int_equal(worker.fibers.count, 1);
}

static void ids_count_up_under_a_prefix(void **state)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };
    char                first[CALL_ID_BYTES];

    (void)state;
    assert_true(call_start(&worker, &options, note_id, NULL));
    strcpy(first, seen_id);
    assert_int_equal(strlen(first), 32);
    assert_memory_not_equal(first, "0000000000000000", 16); // both halves are random at first
    assert_memory_not_equal(first + 18, "00000000000000", 14);
    assert_true(call_start(&worker, &options, note_id, NULL));
    assert_int_equal(strlen(seen_id), 32);
    assert_memory_equal(seen_id, first, 16);
    // The second half is a number, its lowest byte first.
    first[17]++;
    if (first[17] == '9' + 1)
        first[17] = 'a';
    assert_string_equal(seen_id, first);
    are_fibers_gone = true;
    assert_false(call_start(&worker, &options, note_id, NULL));
    are_fibers_gone = false;
    on_call(begin_refused);
}

static struct arena *arena_seen;
static void         *block_seen;

static void use_memory(bp_call *call, void *arg)
{
    arena_seen = &call->own_arena;
    block_seen = arena_alloc(call->arena, 100);
    *(size_t *)arg = call->own_arena.limit_bytes;
}

static void the_first_block_of_a_call_is_kept_for_the_next(void **state)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };
    size_t              limit_bytes = 0;
    struct arena       *arena;
    void               *block;

    (void)state;
    call_start(&worker, &options, use_memory, &limit_bytes);
    assert_int_equal(limit_bytes, 256 << 20);
    arena = arena_seen;
    block = block_seen;
    assert_int_equal(arena->used_bytes, 0);
    options.memory_bytes = 1000;
    call_start(&worker, &options, use_memory, &limit_bytes);
    assert_int_equal(limit_bytes, 1000);
    assert_ptr_equal(arena_seen, arena);
    assert_ptr_equal(block_seen, block);
    arenas_freed = 0;
    fiber_free_spares(&worker); // with the fiber it goes
    assert_int_equal(arenas_freed, 1);
}

/* ---- lines ---- */

static void log_lines(bp_call *call)
{
    bp_field fields[40];
    char     event[70];

    strcpy(call->request_id, "r1");
    call_log(call, BP_LOG_DEBUG, BP_STR("e"), BP_STR("not seen"), NULL, sizeof(bp_field), 0);
    assert_int_equal(logged.count, 0);
    call_log(call, BP_LOG_WARN, BP_STR("e"), BP_STR("of the host"), NULL, sizeof(bp_field), 0);
    assert_int_equal(logged.count, 1);
    assert_int_equal(logged.level, BP_LOG_WARN);
    assert_string_equal(logged.event, "e");
    assert_string_equal(logged.message, "of the host");
    assert_string_equal(logged.fields, "request_id=r1 ");
    call_log(call, BP_LOG_INFO, BP_STR(""), BP_STR("m"), NULL, sizeof(bp_field), 0);
    assert_string_equal(logged.event, ""); // the host's own has none
    call->request_id[0] = '\0';
    call->plugin = "p";
    call_log(call, BP_LOG_INFO, (bp_str){ NULL, 0 }, BP_STR("m"), NULL, sizeof(bp_field), 0);
    assert_string_equal(logged.event, LOG_PLUGIN_EVENT);
    assert_string_equal(logged.fields, "plugin=p ");
    call->instance = "i";
    call->op = "o";
    strcpy(call->request_id, "r2");
    for (int i = 0; i < 40; i++)
        fields[i] = bp_field_int("f", i);
    call_log_record(call, BP_LOG_INFO, BP_STR("e"), BP_STR("m"), fields, 2);
    assert_string_equal(logged.fields, "request_id=r2 plugin=p instance=i op=o f=0 f=1 ");
    call_log(call, BP_LOG_INFO, BP_STR("e"), BP_STR("m"), fields, 2 * sizeof(bp_field), 2);
    assert_string_equal(logged.fields, "request_id=r2 plugin=p instance=i op=o f=0 f=2 ");
    for (size_t count = 27; count <= 30; count++) {
        call_log(call, BP_LOG_INFO, BP_STR("e"), BP_STR("m"), fields, sizeof(bp_field), count);
        assert_int_equal(logged.field_count, count < 28 ? count + 4 : 32);
    }
    memset(event, 'e', sizeof(event));
    for (size_t len = 61; len <= 65; len++) {
        call_log(call, BP_LOG_INFO, (bp_str){ event, len }, BP_STR("m"), NULL, 0, 0);
        assert_int_equal(strlen(logged.event), len < 63 ? len : 63);
    }
    call->plugin = call->instance = call->op = NULL;
}

static void a_line_says_whose_it_is_and_holds_32_fields(void **state)
{
    (void)state;
    on_call(log_lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(a_trace_is_continued_from_a_header_of_the_right_form_alone),
        LIFE(an_error_says_who_failed_and_no_secret),
        LIFE(scratch_memory_is_as_large_as_its_call_and_freed_with_it),
        LIFE(what_ended_a_call_first_stays_and_a_shield_holds_it_off),
        LIFE(a_test_may_cancel_a_call_at_its_nth_wait),
        LIFE(no_wait_ends_before_its_limit),
        LIFE(the_timer_of_a_wait_is_stopped_with_it),
        LIFE(ids_count_up_under_a_prefix),
        LIFE(the_first_block_of_a_call_is_kept_for_the_next),
        LIFE(a_line_says_whose_it_is_and_holds_32_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

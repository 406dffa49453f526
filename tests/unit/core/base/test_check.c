/* Broken invariants of base: the process says which, and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/queue.h"
#include "core/check_test.h"

static void break_it(void)
{
    int two = 2;

    CHECK_ALWAYS(two == 3);
}

static void a_broken_invariant_is_said_with_its_place_in_the_project(void **state)
{
    (void)state;
    CHECK_ALWAYS(true);
    assert_null(check_sentence());
    assert_breaks(break_it, "tests/unit/core/base/test_check.c:18: broken invariant: two == 3\n");
}

static void a_check_for_debugging_has_no_effect_elsewhere(void **state)
{
    int looked = 0;

    (void)state;
    CHECK(++looked == 1);
    assert_int_equal(looked, HAS_CHECKS ? 1 : 0);
}

static void link_twice(void)
{
    struct queue      one = { 0 }, other = { 0 };
    struct queue_link link = { 0 };

    queue_push_back(&one, &link);
    queue_push_back(&other, &link);
}

static void remove_twice(void)
{
    struct queue      queue = { 0 };
    struct queue_link link = { 0 };

    queue_push_back(&queue, &link);
    queue_remove(&link);
    queue_remove(&link);
}

static void forget_a_neighbour(void)
{
    struct queue      queue = { 0 };
    struct queue_link links[3] = { 0 };

    for (int i = 0; i < 3; i++)
        queue_push_back(&queue, &links[i]);
    links[2].previous = &links[0]; // as if links[1] had left on its own
    queue_remove(&links[1]);
}

static void insert_behind_a_stranger(void)
{
    struct queue      one = { 0 }, other = { 0 };
    struct queue_link links[2] = { 0 };

    queue_push_back(&other, &links[0]);
    queue_insert_after(&one, &links[0], &links[1]);
}

static void links_of_a_queue_agree(void **state)
{
    (void)state;
    assert_breaks(link_twice, "broken invariant: !queue_is_linked(link)");
    assert_breaks(remove_twice, "broken invariant: queue_is_linked(link)");
    if (!HAS_CHECKS)
        return;
    assert_breaks(forget_a_neighbour, "broken invariant: queue_agrees(link)");
    assert_breaks(insert_behind_a_stranger, "broken invariant: !before || before->queue == queue");
}

static void overrun_the_block(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    arena_alloc(&arena, 16);
    arena.next = arena.end + 16;
    arena_alloc(&arena, 16);
}

static void lose_the_block(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    arena_alloc(&arena, 16);
    arena.end += 4096; // as if the piece had been larger
    arena_reset(&arena);
}

static void the_cursor_of_an_arena_stays_in_its_block(void **state)
{
    (void)state;
    assert_breaks(overrun_the_block, "broken invariant: arena->next <= arena->end");
    if (HAS_CHECKS)
        assert_breaks(lose_the_block, "broken invariant: is_cursor_in_a_block(arena)");
}

static void count_more_than_was_reserved(void)
{
    struct bp_buf buf;

    buf_init(&buf, NULL, 10000);
    buf_commit(&buf, buf_reserve(&buf, 10) ? buf.capacity : 0);
}

static void count_without_room(void)
{
    struct bp_buf buf;

    buf_init(&buf, NULL, 10000);
    buf_commit(&buf, 1);
}

static void write_past_the_maximum(void)
{
    struct bp_buf buf;

    buf_init(&buf, NULL, 4);
    buf_add(&buf, BP_STR("four"));
    buf.len = 5;
    buf_add_char(&buf, '!');
}

static void a_buffer_counts_no_more_than_it_has(void **state)
{
    (void)state;
    assert_breaks(count_more_than_was_reserved, "broken invariant: size_bytes == 0 || ");
    assert_breaks(count_without_room, "broken invariant: size_bytes == 0 || ");
    if (HAS_CHECKS)
        assert_breaks(write_past_the_maximum, "broken invariant: is_in_bounds(buf)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_invariant_is_said_with_its_place_in_the_project),
        cmocka_unit_test(a_check_for_debugging_has_no_effect_elsewhere),
        cmocka_unit_test(links_of_a_queue_agree),
        cmocka_unit_test(the_cursor_of_an_arena_stays_in_its_block),
        cmocka_unit_test(a_buffer_counts_no_more_than_it_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

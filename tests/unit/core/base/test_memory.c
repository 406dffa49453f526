/* test_memory.c - arenas, buffers and texts that several hold: where each piece lies, how much it
 * counts, and what is left when memory is refused. The files under test are compiled in for that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/shared_text.h"

static int pieces;            /* of heap memory */
static int mallocs_left = -1; /* then memory is refused; -1: never */

static bool is_refused(void)
{
    if (mallocs_left == 0)
        return true;
    mallocs_left -= mallocs_left > 0;
    return false;
}

static void *count_malloc(size_t size)
{
    void *piece = is_refused() ? NULL : malloc(size);

    pieces += piece != NULL;
    if (piece)
        memset(piece, 0xA5, size);
    return piece;
}

static void *count_realloc(void *old, size_t size)
{
    void *piece = is_refused() ? NULL : realloc(old, size);

    pieces += piece && !old;
    return piece;
}

static void count_free(void *piece)
{
    pieces -= piece != NULL;
    free(piece);
}

#define malloc  count_malloc
#define realloc count_realloc
#define free    count_free
#include "base/arena.c"
#include "base/buf.c"
#include "base/shared_text.c"
#undef malloc
#undef realloc
#undef free

static struct arena arena;

static int begin(void **state)
{
    (void)state;
    pieces = 0;
    mallocs_left = -1;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return pieces ? -1 : 0; // all of it is given back
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* ---- arenas ---- */

static size_t counted(size_t size_bytes)
{
    size_t before = arena.used_bytes;

    assert_non_null(arena_alloc_raw(&arena, size_bytes));
    return arena.used_bytes - before;
}

static void pieces_are_aligned_and_counted_as_large_as_they_are(void **state)
{
    static const size_t sizes[][2] = { { 0, 0 },   { 1, 16 },  { 15, 16 },     { 16, 16 },
                                       { 17, 32 }, { 32, 32 }, { 1024, 1024 }, { 1025, 1040 } };
    char               *first, *second;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_int_equal(counted(sizes[i][0]), sizes[i][1]);
    first = arena_alloc_raw(&arena, 16);
    second = arena_alloc_raw(&arena, 16);
    assert_ptr_equal(second, first + 16);
    assert_int_equal((uintptr_t)first % 16, 0);
    first = arena_alloc(&arena, 100); // zeroed, whatever was there
    for (int i = 0; i < 100; i++)
        assert_int_equal(first[i], 0);
    assert_ptr_equal(arena_alloc_raw(&arena, 1), first + 112);
}

static void a_limit_is_kept_to_the_byte(void **state)
{
    (void)state;
    arena.limit_bytes = 64;
    assert_false(arena_is_short(&arena));
    assert_null(arena_alloc_raw(&arena, 65));
    assert_true(arena_is_short(&arena)); // also once there was some again
    assert_non_null(arena_alloc_raw(&arena, 64));
    assert_true(arena_is_short(&arena));
    assert_null(arena_alloc_raw(&arena, 1));
    assert_non_null(arena_alloc_raw(&arena, 0));
    arena_reset(&arena);
    assert_false(arena_is_short(&arena));
    assert_non_null(arena_alloc_raw(&arena, 32));
    assert_null(arena_alloc_raw(&arena, 33));
    assert_non_null(arena_alloc_raw(&arena, 32));
    assert_null(arena_alloc(&arena, 1));
    assert_int_equal(arena.used_bytes, 64);
}

static void large_pieces_have_blocks_of_their_own(void **state)
{
    char *small, *large, *next;

    (void)state;
    small = arena_alloc_raw(&arena, 16);
    assert_int_equal(pieces, 1);
    assert_int_equal(arena.blocks->size_bytes, BLOCK_BYTES - sizeof(struct arena_block));
    large = arena_alloc_raw(&arena, BLOCK_BYTES);
    assert_int_equal(pieces, 2);
    assert_int_equal(arena.blocks->size_bytes, BLOCK_BYTES);
    assert_ptr_equal(large, arena.blocks->bytes);
    assert_int_equal(arena.used_bytes, 16 + BLOCK_BYTES);
    next = arena_alloc_raw(&arena, 16); // the block that is being filled stays
    assert_ptr_equal(next, small + 16);
    assert_int_equal(pieces, 2);
    while ((size_t)(arena.end - arena.next) > BLOCK_BYTES / 4 - 16)
        arena_alloc_raw(&arena, 16);
    small = arena.next;
    large = arena_alloc_raw(&arena, BLOCK_BYTES / 4 + 1); // large, and does not fit
    assert_ptr_equal(arena.next, small);
    assert_int_equal(pieces, 3);
    next = arena_alloc_raw(&arena, BLOCK_BYTES / 4); // small, and does not fit: the next block
    assert_int_equal(pieces, 4);
    assert_ptr_equal(next, arena.blocks->bytes);
    assert_ptr_equal(arena.next, next + BLOCK_BYTES / 4);
    assert_ptr_equal(arena.end, arena.blocks->bytes + arena.blocks->size_bytes);
    arena_reset(&arena); // all but the first
    assert_int_equal(pieces, 1);
    assert_null(arena.blocks->older);
    assert_ptr_equal(arena.next, arena.blocks->bytes);
    assert_ptr_equal(arena.end, arena.blocks->bytes + arena.blocks->size_bytes);
    assert_int_equal(arena.used_bytes, 0);
    assert_int_equal(arena.limit_bytes, 1 << 20);
}

static void a_first_block_is_kept_unless_it_is_large(void **state)
{
    (void)state;
    assert_non_null(arena_alloc_raw(&arena, BLOCK_BYTES + 1));
    assert_null(arena.next);
    arena_reset(&arena);
    assert_int_equal(pieces, 0);
    assert_null(arena.blocks);
    assert_null(arena.next);
    assert_null(arena.end);
    assert_non_null(arena_alloc_raw(&arena, BLOCK_BYTES));
    arena_reset(&arena);
    assert_int_equal(pieces, 1);
    assert_ptr_equal(arena.next, arena.blocks->bytes);
    arena_free(&arena);
    assert_int_equal(pieces, 0);
    assert_null(arena.blocks);
    assert_null(arena.next);
    assert_int_equal(arena.limit_bytes, 1 << 20);
}

static void a_cursor_is_known_to_lie_in_a_block(void **state)
{
    char elsewhere[16];

    (void)state;
    assert_true(is_cursor_in_a_block(&arena));
    arena.end = elsewhere;
    assert_false(is_cursor_in_a_block(&arena)); // an end without a beginning
    arena.end = NULL;
    arena_alloc_raw(&arena, 16);
    arena_alloc_raw(&arena, 5000);
    assert_true(is_cursor_in_a_block(&arena)); // in the second block of the list
    arena.next = arena.end;
    assert_true(is_cursor_in_a_block(&arena));
    arena.next = arena.end + 1;
    assert_false(is_cursor_in_a_block(&arena));
    arena.next = arena.blocks->older->bytes;
    assert_true(is_cursor_in_a_block(&arena));
    arena.next = arena.blocks->older->bytes - 1;
    assert_false(is_cursor_in_a_block(&arena));
    arena.next = arena.blocks->older->bytes;
    arena.end--;
    assert_false(is_cursor_in_a_block(&arena)); // the end of none
    arena.end++;
}

static char trail[16];

static void note(void *arg)
{
    strcat(trail, arg);
}

static void register_another(void *arg)
{
    note(arg);
    assert_true(arena_on_free(&arena, note, "x"));
}

static void cleanups_run_latest_first_and_may_add_more(void **state)
{
    (void)state;
    trail[0] = '\0';
    assert_true(arena_on_free(&arena, note, "a"));
    assert_true(arena_on_free(&arena, register_another, "b"));
    assert_true(arena_on_free(&arena, note, "c"));
    arena_reset(&arena);
    assert_string_equal(trail, "cbxa");
    assert_null(arena.cleanups);
    arena_reset(&arena);
    assert_string_equal(trail, "cbxa");
    arena.limit_bytes = 8;
    assert_false(arena_on_free(&arena, note, "d"));
    assert_null(arena.cleanups);
}

static void an_arena_without_memory_gives_nothing_and_stays_whole(void **state)
{
    (void)state;
    mallocs_left = 0;
    assert_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc_raw(&arena, 5000));
    assert_int_equal(arena.used_bytes, 0);
    assert_null(arena.blocks);
    assert_string_equal(arena_dup(&arena, BP_STR("text")).data, "");
    assert_int_equal(arena_dup(&arena, BP_STR("text")).len, 0);
    assert_string_equal(arena_format(&arena, "%d", 1).data, "");
    assert_false(arena_on_free(&arena, note, "d"));
    mallocs_left = -1;
    assert_true(bp_str_is(arena_dup(&arena, BP_STR("text")), "text"));
    assert_int_equal(arena_dup(&arena, BP_STR("text")).data[4], '\0');
    assert_int_equal(arena_dup(&arena, (bp_str){ NULL, 0 }).data[0], '\0');
    assert_string_equal(arena_format(&arena, "%d-%s", 12, "x").data, "12-x");
    assert_int_equal(arena_format(&arena, "%d-%s", 12, "x").len, 4);
    assert_int_equal(arena_format(&arena, "%lc", 0x7FFFFFFFu).len, 0); // cannot be written
}

/* ---- buffers ---- */

static void a_buffer_grows_by_doubling_with_a_byte_to_spare(void **state)
{
    static const struct {
        size_t reserved, capacity;
    } cases[] = { { 1, 256 },    { 255, 256 },   { 256, 512 },  { 511, 512 },
                  { 512, 1024 }, { 1023, 1024 }, { 5000, 8192 } };

    (void)state;
    for (int in_arena = 0; in_arena < 2; in_arena++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct bp_buf buf;

            buf_init(&buf, in_arena ? &arena : NULL, 1 << 16);
            assert_non_null(buf_reserve(&buf, cases[i].reserved));
            assert_int_equal(buf.capacity, cases[i].capacity);
            assert_int_equal(buf.len, 0);
            assert_true(is_in_bounds(&buf));
            buf_commit(&buf, 0);
            memset(buf.data, 'x', cases[i].reserved);
            buf_commit(&buf, cases[i].reserved);
            assert_int_equal(buf_str(&buf).len, cases[i].reserved);
            assert_int_equal(buf_str(&buf).data[cases[i].reserved], '\0');
            buf_free(&buf);
            assert_null(buf.data);
            assert_int_equal(buf.capacity + buf.len, 0);
            assert_int_equal(buf.max_bytes, 1 << 16);
            assert_ptr_equal(buf.arena, in_arena ? &arena : NULL);
        }
    }
}

static void what_is_in_a_buffer_moves_with_it(void **state)
{
    (void)state;
    for (int in_arena = 0; in_arena < 2; in_arena++) {
        struct bp_buf buf;
        char          wanted[1001];

        buf_init(&buf, in_arena ? &arena : NULL, 1000);
        for (int i = 0; i < 1000; i++) {
            wanted[i] = (char)('a' + i % 26);
            buf_add_char(&buf, wanted[i]);
        }
        wanted[1000] = '\0';
        assert_string_equal(buf_str(&buf).data, wanted);
        assert_int_equal(buf.capacity, 1024);
        buf_add(&buf, BP_STR(""));
        assert_int_equal(buf_status(&buf), BP_OK);
        buf_consume(&buf, 0);
        assert_int_equal(buf.len, 1000);
        buf_consume(&buf, 1);
        assert_string_equal(buf_str(&buf).data, wanted + 1);
        buf_consume(&buf, 990);
        assert_string_equal(buf_str(&buf).data, wanted + 991);
        buf_consume(&buf, 10); // more than there is
        assert_int_equal(buf.len, 0);
        assert_string_equal(buf_str(&buf).data, "");
        buf_consume(&buf, 1);
        buf_free(&buf);
    }
}

static void the_maximum_of_a_buffer_is_kept_to_the_byte(void **state)
{
    struct bp_buf buf;

    (void)state;
    buf_init(&buf, NULL, 10);
    assert_null(buf_reserve(&buf, 11));
    assert_int_equal(buf_status(&buf), BP_TOO_LARGE);
    assert_null(buf_reserve(&buf, 1)); // it is spoilt
    buf_reset(&buf);
    assert_int_equal(buf_status(&buf), BP_OK);
    buf_add(&buf, BP_STR("0123456"));
    assert_null(buf_reserve(&buf, 4));
    assert_string_equal(buf_str(&buf).data, "");
    buf.status = BP_OK;
    assert_ptr_equal(buf_reserve(&buf, 3), buf.data + 7);
    buf_addf(&buf, "%d", 789);
    assert_string_equal(buf_str(&buf).data, "0123456789");
    buf_addf(&buf, "%s", "");
    assert_int_equal(buf_status(&buf), BP_OK);
    buf_addf(&buf, "%lc", 0x7FFFFFFFu); // cannot be written: nothing happens
    assert_int_equal(buf_status(&buf), BP_OK);
    assert_non_null(buf_reserve(&buf, 0));
    buf_addf(&buf, "%s", "x");
    assert_int_equal(buf_status(&buf), BP_TOO_LARGE);
    assert_int_equal(buf.len, 10);
    buf_free(&buf);
    buf_init(&buf, NULL, SIZE_MAX);
    assert_int_equal(buf_str(&buf).len, 0);
    mallocs_left = 0;
    buf_add(&buf, BP_STR("x"));
    assert_int_equal(buf_status(&buf), BP_NO_MEMORY);
    assert_int_equal(buf.len, 0);
    buf_free(&buf);
}

static void no_buffer_is_a_buffer_without_memory(void **state)
{
    (void)state;
    buf_reset(NULL);
    buf_add(NULL, BP_STR("x"));
    buf_add_char(NULL, 'x');
    buf_addf(NULL, "%d", 1);
    assert_null(buf_reserve(NULL, 1));
    assert_int_equal(buf_status(NULL), BP_NO_MEMORY);
    assert_string_equal(buf_str(NULL).data, "");
    assert_int_equal(buf_str(NULL).len, 0);
}

static void the_bounds_of_a_buffer_are_checked(void **state)
{
    char                text[4];
    const struct bp_buf good[] = { { 0 },
                                   { .data = text, .len = 3, .capacity = 4, .max_bytes = 3 },
                                   { .data = text, .capacity = 1 } },
                        bad[] = { { .len = 1 },
                                  { .capacity = 1 },
                                  { .data = text, .len = 4, .capacity = 4, .max_bytes = 9 },
                                  { .data = text, .len = 3, .capacity = 4, .max_bytes = 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(is_in_bounds(&good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(is_in_bounds(&bad[i]));
}

/* ---- texts that several hold ---- */

static void a_shared_text_lives_until_the_last_lets_go(void **state)
{
    struct shared_text *text = shared_text_new(BP_STR("several hold this"));

    (void)state;
    assert_int_equal(text->refs, 1);
    assert_int_equal(text->len, 17);
    assert_string_equal(text->data, "several hold this");
    assert_true(bp_str_is(shared_text_str(text), "several hold this"));
    assert_ptr_equal(shared_text_hold(text), text);
    assert_int_equal(text->refs, 2);
    shared_text_release(text);
    assert_int_equal(text->refs, 1);
    assert_int_equal(pieces, 1);
    shared_text_release(text);
    assert_int_equal(pieces, 0);
    text = shared_text_new((bp_str){ NULL, 0 });
    assert_string_equal(text->data, "");
    assert_int_equal(shared_text_str(text).len, 0);
    shared_text_release(text);
    assert_null(shared_text_hold(NULL));
    shared_text_release(NULL);
    assert_null(shared_text_str(NULL).data);
    assert_int_equal(shared_text_str(NULL).len, 0);
    mallocs_left = 0;
    assert_null(shared_text_new(BP_STR("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTED(pieces_are_aligned_and_counted_as_large_as_they_are),
        COUNTED(a_limit_is_kept_to_the_byte),
        COUNTED(large_pieces_have_blocks_of_their_own),
        COUNTED(a_first_block_is_kept_unless_it_is_large),
        COUNTED(a_cursor_is_known_to_lie_in_a_block),
        COUNTED(cleanups_run_latest_first_and_may_add_more),
        COUNTED(an_arena_without_memory_gives_nothing_and_stays_whole),
        COUNTED(a_buffer_grows_by_doubling_with_a_byte_to_spare),
        COUNTED(what_is_in_a_buffer_moves_with_it),
        COUNTED(the_maximum_of_a_buffer_is_kept_to_the_byte),
        COUNTED(no_buffer_is_a_buffer_without_memory),
        COUNTED(the_bounds_of_a_buffer_are_checked),
        COUNTED(a_shared_text_lives_until_the_last_lets_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

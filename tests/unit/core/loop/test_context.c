/* test_context.c - the stack of a fiber: where it lies, what is below it, what is left of it, and
 * what happens when it cannot be had. The file under test is compiled in, with memory of the test's
 * own. */
#undef _FORTIFY_SOURCE // it takes a jump to another stack for a mistake; core is built so as well
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loop/annotate.h"

static bool   is_memory_gone, are_mappings_gone, is_protection_gone;
static int    pieces, mappings;
static size_t mapped_bytes;
static void  *last_mapping;

static void *context_calloc(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    pieces += !is_memory_gone;
    return is_memory_gone ? NULL : calloc(count, size);
}

static void context_free_piece(void *piece)
{
    pieces -= piece != NULL;
    free(piece);
}

static void *context_map(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (are_mappings_gone)
        return MAP_FAILED;
    assert_int_equal(protection, PROT_NONE); // what is not made a stack is a guard
    mappings++;
    mapped_bytes = size;
    last_mapping = mmap(at, size, protection, flags, fd, offset);
    return last_mapping;
}

static int context_protect(void *at, size_t size, int protection)
{
    return is_protection_gone ? -1 : mprotect(at, size, protection);
}

static int context_unmap(void *at, size_t size)
{
    assert_ptr_equal(at, last_mapping);
    assert_int_equal(size, mapped_bytes);
    mappings--;
    return munmap(at, size);
}

#define calloc   context_calloc
#define free     context_free_piece
#define mmap     context_map
#define mprotect context_protect
#define munmap   context_unmap
#include "loop/fiber_ucontext.c"
#undef calloc
#undef free
#undef mmap
#undef mprotect
#undef munmap

static struct context *context;
static char            trail[16];

static void write_and_leave(void *arg)
{
    char local = 0;

    assert_true(context_is_on_stack(context, &local));
    assert_false(context_is_guard(context, &local));
    for (;;) {
        strcat(trail, arg);
        context_leave(context);
    }
}

static void a_context_goes_on_where_it_left(void **state)
{
    char local = 0;

    (void)state;
    trail[0] = '\0';
    context = context_new(NULL, write_and_leave, "x");
    assert_non_null(context);
    assert_string_equal(trail, ""); // it begins when it is entered
    strcat(trail, "1");
    context_enter(context);
    strcat(trail, "2");
    context_enter(context);
    assert_string_equal(trail, "1x2x");
    assert_false(context_is_on_stack(context, &local));
    assert_int_equal(mappings, 1);
    assert_int_equal(pieces, 1);
    context_free(context);
    assert_int_equal(mappings, 0);
    assert_int_equal(pieces, 0);
}

static void a_stack_has_a_guard_of_64_kib_below_it(void **state)
{
    char *guard;

    (void)state;
    context = context_new(NULL, write_and_leave, "x");
    guard = context->mapping;
    assert_int_equal(mapped_bytes, (64 << 10) + context_stack_bytes());
    assert_int_equal(context_stack_bytes(), ANNOTATE_STACK_BYTES);
    assert_ptr_equal(stack_of(context), guard + (64 << 10));
    assert_false(context_is_guard(context, guard - 1));
    assert_true(context_is_guard(context, guard));
    assert_true(context_is_guard(context, guard + (64 << 10) - 1));
    assert_false(context_is_guard(context, guard + (64 << 10)));
    assert_false(context_is_on_stack(context, guard + (64 << 10) - 1));
    assert_true(context_is_on_stack(context, guard + (64 << 10)));
    assert_true(context_is_on_stack(context, guard + mapped_bytes - 1));
    assert_false(context_is_on_stack(context, guard + mapped_bytes));
    context_free(context);
}

static void a_stack_that_cannot_be_had_leaves_nothing(void **state)
{
    (void)state;
    is_memory_gone = true;
    assert_null(context_new(NULL, write_and_leave, "x"));
    is_memory_gone = false;
    are_mappings_gone = true;
    assert_null(context_new(NULL, write_and_leave, "x"));
    are_mappings_gone = false;
    assert_int_equal(pieces + mappings, 0);
    is_protection_gone = true;
    assert_null(context_new(NULL, write_and_leave, "x"));
    is_protection_gone = false;
    assert_int_equal(pieces + mappings, 0);
}

/* TSan follows no jump between stacks that it was not told of: its builds have threads as fibers.
 */
int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef ANNOTATE_TSAN
        cmocka_unit_test(a_context_goes_on_where_it_left),
        cmocka_unit_test(a_stack_has_a_guard_of_64_kib_below_it),
#endif
        cmocka_unit_test(a_stack_that_cannot_be_had_leaves_nothing),
    };

    (void)a_context_goes_on_where_it_left;
    (void)a_stack_has_a_guard_of_64_kib_below_it;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

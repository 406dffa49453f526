/* The queue whose items carry their link: its order, leaving from anywhere, walking it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/queue.h"

struct item {
    int               number;
    struct queue_link link; /* not first, so that a forgotten offset is seen */
};

/* The numbers, first to last, as digits: 1, 2, 3 are 123; and the same backwards. */
static void assert_holds(const struct queue *queue, long forwards, long backwards)
{
    const struct item *item;
    long               seen = 0;
    uint32_t           count = 0;

    QUEUE_EACH (queue, item, link) {
        seen = seen * 10 + item->number;
        count++;
        assert_ptr_equal(item->link.queue, queue);
    }
    assert_int_equal(seen, forwards);
    assert_int_equal(count, queue->count);
    seen = 0;
    for (const struct queue_link *at = queue->last; at; at = at->previous)
        seen = seen * 10 + QUEUE_ITEM(at, struct item, link)->number;
    assert_int_equal(seen, backwards);
}

static void test_zeroed_queue_is_empty(void **state)
{
    struct queue      queue = { 0 };
    struct queue_link link = { 0 };

    (void)state;
    assert_holds(&queue, 0, 0);
    assert_null(queue_pop(&queue));
    assert_null(QUEUE_ITEM(queue.first, struct item, link));
    assert_false(queue_is_linked(&link));
}

static void test_items_leave_in_the_order_in_which_they_came(void **state)
{
    struct queue queue = { 0 };
    struct item  items[4] = { { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 } };

    (void)state;
    queue_push_back(&queue, &items[1].link);
    queue_push_back(&queue, &items[2].link);
    queue_push_front(&queue, &items[0].link);
    assert_holds(&queue, 123, 321);
    queue_insert_after(&queue, &items[0].link, &items[3].link);
    assert_holds(&queue, 1423, 3241);
    for (int i = 0; i < 4; i++)
        assert_true(queue_is_linked(&items[i].link));
    assert_int_equal(QUEUE_ITEM(queue_pop(&queue), struct item, link)->number, 1);
    assert_false(queue_is_linked(&items[0].link));
    assert_int_equal(QUEUE_ITEM(queue_pop(&queue), struct item, link)->number, 4);
    assert_int_equal(QUEUE_ITEM(queue_pop(&queue), struct item, link)->number, 2);
    assert_int_equal(QUEUE_ITEM(queue_pop(&queue), struct item, link)->number, 3);
    assert_holds(&queue, 0, 0);
    assert_null(queue_pop(&queue));
}

static void test_item_leaves_from_anywhere_and_comes_back(void **state)
{
    struct queue queue = { 0 }, other = { 0 };
    struct item  items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };

    (void)state;
    for (int i = 0; i < 3; i++)
        queue_push_back(&queue, &items[i].link);
    queue_remove(&items[1].link); // the middle
    assert_false(queue_is_linked(&items[1].link));
    assert_holds(&queue, 13, 31);
    queue_push_back(&other, &items[1].link);
    assert_holds(&other, 2, 2);
    queue_remove(&items[2].link); // the last
    assert_holds(&queue, 1, 1);
    queue_push_back(&queue, &items[2].link);
    queue_remove(&items[0].link); // the first
    assert_holds(&queue, 3, 3);
    queue_remove(&items[2].link); // the only one
    assert_holds(&queue, 0, 0);
    queue_push_front(&queue, &items[0].link);
    assert_holds(&queue, 1, 1);
    assert_holds(&other, 2, 2);
}

static void test_item_may_be_freed_while_the_queue_is_walked(void **state)
{
    struct queue queue = { 0 };
    struct item *item;

    (void)state;
    for (int i = 1; i <= 6; i++) {
        item = malloc(sizeof(*item));
        *item = (struct item){ .number = i };
        queue_push_back(&queue, &item->link);
    }
    QUEUE_EACH (&queue, item, link) {
        if (item->number % 2 == 0)
            continue;
        queue_remove(&item->link);
        free(item);
    }
    assert_holds(&queue, 246, 642);
    QUEUE_EACH (&queue, item, link) {
        queue_remove(&item->link);
        free(item);
    }
    assert_holds(&queue, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_queue_is_empty),
        cmocka_unit_test(test_items_leave_in_the_order_in_which_they_came),
        cmocka_unit_test(test_item_leaves_from_anywhere_and_comes_back),
        cmocka_unit_test(test_item_may_be_freed_while_the_queue_is_walked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

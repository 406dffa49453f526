/* queue.h - the one intrusive queue: items carry their link, so that joining and leaving cost no
 * memory and no search.
 *
 * A queue and a link that are all zero are empty and in no queue. A link knows its queue, so a
 * waiter that gives up leaves from the middle in constant time, and can ask whether somebody took
 * it out before. No locks: a module that shares a queue between threads locks it. A queue must not
 * be moved in memory while it holds something.
 */
#ifndef CORE_BASE_QUEUE_H
#define CORE_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct queue;

struct queue_link {
    struct queue_link *previous, *next;
    struct queue      *queue; /* NULL: in none */
};

struct queue {
    struct queue_link *first, *last;
    uint32_t           count;
};

/* The item that `link` is the member `member` of; NULL when `link` is. */
#define QUEUE_ITEM(link, type, member) ((type *)queue_item_of((link), offsetof(type, member)))

/* Runs the statement behind it for each item, first to last; `item` is a pointer to the items'
 * type. The statement may take `item` out of the queue and free it, but none of the others. */
#define QUEUE_EACH(of, item, member)                                                               \
    for (struct queue_link *queue_at = (of)->first, *queue_after;                                  \
         queue_at && (queue_after = queue_at->next,                                                \
                     (item) = QUEUE_ITEM(queue_at, __typeof__(*(item)), member), true);            \
         queue_at = queue_after)

static inline void *queue_item_of(const struct queue_link *link, size_t offset)
{
    return link ? (void *)((uintptr_t)link - offset) : NULL;
}

static inline bool queue_is_linked(const struct queue_link *link)
{
    return link->queue != NULL;
}

/* The neighbours of a link, or the ends of its queue, point back at it. */
static inline bool queue_agrees(const struct queue_link *link)
{
    const struct queue *queue = link->queue;

    return queue && queue->count > 0 &&
           (link->previous ? link->previous->next : queue->first) == link &&
           (link->next ? link->next->previous : queue->last) == link &&
           (!link->previous || link->previous->queue == queue) &&
           (!link->next || link->next->queue == queue);
}

/* Behind `before`, which is in the queue; in front of all when that is NULL. */
static inline void queue_insert_after(struct queue *queue, struct queue_link *before,
                                      struct queue_link *link)
{
    CHECK_ALWAYS(!queue_is_linked(link)); // else two queues would share the rest of one
    CHECK(!before || before->queue == queue);
    link->queue = queue;
    link->previous = before;
    link->next = before ? before->next : queue->first;
    *(link->next ? &link->next->previous : &queue->last) = link;
    *(before ? &before->next : &queue->first) = link;
    queue->count++;
    CHECK(queue_agrees(link));
}

static inline void queue_push_back(struct queue *queue, struct queue_link *link)
{
    CHECK_ALWAYS(!queue_is_linked(link));
    *link = (struct queue_link){ .previous = queue->last, .queue = queue };
    *(queue->last ? &queue->last->next : &queue->first) = link;
    queue->last = link;
    queue->count++;
    CHECK(queue_agrees(link));
}

static inline void queue_push_front(struct queue *queue, struct queue_link *link)
{
    queue_insert_after(queue, NULL, link);
}

/* Out of whichever queue it is in. */
static inline void queue_remove(struct queue_link *link)
{
    struct queue *queue = link->queue;

    CHECK_ALWAYS(queue_is_linked(link));
    CHECK(queue_agrees(link));
    *(link->previous ? &link->previous->next : &queue->first) = link->next;
    *(link->next ? &link->next->previous : &queue->last) = link->previous;
    queue->count--;
    link->queue = NULL; // the rest is written when it joins again
    CHECK((queue->count == 0) == !queue->first && !queue->first == !queue->last);
}

/* Takes the first one out; NULL when there is none. */
static inline struct queue_link *queue_pop(struct queue *queue)
{
    struct queue_link *first = queue->first;

    if (!first)
        return NULL;
    CHECK(queue_agrees(first));
    queue->first = first->next;
    *(first->next ? &first->next->previous : &queue->last) = NULL;
    queue->count--;
    first->queue = NULL; // the rest is written when it joins again
    return first;
}

#endif

/* queue.h - the one intrusive queue: items carry their link, so that joining and leaving cost no
 * memory and no search.
 *
 * A queue and a link that are all zero are empty and in no queue. A link knows its queue, so a
 * waiter that gives up leaves from the middle in constant time, and can ask whether somebody took
 * it out before. No locks: whoever shares a queue between threads holds its own. A queue must not
 * be moved in memory while it holds something.
 */
#ifndef CORE_BASE_QUEUE_H
#define CORE_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Behind `before`, which is in the queue; in front of all when that is NULL. */
static inline void queue_insert_after(struct queue *queue, struct queue_link *before,
                                      struct queue_link *link)
{
    link->queue = queue;
    link->previous = before;
    link->next = before ? before->next : queue->first;
    *(link->next ? &link->next->previous : &queue->last) = link;
    *(before ? &before->next : &queue->first) = link;
    queue->count++;
}

static inline void queue_push_back(struct queue *queue, struct queue_link *link)
{
    queue_insert_after(queue, queue->last, link);
}

static inline void queue_push_front(struct queue *queue, struct queue_link *link)
{
    queue_insert_after(queue, NULL, link);
}

/* Out of whichever queue it is in. */
static inline void queue_remove(struct queue_link *link)
{
    struct queue *queue = link->queue;

    *(link->previous ? &link->previous->next : &queue->first) = link->next;
    *(link->next ? &link->next->previous : &queue->last) = link->previous;
    queue->count--;
    link->previous = link->next = NULL;
    link->queue = NULL;
}

/* Takes the first one out; NULL when there is none. */
static inline struct queue_link *queue_pop(struct queue *queue)
{
    struct queue_link *first = queue->first;

    if (first)
        queue_remove(first);
    return first;
}

#endif

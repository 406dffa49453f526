/* process_block.c - a list of named blocks, which only grows: as many as there are servers in the
 * conf. */
#include "plugin/process_block.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 400 };

struct block {
    struct block *next;
    size_t        size, name_len;
    char         *name;
    max_align_t   bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block   *first;

static struct block *find(bp_str name, size_t size)
{
    struct block *block = first;

    while (block && (block->size != size || block->name_len != name.len ||
                     memcmp(block->name, name.data, name.len) != 0))
        block = block->next;
    return block;
}

static struct block *make(bp_str name, size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);
    char         *copy = block ? malloc(name.len) : NULL;

    if (!copy) {
        free(block);
        return NULL;
    }
    memcpy(copy, name.data, name.len);
    block->name = copy;
    block->name_len = name.len;
    block->size = size;
    block->next = first;
    first = block;
    return block;
}

void *process_block(bp_call *call, bp_str name, size_t size)
{
    struct block *block;

    (void)call;
    if (!name.len || name.len > NAME_MAX_BYTES)
        return NULL;
    pthread_mutex_lock(&lock);
    block = find(name, size);
    if (!block)
        block = make(name, size);
    pthread_mutex_unlock(&lock);
    return block ? block->bytes : NULL;
}

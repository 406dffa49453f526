/* arena.c - memory that is freed as a whole: blocks of 4 KiB, larger pieces in blocks of their own.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

enum { BLOCK_BYTES = 4096, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *older;
    size_t              size_bytes; /* of `bytes` */
    _Alignas(ALIGNMENT) char bytes[];
};

struct arena_cleanup {
    struct arena_cleanup *older;
    void (*run)(void *arg);
    void *arg;
};

void arena_init(struct arena *arena, size_t limit_bytes)
{
    *arena = (struct arena){ .limit_bytes = limit_bytes };
}

static void run_cleanups(struct arena *arena)
{
    // A cleanup may register another one, so the list is read again each time.
    while (arena->cleanups) {
        struct arena_cleanup *cleanup = arena->cleanups;
        arena->cleanups = cleanup->older;
        cleanup->run(cleanup->arg);
    }
}

/* The cursor lies within one of the blocks, or there is none to lie in. */
static bool is_cursor_in_a_block(const struct arena *arena)
{
    const struct arena_block *block = arena->blocks;

    if (!arena->next)
        return !arena->end;
    // Large pieces have blocks of their own, in front of the one that is being filled.
    while (block && arena->end != block->bytes + block->size_bytes)
        block = block->older;
    return block && arena->next >= block->bytes && arena->next <= arena->end;
}

void arena_reset(struct arena *arena)
{
    CHECK(is_cursor_in_a_block(arena));
    run_cleanups(arena);
    while (arena->blocks && arena->blocks->older) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->older;
        free(block);
    }
    if (arena->blocks && arena->blocks->size_bytes > BLOCK_BYTES) {
        free(arena->blocks);
        arena->blocks = NULL;
    }
    arena->next = arena->blocks ? arena->blocks->bytes : NULL;
    arena->end = arena->blocks ? arena->blocks->bytes + arena->blocks->size_bytes : NULL;
    arena->used_bytes = 0;
    arena->is_short = false;
}

void arena_free(struct arena *arena)
{
    arena_reset(arena);
    free(arena->blocks);
    arena_init(arena, arena->limit_bytes);
}

static struct arena_block *add_block(struct arena *arena, size_t size_bytes)
{
    struct arena_block *block = malloc(sizeof(*block) + size_bytes);

    if (block) {
        block->size_bytes = size_bytes;
        block->older = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *arena_alloc_raw(struct arena *arena, size_t size_bytes)
{
    struct arena_block *block;
    char               *piece;

    if (size_bytes > arena->limit_bytes || arena->used_bytes > arena->limit_bytes - size_bytes) {
        arena->is_short = true;
        return NULL;
    }
    CHECK_ALWAYS(arena->next <= arena->end);
    size_bytes = (size_bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!arena->next || (size_t)(arena->end - arena->next) < size_bytes) {
        bool is_large = size_bytes > BLOCK_BYTES / 4;

        block = add_block(arena, is_large ? size_bytes : BLOCK_BYTES - sizeof(struct arena_block));
        if (!block) {
            arena->is_short = true;
            return NULL;
        }
        if (is_large) {
            // The block that is being filled stays the one that is filled next.
            arena->used_bytes += size_bytes;
            return block->bytes;
        }
        arena->next = block->bytes;
        arena->end = block->bytes + block->size_bytes;
    }
    piece = arena->next;
    arena->next += size_bytes;
    arena->used_bytes += size_bytes;
    CHECK(arena->next <= arena->end && (uintptr_t)piece % ALIGNMENT == 0);
    return piece;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    void *piece = arena_alloc_raw(arena, size_bytes);

    return piece ? memset(piece, 0, size_bytes) : NULL;
}

bp_str arena_dup(struct arena *arena, bp_str text)
{
    char *copy = arena_alloc_raw(arena, text.len + 1);

    if (!copy)
        return (bp_str){ "", 0 };
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return (bp_str){ copy, text.len };
}

bp_str arena_format(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    bp_str  out = { "", 0 };
    char   *text;
    int     len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (text) {
        vsnprintf(text, (size_t)len + 1, format, again);
        out = (bp_str){ text, (size_t)len };
    }
    va_end(again);
    va_end(args);
    return out;
}

bool arena_on_free(struct arena *arena, void (*cleanup)(void *arg), void *arg)
{
    struct arena_cleanup *entry = arena_alloc(arena, sizeof(*entry));

    if (!entry)
        return false;
    entry->run = cleanup;
    entry->arg = arg;
    entry->older = arena->cleanups;
    arena->cleanups = entry;
    return true;
}

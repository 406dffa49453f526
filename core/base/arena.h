/* arena.h - memory that is freed as a whole, with a list of cleanups.
 *
 * A call, a conf file and an instance each own one. Allocation moves a pointer through blocks; a
 * limit that is stated when the arena is made bounds it. Not for use by two threads at once.
 */
#ifndef CORE_BASE_ARENA_H
#define CORE_BASE_ARENA_H

#include <stddef.h>

#include <backplane/base.h>

struct arena_block;
struct arena_cleanup;

struct arena {
    struct arena_block
         *blocks; /* newest first; the last one of the list is kept by arena_reset() */
    char *next;
    char *end;
    struct arena_cleanup *cleanups;
    size_t                used_bytes;
    size_t                limit_bytes;
    bool                  is_short;
};

void arena_init(struct arena *arena, size_t limit_bytes);
/* Runs the cleanups, latest first, and gives back all but the first block. */
void arena_reset(struct arena *arena);
/* Runs the cleanups and gives back everything; the arena may be used again after arena_init(). */
void arena_free(struct arena *arena);

/* Zeroed, aligned for any type; NULL when the limit or the memory of the machine is used up. */
void *arena_alloc(struct arena *arena, size_t size_bytes);
/* The same, not zeroed: for memory that is written over at once. */
void *arena_alloc_raw(struct arena *arena, size_t size_bytes);
/* Whether memory was asked for and not given since arena_init() or arena_reset(): then a text made
 * in between may be empty or shorter, and must not decide who may do what. */
static inline bool arena_is_short(const struct arena *arena)
{
    return arena->is_short;
}
/* A copy with a NUL behind it; empty when there is no memory. */
bp_str arena_dup(struct arena *arena, bp_str text);
bp_str arena_format(struct arena *arena, const char *format, ...) BP_FORMAT(2, 3);
/* false when there is no memory: the cleanup is then not registered. */
bool arena_on_free(struct arena *arena, void (*cleanup)(void *arg), void *arg);

#endif

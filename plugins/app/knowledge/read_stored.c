/* read_stored.c - the whole graph, a search, and entities by name, read from the storage: for a
 * graph that does not fit into memory, and for an answer that does not fit into one piece.
 *
 * A search looks through all entities, page by page, in scratch memory, and then reads those that
 * fit with what touches them. An answer ends when it has ANSWER_PART_BYTES; its cursor is the
 * entity that was written last, and how far.
 */
#define _GNU_SOURCE // memmem()
#include <stdlib.h>

#include "fold.h"
#include "pages.h"

enum { ANSWER_PART_BYTES = 2 << 20, SCAN_BYTES = 256 << 10, MATCHES_MAX = 64 };

struct answer {
    bp_json_writer *entities, *relations;
    size_t          bytes;
    struct place    place;
    bool            is_cut;
    int64_t        *seen; /* numbers of relations, in a table; 0: free */
    size_t          seen_count, seen_room;
};

static size_t bytes_left(const struct answer *a)
{
    return a->bytes < ANSWER_PART_BYTES ? ANSWER_PART_BYTES - a->bytes : 0;
}

/* Cuts the answer: it goes on at `place`. */
static void cut(struct answer *a, struct place place)
{
    a->place = place;
    a->is_cut = true;
}

static size_t slot_of(const struct answer *a, int64_t number)
{
    size_t slot = ((uint64_t)number * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & (a->seen_room - 1);

    while (a->seen[slot] && a->seen[slot] != number)
        slot = (slot + 1) & (a->seen_room - 1);
    return slot;
}

/* Whether the relation is new to this answer. */
static bp_status see(bp_call *call, struct answer *a, int64_t number, bool *is_new)
{
    if (2 * a->seen_count >= a->seen_room) {
        struct answer before = *a;

        a->seen_room = before.seen_room ? 2 * before.seen_room : 64;
        a->seen = BP_NEW_ARRAY(call, int64_t, a->seen_room);
        if (!a->seen)
            return BP_NO_MEMORY;
        for (size_t i = 0; i < before.seen_room; i++)
            if (before.seen[i])
                a->seen[slot_of(a, before.seen[i])] = before.seen[i];
    }
    *is_new = a->seen[slot_of(a, number)] != number;
    a->seen[slot_of(a, number)] = number;
    a->seen_count += *is_new;
    return BP_OK;
}

static bp_status put_page(bp_call *call, struct answer *a, const struct page *page)
{
    a->bytes += page->bytes;
    for (size_t i = 0; i < page->entity_count; i++) {
        bp_json_object(a->entities);
        page_write_entity(a->entities, &page->entities[i]);
        bp_json_end(a->entities);
    }
    for (size_t i = 0; i < page->relation_count; i++) {
        bool is_new;

        BP_TRY(see(call, a, page->relations[i].number, &is_new));
        if (!is_new)
            continue;
        bp_json_object(a->relations);
        page_write_relation(a->relations, &page->relations[i]);
        bp_json_end(a->relations);
    }
    return BP_OK;
}

/* ---- all ---- */

static bp_status put_all(bp_call *call, struct knowledge *self, struct answer *a)
{
    while (a->place.stage < STAGE_END && bytes_left(a)) {
        struct page page;

        BP_TRY(page_read(call, self, bytes_left(a), &a->place, &page));
        BP_TRY(put_page(call, a, &page));
    }
    a->is_cut = a->place.stage < STAGE_END;
    return BP_OK;
}

/* ---- some ---- */

/* The entity, from `from` on, with the relations that touch it. */
static bp_status put_entity(bp_call *call, struct knowledge *self, struct answer *a,
                            struct place from)
{
    struct page page;
    bp_str      name;

    if (!bytes_left(a)) {
        cut(a, (struct place){ .entity = from.entity - 1 });
        return BP_OK;
    }
    BP_TRY(page_name(call, self, from.entity, &name));
    if (!name.len)
        return BP_OK; // it is gone meanwhile
    if (!from.relation) {
        BP_TRY(page_read_entity(call, self, bytes_left(a), from.entity, &from.observation, &page));
        BP_TRY(put_page(call, a, &page));
    }
    while (!from.observation && bytes_left(a)) {
        BP_TRY(page_read_touching(call, self, bytes_left(a), name, &from.relation, &page));
        BP_TRY(put_page(call, a, &page));
        if (!from.relation)
            return BP_OK;
    }
    if (!from.observation && !from.relation)
        from.stage = STAGE_RELATIONS; // they have not begun
    cut(a, from);
    return BP_OK;
}

/* What the last answer did not bring to its end. */
static bp_status put_rest(bp_call *call, struct knowledge *self, struct answer *a)
{
    struct place from = a->place;

    if (!from.observation && !from.relation && from.stage != STAGE_RELATIONS)
        return BP_OK;
    a->place = (struct place){ .entity = from.entity };
    if (from.stage == STAGE_RELATIONS)
        from = (struct place){ .entity = from.entity, .relation = -1 }; // from the first one on
    return put_entity(call, self, a, from);
}

struct scan {
    struct place place;
    bp_str       folded;
    char        *small; /* a text as it is compared; grows as needed, outside of scratch memory */
    size_t       room;
    int64_t      matches[MATCHES_MAX];
    size_t       count;
    int64_t      last; /* that fitted: an entity may be larger than a page */
};

static bool contains(struct scan *scan, bp_str text)
{
    if (fold_room(text.len) > scan->room) {
        free(scan->small);
        scan->room = 2 * fold_room(text.len);
        scan->small = malloc(scan->room);
        if (!scan->small)
            scan->room = 0;
    }
    return scan->small && memmem(scan->small, fold_text(text, scan->small), scan->folded.data,
                                 scan->folded.len) != NULL;
}

static bool fits(struct scan *scan, const struct page_entity *entity)
{
    bool is_fit = !scan->folded.len || contains(scan, entity->name) || contains(scan, entity->type);

    for (size_t i = 0; i < entity->count && !is_fit; i++)
        is_fit = contains(scan, entity->observations[i]);
    return is_fit;
}

/* One page: which of its entities fit. */
static bp_status scan_page(bp_call *call, struct knowledge *self, struct scan *scan)
{
    struct page page;

    scan->count = 0;
    BP_TRY(page_read(call, self, SCAN_BYTES, &scan->place, &page));
    for (size_t i = 0; i < page.entity_count; i++) {
        if (page.entities[i].number == scan->last || !fits(scan, &page.entities[i]))
            continue;
        scan->matches[scan->count++] = scan->last = page.entities[i].number;
        if (scan->count == MATCHES_MAX) {
            scan->place = (struct place){ .entity = page.entities[i].number };
            break;
        }
    }
    return scan->folded.len && page.entity_count && !scan->small
               ? bp_fail(call, BP_NO_MEMORY, "no memory for a search")
               : BP_OK;
}

static bp_status scan_all(bp_call *call, struct knowledge *self, struct scan *scan,
                          struct answer *a)
{
    while (scan->place.stage == STAGE_ENTITIES && !a->is_cut) {
        bp_status status = bp_scratch_begin(call);

        BP_TRY(status);
        status = scan_page(call, self, scan);
        bp_scratch_end(call);
        BP_TRY(status);
        for (size_t i = 0; i < scan->count && !a->is_cut; i++)
            BP_TRY(put_entity(call, self, a, (struct place){ .entity = scan->matches[i] }));
    }
    return BP_OK;
}

static bp_status put_search(bp_call *call, struct knowledge *self, bp_str folded, struct answer *a)
{
    struct scan scan = { .place = { .entity = a->place.entity }, .folded = folded };
    bp_status   status = scan_all(call, self, &scan, a);

    free(scan.small);
    return status;
}

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static bp_status put_named(bp_call *call, struct knowledge *self, const struct wanted *wanted,
                           struct answer *a)
{
    int64_t *numbers = BP_NEW_ARRAY(call, int64_t, wanted->name_count + 1), last = a->place.entity;

    if (!numbers)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < wanted->name_count; i++)
        BP_TRY(page_find(call, self, wanted->names[i], &numbers[i]));
    qsort(numbers, wanted->name_count, sizeof(*numbers), by_number);
    for (size_t i = 0; i < wanted->name_count && !a->is_cut; i++) {
        if (numbers[i] > last)
            BP_TRY(put_entity(call, self, a, (struct place){ .entity = numbers[i] }));
        last = numbers[i] > last ? numbers[i] : last;
    }
    return BP_OK;
}

/* ---- the answer ---- */

static bp_status finish(bp_call *call, struct answer *a, bp_str *json)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_str          entities, relations;

    bp_json_end(a->entities);
    bp_json_end(a->relations);
    BP_TRY(bp_json_done(call, a->entities, &entities));
    BP_TRY(bp_json_done(call, a->relations, &relations));
    bp_json_object(w);
    bp_json_key(w, "entities");
    bp_json_add_raw(w, entities);
    bp_json_key(w, "relations");
    bp_json_add_raw(w, relations);
    if (a->is_cut)
        bp_json_put_string(w, "nextCursor", place_text(call, &a->place));
    bp_json_end(w);
    return bp_json_done(call, w, json);
}

bp_status stored_find(bp_call *call, struct knowledge *self, const struct wanted *wanted,
                      bp_str cursor, bp_str *json)
{
    struct answer a = { .entities = bp_json_writer_new(call, RESULT_BYTES_MAX),
                        .relations = bp_json_writer_new(call, RESULT_BYTES_MAX) };

    BP_TRY(place_parse(call, cursor, &a.place));
    bp_json_array(a.entities);
    bp_json_array(a.relations);
    if (wanted->is_all) {
        BP_TRY(put_all(call, self, &a));
        return finish(call, &a, json);
    }
    BP_TRY(put_rest(call, self, &a));
    if (!a.is_cut)
        BP_TRY(wanted->names ? put_named(call, self, wanted, &a)
                             : put_search(call, self, wanted->folded, &a));
    return finish(call, &a, json);
}

/* graph_text.c - the text of a graph that is searched.
 *
 *      segment 0                              segment 1 (out of date)   segment 2
 *      backplane FF project FF written in c FF FF FF FF FF FF FF FF FF  ada FF person FF likes tea FF
 *
 * An entity that changes gets a new segment at the end and its old one is blotted out, so that a
 * change costs as much as the entity is long. When half of the text is blots it is rewritten.
 *
 * Segments are taken together in blocks of 4 KiB or more. A block's signature has a bit for each
 * triple of bytes in it; a search reads only the blocks that have the bits of all triples of what
 * it looks for. A bit too many costs time and nothing else, so bits of outdated text may stay.
 */
#include "graph_text.h"

#include <stdlib.h>

#include "fold.h"

enum { BLOT = 0xFF, WORN_BYTES = 1 << 16, BLOCK_BYTES = 4096 };

void text_free(struct graph_text *text)
{
    free(text->bytes);
    free(text->segments);
    free(text->blocks);
}

size_t text_bytes(const struct graph_text *text)
{
    return text->room + text->segment_room * sizeof(*text->segments) +
           text->block_room * sizeof(*text->blocks);
}

void text_clear(struct graph_text *text)
{
    text->len = text->dead = text->segment_count = text->block_count = 0;
    memset(text->counts, 0, sizeof(text->counts));
}

bool text_is_worn(const struct graph_text *text)
{
    return text->dead > WORN_BYTES && text->dead > text->len / 2;
}

static bool make_room(struct graph_text *text, size_t more)
{
    size_t room = text->room ? text->room : 4096;
    char  *bytes;

    while (room < text->len + more + FIND_SLACK)
        room *= 2;
    if (room == text->room)
        return true;
    bytes = realloc(text->bytes, room);
    if (!bytes)
        return false;
    memset(bytes + text->len, 0, room - text->len);
    text->bytes = bytes;
    text->room = room;
    return true;
}

static void add_field(struct graph_text *text, bp_str field)
{
    text->len += fold_text(field, text->bytes + text->len);
    text->bytes[text->len++] = (char)BLOT;
}

/* ---- blocks ---- */

/* Which bit stands for the three bytes. */
static uint32_t hash_of(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    uint32_t             triple = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;

    return (triple * 2654435761u) >> 19; // 13 bits: SIGNATURE_BYTES times 8
}

static bool has_bit(const struct graph_block *block, uint32_t hash)
{
    return block->signature[hash / 8] >> (hash % 8) & 1;
}

/* The block for a segment that begins at the end of the text. */
static bool make_block(struct graph_text *text)
{
    const struct graph_block *last = text->block_count ? &text->blocks[text->block_count - 1]
                                                       : NULL;

    if (last && last->end - last->start < BLOCK_BYTES)
        return true;
    if (text->block_count == text->block_room) {
        size_t              room = text->block_room ? text->block_room * 2 : 4;
        struct graph_block *blocks = realloc(text->blocks, room * sizeof(*blocks));

        if (!blocks)
            return false;
        text->blocks = blocks;
        text->block_room = room;
    }
    memset(&text->blocks[text->block_count], 0, sizeof(*text->blocks));
    text->blocks[text->block_count].start = text->blocks[text->block_count].end = text->len;
    text->block_count++;
    return true;
}

static void sign_block(struct graph_text *text, size_t start)
{
    struct graph_block *block = &text->blocks[text->block_count - 1];

    for (size_t i = start; i + 3 <= text->len; i++) {
        uint32_t hash = hash_of(text->bytes + i);

        block->signature[hash / 8] |= (uint8_t)(1u << (hash % 8));
    }
    block->end = text->len;
}

/* ---- segments ---- */

bool text_add(struct graph_text *text, struct graph_entity *entity)
{
    size_t more = fold_room(entity->name.len) + fold_room(entity->type.len) + 2, start = text->len;

    for (size_t i = 0; i < entity->observation_count; i++)
        more += fold_room(entity->observations[i].len) + 1;
    if (!make_room(text, more) || !make_block(text))
        return false;
    if (text->segment_count == text->segment_room) {
        size_t                room = text->segment_room ? text->segment_room * 2 : 64;
        struct graph_segment *segments = realloc(text->segments, room * sizeof(*segments));

        if (!segments)
            return false;
        text->segments = segments;
        text->segment_room = room;
    }
    add_field(text, entity->name);
    add_field(text, entity->type);
    for (size_t i = 0; i < entity->observation_count; i++)
        add_field(text, entity->observations[i]);
    for (size_t i = start; i < text->len; i++)
        text->counts[(unsigned char)text->bytes[i]]++;
    sign_block(text, start);
    entity->segment = text->segment_count;
    text->segments[text->segment_count++] = (struct graph_segment){ start, text->len, entity };
    return true;
}

void text_remove(struct graph_text *text, struct graph_entity *entity)
{
    struct graph_segment *segment;

    if (entity->segment == SIZE_MAX)
        return;
    segment = &text->segments[entity->segment];
    for (size_t i = segment->start; i < segment->end; i++)
        text->counts[(unsigned char)text->bytes[i]]--;
    text->counts[BLOT] += (uint32_t)(segment->end - segment->start);
    memset(text->bytes + segment->start, BLOT, segment->end - segment->start);
    text->dead += segment->end - segment->start;
    segment->entity = NULL;
    entity->segment = SIZE_MAX;
}

static const struct graph_segment *segment_at(const struct graph_text *text, size_t place)
{
    size_t low = 0, high = text->segment_count;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (text->segments[middle].start <= place)
            low = middle;
        else
            high = middle;
    }
    return &text->segments[low];
}

/* ---- searching ---- */

void text_search(const struct graph_text *text, bp_str folded, struct text_search *search)
{
    *search = (struct text_search){ .needle = find_needle(folded, text->counts) };
    for (size_t i = 0; i + 3 <= folded.len && search->hash_count < SEARCH_HASHES_MAX; i++)
        search->hashes[search->hash_count++] = hash_of(folded.data + i);
}

static bool may_contain(const struct graph_block *block, const struct text_search *search)
{
    for (size_t i = 0; i < search->hash_count; i++)
        if (!has_bit(block, search->hashes[i]))
            return false;
    return true;
}

const struct graph_entity *text_next(const struct graph_text *text, struct text_search *search)
{
    for (; search->block < text->block_count; search->block++) {
        const struct graph_block   *block = &text->blocks[search->block];
        const struct graph_segment *segment;
        size_t                      place;

        if (search->from < block->start)
            search->from = block->start;
        if (search->from >= block->end || !may_contain(block, search))
            continue;
        place = find_next(text->bytes, block->end, search->from, &search->needle);
        if (place >= block->end)
            continue;
        segment = segment_at(text, place);
        search->from = segment->end;
        return segment->entity; // never NULL: an outdated segment has no byte that a needle has
    }
    return NULL;
}

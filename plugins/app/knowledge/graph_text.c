/* graph_text.c - the text of a graph that is searched.
 *
 *      segment 0                              segment 1 (out of date)   segment 2
 *      backplane FF project FF written in c FF FF FF FF FF FF FF FF FF  ada FF person FF likes tea FF
 *
 * An entity that changes gets a new segment at the end and its old one is blotted out, so that a change costs as much as
 * the entity is long. When half of the text is blots it is written anew. One search runs over all of it at once.
 */
#include "graph_text.h"

#include <stdlib.h>

#include "find.h"
#include "fold.h"

enum { BLOT = 0xFF, WORN_BYTES = 1 << 16 };

void text_free(struct graph_text *text)
{
    free(text->bytes);
    free(text->segments);
}

void text_clear(struct graph_text *text)
{
    text->len = text->dead = text->segment_count = 0;
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

bool text_add(struct graph_text *text, struct graph_entity *entity)
{
    size_t more = fold_room(entity->name.len) + fold_room(entity->type.len) + 2, start = text->len;

    for (size_t i = 0; i < entity->observation_count; i++)
        more += fold_room(entity->observations[i].len) + 1;
    if (!make_room(text, more))
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

const struct graph_entity *text_next(const struct graph_text *text, const struct needle *needle, size_t *from)
{
    size_t                      place = text->len ? find_next(text->bytes, text->len, *from, needle) : 0;
    const struct graph_segment *segment;

    if (place >= text->len)
        return NULL;
    segment = segment_at(text, place);
    *from = segment->end;
    return segment->entity; // never NULL: what is out of date has no byte that a needle has
}

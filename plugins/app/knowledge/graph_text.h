/* graph_text.h - the text of a graph that is searched: one piece for each entity, all behind one another. */
#ifndef KNOWLEDGE_GRAPH_TEXT_H
#define KNOWLEDGE_GRAPH_TEXT_H

#include "graph.h"

struct graph_segment {
    size_t               start, end;
    struct graph_entity *entity; /* NULL: the piece is out of date */
};

struct graph_text {
    char                 *bytes; /* folded; 0xFF, which no UTF-8 has, between fields and where nothing is */
    size_t                len, room, dead;
    struct graph_segment *segments; /* by rising start */
    size_t                segment_count, segment_room;
    uint32_t              counts[256]; /* of byte values */
};

void text_free(struct graph_text *text);
bool text_add(struct graph_text *text, struct graph_entity *entity);
void text_remove(struct graph_text *text, struct graph_entity *entity);
/* Whether so much is out of date that it should be written anew. */
bool text_is_worn(const struct graph_text *text);
void text_clear(struct graph_text *text);
/* The next entity whose piece contains the needle; `from` is 0 at first. NULL: there is none. */
struct needle;
const struct graph_entity *text_next(const struct graph_text *text, const struct needle *needle, size_t *from);

#endif

/* graph_text.h - the text of a graph that is searched: one piece for each entity, all behind one
 * another. */
#ifndef KNOWLEDGE_GRAPH_TEXT_H
#define KNOWLEDGE_GRAPH_TEXT_H

#include "find.h"
#include "graph.h"

struct graph_segment {
    size_t               start, end;
    struct graph_entity *entity; /* NULL: the piece is out of date */
};

enum { SIGNATURE_BYTES = 1024, SEARCH_HASHES_MAX = 32 };

/* A run of segments, and which triples of bytes stand in it: one bit a triple, by its hash. */
struct graph_block {
    size_t  start, end;
    uint8_t signature[SIGNATURE_BYTES];
};

struct graph_text {
    char  *bytes; /* folded; 0xFF, which no UTF-8 has, between fields and where nothing is */
    size_t len, room, dead;
    struct graph_segment *segments; /* by rising start */
    size_t                segment_count, segment_room;
    struct graph_block   *blocks; /* by rising start; a segment lies in one of them */
    size_t                block_count, block_room;
    uint32_t              counts[256]; /* of byte values */
};

/* A search under way. */
struct text_search {
    struct needle needle;
    uint32_t      hashes[SEARCH_HASHES_MAX]; /* of triples of the needle */
    size_t        hash_count, block, from;
};

void   text_free(struct graph_text *text);
size_t text_bytes(const struct graph_text *text); /* of memory */
bool   text_add(struct graph_text *text, struct graph_entity *entity);
void   text_remove(struct graph_text *text, struct graph_entity *entity);
/* Whether so much is out of date that it should be rewritten. */
bool text_is_worn(const struct graph_text *text);
void text_clear(struct graph_text *text);
/* `folded` is not empty and is borrowed. Then the entities with a piece that contains it, one after
 * another; NULL: no more.
 */
void text_search(const struct graph_text *text, bp_str folded, struct text_search *search);
const struct graph_entity *text_next(const struct graph_text *text, struct text_search *search);

#endif

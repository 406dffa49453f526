/* pages.h - the graph in the storage, piece by piece: for results that are larger than memory, or
 * than one answer. */
#ifndef KNOWLEDGE_PAGES_H
#define KNOWLEDGE_PAGES_H

#include "knowledge.h"

/* How far a reader is. Entities come first, each with its observations, then relations, all in the
 * order they came. */
struct place {
    int64_t entity, observation; /* numbers of the last ones that were read; observation 0: all of
                                    that entity's */
    int64_t relation;
    int64_t stage; /* see the enum */
};
enum { STAGE_ENTITIES, STAGE_RELATIONS, STAGE_END };

struct page_entity {
    int64_t number;
    bp_str  name, type;
    bp_str *observations;
    size_t  count, room;
    int64_t last_observation;
};

struct page_relation {
    int64_t number;
    bp_str  from, to, type;
};

/* One of the two lists is filled. */
struct page {
    struct page_entity   *entities;
    size_t                entity_count, entity_room;
    struct page_relation *relations;
    size_t                relation_count, relation_room;
    size_t                bytes; /* as JSON, at most */
};

/* "0.12.34.0", as clients get and give it. */
bp_str    place_text(bp_call *call, const struct place *place);
bp_status place_parse(bp_call *call, bp_str text, struct place *place);

/* Reads on from `place`, about most_bytes of JSON, into memory of the call, and moves it. Entities
 * stay whole unless one alone is larger. Empty at the end. */
bp_status page_read(bp_call *call, struct knowledge *self, size_t most_bytes, struct place *place,
                    struct page *page) BP_SUSPENDS;
/* The same for one entity, which is named by its number: the rest of its observations. */
bp_status page_read_entity(bp_call *call, struct knowledge *self, size_t most_bytes, int64_t entity,
                           int64_t *observation, struct page *page) BP_SUSPENDS;
/* Relations that touch the name, behind *relation. */
bp_status page_read_touching(bp_call *call, struct knowledge *self, size_t most_bytes, bp_str name,
                             int64_t *relation, struct page *page) BP_SUSPENDS;
/* The name of that entity; empty: it is gone. */
bp_status page_name(bp_call *call, struct knowledge *self, int64_t entity,
                    bp_str *name) BP_SUSPENDS;
/* The number of an entity; 0: there is none of that name. */
bp_status page_find(bp_call *call, struct knowledge *self, bp_str name,
                    int64_t *entity) BP_SUSPENDS;

void page_write_entity(bp_json_writer *w, const struct page_entity *entity);
void page_write_relation(bp_json_writer *w, const struct page_relation *relation);

#endif

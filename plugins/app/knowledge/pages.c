/* pages.c - the graph in the storage, piece by piece.
 *
 * A page is filled by queries that begin behind the last row read, until it has its bytes: so it
 * costs what it holds, wherever in the graph it begins, and no query for each entity. The last
 * entity of a full page may lack observations; it is left for the next page then, unless it is the
 * only one.
 */
#include "pages.h"

#include <stdlib.h>

enum { ROWS_A_QUERY = 1000 };

bp_str place_text(bp_call *call, const struct place *place)
{
    return bp_format(call, "%lld.%lld.%lld.%lld", (long long)place->stage, (long long)place->entity,
                     (long long)place->observation, (long long)place->relation);
}

bp_status place_parse(bp_call *call, bp_str text, struct place *place)
{
    int64_t    *fields[] = { &place->stage, &place->entity, &place->observation, &place->relation };
    const char *at = bp_dup(call, text).data;

    *place = (struct place){ 0 };
    for (size_t i = 0; i < 4 && text.len; i++) {
        char     *end = NULL;
        long long number = at && *at >= '0' && *at <= '9' ? strtoll(at, &end, 10) : -1;

        if (!end || *end != (i < 3 ? '.' : '\0') || number < 0)
            return bp_fail(call, BP_INVALID,
                           "cursor: \"" BP_FMT
                           "\" is none that was given here: leave it out to begin",
                           BP_ARG(text));
        *fields[i] = number;
        at = end + 1;
    }
    return BP_OK;
}

/* ---- a page that is filled ---- */

/* At most as many bytes as the text has as JSON: a control character has six. */
static size_t json_bytes(bp_str text)
{
    size_t bytes = text.len + 16;

    for (size_t i = 0; i < text.len; i++)
        bytes += (unsigned char)text.data[i] < 0x20 ? 5
                                                    : text.data[i] == '"' || text.data[i] == '\\';
    return bytes;
}

/* Room for one more; false: no memory. */
static bool make_room(bp_call *call, void **items, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room ? 2 * *room : 16;
    void  *larger;

    if (count < *room)
        return true;
    larger = bp_alloc_array(call, size, wanted);
    if (!larger)
        return false;
    if (count)
        memcpy(larger, *items, count * size);
    *items = larger;
    *room = wanted;
    return true;
}

struct filling {
    struct page *page;
    size_t       most_bytes, rows;
    bool         is_full;
};

static struct page_entity *entity_of_row(bp_call *call, struct page *page, const bp_sql_value *row)
{
    struct page_entity *last = page->entity_count ? &page->entities[page->entity_count - 1] : NULL;

    if (last && last->number == row[0].integer)
        return last;
    if (!make_room(call, (void **)&page->entities, page->entity_count, &page->entity_room,
                   sizeof(*page->entities)))
        return NULL;
    last = &page->entities[page->entity_count++];
    *last = (struct page_entity){ .number = row[0].integer,
                                  .name = bp_dup(call, row[1].text),
                                  .type = bp_dup(call, row[2].text) };
    page->bytes += json_bytes(row[1].text) + json_bytes(row[2].text) + 64;
    return last;
}

/* Columns: number, name and type of the entity, number and text of an observation, or NULL. */
static bp_status take_entity(bp_call *call, void *arg, const bp_sql_value *row,
                             uint32_t column_count)
{
    struct filling     *filling = arg;
    struct page        *page = filling->page;
    struct page_entity *entity;

    if (column_count != 5 || filling->is_full)
        return column_count != 5
                   ? bp_fail(call, BP_UPSTREAM, "the storage gives other columns than asked for")
                   : BP_OK;
    entity = entity_of_row(call, page, row);
    if (!entity)
        return BP_NO_MEMORY;
    filling->rows++;
    if (row[3].type != BP_SQL_NULL) {
        if (!make_room(call, (void **)&entity->observations, entity->count, &entity->room,
                       sizeof(bp_str)))
            return BP_NO_MEMORY;
        entity->observations[entity->count++] = bp_dup(call, row[4].text);
        entity->last_observation = row[3].integer;
        page->bytes += json_bytes(row[4].text);
    }
    filling->is_full = page->bytes >= filling->most_bytes;
    return bp_cancelled(call);
}

/* Columns: number, from, to, type. */
static bp_status take_relation(bp_call *call, void *arg, const bp_sql_value *row,
                               uint32_t column_count)
{
    struct filling *filling = arg;
    struct page    *page = filling->page;

    if (column_count != 4 || filling->is_full)
        return column_count != 4
                   ? bp_fail(call, BP_UPSTREAM, "the storage gives other columns than asked for")
                   : BP_OK;
    if (!make_room(call, (void **)&page->relations, page->relation_count, &page->relation_room,
                   sizeof(*page->relations)))
        return BP_NO_MEMORY;
    page->relations[page->relation_count++] = (struct page_relation){ row[0].integer,
                                                                      bp_dup(call, row[1].text),
                                                                      bp_dup(call, row[2].text),
                                                                      bp_dup(call, row[3].text) };
    page->bytes += json_bytes(row[1].text) + json_bytes(row[2].text) + json_bytes(row[3].text) + 64;
    filling->rows++;
    filling->is_full = page->bytes >= filling->most_bytes;
    return bp_cancelled(call);
}

/* ---- entities ---- */

#define ENTITY_COLUMNS                                                                             \
    "SELECT e.id, e.name, e.entity_type, o.id, o.content FROM knowledge_entities e LEFT JOIN "     \
    "knowledge_observations o ON o.entity_id = e.id "

/* Where a page goes on: behind an entity, or behind one of its observations. */
static void move_to_end(struct place *place, const struct page *page, bool is_whole)
{
    const struct page_entity *last = &page->entities[page->entity_count - 1];

    place->entity = last->number;
    place->observation = is_whole ? 0 : last->last_observation;
}

static bp_status read_entities(bp_call *call, struct knowledge *self, size_t most_bytes,
                               struct place *place, struct page *page)
{
    struct filling    filling = { .page = page, .most_bytes = most_bytes, .rows = ROWS_A_QUERY };
    const bp_row_sink sink = { sizeof(sink), take_entity, &filling };
    struct place      at = *place;

    while (!filling.is_full && filling.rows == ROWS_A_QUERY) {
        // Without an observation to go on behind, the entity itself is through.
        int64_t from = at.observation ? at.entity : at.entity + 1;

        filling.rows = 0;
        BP_TRY(bp_storage_query(call, self->storage, NULL,
                                BP_SQL(ENTITY_COLUMNS
                                       "WHERE e.tenant = $1 AND e.id >= $2 AND (e.id > $2 OR o.id "
                                       "> $3 OR $3 = 0) ORDER BY e.id, o.id LIMIT $4",
                                       bp_sql_text(knowledge_tenant(call)), bp_sql_int(from),
                                       bp_sql_int(at.observation), bp_sql_int(ROWS_A_QUERY)),
                                &sink));
        if (page->entity_count)
            move_to_end(&at, page, !page->entities[page->entity_count - 1].count);
    }
    if (!filling.is_full) {
        *place = (struct place){ .stage = STAGE_RELATIONS };
    } else if (page->entity_count > 1) {
        page->entity_count--; // which may not be whole
        move_to_end(place, page, true);
    } else {
        move_to_end(place, page, false);
    }
    return BP_OK;
}

bp_status page_read_entity(bp_call *call, struct knowledge *self, size_t most_bytes, int64_t entity,
                           int64_t *observation, struct page *page)
{
    struct filling    filling = { .page = page, .most_bytes = most_bytes, .rows = ROWS_A_QUERY };
    const bp_row_sink sink = { sizeof(sink), take_entity, &filling };
    int64_t           at = *observation;

    *page = (struct page){ 0 };
    while (!filling.is_full && filling.rows == ROWS_A_QUERY) {
        filling.rows = 0;
        BP_TRY(bp_storage_query(call, self->storage, NULL,
                                BP_SQL(ENTITY_COLUMNS "WHERE e.tenant = $1 AND e.id = $2 AND (o.id "
                                                      "> $3 OR $3 = 0) ORDER BY o.id LIMIT $4",
                                       bp_sql_text(knowledge_tenant(call)), bp_sql_int(entity),
                                       bp_sql_int(at), bp_sql_int(ROWS_A_QUERY)),
                                &sink));
        if (page->entity_count)
            at = page->entities[0].last_observation;
    }
    *observation = filling.is_full ? at : 0;
    return BP_OK;
}

bp_status page_name(bp_call *call, struct knowledge *self, int64_t entity, bp_str *name)
{
    bp_rows rows;

    BP_TRY(
        bp_storage_exec(call, self->storage, NULL,
                        BP_SQL("SELECT name FROM knowledge_entities WHERE tenant = $1 AND id = $2",
                               bp_sql_text(knowledge_tenant(call)), bp_sql_int(entity)),
                        &rows));
    *name = rows.row_count ? bp_row(&rows, 0)[0].text : bp_str_of("");
    return BP_OK;
}

bp_status page_find(bp_call *call, struct knowledge *self, bp_str name, int64_t *entity)
{
    bp_rows rows;

    BP_TRY(
        bp_storage_exec(call, self->storage, NULL,
                        BP_SQL("SELECT id FROM knowledge_entities WHERE tenant = $1 AND name = $2",
                               bp_sql_text(knowledge_tenant(call)), bp_sql_text(name)),
                        &rows));
    *entity = rows.row_count ? bp_row(&rows, 0)[0].integer : 0;
    return BP_OK;
}

/* ---- relations ---- */

#define RELATION_COLUMNS "SELECT id, from_name, to_name, relation_type FROM knowledge_relations "

static const char all_relations[] = RELATION_COLUMNS
    "WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
/* Each side by its own index, in order; an OR would read and sort all that touch the name for each
 * page of them. */
static const char touching_relations[] = "SELECT id, from_name, to_name, relation_type FROM "
                                         "(SELECT * FROM (" RELATION_COLUMNS
                                         "WHERE tenant = $1 AND from_name = $4 AND id > $2 ORDER "
                                         "BY id LIMIT $3) AS f UNION SELECT * FROM "
                                         "(" RELATION_COLUMNS
                                         "WHERE tenant = $1 AND to_name = $4 AND id > $2 ORDER BY "
                                         "id LIMIT $3) AS t) AS sides ORDER BY id LIMIT $3";

/* `name` is for the second of the two statements. */
static bp_status read_relations(bp_call *call, struct knowledge *self, size_t most_bytes,
                                const char *sql, bp_str name, int64_t *relation, bool *is_end,
                                struct page *page)
{
    struct filling    filling = { .page = page, .most_bytes = most_bytes, .rows = ROWS_A_QUERY };
    const bp_row_sink sink = { sizeof(sink), take_relation, &filling };

    *page = (struct page){ 0 };
    while (!filling.is_full && filling.rows == ROWS_A_QUERY) {
        const bp_sql_value parameters[] = { bp_sql_text(knowledge_tenant(call)),
                                            bp_sql_int(*relation), bp_sql_int(ROWS_A_QUERY),
                                            bp_sql_text(name) };
        const bp_statement statement = { sizeof(statement), sql == all_relations ? 3 : 4,
                                         bp_str_of(sql), parameters };

        filling.rows = 0;
        BP_TRY(bp_storage_query(call, self->storage, NULL, &statement, &sink));
        if (page->relation_count)
            *relation = page->relations[page->relation_count - 1].number;
    }
    *is_end = !filling.is_full;
    return BP_OK;
}

bp_status page_read_touching(bp_call *call, struct knowledge *self, size_t most_bytes, bp_str name,
                             int64_t *relation, struct page *page)
{
    bool is_end;

    BP_TRY(
        read_relations(call, self, most_bytes, touching_relations, name, relation, &is_end, page));
    if (is_end)
        *relation = 0;
    return BP_OK;
}

bp_status page_read(bp_call *call, struct knowledge *self, size_t most_bytes, struct place *place,
                    struct page *page)
{
    bool is_end;

    *page = (struct page){ 0 };
    if (place->stage == STAGE_ENTITIES)
        BP_TRY(read_entities(call, self, most_bytes, place, page));
    if (page->entity_count || place->stage != STAGE_RELATIONS)
        return BP_OK;
    BP_TRY(read_relations(call, self, most_bytes, all_relations, bp_str_of(""), &place->relation,
                          &is_end, page));
    if (is_end)
        *place = (struct place){ .stage = STAGE_END };
    return BP_OK;
}

/* ---- as JSON ---- */

void page_write_entity(bp_json_writer *w, const struct page_entity *entity)
{
    bp_json_put_string(w, "name", entity->name);
    bp_json_put_string(w, "entityType", entity->type);
    bp_json_key(w, "observations");
    bp_json_array(w);
    for (size_t i = 0; i < entity->count; i++)
        bp_json_add_string(w, entity->observations[i]);
    bp_json_end(w);
}

void page_write_relation(bp_json_writer *w, const struct page_relation *relation)
{
    bp_json_put_string(w, "from", relation->from);
    bp_json_put_string(w, "to", relation->to);
    bp_json_put_string(w, "relationType", relation->type);
}

/* lines.c - the graph as JSON lines, out and in, in the form of the reference server's file; both
 * are streams.
 *
 *      {"type":"entity","name":"ada","entityType":"person","observations":["likes tea"]}
 *      {"type":"relation","from":"ada","to":"backplane","relationType":"maintains"}
 *
 * What comes in is merged: an entity that is there gets the observations that it lacks, so that the
 * same file may come twice. Lines that are wrong are answered for by their number, the others are
 * stored.
 */
#include "pages.h"

/* A page of the export holds an entity whole up to its size, and a line of it can always be
 * imported again: an entity larger than a page is several lines. */
enum { PAGE_BYTES = 4 << 20, BATCH_LINES = 200, LINE_BYTES_MAX = 16 << 20, ERRORS_MAX = 100 };

/* ---- out ---- */

/* Of an entity or of a relation; the other one is NULL. */
static bp_status add_line(bp_call *call, bp_buf *out, const struct page_entity *entity,
                          const struct page_relation *relation)
{
    bp_json_writer *w = bp_json_writer_new(call, LINE_BYTES_MAX);
    bp_str          json;

    bp_json_object(w);
    bp_json_put_string(w, "type", entity ? BP_STR("entity") : BP_STR("relation"));
    if (entity)
        page_write_entity(w, entity);
    else
        page_write_relation(w, relation);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &json));
    bp_buf_add(out, json);
    bp_buf_add(out, BP_STR("\n"));
    return BP_OK;
}

static bp_status send_page(bp_call *call, struct knowledge *self, bp_response *response,
                           struct place *place)
{
    bp_buf     *out = bp_buf_new(call, 2 * (size_t)LINE_BYTES_MAX);
    struct page page;

    BP_TRY(page_read(call, self, PAGE_BYTES, place, &page));
    for (size_t i = 0; i < page.entity_count; i++)
        BP_TRY(add_line(call, out, &page.entities[i], NULL));
    for (size_t i = 0; i < page.relation_count; i++)
        BP_TRY(add_line(call, out, NULL, &page.relations[i]));
    BP_TRY(bp_buf_status(out));
    return bp_buf_str(out).len ? bp_response_write(call, response, bp_buf_str(out)) : BP_OK;
}

bp_status export_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct place place = { 0 };

    (void)request;
    BP_TRY(bp_response_header(response, "Content-Disposition",
                              BP_STR("attachment; filename=\"knowledge.jsonl\"")));
    BP_TRY(bp_response_stream(call, response, 200, "application/x-ndjson"));
    // Each page in memory of its own, so that the graph may be larger than the call's.
    while (place.stage != STAGE_END) {
        bp_status status = bp_scratch_begin(call);

        BP_TRY(status);
        status = send_page(call, instance, response, &place);
        bp_scratch_end(call);
        BP_TRY(status);
    }
    return BP_OK;
}

/* ---- in ---- */

struct intake {
    struct knowledge *self;
    struct write_list list; /* of the batch, in scratch memory */
    size_t            lines_in_batch;
    int64_t           entities, observations, relations, refused;
    bp_json_writer   *errors;
    bp_lines          lines;
};

static bp_status take_entity(bp_call *call, struct intake *intake, const bp_json *json)
{
    bp_str name = bp_json_string(bp_json_get(json, "name")),
           type = bp_json_string(bp_json_get(json, "entityType"));
    const bp_json *texts = bp_json_get(json, "observations");

    BP_TRY(check_name(call, "\"name\"", name));
    BP_TRY(check_name(call, "\"entityType\"", type));
    for (size_t i = 0; i < bp_json_count(texts); i++) {
        if (bp_json_type_of(bp_json_at(texts, i)) != BP_JSON_STRING)
            return bp_fail(call, BP_INVALID, "\"observations\" must be an array of strings");
        BP_TRY(check_text(call, "an observation", bp_json_string(bp_json_at(texts, i))));
    }
    BP_TRY(write_entity(call, &intake->list, name, type, 1));
    for (size_t i = 0; i < bp_json_count(texts); i++)
        BP_TRY(
            write_observation(call, &intake->list, name, bp_json_string(bp_json_at(texts, i)), 0));
    return BP_OK;
}

static bp_status take_relation(bp_call *call, struct intake *intake, const bp_json *json)
{
    bp_str from = bp_json_string(bp_json_get(json, "from")),
           to = bp_json_string(bp_json_get(json, "to"));
    bp_str type = bp_json_string(bp_json_get(json, "relationType"));

    BP_TRY(check_name(call, "\"from\"", from));
    BP_TRY(check_name(call, "\"to\"", to));
    BP_TRY(check_name(call, "\"relationType\"", type));
    return write_relation(call, &intake->list, from, to, type);
}

static bp_status take_json(bp_call *call, struct intake *intake, bp_str line)
{
    const bp_json *json;
    bp_str         type;

    BP_TRY(bp_json_read(call, line, &json));
    type = bp_json_string(bp_json_get(json, "type"));
    if (bp_str_is(type, "entity"))
        return take_entity(call, intake, json);
    if (bp_str_is(type, "relation"))
        return take_relation(call, intake, json);
    return bp_fail(call, BP_INVALID, "\"type\" must be \"entity\" or \"relation\"");
}

static void report(bp_call *call, struct intake *intake)
{
    if (++intake->refused > ERRORS_MAX)
        return;
    bp_json_object(intake->errors);
    bp_json_put_integer(intake->errors, "line", intake->lines.number);
    bp_json_put_string(intake->errors, "message", bp_error_of(call)->message);
    bp_json_end(intake->errors);
}

static void count_stored(struct intake *intake)
{
    for (size_t i = 0; i + 1 < intake->list.count; i++) { // the last one counts the write
        bp_str   sql = intake->list.statements[i].sql;
        int64_t *counter = bp_str_starts(sql, "INSERT INTO knowledge_entities") ? &intake->entities
                           : bp_str_starts(sql, "INSERT INTO knowledge_observations")
                               ? &intake->observations
                               : &intake->relations;

        *counter += intake->list.changed[i];
    }
}

static bp_status flush(bp_call *call, struct intake *intake)
{
    struct tenant *tenant;
    bp_status      status;

    if (intake->list.count == 0)
        return BP_OK;
    BP_TRY(cache_begin_write(call, intake->self, &tenant));
    status = write_run(call, intake->self, &intake->list);
    cache_end_write(call, intake->self, tenant, status, NULL, NULL);
    BP_TRY(status);
    count_stored(intake);
    return BP_OK;
}

static bp_status next_batch(bp_call *call, struct intake *intake)
{
    bp_status status = flush(call, intake);

    bp_scratch_end(call);
    intake->list = (struct write_list){ 0 };
    intake->lines_in_batch = 0;
    BP_TRY(bp_scratch_begin(call));
    return status;
}

static bp_status take_line(bp_call *call, struct intake *intake, bp_str line)
{
    size_t    before = intake->list.count;
    bp_status status;

    while (line.len && (unsigned char)line.data[line.len - 1] <= ' ')
        line.len--;
    if (line.len == 0)
        return BP_OK;
    status = take_json(call, intake, line);
    if (status == BP_NO_MEMORY)
        return status;
    if (status != BP_OK) {
        intake->list.count = before; // nothing of a line that is wrong
        report(call, intake);
        bp_clear_error(call);
    }
    return ++intake->lines_in_batch == BATCH_LINES ? next_batch(call, intake) : BP_OK;
}

static bp_status take_stream(bp_call *call, struct intake *intake)
{
    for (;;) {
        bp_str line;
        bool   has_line;

        BP_TRY(bp_lines_next(call, &intake->lines, &line, &has_line));
        if (!has_line)
            return flush(call, intake);
        BP_TRY(take_line(call, intake, line));
    }
}

bp_status import_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct intake   intake = { .self = instance,
                               .errors = bp_json_writer_new(call, 1 << 20),
                               .lines = bp_lines_of(call, request, LINE_BYTES_MAX) };
    bp_json_writer *w = bp_json_writer_new(call, 2 << 20);
    bp_str          errors;
    bp_status       status;

    bp_json_array(intake.errors);
    BP_TRY(bp_scratch_begin(call));
    status = take_stream(call, &intake);
    bp_scratch_end(call);
    BP_TRY(status);
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR(GRAPH_URI));
    bp_json_end(intake.errors);
    BP_TRY(bp_json_done(call, intake.errors, &errors));
    bp_json_object(w);
    bp_json_put_integer(w, "entities", intake.entities);
    bp_json_put_integer(w, "observations", intake.observations);
    bp_json_put_integer(w, "relations", intake.relations);
    bp_json_put_integer(w, "refused", intake.refused);
    bp_json_key(w, "errors");
    bp_json_add_raw(w, errors);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

/* scroll.c - points by rising id, a page at a time, and snapshots as the server makes them. */
#include "qdrant.h"

enum { PAGE_POINTS = 256, PAGE_MAX_BYTES = 512 << 20 };

static bp_status ask_page(bp_call *call, const struct qdrant *db, bp_str collection, const bp_filter *filter,
                          uint64_t after, uint32_t limit, const bp_json **result)
{
    bp_json_writer *w = bp_json_writer_new(call, REQUEST_MAX_BYTES);
    bp_str          body;

    bp_json_object(w);
    bp_json_put_integer(w, "offset", (int64_t)after + 1);
    bp_json_put_integer(w, "limit", limit);
    bp_json_key(w, "with_payload");
    bp_json_array(w);
    bp_json_add_string(w, BP_STR("m"));
    bp_json_add_string(w, BP_STR("w"));
    bp_json_end(w);
    bp_json_key(w, "with_vector");
    bp_json_array(w);
    bp_json_add_string(w, BP_STR("dense"));
    bp_json_end(w);
    BP_TRY(filter_write(call, w, filter));
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &body));
    return qdrant_ask(call, db, "POST", qdrant_path(call, db, collection, "/points/scroll"), body, 0, result);
}

/* A page taken out of the answer, which is scratch memory: the sink may keep memory of the call, so it is called behind
 * it. id, whether it has a vector, bytes of words and of metadata; vector; words; metadata */
struct packed {
    uint64_t id;
    uint32_t has_vector, reserved;
    size_t   words_len, metadata_len;
};

struct scrolling {
    struct qdrant       *db;
    const struct schema *schema;
    bp_str               collection;
    const bp_filter     *filter;
    uint64_t             after;
    bp_buf              *page;
    float               *vector; /* of the point that is packed, or given */
};

static bp_status pack(bp_call *call, struct scrolling *s, const bp_json *found)
{
    const bp_json *payload = bp_json_get(found, "payload"), *metadata = bp_json_get(payload, "m");
    const bp_json *dense = bp_json_get(bp_json_get(found, "vector"), "dense");
    bp_str         words = bp_json_string(bp_json_get(payload, "w"));
    bp_str         text = metadata ? bp_json_text(call, metadata) : BP_STR("{}");
    struct packed  packed = {.id = (uint64_t)bp_json_integer(bp_json_get(found, "id")),
                             .has_vector = bp_json_count(dense) > 0,
                             .words_len = words.len,
                             .metadata_len = text.len};

    for (uint32_t i = 0; packed.has_vector && i < s->schema->dimensions; i++)
        s->vector[i] = (float)bp_json_number(bp_json_at(dense, i));
    bp_buf_add(s->page, bp_str_n((const char *)&packed, sizeof(packed)));
    if (packed.has_vector)
        bp_buf_add(s->page, bp_str_n((const char *)s->vector, s->schema->dimensions * sizeof(float)));
    bp_buf_add(s->page, words);
    bp_buf_add(s->page, text);
    if (bp_buf_status(s->page) != BP_OK)
        return bp_fail(call, bp_buf_status(s->page), "a page of points is larger than %d MiB", PAGE_MAX_BYTES >> 20);
    return BP_OK;
}

static bp_status read_page(bp_call *call, struct scrolling *s, uint32_t wanted, uint32_t *given)
{
    const bp_json *result, *points;

    BP_TRY(ask_page(call, s->db, s->collection, s->filter, s->after, wanted, &result));
    points = bp_json_get(result, "points");
    for (*given = 0; *given < bp_json_count(points); ++*given)
        BP_TRY(pack(call, s, bp_json_at(points, *given)));
    return BP_OK;
}

static bp_status give_page(bp_call *call, struct scrolling *s, uint32_t count, const bp_point_sink *sink)
{
    const char *at = bp_buf_str(s->page).data;

    for (uint32_t i = 0; i < count; i++) {
        bp_point      point = {.struct_size = sizeof(point)};
        struct packed packed;

        memcpy(&packed, at, sizeof(packed));
        at += sizeof(packed);
        if (packed.has_vector) {
            memcpy(s->vector, at, s->schema->dimensions * sizeof(float));
            at += s->schema->dimensions * sizeof(float);
            point.vector = s->vector;
        }
        point.id = s->after = packed.id;
        point.words = bp_str_n(at, packed.words_len);
        point.metadata = bp_str_n(at + packed.words_len, packed.metadata_len);
        at += packed.words_len + packed.metadata_len;
        BP_TRY(sink->point(call, sink->self, &point));
    }
    return BP_OK;
}

bp_status qdrant_scroll(bp_call *call, void *instance, bp_str collection, const bp_filter *filter, uint64_t after,
                        uint32_t limit, const bp_point_sink *sink)
{
    struct schema    schema;
    struct scrolling s = {
        .db = instance, .schema = &schema, .collection = collection, .filter = filter, .after = after};
    uint32_t given = PAGE_POINTS;

    BP_TRY(schema_of(call, s.db, collection, &schema));
    s.page = bp_buf_new(call, PAGE_MAX_BYTES);
    s.vector = BP_NEW_ARRAY(call, float, schema.dimensions);
    if (!s.vector)
        return BP_NO_MEMORY;
    while (limit && given == PAGE_POINTS && s.after < INT64_MAX) {
        bp_status status;

        bp_buf_reset(s.page);
        BP_TRY(bp_scratch_begin(call)); // the answer of a page at a time is kept, not all of them
        status = read_page(call, &s, limit < PAGE_POINTS ? limit : PAGE_POINTS, &given);
        bp_scratch_end(call);
        if (status == BP_OK)
            status = give_page(call, &s, given, sink);
        BP_TRY(status);
        limit -= given;
    }
    return BP_OK;
}

/* ---- snapshots ---- */

static bp_status download(bp_call *call, const struct qdrant *db, bp_str path, const bp_byte_sink *sink)
{
    bp_http_request  request;
    bp_http_response head;
    bp_http_stream  *stream;
    bp_str           piece;

    BP_TRY(qdrant_request(call, db, "GET", path, BP_STR(""), &request));
    BP_TRY(bp_http_open(call, &request, &head, &stream));
    if (head.status != 200)
        return qdrant_fail(call, db, path, &head);
    do {
        BP_TRY(bp_http_read(call, stream, &piece));
        if (piece.len)
            BP_TRY(sink->write(call, sink->self, piece));
    } while (piece.len);
    bp_http_close(stream);
    return BP_OK;
}

/* The file that Qdrant makes: its own `recover` takes it. It does not stay on the server. Of a collection in several
 * shards on several nodes it holds what this node has. */
bp_status qdrant_snapshot(bp_call *call, void *instance, bp_str collection, const bp_byte_sink *sink)
{
    struct qdrant *db = instance;
    struct schema  schema;
    const bp_json *result;
    bp_str         path;
    bp_status      status;

    BP_TRY(schema_of(call, db, collection, &schema));
    BP_TRY(qdrant_ask(call, db, "POST", qdrant_path(call, db, collection, "/snapshots?wait=true"), BP_STR(""), 0,
                      &result));
    path = bp_format(call, BP_FMT "/" BP_FMT, BP_ARG(qdrant_path(call, db, collection, "/snapshots")),
                     BP_ARG(bp_json_string(bp_json_get(result, "name"))));
    status = download(call, db, path, sink);
    if (bp_shield(call, BP_SECONDS(2)) == BP_OK) {
        bp_status removed = qdrant_ask(call, db, "DELETE", path, BP_STR(""), 404, &result);
        bp_unshield(call);
        if (removed != BP_OK && status == BP_OK)
            bp_log(call, BP_LOG_WARN, "the snapshot " BP_FMT " stays on the server: " BP_FMT, BP_ARG(path),
                   BP_ARG(bp_error_of(call)->message));
    }
    return status;
}

/* scroll.c - points by rising id, a page at a time, and snapshots as the server makes them. */
#include "qdrant.h"

#include <stdlib.h>

enum { PAGE_POINTS = 256, LIMIT_MAX = 10000 };

static bp_status ask_page(bp_call *call, const struct qdrant *db, bp_str collection,
                          const bp_filter *filter, uint64_t after, uint32_t limit,
                          const bp_json **result)
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
    return qdrant_ask(call, db, "POST", qdrant_path(call, db, collection, "/points/scroll"), body,
                      0, result);
}

/* A page as it is given to the sink, outside of the memory that its answer was read in. */
struct page {
    bp_point points[PAGE_POINTS];
    size_t   count;
    char    *bytes; /* of all of them; malloc()ed */
};

static size_t rounded(size_t size)
{
    return (size + sizeof(float) - 1) / sizeof(float) * sizeof(float);
}

static bp_str put_text(char **at, bp_str text)
{
    bp_str copy = { *at, text.len };

    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += rounded(text.len);
    return copy;
}

static const float *put_vector(char **at, const bp_json *dense, uint32_t dimensions)
{
    float *vector = (float *)(void *)*at;

    if (!bp_json_count(dense))
        return NULL;
    for (uint32_t i = 0; i < dimensions; i++)
        vector[i] = (float)bp_json_number(bp_json_at(dense, i));
    *at += dimensions * sizeof(float);
    return vector;
}

static bp_status copy_page(bp_call *call, const struct schema *schema, const bp_json *found,
                           struct page *page)
{
    bp_str metadata[PAGE_POINTS];
    size_t size = 1;
    char  *at;

    page->count = bp_json_count(found) < PAGE_POINTS ? bp_json_count(found) : PAGE_POINTS;
    for (size_t i = 0; i < page->count; i++) {
        const bp_json *payload = bp_json_get(bp_json_at(found, i), "payload"),
                      *m = bp_json_get(payload, "m");

        metadata[i] = m ? bp_json_text(call, m) : BP_STR("{}");
        size += rounded(metadata[i].len) + rounded(bp_json_string(bp_json_get(payload, "w")).len) +
                schema->dimensions * sizeof(float);
    }
    page->bytes = at = malloc(size);
    if (!at)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a page of %zu points", page->count);
    for (size_t i = 0; i < page->count; i++) {
        const bp_json *one = bp_json_at(found, i);

        page->points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                      .id = (uint64_t)bp_json_integer(bp_json_get(one, "id")) };
        page->points[i].vector = put_vector(&at, bp_json_get(bp_json_get(one, "vector"), "dense"),
                                            schema->dimensions);
        page->points[i].words = put_text(&at, bp_json_string(
                                                  bp_json_get(bp_json_get(one, "payload"), "w")));
        page->points[i].metadata = put_text(&at, metadata[i]);
    }
    return BP_OK;
}

static bp_status read_page(bp_call *call, struct qdrant *db, const struct schema *schema,
                           bp_str collection, const bp_filter *filter, uint64_t after,
                           uint32_t wanted, struct page *page)
{
    const bp_json *result;
    bp_status      status;

    BP_TRY(bp_scratch_begin(call)); // an answer takes several times the memory of its points
    status = ask_page(call, db, collection, filter, after, wanted, &result);
    if (status == BP_OK)
        status = copy_page(call, schema, bp_json_get(result, "points"), page);
    bp_scratch_end(call);
    return status;
}

bp_status qdrant_scroll(bp_call *call, void *instance, bp_str collection, const bp_filter *filter,
                        uint64_t after, uint32_t limit, const bp_point_sink *sink)
{
    struct qdrant *db = instance;
    struct schema  schema;
    struct page   *page = BP_NEW(call, struct page);
    bool           has_more = true;
    bp_status      status = page ? BP_OK : BP_NO_MEMORY;

    BP_TRY(status);
    if (limit < 1 || limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a scroll gives 1 to %d points, not %u", LIMIT_MAX, limit);
    BP_TRY(schema_of(call, db, collection, &schema));
    while (status == BP_OK && limit && has_more && after < INT64_MAX) {
        uint32_t wanted = limit < PAGE_POINTS ? limit : PAGE_POINTS;

        BP_TRY(read_page(call, db, &schema, collection, filter, after, wanted, page));
        for (size_t i = 0; i < page->count && i < wanted && status == BP_OK; i++) {
            after = page->points[i].id;
            status = sink->point(call, sink->self, &page->points[i]);
        }
        has_more = page->count >= wanted;
        limit -= wanted;
        free(page->bytes);
    }
    return status;
}

/* ---- snapshots ---- */

static bp_status download(bp_call *call, const struct qdrant *db, bp_str path,
                          const bp_byte_sink *sink)
{
    bp_http_request  request;
    bp_http_response head;
    bp_http_stream  *stream;
    bp_str           piece;

    BP_TRY(qdrant_request(call, db, "GET", path, BP_STR(""), &request));
    request.max_response_bytes = 0; // it is passed on in pieces
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

/* The file that Qdrant makes: its own `recover` takes it. It does not stay on the server. Of a
 * collection in several shards on several nodes it holds what this node has. */
bp_status qdrant_snapshot(bp_call *call, void *instance, bp_str collection,
                          const bp_byte_sink *sink)
{
    struct qdrant *db = instance;
    struct schema  schema;
    const bp_json *result;
    bp_str         path;
    bp_status      status;

    BP_TRY(schema_of(call, db, collection, &schema));
    BP_TRY(qdrant_ask(call, db, "POST", qdrant_path(call, db, collection, "/snapshots?wait=true"),
                      BP_STR(""), 0, &result));
    path = bp_format(call, BP_FMT "/" BP_FMT,
                     BP_ARG(qdrant_path(call, db, collection, "/snapshots")),
                     BP_ARG(bp_json_string(bp_json_get(result, "name"))));
    status = download(call, db, path, sink);
    if (bp_shield(call, BP_SECONDS(2)) == BP_OK) {
        bp_status removed = qdrant_ask(call, db, "DELETE", path, BP_STR(""), 404, &result);
        bp_unshield(call);
        if (removed != BP_OK && status == BP_OK)
            bp_log(call, BP_LOG_WARN, "the snapshot " BP_FMT " stays on the server: " BP_FMT,
                   BP_ARG(path), BP_ARG(bp_error_of(call)->message));
    }
    return status;
}

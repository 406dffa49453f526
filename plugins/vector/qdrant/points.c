/* points.c - writing and deleting points. All are checked before the first is sent; bodies are made
 * on a pool thread. */
#include "qdrant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { VECTOR_BYTES_MAX = 16, CHECKED_AT_ONCE = 256 };

void write_floats(bp_json_writer *w, const float *numbers, size_t count, bp_buf *scratch)
{
    char text[32];

    bp_buf_reset(scratch);
    bp_buf_add(scratch, BP_STR("["));
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(text, sizeof(text), i ? ",%.9g" : "%.9g", (double)numbers[i]);
        bp_buf_add(scratch, bp_str_n(text, (size_t)len));
    }
    bp_buf_add(scratch, BP_STR("]"));
    bp_json_add_raw(w, bp_buf_str(scratch));
}

/* ---- what may be written ---- */

static bp_status check_point(bp_call *call, const struct schema *schema, const bp_point *point)
{
    double square = 0;

    BP_TRY(vectors_check_point(call, point, NULL));
    for (uint32_t i = 0; point->vector && i < schema->dimensions; i++) {
        if (!isfinite(point->vector[i]))
            return bp_fail(call, BP_INVALID,
                           "point %llu: its vector holds a number that is not finite",
                           (unsigned long long)point->id);
        square += (double)point->vector[i] * point->vector[i];
    }
    if (point->vector && schema->metric == BP_COSINE && !(square > 0))
        return bp_fail(call, BP_INVALID, "point %llu: a vector of zeros has no direction",
                       (unsigned long long)point->id);
    return BP_OK;
}

/* ---- one point as JSON ---- */

/* The numbers of the beginnings of a string, the empty one too. */
static void write_beginnings(bp_json_writer *w, bp_str text)
{
    uint64_t hash = prefix_hash(0, BP_STR(""));
    size_t   at = 0;

    bp_json_add_integer(w, (int64_t)(hash >> 11));
    for (int count = 0; at < text.len && count < PREFIX_CHARS_MAX; count++) {
        size_t begin = at++;

        while (at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80)
            at++;
        hash = prefix_hash(hash, bp_str_n(text.data + begin, at - begin));
        bp_json_add_integer(w, (int64_t)(hash >> 11));
    }
}

/* "k": the names of the fields; "p": the beginnings of their strings. */
static bp_status write_helpers(bp_call *call, bp_json_writer *w, bp_str metadata)
{
    const bp_json *root = NULL, *value;
    size_t         cursor = 0;
    bp_str         key;

    if (metadata.len)
        BP_TRY(bp_json_parse(call, metadata, &root));
    bp_json_key(w, "k");
    bp_json_array(w);
    while (root && bp_json_entry(root, &cursor, &key, &value))
        bp_json_add_string(w, key);
    bp_json_end(w);
    bp_json_key(w, "p");
    bp_json_object(w);
    cursor = 0;
    while (root && bp_json_entry(root, &cursor, &key, &value)) {
        bool is_text = bp_json_type_of(value) == BP_JSON_STRING;

        if (!is_text && bp_json_type_of(value) != BP_JSON_ARRAY)
            continue;
        bp_json_key_str(w, key);
        bp_json_array(w);
        if (is_text)
            write_beginnings(w, bp_json_string(value));
        for (size_t i = 0; !is_text && i < bp_json_count(value); i++)
            if (bp_json_type_of(bp_json_at(value, i)) == BP_JSON_STRING)
                write_beginnings(w, bp_json_string(bp_json_at(value, i)));
        bp_json_end(w);
    }
    bp_json_end(w);
    return BP_OK;
}

static int by_hash(const void *a, const void *b)
{
    const struct token *x = a, *y = b;
    uint32_t            p = term_hash(x->text), q = term_hash(y->text);

    return p < q ? -1 : p > q;
}

/* The sparse vector and "t": hashes that rise, each once; two terms of one hash are one. */
static void write_terms(bp_json_writer *w, struct token_list *list, bool as_vector)
{
    for (int values = 0; values < (as_vector ? 2 : 1); values++) {
        if (as_vector)
            bp_json_key(w, values ? "values" : "indices");
        bp_json_array(w);
        for (size_t i = 0; i < list->count;) {
            uint32_t hash = term_hash(list->items[i].text), times = 0;

            for (; i < list->count && term_hash(list->items[i].text) == hash; i++)
                times += list->items[i].times;
            if (values)
                bp_json_add_number(w, (float)bm25_weight(1, 1, times, list->length, USUAL_LENGTH));
            else
                bp_json_add_integer(w, hash);
        }
        bp_json_end(w);
    }
}

struct upsert {
    struct qdrant       *db;
    const struct schema *schema;
    const char          *points;
    size_t point_size, count, from, to; /* from: first point of this body; to: behind its last */
    bp_str body;
};

static const bp_point *point_at(const struct upsert *upsert, size_t i)
{
    return (const bp_point *)(const void *)(upsert->points + i * upsert->point_size);
}

static bp_status write_point(bp_call *call, const struct upsert *upsert, bp_json_writer *w,
                             const bp_point *point, bp_buf *scratch)
{
    struct token_list terms;

    BP_TRY(tokens_of_passage(call, upsert->db->tokens,
                             words_tokenizer_of(bp_str_of(upsert->schema->language)), point->words,
                             &terms));
    if (terms.count)
        qsort(terms.items, terms.count, sizeof(*terms.items), by_hash);
    bp_json_object(w);
    bp_json_put_integer(w, "id", (int64_t)point->id);
    bp_json_key(w, "vector");
    bp_json_object(w);
    if (point->vector) {
        bp_json_key(w, "dense");
        write_floats(w, point->vector, upsert->schema->dimensions, scratch);
    }
    if (terms.count) {
        bp_json_key(w, "words");
        bp_json_object(w);
        write_terms(w, &terms, true);
        bp_json_end(w);
    }
    bp_json_end(w);
    bp_json_key(w, "payload");
    bp_json_object(w);
    bp_json_key(w, "m");
    bp_json_add_raw(w, point->metadata.len ? point->metadata : BP_STR("{}"));
    BP_TRY(write_helpers(call, w, point->metadata));
    bp_json_put_string(w, "w", point->words);
    bp_json_put_integer(w, "n", terms.length);
    bp_json_key(w, "t");
    write_terms(w, &terms, false);
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

static bp_status check_some(bp_call *call, void *arg)
{
    const struct upsert *upsert = arg;

    for (size_t i = upsert->from; i < upsert->to; i++)
        BP_TRY(check_point(call, upsert->schema, point_at(upsert, i)));
    return BP_OK;
}

/* As many points as fit `batch_bytes`, at least one. Runs on a pool thread. */
static bp_status make_body(bp_call *call, void *arg)
{
    struct upsert  *upsert = arg;
    bp_json_writer *w = bp_json_writer_new(call, REQUEST_MAX_BYTES);
    bp_buf *scratch = bp_buf_new(call, (size_t)upsert->schema->dimensions * VECTOR_BYTES_MAX + 16);
    size_t  bytes = 0;

    bp_json_object(w);
    bp_json_key(w, "points");
    bp_json_array(w);
    for (upsert->to = upsert->from; upsert->to < upsert->count; upsert->to++) {
        const bp_point *point = point_at(upsert, upsert->to);

        bytes += point->words.len * 3 + point->metadata.len * 18 +
                 256; // the words come twice, as numbers too
        bytes += point->vector ? (size_t)upsert->schema->dimensions * 12 : 0;
        if (upsert->to > upsert->from && bytes > (size_t)upsert->db->batch_bytes)
            break;
        BP_TRY(write_point(call, upsert, w, point, scratch));
    }
    bp_json_end(w);
    bp_json_end(w);
    return bp_json_done(call, w, &upsert->body);
}

static bp_str write_path(bp_call *call, const struct qdrant *db, bp_str collection,
                         const char *method)
{
    static const char *const orderings[] = { "weak", "medium", "strong" };

    return qdrant_path(call, db, collection,
                       bp_format(call, "/points%s?wait=true&ordering=%s", method,
                                 orderings[db->write_ordering])
                           .data);
}

/* Qdrant has no transactions: the requests before the failed one have written their points. The
 * error must say so, and that sending all of it again loses nothing.
 */
static bp_status fail_between(bp_call *call, const struct upsert *upsert, bp_status status)
{
    bp_error error = *bp_error_of(call);
    bp_str   said = error.message.len ? bp_dup(call, error.message)
                                      : bp_str_of(bp_status_text(status));

    bp_fail(call, status,
            BP_FMT " (%zu of %zu points had been written, and up to %zu more may have been; the "
                   "same call again is safe, as a point takes the place of the one with its id)",
            BP_ARG(said), upsert->from, upsert->count, upsert->to - upsert->from);
    bp_fail_detail(call, error.retry_after_ns, error.os_errno, error.upstream_status);
    return status;
}

static bp_status send_batches(bp_call *call, struct upsert *upsert, bp_str collection)
{
    while (upsert->from < upsert->count) {
        const bp_json *result;
        bp_status      status = bp_scratch_begin(call);

        if (status == BP_OK)
            status = bp_offload(call, NULL, make_body, upsert);
        if (status == BP_OK)
            status = qdrant_ask(call, upsert->db, "PUT",
                                write_path(call, upsert->db, collection, ""), upsert->body, 0,
                                &result);
        bp_scratch_end(call);
        if (status != BP_OK)
            return upsert->from > 0 || upsert->to < upsert->count
                       ? fail_between(call, upsert, status)
                       : status;
        upsert->from = upsert->to;
    }
    return BP_OK;
}

bp_status qdrant_upsert(bp_call *call, void *instance, bp_str collection, const bp_point *points,
                        size_t point_size, size_t count)
{
    struct qdrant *db = instance;
    struct schema  schema;
    struct upsert  upsert = { .db = db,
                              .schema = &schema,
                              .points = (const char *)points,
                              .point_size = point_size,
                              .count = count };
    bp_status      status;

    BP_TRY(schema_of(call, db, collection, &schema));
    while (upsert.to < count) {
        upsert.from = upsert.to;
        upsert.to = count - upsert.from < CHECKED_AT_ONCE ? count : upsert.from + CHECKED_AT_ONCE;
        BP_TRY(bp_scratch_begin(call));
        status = bp_offload(call, NULL, check_some, &upsert);
        bp_scratch_end(call);
        BP_TRY(status);
    }
    upsert.from = upsert.to = 0;
    status = send_batches(call, &upsert, collection);
    statistics_forget(db, collection);
    if (status == BP_NOT_FOUND || status == BP_UPSTREAM)
        schema_forget(db, collection);
    return status;
}

/* ---- deleting, counting ---- */

static void write_ids(bp_json_writer *w, const uint64_t *ids, size_t count)
{
    bp_json_array(w);
    for (size_t i = 0; i < count; i++)
        if (ids[i] > 0 && ids[i] <= INT64_MAX)
            bp_json_add_integer(w, (int64_t)ids[i]);
    bp_json_end(w);
}

bp_status count_exactly(bp_call *call, const struct qdrant *db, bp_str collection,
                        const bp_filter *filter, const uint64_t *ids, size_t id_count,
                        uint64_t *count)
{
    const bp_json  *result;
    bp_json_writer *w = bp_json_writer_new(call, REQUEST_MAX_BYTES);
    bp_str          body;

    bp_json_object(w);
    if (ids) {
        bp_json_key(w, "filter");
        bp_json_object(w);
        bp_json_key(w, "must");
        bp_json_array(w);
        bp_json_object(w);
        bp_json_key(w, "has_id");
        write_ids(w, ids, id_count);
        bp_json_end(w);
        bp_json_end(w);
        bp_json_end(w);
    } else {
        BP_TRY(filter_write(call, w, filter));
    }
    bp_json_put_bool(w, "exact", true);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &body));
    BP_TRY(qdrant_ask(call, db, "POST", qdrant_path(call, db, collection, "/points/count"), body, 0,
                      &result));
    *count = (uint64_t)bp_json_integer(bp_json_get(result, "count"));
    return BP_OK;
}

bp_status qdrant_count(bp_call *call, void *instance, bp_str collection, const bp_filter *filter,
                       uint64_t *count)
{
    struct qdrant *db = instance;
    struct schema  schema;

    BP_TRY(schema_of(call, db, collection, &schema));
    return count_exactly(call, db, collection, filter, NULL, 0, count);
}

/* The points to remove are counted before: Qdrant does not say how many it removed. */
bp_status qdrant_remove(bp_call *call, void *instance, bp_str collection, const uint64_t *ids,
                        size_t count, const bp_filter *filter, uint64_t *removed)
{
    struct qdrant  *db = instance;
    struct schema   schema;
    const bp_json  *result;
    bp_json_writer *w = bp_json_writer_new(call, REQUEST_MAX_BYTES);
    bp_str          body;
    bp_status       status;

    if (!ids && !filter)
        return bp_fail(call, BP_INVALID,
                       "say which points to delete: by their ids or by a filter; drop() deletes "
                       "all");
    BP_TRY(schema_of(call, db, collection, &schema));
    if (removed)
        *removed = 0;
    if (ids && !count)
        return BP_OK;
    if (removed)
        BP_TRY(count_exactly(call, db, collection, filter, ids, count, removed));
    bp_json_object(w);
    if (ids) {
        bp_json_key(w, "points");
        write_ids(w, ids, count);
    } else {
        BP_TRY(filter_write(call, w, filter));
    }
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &body));
    status = qdrant_ask(call, db, "POST", write_path(call, db, collection, "/delete"), body, 0,
                        &result);
    statistics_forget(db, collection);
    return status;
}

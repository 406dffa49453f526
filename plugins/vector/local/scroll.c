/* scroll.c - points in the order of their ids: counted, handed to a sink, or written as JSON lines.
 */
#include "local.h"

#include <stdlib.h>

enum { CHUNK_POINTS = 256, CHUNK_BYTES = 4 << 20, LINE_BYTES_MAX = 16 << 20 };

/* ---- count ---- */

struct counting {
    const struct collection *collection;
    const bp_filter         *filter;
    uint64_t                 count;
};

static bp_status count_job(bp_call *call, struct sqlitedb *db, void *arg)
{
    struct counting *counting = arg;
    struct sql_text  sql;
    sqlite3_stmt    *statement;
    bool             has_row = false;
    bp_str           text;
    bp_status        status;

    BP_TRY(sql_begin(call, &sql));
    BP_TRY(collection_sql(&sql, counting->collection, "SELECT count(*) FROM points_% p WHERE "));
    BP_TRY(sql_filter(&sql, counting->filter));
    BP_TRY(sql_end(&sql, &text));
    BP_TRY(sqlitedb_prepare(call, db, text, &statement));
    status = sql_bind(&sql, statement) == SQLITE_OK
                 ? BP_OK
                 : bp_fail(call, BP_INVALID, "the filter has a value too large");
    if (status == BP_OK)
        status = sqlitedb_step(call, db, statement, &has_row);
    if (has_row)
        counting->count = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlitedb_done(db, statement);
    return status;
}

bp_status local_count(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                      uint64_t *count)
{
    struct store      *store = ((struct local_instance *)instance)->store;
    struct collection *collection;
    struct counting    counting = { .filter = filter };
    bp_status          status = BP_OK;

    BP_TRY(collection_find(call, store, name, &collection));
    counting.collection = collection;
    if (filter)
        status = on_reader(call, store, count_job, &counting);
    else
        counting.count = (uint64_t)atomic_load(&collection->point_count);
    status = collection_status(call, collection, status);
    collection_release(collection);
    *count = counting.count;
    return status;
}

/* ---- scroll: chunk by chunk, each read on the pool and handed out on the fiber ---- */

struct page {
    const struct collection *collection;
    struct sqlitedb         *db;
    const bp_filter         *filter;
    uint64_t                 after;
    size_t                   limit; /* of this page */
    bp_point                 points[CHUNK_POINTS];
    size_t                   count;
    char                    *bytes[CHUNK_POINTS]; /* vector, words, metadata of each */
    bool                     is_last;
};

static void page_clear(struct page *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->bytes[i]);
    page->count = 0;
}

static bp_status keep_row(bp_call *call, struct page *page, sqlite3_stmt *statement, size_t *used)
{
    bp_point *point = &page->points[page->count];
    size_t    words = (size_t)sqlite3_column_bytes(statement, 1),
           metadata = (size_t)sqlite3_column_bytes(statement, 2);
    size_t vector = (size_t)sqlite3_column_bytes(statement, 3);
    char  *bytes = malloc(vector + words + metadata + 2);

    if (!bytes)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a point of %zu bytes",
                       vector + words + metadata);
    memset(bytes, 0, vector + words + metadata + 2);
    if (vector)
        memcpy(bytes, sqlite3_column_blob(statement, 3), vector);
    if (words)
        memcpy(bytes + vector, sqlite3_column_text(statement, 1), words);
    if (metadata)
        memcpy(bytes + vector + words + 1, sqlite3_column_text(statement, 2), metadata);
    *point = (bp_point){
        .struct_size = sizeof(*point),
        .id = (uint64_t)sqlite3_column_int64(statement, 0),
        .vector = vector == page->collection->dimensions * sizeof(float)
                      ? (const float *)(const void *)bytes
                      : NULL,
        .words = { bytes + vector, words },
        .metadata = { bytes + vector + words + 1, metadata },
    };
    page->bytes[page->count++] = bytes;
    *used += vector + words + metadata;
    return BP_OK;
}

static bp_status read_page(bp_call *call, struct page *page)
{
    struct sql_text sql;
    sqlite3_stmt   *statement = NULL;
    size_t          used = 0;
    bool            has_row = true;
    bp_str          text;
    bp_status       status;

    BP_TRY(sql_begin(call, &sql));
    BP_TRY(collection_sql(&sql, page->collection,
                          "SELECT p.id, p.words, p.metadata, v.vector FROM points_% p "
                          "LEFT JOIN vectors_% v ON v.id = p.id WHERE p.id > "));
    sql_integer(&sql, (int64_t)page->after);
    bp_buf_add(sql.buf, BP_STR(" AND "));
    BP_TRY(sql_filter(&sql, page->filter));
    bp_buf_add(sql.buf, BP_STR(" ORDER BY p.id LIMIT "));
    sql_integer(&sql, (int64_t)page->limit);
    BP_TRY(sql_end(&sql, &text));
    BP_TRY(sqlitedb_prepare(call, page->db, text, &statement));
    status = sql_bind(&sql, statement) == SQLITE_OK
                 ? BP_OK
                 : bp_fail(call, BP_INVALID, "the filter has a value too large");
    while (status == BP_OK && has_row && used < CHUNK_BYTES) {
        status = sqlitedb_step(call, page->db, statement, &has_row);
        if (status == BP_OK && has_row)
            status = keep_row(call, page, statement, &used);
    }
    sqlitedb_done(page->db, statement);
    page->is_last = !has_row && page->count < page->limit;
    if (page->count)
        page->after = page->points[page->count - 1].id;
    return status;
}

static bp_status page_job(bp_call *call, void *arg)
{
    struct page *page = arg;
    bp_status    status;

    sqlitedb_enter(call, page->db);
    status = read_page(call, page);
    sqlitedb_leave(page->db);
    return status;
}

/* Hands out up to `limit` points on a reader that is held meanwhile. */
static bp_status walk(bp_call *call, struct sqlitedb_link *reader, struct page *page,
                      uint64_t limit, const bp_point_sink *sink)
{
    bp_status status = BP_OK;

    page->db = reader->db;
    while (status == BP_OK && limit && !page->is_last) {
        page->limit = limit < CHUNK_POINTS ? (size_t)limit : CHUNK_POINTS;
        status = bp_offload(call, reader->pool, page_job, page);
        for (size_t i = 0; i < page->count && status == BP_OK; i++)
            status = sink->point(call, sink->self, &page->points[i]);
        limit -= page->count < limit ? page->count : limit;
        page_clear(page);
    }
    return status;
}

bp_status local_scroll(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                       uint64_t after, uint32_t limit, const bp_point_sink *sink)
{
    struct store         *store = ((struct local_instance *)instance)->store;
    struct sqlitedb_link *reader = sqlitedb_links_reader(&store->links);
    struct collection    *collection;
    struct page          *page = BP_NEW(call, struct page);
    bp_status             status;

    if (limit < 1 || limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a scroll gives 1 to %d points, not %u", LIMIT_MAX, limit);
    if (!page)
        return BP_NO_MEMORY;
    BP_TRY(collection_find(call, store, name, &collection));
    page->collection = collection;
    page->filter = filter;
    page->after = after > INT64_MAX ? INT64_MAX : after;
    status = sqlitedb_link_take(call, reader);
    if (status == BP_OK) {
        status = walk(call, reader, page, limit, sink);
        sqlitedb_link_give(reader);
    }
    status = collection_status(call, collection, status);
    collection_release(collection);
    return status;
}

/* ---- snapshot: JSON lines ---- */

struct snapshot {
    const struct collection *collection;
    const bp_byte_sink      *sink;
    bp_buf                  *line;
};

static void add_string(bp_buf *buf, bp_str text)
{
    size_t start = 0;

    bp_buf_add(buf, BP_STR("\""));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        bp_buf_add(buf, bp_str_n(text.data + start, i - start));
        bp_buf_addf(buf, c < 0x20 ? "\\u%04x" : "\\%c", c);
        start = i + 1;
    }
    bp_buf_add(buf, bp_str_n(text.data + start, text.len - start));
    bp_buf_add(buf, BP_STR("\""));
}

static bp_status write_line(bp_call *call, struct snapshot *snapshot)
{
    bp_status status = bp_buf_status(snapshot->line);

    if (status != BP_OK)
        return bp_fail(call, status, "a line of the snapshot is too long");
    status = snapshot->sink->write(call, snapshot->sink->self, bp_buf_str(snapshot->line));
    bp_buf_reset(snapshot->line);
    return status;
}

static bp_status write_point(bp_call *call, void *self, const bp_point *point)
{
    struct snapshot *snapshot = self;

    bp_buf_addf(snapshot->line, "{\"id\":%llu,\"vector\":", (unsigned long long)point->id);
    for (uint32_t i = 0; point->vector && i < snapshot->collection->dimensions; i++)
        bp_buf_addf(snapshot->line, "%s%.9g", i ? "," : "[", (double)point->vector[i]);
    bp_buf_add(snapshot->line, point->vector ? BP_STR("],\"words\":") : BP_STR("null,\"words\":"));
    add_string(snapshot->line, point->words);
    bp_buf_add(snapshot->line, BP_STR(",\"metadata\":"));
    bp_buf_add(snapshot->line, point->metadata);
    bp_buf_add(snapshot->line, BP_STR("}\n"));
    return write_line(call, snapshot);
}

static bp_status write_head(bp_call *call, struct snapshot *snapshot)
{
    static const char *const metrics[] = { "cosine", "inner_product", "l2" };
    const struct collection *collection = snapshot->collection;

    bp_buf_addf(snapshot->line,
                "{\"backplane_snapshot\":1,\"collection\":\"%s\",\"dimensions\":%u,\"metric\":\"%"
                "s\",\"model\":",
                collection->name, collection->dimensions, metrics[collection->metric]);
    add_string(snapshot->line, bp_str_of(collection->model));
    bp_buf_add(snapshot->line, BP_STR(",\"language\":"));
    add_string(snapshot->line, bp_str_of(collection->language));
    bp_buf_add(snapshot->line, BP_STR("}\n"));
    return write_line(call, snapshot);
}

/* BEGIN on the reader: what it sees from now on is one moment. */
static bp_status freeze_job(bp_call *call, void *arg)
{
    struct sqlitedb *db = arg;
    bp_status        status;

    sqlitedb_enter(call, db);
    status = sqlitedb_run(call, db, "BEGIN; SELECT count(*) FROM collections");
    sqlitedb_leave(db);
    return status;
}

static bp_status snapshot_on(bp_call *call, struct sqlitedb_link *reader, struct snapshot *snapshot,
                             struct page *page)
{
    const bp_point_sink points = { sizeof(points), write_point, snapshot };
    bp_status           status = bp_offload(call, reader->pool, freeze_job, reader->db);

    if (status == BP_OK)
        status = write_head(call, snapshot);
    if (status == BP_OK)
        status = walk(call, reader, page, UINT64_MAX, &points);
    sqlitedb_rollback(reader->db); /* it only read: nothing is waited for */
    return status;
}

bp_status local_snapshot(bp_call *call, void *instance, bp_str name, const bp_byte_sink *sink)
{
    struct store         *store = ((struct local_instance *)instance)->store;
    struct sqlitedb_link *reader = sqlitedb_links_reader(&store->links);
    struct collection    *collection;
    struct snapshot       snapshot = { .sink = sink, .line = bp_buf_new(call, LINE_BYTES_MAX) };
    struct page          *page = BP_NEW(call, struct page);
    bp_status             status;

    if (!page || !snapshot.line)
        return BP_NO_MEMORY;
    BP_TRY(collection_find(call, store, name, &collection));
    snapshot.collection = page->collection = collection;
    status = sqlitedb_link_take(call, reader);
    if (status == BP_OK) {
        status = snapshot_on(call, reader, &snapshot, page);
        sqlitedb_link_give(reader);
    }
    status = collection_status(call, collection, status);
    collection_release(collection);
    return status;
}

/* points.c - writing and deleting points: one transaction over the three tables, then the memory.
 */
#include "local.h"

#include <stdlib.h>

struct write {
    struct store      *store;
    struct collection *collection;
    struct sqlitedb   *db;
    const char        *points; /* of stride point_size */
    size_t             point_size, count;
    const uint64_t    *ids; /* to be removed; NULL: what the filter selects */
    uint64_t          *selected;
    const bp_filter   *filter;
    float             *vector; /* one, as it is kept */
    uint64_t           removed, made;
    sqlite3_stmt      *find, *unindex, *put, *index, *put_vector, *drop, *drop_vector;
};

static const bp_point *point_at(const struct write *write, size_t i)
{
    return (const bp_point *)(const void *)(write->points + i * write->point_size);
}

/* ---- statements ---- */

static bp_status prepare_all(bp_call *call, struct write *write)
{
    const struct {
        sqlite3_stmt **statement;
        const char    *sql;
    } list[] = {
        { &write->find, "SELECT words FROM points_% WHERE id = ?" },
        { &write->unindex, "INSERT INTO words_%(words_%, rowid, words) VALUES('delete', ?, ?)" },
        { &write->put, "INSERT OR REPLACE INTO points_%(id, metadata, words) VALUES(?, ?, ?)" },
        { &write->index, "INSERT INTO words_%(rowid, words) VALUES(?, ?)" },
        { &write->put_vector, "INSERT OR REPLACE INTO vectors_%(id, vector) VALUES(?, ?)" },
        { &write->drop, "DELETE FROM points_% WHERE id = ?" },
        { &write->drop_vector, "DELETE FROM vectors_% WHERE id = ?" },
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        BP_TRY(
            collection_prepare(call, write->db, write->collection, list[i].sql, list[i].statement));
    return BP_OK;
}

static void release_all(struct write *write)
{
    sqlite3_stmt *list[] = { write->find,       write->unindex, write->put,        write->index,
                             write->put_vector, write->drop,    write->drop_vector };
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        sqlitedb_done(write->db, list[i]);
}

/* Runs a statement with its values bound, and makes it ready for the next. */
static bp_status run(bp_call *call, struct write *write, sqlite3_stmt *statement)
{
    bool      has_row;
    bp_status status = sqlitedb_step(call, write->db, statement, &has_row);

    sqlite3_reset(statement);
    return status;
}

static void bind_text(sqlite3_stmt *statement, int place, bp_str text)
{
    sqlite3_bind_text64(statement, place, text.len ? text.data : "", text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

/* Takes the words of an old point out of the word index, which needs to be told them. */
static bp_status forget_words(bp_call *call, struct write *write, int64_t id, bool *was_there)
{
    bp_status status;

    sqlite3_bind_int64(write->find, 1, id);
    status = sqlitedb_step(call, write->db, write->find, was_there);
    if (status == BP_OK && *was_there) {
        sqlite3_bind_int64(write->unindex, 1, id);
        sqlite3_bind_value(write->unindex, 2, sqlite3_column_value(write->find, 0));
        status = run(call, write, write->unindex);
    }
    sqlite3_reset(write->find);
    return status;
}

/* ---- upsert ---- */

static bp_status put_point(bp_call *call, struct write *write, const bp_point *point)
{
    const struct collection *collection = write->collection;
    int64_t                  id = (int64_t)point->id;
    bool                     was_there = false;

    BP_TRY(vectors_check_point(call, point, NULL));
    if (point->vector &&
        !vectors_prepare(point->vector, collection->dimensions, collection->metric, write->vector))
        return bp_fail(call, BP_INVALID, "point %llu: its vector is %s",
                       (unsigned long long)point->id,
                       collection->metric == BP_COSINE ? "zero or not finite" : "not finite");
    BP_TRY(forget_words(call, write, id, &was_there));
    write->made += !was_there;
    sqlite3_bind_int64(write->put, 1, id);
    bind_text(write->put, 2, point->metadata.len ? point->metadata : BP_STR("{}"));
    bind_text(write->put, 3, point->words);
    BP_TRY(run(call, write, write->put));
    sqlite3_bind_int64(write->index, 1, id);
    bind_text(write->index, 2, point->words);
    BP_TRY(run(call, write, write->index));
    if (!point->vector) {
        sqlite3_bind_int64(write->drop_vector, 1, id);
        return run(call, write, write->drop_vector);
    }
    sqlite3_bind_int64(write->put_vector, 1, id);
    sqlite3_bind_blob64(write->put_vector, 2, write->vector, collection->dimensions * sizeof(float),
                        SQLITE_STATIC);
    return run(call, write, write->put_vector);
}

static bp_status upsert_points(bp_call *call, struct write *write)
{
    struct collection *collection = write->collection;
    bool               has_room;

    for (size_t i = 0; i < write->count; i++)
        BP_TRY(put_point(call, write, point_at(write, i)));
    /* Before the commit, as nothing may fail behind it. */
    pthread_rwlock_wrlock(&collection->lock);
    has_room = vector_index_reserve(collection->index, write->count);
    pthread_rwlock_unlock(&collection->lock);
    if (!has_room)
        return bp_fail(call, BP_NO_MEMORY, "no memory for %zu more vectors in \"%s\"", write->count,
                       collection->name);
    return sqlitedb_run(call, write->db, "COMMIT");
}

static void upsert_memory(const struct write *write)
{
    struct collection *collection = write->collection;

    pthread_rwlock_wrlock(&collection->lock);
    for (size_t i = 0; i < write->count; i++) {
        const bp_point *point = point_at(write, i);
        if (point->vector && vectors_prepare(point->vector, collection->dimensions,
                                             collection->metric, write->vector))
            vector_index_add(collection->index, point->id, write->vector);
        else
            vector_index_remove(collection->index, point->id);
    }
    pthread_rwlock_unlock(&collection->lock);
    atomic_fetch_add(&collection->point_count, (long long)write->made);
}

/* ---- remove ---- */

static bp_status select_ids(bp_call *call, struct write *write)
{
    struct sql_text sql;
    sqlite3_stmt   *statement = NULL;
    size_t          capacity = 0;
    bool            has_row = true;
    bp_str          text;
    bp_status       status;

    BP_TRY(sql_begin(call, &sql));
    BP_TRY(collection_sql(&sql, write->collection, "SELECT p.id FROM points_% p WHERE "));
    BP_TRY(sql_filter(&sql, write->filter));
    BP_TRY(sql_end(&sql, &text));
    BP_TRY(sqlitedb_prepare(call, write->db, text, &statement));
    status = sql_bind(&sql, statement) == SQLITE_OK
                 ? BP_OK
                 : bp_fail(call, BP_INVALID, "the filter has a value too large");
    while (status == BP_OK &&
           (status = sqlitedb_step(call, write->db, statement, &has_row)) == BP_OK && has_row) {
        if (write->count == capacity) {
            uint64_t *grown = realloc(write->selected,
                                      (capacity ? capacity * 2 : 1024) * sizeof(*grown));
            if (!grown) {
                status = bp_fail(call, BP_NO_MEMORY,
                                 "no memory for the ids of the points to delete");
                break;
            }
            capacity = capacity ? capacity * 2 : 1024;
            write->selected = grown;
        }
        write->selected[write->count++] = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlitedb_done(write->db, statement);
    write->ids = write->selected;
    return status;
}

static bp_status remove_points(bp_call *call, struct write *write)
{
    if (!write->ids)
        BP_TRY(select_ids(call, write));
    for (size_t i = 0; i < write->count; i++) {
        bool was_there = false;
        if (write->ids[i] < 1 || write->ids[i] > INT64_MAX)
            continue; /* no point has such an id */
        BP_TRY(forget_words(call, write, (int64_t)write->ids[i], &was_there));
        if (!was_there)
            continue;
        sqlite3_bind_int64(write->drop, 1, (int64_t)write->ids[i]);
        BP_TRY(run(call, write, write->drop));
        sqlite3_bind_int64(write->drop_vector, 1, (int64_t)write->ids[i]);
        BP_TRY(run(call, write, write->drop_vector));
        write->removed++;
    }
    return sqlitedb_run(call, write->db, "COMMIT");
}

static void remove_memory(const struct write *write)
{
    struct collection *collection = write->collection;

    pthread_rwlock_wrlock(&collection->lock);
    for (size_t i = 0; i < write->count; i++)
        vector_index_remove(collection->index, write->ids[i]);
    pthread_rwlock_unlock(&collection->lock);
    atomic_fetch_sub(&collection->point_count, (long long)write->removed);
}

/* ---- both ---- */

static bp_status write_job(bp_call *call, void *arg)
{
    struct write *write = arg;
    bp_status     status;

    write->db = write->store->links.writer.db;
    write->vector = malloc(write->collection->dimensions * sizeof(float));
    if (!write->vector)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a vector");
    sqlitedb_enter(call, write->db);
    status = sqlitedb_may_write(call, write->db);
    if (status == BP_OK)
        status = sqlitedb_run(call, write->db, "BEGIN IMMEDIATE");
    if (status == BP_OK)
        status = prepare_all(call, write);
    if (status == BP_OK)
        status = write->points ? upsert_points(call, write) : remove_points(call, write);
    release_all(write);
    sqlitedb_rollback(write->db);
    sqlitedb_leave(write->db);
    if (status == BP_OK && write->points)
        upsert_memory(write);
    else if (status == BP_OK)
        remove_memory(write);
    free(write->vector);
    free(write->selected);
    return status;
}

static bp_status write_points(bp_call *call, void *instance, bp_str name, struct write *write)
{
    bp_status status;

    write->store = ((struct local_instance *)instance)->store;
    BP_TRY(collection_find(call, write->store, name, &write->collection));
    status = on_writer(call, write->store, write_job, write);
    status = collection_status(call, write->collection, status);
    collection_release(write->collection);
    return status;
}

bp_status local_upsert(bp_call *call, void *instance, bp_str name, const bp_point *points,
                       size_t point_size, size_t count)
{
    struct write write = { .points = (const char *)points,
                           .point_size = point_size,
                           .count = count };

    if (count > POINTS_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "%zu points were given, at most %d can be written at once", count,
                       POINTS_MAX);
    if (count == 0) {
        BP_TRY(collection_find(call, ((struct local_instance *)instance)->store, name,
                               &write.collection));
        collection_release(write.collection);
        return BP_OK;
    }
    return write_points(call, instance, name, &write);
}

bp_status local_remove(bp_call *call, void *instance, bp_str name, const uint64_t *ids,
                       size_t count, const bp_filter *filter, uint64_t *removed)
{
    struct write write = { .ids = ids, .count = ids ? count : 0, .filter = filter };
    bp_status    status;

    if (!ids && !filter)
        return bp_fail(call, BP_INVALID,
                       "say which points to delete: by their ids or by a filter; drop() deletes "
                       "all");
    status = write_points(call, instance, name, &write);
    if (status == BP_OK && removed)
        *removed = write.removed;
    return status;
}

/* collection.c - the collections of a store: made, dropped, listed, and read into memory at start.
 */
#include "local.h"

#include <stdlib.h>

#define SCHEMA                                                                                     \
    "CREATE TABLE IF NOT EXISTS collections(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT "  \
    "NULL UNIQUE, "                                                                                \
    "dimensions INTEGER NOT NULL, metric INTEGER NOT NULL, model TEXT NOT NULL, language TEXT "    \
    "NOT NULL, owner TEXT NOT NULL DEFAULT '')"

/* ---- references ---- */

static void collection_free(struct collection *collection)
{
    vector_index_free(collection->index);
    pthread_rwlock_destroy(&collection->lock);
    free(collection);
}

void collection_release(struct collection *collection)
{
    if (collection && atomic_fetch_sub(&collection->references, 1) == 1)
        collection_free(collection);
}

void collections_free(struct store *store)
{
    while (store->collections) {
        struct collection *first = store->collections;
        store->collections = first->next;
        collection_release(first);
    }
}

static struct collection *look_up(struct store *store, bp_str name)
{
    struct collection *at;

    pthread_mutex_lock(&store->lock);
    for (at = store->collections; at && !bp_str_is(name, at->name); at = at->next)
        ;
    if (at)
        atomic_fetch_add(&at->references, 1);
    pthread_mutex_unlock(&store->lock);
    return at;
}

bp_status collection_find(bp_call *call, struct store *store, bp_str name,
                          struct collection **collection)
{
    *collection = look_up(store, name);
    if (!*collection)
        return bp_fail(call, BP_NOT_FOUND, "there is no collection \"" BP_FMT "\"", BP_ARG(name));
    return BP_OK;
}

bp_status collection_status(bp_call *call, const struct collection *collection, bp_status status)
{
    if (status != BP_OK && atomic_load(&collection->is_dropped))
        return bp_fail(call, BP_NOT_FOUND, "the collection \"%s\" was dropped", collection->name);
    return status;
}

static void enlist(struct store *store, struct collection *collection)
{
    struct collection **at;

    pthread_mutex_lock(&store->lock);
    for (at = &store->collections; *at && strcmp((*at)->name, collection->name) < 0;
         at = &(*at)->next)
        ;
    collection->next = *at;
    *at = collection;
    pthread_mutex_unlock(&store->lock);
}

static void delist(struct store *store, struct collection *collection)
{
    pthread_mutex_lock(&store->lock);
    for (struct collection **at = &store->collections; *at; at = &(*at)->next)
        if (*at == collection) {
            *at = collection->next;
            break;
        }
    pthread_mutex_unlock(&store->lock);
    atomic_store(&collection->is_dropped, true);
    collection_release(collection);
}

static struct collection *collection_new(int64_t number, bp_str name,
                                         const bp_vector_schema *schema)
{
    struct collection *collection = calloc(1, sizeof(*collection));
    bp_str             language = vectors_language(schema);

    if (!collection)
        return NULL;
    atomic_init(&collection->references, 1);
    pthread_rwlock_init(&collection->lock, NULL);
    collection->number = number;
    collection->dimensions = schema->dimensions;
    collection->metric = schema->metric;
    snprintf(collection->name, sizeof(collection->name), BP_FMT, BP_ARG(name));
    snprintf(collection->model, sizeof(collection->model), BP_FMT, BP_ARG(schema->model));
    snprintf(collection->language, sizeof(collection->language), BP_FMT, BP_ARG(language));
    snprintf(collection->owner, sizeof(collection->owner), BP_FMT, BP_ARG(bp_vector_owner(schema)));
    collection->tokenizer = words_tokenizer_of(language);
    collection->index = vector_index_new(schema->dimensions, (bp_metric_kind)schema->metric);
    if (!collection->index) {
        collection_free(collection);
        return NULL;
    }
    return collection;
}

/* ---- SQL with the collection's number in it ---- */

static bp_str numbered(bp_call *call, const struct collection *collection, const char *text)
{
    bp_buf *buf = bp_buf_new(call, 1 << 16);

    for (const char *percent; (percent = strchr(text, '%')); text = percent + 1) {
        bp_buf_add(buf, bp_str_n(text, (size_t)(percent - text)));
        bp_buf_addf(buf, "%lld", (long long)collection->number);
    }
    bp_buf_add(buf, bp_str_of(text));
    return bp_buf_str(buf);
}

bp_status collection_prepare(bp_call *call, struct sqlitedb *db,
                             const struct collection *collection, const char *sql,
                             sqlite3_stmt **statement)
{
    return sqlitedb_prepare(call, db, numbered(call, collection, sql), statement);
}

bp_status collection_sql(struct sql_text *sql, const struct collection *collection,
                         const char *text)
{
    bp_buf_add(sql->buf, numbered(sql->call, collection, text));
    return bp_buf_status(sql->buf);
}

static bp_status run_numbered(bp_call *call, struct sqlitedb *db,
                              const struct collection *collection, const char *text)
{
    return sqlitedb_run(call, db, numbered(call, collection, text).data);
}

/* ---- start ---- */

static bp_status load_vectors(bp_call *call, struct sqlitedb *db, struct collection *collection)
{
    sqlite3_stmt *statement;
    bool          has_row = true;
    bp_status     status;

    BP_TRY(collection_prepare(call, db, collection, "SELECT count(*) FROM points_%", &statement));
    status = sqlitedb_step(call, db, statement, &has_row);
    if (status == BP_OK)
        atomic_store(&collection->point_count, sqlite3_column_int64(statement, 0));
    sqlitedb_done(db, statement);
    BP_TRY(status);
    BP_TRY(
        collection_prepare(call, db, collection, "SELECT id, vector FROM vectors_%", &statement));
    while ((status = sqlitedb_step(call, db, statement, &has_row)) == BP_OK && has_row) {
        if (sqlite3_column_bytes(statement, 1) != (int)(collection->dimensions * sizeof(float)))
            status = bp_fail(call, BP_DATA,
                             "%s: point %lld of \"%s\" has a vector of %d bytes: restore the last "
                             "backup",
                             db->path, (long long)sqlite3_column_int64(statement, 0),
                             collection->name, sqlite3_column_bytes(statement, 1));
        else if (!vector_index_reserve(collection->index, 1))
            status = bp_fail(call, BP_NO_MEMORY, "no memory for the vectors of \"%s\"",
                             collection->name);
        if (status != BP_OK)
            break;
        vector_index_add(collection->index, (uint64_t)sqlite3_column_int64(statement, 0),
                         sqlite3_column_blob(statement, 1));
    }
    sqlitedb_done(db, statement);
    return status;
}

static bp_str column(sqlite3_stmt *statement, int index)
{
    const char *text = (const char *)sqlite3_column_text(statement, index);
    return bp_str_n(text, (size_t)sqlite3_column_bytes(statement, index));
}

/* Files of older versions have none. */
static bp_status add_owner_column(bp_call *call, struct sqlitedb *db)
{
    sqlite3_stmt *statement;
    bool          has_row = false;
    bp_status     status;

    BP_TRY(sqlitedb_prepare(call, db,
                            BP_STR("SELECT 1 FROM pragma_table_info('collections') WHERE name = "
                                   "'owner'"),
                            &statement));
    status = sqlitedb_step(call, db, statement, &has_row);
    sqlitedb_done(db, statement);
    if (status != BP_OK || has_row)
        return status;
    return sqlitedb_run(call, db,
                        "ALTER TABLE collections ADD COLUMN owner TEXT NOT NULL DEFAULT ''");
}

bp_status collections_load(bp_call *call, struct store *store)
{
    struct sqlitedb *db = store->links.writer.db;
    sqlite3_stmt    *statement;
    bool             has_row = true;
    bp_status        status;

    BP_TRY(sqlitedb_run(call, db, SCHEMA));
    BP_TRY(add_owner_column(call, db));
    BP_TRY(sqlitedb_prepare(call, db,
                            BP_STR("SELECT id, name, dimensions, metric, model, language, owner "
                                   "FROM collections"),
                            &statement));
    while ((status = sqlitedb_step(call, db, statement, &has_row)) == BP_OK && has_row) {
        const bp_vector_schema schema = {
            .struct_size = sizeof(schema),
            .dimensions = (uint32_t)sqlite3_column_int64(statement, 2),
            .metric = (uint32_t)sqlite3_column_int64(statement, 3),
            .model = column(statement, 4),
            .language = column(statement, 5),
            .owner = column(statement, 6),
        };
        struct collection *collection = collection_new(sqlite3_column_int64(statement, 0),
                                                       column(statement, 1), &schema);
        if (!collection) {
            status = bp_fail(call, BP_NO_MEMORY, "no memory for a collection");
            break;
        }
        enlist(store, collection);
        status = load_vectors(call, db, collection);
        if (status != BP_OK)
            break;
    }
    sqlitedb_done(db, statement);
    return status;
}

/* ---- create ---- */

struct change {
    struct store           *store;
    bp_str                  name;
    const bp_vector_schema *schema;
    struct collection      *collection;
};

/* Who else asks for it meanwhile sees the mark; the file has it first. */
static bp_status mark_job(bp_call *call, void *arg)
{
    struct change   *change = arg;
    struct sqlitedb *db = change->store->links.writer.db;
    bp_str           owner = bp_vector_owner(change->schema);
    sqlite3_stmt    *statement;
    bool             has_row;
    bp_status        status;

    if (change->collection->owner[0])
        return BP_OK; // another call was faster
    BP_TRY(sqlitedb_may_write(call, db));
    BP_TRY(sqlitedb_prepare(call, db,
                            BP_STR("UPDATE collections SET owner = ? WHERE id = ? AND owner = ''"),
                            &statement));
    sqlite3_bind_text(statement, 1, owner.data, (int)owner.len, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, change->collection->number);
    status = sqlitedb_step(call, db, statement, &has_row);
    sqlitedb_done(db, statement);
    if (status != BP_OK)
        return status;
    pthread_mutex_lock(&change->store->lock);
    snprintf(change->collection->owner, sizeof(change->collection->owner), BP_FMT, BP_ARG(owner));
    pthread_mutex_unlock(&change->store->lock);
    vectors_adopted(call, change->name, owner);
    return BP_OK;
}

static void describe(bp_call *call, struct store *store, const struct collection *collection,
                     bp_vector_schema *schema)
{
    *schema = (bp_vector_schema){ .struct_size = sizeof(*schema),
                                  .dimensions = collection->dimensions,
                                  .metric = collection->metric,
                                  .model = bp_str_of(collection->model),
                                  .language = bp_str_of(collection->language) };
    pthread_mutex_lock(&store->lock);
    schema->owner = bp_dup(call, bp_str_of(collection->owner));
    pthread_mutex_unlock(&store->lock);
}

static bp_status compare_schema(bp_call *call, struct change *change)
{
    bp_vector_schema there;
    bool             is_unmarked;

    describe(call, change->store, change->collection, &there);
    BP_TRY(vectors_compare_schema(call, change->name, &there, change->schema, &is_unmarked));
    if (!is_unmarked)
        return BP_OK;
    BP_TRY(on_writer(call, change->store, mark_job, change));
    describe(call, change->store, change->collection, &there);
    return vectors_compare_schema(call, change->name, &there, change->schema, &is_unmarked);
}

static bp_status insert_collection(bp_call *call, struct sqlitedb *db, const struct change *change,
                                   int64_t *number)
{
    bp_str language = vectors_language(change->schema), owner = bp_vector_owner(change->schema);
    sqlite3_stmt *statement;
    bool          has_row;
    bp_status     status;

    BP_TRY(sqlitedb_prepare(call, db,
                            BP_STR("INSERT INTO collections(name, dimensions, metric, model, "
                                   "language, owner) "
                                   "VALUES(?, ?, ?, ?, ?, ?)"),
                            &statement));
    sqlite3_bind_text(statement, 1, change->name.data, (int)change->name.len, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, change->schema->dimensions);
    sqlite3_bind_int64(statement, 3, change->schema->metric);
    sqlite3_bind_text(statement, 4, change->schema->model.len ? change->schema->model.data : "",
                      (int)change->schema->model.len, SQLITE_STATIC);
    sqlite3_bind_text(statement, 5, language.data, (int)language.len, SQLITE_STATIC);
    sqlite3_bind_text(statement, 6, owner.len ? owner.data : "", (int)owner.len, SQLITE_STATIC);
    status = sqlitedb_step(call, db, statement, &has_row);
    *number = sqlite3_last_insert_rowid(db->handle);
    sqlitedb_done(db, statement);
    return status;
}

static bp_status make_tables(bp_call *call, struct sqlitedb *db,
                             const struct collection *collection)
{
    char words[256];

    snprintf(words, sizeof(words),
             "CREATE VIRTUAL TABLE words_%% USING fts5(words, content='points_%%', "
             "content_rowid='id', tokenize='%s')",
             words_tokenizer_sql(collection->tokenizer));
    BP_TRY(run_numbered(call, db, collection,
                        "CREATE TABLE points_%(id INTEGER PRIMARY KEY, metadata TEXT NOT NULL, "
                        "words TEXT NOT NULL);"
                        "CREATE TABLE vectors_%(id INTEGER PRIMARY KEY, vector BLOB NOT NULL)"));
    return run_numbered(call, db, collection, words);
}

static bp_status create_job(bp_call *call, void *arg)
{
    struct change     *change = arg;
    struct sqlitedb   *db = change->store->links.writer.db;
    struct collection *collection = NULL;
    int64_t            number = 0;
    bp_status          status;

    /* Another call may have made it while this one waited for the writer. */
    change->collection = look_up(change->store, change->name);
    if (change->collection)
        return BP_OK;
    sqlitedb_enter(call, db);
    status = sqlitedb_may_write(call, db);
    if (status == BP_OK)
        status = sqlitedb_run(call, db, "BEGIN IMMEDIATE");
    if (status == BP_OK)
        status = insert_collection(call, db, change, &number);
    if (status == BP_OK) {
        collection = collection_new(number, change->name, change->schema);
        status = collection ? make_tables(call, db, collection)
                            : bp_fail(call, BP_NO_MEMORY, "no memory for a collection");
    }
    if (status == BP_OK)
        status = sqlitedb_run(call, db, "COMMIT");
    sqlitedb_rollback(db);
    sqlitedb_leave(db);
    if (status == BP_OK)
        enlist(change->store, collection);
    else if (collection)
        collection_release(collection);
    return status;
}

bp_status local_create(bp_call *call, void *instance, bp_str name, const bp_vector_schema *schema)
{
    struct change change = { .store = ((struct local_instance *)instance)->store,
                             .name = name,
                             .schema = schema };
    bp_status     status = BP_OK;

    BP_TRY(vectors_check_schema(call, name, schema, DIMENSIONS_MAX));
    change.collection = look_up(change.store, name);
    if (!change.collection)
        status = on_writer(call, change.store, create_job, &change);
    if (status == BP_OK && change.collection)
        status = compare_schema(call, &change);
    collection_release(change.collection);
    return status;
}

bp_status local_owner(bp_call *call, void *instance, bp_str name, bp_str *owner)
{
    struct store      *store = ((struct local_instance *)instance)->store;
    struct collection *collection;
    bp_vector_schema   schema;

    BP_TRY(collection_find(call, store, name, &collection));
    describe(call, store, collection, &schema);
    *owner = schema.owner;
    collection_release(collection);
    return BP_OK;
}

/* ---- drop and list ---- */

static bp_status drop_job(bp_call *call, void *arg)
{
    const struct change *change = arg;
    struct sqlitedb     *db = change->store->links.writer.db;
    bp_status            status;

    if (atomic_load(&change->collection->is_dropped))
        return bp_fail(call, BP_NOT_FOUND, "there is no collection \"" BP_FMT "\"",
                       BP_ARG(change->name));
    sqlitedb_enter(call, db);
    status = sqlitedb_may_write(call, db);
    if (status ==
        BP_OK) // its tables are cleared away piece by piece, as that takes seconds: sweep.c
        status = run_numbered(call, db, change->collection, "DELETE FROM collections WHERE id = %");
    sqlitedb_rollback(db);
    sqlitedb_leave(db);
    if (status == BP_OK) {
        delist(change->store, change->collection);
        atomic_store(&change->store->has_leftovers, true);
    }
    return status;
}

bp_status local_drop(bp_call *call, void *instance, bp_str name)
{
    struct change change = { .store = ((struct local_instance *)instance)->store, .name = name };
    bp_status     status;

    BP_TRY(collection_find(call, change.store, name, &change.collection));
    status = on_writer(call, change.store, drop_job, &change);
    collection_release(change.collection);
    return status;
}

bp_status local_list(bp_call *call, void *instance, const bp_vector_info **collections,
                     size_t *count)
{
    struct store   *store = ((struct local_instance *)instance)->store;
    bp_vector_info *infos;
    size_t          total = 0, used = 0;

    pthread_mutex_lock(&store->lock);
    for (const struct collection *at = store->collections; at; at = at->next)
        total++;
    infos = BP_NEW_ARRAY(call, bp_vector_info, total);
    for (struct collection *at = store->collections; at && infos; at = at->next) {
        bp_vector_info *info = &infos[used++];
        info->struct_size = sizeof(*info);
        info->dimensions = at->dimensions;
        info->metric = at->metric;
        info->name = bp_dup(call, bp_str_of(at->name));
        info->model = bp_dup(call, bp_str_of(at->model));
        info->language = bp_dup(call, bp_str_of(at->language));
        info->count = (uint64_t)atomic_load(&at->point_count);
        pthread_rwlock_rdlock(&at->lock);
        info->memory_bytes = vector_index_memory_bytes(at->index);
        pthread_rwlock_unlock(&at->lock);
    }
    pthread_mutex_unlock(&store->lock);
    *collections = infos;
    *count = used;
    return infos ? BP_OK : BP_NO_MEMORY;
}

/* search.c - the two legs of a search: exact scan of the vectors in memory, BM25 over the words in
 * the file. */
#include "local.h"

#include <stdlib.h>

struct search {
    struct collection     *collection;
    const bp_vector_query *query;
    const float           *vector; /* as the index wants it; NULL: this leg was not asked for */
    struct words_query     words;
    bp_leg                *by_vector, *by_words;
};

/* ---- vectors ---- */

static bp_status allowed_ids(bp_call *call, struct sqlitedb *db, const struct search *search,
                             uint64_t **ids, size_t *count)
{
    struct sql_text sql;
    sqlite3_stmt   *statement = NULL;
    size_t          capacity = 1024;
    bool            has_row = true;
    bp_str          text;
    bp_status       status;

    BP_TRY(sql_begin(call, &sql));
    BP_TRY(collection_sql(&sql, search->collection, "SELECT p.id FROM points_% p WHERE "));
    BP_TRY(sql_filter(&sql, search->query->filter));
    BP_TRY(sql_end(&sql, &text));
    BP_TRY(sqlitedb_prepare(call, db, text, &statement));
    *ids = malloc(capacity * sizeof(**ids));
    status = !*ids ? bp_fail(call, BP_NO_MEMORY, "no memory for a filter's ids")
             : sql_bind(&sql, statement) == SQLITE_OK
                 ? BP_OK
                 : bp_fail(call, BP_INVALID, "the filter has a value too large");
    while (status == BP_OK && (status = sqlitedb_step(call, db, statement, &has_row)) == BP_OK &&
           has_row) {
        if (*count == capacity) {
            uint64_t *grown = realloc(*ids, capacity * 2 * sizeof(*grown));
            if (!grown) {
                status = bp_fail(call, BP_NO_MEMORY, "no memory for a filter's ids");
                break;
            }
            capacity *= 2;
            *ids = grown;
        }
        (*ids)[(*count)++] = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlitedb_done(db, statement);
    return status;
}

static bp_status search_vectors(bp_call *call, struct sqlitedb *db, const struct search *search)
{
    struct vector_query wanted = { .vector = search->vector, .limit = search->query->limit };
    uint64_t           *ids = NULL;
    bp_leg             *leg = search->by_vector;
    bp_hit             *hits = BP_NEW_ARRAY(call, bp_hit, search->query->limit);
    bp_status           status = hits ? BP_OK : BP_NO_MEMORY;

    if (status == BP_OK && search->query->filter) {
        status = allowed_ids(call, db, search, &ids, &wanted.allowed_count);
        wanted.allowed = ids;
    }
    if (status == BP_OK) {
        pthread_rwlock_rdlock(&search->collection->lock);
        status = vector_index_search(call, search->collection->index, &wanted, hits,
                                     &leg->hit_count, &leg->rows_read);
        pthread_rwlock_unlock(&search->collection->lock);
    }
    leg->mode = search->query->filter ? BP_SEARCH_FILTERED : BP_SEARCH_EXACT;
    leg->hits = hits;
    free(ids);
    return status;
}

/* ---- words ---- */

/* FTS5's bm25() is the smaller the better; rank is the same, as it stands for bm25(). */
static bp_status write_match(struct sql_text *sql, const struct search *search)
{
    BP_TRY(collection_sql(sql, search->collection, "SELECT w.rowid, -w.rank FROM words_% w "));
    if (search->query->filter)
        BP_TRY(collection_sql(sql, search->collection, "JOIN points_% p ON p.id = w.rowid "));
    BP_TRY(collection_sql(sql, search->collection, "WHERE words_% MATCH "));
    sql_string(sql, search->words.match);
    if (search->query->filter) {
        bp_buf_add(sql->buf, BP_STR(" AND "));
        BP_TRY(sql_filter(sql, search->query->filter));
    }
    bp_buf_add(sql->buf, BP_STR(" ORDER BY w.rank, w.rowid LIMIT "));
    sql_integer(sql, search->query->limit);
    return BP_OK;
}

/* Terms of one or two characters are in no trigram: the passages are read, and how many terms they
 * hold counts. */
static bp_status write_scan(struct sql_text *sql, const struct search *search)
{
    BP_TRY(collection_sql(sql, search->collection, "SELECT p.id, (0"));
    for (size_t i = 0; i < search->words.short_count; i++) {
        bp_buf_add(sql->buf, BP_STR(" + (instr(lower(p.words), lower("));
        sql_string(sql, search->words.short_terms[i]);
        bp_buf_add(sql->buf, BP_STR(")) > 0)"));
    }
    BP_TRY(
        collection_sql(sql, search->collection, ") AS found FROM points_% p WHERE found > 0 AND "));
    BP_TRY(sql_filter(sql, search->query->filter));
    bp_buf_add(sql->buf, BP_STR(" ORDER BY found DESC, p.id LIMIT "));
    sql_integer(sql, search->query->limit);
    return BP_OK;
}

static bp_status search_words(bp_call *call, struct sqlitedb *db, const struct search *search)
{
    bp_leg         *leg = search->by_words;
    struct sql_text sql;
    sqlite3_stmt   *statement = NULL;
    bp_hit         *hits = BP_NEW_ARRAY(call, bp_hit, search->query->limit);
    bool            has_row = true;
    bp_str          text;
    bp_status       status;

    leg->mode = BP_SEARCH_EXACT;
    leg->hits = hits;
    if (!hits)
        return BP_NO_MEMORY;
    if (!search->words.match.len && !search->words.short_count)
        return BP_OK; /* nothing but punctuation */
    BP_TRY(sql_begin(call, &sql));
    BP_TRY(search->words.match.len ? write_match(&sql, search) : write_scan(&sql, search));
    BP_TRY(sql_end(&sql, &text));
    BP_TRY(sqlitedb_prepare(call, db, text, &statement));
    status = sql_bind(&sql, statement) == SQLITE_OK
                 ? BP_OK
                 : bp_fail(call, BP_INVALID, "the query has a value too large");
    while (status == BP_OK && (status = sqlitedb_step(call, db, statement, &has_row)) == BP_OK &&
           has_row) {
        hits[leg->hit_count].id = (uint64_t)sqlite3_column_int64(statement, 0);
        hits[leg->hit_count].score = sqlite3_column_double(statement, 1);
        leg->hit_count++;
    }
    leg->rows_read = leg->hit_count;
    sqlitedb_done(db, statement);
    return status;
}

/* ---- the operation ---- */

static bp_status search_job(bp_call *call, struct sqlitedb *db, void *arg)
{
    const struct search *search = arg;

    if (search->vector)
        BP_TRY(search_vectors(call, db, search));
    if (search->query->words.len)
        BP_TRY(search_words(call, db, search));
    return BP_OK;
}

static bp_status prepare_search(bp_call *call, struct search *search)
{
    const struct collection *collection = search->collection;
    const bp_vector_query   *query = search->query;

    if (query->limit < 1 || query->limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a search gives 1 to %d hits, not %u", LIMIT_MAX,
                       query->limit);
    if (query->vector) {
        float *vector = BP_NEW_ARRAY(call, float, collection->dimensions);
        if (query->dimensions != collection->dimensions)
            return bp_fail(call, BP_INVALID,
                           "the collection \"%s\" has vectors of %u dimensions, the query has %u: "
                           "it is "
                           "of another embedder",
                           collection->name, collection->dimensions, query->dimensions);
        if (!vector)
            return BP_NO_MEMORY;
        if (!vectors_prepare(query->vector, collection->dimensions, collection->metric, vector))
            return bp_fail(call, BP_INVALID, "the query's vector is zero or not finite");
        search->vector = vector;
    }
    return words_parse(call, collection->tokenizer, query->words, &search->words);
}

bp_status local_search(bp_call *call, void *instance, const bp_vector_query *query,
                       bp_leg *by_vector, bp_leg *by_words)
{
    struct store *store = ((struct local_instance *)instance)->store;
    struct search search = { .query = query, .by_vector = by_vector, .by_words = by_words };
    bp_status     status;

    by_vector->mode = by_words->mode = BP_SEARCH_NONE;
    by_vector->hit_count = by_words->hit_count = 0;
    by_vector->rows_read = by_words->rows_read = 0;
    BP_TRY(collection_find(call, store, query->collection, &search.collection));
    status = prepare_search(call, &search);
    if (status == BP_OK)
        status = on_reader(call, store, search_job, &search);
    status = collection_status(call, search.collection, status);
    collection_release(search.collection);
    return status;
}

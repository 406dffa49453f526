/* statement.c - running statements: parameters in, rows out, on the thread of the right connection.
 */
#include "store.h"

#include <stdlib.h>

enum { CHUNK_ROWS = 256, CHUNK_BYTES = 1 << 20 };

/* ---- parameters and values ---- */

static int bind_one(sqlite3_stmt *prepared, int place, const bp_sql_value *value)
{
    const char *bytes = value->text.data ? value->text.data : "";

    switch (value->type) {
    case BP_SQL_NULL:
        return sqlite3_bind_null(prepared, place);
    case BP_SQL_INTEGER:
        return sqlite3_bind_int64(prepared, place, value->integer);
    case BP_SQL_REAL:
        return sqlite3_bind_double(prepared, place, value->real);
    case BP_SQL_TEXT:
        return sqlite3_bind_text64(prepared, place, bytes, value->text.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case BP_SQL_BYTES:
        return sqlite3_bind_blob64(prepared, place, bytes, value->text.len, SQLITE_STATIC);
    default:
        return SQLITE_MISUSE;
    }
}

/* SQLite takes $1 for a parameter named "$1", so the number is in its name and not in its place. */
static bp_status bind_all(bp_call *call, struct sqlitedb *db, sqlite3_stmt *prepared,
                          const bp_statement *statement)
{
    int count = sqlite3_bind_parameter_count(prepared);

    for (int place = 1; place <= count; place++) {
        const char         *name = sqlite3_bind_parameter_name(prepared, place);
        char               *end = NULL;
        unsigned long       number = name && name[0] == '$' ? strtoul(name + 1, &end, 10) : 0;
        const bp_sql_value *value;
        int                 code;

        if (number == 0 || *end)
            return bp_fail(call, BP_INVALID, "parameters are written $1, $2 ...; %s is none",
                           name ? name : "?");
        if (number > statement->parameter_count)
            return bp_fail(call, BP_INVALID, "the statement uses %s and was given %u parameters",
                           name, statement->parameter_count);
        value = &statement->parameters[number - 1];
        if (value->type > BP_SQL_BYTES)
            return bp_fail(call, BP_INVALID, "parameter %s has the unknown type %u", name,
                           value->type);
        code = bind_one(prepared, place, value);
        if (code != SQLITE_OK)
            return sqlitedb_fail(call, db, code);
    }
    return BP_OK;
}

bp_status statement_prepare(bp_call *call, struct sqlitedb *db, const bp_statement *statement,
                            sqlite3_stmt **prepared)
{
    bp_status status;

    *prepared = NULL;
    if (statement->parameter_count > PARAMETERS_MAX)
        return bp_fail(call, BP_INVALID, "%u parameters were given, at most %d are possible",
                       statement->parameter_count, PARAMETERS_MAX);
    BP_TRY(sqlitedb_prepare(call, db, statement->sql, prepared));
    status = bind_all(call, db, *prepared, statement);
    if (status != BP_OK) {
        sqlitedb_done(db, *prepared);
        *prepared = NULL;
    }
    return status;
}

/* Text and bytes are copied to the call's arena. */
bp_status statement_value(bp_call *call, sqlite3_stmt *prepared, int column, bp_sql_value *value)
{
    bp_str bytes;

    memset(value, 0, sizeof(*value));
    switch (sqlite3_column_type(prepared, column)) {
    case SQLITE_INTEGER:
        *value = bp_sql_int(sqlite3_column_int64(prepared, column));
        return BP_OK;
    case SQLITE_FLOAT:
        *value = bp_sql_real(sqlite3_column_double(prepared, column));
        return BP_OK;
    case SQLITE_TEXT:
        value->type = BP_SQL_TEXT;
        bytes.data = (const char *)sqlite3_column_text(prepared, column);
        break;
    case SQLITE_BLOB:
        value->type = BP_SQL_BYTES;
        bytes.data = sqlite3_column_blob(prepared, column);
        break;
    default:
        return BP_OK;
    }
    bytes.len = (size_t)sqlite3_column_bytes(prepared, column);
    value->text = bp_dup(call, bytes);
    return value->text.data ? BP_OK : BP_NO_MEMORY;
}

static bp_status column_names(bp_call *call, sqlite3_stmt *prepared, uint32_t count,
                              const bp_str **names)
{
    bp_str *made = BP_NEW_ARRAY(call, bp_str, count);

    if (!made)
        return BP_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        made[i] = bp_dup(call, bp_str_of(sqlite3_column_name(prepared, (int)i)));
        if (!made[i].data)
            return BP_NO_MEMORY;
    }
    *names = made;
    return BP_OK;
}

/* Steps to the end; `rows` may be NULL. */
bp_status statement_collect(bp_call *call, struct sqlitedb *db, sqlite3_stmt *prepared,
                            bp_rows *rows)
{
    uint32_t      columns = (uint32_t)sqlite3_column_count(prepared);
    int64_t       before = sqlite3_total_changes64(db->handle);
    bp_sql_value *values = NULL;
    size_t        count = 0, capacity = 0, bytes = 0;
    bool          has_row = true;

    for (;;) {
        BP_TRY(sqlitedb_step(call, db, prepared, &has_row));
        if (!has_row)
            break;
        if (!rows)
            continue;
        if (count == ROWS_MAX)
            return bp_fail(call, BP_TOO_LARGE,
                           "the statement gives more than %d rows: use a LIMIT, or query()",
                           ROWS_MAX);
        if (count == capacity) {
            bp_sql_value *grown = BP_NEW_ARRAY(call, bp_sql_value,
                                               (capacity ? capacity * 2 : 8) * columns);
            if (!grown)
                return BP_NO_MEMORY;
            if (count)
                memcpy(grown, values, count * columns * sizeof(*values));
            values = grown;
            capacity = capacity ? capacity * 2 : 8;
        }
        for (uint32_t i = 0; i < columns; i++) {
            bp_sql_value *value = &values[count * columns + i];
            BP_TRY(statement_value(call, prepared, (int)i, value));
            bytes += sizeof(*value) + value->text.len;
        }
        if (bytes > ROWS_BYTES_MAX)
            return bp_fail(call, BP_TOO_LARGE,
                           "the rows are larger than %d MiB: use a LIMIT, or query()",
                           ROWS_BYTES_MAX >> 20);
        count++;
    }
    if (!rows)
        return BP_OK;
    rows->column_count = columns;
    rows->row_count = count;
    rows->values = values;
    rows->changed = sqlite3_stmt_readonly(prepared) ? 0
                                                    : sqlite3_total_changes64(db->handle) - before;
    return columns ? column_names(call, prepared, columns, &rows->columns) : BP_OK;
}

/* ---- exec ---- */

struct exec {
    struct sqlitedb    *db;
    const bp_statement *statement;
    bp_rows            *rows;
    bool                is_in_transaction;
    bool                needs_writer; /* out: a reader cannot run it */
};

static bp_status exec_run(bp_call *call, struct exec *exec, sqlite3_stmt *prepared)
{
    bool      is_read = sqlite3_stmt_readonly(prepared) != 0;
    bp_status status;

    if (is_read || exec->is_in_transaction)
        return statement_collect(call, exec->db, prepared, exec->rows);
    /* A transaction of its own, so that a write that returns too many rows is taken back. */
    BP_TRY(sqlitedb_may_write(call, exec->db));
    BP_TRY(sqlitedb_run(call, exec->db, "BEGIN IMMEDIATE"));
    status = statement_collect(call, exec->db, prepared, exec->rows);
    if (status == BP_OK) {
        sqlite3_reset(prepared);
        status = sqlitedb_run(call, exec->db, "COMMIT");
    }
    sqlite3_reset(prepared);
    sqlitedb_rollback(exec->db);
    return status;
}

static bp_status exec_job(bp_call *call, void *arg)
{
    struct exec  *exec = arg;
    sqlite3_stmt *prepared;
    bp_status     status;

    sqlitedb_enter(call, exec->db);
    status = statement_prepare(call, exec->db, exec->statement, &prepared);
    if (status == BP_OK) {
        if (exec->needs_writer && sqlite3_stmt_readonly(prepared))
            exec->needs_writer = false;
        if (!exec->needs_writer)
            status = exec_run(call, exec, prepared);
    }
    sqlitedb_done(exec->db, prepared);
    sqlitedb_leave(exec->db);
    return status;
}

/* Whether a statement may be one that only reads: its first word decides. WITH may go either way.
 */
static bool may_be_read(bp_str sql)
{
    static const char *const words[] = { "select", "with", "values", "explain" };

    while (sql.len && strchr(" \t\r\n(", sql.data[0]))
        sql = bp_str_n(sql.data + 1, sql.len - 1);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]), k = 0;
        while (k < len && k < sql.len && (sql.data[k] | 0x20) == words[i][k])
            k++;
        if (k == len)
            return true;
    }
    return false;
}

static bp_status on_writer(bp_call *call, struct store                      *store,
                           bp_status (*job)(bp_call *call, void *arg), void *arg)
{
    bp_status status;

    BP_TRY(sqlitedb_link_take(call, &store->links.writer));
    status = bp_offload(call, store->links.writer.pool, job, arg);
    sqlitedb_link_give(&store->links.writer);
    return status;
}

bp_status store_exec(bp_call *call, void *instance, bp_transaction *transaction,
                     const bp_statement *statement, bp_rows *rows)
{
    struct store *store = ((struct sqlite_instance *)instance)->store;
    struct exec   exec = { .db = store->links.writer.db, .statement = statement, .rows = rows };
    bp_status     status;

    if (transaction) {
        BP_TRY(transaction_check(call, store, transaction));
        exec.is_in_transaction = true;
        transaction_work_begin(transaction);
        status = bp_offload(call, store->links.writer.pool, exec_job, &exec);
        transaction_work_end(transaction);
        return status;
    }
    if (may_be_read(statement->sql)) {
        struct sqlitedb_link *reader = sqlitedb_links_reader(&store->links);

        BP_TRY(sqlitedb_link_take(call, reader));
        exec.db = reader->db;
        exec.needs_writer = true; /* unless it turns out to read only */
        status = bp_offload(call, reader->pool, exec_job, &exec);
        sqlitedb_link_give(reader);
        if (status != BP_OK || !exec.needs_writer)
            return status;
        exec.db = store->links.writer.db;
        exec.needs_writer = false;
    }
    return on_writer(call, store, exec_job, &exec);
}

/* ---- query: rows in chunks; the sink runs on the fiber, SQLite on the pool ---- */

struct query {
    struct sqlitedb    *db;
    const bp_statement *statement;
    sqlite3_stmt       *prepared;
    uint32_t            columns;
    bp_sql_value       *values; /* CHUNK_ROWS rows */
    char               *bytes;  /* their text, one behind the other */
    size_t              bytes_capacity, row_count;
    bool                is_over;
};

/* Keeps the bytes of a value in the chunk, as an offset until the chunk is complete: the block may
 * move. */
static bp_status keep_bytes(bp_call *call, struct query *query, size_t *used, const void *data,
                            size_t len, bp_sql_value *value)
{
    if (*used + len + 1 > query->bytes_capacity) {
        size_t capacity = (*used + len + 1) * 2;
        char  *grown = realloc(query->bytes, capacity);
        if (!grown)
            return bp_fail(call, BP_NO_MEMORY, "no memory for a row of %zu bytes", len);
        query->bytes = grown;
        query->bytes_capacity = capacity;
    }
    if (len)
        memcpy(query->bytes + *used, data, len);
    query->bytes[*used + len] = '\0';
    value->integer = (int64_t)*used;
    value->text.len = len;
    *used += len + 1;
    return BP_OK;
}

static bp_status read_row(bp_call *call, struct query *query, size_t *used)
{
    for (uint32_t i = 0; i < query->columns; i++) {
        bp_sql_value *value = &query->values[query->row_count * query->columns + i];
        int           column = (int)i, type = sqlite3_column_type(query->prepared, column);

        memset(value, 0, sizeof(*value));
        if (type == SQLITE_INTEGER) {
            *value = bp_sql_int(sqlite3_column_int64(query->prepared, column));
        } else if (type == SQLITE_FLOAT) {
            *value = bp_sql_real(sqlite3_column_double(query->prepared, column));
        } else if (type != SQLITE_NULL) {
            const void *data = type == SQLITE_TEXT
                                   ? (const void *)sqlite3_column_text(query->prepared, column)
                                   : sqlite3_column_blob(query->prepared, column);
            value->type = type == SQLITE_TEXT ? BP_SQL_TEXT : BP_SQL_BYTES;
            BP_TRY(keep_bytes(call, query, used, data,
                              (size_t)sqlite3_column_bytes(query->prepared, column), value));
        }
    }
    query->row_count++;
    return BP_OK;
}

static bp_status query_start(bp_call *call, struct query *query)
{
    BP_TRY(statement_prepare(call, query->db, query->statement, &query->prepared));
    if (!sqlite3_stmt_readonly(query->prepared))
        return bp_fail(call, BP_INVALID, "query() takes a SELECT; for what writes use exec()");
    query->columns = (uint32_t)sqlite3_column_count(query->prepared);
    query->values = calloc((size_t)CHUNK_ROWS * (query->columns ? query->columns : 1),
                           sizeof(*query->values));
    return query->values ? BP_OK : bp_fail(call, BP_NO_MEMORY, "no memory for %d rows", CHUNK_ROWS);
}

static bp_status query_chunk(bp_call *call, void *arg)
{
    struct query *query = arg;
    size_t        used = 0;
    bp_status     status = BP_OK;

    sqlitedb_enter(call, query->db);
    query->row_count = 0;
    if (!query->prepared)
        status = query_start(call, query);
    while (status == BP_OK && !query->is_over && query->row_count < CHUNK_ROWS &&
           used < CHUNK_BYTES) {
        bool has_row;
        status = sqlitedb_step(call, query->db, query->prepared, &has_row);
        query->is_over = !has_row;
        if (status == BP_OK && has_row)
            status = read_row(call, query, &used);
    }
    for (size_t i = 0; i < query->row_count * query->columns; i++)
        if (query->values[i].type >= BP_SQL_TEXT) {
            query->values[i].text.data = query->bytes + query->values[i].integer;
            query->values[i].integer = 0;
        }
    sqlitedb_leave(query->db);
    return status;
}

/* `transaction`: the one it reads in; its time may be over between two chunks. NULL: none. */
static bp_status query_run(bp_call *call, struct sqlitedb_link *link, struct query *query,
                           bp_transaction *transaction, const bp_row_sink *sink)
{
    bp_status status = BP_OK;

    while (status == BP_OK && !query->is_over) {
        if (transaction && bp_now_ns() > transaction->ends_ns)
            break; /* transaction_check() says so, when the statement is given back */
        status = bp_offload(call, link->pool, query_chunk, query);
        for (size_t i = 0; i < query->row_count && status == BP_OK; i++)
            status = sink->row(call, sink->self, query->values + i * query->columns,
                               query->columns);
    }
    /* Resetting a SELECT does not block. */
    sqlitedb_done(query->db, query->prepared);
    free(query->values);
    free(query->bytes);
    return status;
}

bp_status store_query(bp_call *call, void *instance, bp_transaction *transaction,
                      const bp_statement *statement, const bp_row_sink *sink)
{
    struct store         *store = ((struct sqlite_instance *)instance)->store;
    struct sqlitedb_link *link = transaction ? &store->links.writer
                                             : sqlitedb_links_reader(&store->links);
    struct query          query = { .db = link->db, .statement = statement };
    bp_status             status;

    if (transaction) {
        BP_TRY(transaction_check(call, store, transaction));
        transaction_work_begin(transaction);
        status = query_run(call, link, &query, transaction, sink);
        transaction_work_end(transaction);
        return status == BP_OK && !query.is_over ? transaction_check(call, store, transaction)
                                                 : status;
    }
    BP_TRY(sqlitedb_link_take(call, link));
    status = query_run(call, link, &query, NULL, sink);
    sqlitedb_link_give(link);
    return status;
}

/* ---- batch ---- */

struct batch {
    struct sqlitedb    *db;
    const bp_statement *statements;
    size_t              count;
    int64_t            *changed;
};

static bp_status batch_one(bp_call *call, struct batch *batch, size_t index)
{
    sqlite3_stmt *prepared;
    bp_status     status = statement_prepare(call, batch->db, &batch->statements[index], &prepared);
    int64_t       before = sqlite3_total_changes64(batch->db->handle);

    if (status == BP_OK)
        status = statement_collect(call, batch->db, prepared, NULL);
    if (status == BP_OK && batch->changed)
        batch->changed[index] = sqlite3_total_changes64(batch->db->handle) - before;
    sqlitedb_done(batch->db, prepared);
    return status;
}

static bp_status batch_job(bp_call *call, void *arg)
{
    struct batch *batch = arg;
    bp_status     status;

    sqlitedb_enter(call, batch->db);
    status = sqlitedb_may_write(call, batch->db);
    if (status == BP_OK)
        status = sqlitedb_run(call, batch->db, "BEGIN IMMEDIATE");
    for (size_t i = 0; i < batch->count && status == BP_OK; i++)
        status = batch_one(call, batch, i);
    if (status == BP_OK)
        status = sqlitedb_run(call, batch->db, "COMMIT");
    sqlitedb_leave(batch->db);
    sqlitedb_rollback(batch->db);
    return status;
}

bp_status store_batch(bp_call *call, void *instance, const bp_statement *statements, size_t count,
                      int64_t *changed)
{
    struct store *store = ((struct sqlite_instance *)instance)->store;
    struct batch  batch = { store->links.writer.db, statements, count, changed };

    if (count == 0)
        return BP_OK;
    return on_writer(call, store, batch_job, &batch);
}

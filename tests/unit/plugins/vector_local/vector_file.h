/* vector_file.h - the file of the embedded vector store, as another program opens it while the
 * store is in use. */
#ifndef VECTOR_FILE_H
#define VECTOR_FILE_H

#include <sqlite3.h>

#include "plugins/vector_local/vector_test.h"

static inline sqlite3 *file_open(void)
{
    char     path[128];
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "%s/store/vectors.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 60000);
    return db;
}

static inline void file_run_on(sqlite3 *db, const char *sql)
{
    char *problem = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &problem) != SQLITE_OK)
        fail_msg("%s: %s", sql, problem);
}

static inline void file_run(const char *sql)
{
    sqlite3 *db = file_open();

    file_run_on(db, sql);
    sqlite3_close(db);
}

/* The first row that SQL gives, as "a|b"; "" for none. */
static inline const char *file_row(const char *sql)
{
    sqlite3      *db = file_open();
    sqlite3_stmt *statement = NULL;
    bp_buf       *buf = bp_buf_new(call, 1 << 16);

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(statement) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            bp_buf_addf(buf, "%s%s", i ? "|" : "",
                        sqlite3_column_type(statement, i) == SQLITE_NULL
                            ? "null"
                            : (const char *)sqlite3_column_text(statement, i));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return bp_buf_str(buf).len ? bp_buf_str(buf).data : "";
}

/* "ok", or the status and the sentence of the failure. */
static inline const char *told(bp_status status)
{
    const char *text = status == BP_OK ? "ok"
                                       : bp_format(call, "%s: " BP_FMT, bp_status_label(status),
                                                   BP_ARG(bp_error_of(call)->message))
                                             .data;

    bp_clear_error(call);
    return text;
}

#endif

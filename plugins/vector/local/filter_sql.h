/* filter_sql.h - a typed filter as an SQL condition over json_each(), every value a parameter. */
#ifndef VECTOR_LOCAL_FILTER_SQL_H
#define VECTOR_LOCAL_FILTER_SQL_H

#include <sqlite3.h>

#include <backplane/vector.h>

/* SQL being written, with the values of its ?1, ?2 ... */
struct sql_text {
    bp_call *call;
    bp_buf  *buf;
    struct sql_parameter {
        enum { SQL_INTEGER, SQL_REAL, SQL_TEXT } type;
        int64_t integer;
        double  real;
        bp_str  text;
    } * parameters, spare; /* the spare one takes what no memory was there for */
    size_t count, capacity;
};

bp_status sql_begin(bp_call *call, struct sql_text *sql);
/* Puts ?N into the text and keeps the value for it. */
void sql_integer(struct sql_text *sql, int64_t value);
void sql_real(struct sql_text *sql, double value);
void sql_string(struct sql_text *sql, bp_str value);
/* The condition on a row with its metadata in the column `p.metadata`; "1" for no filter. */
bp_status sql_filter(struct sql_text *sql, const bp_filter *filter);
/* The text, or why there is none. */
bp_status sql_end(struct sql_text *sql, bp_str *text);
/* Binds the values; an SQLite code. */
int sql_bind(const struct sql_text *sql, sqlite3_stmt *statement);

#endif

/* sql.c - runs statements and writes the texts of arrays and vectors. */
#include "pgvector.h"

enum { TRIES = 8 };

static bool is_in_way(const struct postgres_outcome *outcome)
{
    return strncmp(outcome->sqlstate, "40", 2) == 0 || strcmp(outcome->sqlstate, "23505") == 0;
}

bp_status sql_run(bp_call *call, struct store *store, const bp_statement *statements, size_t count,
                  size_t which, bool is_write, bp_rows *rows, struct postgres_outcome *outcome)
{
    for (int tried = 1;; tried++) {
        struct postgres_connection *connection;
        bp_status                   status;
        uint8_t                     random;

        memset(outcome, 0,
               sizeof(*outcome)); // callers look at it also when there was no connection to try on
        BP_TRY(postgres_take(call, &store->pool, &connection));
        status = postgres_collect(call, connection, statements, count, which, is_write, rows,
                                  outcome);
        postgres_give(connection);
        if (status == BP_OK || tried >= TRIES)
            return status;
        if (!is_in_way(outcome) &&
            !(tried == 1 && (outcome->is_forgotten || (outcome->is_lost && !is_write))))
            return status;
        bp_random(&random, sizeof(random));
        if (bp_sleep(call, (BP_MILLISECONDS(1) << tried) * (random + 64) / 256) != BP_OK)
            return status;
        bp_clear_error(call);
    }
}

bp_status sql_run_one(bp_call *call, struct store *store, bp_str sql, const bp_sql_value *values,
                      uint32_t count, bool is_write, bp_rows *rows)
{
    const bp_statement      statement = { sizeof(statement), count, sql, values };
    struct postgres_outcome outcome;

    return sql_run(call, store, &statement, 1, 0, is_write, rows, &outcome);
}

/* ---- arrays ---- */

void array_begin(bp_buf *buf)
{
    bp_buf_add(buf, BP_STR("{"));
}

static void separate(bp_buf *buf)
{
    bp_str so_far = bp_buf_str(buf);

    if (so_far.len && so_far.data[so_far.len - 1] != '{')
        bp_buf_add(buf, BP_STR(","));
}

void array_add(bp_buf *buf, bp_str member)
{
    size_t start = 0;

    separate(buf);
    bp_buf_add(buf, BP_STR("\""));
    for (size_t i = 0; i < member.len; i++)
        if (member.data[i] == '"' || member.data[i] == '\\') {
            bp_buf_add(buf, bp_str_n(member.data + start, i - start));
            bp_buf_add(buf, BP_STR("\\"));
            start = i;
        }
    if (member.len > start)
        bp_buf_add(buf, bp_str_n(member.data + start, member.len - start));
    bp_buf_add(buf, BP_STR("\""));
}

void array_add_integer(bp_buf *buf, int64_t member)
{
    separate(buf);
    bp_buf_addf(buf, "%lld", (long long)member);
}

void array_end(bp_buf *buf)
{
    bp_buf_add(buf, BP_STR("}"));
}

void vector_add(bp_buf *buf, const float *vector, uint32_t dimensions)
{
    for (uint32_t i = 0; i < dimensions; i++)
        bp_buf_addf(buf, "%c%.9g", i ? ',' : '[', (double)vector[i]);
    bp_buf_add(buf, BP_STR("]"));
}

void array_add_vector(bp_buf *buf, const float *vector, uint32_t dimensions)
{
    separate(buf);
    if (!vector) {
        bp_buf_add(buf, BP_STR("NULL"));
        return;
    }
    bp_buf_add(buf, BP_STR("\""));
    vector_add(buf, vector, dimensions);
    bp_buf_add(buf, BP_STR("\""));
}

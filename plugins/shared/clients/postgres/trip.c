/* trip.c - statements go out in one pipeline, and their results are read to the last one, whatever
 * happens meanwhile.
 *
 *      [deallocate] [prepare] execute  ...  sync        one round trip; outside a transaction: all or none
 *
 * When the call ends or a row is not wanted, the server is asked to cancel and reading goes on for
 * SETTLE_NS, so that the connection is clean again and what became of a write is known. Only if
 * that fails the connection is dropped.
 */
#include "postgres.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#define SETTLE_NS       BP_SECONDS(2)
#define CANCEL_AGAIN_NS BP_MILLISECONDS(100)

enum {
    OID_BOOL = 16,
    OID_BYTES = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700
};

typedef enum step_kind { STEP_DEALLOCATE, STEP_PREPARE, STEP_STATEMENT, STEP_SYNC } step_kind;

/* The results expected back, in this order. */
struct step {
    step_kind kind;
    size_t    statement;
    uint64_t  number; /* of the prepared statement */
};

struct trip {
    bp_call                       *call;
    struct postgres_connection    *connection;
    const bp_statement            *statements;
    size_t                         count;
    const struct postgres_visitor *visitor;
    struct postgres_outcome       *outcome;
    struct step                   *steps;
    size_t                         step_count;
    bool                           is_write, is_lost, is_shielded;
    bool                           is_refused;    /* by the server; nothing was done */
    bool                           is_incomplete; /* rows came that nobody took */
    bp_status ended;       /* the call was over, or the visitor had enough: with this status */
    int64_t   deadline_ns; /* of the reads that follow */
    bp_status status;      /* with the first failure's sentence */
    bp_str    sentence;
};

/* The error slot keeps the last error, and what counts is the first. */
static void remember(struct trip *trip, bp_status status)
{
    if (trip->status != BP_OK)
        return;
    trip->status = status;
    trip->sentence = bp_dup(trip->call, bp_error_of(trip->call)->message);
}

/* ---- parameters ---- */

struct encoded {
    Oid         types[POSTGRES_PARAMETERS_MAX];
    const char *values[POSTGRES_PARAMETERS_MAX];
    int         lengths[POSTGRES_PARAMETERS_MAX], formats[POSTGRES_PARAMETERS_MAX];
    uint64_t    numbers[POSTGRES_PARAMETERS_MAX];
};

/* Binary, as PostgreSQL keeps them. A NULL has whatever type the server finds for it. */
static bp_status encode_one(bp_call *call, const bp_sql_value *value, uint32_t i,
                            struct encoded *to)
{
    to->formats[i] = 1;
    to->lengths[i] = 8;
    to->values[i] = (const char *)&to->numbers[i];
    switch (value->type) {
    case BP_SQL_NULL:
        to->types[i] = 0;
        to->values[i] = NULL;
        return BP_OK;
    case BP_SQL_INTEGER:
        to->types[i] = OID_INT8;
        to->numbers[i] = htobe64((uint64_t)value->integer);
        return BP_OK;
    case BP_SQL_REAL:
        to->types[i] = OID_FLOAT8;
        memcpy(&to->numbers[i], &value->real, sizeof(value->real));
        to->numbers[i] = htobe64(to->numbers[i]);
        return BP_OK;
    case BP_SQL_TEXT:
    case BP_SQL_BYTES:
        if (value->text.len > (1u << 30) - 64)
            return bp_fail(call, BP_TOO_LARGE,
                           "parameter $%u is larger than 1 GiB, which PostgreSQL cannot hold",
                           i + 1);
        to->types[i] = value->type == BP_SQL_TEXT ? OID_TEXT : OID_BYTES;
        to->values[i] = value->text.data ? value->text.data : "";
        to->lengths[i] = (int)value->text.len;
        return BP_OK;
    default:
        return bp_fail(call, BP_INVALID, "parameter $%u has the unknown type %u", i + 1,
                       value->type);
    }
}

static bp_status encode(bp_call *call, const bp_statement *statement, struct encoded *to)
{
    if (statement->parameter_count > POSTGRES_PARAMETERS_MAX)
        return bp_fail(call, BP_INVALID, "%u parameters were given, at most %d are possible",
                       statement->parameter_count, POSTGRES_PARAMETERS_MAX);
    if (!statement->sql.len || memchr(statement->sql.data, '\0', statement->sql.len))
        return bp_fail(call, BP_INVALID, "the statement is empty or has a NUL byte in it");
    for (uint32_t i = 0; i < statement->parameter_count; i++)
        BP_TRY(encode_one(call, &statement->parameters[i], i, to));
    return BP_OK;
}

/* ---- sending ---- */

static void expect(struct trip *trip, step_kind kind, size_t statement, uint64_t number)
{
    trip->steps[trip->step_count++] = (struct step){ kind, statement, number };
}

enum { POSTGRES_NAME_BYTES = 48 };

/* Of this connection alone: behind a pooler that nobody told us about, another one's "b1" would be
 * run in the place of ours. */
static void name_statement(const struct postgres_connection *connection, uint64_t number,
                           char name[POSTGRES_NAME_BYTES])
{
    snprintf(name, POSTGRES_NAME_BYTES, "b%016llx_%llu", (unsigned long long)connection->nonce,
             (unsigned long long)number);
}

static bool send_prepared(struct trip *trip, size_t index, const struct encoded *encoded)
{
    const bp_statement        *statement = &trip->statements[index];
    PGconn                    *pg = trip->connection->pg;
    struct postgres_statement *known = postgres_prepared_find(trip->connection, statement,
                                                              encoded->types);
    uint64_t                   evicted = 0;
    char                       name[POSTGRES_NAME_BYTES], text[16 + POSTGRES_NAME_BYTES];

    if (!known) {
        known = postgres_prepared_add(trip->connection, statement, encoded->types, &evicted);
        if (!known)
            return false;
        if (evicted) {
            name_statement(trip->connection, evicted, name);
            snprintf(text, sizeof(text), "DEALLOCATE %s", name);
            expect(trip, STEP_DEALLOCATE, index, 0);
            if (!PQsendQueryParams(pg, text, 0, NULL, NULL, NULL, NULL, 0))
                return false;
        }
        name_statement(trip->connection, known->number, name);
        expect(trip, STEP_PREPARE, index, known->number);
        if (!PQsendPrepare(pg, name, known->sql.data, (int)statement->parameter_count,
                           encoded->types))
            return false;
    }
    name_statement(trip->connection, known->number, name);
    expect(trip, STEP_STATEMENT, index, known->number);
    return PQsendQueryPrepared(pg, name, (int)statement->parameter_count, encoded->values,
                               encoded->lengths, encoded->formats, 0) != 0;
}

static bool keeps_statements(const struct postgres_pool *pool)
{
    return pool->options->statement_cache &&
           atomic_load(&pool->target->pooler) == POSTGRES_POOLER_NO;
}

static bool send_plain(struct trip *trip, size_t index, const struct encoded *encoded)
{
    const bp_statement *statement = &trip->statements[index];
    bp_str              sql = bp_dup(trip->call, statement->sql);

    if (!sql.len)
        return false;
    expect(trip, STEP_STATEMENT, index, 0);
    return PQsendQueryParams(trip->connection->pg, sql.data, (int)statement->parameter_count,
                             encoded->types, encoded->values, encoded->lengths, encoded->formats,
                             0) != 0;
}

static bp_status send_all(struct trip *trip)
{
    struct encoded encoded;
    bool           is_sent = true;

    trip->steps = BP_NEW_ARRAY(trip->call, struct step, trip->count * 3 + 1);
    if (!trip->steps)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < trip->count; i++) // all of them before the first goes
        BP_TRY(encode(trip->call, &trip->statements[i], &encoded));
    for (size_t i = 0; i < trip->count && is_sent; i++) {
        BP_TRY(encode(trip->call, &trip->statements[i], &encoded));
        is_sent = keeps_statements(trip->connection->pool) ? send_prepared(trip, i, &encoded)
                                                           : send_plain(trip, i, &encoded);
    }
    expect(trip, STEP_SYNC, trip->count, 0);
    if (is_sent && PQpipelineSync(trip->connection->pg))
        return BP_OK;
    trip->connection->is_broken = trip->outcome->is_lost = true;
    return bp_fail(trip->call, BP_UNAVAILABLE, "nothing can be sent to PostgreSQL at %s: " BP_FMT,
                   trip->connection->address,
                   BP_ARG(postgres_line(trip->call, PQerrorMessage(trip->connection->pg))));
}

/* ---- receiving ---- */

/* Nobody wants the rest: the server ends what runs, and what it still sends is read for a while. */
static void end_early(struct trip *trip, bp_status status)
{
    remember(trip, status);
    trip->ended = status;
    trip->is_shielded = bp_shield(trip->call, SETTLE_NS) == BP_OK;
    trip->deadline_ns = bp_now_ns() + SETTLE_NS;
    if (!postgres_cancel(trip->call, trip->connection, trip->deadline_ns))
        trip->is_lost = true;
}

/* A request to cancel that comes before the server has begun with the statement is lost on it, and
 * a statement that nobody cancels goes on without us, for hours perhaps: so it is asked again. */
static bp_status await_end(struct trip *trip)
{
    for (int64_t slice_ns = CANCEL_AGAIN_NS;; slice_ns *= 2) {
        int64_t   until_ns = bp_now_ns() + slice_ns < trip->deadline_ns ? bp_now_ns() + slice_ns
                                                                        : trip->deadline_ns;
        bp_status status = postgres_await(trip->call, trip->connection, until_ns);

        if (status != BP_DEADLINE || trip->connection->is_broken ||
            bp_now_ns() >= trip->deadline_ns)
            return status;
        if (!postgres_cancel(trip->call, trip->connection, trip->deadline_ns))
            return status;
    }
}

static PGresult *next_result(struct trip *trip)
{
    while (!trip->is_lost) {
        bp_status status = trip->ended == BP_OK
                               ? postgres_await(trip->call, trip->connection, trip->deadline_ns)
                               : await_end(trip);

        if (status == BP_OK)
            return PQgetResult(trip->connection->pg);
        if (trip->connection->is_broken || trip->ended != BP_OK) {
            remember(trip, status);
            trip->is_lost = true;
        } else {
            bp_fail(trip->call, status,
                    "the call was over while PostgreSQL at %s worked: the statement was cancelled",
                    trip->connection->address);
            end_early(trip, status);
        }
    }
    return NULL;
}

static void refuse(struct trip *trip, const struct step *step, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (step->kind == STEP_PREPARE)
        postgres_prepared_remove(trip->connection, step->number);
    if (trip->is_refused)
        return;
    if (!state) { // the driver's own words about a connection that is gone
        remember(trip, bp_fail(trip->call, BP_UNAVAILABLE,
                               "the connection to PostgreSQL at %s was lost: " BP_FMT,
                               trip->connection->address,
                               BP_ARG(postgres_line(trip->call, PQresultErrorMessage(result)))));
        trip->is_lost = true;
        return;
    }
    // A server that stops between the last statement and the commit leaves open which of the two
    // came first.
    trip->is_refused = step->kind != STEP_SYNC || !severity || strcmp(severity, "ERROR") == 0;
    snprintf(trip->outcome->sqlstate, sizeof(trip->outcome->sqlstate), "%s", state);
    trip->outcome->failed_at = step->statement;
    if (trip->ended == BP_OK)
        remember(trip, postgres_fail_result(trip->call, trip->connection, result));
}

static void visit_row(struct trip *trip, const struct step *step, PGresult *result)
{
    bp_status status = BP_OK;

    trip->is_incomplete |= trip->ended != BP_OK;
    if (trip->ended == BP_OK && trip->visitor && trip->visitor->row)
        status = trip->visitor->row(trip->call, trip->visitor->self, step->statement, result);
    if (status != BP_OK)
        end_early(trip, status);
}

static void visit(struct trip *trip, const struct step *step, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        visit_row(trip, step, result);
        break;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (step->kind == STEP_STATEMENT && trip->visitor && trip->visitor->done) {
            bp_status status = trip->visitor->done(trip->call, trip->visitor->self, step->statement,
                                                   result);
            trip->is_incomplete |= status != BP_OK;
            if (status != BP_OK && trip->ended == BP_OK)
                end_early(trip, status);
        }
        break;
    case PGRES_PIPELINE_ABORTED:
        if (step->kind == STEP_PREPARE)
            postgres_prepared_remove(trip->connection, step->number);
        break;
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        remember(trip, bp_fail(trip->call, BP_INVALID,
                               "a statement is empty or a COPY, which cannot be run here"));
        trip->is_lost = trip->is_refused = true; // a COPY would have to be fed
        break;
    default:
        refuse(trip, step, result);
    }
}

/* The results of one step: some, then NULL. */
static void read_step(struct trip *trip, const struct step *step)
{
    PGresult *result;

    if (step->kind == STEP_STATEMENT)
        PQsetSingleRowMode(trip->connection->pg);
    while (!trip->is_lost && (result = next_result(trip))) {
        visit(trip, step, result);
        PQclear(result);
    }
}

/* The sync has no NULL behind it, but a commit that fails is an error with one before it. */
static void read_sync(struct trip *trip, const struct step *step)
{
    for (int nothing = 0; !trip->is_lost && nothing < 4;) {
        PGresult *result = next_result(trip);
        bool      is_sync = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;

        if (result && !is_sync)
            visit(trip, step, result);
        nothing += !result;
        PQclear(result);
        if (is_sync)
            return;
    }
    trip->is_lost = true;
}

/* ---- what became of it ---- */

/* Another connection to the server than the one that it was prepared on. */
static bool is_about_prepared(const char *sqlstate)
{
    return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0;
}

static bp_status fail_again(const struct trip *trip)
{
    bp_status status = bp_fail(trip->call, trip->status, BP_FMT, BP_ARG(trip->sentence));

    if (strncmp(trip->outcome->sqlstate, "40", 2) == 0 ||
        is_about_prepared(trip->outcome->sqlstate)) // how bp_storage_transact() knows that it is
                                                    // worth another try
        bp_fail_detail(trip->call, BP_MILLISECONDS(1), 0, 0);
    return status;
}

static bp_status finish_lost(const struct trip *trip)
{
    trip->connection->is_broken = trip->outcome->is_lost = true;
    if (trip->is_write && !trip->is_refused)
        return bp_fail_outcome_unknown(trip->call,
                                       bp_fail(trip->call, BP_UNAVAILABLE,
                                               BP_FMT "; whether the statement was done is not "
                                                      "known: read before you write again",
                                               BP_ARG(trip->sentence)));
    if (trip->ended != BP_OK)
        return bp_fail(trip->call, trip->ended, "PostgreSQL at %s did not answer in time",
                       trip->connection->address);
    return fail_again(trip);
}

static bp_status finish(struct trip *trip)
{
    const char *state = trip->outcome->sqlstate;

    if (trip->is_shielded)
        bp_unshield(trip->call);
    if (trip->is_lost)
        return finish_lost(trip);
    trip->outcome->is_forgotten = is_about_prepared(state) || strcmp(state, "0A000") == 0;
    if (trip->outcome->is_forgotten)
        postgres_forget(trip->connection);
    if (is_about_prepared(state) && atomic_exchange(&trip->connection->pool->target->pooler,
                                                    POSTGRES_POOLER_YES) != POSTGRES_POOLER_YES)
        bp_log(trip->call, BP_LOG_WARN,
               "PostgreSQL at %s does not have the statements that were prepared on this "
               "connection: a pooler must have come between, and statements are not kept prepared "
               "from now on",
               trip->connection->address);
    if (trip->ended != BP_OK && !trip->is_refused && !trip->is_incomplete && trip->is_write &&
        bp_cancelled(trip->call) != BP_OK) {
        bp_clear_error(trip->call); // it was done before the server heard that nobody waits
        return BP_OK;
    }
    return trip->status == BP_OK ? BP_OK : fail_again(trip);
}

bp_status postgres_trip(bp_call *call, struct postgres_connection *connection,
                        const bp_statement *statements, size_t count, bool is_write,
                        const struct postgres_visitor *visitor, struct postgres_outcome *outcome)
{
    struct postgres_outcome unwanted = { .sqlstate = "" };
    struct trip             trip = { .call = call,
                                     .connection = connection,
                                     .statements = statements,
                                     .count = count,
                                     .visitor = visitor,
                                     .outcome = outcome ? outcome : &unwanted,
                                     .is_write = is_write,
                                     .deadline_ns = BP_FOREVER };

    memset(trip.outcome, 0, sizeof(*trip.outcome));
    BP_TRY(send_all(&trip));
    for (size_t i = 0; i + 1 < trip.step_count; i++)
        read_step(&trip, &trip.steps[i]);
    read_sync(&trip, &trip.steps[trip.step_count - 1]);
    return finish(&trip);
}

/* ---- values ---- */

static int nibble(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Hex is decoded where it stands, as it only gets shorter; the old form, which a server may be set
 * to, is copied. */
static bp_status bytes_of(bp_call *call, char *text, size_t text_len, bool is_kept, bp_str *out)
{
    size_t         len = 0;
    unsigned char *bytes;

    if (text_len >= 2 && text[0] == '\\' && text[1] == 'x') {
        len = (text_len - 2) / 2;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(nibble(text[2 + 2 * i]) << 4 | nibble(text[3 + 2 * i]));
        *out = is_kept ? bp_dup(call, bp_str_n(text, len)) : bp_str_n(text, len);
        return out->data ? BP_OK : BP_NO_MEMORY;
    }
    bytes = PQunescapeBytea((const unsigned char *)text, &len);

    if (!bytes)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a value");
    *out = bp_dup(call, bp_str_n((const char *)bytes, len));
    PQfreemem(bytes);
    return out->data ? BP_OK : BP_NO_MEMORY;
}

/* sum() of integers is a numeric: it is an integer when it looks like one. */
static bp_sql_value number_of(const char *text)
{
    char     *end;
    long long integer;

    errno = 0;
    integer = strtoll(text, &end, 10);
    if (!*end && end != text && errno == 0)
        return bp_sql_int(integer);
    return bp_sql_real(strtod(text, NULL));
}

/* Text stays where libpq has it unless `is_kept`. */
static bp_status value_of(bp_call *call, PGresult *result, int column, bool is_kept,
                          bp_sql_value *value)
{
    char *text = PQgetvalue(result, 0, column);

    memset(value, 0, sizeof(*value));
    value->text = bp_str_n("", 0); // a caller that takes it for a text reads an empty one
    if (PQgetisnull(result, 0, column))
        return BP_OK;
    switch (PQftype(result, column)) {
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_OID:
        *value = bp_sql_int(strtoll(text, NULL, 10));
        return BP_OK;
    case OID_BOOL:
        *value = bp_sql_int(text[0] == 't');
        return BP_OK;
    case OID_FLOAT4:
    case OID_FLOAT8:
        *value = bp_sql_real(strtod(text, NULL));
        return BP_OK;
    case OID_NUMERIC:
        *value = number_of(text);
        return BP_OK;
    case OID_BYTES:
        value->type = BP_SQL_BYTES;
        return bytes_of(call, text, (size_t)PQgetlength(result, 0, column), is_kept, &value->text);
    default:
        value->type = BP_SQL_TEXT;
        value->text = bp_str_n(text, (size_t)PQgetlength(result, 0, column));
        if (is_kept)
            value->text = bp_dup(call, value->text);
        return value->text.data ? BP_OK : BP_NO_MEMORY;
    }
}

/* The tag of what writes ends with a number; so does that of SELECT, which wrote none of its rows.
 */
int64_t postgres_changed(PGresult *result)
{
    static const char *const writers[] = { "INSERT", "UPDATE", "DELETE", "MERGE" };
    const char              *tag = PQcmdStatus(result), *number = PQcmdTuples(result);

    for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
        if (strncmp(tag, writers[i], strlen(writers[i])) == 0)
            return strtoll(number, NULL, 10);
    return 0;
}

/* ---- rows that are collected ---- */

enum { POSTGRES_COLUMNS_MAX = 64, ROWS_MAX = 100000, ROWS_BYTES_MAX = 64 << 20 };

struct collection {
    bp_rows      *rows;
    int           wanted; /* columns; -1: any number */
    bp_sql_value *values;
    size_t        which, capacity, bytes;
};

static bp_status check_columns(bp_call *call, const PGresult *result, int wanted)
{
    if (wanted < 0 || PQnfields(result) == wanted)
        return BP_OK;
    return bp_fail(call, BP_UPSTREAM,
                   "PostgreSQL answered with rows of %d columns where the statement asks for %d: "
                   "is it a PostgreSQL, does something stand between?",
                   PQnfields(result), wanted);
}

static bp_status collect_names(bp_call *call, bp_rows *rows, const PGresult *result)
{
    bp_str *names = BP_NEW_ARRAY(call, bp_str, (size_t)PQnfields(result));

    if (!names)
        return BP_NO_MEMORY;
    rows->column_count = (uint32_t)PQnfields(result);
    for (uint32_t i = 0; i < rows->column_count; i++)
        names[i] = bp_dup(call, bp_str_of(PQfname(result, (int)i)));
    rows->columns = names;
    return BP_OK;
}

static bp_status collect_row(bp_call *call, void *self, size_t statement, PGresult *result)
{
    struct collection *to = self;
    bp_rows           *rows = to->rows;
    size_t             columns;

    if (!rows || statement != to->which)
        return BP_OK;
    if (!rows->columns)
        BP_TRY(collect_names(call, rows, result));
    if (!rows->row_count)
        BP_TRY(check_columns(call, result, to->wanted));
    columns = rows->column_count;
    if (rows->row_count == ROWS_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "the statement gives more than %d rows: use a LIMIT, or query()", ROWS_MAX);
    if (rows->row_count == to->capacity) {
        size_t        capacity = to->capacity ? to->capacity * 2 : 8;
        bp_sql_value *grown = BP_NEW_ARRAY(call, bp_sql_value, capacity * columns);

        if (!grown)
            return BP_NO_MEMORY;
        if (rows->row_count)
            memcpy(grown, to->values, rows->row_count * columns * sizeof(*grown));
        rows->values = to->values = grown;
        to->capacity = capacity;
    }
    for (size_t i = 0; i < columns; i++) {
        bp_sql_value *value = &to->values[rows->row_count * columns + i];

        BP_TRY(value_of(call, result, (int)i, true, value));
        to->bytes += sizeof(*value) + value->text.len;
    }
    if (to->bytes > ROWS_BYTES_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "the rows are larger than %d MiB: use a LIMIT, or query()",
                       ROWS_BYTES_MAX >> 20);
    rows->row_count++;
    return BP_OK;
}

/* The result of a read of rows that do not exist. */
static const bp_sql_value no_values[POSTGRES_COLUMNS_MAX] = { [0 ... POSTGRES_COLUMNS_MAX -
                                                               1] = { .text = { "", 0 } } };

static bp_status collect_done(bp_call *call, void *self, size_t statement, PGresult *result)
{
    struct collection *to = self;

    if (!to->rows || statement != to->which)
        return BP_OK;
    to->rows->changed = postgres_changed(result);
    if (!to->rows->row_count && to->wanted >= 0) {
        BP_TRY(check_columns(call, result, to->wanted));
        to->rows->values = no_values;
    }
    return to->rows->columns || !PQnfields(result) ? BP_OK : collect_names(call, to->rows, result);
}

bp_status postgres_collect(bp_call *call, struct postgres_connection *connection,
                           const bp_statement *statements, size_t count, size_t which,
                           bool is_write, bp_rows *rows, struct postgres_outcome *outcome)
{
    struct collection             collection = { .rows = rows, .which = which, .wanted = -1 };
    const struct postgres_visitor visitor = { collect_row, collect_done, &collection };

    if (rows) {
        uint32_t size = rows->struct_size;
        memset(rows, 0, sizeof(*rows));
        rows->struct_size = size;
        collection.wanted = postgres_columns_of(statements[which].sql);
    }
    return postgres_trip(call, connection, statements, count, is_write, &visitor, outcome);
}

/* ---- rows that are passed on ---- */

struct passing {
    const bp_row_sink *sink;
    size_t             which;
    int                wanted; /* columns; -1: any number */
    bp_sql_value      *values;
    uint32_t           columns;
};

static bp_status pass_row(bp_call *call, void *self, size_t statement, PGresult *result)
{
    struct passing *to = self;

    if (statement != to->which)
        return BP_OK;
    if (!to->values) {
        BP_TRY(check_columns(call, result, to->wanted));
        to->columns = (uint32_t)PQnfields(result);
        to->values = BP_NEW_ARRAY(call, bp_sql_value, to->columns);
        if (!to->values)
            return BP_NO_MEMORY;
    }
    for (uint32_t i = 0; i < to->columns; i++)
        BP_TRY(value_of(call, result, (int)i, false, &to->values[i]));
    return to->sink->row(call, to->sink->self, to->values, to->columns);
}

bp_status postgres_stream(bp_call *call, struct postgres_connection *connection,
                          const bp_statement *statements, size_t count, size_t which,
                          const bp_row_sink *sink, struct postgres_outcome *outcome)
{
    struct passing                to = { .sink = sink,
                                         .which = which,
                                         .wanted = postgres_columns_of(statements[which].sql) };
    const struct postgres_visitor visitor = { pass_row, NULL, &to };

    return postgres_trip(call, connection, statements, count, false, &visitor, outcome);
}

/* ---- a text of several statements ---- */

bp_status postgres_run_text(bp_call *call, struct postgres_connection *connection, const char *sql)
{
    struct postgres_outcome outcome = { .sqlstate = "" };
    struct trip             trip = { .call = call,
                                     .connection = connection,
                                     .outcome = &outcome,
                                     .is_write = true,
                                     .deadline_ns = BP_FOREVER };
    const struct step       step = { STEP_STATEMENT, 0, 0 };
    PGresult               *result;

    if (!PQexitPipelineMode(connection->pg) || !PQsendQuery(connection->pg, sql)) {
        connection->is_broken = true;
        return bp_fail(call, BP_UNAVAILABLE, "nothing can be sent to PostgreSQL at %s: " BP_FMT,
                       connection->address,
                       BP_ARG(postgres_line(call, PQerrorMessage(connection->pg))));
    }
    while (!trip.is_lost && (result = next_result(&trip))) {
        if (PQresultStatus(result) != PGRES_EMPTY_QUERY) // a semicolon at the end
            visit(&trip, &step, result);
        PQclear(result);
    }
    if (!trip.is_lost && !PQenterPipelineMode(connection->pg))
        connection->is_broken = true;
    return finish(&trip);
}

/* @NAME@.c - the frame of a storage back end: each operation, with an engine that knows one
 * statement.
 *
 * A real one has a database behind it. This one needs no library, so all it can do is to answer a
 * SELECT of constants and parameters ("SELECT 1", "SELECT $1, $2"): enough to see values, rows,
 * sinks and transactions go by. Whatever else it is asked it refuses with BP_UNSUPPORTED and a
 * sentence, and it never claims to have stored anything. Put your engine into run_select() and the
 * operations around it.
 */
#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <backplane/plugin.h>
#include <backplane/storage.h>

enum { COLUMNS_MAX = 64 };

/* What all workers share; counted without a lock. */
struct shared {
    _Atomic int64_t open_transactions;
};

struct engine {
    int64_t        connections;
    struct shared *shared;
};

static const bp_option options[] = {
    BP_OPTION_INT(struct engine, connections, .initial = "8", .minimum = "1", .maximum = "1000",
                  .help = "transactions that may be open at the same time, on all workers "
                          "together"),
};

/* ---- the one statement ---- */

static bp_str skip_blanks(bp_str s)
{
    while (s.len && isspace((unsigned char)s.data[0])) {
        s.data++;
        s.len--;
    }
    return s;
}

static bp_status unsupported(bp_call *call, bp_str sql)
{
    return bp_fail(call, BP_UNSUPPORTED,
                   "@NAME@ has no engine yet and runs only SELECT of constants and parameters, "
                   "not: " BP_FMT,
                   BP_ARG(bp_str_n(sql.data, sql.len < 80 ? sql.len : 80)));
}

/* Takes a whole number, or $n, from the front of `rest`. */
static bp_status take_value(bp_call *call, const bp_statement *statement, bp_str *rest,
                            bp_sql_value *value)
{
    bool    is_parameter = rest->len && rest->data[0] == '$';
    size_t  at = is_parameter ? 1 : 0, first = at;
    int64_t number = 0;

    while (at < rest->len && isdigit((unsigned char)rest->data[at]) && at - first < 18)
        number = number * 10 + (rest->data[at++] - '0');
    if (at == first)
        return unsupported(call, statement->sql);
    if (is_parameter && (number < 1 || number > statement->parameter_count))
        return bp_fail(call, BP_INVALID, "the statement names $%lld and has %u parameters",
                       (long long)number, statement->parameter_count);
    *value = is_parameter ? statement->parameters[number - 1] : bp_sql_int(number);
    if (value->type == BP_SQL_TEXT || value->type == BP_SQL_BYTES)
        value->text = bp_dup(call, value->text); /* outputs live in the arena, parameters only until
                                                    return */
    *rest = skip_blanks(bp_str_n(rest->data + at, rest->len - at));
    return BP_OK;
}

static bp_status run_select(bp_call *call, const bp_statement *statement, bp_rows *rows)
{
    bp_str        rest = skip_blanks(statement->sql);
    bp_sql_value *values = BP_NEW_ARRAY(call, bp_sql_value, COLUMNS_MAX);
    bp_str       *columns = BP_NEW_ARRAY(call, bp_str, COLUMNS_MAX);
    uint32_t      count = 0;

    if (!values || !columns)
        return BP_NO_MEMORY;
    if (!bp_str_starts(rest, "SELECT ") && !bp_str_starts(rest, "select "))
        return unsupported(call, statement->sql);
    rest = skip_blanks(bp_str_n(rest.data + 7, rest.len - 7));
    for (;;) {
        if (count == COLUMNS_MAX)
            return bp_fail(call, BP_TOO_LARGE, "a SELECT may have %d columns", COLUMNS_MAX);
        BP_TRY(take_value(call, statement, &rest, &values[count]));
        columns[count] = bp_format(call, "column%u", count + 1);
        count++;
        if (!rest.len || rest.data[0] != ',')
            break;
        rest = skip_blanks(bp_str_n(rest.data + 1, rest.len - 1));
    }
    if (rest.len && !(rest.len == 1 && rest.data[0] == ';'))
        return unsupported(call, statement->sql);
    rows->column_count = count;
    rows->row_count = 1;
    rows->values = values;
    rows->columns = columns;
    return BP_OK;
}

/* ---- transactions ---- */

struct bp_transaction {
    struct shared *shared;
    bool           is_open;
};

/* Runs also when the call ends with the transaction open: that is its rollback. */
static void close_transaction(void *arg)
{
    bp_transaction *transaction = arg;

    if (transaction->is_open)
        atomic_fetch_sub(&transaction->shared->open_transactions, 1);
    transaction->is_open = false;
}

static bp_status must_be_open(bp_call *call, const bp_transaction *transaction)
{
    return !transaction || transaction->is_open
               ? BP_OK
               : bp_fail(call, BP_INVALID, "the transaction has ended already");
}

/* ---- the operations ---- */

static bp_status exec(bp_call *call, void *instance, bp_transaction *transaction,
                      const bp_statement *statement, bp_rows *rows)
{
    bp_rows unwanted = { .struct_size = sizeof(unwanted) };

    (void)instance;
    BP_TRY(must_be_open(call, transaction));
    return run_select(call, statement, rows ? rows : &unwanted);
}

static bp_status query(bp_call *call, void *instance, bp_transaction *transaction,
                       const bp_statement *statement, const bp_row_sink *sink)
{
    bp_rows rows = { .struct_size = sizeof(rows) };

    BP_TRY(exec(call, instance, transaction, statement, &rows));
    for (size_t i = 0; i < rows.row_count; i++)
        BP_TRY(sink->row(call, sink->self, bp_row(&rows, i), rows.column_count)); /* may suspend */
    return BP_OK;
}

static bp_status batch(bp_call *call, void *instance, const bp_statement *statements, size_t count,
                       int64_t *changed)
{
    for (size_t i = 0; i < count; i++) {
        BP_TRY(exec(call, instance, NULL, &statements[i], NULL));
        if (changed)
            changed[i] = 0;
    }
    return BP_OK;
}

static bp_status begin(bp_call *call, void *instance, bp_transaction **transaction)
{
    struct engine  *self = instance;
    bp_transaction *made = BP_NEW(call, bp_transaction);

    if (!made)
        return BP_NO_MEMORY;
    made->shared = self->shared;
    BP_TRY(bp_on_end(call, close_transaction, made));
    if (atomic_fetch_add(&self->shared->open_transactions, 1) >= self->connections) {
        atomic_fetch_sub(&self->shared->open_transactions, 1);
        return bp_fail(call, BP_LIMIT,
                       "%lld transactions are open, which is what `connections` allows",
                       (long long)self->connections);
    }
    made->is_open = true;
    *transaction = made;
    return BP_OK;
}

static bp_status end(bp_call *call, void *instance, bp_transaction *transaction)
{
    (void)instance;
    BP_TRY(must_be_open(call, transaction));
    close_transaction(transaction);
    return BP_OK;
}

static bp_status migrate(bp_call *call, void *instance, bp_str owner,
                         const bp_migration *migrations, size_t count)
{
    (void)instance;
    (void)migrations;
    if (count == 0)
        return BP_OK;
    return bp_fail(call, BP_UNSUPPORTED,
                   "@NAME@ has no engine yet, so it cannot make the tables of " BP_FMT,
                   BP_ARG(owner));
}

static bp_status stats(bp_call *call, void *instance, bp_storage_stats *out)
{
    const struct engine *self = instance;

    (void)call;
    out->connections_in_use = (uint32_t)atomic_load(&self->shared->open_transactions);
    out->connections_max = (uint32_t)self->connections;
    out->size_bytes = 0;
    out->engine = BP_STR("@NAME@, no engine");
    return BP_OK;
}

static const bp_storage_ops ops = {
    .struct_size = sizeof(bp_storage_ops),
    .exec = exec,
    .query = query,
    .batch = batch,
    .begin = begin,
    .commit = end, /* nothing was written, so both ends are the same */
    .rollback = end,
    .migrate = migrate,
    .stats = stats,
};

/* ---- the life ---- */

static bp_status shared_create(bp_call *call, const void *instance, void **shared)
{
    (void)instance;
    *shared = calloc(1, sizeof(struct shared));
    return *shared ? BP_OK : bp_fail(call, BP_NO_MEMORY, "no memory for the engine");
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct engine *self = instance;

    (void)call;
    self->shared = shared;
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *shared)
{
    (void)call;
    free(shared);
}

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

BP_PLUGIN(storage, "@NAME@", "1.0.0",
          .summary = "the frame of a storage back end: knows SELECT of constants and nothing else",
          .instance_size = sizeof(struct engine), .options = BP_TABLE(options), .life = &life,
          .ops = &ops)

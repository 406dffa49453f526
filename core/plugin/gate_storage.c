/* gate_storage.c - the operations of a storage back end, each through the gate. */
#include <backplane/storage.h>

#include "base/str.h"
#include "plugin/gate.h"
#include "plugin/gate_kinds.h"

enum {
    EXEC,
    QUERY,
    BATCH,
    BEGIN,
    COMMIT,
    ROLLBACK,
    MIGRATE,
    STATS,
    BACKUP,
    INSPECT,
    MAINTAIN,
    LISTEN,
    NOTIFY
};

const struct gate_op gate_storage_list[] = {
    [EXEC] = { EXEC, "exec", false },
    [QUERY] = { QUERY, "query", true },
    [BATCH] = { BATCH, "batch", false },
    [BEGIN] = { BEGIN, "begin", false },
    [COMMIT] = { COMMIT, "commit", false },
    [ROLLBACK] = { ROLLBACK, "rollback", false },
    [MIGRATE] = { MIGRATE, "migrate", false },
    [STATS] = { STATS, "stats", true },
    [BACKUP] = { BACKUP, "backup", false },
    [INSPECT] = { INSPECT, "inspect", true },
    [MAINTAIN] = { MAINTAIN, "maintain", false },
    [LISTEN] = { LISTEN, "listen", false },
    [NOTIFY] = { NOTIFY, "notify", false },
};
const size_t gate_storage_count = sizeof(gate_storage_list) / sizeof(gate_storage_list[0]);

struct args {
    const bp_storage_ops *ops;
    bp_transaction       *transaction;
    bp_transaction      **begun;
    const bp_statement   *statements;
    size_t                count;
    bp_rows              *rows;
    const bp_row_sink    *sink;
    int64_t              *numbers;
    bp_str                text, more;
    const bp_notice_sink *notices;
    const bp_migration   *migrations;
    bp_storage_stats     *stats;
    struct gate_op        op; /* a copy: a query is not tried again once a row was given out */
};

static struct args args_for(const struct instance *instance)
{
    return (struct args){ .ops = instance->unit->plugin->descriptor.ops };
}

static bool is_select(bp_str sql)
{
    while (sql.len && (unsigned char)sql.data[0] <= ' ') {
        sql.data++;
        sql.len--;
    }
    return sql.len > 6 && strncasecmp(sql.data, "select", 6) == 0;
}

/* What one back end takes all take: PostgreSQL keeps neither a NUL nor bytes that are not UTF-8 in
 * a text, so no storage is asked to. */
static bp_status check_texts(bp_call *call, const bp_statement *statements, size_t count)
{
    for (size_t s = 0; s < count; s++)
        for (uint32_t p = 0; p < statements[s].parameter_count; p++) {
            const bp_sql_value *value = &statements[s].parameters[p];
            const char         *nul = value->type == BP_SQL_TEXT && value->text.len
                                          ? memchr(value->text.data, '\0', value->text.len)
                                          : NULL;

            if (nul)
                return call_fail(call, BP_INVALID,
                                 "a text of %zu bytes has a NUL at byte %zu, which no storage "
                                 "keeps: take it out, or store bytes",
                                 value->text.len, (size_t)(nul - value->text.data));
            if (value->type == BP_SQL_TEXT && !str_is_utf8(value->text))
                return call_fail(call, BP_INVALID,
                                 "a text of %zu bytes is not UTF-8, which no storage keeps: store "
                                 "bytes",
                                 value->text.len);
        }
    return BP_OK;
}

static bp_status run_exec(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->exec(call, object, args->transaction, args->statements, args->rows);
}

static bp_status gated_exec(bp_call *call, void *instance, bp_transaction *transaction,
                            const bp_statement *statement, bp_rows *rows)
{
    struct args args = args_for(instance);

    args.transaction = transaction;
    args.statements = statement;
    args.rows = rows;
    args.op = gate_storage_list[EXEC];
    args.op.is_idempotent = !transaction && is_select(statement->sql);
    BP_TRY(gate_needs(call, instance, args.ops->exec != NULL, "exec"));
    BP_TRY(check_texts(call, statement, 1));
    return gate_run(call, instance, &args.op, run_exec, &args);
}

static bp_status pass_row(bp_call *call, void *self, const bp_sql_value *row, uint32_t column_count)
{
    struct args  *args = self;
    struct arena *of_plugin;

    args->op.is_idempotent = false;
    gate_answered(call);
    of_plugin = gate_sink_begin(call);
    return gate_sink_end(call, of_plugin,
                         args->sink->row(call, args->sink->self, row, column_count));
}

static bp_status run_query(bp_call *call, void *object, void *arg)
{
    struct args      *args = arg;
    const bp_row_sink sink = { .struct_size = sizeof(sink), .row = pass_row, .self = args };

    return args->ops->query(call, object, args->transaction, args->statements, &sink);
}

static bp_status gated_query(bp_call *call, void *instance, bp_transaction *transaction,
                             const bp_statement *statement, const bp_row_sink *sink)
{
    struct args args = args_for(instance);

    args.transaction = transaction;
    args.statements = statement;
    args.sink = sink;
    args.op = gate_storage_list[QUERY];
    args.op.is_idempotent = !transaction;
    BP_TRY(gate_needs(call, instance, args.ops->query != NULL, "query"));
    BP_TRY(check_texts(call, statement, 1));
    return gate_run(call, instance, &args.op, run_query, &args);
}

static bp_status run_batch(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->batch(call, object, args->statements, args->count, args->numbers);
}

static bp_status gated_batch(bp_call *call, void *instance, const bp_statement *statements,
                             size_t count, int64_t *changed)
{
    struct args args = args_for(instance);

    args.statements = statements;
    args.count = count;
    args.numbers = changed;
    BP_TRY(gate_needs(call, instance, args.ops->batch != NULL, "batch"));
    BP_TRY(check_texts(call, statements, count));
    return gate_run(call, instance, &gate_storage_list[BATCH], run_batch, &args);
}

static bp_status run_begin(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->begin(call, object, args->begun);
}

static bp_status gated_begin(bp_call *call, void *instance, bp_transaction **transaction)
{
    struct args args = args_for(instance);

    args.begun = transaction;
    BP_TRY(gate_needs(call, instance, args.ops->begin && args.ops->commit && args.ops->rollback,
                      "transactions"));
    return gate_run(call, instance, &gate_storage_list[BEGIN], run_begin, &args);
}

static bp_status run_commit(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->commit(call, object, args->transaction);
}

static bp_status gated_commit(bp_call *call, void *instance, bp_transaction *transaction)
{
    struct args args = args_for(instance);

    args.transaction = transaction;
    return gate_run(call, instance, &gate_storage_list[COMMIT], run_commit, &args);
}

static bp_status run_rollback(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->rollback(call, object, args->transaction);
}

static bp_status gated_rollback(bp_call *call, void *instance, bp_transaction *transaction)
{
    struct args args = args_for(instance);

    args.transaction = transaction;
    return gate_run(call, instance, &gate_storage_list[ROLLBACK], run_rollback, &args);
}

static bp_status run_migrate(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->migrate(call, object, args->text, args->migrations, args->count);
}

static bp_status gated_migrate(bp_call *call, void *instance, bp_str owner,
                               const bp_migration *migrations, size_t count)
{
    struct args args = args_for(instance);

    args.text = owner;
    args.migrations = migrations;
    args.count = count;
    BP_TRY(gate_needs(call, instance, args.ops->migrate != NULL, "migrate"));
    return gate_run_long(call, instance, &gate_storage_list[MIGRATE], run_migrate, &args);
}

static bp_status run_stats(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->stats(call, object, args->stats);
}

static bp_status gated_stats(bp_call *call, void *instance, bp_storage_stats *stats)
{
    struct args args = args_for(instance);

    args.stats = stats;
    BP_TRY(gate_needs(call, instance, args.ops->stats != NULL, "stats"));
    return gate_run(call, instance, &gate_storage_list[STATS], run_stats, &args);
}

static bp_status run_backup(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->backup(call, object, args->text, args->numbers);
}

static bp_status gated_backup(bp_call *call, void *instance, bp_str path, int64_t *size_bytes)
{
    struct args args = args_for(instance);

    args.text = path;
    args.numbers = size_bytes;
    BP_TRY(gate_needs(call, instance, BP_HAS(args.ops, bp_storage_ops, backup) && args.ops->backup,
                      "backup"));
    return gate_run_long(call, instance, &gate_storage_list[BACKUP], run_backup, &args);
}

static bp_status run_inspect(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->inspect(call, object, args->text, args->rows);
}

static bp_status gated_inspect(bp_call *call, void *instance, bp_str what, bp_rows *rows)
{
    struct args args = args_for(instance);

    args.text = what;
    args.rows = rows;
    BP_TRY(gate_needs(call, instance,
                      BP_HAS(args.ops, bp_storage_ops, inspect) && args.ops->inspect, "inspect"));
    return gate_run_long(call, instance, &gate_storage_list[INSPECT], run_inspect, &args);
}

static bp_status run_maintain(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->maintain(call, object, args->text, args->more);
}

static bp_status gated_maintain(bp_call *call, void *instance, bp_str what, bp_str table)
{
    struct args args = args_for(instance);

    args.text = what;
    args.more = table;
    BP_TRY(gate_needs(call, instance,
                      BP_HAS(args.ops, bp_storage_ops, maintain) && args.ops->maintain,
                      "maintain"));
    return gate_run_long(call, instance, &gate_storage_list[MAINTAIN], run_maintain, &args);
}

/* Listening is mostly waiting, so it takes no place away from those who work. */
static bp_status run_listen(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;
    bp_status    status;

    gate_step_out(call);
    status = args->ops->listen(call, object, args->text, args->notices);
    gate_step_in(call);
    return status;
}

static bp_status gated_listen(bp_call *call, void *instance, bp_str channel,
                              const bp_notice_sink *sink)
{
    struct args args = args_for(instance);

    args.text = channel;
    args.notices = sink;
    BP_TRY(gate_needs(call, instance, BP_HAS(args.ops, bp_storage_ops, listen) && args.ops->listen,
                      "listen"));
    return gate_run_long(call, instance, &gate_storage_list[LISTEN], run_listen, &args);
}

static bp_status run_notify(bp_call *call, void *object, void *arg)
{
    struct args *args = arg;

    return args->ops->notify(call, object, args->transaction, args->text, args->more);
}

static bp_status gated_notify(bp_call *call, void *instance, bp_transaction *transaction,
                              bp_str channel, bp_str payload)
{
    struct args args = args_for(instance);

    args.transaction = transaction;
    args.text = channel;
    args.more = payload;
    BP_TRY(gate_needs(call, instance, BP_HAS(args.ops, bp_storage_ops, notify) && args.ops->notify,
                      "notify"));
    return gate_run(call, instance, &gate_storage_list[NOTIFY], run_notify, &args);
}

const bp_storage_ops gate_storage_ops = {
    .struct_size = sizeof(bp_storage_ops),
    .exec = gated_exec,
    .query = gated_query,
    .batch = gated_batch,
    .begin = gated_begin,
    .commit = gated_commit,
    .rollback = gated_rollback,
    .migrate = gated_migrate,
    .stats = gated_stats,
    .backup = gated_backup,
    .inspect = gated_inspect,
    .maintain = gated_maintain,
    .listen = gated_listen,
    .notify = gated_notify,
};

/* sql.c - an app for tests of storage back ends: runs the SQL that a request's body has, by
 * whichever operation it names. */
#include <backplane/app.h>
#include <backplane/json.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>
#include <backplane/storage.h>

struct sql {
    const bp_peer *storage;
};

static bp_status answer(bp_call *call, bp_response *response, const bp_rows *rows)
{
    bp_json_writer *w = bp_json_writer_new(call, 64 << 20);

    bp_json_object(w);
    bp_json_put_integer(w, "changed", rows->changed);
    bp_json_put_integer(w, "count", (int64_t)rows->row_count);
    if (rows->row_count && rows->column_count) {
        const bp_sql_value *first = bp_row(rows, 0);
        if (first->type == BP_SQL_INTEGER)
            bp_json_put_integer(w, "value", first->integer);
        else if (first->type == BP_SQL_TEXT)
            bp_json_put_string(w, "value", first->text);
    }
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static bp_status run_exec(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    const struct sql *self = instance;
    bp_str            text = { NULL, 0 };
    bp_statement      statement = { .struct_size = sizeof(statement) };
    bp_rows           rows;

    BP_TRY(bp_request_body(call, request, &text));
    statement.sql = text;
    BP_TRY(bp_storage_exec(call, self->storage, NULL, &statement, &rows));
    return answer(call, response, &rows);
}

/* Lines are statements. */
static bp_status run_batch(bp_call *call, void *instance, bp_request *request,
                           bp_response *response)
{
    const struct sql *self = instance;
    bp_str            text = { NULL, 0 };
    bp_statement      statements[64];
    size_t            count = 0;

    BP_TRY(bp_request_body(call, request, &text));
    while (text.len && count < 64) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t      len = end ? (size_t)(end - text.data) : text.len;

        statements[count++] = (bp_statement){ .struct_size = sizeof(bp_statement),
                                              .sql = bp_str_n(text.data, len) };
        text = bp_str_n(text.data + len + (end ? 1 : 0), text.len - len - (end ? 1 : 0));
    }
    BP_TRY(bp_storage_batch(call, self->storage, statements, count, NULL));
    return answer(call, response, &(bp_rows){ .changed = (int64_t)count });
}

/* A transaction that stays open for ?hold_ms=, committed then. */
static bp_status run_transaction(bp_call *call, void *instance, bp_request *request,
                                 bp_response *response)
{
    const struct sql *self = instance;
    bp_str            text = { NULL, 0 }, hold = { NULL, 0 };
    bp_statement      statement = { .struct_size = sizeof(statement) };
    bp_transaction   *transaction;
    bp_rows           rows;
    int64_t           hold_ms = 0;

    if (bp_request_query(request, "hold_ms", &hold))
        for (size_t i = 0; i < hold.len; i++)
            hold_ms = hold_ms * 10 + (hold.data[i] - '0');
    BP_TRY(bp_request_body(call, request, &text));
    statement.sql = text;
    BP_TRY(bp_storage_begin(call, self->storage, &transaction));
    BP_TRY(bp_storage_exec(call, self->storage, transaction, &statement, &rows));
    BP_TRY(bp_sleep(call, BP_MILLISECONDS(hold_ms)));
    BP_TRY(bp_storage_commit(call, self->storage, transaction));
    return answer(call, response, &rows);
}

static bp_status write_notice(bp_call *call, void *self, bp_str payload, bool is_gap)
{
    bp_response *response = self;

    if (bp_str_is(payload, "stop"))
        return bp_fail(call, BP_LIMIT, "told to stop");
    return bp_response_write(call, response,
                             is_gap ? BP_STR("(gap)\n")
                                    : bp_format(call, BP_FMT "\n", BP_ARG(payload)));
}

static bp_status run_listen(bp_call *call, void *instance, bp_request *request,
                            bp_response *response)
{
    const struct sql    *self = instance;
    const bp_notice_sink sink = { sizeof(sink), write_notice, response };
    bp_status            status;

    (void)request;
    BP_TRY(bp_response_stream(call, response, 200, "text/plain"));
    status = bp_storage_listen(call, self->storage, BP_STR("news"), &sink);
    return status == BP_LIMIT ? BP_OK : status;
}

static bp_status run_notify(bp_call *call, void *instance, bp_request *request,
                            bp_response *response)
{
    const struct sql *self = instance;
    bp_str            text = { NULL, 0 };

    BP_TRY(bp_request_body(call, request, &text));
    BP_TRY(bp_storage_notify(call, self->storage, NULL, BP_STR("news"), text));
    return answer(call, response, &(bp_rows){ .changed = 1 });
}

#define ROUTE(path_, handler_)                                                                     \
    {                                                                                              \
        .method = "POST", .path = path_, .handler = handler_, .scope = "sql:write",                \
        .summary = "for tests", .deadline_ns = BP_SECONDS(600)                                     \
    }

static const bp_route routes[] = {
    ROUTE("/sql/exec", run_exec),
    ROUTE("/sql/batch", run_batch),
    ROUTE("/sql/transaction", run_transaction),
    ROUTE("/sql/listen", run_listen),
    ROUTE("/sql/notify", run_notify),
};

static const bp_option options[] = { BP_OPTION_REF(struct sql, storage, "storage",
                                                   .is_required = true,
                                                   .help = "what the SQL is run on") };

static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops),
                                .routes = routes,
                                .route_size = sizeof(routes[0]),
                                .route_count = sizeof(routes) / sizeof(routes[0]) };

BP_PLUGIN(app, "sql", "1.0.0", .summary = "runs SQL for tests of storage back ends",
          .license = "Apache-2.0", .instance_size = sizeof(struct sql),
          .options = BP_TABLE(options), .ops = &ops)

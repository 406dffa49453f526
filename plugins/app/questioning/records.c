/* records.c - /api/sessions, /api/conversations and /api/messages: lists, pages, and each record
 * made, read, changed and deleted. One table says what the three are; SQL is put together from it
 * and from nothing that a client sends.
 */
#include "questioning.h"

enum { COLUMNS_MAX = 5, PAGE_MAX = 1000, FILTERS_MAX = 2 };

enum column_type { TEXT, FLAG, KIND, OBJECT, NUMBER, PARENT };

struct column {
    const char      *name;
    enum column_type type;
    bool             is_needed; /* never null; a new record must have it, unless it has a default */
    size_t           most_bytes;
};

struct filter {
    const char *parameter, *column;
    bool        is_flag;
};

static const struct record {
    const char   *plural, *noun, *table, *parent; /* of the column of type PARENT */
    enum endpoint endpoint;
    const char   *order;
    struct column columns[COLUMNS_MAX];
    size_t        column_count;
    struct filter filters[FILTERS_MAX + 2];
    const char   *messages; /* which ones go with it: their points must go, too */
} records[] = {
    { "sessions",
      "session",
      "user_sessions",
      NULL,
      ENDPOINT_SESSIONS,
      "number",
      { { "user_identifier", TEXT, false, NAME_BYTES_MAX },
        { "context", TEXT, false, TEXT_BYTES_MAX },
        { "is_active", FLAG, true, 0 } },
      3,
      { { "user_identifier", "user_identifier", false },
        { "user_id", "user_identifier", false },
        { "is_active", "is_active", true } },
      "SELECT m.number FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE "
      "c.tenant = $1 AND c.user_session_id = $2" },
    { "conversations",
      "conversation",
      "conversations",
      "user_sessions",
      ENDPOINT_CONVERSATIONS,
      "number",
      { { "user_session_id", PARENT, true, NAME_BYTES_MAX },
        { "topic", TEXT, false, 4096 },
        { "is_active", FLAG, true, 0 } },
      3,
      { { "user_session_id", "user_session_id", false },
        { "session_id", "user_session_id", false },
        { "is_active", "is_active", true } },
      "SELECT number FROM messages WHERE tenant = $1 AND conversation_id = $2" },
    { "messages",
      "message",
      "messages",
      "conversations",
      ENDPOINT_MESSAGES,
      "sequence_number",
      { { "conversation_id", PARENT, true, NAME_BYTES_MAX },
        { "message_type", KIND, true, 0 },
        { "content", TEXT, true, TEXT_BYTES_MAX },
        { "message_metadata", OBJECT, false, 65536 },
        { "sequence_number", NUMBER, true, 0 } },
      5,
      { { "conversation_id", "conversation_id", false },
        { "message_type", "message_type", false } },
      "SELECT number FROM messages WHERE tenant = $1 AND id = $2" },
};

struct serving {
    struct questioning  *self;
    const struct record *record;
    bp_request          *request;
    bp_response         *response;
    bp_str               id;
    int32_t              answered; /* the HTTP status */
};

/* A statement as it grows; parameters stand in their order. */
struct building {
    bp_buf      *sql;
    bp_sql_value values[COLUMNS_MAX + 8];
    uint32_t     count;
};

static void add_parameter(struct building *b, const char *before, bp_sql_value value)
{
    b->values[b->count++] = value;
    bp_buf_addf(b->sql, "%s$%u", before, b->count);
}

static bp_status run(bp_call *call, struct serving *s, struct building *b, bp_rows *rows)
{
    bp_statement statement = { .struct_size = sizeof(statement),
                               .sql = bp_buf_str(b->sql),
                               .parameters = b->values,
                               .parameter_count = b->count };

    BP_TRY(bp_buf_status(b->sql));
    return bp_storage_exec(call, s->self->storage, NULL, &statement, rows);
}

static void add_columns(struct building *b, const struct record *record)
{
    bp_buf_add(b->sql, BP_STR("id"));
    for (size_t i = 0; i < record->column_count; i++)
        bp_buf_addf(b->sql, ", %s", record->columns[i].name);
    bp_buf_add(b->sql, BP_STR(", created_at, updated_at"));
}

static void put_row(bp_call *call, bp_json_writer *w, const struct record *record,
                    const bp_sql_value *row)
{
    bp_json_object(w);
    bp_json_put_string(w, "id", row[0].text);
    for (size_t i = 0; i < record->column_count; i++) {
        const struct column *column = &record->columns[i];
        const bp_sql_value  *value = &row[i + 1];

        if (column->type == OBJECT) {
            put_stored_json(call, w, column->name, value);
            continue;
        }
        bp_json_key(w, column->name);
        if (value->type == BP_SQL_NULL)
            bp_json_add_null(w);
        else if (column->type == FLAG)
            bp_json_add_bool(w, value->integer != 0);
        else if (column->type == NUMBER)
            bp_json_add_integer(w, value->integer);
        else
            bp_json_add_string(w, value->text);
    }
    bp_json_put_string(w, "created_at", row[record->column_count + 1].text);
    bp_json_put_string(w, "updated_at", row[record->column_count + 2].text);
    bp_json_end(w);
}

/* ---- reading what a client sends ---- */

static bool is_kind(bp_str text)
{
    return bp_str_is(text, "question") || bp_str_is(text, "answer") || bp_str_is(text, "system");
}

static bp_status read_column(bp_call *call, const struct column *column, const bp_json *value,
                             bp_sql_value *out)
{
    bp_json_type type = bp_json_type_of(value);
    bp_str       text = column->type == OBJECT ? bp_json_text(call, value) : bp_json_string(value);

    *out = bp_sql_null();
    if (type == BP_JSON_NULL && !column->is_needed)
        return BP_OK;
    switch (column->type) {
    case FLAG:
        *out = bp_sql_int(bp_json_bool(value));
        return type == BP_JSON_BOOL
                   ? BP_OK
                   : bp_fail(call, BP_INVALID, "\"%s\" must be true or false", column->name);
    case NUMBER:
        *out = bp_sql_int(bp_json_integer(value));
        if (type == BP_JSON_INTEGER && bp_json_integer(value) >= 0)
            return BP_OK;
        return bp_fail(call, BP_INVALID, "\"%s\" must be a whole number, 0 or more", column->name);
    case KIND:
        *out = bp_sql_text(text);
        return is_kind(text)
                   ? BP_OK
                   : bp_fail(call, BP_INVALID,
                             "\"%s\" must be \"question\", \"answer\" or \"system\"", column->name);
    case OBJECT:
        if (type != BP_JSON_OBJECT)
            return bp_fail(call, BP_INVALID, "\"%s\" must be an object or null", column->name);
        break;
    default:
        if (type != BP_JSON_STRING || (column->is_needed && !text.len))
            return bp_fail(call, BP_INVALID, "\"%s\" must be a string%s", column->name,
                           column->is_needed ? " that is not empty" : " or null");
    }
    if (text.len > column->most_bytes)
        return bp_fail(call, BP_INVALID, "\"%s\" has %zu bytes; at most %zu are allowed",
                       column->name, text.len, column->most_bytes);
    *out = bp_sql_text(text);
    return BP_OK;
}

static bp_status read_number(bp_call *call, const bp_request *request, const char *name,
                             int64_t least, int64_t most, int64_t *number)
{
    int64_t value = 0;
    bp_str  text;

    if (!bp_request_query(request, name, &text))
        return BP_OK;
    for (size_t i = 0; i < text.len && value >= 0 && value <= most; i++)
        value = text.data[i] >= '0' && text.data[i] <= '9' ? value * 10 + text.data[i] - '0' : -1;
    if (!text.len || value < least || value > most)
        return bp_fail(call, BP_INVALID, "\"%s\" must be a number from %lld to %lld", name,
                       (long long)least, (long long)most);
    *number = value;
    return BP_OK;
}

static bp_status read_filter(bp_call *call, const struct filter *filter, bp_str text,
                             bp_sql_value *value)
{
    bool is_true = bp_str_is(text, "true") || bp_str_is(text, "1");

    if (filter->is_flag && !is_true && !bp_str_is(text, "false") && !bp_str_is(text, "0"))
        return bp_fail(call, BP_INVALID, "\"%s\" must be true or false", filter->parameter);
    *value = filter->is_flag ? bp_sql_int(is_true) : bp_sql_text(text);
    return BP_OK;
}

/* ---- lists ---- */

static bp_status add_filters(bp_call *call, struct serving *s, struct building *b)
{
    add_parameter(b, " WHERE tenant = ", tenant_value(call));
    for (size_t i = 0; i < sizeof(s->record->filters) / sizeof(s->record->filters[0]) &&
                       s->record->filters[i].parameter;
         i++) {
        const struct filter *filter = &s->record->filters[i];
        bp_sql_value         value = bp_sql_null();
        bp_str               text;

        if (!bp_request_query(s->request, filter->parameter, &text))
            continue;
        BP_TRY(read_filter(call, filter, text, &value));
        bp_buf_addf(b->sql, " AND %s", filter->column);
        add_parameter(b, " = ", value);
    }
    return BP_OK;
}

static bp_status list_records(bp_call *call, struct serving *s)
{
    struct building b = { .sql = bp_buf_new(call, 4096) }, all = { .sql = bp_buf_new(call, 4096) };
    bp_json_writer *w = bp_json_writer_new(call, 64 << 20);
    int64_t         skip = 0, limit = 100;
    bp_str          order = BP_STR("asc");
    bp_rows         rows, total;

    BP_TRY(read_number(call, s->request, "skip", 0, INT32_MAX, &skip));
    BP_TRY(read_number(call, s->request, "limit", 1, PAGE_MAX, &limit));
    if (bp_request_query(s->request, "order", &order) && !bp_str_is(order, "asc") &&
        !bp_str_is(order, "desc"))
        return bp_fail(call, BP_INVALID, "\"order\" must be asc or desc");
    bp_buf_addf(all.sql, "SELECT COUNT(*) FROM %s", s->record->table);
    BP_TRY(add_filters(call, s, &all));
    bp_buf_add(b.sql, BP_STR("SELECT "));
    add_columns(&b, s->record);
    bp_buf_addf(b.sql, " FROM %s", s->record->table);
    BP_TRY(add_filters(call, s, &b));
    bp_buf_addf(b.sql, " ORDER BY %s %s, number", s->record->order,
                bp_str_is(order, "desc") ? "DESC" : "ASC");
    add_parameter(&b, " LIMIT ", bp_sql_int(limit));
    add_parameter(&b, " OFFSET ", bp_sql_int(skip));
    BP_TRY(run(call, s, &all, &total));
    BP_TRY(run(call, s, &b, &rows));
    bp_json_object(w);
    bp_json_key(w, "items");
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++)
        put_row(call, w, s->record, bp_row(&rows, i));
    bp_json_end(w);
    bp_json_put_integer(w, "total", bp_row(&total, 0)[0].integer);
    bp_json_put_integer(w, "skip", skip);
    bp_json_put_integer(w, "limit", limit);
    bp_json_end(w);
    return bp_respond_json(call, s->response, s->answered = 200, w);
}

/* ---- one record ---- */

static bp_status missing(bp_call *call, const struct serving *s)
{
    return bp_fail(call, BP_NOT_FOUND, "there is no %s \"" BP_FMT "\"", s->record->noun,
                   BP_ARG(s->id));
}

static bp_status answer_record(bp_call *call, struct serving *s, int32_t http_status)
{
    struct building b = { .sql = bp_buf_new(call, 4096) };
    bp_json_writer *w = bp_json_writer_new(call, 4 << 20);
    bp_rows         rows;

    bp_buf_add(b.sql, BP_STR("SELECT "));
    add_columns(&b, s->record);
    bp_buf_addf(b.sql, " FROM %s", s->record->table);
    add_parameter(&b, " WHERE tenant = ", tenant_value(call));
    add_parameter(&b, " AND id = ", bp_sql_text(s->id));
    BP_TRY(run(call, s, &b, &rows));
    if (!rows.row_count)
        return missing(call, s);
    put_row(call, w, s->record, bp_row(&rows, 0));
    return bp_respond_json(call, s->response, s->answered = http_status, w);
}

/* Has to be there, and be the tenant's own. */
static bp_status check_parent(bp_call *call, struct serving *s, const struct column *column,
                              bp_sql_value value)
{
    struct building b = { .sql = bp_buf_new(call, 1024) };
    bp_rows         rows;

    bp_buf_addf(b.sql, "SELECT 1 FROM %s", s->record->parent);
    add_parameter(&b, " WHERE tenant = ", tenant_value(call));
    add_parameter(&b, " AND id = ", value);
    BP_TRY(run(call, s, &b, &rows));
    if (rows.row_count)
        return BP_OK;
    return bp_fail(call, BP_NOT_FOUND, "\"%s\": there is no such record as \"" BP_FMT "\"",
                   column->name, BP_ARG(value.text));
}

static bp_status read_fields(bp_call *call, struct serving *s, const bp_json *body,
                             bp_sql_value *values, bool *is_given)
{
    for (size_t i = 0; i < s->record->column_count; i++) {
        const struct column *column = &s->record->columns[i];
        const bp_json       *value = bp_json_get(body, column->name);

        is_given[i] = bp_json_type_of(value) != BP_JSON_NONE;
        if (!is_given[i])
            continue;
        BP_TRY(read_column(call, column, value, &values[i]));
        if (column->type == PARENT)
            BP_TRY(check_parent(call, s, column, values[i]));
    }
    return BP_OK;
}

/* A message is found by its new words from now on. */
static bp_status make_findable(bp_call *call, struct serving *s)
{
    struct remembered message = { .tenant = bp_principal_of(call)->tenant };
    bp_rows           rows;

    if (s->record->endpoint != ENDPOINT_MESSAGES || !s->self->vector)
        return BP_OK;
    BP_TRY(bp_storage_exec(call, s->self->storage, NULL,
                           BP_SQL("SELECT m.number, m.content, m.conversation_id, m.message_type, "
                                  "c.user_session_id, m.created_at FROM messages m JOIN "
                                  "conversations c ON c.id = m.conversation_id WHERE m.tenant = $1 "
                                  "AND m.id = $2 AND m.is_indexed = 0",
                                  tenant_value(call), bp_sql_text(s->id)),
                           &rows));
    if (!rows.row_count)
        return BP_OK;
    message.number = bp_row(&rows, 0)[0].integer;
    message.content = bp_row(&rows, 0)[1].text;
    message.conversation_id = bp_row(&rows, 0)[2].text;
    message.type = bp_row(&rows, 0)[3].text;
    message.session_id = bp_row(&rows, 0)[4].text;
    message.created_at = bp_row(&rows, 0)[5].text;
    memory_index(call, s->self, &message, 1);
    return BP_OK;
}

static void build_insert(bp_call *call, struct serving *s, struct building *b,
                         const bp_sql_value *values, const bool *is_given)
{
    const struct record *record = s->record;
    bp_sql_value         now = bp_sql_text(now_text(call));

    *b = (struct building){ .sql = bp_buf_new(call, 4096) };
    bp_buf_addf(b->sql, "INSERT INTO %s (tenant, ", record->table);
    add_columns(b, record);
    add_parameter(b, ") VALUES (", tenant_value(call));
    add_parameter(b, ", ", bp_sql_text(s->id));
    for (size_t i = 0; i < record->column_count; i++) {
        if (is_given[i] || record->columns[i].type != NUMBER)
            add_parameter(b, ", ",
                          is_given[i]                       ? values[i]
                          : record->columns[i].type == FLAG ? bp_sql_int(1)
                                                            : bp_sql_null());
        else
            add_parameter(b,
                          ", (SELECT COALESCE(MAX(sequence_number), 0) + 1 FROM messages WHERE "
                          "conversation_id = ",
                          values[0]);
        if (!is_given[i] && record->columns[i].type == NUMBER)
            bp_buf_add(b->sql, BP_STR(")"));
    }
    add_parameter(b, ", ", now);
    add_parameter(b, ", ", now);
    bp_buf_add(b->sql, BP_STR(")"));
}

static bp_status make_record(bp_call *call, struct serving *s)
{
    bp_sql_value    values[COLUMNS_MAX];
    bool            is_given[COLUMNS_MAX] = { false }, is_numbered = false;
    bp_status       status = BP_CONFLICT;
    struct building b;
    const bp_json  *body;

    BP_TRY(body_read(call, s->request, &body));
    BP_TRY(read_fields(call, s, body, values, is_given));
    for (size_t i = 0; i < s->record->column_count; i++) {
        const struct column *column = &s->record->columns[i];

        is_numbered = is_numbered || (column->type == NUMBER && is_given[i]);
        if (column->is_needed && !is_given[i] && column->type != FLAG && column->type != NUMBER)
            return bp_fail(call, BP_INVALID, "\"%s\" is missing", column->name);
    }
    s->id = new_uuid(call);
    for (int i = 0; i < TRIES && status == BP_CONFLICT && (i == 0 || !is_numbered); i++) {
        build_insert(call, s, &b, values, is_given);
        status = run(call, s, &b, NULL);
    }
    if (status == BP_CONFLICT && is_numbered)
        return bp_fail(call, BP_CONFLICT,
                       "the conversation has a message with this \"sequence_number\" already");
    BP_TRY(status);
    BP_TRY(make_findable(call, s));
    return answer_record(call, s, 201);
}

static bp_status change(bp_call *call, struct serving *s, const bp_sql_value *values,
                        const bool *is_given)
{
    struct building b = { .sql = bp_buf_new(call, 4096) };
    bool            is_message = s->record->endpoint == ENDPOINT_MESSAGES;
    bp_status       status;
    bp_rows         rows;

    bp_buf_addf(b.sql, "UPDATE %s SET ", s->record->table);
    add_parameter(&b, "updated_at = ", bp_sql_text(now_text(call)));
    for (size_t i = 0; i < s->record->column_count; i++) {
        if (!is_given[i])
            continue;
        bp_buf_addf(b.sql, ", %s", s->record->columns[i].name);
        add_parameter(&b, " = ", values[i]);
    }
    if (is_message)
        bp_buf_add(b.sql, BP_STR(", is_indexed = 0"));
    add_parameter(&b, " WHERE tenant = ", tenant_value(call));
    add_parameter(&b, " AND id = ", bp_sql_text(s->id));
    bp_buf_add(b.sql, BP_STR(" RETURNING id"));
    status = run(call, s, &b, &rows);
    if (status == BP_CONFLICT && is_message)
        return bp_fail(call, BP_CONFLICT,
                       "the conversation has a message with this \"sequence_number\" already");
    BP_TRY(status);
    return rows.row_count ? make_findable(call, s) : missing(call, s);
}

static bp_status change_record(bp_call *call, struct serving *s)
{
    bp_sql_value   values[COLUMNS_MAX];
    bool           is_given[COLUMNS_MAX] = { false };
    const bp_json *body;

    BP_TRY(body_read(call, s->request, &body));
    BP_TRY(read_fields(call, s, body, values, is_given));
    BP_TRY(change(call, s, values, is_given));
    return answer_record(call, s, 200);
}

static bp_status deactivate_record(bp_call *call, struct serving *s)
{
    const bp_sql_value values[COLUMNS_MAX] = { [2] = bp_sql_int(0) };
    const bool is_given[COLUMNS_MAX] = { [2] = true }; // is_active is the third column of both

    BP_TRY(change(call, s, values, is_given));
    return answer_record(call, s, 200);
}

/* The numbers of the messages are noted in the same transaction, so that no point stays for ever.
 */
static bp_status delete_record(bp_call *call, struct serving *s)
{
    const bp_sql_value values[] = { tenant_value(call), bp_sql_text(s->id) };
    bp_statement       statements[2];
    int64_t            changed[2] = { 0, 0 };

    for (size_t i = 0; i < 2; i++)
        statements[i] = (bp_statement){ .struct_size = sizeof(bp_statement),
                                        .parameter_count = 2,
                                        .parameters = values };
    statements[0].sql = bp_format(call,
                                  "INSERT INTO questioning_garbage (number) %s ON CONFLICT "
                                  "(number) DO NOTHING",
                                  s->record->messages);
    statements[1].sql = bp_format(call, "DELETE FROM %s WHERE tenant = $1 AND id = $2",
                                  s->record->table);
    BP_TRY(bp_storage_batch(call, s->self->storage, statements, 2, changed));
    if (changed[1] == 0)
        return missing(call, s);
    if (memory_drop_garbage(call, s->self) != BP_OK)
        bp_clear_error(call); // the job tries again, and reports the failure
    return bp_respond(call, s->response, s->answered = 204, NULL, bp_str_n(NULL, 0));
}

/* ---- which ---- */

static bp_status serve(bp_call *call, struct serving *s)
{
    bp_str method = bp_request_method(s->request);

    if (!s->id.len)
        return bp_str_is(method, "POST") ? make_record(call, s) : list_records(call, s);
    if (s->id.len > NAME_BYTES_MAX)
        return missing(call, s);
    if (bp_str_is(method, "POST"))
        return deactivate_record(call, s);
    if (bp_str_is(method, "DELETE"))
        return delete_record(call, s);
    return bp_str_is(method, "GET") || bp_str_is(method, "HEAD") ? answer_record(call, s, 200)
                                                                 : change_record(call, s);
}

bp_status records_route(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct serving s = { .self = instance,
                         .request = request,
                         .response = response,
                         .id = bp_request_path_value(request, "id") };
    bp_str         path = bp_request_path(request);
    int64_t        started_ns = bp_now_ns();
    bp_status      status;

    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
        if (bp_str_starts(bp_str_n(path.data + 5, path.len - 5),
                          records[i].plural)) // behind "/api/"
            s.record = &records[i];
    status = serve(call, &s);
    monitor_count(s.self, s.record->endpoint, started_ns, status,
                  status == BP_INVALID ? 422
                  : status != BP_OK    ? bp_status_http(status)
                                       : s.answered);
    return status == BP_INVALID ? refuse(call, response, 422) : status;
}

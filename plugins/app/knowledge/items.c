/* items.c - memories that other programs keep for a user: of one of four types, each with a time to
 * live and a number.
 *
 * The bodies and answers are those of the memory server of the multi-agent orchestrator. An item
 * belongs to the tenant of the key and to a user of it. When a user has as many of a type as that
 * type allows, the oldest one makes room. With the option `key` the data is sealed (seal.c), bound
 * to tenant, user, type and id.
 */
#define _GNU_SOURCE // memmem
#include "knowledge.h"

#include "fold.h"

enum {
    USER_BYTES_MAX = 256,
    TTL_HOURS_MAX = 10 * 365 * 24,
    RESULTS_DEFAULT = 10,
    RESULTS_MAX = 1000
};

static const struct item_type {
    const char *name;
    int64_t     ttl_hours, most;
} item_types[] = {
    { "conversation", 24, 1000 },
    { "facts", (int64_t)30 * 24, 10000 },
    { "preferences", (int64_t)90 * 24, 1000 },
    { "context", 12, 500 },
};
enum { ITEM_TYPES = sizeof(item_types) / sizeof(item_types[0]) };

#define HOUR_NS BP_SECONDS(3600)

static bp_str field(const bp_json *object, const char *name)
{
    return bp_json_string(bp_json_get(object, name));
}

static bp_status find_type(bp_call *call, bp_str name, const struct item_type **type)
{
    for (size_t i = 0; i < ITEM_TYPES; i++) {
        if (bp_str_is(name, item_types[i].name)) {
            *type = &item_types[i];
            return BP_OK;
        }
    }
    return bp_fail(call, BP_INVALID,
                   "memory_type: \"" BP_FMT
                   "\" is none: conversation, facts, preferences or context",
                   BP_ARG(name));
}

static bp_status read_body(bp_call *call, bp_request *request, const bp_json **body)
{
    bp_str bytes;
    bp_str user;

    BP_TRY(bp_request_body(call, request, &bytes));
    BP_TRY(bp_json_read(call, bytes, body));
    if (bp_json_type_of(*body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object");
    user = field(*body, "user_id");
    if (user.len == 0 || user.len > USER_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "user_id must be a text of 1 to %d bytes", USER_BYTES_MAX);
    return BP_OK;
}

static bp_str context_of(bp_call *call, bp_str user, bp_str type, bp_str id)
{
    bp_buf *buf = bp_buf_new(call, 4096);
    bp_str  parts[] = { knowledge_tenant(call), user, type, id };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        bp_buf_addf(buf, "%zu:", parts[i].len);
        bp_buf_add(buf, parts[i]);
    }
    return bp_buf_str(buf);
}

static bp_str new_id(bp_call *call)
{
    uint8_t bytes[16];
    char   *text = bp_alloc(call, 37);
    size_t  used = 4;

    if (!text)
        return bp_str_n("", 0);
    bp_random(bytes, sizeof(bytes));
    memcpy(text, "mem_", 4);
    for (size_t i = 0; i < sizeof(bytes); i++, used += 2)
        snprintf(text + used, 3, "%02x", bytes[i]);
    return bp_str_n(text, 36);
}

/* "2026-11-22T05:00:00Z" */
static bp_str time_text(bp_call *call, int64_t wall_ns)
{
    int64_t days = wall_ns / (24 * HOUR_NS), seconds = wall_ns / BP_SECONDS(1) % 86400;
    // Days since 1970 to a date, in eras of 400 years that begin on 1 March.
    int64_t shifted = days + 719468, era = shifted / 146097, day_of_era = shifted % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month + 2) / 5 + 1;

    month = month < 10 ? month + 3 : month - 9;
    return bp_format(call, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lldZ",
                     (long long)(year_of_era + era * 400 + (month <= 2)), (long long)month,
                     (long long)day, (long long)(seconds / 3600), (long long)(seconds / 60 % 60),
                     (long long)(seconds % 60));
}

/* ---- store ---- */

static bp_status read_ttl(bp_call *call, const bp_json *json, const struct item_type *type,
                          int64_t *ttl_ns)
{
    double hours = (double)type->ttl_hours;

    if (bp_json_type_of(json) == BP_JSON_INTEGER || bp_json_type_of(json) == BP_JSON_NUMBER)
        hours = bp_json_number(json);
    else if (bp_json_type_of(json) != BP_JSON_NONE && bp_json_type_of(json) != BP_JSON_NULL)
        hours = 0;
    if (!(hours > 0) || hours > TTL_HOURS_MAX)
        return bp_fail(call, BP_INVALID, "ttl_hours must be a number above 0 and at most %d",
                       TTL_HOURS_MAX);
    *ttl_ns = (int64_t)(hours * (double)HOUR_NS);
    return BP_OK;
}

/* Inserts the item; those of its user and type that are over the number or out of time go with it.
 */
static bp_status put_item(bp_call *call, struct knowledge *self, bp_str user,
                          const struct item_type *type, bp_str id, bp_str data, int64_t ttl_ns,
                          int64_t *evicted)
{
    int64_t      now = bp_wall_ns(), changed[3] = { 0 };
    bp_sql_value tenant = bp_sql_text(knowledge_tenant(call)),
                 name = bp_sql_text(bp_str_of(type->name));
    bp_sql_value       user_value = bp_sql_text(user);
    const bp_statement statements[] = {
        *BP_SQL("INSERT INTO knowledge_items (id, tenant, user_id, memory_type, data, is_sealed, "
                "created_wall_ns, "
                "expires_wall_ns) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                bp_sql_text(id), tenant, user_value, name, bp_sql_bytes(data),
                bp_sql_int(self->key.len != 0), bp_sql_int(now), bp_sql_int(now + ttl_ns)),
        *BP_SQL("DELETE FROM knowledge_items WHERE tenant = $1 AND user_id = $2 AND memory_type = "
                "$3 AND expires_wall_ns <= $4",
                tenant, user_value, name, bp_sql_int(now)),
        *BP_SQL("DELETE FROM knowledge_items WHERE tenant = $1 AND user_id = $2 AND memory_type = "
                "$3 AND number <= (SELECT number FROM knowledge_items WHERE tenant = $1 AND "
                "user_id = $2 AND memory_type = $3 ORDER BY number DESC LIMIT 1 OFFSET $4)",
                tenant, user_value, name, bp_sql_int(type->most)),
    };
    bp_status status = BP_CONFLICT;

    for (int64_t i = 0; i < WRITE_TRIES && status == BP_CONFLICT; i++) {
        if (i)
            BP_TRY(bp_sleep(call, BP_MILLISECONDS(5) << i));
        status = bp_storage_batch(call, self->storage, statements, 3, changed);
    }
    *evicted = changed[2];
    return status;
}

bp_status item_store(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct knowledge       *self = instance;
    const struct item_type *type;
    const bp_json          *body;
    bp_json_writer         *w = bp_json_writer_new(call, 4096);
    int64_t                 ttl_ns = 0, evicted = 0;
    bp_str                  data, user, id = new_id(call);

    BP_TRY(read_body(call, request, &body));
    user = field(body, "user_id");
    BP_TRY(find_type(call, field(body, "memory_type"), &type));
    BP_TRY(read_ttl(call, bp_json_get(body, "ttl_hours"), type, &ttl_ns));
    if (!bp_json_get(body, "data"))
        return bp_fail(call, BP_INVALID, "data is missing: the JSON value to keep");
    data = bp_json_text(call, bp_json_get(body, "data"));
    if ((int64_t)data.len > self->item_bytes)
        return bp_fail(call, BP_TOO_LARGE, "data has %zu bytes as JSON, more than %lld", data.len,
                       (long long)self->item_bytes);
    if (self->key.len)
        BP_TRY(seal_bytes(call, self->key, context_of(call, user, bp_str_of(type->name), id), data,
                          &data));
    BP_TRY(put_item(call, self, user, type, id, data, ttl_ns, &evicted));
    bp_json_object(w);
    bp_json_put_string(w, "memory_id", id);
    bp_json_put_string(w, "expires_at", time_text(call, bp_wall_ns() + ttl_ns));
    bp_json_put_integer(w, "evicted", evicted);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

/* ---- getting out ---- */

#define COLUMNS "id, memory_type, data, is_sealed, created_wall_ns, expires_wall_ns"

/* The data of a row of COLUMNS as JSON. */
static bp_status open_row(bp_call *call, struct knowledge *self, bp_str user,
                          const bp_sql_value *row, bp_str *data)
{
    *data = row[2].text;
    return row[3].integer
               ? seal_open(call, self->key, context_of(call, user, row[1].text, row[0].text),
                           row[2].text, data)
               : BP_OK;
}

static void write_row(bp_call *call, bp_json_writer *w, const bp_sql_value *row, bp_str data)
{
    bp_json_object(w);
    bp_json_put_string(w, "memory_id", row[0].text);
    bp_json_put_string(w, "memory_type", row[1].text);
    bp_json_put_string(w, "created_at", time_text(call, row[4].integer));
    bp_json_put_string(w, "expires_at", time_text(call, row[5].integer));
    if (data.len) {
        bp_json_key(w, "data");
        bp_json_add_raw(w, data);
    }
    bp_json_end(w);
}

bp_status item_retrieve(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct knowledge *self = instance;
    bp_json_writer   *w;
    const bp_json    *body;
    bp_rows           rows;
    bp_str            data;

    BP_TRY(read_body(call, request, &body));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT " COLUMNS
                                  " FROM knowledge_items WHERE tenant = $1 AND user_id = $2 AND id "
                                  "= $3 AND expires_wall_ns > $4",
                                  bp_sql_text(knowledge_tenant(call)),
                                  bp_sql_text(field(body, "user_id")),
                                  bp_sql_text(field(body, "memory_id")), bp_sql_int(bp_wall_ns())),
                           &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND,
                       "user \"" BP_FMT "\" has no memory \"" BP_FMT "\", or its time is over",
                       BP_ARG(field(body, "user_id")), BP_ARG(field(body, "memory_id")));
    BP_TRY(open_row(call, self, field(body, "user_id"), bp_row(&rows, 0), &data));
    w = bp_json_writer_new(call, data.len + 4096);
    write_row(call, w, bp_row(&rows, 0), data);
    return bp_respond_json(call, response, 200, w);
}

struct walk {
    struct knowledge *self;
    bp_json_writer   *w;
    bp_str            user, folded; /* folded empty: all */
    int64_t           left;
    bool              with_data;
};

static bool contains(bp_call *call, bp_str data, bp_str folded)
{
    char *text = bp_alloc(call, fold_room(data.len));

    return text && memmem(text, fold_text(data, text), folded.data, folded.len) != NULL;
}

static bp_status take_row(bp_call *call, void *arg, const bp_sql_value *row, uint32_t column_count)
{
    struct walk *walk = arg;
    bp_str       data = { NULL, 0 };
    bp_status    status = BP_OK;

    (void)column_count;
    if (walk->left <= 0)
        return BP_OK;
    BP_TRY(bp_scratch_begin(call));
    if (walk->with_data || walk->folded.len)
        status = open_row(call, walk->self, walk->user, row, &data);
    if (status == BP_OK && (!walk->folded.len || contains(call, data, walk->folded))) {
        walk->left--;
        write_row(call, walk->w, row, walk->with_data ? data : bp_str_n(NULL, 0));
    }
    bp_scratch_end(call);
    return status;
}

/* The user's memories, the newest first. */
static bp_status walk_items(bp_call *call, struct walk *walk, bp_str type)
{
    const bp_row_sink       sink = { sizeof(sink), take_row, walk };
    const struct item_type *checked;

    if (type.len)
        BP_TRY(find_type(call, type, &checked));
    return bp_storage_query(call, walk->self->storage, NULL,
                            BP_SQL("SELECT " COLUMNS
                                   " FROM knowledge_items WHERE tenant = $1 AND user_id = $2 AND "
                                   "(memory_type = $3 OR $3 = '') AND expires_wall_ns > $4 ORDER "
                                   "BY number DESC",
                                   bp_sql_text(knowledge_tenant(call)), bp_sql_text(walk->user),
                                   bp_sql_text(type), bp_sql_int(bp_wall_ns())),
                            &sink);
}

static bp_status answer_walk(bp_call *call, struct walk *walk, const bp_json *body,
                             bp_response *response)
{
    walk->w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    walk->user = field(body, "user_id");
    bp_json_object(walk->w);
    bp_json_key(walk->w, "memories");
    bp_json_array(walk->w);
    BP_TRY(walk_items(call, walk, field(body, "memory_type")));
    bp_json_end(walk->w);
    bp_json_end(walk->w);
    return bp_respond_json(call, response, 200, walk->w);
}

bp_status item_search(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct walk    walk = { .self = instance, .with_data = true, .left = RESULTS_DEFAULT };
    const bp_json *body, *most;
    bp_str         query;
    char          *folded;

    BP_TRY(read_body(call, request, &body));
    query = field(body, "query");
    most = bp_json_get(body, "max_results");
    if (bp_json_type_of(most) == BP_JSON_INTEGER)
        walk.left = bp_json_integer(most);
    if (query.len == 0)
        return bp_fail(call, BP_INVALID, "query must be a text that is not empty; /list gives all");
    if (walk.left < 1 || walk.left > RESULTS_MAX)
        return bp_fail(call, BP_INVALID, "max_results must be 1 to %d", RESULTS_MAX);
    folded = bp_alloc(call, fold_room(query.len));
    if (!folded)
        return BP_NO_MEMORY;
    walk.folded = bp_str_n(folded, fold_text(query, folded));
    return answer_walk(call, &walk, body, response);
}

bp_status item_list(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct walk    walk = { .self = instance, .left = INT64_MAX };
    const bp_json *body;

    BP_TRY(read_body(call, request, &body));
    return answer_walk(call, &walk, body, response);
}

bp_status item_delete(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct knowledge *self = instance;
    bp_json_writer   *w = bp_json_writer_new(call, 1024);
    const bp_json    *body;
    bp_rows           rows;

    BP_TRY(read_body(call, request, &body));
    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("DELETE FROM knowledge_items WHERE tenant = $1 AND user_id = $2 "
                                  "AND id = $3",
                                  bp_sql_text(knowledge_tenant(call)),
                                  bp_sql_text(field(body, "user_id")),
                                  bp_sql_text(field(body, "memory_id"))),
                           &rows));
    bp_json_object(w);
    bp_json_put_bool(w, "success", rows.changed > 0);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

bp_status items_expire(bp_call *call, void *instance)
{
    struct knowledge *self = instance;

    return bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("DELETE FROM knowledge_items WHERE expires_wall_ns <= $1",
                                  bp_sql_int(bp_wall_ns())),
                           NULL);
}

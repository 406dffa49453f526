/* json.c - the JSON service of the fake host: the very code of the real one. */
#include "host.h"

#include "base/json_mend.h"

static bp_status service_parse(bp_call *call, bp_str text, const bp_json **value)
{
    char      why[JSON_PROBLEM_BYTES] = "";
    bp_status status = json_parse(&call_root(call)->arena, text, value, why);

    return status == BP_OK ? BP_OK : bp_fail(call, status, "%s", why);
}

static bp_status service_read(bp_call *call, bp_str text, const bp_json **value)
{
    char      why[JSON_PROBLEM_BYTES] = "";
    bp_status status = json_read(&call_root(call)->arena, text, value, why);

    if (status == BP_OK)
        return BP_OK;
    return bp_fail(call, status == BP_NO_MEMORY ? status : BP_INVALID, "%s", why);
}

static uint32_t service_type(const bp_json *value)
{
    return (uint32_t)json_type_of(value);
}

static bp_str service_text(bp_call *call, const bp_json *value)
{
    return json_text(&call_root(call)->arena, value);
}

static bp_json_writer *service_writer(bp_call *call, size_t max_bytes)
{
    bp_json_writer *writer = bp_alloc(call, sizeof(*writer));
    bp_buf         *buf = bp_buf_new(call, max_bytes);

    if (!writer || !buf)
        return NULL;
    json_writer_init(writer, buf);
    return writer;
}

static void service_begin(bp_json_writer *w, uint32_t type)
{
    json_begin(w, (enum json_type)type);
}

static bp_status service_done(bp_call *call, bp_json_writer *w, bp_str *json)
{
    bp_status status = w ? json_writer_status(w) : BP_NO_MEMORY;

    if (status != BP_OK)
        return bp_fail(call, status, "the JSON text cannot be written: %s", bp_status_text(status));
    *json = buf_str(w->buf);
    return BP_OK;
}

static bp_str service_indent(bp_call *call, bp_str json)
{
    struct bp_buf buf;

    buf_init(&buf, &call_root(call)->arena, SIZE_MAX);
    json_append_indented(&buf, json);
    return buf_str(&buf);
}

const bp_json_service json_service = {
    .struct_size = sizeof(bp_json_service),
    .parse = service_parse,
    .type = service_type,
    .get = json_get,
    .at = json_at,
    .count = json_count,
    .entry = json_entry,
    .string = json_as_string,
    .integer = json_as_integer,
    .number = json_as_number,
    .boolean = json_as_bool,
    .text = service_text,
    .writer = service_writer,
    .begin = service_begin,
    .end = json_end,
    .key = json_key,
    .add_string = json_add_string,
    .add_integer = json_add_integer,
    .add_number = json_add_number,
    .add_bool = json_add_bool,
    .add_null = json_add_null,
    .add_raw = json_add_raw,
    .done = service_done,
    .add_base64 = json_add_base64,
    .indent = service_indent,
    .read = service_read,
};

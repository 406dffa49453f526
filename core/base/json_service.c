/* json_service.c - the table behind json.h of the SDK: reading, writing and mending JSON in the
 * memory of a call. */
#include "base/json_service.h"

#include <backplane/call.h>

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "base/json_mend.h"

enum { SENTENCE_BYTES = REASON_BYTES + 100, INDENTED_BYTES_MAX = 256 << 20 };

/* Without the file and line of bp_fail(), which would be ours and not the plugin's. */
static bp_status fail(bp_call *call, bp_status status, const char *format, ...) BP_FORMAT(3, 4);
static bp_status fail(bp_call *call, bp_status status, const char *format, ...)
{
    char    sentence[SENTENCE_BYTES];
    va_list list;

    va_start(list, format);
    vsnprintf(sentence, sizeof(sentence), format, list);
    va_end(list);
    return bp_service_call->set_error(call, status, bp_str_of(sentence), NULL, 0);
}

static bp_status service_parse(bp_call *call, bp_str text, const bp_json **value)
{
    struct reason why;
    bp_status     status = json_parse(call_memory(call), text, value, &why);

    return status == BP_OK ? BP_OK
                           : fail(call, status, "this is not JSON that can be read: %s", why.text);
}

static bp_status service_read(bp_call *call, bp_str text, const bp_json **value)
{
    struct reason why;
    bp_status     status = json_read(call_memory(call), text, value, &why);

    if (status == BP_OK)
        return BP_OK;
    return fail(call, status == BP_NO_MEMORY ? status : BP_INVALID,
                "this is not JSON that can be read: %s", why.text);
}

static uint32_t service_type(const bp_json *value)
{
    return json_type_of(value);
}

static bp_str service_text(bp_call *call, const bp_json *value)
{
    return json_text(call_memory(call), value);
}

static bp_json_writer *service_writer(bp_call *call, size_t max_bytes)
{
    bp_json_writer *w = bp_alloc(call, sizeof(*w));
    bp_buf         *buf = bp_buf_new(call, max_bytes);

    if (!w || !buf)
        return NULL;
    json_writer_init(w, buf);
    return w;
}

static void service_begin(bp_json_writer *w, uint32_t type)
{
    json_begin(w, type == BP_JSON_OBJECT ? JSON_KIND_OBJECT : JSON_KIND_ARRAY);
}

static bp_status service_done(bp_call *call, bp_json_writer *w, bp_str *json)
{
    bp_status status = json_writer_status(w);

    *json = (bp_str){ "", 0 };
    if (status == BP_INTERNAL)
        return fail(call, status,
                    "JSON was written in the wrong order: keys and values, begin and end must "
                    "match");
    if (status != BP_OK)
        return fail(call, status, "the JSON text is larger than the maximum it was given");
    *json = buf_str(w->buf);
    return BP_OK;
}

static bp_str service_indent(bp_call *call, bp_str json)
{
    struct bp_buf buf;

    buf_init(&buf, call_memory(call), INDENTED_BYTES_MAX);
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

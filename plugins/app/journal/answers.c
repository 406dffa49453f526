/* answers.c - arguments and answers of the tools: trimmed texts, lists within limits, {"success":
 * ...}.
 */
#include "journal.h"

bp_str text_trim(bp_str text)
{
    while (text.len && (unsigned char)text.data[0] <= ' ') {
        text.data++;
        text.len--;
    }
    while (text.len && (unsigned char)text.data[text.len - 1] <= ' ')
        text.len--;
    return text;
}

size_t text_chars(bp_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

bp_str text_cut(bp_str text, size_t chars)
{
    size_t at = 0;

    while (at < text.len && (chars > 0 || ((unsigned char)text.data[at] & 0xC0) == 0x80)) {
        if (((unsigned char)text.data[at] & 0xC0) != 0x80)
            chars--;
        at++;
    }
    return bp_str_n(text.data, at);
}

bp_status answer_json(bp_call *call, bp_mcp *mcp, bp_json_writer *w)
{
    bp_str json;

    BP_TRY(bp_json_done(call, w, &json));
    bp_mcp_structured(mcp, json);
    return BP_OK;
}

bp_status answer_refused(bp_call *call, bp_mcp *mcp, const char *error, const char *tip)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);

    bp_json_object(w);
    bp_json_put_bool(w, "success", false);
    bp_json_put_string(w, "error", bp_str_of(error));
    if (tip)
        bp_json_put_string(w, "tip", bp_str_of(tip));
    bp_json_end(w);
    bp_mcp_error(mcp);
    return answer_json(call, mcp, w);
}

bp_status answer_done(bp_call *call, bp_mcp *mcp, bp_str text)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);

    bp_json_object(w);
    bp_json_put_bool(w, "success", true);
    bp_json_put_string(w, "data", text);
    bp_json_end(w);
    return answer_json(call, mcp, w);
}

bp_status answer_resource(bp_call *call, bp_mcp *mcp, bp_json_writer *w)
{
    bp_str json;

    BP_TRY(bp_json_done(call, w, &json));
    bp_mcp_contents_text(mcp, "application/json", bp_json_indent(call, json));
    return BP_OK;
}

bp_status answer_missing(bp_call *call, bp_mcp *mcp, const char *sentence)
{
    bp_json_writer *w = bp_json_writer_new(call, 4096);

    bp_json_object(w);
    bp_json_put_string(w, "error", bp_str_of(sentence));
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}

bool text_check(bp_call *call, bp_str text, const char *name, size_t least, size_t most,
                const char **problem)
{
    size_t chars = text_chars(text);

    if (chars < least)
        *problem = bp_format(call, "%s is required", name).data;
    else if (chars > most)
        *problem = bp_format(call, "%s is too long: %zu characters, at most %zu are allowed", name,
                             chars, most)
                       .data;
    else
        return true;
    return false;
}

bool list_read(bp_call *call, const bp_json *list, const char *name, size_t most, size_t item_chars,
               bp_str *json, const char **problem)
{
    *json = BP_STR("[]");
    if (bp_json_type_of(list) == BP_JSON_NONE || bp_json_type_of(list) == BP_JSON_NULL)
        return true;
    if (bp_json_count(list) > most) {
        *problem = bp_format(call, "%s has %zu members, at most %zu are allowed", name,
                             bp_json_count(list), most)
                       .data;
        return false;
    }
    for (size_t i = 0; i < bp_json_count(list); i++)
        if (bp_json_type_of(bp_json_at(list, i)) == BP_JSON_STRING &&
            !text_check(call, bp_json_string(bp_json_at(list, i)), name, 0, item_chars, problem))
            return false;
    *json = bp_json_text(call, list);
    return true;
}

void put_json(bp_json_writer *w, const char *key, bp_str json)
{
    bp_json_key(w, key);
    bp_json_add_raw(w, json.len ? json : BP_STR("[]"));
}

void put_text(bp_json_writer *w, const char *key, const bp_sql_value *value)
{
    bp_json_key(w, key);
    if (value->type == BP_SQL_NULL)
        bp_json_add_null(w);
    else
        bp_json_add_string(w, value->text);
}

const bp_json *stored_list(bp_call *call, bp_str json)
{
    const bp_json *list = NULL;

    // Operators may change rows by hand: any other value is an empty list.
    if (json.len == 0 || bp_json_parse(call, json, &list) != BP_OK)
        bp_clear_error(call);
    return bp_json_type_of(list) == BP_JSON_ARRAY ? list : NULL;
}

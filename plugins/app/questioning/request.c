/* request.c - reads a client's request: every field may be absent or null; a present one must have
 * the right shape.
 */
#include "questioning.h"

enum { METADATA_BYTES_MAX = 65536 };

static bool is_given(const bp_json *value)
{
    return bp_json_type_of(value) != BP_JSON_NONE && bp_json_type_of(value) != BP_JSON_NULL;
}

static bp_status read_text(bp_call *call, const bp_json *object, const char *name,
                           size_t most_bytes, bp_str *text)
{
    const bp_json *value = bp_json_get(object, name);

    *text = bp_str_n("", 0);
    if (!is_given(value))
        return BP_OK;
    if (bp_json_type_of(value) != BP_JSON_STRING)
        return bp_fail(call, BP_INVALID, "\"%s\" must be a string or null", name);
    if (bp_json_string(value).len > most_bytes)
        return bp_fail(call, BP_INVALID, "\"%s\" has %zu bytes; at most %zu are allowed", name,
                       bp_json_string(value).len, most_bytes);
    if (bp_json_string(value).len)
        *text = bp_json_string(value);
    return BP_OK;
}

static bp_status read_flag(bp_call *call, const bp_json *object, const char *name, bool *flag)
{
    const bp_json *value = bp_json_get(object, name);

    if (is_given(value) && bp_json_type_of(value) != BP_JSON_BOOL)
        return bp_fail(call, BP_INVALID, "\"%s\" must be true, false or null", name);
    if (is_given(value))
        *flag = bp_json_bool(value);
    return BP_OK;
}

static bp_status read_said(bp_call *call, const bp_json *item, size_t index, struct said *said)
{
    static const char *const roles[] = { "user", "assistant", "system" };
    bp_str                   role = bp_json_string(bp_json_get(item, "role"));

    if (bp_json_type_of(item) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID,
                       "\"previous_messages\"[%zu] must be an object with \"role\" and \"content\"",
                       index);
    for (size_t i = 0; i < 3; i++)
        if (bp_str_is(role, roles[i]))
            said->role = role;
    if (!said->role.len)
        return bp_fail(call, BP_INVALID,
                       "\"previous_messages\"[%zu]: \"role\" must be \"user\", \"assistant\" or "
                       "\"system\"",
                       index);
    if (bp_json_type_of(bp_json_get(item, "content")) != BP_JSON_STRING)
        return bp_fail(call, BP_INVALID, "\"previous_messages\"[%zu]: \"content\" must be a string",
                       index);
    BP_TRY(read_text(call, item, "content", TEXT_BYTES_MAX, &said->content));
    return read_text(call, item, "timestamp", NAME_BYTES_MAX, &said->timestamp);
}

static bp_status read_messages(bp_call *call, const bp_json *list, struct wanted *wanted)
{
    size_t       count = bp_json_count(list);
    struct said *said;

    if (!is_given(list))
        return BP_OK;
    if (bp_json_type_of(list) != BP_JSON_ARRAY)
        return bp_fail(call, BP_INVALID,
                       "\"previous_messages\" must be an array of messages or null");
    if (count > SAID_MAX)
        return bp_fail(call, BP_INVALID,
                       "\"previous_messages\" has %zu members; at most %d are allowed", count,
                       SAID_MAX);
    said = BP_NEW_ARRAY(call, struct said, count + 1);
    if (!said)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        BP_TRY(read_said(call, bp_json_at(list, i), i, &said[i]));
    wanted->said = said;
    wanted->said_count = count;
    return BP_OK;
}

static bp_status read_metadata(bp_call *call, const bp_json *metadata, struct wanted *wanted)
{
    const bp_json *value;
    size_t         cursor = 0;
    bp_str         key;

    if (!is_given(metadata))
        return BP_OK;
    if (bp_json_type_of(metadata) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "\"metadata\" must be an object of strings or null");
    while (bp_json_entry(metadata, &cursor, &key, &value))
        if (bp_json_type_of(value) != BP_JSON_STRING)
            return bp_fail(call, BP_INVALID, "\"metadata\": \"" BP_FMT "\" must be a string",
                           BP_ARG(key));
    wanted->metadata = bp_json_text(call, metadata);
    if (wanted->metadata.len > METADATA_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "\"metadata\" is larger than 64 KiB");
    return BP_OK;
}

static bp_status read_rounds(bp_call *call, const bp_json *rounds, struct wanted *wanted)
{
    wanted->rounds = is_given(rounds) ? bp_json_integer(rounds) : 2;
    if (is_given(rounds) && (bp_json_type_of(rounds) != BP_JSON_INTEGER || wanted->rounds < 1 ||
                             wanted->rounds > ROUNDS_MAX))
        return bp_fail(call, BP_INVALID, "\"max_rounds\" must be a whole number from 1 to %d",
                       ROUNDS_MAX);
    return BP_OK;
}

bp_status wanted_read(bp_call *call, const bp_json *body, struct wanted *wanted)
{
    bool is_ignored = false;

    *wanted = (struct wanted){ .is_auto_followed = true };
    if (bp_json_type_of(body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object");
    BP_TRY(read_text(call, body, "user_id", NAME_BYTES_MAX, &wanted->user_id));
    BP_TRY(read_text(call, body, "conversation_id", NAME_BYTES_MAX, &wanted->conversation_id));
    BP_TRY(read_text(call, body, "session_id", NAME_BYTES_MAX, &wanted->session_id));
    BP_TRY(read_text(call, body, "context", TEXT_BYTES_MAX, &wanted->context));
    BP_TRY(read_messages(call, bp_json_get(body, "previous_messages"), wanted));
    BP_TRY(read_metadata(call, bp_json_get(body, "metadata"), wanted));
    BP_TRY(read_flag(call, body, "auto_follow_up",
                     &is_ignored)); // clients send it; it never meant anything
    BP_TRY(read_flag(call, body, "auto_handle_follow_up", &wanted->is_auto_followed));
    return read_rounds(call, bp_json_get(body, "max_rounds"), wanted);
}

bp_str wanted_last_answer(const struct wanted *wanted)
{
    for (size_t i = wanted->said_count; i-- > 0;)
        if (bp_str_is(wanted->said[i].role, "user"))
            return wanted->said[i].content;
    return bp_str_n("", 0);
}

bp_str wanted_first_word(const struct wanted *wanted)
{
    bp_str text = text_trim(wanted->context);
    size_t len = 0;

    while (len < text.len && (unsigned char)text.data[len] > ' ')
        len++;
    while (len > 0 && strchr(",.;:!?", text.data[len - 1]))
        len--; // "Travel, mostly" is about Travel
    return text_cut(bp_str_n(text.data, len), 100);
}

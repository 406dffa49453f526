/* store.c - the app's tables, and the small things that everything stored needs: ids, times, texts.
 *
 * Tables and columns are those that operators know: user_sessions, conversations, messages. Each
 * also has a number, which orders rows by age and is the id of a message's point in the vector
 * store. Deleting a session deletes what hangs on it.
 */
#include "questioning.h"

#include <time.h>

#define RECORD "number ${identity}, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, "
#define TIMES  "created_at TEXT NOT NULL, updated_at TEXT NOT NULL"

const bp_migration store_migrations[STORE_MIGRATIONS] = {
    { 1, 0, "sessions, conversations and messages",
      "CREATE TABLE user_sessions (" RECORD
      "user_identifier TEXT, context TEXT, is_active BIGINT NOT NULL DEFAULT 1, " TIMES ");"
      "CREATE INDEX user_sessions_user ON user_sessions (tenant, user_identifier, number);"
      "CREATE TABLE conversations (" RECORD
      "user_session_id TEXT NOT NULL REFERENCES user_sessions (id) ON DELETE CASCADE, "
      "topic TEXT, is_active BIGINT NOT NULL DEFAULT 1, " TIMES
      ");CREATE INDEX conversations_session ON conversations (user_session_id, number);CREATE "
      "TABLE messages (" RECORD
      "conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE, message_type "
      "TEXT NOT NULL, content TEXT NOT NULL, message_metadata TEXT, sequence_number BIGINT NOT "
      "NULL, is_indexed BIGINT NOT NULL DEFAULT 0, " TIMES
      ", UNIQUE (conversation_id, sequence_number));"
      "CREATE INDEX messages_missing ON messages (number) WHERE is_indexed = 0;"
      "CREATE TABLE questioning_garbage (number BIGINT PRIMARY KEY)" },
};

bp_sql_value tenant_value(bp_call *call)
{
    return bp_sql_text(bp_principal_of(call)->tenant);
}

bp_sql_value text_or_null(bp_str text)
{
    return text.len ? bp_sql_text(text) : bp_sql_null();
}

bp_str new_uuid(bp_call *call)
{
    uint8_t b[16];

    bp_random(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40); // version 4, RFC 9562 5.4
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    return bp_format(call, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                     b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                     b[12], b[13], b[14], b[15]);
}

bp_str now_text(bp_call *call)
{
    int64_t   wall_ns = bp_wall_ns();
    time_t    seconds = (time_t)(wall_ns / 1000000000);
    struct tm at;

    gmtime_r(&seconds, &at);
    return bp_format(call, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", at.tm_year + 1900, at.tm_mon + 1,
                     at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, (int)(wall_ns / 1000000 % 1000));
}

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

static bool is_inside_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

bp_str text_cut(bp_str text, size_t chars)
{
    size_t at = 0;

    while (at < text.len && (chars > 0 || is_inside_character(text.data[at]))) {
        if (!is_inside_character(text.data[at]))
            chars--;
        at++;
    }
    return bp_str_n(text.data, at);
}

bp_str text_cut_bytes(bp_str text, size_t bytes)
{
    if (text.len <= bytes)
        return text;
    while (bytes > 0 && is_inside_character(text.data[bytes]))
        bytes--;
    return bp_str_n(text.data, bytes);
}

void put_stored_json(bp_call *call, bp_json_writer *w, const char *key, const bp_sql_value *value)
{
    const bp_json *json = NULL;

    bp_json_key(w, key);
    if (value->type == BP_SQL_TEXT && bp_json_parse(call, value->text, &json) == BP_OK) {
        bp_json_add_raw(w, bp_json_text(call, json));
        return;
    }
    bp_clear_error(call); // operators may change rows by hand
    bp_json_add_null(w);
}

void put_text_or_null(bp_json_writer *w, const char *key, bp_str text)
{
    bp_json_key(w, key);
    if (text.len)
        bp_json_add_string(w, text);
    else
        bp_json_add_null(w);
}

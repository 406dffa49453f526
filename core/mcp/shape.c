/* shape.c - objects with members of plain types, checked as text. */
#include "mcp/shape.h"

#include "base/str.h"

enum { MEMBERS_MAX = 16, TYPE_STRING = 1, TYPE_INTEGER = 2, TYPE_BOOLEAN = 4 };

struct member {
    bp_str   name;
    uint32_t types;
};

struct shape {
    struct member members[MEMBERS_MAX];
    size_t        count;
    uint32_t      required; /* one bit a member */
};

/* ---- reading a schema ---- */

static uint32_t type_of(const bp_json *schema)
{
    bp_str         type = json_as_string(json_get(schema, BP_STR("type"))), key;
    size_t         cursor = 0;
    const bp_json *value;

    while (json_entry(schema, &cursor, &key, &value))
        if (!bp_str_is(key, "type") && !bp_str_is(key, "description") && !bp_str_is(key, "title"))
            return 0;
    return bp_str_is(type, "string") ? TYPE_STRING
           : bp_str_is(type, "integer") || bp_str_is(type, "number")
               ? TYPE_INTEGER // whole numbers are numbers
           : bp_str_is(type, "boolean") ? TYPE_BOOLEAN
                                        : 0;
}

static bool is_simple(const bp_json *schema)
{
    static const char *const known[] = {
        "$schema", "type", "properties", "required", "additionalProperties", "description", "title"
    };
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    while (json_entry(schema, &cursor, &key, &value)) {
        bool is_known = false;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || bp_str_is(key, known[i]);
        if (!is_known)
            return false;
    }
    return bp_str_is(json_as_string(json_get(schema, BP_STR("type"))), "object");
}

static size_t find_member(const struct shape *shape, bp_str name)
{
    size_t i = 0;

    while (i < shape->count && !bp_str_equal(shape->members[i].name, name))
        i++;
    return i;
}

struct shape *shape_read(struct arena *arena, bp_str text)
{
    struct shape  *shape = arena_alloc(arena, sizeof(*shape));
    const bp_json *schema, *properties, *required, *value;
    struct reason  why;
    size_t         cursor = 0;
    bp_str         name;

    if (!shape || json_parse(arena, text, &schema, &why) != BP_OK || !is_simple(schema))
        return NULL;
    properties = json_get(schema, BP_STR("properties"));
    required = json_get(schema, BP_STR("required"));
    while (json_entry(properties, &cursor, &name, &value)) {
        if (shape->count == MEMBERS_MAX || !type_of(value))
            return NULL;
        shape->members[shape->count++] = (struct member){ name, type_of(value) };
    }
    for (size_t i = 0; i < json_count(required); i++) {
        size_t at = find_member(shape, json_as_string(json_at(required, i)));

        if (at == shape->count)
            return NULL;
        shape->required |= 1u << at;
    }
    return shape;
}

/* ---- looking at a text ---- */

struct look {
    const char *at, *end;
};

static bool take(struct look *look, char c)
{
    if (look->at == look->end || *look->at != c)
        return false;
    look->at++;
    return true;
}

static bool take_word(struct look *look, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(look->end - look->at) < len || memcmp(look->at, word, len) != 0)
        return false;
    look->at += len;
    return true;
}

/* Behind the opening quote; only escapes of one character. */
static bool take_string(struct look *look)
{
    static const bool is_short_escape[256] = {
        ['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true,
        ['f'] = true, ['n'] = true,  ['r'] = true, ['t'] = true
    };
    bp_str text = bp_str_n(look->at, (size_t)(look->end - look->at));

    for (size_t at = str_plain_run(text, 0); at < text.len; at += str_plain_run(text, at)) {
        unsigned char c = (unsigned char)text.data[at];
        size_t        len;

        if (c == '"') {
            look->at = text.data + at + 1;
            return true;
        }
        if (c == 0x7F)
            len = 1;
        else if (c >= 0x80)
            len = str_utf8_sequence(text, at);
        else
            len = c == '\\' && at + 1 < text.len &&
                          is_short_escape[(unsigned char)text.data[at + 1]]
                      ? 2
                      : 0;
        if (len == 0)
            return false;
        at += len;
    }
    return false;
}

static bool take_integer(struct look *look)
{
    const char *start;

    take(look, '-');
    start = look->at;
    while (look->at < look->end && *look->at >= '0' && *look->at <= '9')
        look->at++;
    return look->at > start && look->at - start < 16 && (*start != '0' || look->at - start == 1);
}

static bool take_value(struct look *look, uint32_t types)
{
    if (types & TYPE_STRING)
        return take(look, '"') && take_string(look);
    if (types & TYPE_INTEGER)
        return take_integer(look);
    return take_word(look, "true") || take_word(look, "false");
}

/* A key as it stands, without escapes. */
static bool take_key(struct look *look, bp_str *key)
{
    bp_str rest = bp_str_n(look->at, (size_t)(look->end - look->at));
    size_t len = str_plain_run(rest, 0);

    *key = bp_str_n(look->at, len);
    look->at += len;
    return take(look, '"') && take(look, ':');
}

bool shape_fits(const struct shape *shape, bp_str json)
{
    struct look look = { json.data, json.data + json.len };
    uint32_t    seen = 0;
    bp_str      key;

    if (!shape || !take(&look, '{'))
        return false;
    for (bool is_first = true; !take(&look, '}'); is_first = false) {
        size_t at;

        if ((!is_first && !take(&look, ',')) || !take(&look, '"') || !take_key(&look, &key))
            return false;
        at = find_member(shape, key);
        if (at == shape->count || seen & 1u << at || !take_value(&look, shape->members[at].types))
            return false;
        seen |= 1u << at;
    }
    return look.at == look.end && (seen & shape->required) == shape->required;
}

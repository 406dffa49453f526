/* sample.c - a value that a JSON Schema allows, made from the schema. */
#include "sample.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLE_BYTES_MAX = 4 << 20, DEPTH_MAX = 24, ITEMS_MAX = 64, TEXT_MAX = 4096 };

struct making {
    bp_call                  *call;
    const bp_json            *root;
    const struct sample_wish *wish;
    bp_json_writer           *w;
};

static void make(struct making *m, const bp_json *schema, int depth);

/* "#/a/b" of the whole schema; NULL for what leads nowhere. */
static const bp_json *referred(const struct making *m, bp_str ref)
{
    const bp_json *at = m->root;
    char           name[128];

    if (!ref.len || ref.data[0] != '#')
        return NULL;
    for (size_t i = 1; i < ref.len && at;) {
        size_t end = ++i;

        while (end < ref.len && ref.data[end] != '/')
            end++;
        snprintf(name, sizeof(name), "%.*s", (int)(end - i), ref.data + i);
        at = bp_json_get(at, name);
        i = end;
    }
    return at;
}

static bp_str type_of(const bp_json *schema)
{
    const bp_json *type = bp_json_get(schema, "type");

    for (size_t i = 0; bp_json_type_of(type) == BP_JSON_ARRAY && i < bp_json_count(type); i++)
        if (!bp_str_is(bp_json_string(bp_json_at(type, i)), "null"))
            return bp_json_string(bp_json_at(type, i));
    if (bp_json_type_of(type) == BP_JSON_STRING)
        return bp_json_string(type);
    if (bp_json_get(schema, "items"))
        return BP_STR("array");
    return BP_STR("object");
}

static bool is_required(const bp_json *schema, bp_str name)
{
    const bp_json *required = bp_json_get(schema, "required");

    for (size_t i = 0; i < bp_json_count(required); i++)
        if (bp_str_equal(bp_json_string(bp_json_at(required, i)), name))
            return true;
    return false;
}

static void make_object(struct making *m, const bp_json *schema, int depth)
{
    const bp_json *properties = bp_json_get(schema, "properties"), *value;
    size_t         cursor = 0;
    bp_str         name;

    bp_json_object(m->w);
    while (bp_json_entry(properties, &cursor, &name, &value)) {
        bool is_broken = depth == 0 && m->wish->broken.len && bp_str_equal(name, m->wish->broken);

        if (!is_broken && !is_required(schema, name) && (!m->wish->is_whole || depth > 3))
            continue;
        bp_json_key_str(m->w, name);
        if (is_broken)
            bp_json_add_raw(m->w, m->wish->broken_json);
        else
            make(m, value, depth + 1);
    }
    bp_json_end(m->w);
}

static void make_array(struct making *m, const bp_json *schema, int depth)
{
    int64_t count = bp_json_integer(bp_json_get(schema, "minItems"));

    if (count < 1 && m->wish->is_whole && depth < 6)
        count = 1;
    bp_json_array(m->w);
    for (int64_t i = 0; i < count && i < ITEMS_MAX; i++)
        make(m, bp_json_get(schema, "items"), depth + 1);
    bp_json_end(m->w);
}

static void make_string(struct making *m, const bp_json *schema)
{
    static const struct {
        const char *format, *text;
    } known[] = { { "date-time", "2026-01-02T03:04:05Z" },
                  { "date", "2026-01-02" },
                  { "time", "03:04:05Z" },
                  { "uuid", "6b1f3c52-7f6e-4b5f-9d0a-0a1b2c3d4e5f" },
                  { "uri", "https://example.org/" },
                  { "email", "somebody@example.org" } };
    bp_str  format = bp_json_string(bp_json_get(schema, "format"));
    int64_t least = bp_json_integer(bp_json_get(schema, "minLength"));
    char    text[TEXT_MAX];

    if (m->wish->text.data && !bp_json_get(schema, "pattern")) {
        bp_json_add_string(m->w, m->wish->text);
        return;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (bp_str_is(format, known[i].format)) {
            bp_json_add_string(m->w, bp_str_of(known[i].text));
            return;
        }
    }
    least = least < 1 ? 1 : least > TEXT_MAX ? TEXT_MAX : least;
    memset(text, 'a', (size_t)least);
    bp_json_add_string(m->w, bp_str_n(text, (size_t)least));
}

static void make_number(struct making *m, const bp_json *schema)
{
    const bp_json *least = bp_json_get(schema, "minimum"),
                  *above = bp_json_get(schema, "exclusiveMinimum");
    const bp_json *most = bp_json_get(schema, "maximum");
    double         value = least ? bp_json_number(least) : above ? bp_json_number(above) + 1 : 1;

    if (most && value > bp_json_number(most))
        value = bp_json_number(most);
    if (value == (double)(int64_t)value)
        bp_json_add_integer(m->w, (int64_t)value);
    else
        bp_json_add_number(m->w, value);
}

/* A value that the schema itself names. */
static const bp_json *named_value(const struct making *m, const bp_json *schema)
{
    const bp_json *value = bp_json_get(schema, "const");
    bool           takes_any = m->wish->text.data && bp_str_is(type_of(schema), "string") &&
                     !bp_json_get(schema, "pattern");

    if (!value)
        value = bp_json_at(bp_json_get(schema, "enum"), 0);
    if (!value && !takes_any)
        value = bp_json_get(schema, "default");
    if (!value && !takes_any)
        value = bp_json_at(bp_json_get(schema, "examples"), 0);
    return value;
}

static void make(struct making *m, const bp_json *schema, int depth)
{
    const bp_json *ref = bp_json_get(schema, "$ref"), *value,
                  *choice = bp_json_get(schema, "oneOf");
    bp_str type;

    if (ref)
        schema = referred(m, bp_json_string(ref));
    value = named_value(m, schema);
    if (!choice)
        choice = bp_json_get(schema, "anyOf");
    type = type_of(schema);
    if (depth > DEPTH_MAX)
        bp_json_add_null(m->w);
    else if (value)
        bp_json_add_raw(m->w, bp_json_text(m->call, value));
    else if (choice && !bp_json_get(schema, "type") && !bp_json_get(schema, "properties"))
        make(m, bp_json_at(choice, 0), depth + 1);
    else if (bp_str_is(type, "object"))
        make_object(m, schema, depth);
    else if (bp_str_is(type, "array"))
        make_array(m, schema, depth);
    else if (bp_str_is(type, "string"))
        make_string(m, schema);
    else if (bp_str_is(type, "boolean"))
        bp_json_add_bool(m->w, false);
    else if (bp_str_is(type, "null"))
        bp_json_add_null(m->w);
    else
        make_number(m, schema);
}

bp_status sample_json(bp_call *call, bp_str schema, const struct sample_wish *wish, bp_str *json)
{
    struct making m = { .call = call,
                        .wish = wish,
                        .w = bp_json_writer_new(call, SAMPLE_BYTES_MAX) };

    BP_TRY(bp_json_parse(call, schema, &m.root));
    make(&m, m.root, 0);
    return bp_json_done(call, m.w, json);
}

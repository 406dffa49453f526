/* params.c - a table of parameters as JSON Schema, and what a client sent as a struct.
 *
 * The schema is written in one order of members (type, choices, bounds, default, what else the row
 * says, description), so that the same table gives the same bytes.
 */
#include "schema/params.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

enum { MORE_BYTES_MAX = 1 << 20 };

static const struct param_type {
    const char *schema; /* "type" of JSON Schema; NULL: the row's own schema says all */
    const char *least, *most;
    const char *said; /* for a sentence */
    size_t      size;
} types[] = {
    [BP_PARAM_TYPE_TEXT] = { "string", "minLength", "maxLength", "a text", sizeof(bp_str) },
    [BP_PARAM_TYPE_INTEGER] = { "integer", "minimum", "maximum", "an integer", sizeof(int64_t) },
    [BP_PARAM_TYPE_NUMBER] = { "number", "minimum", "maximum", "a number", sizeof(double) },
    [BP_PARAM_TYPE_BOOLEAN] = { "boolean", NULL, NULL, "true or false", sizeof(bool) },
    [BP_PARAM_TYPE_CHOICE] = { "string", NULL, NULL, "one of the choices", sizeof(int32_t) },
    [BP_PARAM_TYPE_TEXTS] = { "array", "minItems", "maxItems", "a list of texts",
                              sizeof(const bp_json *) },
    [BP_PARAM_TYPE_OBJECTS] = { "array", "minItems", "maxItems", "a list of objects",
                                sizeof(const bp_json *) },
    [BP_PARAM_TYPE_OBJECT] = { "object", "minProperties", "maxProperties", "an object",
                               sizeof(const bp_json *) },
    [BP_PARAM_TYPE_ANY] = { NULL, NULL, NULL, "a value", sizeof(const bp_json *) },
    [BP_PARAM_TYPE_NUMBERS] = { "array", "minItems", "maxItems", "a list of numbers",
                                sizeof(const bp_json *) },
};

static bool fail(struct reason *why, const bp_param *row, const char *what)
{
    reason_set(why, "the parameter \"%.64s\" %s", row->name ? row->name : "", what);
    return false;
}

/* The row as this host knows it: a longer one of a newer plugin is cut, a shorter one of an older
 * plugin ends in zeros. */
static bp_param row_at(const bp_param *rows, uint32_t size, uint32_t index)
{
    bp_param row = { 0 };

    memcpy(&row, (const char *)rows + (size_t)index * size,
           size < sizeof(row) ? size : sizeof(row));
    return row;
}

static bool is_list(const bp_param *row)
{
    return row->type == BP_PARAM_TYPE_TEXTS || row->type == BP_PARAM_TYPE_NUMBERS ||
           row->type == BP_PARAM_TYPE_OBJECTS;
}

/* ---- the schema ---- */

static bool put_number(bp_json_writer *w, const char *key, const char *text, bool is_integer)
{
    int64_t integer;
    char   *end;
    double  number;

    if (is_integer) {
        if (!str_to_int(bp_str_of(text), &integer))
            return false;
        json_put_integer(w, key, integer);
        return true;
    }
    number = strtod(text, &end);
    if (end == text || *end)
        return false;
    json_put_number(w, key, number);
    return true;
}

static bool put_initial(bp_json_writer *w, const bp_param *row)
{
    switch (row->type) {
    case BP_PARAM_TYPE_INTEGER:
    case BP_PARAM_TYPE_NUMBER:
        return put_number(w, "default", row->initial, row->type == BP_PARAM_TYPE_INTEGER);
    case BP_PARAM_TYPE_BOOLEAN:
        json_put_bool(w, "default", strcmp(row->initial, "true") == 0);
        return strcmp(row->initial, "true") == 0 || strcmp(row->initial, "false") == 0;
    case BP_PARAM_TYPE_TEXT:
    case BP_PARAM_TYPE_CHOICE:
        json_put_text(w, "default", row->initial);
        return true;
    default:
        return false; // a list has no text
    }
}

static void put_choices(bp_json_writer *w, const char *choices, bool has_null)
{
    bp_str rest = bp_str_of(choices);

    json_key(w, BP_STR("enum"));
    json_begin(w, JSON_KIND_ARRAY);
    while (rest.len)
        json_add_string(w, str_split(rest, '|', &rest));
    if (has_null)
        json_add_null(w);
    json_end(w);
}

static bool put_object(const bp_param *rows, uint32_t count, uint32_t size, bool is_closed,
                       bp_json_writer *w, int depth, struct reason *why);

/* {"type": ..., and what its members are, without the closing brace */
static bool put_row_members(const bp_param *row, bp_json_writer *w, int depth, struct reason *why)
{
    json_key(w, BP_STR("items"));
    if (row->type == BP_PARAM_TYPE_OBJECTS)
        return put_object(row->fields, row->field_count, row->field_size,
                          row->flags & BP_PARAM_CLOSED, w, depth + 1, why);
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "type", row->type == BP_PARAM_TYPE_NUMBERS ? "number" : "string");
    if (row->choices)
        put_choices(w, row->choices, false);
    json_end(w);
    return true;
}

static void put_type(const bp_param *row, bp_json_writer *w)
{
    const char *name = types[row->type].schema;

    if (!(row->flags & BP_PARAM_NULLABLE)) {
        json_put_text(w, "type", name);
        return;
    }
    json_key(w, BP_STR("type"));
    json_begin(w, JSON_KIND_ARRAY);
    json_add_string(w, bp_str_of(name));
    json_add_string(w, BP_STR("null"));
    json_end(w);
}

static bool put_bounds(const bp_param *row, bp_json_writer *w, struct reason *why)
{
    const struct param_type *type = &types[row->type];
    bool                     is_integer = row->type != BP_PARAM_TYPE_NUMBER;

    if ((row->minimum && (!type->least || !put_number(w, type->least, row->minimum, is_integer))) ||
        (row->maximum && (!type->most || !put_number(w, type->most, row->maximum, is_integer))))
        return fail(why, row, "has a bound that is no number, or none that its type has");
    if (row->initial && !(row->flags & BP_PARAM_QUIET) && !put_initial(w, row))
        return fail(why, row, "has an initial value that is none of its type");
    return true;
}

/* What no column says: the members of a piece of schema. */
static bool put_more(const char *schema, bp_json_writer *w)
{
    struct arena   arena;
    const bp_json *object = NULL, *value;
    struct reason  why;
    size_t         cursor = 0;
    bp_str         key;
    bool           is_object;

    arena_init(&arena, MORE_BYTES_MAX);
    if (json_parse(&arena, bp_str_of(schema), &object, &why) == BP_OK)
        while (json_entry(object, &cursor, &key, &value)) {
            json_key(w, key);
            json_add_value(w, value);
        }
    is_object = json_type_of(object) == JSON_KIND_OBJECT;
    arena_free(&arena);
    return is_object;
}

static bool put_members(const bp_param *rows, uint32_t count, uint32_t size, bool is_closed,
                        bp_json_writer *w, int depth, struct reason *why);

static bool put_row(const bp_param *row, bp_json_writer *w, int depth, struct reason *why)
{
    if (!row->name || !*row->name || row->type < BP_PARAM_TYPE_TEXT ||
        row->type > BP_PARAM_TYPE_NUMBERS)
        return fail(why, row, "has no name, or a type that this version does not know");
    if (depth > PARAMS_DEPTH_MAX)
        return fail(why, row, "is nested too deep");
    if (row->type == BP_PARAM_TYPE_CHOICE && !row->choices)
        return fail(why, row, "is a choice without choices");
    json_key(w, bp_str_of(row->name));
    json_begin(w, JSON_KIND_OBJECT);
    if (types[row->type].schema)
        put_type(row, w);
    if (row->choices && !is_list(row))
        put_choices(w, row->choices, row->flags & BP_PARAM_NULLABLE);
    if (is_list(row) && !put_row_members(row, w, depth, why))
        return false;
    if (row->type == BP_PARAM_TYPE_OBJECT && row->fields &&
        !put_members(row->fields, row->field_count, row->field_size, row->flags & BP_PARAM_CLOSED,
                     w, depth + 1, why))
        return false;
    if (!put_bounds(row, w, why))
        return false;
    if (row->schema && !put_more(row->schema, w))
        return fail(why, row, "has a piece of schema that is no JSON object");
    if (row->help)
        json_put_text(w, "description", row->help);
    json_end(w);
    return true;
}

/* "properties", "required", "additionalProperties" */
static bool put_members(const bp_param *rows, uint32_t count, uint32_t size, bool is_closed,
                        bp_json_writer *w, int depth, struct reason *why)
{
    bool has_required = false;

    json_key(w, BP_STR("properties"));
    json_begin(w, JSON_KIND_OBJECT);
    for (uint32_t i = 0; i < count; i++) {
        bp_param row = row_at(rows, size, i);

        has_required |= row.flags & BP_PARAM_REQUIRED;
        if (!put_row(&row, w, depth, why))
            return false;
    }
    json_end(w);
    if (has_required) {
        json_key(w, BP_STR("required"));
        json_begin(w, JSON_KIND_ARRAY);
        for (uint32_t i = 0; i < count; i++) {
            bp_param row = row_at(rows, size, i);

            if (row.flags & BP_PARAM_REQUIRED)
                json_add_string(w, bp_str_of(row.name));
        }
        json_end(w);
    }
    if (is_closed)
        json_put_bool(w, "additionalProperties", false);
    return true;
}

static bool put_object(const bp_param *rows, uint32_t count, uint32_t size, bool is_closed,
                       bp_json_writer *w, int depth, struct reason *why)
{
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "type", "object");
    if (!put_members(rows, count, size, is_closed, w, depth, why))
        return false;
    json_end(w);
    return true;
}

bool params_schema(const bp_params *params, bp_json_writer *w, struct reason *why)
{
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "type", "object");
    if (!put_members(params->rows, params->row_count, params->row_size,
                     params->flags & BP_PARAM_CLOSED, w, 0, why))
        return false;
    if (params->schema && !put_more(params->schema, w)) {
        reason_set(why, "a table of parameters has a piece of schema that is no JSON object");
        return false;
    }
    json_end(w);
    return true;
}

bool params_text(struct arena *arena, const bp_params *params, const char **text,
                 struct reason *why)
{
    struct bp_buf  buf;
    bp_json_writer w;

    if (!params)
        return true;
    buf_init(&buf, arena, MORE_BYTES_MAX);
    json_writer_init(&w, &buf);
    if (!params_schema(params, &w, why))
        return false;
    *text = buf_str(&buf).data;
    if (buf_status(&buf) == BP_OK)
        return true;
    reason_set(why, "there is no memory for its schema");
    return false;
}

/* ---- the struct ---- */

static int32_t choice_of(const char *choices, bp_str text)
{
    bp_str  rest = bp_str_of(choices);
    int32_t index = 0;

    for (; rest.len; index++)
        if (bp_str_equal(str_split(rest, '|', &rest), text))
            return index;
    return -1;
}

/* 3.0 is one as well, as JSON Schema has it; what int64_t cannot hold becomes its end. */
static bool integer_of(const bp_json *value, int64_t *integer)
{
    double number = json_as_number(value);

    if (json_type_of(value) == JSON_KIND_INTEGER) {
        *integer = json_as_integer(value);
        return true;
    }
    if (number >= 0x1p63 || number < -0x1p63)
        *integer = number > 0 ? INT64_MAX : INT64_MIN;
    else
        *integer = (int64_t)number;
    return json_type_of(value) == JSON_KIND_NUMBER &&
           (number == (double)*integer || number >= 0x1p63 || number < -0x1p63);
}

static bool is_within(const bp_param *row, double number)
{
    return (!row->minimum || number >= strtod(row->minimum, NULL)) &&
           (!row->maximum || number <= strtod(row->maximum, NULL));
}

/* From the JSON that a client sent. */
static bool set_value(const bp_param *row, const bp_json *value, void *to)
{
    enum json_type kind = json_type_of(value);
    int64_t        integer;
    double         number = json_as_number(value);
    bp_str         text = json_as_string(value);
    int32_t        choice;

    switch (row->type) {
    case BP_PARAM_TYPE_TEXT:
        memcpy(to, &text, sizeof(text));
        return kind == JSON_KIND_STRING;
    case BP_PARAM_TYPE_INTEGER:
        if (!integer_of(value, &integer))
            return false;
        memcpy(to, &integer, sizeof(integer));
        return is_within(row, number);
    case BP_PARAM_TYPE_NUMBER:
        memcpy(to, &number, sizeof(number));
        return (kind == JSON_KIND_NUMBER || kind == JSON_KIND_INTEGER) && is_within(row, number);
    case BP_PARAM_TYPE_BOOLEAN:
        *(bool *)to = json_as_bool(value);
        return kind == JSON_KIND_BOOL;
    case BP_PARAM_TYPE_CHOICE:
        choice = kind == JSON_KIND_STRING ? choice_of(row->choices, text) : -1;
        memcpy(to, &choice, sizeof(choice));
        return choice >= 0;
    case BP_PARAM_TYPE_TEXTS:
    case BP_PARAM_TYPE_NUMBERS:
    case BP_PARAM_TYPE_OBJECTS:
        memcpy(to, &value, sizeof(value));
        return kind == JSON_KIND_ARRAY;
    default:
        memcpy(to, &value, sizeof(value));
        return row->type == BP_PARAM_TYPE_ANY || kind == JSON_KIND_OBJECT;
    }
}

/* From the row's own text. */
static void set_initial(const bp_param *row, void *to)
{
    int64_t integer = 0;
    double  number = row->initial ? strtod(row->initial, NULL) : 0;
    bp_str  text = row->initial ? bp_str_of(row->initial) : (bp_str){ NULL, 0 };
    int32_t choice = row->initial && row->choices ? choice_of(row->choices, text) : -1;

    switch (row->type) {
    case BP_PARAM_TYPE_TEXT:
        memcpy(to, &text, sizeof(text));
        break;
    case BP_PARAM_TYPE_INTEGER:
        str_to_int(text, &integer);
        memcpy(to, &integer, sizeof(integer));
        break;
    case BP_PARAM_TYPE_NUMBER:
        memcpy(to, &number, sizeof(number));
        break;
    case BP_PARAM_TYPE_BOOLEAN:
        *(bool *)to = bp_str_is(text, "true");
        break;
    case BP_PARAM_TYPE_CHOICE:
        memcpy(to, &choice, sizeof(choice));
        break;
    default:
        break; // NULL already
    }
}

bool params_read(const bp_params *params, const bp_json *arguments, void *values,
                 struct reason *why)
{
    memset(values, 0, params->bytes_size);
    for (uint32_t i = 0; i < params->row_count; i++) {
        bp_param       row = row_at(params->rows, params->row_size, i);
        const bp_json *value = json_get(arguments, bp_str_of(row.name));
        void          *to = (char *)values + row.offset;

        if (row.type < BP_PARAM_TYPE_TEXT || row.type > BP_PARAM_TYPE_NUMBERS ||
            row.offset + types[row.type].size > params->bytes_size)
            return fail(why, &row, "is not described well: its field lies outside the struct");
        if (value && json_type_of(value) == JSON_KIND_NULL && row.flags & BP_PARAM_NULLABLE)
            value = NULL;
        if (!value && row.flags & BP_PARAM_REQUIRED)
            return fail(why, &row, "is missing");
        if (!value)
            set_initial(&row, to);
        else if (!set_value(&row, value, to)) {
            reason_set(why, "the parameter \"%.64s\" must be %s%s", row.name, types[row.type].said,
                       row.minimum || row.maximum ? " within its range" : "");
            return false;
        }
    }
    return true;
}

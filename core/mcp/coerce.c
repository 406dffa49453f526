/* coerce.c - arguments as models write them, made to fit the schema of their tool. */
#include "mcp/coerce.h"

#include "base/json_mend.h"
#include "base/str.h"

enum { REF_STEPS_MAX = 8, DEPTH_MAX = 100, TEXT_BYTES_MAX = 64 << 20 };

enum type {
    TYPE_NULL = 1u << 0,
    TYPE_BOOL = 1u << 1,
    TYPE_INTEGER = 1u << 2,
    TYPE_NUMBER = 1u << 3,
    TYPE_STRING = 1u << 4,
    TYPE_ARRAY = 1u << 5,
    TYPE_OBJECT = 1u << 6
};

struct coercion {
    struct arena   *arena;
    const bp_json  *root; /* the whole schema, for what $ref names */
    bp_json_writer *w;
    bool            is_changed;
    int             depth;
};

/* ---- schemas ---- */

static uint32_t type_of_name(bp_str name)
{
    static const struct {
        const char *name;
        uint32_t    types;
    } names[] = { { "null", TYPE_NULL },     { "boolean", TYPE_BOOL },  { "integer", TYPE_INTEGER },
                  { "number", TYPE_NUMBER }, { "string", TYPE_STRING }, { "array", TYPE_ARRAY },
                  { "object", TYPE_OBJECT } };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (bp_str_is(name, names[i].name))
            return names[i].types;
    return 0;
}

static uint32_t type_of(const bp_json *value)
{
    static const uint32_t types[] = {
        [JSON_KIND_NULL] = TYPE_NULL,       [JSON_KIND_BOOL] = TYPE_BOOL,
        [JSON_KIND_INTEGER] = TYPE_INTEGER, [JSON_KIND_NUMBER] = TYPE_NUMBER,
        [JSON_KIND_STRING] = TYPE_STRING,   [JSON_KIND_ARRAY] = TYPE_ARRAY,
        [JSON_KIND_OBJECT] = TYPE_OBJECT
    };

    return value ? types[json_type_of(value)] : 0;
}

/* "#/$defs/place" within the same text; NULL: it leads nowhere. */
static const bp_json *follow_pointer(const bp_json *root, bp_str pointer)
{
    const bp_json *at = root;

    if (!bp_str_starts(pointer, "#"))
        return NULL;
    pointer = bp_str_n(pointer.data + 1, pointer.len - 1);
    if (pointer.len && pointer.data[0] == '/')
        pointer = bp_str_n(pointer.data + 1, pointer.len - 1);
    while (at && pointer.len)
        at = json_get(at, str_split(pointer, '/', &pointer));
    return at;
}

static const bp_json *resolve(const struct coercion *c, const bp_json *schema)
{
    for (int i = 0; i < REF_STEPS_MAX && json_get(schema, BP_STR("$ref")); i++)
        schema = follow_pointer(c->root, json_as_string(json_get(schema, BP_STR("$ref"))));
    return schema;
}

static const bp_json *branches_of(const bp_json *schema)
{
    const bp_json *any = json_get(schema, BP_STR("anyOf"));

    return any ? any : json_get(schema, BP_STR("oneOf"));
}

/* The types that the schema takes; 0: any, or it cannot be told. */
static uint32_t types_of(const struct coercion *c, const bp_json *schema, int depth)
{
    const bp_json *type = json_get(schema, BP_STR("type")),
                  *values = json_get(schema, BP_STR("enum"));
    const bp_json *branches = branches_of(schema);
    uint32_t       types = 0, some;

    if (json_type_of(type) == JSON_KIND_STRING)
        return type_of_name(json_as_string(type));
    for (size_t i = 0; i < json_count(type); i++)
        types |= type_of_name(json_as_string(json_at(type, i)));
    for (size_t i = 0; !json_count(type) && i < json_count(values); i++)
        types |= type_of(json_at(values, i));
    for (size_t i = 0; !type && !values && depth && i < json_count(branches); i++) {
        some = types_of(c, resolve(c, json_at(branches, i)), depth - 1);
        if (!some)
            return 0;
        types |= some;
    }
    return types;
}

/* The branch of anyOf that is about values like this; the schema itself where there are none. */
static const bp_json *branch_for(const struct coercion *c, const bp_json *schema, uint32_t type)
{
    const bp_json *branches = branches_of(schema);

    for (size_t i = 0; i < json_count(branches); i++) {
        const bp_json *branch = resolve(c, json_at(branches, i));

        if (types_of(c, branch, 1) & type)
            return branch;
    }
    return schema;
}

static const bp_json *schema_of_member(const bp_json *schema, bp_str key)
{
    const bp_json *member = json_get(json_get(schema, BP_STR("properties")), key);
    const bp_json *others = json_get(schema, BP_STR("additionalProperties"));

    return member ? member : others;
}

static bool is_required(const bp_json *schema, bp_str key)
{
    const bp_json *required = json_get(schema, BP_STR("required"));

    for (size_t i = 0; i < json_count(required); i++)
        if (bp_str_equal(json_as_string(json_at(required, i)), key))
            return true;
    return false;
}

/* Null for a member that need not be there, and that may not be null. */
static bool is_left_out(const struct coercion *c, const bp_json *schema, bp_str key,
                        const bp_json *value)
{
    const bp_json *member = resolve(c, schema_of_member(schema, key));
    uint32_t       types;

    if (json_type_of(value) != JSON_KIND_NULL || is_required(schema, key))
        return false;
    types = types_of(c, member, 2);
    return types ? !(types & TYPE_NULL)
                 : json_type_of(member) == JSON_KIND_BOOL && !json_as_bool(member);
}

/* ---- values ---- */

static void write_fitting(struct coercion *c, const bp_json *schema, const bp_json *value);

static void write_object(struct coercion *c, const bp_json *schema, const bp_json *object)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    json_begin(c->w, JSON_KIND_OBJECT);
    while (json_entry(object, &cursor, &key, &value)) {
        if (is_left_out(c, schema, key, value)) {
            c->is_changed = true;
            continue;
        }
        json_key(c->w, key);
        write_fitting(c, schema_of_member(schema, key), value);
    }
    json_end(c->w);
}

static void write_array(struct coercion *c, const bp_json *schema, const bp_json *array)
{
    const bp_json *first = json_get(schema, BP_STR("prefixItems")),
                  *items = json_get(schema, BP_STR("items"));

    json_begin(c->w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < json_count(array); i++)
        write_fitting(c, i < json_count(first) ? json_at(first, i) : items, json_at(array, i));
    json_end(c->w);
}

/* A string that holds JSON of a type that is wanted; what it holds fits as well as it can. */
static bool write_content(struct coercion *c, const bp_json *schema, uint32_t wanted, bp_str text)
{
    const bp_json *content;
    struct reason  why;
    uint32_t       numbers = TYPE_INTEGER | TYPE_NUMBER;

    if (!text.len || json_read_within(c->arena, text, TEXT_BYTES_MAX, &content, &why) != BP_OK)
        return false;
    if (wanted & TYPE_INTEGER && json_type_of(content) == JSON_KIND_NUMBER &&
        json_is_whole(content)) {
        json_add_integer(c->w, json_as_integer(content));
        return true;
    }
    if (!(type_of(content) & (wanted | (wanted & TYPE_NUMBER ? numbers : 0)) &
          ~(uint32_t)TYPE_NULL))
        return false;
    if (type_of(content) & numbers)
        json_add_value(c->w, content);
    else
        write_fitting(c, schema, content);
    return true;
}

static bool write_word(struct coercion *c, uint32_t wanted, bp_str text)
{
    if (!(wanted & TYPE_BOOL) || !(bp_str_is(text, "True") || bp_str_is(text, "False")))
        return false;
    json_add_bool(c->w, text.data[0] == 'T');
    return true;
}

static void write_fitting(struct coercion *c, const bp_json *schema, const bp_json *value)
{
    uint32_t type = type_of(value), wanted;

    schema = resolve(c, schema);
    wanted = types_of(c, schema, 2);
    if (c->depth >= DEPTH_MAX) {
        json_add_value(c->w, value);
        return;
    }
    c->depth++;
    if (type == TYPE_NUMBER && wanted & TYPE_INTEGER && !(wanted & TYPE_NUMBER) &&
        json_is_whole(value)) {
        json_add_integer(c->w, json_as_integer(value));
        c->is_changed = true;
    } else if (type == TYPE_STRING && wanted && !(wanted & TYPE_STRING) &&
               (write_word(c, wanted, str_trim(json_as_string(value))) ||
                write_content(c, schema, wanted, str_trim(json_as_string(value))))) {
        c->is_changed = true;
    } else if (type == TYPE_OBJECT) {
        write_object(c, branch_for(c, schema, type), value);
    } else if (type == TYPE_ARRAY) {
        write_array(c, branch_for(c, schema, type), value);
    } else {
        json_add_value(c->w, value);
    }
    c->depth--;
}

bp_str coerce(struct arena *arena, const bp_json *schema, const bp_json *value)
{
    struct bp_buf   buf;
    bp_json_writer  w;
    struct coercion c = { .arena = arena, .root = schema, .w = &w };

    buf_init(&buf, arena, TEXT_BYTES_MAX);
    json_writer_init(&w, &buf);
    write_fitting(&c, schema, value);
    return c.is_changed && json_writer_status(&w) == BP_OK ? buf_str(&buf) : (bp_str){ NULL, 0 };
}

/* ---- unions ---- */

static bool is_union(const bp_json *schema)
{
    const bp_json *branches = branches_of(schema);
    uint32_t       types = 0;

    if (json_type_of(json_get(schema, BP_STR("type"))) == JSON_KIND_ARRAY)
        return true;
    for (size_t i = 0; i < json_count(branches); i++) {
        uint32_t type = type_of_name(
            json_as_string(json_get(json_at(branches, i), BP_STR("type"))));

        if (type && types && type != types)
            return true;
        types |= type;
    }
    return false;
}

/* Members that hold no schema but data, in which "type" means something else. */
static bool is_data(bp_str key)
{
    return bp_str_is(key, "enum") || bp_str_is(key, "const") || bp_str_is(key, "default") ||
           bp_str_is(key, "examples");
}

/* As deep as the schema that was read: JSON_READ_DEPTH_MAX. */
static bp_str find_union(struct arena *arena, const bp_json *at, bp_str path, bool is_schema)
{
    size_t         cursor = 0;
    bp_str         key, found = { NULL, 0 };
    const bp_json *value;

    if (is_schema && is_union(at))
        return path.len ? path : BP_STR("/");
    for (size_t i = 0; json_type_of(at) == JSON_KIND_ARRAY && !found.len && i < json_count(at); i++)
        found = find_union(arena, json_at(at, i),
                           arena_format(arena, BP_FMT "/%zu", BP_ARG(path), i), true);
    while (!found.len && json_entry(at, &cursor, &key, &value)) {
        bool are_names = is_schema &&
                         (bp_str_is(key, "properties") || bp_str_is(key, "$defs") ||
                          bp_str_is(key, "definitions") || bp_str_is(key, "patternProperties"));

        if (!is_schema || !is_data(key))
            found = find_union(arena, value,
                               arena_format(arena, BP_FMT "/" BP_FMT, BP_ARG(path), BP_ARG(key)),
                               !are_names);
    }
    return found;
}

bp_str coerce_find_union(struct arena *arena, const bp_json *schema)
{
    return find_union(arena, schema, BP_STR(""), true);
}

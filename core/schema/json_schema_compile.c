/* json_schema_compile.c - from the text of a schema to nodes that can be walked fast: one table of
 * keywords.
 *
 * Nodes are made when somebody refers to them and filled from a list of those that wait, so that a
 * long chain of references does not nest. At the end the height of every node is measured: how many
 * schemas apply to one value one within the other. That finds schemas that refer to themselves
 * without end, and bounds the stack of a check.
 */
#include "schema/json_schema_node.h"

#include <stdlib.h>

#include "base/str.h"

enum {
    SCHEMA_BYTES_MAX = 64 << 20,
    LINEAR_PROPERTIES = 8,
    MATCH_STEPS_MAX = 200000,
    MATCH_HEAP_KIB = 1024
};

const struct schema_node schema_node_true = { .height = 1 };
const struct schema_node schema_node_false = { .height = 1, .is_never = true };

struct compiler {
    struct json_schema    *schema;
    struct schema_index    index;
    pcre2_compile_context *patterns;
    const bp_json        **waiting; /* values with nodes that are not filled yet */
    size_t                 waiting_count, waiting_capacity;
    struct schema_place   *place; /* the one being filled */
    struct schema_node    *node;
};

typedef bool (*keyword_compiler)(struct compiler *c, const char *keyword, const bp_json *value);

/* ---- helpers ---- */

static bool fail_at(struct compiler *c, const char *keyword, const char *wanted)
{
    return schema_index_fail(&c->index,
                             schema_pointer_join(&c->index.scratch, c->place->pointer,
                                                 bp_str_of(keyword)),
                             "it must be %s", wanted);
}

static bool no_memory(struct compiler *c)
{
    return schema_index_fail(&c->index, c->place->pointer,
                             "there is not enough memory to compile it");
}

static void *keep(struct compiler *c, size_t size_bytes)
{
    void *made = arena_alloc(&c->schema->arena, size_bytes);

    if (!made)
        no_memory(c);
    return made;
}

/* The rules of one kind of value, made when the first of them is met. */
#define RULES(c, member) ((c)->node->member ? (c)->node->member : new_##member(c))
#define DEFINE_RULES(member, type, ...)                                                            \
    static struct type *new_##member(struct compiler *c)                                           \
    {                                                                                              \
        struct type *rules = keep(c, sizeof(*rules));                                              \
        if (rules)                                                                                 \
            *rules = (struct type){ __VA_ARGS__ };                                                 \
        c->node->member = rules;                                                                   \
        return rules;                                                                              \
    }
DEFINE_RULES(number, schema_number_rules, .minimum = NULL)
DEFINE_RULES(string, schema_string_rules, .max_length = INT64_MAX)
DEFINE_RULES(array, schema_array_rules, .max_items = INT64_MAX, .min_contains = 1,
             .max_contains = INT64_MAX, .contains_evaluates = c->index.dialect == SCHEMA_2020_12)
DEFINE_RULES(object, schema_object_rules, .max_properties = INT64_MAX)
DEFINE_RULES(logic, schema_logic_rules, .reference = NULL)

/* The node of a subschema; it is filled later. */
static const struct schema_node *node_of(struct compiler *c, const char *keyword,
                                         const bp_json *value)
{
    struct schema_place *place = schema_index_find(&c->index, value);

    if (json_type_of(value) == JSON_KIND_BOOL)
        return json_as_bool(value) ? &schema_node_true : &schema_node_false;
    if (!place) {
        fail_at(c, keyword, "a schema: an object, true or false");
        return NULL;
    }
    if (place->node)
        return place->node;
    if (c->waiting_count == c->waiting_capacity) {
        size_t          capacity = c->waiting_capacity ? c->waiting_capacity * 2 : 64;
        const bp_json **more = realloc(c->waiting, capacity * sizeof(*more));

        if (!more) {
            no_memory(c);
            return NULL;
        }
        c->waiting = more;
        c->waiting_capacity = capacity;
    }
    place->node = keep(c, sizeof(*place->node));
    if (place->node) {
        place->node->resource = place->resource;
        c->waiting[c->waiting_count++] = value;
    }
    return place->node;
}

static bool list_of(struct compiler *c, const char *keyword, const bp_json *array,
                    struct schema_list *list)
{
    list->items = keep(c, json_count(array) * sizeof(*list->items));
    if (!list->items)
        return false;
    for (list->count = 0; list->count < json_count(array); list->count++)
        if (!(list->items[list->count] = node_of(c, keyword, json_at(array, list->count))))
            return false;
    return true;
}

static bool read_count(struct compiler *c, const char *keyword, const bp_json *value,
                       int64_t *count)
{
    double number = json_as_number(value);

    if (!(schema_types_of(value) & SCHEMA_INTEGER) || number < 0)
        return fail_at(c, keyword, "a whole number from 0 on");
    *count = number >= 0x1p62 ? INT64_MAX : (int64_t)number;
    return true;
}

static bool is_list_of_strings(const bp_json *value)
{
    if (json_type_of(value) != JSON_KIND_ARRAY)
        return false;
    for (size_t i = 0; i < json_count(value); i++)
        if (json_type_of(json_at(value, i)) != JSON_KIND_STRING)
            return false;
    return true;
}

/* ECMA 262's idea of a pattern as far as PCRE2 can be told: $ only at the very end, [] matches
 * nothing, \uXXXX. */
static const pcre2_code *pattern_of(struct compiler *c, const char *keyword, bp_str text)
{
    enum {
        OPTIONS = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
                  PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C
    };
    struct json_schema *schema = c->schema;
    bp_str pointer = schema_pointer_join(&c->index.scratch, c->place->pointer, bp_str_of(keyword));
    pcre2_code *code;
    PCRE2_SIZE  offset = 0;
    PCRE2_UCHAR why[120] = "";
    int         error = 0;

    if (text.len > JSON_SCHEMA_PATTERN_BYTES_MAX) {
        schema_index_fail(&c->index, pointer, "the pattern is longer than %d bytes",
                          JSON_SCHEMA_PATTERN_BYTES_MAX);
        return NULL;
    }
    code = pcre2_compile((PCRE2_SPTR)(text.len ? text.data : ""), text.len, OPTIONS, &error,
                         &offset, c->patterns);
    if (!code) {
        pcre2_get_error_message(error, why, sizeof(why));
        schema_index_fail(&c->index, pointer, "the pattern cannot be used: %s, at byte %zu",
                          (const char *)why, offset);
        return NULL;
    }
    if ((schema->pattern_count & (schema->pattern_count - 1)) == 0) { // full at each power of two
        size_t       capacity = schema->pattern_count ? schema->pattern_count * 2 : 1;
        pcre2_code **more = realloc(schema->patterns, capacity * sizeof(*more));

        if (!more) {
            pcre2_code_free(code);
            no_memory(c);
            return NULL;
        }
        schema->patterns = more;
    }
    schema->patterns[schema->pattern_count++] = code;
    return code;
}

/* ---- keywords for any value ---- */

static bool type_bit(struct compiler *c, const char *keyword, const bp_json *value)
{
    static const struct {
        const char *name;
        uint8_t     bits;
    } names[] = { { "string", SCHEMA_STRING },
                  { "integer", SCHEMA_INTEGER },
                  { "boolean", SCHEMA_BOOL },
                  { "object", SCHEMA_OBJECT },
                  { "array", SCHEMA_ARRAY },
                  { "null", SCHEMA_NULL },
                  { "number", SCHEMA_NUMBER | SCHEMA_INTEGER } };
    bp_str name = json_as_string(value);
    bp_str pointer = schema_pointer_join(&c->index.scratch, c->place->pointer, bp_str_of(keyword));

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (bp_str_is(name, names[i].name)) {
            c->node->types |= names[i].bits;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_is_near(name, bp_str_of(names[i].name)))
            return schema_index_fail(&c->index, pointer,
                                     "\"" BP_FMT "\" is not a type (did you mean \"%s\"?)",
                                     BP_ARG(name), names[i].name);
    return fail_at(c, keyword,
                   "one or more of \"string\", \"integer\", \"number\", \"boolean\", \"object\", "
                   "\"array\", \"null\"");
}

static bool on_type(struct compiler *c, const char *keyword, const bp_json *value)
{
    if (json_type_of(value) != JSON_KIND_ARRAY || !json_count(value))
        return type_bit(c, keyword, value);
    for (size_t i = 0; i < json_count(value); i++)
        if (!type_bit(c, keyword, json_at(value, i)))
            return false;
    return true;
}

static bool on_enum(struct compiler *c, const char *keyword, const bp_json *value)
{
    c->node->choices = value;
    return json_type_of(value) == JSON_KIND_ARRAY || fail_at(c, keyword, "an array");
}

static bool on_const(struct compiler *c, const char *keyword, const bp_json *value)
{
    (void)keyword;
    c->node->constant = value;
    return true;
}

/* ---- numbers ---- */

static bool on_bound(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_number_rules *rules = RULES(c, number);
    const bp_json             **bound;

    if (!rules)
        return false;
    if (!(schema_types_of(value) & SCHEMA_NUMBER))
        return fail_at(c, keyword, "a number");
    bound = strcmp(keyword, "minimum") == 0            ? &rules->minimum
            : strcmp(keyword, "maximum") == 0          ? &rules->maximum
            : strcmp(keyword, "exclusiveMinimum") == 0 ? &rules->above
                                                       : &rules->below;
    *bound = value;
    return true;
}

static bool on_multiple_of(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_number_rules *rules = RULES(c, number);

    if (!rules)
        return false;
    rules->multiple_of = value;
    return json_as_number(value) > 0 || fail_at(c, keyword, "a number above 0");
}

/* ---- strings ---- */

static bool on_length(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_string_rules *rules = RULES(c, string);

    return rules && read_count(c, keyword, value,
                               keyword[1] == 'i' ? &rules->min_length : &rules->max_length);
}

static bool on_pattern(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_string_rules *rules = RULES(c, string);

    if (!rules)
        return false;
    if (json_type_of(value) != JSON_KIND_STRING)
        return fail_at(c, keyword, "a string");
    rules->pattern_text = json_as_string(value);
    rules->pattern = pattern_of(c, keyword, rules->pattern_text);
    return rules->pattern != NULL;
}

/* ---- arrays ---- */

static bool on_prefix_items(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_array_rules *rules = RULES(c, array);

    if (!rules || c->index.dialect != SCHEMA_2020_12)
        return rules != NULL;
    if (json_type_of(value) != JSON_KIND_ARRAY)
        return fail_at(c, keyword, "an array of schemas");
    return list_of(c, keyword, value, &rules->prefix);
}

static bool on_items(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_array_rules *rules = RULES(c, array);

    if (!rules)
        return false;
    if (json_type_of(value) == JSON_KIND_ARRAY && c->index.dialect == SCHEMA_2020_12)
        return fail_at(c, keyword,
                       "a schema; a list of schemas is called prefixItems since 2020-12");
    if (json_type_of(value) == JSON_KIND_ARRAY)
        return list_of(c, keyword, value, &rules->prefix);
    rules->items = node_of(c, keyword, value);
    return rules->items != NULL;
}

/* Of draft-07 and 2019-09, and only beside a list of items. */
static bool on_additional_items(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_array_rules *rules = RULES(c, array);

    if (!rules || c->index.dialect == SCHEMA_2020_12 ||
        json_type_of(json_get(c->place->value, BP_STR("items"))) != JSON_KIND_ARRAY)
        return rules != NULL;
    rules->items = node_of(c, keyword, value);
    return rules->items != NULL;
}

static bool on_contains(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_array_rules *rules = RULES(c, array);

    return rules && (rules->contains = node_of(c, keyword, value)) != NULL;
}

static bool on_unevaluated_items(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_array_rules *rules = RULES(c, array);

    if (!rules || c->index.dialect == SCHEMA_DRAFT_07)
        return rules != NULL;
    return (rules->unevaluated = node_of(c, keyword, value)) != NULL;
}

static bool on_item_count(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_array_rules *rules = RULES(c, array);

    if (!rules || (strstr(keyword, "Contains") && c->index.dialect == SCHEMA_DRAFT_07))
        return rules != NULL;
    return read_count(c, keyword, value,
                      strcmp(keyword, "minItems") == 0      ? &rules->min_items
                      : strcmp(keyword, "maxItems") == 0    ? &rules->max_items
                      : strcmp(keyword, "minContains") == 0 ? &rules->min_contains
                                                            : &rules->max_contains);
}

static bool on_unique_items(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_array_rules *rules = RULES(c, array);

    if (!rules)
        return false;
    rules->is_unique = json_as_bool(value);
    return json_type_of(value) == JSON_KIND_BOOL || fail_at(c, keyword, "true or false");
}

/* ---- objects ---- */

static bool fill_slots(struct compiler *c, struct schema_object_rules *rules)
{
    if (rules->property_count <= LINEAR_PROPERTIES)
        return true;
    for (rules->slot_count = 16; rules->slot_count < rules->property_count * 2;)
        rules->slot_count *= 2;
    rules->slots = keep(c, rules->slot_count * sizeof(*rules->slots));
    for (size_t i = 0; rules->slots && i < rules->property_count; i++) {
        size_t at = schema_hash_name(rules->properties[i].name) & (rules->slot_count - 1);

        while (rules->slots[at])
            at = (at + 1) & (rules->slot_count - 1);
        rules->slots[at] = (uint32_t)i + 1;
    }
    return rules->slots != NULL;
}

/* The rules that a keyword with an object of schemas adds to; NULL: no memory, or the value is
 * none. */
static struct schema_object_rules *rules_for_schemas(struct compiler *c, const char *keyword,
                                                     const bp_json *value)
{
    struct schema_object_rules *rules = RULES(c, object);

    if (!rules || json_type_of(value) == JSON_KIND_OBJECT)
        return rules;
    fail_at(c, keyword, "an object of schemas");
    return NULL;
}

static bool on_properties(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_object_rules *rules = rules_for_schemas(c, keyword, value);
    size_t                      cursor = 0;
    bp_str                      key;
    const bp_json              *member;

    if (!rules)
        return false;
    rules->properties = keep(c, json_count(value) * sizeof(*rules->properties));
    if (!rules->properties)
        return false;
    while (json_entry(value, &cursor, &key, &member)) {
        const struct schema_node *node = node_of(c, keyword, member);

        if (!node)
            return false;
        rules->properties[rules->property_count++] = (struct schema_property){ key, node, false };
    }
    return fill_slots(c, rules);
}

static bool on_pattern_properties(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_object_rules *rules = rules_for_schemas(c, keyword, value);
    size_t                      cursor = 0;
    bp_str                      key;
    const bp_json              *member;

    if (!rules)
        return false;
    rules->patterns = keep(c, json_count(value) * sizeof(*rules->patterns));
    if (!rules->patterns)
        return false;
    while (json_entry(value, &cursor, &key, &member)) {
        struct schema_pattern_property *pattern = &rules->patterns[rules->pattern_count++];

        if (!(pattern->pattern = pattern_of(c, keyword, key)) ||
            !(pattern->node = node_of(c, keyword, member)))
            return false;
    }
    return true;
}

static bool on_object_schema(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_object_rules *rules = RULES(c, object);
    const struct schema_node  **slot;

    if (!rules || (keyword[0] == 'u' && c->index.dialect == SCHEMA_DRAFT_07))
        return rules != NULL;
    slot = keyword[0] == 'a'   ? &rules->additional
           : keyword[0] == 'p' ? &rules->names
                               : &rules->unevaluated;
    *slot = node_of(c, keyword, value);
    return *slot != NULL;
}

static bool on_required(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_object_rules *rules = RULES(c, object);

    if (!rules)
        return false;
    rules->required = value;
    return is_list_of_strings(value) || fail_at(c, keyword, "an array of strings");
}

static bool on_property_count(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_object_rules *rules = RULES(c, object);

    return rules && read_count(c, keyword, value,
                               keyword[1] == 'i' ? &rules->min_properties : &rules->max_properties);
}

/* dependentRequired, dependentSchemas, and `dependencies`, which was both. */
static bool on_dependencies(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_object_rules *rules = RULES(c, object);
    struct schema_dependency   *more;
    size_t                      cursor = 0;
    bp_str                      key;
    const bp_json              *member;

    if (!rules || (strcmp(keyword, "dependencies") != 0 && c->index.dialect == SCHEMA_DRAFT_07))
        return rules != NULL;
    if (json_type_of(value) != JSON_KIND_OBJECT)
        return fail_at(c, keyword, "an object");
    more = keep(c, (rules->dependency_count + json_count(value)) * sizeof(*more));
    if (!more)
        return false;
    if (rules->dependency_count)
        memcpy(more, rules->dependencies, rules->dependency_count * sizeof(*more));
    rules->dependencies = more;
    while (json_entry(value, &cursor, &key, &member)) {
        struct schema_dependency *dependency = &more[rules->dependency_count++];

        dependency->name = key;
        if (json_type_of(member) == JSON_KIND_ARRAY && strcmp(keyword, "dependentSchemas") != 0) {
            dependency->names = member;
            if (!is_list_of_strings(member))
                return fail_at(c, keyword, "an object of arrays of strings");
        } else if (strcmp(keyword, "dependentRequired") == 0) {
            return fail_at(c, keyword, "an object of arrays of strings");
        } else if (!(dependency->node = node_of(c, keyword, member))) {
            return false;
        }
    }
    return true;
}

/* ---- combinations and references ---- */

static bool on_list(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_logic_rules *rules = RULES(c, logic);

    if (!rules)
        return false;
    if (json_type_of(value) != JSON_KIND_ARRAY || !json_count(value))
        return fail_at(c, keyword, "an array of at least one schema");
    return list_of(c, keyword, value,
                   keyword[1] == 'l'   ? &rules->all_of
                   : keyword[0] == 'a' ? &rules->any_of
                                       : &rules->one_of);
}

static bool on_logic(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_logic_rules *rules = RULES(c, logic);
    const struct schema_node **slot;

    if (!rules)
        return false;
    slot = keyword[0] == 'n'   ? &rules->not_this
           : keyword[0] == 'i' ? &rules->condition
           : keyword[0] == 't' ? &rules->consequence
                               : &rules->alternative;
    *slot = node_of(c, keyword, value);
    return *slot != NULL;
}

static bool on_reference(struct compiler *c, const char *keyword, const bp_json *value)
{
    struct schema_logic_rules *rules = RULES(c, logic);
    struct schema_place        from = *c->place;
    const bp_json             *target;
    const struct schema_node  *node;
    bp_str                     anchor;

    if (!rules)
        return false;
    if (json_type_of(value) != JSON_KIND_STRING)
        return fail_at(c, keyword, "a string");
    target = schema_index_resolve(&c->index, &from, keyword, json_as_string(value), &anchor);
    c->place = schema_index_find(&c->index, from.value); // the table may have grown
    node = target ? node_of(c, keyword, target) : NULL;
    if (keyword[1] == 'r') {
        rules->reference = node;
    } else {
        rules->dynamic = node;
        rules->dynamic_name = anchor;
    }
    return node != NULL;
}

static bool on_dynamic_reference(struct compiler *c, const char *keyword, const bp_json *value)
{
    return c->index.dialect != SCHEMA_2020_12 || on_reference(c, keyword, value);
}

static bool on_recursive_reference(struct compiler *c, const char *keyword, const bp_json *value)
{
    (void)value;
    if (c->index.dialect != SCHEMA_2019_09)
        return true;
    return schema_index_fail(&c->index, c->place->pointer,
                             "%s of 2019-09 is not supported; $dynamicRef of 2020-12 is", keyword);
}

static bool on_definitions(struct compiler *c, const char *keyword, const bp_json *value)
{
    return json_type_of(value) == JSON_KIND_OBJECT || fail_at(c, keyword, "an object of schemas");
}

static const struct keyword {
    const char       *name;
    keyword_compiler  compile;
    enum schema_holds holds;
} keywords[] = {
    { "type", on_type, SCHEMA_HOLDS_NONE },
    { "enum", on_enum, SCHEMA_HOLDS_NONE },
    { "const", on_const, SCHEMA_HOLDS_NONE },
    { "minimum", on_bound, SCHEMA_HOLDS_NONE },
    { "maximum", on_bound, SCHEMA_HOLDS_NONE },
    { "exclusiveMinimum", on_bound, SCHEMA_HOLDS_NONE },
    { "exclusiveMaximum", on_bound, SCHEMA_HOLDS_NONE },
    { "multipleOf", on_multiple_of, SCHEMA_HOLDS_NONE },
    { "minLength", on_length, SCHEMA_HOLDS_NONE },
    { "maxLength", on_length, SCHEMA_HOLDS_NONE },
    { "pattern", on_pattern, SCHEMA_HOLDS_NONE },
    { "prefixItems", on_prefix_items, SCHEMA_HOLDS_ARRAY },
    { "items", on_items, SCHEMA_HOLDS_ONE_OR_ARRAY },
    { "additionalItems", on_additional_items, SCHEMA_HOLDS_ONE },
    { "contains", on_contains, SCHEMA_HOLDS_ONE },
    { "unevaluatedItems", on_unevaluated_items, SCHEMA_HOLDS_ONE },
    { "minItems", on_item_count, SCHEMA_HOLDS_NONE },
    { "maxItems", on_item_count, SCHEMA_HOLDS_NONE },
    { "minContains", on_item_count, SCHEMA_HOLDS_NONE },
    { "maxContains", on_item_count, SCHEMA_HOLDS_NONE },
    { "uniqueItems", on_unique_items, SCHEMA_HOLDS_NONE },
    { "properties", on_properties, SCHEMA_HOLDS_MAP },
    { "patternProperties", on_pattern_properties, SCHEMA_HOLDS_MAP },
    { "additionalProperties", on_object_schema, SCHEMA_HOLDS_ONE },
    { "propertyNames", on_object_schema, SCHEMA_HOLDS_ONE },
    { "unevaluatedProperties", on_object_schema, SCHEMA_HOLDS_ONE },
    { "required", on_required, SCHEMA_HOLDS_NONE },
    { "minProperties", on_property_count, SCHEMA_HOLDS_NONE },
    { "maxProperties", on_property_count, SCHEMA_HOLDS_NONE },
    { "dependentRequired", on_dependencies, SCHEMA_HOLDS_NONE },
    { "dependentSchemas", on_dependencies, SCHEMA_HOLDS_MAP },
    { "dependencies", on_dependencies, SCHEMA_HOLDS_MAP },
    { "allOf", on_list, SCHEMA_HOLDS_ARRAY },
    { "anyOf", on_list, SCHEMA_HOLDS_ARRAY },
    { "oneOf", on_list, SCHEMA_HOLDS_ARRAY },
    { "not", on_logic, SCHEMA_HOLDS_ONE },
    { "if", on_logic, SCHEMA_HOLDS_ONE },
    { "then", on_logic, SCHEMA_HOLDS_ONE },
    { "else", on_logic, SCHEMA_HOLDS_ONE },
    { "$ref", on_reference, SCHEMA_HOLDS_NONE },
    { "$dynamicRef", on_dynamic_reference, SCHEMA_HOLDS_NONE },
    { "$recursiveRef", on_recursive_reference, SCHEMA_HOLDS_NONE },
    { "$defs", on_definitions, SCHEMA_HOLDS_MAP },
    { "definitions", on_definitions, SCHEMA_HOLDS_MAP },
};

static const struct keyword *find_keyword(bp_str name)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (bp_str_is(name, keywords[i].name))
            return &keywords[i];
    return NULL;
}

enum schema_holds schema_keyword_holds(bp_str keyword)
{
    const struct keyword *known = find_keyword(keyword);

    return known ? known->holds : SCHEMA_HOLDS_NONE;
}

/* ---- one node ---- */

/* Marks those properties that are required, so that one pass over an object checks both. */
static void mark_required(struct schema_object_rules *rules)
{
    for (size_t i = 0; i < json_count(rules->required); i++) {
        bp_str name = json_as_string(json_at(rules->required, i));
        bool   is_repeated = false;

        for (size_t j = 0; j < i && !is_repeated; j++)
            is_repeated = bp_str_equal(name, json_as_string(json_at(rules->required, j)));
        for (size_t j = 0; j < rules->property_count; j++)
            rules->properties[j].is_required |= bp_str_equal(name, rules->properties[j].name);
        rules->required_count += !is_repeated;
    }
}

static bool fill_node(struct compiler *c, const bp_json *value)
{
    const bp_json *reference = json_get(value, BP_STR("$ref"));
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *member;

    c->place = schema_index_find(&c->index, value);
    c->node = c->place->node;
    if (reference &&
        c->index.dialect == SCHEMA_DRAFT_07) // what stands beside it does not count there
        return on_reference(c, "$ref", reference);
    while (json_entry(value, &cursor, &key, &member)) {
        const struct keyword *keyword = find_keyword(key);

        if (keyword && !keyword->compile(c, keyword->name, member))
            return false;
    }
    if (c->node->object)
        mark_required(c->node->object);
    return true;
}

/* ---- heights ---- */

static unsigned height_of(struct schema_node *node, unsigned above);

/* A height beyond the maximum is not looked into any further: each way of a circle would be walked
 * with each other one. */
static unsigned taller(unsigned height, const struct schema_node *node, unsigned above)
{
    unsigned own;

    if (!node || height > JSON_SCHEMA_IN_PLACE_MAX)
        return height;
    own = height_of((struct schema_node *)(uintptr_t)node, above);
    return own > height ? own : height;
}

static unsigned taller_of_list(unsigned height, const struct schema_list *list, unsigned above)
{
    for (size_t i = 0; i < list->count; i++)
        height = taller(height, list->items[i], above);
    return height;
}

/* How many schemas, this one included, may have to be in work at once for one value; more than the
 * maximum: too many, or without end. */
static unsigned height_of(struct schema_node *node, unsigned above)
{
    const struct schema_logic_rules *logic = node->logic;
    unsigned                         height = 0;

    if (node->height || above > JSON_SCHEMA_IN_PLACE_MAX)
        return node->height ? node->height : JSON_SCHEMA_IN_PLACE_MAX + 1;
    if (logic) {
        const struct schema_node *single[] = { logic->not_this,    logic->condition,
                                               logic->consequence, logic->alternative,
                                               logic->reference,   logic->dynamic };

        for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
            height = taller(height, single[i], above + 1);
        height = taller_of_list(height, &logic->all_of, above + 1);
        height = taller_of_list(height, &logic->any_of, above + 1);
        height = taller_of_list(height, &logic->one_of, above + 1);
    }
    for (size_t i = 0; node->object && i < node->object->dependency_count; i++)
        height = taller(height, node->object->dependencies[i].node, above + 1);
    height = height >= JSON_SCHEMA_IN_PLACE_MAX ? JSON_SCHEMA_IN_PLACE_MAX + 1 : height + 1;
    if (height <= JSON_SCHEMA_IN_PLACE_MAX)
        node->height = (uint8_t)height;
    return height;
}

static bool is_before(bp_str a, bp_str b)
{
    return a.len < b.len || (a.len == b.len && a.len && memcmp(a.data, b.data, a.len) < 0);
}

/* Of several that are too high, all those of a circle among them, the first one is named. */
static bool measure_heights(struct compiler *c)
{
    const struct schema_place *first = NULL;

    for (size_t i = 0; i < c->index.place_capacity; i++) {
        struct schema_place *place = &c->index.places[i];

        if (place->node && height_of(place->node, 1) > JSON_SCHEMA_IN_PLACE_MAX &&
            (!first || is_before(place->pointer, first->pointer)))
            first = place;
    }
    return !first || schema_index_fail(&c->index, first->pointer,
                                       "it refers to itself without end, or more than %d schemas "
                                       "apply to one value one within the other",
                                       JSON_SCHEMA_IN_PLACE_MAX);
}

/* ---- the whole ---- */

static bool read_dialect(struct compiler *c, const bp_json *document)
{
    static const struct {
        const char         *uri;
        enum schema_dialect dialect;
    } known[] = {
        { "https://json-schema.org/draft/2020-12/schema", SCHEMA_2020_12 },
        { "https://json-schema.org/draft/2019-09/schema", SCHEMA_2019_09 },
        { "http://json-schema.org/draft-07/schema", SCHEMA_DRAFT_07 },
        { "https://json-schema.org/draft-07/schema", SCHEMA_DRAFT_07 },
        { "http://json-schema.org/draft-06/schema", SCHEMA_DRAFT_07 },
    };
    const bp_json *said = json_get(document, BP_STR("$schema"));
    bp_str         uri = json_as_string(said);

    if (!said)
        return true;
    if (uri.len && uri.data[uri.len - 1] == '#')
        uri.len--;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (bp_str_is(uri, known[i].uri)) {
            c->index.dialect = known[i].dialect;
            return true;
        }
    }
    return schema_index_fail(&c->index, bp_str_of("/$schema"),
                             "\"" BP_FMT "\" is not a dialect known here: 2020-12, 2019-09, "
                             "draft-07 or draft-06",
                             BP_ARG(uri));
}

static bool keep_dynamic_anchors(struct compiler *c)
{
    struct schema_index *index = &c->index;
    struct json_schema  *schema = c->schema;

    c->place = schema_index_find(index, schema->document);
    schema->dynamic_anchors = keep(c, index->anchor_count * sizeof(*schema->dynamic_anchors));
    for (size_t i = 0; schema->dynamic_anchors && i < index->anchor_count; i++) {
        const struct schema_named_place *anchor = &index->anchors[i];
        struct schema_anchor *kept = &schema->dynamic_anchors[schema->dynamic_anchor_count];

        if (!anchor->is_dynamic)
            continue;
        *kept = (struct schema_anchor){ anchor->name, anchor->resource,
                                        node_of(c, "$dynamicAnchor", anchor->value) };
        if (!kept->node)
            return false;
        schema->dynamic_anchor_count++;
    }
    return schema->dynamic_anchors != NULL;
}

static bool compile_nodes(struct compiler *c)
{
    struct json_schema *schema = c->schema;
    struct schema_place root = { .value = schema->document };

    if (json_type_of(schema->document) != JSON_KIND_OBJECT &&
        json_type_of(schema->document) != JSON_KIND_BOOL)
        return schema_index_fail(&c->index, bp_str_of(""), "a schema is an object, true or false");
    if (!schema_index_build(&c->index, schema->document, c->index.problem))
        return false;
    c->place = &root;
    schema->root = node_of(c, "", schema->document);
    if (!schema->root || (schema->root != &schema_node_true && schema->root != &schema_node_false &&
                          !keep_dynamic_anchors(c)))
        return false;
    while (c->waiting_count)
        if (!fill_node(c, c->waiting[--c->waiting_count]))
            return false;
    return measure_heights(c);
}

static bool make_limits(struct compiler *c)
{
    struct json_schema *schema = c->schema;

    c->patterns = pcre2_compile_context_create(NULL);
    schema->limits = pcre2_match_context_create(NULL);
    if (!c->patterns || !schema->limits ||
        pcre2_set_compile_extra_options(c->patterns, PCRE2_EXTRA_ALT_BSUX) != 0)
        return schema_index_fail(&c->index, bp_str_of(""),
                                 "there is not enough memory to compile it");
    pcre2_set_match_limit(schema->limits, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(schema->limits, MATCH_HEAP_KIB);
    return true;
}

static bool compile(struct compiler *c, bp_str text)
{
    struct reason why;

    if (text.len > JSON_SCHEMA_TEXT_BYTES_MAX)
        return schema_index_fail(&c->index, bp_str_of(""), "it is longer than 4 MiB");
    text = arena_dup(&c->schema->arena, text);
    if (json_parse(&c->schema->arena, text, &c->schema->document, &why) != BP_OK)
        return schema_index_fail(&c->index, bp_str_of(""), "it is not JSON: %s", why.text);
    return read_dialect(c, c->schema->document) && make_limits(c) && compile_nodes(c);
}

struct json_schema *json_schema_compile(bp_str text, struct reason *why)
{
    struct json_schema *schema = calloc(1, sizeof(*schema));
    struct compiler     c = { .schema = schema, .index = { .problem = why } };
    bool                is_good;

    reason_clear(why);
    if (!schema)
        return schema_index_fail(&c.index, bp_str_of(""),
                                 "there is not enough memory to compile it")
                   ? schema
                   : NULL;
    arena_init(&schema->arena, SCHEMA_BYTES_MAX);
    is_good = compile(&c, text);
    free(c.waiting);
    schema_index_free(&c.index);
    pcre2_compile_context_free(c.patterns);
    if (is_good)
        return schema;
    json_schema_free(schema);
    return NULL;
}

void json_schema_free(struct json_schema *schema)
{
    if (!schema)
        return;
    for (size_t i = 0; i < schema->pattern_count; i++)
        pcre2_code_free(schema->patterns[i]);
    free(schema->patterns);
    pcre2_match_context_free(schema->limits);
    arena_free(&schema->arena);
    free(schema);
}

bool json_schema_is_open(const struct json_schema *schema)
{
    const struct schema_node         *root = schema->root;
    const struct schema_object_rules *object = root->object;

    if (root->is_never || (root->types && !(root->types & SCHEMA_OBJECT)) || root->constant ||
        root->choices || root->logic)
        return false;
    return !object ||
           (!object->property_count && !object->pattern_count && !object->required_count &&
            !object->names && (!object->additional || object->additional == &schema_node_true) &&
            !object->dependency_count &&
            (!object->unevaluated || object->unevaluated == &schema_node_true) &&
            !object->min_properties && object->max_properties == INT64_MAX);
}

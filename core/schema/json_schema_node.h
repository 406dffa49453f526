/* json_schema_node.h - a compiled schema: private to json_schema_*.c.
 *
 *      text -> json_parse -> index: every subschema, its resource ($id), its place   (json_schema_refs.c)
 *                         -> nodes: one struct for each, references are pointers     (json_schema_compile.c)
 *      value -> walk of nodes, allocation-free                                       (json_schema.c)
 *            -> on failure once more, writing the sentence                           (json_schema_report.c)
 *
 * Names, numbers and constants stay the JSON values they were read as; they live in the schema's
 * arena.
 */
#ifndef CORE_SCHEMA_JSON_SCHEMA_NODE_H
#define CORE_SCHEMA_JSON_SCHEMA_NODE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/reason.h"
#include "schema/json_schema.h"

/* Bits of schema_node.types. */
enum {
    SCHEMA_NULL = 1,
    SCHEMA_BOOL = 2,
    SCHEMA_INTEGER = 4,
    SCHEMA_NUMBER = 8,
    SCHEMA_STRING = 16,
    SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64
};

struct schema_node;

struct schema_list {
    const struct schema_node **items;
    size_t                     count;
};

struct schema_number_rules {
    const bp_json *minimum, *maximum, *above, *below, *multiple_of; /* NULL: no such rule */
};

struct schema_string_rules {
    int64_t           min_length, max_length;
    const pcre2_code *pattern;
    bp_str            pattern_text;
};

struct schema_array_rules {
    struct schema_list        prefix;
    const struct schema_node *items; /* those behind the prefix; NULL: any */
    const struct schema_node *contains;
    const struct schema_node *unevaluated;
    int64_t                   min_items, max_items, min_contains, max_contains;
    bool                      is_unique;
    bool                      contains_evaluates; /* not so before 2020-12 */
};

struct schema_property {
    bp_str                    name;
    const struct schema_node *node;
    bool                      is_required;
};

struct schema_pattern_property {
    const pcre2_code         *pattern;
    const struct schema_node *node;
};

/* If the value has `name`, it must have each of `names` and fit `node`; either may be absent. */
struct schema_dependency {
    bp_str                    name;
    const bp_json            *names;
    const struct schema_node *node;
};

struct schema_object_rules {
    struct schema_property *properties;
    size_t                  property_count;
    uint32_t *slots; /* hash -> property + 1, for more than 8 of them; size is a power of two */
    size_t    slot_count;
    struct schema_pattern_property *patterns;
    size_t                          pattern_count;
    const struct schema_node       *additional;
    const struct schema_node       *names;
    const struct schema_node       *unevaluated;
    const bp_json                  *required; /* the array as it was read */
    size_t                          required_count;
    struct schema_dependency       *dependencies;
    size_t                          dependency_count;
    int64_t                         min_properties, max_properties;
};

struct schema_logic_rules {
    struct schema_list        all_of, any_of, one_of;
    const struct schema_node *not_this;
    const struct schema_node *condition, *consequence, *alternative;
    const struct schema_node *reference;
    const struct schema_node *dynamic; /* what $dynamicRef leads to unless the scope knows better */
    bp_str                    dynamic_name; /* empty: it does not ask the scope */
};

struct schema_node {
    uint8_t  types;    /* SCHEMA_ bits; 0: any */
    bool     is_never; /* the schema false */
    uint8_t  height;   /* of the schemas that apply to the same value below it; 0: not known yet */
    uint32_t resource;
    const bp_json              *constant;
    const bp_json              *choices;
    struct schema_number_rules *number; /* NULL: nothing to check for values of that kind */
    struct schema_string_rules *string;
    struct schema_array_rules  *array;
    struct schema_object_rules *object;
    struct schema_logic_rules  *logic;
};

/* A $dynamicAnchor. */
struct schema_anchor {
    bp_str                    name;
    uint32_t                  resource;
    const struct schema_node *node;
};

struct json_schema {
    struct arena              arena;
    const bp_json            *document;
    const struct schema_node *root;
    struct schema_anchor     *dynamic_anchors;
    size_t                    dynamic_anchor_count;
    pcre2_match_context      *limits;
    pcre2_code              **patterns; /* to be freed */
    size_t                    pattern_count;
};

extern const struct schema_node schema_node_true, schema_node_false;

/* ---- json_schema_refs.c: where the subschemas of a text are, and what a reference means ---- */

enum schema_dialect { SCHEMA_2020_12, SCHEMA_2019_09, SCHEMA_DRAFT_07 };

/* One subschema that is an object. */
struct schema_place {
    const bp_json      *value;
    struct schema_node *node; /* NULL: nobody needed it yet */
    bp_str              pointer;
    uint32_t            resource;
};

/* A schema with a URI of its own: the text, or a part of it that has $id. */
struct schema_resource {
    bp_str         uri; /* without a fragment */
    const bp_json *root;
};

struct schema_named_place {
    bp_str         name;
    uint32_t       resource;
    const bp_json *value;
    bool           is_dynamic;
};

struct schema_index {
    struct arena               scratch; /* what only compiling needs */
    const bp_json             *document;
    enum schema_dialect        dialect;
    struct schema_place       *places; /* open addressing by address of the value */
    size_t                     place_count, place_capacity;
    struct schema_resource    *resources;
    size_t                     resource_count, resource_capacity;
    struct schema_named_place *anchors;
    size_t                     anchor_count, anchor_capacity;
    struct reason             *problem;
};

/* All of these: false, or NULL, with a sentence. */
bool schema_index_build(struct schema_index *index, const bp_json *document, struct reason *why);
void schema_index_free(struct schema_index *index);
/* The place of a subschema that is an object; NULL when it is none or not known. */
struct schema_place *schema_index_find(const struct schema_index *index, const bp_json *value);
/* What `reference`, written in `from`, leads to. `anchor` is set to its $dynamicAnchor if it leads
 * to one. */
const bp_json *schema_index_resolve(struct schema_index *index, const struct schema_place *from,
                                    const char *keyword, bp_str reference, bp_str *anchor);
bool schema_index_fail(struct schema_index *index, bp_str pointer, const char *format, ...)
    BP_FORMAT(3, 4);
/* `pointer`/`key`, escaped as RFC 6901 wants it. */
bp_str schema_pointer_join(struct arena *arena, bp_str pointer, bp_str key);

/* How the value of a keyword holds schemas. */
enum schema_holds {
    SCHEMA_HOLDS_NONE,
    SCHEMA_HOLDS_ONE,
    SCHEMA_HOLDS_ARRAY,
    SCHEMA_HOLDS_ONE_OR_ARRAY,
    SCHEMA_HOLDS_MAP /* members that are neither objects nor booleans are no schemas */
};
enum schema_holds schema_keyword_holds(bp_str keyword); /* json_schema_compile.c */

/* ---- json_schema_report.c: sentences ---- */

/* The way from the whole value to the part that is being checked, and through which resources the
 * check came. */
struct schema_frame {
    const struct schema_frame *parent;
    const bp_json             *value;
    bp_str                     key;   /* of the value in the one above, unless data is NULL */
    size_t                     index; /* else this, unless is_same */
    uint32_t                   resource;
    uint16_t                   depth;
    bool                       is_same; /* the same value as the one above */
};

enum { SCHEMA_SENTENCE_BYTES = 512 };

struct schema_sentence {
    char  *text;
    size_t len; /* of SCHEMA_SENTENCE_BYTES */
};

void schema_say(struct schema_sentence *s, const char *format, ...) BP_FORMAT(2, 3);
void schema_say_place(struct schema_sentence *s, const struct schema_frame *at);
void schema_say_pointer(struct schema_sentence *s, const struct schema_frame *at);
void schema_say_value(struct schema_sentence *s, const bp_json *value);
void schema_say_quoted(struct schema_sentence *s, bp_str text);
void schema_say_types(struct schema_sentence *s, uint8_t types);
void schema_say_near(struct schema_sentence *s, bp_str name, bp_str best);

/* ---- json_schema_value.c: questions about values ---- */

uint8_t schema_types_of(const bp_json *value); /* 1.0 is both a number and an integer */
int     schema_compare_numbers(const bp_json *a, const bp_json *b);
bool    schema_is_multiple(const bp_json *value, const bp_json *of);
bool    schema_is_equal(const bp_json *a, const bp_json *b);
size_t  schema_characters(bp_str text);
/* False when two items are equal (their places are set), or, with *is_aborted, when there is no
 * memory or time. */
bool schema_items_are_unique(const bp_json *array, size_t *first, size_t *second, bool *is_aborted);
uint32_t schema_hash_name(bp_str name);

#endif

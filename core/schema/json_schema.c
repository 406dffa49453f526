/* json_schema.c - whether a value fits: a walk over the nodes of the schema and the value together.
 *
 * The first walk is silent, since nearly all values fit. When one does not, a second walk over the
 * same nodes writes the sentence where it fails. Where a failure is no failure (anyOf, not, if,
 * contains) the walk is silent again; a list of alternatives that all fail is measured first, and
 * the one that got furthest into the value names the mistake.
 *
 * unevaluatedProperties and unevaluatedItems mark in a bitmap what the schemas beside them have
 * looked at: those subschemas that the value fits are walked once more, so that nothing need be
 * remembered in the common case.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "schema/json_schema_node.h"
#include "base/str.h"

enum {
    CHECK_NS_MAX = 1000000000,
    STEPS_BETWEEN_LOOKS = 1 << 14,
    MATCHES_BETWEEN_LOOKS = 64,
    MARKS_FIXED = 1024
};

enum run_mode { SILENT, MEASURING, REPORTING };

/* One check. */
struct run {
    const struct json_schema *schema;
    enum run_mode             mode;
    unsigned                  furthest; /* MEASURING: how deep in the value it failed */
    uint32_t                  steps, matches;
    int64_t                   until_ns; /* 0: the clock was not looked at yet */
    const char               *aborted; /* why the check was given up; then nothing it said counts */
    struct schema_sentence    sentence;
};

/* Kept out of fits(): its frame counts for every level of nesting. */
#define OWN_FRAME __attribute__((noinline))

static bool fits(struct run *run, const struct schema_node *node, const struct schema_frame *at);

/* ---- failing ---- */

static unsigned level_of(const struct schema_frame *at)
{
    unsigned level = 0;

    for (; at; at = at->parent)
        level += !at->is_same;
    return level;
}

/* Where to write why `at` does not fit; NULL when nobody wants to know. */
static struct schema_sentence *misfit(struct run *run, const struct schema_frame *at)
{
    if (run->mode == MEASURING) {
        unsigned level = level_of(at);
        run->furthest = level > run->furthest ? level : run->furthest;
    }
    return run->mode == REPORTING && !run->sentence.len ? &run->sentence : NULL;
}

static bool give_up(struct run *run, const char *why)
{
    run->aborted = why;
    return false;
}

static bool is_late(struct run *run)
{
    int64_t now = clock_now_ns();

    if (!run->until_ns)
        run->until_ns = now + CHECK_NS_MAX;
    if (now < run->until_ns)
        return false;
    give_up(run, "the value takes too long to check");
    return true;
}

/* "PLACE must be WANTED, not VALUE" */
static OWN_FRAME bool refuse_number(struct run *run, const struct schema_frame *at,
                                    const char *wanted, const bp_json *bound)
{
    struct schema_sentence *s = misfit(run, at);

    if (!s)
        return false;
    schema_say_place(s, at);
    schema_say(s, " must be %s ", wanted);
    schema_say_value(s, bound);
    schema_say(s, ", not ");
    schema_say_value(s, at->value);
    return false;
}

/* "PLACE must have at least 3 items, not 2" */
static OWN_FRAME bool refuse_count(struct run *run, const struct schema_frame *at,
                                   const char *bound, int64_t wanted, const char *unit,
                                   size_t found)
{
    struct schema_sentence *s = misfit(run, at);

    if (!s)
        return false;
    schema_say_place(s, at);
    schema_say(s, " must have %s %lld %s, not %zu", bound, (long long)wanted, unit, found);
    return false;
}

static OWN_FRAME bool refuse_type(struct run *run, const struct schema_node *node,
                                  const struct schema_frame *at)
{
    struct schema_sentence *s = misfit(run, at);

    if (!s)
        return false;
    schema_say_place(s, at);
    schema_say(s, " must be ");
    schema_say_types(s, node->types);
    schema_say(s, ", not ");
    schema_say_value(s, at->value);
    return false;
}

static OWN_FRAME bool refuse_plainly(struct run *run, const struct schema_frame *at,
                                     const char *sentence)
{
    struct schema_sentence *s = misfit(run, at);

    if (!s)
        return false;
    schema_say_place(s, at);
    schema_say(s, " %s", sentence);
    return false;
}

static OWN_FRAME bool refuse_missing(struct run *run, const struct schema_frame *at, bp_str name)
{
    struct schema_frame     missing = { .parent = at, .key = name };
    struct schema_sentence *s = misfit(run, at);

    if (!s)
        return false;
    schema_say_pointer(s, &missing);
    schema_say(s, " is missing");
    return false;
}

/* ---- constants ---- */

static OWN_FRAME bool refuse_constant(struct run *run, const struct schema_node *node,
                                      const struct schema_frame *at)
{
    struct schema_sentence *s = misfit(run, at);
    size_t                  count = json_count(node->choices);

    if (!s)
        return false;
    schema_say_place(s, at);
    schema_say(s, node->constant || count == 1 ? " must be " : " must be one of ");
    if (node->constant)
        schema_say_value(s, node->constant);
    for (size_t i = 0; !node->constant && i < count && s->len < SCHEMA_SENTENCE_BYTES / 2; i++) {
        schema_say(s, i ? ", " : "");
        schema_say_value(s, json_at(node->choices, i));
    }
    schema_say(s, ", not ");
    schema_say_value(s, at->value);
    for (size_t i = 0; !node->constant && i < count; i++) {
        bp_str choice = json_as_string(json_at(node->choices, i)), said = json_as_string(at->value);

        if (said.len && choice.len && str_is_near(said, choice)) {
            schema_say_near(s, said, choice);
            break;
        }
    }
    return false;
}

static bool fits_constant(struct run *run, const struct schema_node *node,
                          const struct schema_frame *at)
{
    if (node->constant && !schema_is_equal(node->constant, at->value))
        return refuse_constant(run, node, at);
    if (!node->choices)
        return true;
    for (size_t i = 0; i < json_count(node->choices); i++)
        if (schema_is_equal(json_at(node->choices, i), at->value))
            return true;
    return refuse_constant(run, node, at);
}

/* ---- numbers and strings ---- */

static OWN_FRAME bool fits_number(struct run *run, const struct schema_number_rules *rules,
                                  const struct schema_frame *at)
{
    if (rules->minimum && schema_compare_numbers(at->value, rules->minimum) < 0)
        return refuse_number(run, at, "at least", rules->minimum);
    if (rules->maximum && schema_compare_numbers(at->value, rules->maximum) > 0)
        return refuse_number(run, at, "at most", rules->maximum);
    if (rules->above && schema_compare_numbers(at->value, rules->above) <= 0)
        return refuse_number(run, at, "more than", rules->above);
    if (rules->below && schema_compare_numbers(at->value, rules->below) >= 0)
        return refuse_number(run, at, "less than", rules->below);
    if (rules->multiple_of && !schema_is_multiple(at->value, rules->multiple_of))
        return refuse_number(run, at, "a multiple of", rules->multiple_of);
    return true;
}

static pthread_key_t match_data_key;

static void free_match_data(void *data)
{
    pcre2_match_data_free(data);
}

static void make_match_data_key(void)
{
    pthread_key_create(&match_data_key, free_match_data);
}

/* One a thread, made when first needed; the memory in which PCRE2 backtracks stays with it. */
static pcre2_match_data *match_data(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pcre2_match_data     *data;

    pthread_once(&once, make_match_data_key);
    data = pthread_getspecific(match_data_key);
    if (!data) {
        data = pcre2_match_data_create(1, NULL);
        pthread_setspecific(match_data_key, data);
    }
    return data;
}

static bool matches(struct run *run, const pcre2_code *pattern, bp_str text)
{
    pcre2_match_data *data = match_data();
    int               found;

    if (!data)
        return give_up(run, "there is not enough memory to check the value");
    if (run->matches++ % MATCHES_BETWEEN_LOOKS == 0 && is_late(run))
        return false;
    found = pcre2_match(pattern, (PCRE2_SPTR)(text.len ? text.data : ""), text.len, 0,
                        PCRE2_NO_UTF_CHECK, data, run->schema->limits);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
        return give_up(run, "a text of the value takes too long to match with its pattern");
    return found >= 0;
}

static OWN_FRAME bool fits_string(struct run *run, const struct schema_string_rules *rules,
                                  const struct schema_frame *at)
{
    bp_str text = json_as_string(at->value);

    // A character has one to four bytes, so most lengths are known without counting.
    if (rules->min_length > 0 || text.len > (uint64_t)rules->max_length) {
        size_t length = schema_characters(text);

        if (length < (uint64_t)rules->min_length)
            return refuse_count(run, at, "at least", rules->min_length, "characters", length);
        if (length > (uint64_t)rules->max_length)
            return refuse_count(run, at, "at most", rules->max_length, "characters", length);
    }
    if (rules->pattern && !matches(run, rules->pattern, text)) {
        struct schema_sentence *s = misfit(run, at);

        if (s) {
            schema_say_place(s, at);
            schema_say(s, " must match the pattern ");
            schema_say_quoted(s, rules->pattern_text);
            schema_say(s, ", not be ");
            schema_say_value(s, at->value);
        }
        return false;
    }
    return true;
}

/* ---- parts of the value, and other schemas for the same value ---- */

static bool member_fits(struct run *run, const struct schema_node *node,
                        const struct schema_frame *at, bp_str key, const bp_json *value)
{
    struct schema_frame below = { .parent = at,
                                  .value = value,
                                  .key = key,
                                  .resource = node->resource,
                                  .depth = (uint16_t)(at->depth + 1) };
    return fits(run, node, &below);
}

static bool item_fits(struct run *run, const struct schema_node *node,
                      const struct schema_frame *at, size_t index)
{
    struct schema_frame below = { .parent = at,
                                  .value = json_at(at->value, index),
                                  .index = index,
                                  .resource = node->resource,
                                  .depth = (uint16_t)(at->depth + 1) };
    return fits(run, node, &below);
}

static bool same_fits(struct run *run, const struct schema_node *node,
                      const struct schema_frame *at)
{
    struct schema_frame below = { .parent = at,
                                  .value = at->value,
                                  .is_same = true,
                                  .resource = node->resource,
                                  .depth = (uint16_t)(at->depth + 1) };
    return fits(run, node, &below);
}

/* Where not to fit is no failure. */
static bool same_fits_silently(struct run *run, const struct schema_node *node,
                               const struct schema_frame *at)
{
    enum run_mode mode = run->mode;
    bool          is_good;

    run->mode = SILENT;
    is_good = same_fits(run, node, at);
    run->mode = mode;
    return is_good && !run->aborted;
}

static bool item_fits_silently(struct run *run, const struct schema_node *node,
                               const struct schema_frame *at, size_t index)
{
    enum run_mode mode = run->mode;
    bool          is_good;

    run->mode = SILENT;
    is_good = item_fits(run, node, at, index);
    run->mode = mode;
    return is_good && !run->aborted;
}

/* ---- arrays ---- */

static bool fits_contains(struct run *run, const struct schema_array_rules *rules,
                          const struct schema_frame *at, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count && !run->aborted; i++) {
        if (rules->max_contains == INT64_MAX && found >= (uint64_t)rules->min_contains)
            break;
        found += item_fits_silently(run, rules->contains, at, i);
    }
    if (found < (uint64_t)rules->min_contains)
        return refuse_count(run, at, "at least", rules->min_contains,
                            "items of the kind it must contain", found);
    if (found > (uint64_t)rules->max_contains)
        return refuse_count(run, at, "at most", rules->max_contains, "items of that kind", found);
    return !run->aborted;
}

static OWN_FRAME bool fits_unique(struct run *run, const struct schema_frame *at)
{
    size_t                  first = 0, second = 0;
    bool                    is_aborted = false;
    struct schema_sentence *s;

    if (schema_items_are_unique(at->value, &first, &second, &is_aborted))
        return true;
    if (is_aborted)
        return give_up(run,
                       "whether all items of a list of the value differ takes too long to check");
    s = misfit(run, at);
    if (s) {
        schema_say_place(s, at);
        schema_say(s, " must not have the same item twice, as it has at %zu and %zu", first,
                   second);
    }
    return false;
}

static OWN_FRAME bool fits_array(struct run *run, const struct schema_array_rules *rules,
                                 const struct schema_frame *at)
{
    size_t count = json_count(at->value);

    if (count < (uint64_t)rules->min_items)
        return refuse_count(run, at, "at least", rules->min_items, "items", count);
    if (count > (uint64_t)rules->max_items)
        return refuse_count(run, at, "at most", rules->max_items, "items", count);
    for (size_t i = 0; i < count; i++) {
        const struct schema_node *node = i < rules->prefix.count ? rules->prefix.items[i]
                                                                 : rules->items;

        if (!node)
            break;
        if (!item_fits(run, node, at, i))
            return false;
    }
    if (rules->is_unique && !fits_unique(run, at))
        return false;
    return !rules->contains || fits_contains(run, rules, at, count);
}

/* ---- objects ---- */

static const struct schema_property *find_property(const struct schema_object_rules *rules,
                                                   bp_str                            name)
{
    if (!rules->slots) {
        for (size_t i = 0; i < rules->property_count; i++)
            if (bp_str_equal(rules->properties[i].name, name))
                return &rules->properties[i];
        return NULL;
    }
    for (size_t at = schema_hash_name(name) & (rules->slot_count - 1); rules->slots[at];
         at = (at + 1) & (rules->slot_count - 1))
        if (bp_str_equal(rules->properties[rules->slots[at] - 1].name, name))
            return &rules->properties[rules->slots[at] - 1];
    return NULL;
}

static OWN_FRAME bool refuse_unknown(struct run *run, const struct schema_object_rules *rules,
                                     const struct schema_frame *at, bp_str name)
{
    struct schema_frame     unknown = { .parent = at, .key = name };
    struct schema_sentence *s = misfit(run, &unknown);
    bp_str                  best = { "", 0 };

    if (!s)
        return false;
    for (size_t i = 0; i < rules->property_count; i++) {
        bp_str known = rules->properties[i].name;

        if (str_is_near(name, known) && !json_get(at->value, known) &&
            (!best.len || str_distance(name, known) < str_distance(name, best)))
            best = known;
    }
    if (level_of(at) == 0) {
        schema_say_quoted(s, name);
        schema_say(s, " is not a known argument");
    } else {
        schema_say_pointer(s, &unknown);
        schema_say(s, " is not a known property");
    }
    schema_say_near(s, name, best);
    return false;
}

static OWN_FRAME bool name_fits(struct run *run, const struct schema_node *node,
                                const struct schema_frame *at, bp_str name)
{
    struct arena        arena;
    struct schema_frame below = {
        .parent = at, .key = name, .resource = node->resource, .depth = (uint16_t)(at->depth + 1)
    };
    bool is_good;

    arena_init(&arena, SIZE_MAX); // it takes what the name takes
    below.value = json_string_in(&arena, name);
    is_good = below.value ? fits(run, node, &below)
                          : give_up(run, "there is not enough memory to check the value");
    arena_free(&arena);
    return is_good;
}

/* A member by all rules that look at one member alone. */
static bool fits_member(struct run *run, const struct schema_object_rules *rules,
                        const struct schema_frame *at, bp_str key, const bp_json *value,
                        size_t *required_seen)
{
    const struct schema_property *property = find_property(rules, key);
    bool                          is_known = property != NULL;

    if (property) {
        *required_seen += property->is_required;
        if (!member_fits(run, property->node, at, key, value))
            return false;
    }
    for (size_t i = 0; i < rules->pattern_count; i++) {
        if (!matches(run, rules->patterns[i].pattern, key))
            continue;
        is_known = true;
        if (!member_fits(run, rules->patterns[i].node, at, key, value))
            return false;
    }
    if (!is_known && rules->additional && !run->aborted) {
        if (rules->additional->is_never)
            return refuse_unknown(run, rules, at, key);
        if (!member_fits(run, rules->additional, at, key, value))
            return false;
    }
    return !rules->names || name_fits(run, rules->names, at, key);
}

static bool fits_members(struct run *run, const struct schema_object_rules *rules,
                         const struct schema_frame *at, size_t count, size_t *required_seen)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    if (rules->pattern_count || rules->additional || rules->names ||
        count < rules->property_count) {
        while (json_entry(at->value, &cursor, &key, &value))
            if (!fits_member(run, rules, at, key, value, required_seen))
                return false;
        return true;
    }
    for (size_t i = 0; i < rules->property_count; i++) {
        const struct schema_property *property = &rules->properties[i];

        value = json_get(at->value, property->name);
        if (!value)
            continue;
        *required_seen += property->is_required;
        if (!member_fits(run, property->node, at, property->name, value))
            return false;
    }
    return true;
}

static bool has_required(struct run *run, const struct schema_frame *at, const bp_json *names)
{
    for (size_t i = 0; i < json_count(names); i++) {
        bp_str name = json_as_string(json_at(names, i));

        if (!json_get(at->value, name))
            return refuse_missing(run, at, name);
    }
    return true;
}

static OWN_FRAME bool fits_object(struct run *run, const struct schema_object_rules *rules,
                                  const struct schema_frame *at)
{
    size_t count = json_count(at->value), required_seen = 0;

    if (count < (uint64_t)rules->min_properties)
        return refuse_count(run, at, "at least", rules->min_properties, "properties", count);
    if (count > (uint64_t)rules->max_properties)
        return refuse_count(run, at, "at most", rules->max_properties, "properties", count);
    if (!fits_members(run, rules, at, count, &required_seen))
        return false;
    // Where all that is required is among the properties, the pass over the members has counted it.
    if (required_seen < rules->required_count && !has_required(run, at, rules->required))
        return false;
    for (size_t i = 0; i < rules->dependency_count; i++) {
        const struct schema_dependency *dependency = &rules->dependencies[i];

        if (json_get(at->value, dependency->name) &&
            (!has_required(run, at, dependency->names) ||
             (dependency->node && !same_fits(run, dependency->node, at))))
            return false;
    }
    return true;
}

/* ---- allOf, anyOf, oneOf, not, if, references ---- */

/* Which types may fit, seen through plain references; 0: any. */
static uint8_t types_wanted(const struct schema_node *node)
{
    for (unsigned i = 0;
         i < JSON_SCHEMA_IN_PLACE_MAX && !node->types && node->logic && node->logic->reference; i++)
        node = node->logic->reference;
    return node->types;
}

/* Says why none of the alternatives fits: what the one says that got furthest into the value, or
 * the only one that is for values of this type; else which types would do. */
static OWN_FRAME bool refuse_alternatives(struct run *run, const struct schema_list *list,
                                          const struct schema_frame *at)
{
    unsigned                  furthest = level_of(at), type_count = 0;
    uint8_t                   types = schema_types_of(at->value), all_types = 0;
    const struct schema_node *best = NULL, *of_type = NULL;
    struct schema_sentence   *s = misfit(run, at);

    if (!s)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        uint8_t wanted = types_wanted(list->items[i]);

        run->mode = MEASURING;
        run->furthest = 0;
        same_fits(run, list->items[i], at);
        run->mode = REPORTING;
        if (run->furthest > furthest) {
            furthest = run->furthest;
            best = list->items[i];
        }
        all_types |= wanted ? wanted : types;
        if (!wanted || wanted & types) {
            of_type = list->items[i];
            type_count++;
        }
    }
    best = best ? best : type_count == 1 ? of_type : NULL;
    if (best)
        return same_fits(run, best, at);
    schema_say_place(s, at);
    if (all_types & types) {
        schema_say(s, " fits none of the %zu forms that are allowed there", list->count);
        return false;
    }
    schema_say(s, " must be ");
    schema_say_types(s, all_types);
    schema_say(s, ", not ");
    schema_say_value(s, at->value);
    return false;
}

static bool fits_any(struct run *run, const struct schema_list *list, const struct schema_frame *at)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_fits_silently(run, list->items[i], at))
            return true;
    return refuse_alternatives(run, list, at);
}

static bool fits_one(struct run *run, const struct schema_list *list, const struct schema_frame *at)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count && count < 2; i++)
        count += same_fits_silently(run, list->items[i], at);
    if (count == 1)
        return true;
    return count
               ? refuse_plainly(run, at,
                                "fits more than one of the forms of which it must fit exactly one")
               : refuse_alternatives(run, list, at);
}

/* The outermost resource that the check came through and that has the anchor decides
 * (core 8.2.3.2). */
static const struct schema_node *dynamic_target(const struct run                *run,
                                                const struct schema_logic_rules *rules,
                                                const struct schema_frame       *at)
{
    const struct schema_node *target = rules->dynamic;

    for (; rules->dynamic_name.len && at; at = at->parent) {
        for (size_t i = 0; i < run->schema->dynamic_anchor_count; i++) {
            const struct schema_anchor *anchor = &run->schema->dynamic_anchors[i];

            if (anchor->resource == at->resource && bp_str_equal(anchor->name, rules->dynamic_name))
                target = anchor->node;
        }
    }
    return target;
}

static bool fits_condition(struct run *run, const struct schema_logic_rules *rules,
                           const struct schema_frame *at)
{
    const struct schema_node *then = same_fits_silently(run, rules->condition, at)
                                         ? rules->consequence
                                         : rules->alternative;

    return !then || same_fits(run, then, at);
}

static OWN_FRAME bool fits_logic(struct run *run, const struct schema_logic_rules *rules,
                                 const struct schema_frame *at)
{
    if (rules->reference && !same_fits(run, rules->reference, at))
        return false;
    if (rules->dynamic && !same_fits(run, dynamic_target(run, rules, at), at))
        return false;
    for (size_t i = 0; i < rules->all_of.count; i++)
        if (!same_fits(run, rules->all_of.items[i], at))
            return false;
    if (rules->any_of.count && !fits_any(run, &rules->any_of, at))
        return false;
    if (rules->one_of.count && !fits_one(run, &rules->one_of, at))
        return false;
    if (rules->not_this && same_fits_silently(run, rules->not_this, at))
        return refuse_plainly(run, at, "has just the form that is not allowed there");
    return !rules->condition || fits_condition(run, rules, at);
}

/* ---- evaluated members and items ---- */

/* One bit for each item, or for each member in the order of a walk. */
struct marks {
    uint64_t *bits;
    size_t    count, left;
    uint64_t  fixed[MARKS_FIXED / 64];
};

static void mark(struct marks *marks, size_t index)
{
    uint64_t bit = UINT64_C(1) << (index % 64);

    marks->left -= !(marks->bits[index / 64] & bit);
    marks->bits[index / 64] |= bit;
}

static OWN_FRAME void mark_members(struct run *run, const struct schema_object_rules *rules,
                                   const struct schema_frame *at, struct marks *marks)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    for (size_t index = 0; json_entry(at->value, &cursor, &key, &value); index++) {
        bool is_known = find_property(rules, key) != NULL;

        for (size_t i = 0; i < rules->pattern_count && !is_known; i++)
            is_known = matches(run, rules->patterns[i].pattern, key);
        if (is_known || rules->additional)
            mark(marks, index);
    }
}

static OWN_FRAME void mark_items(struct run *run, const struct schema_array_rules *rules,
                                 const struct schema_frame *at, struct marks *marks)
{
    for (size_t i = 0; i < marks->count; i++)
        if (i < rules->prefix.count || rules->items ||
            (rules->contains && rules->contains_evaluates &&
             item_fits_silently(run, rules->contains, at, i)))
            mark(marks, i);
}

static void mark_node(struct run *run, const struct schema_node *node,
                      const struct schema_frame *at, struct marks *marks, bool is_first);

static void mark_same(struct run *run, const struct schema_node *node,
                      const struct schema_frame *at, struct marks *marks)
{
    struct schema_frame below = { .parent = at,
                                  .value = at->value,
                                  .is_same = true,
                                  .resource = node->resource,
                                  .depth = (uint16_t)(at->depth + 1) };

    if (marks->left)
        mark_node(run, node, &below, marks, false);
}

static OWN_FRAME void mark_logic(struct run *run, const struct schema_logic_rules *rules,
                                 const struct schema_frame *at, struct marks *marks)
{
    const struct schema_list *lists[] = { &rules->any_of, &rules->one_of };

    if (rules->reference)
        mark_same(run, rules->reference, at, marks);
    if (rules->dynamic)
        mark_same(run, dynamic_target(run, rules, at), at, marks);
    for (size_t i = 0; i < rules->all_of.count; i++)
        mark_same(run, rules->all_of.items[i], at, marks);
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
        for (size_t i = 0; i < lists[l]->count && marks->left; i++)
            if (same_fits_silently(run, lists[l]->items[i], at))
                mark_same(run, lists[l]->items[i], at, marks);
    if (rules->condition) {
        bool                      holds = same_fits_silently(run, rules->condition, at);
        const struct schema_node *then = holds ? rules->consequence : rules->alternative;

        if (holds)
            mark_same(run, rules->condition, at, marks);
        if (then)
            mark_same(run, then, at, marks);
    }
}

/* Marks what `node`, which the value fits, has looked at. The first node's own unevaluated* is what
 * asks. */
static void mark_node(struct run *run, const struct schema_node *node,
                      const struct schema_frame *at, struct marks *marks, bool is_first)
{
    bool is_object = json_type_of(at->value) == JSON_KIND_OBJECT;

    if (is_object && node->object) {
        if (node->object->unevaluated && !is_first)
            marks->left = 0; // nobody looks at the bits any more
        else
            mark_members(run, node->object, at, marks);
        for (size_t i = 0; i < node->object->dependency_count; i++)
            if (node->object->dependencies[i].node &&
                json_get(at->value, node->object->dependencies[i].name))
                mark_same(run, node->object->dependencies[i].node, at, marks);
    }
    if (!is_object && node->array) {
        if (node->array->unevaluated && !is_first)
            marks->left = 0; // nobody looks at the bits any more
        else
            mark_items(run, node->array, at, marks);
    }
    if (node->logic && marks->left)
        mark_logic(run, node->logic, at, marks);
}

static OWN_FRAME bool rest_fits(struct run *run, const struct schema_node *node,
                                const struct schema_frame *at, const struct marks *marks)
{
    bool                      is_object = json_type_of(at->value) == JSON_KIND_OBJECT;
    const struct schema_node *rest = is_object ? node->object->unevaluated
                                               : node->array->unevaluated;
    size_t                    cursor = 0;
    bp_str                    key = { NULL, 0 };
    const bp_json            *value;

    for (size_t i = 0; i < marks->count; i++) {
        if (is_object)
            json_entry(at->value, &cursor, &key, &value);
        if (marks->bits[i / 64] >> (i % 64) & 1)
            continue;
        if (is_object && rest->is_never)
            return refuse_unknown(run, node->object, at, key);
        if (is_object ? !member_fits(run, rest, at, key, value) : !item_fits(run, rest, at, i))
            return false;
    }
    return true;
}

static OWN_FRAME bool fits_unevaluated(struct run *run, const struct schema_node *node,
                                       const struct schema_frame *at)
{
    struct marks marks = { .count = json_count(at->value) };
    bool         is_good;

    marks.left = marks.count;
    marks.bits = marks.count <= MARKS_FIXED ? marks.fixed
                                            : calloc((marks.count + 63) / 64, sizeof(uint64_t));
    if (!marks.bits)
        return give_up(run, "there is not enough memory to check the value");
    mark_node(run, node, at, &marks, true);
    is_good = !marks.left || rest_fits(run, node, at, &marks);
    if (marks.bits != marks.fixed)
        free(marks.bits);
    return is_good;
}

/* ---- one schema, one value ---- */

static bool fits(struct run *run, const struct schema_node *node, const struct schema_frame *at)
{
    uint8_t types = schema_types_of(at->value);

    if (run->aborted || (++run->steps % STEPS_BETWEEN_LOOKS == 0 && is_late(run)))
        return false;
    if (at->depth > JSON_SCHEMA_DEPTH_MAX)
        return give_up(run, "the value is nested too deep to check");
    if (node->is_never)
        return refuse_plainly(run, at, "is not allowed");
    if (node->types && !(node->types & types))
        return refuse_type(run, node, at);
    if ((node->constant || node->choices) && !fits_constant(run, node, at))
        return false;
    if (node->string && types & SCHEMA_STRING && !fits_string(run, node->string, at))
        return false;
    if (node->number && types & SCHEMA_NUMBER && !fits_number(run, node->number, at))
        return false;
    if (node->array && types & SCHEMA_ARRAY && !fits_array(run, node->array, at))
        return false;
    if (node->object && types & SCHEMA_OBJECT && !fits_object(run, node->object, at))
        return false;
    if (node->logic && !fits_logic(run, node->logic, at))
        return false;
    if ((node->object && node->object->unevaluated && types & SCHEMA_OBJECT) ||
        (node->array && node->array->unevaluated && types & SCHEMA_ARRAY))
        return fits_unevaluated(run, node, at);
    return true;
}

bool json_schema_check(const struct json_schema *schema, const bp_json *value, struct reason *why)
{
    struct schema_frame whole = { .value = value,
                                  .is_same = true,
                                  .resource = schema->root->resource };
    struct run          run = { .schema = schema, .mode = SILENT };

    if (fits(&run, schema->root, &whole) && !run.aborted)
        return true;
    reason_clear(why);
    if (!run.aborted) {
        run = (struct run){ .schema = schema,
                            .mode = REPORTING,
                            .sentence = { .text = why->text } };
        fits(&run, schema->root, &whole);
    }
    if (run.aborted || !run.sentence.len) {
        run.sentence = (struct schema_sentence){ .text = why->text };
        schema_say(&run.sentence, "%s", run.aborted ? run.aborted : "the value does not fit");
    }
    return false;
}

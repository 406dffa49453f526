/* json_schema_value.c - properties of values that JSON Schema tests: type, order, equality,
 * uniqueness.
 */
#include "schema/json_schema_node.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { ROUNDINGS_MAX = 4 }; /* how many units in the last place a quotient may be off */

static const uint32_t NAME_BASIS = 2166136261u, NAME_PRIME = 16777619u; // FNV-1a

uint8_t schema_types_of(const bp_json *value)
{
    double number;

    switch (json_type_of(value)) {
    case JSON_KIND_NONE:
        return 0;
    case JSON_KIND_NULL:
        return SCHEMA_NULL;
    case JSON_KIND_BOOL:
        return SCHEMA_BOOL;
    case JSON_KIND_INTEGER:
        return SCHEMA_INTEGER | SCHEMA_NUMBER;
    case JSON_KIND_NUMBER:
        number = json_as_number(value);
        return trunc(number) < number || trunc(number) > number ? SCHEMA_NUMBER
                                                                : SCHEMA_INTEGER | SCHEMA_NUMBER;
    case JSON_KIND_STRING:
        return SCHEMA_STRING;
    case JSON_KIND_ARRAY:
        return SCHEMA_ARRAY;
    case JSON_KIND_OBJECT:
        return SCHEMA_OBJECT;
    }
    return 0;
}

static int sign_of_double(double a, double b)
{
    return a < b ? -1 : a > b;
}

/* Exactly: most int64 are no double. */
static int compare_mixed(int64_t a, double b)
{
    int64_t whole;

    if (b >= 0x1p63)
        return -1;
    if (b < -0x1p63)
        return 1;
    whole = (int64_t)b; // towards zero
    if (a != whole)
        return a < whole ? -1 : 1;
    return sign_of_double(0, b - (double)whole);
}

int schema_compare_numbers(const bp_json *a, const bp_json *b)
{
    bool a_is_integer = json_type_of(a) == JSON_KIND_INTEGER,
         b_is_integer = json_type_of(b) == JSON_KIND_INTEGER;

    if (a_is_integer && b_is_integer) {
        int64_t left = json_as_integer(a), right = json_as_integer(b);
        return left < right ? -1 : left > right;
    }
    if (a_is_integer)
        return compare_mixed(json_as_integer(a), json_as_number(b));
    if (b_is_integer)
        return -compare_mixed(json_as_integer(b), json_as_number(a));
    return sign_of_double(json_as_number(a), json_as_number(b));
}

/* `of` is above 0. 0.0075 is a multiple of 0.0001 to people, though not to doubles: what rounding
 * explains is let pass. */
bool schema_is_multiple(const bp_json *value, const bp_json *of)
{
    double quotient;

    if (json_type_of(value) == JSON_KIND_INTEGER && json_type_of(of) == JSON_KIND_INTEGER)
        return json_as_integer(value) % json_as_integer(of) == 0;
    quotient = json_as_number(value) / json_as_number(of);
    return isfinite(quotient) &&
           fabs(quotient - round(quotient)) <= ROUNDINGS_MAX * DBL_EPSILON * fabs(quotient);
}

static bool objects_are_equal(const bp_json *a, const bp_json *b)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value, *other;

    while (json_entry(a, &cursor, &key, &value)) {
        other = json_get(b, key);
        if (!other || !schema_is_equal(value, other))
            return false;
    }
    return true;
}

bool schema_is_equal(const bp_json *a, const bp_json *b)
{
    enum json_type type = json_type_of(a), other = json_type_of(b);

    if ((type == JSON_KIND_INTEGER || type == JSON_KIND_NUMBER) &&
        (other == JSON_KIND_INTEGER || other == JSON_KIND_NUMBER))
        return schema_compare_numbers(a, b) == 0;
    if (type != other || json_count(a) != json_count(b))
        return false;
    switch (type) {
    case JSON_KIND_BOOL:
        return json_as_bool(a) == json_as_bool(b);
    case JSON_KIND_STRING:
        return bp_str_equal(json_as_string(a), json_as_string(b));
    case JSON_KIND_OBJECT:
        return objects_are_equal(a, b);
    case JSON_KIND_ARRAY:
        for (size_t i = 0; i < json_count(a); i++)
            if (!schema_is_equal(json_at(a, i), json_at(b, i)))
                return false;
        return true;
    default:
        return true;
    }
}

/* Unicode characters of text that is known to be UTF-8. */
size_t schema_characters(bp_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

uint32_t schema_hash_name(bp_str name)
{
    uint32_t hash = NAME_BASIS;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * NAME_PRIME;
    return hash;
}

/* ---- uniqueItems: pair by pair while they are few, by sorted hashes when they are many ---- */

enum { PAIRS_UP_TO = 32, EQUAL_HASHES_MAX = 1000000 };

/* Where the hash of each kind of value begins. */
enum {
    HASH_TRUE = 3,
    HASH_FALSE = 5,
    HASH_NUMBER = 7,
    HASH_STRING = 11,
    HASH_ITEM = 13,
    HASH_OBJECT = 17,
    HASH_NULL = 19,
    HASH_FOLD_BITS = 29
};

static const uint64_t HASH_FACTOR = UINT64_C(0x9E3779B97F4A7C15);
static const uint64_t STRING_PRIME = UINT64_C(1099511628211); // FNV-1a

struct hashed_item {
    uint64_t hash;
    size_t   index;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * HASH_FACTOR;
    return a ^ (a >> HASH_FOLD_BITS);
}

/* Equal values have equal hashes: a number counts as its double, the members of an object in any
 * order. */
static uint64_t hash_value(const bp_json *value)
{
    uint64_t       hash = 0, bits;
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *member;
    double         number;

    switch (json_type_of(value)) {
    case JSON_KIND_BOOL:
        return json_as_bool(value) ? HASH_TRUE : HASH_FALSE;
    case JSON_KIND_INTEGER:
    case JSON_KIND_NUMBER:
        number = json_as_number(value) + 0.0; // -0.0 becomes 0.0
        memcpy(&bits, &number, sizeof(bits));
        return mix(HASH_NUMBER, bits);
    case JSON_KIND_STRING:
        key = json_as_string(value);
        hash = HASH_STRING;
        for (size_t i = 0; i < key.len; i++)
            hash = (hash ^ (unsigned char)key.data[i]) * STRING_PRIME;
        return hash;
    case JSON_KIND_ARRAY:
        for (size_t i = 0; i < json_count(value); i++)
            hash = mix(hash + HASH_ITEM, hash_value(json_at(value, i)));
        return hash;
    case JSON_KIND_OBJECT:
        while (json_entry(value, &cursor, &key, &member))
            hash += mix(schema_hash_name(key), hash_value(member));
        return mix(HASH_OBJECT, hash);
    default:
        return HASH_NULL;
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct hashed_item *left = a, *right = b;

    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static bool pairs_differ(const bp_json *array, size_t count, size_t *first, size_t *second)
{
    for (*second = 1; *second < count; (*second)++)
        for (*first = 0; *first < *second; (*first)++)
            if (schema_is_equal(json_at(array, *first), json_at(array, *second)))
                return false;
    return true;
}

static bool hashes_differ(const bp_json *array, const struct hashed_item *items, size_t count,
                          size_t *first, size_t *second, bool *is_aborted)
{
    size_t compared = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count && items[j].hash == items[i].hash; j++) {
            *first = items[i].index;
            *second = items[j].index;
            if (schema_is_equal(json_at(array, *first), json_at(array, *second)))
                return false;
            if (++compared > EQUAL_HASHES_MAX) { // nobody writes such a list but to keep us busy
                *is_aborted = true;
                return false;
            }
        }
    }
    return true;
}

bool schema_items_are_unique(const bp_json *array, size_t *first, size_t *second, bool *is_aborted)
{
    size_t              count = json_count(array);
    struct hashed_item *items;
    bool                differ;

    if (count <= PAIRS_UP_TO)
        return pairs_differ(array, count, first, second);
    items = malloc(count * sizeof(*items));
    if (!items) {
        *is_aborted = true;
        return false;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct hashed_item){ hash_value(json_at(array, i)), i };
    qsort(items, count, sizeof(*items), by_hash);
    differ = hashes_differ(array, items, count, first, second, is_aborted);
    free(items);
    return differ;
}

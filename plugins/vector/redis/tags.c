/* tags.c - filters in RediSearch's own language, so that its index looks only at points that may
 * pass.
 *
 * Keys of metadata are anybody's, and a field may hold an array: both are more than RediSearch's
 * schema can say of hashes. So each point has one field f of tags, whatever its metadata is, and
 * each tag says one thing about one key, in hex where it is of others, as nothing but letters and
 * digits needs no escaping, folding or trimming:
 *
 *      e FIELD x          the key is there                 s FIELD x BYTES    a string of at most 64 bytes
 *      b FIELD x 00|01    a boolean                        t FIELD x HASH     a longer one
 *      n FIELD x KEY      a number                         r FIELD x DIGITS   a number with a KEY that begins with 1 to 8 digits
 *      zx                 too much to be said with tags: may match anything
 *
 * KEY is the double as 16 hexadecimal digits that order as the numbers do. A range is the union of
 * a few hundred beginnings at most: 3 to 25 are 3.. 4.. of the first digit where they fit, and
 * longer ones at both ends.
 *
 * Not all of a filter can be said so. What cannot is said from above (all that pass, and maybe
 * more) and, below a `not`, from below (only such as pass, and maybe not all); search.c looks at
 * the metadata of what comes back.
 */
#include "store.h"

#include <math.h>

enum {
    STRING_BYTES_MAX = 64,
    TAG_BYTES_MAX = 2 + 2 * 64 + 2 * STRING_BYTES_MAX,
    RANGE_DIGITS = 8,
    QUERY_TAGS_MAX = 4096
};

static const char digits[] = "0123456789abcdef";

struct tag {
    char   text[TAG_BYTES_MAX];
    size_t len;
};

/* ---- one tag ---- */

static void add_hex(struct tag *tag, bp_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        tag->text[tag->len++] = digits[(unsigned char)bytes.data[i] >> 4];
        tag->text[tag->len++] = digits[(unsigned char)bytes.data[i] & 15];
    }
}

static void begin(struct tag *tag, char kind, bp_str field)
{
    tag->text[0] = kind;
    tag->len = 1;
    add_hex(tag, field);
    tag->text[tag->len++] = 'x';
}

/* The first `count` of the 16 digits of a number. */
static void add_digits(struct tag *tag, uint64_t number, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        tag->text[tag->len++] = digits[number >> (60 - 4 * i) & 15];
}

/* FNV-1a: that two strings share one costs a look at the metadata, no more. */
static uint64_t hash_of(bp_str text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void string_tag(struct tag *tag, bp_str field, bp_str text)
{
    begin(tag, text.len <= STRING_BYTES_MAX ? 's' : 't', field);
    if (text.len <= STRING_BYTES_MAX)
        add_hex(tag, text);
    else
        add_digits(tag, hash_of(text), 16);
}

static void bool_tag(struct tag *tag, bp_str field, bool value)
{
    begin(tag, 'b', field);
    add_digits(tag, value ? UINT64_C(1) << 56 : 0, 2);
}

/* As integers these order as the numbers do; 0 and -0 are one. */
static uint64_t key_of(double number)
{
    uint64_t bits;

    if (number == 0)
        number = 0;
    memcpy(&bits, &number, sizeof(bits));
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static void number_tag(struct tag *tag, char kind, bp_str field, uint64_t key, unsigned count)
{
    begin(tag, kind, field);
    add_digits(tag, key, count);
}

/* ---- the tags of a point ---- */

struct list {
    char  *bytes;
    size_t len, size;
    bool   is_full;
};

static void add(struct list *list, const struct tag *tag)
{
    if (list->is_full || list->size - list->len < tag->len + 1) {
        list->is_full = true;
        return;
    }
    if (list->len)
        list->bytes[list->len++] = ',';
    memcpy(list->bytes + list->len, tag->text, tag->len);
    list->len += tag->len;
}

static void add_member(struct list *list, bp_str field, const bp_json *member)
{
    struct tag tag;

    switch (bp_json_type_of(member)) {
    case BP_JSON_STRING:
        string_tag(&tag, field, bp_json_string(member));
        add(list, &tag);
        break;
    case BP_JSON_BOOL:
        bool_tag(&tag, field, bp_json_bool(member));
        add(list, &tag);
        break;
    case BP_JSON_INTEGER:
    case BP_JSON_NUMBER:
        for (unsigned count = 1; count <= RANGE_DIGITS; count++) {
            number_tag(&tag, 'r', field, key_of(bp_json_number(member)), count);
            add(list, &tag);
        }
        number_tag(&tag, 'n', field, key_of(bp_json_number(member)), 16);
        add(list, &tag);
        break;
    default:
        break; // no filter asks for it
    }
}

size_t tags_of(const bp_json *metadata, char tags[TAGS_BYTES_MAX])
{
    struct list    list = { .bytes = tags, .size = TAGS_BYTES_MAX };
    struct tag     tag;
    const bp_json *value;
    size_t         cursor = 0;
    bp_str         key;

    while (bp_json_entry(metadata, &cursor, &key, &value)) {
        if (!filters_is_field(key))
            continue; // no filter can name it
        begin(&tag, 'e', key);
        add(&list, &tag);
        if (bp_json_type_of(value) != BP_JSON_ARRAY)
            add_member(&list, key, value);
        for (size_t i = 0; bp_json_type_of(value) == BP_JSON_ARRAY && i < bp_json_count(value); i++)
            add_member(&list, key, bp_json_at(value, i));
    }
    if (!list.is_full)
        return list.len;
    memcpy(tags, "zx", 2);
    return 2;
}

/* ---- a filter ---- */

typedef enum reach { REACH_NONE, REACH_SOME, REACH_ALL } reach;

/* What a part of the filter comes to; SOME: by `text`. */
struct part {
    reach  reach;
    bp_str text;
};

struct translation {
    size_t tags;
    bool   is_exact;
};

/* One leaf, as the union of its tags. */
struct leaf {
    bp_buf             *buf;
    struct translation *all;
    size_t              count;
    bool                is_above;
};

static void add_tag(struct leaf *leaf, const struct tag *tag)
{
    bp_buf_add(leaf->buf, leaf->count ? BP_STR("|") : BP_STR("(@f:{"));
    bp_buf_add(leaf->buf, bp_str_n(tag->text, tag->len));
    leaf->count++;
    leaf->all->tags++;
}

/* From above, a point of too many tags may be one of them. */
static bp_status end_leaf(struct leaf *leaf, struct part *out)
{
    *out = (struct part){ .reach = REACH_NONE };
    if (!leaf->count)
        return BP_OK;
    bp_buf_add(leaf->buf, leaf->is_above ? BP_STR("|zx})") : BP_STR("})"));
    *out = (struct part){ REACH_SOME, bp_buf_str(leaf->buf) };
    return bp_buf_status(leaf->buf);
}

static void add_range(struct leaf *leaf, bp_str field, int64_t first, int64_t last, unsigned shift)
{
    struct tag tag;

    for (int64_t at = first >> shift; at <= last >> shift; at++) {
        number_tag(&tag, 'r', field, (uint64_t)at << shift << 32, RANGE_DIGITS - shift / 4);
        add_tag(leaf, &tag);
    }
}

/* All beginnings of keys from `first` to `last`, which have 8 digits: at both ends what does not
 * fill the next shorter beginning, and so on inwards. */
static void cover_range(struct leaf *leaf, bp_str field, int64_t first, int64_t last)
{
    for (unsigned shift = 0;; shift += 4) {
        int64_t mask = INT64_C(15) << shift, step = INT64_C(16) << shift;
        bool    has_first = (first & mask) != 0, has_last = (last & mask) != mask;
        int64_t next_first = ((has_first ? first + step : first) >> (shift + 4)) * step;
        int64_t next_last = ((has_last ? last - step : last) >> (shift + 4)) * step;

        if (shift == 4 * (RANGE_DIGITS - 1) || next_first > next_last) {
            add_range(leaf, field, first, last, shift);
            return;
        }
        if (has_first)
            add_range(leaf, field, first, first | mask, shift);
        if (has_last)
            add_range(leaf, field, last & ~mask, last, shift);
        first = next_first;
        last = next_last | (step - 1);
    }
}

/* Several integers are one double there, and one key. */
static bool is_beyond_doubles(double number)
{
    return isfinite(number) && fabs(number) >= 9007199254740992.0;
}

static void translate_range(struct leaf *leaf, const bp_filter *filter)
{
    const int64_t part = INT64_C(1) << 32; // what 8 digits do not tell apart
    bool          is_low_open = filter->low == -INFINITY, is_high_open = filter->high == INFINITY;
    bool          is_rounded = is_beyond_doubles(filter->low) || is_beyond_doubles(filter->high);
    uint64_t      low = is_low_open
                            ? 0
                            : key_of(filter->low) + (filter->is_low_exclusive && !is_rounded ? 1 : 0);
    uint64_t      high = is_high_open
                             ? UINT64_MAX
                             : key_of(filter->high) - (filter->is_high_exclusive && !is_rounded ? 1 : 0);
    int64_t       first = (int64_t)(low >> 32), last = (int64_t)(high >> 32);

    if (is_rounded)
        leaf->all->is_exact = false;
    if (low > high || (is_rounded && !leaf->is_above))
        return;
    if (low % (uint64_t)part || high % (uint64_t)part != (uint64_t)part - 1)
        leaf->all->is_exact = false;
    if (!leaf->is_above) {
        first += low % (uint64_t)part != 0;
        last -= high % (uint64_t)part != (uint64_t)part - 1;
    }
    if (first <= last)
        cover_range(leaf, filter->field, first, last);
}

static void translate_values(struct leaf *leaf, const bp_filter *filter)
{
    struct tag tag;

    for (size_t i = 0; i < filter->value_count; i++) {
        const bp_value *value = &filter->values[i];
        bool is_long = (value->type == BP_VALUE_STRING && value->text.len > STRING_BYTES_MAX) ||
                       (value->type == BP_VALUE_NUMBER && is_beyond_doubles(value->number));

        if (value->type == BP_VALUE_STRING)
            string_tag(&tag, filter->field, value->text);
        else if (value->type == BP_VALUE_BOOL)
            bool_tag(&tag, filter->field, value->number != 0);
        else if (value->type == BP_VALUE_NUMBER && !isnan(value->number))
            number_tag(&tag, 'n', filter->field, key_of(value->number), 16);
        else
            continue; // nothing is equal to it
        if (is_long)
            leaf->all->is_exact = false;
        if (!is_long || leaf->is_above)
            add_tag(leaf, &tag);
    }
}

static bp_status translate_leaf(bp_call *call, struct translation *all, const bp_filter *filter,
                                bool is_above, struct part *out)
{
    struct leaf leaf = { .buf = bp_buf_new(call, 16 << 20), .all = all, .is_above = is_above };
    struct tag  tag;

    if (filter->op == BP_FILTER_RANGE) {
        translate_range(&leaf, filter);
    } else if (filter->op == BP_FILTER_IN) {
        translate_values(&leaf, filter);
    } else if (filter->op == BP_FILTER_EXISTS ||
               is_above) { // a prefix: that the key is there is all that is known
        begin(&tag, 'e', filter->field);
        add_tag(&leaf, &tag);
    }
    if (filter->op == BP_FILTER_PREFIX)
        all->is_exact = false;
    return end_leaf(&leaf, out);
}

/* A leaf that must not match is known from below where all that may pass is wanted. */
static bp_status translate_negated(bp_call *call, struct translation *all, const bp_filter *filter,
                                   struct part *out)
{
    BP_TRY(translate_leaf(call, all, filter, false, out));
    if (out->reach == REACH_SOME)
        out->text = bp_format(call, "(-" BP_FMT ")", BP_ARG(out->text));
    else
        out->reach = REACH_ALL;
    return out->reach == REACH_ALL || out->text.len ? BP_OK : BP_NO_MEMORY;
}

static bp_status translate(bp_call *call, struct translation *all, const bp_filter *filter,
                           bool is_negated, struct part *out);

/* Children that let everything or nothing pass are left out, or decide alone. */
static bp_status join(bp_call *call, struct translation *all, const bp_filter *filter,
                      bool is_negated, struct part *out)
{
    bool    is_and = (filter->op == BP_FILTER_AND) != is_negated;
    reach   deciding = is_and ? REACH_NONE : REACH_ALL;
    bp_buf *buf = bp_buf_new(call, 16 << 20);
    size_t  count = 0;

    for (size_t i = 0; i < filter->child_count; i++) {
        struct part child;
        BP_TRY(translate(call, all, filter->children[i], is_negated, &child));
        if (child.reach == deciding) {
            *out = child;
            return BP_OK;
        }
        if (child.reach != REACH_SOME)
            continue;
        bp_buf_add(buf, count++ == 0 ? BP_STR("(") : is_and ? BP_STR(" ") : BP_STR("|"));
        bp_buf_add(buf, child.text);
    }
    bp_buf_add(buf, BP_STR(")"));
    *out = (struct part){ count ? REACH_SOME : is_and ? REACH_ALL : REACH_NONE, bp_buf_str(buf) };
    return bp_buf_status(buf);
}

/* Every `not` moves down to the leaves: not (a and b) is (not a) or (not b). RediSearch loses
 * points where a negation stands around another. */
static bp_status translate(bp_call *call, struct translation *all, const bp_filter *filter,
                           bool is_negated, struct part *out)
{
    bp_filter leaf = *filter;

    if (filter->op == BP_FILTER_AND || filter->op == BP_FILTER_OR)
        return join(call, all, filter, is_negated, out);
    if (filter->op == BP_FILTER_NOT)
        return translate(call, all, filter->children[0], !is_negated, out);
    if (filter->op == BP_FILTER_NOT_EXISTS) {
        leaf.op = BP_FILTER_EXISTS;
        is_negated = !is_negated;
    }
    return is_negated ? translate_negated(call, all, &leaf, out)
                      : translate_leaf(call, all, &leaf, true, out);
}

bp_status tags_query(bp_call *call, const bp_filter *filter, bp_str *query, bool *is_exact)
{
    struct translation all = { .is_exact = true };
    struct part        whole = { .reach = REACH_ALL };

    if (filter)
        BP_TRY(translate(call, &all, filter, false, &whole));
    if (all.tags > QUERY_TAGS_MAX) { // the server would spend more time reading it than it saves
        whole.reach = REACH_ALL;
        all.is_exact = false;
    }
    *is_exact = all.is_exact;
    *query = whole.reach == REACH_ALL    ? BP_STR("*")
             : whole.reach == REACH_NONE ? BP_STR("(@f:{none})")
                                         : whole.text;
    return BP_OK;
}

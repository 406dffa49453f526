/* points_compare.c - compares the points of a collection on both sides, one by one.
 *
 * Both stores give points by rising id, so the two walks go side by side. Words and metadata must
 * be equal; vectors as near as the stores keep them: one that keeps unit vectors for cosine gives
 * back another length, half precision rounds.
 */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "transfer/parts.h"

enum { CANONICAL_BYTES_MAX = 4 << 20 };

struct field {
    bp_str         key;
    const bp_json *value;
};

static int by_key(const void *a, const void *b)
{
    bp_str one = ((const struct field *)a)->key, other = ((const struct field *)b)->key;
    int    order = memcmp(one.data, other.data, one.len < other.len ? one.len : other.len);

    return order ? order : (one.len > other.len) - (one.len < other.len);
}

static void add_canonical(struct bp_buf *out, const bp_json *value)
{
    double number = json_as_number(value);

    switch (json_type_of(value)) {
    case JSON_KIND_ARRAY:
        buf_add_char(out, '[');
        for (size_t i = 0; i < json_count(value); i++) {
            buf_add(out, i ? BP_STR(",") : BP_STR(""));
            add_canonical(out, json_at(value, i));
        }
        buf_add_char(out, ']');
        break;
    case JSON_KIND_INTEGER:
        buf_addf(out, "%lld", (long long)json_as_integer(value));
        break;
    case JSON_KIND_NUMBER: // 1.0 and 1 are one number
        if (fabs(number) < 9e15 && floor(number) == number)
            buf_addf(out, "%lld", (long long)number);
        else
            buf_addf(out, "%.17g", number);
        break;
    case JSON_KIND_STRING:
        json_append_quoted(out, json_as_string(value));
        break;
    case JSON_KIND_BOOL:
        buf_add(out, json_as_bool(value) ? BP_STR("true") : BP_STR("false"));
        break;
    default:
        buf_add(out, BP_STR("null"));
    }
}

/* Metadata with its keys sorted and its numbers written in one way; as it is when it cannot be
 * read. */
static void add_metadata(bp_call *call, struct bp_buf *out, bp_str metadata)
{
    struct reason  why;
    const bp_json *root = NULL, *value;
    struct field  *fields;
    size_t         cursor = 0, count = 0;

    if (metadata.len && (json_parse(call->arena, metadata, &root, &why) != BP_OK ||
                         json_type_of(root) != JSON_KIND_OBJECT)) {
        buf_add(out, metadata);
        return;
    }
    fields = BP_NEW_ARRAY(call, struct field, json_count(root) + 1);
    while (fields && root && count < json_count(root) &&
           json_entry(root, &cursor, &fields[count].key, &value))
        fields[count++].value = value;
    if (count)
        qsort(fields, count, sizeof(*fields), by_key);
    for (size_t i = 0; i < count; i++) {
        json_append_quoted(out, fields[i].key);
        buf_add_char(out, ':');
        add_canonical(out, fields[i].value);
        buf_add_char(out, ',');
    }
}

static bp_str canonical_metadata(bp_call *call, bp_str metadata)
{
    struct bp_buf out;

    buf_init(&out, call->arena, CANONICAL_BYTES_MAX);
    add_metadata(call, &out, metadata);
    return buf_str(&out);
}

static void digest_point(bp_call *call, const bp_point *point, bp_str metadata,
                         struct transfer_digest *digest)
{
    struct bp_buf bytes;

    buf_init(&bytes, call->arena, CANONICAL_BYTES_MAX);
    buf_addf(&bytes, "%llu %c %zu ", (unsigned long long)point->id, point->vector ? 'v' : '-',
             point->words.len);
    buf_add(&bytes, point->words);
    buf_add(&bytes, metadata);
    transfer_digest_add(digest, buf_str(&bytes));
}

static double length_of(const float *vector, uint32_t dimensions)
{
    double sum = 0;

    for (uint32_t i = 0; i < dimensions; i++)
        sum += (double)vector[i] * (double)vector[i];
    return sqrt(sum);
}

/* Of zeros alone, which have no direction, the vector is compared as it is. */
static double scale_of(const float *vector, uint32_t dimensions, bool is_cosine)
{
    double length = is_cosine ? length_of(vector, dimensions) : 1;

    return length > 0 ? length : 1;
}

/* The greatest difference of an element, as a part of the vector's own greatest element. */
static double deviation_of(const float *a, const float *b, uint32_t dimensions, bool is_cosine)
{
    double greatest = 0, deviation = 0, scale_a, scale_b;

    if (!a || !b)
        return a == b ? 0 : INFINITY;
    scale_a = scale_of(a, dimensions, is_cosine);
    scale_b = scale_of(b, dimensions, is_cosine);
    for (uint32_t i = 0; i < dimensions; i++) {
        double one = (double)a[i] / scale_a, other = (double)b[i] / scale_b;
        double apart = fabs(one - other);

        if (isnan(apart)) // which fmax() would pass over
            return INFINITY;
        greatest = fmax(greatest, fabs(one));
        deviation = fmax(deviation, apart);
    }
    return deviation == 0 ? 0 : greatest > 0 ? deviation / greatest : INFINITY;
}

/* Half precision has 11 bits; without it, what a division and a multiplication by the length leave
 * behind. */
static double allowed_deviation(const struct transfer_item *item)
{
    const struct instance *sides[] = { item->pair->from, item->pair->to };

    for (int s = 0; s < 2; s++) {
        const struct conf_instance *conf = sides[s]->unit->conf;

        for (uint32_t i = 0; i < conf->plugin.options.count; i++) {
            bp_option option = option_at(&conf->plugin.options, i);

            if (option.type == BP_OPTION_TYPE_BOOL && strcmp(option.name, "half_precision") == 0 &&
                *(const bool *)((const char *)conf->options + option.offset))
                return 1.0 / 1024;
        }
    }
    return 4e-6;
}

static void compare_points(bp_call *call, struct transfer *t, struct transfer_item *item,
                           const bp_point *a, const bp_point *b)
{
    bp_str metadata[] = { canonical_metadata(call, a->metadata),
                          canonical_metadata(call, b->metadata) };
    double deviation = deviation_of(a->vector, b->vector, item->schema->dimensions,
                                    item->schema->metric == BP_COSINE);

    digest_point(call, a, metadata[0], &item->digests[0]);
    digest_point(call, b, metadata[1], &item->digests[1]);
    item->deviation = fmax(item->deviation, deviation);
    if (!bp_str_equal(a->words, b->words))
        transfer_differs(t, item, "the point %llu has other words in the target",
                         (unsigned long long)a->id);
    else if (!bp_str_equal(metadata[0], metadata[1]))
        transfer_differs(t, item, "the point %llu has other metadata in the target",
                         (unsigned long long)a->id);
    else if (deviation > allowed_deviation(item))
        transfer_differs(t, item, "the point %llu has another vector in the target",
                         (unsigned long long)a->id);
}

static void one_side(bp_call *call, struct transfer *t, struct transfer_item *item,
                     const bp_point *point, int side)
{
    if (t->is_leaving_out && side == 0 && !transfer_points_is_sound(point)) {
        transfer_note(t,
                      "left out: the point %llu of " BP_FMT
                      " has a text with a NUL, or one that is not UTF-8",
                      (unsigned long long)point->id, BP_ARG(item->label));
        return;
    }
    digest_point(call, point, canonical_metadata(call, point->metadata), &item->digests[side]);
    transfer_differs(t, item, "the point %llu is only in the %s", (unsigned long long)point->id,
                     side ? "target" : "source");
}

/* Goes on until one of the pages is used up, or both when nothing comes behind them. */
static bp_status compare_pages(bp_call *call, struct transfer *t, struct transfer_item *item,
                               uint64_t *after, uint32_t *limit, uint32_t *read)
{
    uint32_t               target_limit = *limit, i = 0, j = 0;
    struct transfer_points source, target;

    BP_TRY(transfer_points_read(call, transfer_from(item), item, *after, limit, &source));
    BP_TRY(transfer_points_read(call, transfer_to(item), item, *after, &target_limit, &target));
    *read = source.count + target.count;
    while ((i < source.count && j < target.count) || (!source.count && j < target.count) ||
           (!target.count && i < source.count)) {
        const bp_point *a = i < source.count ? &source.points[i] : NULL,
                       *b = j < target.count ? &target.points[j] : NULL;

        *after = !b || (a && a->id < b->id) ? a->id : b->id;
        if (a && b && a->id == b->id)
            compare_points(call, t, item, a, b);
        else
            one_side(call, t, item, a && a->id == *after ? a : b, a && a->id == *after ? 0 : 1);
        i += a && a->id == *after;
        j += b && b->id == *after;
    }
    return BP_OK;
}

static bp_status has_collection(bp_call *call, const struct transfer_item *item, bool *is_there,
                                bool *is_same)
{
    const bp_peer        *to = transfer_to(item);
    const bp_vector_info *infos;
    size_t                count;

    *is_there = *is_same = false;
    BP_TRY(bp_vector_of(to)->list(call, to->instance, &infos, &count));
    for (size_t i = 0; i < count; i++)
        if (bp_str_equal(infos[i].name, item->name)) {
            *is_there = true;
            *is_same = infos[i].dimensions == item->schema->dimensions &&
                       infos[i].metric == item->schema->metric &&
                       bp_str_equal(infos[i].model, item->schema->model) &&
                       bp_str_equal(infos[i].language, item->schema->language);
        }
    return BP_OK;
}

static bp_status walk_both(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    uint64_t  after = 0;
    uint32_t  read = 1, limit = TRANSFER_PAGE_MAX;
    bp_status status = BP_OK;

    while (status == BP_OK && read) {
        status = bp_scratch_begin(call);
        if (status == BP_OK) {
            status = compare_pages(call, t, item, &after, &limit, &read);
            bp_scratch_end(call);
        }
        transfer_progress_step(t, read);
        if (status == BP_OK)
            status = transfer_check_stop(call, t);
    }
    return status;
}

bp_status transfer_points_compare(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    bp_str    what = arena_format(&t->arena, "checking " BP_FMT, BP_ARG(item->label));
    bool      is_there, is_same;
    bp_status status;

    item->digests[0] = item->digests[1] = (struct transfer_digest){ 0 };
    item->deviation = 0;
    BP_TRY(has_collection(call, item, &is_there, &is_same));
    if (is_there && is_same) {
        transfer_progress_begin(t, what.data, 0);
        status = walk_both(call, t, item);
        if (t->stepped)
            transfer_progress_end(t);
        BP_TRY(status);
    } else {
        transfer_differs(t, item,
                         is_there ? "the collection has another model, size, metric or language in "
                                    "the target"
                                  : "there is no such collection in the target");
    }
    item->is_compared = true;
    item->is_equal = !item->difference.len;
    return BP_OK;
}

/* @NAME@.c - a vector store in memory: exact search over every point, words by how many are shared,
 * all filters.
 *
 *      shared { lock, collections -> { schema, points by rising id } }     one for all workers
 *
 * What it cannot promise, and a real store must: all is gone when the process ends.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include <backplane/json.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>
#include <backplane/vector.h>

enum {
    NAME_BYTES_MAX = 128,
    WORDS_BYTES_MAX = 1 << 20,
    METADATA_BYTES_MAX = 64 << 10,
    AT_ONCE_MAX = 10000
};

struct point {
    uint64_t id;
    float   *vector; /* NULL: none */
    bp_str   words, metadata;
};

struct collection {
    struct collection *next;
    char name[NAME_BYTES_MAX + 1], model[256], language[36], owner[68]; /* owner: empty, nobody's */
    uint32_t       dimensions, metric;
    struct point **points; /* by rising id */
    size_t         count, capacity;
};

struct shared {
    bp_mutex          *lock;  /* of everything below */
    struct collection *first; /* by name */
    int64_t            points;
};

struct store {
    int64_t        max_points;
    struct shared *shared;
};

static const bp_option options[] = {
    BP_OPTION_INT(struct store, max_points, .initial = "100000", .minimum = "1",
                  .maximum = "10000000",
                  .help = "points of all collections together; more are refused"),
};

/* ---- points ---- */

static void point_free(struct point *point)
{
    free(point); /* vector and texts lie in the same block */
}

static struct point *point_copy(const bp_point *from, uint32_t dimensions)
{
    size_t        vector_bytes = from->vector ? dimensions * sizeof(float) : 0;
    struct point *point = calloc(1, sizeof(*point) + vector_bytes + from->words.len +
                                        from->metadata.len + 2);
    char         *at;

    if (!point)
        return NULL;
    at = (char *)(point + 1);
    point->id = from->id;
    if (from->vector) {
        point->vector = (float *)(void *)at;
        memcpy(at, from->vector, vector_bytes);
        at += vector_bytes;
    }
    point->words = bp_str_n(at, from->words.len);
    if (from->words.len)
        memcpy(at, from->words.data, from->words.len);
    at += from->words.len + 1;
    point->metadata = bp_str_n(at, from->metadata.len);
    if (from->metadata.len)
        memcpy(at, from->metadata.data, from->metadata.len);
    return point;
}

/* The place of `id`, or where it would stand. */
static size_t place_of(const struct collection *collection, uint64_t id)
{
    size_t low = 0, high = collection->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (collection->points[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct collection *collection, size_t place, uint64_t id)
{
    return place < collection->count && collection->points[place]->id == id;
}

/* ---- filters: the metadata is read again for each point, in memory that is given back at once
 * ----
 */

static bool is_equal(const bp_json *field, const bp_value *value)
{
    bp_json_type type = bp_json_type_of(field);
    int64_t      integer;

    switch (value->type) {
    case BP_VALUE_STRING:
        return type == BP_JSON_STRING && bp_str_equal(bp_json_string(field), value->text);
    case BP_VALUE_NUMBER:
        if (type == BP_JSON_INTEGER &&
            bp_value_integer(value, &integer)) // exactly: a double keeps 53 bits
            return bp_json_integer(field) == integer;
        return (type == BP_JSON_INTEGER || type == BP_JSON_NUMBER) &&
               bp_json_number(field) == value->number;
    case BP_VALUE_BOOL:
        return type == BP_JSON_BOOL && bp_json_bool(field) == (value->number != 0);
    default:
        return false;
    }
}

static bool is_in_range(const bp_json *field, const bp_filter *filter)
{
    bp_json_type type = bp_json_type_of(field);
    double       number = bp_json_number(field);
    int64_t      bound, whole = bp_json_integer(field);
    int          low, high; // -1: below the bound, 0: on it, 1: above it

    if (type != BP_JSON_INTEGER && type != BP_JSON_NUMBER)
        return false;
    low = type == BP_JSON_INTEGER && bp_filter_low(filter, &bound)
              ? (whole > bound) - (whole < bound)
              : (number > filter->low) - (number < filter->low);
    high = type == BP_JSON_INTEGER && bp_filter_high(filter, &bound)
               ? (whole > bound) - (whole < bound)
               : (number > filter->high) - (number < filter->high);
    return (filter->is_low_exclusive ? low > 0 : low >= 0) &&
           (filter->is_high_exclusive ? high < 0 : high <= 0);
}

static bool is_one_matching(const bp_json *field, const bp_filter *filter)
{
    bp_str text = bp_json_string(field), prefix;

    switch (filter->op) {
    case BP_FILTER_IN:
        for (size_t i = 0; i < filter->value_count; i++)
            if (is_equal(field, &filter->values[i]))
                return true;
        return false;
    case BP_FILTER_RANGE:
        return is_in_range(field, filter);
    case BP_FILTER_PREFIX:
        prefix = filter->value_count ? filter->values[0].text : bp_str_of("");
        return bp_json_type_of(field) == BP_JSON_STRING && text.len >= prefix.len &&
               (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
    default:
        return false;
    }
}

static bool is_leaf_matching(bp_call *call, const bp_json *metadata, const bp_filter *filter)
{
    bp_str         name = bp_dup(call, filter->field); /* with a NUL behind it */
    const bp_json *field = name.len ? bp_json_get(metadata, name.data) : NULL;

    if (filter->op == BP_FILTER_EXISTS || filter->op == BP_FILTER_NOT_EXISTS)
        return (field != NULL) == (filter->op == BP_FILTER_EXISTS);
    if (bp_json_type_of(field) != BP_JSON_ARRAY)
        return field && is_one_matching(field, filter);
    for (size_t i = 0; i < bp_json_count(field); i++)
        if (is_one_matching(bp_json_at(field, i), filter))
            return true;
    return false;
}

static bool is_matching(bp_call *call, const bp_json *metadata, const bp_filter *filter)
{
    switch (filter->op) {
    case BP_FILTER_AND:
        for (size_t i = 0; i < filter->child_count; i++)
            if (!is_matching(call, metadata, filter->children[i]))
                return false;
        return true;
    case BP_FILTER_OR:
        for (size_t i = 0; i < filter->child_count; i++)
            if (is_matching(call, metadata, filter->children[i]))
                return true;
        return false;
    case BP_FILTER_NOT:
        return filter->child_count == 1 && !is_matching(call, metadata, filter->children[0]);
    default:
        return is_leaf_matching(call, metadata, filter);
    }
}

static bp_status does_match(bp_call *call, const struct point *point, const bp_filter *filter,
                            bool *is_match)
{
    const bp_json *metadata = NULL;
    bp_status      status;

    *is_match = true;
    if (!filter)
        return BP_OK;
    BP_TRY(bp_scratch_begin(call));
    status = point->metadata.len ? bp_json_parse(call, point->metadata, &metadata) : BP_OK;
    *is_match = status == BP_OK && is_matching(call, metadata, filter);
    bp_scratch_end(call);
    return status;
}

/* ---- collections ---- */

static bool is_name(bp_str name)
{
    if (name.len < 1 || name.len > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.data[i]) && !strchr("_.-", name.data[i]))
            return false;
    return true;
}

/* The link that points to it, or to where it belongs. */
static struct collection **find(struct shared *shared, bp_str name, bool *is_there)
{
    struct collection **at = &shared->first;
    int                 order = -1;

    for (; *at; at = &(*at)->next) {
        size_t len = strlen((*at)->name), least = len < name.len ? len : name.len;

        order = memcmp((*at)->name, name.data, least);
        if (order == 0)
            order = len < name.len ? -1 : len > name.len;
        if (order >= 0)
            break;
    }
    *is_there = *at && order == 0;
    return at;
}

static bp_status lock_and_find(bp_call *call, struct store *self, bp_str name,
                               struct collection **collection)
{
    bool                is_there;
    struct collection **at;

    BP_TRY(bp_mutex_lock(call, self->shared->lock));
    at = find(self->shared, name, &is_there);
    if (is_there) {
        *collection = *at;
        return BP_OK;
    }
    bp_mutex_unlock(self->shared->lock);
    return bp_fail(call, BP_NOT_FOUND, "there is no collection \"" BP_FMT "\"", BP_ARG(name));
}

static bp_status check_schema(bp_call *call, bp_str name, const bp_vector_schema *schema)
{
    if (!is_name(name))
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT "\" is no name for a collection: [A-Za-z0-9_.-]{1,128}",
                       BP_ARG(name));
    if (schema->dimensions < 1 || schema->dimensions > 65536 || schema->metric > BP_L2)
        return bp_fail(call, BP_INVALID,
                       "a vector has 1 to 65,536 dimensions, not %u, and metric %u must be 0 to 2",
                       schema->dimensions, schema->metric);
    if (schema->model.len > 255 || schema->language.len > 35)
        return bp_fail(call, BP_INVALID,
                       "the name of a model has at most 255 bytes, that of a language 35");
    if (bp_vector_owner(schema).len > 64 ||
        (bp_vector_owner(schema).len && !is_name(bp_vector_owner(schema))))
        return bp_fail(call, BP_INVALID, "the owner of a collection is [A-Za-z0-9_.-]{0,64}");
    return BP_OK;
}

/* The collection that is there, and the one wanted. The mark of the owner is set once; one of
 * another deployment is refused. */
static bp_status compare(bp_call *call, struct collection *there, const bp_vector_schema *wanted,
                         bp_str language)
{
    bp_str owner = bp_vector_owner(wanted);

    if (there->owner[0] && !bp_str_is(owner, there->owner))
        return bp_fail(call, BP_CONFLICT, "collection \"%s\" belongs to the deployment %s",
                       there->name, there->owner);
    if (there->dimensions != wanted->dimensions || there->metric != wanted->metric ||
        !bp_str_is(wanted->model, there->model) || !bp_str_is(language, there->language))
        return bp_fail(call, BP_CONFLICT,
                       "collection \"%s\" exists with %u dimensions of model \"%s\"", there->name,
                       there->dimensions, there->model);
    if (owner.len)
        memcpy(there->owner, owner.data, owner.len);
    return BP_OK;
}

static bp_status create(bp_call *call, void *instance, bp_str name, const bp_vector_schema *schema)
{
    struct store       *self = instance;
    bp_str              language = schema->language.len ? schema->language : BP_STR("en");
    struct collection **at, *made;
    bp_status           status = BP_OK;
    bool                is_there;

    BP_TRY(check_schema(call, name, schema));
    BP_TRY(bp_mutex_lock(call, self->shared->lock));
    at = find(self->shared, name, &is_there);
    if (is_there) {
        status = compare(call, *at, schema, language);
    } else if (!(made = calloc(1, sizeof(*made)))) {
        status = bp_fail(call, BP_NO_MEMORY, "no memory for a collection");
    } else {
        memcpy(made->name, name.data, name.len);
        memcpy(made->language, language.data, language.len);
        if (schema->model.len)
            memcpy(made->model, schema->model.data, schema->model.len);
        if (bp_vector_owner(schema).len)
            memcpy(made->owner, bp_vector_owner(schema).data, bp_vector_owner(schema).len);
        made->dimensions = schema->dimensions;
        made->metric = schema->metric;
        made->next = *at;
        *at = made;
    }
    bp_mutex_unlock(self->shared->lock);
    return status;
}

static bp_status owner_of(bp_call *call, void *instance, bp_str name, bp_str *owner)
{
    struct store      *self = instance;
    struct collection *collection;

    BP_TRY(lock_and_find(call, self, name, &collection));
    *owner = bp_dup(call, bp_str_of(collection->owner));
    bp_mutex_unlock(self->shared->lock);
    return BP_OK;
}

static void collection_free(struct collection *collection)
{
    for (size_t i = 0; i < collection->count; i++)
        point_free(collection->points[i]);
    free(collection->points);
    free(collection);
}

static bp_status drop(bp_call *call, void *instance, bp_str name)
{
    struct store      *self = instance;
    struct collection *collection;
    bool               is_there;

    BP_TRY(lock_and_find(call, self, name, &collection));
    *find(self->shared, name, &is_there) = collection->next;
    self->shared->points -= (int64_t)collection->count;
    bp_mutex_unlock(self->shared->lock);
    collection_free(collection);
    return BP_OK;
}

static bp_status list(bp_call *call, void *instance, const bp_vector_info **collections,
                      size_t *count)
{
    struct store   *self = instance;
    bp_vector_info *infos;
    size_t          n = 0;

    BP_TRY(bp_mutex_lock(call, self->shared->lock));
    for (const struct collection *c = self->shared->first; c; c = c->next)
        n++;
    infos = BP_NEW_ARRAY(call, bp_vector_info, n + 1);
    *collections = infos;
    *count = 0;
    for (const struct collection *c = self->shared->first; infos && c; c = c->next)
        infos[(*count)++] = (bp_vector_info){
            .struct_size = sizeof(bp_vector_info),
            .dimensions = c->dimensions,
            .metric = c->metric,
            .count = c->count,
            .name = bp_dup(call, bp_str_of(c->name)),
            .model = bp_dup(call, bp_str_of(c->model)),
            .language = bp_dup(call, bp_str_of(c->language)),
            .memory_bytes = (int64_t)(c->count *
                                      (sizeof(struct point) + c->dimensions * sizeof(float)))
        };
    bp_mutex_unlock(self->shared->lock);
    return infos ? BP_OK : BP_NO_MEMORY;
}

/* ---- writing ---- */

static bp_status check_vector(bp_call *call, const struct collection *collection,
                              const float *vector)
{
    double length = 0;

    for (uint32_t i = 0; vector && i < collection->dimensions; i++) {
        if (!isfinite(vector[i]))
            return bp_fail(call, BP_INVALID, "number %u of a vector is not finite", i);
        length += (double)vector[i] * vector[i];
    }
    if (vector && length <= 0 && collection->metric == BP_COSINE)
        return bp_fail(call, BP_INVALID, "a vector of zeros has no direction");
    return BP_OK;
}

/* A string, number or boolean; a text with a NUL in it is none that every store could keep. */
static bool is_plain(const bp_json *value)
{
    bp_json_type type = bp_json_type_of(value);
    bp_str       text = bp_json_string(value);

    if (type == BP_JSON_STRING)
        return !text.len || !memchr(text.data, '\0', text.len);
    return type == BP_JSON_INTEGER || type == BP_JSON_NUMBER || type == BP_JSON_BOOL;
}

static bool is_utf8_text(bp_str text)
{
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.data[i];
        size_t        len = c < 0x80                 ? 1
                            : c >= 0xC2 && c <= 0xDF ? 2
                            : (c & 0xF0) == 0xE0     ? 3
                            : c >= 0xF0 && c <= 0xF4 ? 4
                                                     : 0;

        if (!c || !len || i + len > text.len)
            return false;
        for (size_t k = 1; k < len; k++)
            if (((unsigned char)text.data[i + k] & 0xC0) != 0x80)
                return false;
        i += len;
    }
    return true;
}

static bp_status check_point(bp_call *call, const struct collection *collection,
                             const bp_point *point)
{
    const bp_json *metadata, *value;
    size_t         cursor = 0;
    bp_str         key;

    if (point->id < 1 || point->id > INT64_MAX)
        return bp_fail(call, BP_INVALID, "a point's id is 1 to 2^63 - 1");
    if (point->words.len > WORDS_BYTES_MAX || point->metadata.len > METADATA_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "point %llu: words may have 1 MiB and metadata 64 KiB",
                       (unsigned long long)point->id);
    if (!is_utf8_text(point->words))
        return bp_fail(call, BP_INVALID,
                       "point %llu: its words are no UTF-8, or have a NUL in them",
                       (unsigned long long)point->id);
    BP_TRY(check_vector(call, collection, point->vector));
    if (!point->metadata.len)
        return BP_OK;
    BP_TRY(bp_json_parse(call, point->metadata, &metadata));
    if (bp_json_type_of(metadata) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "point %llu: metadata is a JSON object",
                       (unsigned long long)point->id);
    while (bp_json_entry(metadata, &cursor, &key, &value)) {
        bool is_good = is_plain(value) || bp_json_type_of(value) == BP_JSON_ARRAY;

        for (size_t i = 0;
             is_good && bp_json_type_of(value) == BP_JSON_ARRAY && i < bp_json_count(value); i++)
            is_good = is_plain(bp_json_at(value, i));
        if (!is_good)
            return bp_fail(call, BP_INVALID,
                           "point %llu: metadata is flat, and \"" BP_FMT
                           "\" is more than a string, a number, a boolean or an array of them",
                           (unsigned long long)point->id, BP_ARG(key));
    }
    return BP_OK;
}

static bp_status reserve(bp_call *call, struct collection *collection, size_t more)
{
    size_t         capacity = collection->capacity ? collection->capacity : 64;
    struct point **bigger;

    while (capacity < collection->count + more)
        capacity *= 2;
    if (capacity == collection->capacity)
        return BP_OK;
    bigger = realloc(collection->points, capacity * sizeof(struct point *));
    if (!bigger)
        return bp_fail(call, BP_NO_MEMORY, "no memory for %zu more points", more);
    collection->points = bigger;
    collection->capacity = capacity;
    return BP_OK;
}

static void put(struct shared *shared, struct collection *collection, struct point *point)
{
    size_t place = place_of(collection, point->id);

    if (is_at(collection, place, point->id)) {
        point_free(collection->points[place]);
    } else {
        memmove(collection->points + place + 1, collection->points + place,
                (collection->count - place) * sizeof(struct point *));
        collection->count++;
        shared->points++;
    }
    collection->points[place] = point;
}

/* All or none: every point is checked and copied before the first is put in. */
static bp_status upsert(bp_call *call, void *instance, bp_str name, const bp_point *points,
                        size_t point_size, size_t count)
{
    struct store      *self = instance;
    struct collection *collection;
    struct point     **copies = BP_NEW_ARRAY(call, struct point *, count + 1);
    bp_status          status = BP_OK;

    if (!copies)
        return BP_NO_MEMORY;
    if (count > AT_ONCE_MAX)
        return bp_fail(call, BP_INVALID, "%d points can be written at once, not %zu", AT_ONCE_MAX,
                       count);
    BP_TRY(lock_and_find(call, self, name, &collection));
    for (size_t i = 0; i < count && status == BP_OK; i++) {
        const bp_point *point = (const void *)((const char *)points +
                                               i * point_size); /* the caller's stride */

        status = check_point(call, collection, point);
        copies[i] = status == BP_OK ? point_copy(point, collection->dimensions) : NULL;
        if (status == BP_OK && !copies[i])
            status = bp_fail(call, BP_NO_MEMORY, "no memory for a point");
    }
    if (status == BP_OK && self->shared->points + (int64_t)count > self->max_points)
        status = bp_fail(call, BP_FULL, "there are %lld points and `max_points` allows %lld",
                         (long long)self->shared->points, (long long)self->max_points);
    if (status == BP_OK)
        status = reserve(call, collection, count);
    for (size_t i = 0; i < count; i++) {
        if (status == BP_OK)
            put(self->shared, collection, copies[i]);
        else
            point_free(copies[i]);
    }
    bp_mutex_unlock(self->shared->lock);
    return status;
}

static void take_out(struct shared *shared, struct collection *collection, size_t place)
{
    point_free(collection->points[place]);
    collection->count--;
    shared->points--;
    memmove(collection->points + place, collection->points + place + 1,
            (collection->count - place) * sizeof(struct point *));
}

static bp_status remove_points(bp_call *call, void *instance, bp_str name, const uint64_t *ids,
                               size_t count, const bp_filter *filter, uint64_t *removed)
{
    struct store      *self = instance;
    struct collection *collection;
    bp_status          status = BP_OK;
    size_t             before;

    if (!ids && !filter)
        return bp_fail(call, BP_INVALID,
                       "neither ids nor a filter say what to remove; drop() removes all");
    BP_TRY(lock_and_find(call, self, name, &collection));
    before = collection->count;
    for (size_t i = 0; ids && i < count; i++) {
        size_t place = place_of(collection, ids[i]);

        if (is_at(collection, place, ids[i]))
            take_out(self->shared, collection, place);
    }
    for (size_t i = collection->count; !ids && i-- > 0 && status == BP_OK;) {
        bool is_match;

        status = does_match(call, collection->points[i], filter, &is_match);
        if (status == BP_OK && is_match)
            take_out(self->shared, collection, i);
    }
    if (removed)
        *removed = before - collection->count;
    bp_mutex_unlock(self->shared->lock);
    return status;
}

/* ---- searching ---- */

static double nearness(const float *a, const float *b, uint32_t dimensions, uint32_t metric)
{
    double product = 0, a_length = 0, b_length = 0, distance = 0;

    for (uint32_t i = 0; i < dimensions; i++) {
        product += (double)a[i] * b[i];
        a_length += (double)a[i] * a[i];
        b_length += (double)b[i] * b[i];
        distance += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    if (metric == BP_L2)
        return -sqrt(distance);
    return metric == BP_COSINE ? product / (sqrt(a_length * b_length) + 1e-30) : product;
}

static bool next_word(bp_str text, size_t *at, bp_str *word)
{
    size_t first;

    while (*at < text.len && !isalnum((unsigned char)text.data[*at]) &&
           (unsigned char)text.data[*at] < 0x80)
        ++*at;
    first = *at;
    while (*at < text.len &&
           (isalnum((unsigned char)text.data[*at]) || (unsigned char)text.data[*at] >= 0x80))
        ++*at;
    *word = bp_str_n(text.data + first, *at - first);
    return word->len > 0;
}

static bool holds_word(bp_str text, bp_str word)
{
    size_t at = 0;
    bp_str one;

    while (next_word(text, &at, &one))
        if (one.len == word.len && strncasecmp(one.data, word.data, word.len) == 0)
            return true;
    return false;
}

static double shared_words(bp_str query, bp_str text)
{
    size_t at = 0;
    double count = 0;
    bp_str word;

    while (next_word(query, &at, &word))
        count += holds_word(text, word);
    return count;
}

/* The best `limit` hits, greatest score first, ties by id. */
struct best {
    bp_hit  *hits;
    uint32_t count, limit;
};

static void offer(struct best *best, uint64_t id, double score)
{
    uint32_t at = best->count;

    if (best->count == best->limit && best->hits[at - 1].score >= score)
        return; /* points come by rising id, so an equal one stands behind */
    if (best->count < best->limit)
        best->count++;
    else
        at--;
    for (; at > 0 && best->hits[at - 1].score < score; at--)
        best->hits[at] = best->hits[at - 1];
    best->hits[at] = (bp_hit){ .id = id, .score = score };
}

static bool best_init(bp_call *call, struct best *best, uint32_t limit, size_t points)
{
    best->limit = points < limit ? (uint32_t)points : limit;
    best->hits = BP_NEW_ARRAY(call, bp_hit, (size_t)best->limit + 1);
    return best->hits != NULL;
}

static void give(const struct best *best, bp_leg *leg, uint32_t mode, uint64_t rows)
{
    leg->mode = mode;
    leg->hits = best->hits;
    leg->hit_count = best->count;
    leg->rows_read = rows;
}

static bp_status scan(bp_call *call, const struct collection *collection,
                      const bp_vector_query *query, struct best *by_vector, struct best *by_words)
{
    for (size_t i = 0; i < collection->count; i++) {
        const struct point *point = collection->points[i];
        bool                is_match;
        double              words;

        if (i % 1024 == 0)
            BP_TRY(bp_cancelled(call));
        BP_TRY(does_match(call, point, query->filter, &is_match));
        if (!is_match)
            continue;
        if (query->vector && point->vector && by_vector->limit)
            offer(by_vector, point->id,
                  nearness(query->vector, point->vector, collection->dimensions,
                           collection->metric));
        words = query->words.len ? shared_words(query->words, point->words) : 0;
        if (words > 0)
            offer(by_words, point->id, words);
    }
    return BP_OK;
}

/* Small collections only are sensible here, so the scan stays on the loop; a large one belongs in
 * bp_offload(). */
static bp_status search(bp_call *call, void *instance, const bp_vector_query *query,
                        bp_leg *by_vector, bp_leg *by_words)
{
    struct store      *self = instance;
    struct collection *collection;
    struct best        vectors = { .count = 0 }, words = { .count = 0 };
    uint32_t           mode = query->filter ? BP_SEARCH_FILTERED : BP_SEARCH_EXACT;
    bp_status          status = BP_OK;

    if (query->limit < 1 || query->limit > AT_ONCE_MAX)
        return bp_fail(call, BP_INVALID, "a search gives 1 to %d hits, not %u", AT_ONCE_MAX,
                       query->limit);
    BP_TRY(lock_and_find(call, self, query->collection, &collection));
    if (query->vector && query->dimensions != collection->dimensions)
        status = bp_fail(call, BP_INVALID, "the query has %u dimensions, the collection %u",
                         query->dimensions, collection->dimensions);
    if (status == BP_OK)
        status = check_vector(call, collection, query->vector);
    if (status == BP_OK && (!best_init(call, &vectors, query->limit, collection->count) ||
                            !best_init(call, &words, query->limit, collection->count)))
        status = BP_NO_MEMORY;
    if (status == BP_OK)
        status = scan(call, collection, query, &vectors, &words);
    if (status == BP_OK && query->vector)
        give(&vectors, by_vector, mode, collection->count);
    if (status == BP_OK && query->words.len)
        give(&words, by_words, mode, collection->count);
    bp_mutex_unlock(self->shared->lock);
    return status;
}

static bp_status count_points(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                              uint64_t *count)
{
    struct store      *self = instance;
    struct collection *collection;
    bp_status          status = BP_OK;

    BP_TRY(lock_and_find(call, self, name, &collection));
    *count = 0;
    for (size_t i = 0; i < collection->count && status == BP_OK; i++) {
        bool is_match = false;

        status = does_match(call, collection->points[i], filter, &is_match);
        *count += is_match;
    }
    bp_mutex_unlock(self->shared->lock);
    return status;
}

/* Copies first and gives them out without the lock, as the sink may suspend, or call the store
 * again. */
static bp_status scroll(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                        uint64_t after, uint32_t limit, const bp_point_sink *sink)
{
    struct store      *self = instance;
    struct collection *collection;
    bp_point          *points;
    uint32_t           count = 0;
    bp_status          status = BP_OK;

    if (limit < 1 || limit > AT_ONCE_MAX)
        return bp_fail(call, BP_INVALID, "a scroll gives 1 to %d points, not %u", AT_ONCE_MAX,
                       limit);
    BP_TRY(lock_and_find(call, self, name, &collection));
    points = BP_NEW_ARRAY(call, bp_point, limit);
    if (!points)
        status = BP_NO_MEMORY;
    for (size_t i = place_of(collection, after + 1);
         i < collection->count && count < limit && status == BP_OK; i++) {
        const struct point *from = collection->points[i];
        bool                is_match = false;

        status = does_match(call, from, filter, &is_match);
        if (status != BP_OK || !is_match)
            continue;
        points[count++] = (bp_point){
            .struct_size = sizeof(bp_point),
            .id = from->id,
            .words = bp_dup(call, from->words),
            .metadata = bp_dup(call, from->metadata),
            .vector = from->vector
                          ? (const float *)(const void *)
                                bp_dup(call, bp_str_n((const char *)from->vector,
                                                      collection->dimensions * sizeof(float)))
                                    .data
                          : NULL
        };
    }
    bp_mutex_unlock(self->shared->lock);
    for (uint32_t i = 0; i < count && status == BP_OK; i++)
        status = sink->point(call, sink->self, &points[i]);
    return status;
}

static const bp_vector_ops ops = {
    .struct_size = sizeof(bp_vector_ops),
    .create = create,
    .drop = drop,
    .list = list,
    .upsert = upsert,
    .remove = remove_points,
    .search = search,
    .count = count_points,
    .scroll = scroll,
    .owner = owner_of,
};

/* ---- the life ---- */

static bp_status shared_create(bp_call *call, const void *instance, void **out)
{
    struct shared *shared = calloc(1, sizeof(*shared));
    bp_status      status;

    (void)instance;
    if (!shared)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the store");
    status = bp_mutex_create(call, &shared->lock);
    if (status == BP_OK)
        *out = shared;
    else
        free(shared);
    return status;
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct store *self = instance;

    (void)call;
    self->shared = shared;
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *arg)
{
    struct shared *shared = arg;

    (void)call;
    while (shared->first) {
        struct collection *collection = shared->first;

        shared->first = collection->next;
        collection_free(collection);
    }
    bp_mutex_destroy(shared->lock);
    free(shared);
}

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

BP_PLUGIN(vector, "@NAME@", "1.0.0", .summary = "an exact vector store in memory",
          .instance_size = sizeof(struct store), .options = BP_TABLE(options), .life = &life,
          .ops = &ops)

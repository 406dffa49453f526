/* metrics.c - the registry: families in a list, series of a family in a hash table, values as
 * atomics. */
#include "base/metrics.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

static const double bucket_limits[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                        1,     2.5,  5,     10,   30,  60,   120 };
enum { BUCKETS = sizeof(bucket_limits) / sizeof(bucket_limits[0]), SLOTS = 256 };

struct metric_series {
    struct metric_series *next;       /* in its slot */
    _Atomic uint64_t      value_bits; /* a double; for a histogram the sum */
    _Atomic uint64_t     *buckets;    /* histograms: BUCKETS + 1, the last is beyond all limits */
    size_t                label_count;
    bp_str                labels[]; /* values */
};

struct handle {
    struct handle *next;
    char          *key;
    max_align_t    space[];
};

struct metric_family {
    struct metric_family *next;
    struct handle        *handles;
    enum metric_type      type;
    char                 *name, *help;
    char                 *label_names[METRIC_LABELS_MAX];
    size_t                label_count;
    pthread_mutex_t       lock; /* of the table; values need none */
    size_t                series_count;
    struct metric_series *slots[SLOTS];
};

struct collector {
    struct collector *next;
    void (*collect)(void *arg);
    void *arg;
};

static struct {
    pthread_mutex_t       lock;
    struct metric_family *first, **last;
    struct collector     *collectors;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER, .last = &registry.first };

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static bool is_name(const char *name, bool may_have_colon)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_' && !(may_have_colon && *name == ':'))
            return false;
    return true;
}

static void free_family(struct metric_family *family)
{
    for (size_t slot = 0; slot < SLOTS; slot++) {
        while (family->slots[slot]) {
            struct metric_series *series = family->slots[slot];

            family->slots[slot] = series->next;
            for (size_t i = 0; i < series->label_count; i++)
                free((char *)(uintptr_t)series->labels[i].data);
            free(series->buckets);
            free(series);
        }
    }
    while (family->handles) {
        struct handle *handle = family->handles;

        family->handles = handle->next;
        free(handle->key);
        free(handle);
    }
    for (size_t i = 0; i < family->label_count; i++)
        free(family->label_names[i]);
    pthread_mutex_destroy(&family->lock);
    free(family->name);
    free(family->help);
    free(family);
}

static const char purpose[] = "a counter of /metrics";

static char *copy_of(const char *text)
{
    return must_copy(text, strlen(text), purpose);
}

static struct metric_family *new_family(enum metric_type type, const char *name, const char *help,
                                        const char *label_names)
{
    struct metric_family *family = must_have(sizeof(*family), purpose);
    char                 *names = copy_of(label_names), *rest = NULL;

    pthread_mutex_init(&family->lock, NULL);
    family->type = type;
    family->name = copy_of(name);
    family->help = copy_of(help);
    for (char *word = strtok_r(names, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (family->label_count == METRIC_LABELS_MAX || !is_name(word, false)) {
            free(names);
            free_family(family);
            return NULL;
        }
        family->label_names[family->label_count++] = copy_of(word);
    }
    free(names);
    return family;
}

static bool is_same(const struct metric_family *a, const struct metric_family *b)
{
    if (a->type != b->type || a->label_count != b->label_count)
        return false;
    for (size_t i = 0; i < a->label_count; i++)
        if (strcmp(a->label_names[i], b->label_names[i]) != 0)
            return false;
    return true;
}

struct metric_family *metrics_define(enum metric_type type, const char *name, const char *help,
                                     const char *label_names)
{
    struct metric_family *wanted, *found;

    if (!is_name(name, true))
        return NULL;
    wanted = new_family(type, name, help, label_names);
    if (!wanted)
        return NULL;
    pthread_mutex_lock(&registry.lock);
    for (found = registry.first; found && strcmp(found->name, name) != 0; found = found->next)
        ;
    if (!found) {
        *registry.last = wanted;
        registry.last = &wanted->next;
    }
    pthread_mutex_unlock(&registry.lock);
    if (found) {
        bool same = is_same(found, wanted);

        free_family(wanted);
        return same ? found : NULL;
    }
    return wanted;
}

static size_t slot_of(const bp_str *values, size_t count)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < values[i].len; at++)
            hash = (hash ^ (unsigned char)values[i].data[at]) * 16777619u;
        hash = (hash ^ 0xFFu) * 16777619u;
    }
    return hash % SLOTS;
}

static struct metric_series *find(struct metric_family *family, size_t slot, const bp_str *values)
{
    struct metric_series *series;

    for (series = family->slots[slot]; series; series = series->next) {
        size_t i = 0;

        while (i < family->label_count && bp_str_equal(series->labels[i], values[i]))
            i++;
        if (i == family->label_count)
            return series;
    }
    return NULL;
}

struct metric_series *metrics_series(struct metric_family *family, const bp_str *label_values,
                                     size_t count)
{
    static const bp_str   other = { "other", 5 };
    bp_str                others[METRIC_LABELS_MAX] = { { NULL, 0 } };
    struct metric_series *series;
    size_t                slot = slot_of(label_values, family->label_count);

    if (count != family->label_count)
        return NULL;
    pthread_mutex_lock(&family->lock);
    series = find(family, slot, label_values);
    if (!series && family->series_count >= METRIC_SERIES_MAX) {
        for (size_t i = 0; i < count; i++)
            others[i] = other;
        label_values = others;
        slot = slot_of(others, count);
        series = find(family, slot, others);
    }
    if (!series) {
        series = must_have(sizeof(*series) + count * sizeof(bp_str), purpose);
        series->label_count = count;
        for (size_t i = 0; i < count; i++) {
            char *copy = must_copy(label_values[i].data, label_values[i].len, purpose);

            series->labels[i] = (bp_str){ copy, strlen(copy) };
        }
        if (family->type == METRIC_HISTOGRAM)
            series->buckets = must_have((BUCKETS + 1) * sizeof(*series->buckets), purpose);
        series->next = family->slots[slot];
        family->slots[slot] = series;
        family->series_count++;
    }
    pthread_mutex_unlock(&family->lock);
    return series;
}

struct metric_series *metrics_single(enum metric_type type, const char *name, const char *help)
{
    struct metric_family *family = metrics_define(type, name, help, "");

    return family ? metrics_series(family, NULL, 0) : NULL;
}

void *metrics_handle(struct metric_family *family, size_t size_bytes, bp_str key,
                     void (*fill)(void *space, struct metric_family *family, bp_str key))
{
    struct handle *handle;

    pthread_mutex_lock(&family->lock);
    for (handle = family->handles; handle && !bp_str_is(key, handle->key); handle = handle->next)
        ;
    if (!handle) {
        handle = must_have(sizeof(*handle) + size_bytes, purpose);
        handle->key = must_copy(key.data, key.len, purpose);
        fill(handle->space, family, bp_str_of(handle->key));
        handle->next = family->handles;
        family->handles = handle;
    }
    pthread_mutex_unlock(&family->lock);
    return handle->space;
}

void metric_add(struct metric_series *series, double value)
{
    uint64_t old, wanted;

    if (!series)
        return;
    old = series->value_bits;
    do
        wanted = to_bits(from_bits(old) + value);
    while (!__atomic_compare_exchange_n((uint64_t *)&series->value_bits, &old, wanted, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void metric_set(struct metric_series *series, double value)
{
    if (series)
        series->value_bits = to_bits(value);
}

void metric_observe(struct metric_series *series, double value)
{
    size_t bucket = 0;

    if (!series || !series->buckets)
        return;
    while (bucket < BUCKETS && value > bucket_limits[bucket])
        bucket++;
    __atomic_fetch_add((uint64_t *)&series->buckets[bucket], 1, __ATOMIC_RELAXED);
    metric_add(series, value);
}

double metric_value(const struct metric_series *series)
{
    return series ? from_bits(series->value_bits) : 0;
}

void metrics_on_collect(void (*collect)(void *arg), void *arg)
{
    struct collector *collector = must_have(sizeof(*collector), purpose);

    collector->collect = collect;
    collector->arg = arg;
    pthread_mutex_lock(&registry.lock);
    collector->next = registry.collectors;
    registry.collectors = collector;
    pthread_mutex_unlock(&registry.lock);
}

void metrics_remove_collect(void (*collect)(void *arg), void *arg)
{
    pthread_mutex_lock(&registry.lock);
    for (struct collector **at = &registry.collectors; *at; at = &(*at)->next) {
        struct collector *found = *at;

        if (found->collect == collect && found->arg == arg) {
            *at = found->next;
            free(found);
            break;
        }
    }
    pthread_mutex_unlock(&registry.lock);
}

/* ---- text form, version 0.0.4 ---- */

static void add_escaped(struct bp_buf *out, bp_str text, bool is_label)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '\\')
            buf_add(out, BP_STR("\\\\"));
        else if (c == '\n')
            buf_add(out, BP_STR("\\n"));
        else if (c == '"' && is_label)
            buf_add(out, BP_STR("\\\""));
        else
            buf_add_char(out, c);
    }
}

static void add_labels(struct bp_buf *out, const struct metric_family *family,
                       const struct metric_series *series, const char *limit)
{
    const char *before = "{";

    for (size_t i = 0; i < family->label_count; i++) {
        buf_addf(out, "%s%s=\"", before, family->label_names[i]);
        add_escaped(out, series->labels[i], true);
        buf_add_char(out, '"');
        before = ",";
    }
    if (limit) {
        buf_addf(out, "%sle=\"%s\"", before, limit);
        before = ",";
    }
    if (*before == ',')
        buf_add_char(out, '}');
}

static void add_value(struct bp_buf *out, double value)
{
    if (isnan(value))
        buf_add(out, BP_STR(" NaN\n"));
    else if (isinf(value))
        buf_add(out, value > 0 ? BP_STR(" +Inf\n") : BP_STR(" -Inf\n"));
    else if (value == floor(value) && fabs(value) < 1e15)
        buf_addf(out, " %.0f\n", value);
    else
        buf_addf(out, " %.12g\n", value);
}

static void add_histogram(struct bp_buf *out, const struct metric_family *family,
                          const struct metric_series *series)
{
    uint64_t so_far = 0;
    char     limit[16];

    for (size_t i = 0; i <= BUCKETS; i++) {
        so_far += series->buckets[i];
        if (i < BUCKETS)
            snprintf(limit, sizeof(limit), "%g", bucket_limits[i]);
        buf_addf(out, "%s_bucket", family->name);
        add_labels(out, family, series, i < BUCKETS ? limit : "+Inf");
        buf_addf(out, " %llu\n", (unsigned long long)so_far);
    }
    buf_addf(out, "%s_sum", family->name);
    add_labels(out, family, series, NULL);
    add_value(out, from_bits(series->value_bits));
    buf_addf(out, "%s_count", family->name);
    add_labels(out, family, series, NULL);
    buf_addf(out, " %llu\n", (unsigned long long)so_far);
}

static void render_family(struct bp_buf *out, struct metric_family *family)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };

    pthread_mutex_lock(&family->lock);
    buf_addf(out, "# HELP %s ", family->name);
    add_escaped(out, bp_str_of(family->help), false);
    buf_addf(out, "\n# TYPE %s %s\n", family->name, types[family->type]);
    if (!family->series_count) { // nothing happened yet: a comment says what it will be counted by
        buf_addf(out, "# LABELS %s", family->name);
        for (size_t i = 0; i < family->label_count; i++)
            buf_addf(out, " %s", family->label_names[i]);
        buf_add_char(out, '\n');
    } else {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            for (const struct metric_series *series = family->slots[slot]; series;
                 series = series->next) {
                if (family->type == METRIC_HISTOGRAM) {
                    add_histogram(out, family, series);
                } else {
                    buf_add(out, bp_str_of(family->name));
                    add_labels(out, family, series, NULL);
                    add_value(out, from_bits(series->value_bits));
                }
            }
        }
    }
    pthread_mutex_unlock(&family->lock);
}

void metrics_render(struct bp_buf *out)
{
    struct metric_family *first;

    pthread_mutex_lock(&registry.lock);
    for (struct collector *collector = registry.collectors; collector; collector = collector->next)
        collector->collect(collector->arg);
    first = registry.first;
    pthread_mutex_unlock(&registry.lock);
    // Families are only ever added at the end, so the list may be walked without the lock.
    for (struct metric_family *family = first; family; family = family->next)
        render_family(out, family);
}

void metrics_clear(void)
{
    while (registry.first) {
        struct metric_family *family = registry.first;

        registry.first = family->next;
        free_family(family);
    }
    while (registry.collectors) {
        struct collector *collector = registry.collectors;

        registry.collectors = collector->next;
        free(collector);
    }
    registry.last = &registry.first;
}

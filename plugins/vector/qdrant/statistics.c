/* statistics.c - the statistics that BM25 needs: the number of points, their lengths, and how many
 * contain a term.
 *
 * The server counts: facets of "n" (each length and how many points have it) give the points and
 * their average length in one request, and a count by "t" gives the points of a term. Both are kept
 * for `statistics` (5 s), and forgotten when this process writes; what other replicas write is seen
 * that much later. Numbers are for all workers.
 */
#include "qdrant.h"

#include <pthread.h>
#include <stdlib.h>

enum { COLLECTIONS_MAX = 64, TERMS_MAX = 4096, LENGTHS_MAX = 100000, AT_ONCE = 8 };

struct term_count {
    uint32_t hash;
    uint64_t points;
    int64_t  read_ns; /* 0: free */
};

struct collection_count {
    char     name[NAME_MAX_BYTES + 1];
    int64_t  read_ns, used_ns; /* read_ns 0: not counted */
    uint64_t version; /* rises when it is forgotten: an answer asked for before is not kept after */
    struct weights    weights;
    struct term_count terms[TERMS_MAX];
};

struct statistics {
    pthread_mutex_t          lock;
    struct collection_count *collections[COLLECTIONS_MAX];
};

struct statistics *statistics_new(void)
{
    struct statistics *statistics = calloc(1, sizeof(*statistics));

    if (statistics)
        pthread_mutex_init(&statistics->lock, NULL);
    return statistics;
}

void statistics_free(struct statistics *statistics)
{
    if (!statistics)
        return;
    for (size_t i = 0; i < COLLECTIONS_MAX; i++)
        free(statistics->collections[i]);
    pthread_mutex_destroy(&statistics->lock);
    free(statistics);
}

/* FNV-1a: the number of a term in the sparse vectors and in "t". */
uint32_t term_hash(bp_str term)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < term.len; i++)
        hash = (hash ^ (unsigned char)term.data[i]) * 16777619u;
    return hash;
}

/* The place of a collection, made when there is none; the one unused for longest gives way. NULL
 * without memory. Locked. */
static struct collection_count *place_of(struct statistics *statistics, bp_str name)
{
    struct collection_count **oldest = &statistics->collections[0], *one;

    for (size_t i = 0; i < COLLECTIONS_MAX; i++) {
        one = statistics->collections[i];
        if (one && bp_str_is(name, one->name)) {
            one->used_ns = bp_now_ns();
            return one;
        }
        if (*oldest && (!one || one->used_ns < (*oldest)->used_ns))
            oldest = &statistics->collections[i];
    }
    one = calloc(1, sizeof(*one));
    if (!one)
        return NULL;
    free(*oldest);
    *oldest = one;
    snprintf(one->name, sizeof(one->name), BP_FMT, BP_ARG(name));
    one->used_ns = bp_now_ns();
    one->version = (uint64_t)one->used_ns; // of an earlier one of that name it differs
    return one;
}

void statistics_forget(struct qdrant *db, bp_str collection)
{
    struct collection_count *place;

    pthread_mutex_lock(&db->statistics->lock);
    place = place_of(db->statistics, collection);
    if (place) {
        place->read_ns = 0;
        place->version++;
        memset(place->terms, 0, sizeof(place->terms));
    }
    pthread_mutex_unlock(&db->statistics->lock);
}

static bool is_fresh(const struct qdrant *db, int64_t read_ns)
{
    return read_ns && bp_now_ns() - read_ns < db->statistics_ns;
}

/* ---- lengths ---- */

static bp_status count_lengths(bp_call *call, const struct qdrant *db, bp_str collection,
                               struct weights *weights)
{
    const bp_json  *result, *hits;
    bp_json_writer *w = bp_json_writer_new(call, 4096);
    uint64_t        tokens = 0;
    bp_str          body;

    bp_json_object(w);
    bp_json_put_string(w, "key", BP_STR("n"));
    bp_json_put_integer(w, "limit", LENGTHS_MAX);
    bp_json_put_bool(w, "exact", true);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &body));
    BP_TRY(qdrant_ask(call, db, "POST", qdrant_path(call, db, collection, "/facet"), body, 0,
                      &result));
    hits = bp_json_get(result, "hits");
    *weights = (struct weights){ .points = 0 };
    for (size_t i = 0; i < bp_json_count(hits); i++) {
        uint64_t length = (uint64_t)bp_json_integer(bp_json_get(bp_json_at(hits, i), "value"));
        uint64_t points = (uint64_t)bp_json_integer(bp_json_get(bp_json_at(hits, i), "count"));

        weights->points += points;
        tokens += length * points;
    }
    if (weights->points)
        weights->average_length = (double)tokens / (double)weights->points;
    return BP_OK;
}

bp_status statistics_of(bp_call *call, struct qdrant *db, bp_str collection,
                        struct weights *weights)
{
    struct collection_count *place;
    uint64_t                 version = 0;
    bool                     is_known;

    pthread_mutex_lock(&db->statistics->lock);
    place = place_of(db->statistics, collection);
    is_known = place && is_fresh(db, place->read_ns);
    if (place) {
        version = place->version;
        *weights = place->weights;
    }
    pthread_mutex_unlock(&db->statistics->lock);
    if (is_known)
        return BP_OK;
    BP_TRY(count_lengths(call, db, collection, weights));
    pthread_mutex_lock(&db->statistics->lock);
    place = place_of(db->statistics, collection);
    if (place && place->version == version) {
        place->weights = *weights;
        place->read_ns = bp_now_ns();
    }
    pthread_mutex_unlock(&db->statistics->lock);
    return BP_OK;
}

/* ---- terms ---- */

struct term_ask {
    const struct qdrant *db;
    bp_str               collection;
    uint32_t             hash;
    uint64_t             points;
};

static bp_status count_term(bp_call *call, void *arg)
{
    struct term_ask *ask = arg;
    const bp_json   *result;
    bp_json_writer  *w = bp_json_writer_new(call, 4096);
    bp_str           body;

    bp_json_object(w);
    bp_json_key(w, "filter");
    bp_json_object(w);
    bp_json_key(w, "must");
    bp_json_array(w);
    bp_json_object(w);
    bp_json_put_string(w, "key", BP_STR("t"));
    bp_json_key(w, "match");
    bp_json_object(w);
    bp_json_put_integer(w, "value", ask->hash);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_put_bool(w, "exact", true);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &body));
    BP_TRY(qdrant_ask(call, ask->db, "POST",
                      qdrant_path(call, ask->db, ask->collection, "/points/count"), body, 0,
                      &result));
    ask->points = (uint64_t)bp_json_integer(bp_json_get(result, "count"));
    return BP_OK;
}

/* A few requests side by side. */
static bp_status count_terms(bp_call *call, struct term_ask *asks, size_t count)
{
    bp_status status = BP_OK;

    for (size_t at = 0; at < count && status == BP_OK; at += AT_ONCE) {
        bp_child *children[AT_ONCE];
        size_t    some = 0;

        while (some < AT_ONCE && at + some < count &&
               (status = bp_spawn(call, "count", count_term, &asks[at + some], &children[some])) ==
                   BP_OK)
            some++;
        for (size_t i = 0; i < some; i++) {
            bp_status one = bp_join(call, children[i]);
            status = status == BP_OK ? one : status;
        }
    }
    return status;
}

bp_status statistics_terms(bp_call *call, struct qdrant *db, bp_str collection,
                           const uint32_t *hashes, size_t count, uint64_t *with_term)
{
    struct term_ask         *asks = BP_NEW_ARRAY(call, struct term_ask, count + 1);
    struct collection_count *place;
    uint64_t                 version = 0;
    size_t                   missing = 0;

    if (!asks)
        return BP_NO_MEMORY;
    pthread_mutex_lock(&db->statistics->lock);
    place = place_of(db->statistics, collection);
    version = place ? place->version : 0;
    for (size_t i = 0; i < count; i++) {
        const struct term_count *known = place ? &place->terms[hashes[i] % TERMS_MAX] : NULL;

        if (known && known->hash == hashes[i] && is_fresh(db, known->read_ns))
            with_term[i] = known->points;
        else
            asks[missing++] = (struct term_ask){ db, collection, hashes[i], 0 };
    }
    pthread_mutex_unlock(&db->statistics->lock);
    BP_TRY(count_terms(call, asks, missing));
    pthread_mutex_lock(&db->statistics->lock);
    place = place_of(db->statistics, collection);
    for (size_t m = 0; m < missing; m++) {
        for (size_t i = 0; i < count; i++)
            if (hashes[i] == asks[m].hash)
                with_term[i] = asks[m].points;
        if (place && place->version == version)
            place->terms[asks[m].hash % TERMS_MAX] = (struct term_count){ asks[m].hash,
                                                                          asks[m].points,
                                                                          bp_now_ns() };
    }
    pthread_mutex_unlock(&db->statistics->lock);
    return BP_OK;
}

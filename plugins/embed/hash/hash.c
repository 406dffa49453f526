/* hash.c - an embedder without a model: words and pieces of words, hashed into 384 numbers.
 *
 *      "Caching servers" -> words   cach, server            longer ones weigh more: they are rarer
 *                           pieces  ^ca cac ach ^cac ...    share the weight of their word
 *                        -> each adds +w or -w at two places that its hash says
 *                        -> at last the vector's length is made 1
 *
 * Two texts are near when they share words, or parts of words: that is what helps BM25 where a word
 * is misspelt or inflected otherwise. Meaning it does not know, and says so by is_lexical.
 */
#include <math.h>
#include <stdlib.h>

#include <backplane/embed.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

#include "terms/terms.h"

enum {
    DIMENSIONS = 384,
    BATCH_MAX = 512,
    PIECE_MIN = 3,
    PIECE_MAX = 4,
    INLINE_BYTES = 8 << 10 /* more text than this is hashed on a pool thread: it takes over a
                              millisecond */
};

/* Of a word's pieces together, as a vector's length, against its 1; measured in test_hash_ir.c. */
#define PIECES_WEIGHT 3.0

/* How often each feature occurs in one text. */
struct feature {
    uint64_t hash; /* 0: free */
    float    weight;
    uint32_t count;
};

struct bag {
    struct feature *slots;
    size_t          size, used;
};

static uint64_t hash_bytes(const char *bytes, size_t len, uint64_t seed)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 29;
    return hash ? hash : 1;
}

static bool bag_grow(struct bag *bag)
{
    struct bag bigger = { .size = bag->size ? bag->size * 2 : 1024 };

    bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < bag->size; i++) {
        size_t at = bag->slots[i].hash & (bigger.size - 1);
        if (!bag->slots[i].hash)
            continue;
        while (bigger.slots[at].hash)
            at = (at + 1) & (bigger.size - 1);
        bigger.slots[at] = bag->slots[i];
    }
    bigger.used = bag->used;
    free(bag->slots);
    *bag = bigger;
    return true;
}

static bool bag_add(struct bag *bag, uint64_t hash, double weight)
{
    size_t at;

    if (bag->used * 2 >= bag->size && !bag_grow(bag))
        return false;
    at = hash & (bag->size - 1);
    while (bag->slots[at].hash && bag->slots[at].hash != hash)
        at = (at + 1) & (bag->size - 1);
    bag->used += bag->slots[at].hash == 0;
    bag->slots[at].hash = hash;
    bag->slots[at].count++;
    if (bag->slots[at].weight < (float)weight)
        bag->slots[at].weight = (float)weight;
    return true;
}

/* ---- features of a text ---- */

static bool add_pieces(struct bag *bag, const struct term *term, double weight)
{
    char   marked[TERM_BYTES_MAX + 2];
    size_t len = 0, pieces = 0;

    marked[len++] = '^';
    memcpy(marked + len, term->text, term->len);
    len += term->len;
    marked[len++] = '$';
    for (size_t n = PIECE_MIN; n <= PIECE_MAX; n++)
        pieces += len >= n ? len - n + 1 : 0;
    for (size_t n = PIECE_MIN; n <= PIECE_MAX; n++)
        for (size_t at = 0; at + n <= len; at++)
            if (!bag_add(bag, hash_bytes(marked + at, n, n),
                         weight * PIECES_WEIGHT / sqrt((double)pieces)))
                return false;
    return true;
}

static bool add_text(struct bag *bag, bp_str text, uint64_t *tokens)
{
    struct term term, before = { .len = 0 };
    size_t      cursor = 0;

    while (terms_next(text, &cursor, &term)) {
        double weight;

        ++*tokens;
        if (term.is_unspaced) { /* neighbours make a word */
            char   pair[2 * TERM_BYTES_MAX];
            size_t len = before.is_unspaced && before.end == term.begin ? before.len : 0;
            memcpy(pair, before.text, len);
            memcpy(pair + len, term.text, term.len);
            if (!bag_add(bag, hash_bytes(pair, len + term.len, 0), len ? 1 : 0.5))
                return false;
            before = term;
            continue;
        }
        if (terms_is_stop_word(bp_str_n(term.text, term.len)))
            continue;
        weight = 0.5 + (double)(term.len < 12 ? term.len : 12) / 12;
        if (!add_pieces(bag, &term, weight))
            return false;
        terms_stem(&term);
        if (!bag_add(bag, hash_bytes(term.text, term.len, 0), weight))
            return false;
    }
    /* Never a zero vector, which no vector store takes: blank texts are all alike. */
    return bag->used > 0 || bag_add(bag, hash_bytes("\1blank", 6, 0), 1);
}

static void project(const struct bag *bag, float *vector)
{
    double sums[DIMENSIONS] = { 0 }, length = 0;

    for (size_t i = 0; i < bag->size; i++) {
        const struct feature *feature = &bag->slots[i];
        double                weight;
        if (!feature->hash)
            continue;
        weight = feature->weight * (1 + log((double)feature->count));
        sums[(feature->hash >> 1) % DIMENSIONS] += feature->hash & 1 ? weight : -weight;
        sums[(feature->hash >> 33) % DIMENSIONS] += feature->hash >> 32 & 1 ? weight : -weight;
    }
    for (size_t i = 0; i < DIMENSIONS; i++)
        length += sums[i] * sums[i];
    if (length <= 0) { /* everything cancelled out */
        sums[0] = 1;
        length = 1;
    }
    for (size_t i = 0; i < DIMENSIONS; i++)
        vector[i] = (float)(sums[i] / sqrt(length));
}

/* ---- the operations ---- */

struct embedding {
    const bp_embed_request *request;
    float                  *vectors;
    uint64_t                tokens;
};

static bp_status embed_job(bp_call *call, void *arg)
{
    struct embedding *embedding = arg;
    struct bag        bag = { .size = 0 };
    bp_status         status = BP_OK;

    for (size_t i = 0; i < embedding->request->count && status == BP_OK; i++) {
        if (bag.size)
            memset(bag.slots, 0, bag.size * sizeof(*bag.slots));
        bag.used = 0;
        status = bp_cancelled(call);
        if (status != BP_OK)
            status = bp_fail(call, status, "the embedding was given up: %s",
                             bp_status_text(status));
        else if (!add_text(&bag, embedding->request->texts[i], &embedding->tokens))
            status = bp_fail(call, BP_UNAVAILABLE, "no memory to hash a text of %zu bytes",
                             embedding->request->texts[i].len);
        else
            project(&bag, embedding->vectors + i * DIMENSIONS);
    }
    free(bag.slots);
    return status;
}

static bp_status hash_info(bp_call *call, void *instance, bp_embed_info *info)
{
    (void)call;
    (void)instance;
    info->dimensions = DIMENSIONS;
    info->max_tokens = 0;
    info->max_batch = BATCH_MAX;
    info->model = BP_STR("hash-384-v1");
    info->is_lexical = true;
    info->is_normalised = true;
    return BP_OK;
}

static bp_status hash_embed(bp_call *call, void *instance, const bp_embed_request *request,
                            bp_embeddings *embeddings)
{
    struct embedding embedding = { .request = request };
    size_t           bytes = 0;

    (void)instance;
    if (request->count < 1 || request->count > BATCH_MAX)
        return bp_fail(call, BP_INVALID, "1 to %d texts can be embedded at once, not %zu",
                       BATCH_MAX, request->count);
    embedding.vectors = BP_NEW_ARRAY(call, float, request->count *DIMENSIONS);
    if (!embedding.vectors)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < request->count; i++)
        bytes += request->texts[i].len;
    BP_TRY(bytes > INLINE_BYTES ? bp_offload(call, NULL, embed_job, &embedding)
                                : embed_job(call, &embedding));
    embeddings->dimensions = DIMENSIONS;
    embeddings->vectors = embedding.vectors;
    embeddings->count = request->count;
    embeddings->tokens = embedding.tokens;
    return BP_OK;
}

static const bp_embed_ops ops = {
    .struct_size = sizeof(bp_embed_ops),
    .info = hash_info,
    .embed = hash_embed,
};

BP_PLUGIN(embed, "hash", "1.0.0",
          .summary = "hashed words and parts of words: no model file, no meaning, tolerates "
                     "misspellings",
          .license = "Apache-2.0", .ops = &ops)

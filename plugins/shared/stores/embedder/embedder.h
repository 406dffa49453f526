/* embedder.h - the properties of an app's embedder: asked once, at first use, because the embedder
 * may not be there yet when the app starts. */
#ifndef SHARED_EMBEDDER_H
#define SHARED_EMBEDDER_H

#include <backplane/embed.h>
#include <backplane/storage.h>
#include <backplane/vector.h>

struct embedder {
    bp_embed_info info; /* dimensions 0: not known yet; its model lies in `model` */
    char          model[256];
    char          collection[132]; /* where embedder_make_collection() has them kept */
    uint32_t      rounds;          /* of embedder_is_due() */
};

/* Asks unless it is known. BP_UPSTREAM: what it says of itself cannot be; and what info() fails
 * with. */
bp_status embedder_learn(bp_call *call, const bp_peer *embed,
                         struct embedder *embedder) BP_SUSPENDS;

/* What an app writes as the words of a point. */
struct own_words {
    /* BP_NOT_FOUND: the app has nothing of this id. */
    bp_status (*of)(bp_call *call, void *app, uint64_t id, bp_str *words) BP_SUSPENDS;
    void   *app;
    int64_t middle; /* some id in the middle of those that the app has, to look there as well; 0:
                       only at the first */
};

/* Whether the points of a collection are the app's own work, by the words of 40 of them: two
 * deployments of an older version wrote under one name, which points bear no mark of. One without
 * points is. */
bp_status embedder_is_own_work(bp_call *call, const bp_peer *vector, bp_str name,
                               const struct own_words *own, bool *is_own) BP_SUSPENDS;

/* The same, and an English collection for its vectors, by cosine, is there when it returns BP_OK:
 * embedder->collection.
 *
 * Its name is `base`, a dot and a hash of the deployment (by `storage`) and the embedder's model,
 * so that neither another deployment on the same store nor another embedder can meet it; its points
 * can be made again from the rows of the app, which compares their count with the collection's. A
 * collection that is called `base` alone, as older versions made it, goes on being used if it is
 * this deployment's, or nobody's and its points are the app's own work, and was made for this
 * embedder. */
bp_status embedder_make_collection(bp_call *call, const bp_peer *embed, const bp_peer *vector,
                                   const bp_peer *storage, bp_str base, const struct own_words *own,
                                   struct embedder *embedder) BP_SUSPENDS;
/* Gives the status of an operation on the collection back. BP_NOT_FOUND: it is gone, the next
 * embedder_make_collection() makes it again, and embedder_is_due() says so at once. */
bp_status embedder_learn_from(struct embedder *embedder, bp_status status);
/* Asked once in each round of an app's upkeep: whether it is time to compare the collection with
 * the rows that it is made of. */
bool                 embedder_is_due(struct embedder *embedder);
static inline bp_str embedder_collection(const struct embedder *embedder)
{
    return bp_str_of(embedder->collection);
}

/* A text without a word of meaning has no direction, and no vector store finds anything by its
 * vector. */
bool embedder_is_zero(const float *vector, uint32_t dimensions);

#endif

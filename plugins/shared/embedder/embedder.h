/* embedder.h - what an app has to know of its embedder before it keeps vectors: asked once, when it is first needed, as an
 * embedder may not be there yet when the app starts. */
#ifndef SHARED_EMBEDDER_H
#define SHARED_EMBEDDER_H

#include <backplane/embed.h>
#include <backplane/vector.h>

struct embedder {
    bp_embed_info info; /* dimensions 0: not known yet; its model lies in `model` */
    char          model[256];
};

/* Asks unless it is known. BP_UPSTREAM: what it says of itself cannot be; and what info() fails with. */
bp_status embedder_learn(bp_call *call, const bp_peer *embed, struct embedder *embedder) BP_SUSPENDS;

/* The same, and an English collection for its vectors, by cosine, is there when it returns BP_OK. */
bp_status embedder_make_collection(bp_call *call, const bp_peer *embed, const bp_peer *vector, bp_str collection,
                                   struct embedder *embedder) BP_SUSPENDS;

/* A text without a word of meaning has no direction, and no vector store finds anything by its vector. */
bool embedder_is_zero(const float *vector, uint32_t dimensions);

#endif

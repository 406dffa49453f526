/* backplane/embed.h - the interface of an embedder: texts in, float32 vectors out. */
#ifndef BACKPLANE_EMBED_H
#define BACKPLANE_EMBED_H

#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_embed 1

typedef enum bp_embed_purpose { BP_EMBED_PASSAGE = 0, BP_EMBED_QUERY = 1 } bp_embed_purpose;

typedef struct bp_embed_info {
    uint32_t struct_size;
    uint32_t dimensions;
    uint32_t max_tokens; /* a text is cut behind them; 0: no limit */
    uint32_t max_batch;  /* texts in one call, at least 1 */
    bp_str   model;      /* id that changes whenever the vectors would */
    bool is_lexical; /* nearness means shared words, not meaning: a weak second leg beside BM25 */
    bool is_normalised;
} bp_embed_info;

typedef struct bp_embed_request {
    uint32_t      struct_size;
    uint32_t      purpose; /* bp_embed_purpose */
    const bp_str *texts;   /* UTF-8 */
    size_t        count;   /* 1 to max_batch */
} bp_embed_request;

typedef struct bp_embeddings {
    uint32_t     struct_size;
    uint32_t     dimensions;
    const float *vectors; /* `count` times `dimensions`, text by text; in the call's arena */
    size_t       count;
    uint64_t     tokens; /* used in all; 0: not known */
} bp_embeddings;

/* Both may suspend, are bounded by the call, borrow their inputs, are idempotent, and return BP_OK,
 * BP_INVALID, BP_UNAVAILABLE, BP_UPSTREAM, BP_LIMIT, BP_DEADLINE or BP_CANCELLED. */
typedef struct bp_embed_ops {
    uint32_t struct_size;
    bp_status (*info)(bp_call *call, void *instance, bp_embed_info *info) BP_SUSPENDS;
    bp_status (*embed)(bp_call *call, void *instance, const bp_embed_request *request,
                       bp_embeddings *embeddings) BP_SUSPENDS;
} bp_embed_ops;

static inline const bp_embed_ops *bp_embed_of(const bp_peer *embedder)
{
    return (const bp_embed_ops *)embedder->ops;
}

static inline bp_status bp_embed_info_of(bp_call *call, const bp_peer *embedder,
                                         bp_embed_info *info) BP_SUSPENDS
{
    memset(info, 0, sizeof(*info));
    info->struct_size = (uint32_t)sizeof(*info);
    return bp_embed_of(embedder)->info(call, embedder->instance, info);
}
static inline bp_status bp_embed_texts(bp_call *call, const bp_peer *embedder,
                                       bp_embed_purpose purpose, const bp_str *texts, size_t count,
                                       bp_embeddings *embeddings) BP_SUSPENDS
{
    bp_embed_request request;
    memset(&request, 0, sizeof(request));
    request.struct_size = (uint32_t)sizeof(request);
    request.purpose = (uint32_t)purpose;
    request.texts = texts;
    request.count = count;
    memset(embeddings, 0, sizeof(*embeddings));
    embeddings->struct_size = (uint32_t)sizeof(*embeddings);
    return bp_embed_of(embedder)->embed(call, embedder->instance, &request, embeddings);
}

#ifdef __cplusplus
}
#endif
#endif

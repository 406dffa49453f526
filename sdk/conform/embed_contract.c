/* embed_contract.c - the contract of embed.h. */
#include "conform.h"

#include <math.h>

enum { ROUNDS = 5, CROWD = 12 };

#define CROWD_DIFFERENCE 1e-4 /* what other batches do to the last digits */

static double cosine(const float *a, const float *b, uint32_t dimensions)
{
    double product = 0, aa = 0, bb = 0;

    for (uint32_t i = 0; i < dimensions; i++) {
        product += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? product / sqrt(aa * bb) : aa == bb;
}

static bp_status info_of(bp_call *call, struct conform *conform, bp_embed_info *info)
{
    CONFORM_STATUS(call, bp_embed_info_of(call, conform_peer(call, conform), info), BP_OK);
    CONFORM_THAT(call, info->dimensions > 0 && info->max_batch > 0 && info->model.len > 0,
                 "the model is \"" BP_FMT "\" with %u dimensions and batches of %u",
                 BP_ARG(info->model), info->dimensions, info->max_batch);
    return BP_OK;
}

static bp_status embed(bp_call *call, struct conform *conform, bp_embed_purpose purpose,
                       const bp_str *texts, size_t count, bp_embeddings *found)
{
    bp_embed_info info;

    BP_TRY(info_of(call, conform, &info));
    CONFORM_STATUS(call,
                   bp_embed_texts(call, conform_peer(call, conform), purpose, texts, count, found),
                   BP_OK);
    CONFORM_THAT(call, found->count == count && found->dimensions == info.dimensions,
                 "%zu texts gave %zu vectors of %u dimensions", count, found->count,
                 found->dimensions);
    for (size_t i = 0; i < count; i++) {
        const float *vector = found->vectors + i * found->dimensions;
        double       length = 0;

        for (uint32_t d = 0; d < found->dimensions; d++) {
            CONFORM_THAT(call, isfinite(vector[d]), "vector %zu is not finite", i);
            length += (double)vector[d] * vector[d];
        }
        CONFORM_THAT(call, !info.is_normalised || fabs(sqrt(length) - 1) < 1e-3,
                     "vector %zu has the length %g and is said to be normalised", i, sqrt(length));
    }
    return BP_OK;
}

static bp_status the_model_is_named(bp_call *call, struct conform *conform)
{
    bp_embed_info first, second;

    BP_TRY(info_of(call, conform, &first));
    BP_TRY(info_of(call, conform, &second));
    CONFORM_THAT(call, bp_str_equal(first.model, second.model), "the model's id changes");
    return BP_OK;
}

static bp_status a_text_has_one_vector(bp_call *call, struct conform *conform)
{
    bp_str        texts[] = { BP_STR("A cat sleeps on the warm roof."),
                              BP_STR("Retry-After is given in seconds."),
                              BP_STR("A cat sleeps on the warm roof."), BP_STR("x") };
    bp_embed_info info;
    bp_embeddings together, alone;
    uint32_t      d;

    BP_TRY(info_of(call, conform, &info));
    if (info.max_batch < 4)
        return conform_skip(call, "batches hold fewer than 4 texts");
    BP_TRY(embed(call, conform, BP_EMBED_PASSAGE, texts, 4, &together));
    d = together.dimensions;
    CONFORM_THAT(call, cosine(together.vectors, together.vectors + 2 * d, d) > 0.9999,
                 "the same text twice in a batch gives two vectors");
    CONFORM_THAT(call, cosine(together.vectors, together.vectors + d, d) < 0.999,
                 "two texts give the same vector");
    for (size_t i = 0; i < 4; i++) {
        BP_TRY(embed(call, conform, BP_EMBED_PASSAGE, &texts[i], 1, &alone));
        CONFORM_THAT(call, cosine(together.vectors + i * d, alone.vectors, d) > 0.999,
                     "text %zu has another vector in a batch (cosine %g)", i,
                     cosine(together.vectors + i * d, alone.vectors, d));
    }
    return embed(call, conform, BP_EMBED_QUERY, texts, 2, &alone);
}

static bp_status awkward_texts_have_vectors(bp_call *call, struct conform *conform)
{
    bp_embed_info info;
    bp_embeddings found;

    BP_TRY(info_of(call, conform, &info));
    for (size_t i = 0; i < conform->string_count; i += info.max_batch) {
        size_t count = conform->string_count - i < info.max_batch ? conform->string_count - i
                                                                  : info.max_batch;

        BP_TRY(embed(call, conform, BP_EMBED_PASSAGE, conform->strings + i, count, &found));
    }
    return BP_OK;
}

static bp_status huge_texts_are_cut(bp_call *call, struct conform *conform)
{
    size_t        len = 1 << 20;
    char         *text = bp_alloc(call, len);
    bp_str        huge = bp_str_n(text, len);
    bp_embeddings found;

    if (!text)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < len; i++)
        text[i] = i % 6 == 5 ? ' ' : (char)('a' + i * 7 % 26);
    return embed(call, conform, BP_EMBED_PASSAGE, &huge, 1, &found);
}

static bp_status op_embed(bp_call *call, struct conform *conform)
{
    bp_str        texts[] = { BP_STR("one text") };
    bp_embeddings found;

    return bp_embed_texts(call, conform_peer(call, conform), BP_EMBED_QUERY, texts, 1, &found);
}

static const struct conform_op ops[] = { { "embed", op_embed } };

static bp_status all_workers_embed_at_once(bp_call *call, struct conform *conform)
{
    bp_str        text = bp_format(call, "a text of worker %u", bp_worker_index(call));
    bp_embeddings first, again;

    BP_TRY(embed(call, conform, BP_EMBED_PASSAGE, &text, 1, &first));
    for (int i = 0; i < ROUNDS; i++) {
        BP_TRY(embed(call, conform, BP_EMBED_PASSAGE, &text, 1, &again));
        CONFORM_THAT(call, cosine(first.vectors, again.vectors, first.dimensions) > 0.999,
                     "a text has another vector while others are embedded");
    }
    return BP_OK;
}

struct crowd {
    struct conform *conform;
    const float    *alone[CROWD]; /* the vector of each text, embedded alone */
    bp_str          texts[CROWD];
    int             next;
};

static bp_status embed_in_a_crowd(bp_call *child, void *arg)
{
    struct crowd *crowd = arg;
    int           mine = crowd->next++;

    for (int i = 0; i < ROUNDS; i++) {
        bp_embeddings found;
        int           which = (mine + i) % CROWD;

        BP_TRY(embed(child, crowd->conform, BP_EMBED_PASSAGE, &crowd->texts[which], 1, &found));
        for (uint32_t d = 0; d < found.dimensions; d++)
            CONFORM_THAT(child,
                         fabs((double)found.vectors[d] - crowd->alone[which][d]) < CROWD_DIFFERENCE,
                         "a text's vector differs by %g while others are embedded, at place %u",
                         fabs((double)found.vectors[d] - crowd->alone[which][d]), d);
    }
    return BP_OK;
}

/* Whether calls share the work or not, nobody may notice: texts of different lengths, and every
 * fourth caller goes away. */
static bp_status a_crowd_gets_what_each_gets_alone(bp_call *call, struct conform *conform)
{
    struct crowd  crowd = { .conform = conform };
    bp_child     *children[CROWD];
    bp_embeddings found;
    bp_status     status = BP_OK;

    for (int i = 0; i < CROWD; i++) {
        crowd.texts[i] = bp_format(call, "Passage %d of worker %u%.*s", i, bp_worker_index(call),
                                   i * 7,
                                   ", which goes on about ships, harbours, winds, tides, cranes "
                                   "and their keepers at night and by day");
        BP_TRY(embed(call, conform, BP_EMBED_PASSAGE, &crowd.texts[i], 1, &found));
        crowd.alone[i] = found.vectors;
    }
    for (int i = 0; i < CROWD; i++)
        BP_TRY(bp_spawn(call, "embed", embed_in_a_crowd, &crowd, &children[i]));
    BP_TRY(bp_sleep(call, BP_MILLISECONDS(5)));
    for (int i = 0; i < CROWD; i += 4)
        bp_cancel_child(children[i]);
    for (int i = 0; i < CROWD; i++) {
        bp_status one = bp_join(call, children[i]);

        status = status == BP_OK && i % 4 ? one : status;
    }
    return status;
}

static bp_status cancelled_calls_disturb_no_other(bp_call *call, struct conform *conform)
{
    return conform_cancel(call, conform, ops, 1);
}

static bp_status deadlines_are_kept(bp_call *call, struct conform *conform)
{
    return conform_hurry(call, conform, ops, 1);
}

static bp_status a_restart_is_outlived(bp_call *call, struct conform *conform)
{
    return conform_survive(call, conform, &ops[0]);
}

static bp_status wrong_credentials_are_refused(bp_call *call, struct conform *conform)
{
    CONFORM_THAT(call, op_embed(call, conform) != BP_OK,
                 "a text was embedded with wrong credentials");
    CONFORM_THAT(call, bp_error_of(call)->message.len > 0, "the refusal has no sentence");
    return BP_OK;
}

static bp_status a_long_run_does_not_grow(bp_call *call, struct conform *conform)
{
    return conform_do_not_grow(call, conform, ops, sizeof(ops) / sizeof(ops[0]));
}

static const struct conform_case cases[] = {
    { "the model is named, with its dimensions", the_model_is_named, CONFORM_ONE_WORKER },
    { "a text has one vector, in a batch or alone", a_text_has_one_vector, CONFORM_ONE_WORKER },
    { "awkward texts have vectors", awkward_texts_have_vectors, CONFORM_ONE_WORKER },
    { "a megabyte of text is cut, not refused", huge_texts_are_cut, CONFORM_ONE_WORKER },
    { "all workers embed at once", all_workers_embed_at_once, CONFORM_EVERY_WORKER },
    { "a crowd gets what each gets alone, though some of it give up",
      a_crowd_gets_what_each_gets_alone, CONFORM_EVERY_WORKER },
    { "an operation cancelled at any suspension disturbs no other",
      cancelled_calls_disturb_no_other, CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
    { "a restart of the server is outlived", a_restart_is_outlived, CONFORM_ONE_WORKER },
    { "wrong credentials are refused with a sentence", wrong_credentials_are_refused,
      CONFORM_REFUSED },
};

const struct conform_contract embed_contract = { "embed", cases, sizeof(cases) / sizeof(cases[0]) };

/* embeds.c - an app that embeds texts as many clients do at once, and says how long that took and
 * how far the vectors are from those that each text gets alone.
 *
 *      POST /embeds {"clients": 16, "rounds": 20, "texts": [...], "cancels": false, "times": false}
 *      {"seconds": ..., "texts": ..., "difference": ..., "cancelled": ..., "failed": ...}
 *
 * A text that begins with "bad" is one that the embedder cannot do: that it fails is counted.
 * "times": nothing is compared, so that all the work is the clients'.
 */
#include <backplane/backplane.h>

#include <math.h>

enum { CLIENTS_MAX = 256, TEXTS_MAX = 512, ANSWER_BYTES_MAX = 1 << 16 };

struct embeds {
    const bp_peer *embed;
};

static const bp_option options[] = { BP_OPTION_REF(struct embeds, embed, "embed",
                                                   .is_required = true, .help = "what is asked") };

struct crowd {
    const bp_peer *embed;
    const bp_str  *texts;
    const float  **alone; /* the vector of each text; NULL: it is not compared */
    size_t         count;
    int64_t        rounds, next, failed;
    double         difference;
};

static bp_status ask(bp_call *call, struct crowd *crowd, size_t which)
{
    bp_embeddings found;
    bp_status status = bp_embed_texts(call, crowd->embed, BP_EMBED_PASSAGE, &crowd->texts[which], 1,
                                      &found);

    if (status == BP_UPSTREAM && bp_str_starts(crowd->texts[which], "bad")) {
        crowd->failed++;
        bp_clear_error(call);
        return BP_OK;
    }
    BP_TRY(status);
    for (uint32_t i = 0; crowd->alone[which] && i < found.dimensions; i++)
        if (fabs((double)found.vectors[i] - crowd->alone[which][i]) > crowd->difference)
            crowd->difference = fabs((double)found.vectors[i] - crowd->alone[which][i]);
    return BP_OK;
}

static bp_status be_client(bp_call *child, void *arg)
{
    struct crowd *crowd = arg;

    for (int64_t i = 0; i < crowd->rounds; i++) {
        size_t    which = (size_t)crowd->next++ % crowd->count;
        bp_status status;

        BP_TRY(bp_scratch_begin(child));
        status = ask(child, crowd, which);
        bp_scratch_end(child);
        BP_TRY(status);
    }
    return BP_OK;
}

static bp_status embed_alone(bp_call *call, struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) {
        bp_embeddings found;

        crowd->alone[i] = NULL;
        if (bp_str_starts(crowd->texts[i], "bad"))
            continue;
        BP_TRY(bp_embed_texts(call, crowd->embed, BP_EMBED_PASSAGE, &crowd->texts[i], 1, &found));
        crowd->alone[i] = found.vectors;
    }
    return BP_OK;
}

/* Every second client is cancelled, one after another while they are at it. */
static bp_status run_clients(bp_call *call, struct crowd *crowd, int64_t clients, bool cancels,
                             int64_t *cancelled)
{
    bp_child *children[CLIENTS_MAX];
    bp_status status = BP_OK;

    for (int64_t i = 0; i < clients; i++)
        BP_TRY(bp_spawn(call, "client", be_client, crowd, &children[i]));
    for (int64_t i = 0; cancels && i < clients; i += 2) {
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(2)));
        bp_cancel_child(children[i]);
    }
    for (int64_t i = 0; i < clients; i++) {
        bp_status one = bp_join(call, children[i]);

        *cancelled += one == BP_CANCELLED;
        if (one != BP_OK && !(cancels && i % 2 == 0 && one == BP_CANCELLED))
            status = one;
    }
    return status;
}

static bp_status embeds_post(bp_call *call, void *instance, bp_request *request,
                             bp_response *response)
{
    const struct embeds *self = instance;
    struct crowd         crowd = { .embed = self->embed };
    const bp_json       *body, *texts;
    int64_t              clients, cancelled = 0, begun_ns;
    bp_json_writer      *w = bp_json_writer_new(call, ANSWER_BYTES_MAX);
    bp_str               bytes, list[TEXTS_MAX];

    BP_TRY(bp_request_body(call, request, &bytes));
    BP_TRY(bp_json_parse(call, bytes, &body));
    texts = bp_json_get(body, "texts");
    clients = bp_json_integer(bp_json_get(body, "clients"));
    crowd.rounds = bp_json_integer(bp_json_get(body, "rounds"));
    if (clients < 1 || clients > CLIENTS_MAX || bp_json_count(texts) < 1 ||
        bp_json_count(texts) > TEXTS_MAX)
        return bp_fail(call, BP_INVALID, "1 to %d clients and 1 to %d texts", CLIENTS_MAX,
                       TEXTS_MAX);
    for (crowd.count = 0; crowd.count < bp_json_count(texts); crowd.count++)
        list[crowd.count] = bp_json_string(bp_json_at(texts, crowd.count));
    crowd.texts = list;
    crowd.alone = BP_NEW_ARRAY(call, const float *, crowd.count);
    if (!crowd.alone)
        return BP_NO_MEMORY;
    memset(crowd.alone, 0, crowd.count * sizeof(*crowd.alone));
    if (!bp_json_bool(bp_json_get(body, "times")))
        BP_TRY(embed_alone(call, &crowd));
    begun_ns = bp_now_ns();
    BP_TRY(
        run_clients(call, &crowd, clients, bp_json_bool(bp_json_get(body, "cancels")), &cancelled));
    bp_json_object(w);
    bp_json_put_number(w, "seconds", (double)(bp_now_ns() - begun_ns) / 1e9);
    bp_json_put_integer(w, "texts", crowd.next);
    bp_json_put_number(w, "difference", crowd.difference);
    bp_json_put_integer(w, "cancelled", cancelled);
    bp_json_put_integer(w, "failed", crowd.failed);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static const bp_route   routes[] = { { .method = "POST",
                                       .path = "/embeds",
                                       .handler = embeds_post,
                                       .summary = "Embeds as many do",
                                       .deadline_ns = BP_SECONDS(600) } };
static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops),
                                .route_size = sizeof(bp_route),
                                .routes = routes,
                                .route_count = 1 };

BP_PLUGIN(app, "embeds", "1.0.0", .summary = "asks an embedder as many clients do at once",
          .instance_size = sizeof(struct embeds), .options = BP_TABLE(options), .ops = &ops)

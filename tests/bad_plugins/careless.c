/* careless.c - an app that fails inside for some bodies, keeps memory of every request and forgets
 * what it acknowledged. */
#include "sound.h"

#include <backplane/json.h>

#include <stdlib.h>

enum { KEPT_BYTES = 64, ANSWER_BYTES_MAX = 1 << 16 };

struct kept {
    struct kept *before;
    char         bytes[KEPT_BYTES - sizeof(void *)];
};

static struct kept *_Atomic last;

static _Atomic int64_t items;

static bp_status forget(bp_call *call, const void *options, void **shared)
{
    (void)call;
    (void)options;
    (void)shared;
    items = 0;
    return BP_OK;
}

static bp_status list(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, ANSWER_BYTES_MAX);
    struct kept    *kept = calloc(1, sizeof(*kept));

    (void)instance;
    (void)request;
    if (kept) {
        kept->before = last;
        last = kept;
    }
    bp_json_array(w);
    for (int64_t i = 0; i < items && i < 3; i++) {
        bp_json_object(w);
        bp_json_put_string(w, "id", bp_format(call, "item %lld", (long long)i));
        bp_json_end(w);
    }
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static bp_status add(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    const bp_json *body;
    bp_str         bytes;

    (void)instance;
    BP_TRY(bp_request_body(call, request, &bytes));
    BP_TRY(bp_json_parse(call, bytes, &body));
    if (bp_json_type_of(body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INTERNAL, "nobody thought of this");
    items++;
    return bp_respond(call, response, 201, "application/json", BP_STR("{}"));
}

static const bp_life life = { .struct_size = sizeof(bp_life), .shared_create = forget };

static const bp_route routes[] = {
    { .method = "GET",
      .path = "/careless",
      .handler = list,
      .summary = "Lists",
      .response_schema = "{\"type\":\"array\"}" },
    { .method = "POST",
      .path = "/careless",
      .handler = add,
      .summary = "Adds",
      .request_schema = "{\"type\":\"object\"}" },
};

static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops),
                                .route_size = sizeof(bp_route),
                                .routes = routes,
                                .route_count = 2 };

BP_PLUGIN(app, "careless", "1.0.0", .summary = "careless on purpose", .life = &life, .ops = &ops)

/* handlers.c - the three tools and the five routes that give questions; one run serves them all.
 *
 * A body of a wrong shape is 422, a request that makes no sense 400; both name the mistake, in the
 * host's form and as "detail", which older clients read.
 */
#include "questioning.h"

struct answering {
    struct questioning *self;
    enum endpoint       endpoint;
    bp_mcp             *mcp;
    int64_t             started_ns;
    int32_t             refused; /* the HTTP status of a BP_INVALID */
};

/* ---- what each endpoint does ---- */

static bp_status next_batch(bp_call *call, struct dialogue *dialogue, bool is_follow_up)
{
    const struct questioning *self = dialogue->self;

    return batch_write(call, dialogue, is_follow_up,
                       (size_t)(is_follow_up ? self->follow_up_batch : self->initial_batch));
}

static bp_status write_questions(bp_call *call, struct answering *a, struct dialogue *dialogue)
{
    const struct wanted *wanted = dialogue->wanted;
    bool                 is_follow_up = wanted->said_count > 0;

    switch (a->endpoint) {
    case ENDPOINT_SINGLE:
    case ENDPOINT_SINGLE_V1:
        return batch_write(call, dialogue, is_follow_up, 1);
    case ENDPOINT_FOLLOW_UP:
        // A client that lost its conversation gets one that begins as any other.
        if (!dialogue->questions_stored)
            BP_TRY(next_batch(call, dialogue, false));
        return next_batch(call, dialogue, true);
    case ENDPOINT_AUTOMATIC:
        BP_TRY(next_batch(call, dialogue, is_follow_up));
        while (is_follow_up && wanted->is_auto_followed &&
               dialogue->batch_count < (size_t)wanted->rounds &&
               dialogue->batches[dialogue->batch_count - 1].is_next_needed)
            BP_TRY(next_batch(call, dialogue, true));
        return BP_OK;
    default:
        return next_batch(call, dialogue, is_follow_up);
    }
}

static bp_status answer(bp_call *call, struct answering *a, const bp_json *body, bp_json_writer *w)
{
    struct dialogue *dialogue = BP_NEW(call, struct dialogue);
    struct wanted    wanted;

    if (!dialogue)
        return BP_NO_MEMORY;
    a->refused = 422;
    BP_TRY(wanted_read(call, body, &wanted));
    a->refused = 400;
    if (a->endpoint == ENDPOINT_FOLLOW_UP && wanted.said_count == 0)
        return bp_fail(call, BP_INVALID,
                       "previous_messages with the user's answers are required for follow-up "
                       "questions");
    *dialogue = (struct dialogue){ .self = a->self, .wanted = &wanted, .mcp = a->mcp };
    dialogue->is_conversation_fresh = a->endpoint == ENDPOINT_SINGLE ||
                                      a->endpoint == ENDPOINT_SINGLE_V1;
    BP_TRY(dialogue_find(call, dialogue));
    BP_TRY(write_questions(call, a, dialogue));
    BP_TRY(dialogue_keep(call, dialogue));
    if (a->endpoint == ENDPOINT_AUTOMATIC)
        reply_automatic(call, w, dialogue);
    else if (dialogue->is_conversation_fresh)
        reply_single(w, dialogue, a->started_ns);
    else
        reply_batch(call, w, dialogue);
    return BP_OK;
}

/* ---- over HTTP ---- */

bp_status refuse(bp_call *call, bp_response *response, int32_t http_status)
{
    bp_json_writer *w = bp_json_writer_new(call, 16384);
    bp_str          message = bp_error_of(call)->message;

    bp_json_object(w);
    bp_json_key(w, "error");
    bp_json_object(w);
    bp_json_put_string(w, "code", bp_str_of(bp_status_label(BP_INVALID)));
    bp_json_put_string(w, "message", message);
    bp_json_put_string(w, "request_id", bp_request_id(call));
    bp_json_end(w);
    bp_json_put_string(w, "detail", message);
    bp_json_end(w);
    return bp_respond_json(call, response, http_status, w);
}

bp_status body_read(bp_call *call, bp_request *request, const bp_json **body)
{
    bp_str text;

    BP_TRY(bp_request_body(call, request, &text));
    if (!text.len)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object, and it is empty");
    if (bp_json_read(call, text, body) != BP_OK)
        return bp_fail(call, BP_INVALID, "the body is not JSON: " BP_FMT,
                       BP_ARG(bp_error_of(call)->message));
    if (bp_json_type_of(*body) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "the body must be a JSON object");
    return BP_OK;
}

static bp_status serve(bp_call *call, void *instance, bp_request *request, bp_response *response,
                       enum endpoint endpoint)
{
    struct answering a = {
        .self = instance, .endpoint = endpoint, .started_ns = bp_now_ns(), .refused = 422
    };
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    const bp_json  *body = NULL;
    bp_status       status = body_read(call, request, &body);

    if (status == BP_OK)
        status = answer(call, &a, body, w);
    monitor_count(a.self, endpoint, a.started_ns, status,
                  status == BP_INVALID ? a.refused : bp_status_http(status));
    if (status == BP_INVALID)
        return refuse(call, response, a.refused);
    return status == BP_OK ? bp_respond_json(call, response, 200, w) : status;
}

bp_status question_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return serve(call, instance, request, response, ENDPOINT_QUESTION);
}

bp_status follow_up_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return serve(call, instance, request, response, ENDPOINT_FOLLOW_UP);
}

bp_status automatic_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return serve(call, instance, request, response, ENDPOINT_AUTOMATIC);
}

bp_status single_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return serve(call, instance, request, response, ENDPOINT_SINGLE);
}

bp_status single_v1_post(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    return serve(call, instance, request, response, ENDPOINT_SINGLE_V1);
}

/* ---- over MCP ---- */

static bp_status use_tool(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp,
                          enum endpoint endpoint)
{
    struct answering a = {
        .self = instance, .endpoint = endpoint, .started_ns = bp_now_ns(), .mcp = mcp
    };
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_status       status = answer(call, &a, arguments, w);
    bp_str          json;

    if (status == BP_INPUT_REQUIRED)
        return status; // it is run again with the answer, and counted then
    monitor_count(a.self, endpoint, a.started_ns, status,
                  status == BP_INVALID ? a.refused : bp_status_http(status));
    if (status == BP_OK)
        status = bp_json_done(call, w, &json);
    if (status == BP_OK)
        bp_mcp_structured(mcp, json);
    return status;
}

bp_status tool_question(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    return use_tool(call, instance, arguments, mcp, ENDPOINT_QUESTION);
}

bp_status tool_follow_up(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    return use_tool(call, instance, arguments, mcp, ENDPOINT_FOLLOW_UP);
}

bp_status tool_automatic(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    return use_tool(call, instance, arguments, mcp, ENDPOINT_AUTOMATIC);
}

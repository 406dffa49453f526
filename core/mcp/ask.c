/* ask.c - questions to the client: sent on the stream and waited for, or answered by the next
 * round. */
#include "base/clock.h"
#include "mcp/mcp.h"
#include "mcp/request.h"
#include "mcp/tasks.h"

static bp_status check_ask(bp_call *call, bp_mcp *request, const bp_mcp_ask *ask)
{
    const bp_json *params = NULL;
    struct reason  why;
    uint32_t       needed;

    if (ask->params.len && json_parse(call->arena, ask->params, &params, &why) != BP_OK)
        return call_fail(call, BP_INTERNAL, "the question \"%s\" to the client is not JSON: %s",
                         ask->key, why.text);
    needed = mcp_ability_for(bp_str_of(ask->method), params);
    if (!needed)
        return call_fail(call, BP_INTERNAL, "a client cannot be asked \"%s\"", ask->method);
    if ((request->abilities & needed) != needed && mcp_is_modern(request->revision))
        return request_fail_ability(request, needed & ~request->abilities);
    if ((request->abilities & needed) != needed)
        return call_fail(call, BP_UNSUPPORTED, "the client did not declare that it can be asked %s",
                         ask->method);
    return BP_OK;
}

/* ---- modern: rounds ---- */

static bp_status ask_in_rounds(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t size,
                               size_t count)
{
    bool is_answered = true;

    for (size_t i = 0; i < count; i++) {
        bp_mcp_ask    *ask = ask_at(asks, size, i);
        const bp_json *answer = json_get(request->given, bp_str_of(ask->key));

        if (json_type_of(answer) != JSON_KIND_OBJECT)
            answer = json_get(request->kept, bp_str_of(ask->key));
        if (json_type_of(answer) == JSON_KIND_OBJECT) {
            ask->answer = answer;
            continue;
        }
        is_answered = false;
        if (!request->wanted)
            request->wanted = arena_alloc(call->arena, ASKS_MAX * sizeof(*request->wanted));
        if (!request->wanted || request->wanted_count == ASKS_MAX)
            return call_fail(call, BP_INTERNAL, "more than %d questions to the client at once",
                             ASKS_MAX);
        request->wanted[request->wanted_count++] = (bp_mcp_ask){
            .key = ask->key, .method = ask->method, .params = arena_dup(call->arena, ask->params)
        };
    }
    if (is_answered)
        return BP_OK;
    return call_fail(call, BP_INPUT_REQUIRED, "the client is asked first");
}

/* ---- legacy: on the stream ---- */

static bp_status send_question(bp_call *call, bp_mcp *request, const bp_mcp_ask *ask,
                               struct question *question)
{
    bp_str params = ask->params.len || bp_str_is(bp_str_of(ask->method), "roots/list")
                        ? ask->params
                        : BP_STR("{}");

    session_ask(request->mcp->sessions, request->session, question);
    return request->channel->send(request,
                                  message_request(call, question->id, ask->method, params));
}

static bp_status read_answer(bp_call *call, const bp_mcp_ask *ask, const struct question *question,
                             const bp_json **answer)
{
    struct reason why;

    if (!question->answer)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for the client's answer");
    if (json_parse(call->arena, bp_str_n(question->answer->data, question->answer->len), answer,
                   &why) != BP_OK)
        return call_fail(call, BP_UPSTREAM, "the client's answer to %s is not JSON: %s",
                         ask->method, why.text);
    if (question->is_error) {
        bp_str message = json_as_string(json_get(*answer, BP_STR("message")));

        return call_fail(call, BP_UPSTREAM, "the client refused %s: " BP_FMT, ask->method,
                         BP_ARG(message));
    }
    if (json_type_of(*answer) != JSON_KIND_OBJECT)
        return call_fail(call, BP_UPSTREAM, "the client's answer to %s is not an object",
                         ask->method);
    return BP_OK;
}

/* So that it need not go on working at it. */
static void withdraw(bp_call *call, bp_mcp *request, const struct question *question)
{
    bp_str params = arena_format(call->arena,
                                 "{\"requestId\":%llu,\"reason\":\"the request that asked has "
                                 "ended\"}",
                                 (unsigned long long)question->id);

    call->shield_until_ns = clock_now_ns() + BP_SECONDS(1);
    request->channel->send(request, message_notification(call, "notifications/cancelled", params));
    call->shield_until_ns = 0;
}

static bp_status wait_for_answers(bp_call *call, const struct question *questions, size_t count)
{
    for (size_t i = 0; i < count;) {
        bp_status status;

        if (questions[i].is_answered) {
            i++;
            continue;
        }
        status = call_wait(call, BP_FOREVER, "the client's answer");
        if (status != BP_OK)
            return call_fail_over(call, status, "waiting for the client's answer");
    }
    return BP_OK;
}

static bp_status ask_on_stream(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t size,
                               size_t count)
{
    struct session_store *store = request->mcp->sessions;
    struct question      *questions = arena_alloc(call->arena, count * sizeof(*questions));
    struct waker         *waker = waker_new(call);
    bp_status             status = questions && waker ? BP_OK : BP_NO_MEMORY;
    size_t                sent = 0;
    bp_error              error;

    if (status != BP_OK)
        call_fail(call, status, "there is no memory to ask the client");
    while (status == BP_OK && sent < count) {
        questions[sent].waker = waker;
        status = send_question(call, request, ask_at(asks, size, sent), &questions[sent]);
        sent++;
    }
    if (status == BP_OK) {
        gate_step_out(call); // an answer may take minutes: serve others meanwhile
        status = wait_for_answers(call, questions, count);
        gate_step_in(call);
    }
    error = call->error;
    for (size_t i = 0; i < sent; i++) {
        session_forget(store, request->session, &questions[i]);
        if (!questions[i].is_answered)
            withdraw(call, request, &questions[i]);
    }
    call->error = error;
    for (size_t i = 0; i < sent; i++) {
        if (status == BP_OK)
            status = read_answer(call, ask_at(asks, size, i), &questions[i],
                                 &ask_at(asks, size, i)->answer);
        shared_text_release(questions[i].answer);
    }
    waker_end(waker);
    return status;
}

bp_status ask_all(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t ask_size, size_t count)
{
    bp_status over = call_over(call);

    if (over != BP_OK)
        return call_fail_over(call, over, "asking the client");
    if (count < 1 || count > ASKS_MAX)
        return call_fail(call, BP_INTERNAL, "between 1 and %d questions to the client at once",
                         ASKS_MAX);
    for (size_t i = 0; i < count; i++)
        BP_TRY(check_ask(call, request, ask_at(asks, ask_size, i)));
    if (request->task)
        return task_ask(call, request, asks, ask_size, count);
    if (mcp_is_modern(request->revision))
        return ask_in_rounds(call, request, asks, ask_size, count);
    if (!request->session || !request->channel || !request->channel->can_send(request))
        return call_fail(call, BP_UNSUPPORTED,
                         "the client takes no stream, so it cannot be asked %s", asks[0].method);
    return ask_on_stream(call, request, asks, ask_size, count);
}

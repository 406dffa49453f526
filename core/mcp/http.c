/* http.c - MCP over HTTP: POST, GET and DELETE on /mcp and /mcp/{app}.
 *
 *      POST   one message; answered by JSON, or by a stream of events once something is to be said before the answer
 *      GET    up to 2025-11-25: the session's stream of news, or the rest of one that broke off (Last-Event-ID)
 *      DELETE up to 2025-11-25: ends the session
 *
 * A client that goes away cancels its request in the modern era; before it, the request goes on and
 * its stream can be taken up again. Source: Streamable HTTP, 2025-03-26 to 2026-07-28.
 */
#include <stdio.h>

#include "api/web.h"
#include "base/clock.h"
#include "base/str.h"
#include "mcp/mcp.h"
#include "mcp/headers.h"
#include "mcp/peek.h"
#include "mcp/request.h"
#include "mcp/session_share.h"

enum { BATCH_MAX = 64, CALL_DEADLINE_S = 86400, RETRY_MS = 1000 };

enum http_state { HTTP_QUIET, HTTP_STREAMS, HTTP_LEFT };

/* The way back of one POST. */
struct http_way {
    struct mcp            *mcp;
    struct http_exchange  *exchange;
    struct session        *session; /* its stream may be taken up again; NULL: nobody's */
    struct session_stream *stream;
    enum mcp_revision      revision;
    enum http_state        state;
    bool                   takes_events, takes_json;
    bp_str                 request_id; /* the request that a stream answers */
    uint8_t                sender[SHARE_DIGEST_BYTES];
};

/* ---- sending ---- */

static void event_id(const struct session_stream *stream, uint64_t number, char text[32])
{
    snprintf(text, 32, "%u-%llu", stream->number, (unsigned long long)number);
}

/* In the legacy era the rest waits for the client to come back. */
static bp_status client_left(struct http_way *way, bp_status status)
{
    if (!way->session)
        return status;
    way->state = HTTP_LEFT;
    return BP_OK;
}

static bp_status begin_stream(struct http_way *way)
{
    bp_status status;
    char      id[32];

    if (way->session)
        way->stream = session_add_stream(way->mcp->sessions, way->session, way->request_id);
    way->state = HTTP_STREAMS;
    if (http_exchange_is_gone(way->exchange))
        return client_left(way, BP_CANCELLED);
    status = http_exchange_sse_begin(way->exchange);
    if (status == BP_OK && way->stream && way->revision >= MCP_2025_11_25) {
        event_id(way->stream, 0,
                 id); // so that there is something to come back with, whatever happens next
        status = http_exchange_sse(way->exchange, BP_STR(""), bp_str_of(id), BP_STR(""));
    }
    return status == BP_OK ? BP_OK : client_left(way, status);
}

static bp_status send_event(struct http_way *way, bp_str message, bool is_answer)
{
    struct shared_text *text;
    uint64_t            number = 0;
    char                id[32] = "";
    bp_status           status;

    if (way->state == HTTP_QUIET)
        BP_TRY(begin_stream(way));
    if (way->stream) {
        text = shared_text_new(message);
        if (text)
            number = stream_add(way->mcp->sessions, way->session, way->stream, text, is_answer);
        shared_text_release(text);
        if (number)
            event_id(way->stream, number, id);
    }
    if (way->state == HTTP_LEFT || http_exchange_is_gone(way->exchange))
        return client_left(way, BP_CANCELLED);
    status = http_exchange_sse(way->exchange, BP_STR(""), bp_str_of(id), message);
    return status == BP_OK ? BP_OK : client_left(way, status);
}

static bool http_can_send(const bp_mcp *request)
{
    const struct http_way *way = request->transport;

    return way->takes_events;
}

static bp_status http_send(bp_mcp *request, bp_str message)
{
    return send_event(request->transport, message, false);
}

static bp_status http_hang_up(bp_mcp *request, int64_t retry_ns)
{
    struct http_way *way = request->transport;
    char             retry[48];

    if (!way->session || way->revision < MCP_2025_11_25 || !way->takes_events)
        return BP_OK;
    if (way->state == HTTP_QUIET)
        BP_TRY(begin_stream(way));
    if (way->state != HTTP_STREAMS)
        return BP_OK;
    snprintf(retry, sizeof(retry), "retry: %lld\n\n", (long long)(retry_ns / 1000000));
    if (!http_exchange_is_gone(way->exchange) &&
        http_exchange_write(way->exchange, bp_str_of(retry)) == BP_OK)
        http_exchange_leave(way->exchange);
    way->state = HTTP_LEFT;
    return BP_OK;
}

static const struct channel http_channel = { http_can_send, http_send, http_hang_up };

/* What the request itself got wrong is told by the status in the modern era only: clients of the
 * other look at the body. */
static int32_t status_for(const struct http_way *way, int32_t status)
{
    return !mcp_is_modern(way->revision) && (status == 400 || status == 404) ? 200 : status;
}

static bp_status send_answer(struct http_way *way, bp_mcp *request, bp_str answer, int32_t status)
{
    struct http_exchange *exchange = way->exchange;
    bp_call              *call = exchange->call;

    if (call->over == BP_DEADLINE)
        call->shield_until_ns = clock_now_ns() + BP_SECONDS(2); // that time is up can still be said
    if (!answer.len && way->state == HTTP_QUIET && status == 503)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for the answer");
    if (!answer.len && way->state == HTTP_QUIET)
        return http_exchange_is_gone(exchange)
                   ? BP_CANCELLED
                   : http_exchange_send(exchange, 202, BP_STR(""), BP_STR(""));
    if (way->state == HTTP_QUIET && !way->takes_json && way->takes_events && answer.len)
        BP_TRY(begin_stream(way));
    if (way->state == HTTP_QUIET) {
        if (request && request->error.scope)
            oauth_challenge(way->mcp->api->oauth, exchange, "insufficient_scope",
                            request->error.scope);
        if (http_exchange_is_gone(exchange))
            return BP_CANCELLED;
        return http_exchange_send(exchange, status_for(way, status), BP_STR("application/json"),
                                  answer);
    }
    if (answer.len)
        BP_TRY(send_event(way, answer, true));
    if (way->stream)
        stream_finish(way->mcp->sessions, way->session, way->stream);
    return BP_OK;
}

static bp_status send_error(struct http_way *way, int32_t http_status, int32_t code, bp_str id,
                            const char *message)
{
    bp_call *call = way->exchange->call;

    return http_exchange_send(way->exchange, http_status, BP_STR("application/json"),
                              message_error(call, id, code, bp_str_of(message),
                                            (bp_str){ NULL, 0 }));
}

/* ---- the message asked ---- */

/* Whether a media type is in the Accept header, or one that stands for it. */
static bool accepts(bp_str accept, const char *type, const char *any)
{
    if (!accept.len)
        return true;
    while (accept.len) {
        bp_str rest, one = str_trim(str_split(str_split(accept, ',', &accept), ';', &rest));

        if (str_equal_ignore_case(one, bp_str_of(type)) ||
            str_equal_ignore_case(one, bp_str_of(any)) || bp_str_is(one, "*/*"))
            return true;
    }
    return false;
}

static void read_accept(struct http_way *way)
{
    bp_str accept = http_exchange_header(way->exchange, "accept");

    way->takes_json = accepts(accept, "application/json", "application/*");
    way->takes_events = accepts(accept, "text/event-stream", "text/*");
}

static struct catalog *catalog_of(struct mcp *mcp, const struct http_exchange *exchange,
                                  const bp_request *request)
{
    size_t count = mcp->api->conf->server.listener_count;
    size_t listener = !mcp->api->is_private && exchange->listener < count ? exchange->listener
                                                                          : count;
    bp_str name;

    if (!request->match.value_count)
        return mcp->by_listener[listener];
    name = request->match.values[0].value;
    for (size_t i = 0; i < mcp->by_listener[listener]->unit_count; i++)
        if (bp_str_equal(mcp->by_listener[listener]->units[i]->conf->name, name))
            for (struct catalog *at = mcp->catalogs; at; at = at->next)
                if (bp_str_equal(at->key, name))
                    return at;
    return NULL;
}

static bp_status fail_no_app(bp_call *call, const bp_request *request)
{
    return call_fail(call, BP_NOT_FOUND, "there is no app \"" BP_FMT "\" here",
                     BP_ARG(request->match.values[0].value));
}

/* ---- modern ---- */

static bp_status check_modern(bp_mcp *request, struct http_exchange *exchange)
{
    bp_str header = str_trim(http_exchange_header(exchange, "mcp-protocol-version"));
    bp_str stated = json_as_string(json_get(request->message.meta, BP_STR(MCP_META_VERSION)));

    if (request->message.kind == MESSAGE_NOTIFICATION && !stated.len) {
        enum mcp_revision revision;

        if (!mcp_revision_find(header, &revision))
            return request_fail_version(request, header);
        return BP_OK;
    }
    if (stated.len && !header.len)
        return request_fail(request, MCP_HEADER_MISMATCH, 400,
                            "the header MCP-Protocol-Version is missing");
    if (stated.len && !bp_str_equal(header, stated))
        return request_fail(request, MCP_HEADER_MISMATCH, 400,
                            "the header MCP-Protocol-Version is \"" BP_FMT
                            "\", but params._meta says \"" BP_FMT "\"",
                            BP_ARG(header), BP_ARG(stated));
    BP_TRY(request_read_meta(request));
    return headers_check(request, exchange);
}

static bp_status post_modern(struct http_way *way, bp_mcp *request)
{
    int32_t status = 200;
    bp_str  answer;

    way->revision = request->revision = MCP_2026_07_28;
    if (request->message.kind == MESSAGE_RESPONSE)
        return send_error(way, 400, MCP_INVALID_REQUEST, request->message.id,
                          "a client of MCP 2026-07-28 sends no responses: answers go with the "
                          "request that is sent again");
    if (check_modern(request, way->exchange) != BP_OK)
        return send_answer(way, request,
                           message_error(request->call, request->message.id, request->error.code,
                                         request->error.message, request->error.data),
                           request->error.http_status);
    answer = request_serve(request, &status);
    return send_answer(way, request, answer, status);
}

/* ---- legacy ---- */

static bp_status take_response(struct http_way *way, bp_mcp *request)
{
    const bp_json *value = request->message.error ? request->message.error
                                                  : request->message.result;
    uint64_t       id = 0;

    if (!str_to_uint(request->message.id, &id) ||
        !session_answer(way->mcp->sessions, request->session, id, request->message.error != NULL,
                        json_text(request->call->arena, value)))
        return send_error(way, 400, MCP_INVALID_REQUEST, request->message.id,
                          "nobody asked a question of that id");
    return http_exchange_send(way->exchange, 202, BP_STR(""), BP_STR(""));
}

/* The session that the header names; NULL after an answer was sent. */
static struct session *find_session(struct http_way *way, bp_str id)
{
    bp_str          header = str_trim(http_exchange_header(way->exchange, "mcp-session-id"));
    struct session *session;

    if (!header.len) {
        send_error(way, 400, MCP_INVALID_REQUEST, id,
                   "the header Mcp-Session-Id is missing: begin with `initialize`, or speak MCP "
                   "2026-07-28, which has no sessions");
        return NULL;
    }
    session = session_look_up(way->exchange->call, way->mcp, header, way->sender);
    if (!session)
        send_error(way, 404, MCP_INVALID_REQUEST, id,
                   "there is no such session, or it has ended: start again with `initialize`");
    return session;
}

static void use_session(struct http_way *way, bp_mcp *request, struct session *session)
{
    request->session = session;
    request->revision = way->revision = session->revision;
    request->abilities = session->abilities;
    request->log_level = session->log_level;
    request->client = bp_str_of(session->client);
}

static bp_status serve_legacy(struct http_way *way, bp_mcp *request)
{
    int32_t status = 200;
    bp_str  answer;

    // What goes on without its client can be taken up by it later.
    if (request->message.kind == MESSAGE_REQUEST && request->revision >= MCP_2025_03_26 &&
        way->takes_events) {
        way->session = request->session;
        way->request_id = request->message.id;
        way->exchange->outlives_client = true;
    }
    answer = request_serve(request, &status);
    return send_answer(way, request, answer, status);
}

static bp_status open_session(struct http_way *way, bp_mcp *request)
{
    struct session *session = NULL;
    int32_t         status = 200;
    bp_str          answer;

    request->opened = &session;
    answer = request_serve(request, &status);
    way->revision = request->revision;
    if (session) {
        session_share(way->exchange->call, way->mcp, session);
        http_exchange_add_header(way->exchange, BP_STR("Mcp-Session-Id"), bp_str_of(session->id));
    }
    status = send_answer(way, request, answer, status);
    session_release(way->mcp->sessions, session);
    return status;
}

static bp_status post_legacy(struct http_way *way, bp_mcp *request)
{
    bp_str header = str_trim(http_exchange_header(way->exchange, "mcp-protocol-version"));
    enum mcp_revision revision;
    struct session   *session;
    bp_status         status;

    way->revision = request->revision = MCP_LATEST_LEGACY;
    if (request->message.kind == MESSAGE_REQUEST &&
        bp_str_is(request->message.method, "initialize"))
        return open_session(way, request);
    if (header.len && !mcp_revision_find(header, &revision)) {
        request_fail_version(request, header);
        return send_error(way, 400, MCP_UNSUPPORTED_VERSION, request->message.id,
                          request->error.message.data);
    }
    session = find_session(way, request->message.id);
    if (!session)
        return BP_OK;
    use_session(way, request, session);
    if (request->message.kind == MESSAGE_RESPONSE)
        status = take_response(way, request);
    else
        status = serve_legacy(way, request);
    session_release(way->mcp->sessions, session);
    return status;
}

/* ---- batches: 2025-03-26 and before ---- */

static bp_str serve_member(struct http_way *way, bp_mcp *request, const bp_json *json)
{
    const char         *why;
    enum mcp_error_code code = message_read(request->call, json, &request->message, &why);
    int32_t             status = 200;
    uint64_t            id = 0;

    if (code != MCP_NO_ERROR)
        return message_error(request->call, request->message.id, code, bp_str_of(why),
                             (bp_str){ NULL, 0 });
    if (request->message.kind != MESSAGE_RESPONSE)
        return request_serve(request, &status);
    if (str_to_uint(request->message.id, &id))
        session_answer(way->mcp->sessions, request->session, id, request->message.error != NULL,
                       json_text(request->call->arena, request->message.error
                                                           ? request->message.error
                                                           : request->message.result));
    return (bp_str){ NULL, 0 };
}

static bp_status post_batch(struct http_way *way, bp_mcp *request, const bp_json *batch)
{
    struct session *session = find_session(way, (bp_str){ NULL, 0 });
    bp_mcp          first;
    struct bp_buf   buf;
    size_t          answered = 0;
    bp_status       status;

    if (!session)
        return BP_OK;
    use_session(way, request, session);
    if (session->revision > MCP_2025_03_26 || json_count(batch) < 1 ||
        json_count(batch) > BATCH_MAX) {
        session_release(way->mcp->sessions, session);
        return send_error(way, 400, MCP_INVALID_REQUEST, (bp_str){ NULL, 0 },
                          "an array of messages is part of MCP 2025-03-26 only, and may hold 1 to "
                          "64 of them");
    }
    first = *request;
    first.intake = NULL;  // the bytes read are those of the others, too
    first.channel = NULL; // one answer to all: nothing can come before it
    buf_init(&buf, request->call->arena, REQUEST_BYTES_MAX);
    buf_add(&buf, BP_STR("["));
    for (size_t i = 0; i < json_count(batch); i++) {
        bp_mcp member = first;
        bp_str answer = serve_member(way, &member, json_at(batch, i));

        if (!answer.len)
            continue;
        if (answered++)
            buf_add(&buf, BP_STR(","));
        buf_add(&buf, answer);
    }
    buf_add(&buf, BP_STR("]"));
    status = send_answer(way, NULL, answered ? buf_str(&buf) : (bp_str){ NULL, 0 }, 200);
    session_release(way->mcp->sessions, session);
    return status;
}

/* ---- POST ---- */

static bool is_modern_request(struct http_exchange *exchange, const struct message *message)
{
    bp_str            header = str_trim(http_exchange_header(exchange, "mcp-protocol-version"));
    enum mcp_revision revision;

    if (json_get(message->meta, BP_STR(MCP_META_VERSION)) ||
        bp_str_is(message->method, "server/discover"))
        return true;
    return mcp_revision_find(header, &revision) && mcp_is_modern(revision);
}

static bp_status check_content(struct http_way *way)
{
    bp_str type = http_exchange_header(way->exchange, "content-type"), rest;

    if (!str_equal_ignore_case(str_trim(str_split(type, ';', &rest)), BP_STR("application/json")))
        return send_error(way, 415, MCP_INVALID_REQUEST, (bp_str){ NULL, 0 },
                          "the body must be application/json");
    if (!way->takes_json && !way->takes_events)
        return send_error(way, 406, MCP_INVALID_REQUEST, (bp_str){ NULL, 0 },
                          "the client must accept application/json and text/event-stream");
    return BP_OK;
}

/* By the header alone: the body tells nothing yet. */
static bool is_modern_client(struct http_exchange *exchange)
{
    return bp_str_is(str_trim(http_exchange_header(exchange, "mcp-protocol-version")),
                     mcp_revision_name(MCP_2026_07_28));
}

/* A client of the legacy era that gets an error status takes its connection for broken and its
 * request for open. */
static int32_t status_of_refusal(const struct http_way *way, bp_status status, bool is_answer)
{
    if (status == BP_LIMIT || status == BP_NO_MEMORY)
        return 503;
    return is_answer && !is_modern_client(way->exchange) ? 200 : status == BP_TOO_LARGE ? 413 : 400;
}

static bp_status refuse_text(struct http_way *way, bp_str body, bp_status status,
                             const char *problem)
{
    bp_call        *call = way->exchange->call;
    struct peek    *peek = arena_alloc(call->arena, sizeof(*peek));
    bp_str          id = str_trim(http_exchange_header(way->exchange, "mcp-session-id"));
    struct session *session = id.len ? session_find(way->mcp->sessions, id, &call->principal)
                                     : NULL;
    bp_str          answer;

    if (!peek)
        return call_fail(call, BP_NO_MEMORY, "there is no memory to read the message");
    peek_init(peek);
    peek_feed(peek, body);
    peek_end(peek);
    answer = intake_refuse(call, peek, status, problem, way->mcp->sessions, session);
    session_release(way->mcp->sessions, session);
    if (status == BP_LIMIT || status == BP_NO_MEMORY)
        http_exchange_add_header(way->exchange, BP_STR("Retry-After"), BP_STR("1"));
    return http_exchange_send(way->exchange, status_of_refusal(way, status, peek->count > 0),
                              BP_STR("application/json"), answer);
}

static bp_status post_message(struct http_way *way, bp_mcp *request)
{
    bp_call            *call = request->call;
    struct mcp         *mcp = way->mcp;
    const bp_json      *json = NULL;
    const char         *why;
    struct reason       problem;
    enum mcp_error_code code;
    bp_str              body;
    bp_status           status;

    BP_TRY(http_exchange_read_all_into(way->exchange, &request->intake->text, &body));
    BP_TRY(api_take_from_limit(mcp->api, way->exchange, "", 0));
    status = intake_read(request->intake, body,
                         (size_t)mcp->api->conf->server.mcp.message_memory_bytes, &json, &problem);
    if (status != BP_OK)
        return refuse_text(way, body, status, problem.text);
    if (json_type_of(json) == JSON_KIND_ARRAY && !is_modern_client(way->exchange))
        return post_batch(way, request, json);
    code = message_read(call, json, &request->message, &why);
    if (code != MCP_NO_ERROR)
        return send_error(way, status_of_refusal(way, BP_INVALID, request->message.id.len > 0),
                          code, request->message.id, why);
    return is_modern_request(way->exchange, &request->message) ? post_modern(way, request)
                                                               : post_legacy(way, request);
}

static bp_status post(bp_call *call, void *context, bp_request *web_request, bp_response *response)
{
    struct mcp     *mcp = context;
    struct http_way way = { .mcp = mcp,
                            .exchange = web_request->exchange,
                            .revision = MCP_LATEST_LEGACY };
    bp_mcp          request = {
                 .mcp = mcp, .call = call, .channel = &http_channel, .log_level = MCP_LEVEL_OFF
    };
    struct intake intake;
    bp_status     status;

    (void)response;
    request.transport = &way;
    request.exchange = way.exchange;
    request.catalog = catalog_of(mcp, way.exchange, web_request);
    if (!request.catalog)
        return fail_no_app(call, web_request);
    read_accept(&way);
    BP_TRY(check_content(&way));
    if (way.exchange->status)
        return BP_OK; // it was refused
    way.exchange->max_body_bytes = mcp->api->conf->server.mcp.body_bytes;
    mcp_sender(mcp, call, way.exchange, way.sender);
    memcpy(request.sender, way.sender, sizeof(way.sender));
    intake_init(&intake, mcp->messages, way.sender);
    request.intake = &intake;
    status = post_message(&way, &request);
    intake_free(&intake);
    return status;
}

/* ---- GET ---- */

static bool read_event_id(bp_str text, uint32_t *stream, uint64_t *number)
{
    bp_str   rest, first = str_split(text, '-', &rest);
    uint64_t value;

    if (!str_to_uint(first, &value) || value > UINT32_MAX || !str_to_uint(rest, number))
        return false;
    *stream = (uint32_t)value;
    return true;
}

static bp_status send_kept(struct http_way *way, const struct session_stream *stream,
                           uint64_t number, uint64_t lost, struct shared_text *text)
{
    bp_str    loss;
    bp_status status = call_scratch_begin(way->exchange->call);
    char      id[32];

    if (status == BP_OK) {
        loss = stream_loss(way->exchange->call->arena, way->session, lost);
        if (loss.len)
            status = http_exchange_sse(way->exchange, BP_STR(""), BP_STR(""), loss);
        call_scratch_end(way->exchange->call);
    }
    event_id(stream, number, id);
    if (status == BP_OK && text)
        status = http_exchange_sse(way->exchange, BP_STR(""), bp_str_of(id),
                                   bp_str_n(text->data, text->len));
    shared_text_release(text);
    return status;
}

static bp_status follow(struct http_way *way, struct session_stream *stream, struct waker *reader,
                        uint64_t number)
{
    struct session_store *store = way->mcp->sessions;
    bp_call              *call = way->exchange->call;
    struct shared_text   *text = NULL;
    uint64_t              lost;

    for (;;) {
        bp_status status = BP_OK;

        switch (stream_next(store, way->session, stream, reader, &number, &lost, &text)) {
        case STREAM_EVENT:
            status = send_kept(way, stream, number, lost, text);
            break;
        case STREAM_WAITS:
            status = call_wait(call, BP_FOREVER, "news for a session");
            break;
        case STREAM_FINISHED:
        case STREAM_TAKEN:
            return BP_OK;
        }
        if (status != BP_OK)
            return call_over(call) != BP_OK ? call_fail_over(call, status, "waiting for news")
                                            : status;
    }
}

static bp_status run_stream(struct http_way *way, struct session_stream *stream, uint64_t number,
                            bool is_resumed)
{
    struct waker *reader = waker_new(way->exchange->call);
    bp_status     status;
    char          id[32];

    if (!reader) {
        stream_detach(way->mcp->sessions, way->session, stream, NULL);
        return call_fail(way->exchange->call, BP_NO_MEMORY,
                         "there is no memory for another stream");
    }
    way->exchange->call->deadline_ns = BP_FOREVER;
    stream_attach(way->mcp->sessions, way->session, stream, reader);
    status = http_exchange_sse_begin(way->exchange);
    if (status == BP_OK && way->revision >= MCP_2025_11_25 && !is_resumed) {
        event_id(stream, number, id);
        status = http_exchange_sse(way->exchange, BP_STR(""), bp_str_of(id), BP_STR(""));
    }
    if (status == BP_OK)
        status = follow(way, stream, reader, number);
    stream_detach(way->mcp->sessions, way->session, stream, reader);
    waker_end(reader);
    return status;
}

static bp_status refuse_modern(struct http_way *way, bool *is_refused)
{
    bp_str header = str_trim(http_exchange_header(way->exchange, "mcp-protocol-version"));
    enum mcp_revision revision;

    *is_refused = mcp_revision_find(header, &revision) && mcp_is_modern(revision);
    if (!*is_refused)
        return BP_OK;
    http_exchange_add_header(way->exchange, BP_STR("Allow"), BP_STR("POST"));
    return http_exchange_send_error(way->exchange, 405, "method_not_allowed",
                                    BP_STR("MCP 2026-07-28 takes POST only; news come by "
                                           "subscriptions/listen"));
}

static bp_status get(bp_call *call, void *context, bp_request *web_request, bp_response *response)
{
    struct http_way        way = { .mcp = context,
                                   .exchange = web_request->exchange,
                                   .revision = MCP_LATEST_LEGACY };
    bp_str                 last = http_exchange_header(way.exchange, "last-event-id");
    struct session_stream *stream;
    uint32_t               place = 0;
    uint64_t               number = 0;
    bool                   is_refused;
    bp_status              status;

    (void)response;
    if (!catalog_of(context, way.exchange, web_request))
        return fail_no_app(call, web_request);
    BP_TRY(api_take_from_limit(way.mcp->api, way.exchange, "", 0));
    BP_TRY(refuse_modern(&way, &is_refused));
    if (is_refused)
        return BP_OK;
    read_accept(&way);
    mcp_sender(context, call, way.exchange, way.sender);
    if (!way.takes_events)
        return send_error(&way, 406, MCP_INVALID_REQUEST, (bp_str){ NULL, 0 },
                          "the client must accept text/event-stream");
    way.session = find_session(&way, (bp_str){ NULL, 0 });
    if (!way.session)
        return BP_OK;
    way.revision = way.session->revision;
    if (last.len && !read_event_id(last, &place, &number)) {
        session_release(way.mcp->sessions, way.session);
        return send_error(&way, 400, MCP_INVALID_REQUEST, (bp_str){ NULL, 0 },
                          "Last-Event-ID is not one that this server gave");
    }
    stream = session_stream(way.mcp->sessions, way.session, place);
    if (stream && !last.len)
        number = stream_sent(way.mcp->sessions, stream);
    if (stream)
        status = run_stream(&way, stream, number, last.len > 0);
    else
        status = send_error(&way, 404, MCP_INVALID_REQUEST, (bp_str){ NULL, 0 },
                            "the stream of that Last-Event-ID is no longer kept");
    session_release(way.mcp->sessions, way.session);
    return status;
}

/* ---- DELETE ---- */

static bp_status delete (bp_call *call, void *context, bp_request *web_request,
                         bp_response *response)
{
    struct http_way way = { .mcp = context, .exchange = web_request->exchange };
    bool            is_refused;

    (void)response;
    if (!catalog_of(context, way.exchange, web_request))
        return fail_no_app(call, web_request);
    BP_TRY(api_take_from_limit(way.mcp->api, way.exchange, "", 0));
    BP_TRY(refuse_modern(&way, &is_refused));
    if (is_refused)
        return BP_OK;
    mcp_sender(context, call, way.exchange, way.sender);
    way.session = find_session(&way, (bp_str){ NULL, 0 });
    if (!way.session)
        return BP_OK;
    session_end_for_all(call, way.mcp, way.session);
    session_release(way.mcp->sessions, way.session);
    return http_exchange_send(way.exchange, 204, BP_STR(""), BP_STR(""));
}

bp_status mcp_take_from_limit(bp_mcp *request, const char *name, uint32_t rate_per_minute)
{
    if (!rate_per_minute || !request->exchange)
        return BP_OK;
    return api_take_from_limit(request->mcp->api, request->exchange, name, rate_per_minute);
}

/* ---- routes ---- */

#define MCP_ROUTE(method_, path_, handler_, summary_)                                              \
    {                                                                                              \
        .method = method_, .path = path_, .handler = handler_, .summary = summary_,                \
        .flags = BP_ROUTE_AUTHENTICATED, .deadline_ns = BP_SECONDS(CALL_DEADLINE_S)                \
    }

static const bp_route routes[] = {
    MCP_ROUTE("POST", "/mcp", post, "MCP, every revision: one JSON-RPC message"),
    MCP_ROUTE("GET", "/mcp", get, "MCP up to 2025-11-25: the session's stream of events"),
    MCP_ROUTE("DELETE", "/mcp", delete, "MCP up to 2025-11-25: ends the session"),
    MCP_ROUTE("POST", "/mcp/{app}", post, "MCP with the tools of one app alone"),
    MCP_ROUTE("GET", "/mcp/{app}", get, "MCP up to 2025-11-25: the session's stream of events"),
    MCP_ROUTE("DELETE", "/mcp/{app}", delete, "MCP up to 2025-11-25: ends the session"),
};

bool mcp_add_routes(struct mcp *mcp, struct reason *why)
{
    return router_add(mcp->api->router, routes, sizeof(routes[0]),
                      sizeof(routes) / sizeof(routes[0]), NULL, mcp, why);
}

/* stdio.c - MCP over standard input and output: one client, one JSON-RPC message a line, both eras
 * side by side. */
#include "base/clock.h"
#include "base/str.h"
#include "mcp/mcp.h"
#include "mcp/peek.h"
#include "mcp/request.h"
#include "net/line_server.h"

enum { LINE_BYTES_MAX = 16 << 20, BATCH_MAX = 64, CALL_TIMEOUT_S = 86400, GRACE_S = 3 };

struct stdio {
    struct mcp           *mcp;
    const struct catalog *catalog;
    struct session       *session; /* of the legacy era, once it is initialised */
    struct session       *home; /* where requests of the modern era can be found, to be cancelled */
    struct line_server   *lines;
    struct peek           peek; /* at a line that is too long */
    bool                  is_over, is_peeking;
};

static bool stdio_can_send(const bp_mcp *request)
{
    (void)request;
    return true;
}

static bp_status stdio_send(bp_mcp *request, bp_str message)
{
    struct stdio *stdio = request->transport;

    return line_write(request->call, stdio->lines, message);
}

static const struct channel stdio_channel = { .can_send = stdio_can_send, .send = stdio_send };

/* ---- news of the legacy era: what GET is over HTTP ---- */

struct follower {
    struct stdio   *stdio;
    struct session *session; /* held */
};

static bp_status write_kept(bp_call *call, const struct follower *follower, uint64_t lost,
                            const struct shared_text *text)
{
    bp_str    loss;
    bp_status status = call_scratch_begin(call);

    if (status == BP_OK) {
        loss = stream_loss(call->arena, follower->session, lost);
        if (loss.len)
            status = line_write(call, follower->stdio->lines, loss);
        call_scratch_end(call);
    }
    return status == BP_OK && text
               ? line_write(call, follower->stdio->lines, bp_str_n(text->data, text->len))
               : status;
}

static void follow_news(bp_call *call, void *arg)
{
    struct follower       *follower = arg;
    struct session_store  *store = follower->stdio->mcp->sessions;
    struct session_stream *stream = session_stream(store, follower->session, 0);
    struct waker          *reader = waker_new(call);
    struct shared_text    *text;
    uint64_t               number = 0, lost;
    enum stream_state      state = STREAM_WAITS;
    bp_status              status = BP_OK;

    if (stream && reader)
        stream_attach(store, follower->session, stream, reader);
    while (stream && reader && status == BP_OK && state != STREAM_FINISHED &&
           state != STREAM_TAKEN) {
        state = stream_next(store, follower->session, stream, reader, &number, &lost, &text);
        if (state == STREAM_EVENT) {
            status = follower->stdio->is_over ? BP_CANCELLED
                                              : write_kept(call, follower, lost, text);
            shared_text_release(text);
        } else if (state == STREAM_WAITS) {
            status = call_wait(call, BP_FOREVER, "news for the client");
        }
    }
    if (stream)
        stream_detach(store, follower->session, stream, reader);
    waker_end(reader);
    session_release(store, follower->session);
}

/* ---- requests ---- */

static void use_session(struct stdio *stdio, bp_mcp *request)
{
    request->session = stdio->session;
    request->revision = stdio->session->revision;
    request->abilities = stdio->session->abilities;
    request->log_level = stdio->session->log_level;
    request->client = bp_str_of(stdio->session->client);
}

static bp_str error_of(const bp_mcp *request)
{
    return message_error(request->call, request->message.id, request->error.code,
                         request->error.message, request->error.data);
}

static void start_follower(bp_call *call, struct stdio *stdio, struct follower *follower)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };

    *follower = (struct follower){ stdio, stdio->session };
    stdio->session->refs++; // nobody else knows the session yet
    if (!call_start(call->worker, &options, follow_news, follower))
        session_release(stdio->mcp->sessions, stdio->session);
}

static bp_str serve_initialize(struct stdio *stdio, bp_mcp *request)
{
    static struct follower follower; // one client, one session
    int32_t                status;
    bp_str                 answer;

    request->revision = MCP_LATEST_LEGACY;
    if (!stdio->session)
        request->opened = &stdio->session;
    answer = request_serve(request, &status);
    if (request->opened && stdio->session)
        start_follower(request->call, stdio, &follower);
    return answer;
}

static bp_str take_response(struct stdio *stdio, bp_mcp *request)
{
    const bp_json *value = request->message.error ? request->message.error
                                                  : request->message.result;
    uint64_t       id = 0;

    if (stdio->session && str_to_uint(request->message.id, &id))
        session_answer(stdio->mcp->sessions, stdio->session, id, request->message.error != NULL,
                       json_text(request->call->arena, value));
    return (bp_str){ NULL, 0 }; // a response is never answered
}

static bp_str serve_message(struct stdio *stdio, bp_mcp *request, const bp_json *json)
{
    const char         *why;
    enum mcp_error_code code = message_read(request->call, json, &request->message, &why);
    bool                is_modern;
    int32_t             status;

    if (code != MCP_NO_ERROR)
        return message_error(request->call, request->message.id, code, bp_str_of(why),
                             (bp_str){ NULL, 0 });
    if (request->message.kind == MESSAGE_RESPONSE)
        return take_response(stdio, request);
    is_modern = json_get(request->message.meta, BP_STR(MCP_META_VERSION)) ||
                bp_str_is(request->message.method, "server/discover");
    if (!is_modern && bp_str_is(request->message.method, "initialize"))
        return serve_initialize(stdio, request);
    if (!is_modern && stdio->session) {
        use_session(stdio, request);
        return request_serve(request, &status);
    }
    if (!is_modern && bp_str_is(request->message.method, "ping")) {
        // The one request that a client may send before it has initialised (2025-11-25, lifecycle).
        request->revision = MCP_LATEST_LEGACY;
        return request_serve(request, &status);
    }
    request->revision = MCP_2026_07_28;
    if (request->message.kind == MESSAGE_REQUEST && request_read_meta(request) != BP_OK)
        return error_of(request);
    return request_serve(request, &status);
}

static bp_str serve_batch(struct stdio *stdio, const bp_mcp *first, const bp_json *batch)
{
    struct bp_buf buf;
    size_t        answered = 0;

    if (!stdio->session || stdio->session->revision > MCP_2025_03_26 || !json_count(batch) ||
        json_count(batch) > BATCH_MAX)
        return message_error(first->call, (bp_str){ NULL, 0 }, MCP_INVALID_REQUEST,
                             BP_STR("an array of messages is part of MCP 2025-03-26 only, and may "
                                    "hold 1 to 64 of them"),
                             (bp_str){ NULL, 0 });
    buf_init(&buf, first->call->arena, REQUEST_BYTES_MAX);
    buf_add(&buf, BP_STR("["));
    for (size_t i = 0; i < json_count(batch); i++) {
        bp_mcp member = *first;
        bp_str answer;

        member.intake = NULL; // the bytes read are those of the others, too
        answer = serve_message(stdio, &member, json_at(batch, i));

        if (!answer.len)
            continue;
        if (answered++)
            buf_add(&buf, BP_STR(","));
        buf_add(&buf, answer);
    }
    buf_add(&buf, BP_STR("]"));
    return answered ? buf_str(&buf) : (bp_str){ NULL, 0 };
}

/* Looks for the ids in a line that is longer than the reader takes, while it goes by. */
static bp_str digest_line(void *arg, bp_str bytes, bool is_end)
{
    struct stdio *stdio = arg;

    if (!stdio->is_peeking)
        peek_init(&stdio->peek);
    stdio->is_peeking = !is_end;
    peek_feed(&stdio->peek, bytes);
    if (!is_end)
        return (bp_str){ NULL, 0 };
    peek_end(&stdio->peek);
    return bp_str_n((const char *)&stdio->peek,
                    sizeof(stdio->peek)); // the handler gets a copy of it
}

static bp_str refuse_line(bp_call *call, struct stdio *stdio, bp_str line, bp_status status,
                          const char *problem)
{
    struct peek *peek = arena_alloc(call->arena, sizeof(*peek));

    if (!peek)
        return (bp_str){ NULL, 0 };
    peek_init(peek);
    if (status == BP_TOO_LARGE && line.len == sizeof(*peek) && !problem) {
        memcpy(peek, line.data, sizeof(*peek));
        problem = "the line is longer than 16 MiB";
    } else {
        peek_feed(peek, line);
        peek_end(peek);
    }
    return intake_refuse(call, peek, status, problem, stdio->mcp->sessions, stdio->session);
}

static bp_str serve_line(bp_call *call, struct stdio *stdio, bp_mcp *request, bp_str line)
{
    const bp_json *json = NULL;
    struct reason  why;
    size_t         memory = (size_t)stdio->mcp->api->conf->server.mcp.message_memory_bytes;
    bp_status      status = intake_read(request->intake, line, memory, &json, &why);

    if (status != BP_OK)
        return refuse_line(call, stdio, line, status, why.text);
    return json_type_of(json) == JSON_KIND_ARRAY ? serve_batch(stdio, request, json)
                                                 : serve_message(stdio, request, json);
}

static void handle_line(bp_call *call, struct line_server *lines, bp_str line, bool is_too_long,
                        void *arg)
{
    struct stdio *stdio = arg;
    bp_mcp        request = { .mcp = stdio->mcp,
                              .call = call,
                              .catalog = stdio->catalog,
                              .channel = &stdio_channel,
                              .transport = stdio,
                              .log_level = MCP_LEVEL_OFF,
                              .registry = stdio->home };
    struct intake intake;
    bp_str        answer;

    stdio->lines = lines;
    mcp_sender(stdio->mcp, call, NULL, request.sender);
    intake_init(&intake, stdio->mcp->messages, request.sender);
    request.intake = &intake;
    answer = is_too_long ? refuse_line(call, stdio, line, BP_TOO_LARGE, NULL)
                         : serve_line(call, stdio, &request, line);
    intake_free(&intake);
    if (call->over == BP_DEADLINE)
        call->shield_until_ns = clock_now_ns() + BP_SECONDS(2);
    if (answer.len)
        line_write(call, lines, answer);
    call->shield_until_ns = 0;
}

static void input_ended(void *arg)
{
    struct stdio *stdio = arg;

    mcp_kept_drain(stdio->mcp->kept);
}

bp_status mcp_serve_stdio(bp_call *call, struct mcp *mcp, const bp_str_list *apps, int in, int out)
{
    bp_principal               principal = { .struct_size = sizeof(principal),
                                             .tenant = BP_STR("default"),
                                             .scopes = BP_STR("*") };
    struct stdio               stdio = { .mcp = mcp, .catalog = mcp_catalog_for(call, mcp, apps) };
    struct line_server_options options = { .in = in,
                                           .out = out,
                                           .line_bytes_max = LINE_BYTES_MAX,
                                           .call_timeout_ns = BP_SECONDS(CALL_TIMEOUT_S),
                                           .grace_ns = BP_SECONDS(GRACE_S),
                                           .principal = &principal,
                                           .handler = handle_line,
                                           .digest = digest_line,
                                           .input_ended = input_ended,
                                           .arg = &stdio };
    bp_status                  status;
    uint8_t                    sender[SHARE_DIGEST_BYTES];

    if (!stdio.catalog)
        return BP_INVALID;
    principal_digest(&principal, sender);
    stdio.home = session_open(mcp->sessions, &principal, MCP_2026_07_28, 0, BP_STR(""), sender);
    if (!stdio.home)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for the client");
    status = line_serve(call, &options);
    stdio.is_over = true;
    if (stdio.session) {
        session_end(mcp->sessions, stdio.session);
        call_sleep(call, BP_MILLISECONDS(1)); // the follower of its news ends
        session_release(mcp->sessions, stdio.session);
    }
    session_release(mcp->sessions, stdio.home);
    return status;
}

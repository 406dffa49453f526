/* mcp_world.h - the MCP server whole, with the app of mcp_app.h, behind HTTP on loopback; whole
 * messages are sent, and whole answers compared.
 *
 * So that JSON can be read in C, what a test writes and expects has ' in the place of ". In an
 * answer | ends a line of an event, the version of the build is VERSION, and what hide_ids() finds
 * is ID or TIME.
 */
#ifndef MCP_WORLD_H
#define MCP_WORLD_H

#include "mcp_app.h"

#include "mcp/listen.h"
#include "mcp/mcp.h"
#include "mcp/session.h"
#include "ops/runs.h"
#include "version.h"

static struct mcp_kept *world_kept;
static struct mcp      *world_mcp;

/* ---- calls on the worker ---- */

struct world_step {
    void (*run)(bp_call *call, void *arg);
    void       *arg;
    atomic_bool is_done;
};

static inline void world_run_step(bp_call *call, void *arg)
{
    struct world_step *step = arg;

    step->run(call, step->arg);
    step->is_done = true;
}

static inline void world_post_step(void *arg)
{
    struct call_options options = { .deadline_ns = clock_now_ns() + BP_SECONDS(60) };

    assert_true(call_start(&rig.worker, &options, world_run_step, arg));
}

static inline bool world_has_run(void *arg)
{
    return ((struct world_step *)arg)->is_done;
}

/* As a call on the worker, from the thread of the test, to its end. */
static inline void on_worker(void (*run)(bp_call *call, void *arg), void *arg)
{
    struct world_step step = { .run = run, .arg = arg };

    worker_post(&rig.worker, world_post_step, &step);
    assert_true(RIG_SOON(step.is_done));
}

/* ---- start and stop ---- */

static inline void world_make(bp_call *call, void *arg)
{
    struct reason why;

    (void)arg;
    assert_int_equal(mcp_kept_start(call, world_kept, &rig.worker, 1), BP_OK);
    world_mcp = mcp_new(call, &api, world_kept);
    if (!world_mcp)
        fail_msg(BP_FMT, BP_ARG(call->error.message));
    if (!mcp_add_routes(world_mcp, &why))
        fail_msg("%s", why.text);
}

static inline void world_start(void)
{
    struct world_step step = { .run = world_make };

    world_kept = mcp_kept_new(&conf.server.mcp);
    assert_non_null(world_kept);
    world_post_step(&step);
    worker_run_until(&rig.worker, world_has_run, &step);
}

static inline void world_drain(void)
{
    mcp_kept_drain(world_kept);
}

static inline void world_halt(bp_call *call, void *arg)
{
    (void)arg;
    mcp_kept_stop(call, world_kept);
}

static inline void world_stop(void)
{
    on_worker(world_halt, NULL);
}

static inline void world_release(void)
{
    mcp_free(world_mcp);
    mcp_kept_free(world_kept);
}

static const struct rig_layer world_layer = { &mcp_service_entry, fill_mcp_app, world_start,
                                              world_drain,        world_stop,   world_release };

static inline void world_defaults(void)
{
    api_rig_defaults();
    act_waits = act_cancelled = act_released = 0;
    rig_layer = &world_layer;
    conf.server.mcp = (struct server_mcp){ .body_bytes = 4 << 20,
                                           .sessions = 100,
                                           .sessions_per_client = 50,
                                           .session_idle_timeout_ns = BP_SECONDS(1800),
                                           .replay_bytes = 1 << 20,
                                           .tasks_bytes = 4 << 20,
                                           .message_memory_bytes = 8 << 20,
                                           .client_memory_bytes = 16 << 20,
                                           .coerce_arguments = true,
                                           .share_sessions = true };
}

static inline int world_set_up(void **state)
{
    (void)state;
    world_defaults();
    api_rig_start();
    return 0;
}

/* What was counted for those who sent it is given back. */
static inline int world_tear_down(void **state)
{
    assert_true(RIG_SOON(shares_total(world_kept->messages) == 0));
    return api_rig_stop(state);
}

#define WORLD_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, world_set_up, world_tear_down)

/* ---- texts ---- */

static inline char *replaced(char *text, const char *old, const char *new)
{
    char *at;

    while ((at = strstr(text, old)) != NULL) {
        size_t before = (size_t)(at - text);
        char  *made = malloc(strlen(text) + strlen(new) + 1);

        sprintf(made, "%.*s%s%s", (int)before, text, new, at + strlen(old));
        free(text);
        text = made;
    }
    return text;
}

static inline void swap(char *text, char from, char to)
{
    for (; *text; text++)
        if (*text == from)
            *text = to;
}

/* Ids of 32 digits, and times: "ID", "TIME". */
static inline char *hide_ids(char *text)
{
    for (size_t i = 0; text[i]; i++) {
        size_t digits = strspn(text + i, "0123456789abcdef");

        if (digits == 32) {
            memmove(text + i + 2, text + i + 32, strlen(text + i + 32) + 1);
            memcpy(text + i, "ID", 2);
        } else if (strncmp(text + i, "20", 2) == 0 && strlen(text + i) >= 24 &&
                   text[i + 10] == 'T' && text[i + 23] == 'Z') {
            memmove(text + i + 4, text + i + 24, strlen(text + i + 24) + 1);
            memcpy(text + i, "TIME", 4);
        } else if (digits > 1) {
            i += digits - 1;
        }
    }
    return text;
}

/* As tests write it. */
static inline char *readable(char *text)
{
    swap(text, '"', '\'');
    swap(text, '\n', '|');
    return hide_ids(replaced(text, "'version':'" BACKPLANE_VERSION "'", "'version':'VERSION'"));
}

static inline char *formatted(const char *format, ...) BP_FORMAT(1, 2);
static inline char *formatted(const char *format, ...)
{
    char   *text;
    va_list args;

    va_start(args, format);
    assert_true(vasprintf(&text, format, args) >= 0);
    va_end(args);
    return text;
}

#define EXPECT_TEXT(text, wanted)                                                                  \
    do {                                                                                           \
        if (strcmp(text, wanted) != 0)                                                             \
            fail_msg("\nnot    %s\nbut is %s", wanted, text);                                      \
    } while (0)

/* ---- a client ---- */

/* Sends a request and leaves the connection to be read; `body` NULL: none. */
static inline int http_begin(const char *method, const char *path, const char *headers,
                             const char *body)
{
    int    fd = client_connect(rig.port);
    size_t len = body ? strlen(body) : 0;
    char  *head = formatted("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
                             "Content-Length: %zu\r\n\r\n",
                            method, path, headers, len);
    char  *copy = strdup(body ? body : "");

    swap(copy, '\'', '"');
    client_say(fd, head);
    client_send(fd, copy, len);
    free(head);
    free(copy);
    return fd;
}

struct answer {
    char *head, *raw; /* the body as it came, without the frames of chunks */
    char *body;       /* the same readable, and behind a status but 200 */
    int   status;
};

static inline void without_chunks(char *body)
{
    char *from = body, *to = body;

    for (;;) {
        char  *end;
        size_t len = strtoul(from, &end, 16);

        if (end == from || !len)
            break;
        memmove(to, end + 2, len);
        to += len;
        from = end + 2 + len + 2;
    }
    *to = '\0';
}

/* What came before, out of http_wait(), is part of the answer. */
static inline struct answer http_end_after(int fd, char *before)
{
    struct answer answer;
    char         *rest = client_drain(fd, NULL), *text = formatted("%s%s", before, rest);

    free(before);
    free(rest);
    close(fd);
    answer.status = client_status(text);
    answer.raw = strdup(client_body(text));
    answer.head = text;
    *(char *)client_body(text) = '\0';
    if (strcasestr(answer.head, "transfer-encoding: chunked"))
        without_chunks(answer.raw);
    answer.body = readable(strdup(answer.raw));
    if (answer.status != 200) {
        char *plain = answer.body;

        answer.body = formatted("%d %s", answer.status, plain);
        free(plain);
    }
    return answer;
}

static inline struct answer http_end(int fd)
{
    return http_end_after(fd, strdup(""));
}

/* Reads until `mark` has come in all that was read: `before`, to be freed, and what is new. */
static inline char *http_wait(int fd, char *before, const char *mark)
{
    char   *raw = strdup(mark), piece[4096];
    ssize_t count;

    swap(raw, '\'', '"');
    while (!strstr(before, raw)) {
        char *all;

        count = recv(fd, piece, sizeof(piece), 0);
        if (count <= 0)
            fail_msg("waiting for \"%s\": %s; there is: %s", raw,
                     count ? strerror(errno) : "the end", before);
        all = formatted("%s%.*s", before, (int)count, piece);
        free(before);
        before = all;
    }
    free(raw);
    return before;
}

static inline char *http_wait_first(int fd, const char *mark)
{
    return http_wait(fd, strdup(""), mark);
}

static inline void answer_free(struct answer *answer)
{
    free(answer->head);
    free(answer->raw);
    free(answer->body);
}

/* Ends the answer, too. */
static inline void expect_answer(struct answer *answer, const char *asked, const char *wanted)
{
#ifdef RECORD
    printf("@@%s\n", answer->body);
    fflush(stdout);
    return;
#endif
    if (strcmp(answer->body, wanted) != 0)
        fail_msg("%s\nnot    %s\nbut is %s", asked, wanted, answer->body);
    answer_free(answer);
}

#define JSON_HEADERS                                                                               \
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"

/* ---- anything ---- */

struct raw_case {
    const char *method, *path, *headers, *body, *answer;
};

#define RAW_AS(method, path, headers, body, answer)                                                \
    {                                                                                              \
        method, path, headers, body, answer                                                        \
    }
#define RAW(method, more, body, answer)                                                            \
    {                                                                                              \
        method, "/mcp", JSON_HEADERS more, body, answer                                            \
    }

static inline void expect_raw(const struct raw_case *wanted)
{
    struct answer answer = http_end(
        http_begin(wanted->method, wanted->path, wanted->headers, wanted->body));

    expect_answer(&answer, wanted->body ? wanted->body : wanted->method, wanted->answer);
}

#define EXPECT_EACH_RAW(table)                                                                     \
    for (size_t each_ = 0; each_ < sizeof(table) / sizeof((table)[0]); each_++)                    \
    expect_raw(&(table)[each_])

/* ---- MCP 2026-07-28 ---- */

#define META_WITH(capabilities)                                                                    \
    "'_meta':{'io.modelcontextprotocol/protocolVersion':'2026-07-28',"                             \
    "'io.modelcontextprotocol/clientCapabilities':" capabilities                                   \
    ",'io.modelcontextprotocol/clientInfo':{'name':'test','version':'1'}"
#define META META_WITH("{}") "}"
#define SERVER                                                                                     \
    "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane','version':'VERSION'}"
#define RESULT(members)                                                                            \
    "{'jsonrpc':'2.0','id':1,'result':{'resultType':'complete'" members "," SERVER "}}}"
#define ERROR(code, message)                                                                       \
    "{'jsonrpc':'2.0','id':1,'error':{'code':" #code ",'message':'" message "'}}"
#define TEXT_BLOCK(text) "{'type':'text','text':'" text "'}"

/* The headers that repeat what the body says; `name` NULL: none. */
static inline char *modern_headers(const char *method, const char *name, const char *more)
{
    return formatted(JSON_HEADERS "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n%s%s%s%s",
                     method, name ? "Mcp-Name: " : "", name ? name : "", name ? "\r\n" : "",
                     more ? more : "");
}

static inline int modern_begin(const char *method, const char *name, const char *more,
                               const char *params)
{
    char *headers = modern_headers(method, name, more);
    char *body = formatted("{'jsonrpc':'2.0','id':1,'method':'%s','params':{%s}}", method, params);
    int   fd = http_begin("POST", "/mcp", headers, body);

    free(headers);
    free(body);
    return fd;
}

static inline struct answer modern(const char *method, const char *name, const char *more,
                                   const char *params)
{
    return http_end(modern_begin(method, name, more, params));
}

struct modern_case {
    const char *method, *name, *more, *params, *answer; /* `more`: headers */
};

static inline void expect_modern(const struct modern_case *wanted)
{
    struct answer answer = modern(wanted->method, wanted->name, wanted->more, wanted->params);

    expect_answer(&answer, wanted->params, wanted->answer);
}

#define ASK_AS(method, name, more, params, answer)                                                 \
    {                                                                                              \
        method, name, more, params, answer                                                         \
    }
#define ASK(method, params, answer)          ASK_AS(method, NULL, NULL, params "," META, answer)
#define ASK_OF(method, name, params, answer) ASK_AS(method, name, NULL, params "," META, answer)
#define CALL(tool, arguments, answer)                                                              \
    ASK_OF("tools/call", tool, "'name':'" tool "','arguments':" arguments, answer)

#define EXPECT_EACH_MODERN(table)                                                                  \
    for (size_t each_ = 0; each_ < sizeof(table) / sizeof((table)[0]); each_++)                    \
    expect_modern(&(table)[each_])

/* ---- MCP up to 2025-11-25 ---- */

static inline char *header_of(const struct answer *answer, const char *name)
{
    const char *at = strcasestr(answer->head, name);

    if (!at)
        return NULL;
    at += strlen(name) + 2;
    return strndup(at, strcspn(at, "\r\n"));
}

/* A session of that revision: its id, to be freed. */
static inline char *legacy_open(const char *revision, const char *capabilities)
{
    char         *body = formatted("{'jsonrpc':'2.0','id':0,'method':'initialize','params':{"
                                           "'protocolVersion':'%s','capabilities':%s,"
                                           "'clientInfo':{'name':'old','version':'2'}}}",
                                   revision, capabilities);
    struct answer answer = http_end(http_begin("POST", "/mcp", JSON_HEADERS, body));
    char         *id = header_of(&answer, "Mcp-Session-Id");

    assert_int_equal(answer.status, 200);
    assert_non_null(id);
    free(body);
    answer_free(&answer);
    return id;
}

static inline int legacy_begin(const char *session, const char *headers, const char *body)
{
    char *all = formatted("%sMcp-Session-Id: %s\r\n", headers ? headers : JSON_HEADERS, session);
    int   fd = http_begin("POST", "/mcp", all, body);

    free(all);
    return fd;
}

static inline struct answer legacy(const char *session, const char *body)
{
    return http_end(legacy_begin(session, NULL, body));
}

/* A request with the id 1. */
static inline struct answer legacy_ask(const char *session, const char *method, const char *params)
{
    char *body = formatted("{'jsonrpc':'2.0','id':1,'method':'%s','params':{%s}}", method, params);
    struct answer answer = legacy(session, body);

    free(body);
    return answer;
}

#define LEGACY(members) "{'jsonrpc':'2.0','id':1,'result':{" members "}}"

struct legacy_case {
    const char *method, *params, *answer;
};

static inline void expect_legacy(const char *session, const struct legacy_case *wanted)
{
    struct answer answer = legacy_ask(session, wanted->method, wanted->params);

    expect_answer(&answer, wanted->params, wanted->answer);
}

#define EXPECT_EACH_LEGACY(session, table)                                                         \
    for (size_t each_ = 0; each_ < sizeof(table) / sizeof((table)[0]); each_++)                    \
    expect_legacy(session, &(table)[each_])

#endif

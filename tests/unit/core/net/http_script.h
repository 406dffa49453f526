/* http_script.h - a server that answers the HTTP client by a script, and what both of them said, as
 * one line of text.
 */
#ifndef HTTP_SCRIPT_H
#define HTTP_SCRIPT_H

#include "net_test.h"

#include "version.h"

enum { SAID_BYTES = 16384, ANSWERS = 12 };

struct fetching {
    const char *method, *path; /* the path, or a whole URL */
    const char *headers[3];    /* "name|value" */
    const char *body;
    uint32_t    redirects;
    size_t      max_bytes;
    const char *answers[ANSWERS]; /* of the server, in order; a $ is its port; the last one again
                                     for the rest */
    const char *said;             /* what it heard, then behind "=> " what came of it */
};

static const struct fetching *now;
static char                   said[SAID_BYTES];
static int                    answered;

/* Line ends become '|', the port a P, and what every request has a word: USUAL, TRACE and ID. */
static inline void say_shown(const char *text, bp_call *call)
{
    char              port[16], usual[160], trace[80], id[80];
    const char *const words[][2] = {
        { usual, "USUAL|" }, { trace, "TRACE|" }, { id, "ID|" }, { port, ":P" }, { "\r\n", "|" }
    };
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    char *to = said + strlen(said);

    snprintf(port, sizeof(port), ":%u", server.port);
    snprintf(usual, sizeof(usual),
             "User-Agent: backplane/" BACKPLANE_VERSION
             "\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n");
    snprintf(trace, sizeof(trace), "traceparent: " BP_FMT "\r\n", BP_ARG(call_traceparent(call)));
    snprintf(id, sizeof(id), "X-Request-Id: %s\r\n", call->request_id);
    while (*text && to < said + sizeof(said) - 64) {
        size_t i = 0;

        while (i < WORDS && strncmp(text, words[i][0], strlen(words[i][0])) != 0)
            i++;
        if (i == WORDS) {
            *to++ = *text++;
            continue;
        }
        to = stpcpy(to, words[i][1]);
        text += strlen(words[i][0]);
    }
    *to = '\0';
}

/* ---- the server ---- */

static char heard_all[SAID_BYTES];

static inline bool hear_body(int fd, const char *head)
{
    const char *length = strcasestr(head, "content-length: ");
    size_t      left = length ? strtoul(length + 16, NULL, 10) : 0, at = strlen(heard_all);

    for (; left; left--, at++)
        if (recv(fd, heard_all + at, 1, 0) <= 0)
            return false;
    heard_all[at] = '\0';
    return true;
}

/* False when it is the last one of its connection. */
static inline bool give_answer(int fd)
{
    const char *answer = now->answers[answered];
    char        text[4096] = "", *to = text;

    if (answered + 1 < ANSWERS && now->answers[answered + 1])
        answered++;
    for (; *answer; answer++)
        to = *answer == '$' ? to + sprintf(to, "%u", server.port) : to + sprintf(to, "%c", *answer);
    return server_say(fd, text) && !strstr(text, "Connection: close");
}

static inline void serve_script(int fd, int number)
{
    char head[8192];

    (void)number;
    while (server_hear(fd, head, sizeof(head))) {
        strcat(heard_all, head);
        if (!hear_body(fd, head))
            return;
        strcat(heard_all, "#");
        if (!give_answer(fd))
            return;
    }
}

/* ---- the caller ---- */

static inline void say_response(const bp_http_response *response)
{
    size_t len = strlen(said);

    len += (size_t)snprintf(said + len, sizeof(said) - len, "%d type=" BP_FMT " retry=%lld",
                            response->status, BP_ARG(response->content_type),
                            (long long)(response->retry_after_ns / 1000000));
    for (size_t i = 0; i < response->header_count; i++)
        len += (size_t)snprintf(said + len, sizeof(said) - len, " [" BP_FMT "|" BP_FMT "]",
                                BP_ARG(response->headers[i].name),
                                BP_ARG(response->headers[i].value));
    snprintf(said + len, sizeof(said) - len, " <" BP_FMT ">", BP_ARG(response->body));
}

static inline void fetch_now(bp_call *call)
{
    bp_http_header   headers[3];
    bp_http_response response = { .struct_size = sizeof(response) };
    bp_http_request  request = { .struct_size = sizeof(request),
                                 .method = bp_str_of(now->method),
                                 .headers = headers,
                                 .body = bp_str_of(now->body ? now->body : ""),
                                 .max_redirects = now->redirects,
                                 .max_response_bytes = now->max_bytes };
    bp_status        status;

    for (; request.header_count < 3 && now->headers[request.header_count]; request.header_count++) {
        const char *text = now->headers[request.header_count], *mark = strchr(text, '|');

        headers[request.header_count] = (bp_http_header){ bp_str_n(text, (size_t)(mark - text)),
                                                          bp_str_of(mark + 1) };
    }
    request.url = now->path[0] == '/'
                      ? arena_format(call->arena, "http://127.0.0.1:%u%s", server.port, now->path)
                      : bp_str_of(now->path);
    status = http_client_fetch(call, &request, &response);
    say_shown(heard_all, call);
    strcat(said, "=> ");
    if (status == BP_OK) {
        say_response(&response);
    } else {
        char *reason = strstr(call->error.message.data,
                              "can be read ("); // what follows is libcurl's

        if (reason)
            memmove(reason + 13, strchr(reason, ')'), strlen(strchr(reason, ')')) + 1);
        strcat(said, bp_status_label(status));
        strcat(said, ": ");
        say_shown(call->error.message.data, call);
    }
}

/* Each case has a server and a worker of its own. */
static inline void play_now(void)
{
    said[0] = heard_all[0] = '\0';
    answered = 0;
    server_start(serve_script);
    on_call(fetch_now, BP_SECONDS(60));
    server_stop();
    http_client_free(&worker);
    worker_free(&worker);
    assert_int_equal(worker_init(&worker, 0, 1, NULL), 0);
}

#define OK   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define NONE "Content-Length: 0\r\n\r\n"

static inline void play_all(const struct fetching *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        now = &cases[i];
        play_now();
        if (strcmp(said, now->said) != 0)
            fail_msg("%s %s: \n%s\nnot\n%s", now->method, now->path, said, now->said);
    }
}

#endif

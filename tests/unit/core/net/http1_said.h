/* http1_said.h - all that the request parser makes of some bytes, as one line of text. */
#ifndef HTTP1_SAID_H
#define HTTP1_SAID_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/http1.h"

enum { SAID_BYTES = 1024 };

static inline void say(char *said, const char *format, ...)
{
    size_t  len = strlen(said);
    va_list args;

    va_start(args, format);
    vsnprintf(said + len, SAID_BYTES - len, format, args);
    va_end(args);
}

static inline void say_slice(char *said, const char *name, const char *head,
                             struct http1_slice slice)
{
    bp_str text = http1_str(head, slice);

    if (slice.at || slice.len)
        say(said, " %s=" BP_FMT, name, BP_ARG(text));
}

/* What is not as in a plain GET of HTTP/1.1. */
static inline void say_head(char *said, const char *head, const struct http1_request *request)
{
    say(said, BP_FMT, BP_ARG(http1_method_name((enum http1_method)request->method)));
    say_slice(said, "target", head, request->target);
    say_slice(said, "path", head, request->path);
    say_slice(said, "query", head, request->query);
    say_slice(said, "host", head, request->host);
    say(said, "%s%s%s%s%s%s%s", request->minor == 1 ? "" : " old",
        request->is_keep_alive ? "" : " closes", request->expects_continue ? " waits" : "",
        request->path_is_plain || request->is_asterisk ? "" : " not-plain",
        request->is_asterisk ? " asterisk" : "", request->is_absolute ? " absolute" : "",
        request->body_kind == HTTP1_BODY_CHUNKED ? " chunked" : "");
    if (request->content_length != -1)
        say(said, " length=%lld", (long long)request->content_length);
    for (uint32_t i = 0; i < request->header_count; i++)
        say(said, " [" BP_FMT "|" BP_FMT "]", BP_ARG(http1_str(head, request->headers[i].name)),
            BP_ARG(http1_str(head, request->headers[i].value)));
}

/* The pieces of the body, and where it ended; `at` is where it begins. */
static inline void say_body(char *said, const struct http1_request *request, const char *bytes,
                            size_t len)
{
    struct http1_body   body;
    enum http1_progress progress;
    size_t              at = 0;

    http1_body_init(&body, request);
    do {
        bp_str piece;
        size_t used;

        progress = http1_body_decode(&body, bytes + at, len - at, &used, &piece);
        at += used;
        if (progress == HTTP1_DATA)
            say(said, "<" BP_FMT "> ", BP_ARG(piece));
    } while (progress == HTTP1_DATA);
    if (progress == HTTP1_REFUSED)
        say(said, "%d at %zu: %s", body.verdict.status, at, body.verdict.why);
    else
        say(said, "%s at %zu", progress == HTTP1_DONE ? "end" : "more", at);
}

/* The head and the body, or the body alone, as it is of a head that needs no words. */
static inline void describe(const char *text, bool is_body_only, char said[SAID_BYTES])
{
    struct http1_request request;
    enum http1_progress  progress;
    size_t               len = strlen(text);
    char                *head = malloc(len + 1); // its own, so that a sanitizer sees its end

    memcpy(head, text, len);
    said[0] = '\0';
    http1_request_init(&request, &http1_default_limits);
    progress = http1_request_parse(&request, head, len);
    if (progress == HTTP1_DONE) {
        if (!is_body_only) {
            say_head(said, head, &request);
            say(said, " + ");
        }
        say_body(said, &request, head + request.next, len - request.next);
    } else if (progress == HTTP1_REFUSED) {
        say(said, "%d at %u: %s", request.verdict.status, request.next, request.verdict.why);
    } else {
        say(said, "more at %u", request.next);
    }
    free(head);
}

struct said {
    const char *text, *said;
};

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST    "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

#define assert_all_said(cases, is_body_only)                                                       \
    for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++) {                              \
        char said_[SAID_BYTES];                                                                    \
                                                                                                   \
        describe((cases)[i].text, is_body_only, said_);                                            \
        if (strcmp(said_, (cases)[i].said) != 0)                                                   \
            fail_msg("\"%s\" is \"%s\", not \"%s\"", (cases)[i].text, said_, (cases)[i].said);     \
    }

#endif

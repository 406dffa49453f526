/* test_http1_lines.c - request lines and header lines: all that is understood of each, and the
 * sentence of each refusal. What the limits are is in test_http1.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http1_said.h"

static const struct said request_lines[] = {
    { GET "\r\n", "GET target=/ path=/ host=a [Host|a] + end at 0" },
    { "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD target=/a path=/a host=a [Host|a] + end at 0" },
    { "POST /a?b HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST target=/a?b path=/a query=b host=a [Host|a] + end at 0" },
    { "PUT /a? HTTP/1.1\r\nHost: a\r\n\r\n",
      "PUT target=/a? path=/a query= host=a [Host|a] + end at 0" },
    { "PATCH /?a=b?c HTTP/1.1\r\nHost: a\r\n\r\n",
      "PATCH target=/?a=b?c path=/ query=a=b?c host=a [Host|a] + end at 0" },
    { "DELETE /a/b/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "DELETE target=/a/b/ path=/a/b/ host=a [Host|a] + end at 0" },
    { "OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n",
      "OPTIONS target=/a path=/a host=a [Host|a] + end at 0" },
    { "TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n",
      "TRACE target=/a path=/a host=a [Host|a] + end at 0" },
    { "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: CONNECT asks for a proxy, which this server is not" },
    { "CONNECTS / HTTP/1.1\r\nHost: a\r\n\r\n", "501 at 0: this server does not know the method" },
    { "GETT / HTTP/1.1\r\nHost: a\r\n\r\n", "501 at 0: this server does not know the method" },
    { "GE / HTTP/1.1\r\nHost: a\r\n\r\n", "501 at 0: this server does not know the method" },
    { "GEt / HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the method is not a word in capital letters" },
    { "GE[ / HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the method is not a word in capital letters" },
    { "GEa / HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the method is not a word in capital letters" },
    { "GEz / HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the method is not a word in capital letters" },
    { "GE{ / HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the method is not a word in capital letters" },
    { "GE` / HTTP/1.1\r\nHost: a\r\n\r\n", "501 at 0: this server does not know the method" },
    { "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", "501 at 0: this server does not know the method" },
    { "GET\r\nHost: a\r\n\r\n", "400 at 0: the request line has no target" },
    { "GET /\r\nHost: a\r\n\r\n",
      "400 at 0: the request line has no version; HTTP/0.9 is not served" },
    { "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request line has more than one space between its parts" },
    { "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTP/1.\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTP/1.1x\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTP/x.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTP/1x1\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTP/1.x\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTQ/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / http/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request line does not end with HTTP/ and a version of two digits" },
    { "GET / HTTP/0.1\r\nHost: a\r\n\r\n", "505 at 0: this server speaks HTTP/1.1 only" },
    { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 at 0: this server speaks HTTP/1.1 only" },
    { "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "505 at 0: this server speaks HTTP/1.1 only" },
    { "GET / HTTP/1.9\r\nHost: a\r\n\r\n", "505 at 0: this server speaks HTTP/1.1 only" },
    { "GET / HTTP/9.9\r\nHost: a\r\n\r\n", "505 at 0: this server speaks HTTP/1.1 only" },
    { "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
      "GET target=/ path=/ host=a old closes [Host|a] + end at 0" },
    { "PRI * HTTP/2.0\r\nHost: a\r\n\r\n", "505 at 0: this server speaks HTTP/1.1 only" },
    { "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400 at 0: the target * is for OPTIONS only" },
    { "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      "OPTIONS target=* host=a asterisk [Host|a] + end at 0" },
    { "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET http://x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=http://x path= host=x absolute [Host|a] + end at 0" },
    { "GET http://x/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=http://x/ path=/ host=x absolute [Host|a] + end at 0" },
    { "GET HTTP://x:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=HTTP://x:1/p?q path=/p query=q host=x:1 absolute [Host|a] + end at 0" },
    { "GET http://x?q HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=http://x?q path= query=q host=x absolute [Host|a] + end at 0" },
    { "GET http://x#q HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the path does not begin with a slash" },
    { "GET http://x/#q HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: a fragment ('#') stands in the request target" },
    { "GET https:// HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET https://x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=https://x path= host=x absolute [Host|a] + end at 0" },
    { "GET https://y:2/a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=https://y:2/a/../b path=/a/../b host=y:2 not-plain absolute [Host|a] + end at "
      "0" },
    { "GET hTTps://y/%41 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=hTTps://y/%41 path=/%41 host=y not-plain absolute [Host|a] + end at 0" },
    { "GET ftp://x/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET httpx://x/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET httpsx//x/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the request target is neither a path nor an http URL" },
    { "GET http://u@x/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the host is not a name or an address with an optional port" },
    { "GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n", "400 at 0: the host is empty" },
    { "GET http://x:70000/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the host is not a name or an address with an optional port" },
    { "GET /%41 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/%41 path=/%41 host=a not-plain [Host|a] + end at 0" },
    { "GET /a/./b HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/a/./b path=/a/./b host=a not-plain [Host|a] + end at 0" },
    { "GET /./a HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/./a path=/./a host=a not-plain [Host|a] + end at 0" },
    { "GET /a//b HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/a//b path=/a//b host=a not-plain [Host|a] + end at 0" },
    { "GET //a HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=//a path=//a host=a not-plain [Host|a] + end at 0" },
    { "GET /a.b HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/a.b path=/a.b host=a [Host|a] + end at 0" },
    { "GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", "400 at 0: the path goes above its root" },
    { "GET /a/..?q HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/a/..?q path=/a/.. query=q host=a not-plain [Host|a] + end at 0" },
    { "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: a fragment ('#') stands in the request target" },
    { "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: a fragment ('#') stands in the request target" },
    { "GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the path has a byte that must be percent-encoded" },
    { "GET /a?\"b HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/a?\"b path=/a query=\"b host=a [Host|a] + end at 0" },
    { "GET /%0 HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: a '%' in the path is not followed by two hexadecimal digits" },
    { "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400 at 0: the path contains %00" },
    { "GET /a?%0 HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: a '%' in the query is not followed by two hexadecimal digits" },
    { "GET /a?%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400 at 0: the query contains %00" },
    { "GET /a?%zz HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: a '%' in the query is not followed by two hexadecimal digits" },
    { "GET /a?\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 0: the query has a byte that must be percent-encoded" },
    { "GET /?%41 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/?%41 path=/ query=%41 host=a [Host|a] + end at 0" },
};

static void a_request_line_is_understood_or_refused_with_its_reason(void **state)
{
    (void)state;
    assert_all_said(request_lines, false);
}

static const struct said beginnings[] = {
    { "", "more at 0" },
    { "\r", "more at 0" },
    { "\r\n", "more at 2" },
    { "\r\nG", "more at 2" },
    { "\r\n\r\n", "400 at 2: a request begins with a method in capital letters" },
    { "\n", "400 at 0: a request begins with a method in capital letters" },
    { "\r\r", "400 at 0: a request begins with a method in capital letters" },
    { "\rG", "400 at 0: a request begins with a method in capital letters" },
    { "G", "more at 0" },
    { "@", "400 at 0: a request begins with a method in capital letters" },
    { "A", "more at 0" },
    { "Z", "more at 0" },
    { "[", "400 at 0: a request begins with a method in capital letters" },
    { "a", "400 at 0: a request begins with a method in capital letters" },
    { "\x16", "400 at 0: this is a TLS client, but the port speaks plain HTTP" },
    { "\r\n\x16\x03", "400 at 2: this is a TLS client, but the port speaks plain HTTP" },
    { "\x15", "400 at 0: a request begins with a method in capital letters" },
    { "\x17", "400 at 0: a request begins with a method in capital letters" },
    { "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET target=/ path=/ host=a [Host|a] + end at 0" },
    { "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "400 at 2: a request begins with a method in capital letters" },
    { "GET / HTTP/1.1", "more at 0" },
    { "GET / HTTP/1.1\r", "more at 0" },
    { "GET / HTTP/1.1\r\n", "more at 16" },
    { GET "", "more at 25" },
    { GET "\r", "more at 25" },
    { "\nGET / HTTP/1.1", "400 at 0: a request begins with a method in capital letters" },
    { "GET / HTTP/1.1\n", "400 at 0: a line ends with LF alone instead of CRLF" },
    { "GET / HTTP/1.1\r\nHost: a\n\r\n", "400 at 16: a line ends with LF alone instead of CRLF" },
    { GET "\n", "400 at 25: a line ends with LF alone instead of CRLF" },
    { GET "\r\nmore", "GET target=/ path=/ host=a [Host|a] + end at 0" },
};

static void a_request_begins_with_its_method(void **state)
{
    (void)state;
    assert_all_said(beginnings, false);
}

static const struct said header_lines[] = {
    { "GET / HTTP/1.1\r\n\r\n", "400 at 16: there is no Host header" },
    { "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400 at 16: the host is empty" },
    { GET "Host: a\r\n\r\n", "400 at 25: there is more than one Host" },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "400 at 16: the host is not a name or an address with an optional port" },
    { "GET / HTTP/1.1\r\nhOST:\t a:80\t \r\n\r\n",
      "GET target=/ path=/ host=a:80 [hOST|a:80] + end at 0" },
    { "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=http://b/ path=/ host=b absolute [Host|a] + end at 0" },
    { "GET http://b/ HTTP/1.1\r\nHost: a/\r\n\r\n",
      "400 at 24: the host is not a name or an address with an optional port" },
    { "GET http://b/ HTTP/1.1\r\n\r\n", "400 at 24: there is no Host header" },
    { GET "X: 1\r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|1] + end at 0" },
    { GET "X:1\r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|1] + end at 0" },
    { GET "X:\r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|] + end at 0" },
    { GET "X: \r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|] + end at 0" },
    { GET "X:\t\r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|] + end at 0" },
    { GET "X: \t1\t \r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|1] + end at 0" },
    { GET "X:  a b  \r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|a b] + end at 0" },
    { GET "X-Y_z.1!#$%&'*+^`|~: v\r\n\r\n",
      "GET target=/ path=/ host=a [Host|a] [X-Y_z.1!#$%&'*+^`|~|v] + end at 0" },
    { GET " X: 1\r\n\r\n",
      "400 at 25: a header line begins with a blank; folded lines are not accepted" },
    { GET "\tX: 1\r\n\r\n",
      "400 at 25: a header line begins with a blank; folded lines are not accepted" },
    { GET "X : 1\r\n\r\n", "400 at 25: a header name has a byte that may not stand in it" },
    { GET "X\r\n\r\n", "400 at 25: a header line has no colon" },
    { GET "X\t: 1\r\n\r\n", "400 at 25: a header name has a byte that may not stand in it" },
    { GET ": 1\r\n\r\n", "400 at 25: a header name is empty" },
    { GET "X(: 1\r\n\r\n", "400 at 25: a header name has a byte that may not stand in it" },
    { GET "X\x7f: 1\r\n\r\n", "400 at 25: a header name has a byte that may not stand in it" },
    { GET "X: a\x01"
          "b\r\n\r\n",
      "400 at 25: a header value has a control byte" },
    { GET "X: a\tb\r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|a\tb] + end at 0" },
    { GET "X: \x7f\r\n\r\n", "400 at 25: a header value has a control byte" },
    { GET "X: a\rb\r\n\r\n", "400 at 25: a header value has a control byte" },
    { GET "X: \xe9\r\n\r\n", "GET target=/ path=/ host=a [Host|a] [X|\xe9] + end at 0" },
    { GET "Hosd: b\r\n\r\n", "GET target=/ path=/ host=a [Host|a] [Hosd|b] + end at 0" },
};

static void a_header_line_is_understood_or_refused_with_its_reason(void **state)
{
    (void)state;
    assert_all_said(header_lines, false);
}

/* The limit may be set below what there is room for, and does nothing above it. */
static void the_number_of_headers_is_bounded_by_the_limit_and_by_the_room(void **state)
{
    static const struct {
        uint32_t limit, headers;
        bool     is_taken;
    } cases[] = {
        { 1, 1, true },
        { 1, 2, false },
        { 7, 7, true },
        { 7, 8, false },
        { HTTP1_MAX_HEADERS, HTTP1_MAX_HEADERS, true },
        { HTTP1_MAX_HEADERS, HTTP1_MAX_HEADERS + 1, false },
        { HTTP1_MAX_HEADERS + 1, HTTP1_MAX_HEADERS + 1, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_limits  limits = http1_default_limits;
        struct http1_request request;
        char                 head[4096] = GET;

        limits.header_count = cases[i].limit;
        for (uint32_t at = 1; at < cases[i].headers; at++)
            strcat(head, "X: v\r\n");
        strcat(head, "\r\n");
        http1_request_init(&request, &limits);
        assert_int_equal(http1_request_parse(&request, head, strlen(head)),
                         cases[i].is_taken ? HTTP1_DONE : HTTP1_REFUSED);
        if (cases[i].is_taken) {
            assert_int_equal(request.header_count, cases[i].headers);
        } else {
            assert_int_equal(request.verdict.status, 431);
            assert_string_equal(request.verdict.why, "there are too many headers");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_line_is_understood_or_refused_with_its_reason),
        cmocka_unit_test(a_request_begins_with_its_method),
        cmocka_unit_test(a_header_line_is_understood_or_refused_with_its_reason),
        cmocka_unit_test(the_number_of_headers_is_bounded_by_the_limit_and_by_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

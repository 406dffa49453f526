/* test_http_exact.c - answers of the HTTP server, word for word, and what is counted of them. */
#include "http_told.h"

/* ---- the bytes sent ---- */

static time_t began; /* the test */

/* Line ends become '|', and the date, which must be the one of now, a D. */
static char *shown(const char *answer)
{
    char *text = malloc(2 * strlen(answer) + 1), *to = text;

    while (*answer) {
        if (strncmp(answer, "Date: ", 6) == 0) {
            struct tm utc = { 0 };

            assert_ptr_equal(strptime(answer + 6, "%a, %d %b %Y %T GMT", &utc), answer + 35);
            assert_in_range(timegm(&utc), began, time(NULL));
            memcpy(to, "Date: D", 7);
            to += 7;
            answer += 35;
        } else if (strncmp(answer, "\r\n", 2) == 0) {
            *to++ = '|';
            answer += 2;
        } else {
            *to++ = *answer++;
        }
    }
    *to = '\0';
    return text;
}

#define END  " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
#define KEPT " HTTP/1.1\r\nHost: h\r\n\r\n"
#define BODY " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
#define OLD  " HTTP/1.0\r\n\r\n"

static const char *const answers[][2] = {
    { "GET /send?200" END,
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|Connection: close|"
      "|body" },
    { "GET /send?201" END, "HTTP/1.1 201 Created|Date: D|Content-Type: a/b|Content-Length: 4|"
                           "Connection: close||body" },
    { "GET /send?204" END,
      "HTTP/1.1 204 No Content|Date: D|Content-Type: a/b|Connection: close||" },
    { "GET /send?304" END,
      "HTTP/1.1 304 Not Modified|Date: D|Content-Type: a/b|Connection: close||" },
    { "GET /send?404" END, "HTTP/1.1 404 Not Found|Date: D|Content-Type: a/b|Content-Length: 4|"
                           "Connection: close||body" },
    { "GET /send?503" END,
      "HTTP/1.1 503 Service Unavailable|Date: D|Content-Type: a/b|Content-Length: 4|"
      "Connection: close||body" },
    { "GET /send?599" END, "HTTP/1.1 599 Unknown|Date: D|Content-Type: a/b|Content-Length: 4|"
                           "Connection: close||body" },
    { "GET /send?199" END,
      "HTTP/1.1 500 Internal Server Error|Date: D|Content-Type: application/json|"
      "Content-Length: 78|Connection: close||"
      "{\"error\":{\"code\":\"internal\",\"message\":\"the request's handler gave no "
      "answer\"}}" },
    { "GET /send?600" END,
      "HTTP/1.1 500 Internal Server Error|Date: D|Content-Type: application/json|"
      "Content-Length: 78|Connection: close||"
      "{\"error\":{\"code\":\"internal\",\"message\":\"the request's handler gave no "
      "answer\"}}" },
    { "HEAD /send?200" END,
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|Connection: close|"
      "|" },
    { "HEAD /send?204" END,
      "HTTP/1.1 204 No Content|Date: D|Content-Type: a/b|Connection: close||" },
    { "HEAD /send?304" END,
      "HTTP/1.1 304 Not Modified|Date: D|Content-Type: a/b|Connection: close||" },
    { "HEAD /send?500" END, "HTTP/1.1 500 Internal Server Error|Date: D|Content-Type: a/b|"
                            "Content-Length: 4|Connection: close||" },
    { "GET /send" OLD,
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|Connection: close|"
      "|body" },
    { "GET /send"
      " HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /none" OLD,
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|"
      "Connection: keep-alive||bodyHTTP/1.1 500 Internal Server Error|Date: D|"
      "Content-Type: application/json|Content-Length: 78|Connection: close||"
      "{\"error\":{\"code\":\"internal\",\"message\":\"the request's handler gave no "
      "answer\"}}" },
    { "GET /send" KEPT "GET /send" END,
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4||"
      "bodyHTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|"
      "Connection: close||body" },
    { "GET /untyped" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 0|Connection: close|X-One: 1|X-Two: ||" },
    { "HEAD /untyped" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 0|Connection: close|X-One: 1|X-Two: ||" },
    { "GET /error?404" END, "HTTP/1.1 404 Not Found|Date: D|Content-Type: application/json|"
                            "Content-Length: 48|Connection: close||"
                            "{\"error\":{\"code\":\"code\",\"message\":\"say \\\"so\\\"\"}}" },
    { "GET /error?204" END, "HTTP/1.1 204 No Content|Date: D|Content-Type: application/json|"
                            "Connection: close||" },
    { "HEAD /error?500" END,
      "HTTP/1.1 500 Internal Server Error|Date: D|Content-Type: application/json|"
      "Content-Length: 48|Connection: close||" },
    { "GET /none" END,
      "HTTP/1.1 500 Internal Server Error|Date: D|Content-Type: application/json|"
      "Content-Length: 78|Connection: close||"
      "{\"error\":{\"code\":\"internal\",\"message\":\"the request's handler gave no "
      "answer\"}}" },
    { "HEAD /none" END, "HTTP/1.1 500 Internal Server Error|Date: D|Content-Type: application/json|"
                        "Content-Length: 78|Connection: close||" },
    { "GET /counted" END, "HTTP/1.1 200 OK|Date: D|Content-Length: 6|Connection: close||abcdef" },
    { "HEAD /counted" END, "HTTP/1.1 200 OK|Date: D|Content-Length: 6|Connection: close||" },
    { "GET /counted" OLD, "HTTP/1.1 200 OK|Date: D|Content-Length: 6|Connection: close||abcdef" },
    { "GET /begun" END,
      "HTTP/1.1 201 Created|Date: D|Content-Type: a/b|Transfer-Encoding: chunked|"
      "Connection: close||3|abc|10e|"
      "begin: ok\nstatus 201\nheader: conflict, the header \"x\" comes after the "
      "answer has begun\nbegin: conflict, a second answer to one request\nsend: "
      "conflict, a second answer to one request\nerror: conflict, a second answer to "
      "one request\nflush: ok\nempty: ok\nwrite: ok\n3 sent, 0\n|0||" },
    { "HEAD /begun" END,
      "HTTP/1.1 201 Created|Date: D|Content-Type: a/b|Transfer-Encoding: chunked|"
      "Connection: close||" },
    { "GET /begun" OLD,
      "HTTP/1.1 201 Created|Date: D|Content-Type: a/b|Connection: close||"
      "abcbegin: ok\nstatus 201\nheader: conflict, the header \"x\" comes after the "
      "answer has begun\nbegin: conflict, a second answer to one request\nsend: "
      "conflict, a second answer to one request\nerror: conflict, a second answer to "
      "one request\nflush: ok\nempty: ok\nwrite: ok\n3 sent, 0\n" },
    { "GET /empty-stream" END,
      "HTTP/1.1 200 OK|Date: D|Transfer-Encoding: chunked|Connection: close||0||" },
    { "GET /empty-stream?204" END, "HTTP/1.1 204 No Content|Date: D|Connection: close||" },
    { "GET /empty-stream?304" END, "HTTP/1.1 304 Not Modified|Date: D|Connection: close||" },
    { "HEAD /empty-stream" END,
      "HTTP/1.1 200 OK|Date: D|Transfer-Encoding: chunked|Connection: close||" },
    { "GET /empty-stream" OLD, "HTTP/1.1 200 OK|Date: D|Connection: close||" },
    { "GET /events" OLD,
      "HTTP/1.1 200 OK|Date: D|Content-Type: text/event-stream|Connection: close|"
      "Cache-Control: no-store|X-Accel-Buffering: no||"
      "event: n\nid: i\ndata: d\n\nevent: n\ndata: d\n\nid: i\ndata: d\n\ndata: "
      "\n\ndata: a\n\ndata: \ndata: \n\ndata: \ndata: \n\ndata: \ndata: \n\ndata: "
      "a\ndata: \n\ndata: a\ndata: \n\ndata: a\ndata: \n\ndata: a\ndata: b\n\ndata: "
      "a\ndata: b\n\ndata: a\ndata: b\n\ndata: \ndata: \ndata: \n\ndata: \ndata: "
      "\ndata: \n\ndata: \ndata: \ndata: \n\ndata: \ndata: \ndata: \n\ndata: "
      "a\ndata: \ndata: b\ndata: \ndata: c\n\ndata: \ndata: a\n\ndata: a\ndata: "
      "b\ndata: c\ndata: d\ndata: \n\n" },
    { "HEAD /events" END, "HTTP/1.1 200 OK|Date: D|Content-Type: text/event-stream|"
                          "Transfer-Encoding: chunked|Connection: close|Cache-Control: no-store|"
                          "X-Accel-Buffering: no||" },
    { "GET /events" END, "HTTP/1.1 200 OK|Date: D|Content-Type: text/event-stream|"
                         "Transfer-Encoding: chunked|Connection: close|Cache-Control: no-store|"
                         "X-Accel-Buffering: no||18|event: n\nid: i\ndata: d\n\n|12|"
                         "event: n\ndata: d\n\n|f|id: i\ndata: d\n\n|8|data: \n\n|9|data: a\n\n|f|"
                         "data: \ndata: \n\n|f|data: \ndata: \n\n|f|data: \ndata: \n\n|10|"
                         "data: a\ndata: \n\n|10|data: a\ndata: \n\n|10|data: a\ndata: \n\n|11|"
                         "data: a\ndata: b\n\n|11|data: a\ndata: b\n\n|11|data: a\ndata: b\n\n|16|"
                         "data: \ndata: \ndata: \n\n|16|data: \ndata: \ndata: \n\n|16|"
                         "data: \ndata: \ndata: \n\n|16|data: \ndata: \ndata: \n\n|27|"
                         "data: a\ndata: \ndata: b\ndata: \ndata: c\n\n|10|data: \ndata: a\n\n|28|"
                         "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n|0||" },
    { "GET /wrong" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 1284|Connection: close|Keep-alivf: v||"
      ": invalid, a header's name has a byte that may not stand in it\na b: invalid, "
      "a header's name has a byte that may not stand in it\na:: invalid, a header's "
      "name has a byte that may not stand in it\na\t: invalid, a header's name has a "
      "byte that may not stand in it\ncontent-length: invalid, the header "
      "\"content-length\" is the server's own\nConnection: invalid, the header "
      "\"Connection\" is the server's own\nDATE: invalid, the header \"DATE\" is the "
      "server's own\nkeep-alive: invalid, the header \"keep-alive\" is the server's "
      "own\nKeep-alivf: ok\ntransfer-encoding: invalid, the header "
      "\"transfer-encoding\" is the server's own\nvalue: invalid, the value of the "
      "header \"x\" has a control byte\ntoo large: too_large, the headers of the "
      "answer are larger than 16384 bytes\nsend 199: invalid, an answer of status "
      "199, which is not one of 200 to 599\nsend 600: invalid, an answer of status "
      "600, which is not one of 200 to 599\ntype: invalid, a content type with a "
      "control byte\nerror: invalid, an answer of status 600, which is not one of "
      "200 to 599\nbegin: invalid, an answer of status 1, which is not one of 200 to "
      "599\nwrite: conflict, a piece of a stream that has not begun\nflush: "
      "ok\nevent: invalid, an event's name or id has a control byte\nid: invalid, an "
      "event's name or id has a control byte\nstatus 0, 0 sent\n" },
    { "GET /seen?q" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 38|Connection: close||GET|/seen|q|h|"
      "127.0.0.1|0|0|1000|0|||h" },
    { "GET /" END, "HTTP/1.1 200 OK|Date: D|Content-Length: 33|Connection: close||GET|/||h|"
                   "127.0.0.1|0|0|1000|0|||h" },
    { "OPTIONS *" END, "HTTP/1.1 200 OK|Date: D|Content-Length: 37|Connection: close||OPTIONS|*||h|"
                       "127.0.0.1|0|0|1000|0|||h" },
    { "GET http://o:1" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 35|Connection: close||GET|/||o:1|"
      "127.0.0.1|0|0|1000|0|||h" },
    { "GET http://o/a/../%62" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 34|Connection: close||GET|/b||o|"
      "127.0.0.1|0|0|1000|0|||h" },
    { "GET /a%2Fb%ff" END,
      "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
      "Content-Length: 81|Connection: close||"
      "{\"error\":{\"code\":\"invalid\",\"message\":\"the path is not UTF-8 once it "
      "is decoded\"}}" },
    { "GET /%c3%a4" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 35|Connection: close||GET|/\xc3\xa4||"
      "h|127.0.0.1|0|0|1000|0|||h" },
    { "GET /s HTTP/1.1\r\nHost: h\r\nX: 1\r\nY: \r\nx: 2\r\nX:3\r\nConnection: close\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 41|Connection: close||GET|/s||h|"
      "127.0.0.1|0|0|1000|0|1, 2, 3||h" },
    { "POST /s" BODY "Content-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 35|Connection: close||POST|/s||h|"
      "127.0.0.1|0|3|1000|0|||h" },
    { "POST /s" BODY "Content-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 35|Connection: close||POST|/s||h|"
      "127.0.0.1|0|0|1000|0|||h" },
    { "POST /s" BODY "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 36|Connection: close||POST|/s||h|"
      "127.0.0.1|0|-1|1000|0|||h" },
    { "GET /body" END, "HTTP/1.1 200 OK|Date: D|Content-Length: 9|Connection: close||end: ok\n0" },
    { "POST /body" BODY "Content-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 9|Connection: close||end: ok\n0" },
    { "POST /body" BODY "Content-Length: 1\r\n\r\na",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 12|Connection: close||[a]end: ok\n1" },
    { "POST /body" BODY "Content-Length: 7\r\n\r\n1234567",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 18|Connection: close||"
      "[1234567]end: ok\n7" },
    { "POST /body" BODY "Content-Length: 8\r\n\r\n12345678",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 19|Connection: close||"
      "[12345678]end: ok\n8" },
    { "POST /body" BODY "Content-Length: 9\r\n\r\n123456789",
      "HTTP/1.1 413 Content Too Large|Date: D|Content-Type: application/json|"
      "Content-Length: 106|Connection: close||"
      "{\"error\":{\"code\":\"too_large\",\"message\":\"the request body cannot be "
      "read: it is larger than allowed here\"}}" },
    { "POST /body" BODY "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 9|Connection: close||end: ok\n0" },
    { "POST /body" BODY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 21|Connection: close||"
      "[abc][defgh]end: ok\n8" },
    { "POST /body" BODY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n6\r\ndefghi\r\n0\r\n\r\n",
      "HTTP/1.1 413 Content Too Large|Date: D|Content-Type: application/json|"
      "Content-Length: 106|Connection: close||"
      "{\"error\":{\"code\":\"too_large\",\"message\":\"the request body cannot be "
      "read: it is larger than allowed here\"}}" },
    { "POST /body" BODY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx",
      "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
      "Content-Length: 132|Connection: close||"
      "{\"error\":{\"code\":\"invalid\",\"message\":\"the request body cannot be "
      "read: a chunk does not begin with its size in hexadecimal digits\"}}" },
    { "POST /body" BODY "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 12|Connection: close||[a]end: ok\n1" },
    { "POST /body" BODY "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 13|Connection: close||[ab]end: ok\n2" },
    { "GET /all" END,
      "HTTP/1.1 200 OK|Date: D|Content-Length: 12|Connection: close||all: ok\n() 0" },
    { "POST /all" BODY "Content-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 12|Connection: close||all: ok\n() 0" },
    { "POST /all" BODY "Content-Length: 1\r\n\r\na",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 13|Connection: close||all: ok\n(a) 1" },
    { "POST /all" BODY "Content-Length: 7\r\n\r\n1234567",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 19|Connection: close||"
      "all: ok\n(1234567) 7" },
    { "POST /all" BODY "Content-Length: 8\r\n\r\n12345678",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 20|Connection: close||"
      "all: ok\n(12345678) 8" },
    { "POST /all" BODY "Content-Length: 9\r\n\r\n123456789",
      "HTTP/1.1 413 Content Too Large|Date: D|Content-Type: application/json|"
      "Content-Length: 106|Connection: close||"
      "{\"error\":{\"code\":\"too_large\",\"message\":\"the request body cannot be "
      "read: it is larger than allowed here\"}}" },
    { "POST /all" BODY "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 12|Connection: close||all: ok\n() 0" },
    { "POST /all" BODY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 20|Connection: close||"
      "all: ok\n(abcdefgh) 8" },
    { "POST /all" BODY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n6\r\ndefghi\r\n0\r\n\r\n",
      "HTTP/1.1 413 Content Too Large|Date: D|Content-Type: application/json|"
      "Content-Length: 106|Connection: close||"
      "{\"error\":{\"code\":\"too_large\",\"message\":\"the request body cannot be "
      "read: it is larger than allowed here\"}}" },
    { "POST /all" BODY "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx",
      "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
      "Content-Length: 132|Connection: close||"
      "{\"error\":{\"code\":\"invalid\",\"message\":\"the request body cannot be "
      "read: a chunk does not begin with its size in hexadecimal digits\"}}" },
    { "POST /all" BODY "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 13|Connection: close||all: ok\n(a) 1" },
    { "POST /all" BODY "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
      "HTTP/1.1 200 OK|Date: D|Content-Length: 14|Connection: close||all: ok\n(ab) 2" },
    { "POST /send"
      " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /send" END,
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4||"
      "bodyHTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|"
      "Connection: close||body" },
    { "POST /send"
      " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /send" END,
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4||"
      "bodyHTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|"
      "Connection: close||body" },
    { "POST /send"
      " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx",
      "HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|Connection: close|"
      "|body" },
    { "POST /begun"
      " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /send" END,
      "HTTP/1.1 201 Created|Date: D|Content-Type: a/b|Transfer-Encoding: chunked|"
      "Connection: close||3|abc|10e|"
      "begin: ok\nstatus 201\nheader: conflict, the header \"x\" comes after the "
      "answer has begun\nbegin: conflict, a second answer to one request\nsend: "
      "conflict, a second answer to one request\nerror: conflict, a second answer to "
      "one request\nflush: ok\nempty: ok\nwrite: ok\n3 sent, 0\n|0||" },
    { "POST /error?400"
      " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /send" END,
      "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
      "Content-Length: 48||{\"error\":{\"code\":\"code\",\"message\":\"say "
      "\\\"so\\\"\"}}HTTP/1.1 200 OK|Date: D|Content-Type: a/b|Content-Length: 4|"
      "Connection: close||body" },
    { "GET / HTTP/1.1\r\n\r\n",
      "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
      "Content-Length: 64|Connection: close||"
      "{\"error\":{\"code\":\"invalid\",\"message\":\"there is no Host header\"}}" },
    { "GET /a b HTTP/1.1\r\n\r\n",
      "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
      "Content-Length: 109|Connection: close||"
      "{\"error\":{\"code\":\"invalid\",\"message\":\"the request line does not end "
      "with HTTP/ and a version of two digits\"}}" },
    { "\x16\x03", "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
                  "Content-Length: 93|Connection: close||"
                  "{\"error\":{\"code\":\"invalid\",\"message\":\"this is a TLS client, but the "
                  "port speaks plain HTTP\"}}" },
    { "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
      "HTTP/1.1 505 HTTP Version Not Supported|Date: D|"
      "Content-Type: application/json|Content-Length: 77|Connection: close||"
      "{\"error\":{\"code\":\"unsupported\",\"message\":\"this server speaks "
      "HTTP/1.1 only\"}}" },
    { "FOO / HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 501 Not Implemented|Date: D|Content-Type: application/json|"
      "Content-Length: 81|Connection: close||"
      "{\"error\":{\"code\":\"unsupported\",\"message\":\"this server does not know "
      "the method\"}}" },
    { "POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n",
      "HTTP/1.1 417 Expectation Failed|Date: D|Content-Type: application/json|"
      "Content-Length: 98|Connection: close||"
      "{\"error\":{\"code\":\"invalid\",\"message\":\"the only expectation this "
      "server can meet is 100-continue\"}}" },
    { "HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request|Date: D|Content-Type: application/json|"
                                 "Content-Length: 64|Connection: close||" },
};

static void assert_answer(struct rig *rig, const char *request, const char *expected)
{
    char *answer = client_ask(rig->port, request), *text = shown(answer);

    if (strcmp(text, expected) != 0)
        fail_msg("\"%s\" is answered\n%s\nnot\n%s", request, text, expected);
    free(text);
    free(answer);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is counted and is not 0, in the order of its names, of which "backplane_http_" is left out.
 */
static char *counted(void)
{
    static const char prefix[] = "backplane_http_";
    struct bp_buf     all;
    char             *text = calloc(1, 1 << 16), *lines[64], *rest = NULL, *line;
    size_t            count = 0;

    buf_init(&all, NULL, 1 << 20);
    metrics_render(&all);
    buf_str(&all);
    for (line = strtok_r(all.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, prefix, strlen(prefix)) == 0 && strcmp(strrchr(line, ' '), " 0") != 0)
            lines[count++] = line + strlen(prefix);
    qsort(lines, count, sizeof(lines[0]), by_text);
    for (size_t i = 0; i < count; i++) {
        strcat(text, lines[i]);
        strcat(text, "\n");
    }
    buf_free(&all);
    return text;
}

static void assert_counted(struct rig *rig, const char *expected)
{
    char *text;

    assert_true(RIG_SOON(http_edge_connections(rig->edge) == 0));
    text = counted();
    assert_string_equal(text, expected);
    free(text);
}

static void every_answer_is_as_it_is_written_here(void **state)
{
    struct rig rig;

    (void)state;
    began = time(NULL);
    rig_defaults(&rig);
    rig.options.max_body_bytes = 1000;
    rig_start(&rig, serve_told);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        assert_answer(&rig, answers[i][0], answers[i][1]);
    assert_counted(&rig, "connections_total 85\n"
                         "parsed_requests_total 82\n"
                         "received_bytes_total 5249\n"
                         "refused_requests_total{status=\"400\"} 7\n"
                         "refused_requests_total{status=\"413\"} 4\n"
                         "refused_requests_total{status=\"417\"} 1\n"
                         "refused_requests_total{status=\"501\"} 1\n"
                         "refused_requests_total{status=\"505\"} 1\n"
                         "sent_bytes_total 15723\n");
    rig_stop(&rig);
}

/* Such a head does not lie on the stack. */
static void headers_may_fill_their_room_to_the_last_byte(void **state)
{
    static const char *const requests[] = { "GET /full" END, "GET /full?stream" END };
    struct rig               rig;

    (void)state;
    rig_defaults(&rig);
    rig_start(&rig, serve_told);
    for (int i = 0; i < 2; i++) {
        char *answer = client_ask(rig.port, requests[i]);

        assert_int_equal(strspn(strstr(answer, "\r\nx: ") + 5, "v"), 16384 - 5);
        assert_non_null(strstr(answer, "\r\nContent-Type: a/b\r\n"));
        assert_string_equal(strrchr(answer, 'v'), "v\r\n\r\n");
        free(answer);
    }
    rig_stop(&rig);
}

/* ---- who is told of a refusal ---- */

static char refusals[4096];

static void note_refusal(const struct http_refusal *refusal, void *arg)
{
    assert_string_equal(arg, "arg");
    assert_null(refusal->log);
    snprintf(refusals + strlen(refusals), sizeof(refusals) - strlen(refusals),
             "%d %s: " BP_FMT " " BP_FMT " of " BP_FMT "\n", refusal->status, refusal->why,
             BP_ARG(refusal->method), BP_ARG(refusal->path), BP_ARG(refusal->peer));
}

static void listen_for_refusals(void *server)
{
    http_server_on_refusal(server, note_refusal, (void *)(uintptr_t) "arg");
}

static void a_refusal_is_told_with_what_was_understood_of_its_request(void **state)
{
    static const char *const requests[] = { "GET / HTTP/1.1\r\n\r\n",
                                            "POST /a?b HTTP/1.1\r\nX\r\n\r\n",
                                            "GET /a%ff" END,
                                            "\r\nHEAD http://h/c HTTP/1.1\r\nHost: /\r\n\r\n",
                                            "GET /a b HTTP/1.1\r\n\r\n",
                                            "oh",
                                            "GET /send" KEPT "PUT /d HTTP/1.1\r\n: x\r\n\r\n",
                                            "GET /send?404" END };
    struct rig               rig;

    (void)state;
    rig_defaults(&rig);
    rig_start(&rig, serve_told);
    worker_post(&rig.worker, listen_for_refusals, rig.server);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        free(client_ask(rig.port, requests[i]));
    rig_stop(&rig);
    assert_string_equal(refusals,
                        "400 there is no Host header: GET / of 127.0.0.1\n"
                        "400 a header line has no colon: POST /a of 127.0.0.1\n"
                        "400 the path is not UTF-8 once it is decoded: GET /a%ff of 127.0.0.1\n"
                        "400 the host has no name: HEAD /c of 127.0.0.1\n"
                        "400 the request line does not end with HTTP/ and a version of two digits: "
                        "  of 127.0.0.1\n"
                        "400 a request begins with a method in capital letters:   of 127.0.0.1\n"
                        "400 a header name is empty: PUT /d of 127.0.0.1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_as_it_is_written_here),
        cmocka_unit_test(headers_may_fill_their_room_to_the_last_byte),
        cmocka_unit_test(a_refusal_is_told_with_what_was_understood_of_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

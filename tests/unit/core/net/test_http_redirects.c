/* test_http_redirects.c - where the HTTP client goes when it is sent on, and what it takes along.
 */
#include "http_script.h"

static const struct fetching redirects[] = {
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 300 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 300 type= retry=0 [location|"
              "/next?x] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 301 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /next?x HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /next?x HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 303 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /next?x HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 304 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 304 type= retry=0 [location|"
              "/next?x] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 305 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 305 type= retry=0 [location|"
              "/next?x] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 307 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /next?x HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 308 R\r\nLocation: /next?x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /next?x HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "POST",
      .path = "/",
      .headers = { "Content-Type|a/b", "X|y" },
      .body = "b",
      .redirects = 1,
      .answers = { "HTTP/1.1 301 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|X: y|TRACE|ID|"
              "Content-Length: 1||b#GET /n HTTP/1.1|Host: 127.0.0.1:P|USUAL|X: y|TRACE|ID||#=> 200 "
              "type= retry=0 [content-length|2] <ok>" },
    { .method = "POST",
      .path = "/",
      .headers = { "Content-Type|a/b", "X|y" },
      .body = "b",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|X: y|TRACE|ID|"
              "Content-Length: 1||b#GET /n HTTP/1.1|Host: 127.0.0.1:P|USUAL|X: y|TRACE|ID||#=> 200 "
              "type= retry=0 [content-length|2] <ok>" },
    { .method = "POST",
      .path = "/",
      .headers = { "Content-Type|a/b", "X|y" },
      .body = "b",
      .redirects = 1,
      .answers = { "HTTP/1.1 303 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|X: y|TRACE|ID|"
              "Content-Length: 1||b#GET /n HTTP/1.1|Host: 127.0.0.1:P|USUAL|X: y|TRACE|ID||#=> 200 "
              "type= retry=0 [content-length|2] <ok>" },
    { .method = "POST",
      .path = "/",
      .headers = { "Content-Type|a/b", "X|y" },
      .body = "b",
      .redirects = 1,
      .answers = { "HTTP/1.1 307 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|X: y|TRACE|ID|"
              "Content-Length: 1||b#POST /n HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|X: "
              "y|TRACE|ID|Content-Length: 1||b#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "POST",
      .path = "/",
      .headers = { "Content-Type|a/b", "X|y" },
      .body = "b",
      .redirects = 1,
      .answers = { "HTTP/1.1 308 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|X: y|TRACE|ID|"
              "Content-Length: 1||b#POST /n HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|X: "
              "y|TRACE|ID|Content-Length: 1||b#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "PUT",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 301 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "PUT / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 0||#PUT /n HTTP/1.1|"
              "Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 0||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "DELETE",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 303 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "DELETE / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /n HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "HEAD",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 303 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "HEAD / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#HEAD /n HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 302 R\r\nLocation: /n\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 302 type= retry=0 [location|"
              "/n] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .redirects = 2,
      .answers = { "HTTP/1.1 302 R\r\nLocation: /n\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /m\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /n HTTP/1.1|Host: 127.0.0.1:P|"
              "USUAL|TRACE|ID||#GET /m HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: /n\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /m\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /n HTTP/1.1|Host: 127.0.0.1:P|"
              "USUAL|TRACE|ID||#=> 302 type= retry=0 [location|/m] [content-length|0] <>" },
    { .method = "",
      .path = "/a/b/c?d",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: e\r\n" NONE, OK },
      .said = "GET /a/b/c?d HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /a/b/e HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/a/b/c?d",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: ../e\r\n" NONE, OK },
      .said = "GET /a/b/c?d HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /a/e HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/a/b?c",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: ?e\r\n" NONE, OK },
      .said = "GET /a/b?c HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /a/b?e HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 302 type= retry=0 "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: \r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 302 type= retry=0 [location|] "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: ftp://h/x\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> invalid: a request cannot be "
              "sent to ftp://h:21/x: only http:// and https:// are spoken" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: http://h:0/x?y\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> invalid: a request cannot be "
              "sent to http://h:0/x: write the host in ASCII (xn--...) and a port of 1 to 65535" },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: http://\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> invalid: a request cannot be "
              "sent: its URL is not one that can be read (); write http://host:port/path" },
    { .method = "",
      .path = "/",
      .redirects = 99,
      .answers = { "HTTP/1.1 302 R\r\nLocation: /1\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /2\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /3\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /4\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /5\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /6\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /7\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /8\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /9\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /10\r\n" NONE,
                   "HTTP/1.1 302 R\r\nLocation: /11\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /1 HTTP/1.1|Host: 127.0.0.1:P|"
              "USUAL|TRACE|ID||#GET /2 HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /3 HTTP/1.1|"
              "Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /4 HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|"
              "|#GET /5 HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /6 HTTP/1.1|Host: "
              "127.0.0.1:P|USUAL|TRACE|ID||#GET /7 HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET "
              "/8 HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#GET /9 HTTP/1.1|Host: 127.0.0.1:P|"
              "USUAL|TRACE|ID||#GET /10 HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 302 type= "
              "retry=0 [location|/11] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .headers = { "Authorization|s", "X|y", "Api-Key|s" },
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: http://localhost:$/n\r\nConnection: close\r\n" NONE,
                   OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Authorization: s|X: y|Api-Key: s|TRACE|ID||"
              "#GET /n HTTP/1.1|Host: localhost:P|USUAL|X: y|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "COOKIE|s", "X|y", "Api-Key|s" },
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: http://localhost:$/n\r\nConnection: close\r\n" NONE,
                   OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|COOKIE: s|X: y|Api-Key: s|TRACE|ID||#GET /n "
              "HTTP/1.1|Host: localhost:P|USUAL|X: y|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "proxy-authorization|s", "X|y", "Api-Key|s" },
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: http://localhost:$/n\r\nConnection: close\r\n" NONE,
                   OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|proxy-authorization: s|X: y|Api-Key: s|TRACE|"
              "ID||#GET /n HTTP/1.1|Host: localhost:P|USUAL|X: y|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "x-api-key|s", "X|y" },
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: http://localhost:$/n\r\nConnection: close\r\n" NONE,
                   OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|x-api-key: s|X: y|TRACE|ID||#GET /n HTTP/1.1|"
              "Host: localhost:P|USUAL|X: y|TRACE|ID||#=> 200 type= retry=0 [content-length|2] "
              "<ok>" },
    { .method = "",
      .path = "/",
      .headers = { "Authorization|s", "X|y" },
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: http://127.0.0.1:$/n\r\n" NONE, OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Authorization: s|X: y|TRACE|ID||#GET /n "
              "HTTP/1.1|Host: 127.0.0.1:P|USUAL|Authorization: s|X: y|TRACE|ID||#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "Authorization|s" },
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: //localhost:$/n\r\nConnection: close\r\n" NONE,
                   OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Authorization: s|TRACE|ID||#GET /n HTTP/1.1|"
              "Host: localhost:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
};

static void a_redirect_is_followed_as_its_status_says(void **state)
{
    (void)state;
    play_all(redirects, sizeof(redirects) / sizeof(redirects[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_redirect_is_followed_as_its_status_says, set_up_worker,
                                        tear_down_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

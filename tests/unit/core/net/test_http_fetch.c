/* test_http_fetch.c - requests of the HTTP client as their server hears them, and answers as the
 * caller gets them, word for word. */
#include "http_script.h"

static const struct fetching requests[] = {
    { .method = "",
      .path = "/",
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/a%2Fb/../c?d=e&f",
      .answers = { OK },
      .said = "GET /c?d=e&f HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "GET",
      .path = "/",
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "HEAD",
      .path = "/",
      .answers = { OK },
      .said = "HEAD / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <>" },
    { .method = "POST",
      .path = "/",
      .answers = { OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 0||#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "PUT",
      .path = "/",
      .answers = { OK },
      .said = "PUT / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 0||#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "PATCH",
      .path = "/",
      .answers = { OK },
      .said = "PATCH / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 0||#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "DELETE",
      .path = "/",
      .answers = { OK },
      .said = "DELETE / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "OPTIONS",
      .path = "/",
      .answers = { OK },
      .said = "OPTIONS / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "get",
      .path = "/",
      .answers = { OK },
      .said = "get / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .body = "b",
      .answers = { OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 1||b#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "GET",
      .path = "/",
      .body = "b",
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 1||b#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "HEAD",
      .path = "/",
      .body = "b",
      .answers = { OK },
      .said = "HEAD / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <>" },
    { .method = "DELETE",
      .path = "/",
      .body = "bc",
      .answers = { OK },
      .said = "DELETE / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 2||bc#=> 200 "
              "type= retry=0 [content-length|2] <ok>" },
    { .method = "POST",
      .path = "/",
      .body = "{}",
      .answers = { OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID|Content-Length: 2||{}#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
    { .method = "X-Y",
      .path = "/",
      .answers = { OK },
      .said = "X-Y / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "CONNECT",
      .path = "/",
      .answers = { OK },
      .said = "=> invalid: \"CONNECT\" is not a method for http://127.0.0.1:P/" },
    { .method = "CONNECTS",
      .path = "/",
      .answers = { OK },
      .said = "CONNECTS / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "A B",
      .path = "/",
      .answers = { OK },
      .said = "=> invalid: \"A B\" is not a method for http://127.0.0.1:P/" },
    { .method = "A\r\nB",
      .path = "/",
      .answers = { OK },
      .said = "=> invalid: \"A|B\" is not a method for http://127.0.0.1:P/" },
    { .method = "A:",
      .path = "/",
      .answers = { OK },
      .said = "=> invalid: \"A:\" is not a method for http://127.0.0.1:P/" },
    { .method = "",
      .path = "/",
      .headers = { "X-A|1", "x-b|  two ", "X-C|" },
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|X-A: 1|x-b:   two |X-C:|TRACE|ID||#=> 200 "
              "type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "Content-Type|a/b" },
      .body = "x",
      .answers = { OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Content-Type: a/b|TRACE|ID|Content-Length: "
              "1||x#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "content-type|a/b", "X|y" },
      .body = "x",
      .answers = { OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|content-type: a/b|X: y|TRACE|ID|"
              "Content-Length: 1||x#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "Expect|x" },
      .body = "x",
      .answers = { OK },
      .said = "POST / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Expect: x|TRACE|ID|Content-Length: 1||x#=> "
              "200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "Traceparent|t" },
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Traceparent: t|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "X-REQUEST-ID|i" },
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|X-REQUEST-ID: i|TRACE||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "User-Agent|u", "Accept|a", "Host|h" },
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: h|Accept-Encoding: gzip, deflate|User-Agent: u|Accept: a|TRACE|"
              "ID||#=> 200 type= retry=0 [content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "|v" },
      .answers = { OK },
      .said = "=> invalid: the header \"\" for http://127.0.0.1:P/ has bytes that no header may "
              "have" },
    { .method = "",
      .path = "/",
      .headers = { "A B|v" },
      .answers = { OK },
      .said = "=> invalid: the header \"A B\" for http://127.0.0.1:P/ has bytes that no header may "
              "have" },
    { .method = "",
      .path = "/",
      .headers = { "A|b\nc" },
      .answers = { OK },
      .said = "=> invalid: the header \"A\" for http://127.0.0.1:P/ has bytes that no header may "
              "have" },
    { .method = "",
      .path = "/",
      .headers = { "A|b\tc" },
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|A: b\tc|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .headers = { "A|\x7f" },
      .answers = { OK },
      .said = "=> invalid: the header \"A\" for http://127.0.0.1:P/ has bytes that no header may "
              "have" },
    { .method = "",
      .path = "/",
      .headers = { "X|1", "Content-Length|3" },
      .answers = { OK },
      .said = "=> invalid: the header \"Content-Length\" for http://127.0.0.1:P/ is for the HTTP "
              "client to set" },
    { .method = "",
      .path = "/",
      .headers = { "transfer-encoding|chunked" },
      .answers = { OK },
      .said = "=> invalid: the header \"transfer-encoding\" for http://127.0.0.1:P/ is for the "
              "HTTP client to set" },
    { .method = "",
      .path = "/",
      .headers = { "CONNECTION|close" },
      .answers = { OK },
      .said = "=> invalid: the header \"CONNECTION\" for http://127.0.0.1:P/ is for the HTTP "
              "client to set" },
    { .method = "",
      .path = "/",
      .headers = { "Accept-Encoding|br" },
      .answers = { OK },
      .said = "=> invalid: the header \"Accept-Encoding\" for http://127.0.0.1:P/ is for the HTTP "
              "client to set" },
    { .method = "",
      .path = "/",
      .headers = { "Connections|x" },
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|Connections: x|TRACE|ID||#=> 200 type= "
              "retry=0 [content-length|2] <ok>" },
};

static const struct fetching urls[] = {
    { .method = "",
      .path = "",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent: its URL is not one that can be read (); write "
              "http://host:port/path" },
    { .method = "",
      .path = "http://",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent: its URL is not one that can be read (); write "
              "http://host:port/path" },
    { .method = "",
      .path = "http://h:0/",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent to http://h:0/: write the host in ASCII "
              "(xn--...) and a port of 1 to 65535" },
    { .method = "",
      .path = "http://h:65536/",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent: its URL is not one that can be read (); write "
              "http://host:port/path" },
    { .method = "",
      .path = "http://h:x/",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent: its URL is not one that can be read (); write "
              "http://host:port/path" },
    { .method = "",
      .path = "ftp://h/x?y",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent to ftp://h:21/x: only http:// and https:// are "
              "spoken" },
    { .method = "",
      .path = "file:///etc",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent to file://:0/etc: only http:// and https:// "
              "are spoken" },
    { .method = "",
      .path = "http://a b/",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent: its URL is not one that can be read (); write "
              "http://host:port/path" },
    { .method = "",
      .path = "http://\xc3\xa4/",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent to http://\xc3\xa4:80/: write the host in "
              "ASCII (xn--...) and a port of 1 to 65535" },
    { .method = "",
      .path = "https://u:p@h:0/a?b",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent to https://h:0/a: write the host in ASCII "
              "(xn--...) and a port of 1 to 65535" },
    { .method = "",
      .path = "gopher://[::1]:70/x",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent to gopher://[::1]:70/x: only http:// and "
              "https:// are spoken" },
    { .method = "",
      .path = "HTTP://127.0.0.1:0/",
      .answers = { OK },
      .said = "=> invalid: a request cannot be sent to http://127.0.0.1:0/: write the host in "
              "ASCII (xn--...) and a port of 1 to 65535" },
    { .method = "",
      .path = "http://no-such-host.invalid/a?b",
      .answers = { OK },
      .said = "=> unavailable: cannot find the host \"no-such-host.invalid\": name or service not "
              "known" },
};

static const struct fetching answers[] = {
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 299 X\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 299 type= retry=0 "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 404 N\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 404 type= retry=0 "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 599\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 599 type= retry=0 "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 204 N\r\n\r\n" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 204 type= retry=0 <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 304 N\r\nX: y\r\n\r\n" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 304 type= retry=0 [x|y] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 O\r\nContent-Type:  a/b; c=d \t\r\nCONTENT-LENGTH: 0\r\n\r\n" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type=a/b; c=d retry=0 "
              "[content-type|a/b; c=d] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 O\r\nA:\r\nB: \r\n: c\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [a|] [b|] [|"
              "c] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 O\r\nA: 1\r\nA: 2\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [a|1] [a|2] "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 O\r\nContent-Type: x\r\nContent-Type: y\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type=y retry=0 "
              "[content-type|x] [content-type|y] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 0\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=1000 "
              "[retry-after|0] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 1\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=1000 "
              "[retry-after|1] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 2\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=2000 "
              "[retry-after|2] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 7\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=7000 "
              "[retry-after|7] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 299\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=299000 "
              "[retry-after|299] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 300\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=300000 "
              "[retry-after|300] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 301\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=300000 "
              "[retry-after|301] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 86400\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=300000 "
              "[retry-after|86400] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 18446744073709551615\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=300000 "
              "[retry-after|18446744073709551615] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 18446744073709551616\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=0 [retry-after|"
              "18446744073709551616] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: \r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=0 [retry-after|"
              "] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: x\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=0 [retry-after|"
              "x] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: -1\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=0 [retry-after|"
              "-1] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: 1.5\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=0 [retry-after|"
              "1.5] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=1000 "
              "[retry-after|Sun, 06 Nov 1994 08:49:37 GMT] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 2199 23:59:59 GMT\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=300000 "
              "[retry-after|Fri, 31 Dec 2199 23:59:59 GMT] [content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 2199 23:59:59 "
                   "GMTxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n" NONE },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 503 type= retry=0 [retry-after|"
              "Fri, 31 Dec 2199 23:59:59 GMTxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx] "
              "[content-length|0] <>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 103 Early\r\nY: "
                   "2\r\n\r\nHTTP/1.1 200 OK\r\nZ: 3\r\nContent-Length: 2\r\n\r\nok" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [z|3] "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [a|b] "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\nT: u\r\n\r\n" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[transfer-encoding|chunked] <ok!>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 [connection|"
              "close] <to the end>" },
    { .method = "HEAD",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" },
      .said = "HEAD / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|5] <>" },
    { .method = "",
      .path = "/",
      .max_bytes = 2,
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .max_bytes = 1,
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> too_large: the answer of "
              "http://127.0.0.1:P/ is refused: its answer is larger than the request allows" },
    { .method = "",
      .path = "/",
      .max_bytes = 3,
      .answers = { OK },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-length|2] <ok>" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nok" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> upstream: the answer of "
              "http://127.0.0.1:P/ broke off: the connection was closed before its end" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\nConnection: close" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> upstream: the answer of "
              "http://127.0.0.1:P/ broke off: the connection was closed before its end" },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\nok" },
      .said = "GET / HTTP/1.1|Host: 127.0.0.1:P|USUAL|TRACE|ID||#=> 200 type= retry=0 "
              "[content-encoding|identity] [content-length|2] <ok>" },
};

static void a_request_is_heard_as_it_was_given(void **state)
{
    (void)state;
    play_all(requests, sizeof(requests) / sizeof(requests[0]));
}

static void a_url_that_cannot_be_asked_is_refused_with_its_reason(void **state)
{
    (void)state;
    play_all(urls, sizeof(urls) / sizeof(urls[0]));
}

static void an_answer_comes_as_it_was_sent(void **state)
{
    (void)state;
    play_all(answers, sizeof(answers) / sizeof(answers[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_heard_as_it_was_given, set_up_worker,
                                        tear_down_worker),
        cmocka_unit_test_setup_teardown(a_url_that_cannot_be_asked_is_refused_with_its_reason,
                                        set_up_worker, tear_down_worker),
        cmocka_unit_test_setup_teardown(an_answer_comes_as_it_was_sent, set_up_worker,
                                        tear_down_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

"""F8_smuggling.py - requests whose end two servers could see in different places: refused, and nothing after them is read.

Each vector carries a second request for /marker behind it. A desync is a marker that the server parsed although the first
request was refused, or two answers where the first request has no agreed end. The same vectors then pass through nginx.
"""
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time

from backplane_test import Server, check, check_equal, run_fault, wait_until

MARKER = b"GET /marker HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = [b"Content-Length: 4", b"Content-Length: 4\r\nContent-Length: 4", b"Content-Length: 4\r\nContent-Length: 5",
          b"Content-Length: 4, 4", b"Content-Length: +4", b"Content-Length: -4", b"Content-Length: 0x4",
          b"Content-Length: 18446744073709551620", b"Content-Length:", b"Content-Length : 4", b"Content-Length: 4 4",
          b"Content-Length: 4e0", b"Content-Length: 4\x0b", b"Content-Length: \"4\"", b"Content-Length\x00: 4",
          b" Content-Length: 4", b"Content_Length: 4\r\nContent-Length: 5, 4"]
CODING = [b"Transfer-Encoding: chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked",
          b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: identity, chunked, identity",
          b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\x0b", b"Transfer-Encoding: chunked, identity",
          b"Transfer-Encoding\t: chunked", b"Transfer-Encoding: \x00chunked", b"Transfer-Encoding: gzip, chunked, gzip",
          b"transfer-encoding: CHUNKED ;x", b"X: y\rTransfer-Encoding: chunked", b"X: y\nTransfer-Encoding: chunked",
          b"Transfer-Encoding: 'chunked'", b" Transfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\n ,identity"]
GOOD_ALONE = {LENGTH[0], CODING[0]}


def post(headers, body=b"0\r\n\r\n", version=b"1.1"):
    return b"POST /api/v1/search HTTP/" + version + b"\r\nHost: localhost\r\n" + headers + b"\r\n\r\n" + body


def vectors():
    """(name, request): each must be refused."""
    get = b"GET /health/live HTTP/1.1\r\n"
    host = b"Host: localhost\r\n"
    chunked = b"Transfer-Encoding: chunked"
    yield "TE in HTTP/1.0", post(chunked, version=b"1.0")
    for name, body in (("chunk size overflow", b"10000000000000004\r\nabcd\r\n0\r\n\r\n"), ("0x", b"0x4\r\nabcd\r\n0\r\n\r\n"),
                       ("no CRLF after chunk", b"4\r\nabcdX0\r\n\r\n"), ("negative", b"-4\r\nabcd\r\n0\r\n\r\n"),
                       ("bare LF", b"4\nabcd\n0\n\n"), ("space before size", b" 4\r\nabcd\r\n0\r\n\r\n"),
                       ("extension with LF", b"4;a\nb\r\nabcd\r\n0\r\n\r\n"), ("empty size", b"\r\nabcd\r\n0\r\n\r\n"),
                       ("long extension", b"4;" + b"e" * 20000 + b"\r\nabcd\r\n0\r\n\r\n")):
        yield "chunk: " + name, post(chunked, body)
    for name, lines in (("space before colon", host + b"A : b"), ("obs-fold", host + b"A: b\r\n c"), ("bare CR", host + b"A: b\rc"),
                        ("leading blank", b" A: b\r\n" + host), ("NUL", host + b"A: b\x00c"), ("empty name", host + b": b"),
                        ("no colon", host + b"Ab"), ("no Host", b"A: b"), ("two Hosts", host + host + b"A: b"),
                        ("bad Host", b"Host: a b\r\nA: b"), ("10 KiB line", host + b"A: " + b"b" * 10240),
                        ("40 KiB block", host + b"\r\n".join(b"A%d: " % i + b"b" * 4000 for i in range(10))),
                        ("2,000 headers", host + b"\r\n".join([b"A: b"] * 2000)), ("name in UTF-8", host + "ä: b".encode()),
                        ("bare LF ends", b"Host: localhost\nA: b")):
        yield "header: " + name, get + lines + b"\r\n\r\n"
    for name, line in (("%00", b"GET /%00 HTTP/1.1"), ("above the root", b"GET /../x HTTP/1.1"), ("lower case", b"get / HTTP/1.1"),
                       ("CONNECT", b"CONNECT a:1 HTTP/1.1"), ("10 KiB", b"GET /" + b"a" * 10240 + b" HTTP/1.1"),
                       ("method of 65 KB", b"A" * 65000 + b" / HTTP/1.1"), ("HTTP/2.0", b"GET / HTTP/2.0"),
                       ("HTTP/1.10", b"GET / HTTP/1.10"), ("#", b"GET /#a HTTP/1.1"), ("0xFF", b"GET /\xff HTTP/1.1"),
                       ("two spaces", b"GET  / HTTP/1.1"), ("tab", b"GET\t/\tHTTP/1.1"), ("HTTP/0.9", b"GET /"),
                       ("no version", b"GET / HTTP/"), ("trailing space", b"GET / HTTP/1.1 ")):
        yield "line: " + name, line + b"\r\n" + host + b"\r\n"
    yield "Expect of something else", post(b"Content-Length: 2\r\nExpect: magic", b"{}")
    for length in LENGTH:
        if length not in GOOD_ALONE:
            yield f"{length[:40]!r}", post(length)
    for coding in CODING:
        if coding not in GOOD_ALONE:
            yield f"{coding[:50]!r}", post(coding)
    for length, coding in itertools.product(LENGTH, CODING):
        for first, second in ((length, coding), (coding, length)):
            yield f"{first[:30]!r} and {second[:40]!r}", post(first + b"\r\n" + second)


def statuses(answer):
    return [int(piece[:3]) for piece in answer.split(b"HTTP/1.1 ")[1:] if piece[:3].isdigit()]


def marker_lines(server):
    return sum(1 for line in server.log_lines() if line.get("path", "").startswith("/marker"))


def straight(server, numbers):
    count, accepted = 0, []
    for name, request in vectors():
        found = statuses(server.raw(request + MARKER, seconds=2))
        count += 1
        if not (len(found) == 1 and 400 <= found[0] <= 505):
            accepted.append((name, found))
    numbers.update(vectors=count, accepted=len(accepted), which=accepted[:10])
    check_equal(accepted, [], "vectors that were not refused with one answer")
    check_equal(marker_lines(server), 0, "requests parsed after one that was refused")
    check_equal(len(statuses(server.raw(post(LENGTH[0], b"{}  ") + MARKER))), 2, "answers to two good requests")
    wait_until(lambda: marker_lines(server) >= 1, 5, "the marker behind a good request")
    check_equal(marker_lines(server), 1, "the marker behind a good request")


NGINX = """daemon off; pid {0}/pid; error_log {0}/error.log; worker_processes 1; events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u;
scgi_temp_path {0}/s; upstream back {{ server 127.0.0.1:{1}; keepalive 4; }}
server {{ listen 127.0.0.1:{2}; location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_set_header Host localhost; proxy_request_buffering off; }} }} }}"""


def behind_nginx(server, numbers):
    """What nginx lets through, the server must read as nginx does: a marker must never be answered by surprise."""
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        numbers["nginx"] = "not installed"
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = server.folder + "/nginx.conf"
    with open(path, "w") as file:
        file.write(NGINX.format(server.folder, server.port, port))
    os.chmod(server.folder, 0o755)
    nginx = subprocess.Popen([program, "-c", path, "-p", server.folder], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        check(nginx.poll() is None, "nginx does not start")
        desyncs, seen = [], 0
        for name, request in vectors():
            with socket.create_connection(("127.0.0.1", port), timeout=0.3) as connection:
                connection.sendall(request)  # no marker: the next client's request must get its own answer
                try:
                    connection.recv(65536)
                except OSError:
                    pass
            seen += 1
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(b"GET /marker%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % seen)
                answer = connection.recv(65536)
            if b"404" not in answer[:20]:
                desyncs.append((name, answer[:60].decode("latin-1")))
        numbers.update(behind_nginx=seen, desyncs=len(desyncs), desyncs_which=desyncs[:5])
        check_equal(desyncs, [], "clients that got somebody else's answer")
        # The line about a request is written behind its answer, by a thread of its own.
        wait_until(lambda: marker_lines(server) >= seen + 1, 5, "a marker is not in the log")
        check_equal(marker_lines(server), seen + 1, "each marker was served once")
    finally:
        nginx.send_signal(signal.SIGTERM)
        nginx.wait()


def fault(numbers):
    with Server(log={"rate": 0}) as server:
        straight(server, numbers)
        behind_nginx(server, numbers)
        check_equal(server.get("/health").status, 200, "health afterwards")


run_fault("F8", fault)

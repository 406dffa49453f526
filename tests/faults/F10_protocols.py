"""F10_protocols.py - pipelining, 100-continue, upgrades, HTTP/0.9, TLS and HTTP/2 on the plain port: answered, never hung."""
import re
import socket
import time

from backplane_test import Server, check, check_equal, read_all, run_fault

HOST = b"Host: localhost\r\n"


def numbers_of(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)]


def pipelined(server, numbers):
    """100 requests at once are answered in their order."""
    sent = b"".join(b"GET /api/v1/order/%d HTTP/1.1\r\n" % i + HOST + b"X-Request-Id: order-%d\r\n\r\n" % i for i in range(99))
    sent += b"GET /health/live HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    started = time.monotonic()
    answer = server.raw(sent, seconds=5)
    check_equal(numbers_of(answer), [404] * 99 + [200], "statuses in order")
    order = [int(number) for number in re.findall(rb"(?i)x-request-id: order-(\d+)", answer)]
    check_equal(order, list(range(99)), "answers in order")
    numbers["pipelined_100_ms"] = round((time.monotonic() - started) * 1000, 1)


def pipelined_without_reading(server):
    """Who sends and never reads is made to wait, not buffered without end."""
    before = server.anonymous_bytes()
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
        sent = 0
        try:
            for _ in range(2000):
                sent += connection.send((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 100)
        except OSError:
            pass
        grown = server.anonymous_bytes() - before
        check(grown < 8 << 20, f"{grown} bytes for a client that does not read, who sent {sent}")
        return grown


def expecting(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as connection:
        connection.sendall(b"POST /api/v1/search HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        check(connection.recv(4096).startswith(b"HTTP/1.1 100 "), "100 Continue before the body")
        connection.sendall(b"{}")
        check_equal(numbers_of(connection.recv(4096)), [400], "the answer after it")
    answer = server.raw(b"POST /api/v1/search HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n")
    check_equal(numbers_of(answer), [413], "too large: no 100 first")
    answer = server.raw(b"POST /api/v1/search HTTP/1.1\r\n" + HOST + b"Expect: tea\r\nContent-Length: 2\r\n\r\n{}")
    check_equal(numbers_of(answer), [417], "another expectation")


def foreign(server, numbers):
    cases = [
        ("upgrade to h2c", b"GET /health/live HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
         b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", {200, 400, 426}),
        ("upgrade to WebSocket", b"GET /health/live HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n"
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", {200, 400, 426}),
        ("HTTP/0.9", b"GET /\r\n", {400, 505}), ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
        ("TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 600, {400}),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", {400, 405, 501, 505}), ("zeros", b"\x00" * 5000, {400}),
        ("HTTP/3.0", b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", {400, 505}), ("SMTP", b"EHLO x\r\nMAIL FROM:<a>\r\n", {400, 501, 505}),
    ]
    slowest = 0.0
    for name, sent, wanted in cases:
        started = time.monotonic()
        found = numbers_of(server.raw(sent, seconds=3))
        slowest = max(slowest, time.monotonic() - started)
        check(len(found) == 1 and found[0] in wanted, f"{name}: {found}, wanted one of {sorted(wanted)}")
    check(slowest < 2.5, f"a foreign protocol held its connection {slowest:.1f} s")
    numbers.update(foreign=len(cases), slowest_ms=round(slowest * 1000))


def in_pieces(server):
    request = b"POST /api/v1/search HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            connection.sendall(bytes([byte]))
        check_equal(numbers_of(read_all(connection)), [400], "a request in pieces of one byte")


def fault(numbers):
    with Server(server={"access_log": "off"}) as server:
        server.get("/openapi.json")
        pipelined(server, numbers)
        numbers["unread_pipeline_bytes"] = pipelined_without_reading(server)
        expecting(server)
        foreign(server, numbers)
        in_pieces(server)
        check_equal(server.get("/health").status, 200, "health afterwards")


run_fault("F10", fault)

"""F9_bombs.py - header and address bombs: each ends at its limit, and the memory of the process hardly grows."""
import socket
import time

from backplane_test import Server, check, check_equal, read_all, run_fault

CLIENTS = 100
HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
BOMBS = [
    ("101 headers", HEAD + b"".join(b"A%d: b\r\n" % i for i in range(100)) + b"\r\n", 431),
    ("33 KiB block", HEAD + b"".join(b"A%d: " % i + b"b" * 6700 + b"\r\n" for i in range(5)) + b"\r\n", 431),
    ("8,193 B line", HEAD + b"A: " + b"b" * 8190 + b"\r\n\r\n", 431),
    ("10,000 cookies", HEAD + b"Cookie: " + b"; ".join(b"c%d=v" % i for i in range(10000)) + b"\r\n\r\n", 431),
    ("address of 64 KiB", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    ("query of 9 KiB", b"GET /api/search?q=" + b"a" * 9216 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    ("Content-Length of 1 TiB", b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1099511627776\r\n\r\n", 413),
]


def drip(server):
    """16 MiB of headers, 64 KiB at a time, without an end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as connection:
        sent = 0
        connection.sendall(HEAD)
        try:
            for _ in range(256):
                connection.sendall((b"A: " + b"b" * 1000 + b"\r\n") * 65)
                sent += 65 * 1005
        except OSError:
            pass
        return sent, read_all(connection)


def fault(numbers):
    with Server() as server:
        for _ in range(20):
            server.get("/health")
        before = server.anonymous_bytes()
        for name, sent, wanted in BOMBS:
            answer = server.raw(sent, seconds=2)
            check(answer.startswith(b"HTTP/1.1 %d " % wanted), f"{name}: {answer[:60]!r}, wanted {wanted}")
            check_equal(answer.count(b"HTTP/1.1 "), 1, f"answers to {name}")
        sent, answer = drip(server)
        check(b" 431 " in answer or sent < 4 << 20, f"the drip was taken: {sent} bytes, {answer[:40]!r}")
        open_ones = []
        for _ in range(CLIENTS):  # each fills its header block almost, and stays
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=3)
            connection.sendall(HEAD + b"".join(b"A%d: " % i + b"b" * 7000 + b"\r\n" for i in range(4)))
            open_ones.append(connection)
        time.sleep(0.5)
        per_client = (server.anonymous_bytes() - before) / CLIENTS
        numbers.update(bombs=len(BOMBS) + 1, drip_bytes_taken=sent, bytes_per_bomber=int(per_client))
        check(per_client <= 65536, f"{per_client:.0f} bytes for each bomber")
        check_equal(server.get("/health").status, 200, "health meanwhile")
        for connection in open_ones:
            connection.close()


run_fault("F9", fault)

"""F22_descriptors.py - 256 descriptors and 1,000 connections: the surplus is answered with 503, the rest goes on."""
import contextlib
import os
import resource
import socket
import time

from backplane_test import Server, check, check_equal, run_fault, wait_until


def limit_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def fault(numbers):
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    server = Server(before_exec=limit_descriptors, server={"limits": {"connections_per_address": 0}})
    with server:
        server.make_collection()
        server.put({"id": "a", "text": "one two three"})
        kept = server.connect()
        check_equal(server.get("/health", connection=kept).status, 200, "the connection that stays")
        many, refused = [], set()
        before, started = server.cpu_seconds(), time.monotonic()
        for _ in range(1000):
            connection = socket.socket()
            connection.settimeout(0.5)
            try:
                connection.connect(("127.0.0.1", server.port))
                many.append(connection)
            except OSError:
                connection.close()
        end = time.monotonic() + 8
        while len(refused) < 700 and time.monotonic() < end:
            time.sleep(0.2)
            for connection in set(many) - refused:
                connection.settimeout(0.0)
                with contextlib.suppress(BlockingIOError):
                    check(connection.recv(4096).startswith(b"HTTP/1.1 503 "), "a connection was closed without an answer")
                    refused.add(connection)
        check_equal(server.get("/api/search?q=two", connection=kept).json["count"], 1, "hits on the connection that stays")
        check_equal(server.request("POST", "/api/v1/collections/docs/documents", {"id": "b", "text": "four"},
                                   connection=kept).status, 200, "a write on it")
        time.sleep(2)
        share = (server.cpu_seconds() - before) / (time.monotonic() - started)
        numbers.update(connections=len(many), refused_with_503=len(refused), refused_after_s=round(time.monotonic() - started, 1), cpu_share=round(share, 3),
                       open_files=len(os.listdir(f"/proc/{server.process.pid}/fd")))
        check(len(refused) >= 700, f"only {len(refused)} of {len(many)} got 503")
        check(share <= 0.2, f"CPU {share:.2f} of one core")
        wait_until(lambda: any(line.get("path") == "/api/search" for line in server.log_lines()), 3, "the log does not go on")
        for connection in many:
            connection.close()
        wait_until(lambda: is_well(server), 5, "new connections are refused after the flood has gone")


def is_well(server):
    try:
        return server.get("/health").status == 200
    except OSError:
        return False


run_fault("F22", fault)

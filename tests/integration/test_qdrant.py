"""test_qdrant.py - an app cannot tell vector/qdrant from vector/local; and what it makes of a server that fails.

Two Backplanes, one with each store, are given the same documents and the same questions. The server is the stub of
tests/lib/qdrant_stub.py, or the real one that QDRANT_URL (and QDRANT_API_KEY) names: then what needs faults is left out.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request

from backplane_test import SHARED, SOURCE, Server, check, check_equal, conf, run_tests, wait_until

REAL = os.environ.get("QDRANT_URL", "")
KEY = os.environ.get("QDRANT_API_KEY", "") if REAL else "s3cret-key"
WORDS = ("train coffee office approval flight class money kitchen trip tea ticket night hotel station second first team lead "
         "warm cold engine wing lift drag shock wave layer heat flow speed").split()


class Stub:
    """The server in a process of its own, whose points survive a restart."""

    def __init__(self, folder):
        self.file, self.port, self.process = os.path.join(folder, "qdrant.json"), 0, None

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(SOURCE, "tests", "lib", "qdrant_stub.py"),
                                         "--port", str(self.port), "--file", self.file, "--api-key", KEY],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def fail(self, **fault):
        ask(self.url, "PUT", "/_stub/faults", fault)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


def ask(url, method, path, body=None):
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode(), method=method,
                                     headers={"Content-Type": "application/json", "api-key": KEY})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def documents():
    """What a collection may hold: passages of many lengths, metadata of every type, odd texts."""
    chance = random.Random(11)
    made = []
    for i in range(240):
        text = " ".join(chance.choices(WORDS, k=chance.choice((3, 8, 20, 60)))) + f". Number {i}."
        made.append({"id": f"d{i:03}", "title": f"Passage {i}", "text": text, "metadata": {
            "year": 2000 + i % 25, "lang": ("en", "de", "fr", "eng")[i % 4], "score": i / 8, "is_final": i % 3 == 0,
            **({"tags": chance.sample(WORDS, 3)} if i % 2 else {}), **({"a.b-c": "x"} if i % 5 == 0 else {}),
            **({"mixed": ["en", 3, True]} if i % 7 == 0 else {})}})
    path = os.path.join(SHARED, "corpora", "strings", "blns.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            made += [{"id": f"n{i:03}", "text": text, "metadata": {"odd": text, "lang": "xx"}}
                     for i, text in enumerate(json.load(file)) if text.strip() and "\x00" not in text]
    return made


FILTERS = [
    {"lang": "en"}, {"lang": "e"}, {"lang": {"prefix": "en"}}, {"lang": {"prefix": ""}}, {"lang": {"in": ["de", "fr"]}},
    {"year": 2004}, {"year": {"gte": 2010, "lt": 2014}}, {"year": {"gt": 2010, "lte": 2014}}, {"year": "2004"},
    {"score": 3}, {"score": {"gte": 2.5, "lte": 4}}, {"is_final": True}, {"is_final": False}, {"is_final": 1},
    {"tags": "coffee"}, {"tags": {"in": ["coffee", "tea"]}}, {"tags": {"prefix": "w"}}, {"tags": {"exists": True}},
    {"tags": {"exists": False}}, {"a.b-c": "x"}, {"a.b-c": {"exists": True}}, {"mixed": 3}, {"mixed": "en"}, {"mixed": True},
    {"mixed": {"gte": 2}}, {"not": {"lang": "en"}}, {"not": {"tags": "coffee"}}, {"nothing": {"exists": False}},
    {"nothing": "x"}, {"or": [{"lang": "de"}, {"year": {"gte": 2020}}]}, {"lang": "en", "not": {"year": {"lt": 2012}}},
    {"odd": {"prefix": "<"}}, {"lang": {"in": []}}, {"or": []},
]
QUESTIONS = ["coffee", "train to the station", "Retry after the heat flow", "tea tea tea kitchen", "number 17", "unknownword",
             "the of and", "engine wing lift drag shock wave", "Passage 3", "\"coffee\" OR (NOT tea*)", "\u0152uvre na\u00efve",
             "trains coffees officers"]

folder = tempfile.TemporaryDirectory()
stub = Stub(folder.name)
prefix = f"test{os.getpid()}-"


def with_qdrant(where):
    return conf(where, server={"workers": 1}, app={"when_down": "refuse"}, vector={"docs": {
        "use": "qdrant", "url": REAL or stub.url, "api_key": KEY, "prefix": prefix, "statistics": "0s", "indexes": {"year": "float"}}})


def legs(hits):
    """By leg: ids, those of one score together, with the score."""
    return [(hit["document"], hit["legs"]) for hit in hits]


def check_same_leg(name, one, other, what):
    """Greatest score first, the same scores; where scores differ clearly, the same order."""
    scores = [{document: scores[name] for document, scores in legs(hits) if name in scores} for hits in (one, other)]
    for document in set(scores[0]) & set(scores[1]):
        check(abs(scores[0][document] - scores[1][document]) <= 1e-4 * max(1, abs(scores[0][document])),
              f"{what}: {name} of {document}: {scores[0][document]} and {scores[1][document]}")
    ends = [min(found.values()) if len(found) == 100 else -1e9 for found in scores]
    for document in set(scores[0]) ^ set(scores[1]):  # only at the end of a list that was cut
        score = scores[0].get(document, scores[1].get(document))
        check(score <= max(ends) + 1e-4, f"{what}: only one found {document} by {name} {score}, cut at {ends}")


def both_stores_take_the_same_documents():
    for server in (local, remote):
        server.make_collection("docs")
        for at in range(0, len(DOCUMENTS), 100):
            answer = server.put(*DOCUMENTS[at:at + 100])
            check_equal((answer.status, answer.json["refused"]), (200, 0), f"{answer.body[:500]}")
    check_equal(*(server.get("/api/v1/collections/docs").json["ready"] for server in (local, remote)), "documents")


def every_question_is_answered_alike():
    for question in QUESTIONS:
        for mode, name in (("words", "words"), ("vector", "vector")):
            one, other = (server.search(question, mode=mode, limit=100) for server in (local, remote))
            check(len(one) == len(other), f"{question!r} by {mode}: {len(one)} and {len(other)} hits")
            check_same_leg(name, one, other, f"{question!r} by {mode}")
        one, other = (server.search(question, limit=10) for server in (local, remote))
        for here, there in zip(one, other):
            check(abs(here["score"] - there["score"]) < 1e-3, f"{question!r}: {here['score']} and {there['score']}")


def every_filter_selects_alike():
    for wanted in FILTERS:
        for mode in ("words", "vector"):
            one, other = ({hit["document"] for hit in server.search("coffee train number tea", mode=mode, limit=100,
                                                                    filter=wanted)} for server in (local, remote))
            if len(one) < 100:
                check_equal(other, one, f"{wanted} by {mode}")
            else:
                check_equal(len(other), len(one), f"{wanted} by {mode}")


def what_is_deleted_is_found_no_more():
    for server in (local, remote):
        for name in ("d001", "d002"):
            check_equal(server.request("DELETE", f"/api/v1/collections/docs/documents/{name}").status, 204, name)
    every_question_is_answered_alike()
    check(not {"d001", "d002"} & {hit["document"] for hit in remote.search("number", limit=100)}, "deleted")


def a_collection_of_others_is_left_alone():
    names = [one["name"] for one in ask(REAL or stub.url, "GET", "/collections")["result"]["collections"]]
    mine = [name for name in names if name.startswith(prefix)]
    check_equal(len(mine), 1, f"collections {names}")
    config = ask(REAL or stub.url, "GET", "/collections/" + mine[0])["result"]["config"]["params"]
    check_equal(config["vectors"]["dense"]["distance"], "Cosine", "distance")


def well():
    """Until the breaker, which leaves a failing store alone for some seconds, has closed again."""
    wait_until(lambda: remote.post("/api/v1/search", {"query": "coffee"}).status == 200, 60, "a search is answered")


def a_server_that_is_busy_is_asked_again():
    well()
    for fault in ({"status": 503, "retry_after": 1}, {"status": 429, "retry_after": 1}, {"reset": True}):
        stub.fail(path="/points/query", times=1, **fault)
        check(len(remote.search("coffee", limit=5)) == 5, f"after {fault}")


def a_server_that_fails_is_named_and_the_next_request_finds_it_well():
    for fault in ({"status": 500, "error": "Service internal error: No space left on device"}, {"status": 500, "error": "a panic"}, {"truncate": True}):
        stub.fail(path="/points/query", times=9, **fault)
        answer = remote.post("/api/v1/search", {"query": "coffee"})
        check(answer.status >= 500, f"{fault}: {answer.status} {answer.body!r}")
        check(KEY not in answer.body.decode(), "the key is shown")
        stub.fail(times=0)
        well()
    check(KEY not in remote.log_text(), "the key is in the log")


def a_wrong_key_is_said_and_not_shown():
    with tempfile.TemporaryDirectory() as where:
        made = with_qdrant(where)
        made["vector"]["docs"]["api_key"] = "wr0ng-key"
        with Server(folder=where, made=lambda _: made) as server:
            answer = server.post("/api/v1/collections/docs", {})
            check(answer.status >= 400, f"{answer.status}")
            check("does not take the api_key" in answer.body.decode() + server.log_text(), f"{answer.body!r}")
            check("wr0ng-key" not in answer.body.decode() + server.log_text(), "the key is shown")


def everything_is_there_again_after_a_restart_of_the_server():
    well()
    before = remote.search("engine wing", limit=20)
    stub.stop()
    begun = time.monotonic()
    answer = remote.post("/api/v1/search", {"query": "engine wing"}, seconds=60)
    check(answer.status in (502, 503, 504), f"while it is away: {answer.status} after {time.monotonic() - begun:.1f} s")
    check(f"127.0.0.1:{stub.port}" in answer.body.decode() + remote.log_text(), f"{answer.body!r} does not name the server")
    stub.start()
    well()
    check_equal(legs(remote.search("engine wing", limit=20)), legs(before), "hits")


DOCUMENTS = documents()
TESTS = [both_stores_take_the_same_documents, every_question_is_answered_alike, every_filter_selects_alike,
         what_is_deleted_is_found_no_more, a_collection_of_others_is_left_alone]
FAULTS = [a_server_that_is_busy_is_asked_again, a_server_that_fails_is_named_and_the_next_request_finds_it_well,
          a_wrong_key_is_said_and_not_shown, everything_is_there_again_after_a_restart_of_the_server]
try:
    if not REAL:
        stub.start()
    with Server() as local, Server(made=with_qdrant) as remote:
        run_tests(TESTS + ([] if REAL else FAULTS))
finally:
    if REAL:
        for one in ask(REAL, "GET", "/collections")["result"]["collections"]:
            if one["name"].startswith(prefix):
                ask(REAL, "DELETE", "/collections/" + one["name"])
    stub.stop()
    folder.cleanup()

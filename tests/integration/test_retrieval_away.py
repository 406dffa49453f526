"""test_retrieval_away.py - the app retrieval while its embedder is gone: searches by words that say so, documents that wait for it,
one that can never be embedded and holds nobody up. The vector store's going is faults/F21."""
from backplane_test import Server, check, check_equal, conf, run_tests, wait_until
from embedder_stub import EmbedderStub
from mcp_test import call_modern, message_of

TEXTS = {"coffee": "The office pays for coffee.", "trains": "Trains are second class, flights need approval.",
         "late": "Whoever comes late writes the minutes."}


class Away:
    """A server whose embedder is a stub; `options` are the app's."""

    def __init__(self, **options):
        self.stub = EmbedderStub()

        def made(folder):
            return conf(folder, app={"scan": "1s", **options}, embed={"main": {
                "use": "openai", "url": f"http://127.0.0.1:{self.stub.port}/v1", "model": "m", "dimensions": 8, "retries": 0,
                "critical": False, "breaker_pause": "500ms"}})
        self.server = Server(made=made)

    def __enter__(self):
        self.server.start()
        self.server.make_collection()
        check_equal(self.server.put(*[{"id": i, "text": t} for i, t in list(TEXTS.items())[:2]]).json["stored"], 2, "at first")
        return self

    def __exit__(self, *_):
        self.server.close()
        self.stub.go()

    def ask(self, query, **more):
        return self.server.post("/api/v1/search", {"collection": "docs", "query": query, **more})

    def document(self, name):
        return self.server.get(f"/api/v1/collections/docs/documents/{name}").json

    def state(self, name):
        return self.document(name)["state"]


def a_hybrid_search_goes_on_by_words_and_says_so():
    with Away() as at:
        check("degraded" not in at.ask("second class trains").json, "not degraded at first")
        at.stub.go()
        answer = at.ask("second class trains")
        check_equal((answer.status, [hit["document"] for hit in answer.json["hits"]]), (200, ["trains"]), f"{answer.body!r}")
        check('the embedder "main" cannot be reached' in answer.json["degraded"], answer.json["degraded"])
        check_equal("degraded" in at.ask("trains", mode="words").json, False, "a search by words lacks nothing")
        check(at.ask("trains", mode="vector").status in (502, 503, 504), "a search by vectors has nothing left")
        asked = at.server.post("/api/v1/answer", {"collection": "docs", "question": "Who pays for coffee?"}).json
        check(asked["found"] and "coffee" in asked["answer"] and "main" in asked["degraded"], str(asked))
        streamed = at.server.post("/api/v1/answer", {"collection": "docs", "question": "Who pays for coffee?", "stream": True}).events()
        check("degraded" in dict(streamed)["passages"] and "degraded" in dict(streamed)["done"], str(streamed)[:300])
        found = message_of(call_modern(at.server, "search_documents", {"query": "coffee"}))["result"]
        check("main" in found["structuredContent"]["degraded"], str(found)[:300])
        check_equal(at.server.metric("retrieval_searches_total", outcome="degraded"), 2.0, "counted")
        at.stub.come()
        wait_until(lambda: "degraded" not in at.ask("trains").json, 20, "searches stay degraded")


def refuse_means_refuse():
    with Away(when_down="refuse", queue=0) as at:
        at.stub.go()
        answer = at.ask("trains")
        check(answer.status in (502, 503, 504) and answer.message, f"{answer.status} {answer.body[:300]!r}")
        check(at.server.put({"id": "late", "text": TEXTS["late"]}).status in (502, 503, 504), "a document")
        check_equal(at.ask("trains", mode="words").status, 200, "what needs no embedder goes on")


def documents_wait_and_one_that_cannot_be_embedded_holds_nobody_up():
    with Away() as at:
        at.stub.go()
        answers = [at.server.put({"id": name, "text": text}) for name, text in
                   (("a-poison", "a poison that the embedder refuses"), ("late", TEXTS["late"]), ("coffee", "Coffee costs a euro now."))]
        check_equal([(a.status, a.json["queued"]) for a in answers], [(202, 1)] * 3, "documents while the embedder is gone")
        check_equal([at.state(name) for name in ("a-poison", "late", "coffee", "trains")], ["queued"] * 2 + ["ready"] * 2, "states")
        check_equal(at.document("coffee")["next"]["state"], "queued", "the newer text waits, the older one is found")
        many = at.server.request("POST", "/api/v1/collections/docs/documents", b'{"id": "l1", "text": "one line"}\n{"id": 5}\n',
                                 {"Content-Type": "application/x-ndjson"})
        check_equal((many.status, many.json["queued"], many.json["stored"], many.json["refused"]), (202, 2, 0, 0), f"{many.body!r}")
        at.stub.come()
        wait_until(lambda: {at.state("late"), at.state("coffee"), at.state("l1")} == {"ready"} and "next" not in at.document("coffee"), 30, "documents still wait")
        wait_until(lambda: at.state("a-poison") == "failed", 20, "what cannot be embedded is not marked")
        check_equal([hit["document"] for hit in at.ask("euro").json["hits"]][:1], ["coffee"], "the newer text is found")
        check(any("cannot be indexed" in line.get("message", "") for line in at.server.log_lines()), "the log says it")
        again = at.server.put({"id": "a-poison", "text": "a harmless text"})
        check_equal((again.status, again.json["stored"], at.state("a-poison")), (200, 1, "ready"), "sent again in other words")
        refused = at.server.put({"id": "p2", "text": "poison"}, {"id": "p3", "text": "a harmless text"}).json
        check_equal((refused["refused"], refused["stored"]), (1, 1), f"one is refused, the other is not: {refused}")
        check_equal(refused["errors"][0]["id"], "p2", "which one, and why: " + refused["errors"][0]["message"])


run_tests([a_hybrid_search_goes_on_by_words_and_says_so, refuse_means_refuse,
           documents_wait_and_one_that_cannot_be_embedded_holds_nobody_up])

"""test_retrieval_api.py - every route of the app retrieval, as a client sees it."""
import json
import re

from backplane_test import Server, check, check_equal, run_tests

HANDBOOK = [
    {"id": "travel", "title": "Travel", "text": "Trains are second class. Flights need approval by the team lead.",
     "metadata": {"year": 2024, "lang": "en", "tags": ["trip", "money"], "is_final": True}},
    {"id": "coffee", "title": "Coffee", "text": "The office pays for coffee. Tea is free as well.",
     "metadata": {"year": 2020, "lang": "en", "tags": ["kitchen"]}},
    {"id": "reisen", "title": "Reisen", "text": "Trains in Germany: Züge fahren zweiter Klasse. Trains again.",
     "metadata": {"year": 2022, "lang": "de", "tags": []}},
]
server = Server()
BASE = "/api/v1/collections"


def a_collection_is_made_found_listed_and_made_again_without_harm():
    check_equal(server.get(BASE).json, {"collections": []}, "collections at first")
    made = server.make_collection("docs")
    check_equal((made["name"], made["documents"], made["language"]), ("docs", 0, "en"), "the collection")
    check_equal(server.post(BASE, {"name": "second", "language": "de"}).json["language"], "de", "language")
    check_equal(server.make_collection("docs"), made, "made again")
    check_equal([c["name"] for c in server.get(BASE).json["collections"]], ["docs", "second"], "names")
    answer = server.post(BASE + "/docs", {"language": "fr"})
    check_equal(answer.status, 409, "another language")
    check("is there already" in answer.message, answer.message)
    for name in ("a%20b", "a%2Fb", "x" * 65, "%C3%A4"):
        check_equal(server.post(f"{BASE}/{name}", {}).status, 400, f"collection {name}")
    check_equal(server.get(BASE + "/nobody").status, 404, "a collection that is not there")


def documents_go_in_singly_and_in_batches_and_the_same_again_costs_nothing():
    one = server.post(BASE + "/docs/documents", HANDBOOK[0])
    check_equal((one.status, one.json["stored"]), (200, 1), "one document")
    check_equal(server.put(*HANDBOOK).json, {"collection": "docs", "stored": 2, "unchanged": 1, "refused": 0,
                                             "errors": []}, "batch")
    check_equal(server.put(*HANDBOOK).json["unchanged"], 3, "batch again")
    by_body = server.post("/api/v1/documents", {"collection": "docs", "documents": HANDBOOK})
    by_query = server.post("/api/v1/documents?collection=docs", {"documents": HANDBOOK})
    check_equal((by_body.json["unchanged"], by_query.json["unchanged"]), (3, 3), "the other route")
    found = server.get(BASE + "/docs").json
    check_equal((found["documents"], found["ready"]), (3, 3), "counts")


def a_refused_document_is_answered_for_with_a_sentence():
    refused = [({"text": "x"}, "id"), ({"id": "a" * 513, "text": "x"}, "512"), ({"id": "a", "text": 5}, "text"),
               ({"id": "a", "text": "x", "format": "pdf"}, "markdown"),
               ({"id": "a", "text": "x", "metadata": {"a": {"b": 1}}}, "object"),
               ({"id": "a", "text": "x", "title": "t" * 1025}, "1,024"), ([], "object"), ("text", "object")]
    for document, word in refused:
        answer = server.put(document)
        check_equal((answer.status, answer.json["refused"]), (200, 1), f"{str(document)[:60]}")
        check(word in answer.json["errors"][0]["message"], f"{str(document)[:60]}: {answer.body}")
    check_equal(server.post(BASE + "/docs/documents", {"text": "x"}).status, 400, "a single document without id")
    for body, word in ((b"[]", "object"), (b"", "JSON"), (b"{", "byte"), (b'{"documents": 5}', "array"),
                       (b"\xff\xfe", "JSON")):
        answer = server.post(BASE + "/docs/documents", body)
        check_equal(answer.status, 400, f"body {body!r}")
        check(word in answer.message, f"body {body!r}: {answer.message}")
    check_equal(server.put(HANDBOOK[0], collection="nobody").status, 404, "a collection that is not there")


def json_lines_come_in_chunks_of_one_byte():
    lines = "".join(json.dumps({"id": f"line-{i}", "text": f"Zeile {i} über Möhren"}, ensure_ascii=False) + "\n"
                    for i in range(5)) + "not json\n\n" + '{"id": "line-last", "text": "no newline at the end"}'
    connection = server.connect()
    connection.request("POST", BASE + "/second/documents", headers={"Content-Type": "application/x-ndjson"},
                       body=(bytes([byte]) for byte in lines.encode()), encode_chunked=True)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    check_equal((answer.status, body["stored"], body["refused"]), (200, 6, 1), f"{body}")
    check_equal(body["errors"][0]["line"], 6, "the line that was refused")
    check_equal(server.get(BASE + "/second/documents/line-last").json["text"], "no newline at the end", "last line")
    check_equal(server.search("Möhren", "second", mode="words")[0]["text"][:5], "Zeile", "a hit")


def paging_walks_over_all_documents_once():
    seen, path = [], BASE + "/second/documents?limit=2"
    while path:
        page = server.get(path).json
        seen += [document["id"] for document in page["documents"]]
        path = f"{BASE}/second/documents?limit=2&after={page['next']}" if "next" in page else None
    check_equal(seen, sorted(set(seen)), "ids in order, once each")
    check_equal(len(seen), 6, "documents")
    for limit in ("0", "201", "x", "-1", ""):
        check_equal(server.get(BASE + f"/second/documents?limit={limit}").status, 400, f"limit {limit!r}")


def a_document_comes_back_byte_for_byte_and_its_passages_are_pieces_of_it():
    text = "# Überschrift\n\nEin Satz mit 😀 und einem \t Tabulator.\n\n" + "Wort für Wort. " * 400
    document = {"id": "pfad/zu/ä ö.md", "title": "Ü 😀", "text": text, "format": "markdown", "source": "https://x/?a=b"}
    check_equal(server.put(document, collection="second").json["stored"], 1, "stored")
    found = server.get(BASE + "/second/documents/pfad/zu/%C3%A4%20%C3%B6.md").json
    for name, value in document.items():
        check_equal(found[name], value, name)
    check(len(found["passages"]) > 1, "a long document has passages")
    hit = server.search("Wort Tabulator", "second")[0]
    check_equal(text[hit["start"]:hit["end"]], hit["text"], "the span in characters")


def filters_know_every_operator():
    cases = [({"lang": "de"}, ["reisen"]), ({"year": {"gte": 2022}}, ["reisen", "travel"]),
             ({"year": {"gt": 2022}}, ["travel"]), ({"year": {"lt": 2022}}, ["coffee"]),
             ({"year": {"lte": 2022}}, ["coffee", "reisen"]), ({"year": {"gte": 2021, "lt": 2023}}, ["reisen"]),
             ({"lang": {"in": ["de", "fr"]}}, ["reisen"]), ({"tags": "trip"}, ["travel"]),
             ({"tags": {"in": ["kitchen", "money"]}}, ["coffee", "travel"]), ({"is_final": True}, ["travel"]),
             ({"is_final": {"exists": True}}, ["travel"]), ({"lang": {"prefix": "e"}}, ["coffee", "travel"]),
             ({"not": {"lang": "en"}}, ["reisen"]), ({"or": [{"year": 2020}, {"lang": "de"}]}, ["coffee", "reisen"]),
             ({"and": [{"lang": "en"}, {"year": {"gt": 2021}}]}, ["travel"]), ({"lang": "xx"}, []), ({"none": 1}, [])]
    for filter_sent, wanted in cases:
        for mode in ("hybrid", "words", "vector"):
            hits = server.search("trains coffee", filter=filter_sent, mode=mode)
            found = sorted({hit["document"] for hit in hits})
            if mode == "words":
                check_equal(found, wanted, f"{filter_sent} by {mode}")
            check(set(found) <= set(wanted), f"{filter_sent} by {mode}: found {found}, wanted only {wanted}")
    for wrong in ({"year": {"about": 5}}, {"a": {"b": {"c": 1}}}, {"or": 5}, {"a": None}, [], "x"):
        check_equal(server.post("/api/v1/search", {"query": "x", "filter": wrong}).status, 400, f"filter {wrong}")


def searches_answer_alike_on_both_routes_and_refuse_what_is_wrong():
    posted = server.post("/api/v1/search", {"query": "second class trains", "limit": 2}).json
    got = server.get("/api/search?q=second+class%20trains&limit=2").json
    check_equal([hit["chunk"] for hit in got["hits"]], [hit["chunk"] for hit in posted["hits"]], "hits")
    check_equal(posted["hits"][0]["document"], "travel", "the best hit")
    check(posted["explain"]["took_ms"] >= 0 and "legs" in posted["hits"][0], "explain and legs")
    check("text" not in server.search("trains", with_text=False)[0], "with_text false")
    check_equal(len(server.search("trains", group_by="document", limit=1)), 1, "limit")
    for wrong in ({}, {"query": ""}, {"query": "x" * 8193}, {"query": "x", "limit": 0}, {"query": "x", "limit": 201},
                  {"query": "x", "mode": "magic"}, {"query": "x", "fusion": "y"}, {"query": "x", "group_by": "z"},
                  {"query": "x", "words_weight": 2}, {"query": "x", "words_weight": "1"}, {"query": 5}):
        answer = server.post("/api/v1/search", wrong)
        check(answer.status == 400 and len(answer.message) > 10, f"{str(wrong)[:50]}: {answer.status} {answer.body}")
    for path in ("/api/search", "/api/search?q=", "/api/search?q=x&limit=no", "/api/search?q=x&mode=y"):
        check_equal(server.get(path).status, 400, path)
    check_equal(server.post("/api/v1/search", {"query": "x", "collection": "nobody"}).status, 404, "no collection")


def an_answer_is_made_of_the_documents_sentences_and_cites_them():
    answer = server.post("/api/v1/answer", {"question": "Which class are trains?"}).json
    check(answer["found"] and "second class" in answer["answer"], f"{answer}")
    marks = {int(mark) for mark in re.findall(r"\[(\d+)\]", answer["answer"])}
    check_equal(marks, {citation["number"] for citation in answer["citations"]}, "marks and citations")
    check("travel" in [citation["document"] for citation in answer["citations"]], "the right document")
    streamed = server.post("/api/v1/answer", {"question": "Which class are trains?", "stream": True})
    check(streamed.headers["Content-Type"].startswith("text/event-stream"), "content type")
    names = [name for name, _ in streamed.events()]
    check(names[0] == "passages" and names[-1] == "done" and set(names[1:-1]) == {"delta"}, f"order: {names}")
    told = "".join(data["text"] for name, data in streamed.events() if name == "delta")
    check_equal((told, streamed.events()[-1][1]["answer"]), (answer["answer"],) * 2, "the same answer")
    accepted = server.post("/api/v1/answer", {"question": "trains?"}, headers={"Accept": "text/event-stream"})
    check_equal(accepted.events()[-1][0], "done", "asked for by Accept")
    conversation = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"},
                                 {"role": "user", "content": "Which class are trains?"}]}
    check("second class" in server.post("/api/chat", conversation).json["answer"], "chat")


def a_question_without_an_answer_gets_none():
    for body in ({"question": "Zyzzyva quixotry?"}, {"question": "trains?", "filter": {"lang": "xx"}}):
        answer = server.post("/api/v1/answer", body).json
        check_equal((answer["found"], answer["answer"], answer["citations"]), (False, "", []), str(body))
    streamed = server.post("/api/v1/answer", {"question": "Zyzzyva quixotry?", "stream": True}).events()
    check_equal([name for name, _ in streamed], ["passages", "done"], "events")
    for path, body in (("/api/v1/answer", {}), ("/api/v1/answer", {"question": "x", "passages": 0}),
                       ("/api/chat", {"messages": []}), ("/api/chat", {"messages": [{"role": "robot", "content": "x"}]}),
                       ("/api/chat", {"messages": [{"role": "assistant", "content": "x"}]}), ("/api/chat", {"messages": 1})):
        check_equal(server.post(path, body).status, 400, f"{path} {body}")


def wrong_methods_and_paths_are_told_what_is_right():
    answer = server.request("PUT", "/api/v1/search", {})
    check_equal((answer.status, answer.headers["Allow"]), (405, "POST"), "PUT")
    check_equal(set(re.split(", ?", server.request("PATCH", BASE + "/docs").headers["Allow"])) & {"GET", "POST", "DELETE"},
                {"GET", "POST", "DELETE"}, "Allow")
    check_equal(server.get("/api/v1/nothing").status, 404, "no such path")
    check_equal(server.request("BREW", "/api/v1/search").status in (405, 501), True, "a method nobody knows")
    got, head = server.get(BASE + "/docs"), server.request("HEAD", BASE + "/docs")
    check_equal((head.status, head.body, head.headers["Content-Length"]), (200, b"", str(len(got.body))), "HEAD")


def a_request_id_is_echoed_and_a_bad_one_replaced():
    check_equal(server.get("/health", headers={"X-Request-Id": "my-id.42"}).headers["X-Request-Id"], "my-id.42", "echo")
    for wrong in ("x" * 300, "a b", "a<script>", '"quoted"'):
        found = server.get("/health", headers={"X-Request-Id": wrong}).headers["X-Request-Id"]
        check(found and found != wrong and re.fullmatch(r"[A-Za-z0-9._-]+", found), f"{wrong[:20]!r} became {found!r}")
    for trace in ("00-" + "0" * 32 + "-" + "1" * 16 + "-01", "garbage", "00-" + "g" * 32 + "-" + "1" * 16 + "-01", "x" * 4000):
        check_equal(server.get("/health", headers={"traceparent": trace}).status, 200, f"traceparent {trace[:20]}")
    trace = "0af7651916cd43dd8448eb211c80319c"
    server.get("/health", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    check_equal(server.search("trains")[0]["document"] in ("travel", "reisen"), True, "the server still works")


def deleted_documents_and_collections_are_gone():
    check_equal(server.request("DELETE", BASE + "/docs/documents/coffee").status, 204, "delete")
    check_equal(server.get(BASE + "/docs/documents/coffee").status, 404, "gone")
    check_equal(server.request("DELETE", BASE + "/docs/documents/coffee").status, 404, "twice")
    check("coffee" not in [hit["document"] for hit in server.search("coffee")], "not found any more")
    check_equal(server.put({**HANDBOOK[0], "text": "Ships only."}).json["stored"], 1, "changed")
    check_equal(server.search("flights approval", mode="words"), [], "the old text is not found")
    check_equal(server.search("ships", mode="words")[0]["document"], "travel", "the new text is")
    check_equal(server.request("DELETE", BASE + "/second").status, 204, "delete a collection")
    check_equal(server.get(BASE + "/second").status, 404, "gone")
    check_equal(server.make_collection("second")["documents"], 0, "made anew, empty")
    check_equal(server.search("Möhren", "second"), [], "nothing is left of it")


def the_pages_for_people_and_programs_name_every_route():
    described = server.get("/openapi.json").json["paths"]
    for path in ("/api/v1/search", "/api/v1/answer", "/api/chat", "/api/search", "/health"):
        check(path in described, f"{path} is not in /openapi.json")
    check("/api/v1/search" in server.get("/docs").body.decode(), "/docs")
    check_equal(server.get("/health").status, 200, "health")
    check(all(server.get("/health/" + part).status == 200 for part in ("live", "ready", "startup")), "probes")


with server:
    run_tests([
        a_collection_is_made_found_listed_and_made_again_without_harm,
        documents_go_in_singly_and_in_batches_and_the_same_again_costs_nothing,
        a_refused_document_is_answered_for_with_a_sentence,
        json_lines_come_in_chunks_of_one_byte,
        paging_walks_over_all_documents_once,
        a_document_comes_back_byte_for_byte_and_its_passages_are_pieces_of_it,
        filters_know_every_operator,
        searches_answer_alike_on_both_routes_and_refuse_what_is_wrong,
        an_answer_is_made_of_the_documents_sentences_and_cites_them,
        a_question_without_an_answer_gets_none,
        wrong_methods_and_paths_are_told_what_is_right,
        a_request_id_is_echoed_and_a_bad_one_replaced,
        deleted_documents_and_collections_are_gone,
        the_pages_for_people_and_programs_name_every_route,
    ])

"""F13_strings.py - strings that break programs, as ids, titles, texts, metadata, queries and header values."""
import json
import os
import urllib.parse

from backplane_test import Server, check, check_equal, check_metrics_format, run_fault, shared


def fault(numbers):
    with open(shared("corpora", "strings", "blns.json"), encoding="utf-8") as file:
        strings = [text for text in json.load(file) if text] + ["%s%n%x", "\u202e", "a" * 500, "'; DROP TABLE x; --"]
    with Server(log={"level": "debug", "rate": 0}) as server:
        server.make_collection()
        stored = 0
        for text in dict.fromkeys(strings):
            sent = {"id": text[:120], "title": text[:200], "text": text, "source": text[:900], "metadata": {"m": text, "l": [text]}}
            if len(sent["id"].encode()) > 512 or "\u0000" in text:
                continue
            answer = server.put(sent)
            check_equal((answer.status, answer.json["refused"]), (200, 0), f"{text!r}: {answer.body[:200]!r}")
            path = "/api/v1/collections/docs/documents/" + urllib.parse.quote(sent["id"], safe="")
            found = server.get(path)
            if sent["id"] not in (".", "..") and found.status == 200:
                for name in sent:
                    check_equal(found.json[name], sent[name], f"{name} of {text!r}")
                stored += 1
            else:
                # An address may not hold these; the list of documents shows them all the same.
                is_no_path = sent["id"][0] in "./" or any(c in "/\\" or ord(c) < 32 or ord(c) == 127 for c in sent["id"])
                check(is_no_path, f"{text!r} is not given back: {found.status} {found.body[:200]!r}")
            answer = server.post("/api/v1/search", {"query": text[:4000], "filter": {"m": text}})
            check_equal(answer.status, 200, f"query {text!r}: {answer.body[:200]!r}")
            check(server.get("/api/search?q=" + urllib.parse.quote(text[:200])).status in (200, 400), f"GET {text!r}")
            check(server.post("/api/v1/answer", {"question": text[:4000]}).status == 200, f"question {text!r}")
            check(server.post("/api/v1/collections/" + urllib.parse.quote(text[:100], safe=""), {}).status in (200, 400, 404, 409),
                  f"collection {text!r}")
        lines = server.log_text().rstrip("\n").split("\n")  # splitlines() would cut at U+2028
        for line in lines:
            json.loads(line)
        check_metrics_format(server.get("/metrics").body)
        listed = sum(1 for _ in pages(server))
        numbers.update(strings=len(strings), given_back_byte_for_byte=stored, log_lines=len(lines), listed=listed)
        check(stored >= 400, f"only {stored} documents came back")


def pages(server):
    path = "/api/v1/collections/docs/documents?limit=200"
    while path:
        page = server.get(path).json
        yield from page["documents"]
        path = page.get("next") and "/api/v1/collections/docs/documents?limit=200&after=" + urllib.parse.quote(page["next"])


run_fault("F13", fault)

"""json_bodies.py - bodies and lines that editors, shells and models wrote: a byte order mark, an emoji that was cut, bytes that are
no UTF-8. They are taken, by one reader in every app; what takes memory without measure is not."""
import os

from backplane_test import Server, check, check_equal, run_tests

MARK = b"\xef\xbb\xbf"
LINES = {"Content-Type": "application/x-ndjson"}


def knowledge(folder):
    return {"data_dir": os.path.join(folder, "data"), "server": {"listen": ["127.0.0.1:0"], "workers": 1},
            "storage": {"main": {"use": "sqlite", "path": "backplane.db"}}, "app": {"knowledge": {"storage": "main"}}}


def documents_are_taken_as_body_and_as_lines():
    with Server() as server:
        server.make_collection()
        path = "/api/v1/collections/docs/documents"
        answer = server.post(path, MARK + b'{"id":"a","text":"a mark, and a cut \\ud83d"}')
        check_equal(answer.status, 200, f"a body: {answer.body!r}")
        lines = MARK + b'{"id":"b","text":"first"}\n{"id":"c","text":"bytes \xff\xfe of no text"}\n{"id":"d","text":"\\udc00"}\n'
        answer = server.post(path, lines, headers=LINES)
        check_equal(answer.status, 200, f"lines: {answer.body!r}")
        for name, text in (("a", "a mark, and a cut \ufffd"), ("b", "first"), ("c", "bytes \ufffd\ufffd of no text"), ("d", "\ufffd")):
            found = server.get(f"{path}/{name}")
            check_equal(found.status, 200, f"document {name}: {found.body!r}")
            check(text in found.body.decode(), f"document {name}: {found.body!r}")
        check_equal(server.post("/api/v1/search", MARK + b'{"collection":"docs","query":"first \\ud83d"}').status, 200, "a search")


def other_apps_read_with_the_same_reader():
    with Server(made=knowledge) as server:
        lines = MARK + b'{"type":"entity","name":"cut \\ud83d","entityType":"t","observations":["\xff"]}\n'
        answer = server.post("/graph/import", lines, headers=LINES)
        if answer.status == 404:  # wherever the route is
            route = next(path for path in server.get("/openapi.json").json["paths"] if "import" in path)
            answer = server.post(route, lines, headers=LINES)
        check_equal(answer.status, 200, f"lines: {answer.body!r}")


def a_body_that_becomes_many_times_its_length_is_refused():
    with Server() as server:
        server.make_collection()
        text = b"[" + b"[]," * (2 << 20) + b"0]"
        answer = server.post("/api/v1/collections/docs/documents", b'{"id":"a","text":"x","metadata":{"a":' + text + b"}}", seconds=60)
        check_equal(answer.status, 400, "6 MiB that would take 290 MiB")
        check("of memory" in answer.message, answer.message)


run_tests([documents_are_taken_as_body_and_as_lines, other_apps_read_with_the_same_reader,
           a_body_that_becomes_many_times_its_length_is_refused])

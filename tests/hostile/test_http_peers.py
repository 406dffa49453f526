"""test_http_peers.py - what says that it is an LLM provider, an embedder, a Qdrant or an issuer and is not: each request ends with
a sentence within its deadline, nobody else waits, memory stays within bounds."""
import concurrent.futures
import http.client
import json
import time

from backplane_test import Answer, Server, check, conf, run_tests
from hostile_peer import HostilePeer, Watch, flood

ENDS = (200, 202, 400, 401, 404, 409, 413, 429, 500, 502, 503, 504)
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def whole(body, head=JSON):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def speak(answer):
    """Hears a request with its body, gives `answer`: bytes, or what sends by itself."""
    def serve(connection):
        stream = connection.makefile("rb")
        while True:
            line, length = stream.readline(), 0
            if not line:
                return
            while True:
                header = stream.readline()
                if header in (b"\r\n", b""):
                    break
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            stream.read(length)
            if callable(answer):
                answer(connection)
                return
            connection.sendall(answer)
    return serve


def endless(head, piece, seconds=3):
    def answer(connection):
        connection.sendall(head)
        flood(connection, piece, seconds)
    return answer


def slowly(connection):
    connection.sendall(EVENTS)
    for _ in range(40):
        connection.sendall(b":\n")
        time.sleep(0.1)


COMMON = {
    "no HTTP": b"+OK\r\n", "nothing": b"", "headers without end": endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "continue without end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "half a body": JSON + b"Content-Length: 100\r\n\r\n{",
    "no JSON": whole(b"{\"a\": "), "null": whole(b"null"), "a number": whole(b"7"), "a list": whole(b"[]"),
    "an empty object": whole(b"{}"), "deep": whole(b"[" * 100000), "a huge number": whole(b"1" * 100000),
    "a body without end": endless(JSON + b"\r\n", b" " * 1000), "chunks without end": endless(
        JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\n     \r\n"), "bad chunks": JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "redirect to itself": b"HTTP/1.1 307 Away\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
}


def each(answers, made, ask, more_bytes=300 << 20):
    def one(name):
        try:
            with HostilePeer(speak(answers[name])) as peer, Server(made=made(peer.port)) as server, Watch(server, more_bytes):
                for answer in ask(server):
                    check(answer.status in ENDS, f"{answer.status}: {answer.body[:300]!r}")
        except AssertionError as problem:
            raise AssertionError(f"{name}: {problem}") from problem
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        list(threads.map(one, answers))


def with_peer(port_to_sections):
    def made(port):
        return lambda folder: conf(folder, server={"workers": 1, "request_deadline": "2s", "access_log": "off",
                                                   "watchdog": {"warn": "100ms", "fail_liveness": "2s", "abort": "4s"}},
                                   **port_to_sections(port))
    return made


def fill(server):
    """Answers of making a collection, of a document and of a search."""
    return [server.post("/api/v1/collections/docs", {}, seconds=20),
            server.post("/api/v1/collections/docs/documents", {"documents": [{"id": "a", "text": "b c"}]}, seconds=20),
            server.post("/api/v1/search", {"collection": "docs", "query": "b"}, seconds=20)]


def streamed(server, path, body):
    """A stream that has begun cannot say by a status that it failed."""
    try:
        return server.post(path, body, seconds=20)
    except (OSError, http.client.HTTPException):
        return Answer(502, {}, b"cut")


def an_llm_provider():
    delta = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'

    def ask(server):
        return fill(server) + [server.post("/api/v1/answer", {"collection": "docs", "question": "b c"}, seconds=20),
                               streamed(server, "/api/v1/answer", {"collection": "docs", "question": "b c", "stream": True}),
                               streamed(server, "/v1/chat/completions", {"model": "docs", "stream": True, "messages": [
                                   {"role": "user", "content": "b c"}]})]
    each({**COMMON, "events without end": endless(EVENTS, delta), "comments without end": endless(EVENTS, b":\n"),
          "a line without end": endless(EVENTS, b"data: xxxxxxx"), "comments slowly": slowly,
          "deltas of another kind": EVENTS + b'data: {"choices":[{"delta":{"content":{"a":[1]}}}]}\n\ndata: {"choices":7}\n\n'
                                             b'data: {"choices":[null]}\n\ndata: [1]\n\ndata: [DONE]\n\n'},
         with_peer(lambda port: {"llm": {"none": {"use": "openai", "url": f"http://127.0.0.1:{port}/v1", "model": "m",
                                                  "retries": 0, "breaker_failures": 0, "deadline": "2s"}}}), ask)


def an_embedder():
    def vectors(value):
        return whole({"data": [{"index": 0, "embedding": value}], "model": "m"})
    each({**COMMON, "text": vectors("abc"), "words": vectors(["a"] * 3), "null": vectors(None), "none": vectors([]),
          "nested": vectors([[1, 2]]), "infinite": whole(b'{"data":[{"index":0,"embedding":[1e999,2]}]}'),
          "a million": vectors([0.5] * 1000000), "index": whole({"data": [{"index": 1 << 62, "embedding": [1, 2]}]}),
          "negative index": whole({"data": [{"index": -1, "embedding": [1, 2]}]}), "rows of nothing": whole({"data": [None, 7]})},
         with_peer(lambda port: {"embed": {"main": {"use": "openai", "url": f"http://127.0.0.1:{port}/v1", "model": "m",
                                                    "retries": 0, "breaker_failures": 0, "deadline": "2s"}}}), fill)


def a_qdrant():
    def result(value):
        return whole({"result": value, "status": "ok", "time": 0})
    each({**COMMON, "results of null": result(None), "of a number": result(7), "of text": result("x"), "of a list": result([1, None, "x"]),
          "points of nothing": result({"points": [None, {"id": None}, {"id": "x", "score": "y"}, {"id": -1, "payload": 7, "vector": {}}]}),
          "collections of nothing": result({"collections": [None, {"name": 7}], "aliases": 7, "points": 7, "config": 7, "count": "x"}),
          "a config of nothing": result({"config": {"params": {"vectors": 7, "sparse_vectors": []}}, "payload_schema": 7, "points_count": -5})},
         with_peer(lambda port: {"vector": {"docs": {"use": "qdrant", "url": f"http://127.0.0.1:{port}", "retries": 0,
                                                     "breaker_failures": 0, "deadline": "2s"}}}), fill)


def an_issuer():
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.AAAA"

    def made(port):
        def make(folder):
            given = conf(folder, server={"workers": 1, "request_deadline": "2s", "access_log": "off", "auth": {
                "mode": "both", "storage": "main", "issuer": f"http://127.0.0.1:{port}", "audience": ["https://x.example/mcp"]}})
            return given
        return make

    def ask(server):
        return [server.get("/api/v1/collections", headers={"Authorization": "Bearer " + token}, seconds=20) for _ in range(2)]
    keys = {"keys of nothing": [None, 7, {}, {"kty": 7}, {"kty": "RSA", "n": 7, "e": {}, "kid": "a"}],
            "keys of no size": [{"kty": "RSA", "n": "", "e": "", "kid": "a"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "", "kid": "a"}],
            "a huge key": [{"kty": "RSA", "n": "A" * 400000, "e": "AQAB", "kid": "a"}],
            "ten thousand keys": [{"kty": "RSA", "n": "A" * 342, "e": "AQAB", "kid": f"k{i}"} for i in range(10000)]}

    def metadata_and(body):
        def answer_on(port_box):
            return lambda connection: connection.sendall(whole({"issuer": f"http://127.0.0.1:{port_box[0]}", "jwks_uri":
                                                                f"http://127.0.0.1:{port_box[0]}/keys", "keys": body}))
        return answer_on
    each(COMMON, made, ask)
    for name, body in keys.items():
        box = [0]
        with HostilePeer(speak(metadata_and(body)(box))) as peer:
            box[0] = peer.port
            with Server(made=made(peer.port)) as server, Watch(server):
                for answer in ask(server):
                    check(answer.status in (401, 503), f"{name}: {answer.status} {answer.body[:200]!r}")


if __name__ == "__main__":
    run_tests([an_llm_provider, an_embedder, a_qdrant, an_issuer])

"""test_what_clients_are_told.py - when a back end is gone or silent, clients get a sentence and the request id; where it is, and as whom
the server went there, is in the log under that id. Also: what of URLs is a secret is in no log."""
import contextlib
import json
import os
import subprocess
import sys
import threading

import qdrant_stub
from backplane_test import Answer, Server, check, check_equal, conf, run_tests, wait_until
from embedder_stub import EmbedderStub
from llm_stub import LlmStub
from mcp_test import Session, call_modern
from postgres_server import PostgresServer
from redis_server import RedisServer
from relay import Relay

FAILED = (429, 500, 501, 502, 503, 504, 507)


@contextlib.contextmanager
def qdrant():
    server = qdrant_stub.make()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class World:
    """Every back end over a network of its own, which can be cut."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        enter = self.stack.enter_context
        postgres, redis = enter(PostgresServer()), enter(RedisServer())
        postgres.sql("CREATE ROLE oper8or LOGIN SUPERUSER PASSWORD 'hunt3r'")
        postgres.create_database("secretbase")
        self.model = enter(LlmStub("an answer"))
        embedder = enter(EmbedderStub())
        self.relays = {name: enter(Relay(port)) for name, port in (
            ("storage", postgres.port), ("cache", redis.port), ("vector", enter(qdrant())), ("embed", embedder.port),
            ("llm", int(self.model.url.split(":")[2].split("/")[0])))}
        at = {name: f"127.0.0.1:{relay.port}" for name, relay in self.relays.items()}
        once = {"retries": 0, "breaker_failures": 0, "deadline": "400ms"}

        def made(folder):
            return conf(folder, server={"workers": 1, "request_deadline": "1500ms", "auth": {"mode": "keys", "storage": "main"},
                                        "rate_per_minute": 100000},
                        app={"llm": ["model"]},
                        storage={"main": {"use": "postgres", **once, "connect_timeout": "400ms", "pool_max": 4, "url":
                                          f"postgresql://oper8or:hunt3r@{at['storage']}/secretbase?sslmode=disable"}},
                        cache={"main": {"use": "redis", "url": f"redis://{at['cache']}/3", **once}},
                        vector={"docs": {"use": "qdrant", "url": f"http://{at['vector']}", "prefix": "hidden_", **once}},
                        embed={"main": {"use": "openai", "url": f"http://{at['embed']}/v1", "model": "m", "dimensions": 8, **once}},
                        llm={"model": {"use": "openai", "url": f"http://{at['llm']}/v1", "model": "stub", **once}},
                        health={name: {"use": "instance", name: instance, "every": "1s", "critical": False} for name, instance in (
                            ("storage", "main"), ("cache", "main"), ("vector", "docs"), ("embed", "main"), ("llm", "model"))})
        self.server = enter(self.started(made))
        self.needles = ["oper8or", "hunt3r", "secretbase", "hidden_", "http://127", "redis://", "postgresql://", self.server.folder,
                        "SELECT", "/collections/h", "/v1/chat", "chat/completions", "Errno", "ECONNREFUSED", "refused by"]
        self.needles += [address for address in at.values()] + [":" + address.split(":")[1] for address in at.values()]
        return self

    def started(self, made):
        server = Server(made=made)
        server.conf.setdefault("cache", {})
        made_key = server.run("key", "create", "--name", "all", "--scopes", "*")
        check_equal(made_key.returncode, 0, made_key.stderr)
        reader = server.run("key", "create", "--name", "reader", "--scopes", "retrieval:*")
        self.all, self.reader = made_key.stdout.strip(), reader.stdout.strip()
        return server

    def __exit__(self, *problem):
        self.stack.__exit__(*problem)

    def stream(self, body, key):
        """As bytes, since a stream that has begun may be cut."""
        text = json.dumps(body).encode()
        got = self.server.raw(b"POST /api/v1/answer HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"
                              b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (key.encode(), len(text)) + text)
        check(got, "a stream without a byte")
        return Answer(int(got.split(b" ")[1]), {}, got)

    def ask(self, key):
        """Everything that clients may ask for: (what, answer)."""
        server = self.server
        headers = {"Authorization": "Bearer " + key} if key else {"Accept": "*/*"}
        if key != self.reader:
            for path in ("/health", "/health/ready", "/"):
                yield path, server.get(path, headers=headers)
            yield "search", server.post("/api/v1/search", {"query": "a"}, headers=headers)
            return
        search = {"collection": "docs", "query": "alpha"}
        yield "search", server.post("/api/v1/search", search, headers=headers)
        yield "collections", server.get("/api/v1/collections", headers=headers)
        yield "put", server.post("/api/v1/collections/docs/documents", {"documents": [{"id": "n", "text": f"new {self.number}"}]},
                                 headers=headers)
        yield "lines", server.post("/api/v1/collections/docs/documents", json.dumps({"id": "l", "text": f"l {self.number}"}).encode(),
                                   headers={**headers, "Content-Type": "application/x-ndjson"})
        yield "read", server.get("/api/v1/collections/docs/documents/a", headers=headers)
        yield "new collection", server.post(f"/api/v1/collections/new{self.number}", {}, headers=headers)
        yield "answer", server.post("/api/v1/answer", {**search, "query": None, "question": "alpha?"}, headers=headers)
        yield "stream", self.stream({"collection": "docs", "question": "alpha?", "stream": True}, key)
        yield "chat", server.post("/api/chat", {"message": "alpha?"}, headers=headers)
        yield "tool", call_modern(server, "retrieval.search_documents", {"query": "alpha", "collection": "docs"}, headers=headers)
        yield "list tool", call_modern(server, "retrieval.list_collections", {}, headers=headers)
        for path in ("/health", "/health/ready", "/metrics", "/openapi.json", "/"):
            yield path, server.get(path, headers=headers)


def nothing_of_the_inside_is_told():
    with World() as world:
        server = world.server
        server.key, world.number = world.all, 0
        server.make_collection()
        check(server.put({"id": "a", "text": "alpha beta"}).status in (200, 201), "documents")
        server.key, told = None, set()
        for name, relay in world.relays.items():
            for cut in (relay.refuse, relay.drop):
                world.number += 1
                cut()
                for key in (world.reader, None, "bp_0123456789abcdef_" + "0" * 64):
                    for what, answer in world.ask(key):
                        if what == "/metrics" and key:
                            continue
                        text = answer.body.decode() + "".join(f"{k}: {v}\n" for k, v in answer.headers.items())
                        found = [needle for needle in world.needles if needle in text]
                        check(not found, f"{name} {cut.__name__}: {what} ({answer.status}) tells {found}: {answer.body[:600]!r}")
                        if answer.status in FAILED and b'"error"' in answer.body and answer.headers:
                            told.add((name, answer.headers["X-Request-Id"]))
                relay.go_on()
        log = server.log_lines()
        for name, request_id in told:
            lines = [line for line in log if line.get("request_id") == request_id]
            check(any(str(relay.port) in json.dumps(lines) for relay in world.relays.values()) or
                  any(word in json.dumps(lines) for word in ("places", "longer than the time", "free connection", "cancelled")),
                  f"{name}: the log does not say where it failed: {lines}")
        check(len(told) > 20, f"only {len(told)} requests failed")


if __name__ == "__main__":
    run_tests([nothing_of_the_inside_is_told])

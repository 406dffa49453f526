"""test_lost_stores.py - two deployments on one server of vectors with the default prefix, and servers that lose what they were
given: Redis that was flushed or evicts, Qdrant without its collections, PostgreSQL without the tables of pgvector."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

from backplane_test import SOURCE, Server, check, check_equal, conf, run_tests, wait_until
from embedder_stub import EmbedderStub
from pgvector_server import PgvectorServer
from redis_server import RedisServer

COUNT = 60


def documents(name):
    return [{"id": f"{name}-{i}", "text": f"{name}word{i} of all the others"} for i in range(COUNT)]


def deployment(vector, **more):
    """A server with a storage of its own, on the store that others use as well."""
    return Server(app={"scan": "1s", "verify": "1s"}, vector={"docs": dict(vector)}, **more)


def is_whole(server, name):
    page = server.get("/api/v1/collections/docs")
    if page.status != 200 or page.json["state"] != "ready" or page.json["passages"] != COUNT:
        return False
    return all([hit["document"] for hit in server.search(f"{name}word{i}", mode="words", limit=1)] == [f"{name}-{i}"] for i in range(0, COUNT, 7))


def two_deployments(vector):
    with deployment(vector) as one, deployment(vector) as two:
        for server, name in ((one, "one"), (two, "two")):
            server.make_collection()
            check_equal(server.put(*documents(name)).json["stored"], COUNT, f"stored by {name}")
        for server, name in ((one, "one"), (two, "two")):
            check(is_whole(server, name), f"{name} does not find its own: {server.get('/api/v1/collections/docs').body!r}")
        check_equal(two.request("DELETE", "/api/v1/collections/docs").status, 204, "two deletes its collection")
        time.sleep(1.5)  # a round of upkeep
        check(is_whole(one, "one"), "one has lost documents when two deleted its own")


def loss(vector, lose, lost_part=None):
    with deployment(vector) as server:
        server.make_collection()
        server.put(*documents("a"))
        check(is_whole(server, "a"), "at first")
        lose()
        listed = server.get("/api/v1/collections")
        check_equal(listed.status, 200, f"the list after the loss: {listed.body[:300]!r}")
        answer = server.post("/api/v1/search", {"collection": "docs", "query": "aword7", "limit": 1})
        check_equal((answer.status, answer.json["hits"][:1] and answer.json["hits"][0]["document"]), (200, "a-7"), "found meanwhile")
        wait_until(lambda: is_whole(server, "a"), 30, "what was lost does not come back")
        check(server.find_event("collection_rebuild") or server.find_event("points_missing"), "the log does not say it")
        wait_until(lambda: server.get("/health").json["status"] == "healthy", 20, "health does not recover")
        if lost_part:
            lost_part()
            wait_until(lambda: server.find_event("points_missing"), 30, "a part that is lost is not noticed")
            wait_until(lambda: is_whole(server, "a"), 30, "the part that was lost does not come back")


def redis_is_shared_and_may_lose():
    with RedisServer() as redis:
        vector = {"use": "redis", "url": redis.url}
        two_deployments(vector)

        def evict():  # as maxmemory-policy allkeys-* does: some points go, what counts them stays
            keys = [key for key in redis.command("KEYS", "*:p:*")]
            check(len(keys) >= COUNT, f"{len(keys)} points")
            for key in keys[::2]:
                redis.command("DEL", key)
        loss(vector, lambda: redis.command("FLUSHALL"), evict)


class Stub:
    """Of Qdrant, in a process of its own."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(SOURCE, "tests", "lib", "qdrant_stub.py"), "--port", "0",
                                         "--api-key", "key"], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         headers={"api-key": "key", "content-type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            said = json.loads(answer.read())
            return said["result"] if isinstance(said, dict) and "result" in said else said

    def fail(self, *faults):
        self.ask("PUT", "/_stub/faults", list(faults))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def collections(self):
        return [one["name"] for one in self.ask("GET", "/collections")["collections"]]


def qdrant_is_shared_and_may_lose():
    with contextlib.closing(Stub()) as stub:
        vector = {"use": "qdrant", "url": f"http://127.0.0.1:{stub.port}", "api_key": "key", "statistics": "0"}
        two_deployments(vector)

        def drop():
            for name in stub.collections():
                stub.ask("DELETE", "/collections/" + name)
        loss(vector, drop)


def a_build_hides_no_loss_and_nothing_stops_it():
    """The embedder holds a build up in its middle. Meanwhile a reindex is asked for, points that were built are lost again, and
    the store lets nobody drop a deleted collection."""
    stub, embedder = Stub(), EmbedderStub()
    vector = {"use": "qdrant", "url": f"http://127.0.0.1:{stub.port}", "api_key": "key", "statistics": "0"}
    embed = {"main": {"use": "openai", "url": f"http://127.0.0.1:{embedder.port}/v1", "model": "m", "dimensions": 8,
                      "retries": 0, "critical": False, "breaker_pause": "200ms"}}
    made = Server(app={"scan": "1s", "verify": "0"}, vector={"docs": vector}, embed=embed)
    with contextlib.closing(stub), embedder, made as server:
        server.make_collection("gone")
        gone = stub.collections()[0]
        server.make_collection()
        docs = next(name for name in stub.collections() if name != gone)
        server.put(*documents("a"))
        stub.fail({"path": "/" + gone, "status": 403, "times": 1000})
        check_equal(server.request("DELETE", "/api/v1/collections/gone").status, 204, "deleted, though not dropped")

        def ask():
            return server.post("/api/v1/search", {"collection": "docs", "query": "aword7", "mode": "words"}).json

        def behind():
            return server.get("/api/v1/collections/docs").json.get("behind")
        embedder.unwilling = f"aword{COUNT - 1} "
        stub.ask("DELETE", "/collections/" + docs)
        ask()  # meets the loss
        wait_until(lambda: behind() == 20, 20, "the build does not come to the last documents")
        check("being rebuilt" in ask().get("degraded", ""), f"the search says that points are lost: {ask()}")
        check_equal(server.post("/api/v1/collections/docs/reindex").status, 202, "a reindex")
        check_equal(behind(), COUNT, "documents that the second build has before it")
        check("being rebuilt" in ask().get("degraded", ""), f"and says it after a reindex was asked for: {ask()}")
        embedder.unwilling = f"aword{COUNT - 21} "  # what was built last is built first now
        wait_until(lambda: behind() == 20, 20, "the second build does not come to its last documents")
        ids = [point["id"] for point in stub.ask("POST", f"/collections/{docs}/points/scroll", {"limit": 6})["points"]]
        stub.ask("POST", f"/collections/{docs}/points/delete", {"points": ids[1:]})  # the first is the store's own mark
        embedder.unwilling = ""
        wait_until(lambda: server.find_event("collection_built"), 20, "the build does not end")
        wait_until(lambda: is_whole(server, "a"), 20, "what was lost during the build does not come back")
        check("is swept later" in server.log_text(), "the log says what is not dropped")
        stub.fail()
        wait_until(lambda: stub.collections() == [docs], 20, "the deleted collection stays in the store")


def pgvector_is_shared_and_may_lose():
    with PgvectorServer() as postgres:
        vector = {"use": "pgvector", "url": postgres.url}
        two_deployments(vector)

        def tables():
            return [row[0] for row in postgres.sql("SELECT tablename FROM pg_tables WHERE tablename LIKE 'bpv\\_%'")]

        def drop():
            postgres.sql("DROP TABLE " + ", ".join(tables()))

        def lose_points():
            table = next(name for name in tables() if name.startswith("bpv_points_"))
            postgres.sql(f"DELETE FROM {table} WHERE id % 3 = 0")
        loss(vector, drop, lose_points)


run_tests([redis_is_shared_and_may_lose, qdrant_is_shared_and_may_lose, a_build_hides_no_loss_and_nothing_stops_it,
           pgvector_is_shared_and_may_lose])

"""test_redis_refuses.py - a Redis at maxmemory goes on answering reads, also to a server that starts then; one that has become a
replica is told of in less than three seconds."""
import time

from backplane_test import Server, check, check_equal, check_logged, run_tests, wait_until
from redis_server import RedisServer

QUERY = {"collection": "docs", "query": "alpha word3"}


def fill(server):
    server.make_collection()
    answer = server.put(*({"id": f"d{i}", "text": f"alpha beta gamma word{i}", "metadata": {"n": i}} for i in range(30)))
    check(answer.status in (200, 201, 202), f"documents: {answer.body[:300]!r}")
    wait_until(lambda: len(server.search("alpha word3")) == 10, 20, "the documents are not found")


def check_reads(server):
    answer = server.post("/api/v1/search", QUERY)
    check_equal(answer.status, 200, f"a search: {answer.body[:300]!r}")
    hits = answer.json["hits"]
    check(hits and hits[0]["document"] == "d3" and "vector" in hits[0]["legs"], f"hits: {hits[:1]}")
    filtered = server.post("/api/v1/search", {**QUERY, "filter": {"n": {"gte": 20}}})
    check_equal((filtered.status, len(filtered.json.get("hits", []))), (200, 10), f"with a filter: {filtered.body[:300]!r}")


def at_maxmemory_reads_go_on():
    for stack in (False, True):
        with RedisServer(stack=stack) as redis:
            server = Server(vector={"docs": {"use": "redis", "url": redis.url}})
            with server:
                fill(server)
                redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
                redis.command("CONFIG", "SET", "maxmemory", "1mb")
                check_reads(server)
                refused = server.put({"id": "new", "text": "delta"})
                check(refused.status in (202, 507), f"a write: {refused.status} {refused.body[:300]!r}")
                server.stop()
                server.start()
                check_reads(server)


def a_master_that_became_a_replica_is_told_of_soon():
    with RedisServer() as redis, Server(vector={"docs": {"use": "redis", "url": redis.url}}) as server:
        fill(server)
        redis.command("REPLICAOF", "127.0.0.1", "1")
        started = time.monotonic()
        answer = server.post("/api/v1/collections/other", {}, seconds=30)
        took = time.monotonic() - started
        check_equal(answer.status, 503, f"{answer.body[:300]!r}")
        check_logged(server, "it is a replica")
        check(took < 3, f"it took {took:.2f} s")
        check_reads(server)
        redis.command("REPLICAOF", "NO", "ONE")
        wait_until(lambda: server.post("/api/v1/collections/other", {}, seconds=30).status == 200, 20, "writes do not come back")


if __name__ == "__main__":
    run_tests([at_maxmemory_reads_go_on, a_master_that_became_a_replica_is_told_of_soon])

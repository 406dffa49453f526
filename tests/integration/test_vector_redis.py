"""test_vector_redis.py - vector/redis with RediSearch, in a cluster, and under the app retrieval, where it must rank as the
embedded store does and keep what it acknowledged when Redis is killed."""
import os
import subprocess
import time

from backplane_test import PROGRAM, Server, check, check_equal, run_tests, wait_until
from redis_server import RedisCluster, RedisServer

UNIT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(PROGRAM))), "tests", "unit_plugins_vector_redis_test_redis")
TEXTS = [
    ("Retry-After is given in seconds or as a date", "http"), ("The cache keeps values until they expire", "cache"),
    ("A lock has one owner at a time", "cache"), ("Vectors are searched by their distance", "search"),
    ("Words are weighed by how rare they are", "search"), ("Servers restart and clients connect again", "http"),
    ("Caching servers keep what clients ask for again", "cache"), ("Rare words say more than frequent words", "search"),
]


def conf(url, **options):
    return lambda folder: {
        "data_dir": os.path.join(folder, "data"),
        "server": {"listen": ["127.0.0.1:0"], "workers": 2},
        "storage": {"main": {"use": "sqlite", "path": "backplane.db"}},
        "embed": {"main": {"use": "hash"}},
        "vector": {"docs": {"use": "redis", "url": url, **options} if url else {"use": "local", "path": "docs"}},
        "llm": {"none": {"use": "extractive"}},
        "app": {"retrieval": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["none"]}},
    }


def fill(server):
    server.make_collection()
    answer = server.put(*({"id": f"d{i}", "text": text, "metadata": {"kind": kind}} for i, (text, kind) in enumerate(TEXTS)))
    check(answer.status in (200, 201), f"documents: {answer.body[:300]!r}")


def found(server):
    return [[(hit["document"] if "document" in hit else hit["id"], round(hit["score"], 4)) for hit in server.search(query)]
            for query in ("rare words", "when do clients retry", "caches", "owner of a lock", "the")]


def filtered(server):
    return [[(hit["document"] if "document" in hit else hit["id"], round(hit["score"], 4))
             for hit in server.search("servers and caches", filter=wanted)]
            for wanted in ({"kind": "http"}, {"not": {"kind": "http"}}, {"kind": {"prefix": "se"}}, {"kind": {"exists": False}})]


def run_unit(url):
    if not os.path.exists(UNIT):
        return
    done = subprocess.run([UNIT], env=dict(os.environ, BP_REDIS_URL=url), capture_output=True, text=True, timeout=170,
                          check=False)
    check_equal(done.returncode, 0, f"the unit tests on {url}: {(done.stdout + done.stderr)[-1500:]}")


def with_redisearch_all_is_as_in_the_embedded_store():
    with RedisServer(stack=True) as redis:
        run_unit(redis.url)
        with Server(made=conf(redis.url)) as server:
            fill(server)
            check(len(redis.command("FT._LIST")) >= 1, "an index was made")
            name = redis.command("FT._LIST")[0]
            told = redis.command("FT.INFO", name)
            check(b"HNSW" in repr(told).encode(), f"of kind HNSW: {told}")
            with Server(made=conf(None)) as other:
                fill(other)
                check_equal(found(server), found(other), "rankings")
                check_equal(filtered(server), filtered(other), "with filters")
            before = filtered(server)
        # A collection of an earlier build: the index knows nothing of the metadata.
        meta = next(key for key in redis.command("KEYS", "bp:{v:*}") if redis.command("HGET", key, "tags") == b"1")
        redis.command("HDEL", meta, "tags")
        with Server(made=conf(redis.url)) as server:
            server.post("/api/v1/collections/docs", {})
            fill(server)
            check_equal(filtered(server), before, "with filters, without tags")


def a_search_is_one_trip():
    """But for the first of each worker, which looks at the collection's record."""
    def calls(redis, name):
        for line in redis.command("INFO", "commandstats").decode().split("\r\n"):
            if line.lower().startswith(f"cmdstat_{name}:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0
    with RedisServer(stack=True) as redis, Server(made=conf(redis.url)) as server:
        fill(server)
        for _ in range(20):
            server.search("servers", mode="vector")
        before = [calls(redis, name) for name in ("ft.search", "hmget")]
        for _ in range(50):
            server.search("servers", mode="vector")
        after = [calls(redis, name) for name in ("ft.search", "hmget")]
        check_equal(after[0] - before[0], 50, "searches")
        check(after[1] - before[1] <= 2, f"records read: {after[1] - before[1]}")


def in_a_cluster_all_is_as_in_the_embedded_store():
    with RedisCluster() as redis:
        run_unit(redis.url)


def what_needs_the_module_is_refused_without_it():
    with RedisServer() as redis, Server(made=conf(redis.url, index="hnsw")) as server:
        answer = server.post("/api/v1/collections/docs", {})
        check("RediSearch" in answer.message, answer.message)


def acknowledged_documents_survive_a_kill_of_redis():
    with RedisServer(options=["--appendonly", "yes", "--appendfsync", "always"]) as redis, \
            Server(made=conf(redis.url)) as server:
        fill(server)
        before = found(server)
        redis.kill()
        answer = server.post("/api/v1/search", {"collection": "docs", "query": "rare words"})
        check(answer.status in (502, 503) and "Redis at 127.0.0.1" in answer.message, f"{answer.status} {answer.body[:300]!r}")
        redis.start()
        answers_in_a_row = [0]  # of both workers, whose breakers may be open for some seconds

        def is_back():
            status = server.post("/api/v1/search", {"collection": "docs", "query": "rare words"}).status
            answers_in_a_row[0] = answers_in_a_row[0] + 1 if status == 200 else 0
            return answers_in_a_row[0] >= 20
        wait_until(is_back, 60, "the search does not come back")
        check_equal(found(server), before, "after the restart")


def documents_written_while_redis_is_killed_are_whole_or_not_there():
    with RedisServer(options=["--appendonly", "yes", "--appendfsync", "always"]) as redis, \
            Server(made=conf(redis.url)) as server:
        fill(server)
        kept = []
        for round_ in range(3):
            for i in range(5):
                if server.put({"id": f"r{round_}-{i}", "text": f"marker{round_}x{i} among other words"}).status in (200, 201):
                    kept.append(f"marker{round_}x{i}")
                if i == 2:
                    redis.kill()
                    redis.start()
                    time.sleep(0.1)
        wait_until(lambda: server.post("/api/v1/search", {"collection": "docs", "query": "rare words"}).status == 200, 60,
                   "the search does not come back")
        check(len(kept) >= 6, f"most were acknowledged: {kept}")
        for word in kept:
            hits = wait_until(lambda word=word: server.search(word), 20, f"{word} is not found")
            check(any(word in str(hit) for hit in hits), f"{word} was acknowledged and is not there: {hits[:1]}")


run_tests([with_redisearch_all_is_as_in_the_embedded_store, a_search_is_one_trip,
           in_a_cluster_all_is_as_in_the_embedded_store,
           what_needs_the_module_is_refused_without_it, acknowledged_documents_survive_a_kill_of_redis,
           documents_written_while_redis_is_killed_are_whole_or_not_there])

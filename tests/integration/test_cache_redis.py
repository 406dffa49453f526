"""test_cache_redis.py - cache/redis in real servers: many fibers on one connection, faults of Redis in mid-operation, TLS,
ACL, Sentinels, a cluster, and two processes that count as one."""
import os
import threading
import time

from backplane_test import Server, check, check_equal, check_logged, run_tests, wait_until
from redis_server import RedisCluster, RedisError, RedisSentinels, RedisServer

FIXTURES = os.environ["BACKPLANE_FAULT_PLUGINS"]


def conf(url, workers=2, **options):
    return lambda folder: {
        "data_dir": os.path.join(folder, "data"),
        "plugins": [FIXTURES],
        "server": {"listen": ["127.0.0.1:0"], "workers": workers},
        "cache": {"main": {"use": "redis", "url": url, **options}},
        "app": {"cached": {"cache": "main"}},
    }


def run(server, op, key="k", **more):
    answer = server.post("/cached/run", {"op": op, "key": key, **more}, seconds=60)
    check_equal(answer.status, 200, f"{op}: {answer.body[:300]!r}")
    return answer.json


def load(server, op="get", fibers=50, each=200, **more):
    answer = server.post("/cached/load", {"op": op, "key": "load", "value": "v" * 100, "fibers": fibers, "each": each,
                                          **more}, seconds=170)
    check_equal(answer.status, 200, f"load: {answer.body[:300]!r}")
    return answer.json


def ok(server, op, key="k", **more):
    answer = run(server, op, key, **more)
    check_equal(answer["status"], "ok", f"{op} {key}: {answer['message']}")
    return answer


def set_until_ok(server, key, value, seconds=60):
    wait_until(lambda: run(server, "set", key, value=value)["status"] == "ok" and
               run(server, "get", key).get("value") == value, seconds, "the cache does not come back")


def many_fibers_share_a_connection_without_mixing_answers():
    with RedisServer() as redis, Server(made=conf(redis.url)) as server:
        check_equal(load(server, "set")["failed"], 0, "sets")
        found = load(server, "get")
        check_equal((found["done"], found["failed"]), (10000, 0), "gets")
        threads, wrong = [], []

        def ask(i):
            for n in range(50):
                ok(server, "set", f"key {i} {n}", value=f"value {i} {n}" * (1 + n * 20))
                if ok(server, "get", f"key {i} {n}")["value"] != f"value {i} {n}" * (1 + n * 20):
                    wrong.append((i, n))
        for i in range(8):
            threads.append(threading.Thread(target=ask, args=(i,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        check_equal(wrong, [], "answers that belonged to somebody else")
        clients = redis.command("CLIENT", "LIST").decode()
        check(clients.count("name=backplane") <= 2, f"one connection a worker: {clients}")


def eight_mebibytes_go_there_and_back_beside_small_ones():
    with RedisServer() as redis, Server(made=conf(redis.url)) as server:
        def big():
            for i in range(5):
                ok(server, "set", f"big{i}", repeat=8 << 20)
                check_equal(ok(server, "length", f"big{i}")["length"], 8 << 20, "the big value")
        thread = threading.Thread(target=big)
        thread.start()
        while thread.is_alive():
            check_equal(load(server, "set", 10, 20)["failed"], 0, "small ones meanwhile")
        thread.join()
        ok(server, "length", "big4")


def clients_that_go_away_do_not_disturb_the_others():
    with RedisServer() as redis, Server(made=conf(redis.url, workers=1)) as server:
        ok(server, "set", "big", repeat=8 << 20)
        ok(server, "set", "small", value="small")
        for i in range(30):
            connection = server.connect()
            connection.request("POST", "/cached/run", body=b'{"op":"get","key":"big"}')
            time.sleep(0.001 * (i % 10))
            connection.sock.close()
            check_equal(ok(server, "get", "small")["value"], "small", f"after client {i} went away")
        check_equal(server.metric("cache_redis_connections_total", outcome="again"), 0, "connections lost")


def a_restart_under_load_loses_no_idempotent_operation():
    with RedisServer() as redis, Server(made=conf(redis.url, values_when_down="closed")) as server:
        ok(server, "set", value="x")
        results = []
        thread = threading.Thread(target=lambda: results.append(load(server, "set", 20, 3000)))
        thread.start()
        time.sleep(0.3)
        redis.restart()
        thread.join()
        set_until_ok(server, "after", "1")
        check(results[0]["done"] > 0, f"some were done: {results}")
        # The last failure is Redis' own, or that of the host, which leaves it alone for a while after some of them.
        check(results[0]["failed"] == 0 or "Redis at" in results[0]["why"] or "is left alone" in results[0]["why"],
              f"the sentence: {results[0]['why']}")
        # Whose worker had a connection before: calls come to either.
        wait_until(lambda: run(server, "set", "again", value="1")["status"] and
                   server.metric("cache_redis_connections_total", outcome="again") >= 1, 60, "it does not connect again")


def a_silent_server_ends_in_a_sentence_and_comes_back():
    with RedisServer() as redis, Server(made=conf(redis.url, timeout="500ms", connect_timeout="500ms")) as server:
        ok(server, "set", value="x")
        redis.pause()
        try:
            check_equal(run(server, "get")["status"], "not_found", "a value, open")
            answer = run(server, "lock", owner="me", hold_ms=1000)
            check_equal(answer["status"], "unavailable", "a lock, closed")
            check_logged(server, "Redis at 127.0.0.1")
            check(any(word in server.log_text() for word in ("silent for", "did not answer", "attempt")), "what was waited for")
        finally:
            redis.go_on()
        set_until_ok(server, "after", "1")


def a_server_that_is_down_is_named_by_health():
    def made(folder):
        return dict(conf(redis.url)(folder), health={"redis": {"use": "instance", "cache": "main", "every": "1s"}})

    with RedisServer() as redis, Server(made=made) as server:
        ok(server, "set", value="x")
        redis.kill()

        def is_down():
            text = server.get("/health").body.decode()
            return "cannot use Redis at 127.0.0.1" in text and "Connection refused".lower() in text.lower() and text
        text = wait_until(is_down, 30, "health does not say it")
        check("attempt" in text and "check that it runs" in text, text)
        redis.start()
        wait_until(lambda: "cannot use Redis" not in server.get("/health").body.decode(), 40, "health is well again")


def wrong_passwords_are_said_and_right_ones_work():
    with RedisServer(password="s3cret words") as redis:
        address = f"127.0.0.1:{redis.port}"
        with Server(made=conf(f"redis://{address}", password="wrong-one")) as server:
            answer = run(server, "lock", owner="me", hold_ms=1000)
            check_logged(server, "refused the login", "password")
            check("wrong-one" not in answer["message"] + server.log_text(), "the password is shown")
        with Server(made=conf(f"redis://{address}")) as server:
            run(server, "lock", owner="me", hold_ms=1000)
            check_logged(server, "it wants a password")
        with Server(made=conf(f"redis://:s3cret%20words@{address}/3")) as server:
            ok(server, "set", value="x")
        connection = redis.connect()
        connection.command("SELECT", 3)
        check_equal(connection.command("GET", "bp:v:k"), b"x", "in database 3")
        connection.command("ACL", "SETUSER", "app", "on", ">pw", "~bp:*", "+@all", "-@admin", "-info")
        with Server(made=conf(f"redis://{address}", username="app", password="pw")) as server:
            ok(server, "set", value="x")
            run(server, "stats")
            check_logged(server, "NOPERM")
        with Server(made=conf(f"redis://{address}", username="app", password="pw", prefix="other:")) as server:
            run(server, "lock", owner="me", hold_ms=1000)
            check_logged(server, "the ACL of our user forbids it")
        connection.close()


def tls_is_checked():
    with RedisServer(tls=True, password="pw") as redis:
        with Server(made=conf(redis.url, ca=redis.ca)) as server:
            ok(server, "set", value="x" * 100000)
            check_equal(len(ok(server, "get")["value"]), 100000, "through TLS")
            check_equal(load(server, "set", 20, 100)["failed"], 0, "many through TLS")
        with Server(made=conf(redis.url)) as server:
            answer = run(server, "lock", owner="me", hold_ms=1000)
            check_equal(answer["status"], "unavailable", "a CA nobody knows")
            check_logged(server, "certificate")
        with Server(made=conf(redis.url, ca=redis.ca, server_name="elsewhere.example")) as server:
            check_equal(run(server, "lock", owner="me", hold_ms=1000)["status"], "unavailable", "another name")


def the_master_that_sentinels_name_is_followed():
    with RedisSentinels() as redis, \
            Server(made=conf(redis.url, hosts=redis.hosts, values_when_down="closed")) as server:
        ok(server, "set", "before", value="x")
        wait_until(lambda: redis.replica.command("GET", "bp:v:before") == b"x", 30, "replication")
        redis.master.kill()
        redis.sentinels[0].kill()
        set_until_ok(server, "after", "1", 90)
        check_equal(redis.replica.command("GET", "bp:v:after"), b"1", "on the new master")
        # The other worker may still be waiting before it tries to connect again.
        wait_until(lambda: run(server, "get", "before").get("value") == "x", 60, "what was replicated is not there")


def a_cluster_is_followed_through_moves():
    with RedisCluster() as redis, Server(made=conf(redis.url)) as server:
        for i in range(200):
            ok(server, "set", f"key{i}", value=str(i))
        check_equal([ok(server, "get", f"key{i}")["value"] for i in range(200)], [str(i) for i in range(200)], "values")
        check(all(node.command("DBSIZE") > 30 for node in redis.nodes), "all nodes have some")
        for i in range(20):
            check(ok(server, "reserve", f"budget{i}", period="p", limit=10, amount=10, hold_ms=60000, owner="a")["granted"],
                  "a budget of a cluster")
            ok(server, "settle", f"budget{i}", period="p", owner="a", amount=10)
        slot = redis.nodes[0].command("CLUSTER", "KEYSLOT", "bp:v:key7")
        owner = next(n for i, n in enumerate(redis.nodes) if [0, 5461, 10922, 16384][i + 1] > slot)
        target = next(n for n in redis.nodes if n is not owner)
        for _ in redis.move_slot(slot, owner, target):
            check_equal(ok(server, "get", "key7")["value"], "7", "while its slot moves and after")
            ok(server, "set", "key7", value="7")
        check_equal(ok(server, "remove_prefix", "key")["removed"], 200, "by prefix, on all nodes")
        check(ok(server, "stats")["entries"] > 0, "figures of all nodes")


def two_processes_are_exact_together():
    with RedisServer() as redis, Server(made=conf(redis.url)) as one, Server(made=conf(redis.url)) as two:
        results = []
        threads = [threading.Thread(target=lambda s=s: results.append(load(s, "take", 50, 40, limit=1000)))
                   for s in (one, two, one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check_equal(sum(r["failed"] for r in results), 0, f"failures: {results}")
        check_equal(sum(r["granted"] for r in results), 1000, "granted by both")
        spent = [0, 0]

        def spend(i, server):
            for n in range(60):
                if ok(server, "reserve", "b", period="p", limit=80, amount=1, hold_ms=600000, owner=f"{i}-{n}")["granted"]:
                    ok(server, "settle", "b", period="p", owner=f"{i}-{n}", amount=1)
                    spent[i] += 1
        inside, most = [0], [0]

        def lock(server, name):
            for _ in range(30):
                while run(server, "lock", "l", owner=name, hold_ms=60000)["status"] != "ok":
                    time.sleep(0.001)
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                ok(server, "unlock", "l", owner=name)
        threads = [threading.Thread(target=spend, args=(i, s)) for i, s in enumerate((one, two))]
        threads += [threading.Thread(target=lock, args=(s, n)) for s, n in ((one, "a"), (two, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check_equal(sum(spent), 80, "spent by both")
        check_equal(most[0], 1, "owners of the lock at a time")


def a_full_server_says_so():
    with RedisServer(options=["--maxmemory", "3mb"]) as redis, \
            Server(made=conf(redis.url, values_when_down="closed")) as server:
        statuses = [run(server, "set", f"k{i}", repeat=1 << 18) for i in range(30)]
        failed = [s for s in statuses if s["status"] != "ok"]
        check(failed, "it takes more than it may hold")
        check_logged(server, "maxmemory")
        try:
            redis.command("CONFIG", "SET", "maxmemory", "0")
        except RedisError as error:
            raise AssertionError(str(error)) from error
        set_until_ok(server, "after", "1")


run_tests([many_fibers_share_a_connection_without_mixing_answers, eight_mebibytes_go_there_and_back_beside_small_ones,
           clients_that_go_away_do_not_disturb_the_others, a_restart_under_load_loses_no_idempotent_operation,
           a_silent_server_ends_in_a_sentence_and_comes_back, a_server_that_is_down_is_named_by_health,
           wrong_passwords_are_said_and_right_ones_work, tls_is_checked, the_master_that_sentinels_name_is_followed,
           a_cluster_is_followed_through_moves, two_processes_are_exact_together, a_full_server_says_so])

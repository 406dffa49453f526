"""test_two_processes.py - two Backplanes on one PostgreSQL and one Redis are one: what is written through either is read through
the other at once, limits and budgets are counted together, and when either is killed nothing acknowledged is lost."""
import concurrent.futures
import http.client
import json
import os
import random
import threading
import time

import backends
from backplane_test import Server, check, check_equal, run_tests, skip, wait_until
from pgvector_server import PgvectorServer
from redis_server import RedisServer

FIXTURES = os.environ["BACKPLANE_FAULT_PLUGINS"]
KILLS = 10
ACCEPT = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}

if not backends.is_embedded():
    skip("it has back ends of its own")


def conf(url, redis, name, **server):
    def made(folder):
        return {"data_dir": os.path.join(folder, "data"), "plugins": [FIXTURES],
                "server": {"listen": ["127.0.0.1:0"], "workers": 2, "access_log": "off", **server},
                "storage": {"main": {"use": "postgres", "url": url, "pool_max": 4}},
                "vector": {"docs": {"use": "pgvector", "url": url, "pool_max": 4}},
                "cache": {"main": {"use": "redis", "url": redis, "prefix": name + ":"}},
                "embed": {"main": {"use": "hash"}}, "llm": {"none": {"use": "extractive"}},
                "app": {"retrieval": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["none"]},
                        "journal": {"storage": "main", "vector": "docs", "embed": "main"},
                        "knowledge": {"storage": "main", "refresh": 0}, "cached": {"cache": "main"}}}
    return made


class Pair:
    """Two processes of one deployment: with Pair("name") as (one, two)."""

    def __init__(self, name, **server):
        url = postgres.create_database(name)
        self.servers = [Server(made=conf(url, redis.url, name, **server)) for _ in range(2)]

    def __enter__(self):
        for server in self.servers:
            server.start()
        return self.servers

    def __exit__(self, *problem):
        for server in self.servers:
            server.__exit__(*problem)


def tool(server, name, **arguments):
    params = {"name": name, "arguments": arguments, "_meta": META}
    answer = server.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, seconds=60, headers={
        "Accept": "application/json, text/event-stream", "Content-Type": "application/json",
        "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name})
    check_equal(answer.status, 200, f"{name}: {answer.body[:300]!r}")
    body = answer.json if answer.body.lstrip().startswith(b"{") else answer.events()[-1][1]
    check("result" in body, f"{name}: {body}")
    return body["result"]


def cached(server, op, **more):
    answer = server.post("/cached/run", {"op": op, **more})
    check_equal(answer.status, 200, f"{op}: {answer.body[:300]!r}")
    return answer.json


def both_at_once(servers, work, each):
    """work(server, i) `each` times on either, eight at a time."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return [f.result() for f in [pool.submit(work, servers[i % 2], i) for i in range(each * 2)]]


def what_one_writes_the_other_reads_at_once():
    with Pair("shared") as (one, two):
        one.make_collection()
        for i in range(10):
            writer, reader = (one, two) if i % 2 else (two, one)
            check_equal(writer.put({"id": f"d{i}", "text": f"unique{i} words"}).status, 200, "a document")
            check("d%d" % i in json.dumps(reader.search(f"unique{i}", mode="words")), f"document {i} is not found by the other")
            tool(writer, "create_entities", entities=[{"name": f"e{i}", "entityType": "t", "observations": [f"o{i}"]}])
            check(f"o{i}" in json.dumps(tool(reader, "open_nodes", names=[f"e{i}"])), f"entity {i} is not seen by the other")
            tool(writer, "add_observations", observations=[{"entityName": f"e{i}", "contents": ["second"]}])
            check("second" in json.dumps(tool(reader, "open_nodes", names=[f"e{i}"])), f"observation {i} is not seen")
            cached(writer, "set", key=f"k{i}", value=f"v{i}")
            check_equal(cached(reader, "get", key=f"k{i}").get("value"), f"v{i}", "a cached value")
        tool(one, "start_working_on", task="both")
        check("already active" in json.dumps(tool(two, "start_working_on", task="again")), "a second session was begun")
        tool(two, "end_work_session", what_i_learned=["that it is one"])
        check("already active" not in json.dumps(tool(one, "start_working_on", task="next")), "the session was not ended")


def initialize(server):
    answer = server.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {"elicitation": {}}, "clientInfo": {"name": "pair", "version": "1"}}},
        headers=ACCEPT)
    check_equal(answer.status, 200, f"initialize: {answer.body[:300]!r}")
    return {**ACCEPT, "Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}


def in_session(server, headers, method="tools/list", **more):
    return server.post("/mcp", {"jsonrpc": "2.0", "id": 2, "method": method}, headers=headers, **more)


def an_mcp_session_is_one_and_outlives_the_process_that_opened_it():
    with Pair("mcp") as (one, two):
        headers, ended = initialize(one), initialize(two)
        for server in (one, two, one):
            answer = in_session(server, headers)
            check_equal(answer.status, 200, f"a request of the session: {answer.body[:300]!r}")
            check(b"create_entities" in answer.body, f"its answer: {answer.body[:300]!r}")
        check_equal(in_session(two, {**headers, "Mcp-Session-Id": "0" * 32}).status, 404, "a session that nobody opened")
        check_equal(in_session(one, ended).status, 200, "the other session")
        check_equal(one.request("DELETE", "/mcp", headers=ended).status, 204, "ended at the one")
        wait_until(lambda: in_session(two, ended).status == 404, 20, "it goes on at the other")
        check_equal(in_session(one, ended).status, 404, "it comes back at the one")
        one.kill()
        check_equal(in_session(two, headers).status, 200, "its process was killed")
        one.start()
        check_equal(in_session(one, headers).status, 200, "its process was started anew")


def nobody_takes_over_the_mcp_session_of_another():
    with Pair("keyed", auth={"mode": "keys", "storage": "main"}) as (one, two):
        keys = []
        for tenant in ("a", "b"):
            done = one.run("key", "create", "--name", "of " + tenant, "--tenant", tenant, "--scopes", "*")
            check_equal(done.returncode, 0, f"key create: {done.stderr}")
            keys.append(done.stdout.split()[0])
        one.key = two.key = keys[0]
        headers = initialize(one)
        two.key = keys[1]
        check_equal(in_session(two, headers).status, 404, "another key at the other process")
        check_equal(two.request("DELETE", "/mcp", headers=headers).status, 404, "ended by another key")
        two.key = keys[0]
        check_equal(in_session(two, headers).status, 200, "its own key at the other process")


def limits_and_budgets_are_exact_together():
    with Pair("limits") as servers:
        taken = both_at_once(servers, lambda server, i: cached(server, "take", key="rate", limit=50, hold_ms=600000, amount=1), 80)
        check_equal(sum(t["granted"] for t in taken), 50, "granted of a limit of 50")

        def spend(server, i):
            granted = cached(server, "reserve", key="b", period="p", limit=30, amount=1, hold_ms=600000, owner=str(i))["granted"]
            if granted:
                cached(server, "settle", key="b", period="p", owner=str(i), amount=1)
            return granted
        check_equal(sum(both_at_once(servers, spend, 60)), 30, "spent of a budget of 30")


def the_servers_own_rate_limit_is_one():
    with Pair("rates", rate_per_minute=100) as servers:
        started = time.monotonic()
        statuses = both_at_once(servers, lambda server, i: server.post("/cached/run", {"op": "get", "key": "k"}).status, 120)
        refilled = int((time.monotonic() - started) / 60 * 100) + 1
        check(100 <= statuses.count(200) <= 100 + refilled, f"{statuses.count(200)} of 100 a minute were let in by both")
        check_equal(set(statuses), {200, 429}, "statuses")


def what_must_be_unique_is_unique_whoever_is_first():
    with Pair("unique_ones") as servers:
        began = both_at_once(servers, lambda server, i: json.dumps(tool(server, "start_working_on", task=f"t{i}")), 10)
        check_equal(sum("already active" not in text for text in began), 1, "sessions that were begun")
        both_at_once(servers, lambda server, i: tool(server, "create_entities", entities=[
            {"name": f"same{i % 5}", "entityType": "t", "observations": [f"o{i}"]}]), 10)
        names = [row[0] for row in postgres.sql("SELECT name FROM knowledge_entities", "unique_ones")]
        check_equal(sorted(names), [f"same{i}" for i in range(5)], "entities")


def either_is_killed_and_nothing_acknowledged_is_lost():
    chance, acknowledged, is_over = random.Random(7), [], threading.Event()
    answered, refused, wrong = [0, 0], [0, 0], []
    with Pair("killed") as servers:
        servers[0].make_collection()
        is_up = [threading.Event(), threading.Event()]

        def write(i, k):
            n = 0
            while not is_over.is_set():
                is_up[i].wait(1)
                n += 1
                name = f"w{i}x{k}x{n}"
                try:
                    status = servers[i].put({"id": name, "text": f"marker{name} here"}, seconds=60).status
                    tool(servers[i], "create_entities", entities=[{"name": name, "entityType": "t", "observations": ["o"]}])
                except (OSError, http.client.HTTPException):
                    time.sleep(0.02)  # killed
                    continue
                except AssertionError as problem:
                    wrong.append(str(problem)[:300])
                    continue
                if status == 200:
                    acknowledged.append(name)
                    answered[i] += 1
                else:
                    refused[i] += 1
        for event in is_up:
            event.set()
        threads = [threading.Thread(target=write, args=(i, k)) for i in range(2) for k in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.05, 0.5))
                victim = chance.randrange(2)
                is_up[victim].clear()
                servers[victim].kill()
                before = answered[1 - victim]
                wait_until(lambda: answered[1 - victim] > before + 2, 40, "the other one does not answer")
                servers[victim].start(60)
                is_up[victim].set()
                before = answered[victim]
                wait_until(lambda: answered[victim] > before, 40, "the one that was killed does not come back")
        finally:
            is_over.set()
            for event in is_up:
                event.set()
            for thread in threads:
                thread.join()
        check_equal(wrong[:2], [], "answers nobody expects")
        documents = [row[0] for row in postgres.sql("SELECT external_id FROM retrieval_documents", "killed")]
        entities = [row[0] for row in postgres.sql("SELECT name FROM knowledge_entities", "killed")]
        check_equal([n for n in acknowledged if n not in set(documents)], [], "documents acknowledged and lost")
        check_equal([n for n in acknowledged if n not in set(entities)], [], "entities acknowledged and lost")
        check_equal((len(documents), len(entities)), (len(set(documents)), len(set(entities))), "no duplicates")
        for name in chance.sample(acknowledged, min(20, len(acknowledged))):
            check(servers[0].search("marker" + name, mode="words", limit=3), f"{name} is not found")
        check(len(acknowledged) > 4 * KILLS, f"only {len(acknowledged)} writes under {KILLS} kills")
        print(f"figures kills {KILLS} acknowledged {len(acknowledged)} refused {sum(refused)} lost 0")


postgres, redis = PgvectorServer(settings=["max_connections=300"]), RedisServer()
with postgres, redis:
    run_tests([what_one_writes_the_other_reads_at_once, an_mcp_session_is_one_and_outlives_the_process_that_opened_it,
               nobody_takes_over_the_mcp_session_of_another, limits_and_budgets_are_exact_together, the_servers_own_rate_limit_is_one, what_must_be_unique_is_unique_whoever_is_first,
               either_is_killed_and_nothing_acknowledged_is_lost])

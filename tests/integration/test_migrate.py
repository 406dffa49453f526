"""test_migrate.py - `backplane migrate`: a deployment moves to other back ends and back, and its apps cannot tell.

One server on the embedded back ends is filled by each app. Its data go to PostgreSQL with pgvector, from there to Qdrant's
stub, to Redis and back into files; after each step a server on the new back ends must answer as the first one did. Then moves
are killed, stopped, refused and tampered with.
"""
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

from backplane_test import PROGRAM, SOURCE, Server, check, check_equal, rows, run, run_tests
from mcp_test import call_modern, message_of
from pgvector_server import PgvectorServer
from redis_server import RedisServer

AWKWARD = ["Ω≈ç√∫˜µ≤≥÷", "田中さんにあげて下さい", "שלום ؿ العربية", "𝒽𝑒𝓁𝓁𝑜 👩‍👩‍👧‍👦 🇫🇷", "'; DROP TABLE retrieval_documents; --", "\\x00 \\N \\. \"q\" ''",
           "tab\there\nline\r\nand \u2028\u2029 \ufeff", "a\u0301\u0302\u0303 ﷽", "%s %n $1 {} ${x}", "z" * 100000, "\u202eright to left",
           "<script>alert(1)</script>", "1e999 NaN -0 0x1p3", "\ufffd \uffff \U0010ffff", "    "]
WORDS = "train coffee office approval flight class money kitchen trip tea ticket night hotel station warm cold engine wing".split()
QUESTIONS = ["train coffee", "flight approval of the office", "engine", "田中", "drop table", "hello 👩", "zzz", "money kitchen night"]
KEY = "0123456789abcdef" * 4


class Deployment:
    """A conf in a folder; `storage` and `vector` as in a conf. Nothing runs until `with deployment.server() as s`."""

    def __init__(self, storage=None, vector=None, **more):
        self.folder = tempfile.mkdtemp(prefix="backplane-migrate-")
        self.conf_path = os.path.join(self.folder, "backplane.yaml")
        self.made = {
            "data_dir": os.path.join(self.folder, "data"),
            "server": {"listen": ["127.0.0.1:0"], "workers": 2, "auth": {"mode": "keys", "storage": "main"}},
            "storage": {"main": storage or {"use": "sqlite", "path": "backplane.db"}},
            "embed": {"main": {"use": "hash"}},
            "vector": {"docs": vector or {"use": "local", "path": "docs"}},
            "llm": {"none": {"use": "extractive"}},
            "app": {"retrieval": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["none"]},
                    "journal": {"storage": "main", "vector": "docs", "embed": "main"},
                    "knowledge": {"storage": "main", "key": KEY},
                    "questioning": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["none"]}}, **more}
        self.key = None
        with open(self.conf_path, "w") as file:
            json.dump(self.made, file)

    @property
    def database(self):
        return os.path.join(self.folder, "data", "backplane.db")

    def server(self, key=None):
        return Server(folder=self.folder, made=self.made, key=key)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


made = []


def deployment(*arguments, **more):
    made.append(Deployment(*arguments, **more))
    return made[-1]


def migrate(source, target, *more, wanted=0):
    done = run("migrate", "--from", source.conf_path, "--to", target.conf_path, "--json", *more, seconds=500)
    check_equal(done.returncode, wanted, f"migrate {more}: {done.stdout[-1500:]} {done.stderr[-1500:]}")
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.stderr


def differences(report):
    return [f"{item['kind']} {item['name']}: {item['difference']}" for item in report["items"] if "difference" in item]


# ---- what the apps hold, and what they answer ----

def tool(server, name, **arguments):
    answer = call_modern(server, name, arguments, seconds=60)
    check_equal(answer.status, 200, f"{name}: {answer.body!r}")
    body = message_of(answer)
    check("result" in body and not body["result"].get("isError"), f"{name}: {body}")
    return body["result"].get("structuredContent") or body["result"]


def documents(count, seed=7):
    chance = random.Random(seed)
    for number, text in enumerate(AWKWARD):
        yield {"id": f"awkward {number} {text[:12]}", "title": text[:50], "text": text + " and some words behind it",
               "metadata": {"text": text[:200], "number": number, "share": number / 7, "yes": number % 2 == 0,
                            "many": [text[:20], "two"], "large": 2 ** 40 + number}}
    for number in range(count):
        yield {"id": f"d{number}", "title": f"Title {number}", "text": " ".join(chance.choices(WORDS, k=chance.randint(5, 400))) + ".",
               "metadata": {"year": chance.randint(1950, 2020), "kind": chance.choice(["report", "note"]), "score": chance.random()}}


def put_all(server, count, collection="docs"):
    body = b"".join(json.dumps(document).encode() + b"\n" for document in documents(count))
    answer = server.post(f"/api/v1/collections/{collection}/documents", body, seconds=150, headers={"Content-Type": "application/x-ndjson"})
    check_equal((answer.status, answer.json["refused"]), (200, 0), f"{answer.body[:800]}")


def fill(server):
    server.make_collection("docs")
    server.make_collection("other", language="de")
    put_all(server, 150)
    check_equal(server.put({"id": "x", "text": "Die Häuser der Stadt"}, collection="other").json["stored"], 1, "German")
    graph = [{"type": "entity", "name": f"entity {n} {text[:30]}", "entityType": "awkward", "observations": [text, "second"]}
             for n, text in enumerate(AWKWARD)]
    graph += [{"type": "relation", "from": graph[0]["name"], "to": graph[1]["name"], "relationType": "is ≠"}]
    lines = "".join(json.dumps(each) + "\n" for each in graph).encode()
    answer = server.post("/api/knowledge/import", lines, headers={"Content-Type": "application/x-ndjson"})
    check_equal((answer.status, answer.json["entities"]), (200, len(AWKWARD)), f"{answer.body!r}")
    for number, text in enumerate(AWKWARD):
        tool(server, "capture_win", win=text[:400] + f" win {number}")
        tool(server, "add_memory_note", content=text[:400] + f" note {number}")
    check(tool(server, "start_working_on", task="moving house 📦")["success"], "start")
    check(tool(server, "end_work_session", what_i_learned=["to count boxes"])["success"], "end")
    stored = server.post("/store", {"user_id": "ann", "memory_type": "facts", "data": {"pin": "4711", "text": AWKWARD[3]}}).json
    asked = server.post("/mcp-internal/question", {"user_id": "ann", "context": "Travel insurance"}, seconds=60)
    check_equal(asked.status, 200, f"{asked.body!r}")
    return {"memory": stored["memory_id"], "conversation": asked.json["conversation_id"]}


def body_of(answer):
    check_equal(answer.status, 200, f"{answer.body!r}")
    return answer.body


def ask_all(server, ids):
    """What may be compared as it is, and the hits of searches, whose scores may differ in the last digits."""
    exact = {"collections": json.loads(body_of(server.get("/api/v1/collections"))),
             "documents": json.loads(body_of(server.get("/api/v1/collections/docs/documents?limit=100"))),
             "graph": body_of(server.get("/api/knowledge/export")),
             "memory": json.loads(body_of(server.post("/retrieve", {"user_id": "ann", "memory_id": ids["memory"]})))["data"],
             "messages": json.loads(body_of(server.get("/api/messages?conversation_id=" + ids["conversation"]))),
             "sessions": json.loads(body_of(server.get("/api/journal/sessions")))}
    for number, text in enumerate(AWKWARD):
        name = f"awkward {number} {text[:12]}"
        exact[name] = json.loads(body_of(server.get("/api/v1/collections/docs/documents/" + urllib.parse.quote(name, safe=""))))
    hits = {}
    for question in QUESTIONS:
        for mode in ("words", "vector", "hybrid"):
            hits[(question, mode)] = server.search(question, mode=mode, limit=10)
    hits["German"] = server.search("Haus", collection="other")
    hits["filter"] = server.search("train", filter={"field": "year", "gte": 1990}, limit=10)
    return exact, hits


def check_alike(found, wanted, where):
    for name, value in wanted[0].items():
        check_equal(found[0][name], value, f"{where}: {name}")
    for question, there in wanted[1].items():
        here = found[1][question]
        check_equal(len(here), len(there), f"{where}: hits of {question}")
        for place, (one, other) in enumerate(zip(here, there)):
            check(abs(one["score"] - other["score"]) <= 1e-3 * max(1.0, abs(other["score"])),
                  f"{where}: {question}: hit {place} has the score {one['score']} instead of {other['score']}")
        border = there[-1]["score"] + 1e-3 if there else 0
        sure = {hit["document"] for hit in there if hit["score"] > border}
        check(sure <= {hit["document"] for hit in here}, f"{where}: {question}: {sure} are not all found")


def new_key(where):
    done = run("key", "create", "--name", "mover", "--scopes", "*", "-c", where.conf_path)
    check_equal(done.returncode, 0, done.stderr)
    return done.stdout.strip()


embedded = deployment()
state = {}


def a_deployment_is_filled():
    state["key"] = new_key(embedded)
    with embedded.server(state["key"]) as server:
        state["ids"] = fill(server)
        state["wanted"] = ask_all(server, state["ids"])
        check(state["wanted"][1][("train coffee", "hybrid")], "the searches find something")


def move_and_ask(source, target, where):
    report = migrate(source, target)
    check(report["is_equal"] and not report["was_done_before"], f"{where}: {report}")
    check_equal(differences(report), [], where)
    counts = {item["name"]: item["moved"] for item in report["items"]}
    check(counts["retrieval_documents"] > 150 and counts["backplane_keys"] == 1 and counts["messages"] > 0 and
          counts["journal_wins"] == len(AWKWARD) and counts["knowledge_observations"] > len(AWKWARD), f"{where}: {counts}")
    check(sum(item["moved"] for item in report["items"] if item["kind"] == "collection") > 150, f"{where}: {counts}")
    again = migrate(source, target)
    check(again["was_done_before"] and again["is_equal"], f"{where}: once more: {again}")
    check_equal(sum(item["moved"] for item in again["items"]), 0, f"{where}: moved when all had been")
    total = sum(counts.values())
    print(f"        {where}: {total} things in {report['copying_seconds']:.2f} s, {total / report['copying_seconds']:.0f}/s")
    with target.server(state["key"]) as server:  # the key is one of those that were moved
        check_alike(ask_all(server, state["ids"]), state["wanted"], where)


def postgres_conf(name):
    return {"use": "postgres", "url": postgres.create_database(name)}


def it_moves_to_postgres_and_pgvector():
    storage = postgres_conf("one")
    state["pgvector"] = deployment(storage, {"use": "pgvector", "url": storage["url"]})
    move_and_ask(embedded, state["pgvector"], "postgres and pgvector")


def it_moves_on_to_postgres_and_qdrant():
    state["qdrant"] = deployment(postgres_conf("two"), {"use": "qdrant", "url": qdrant, "api_key": "key-of-the-stub"})
    move_and_ask(state["pgvector"], state["qdrant"], "postgres and qdrant")


def it_moves_on_to_postgres_and_redis():
    state["redis"] = deployment(postgres_conf("three"), {"use": "redis", "url": redis.url, "prefix": "vectors:"})
    move_and_ask(state["qdrant"], state["redis"], "postgres and redis")


def it_moves_back_into_files_and_new_rows_get_new_numbers():
    back = deployment()
    move_and_ask(state["redis"], back, "sqlite and local")
    for where in (back, state["pgvector"]):
        with where.server(state["key"]) as server:
            check_equal(server.put({"id": "new one", "text": "an entirely new text about penguins"}).json["stored"], 1, "stored")
            check_equal(server.search("penguins")[0]["document"], "new one", "what is found")
            check_equal(tool(server, "capture_win", win="moved")["success"], True, "a win")


def half_precision_is_allowed_for():
    storage = postgres_conf("half")
    target = deployment(storage, {"use": "pgvector", "url": storage["url"], "half_precision": True})
    report = migrate(embedded, target)
    deviation = max(item.get("vector_deviation", 0) for item in report["items"])
    check(1e-5 < deviation < 1e-3, f"the vectors deviate by {deviation}")


# ---- budgets ----

def budgets_are_moved_and_compared():
    for key, spent in (("team a", 17), ("naïve:{x}:1", 12345678901), ("y" * 200, 3)):
        redis.command("HSET", f"old:{{b:{len(key.encode())}:{key}:2026-11}}s", "spent", spent, "held", 0)
    redis.command("ZADD", "old:{b:6:team a:2026-11}e", 1, "r")
    redis.command("SET", "old:v:value", "not moved")
    source = deployment(cache={"main": {"use": "redis", "url": redis.url, "prefix": "old:"}})
    target = deployment(cache={"main": {"use": "redis", "url": redis.url, "prefix": "new:"}})
    with source.server():
        pass
    report = migrate(source, target)
    item = next(item for item in report["items"] if item["kind"] == "budgets")
    check_equal((item["source_count"], item["target_count"], item["moved"], item["is_equal"]), (3, 3, 3, True), f"{item}")
    check_equal(redis.command("HGET", "new:{b:6:team a:2026-11}s", "spent"), b"17", "spent")
    check(int(redis.command("PTTL", "new:{b:6:team a:2026-11}s")) > 0, "it is kept for a time")
    check(not redis.command("EXISTS", "new:v:value"), "values stay behind")
    redis.command("HINCRBY", "new:{b:6:team a:2026-11}s", "spent", 5)
    text = differences(migrate(source, target, "--verify-only", wanted=1))
    check_equal(text, ["budgets : of the budget team a of 2026-11 17 is spent in the source and 22 in the target"], "difference")
    memory = deployment(cache={"main": {"use": "memory"}})
    notes = migrate(source, memory)["notes"]
    check(any("budgets cannot be moved to it" in note for note in notes), f"{notes}")


# ---- killed, stopped ----

def large_source():
    if "large" not in state:
        state["large"] = deployment()
        state["large key"] = new_key(state["large"])
        with state["large"].server(state["large key"]) as server:
            server.make_collection("docs")
            put_all(server, 1000)
    return state["large"]


def begin(source, target, *more):
    return subprocess.Popen([PROGRAM, "migrate", "--from", source.conf_path, "--to", target.conf_path, "--json", *more],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_line(process):
    """Until it says that it begins."""
    for line in process.stderr:
        if "stop the servers of" in line:
            return
    raise AssertionError(f"it ended with {process.wait()} before it began")


def kill_and_go_on(source, one, other):
    """One is moved to as a whole, the other with five kills on the way."""
    chance, started = random.Random(time.time()), time.monotonic()
    whole = migrate(source, one)
    seconds = time.monotonic() - started
    for kind in ("table", "collection"):
        items = [item for item in whole["items"] if item["kind"] == kind and item["moved"]]
        count, spent = sum(item["moved"] for item in items), sum(item["copying_seconds"] for item in items)
        print(f"        {kind}: {count} moved in {spent:.2f} s, {count / spent:.0f}/s")
    killed = 0
    for _ in range(5):
        process = begin(source, other, "--resume")
        time.sleep(chance.uniform(0, seconds / 4))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    report = migrate(source, other, "--resume")
    print(f"        killed {killed} times; the last run moved {sum(item['moved'] for item in report['items'])}")
    check(report["is_equal"], f"{differences(report)}")
    check_equal({item["name"]: item["target_checksum"] for item in report["items"]},
                {item["name"]: item["target_checksum"] for item in whole["items"]}, f"checksums after {killed} kills")
    check_equal(sum(item["moved"] for item in migrate(source, other)["items"]), 0, "moved after the end")
    with other.server(state["large key"]) as server:
        check_equal(len(server.search("train coffee", limit=10)), 10, "hits")


def a_move_that_is_killed_goes_on_where_it_was():
    source = large_source()
    storages = [postgres_conf("whole"), postgres_conf("killed")]
    kill_and_go_on(source, *[deployment(storage, {"use": "pgvector", "url": storage["url"]}) for storage in storages])
    kill_and_go_on(source, deployment(), deployment())


def a_move_that_is_stopped_says_how_to_go_on():
    source = large_source()
    for attempt in range(20):  # on a fast machine it may be done before it is stopped
        target = deployment()
        process = begin(source, target)
        wait_for_line(process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        if process.returncode != 0:
            break
    check_equal(process.returncode, 1, f"exit status: {said}")
    check(re.search(r"stopped on request.* --from \S+ --to \S+ --resume", said), said)
    report = migrate(source, target, "--resume")
    check(report["is_equal"] and not report["was_done_before"], f"{report}")


# ---- differences, refusals ----

def what_was_changed_in_the_target_is_named():
    target = state["pgvector"]  # its server stored a document and a win since
    report = migrate(embedded, target, "--verify-only", wanted=1)
    named = "\n".join(differences(report))
    check(re.search(r"table retrieval_documents: the row with id = \d+ is only in the target", named), named)
    check(re.search(r"table journal_wins: the row with number = \d+ is only in the target", named), named)
    check(re.search(r"collection \S+: the point \d+ is only in the target", named), named)

    storage = postgres_conf("four")
    target = deployment(storage, {"use": "pgvector", "url": storage["url"]})
    check(migrate(embedded, target)["is_equal"], "moved")
    postgres.sql("UPDATE retrieval_chunks SET sequence = sequence + 100 WHERE id = 17", database="four")
    postgres.sql("DELETE FROM knowledge_relations WHERE id = 1", database="four")
    number = postgres.sql("SELECT c.id FROM bpv_collections c JOIN retrieval_collections r ON r.vector_name = c.name WHERE r.name = 'docs'", database="four")[0][0]
    postgres.sql(f"UPDATE bpv_points_{number} SET words = words || ' more' WHERE id = 5", database="four")
    report = migrate(embedded, target, "--verify-only", wanted=1)
    named = differences(report)
    check_equal(named[:2], ["table retrieval_chunks: the row with id = 17 differs in the column sequence",
                            "table knowledge_relations: the row with id = 1 is only in the source"], "tables")
    check(len(named) == 3 and "the point 5 has other words in the target" in named[2], f"{named}")
    check_equal([item["moved"] for item in migrate(embedded, target, wanted=1)["items"] if item["moved"]], [], "nothing is repaired")
    plain = run("migrate", "--from", embedded.conf_path, "--to", target.conf_path, "--verify-only")
    check("difference: storage.main retrieval_chunks: the row with id = 17" in plain.stdout, plain.stdout)


def a_target_with_other_data_is_refused():
    target = deployment()
    key = new_key(target)
    with target.server(key) as server:
        server.make_collection("docs")
        server.put({"id": "mine", "text": "not to be lost"})
    before = rows(target.database, "SELECT * FROM retrieval_documents")
    said = migrate(embedded, target, wanted=1)
    check("is not empty" in said and "Nothing was written" in said, said)
    said = migrate(embedded, target, "--resume", wanted=1)
    check("is not empty" in said, said)
    check_equal(rows(target.database, "SELECT * FROM retrieval_documents"), before, "its rows")


def tables_of_other_versions_are_refused():
    source, target = deployment(), deployment()
    shutil.copytree(os.path.join(embedded.folder, "data"), source.made["data_dir"])
    change(source.database, "DELETE FROM backplane_migrations WHERE owner = 'retrieval' AND version = 2")
    change(source.database, "UPDATE backplane_migrations SET version = 0 WHERE owner = 'retrieval'")
    said = migrate(source, target, wanted=1)
    check("tables of retrieval have version 0 in" in said and "and version 2 in" in said and "start the server of " +
          source.conf_path in said, said)
    change(source.database, "UPDATE backplane_migrations SET version = 99 WHERE owner = 'retrieval'")
    said = migrate(source, target, wanted=1)
    check("tables of retrieval have version 99 in" in said and "this program knows 2" in said, said)
    future = "INSERT INTO backplane_migrations VALUES('retrieval', 3, 'of the future', '', 0, "
    change(target.database, future + "0)")
    check("holds version 3 of retrieval, this program knows 2" in migrate(embedded, target, wanted=74), "a newer target")


def newer_tables_on_which_a_server_would_run_are_not_moved_by_an_older_program():
    source, target = deployment(), deployment()
    shutil.copytree(os.path.join(embedded.folder, "data"), source.made["data_dir"])
    check_equal(differences(migrate(embedded, target)), [], "the same tables")
    for one in (source, target):
        change(one.database, "INSERT INTO backplane_migrations VALUES('retrieval', 3, 'of the future', '', 0, 1)")
    with target.server(state["key"]) as server:
        check(server.search("train coffee"), "a server runs on tables that allow it")
        check("holds version 3 of retrieval, this program knows 2 and goes on" in server.log_text(), server.log_text()[-2000:])
    for one, other in ((source, embedded), (embedded, target), (source, target)):
        for more in ((), ("--verify-only",)):
            said = migrate(one, other, *more, wanted=1)
            check("have version 3 in storage.main" in said and "this program knows 2: use the Backplane version" in said, said)


def texts_that_postgres_does_not_take_are_left_out_on_demand():
    source = deployment()
    shutil.copytree(os.path.join(embedded.folder, "data"), source.made["data_dir"])
    change(source.database, "UPDATE knowledge_entities SET entity_type = CAST(x'610062' AS TEXT) WHERE id = "
                            "(SELECT MIN(id) FROM knowledge_entities)")
    vectors, name = os.path.join(source.made["data_dir"], "docs", "vectors.db"), rows(
        source.database, "SELECT vector_name FROM retrieval_collections WHERE name = 'docs'")[0][0]
    number = rows(vectors, f"SELECT id FROM collections WHERE name = '{name}'")[0][0]
    points = [point for point, in rows(vectors, f"SELECT id FROM points_{number} ORDER BY id")]
    for point, words in ((points[0], "610062"), (points[9], "61ff62")):  # a NUL, and what is not UTF-8
        change(vectors, f"UPDATE points_{number} SET words = CAST(x'{words}' AS TEXT) WHERE id = {point}")
    storage = postgres_conf("five")
    target = deployment(storage, {"use": "pgvector", "url": storage["url"]})
    said = migrate(source, target, wanted=1)
    check("NUL" in said and "--leave-out" in said, said)
    report = migrate(source, target, "--resume", "--leave-out")
    left_out = [note for note in report["notes"] if "left out" in note]
    named = [f"left out: the point {point} of vector.docs {name}" for point in (points[0], points[9])]
    check_equal([note.split(" has a text")[0] for note in left_out if name in note], named, "points that are named")
    left_out = [note for note in left_out if name not in note]
    check(len(left_out) == 1 and "knowledge_entities" in left_out[0] and "id = 1" in left_out[0], f"{report['notes']}")
    check_equal(differences(report), [], "all the others are there")
    again = migrate(source, target, "--leave-out")
    check_equal(again["notes"], report["notes"], "named once more by a move that has nothing to do")
    arrived = next(item for item in report["items"] if item["name"] == name)
    check_equal((arrived["target_count"], arrived["is_equal"]), (len(points) - 2, True), "points that are there")


def change(path, statement):
    import sqlite3
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute(statement)


def wrong_uses_are_sentences():
    empty, target = deployment(), deployment()
    check("holds no tables of Backplane" in migrate(empty, target, wanted=1), "an empty source")
    check("nothing was moved to it yet" in migrate(embedded, deployment(), "--verify-only", wanted=1), "an empty target")
    here = migrate(embedded, embedded)
    check(any("the same place" in note for note in here["notes"]) and not here["items"], f"{here}")
    elsewhere = deployment(vector={"use": "local", "path": "docs"})
    elsewhere.made["storage"] = {"second": {"use": "sqlite", "path": "backplane.db"}}
    elsewhere.made["server"]["auth"]["storage"] = "second"
    for app in elsewhere.made["app"].values():
        app["storage"] = "second"
    with open(elsewhere.conf_path, "w") as file:
        json.dump(elsewhere.made, file)
    said = migrate(embedded, elsewhere, wanted=78)
    check("--map storage.main=storage.NAME" in said, said)
    check("has no storage of the name" in migrate(embedded, elsewhere, "--map", "storage.main=storage.third", wanted=78), "no such target")
    check(migrate(embedded, elsewhere, "--map", "storage.main=storage.second")["is_equal"], "mapped")
    change(elsewhere.database, "UPDATE backplane_migration SET is_done = 0 WHERE item LIKE '%knowledge_items'")
    said = migrate(embedded, elsewhere, "--map", "storage.main=storage.second", wanted=1)
    check("did not finish" in said and "--resume" in said, said)
    check_equal(run("migrate", "--from", embedded.conf_path).returncode, 2, "usage")


def serve_qdrant(folder):
    process = subprocess.Popen([sys.executable, "-B", os.path.join(SOURCE, "tests", "lib", "qdrant_stub.py"), "--file",
                                os.path.join(folder, "qdrant.json"), "--api-key", "key-of-the-stub"], stdout=subprocess.PIPE, text=True)
    return process, f"http://127.0.0.1:{int(process.stdout.readline().split()[1])}"


with contextlib.ExitStack() as stack:
    stack.callback(lambda: [each.close() for each in made])
    postgres = stack.enter_context(PgvectorServer())
    redis = stack.enter_context(RedisServer())
    process, qdrant = serve_qdrant(stack.enter_context(tempfile.TemporaryDirectory()))
    stack.callback(lambda: (process.terminate(), process.wait()))
    run_tests([a_deployment_is_filled, it_moves_to_postgres_and_pgvector, it_moves_on_to_postgres_and_qdrant,
               it_moves_on_to_postgres_and_redis, it_moves_back_into_files_and_new_rows_get_new_numbers,
               what_was_changed_in_the_target_is_named, half_precision_is_allowed_for, budgets_are_moved_and_compared,
               a_move_that_is_killed_goes_on_where_it_was, a_move_that_is_stopped_says_how_to_go_on,
               a_target_with_other_data_is_refused, tables_of_other_versions_are_refused,
               newer_tables_on_which_a_server_would_run_are_not_moved_by_an_older_program,
               texts_that_postgres_does_not_take_are_left_out_on_demand, wrong_uses_are_sentences])

"""test_data_safety.py - what was acknowledged is found, or the server says what is missing and builds it anew: collections with
owners, lost and emptied vector stores, refused updates, poison in a batch, another embedder, deletions during an intake, and
the data of the version before collections had owners."""
import contextlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import threading
import time

from backplane_test import Server, check, check_equal, conf, rows, run, run_tests, wait_until
from embedder_stub import EmbedderStub
from mcp_test import call_modern, message_of

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = {"coffee": "The office pays for coffee.", "trains": "Trains are second class, flights need approval.",
         "minutes": "Whoever comes late writes the minutes."}


def documents(prefix="", texts=None):
    return [{"id": prefix + name, "text": text} for name, text in (texts or TEXTS).items()]


def quick(**more):
    return Server(app={"scan": "1s", "verify": "1s"}, **more)


def found(server, query, **more):
    return [hit["document"] for hit in server.search(query, **more)]


def ask(server, query, **more):
    return server.post("/api/v1/search", {"collection": "docs", "query": query, **more}).json


def complaint(server):
    health = server.get("/health").json
    return health["status"], health["components"].get("app.retrieval", {}).get("status")


def vector_table(path, name):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT id FROM collections WHERE name = ?", (name,)).fetchone()[0]


def remove_points(server, keep):
    """From the file of vector/local, as a disk or a person would: all points whose id `keep` does not want."""
    database, vectors = server.databases()
    name = rows(database, "SELECT vector_name FROM retrieval_collections WHERE name = 'docs'")[0][0]
    with contextlib.closing(sqlite3.connect(vectors)) as file:
        number = file.execute("SELECT id FROM collections WHERE name = ?", (name,)).fetchone()[0]
        gone = [row for row in file.execute(f"SELECT id, words FROM points_{number}") if not keep(row[0])]
        for point, words in gone:
            file.execute(f"INSERT INTO words_{number}(words_{number}, rowid, words) VALUES('delete', ?, ?)", (point, words))
            file.execute(f"DELETE FROM points_{number} WHERE id = ?", (point,))
            file.execute(f"DELETE FROM vectors_{number} WHERE id = ?", (point,))
        file.commit()
    return len(gone)


# ---- owners ----

def two_apps_on_one_vector_store_keep_their_documents():
    def made(folder):
        app = {"vector": "docs", "embed": "main", "llm": ["none"], "scan": "1s"}
        return {
            "data_dir": os.path.join(folder, "data"),
            "server": {"listen": [{"address": "127.0.0.1:0", "apps": ["one"]}, {"address": "127.0.0.1:0", "apps": ["two"]}]},
            "storage": {"first": {"use": "sqlite", "path": "first.db"}, "second": {"use": "sqlite", "path": "second.db"}},
            "embed": {"main": {"use": "hash"}}, "vector": {"docs": {"use": "local", "path": "docs"}},
            "llm": {"none": {"use": "extractive"}},
            "app": {"one": {"use": "retrieval", "storage": "first", **app}, "two": {"use": "retrieval", "storage": "second", **app}}}
    with Server(made=made) as server:
        ports = [int(line["address"].rsplit(":", 1)[1]) for line in server.log_lines() if line.get("event") == "listening"]
        check_equal(len(ports), 2, "listeners")
        for port, name in zip(ports, ("one", "two")):
            server.port = port
            server.make_collection()
            server.put(*documents(name + "-"))
        for port, name in zip(ports, ("one", "two")):
            server.port = port
            check_equal(found(server, "coffee", limit=1), [name + "-coffee"], f"what {name} finds")
        server.port = ports[1]
        check_equal(server.request("DELETE", "/api/v1/collections/docs").status, 204, "deleted")
        server.port = ports[0]
        check_equal(found(server, "coffee", limit=1), ["one-coffee"], "what the other one finds after that")


def data_of_the_version_before_is_adopted_once():
    with tempfile.TemporaryDirectory(prefix="backplane-test-") as folder:
        with tarfile.open(os.path.join(HERE, "data", "before_owners.tar.gz")) as archive:
            archive.extractall(os.path.join(folder, "data"))

        def made(where):
            return conf(where, cache={"main": {"use": "memory"}}, app={"scan": "1s"}, **{}) | {
                "app": {"retrieval": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["none"], "scan": "1s"},
                        "journal": {"storage": "main", "vector": "docs", "embed": "main"}}}
        server = Server(folder=folder, made=made)
        with server:
            check_equal(found(server, "coffee", limit=1), ["coffee"], "found at once")
            check_equal(found(server, "Möhren", collection="second", limit=1), ["moehren"], "in the other collection")
            adopted = wait_until(lambda: len([l for l in server.log_lines() if l.get("event") == "collection_adopted"]) >= 3 and
                                 [l for l in server.log_lines() if l.get("event") == "collection_adopted"], 20, "not all are adopted")
            check_equal(sorted(l["collection"] for l in adopted), ["c1", "c2", "memory_embeddings"], "each once")
            remembered = message_of(call_modern(server, "search_memory", {"query": "Vectors have owners"}))["result"]
            check("Vectors have owners" in json.dumps(remembered), f"the journal's memories: {str(remembered)[:300]}")
            check_equal(server.put(*documents()).json["unchanged"], 1, "a document of then is known; the others had a title, or metadata")
            check(not server.find_event("collection_rebuild"), "nothing has to be built anew")
        with server:
            check(server.find_event("collection_adopted") is None, "adopted again at the second start")
            check_equal(found(server, "trains", limit=1), ["trains"], "found after the second start")
        # Another deployment that holds the same store sees that it is somebody's.
        os.remove(os.path.join(folder, "data", "backplane.db"))
        with tarfile.open(os.path.join(HERE, "data", "before_owners.tar.gz")) as archive:
            archive.extract("backplane.db", os.path.join(folder, "data"))
        with server:
            wait_until(lambda: server.find_event("collection_rebuild"), 20, "it does not say that c1 is another's")
            wait_until(lambda: server.get("/api/v1/collections/docs").json["state"] == "ready", 20, "not built")
            check_equal(found(server, "coffee", limit=1), ["coffee"], "under a name of its own")
            owners = dict(rows(server.databases()[1], "SELECT name, owner FROM collections"))
            check(len(set(owners.values())) == 2 and len(owners) >= 5, f"collections and their owners: {owners}")


def points_that_may_be_anothers_are_left_alone():
    with tempfile.TemporaryDirectory(prefix="backplane-test-") as folder:
        with tarfile.open(os.path.join(HERE, "data", "before_owners.tar.gz")) as archive:
            archive.extractall(os.path.join(folder, "data"))
        server = Server(folder=folder, app={"scan": "1s", "verify": "1s"})
        database, vectors = (os.path.join(folder, "data", name) for name in ("backplane.db", "docs/vectors.db"))
        number = vector_table(vectors, "c1")
        points = rows(vectors, f"SELECT COUNT(*) FROM points_{number}")
        with contextlib.closing(sqlite3.connect(database)) as file:  # as if more had been written by somebody else
            for table, column in (("retrieval_chunks", "document_id"), ("retrieval_documents", "id")):
                file.execute(f"DELETE FROM {table} WHERE {column} = (SELECT id FROM retrieval_documents WHERE external_id = 'trains')")
            file.commit()
        with server:
            wait_until(lambda: server.find_event("collection_rebuild"), 20, "it is not built under a name of its own")
            wait_until(lambda: server.get("/api/v1/collections/docs").json["state"] == "ready", 20, "not built")
            check_equal(found(server, "coffee", limit=1), ["coffee"], "its own")
            time.sleep(2)  # a round of upkeep sweeps what is to be dropped
            check_equal(rows(vectors, "SELECT owner FROM collections WHERE name = 'c1'"), [("",)], "c1 has no mark")
            check_equal(rows(vectors, f"SELECT COUNT(*) FROM points_{number}"), points, "its points")


def as_many_points_of_other_words_are_anothers():
    """Another deployment may have written as many documents under the same names."""
    with tempfile.TemporaryDirectory(prefix="backplane-test-") as folder:
        with tarfile.open(os.path.join(HERE, "data", "before_owners.tar.gz")) as archive:
            archive.extractall(os.path.join(folder, "data"))

        def made(where):
            return conf(where) | {"app": {"retrieval": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["none"], "scan": "1s"},
                                          "journal": {"storage": "main", "vector": "docs", "embed": "main"}}}
        server = Server(folder=folder, made=made)
        database, vectors = (os.path.join(folder, "data", name) for name in ("backplane.db", "docs/vectors.db"))
        with contextlib.closing(sqlite3.connect(database)) as file:
            file.execute("UPDATE retrieval_chunks SET body = REPLACE(body, 'coffee', 'biscuits')")
            file.execute("UPDATE retrieval_documents SET body = REPLACE(body, 'coffee', 'biscuits')")
            file.execute("UPDATE journal_memories SET content = REPLACE(content, 'owners', 'lenders')")
            file.commit()
        with server:
            wait_until(lambda: server.find_event("collection_rebuild"), 20, "it is not built under a name of its own")
            wait_until(lambda: server.get("/api/v1/collections/docs").json["state"] == "ready", 20, "not built")
            wait_until(lambda: found(server, "biscuits", limit=1) == ["coffee"], 20, "its own words")
            wait_until(lambda: "Vectors have lenders" in json.dumps(message_of(call_modern(
                server, "search_memory", {"query": "Vectors have lenders"}))["result"]), 20, "the journal's own words")
            check_equal(rows(vectors, "SELECT name, owner FROM collections WHERE name IN ('c1', 'memory_embeddings')"),
                        [("c1", ""), ("memory_embeddings", "")], "they have no mark")


def a_data_folder_has_one_server():
    with Server() as server:
        server.make_collection()
        second = server.run("serve", seconds=20)
        check_equal(second.returncode, 74, "exit status of a second server: " + second.stderr[-500:])
        check(f"process id {server.process.pid}" in second.stderr and server.data in second.stderr, second.stderr[-500:])
        command = server.run("search", "--collection", "docs", "coffee")
        check(command.returncode == 74 and "--url" in command.stderr, f"a command beside it: {command.stderr[-500:]}")
        server.kill()
        server.start()
        check_equal(server.get("/health/ready").status, 200, "the lock outlives a killed server")


# ---- loss ----

def a_lost_store_is_noticed_and_built_anew():
    server = quick()
    with server:
        server.make_collection()
        server.make_collection("other")
        check_equal(server.put(*documents()).json["stored"], 3, "stored")
        server.stop()
        shutil.rmtree(os.path.join(server.data, "docs"))
        server.start()
        listed = server.get("/api/v1/collections")
        check_equal(listed.status, 200, "the list while one is lost")
        first = ask(server, "coffee")
        check_equal([hit["document"] for hit in first["hits"]][:1], ["coffee"], "found by its words meanwhile")
        wait_until(lambda: server.get("/api/v1/collections/docs").json["state"] == "ready" and
                   server.get("/api/v1/collections/docs").json["passages"] == 3, 20, "it is not built anew")
        check_equal([h["document"] for h in ask(server, "coffee", mode="vector")["hits"]][:1], ["coffee"], "by its vector again")
        check("degraded" not in ask(server, "coffee"), "a search says that it is degraded when all is there")
        check(server.find_event("collection_rebuild"), "the log says that it was built anew")
        wait_until(lambda: complaint(server) == ("healthy", None), 20, "health does not recover")


def health_says_that_a_collection_is_being_built():
    stub = EmbedderStub()

    def made(folder):
        return conf(folder, app={"scan": "1s", "verify": "1s"}, embed={"main": {
            "use": "openai", "url": f"http://127.0.0.1:{stub.port}/v1", "model": "m", "dimensions": 8, "retries": 0,
            "critical": False, "breaker_pause": "300ms"}})
    server = Server(made=made)
    with server:
        server.make_collection()
        check_equal(server.put(*documents()).json["stored"], 3, "stored")
        server.stop()
        shutil.rmtree(os.path.join(server.data, "docs"))
        stub.go()  # what is lost cannot be embedded now
        server.start()
        wait_until(lambda: complaint(server) == ("degraded", "degraded"), 20,
                   "health stays green")
        check_equal(ask(server, "coffee", mode="words")["hits"][0]["document"], "coffee", "found by words all the while")
        stub.come()
        wait_until(lambda: complaint(server) == ("healthy", None), 30, "health does not recover")
        check_equal(ask(server, "coffee", mode="vector")["hits"][0]["document"], "coffee", "found by its vector")
    stub.go()


def single_points_that_are_lost_come_back():
    server = quick()
    with server:
        server.make_collection()
        check_equal(server.put(*[{"id": f"d{i}", "text": f"word{i} alpha beta"} for i in range(200)]).json["stored"], 200, "stored")
        server.stop()
        check_equal(remove_points(server, lambda point: point % 10), 20, "points taken out")
        server.start()
        wait_until(lambda: server.get("/api/v1/collections/docs").json["passages"] == 200, 20, "the points do not come back")
        for i in range(200):
            check(f"d{i}" in found(server, f"word{i}", mode="words", limit=2), f"d{i} is not found")
        server.stop()
        check_equal(remove_points(server, lambda point: point % 10), 20, "points taken out again")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(server.folder)


def verify_data_says_and_mends_what_is_missing():
    server = Server(app={"scan": "1s", "verify": "0"})
    with server:
        server.make_collection()
        server.put(*[{"id": f"d{i}", "text": f"word{i} alpha"} for i in range(50)])
        server.stop()
        check_equal(remove_points(server, lambda point: point != 7), 1, "a point taken out")
        database = server.databases()[0]
        with contextlib.closing(sqlite3.connect(database)) as file:  # and one document that the storage forgot
            file.execute("DELETE FROM retrieval_chunks WHERE document_id = (SELECT id FROM retrieval_documents WHERE external_id = 'd20')")
            file.execute("DELETE FROM retrieval_documents WHERE external_id = 'd20'")
            file.commit()
        done = server.run("verify", "data")  # no server is running: one is started for it
        check(done.returncode in (0, 1) and "docs: 49 documents" in done.stdout, done.stdout + done.stderr)
        server.start()
        done = run("verify", "data", "--url", f"http://127.0.0.1:{server.port}", "--json")
        answer = json.loads(done.stdout)
        check_equal((done.returncode, answer["missing"], answer["needless"], answer["points"], answer["passages"], answer["behind"]),
                    (0, 0, 0, 49, 49, 0), done.stdout + done.stderr)
        check_equal(found(server, "word6", mode="words", limit=1), ["d6"], "the point that was missing")


def a_build_that_is_killed_goes_on_and_intake_with_it():
    server = quick()
    with server:
        server.make_collection()
        lines = b"".join(json.dumps({"id": f"d{i}", "text": f"word{i} alpha beta"}).encode() + b"\n" for i in range(3000))
        sent = server.request("POST", "/api/v1/collections/docs/documents", lines, {"Content-Type": "application/x-ndjson"}, seconds=60)
        check_equal(sent.json["stored"], 3000, "stored")
        server.stop()
        shutil.rmtree(os.path.join(server.data, "docs"))
        for _ in range(3):
            server.start()
            wait_until(lambda: server.get("/api/v1/collections/docs").json.get("behind", 0) < 3000, 20, "the build does not begin")
            check_equal(server.put({"id": "d5", "text": "word5 of a new version"}, {"id": "new", "text": "newly come"}).status, 200, "intake")
            server.kill()
        server.start()
        wait_until(lambda: server.get("/api/v1/collections/docs").json["state"] == "ready", 60, "the build does not end")
        page = server.get("/api/v1/collections/docs").json
        check_equal((page["documents"], page["ready"], page["passages"]), (3001, 3001, 3001), "all are there")
        for i in (0, 1, 5, 777, 2999):
            check_equal(found(server, f"word{i}", mode="words", limit=1), [f"d{i}"], f"d{i}")
        check_equal(found(server, "newly", mode="words", limit=1), ["new"], "what came in meanwhile")
        check("of a new version" in server.search("word5", mode="words", limit=1)[0]["text"], "the version that came in meanwhile")


# ---- updates ----

def a_refused_update_keeps_the_old_version():
    with quick() as server:
        server.make_collection()
        check_equal(server.put({"id": "a", "text": "the first text", "metadata": {"year": 2020}}).json["stored"], 1, "stored")
        for metadata in ({"a": None}, {"a": {"b": 1}}, {"a": [1, None]}, {"a": "x\0y"}):
            refused = server.put({"id": "a", "text": "the second text", "metadata": metadata})
            check_equal(refused.json["refused"], 1, f"{metadata}: {refused.body!r}")
            check_equal(found(server, "first", mode="words"), ["a"], f"the old version after {metadata}")
            check_equal(server.get("/api/v1/collections/docs/documents/a").json["text"], "the first text", "its text")
        check_equal(server.put({"id": "a", "text": "the third text"}).json["stored"], 1, "a good one")
        check_equal(found(server, "third", mode="words"), ["a"], "the new version")
        check_equal(found(server, "first", mode="words"), [], "the old one is gone then")


def one_document_does_not_poison_its_batch():
    with quick() as server:
        server.make_collection()
        bad = {"null": {"metadata": {"a": None}}, "nul": {"text": "a\0b"}, "title": {"title": "a\0b"}, "": {}, "unknown": {"txt": "a"},
               "long": {"title": "t" * 2000}, "kind": {"format": "pdf"}, "i\0d": {}}
        batch = [{"id": f"good-{i}", "text": f"word{i} good"} for i in range(5)]
        for name, fields in bad.items():
            batch.insert(2, {"id": name, "text": "bad", **fields})
        answer = server.put(*batch)
        check_equal((answer.status, answer.json["stored"], answer.json["refused"]), (200, 5, len(bad)), f"{answer.body!r}")
        check_equal(sorted(error["id"] for error in answer.json["errors"]), sorted(bad), "which ones")
        check(all(error["message"] for error in answer.json["errors"]), "why")
        lines = "\n".join(json.dumps(document) for document in batch) + "\nno json\n"
        answer = server.request("POST", "/api/v1/collections/docs/documents", lines.encode(), {"Content-Type": "application/x-ndjson"})
        check_equal((answer.json["unchanged"], answer.json["refused"]), (5, len(bad) + 1), f"{answer.body!r}")
        check_equal([error["line"] for error in answer.json["errors"]], [3, 4, 5, 6, 7, 8, 9, 10, 14], "the lines")
        check_equal(len(found(server, "good", mode="words")), 5, "the good ones are found")


# ---- another embedder, other passages ----

def another_embedder_of_equal_dimensions_is_not_searched_silently():
    stub = EmbedderStub()

    def made(folder):
        return conf(folder, app={"scan": "1s"}, embed={"main": {
            "use": "openai", "url": f"http://127.0.0.1:{stub.port}/v1", "model": "m", "dimensions": 8, "retries": 0}})
    server = Server(made=made)
    with server:
        server.make_collection()
        server.put(*documents())
        check("degraded" not in ask(server, "coffee"), "degraded with its own embedder")
        server.stop()
        server.conf["embed"]["main"]["model"] = "another"
        server.write_conf()
        server.start()
        answer = ask(server, "coffee")
        check("another" in answer["degraded"] and answer["explain"]["vector"] == "none", f"{answer}")
        check_equal(answer["hits"][0]["document"], "coffee", "found by its words")
        check_equal(server.post("/api/v1/search", {"collection": "docs", "query": "coffee", "mode": "vector"}).status, 409, "by vector")
        check_equal(server.put({"id": "new", "text": "a new one"}).status, 409, "documents of another embedder")
        refused = server.post("/api/v1/collections/docs/verify")
        check(refused.status == 409 and "backplane reindex --collection docs" in refused.message, f"{refused.body!r}")
        done = run("verify", "data", "--url", f"http://127.0.0.1:{server.port}", seconds=20)
        check(done.returncode == 1 and "docs: " in done.stderr and "reindex" in done.stderr, f"verify data: {done}")
        wait_until(lambda: complaint(server)[0] == "degraded", 20, "health stays green")
        done = run("reindex", "--all", "--url", f"http://127.0.0.1:{server.port}")
        check_equal(done.returncode, 0, done.stdout + done.stderr)
        answer = ask(server, "coffee")
        check("degraded" not in answer and answer["explain"]["vector"] != "none", f"after the build: {answer}")
        wait_until(lambda: complaint(server) == ("healthy", None), 20, "health does not recover")
        check_equal(server.put({"id": "new", "text": "a new one"}).json["stored"], 1, "documents are taken again")
        wait_until(lambda: len(rows(server.databases()[1], "SELECT 1 FROM collections")) == 1, 20, "the old collection stays")
    stub.go()


def other_passages_are_made_on_demand():
    server = quick()
    text = "\n\n".join(f"Paragraph {i}. " + "alpha beta gamma delta. " * 30 for i in range(10))
    with server:
        server.make_collection()
        server.put({"id": "long", "text": text}, {"id": "short", "text": "short"})
        before = server.get("/api/v1/collections/docs").json["passages"]
        server.stop()
        server.conf["app"]["retrieval"].update(chunk_tokens=64, chunk_overlap=8)
        server.write_conf()
        server.start()
        again = server.put({"id": "short", "text": "short"}).json
        check_equal((again["stored"], again["unchanged"]), (1, 0), "the same text, to be cut otherwise")
        check_equal(server.get("/api/v1/collections/docs").json["passages"], before, "nothing else changes by itself")
        done = run("reindex", "--collection", "docs", "--url", f"http://127.0.0.1:{server.port}", "--json")
        check_equal(done.returncode, 0, done.stdout + done.stderr)
        after = server.get("/api/v1/collections/docs").json
        check(after["passages"] > 2 * before and after["state"] == "ready", f"{before} passages, then {after}")
        check_equal(server.put({"id": "long", "text": text}).json["unchanged"], 1, "then it is known as it is")
        check_equal(found(server, "Paragraph 7", mode="words", group_by="document")[:1], ["long"], "found")


def large_documents_are_built_one_by_one():
    """Together their texts are more than what the storage gives at once. They are made large in the file, where their passages
    stay few."""
    with quick() as server:
        server.make_collection()
        server.put(*[{"id": f"d{i}", "text": f"word{i} alpha"} for i in range(6)])
        with contextlib.closing(sqlite3.connect(server.databases()[0], timeout=10)) as file:
            file.execute("UPDATE retrieval_documents SET body = body || printf('%12582912s', '')")
            file.commit()
        done = run("reindex", "--all", "--url", f"http://127.0.0.1:{server.port}", seconds=20)
        check_equal(done.returncode, 0, done.stdout + done.stderr)
        for i in range(6):
            check_equal(found(server, f"word{i}", mode="words", limit=1), [f"d{i}"], f"d{i}")


# ---- deleting ----

def a_collection_deleted_during_an_intake_leaves_nothing():
    with quick() as server:
        server.make_collection()
        ended = []

        def pour():
            lines = b"".join(json.dumps({"id": f"d{i}", "text": f"word{i} " * 50}).encode() + b"\n" for i in range(6000))
            ended.append(server.request("POST", "/api/v1/collections/docs/documents", lines, {"Content-Type": "application/x-ndjson"},
                                        seconds=60))
        client = threading.Thread(target=pour)
        client.start()
        wait_until(lambda: server.get("/api/v1/collections/docs").json["documents"] > 0, 20, "nothing comes in")
        check_equal(server.request("DELETE", "/api/v1/collections/docs", seconds=60).status, 204, "deleted")
        client.join()
        check_equal(ended[0].status, 404, f"the intake: {ended[0].body[:300]!r}")
        check_equal(server.get("/api/v1/collections/docs").status, 404, "it is gone")
        database, vectors = server.databases()

        def is_swept():
            left = [rows(database, f"SELECT count(*) FROM {table}")[0][0] for table in
                    ("retrieval_documents", "retrieval_chunks", "retrieval_versions", "retrieval_garbage")]
            return left == [0, 0, 0, 0] and not rows(vectors, "SELECT 1 FROM collections")
        wait_until(is_swept, 20, "documents of the deleted collection stay")
        server.make_collection()
        check_equal(server.get("/api/v1/collections/docs").json["documents"], 0, "one made again is empty")


def documents_of_any_id_can_be_read_and_deleted():
    with quick() as server:
        server.make_collection()
        for name in (".", "..", "a/../b", "a//b", "%2e%2e", "a b", "ä", "x?y#z"):
            check_equal(server.put({"id": name, "text": "odd"}).json["stored"], 1, f"stored {name}")
            query = "?id=" + "".join(f"%{byte:02X}" for byte in name.encode())
            got = server.get("/api/v1/collections/docs/documents" + query)
            check_equal((got.status, got.json.get("id")), (200, name), f"read {name}")
            check_equal(server.request("DELETE", "/api/v1/collections/docs/documents" + query).status, 204, f"deleted {name}")
            check_equal(server.get("/api/v1/collections/docs/documents" + query).status, 404, f"{name} is gone")
        check_equal(server.request("DELETE", "/api/v1/collections/docs/documents").status, 400, "without an id")


# ---- searching ----

def integers_of_64_bits_in_filters_are_exact():
    with quick() as server:
        server.make_collection()
        numbers = [2**53, 2**53 + 1, 2**63 - 1, 2**63 - 2, -2**63]
        server.put(*[{"id": str(n), "text": "secret", "metadata": {"owner": n}} for n in numbers])
        for n in numbers:
            check_equal(found(server, "secret", filter={"owner": n}), [str(n)], f"owner = {n}")
        check_equal(sorted(found(server, "secret", filter={"owner": {"gt": 2**53}})), sorted(map(str, numbers[1:4])), "a range")
        check_equal(found(server, "secret", filter={"owner": {"in": [2**53 + 1, 5]}}), [str(2**53 + 1)], "one of several")


def what_a_search_does_not_know_is_refused_by_name():
    with quick() as server:
        server.make_collection()
        server.put(*documents())
        for body, word in (({"filters": {}}, "filter"), ({"top_k": 3}, "top_k"), ({"mode": 5}, "mode"), ({"limit": "3"}, "limit"),
                           ({"offset": -1}, "offset"), ({"min_score": "high"}, "min_score"), ({"with_text": 1}, "with_text")):
            answer = server.post("/api/v1/search", {"collection": "docs", "query": "coffee", **body})
            check(answer.status == 400 and word in answer.message, f"{body}: {answer.status} {answer.body!r}")
        check(server.post("/api/v1/search", {"query": "coffee", "filters": {}}).message.endswith('did you mean "filter"?'), "a hint")
        whole = ask(server, "the office trains minutes coffee", mode="words")["hits"]
        check_equal([h["document"] for h in ask(server, "the office trains minutes coffee", mode="words", offset=1)["hits"]],
                    [h["document"] for h in whole][1:], "the page behind the first hit")
        least = whole[1]["score"]
        check_equal(len(ask(server, "the office trains minutes coffee", mode="words", min_score=least)["hits"]), 2, "min_score")
        check_equal(server.post("/api/v1/collections/docs/documents", {"id": "x", "txt": "y"}).status, 400, "a document's members")
        for path, body in (("/api/v1/answer", {"question": "coffee", "top_k": 3}), ("/api/v1/answer", {"question": "coffee", "stream": "yes"}),
                           ("/api/v1/collections", {"name": "new", "model": "m"}), ("/api/v1/collections/new", {"lang": "de"})):
            check_equal(server.post(path, body).status, 400, f"{path} {body}")


run_tests([two_apps_on_one_vector_store_keep_their_documents, a_data_folder_has_one_server,
           data_of_the_version_before_is_adopted_once, points_that_may_be_anothers_are_left_alone,
           as_many_points_of_other_words_are_anothers,
           a_lost_store_is_noticed_and_built_anew, health_says_that_a_collection_is_being_built, single_points_that_are_lost_come_back,
           verify_data_says_and_mends_what_is_missing, a_build_that_is_killed_goes_on_and_intake_with_it,
           a_refused_update_keeps_the_old_version, one_document_does_not_poison_its_batch,
           another_embedder_of_equal_dimensions_is_not_searched_silently, other_passages_are_made_on_demand,
           large_documents_are_built_one_by_one,
           a_collection_deleted_during_an_intake_leaves_nothing, documents_of_any_id_can_be_read_and_deleted,
           integers_of_64_bits_in_filters_are_exact, what_a_search_does_not_know_is_refused_by_name])

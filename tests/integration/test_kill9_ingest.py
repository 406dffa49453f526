"""test_kill9_ingest.py - kill -9 in the middle of putting documents in: what was acknowledged is there and found."""
import http.client
import json
import random
import threading
import time

from backplane_test import Server, check, check_equal, check_integrity, rows, run_tests, wait_until

KILLS = 5
chance = random.Random(7)
server = Server(app={"scan": "1s"})
acknowledged, sent, refusals = {}, {}, []


def ingest(until_killed, round_number):
    """Batches of one and many; a third of the documents replace earlier ones."""
    number = 0
    while not until_killed.is_set():
        batch = []
        for _ in range(chance.choice((1, 5, 40))):
            old = acknowledged and chance.random() < 0.3
            name = chance.choice(list(acknowledged)) if old else f"r{round_number}-{number}"
            batch.append({"id": name, "text": f"unique{round_number}x{number} " + "alpha beta gamma. " * 60})
            number += 1
        for document in batch:
            sent.setdefault(document["id"], []).append(document["text"])
        try:
            answer = server.put(*batch)
        except (OSError, http.client.HTTPException):  # the server is gone
            return
        if answer.status != 200 or answer.json["refused"]:
            refusals.append(answer.body)
        else:
            acknowledged.update((document["id"], document["text"]) for document in batch)


def check_everything_is_there():
    page = server.get("/api/v1/collections/docs").json
    check_equal(page["documents"], page["ready"], "all documents are ready")
    database, vectors = server.databases()
    chunks = rows(database, "SELECT count(*) FROM retrieval_chunks")[0][0]
    check_equal(page["passages"], chunks, "points of the vector store against chunks of the storage")
    check_equal(rows(database, "SELECT count(*) FROM retrieval_garbage"), [(0,)], "points to be dropped")
    stored = dict(rows(database, "SELECT external_id, body FROM retrieval_documents"))
    for name, text in acknowledged.items():
        # A batch that was cut off may have replaced it, or not; of this round or of an earlier one.
        later = sent[name][sent[name].index(text):]
        check(stored.get(name) in later, f"document {name}: {str(stored.get(name))[:60]!r}, was {text[:60]!r}")
    for name in chance.sample(sorted(acknowledged), min(40, len(acknowledged))):
        hits = server.search(stored[name].split()[0], mode="words", limit=3)
        check(name in [hit["document"] for hit in hits], f"document {name} is not found by its own word")


def five_kills_lose_nothing_that_was_acknowledged():
    server.make_collection()
    for round_number in range(KILLS):
        killed = threading.Event()
        client = threading.Thread(target=ingest, args=(killed, round_number))
        client.start()
        time.sleep(chance.uniform(0.2, 1.2))
        server.kill()
        killed.set()
        client.join()
        server.start()
        check(server.search("alpha", limit=1), "it searches at once")

        def is_finished():
            page = server.get("/api/v1/collections/docs").json
            return page["documents"] == page["ready"] and not page["versions"] and not rows(server.databases()[0],
                                                                   "SELECT 1 FROM retrieval_garbage")
        wait_until(is_finished, 10, "documents stay unfinished after a restart")
        check_equal(refusals, [], "answers of a server that lives")
        check_everything_is_there()
    check(len(acknowledged) > 100, f"only {len(acknowledged)} documents were acknowledged")
    print(f"{len(acknowledged)} documents acknowledged over {KILLS} kills")


def the_databases_are_whole():
    check_integrity(server)


def the_log_is_json_line_by_line():
    for line in server.log_text().splitlines():
        if not line.startswith("=="):  # AddressSanitizer's word about makecontext()
            json.loads(line)


with server:
    run_tests([five_kills_lose_nothing_that_was_acknowledged, the_databases_are_whole, the_log_is_json_line_by_line])

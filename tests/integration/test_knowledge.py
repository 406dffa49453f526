"""test_knowledge.py - the app knowledge in a server: writes at once, kill -9, JSON lines, items encrypted at rest."""
import atexit
import concurrent.futures
import json
import os
import shutil

import backends
from backplane_test import Server, check, check_equal, conf, run_tests, tempfile

KEY = "0123456789abcdef" * 4
folder = tempfile.mkdtemp(prefix="backplane-test-")
atexit.register(shutil.rmtree, folder, True)
made = conf(folder)
made["app"]["knowledge"] = {"storage": "main", "key": KEY}
server = Server(made=made, folder=folder)


def line(kind, **fields):
    return json.dumps({"type": kind, **fields}) + "\n"


def send_lines(text):
    answer = server.post("/api/knowledge/import", text.encode(), headers={"Content-Type": "application/x-ndjson"})
    check_equal(answer.status, 200, f"import: {answer.body!r}")
    return answer.json


def exported():
    answer = server.get("/api/knowledge/export")
    check_equal(answer.status, 200, "export")
    return [json.loads(each) for each in answer.body.decode().splitlines()]


def sixty_four_writes_at_once_are_sixty_four_stored():
    def write(number):
        return send_lines(line("entity", name=f"at once {number}", entityType="test", observations=[f"fact {number}"]))

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(write, range(64)))
    check_equal(sum(answer["entities"] for answer in answers), 64, "entities acknowledged")
    stored = {entity["name"]: entity["observations"] for entity in exported() if entity["name"].startswith("at once")}
    check_equal(stored, {f"at once {i}": [f"fact {i}"] for i in range(64)}, "entities stored")


def the_same_entity_from_many_at_once_is_made_once():
    def write(number):
        return send_lines(line("entity", name="contested", entityType=f"type {number}", observations=["same"]))

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(write, range(32)))
    check_equal(sum(answer["entities"] for answer in answers), 1, "who made it")
    check_equal(sum(answer["observations"] for answer in answers), 1, "who added the observation")


def what_was_acknowledged_survives_kill_9():
    global server
    item = server.post("/store", {"user_id": "u", "memory_type": "facts", "data": {"pin": "4711 and more"}}).json
    send_lines(line("entity", name="survivor", entityType="test", observations=["of kill -9"]) +
               line("relation", **{"from": "survivor", "to": "contested", "relationType": "outlives"}))
    server.kill()
    server.start()
    found = exported()
    check({"type": "entity", "name": "survivor", "entityType": "test", "observations": ["of kill -9"]} in found, "entity")
    check({"type": "relation", "from": "survivor", "to": "contested", "relationType": "outlives"} in found, "relation")
    answer = server.post("/retrieve", {"user_id": "u", "memory_id": item["memory_id"]})
    check_equal(answer.json["data"], {"pin": "4711 and more"}, "the item")


def a_large_graph_comes_in_and_goes_out_as_a_stream():
    text = "".join(line("entity", name=f"bulk {i}", entityType="bulk", observations=[f"number {i}", "x" * 200])
                   for i in range(5000))
    text += "".join(line("relation", **{"from": f"bulk {i}", "to": f"bulk {i + 1}", "relationType": "next"})
                    for i in range(4999))
    check_equal(send_lines(text), {"entities": 5000, "observations": 10000, "relations": 4999, "refused": 0, "errors": []},
                "the first time")
    check_equal(send_lines(text), {"entities": 0, "observations": 0, "relations": 0, "refused": 0, "errors": []},
                "the second time")
    found = [json.dumps(each) for each in exported() if "bulk" in each.get("name", each.get("from", ""))]
    check_equal(found, [json.dumps(json.loads(each)) for each in text.splitlines()], "what goes out")


@backends.only_with("sqlite")
def items_lie_encrypted_in_every_file():
    server.post("/store", {"user_id": "u", "memory_type": "preferences", "data": "a needle nobody may find"})
    for name in os.listdir(server.data):
        path = os.path.join(server.data, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                check(b"needle nobody may find" not in file.read(), f"{name} has the item in clear")
    check_equal(backends.sql(server, "SELECT count(*) FROM knowledge_items WHERE is_sealed = 1")[0][0] > 0, True, "sealed rows")


with server:
    run_tests([sixty_four_writes_at_once_are_sixty_four_stored, the_same_entity_from_many_at_once_is_made_once,
               what_was_acknowledged_survives_kill_9, a_large_graph_comes_in_and_goes_out_as_a_stream,
               items_lie_encrypted_in_every_file])

"""test_knowledge_reference.py - the same calls to the official memory server and to ours, both over stdio: same answers.

Where ours differs on purpose (docs/apps/knowledge.md) the test says how.
"""
import concurrent.futures
import json
import os
import shutil
import subprocess
import tempfile
import threading

from backplane_test import PROGRAM, check, check_equal, conf, run_tests
from node_tools import FOLDER, packages, program

PACKAGE = "@modelcontextprotocol/server-memory"
installed = packages("server-memory", PACKAGE + "@2026.8.31")


class Client:
    """A server on a pipe. Answers are found by their id, so that many calls can be on their way."""

    def __init__(self, command, environment):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env={**os.environ, **environment})
        self.lock, self.next_id, self.waiting = threading.Lock(), 0, {}
        threading.Thread(target=self._read, daemon=True).start()
        self.request("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                    "clientInfo": {"name": "test", "version": "1"}})
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _send(self, message):
        with self.lock:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") in self.waiting:
                self.waiting[message["id"]].set_result(message)

    def request(self, method, params):
        with self.lock:
            self.next_id += 1
            number = self.next_id
            answer = self.waiting[number] = concurrent.futures.Future()
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return answer.result(30)["result"]

    def call(self, name, **arguments):
        result = self.request("tools/call", {"name": name, "arguments": arguments})
        return {key: result[key] for key in ("content", "structuredContent", "isError") if result.get(key)}

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


folder = tempfile.mkdtemp(prefix="backplane-test-")
made = conf(folder)
made["app"] = {"knowledge": {"storage": "main"}}
with open(os.path.join(folder, "conf.yaml"), "w") as file:
    json.dump(made, file)
PATH = {"PATH": os.path.join(FOLDER, "venv", "bin") + ":" + os.environ["PATH"]}
MEMORY = os.path.join(folder, "memory.jsonl")
theirs = Client(["node", program(installed, PACKAGE, "dist", "index.js")], {**PATH, "MEMORY_FILE_PATH": MEMORY})
ours = Client([PROGRAM, "mcp", "--app", "knowledge", "-c", os.path.join(folder, "conf.yaml")], {})

ADA = {"name": "Ada Lovelace", "entityType": "person", "observations": ["likes tea", "wrote \"Note G\"\nin 1843"]}
BOB = {"name": "Bob", "entityType": "Person", "observations": []}
STRASSE = {"name": "Straße Ä", "entityType": "place", "observations": ["ΑΘΗΝΑ and Москва", "😀 emoji"]}
KNOWS = {"from": "Ada Lovelace", "to": "Bob", "relationType": "knows"}
LOOSE = {"from": "Bob", "to": "nobody yet", "relationType": "waits for"}

CALLS = [
    ("read_graph", {}),
    ("search_nodes", {"query": "anything"}),
    ("create_entities", {"entities": [ADA, BOB]}),
    ("create_entities", {"entities": [{**ADA, "entityType": "other"}, STRASSE]}),
    ("create_entities", {"entities": []}),
    ("create_relations", {"relations": [KNOWS, LOOSE]}),
    ("create_relations", {"relations": [KNOWS]}),
    ("read_graph", {}),
    ("add_observations", {"observations": [{"entityName": "Bob", "contents": ["one", "two"]}]}),
    ("add_observations", {"observations": [{"entityName": "Bob", "contents": ["two", "three"]},
                                           {"entityName": "Ada Lovelace", "contents": ["likes tea"]}]}),
    ("search_nodes", {"query": "PERSON"}),
    ("search_nodes", {"query": "TEA"}),
    ("search_nodes", {"query": "straße ä"}),
    ("search_nodes", {"query": "αθηνα AND москва"}),
    ("search_nodes", {"query": "note g\"\nIN"}),
    ("search_nodes", {"query": "three"}),
    ("search_nodes", {"query": "😀"}),
    ("search_nodes", {"query": ""}),
    ("search_nodes", {"query": "not there"}),
    ("open_nodes", {"names": ["Bob", "nobody"]}),
    ("open_nodes", {"names": ["Straße Ä", "Ada Lovelace"]}),
    ("open_nodes", {"names": []}),
    ("delete_observations", {"deletions": [{"entityName": "Bob", "observations": ["two", "never"]},
                                           {"entityName": "nobody", "observations": ["x"]}]}),
    ("delete_relations", {"relations": [LOOSE, {"from": "a", "to": "b", "relationType": "c"}]}),
    ("read_graph", {}),
    ("delete_entities", {"entityNames": ["Ada Lovelace", "nobody"]}),
    ("read_graph", {}),
]


def the_same_calls_get_the_same_answers():
    for name, arguments in CALLS:
        check_equal(ours.call(name, **arguments), theirs.call(name, **arguments), f"{name} {json.dumps(arguments)}")


def an_unknown_entity_is_the_same_error():
    found = [client.call("add_observations", observations=[{"entityName": "Zoe", "contents": ["x"]}]) for client in (ours, theirs)]
    for result in found:
        check(result["isError"], f"isError: {result}")
        check("Entity with name Zoe not found" in result["content"][0]["text"], f"sentence: {result}")


def arguments_of_another_type_are_errors_of_the_tool():
    for name, arguments in (("search_nodes", {"query": 1}), ("create_entities", {"entities": [{"name": "x"}]}),
                            ("open_nodes", {}), ("delete_relations", {"relations": "all"})):
        for client in (ours, theirs):
            check(client.call(name, **arguments).get("isError"), f"{name} {arguments}")


PAGED = ("read_graph", "search_nodes", "open_nodes")  # decided otherwise: a large answer comes in parts, the reference gives it whole


def tools_have_the_same_names_and_needs():
    def outline(client):
        return {tool["name"]: (sorted(tool["inputSchema"].get("properties", {})), sorted(tool["inputSchema"].get("required", [])),
                               sorted(tool["outputSchema"]["properties"]))
                for tool in client.request("tools/list", {})["tools"]}
    wanted = outline(theirs)
    for name in PAGED:
        needs = wanted[name]
        wanted[name] = (sorted(needs[0] + ["cursor"]), needs[1], sorted(needs[2] + ["nextCursor"]))
    check_equal(outline(ours), wanted, "the tools")


def the_resource_is_the_same():
    def read(client):
        contents = client.request("resources/read", {"uri": "memory://knowledge-graph"})["contents"]
        return [(each["uri"], each.get("mimeType"), each["text"]) for each in contents]
    check_equal(read(ours), read(theirs), "the resource")
    check_equal([each["uri"] for each in ours.request("resources/list", {})["resources"]],
                [each["uri"] for each in theirs.request("resources/list", {})["resources"]], "the list")


def of_sixty_four_writes_on_their_way_at_once_none_is_lost():
    def write(number):
        return ours.call("create_entities", entities=[{"name": f"at once {number}", "entityType": "t", "observations": ["x"]}])

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(write, range(64)))
    check_equal(sum(len(answer["structuredContent"]["entities"]) for answer in answers), 64, "acknowledged")
    check_equal(len(ours.call("search_nodes", query="AT ONCE")["structuredContent"]["entities"]), 64, "stored")


try:
    run_tests([the_same_calls_get_the_same_answers, an_unknown_entity_is_the_same_error,
               arguments_of_another_type_are_errors_of_the_tool, tools_have_the_same_names_and_needs, the_resource_is_the_same,
               of_sixty_four_writes_on_their_way_at_once_none_is_lost])
finally:
    ours.close()
    theirs.close()
    shutil.rmtree(folder, ignore_errors=True)

"""test_mcp_schemas.py - every tool of every app of the tree says one type a value, as some clients refuse all tools else; and
arguments that a model wrote almost right are taken, unless the conf says otherwise."""
import glob
import json
import os

from backplane_test import PLUGINS, Server, check, check_equal, run_tests
from mcp_test import FAULT_PLUGINS, Session, message_of

UNION_KEYS = ("anyOf", "oneOf")
NAMES = ("properties", "$defs", "definitions", "patternProperties")


def unions(schema, place="", are_names=False):
    if isinstance(schema, dict):
        if not are_names and isinstance(schema.get("type"), list):
            yield place + "/type"
        for key in UNION_KEYS:
            if not are_names and len({branch.get("type") for branch in schema.get(key, []) if "type" in branch}) > 1:
                yield f"{place}/{key}"
        for key, value in schema.items():
            if are_names or key not in ("enum", "const", "default", "examples"):
                yield from unions(value, f"{place}/{key}", not are_names and key in NAMES)
    elif isinstance(schema, list):
        for i, value in enumerate(schema):
            yield from unions(value, f"{place}/{i}")


def all_apps(folder, **server):
    """A conf with every app that the tree has; a new one has to be added here."""
    files = os.path.join(folder, "files")
    os.makedirs(files, exist_ok=True)
    memory = {"storage": "main", "vector": "docs", "embed": "main"}
    apps = {
        "retrieval": {**memory, "llm": ["none"]},
        "filesystem": {"roots": [files]},
        "git": {"repositories": [files], "writes": True},
        "journal": {"storage": "main", "vector": "journal", "embed": "main"},
        "knowledge": {"storage": "main"},
        "questioning": {"storage": "main", "vector": "questioning", "embed": "main", "llm": ["none"]},
    }
    listen = [{"address": f"127.0.0.1:{0}", "apps": [name]} for name in apps]
    return {"data_dir": os.path.join(folder, "data"), "server": {"listen": listen, "workers": 1, **server},
            "storage": {"main": {"use": "sqlite", "path": "backplane.db"}}, "embed": {"main": {"use": "hash"}},
            "vector": {name: {"use": "local", "path": name} for name in ("docs", "journal", "questioning")},
            "llm": {"none": {"use": "extractive"}}, "app": apps}


def no_tool_of_the_tree_takes_several_types():
    built = {os.path.basename(path)[:-3] for path in glob.glob(os.path.join(PLUGINS, "app", "*.so"))}
    with Server(made=all_apps) as server:
        check_equal(built - {"echo"} - set(server.conf["app"]), set(), "apps of the tree that this test does not look at")
        tools, seen = 0, set()
        for line in [one for one in server.log_lines() if one.get("event") == "listening"]:
            server.port = int(line["address"].rsplit(":", 1)[1])
            session, cursor = Session(server), None
            while True:
                found = session.request("tools/list", {"cursor": cursor}).json["result"]  # null: none
                for tool in found["tools"]:
                    check_equal(list(unions(tool["inputSchema"])), [], f"unions of {tool['name']}")
                    seen.add(tool["name"])
                cursor = found.get("nextCursor")
                if not cursor:
                    break
            tools = len(seen)
        check(tools > 40, f"{tools} tools are looked at")
        check(not server.find_event("tool_schema_union"), "the host finds none either")


def loose(folder, coerce=True):
    return {"data_dir": os.path.join(folder, "data"),
            "server": {"listen": ["127.0.0.1:0"], "workers": 1, "mcp": {"coerce_arguments": coerce}},
            "plugins": [FAULT_PLUGINS], "app": {"loose": {}}}


ALMOST = [
    ({"count": 3.0}, {"count": 3}),
    ({"count": "5"}, {"count": 5}),
    ({"count": "5.0"}, {"count": 5}),
    ({"count": "9007199254740993"}, {"count": 9007199254740993}),
    ({"count": 9007199254740993}, {"count": 9007199254740993}),
    ({"ratio": "2.5"}, {"ratio": 2.5}),
    ({"ratio": 3.0}, {"ratio": 3}),  # as the writer writes it
    ({"flag": "true"}, {"flag": True}),
    ({"flag": "False"}, {"flag": False}),
    ({"names": "[\"a\", \"b\"]"}, {"names": ["a", "b"]}),
    ({"deep": "{\"count\": \"7\", \"note\": null}"}, {"deep": {"count": 7}}),
    ({"deep": {"count": 2.0, "note": None}}, {"deep": {"count": 2}}),
    ({"points": ["1", 2.0, 3]}, {"points": [1, 2, 3]}),
    ({"text": None, "count": None}, {}),
    ({"text": "5"}, {"text": "5"}),
    ({"text": "[\"a\"]"}, {"text": "[\"a\"]"}),
    ({"either": None}, {"either": None}),
    ({"either": "5"}, {"either": "5"}),
    ({"place": {"line": "4"}}, {"place": {"line": 4}}),
]
WRONG = [{"count": 3.5}, {"count": "three"}, {"count": "3.5"}, {"flag": "yes"}, {"names": "a"}, {"names": "{}"}, {"count": True}]


def arguments_that_are_almost_right_are_taken():
    with Server(made=loose) as server:
        session = Session(server)
        for given, wanted in ALMOST:
            result = message_of(session.call("take", given), session.next)["result"]
            check(not result.get("isError"), f"{given}: {result}")
            found = json.loads(result["content"][0]["text"])
            check_equal(json.dumps(found, sort_keys=True), json.dumps(wanted, sort_keys=True), f"{given}")
        result = message_of(session.request("tools/call", {"name": "take", "arguments": "{\"count\": \"1\"}"}), session.next)
        check_equal(json.loads(result["result"]["content"][0]["text"]), {"count": 1}, "all arguments as a text")
        for given in (None, {}):
            result = message_of(session.request("tools/call", {"name": "take", "arguments": given}), session.next)
            check_equal(result["result"]["content"][0]["text"], "{}", "no arguments")
        for given in WRONG:
            result = message_of(session.call("take", given), session.next)["result"]
            check(result.get("isError"), f"{given} is wrong, whatever one does with it")
        for cursor in ("", None):
            check("result" in session.request("tools/list", {"cursor": cursor}).json, "a cursor that is none")
        check(server.find_event("tool_schema_union")["tool"] == "take", "the host warns of a tool that takes several types")


def by_option_they_are_refused():
    with Server(made=lambda folder: loose(folder, False)) as server:
        session = Session(server)
        for given in ({"count": "5"}, {"names": "[]"}, {"text": None}):
            check(message_of(session.call("take", given), session.next)["result"].get("isError"), f"{given}")


run_tests([no_tool_of_the_tree_takes_several_types, arguments_that_are_almost_right_are_taken, by_option_they_are_refused])

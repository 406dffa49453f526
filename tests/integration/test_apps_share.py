"""test_apps_share.py - apps on one endpoint: who keeps paths and names, what the later one gets, and that check, serve and stdio agree."""
import json
import os
import subprocess
import tempfile

from backplane_test import PROGRAM, Server, check, check_equal, run, run_tests

HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
           "MCP-Protocol-Version": "2025-06-18"}


def made(folder, app, **server):
    return {"data_dir": os.path.join(folder, "data"), "server": {"listen": ["127.0.0.1:0"], "workers": 1, "drain": {"delay": "0s"}, **server},
            "storage": {"main": {"use": "sqlite", "path": "memory.db"}}, "app": app}


def two_folders(folder, **more):
    """Two instances of one plugin."""
    for name in ("work", "notes"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        with open(os.path.join(folder, name, "a.txt"), "w") as file:
            file.write("in " + name)
    return made(folder, {"work": {"use": "filesystem", "roots": [os.path.join(folder, "work")]},
                         "notes": {"use": "filesystem", "roots": [os.path.join(folder, "notes")], **more}})


def git_and_knowledge(folder):
    subprocess.run(["git", "init", "-q", os.path.join(folder, "r")], check=True)
    return made(folder, {"git": {"repositories": [os.path.join(folder, "r")]}, "knowledge": {"storage": "main"}})


def rpc(server, method, path="/mcp", **params):
    return server.post(path, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers=HEADERS).json


def tools(server, path="/mcp"):
    first = server.post(path, {"jsonrpc": "2.0", "id": 0, "method": "initialize",
                               "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
                        headers=HEADERS)
    HEADERS["Mcp-Session-Id"] = first.headers["Mcp-Session-Id"]
    return [tool["name"] for tool in rpc(server, "tools/list", path)["result"]["tools"]]


def ask_stdio(conf_path, *requests):
    lines = [{"jsonrpc": "2.0", "id": 0, "method": "initialize",
              "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
             {"jsonrpc": "2.0", "method": "notifications/initialized"},
             *({"jsonrpc": "2.0", "id": i + 1, **request} for i, request in enumerate(requests))]
    done = subprocess.run([PROGRAM, "mcp", "-c", conf_path], input="".join(json.dumps(line) + "\n" for line in lines),
                          capture_output=True, text=True, timeout=30)
    answers = {}
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        if "id" in answer:
            answers[answer["id"]] = answer
    check_equal(done.returncode, 0, done.stderr)
    return [answers[i + 1]["result"] for i in range(len(requests))]


def checked(server, wanted=0):
    done = run("check", "-c", server.conf_path)
    check_equal(done.returncode, wanted, f"check says another thing than serve: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def the_first_of_two_instances_keeps_its_names_and_the_later_gets_its_own_before_them():
    with Server(made=two_folders) as server:
        roots = {name: os.path.join(server.folder, name, "a.txt") for name in ("work", "notes")}
        for prefix, name in (("", "work"), ("/notes", "notes")):
            answer = server.post(prefix + "/read_file", {"path": roots[name]})
            check(answer.status == 200 and "in " + name in answer.body.decode(), f"{prefix}/read_file: {answer.status} {answer.body}")
        paths = server.get("/openapi.json").json["paths"]
        check("/read_file" in paths and "/notes/read_file" in paths, f"{list(paths)}")
        listed = tools(server)
        check(len(listed) == len(set(listed)) and "read_text_file" in listed and "notes_read_text_file" in listed, f"{listed}")
        check(not [name for name in listed if "." in name], f"a dot in {listed}")
        for prefix, name in (("", "work"), ("notes_", "notes")):
            said = rpc(server, "tools/call", name=prefix + "read_text_file", arguments={"path": roots[name]})
            check("in " + name in json.dumps(said), f"{prefix}read_text_file: {said}")
        said = rpc(server, "tools/call", name="read_text_file", arguments={"path": roots["notes"]})
        check("in notes" not in json.dumps(said), "the first instance reads in the folder of the second")
        check("read_text_file" in tools(server, "/mcp/notes"), "alone there is nobody to be told from")
        line = server.find_event("routes_prefixed")
        check(line and "app.notes" in line["message"] and "/notes" in line["message"], f"the log does not say it: {line}")
        check("app.notes" in checked(server) and "/notes" in checked(server), "check does not say it")
        listed, read = ask_stdio(server.conf_path, {"method": "tools/list"},
                                 {"method": "tools/call", "params": {"name": "notes_read_text_file", "arguments": {"path": roots["notes"]}}})
        check("notes_read_text_file" in [tool["name"] for tool in listed["tools"]], "over stdio the names are others")
        check("in notes" in json.dumps(read), f"over stdio: {read}")


def two_plugins_with_one_route_share_a_listener():
    with Server(made=git_and_knowledge) as server:
        paths = server.get("/openapi.json").json["paths"]
        check("/search" in paths and "/knowledge/search" in paths, f"{list(paths)}")
        check(server.post("/search", {}).status in (400, 422), "git's own route")
        check(server.post("/knowledge/search", {}).status in (400, 422), "the route of knowledge")
        checked(server)
        names = [tool["name"] for tool in ask_stdio(server.conf_path, {"method": "tools/list"})[0]["tools"]]
        check("git_status" in names and "create_entities" in names, f"{names}")


def a_prefix_of_the_conf_is_taken():
    with Server(made=lambda folder: two_folders(folder, prefix="pages")) as server:
        check_equal(server.post("/pages/read_file", {"path": os.path.join(server.folder, "notes", "a.txt")}).status, 200, "POST /pages/read_file")
        check("pages_read_text_file" in tools(server), "the names of tools")
        check("pages_read_text_file" in tools(server, "/mcp/notes"), "alone too, for the conf says so")
        check(not server.find_event("routes_prefixed"), "nothing happened by rule")


def listeners_of_their_own_need_no_prefix():
    def each_alone(folder):
        conf = two_folders(folder)
        conf["server"]["listen"] = [{"address": "127.0.0.1:0", "apps": [app]} for app in ("work", "notes")]
        return conf
    with Server(made=each_alone) as server:
        check_equal(server.post("/read_file", {"path": os.path.join(server.folder, "work", "a.txt")}).status, 200, "the first listener")
        check(not server.find_event("routes_prefixed"), "a prefix without need")


def a_prefix_that_does_not_help_is_an_error_at_its_line_for_check_and_serve():
    with tempfile.TemporaryDirectory() as folder:
        conf = two_folders(folder, prefix="pages")
        conf["app"]["work"]["prefix"] = "pages"
        path = os.path.join(folder, "c.yaml")
        for prefix, word in (("pages", "another `prefix`"), ("a/b", "is no prefix")):
            conf["app"]["notes"]["prefix"] = prefix
            with open(path, "w") as file:
                json.dump(conf, file, indent=1)
            with open(path) as file:
                lines = file.read().split("\n")
            line = max(i + 1 for i, text in enumerate(lines) if '"prefix"' in text and prefix in text and i > lines.index('  "notes": {'))
            for command in ("check", "serve"):
                done = run(command, "-c", path, seconds=20)
                check_equal(done.returncode, 78, f"{command}: {done.stdout}{done.stderr}")
                check(f"c.yaml:{line}:" in done.stderr and word in done.stderr, f"{command}, line {line}: {done.stderr}")


run_tests([
    the_first_of_two_instances_keeps_its_names_and_the_later_gets_its_own_before_them,
    two_plugins_with_one_route_share_a_listener,
    a_prefix_of_the_conf_is_taken,
    listeners_of_their_own_need_no_prefix,
    a_prefix_that_does_not_help_is_an_error_at_its_line_for_check_and_serve,
])

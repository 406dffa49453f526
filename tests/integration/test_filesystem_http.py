"""test_filesystem_http.py - the app filesystem in a server: its routes and tools with keys, limits, restarts and a killed process."""
import glob
import json
import os
import shutil
import tempfile
import threading

from backplane_test import Server, check, check_equal, run_tests, wait_until

folder = os.path.realpath(tempfile.mkdtemp(prefix="backplane-test-"))
root = os.path.join(folder, "root")


def put(name, text):
    with open(os.path.join(root, name), "w") as file:
        file.write(text)


def content(name):
    with open(os.path.join(root, name)) as file:
        return file.read()


def serve(server=None, **options):
    made = {"data_dir": os.path.join(folder, "data"), "server": {"listen": ["127.0.0.1:0"], "workers": 2, **(server or {})},
            "storage": {"main": {"use": "sqlite", "path": "backplane.db"}}, "cache": {"main": {"use": "memory", "size": "16MiB"}},
            "app": {"filesystem": {"roots": [root], **options}}}
    return Server(folder=folder, made=made)


def call(server, tool, **arguments):
    """A tool over POST /mcp, without a session (2026-07-28)."""
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {}}
    return server.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments, "_meta": meta}},
                       headers={"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28",
                                "Mcp-Method": "tools/call", "Mcp-Name": tool})


def result_of(answer):
    text = answer.body.decode()
    if text.startswith(("event:", "data:", ":", "id:")):
        text = [line[6:] for line in text.splitlines() if line.startswith("data: {")][-1]
    message = json.loads(text)
    check("result" in message, text[:500])
    return message["result"]


def routes_and_tools_see_the_same_files():
    put("a.txt", "one\n")
    with serve() as server:
        check_equal(server.get("/health").status, 200, "health")
        check_equal(server.post("/read_file", {"path": "a.txt"}).json, {"content": "one\n"}, "/read_file")
        check_equal(server.post("/write_file", {"path": "b.txt", "content": "zwei €\n"}).json, {"success": True}, "/write_file")
        check_equal(result_of(call(server, "read_text_file", path="b.txt"))["structuredContent"], {"content": "zwei €\n"}, "read_text_file")
        entries = server.post("/list_directory", {"path": root}).json["entries"]
        check_equal([entry["name"] for entry in entries], ["a.txt", "b.txt"], "/list_directory")
        check_equal(server.post("/search_files", {"pattern": "b*", "root": "."}).json["files"], [os.path.join(root, "b.txt")], "/search_files")
        refused = server.post("/read_file", {"path": "/etc/passwd"})
        check_equal(refused.status, 403, "outside")
        check("Access denied - path outside allowed directories: /etc/passwd not in " + root in refused.message, refused.message)
        check_equal(server.post("/read_file", {"path": "nope"}).status, 404, "missing")
        check_equal(server.metric("filesystem_refused_total", reason="outside"), 1.0, "refusals counted")


def keys_need_the_scope_of_what_they_do():
    with serve(server={"auth": {"mode": "keys", "storage": "main"}}, tenants=["acme"]) as server:
        def key(tenant, scopes):
            done = server.run("key", "create", "--name", "test", "--tenant", tenant, "--scopes", scopes)
            check_equal(done.returncode, 0, done.stderr)
            return done.stdout.strip()

        check_equal(server.post("/read_file", {"path": "a.txt"}).status, 401, "no key")
        server.key = key("acme", "filesystem:read")
        check_equal(server.post("/read_file", {"path": "a.txt"}).status, 200, "reading")
        check_equal(server.post("/write_file", {"path": "a.txt", "content": "x"}).status, 403, "writing with filesystem:read")
        answer = call(server, "write_file", path="a.txt", content="x")
        check(answer.status >= 400 or "error" in json.loads(answer.body) or result_of(answer).get("isError"), f"write_file: {answer.body[:300]}")
        check_equal(content("a.txt"), "one\n", "the file")
        server.key = key("acme", "filesystem:write")
        check_equal(server.post("/write_file", {"path": "a.txt", "content": "one\n"}).status, 200, "writing")
        server.key = key("other", "*")
        answer = server.post("/read_file", {"path": "a.txt"})
        check_equal((answer.status, answer.message), (403, 'the tenant "other" may not use these files'), "another tenant")


def limits_are_counted_for_routes_and_tools_together():
    with serve(cache="main", read_per_minute=5) as server:
        statuses = [server.post("/read_file", {"path": "a.txt"}).status for _ in range(4)]
        check_equal(statuses, [200] * 4, "below the limit")
        check_equal(result_of(call(server, "read_text_file", path="a.txt")).get("isError"), None, "the fifth")
        answer = server.post("/read_file", {"path": "a.txt"})
        check_equal(answer.status, 429, "the sixth")
        check(int(answer.headers["Retry-After"]) > 0, "Retry-After")
        check(result_of(call(server, "read_text_file", path="a.txt"))["isError"], "the seventh, a tool")
        check_equal(server.post("/list_directory", {"path": "."}).status, 200, "another kind")


def threads_that_work_on_files_are_confined():
    with serve(landlock="required") as server:
        server.post("/read_file", {"path": "a.txt"})
        found = {}
        for task in glob.glob(f"/proc/{server.process.pid}/task/*/status"):
            with open(task) as file:
                lines = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
            found.setdefault(lines["Name"].strip(), set()).add(lines["NoNewPrivs"].strip())
        check("1" in found.get("filesystem", ()), f"no thread of the pool is confined: {found}")


def edits_at_the_same_time_are_all_kept():
    put("count.txt", "".join(f"<{i}>\n" for i in range(40)))
    with serve() as server:
        def edit(first):
            for i in range(first, 40, 4):
                answer = result_of(call(server, "edit_file", path="count.txt", edits=[{"oldText": f"<{i}>", "newText": f"[{i}]"}]))
                check(not answer.get("isError"), str(answer))

        threads = [threading.Thread(target=edit, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    check_equal(content("count.txt"), "".join(f"[{i}]\n" for i in range(40)), "all edits")


def a_killed_process_leaves_whole_files():
    texts = ["a" * 300000, "b" * 500000]
    put("whole.txt", texts[0])
    for _ in range(3):
        with serve() as server:
            acknowledged = []

            def write():
                try:
                    while True:
                        text = texts[len(acknowledged) % 2]
                        check_equal(server.post("/write_file", {"path": "whole.txt", "content": text}).status, 200, "writing")
                        acknowledged.append(text)
                except OSError:
                    pass  # it was killed

            thread = threading.Thread(target=write)
            thread.start()
            wait_until(lambda: len(acknowledged) > 5, 20, "nothing was written")
            server.kill()
            thread.join()
            check(content("whole.txt") in texts, "the file is neither the one text nor the other")
    with serve() as server:
        entries = [entry["name"] for entry in server.post("/list_directory", {"path": "."}).json["entries"]]
        check(not [name for name in entries if name.startswith(".backplane")], f"leftovers are listed: {entries}")


os.mkdir(root)
try:
    run_tests([routes_and_tools_see_the_same_files, keys_need_the_scope_of_what_they_do, limits_are_counted_for_routes_and_tools_together,
               threads_that_work_on_files_are_confined, edits_at_the_same_time_are_all_kept, a_killed_process_leaves_whole_files])
finally:
    shutil.rmtree(folder)

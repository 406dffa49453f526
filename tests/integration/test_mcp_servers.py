"""The MCP servers of the runbooks in one process, each on a port of its own: conf/mcp.yaml with free ports."""
import http.client
import json
import os
import subprocess

from backplane_test import Server, check, check_equal, run_tests

APPS = ["journal", "filesystem", "git", "knowledge"]


def made(folder):
    files = os.path.join(folder, "files")
    os.makedirs(files)
    with open(os.path.join(files, "a.txt"), "w", encoding="utf-8") as file:
        file.write("in a file")
    git = ["git", "-C", files, "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "a.txt"], ["commit", "-q", "-m", "the first one"]):
        subprocess.run(git + command, check=True)
    return {
        "data_dir": os.path.join(folder, "data"),
        "server": {"listen": [{"address": "127.0.0.1:0", "apps": [app]} for app in APPS], "workers": 2},
        "storage": {"main": {"use": "sqlite", "path": "memory.db"}},
        "embed": {"main": {"use": "hash"}},
        "vector": {"memories": {"use": "local", "path": "memories"}},
        "app": {
            "journal": {"storage": "main", "vector": "memories", "embed": "main"},
            "knowledge": {"storage": "main"},
            "filesystem": {"roots": [files]},
            "git": {"repositories": [files]},
        },
    }


class Ports:
    """One server, asked on the port of an app."""

    def __init__(self, server):
        found = [line["address"] for line in server.log_lines() if line.get("event") == "listening"]
        self.ports = dict(zip(APPS, (int(address.rsplit(":", 1)[1]) for address in found)))

    def ask(self, app, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[app], timeout=20)
        connection.request(method, path, body=json.dumps(body) if body is not None else None,
                           headers={"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text

    def rpc(self, app, method, path="/mcp", **params):
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
        status, answer = self.ask(app, "POST", path, {"jsonrpc": "2.0", "id": 1, "method": method,
                                                      "params": {"_meta": meta, **params}}, **headers)
        return status, answer


def main():
    with Server(made=made) as server:
        ports = Ports(server)

        def each_port_offers_the_tools_of_its_app_alone():
            wanted = {"journal": (14, "start_working_on"), "filesystem": (14, "read_text_file"), "git": (7, "git_log"),
                      "knowledge": (9, "search_nodes")}
            for app, (count, name) in wanted.items():
                status, answer = ports.rpc(app, "tools/list")
                names = [tool["name"] for tool in answer["result"]["tools"]]
                check_equal(status, 200, app)
                check_equal(len(names), count, f"tools of {app}: {names}")
                check(name in names, f"{app} does not offer {name}")

        def the_plain_contract_of_each_side_server_is_answered_on_its_port():
            for app in APPS:
                check_equal(ports.ask(app, "GET", "/health")[0], 200, f"/health of {app}")
            check_equal(ports.ask("filesystem", "POST", "/read_file", {"path": "a.txt"})[1]["content"], "in a file", "/read_file")
            check_equal(len(ports.ask("git", "POST", "/log", {"repo_path": ".", "max_commits": 5})[1]["commits"]), 1, "/log")
            status, stored = ports.ask("knowledge", "POST", "/store",
                                       {"user_id": "u", "memory_type": "facts", "data": {"likes": "tea"}})
            check(status in (200, 201) and stored["memory_id"], f"/store answered {status} {stored}")

        def a_route_that_two_apps_have_is_answered_by_the_one_of_the_port():
            status, found = ports.ask("git", "POST", "/search", {"repo_path": ".", "query": "in a file"})
            check_equal(status, 200, "/search of git")
            check("results" in found, f"git's /search answered {found}")
            status, found = ports.ask("knowledge", "POST", "/search", {"user_id": "u", "query": "tea"})
            check_equal(status, 200, "/search of knowledge")
            check("tea" in json.dumps(found), f"the /search of knowledge answered {found}")

        def what_is_served_elsewhere_is_not_found_here():
            check_equal(ports.ask("git", "POST", "/read_file", {"path": "a.txt"})[0], 404, "/read_file on git's port")
            check_equal(ports.rpc("git", "tools/list", path="/mcp/filesystem")[0], 404, "/mcp/filesystem on git's port")
            check_equal(ports.rpc("git", "tools/list", path="/mcp/git")[0], 200, "/mcp/git on git's port")

        run_tests([each_port_offers_the_tools_of_its_app_alone, the_plain_contract_of_each_side_server_is_answered_on_its_port,
                  a_route_that_two_apps_have_is_answered_by_the_one_of_the_port, what_is_served_elsewhere_is_not_found_here])


main()

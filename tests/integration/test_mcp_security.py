"""test_mcp_security.py - what MCP's specifications demand for security (M1-M15), on the wire: origins, versions and headers
that must agree with the body, sessions, and what clients carry, none of which is of use to anybody else."""
import base64
import glob
import gzip
import json
import os
import re

from backplane_test import SOURCE, check, check_equal, conf, run, run_tests, wait_until
from mcp_test import (ACCEPT, LEGACY, MODERN, Session, call_modern, encoded, error_code, guarded_server, message_of, meta,
                      modern, modern_request, open_raw, raw_post, text_of)

LISTED = "https://console.example.org"
server = guarded_server({"allowed_origins": [LISTED]})
closed = guarded_server({"auth": {"mode": "keys", "storage": "main"}, "mcp": {"session_idle_timeout": "2s"}})
keys = {}
SESSIONS = "mcp_sessions"


def make_key(name, scopes="*"):
    done = closed.run("key", "create", "--name", name, "--tenant", name, "--scopes", scopes)
    check_equal(done.returncode, 0, f"key create: {done.stderr}")
    keys[name] = {"Authorization": "Bearer " + done.stdout.strip()}


# ---- M1, M2: who may knock ----

def a_foreign_origin_is_refused_before_the_body_is_read():
    own = f"http://localhost:{server.port}"
    for origin in (None, own, LISTED, LISTED.upper()):
        body, headers = modern_request("tools/list", headers={"Host": f"localhost:{server.port}", "Origin": origin})
        check_equal(server.post("/mcp", body, headers=headers).status, 200, f"Origin {origin}")
    foreign = ["https://evil.example", "null", "https://console.example.org.evil.example", "https://evil-console.example.org",
               "https://console.example.org:444", "http://console.example.org", f"http://localhost:{server.port}.evil.example",
               f"http://localhost:{server.port}x", "file://", "HTTPS://EVIL.EXAMPLE",
               f"http://evil@localhost:{server.port}", f"{LISTED}, https://evil.example", f"{LISTED}/", "http://"]
    for origin in foreign:
        sent = (f"POST /mcp HTTP/1.1\r\nHost: localhost:{server.port}\r\nOrigin: {origin}\r\nContent-Type: application/json\r\n"
                "Content-Length: 1000\r\n\r\n").encode()  # no byte of the body ever comes
        answer = server.raw(sent, seconds=2)
        check(answer.startswith(b"HTTP/1.1 403 "), f"Origin {origin!r}: {answer[:80]!r}")
        check(b"Access-Control" not in answer, f"Origin {origin!r} is told that it may")
    for method in ("GET", "DELETE", "OPTIONS"):
        check_equal(server.request(method, "/mcp", headers={"Origin": "https://evil.example"}).status, 403, method)


def two_origins_are_no_origin():
    sent = (f"POST /mcp HTTP/1.1\r\nHost: localhost:{server.port}\r\nOrigin: {LISTED}\r\nOrigin: https://evil.example\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}").encode()
    check(server.raw(sent, seconds=2).startswith(b"HTTP/1.1 403 "), "two headers Origin")


def on_loopback_only_loopback_names_are_answered_for():
    for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10:99", f"[::1]:{server.port}"):
        body, headers = modern_request("tools/list", headers={"Host": host})
        check_equal(server.post("/mcp", body, headers=headers).status, 200, f"Host {host}")
    for host in ("evil.example.com", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example", "0.0.0.0",
                 "10.0.0.1", "localhost-evil", "evil.example:80"):
        for path in ("/mcp", "/health", "/metrics"):
            sent = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode()
            check(server.raw(sent, seconds=2).startswith(b"HTTP/1.1 403 "), f"Host {host} {path}")
    both = server.post("/mcp", {}, headers={"Host": "evil.example.com", "Origin": "http://evil.example.com"})
    check_equal(both.status, 403, "rebinding: Host and Origin of the same foreign name")


def pages_of_this_machine_may_call_a_loopback_listener():
    for origin in ("http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:8080", "https://localhost"):
        body, headers = modern_request("tools/list", headers={"Origin": origin})
        answer = server.post("/mcp", body, headers=headers)
        check_equal((answer.status, answer.headers.get("Access-Control-Allow-Origin")), (200, origin), f"Origin {origin}")
    for origin in ("http://localhost.evil.example", "http://127.0.0.1.evil.example", "null", "file://localhost", "localhost"):
        body, headers = modern_request("tools/list", headers={"Origin": origin})
        check_equal(server.post("/mcp", body, headers=headers).status, 403, f"Origin {origin}")


def an_address_that_is_written_out_needs_no_entry_on_a_network_listener():
    with guarded_server({"listen": ["0.0.0.0:0"], "allowed_hosts": ["api.example.org"],
                         "auth": {"allow_unauthenticated_network": True}}) as network:
        for host, status in (("api.example.org", 200), ("10.1.2.3:8000", 200), ("[2001:db8::1]:80", 200), ("evil.example", 403),
                             ("localhost", 403), ("10.1.2.3.evil.example", 403)):
            check_equal(network.get("/health/ready", headers={"Host": host}).status, status, f"Host {host}")


def a_slash_behind_the_endpoint_does_no_harm():
    for path in ("/mcp/", "/mcp/guarded/"):
        body, headers = modern_request("tools/list")
        check_equal(server.post(path, body, headers=headers).status, 200, path)


def a_body_that_is_packed_is_refused_by_name():
    body, headers = modern_request("tools/list")
    for path in ("/mcp", "/mcp/guarded"):
        answer = server.post(path, gzip.compress(json.dumps(body).encode()), headers={**headers, "Content-Encoding": "gzip"})
        check_equal(answer.status, 415, f"{path}: {answer.body}")
        check("Content-Encoding" in answer.body.decode() and answer.headers["Accept-Encoding"] == "identity", f"{answer.body}")
    check_equal(server.post("/mcp", body, headers={**headers, "Content-Encoding": "identity"}).status, 200, "identity")


def a_page_that_is_listed_may_send_the_headers_of_mcp():
    wanted = "authorization,content-type,mcp-protocol-version,mcp-session-id,mcp-method,mcp-name,last-event-id,mcp-param-x"
    answer = server.request("OPTIONS", "/mcp", headers={"Origin": LISTED, "Access-Control-Request-Method": "POST",
                                                        "Access-Control-Request-Headers": wanted})
    check_equal(answer.status, 204, "preflight")
    allowed = [word.strip().lower() for word in answer.headers["Access-Control-Allow-Headers"].split(",")]
    check(all(word in allowed for word in wanted.split(",")), f"allowed headers: {allowed}")
    shown = server.post("/mcp", {}, headers={"Origin": LISTED}).headers.get("Access-Control-Expose-Headers", "").lower()
    check("mcp-session-id" in shown and "www-authenticate" in shown, f"headers that a page may see: {shown!r}")


def it_listens_on_loopback_and_to_the_network_only_with_authentication():
    made = conf(server.folder)
    del made["server"]["listen"]
    path = os.path.join(server.folder, "default.yaml")
    with open(path, "w") as file:
        json.dump(made, file)
    check("127.0.0.1:8000" in run("config", "-c", path).stdout, "the default listener")
    made["server"]["listen"] = ["0.0.0.0:0"]
    with open(path, "w") as file:
        json.dump(made, file)
    done = run("serve", "-c", path, seconds=20)
    check(done.returncode != 0 and "auth" in done.stderr + done.stdout, f"{done.returncode}: {done.stderr}")
    made["server"]["auth"] = {"allow_unauthenticated_network": True}
    with open(path, "w") as file:
        json.dump(made, file)
    for command in ("check", "serve"):
        done = run(command, "-c", path, seconds=20)
        check(done.returncode == 78 and "allowed_hosts" in done.stderr, f"{command} without names: {done.stderr}")
    made["server"]["allowed_hosts"] = ["*"]
    with open(path, "w") as file:
        json.dump(made, file)
    check_equal(run("check", "-c", path).returncode, 0, "with the explicit flag")


# ---- M3, M4: headers that must agree with the body ----

def version_header_and_body_must_agree():
    def code_of(version, stated, **more):
        body, headers = modern_request("tools/list", headers={"MCP-Protocol-Version": version, **more})
        if stated is None:
            del body["params"]["_meta"]
        else:
            body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = stated
        answer = server.post("/mcp", body, headers={k: v for k, v in headers.items() if v is not None})
        return answer, answer.status, (answer.json.get("error") or {}).get("code")
    check_equal(code_of(MODERN, MODERN)[1:], (200, None), "both the same")
    check_equal(code_of(None, MODERN)[1:], (400, -32020), "no header")
    check_equal(code_of(LEGACY, MODERN)[1:], (400, -32020), "an older header")
    check_equal(code_of(MODERN, LEGACY)[1:], (400, -32020), "an older body")
    check_equal(code_of(f"{MODERN}, {LEGACY}", MODERN)[1:], (400, -32020), "two versions")
    answer, status, code = code_of("2099-01-01", "2099-01-01")
    check_equal((status, code), (400, -32022), "a version that nobody knows")
    check(MODERN in answer.json["error"]["data"]["supported"], answer.body)
    check_equal(answer.json["error"]["data"]["requested"], "2099-01-01", "what was asked for")
    check_equal(code_of(MODERN, None)[1], 400, "a body without _meta")
    check_equal(code_of(MODERN, 5)[1], 400, "a version that is no string")
    answer = modern(server, "no/such/method")
    check_equal((answer.status, error_code(answer)), (404, -32601), "an unknown method")
    for method in ("initialize", "ping", "resources/subscribe", "tasks/list", "logging/setLevel"):
        check_equal(modern(server, method).status, 404, f"{method} is of the legacy era")


def method_and_name_must_agree():
    for headers in ({"Mcp-Method": None}, {"Mcp-Method": "tools/list"}, {"Mcp-Method": "TOOLS/CALL"}, {"Mcp-Name": None},
                    {"Mcp-Name": "write"}, {"Mcp-Name": "Echo"}, {"Mcp-Name": "echo, write"}, {"Mcp-Name": "=?base64?!!!?="},
                    {"Mcp-Name": "=?base64?" + base64.b64encode(b"write").decode() + "?="},
                    {"Mcp-Name": "=?BASE64?" + base64.b64encode(b"echo").decode() + "?="}):
        answer = call_modern(server, "echo", headers=headers)
        check_equal((answer.status, error_code(answer)), (400, -32020), f"{headers}")
    coded = {"Mcp-Name": "=?base64?" + base64.b64encode(b"echo").decode() + "?="}
    check_equal(call_modern(server, "echo", headers=coded).status, 200, "a name in base64")
    odd = call_modern(server, "d\u00e9j\u00e0 vu")  # encoded by the client, as it must be
    check_equal(error_code(odd), -32602, "no such tool, but the header agrees")
    body, headers = modern_request("tools/call", {"name": "echo", "arguments": {}})
    sent = raw_post(body, headers).replace(b"Mcp-Name: echo", b"Mcp-Name: write\r\nMcp-Name: echo")
    check(b" 400 " in server.raw(sent, seconds=2)[:20], "two headers Mcp-Name")


def parameters_must_agree():
    def status_of(arguments, **headers):
        answer = call_modern(server, "mirrored", arguments, {"Mcp-Param-" + k: v for k, v in headers.items()})
        check(answer.status == 200 or error_code(answer) == -32020, f"{answer.body}")
        return answer.status
    good = [({}, {}), ({"text": "eu"}, {"Text": "eu"}), ({"text": "d\u00e9j\u00e0"}, {"Text": encoded("d\u00e9j\u00e0")}),
            ({"text": "=?base64?x?="}, {"Text": encoded("=?base64?x?=")}), ({"text": " a "}, {"Text": encoded(" a ")}),
            ({"count": 42}, {"Count": "42"}), ({"count": 42}, {"Count": "42.0"}), ({"count": 42}, {"Count": "4.2e1"}),
            ({"count": 42}, {"Count": "=?base64?NDI=?="}), ({"count": -7}, {"Count": "-7"}),
            ({"count": 9007199254740993}, {"Count": "9007199254740993"}),
            ({"flag": True}, {"Flag": "true"}), ({"flag": False}, {"Flag": "false"}), ({"deep": {"name": "x"}}, {"Deep": "x"}),
            ({"deep": {}}, {}), ({"text": "true"}, {"Text": "true"})]
    bad = [({"text": "eu"}, {}), ({"text": "eu"}, {"Text": "us"}), ({"text": "eu"}, {"Text": "EU"}), ({}, {"Text": "eu"}),
           ({"text": "eu"}, {"Text": "=?base64?!!?="}), ({"text": "eu"}, {"Text": "=?base64?ZXU?="}), ({"count": 42}, {}),
           ({"count": 42}, {"Count": "43"}), ({"count": 42}, {"Count": "forty-two"}), ({"count": 42}, {"Count": "0x2a"}),
           ({"count": 9007199254740993}, {"Count": "9007199254740992"}), ({"count": 42}, {"Count": "42, 43"}),
           ({"count": 1}, {"Count": "nan"}), ({"flag": True}, {"Flag": "false"}), ({"flag": True}, {"Flag": "1"}),
           ({"deep": {"name": "x"}}, {"Deep": "y"}), ({"deep": {"name": "x"}}, {}), ({}, {"Deep": "x"})]
    for arguments, headers in good:
        check_equal(status_of(arguments, **headers), 200, f"{arguments} with {headers}")
    for arguments, headers in bad:
        check_equal(status_of(arguments, **headers), 400, f"{arguments} with {headers}")


# ---- M5, M7: messages and streams ----

def one_message_a_post_and_no_responses_from_clients():
    for body in ([], [modern_request("tools/list")[0]], [1, 2]):
        for headers in ({}, {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"}):
            answer = server.post("/mcp", body, headers={"Content-Type": "application/json", "Accept": ACCEPT, **headers})
            check_equal((answer.status, error_code(answer)), (400, -32600), f"{body} {headers}")
    session = Session(server)
    check_equal(session.post([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]).status, 400, "an array in 2025-11-25")
    response = {"jsonrpc": "2.0", "id": 1, "result": {}}
    answer = server.post("/mcp", response, headers={"Content-Type": "application/json", "MCP-Protocol-Version": MODERN})
    check_equal((answer.status, error_code(answer)), (400, -32600), "a response of a modern client")
    check_equal(session.post(response).status, 400, "a response to no question")


def a_notification_is_answered_by_202_and_nothing():
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
    headers = {"Content-Type": "application/json", "Accept": ACCEPT, "MCP-Protocol-Version": MODERN,
               "Mcp-Method": "notifications/cancelled"}
    for answer in (server.post("/mcp", note, headers=headers), Session(server).post(note)):
        check_equal((answer.status, answer.body), (202, b""), "a notification")


def a_stream_is_marked_as_one_and_kept_alive_by_comments_only():
    body, headers = modern_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    with open_raw(server, raw_post(body, headers)) as stream:
        seen = b""
        while b"acknowledged" not in seen:
            seen += stream.recv(4096)
        head = seen.split(b"\r\n\r\n")[0].decode().lower()
        check("content-type: text/event-stream" in head and "x-accel-buffering: no" in head, head)
        check("cache-control: no-store" in head, head)
        check_equal(call_modern(server, "change").status, 200, "a change")
        stream.settimeout(18)
        while b"\n:" not in seen.replace(b"\r\n", b"\n"):
            piece = stream.recv(4096)
            check(piece, "the stream ended")
            seen += piece
    text = seen.split(b"\r\n\r\n", 1)[1].decode()
    messages = [json.loads(line[6:]) for line in re.findall(r"^data: \{.*$", text, re.MULTILINE)]
    check_equal([message["method"] for message in messages],
                ["notifications/subscriptions/acknowledged", "notifications/tools/list_changed"], "messages")
    check(not any("id" in message for message in messages), "the server asks a modern client something")


def a_modern_client_is_never_asked_on_the_stream():
    answer = call_modern(server, "ask", params={"_meta": meta(progressToken="p")})
    check("requestState" in message_of(answer)["result"], answer.body)
    check(b"elicitation/create" in answer.body and b'"method":"elicitation/create","id"' not in answer.body, answer.body)
    refused = call_modern(server, "ask", capabilities={})
    check_equal((refused.status, error_code(refused)), (400, -32021), "a client that cannot be asked")


# ---- M8: sessions ----

def a_session_id_names_a_session_and_proves_nothing():
    alice, bob = Session(closed, headers=keys["alice"]), Session(closed, headers=keys["bob"])
    check(re.fullmatch("[\x21-\x7e]{32,}", alice.id), f"128 bits, visible: {alice.id!r}")
    check(len({Session(closed, headers=keys["alice"]).id for _ in range(50)}) == 50, "ids are used twice")
    check_equal(alice.call("echo").status, 200, "its own")
    for method, path in (("POST", "/mcp"), ("GET", "/mcp"), ("DELETE", "/mcp")):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"} if method == "POST" else None
        sent = {"Content-Type": "application/json", "Accept": ACCEPT, "Mcp-Session-Id": alice.id}
        stolen = closed.request(method, path, body, headers={**sent, **keys["bob"]})
        unknown = closed.request(method, path, body, headers={**sent, **keys["bob"], "Mcp-Session-Id": "0" * 32})
        check_equal(stolen.status, 404, f"{method} with the id of another's session")
        check_equal(stolen.body, unknown.body, "one of another and none at all are told apart")
        check_equal(closed.request(method, path, body, headers=sent).status, 401, f"{method} with an id and no key")
        check_equal(closed.request(method, path, body, headers={**sent, **keys["bob"], "Mcp-Session-Id": ""}).status, 400,
                    f"{method} without an id")
    for odd in ("x" * 5000, "' OR 1=1", alice.id + ", " + bob.id, alice.id.upper() + "x", "../../etc"):
        check_equal(alice.request("ping", headers={"Mcp-Session-Id": odd}).status, 404, f"the id {odd[:20]!r}")
    check_equal(alice.call("echo").status, 200, "still its own")


def sessions_open():
    closed.key = keys["alice"]["Authorization"].split()[1]
    try:
        return closed.metric(SESSIONS)
    finally:
        closed.key = None


def a_session_that_ended_is_gone():
    session = Session(closed, headers=keys["alice"])
    sent = {**keys["alice"], "Mcp-Session-Id": session.id}
    check(closed.request("DELETE", "/mcp", headers=sent).status in (200, 204), "DELETE")
    check_equal(session.request("ping").status, 404, "after DELETE")
    check_equal(closed.request("DELETE", "/mcp", headers=sent).status, 404, "a second DELETE")
    idle = Session(closed, headers=keys["alice"])
    wait_until(lambda: sessions_open() == 0, 60, "idle sessions do not end")
    check_equal(idle.request("ping").status, 404, "after its time")


def ids_do_not_come_again_after_a_restart():
    before = Session(closed, headers=keys["alice"])
    closed.stop()
    closed.start()
    check_equal(before.request("ping").status, 404, "an id of before")
    check(Session(closed, headers=keys["alice"]).id != before.id, "the id came again")


def a_resumed_stream_belongs_to_its_session():
    alice, bob = Session(closed, headers=keys["alice"]), Session(closed, headers=keys["bob"])
    answer = alice.call("stream", {"events": 2, "pause_ms": 1}, _meta={"progressToken": "secret-of-alice"})
    last = re.findall(rb"^id: (\S+)", answer.body, re.MULTILINE)[0].decode()
    sent = {"Accept": "text/event-stream", "Last-Event-ID": last}
    own = closed.get("/mcp", headers={**sent, **alice.headers})
    check(b"secret-of-alice" in own.body and b"streamed 2" in own.body, own.body)
    other = closed.get("/mcp", headers={**sent, **bob.headers})
    check_equal(other.status, 404, "the stream of another session")
    check_equal(closed.get("/mcp", headers={**sent, **bob.headers, "Mcp-Session-Id": alice.id}).status, 404, "stolen id")
    for odd in ("x", "1-", "-1", "1-1-1", "99999999999999999999-1", "1-99999999999999999999", "1-1\u00e9".encode("latin-1")):
        check_equal(closed.get("/mcp", headers={**sent, **alice.headers, "Last-Event-ID": odd}).status, 400, f"{odd!r}")


# ---- M9: what clients carry ----

def ask(name, headers=None, arguments=None, tool="ask", **params):
    return call_modern(closed, tool, arguments or {"a": 1}, {**keys[name], **(headers or {})}, params=params)


def the_state_of_a_round_is_of_use_to_nobody_else_and_for_nothing_else():
    asked = message_of(ask("alice"))["result"]
    state, answers = asked["requestState"], {"ok": {"action": "accept", "content": {"ok": True}}}
    check("asked" not in state and b"asked" not in base64.urlsafe_b64decode(state + "=="), "the state can be read")
    good = ask("alice", inputResponses=answers, requestState=state)
    check_equal(text_of(good), 'confirmed with the state "asked"', "its own")
    refused = {
        "another principal": ask("bob", inputResponses=answers, requestState=state),
        "another tool": ask("alice", tool="ask_too", inputResponses=answers, requestState=state),
        "other arguments": ask("alice", arguments={"a": 2}, inputResponses=answers, requestState=state),
        "a changed byte": ask("alice", inputResponses=answers, requestState=("A" if state[0] != "A" else "B") + state[1:]),
        "a cut one": ask("alice", inputResponses=answers, requestState=state[:-4]),
        "none": ask("alice", inputResponses=answers, requestState=""),
        "no string": ask("alice", inputResponses=answers, requestState=5),
        "made up": ask("alice", inputResponses=answers, requestState=base64.urlsafe_b64encode(b"{}" * 40).decode()),
    }
    bodies = set()
    for what, answer in refused.items():
        check_equal((answer.status, error_code(answer)), (400, -32602), f"{what}: {answer.body}")
        bodies.add(answer.json["error"]["message"])
    check_equal(len(bodies), 1, f"what was wrong can be told apart: {bodies}")
    closed.stop()
    closed.start()
    check_equal(ask("alice", inputResponses=answers, requestState=state).status, 400, "after a restart without a state_key")


def a_task_is_there_only_for_who_began_it():
    begun = call_modern(closed, "job", {"wait_ms": 300, "secret": "of alice"}, keys["alice"]).json["result"]
    task = begun["taskId"]
    check(len(task) >= 32, f"the id {task} has fewer than 128 bits")

    def about(method, name, id=task, **more):
        return modern(closed, method, {"taskId": id, **more}, keys[name])
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        more = {"inputResponses": {}} if method == "tasks/update" else {}
        other, none = about(method, "bob", **more), about(method, "bob", id="0" * 32, **more)
        check_equal(error_code(other), -32602, f"{method} by another")
        check_equal(other.json["error"]["message"].replace(task, ""), none.json["error"]["message"].replace("0" * 32, ""),
                    "one of another and none at all are told apart")
    done = wait_until(lambda: next((r for r in [about("tasks/get", "alice").json["result"]] if r["status"] != "working"), None), 10,
                      "the task does not end")
    check_equal(done["status"], "completed", "what others tried to cancel")
    legacy = Session(closed, headers=keys["bob"])
    check_equal(legacy.request("tasks/list").json["result"]["tasks"], [], "tasks of others are listed")
    check_equal(legacy.request("tasks/result", {"taskId": task}).json["error"]["code"], -32602, "the result of another's task")


# ---- M10, M14, M15 ----

def a_key_in_the_address_is_not_taken():
    key = keys["alice"]["Authorization"].split()[1]
    body, headers = modern_request("tools/list")
    for path in (f"/mcp?access_token={key}", f"/mcp?key={key}", f"/mcp?authorization=Bearer%20{key}"):
        check_equal(closed.post(path, body, headers=headers).status, 401, path[:20])
    check(key not in closed.log_text(), "the log shows a key")


def a_tool_needs_its_scope_and_says_so():
    for name, tool, wanted in (("reader", "read", 200), ("reader", "write", 403), ("alice", "write", 200), ("reader", "echo", 200)):
        answer = call_modern(closed, tool, {}, keys[name])
        check_equal(answer.status, wanted, f"{name} calls {tool}: {answer.body}")
    refused = call_modern(closed, "write", {}, keys["reader"])
    check('scope="guarded:write"' in refused.headers["WWW-Authenticate"], refused.headers["WWW-Authenticate"])
    check("insufficient_scope" in refused.headers["WWW-Authenticate"], refused.headers["WWW-Authenticate"])
    session = Session(closed, headers=keys["reader"])
    check_equal(session.call("write").status, 403, "the same in the legacy era")
    job = call_modern(closed, "write", {}, keys["reader"], params={"task": {}})
    check_equal(job.status, 403, "as a task")


def nothing_in_the_tree_runs_a_shell():
    for path in glob.glob(os.path.join(SOURCE, "core", "**", "*.c"), recursive=True) + \
            glob.glob(os.path.join(SOURCE, "plugins", "**", "*.c"), recursive=True):
        with open(path) as file:
            found = re.search(r"(?<![\w.>])(system|popen|wordexp)\s*\(", file.read())
        check(not found, f"{path}: {found and found.group()}")


with server, closed:
    for name, scopes in (("alice", "*"), ("bob", "*"), ("reader", "guarded:read")):
        make_key(name, scopes)
    run_tests([
        a_foreign_origin_is_refused_before_the_body_is_read,
        two_origins_are_no_origin,
        on_loopback_only_loopback_names_are_answered_for,
        pages_of_this_machine_may_call_a_loopback_listener,
        an_address_that_is_written_out_needs_no_entry_on_a_network_listener,
        a_slash_behind_the_endpoint_does_no_harm,
        a_body_that_is_packed_is_refused_by_name,
        a_page_that_is_listed_may_send_the_headers_of_mcp,
        it_listens_on_loopback_and_to_the_network_only_with_authentication,
        version_header_and_body_must_agree,
        method_and_name_must_agree,
        parameters_must_agree,
        one_message_a_post_and_no_responses_from_clients,
        a_notification_is_answered_by_202_and_nothing,
        a_stream_is_marked_as_one_and_kept_alive_by_comments_only,
        a_modern_client_is_never_asked_on_the_stream,
        a_session_id_names_a_session_and_proves_nothing,
        a_session_that_ended_is_gone,
        ids_do_not_come_again_after_a_restart,
        a_resumed_stream_belongs_to_its_session,
        the_state_of_a_round_is_of_use_to_nobody_else_and_for_nothing_else,
        a_task_is_there_only_for_who_began_it,
        a_key_in_the_address_is_not_taken,
        a_tool_needs_its_scope_and_says_so,
        nothing_in_the_tree_runs_a_shell,
    ])

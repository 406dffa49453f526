"""mcp_test.py - a server with the app `guarded` (tests/faults/plugins/guarded.c), and an MCP client of both eras for it."""
import base64
import contextlib
import json
import os
import socket

from backplane_test import Server, check_equal

FAULT_PLUGINS = os.path.join(os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins"), "app")
MODERN, LEGACY = "2026-07-28", "2025-11-25"
ACCEPT = "application/json, text/event-stream"
MAY_ALL = {"elicitation": {}, "sampling": {}, "roots": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}


def guarded_server(server=None, **more):
    """`more`: further sections of the conf, as text for their keys."""
    environment = more.pop("environment", None)

    def made(folder):
        return {"data_dir": os.path.join(folder, "data"), "server": {"listen": ["127.0.0.1:0"], "workers": 2, **(server or {})},
                "storage": {"main": {"use": "sqlite", "path": "backplane.db"}}, "plugins": [FAULT_PLUGINS],
                "app": {"guarded": {"max_concurrent": 0}, **more.pop("app", {})}, **more}
    return Server(made=made, environment=environment)


def meta(capabilities=None, **more):
    return {"io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": MAY_ALL if capabilities is None else capabilities,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}, **more}


def encoded(text):
    """As a header's value: as it is where it can be, else in base64."""
    if text == text.strip() and all(" " <= c <= "~" for c in text) and not text.startswith("=?base64?"):
        return text
    return "=?base64?" + base64.b64encode(text.encode()).decode() + "?="


def modern_request(method, params=None, headers=None, id=1, name=None, **more):
    """The body and the headers of a request of 2026-07-28. A header None is left out."""
    body = {"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta(**more), **(params or {})}}
    made = {"Content-Type": "application/json", "Accept": ACCEPT, "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    known = name or (params or {}).get("name") or (params or {}).get("uri") or (params or {}).get("taskId")
    if known:
        made["Mcp-Name"] = encoded(known)
    made.update(headers or {})
    return body, {key: value for key, value in made.items() if value is not None}


def modern(server, method, params=None, headers=None, path="/mcp", seconds=20, **more):
    body, made = modern_request(method, params, headers, **more)
    return server.post(path, body, headers=made, seconds=seconds)


def call_modern(server, tool, arguments=None, headers=None, **more):
    params = {"name": tool, "arguments": arguments or {}, **more.pop("params", {})}
    return modern(server, "tools/call", params, headers, **more)


def message_of(answer, id=1):
    """The message with that id: of a JSON body, or of the stream of events."""
    if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        return next(data for _, data in answer.events() if data.get("id") == id and "method" not in data)
    return answer.json


def text_of(answer, id=1):
    return message_of(answer, id)["result"]["content"][0]["text"]


def error_code(answer):
    return message_of(answer, None if answer.json.get("id") is None else answer.json["id"])["error"]["code"]


class Session:
    """A client of the legacy era."""

    def __init__(self, server, revision=LEGACY, headers=None, capabilities=None):
        self.server, self.headers, self.next = server, dict(headers or {}), 1
        answer = self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": revision, "capabilities": capabilities or {}, "clientInfo": {"name": "test", "version": "1"}}})
        check_equal(answer.status, 200, f"initialize: {answer.body!r}")
        self.id = answer.headers["Mcp-Session-Id"]
        self.headers.update({"Mcp-Session-Id": self.id, "MCP-Protocol-Version": revision})
        check_equal(self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status, 202, "initialized")

    def post(self, body, headers=None, **more):
        sent = {"Content-Type": "application/json", "Accept": ACCEPT, **self.headers, **(headers or {})}
        return self.server.post("/mcp", body, headers={k: v for k, v in sent.items() if v is not None}, **more)

    def request(self, method, params=None, **more):
        self.next += 1
        return self.post({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params or {}}, **more)

    def call(self, tool, arguments=None, **more):
        return self.request("tools/call", {"name": tool, "arguments": arguments or {}, **more})


def raw_post(body, headers, path="/mcp"):
    """The bytes of a POST."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(text) + text


def open_raw(server, sent, source="127.0.0.1", seconds=20):
    connection = socket.socket()
    connection.settimeout(seconds)
    connection.bind((source, 0))
    connection.connect(("127.0.0.1", server.port))
    with contextlib.suppress(OSError):
        connection.sendall(sent)
    return connection

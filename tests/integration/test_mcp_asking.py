"""A tool that waits for its client's answer keeps nobody else from the app."""
import json
import os
import socket

from backplane_test import Server, check, check_equal, run_tests
from mcp_test import FAULT_PLUGINS, LEGACY, Session, raw_post


def server():
    """One place only: max_concurrent is 1, on one worker."""
    return Server(made=lambda folder: {
        "data_dir": os.path.join(folder, "data"), "server": {"listen": ["127.0.0.1:0"], "workers": 1},
        "plugins": [FAULT_PLUGINS], "app": {"guarded": {"max_concurrent": 1, "queue": 0}}})


def ask(served, session, number):
    """Calls the tool that asks and reads up to the question; the open connection."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    connection.sendall(raw_post({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "ask", "arguments": {}}},
                                {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                                 "Mcp-Session-Id": session.id, "MCP-Protocol-Version": LEGACY}))
    text = b""
    while b"elicitation/create" not in text or not text.endswith(b"\n\n\r\n"):
        piece = connection.recv(4096)
        check(piece, f"the stream ended before the question: {text!r}")
        text += piece
    question = next(json.loads(line[6:]) for line in text.decode().split("\n") if line.startswith("data: {"))
    return connection, question["id"]


def main():
    with server() as served:
        sessions = [Session(served, capabilities={"elicitation": {}}) for _ in range(3)]
        waiting = []

        def three_clients_are_asked_though_the_app_has_one_place():
            for number, session in enumerate(sessions):
                waiting.append(ask(served, session, 10 + number))
            check_equal(len(waiting), 3, "questions")

        def others_are_served_while_they_think():
            check_equal(Session(served).call("echo", {"a": 1}).status, 200, "echo")

        def each_gets_its_result_and_the_place_is_one_again():
            for (connection, question), session in zip(waiting, sessions):
                status = session.post({"jsonrpc": "2.0", "id": question, "result": {"action": "accept", "content": {"ok": True}}}).status
                check_equal(status, 202, "the answer")
                text = b""
                while b'"content"' not in text:
                    piece = connection.recv(4096)
                    check(piece, f"the stream ended without a result: {text!r}")
                    text += piece
                connection.close()
            for _ in range(3):
                check_equal(Session(served).call("echo", {"a": 1}).status, 200, "echo afterwards")

        run_tests([three_clients_are_asked_though_the_app_has_one_place, others_are_served_while_they_think,
                   each_gets_its_result_and_the_place_is_one_again])


main()

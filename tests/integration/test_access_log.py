"""test_access_log.py - every request is counted and logged, once, as what became of it: a burst of them, those that the parser
refuses, streams that fail or are cut by a drain, clients that left."""
import contextlib
import socket
import threading
import time

from backplane_test import Server, check, check_equal, conf, run_tests, wait_until
from llm_stub import HANG, LlmStub
from mcp_test import LEGACY, Session

ANSWER = b'{"question":"what is a fox?","stream":true}'


def requests_in(server, **wanted):
    return [line for line in server.log_lines() if line.get("event") == "request" and
            all(line.get(name) == value for name, value in wanted.items())]


def with_model(model, **server):
    return Server(made=lambda folder: conf(folder, server={"listen": ["127.0.0.1:0"], "workers": 1, **server},
                                           app={"llm": ["model"]},
                                           llm={"model": {"use": "openai", "url": model.url, "model": "stub", "retries": 0}}))


def open_answer(server):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(b"POST /api/v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
    return connection, connection.recv(65536)


def fill(server):
    server.make_collection()
    server.put({"id": "a", "text": "a fox is a quick brown animal"})


def a_burst_is_logged_whole():
    with Server() as server:
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as connection:
            sent, answered = 2000, 0
            threading.Thread(target=connection.sendall, daemon=True,
                             args=(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * sent,)).start()
            while answered < sent:
                answered += connection.recv(65536).count(b"HTTP/1.1 200")
        wait_until(lambda: len(requests_in(server, path="/health/live")) == sent, 10,
                   f"{sent} requests make {sent} lines, not {len(requests_in(server, path='/health/live'))}")


def what_the_limiter_leaves_out_is_said():
    with Server(log={"rate": 1, "level": "debug"}) as server:
        fill(server)
        for _ in range(50):
            server.search("fox")
        wait_until(lambda: server.find_event("log_lines_missing"), 10, "a line says that lines are missing")
        check(server.find_event("log_lines_missing")["suppressed"] > 0, "and how many")


def what_the_parser_refuses_is_logged_and_counted():
    refused = {400: b"GET /bad HTTP/1.1\r\nHost: a\r\nbroken line\r\n\r\n", 414: b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n",
               431: b"GET /long HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n",
               501: b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", 505: b"GET /old HTTP/3.0\r\nHost: a\r\n\r\n"}
    with Server() as server:
        for status, sent in refused.items():
            answer = server.raw(sent)
            check(answer.startswith(b"HTTP/1.1 %d " % status), f"{status}: {answer[:60]}")
            found = requests_in(server, status=status, route="none")
            wait_until(lambda: requests_in(server, status=status, route="none"), 5, f"the log has the {status}")
            found = requests_in(server, status=status, route="none")[0]
            check(found["message"] and found["peer"] == "127.0.0.1", f"with why and whose: {found}")
            check_equal(server.metric("http_requests_total", status=str(status), route="none"), 1.0, f"{status} counted")
        check_equal(len(requests_in(server, status=431, path="/long", method="GET")), 1, "what was understood is there")


def a_long_path_is_cut_and_its_request_is_logged():
    long, border, worst = "/" + "x" * 4999, "/" + "x" * 1998 + "ä" * 100, "/" + "\x01" * 2500
    with Server() as server:
        for path, logged in ((long, long[:2000] + "…"), (border, border[:1999] + "…"), (worst, worst[:2000] + "…"),
                             (long[:2000], long[:2000])):
            server.get("".join(f"%{byte:02X}" if byte > 126 or byte < 32 else chr(byte) for byte in path.encode()))
            wait_until(lambda: requests_in(server, path=logged, status=404), 5,
                       f"a line of {path[:2]!r}..., {len(path)} characters")
        server.raw(f"GET {long} HTTP/1.1\r\nHost: a\r\nbroken line\r\n\r\n".encode())
        wait_until(lambda: requests_in(server, path=long[:2000] + "…", status=400), 5, "what the parser refuses")


def a_body_that_is_refused_is_logged_as_such():
    with Server(server={"limits": {"body": "2KiB"}}) as server:
        fill(server)
        answer = server.raw(b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n")
        check(answer.startswith(b"HTTP/1.1 413 "), answer[:60])
        check_equal(server.metric("http_requests_total", status="413"), 1.0, "413 counted")


def a_stream_that_fails_ends_with_an_event_and_is_no_success():
    with LlmStub() as model, with_model(model) as server:
        fill(server)
        model.script(500, 500, 500)
        connection, said = open_answer(server)
        connection.settimeout(3)
        while b"event: error" not in said:
            said += connection.recv(65536)
        check(said.startswith(b"HTTP/1.1 200"), f"the stream had begun: {said[:60]}")
        check(said.endswith(b"0\r\n\r\n") or connection.recv(65536).endswith(b"0\r\n\r\n"), "it ends as streams do")
        found = wait_until(lambda: requests_in(server, path="/api/v1/answer"), 5, "a line")[0]
        check(found["status"] >= 500 and found["sent_status"] == 200 and found["level"] == "ERROR", f"a failure: {found}")
        check_equal(server.metric("http_requests_total", route="/api/v1/answer", status="200"), 0.0, "not counted as good")
        connection.close()


def a_stream_that_a_drain_cuts_ends_with_an_event():
    with LlmStub(hang_seconds=20) as model, with_model(model, drain={"timeout": "500ms"}) as server:
        fill(server)
        model.script(HANG, HANG)
        connection, said = open_answer(server)
        wait_until(lambda: model.requests, 10, "the model is asked")
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        pieces = [said]
        while True:
            piece = connection.recv(65536)  # a reset would raise
            if not piece:
                break
            pieces.append(piece)
        stopper.join()
        said = b"".join(pieces)
        check(b"event: error" in said and b'"unavailable"' in said and said.endswith(b"0\r\n\r\n"), said[-300:])
        found = requests_in(server, path="/api/v1/answer")
        check_equal([(line["status"], line["sent_status"]) for line in found], [(503, 200)], "in the log")
        connection.close()


def a_client_that_left_has_an_outcome_of_its_own():
    with LlmStub(hang_seconds=5) as model, with_model(model) as server:
        fill(server)
        model.script(HANG)
        connection, _ = open_answer(server)
        wait_until(lambda: model.requests, 10, "the model is asked")
        connection.close()
        found = wait_until(lambda: requests_in(server, path="/api/v1/answer"), 5, "a line")[0]
        check_equal((found["status"], found["level"]), (499, "INFO"), f"the outcome: {found}")
        check_equal(server.metric("http_requests_total", route="/api/v1/answer", status="499"), 1.0, "counted")


def mcp_streams_end_cleanly_when_the_server_ends():
    with Server(server={"listen": ["127.0.0.1:0"], "workers": 1, "drain": {"timeout": "300ms"}}) as server:
        session = Session(server, LEGACY)
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        connection.sendall(f"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: {session.id}\r\n"
                           f"MCP-Protocol-Version: {LEGACY}\r\n\r\n".encode())
        said = connection.recv(4096)
        check(said.startswith(b"HTTP/1.1 200"), said[:80])
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        while not said.endswith(b"0\r\n\r\n"):
            piece = connection.recv(4096)
            check(piece, f"the stream has an end: {said[-100:]}")
            said += piece
        stopper.join()
        connection.close()


run_tests([a_burst_is_logged_whole, what_the_limiter_leaves_out_is_said, what_the_parser_refuses_is_logged_and_counted,
           a_long_path_is_cut_and_its_request_is_logged, a_body_that_is_refused_is_logged_as_such,
           a_stream_that_fails_ends_with_an_event_and_is_no_success, a_stream_that_a_drain_cuts_ends_with_an_event,
           a_client_that_left_has_an_outcome_of_its_own, mcp_streams_end_cleanly_when_the_server_ends])

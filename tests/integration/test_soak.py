"""test_soak.py - a server that does a bit of everything, again and again, stays as it was: memory, descriptors, threads, log.

Twenty seconds here; with BP_LONG half an hour. The first quarter fills pools, caches and graphs; what grows after it is lost.
"""
import os
import socket
import threading
import time

from backplane_test import IS_LONG, Server, check, check_equal, check_integrity, conf, run_tests, wait_until
from mcp_test import Session, call_modern

SECONDS, CLIENTS = 1800 if IS_LONG else 20, 4
GROWTH_MAX = 4 << 20
WORDS = ("harbour", "lantern", "granite", "willow", "copper", "meadow", "signal", "voyage")


def one_round(server, client, number, session):
    """What clients do, and what they do wrong; nothing of it remains."""
    name = f"document {client}"
    text = " ".join(WORDS[(number * 7 + i * (client + 3)) % len(WORDS)] for i in range(60)) + f" unique{number}"
    check(server.put({"id": name, "text": text, "metadata": {"round": number}}).status in (200, 201), "a document")
    found = server.search(f"unique{number} {WORDS[number % len(WORDS)]}", limit=5)
    check(found, "nothing is found")
    answered = server.post("/api/v1/answer", {"collection": "docs", "question": f"What is unique{number}?", "stream": number % 2 == 0})
    check_equal(answered.status, 200, "an answer")
    check_equal(call_modern(server, "search_nodes", {"query": f"thing {client}"}).status, 200, "a tool")
    check_equal(session.call("search_nodes", {"query": f"thing {client}"}).status, 200, "a tool in a session")
    check_equal(server.get("/health").status, 200, "health")
    check_equal(server.get("/metrics").status, 200, "metrics")
    check_equal(server.get("/openapi.json").status, 200, "the description of the API")
    check_equal(server.get("/nothing/here").status, 404, "what is not there")
    check_equal(server.post("/api/v1/search", b'{"collection": "docs", "query": ').status, 400, "half a body")
    check_equal(server.post("/api/v1/search", {"collection": f"none{number}", "query": "x"}).status, 404, "no collection")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as vanishing:
        vanishing.sendall(b"POST /api/v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{")
    check_equal(server.request("DELETE", f"/api/v1/collections/docs/documents/document%20{client}").status, 204, "a document goes")


def look(server):
    folder = f"/proc/{server.process.pid}/"
    return {"memory": server.anonymous_bytes(), "descriptors": len(os.listdir(folder + "fd")), "threads": len(os.listdir(folder + "task"))}


def is_short_stop(line):
    """A thread that waits for a lock whose holder got no CPU counts as blocked: on a busy machine that may take a while, not a second."""
    return line.get("event") == "loop_blocked" and line.get("duration_ms", 1000) < 1000


def a_server_under_mixed_load_stays_as_it_was():
    def made(folder):
        wanted = conf(folder, server={"host_rate_per_minute": 0, "access_log": "off"})
        wanted["app"]["knowledge"] = {"storage": "main"}
        return wanted

    with Server(made=made) as server:
        server.make_collection()
        begun, rounds, problems = time.monotonic(), [0] * CLIENTS, []

        def work(client):
            try:
                while time.monotonic() - begun < SECONDS and not problems:
                    session = Session(server)
                    for _ in range(10):
                        one_round(server, client, rounds[client], session)
                        rounds[client] += 1
                    check_equal(server.request("DELETE", "/mcp", headers=session.headers).status, 204, "the session's end")
            except Exception as problem:
                problems.append(f"client {client}, round {rounds[client]}: {type(problem).__name__}: {problem}")

        threads = [threading.Thread(target=work, args=(client,)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        warm = wait_until(lambda: (problems or time.monotonic() - begun > SECONDS / 4) and look(server), SECONDS, "the first quarter")
        for thread in threads:
            thread.join()
        check(not problems, problems[0] if problems else "")
        wait_until(lambda: look(server)["descriptors"] <= warm["descriptors"], 60, f"descriptors {look(server)} after {warm}")
        after = look(server)
        print(f"{sum(rounds)} rounds: {warm} -> {after}")
        check(after["memory"] - warm["memory"] < GROWTH_MAX, f"memory grew: {warm} -> {after}, {sum(rounds)} rounds")
        check(after["threads"] <= warm["threads"], f"threads: {warm} -> {after}")
        bad = [line for line in server.log_lines() if line.get("level") not in ("INFO", "DEBUG") and not is_short_stop(line)]
        check(not bad, f"{len(bad)} lines of the log are warnings, such as {bad[:3]}")
        check_equal(server.stop(), 0, "how the server ended")
        check_integrity(server)


run_tests([a_server_under_mixed_load_stays_as_it_was])

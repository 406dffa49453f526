"""mcp_memory.py - messages that become many times their length are refused or given back before anything waits.

The case that was seen: 27 messages of 4 MiB of "[],[],..." in subscriptions/listen, held open, kept 5 GB; afterwards the server
answered 503 for ever while it said that it was ready.
"""
import json
import os

from backplane_test import Server, check, check_equal, run_tests, wait_until
from mcp_test import LEGACY, Session, call_modern, guarded_server, message_of, modern_request, open_raw

MIB = 1 << 20
LISTENERS = 27


def allocated(server):
    return int(float(server.metric("process_allocated_memory_bytes")))


def resident(server):
    return int(float(server.metric("process_resident_memory_bytes")))


def listen_message(size):
    body, headers = modern_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}, "junk": "JUNK"})
    text = json.dumps(body)
    filler = "[],[]" + ",[]" * ((size - len(text)) // 3 - 2)
    text = text.replace('"JUNK"', "[" + filler + "]").encode()
    head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(text) + text


def first_bytes(connection, seconds=30):
    connection.settimeout(seconds)
    return connection.recv(4096)


def retrieval(limits):
    # What AddressSanitizer keeps of freed memory is not the server's.
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    return Server(server={"listen": ["127.0.0.1:0"], "limits": limits}, environment={"ASAN_OPTIONS": options.lstrip(":")})


def messages_held_open_keep_nothing_of_what_was_read():
    with retrieval({"memory": "1GiB"}) as server:
        before = allocated(server)
        held = [open_raw(server, listen_message(4 * MIB - 4096)) for _ in range(LISTENERS)]
        statuses = {first_bytes(one).split(b" ")[1] for one in held}
        check_equal(statuses, {b"413"}, "a message that takes 192 MiB")
        for one in held:
            one.close()
        held = [open_raw(server, listen_message(MIB)) for _ in range(LISTENERS)]
        check(all(b" 200 " in first_bytes(one) for one in held), "messages of 1 MiB, 48 MiB once read, are served")
        check(allocated(server) - before < 30 * MIB, f"{allocated(server) - before} bytes are kept while they listen")
        check_equal(server.get("/health/ready").status, 200, "readiness")
        check_equal(server.get("/api/v1/collections").status, 200, "an app")
        for one in held:
            one.close()
        wait_until(lambda: resident(server) < before + 300 * MIB, 30, "the memory is given back")


def load_that_is_over_sheds_nothing():
    with Server() as server:
        at_rest = allocated(server)
    budget = at_rest + 400 * MIB
    with guarded_server({"limits": {"memory": str(budget), "shed_at": 0.4}}) as server:
        body, headers = modern_request("tools/call", {"name": "echo", "arguments": {"wait_ms": 20000, "junk": "JUNK"}})
        text = json.dumps(body).replace('"JUNK"', "[" + "[]," * (MIB // 3) + "0]").encode()
        head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        sent = head.encode() + b"Content-Length: %d\r\n\r\n" % len(text) + text
        held = [open_raw(server, sent) for _ in range(12)]
        wait_until(lambda: server.get("/health/ready").status == 503, 20, "readiness fails while load is shed")
        check("shedding" in server.get("/health/ready").json["status"], "and says why")
        check_equal(server.get("/health/live").status, 200, "liveness")
        answer = server.post("/mcp", body, headers=headers)
        check_equal(answer.status, 503, "MCP is shed as well")
        for one in held:
            one.close()
        wait_until(lambda: server.get("/health/ready").status == 200, 20, "readiness comes back")
        check_equal(server.post("/mcp", modern_request("tools/list")[0], headers=modern_request("tools/list")[1]).status, 200,
                    "MCP is served again")


def one_client_cannot_have_all_the_memory():
    with guarded_server({"mcp": {"client_memory": "120MiB"}}) as server:
        body, headers = modern_request("tools/call", {"name": "echo", "arguments": {"wait_ms": 6000, "junk": "JUNK"}})
        text = json.dumps(body).replace('"JUNK"', "[" + "[]," * (MIB // 3) + "0]").encode()
        head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        sent = head.encode() + b"Content-Length: %d\r\n\r\n" % len(text) + text
        at_rest = allocated(server)
        held = [open_raw(server, sent) for _ in range(2)]
        wait_until(lambda: allocated(server) > at_rest + 90 * MIB, 5, "the first two are at work")
        refused = open_raw(server, sent)
        answer = first_bytes(refused)
        check(b" 503 " in answer.split(b"\r\n")[0] and b"Retry-After: 1" in answer, f"the third: {answer[:200]}")
        check(b'"id":1,"error"' in answer, f"with its id: {answer[-300:]}")
        other = open_raw(server, sent, source="127.0.0.2")
        for one in held + [other]:
            check(b" 200 " in first_bytes(one).split(b"\r\n")[0], "the others are served, and so is another address")
            one.close()
        refused.close()


def subscriptions_have_bounds_in_bytes():
    with guarded_server() as server:
        session, before = Session(server, LEGACY), allocated(server)
        answer = session.request("resources/subscribe", {"uri": "test://" + "u" * (3 * MIB)})
        check("error" in answer.json, "a uri of 3 MiB")
        kept = sum("result" in session.request("resources/subscribe", {"uri": f"test://{i}/" + "u" * 8000}).json
                   for i in range(60))
        check(20 < kept < 40, f"{kept} uris of 8 kB are kept, which is 256 KiB")
        check(allocated(server) - before < 8 * MIB, "no more is kept")
        body, headers = modern_request("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["u" * MIB]}})
        answer = server.post("/mcp", body, headers=headers)
        check_equal((answer.status, answer.json["error"]["code"]), (400, -32602), "the same in the modern era")


def tasks_have_bounds_in_bytes():
    with guarded_server({"mcp": {"tasks": "16MiB"}}) as server:
        before, made, refused = allocated(server), [], 0
        for i in range(12):
            answer = call_modern(server, "job", {"text": "t" * MIB, "wait_ms": 0 if i < 8 else 20000})
            found = message_of(answer)
            if "result" in found:
                made.append(found["result"]["taskId"])
            else:
                refused += 1
        check(len(made) >= 8, f"older results make room for newer ones: {len(made)} tasks")
        check(refused > 0, "when all are at work, the next one is refused")
        check(allocated(server) - before < 40 * MIB, f"{allocated(server) - before} bytes are kept")


def one_client_cannot_push_out_the_sessions_of_another():
    with guarded_server({"mcp": {"sessions": 20, "sessions_per_client": 15}}) as server:
        mine = Session(server)

        def initialize(source):
            body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}).encode()
            head = (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
                    b"Accept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body))
            connection = open_raw(server, head + body, source=source)
            answer = first_bytes(connection)
            connection.close()
            return answer
        for _ in range(100):
            check(b"Mcp-Session-Id" in initialize("127.0.0.2"), "its own make room")
        check_equal(mine.request("ping").status, 200, "the session of another address")
        check(int(float(server.metric("mcp_sessions"))) <= 16, "no more than its share")


run_tests([messages_held_open_keep_nothing_of_what_was_read, load_that_is_over_sheds_nothing,
           one_client_cannot_have_all_the_memory, subscriptions_have_bounds_in_bytes, tasks_have_bounds_in_bytes,
           one_client_cannot_push_out_the_sessions_of_another])

"""F12_json_rpc.py - abuse of JSON-RPC: ids, batches, methods and bodies that are wrong in every way, and 10,000 calls in
flight: each gets its code, a client with too many is told so, and the server serves on."""
import threading
import time

from backplane_test import check, check_equal, read_all, run_fault
from mcp_test import ACCEPT, Session, call_modern, guarded_server, modern_request, open_raw, raw_post

PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602
LEGACY_BODIES = [
    (b"", PARSE), (b"{", PARSE), (b"\xff\xfe", PARSE), (b"nul", PARSE), (b'{"jsonrpc":"2.0"} {}', PARSE), (b"[" * 100000, REQUEST),
    (b'{"jsonrpc":"2.0","id":1e1000000000,"method":"ping"}', REQUEST), (b"5", REQUEST), (b'"x"', REQUEST), (b"null", REQUEST), (b"{}", REQUEST), (b"[]", REQUEST),
    (b'{"id":1,"method":"ping"}', REQUEST), (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', REQUEST),
    (b'{"jsonrpc":2.0,"id":1,"method":"ping"}', REQUEST), (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', REQUEST),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', REQUEST), (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', REQUEST),
    (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', REQUEST), (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":5}', REQUEST), (b'{"jsonrpc":"2.0","id":1,"method":null}', REQUEST),
    (b'{"jsonrpc":"2.0","id":1}', REQUEST), (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', REQUEST), (b'{"jsonrpc":"2.0","result":{}}', REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":"' + b"m" * (1 << 20) + b'"}', REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', PARAMS), (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":5}', PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":""}', METHOD), (b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}', METHOD),
    (b'{"jsonrpc":"2.0","id":1,"method":"Ping"}', METHOD), (b'{"jsonrpc":"2.0","id":1,"method":"ping\\u0000"}', METHOD),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', PARAMS), (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}', PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":[]}}', PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"-1"}}', PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"loud"}}', PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"initialize"}', PARAMS),
]
IDS = [0, -1, 9223372036854775807, -9223372036854775808, "", "x" * 100000, "\u0000", "\u20ac\U0001f600", "1"]


def bodies(server, numbers):
    session = Session(server)
    for body, wanted in LEGACY_BODIES:
        answer = session.post(body)
        check(answer.status in (200, 400), f"{body[:60]}: {answer.status}")
        check_equal(answer.json["error"]["code"], wanted, f"{body[:60]}")
    answer = session.post(b'{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}')
    check_equal((answer.json["error"]["code"], answer.json["id"]), (PARAMS, 1 << 63), "an id of 2^63")
    for id in IDS:
        answer = session.post({"jsonrpc": "2.0", "id": id, "method": "ping"})
        check_equal(answer.json, {"jsonrpc": "2.0", "id": id, "result": {}}, f"the id {str(id)[:20]!r}")
    for members in ([], [{"jsonrpc": "2.0", "id": 1, "method": "ping"}] * 2):
        check_equal(session.post(members).status, 400, "a batch in 2025-11-25")
    old = Session(server, revision="2025-03-26")
    batch = [{"jsonrpc": "2.0", "id": i, "method": "ping"} for i in range(64)]
    check_equal([one["id"] for one in old.post(batch).json], list(range(64)), "a batch of 64 in 2025-03-26")
    check_equal(old.post(batch + batch[:1]).status, 400, "a batch of 65")
    mixed = old.post([5, {"jsonrpc": "2.0", "method": "notifications/initialized"}, {"jsonrpc": "2.0", "id": 7, "method": "ping"},
                      {"jsonrpc": "2.0", "id": 8, "method": "initialize", "params": {"protocolVersion": "2025-03-26"}}]).json
    check_equal([("error" in one, one["id"]) for one in mixed], [(True, None), (False, 7), (True, 8)], "a mixed batch")
    check_equal(old.post([{"jsonrpc": "2.0", "method": "notifications/initialized"}]).status, 202, "a batch of notifications")
    big = session.post({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y" * (5 << 20)}})
    check_equal(big.status, 413, "5 MiB")
    numbers.update(bodies=len(LEGACY_BODIES), ids=len(IDS))


def modern_bodies(server):
    for change, wanted in (({"id": None}, REQUEST), ({"id": 1.5}, REQUEST), ({"id": {}}, REQUEST), ({"jsonrpc": "1.0"}, REQUEST),
                           ({"method": "m" * (1 << 20)}, REQUEST), ({"params": []}, PARAMS), ({"result": {}}, REQUEST)):
        body, headers = modern_request("tools/list")
        body.update(change)
        answer = server.post("/mcp", body, headers=headers)
        check_equal((answer.status, answer.json["error"]["code"]), (400, wanted), f"modern, {str(change)[:40]}")


def one_session(server, numbers):
    """More requests of one session than may be under way."""
    session, answers = Session(server), []
    lock = threading.Lock()
    bodies = [{"jsonrpc": "2.0", "id": 1000 + i, "method": "tools/call",
               "params": {"name": "echo", "arguments": {"wait_ms": 3000}}} for i in range(300)]
    headers = {"Content-Type": "application/json", "Accept": ACCEPT, **session.headers}
    connections = [open_raw(server, raw_post(body, headers), source=f"127.0.0.{2 + i % 4}") for i, body in enumerate(bodies)]

    def read(connection):
        with connection:
            text = b""
            while b"}" not in text.split(b"\r\n\r\n", 1)[-1]:
                piece = connection.recv(65536)
                if not piece:
                    break
                text += piece
        with lock:
            answers.append(text)
    threads = [threading.Thread(target=read, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    refused = sum(b"requests under way" in answer for answer in answers)
    served = sum(b'"content"' in answer for answer in answers)
    numbers.update(one_session_refused=refused, one_session_served=served)
    check_equal((served, refused), (256, 44), "300 requests of one session: served, refused")
    same = [session.post({"jsonrpc": "2.0", "id": 5, "method": "ping"}).status for _ in range(3)]
    check_equal(same, [200] * 3, "an id used again, one after the other")


def in_flight(server, numbers):
    """10,000 calls, 40 on each of 250 connections, sent at once: all are answered, in order."""
    count, each = 250, 40

    def bytes_of(i, j):
        body, headers = modern_request("tools/call", {"name": "echo", "arguments": {"token": f"{i}-{j}"}}, id=j)
        return raw_post(body, headers)
    requests = [b"".join(bytes_of(i, j) for j in range(each)) for i in range(count)]
    started, wrong = time.monotonic(), []
    connections = [open_raw(server, b"") for _ in requests]

    def talk(i):
        with connections[i] as connection:
            sender = threading.Thread(target=connection.sendall, args=(requests[i],))
            sender.start()
            text = b""
            while text.count(b'"jsonrpc"') < each:
                piece = connection.recv(65536)
                if not piece:
                    break
                text += piece
            sender.join()
        at = [text.find(b'\\"%d-%d\\"' % (i, j)) for j in range(each)]
        if -1 in at or at != sorted(at):
            wrong.append((i, text[:200]))
    threads = [threading.Thread(target=talk, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    numbers.update(in_flight=count * each, in_flight_s=round(time.monotonic() - started, 2))
    check(not wrong, f"{len(wrong)} connections without all their answers in order: {wrong[:1]}")


def fault(numbers):
    with guarded_server({"access_log": "off"}) as server:
        bodies(server, numbers)
        modern_bodies(server)
        one_session(server, numbers)
        in_flight(server, numbers)
        check_equal(call_modern(server, "echo").status, 200, "afterwards")
        crowd = [open_raw(server, b"") for _ in range(300)]  # more connections than one address may have
        started = time.monotonic()
        last = read_all(crowd[-1]) if not crowd[-1].settimeout(3) else b""
        numbers.update(crowd_answer=last[:40].decode())
        check(b"503" in last[:40] or b"429" in last[:40] or last == b"", f"the 300th connection: {last[:80]!r}")
        check(time.monotonic() - started < 2.5, "the 300th connection is left hanging")
        for one in crowd:
            one.close()
        check(server.process.poll() is None, "the server is gone")


run_fault("F12", fault)

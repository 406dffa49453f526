"""test_redis_peer.py - what says that it is a Redis and is not: every call ends with a sentence, nobody else waits for it."""
import os

from backplane_test import Server, check, check_equal, run_tests
from hostile_peer import FAULT_PLUGINS, HostilePeer, Watch, flood

GOOD = ("not_found", "unavailable", "upstream", "limit", "deadline", "full")


def made(url, **cache):
    def make(folder):
        return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
                "server": {"listen": ["127.0.0.1:0"], "workers": 1, "access_log": "off",
                           "watchdog": {"warn": "100ms", "fail_liveness": "2s", "abort": "4s"}},
                "cache": {"main": {"use": "redis", "url": url, "timeout": "500ms", "connect_timeout": "500ms", **cache}},
                "app": {"cached": {"cache": "main"}}}
    return make


def greeted(answer):
    """Commands of the greeting are answered well; `answer(connection, words)` says what else comes."""
    def serve(connection):
        stream = connection.makefile("rb")
        while True:
            head = stream.readline()
            if not head:
                return
            words = []
            for _ in range(int(head[1:])):
                size = int(stream.readline()[1:])
                words.append(stream.read(size + 2)[:-2])
            name = words[0].upper()
            if name in (b"HELLO",):
                connection.sendall(b"-ERR unknown command\r\n")
            elif name in (b"AUTH", b"SELECT", b"CLIENT", b"READONLY"):
                connection.sendall(b"+OK\r\n")
            elif name == b"PING":
                connection.sendall(b"+PONG\r\n")
            elif name == b"ROLE":
                connection.sendall(b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")
            elif name == b"INFO":
                text = b"redis_version:7.0.15\r\nrole:master\r\n"
                connection.sendall(b"$%d\r\n%s\r\n" % (len(text), text))
            else:
                answer(connection, words)
    return serve


def ask(server, op="get", times=2):
    for _ in range(times):
        answer = server.post("/cached/run", {"op": op, "key": "k", "limit": 5, "amount": 1, "hold_ms": 1000}, seconds=20)
        check_equal(answer.status, 200, f"{op}: {answer.body[:300]!r}")
        said = answer.json.get("status", answer.json.get("outcome"))
        check(said is None or said in GOOD or said == "ok", f"{op} ends with {said}: {answer.body[:300]!r}")


def each(answers, seconds=1.0, more_bytes=300 << 20, scheme="redis", **cache):
    for name, answer in answers.items():
        with HostilePeer(greeted(answer)) as peer, Server(made=made(f"{scheme}://127.0.0.1:{peer.port}", **cache)) as server:
            try:
                with Watch(server, more_bytes, seconds):
                    ask(server)
                    ask(server, "take", 1)
            except AssertionError as problem:
                raise AssertionError(f"{name}: {problem}") from problem


def answers_of_the_wrong_kind_are_errors():
    each({name: (lambda connection, words, text=text: connection.sendall(text)) for name, text in {
        "integer": b":5\r\n", "empty array": b"*0\r\n", "nested": b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n", "nil array": b"*-1\r\n",
        "no RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n", "strange error": b"-\r\n", "two answers": b"$1\r\na\r\n$1\r\nb\r\n",
        "bytes": bytes(range(256)) * 8, "huge number": b":99999999999999999999999999\r\n", "status": b"+\r\n"}.items()})


def lengths_that_no_answer_can_have_are_refused():
    each({name: (lambda connection, words, text=text: connection.sendall(text)) for name, text in {
        "string of an exabyte": b"$1152921504606846976\r\n", "array of a billion": b"*1000000000\r\n",
        "negative": b"$-7\r\n", "array of ten million": b"*9999999\r\n"}.items()})


def an_answer_that_never_ends_is_given_up():
    each({"string": lambda connection, words: (connection.sendall(b"$500000000\r\n"), flood(connection, b"x" * 1000)),
          "nesting": lambda connection, words: flood(connection, b"*1\r\n"),
          "wide nesting": lambda connection, words: flood(connection, b"*2\r\n:1\r\n"),
          "array": lambda connection, words: (connection.sendall(b"*9999999\r\n"), flood(connection, b"$-1\r\n")),
          "line": lambda connection, words: flood(connection, b"+" + b"x" * 999)})


def pushes_without_end_keep_nobody_waiting():
    each({"pushes": lambda connection, words: flood(connection, b">2\r\n+message\r\n$1\r\na\r\n"),
          "small pushes": lambda connection, words: flood(connection, b">0\r\n")})


def a_map_of_a_cluster_that_is_far_too_large_is_refused():
    def slots(count, first, last, host="10.%d.%d.%d", port=7000):
        def answer(connection, words):
            if words[0].upper() != b"CLUSTER":
                connection.sendall(b"-MOVED 1 127.0.0.1:1\r\n")
                return
            parts = [b"*%d\r\n" % count]
            for number in range(count):
                name = (host % (number >> 16 & 255, number >> 8 & 255, number & 255)).encode() if "%" in host else host.encode()
                parts.append(b"*3\r\n:%d\r\n:%d\r\n*2\r\n$%d\r\n%s\r\n:%d\r\n" % (first, last, len(name), name, port))
            connection.sendall(b"".join(parts))
        return answer
    each({"many nodes of all slots": slots(20000, 0, 16383), "many nodes of one": slots(20000, 5, 5),
          "slots that are none": slots(20000, -(1 << 62), 1 << 62)}, scheme="cluster")


def a_vector_store_is_not_believed_either():
    answers = {"integers": b":7\r\n", "nil": b"$-1\r\n", "text": b"$1\r\nx\r\n", "nothing": b"*0\r\n", "nine nils": b"*9\r\n" + b"$-1\r\n" * 9,
               "nine numbers": b"*9\r\n" + b":7\r\n" * 9, "nine texts": b"*9\r\n" + b"$1\r\n7\r\n" * 9,
               "nine huge numbers": b"*9\r\n" + b"$10\r\n4294967295\r\n" * 9, "lists": b"*3\r\n" + b"*2\r\n:1\r\n$-1\r\n" * 3,
               "errors": b"-OOM command not allowed\r\n", "read only": b"-READONLY no\r\n", "loading": b"-LOADING data\r\n"}
    for name, text in answers.items():
        with HostilePeer(greeted(lambda connection, words: connection.sendall(text))) as peer, Server(vector={"docs": {
                "use": "redis", "url": f"redis://127.0.0.1:{peer.port}", "timeout": "500ms", "deadline": "2s"}}) as server, Watch(server):
            for path, body in (("collections/docs", {}), ("collections/docs/documents", {"documents": [{"id": "a", "text": "b c"}]}),
                               ("search", {"collection": "docs", "query": "b"})):
                answer = server.post("/api/v1/" + path, body, seconds=20)
                check(answer.status in (200, 202, 404, 409, 429, 500, 502, 503, 504, 507), f"{name}: {path}: {answer.status} {answer.body[:200]!r}")


if __name__ == "__main__":
    run_tests([answers_of_the_wrong_kind_are_errors, lengths_that_no_answer_can_have_are_refused,
               an_answer_that_never_ends_is_given_up, pushes_without_end_keep_nobody_waiting,
               a_map_of_a_cluster_that_is_far_too_large_is_refused, a_vector_store_is_not_believed_either])

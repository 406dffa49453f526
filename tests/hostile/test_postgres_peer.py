"""test_postgres_peer.py - what says that it is a PostgreSQL and is not: each statement ends with a sentence, nobody else waits."""
import concurrent.futures
import os
import struct
import time

from backplane_test import Server, check, check_equal, conf, run_tests
from hostile_peer import FAULT_PLUGINS, HostilePeer, Watch, flood

INT8, TEXT, BYTEA = 20, 25, 17


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def description(types):
    body = struct.pack("!h", len(types))
    for number, oid in enumerate(types):
        body += b"c%d\0" % number + struct.pack("!ihihih", 0, 0, oid, -1, -1, 0)
    return message(b"T", body)


def row(values):
    body = struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message(b"D", body)


def rows_of(types, *rows):
    return description(types) + b"".join(row(values) for values in rows) + message(b"C", b"SELECT %d\0" % len(rows))


NOTICE = message(b"N", b"SNOTICE\0VNOTICE\0C00000\0Mlook\0\0")
READY = message(b"Z", b"I")


def postgres(answer, greeting=b""):
    """Speaks version 3 as far as libpq needs it; `answer(connection, sql)` gives what belongs behind Bind, or sends by itself."""
    def serve(connection):
        stream = connection.makefile("rb")

        def take(count):
            taken = stream.read(count)
            if len(taken) < count:
                raise ValueError
            return taken
        while True:
            size, = struct.unpack("!i", take(4))
            code, = struct.unpack("!i", take(4))
            take(size - 8)
            if code == 80877103:
                connection.sendall(b"N")
                continue
            break
        connection.sendall(greeting + message(b"R", struct.pack("!i", 0)) + message(b"S", b"client_encoding\0UTF8\0") +
                           message(b"S", b"server_version\0" + b"15.4\0") + message(b"K", struct.pack("!ii", 77, 1)) + READY)
        statements, sql = {}, ""
        while True:
            kind = take(1)
            size, = struct.unpack("!i", take(4))
            body = take(size - 4)
            if kind == b"P":
                name, text = body.split(b"\0")[:2]
                statements[name] = text.decode()
                connection.sendall(message(b"1"))
            elif kind == b"B":
                sql = statements[body.split(b"\0")[1]]
                connection.sendall(message(b"2"))
            elif kind in (b"E", b"Q"):
                if kind == b"Q":
                    sql = body[:-1].decode()
                if "pg_backend_pid" in sql:
                    given = rows_of([INT8], [b"77"])
                elif sql.split(" ")[0] in ("BEGIN", "COMMIT", "ROLLBACK", "SET", "DEALLOCATE"):
                    given = message(b"n") + message(b"C", sql.split(" ")[0].encode() + b"\0")
                else:
                    given = answer(connection, sql)
                connection.sendall(given + (READY if kind == b"Q" else b""))
            elif kind == b"S":
                connection.sendall(READY)
            elif kind == b"X":
                return
    return serve


def made(port, **more):
    def make(folder):
        return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
                "server": {"listen": ["127.0.0.1:0"], "workers": 1, "access_log": "off", "request_deadline": "2s",
                           "watchdog": {"warn": "100ms", "fail_liveness": "2s", "abort": "4s"}},
                "storage": {"main": {"use": "postgres", "url": f"postgresql://u:p@127.0.0.1:{port}/d?sslmode=disable",
                                     "retries": 0, "breaker_failures": 0, "connect_timeout": "1s", "deadline": "2s", **more}},
                "app": {"sql": {"storage": "main"}}}
    return make


def each(answers, sql="SELECT a, b FROM t", statuses=(429, 500, 502, 503, 504, 413), greeting=b"", more_bytes=300 << 20, at_once=2):
    def one(name):
        answer = answers[name]
        try:
            with HostilePeer(postgres(answer if callable(answer) else lambda connection, sql: answer, greeting)) as peer, \
                    Server(made=made(peer.port)) as server, Watch(server, more_bytes):
                for _ in range(at_once):
                    given = server.post("/sql/exec", sql.encode(), seconds=20)
                    check(given.status in statuses, f"{given.status}: {given.body[:300]!r}")
        except AssertionError as problem:
            raise AssertionError(f"{name}: {problem}") from problem
    with concurrent.futures.ThreadPoolExecutor(at_once) as threads:
        list(threads.map(one, answers))


def rows_of_another_number_of_columns_are_refused():
    each({"fewer": rows_of([INT8], [b"1"]), "more": rows_of([INT8] * 9, [b"1"] * 9), "none": rows_of([], []),
          "a thousand": rows_of([TEXT] * 1000, [b"x"] * 1000),
          "another number than described": description([INT8, TEXT]) + row([b"1"]) + message(b"C", b"SELECT 1\0"),
          "no description": row([b"1", b"2"]) + message(b"C", b"SELECT 1\0")})


def values_of_another_kind_do_no_harm():
    odd = [None, b"", b"x" * 70000, b"\\x", b"\\xzz", b"\\x123", b"9" * 400, b"NaN", b"\xff\xfe", b"-", b"1e999", b"\\000\\"]
    each({f"{oid} {value[:8] if value else value!r}": rows_of([oid, oid], [value, value])
          for oid in (INT8, BYTEA, 701, 1700, 16, 999999) for value in odd}, statuses=(200, 429, 500, 502, 503, 504))


def lengths_that_nothing_has_are_refused():
    each({"row of 2 GiB": description([TEXT] * 2) + b"D" + struct.pack("!ih", 0x7fffffff, 2),
          "negative": b"D" + struct.pack("!i", -5), "value longer than its row": description([TEXT] * 2) + message(
              b"D", struct.pack("!hi", 2, 1 << 30) + b"x"), "error of 1 GiB": b"E" + struct.pack("!i", 1 << 30),
          "unknown message": message(b"y", b"?" * 100), "garbage": bytes(range(256)) * 40, "copy": message(b"H", b"\0\0\0"),
          "error without a state": message(b"E", b"\0"), "error without an end": message(b"E", b"SERROR")},
         statuses=(400, 429, 500, 502, 503, 504))


def what_never_ends_is_given_up():
    def rows_for_ever(connection, sql):
        connection.sendall(description([TEXT, TEXT]))
        flood(connection, row([b"x" * 100, b"y"]), 3)
        return b""

    def small_rows(connection, sql):
        connection.sendall(description([INT8, INT8]))
        flood(connection, row([b"1", None]), 3)
        return b""

    def of(piece):
        def answer(connection, sql):
            flood(connection, piece, 3)
            return b""
        return answer

    def silent(connection, sql):
        time.sleep(3)
        return b""
    each({"rows": rows_for_ever, "small rows": small_rows, "notices": of(NOTICE), "nothing": silent,
          "settings": of(message(b"S", b"a\0b\0")), "notifications": of(message(b"A", struct.pack("!i", 1) + b"c\0p\0"))}, at_once=1)


def a_greeting_that_is_none_is_an_error():
    for name, greeting in {"notices": NOTICE * 1000, "garbage": b"HTTP/1.1 400 Bad\r\n\r\n",
                           "unknown way to log in": message(b"R", struct.pack("!i", 99)),
                           "SASL of nothing": message(b"R", struct.pack("!i", 10) + b"\0"),
                           "huge": b"R" + struct.pack("!i", 1 << 30)}.items():
        each({name: rows_of([INT8] * 2, [b"1"] * 2)}, greeting=greeting, statuses=(200, 429, 502, 503, 504))


def vectors_are_not_believed_either():
    """Every statement of the vector store is answered with rows of NULLs, or of far too few or many columns."""
    for columns in (0, 1, 8):
        for value in (None, b"", b"7"):
            answer = rows_of([TEXT] * columns, [value] * columns)
            with HostilePeer(postgres(lambda connection, sql: answer)) as peer, Server(made=lambda folder: conf(
                    folder, server={"workers": 1, "request_deadline": "5s"},
                    vector={"docs": {"use": "pgvector", "url": f"postgresql://u:p@127.0.0.1:{peer.port}/d?sslmode=disable",
                                     "breaker_failures": 0, "retries": 0}})) as server, Watch(server):
                for path, body in (("collections/docs", {}), ("collections/docs/documents", {"documents": [{"id": "a", "text": "b c"}]}),
                                   ("search", {"collection": "docs", "query": "b"})):
                    given = server.post("/api/v1/" + path, body, seconds=20)
                    check(given.status in (200, 201, 202, 404, 409, 429, 500, 502, 503, 504), f"{path}: {given.status} {given.body[:200]!r}")
                check_equal(server.get("/health/live").status, 200, "alive")


if __name__ == "__main__":
    run_tests([rows_of_another_number_of_columns_are_refused, values_of_another_kind_do_no_harm,
               lengths_that_nothing_has_are_refused, what_never_ends_is_given_up, a_greeting_that_is_none_is_an_error,
               vectors_are_not_believed_either])

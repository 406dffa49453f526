"""test_vector_drop.py - a collection of 100,000 points is dropped while others write: nobody waits for it, nothing is left of it, and
`db vacuum` gives its room back."""
import glob
import json
import os
import threading
import time

from backplane_test import Server, check, check_equal, conf, rows, run_tests, wait_until

POINTS, SLOWEST_S = 100_000, 0.5


def points_of(server):
    names = [name for name, in rows(os.path.join(server.data, "docs", "vectors.db"),
                                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'points_[0-9]*'")]
    return len(names)


def fill(server, name, count):
    lines = b"".join(json.dumps({"id": f"{name}{i}", "text": f"alpha beta gamma number {i} of the collection {name}"}).encode() + b"\n"
                     for i in range(count))
    answer = server.request("POST", f"/api/v1/collections/{name}/documents", lines, {"Content-Type": "application/x-ndjson"}, seconds=170)
    check(answer.status in (200, 201, 202), f"{answer.status} {answer.body[:300]!r}")


def others_write_while_a_collection_is_dropped():
    with Server(made=lambda folder: conf(folder, server={"workers": 2, "request_deadline": "170s"})) as server:
        server.make_collection("big")
        server.make_collection("small")
        fill(server, "big", POINTS)
        server.put({"id": "first", "text": "alpha"}, collection="small")
        check_equal(points_of(server), 2, "tables before")
        size = os.path.getsize(os.path.join(server.data, "docs", "vectors.db"))
        dropping = time.monotonic()
        dropped = []
        thread = threading.Thread(target=lambda: dropped.append(server.request("DELETE", "/api/v1/collections/big", seconds=170).status))
        thread.start()
        slowest, written = 0.0, 0
        while thread.is_alive() or points_of(server) > 1 or written < 20:
            began = time.monotonic()
            check_equal(server.put({"id": f"s{written}", "text": f"alpha {written}"}, collection="small").status, 200, "a write")
            slowest, written = max(slowest, time.monotonic() - began), written + 1
            check(time.monotonic() - dropping < 120, "the tables of the dropped collection stay")
        print(f"{written} writes, the slowest {slowest * 1000:.0f} ms, swept after {time.monotonic() - dropping:.1f} s")
        check(dropped in ([200], [204]), f"the drop: {dropped}")
        check(slowest < SLOWEST_S, f"a write took {slowest:.2f} s")
        check_equal(len(server.search("alpha", collection="small", limit=10)), 10, "the other collection")
        busy = server.run("db", "vacuum")
        check(busy.returncode != 0 and str(server.process.pid) in busy.stderr, f"vacuum beside the server: {busy}")
        server.stop()
        done = server.run("db", "vacuum")
        check_equal(done.returncode, 0, done.stderr)
        check('vector store "docs": vacuumed' in done.stdout, done.stdout)
        after = os.path.getsize(os.path.join(server.data, "docs", "vectors.db"))
        check(after < size / 10, f"{size} bytes before, {after} after")


def what_a_crash_left_is_swept_by_the_next_process():
    server = Server()
    with server:
        server.make_collection("gone")
        fill(server, "gone", 3000)
        check(server.request("DELETE", "/api/v1/collections/gone", seconds=60).status in (200, 204), "the drop")
        server.kill()
        server.start()
        wait_until(lambda: points_of(server) == 0, 20, "tables are left")


if __name__ == "__main__":
    run_tests([others_write_while_a_collection_is_dropped, what_a_crash_left_is_swept_by_the_next_process])

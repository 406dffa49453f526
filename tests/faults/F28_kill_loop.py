"""F28_kill_loop.py - SIGKILL at random microseconds under writes: acknowledged = present, back within a second, nothing corrupt."""
import http.client
import random
import threading
import time

from backplane_test import IS_LONG, Server, check, check_equal, check_integrity, rows, run_fault

KILLS = 1000 if IS_LONG else 30


def write_until_killed(server, round_number, acknowledged, killed):
    number = 0
    try:
        connection = server.connect()
        while not killed.is_set():
            name = f"k{round_number}-{number}"
            answer = server.request("POST", "/api/v1/collections/docs/documents", {"id": name, "text": f"word{name} and more"},
                                    connection=connection)
            if answer.status == 200:
                acknowledged.append(name)
            number += 1
    except (OSError, http.client.HTTPException):
        pass


def fault(numbers):
    chance, acknowledged, slowest = random.Random(28), [], 0.0
    with Server(app={"scan": "1s"}, server={"access_log": "off"}) as server:
        server.make_collection()
        for round_number in range(KILLS):
            killed = threading.Event()
            writer = threading.Thread(target=write_until_killed, args=(server, round_number, acknowledged, killed))
            writer.start()
            time.sleep(chance.uniform(0.01, 0.15))
            server.kill()
            killed.set()
            writer.join()
            started = time.monotonic()
            server.start()
            check_equal(server.get("/api/v1/collections/docs").status, 200, "the first request after a kill")
            slowest = max(slowest, time.monotonic() - started)
            if round_number % 10 == 9:
                check_integrity(server)
        check_integrity(server)
        stored = {row[0] for row in rows(server.databases()[0], "SELECT external_id FROM retrieval_documents")}
        lost = [name for name in acknowledged if name not in stored]
        numbers.update(kills=KILLS, acknowledged=len(acknowledged), lost=len(lost), slowest_recovery_s=round(slowest, 3))
        check_equal(lost, [], "acknowledged documents that are gone")
        for name in chance.sample(acknowledged, min(50, len(acknowledged))):
            check(server.search("word" + name, mode="words", limit=3), f"{name} is not found")
        check(slowest <= 1.0, f"a recovery took {slowest:.2f} s")


run_fault("F28", fault)

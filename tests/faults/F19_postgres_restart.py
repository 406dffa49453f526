"""F19_postgres_restart.py - PostgreSQL crashes, ends sessions and is cut off under writes: nothing acknowledged is lost, what is
not known is said to be, readiness follows within 5 s both ways, liveness stays, and the pool comes back spread out."""
import os
import threading
import time

from backplane_test import IS_LONG, Server, check, check_equal, run_fault, wait_until
from postgres_server import PostgresServer
from relay import Relay

FAULT_PLUGINS = os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins")
RESTARTS = 20 if IS_LONG else 5
WRITERS = 6
COUNT_LEFT = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'backplane%' AND state <> 'idle'"
TERMINATE = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'backplane%'"


class Writers:
    """Each writes one row after another, by a statement or in a transaction, and keeps what it was told."""

    def __init__(self, server):
        self.server, self.is_over = server, threading.Event()
        self.acknowledged, self.unknown, self.failed, self.odd = [], [], [], []
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def work(self, i):
        path = ("/sql/exec", "/sql/transaction", "/sql/transaction?hold_ms=20")[i % 3]
        key = i * 10_000_000
        while not self.is_over.is_set():
            key += 1
            answer = self.server.post(path, f"INSERT INTO t VALUES({key})".encode(), seconds=60)
            if answer.status == 200:
                self.acknowledged.append(key)
            elif answer.status in (503, 504, 500, 502) and ("not known" in answer.message or
                                                            "may or may not" in answer.message):
                self.unknown.append(key)
            elif answer.status in (503, 504):
                self.failed.append(key)
            else:
                self.odd.append((answer.status, answer.body[:300]))
            if answer.status != 200:
                time.sleep(0.05)

    def wait_for_one_more(self):
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > before, 40, "writes do not come back")

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


class Probes:
    """Asks whether the server lives all the time."""

    def __init__(self, server):
        self.server, self.is_over, self.asked, self.wrong, self.slowest = server, threading.Event(), 0, [], 0.0
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.is_over.wait(0.05):
            started = time.monotonic()
            status = self.server.get("/health/live").status
            self.asked, self.slowest = self.asked + 1, max(self.slowest, time.monotonic() - started)
            if status != 200:
                self.wrong.append(status)

    def stop(self):
        self.is_over.set()
        self.thread.join()


def seconds_until_ready_is(server, wanted):
    started = time.monotonic()
    wait_until(lambda: server.get("/health/ready").status == wanted, 30, f"/health/ready does not become {wanted}")
    return time.monotonic() - started


def is_down_and_up_again(server, writers, down, up):
    """How long readiness takes to follow each way."""
    down()
    to_down = seconds_until_ready_is(server, 503)
    up()
    to_up = seconds_until_ready_is(server, 200)
    writers.wait_for_one_more()
    return to_down, to_up


def jitter_of(times):
    """How far apart the first connections after an outage are: none when they all come in the same millisecond."""
    return round((max(times) - min(times)) * 1000, 1) if len(times) > 1 else None


def fault(numbers):
    with PostgresServer(durable=True) as postgres, Relay(postgres.port) as relay:
        url = postgres.url.replace(f":{postgres.port}/", f":{relay.port}/")

        def made(folder):
            return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
                    "server": {"listen": ["127.0.0.1:0"], "workers": 2, "access_log": "off"},
                    "storage": {"main": {"use": "postgres", "url": url, "pool_max": 4, "deadline": "3s"}},
                    "health": {"database": {"use": "instance", "storage": "main", "every": "1s", "deadline": "1s", "fall": 1}},
                    "app": {"sql": {"storage": "main"}}}

        with Server(made=made) as server:
            check_equal(server.post("/sql/exec", b"CREATE TABLE t(a BIGINT PRIMARY KEY)").status, 200, "creating a table")
            seconds_until_ready_is(server, 200)
            probes, writers = Probes(server), Writers(server)
            try:
                writers.wait_for_one_more()
                for _ in range(RESTARTS):
                    postgres.crash()
                    postgres.start()
                    writers.wait_for_one_more()
                for _ in range(3):
                    postgres.sql(TERMINATE)
                    writers.wait_for_one_more()
                seconds_until_ready_is(server, 200)
                crash = is_down_and_up_again(server, writers, postgres.crash, postgres.start)
                before = len(relay.accepted)
                cut = is_down_and_up_again(server, writers, relay.drop, relay.go_on)
                times = relay.accepted[before:]
            finally:
                writers.stop()
                probes.stop()
            wait_until(lambda: postgres.sql(COUNT_LEFT) == [["0"]], 30, "the server still works for somebody")
            kept = {int(row[0]) for row in postgres.sql("SELECT a FROM t")}
            lost = sorted(set(writers.acknowledged) - kept)
            ghosts = sorted(kept - set(writers.acknowledged) - set(writers.unknown))
            numbers.update(restarts=RESTARTS, acknowledged=len(writers.acknowledged), lost=len(lost),
                           unknown=len(writers.unknown), unknown_and_kept=len(kept & set(writers.unknown)),
                           failed=len(writers.failed), kept_though_failed=len(ghosts),
                           not_ready_s=[round(crash[0], 2), round(cut[0], 2)],
                           ready_again_s=[round(crash[1], 2), round(cut[1], 2)],
                           live_asked=probes.asked, live_slowest_ms=round(probes.slowest * 1000, 1),
                           connections_after_cut=len(times), connections_spread_ms=jitter_of(times))
            check_equal(writers.odd[:3], [], "answers nobody expects")
            check_equal(lost, [], "acknowledged and lost")
            check_equal(ghosts, [], "said to have failed, and kept")
            check_equal(probes.wrong, [], "liveness that was not 200")
            check(max(crash[0], cut[0]) <= 5, f"readiness noticed after {crash[0]:.1f} and {cut[0]:.1f} s")
            check(max(crash[1], cut[1]) <= 5, f"readiness came back after {crash[1]:.1f} and {cut[1]:.1f} s")
            check("s3cret" not in server.log_text(), "the password is in the log")


run_fault("F19", fault)

"""test_health.py - what /health and /health/ready say is so: one failed check is no outage, what one can do without is no reason to
be taken out, and calls that fail are seen by whoever asks."""
import http.server
import json
import sqlite3
import threading
import os
import time

from backplane_test import Server, check, check_equal, conf, run_tests, wait_until


class Peer:
    """Answers GET with the status that it is told, and keeps what is posted."""

    def __enter__(self):
        self.status, self.posted, peer = 200, [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(peer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self):
                peer.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def alerts(self):
        return [alert for post in self.posted for alert in post["alerts"]]


def component(server, name):
    return server.get("/health").json["components"].get(name, {})


def states_until(server, name, wanted, seconds=15):
    """The states that the component and readiness went through."""
    seen, end = [], time.monotonic() + seconds
    while not seen or seen[-1] != wanted:
        now = (component(server, name).get("status"), server.get("/health/ready").status)
        if component(server, name).get("status") != now[0]:
            continue  # it changed between the two questions
        if not seen or seen[-1] != now:
            seen.append(now)
        check(time.monotonic() < end, f"never {wanted}: {seen}")
        time.sleep(0.05)
    return seen


def readiness_flips_after_several_checks():
    with Peer() as peer, Server(health={"peer": {"use": "http", "url": peer.url, "every": "1s", "fall": 3, "rise": 2}},
                                alert={"hook": {"use": "webhook", "url": peer.url}}) as server:
        wait_until(lambda: component(server, "peer").get("status") == "ok", 10, "the first check")
        peer.status = 500
        check_equal(states_until(server, "peer", ("down", 503)), [("ok", 200), ("degraded", 200), ("down", 503)], "falling")
        peer.status = 200
        began = time.monotonic()
        check_equal(states_until(server, "peer", ("ok", 200)), [("down", 503), ("ok", 200)], "rising")
        check(time.monotonic() - began > 0.9, "one good check was enough")
        wait_until(lambda: any(alert["labels"]["severity"] == "critical" for alert in peer.alerts()), 10, "no alert is critical")


def what_one_can_do_without_is_never_critical():
    with Peer() as peer, Server(health={"peer": {"use": "http", "url": peer.url + "x", "every": "1s", "fall": 1, "critical": False}},
                                alert={"hook": {"use": "webhook", "url": peer.url}}) as server:
        peer.status = 500
        states_until(server, "peer", ("down", 200))
        wait_until(lambda: any("is down" in alert["annotations"]["summary"] for alert in peer.alerts()), 10, "no alert")
        check(all(alert["labels"]["severity"] != "critical" for alert in peer.alerts()), f"{peer.alerts()}")


def a_full_disk_is_no_reason_not_to_read():
    with Server(health={"disk": {"use": "disk", "fail_size": "1000000GiB"},
                        "strict": {"use": "disk", "fail_size": "1000000GiB", "when_full": "down", "critical": False}}) as server:
        wait_until(lambda: component(server, "strict").get("status") == "down", 10, "the check")
        check_equal(component(server, "disk")["status"], "degraded", "a full disk")
        check_equal(server.get("/health/ready").status, 200, "ready")


def a_storage_whose_calls_fail_is_seen_without_a_check():
    with Server(made=lambda folder: conf(folder, storage={"main": {"use": "sqlite", "path": "backplane.db", "busy_timeout": "100ms",
                                                                   "deadline": "2s", "retries": 0}})) as server:
        server.make_collection()
        check_equal(server.get("/health").json["status"], "healthy", "before")
        other = sqlite3.connect(os.path.join(server.data, "backplane.db"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for i in range(6):
            check(server.put({"id": f"d{i}", "text": "alpha"}).status >= 400, "a write into a locked database")
        other.execute("ROLLBACK")
        found = server.get("/health").json
        check_equal((found["status"], found["components"]["storage.main"]["check"]), ("degraded", "calls"), f"{found}")
        check("failed within the last minute" in found["components"]["storage.main"]["detail"], f"{found}")
        check_equal(server.get("/health/ready").status, 200, "ready")


if __name__ == "__main__":
    run_tests([readiness_flips_after_several_checks, what_one_can_do_without_is_never_critical, a_full_disk_is_no_reason_not_to_read,
               a_storage_whose_calls_fail_is_seen_without_a_check])

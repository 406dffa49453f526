"""test_rolling_restart.py - two servers behind HAProxy with its default checks are restarted one after the other under load: with
the drain.delay that is the default no request fails; without one some do, which shows that the load would see it."""
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from backplane_test import Server, check, check_equal, run_tests, skip, wait_until
from redis_server import free_port

CALLERS, CHECK_MS = 8, 500

if not shutil.which("haproxy"):
    skip("there is no haproxy: scripts/install-deps.sh test installs it")


class Balancer:
    def __init__(self, folder, servers):
        self.port, path = free_port(), os.path.join(folder, "haproxy.cfg")
        lines = "\n".join(f"    server s{i} 127.0.0.1:{server.port} check inter {CHECK_MS}ms fall 3 rise 2" for i, server in enumerate(servers))
        with open(path, "w") as file:
            file.write("defaults\n    mode http\n    retries 0\n    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n"
                       f"listen all\n    bind 127.0.0.1:{self.port}\n    option httpchk GET /health/ready\n    http-check expect status 200\n"
                       f"{lines}\n")
        self.process = subprocess.Popen(["haproxy", "-db", "-f", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0, 10, "HAProxy does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def call_until(over, port, counts):
    while not over.is_set():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/collections", timeout=10) as answer:
                answer.read()
                status = answer.status
        except (urllib.error.URLError, OSError) as problem:
            status = getattr(problem, "code", 0)
        counts[status] = counts.get(status, 0) + 1


def restarted_one_after_the_other(delay):
    """What the callers got, by status."""
    more = {"server": {"drain": {"delay": delay}}} if delay else {}
    with Server(**more) as one, Server(**more) as two:
        for server in (one, two):
            listen = f"127.0.0.1:{server.port}"
            server.stop()
            server.conf["server"]["listen"] = [listen]
            if not delay:
                del server.conf["server"]["drain"]
            server.write_conf()
            server.start()
        with Balancer(one.folder, (one, two)) as balancer:
            time.sleep(3 * CHECK_MS / 1000)
            over, counts = threading.Event(), [{} for _ in range(CALLERS)]
            callers = [threading.Thread(target=call_until, args=(over, balancer.port, count)) for count in counts]
            for caller in callers:
                caller.start()
            for server in (one, two):
                check_equal(server.stop(), 0, "how it ended")
                server.start()
                time.sleep(4 * CHECK_MS / 1000)  # HAProxy sees it again
            over.set()
            for caller in callers:
                caller.join()
    return {status: sum(count.get(status, 0) for count in counts) for status in set().union(*counts)}


def no_request_fails_with_the_default():
    got = restarted_one_after_the_other(None)
    print(f"with the default: {got}")
    check_equal(list(got), [200], f"statuses of {sum(got.values())} requests: {got}")
    check(got[200] > 500, f"the load was too small to see anything: {got}")


def without_a_delay_some_do():
    got = restarted_one_after_the_other("0s")
    print(f"without a delay: {got}")
    check(len(got) > 1, f"the load sees no failure without a delay either: {got}")


run_tests([no_request_fails_with_the_default, without_a_delay_some_do])

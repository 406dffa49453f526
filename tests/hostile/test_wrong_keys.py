"""wrong_keys.py - guesses are stopped before the storage is asked, a good key goes on, and who only asks how the server is waits for
no storage.

The cases that were seen: 23,000 look-ups a second of keys that nobody has; probes with a key that took 6 s while the database hung.
"""
import contextlib
import time

from backplane_test import Server, check, check_equal, conf, run, run_tests
from postgres_server import PostgresServer
from relay import Relay


def with_keys(**server):
    return Server(server={"auth": {"mode": "keys", "storage": "main"}, **server})


def create_key(server, scopes="*"):
    done = run("key", "create", "-c", server.conf_path, "--name", "t", "--tenant", "default", "--scopes", scopes)
    check_equal(done.returncode, 0, done.stderr)
    return next(word for word in done.stdout.split() if word.startswith("bp_"))


def wrong_key(i):
    return {"Authorization": f"Bearer bp_{i:016x}_" + "0" * 64}


def guesses_are_stopped_before_the_storage_is_asked():
    with with_keys() as server:
        server.key = create_key(server)
        check_equal(server.get("/api/v1/collections").status, 200, "the good key")
        before = server.metric("backplane_plugin_calls_total", instance="main")
        with contextlib.closing(server.connect()) as connection:
            statuses = [server.request("GET", "/api/v1/collections", headers=wrong_key(i), connection=connection).status
                        for i in range(1, 600)]
        asked = server.metric("backplane_plugin_calls_total", instance="main") - before
        check(set(statuses) == {401, 429} and statuses[0] == 401 and statuses[-1] == 429, f"{set(statuses)}")
        check(asked < 100, f"the storage was asked {asked} times for 599 guesses")
        for _ in range(8):  # whatever worker has the connection; longer than a key is kept
            check_equal(server.get("/api/v1/collections").status, 200, "the good key from the same address")
            time.sleep(0.8)


def guesses_push_out_no_key_that_is_known():
    with with_keys(workers=1) as server:
        server.key = create_key(server)
        check_equal(server.get("/api/v1/collections").status, 200, "the good key")
        place = int(server.key[3:5], 16)
        for i in range(20):  # their ids begin as that of the good key does
            server.get("/api/v1/collections", headers=wrong_key((place << 56) + i))
        for _ in range(40):
            check_equal(server.get("/api/v1/collections").status, 200, "the good key")
        check(server.metric("backplane_plugin_calls_total", instance="main") < 130, "it is looked up again and again")


def good_keys_at_once_after_a_restart_are_all_served():
    """Each was counted as wrong until the storage had answered, and so many at once used the budget up."""
    few = {"mode": "keys", "storage": "main", "wrong_keys_per_minute": 2}
    with with_keys(workers=1, auth=few) as server, contextlib.ExitStack() as stack:
        keys = [create_key(server) for _ in range(8)]
        opened = [stack.enter_context(contextlib.closing(server.connect())) for _ in keys]
        for connection in opened:
            connection.connect()
        for connection, key in zip(opened, keys):
            connection.request("GET", "/api/v1/collections", headers={"Authorization": "Bearer " + key})
        statuses = [connection.getresponse().status for connection in opened]
        check_equal(statuses, [200] * len(keys), "good keys, all new to the server")
        statuses = [server.get("/api/v1/collections", headers=wrong_key(i)).status for i in range(4)]
        check_equal(statuses, [401, 401, 429, 429], "wrong ones afterwards")


def host_routes_have_a_limit_and_probes_none():
    with Server(server={"host_rate_per_minute": 50}) as server:
        statuses = [server.get("/openapi.json").status for _ in range(60)]
        check_equal((statuses[0], statuses[-1]), (200, 429), "/openapi.json")
        check(server.get("/docs").headers["Retry-After"], "with Retry-After")
        check_equal({server.get("/health/live").status for _ in range(60)}, {200}, "probes")
        old = server.raw(b"GET /health/ready HTTP/1.0\r\n\r\n")
        check(old.startswith(b"HTTP/1.1 200 "), f"a probe of HTTP/1.0 without a Host: {old[:200]}")
        check_equal(server.get("/api/v1/collections").status, 200, "apps have a limit of their own")


def metrics_open_to_a_token_and_on_a_listener_of_their_own():
    with with_keys(metrics_token="scrape-me", metrics_listen="127.0.0.1:0") as server:
        check_equal(server.get("/metrics").status, 401, "without anything")
        check_equal(server.get("/metrics", headers={"Authorization": "Bearer scrape-m"}).status, 401, "another token")
        check_equal(server.get("/metrics", headers={"Authorization": "Bearer scrape-me"}).status, 200, "the token")
        check_equal(server.get("/api/v1/collections", headers={"Authorization": "Bearer scrape-me"}).status, 401, "for metrics alone")
        addresses = [line["address"] for line in server.log_lines() if line.get("event") == "listening"]
        check_equal(len(addresses), 2, f"listeners: {addresses}")
        server.port = int(addresses[1].rsplit(":", 1)[1])
        check_equal([server.get(path).status for path in ("/metrics", "/health/ready", "/api/v1/collections", "/", "/openapi.json")],
                    [200, 200, 404, 404, 404], "metrics and probes alone")
    for mode in (with_keys, Server):  # other machines reach it
        with mode(**({"metrics_token": "scrape-me", "metrics_listen": "0.0.0.0:0"} if mode is with_keys else
                     {"server": {"metrics_token": "scrape-me", "metrics_listen": "0.0.0.0:0"}})) as server:
            addresses = [line["address"] for line in server.log_lines() if line.get("event") == "listening"]
            server.port = int(addresses[1].rsplit(":", 1)[1])
            check_equal([server.get("/metrics", headers={"Authorization": "Bearer " + token} if token else {}).status
                         for token in ("", "scrape-m", "scrape-me")], [401, 401, 200], "on a network, with the token alone")
            check_equal(server.get("/health/ready").status, 200, "probes carry none")


def a_key_sent_with_a_probe_waits_for_no_storage():
    with PostgresServer() as postgres, Relay(postgres.port) as relay:
        url = postgres.url.replace(f":{postgres.port}/", f":{relay.port}/")
        with Server(made=lambda folder: conf(
                folder, server={"listen": ["127.0.0.1:0"], "workers": 2, "metrics_token": "scrape-me",
                                "auth": {"mode": "keys", "storage": "keys"}},
                storage={"main": {"use": "sqlite", "path": "backplane.db"}, "keys": {"use": "postgres", "url": url}})) as server:
            relay.drop()
            for path in ("/health/live", "/health/ready", "/ready", "/health/startup", "/health", "/", "/openapi.json"):
                began = time.monotonic()
                answer = server.get(path, headers=wrong_key(1))
                took = time.monotonic() - began
                check(answer.status in (200, 503) and took < 1, f"{path}: {answer.status} after {took:.1f} s")
            began = time.monotonic()
            check_equal(server.get("/metrics", headers={"Authorization": "Bearer scrape-me"}).status, 200, "/metrics by its token")
            check(time.monotonic() - began < 1, "/metrics waits for nobody")
            relay.go_on()


run_tests([guesses_are_stopped_before_the_storage_is_asked, guesses_push_out_no_key_that_is_known,
           good_keys_at_once_after_a_restart_are_all_served, host_routes_have_a_limit_and_probes_none,
           metrics_open_to_a_token_and_on_a_listener_of_their_own, a_key_sent_with_a_probe_waits_for_no_storage])

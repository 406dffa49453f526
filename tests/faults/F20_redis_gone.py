"""F20_redis_gone.py - Redis stands still, is killed, cut off, full or loading: requests are served without the cache, rate limits
are open or closed as the conf says, budgets are closed, and once it is known nobody waits for it."""
import os
import statistics
import threading
import time

from backplane_test import IS_LONG, Server, check, check_equal, run_fault, wait_until
from redis_server import RedisServer
from relay import Relay

FAULT_PLUGINS = os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins")
ASKED = 400 if IS_LONG else 120
KNOWN_WITHIN = 8  # seconds from the fault until nobody waits any more
TIMEOUTS = {"timeout": "500ms", "connect_timeout": "500ms"}
DOWN = ("not_found", "unavailable")


def made(url, rate_per_minute=0, **cache):
    def make(folder):
        return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
                "server": {"listen": ["127.0.0.1:0"], "workers": 1, "access_log": "off",
                           **({"rate_per_minute": rate_per_minute} if rate_per_minute else {})},
                "cache": {"main": {"use": "redis", "url": url, **TIMEOUTS, **cache}},
                "app": {"cached": {"cache": "main"}}}
    return make


def run(server, op, key="k", **more):
    answer = server.post("/cached/run", {"op": op, "key": key, **more}, seconds=60)
    check_equal(answer.status, 200, f"{op}: {answer.body[:300]!r}")
    return answer.json


def reserve(server, owner):
    return run(server, "reserve", "budget", period="p", limit=1000000, amount=1, hold_ms=60000, owner=owner)


def latencies(server, op="get", count=ASKED, **more):
    """Of one after another, in milliseconds, sorted."""
    took, connection = [], server.connect()
    for _ in range(count):
        started = time.monotonic()
        answer = server.request("POST", "/cached/run", {"op": op, "key": "k", **more}, connection=connection)
        took.append((time.monotonic() - started) * 1000)
        check_equal(answer.status, 200, f"{op}: {answer.body[:300]!r}")
        time.sleep(0.005)
    connection.close()
    return sorted(took)


def served_while_down(server, name, numbers, usual):
    """What an outage looks like once it is known: values open, limits open, budgets and locks closed, and quick."""
    started = time.monotonic()
    wait_until(lambda: latencies(server, count=10)[-1] < 50 and run(server, "get")["status"] == "not_found", 30,
               f"{name}: reads are not quick")
    known = time.monotonic() - started
    took = latencies(server)
    check_equal(run(server, "get")["status"], "not_found", f"{name}: a value")
    check_equal(run(server, "set", value="v")["status"], "ok", f"{name}: keeping a value")
    check(run(server, "take", "rate", limit=1, hold_ms=60000, amount=1).get("granted"), f"{name}: a limit, open")
    for i in range(8):  # so many failures open a breaker: that of the budgets, not that of the values
        check_equal(reserve(server, f"o{i}")["status"], "unavailable", f"{name}: a budget, closed")
    after = latencies(server, count=40)
    check_equal(run(server, "get")["status"], "not_found", f"{name}: a value, after the budgets' breaker opened")
    added = took[int(len(took) * 0.98)] - usual
    numbers[name] = {"known_s": round(known, 2), "p50_ms": round(statistics.median(took), 1),
                     "p98_added_ms": round(added, 1), "slowest_ms": round(max(took[-1], after[-1]), 1)}
    check(known <= KNOWN_WITHIN, f"{name}: for {known:.1f} s calls waited for it")
    check(added <= 50, f"{name}: {added:.0f} ms are added")
    check_equal(server.get("/health/live").status, 200, f"{name}: the process lives")


def comes_back(server, name, numbers):
    started = time.monotonic()
    wait_until(lambda: run(server, "set", value="v")["status"] == "ok" and run(server, "get").get("value") == "v" and
               reserve(server, f"back {time.monotonic()}")["status"] == "ok", 40, f"{name}: it does not come back")
    numbers[name]["back_s"] = round(time.monotonic() - started, 2)


def standing_still(redis, server, numbers, usual):
    redis.pause()
    try:
        served_while_down(server, "stopped", numbers, usual)
    finally:
        redis.go_on()
    comes_back(server, "stopped", numbers)


def killed(redis, server, numbers, usual):
    redis.kill()
    served_while_down(server, "killed", numbers, usual)
    redis.start()
    comes_back(server, "killed", numbers)


def cut_off(relay, server, numbers, usual):
    relay.refuse()
    served_while_down(server, "refused", numbers, usual)
    relay.go_on()
    comes_back(server, "refused", numbers)
    relay.drop()
    served_while_down(server, "dropped", numbers, usual)
    relay.go_on()
    comes_back(server, "dropped", numbers)


def full(redis, server, numbers):
    """Reads go on, writes are left out, what must be kept says why it is not. (A budget is only counted on: Redis lets a
    script write that has removed something before.)"""
    redis.command("CONFIG", "SET", "maxmemory", "1")
    answer = run(server, "lock", "full", owner="me", hold_ms=1000)
    check_equal(answer["status"], "unavailable", "a lock when memory is full")
    check("maxmemory" in answer["message"], answer["message"])
    check(reserve(server, "full")["status"] in ("ok", "unavailable"), "a budget when memory is full")
    check_equal(run(server, "get").get("value"), "v", "a read when memory is full")
    check_equal(run(server, "set", "other", value="v")["status"], "ok", "a write when memory is full is left out")
    took = latencies(server, "set", 50, value="w")
    numbers["full"] = {"p50_ms": round(statistics.median(took), 1), "slowest_ms": round(took[-1], 1)}
    redis.command("CONFIG", "SET", "maxmemory", "0")
    comes_back(server, "full", numbers)


def loading(redis, server, numbers, usual):
    """A restart that has to read a lot: the server answers LOADING for some seconds."""
    connection = redis.connect()
    for first in range(0, 100000, 1000):
        connection.command("MSET", *[word for i in range(first, first + 1000) for word in (f"fill{i}", "x")])
    connection.command("SAVE")
    connection.close()
    redis.kill()
    redis.arguments += ["--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"]
    starting = threading.Thread(target=redis.start)
    starting.start()
    try:
        wait_until(lambda: "LOADING" in reserve(server, "loading")["message"], 20, "it does not say that it is loading")
        served_while_down(server, "loading", numbers, usual)
        check(starting.is_alive(), "it had loaded before it was looked at")
    finally:
        starting.join()
    comes_back(server, "loading", numbers)


def closed_limits(redis, numbers):
    """The server's own rate limit, with the cache's limits open and closed."""
    def statuses(count, **cache):
        with Server(made=made(redis.url, 20, **cache)) as server:
            before = [server.post("/cached/run", {"op": "get", "key": "k"}).status for _ in range(3)]
            redis.kill()
            after = [server.post("/cached/run", {"op": "get", "key": "k"}).status for _ in range(count)]
            redis.start()
            return before, after
    before, after = statuses(30)
    numbers["limit_open"] = {str(status): after.count(status) for status in set(after)}
    check_equal((set(before), set(after)), ({200}, {200}), "limits open: everybody is served")
    before, after = statuses(10, limits_when_down="closed")
    numbers["limit_closed"] = {str(status): after.count(status) for status in set(after)}
    check_equal((set(before), set(after)), ({200}, {503}), "limits closed: nobody is served")


def fault(numbers):
    with RedisServer() as redis, Relay(redis.port) as relay:
        url = redis.url.replace(f":{redis.port}/", f":{relay.port}/")
        with Server(made=made(url)) as server:
            check_equal(run(server, "set", value="v")["status"], "ok", "before")
            usual = latencies(server)[int(ASKED * 0.98)]
            numbers["usual_p98_ms"] = round(usual, 1)
            standing_still(redis, server, numbers, usual)
            killed(redis, server, numbers, usual)
            cut_off(relay, server, numbers, usual)
            full(redis, server, numbers)
            loading(redis, server, numbers, usual)
        closed_limits(redis, numbers)


run_fault("F20", fault)

"""F20_redis_gone.py - Redis stands still, is killed, cut off, full or loading: requests are served without the cache, each process
holds rate limits by itself (or they are open or closed, as the conf says), budgets are closed, and once it is known nobody waits
for it."""
import os
import statistics
import threading
import time

from backplane_test import IS_LONG, Server, check, check_equal, check_logged, run_fault, wait_until
from redis_server import RedisServer
from relay import Relay

FAULT_PLUGINS = os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins")
ASKED = 400 if IS_LONG else 120
KNOWN_WITHIN = 8  # seconds from the fault until nobody waits any more
TIMEOUTS = {"timeout": "500ms", "connect_timeout": "500ms"}
DOWN = ("not_found", "unavailable")
PER_MINUTE = 30
AT_ONCE = 500  # granted of a limit per day, which does not fill up meanwhile


def made(url, rate_per_minute=0, workers=1, **cache):
    def make(folder):
        return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
                "server": {"listen": ["127.0.0.1:0"], "workers": workers, "access_log": "off",
                           **({"rate_per_minute": rate_per_minute} if rate_per_minute else {})},
                "cache": {"main": {"use": "redis", "url": url, "breaker_pause": "1s", **TIMEOUTS, **cache}},
                "app": {"cached": {"cache": "main"}}}
    return make


def run(server, op, key="k", **more):
    answer = server.post("/cached/run", {"op": op, "key": key, **more}, seconds=60)
    check_equal(answer.status, 200, f"{op}: {answer.body[:300]!r}")
    return answer.json


def reserve(server, owner):
    return run(server, "reserve", "budget", period="p", limit=1000000, amount=1, hold_ms=60000, owner=owner)


def latencies(server, op="get", count=ASKED, key="k", **more):
    """Of one after another, in milliseconds, sorted."""
    took, connection = [], server.connect()
    for _ in range(count):
        started = time.monotonic()
        answer = server.request("POST", "/cached/run", {"op": op, "key": key, **more}, connection=connection)
        took.append((time.monotonic() - started) * 1000)
        check_equal(answer.status, 200, f"{op}: {answer.body[:300]!r}")
        time.sleep(0.005)
    connection.close()
    return sorted(took)


def added_by_outage(server, usual, *asked, **more):
    """Latencies, and the milliseconds at the 98th percentile that the outage adds; measured anew, up to three times, where
    that is too much, as the machine may have been busy with others."""
    for _ in range(3):
        took = latencies(server, *asked, **more)
        added = took[int(len(took) * 0.98)] - usual
        if added <= 50:
            break
    return took, added


def within_limit(name, granted, per_minute, seconds):
    """Exactly what GCRA grants in that time, beginning whole: neither more, nor less."""
    check(per_minute <= granted <= per_minute + int(seconds * per_minute / 60) + 1,
          f"{name}: {granted} were granted in {seconds:.1f} s of a limit of {per_minute} a minute")


def limited_while_down(server, name, numbers, usual):
    """A flood during the outage meets the limit of this process: one after another, and by many fibers at once."""
    started, granted = time.monotonic(), 0
    for _ in range(PER_MINUTE * 3):
        granted += run(server, "take", f"rate {name}", limit=PER_MINUTE, hold_ms=60000, amount=1)["granted"]
    seconds = time.monotonic() - started
    within_limit(name, granted, PER_MINUTE, seconds)
    load = server.post("/cached/load", {"op": "take", "key": f"many {name}", "fibers": 50, "each": 100, "limit": AT_ONCE},
                       seconds=60).json
    check_equal((load["done"], load["failed"]), (5000, 0), f"{name}: takes at once: {load}")
    check_equal(load["granted"], AT_ONCE, f"{name}: granted at once")
    took, added = added_by_outage(server, usual, "take", 50, key=f"slow {name}", limit=1000000, hold_ms=60000, amount=1)
    numbers[name].update({"limit_granted": granted, "limit_per_minute": PER_MINUTE, "limit_seconds": round(seconds, 2),
                          "limit_at_once": [AT_ONCE, load["granted"], load["done"]], "take_p50_ms": round(statistics.median(took), 1),
                          "take_slowest_ms": round(took[-1], 1)})
    check(added <= 50, f"{name}: a limit takes {added:.0f} ms more")


def served_while_down(server, name, numbers, usual):
    """What an outage looks like once it is known: values open, limits held here, budgets and locks closed, and quick."""
    started = time.monotonic()
    wait_until(lambda: latencies(server, count=10)[-1] < 50 and run(server, "get")["status"] == "not_found", 30,
               f"{name}: reads are not quick")
    known = time.monotonic() - started
    took, added = added_by_outage(server, usual)
    check_equal(run(server, "get")["status"], "not_found", f"{name}: a value")
    check_equal(run(server, "set", value="v")["status"], "ok", f"{name}: keeping a value")
    for i in range(8):  # so many failures open a breaker: that of the budgets, not that of the values
        check_equal(reserve(server, f"o{i}")["status"], "unavailable", f"{name}: a budget, closed")
    after = latencies(server, count=40)
    check_equal(run(server, "get")["status"], "not_found", f"{name}: a value, after the budgets' breaker opened")
    numbers[name] = {"known_s": round(known, 2), "p50_ms": round(statistics.median(took), 1),
                     "p98_added_ms": round(added, 1), "slowest_ms": round(max(took[-1], after[-1]), 1)}
    check(known <= KNOWN_WITHIN, f"{name}: for {known:.1f} s calls waited for it")
    check(added <= 50, f"{name}: {added:.0f} ms are added")
    limited_while_down(server, name, numbers, usual)
    check_equal(server.get("/health/live").status, 200, f"{name}: the process lives")


def comes_back(server, name, numbers):
    started = time.monotonic()
    wait_until(lambda: run(server, "set", value="v")["status"] == "ok" and run(server, "get").get("value") == "v" and
               reserve(server, f"back {time.monotonic()}")["status"] == "ok", 40, f"{name}: it does not come back")
    counted = server.metric("cache_redis_local_limits_total", outcome="granted")
    check(run(server, "take", f"back {name}", limit=2, hold_ms=60000, amount=1)["granted"], f"{name}: a limit of Redis again")
    check_equal(server.metric("cache_redis_local_limits_total", outcome="granted"), counted, f"{name}: who decides now")
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
    check_logged(server, "maxmemory")
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
        wait_until(lambda: reserve(server, "loading") and "LOADING" in server.log_text(), 20, "it does not say that it is loading")
        served_while_down(server, "loading", numbers, usual)
        check(starting.is_alive(), "it had loaded before it was looked at")
    finally:
        starting.join()
    comes_back(server, "loading", numbers)


def own_limits(redis, numbers):
    """The server's own rate limit on two workers, with the cache's limits held by the process, open and closed."""
    def statuses(count, **cache):
        with Server(made=made(redis.url, 20, workers=2, **cache)) as server:
            before = [server.post("/cached/run", {"op": "get", "key": "k"}).status for _ in range(3)]
            redis.kill()
            started = time.monotonic()
            after = [server.post("/cached/run", {"op": "get", "key": "k"}).status for _ in range(count)]
            seconds = time.monotonic() - started
            redis.start()
            check_equal(set(before), {200}, "before")
            return after, seconds
    after, seconds = statuses(60)
    numbers["limit_local"] = {str(status): after.count(status) for status in sorted(set(after))}
    check_equal(set(after), {200, 429}, "limits local: a flood is refused")
    within_limit("limits local", after.count(200), 20, seconds)
    after, seconds = statuses(30, limits_when_down="open")
    numbers["limit_open"] = {str(status): after.count(status) for status in sorted(set(after))}
    check_equal(set(after), {200}, "limits open: everybody is served")
    after, seconds = statuses(10, limits_when_down="closed")
    numbers["limit_closed"] = {str(status): after.count(status) for status in sorted(set(after))}
    check_equal(set(after), {503}, "limits closed: nobody is served")


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
        own_limits(redis, numbers)


run_fault("F20", fault)

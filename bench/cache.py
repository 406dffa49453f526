"""cache.py - cache/redis beside redis-benchmark on the same server in the same run, one JSON line each: operations a second,
and the ratio of the two. `connections` is many callers at a time: redis-benchmark opens that many connections, we send all of
it over the one connection of one worker. `pipelined` is redis-benchmark's other way, one caller that sends so many commands
before it reads; ours stay single operations, each through the host's gate on a fiber of its own."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
from backplane_test import Server  # noqa: E402
from redis_server import RedisServer  # noqa: E402

REPEATS = 3


def conf(url):
    return lambda folder: {
        "data_dir": os.path.join(folder, "data"), "plugins": [os.environ["BACKPLANE_FAULT_PLUGINS"]],
        "server": {"listen": ["127.0.0.1:0"], "workers": 1}, "cache": {"main": {"use": "redis", "url": url}},
        "app": {"cached": {"cache": "main"}},
    }


def ours(server, op, callers, total):
    answer = server.post("/cached/load", {"op": op, "key": "load", "value": "v" * 100, "fibers": callers,
                                          "each": total // callers, "limit": 1 << 40}, seconds=250).json
    if answer.get("failed", 1):
        raise SystemExit(f"the load failed: {answer}")
    return answer["done"] / answer["seconds"]


def peer(port, op, total, *arguments):
    done = subprocess.run(["redis-benchmark", "-p", str(port), "-t", op, "-d", "100", "-r", "1000", "-n", str(total), "--csv",
                           *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().split("\n")[-1].split(",")[1].strip('"'))


def main():
    with RedisServer() as redis, Server(made=conf(redis.url)) as server:
        for op in ("set", "get"):
            for callers, total in ((1, 20000), (10, 100000), (50, 200000), (200, 200000)):
                best = {"ours": 0.0, "connections": 0.0, "pipelined": 0.0}
                for _ in range(REPEATS):  # one after the other, as both want the same processors
                    best["ours"] = max(best["ours"], ours(server, op, callers, total))
                    best["connections"] = max(best["connections"], peer(redis.port, op, total, "-c", str(callers)))
                    best["pipelined"] = max(best["pipelined"], peer(redis.port, op, total, "-c", "1", "-P", str(callers)))
                print(json.dumps({"benchmark": "cache_redis", "op": op, "callers": callers, "per_s": round(best["ours"]),
                                  "redis_benchmark_connections_per_s": round(best["connections"]),
                                  "redis_benchmark_pipelined_per_s": round(best["pipelined"]),
                                  "ratio_connections": round(best["ours"] / best["connections"], 2),
                                  "ratio_pipelined": round(best["ours"] / best["pipelined"], 2),
                                  "latency_us": round(1e6 * callers / best["ours"], 1)}), flush=True)


main()

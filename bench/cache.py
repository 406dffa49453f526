"""cache.py - cache/redis beside libhiredis and redis-benchmark on the same server in the same run, one JSON line each: operations a
second, the processor time of one, and the ratios. `hiredis` is a C program that formats so many commands as there are callers,
sends them over one connection, and reads their answers. `connections` is redis-benchmark with a connection for each caller,
`pipelined` with one of them that sends so many commands, made beforehand, before it reads. Ours are single operations, each
through the host's gate on a fiber of its own, over the one connection of one worker."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
from backplane_test import Server  # noqa: E402
from redis_server import RedisServer  # noqa: E402

REPEATS = 3
PART = min(1.0, float(os.environ.get("SECONDS_EACH", "5")) / 5)  # of the operations that a figure is made of


def conf(url):
    return lambda folder: {
        "data_dir": os.path.join(folder, "data"), "plugins": [os.environ["BACKPLANE_FAULT_PLUGINS"]],
        "server": {"listen": ["127.0.0.1:0"], "workers": 1}, "cache": {"main": {"use": "redis", "url": url}},
        "app": {"cached": {"cache": "main"}},
    }


def processor_s(pid):
    """Of all threads of a process, so far."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
            total += int(stat.read().split()[0])
    return total / 1e9


def ours(server, op, callers, total):
    began = processor_s(server.process.pid)
    answer = server.post("/cached/load", {"op": op, "key": "load", "value": "v" * 100, "fibers": callers,
                                          "each": total // callers, "limit": 1 << 40}, seconds=250).json
    if answer.get("failed", 1):
        raise SystemExit(f"the load failed: {answer}")
    return answer["done"] / answer["seconds"], (processor_s(server.process.pid) - began) * 1e6 / answer["done"]


def hiredis(port, op, callers, total):
    done = subprocess.run([os.environ["HIREDIS_DRIVER"], str(port), op, str(callers), str(total)], capture_output=True, text=True,
                          check=True)
    return tuple(float(word) for word in done.stdout.split())


def peer(port, op, total, *arguments):
    done = subprocess.run(["redis-benchmark", "-p", str(port), "-t", op, "-d", "100", "-r", "1000", "-n", str(total), "--csv",
                           *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().split("\n")[-1].split(",")[1].strip('"'))


def main():
    with RedisServer() as redis, Server(made=conf(redis.url)) as server:
        for op in ("set", "get"):
            for callers, total in ((1, 20000), (10, 100000), (50, 200000), (200, 200000)):
                total = int(total * PART)
                best = {"ours": (0.0, 0.0), "hiredis": (0.0, 0.0), "connections": 0.0, "pipelined": 0.0}
                for _ in range(REPEATS):  # one after the other, as all want the same processors
                    best["ours"] = max(best["ours"], ours(server, op, callers, total))
                    best["hiredis"] = max(best["hiredis"], hiredis(redis.port, op, callers, total))
                    best["connections"] = max(best["connections"], peer(redis.port, op, total, "-c", str(callers)))
                    best["pipelined"] = max(best["pipelined"], peer(redis.port, op, total, "-c", "1", "-P", str(callers)))
                per_s, us = best["ours"]
                print(json.dumps({"benchmark": "cache_redis", "op": op, "callers": callers, "per_s": round(per_s),
                                  "processor_us": round(us, 2), "hiredis_per_s": round(best["hiredis"][0]),
                                  "hiredis_processor_us": round(best["hiredis"][1], 2),
                                  "ratio_hiredis": round(per_s / best["hiredis"][0], 2),
                                  "ratio_processor": round(best["hiredis"][1] / us, 2),
                                  "redis_benchmark_connections_per_s": round(best["connections"]),
                                  "redis_benchmark_pipelined_per_s": round(best["pipelined"]),
                                  "ratio_connections": round(per_s / best["connections"], 2),
                                  "ratio_pipelined": round(per_s / best["pipelined"], 2),
                                  "latency_us": round(1e6 * callers / per_s, 1)}), flush=True)


main()

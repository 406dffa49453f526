#!/bin/bash
# bench/vector.sh - vector/pgvector beside libpq, and vector/redis beside hiredis, on the same server, index and effort: 10,000 points
# of 384 dimensions, HNSW, ten neighbours. Prints a table; a worker of the plugin a client. A second table has the searches of one
# client with a filter that lets 50 %, 1 % and 0.05 % of the points pass. STORES chooses among "pgvector redis".
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" --target vector_driver plugin_vector_pgvector plugin_vector_redis >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
export PYTHONPATH=tests/lib BACKPLANE_PLUGINS=$PWD/build/release/plugins BACKPLANE_SOURCE=$PWD
exec python3 -B - "${SECONDS_EACH:-5}" "${STORES:-pgvector redis}" <<'END'
import subprocess, sys
from pgvector_server import PgvectorServer
from redis_server import RedisServer

def driver(*words):
    return subprocess.run(["build/release/bench/vector_driver", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.split()

filtered = []
print("| store | clients | native /s | ms | plugin /s | ms | ratio |\n|---|---|---|---|---|---|---|")
stores = {"pgvector": ("pgvector", PgvectorServer), "redis": ("redisearch", lambda: RedisServer(stack=True))}
for store in sys.argv[2].split():
    native, server = stores[store][0], stores[store][1]()
    plugin = f"build/release/plugins/vector/{store}.so"
    with server:
        url = server.url
        driver("load", plugin, url, "1", "1")
        for clients in ("1", "4"):
            theirs, ours = [], []
            for _ in range(3):  # in turn, and the best of each, as the machine may have others to serve
                theirs.append(driver(native, "-", url.removesuffix("/0") if store == "redis" else url, clients, sys.argv[1]))
                ours.append(driver("plugin", plugin, url, clients, sys.argv[1]))
            theirs, ours = (max(runs, key=lambda run: float(run[0])) for runs in (theirs, ours))
            print(f"| {store} | {clients} | {theirs[0]} | {theirs[1]} | {ours[0]} | {ours[1]} | {float(ours[0]) / float(theirs[0]):.2f} |", flush=True)
        for name, part in (("half", "50 %"), ("one", "1 %"), ("rare", "0.05 %")):
            filtered.append([store, part, *driver(name, plugin, url, "1", sys.argv[1])])
print("\n| store | passes | plugin /s | ms |\n|---|---|---|---|")
for row in filtered:
    print("| " + " | ".join(row) + " |")
END

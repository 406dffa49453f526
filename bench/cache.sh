#!/bin/bash
# Prints what cache/redis does beside libhiredis and redis-benchmark on the same server: one JSON line a load. Needs the release preset and
# redis-tools (scripts/install-deps.sh test). SECONDS_EACH below 5 makes loads smaller.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release -DBUILD_TESTING=ON >/dev/null
cmake --build --preset release --target backplane plugin_cache_redis fault_plugin_cached hiredis_driver >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
export BACKPLANE=$PWD/build/release/core/backplane BACKPLANE_PLUGINS=$PWD/build/release/plugins
export HIREDIS_DRIVER=$PWD/build/release/bench/hiredis_driver
export BACKPLANE_FAULT_PLUGINS=$PWD/build/release/tests/faults/plugins
exec python3 -B bench/cache.py

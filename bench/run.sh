#!/bin/bash
# Prints the host's figures, each beside its peer in the same run: one JSON line a benchmark. Needs the release preset,
# nginx and wrk (scripts/install-deps.sh test). SECONDS_EACH sets how long each load lasts (5).
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
cmake --build --preset release --target backplane bench_gate >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
cmake --build --preset release >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
build/release/bench/bench_gate
exec python3 bench/edge.py build/release/core/backplane "${SECONDS_EACH:-5}"

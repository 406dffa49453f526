#!/bin/bash
# Prints what MCP costs: Backplane beside the official Node servers and SDKs, in the same run, one JSON line a figure and a
# table at the end. Load comes from mcpload.c, which is not part of this tree: give its folder, or set BP_SHARED_DIR.
# SECONDS_EACH sets how long each load lasts (4); each is run twice and the better one counts.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=${BP_SHARED_DIR:-../shared}
load=${1:-$shared/bench/mcp}
if [ ! -f "$load/mcpload.c" ]; then
    echo "skipped: there is no mcpload.c in $load; give its folder as the argument"
    exit 77
fi
cmake --preset release -DBUILD_TESTING=ON >/dev/null
cmake --build --preset release --target backplane conformance_fixture >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
cmake --build --preset release >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
cc -O2 -w -o build/release/mcpload "$load/mcpload.c"
export BACKPLANE=build/release/core/backplane BACKPLANE_PLUGINS=$PWD/build/release/plugins BACKPLANE_SOURCE=$PWD
export PYTHONPATH=tests/lib FIXTURE_FOLDER=$PWD/build/release/tests/conformance/plugins/app
exec python3 -B bench/mcp.py build/release/mcpload "$load" "${SECONDS_EACH:-4}"

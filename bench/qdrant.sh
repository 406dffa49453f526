#!/bin/bash
# CPU of one request to Qdrant, vector/qdrant beside the official Python client on the same stub. Ends with 1 below 0.8.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
if [ ! -e build/python/bench-qdrant/done ]; then
  python3 -m venv --clear build/python/bench-qdrant
  build/python/bench-qdrant/bin/pip install -q --disable-pip-version-check --only-binary=:all: qdrant-client==1.15.1
  touch build/python/bench-qdrant/done
fi
export BACKPLANE=build/release/core/backplane BACKPLANE_PLUGINS=$PWD/build/release/plugins BACKPLANE_SOURCE=$PWD
export PYTHONPATH=tests/lib
exec build/python/bench-qdrant/bin/python -B bench/qdrant.py

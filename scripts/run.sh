#!/bin/bash
# Installs what is missing, builds, starts the embedded default on 127.0.0.1:8000, and prints three commands to try.
# Stops with Ctrl-C. BACKPLANE_PORT chooses another port.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${BACKPLANE_PORT:-8000}
scripts/install-deps.sh
[ -f build/release/CMakeCache.txt ] || cmake --preset release -DBUILD_TESTING=OFF -DBP_WERROR=OFF >/dev/null
cmake --build --preset release -j "$(nproc)" >build/release/build.log 2>&1 || { tail -n 40 build/release/build.log >&2; exit 1; }

program=build/release/core/backplane
export LISTEN=127.0.0.1:$port
mkdir -p data
$program check -c conf/backplane.yaml
$program serve -c conf/backplane.yaml 2>data/backplane.log &
server=$!
trap 'kill -TERM $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM

url=http://127.0.0.1:$port
files=$(find docs -name '*.md' | wc -l)
ready=0
for _ in $(seq 300); do
  if ! kill -0 $server 2>/dev/null; then
    echo "the server did not start; data/backplane.log ends with:" >&2
    tail -n 5 data/backplane.log >&2
    exit 1
  fi
  # The project's own docs/ are its first documents: wait until all of them can be found.
  ready=$(curl -s "$url/api/v1/collections/docs" | sed -n 's/.*"ready":\([0-9]*\).*/\1/p')
  [ "${ready:-0}" -ge "$files" ] && break
  sleep 0.1
done

cat <<TRY

Backplane serves $url; ${ready:-0} documents of docs/ are indexed. Its log is data/backplane.log.
Try, in another terminal:

  $program search --url $url --collection docs "which ports and addresses does it listen on"

  curl -s $url/api/v1/answer -d '{"question": "How do I back up the data?"}'

  curl -s "$url/api/search?q=write+a+plugin&limit=3"

As an MCP server, for any client (docs/mcp.md):

  $url/mcp
  $program mcp --app filesystem .

Every route: $url/docs    Health: $url/health    Ctrl-C stops it.
TRY
wait $server

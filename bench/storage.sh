#!/bin/bash
# bench/storage.sh [BUILD] - storage/postgres beside pgbench, which uses libpq itself, on the same server. Prints a table. Builds the
# release preset, or uses the build that is named. SECONDS_EACH sets how long each load lasts (5).
#
# pgbench sends prepared statements (-M prepared); "transaction" is its five statements in one pipeline (\startpipeline
# would need -M extended too), as batch() sends them. The server is a test's own and writes without fsync, so that the
# plugin's share of the time shows.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
if [ $# -eq 0 ]; then
  cd "$source"
  cmake --preset release >/dev/null
  cmake --build --preset release --target storage_driver plugin_storage_postgres >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
fi
build=$(cd "${1:-$source/build/release}" && pwd)
if [ ! -x "$build/bench/storage_driver" ]; then
  echo "$build/bench/storage_driver is not built: cmake --build $build --target storage_driver" >&2
  exit 1
fi
if [ -z "${BACKPLANE_TEST_POSTGRES:-}" ]; then
  PYTHONPATH="$source/tests/lib" exec python3 -B "$source/tests/lib/with_postgres.py" bash "$0" "$build"
fi
url=$BACKPLANE_TEST_POSTGRES
seconds=${SECONDS_EACH:-5}
scale=1
pgbench=$(command -v pgbench || ls /usr/lib/postgresql/*/bin/pgbench 2>/dev/null | tail -1)
if [ -z "$pgbench" ]; then
  echo "skipped: pgbench is not installed (scripts/install-deps.sh test)"
  exit 77
fi
"$pgbench" -q -i -s $scale "$url" 2>/dev/null
scripts=$(mktemp -d)
trap 'rm -rf "$scripts"' EXIT
cat > "$scripts/select" <<X
\set aid random(1, 100000 * $scale)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
X
cat > "$scripts/write" <<X
\set aid random(1, 100000 * $scale)
\set delta random(1, 100)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
X
cat > "$scripts/transaction" <<X
\set aid random(1, 100000 * $scale)
\set tid random(1, 10)
\set delta random(1, 5000)
\startpipeline
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = 1;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, CURRENT_TIMESTAMP);
\endpipeline
X
echo "| statements | clients | pgbench /s | ms | storage/postgres /s | ms | ratio |"
echo "|---|---|---|---|---|---|---|"
for mode in select write transaction; do
  for clients in 1 4; do
    theirs=$("$pgbench" -n -M prepared -f "$scripts/$mode" -c $clients -j $clients -T "$seconds" "$url" 2>/dev/null)
    tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<< "$theirs")
    ms=$(sed -n 's/^latency average = \([0-9.]*\) ms/\1/p' <<< "$theirs")
    read -r our_tps our_ms < <("$build/bench/storage_driver" "$build/plugins/storage/postgres.so" "$url" $mode $clients \
                               "$seconds" $scale)
    printf '| %s | %d | %.0f | %.3f | %.0f | %.3f | %.2f |\n' $mode $clients "$tps" "$ms" "$our_tps" "$our_ms" \
      "$(awk "BEGIN{print $our_tps/$tps}")"
  done
done

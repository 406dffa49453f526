#!/bin/bash
# nDCG@10 and recall@100 on each row of back ends, one table: bench/rows.sh [FOLDER [COLLECTION ...]] (scifact cranfield), each a folder
# with docs.jsonl, queries.jsonl and qrels.tsv, as bench/retrieval.sh has them. With the embedder hash, or with
# EMBED_MODEL=all-MiniLM-L6-v2. QDRANT_URL adds the row of a real Qdrant.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-${BP_SHARED_DIR:-../shared}/ir}
shift $(($# > 0))
[ $# -gt 0 ] || set -- scifact cranfield
if [ ! -f "$folder/$1/docs.jsonl" ]; then
  echo "skipped: there is no $1/docs.jsonl in $folder; give the folder of the collections as the argument, or set BP_SHARED_DIR"
  exit 77
fi
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
export RETRIEVAL_WAYS=default PYTHONPATH=tests/lib:tests/matrix BACKPLANE_PLUGINS=$PWD/build/release/plugins BACKPLANE_SOURCE=$PWD
rows=(sqlite,local,memory postgres,pgvector,redis postgres,redis,redis)
[ -z "${QDRANT_URL:-}" ] || rows+=(postgres,qdrant,redis)
for row in "${rows[@]}"; do
  echo "== $row"
  python3 -B - "$row" "$folder" "$@" <<'END'
import os, subprocess, sys
from run import servers
with servers(sys.argv[1].split(",")) as environment:
    subprocess.run(["bench/retrieval.sh", *sys.argv[2:]], env={**os.environ, **environment}, check=True)
END
done

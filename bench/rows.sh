#!/bin/bash
# nDCG@10 and recall@100 on each row of back ends, one table: bench/rows.sh FOLDER [COLLECTION ...] (scifact cranfield), each a folder with
# docs.jsonl, queries.jsonl and qrels.tsv. With the embedder hash, or with EMBED_MODEL=all-MiniLM-L6-v2. QDRANT_URL adds the row of a real Qdrant.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n 2,3p "$0" >&2; exit 2; }
export RETRIEVAL_WAYS=default PYTHONPATH=tests/lib:tests/matrix BACKPLANE_PLUGINS=$PWD/build/release/plugins BACKPLANE_SOURCE=$PWD
rows=(sqlite,local,memory postgres,pgvector,redis postgres,redis,redis)
[ -z "${QDRANT_URL:-}" ] || rows+=(postgres,qdrant,redis)
for row in "${rows[@]}"; do
  echo "== $row"
  python3 -B - "$row" "$@" <<'END'
import os, subprocess, sys
from run import servers
with servers(sys.argv[1].split(",")) as environment:
    subprocess.run(["bench/retrieval.sh", *sys.argv[2:]], env={**os.environ, **environment}, check=True)
END
done

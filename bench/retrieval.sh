#!/bin/bash
# nDCG@10 and recall@100 of search: bench/retrieval.sh [FOLDER [COLLECTION ...]] (scifact cranfield npl), each a folder with docs.jsonl,
# queries.jsonl and qrels.tsv. They are not part of this tree: give their folder, or set BP_SHARED_DIR, whose ir/ has them.
# With the embedder hash, or with EMBED_MODEL=all-MiniLM-L6-v2 with that one; it takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-${BP_SHARED_DIR:-../shared}/ir}
shift $(($# > 0))
[ $# -gt 0 ] || set -- scifact cranfield npl
if [ ! -f "$folder/$1/docs.jsonl" ]; then
  echo "skipped: there is no $1/docs.jsonl in $folder; give the folder of the collections as the argument, or set BP_SHARED_DIR"
  exit 77
fi
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
if [ -n "${EMBED_MODEL:-}" ]; then
  scripts/fetch-onnxruntime.sh build/onnxruntime
  scripts/fetch-model.sh "$EMBED_MODEL" "build/models/$EMBED_MODEL"
  export ONNXRUNTIME=$PWD/build/onnxruntime EMBED_MODEL=$PWD/build/models/$EMBED_MODEL
fi
export BACKPLANE=build/release/core/backplane BACKPLANE_PLUGINS=$PWD/build/release/plugins BACKPLANE_SOURCE=$PWD
export PYTHONPATH=tests/lib
exec python3 -B bench/retrieval.py "$folder" "$@"

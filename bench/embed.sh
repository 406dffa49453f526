#!/bin/bash
# Texts a second of embed/onnx beside ONNX Runtime's Python package. Ends with 1 when a ratio is below 0.8.
# SECONDS_EACH sets how long each load of clients lasts (4).
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release -DBUILD_TESTING=ON >/dev/null
cmake --build --preset release --target backplane onnx_vectors plugin_embed_onnx plugin_storage_sqlite plugin_vector_local \
  plugin_llm_extractive plugin_app_retrieval fault_plugin_embeds -j "$(nproc)" >build/release/bench.log ||
  { tail -n 40 build/release/bench.log >&2; exit 1; }
scripts/fetch-onnxruntime.sh build/onnxruntime
scripts/fetch-model.sh all-MiniLM-L6-v2 build/models/all-MiniLM-L6-v2
if [ ! -e build/python/bench-embed/done ]; then
  python3 -m venv --clear build/python/bench-embed
  build/python/bench-embed/bin/pip install -q --disable-pip-version-check --only-binary=:all: \
    onnxruntime==1.23.2 tokenizers==0.22.1 numpy==2.2.6
  touch build/python/bench-embed/done
fi
build/python/bench-embed/bin/python bench/embed_clients.py build/release/core/backplane build/release/plugins \
  build/release/tests/faults/plugins/app "$PWD/build/onnxruntime" "$PWD/build/models/all-MiniLM-L6-v2"
exec build/python/bench-embed/bin/python bench/embed.py build/release/tests/integration/onnx_vectors \
  build/release/plugins/embed/onnx.so build/onnxruntime build/models/all-MiniLM-L6-v2

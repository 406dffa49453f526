#!/bin/bash
# Installs what is missing, builds, and runs every test. Closes with CTest's line. Before the release suite come the suite
# under ASan and UBSan, the thread backend, that under TSan, a run of each fuzz target (BP_FUZZ_SECONDS), and clang.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh test

jobs=$(nproc)
failed=()

suite() { # preset, extra ctest arguments
  local preset=$1
  shift
  cmake --preset "$preset" -DBUILD_TESTING=ON >/dev/null # run.sh configures without tests
  cmake --build --preset "$preset" -j "$jobs" | { grep -E 'error|warning|FAILED' || true; }
  echo "== $preset"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@" || failed+=("$preset")
}

# The bounds of the faults on memory and time are those of a build that people run; a row of the matrix is the tests of the
# apps once more, which both suites have, as are rankings; what is compared with other people's models is the same code in
# each build; and an app's contract does not care what a fiber is made of, so the longest one runs on one kind of them. Plans of
# statements, headers, mistakes in confs and pages are the same in each build, what means harm is met with the sanitizers on, and
# data that moves between stores waits for their servers, not for fibers. Under TSan nothing is told by code without threads.
same_code='^faults\.|^matrix\.|pglite|scifact|statement_plans|rolling_restart|^sdk\.header'
suite asan -E "$same_code|(onnx|wordpiece)_reference$"
suite thread -E "$same_code|^hostile\.|backends_ranking|_reference$|conform\.(onnx|app_questioning|qdrant|pgvector)|check_world|\
integration\.(docs|migrate|vector_|cache_redis|oauth|postgres_replica|data_safety|lost_stores)|clients\.(inspector|vercel|langchain)|large_graph"
suite tsan -R '^unit\.' -E 'shared_words|large_graph|json_schema'
cmake --preset fuzz -DBP_FUZZ_SECONDS="${BP_FUZZ_SECONDS:-20}" >/dev/null
suite fuzz -R '^fuzz\.'
suite clang -R '^unit\.'
suite release # the last one, so that its line is the closing one

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi

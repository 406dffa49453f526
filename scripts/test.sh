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
# statements, headers, mistakes in confs and pages are the same in each build, and what means harm is met with the sanitizers on.
suite asan -E '^faults\.|^matrix\.|pglite|scifact|(onnx|wordpiece)_reference$|statement_plans|^sdk\.header'
suite thread -E '^faults\.|^matrix\.|^hostile\.|pglite|scifact|backends_ranking|_reference$|conform\.(onnx|app_questioning)|statement_plans|check_world|integration\.docs|large_graph|^sdk\.header'
suite tsan -R '^unit\.'
cmake --preset fuzz -DBP_FUZZ_SECONDS="${BP_FUZZ_SECONDS:-20}" >/dev/null
suite fuzz -R '^fuzz\.'
suite clang -R '^unit\.'
suite release # the last one, so that its line is the closing one

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi

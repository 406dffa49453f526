#!/bin/bash
# Installs what is missing, builds, and runs every test. Closes with CTest's line. Steps beside the release suite:
# the suite under ASan and UBSan, the thread backend under TSan, a short run of each fuzz target.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh test

jobs=$(nproc)
failed=()

suite() { # preset, extra ctest arguments
  local preset=$1
  shift
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "$jobs" | { grep -E 'error|warning|FAILED' || true; }
  echo "== $preset"
  ctest --test-dir "build/$preset" --output-on-failure -j "$jobs" "$@" || failed+=("$preset")
}

suite asan -E '^(integration|faults)\.'
suite tsan -R '^unit\.'
cmake --preset fuzz -DBP_FUZZ_SECONDS="${BP_FUZZ_SECONDS:-20}" >/dev/null
suite fuzz -R '^fuzz\.'
suite clang -R '^unit\.'
suite release

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi

#!/bin/bash
# Installs what is missing, builds, and runs every test: scripts/test.sh [--all]
#
# Each test runs where it can tell something: all of them in the release build; under ASan and UBSan those with C memory at
# stake; on fibers that are threads, under TSan, those that use several; each fuzz target for BP_FUZZ_SECONDS. Closes with
# CTest's line of the release build. 30 minutes on two cores.
#
# --all is for before a release and takes hours: every suite whole, each compiler, arm64, every mutant, long faults and long
# fuzzing, every benchmark for a second, analysis of all files. docs/quality.md has the last result, which this writes.
set -euo pipefail
cd "$(dirname "$0")/.."
all=false
case ${1:-} in
  '') ;;
  --all) all=true ;;
  *) sed -n 2,10p "$0" >&2; exit 2 ;;
esac
scripts/install-deps.sh test

jobs=$(nproc)
failed=() rows=()

note() { # name, from, result
  rows+=("| $1 | $3 | $((SECONDS - $2)) |")
  printf '== %s: %s, %d s\n' "$1" "$3" $((SECONDS - $2))
}

step() { # name, command...: of which the last line is kept for the table
  local name=$1 from=$SECONDS log last
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    last=$(tail -1 "$log")
  else
    failed+=("$name")
    cat "$log"
    last="failed: $(tail -1 "$log")"
  fi
  rm -f "$log"
  note "$name" "$from" "$last"
}

build() { # preset, more arguments of the build
  local preset=$1
  shift
  cmake --preset "$preset" -DBUILD_TESTING=ON >/dev/null # run.sh configures without tests
  cmake --build --preset "$preset" -j "$jobs" "$@" | { grep -E 'error|warning|FAILED' || true; }
}

# Much of a test is waiting for servers and timers, so one more runs than there are cores.
suite() { # preset, extra ctest arguments
  local preset=$1 from=$SECONDS log
  shift
  log=$(mktemp)
  echo "== $preset"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j $((jobs + 1)) "$@" 2>&1 | tee "$log" || failed+=("$preset")
  note "$preset" "$from" "$(sed -nE 's/.*tests passed, ([0-9]+) tests failed out of ([0-9]+)/\1 of \2 failed/p' "$log" | grep . || echo 'did not run')"
  rm -f "$log"
}

# Under ASan: no bounds on memory and time, which are those of the build that people run; nothing that compares the rankings,
# the texts or the clients of others with ours, which is the same code in each build; no pages.
no_memory='^faults\.|^matrix\.|^sdk\.header|_reference$|scifact|statement_plans|rolling_|backends_ranking|^clients\.(inspector|vercel|langchain)'
no_memory+='|^clients\.(python_sdk|sdk_v1)|^conformance\.2025|integration\.(docs|oauth|vector_drop|data_safety|postgres_replica)'
no_memory+='|^unit\.core\.transfer\.test_(moves|tables|differences)'
no_memory+='|integration\.(pglite|habits|install|sample_confs|mcp_security|timescale|lost_stores|metrics)|large_graph'
# Peers that mean harm are met with the sanitizers on; their bounds on memory are those of the build that people run.
harm='^hostile\.(http_peers|postgres_peer|redis_peer|json_bodies|mcp_input)'
# What threads share: workers, pools, locks, editions, sessions; not the parts that know no threads.
no_threads='shared_words|large_graph|json_schema|shared_filters|wordpiece'

if $all; then
  export BP_FAULTS_LONG=1
  build asan
  suite asan
  build thread
  suite thread
  build clang
  suite clang
else
  build asan
  suite asan -E "$no_memory"
fi
build tsan
suite tsan -LE '^program$' -R '^unit\.|integration\.(two_processes|retrieval_api|retrieval_mcp|mcp_asking|signals)$|^conform\.(memory|sqlite|local|app_journal)$' -E "$no_threads"
cmake --preset fuzz -DBP_FUZZ_SECONDS="${BP_FUZZ_SECONDS:-$($all && echo 600 || echo 10)}" >/dev/null
build fuzz
suite fuzz -R '^fuzz\.'
if $all; then
  step "lint" scripts/lint.sh --all
  step "mutants" scripts/mutate.sh --all
  step "coverage" scripts/coverage.sh
  step "compilers" scripts/build_matrix.sh --install --all
  step "arm64" scripts/arm64.sh --install
  step "benchmarks" bench/all.sh
else
  step "lint" scripts/lint.sh
  step "mutants, a sample" scripts/mutate.sh --count 20 --at-most 30 core/base core/loop core/ops core/schema
fi
build release
if $all; then
  suite release # the last one, so that its line is the closing one
else
  suite release -E "$harm"
fi

if $all; then
  {
    sed '/^| what |/,$d' docs/quality.md
    printf '| what | result | seconds |\n|---|---|---|\n'
    printf '%s\n' "${rows[@]}"
    printf '\n%s, commit %s, %s cores.\n' "$(date -u +%F)" "$(git rev-parse --short HEAD)" "$jobs"
  } >build/quality.md
  cp build/quality.md docs/quality.md
fi
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi

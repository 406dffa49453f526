#!/bin/bash
# Installs what is missing, builds, and runs every test: scripts/test.sh [--all] [PART...]
#
# Each test runs where it can tell something: all of them in the release build; under ASan and UBSan those with C memory at
# stake; on fibers that are threads, under TSan, those that use several; each fuzz target for BP_FUZZ_SECONDS. Closes with
# CTest's line of the release build. 29 minutes on two cores.
#
# --all is for before a release and takes hours: every suite whole, each compiler, arm64, 200 mutants, half an hour's soak, a million
# vectors, every row of the matrix, long faults and long fuzzing, every benchmark for a second, analysis of all files.
# docs/quality.md has the last result of each part, which this writes.
#
# PART: one of those that are run, in this order: asan tsan fuzz lint mutants release; with --all: asan thread clang tsan fuzz
# lint mutants coverage compilers arm64 benchmarks long release.
set -euo pipefail
cd "$(dirname "$0")/.."
all=false parts=()
for word in "$@"; do
  case $word in
    --all) all=true ;;
    -*) sed -n 2,14p "$0" >&2; exit 2 ;;
    *) parts+=("$word") ;;
  esac
done
sample=(asan tsan fuzz lint mutants release)
whole=(asan thread clang tsan fuzz lint mutants coverage compilers arm64 benchmarks long release)
known=("${sample[@]}")
if $all; then known=("${whole[@]}"); fi
for part in "${parts[@]}"; do
  [[ " ${known[*]} " = *" $part "* ]] || { echo "there is no part $part here: ${known[*]}" >&2; exit 2; }
done
scripts/install-deps.sh test

jobs=$(nproc)
failed=()

note() { # name, from, result
  printf '== %s: %s, %d s\n' "$1" "$3" $((SECONDS - $2))
  if $all; then
    python3 -B scripts/quality.py "$1" "$3" $((SECONDS - $2))
  fi
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

# A third of a suite is waiting for servers and timers, so twice as many tests run as there are cores.
suite() { # name, preset, extra ctest arguments
  local name=$1 preset=$2 from=$SECONDS log
  shift 2
  log=$(mktemp)
  echo "== $name"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j $((jobs * 2)) "$@" 2>&1 | tee "$log" || failed+=("$name")
  note "$name" "$from" "$(sed -nE 's/.*tests passed, ([0-9]+) tests failed out of ([0-9]+)/\1 of \2 tests failed/p' "$log" | grep . || echo 'did not run')"
  rm -f "$log"
}

# Under ASan: no bounds on memory and time, which are those of the build that people run; nothing that compares the rankings,
# the texts or the clients of others with ours, which is the same code in each build; no pages.
no_memory='^faults\.|^matrix\.|^sdk\.header|_reference$|scifact|statement_plans|rolling_|backends_ranking|^clients\.(inspector|vercel|langchain)'
no_memory+='|^clients\.(python_sdk|sdk_v1)|^conformance\.2025|integration\.(docs|oauth|vector_drop|data_safety|postgres_replica|soak)'
no_memory+='|^unit\.core\.transfer\.test_(moves|tables|differences)'
no_memory+='|integration\.(pglite|habits|install|sample_confs|mcp_security|timescale|lost_stores|metrics)|large_graph'
# Peers that mean harm are met with the sanitizers on; their bounds on memory are those of the build that people run.
harm='^hostile\.(http_peers|postgres_peer|redis_peer|json_bodies|mcp_input)'
# What threads share: workers, pools, locks, editions, sessions; not the parts that know no threads, and not the failures that are
# injected one by one, which ASan watches.
no_threads='shared_words|large_graph|json_schema|shared_filters|wordpiece|test_injected|app_git\.test_git_|app_filesystem\.test_edit'
# Clients of a server have a few atomics in common, and one worker each in their unit tests.
no_threads+='|^unit\.plugins\.(vector_(redis|pgvector|qdrant)|storage_postgres|shared_postgres|(alert|health|llm)_|embed_(hash|openai))'
threads='^unit\.|integration\.(two_processes|retrieval_api|retrieval_mcp|mcp_asking|signals)$|^conform\.(memory|sqlite|local|app_journal)$'

run_asan() {
  build asan
  if $all; then suite "ASan and UBSan" asan; else suite asan asan -E "$no_memory"; fi
}

run_thread() {
  build thread
  suite "fibers that are threads" thread
}

run_clang() {
  build clang
  suite "release by clang" clang
}

run_tsan() {
  build tsan
  suite "TSan" tsan -LE '^program$' -R "$threads" -E "$no_threads"
}

run_fuzz() {
  local seconds=${BP_FUZZ_SECONDS:-$($all && echo 600 || echo 10)}
  cmake --preset fuzz -DBP_FUZZ_SECONDS="$seconds" >/dev/null
  build fuzz --target fuzzers
  suite "fuzzing, $seconds s a target" fuzz -R '^fuzz\.'
}

run_lint() {
  if $all; then step "analysis of all files" scripts/lint.sh --all; else step lint scripts/lint.sh; fi
}

run_mutants() {
  if $all; then
    step "200 mutants" scripts/mutate.sh --all
  else
    step "mutants, a sample" scripts/mutate.sh --count 20 --at-most 30 core/base core/loop core/ops core/schema
  fi
}

run_coverage() { step coverage scripts/coverage.sh; }
run_compilers() { step "all compilers and levels" scripts/build_matrix.sh --install --all; }
run_arm64() { step "arm64, unit tests of core" scripts/arm64.sh --install; }
run_benchmarks() { step "benchmarks, a second each" bench/all.sh; }

# What a sample of is in the release suite: faults as long as their plan says, half an hour's soak, a million vectors, every row of the matrix, every
# text in every parameter.
run_long() {
  cmake --preset release -DBP_LONG=ON >/dev/null
  build release
  suite "long: faults, soak, a million vectors, matrix, contracts" release -R '^faults\.|soak$|local_scale$|^matrix\.|^conform\.app_'
  cmake --preset release -DBP_LONG=OFF >/dev/null
}

run_release() { # the last one, so that its line is the closing one
  build release
  if $all; then suite "release" release; else suite release release -E "$harm"; fi
}

for part in "${known[@]}"; do
  if [ ${#parts[@]} -eq 0 ] || [[ " ${parts[*]} " = *" $part "* ]]; then
    "run_$part"
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  printf -v list '%s, ' "${failed[@]}"
  echo "failed: ${list%, }" >&2
  exit 1
fi

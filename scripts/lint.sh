#!/bin/bash
# What a machine can check of the sources is not asked of a reviewer: scripts/lint.sh [--all]
#
# The format (scripts/format.sh), then width, length of functions, circles, unused includes and words (scripts/lint.py), then
# clang-tidy and cppcheck: on the C files that differ from BP_LINT_BASE, by default the parent of the last commit, or on all
# with --all. What they found before and what is no fault stands in scripts/analysis-known.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

scripts/format.sh --check || failed=1
python3 -B scripts/lint.py || failed=1

build=build/lint
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DBUILD_TESTING=OFF -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >/dev/null
if [ "${1:-}" = --all ]; then
  scripts/analysis.sh $build || failed=1
else
  base=${BP_LINT_BASE:-HEAD~1}
  changed=()
  if git rev-parse -q --verify "$base" >/dev/null; then
    mapfile -t changed < <(git diff --name-only --diff-filter=d "$base" -- 'core/*.c' 'plugins/*.c' 'sdk/*.c')
  fi
  if [ ${#changed[@]} -gt 0 ]; then
    scripts/analysis.sh $build "${changed[@]}" || failed=1
  fi
fi
exit $failed
